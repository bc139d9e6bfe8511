"""What really happened: everything that a report estimates or must not claim, as ``truth.json`` states it."""

import datetime
from typing import Any

import numpy as np

from hkreport.periods import parse, steps
from hkreport.schema import BASES
from hkreport.simulate.exports import Touchlog
from hkreport.simulate.payouts import Payouts
from hkreport.simulate.posts import MINUTES, Posts
from hkreport.simulate.tally import CLASSES, FILE, MEASURES, SOURCES, Members, Tally
from hkreport.simulate.trials import Trials, city_names
from hkreport.simulate.world import Floats, Ints, World, calendar

__all__ = ["document", "posts_columns"]

# How far beyond the data the noise-free mean is stated, for forecasts.
FORECAST_WEEKS = 13


def document(
    world: World,
    posts: Posts,
    trials: Trials,
    tally: Tally,
    payouts: Payouts,
    *,
    touchlog: Touchlog,
    doubled: list[str],
    dirt: dict[str, Any],
    rows: dict[str, int],
) -> dict[str, Any]:
    """Put all parts of the truth together; money in rupees."""
    start, end = world.calendar.start, world.calendar.date(world.calendar.days)
    found: dict[str, Any] = {
        "schema_version": 1,
        "simulation": {
            "seed": world.seed,
            "scale": world.scale,
            "scenario": world.scenario,
            "start": str(start),
            "end": str(end),
            "orders_of_a_post_relative_to_full_size": _short(world.thinning),
        },
        "rows": rows,
        "meaning": MEANING,
        "brands": _brands(world, tally, payouts),
        "levels": _levels(world, posts, tally, payouts),
        "cells": _cells(world, posts),
        "influencers": _influencers(world, posts, tally, payouts),
        "products": _products(world, tally),
        "experiments": _experiments(world, trials, tally, payouts),
        "geo": _geo(world, trials, tally),
        "clusters": _clusters(world, posts, trials, tally),
        "forecast": _forecast(world, posts),
        "insights": _insights(world, doubled),
        "touchpoints": touchlog.truth(),
        "dirt": dirt,
    }
    if len(posts) <= world.settings.large.posts_in_truth:
        found["posts"] = posts_columns(posts, tally)
    return found


MEANING = {
    "organic": "orders that came by themselves and took place, with a code or not",
    "poached": "organic orders with an influencer's code: credited, not caused",
    "paid": "orders of paid advertising that names no influencer",
    "caused": "orders that a post caused",
    "tracked": "caused orders with the code",
    "halo": "caused orders without the code: they look organic",
    "boosted": "caused by boosted posts; part of caused",
    "pulled_forward": "caused orders whose buyers would have come anyway some weeks later",
    "displaced": "organic orders that are missing for that reason; not part of organic",
    "lost": "orders that were not caused because a city was dark",
    "attributed": "orders with a code: tracked and poached",
    "gross": "rupees with GST, before discount and returns, as the revenue column has it",
    "net": "rupees without GST, discount and returns, returns after the end of the data included",
    "profit": "contribution: margin × net, before payouts",
    "spend": "payouts for the work of the period by basis, bonuses included; boost is paid for reach",
    "roas": "attributed gross ÷ spend",
    "iroas": "(caused net − pulled forward net) ÷ spend",
    "break_even": "attributed gross ÷ attributed profit: the ROAS at which profit equals spend",
    "s_star": "1 − break_even ÷ roas: the share of credited orders that may have come anyway",
    "file": "sums over the exported rows; profit and returns as known when the data end",
}


def _rupees(paise: Any) -> Any:
    """Paise to rupees: exact to the paisa."""
    return np.round(np.asarray(paise) / 100, 2).tolist()


def _short(value: Any, digits: int = 6) -> float | None:
    """A number with so many significant digits, so that the last bits of a machine do not show."""
    value = float(value)
    return float(f"{value:.{digits}g}") if np.isfinite(value) else None


def _ratio(numerator: Any, denominator: Any) -> float | None:
    return _short(numerator / denominator) if denominator else None


