"""The files beside a report's pages: key figures, tables, and the picture for the mail.

Each is one entry of :data:`EXPORTS`: a name, and what makes its content out of the report.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkreport import metrics as m
from hkreport import tables
from hkreport.folders import write_atomically
from hkreport.pipeline.report import json_text, open_as
from hkreport.views import Report

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EXPORTS", "kpis", "write"]

# None makes no file.
Content = Callable[[Report], str | bytes | None]


def write(parameters: Mapping[str, Any], key: str, root: str, folder: str) -> None:
    """Write every export of a report.

    Parameters
    ----------
    parameters : mapping
        As the notebooks declare them.
    key : str
        Of the ledger to read.
    root, folder : str
        The project, and where the files go.
    """
    os.chdir(root)
    report = open_as(parameters, key)
    for name, made_of in EXPORTS:
        content = made_of(report)
        if content is not None:
            write_atomically(Path(folder) / name, content)


def _csv(frame: "Callable[[Report], pd.DataFrame]") -> Content:
    return lambda report: tables.csv_text(frame(report))


def _json(body: Callable[[Report], Mapping[str, Any]]) -> Content:
    return lambda report: json_text(body(report))


def kpis(report: Report) -> dict[str, Any]:
    """Every metric of the slice with the period before and its target, and revenue over time."""
    values = {}
    for name, metric in m.CATALOGUE.items():
        if name not in report.totals.index:
            continue
        values[name] = {
            "label": metric.label,
            "unit": metric.unit.value,
            "value": _number(report.totals[name]),
            "previous": _number(report.totals_before[name]),
            "target": report.settings.targets.get(name),
        }
    fragile = report.fragility
    trend = report.trend()
    if report.period.is_undated:
        trend = trend.iloc[:0]
    return {
        "schema_version": 1,
        "brand": report.brand or "all",
        "period": report.period.told
        | ({"data_to": report.data_to.isoformat()} if report.data_to else {}),
        "filters": {
            name: value for name, value in _filters(report).items() if value not in ("", None)
        },
        "simulated": report.data.simulated is not None,
        "metrics": values,
        "incremental_roas": _incremental(report),
        "trend": {
            "step": report.step,
            "start": [str(step) for step in trend[report.step]],
            "revenue": [_number(value) for value in trend["revenue"]],
        }
        | ({"cut": report.cut_steps} if report.cut_steps else {}),
        "allocation": {
            "reasons": list(fragile.reasons),
            "roas_low": _number(fragile.low),
            "roas_high": _number(fragile.high),
            # Beside a headline that stands by itself it says nothing, and would change every day.
            "roas_all_dates": _number(fragile.whole),
        },
    }


def _filters(report: Report) -> dict[str, Any]:
    limits = {
        name: getattr(report.filters, name) for name in ("min_roas", "min_price", "max_price")
    }
    texts = {name: ",".join(values) for name, values in report.filters.values.items()}
    return texts | {name: value for name, value in limits.items() if value is not None}


def _number(value: object) -> float | None:
    number = float(value)  # type: ignore[arg-type]
    return None if number != number else number


def _picture(report: Report) -> bytes | None:
    """Revenue over time as a picture, for the mail."""
    from hkreport import charts, insights

    chart = charts.trend(
        report.trend(),
        report.step,
        m.REVENUE,
        previous="previous",
        previous_label=report.previous_label,
        title=insights.change(report, m.REVENUE),
        note=report.trend_note,
    )
    # Where there is nothing to draw, the chart is a sentence and the mail goes without.
    return chart.png() if isinstance(chart, charts.Chart) else None


def _insights(report: Report) -> "pd.DataFrame":
    from hkreport import insights

    return insights.table(insights.find(report))


def _insights_document(report: Report) -> Mapping[str, Any]:
    from hkreport import insights

    return insights.document(report)


def _budget_plan(report: Report) -> "pd.DataFrame":
    from hkreport.evidence import budget

    return budget.plan(report).frame


def _incremental(report: Report) -> dict[str, float | None] | None:
    """Incremental ROAS of an experiment in the period, as the headline tile shows it."""
    from hkreport.evidence import incrementality

    estimate = incrementality.study(report).iroas
    if estimate is None:
        return None
    names = ("value", "low", "high", "confidence")
    return {name: _number(getattr(estimate, name)) for name in names}


# In the order in which they are made.
EXPORTS: tuple[tuple[str, Content], ...] = (
    ("kpis.json", _json(kpis)),
    ("chart.png", _picture),
    ("data/campaigns.csv", _csv(lambda report: report.by("campaign"))),
    ("data/influencers.csv", _csv(lambda report: report.influencers)),
    (
        "data/top_performers.csv",
        _csv(lambda report: report.top_influencers(m.INFLUENCER_REVENUE, 10)),
    ),
    ("data/products.csv", _csv(lambda report: report.products_and_rest)),
    ("data/payout_exceptions.csv", _csv(lambda report: report.exceptions)),
    ("insights.json", _json(_insights_document)),
    ("data/insights.csv", _csv(_insights)),
    ("data/budget_plan.csv", _csv(_budget_plan)),
)
