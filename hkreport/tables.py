"""Tidy frame to table: one model of rows and cells, rendered as HTML, Typst and CSV; and KPI tiles.

The HTML is written here, not by Great Tables: the page needs plain cells with classes and ``scope``, the
same rows have to come out as Typst anyway, and 200 rows take 20 ms instead of 640 ms, without a style
sheet per table that only works with ids. Grouping and arithmetic belong to :mod:`hkreport.metrics`; how a
number is written to :mod:`hkreport.units`.
"""

import collections
import csv
import datetime
import io
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from hkreport import periods
from hkreport.errors import InputError, ParamsError, did_you_mean, listed
from hkreport.metrics import DIMENSIONS, TIME_STEPS, Direction, Metric, Ratio, find, reaches
from hkreport.units import (
    Unit,
    escape_html,
    escape_markdown,
    one_line,
    quote_typst,
    signed,
    text,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Bands",
    "Col",
    "Measured",
    "Sentence",
    "Table",
    "Tile",
    "Tiles",
    "Unit",
    "bands",
    "csv_text",
    "key_label",
    "key_text",
    "number",
    "require_columns",
    "told_apart",
]

PRINTED_ROWS = 40  # a PDF page and a bit; the rest is in the CSV
PAGE_ROWS = 500  # a browser scrolls through so many at ease
TEXT_LENGTH = 2000  # letters of a cell on pages and in PDFs; the CSV holds all of them

Bundle = tuple[dict[str, str], dict[str, object]]


