"""Journeys of customers in one report: which touches lie before which orders.

Touches are joined to orders by customer, within the windows of the params; or, where there are none, the
influencer's posts to her credited orders. Journeys of one touch are summed in the database, so that
only those of several are fetched, touch by touch. What credit they give is worked out in
:mod:`hkreport.evidence.attribution`.
"""

import contextlib
import datetime
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hkreport import ledger as books
from hkreport.evidence.once import once
from hkreport.metrics import UNASSIGNED
from hkreport.views import Report

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

__all__ = ["NO_POST", "Journeys", "by_platform", "by_source", "credited", "posted", "touched"]

NO_POST = "no post in the window"

# What a journey led to, as exact decimals; `coded` are orders that the export credits to an influencer.
AMOUNTS = ("conversions", "revenue", "coded")
AMOUNT = "decimal(38, 6)"


@dataclass(frozen=True)
class Journeys:
    """Journeys of one touch summed by channel, and those of several touch by touch in order."""

    single: "pd.DataFrame"
    several: "pd.DataFrame"
    coded: float = 0.0

    @functools.cached_property
    def heads(self) -> "pd.DataFrame":
        """First touch of each journey of several touches."""
        return self.several.drop_duplicates("journey")

    @property
    def paths(self) -> float:
        """Journeys, with an order or without."""
        return float(self.single["times"].sum()) + len(self.heads)

    def total(self, name: str) -> float:
        """Sum over all journeys."""
        return float(self.single[name].sum()) + float(self.heads[name].sum())


def touched(report: Report) -> "tuple[Journeys | None, str]":
    """Journeys along the touchpoints, or the sentence that says why there are none."""
    touchpoints = report.data.table("touchpoints")
    if touchpoints is None:
        return None, "The exports hold no touchpoints, so no path to an order is known."
    if "user_id" not in report.population.known or "orders" not in report.population.known:
        return None, "Orders carry no customer ids, so touches cannot be joined to them."
    touches = _touches(report, touchpoints)
    # Stored, since both halves of the journeys are made of them; and mostly there are none.
    with _stored(_led(touches, _bought(report))) as led:
        if not int(led.count().to_pandas()):
            return None, "No order of this period has a touch within the windows before it."
        return _journeys(report, touches, led), ""


def _journeys(report: Report, touches: "ir.Table", led: "ir.Table") -> Journeys:
    """Touches that led to an order, and those of the period that led to none."""
    import ibis

    idle = touches.filter(
        touches["day"] >= _literal(report.period.start),
        touches["day"] < _literal(report.period.end),
    )
    idle = idle.anti_join(led, "row").mutate(
        date=_nothing("date"),
        **dict.fromkeys(AMOUNTS, ibis.literal(0).cast(AMOUNT)),
    )
    columns = [
        *("user_id", "date", "moment", "influencer_id", "platform", "post_id", "touch"),
        *("engagement", "conversions", "revenue", "coded"),
    ]
    rows = led.select(*columns).union(idle.select(*columns))
    journey = ["user_id", "date"]
    seconds = rows["moment"].epoch_seconds()
    # Both at once, so that the touches are sorted once.
    rows = rows.mutate(
        age=(seconds.max().over(group_by=journey) - seconds) / 3600.0,
        touches=rows["influencer_id"].count().over(group_by=journey),
    )
    return _collapsed(_with_people(report, rows), journey)


def _literal(day: datetime.date) -> "ir.Scalar":
    import ibis

    return ibis.literal(day)


def _nothing(kind: str) -> "ir.Scalar":
    import ibis

    return ibis.null().cast(kind)


