"""Parts of a whole: the ring of one total, and bars of 100 % side by side."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hkreport import theme
from hkreport.charts.sheet import (
    EDGE,
    WIDTH,
    Chart,
    Measure,
    Sheet,
    Words,
    adds_up,
    alt_text,
    counted,
    data_table,
    dimension,
    in_front,
    in_sentence,
    key_words,
    name_rows,
    names_width,
    nothing,
    numbers,
    ranked,
    short,
    spread,
    write,
)
from hkreport.errors import InputError
from hkreport.tables import Col, Sentence, require_columns
from hkreport.theme import fitted, text_width
from hkreport.units import Unit, text, tick

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from hkreport.charts.parts import Picture

__all__ = ["doughnut", "stacked"]

RING, HOLE = 78.0, 46.0  # radii in points
RING_BODY = 186.0


SHARE = Col(name="share", label="Share", unit=Unit.PERCENT)


def doughnut(
    frame: "pd.DataFrame",
    key: str,
    measure: Measure,
    *,
    smallest: float = theme.NARROWEST_SLICE,
    most: int = len(theme.PALETTE),
    title: str = "",
    subtitle: str = "",
    note: str = "",
) -> Chart | Sentence:
    """Shares of a total as a ring; small slices are drawn together as "Other".

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
    most : int
        Slices to draw, so that each has its own colour.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import REVENUE
    >>> frame = pd.DataFrame({"platform": ["YouTube", "Instagram"], "revenue": [2e5, 8e5]})
    >>> doughnut(frame, "platform", REVENUE).title
    'Instagram accounts for 80% of revenue'
    """
    what = f"{measure.label} by {dimension(key)}"
    require_columns(frame, [key, measure.name], f"doughnut of {what}")
    if not adds_up(measure):
        raise InputError(f"Doughnut of {what}: {measure.label} does not add up to a whole.")
    rows = ranked(frame, key, measure.name)
    parts = [
        (name, value)
        for name, value in zip(key_words(rows, key), numbers(rows, measure.name), strict=True)
        if value == value
    ]
    if any(value < 0 for _, value in parts):
        return nothing(f"Shares of {in_sentence(what)}", "some parts are negative")
    whole = math.fsum(value for _, value in parts)
    if not whole > 0:
        return nothing(f"Shares of {in_sentence(what)}", "there is nothing to share out")
    slices = _slices(parts, whole, smallest, most)
    top, size = max(slices, key=lambda pair: pair[1])
    share = tick(round(size / whole, 2), Unit.PERCENT)
    words = Words(
        title or f"{top} accounts for {share} of {in_sentence(measure.label)}",
        subtitle or f"Share of {in_sentence(what)}",
        note,
    )
    listing = ", ".join(f"{name} {text(value / whole, Unit.PERCENT)}" for name, value in slices)
    alt = alt_text(
        f"Doughnut chart of {in_sentence(words.subtitle)}: {listing}.",
        f"Total {short(whole, measure)}.",
    )
    return Chart(
        words.title,
        words.subtitle,
        alt,
        data_table(_with_share(rows, measure, whole), [key], [measure, SHARE]),
        lambda: _draw_ring(slices, whole, measure, words),
    )


def _with_share(rows: "pd.DataFrame", measure: Measure, whole: float) -> "pd.DataFrame":
    """The rows with the part of the whole that each is."""
    return rows.assign(share=[value / whole for value in numbers(rows, measure.name)])


def _slices(
    parts: Sequence[tuple[str, float]], whole: float, smallest: float, most: int
) -> list[tuple[str, float]]:
    """Join small parts, and those beyond `most`; one alone keeps its name."""
    there = [(name, value) for name, value in parts if value > 0]
    large = [(name, value) for name, value in there if value / whole >= smallest]
    if len(large) > most or (len(there) - len(large) > 1 and len(large) == most):
        large = sorted(large, key=lambda pair: -pair[1])[: most - 1]
    kept = {name for name, _ in large}
    rest = [(name, value) for name, value in there if name not in kept]
    if len(rest) <= 1:
        return there
    return [
        *large,
        (f"Other ({text(len(rest), Unit.COUNT)})", math.fsum(value for _, value in rest)),
    ]


def _draw_ring(
    slices: Sequence[tuple[str, float]], whole: float, measure: Measure, words: Words
) -> "Picture":
    sheet = Sheet(words, RING_BODY)
    axes = sheet.axes(EDGE, EDGE, 2.0, 2.0)
    hues = theme.colours(name for name, _ in slices)
    axes.pie(
        [value for _, value in slices],
        radius=RING,
        colors=[theme.GREY if name.startswith("Other (") else hues[name] for name, _ in slices],
        startangle=90,
        counterclock=False,
        wedgeprops={
            "width": RING - HOLE,
            "edgecolor": theme.PAPER,
            "linewidth": 1.5 if len(slices) > 1 else 0,
        },
    )
    half, reach = (WIDTH - 2 * EDGE) / 2, (RING_BODY - 4) / 2
    axes.set(xlim=(-half, half), ylim=(-reach, reach))
    axes.set_aspect("auto")
    centre = short(whole, measure)
    fits = text_width(centre, theme.TITLE, theme.BOLD) < 2 * HOLE - 12
    size = theme.TITLE if fits else theme.SIZE
    axes.text(0, 1, centre, ha="center", va="bottom", fontsize=size, fontweight=theme.BOLD)
    below = fitted(in_sentence(measure.label), 2 * HOLE - 16, theme.SMALL)
    axes.text(0, -2, below, ha="center", va="top", fontsize=theme.SMALL, color=theme.SOFT)
    wide = max(RING, _label_ring(axes, slices, whole, half, reach - 8))
    sheet.narrow(half - wide, half - wide)
    return sheet.figure


def _label_ring(
    axes: "Axes", slices: Sequence[tuple[str, float]], whole: float, half: float, reach: float
) -> float:
    """Write each slice's name and share beside it, on its side, without overlaps: how far that goes."""
    done = widest = 0.0
    sides: dict[int, list[tuple[str, str, float, float]]] = {1: [], -1: []}
    for name, value in slices:
        angle = math.pi / 2 - 2 * math.pi * (done + value / 2) / whole
        done += value
        share = text(value / whole, Unit.PERCENT)
        side = 1 if math.cos(angle) >= -1e-9 else -1
        sides[side].append((name, share, math.cos(angle), math.sin(angle)))
    for side, labels in sides.items():
        wanted = [1.06 * RING * sin for *_, sin in labels]
        heights = spread(wanted, 14.0, -reach, reach)
        for (name, share, cos, sin), y in zip(labels, heights, strict=True):
            edge = side * (RING + 16)
            axes.plot(
                [cos * RING * 0.98, cos * RING * 1.06, edge],
                [sin * RING * 0.98, sin * RING * 1.06, y],
                color=theme.SOFT,
                linewidth=0.7,
            )
            room = half - RING - 22 - text_width(f" {share}")
            label = f"{fitted(name, room)} {share}"
            widest = max(widest, RING + 20 + text_width(label))
            axes.text(
                edge + side * 4,
                y,
                label,
                ha="left" if side > 0 else "right",
                va="center_baseline",
            )
    return widest