@runtime_checkable
class Measured(Protocol):
    """What can head a column or an axis: every metric, and :class:`Col`."""

    @property
    def name(self) -> str:
        """Column of the frame."""

    @property
    def label(self) -> str:
        """What a reader sees."""

    @property
    def unit(self) -> Unit | None:
        """How its values are written; None for text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """Thresholds that sort values into good, ok and poor.

    Examples
    --------
    >>> roas = Bands(good=3.0, ok=1.0)
    >>> [roas.verdict(value) for value in (4.0, 1.0, 0.5, float("nan"))]
    ['good', 'ok', 'poor', '']
    >>> Bands(good=200.0, ok=400.0, direction=Direction.DOWN).verdict(250.0)
    'ok'
    """

    good: float
    ok: float
    direction: Direction = Direction.UP

    def verdict(self, value: object) -> str:
        """Say ``good``, ``ok`` or ``poor``; nothing for a missing value."""
        size = number(value)
        if math.isnan(size):
            return ""
        turn = -1.0 if self.direction is Direction.DOWN else 1.0
        if reaches(turn * size, turn * self.good):
            return "good"
        return "ok" if reaches(turn * size, turn * self.ok) else "poor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Col:
    """One column of a table, or one axis of a chart.

    Attributes
    ----------
    name : str
        Column of the frame, and header in the CSV.
    label : str
        Header that a reader sees.
    unit : Unit or None
        How values are written; None for text.
    short : bool
        Write lakh and crore.
    change : bool
        Values are differences: always show the sign.
    reason : str
        Why a value may be missing, printed after ``n/a``.
    caveat : str
        Printed under the table.
    band : Bands, str or None
        Thresholds, or the frame's column that holds good, ok or poor.
    low, high : str
        Columns with an interval, printed behind the value.
    spanner : str
        Heading shared with neighbouring columns.
    width : str
        Width in the PDF, such as ``18mm`` or ``2fr``; empty for automatic.
    """

    name: str
    label: str
    unit: Unit | None = None
    short: bool = False
    change: bool = False
    reason: str = ""
    caveat: str = ""
    band: Bands | str | None = None
    low: str = ""
    high: str = ""
    spanner: str = ""
    width: str = ""
    ratio: Ratio | None = None

    @classmethod
    def of(cls, measure: "Metric | Col", **changes: object) -> Self:
        """Make a column of a metric's declaration.

        Examples
        --------
        >>> from hkreport.metrics import ROAS
        >>> Col.of(ROAS, short=True).reason
        'no spend'
        """
        if isinstance(measure, cls):
            return replace(measure, **changes)  # type: ignore[arg-type]
        reason = measure.undefined if isinstance(measure, Ratio) else ""
        column = cls(
            name=measure.name,
            label=measure.label,
            unit=measure.unit,
            reason=reason,
            caveat=measure.caveat,
            ratio=measure if isinstance(measure, Ratio) else None,
        )
        return replace(column, **changes)  # type: ignore[arg-type]

    @classmethod
    def key(cls, name: str, **changes: object) -> Self:
        """Make a text column of a dimension or a time step.

        Examples
        --------
        >>> Col.key("post_platform").label
        'Platform of the post'
        """
        return replace(cls(name=name, label=key_label(name)), **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class _Cell:
    words: str
    band: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    kind: str  # "", "group", "total" or "alert"
    cells: tuple[_Cell, ...]


@dataclass(frozen=True)
class Sentence:
    r"""What a cell shows when there is nothing to draw: one sentence in plain words.

    Examples
    --------
    >>> Sentence("No posts by Asha_R in this period.").markdown
    'No posts by Asha\\_R in this period\\.'
    """

    words: str

    @property
    def markdown(self) -> str:
        """The sentence, inert in Markdown."""
        return escape_markdown(self.words)

    def _repr_mimebundle_(self, **_: object) -> Bundle:
        return {"text/markdown": self.markdown, "text/plain": self.words}, {}


@dataclass(frozen=True)
class Table:
    """A frame with the declarations of its columns, ready for a page, a PDF and a CSV.

    Attributes
    ----------
    frame : DataFrame
        One row a line, in the order to show.
    columns : sequence of Col
        What to show of it; the first column heads its row.
    note : str
        Small print under the table; the columns' caveats follow it.
    total : mapping of str to object, optional
        Values of a closing row by column name, computed by the caller: ratios do not add up.
    group : str
        Column whose changes start a new group with a heading row.
    alert : str
        Column of booleans: rows that need attention.
    label : str
        Names the table for screen readers.
    empty : str
        Sentence shown instead of a table without rows.
    file : str
        Name of the CSV that holds all rows, without its suffix.
    printed_rows, page_rows : int
        How many rows the PDF and the page show before they refer to the CSV.
    longest : int
        Letters of a text that pages and PDFs show; the CSV holds all of them.
    caveats : bool
        Print what the metrics' declarations warn of; false where a table before has said it.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import ROAS, SPEND
    >>> frame = pd.DataFrame({"tier": ["micro"], "spend": [120000.0], "roas": [2.31]})
    >>> table = Table.from_metrics(frame, keys=["tier"], metrics=[SPEND, ROAS])
    >>> print(table.csv)
    tier,spend,roas
    micro,120000,2.31
    <BLANKLINE>
    """

    frame: "pd.DataFrame"
    columns: Sequence[Col]
    note: str = ""
    total: Mapping[str, object] | None = None
    group: str = ""
    alert: str = ""
    label: str = "Table"
    empty: str = "Nothing in this selection."
    file: str = ""
    printed_rows: int = PRINTED_ROWS
    page_rows: int = PAGE_ROWS
    longest: int = TEXT_LENGTH
    caveats: bool = True

    def __post_init__(self) -> None:
        require_columns(
            self.frame, [*self._names(), self.group, self.alert], f"table '{self.label}'"
        )
        if self.file and not re.fullmatch(r"[a-z0-9][a-z0-9_]*", self.file):
            raise InputError(
                f"Table '{self.label}': file is '{self.file}'; allowed are a–z, 0–9 and '_'."
            )

    @classmethod
    def from_metrics(
        cls,
        frame: "pd.DataFrame",
        *,
        keys: Sequence[str],
        metrics: Sequence[Metric | Col],
        bands: Mapping[str, Bands | str] | None = None,
        **options: object,
    ) -> Self:
        """Take labels, units, reasons and caveats from the metrics' declarations.

        Parameters
        ----------
        frame : DataFrame
            As :func:`hkreport.metrics.compute` returns it.
        keys : sequence of str
            Dimensions or time steps to show first.
        metrics : sequence of Metric or Col
            What to show after them.
        bands : mapping, optional
            Thresholds, or verdict columns, by metric name.
        **options
            Everything else that a table takes.
        """
        of = bands or {}
        values = [
            Col.of(metric, band=of[metric.name]) if metric.name in of else Col.of(metric)
            for metric in metrics
        ]
        columns = [*(Col.key(name) for name in keys), *values]
        return cls(frame, columns, **options)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.frame)

    def _names(self) -> Iterator[str]:
        """Columns of the frame that the table reads, in CSV order."""
        for column in self.columns:
            yield from (name for name in (column.name, column.low, column.high) if name)

    def _rows(self, most: int) -> Iterator[_Row]:
        """The rows to show: what both renderings are made of."""
        shown = self.frame.head(most)
        below = [each.ratio.denominator.name for each in self.columns if each.ratio]
        below = [name for name in below if name in shown]
        needed = dict.fromkeys([*self._names(), *self._verdicts(), *below, self.group, self.alert])
        lists = {name: shown[name].tolist() for name in needed if name}
        # Of the whole frame: a namesake may stand below what is shown.
        lists |= {
            column.name: told_apart(self.frame, column.name)
            for column in self.columns
            if column.unit is None and f"{column.name}_id" in self.frame
        }
        before: object = object()
        for index in range(len(shown)):
            values = {name: column[index] for name, column in lists.items()}
            if self.group and values[self.group] != before:
                before = values[self.group]
                yield _Row("group", (_Cell(key_text(self.group, before)),))
            flagged = bool(self.alert) and values[self.alert] is True
            yield _Row("alert" if flagged else "", tuple(self._cells(values)))
        if self.total is not None:
            yield _Row("total", tuple(self._cells(self.total, total=True)))

    def _verdicts(self) -> Iterator[str]:
        yield from (column.band for column in self.columns if isinstance(column.band, str))

    def _cells(self, values: Mapping[str, object], *, total: bool = False) -> Iterator[_Cell]:
        for column in self.columns:
            if total and column.name not in values:
                yield _Cell("")
                continue
            value = values[column.name]
            band = ""
            if isinstance(column.band, Bands) and not total:
                band = column.band.verdict(value)
            elif isinstance(column.band, str) and not total:
                band = _band(values[column.band])
            yield _Cell(self._words(column, value, values), band)

    def _words(self, column: Col, value: object, values: Mapping[str, object]) -> str:
        if column.unit is None:
            return _cut(key_text(column.name, value), self.longest)
        size = number(value)
        if column.change:
            words = signed(size, column.unit, short=column.short)
        else:
            reason = column.ratio.why(values) if column.ratio else column.reason
            words = text(size, column.unit, short=column.short, reason=reason)
        low, high = (number(values.get(name)) for name in (column.low, column.high))
        if math.isnan(size) or math.isnan(low) or math.isnan(high):
            return words
        ends = (text(end, column.unit, short=column.short) for end in (low, high))
        return f"{words} ({' to '.join(ends)})"

    @property
    def _small_print(self) -> list[str]:
        """The note, then each caveat once, after the columns that it is about."""
        about: dict[str, list[str]] = {}
        for column in self.columns:
            if column.caveat and self.caveats:
                about.setdefault(column.caveat, []).append(column.label)
        caveats = [f"{', '.join(labels)}: {caveat}" for caveat, labels in about.items()]
        return [part for part in (self.note, *caveats) if part]

    def _left_out(self, most: int) -> list[str]:
        more = len(self.frame) - most
        if more <= 0:
            return []
        words = f"… and {text(more, Unit.COUNT)} more"
        return [f"{words}: see {self.file}.csv." if self.file else f"{words} not shown."]

    def _spanners(self) -> list[tuple[str, int]]:
        """Headings over neighbouring columns, with the number of columns each covers."""
        runs = itertools.groupby(column.spanner for column in self.columns)
        found = [(name, len(list(run))) for name, run in runs]
        return found if any(name for name, _ in found) else []

    @property
    def html(self) -> str:
        """One HTML fragment, with the classes of the report's style sheet."""
        note = " ".join([*self._left_out(self.page_rows), *self._small_print])
        tail = f'\n<p class="hk-note">{_html(note)}</p>' if note else ""
        return self._html_table() + tail

    @property
    def details(self) -> str:
        """The table folded away under the figure that was drawn from it."""
        note = " ".join(self._left_out(self.page_rows))
        tail = f'\n<p class="hk-note">{_html(note)}</p>' if note else ""
        return (
            '<details class="hk-data"><summary>Data</summary>\n'
            f"{self._html_table()}{tail}\n</details>"
        )

    def _html_table(self) -> str:
        box = _class("hk-scroll", "hk-tall" if len(self.frame) > self.printed_rows else "")
        lines = [
            f'<div{box} tabindex="0" role="region" aria-label="{_html(self.label)}">',
            '<table class="hk-table">',
            "<thead>",
        ]
        spanners = "".join(
            f'<th colspan="{span}" scope="colgroup" class="hk-spanner">{_html(name)}</th>'
            if name
            else f'<td colspan="{span}"></td>'
            for name, span in self._spanners()
        )
        if spanners:
            lines.append(f"<tr>{spanners}</tr>")
        heads = "".join(
            f'<th scope="col"{_class("num" if column.unit else "")}>{_html(column.label)}</th>'
            for column in self.columns
        )
        lines += [f"<tr>{heads}</tr>", "</thead>", "<tbody>"]
        lines += [self._html_row(row) for row in self._rows(self.page_rows)]
        return "\n".join([*lines, "</tbody>", "</table>", "</div>"])

    def _html_row(self, row: _Row) -> str:
        opening = f"<tr{_class(f'hk-{row.kind}' if row.kind else '')}>"
        if row.kind == "group":
            head = f'<th colspan="{len(self.columns)}" scope="colgroup">'
            return f"{opening}{head}{_html(row.cells[0].words)}</th></tr>"
        cells = []
        for place, (column, cell) in enumerate(zip(self.columns, row.cells, strict=True)):
            band = f"band-{cell.band}" if cell.band else ""
            kind = _class("num" if column.unit else "", band)
            tag = "th" if place == 0 and column.unit is None else "td"
            scope = ' scope="row"' if tag == "th" else ""
            cells.append(f"<{tag}{scope}{kind}>{_html(cell.words)}</{tag}>")
        return opening + "".join(cells) + "</tr>"

    @property
    def typst(self) -> str:
        """Typst markup that calls the template's ``hk-table``; all text is in string literals."""
        columns = "".join(f"    {_typst_column(column)},\n" for column in self.columns)
        rows = "".join(f"    {_typst_row(row)},\n" for row in self._rows(self.printed_rows))
        parts = [f"  columns: (\n{columns}  ),\n", f"  rows: (\n{rows}  ),\n"]
        if spanners := self._spanners():
            spans = "".join(
                f"(label: {quote_typst(name)}, span: {span}), " for name, span in spanners
            )
            parts.append(f"  spanners: ({spans.rstrip()}),\n")
        note = " ".join([*self._left_out(self.printed_rows), *self._small_print])
        if note:
            parts.append(f"  note: {quote_typst(one_line(note))},\n")
        return f"#hk-table(\n{''.join(parts)})"

    @property
    def csv(self) -> str:
        """All rows as CSV: raw numbers, canonical headers, no cell that a spreadsheet would run."""
        return csv_text(self.frame[list(dict.fromkeys(self._names()))])

    def _repr_mimebundle_(self, **_: object) -> Bundle:
        if self.frame.empty:
            return Sentence(self.empty)._repr_mimebundle_()
        data = {
            "text/markdown": _raw_blocks(self.html, self.typst),
            "text/html": self.html,
            "text/plain": f"{self.label}: {len(self.frame)} rows",
        }
        # A table with a file of its own is exported whole already.
        told = {"note": self.note} if self.file else {"note": self.note, "values": self.csv}
        return data, {"hkreport": told}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One key figure with its change, its target and what may be uncertain about it.

    Attributes
    ----------
    label : str
    value : float or None
        None or NaN prints as ``n/a`` with `reason`.
    unit : Unit
    previous : float or None
        Value of the period before.
    previous_label : str
        What that period is called: ``2025-Q1``.
    target : float or None
    good : Direction
        Which way is better; decides the verdict on change and target.
    interval : tuple of float, optional
        Low and high end, where the value is estimated.
    confidence : float
        Coverage of the interval.
    note, reason : str
        Small print; why a value may be missing.
    lead : bool
        Draw larger.

    Examples
    --------
    >>> tile = Tile(label="Orders", value=120.0, unit=Unit.COUNT, previous=100.0,
    ...             previous_label="2025-Q1", target=150.0)
    >>> tile.delta, tile.trend, tile.verdict, tile.notes
    ('+20.0% on 2025-Q1', 'up', 'good', ['target 150: missed by 20.0%'])
    """

    label: str
    value: float | None
    unit: Unit
    previous: float | None = None
    previous_label: str = "the previous period"
    target: float | None = None
    good: Direction = Direction.UP
    interval: tuple[float, float] | None = None
    confidence: float = 0.95
    note: str = ""
    reason: str = ""
    lead: bool = False

    @classmethod
    def of(cls, metric: Metric, value: object, **options: object) -> Self:
        """Make a tile of a metric's declaration.

        Examples
        --------
        >>> from hkreport.metrics import ROAS
        >>> Tile.of(ROAS, None).notes
        ['no spend']
        """
        given: dict[str, object] = {
            "label": metric.label,
            "unit": metric.unit,
            "good": metric.good,
            "reason": metric.undefined if isinstance(metric, Ratio) else "",
        }
        return cls(value=number(value), **(given | options))  # type: ignore[arg-type]

    @property
    def words(self) -> str:
        """The value as text."""
        return text(number(self.value), self.unit, short=True)

    @property
    def delta(self) -> str:
        """The change on the period before: relative for money and counts, else the difference."""
        now, before = number(self.value), number(self.previous)
        if math.isnan(now) or math.isnan(before):
            return ""
        if text(now, self.unit, short=True) == text(before, self.unit, short=True):
            return f"as in {self.previous_label}"
        if self.unit not in (Unit.MONEY, Unit.COUNT):
            return f"{_difference(now - before, self.unit)} on {self.previous_label}"
        if before <= 0:
            return f"{text(before, self.unit, short=True)} in {self.previous_label}"
        if now / before >= 10:
            return f"{text(now / before, Unit.COUNT)} times {self.previous_label}"
        return f"{signed(now / before - 1, Unit.PERCENT)} on {self.previous_label}"

    @property
    def trend(self) -> str:
        """Where the value went: ``up``, ``down`` or ``flat``; empty without a change."""
        if not self.delta:
            return ""
        if self.delta.startswith("as in"):
            return "flat"
        return "up" if number(self.value) > number(self.previous) else "down"

    @property
    def verdict(self) -> str:
        """Whether the change is ``good`` or ``bad``; empty where neither way is better."""
        if self.trend not in ("up", "down") or self.good is Direction.NEITHER:
            return ""
        return "good" if self.trend == self.good else "bad"

    @property
    def notes(self) -> list[str]:
        """Lines of small print: interval, target, reason, note."""
        size = number(self.value)
        lines = []
        if math.isnan(size):
            lines.append(self.reason)
        elif self.interval is not None and not any(map(math.isnan, map(number, self.interval))):
            ends = (text(number(end), self.unit, short=True) for end in self.interval)
            lines.append(f"{round(100 * self.confidence)}% interval {' to '.join(ends)}")
        lines += [self._target(size), self.note]
        return [line for line in lines if line]

    def _target(self, size: float) -> str:
        aim = number(self.target)
        if math.isnan(aim):
            return ""
        words = f"target {text(aim, self.unit, short=True)}"
        if math.isnan(size):
            return words
        gap = size - aim
        if self.good is Direction.NEITHER:
            return f"{text(size / aim, Unit.PERCENT)} of {words}" if aim > 0 else words
        turn = -1.0 if self.good is Direction.DOWN else 1.0
        if reaches(turn * size, turn * aim):
            return f"{words}: met"
        if self.unit in (Unit.MONEY, Unit.COUNT) and aim > 0:
            return f"{words}: missed by {text(abs(gap) / aim, Unit.PERCENT)}"
        return f"{words}: missed by {_difference(abs(gap), self.unit).removeprefix('+')}"


@dataclass(frozen=True)
class Tiles:
    """A row of key figures.

    Attributes
    ----------
    tiles : sequence of Tile
    columns : int, optional
        How many stand side by side in the PDF; otherwise what suits their number.

    Examples
    --------
    >>> print(Tiles([Tile(label="Orders", value=1200.0, unit=Unit.COUNT)]).html)
    <dl class="hk-tiles">
    <div class="hk-tile">
    <dt class="hk-label">Orders</dt>
    <dd class="hk-value">1,200</dd>
    </div>
    </dl>
    """

    tiles: Sequence[Tile]
    columns: int | None = None

    @classmethod
    def of(cls, figures: "Iterable[Mapping[str, Any]]", *, columns: int | None = None) -> Self:
        """Make tiles of figures: mappings with a metric, its value, and options of :class:`Tile`.

        A figure that no metric declares, such as an estimate, gives label and unit itself.

        Examples
        --------
        >>> from hkreport.metrics import ORDERS
        >>> Tiles.of([{"metric": ORDERS, "value": 12.0, "target": None}]).tiles[0].words
        '12'
        """
        made = []
        for figure in figures:
            options = {
                key: value for key, value in figure.items() if key not in ("metric", "value")
            }
            if "metric" in figure:
                made.append(Tile.of(figure["metric"], figure["value"], **options))
            else:
                made.append(Tile(value=number(figure["value"]), **options))
        return cls(made, columns)

    @property
    def html(self) -> str:
        """One HTML fragment, with the classes of the report's style sheet."""
        return "\n".join(['<dl class="hk-tiles">', *map(_html_tile, self.tiles), "</dl>"])

    @property
    def typst(self) -> str:
        """Typst markup that calls the template's ``hk-tiles``."""
        tiles = "".join(f"  {_typst_tile(tile)},\n" for tile in self.tiles)
        columns = f"  columns: {self.columns},\n" if self.columns else ""
        return f"#hk-tiles(\n{columns}{tiles})"

    def _repr_mimebundle_(self, **_: object) -> Bundle:
        plain = "; ".join(f"{tile.label}: {tile.words}" for tile in self.tiles)
        data = {
            "text/markdown": _raw_blocks(self.html, self.typst),
            "text/html": self.html,
            "text/plain": plain,
        }
        return data, {}


