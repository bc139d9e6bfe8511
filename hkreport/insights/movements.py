"""What changed over time: the level of revenue, and what one more post brings."""

import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from hkreport import metrics as m
from hkreport import periods
from hkreport.insights.records import Effect, Evidence, Insight
from hkreport.methods import changes
from hkreport.methods.estimate import Refusal
from hkreport.metrics import UNASSIGNED
from hkreport.units import Unit, text

if TYPE_CHECKING:
    import pandas as pd

    from hkreport.ledger import Ledger
    from hkreport.views import Report

__all__ = ["creative_fatigue", "trend_break"]

# A p-value above this is no fact; both rules ask one question a report each.
LIMIT = 0.01

# Change of orders with one more post below which nobody would post otherwise.
LEAST_FATIGUE = 0.01


def trend_break(report: "Report") -> Iterator[Insight]:
    """A week of the period from which revenue stands at another level."""
    past = report.past
    if "revenue" not in past.known or report.data.ledger.first is None:
        return
    if report.data.ledger.step == "month":
        return
    last = report.data.ledger.last or report.period.last
    end = min(report.period.end, last + periods.DAY)
    weeks = periods.steps(report.data.ledger.first, end, "week", whole=True)
    frame = m.compute(past.rows, [m.REVENUE], by=["week"], known=past.known)
    values = frame.set_index("week")["revenue"].reindex(weeks).fillna(0.0).to_numpy(float)
    inside = [place for place, week in enumerate(weeks) if week >= report.period.start.isoformat()]
    if not inside:
        return
    found = changes.level_break(values, inside[0])
    if isinstance(found, Refusal):
        return
    change = found.change
    rules = report.settings.insights
    if change.p_value > LIMIT or abs(change.value) < rules.least_break:
        return
    before = float(np.mean(values[max(0, found.at - found.before) : found.at]))
    dates = [weeks[min(place, len(weeks) - 1)] for place in (found.first, found.last)]
    statement, action = _break_words(found, weeks[found.at], dates)
    stake = abs(change.value) * before * found.after
    yield Insight(
        rule="trend_break",
        kind="trend",
        subject=weeks[found.at],
        statement=statement,
        evidence=Evidence.of(
            change, numbers={"weeks_before": found.before, "weeks_after": found.after,
                             "earliest_week": dates[0], "latest_week": dates[1],
                             "weekly_revenue_before": before, "is_seasonal": found.is_seasonal,
                             "is_step": found.is_step},
        ),
        severity="low" if change.value > 0 else "high" if found.is_step else "medium",
        action=action,
        stake=stake,
    )  # fmt: skip


def _break_words(found: changes.Break, week: str, around: list[str]) -> tuple[str, str]:
    """What is said of a break, and what to do about it."""
    change = found.change
    since, *dates = (periods.worded(datetime.date.fromisoformat(day)) for day in (week, *around))
    way = "higher" if change.value > 0 else "lower"
    low, high = sorted(abs(end) for end in (change.low, change.high))
    share, *ends = (text(each, Unit.PERCENT) for each in (abs(change.value), low, high))
    interval = f"{change.confidence:.0%} interval {' to '.join(ends)}"
    if not found.is_step:
        return (
            f"Held against the same weeks a year before, revenue of the {found.after} weeks from {since} on "
            f"is {share} {way} than that of the {found.before} weeks until then ({interval}). Whether that came "
            "in one week or bit by bit, as growth that slows or picks up does, these weeks do not tell.",
            "Look at when it began, in these weeks or before them, and at what changed then.",
        )
    basis = "than a year before, compared with the weeks until then" if found.is_seasonal else "than in the weeks before"  # fmt: skip
    doubt = "" if found.is_seasonal else "; on so short a past, a season may look alike"
    return (
        f"Since about the week of {since} ({changes.DATED:.0%} interval {' to '.join(dates)}), "
        f"weekly revenue is {share} {way} {basis} ({interval}, {found.before} weeks against "
        f"{found.after}{doubt}).",
        "Find out what changed that week, and keep it."
        if change.value > 0
        else "Find out what changed that week: stock, price, tracking, campaigns, or the market.",
    )


