"""How charts look: palette, fonts, sizes and matplotlib settings, in one place.

Colours belong to names (a brand, a platform, a tier), so that a reader meets the same colour in every
chart. What is drawn belongs to :mod:`hkreport.charts`.
"""

import contextlib
import functools
import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkreport.units import one_line

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

__all__ = [
    "ACCENT",
    "BASE_TOO_SMALL",
    "BOLD",
    "DIVERGING",
    "DRAWN",
    "FAMILIES",
    "FAMILY",
    "GREY",
    "INK",
    "LINE",
    "MARKS",
    "NARROWEST_SLICE",
    "PALETTE",
    "PAPER",
    "SEQUENCE",
    "SIZE",
    "SMALL",
    "SOFT",
    "TITLE",
    "VERDICTS",
    "WIDTH",
    "WORDS",
    "ascent",
    "cell_ink",
    "colours",
    "distinct_colours",
    "fitted",
    "font_file",
    "letter_ascent",
    "marker",
    "style",
    "text_width",
    "wrapped",
]

# Width of the text block of the PDF. A page never shows it narrower than its smallest text can be read.
WIDTH = 6.3  # inches
TITLE = 12.5  # points
SIZE = 10.0  # points: labels and values
SMALL = 9.0  # points: ticks and notes

# How an SVG says which part of it is drawn, and which of its lines are title, subtitle and note.
DRAWN = "data-drawn"
WORDS = "words-"

MEASURED_AT = 500.0  # points
POINTS_IN_AN_INCH = 72.0

FAMILY = "Source Sans Pro"
# The page's own list of fonts, for what Source Sans Pro lacks.
FAMILIES = "'Source Sans Pro', 'Noto Sans', 'Noto Sans Devanagari', 'Noto Color Emoji', sans-serif"
_FACES = {400: "SourceSansPro", 600: "SourceSansProSemibold"}
BOLD = 600

# Softer text is ink, partly transparent, so that it is soft on any ground.
INK = "#1b2530"
Colour = tuple[float, float, float, float]
_RED, _GREEN, _BLUE = (int(INK[i : i + 2], 16) / 255 for i in (1, 3, 5))
SOFT: Colour = (_RED, _GREEN, _BLUE, 0.72)
LINE: Colour = (_RED, _GREEN, _BLUE, 0.16)
PAPER = "#ffffff"

# Found by search: each pair stays apart in normal sight, in the three kinds of colour blindness and in
# grey print (tests/test_theme.py measures it), and each has a contrast of 2.4 to white, 2.1 to black.
ACCENT = "#307b90"
PALETTE = (ACCENT, "#c06d0f", "#c07bcf", "#8ab181", "#a73d43", "#2c518e")
_TEAL, _AMBER, _ORCHID, _SAGE, _BRICK, _NAVY = PALETTE
GREY = "#a3acb5"

# Light to dark, for heatmaps; both ends read in grey print.
SEQUENCE = ("#eef5f6", "#c3dde2", "#8dbecb", "#559bb0", "#307b90", "#1d5b71", "#113e52")

# Brick over white to teal, for values on both sides of a centre; the ends differ in grey print too.
DIVERGING = ("#a73d43", "#d08a83", "#ecd0cb", "#f6f6f4", "#b9d6dd", "#559bb0", "#1d5b71")

_COLOURS: Mapping[str, str] = {
    "muscleblaze": _AMBER,
    "hkvitals": _NAVY,
    "gritzo": _ORCHID,
    "instagram": _ORCHID,
    "youtube": _BRICK,
    "twitter": _TEAL,
    "x": _TEAL,
    "tiktok": _SAGE,
    "facebook": _NAVY,
    "linkedin": _AMBER,
    # Tiers are ordered: they darken with size, in either of the two schemes.
    "nano": _SAGE,
    "micro": _ORCHID,
    "mid": _AMBER,
    "macro": _TEAL,
    "mega": _BRICK,
    "celebrity": _NAVY,
    "female": _ORCHID,
    "male": _TEAL,
    "post": _AMBER,
    "order": _TEAL,
    "hybrid": _SAGE,
    "treatment": _TEAL,
    "control": GREY,
    "paid": _AMBER,
    "influencer": _TEAL,
    "organic": _SAGE,
    "other": GREY,
    "others": GREY,
    "unknown": GREY,
    "unassigned": GREY,
}

# Shapes repeat what the colours say.
MARKS: Mapping[str, str] = {
    "nano": "o",
    "micro": "^",
    "mid": "s",
    "macro": "D",
    "mega": "v",
    "celebrity": "*",
}
_SPARE_MARKS = ("o", "s", "^", "D", "v", "P", "X")

# Colour and sign of a verdict: the sign says the same without colour. As in the tables.
VERDICTS: Mapping[str, tuple[str, str]] = {
    "good": ("#1a6b43", "▲"),
    "ok": ("#b8901f", "■"),
    "poor": ("#a93226", "▼"),
}

BASE_TOO_SMALL = 30  # rates on fewer cases than this are marked
NARROWEST_SLICE = 0.03  # share below which a slice of a doughnut has no room for its label