def bands(limits: "Mapping[str, Any]") -> dict[str, Bands]:
    """Colour bands of the params: metric name to an object with ``poor`` and ``good``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> bands({"roas": SimpleNamespace(poor=1.0, good=3.0)})["roas"].verdict(2.0)
    'ok'
    """
    return {
        name: Bands(good=each.good, ok=each.poor, direction=find(name).good)
        for name, each in limits.items()
    }


def _html_tile(tile: Tile) -> str:
    lines = [
        f"<div{_class('hk-tile', 'hk-lead' if tile.lead else '')}>",
        f'<dt class="hk-label">{_html(tile.label)}</dt>',
        f'<dd class="hk-value">{_html(tile.words)}</dd>',
    ]
    if tile.delta:
        kind = _class("hk-delta", tile.trend, tile.verdict)
        lines.append(f"<dd{kind}>{_html(tile.delta)}</dd>")
    lines += [f'<dd class="hk-note">{_html(note)}</dd>' for note in tile.notes]
    return "\n".join([*lines, "</div>"])


def _typst_tile(tile: Tile) -> str:
    parts = [f"label: {_typst(tile.label)}", f"value: {_typst(tile.words)}"]
    if tile.delta:
        parts += [f"delta: {_typst(tile.delta)}", f"trend: {_typst(tile.trend)}"]
    if tile.verdict:
        parts.append(f"verdict: {_typst(tile.verdict)}")
    if tile.notes:
        parts.append(f"note: ({''.join(f'{_typst(note)}, ' for note in tile.notes).rstrip()})")
    if tile.lead:
        parts.append("lead: true")
    return f"({', '.join(parts)})"


