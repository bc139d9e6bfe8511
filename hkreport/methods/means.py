"""Two arms' means compared: differences and ratios, each with the interval that keeps its level.

Every array holds one value a *unit that was assigned*, zeros included; a unit is whatever the coin was
tossed for. What an experiment needs around that belongs to :mod:`hkreport.methods.experiment`.
"""

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from hkreport.methods.estimate import Estimate, Refusal

__all__ = [
    "CLOSED",
    "CONFIDENCE",
    "RANDOM",
    "Interval",
    "as_units",
    "buyers_for_welch",
    "difference",
    "fieller",
    "incremental",
    "interval_for",
    "no_spread",
    "relative_lift",
]

Floats = NDArray[np.float64]
Interval = Literal["auto", "welch", "pooled"]

CONFIDENCE = 0.95
# Control buyers from which Welch's interval holds its level, at two spreads of log amounts.
CALM, BUYERS_IF_CALM = 0.8, 150
WILD, BUYERS_IF_WILD = 1.2, 1500

RANDOM = "Units were assigned to the arms at random and do not influence each other."
CLOSED = "The outcome window of every unit is closed."


def buyers_for_welch(spread: float) -> float:
    """Control buyers from which Welch's interval holds its level.

    150 where the standard deviation of log amounts is at most 0.8, 1,500 from 1.2 on; between the two
    each step adds the same factor, so that a little more spread never asks for ten times the buyers.

    Examples
    --------
    >>> [round(buyers_for_welch(spread)) for spread in (0.5, 0.8, 1.0, 1.2, 2.0)]
    [150, 150, 474, 1500, 1500]
    """
    way = min(max((spread - CALM) / (WILD - CALM), 0.0), 1.0)
    return float(BUYERS_IF_CALM * (BUYERS_IF_WILD / BUYERS_IF_CALM) ** way)


def interval_for(control: ArrayLike, treated: ArrayLike = ()) -> Literal["welch", "pooled"]:
    """The interval that keeps its level for such arms.

    Welch from :func:`buyers_for_welch` buyers on; below that the pooled variance, which is conservative
    when treatment spends more. The spread is that within both arms together: judged by control alone,
    the choice would fall on whichever interval control's chance made narrow (5.6 % false alarms instead
    of 4.5 % where the two rules meet, measured).

    Examples
    --------
    >>> interval_for([0.0] * 900 + [10.0, 20.0] * 80), interval_for([0.0] * 900 + [10.0, 20.0] * 50)
    ('welch', 'pooled')
    """
    logs = [np.log(arm[arm > 0]) for arm in (as_units(control), as_units(treated))]
    free = sum(max(len(each) - 1, 0) for each in logs)
    within = sum(float(((each - each.mean()) ** 2).sum()) for each in logs if len(each))
    spread = math.sqrt(within / free) if free else math.inf
    return "welch" if len(logs[0]) >= buyers_for_welch(spread) else "pooled"


def difference(
    treated: ArrayLike,
    control: ArrayLike,
    *,
    interval: Interval = "auto",
    confidence: float = CONFIDENCE,
) -> Estimate | Refusal:
    """Mean of treatment less mean of control, per assigned unit.

    Parameters
    ----------
    treated, control : array
        One value a unit, zeros included; refunds may be negative.
    interval : {"auto", "welch", "pooled"}
        "auto" follows :func:`interval_for`; where treatment is the smaller arm and few of it bought,
        the wider of both.
    confidence : float
        Two-sided coverage.

    Returns
    -------
    Estimate or Refusal
        A refusal for fewer than two units in an arm, or values that are all the same within the arms.

    Examples
    --------
    >>> from hkreport.units import Unit
    >>> found = difference([30.0, 0.0, 50.0, 20.0], [10.0, 0.0, 20.0, 10.0], interval="welch")
    >>> print(found.words(Unit.MONEY))
    ₹15.00 (95% interval −₹16.35 to ₹46.35)
    """
    first, second = as_units(treated), as_units(control)
    if min(len(first), len(second)) < 2:
        return Refusal("An arm with fewer than two units has no spread: nothing can be compared.")
    both = np.concatenate([first, second])
    same = no_spread(first, second)
    if same is not None:
        return same
    kind = interval_for(second, first) if interval == "auto" else interval
    if interval == "auto" and _few_treated(first, second):
        kind = max(("pooled", "welch"), key=lambda one: _reach(first, second, one, confidence))
    test = stats.ttest_ind(first, second, equal_var=kind == "pooled")
    ends = test.confidence_interval(confidence)
    name = "Welch's t" if kind == "welch" else "pooled variance t (conservative)"
    value = float(first.mean() - second.mean())
    return Estimate(
        value=value,
        low=float(ends.low),
        high=float(ends.high),
        confidence=confidence,
        n=len(both),
        method=f"difference of means, {name}",
        assumptions=(RANDOM, CLOSED),
        p_value=float(test.pvalue),
        standard_error=float(abs(value / test.statistic))
        if test.statistic
        else _error(first, second),
    )


