"""What all charts share: the finished chart, the sheet it is drawn on, and its words."""

import collections
import functools
import io
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from hkreport import theme
from hkreport.metrics import UNASSIGNED, Distinct, Linear, Metric, Ratio, Total
from hkreport.tables import Bundle, Col, Sentence, Table, key_label, key_text, number, told_apart
from hkreport.theme import fitted, text_width, wrapped
from hkreport.units import Unit, one_line, text, tick

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from hkreport.charts.parts import Label, Picture

__all__ = [
    "CLOUD",
    "CLOUD_DPI",
    "COLOURED",
    "DASHED",
    "EDGE",
    "WIDTH",
    "Chart",
    "Measure",
    "Sheet",
    "Words",
    "adds_up",
    "alt_text",
    "counted",
    "data_table",
    "dimension",
    "extremes",
    "finding",
    "identities",
    "in_front",
    "in_sentence",
    "joined",
    "key_words",
    "like",
    "mark_level",
    "name_rows",
    "names_width",
    "nothing",
    "numbers",
    "own_colours",
    "plural",
    "ranked",
    "row_names",
    "short",
    "spread",
    "tier_rank",
    "unit_of",
    "value_axis",
    "verdict_key",
    "with_unit",
    "write",
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

# What belongs nowhere comes last, whatever its size.
REST = ("other", "others", "unknown", UNASSIGNED)

# From so many points on a cloud is drawn as a picture: 5,000 marks would be 2 MB of SVG.
CLOUD = 1000
CLOUD_DPI = 160

POINTS = 72.0  # in an inch
WIDTH = theme.WIDTH * POINTS
EDGE = 2.0  # points; keeps strokes inside the figure
NAMES_AT_MOST = 0.36 * WIDTH
DASHED: tuple[float, tuple[float, float]] = (0, (3, 2))


class Words(NamedTuple):
    """What stands above and below a chart."""

    title: str
    subtitle: str
    note: str


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
    note : str
        The line below it.
    """

    title: str
    subtitle: str
    alt: str
    table: Table = field(repr=False)
    draw: Callable[[], "Picture"] = field(repr=False)
    note: str = ""

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
        stream = io.StringIO()
        with _drawing():
            figure = self.draw()
            figure.savefig(
                stream, format="svg", metadata={"Date": None, "Creator": None}, dpi=CLOUD_DPI
            )
        return _cleaned(stream.getvalue(), figure.body)

    def png(self, dpi: float = 144.0) -> bytes:
        """The figure as a picture on white paper, for mail."""
        stream = io.BytesIO()
        with _drawing():
            self.draw().savefig(
                stream, format="png", dpi=dpi, facecolor=theme.PAPER, metadata={"Software": None}
            )
        return stream.getvalue()

    def _repr_mimebundle_(self, **_: object) -> Bundle:
        data = {"image/svg+xml": self.svg, "text/plain": self.title}
        # Landmarks of a page are told apart by their names: several charts stand on one.
        table = replace(self.table, label=f"Data of the chart: {self.subtitle or self.title}")
        told = {"alt": self.alt, "data": table.details, "title": self.title}
        told |= {"subtitle": self.subtitle, "note": self.note, "values": self.table.csv}
        return data, {"hkreport": told}


@contextmanager
def _drawing() -> Iterator[None]:
    with theme.style(), warnings.catch_warnings():
        # An emoji in a name: the SVG keeps it, and a PNG shows an empty box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _cleaned(svg: str, drawn: tuple[float, float, float, float]) -> str:
    """Take out of matplotlib's SVG what names an outside address or would act on a whole page.

    That is the document type, the metadata and the style sheet. Styles become attributes, and the font
    is named once. What is drawn, without the words around it, is named for :mod:`hkreport.pipeline.prepare`.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r' style="([^"]*)"', _attributes, body)
    box = " ".join(f"{value:.6g}" for value in drawn)
    root = f'<svg font-family="{theme.FAMILIES}" stroke-linejoin="round" {theme.DRAWN}="{box}"'
    return '<?xml version="1.0" encoding="utf-8"?>\n' + body.replace("<svg", root, 1)