def _typst_column(column: Col) -> str:
    parts = [f"label: {_typst(column.label)}"]
    if column.unit:
        parts.append("num: true")
    if re.fullmatch(r"\d+(\.\d+)?(mm|cm|pt|em|fr|%)", column.width):
        parts.append(f"width: {column.width}")
    return f"({', '.join(parts)})"


def _typst_row(row: _Row) -> str:
    if row.kind == "group":
        return f'(kind: "group", text: {_typst(row.cells[0].words)})'
    cells = [
        f'(text: {_typst(cell.words)}, band: "{cell.band}")' if cell.band else _typst(cell.words)
        for cell in row.cells
    ]
    # The comma at the end keeps one cell an array.
    array = f"({', '.join(cells)},)"
    return f'(kind: "{row.kind}", cells: {array})' if row.kind else array


def _raw_blocks(html: str, typst: str) -> str:
    """Markdown with one raw block for each engine, which keeps its own and drops the other."""
    return f"```{{=html}}\n{html}\n```\n\n```{{=typst}}\n{typst}\n```\n"


def _html(words: object) -> str:
    return escape_html(_cut(one_line(words)))


def _typst(words: object) -> str:
    return quote_typst(_cut(one_line(words)))


def _cut(words: str, most: int = TEXT_LENGTH) -> str:
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


