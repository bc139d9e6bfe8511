"""Prepared notebooks become pages and PDFs: the same from both engines, and the same every time."""

import html.parser
import itertools
import json
import os
import re
import runpy
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import typst
import yaml
from browser import chromium

from hkreport.errors import RenderError, UsageError
from hkreport.pipeline import fonts, prepare, render, render_pandoc, render_quarto
from hkreport.pipeline.render import Document, Link
from hkreport.tables import Col, Table
from hkreport.units import Unit, escape_markdown, quote_typst

PYTHON = sys.executable  # before a test changes it
sample = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("report_notebook.py"))))
code, display, markdown = sample.code, sample.display, sample.markdown

TITLE = "HKVitals #1: *the* <b>report</b>"
SUBTITLE = "April to June 2025, $x$ [all](y) {{< env HOME >}}"


def write_notebook(folder: Path, notebook: dict[str, Any], name: str = "report") -> Path:
    executed = folder / f"{name}-executed.ipynb"
    executed.write_text(json.dumps(notebook), encoding="utf-8")
    return prepare.prepare_file(executed, folder / f"{name}.ipynb")


def document(notebook: Path, **changes: Any) -> Document:
    given: dict[str, Any] = {
        "notebook": notebook, "folder": "HKVitals/2025-Q2", "html": "index.html", "pdf": "report.pdf",
        "title": TITLE, "subtitle": SUBTITLE, "links": (Link("All <reports>", "../../index.html"),),
    }  # fmt: skip
    return Document(**(given | changes))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, project: Path) -> SimpleNamespace:
    """The realistic report, rendered once by the embedded engine."""
    folder = tmp_path_factory.mktemp("built")
    made = document(write_notebook(folder, sample.notebook()))
    page, pdf = render.render(
        [made], folder / "_site", project=project, work=folder / "work", engine="pandoc"
    )
    source = folder / "work" / "HKVitals" / "2025-Q2" / "index.typ"
    return SimpleNamespace(
        page=page, pdf=pdf, html=page.read_text(encoding="utf-8"),
        typst=source.read_text(encoding="utf-8"), folder=folder,
    )  # fmt: skip


def build(folder: Path, project: Path, *cells: dict[str, Any], **changes: Any) -> list[Path]:
    """Render a notebook of these cells with the embedded engine."""
    made = document(write_notebook(folder, {"cells": list(cells)}), **changes)
    return render.render(
        [made], folder / "_site", project=project, work=folder / "w", engine="pandoc"
    )


def page_of(folder: Path, project: Path, *cells: dict[str, Any]) -> str:
    return build(folder, project, *cells, pdf=None)[0].read_text(encoding="utf-8")


