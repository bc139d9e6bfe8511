"""Did a level change, and when? Do frequent posts sell less? Two questions about time.

Both are answered with an interval or refused; neither says why. Forecasts are another matter
(:mod:`hkreport.methods.forecast`).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hkreport.methods.estimate import Estimate, Refusal

__all__ = ["DATED", "Break", "Sales", "fatigue", "level_break"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Steps on each side of a break, at least and at most: further away other things have changed too.
LEAST_SIDE, MOST_SIDE = 6, 16

YEAR = 52  # weeks

# By how much a step must beat every course without one, on the Bayesian criterion (BIC): positive evidence.
CLEARLY = 3.0

# Steps that either end of a course keeps beyond its bend.
BEND = 3

# Coverage of the interval of dates of a break.
DATED = 0.9

# Days before a post in which an influencer's other posts tire her followers.
TIRED_DAYS = 28

# Weeks in which the orders of a post arrive; what comes later is too little to see.
LATE_WEEKS = 3

# Weeks of one influencer and brand that are read; of more, every so many influencers.
MOST_STEPS = 200_000


@dataclass(frozen=True, slots=True)
class Break:
    """The one place where a series changed its level most.

    Attributes
    ----------
    at : int
        First step of the new level: the most likely one.
    first, last : int
        Interval of that step, with a coverage of :data:`DATED`.
    change : Estimate
        New level ÷ old level − 1; its p-value allows for having looked everywhere.
    before, after : int
        Steps compared on each side.
    is_seasonal : bool
        Whether each step was held against the same step a year before.
    is_step : bool
        Whether a step fits clearly better than any course without one: else it may have come bit by bit.
    """

    at: int
    first: int
    last: int
    change: Estimate
    before: int
    after: int
    is_seasonal: bool
    is_step: bool


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
    allows (a year and a half). The standard error allows for the correlation of neighbouring weeks; the
    p-value is that of the largest of all candidate weeks by Bonferroni's inequality, so it is
    conservative. The week itself is where one step fits the weeks around best by least squares, with the
    interval of Bai [1]_: a change as large as the noise of a week is dated to within about ten weeks.
    Steady growth has two different halves as well, and so has a season of which less than a year and a half
    is known: unless a step fits clearly better than a straight line, a wave of a year or both (by 3 on the
    Bayesian criterion), nothing speaks for a break and the p-value is 1. Of series of 30 to 77 weeks, noise
    5 %, that grow by 1 % a week, 1 to 2 % have a break of 10 % or more at p = 0.01 (3 to 5 where a step had to
    fit no more than better); with a season of 20 %, none; with one of 10 %, or of 20 % at a noise of 10 %, 3 to
    7 % (9 to 18). Of steps by 25 % it finds 99 to 100 %, at a noise of 10 % 79 to 82 (83 to 91; 250 series each,
    measured). A season hides a step: beside one of 20 %, steps by 25 % are found in a tenth to a third of such
    short series. Held against the year before, steady growth and seasons are level by themselves, and growth
    that slows down is a line with a bend: the weeks after it are lower against that year, but that is no step
    unless it fits clearly better. Of 80, 104 and 156 weeks, noise 5 %, that grow by 1 to 3 % a week and then
    stand still, 1 to 6 % are called steps (18 to 48 where nothing had to be beaten); of steps by 25 % 95 to 98
    are, at a noise of 10 % half of those that are found (82; 250 series each).

    References
    ----------
    .. [1] Bai (1997), "Estimation of a Change Point in Multiple Regression Models", Review of Economics
       and Statistics 79(4), 551-563.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> weekly = np.exp(rng.normal(0, 0.05, 40)) * np.where(np.arange(40) < 25, 100, 75)
    >>> found = level_break(weekly, 8)
    >>> found.at, round(found.change.value, 1), bool(found.change.p_value < 0.01)
    (25, -0.2, True)
    >>> found.first, found.last
    (24, 26)
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
    tried = {
        place: _t(shown[max(0, place - MOST_SIDE) : place], shown[place : place + MOST_SIDE])
        for place in places
    }
    clearest = max(tried, key=lambda each: abs(tried[each][0]) / tried[each][1])
    gap, error, freedom = tried[clearest]
    p_value = min(1.0, len(tried) * 2 * float(stats.t.sf(abs(gap) / error, freedom)))
    # The clearest week is not the likeliest one: chance makes a part of the weeks look calm.
    low, high = max(0, clearest - MOST_SIDE), min(number, clearest + MOST_SIDE)
    place = min(
        (each for each in places if low + LEAST_SIDE <= each <= high - LEAST_SIDE),
        key=lambda each: _unexplained(shown[low:each], shown[each:high]),
        default=clearest,
    )
    before, after = place - low, high - place
    # A step has two parameters, since its week was looked for.
    step = _worth(_unexplained(shown[low:place], shown[place:high]), 2, high - low)
    is_step = _smooth(shown[low:high], seasonal) >= step * math.exp(CLEARLY / (high - low))
    if not seasonal and not is_step:
        p_value = 1.0
    gap, error, freedom = _t(shown[low:place], shown[place:high])
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    change = Estimate(
        value=math.exp(gap) - 1,
        low=math.exp(gap - half) - 1,
        high=math.exp(gap + half) - 1,
        confidence=confidence,
        n=before + after,
        method="means of log values before and after, corrected for neighbouring weeks",
        assumptions=(
            "Nothing else of the season changed from one year to the next."
            if seasonal
            else "No season moved these weeks as a step would.",
        ),
        p_value=p_value,
    )
    reach = _steps_of_doubt(gap, error, before, after)
    return Break(
        at=place + offset,
        first=max(place - reach, 1) + offset,
        last=min(place + reach, number - 1) + offset,
        change=change,
        before=before,
        after=after,
        is_seasonal=seasonal,
        is_step=is_step,
    )


def _unexplained(left: Floats, right: Floats) -> float:
    return float(((left - left.mean()) ** 2).sum() + ((right - right.mean()) ** 2).sum())


def _smooth(values: Floats, seasonal: bool) -> float:
    """How well courses without a step fit at best: a straight line, a wave of a year, or both.

    Held against the year before there is no wave, and growth that slows down is a line with a bend.
    """
    time = np.arange(len(values)) - (len(values) - 1) / 2
    turn = 2 * np.pi * time / YEAR
    line, wave = [time], [np.cos(turn), np.sin(turn)]
    # Courses with their parameters: a bend has a place as well.
    courses = [(line, 1), (wave, 2), (line + wave, 3)]
    if seasonal:
        bends = ([time, np.maximum(time - bend, 0.0)] for bend in time[BEND:-BEND])
        courses = [(line, 1), *((bent, 3) for bent in bends)]
    found = []
    for course, parameters in courses:
        design = np.stack([np.ones(len(time)), *course], axis=1)
        rests = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
        found.append(_worth(float(rests @ rests), parameters, len(values)))
    return min(found)


def _worth(unexplained: float, parameters: int, number: int) -> float:
    """What is left unexplained, dearer by the Bayesian criterion for every parameter beside the mean."""
    return unexplained * float(number ** (parameters / number))


def _steps_of_doubt(gap: float, error: float, before: int, after: int) -> int:
    """How many steps on either side a break may lie from where it fits best."""
    from scipy import optimize, stats

    def share(scaled: float) -> float:
        """Distribution of where a two-sided random walk that falls by half a step a step is highest."""
        root = math.sqrt(scaled)
        tail = 1.5 * math.exp(scaled + float(stats.norm.logcdf(-1.5 * root)))
        middle = 0.5 * (scaled + 5) * float(stats.norm.cdf(-root / 2))
        return 1 + root / math.sqrt(2 * math.pi) * math.exp(-scaled / 8) - middle + tail

    scaled = float(optimize.brentq(lambda at: share(at) - (1 + DATED) / 2, 1e-9, 100))
    # Variance of one step, neighbours allowed for, out of the error of the difference of two means.
    variance = error**2 / (1 / before + 1 / after)
    return math.floor(min(scaled * variance / max(gap**2, 1e-12), 1e6)) + 1


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


@dataclass(frozen=True, slots=True)
class Sales:
    """Posts, and the orders credited to those who posted; one entry a post, and one a day with orders.

    Attributes
    ----------
    person : array of int
        Who posted, from 0.
    unit : array of int
        Person and brand, from 0: people sell more of one brand than of another.
    day : array of int
        Of the post, from 0.
    reach : array of float
        People reached, above 0.
    crowd : array of float
        Log of how much was published beside it: the reach that all posts of its cell and week usually
        have.
    sold_unit, sold_day : array of int
        As `unit` and `day`, of the orders.
    orders : array of float
        How many.
    """

    person: Ints
    unit: Ints
    day: Ints
    reach: Floats
    crowd: Floats
    sold_unit: Ints
    sold_day: Ints
    orders: Floats

    @property
    def earlier(self) -> Floats:
        """Each post's own posts of the four weeks before it; those of the same day count half."""
        order = np.lexsort((self.day, self.person))
        stride = int(self.day.max()) + 2 * TIRED_DAYS
        key = (self.person * stride + self.day + TIRED_DAYS)[order]
        start = np.searchsorted(key, key - TIRED_DAYS, side="left")
        same = np.searchsorted(key, key, side="left")
        end = np.searchsorted(key, key, side="right")
        found = np.empty(len(key))
        found[order] = same - start + (end - same - 1) / 2
        return found