def _periods(world: World) -> dict[str, list[int]]:
    """Months, quarters, years and financial years that the data cover whole, with the numbers of their months."""
    made = world.calendar
    start, end = made.start, made.date(made.days)
    names = dict.fromkeys(made.months)
    for month in made.months:
        year, number = int(month[:4]), int(month[5:])
        first = year if number >= 4 else year - 1
        fiscal = f"FY{first}-{(first + 1) % 100:02d}"
        names.update(
            dict.fromkeys(
                (
                    f"{year}-Q{(number + 2) // 3}",
                    f"{fiscal}-Q{(number - 4) % 12 // 3 + 1}",
                    f"{year}",
                    fiscal,
                )
            )
        )
    found = {}
    for name in names:
        period = parse(name)
        if start <= period.start and period.end <= end:
            inside = steps(period.start, period.end, "month")
            found[name] = [made.months.index(month) for month in inside]
    found["all"] = list(range(len(made.months)))
    return found


def _brands(world: World, tally: Tally, payouts: Payouts) -> dict[str, Any]:
    """Figures by brand and period, and for all brands together."""
    boost = np.zeros((len(world.brands), len(world.calendar.months)), np.int64)
    if payouts.boost.any():
        first = world.calendar.days - world.settings.experiment.days_before_end
        boost[:, world.calendar.month[first]] = payouts.boost
    basis = world.influencers.basis
    by_basis = {name: payouts.spend[basis == code].sum(0) for code, name in enumerate(BASES)}
    by_basis["boost"] = boost
    found = {}
    for label, chosen in [
        *((name, [index]) for index, name in enumerate(world.brands)),
        ("all", list(range(len(world.brands)))),
    ]:
        found[label] = {
            period: _figures(
                tally.classes[chosen][:, months].sum((0, 1)),
                tally.file[chosen][:, months].sum((0, 1)),
                {name: int(cells[chosen][:, months].sum()) for name, cells in by_basis.items()},
                int(payouts.bonus.sum(0)[chosen][:, months].sum()),
            )
            for period, months in _periods(world).items()
        }
    return found


def _figures(classes: Ints, file: Ints, spend: dict[str, int], bonus: int) -> dict[str, Any]:
    """All figures of one brand and period."""
    found: dict[str, Any] = {
        name: {
            "orders": int(values[0]),
            **dict(zip(MEASURES[1:], _rupees(values[1:]), strict=True)),
        }
        for name, values in zip(CLASSES, classes, strict=True)
    }
    total = sum(spend.values())
    by = dict(zip(CLASSES, classes, strict=True))
    orders, gross, net, profit = range(len(MEASURES))
    attributed, caused, pulled = by["attributed"], by["caused"], by["pulled_forward"]
    break_even = attributed[gross] / attributed[profit] if attributed[profit] else np.nan
    roas = attributed[gross] / total if total else np.nan
    found["spend"] = {
        **{name: _rupees(value) for name, value in spend.items()},
        "bonus_inside": _rupees(bonus),
        "total": _rupees(total),
    }
    found["incremental_net"] = _rupees(caused[net] - pulled[net])
    found["incremental_profit"] = _rupees(caused[profit] - pulled[profit] - total)
    found["roas"] = _short(roas)
    found["iroas"] = _ratio(caused[net] - pulled[net], total)
    found["break_even"] = _short(break_even)
    found["s_star"] = _short(1 - break_even / roas) if roas else None
    found["came_anyway_share"] = _ratio(by["poached"][orders], attributed[orders])
    found["file"] = {source: _sums(values) for source, values in zip(SOURCES, file, strict=True)}
    found["file"]["total"] = _sums(file.sum(0))
    return found


def _sums(values: Ints) -> dict[str, Any]:
    """Sums over exported rows by name: counts as they are, money in rupees."""
    counts = ("orders", "new_customers")
    return {
        name: int(value) if name in counts else _rupees(value)
        for name, value in zip(FILE, values, strict=True)
    }


def _levels(world: World, posts: Posts, tally: Tally, payouts: Payouts) -> dict[str, Any]:
    """ROAS and iROAS of groups of influencers: of those paid by post, and of all.

    Order-basis ROAS is arithmetic (basket ÷ rate), so a comparison of groups needs one basis.
    """
    panel = world.influencers
    sums = {name: values.sum(0) for name, values in tally.influencer.items()}
    sums["spend"] = payouts.spend.sum((1, 2))
    likely, fees = _expected_by_influencer(world, posts)
    found: dict[str, Any] = {}
    for dimension, codes, labels in (
        ("platform", panel.platform, world.platforms),
        ("tier", panel.tier, world.tiers),
        ("basis", panel.basis, BASES),
    ):
        found[dimension] = {}
        for code, label in enumerate(labels):
            whole = codes == code
            by_post = whole & (panel.basis == 0)
            found[dimension][label] = {
                "all": _level(sums, whole),
                "fixed_fee": {
                    **_level(sums, by_post),
                    "true_fee_roas": _ratio(likely[by_post].sum(), fees[by_post].sum()),
                },
            }
    return found


