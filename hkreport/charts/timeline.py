"""Charts over time: lines and upright bars."""

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hkreport import periods, theme
from hkreport.charts.sheet import (
    DASHED,
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
    extremes,
    finding,
    in_sentence,
    joined,
    key_words,
    like,
    mark_level,
    nothing,
    numbers,
    plural,
    short,
    spread,
    unit_of,
    value_axis,
    with_unit,
    write,
)
from hkreport.errors import InputError, ParamsError
from hkreport.metrics import TIME_STEPS, UNASSIGNED
from hkreport.tables import Sentence, key_text, number, require_columns
from hkreport.theme import fitted, text_width
from hkreport.units import Unit, text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from hkreport.charts.parts import Picture

__all__ = ["columns", "trend"]

BODY = 164.0  # points
COMPACT_BODY = 126.0  # on a page that has to hold much else
FOOT = 28.0
HEAD = 8.0
LABEL_AT_LEAST = 36.0
MARKED_UP_TO = 12  # values on a line; more of them show without dots


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
    compact: bool = False,
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
        Column with the steps: day, week, month, quarter or year, as
        :func:`hkreport.metrics.compute` names them.
    measure : Metric or Col
        Height of the line; a missing value leaves a gap.
    by : str
        Column that names the series; each gets a line, the first six a colour.
    previous : str
        Column with the value as many steps before, drawn lighter as `previous_label`.
    low, high : str
        Columns with a band around the line.
    forecast : str
        Column of booleans: steps that are forecast, drawn dashed.
    target : float, optional
        Level to mark.
    compact : bool
        Lower, for a page that has to hold much else.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import REVENUE
    >>> frame = pd.DataFrame({"month": ["2025-04", "2025-05"], "revenue": [9e5, 7e5]})
    >>> chart = trend(frame, "month", REVENUE)
    >>> chart.title, chart.subtitle
    ('Revenue peaks in Apr 2025 at ₹9.00 L', 'Revenue (₹) by month, Apr 2025 to May 2025')
    """
    what = f"{measure.label} by {dimension(x)}"
    names = [x, by, measure.name, previous, low, high, forecast]
    require_columns(frame, names, f"trend of {what}")
    dated, undated = _dated(frame, x)
    values = numbers(dated, measure.name)
    if previous and dated[previous].isna().all():
        previous = ""
    if not any(value == value for value in values):
        why = _valueless(frame, dated, x)
        if forecast and frame.empty:
            why = f"nothing is forecast by {x}"
        return nothing(f"The trend of {in_sentence(measure.label)}", why)
    drawn = [name for name in (measure.name, previous, low, high) if name]
    if not any(abs(value) > 0 for name in drawn for value in numbers(dated, name)):
        why = "no whole week has any" if x == "week" else "every value is 0"
        return nothing(f"The trend of {in_sentence(measure.label)}", why)
    ahead = _flags(dated, forecast)
    seen = [math.nan if later else value for value, later in zip(values, ahead, strict=True)]
    steps = key_words(dated, x)
    words = Words(
        title or _peak(x, steps, seen, measure, key_words(dated, by) if by else ()),
        subtitle
        or f"{_over_time(x, by, steps, measure)}{_extras(previous, previous_label, ahead)}",
        " ".join(filter(None, (note, undated, _unnamed(key_words(dated, by) if by else ())))),
    )
    alt = alt_text(
        f"Line chart of {_lower(words.subtitle)}, {counted(len(dated), 'value')}.",
        extremes(joined(dated, x, by), seen, measure),
    )
    others = [like(measure, name) for name in (previous, low, high)]
    table = data_table(dated, [x, by, forecast], [measure, *others])

    def draw() -> "Picture":
        lines = _lines(dated, x, measure, by, ahead, (low, high))
        if previous:
            once = dated.drop_duplicates(x)
            before = [str(step) for step in once[x].tolist()]
            lines.insert(
                0, _Line(previous_label, before, numbers(once, previous), theme.GREY, [], [])
            )
        return _draw_trend(dated, x, measure, lines, number(target), words, compact)

    return Chart(words.title, words.subtitle, alt, table, draw, words.note)


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
        Column with the steps of time, or with a few ordered labels.
    measure : Metric or Col
        Height of the bars; must add up if they are stacked.
    by : str
        Column with the parts.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import ORDERS
    >>> frame = pd.DataFrame({"quarter": ["2025-Q1", "2025-Q2"], "orders": [90, 70]})
    >>> columns(frame, "quarter", ORDERS).title
    'Orders peak in Q1 2025 at 90'
    """
    what = f"{measure.label} by {dimension(x)}"
    require_columns(frame, [x, by, measure.name], f"columns of {what}")
    if by and not adds_up(measure):
        raise InputError(
            f"Columns of {what}: {measure.label} does not add up, so it cannot be stacked."
        )
    dated, undated = _dated(frame, x)
    if not any(value == value for value in numbers(dated, measure.name)):
        return nothing(what, _valueless(frame, dated, x))
    steps = _steps(x, list(dict.fromkeys(dated[x].tolist())))
    stacks = _stacks(dated, x, by, measure)
    totals = [_total(parts) for parts in zip(*stacks.values(), strict=True)]
    words = Words(
        title or _peak(x, steps.long, totals, measure),
        subtitle or _over_time(x, by, steps.long, measure),
        f"{note} {undated}".strip(),
    )
    alt = alt_text(
        f"Column chart of {_lower(words.subtitle)}, {counted(len(totals), 'column')}.",
        extremes(steps.long, totals, measure),
    )
    table = data_table(dated, [x, by], [measure])
    return Chart(
        words.title,
        words.subtitle,
        alt,
        table,
        lambda: _draw_columns(steps, stacks, totals, measure, words),
        words.note,
    )