def test_pandoc_sees_a_word_for_each_raw_block_and_changes_nothing(tmp_path, project, monkeypatch):
    cells = [
        markdown("Rows 1; and 0;"),
        code("#| label: fig-a\n#| fig-cap: 1;", display({"image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9"/></svg>'}, alt="0;")),
        code("", {"output_type": "display_data", "metadata": {},
                  "data": {"text/markdown": "```{=html}\n<p>one</p>\n\n<p>\ttwo</p>\n```"}}),
    ]  # fmt: skip
    for name in ("short", "whole"):
        (tmp_path / name).mkdir()
    page, pdf = build(tmp_path / "short", project, *cells)
    monkeypatch.setattr(render_pandoc.Aside, "taken", lambda self, text: text)
    monkeypatch.setattr(render_pandoc.Aside, "put", lambda self, text: text)
    whole, printed = build(tmp_path / "whole", project, *cells)
    assert page.read_bytes() == whole.read_bytes()
    assert pdf.read_bytes() == printed.read_bytes()


class Content(html.parser.HTMLParser):
    """Text of chosen elements of a page, and every address that it names."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, list[str]] = {}
        self.addresses: list[str] = []
        self.scripts = 0
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset")
        ]
        if tag in ("h1", "h2", "h3", "figcaption", "td", "th", "p", "dd", "dt", "li", "a"):
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def of(self, tag: str) -> list[str]:
        return [" ".join(text.split()) for text in self.texts.get(tag, [])]


def content(page: str) -> Content:
    parser = Content()
    parser.feed(page)
    return parser


# The page


def test_figures_and_tables_are_numbered_and_referred_to(built: SimpleNamespace) -> None:
    seen = content(built.html)
    assert seen.of("figcaption") == [
        "Figure 1: Revenue by week, with the forecast: dashed, and its 80 % interval.",
        "Figure 2: Share of revenue by influencer.",
        "Table 1: Influencers by revenue, with ROAS bands.",
        "Table 2: All columns.",
        "Figure 3: Revenue against payout, with the break-even line.",
        "Figure 4: Effect of the campaign.",
    ]
    assert '<a href="#fig-trend" class="quarto-xref">Figure\u00a01</a>' in built.html
    assert '1</a>, <a href="#fig-share" class="quarto-xref">2</a>)' in built.html


def test_titles_are_text_and_nothing_else(built: SimpleNamespace) -> None:
    assert content(built.html).of("h1") == [TITLE]
    assert SUBTITLE in content(built.html).of("p")
    assert "All <reports>" in content(built.html).of("a")


def test_names_from_data_are_text_and_nothing_else(built: SimpleNamespace) -> None:
    seen = content(built.html)
    for name in sample.HOSTILE:
        assert any(name in text for text in seen.of("th") + seen.of("p")), name
    assert seen.scripts == 1
    assert "<b>raw</b> and <b>raw tags</b> stay text." in seen.of("p")


def test_a_page_names_no_address_outside_the_site(built: SimpleNamespace) -> None:
    outside = [at for at in content(built.html).addresses if re.match(r"[a-z]+:|//", at)]
    assert outside == []
    assert re.findall(r"(?:url\(|@import)\s*['\"]?(?!data:|#)[a-z/]", built.html) == []
    assert "default-src 'none'" in built.html


def test_raw_typst_stays_out_of_the_page_and_raw_html_out_of_the_pdf(
    built: SimpleNamespace,
) -> None:
    assert "#hk-tiles(" not in built.html
    assert "hk-scroll" not in built.typst.partition("#show: doc")[2]


def test_callouts_tabs_and_contents_are_there(built: SimpleNamespace) -> None:
    kinds = re.findall(r'class="callout callout-(\w+)"', built.html)
    assert kinds == ["warning", "note", "tip", "important", "caution"]
    assert '<details class="callout callout-tip">' in built.html
    assert re.findall(r'role="tab" id="[\w-]+" aria-controls="[\w-]+">([^<]*)', built.html) == [
        "By platform",
        "By category",
    ]
    toc = built.html.partition('<nav id="TOC"')[2].partition("</nav>")[0]
    assert re.findall(r'<a href="#[\w-]+"[^>]*>([^<]*)', toc) == [
        "Headline", "Campaign overview", "Where the revenue came from", "Influencers", "Incrementality",
        "Methods",
    ]  # fmt: skip


def test_ids_on_a_page_are_unique(built: SimpleNamespace) -> None:
    ids = re.findall(r'\sid="([^"]+)"', built.html)
    assert sorted(ids) == sorted(set(ids))


def test_a_bitmap_is_embedded_with_its_alternative_text(tmp_path: Path, project: Path) -> None:
    pixel = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGD4DwABBAEAX+XDSwAAAABJRU5ErkJg"
        "gg=="
    )
    cell = code(
        "#| label: fig-a\n#| fig-cap: A\nx", display({"image/png": pixel}, alt='one "dot" <b>')
    )
    page, pdf = build(tmp_path, project, cell)
    assert 'alt="one &quot;dot&quot; &lt;b&gt;"' in page.read_text(encoding="utf-8")
    assert pdf.read_bytes().startswith(b"%PDF")


def test_a_page_break_is_for_the_pdf_alone(tmp_path: Path, project: Path) -> None:
    cells = [markdown("## A\n\nOne.\n\n{{< pagebreak >}}\n\nTwo.")]
    page, _ = build(tmp_path, project, *cells)
    assert "pagebreak" not in page.read_text(encoding="utf-8").partition("<main")[2]
    typst_source = (tmp_path / "w" / "HKVitals" / "2025-Q2" / "index.typ").read_text(
        encoding="utf-8"
    )
    assert "#pagebreak(weak: true)" in typst_source.partition("#show: doc")[2]


# What stops a rendering


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        pytest.param(
            [sample.markdown("See @fig-trond."), "chart"],
            "HKVitals/2025-Q2/index.html: '@fig-trond' refers to a figure or table that is not there. "
            "Did you mean 'fig-trend'? Correct the reference, or the '#| label:' of the cell.",
            id="unknown_reference",
        ),
        pytest.param(
            [sample.markdown("## Methods\n\nSee [there](#method).")],
            "HKVitals/2025-Q2/index.html: the link to '#method' leads nowhere. Did you mean 'methods'? "
            "Correct the link in the notebook.",
            id="link_to_nowhere",
        ),
        pytest.param(
            [sample.markdown("```\nnever closed"), "chart"],
            "HKVitals/2025-Q2/index.html: the cells 'fig-trend' are inside another element. A fence "
            "(:::) or code block before them is not closed. Balance the ':::' lines of the notebook.",
            id="open_fence",
        ),
        pytest.param(
            [sample.markdown("::: {.panel-tabset}\nNo tabs.\n:::")],
            "HKVitals/2025-Q2/index.html: a panel-tabset has no headings, so it has no tabs. "
            "Begin each tab with a heading.",
            id="tabs_without_headings",
        ),
    ],
)
def test_a_broken_document_is_explained(
    cells: list[Any], told: str, tmp_path: Path, project: Path
) -> None:
    chart = code(
        "#| label: fig-trend\n#| fig-cap: Sales\nx",
        display({"image/svg+xml": sample.drawing()}, alt="Sales"),
    )
    with pytest.raises(RenderError) as caught:
        build(tmp_path, project, *[chart if cell == "chart" else cell for cell in cells])
    assert str(caught.value) == told


def test_a_failed_pdf_leaves_the_old_one_and_names_the_cause(tmp_path: Path, project: Path) -> None:
    _, pdf = build(tmp_path, project, markdown("## A"))
    before = pdf.read_bytes()
    broken = code("x", display({"text/markdown": "```{=typst}\n#hk-tile-s()\n```\n"}))
    with pytest.raises(RenderError) as caught:
        build(tmp_path, project, broken)
    assert pdf.read_bytes() == before
    assert str(caught.value).startswith(
        "HKVitals/2025-Q2/report.pdf: Typst stopped: unknown variable: hk-tile-s. "
    )
    assert [path.name for path in pdf.parent.iterdir() if path.suffix == ".part"] == []


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        pytest.param("../outside", {}, id="above_the_site"),
        pytest.param("/etc", {}, id="absolute"),
        pytest.param("", {}, id="no_folder"),
        pytest.param("a", {"html": "../index.html"}, id="name_with_a_folder"),
    ],
)
def test_a_report_stays_in_its_folder(folder: str, names: dict[str, str]) -> None:
    with pytest.raises(RenderError, match="must be a folder inside the site and plain file names"):
        document(Path("r.ipynb"), folder=folder, **names)


def test_a_document_asks_for_something() -> None:
    with pytest.raises(RenderError, match="asks for neither HTML nor PDF"):
        document(Path("r.ipynb"), html=None, pdf=None)


# The PDF


def pdf_text(pdf: Path, require: Callable[[str], str]) -> str:
    done = subprocess.run(
        [require("pdftotext"), "-layout", str(pdf), "-"], capture_output=True, check=True
    )
    return done.stdout.decode()


def test_the_pdf_says_the_same(built: SimpleNamespace, require: Callable[[str], str]) -> None:
    words = " ".join(pdf_text(built.pdf, require).split())
    for text in content(built.html).of("figcaption"):
        assert text in words
    assert "See Figure 1 and Table 1." in words
    assert "(Figure 1, 2)" in words
    assert TITLE in words
    assert "<script>alert(1)</script>" in words
    assert "Riya ☐☐ ☐☐" in words
    assert re.search(r"\b4 ?/ ?4\b", words)


def test_the_pdf_is_tagged_and_dated_by_the_caller(tmp_path: Path, project: Path) -> None:
    _, pdf = build(tmp_path, project, markdown("## A"))
    content = pdf.read_bytes()
    assert b"pdfuaid:part" in content
    assert b"2000-01-01T00:00:00" in content
    assert b"/Lang(en-IN)" in content


def test_a_pdf_is_as_long_as_its_content(tmp_path: Path, project: Path) -> None:
    front = {
        "cell_type": "raw",
        "metadata": {},
        "source": "---\ntitle: Summary\nformat:\n  typst:\n    toc: false\n---",
    }
    made = build(
        tmp_path, project, front, markdown("## A\n\nOne line."), html=None, pdf="summary.pdf"
    )
    assert [path.name for path in made] == ["summary.pdf"]
    assert len(re.findall(rb"/Type\s*/Page\b", made[0].read_bytes())) == 1
    source = (tmp_path / "w" / "HKVitals" / "2025-Q2" / "summary.typ").read_text(encoding="utf-8")
    assert "toc: true" not in source


def test_every_character_that_the_template_lets_through_can_be_drawn(tmp_path: Path) -> None:
    """PDF/UA stops at a character without glyph, so what is let through must have one."""
    template = (render.ASSETS / "typst-template.typ").read_text(encoding="utf-8")
    drawn = template.partition('#let hk-drawn = "')[2].partition('"')[0]
    ranges = re.findall(r"\\\\(?:u\{|x)(\w+)\}?(?:-\\\\(?:u\{|x)(\w+)\}?)?", drawn)
    points = [p for low, high in ranges for p in range(int(low, 16), int(high or low, 16) + 1)]
    assert len(points) > 2500
    text = quote_typst(" ".join(chr(point) for point in points))
    source = template + f"\n#show: article.with(title: [x])\n#{text} #strong({text}) #emph({text})"
    pdf: object = typst.compile(
        source.encode(), font_paths=[fonts.folder(tmp_path)], ignore_system_fonts=True,
        pdf_standards="ua-1", timestamp=0,
    )  # fmt: skip
    assert isinstance(pdf, bytes)


def test_faces_of_a_page_are_kept_and_may_be_lost(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "_quarto.yml").touch()
    monkeypatch.chdir(tmp_path)
    made = fonts.css.__wrapped__()
    (kept,) = (tmp_path / "build" / "fonts").iterdir()
    assert kept.read_text(encoding="utf-8") == made
    with monkeypatch.context() as cut:
        cut.setattr(fonts, "_subset", lambda face: pytest.fail("cut again"))
        assert fonts.css.__wrapped__() == made
    kept.unlink()
    assert fonts.css.__wrapped__() == made
    # Another release of the program that cuts them may cut otherwise.
    monkeypatch.setattr(fonts, "version", lambda name: "0.0")
    assert fonts.css.__wrapped__() == made
    assert len(list((tmp_path / "build" / "fonts").iterdir())) == 2


def test_tables_and_tiles_take_everything_that_they_document(tmp_path: Path, project: Path) -> None:
    cell = code(
        "x",
        display(
            {
                "text/markdown": """```{=typst}
#hk-tiles((label: "Only", value: "1"))
#hk-tiles(columns: 3,
  (label: "A", value: "₹1", delta: "1 %", trend: "up", verdict: "good", note: ("a", "b"), lead: true),
  (label: "B", value: "₹1", delta: "1 %", trend: "down", verdict: "bad"),
  (label: "C", value: "₹1", delta: "none", trend: "flat", note: "a"))
#hk-table(
  columns: ((label: "Tier"), (label: "Why", width: 30mm), (label: "ROAS", num: true, width: 2fr)),
  spanners: ((label: "", span: 1), (label: "Both", span: 2)),
  rows: (
    ("Micro", "a", (text: "2.1", band: "good")), ("Macro", "b", (text: "1.1", band: "ok", strong: true)),
    ("Mega", "c", (text: "0.1", band: "poor")), (kind: "group", text: "Others"),
    (kind: "alert", cells: ("x", "y", "z")), (kind: "total", cells: ("Total", "", "1.0")),
  ),
  note: "A caveat.", size: 8pt)
#hk-table(columns: ((label: "One"),), rows: (("a",),))
#hk-table(columns: ((label: "Empty"),))
#hk-note("Small print.")
```
"""
            }
        ),
    )
    _, pdf = build(tmp_path, project, cell)
    assert b"SourceSansPro-Semibold" in pdf.read_bytes()


def words_of(pdf: Path, require: Callable[[str], str]) -> list[tuple[str, tuple[float, ...]]]:
    """Every word of a PDF with the box it stands in, pages one below the other."""
    done = subprocess.run(
        [require("pdftotext"), "-bbox", str(pdf), "-"], capture_output=True, check=True
    )
    found, page = [], -1
    for line in done.stdout.decode().splitlines():
        page += "<page " in line
        if "<word " in line:
            x, y, right, foot = (float(each) for each in re.findall(r'(?:x|y)M..="([\d.]+)"', line))
            words = re.sub("<[^>]*>", "", line).strip()
            found.append((words, (x, y + 2000 * page, right, foot + 2000 * page)))
    return found


def test_long_reasons_leave_the_names_of_a_table_their_room(
    tmp_path: Path, project: Path, require: Callable[[str], str]
) -> None:
    reasons = [
        "influencer revenue not known", "influencer revenue − spend not known", "influencer orders not known",
    ]  # fmt: skip
    frame = pd.DataFrame(
        {
            "Influencer": ["Influencer_with_a_name_of_some_length"] * 4,
            "Exception": ["Paid twice"] * 4,
        }
    )
    columns = [Col(name=name, label=name) for name in frame]
    for place in range(6):
        frame[f"n{place}"] = float("nan")
        reason = reasons[place % 3]
        columns.append(Col(name=f"n{place}", label=f"Cost {place}", unit=Unit.MONEY, reason=reason))
    table = Table(frame, columns)
    _, pdf = build(
        tmp_path,
        project,
        code("x", display({"text/markdown": f"```{{=typst}}\n{table.typst}\n```"})),
    )
    placed = [each for each in words_of(pdf, require) if each[0] != "\u200b"]
    said = [words for words, _ in placed]
    assert "Exception" in said
    assert said.count("n/a") == 24
    for (one, first), (other, second) in itertools.combinations(placed, 2):
        across = min(first[2], second[2]) - max(first[0], second[0])
        along = min(first[3], second[3]) - max(first[1], second[1])
        assert across < 1 or along < 4, f"{one} is printed over {other}"


def test_amounts_below_0_stay_on_one_line(
    tmp_path: Path, project: Path, require: Callable[[str], str]
) -> None:
    words = " ".join(["Between −₹1,142"] * 60)
    page, pdf = build(tmp_path, project, markdown(escape_markdown(words)))
    assert page.read_text(encoding="utf-8").count("−\u2060₹1,142") == 60
    lines = pdf_text(pdf, require).splitlines()
    assert sum(line.count("₹1,142") for line in lines) == 60
    assert not any(line.strip().startswith("₹") for line in lines)


def test_the_typst_files_hold_no_dollar_sign_of_their_own() -> None:
    """They are pandoc templates, in which a dollar sign begins a variable."""
    assert "$" not in (render.ASSETS / "typst-template.typ").read_text(encoding="utf-8")


# The same bytes

RENDER = """
import sys
from pathlib import Path
from hkreport.pipeline import render
notebook, site, work, project = map(Path, sys.argv[1:])
document = render.Document(
    notebook=notebook, folder="HKVitals/2025-Q2", html="index.html", pdf="report.pdf", title="T"
)
render.render([document], site, project=project, work=work, engine="pandoc")
"""


def test_two_renders_elsewhere_and_at_another_time_give_the_same_bytes(
    tmp_path: Path, project: Path
) -> None:
    outputs = []
    for place, zone, locale, seed in (
        ("a", "UTC", "C", "1"),
        ("b/c", "Asia/Kolkata", "de_DE", "2"),
    ):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        notebook = write_notebook(folder, sample.notebook(seconds=float(seed)))
        changed = {"TZ": zone, "LC_ALL": locale, "LANG": locale, "PYTHONHASHSEED": seed}
        subprocess.run(
            [sys.executable, "-c", RENDER, notebook, folder / "_site", folder / "work", project],
            cwd=folder, env=os.environ | changed, check=True,
        )  # fmt: skip
        result = folder / "_site" / "HKVitals" / "2025-Q2"
        outputs.append([(path.name, path.read_bytes()) for path in sorted(result.iterdir())])
    assert [name for name, _ in outputs[0]] == ["index.html", "report.pdf"]
    assert outputs[0] == outputs[1]


# The browser


@pytest.fixture
def browser_page(built: SimpleNamespace, require: Callable[[str], str]) -> Iterator[Any]:
    """The report opened from disk on a phone, with what it complained of and asked for."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(built.page.as_uri())
        yield page
        browser.close()


def test_a_page_works_from_disk_without_network_or_complaint(browser_page: Any) -> None:
    page = browser_page
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.fonts.check('600 16px \"Source Sans Pro\"')")


def test_tabs_open_by_mouse_keyboard_and_link(browser_page: Any) -> None:
    page = browser_page
    first, second = page.locator("#tabset-1-1"), page.locator("#tabset-1-2")
    assert (first.is_visible(), second.is_visible()) == (True, False)
    page.get_by_role("tab", name="By category").click()
    assert (first.is_visible(), second.is_visible()) == (False, True)
    page.keyboard.press("ArrowLeft")
    assert page.get_by_role("tab", name="By platform").get_attribute("aria-selected") == "true"
    page.get_by_role("tab", name="By category").click()
    page.evaluate("location.hash = '#fig-share'")
    page.wait_for_function("document.querySelector('#fig-share').checkVisibility()")


def test_the_colours_follow_the_system_until_the_reader_chooses(browser_page: Any) -> None:
    page = browser_page
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(paper)
    assert light != dark
    page.get_by_role("button", name="Switch to light colours").click()
    assert page.evaluate(paper) == light
    page.reload()
    assert page.evaluate(paper) == light


def test_a_chart_is_drawn_on_paper_as_in_light_colours_after_dark_was_chosen(
    browser_page: Any,
) -> None:
    page = browser_page
    shown = """name => {
        const chart = document.createElement(name);
        if (name === "svg") chart.classList.add("hk-chart");
        const figure = document.querySelector("main").appendChild(document.createElement("figure"));
        const { filter, mixBlendMode } = getComputedStyle(figure.appendChild(chart));
        return [filter, mixBlendMode];
    }"""
    light = [page.evaluate(shown, name) for name in ("svg", "img")]
    for chosen in (None, "dark"):
        if chosen:
            page.evaluate("document.documentElement.dataset.theme = 'dark'")
        page.emulate_media(color_scheme="dark", media="screen")
        dark = [page.evaluate(shown, name) for name in ("svg", "img")]
        assert all("invert" in filtered and blend == "screen" for filtered, blend in dark)
        page.emulate_media(color_scheme="dark", media="print")
        assert [page.evaluate(shown, name) for name in ("svg", "img")] == light


# A page printed on A4 is so many pixels wide, between its margins.
PAPER = {"width": 657, "height": 970}
# How far a table of every influencer reaches over the edge of what it is printed on.
CUT_OFF = """() => {
    const cells = ["W".repeat(60), ...Array(10).fill("₹12,34,567 (n/a)")];
    const row = kind => `<tr>${cells.map((text, place) =>
        `<${kind}${place ? ' class="num"' : ""}>${text}</${kind}>`).join("")}</tr>`;
    const head = "<tr><th>Influencer</th>" + "<th class=num>Cost an order</th>".repeat(10) + "</tr>";
    const box = document.querySelector("main").appendChild(document.createElement("div"));
    box.className = "hk-scroll hk-tall";
    box.innerHTML = `<table><thead>${head}</thead><tbody>${row("td").replace(/td/, "th")}</tbody></table>`;
    return box.firstChild.getBoundingClientRect().right - document.documentElement.clientWidth;
}"""


def test_a_printed_table_keeps_all_its_columns_on_the_paper(browser_page: Any) -> None:
    page = browser_page
    page.set_viewport_size(PAPER)
    page.emulate_media(media="print")
    assert page.evaluate(CUT_OFF) <= 0


def test_what_scrolls_sideways_can_be_reached_by_keyboard(browser_page: Any) -> None:
    unreachable = browser_page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1"
        " && /auto|scroll/.test(getComputedStyle(e).overflowX) && e.tabIndex < 0).length"
    )
    assert unreachable == 0


# Choosing an engine


def program(folder: Path, body: str, name: str = "quarto") -> Path:
    """A program of that name that runs `body` as Python."""
    path = folder / name
    path.write_text(f"#!{PYTHON}\nimport json, os, pathlib, sys\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


VERSION = "if sys.argv[1:] == ['--version']:\n    print('1.10.18')\n    sys.exit()\n"


def test_auto_takes_quarto_where_it_is_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert render.choose_engine("auto").name == "pandoc"
    program(tmp_path, VERSION)
    assert render.choose_engine("auto").name == "quarto"
    assert render.choose_engine("auto").versions()["quarto"] == "1.10.18"
    assert render.passed_over("auto") == ""
    assert render.choose_engine("pandoc").name == "pandoc"


def test_quarto_beside_python_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    assert render.find_quarto() is None
    path = program(tmp_path, VERSION)
    assert render.find_quarto() == path


def test_auto_passes_over_a_quarto_that_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")  # of a machine that has another one
    program(tmp_path, "sys.exit(3)")
    assert render.choose_engine("auto").name == "pandoc"
    with pytest.raises(RenderError, match="does not answer to --version"):
        render.choose_engine("quarto")


def test_a_quarto_too_old_for_our_documents_is_passed_over_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = program(tmp_path, VERSION.replace("1.10.18", "1.6.42"))
    assert render_quarto.QuartoEngine(old).fault() == "is Quarto 1.6.42, older than 1.9"
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert render.choose_engine("auto").name == "pandoc"
    said = f"passing over Quarto: {old} is Quarto 1.6.42, older than 1.9"
    assert [render.passed_over(name) for name in ("auto", "pandoc")] == [said, ""]
    with pytest.raises(RenderError, match=r"is Quarto 1\.6\.42, older than 1\.9"):
        render.choose_engine("quarto")


def test_a_quarto_that_works_is_found_behind_one_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [tmp_path / name for name in ("beside", "old", "new")]
    for place, said in zip(
        places, ("sys.exit(3)", "print('1.4.557')", "print('1.10.18')"), strict=True
    ):
        place.mkdir()
        program(place, said)
    monkeypatch.setattr(sys, "executable", str(places[0] / "python"))
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, places[1:])))
    assert render.find_quarto() == places[2] / "quarto"
    monkeypatch.setenv("PATH", str(places[1]))
    assert render.find_quarto() == places[0] / "quarto"


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("print('A newer one, 2.0, is there')\nprint('1.10.18')", "1.10.18"),
        ("print('v1.11.0-rc1')", "1.11.0-rc1"),
        ("print('A newer one, 2.0, is there')", ""),
        ("print('not a number')", ""),
    ],
)
def test_the_version_of_quarto_is_what_stands_alone_in_a_line(
    tmp_path: Path, said: str, version: str
) -> None:
    engine = render_quarto.QuartoEngine(program(tmp_path, said))
    assert engine.versions()["quarto"] == version
    assert engine.fault() == ("" if version else "does not answer to --version with a version")


