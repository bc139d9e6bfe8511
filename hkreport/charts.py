"""Tidy frame to chart: what is drawn, in the look of :mod:`hkreport.theme`.

Every function takes a small frame, the names of its key columns and the declarations of its metrics, and
returns a :class:`Chart`; or a :class:`~hkreport.tables.Sentence` where there is nothing to draw. Nothing
is grouped here, and no metric computed: the only sums are those of shares that a chart is made of.
"""

import datetime
import functools
import hashlib
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from hkreport import periods, theme
from hkreport.errors import InputError, ParamsError, listed
from hkreport.metrics import DIMENSIONS, TIME_STEPS, UNASSIGNED, Linear, Metric, Ratio, Total
from hkreport.tables import (
    Bundle,
    Col,
    Sentence,
    Table,
    key_label,
    key_text,
    number,
    require_columns,
)
from hkreport.theme import drawable, fitted, text_width, wrapped
from hkreport.units import Unit, one_line, text, tick

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Chart",
    "bars",
    "box",
    "bubbles",
    "columns",
    "dots",
    "doughnut",
    "heatmap",
    "scatter",
    "stacked",
    "trend",
]

Measure = Metric | Col

# Dimensions whose values have colours of their own; elsewhere one colour says one thing.
COLOURED = (
    "brand",
    "platform",
    "post_platform",
    "tier",
    "tier_in_file",
    "gender",
    "payout_basis",
    "arm",
    "source",
)

# From so many points on a cloud is drawn as a picture: 5,000 marks would be 2 MB of SVG.
CLOUD = 1000
CLOUD_DPI = 160

_POINTS = 72.0
_WIDTH = theme.WIDTH * _POINTS
_EDGE = 2.0  # keeps strokes inside the figure
_NAMES_AT_MOST = 0.36 * _WIDTH


@dataclass(frozen=True)
class Chart:
    """A drawn figure with the words and the data that go with it.

    Attributes
    ----------
    title : str
        What the chart shows, as a finding.
    subtitle : str
        What is plotted, of what, in which unit.
    alt : str
        The same for who cannot see it, made from the data.
    table : Table
        The data behind it.
    draw : callable
        Makes the matplotlib figure; called when the chart is shown.
    """

    title: str
    subtitle: str
    alt: str
    table: Table = field(repr=False)
    draw: Callable[[], "Figure"] = field(repr=False)

    @property
    def frame(self) -> "pd.DataFrame":
        """The rows that were drawn."""
        return self.table.frame

    def data_table(self) -> Table:
        """The data behind the chart, as a table."""
        return self.table

    @functools.cached_property
    def svg(self) -> str:
        """The figure as an SVG document: same data, same bytes."""
        with theme.style():
            stream = io.StringIO()
            self.draw().savefig(
                stream, format="svg", metadata={"Date": None, "Creator": None}, dpi=CLOUD_DPI
            )
        return _cleaned(stream.getvalue())

    def png(self, dpi: float = 144.0) -> bytes:
        """The figure as a picture on white paper, for mail."""
        with theme.style():
            stream = io.BytesIO()
            self.draw().savefig(
                stream, format="png", dpi=dpi, facecolor=theme.PAPER, metadata={"Software": None}
            )
        return stream.getvalue()

    def _repr_mimebundle_(self, **_: object) -> Bundle:
        data = {"image/svg+xml": self.svg, "text/plain": self.title}
        return data, {"hkreport": {"alt": self.alt, "data": self.table.details}}


def _cleaned(svg: str) -> str:
    """Make matplotlib's SVG fit to stand inside a page, beside others.

    Comments (which repeat data), the document type (which names an outside address), metadata, the
    style sheet (which would apply to the whole page) and unused ids go; styles become attributes, the
    theme's ink becomes the page's text colour, and ids are made unique by content.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<!--.*?-->\s*|<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r' style="([^"]*)"', _attributes, body)
    body = body.replace(theme.INK, "currentColor")
    mark = "k" + hashlib.sha256(body.encode()).hexdigest()[:8]
    body = re.sub(r'(\sid="|href="#|url\(#)', rf"\g<1>{mark}-", body)
    root = f'<svg role="img" color="{theme.INK}" stroke-linejoin="round"'
    return '<?xml version="1.0" encoding="utf-8"?>\n' + body.replace("<svg", root, 1)


def _attributes(style: re.Match[str]) -> str:
    pairs = (part.split(":", 1) for part in style[1].split(";") if ":" in part)
    found = {name.strip(): value.strip() for name, value in pairs}
    return "".join(f' {name}="{value}"' for name, value in found.items())


# What all charts share: the sheet with its title, words, and rows that can be drawn.


class _Sheet:
    """A figure with title, subtitle and key on top; axes below are placed in points."""

    def __init__(
        self,
        title: str,
        subtitle: str,
        body: float,
        *,
        key: Sequence[tuple[str, str, str]] = (),
        note: str = "",
    ) -> None:
        from matplotlib.figure import Figure

        heads = wrapped(title, _WIDTH - 2 * _EDGE, theme.TITLE, theme.BOLD)
        subs = wrapped(subtitle, _WIDTH - 2 * _EDGE, theme.SIZE, lines=2) if subtitle else []
        feet = wrapped(note, _WIDTH - 2 * _EDGE, theme.SMALL, lines=2) if note else []
        rows = _key_rows(key)
        top = 15.5 * len(heads) + 13.0 * len(subs) + 14.0 * len(rows) + 9.0
        self.foot = 12.0 * len(feet) + (5.0 if feet else 0.0)
        self.body = body
        self.height = top + body + self.foot
        self.figure: Figure = Figure(figsize=(theme.WIDTH, self.height / _POINTS))
        y = self.height
        for line in heads:
            y -= 15.5
            self.words(_EDGE, y + 3.5, line, size=theme.TITLE, weight=theme.BOLD)
        for line in subs:
            y -= 13.0
            self.words(_EDGE, y + 3.0, line, color=theme.SOFT)
        for row in rows:
            y -= 14.0
            self._key(row, y + 4.0)
        y = self.foot - 5.0
        for line in feet:
            y -= 12.0
            self.words(_EDGE, y + 3.0, line, size=theme.SMALL, color=theme.SOFT)

    def words(self, x: float, y: float, line: str, **look: object) -> None:
        """Write on the sheet, at points from its lower left corner."""
        place = (x / _POINTS, y / _POINTS)
        self.figure.text(*place, line, transform=self.figure.dpi_scale_trans, **look)  # type: ignore[arg-type]

    def _key(self, row: Sequence[tuple[str, str, str]], y: float) -> None:
        from matplotlib.lines import Line2D

        x = _EDGE
        for label, colour, mark in row:
            line = mark in ("-", "--")
            spot = Line2D(
                [x / _POINTS, (x + 9) / _POINTS] if line else [(x + 4) / _POINTS],
                [(y + 3) / _POINTS] * (2 if line else 1),
                color=colour,
                linestyle=mark if line else "none",
                marker="" if line else mark,
                markersize=7 if mark != "*" else 9,
                markeredgewidth=0,
                linewidth=2,
                transform=self.figure.dpi_scale_trans,
            )
            self.figure.add_artist(spot)
            self.words(x + 12, y, label, size=theme.SMALL)
            x += _key_width(label)

    def axes(self, left: float, right: float, bottom: float, top: float = 0.0) -> "Axes":
        """Axes within the body: margins in points."""
        low = self.foot + bottom
        return self.figure.add_axes(
            (
                left / _WIDTH,
                low / self.height,
                (_WIDTH - left - right) / _WIDTH,
                (self.body - bottom - top) / self.height,
            )
        )


def _key_width(label: str) -> float:
    return 12 + text_width(label, theme.SMALL) + 14


def _key_rows(key: Sequence[tuple[str, str, str]]) -> list[list[tuple[str, str, str]]]:
    """Break the key (label, colour, mark) into rows that fit."""
    rows: list[list[tuple[str, str, str]]] = []
    used = _WIDTH
    for label, colour, mark in key:
        entry = (fitted(label, 0.4 * _WIDTH, theme.SMALL), colour, mark)
        if used + _key_width(entry[0]) > _WIDTH:
            rows.append([])
            used = 0.0
        rows[-1].append(entry)
        used += _key_width(entry[0])
    return rows


def _nothing(what: str, why: str) -> Sentence:
    return Sentence(f"{what} cannot be shown: {why}.")


def _unit(measure: Measure) -> Unit:
    return measure.unit or Unit.COUNT


def _short(value: object, measure: Measure) -> str:
    reason = measure.undefined if isinstance(measure, Ratio) else getattr(measure, "reason", "")
    return text(number(value), _unit(measure), short=True, reason=reason)


def _in_sentence(label: str) -> str:
    """A label within a sentence: `Revenue` becomes `revenue`, `ROAS` stays."""
    return label[:1].lower() + label[1:] if label[1:2].islower() or label[1:2] == " " else label


def _with_unit(measure: Measure) -> str:
    axis = _unit(measure).axis
    return f"{measure.label} ({axis})" if axis else measure.label


def _adds_up(measure: Measure) -> bool:
    return isinstance(measure, Total | Linear)


def _data(frame: "pd.DataFrame", keys: Iterable[str], measures: Iterable[Measure | str]) -> Table:
    """The table behind a chart: keys first, then what is drawn."""
    shown = [Col.key(name) for name in dict.fromkeys(keys) if name]
    for measure in measures:
        if isinstance(measure, str):
            if measure:
                shown.append(Col(name=measure, label=key_label(measure), unit=Unit.COUNT))
        else:
            shown.append(Col.of(measure, caveat=""))
    unique = {column.name: column for column in shown}
    return Table(frame, list(unique.values()), label="Data of the chart")


def _extremes(names: Sequence[str], values: Sequence[float], measure: Measure) -> str:
    """Highest and lowest, and the total where it means something, as sentences for the alt text."""
    known = [(value, name) for name, value in zip(names, values, strict=True) if value == value]
    if not known:
        return ""
    top, low = max(known, key=lambda pair: pair[0]), min(known, key=lambda pair: pair[0])
    parts = [f"Highest: {top[1]}, {_short(top[0], measure)}"]
    if len(known) > 1:
        parts.append(f"lowest: {low[1]}, {_short(low[0], measure)}")
    if _adds_up(measure) and len(known) > 1:
        parts.append(f"total {_short(math.fsum(value for value, _ in known), measure)}")
    return "; ".join(parts) + "."


def _alt(*sentences: str) -> str:
    return one_line(" ".join(sentence for sentence in sentences if sentence))


def _numbers(frame: "pd.DataFrame", name: str) -> list[float]:
    return [number(value) for value in frame[name].tolist()]


def _key_words(frame: "pd.DataFrame", name: str) -> list[str]:
    return [key_text(name, value) for value in frame[name].tolist()]


def _spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions as little as needed so that neighbours keep a gap, within low and high."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = [0.0] * len(wanted)
    before = low - gap
    for index in order:
        before = placed[index] = max(wanted[index], before + gap)
    above = high + gap
    for index in reversed(order):
        above = placed[index] = min(placed[index], above - gap)
    return placed


def _value_axis(axes: "Axes", unit: Unit, *, vertical: bool = True) -> None:
    """Few round ticks with Indian numbers, and a light grid."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = axes.yaxis if vertical else axes.xaxis
    whole = unit in (Unit.COUNT, Unit.DAYS)
    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=whole, min_n_ticks=3))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, unit)))
    axes.grid(visible=True, axis="y" if vertical else "x")


