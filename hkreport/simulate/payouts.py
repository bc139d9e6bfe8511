"""What influencers are paid: a row for an influencer, a month and, where the export names it, a brand."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from hkreport.schema import BASES
from hkreport.simulate.posts import Posts, fees, numbered, taken
from hkreport.simulate.tally import Tally
from hkreport.simulate.trials import Trials
from hkreport.simulate.world import Flags, Floats, Ints, World

__all__ = ["Payouts", "settle", "table"]


@dataclass(frozen=True, slots=True)
class Payouts:
    """What is paid, before anything is written; money in paise.

    Attributes
    ----------
    spend : array of int, shape (influencers, brands, months)
        True cost of the work of a month, bonuses included, boosts left out.
    fixed, by_order, bonus : array of int, same shape
        Its parts.
    boost : array of int, shape (brands,)
        Paid for boosted posts.
    boost_posts : array of int
        The boosted posts.
    boost_paid : array of int
        Paid for each of them.
    """

    fixed: Ints
    by_order: Ints
    bonus: Ints
    boost: Ints
    boost_posts: Ints
    boost_paid: Ints

    @property
    def spend(self) -> Ints:
        """All parts together."""
        return self.fixed + self.by_order + self.bonus


def settle(world: World, posts: Posts, trials: Trials, tally: Tally) -> Payouts:
    """Work out what each influencer earned with each brand in each month."""
    panel, asked = world.influencers, world.settings.payouts
    shape = tally.delivered.shape
    basis = panel.basis[:, None, None]
    cell = _cells(world, posts)
    fixed_share = np.array([1.0, 0.0, asked.hybrid_fee])[panel.basis[posts.influencer]]
    fixed = _summed(cell, np.rint(posts.fee * fixed_share), shape)
    rate = np.where(panel.basis == 1, panel.order_rate, asked.hybrid_order * (panel.basis == 2))
    by_order = tally.delivered * np.rint(rate * 100).astype(np.int64)[:, None, None]
    by_order = by_order + np.where(basis == 1, tally.commission, 0)
    base = fixed + by_order
    bonus = np.where(_on_target(world, posts, tally), np.rint(base * asked.bonus), 0)
    boosted = np.flatnonzero(posts.boosted)
    boost, paid = _boosts(world, posts, trials, tally, boosted)
    return Payouts(
        fixed=fixed,
        by_order=by_order,
        bonus=bonus.astype(np.int64),
        boost=boost,
        boost_posts=boosted,
        boost_paid=paid,
    )


def _cells(world: World, posts: Posts) -> Ints:
    """Flat index of influencer, brand and month of each post."""
    brands, months = len(world.brands), len(world.calendar.months)
    month = world.calendar.month[posts.day]
    return (posts.influencer * brands + posts.brand) * months + month


def _summed(cell: Ints, values: Ints | Floats, shape: tuple[int, ...]) -> Ints:
    sums = np.bincount(cell, values, minlength=int(np.prod(shape)))
    return np.rint(sums).astype(np.int64).reshape(shape)


def _on_target(world: World, posts: Posts, tally: Tally) -> Flags:
    """Whether the month earned a bonus; where rows name no brand, all brands count together."""
    asked, effects = world.settings.payouts, world.settings.effects
    usual = effects.tracked + sum(world.rules.poaching) / 2
    cell = _cells(world, posts)
    shape = tally.credited.shape
    sums = np.bincount(cell, posts.typical * usual, minlength=int(np.prod(shape)))
    target = asked.bonus_target * sums.reshape(shape)
    together = ~world.influencers.brand_known[:, None, None]
    credited = np.where(together, tally.credited.sum(1, keepdims=True), tally.credited)
    target = np.where(together, target.sum(1, keepdims=True), target)
    return (target > 0) & (credited > target)


def _boosts(
    world: World, posts: Posts, trials: Trials, tally: Tally, boosted: Ints
) -> tuple[Ints, Ints]:
    """Money for boosted posts: so much for each treated user, divided among a brand's boosted posts."""
    total = np.zeros(len(world.brands), np.int64)
    paid = np.zeros(len(boosted), np.int64)
    if trials.experiment is None:
        return total, paid
    for brand, about in enumerate(world.settings.brands.values()):
        mine = np.flatnonzero(posts.brand[boosted] == brand)
        if not len(mine):
            continue
        each = int(tally.members[brand].treated.sum() * about.boost_cost * 100) // len(mine)
        each -= each % 100  # whole rupees
        paid[mine] = each
        total[brand] = each * len(mine)
    return total, paid


