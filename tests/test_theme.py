"""Colours stay apart for every reader, fonts come from the wheel, and text is measured as it is drawn."""

import itertools
import math
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkreport import theme

# How each kind of sight mixes linear red, green and blue: Machado, Oliveira and Fernandes (2009),
# severity 1; and the luminance of a grey print.
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
    "grey print": [[0.2126, 0.7152, 0.0722]] * 3,
}
# Just noticeable differences are about 0.02 in Oklab; grey print has only one dimension left.
APART = {"grey print": 0.05}


def linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def oklab(light: np.ndarray) -> np.ndarray:
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    mix = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return mix @ np.cbrt(cones @ np.clip(light, 0, 1))


def contrast(one: str, two: str) -> float:
    lights = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, two))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


@pytest.mark.parametrize("sight", SIGHTS)
def test_palette_stays_apart_in_every_kind_of_sight(sight: str) -> None:
    mixed = {colour: oklab(np.array(SIGHTS[sight]) @ linear(colour)) for colour in theme.PALETTE}
    for one, two in itertools.combinations(theme.PALETTE, 2):
        distance = float(np.linalg.norm(mixed[one] - mixed[two]))
        assert distance >= APART.get(sight, 0.1), f"{one} and {two}: {distance:.3f}"


@pytest.mark.parametrize(
    "names",
    [
        ["MuscleBlaze", "HKVitals", "Gritzo"],
        ["Instagram", "YouTube", "Twitter", "TikTok", "Facebook"],
        ["nano", "micro", "mid", "macro", "mega"],
        ["nano", "micro", "mega", "macro", "celebrity"],
        ["post", "order", "hybrid"],
        ["female", "male", "unknown"],
    ],
    ids="-".join,
)
def test_names_that_share_a_chart_have_different_colours(names: list[str]) -> None:
    assert len(set(theme.colours(names).values())) == len(names)


def test_palette_can_be_seen_on_white_and_text_can_be_read() -> None:
    assert all(contrast(colour, theme.PAPER) >= 2.35 for colour in theme.PALETTE)
    assert contrast(theme.INK, theme.PAPER) >= 7
    # soft text: ink at its opacity, on white
    soft = [theme.SOFT[3] * part + (1 - theme.SOFT[3]) for part in theme.SOFT[:3]]
    mixed = "#" + "".join(f"{round(255 * part):02x}" for part in soft)
    assert contrast(mixed, theme.PAPER) >= 4.5


@pytest.mark.parametrize("colour", [*theme.PALETTE, *theme.SEQUENCE, *theme.DIVERGING])
def test_text_on_a_colour_can_be_read(colour: str) -> None:
    parts = tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    assert contrast(theme.cell_ink((*parts, 1.0)), colour) >= 4.3


def test_shades_of_a_heatmap_darken_from_end_to_end() -> None:
    lights = [float(oklab(linear(colour))[0]) for colour in theme.SEQUENCE]
    assert lights == sorted(lights, reverse=True)


def test_names_keep_their_colour_whatever_the_case_and_the_company() -> None:
    alone = theme.colours(["Instagram"])["Instagram"]
    assert theme.colours(["Zumba", "instagram "])["instagram "] == alone


def test_unknown_names_take_colours_by_sorted_order() -> None:
    assert theme.colours(["b", "a"]) == dict(reversed(theme.colours(["a", "b"]).items()))


def test_unknown_names_avoid_the_colours_of_known_ones() -> None:
    found = theme.colours(["HKVitals", "Acme", "Bolt"])
    assert len(set(found.values())) == 3


def test_marks_of_verdicts_are_in_the_font() -> None:
    assert all(ord(mark) in theme._glyphs() for _, mark in theme.VERDICTS.values())
    assert {ord(letter) for letter in "₹×→←↑…–−·"} <= theme._glyphs()


