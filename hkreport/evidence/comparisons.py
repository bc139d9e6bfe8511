"""Which groups of influencers, and which products, really bring more? One family of comparisons.

Groups (tier, platform, category, persona) are compared by the return on fixed fees of influencers, within
one payout basis; products by credited revenue a post of the same influencer, so that no allocation of
payouts enters. The same functions read a report's ledger and the frames of a simulation with known truth
(:mod:`hkreport.evidence.calibration`). Words belong to :mod:`hkreport.insights`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hkreport import metrics as m
from hkreport.evidence.once import once
from hkreport.ledger import ALLOCATION_RULES
from hkreport.methods import multiplicity, shrinkage
from hkreport.methods.estimate import Estimate, Refusal
from hkreport.metrics import UNASSIGNED
from hkreport.params import InsightRules
from hkreport.units import Unit, text
from hkreport.views.luck import FIXED, NO_SPEND, unfixed

if TYPE_CHECKING:
    import pandas as pd

    from hkreport.views import Report

__all__ = [
    "DIMENSIONS",
    "FIXED",
    "Comparison",
    "Family",
    "compare",
    "family",
    "panel",
    "product_frame",
]

Floats = NDArray[np.float64]

# What influencers are grouped by. Gender is not among them: the report shows it and concludes nothing.
DIMENSIONS = ("tier", "platform", "category", "persona")

# Logs of ratios at which the growth of a product's slope is worked out.
GROWTH = (-1.6, -0.8, -0.4, -0.2, 0.0, 0.2, 0.4, 0.8, 1.6)

PICKED = (
    "A minimum ROAS picks influencers by their result; what is left of them cannot be compared, ranked or "
    "planned with."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One group against the rest.

    Attributes
    ----------
    dimension, level : str
        Such as tier and micro.
    n, n_rest : int
        Influencers on each side.
    n_eff, n_eff_rest : float
        What they are worth by the weights of the comparison.
    ratio : Estimate or None
        How many times the rest's return (of a product: revenue a post of the same influencer); None
        where the sides are too small to compare.
    p_value, q_value : float
        NaN where not compared.
    spend, revenue, orders : float
        Of the group; spend is NaN for products.
    roas, roas_rest : float
        Pooled, for products revenue a post instead.
    posts : float
        Of a product; NaN for groups.
    n_eff_spend : float
        What the group's influencers are worth by spend: how far its pooled ROAS rests on a few.
    by_rule : mapping of str to float
        The ratio under each way of allocating payouts; empty where none enters.
    """

    dimension: str
    level: str
    n: int
    n_rest: int
    n_eff: float
    n_eff_rest: float
    ratio: Estimate | None
    p_value: float = math.nan
    q_value: float = math.nan
    spend: float = math.nan
    revenue: float = math.nan
    orders: float = math.nan
    roas: float = math.nan
    roas_rest: float = math.nan
    posts: float = math.nan
    n_eff_spend: float = math.nan
    by_rule: Mapping[str, float] | None = None

    @property
    def sign(self) -> int:
        """1 where the group is above the rest, −1 below, 0 where not compared."""
        return 0 if self.ratio is None else int(np.sign(math.log(self.ratio.value)))

    @property
    def rules_agree(self) -> bool:
        """Whether every way of allocating payouts puts the group on the same side."""
        known = [value for value in (self.by_rule or {}).values() if value > 0]
        return all((value > 1) == (self.sign > 0) for value in known)

    def is_stated(self, limit: float) -> bool:
        """Whether the comparison may be stated at a false discovery rate."""
        return self.q_value <= limit and self.rules_agree

    @property
    def too_small(self) -> str:
        """Why it is shown and not compared, for a reader; empty where it is compared."""
        if self.ratio is not None:
            return ""
        # Cut, not rounded: 10 that act like 9.96 are fewer than 10.
        own, rest = (
            text(math.floor(each * 10 + 1e-6) / 10, Unit.COUNT)
            for each in (self.n_eff, self.n_eff_rest)
        )
        if self.n_eff >= self.n_eff_rest:
            return f"{self.level}: the others act like {rest}; shown, not compared."
        who = "1 influencer" if self.n == 1 else f"{text(self.n, Unit.COUNT)} influencers"
        return f"{self.level}: {who}, but spend acts like {own}; shown, not compared."