def test_texts_reach_quarto_as_lists_of_lines(tmp_path: Path, project: Path) -> None:
    # Of one string Quarto loses every line break: headings swallow their paragraphs.
    made = document(write_notebook(tmp_path, sample.notebook()))
    render_quarto.write_project([made], render.configuration(project), tmp_path / "quarto")
    (path,) = (tmp_path / "quarto").rglob("*.ipynb")
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        texts = [cell["source"], *(output.get("text", []) for output in cell.get("outputs", []))]
        texts += [
            each for output in cell.get("outputs", []) for each in output.get("data", {}).values()
        ]
        for text in texts:
            assert isinstance(text, list)
            assert all(line.endswith("\n") and line.count("\n") == 1 for line in text[:-1])


def test_no_text_says_to_quarto_what_quarto_says_to_itself(tmp_path: Path, project: Path) -> None:
    """What Quarto sets aside it marks with numbers of its own; a name that holds one would become code."""
    mark = "b58fc729-690b-4000-b19f-365a4093b2ff;3C7363726970743E;"
    quote = "cf5733e5-0370-4aae-8689-61bad1dd9ec0&#x22;"
    book = {"cells": [markdown(f"## {mark}\n\n{quote}")]}
    made = document(write_notebook(tmp_path, book), title=f"A {mark}")
    render_quarto.write_project([made], {"format": {}}, tmp_path / "quarto")
    (path,) = (tmp_path / "quarto").rglob("*.ipynb")
    text = path.read_text(encoding="utf-8")
    assert "b58fc729" not in text
    assert "cf5733e5" not in text
    assert text.lower().count("b58fc729") >= 2  # shown all the same, in capitals


