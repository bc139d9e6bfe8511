"""Do lists, plans and forecasts keep their word? What a report says, scored against known truth.

As in :mod:`hkreport.evidence.calibration`, data sets go straight from the simulator's posts to the frames
that the estimators take. What a move of money really brings is worked out without chance: planned reach
grows with fees, and the more is posted in a week, the less each post sells.
"""

import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hkreport.evidence import calibration
from hkreport.evidence.calibration import START
from hkreport.methods import budget, changes, shrinkage
from hkreport.methods.estimate import Refusal
from hkreport.params import BudgetRules
from hkreport.simulate import posts as publishing
from hkreport.simulate import settings as simulation
from hkreport.simulate import trials, world

__all__ = ["Foretold", "Moved", "Tired", "TopFive", "forecasts", "moves", "tiredness", "top_five"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NAN = math.nan

# Beyond Poisson, a post's orders are negative binomial: one over the size that the simulator has.
CONFIDENCE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class TopFive:
    """The five influencers that a ranking puts first: what it says of them, and the truth.

    Attributes
    ----------
    seed : int
    raw, raw_true : float
        Mean raw ROAS of the five highest, and their true mean.
    shrunk, shrunk_true : float
        The same by shrunk ROAS.
    low, high : float
        Mean ends of their intervals.
    coverage : float
        Share of all influencers whose interval holds the truth.
    """

    seed: int
    raw: float
    raw_true: float
    shrunk: float
    shrunk_true: float
    low: float
    high: float
    coverage: float


def top_five(
    runs: int, seed: int, *, scenario: str = "default", influencers: int = 400, days: int = 91
) -> Iterator[TopFive]:
    """Rank influencers in simulated quarters by raw and by shrunk ROAS.

    Examples
    --------
    >>> made = next(top_five(1, 1, influencers=300))
    >>> made.raw > made.shrunk, made.low < made.shrunk_true < made.high
    (True, True)
    """
    known = simulation.load()
    noise = 1 / known.effects.post_dispersion
    for number in range(seed, seed + runs):
        data = calibration.frames(
            number, scenario, influencers=influencers, days=days, settings=known
        )
        people = data.influencers[data.influencers["spend"] > 0]
        spend, revenue = people["spend"].to_numpy(float), people["revenue"].to_numpy(float)
        made = shrinkage.shrink(
            people["orders"].to_numpy(float),
            revenue,
            spend,
            (people["tier"] + "|" + people["platform"]).tolist(),
            confidence=CONFIDENCE,
            noise=noise / people["posts"].to_numpy(float),
        )
        if isinstance(made, Refusal):
            continue
        true = data.quality.set_index("influencer_id")["roas"]
        truth = true.reindex(people["influencer_id"]).to_numpy(float)
        first, best = np.argsort(-revenue / spend)[:5], np.argsort(-made.roas)[:5]
        yield TopFive(
            seed=number,
            raw=float((revenue / spend)[first].mean()),
            raw_true=float(truth[first].mean()),
            shrunk=float(made.roas[best].mean()),
            shrunk_true=float(truth[best].mean()),
            low=float(made.low[best].mean()),
            high=float(made.high[best].mean()),
            coverage=float(((made.low <= truth) & (truth <= made.high)).mean()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A move of a brand's fixed fees: what was promised, and what it really brings; rupees a week.

    Attributes
    ----------
    seed : int
    is_recommended : bool
    revenue : float
        Weekly revenue of the cells today, true.
    promised : float
        By the optimiser alone.
    gain, low, high : float
        Less the luck of the best, with the interval; `low` decides.
    true_gain : float
        Of those who are paid fees, in the weeks that the move is anchored at.
    best_gain : float
        Of the best move within the same limits, by the true levels and elasticities: the regret of a
        recommended move is the difference.
    """

    seed: int
    is_recommended: bool
    revenue: float
    promised: float
    gain: float
    low: float
    high: float
    true_gain: float
    best_gain: float


def moves(
    runs: int,
    seed: int,
    *,
    brand: int = 0,
    scenario: str = "default",
    influencers: int = 400,
    weeks: int = 104,
    rules: BudgetRules | None = None,
) -> Iterator[Moved]:
    """Plan the fixed fees of one brand in simulated years, and work out what the plan brings.

    Parameters
    ----------
    runs, seed : int
        Data sets, and the seed of the first.
    brand : int
        Which brand of the simulation, from 0.
    scenario : str
    influencers, weeks : int
        Size of each data set; the last thirteen weeks are today.
    rules : BudgetRules, optional
        Those of the project's params otherwise.

    Yields
    ------
    Moved
        Nothing for data sets in which no two cells qualify.
    """
    from hkreport import params

    known, chosen = simulation.load(), rules or params.load().budget
    for number in range(seed, seed + runs):
        made = _Year.of(known, number, scenario, influencers, weeks, brand)
        found = made.planned(chosen)
        if found is not None:
            yield found


@dataclass(frozen=True, slots=True)
class _Year:
    """Posts of a simulated brand, and the weekly fees and revenue of cells of influencers on fees."""

    seed: int
    stage: world.World
    posts: publishing.Posts
    brand: int
    cell: NDArray[np.int64]  # of each post, by its influencer
    week: NDArray[np.int64]
    is_fixed: NDArray[np.bool_]
    worth: Floats  # expected credited revenue of each post
    fees: Floats
    bought: Floats  # posts at the cell's usual fee
    revenue: Floats

    @classmethod
    def of(
        cls,
        known: simulation.Settings,
        seed: int,
        scenario: str,
        influencers: int,
        weeks: int,
        brand: int,
    ) -> "_Year":
        scale = influencers / known.influencers.number
        stage = world.build(
            known,
            seed=seed,
            scale=scale,
            scenario=scenario,
            start=START,
            days=7 * weeks,
        )
        made = publishing.publish(stage, trials.plan(stage))
        panel, tiers = stage.influencers, len(stage.tiers)
        who = made.influencer
        cell = panel.platform[who] * tiers + panel.tier[who]
        week = np.minimum(made.day // 7, weeks - 1)
        is_fixed = (panel.basis[who] == 0) & (made.brand == brand)
        about = list(known.brands.values())[brand]
        basket = about.basket_median * np.exp(about.basket_sd**2 / 2)
        credited = known.effects.tracked + panel.poaching[who]
        worth = made.expected * credited * basket * stage.rules.pull[made.product]
        size = len(stage.platforms) * tiers * weeks
        shape = (len(stage.platforms) * tiers, weeks)
        place = (cell * weeks + week)[is_fixed]
        fees: Floats = np.bincount(place, made.fee[is_fixed] / 100.0, minlength=size).astype(float)
        rng = np.random.default_rng([seed, 2])
        post, day = _arrived(rng, stage, made, leaked=True)
        arrived = day[is_fixed[post]] // 7
        post = post[is_fixed[post]]
        value = about.basket_median * np.exp(about.basket_sd * rng.standard_normal(len(post)))
        value = value * stage.rules.pull[made.product[post]]
        sold: Floats = np.bincount(cell[post] * weeks + arrived, value, minlength=size).astype(
            float
        )
        fees = fees.reshape(shape)
        counts = np.bincount(place, minlength=size).reshape(shape).astype(float)
        price = fees.sum(axis=1) / np.maximum(counts.sum(axis=1), 1.0)
        bought, revenue = counts * price[:, None], sold.reshape(shape)
        return cls(seed, stage, made, brand, cell, week, is_fixed, worth, fees, bought, revenue)

    def planned(self, rules: BudgetRules) -> Moved | None:
        """The plan for the last quarter, scored."""
        carry = budget.carry_over(rules.half_life_hours)
        curves = budget.fit(self.bought, self.revenue, carry)
        today, sold = self.fees[:, -13:].mean(axis=1), self.revenue[:, -13:].mean(axis=1)
        chosen = (curves.beta_error <= rules.most_beta_error) & (today > 0) & (sold > 0)
        chosen &= curves.variation >= rules.least_variation
        if chosen.sum() < 2:
            return None
        made = budget.move(
            self.bought[chosen],
            self.revenue[chosen],
            carry,
            budget.fit(self.bought[chosen], self.revenue[chosen], carry),
            today[chosen],
            sold[chosen],
            most_move=rules.most_move,
            confidence=rules.confidence,
            rng=np.random.default_rng(rules.seed),
        )
        factor = np.ones(len(today))
        factor[chosen] = made.after / made.before
        best = np.ones(len(today))
        best[chosen] = self._best(made.before, chosen, rules.most_move)
        revenue, gain = self._true(factor)
        return Moved(
            seed=self.seed,
            is_recommended=made.is_recommended,
            revenue=revenue,
            promised=made.promised,
            gain=made.gain.value,
            low=made.gain.low,
            high=made.gain.high,
            true_gain=gain,
            best_gain=self._true(best)[1],
        )

    def _true(self, factor: Floats) -> tuple[float, float]:
        """Weekly revenue of the last quarter without chance, and what fees times a factor add to it."""
        stage, posts = self.stage, self.posts
        tiers = len(stage.tiers)
        scaled = np.where(self.is_fixed, factor[self.cell], 1.0)
        # Posts compete with all others of their network and tier in the week.
        where = posts.platform * tiers + stage.influencers.tier[posts.influencer]
        key = where * self.fees.shape[1] + self.week
        mine = posts.brand == self.brand
        before = np.bincount(key[mine], posts.planned[mine], minlength=self.fees.size)
        after = np.bincount(key[mine], (posts.planned * scaled)[mine], minlength=self.fees.size)
        growth = np.divide(after, before, out=np.ones_like(after), where=before > 0)
        power = stage.rules.elasticity[posts.platform] - 1
        now = self.is_fixed & (self.week >= self.fees.shape[1] - 13)
        sold = self.worth * scaled * growth[key] ** power
        return float(self.worth[now].sum()) / 13, float((sold - self.worth)[now].sum()) / 13

    def _best(self, before: Floats, chosen: NDArray[np.bool_], most_move: float) -> Floats:
        """Factors of the best move by true levels, with each cell's true marginal elasticity."""
        now = self.is_fixed & (self.week >= self.fees.shape[1] - 13)
        cells = len(self.fees)
        level = np.bincount(self.cell[now], self.worth[now], minlength=cells)[chosen] / 13
        slopes = []
        for cell in np.flatnonzero(chosen):
            factor = np.ones(cells)
            factor[cell] = 1.01
            slopes.append(self._true(factor)[1] / 0.01)
        beta = np.clip(np.array(slopes) / np.maximum(level, 1e-9), 0.05, 0.95)
        return budget.allocate(before, level, beta, most_move=most_move) / before


@dataclass(frozen=True, slots=True, kw_only=True)
class Tired:
    """What was read of fatigue in one data set.

    Attributes
    ----------
    seed : int
    value, low, high, p_value : float
        Change of orders with one more earlier post; NaN where refused.
    truth : float
    """

    seed: int
    value: float
    low: float
    high: float
    p_value: float
    truth: float


def tiredness(
    runs: int, seed: int, *, scenario: str = "planted", scale: float = 0.06, weeks: int = 104
) -> Iterator[Tired]:
    """Read creative fatigue in simulated exports of the size of the sample, all brands together."""
    known = simulation.load()
    planted = known.scenarios.planted
    truth = planted.fatigue - 1 if scenario == "planted" else 0.0
    for number in range(seed, seed + runs):
        stage = world.build(
            known, seed=number, scale=scale, scenario=scenario, start=START, days=7 * weeks
        )
        made = publishing.publish(stage, trials.plan(stage))
        found = changes.fatigue(_sales(stage, made), half_life_hours=known.posts.half_life_hours)
        if isinstance(found, Refusal):
            yield Tired(seed=number, value=NAN, low=NAN, high=NAN, p_value=NAN, truth=truth)
        else:
            yield Tired(
                seed=number,
                value=found.value,
                low=found.low,
                high=found.high,
                p_value=found.p_value,
                truth=truth,
            )


def _sales(stage: world.World, made: publishing.Posts) -> changes.Sales:
    """Posts and credited orders of a simulation, as :mod:`hkreport.insights.movements` reads exports."""
    rng = np.random.default_rng([stage.seed, 3])
    who, brands = made.influencer, len(stage.brands)
    post, day = _arrived(rng, stage, made, leaked=True)
    number = len(stage.influencers)
    posts = np.maximum(np.bincount(who, minlength=number), 1)
    usual = np.bincount(who, made.reach, minlength=number) / posts
    cell = (made.brand * len(stage.platforms) + made.platform) * len(stage.tiers)
    week = made.day // 7
    cell = (cell + stage.influencers.tier[who]) * (int(week.max()) + 1) + week
    unit = who * brands + made.brand
    return changes.Sales(
        person=who,
        unit=unit,
        day=made.day,
        reach=made.reach,
        crowd=np.log(np.bincount(cell, usual[who])[cell]),
        sold_unit=unit[post],
        sold_day=day,
        orders=np.ones(len(post)),
    )


def _arrived(
    rng: np.random.Generator, stage: world.World, made: publishing.Posts, *, leaked: bool
) -> tuple[Ints, Ints]:
    """Post and day of each order with a code (`leaked`: those of people who would have bought anyway, too)."""
    effects = stage.settings.effects
    luck = rng.gamma(effects.post_dispersion, 1 / effects.post_dispersion, len(made))
    orders = rng.poisson(made.expected * luck * (effects.tracked if leaked else 1.0))
    if leaked:
        orders = orders + rng.poisson(made.expected * stage.influencers.poaching[made.influencer])
    post = np.repeat(np.arange(len(made)), orders)
    half_life = stage.settings.posts.half_life_hours
    hours = -half_life * np.log2(1 - rng.random(len(post)) * (1 - 2.0**-7))
    day = (made.minute[post] + 60 * hours).astype(np.int64) // publishing.MINUTES
    inside = day < stage.calendar.days
    return post[inside], day[inside]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """One forecast of weekly revenue, and what came.

    Attributes
    ----------
    seed : int
    beats_naive : bool
        Whether a model was shown.
    covered_80, covered_95 : float
        Shares of the weeks ahead within the bands.
    total_covered : bool
        Whether the sum lay within its 80 % band.
    error, naive_error : float
        Mean absolute error of the weeks ahead, of what was shown and of the naive forecast, over the
        usual change from week to week: MASE.
    truth_error, naive_truth_error : float
        The same against the mean that chance has no part in.
    knows : bool
        Whether the forecast used the festival.
    """

    seed: int
    beats_naive: bool
    covered_80: float
    covered_95: float
    total_covered: bool
    error: float
    naive_error: float
    truth_error: float
    naive_truth_error: float
    knows: bool


def forecasts(
    runs: int, seed: int, *, festival: bool = False, scale: float = 0.06, brand: int = 0
) -> Iterator[Foretold]:
    """Forecast weekly revenue of simulated brands as a report does, and wait for what comes.

    Parameters
    ----------
    runs, seed : int
        Data sets, and the seed of the first.
    festival : bool
        Whether Diwali falls into the weeks ahead, after three that the series holds; the last week
        known differs from run to run otherwise, with two years of history.
    scale : float
        Size of the data set, as of ``hkreport simulate``.
    brand : int
        Which brand of the simulation, from 0.
    """
    from hkreport import params
    from hkreport.evidence import forecast as outlooks
    from hkreport.methods import forecast as methods

    known, asked = simulation.load(), params.load().forecast
    ahead = asked.weeks_ahead
    for number in range(seed, seed + runs):
        # 2025-10-06: a fortnight before Diwali. Elsewhere weeks from January to August.
        start = datetime.date(2022, 1, 3) if festival else START
        weeks = 196 if festival else 104 + number % 32
        stage = world.build(
            known,
            seed=number,
            scale=scale,
            scenario="default",
            start=start,
            days=7 * (weeks + ahead),
        )
        sold, mean = _weekly(stage, brand)
        seasons = outlooks.festivals(
            asked.festivals, range(start.year, stage.calendar.date(len(sold) * 7 - 1).year + 2)
        )
        made = methods.forecast(
            sold[:weeks],
            ahead=ahead,
            steps=methods.WEEKLY,
            events=outlooks.shares(seasons, start, 7 * (weeks + ahead), weekly=True),
            origins=asked.origins,
            least=asked.weeks_at_least,
            yearly_from=asked.yearly_from,
        )
        assert isinstance(made, methods.Forecast)
        came, true = sold[weeks:], mean[weeks:]
        usual = float(np.abs(np.diff(sold[:weeks])).mean())
        inside = [float(((band.low <= came) & (came <= band.high)).mean()) for band in made.bands]

        def away(told: Floats, from_: Floats, usual: float = usual) -> float:
            return float(np.abs(told - from_).mean()) / usual

        yield Foretold(
            seed=number,
            beats_naive=made.beats_naive,
            covered_80=inside[0],
            covered_95=inside[1],
            total_covered=bool(made.total[1] <= came.sum() <= made.total[2]),
            error=away(made.mean, came),
            naive_error=away(made.naive, came),
            truth_error=away(made.mean, true),
            naive_truth_error=away(made.naive, true),
            knows="Diwali" in made.terms,
        )


def _weekly(stage: world.World, brand: int) -> tuple[Floats, Floats]:
    """Revenue of a brand by week, and its mean without chance."""
    rng = np.random.default_rng([stage.seed, 4])
    known = stage.settings
    made = publishing.publish(stage, trials.plan(stage))
    demand, about = known.demand, list(known.brands.values())[brand]
    days, mine = stage.calendar.days, made.brand == brand
    post, day = _arrived(rng, stage, made, leaked=False)
    caused = np.bincount(day[mine[post]], minlength=days)
    expected = np.bincount(made.day[mine], made.expected[mine], minlength=days)
    # Spread as the season of posts has it: which week a post falls into is chance.
    season = stage.calendar.season / stage.calendar.season.sum()
    usual = stage.organic[brand] * (1 + demand.paid_share) + expected.sum() * season
    walk = np.empty(days)
    last = rng.normal(0, demand.walk_sd)
    for at, shock in enumerate(
        rng.normal(0, demand.walk_sd * np.sqrt(1 - demand.walk_phi**2), days)
    ):
        last = walk[at] = demand.walk_phi * last + shock
    organic = stage.organic[brand] * np.exp(walk)
    size = demand.dispersion
    orders = rng.negative_binomial(size, size / (size + organic)) + caused
    orders = (orders + rng.poisson(organic * demand.paid_share)).reshape(-1, 7).sum(axis=1)
    mean = about.basket_median * np.exp(about.basket_sd**2 / 2)
    spread = np.sqrt(np.expm1(about.basket_sd**2) / np.maximum(orders, 1))
    revenue = orders * mean * np.maximum(1 + spread * rng.standard_normal(len(orders)), 0.1)
    return revenue, usual.reshape(-1, 7).sum(axis=1) * mean