def _touches(report: Report, touchpoints: "ir.Table") -> "ir.Table":
    """Touches that may count: of the brand's posts or of posts that name no brand."""
    import ibis

    windows = report.settings.attribution
    longest = datetime.timedelta(days=max(windows.view_days, windows.click_days))
    known = touchpoints.filter(
        touchpoints["user_id"].notnull(),
        touchpoints["timestamp"].notnull(),
        touchpoints["influencer_id"].notnull(),
    )
    is_click = (known["touch"].lower() == "click").fill_null(False)
    known = known.mutate(
        moment=known["timestamp"].cast("timestamp"),
        day=known["timestamp"].date(),
        window=ibis.ifelse(is_click, windows.click_days, windows.view_days),
    )
    known = known.filter(
        known["day"] >= _literal(report.period.start - longest),
        known["day"] < _literal(report.period.end),
    )
    posts = _posts(report)
    known = known.left_join(posts, known["post_id"] == posts["p_post_id"])
    if report.brand is not None:
        known = known.filter(known["p_brand"].isnull() | (known["p_brand"] == report.brand))
    return known.select(
        *("row", "user_id", "moment", "day", "window", "influencer_id", "post_id", "touch"),
        platform=known["platform"].coalesce(known["p_platform"]),
        engagement=known["p_engagement"],
    )


def _posts(report: Report) -> "ir.Table":
    """Posts by id, with brand, platform and engagement by reach (at most 1)."""
    import ibis

    posts = report.data.table("posts")
    if posts is None:
        names = ("p_post_id", "p_brand", "p_platform")
        empty = dict.fromkeys(names, "string") | {"p_engagement": "float64"}
        return ibis.memtable([], schema=empty)
    posts = posts.filter(posts["post_id"].notnull()).mutate(engagement=_engagement(posts))
    return posts.group_by(p_post_id=posts["post_id"]).aggregate(
        p_brand=posts["brand"].max(),
        p_platform=posts["platform"].max(),
        p_engagement=posts["engagement"].max(),
    )


def _engagement(posts: "ir.Table") -> "ir.Value":
    """Likes and comments by reach; above 1 the reach is doubtful, and 1 is taken."""
    import ibis

    acts = posts["likes"].fill_null(0).cast("float64") + posts["comments"].fill_null(0).cast(
        "float64"
    )
    told = (posts["likes"].notnull() | posts["comments"].notnull()) & (posts["reach"] > 0)
    rate = ibis.least(acts / posts["reach"].cast("float64").nullif(0), 1.0)
    return ibis.ifelse(told, rate, ibis.null().cast("float64"))


def _bought(report: Report) -> "ir.Table":
    """Orders of the period by customer and day."""
    rows = report.population.rows
    rows = rows.filter(rows["kind"] == "order", rows["user_id"].notnull(), rows["date"].notnull())
    bought = rows.group_by("user_id", "date").aggregate(
        conversions=rows["orders"].sum().cast(AMOUNT),
        revenue=rows["revenue"].sum().fill_null(0).cast(AMOUNT),
        coded=rows["influencer_orders"].sum().fill_null(0).cast(AMOUNT),
    )
    return bought.filter(bought["conversions"] > 0)


def _led(touches: "ir.Table", orders: "ir.Table") -> "ir.Table":
    """Touches with the orders that they led to; a touch may lead to several.

    Orders have a day and no hour: a touch on the day of the order counts as before it.
    """
    orders = orders.rename(buyer="user_id")
    pairs = touches.inner_join(
        orders, [touches["user_id"] == orders["buyer"], touches["day"] <= orders["date"]]
    ).drop("buyer")
    return pairs.filter(pairs["date"].delta(pairs["day"], unit="day") <= pairs["window"])


@once
def _people(report: Report) -> "ir.Table":
    """Tier and home platform of the influencers, worked out once and kept in the database."""
    events = report.data.ledger.rows
    # Posts and payouts are few and know their influencer; so do the orders of the period.
    events = events.filter(events["influencer_id"].notnull())
    others = events.filter(events["kind"] != "order")
    sold = report.population.rows
    sold = sold.filter(sold["influencer_id"].notnull())
    columns = ("influencer_id", "platform", "tier")
    known = others.select(*columns).union(sold.select(*columns))
    return books.stored(
        known.group_by(person=known["influencer_id"]).aggregate(
            home=known["platform"].max(), tier=known["tier"].max()
        )
    )