def test_style_takes_fonts_from_the_wheel_and_leaves_settings_as_they_were() -> None:
    import font_source_sans_pro
    import matplotlib
    from matplotlib import font_manager

    before = dict(matplotlib.rcParams)
    with theme.style():
        for weight, name in ((400, "SourceSansPro"), (600, "SourceSansProSemibold")):
            path = font_manager.findfont(
                font_manager.FontProperties(family=theme.FAMILY, weight=weight)
            )
            assert path == font_source_sans_pro.font_files_ttf[name]
    assert dict(matplotlib.rcParams) == before


def test_the_font_is_found_wherever_the_environment_lies(tmp_path, monkeypatch) -> None:
    import font_source_sans_pro

    from hkreport.pipeline import fonts

    place = tmp_path / "clone [x]? *"  # to the wheel itself a pattern, of which it finds nothing
    place.mkdir()
    (place / "font_source_sans_pro").symlink_to(font_source_sans_pro.font_directory + "/..")
    usual = {face: theme.font_file(face).read_bytes() for face in fonts.PRINTED}
    monkeypatch.syspath_prepend(place)
    monkeypatch.delitem(sys.modules, "font_source_sans_pro")
    found = {face: theme.font_file(face) for face in fonts.PRINTED}
    assert {path.parents[2] for path in found.values()} == {place}
    assert {face: path.read_bytes() for face, path in found.items()} == usual


def test_style_draws_the_same_whatever_a_person_s_matplotlibrc_says() -> None:
    # Two machines, or cron and a person, must give the same bytes of the same exports.
    import matplotlib

    with theme.style():
        plain = {name: value for name, value in matplotlib.rcParams.items() if name != "backend"}
    own = {
        "path.sketch": (1, 100, 2),
        "font.weight": "bold",
        "savefig.dpi": 33,
        "axes.xmargin": 0.3,
    }
    with matplotlib.rc_context(own), theme.style():
        found = {name: value for name, value in matplotlib.rcParams.items() if name != "backend"}
    assert found == plain


@pytest.mark.parametrize(
    ("weight", "face"), [(400, "SourceSansPro"), (600, "SourceSansProSemibold")]
)
def test_width_of_text_is_the_sum_of_the_font_s_advances(weight: int, face: str) -> None:
    import font_source_sans_pro
    from fontTools.ttLib import TTFont

    font = TTFont(font_source_sans_pro.font_files_ttf[face])
    glyphs, advances = font.getBestCmap(), font["hmtx"].metrics
    words = "₹12,34,567 revenue of Mönch & Söhne"
    units = sum(advances[glyphs[ord(letter)]][0] for letter in words)
    width = 10 * units / font["head"].unitsPerEm
    assert theme.text_width(words, 10, weight) == pytest.approx(width, rel=0.02)


@pytest.mark.parametrize("words", ["HKV_DailyWellness_2025Q4", "Manya Ramakrishnan", "\u0939" * 8])
def test_width_of_text_is_the_same_in_every_python(words: str) -> None:
    """Python 3.12 sums floats otherwise than 3.11, and a drawing names its parts by the last digit."""
    letters = [Fraction(theme.text_width(letter, 1)) for letter in words]
    assert theme.text_width(words, 1) == float(sum(letters))


@given(st.text(max_size=60), st.floats(20, 200))
def test_fitted_text_is_one_line_and_never_too_wide(words: str, width: float) -> None:
    line = theme.fitted(words, width)
    assert theme.text_width(line) <= width + 0.02 or line == "…"
    assert "\n" not in line


@given(st.text(max_size=200), st.integers(1, 4))
def test_wrapped_text_has_no_more_lines_than_allowed(words: str, lines: int) -> None:
    found = theme.wrapped(words, 120, lines=lines)
    assert len(found) <= lines
    assert all(theme.text_width(line) <= 120.02 or line == "…" for line in found)


def test_megabytes_of_text_are_cut_before_they_are_measured() -> None:
    assert math.isclose(theme.text_width(theme.fitted("A" * 10**6, 100)), 100, rel_tol=0.1)