def creative_fatigue(report: "Report") -> Iterator[Insight]:
    """Influencers who post often and sell less with each further post."""
    past = report.past
    if not {"posts", "reach", "influencer_orders"} <= past.known:
        return
    if report.data.ledger.step != "day":  # sales of a day before a post would look like its own
        return
    posts = _posts(past)
    if len(posts) < 2:
        return
    rules = report.settings.insights
    sales = _sales(past, posts)
    found = changes.fatigue(
        sales,
        half_life_hours=report.settings.budget.half_life_hours,
        confidence=rules.confidence,
        least_influencers=rules.least_influencers,
    )
    if isinstance(found, Refusal) or found.p_value > LIMIT or found.high >= -LEAST_FATIGUE:
        return
    # Posts that follow at least two others could have come later.
    often = sales.earlier >= 2
    share = float(sales.reach[often].sum() / sales.reach.sum())
    revenue = max(float(report.totals["influencer_revenue"]), 0.0)
    gains = [-share * revenue * value for value in (found.value, found.high, found.low)]
    ends = [text(abs(end), Unit.PERCENT) for end in (found.high, found.low)]
    yield Insight(
        rule="creative_fatigue",
        kind="trend",
        subject="posts of the same influencer",
        statement=(
            f"With each further post of an influencer within four weeks, people reached order "
            f"{text(abs(found.value), Unit.PERCENT)} less ({found.confidence:.0%} interval {ends[0]} to "
            f"{ends[1]}, within {found.n} influencers). {text(share, Unit.PERCENT)} of reach is that of "
            f"posts that follow two or more."
        ),
        evidence=Evidence.of(
            found, numbers={"share_of_reach_after_two_or_more": share, "posts": len(posts)}
        ),
        severity="medium",
        action="Spread posts of an influencer over more weeks, and change the creative before the third.",
        effect=Effect(
            value=gains[0], low=gains[1], high=gains[2],
            words="credited revenue in a period like this, if each of those posts followed one fewer",
        ),
        stake=gains[0],
    )  # fmt: skip


def _posts(past: "Ledger") -> "pd.DataFrame":
    """Posts with known reach: who, when, for which brand, and in which cell of what is published."""
    rows = past.rows.filter(past.rows["kind"] == "post", past.rows["influencer_id"].notnull())
    rows = rows.filter(rows["reach"] > 0, rows["date"].notnull())
    names = ["influencer_id", "brand", "post_platform", "tier"]
    frame = rows.select(*names, "date", reach=rows["reach"].cast("float64")).to_pandas()
    frame[names] = frame[names].astype(object).where(frame[names].notna(), UNASSIGNED)
    return frame.sort_values([*names, "date", "reach"], ignore_index=True)


def _sales(past: "Ledger", posts: "pd.DataFrame") -> changes.Sales:
    """Posts and the orders of those who posted, as :func:`hkreport.methods.changes.fatigue` takes them."""
    import pandas as pd

    selling = past.rows.filter(past.rows[m.INFLUENCER_ORDERS.column] != 0)
    sold = m.compute(
        selling, [m.INFLUENCER_ORDERS], by=["influencer", "brand", "day"], known=past.known
    )
    sold = sold[(sold["influencer_orders"] > 0) & (sold["day"] != UNASSIGNED)]
    keys = pd.MultiIndex.from_frame(posts[["influencer_id", "brand"]])
    units = keys.unique()
    place = units.get_indexer(pd.MultiIndex.from_frame(sold[["influencer_id", "brand"]]))
    sold, place = sold[place >= 0], place[place >= 0]
    dates = pd.to_datetime(posts["date"])
    # Whole weeks from a Monday on, as everywhere.
    start = dates.min() - pd.Timedelta(days=int(dates.min().weekday()))
    day = (dates - start).dt.days.to_numpy(np.int64)
    sold_day = (pd.to_datetime(sold["day"]) - start).dt.days.to_numpy(np.int64)
    after = sold_day >= 0
    person = posts["influencer_id"].astype("category").cat.codes.to_numpy().astype(np.int64)
    usual = np.bincount(person, posts["reach"]) / np.bincount(person)
    cell = posts.groupby(["brand", "post_platform", "tier"]).ngroup().to_numpy(np.int64)
    beside = np.unique(cell * (int(day.max()) // 7 + 1) + day // 7, return_inverse=True)[1]
    return changes.Sales(
        person=person,
        unit=units.get_indexer(keys).astype(np.int64),
        day=day.astype(np.int64),
        reach=posts["reach"].to_numpy(float),
        crowd=np.log(np.bincount(beside, usual[person])[beside]),
        sold_unit=place[after].astype(np.int64),
        sold_day=sold_day[after].astype(np.int64),
        orders=sold["influencer_orders"].to_numpy(float)[after],
    )