@dataclass(frozen=True, slots=True)
class Family:
    """All candidate comparisons of a report.

    Attributes
    ----------
    comparisons : tuple of Comparison
        Those compared and those only shown.
    refusals : tuple of str
        Why a part of the family was left out.
    resamples : int
        Permutations behind each p-value.
    limit : float
        False discovery rate at which a comparison is stated.
    """

    comparisons: tuple[Comparison, ...]
    refusals: tuple[str, ...]
    resamples: int
    limit: float

    @property
    def stated(self) -> tuple[Comparison, ...]:
        """What may be said."""
        return tuple(each for each in self.comparisons if each.is_stated(self.limit))


def compare(
    influencers: "pd.DataFrame",
    products: "pd.DataFrame",
    rules: InsightRules,
    *,
    dimensions: Sequence[str] = DIMENSIONS,
) -> Family:
    """Compare every group and every product with the rest, as one family.

    Parameters
    ----------
    influencers : DataFrame
        One row an influencer on a fixed fee: ``influencer_id``, the dimensions, ``spend``, ``revenue``,
        ``orders``, ``expected_orders`` and ``expected_revenue`` (what the same fees bring on average,
        brand for brand), ``stratum`` (her main brand: influencers are compared within it), and
        ``expected_orders:RULE`` and ``expected_revenue:RULE`` for other ways of allocating payouts.
    products : DataFrame
        One row an influencer, brand and product: ``influencer_id``, ``brand``, ``product``, ``posts``,
        ``revenue``, ``orders``.
    rules : InsightRules
        Thresholds and seed.

    Returns
    -------
    Family
    """
    refusals = []
    people = influencers[influencers["expected_orders"] > 0]
    # Fees that brought no order at all were paid too: then the orders are too few.
    paid = len(people) or bool((influencers["spend"] > 0).any())
    index = _index(people, rules) if paid else Refusal(NO_SPEND)
    groups: tuple[Comparison, ...] = ()
    if isinstance(index, Refusal):
        refusals.append(str(index))
    else:
        groups = _groups(people, index, rules, dimensions)
    sold = _products(products, rules)
    tested = sum(
        each.ratio is not None for each in (*groups, *(one for many, _ in sold for one in many))
    )
    resamples = max(rules.least_resamples, math.ceil(20 * tested / rules.false_discovery))
    rng = np.random.default_rng(rules.seed)
    found = (
        [] if isinstance(index, Refusal) else _tested_groups(groups, people, index, resamples, rng)
    )
    found += _tested_products(sold, resamples, rng)
    q_values = multiplicity.adjust_fdr(np.array([each.p_value for each in found]))
    stated = tuple(replace(each, q_value=float(q)) for each, q in zip(found, q_values, strict=True))
    return Family(stated, tuple(refusals), resamples, rules.false_discovery)


def _index(
    frame: "pd.DataFrame", rules: InsightRules, rule: str = ""
) -> tuple[Floats, Floats] | Refusal:
    """Log of each influencer's return against what is usual, with luck shrunk, and its weight.

    The weight is the share of her own record in the estimate: it grows with fees and not with success.
    """
    tail = f":{rule}" if rule else ""
    usual = frame[f"expected_orders{tail}"].to_numpy(float)
    worth = frame[f"expected_revenue{tail}"].to_numpy(float)
    kept = usual > 0
    made = shrinkage.shrink(
        frame["orders"].to_numpy(float)[kept],
        # Revenue in orders of usual value, so that a brand's basket is no merit of the influencer.
        frame["revenue"].to_numpy(float)[kept] / (worth / np.where(kept, usual, 1.0))[kept],
        usual[kept],
        least_influencers=rules.least_influencers,
        least_orders=rules.least_orders,
        purpose="to compare groups of influencers",
    )
    if isinstance(made, Refusal):
        return made
    values, weights = np.zeros(len(frame)), np.zeros(len(frame))
    values[kept], weights[kept] = made.log_roas, made.reliability
    for stratum in sorted(set(frame["stratum"])):
        mine = (frame["stratum"] == stratum).to_numpy() & kept
        if mine.any():
            values[mine] -= np.average(values[mine], weights=weights[mine])
    return values, weights


def _groups(
    frame: "pd.DataFrame",
    index: tuple[Floats, Floats],
    rules: InsightRules,
    dimensions: Sequence[str],
) -> tuple[Comparison, ...]:
    """Every level of every dimension against the rest."""
    values, weights = index
    # Shrinkage draws differences together as well; dividing by the mean weight undoes that.
    strength = float(weights @ weights / weights.sum())
    others = {
        name: _index(frame, rules, name)
        for name in ALLOCATION_RULES
        if f"expected_orders:{name}" in frame.columns
    }
    found = []
    for dimension in dimensions:
        labels = frame[dimension].fillna(UNASSIGNED).astype(str).to_numpy()
        levels = sorted(set(labels) - {UNASSIGNED})
        # With two levels, one comparison says all.
        for level in levels[:1] if len(levels) == 2 and UNASSIGNED not in labels else levels:
            inside = labels == level
            if 1 < inside.sum() < len(inside) - 1:
                found.append(
                    _group(
                        frame, dimension, level, inside, values, weights, strength, rules, others
                    )
                )
    return tuple(found)


