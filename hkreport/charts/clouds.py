"""Points of two metrics: bubbles with a third, and scatter with lines to read it by."""

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from hkreport import theme
from hkreport.charts.sheet import (
    CLOUD,
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
    in_sentence,
    key_words,
    nothing,
    numbers,
    row_names,
    short,
    tier_rank,
    unit_of,
    value_axis,
    write,
)
from hkreport.metrics import UNASSIGNED
from hkreport.tables import Sentence, require_columns
from hkreport.theme import fitted, text_width
from hkreport.units import Unit, text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from hkreport.charts.parts import Picture

__all__ = ["bubbles", "scatter"]

BODY = 268.0  # points
FOOT = 32.0
HEAD = 16.0
RIGHT = 14.0
SMALLEST, LARGEST = 16.0, 420.0  # area of a bubble in square points
LARGEST_OF_MANY = 150.0
PLAIN, PLAIN_OF_MANY = 46.0, 16.0
MANY = 200
# In a crowd single points say little: they are drawn small, and a line tells what is typical of each twelfth.
SMALLEST_OF_CROWD, LARGEST_OF_CROWD, PLAIN_OF_CROWD = 3.0, 60.0, 5.0
PARTS_OF_CROWD = 12
NAME_AT_MOST = 110.0

Box = tuple[float, float, float, float]
_Line = tuple[float, str, float, float]  # factor, name, first and last x


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
    log_y: bool = False,
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
        Order of the groups in the key; otherwise tiers by size, others by name.
    named : int
        Names to write, from the highest value down, where they do not overlap.
    log_x, log_y : bool
        Logarithmic scales; points at zero or below are then left out and counted.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import INFLUENCER_ORDERS, INFLUENCER_REVENUE
    >>> from hkreport.tables import Col
    >>> followers = Col(name="follower_count", label="Followers", unit=Unit.COUNT)
    >>> frame = pd.DataFrame({"influencer": ["Asha", "Ravi"], "tier": ["nano", "macro"],
    ...     "follower_count": [8000, 200000], "influencer_revenue": [5e5, 2e5],
    ...     "influencer_orders": [400, 90]})
    >>> bubbles(frame, followers, INFLUENCER_REVENUE, INFLUENCER_ORDERS).title
    'Asha has the highest influencer revenue: ₹5.00 L'
    """
    names = [x.name, y.name, size.name if size else "", label, group]
    require_columns(frame, names, f"bubbles of {y.label} against {in_sentence(x.label)}")
    cloud = _Cloud.of(frame, (x, y, size), label, group, log_x=log_x, log_y=log_y)
    largest = max((point.size for point in cloud.points if point.size == point.size), default=0.0)
    area = f", area: {in_sentence(size.label)} (largest: {short(largest, size)})" if size else ""
    plan = _Plan(cloud, (x, y), order, (), named, log_x, log_y)
    return _chart("Bubble", frame, plan, (label, group), size, Words(title, subtitle, note), area)


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
        Order of the groups in the key; otherwise tiers by size, others by name.
    guides : sequence of (factor, label)
        Lines through zero: ``[(1.0, "break-even"), (2.0, "ROAS 2×")]``.
    named : int
        Names to write, from the highest value down, where they do not overlap.
    log : bool
        Logarithmic scales; points at zero or below are then left out and counted.

    Examples
    --------
    >>> import pandas as pd
    >>> from hkreport.metrics import INFLUENCER_REVENUE, SPEND
    >>> frame = pd.DataFrame({"influencer": ["Asha", "Ravi"], "spend": [1e5, 2e5],
    ...     "influencer_revenue": [3e5, 1e5]})
    >>> scatter(frame, SPEND, INFLUENCER_REVENUE, guides=[(1.0, "break-even")]).title
    '1 of 2 above break-even'
    """
    where = f"scatter of {y.label} against {in_sentence(x.label)}"
    require_columns(frame, [x.name, y.name, label, group], where)
    cloud = _Cloud.of(frame, (x, y, None), label, group, log_x=log, log_y=log)
    plan = _Plan(cloud, (x, y), order, tuple(guides), named, log, log)
    return _chart("Scatter", frame, plan, (label, group), None, Words(title, subtitle, note), "")


class _Point(NamedTuple):
    x: float
    y: float
    size: float
    name: str
    group: str