def _class(*names: str) -> str:
    joined = " ".join(name for name in names if name)
    return f' class="{joined}"' if joined else ""


def _band(value: object) -> str:
    words = str(value).strip().lower()
    return words if words in ("good", "ok", "poor") else ""


def _difference(change: float, unit: Unit) -> str:
    """A difference with its sign; of shares in percentage points, as a percent would be read."""
    if unit is Unit.PERCENT:
        return f"{signed(change, unit).rstrip('%')} points"
    return signed(change, unit, short=True)


def number(value: object) -> float:
    """Read a cell of a frame as a number; what is missing or no number is NaN.

    Examples
    --------
    >>> number(3), number(None), number("x")
    (3.0, nan, nan)
    """
    if not hasattr(value, "__float__"):  # isinstance with a protocol takes ten times as long
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):  # pandas.NA has __float__ and refuses
        return math.nan


def key_label(name: str) -> str:
    """What heads a column of a dimension or a time step.

    Examples
    --------
    >>> key_label("payout_basis"), key_label("month"), key_label("top_city")
    ('Payout basis', 'Month', 'Top city')
    """
    return DIMENSIONS.get(name) or name.replace("_", " ").capitalize()


def told_apart(frame: "pd.DataFrame", name: str) -> list[object]:
    """Names of a column, those that several ids share followed by their ids.

    Parameters
    ----------
    frame : DataFrame
        Ids stand in the column of the same name with ``_id`` behind it, if anywhere.
    name : str
        The column of names.

    Examples
    --------
    >>> import pandas as pd
    >>> told_apart(pd.DataFrame({"influencer": ["Asha", "Dev", "Asha"],
    ...     "influencer_id": ["I1", "I2", "I3"]}), "influencer")
    ['Asha (I1)', 'Dev', 'Asha (I3)']
    """
    names: list[object] = frame[name].tolist()
    if f"{name}_id" not in frame.columns:
        return names
    ids = frame[f"{name}_id"].tolist()
    bearers = collections.Counter(who for who, _ in set(zip(names, ids, strict=True)))
    return [
        f"{who} ({own})" if bearers[who] > 1 else who for who, own in zip(names, ids, strict=True)
    ]


