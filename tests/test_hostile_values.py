"""Text that tries to be something else stays text: one report whose brand and every field are hostile."""

import ast
import csv
import json
import re
import subprocess
import zipfile
from pathlib import Path

import browser
import exports
import hostile
import pandas as pd
import pytest

from hkreport import ingest, params, schema, store, tables, templates, units
from hkreport import metrics as m
from hkreport.cli import main
from hkreport.errors import ParamsError
from hkreport.ledger import Filters
from hkreport.pipeline import prepare, render
from hkreport.pipeline import report as pipeline

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The report of the hostile brand, and the site that holds it."""
    site = tmp_path_factory.mktemp("site")
    folder = hostile.write(tmp_path_factory.mktemp("exports"))
    settings = params.load(None, root=ROOT)
    data = store.open_data(folder, settings, root=ROOT)
    (page,) = pipeline.build(
        data,
        settings,
        brand=hostile.BRAND,
        period="2025-Q2",
        filters=Filters(),
        engine="pandoc",
        formats="html",
        site=site,
    )
    return site, page


@pytest.fixture(scope="module")
def chromium():
    from conftest import REQUIREMENTS, _required

    find, missing = REQUIREMENTS["chromium"]
    path = find()
    if not path:
        (pytest.fail if "chromium" in _required() else pytest.skip)(missing)
    with browser.chromium(path) as running:
        yield running


# The report


def test_page_of_a_hostile_brand_acts_on_nothing_and_shows_the_text(built, chromium):
    site, page = built
    found = hostile.look(chromium, page)
    hostile.assert_inert(found, site)
    assert hostile.as_shown(hostile.BRAND) in found["text"]
    for place, (name, text) in enumerate(hostile.TEXTS.items()):
        if place % 4 and name not in hostile.NO_NAMES:
            assert hostile.as_shown(text)[: tables.TEXT_LENGTH - 1] in found["text"], name


def test_home_page_names_the_hostile_brand_as_text(built, chromium):
    site, _ = built
    found = hostile.look(chromium, site / "index.html")
    hostile.assert_inert(found, site)
    assert hostile.as_shown(hostile.BRAND) in found["text"]


def test_no_text_made_a_file_or_read_one(built):
    site, page = built
    for folder in (Path.cwd(), ROOT, ROOT / "notebooks", site, page.parent):
        assert not (folder / hostile.FILE).exists()
    assert "root:x:0" not in page.read_text(encoding="utf-8")


def test_csv_files_hold_no_formula_and_every_name(built):
    _, page = built
    files = sorted((page.parent / "data").glob("*.csv"))
    assert len(files) >= 5
    for path in files:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
        assert [cell for row in rows for cell in row if hostile.is_formula(cell)] == [], path.name
        assert len({len(row) for row in rows}) == 1, path.name
    with (page.parent / "data" / "influencers.csv").open(encoding="utf-8", newline="") as stream:
        names = {row["influencer"].removeprefix("'") for row in csv.DictReader(stream)}
    wanted = {
        hostile.as_shown(text).removeprefix("'")
        for place, (name, text) in enumerate(hostile.TEXTS.items())
        if place % 4 and name not in hostile.NO_NAMES
    }
    assert wanted <= names


def test_the_brand_is_one_folder_of_the_site(built):
    site, page = built
    assert page.parent.parent.parent == site
    assert json.loads((page.parent / "kpis.json").read_text(encoding="utf-8"))["brand"] == (
        hostile.BRAND
    )


# The PDF


def test_pdf_prints_what_was_typed_or_a_box(tmp_path, require):
    require("pdftotext")
    blocks = [
        f"```{{=typst}}\n#hk-note({units.quote_typst(units.one_line(hostile.as_read(text)))})\n```"
        for text in hostile.TEXTS.values()
    ]
    source = {"cells": [{"cell_type": "markdown", "source": "\n\n".join(["# Texts", *blocks])}]}
    notebook = tmp_path / "texts.ipynb"
    notebook.write_text(prepare.dump(prepare.prepare(source, name="texts")), encoding="utf-8")
    document = render.Document(notebook=notebook, folder="x", html=None, pdf="texts.pdf",
                               title=hostile.BRAND, subtitle=hostile.TEXTS["typst_string"])  # fmt: skip
    render.render([document], tmp_path / "site", project=ROOT, work=tmp_path / "work",
                  engine="pandoc", epoch=0)  # fmt: skip
    said = subprocess.run(
        ["pdftotext", "-raw", tmp_path / "site" / "x" / "texts.pdf", "-"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    flat = re.sub(r"\s+", "", said)
    for name, text in hostile.TEXTS.items():
        if text.isascii() and not name.startswith("word"):  # a page ends within those
            shown = hostile.as_shown(text).replace("\ufffd", "☐")
            assert re.sub(r"\s+", "", shown) in flat, name
    assert "abc☐gnp.exe" in flat
    assert "root:x:0" not in said


# Parameters


def test_parameters_are_literals_of_the_notebook():
    """Papermill writes parameters as code: what it wrote is read here, without running it."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    source = load_notebook_node(str(ROOT / "notebooks" / "summary.ipynb"))
    for name, text in {"brand": hostile.BRAND, **hostile.TEXTS}.items():
        made = parameterize_notebook(source, {"brand": text, "campaign": text})
        (cell,) = [each for each in made.cells if "injected-parameters" in each.metadata.tags]
        statements = ast.parse(cell.source).body
        assert all(isinstance(each, ast.Assign) for each in statements), name
        given = {each.targets[0].id: ast.literal_eval(each.value) for each in statements}
        assert given == {"brand": text, "campaign": text}, name


