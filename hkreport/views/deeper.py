"""Frames beyond sums by group: benchmarks, concentration, cohorts, and the way from gross to net.

Each takes a :class:`~hkreport.views.Report` and gives a small tidy frame. Benchmarks and cohorts look at
everything up to the end of the period, never beyond it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hkreport import metrics as m
from hkreport.metrics import UNASSIGNED, Metric, Ratio
from hkreport.units import text
from hkreport.views.report import Report

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

__all__ = ["Bridge", "Cohorts", "benchmarks", "bridge", "cohorts", "concentration", "names_no_product",
           "paid", "spread"]  # fmt: skip

BENCHMARKED: tuple[Ratio, ...] = (
    m.ROAS,
    m.ENGAGEMENT_RATE_BY_REACH,
    m.COST_PER_INFLUENCER_ORDER,
)
TOP_SHARES = (0.01, 0.1, 0.2, 0.5, 1.0)
AGES_SHOWN = 12  # as many columns as a chart can name
MONTHS_SHOWN = 14  # more cohorts than that are drawn by quarter
COHORTS_SHOWN = 12


def spread(
    report: Report, dimension: str, metrics: Sequence[Ratio] = BENCHMARKED
) -> "pd.DataFrame":
    """Ratios of each influencer over everything up to the period's end, with her group.

    Parameters
    ----------
    report : Report
    dimension : str
        ``tier``, ``platform`` or another trait of influencers.
    metrics : sequence of Ratio

    Returns
    -------
    DataFrame
        One row an influencer: ``influencer_id``, `dimension`, the metrics (NaN where undefined). Who was
        never paid has no cost of anything, as she has no return: not one of ₹0.
    """
    needed: list[m.Metric] = [*metrics, m.SPEND]
    frame = m.compute(
        report.past.rows, needed, by=["influencer", dimension], known=report.past.known
    )
    frame = frame[(frame["influencer_id"] != UNASSIGNED) & (frame[dimension] != UNASSIGNED)]
    costs = [metric.name for metric in metrics if metric.is_cost]
    frame = frame.assign(**{name: frame[name].where(frame["spend"] > 0) for name in costs})
    return frame.drop(columns=["influencer", "spend"]).reset_index(drop=True)


def benchmarks(
    report: Report, dimension: str, metrics: Sequence[Ratio] = BENCHMARKED
) -> "pd.DataFrame":
    """Quartiles of the data's own history by group, with this report's value beside them.

    The sample are influencers: a quarter of them lies below ``low``, half below ``median``, a quarter
    above ``high``. This report's value is pooled (sums divided by sums), as everywhere else.

    Returns
    -------
    DataFrame
        One row a group and metric: `dimension`, ``metric`` (label), ``unit``, ``influencers``, ``low``,
        ``median``, ``high``, ``now``; and the four values as text, since each row has its own unit.
    """
    import pandas as pd

    history = spread(report, dimension, metrics)
    now = report.compute(metrics, dimension).set_index(dimension)
    order = {name: at for at, name in enumerate(reversed(report.tier_names))}
    rows = []
    for metric in metrics:
        known = history[history[metric.name].notna()]
        for group, values in known.groupby(dimension)[metric.name]:
            low, median, high = (float(values.quantile(q)) for q in (0.25, 0.5, 0.75))
            current = float(now[metric.name].get(group, math.nan))
            rows.append(
                {
                    dimension: str(group),
                    "metric": metric.label,
                    "unit": metric.unit.value,
                    "influencers": float(len(values)),
                    "low": low,
                    "median": median,
                    "high": high,
                    "now": current,
                    "range": f"{text(low, metric.unit)} to {text(high, metric.unit)}",
                    "median_text": text(median, metric.unit),
                    "now_text": text(current, metric.unit),
                    "order": (metrics.index(metric), order.get(str(group), 0), str(group)),
                }
            )
    columns = [dimension, "metric", "unit", "influencers", "low", "median", "high", "now",
               "range", "median_text", "now_text", "order"]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values("order", ignore_index=True).drop(columns="order")


def paid(report: Report) -> "pd.DataFrame":
    """Influencers of the report who were paid, with the basis in words where the exports name none."""
    frame = report.influencers[report.influencers["spend"] > 0].reset_index(drop=True)
    bases = frame["payout_basis"].astype(object)
    return frame.assign(payout_basis=bases.where(bases.notna(), "basis not named"))


def names_no_product(report: Report) -> dict[str, Any] | None:
    """Sales and spend that name no product: the line that closes the table of products.

    None where nothing was sold or spent without naming one.
    """
    frame = report.products_and_rest
    rest = frame[frame["product"] == UNASSIGNED]
    shown = ["revenue", "orders", "spend", "roas"]
    if rest.empty or not (rest[shown[:3]].fillna(0.0).to_numpy(float) != 0).any():
        return None
    row = rest.iloc[0]
    return {"product": "naming no product"} | {name: float(row[name]) for name in shown}


def concentration(report: Report) -> "pd.DataFrame":
    """How much of the report's credited revenue and spend the top influencers by credited revenue make up.

    Only influencers with credited revenue count, to the nearest whole one; a share of them that is less
    than one influencer is left out. All of them together are the whole of neither: returns, and what is
    paid to those who sold nothing, are others'. Where returns of others leave less in all than a group
    brought, the group is no part of it, and has no share.

    Returns
    -------
    DataFrame
        ``group`` (top 1 %, 10 %, …), ``share`` (of influencers), ``influencers``,
        ``influencer_revenue``, ``revenue_share``, ``spend``, ``spend_share``, ``roas``.
    """
    import pandas as pd

    sellers = report.influencers[report.influencers["influencer_revenue"] > 0]
    revenue, spend = report.value(m.INFLUENCER_REVENUE), report.value(m.SPEND)
    rows = []
    for share in TOP_SHARES:
        count = math.floor(round(share * len(sellers), 9) + 0.5)
        if share * len(sellers) < 1:
            continue
        top = sellers.head(count)
        # Of what is not known there is no sum, not a sum of 0.
        brought, cost = float(top["influencer_revenue"].sum()), float(top["spend"].sum(min_count=1))
        rows.append(
            {
                "group": "All sellers" if share == 1 else f"Top {share:.0%}",
                "share": share,
                "influencers": float(count),
                "influencer_revenue": brought,
                "revenue_share": _part(brought, revenue),
                "spend": cost,
                "spend_share": _part(cost, spend),
                "roas": brought / cost if cost > 0 else math.nan,
            }
        )
    columns = ["group", "share", "influencers", "influencer_revenue", "revenue_share", "spend",
               "spend_share", "roas"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _part(some: float, whole: float) -> float:
    """A share of a whole; NaN where it is none, but for rounding."""
    return min(some / whole, 1.0) if whole > 0 and some <= whole * (1 + 1e-9) else math.nan


@dataclass(frozen=True)
class Cohorts:
    """Influencers by when they first appear.

    Attributes
    ----------
    step : str
        ``month``, or ``quarter`` where there are many.
    sizes : DataFrame
        One row a cohort: ``cohort``, ``influencers``, and what they did in this report's period:
        ``active_influencers``, ``posts``, ``influencer_revenue``, ``spend``, ``roas``.
    retention : DataFrame
        ``cohort``, ``age`` (steps since the first, as text), ``at`` (the same as a number),
        ``active`` (influencers with an order or a post), ``share`` (of the cohort).
    """

    step: str
    sizes: "pd.DataFrame"
    retention: "pd.DataFrame"

    @property
    def drawn(self) -> "pd.DataFrame":
        """Retention at the ages that a chart has room for."""
        return self.retention[self.retention["at"] <= AGES_SHOWN].reset_index(drop=True)

    @property
    def ages(self) -> list[str]:
        """Those ages in their order, for the columns of a chart."""
        return list(dict.fromkeys(self.drawn.sort_values("at")["age"]))

    @property
    def note(self) -> str:
        """What a chart of them leaves out, if anything."""
        if len(self.drawn) == len(self.retention):
            return ""
        return f"The first {AGES_SHOWN} {self.step}s after the start of a cohort are shown."


def cohorts(report: Report) -> Cohorts:
    """Group influencers by their first order or post, and follow them."""
    first, last = report.data.ledger.first, report.data.ledger.last
    months = 0
    if first is not None and last is not None:
        end = min(last, report.period.last) if report.period.name != "all" else last
        months = (end.year - first.year) * 12 + end.month - first.month + 1
    step = "month" if months <= MONTHS_SHOWN else "quarter"
    events = report.past.rows
    events = events.filter(
        events["influencer_id"].notnull(), events["date"].notnull(), events["kind"] != "payout"
    )
    starts = events.group_by("influencer_id").aggregate(date=events["date"].min())
    starts = starts.select("influencer_id", cohort=m.group_key(starts, step))
    return Cohorts(step, _cohort_sizes(report, starts), _retention(events, starts, step))


def _cohort_sizes(report: Report, starts: "ir.Table") -> "pd.DataFrame":
    """What each cohort did in the period of the report."""
    members = starts.group_by("cohort").aggregate(influencers=starts.count()).to_pandas()
    current = report.current.rows.join(starts, "influencer_id")
    chosen: list[Metric] = [m.ACTIVE_INFLUENCERS, m.POSTS, m.INFLUENCER_REVENUE, m.SPEND, m.ROAS]
    # The cohort stands in for a dimension that the ledger does not have.
    rows = current.mutate(persona=current["cohort"]).drop("cohort")
    frame = m.compute(rows, chosen, by=["persona"], known=report.current.known)
    frame = frame.rename(columns={"persona": "cohort"})
    members["influencers"] = members["influencers"].astype(float)
    merged = members.merge(frame, on="cohort", how="left")
    totals = [metric.name for metric in chosen if metric.name in report.current.known]
    merged[totals] = merged[totals].fillna(0.0)
    return merged.sort_values("cohort", ignore_index=True)


def _retention(events: "ir.Table", starts: "ir.Table", step: str) -> "pd.DataFrame":
    """Share of each cohort that is still active, by age."""
    import pandas as pd

    joined = events.join(starts, "influencer_id")
    joined = joined.select("influencer_id", "cohort", at=m.group_key(joined, step))
    frame = (
        joined.group_by(["cohort", "at"])
        .aggregate(active=joined["influencer_id"].nunique())
        .to_pandas()
    )
    if frame.empty:
        return pd.DataFrame(columns=["cohort", "age", "at", "active", "share"])
    active = {(row.cohort, row.at): int(row.active) for row in frame.itertuples()}
    steps = sorted(set(frame["at"]))
    rows = []
    for cohort in sorted(set(frame["cohort"]))[-COHORTS_SHOWN:]:
        # All of a cohort are active when it starts; that says nothing. Steps in which nobody came
        # back count as well.
        for step_ in (each for each in steps if each > cohort):
            age = _steps_between(cohort, step_, step)
            back, size = active.get((cohort, step_), 0), active[cohort, cohort]
            rows.append((cohort, f"+{age}", age, float(back), back / size))
    return pd.DataFrame(rows, columns=["cohort", "age", "at", "active", "share"])


def _steps_between(start: str, end: str, step: str) -> int:
    """Steps from one month or quarter to another.

    Examples
    --------
    >>> _steps_between("2024-11", "2025-02", "month"), _steps_between("2024-Q4", "2025-Q2", "quarter")
    (3, 2)
    """
    size = 12 if step == "month" else 4
    cut = len("2024-") + (step == "quarter")
    years = int(end[:4]) - int(start[:4])
    return years * size + int(end[cut:]) - int(start[cut:])


@dataclass(frozen=True)
class Bridge:
    """The way from gross revenue of credited orders to what is left after payouts.

    Attributes
    ----------
    steps : DataFrame
        ``step`` (words), ``amount`` (negative where something goes off), ``total`` (whether it is a
        level that was reached), ``note``.
    missing : tuple of str
        Steps that the exports or params do not allow.
    """

    steps: "pd.DataFrame"
    missing: tuple[str, ...]

    @property
    def is_worth_showing(self) -> bool:
        """Whether anything stands between gross revenue and payouts."""
        return len(self.steps) > 3


def bridge(report: Report) -> Bridge:
    """From gross to net to contribution to profit after payouts, as far as the columns allow.

    Only orders credited to influencers count, because the payouts are theirs. Revenue with GST holds
    ``rate ÷ (1 + rate)`` of it as tax; returns are taken off with the tax of their day.
    """
    import pandas as pd

    known, money = report.current.known, report.settings.money
    if report.value(m.INFLUENCER_REVENUE) != report.value(m.INFLUENCER_REVENUE):
        steps = pd.DataFrame({"step": [], "amount": [], "total": []})
        return Bridge(steps, ("orders (none in the exports)",))
    simulated = report.data.simulated is not None
    taxed = simulated if money.revenue_includes_gst is None else money.revenue_includes_gst
    before = (
        simulated if money.revenue_includes_discount is None else money.revenue_includes_discount
    )
    sums = _by_rate(report)
    gross = float(sums["revenue"].sum())
    rows: list[tuple[str, float, bool]] = [("Gross revenue of credited orders", gross, True)]
    missing = []
    paid = sums["revenue"].astype(float)
    if before and "discount" in known:
        rows.append(("Discounts", -float(sums["discount"].sum()), False))
        paid = paid - sums["discount"].astype(float)
    elif "discount" in known and money.revenue_includes_discount is None:
        missing.append("discounts (params do not say whether revenue is before them)")
    if "returns" in known:
        rows.append(("Returns", -float(sums["returns"].sum()), False))
        paid = paid - sums["returns"].astype(float)
    else:
        missing.append("returns (no such column)")
    tax = paid * sums["rate"] / (1 + sums["rate"])
    if taxed:
        rows.append(("GST", -float(tax.sum()), False))
        paid = paid - tax
    elif money.revenue_includes_gst is None:
        missing.append("GST (params do not say whether revenue includes it)")
    net = float(paid.sum())
    if len(rows) > 1:
        rows.append(("Net revenue", net, True))
    contribution = float(sums["profit"].sum()) if _profit_known(sums, known) else math.nan
    left = net
    if contribution == contribution:
        rows.append(("Cost of goods and fulfilment", contribution - net, False))
        rows.append(("Contribution", contribution, True))
        left = contribution
    else:
        missing.append("cost of goods (the margin of some orders is unknown)")
    spend = report.value(m.SPEND)
    if spend == spend:
        rows.append(("Payouts to influencers", -spend, False))
        rows.append(("Left after payouts", left - spend, True))
    else:
        missing.append("payouts (none in the exports)")
    frame = pd.DataFrame(rows, columns=["step", "amount", "total"])
    return Bridge(frame, tuple(missing))


def _profit_known(sums: "pd.DataFrame", known: frozenset[str]) -> bool:
    return "profit" in known and not float(sums["unknown"].sum())


def _by_rate(report: Report) -> "pd.DataFrame":
    """Sums of credited orders by the rate of GST on their day."""
    import ibis
    import pandas as pd

    rows = report.current.rows
    rows = rows.filter(rows["kind"] == "order", rows["channel"] == "influencer")
    rates = sorted(report.settings.money.gst.items())
    rate = ibis.literal(0.0)
    for day, share in rates:
        rate = ibis.ifelse(rows["date"] >= ibis.literal(day), ibis.literal(float(share)), rate)
    rows = rows.mutate(rate=rate)
    frame = (
        rows.group_by("rate")
        .aggregate(
            revenue=rows["revenue"].sum(),
            discount=rows["discount"].sum(),
            returns=rows["returns"].sum(),
            profit=rows["profit"].sum(),
            unknown=rows["profit_unknown"].sum(),
        )
        .order_by("rate")
        .to_pandas()
    )
    return frame.apply(pd.to_numeric).fillna(0.0).astype(float)