def key_text(name: str, value: object) -> str:
    """Write a key of a group as a reader should see it; steps of time in words.

    Examples
    --------
    >>> key_text("month", "2025-04"), key_text("quarter", "2025-Q2"), key_text("day", "2025-04-03")
    ('Apr 2025', 'Q2 2025', '3 Apr 2025')
    >>> key_text("tier", "micro"), key_text("tier", None)
    ('micro', '–')
    """
    words = one_line(value)
    if value is None or words in ("", "nan", "<NA>", "NaT"):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime.date):
        name, words = "day", f"{value:%Y-%m-%d}"
    return _time_text(name, words) if name in TIME_STEPS else words


def _time_text(step: str, words: str) -> str:
    """A step of time in words; what is none, such as ``unassigned``, stays as it is."""
    if step in ("day", "week"):
        try:
            day = datetime.date.fromisoformat(words)
        except ValueError:
            return words
        return periods.parse(f"{day}..{day}").words.partition(" to ")[0]
    try:
        period = periods.parse(words)
    except ParamsError:
        return words
    _, month, year = period.words.partition(" to ")[0].split(" ")
    if period.grain is periods.Grain.MONTH:
        return f"{month} {year}"
    if period.grain is periods.Grain.QUARTER and "-Q" in words and words[0] != "F":
        return f"{words[-2:]} {year}"
    return words


