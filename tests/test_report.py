"""One report from exports to pages: what is there, that it agrees, and that it is the same twice."""

import csv
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import exports
import jsonschema
import pytest

from hkreport import params, store
from hkreport.errors import ParamsError, RenderError
from hkreport.ledger import Filters
from hkreport.pipeline import cache
from hkreport.pipeline import report as pipeline
from hkreport.pipeline.execute import check_parameters, execute
from hkreport.units import Unit, text

ROOT = Path(__file__).parents[1]
CONTRACTS = ROOT / "hkreport" / "pipeline" / "contracts"


def build(folder: Path, site: Path, **options):
    settings = params.load(None, root=ROOT)
    data = store.open_data(folder, settings, root=ROOT)
    given = {
        "brand": "HKVitals",
        "period": "2025-Q2",
        "filters": Filters(),
        "engine": "pandoc",
    } | options
    return pipeline.build(data, settings, site=site, **given)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The report of a small campaign."""
    site = tmp_path_factory.mktemp("site")
    build(exports.write(tmp_path_factory.mktemp("exports")), site)
    return site / "HKVitals" / "2025-Q2"


@pytest.fixture(scope="module")
def page(built):
    return (built / "index.html").read_text(encoding="utf-8")


def test_report_writes_pages_pdfs_and_exports(built):
    files = {path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()}
    assert files == {
        "chart.png",
        "index.html",
        "report.pdf",
        "summary.pdf",
        "kpis.json",
        "run.json",
        "data/campaigns.csv",
        "data/influencers.csv",
        "data/top_performers.csv",
        "data/products.csv",
        "data/payout_exceptions.csv",
        "data/figures.csv",
        "insights.json",
        "data/insights.csv",
        "data/budget_plan.csv",
    }


def test_a_site_is_meant_from_where_its_person_is(tmp_path, monkeypatch):
    # From a folder of the project the report went to the project's own ../site instead.
    place = ROOT / "params"
    monkeypatch.chdir(place)
    relative = Path(os.path.relpath(tmp_path / "site", place))
    made = build(exports.write(tmp_path / "exports"), relative, formats="html")
    assert Path.cwd() == place
    assert [path.resolve() for path in made] == [
        tmp_path / "site" / "HKVitals" / "2025-Q2" / "index.html"
    ]
    assert made[0].is_file()
    assert (tmp_path / "site" / "index.html").is_file()


def test_headline_on_the_page_equals_kpis_and_the_sums_by_hand(built, page):
    # HKVitals: 1950 + 2600 + 3250 + 800 + 700 by influencers, 1300 organic; 1000 + 750 + 500 paid.
    kpis = json.loads((built / "kpis.json").read_text(encoding="utf-8"))["metrics"]
    assert kpis["revenue"]["value"] == 10600.0
    assert kpis["spend"]["value"] == 2250.0
    assert kpis["roas"]["value"] == pytest.approx(9300 / 2250)
    tiles = re.findall(r'hk-label">([^<]*)<.*?hk-value">([^<]*)<', page, re.S)
    assert dict(tiles)["Revenue"] == "₹10,600"
    assert dict(tiles)["ROAS"] == "4.1×"


def test_influencers_csv_holds_everybody_with_unpaid_ones_undefined(built):
    with (built / "data" / "influencers.csv").open(encoding="utf-8") as stream:
        rows = {row["influencer_id"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {"1", "2", "3", "4"}
    assert rows["4"]["spend"] == "0"
    assert rows["4"]["roas"] == ""


def test_names_from_data_are_text_on_the_page(page):
    assert "Dev &lt;b&gt;Mehta&lt;/b&gt;" in page
    assert "<b>Mehta" not in page


def test_page_asks_nothing_of_the_network(page):
    assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]*"', page)


def test_every_figure_has_its_alternative_text_and_number(page):
    drawings = re.findall(r"<svg[^>]*>", page)
    charts = [each for each in drawings if 'role="img"' in each]
    assert len(charts) >= 12
    assert all('aria-label="' in each for each in charts)
    assert re.search(r"Figure\s1\b", page)


def test_run_json_names_every_output_with_its_hash(built):
    run = json.loads((built / "run.json").read_text(encoding="utf-8"))
    assert set(run["outputs"]) == {
        path.relative_to(built).as_posix()
        for path in built.rglob("*")
        if path.is_file() and path.name != "run.json"
    }
    for name, digest in run["outputs"].items():
        assert cache.file_hash(built / name) == digest
    assert run["engine"]["name"] == "pandoc"
    assert run["parameters"]["brand"] == "HKVitals"


@pytest.mark.parametrize("name", ["kpis", "run"])
def test_json_files_keep_their_published_schema(built, name):
    schema = json.loads((CONTRACTS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads((built / f"{name}.json").read_text(encoding="utf-8")), schema)


def test_summary_is_two_pages_and_shows_the_rupee(built, require):
    require("pdftotext")
    said = subprocess.run(
        ["pdftotext", "-layout", built / "summary.pdf", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.count("\f") == 2
    assert "₹10,600" in said


def test_two_builds_in_other_folders_give_the_same_bytes(built, tmp_path):
    site = tmp_path / "elsewhere" / "site"
    build(exports.write(tmp_path / "other exports"), site)
    again = site / "HKVitals" / "2025-Q2"
    for path in sorted(built.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(built)).read_bytes(), path.name


def test_slice_goes_below_the_report_and_says_so(tmp_path):
    folder = exports.write(tmp_path / "exports")
    paths = build(
        folder,
        tmp_path / "site",
        filters=Filters(values={"platform": ("Instagram",)}),
        formats="html",
    )
    assert paths == [
        tmp_path / "site" / "HKVitals" / "2025-Q2" / "platform-Instagram" / "index.html"
    ]
    assert "only platform Instagram" in paths[0].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "missing",
    [
        pytest.param(["influencers"], id="no_influencers"),
        pytest.param(["posts"], id="no_posts"),
        pytest.param(["payouts"], id="no_payouts"),
        pytest.param(["tracking"], id="no_tracking"),
        pytest.param(["influencers", "posts", "payouts"], id="tracking_only"),
    ],
)
def test_report_builds_without_an_export_and_says_what_it_cannot_show(tmp_path, missing):
    folder = exports.write(tmp_path / "exports", **dict.fromkeys(missing, ""))
    paths = build(folder, tmp_path / "site", brand="all", period="all", formats="html")
    said = paths[0].read_text(encoding="utf-8")
    for name in missing:
        assert f"<strong>{name}</strong> was not among the exports" in said


def test_misspelt_notebook_parameter_stops_before_anything_runs(tmp_path):
    with pytest.raises(ParamsError, match=r"has no parameter 'brnad'\. Did you mean 'brand'\?"):
        check_parameters(ROOT / "notebooks" / "summary.ipynb", {"brnad": "x"})


def test_failing_cell_names_notebook_cell_subject_and_cause(tmp_path):
    notebook = tmp_path / "summary.ipynb"
    shutil.copy(ROOT / "notebooks" / "summary.ipynb", notebook)
    declared = dict.fromkeys(
        "brand period data as_of maps platform tier category gender influencer product "
        "product_category campaign min_roas min_price max_price".split(),
        "",
    )
    given = declared | {"brand": "Nobody", "data": str(exports.write(tmp_path / "exports"))}
    with pytest.raises(RenderError) as error:
        execute(notebook, given, tmp_path / "out.ipynb", subject="Nobody 2025-Q2")
    assert str(error.value).startswith(
        "summary.ipynb stopped in cell 3 for Nobody 2025-Q2: There is no brand 'Nobody' in the data."
    )
    assert (tmp_path / "out.ipynb").exists()


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        ("HKVitals", "HKVitals"),
        ("2025-06-01..2025-08-31", "2025-06-01..2025-08-31"),
    ],
)
def test_ordinary_names_are_their_own_folder(words, folder):
    assert pipeline.slug(words) == folder


@pytest.mark.parametrize(
    "words", ["..", "../../etc", "a/b", "a\\b", "CON", "all", "é", "", "x" * 300, "a b", "a  b"]
)
def test_odd_names_stay_inside_and_apart(words):
    folder = pipeline.slug(words)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", folder)
    assert folder not in ("..", ".")
    assert len(folder) < 80
    assert folder != pipeline.slug(words + " ")


NUMBER = re.compile(r"[−-]?₹[\d,]+(?:\.\d+)?(?: (?:L|Cr))?|[−-]?[\d,]+(?:\.\d+)?(?:×|%)")


def written(value: float) -> set[str]:
    """A number in every way in which the report may write it."""
    units = (Unit.MONEY, Unit.MULTIPLE, Unit.PERCENT)
    ways = {text(size, unit, short=short) for size in (value, abs(value)) for unit in units
            for short in (True, False)}  # fmt: skip
    return ways | {f"{abs(value):.0%}"}  # parts of a bar are written without decimals


def exported(folder: Path) -> set[str]:
    """Every number of kpis.json, insights.json and the CSV files, as text."""
    known: set[str] = set()
    for each in json.loads((folder / "kpis.json").read_text(encoding="utf-8"))["metrics"].values():
        now, before, aim = each["value"], each["previous"], each["target"]
        values = [value for value in (now, before, aim) if value is not None]
        for base in (before, aim):
            if now is not None and base:
                values += [now / base - 1, now - base]
        known |= set().union(*map(written, values))
    known |= set(NUMBER.findall((folder / "insights.json").read_text(encoding="utf-8")))
    for path in (folder / "data").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as stream:
            for cell in (cell.removeprefix("'") for row in csv.reader(stream) for cell in row):
                try:
                    known |= written(float(cell))
                except ValueError:
                    known |= set(NUMBER.findall(cell))
    return {token.replace("-", "−") for token in known}


def is_tick(token: str) -> bool:
    """Whether it may stand at an axis: one or two digits and zeros."""
    return len(re.sub(r"[^\d.]", "", token).replace(".", "").strip("0")) <= 2 and "." not in token


@pytest.mark.parametrize("name", ["report.pdf", "summary.pdf"])
def test_every_number_printed_in_a_pdf_is_exported(name, built, require):
    tool = require("pdftotext")
    page = subprocess.run(
        [tool, "-layout", built / name, "-"], capture_output=True, text=True, check=True
    )
    tokens = [token.replace("-", "−") for token in NUMBER.findall(page.stdout)]
    assert len(tokens) > 40
    known = exported(built)
    strange = sorted({token for token in tokens if token not in known and not is_tick(token)})
    assert not strange


def test_a_number_that_nobody_exported_would_be_found(built):
    assert not {"₹12,345", "7.77×"} & exported(built)
    assert not is_tick("₹12,345")
    assert not is_tick("7.77×")
