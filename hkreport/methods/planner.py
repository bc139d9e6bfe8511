"""How large a test must be, before it starts: size, power and the smallest effect it can see.

Planned figures only: "observed power", worked out from a result, is the p-value in other words.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from scipy import optimize, stats

__all__ = [
    "ALPHA",
    "POWER",
    "ClusterPlan",
    "UserPlan",
    "clusters_plan",
    "first_enough",
    "power_of",
    "smallest_lift",
    "users_needed",
]

ALPHA = 0.05  # two-sided
POWER = 0.8


@dataclass(frozen=True, slots=True)
class UserPlan:
    """Sizes of a test whose units are users.

    Attributes
    ----------
    units, treated, control : int
        To assign, buyers or not.
    lift : float
        Relative lift that is found with probability `power`.
    power, alpha : float
    """

    units: int
    treated: int
    control: int
    lift: float
    power: float
    alpha: float


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """What a test with so many cities or campaigns can see.

    Attributes
    ----------
    treated, control : int
        Clusters in each arm.
    lift : float
        Smallest relative lift found with probability `power`.
    """

    treated: int
    control: int
    lift: float
    power: float
    alpha: float


def users_needed(
    mean: float,
    sd: float,
    lift: float,
    *,
    share: float = 0.5,
    power: float = POWER,
    alpha: float = ALPHA,
) -> UserPlan:
    """Users to assign so that a relative lift is found with the given power.

    Parameters
    ----------
    mean, sd : float
        Of revenue a user over the outcome window without the campaign, zeros included; the mean is
        above 0.
    lift : float
        Relative lift to find, not 0.
    share : float
        Share of users in treatment, strictly between 0 and 1.
    power, alpha : float
        Chance to find it, and two-sided chance of a false alarm.

    Notes
    -----
    Normal approximation of the difference of means with the same spread in both arms; at the sizes
    that revenue needs, it and the t distribution agree to a user in a thousand.

    Examples
    --------
    >>> plan = users_needed(100.0, 800.0, 0.1, share=0.8)
    >>> plan.units, plan.treated, plan.control
    (313956, 251165, 62791)
    """
    z = float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
    units = (z * sd / (mean * lift)) ** 2 / (share * (1 - share))
    whole = max(math.ceil(units), 4)
    treated = min(max(round(whole * share), 2), whole - 2)
    return UserPlan(whole, treated, whole - treated, abs(lift), power, alpha)


def smallest_lift(
    mean: float,
    sd: float,
    units: int,
    *,
    share: float = 0.5,
    power: float = POWER,
    alpha: float = ALPHA,
) -> float:
    """Smallest relative lift that so many users find with the given power (MDE).

    Examples
    --------
    >>> round(smallest_lift(100.0, 800.0, 313_956, share=0.8), 4)
    0.1
    """
    z = float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
    return z * sd / mean / math.sqrt(units * share * (1 - share))


def power_of(
    mean: float, sd: float, lift: float, units: int, *, share: float = 0.5, alpha: float = ALPHA
) -> float:
    """Planned chance that so many users find a relative lift.

    Examples
    --------
    >>> round(power_of(100.0, 800.0, 0.1, 313_956, share=0.8), 3)
    0.8
    """
    noise = sd / mean / math.sqrt(units * share * (1 - share))
    cut = float(stats.norm.ppf(1 - alpha / 2))
    return float(stats.norm.sf(cut - lift / noise) + stats.norm.cdf(-cut - lift / noise))


def clusters_plan(
    spread: float, treated: int, control: int, *, power: float = POWER, alpha: float = ALPHA
) -> ClusterPlan:
    """What a test by city or campaign can see.

    Parameters
    ----------
    spread : float
        Standard deviation over clusters of log(revenue in the window ÷ revenue before), without any
        treatment.
    treated, control : int
        Clusters in each arm, at least 2.
    power, alpha : float
        Chance to find the effect, and two-sided chance of a false alarm.

    Notes
    -----
    The test is a t with the smaller arm's clusters less one as degrees of freedom; its power is that
    of the non-central t.

    Examples
    --------
    >>> plan = clusters_plan(0.1, 4, 36)
    >>> f"{plan.lift:.1%}"
    '25.1%'
    """
    free = min(treated, control) - 1
    error = spread * math.sqrt(1 / treated + 1 / control)
    cut = float(stats.t.ppf(1 - alpha / 2, free))

    def short(shift: float) -> float:
        return float(stats.nct.sf(cut, free, shift)) - power

    shift = float(optimize.brentq(short, 0.0, 60.0 * cut)) if error > 0 else 0.0
    return ClusterPlan(treated, control, math.expm1(shift * error), power, alpha)


def first_enough(sizes: Iterable[tuple[int, float, float]]) -> int | None:
    """Shortest duration whose users suffice: of (weeks, needed, available), in order.

    Examples
    --------
    >>> first_enough([(2, 900, 500), (4, 480, 500)]), first_enough([(2, 900, 500)])
    (4, None)
    """
    return next((weeks for weeks, needed, available in sizes if needed <= available), None)
