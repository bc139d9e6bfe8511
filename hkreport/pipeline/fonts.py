"""One font for pages, PDFs and charts, from its wheel and never from the system.

The wheel holds every face twice, as TrueType and as OpenType/CFF. Typst picks among duplicates by the
order of the directory, so it is given TrueType alone; pages carry a Latin subset inside their style
sheet, uncompressed, since compressed bytes differ between builds of zlib.
"""

import base64
import contextlib
import functools
import hashlib
import io
from importlib.metadata import version
from pathlib import Path

from fontTools.ttLib import TTFont

from hkreport.folders import write_atomically
from hkreport.params import project_root
from hkreport.theme import font_file

__all__ = ["FAMILY", "characters", "css", "folder"]

FAMILY = "Source Sans Pro"
PRINTED = ("SourceSansPro", "SourceSansProIt", "SourceSansProSemibold", "SourceSansProSemiboldIt",
           "SourceSansProBold")  # fmt: skip
ON_SCREEN = (("SourceSansPro", "400", "normal"), ("SourceSansProSemibold", "600 700", "normal"),
             ("SourceSansProIt", "400", "italic"))  # fmt: skip
LATIN = range(0x20, 0x180)
SIGNS = "‐‑‒–—―‘’‚“”„†‡•…‰′″‹›⁄⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉€₹™←↑→↓∂∆∏∑−√∞∫≈≠≤≥■□▲△▶▼▽◀◆◊✓αβγδεθλμπρσχΔΣΩ"
FEATURES = ["kern", "liga", "ccmp", "mark", "mkmk", "locl", "case", "sups", "subs"]


def folder(work: Path) -> Path:
    """Fill `work`/fonts with the faces for Typst, once, and name it."""
    fonts = work / "fonts"
    fonts.mkdir(parents=True, exist_ok=True)
    for face in PRINTED:
        source = font_file(face)
        target = fonts / source.name
        if not target.is_file() or target.stat().st_size != source.stat().st_size:
            part = target.with_suffix(".part")
            part.write_bytes(source.read_bytes())
            part.replace(target)
    return fonts


@functools.cache
def characters() -> frozenset[str]:
    """Every character that the font can draw.

    Examples
    --------
    >>> {"₹", "×", "→", "☐"} <= characters(), "🔥" in characters()
    (True, False)
    """
    with TTFont(font_file("SourceSansPro"), lazy=True) as font:
        return frozenset(map(chr, font.getBestCmap()))


@functools.cache
def css() -> str:
    """``@font-face`` rules that hold the faces of a page; made once for a project's ``build/``.

    Examples
    --------
    >>> css().count("@font-face"), "http" in css()
    (3, False)
    """
    kept = project_root() / "build" / "fonts" / f"{_digest()}.css"
    try:
        return kept.read_text(encoding="utf-8")
    except (OSError, ValueError):
        made = _rules()
    with contextlib.suppress(OSError):  # where nothing can be kept, it is made again
        write_atomically(kept, made)
    return made


def _digest() -> str:
    """Of all that the rules are made of: the faces, the program that cuts them, and this module."""
    digest = hashlib.sha256(f"fonttools {version('fonttools')}".encode())
    for face, *_ in ON_SCREEN:
        digest.update(font_file(face).read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:32]


def _rules() -> str:
    return "\n".join(
        f"@font-face {{ font-family: '{FAMILY}'; font-weight: {weight}; font-style: {style}; "
        f"src: url(data:font/ttf;base64,{_subset(face)}) format('truetype'); }}"
        for face, weight, style in ON_SCREEN
    )


def _subset(face: str) -> str:
    from fontTools import subset  # takes a fifth of a second, which only pages need

    options = subset.Options()
    options.hinting = False
    options.layout_features = FEATURES
    options.name_IDs = [0, 1, 2, 13, 14]  # copyright and licence stay with the font
    options.recalc_timestamp = False
    font = subset.load_font(font_file(face), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[*LATIN, *map(ord, SIGNS)])
    cutter.subset(font)
    buffer = io.BytesIO()
    font.save(buffer)
    font.close()
    return base64.b64encode(buffer.getvalue()).decode("ascii")