def fatigue(
    sales: Sales,
    *,
    half_life_hours: float = 48.0,
    confidence: float = 0.95,
    least_influencers: int = 30,
) -> Estimate | Refusal:
    """By how much each own post of the four weeks before lowers what people reached by a post order.

    Parameters
    ----------
    sales : Sales
    half_life_hours : float
        In which half of a post's remaining orders arrive.
    confidence : float
    least_influencers : int
        Who must have posted unevenly.

    Returns
    -------
    Estimate or Refusal
        Change of orders for each person reached with one more earlier post: −0.08 is 8 % less.

    Notes
    -----
    A post's orders come over some weeks, so people reached are spread over them. Orders of an influencer
    and brand in a week are Poisson with mean level × reach^a × crowd^b × season × exp(slope × earlier
    posts), given their total, so that the level falls out; `earlier` is the mean over the posts that the
    week's orders come from. The powers take up what other posts saturate; the season is one of each four
    weeks. Orders with a code that follow no post make fatigue look smaller, by a third where they are
    a quarter of all. Jackknife over influencers, with the t distribution of as many as decide the slope.

    Examples
    --------
    >>> rng = np.random.default_rng(5)
    >>> person, day = rng.integers(0, 150, 4000), rng.integers(0, 360, 4000)
    >>> posts = Sales(person, person, day, np.full(4000, 1e4), np.zeros(4000), person, day, np.ones(4000))
    >>> orders = rng.poisson(3 * 0.9 ** posts.earlier).astype(float)
    >>> later = (day + 0.5 + rng.exponential(2.9, 4000)).astype(int)
    >>> posts = Sales(person, person, day, posts.reach, posts.crowd, person, later, orders)
    >>> found = fatigue(posts)
    >>> bool(found.low < -0.1 < found.high < 0)
    True
    """
    from scipy import stats

    if not len(sales.day) or not sales.orders.sum() > 0:
        return Refusal("No post with known reach: fatigue cannot be read.")
    unit, orders, base, about, people = _steps(sales, half_life_hours)
    slope, score, bread = _slope(unit, orders, base, about, people)
    if not bread.sum() > 1e-9 * orders.sum():
        return Refusal("Influencers post as often at all times: fatigue cannot be read.")
    informative = int((bread > 0).sum())
    if informative < least_influencers:
        return Refusal(
            f"{informative} influencers posted unevenly; {least_influencers} are needed."
        )
    # One step of Newton without an influencer, from the optimum: her part in the slope.
    part = score / np.maximum(bread.sum() - bread, 1e-9 * bread.sum())
    number = len(part)
    error = math.sqrt(number / (number - 1) * float(((part - part.mean()) ** 2).sum()))
    freedom = max(2.0, float(bread.sum() ** 2 / (bread**2).sum()) - 1)
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return Estimate(
        value=math.exp(slope) - 1,
        low=math.exp(slope - half) - 1,
        high=math.exp(slope + half) - 1,
        confidence=confidence,
        n=informative,
        method="Poisson regression within influencers and four weeks, jackknife over influencers",
        assumptions=(
            "Who posts often in a month does not do so because it sells less, or more, anyway.",
        ),
        p_value=2 * float(stats.t.sf(abs(slope) / max(error, 1e-300), freedom)),
    )


