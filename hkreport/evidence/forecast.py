"""What the weeks after a report bring if things go on as they did: revenue and orders.

The series ends where the period ends: a report of an earlier quarter knows nothing later. Models,
bands and the backtest are in :mod:`hkreport.methods.forecast`.
"""

import datetime
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hkreport import metrics as m
from hkreport.metrics import Metric
from hkreport.prose import Prose
from hkreport.units import Unit, escape_markdown, text
from hkreport.views import Report

if TYPE_CHECKING:
    import pandas as pd

    from hkreport.methods.forecast import Forecast, Steps
    from hkreport.params import Around

__all__ = ["Outlook", "festivals", "outlook", "shares"]

SHOWN = 52  # weeks of history before a forecast
SHOWN_DAYS = 56
DAY = datetime.timedelta(days=1)
WEEK = datetime.timedelta(days=7)

NO_WEEK = "There is no whole week of sales in the data before the end of this period."
SUMS_OF_MONTHS = (
    "The exports hold sums of months: what the next weeks bring cannot be told from them."
)
NO_ROAS = "ROAS is not forecast: it would take a plan of what is spent."


@dataclass(frozen=True)
class Outlook:
    """Forecasts of one report, with what to say about them.

    Attributes
    ----------
    frame, orders : DataFrame
        One row a week: ``week`` (its Monday), ``revenue`` (or ``orders``), ``low`` and ``high`` (80 %
        band) and ``naive`` for the weeks ahead, and ``forecast``, true for these. Without rows where
        nothing can be forecast.
    table : DataFrame
        The weeks ahead: ``week``; of revenue and of orders the forecast, its band and the naive one.
    naive_label, orders_naive_label : str
        What the naive forecasts of revenue and of orders are.
    title, orders_title : str
        The sum of the weeks ahead with its band.
    note : Prose
        What is forecast and by which method; or why there is none.
    backtest, orders_backtest : str
        How past forecasts did, with the coverage of their bands, as a line under a chart.
    refused : tuple of str
        What could not be said, in sentences.
    revenue_forecast : Forecast or None
        What the method answered for revenue by week.
    """

    frame: "pd.DataFrame"
    orders: "pd.DataFrame"
    table: "pd.DataFrame"
    naive_label: str
    orders_naive_label: str
    title: str
    orders_title: str
    note: Prose
    backtest: str = ""
    orders_backtest: str = ""
    refused: tuple[str, ...] = ()
    revenue_forecast: "Forecast | None" = None
    _series: "_Series | None" = field(default=None, repr=False)

    @functools.cached_property
    def days_forecast(self) -> "Forecast | None":
        """Revenue of the next 28 days, where sales are told by day; worked out when first asked for."""
        if self._series is None or self._series.report.data.ledger.step != "day":
            return None
        return self._series.forecast(m.REVENUE, daily=True)

    @property
    def days(self) -> "pd.DataFrame":
        """Revenue by day with the next 28: as `frame`, with ``day`` for ``week``."""
        if self._series is None or self.days_forecast is None:
            return _empty(m.REVENUE, "day")
        return self._series.frame(m.REVENUE, self.days_forecast, daily=True)

    @property
    def days_title(self) -> str:
        """The sum of the days ahead with its band."""
        return _title(m.REVENUE, self.days_forecast, "day") if self.days_forecast else ""

    @property
    def days_backtest(self) -> str:
        """How past forecasts by day did."""
        return _backtest(self.days_forecast, "day")


