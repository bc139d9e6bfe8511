"""Does the comparison of groups keep its word? Simulated data sets with known truth, hundreds of them.

A data set goes straight from the simulator's posts to the frames that :func:`hkreport.evidence.comparisons
.compare` takes: credited orders and their worth are drawn by the simulator's own law, without writing
exports. Whole pipelines are tested elsewhere; here it is the error rates that count.
"""

import datetime
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hkreport.evidence import comparisons
from hkreport.params import InsightRules
from hkreport.simulate import posts as publishing
from hkreport.simulate import settings as simulation
from hkreport.simulate import trials, world

__all__ = ["Run", "Scenario", "calibration", "frames", "score"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

START = datetime.date(2024, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One simulated data set, as far as comparisons look at it.

    Attributes
    ----------
    influencers : DataFrame
        Those on fixed fees, as :func:`hkreport.evidence.comparisons.compare` takes them.
    products : DataFrame
        Likewise.
    truth : mapping of (dimension, level) to float
        True ratio of the level to the rest; 1 where nothing differs.
    planted : frozenset of (dimension, level)
        What the scenario plants.
    quality : DataFrame
        ``influencer_id`` and ``roas``, the return on fees that chance has no part in.
    """

    influencers: pd.DataFrame
    products: pd.DataFrame
    truth: Mapping[tuple[str, str], float]
    planted: frozenset[tuple[str, str]]
    quality: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was said about one data set.

    Attributes
    ----------
    seed : int
    stated : tuple of (dimension, level, ratio, low, high, true ratio)
    planted, found : int
        Planted comparisons, and how many of them were stated with the right sign.
    right, wrong : int
        Stated with the true sign, and stated although equal or with the other sign.
    covered, intervals : int
        Intervals of planted comparisons, stated or not, that hold the truth, and how many there are.
    """

    seed: int
    stated: tuple[tuple[str, str, float, float, float, float], ...]
    planted: int
    found: int
    right: int
    wrong: int
    covered: int
    intervals: int


def frames(
    seed: int,
    scenario: str,
    *,
    influencers: int = 400,
    days: int = 365,
    settings: simulation.Settings | None = None,
) -> Scenario:
    """Simulate a data set at full size and sum it up by influencer and product.

    Parameters
    ----------
    seed : int
    scenario : str
        As in :mod:`hkreport.simulate`.
    influencers : int
        Size of the panel, at least that of full size so that posts bring as many orders as there.
    days : int
        Length of the data.
    """
    known = settings or simulation.load()
    scale = influencers / known.influencers.number
    stage = world.build(known, seed=seed, scale=scale, scenario=scenario, start=START, days=days)
    made = publishing.publish(stage, trials.plan(stage))
    rng = np.random.default_rng([seed, 1])
    effects = known.effects
    size = effects.post_dispersion
    luck = rng.gamma(size, 1 / size, len(made))
    caused = rng.poisson(made.expected * luck * effects.tracked)
    leaked = rng.poisson(made.expected * stage.influencers.poaching[made.influencer])
    # Who only uses the code buys what people buy anyway.
    row = np.repeat(np.arange(len(made)), leaked)
    product = np.empty(len(row), np.int64)
    for brand in range(len(stage.brands)):
        mine = made.brand[row] == brand
        product[mine] = stage.products.drawn(brand, rng.random(int(mine.sum())))
    post = np.concatenate([np.repeat(np.arange(len(made)), caused), row])
    product = np.concatenate([np.repeat(made.product, caused), product])
    revenue = _baskets(stage, rng, made.brand[post], product)
    return Scenario(
        influencers=_people(stage, made, post, revenue),
        products=_sold(stage, made, post, product, revenue),
        truth=_truth(stage, made),
        planted=_planted(stage),
        quality=_quality(stage, made),
    )


def _baskets(stage: world.World, rng: np.random.Generator, brand: Ints, product: Ints) -> Floats:
    about = list(stage.settings.brands.values())
    median = np.array([each.basket_median for each in about])
    spread = np.array([each.basket_sd for each in about])
    value = median[brand] * np.exp(spread[brand] * rng.standard_normal(len(brand)))
    return np.maximum(value * stage.rules.pull[product], stage.settings.orders.smallest)


def _people(
    stage: world.World, made: publishing.Posts, post: Ints, revenue: Floats
) -> pd.DataFrame:
    """Influencers on fixed fees: fees, revenue, orders, and what such fees bring by brand."""
    panel, brands = stage.influencers, len(stage.brands)
    shape = (len(panel), brands)
    cell = made.influencer * brands + made.brand
    fixed = panel.basis == 0
    cells = len(panel) * brands
    fee = np.bincount(cell, made.fee / 100, minlength=cells).reshape(shape)[fixed]
    orders = np.bincount(cell[post], minlength=cells).reshape(shape)[fixed].astype(float)
    sold = np.bincount(cell[post], revenue, minlength=cells).reshape(shape)[fixed]
    paid = np.maximum(fee.sum(axis=0), 1e-9)
    frame = panel.table[["influencer_id", "tier", "platform", "category", "persona"]]
    return (
        frame[fixed]
        .assign(
            spend=fee.sum(axis=1),
            revenue=sold.sum(axis=1),
            orders=orders.sum(axis=1),
            posts=np.bincount(made.influencer, minlength=len(panel))[fixed].astype(float),
            expected_orders=fee @ (orders.sum(axis=0) / paid),
            expected_revenue=fee @ (sold.sum(axis=0) / paid),
            stratum=np.array(stage.brands)[fee.argmax(axis=1)],
        )
        .reset_index(drop=True)
    )


def _sold(
    stage: world.World, made: publishing.Posts, post: Ints, product: Ints, revenue: Floats
) -> pd.DataFrame:
    """Posts, revenue and orders of each influencer with each product."""
    goods = len(stage.products.name)
    number = len(stage.influencers) * goods
    told = made.influencer * goods + made.product
    bought = made.influencer[post] * goods + product
    counts = np.bincount(told, minlength=number).astype(float)
    orders = np.bincount(bought, minlength=number).astype(float)
    sums = np.bincount(bought, revenue, minlength=number)
    some = np.flatnonzero((counts > 0) | (orders > 0))
    who, what = some // goods, some % goods
    return pd.DataFrame(
        {
            "influencer_id": stage.influencers.table["influencer_id"].to_numpy()[who],
            "brand": np.array(stage.brands)[stage.products.brand[what]],
            "product": np.array(stage.products.name)[what],
            "posts": counts[some],
            "revenue": sums[some],
            "orders": orders[some],
        }
    )


def _truth(stage: world.World, made: publishing.Posts) -> dict[tuple[str, str], float]:
    """True ratio of each level to the rest: of the usual influencer's return, of products of a post.

    Groups: factors of the rules and the planted poor influencers, who all stand on one platform and lower
    its mean, averaged on the log scale over those on fixed fees. Products: what a post causes; orders of
    those who only use the code follow no post.
    """
    panel, rules = stage.influencers, stage.rules
    price = rules.orders_a_reach / rules.cpm
    usual = stage.settings.influencers.quality_mean
    poor = np.where(panel.planted, np.log(panel.quality) - usual, 0.0)
    fixed = panel.basis == 0
    found: dict[tuple[str, str], float] = {}
    for dimension, factor, codes, names in (
        ("tier", rules.tier, panel.tier, stage.tiers),
        ("platform", price, panel.platform, stage.platforms),
    ):
        logs = (np.log(factor)[codes] + poor)[fixed]
        for code, name in enumerate(names):
            inside = (codes == code)[fixed]
            gap = logs[inside].mean() - logs[~inside].mean() if inside.any() else 0.0
            found[dimension, name] = math.exp(gap if abs(gap) > 1e-9 else 0.0)
    for dimension in ("category", "persona"):
        found |= {(dimension, str(name)): 1.0 for name in panel.table[dimension].unique()}
    for brand in range(len(stage.brands)):
        goods = np.arange(stage.products.first[brand], stage.products.first[brand + 1])
        share, worth = stage.products.share[goods], rules.pull[goods] * rules.appeal[goods]
        for place, one in enumerate(goods):
            others = np.arange(len(goods)) != place
            # As the estimate weighs them: by the spread of a product's share of posts.
            usual = np.average(worth[others], weights=(share * (1 - share))[others])
            ratio = float(worth[place] / usual)
            found["product", stage.products.name[one]] = ratio if abs(ratio - 1) > 1e-9 else 1.0
    return found


def _planted(stage: world.World) -> frozenset[tuple[str, str]]:
    if stage.scenario != "planted":
        return frozenset()
    planted = stage.settings.scenarios.planted
    products = {("product", stage.products.name[one]) for one in stage.planted_products}
    return frozenset({("tier", planted.tier), ("platform", planted.platform)} | products)


def _quality(stage: world.World, made: publishing.Posts) -> pd.DataFrame:
    """Return on fees of each influencer as expected: credited revenue of her posts ÷ fees."""
    about = list(stage.settings.brands.values())
    basket = np.array([each.basket_median * math.exp(each.basket_sd**2 / 2) for each in about])
    credited = stage.settings.effects.tracked + stage.influencers.poaching[made.influencer]
    worth = made.expected * credited * basket[made.brand] * stage.rules.pull[made.product]
    number = len(stage.influencers)
    fees = np.bincount(made.influencer, made.fee / 100, minlength=number)
    likely = np.bincount(made.influencer, worth, minlength=number)
    with np.errstate(divide="ignore", invalid="ignore"):
        roas = likely / fees
    ids = stage.influencers.table["influencer_id"].to_numpy()
    return pd.DataFrame({"influencer_id": ids, "roas": roas})


def calibration(
    runs: int,
    seed: int,
    *,
    scenario: str = "null",
    influencers: int = 400,
    days: int = 365,
    rules: InsightRules | None = None,
) -> Iterator[Run]:
    """Compare groups and products in many simulated data sets; say how each came out.

    Parameters
    ----------
    runs : int
        Data sets.
    seed : int
        Of the first one; the others follow.
    scenario : str
        ``null``: nothing may be stated; ``planted``: what is planted should be.
    influencers, days : int
        Size of each data set.
    rules : InsightRules, optional
        Those of the project's params otherwise.

    Yields
    ------
    Run
    """
    from hkreport import params

    chosen = rules or params.load().insights
    known = simulation.load()
    for number in range(seed, seed + runs):
        data = frames(number, scenario, influencers=influencers, days=days, settings=known)
        yield _scored(number, data, comparisons.compare(data.influencers, data.products, chosen))


def _scored(seed: int, data: Scenario, made: comparisons.Family) -> Run:
    right = wrong = found = covered = intervals = 0
    stated = []
    for each in made.comparisons:
        key = (each.dimension, each.level)
        true = data.truth.get(key, 1.0)
        ratio = each.ratio
        if ratio is None:
            continue
        is_stated = each.is_stated(made.limit)
        agrees = (ratio.value > 1) == (true > 1) and true != 1.0
        if is_stated:
            stated.append((*key, ratio.value, ratio.low, ratio.high, true))
            right, wrong = right + agrees, wrong + (not agrees)
        if key in data.planted:
            found += is_stated and agrees
            intervals += 1
            covered += ratio.low <= true <= ratio.high
    return Run(
        seed=seed,
        stated=tuple(stated),
        planted=len(data.planted),
        found=found,
        right=right,
        wrong=wrong,
        covered=covered,
        intervals=intervals,
    )


def score(results: "list[Run]") -> dict[str, Any]:
    """Error rates over runs: shares, with the number each rests on.

    Examples
    --------
    >>> quiet = Run(seed=1, stated=(), planted=0, found=0, right=0, wrong=0, covered=0, intervals=0)
    >>> score([quiet])["runs_with_a_false_statement"]
    0.0
    """
    number = len(results)
    sums = {
        name: sum(getattr(each, name) for each in results)
        for name in ("planted", "found", "right", "wrong", "covered", "intervals")
    }
    said = sums["right"] + sums["wrong"]

    def share(above: int, below: int) -> float | None:
        return above / below if below else None

    return {
        "runs": number,
        "runs_with_a_statement": share(sum(bool(each.stated) for each in results), number),
        "runs_with_a_false_statement": share(sum(each.wrong > 0 for each in results), number),
        "recall": share(sums["found"], sums["planted"]),
        "precision": share(sums["right"], said),
        "coverage": share(sums["covered"], sums["intervals"]),
        **sums,
    }