def _tick_room(axes: "Axes", unit: Unit) -> float:
    """Width of the widest tick label of the vertical axis."""
    low, high = sorted(axes.get_ylim())
    ticks = [value for value in axes.yaxis.get_major_locator()() if low <= value <= high]
    return max((text_width(tick(value, unit), theme.SMALL) for value in ticks), default=0.0)


def _dimension(name: str) -> str:
    return _in_sentence(key_label(name))


# Bars


def bars(
    frame: "pd.DataFrame",
    key: str,
    measures: Measure | Sequence[Measure],
    *,
    by: str = "",
    verdict: str = "",
    n: str = "",
    reference: float | None = None,
    reference_label: str = "average",
    most: int = 12,
    sort: bool = True,
    title: str = "",
    subtitle: str = "",
    note: str = "",
) -> Chart | Sentence:
    """Ranked horizontal bars with their values; several metrics side by side, each on its own scale.

    Parameters
    ----------
    frame : DataFrame
        One row a bar (a bar and group, with `by`).
    key : str
        Column that names the bars.
    measures : Metric, Col or a sequence of up to three
        What their length shows; with several, bars are sorted by the first.
    by : str
        Column that splits every bar into groups; for one metric only.
    verdict : str
        Column with good, ok or poor: colour and mark of the bars.
    n : str
        Column with the number of cases; shown where it is below 30.
    reference : float, optional
        Value to mark by a line, called `reference_label`.
    most : int
        Bars to draw; the table behind has all.
    sort : bool
        False keeps the frame's order.
    title, subtitle, note : str
        Instead of the finding made from the data, and its explanation; a line below.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import REVENUE
    >>> frame = pd.DataFrame({"platform": ["YouTube", "Instagram"], "revenue": [2e5, 9e5]})
    >>> chart = bars(frame, "platform", REVENUE)
    >>> chart.title
    'Instagram has the highest revenue: ₹9.00 L'
    >>> chart.alt
    'Bar chart of revenue by platform of the influencer, 2 bars. Highest: Instagram, ₹9.00 L; lowest: YouTube, ₹2.00 L; total ₹11.00 L.'
    """
    shown = [measures] if not isinstance(measures, Sequence) else list(measures)
    first = shown[0]
    what = f"{first.label} by {_dimension(key)}"
    needed = [key, by, verdict, n, *(measure.name for measure in shown)]
    require_columns(frame, needed, f"bars of {what}")
    if by and len(shown) > 1:
        raise InputError(f"Bars of {what}: several metrics and `by` are too much for one chart.")
    known = frame[
        [
            any(v == v for v in row)
            for row in zip(*(_numbers(frame, m.name) for m in shown), strict=True)
        ]
    ]
    if known.empty:
        return _nothing(what, "there is no value in this selection")
    ranked = _ranked(frame, key, first.name, by) if sort else frame
    table = _data(ranked, [key, by], [*shown, n])
    names = list(dict.fromkeys(_identity(ranked, key)))
    drawn, more = names[:most], len(names) - most
    picked = ranked[[name in set(drawn) for name in _identity(ranked, key)]]
    words = dict(zip(_identity(ranked, key), _key_words(ranked, key), strict=True))
    values = _numbers(ranked, first.name)
    labels = _joined(ranked, key, by)
    if not title:
        best = max(
            range(len(values)), key=lambda at: values[at] if values[at] == values[at] else -math.inf
        )
        title = f"{labels[best]} has the highest {_in_sentence(first.label)}: {_short(values[best], first)}"
    if not subtitle:
        listing = " and ".join([first.label, *(_in_sentence(m.label) for m in shown[1:])])
        parts = f" and {_dimension(by)}" if by else ""
        count = f", top {most} of {len(names)}" if more > 0 else ""
        subtitle = f"{listing} by {_dimension(key)}{parts}{count}"
    alt = _alt(
        f"Bar chart of {_in_sentence(subtitle)}, {len(picked)} bars.",
        *(_extremes(labels, _numbers(ranked, m.name), m) for m in shown),
    )
    groups = list(dict.fromkeys(_key_words(picked, by))) if by else []

    def draw() -> "Figure":
        return _draw_bars(
            _Bars(picked, key, by, verdict, n, drawn, words, groups, reference, reference_label),
            shown,
            title,
            subtitle,
            note,
        )

    return Chart(title, subtitle, alt, table, draw)


class _Bars(NamedTuple):
    frame: "pd.DataFrame"
    key: str
    by: str
    verdict: str
    n: str
    names: list[str]
    words: Mapping[str, str]
    groups: list[str]
    reference: float | None
    reference_label: str


def _identity(frame: "pd.DataFrame", key: str) -> list[str]:
    """What tells bars apart: names repeat, ids do not."""
    id_column = f"{key}_id"
    return [
        str(value) for value in frame[id_column if id_column in frame.columns else key].tolist()
    ]


def _joined(frame: "pd.DataFrame", *keys: str) -> list[str]:
    """Words that name a row by all its keys."""
    columns = [_key_words(frame, key) for key in keys if key]
    return [", ".join(parts) for parts in zip(*columns, strict=True)]


def _ranked(frame: "pd.DataFrame", key: str, name: str, by: str) -> "pd.DataFrame":
    """Sort by value downwards, missing ones and the rest groups last, ties by name."""
    names, values = _identity(frame, key), _numbers(frame, name)
    best: dict[str, float] = {}
    for who, value in zip(names, values, strict=True):
        best[who] = max(best.get(who, -math.inf), value if value == value else -math.inf)
    rest = ("other", "others", "unknown", UNASSIGNED)
    order = sorted(
        range(len(names)),
        key=lambda at: (names[at].casefold() in rest, -best[names[at]], names[at]),
    )
    return frame.iloc[order]


def _draw_bars(
    given: _Bars, measures: Sequence[Measure], title: str, subtitle: str, note: str
) -> "Figure":
    frame, groups = given.frame, given.groups
    count = len(given.names)
    thick = 13.0 if groups else 22.0
    step = thick * max(1, len(groups)) + (9.0 if groups else 0.0)
    heads = 16.0 if len(measures) > 1 else 0.0
    body = step * count + heads + (14.0 if given.reference is not None else 4.0)
    hues = theme.colours(groups)
    key = [(group, hues[group], "s") for group in groups]
    few = given.n and any(number(value) < theme.BASE_TOO_SMALL for value in frame[given.n])
    if given.verdict:
        seen = [v for v in theme.VERDICTS if v in {str(x).lower() for x in frame[given.verdict]}]
        note = " · ".join(
            [*(f"{theme.VERDICTS[v][1]} {v}" for v in seen), *([note] if note else [])]
        )
    if few:
        note = (
            f"{note} · " * bool(note)
            + f"n is shown where it is below {theme.BASE_TOO_SMALL}: read with care."
        )
    sheet = _Sheet(title, subtitle, body, key=key, note=note)
    widest = max(text_width(drawable(word)[:300]) for word in given.words.values())
    left = min(widest, _NAMES_AT_MOST) + 8
    gap = 14.0
    width = (_WIDTH - left - _EDGE - gap * (len(measures) - 1)) / len(measures)
    names = [fitted(given.words[name], left - 8) for name in given.names]
    for place, measure in enumerate(measures):
        start = left + place * (width + gap)
        axes = sheet.axes(
            start, _WIDTH - start - width, 14.0 if given.reference is not None else 4.0, heads
        )
        _bar_panel(axes, given, measure, hues, width, step)
        axes.set_yticks(range(count), names if place == 0 else [""] * count)
        axes.tick_params(axis="y", labelsize=theme.SIZE, labelcolor=theme.INK)
        if heads:
            axes.set_title(
                fitted(measure.label, width, theme.SMALL, theme.BOLD),
                loc="left",
                fontsize=theme.SMALL,
                fontweight=theme.BOLD,
                pad=4,
            )
    return sheet.figure


def _bar_panel(
    axes: "Axes",
    given: _Bars,
    measure: Measure,
    hues: Mapping[str, str],
    width: float,
    step: float,
) -> None:
    import seaborn

    frame, groups = given.frame, given.groups
    places = {name: index for index, name in enumerate(given.names)}
    rows = [places[name] for name in _identity(frame, given.key)]
    group_of = _key_words(frame, given.by) if given.by else [""] * len(frame)
    values = _numbers(frame, measure.name)
    drawn = [value if math.isfinite(value) else 0.0 for value in values]
    labels = [_bar_label(given, measure, index, value) for index, value in enumerate(values)]
    low, high = _with_room(axes, drawn, labels, width, given.reference)
    thickness = 0.72 if not groups else (step - 9.0) / step
    colours = _bar_colours(given, hues)
    share = thickness / max(1, len(groups))
    offsets = {group: (index - (len(groups) - 1) / 2) * share for index, group in enumerate(groups)}
    seaborn.barplot(
        x=drawn,
        y=rows,
        hue=[str(index) for index in range(len(rows))],
        hue_order=[str(index) for index in range(len(rows))],
        palette=colours,
        orient="h",
        native_scale=True,
        dodge=False,
        width=share * (0.92 if groups else 1.0),
        errorbar=None,
        saturation=1,
        legend=False,
        ax=axes,
        linewidth=0,
    )
    for patch, group in zip(axes.patches, group_of, strict=False):
        patch.set_y(patch.get_y() + offsets.get(group, 0.0))
    per_point = (high - low) / width
    for row, value, drawn_value, group, label in zip(
        rows, values, drawn, group_of, labels, strict=True
    ):
        left = drawn_value < 0
        axes.text(
            drawn_value + (-4 if left else 4) * per_point,
            row + offsets.get(group, 0.0),
            label,
            ha="right" if left else "left",
            va="center_baseline",
            fontsize=theme.SMALL,
            color=theme.INK if value == value else theme.SOFT,
        )
    axes.set_xlim(low, high)
    axes.set_ylim(len(given.names) - 0.5, -0.5)
    axes.set(xlabel="", ylabel="", xticks=[])
    axes.spines["bottom"].set_visible(False)
    axes.axvline(0, color=theme.SOFT, linewidth=0.8)
    if given.reference is not None and math.isfinite(given.reference):
        axes.axvline(given.reference, color=theme.SOFT, linewidth=1, linestyle=(0, (3, 2)))
        axes.annotate(
            f"{given.reference_label} {_short(given.reference, measure)}",
            (given.reference, 0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -4),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=theme.SMALL,
            color=theme.SOFT,
        )


