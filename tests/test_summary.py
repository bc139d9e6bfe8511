"""The summary is two A4 pages, whatever the data holds: long names, every warning, many filters."""

import json
import re
import subprocess
from pathlib import Path

import exports
import pytest

from hkreport import views
from hkreport.pipeline import prepare, render
from hkreport.pipeline.execute import execute
from hkreport.pipeline.render import Document

ROOT = Path(__file__).parents[1]
LONG = "Ω" + "very long and winding " * 14  # 309 letters
BRAND = f"Brand {LONG}".strip()


def hostile(folder: Path) -> Path:
    """Exports in which nothing is short, half of the payouts hang in the air and some are paid twice."""
    people = range(1, 61)
    influencers = "".join(
        f"{n},Influencer {n} {LONG},Category {n % 9} {LONG},Female,{n * 9000},Platform {n % 7} {LONG}\n"
        for n in people
    )
    tracking = "".join(
        f"T{n},influencer,Campaign {n % 8} {LONG},{n % 50 + 1},u{n},{BRAND},Product {n % 9} {LONG},"
        f"2025-{4 + n % 3:02d}-{n % 28 + 1:02d},1,{900 + n}\n"
        for n in range(400)
    )
    posts = "".join(
        f"P{n},{n % 60 + 1},Instagram,2025-{n % 6 + 1:02d}-{n % 27 + 1:02d},{LONG},{50_000 + n},900,9,{BRAND}\n"
        for n in range(300)
    )
    # Paid twice, paid for other orders than were tracked, and paid without a post or an order.
    payouts = "".join(
        f"{n},{'order' if n % 2 else 'post'},150,{n},{n * 150}\n{n},order,150,{n},{n * 150}\n"
        for n in people
    )
    return exports.write(
        folder,
        influencers=exports.INFLUENCERS.partition("\n")[0] + "\n" + influencers,
        tracking=exports.TRACKING.partition("\n")[0] + "\n" + tracking,
        posts=exports.POSTS.partition("\n")[0] + "\n" + posts,
        payouts=exports.PAYOUTS.partition("\n")[0] + "\n" + payouts,
    )


def pages(pdf: Path, require) -> list[str]:
    """The text of each page."""
    done = subprocess.run(
        [require("pdftotext"), "-layout", pdf, "-"], capture_output=True, text=True, check=True
    )
    return done.stdout.split("\f")[:-1]


def sizes(pdf: Path, require) -> set[tuple[int, int]]:
    """Width and height of the pages, in whole points."""
    done = subprocess.run(
        [require("pdftotext"), "-bbox", pdf, "-"], capture_output=True, text=True, check=True
    )
    found = re.findall(r'<page width="([\d.]+)" height="([\d.]+)"', done.stdout)
    return {(round(float(width)), round(float(height))) for width, height in found}


def much(fit: str, folder: Path) -> Path:
    """A PDF of a notebook with far more on either side of its page break than a page holds."""
    text = "\n\n".join(f"Paragraph {n} " + "of many words. " * 30 for n in range(40))
    front = f"---\ntitle: Much\nformat:\n  typst:\n    toc: false\n{fit}---"
    sources = [
        ("raw", front),
        ("markdown", text),
        ("markdown", "{{< pagebreak >}}"),
        ("markdown", text),
    ]
    cells = [{"cell_type": kind, "metadata": {}, "source": source} for kind, source in sources]
    executed = folder / "executed.ipynb"
    executed.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    notebook = prepare.prepare_file(executed, folder / "much.ipynb")
    document = Document(
        notebook=notebook, folder="much", html=None, pdf="much.pdf", title="", subtitle=""
    )
    site, work = folder / "site", folder / "work"
    return render.render([document], site, project=ROOT, work=work, engine="pandoc")[0]


def test_fit_makes_a_page_of_each_part_and_keeps_all_of_it(tmp_path, require):
    found = pages(much("    fit: true\n", tmp_path), require)
    assert len(found) == 2
    for page in found:
        assert [f"Paragraph {n} " in page for n in (0, 39)] == [True, True]


def test_without_fit_the_same_text_takes_more_pages(tmp_path, require):
    assert len(pages(much("", tmp_path), require)) > 4


@pytest.fixture(scope="module")
def summary(tmp_path_factory) -> Path:
    """The summary of the worst slice: long names, hidden losers, doubtful payouts, three filters."""
    folder = tmp_path_factory.mktemp("hostile")
    filters = {
        "tier": "nano,micro,mid,macro",
        "gender": "Female",
        "category": ",".join(f"Category {n} {LONG}".strip() for n in range(9)),
        "min_roas": "0.001",
    }
    chosen = {"brand": BRAND, "period": "2025-Q2", "data": str(hostile(folder / "exports"))}
    empty = dict.fromkeys(
        "as_of maps platform influencer product product_category campaign min_price max_price".split(),
        "",
    )
    execute(
        ROOT / "notebooks" / "summary.ipynb",
        chosen | empty | filters,
        folder / "executed.ipynb",
        subject="the worst slice",
    )
    report = views.open_report(**chosen, filters=filters)
    document = Document(
        notebook=prepare.prepare_file(folder / "executed.ipynb", folder / "summary.ipynb"),
        folder="worst",
        html=None,
        pdf="summary.pdf",
        title=f"{report.name}: summary",
        subtitle=report.subtitle,
    )
    made = render.render(
        [document], folder / "site", project=ROOT, work=folder / "work", engine="pandoc"
    )
    return made[0]


def test_worst_summary_is_two_a4_pages(summary, require):
    assert len(pages(summary, require)) == 2
    assert sizes(summary, require) == {(595, 842)}


def test_nothing_of_the_worst_summary_is_cut_off(summary, require):
    first, second = pages(summary, require)
    assert "Some influencers are hidden" in first
    assert "ROAS rests on how payouts were allocated" in first
    assert "same folder as this summary" in " ".join(first.split())
    assert "Credited is not caused" in second
    assert (second.count("most  "), second.count("lowest  ")) == (5, 5)


def test_names_in_the_worst_summary_are_shortened(summary, require):
    _, second = pages(summary, require)
    assert "Influencer 50 Ωvery long and winding ve…" in " ".join(second.split())
    # The header of a page is one line of a title that fills eight.
    assert second.split("\n")[0].strip().startswith("Brand Ωvery long")