@pytest.mark.parametrize(
    "words", ["({{< env HOME >}})", "{{<", "{{{< env HOME >}}}", "x{{< meta lang >}}y"]
)
def test_a_shortcode_in_a_title_is_never_whole(words: str) -> None:
    inert = render_quarto._inert(words)
    assert "{{<" not in inert.replace("\\", "")
    assert ">}}" not in inert.replace("\\", "")
    assert inert.replace("\\", "").replace("\u2060", "") == words


def test_text_that_reads_like_a_page_break_is_text(tmp_path: Path, project: Path) -> None:
    said = {
        "output_type": "display_data",
        "data": {"text/markdown": r"\{\{\< pagebreak \>\}\}"},
        "metadata": {},
    }
    cells = [markdown("## A\n\n{{< pagebreak >}}\n\nafter"), sample.code("name", said)]
    made = document(write_notebook(tmp_path, {"cells": cells}))
    page, _ = render.render(
        [made], tmp_path / "_site", project=project, work=tmp_path / "work",
        engine=render_pandoc.PandocEngine(),
    )  # fmt: skip
    assert page.read_text(encoding="utf-8").count("{{&lt; pagebreak &gt;}}") == 1
    (source,) = (tmp_path / "work").rglob("*.typ")
    body = source.read_text(encoding="utf-8").partition("#show: doc")[2]
    assert body.count("#pagebreak(weak: true)") == 1