def _bar_label(given: _Bars, measure: Measure, index: int, value: float) -> str:
    words = _short(value, measure)
    if given.verdict:
        mark = theme.VERDICTS.get(str(given.frame[given.verdict].iloc[index]).lower())
        words = f"{words} {mark[1]}" if mark else words
    if given.n:
        base = number(given.frame[given.n].iloc[index])
        if base < theme.BASE_TOO_SMALL:
            words = f"{words} (n = {text(base, Unit.COUNT)})"
    return words


def _bar_colours(given: _Bars, hues: Mapping[str, str]) -> list[str]:
    frame = given.frame
    if given.verdict:
        verdicts = (str(value).lower() for value in frame[given.verdict])
        return [theme.VERDICTS.get(verdict, (theme.GREY, ""))[0] for verdict in verdicts]
    if given.by:
        return [hues[group] for group in _key_words(frame, given.by)]
    if given.key in COLOURED:
        names = _key_words(frame, given.key)
        own = theme.colours(names)
        return [own[name] for name in names]
    rest = ("other", "others", "unknown", UNASSIGNED)
    names = _key_words(frame, given.key)
    return [theme.GREY if name.casefold() in rest else theme.ACCENT for name in names]


def _with_room(
    axes: "Axes", values: Sequence[float], labels: Sequence[str], width: float, mark: float | None
) -> tuple[float, float]:
    """Limits of a value axis, such that bars start at 0 and labels behind them fit."""
    del axes
    most = max([0.0, *values, *([mark] if mark is not None and math.isfinite(mark) else [])])
    least = min([0.0, *values, *([mark] if mark is not None and math.isfinite(mark) else [])])
    most = most if most > least else least + 1.0
    right = max(
        (text_width(w, theme.SMALL) + 6 for w, v in zip(labels, values, strict=True) if v >= 0),
        default=2,
    )
    left = max(
        (text_width(w, theme.SMALL) + 6 for w, v in zip(labels, values, strict=True) if v < 0),
        default=1,
    )
    scale = (most - least) / max(width - right - left, 0.25 * width)
    return least - left * scale, most + right * scale


# Time


class _Steps(NamedTuple):
    """Where the steps of time stand on an axis, and what they are called."""

    places: list[float]
    long: list[str]
    short: list[str]
    width: float  # of one step, in the unit of places


def _steps(name: str, values: Sequence[object]) -> _Steps:
    """Place steps of time by date, so that a gap is seen; other labels at equal distances."""
    long = [key_text(name, value) for value in values]
    starts = [_start(value) for value in values]
    if name not in TIME_STEPS or any(start is None for start in starts):
        return _Steps([float(index) for index in range(len(long))], long, long, 1.0)
    dates = [start for start in starts if start is not None]
    short = [_short_date(name, date, index == 0) for index, date in enumerate(dates)]
    if name in ("month", "quarter", "year"):
        size = {"month": 1, "quarter": 3, "year": 12}[name]
        return _Steps(
            [(date.year * 12 + date.month - 1) / size for date in dates], long, short, 1.0
        )
    days = 7.0 if name == "week" else 1.0
    return _Steps([date.toordinal() / days for date in dates], long, short, 1.0)


def _start(value: object) -> datetime.date | None:
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    words = str(value)
    try:
        return (
            datetime.date.fromisoformat(words) if len(words) == 10 else periods.parse(words).start
        )
    except (ValueError, ParamsError):
        return None


def _short_date(name: str, date: datetime.date, first: bool) -> str:
    month = periods.parse(f"{date}..{date}").words.split(" ")[1]
    if name == "year":
        return str(date.year)
    year = f"\n{date.year}" if first or date.month == 1 else ""
    if name == "quarter":
        return f"Q{(date.month + 2) // 3}{year}"
    if name == "month":
        return f"{month}{year}"
    return f"{date.day} {month}"


def _time_ticks(axes: "Axes", steps: _Steps, width: float) -> None:
    """Name as many steps as there is room for, the first always."""
    longest = max(
        text_width(drawable(part), theme.SMALL) for w in steps.short for part in w.split("\n")
    )
    low, high = axes.get_xlim()
    room = width / (high - low)  # points for one unit of place
    every = max(1, math.ceil((min(longest, 90.0) + 8) / (room * steps.width)))
    chosen = range(0, len(steps.places), every)
    labels = []
    for place, index in enumerate(chosen):
        month, _, year = steps.short[index].partition("\n")
        # A January that falls between two ticks hands its year to the next tick.
        skipped = [steps.short[at].partition("\n")[2] for at in range(chosen[place - 1] + 1, index)]
        year = year or next((found for found in skipped if found), "") if place else year
        labels.append(f"{fitted(month, max(90.0, room - 4), theme.SMALL)}\n{year}".rstrip("\n"))
    axes.set_xticks([steps.places[index] for index in chosen], labels)


def _dated(frame: "pd.DataFrame", x: str, by: str = "") -> tuple["pd.DataFrame", str]:
    """Leave out what belongs to no date, in order of time; say so."""
    undated = [str(value) == UNASSIGNED for value in frame[x].tolist()]
    note = "What has no date is not shown." if any(undated) else ""
    kept = frame[[not flag for flag in undated]]
    starts = [_start(value) for value in kept[x].tolist()]
    if x in TIME_STEPS and all(start is not None for start in starts):
        order = sorted(range(len(kept)), key=lambda at: (starts[at], at))
        kept = kept.iloc[order]
    del by
    return kept, note


def trend(
    frame: "pd.DataFrame",
    x: str,
    measure: Measure,
    *,
    by: str = "",
    previous: str = "",
    previous_label: str = "previous period",
    low: str = "",
    high: str = "",
    forecast: str = "",
    target: float | None = None,
    title: str = "",
    subtitle: str = "",
    note: str = "",
) -> Chart | Sentence:
    """A line over time, its last value written beside it.

    Parameters
    ----------
    frame : DataFrame
        One row a step of time (and series, with `by`).
    x : str
        Column with the steps: day, week, month, quarter or year as :func:`metrics.compute` names them.
    measure : Metric or Col
        Height of the line; a missing value leaves a gap.
    by : str
        Column that names the series; each gets a line.
    previous : str
        Column with the value of the same step one period before, drawn lighter as `previous_label`.
    low, high : str
        Columns with a band around the line.
    forecast : str
        Column of booleans: steps that are forecast, drawn dashed.
    target : float, optional
        Level to mark.
    title, subtitle, note : str
        Instead of the finding made from the data, and its explanation; a line below.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import REVENUE
    >>> frame = pd.DataFrame({"month": ["2025-04", "2025-05"], "revenue": [9e5, 7e5]})
    >>> trend(frame, "month", REVENUE).title
    'Revenue peaks in Apr 2025 at ₹9.00 L'
    """
    what = f"{measure.label} by {_dimension(x)}"
    names = [x, by, measure.name, previous, low, high, forecast]
    require_columns(frame, names, f"trend of {what}")
    dated, undated = _dated(frame, x)
    values = _numbers(dated, measure.name)
    if not any(value == value for value in values):
        return _nothing(f"The trend of {_in_sentence(measure.label)}", "there is no dated value")
    ahead = (
        [value is True for value in dated[forecast].tolist()] if forecast else [False] * len(dated)
    )
    labels = _joined(dated, x, by)
    seen = [math.nan if flag else value for value, flag in zip(values, ahead, strict=True)]
    title = title or _peak(labels, seen if any(v == v for v in seen) else values, measure)
    if not subtitle:
        extra = f", against {previous_label}" if previous else ""
        extra += ", with forecast" if any(ahead) else ""
        parts = f" and {_dimension(by)}" if by else ""
        subtitle = f"{_with_unit(measure)} by {_dimension(x)}{parts}{extra}"
    alt = _alt(
        f"Line chart of {_in_sentence(subtitle)}, {labels[0]} to {labels[-1]}, {len(dated)} values.",
        _extremes(labels, seen, measure),
    )
    table = _data(
        dated, [x, by], [measure, *(_like(measure, name) for name in (previous, low, high))]
    )
    foot = " ".join(part for part in (note, undated) if part)

    def draw() -> "Figure":
        lines = _lines(dated, x, measure, by, ahead, (low, high))
        if previous:
            rest = dated.drop_duplicates(x)
            ys = _numbers(rest, previous)
            lines.insert(
                0, _Line(previous_label, [str(v) for v in rest[x]], ys, theme.GREY, [], [])
            )
        return _draw_trend(dated, x, measure, lines, target, (title, subtitle, foot))

    return Chart(title, subtitle, alt, table, draw)


def _like(measure: Measure, name: str) -> Measure | str:
    """A column that is counted as the measure is."""
    return Col(name=name, label=key_label(name), unit=_unit(measure)) if name else ""


def _peak(labels: Sequence[str], values: Sequence[float], measure: Measure) -> str:
    best = max(
        range(len(values)), key=lambda at: values[at] if values[at] == values[at] else -math.inf
    )
    verb = "is" if sum(value == value for value in values) == 1 else "peaks"
    if verb == "is":
        return f"{measure.label} in {labels[best]}: {_short(values[best], measure)}"
    return f"{measure.label} peaks in {labels[best]} at {_short(values[best], measure)}"


class _Line(NamedTuple):
    name: str
    steps: list[str]
    values: list[float]
    colour: str
    ahead: list[bool]
    band: list[tuple[float, float]]


def _lines(
    frame: "pd.DataFrame",
    x: str,
    measure: Measure,
    by: str,
    ahead: Sequence[bool],
    band: tuple[str, str],
) -> list[_Line]:
    """Cut the frame into one line a series."""
    groups = _key_words(frame, by) if by else [""] * len(frame)
    hues = theme.colours(groups) if by else {"": theme.ACCENT}
    steps = [str(value) for value in frame[x]]
    values = _numbers(frame, measure.name)
    ends = [_numbers(frame, name) for name in band] if all(band) else None
    lines = []
    for group in dict.fromkeys(groups):
        at = [index for index, name in enumerate(groups) if name == group]
        lines.append(
            _Line(
                group,
                [steps[index] for index in at],
                [values[index] for index in at],
                hues[group],
                [ahead[index] for index in at],
                [(ends[0][index], ends[1][index]) for index in at] if ends else [],
            )
        )
    return lines