def _group(
    frame: "pd.DataFrame",
    dimension: str,
    level: str,
    inside: NDArray[np.bool_],
    values: Floats,
    weights: Floats,
    strength: float,
    rules: InsightRules,
    others: Mapping[str, tuple[Floats, Floats] | Refusal],
) -> Comparison:
    made = multiplicity.difference(values, weights, inside, confidence=rules.confidence)
    spend, revenue = frame["spend"].to_numpy(float), frame["revenue"].to_numpy(float)
    enough = min(made.n_eff_inside, made.n_eff_outside) >= rules.least_effective
    by_rule = {}
    for name, other in others.items():
        if not isinstance(other, Refusal):
            shown, weight = other
            gap = np.average(shown[inside], weights=weight[inside] + 1e-12)
            gap -= np.average(shown[~inside], weights=weight[~inside] + 1e-12)
            by_rule[name] = math.exp(gap)
    return Comparison(
        dimension=dimension,
        level=level,
        n=made.n_inside,
        n_rest=made.n_outside,
        n_eff=made.n_eff_inside,
        n_eff_rest=made.n_eff_outside,
        ratio=(made.estimate / strength).map(math.exp) if enough else None,
        spend=float(spend[inside].sum()),
        revenue=float(revenue[inside].sum()),
        orders=float(frame["orders"].to_numpy(float)[inside].sum()),
        roas=_ratio(revenue[inside].sum(), spend[inside].sum()),
        roas_rest=_ratio(revenue[~inside].sum(), spend[~inside].sum()),
        n_eff_spend=multiplicity.effective_number(spend[inside]),
        by_rule=by_rule,
    )


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below > 0 else math.nan


def _tested_groups(
    groups: Sequence[Comparison],
    frame: "pd.DataFrame",
    index: tuple[Floats, Floats],
    resamples: int,
    rng: np.random.Generator,
) -> list[Comparison]:
    """The same with p-values."""
    chosen = [each for each in groups if each.ratio is not None]
    if not chosen:
        return list(groups)
    labels = {name: frame[name].fillna(UNASSIGNED).astype(str).to_numpy() for name in DIMENSIONS}
    members = np.stack([labels[each.dimension] == each.level for each in chosen], axis=1)
    strata = frame["stratum"].astype("category").cat.codes.to_numpy().astype(np.int64)
    p_values = multiplicity.permutation_p_values(
        *index, members, resamples=resamples, rng=rng, strata=strata
    )
    known = {
        (each.dimension, each.level): float(p) for each, p in zip(chosen, p_values, strict=True)
    }
    return [
        replace(each, p_value=known.get((each.dimension, each.level), math.nan)) for each in groups
    ]


def _products(frame: "pd.DataFrame", rules: InsightRules) -> list[tuple[list[Comparison], Floats]]:
    """The products of each brand that can be compared, and each influencer's part in the difference."""
    found = []
    for _, block in frame.groupby("brand", sort=True):
        posts = block.pivot_table(
            index="influencer_id", columns="product", values="posts", aggfunc="sum", fill_value=0.0
        )
        sold = block.pivot_table(
            index="influencer_id", columns="product", values="revenue", aggfunc="sum"
        )
        sold = sold.reindex(index=posts.index, columns=posts.columns).fillna(0.0)
        orders = block.groupby("influencer_id")["orders"].sum().reindex(posts.index)
        # A product that is never posted or never sold by code says nothing about its posts.
        both = ((posts.sum() > 0) & (sold.sum() > 0)).to_numpy()
        counts, revenue = posts.to_numpy(float)[:, both], sold.to_numpy(float)[:, both]
        active = ((counts > 0).sum(axis=1) > 1) & (revenue.sum(axis=1) > 0)
        number = orders.to_numpy(float)[active]
        enough = counts.sum() >= rules.least_posts and number.sum() >= rules.least_orders
        if both.sum() > 1 and active.sum() > 2 and enough:
            names = [str(name) for name in posts.columns[both]]
            found.append(_brand(names, counts[active], revenue[active], number, rules))
    return found


