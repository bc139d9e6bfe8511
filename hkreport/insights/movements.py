"""What changed over time: the level of revenue, and what one more post brings."""

import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from hkreport import metrics as m
from hkreport import periods
from hkreport.insights.records import Effect, Evidence, Insight
from hkreport.methods import changes
from hkreport.methods.budget import carry_over
from hkreport.methods.estimate import Refusal
from hkreport.metrics import UNASSIGNED
from hkreport.units import Unit, text

if TYPE_CHECKING:
    import pandas as pd

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
    way = "higher" if change.value > 0 else "lower"
    basis = "than a year before, compared with the weeks until then" if found.is_seasonal else "than in the weeks before"  # fmt: skip
    ends = sorted(abs(end_) for end_ in (change.low, change.high))
    stake = abs(change.value) * before * found.after
    yield Insight(
        rule="trend_break",
        kind="trend",
        subject=weeks[found.at],
        statement=(
            f"Since about the week of {weeks[found.at]}, weekly revenue is {text(abs(change.value), Unit.PERCENT)} "
            f"{way} {basis} ({change.confidence:.0%} interval {text(ends[0], Unit.PERCENT)} to "
            f"{text(ends[1], Unit.PERCENT)}, {found.before} weeks against {found.after})."
        ),
        evidence=Evidence.of(
            change, numbers={"weeks_before": found.before, "weeks_after": found.after,
                             "weekly_revenue_before": before, "is_seasonal": found.is_seasonal},
        ),
        severity="high" if change.value < 0 else "low",
        action="Find out what changed that week: stock, price, tracking, campaigns, or the market."
        if change.value < 0
        else "Find out what changed that week, and keep it.",
        stake=stake,
    )  # fmt: skip


def creative_fatigue(report: "Report") -> Iterator[Insight]:
    """Influencers who post often and sell less with each further post."""
    past = report.past
    if not {"posts", "reach", "influencer_orders"} <= past.known:
        return
    frame = m.compute(
        past.rows,
        [m.POSTS, m.REACH, m.INFLUENCER_ORDERS, m.INFLUENCER_REVENUE],
        by=["influencer", "month"],
        known=past.known,
    )
    frame = frame[(frame["influencer_id"] != UNASSIGNED) & (frame["month"] != UNASSIGNED)]
    frame = _with_carry(frame, report.settings.budget.half_life_hours)
    frame = frame[(frame["posts"] > 0) & (frame["seen"] > 0)]
    if frame.empty:
        return
    who = frame["influencer_id"].astype("category").cat.codes.to_numpy().astype(np.int64)
    found = changes.fatigue(
        who,
        frame["influencer_orders"].to_numpy(float),
        frame["seen"].to_numpy(float),
        frame["posts"].to_numpy(float),
        confidence=report.settings.insights.confidence,
        least_influencers=report.settings.insights.least_influencers,
    )
    if isinstance(found, Refusal) or found.p_value > LIMIT or found.high >= -LEAST_FATIGUE:
        return
    often = frame[frame["posts"] >= 3]
    revenue = float(report.totals["influencer_revenue"])
    share = float(often["influencer_revenue"].sum() / max(frame["influencer_revenue"].sum(), 1e-9))
    stake = abs(found.value) * max(share, 0.0) * max(revenue, 0.0)
    ends = [text(abs(end), Unit.PERCENT) for end in (found.high, found.low)]
    yield Insight(
        rule="creative_fatigue",
        kind="trend",
        subject="posts in a month",
        statement=(
            f"With each further post of an influencer in a month, people reached order "
            f"{text(abs(found.value), Unit.PERCENT)} less ({found.confidence:.0%} interval {ends[0]} to "
            f"{ends[1]}, within {found.n} influencers)."
        ),
        evidence=Evidence.of(found, numbers={"revenue_in_months_of_3_or_more_posts": share}),
        severity="medium",
        action="Spread posts of an influencer over more weeks, and change the creative before the third.",
        effect=Effect(value=stake, words="credited revenue in a period like this, if one post less in busy months"),
        stake=stake,
    )  # fmt: skip


def _with_carry(frame: "pd.DataFrame", half_life_hours: float) -> "pd.DataFrame":
    """People whose orders fall into each month: mostly those reached in it, some of the month before.

    Without them, a month with many posts would look tired only because its orders are still coming.
    """
    months = sorted(frame["month"].unique())
    first, last = (datetime.date.fromisoformat(f"{month}-01") for month in (months[0], months[-1]))
    every = periods.steps(first, last + periods.DAY, "month")
    wide = frame.pivot_table(index="influencer_id", columns="month", values="reach", aggfunc="sum")
    wide = wide.reindex(columns=every).fillna(0.0)
    late = 1 - float(carry_over(half_life_hours, weeks=2, days=30.4)[0])
    seen = (1 - late) * wide + late * wide.shift(1, axis=1).fillna(0.0)
    long = seen.reset_index().melt("influencer_id", var_name="month", value_name="seen")
    return frame.merge(long, on=["influencer_id", "month"], how="left")
