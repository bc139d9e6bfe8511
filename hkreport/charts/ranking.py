"""Ranked bars: who or what is largest."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
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
    counted,
    data_table,
    dimension,
    extremes,
    finding,
    identities,
    in_sentence,
    joined,
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
    verdict_key,
    write,
)
from hkreport.errors import InputError, listed
from hkreport.tables import Sentence, key_label, number, require_columns
from hkreport.theme import fitted, text_width
from hkreport.units import Unit, text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from hkreport.charts.parts import Picture

__all__ = ["bars"]

BAR = 22.0  # points from bar to bar
THIN_BAR = 13.0  # the same within a group of bars
GROUP_GAP = 9.0
PANEL_GAP = 14.0
THICKNESS = 0.72  # of the distance from bar to bar


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
        Value to mark by a line, called `reference_label`; for the first metric.
    most : int
        Bars to draw; the table behind has all.
    sort : bool
        False keeps the frame's order.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import REVENUE
    >>> frame = pd.DataFrame({"city": ["Pune", "Delhi"], "revenue": [2e5, 9e5]})
    >>> chart = bars(frame, "city", REVENUE)
    >>> chart.title
    'Delhi has the highest revenue: ₹9.00 L'
    >>> chart.alt
    'Bar chart of revenue by city, 2 bars. Highest: Delhi, ₹9.00 L; lowest: Pune, ₹2.00 L; total ₹11.00 L.'
    """
    shown = list(measures) if isinstance(measures, Sequence) else [measures]
    first = shown[0]
    what = f"{first.label} by {dimension(key)}"
    require_columns(frame, [key, by, verdict, n, *(m.name for m in shown)], f"bars of {what}")
    if by and len(shown) > 1:
        raise InputError(f"Bars of {what}: several metrics and 'by' are too much for one chart.")
    if not any(value == value for measure in shown for value in numbers(frame, measure.name)):
        return nothing(what, "there is no value in this selection")
    if not any(abs(value) > 0 for m in shown for value in numbers(frame, m.name)):
        return nothing(what, "every value is 0")
    rows = ranked(frame, key, *(measure.name for measure in shown)) if sort else frame
    who = _bar_of(rows, key, by)
    every = list(dict.fromkeys(who))
    drawn = set(every[:most])
    picked = rows.iloc[[at for at, name in enumerate(who) if name in drawn]]
    if by and len(set(zip(who, key_words(rows, by), strict=True))) < len(who):
        raise InputError(
            f"Bars of {what}: some bars have several rows.",
            next_step=f"Group by {listed([key, by])} only.",
        )
    labels = joined(rows, key, by)
    leading = next(m for m in shown if any(v == v for v in numbers(rows, m.name)))
    *others, last = [first.label, *(in_sentence(measure.label) for measure in shown[1:])]
    listing = f"{', '.join(others)} and {last}" if others else last
    parts = f" and {dimension(by)}" if by else ""
    count = (
        f", {'top' if sort else 'first'} {most} of {text(len(every), Unit.COUNT)}"
        if len(every) > most
        else ""
    )
    words = Words(
        title
        or finding(
            labels,
            numbers(rows, leading.name),
            leading,
            numbers(rows, n) if n else (),
            in_sentence(key_label(n)).removeprefix("influencer "),
        ),
        subtitle or f"{listing} by {dimension(key)}{parts}{count}",
        note,
    )
    alt = alt_text(
        f"Bar chart of {in_sentence(words.subtitle)}, {counted(len(picked), 'bar')}.",
        *(extremes(labels, numbers(rows, measure.name), measure) for measure in shown),
    )
    plan = _Plan(picked, key, by, verdict, n, reference, reference_label)
    table = data_table(rows, [key, by], [*shown, n])
    return Chart(
        words.title, words.subtitle, alt, table, lambda: _draw(plan, shown, words), words.note
    )


