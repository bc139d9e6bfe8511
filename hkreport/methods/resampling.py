"""Resampled intervals and A/A checks, on counts of distinct values instead of rows.

Of 100,000 units 97,000 bought nothing: resampling how often each distinct value comes up gives the same
answer as resampling rows, some hundred times faster.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from hkreport.methods.estimate import Estimate, Refusal
from hkreport.methods.means import CLOSED, CONFIDENCE, RANDOM, as_units

__all__ = ["aa_rate", "bootstrap"]

Floats = NDArray[np.float64]

CELLS = 8_000_000  # of the matrix of counts made at a time: 64 MB


def bootstrap(
    treated: ArrayLike,
    control: ArrayLike,
    *,
    relative: bool = False,
    kind: Literal["poisson", "multinomial"] = "poisson",
    resamples: int = 2000,
    confidence: float = CONFIDENCE,
    seed: int = 1,
) -> Estimate | Refusal:
    """Percentile bootstrap of a difference of means, or of a relative lift; for comparison.

    Parameters
    ----------
    treated, control : array
        One value a unit, zeros included.
    relative : bool
        Ratio of means less one instead of their difference.
    kind : {"poisson", "multinomial"}
        How often a value comes up: independently, or with the number of units kept.
    resamples : int
    confidence : float
    seed : int
        Same seed, same interval.

    Examples
    --------
    >>> arm = [0.0] * 60 + [10.0, 20.0] * 20
    >>> found = bootstrap(arm, arm, resamples=200)
    >>> found.value, found.low < 0 < found.high
    (0.0, True)
    """
    arms = [as_units(arm) for arm in (treated, control)]
    if min(map(len, arms)) < 2:
        return Refusal("An arm with fewer than two units has no spread: nothing can be compared.")
    rng = np.random.default_rng(seed)
    above, below = (_means(arm, kind, resamples, rng) for arm in arms)
    first, second = (float(arm.mean()) for arm in arms)
    if relative and (second <= 0 or below.min() <= 0):
        return Refusal("An arm's mean is not above zero, so a relative lift is not defined.")
    drawn = above / below - 1 if relative else above - below
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(
        value=first / second - 1 if relative else first - second,
        low=float(low),
        high=float(high),
        confidence=confidence,
        n=sum(map(len, arms)),
        method=f"{'relative lift' if relative else 'difference of means'}, {kind} bootstrap",
        assumptions=(RANDOM, CLOSED),
        standard_error=float(drawn.std(ddof=1)),
    )


def _means(
    values: Floats,
    kind: Literal["poisson", "multinomial"],
    resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """Means of resampled arms."""
    distinct, counts = np.unique(values, return_counts=True)
    zero = np.flatnonzero(distinct == 0)
    blanks = int(counts[zero].sum())
    distinct, counts = np.delete(distinct, zero), np.delete(counts, zero)
    means = np.empty(resamples)
    step = max(CELLS // max(len(distinct), 1), 1)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        if kind == "poisson":
            drawn = rng.poisson(counts, (size, len(counts)))
            whole = drawn.sum(1) + rng.poisson(blanks, size)
        else:
            bought = rng.binomial(len(values), 1 - blanks / len(values), size)
            drawn = rng.multinomial(bought, counts / max(counts.sum(), 1))
            whole = np.full(size, len(values))
        means[start : start + size] = drawn @ distinct / np.maximum(whole, 1)
    return means


def aa_rate(
    values: ArrayLike, share: float, *, splits: int = 1000, alpha: float = 0.05, seed: int = 1
) -> Estimate | Refusal:
    """How often splitting one arm at random shows a difference (A/A): it should be `alpha`.

    Parameters
    ----------
    values : array
        One value a unit of one and the same arm, zeros included.
    share : float
        Planned share of treatment.
    splits : int
        Random splits to try.
    alpha : float
        Level at which a split counts as a difference.
    seed : int
        Same seed, same answer.

    Returns
    -------
    Estimate or Refusal
        Share of splits with p < alpha, by the pooled variance; a refusal with fewer than 30 buyers.

    Examples
    --------
    >>> found = aa_rate([0.0] * 900 + [10.0, 20.0] * 50, 0.5, splits=400)
    >>> found.low < 0.05 < found.high
    True
    """
    units = as_units(values)
    bought = units[units != 0]
    if len(bought) < 30 or not 0 < share < 1:
        return Refusal(f"Too few buyers ({len(bought)}) to split one arm at random.")
    if units.min() == units.max():
        return Refusal("All units have the same value: there is nothing to compare.")
    rng = np.random.default_rng(seed)
    hits, step = 0, max(CELLS // len(bought), 1)
    for start in range(0, splits, step):
        size = min(step, splits - start)
        picked = rng.random((size, len(bought))) < share
        n_first = picked.sum(1) + rng.binomial(len(units) - len(bought), share, size)
        n_first = np.clip(n_first, 2, len(units) - 2)
        n_second = len(units) - n_first
        total, squares = bought.sum(), (bought**2).sum()
        sum_first = picked @ bought
        first, second = sum_first / n_first, (total - sum_first) / n_second
        within = squares - n_first * first**2 - n_second * second**2
        error = np.sqrt(np.maximum(within, 0.0) / (len(units) - 2) * (1 / n_first + 1 / n_second))
        # A split that leaves no spread within its arms is left to the others.
        ratio = np.divide(np.abs(first - second), error, out=np.zeros(size), where=error > 0)
        p_values = 2 * stats.t.sf(ratio, len(units) - 2)
        hits += int((p_values < alpha).sum())
    ends = stats.binomtest(hits, splits, alpha).proportion_ci(CONFIDENCE)
    return Estimate(
        value=hits / splits,
        low=float(ends.low),
        high=float(ends.high),
        confidence=CONFIDENCE,
        n=splits,
        method=f"share of {splits} random splits of one arm with p < {alpha:g}",
        standard_error=math.sqrt(hits / splits * (1 - hits / splits) / splits),
    )