def incremental(
    treated: ArrayLike,
    control: ArrayLike,
    *,
    interval: Interval = "auto",
    confidence: float = CONFIDENCE,
) -> Estimate | Refusal:
    """What the campaign caused in the whole treatment arm: units × difference of means.

    Revenue in gives incremental revenue, orders in give incremental orders.

    Examples
    --------
    >>> incremental([30.0, 0.0, 50.0, 20.0], [10.0, 0.0, 20.0, 10.0]).value
    60.0
    """
    found = difference(treated, control, interval=interval, confidence=confidence)
    return found * float(len(as_units(treated))) if isinstance(found, Estimate) else found


def relative_lift(
    treated: ArrayLike,
    control: ArrayLike,
    *,
    interval: Literal["auto", "log", "pooled", "delta", "fieller"] = "auto",
    confidence: float = CONFIDENCE,
) -> Estimate | Refusal:
    """Mean of treatment over mean of control, less one: 0.15 is 15 % more.

    Parameters
    ----------
    treated, control : array
        One value a unit, zeros included.
    interval : {"auto", "log", "pooled", "delta", "fieller"}
        "auto" is the log ratio, with pooled variance where :func:`interval_for` asks for it (covers 94 to
        97 % from 15 control buyers on, measured, where the plain one covers 89 to 94 %). "delta" and
        "fieller" are for comparison with published answers.
    confidence : float
        Two-sided coverage.

    Examples
    --------
    >>> found = relative_lift([30.0, 0.0, 50.0, 20.0], [10.0, 0.0, 20.0, 10.0], interval="log")
    >>> round(found.value, 2), found.low < 0 < found.high
    (1.5, True)
    """
    first, second = as_units(treated), as_units(control)
    plain = difference(first, second, interval="welch", confidence=confidence)
    if isinstance(plain, Refusal):
        return plain
    above, below = float(first.mean()), float(second.mean())
    if above <= 0 or below <= 0:
        return Refusal("An arm's mean is not above zero, so a relative lift is not defined.")
    v_above, v_below = (
        float(first.var(ddof=1)) / len(first),
        float(second.var(ddof=1)) / len(second),
    )
    spread = _pooled(first, second)
    kind: str = interval
    if kind == "auto":
        kind = "log" if interval_for(second, first) == "welch" else "pooled"
        if _few_treated(first, second):
            plain_error = v_above / above**2 + v_below / below**2
            pooled_error = spread * (1 / len(first) / above**2 + 1 / len(second) / below**2)
            kind = "log" if plain_error > pooled_error else "pooled"
    if kind == "fieller":
        ratio = fieller(above, below, v_above, v_below, confidence=confidence)
        if isinstance(ratio, Refusal):
            return ratio
        # The p-value of a lift is about a ratio of one: that the means are equal.
        gap = abs(above - below) / math.sqrt(v_above + v_below)
        lift = ratio.map(lambda value: value - 1)
        return replace(lift, p_value=float(2 * stats.norm.sf(gap)))
    if kind == "pooled":
        v_above, v_below = spread / len(first), spread / len(second)
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    error = math.sqrt(v_above / above**2 + v_below / below**2)
    ratio_value, log = above / below, math.log(above / below)
    if kind == "delta":
        low, high = ratio_value * (1 - z * error) - 1, ratio_value * (1 + z * error) - 1
    else:
        low, high = math.exp(log - z * error) - 1, math.exp(log + z * error) - 1
    names = {"log": "log ratio", "pooled": "log ratio, pooled variance", "delta": "delta method"}
    return Estimate(
        value=ratio_value - 1,
        low=low,
        high=high,
        confidence=confidence,
        n=len(first) + len(second),
        method=f"ratio of means, {names[kind]}",
        assumptions=(RANDOM, CLOSED),
        p_value=float(2 * stats.norm.sf(abs(log) / error)),
        standard_error=ratio_value * error,
    )