def _bar_of(frame: "pd.DataFrame", key: str, by: str) -> list[str]:
    """Which bar, or group of bars, each row belongs to; two rows of one name are two bars."""
    return identities(frame, key) if by else [str(at) for at in range(len(frame))]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which rows become bars, and what is said beside them."""

    frame: "pd.DataFrame"
    key: str
    by: str
    verdict: str
    n: str
    reference: float | None
    reference_label: str

    @property
    def groups(self) -> list[str]:
        return list(dict.fromkeys(key_words(self.frame, self.by))) if self.by else []

    @property
    def few(self) -> list[str]:
        """Number of cases of each row, where it is too small."""
        if not self.n:
            return [""] * len(self.frame)
        bases = numbers(self.frame, self.n)
        return [
            f"n = {text(base, Unit.COUNT)}" if base < theme.BASE_TOO_SMALL else "" for base in bases
        ]

    @property
    def marks(self) -> list[str]:
        """Sign of each row's verdict."""
        if not self.verdict:
            return [""] * len(self.frame)
        found = (theme.VERDICTS.get(str(v).lower()) for v in self.frame[self.verdict].tolist())
        return [f" {look[1]}" if look else "" for look in found]

    @property
    def colours(self) -> list[str]:
        if self.verdict:
            verdicts = (str(value).lower() for value in self.frame[self.verdict].tolist())
            return [theme.VERDICTS.get(word, (theme.GREY, ""))[0] for word in verdicts]
        if self.by:
            hues = theme.colours(self.groups)
            return [hues[group] for group in key_words(self.frame, self.by)]
        return own_colours(self.key, key_words(self.frame, self.key))


def _draw(plan: _Plan, measures: Sequence[Measure], words: Words) -> "Picture":
    who = _bar_of(plan.frame, plan.key, plan.by)
    # Beside the name where the name has one base, else beside each value.
    bases = plan.few if plan.n and not plan.by else []
    drawn = key_words(plan.frame, plan.key) if plan.by else row_names(plan.frame, plan.key, bases)
    names = dict(zip(who, drawn, strict=True))
    groups = plan.groups
    step = THIN_BAR * len(groups) + GROUP_GAP if groups else BAR
    heads = 16.0 if len(measures) > 1 else 0.0
    foot = 14.0 if plan.reference is not None else 2.0
    hues = theme.colours(groups)
    key = [(group, hues[group], "s") for group in groups]
    if plan.verdict:
        key = verdict_key(plan.frame[plan.verdict].tolist())
    if any(plan.few):
        few = f"n is shown where it is below {theme.BASE_TOO_SMALL}: read with care."
        words = words._replace(note=f"{words.note} {few}".strip())
    sheet = Sheet(words, step * len(names) + heads + foot, key=key)
    left = names_width(list(names.values()), bases)
    width = (WIDTH - left - EDGE - PANEL_GAP * (len(measures) - 1)) / len(measures)
    for place, measure in enumerate(measures):
        start = left + place * (width + PANEL_GAP)
        axes = sheet.axes(start, WIDTH - start - width, foot, heads)
        _panel(axes, plan, measure, list(names), width, step, first=place == 0)
        if place == 0:
            name_rows(axes, list(names.values()), left, bases)
        if heads:
            head = fitted(measure.label, width, theme.SMALL, theme.BOLD)
            write(axes, head, (0, 1), (0, 8), within="corner", fontweight=theme.BOLD)
    return sheet.figure