def _attributes(style: re.Match[str]) -> str:
    pairs = (part.split(":", 1) for part in style[1].split(";") if ":" in part)
    found = {name.strip(): value.strip() for name, value in pairs}
    found.pop("font-family", None)
    return "".join(f' {name}="{value}"' for name, value in found.items())


class Sheet:
    """A figure with title, subtitle and key on top; axes below them are placed in points.

    Parameters
    ----------
    words : Words
    body : float
        Height of what is drawn, in points.
    key : sequence of (label, colour, mark)
        What colours and shapes mean; marks are matplotlib's.
    """

    def __init__(
        self, words: Words, body: float, *, key: Sequence[tuple[str, str, str]] = ()
    ) -> None:
        from hkreport.charts.parts import Picture

        room = WIDTH - 2 * EDGE
        heads = wrapped(words.title, room, theme.TITLE, theme.BOLD)
        subs = wrapped(words.subtitle, room, theme.SIZE, lines=2) if words.subtitle else []
        feet = wrapped(words.note, room, theme.SMALL, lines=3) if words.note else []
        rows = _key_rows(key)
        top = 15.5 * len(heads) + 13.0 * len(subs) + 14.0 * len(rows) + 9.0
        self.foot = 12.0 * len(feet) + (5.0 if feet else 0.0)
        self.body = body
        self.height = top + body + self.foot
        self.figure = Picture(figsize=(theme.WIDTH, self.height / POINTS))
        above = 15.5 * len(heads) + 13.0 * len(subs)
        self.figure.body = (0.0, above, WIDTH, self.height - above - self.foot)
        y = self.height
        for line in heads:
            y -= 15.5
            self._say(y + 3.5, line, fontsize=theme.TITLE, fontweight=theme.BOLD)
        for line in subs:
            y -= 13.0
            self._say(y + 3.0, line, color=theme.SOFT)
        for row in rows:
            y -= 14.0
            self._draw_key(row, y + 4.0)
        y = self.foot - 5.0
        for line in feet:
            y -= 12.0
            self._say(y + 3.0, line, fontsize=theme.SMALL, color=theme.SOFT)

    def _say(self, y: float, line: str, **look: Any) -> None:
        """Write a line of title, subtitle or note; a page writes these itself, so they are marked."""
        self._write(EDGE, y, line, **look).set_gid(f"{theme.WORDS}{y:g}")

    def _write(self, x: float, y: float, line: str, **look: Any) -> "Label":
        from hkreport.charts.parts import Label

        place = (x / POINTS, y / POINTS)
        label = Label(line, place, self.figure.dpi_scale_trans, **look)
        self.figure.add_artist(label)
        return label

    def _draw_key(self, row: Sequence[tuple[str, str, str]], y: float) -> None:
        from matplotlib.lines import Line2D

        x = EDGE
        for label, colour, mark in row:
            spot = Line2D(
                [(x + 4) / POINTS],
                [(y + 3) / POINTS],
                color=colour,
                linestyle="none",
                marker=mark,
                markersize=9 if mark == "*" else 7,
                markeredgewidth=0,
                transform=self.figure.dpi_scale_trans,
            )
            self.figure.add_artist(spot)
            self._write(x + 12, y, label, fontsize=theme.SMALL)
            x += _key_width(label)

    def axes(self, left: float, right: float, bottom: float = 0.0, top: float = 0.0) -> "Axes":
        """Axes within the body, margins in points, without ticks, labels or frame.

        Scales are drawn by :func:`value_axis`: matplotlib's ticks would take half of the time.
        """
        from matplotlib.ticker import NullLocator

        from hkreport.charts.parts import PlainAxes

        axes = PlainAxes(self.figure, (0.0, 0.0, 1.0, 1.0))
        self.figure.add_axes(axes)
        low = self.foot + bottom
        self._margins = (low / self.height, (self.body - bottom - top) / self.height)
        self.move(axes, left, right)
        axes.set_axis_off()
        # seaborn asks for tick labels even of axes that are off.
        axes.xaxis.set_major_locator(NullLocator())
        axes.yaxis.set_major_locator(NullLocator())
        return axes

    def narrow(self, left: float, right: float) -> None:
        """Say that nothing is drawn in the margins: a page leaves them out where it is narrow itself."""
        _, top, _, height = self.figure.body
        self.figure.body = (left, top, WIDTH - left - right, height)

    def move(self, axes: "Axes", left: float, right: float) -> None:
        """Set the margins at the sides, for instance once the tick labels are known."""
        low, high = self._margins
        axes.set_position((left / WIDTH, low, (WIDTH - left - right) / WIDTH, high))


