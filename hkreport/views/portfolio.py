"""Frames that set brands side by side: over time, and through the influencers they share."""

from typing import TYPE_CHECKING

from hkreport import metrics as m
from hkreport import periods
from hkreport.metrics import UNASSIGNED, Metric
from hkreport.views.report import Report

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "brands",
    "brands_note",
    "brands_over_time",
    "shared_influencers",
    "time_note",
    "time_step",
]

SHOWN = 8  # brands in a grid; the table has all
QUARTERS_FROM = 14  # months of data from which time is cut by quarter


def brands(report: Report) -> "pd.DataFrame":
    """Every metric by brand, largest revenue first, what belongs to no brand last."""
    return report.largest_first(report.by("brand"), m.REVENUE)


def _largest(report: Report) -> list[str]:
    frame = brands(report)
    return list(frame.loc[frame["brand"] != UNASSIGNED, "brand"].head(SHOWN))


def brands_note(report: Report) -> str:
    """Which brands a grid shows, where they are not all; empty otherwise."""
    frame = brands(report)
    named = int((frame["brand"] != UNASSIGNED).sum())
    return (
        f"Of {named} brands, the {SHOWN} with most revenue in this period." if named > SHOWN else ""
    )


def time_step(report: Report) -> str:
    """Month, or quarter where the data spans more than about a year."""
    first, last = report.data.ledger.first, report.data.ledger.last
    if first is None or last is None:
        return "month"
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    return "quarter" if months > QUARTERS_FROM else "month"


def brands_over_time(report: Report) -> "pd.DataFrame":
    """Revenue, spend and ROAS by brand and month or quarter, up to the period's end.

    Only the largest brands, and the last twelve steps.
    """
    step = time_step(report)
    chosen: list[Metric] = [m.REVENUE, m.INFLUENCER_REVENUE, m.SPEND, m.ROAS, m.INFLUENCER_ORDERS]
    frame = m.compute(report.past.rows, chosen, by=["brand", step], known=report.past.known)
    largest = _largest(report)
    frame = frame[frame["brand"].isin(largest) & (frame[step] != UNASSIGNED)]
    last = sorted(set(frame[step]))[-12:]
    rank = frame["brand"].map({name: at for at, name in enumerate(largest)})
    frame = frame.assign(rank=rank)[frame[step].isin(last)]
    return frame.sort_values(["rank", step], ignore_index=True).drop(columns="rank")


def time_note(report: Report, frame: "pd.DataFrame") -> str:
    """Which brands are left out over time, and which steps are cut where the orders begin or end."""
    shown = brands_note(report)
    step = time_step(report)
    first, last = report.data.ledger.first, report.data.ledger.last
    if frame.empty or first is None or last is None:
        return ""
    names, last = sorted(set(frame[step])), min(last, report.period.last)
    opening, closing = periods.parse(names[0]), periods.parse(names[-1])
    cut = []
    if opening.start < first <= opening.last:
        cut.append(f"the first {step} begins on {periods.worded(first)}")
    if closing.start <= last < closing.last:
        cut.append(f"the last {step} ends on {periods.worded(last)}")
    words = " and ".join(cut)
    return " ".join(filter(None, (shown, f"{words[:1].upper()}{words[1:]}." if cut else "")))


def shared_influencers(report: Report) -> "pd.DataFrame":
    """How many influencers sold or posted for two brands in the period; being paid alone is no work.

    Returns
    -------
    DataFrame
        ``brand``, ``other``, ``influencers`` (in both), ``share`` (of the first brand's); a brand with
        itself gives all of its influencers. No rows where the data names fewer than two brands.
    """
    import pandas as pd

    largest = _largest(report)
    if len(largest) < 2:
        return pd.DataFrame(columns=["brand", "other", "influencers", "share"])
    rows = report.current.rows
    rows = rows.filter(
        rows["kind"] != "payout", rows["influencer_id"].notnull(), rows["brand"].isin(largest)
    )
    worked = rows.select("brand", "influencer_id").distinct()
    again = worked.view().rename(other="brand")
    pairs = worked.join(again, "influencer_id").group_by(["brand", "other"])
    frame = pairs.aggregate(influencers=lambda t: t.count()).to_pandas()
    counts = {(row.brand, row.other): float(row.influencers) for row in frame.itertuples()}
    found = [
        {
            "brand": one,
            "other": other,
            "influencers": counts.get((one, other), 0.0),
            "share": counts.get((one, other), 0.0) / counts[one, one],
        }
        for one in largest
        for other in largest
        if (one, one) in counts
    ]
    return pd.DataFrame(found, columns=["brand", "other", "influencers", "share"])
