"""Did a level change, and when? Do frequent posts sell less? Two questions about time.

Both are answered with an interval or refused; neither says why. Forecasts are another matter
(:mod:`hkreport.methods.forecast`).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hkreport.methods.estimate import Estimate, Refusal

__all__ = ["Break", "fatigue", "level_break"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Steps on each side of a break, at least and at most: further away other things have changed too.
LEAST_SIDE, MOST_SIDE = 6, 16

YEAR = 52  # weeks


@dataclass(frozen=True, slots=True)
class Break:
    """The one place where a series changed its level most.

    Attributes
    ----------
    at : int
        First step of the new level.
    change : Estimate
        New level ÷ old level − 1; its p-value allows for having looked everywhere.
    before, after : int
        Steps compared on each side.
    is_seasonal : bool
        Whether each step was held against the same step a year before.
    """

    at: int
    change: Estimate
    before: int
    after: int
    is_seasonal: bool


def level_break(values: Floats, first: int, *, confidence: float = 0.95) -> Break | Refusal:
    """Find the largest change of level of a weekly series from some step on.

    Parameters
    ----------
    values : array of float, shape (weeks,)
        Above 0; the whole history.
    first : int
        Earliest week at which a break is looked for.
    confidence : float
        Of the interval of the change.

    Notes
    -----
    Means of log values on both sides, each week less the same week a year before where the history
    allows (a year and a half). The standard error allows for the correlation of neighbouring weeks; the p-value is that of
    the largest of all candidate weeks by Bonferroni's inequality, so it is conservative.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> weekly = np.exp(rng.normal(0, 0.05, 40)) * np.where(np.arange(40) < 25, 100, 75)
    >>> found = level_break(weekly, 8)
    >>> found.at, round(found.change.value, 1), bool(found.change.p_value < 0.01)
    (25, -0.2, True)
    """
    from scipy import stats

    if not (values > 0).all():
        return Refusal("A week without any revenue: a change of level cannot be told from a gap.")
    logs = np.log(values)
    seasonal = len(values) >= YEAR + YEAR // 2
    shown, offset = (logs[YEAR:] - logs[:-YEAR], YEAR) if seasonal else (logs, 0)
    number = len(shown)
    places = range(max(first - offset, LEAST_SIDE), number - LEAST_SIDE + 1)
    if not places:
        return Refusal(f"{len(values)} weeks are too few to look for a change of level.")
    tried = []
    for place in places:
        left, right = shown[max(0, place - MOST_SIDE) : place], shown[place : place + MOST_SIDE]
        tried.append((*_t(left, right), place, len(left), len(right)))
    gap, error, freedom, place, before, after = max(tried, key=lambda each: abs(each[0]) / each[1])
    p_value = min(1.0, len(tried) * 2 * float(stats.t.sf(abs(gap) / error, freedom)))
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    change = Estimate(
        value=math.exp(gap) - 1,
        low=math.exp(gap - half) - 1,
        high=math.exp(gap + half) - 1,
        confidence=confidence,
        n=before + after,
        method="means of log values before and after, corrected for neighbouring weeks",
        assumptions=("Nothing else of the season changed from one year to the next.",),
        p_value=p_value,
    )
    return Break(place + offset, change, before, after, seasonal)


def _t(left: Floats, right: Floats) -> tuple[float, float, float]:
    """Difference of means, its standard error allowing for neighbours, and degrees of freedom."""
    rests = np.concatenate([left - left.mean(), right - right.mean()])
    number = len(rests)
    variance = float((rests**2).sum()) / (number - 2)
    along = np.concatenate([rests[: len(left)][:-1] * rests[: len(left)][1:],
                            rests[len(left) :][:-1] * rests[len(left) :][1:]])  # fmt: skip
    # The lag-one correlation of residuals about a mean is too low by about 1 ÷ length.
    rho = float(along.sum() / max((rests**2).sum(), 1e-300)) + 2 / number
    rho = min(max(rho, 0.0), 0.8)
    worth = (1 - rho) / (1 + rho)
    error = math.sqrt(variance * (1 / len(left) + 1 / len(right)) / worth)
    return float(right.mean() - left.mean()), max(error, 1e-12), max(2.0, (number - 2) * worth)


def fatigue(
    who: Ints,
    orders: Floats,
    reach: Floats,
    posts: Floats,
    *,
    confidence: float = 0.95,
    least_influencers: int = 30,
) -> Estimate | Refusal:
    """By how much each further post in a month lowers what people reached order.

    Parameters
    ----------
    who : array of int
        Influencer of each month, from 0.
    orders, reach, posts : array of float
        Of each month; months without posts are left out by the caller.

    Returns
    -------
    Estimate or Refusal
        Change of orders for each person reached with one more post in the month: −0.08 is 8 % less.

    Notes
    -----
    Within influencers (their level falls out): orders of a month are Poisson with mean reach ×
    exp(slope × posts), given the influencer's total. Jackknife over influencers, t.

    Examples
    --------
    >>> rng = np.random.default_rng(5)
    >>> who, posts = np.repeat(np.arange(200), 12), rng.integers(1, 6, 2400).astype(float)
    >>> orders = rng.poisson(8 * posts * 0.9**posts).astype(float)
    >>> found = fatigue(who, orders, posts * 1000, posts)
    >>> bool(found.low < -0.1 < found.high)
    True
    """
    from scipy import stats

    usable = reach > 0
    who, orders, reach, posts = (
        who[usable],
        np.maximum(orders[usable], 0),
        reach[usable],
        posts[usable],
    )
    if not len(who):
        return Refusal("No post with known reach: fatigue cannot be read.")
    number = int(who.max()) + 1
    sold = np.bincount(who, orders, minlength=number)
    slope = 0.0
    for _ in range(30):
        weight = reach * np.exp(np.clip(slope * (posts - posts.mean()), -20, 20))
        share = weight / np.bincount(who, weight, minlength=number)[who]
        mean = np.bincount(who, share * posts, minlength=number)
        score = np.bincount(who, orders * (posts - mean[who]), minlength=number)
        bread = sold * np.bincount(who, share * (posts - mean[who]) ** 2, minlength=number)
        if not bread.sum() > 0:
            return Refusal("Influencers post as often in every month: fatigue cannot be read.")
        step = float(score.sum() / bread.sum())
        slope += min(max(step, -0.5), 0.5)
        if abs(step) < 1e-10:
            break
    informative = int((bread > 0).sum())
    if informative < least_influencers:
        return Refusal(
            f"{informative} influencers posted unevenly; {least_influencers} are needed."
        )
    # One step of Newton without an influencer, from the optimum: her part in the slope.
    part = score / np.maximum(bread.sum() - bread, 1e-9 * bread.sum())
    error = math.sqrt(number / (number - 1) * float(((part - part.mean()) ** 2).sum()))
    freedom = max(2.0, float(bread.sum() ** 2 / (bread**2).sum()) - 1)
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return Estimate(
        value=math.exp(slope) - 1,
        low=math.exp(slope - half) - 1,
        high=math.exp(slope + half) - 1,
        confidence=confidence,
        n=informative,
        method="Poisson regression within influencers, jackknife",
        assumptions=("Months with more posts were not worse months for another reason.",),
        p_value=2 * float(stats.t.sf(abs(slope) / error, freedom)),
    )
