"""Groups side by side: estimates with intervals, grids of values, and how single values spread."""

import collections
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hkreport import theme
from hkreport.charts.sheet import (
    CLOUD,
    EDGE,
    WIDTH,
    Chart,
    Measure,
    Sheet,
    Words,
    alt_text,
    counted,
    data_table,
    dimension,
    extremes,
    finding,
    in_front,
    in_sentence,
    key_words,
    mark_level,
    name_rows,
    names_width,
    nothing,
    numbers,
    own_colours,
    ranked,
    row_names,
    short,
    tier_rank,
    unit_of,
    value_axis,
    verdict_key,
    write,
)
from hkreport.errors import InputError, listed
from hkreport.metrics import UNASSIGNED
from hkreport.tables import Col, Sentence, number, require_columns
from hkreport.theme import text_width, wrapped
from hkreport.units import Unit, text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from hkreport.charts.parts import Picture

__all__ = ["box", "dots", "heatmap"]

ROW = 23.0  # points from estimate to estimate
CELL = 30.0
# Of a heatmap, in points: around what a cell says, its smallest letters, from line to line, and what the
# names of the rows keep however many columns there are.
AROUND = 4.0
SMALLEST = 6.5
LINE = 11.0
NAMES_AT_LEAST = 70.0
TOO_NARROW = "Numbers that a cell has no room for are in the table behind the chart."
BOX_ROW = 30.0
AXIS = 20.0
BOXES_FROM = 5  # values; fewer have no quartiles worth a box
GOLDEN = 0.618034

