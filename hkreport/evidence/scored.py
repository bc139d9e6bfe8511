"""Do the lists and the plan keep their word? Shrunk rankings and moves of money, scored against known truth.

As in :mod:`hkreport.evidence.calibration`, data sets go straight from the simulator's posts to the frames
that the estimators take. What a move of money really brings is worked out without chance: planned reach
grows with fees, and the more is posted in a week, the less each post sells.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hkreport.evidence import calibration
from hkreport.methods import budget, shrinkage
from hkreport.methods.estimate import Refusal
from hkreport.params import BudgetRules
from hkreport.simulate import posts as publishing
from hkreport.simulate import settings as simulation
from hkreport.simulate import trials, world

__all__ = ["Moved", "TopFive", "moves", "top_five"]

Floats = NDArray[np.float64]

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
        Cross-fitted, with the interval; `low` decides.
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
            start=calibration.START,
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
        luck = rng.gamma(
            known.effects.post_dispersion, 1 / known.effects.post_dispersion, len(made)
        )
        orders = rng.poisson(made.expected * luck * known.effects.tracked)
        orders += rng.poisson(made.expected * panel.poaching[who])
        post = np.repeat(np.arange(len(made)), np.where(is_fixed, orders, 0))
        hours = -known.posts.half_life_hours * np.log2(1 - rng.random(len(post)) * (1 - 2.0**-7))
        arrived = (made.minute[post] + 60 * hours).astype(np.int64) // publishing.MINUTES // 7
        value = about.basket_median * np.exp(about.basket_sd * rng.standard_normal(len(post)))
        value = value * stage.rules.pull[made.product[post]]
        inside = arrived < weeks
        sold: Floats = np.bincount(
            (cell[post] * weeks + arrived)[inside], value[inside], minlength=size
        ).astype(float)
        return cls(seed, stage, made, brand, cell, week, is_fixed, worth, fees, sold.reshape(shape))

    def planned(self, rules: BudgetRules) -> Moved | None:
        """The plan for the last quarter, scored."""
        carry = budget.carry_over(rules.half_life_hours)
        curves = budget.fit(self.fees, self.revenue, carry)
        today, sold = self.fees[:, -13:].mean(axis=1), self.revenue[:, -13:].mean(axis=1)
        chosen = (curves.beta_error <= rules.most_beta_error) & (today > 0) & (sold > 0)
        chosen &= curves.variation >= rules.least_variation
        if chosen.sum() < 2:
            return None
        made = budget.move(
            self.fees[chosen],
            self.revenue[chosen],
            carry,
            budget.fit(self.fees[chosen], self.revenue[chosen], carry),
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