def _brand(
    names: Sequence[str], counts: Floats, revenue: Floats, orders: Floats, rules: InsightRules
) -> tuple[list[Comparison], Floats]:
    """Each product of a brand against the others: what one more post about it sells of it.

    A code is used for anything in the shop, so revenue ÷ posts would praise what is popular anyway.
    The slope of a product's share of an influencer's revenue on its share of her posts leaves that out:
    influencers who post more about it are held against those who post less.
    """
    everything = counts.sum(axis=1)
    share = counts / everything[:, None]
    sold = revenue / revenue.sum(axis=1)[:, None]
    # Few posts and few orders both make an influencer's product mix a matter of chance.
    weight = 1 / (1 / everything + rules.half_weight_orders / np.maximum(orders, 1.0))
    # Who posts about one product only says nothing about products: the lever is 0 at both ends.
    lever = _centred(share * (1 - share), weight) * weight[:, None]
    above, below = lever * _centred(sold, weight), lever * _centred(share, weight)
    # With two products, one comparison says all.
    places = range(1 if len(names) == 2 else len(names))
    found, parts = [], []
    for place in places:
        mine, own = above[:, place], below[:, place]
        rest, other = above.sum(axis=1) - mine, below.sum(axis=1) - own
        worth = weight * share[:, place] * (1 - share[:, place])
        number = multiplicity.effective_number(worth)
        ratio = None
        if number >= rules.least_effective and min(mine.sum(), own.sum(), rest.sum()) > 0:
            made = multiplicity.roas_with_interval(
                mine, own, confidence=rules.confidence, minus=(rest, other), n_eff=number
            )
            grown = _growth(place, share, lever, weight)
            ratio = None if made.low != made.low else made.map(grown)
        found.append(
            Comparison(
                dimension="product",
                level=names[place],
                n=int((worth > 0).sum()),
                n_rest=int((worth > 0).sum()),
                n_eff=number,
                n_eff_rest=number,
                ratio=ratio,
                revenue=float(revenue[:, place].sum()),
                roas=_ratio(revenue[:, place].sum(), counts[:, place].sum()),
                roas_rest=_ratio(
                    revenue.sum() - revenue[:, place].sum(), counts.sum() - counts[:, place].sum()
                ),
                posts=float(counts[:, place].sum()),
            )
        )
        level, scale = (_ratio(value.sum(), other.sum()) for value in (rest, own))
        parts.append(np.nan_to_num(mine - level * own - scale * (rest - level * other)))
    return found, np.stack(parts, axis=1)


def _centred(values: Floats, weight: Floats) -> Floats:
    return np.asarray(values - np.average(values, axis=0, weights=weight), dtype=np.float64)


def _growth(place: int, share: Floats, lever: Floats, weight: Floats) -> Callable[[float], float]:
    """What turns a ratio of slopes into the ratio of what posts sell.

    Shares of revenue add up to 1, so a product that sells twice as much a post does not double its
    share. How much its slope grows follows from who posted about what: it is worked out for some ratios
    and read between them, beyond the last of them in proportion.
    """
    below = (lever * _centred(share, weight)).sum(axis=0)
    true: list[float] = []
    seen: list[float] = []
    for log_ratio in GROWTH:
        sold = share.copy()
        sold[:, place] *= math.exp(log_ratio)
        sold = sold / sold.sum(axis=1)[:, None]
        above = (lever * _centred(sold, weight)).sum(axis=0)
        slope = above[place] / below[place]
        rest = (above.sum() - above[place]) / (below.sum() - below[place])
        if slope > 0 and rest > 0 and (not seen or math.log(slope / rest) > seen[-1] + 1e-6):
            true.append(log_ratio)
            seen.append(math.log(slope / rest))

    def grown(ratio: float) -> float:
        at = math.log(ratio)
        inside = float(np.interp(at, seen, true))
        beyond = at - float(np.clip(at, seen[0], seen[-1]))
        return math.exp(inside + beyond)

    return grown if len(seen) > 1 else float


def _tested_products(
    sold: Sequence[tuple[list[Comparison], Floats]], resamples: int, rng: np.random.Generator
) -> list[Comparison]:
    """The same with p-values: each influencer's part in the difference under random signs."""
    found = []
    for products, parts in sold:
        p_values = multiplicity.sign_flip_p_values(parts, resamples=resamples, rng=rng)
        # Few influencers decide about a rare product, and signs alone are then a little too bold
        # (6 % of silent data sets spoke): the jackknife's own p-value must agree.
        found += [
            each if each.ratio is None else replace(each, p_value=max(float(p), each.ratio.p_value))
            for each, p in zip(products, p_values, strict=True)
        ]
    return found