TOO_FEW = f"n is shown where it is below {theme.BASE_TOO_SMALL}: read with care."


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
        Column with the number of cases, written beside the name; dots of fewer than 30 are hollow.
    verdict : str
        Column with good, ok or poor: colour and mark of the rows.
    reference : float, optional
        Line of no effect, or of break-even, called `reference_label`.
    sort : bool
        False keeps the frame's order.
    most : int
        Rows to draw; the table behind has all.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import ROAS
    >>> frame = pd.DataFrame({"tier": ["nano", "macro"], "roas": [3.1, 1.2], "low": [2.0, 0.7],
    ...     "high": [4.2, 1.9]})
    >>> dots(frame, "tier", ROAS, "low", "high", reference=1.0).alt
    'Dot chart of ROAS by tier with intervals, 2 rows. nano 3.1× (2.0× to 4.2×); macro 1.20× (0.70× to 1.90×).'
    """
    what = f"{measure.label} by {dimension(key)}"
    require_columns(frame, [key, measure.name, low, high, n, verdict], f"dots of {what}")
    values = numbers(frame, measure.name)
    if not any(value == value for value in values):
        return nothing(what, "there is no estimate in this selection")
    if not any(
        abs(value) > 0 for name in (measure.name, low, high) for value in numbers(frame, name)
    ):
        return nothing(what, "every estimate is 0")
    rows = ranked(frame, key, measure.name) if sort else frame
    plan = _Dots(
        rows.head(most), key, measure, (low, high), n, verdict, (reference, reference_label)
    )
    more = f", top {most} of {text(len(rows), Unit.COUNT)}" if len(rows) > most else ""
    words = Words(
        title or finding(key_words(rows, key), numbers(rows, measure.name), measure),
        subtitle or f"{what} with intervals{more}",
        note,
    )
    spans = zip(key_words(plan.frame, key), plan.spans, strict=True)
    listing = "; ".join(f"{name} {span}" for name, span in list(spans)[:6])
    alt = alt_text(f"Dot chart of {words.subtitle}, {counted(len(plan.frame), 'row')}. {listing}.")
    table = data_table(rows, [key], [Col.of(measure, low=low, high=high, caveat=""), n])
    return Chart(
        words.title, words.subtitle, alt, table, lambda: _draw_dots(plan, words), words.note
    )


@dataclass(frozen=True, slots=True)
class _Dots:
    frame: "pd.DataFrame"
    key: str
    measure: Measure
    ends: tuple[str, str]
    n: str
    verdict: str
    reference: tuple[float | None, str]

    @property
    def spans(self) -> list[str]:
        """Estimate and interval in words."""
        columns = (numbers(self.frame, name) for name in (self.measure.name, *self.ends))
        words = []
        rows = self.frame.to_dict("records")
        for row, value, low, high in zip(rows, *columns, strict=True):
            span = f" ({short(low, self.measure)} to {short(high, self.measure)})"
            known = value == value and low == low and high == high
            words.append(f"{short(value, self.measure, row)}{span if known else ''}")
        return words

    @property
    def bases(self) -> list[float]:
        return numbers(self.frame, self.n) if self.n else [math.inf] * len(self.frame)

    @property
    def looks(self) -> list[tuple[str, str]]:
        """Colour and sign of each row."""
        if not self.verdict:
            return [(theme.ACCENT, "")] * len(self.frame)
        verdicts = (str(value).lower() for value in self.frame[self.verdict].tolist())
        return [theme.VERDICTS.get(word, (theme.GREY, "")) for word in verdicts]


def _draw_dots(plan: _Dots, words: Words) -> "Picture":
    frame = plan.frame
    low, high = plan.ends
    values, lows, highs = (numbers(frame, name) for name in (plan.measure.name, low, high))
    reference, reference_label = plan.reference
    if any(base < theme.BASE_TOO_SMALL for base in plan.bases):
        words = words._replace(
            note=f"{words.note} Hollow: fewer than {theme.BASE_TOO_SMALL} cases.".strip()
        )
    key = verdict_key(frame[plan.verdict].tolist()) if plan.verdict else []
    sheet = Sheet(words, ROW * len(frame) + AXIS + 14, key=key)
    # More taken back than sold is no number of cases.
    bases = [f"n = {text(max(base, 0.0), Unit.COUNT)}" for base in plan.bases] if plan.n else []
    names = row_names(frame, plan.key, bases)
    looks = plan.looks
    spans = [f"{span} {sign}".strip() for span, (_, sign) in zip(plan.spans, looks, strict=True)]
    left = names_width(names, bases)
    right = max(text_width(span, theme.SMALL) for span in spans) + 10
    axes = sheet.axes(left, right, AXIS, 14.0)
    for row, (value, first, last) in enumerate(zip(values, lows, highs, strict=True)):
        colour, _ = looks[row]
        if first == first and last == last:
            axes.plot([first, last], [row, row], color=colour, linewidth=2.4, alpha=0.55)
        hollow = plan.bases[row] < theme.BASE_TOO_SMALL
        axes.plot(
            [value],
            [row],
            marker="o",
            markersize=8,
            color=colour,
            markerfacecolor=theme.PAPER if hollow else colour,
            markeredgewidth=1.6,
        )
        write(axes, spans[row], (1, row), (8, 0), within="row")
    level = number(reference)
    known = [value for value in (*values, *lows, *highs, level) if math.isfinite(value)]
    first, last = min(known), max(known)
    if math.isclose(first, last):  # one value has no scale of its own
        first, last = min(first, 0.0), max(last, 0.0)
    reach = last - first or 1.0
    axes.set_xlim(first - 0.05 * reach, last + 0.05 * reach)
    axes.set_ylim(len(frame) - 0.5, -0.5)
    value_axis(axes, unit_of(plan.measure), vertical=False)
    name_rows(axes, names, left, bases)
    if math.isfinite(level):
        mark_level(
            axes, level, f"{reference_label} {short(level, plan.measure)}".strip(), side="top"
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
    """Values of two keys in a grid, darker for more.

    An undefined value is hatched; a pair of keys without a row stays blank.

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

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import ROI
    >>> frame = pd.DataFrame({"payout_basis": ["post", "order"], "platform": ["YouTube"] * 2,
    ...     "roi": [-0.2, 1.4]})
    >>> heatmap(frame, "payout_basis", "platform", ROI, centre=0.0).title
    'order × YouTube has the highest ROI: 140%'
    """
    what = f"{measure.label} by {dimension(rows)} and {dimension(across)}"
    require_columns(frame, [rows, across, measure.name, n], f"heatmap of {what}")
    values = numbers(frame, measure.name)
    if not any(value == value for value in values):
        return nothing(what, "there is no value in this selection")
    ups, sides = key_words(frame, rows), key_words(frame, across)
    places = list(zip(ups, sides, strict=True))
    if len(set(places)) < len(places):
        raise InputError(
            f"Heatmap of {what}: some cells have several rows.",
            next_step=f"Group by {listed([rows, across])} only.",
        )
    labels = [f"{up} × {side}" for up, side in places]
    words = Words(title or finding(labels, values, measure), subtitle or what, note)
    alt = alt_text(
        f"Heatmap of {in_sentence(words.subtitle)}, {counted(len(places), 'cell')}.",
        extremes(labels, values, measure),
    )
    grid = _Grid(
        _ordered(ups, row_order),
        _ordered(sides, column_order),
        dict(zip(places, values, strict=True)),
        dict(zip(places, numbers(frame, n), strict=True)) if n else {},
    )
    table = data_table(frame, [rows, across], [measure, n])
    return Chart(
        words.title,
        words.subtitle,
        alt,
        table,
        lambda: _draw_grid(grid, measure, centre, words),
        words.note,
    )


@dataclass(frozen=True, slots=True)
class _Grid:
    rows: list[str]
    columns: list[str]
    cells: Mapping[tuple[str, str], float]
    bases: Mapping[tuple[str, str], float]


def _ordered(names: Sequence[str], order: Sequence[str]) -> list[str]:
    present = list(dict.fromkeys(names))
    known = [name for name in order if name in present]
    return known + [name for name in present if name not in known]


def _draw_grid(grid: _Grid, measure: Measure, centre: float | None, words: Words) -> "Picture":
    import numpy as np
    import seaborn
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    if any(base < theme.BASE_TOO_SMALL for base in grid.bases.values()):
        words = words._replace(note=f"{words.note} {TOO_FEW}".strip())
    said = {place: short(v, measure) if v == v else "n/a" for place, v in grid.cells.items()}
    widest = max(text_width(label) for label in said.values()) + AROUND
    # Names give way to numbers: a name that is cut still says who it is, a number that is cut is wrong.
    spared = max(NAMES_AT_LEAST, WIDTH - EDGE - widest * len(grid.columns))
    left = min(names_width(grid.rows), spared)
    width = (WIDTH - left - EDGE) / len(grid.columns)
    size = min(theme.SIZE, max(SMALLEST, theme.SIZE * (width - AROUND) / (widest - AROUND)))
    if any(text_width(label, size) > width for label in said.values()):
        words = words._replace(note=f"{words.note} {TOO_NARROW}".strip())
    heads = _heads(grid.columns, width - AROUND)
    top = 20.0 if max(map(len, heads)) == 1 else 20.0 + LINE
    sheet = Sheet(words, CELL * len(grid.rows) + top)
    axes = sheet.axes(left, EDGE, 0.0, top)
    matrix = np.array([[grid.cells.get((r, c), np.nan) for c in grid.columns] for r in grid.rows])
    known = matrix[np.isfinite(matrix)]
    least, most = float(known.min()), float(known.max())
    shades = theme.SEQUENCE if centre is None else theme.DIVERGING
    colours = LinearSegmentedColormap.from_list("hk", shades)
    norm = Normalize(least, most if most > least else least + 1)
    if centre is not None:
        reach = max(most - centre, centre - least) or 1.0
        norm = Normalize(centre - reach, centre + reach)
    seaborn.heatmap(
        matrix,
        mask=~np.isfinite(matrix),
        cmap=colours,
        norm=norm,
        cbar=False,
        linewidths=1.5,
        linecolor=theme.PAPER,
        xticklabels=False,
        yticklabels=False,
        ax=axes,
    )
    for row, up in enumerate(grid.rows):
        for column, side in enumerate(grid.columns):
            if (up, side) not in grid.cells:
                continue
            value, place = float(matrix[row, column]), (column + 0.5, row + 0.5)
            few = grid.bases.get((up, side), math.inf) < theme.BASE_TOO_SMALL
            base = f"n = {text(grid.bases[up, side], Unit.COUNT)}" if few else ""
            lines = _cell_lines(said[up, side], base, width, size)
            if math.isfinite(value):
                ink = theme.cell_ink(colours(norm(value)))
                for line, rise in lines:
                    write(axes, line, place, (0, rise), ha="center", color=ink, fontsize=size)
            else:
                _hatch(axes, column, row)
                paper = {"facecolor": theme.PAPER, "edgecolor": "none", "pad": 2}
                plain = "\n".join(line for line, _ in lines)
                axes.text(*place, plain, ha="center", va="center", fontsize=size, bbox=paper)
    for at, lines_ in enumerate(heads):
        for rank, line in enumerate(reversed(lines_)):
            shift = (0.0, 9.0 + LINE * rank)
            write(axes, line, (at + 0.5, 1), shift, within="column", ha="center", color=theme.SOFT)
    axes.set_ylim(len(grid.rows), 0)
    name_rows(axes, grid.rows, left, start=0.5)
    return sheet.figure


def _heads(names: Sequence[str], width: float) -> list[list[str]]:
    """Names over columns in two lines; those that begin alike and would be cut to the same show their ends.

    Examples
    --------
    >>> _heads(["HKV_DailyWellness_2025Q3", "HKV_DailyWellness_2025Q4", "Diwali"], 60)
    [['HKV_DailyWe…', '…ness_2025Q3'], ['HKV_DailyWe…', '…ness_2025Q4'], ['Diwali']]
    """
    heads = [wrapped(name, width, theme.SMALL, lines=2) for name in names]
    drawn = collections.Counter(map(tuple, heads))
    return [
        head
        if drawn[tuple(head)] == 1
        else [
            theme.fitted(name, width, theme.SMALL),
            theme.fitted(name[::-1], width, theme.SMALL)[::-1],
        ]
        for name, head in zip(names, heads, strict=True)
    ]


def _cell_lines(label: str, base: str, width: float, size: float) -> list[tuple[str, float]]:
    """What a cell says, whole or not at all, with how far above its middle each line stands."""
    whole = f"{label} ({base})" if base else label
    if text_width(whole, size) <= width - AROUND / 2:
        return [(whole, 0.0)]
    fits = [line for line in (label, base) if line and text_width(line, size) <= width]
    if label not in fits:
        return []
    return list(zip(fits, (LINE / 2, -LINE / 2) if len(fits) > 1 else (0.0,), strict=True))


def _hatch(axes: "Axes", column: int, row: int) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (column + 0.01, row + 0.03),
            0.98,
            0.94,
            facecolor=theme.PAPER,
            edgecolor=theme.GREY,
            hatch="////",
            linewidth=0,
        )
    )


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

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import ROAS
    >>> frame = pd.DataFrame({"tier": ["nano"] * 3 + ["macro"], "roas": [1.0, 2.0, 6.0, 1.5]})
    >>> box(frame, "tier", ROAS).title
    'Nano has the highest median ROAS: 2.0×'
    """
    what = f"{measure.label} by {dimension(key)}"
    require_columns(frame, [key, measure.name], f"box plot of {what}")
    groups: dict[str, list[float]] = {}
    for name, value in zip(key_words(frame, key), numbers(frame, measure.name), strict=True):
        if math.isfinite(value):
            groups.setdefault(name, []).append(value)
    if not groups:
        return nothing(what, "there is no value in this selection")
    medians = {name: _median(values) for name, values in groups.items()}
    known = [name for name in order if name in groups]
    rest = sorted(
        (name for name in groups if name not in known),
        key=lambda name: (name == UNASSIGNED, tier_rank(name), -medians[name], name),
    )
    drawn = {name: groups[name] for name in [*known, *rest][:most]}
    best = max(medians, key=lambda name: medians[name])
    median = f"median {in_sentence(measure.label)}"
    top = f"{in_front(best)} has the highest {median}: {short(medians[best], measure)}"
    words = Words(
        title or (top if len(groups) > 1 else f"{best}: {median} {short(medians[best], measure)}"),
        subtitle or f"{what}: middle half, median and single values",
        note,
    )
    listing = "; ".join(
        f"{name} median {short(medians[name], measure)}, n = {text(len(values), Unit.COUNT)}"
        for name, values in list(drawn.items())[:6]
    )
    count = sum(map(len, groups.values()))
    alt = alt_text(f"Box plot of {words.subtitle}, {counted(count, 'value')}. {listing}.")
    keys = [name for name in ("influencer", key) if name in frame.columns]
    table = data_table(frame, keys, [measure])
    own = (marks or {}, mark_label)
    return Chart(
        words.title,
        words.subtitle,
        alt,
        table,
        lambda: _draw_box(drawn, key, measure, own, words),
        words.note,
    )