def _steps(sales: Sales, half_life_hours: float) -> tuple[Ints, Floats, Floats, Floats, Ints]:
    """Weeks of every unit in which orders of its posts arrive.

    Gives the unit, orders, log of people reached, what is asked about (earlier posts first, then crowd,
    reach and four weeks), and the person of each.
    """
    every = max(1, math.ceil(LATE_WEEKS * len(sales.day) / MOST_STEPS))
    mine = sales.person % every == 0
    unit, day, reach = sales.unit[mine], sales.day[mine], sales.reach[mine]
    asked = np.stack([np.ones(len(day)), sales.earlier[mine], sales.crowd[mine]])
    # Posts come at noon; by then so much of their first week is left.
    left = 6.5 - day % 7
    done = [1 - 2.0 ** (-np.maximum(left + 7 * late, 0) * 24 / half_life_hours) for late in range(LATE_WEEKS)]  # fmt: skip
    shares = [done[0], *(done[late] - done[late - 1] for late in range(1, LATE_WEEKS))]
    stride = int(max(sales.day.max(), sales.sold_day.max())) // 7 + LATE_WEEKS + 1
    key = np.concatenate([unit * stride + day // 7 + late for late in range(LATE_WEEKS)])
    steps, place = np.unique(key, return_inverse=True)
    weight = np.concatenate([share * reach for share in shares])
    sums = [np.bincount(place, weight * np.tile(values, LATE_WEEKS)) for values in asked]
    reached, earlier, crowd = sums[0], sums[1] / sums[0], sums[2] / sums[0]
    sold = sales.sold_unit * stride + sales.sold_day // 7
    found = np.minimum(np.searchsorted(steps, sold), len(steps) - 1)
    there = steps[found] == sold
    orders = np.bincount(found[there], sales.orders[there], minlength=len(steps))
    month = steps % stride // 4
    base = np.log(reached)
    columns = [earlier, crowd, base, *((month == each) * 1.0 for each in np.unique(month)[1:])]
    owner = np.zeros(int(sales.unit.max()) + 1, np.int64)
    owner[sales.unit] = sales.person
    whose = steps // stride
    return whose, np.maximum(orders, 0.0), base, np.stack(columns, axis=1), owner[whose]


def _slope(
    unit: Ints, orders: Floats, base: Floats, about: Floats, people: Ints
) -> tuple[float, Floats, Floats]:
    """The first column's slope, and each person's score and information about it, the others fitted."""
    _, unit = np.unique(unit, return_inverse=True)
    number = int(unit.max()) + 1
    first = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
    sold = np.bincount(unit, orders, minlength=number)
    about = about - about.mean(axis=0)
    slopes = np.zeros(about.shape[1])
    for _ in range(25):
        log_mean = base + about @ slopes
        weight = np.exp(log_mean - np.maximum.reduceat(log_mean, first)[unit])
        share = weight / np.add.reduceat(weight, first)[unit]
        away = about - np.add.reduceat(share[:, None] * about, first)[unit]
        mean = sold[unit] * share
        bread = away.T @ (mean[:, None] * away)
        step = np.linalg.lstsq(bread, away.T @ (orders - mean), rcond=1e-10)[0]
        slopes += np.clip(step, -0.5, 0.5)
        if np.abs(step).max() < 1e-7:
            break
    # What of the first column the others do not tell.
    rest = np.linalg.lstsq(bread[1:, 1:], bread[1:, 0], rcond=1e-10)[0]
    own = away[:, 0] - away[:, 1:] @ rest
    found = np.unique(people, return_inverse=True)[1]
    score: Floats = np.bincount(found, (orders - mean) * own).astype(float)
    bread_of: Floats = np.bincount(found, mean * own**2).astype(float)
    return float(slopes[0]), score, bread_of