def colours(names: Iterable[object]) -> dict[str, str]:
    """Give each name its colour: known names always the same, others by sorted order.

    Parameters
    ----------
    names : iterable
        Brands, platforms, tiers or any other labels that share a chart.

    Returns
    -------
    dict of str to str
        Hex colours, in the order of `names`.

    Examples
    --------
    >>> colours(["YouTube", "Zumba", "Aerobics", "unassigned"])
    {'YouTube': '#a73d43', 'Zumba': '#c06d0f', 'Aerobics': '#307b90', 'unassigned': '#a3acb5'}
    """
    words = list(dict.fromkeys(str(name) for name in names))
    known = {word: _COLOURS[word.strip().casefold()] for word in words if _is_known(word)}
    free = [colour for colour in PALETTE if colour not in known.values()] or list(PALETTE)
    strangers = sorted(word for word in words if word not in known)
    new = {word: free[index % len(free)] for index, word in enumerate(strangers)}
    return {word: known.get(word) or new[word] for word in words}


def distinct_colours(names: Iterable[object]) -> dict[str, str]:
    """The same where no two names share a colour; none at all where some would: alike, they would mean nothing.

    Parameters
    ----------
    names : iterable
        As for :func:`colours`.

    Returns
    -------
    dict of str to str
        Hex colours, or nothing. Grey, which what is left over has, may be shared.

    Examples
    --------
    >>> distinct_colours(["YouTube", "Zumba"])
    {'YouTube': '#a73d43', 'Zumba': '#307b90'}
    >>> distinct_colours("abcdefg")
    {}
    """
    found = colours(names)
    own = [colour for colour in found.values() if colour != GREY]
    return found if len(own) == len(set(own)) else {}


def _is_known(word: str) -> bool:
    return word.strip().casefold() in _COLOURS


def marker(name: object, place: int = 0) -> str:
    """Shape of a tier; other names take the shape of their `place` among the groups.

    Examples
    --------
    >>> marker("Micro"), marker("Yoga", 1)
    ('^', 's')
    """
    return MARKS.get(str(name).strip().casefold(), _SPARE_MARKS[place % len(_SPARE_MARKS)])


def cell_ink(colour: Colour) -> str:
    """Black or white text, whichever reads better on a colour.

    Examples
    --------
    >>> cell_ink((0.0, 0.0, 0.3, 1.0)), cell_ink((0.9, 0.9, 0.9, 1.0))
    ('#ffffff', '#111820')
    """
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # 0.18 is where black and white have the same contrast.
    return "#ffffff" if luminance < 0.18 else "#111820"


def font_file(face: str) -> Path:
    """The TrueType file of a face, as its wheel calls it: ``SourceSansPro``, ``SourceSansProSemiboldIt``.

    The wheel's own list is empty where it lies in a folder with brackets, which it takes for a pattern.
    """
    import font_source_sans_pro

    style = face.removeprefix("SourceSansPro") or "Regular"
    return Path(font_source_sans_pro.font_directory) / f"SourceSansPro-{style}.ttf"


@functools.cache
def _faces() -> Mapping[int, str]:
    """Path of each weight's TrueType file."""
    return {weight: str(font_file(name)) for weight, name in _FACES.items()}


@functools.cache
def _face(weight: int) -> "FT2Font":
    from matplotlib import font_manager

    return font_manager.get_font(_faces()[weight])


@functools.cache
def _glyphs() -> frozenset[int]:
    return frozenset.intersection(*(frozenset(_face(weight).get_charmap()) for weight in _FACES))


@functools.cache
def _register() -> None:
    """Make matplotlib know the two faces before any of the system's."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    for weight, path in _faces().items():
        manager.addfont(path)
        # addfont() files the semibold under a family of its own, and at the end of the list, where a
        # face of the system with the same name would win.
        manager.ttflist.insert(
            0, font_manager.FontEntry(fname=path, name=FAMILY, weight=weight, size="scalable")
        )
    manager.ttflist[:] = [entry for entry in manager.ttflist if _is_wanted(entry)]


def _is_wanted(entry: object) -> bool:
    return getattr(entry, "name", "") != FAMILY or getattr(entry, "fname", "") in _faces().values()


SETTINGS: Mapping[Any, Any] = {
    "figure.dpi": 72.0,  # one pixel is one point: text is measured in the unit it is drawn in
    "savefig.dpi": 72.0,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "font.family": [FAMILY],
    "font.size": SIZE,
    "text.color": INK,
    "text.parse_math": False,  # a $ in a name is a dollar sign
    "text.usetex": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.labelsize": SMALL,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "xtick.minor.size": 0.0,
    "ytick.minor.size": 0.0,
    "xtick.major.pad": 4.0,
    "ytick.major.pad": 4.0,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "hatch.linewidth": 0.6,
    "hatch.color": GREY,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: it can be searched, and other fonts help out
    "svg.hashsalt": "hkreport",
    "path.simplify": True,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw with this theme and nothing of a person's ``matplotlibrc``: ``with theme.style(): ...``."""
    import matplotlib

    _register()
    # What draws is chosen by whoever draws; to set it anew would load what it needs.
    defaults: Mapping[Any, Any] = matplotlib.rcParamsDefault
    plain = {name: value for name, value in defaults.items() if name != "backend"}
    with matplotlib.rc_context({**plain, **SETTINGS}):
        yield


