"""Labels and axes of charts give what matplotlib's own text and axes would have given."""

import io
import re

import pytest
from matplotlib.figure import Figure

from hkreport import theme
from hkreport.charts.parts import PlainAxes
from hkreport.charts.sheet import write

WORDS = ("₹1,23,456", "(Ágj|Åq)", "−4.2 %", "forecast", "A & B <c>", "Jan\n2025")
PLACES = (
    ("data", (3.0, 40.0)),
    ("row", (0.0, 40.0)),
    ("column", (3.0, 1.0)),
    ("corner", (1.0, 1.0)),
)
COORDS = {
    "data": ("data", "data"),
    "row": ("axes fraction", "data"),
    "column": ("data", "axes fraction"),
    "corner": ("axes fraction", "axes fraction"),
}


def figure(kind, *, log=False):
    made = Figure(figsize=(4, 3))
    axes = kind(made, (0.2, 0.2, 0.7, 0.6))
    made.add_axes(axes)
    axes.set_axis_off()
    axes.set(xlim=(0, 10), ylim=(1, 100), yscale="log" if log else "linear")
    return made, axes


def by_matplotlib(axes, words, place, shift, *, within, **look):
    look = {"fontsize": theme.SMALL, "va": "center_baseline", **look}
    axes.annotate(
        words, place, xycoords=COORDS[within], xytext=shift, textcoords="offset points",
        annotation_clip=False, **look,
    )  # fmt: skip


def saved(made, form, dpi):
    stream = io.BytesIO()
    with theme.style():
        made.savefig(
            stream, format=form, dpi=dpi, metadata={"Date": None} if form == "svg" else None
        )
    return stream.getvalue()


@pytest.mark.parametrize("look", [
    {}, {"ha": "right", "color": theme.SOFT}, {"ha": "center", "va": "top"},
    {"va": "baseline", "fontsize": theme.TITLE, "fontweight": theme.BOLD},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("within", COORDS)
@pytest.mark.parametrize("log", [False, True], ids=["linear", "log"])
def test_label_stands_where_matplotlibs_own_text_would(within, look, log):
    place = dict(PLACES)[within]
    drawn = []
    for put in (write, by_matplotlib):
        with theme.style():
            made, axes = figure(PlainAxes, log=log)
            for row, words in enumerate(WORDS):
                put(axes, words, place, (4.0, -7.0 * row), within=within, **look)
        drawn.append(made)
    assert saved(drawn[0], "svg", 160) == saved(drawn[1], "svg", 160)
    if within == "data" and not log:
        assert saved(drawn[0], "png", 144) == saved(drawn[1], "png", 144)


def test_no_words_leave_no_mark():
    with theme.style():
        made, axes = figure(PlainAxes)
        write(axes, "", (1.0, 1.0))
    assert b"<text" not in saved(made, "svg", 72)


def test_plain_axes_hold_what_is_drawn_on_axes_and_no_tick():
    def drawn(kind):
        with theme.style():
            made, axes = figure(kind)
            axes.plot([0, 5, 10], [1, 80, 30], color=theme.ACCENT)
            axes.barh([20, 40], [3, 7], 5)
            axes.axvline(5)
        return made, axes

    (plain, axes), (usual, _) = drawn(PlainAxes), drawn(type(figure(PlainAxes)[1]).__mro__[1])
    assert list(axes.xaxis.majorTicks) == list(axes.yaxis.minorTicks) == []
    own, theirs = (
        re.sub(rb"#?p[0-9a-f]{10}", b"", saved(each, "svg", 72)) for each in (plain, usual)
    )
    assert own == theirs