@dataclass(frozen=True, slots=True)
class _Cloud:
    """Rows that can be drawn as points, and a sentence about the others."""

    points: list[_Point]
    left_out: str

    @classmethod
    def of(
        cls,
        frame: "pd.DataFrame",
        measures: tuple[Measure, Measure, Measure | None],
        label: str,
        group: str,
        *,
        log_x: bool,
        log_y: bool,
    ) -> "_Cloud":
        x, y, size = measures
        every = [
            _Point(*values)
            for values in zip(
                numbers(frame, x.name),
                numbers(frame, y.name),
                numbers(frame, size.name) if size else [1.0] * len(frame),
                row_names(frame, label, room=NAME_AT_MOST, size=theme.SMALL),
                key_words(frame, group) if group else [""] * len(frame),
                strict=True,
            )
        ]
        least_x, least_y = (0.0 if log else -math.inf for log in (log_x, log_y))
        points = [p for p in every if least_x < p.x < math.inf and least_y < p.y < math.inf]
        missing = len(every) - len(points)
        if not missing:
            return cls(points, "")
        of = f"{in_sentence(x.label)} or {in_sentence(y.label)}"
        above = " above zero" if log_x or log_y else ""
        return cls(points, f"{text(missing, Unit.COUNT)} without {of}{above} not shown.")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is drawn, and how."""

    cloud: _Cloud
    measures: tuple[Measure, Measure]
    order: Sequence[str]
    guides: tuple[tuple[float, str], ...]
    named: int
    log_x: bool
    log_y: bool

    @property
    def crowded(self) -> bool:
        """Whether points hide each other, whatever their size."""
        return len(self.cloud.points) > CLOUD

    @property
    def typical_is(self) -> str:
        """What the line through a crowd is."""
        across, up = (in_sentence(measure.label) for measure in self.measures)
        line = f"The line joins medians of {up} in twelve equally large groups by {across}."
        return line if self.crowded else ""

    @property
    def looks(self) -> dict[str, tuple[str, str]]:
        """Colour and shape of each group, in the order of the key."""
        present = list(dict.fromkeys(point.group for point in self.cloud.points))
        if present == [""]:
            return {}
        known = [name for name in self.order if name in present]
        rest = [name for name in present if name not in known]
        rest.sort(key=lambda name: (name == UNASSIGNED, tier_rank(name), name))
        hues = theme.colours([*known, *rest])
        return {name: (hue, theme.marker(name, at)) for at, (name, hue) in enumerate(hues.items())}


def _chart(
    kind: str,
    frame: "pd.DataFrame",
    plan: _Plan,
    keys: tuple[str, str],
    size: Measure | None,
    given: Words,
    area: str,
) -> Chart | Sentence:
    """Words and table of either chart."""
    x, y = plan.measures
    points = plan.cloud.points
    what = f"{y.label} against {in_sentence(x.label)}"
    if not points:
        return nothing(what, "no row has both values")
    names, heights = [point.name for point in points], [point.y for point in points]
    above = [
        f"{text(sum(p.y > factor * p.x for p in points), Unit.COUNT)} of "
        f"{text(len(points), Unit.COUNT)} above {label}"
        for factor, label in plan.guides
    ]
    words = Words(
        given.title or (above[0] if above else finding(names, heights, y)),
        given.subtitle or f"{what}, one point per {dimension(keys[0])}{area}",
        " ".join(filter(None, (given.note, plan.cloud.left_out, plan.typical_is))),
    )
    alt = alt_text(
        f"{kind} chart of {words.subtitle[:1].lower()}{words.subtitle[1:]}, {counted(len(points), 'point')}.",
        *(f"{count}." for count in above),
        extremes(names, heights, y),
    )
    table = data_table(frame, keys, [x, y, *([size] if size else [])])
    return Chart(words.title, words.subtitle, alt, table, lambda: _draw(plan, words), words.note)


def _draw(plan: _Plan, words: Words) -> "Picture":
    import numpy as np

    across, up = plan.measures
    looks = plan.looks
    sheet = Sheet(words, BODY, key=[(name, *look) for name, look in looks.items()])
    axes = sheet.axes(50.0, RIGHT, FOOT, HEAD)
    # Large ones first, so that small ones are not hidden.
    points = sorted(plan.cloud.points, key=lambda p: (-_known(p.size), -p.y, p.x, p.name))
    areas = _areas(points)
    _plot(axes, points, areas, looks, crowded=plan.crowded)
    _limits(axes, points, plan)
    if plan.crowded:
        _draw_typical(axes, points)
    wide = value_axis(axes, unit_of(up), log=plan.log_y)
    value_axis(axes, unit_of(across), vertical=False, log=plan.log_x)
    sheet.move(axes, wide + 8, RIGHT)
    write(
        axes, f"{across.label} →", (1, 0), (0, -22), within="corner", ha="right", color=theme.SOFT
    )
    write(axes, f"↑ {up.label}", (0, 1), (0, 8), within="corner", color=theme.SOFT)
    spots = axes.transData.transform([(point.x, point.y) for point in points])
    radii = np.sqrt(areas) / 2
    taken = _draw_guides(axes, plan, spots, radii)
    _name_points(axes, points, spots, radii, plan.named, taken)
    return sheet.figure


def _known(size: float) -> float:
    return max(size, 0.0) if size == size else 0.0


def _areas(points: Sequence[_Point]) -> list[float]:
    largest = max(_known(point.size) for point in points)
    if len(points) > CLOUD:
        plain, least, most = PLAIN_OF_CROWD, SMALLEST_OF_CROWD, LARGEST_OF_CROWD
    elif len(points) > MANY:
        plain, least, most = PLAIN_OF_MANY, SMALLEST, LARGEST_OF_MANY
    else:
        plain, least, most = PLAIN, SMALLEST, LARGEST
    if largest == 0 or len({point.size for point in points}) == 1:
        return [plain] * len(points)
    return [max(least, most * _known(point.size) / largest) for point in points]


def _plot(
    axes: "Axes",
    points: Sequence[_Point],
    areas: Sequence[float],
    looks: Mapping[str, tuple[str, str]],
    *,
    crowded: bool,
) -> None:
    import seaborn

    groups = [point.group for point in points]
    how: dict[str, Any] = {"color": theme.ACCENT}
    if looks:
        how = {
            "hue": groups,
            "style": groups,
            "palette": {name: hue for name, (hue, _) in looks.items()},
            "markers": {name: mark for name, (_, mark) in looks.items()},
        }
    seaborn.scatterplot(
        x=[point.x for point in points],
        y=[point.y for point in points],
        s=areas,
        alpha=0.5 if crowded else 0.78,
        edgecolor=theme.PAPER,
        linewidth=0.0 if crowded else 0.7,
        rasterized=crowded,
        legend=False,
        ax=axes,
        **how,
    )


def _draw_typical(axes: "Axes", points: Sequence[_Point]) -> None:
    """The median of y in equally many points from low x to high, over the crowd."""
    ordered = sorted(points, key=lambda point: (point.x, point.y))
    cuts = [len(ordered) * part // PARTS_OF_CROWD for part in range(PARTS_OF_CROWD + 1)]
    parts = [ordered[low:high] for low, high in itertools.pairwise(cuts)]
    xs = [statistics.median(point.x for point in part) for part in parts]
    ys = [statistics.median(point.y for point in part) for part in parts]
    for colour, width in ((theme.PAPER, 4.5), (theme.INK, 2.0)):
        axes.plot(xs, ys, color=colour, linewidth=width, solid_capstyle="round", zorder=3)


def _limits(axes: "Axes", points: Sequence[_Point], plan: _Plan) -> None:
    """Linear scales start at 0; both leave room for bubbles and names at the ends."""
    xs, ys = [point.x for point in points], [point.y for point in points]
    if plan.log_x:
        axes.set(xscale="log", xlim=(min(xs) / 1.6, max(xs) * 1.9))
    else:
        low, high = min(0.0, *xs), max(0.0, *xs)
        span = high - low or 1.0
        axes.set_xlim(low - 0.03 * span, high + 0.08 * span)
    if plan.log_y:
        axes.set(yscale="log", ylim=(min(ys) / 1.6, max(ys) * 1.9))
    else:
        low, high = min(0.0, *ys), max(0.0, *ys)
        span = high - low or 1.0
        axes.set_ylim(low - 0.04 * span, high + 0.08 * span)


def _draw_guides(axes: "Axes", plan: _Plan, spots: Any, radii: Any) -> list[Box]:
    """Lines where y is a multiple of x, named where they leave the axes; gives the names' boxes."""
    (low, high), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    lines = []
    for factor, label in plan.guides:
        start = max(low, bottom / factor) if plan.log_x else 0.0
        end = min(high, top / factor)
        if not end > start:
            continue
        lines.append((factor, label, start, end))
        axes.plot(
            [start, end],
            [factor * start, factor * end],
            color=theme.SOFT,
            linewidth=1,
            linestyle=(0, (4, 3)),
            zorder=1,
        )
    name = _name_along if plan.log_x else _name_end
    taken = name(axes, plan, lines, spots, radii)
    axes.set(xlim=(low, high), ylim=(bottom, top))
    return taken