def csv_text(frame: "pd.DataFrame") -> str:
    r"""A frame as CSV: raw numbers, its own headers, no cell that a spreadsheet would run.

    Examples
    --------
    >>> import pandas as pd
    >>> csv_text(pd.DataFrame({"influencer": ["=1+1"], "orders": [3.0], "roas": [float("nan")]}))
    "influencer,orders,roas\n'=1+1,3,\n"
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows(zip(*(map(_raw, frame[name].tolist()) for name in frame.columns), strict=True))
    return stream.getvalue()


def _raw(value: object) -> object:
    """A cell of the CSV: numbers as they are, text that no spreadsheet takes for a formula."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if hasattr(value, "__float__"):
        size = number(value)
        if math.isnan(size):
            return ""
        return int(size) if size.is_integer() and abs(size) < 1e15 else value
    if value is None or str(value) in ("<NA>", "NaT", "nan"):
        return ""
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    words = str(value)
    # Spreadsheets skip blanks, and some read the wide forms of the signs too.
    risky = re.match(r"\s*[=+\-@＝＋－＠]", words) or words[:1] in ("\t", "\r", "\n")
    plain = one_line(words)
    return f"'{plain}" if risky else plain


def require_columns(frame: "pd.DataFrame", names: Iterable[str], where: str) -> None:
    """Stop if the frame lacks a column.

    Raises
    ------
    InputError
        Names the first missing column, the nearest one and all that are there.
    """
    for name in names:
        if name and name not in frame.columns:
            raise InputError(
                f"{where[:1].upper()}{where[1:]}: the frame has no column '{name}'. "
                f"Found: {listed(frame.columns)}. {did_you_mean(name, map(str, frame.columns))}".strip(),
                next_step="Compute it first, or name another column.",
            )