def text_width(words: str, size: float = SIZE, weight: int = 400) -> float:
    """Width of one line of text, in points.

    What the font lacks (emoji, Devanagari) is drawn with other fonts by the browser; its width is
    estimated.

    Examples
    --------
    >>> text_width("₹1.2 Cr") < text_width("₹1.2 Cr", weight=600) < text_width("₹1.23 Cr", 12)
    True
    >>> text_width("😀", 10)
    12.0
    """
    return size * _width(words, weight)


@functools.lru_cache(maxsize=20_000)
def _width(words: str, weight: int) -> float:
    """Width in units of the size, letter by letter.

    Some pairs are drawn closer (AV): a line is at most so wide, on average by half a percent less.
    """
    known = "" if words.isascii() else _glyphs()
    plain = words if words.isascii() else "".join(c for c in words if ord(c) in known)
    # Exact: what `sum` rounds depends on the Python, and so would the names that a drawing gives its parts.
    letters = math.fsum(_advance(letter, weight) for letter in plain)
    foreign = "" if plain is words else (c for c in words if ord(c) not in known)
    return letters + math.fsum(map(_width_elsewhere, foreign))


@functools.cache
def _advance(letter: str, weight: int) -> float:
    """From one letter to the next, in units of the size."""
    from matplotlib.ft2font import LoadFlags

    face = _face(weight)
    face.set_size(MEASURED_AT, POINTS_IN_AN_INCH)
    # Measured large and unhinted: small sizes are rounded to the grid.
    glyph = face.load_char(ord(letter), flags=LoadFlags.NO_HINTING)
    return float(glyph.linearHoriAdvance) / 65536 / MEASURED_AT


@functools.cache
def ascent(weight: int = 400) -> float:
    """Height of a line of text above the foot of its letters, in units of the size.

    Examples
    --------
    >>> ascent()
    0.75
    """
    face = _face(weight)
    typographic, head = face.get_sfnt_table("OS/2"), face.get_sfnt_table("head")
    assert typographic is not None  # every TrueType font has both
    assert head is not None
    return typographic["sTypoAscender"] / head["unitsPerEm"]


@functools.cache
def letter_ascent(letter: str, weight: int = 400) -> float:
    """How far one letter reaches above its foot, in units of the size.

    Examples
    --------
    >>> letter_ascent(".") < letter_ascent("x") < letter_ascent("X") < ascent() < letter_ascent("É")
    True
    """
    from matplotlib.ft2font import LoadFlags

    face = _face(weight)
    face.set_size(MEASURED_AT, POINTS_IN_AN_INCH)
    face.set_text(letter, 0.0, flags=LoadFlags.NO_HINTING)
    _, height = face.get_width_height()
    return (height - face.get_descent()) / 64 / MEASURED_AT


def _width_elsewhere(letter: str) -> float:
    """Usual width in other fonts, in units of the size."""
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0.0
    return 1.2 if unicodedata.east_asian_width(letter) in "WF" else 0.7


def has_letters(words: str) -> bool:
    """Whether the font has all letters of a text, if not all its signs.

    Examples
    --------
    >>> has_letters("Zoë 🔥"), has_letters("प्रिया")
    (True, False)
    """
    if words.isascii():
        return True
    known = _glyphs()
    whole = unicodedata.normalize("NFC", words)
    return all(ord(each) in known for each in whole if unicodedata.category(each)[0] == "L")


def fitted(words: object, width: float, size: float = SIZE, weight: int = 400) -> str:
    """Cut text with … so that it is no wider than `width` points.

    Examples
    --------
    >>> fitted("Lakshminarayanan Venkatasubramanian", 80)
    'Lakshminarayan…'
    """
    plain = one_line(words)
    # No name is drawn longer than this; measuring megabytes of text would take long.
    plain = plain if len(plain) <= 300 else plain[:300] + "…"
    width += 0.01  # a width that was measured must fit itself
    if text_width(plain, size, weight) <= width:
        return plain
    low, high = 0, len(plain)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(plain[:middle].rstrip() + "…", size, weight) <= width:
            low = middle
        else:
            high = middle - 1
    return plain[:low].rstrip() + "…"


def wrapped(
    words: object, width: float, size: float = SIZE, weight: int = 400, lines: int = 3
) -> list[str]:
    """Break text into lines no wider than `width` points; what exceeds `lines` is cut with ….

    Examples
    --------
    >>> wrapped("Instagram brings most of the revenue", 100, lines=2)
    ['Instagram brings most', 'of the revenue']
    """
    rest = one_line(words).split(" ")
    found: list[str] = []
    while rest and len(found) < lines - 1:
        count = 1
        while count < len(rest) and text_width(" ".join(rest[: count + 1]), size, weight) <= width:
            count += 1
        found.append(fitted(" ".join(rest[:count]), width, size, weight))
        rest = rest[count:]
    if rest:
        found.append(fitted(" ".join(rest), width, size, weight))
    return found