def outlook(report: Report) -> Outlook:
    """Forecast revenue and orders of a report's selection by week, from its past alone.

    Never raises for what the exports lack: the note says why nothing is shown.
    """
    series = _Series.of(report)
    if isinstance(series, str):
        return _nothing(series)
    revenue, orders = (series.forecast(metric) for metric in (m.REVENUE, m.ORDERS))
    if not revenue or not orders:
        return _nothing(
            "There is no whole week of sales in the data before the end of this period."
        )
    frames = [
        series.frame(metric, found) for metric, found in ((m.REVENUE, revenue), (m.ORDERS, orders))
    ]
    first, last = series.end, series.end + len(revenue.mean) * WEEK - DAY
    said = [
        _words(m.REVENUE, revenue, f" from {_day(first)} to {_day(last)}"),
        _words(m.ORDERS, orders),
        *dict.fromkeys((*revenue.refused, *orders.refused)),
        *series.warnings(revenue),
        NO_ROAS,
    ]
    return Outlook(
        frame=frames[0],
        orders=frames[1],
        table=_table(frames),
        naive_label=revenue.naive_method,
        orders_naive_label=orders.naive_method,
        title=_title(m.REVENUE, revenue, "week"),
        orders_title=_title(m.ORDERS, orders, "week"),
        backtest=_backtest(revenue, "week"),
        orders_backtest=_backtest(orders, "week"),
        note=Prose(escape_markdown(" ".join(said)) + "\n"),
        refused=revenue.refused,
        revenue_forecast=revenue,
        _series=series,
    )


def _nothing(reason: str) -> Outlook:
    frames = [_empty(metric, "week") for metric in (m.REVENUE, m.ORDERS)]
    note = Prose(escape_markdown(reason) + "\n")
    return Outlook(frames[0], frames[1], _table(frames), "", "", "", "", note, refused=(reason,))


def _empty(metric: Metric, step: str) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(columns=[step, metric.name, "low", "high", "naive", "forecast"])


# The series