def _level(sums: dict[str, Ints], chosen: Any) -> dict[str, Any]:
    """Figures of some influencers, as it happened."""
    total = int(sums["spend"][chosen].sum())
    caused = sums["caused_net"][chosen].sum() - sums["pulled_net"][chosen].sum()
    return {
        "influencers": int(chosen.sum()),
        "spend": _rupees(total),
        "attributed_orders": int(sums["credited_orders"][chosen].sum()),
        "roas": _ratio(sums["credited_gross"][chosen].sum(), total),
        "iroas": _ratio(caused, total),
    }


def _expected_by_influencer(world: World, posts: Posts) -> tuple[Floats, Floats]:
    """Attributed gross that the posts of each influencer are expected to bring, and their fees."""
    number, who = len(world.influencers), posts.influencer
    gross, _ = _worth(world, posts.brand, posts.product, posts.day)
    credited = world.settings.effects.tracked + world.influencers.poaching[who]
    likely = np.bincount(who, posts.expected * gross * credited, minlength=number)
    fees = np.bincount(who, posts.fee / 100, minlength=number)
    return likely.astype(np.float64), fees.astype(np.float64)


def _worth(world: World, brand: Ints, product: Ints, day: Ints) -> tuple[Floats, Floats]:
    """Expected gross and net rupees of a caused order, before chance decides."""
    asked = world.settings.orders
    brands = list(world.settings.brands.values())
    basket = np.array([about.basket_median * np.exp(about.basket_sd**2 / 2) for about in brands])
    gross = basket[brand] * world.rules.pull[product]
    returned = (
        asked.cash_on_delivery * asked.returned_cash
        + (1 - asked.cash_on_delivery) * asked.returned_prepaid
    )
    tracked = world.settings.effects.tracked
    on_sale = world.calendar.is_sale[day] * asked.sale_discount_share * asked.sale_discount
    off = tracked * asked.code_discount_share * asked.code_discount + (1 - tracked) * on_sale
    return gross, gross * (1 - off) * (1 - returned) / (1 + world.calendar.gst[day])


def _cells(world: World, posts: Posts) -> list[dict[str, Any]]:
    """Response curve of each brand × platform × tier: weekly net revenue = a × fees^β, and what it implies.

    The curve passes through today's point: the mean week, those without a post included. The best allocation divides
    the same weekly money among the cells of a brand; it is left out where a β of 1 makes the answer trivial.
    """
    shape = posts.cell_reach.shape[:3]
    tier = world.influencers.tier[posts.influencer]
    cell = np.ravel_multi_index((posts.brand, posts.platform, tier), shape)
    size = int(np.prod(shape))
    _, worth = _worth(world, posts.brand, posts.product, posts.day)
    kept = 1 - world.settings.effects.pulled_forward
    weeks = posts.cell_reach.shape[-1]
    active = (posts.cell_reach > 0).sum(-1).reshape(-1)
    fees = np.bincount(cell, posts.fee / 100, minlength=size) / weeks
    revenue = np.bincount(cell, posts.expected * worth * kept, minlength=size) / weeks
    counts = np.bincount(cell, minlength=size)
    beta = np.broadcast_to(world.rules.elasticity[None, :, None], shape).reshape(-1)
    brand, platform, level = np.unravel_index(np.arange(size), shape)
    best = np.full(size, np.nan)
    gain = np.full(len(world.brands), np.nan)
    for each in range(len(world.brands)):
        mine = (brand == each) & (fees > 0)
        if mine.any() and (beta[mine] < 1).all():
            best[mine], gain[each] = _best(fees[mine], revenue[mine], beta[mine])
    return [
        {
            "brand": world.brands[brand[one]],
            "platform": world.platforms[platform[one]],
            "tier": world.tiers[level[one]],
            "posts": int(counts[one]),
            "weeks_with_posts": int(active[one]),
            "weekly_fees": _short(fees[one]),
            "weekly_net": _short(revenue[one]),
            "a": _short(revenue[one] / fees[one] ** beta[one]),
            "beta": _short(beta[one]),
            "marginal_iroas": _short(beta[one] * revenue[one] / fees[one]),
            "best_weekly_fees": _short(best[one]),
            "gain_of_brand": _short(gain[brand[one]]),
        }
        for one in np.flatnonzero(fees > 0)
    ]