def stacked(
    frame: "pd.DataFrame",
    key: str,
    part: str,
    measure: Measure,
    *,
    order: Sequence[str] = (),
    row_order: Sequence[str] = (),
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
        Order of the parts; otherwise tiers by size, others as they come.
    row_order : sequence of str
        Order of the bars; otherwise as they come.
    most : int
        Bars to draw; the table behind has all.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import ORDERS
    >>> frame = pd.DataFrame({"city": ["Pune"] * 2, "gender": ["female", "male"], "orders": [6, 4]})
    >>> chart = stacked(frame, "city", "gender", ORDERS)
    >>> chart.title
    'female makes up 60% of orders of Pune'
    >>> chart.alt
    'Stacked bar chart of share of orders by gender in each city, 1 bar. Pune: female 60.0%, male 40.0%.'
    """
    what = f"{measure.label} by {dimension(key)} and {dimension(part)}"
    require_columns(frame, [key, part, measure.name], f"stacked bars of {what}")
    if not adds_up(measure):
        raise InputError(f"Stacked bars of {what}: {measure.label} does not add up to a whole.")
    values = numbers(frame, measure.name)
    if any(value < 0 for value in values):
        return nothing(f"Shares of {in_sentence(what)}", "some parts are negative")
    parts = key_words(frame, part)
    pieces = _ordered(parts, order)
    shares = _shares(key_words(frame, key), parts, values, pieces)
    if not shares:
        return nothing(f"Shares of {in_sentence(what)}", "there is nothing to share out")
    names = _in_order(list(shares), row_order)
    drawn = {name: shares[name] for name in names[:most]}
    more = f", first {most} of {text(len(shares), Unit.COUNT)}" if len(shares) > most else ""
    # The largest part of any bar, the first one where several are.
    name, top = max(
        ((name, piece) for name, row in drawn.items() for piece in row),
        key=lambda pair: drawn[pair[0]][pair[1]],
    )
    share = tick(round(drawn[name][top], 2), Unit.PERCENT)
    words = Words(
        title or f"{in_front(top)} makes up {share} of {in_sentence(measure.label)} of {name}",
        subtitle
        or f"Share of {in_sentence(measure.label)} by {dimension(part)} in each {dimension(key)}{more}",
        note,
    )
    listing = "; ".join(
        f"{name}: {', '.join(f'{p} {text(s, Unit.PERCENT)}' for p, s in row.items() if s)}"
        for name, row in list(drawn.items())[:4]
    )
    count = counted(len(drawn), "bar")
    alt = alt_text(f"Stacked bar chart of {in_sentence(words.subtitle)}, {count}. {listing}.")
    table = data_table(frame, [key, part], [measure])
    return Chart(
        words.title,
        words.subtitle,
        alt,
        table,
        lambda: _draw_bars(drawn, pieces, words),
        words.note,
    )


def _in_order(names: Sequence[str], order: Sequence[str]) -> list[str]:
    """Each name once, those of the given order first."""
    present = list(dict.fromkeys(names))
    known = [name for name in order if name in present]
    return known + [name for name in present if name not in known]


def _ordered(names: Sequence[str], order: Sequence[str]) -> list[str]:
    present = _in_order(names, order)
    known = [name for name in present if name in order]
    rest = [name for name in present if name not in order]
    tiers = list(theme.MARKS)
    if all(name.casefold() in tiers for name in rest):
        rest.sort(key=lambda name: tiers.index(name.casefold()))
    return known + rest


def _shares(
    names: Sequence[str], parts: Sequence[str], values: Sequence[float], pieces: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Each group's parts as shares of the group; groups without anything are left out."""
    sums: dict[str, dict[str, float]] = {}
    for name, part, value in zip(names, parts, values, strict=True):
        row = sums.setdefault(name, dict.fromkeys(pieces, 0.0))
        row[part] += value if value == value else 0.0
    wholes = {name: math.fsum(row.values()) for name, row in sums.items()}
    return {
        name: {part: value / wholes[name] for part, value in row.items()}
        for name, row in sums.items()
        if wholes[name] > 0
    }


def _draw_bars(
    shares: Mapping[str, Mapping[str, float]], pieces: Sequence[str], words: Words
) -> "Picture":
    from matplotlib.colors import to_rgba

    hues = theme.colours(pieces)
    sheet = Sheet(words, 26.0 * len(shares) + 2, key=[(p, hues[p], "s") for p in pieces])
    left = names_width(list(shares))
    axes = sheet.axes(left, EDGE)
    width = WIDTH - left - EDGE
    starts = [0.0] * len(shares)
    for piece in pieces:
        sizes = [row[piece] for row in shares.values()]
        axes.barh(
            range(len(shares)),
            sizes,
            left=starts,
            height=0.74,
            color=hues[piece],
            edgecolor=theme.PAPER,
            linewidth=1,
        )
        for at, (start, size) in enumerate(zip(starts, sizes, strict=True)):
            label = tick(round(size, 2), Unit.PERCENT)
            if size * width > text_width(label, theme.SMALL) + 6:
                ink = theme.cell_ink(to_rgba(hues[piece]))
                write(axes, label, (start + size / 2, at), ha="center", color=ink)
        starts = [start + size for start, size in zip(starts, sizes, strict=True)]
    axes.set(xlim=(0, 1), ylim=(len(shares) - 0.5, -0.5))
    name_rows(axes, list(shares), left)
    return sheet.figure