def _name_along(axes: "Axes", plan: _Plan, lines: Sequence[_Line], *_: Any) -> list[Box]:
    """All lines end in the corner of the largest points, so names stand where they begin."""
    for factor, label, start, end in lines:
        place = plan.guides.index((factor, label))
        at = start * (end / start) ** 0.03
        (x, y), (x1, y1) = axes.transData.transform([(at, factor * at), (end, factor * end)])
        axes.annotate(
            label,
            (at, factor * at),
            xytext=(0.0, 2.0) if place else (3.0, -1.0),
            textcoords="offset points",
            annotation_clip=False,
            fontsize=theme.SMALL,
            color=theme.SOFT,
            rotation=math.degrees(math.atan2(y1 - y, x1 - x)),
            rotation_mode="anchor",
            va="bottom" if place else "top",
        )
    return []


def _name_end(
    axes: "Axes", plan: _Plan, lines: Sequence[_Line], spots: Any, radii: Any
) -> list[Box]:
    """Names at the ends of the lines, where they hide no other name and, if there is room, no point or line."""
    import numpy as np

    frame = axes.bbox
    # The name of the upright scale stands above its end, and is no place for another.
    named = text_width(f"↑ {plan.measures[1].label}", theme.SMALL)
    taken: list[Box] = [(frame.x0, frame.y1 + 3, frame.x0 + named + 4, frame.y1 + 13)]
    drawn = np.vstack(
        [
            axes.transData.transform(np.linspace((start, factor * start), (end, factor * end), 200))
            for factor, _, start, end in lines
        ]
        or [np.empty((0, 2))]
    )
    for factor, label, start, end in lines:
        (x0, y0), (x, y) = axes.transData.transform([(start, factor * start), (end, factor * end)])
        width = text_width(label, theme.SMALL)
        if end >= axes.get_xlim()[1]:  # flat lines leave to the right
            fall = (y - y0) / (x - x0) * (width + 6.0)
            tries = [(-width - 6.0, dy) for dy in (8.0, -fall - 8.0)]
            tries += [(-width - 6.0, 20.0 + 12 * step) for step in range(6)]
            tries += [(-width - 6.0, -fall - 20.0 - 12 * step) for step in range(6)]
        else:  # steep ones through the top
            tries = [(-width - 3.0, 7.0), (4.0, 7.0)]
            tries += [(4.0, -6.0 - 12 * step) for step in range(8)]
            tries += [(-width - 6.0 - 12 * step, -6.0) for step in range(8)]
        tries = [
            (dx, dy)
            for dx, dy in tries
            if frame.x0 <= x + dx
            and x + dx + width <= frame.x1 + RIGHT
            and frame.y0 <= y + dy - 5
            and y + dy <= frame.y1 + 8
        ] or tries[:1]

        def hides(
            place: tuple[float, float], x: float = x, y: float = y, width: float = width
        ) -> int:
            left, middle = x + place[0], y + place[1]
            box = (left, middle - 5, left + width, middle + 5)
            return (
                100 * any(_overlap(box, each) for each in taken)
                + 2 * (not _free(box, spots, radii))
                + (not _free(box, drawn, np.zeros(len(drawn))))
            )

        dx, dy = min(tries, key=hides)  # the first of equally good ones
        taken.append((x + dx, y + dy - 5, x + dx + width, y + dy + 5))
        write(axes, label, (end, factor * end), (dx, dy), color=theme.SOFT)
    return taken