def table(
    world: World, posts: Posts, trials: Trials, tally: Tally, payouts: Payouts
) -> tuple[pa.Table, list[str]]:
    """The payouts as exported, and the ids of rows that are paid a second time.

    Where an influencer's rows name no brand, a month of all brands is one row.
    """
    panel = world.influencers
    post_count = _summed(_cells(world, posts), np.ones(len(posts)), tally.credited.shape)
    known = panel.brand_known
    named = _rows(payouts, tally, post_count, known, merged=False)
    unnamed = _rows(payouts, tally, post_count, ~known, merged=True)
    rows = {name: np.concatenate([named[name], unnamed[name]]) for name in named}
    rows["post"] = np.full(len(rows["month"]), -1)
    _append_boosts(world, posts, trials, payouts, rows)
    order = np.lexsort((rows["post"], rows["brand"], rows["influencer"], rows["month"]))
    rows = {name: values[order] for name, values in rows.items()}
    doubled = _doubled(world, rows)
    keep = np.sort(np.concatenate([np.arange(len(order)), doubled]), kind="stable")
    second = np.zeros(len(keep), bool)
    second[1:] = keep[1:] == keep[:-1]
    rows = {name: values[keep] for name, values in rows.items()}
    made = _exported(world, posts, rows)
    return made, made["payout_id"].filter(pa.array(second)).to_pylist()


def _rows(
    payouts: Payouts, tally: Tally, post_count: Ints, chosen: Flags, *, merged: bool
) -> dict[str, Ints]:
    """Rows of the chosen influencers; −1 for no brand."""
    parts = {
        "total": payouts.spend,
        "bonus": payouts.bonus,
        "orders": tally.delivered,
        "posts": post_count,
    }
    parts = {
        name: values.sum(1, keepdims=True) if merged else values for name, values in parts.items()
    }
    influencer, brand, month = np.nonzero((parts["total"] > 0) & chosen[:, None, None])
    found = {name: values[influencer, brand, month] for name, values in parts.items()}
    return {
        "influencer": influencer,
        "brand": np.full_like(brand, -1) if merged else brand,
        "month": month,
        **found,
    }


def _append_boosts(
    world: World, posts: Posts, trials: Trials, payouts: Payouts, rows: dict[str, Ints]
) -> None:
    """One row for each boosted post, dated with the day on which the boost began."""
    found = trials.experiment
    boosted = payouts.boost_posts
    if found is None or not len(boosted):
        return
    number = len(boosted)
    more = {
        "influencer": posts.influencer[boosted],
        "brand": posts.brand[boosted],
        "month": np.full(number, world.calendar.month[found.first]),
        "total": payouts.boost_paid,
        "bonus": np.zeros(number, np.int64),
        "orders": np.zeros(number, np.int64),
        "posts": np.ones(number, np.int64),
        "post": boosted,
    }
    for name, values in more.items():
        rows[name] = np.concatenate([rows[name], values])


def _doubled(world: World, rows: dict[str, Ints]) -> Ints:
    """Rows that are paid twice: a few of the larger ones, in different months."""
    if world.scenario != "planted":
        return np.empty(0, np.int64)
    wanted = world.settings.scenarios.planted.duplicate_payouts
    large = np.argsort(-rows["total"], kind="stable")[: 20 * wanted]
    _, first = np.unique(rows["month"][large], return_index=True)
    return np.sort(large[np.sort(first)[:wanted]])


def _exported(world: World, posts: Posts, rows: dict[str, Ints]) -> pa.Table:
    """Canonical columns for the rows."""
    panel, asked = world.influencers, world.settings.payouts
    who, month, number = rows["influencer"], rows["month"], len(rows["month"])
    is_boost = rows["post"] >= 0
    basis = np.where(is_boost, 0, panel.basis[who])
    fee = fees(world, who, month) / 100
    order_rate = panel.order_rate[who] + panel.commission[who]
    rate = np.choose(basis, [fee, order_rate, np.rint(fee * asked.hybrid_fee * 100) / 100])
    rate = np.where(is_boost, rows["total"] / 100, rate)
    rng = world.stream("payouts")
    wait = rng.integers(asked.invoice_days[0], asked.invoice_days[1] + 1, number)
    last_day = np.searchsorted(world.calendar.month, month, side="right") - 1
    invoiced = last_day + wait
    dates = world.calendar.dates(invoiced)
    started = world.calendar.days - world.settings.experiment.days_before_end
    service = world.calendar.dates(np.full(number, max(started, 0)))
    campaign = posts.campaign[np.maximum(rows["post"], 0)] if len(posts) else who * 0
    return pa.table(
        {
            "payout_id": numbered("PAY_", np.arange(number)),
            "influencer_id": pa.array(panel.table["influencer_id"].tolist()).take(pa.array(who)),
            "basis": taken(BASES, basis),
            "rate": pa.array(rate),
            "orders": pa.array(rows["orders"], mask=basis == 0),
            "posts": pa.array(rows["posts"], mask=basis == 1),
            "brand": pa.array(list(world.brands), pa.string()).take(
                pa.array(rows["brand"], mask=rows["brand"] < 0)
            ),
            "campaign": pa.array(list(posts.campaigns), pa.string()).take(
                pa.array(campaign, mask=~is_boost)
            ),
            "date": pa.array(service, mask=~is_boost),
            "total_payout": pa.array(rows["total"] / 100),
            "performance_bonus": pa.array(rows["bonus"] / 100),
            "invoice_date": pa.array(dates, mask=invoiced >= world.calendar.days),
        }
    )