def _best(fees: Floats, revenue: Floats, beta: Floats) -> tuple[Floats, float]:
    """The division of the same money with the highest net revenue, and what it brings in more."""
    a = revenue / fees**beta
    low, high = -60.0, 60.0  # log of the common marginal return
    for _ in range(200):
        middle = (low + high) / 2
        asked = (a * beta / np.exp(middle)) ** (1 / (1 - beta))
        low, high = (middle, high) if asked.sum() > fees.sum() else (low, middle)
    best = asked * fees.sum() / asked.sum()
    return best, float((a * best**beta).sum() - revenue.sum())


def _influencers(world: World, posts: Posts, tally: Tally, payouts: Payouts) -> dict[str, Any]:
    """Columns by influencer: quality, what was caused, and the ROAS that chance had no part in."""
    panel, number = world.influencers, len(world.influencers)
    who = posts.influencer
    likely, fees = _expected_by_influencer(world, posts)
    boost = np.bincount(posts.influencer[payouts.boost_posts], payouts.boost_paid, minlength=number)
    sums = {name: values.sum(0) for name, values in tally.influencer.items()}
    spend = payouts.spend.sum((1, 2)) + np.rint(boost).astype(np.int64)
    fee_roas = [
        _ratio(gross, paid) if basis == 0 else None
        for gross, paid, basis in zip(likely, fees, panel.basis, strict=True)
    ]
    caused = np.bincount(who, posts.expected, minlength=number)
    return {
        "influencer_id": panel.table["influencer_id"].tolist(),
        "quality": [_short(value) for value in panel.quality],
        "poaching": [_short(value) for value in panel.poaching],
        "posts": np.bincount(who, minlength=number).tolist(),
        "expected_orders": [_short(value) for value in caused],
        "caused_orders": sums["caused_orders"].tolist(),
        "caused_net": _rupees(sums["caused_net"]),
        "pulled_forward_net": _rupees(sums["pulled_net"]),
        "attributed_orders": sums["credited_orders"].tolist(),
        "attributed_gross": _rupees(sums["credited_gross"]),
        "spend": _rupees(spend),
        "iroas": [
            _ratio(net, paid)
            for net, paid in zip(sums["caused_net"] - sums["pulled_net"], spend, strict=True)
        ],
        # Attributed gross for a rupee of fees as expected, for those who are paid by post.
        "true_fee_roas": fee_roas,
    }


def posts_columns(posts: Posts, tally: Tally) -> dict[str, Any]:
    """Columns by post, in order of their ids: orders expected and orders caused within the data."""
    return {
        "expected_orders": [_short(value) for value in posts.expected],
        "caused_orders": tally.post_orders.tolist(),
    }


def _products(world: World, tally: Tally) -> list[dict[str, Any]]:
    found = world.products
    return [
        {
            "product": found.name[one],
            "brand": world.brands[found.brand[one]],
            "appeal": _short(world.rules.appeal[one]),
            "margin": _short(world.rules.margin[one]),
            "orders": int(tally.product[one, 0]),
            "revenue": _rupees(tally.product[one, 1]),
            "attributed_gross": _rupees(tally.product[one, 2]),
        }
        for one in range(len(found.name))
    ]


def _experiments(world: World, trials: Trials, tally: Tally, payouts: Payouts) -> dict[str, Any]:
    """The boosted posts of each brand: what a sound analysis should find."""
    found = trials.experiment
    if found is None:
        return {}
    shared = {
        "unit_type": "user",
        "randomised": True,
        "treatment_share": world.settings.experiment.treatment_share,
        "start": str(world.calendar.date(found.first)),
        "end": str(world.calendar.date(found.end)),
        "pre_start": str(world.calendar.date(found.pre)),
    }
    return {
        name: {
            **shared,
            "lift": _short(world.rules.lift[brand]),
            **_arms(tally.members[brand]),
            **_effects(
                tally.members[brand], float(world.rules.lift[brand]), int(payouts.boost[brand])
            ),
        }
        for brand, name in enumerate(world.brands)
    }