def _panel(
    axes: "Axes",
    plan: _Plan,
    measure: Measure,
    names: Sequence[str],
    width: float,
    step: float,
    *,
    first: bool,
) -> None:
    """Bars of one metric with their labels."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    values = numbers(plan.frame, measure.name)
    drawn = [value if math.isfinite(value) else 0.0 for value in values]
    labels = _labels(plan, measure, values, width)
    places, height = _places(plan, names, step)
    reference = number(plan.reference) if first else math.nan
    low, high = _limits(drawn, labels, width, reference)
    marked = list(zip(places, values, drawn, labels, plan.colours, strict=True))
    for place, _, end, _, colour in marked:
        # Not by barh(), which would look for the ends of a scale that are known.
        bar = Rectangle((0, place - height / 2), end, height, linewidth=0, facecolor=colour)
        axes.add_artist(bar)
    for place, value, end, label, colour in marked:
        outwards = -1.0 if end < 0 else 1.0
        ink = theme.INK if value == value else theme.SOFT
        if _is_crossed(end, label, reference, width / (high - low)):
            outwards, ink = -outwards, theme.cell_ink(to_rgba(colour))
        side = "left" if outwards > 0 else "right"
        write(axes, label, (end, place), (4 * outwards, 0), ha=side, color=ink)
    axes.set(xlim=(low, high), ylim=(len(names) - 0.5, -0.5))
    axes.axvline(0, color=theme.SOFT, linewidth=0.8)
    if math.isfinite(reference):
        label = f"{plan.reference_label} {short(reference, measure)}"
        mark_level(axes, reference, label, side="bottom")


def _labels(plan: _Plan, measure: Measure, values: Sequence[float], width: float) -> list[str]:
    """What stands behind each bar; why a value is missing only where that leaves the bars room."""
    rows = plan.frame.to_dict("records")
    words = [short(value, measure, row) for value, row in zip(values, rows, strict=True)]
    ends = [
        f"{mark}{f' ({few})' if few and plan.by else ''}"
        for mark, few in zip(plan.marks, plan.few, strict=True)
    ]
    labels = [f"{word}{end}" for word, end in zip(words, ends, strict=True)]
    left, right = (
        [
            text_width(each, theme.SMALL)
            for each, value in zip(labels, values, strict=True)
            if side == (value < 0)
        ]
        for side in (True, False)
    )
    if max(left, default=0.0) + max(right, default=0.0) + 12 <= 0.75 * width:
        return labels
    known = ((word if value == value else "n/a") for word, value in zip(words, values, strict=True))
    return [f"{word}{end}" for word, end in zip(known, ends, strict=True)]


def _is_crossed(end: float, label: str, reference: float, scale: float) -> bool:
    """Whether the reference line would run through a label that has room inside its bar."""
    room = text_width(label, theme.SMALL) + 8
    beyond = (reference - end) * scale * (-1 if end < 0 else 1)
    return 0 < beyond < room < abs(end) * scale


def _places(plan: _Plan, names: Sequence[str], step: float) -> tuple[list[float], float]:
    """Middle of each row's bar, and the bars' thickness, in rows."""
    rows = {name: index for index, name in enumerate(names)}
    places = [float(rows[name]) for name in _bar_of(plan.frame, plan.key, plan.by)]
    groups = plan.groups
    if not groups:
        return places, THICKNESS
    share = THIN_BAR / step
    middle = (len(groups) - 1) / 2
    offsets = {group: (index - middle) * share for index, group in enumerate(groups)}
    of = key_words(plan.frame, plan.by)
    return [p + offsets[group] for p, group in zip(places, of, strict=True)], 0.9 * share


def _limits(
    values: Sequence[float], labels: Sequence[str], width: float, reference: float
) -> tuple[float, float]:
    """Ends of the value axis, such that bars start at 0 and the labels behind them fit."""
    level = [reference] if math.isfinite(reference) else []
    most, least = max([0.0, *values, *level]), min([0.0, *values, *level])
    most = most if most > least else least + 1.0
    sized = [
        (text_width(label, theme.SMALL) + 6, value)
        for label, value in zip(labels, values, strict=True)
    ]
    # Only as much room as the label needs that reaches farthest: short bars have room inside.
    right = max((w for w, value in sized if value >= 0), default=2.0)
    left = max((w for w, value in sized if value < 0), default=1.0)
    scale = (most - least) / max(width - right - left, 0.25 * width)
    ends = [(value + w * scale) if value >= 0 else (value - w * scale) for w, value in sized]
    return min([least, *ends]) - scale, max([most, *ends]) + scale