def test_what_quarto_announces_is_told_from_what_else_stands_in_brackets() -> None:
    said = "[ 3/12] HKVitals/2025-Q2/index.ipynb\n[typst]: compiling https://x/y\n"
    assert render_quarto._at(said) == " at HKVitals/2025-Q2/index.ipynb"


def test_asking_for_an_absent_quarto_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RenderError) as caught:
        render.choose_engine("quarto")
    assert str(caught.value) == (
        "The quarto engine was asked for, but there is no 'quarto' beside python or on PATH. Install "
        "it from https://quarto.org/docs/download/ or with 'pip install quarto-cli', or render with "
        "--engine pandoc."
    )


def test_an_unknown_engine_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"Unknown engine 'kuarto'\. Did you mean 'quarto'\?"):
        render.choose_engine("kuarto")


def test_a_missing_quarto_yml_is_named(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"_quarto\.yml cannot be read: "):
        render.configuration(tmp_path)


# What Quarto is handed


def test_the_project_for_quarto_is_as_quarto_wants_it(tmp_path: Path, project: Path) -> None:
    report = write_notebook(tmp_path, sample.notebook())
    summary = write_notebook(tmp_path, {"cells": [markdown("## A")]}, "summary")
    documents = [
        document(report),
        document(summary, html=None, pdf="summary.pdf", title="Summary", subtitle=""),
    ]
    config = render.configuration(project)
    folder = render_quarto.write_project(documents, config, tmp_path / "quarto")
    written = yaml.safe_load((folder / "_quarto.yml").read_text(encoding="utf-8"))
    assert written["project"] == {
        "type": "default",
        "output-dir": "_site",
        "render": ["HKVitals/2025-Q2/index.ipynb", "HKVitals/2025-Q2/summary.ipynb"],
    }
    assert written["execute"] == {"enabled": False, "echo": False}
    assert written["format"] == config["format"]
    typst_options, html_options = written["format"]["typst"], written["format"]["html"]
    for path in [
        *typst_options["template-partials"],
        *html_options["css"],
        typst_options["font-paths"],
    ]:
        assert (folder / path).exists(), path
    assert {path.suffix for path in (folder / "fonts").iterdir()} == {".ttf", ".css"}
    fronts = [
        prepare.front_matter(prepare.read(folder / source))
        for source in written["project"]["render"]
    ]
    assert [sorted(front["format"]) for front in fronts] == [["html", "typst"], ["typst"]]
    assert fronts[0]["format"]["html"]["output-file"] == "index.html"
    assert fronts[0]["format"]["typst"] == {"output-file": "report.pdf"}
    assert fronts[1]["format"]["typst"] == {"output-file": "summary.pdf"}
    assert fronts[0]["lang"] == "en-IN"
    assert fronts[0]["title"] == r"HKVitals \#1\: \*the\* \<b\>report\<\/b\>"
    assert "{{<" not in fronts[0]["subtitle"]
    cells = json.loads((folder / "HKVitals/2025-Q2/index.ipynb").read_text(encoding="utf-8"))[
        "cells"
    ]
    mimes = {mime for cell in cells for out in cell.get("outputs", []) for mime in out["data"]}
    assert mimes == {"text/markdown"}


