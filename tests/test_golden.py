"""What the report prints of a small campaign, against files that were read before they were committed.

``make golden`` writes them again; read the difference. The text is compared to the letter, drawings with
tolerance, since fonts are drawn a little differently from one version of matplotlib to the next.
"""

import io
from pathlib import Path

import exports
import notebook_cells
import numpy as np
import pytest
from PIL import Image

GOLDEN = Path(__file__).parent / "golden"
TABLES = (
    "tbl-campaigns",
    "tbl-personas",
    "tbl-cohorts",
    "tbl-benchmarks-tier",
    "tbl-influencers",
    "tbl-products",
    "tbl-rules",
    "tbl-exceptions",
    "tbl-definitions",
    "tbl-worked",
)
CHARTS = ("fig-trend", "fig-platform", "fig-payout", "fig-bridge")
SENTENCES = ("fig-trend", "fig-platform", "fig-tiers", "fig-concentration", "fig-bridge")
DPI = 48
UNLIKE = 0.02  # mean difference of brightness, 0 to 1; another chart differs by 0.05 and more


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """Everything that the report of the small campaign shows, by cell."""
    folder = exports.write(tmp_path_factory.mktemp("campaign"))
    found = notebook_cells.values(
        "brand_report", brand="HKVitals", period="2025-Q2", data=str(folder)
    )
    return dict(found)


def compare(path: Path, text: str, rewrite: bool) -> None:
    if rewrite:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs: see make golden"


@pytest.mark.parametrize("name", TABLES)
def test_table_says_what_it_said(name, cells, rewrite):
    compare(GOLDEN / f"{name}.csv", cells[name].csv, rewrite)


def test_titles_and_alternative_texts_say_what_they_said(cells, rewrite):
    lines = [f"{name}\n{cells[name].title}\n{cells[name].alt}\n" for name in SENTENCES]
    compare(GOLDEN / "charts.txt", "\n".join(lines), rewrite)


@pytest.mark.parametrize("name", CHARTS)
def test_chart_looks_as_it_looked(name, cells, rewrite):
    path = GOLDEN / f"{name}.png"
    drawn = cells[name].png(DPI)
    if rewrite:
        path.write_bytes(drawn)
    new, old = (Image.open(io.BytesIO(data)).convert("L") for data in (drawn, path.read_bytes()))
    assert abs(new.width - old.width) <= 2
    assert abs(new.height - old.height) <= 2
    size = (min(new.width, old.width), min(new.height, old.height))
    gap = np.abs(pixels(new, size) - pixels(old, size)).mean()
    assert gap < UNLIKE, f"{name} differs by {gap:.3f}"


def test_another_chart_does_not_pass_for_the_same():
    one, other = (Image.open(GOLDEN / f"{name}.png").convert("L") for name in CHARTS[1:3])
    size = (min(one.width, other.width), min(one.height, other.height))
    assert np.abs(pixels(one, size) - pixels(other, size)).mean() > UNLIKE


def pixels(image, size):
    return np.asarray(image.crop((0, 0, *size)), dtype=float) / 255