def _draw_trend(
    frame: "pd.DataFrame",
    x: str,
    measure: Measure,
    lines: Sequence[_Line],
    target: float | None,
    words: tuple[str, str, str],
) -> "Figure":
    import seaborn

    title, subtitle, note = words
    every = list(dict.fromkeys(str(value) for value in frame[x]))
    steps = _steps(x, [next(v for v in frame[x] if str(v) == step) for step in every])
    place = dict(zip(every, steps.places, strict=True))
    sheet = _Sheet(title, subtitle, 190.0, note=note)
    unit = _unit(measure)
    ends = []
    for line in lines:
        known = [index for index, value in enumerate(line.values) if value == value]
        if known:
            value = line.values[known[-1]]
            label = f"{line.name} {_short(value, measure)}".strip()
            ends.append(
                (
                    line,
                    place[line.steps[known[-1]]],
                    value,
                    fitted(label, 0.3 * _WIDTH, theme.SMALL),
                )
            )
    right = max((text_width(end[3], theme.SMALL, theme.BOLD) for end in ends), default=0.0) + 10
    axes = sheet.axes(50.0, right, 28.0, 6.0)
    for line in lines:
        xs = [place[step] for step in line.steps]
        if line.band:
            axes.fill_between(
                xs,
                [low for low, _ in line.band],
                [high for _, high in line.band],
                color=line.colour,
                alpha=0.18,
                linewidth=0,
            )
        light = line.colour == theme.GREY
        alone = sum(value == value for value in line.values) <= 2
        ahead = line.ahead or [False] * len(xs)
        first = ahead.index(True) if True in ahead else len(xs)
        seaborn.lineplot(
            x=xs[:first],
            y=line.values[:first],
            estimator=None,
            sort=False,
            color=line.colour,
            linewidth=1.4 if light else 2.2,
            marker="o" if alone or len(xs) <= 12 else None,
            markersize=4 if light else 5,
            markeredgewidth=0,
            legend=False,
            ax=axes,
        )
        if first < len(xs):
            start = max(0, first - 1)
            axes.plot(
                xs[start:],
                line.values[start:],
                color=line.colour,
                linestyle=(0, (3, 2)),
                linewidth=1.8,
            )
            axes.annotate(
                "forecast",
                ((xs[start] + xs[-1]) / 2, 1),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="top",
                fontsize=theme.SMALL,
                color=theme.SOFT,
            )
    if target is not None and math.isfinite(target):
        axes.axhline(target, color=theme.SOFT, linewidth=1, linestyle=(0, (3, 2)))
        axes.annotate(
            f"target {_short(target, measure)}",
            (0, target),
            xycoords=("axes fraction", "data"),
            xytext=(2, 2),
            textcoords="offset points",
            fontsize=theme.SMALL,
            color=theme.SOFT,
        )
    axes.set(xlabel="", ylabel="")
    pad = max(0.5 * steps.width, 0.02 * (steps.places[-1] - steps.places[0]))
    axes.set_xlim(min(steps.places) - pad, max(steps.places) + pad)
    low, high = axes.get_ylim()
    span = max(high, 0.0) - min(low, 0.0)
    # Lines start at 0 unless they are all far from it.
    axes.set_ylim(min(low, 0.0) if low < 0 or low < 0.6 * high else low, high + 0.02 * span)
    _value_axis(axes, unit)
    left = _tick_room(axes, unit) + 8
    width = _WIDTH - left - right
    _move(sheet, axes, left, right)
    _time_ticks(axes, steps, width)
    per_point = (axes.get_ylim()[1] - axes.get_ylim()[0]) / (190.0 - 34.0)
    wanted = [end[2] / per_point for end in ends]
    limits = (axes.get_ylim()[0] / per_point, axes.get_ylim()[1] / per_point)
    for (line, at, _, label), y in zip(ends, _spread(wanted, 11.0, *limits), strict=True):
        axes.annotate(
            label,
            (at, y * per_point),
            xytext=(6, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=theme.SMALL,
            fontweight=400 if line.colour == theme.GREY else theme.BOLD,
            color=theme.SOFT if line.colour == theme.GREY else theme.INK,
            annotation_clip=False,
        )
    return sheet.figure


def _move(sheet: _Sheet, axes: "Axes", left: float, right: float) -> None:
    """Give axes new margins at the sides, once the width of the tick labels is known."""
    box = axes.get_position()
    axes.set_position((left / _WIDTH, box.y0, (_WIDTH - left - right) / _WIDTH, box.height))
    del sheet


def columns(
    frame: "pd.DataFrame",
    x: str,
    measure: Measure,
    *,
    by: str = "",
    title: str = "",
    subtitle: str = "",
    note: str = "",
) -> Chart | Sentence:
    """Upright bars over time; with `by`, the parts stacked.

    Parameters
    ----------
    frame : DataFrame
        One row a step of time (and part, with `by`).
    x : str
        Column with the steps of time, or with any few ordered labels.
    measure : Metric or Col
        Height of the bars.
    by : str
        Column with the parts; the measure must add up.
    title, subtitle, note : str
        Instead of the finding made from the data, and its explanation; a line below.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import ORDERS
    >>> frame = pd.DataFrame({"quarter": ["2025-Q1", "2025-Q2"], "orders": [90, 70]})
    >>> columns(frame, "quarter", ORDERS).title
    'Orders peaks in Q1 2025 at 90'
    """
    what = f"{measure.label} by {_dimension(x)}"
    require_columns(frame, [x, by, measure.name], f"columns of {what}")
    if by and isinstance(measure, Metric) and not _adds_up(measure):
        raise InputError(
            f"Columns of {what}: {measure.label} does not add up, so it cannot be stacked."
        )
    dated, undated = _dated(frame, x)
    values = _numbers(dated, measure.name)
    if not any(value == value for value in values):
        return _nothing(what, "there is no dated value")
    every = list(dict.fromkeys(str(value) for value in dated[x]))
    of = [str(value) for value in dated[x]]
    totals = [
        _sum_known([value for value, step in zip(values, of, strict=True) if step == one])
        for one in every
    ]
    originals = [next(v for v in dated[x] if str(v) == step) for step in every]
    steps = _steps(x, originals)
    title = title or _peak(steps.long, totals, measure)
    parts = f" and {_dimension(by)}" if by else ""
    subtitle = subtitle or f"{_with_unit(measure)} by {_dimension(x)}{parts}"
    alt = _alt(
        f"Column chart of {_in_sentence(subtitle)}, {steps.long[0]} to {steps.long[-1]}, {len(every)} columns.",
        _extremes(steps.long, totals, measure),
    )
    table = _data(dated, [x, by], [measure])
    foot = " ".join(part for part in (note, undated) if part)
    groups = _key_words(dated, by) if by else [""] * len(dated)

    def draw() -> "Figure":
        stacks = {
            group: [
                _sum_known(
                    [
                        v
                        for v, s, g in zip(values, of, groups, strict=True)
                        if s == one and g == group
                    ]
                )
                for one in every
            ]
            for group in dict.fromkeys(groups)
        }
        return _draw_columns(steps, stacks, totals, measure, (title, subtitle, foot))

    return Chart(title, subtitle, alt, table, draw)


def _sum_known(values: Sequence[float]) -> float:
    known = [value for value in values if value == value]
    return math.fsum(known) if known else math.nan


def _draw_columns(
    steps: _Steps,
    stacks: Mapping[str, Sequence[float]],
    totals: Sequence[float],
    measure: Measure,
    words: tuple[str, str, str],
) -> "Figure":
    title, subtitle, note = words
    unit = _unit(measure)
    hues = theme.colours(stacks) if "" not in stacks else {"": theme.ACCENT}
    key = [(name, hues[name], "s") for name in stacks if name]
    sheet = _Sheet(title, subtitle, 180.0, key=key, note=note)
    axes = sheet.axes(50.0, _EDGE, 28.0, 12.0)
    above = [0.0] * len(totals)
    below = [0.0] * len(totals)
    for name, values in stacks.items():
        heights = [value if value == value else 0.0 for value in values]
        base = [above[i] if height >= 0 else below[i] for i, height in enumerate(heights)]
        axes.bar(
            steps.places,
            heights,
            bottom=base,
            width=0.78 * steps.width,
            color=hues[name],
            edgecolor=theme.PAPER if len(stacks) > 1 else "none",
            linewidth=0.6 if len(stacks) > 1 else 0,
        )
        above = [top + max(height, 0.0) for top, height in zip(above, heights, strict=True)]
        below = [low + min(height, 0.0) for low, height in zip(below, heights, strict=True)]
    axes.axhline(0, color=theme.SOFT, linewidth=0.8)
    axes.set_xlim(min(steps.places) - 0.6 * steps.width, max(steps.places) + 0.6 * steps.width)
    span = max(*above, 0.0, *([0.0])) - min(*below, 0.0, *([0.0])) or 1.0
    axes.set_ylim(
        min(below) - (0.1 * span if min(below) < 0 else 0), max(above) + 0.06 * span or 1.0
    )
    labels = [_short(total, measure) if total == total else "n/a" for total in totals]
    _value_axis(axes, unit)
    left = _tick_room(axes, unit) + 8
    room = (_WIDTH - left) / max(axes.get_xlim()[1] - axes.get_xlim()[0], 1e-9) * steps.width
    if max(text_width(label, theme.SMALL) for label in labels) + 3 <= room:
        for at, label, top, total in zip(steps.places, labels, above, totals, strict=True):
            low = total == total and total < 0
            axes.annotate(
                label,
                (at, min(below) if low else top),
                xytext=(0, -3 if low else 3),
                textcoords="offset points",
                ha="center",
                va="top" if low else "bottom",
                fontsize=theme.SMALL,
            )
        axes.yaxis.set_visible(False)
        axes.grid(visible=False)
        left = _EDGE
    _move(sheet, axes, left, _EDGE)
    _time_ticks(axes, steps, _WIDTH - left - _EDGE)
    axes.spines["bottom"].set_visible(False)
    return sheet.figure


# Parts of a whole


def doughnut(
    frame: "pd.DataFrame",
    key: str,
    measure: Measure,
    *,
    smallest: float = theme.NARROWEST_SLICE,
    title: str = "",
    subtitle: str = "",
    note: str = "",
) -> Chart | Sentence:
    """Shares of a total as a ring; slices below `smallest` are drawn together as "Other".

    Parameters
    ----------
    frame : DataFrame
        One row a slice.
    key : str
        Column that names the slices.
    measure : Metric or Col
        Their size; must add up and not be negative.
    smallest : float
        Share below which slices are joined.
    title, subtitle, note : str
        Instead of the finding made from the data, and its explanation; a line below.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import REVENUE
    >>> frame = pd.DataFrame({"platform": ["YouTube", "Instagram"], "revenue": [2e5, 8e5]})
    >>> doughnut(frame, "platform", REVENUE).title
    'Instagram accounts for 80% of revenue'
    """
    what = f"{measure.label} by {_dimension(key)}"
    require_columns(frame, [key, measure.name], f"doughnut of {what}")
    if isinstance(measure, Metric) and not _adds_up(measure):
        raise InputError(f"Doughnut of {what}: {measure.label} does not add up to a whole.")
    ranked = _ranked(frame, key, measure.name, "")
    names, values = _key_words(ranked, key), _numbers(ranked, measure.name)
    if any(value < 0 for value in values):
        return _nothing(f"Shares of {_in_sentence(what)}", "some parts are negative")
    whole = _sum_known(values)
    if not whole > 0:
        return _nothing(f"Shares of {_in_sentence(what)}", "there is nothing to share out")
    slices = [(n, v) for n, v in zip(names, values, strict=True) if v / whole >= smallest]
    rest = whole - math.fsum(value for _, value in slices)
    joined = sum(1 for value in values if 0 < value / whole < smallest)
    if joined == 1:
        slices = [(n, v) for n, v in zip(names, values, strict=True) if v > 0]
    elif joined:
        slices.append((f"Other ({joined})", rest))
    top = max(slices, key=lambda pair: pair[1])
    title = (
        title
        or f"{top[0]} accounts for {tick(round(top[1] / whole, 2), Unit.PERCENT)} of {_in_sentence(measure.label)}"
    )
    subtitle = subtitle or f"Share of {_in_sentence(what)}"
    shares = ", ".join(f"{name} {text(value / whole, Unit.PERCENT)}" for name, value in slices[:8])
    alt = _alt(
        f"Doughnut chart: {_in_sentence(subtitle)}. {shares}. Total {_short(whole, measure)}."
    )
    table = _data(ranked, [key], [measure])

    def draw() -> "Figure":
        return _draw_doughnut(slices, whole, measure, (title, subtitle, note))

    return Chart(title, subtitle, alt, table, draw)


def _draw_doughnut(
    slices: Sequence[tuple[str, float]], whole: float, measure: Measure, words: tuple[str, str, str]
) -> "Figure":
    title, subtitle, note = words
    body = 186.0
    sheet = _Sheet(title, subtitle, body, note=note)
    axes = sheet.axes(_EDGE, _EDGE, 2.0, 2.0)
    hues = theme.colours(name for name, _ in slices)
    colours = [theme.GREY if name.startswith("Other (") else hues[name] for name, _ in slices]
    radius, hole = 78.0, 46.0
    axes.pie(
        [value for _, value in slices],
        radius=radius,
        colors=colours,
        startangle=90,
        counterclock=False,
        wedgeprops={"width": radius - hole, "edgecolor": theme.PAPER, "linewidth": 1.5},
        labels=None,
    )
    half = (_WIDTH - 2 * _EDGE) / 2
    axes.set(xlim=(-half, half), ylim=(-(body - 4) / 2, (body - 4) / 2))
    axes.set_aspect("auto")
    centre = _short(whole, measure)
    size = (
        theme.TITLE if text_width(centre, theme.TITLE, theme.BOLD) < 2 * hole - 12 else theme.SIZE
    )
    axes.text(0, 1, centre, ha="center", va="bottom", fontsize=size, fontweight=theme.BOLD)
    below = fitted(_in_sentence(measure.label), 2 * hole - 16, theme.SMALL)
    axes.text(0, -2, below, ha="center", va="top", fontsize=theme.SMALL, color=theme.SOFT)
    _ring_labels(axes, slices, whole, radius, half, (body - 16) / 2)
    return sheet.figure


def _ring_labels(
    axes: "Axes",
    slices: Sequence[tuple[str, float]],
    whole: float,
    radius: float,
    half: float,
    reach: float,
) -> None:
    """Write each slice's name and share beside it, on its side, without overlaps."""
    done = 0.0
    sides: dict[bool, list[tuple[str, str, float, float]]] = {True: [], False: []}
    for name, value in slices:
        angle = math.pi / 2 - 2 * math.pi * (done + value / 2) / whole
        done += value
        share = text(value / whole, Unit.PERCENT)
        sides[math.cos(angle) >= 0].append((name, share, math.cos(angle), math.sin(angle)))
    for right, labels in sides.items():
        turn = 1 if right else -1
        wanted = [1.06 * radius * sin for *_, sin in labels]
        for (name, share, cos, sin), y in zip(
            labels, _spread(wanted, 14.0, -reach, reach), strict=True
        ):
            edge = turn * (radius + 16)
            axes.plot(
                [cos * radius * 0.98, cos * radius * 1.06, edge],
                [sin * radius * 0.98, sin * radius * 1.06, y],
                color=theme.SOFT,
                linewidth=0.7,
            )
            room = half - radius - 22 - text_width(f" {share}", theme.SIZE, theme.BOLD)
            word = fitted(name, room)
            at = edge + turn * 4
            one, two = (word, f" {share}") if right else (f"{word} ", share)
            first = text_width(one) if right else text_width(two, theme.SIZE, theme.BOLD)
            parts = ((one, 400), (two, theme.BOLD)) if right else ((two, theme.BOLD), (one, 400))
            for part, weight in parts:
                axes.text(
                    at,
                    y,
                    part,
                    ha="left" if right else "right",
                    va="center_baseline",
                    fontweight=weight,
                )
                at += turn * (first + (1 if right else 1))


def stacked(
    frame: "pd.DataFrame",
    key: str,
    part: str,
    measure: Measure,
    *,
    order: Sequence[str] = (),
    most: int = 12,
    title: str = "",
    subtitle: str = "",
    note: str = "",
) -> Chart | Sentence:
    """Bars of 100 %: how each group is made up.

    Parameters
    ----------
    frame : DataFrame
        One row a group and part.
    key, part : str
        Columns that name the bars and their parts.
    measure : Metric or Col
        Size of the parts; must add up and not be negative.
    order : sequence of str
        Order of the parts, for instance of tiers; otherwise as they come.
    most : int
        Bars to draw; the table behind has all.
    title, subtitle, note : str
        Instead of the finding made from the data, and its explanation; a line below.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import ORDERS
    >>> frame = pd.DataFrame({"platform": ["YouTube"] * 2, "gender": ["female", "male"], "orders": [6, 4]})
    >>> stacked(frame, "platform", "gender", ORDERS).alt
    'Stacked bar chart of share of orders by gender in each platform of the influencer, 1 bar. YouTube: female 60.0%, male 40.0%.'
    """
    what = f"{measure.label} by {_dimension(key)} and {_dimension(part)}"
    require_columns(frame, [key, part, measure.name], f"stacked bars of {what}")
    if isinstance(measure, Metric) and not _adds_up(measure):
        raise InputError(f"Stacked bars of {what}: {measure.label} does not add up to a whole.")
    names, parts = _key_words(frame, key), _key_words(frame, part)
    values = _numbers(frame, measure.name)
    if any(value < 0 for value in values):
        return _nothing(f"Shares of {_in_sentence(what)}", "some parts are negative")
    cells: dict[str, dict[str, float]] = {}
    for name, piece, value in zip(names, parts, values, strict=True):
        if value == value:
            row = cells.setdefault(name, {})
            row[piece] = row.get(piece, 0.0) + value
    cells = {name: row for name, row in cells.items() if math.fsum(row.values()) > 0}
    if not cells:
        return _nothing(f"Shares of {_in_sentence(what)}", "there is nothing to share out")
    pieces = [p for p in order if p in parts] + [p for p in dict.fromkeys(parts) if p not in order]
    shares = {
        name: {p: row.get(p, 0.0) / math.fsum(row.values()) for p in pieces}
        for name, row in list(cells.items())[:most]
    }
    more = f", first {most} of {len(cells)}" if len(cells) > most else ""
    subtitle = subtitle or (
        f"Share of {_in_sentence(measure.label)} by {_dimension(part)} in each {_dimension(key)}{more}"
    )
    first = next(iter(shares))
    top = max(shares[first], key=lambda piece: shares[first][piece])
    title = title or f"{top} makes up {tick(round(shares[first][top], 2), Unit.PERCENT)} of {first}"
    listing = "; ".join(
        f"{name}: {', '.join(f'{p} {text(s, Unit.PERCENT)}' for p, s in row.items() if s)}"
        for name, row in list(shares.items())[:4]
    )
    plural = "bar" if len(shares) == 1 else "bars"
    alt = _alt(f"Stacked bar chart of {_in_sentence(subtitle)}, {len(shares)} {plural}. {listing}.")
    table = _data(frame, [key, part], [measure])

    def draw() -> "Figure":
        return _draw_stacked(shares, pieces, (title, subtitle, note))

    return Chart(title, subtitle, alt, table, draw)


def _draw_stacked(
    shares: Mapping[str, Mapping[str, float]], pieces: Sequence[str], words: tuple[str, str, str]
) -> "Figure":
    from matplotlib.colors import to_rgba

    title, subtitle, note = words
    hues = theme.colours(pieces)
    key = [(piece, hues[piece], "s") for piece in pieces]
    sheet = _Sheet(title, subtitle, 26.0 * len(shares) + 4, key=key, note=note)
    left = min(max(text_width(drawable(name)[:300]) for name in shares), _NAMES_AT_MOST) + 8
    axes = sheet.axes(left, _EDGE, 2.0)
    width = _WIDTH - left - _EDGE
    for row, values in enumerate(shares.values()):
        start = 0.0
        for piece in pieces:
            share = values[piece]
            axes.barh(
                row,
                share,
                left=start,
                height=0.74,
                color=hues[piece],
                edgecolor=theme.PAPER,
                linewidth=1,
            )
            label = tick(round(share, 2), Unit.PERCENT)
            if share * width > text_width(label, theme.SMALL) + 6:
                axes.text(
                    start + share / 2,
                    row,
                    label,
                    ha="center",
                    va="center_baseline",
                    fontsize=theme.SMALL,
                    color=theme.cell_ink(to_rgba(hues[piece])),
                )
            start += share
    axes.set(xlim=(0, 1), ylim=(len(shares) - 0.5, -0.5), xticks=[])
    axes.set_yticks(range(len(shares)), [fitted(name, left - 8) for name in shares])
    axes.tick_params(axis="y", labelsize=theme.SIZE, labelcolor=theme.INK)
    axes.spines["bottom"].set_visible(False)
    return sheet.figure


# Clouds of points


def bubbles(
    frame: "pd.DataFrame",
    x: Measure,
    y: Measure,
    size: Measure | None = None,
    *,
    label: str = "influencer",
    group: str = "tier",
    order: Sequence[str] = (),
    named: int = 6,
    log_x: bool = True,
    title: str = "",
    subtitle: str = "",
    note: str = "",
) -> Chart | Sentence:
    """Points whose area shows a third metric; the highest are named.

    Parameters
    ----------
    frame : DataFrame
        One row a point.
    x, y, size : Metric or Col
        Followers, revenue and orders, for instance.
    label : str
        Column that names the points.
    group : str
        Column that gives colour and shape; empty for none.
    order : sequence of str
        Order of the groups in the key, for instance of tiers.
    named : int
        Names to write, from the highest value down, where they do not overlap.
    log_x : bool
        Logarithmic scale across; points at zero or below are then left out and counted.
    title, subtitle, note : str
        Instead of the finding made from the data, and its explanation; a line below.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import INFLUENCER_ORDERS, INFLUENCER_REVENUE
    >>> followers = Col(name="follower_count", label="Followers", unit=Unit.COUNT)
    >>> frame = pd.DataFrame({"influencer": ["Asha", "Ravi"], "tier": ["nano", "macro"],
    ...     "follower_count": [8000, 200000], "influencer_revenue": [5e5, 2e5],
    ...     "influencer_orders": [400, 90]})
    >>> bubbles(frame, followers, INFLUENCER_REVENUE, INFLUENCER_ORDERS).title
    'Asha has the highest influencer revenue: ₹5.00 L'
    """
    what = f"{y.label} against {_in_sentence(x.label)}"
    names = [x.name, y.name, size.name if size else "", label, group]
    require_columns(frame, names, f"bubbles of {what}")
    cloud = _cloud(frame, x, y, size, label, group, log_x)
    if not cloud.points:
        return _nothing(what, "no row has both values")
    best = max(cloud.points, key=lambda point: point.y)
    title = title or f"{best.name} has the highest {_in_sentence(y.label)}: {_short(best.y, y)}"
    area = f", area: {_in_sentence(size.label)}" if size else ""
    subtitle = subtitle or f"{what}, one point per {_dimension(label)}{area}"
    alt = _alt(
        f"Bubble chart of {_in_sentence(subtitle)}, {len(cloud.points)} points.",
        _extremes([p.name for p in cloud.points], [p.y for p in cloud.points], y),
    )
    table = _data(frame, [label, group], [x, y, *([size] if size else [])])
    foot = " ".join(part for part in (note, cloud.left_out) if part)

    def draw() -> "Figure":
        looks = _looks([point.group for point in cloud.points], order) if group else {}
        return _draw_cloud(cloud, (x, y), looks, (), named, log_x, (title, subtitle, foot))

    return Chart(title, subtitle, alt, table, draw)


def scatter(
    frame: "pd.DataFrame",
    x: Measure,
    y: Measure,
    *,
    label: str = "influencer",
    group: str = "",
    order: Sequence[str] = (),
    guides: Sequence[tuple[float, str]] = (),
    named: int = 6,
    log: bool = False,
    title: str = "",
    subtitle: str = "",
    note: str = "",
) -> Chart | Sentence:
    """Points of two metrics, with lines where y is a multiple of x.

    Parameters
    ----------
    frame : DataFrame
        One row a point.
    x, y : Metric or Col
        Spend and revenue, for instance.
    label : str
        Column that names the points.
    group : str
        Column that gives colour and shape.
    order : sequence of str
        Order of the groups in the key.
    guides : sequence of (factor, label)
        Lines through zero: ``[(1.0, "break-even"), (2.0, "ROAS 2×")]``.
    named : int
        Names to write, from the highest value down, where they do not overlap.
    log : bool
        Logarithmic scales; points at zero or below are then left out and counted.
    title, subtitle, note : str
        Instead of the finding made from the data, and its explanation; a line below.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import INFLUENCER_REVENUE, SPEND
    >>> frame = pd.DataFrame({"influencer": ["Asha", "Ravi"], "spend": [1e5, 2e5],
    ...     "influencer_revenue": [3e5, 1e5]})
    >>> scatter(frame, SPEND, INFLUENCER_REVENUE, guides=[(1.0, "break-even")]).title
    '1 of 2 above break-even'
    """
    what = f"{y.label} against {_in_sentence(x.label)}"
    require_columns(frame, [x.name, y.name, label, group], f"scatter of {what}")
    cloud = _cloud(frame, x, y, None, label, group, log, log_y=log)
    if not cloud.points:
        return _nothing(what, "no row has both values")
    above = "; ".join(
        f"{sum(p.y > factor * p.x for p in cloud.points)} of {len(cloud.points)} above {words}"
        for factor, words in guides
    )
    best = max(cloud.points, key=lambda point: point.y)
    finding = f"{best.name} has the highest {_in_sentence(y.label)}: {_short(best.y, y)}"
    title = title or above.partition(";")[0] or finding
    subtitle = subtitle or f"{what}, one point per {_dimension(label)}"
    alt = _alt(
        f"Scatter chart of {_in_sentence(subtitle)}, {len(cloud.points)} points.",
        f"{above}." if above else "",
        _extremes([p.name for p in cloud.points], [p.y for p in cloud.points], y),
    )
    table = _data(frame, [label, group], [x, y])
    foot = " ".join(part for part in (note, cloud.left_out) if part)

    def draw() -> "Figure":
        looks = _looks([point.group for point in cloud.points], order) if group else {}
        return _draw_cloud(cloud, (x, y), looks, guides, named, log, (title, subtitle, foot))

    return Chart(title, subtitle, alt, table, draw)


class _Point(NamedTuple):
    x: float
    y: float
    size: float
    name: str
    group: str


class _Cloud(NamedTuple):
    points: list[_Point]
    left_out: str


def _cloud(
    frame: "pd.DataFrame",
    x: Measure,
    y: Measure,
    size: Measure | None,
    label: str,
    group: str,
    log_x: bool,
    *,
    log_y: bool = False,
) -> _Cloud:
    """Rows that can be drawn as points, and a sentence about the others."""
    sizes = _numbers(frame, size.name) if size else [1.0] * len(frame)
    groups = _key_words(frame, group) if group else [""] * len(frame)
    every = [
        _Point(*values)
        for values in zip(
            _numbers(frame, x.name),
            _numbers(frame, y.name),
            sizes,
            _key_words(frame, label),
            groups,
            strict=True,
        )
    ]
    points = [
        point
        for point in every
        if math.isfinite(point.x)
        and math.isfinite(point.y)
        and (point.x > 0 or not log_x)
        and (point.y > 0 or not log_y)
    ]
    missing = len(every) - len(points)
    if not missing:
        return _Cloud(points, "")
    of = f"{_in_sentence(x.label)} or {_in_sentence(y.label)}"
    above = " above zero" if log_x else ""
    return _Cloud(points, f"{text(missing, Unit.COUNT)} without {of}{above} not shown.")


def _looks(groups: Iterable[str], order: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and shape of each group, in the order of the key."""
    present = list(dict.fromkeys(groups))
    tiers = list(theme.MARKS)
    ranked = [name for name in order if name in present]
    others = [name for name in present if name not in ranked]
    if all(name.casefold() in (*tiers, UNASSIGNED, "–") for name in others):
        others.sort(
            key=lambda name: tiers.index(name.casefold()) if name.casefold() in tiers else 9
        )
    else:
        others.sort()
    names = ranked + others
    hues = theme.colours(names)
    return {name: (hues[name], theme.marker(name, at)) for at, name in enumerate(names)}


def _draw_cloud(
    cloud: _Cloud,
    measures: tuple[Measure, Measure],
    looks: Mapping[str, tuple[str, str]],
    guides: Sequence[tuple[float, str]],
    named: int,
    log_x: bool,
    words: tuple[str, str, str],
) -> "Figure":
    import seaborn

    title, subtitle, note = words
    across, up = measures
    body = 262.0
    sheet = _Sheet(
        title, subtitle, body, key=[(name, *look) for name, look in looks.items()], note=note
    )
    axes = sheet.axes(50.0, 14.0, 34.0, 8.0)
    # Large ones first, so that small ones are not hidden.
    points = sorted(cloud.points, key=lambda p: (-(p.size if p.size == p.size else 0.0), -p.y, p.x))
    largest = max((p.size for p in points if p.size == p.size), default=1.0) or 1.0
    sized = len({p.size for p in points}) > 1
    big = 420.0 if len(points) <= 200 else 160.0
    plain = 46.0 if len(points) <= 200 else 16.0
    areas = [
        plain
        if not sized
        else 14.0 + (big - 14.0) * max(p.size if p.size == p.size else 0.0, 0.0) / largest
        for p in points
    ]
    groups = list(looks) or [""]
    for group in groups:
        at = [index for index, point in enumerate(points) if point.group == group]
        if not at:
            continue
        colour, mark = looks.get(group, (theme.ACCENT, "o"))
        seaborn.scatterplot(
            x=[points[index].x for index in at],
            y=[points[index].y for index in at],
            s=[areas[index] for index in at],
            color=colour,
            marker=mark,
            alpha=0.78,
            edgecolor=theme.PAPER,
            linewidth=0.7,
            legend=False,
            rasterized=len(points) > CLOUD,
            ax=axes,
        )
    axes.set(xlabel="", ylabel="")
    _cloud_limits(axes, points, guides, log_x)
    _value_axis(axes, _unit(up))
    if log_x and guides:
        _log_axis(axes, _unit(up), vertical=True)
    if log_x:
        _log_axis(axes, _unit(across), vertical=False)
    else:
        _value_axis(axes, _unit(across), vertical=False)
    axes.grid(visible=True, axis="both")
    left = _tick_room(axes, _unit(up)) + 8
    _move(sheet, axes, left, 14.0)
    axes.set_xlabel(f"{across.label} →", loc="right", color=theme.SOFT, labelpad=3)
    _guides(axes, guides)
    _name_points(axes, points, areas, named)
    return sheet.figure


def _cloud_limits(
    axes: "Axes", points: Sequence[_Point], guides: Sequence[tuple[float, str]], log_x: bool
) -> None:
    xs, ys = [p.x for p in points], [p.y for p in points]
    if log_x:
        axes.set_xscale("log")
        axes.set_xlim(min(xs) / 1.6, max(xs) * 1.9)
    else:
        low, high = min(0.0, *xs), max(0.0, *xs)
        axes.set_xlim(low - 0.03 * (high - low), high + 0.08 * (high - low or 1.0))
    if log_x and guides:
        axes.set_yscale("log")
        axes.set_ylim(min(ys) / 1.6, max(ys) * 1.9)
    else:
        low, high = min(0.0, *ys), max(0.0, *ys)
        axes.set_ylim(low - 0.03 * (high - low), high + 0.1 * (high - low or 1.0))


def _log_axis(axes: "Axes", unit: Unit, *, vertical: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    axis = axes.yaxis if vertical else axes.xaxis
    low, high = axes.get_ylim() if vertical else axes.get_xlim()
    decades = math.log10(high / low)
    subs = (1.0,) if decades > 2.4 else (1.0, 3.0) if decades > 1.2 else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(10, subs=subs, numticks=12))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, unit)))
    axis.set_minor_formatter(NullFormatter())


def _guides(axes: "Axes", guides: Sequence[tuple[float, str]]) -> None:
    """Lines where y is a multiple of x, named where they leave the axes."""
    import numpy as np

    (low, high), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for factor, label in guides:
        start = max(low, bottom / factor, 0.0) if factor > 0 else low
        xs = np.array([max(start, low if low > 0 else 0.0), high])
        axes.plot(
            xs,
            factor * xs,
            color=theme.SOFT,
            linewidth=1,
            linestyle=(0, (4, 3)),
            scalex=False,
            scaley=False,
        )
        leaves = min(high, top / factor)
        ends_right = leaves >= high
        axes.annotate(
            drawable(label),
            (leaves, factor * leaves),
            xytext=(-3, 3) if ends_right else (-4, -3),
            textcoords="offset points",
            ha="right",
            va="bottom" if ends_right else "top",
            fontsize=theme.SMALL,
            color=theme.SOFT,
        )
    axes.set_xlim(low, high)
    axes.set_ylim(bottom, top)


def _name_points(
    axes: "Axes", points: Sequence[_Point], areas: Sequence[float], named: int
) -> None:
    """Name the highest points where there is room, on the side that is free."""
    spots = axes.transData.transform([(point.x, point.y) for point in points])
    frame = axes.get_window_extent()
    radii = [math.sqrt(area) / 2 for area in areas]
    order = sorted(range(len(points)), key=lambda at: (-points[at].y, points[at].name))[: 2 * named]
    taken: list[tuple[float, float, float, float]] = []
    written = 0
    for at in order:
        if written == named:
            break
        word = fitted(points[at].name, 110.0, theme.SMALL)
        width, height = text_width(word, theme.SMALL), 10.0
        (x, y), gap = spots[at], radii[at] + 2
        sides = (
            (x + gap, y - height / 2, "left"),
            (x - gap - width, y - height / 2, "left"),
            (x - width / 2, y + gap, "left"),
            (x - width / 2, y - gap - height, "left"),
        )
        for left, bottom, _ in sides:
            box = (left, bottom, left + width, bottom + height)
            inside = (
                box[0] >= frame.x0
                and box[2] <= frame.x1 + 12
                and frame.y0 <= box[1]
                and box[3] <= frame.y1 + 4
            )
            if (
                inside
                and not any(_overlap(box, other) for other in taken)
                and not _covers(box, spots[:400], at)
            ):
                axes.annotate(
                    word,
                    (points[at].x, points[at].y),
                    xytext=(left - x, bottom - y + 2.5),
                    textcoords="offset points",
                    fontsize=theme.SMALL,
                    annotation_clip=False,
                )
                taken.append(box)
                written += 1
                break


def _overlap(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _covers(
    box: tuple[float, float, float, float], spots: "Iterable[Sequence[float]]", own: int
) -> bool:
    """Whether a label would hide the middle of another point."""
    return any(
        box[0] - 2 < spot[0] < box[2] + 2 and box[1] - 1 < spot[1] < box[3] + 1
        for at, spot in enumerate(spots)
        if at != own
    )


# Comparisons


def dots(
    frame: "pd.DataFrame",
    key: str,
    measure: Measure,
    low: str,
    high: str,
    *,
    n: str = "",
    verdict: str = "",
    reference: float | None = None,
    reference_label: str = "",
    sort: bool = True,
    most: int = 20,
    title: str = "",
    subtitle: str = "",
    note: str = "",
) -> Chart | Sentence:
    """Estimates with their intervals, one a row (a forest plot).

    Parameters
    ----------
    frame : DataFrame
        One row an estimate.
    key : str
        Column that names the rows.
    measure : Metric or Col
        The estimate.
    low, high : str
        Columns with the ends of the interval; where they are missing only the dot is drawn.
    n : str
        Column with the number of cases, written beside the name.
    verdict : str
        Column with good, ok or poor: colour of the rows.
    reference : float, optional
        Line of no effect, or break-even, called `reference_label`.
    sort : bool
        False keeps the frame's order.
    most : int
        Rows to draw; the table behind has all.
    title, subtitle, note : str
        Instead of the finding made from the data, and its explanation; a line below.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import ROAS
    >>> frame = pd.DataFrame({"tier": ["nano", "macro"], "roas": [3.1, 1.2], "low": [2.0, 0.7],
    ...     "high": [4.2, 1.9]})
    >>> dots(frame, "tier", ROAS, "low", "high", reference=1.0).title
    'nano has the highest ROAS: 3.1× (2.0× to 4.2×)'
    """
    what = f"{measure.label} by {_dimension(key)}"
    require_columns(frame, [key, measure.name, low, high, n, verdict], f"dots of {what}")
    if not any(value == value for value in _numbers(frame, measure.name)):
        return _nothing(what, "there is no estimate in this selection")
    ranked = _ranked(frame, key, measure.name, "") if sort else frame
    drawn = ranked.head(most)
    names, values = _key_words(ranked, key), _numbers(ranked, measure.name)
    spans = [
        _interval(value, first, last, measure)
        for value, first, last in zip(
            values, _numbers(ranked, low), _numbers(ranked, high), strict=True
        )
    ]
    best = max(
        range(len(values)), key=lambda at: values[at] if values[at] == values[at] else -math.inf
    )
    title = title or f"{names[best]} has the highest {_in_sentence(measure.label)}: {spans[best]}"
    more = f", top {most} of {len(ranked)}" if len(ranked) > most else ""
    subtitle = subtitle or f"{what} with intervals{more}"
    listing = "; ".join(f"{name} {span}" for name, span in list(zip(names, spans, strict=True))[:6])
    alt = _alt(f"Dot chart of {_in_sentence(subtitle)}, {len(drawn)} rows. {listing}.")
    table = _data(ranked, [key], [Col.of(measure, low=low, high=high, caveat=""), n])

    def draw() -> "Figure":
        return _draw_dots(
            drawn,
            (key, low, high, n, verdict),
            measure,
            spans,
            (reference, reference_label),
            (title, subtitle, note),
        )

    return Chart(title, subtitle, alt, table, draw)


def _interval(value: float, low: float, high: float, measure: Measure) -> str:
    words = _short(value, measure)
    if math.isnan(value) or math.isnan(low) or math.isnan(high):
        return words
    return f"{words} ({_short(low, measure)} to {_short(high, measure)})"


def _draw_dots(
    frame: "pd.DataFrame",
    names: tuple[str, str, str, str, str],
    measure: Measure,
    spans: Sequence[str],
    mark: tuple[float | None, str],
    words: tuple[str, str, str],
) -> "Figure":
    key, low, high, n, verdict = names
    title, subtitle, note = words
    reference, reference_label = mark
    values, lows, highs = (_numbers(frame, name) for name in (measure.name, low, high))
    sheet = _Sheet(title, subtitle, 23.0 * len(frame) + 36, note=note)
    labels = _key_words(frame, key)
    bases = [f" n = {text(number(v), Unit.COUNT)}" for v in frame[n]] if n else [""] * len(frame)
    spread = [
        text_width(drawable(label)[:300]) + text_width(base, theme.SMALL)
        for label, base in zip(labels, bases, strict=True)
    ]
    left = min(max(spread), _NAMES_AT_MOST) + 10
    right = max(text_width(span, theme.SMALL) for span in spans[: len(frame)]) + 10
    axes = sheet.axes(left, right, 20.0, 14.0)
    for row, (value, first, last) in enumerate(zip(values, lows, highs, strict=True)):
        colour = theme.ACCENT
        if verdict:
            colour = theme.VERDICTS.get(str(frame[verdict].iloc[row]).lower(), (theme.GREY, ""))[0]
        few = n and number(frame[n].iloc[row]) < theme.BASE_TOO_SMALL
        if not (math.isnan(first) or math.isnan(last)):
            axes.plot([first, last], [row, row], color=colour, linewidth=2.4, alpha=0.55)
        axes.plot(
            [value],
            [row],
            marker="o",
            markersize=8,
            color=colour,
            markerfacecolor=theme.PAPER if few else colour,
            markeredgewidth=1.6,
        )
        base = text_width(bases[row], theme.SMALL)
        name = fitted(labels[row], left - 10 - base)
        axes.annotate(
            name,
            (0, row),
            xycoords=("axes fraction", "data"),
            xytext=(-8 - base, 0),
            textcoords="offset points",
            ha="right",
            va="center_baseline",
        )
        axes.annotate(
            bases[row],
            (0, row),
            xycoords=("axes fraction", "data"),
            xytext=(-8, 0),
            textcoords="offset points",
            ha="right",
            va="center_baseline",
            fontsize=theme.SMALL,
            color=theme.SOFT,
        )
        axes.annotate(
            spans[row],
            (1, row),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=theme.SMALL,
        )
    known = [
        v
        for v in (*values, *lows, *highs, *([reference] if reference is not None else []))
        if v == v
    ]
    span = max(known) - min(known) or abs(max(known)) or 1.0
    axes.set_xlim(min(known) - 0.05 * span, max(known) + 0.05 * span)
    axes.set_ylim(len(frame) - 0.5, -0.5)
    _value_axis(axes, _unit(measure), vertical=False)
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    if reference is not None:
        axes.axvline(reference, color=theme.SOFT, linewidth=1, linestyle=(0, (3, 2)))
        axes.annotate(
            f"{reference_label} {_short(reference, measure)}".strip(),
            (reference, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=theme.SMALL,
            color=theme.SOFT,
        )
    return sheet.figure


def heatmap(
    frame: "pd.DataFrame",
    rows: str,
    across: str,
    measure: Measure,
    *,
    n: str = "",
    centre: float | None = None,
    row_order: Sequence[str] = (),
    column_order: Sequence[str] = (),
    title: str = "",
    subtitle: str = "",
    note: str = "",
) -> Chart | Sentence:
    """Values of two keys in a grid, darker for more; missing cells are hatched.

    Parameters
    ----------
    frame : DataFrame
        One row a cell.
    rows, across : str
        Columns that name the rows and the columns of the grid.
    measure : Metric or Col
        What the cells hold.
    n : str
        Column with the number of cases, written into cells where it is below 30.
    centre : float, optional
        Value between two colours, such as 0 for ROI; without it one colour from light to dark.
    row_order, column_order : sequence of str
        Order of the keys; otherwise as they come.
    title, subtitle, note : str
        Instead of the finding made from the data, and its explanation; a line below.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import ROI
    >>> frame = pd.DataFrame({"payout_basis": ["post", "order"], "platform": ["YouTube"] * 2,
    ...     "roi": [-0.2, 1.4]})
    >>> heatmap(frame, "payout_basis", "platform", ROI, centre=0.0).title
    'order × YouTube has the highest ROI: 140%'
    """
    what = f"{measure.label} by {_dimension(rows)} and {_dimension(across)}"
    require_columns(frame, [rows, across, measure.name, n], f"heatmap of {what}")
    values = _numbers(frame, measure.name)
    if not any(value == value for value in values):
        return _nothing(what, "there is no value in this selection")
    ups, sides = _key_words(frame, rows), _key_words(frame, across)
    cells = dict(zip(zip(ups, sides, strict=True), values, strict=True))
    if len(cells) < len(frame):
        raise InputError(
            f"Heatmap of {what}: some cells have several rows.",
            next_step=f"Group by {listed([rows, across])} only.",
        )
    bases = dict(zip(zip(ups, sides, strict=True), _numbers(frame, n), strict=True)) if n else {}
    labels = [f"{up} × {side}" for up, side in zip(ups, sides, strict=True)]
    best = max(
        range(len(values)), key=lambda at: values[at] if values[at] == values[at] else -math.inf
    )
    title = (
        title
        or f"{labels[best]} has the highest {_in_sentence(measure.label)}: {_short(values[best], measure)}"
    )
    subtitle = subtitle or what
    alt = _alt(
        f"Heatmap of {_in_sentence(subtitle)}, {len(cells)} cells.",
        _extremes(labels, values, measure),
    )
    table = _data(frame, [rows, across], [measure, n])
    grid = _Grid(_ordered(ups, row_order), _ordered(sides, column_order), cells, bases)

    def draw() -> "Figure":
        return _draw_heatmap(grid, measure, centre, (title, subtitle, note))

    return Chart(title, subtitle, alt, table, draw)


class _Grid(NamedTuple):
    rows: list[str]
    columns: list[str]
    cells: Mapping[tuple[str, str], float]
    bases: Mapping[tuple[str, str], float]


def _ordered(names: Sequence[str], order: Sequence[str]) -> list[str]:
    present = list(dict.fromkeys(names))
    return [name for name in order if name in present] + [
        name for name in present if name not in order
    ]


def _draw_heatmap(
    grid: _Grid, measure: Measure, centre: float | None, words: tuple[str, str, str]
) -> "Figure":
    import numpy as np
    import seaborn
    from matplotlib.colors import LinearSegmentedColormap, Normalize, TwoSlopeNorm
    from matplotlib.patches import Rectangle

    title, subtitle, note = words
    few = [key for key, base in grid.bases.items() if base < theme.BASE_TOO_SMALL]
    if few:
        note = (
            f"{note} " * bool(note)
            + f"n is shown where it is below {theme.BASE_TOO_SMALL}: read with care."
        )
    sheet = _Sheet(title, subtitle, 30.0 * len(grid.rows) + 22, note=note)
    left = min(max(text_width(drawable(name)[:300]) for name in grid.rows), _NAMES_AT_MOST) + 8
    axes = sheet.axes(left, _EDGE, 2.0, 20.0)
    matrix = np.array([[grid.cells.get((r, c), np.nan) for c in grid.columns] for r in grid.rows])
    known = matrix[np.isfinite(matrix)]
    least, most = float(known.min()), float(known.max())
    norm: Normalize
    if centre is None:
        colours = LinearSegmentedColormap.from_list("hk", theme.SEQUENCE)
        norm = Normalize(least, most if most > least else least + 1)
    else:
        colours = LinearSegmentedColormap.from_list("hk", theme.DIVERGING)
        reach = max(most - centre, centre - least, 1e-9)
        norm = TwoSlopeNorm(centre, centre - reach, centre + reach)
    seaborn.heatmap(
        matrix,
        mask=~np.isfinite(matrix),
        cmap=colours,
        norm=norm,
        cbar=False,
        linewidths=1.5,
        linecolor=theme.PAPER,
        ax=axes,
    )
    width = (_WIDTH - left - _EDGE) / len(grid.columns)
    for row, up in enumerate(grid.rows):
        for column, side in enumerate(grid.columns):
            value = matrix[row, column]
            if not np.isfinite(value):
                axes.add_patch(
                    Rectangle(
                        (column + 0.02, row + 0.04),
                        0.96,
                        0.92,
                        fill=False,
                        hatch="////",
                        linewidth=0,
                        edgecolor=theme.GREY,
                    )
                )
            label = "n/a" if not np.isfinite(value) else _short(value, measure)
            base = grid.bases.get((up, side), math.inf)
            if base < theme.BASE_TOO_SMALL:
                label = f"{label} (n = {text(base, Unit.COUNT)})"
            axes.text(
                column + 0.5,
                row + 0.5,
                fitted(label, width - 4),
                ha="center",
                va="center_baseline",
                color=theme.cell_ink(colours(norm(value))) if np.isfinite(value) else theme.INK,
            )
    axes.set(xlabel="", ylabel="")
    axes.xaxis.tick_top()
    axes.set_xticks(
        [index + 0.5 for index in range(len(grid.columns))],
        [fitted(name, width - 4, theme.SMALL) for name in grid.columns],
        rotation=0,
    )
    axes.set_yticks(
        [index + 0.5 for index in range(len(grid.rows))],
        [fitted(name, left - 8) for name in grid.rows],
        rotation=0,
    )
    axes.tick_params(axis="y", labelsize=theme.SIZE, labelcolor=theme.INK)
    return sheet.figure


def box(
    frame: "pd.DataFrame",
    key: str,
    measure: Measure,
    *,
    order: Sequence[str] = (),
    marks: Mapping[str, float] | None = None,
    mark_label: str = "",
    most: int = 12,
    title: str = "",
    subtitle: str = "",
    note: str = "",
) -> Chart | Sentence:
    """How values spread within groups: quartiles, with a dot for each value.

    Parameters
    ----------
    frame : DataFrame
        One row a value, for instance an influencer.
    key : str
        Column that names the groups.
    measure : Metric or Col
        The values.
    order : sequence of str
        Order of the groups; otherwise tiers by size, others by median.
    marks : mapping of str to float, optional
        A value to mark in each group, such as the brand's own, called `mark_label`.
    most : int
        Groups to draw; the table behind has all.
    title, subtitle, note : str
        Instead of the finding made from the data, and its explanation; a line below.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import ROAS
    >>> frame = pd.DataFrame({"tier": ["nano"] * 3 + ["macro"], "roas": [1.0, 2.0, 6.0, 1.5]})
    >>> box(frame, "tier", ROAS).title
    'nano has the highest median ROAS: 2.0×'
    """
    what = f"{measure.label} by {_dimension(key)}"
    require_columns(frame, [key, measure.name], f"box plot of {what}")
    groups: dict[str, list[float]] = {}
    for name, value in zip(_key_words(frame, key), _numbers(frame, measure.name), strict=True):
        if math.isfinite(value):
            groups.setdefault(name, []).append(value)
    if not groups:
        return _nothing(what, "there is no value in this selection")
    quartiles = {name: _quartiles(values) for name, values in groups.items()}
    tiers = list(theme.MARKS)
    names = [name for name in order if name in groups]
    rest = [name for name in groups if name not in names]
    if all(name.casefold() in (*tiers, UNASSIGNED) for name in rest):
        rest.sort(key=lambda name: tiers.index(name.casefold()) if name.casefold() in tiers else 9)
    else:
        rest.sort(key=lambda name: (-quartiles[name][1], name))
    names = (names + rest)[:most]
    best = max(quartiles, key=lambda name: quartiles[name][1])
    title = (
        title
        or f"{best} has the highest median {_in_sentence(measure.label)}: {_short(quartiles[best][1], measure)}"
    )
    subtitle = subtitle or f"{what}: middle half, median and single values"
    listing = "; ".join(
        f"{name} median {_short(quartiles[name][1], measure)}, n = {len(groups[name])}"
        for name in names[:6]
    )
    count = sum(map(len, groups.values()))
    alt = _alt(f"Box plot of {_in_sentence(subtitle)}, {count} values. {listing}.")
    table = _data(frame, [name for name in ("influencer", key) if name in frame.columns], [measure])

    def draw() -> "Figure":
        chosen = {name: groups[name] for name in names}
        return _draw_box(chosen, key, measure, (marks or {}, mark_label), (title, subtitle, note))

    return Chart(title, subtitle, alt, table, draw)


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    import numpy as np

    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def _draw_box(
    groups: Mapping[str, Sequence[float]],
    key: str,
    measure: Measure,
    mark: tuple[Mapping[str, float], str],
    words: tuple[str, str, str],
) -> "Figure":
    import seaborn

    title, subtitle, note = words
    marks, mark_label = mark
    legend = [(mark_label, theme.INK, "D")] if marks and mark_label else []
    sheet = _Sheet(title, subtitle, 30.0 * len(groups) + 24, key=legend, note=note)
    labels = {name: f" n = {len(values)}" for name, values in groups.items()}
    wide = [text_width(drawable(n)[:300]) + text_width(b, theme.SMALL) for n, b in labels.items()]
    left = min(max(wide), _NAMES_AT_MOST) + 10
    axes = sheet.axes(left, 10.0, 20.0)
    own = theme.colours(groups) if key in COLOURED else dict.fromkeys(groups, theme.ACCENT)
    for row, (name, values) in enumerate(groups.items()):
        if len(values) >= 5:
            seaborn.boxplot(
                x=list(values),
                y=[row] * len(values),
                orient="h",
                native_scale=True,
                width=0.62,
                whis=(5, 95),
                showfliers=False,
                color=own[name],
                saturation=1,
                boxprops={"alpha": 0.35, "edgecolor": "none"},
                medianprops={"color": theme.INK, "linewidth": 2},
                whiskerprops={"color": theme.SOFT, "linewidth": 1},
                capprops={"linewidth": 0},
                legend=False,
                ax=axes,
            )
        # A fixed sequence spreads the dots: the same picture every time.
        heights = [row + 0.44 * ((index * 0.618034) % 1.0 - 0.5) for index in range(len(values))]
        axes.scatter(
            values,
            heights,
            s=11,
            color=own[name],
            alpha=0.7,
            linewidths=0,
            zorder=3,
            rasterized=sum(map(len, groups.values())) > CLOUD,
        )
        if name in marks and math.isfinite(marks[name]):
            axes.scatter([marks[name]], [row], s=46, marker="D", color=theme.INK, zorder=4)
        base = text_width(labels[name], theme.SMALL)
        for word, shift, size, colour in (
            (fitted(name, left - 10 - base), base, theme.SIZE, theme.INK),
            (labels[name], 0.0, theme.SMALL, theme.SOFT),
        ):
            axes.annotate(
                word,
                (0, row),
                xycoords=("axes fraction", "data"),
                xytext=(-8 - shift, 0),
                textcoords="offset points",
                ha="right",
                va="center_baseline",
                fontsize=size,
                color=colour,
            )
    axes.set(xlabel="", ylabel="", yticks=[])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    _value_axis(axes, _unit(measure), vertical=False)
    axes.spines["bottom"].set_visible(False)
    return sheet.figure