def test_a_second_project_for_quarto_holds_nothing_of_the_first(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path, {"cells": [markdown("## A")]})
    for folder in ("a", "b"):
        made = document(notebook, folder=folder)
        render_quarto.write_project([made], {"format": {}}, tmp_path / "quarto")
    assert not (tmp_path / "quarto" / "a").exists()


def test_two_documents_of_one_name_are_refused(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path, {"cells": [markdown("## A")]})
    with pytest.raises(
        RenderError, match=r"Two documents would both be HKVitals/2025-Q2/index\.ipynb"
    ):
        render_quarto.write_project([document(notebook)] * 2, {"format": {}}, tmp_path / "quarto")


MAKES_EVERYTHING = (
    VERSION
    + """
folder = pathlib.Path(sys.argv[2])
assert sys.argv[1] == "render" and pathlib.Path.cwd() == folder
assert not set("*?[]{}") & set(str(folder))  # a path is a pattern to Quarto
for name in os.environ:
    assert "SECRET" not in name
assert os.environ["QUARTO_DENO"] == "/opt/conda/bin/deno"
for source in folder.rglob("*.ipynb"):
    front = "".join(json.loads(source.read_text())["cells"][0]["source"])
    for name in ("index.html", "report.pdf"):
        if name in front:
            made = folder / "_site" / source.relative_to(folder).with_name(name)
            made.parent.mkdir(parents=True, exist_ok=True)
            made.write_text(os.environ["SOURCE_DATE_EPOCH"] + os.environ["TYPST_IGNORE_SYSTEM_FONTS"])
"""
)