def _with_people(report: Report, rows: "ir.Table") -> "ir.Table":
    """Add tier and home platform of the influencers."""
    people = _people(report)
    rows = rows.left_join(people, rows["influencer_id"] == people["person"])
    return rows.mutate(
        home=rows["home"].fill_null(UNASSIGNED),
        platform=rows["platform"].coalesce(rows["home"]).fill_null(UNASSIGNED),
        tier=rows["tier"].fill_null(UNASSIGNED),
    ).drop("person")


@contextlib.contextmanager
def _stored(rows: "ir.Table") -> "Iterator[ir.Table]":
    """Rows that are worked out once, kept for a while, with the types that they had."""
    kept = books.stored(rows)
    found = kept.schema()
    changed = {name: kind for name, kind in rows.schema().items() if found[name] != kind}
    try:
        yield kept.cast(changed) if changed else kept
    finally:
        backend = rows.get_backend()
        if backend.name == "duckdb":  # Ibis 12 writes a DROP that DuckDB does not read
            backend.raw_sql(f'DROP TABLE "{kept.op().name}"')


def _collapsed(rows: "ir.Table", journey: Sequence[str]) -> Journeys:
    """Sum journeys of one touch by channel; fetch the others, touch by touch in order of time."""
    with _stored(rows) as kept:
        single = _alone(kept.filter(kept["touches"] == 1)).to_pandas()
        several = _in_order(kept.filter(kept["touches"] > 1), journey).to_pandas()
    several = _by_content(several)
    several["nulls"] = (several["conversions"] == 0).astype(float)
    return Journeys(single, several)


def _alone(one: "ir.Table") -> "ir.Table":
    """Journeys of one touch, summed by channel; sums are of decimals, so that their order is no matter."""
    summed = one.group_by("influencer_id", "platform", "tier").aggregate(
        times=one["influencer_id"].count().cast("float64"),
        nulls=(one["conversions"] == 0).sum().cast("float64"),
        **{name: one[name].sum().cast("float64") for name in AMOUNTS},
    )
    return summed.order_by("influencer_id", "platform", "tier")


def _in_order(many: "ir.Table", journey: Sequence[str]) -> "ir.Table":
    """Touches of the other journeys, journey by journey in order of time."""
    import ibis

    place = [many[name] for name in ("moment", "influencer_id", "post_id", "touch", "engagement")]
    number = ibis.dense_rank().over(order_by=[many[name] for name in journey])
    numbered = many.mutate(journey=number, **{name: many[name].cast("float64") for name in AMOUNTS})
    columns = ("journey", "influencer_id", "platform", "tier", "age", "engagement")
    return numbered.order_by([numbered["journey"], *place]).select(*columns, *AMOUNTS)


def _by_content(several: "pd.DataFrame") -> "pd.DataFrame":
    """The journeys in an order that their touches tell: sums of floats must not depend on pseudonyms.

    Journeys that are alike in all may stand in any order.
    """
    import numpy as np
    import pandas as pd

    if several.empty:
        return several
    journey = several["journey"].to_numpy()
    begins = np.flatnonzero(np.r_[True, journey[1:] != journey[:-1]])
    which = np.cumsum(np.r_[False, journey[1:] != journey[:-1]])
    told = several.drop(columns="journey").assign(place=np.arange(len(journey)) - begins[which])
    # Sums of 64-bit hashes of the touches, each with its place.
    marks = np.add.reduceat(pd.util.hash_pandas_object(told, index=False).to_numpy(), begins)
    rank = np.argsort(np.argsort(marks, kind="stable"), kind="stable")
    ordered = several.assign(journey=rank[which])
    return ordered.iloc[np.argsort(rank[which], kind="stable")].reset_index(drop=True)


# Without touchpoints


def credited(report: Report) -> "ir.Table":
    """Orders of the period that the export credits to an influencer.

    Rows that take orders back have no part in it: no post leads to them, and shares of what is left
    would not add up.
    """
    rows = _credited(report)
    return rows.filter(rows["orders"] > 0)


def taken_back(report: Report) -> float:
    """Orders that rows with a negative number take back from those."""
    rows = _credited(report)
    found = rows.filter(rows["orders"] < 0)["orders"].sum().fill_null(0)
    return -float(found.cast("float64").to_pandas())