def _arms(members: Members) -> dict[str, Any]:
    """Counts and sums of both arms, as the exports show them."""
    found = {}
    for arm, chosen in (("treatment", members.treated), ("control", ~members.treated)):
        found[arm] = {
            "users": int(chosen.sum()),
            "buyers": int((members.orders[chosen] > 0).sum()),
            "orders": int(members.orders[chosen].sum()),
            "revenue": _rupees(members.revenue[chosen].sum()),
            "net": _rupees(members.net[chosen].sum()),
            "pre_period_revenue": _rupees(members.before[chosen].sum()),
        }
    return found


def _effects(members: Members, lift: float, spend: int) -> dict[str, Any]:
    """The true effect: in expectation (lift × what the arm would have ordered), and as it happened."""
    treated = members.treated
    orders, revenue, net, profit = members.boosted
    without = {
        "orders": members.orders[treated].sum() - orders,
        "revenue": (members.revenue[treated].sum() - revenue) / 100,
        "net": (members.net[treated].sum() - net) / 100,
        "profit": (members.profit[treated].sum() - profit) / 100,
    }
    expected = {name: _short(lift * value) for name, value in without.items()}
    control = ~treated
    rho = 0.0
    if members.before[control].any() and members.net[control].any():
        rho = float(np.corrcoef(members.before[control], members.net[control])[0, 1])
    return {
        "expected_effect": expected,
        "realised_effect": {
            "orders": int(orders),
            **dict(zip(("revenue", "net", "profit"), _rupees([revenue, net, profit]), strict=True)),
        },
        "spend_withheld": _rupees(spend),
        "expected_iroas": _ratio(lift * without["net"] * 100, spend),
        "realised_iroas": _ratio(net, spend),
        "rho_squared": _short(rho**2, 4),
    }


def _geo(world: World, trials: Trials, tally: Tally) -> dict[str, Any]:
    """The dark cities: orders that were not caused, in the window and while earlier posts still worked."""
    found = trials.geo
    if found is None:
        return {}
    asked = world.settings.geo
    settled = found.first + asked.washout
    lost = tally.lost_by_day
    within, late = lost[found.first : found.end], lost[settled : found.end]
    sums = dict(zip(CLASSES, tally.classes[found.brand].sum(0), strict=True))["lost"]
    worth = _rupees(sums[1:] / max(int(sums[0]), 1))
    return {
        "brand": world.brands[found.brand],
        "unit_type": "city",
        "start": str(world.calendar.date(found.first)),
        "end": str(world.calendar.date(found.end)),
        "washout_days": asked.washout,
        "dark_cities": [city_names(world)[one] for one in np.flatnonzero(found.dark)],
        "lost_orders": int(lost.sum()),
        "lost_orders_in_window": int(within.sum()),
        "lost_orders_after_washout": int(late.sum()),
        "lost_orders_a_city_day_after_washout": _short(late.sum() / (len(late) * asked.dark)),
        "lost_gross": _rupees(sums[1]),
        "lost_net": _rupees(sums[2]),
        "mean_gross_of_a_lost_order": worth[0],
        "mean_net_of_a_lost_order": worth[1],
    }


def _clusters(world: World, posts: Posts, trials: Trials, tally: Tally) -> dict[str, Any]:
    """The brief on trial: true lift, the effects of the campaigns, and how alike posts of one campaign are."""
    found = trials.clusters
    if found is None:
        return {}
    first = posts.campaigns.index(found.names[0])
    mine = (posts.campaign >= first) & (posts.campaign < first + len(found.names))
    code = posts.campaign[mine] - first
    lift = np.where(found.treated[code], 1 + world.rules.cluster_lift, 1.0)
    alone = posts.expected[mine] / (found.effect[code] * lift)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = tally.post_orders[mine] / alone / lift
    return {
        "brand": world.brands[found.brand],
        "unit_type": "campaign",
        "start": str(world.calendar.date(found.first)),
        "end": str(world.calendar.date(found.end)),
        "treatment": int(found.treated.sum()),
        "control": int((~found.treated).sum()),
        "lift": _short(world.rules.cluster_lift),
        "effect_sd_log": world.settings.clusters.effect_sd,
        "effects": {
            name: _short(value) for name, value in zip(found.names, found.effect, strict=True)
        },
        "icc": _intraclass(relative, code),
    }