@pytest.mark.parametrize("work", ["work", "our [new] {reports}"])
def test_what_quarto_made_is_put_in_place(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    monkeypatch.setenv("SMTP_SECRET", "x")
    monkeypatch.setenv(
        "QUARTO_DENO", "/opt/conda/bin/deno"
    )  # a Quarto from conda has its parts elsewhere
    engine = render_quarto.QuartoEngine(program(tmp_path, MAKES_EVERYTHING))
    made = render.render(
        [document(write_notebook(tmp_path, sample.notebook()))],
        tmp_path / "_site", project=project, work=tmp_path / work, engine=engine, epoch=5,
    )  # fmt: skip
    assert [path.read_text() for path in made] == ["5true", "5true"]
    assert [path.name for path in made] == ["index.html", "report.pdf"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(
            "print('[1/2] HKVitals/2025-Q2/index.ipynb')\nprint('ERROR: no theme')\nsys.exit(1)",
            "Quarto stopped at HKVitals/2025-Q2/index.ipynb: ERROR: no theme. Its whole output is in ",
            id="failed",
        ),
        pytest.param(
            "",
            "Quarto reported success but did not make HKVitals/2025-Q2/index.html. Its whole output is ",
            id="made_nothing",
        ),
    ],
)
def test_a_failure_of_quarto_is_explained(
    body: str, told: str, tmp_path: Path, project: Path
) -> None:
    engine = render_quarto.QuartoEngine(program(tmp_path, body))
    made = document(write_notebook(tmp_path, sample.notebook()))
    with pytest.raises(RenderError) as caught:
        render.render(
            [made], tmp_path / "_site", project=project, work=tmp_path / "work", engine=engine
        )
    assert str(caught.value).startswith(told)
    assert not (tmp_path / "_site").exists()