def _median(values: Sequence[float]) -> float:
    import numpy as np

    return float(np.median(values))


def _draw_box(
    groups: Mapping[str, Sequence[float]],
    key: str,
    measure: Measure,
    own: tuple[Mapping[str, float], str],
    words: Words,
) -> "Picture":
    marks, mark_label = own
    names = list(groups)
    legend = [(mark_label, theme.INK, "D")] if marks and mark_label else []
    sheet = Sheet(words, BOX_ROW * len(groups) + AXIS, key=legend)
    bases = [f"n = {text(len(values), Unit.COUNT)}" for values in groups.values()]
    left = names_width(names, bases)
    axes = sheet.axes(left, 10.0, AXIS)
    colours = own_colours(key, names)
    _boxes(axes, groups, colours)
    crowded = sum(map(len, groups.values())) > CLOUD
    for row, (name, values) in enumerate(groups.items()):
        # A fixed sequence spreads the dots: the same picture every time.
        heights = [row + 0.44 * ((at * GOLDEN) % 1.0 - 0.5) for at in range(len(values))]
        look: dict[str, Any] = {"color": colours[row], "alpha": 0.7, "linewidths": 0}
        axes.scatter(values, heights, s=11, zorder=3, rasterized=crowded, **look)
        if math.isfinite(number(marks.get(name))):
            axes.scatter([marks[name]], [row], s=46, marker="D", color=theme.INK, zorder=4)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    value_axis(axes, unit_of(measure), vertical=False)
    name_rows(axes, names, left, bases)
    return sheet.figure


def _boxes(axes: "Axes", groups: Mapping[str, Sequence[float]], colours: Sequence[str]) -> None:
    """Boxes for groups that have quartiles; seaborn's would ask matplotlib for what it drops soon."""
    drawn = [(at, list(v)) for at, v in enumerate(groups.values()) if len(v) >= BOXES_FROM]
    if not drawn:
        return
    made = axes.boxplot(
        [values for _, values in drawn],
        positions=[row for row, _ in drawn],
        orientation="horizontal",
        widths=0.62,
        whis=(5, 95),
        showfliers=False,
        showcaps=False,
        manage_ticks=False,
        patch_artist=True,
        medianprops={"color": theme.INK, "linewidth": 2},
        whiskerprops={"color": theme.SOFT, "linewidth": 1},
    )
    for patch, (row, _) in zip(made["boxes"], drawn, strict=True):
        patch.set(facecolor=colours[row], edgecolor="none", alpha=0.35)