# Words


def _over_time(x: str, by: str, steps: Sequence[str], measure: Measure) -> str:
    parts = f" and {dimension(by)}" if by else ""
    whole = f"{with_unit(measure)} by {dimension(x)}{parts}"
    if x not in TIME_STEPS:
        return whole
    span = f"{steps[0]} to {steps[-1]}" if steps[0] != steps[-1] else steps[0]
    return f"{whole}, {span}"


def _extras(previous: str, previous_label: str, ahead: Sequence[bool]) -> str:
    against = f", against {previous_label}" if previous else ""
    return f"{against}, with forecast" if any(ahead) else against


def _lower(label: str) -> str:
    """A whole subtitle within a sentence; its brackets stay."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


def _peak(
    x: str,
    steps: Sequence[str],
    values: Sequence[float],
    measure: Measure,
    series: Sequence[str] = (),
) -> str:
    """When the highest value was reached, as a title."""
    known = [at for at, value in enumerate(values) if value == value]
    if not known:
        return f"{measure.label} over time"
    if x not in TIME_STEPS:
        return finding(steps, values, measure)
    best = max(known, key=lambda at: values[at])
    label = measure.label.partition(" (")[0]
    when = f"{ {'day': 'on', 'week': 'in the week of'}.get(x, 'in') } {steps[best]}"
    value = short(values[best], measure)
    if len({values[at] for at in known}) == 1:
        return f"{label} {when}: {value}" if len(known) == 1 else f"{label} stays at {value}"
    whose = f" ({series[best]})" if series else ""
    return f"{label} {'peak' if plural(label) else 'peaks'} {when} at {value}{whose}"


# Steps of time


class _Steps(NamedTuple):
    """Where the steps of time stand on an axis, one unit apart, and what they are called."""

    places: list[float]
    long: list[str]
    short: list[str]


def _steps(name: str, values: Sequence[object]) -> _Steps:
    """Place steps of time by date, so that a gap is seen; other labels at equal distances."""
    long = [key_text(name, value) for value in values]
    dates = [date for date in map(_start, values) if date is not None]
    if name not in TIME_STEPS or len(dates) < len(values):
        return _Steps([float(index) for index in range(len(long))], long, long)
    brief = [_brief(name, date, index == 0) for index, date in enumerate(dates)]
    if name in ("day", "week"):
        days = 7.0 if name == "week" else 1.0
        return _Steps([date.toordinal() / days for date in dates], long, brief)
    months = {"month": 1, "quarter": 3, "year": 12}[name]
    return _Steps([(date.year * 12 + date.month - 1) / months for date in dates], long, brief)


def _start(value: object) -> datetime.date | None:
    """First day of a step of time; None for what is none."""
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    words = str(value)
    try:
        day = datetime.date.fromisoformat(words) if len(words) == 10 else None
        return day or periods.parse(words).start
    except (ValueError, ParamsError):
        return None


def _brief(name: str, date: datetime.date, first: bool) -> str:
    """A step for the axis; the year stands below where it begins."""
    if name == "year":
        return str(date.year)
    month = key_text("month", f"{date:%Y-%m}").partition(" ")[0]
    if name in ("day", "week"):
        return f"{date.day} {month}"
    step = month if name == "month" else f"Q{(date.month + 2) // 3}"
    return f"{step}\n{date.year}" if first or date.month == 1 else step


def _valueless(frame: "pd.DataFrame", dated: "pd.DataFrame", x: str) -> str:
    """Why there is nothing to draw: nothing has a date, or what has one has no value."""
    if dated.empty and len(frame):
        return "there is no dated value"
    return f"no {'day' if x == 'day' else f'whole {dimension(x)}'} of this period has a value"


def _dated(frame: "pd.DataFrame", x: str) -> tuple["pd.DataFrame", str]:
    """Rows in order of time, without those of no date, and a sentence about these."""
    known = [at for at, value in enumerate(frame[x].tolist()) if str(value) != UNASSIGNED]
    kept = frame.iloc[known]
    note = "What has no date is not shown." if len(kept) < len(frame) else ""
    starts = [_start(value) for value in kept[x].tolist()]
    dates = [start for start in starts if start is not None]
    if x not in TIME_STEPS or len(dates) < len(starts):
        return kept, note
    return kept.iloc[sorted(range(len(dates)), key=lambda at: (dates[at], at))], note


def _time_ticks(axes: "Axes", steps: _Steps, width: float) -> None:
    """Name as many steps as there is room for, the first always."""
    low, high = axes.get_xlim()
    room = width / (high - low)  # points from step to step
    wide = max(text_width(part, theme.SMALL) for words in steps.short for part in words.split("\n"))
    if steps.short == steps.long:  # labels that are no dates are cut rather than left out
        wide = min(wide, max(room, LABEL_AT_LEAST) - 8)
    every = max(1, math.ceil((wide + 8) / room))
    chosen = list(range(0, len(steps.places), every))
    for before, at in zip([0, *chosen], chosen, strict=False):
        step, _, year = steps.short[at].partition("\n")
        if not year:  # a year that begins between two ticks is named at the next
            passed = (steps.short[index].partition("\n")[2] for index in range(before + 1, at))
            year = next(filter(None, passed), "")
        words = f"{fitted(step, wide + 1, theme.SMALL)}\n{year}".rstrip("\n")
        place = (steps.places[at], 0)
        write(axes, words, place, (0, -4), within="column", ha="center", va="top", color=theme.SOFT)


# Lines


class _Line(NamedTuple):
    name: str
    steps: list[str]
    values: list[float]
    colour: str
    ahead: list[bool]
    band: list[tuple[float, float]]

    @property
    def light(self) -> bool:
        """Whether it only serves to compare."""
        return self.colour == theme.GREY


def _flags(frame: "pd.DataFrame", name: str) -> list[bool]:
    return [bool(flag) for flag in frame[name].tolist()] if name else [False] * len(frame)


def _lines(
    frame: "pd.DataFrame",
    x: str,
    measure: Measure,
    by: str,
    ahead: Sequence[bool],
    band: tuple[str, str],
) -> list[_Line]:
    """Cut the frame into one line a series."""
    series = key_words(frame, by) if by else [""] * len(frame)
    names = list(dict.fromkeys(series))
    hues = theme.colours(names[: len(theme.PALETTE)]) if by else {"": theme.ACCENT}
    steps = [str(value) for value in frame[x].tolist()]
    values = numbers(frame, measure.name)
    lows, highs = (numbers(frame, name) if all(band) else [] for name in band)
    lines = []
    for name in names:
        at = [index for index, one in enumerate(series) if one == name]
        lines.append(
            _Line(
                name,
                [steps[index] for index in at],
                [values[index] for index in at],
                hues.get(name, theme.GREY),
                [ahead[index] for index in at],
                [(lows[index], highs[index]) for index in at] if lows else [],
            )
        )
    return lines


def _draw_trend(
    frame: "pd.DataFrame",
    x: str,
    measure: Measure,
    lines: Sequence[_Line],
    target: float,
    words: Words,
    compact: bool,
) -> "Picture":
    every = list(dict.fromkeys(frame[x].tolist()))
    steps = _steps(x, every)
    place = dict(zip(map(str, every), steps.places, strict=True))
    sheet = Sheet(words, COMPACT_BODY if compact else BODY)
    ends = _ends(lines, measure)
    right = max((text_width(e.label, theme.SMALL, theme.BOLD) for e in ends), default=0.0) + 10
    axes = sheet.axes(50.0, right, FOOT, HEAD)
    _plot(axes, lines, place)
    if math.isfinite(target):
        mark_level(axes, target, f"target {short(target, measure)}", side="left")
    pad = max(0.5, 0.02 * (steps.places[-1] - steps.places[0]))
    axes.set_xlim(steps.places[0] - pad, steps.places[-1] + pad)
    _height(axes, lines, target)
    axes.axhline(axes.get_ylim()[0], color=theme.LINE, linewidth=1.6)
    left = value_axis(axes, unit_of(measure)) + 8
    sheet.move(axes, left, right)
    _time_ticks(axes, steps, WIDTH - left - right)
    _label_ends(axes, ends, place)
    return sheet.figure


def _plot(axes: "Axes", lines: Sequence[_Line], place: Mapping[str, float]) -> None:
    """Draw each line in as many pieces as gaps leave of it; and bands and forecasts."""
    pieces: list[tuple[str, list[float], list[float]]] = []
    for line in lines:
        known = [place[step] for step in line.steps]
        if line.band:
            lows, highs = zip(*line.band, strict=True)
            axes.fill_between(known, lows, highs, color=line.colour, alpha=0.18, linewidth=0)
        first = line.ahead.index(True) if True in line.ahead else len(known)
        for at, (where, value) in enumerate(zip(known[:first], line.values, strict=False)):
            if at == 0 or value != value:
                pieces.append((line.colour, [], []))  # a gap begins a new one
            if value == value:
                pieces[-1][1].append(where)
                pieces[-1][2].append(value)
        if first < len(known):
            start = max(first - 1, 0)
            axes.plot(
                known[start:],
                line.values[start:],
                color=line.colour,
                linestyle=DASHED,
                linewidth=1.8,
            )
            middle = (known[start] + known[-1]) / 2
            write(axes, "forecast", (middle, 1), within="column", ha="center", color=theme.SOFT)
    few = max(len(line.values) for line in lines) <= MARKED_UP_TO
    dots: dict[str, Any] = {"marker": "o", "markersize": 5, "markeredgewidth": 0} if few else {}
    for colour, xs, ys in pieces:
        if xs:
            thick = 1.4 if colour == theme.GREY else 2.2
            axes.plot(xs, ys, color=colour, linewidth=thick, **dots)
    for colour, xs, ys in pieces:
        if len(xs) == 1 and not few:  # a value between two gaps has no line that shows it
            axes.plot(xs, ys, marker="o", markersize=4, color=colour)


def _height(axes: "Axes", lines: Sequence[_Line], target: float) -> None:
    """Start at 0, unless all values are far from it."""
    ends = [end for line in lines for span in line.band for end in span]
    values = [value for line in lines for value in line.values]
    known = [value for value in (*values, *ends, target) if math.isfinite(value)]
    least, most = min(known), max(known)
    if least < 0.6 * most or least == most:
        least = min(least, 0.0)
    most = max(most, 0.0) if most > least else least + 1.0
    span = most - least
    axes.set_ylim(least - (0.04 * span if least != 0 else 0.0), most + 0.06 * span)


class _End(NamedTuple):
    line: _Line
    step: str
    value: float
    label: str


def _unnamed(series: Sequence[str]) -> str:
    """What the grey lines of a crowd are, which have no name at their end."""
    rest = list(dict.fromkeys(series))[len(theme.PALETTE) :]
    if len(rest) < 2:
        return ""
    if len(rest) > 3:
        return f"Grey: {text(len(rest), Unit.COUNT)} others."
    *others, last = rest
    return f"Grey: {', '.join(others)} and {last}."


def _ends(lines: Sequence[_Line], measure: Measure) -> list[_End]:
    """Last value of each line, with what is written beside it; light lines of many stay unnamed."""
    ends = []
    crowded = len(lines) > len(theme.PALETTE) + 1
    for line in lines:
        known = [at for at, value in enumerate(line.values) if value == value]
        if known and not (crowded and line.light):
            value = line.values[known[-1]]
            # A value that is cut would be another value, so the name gives way.
            amount = f" {short(value, measure)}"
            room = 0.3 * WIDTH - text_width(amount, theme.SMALL, theme.BOLD)
            label = f"{fitted(line.name, room, theme.SMALL, theme.BOLD)}{amount}".strip()
            ends.append(_End(line, line.steps[known[-1]], value, label))
    return ends


def _label_ends(axes: "Axes", ends: Sequence[_End], place: Mapping[str, float]) -> None:
    low, high = axes.get_ylim()
    per_point = (high - low) / (BODY - FOOT - HEAD)
    wanted = [end.value / per_point for end in ends]
    heights = spread(wanted, 11.0, low / per_point, high / per_point)
    for end, height in zip(ends, heights, strict=True):
        light = end.line.light
        write(
            axes,
            end.label,
            (place[end.step], height * per_point),
            (6, 0),
            fontweight=400 if light else theme.BOLD,
            color=theme.SOFT if light else theme.INK,
        )


# Columns


def _stacks(frame: "pd.DataFrame", x: str, by: str, measure: Measure) -> dict[str, list[float]]:
    """Height of each part at each step of time; parts beyond the colours there are become one."""
    parts = key_words(frame, by) if by else [""] * len(frame)
    names = list(dict.fromkeys(parts))
    if len(names) > len(theme.PALETTE):
        kept = set(names[: len(theme.PALETTE) - 1])
        parts = [part if part in kept else "Other" for part in parts]
    steps = {step: at for at, step in enumerate(dict.fromkeys(frame[x].tolist()))}
    stacks = {part: [math.nan] * len(steps) for part in parts}
    values = numbers(frame, measure.name)
    for part, step, value in zip(parts, frame[x].tolist(), values, strict=True):
        stacks[part][steps[step]] = _total((stacks[part][steps[step]], value))
    return stacks


def _total(values: Sequence[float]) -> float:
    known = [value for value in values if value == value]
    return math.fsum(known) if known else math.nan


def _draw_columns(
    steps: _Steps,
    stacks: Mapping[str, Sequence[float]],
    totals: Sequence[float],
    measure: Measure,
    words: Words,
) -> "Picture":
    hues = {"": theme.ACCENT} if "" in stacks else theme.colours(stacks)
    sheet = Sheet(words, BODY, key=[(name, hues[name], "s") for name in stacks if name])
    axes = sheet.axes(50.0, EDGE, FOOT, 12.0)
    above, below = _pile(axes, steps, stacks, hues)
    axes.axhline(0, color=theme.SOFT, linewidth=0.8)
    axes.set_xlim(steps.places[0] - 0.6, steps.places[-1] + 0.6)
    least, most = min([0.0, *below]), max([0.0, *above])
    most = most if most > least else 1.0
    span = most - least
    axes.set_ylim(least - (0.1 * span if least < 0 else 0.0), most + 0.06 * span)
    labels = [short(total, measure) if total == total else "n/a" for total in totals]
    room = (WIDTH - 2 * EDGE) / (steps.places[-1] - steps.places[0] + 1.2)
    if max(text_width(label, theme.SMALL) for label in labels) + 3 <= room:
        left = EDGE
        for at, label, total, top, low in zip(
            steps.places, labels, totals, above, below, strict=True
        ):
            down = total < 0
            place = (at, low if down else top)
            write(axes, label, place, (0, -8 if down else 7), ha="center")
    else:
        left = value_axis(axes, unit_of(measure)) + 8
    sheet.move(axes, left, EDGE)
    _time_ticks(axes, steps, WIDTH - left - EDGE)
    return sheet.figure


def _pile(
    axes: "Axes",
    steps: _Steps,
    stacks: Mapping[str, Sequence[float]],
    hues: Mapping[str, str],
) -> tuple[list[float], list[float]]:
    """Stack the parts, negative ones downwards; gives the upper and lower ends."""
    above, below = [0.0] * len(steps.places), [0.0] * len(steps.places)
    for name, values in stacks.items():
        heights = [value if value == value else 0.0 for value in values]
        base = [up if h >= 0 else down for h, up, down in zip(heights, above, below, strict=True)]
        axes.bar(
            steps.places,
            heights,
            bottom=base,
            width=0.78,
            color=hues[name],
            edgecolor=theme.PAPER,
            linewidth=0.6 if len(stacks) > 1 else 0.0,
        )
        above = [up + max(h, 0.0) for up, h in zip(above, heights, strict=True)]
        below = [down + min(h, 0.0) for down, h in zip(below, heights, strict=True)]
    return above, below