def _key_width(label: str) -> float:
    return 12 + text_width(label, theme.SMALL) + 14


def _key_rows(key: Sequence[tuple[str, str, str]]) -> list[list[tuple[str, str, str]]]:
    """Break the key into rows that fit."""
    rows: list[list[tuple[str, str, str]]] = []
    used = WIDTH
    for label, colour, mark in key:
        entry = (fitted(label, 0.4 * WIDTH, theme.SMALL), colour, mark)
        if used + _key_width(entry[0]) > WIDTH:
            rows.append([])
            used = 0.0
        rows[-1].append(entry)
        used += _key_width(entry[0])
    return rows


# Words


def nothing(what: str, why: str) -> Sentence:
    """The sentence that stands in for a chart."""
    return Sentence(f"{what} cannot be shown: {why}.")


def unit_of(measure: Measure) -> Unit:
    """Unit of an axis; a column without one counts something."""
    return measure.unit or Unit.COUNT


def short(value: object, measure: Measure, row: Mapping[Any, Any] | None = None) -> str:
    """A value as a label beside its mark; its `row` tells why it is missing."""
    ratio = measure if isinstance(measure, Ratio) else getattr(measure, "ratio", None)
    reason = ratio.why(row or {}) if ratio else getattr(measure, "reason", "")
    return text(number(value), unit_of(measure), short=True, reason=reason)


def in_sentence(label: str) -> str:
    """A label within a sentence.

    Examples
    --------
    >>> in_sentence("Revenue"), in_sentence("ROAS"), in_sentence("Reach (summed)")
    ('revenue', 'ROAS', 'reach')
    """
    bare = label.partition(" (")[0]
    acronym = bare[1:2].isupper()
    return bare if acronym else bare[:1].lower() + bare[1:]


def plural(label: str) -> bool:
    """Whether a label takes a plural verb.

    Examples
    --------
    >>> [plural(label) for label in ("Influencer orders", "Orders per post", "ROAS", "Revenue")]
    [True, True, False, False]
    """
    head = re.split(r" \(| per | of | by ", label)[0].split(" ")[-1]
    return head.endswith("s") and not head.endswith("ss") and not head.isupper()


def dimension(name: str) -> str:
    """A key within a sentence; a platform is the influencer's unless it says otherwise."""
    return in_sentence(key_label(name)).removesuffix(" of the influencer")


def with_unit(measure: Measure) -> str:
    """A label with its unit, for a subtitle."""
    axis = unit_of(measure).axis
    return f"{measure.label} ({axis})" if axis else measure.label


def adds_up(measure: Measure) -> bool:
    """Whether parts sum to the whole; a column that is no metric may."""
    return isinstance(measure, Total | Linear | Col)


def in_front(name: str) -> str:
    """A name at the beginning of a sentence: data writes tiers small."""
    return name.capitalize() if name in theme.MARKS else name