def _intraclass(values: Floats, group: Ints) -> float | None:
    """Intraclass correlation by one-way analysis of variance, groups of different size."""
    sizes = np.bincount(group)
    kept = sizes > 0
    groups, total = int(kept.sum()), len(values)
    if groups < 2 or total <= groups:
        return None
    means = np.bincount(group, values)[kept] / sizes[kept]
    between = (sizes[kept] * (means - values.mean()) ** 2).sum() / (groups - 1)
    codes = np.cumsum(kept) - 1
    within = ((values - means[codes[group]]) ** 2).sum() / (total - groups)
    usual = (total - (sizes**2).sum() / total) / (groups - 1)
    spread = between + (usual - 1) * within
    return _short((between - within) / spread, 4) if spread else None


def _forecast(world: World, posts: Posts) -> dict[str, Any]:
    """Noise-free orders and revenue by week, and some weeks on: what a perfect forecast would say.

    Beyond the end, posts are taken to go on as in the last year, with the season.
    """
    made = world.calendar
    weeks = made.days // 7
    ahead = FORECAST_WEEKS * 7
    longer = calendar(world.settings, made.start, made.days + ahead)
    last_year = slice(max(made.days - 364, 0), made.days)
    asked, found = world.settings, {}
    skipped = made.days - weeks * 7  # so that the last whole week ends with the data
    for brand, (name, about) in enumerate(asked.brands.items()):
        usual = world.scale * about.organic_orders_a_day * longer.demand
        fallen = world.after_break(brand)
        usual *= np.concatenate([fallen, np.full(ahead, fallen[-1])])
        usual = usual * (1 + asked.demand.paid_share)
        mine = posts.brand == brand
        sold = _arrivals(world, posts.minute[mine], posts.expected[mine])
        level = sold[last_year].sum() / made.season[last_year].sum()
        caused = np.concatenate([sold, level * longer.season[made.days :]])
        caused *= 1 - asked.effects.pulled_forward
        orders = (usual + caused)[skipped:].reshape(-1, 7).sum(1)
        basket = about.basket_median * np.exp(about.basket_sd**2 / 2)
        found[name] = {
            "week_starts": [
                str(made.start + datetime.timedelta(days=skipped + 7 * week))
                for week in range(len(orders))
            ],
            "first_week_ahead": weeks,
            "expected_orders": [_short(value) for value in orders],
            "expected_revenue": [_short(value * basket) for value in orders],
        }
    return found


def _arrivals(world: World, minute: Ints, expected: Floats) -> Floats:
    """Expected caused orders by day: each post's, spread over the days after it."""
    days, half_life = world.calendar.days, world.settings.posts.half_life_hours
    cut = world.settings.effects.lag_cut_days
    whole = 1 - 2.0 ** (-cut * 24 / half_life)
    found = np.zeros(days)
    day, into = minute // MINUTES, minute % MINUTES / 60
    arrived = np.zeros(len(minute))
    for after in range(cut + 1):
        hours = np.minimum((after + 1) * 24 - into, cut * 24)
        by_then = (1 - 2.0 ** (-hours / half_life)) / whole
        inside = day + after < days
        np.add.at(found, (day + after)[inside], (expected * (by_then - arrived))[inside])
        arrived = by_then
    return found


def _insights(world: World, doubled: list[str]) -> list[dict[str, Any]]:
    """Effects that are there to be found; empty unless the scenario plants some."""
    if world.scenario != "planted":
        return []
    planted = world.settings.scenarios.planted
    ids = world.influencers.table["influencer_id"]
    found: list[dict[str, Any]] = [
        {"kind": "tier", "subject": planted.tier, "sign": 1, "size": planted.tier_factor},
        {
            "kind": "platform",
            "subject": planted.platform,
            "sign": 1,
            "size": planted.platform_factor,
        },
    ]
    for product in world.planted_products:
        found.append(
            {
                "kind": "product",
                "brand": world.brands[world.products.brand[product]],
                "subject": world.products.name[product],
                "sign": 1,
                "size": planted.product_factor,
            }
        )
    for one in np.flatnonzero(world.influencers.planted):
        found.append(
            {"kind": "influencer", "subject": ids[one], "sign": -1, "size": planted.poor_quality}
        )
    if world.break_day is not None:
        found.append(
            {
                "kind": "trend_break",
                "brand": planted.break_brand,
                "subject": str(world.calendar.date(world.break_day)),
                "sign": -1,
                "size": planted.break_factor,
            }
        )
    found.append({"kind": "fatigue", "subject": "post", "sign": -1, "size": planted.fatigue})
    for payout in doubled:
        found.append({"kind": "duplicate_payout", "subject": payout, "sign": 1, "size": 1})
    return found
