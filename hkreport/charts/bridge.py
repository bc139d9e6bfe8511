"""A bridge: how one amount becomes another, step by step."""

import math
from typing import TYPE_CHECKING

from hkreport import theme
from hkreport.charts.sheet import (
    EDGE,
    WIDTH,
    Chart,
    Measure,
    Sheet,
    Words,
    alt_text,
    data_table,
    key_words,
    name_rows,
    names_width,
    nothing,
    numbers,
    short,
    write,
)
from hkreport.tables import Sentence, require_columns
from hkreport.theme import text_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from hkreport.charts.parts import Picture

__all__ = ["bridge"]

BAR = 20.0  # points from one bar to the next
THICKNESS = 0.7


def bridge(
    frame: "pd.DataFrame",
    key: str,
    measure: Measure,
    total: str,
    *,
    title: str = "",
    subtitle: str = "",
    note: str = "",
) -> Chart | Sentence:
    """Draw a waterfall: levels as whole bars, what goes on or off as bars between them.

    Parameters
    ----------
    frame : DataFrame
        One row a step, in order.
    key : str
        Column that names the steps.
    measure : Metric or Col
        The amounts; negative where something goes off.
    total : str
        Column that is true where the amount is a level that was reached.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import REVENUE
    >>> frame = pd.DataFrame({"step": ["Gross", "GST", "Net"], "revenue": [1180.0, -180.0, 1000.0],
    ...                       "total": [True, False, True]})
    >>> bridge(frame, "step", REVENUE, "total").alt
    'Bridge chart of revenue from gross to net. Gross ₹1,180; GST −₹180; Net ₹1,000.'
    """
    require_columns(frame, [key, measure.name, total], f"bridge of {measure.label}")
    values = numbers(frame, measure.name)
    if len(values) < 2 or not all(math.isfinite(value) for value in values):
        return nothing(f"The steps of {measure.label.lower()}", "some of them are unknown")
    names = key_words(frame, key)
    levels = [bool(value) for value in frame[total]]
    way = f"from {names[0][0].lower()}{names[0][1:]} to {names[-1][0].lower()}{names[-1][1:]}"
    words = Words(title or f"{measure.label} {way}", subtitle or "Each step in rupees", note)
    listed = "; ".join(f"{n} {short(v, measure)}" for n, v in zip(names, values, strict=True))
    alt = alt_text(f"Bridge chart of {measure.label.lower()} {way}.", f"{listed}.")
    table = data_table(frame, [key], [measure])
    return Chart(
        words.title,
        words.subtitle,
        alt,
        table,
        lambda: _draw(names, values, levels, measure, words),
        words.note,
    )


def _draw(
    names: "Sequence[str]",
    values: "Sequence[float]",
    levels: "Sequence[bool]",
    measure: Measure,
    words: Words,
) -> "Picture":
    spans = _spans(values, levels)
    sheet = Sheet(words, BAR * len(names) + 4)
    left = names_width(names)
    axes = sheet.axes(left, EDGE, 2.0)
    labels = [short(value, measure) for value in values]
    low, high = min(0.0, *(a for a, _ in spans)), max(0.0, *(b for _, b in spans))
    room = max(text_width(label, theme.SMALL) for label in labels) + 10
    width = WIDTH - left - EDGE
    scale = (high - low or 1.0) / max(width - room * (2 if low < 0 else 1), 0.3 * width)
    axes.set(
        xlim=(low - (room if low < 0 else 2) * scale, high + room * scale),
        ylim=(len(names) - 0.5, -0.5),
    )
    for row, ((start, end), value, level) in enumerate(zip(spans, values, levels, strict=True)):
        colour = theme.ACCENT if level else (theme.GREY if value < 0 else theme.LINE)
        if level and value < 0:
            colour = theme.VERDICTS["poor"][0]
        axes.barh(row, end - start, left=start, height=THICKNESS, color=colour, linewidth=0)
        side = start if value < 0 and level else end
        outwards = -1 if value < 0 and level else 1
        place = "right" if outwards < 0 else "left"
        write(axes, labels[row], (side, row), (4 * outwards, 0), ha=place)
        if row + 1 < len(names):
            reached = value if level else (start if value < 0 else end)
            axes.plot([reached, reached], [row, row + 1], color=theme.SOFT, linewidth=0.6, zorder=0)
    axes.axvline(0, color=theme.SOFT, linewidth=0.8)
    name_rows(axes, names, left)
    return sheet.figure


def _spans(values: "Sequence[float]", levels: "Sequence[bool]") -> list[tuple[float, float]]:
    """Both ends of each bar: levels start at 0, steps where the step before ended.

    Examples
    --------
    >>> _spans([118.0, -18.0, 100.0], [True, False, True])
    [(0.0, 118.0), (100.0, 118.0), (0.0, 100.0)]
    """
    reached, found = 0.0, []
    for value, level in zip(values, levels, strict=True):
        before = 0.0 if level else reached
        reached = value if level else reached + value
        found.append((min(before, reached), max(before, reached)))
    return found