def finding(
    names: Sequence[str],
    values: Sequence[float],
    measure: Measure,
    bases: Sequence[float] = (),
    cases: str = "cases",
) -> str:
    """What values say at first sight, as a title.

    Where `bases` say how many `cases` stand behind each value, a ratio of fewer than 30 is not held
    against the others: few cases make it high or low by chance.

    Examples
    --------
    >>> from hkreport.metrics import ORDERS, ROAS
    >>> finding(["nano", "macro"], [3.2, 1.1], ROAS)
    'Nano has the highest ROAS: 3.2×'
    >>> finding(["nano", "macro"], [3.0, 11.0], ORDERS), finding(["nano"], [3.0], ORDERS)
    ('Macro has the most orders: 11', 'Orders of nano: 3')
    >>> finding(["nano", "macro", "mid"], [3.2, 1.1, 1.0], ROAS, [9, 90, 80], "orders")
    'Highest ROAS, from 30 orders up: macro, 1.10×'
    """
    known = [(value, name) for name, value in zip(names, values, strict=True) if value == value]
    label = measure.label.partition(" (")[0]
    least = theme.BASE_TOO_SMALL
    few = False
    if bases and isinstance(measure, Ratio) and len(known) > 1:
        rows = zip(names, values, bases, strict=True)
        enough = [(value, name) for name, value, base in rows if value == value and base >= least]
        if not enough:
            return f"{label}: each rests on fewer than {least} {cases}"
        few, known = len(enough) < len(known), enough
    best, name = max(known, key=lambda pair: pair[0])
    if few:
        return (
            f"Highest {in_sentence(label)}, from {least} {cases} up: {name}, {short(best, measure)}"
        )
    if len(known) == 1:
        return f"{label} of {name}: {short(best, measure)}"
    if all(value == best for value, _ in known):
        return f"{label} {'are' if plural(label) else 'is'} the same everywhere: {short(best, measure)}"
    most = "most" if isinstance(measure, Total | Distinct) and plural(label) else "highest"
    return f"{in_front(name)} has the {most} {in_sentence(label)}: {short(best, measure)}"


def extremes(names: Sequence[str], values: Sequence[float], measure: Measure) -> str:
    """Highest and lowest, and the total where it means something, for the alternative text."""
    known = [(value, name) for name, value in zip(names, values, strict=True) if value == value]
    if not known:
        return ""
    top, low = max(known, key=lambda pair: pair[0]), min(known, key=lambda pair: pair[0])
    parts = [f"Highest: {top[1]}, {short(top[0], measure)}"]
    if len(known) > 1:
        parts.append(f"lowest: {low[1]}, {short(low[0], measure)}")
    if isinstance(measure, Total | Linear) and len(known) > 1:
        parts.append(f"total {short(math.fsum(value for value, _ in known), measure)}")
    return "; ".join(parts) + "."


def counted(count: int, noun: str) -> str:
    """A number of things.

    Examples
    --------
    >>> counted(1, "bar"), counted(12345, "point")
    ('1 bar', '12,345 points')
    """
    return f"{text(count, Unit.COUNT)} {noun}{'' if count == 1 else 's'}"


def alt_text(*sentences: str) -> str:
    """Sentences as the alternative text; names that are no names are cut."""
    joined_ = " ".join(sentence for sentence in sentences if sentence)
    plain = re.sub(r"\S{80,}", lambda long: long[0][:79] + "…", one_line(joined_))
    return plain if len(plain) <= 600 else plain[:599].rstrip() + "…"


# Rows of the frame


def numbers(frame: "pd.DataFrame", name: str) -> list[float]:
    """A column as floats; what is missing, or cannot be drawn, is NaN."""
    values = (number(value) for value in frame[name].tolist())
    return [value if math.isfinite(value) else math.nan for value in values]


def key_words(frame: "pd.DataFrame", name: str) -> list[str]:
    """A key column as a reader sees it, namesakes with their ids."""
    return [key_text(name, value) for value in told_apart(frame, name)]


def joined(frame: "pd.DataFrame", *keys: str) -> list[str]:
    """Words that name a row by all its keys."""
    columns = [key_words(frame, key) for key in keys if key]
    return [", ".join(parts) for parts in zip(*columns, strict=True)]


def identities(frame: "pd.DataFrame", key: str) -> list[str]:
    """What tells rows apart: names repeat, ids do not."""
    id_column = f"{key}_id"
    column = id_column if id_column in frame.columns else key
    return [str(value) for value in frame[column].tolist()]