@dataclass(frozen=True)
class _Series:
    """Sales by day, from the first whole week to the last one that the period holds.

    Attributes
    ----------
    report : Report
    start : date
        A Monday.
    days : mapping of str to tuple of float
        Values of each metric, a day each, in whole weeks.
    """

    report: Report
    start: datetime.date
    days: Mapping[str, tuple[float, ...]]

    @classmethod
    def of(cls, report: Report) -> "_Series | str":
        """The series of a report, or why there is none."""
        known = report.history.known
        if not {"revenue", "orders"} <= known or report.data.ledger.last is None:
            return "The exports hold no dated orders, so nothing can be forecast."
        if report.data.ledger.step == "month":
            return SUMS_OF_MONTHS
        end = min(report.period.end, report.data.ledger.last + DAY)
        end -= datetime.timedelta(days=end.weekday())
        rows = report.history.rows
        rows = rows.filter(rows["kind"] == "order", rows["date"] < _literal(end))
        frame = m.compute(rows, [m.REVENUE, m.ORDERS], by=["day"], known=known)
        frame = frame[frame["day"] != m.UNASSIGNED]
        sold = frame[(frame["revenue"] != 0) | (frame["orders"] != 0)]
        if sold.empty:
            return NO_WEEK
        first = datetime.date.fromisoformat(str(sold["day"].iloc[0]))
        # The first week counts only from its Monday on: a part of a week looks like a rise after it.
        start = first + datetime.timedelta(days=-first.weekday() % 7)
        count = max((end - start).days, 0)
        names = [(start + at * DAY).isoformat() for at in range(count)]
        filled = frame.set_index("day")[["revenue", "orders"]].reindex(names).fillna(0.0)
        days = {name: tuple(filled[name].astype(float)) for name in ("revenue", "orders")}
        return cls(report, start, days)

    @property
    def end(self) -> datetime.date:
        """First day of the first week ahead."""
        return self.start + len(self.days["revenue"]) * DAY

    def values(self, metric: Metric, *, daily: bool = False) -> list[float]:
        """The series by week, or by day."""
        days = self.days[metric.name]
        if daily:
            return list(days)
        return [math.fsum(days[at : at + 7]) for at in range(0, len(days), 7)]

    def forecast(self, metric: Metric, *, daily: bool = False) -> "Forecast | None":
        """The forecast of a metric by week or day; None where there is no whole week."""
        from hkreport.methods import forecast as methods

        asked = self.report.settings.forecast
        ahead = 28 if daily else asked.weeks_ahead
        steps = methods.DAILY if daily else methods.WEEKLY
        answer = methods.forecast(
            self.values(metric, daily=daily),
            ahead=ahead,
            steps=steps,
            events=self.events(ahead, steps),
            origins=asked.origins,
            least=asked.weeks_at_least,
            yearly_from=asked.yearly_from,
        )
        return answer if isinstance(answer, methods.Forecast) else None

    def events(self, ahead: int, steps: "Steps") -> dict[str, list[float]]:
        """Share of each step, past and ahead, that falls into each festival."""
        weeks = steps.cycle == 1
        days = len(self.days["revenue"]) + ahead * (7 if weeks else 1)
        return shares(self.festivals, self.start, days, weekly=weeks)

    @functools.cached_property
    def festivals(self) -> dict[str, list[tuple[datetime.date, datetime.date]]]:
        """First and last day of every season of each festival in the params."""
        years = range(self.start.year, self.end.year + 2)
        return festivals(self.report.settings.forecast.festivals, years)

    def warnings(self, found: "Forecast") -> list[str]:
        """Festivals that the forecast cannot know of, or not know well."""
        said = []
        last = self.end + len(found.mean) * WEEK
        for name, seasons in self.festivals.items():
            if not seasons:
                said.append(
                    f"No festival is called '{name}': see forecast.festivals in the params."
                )
            ahead = any(first < last and end >= self.end for first, end in seasons)
            if ahead and name not in found.terms:
                said.append(f"{name} falls into these weeks, and the forecast does not know of it.")
            elif ahead:
                said.append(
                    f"Bands are as wide as past forecasts were wrong, mostly in ordinary weeks: around "
                    f"{name} they are too narrow."
                )
        return said

    def frame(self, metric: Metric, found: "Forecast", *, daily: bool = False) -> "pd.DataFrame":
        """History and forecast as a chart takes them."""
        import pandas as pd

        step, width = ("day", DAY) if daily else ("week", WEEK)
        past = self.values(metric, daily=daily)[-(SHOWN_DAYS if daily else SHOWN) :]
        ahead = len(found.mean)
        first = self.end - len(past) * width
        nothing = [float("nan")] * len(past)
        band = found.bands[0]
        return pd.DataFrame(
            {
                step: [(first + at * width).isoformat() for at in range(len(past) + ahead)],
                metric.name: [*past, *found.mean.tolist()],
                "low": [*nothing, *band.low.tolist()],
                "high": [*nothing, *band.high.tolist()],
                "naive": [*nothing, *found.naive.tolist()],
                "forecast": [False] * len(past) + [True] * ahead,
            }
        )


def festivals(
    asked: "Mapping[str, Around]", years: Iterable[int]
) -> dict[str, list[tuple[datetime.date, datetime.date]]]:
    """First and last day of every season of each festival: they move from year to year."""
    import holidays

    known = holidays.country_holidays("IN", years=years, language="en_US")
    found = {}
    for name, around in asked.items():
        days = sorted(known.get_named(name, lookup="exact"))
        found[name] = [(day - around.before * DAY, day + around.after * DAY) for day in days]
    return found


def shares(
    seasons: Mapping[str, Sequence[tuple[datetime.date, datetime.date]]],
    start: datetime.date,
    days: int,
    *,
    weekly: bool,
) -> dict[str, list[float]]:
    """Share of each day or week from `start` on that falls into each festival.

    Examples
    --------
    >>> day = datetime.date
    >>> shares({"x": [(day(2025, 1, 5), day(2025, 1, 7))]}, day(2025, 1, 6), 14, weekly=True)
    {'x': [0.2857142857142857, 0.0]}
    """
    found = {}
    for name, spans in seasons.items():
        inside = [0.0] * days
        for first, last in spans:
            low, high = (first - start).days, (last - start).days
            for at in range(max(low, 0), min(high + 1, days)):
                inside[at] = 1.0
        whole = [sum(inside[at : at + 7]) / 7 for at in range(0, days, 7)]
        found[name] = whole if weekly else inside
    return found