@pytest.mark.parametrize(
    "line",
    ["!!python/object/apply:os.system [touch hkpwned]", "!!python/name:os.system", "!include x"],
)
def test_yaml_makes_no_objects(tmp_path, line):
    (tmp_path / "params").mkdir()
    defaults = (ROOT / "params" / "_defaults.yml").read_text(encoding="utf-8")
    (tmp_path / "params" / "_defaults.yml").write_text(defaults, encoding="utf-8")
    (tmp_path / "params" / "x.yml").write_text(f"email: {line}\n", encoding="utf-8")
    with pytest.raises(ParamsError, match=r"params/x\.yml line 1 is not valid YAML"):
        params.load("x", root=tmp_path)
    assert not Path(hostile.FILE).exists()


@pytest.mark.parametrize("subject", ["{brand.__class__}", "{0}", "{brand!r}", "{x}", "{brand:>99}"])
def test_a_subject_reaches_into_no_object(tmp_path, subject):
    (tmp_path / "params").mkdir()
    defaults = (ROOT / "params" / "_defaults.yml").read_text(encoding="utf-8")
    (tmp_path / "params" / "_defaults.yml").write_text(defaults, encoding="utf-8")
    (tmp_path / "params" / "x.yml").write_text(
        f"email: {{subject: {json.dumps(subject)}}}\n", encoding="utf-8"
    )
    with pytest.raises(ParamsError, match="its fields are 'brand', 'period', 'dates'"):
        params.load("x", root=tmp_path)


# Reading


@pytest.mark.parametrize("name", ["{0.__class__}", "{x}", "{", "}", "{{7}}", "%s %(x)s", "$x ${y}"])
def test_braces_in_file_names_are_no_template(tmp_path, name):
    (tmp_path / f"tracking {name}.csv").write_text(
        "date,orders,revenue\n2025-05-01,1,5\nnever,1,5\n", encoding="utf-8"
    )
    dataset = ingest.load(tmp_path)
    (problem,) = [each for each in dataset.check.problems if each.severity == "error"]
    assert problem.message.startswith(f"tracking {name}.csv: ")


def broken(folder: Path, *names: str) -> Path:
    """Exports in which each hostile text stands where a date or a number should."""
    folder.mkdir()
    for name, column in {"tracking": "date", "posts": "date", "payouts": "total_payout"}.items():
        with (folder / f"{name} \x1b[31m.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
            columns = [each.name for each in schema.TABLES[name] if each.required]
            writer.writerow(columns)
            for text in (hostile.TEXTS[each] for each in names or hostile.TEXTS):
                writer.writerow([text if each == column else "2025-05-01" for each in columns])
    return folder


def test_quarantine_holds_no_formula(tmp_path):
    ingest.load(broken(tmp_path / "exports"), quarantine=tmp_path / "quarantine")
    cells = []
    for path in sorted((tmp_path / "quarantine").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            cells += [cell for row in csv.reader(stream) for cell in row]
    assert any("HYPERLINK" in cell for cell in cells)
    assert [cell for cell in cells if hostile.is_formula(cell)] == []


def test_a_terminal_obeys_no_name(tmp_path, capsys, monkeypatch):
    folder = broken(tmp_path / "exports", "escape", "bidi", "line_ends", "return")
    monkeypatch.setattr("sys.argv", ["hkreport", "check", str(folder)])
    with pytest.raises(SystemExit):
        main()
    said = "".join(capsys.readouterr())
    assert "\ufffd[31mred" in said
    assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", said) == []


def test_a_cell_of_a_megabyte_is_cut_in_messages_and_tables(tmp_path):
    influencers = f"id,name,gender,platform\n1,{hostile.LONGEST},{hostile.LONGEST},Instagram\n"
    dataset = ingest.load(exports.write(tmp_path / "exports", influencers=influencers))
    told = json.dumps(dataset.check.to_json())
    assert "1MB" in told
    assert len(told) < 100_000
    frame = pd.DataFrame({"influencer": [hostile.LONGEST], "orders": [1.0]})
    table = tables.Table.from_metrics(frame, keys=["influencer"], metrics=[m.ORDERS])
    shown = table._repr_mimebundle_()[0]["text/markdown"]
    longest = max(map(len, re.findall("y+", shown)))
    assert tables.TEXT_LENGTH - 10 < longest <= tables.TEXT_LENGTH
    assert hostile.LONGEST in table.csv


# Workbooks


def test_templates_hold_no_formula(tmp_path):
    templates.write(tmp_path)
    for path in tmp_path.rglob("*.csv"):
        with path.open(encoding="utf-8", newline="") as stream:
            assert not [c for row in csv.reader(stream) for c in row if hostile.is_formula(c)]
    (book,) = tmp_path.rglob("*.xlsx")
    with zipfile.ZipFile(book) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        assert sheets
        assert not [name for name in sheets if b"<f" in archive.read(name)]
        assert not [
            name for name in archive.namelist() if "vba" in name.lower() or "external" in name
        ]


def test_a_workbook_reads_as_the_csv_files_do(tmp_path):
    few = dict(list(hostile.TEXTS.items())[:20])
    made = hostile.tables(few)
    one = ingest.load(hostile.write(tmp_path / "csv", made))
    other = ingest.load(hostile.write_workbook(tmp_path / "book", made))
    for name in made:
        rows = [
            dataset.tables[name].order_by("row").drop("row").to_pandas().astype(str).values.tolist()
            for dataset in (one, other)
        ]
        assert rows[0] == rows[1], name