def _credited(report: Report) -> "ir.Table":
    rows = report.population.rows
    return rows.filter(
        rows["kind"] == "order",
        rows["channel"] == "influencer",
        rows["influencer_id"].notnull(),
        rows["date"].notnull(),
    )


def posted(report: Report, sold: "ir.Table", posts: "ir.Table") -> Journeys:
    """Each credited order with the influencer's posts in the view window before it.

    A post on the day of the order counts as before it; a post of another brand does not count.
    """
    import ibis

    bought = sold.group_by("influencer_id", "brand", "date").aggregate(
        conversions=sold["orders"].sum().fill_null(0).cast(AMOUNT),
        revenue=sold["revenue"].sum().fill_null(0).cast(AMOUNT),
        coded=sold["influencer_orders"].sum().fill_null(0).cast(AMOUNT),
    )
    bought = bought.filter(bought["conversions"] > 0)
    journey = ["influencer_id", "brand", "date"]
    with _stored(bought.mutate(sale=ibis.row_number().over(order_by=journey))) as sales:
        return _collapsed(_with_people(report, _after_posts(report, sales, posts)), journey)


def _after_posts(report: Report, sales: "ir.Table", posts: "ir.Table") -> "ir.Table":
    """Sales with the posts in the window before each; once and without a post where there is none.

    The inner join goes by influencer alone and what else must hold is a filter, since a database compares
    everything with everything for an outer join with such conditions.
    """
    import ibis

    days = report.settings.attribution.view_days
    first = report.period.start - datetime.timedelta(days=days)
    posts = posts.filter(
        posts["influencer_id"].notnull(),
        posts["date"] >= _literal(first),
        posts["date"] < _literal(report.period.end),
    ).select(
        author="influencer_id",
        day="date",
        about="brand",
        post_id=posts["post_id"].coalesce(posts["url"]),
        platform=posts["platform"],
        engagement=_engagement(posts),
        seen=ibis.literal(True),
    )
    met = sales.inner_join(posts, sales["influencer_id"] == posts["author"])
    met = met.filter(
        met["day"] <= met["date"],
        met["date"].delta(met["day"], unit="day") <= days,
        met["brand"].isnull() | met["about"].isnull() | (met["brand"] == met["about"]),
    )
    met = met.select("day", "post_id", "platform", "engagement", "seen", of="sale")
    rows = sales.left_join(met, sales["sale"] == met["of"]).drop("of")
    return rows.mutate(
        platform=ibis.ifelse(rows["seen"].isnull(), NO_POST, rows["platform"]),
        moment=rows["day"].cast("timestamp"),
        touch=_nothing("string"),
        age=rows["date"].delta(rows["day"], unit="day").cast("float64"),
        touches=rows["influencer_id"].count().over(group_by="sale"),
    )


def by_platform(
    rows: "ir.Table", platform: "ir.Value", missing: str = UNASSIGNED
) -> "pd.DataFrame":
    """Orders and revenue by platform."""
    found = rows.group_by(platform=platform.fill_null(missing)).aggregate(
        orders=rows["orders"].sum().fill_null(0).cast("float64"),
        revenue=rows["revenue"].sum().fill_null(0).cast("float64"),
    )
    return found.to_pandas().sort_values("platform", ignore_index=True)


def by_source(report: Report, sold: "ir.Table", count: int) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Orders by platform of the post that their source names, and the posts with most of them."""
    posts = _posts(report).select("p_post_id", "p_platform")
    named_ = sold.group_by("source").aggregate(
        orders=sold["orders"].sum(), revenue=sold["revenue"].sum()
    )
    named_ = named_.left_join(posts, named_["source"] == posts["p_post_id"])
    known = named_.filter(named_["p_post_id"].notnull()).rename(post="p_post_id")
    most = known.select(
        "post", orders=known["orders"].cast("float64"), revenue=known["revenue"].cast("float64")
    )
    most = most.order_by(most["orders"].desc(), most["revenue"].desc(), "post").limit(count)
    frame = most.to_pandas()
    return by_platform(named_, named_["p_platform"], NO_POST), frame
