"""Intervals for tests that are looked at while they run.

An ordinary interval that is looked at every day leaves the truth out far more often than it says. This
one holds at all looks together, and is wider for it: an asymptotic confidence sequence [1]_.
"""

import math

from numpy.typing import ArrayLike
from scipy import special

from hkreport.methods.estimate import Estimate, Refusal
from hkreport.methods.experiment import FEWEST_BUYERS, too_few_buyers
from hkreport.methods.means import CLOSED, CONFIDENCE, RANDOM, as_units, no_spread

__all__ = ["FEWEST_CONTROL_BUYERS", "always_valid"]

FEWEST_CONTROL_BUYERS = 150  # before that the normal approximation behind it does not hold


def always_valid(
    treated: ArrayLike, control: ArrayLike, *, planned: int, confidence: float = CONFIDENCE
) -> Estimate | Refusal:
    """Difference of means with an interval that holds however often one looks.

    Parameters
    ----------
    treated, control : array
        Outcome of the units *whose window is closed* so far, zeros included.
    planned : int
        Units planned for both arms together; the interval is tightest there, and valid at any size.
    confidence : float
        That the interval covers the truth at all looks together.

    Returns
    -------
    Estimate or Refusal
        A refusal until 150 buyers stand in control and 30 in treatment, or where nothing varies.

    References
    ----------
    .. [1] Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), "Time-uniform central limit theory
       and asymptotic confidence sequences", Annals of Statistics 52(6), 2613-2640: theorem 2.2. The
       boundary is tightest at size t for ``t ρ² = s`` with ``s − log(1 + s) = −2 log α``.

    Examples
    --------
    >>> arm = [0.0] * 900 + [10.0, 30.0] * 100
    >>> found = always_valid(arm, arm, planned=4000)
    >>> found.value, round(found.high, 2)
    (0.0, 1.15)
    """
    first, second = (as_units(arm) for arm in (treated, control))
    bought = [int((arm != 0).sum()) for arm in (first, second)]
    if bought[0] < FEWEST_BUYERS or bought[1] < FEWEST_CONTROL_BUYERS:
        refused = too_few_buyers(first, second, is_open=True)
        assert refused is not None  # an open test is always refused there
        return refused
    same = no_spread(first, second)
    if same is not None:
        return same
    alpha = 1 - confidence
    seen = len(first) + len(second)
    tuning = _tuning(max(planned, seen), alpha)
    value = float(first.mean() - second.mean())
    error = math.sqrt(
        float(first.var(ddof=1)) / len(first) + float(second.var(ddof=1)) / len(second)
    )
    scaled = seen * tuning**2
    reach = error * math.sqrt(2 * (scaled + 1) / scaled * math.log(math.sqrt(scaled + 1) / alpha))
    return Estimate(
        value=value,
        low=value - reach,
        high=value + reach,
        confidence=confidence,
        n=seen,
        method="difference of means, asymptotic confidence sequence (valid at every look)",
        assumptions=(RANDOM, CLOSED),
        standard_error=error,
    )


def _tuning(units: int, alpha: float) -> float:
    """The mixture's parameter that makes the sequence tightest at so many units."""
    branch = float(special.lambertw(-(alpha**2) / math.e, -1).real)
    return math.sqrt((-branch - 1) / units)