def row_names(
    frame: "pd.DataFrame",
    key: str,
    bases: Sequence[str] = (),
    *,
    room: float = NAMES_AT_MOST,
    size: float = theme.SIZE,
) -> list[str]:
    """Names as they are drawn in `room` points, less what stands behind them.

    A name that is drawn like another one (of a namesake, or of one that begins alike and is cut), or whose
    letters the font lacks, so that print has boxes for it, is followed by its id.
    """
    names = [key_text(key, value) for value in frame[key].tolist()]
    if f"{key}_id" not in frame.columns:
        return names
    room -= max((text_width(base, theme.SMALL) + 5 for base in bases if base), default=0.0)
    drawn = collections.Counter(fitted(name, room, size) for name in names)
    found = []
    for name, own in zip(names, identities(frame, key), strict=True):
        clear = drawn[fitted(name, room, size)] == 1 and theme.has_letters(name)
        if clear or name == own:
            found.append(name)
            continue
        behind = f" ({fitted(own, room / 2, size)})"
        found.append(fitted(name, room - text_width(behind, size), size) + behind)
    return found


def ranked(frame: "pd.DataFrame", key: str, *columns: str) -> "pd.DataFrame":
    """Sort by value downwards; what belongs nowhere and what is missing last, ties by the next column, then by name."""
    names = identities(frame, key)
    best: dict[str, list[float]] = {who: [-math.inf] * len(columns) for who in names}
    for place, column in enumerate(columns):
        for who, value in zip(names, numbers(frame, column), strict=True):
            best[who][place] = max(best[who][place], value if value == value else -math.inf)
    order = sorted(
        range(len(names)),
        key=lambda at: (
            names[at].casefold() in REST,
            [-value for value in best[names[at]]],
            names[at],
        ),
    )
    return frame.iloc[order]


def like(measure: Measure, name: str) -> Measure | str:
    """A column that is counted as the measure is."""
    return Col(name=name, label=key_label(name), unit=unit_of(measure)) if name else ""


def data_table(
    frame: "pd.DataFrame", keys: Iterable[str], measures: Iterable[Measure | str]
) -> Table:
    """The table behind a chart: keys first, then what is drawn; a bare name is a count."""
    shown = [Col.key(name) for name in dict.fromkeys(keys) if name]
    for measure in measures:
        if isinstance(measure, str):
            if measure:
                shown.append(Col(name=measure, label=key_label(measure), unit=Unit.COUNT))
        else:
            shown.append(Col.of(measure, caveat=""))
    unique = {column.name: column for column in shown}
    return Table(frame, list(unique.values()), label="Data of the chart")


def tier_rank(name: str) -> int:
    """Place of a tier by size; what is no tier comes last."""
    tiers = list(theme.MARKS)
    return tiers.index(name.casefold()) if name.casefold() in tiers else len(tiers)


def own_colours(key: str, names: Sequence[str]) -> list[str]:
    """Colour of each row: its own where the key has colours and enough of them, else one for all."""
    of = theme.distinct_colours(names) if key in COLOURED else {}
    if of:
        return [of[name] for name in names]
    return [theme.GREY if name.casefold() in REST else theme.ACCENT for name in names]


def verdict_key(verdicts: Iterable[object]) -> list[tuple[str, str, str]]:
    """Entries of the key for the verdicts that occur."""
    seen = {str(value).lower() for value in verdicts}
    shapes: Mapping[str, str] = {"good": "^", "ok": "s", "poor": "v"}
    return [(name, theme.VERDICTS[name][0], shapes[name]) for name in shapes if name in seen]


# Parts of a drawing


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions as little as needed so that neighbours keep a gap, within low and high.

    Examples
    --------
    >>> spread([5.0, 5.5, 20.0], 2.0, 0.0, 20.0)
    [5.0, 7.0, 20.0]
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = [0.0] * len(wanted)
    before = low - gap
    for index in order:
        before = placed[index] = max(wanted[index], before + gap)
    above = high + gap
    for index in reversed(order):
        above = placed[index] = min(placed[index], above - gap)
    return placed


def write(
    axes: "Axes",
    words: str,
    place: tuple[float, float],
    shift: tuple[float, float] = (0.0, 0.0),
    *,
    within: Literal["data", "row", "column", "corner"] = "data",
    **look: Any,
) -> None:
    """Write small on axes, `shift` points from a place.

    Within a ``row`` the first number of the place is a share of the width, within a ``column`` the
    second is a share of the height, and in a ``corner`` both are.
    """
    from hkreport.charts.parts import Label

    transform = {
        "data": axes.transData,
        "row": axes.get_yaxis_transform(),
        "column": axes.get_xaxis_transform(),
        "corner": axes.transAxes,
    }[within]
    look = {"fontsize": theme.SMALL, "va": "center_baseline", **look}
    axes.add_artist(Label(words, place, transform, shift, **look))