def fieller(
    numerator: float,
    denominator: float,
    numerator_variance: float,
    denominator_variance: float,
    *,
    covariance: float = 0.0,
    confidence: float = CONFIDENCE,
    n: int = 0,
) -> Estimate | Refusal:
    """Interval of a ratio of two estimates, by Fieller's theorem.

    Parameters
    ----------
    numerator, denominator : float
        The estimates.
    numerator_variance, denominator_variance, covariance : float
        Of the estimates, not of the units.
    confidence : float
        Two-sided coverage.
    n : int
        Units behind the estimates.

    Returns
    -------
    Estimate or Refusal
        A refusal where the interval of the denominator holds 0: the ratio could be anything.

    References
    ----------
    .. [1] Fieller (1954), Journal of the Royal Statistical Society B 16(2), 175-185.

    Examples
    --------
    >>> fieller(3.0, 2.0, 0.09, 0.0).value, bool(fieller(3.0, 2.0, 0.09, 4.0))
    (1.5, False)
    """
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    squares = denominator**2 - z**2 * denominator_variance
    if squares <= 0:
        return Refusal("The denominator may be zero, so the ratio has no bounded interval.")
    products = numerator * denominator - z**2 * covariance
    inside = products**2 - squares * (numerator**2 - z**2 * numerator_variance)
    reach = math.sqrt(max(inside, 0.0))
    error = math.sqrt(max(numerator_variance, 0.0))
    return Estimate(
        value=numerator / denominator,
        low=(products - reach) / squares,
        high=(products + reach) / squares,
        confidence=confidence,
        n=n,
        method="ratio, Fieller's interval",
        p_value=float(2 * stats.norm.sf(abs(numerator) / error)) if error else math.nan,
    )


def no_spread(first: Floats, second: Floats) -> Refusal | None:
    """The sentence for arms within which nothing varies, or None.

    Examples
    --------
    >>> print(no_spread(np.array([5.0, 5.0]), np.array([3.0, 3.0])))
    Within each arm all units have the same value, so chance cannot be judged.
    """
    if np.ptp(first) > 0 or np.ptp(second) > 0:
        return None
    if first[0] == second[0]:
        return Refusal("All units have the same value: there is nothing to compare.")
    return Refusal("Within each arm all units have the same value, so chance cannot be judged.")


def as_units(values: ArrayLike) -> Floats:
    """Values as floats; a unit whose value is not known counts as nothing bought.

    Examples
    --------
    >>> as_units([1, None, 2.5]).tolist()
    [1.0, 0.0, 2.5]
    """
    return np.nan_to_num(np.asarray(values, float).ravel())


def _few_treated(treated: Floats, control: Floats) -> bool:
    """Whether treatment is the smaller arm and too few of it bought for Welch's interval.

    The pooled variance is no help there: it is that of control, and treatment spends more. With 1,000
    treated and 9,000 or 20,000 others, 50 to 75 of them buyers, the interval chosen by control held 91 to
    93 %; the wider of both holds 94 to 98 % (2,000 draws each, measured).
    """
    return len(treated) < len(control) and interval_for(treated, control) == "pooled"


def _reach(first: Floats, second: Floats, kind: str, confidence: float) -> float:
    """Width of an interval of the difference."""
    test = stats.ttest_ind(first, second, equal_var=kind == "pooled")
    ends = test.confidence_interval(confidence)
    return float(ends.high - ends.low)


def _pooled(first: Floats, second: Floats) -> float:
    """The variance within arms."""
    free = len(first) + len(second) - 2
    within = ((first - first.mean()) ** 2).sum() + ((second - second.mean()) ** 2).sum()
    return float(within) / free


def _error(first: Floats, second: Floats) -> float:
    return math.sqrt(
        float(first.var(ddof=1)) / len(first) + float(second.var(ddof=1)) / len(second)
    )