def _name_points(
    axes: "Axes",
    points: Sequence[_Point],
    spots: Any,
    radii: Any,
    named: int,
    taken: list[Box],
) -> None:
    """Name the highest points where there is room, on the side that is free."""
    import numpy as np

    frame = axes.get_window_extent()
    order = sorted(range(len(points)), key=lambda at: (-points[at].y, points[at].name))
    written = 0
    for at in order[: 3 * named]:
        if written == named:
            break
        word = fitted(points[at].name, NAME_AT_MOST, theme.SMALL)
        x, y = spots[at]
        others, sizes = np.delete(spots, at, axis=0), np.delete(radii, at)
        for box in _sides(x, y, text_width(word, theme.SMALL), float(radii[at]) + 4):
            inside = (
                frame.x0 <= box[0]
                and box[2] <= frame.x1 + RIGHT
                and frame.y0 <= box[1]
                and box[3] <= frame.y1 + 2
            )
            if (
                inside
                and not any(_overlap(box, other) for other in taken)
                and _free(box, others, sizes)
            ):
                shift = (box[0] - x, (box[1] + box[3]) / 2 - y)
                write(axes, word, (points[at].x, points[at].y), shift)
                taken.append(box)
                written += 1
                break


def _sides(x: float, y: float, width: float, gap: float) -> Iterable[Box]:
    """Boxes for a label right, left, above and below a point."""
    height = 10.0
    for left, bottom in (
        (x + gap, y - height / 2),
        (x - gap - width, y - height / 2),
        (x - width / 2, y + gap - 2),
        (x - width / 2, y - gap - height + 2),
    ):
        yield (left, bottom, left + width, bottom + height)


def _overlap(one: Box, two: Box) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _free(box: Box, spots: Any, radii: Any) -> bool:
    """Whether a label hides no other point, its rim aside."""
    reach = 0.8 * radii
    inside_x = (spots[:, 0] > box[0] - reach) & (spots[:, 0] < box[2] + reach)
    inside_y = (spots[:, 1] > box[1] - reach) & (spots[:, 1] < box[3] + reach)
    return not bool((inside_x & inside_y).any())