@once
def family(report: "Report") -> Family:
    """All comparisons of a report."""
    rules = report.settings.insights
    if report.filters.min_roas is not None:
        return Family((), (PICKED,), 0, rules.false_discovery)
    people = panel(report)
    chosen = [name for name in DIMENSIONS if name != "persona" or not _is_crossed(people)]
    made = compare(people, product_frame(report), rules, dimensions=chosen)
    if people.empty:
        paid = bool((report.influencers["spend"] > 0).any())
        return replace(made, refusals=(unfixed(report.current.known, paid=paid),))
    return made


def _is_crossed(people: "pd.DataFrame") -> bool:
    """Whether the persona only crosses category and gender: then it would be a gender comparison."""
    if people.empty or "gender" not in people.columns:
        return False
    crossed = people["category"].astype(str) + " × " + people["gender"].astype(str)
    known = people["persona"].notna() & people["gender"].notna() & people["category"].notna()
    alike = people["persona"].isin(set(people["gender"].dropna().astype(str)))
    return bool((known & ((people["persona"] == crossed) | alike)).any())


@once
def panel(report: "Report") -> "pd.DataFrame":
    """One row an influencer on a fixed fee, as :func:`compare` takes them.

    Empty where nobody in the slice is paid a fixed fee; where the exports name no basis at all, all
    paid influencers are one basis.
    """
    people = report.influencers
    bases = people["payout_basis"]
    fixed = people[bases == FIXED] if bases.notna().any() else people
    fixed = fixed[fixed["spend"] > 0]
    known = report.current.known
    rows = report.current.rows
    # By basis, not by a list of ids, which may be a hundred thousand long.
    rows = rows.filter(
        rows["payout_basis"] == FIXED if bases.notna().any() else rows["influencer_id"].notnull()
    )
    columns = ["influencer_id", *DIMENSIONS, "gender", "posts"]
    if fixed.empty or not {"spend", "influencer_revenue", "influencer_orders"} <= known:
        empty = fixed.iloc[:0].reindex(columns=columns)
        return empty.assign(
            spend=0.0,
            revenue=0.0,
            orders=0.0,
            expected_orders=0.0,
            expected_revenue=0.0,
            stratum="",
        )
    spends = [replace(m.SPEND, name=name, column=name) for name in ALLOCATION_RULES]
    sums = m.compute(
        rows,
        [m.INFLUENCER_REVENUE, m.INFLUENCER_ORDERS, *spends],
        by=["influencer", "brand"],
        known=known,
    )
    found = fixed[columns].set_index("influencer_id")
    for short, name in (("revenue", "influencer_revenue"), ("orders", "influencer_orders")):
        found[short] = sums.groupby("influencer_id")[name].sum()
    found["spend"] = sums.groupby("influencer_id")["spend"].sum()
    sums = sums[sums["influencer_id"].isin(found.index)]
    # The brand that paid her most; names break ties.
    main = sums.sort_values(["spend", "brand"], ascending=[False, True], kind="stable")
    found["stratum"] = main.groupby("influencer_id")["brand"].first().fillna(UNASSIGNED)
    by_brand = sums.groupby("brand")[["influencer_orders", "influencer_revenue", *ALLOCATION_RULES]]
    whole = by_brand.sum()
    for name in ALLOCATION_RULES:
        paid = sums[name].clip(lower=0.0)
        total = sums["brand"].map(whole[name])
        for short, column in (
            ("expected_orders", "influencer_orders"),
            ("expected_revenue", "influencer_revenue"),
        ):
            usual = paid * sums["brand"].map(whole[column]) / total.where(total > 0)
            each = usual.fillna(0.0).groupby(sums["influencer_id"]).sum()
            found[short if name == "spend" else f"{short}:{name}"] = each
    return found.reset_index().sort_values("influencer_id", ignore_index=True)


def product_frame(report: "Report") -> "pd.DataFrame":
    """One row an influencer, brand and product, as :func:`compare` takes them."""
    rows = report.current.rows
    rows = rows.filter(rows["influencer_id"].notnull(), rows["product"].notnull())
    frame = m.compute(
        rows,
        [m.POSTS, m.INFLUENCER_REVENUE, m.INFLUENCER_ORDERS],
        by=["influencer", "brand", "product"],
        known=report.current.known,
    )
    frame = frame.rename(columns={"influencer_revenue": "revenue", "influencer_orders": "orders"})
    return frame[["influencer_id", "brand", "product", "posts", "revenue", "orders"]].fillna(
        {"posts": 0.0, "revenue": 0.0, "orders": 0.0}
    )