# Quarto itself


@pytest.fixture
def quarto_report(tmp_path: Path, project: Path, require: Callable[[str], str]) -> list[Path]:
    engine = render_quarto.QuartoEngine(Path(require("quarto")))
    made = document(write_notebook(tmp_path, sample.notebook()))
    work = tmp_path / "our [new] {reports}, #1 à"  # where a project may lie
    return render.render([made], tmp_path / "_site", project=project, work=work, engine=engine)


def test_both_engines_give_the_same_report(
    quarto_report: list[Path], built: SimpleNamespace, require: Callable[[str], str]
) -> None:
    page, pdf = quarto_report
    theirs, ours = content(page.read_text(encoding="utf-8")), content(built.html)
    for tag in ("figcaption", "td", "th", "dt", "dd"):
        assert theirs.of(tag) == ours.of(tag), tag
    assert {*ours.of("h2"), *ours.of("h3")} <= {*theirs.of("h2"), *theirs.of("h3")}
    paragraphs = {text for text in ours.of("p") if text not in ("By platform", "By category")}
    # a word joiner, which nobody sees, keeps a shortcode in a title from being one
    assert paragraphs <= {text.replace("\u2060", "") for text in theirs.of("p")}
    numbers = re.compile(r"\d[\d,.]*")
    # Where a page ends differs by a line, and with it the page numbers in the contents and at the foot.
    headings = "|".join(re.escape(text) for text in (*ours.of("h2"), *ours.of("h3")))
    pages = re.compile(rf"(?m)^\s*(?:{headings})\s+\d+$|\d+ ?/ ?\d+$")
    theirs_pdf, ours_pdf = (pages.sub("", pdf_text(made, require)) for made in (pdf, built.pdf))
    assert sorted(numbers.findall(theirs_pdf)) == sorted(numbers.findall(ours_pdf))


def test_a_page_of_quarto_is_whole_on_paper_without_script_and_to_a_screen_reader(
    quarto_report: list[Path], require: Callable[[str], str]
) -> None:
    address = quarto_report[0].as_uri()
    with chromium(require("chromium")) as browser:
        page = browser.new_page(viewport=PAPER, color_scheme="dark")
        page.goto(address)
        page.wait_for_function("document.querySelector('.quarto-color-scheme-toggle[aria-label]')")
        ink = "getComputedStyle(document.querySelector('main h2')).color"
        assert page.evaluate(ink) == "rgb(230, 234, 238)"
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate(ink) == "rgb(27, 37, 48)"
        assert page.evaluate(CUT_OFF) <= 0
        unscripted = browser.new_context(java_script_enabled=False).new_page()
        unscripted.goto(address)
        panes = unscripted.locator(".tab-pane")
        assert panes.count()
        assert all(pane.is_visible() for pane in panes.all())


def test_a_page_of_quarto_names_no_address_outside_the_site(quarto_report: list[Path]) -> None:
    seen = content(quarto_report[0].read_text(encoding="utf-8"))
    assert [at for at in seen.addresses if re.match(r"https?:|//", at)] == []


def test_quarto_gives_the_same_bytes_twice(
    quarto_report: list[Path], tmp_path: Path, project: Path, require: Callable[[str], str]
) -> None:
    engine = render_quarto.QuartoEngine(Path(require("quarto")))
    made = document(write_notebook(tmp_path, sample.notebook(seconds=9)))
    again = render.render(
        [made], tmp_path / "again", project=project, work=tmp_path / "other", engine=engine
    )
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in quarto_report]


def test_pandoc_is_the_one_of_the_wheel() -> None:
    assert "pypandoc" in render_pandoc._pandoc_program()


def test_the_first_stop_of_the_keyboard_on_a_quarto_page_leads_past_its_contents(
    browser_page: Any,
) -> None:
    tab = browser_page.context.browser.new_page()
    tab.set_content(
        '<body><nav id="TOC"><ul><li><a href="#a">A</a></li></ul></nav><main>'
        '<header class="hk-bar"><a href="../">All reports</a></header>'
        '<header id="title-block-header"><h1>Title</h1></header><a id="a" href="#a">In the report</a></main>'
        + render_quarto.REVEAL
    )
    stops = []
    for key in ("Tab", "Enter", "Tab"):
        tab.keyboard.press(key)
        stops.append(tab.evaluate("document.activeElement.textContent"))
    tab.close()
    assert stops == ["Skip to the report", "Title", "In the report"]