def _literal(day: datetime.date) -> "object":
    import ibis

    return ibis.literal(day)


def _table(frames: "Sequence[pd.DataFrame]") -> "pd.DataFrame":
    """The weeks ahead, revenue and orders side by side."""
    import pandas as pd

    parts = []
    for frame, metric in zip(frames, (m.REVENUE, m.ORDERS), strict=True):
        ahead = frame[frame["forecast"].astype(bool)].set_index("week")
        parts.append(
            ahead[[metric.name, "low", "high", "naive"]].rename(
                columns={name: f"{metric.name}_{name}" for name in ("low", "high", "naive")}
            )
        )
    # Paise, and hundredths of an order: more digits would only look exact.
    return pd.concat(parts, axis=1).astype(float).round(2).rename_axis("week").reset_index()


# Words


def _title(metric: Metric, found: "Forecast", step: str) -> str:
    """The sum of the steps ahead with its band."""
    total = _total(metric, found, 0)
    said = f"{total} of revenue" if metric is m.REVENUE else f"{total} orders"
    return f"The next {len(found.mean)} {step}s: {said}{_interval(metric, found, ', ')}"


def _total(metric: Metric, found: "Forecast", at: int) -> str:
    """The sum of the steps ahead, or an end of its band; no part of an order is written."""
    value = found.total[at]
    whole = metric is m.ORDERS and value == value
    return text(float(round(value)) if whole else value, metric.unit, short=True)


def _interval(metric: Metric, found: "Forecast", before: str = "", after: str = "") -> str:
    if found.total[1] != found.total[1]:
        return ""
    low, high = (_total(metric, found, at) for at in (1, 2))
    return f"{before}80% interval {low} to {high}{after}"


def _words(metric: Metric, found: "Forecast", span: str = "") -> str:
    """What is forecast, how, and in brief how well that did."""
    said = (
        f"{'Revenue' if metric is m.REVENUE else 'Orders'}{span}: {_total(metric, found, 0)}"
        f"{_interval(metric, found, ' (', ')')}, by {_quoted(found.method)}"
    )
    if found.mase != found.mase:
        return f"{said}."
    if found.beats_naive:
        return (
            f"{said} (MASE {found.mase:.2f}, {_quoted(found.naive_method)} {found.naive_mase:.2f})."
        )
    return f"{said} (MASE {found.mase:.2f}{'' if found.refused else '; no model did better'})."


def _backtest(found: "Forecast | None", step: str) -> str:
    """How forecasts made as if from earlier weeks did, as a line under a chart."""
    if not found or not found.origins:
        return ""
    said = f"Backtest: {found.origins} forecasts made as if from earlier weeks"
    if found.mase == found.mase:
        said += f"; mean error {found.mase:.2f} times the usual change in a week (MASE)"
        if found.beats_naive:
            said += f", against {found.naive_mase:.2f} of {_quoted(found.naive_method)}"
        elif not found.refused:
            said += ", and no model did better"
    if found.tested:
        share = text(found.covered / found.tested, Unit.PERCENT)
        said += f"; {found.covered} of {found.tested} {step}s ({share}) fell into their 80% band"
        if found.tested >= 20 and found.covered < found.tested / 2:
            said += ", so this one may well be too narrow"
    return f"{said}."


def _quoted(method: str) -> str:
    return f"'{method}'" if method.startswith("same") else method


def _day(day: datetime.date) -> str:
    from hkreport.periods import parse

    return parse(f"{day}..{day}").words.partition(" to ")[0]
