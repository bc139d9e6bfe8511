"""Labels and axes that leave out what matplotlib's own would work out for nobody.

A label is upright and stands alone: where it goes follows from its place, and its height
from the font. Axes whose scales are drawn by :func:`hkreport.charts.sheet.value_axis` need no ticks. A
report has a thousand labels and sixty axes, so that this is a third of the time that its charts take.
"""

import functools
from typing import Any, Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.transforms import IdentityTransform, Transform

from hkreport import theme

__all__ = ["Label", "Picture", "PlainAxes"]


class Picture(Figure):
    """A figure that knows which part of it is drawn; above and below it stand words.

    Attributes
    ----------
    body : (float, float, float, float)
        Left, top, width and height of what is drawn, in points from the top left corner.
    """

    body: tuple[float, float, float, float]


class Label(Artist):
    """A line of text, `shift` points from a place; drawn as matplotlib's text is, but quicker.

    Parameters
    ----------
    words : str
    place : (float, float)
    transform : Transform
        From the place to points.
    shift : (float, float)
        In points.
    fontsize, fontweight, color, ha, va
        As matplotlib has them.
    """

    zorder = Text.zorder

    def __init__(
        self,
        words: str,
        place: tuple[float, float],
        transform: Transform,
        shift: tuple[float, float] = (0.0, 0.0),
        *,
        fontsize: float = theme.SIZE,
        fontweight: int = 400,
        color: Any = theme.INK,
        ha: Literal["left", "center", "right"] = "left",
        va: Literal["baseline", "center_baseline", "top"] = "baseline",
    ) -> None:
        super().__init__()
        self.words, self.place, self.transform, self.shift = words, place, transform, shift
        self.size, self.weight, self.colour = fontsize, fontweight, color
        self.ha, self.va = ha, va
        self.set_transform(IdentityTransform())  # or axes would set that of their data

    def draw(self, renderer: Any) -> None:
        """Write into an SVG; a picture, and several lines, are left to matplotlib's own text."""
        if not self.words:
            return
        x, y = self.get_unitless_position()
        if "\n" in self.words or not isinstance(renderer, MixedModeRenderer):
            self._as_text(x, y).draw(renderer)
            return
        renderer.open_group("text", gid=self.get_gid())
        graphics = renderer.new_gc()
        graphics.set_foreground(to_rgba(self.colour), isRGBA=True)
        down = renderer.height - (y - self._drop())
        font = _font(self.size, self.weight)
        renderer.draw_text(graphics, x, down, self.words, font, 0.0, ismath=False, mtext=self)
        graphics.restore()
        renderer.close_group("text")

    def set_clip_path(self, path: Any, transform: Any = None) -> None:
        """Stay whole: axes would cut what is added to them at their edges."""

    def get_unitless_position(self) -> tuple[float, float]:
        """Where the text is anchored, in dots; matplotlib asks for it by this name."""
        x, y = self.transform.transform(self.place)
        figure = self.get_figure(root=True)
        assert figure is not None
        dot = figure.dpi / 72  # in a picture a point has several
        return float(x) + dot * self.shift[0], float(y) + dot * self.shift[1]

    def get_ha(self) -> str:
        """How the text lies to its anchor; matplotlib asks for it by this name."""
        return self.ha

    def _drop(self) -> float:
        """From the anchor down to the foot of the letters."""
        if self.va == "baseline":
            return 0.0
        above = _ascent(self.words, self.size, self.weight)
        return above if self.va == "top" else above / 2

    def _as_text(self, x: float, y: float) -> Text:
        font = _font(self.size, self.weight)
        made = Text(
            x, y, self.words, color=self.colour, ha=self.ha, va=self.va, fontproperties=font
        )
        figure = self.get_figure()
        assert figure is not None
        made.set_figure(figure)
        return made


@functools.cache
def _font(size: float, weight: int) -> FontProperties:
    return FontProperties(family=[theme.FAMILY], size=size, weight=weight)


def _ascent(words: str, size: float, weight: int) -> float:
    """Height of a line above its foot: the font's, or more where a letter reaches higher."""
    return size * max(theme.ascent(weight), *(theme.letter_ascent(c, weight) for c in words))


class _BareX(XAxis):
    # matplotlib's names; its own lists make a tick when they are read.
    majorTicks = minorTicks = ()  # type: ignore[assignment]  # noqa: N815


class _BareY(YAxis):
    majorTicks = minorTicks = ()  # type: ignore[assignment]  # noqa: N815


class PlainAxes(Axes):
    """Axes that never make a tick."""

    def _init_axis(self) -> None:
        self.xaxis, self.yaxis = _BareX(self, clear=False), _BareY(self, clear=False)
        for name in ("bottom", "top"):
            self.spines[name].register_axis(self.xaxis)
        for name in ("left", "right"):
            self.spines[name].register_axis(self.yaxis)