def value_axis(axes: "Axes", unit: Unit, *, vertical: bool = True, log: bool = False) -> float:
    """Draw a scale of few round numbers with a light grid; gives the widest number's width."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    low, high = axes.get_ylim() if vertical else axes.get_xlim()
    locator: LogLocator | MaxNLocator
    if log:
        decades = math.log10(high / low)
        subs = (1.0,) if decades > 2.4 else (1.0, 3.0) if decades > 1.2 else (1.0, 2.0, 5.0)
        locator = LogLocator(10, subs=subs, numticks=12)
    else:
        whole = unit in (Unit.COUNT, Unit.DAYS)
        steps = [1, 2, 2.5, 5, 10]
        locator = MaxNLocator(5, steps=steps, integer=whole, min_n_ticks=3)
    slack = 1e-9 * (high - low)
    ticks = [
        float(value)
        for value in locator.tick_values(low, high)
        if low - slack <= value <= high + slack
    ]
    lines = axes.hlines if vertical else axes.vlines
    across = axes.get_yaxis_transform() if vertical else axes.get_xaxis_transform()
    lines(ticks, 0, 1, colors=[theme.LINE], linewidth=0.8, transform=across, zorder=0)
    labels = [tick(value, unit) for value in ticks]
    for value, label in zip(ticks, labels, strict=True):
        if vertical:
            write(axes, label, (0, value), (-4, 0), within="row", ha="right", color=theme.SOFT)
        else:
            write(axes, label, (value, 0), (0, -9), within="column", ha="center", color=theme.SOFT)
    return max((text_width(label, theme.SMALL) for label in labels), default=0.0)


def names_width(names: Sequence[str], bases: Sequence[str] = ()) -> float:
    """Room for the names of rows, with what stands behind them."""
    behind = [text_width(base, theme.SMALL) + 5 if base else 0.0 for base in bases]
    behind = behind or [0.0] * len(names)
    widths = [
        text_width(fitted(name, NAMES_AT_MOST)) + more
        for name, more in zip(names, behind, strict=True)
    ]
    return min(max(widths, default=0.0), NAMES_AT_MOST) + 8 + EDGE


def name_rows(
    axes: "Axes",
    names: Sequence[str],
    left: float,
    bases: Sequence[str] = (),
    *,
    start: float = 0.0,
) -> None:
    """Write the names of rows left of the axes, and softer what stands behind them."""
    for row, name in enumerate(names):
        base = bases[row] if bases else ""
        behind = text_width(base, theme.SMALL) + 5 if base else 0.0
        words = fitted(name, left - 8 - EDGE - behind)
        place = (0, start + row)
        write(axes, words, place, (-8 - behind, 0), within="row", ha="right", fontsize=theme.SIZE)
        if base:
            write(axes, base, place, (-8, 0), within="row", ha="right", color=theme.SOFT)


def mark_level(
    axes: "Axes", value: float, label: str, *, side: Literal["top", "bottom", "left"]
) -> None:
    """A dashed line at a value, named at its end; across for `left`, else upright."""
    if side == "left":
        axes.axhline(value, color=theme.SOFT, linewidth=1, linestyle=DASHED, zorder=1)
        write(axes, label, (0, value), (2, 6), within="row", color=theme.SOFT)
        return
    axes.axvline(value, color=theme.SOFT, linewidth=1, linestyle=DASHED, zorder=0, alpha=0.45)
    low, high = axes.get_xlim()
    box = axes.get_window_extent()
    at = (value - low) / (high - low) * box.width
    half = text_width(label, theme.SMALL) / 2
    # A label at the edge stays within the figure.
    shift = max(0.0, half - at - box.x0) - max(0.0, at + half - box.width - (WIDTH - box.x1))
    end, rise = (1, 6) if side == "top" else (0, -9)
    write(axes, label, (value, end), (shift, rise), within="column", ha="center", color=theme.SOFT)
