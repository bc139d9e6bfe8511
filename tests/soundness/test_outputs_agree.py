"""Page, PDFs, kpis.json, CSVs, mail, command line and explorer say the same headline numbers."""

import csv
import html
import json
import re
import subprocess
from pathlib import Path

import browser
import exports
import pytest
from typer.testing import CliRunner

from hkreport import metrics as m
from hkreport import params, simulate, store, views
from hkreport.cli import app
from hkreport.ledger import Filters
from hkreport.pipeline import mail
from hkreport.pipeline import report as pipeline
from hkreport.pipeline.explorer import page as explorer
from hkreport.pipeline.exports import EXPORTS
from hkreport.units import text

ROOT = Path(__file__).parents[2]
BRAND, PERIOD = "HKVitals", "2025-Q2"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The exports, their data, and the report of one brand."""
    folder = exports.write(tmp_path_factory.mktemp("agree") / "exports")
    settings = params.load(None, root=ROOT)
    data = store.open_data(folder, settings, root=ROOT)
    site = tmp_path_factory.mktemp("site")
    pipeline.build(
        data, settings, brand=BRAND, period=PERIOD, filters=Filters(), engine="pandoc", site=site
    )
    return folder, data, site / BRAND / PERIOD


@pytest.fixture(scope="module")
def kpis(built):
    found = json.loads((built[2] / "kpis.json").read_text(encoding="utf-8"))["metrics"]
    return {
        metric: found[metric.name]["value"] for metric in views.HEADLINE if metric.name in found
    }


def words(kpis) -> dict[str, str]:
    """Label and value of each tile, as kpis.json would have them written."""
    return {
        metric.label: text(value, metric.unit, short=True)
        for metric, value in kpis.items()
        if value is not None
    }


def test_there_are_numbers_to_compare(kpis):
    # 1950 + 2600 + 3250 + 800 + 700 by influencers and 1300 organic; 1000 + 750 + 500 paid.
    assert kpis[m.REVENUE] == 10600
    assert kpis[m.SPEND] == 2250
    assert kpis[m.ROAS] == pytest.approx(9300 / 2250)
    assert len(words(kpis)) >= 5


def test_page_shows_the_numbers_of_kpis_json(built, kpis):
    page = (built[2] / "index.html").read_text(encoding="utf-8")
    tiles = dict(re.findall(r'hk-label">([^<]*)<.*?hk-value">([^<]*)<', page, re.S))
    shown = {html.unescape(label): html.unescape(value) for label, value in tiles.items()}
    for label, value in words(kpis).items():
        assert shown[label] == value, label


@pytest.mark.parametrize("name", ["report.pdf", "summary.pdf"])
def test_pdfs_show_the_numbers_of_kpis_json(built, kpis, name, require):
    require("pdftotext")
    said = subprocess.run(
        ["pdftotext", "-raw", built[2] / name, "-"], capture_output=True, text=True, check=True
    ).stdout
    first = re.sub(r"\s+", " ", said.partition("\f")[0])
    for label, value in words(kpis).items():
        assert f"{label} {value}" in first, label


def test_mail_says_the_numbers_of_kpis_json(built, kpis):
    import email
    import email.policy

    settings = params.load(BRAND, root=ROOT).email
    raw = mail.compose(built[2], settings, site=built[2].parents[1], to=["a@example.com"]).raw
    message = email.message_from_bytes(raw, policy=email.policy.default)
    plain = message.get_body(("plain",)).get_content()
    page = message.get_body(("html",)).get_content()
    for label, value in words(kpis).items():
        assert re.search(rf"^{re.escape(label)}\s+{re.escape(value)}(\s|$)", plain, re.M), label
        assert html.escape(value) in page, label


def test_command_line_prints_the_numbers_of_kpis_json(built, kpis):
    command = ["metrics", str(built[0]), "--brand", BRAND, "--period", PERIOD, "--format"]
    wanted = [option for metric in kpis for option in ("--metric", metric.name)]
    told = CliRunner().invoke(app, [*command, "json", *wanted])
    assert told.exit_code == 0, told.output
    (record,) = json.loads(told.stdout)
    (row,) = csv.DictReader(CliRunner().invoke(app, [*command, "csv", *wanted]).stdout.splitlines())
    for metric, value in kpis.items():
        assert record[metric.name] == pytest.approx(value, rel=1e-12), metric.name
        assert float(row[metric.name]) == pytest.approx(value, rel=1e-12), metric.name


@pytest.mark.parametrize(
    ("file", "totals"),
    [
        ("influencers.csv", {"influencer_revenue": m.INFLUENCER_REVENUE, "spend": m.SPEND}),
        ("campaigns.csv", {"revenue": m.REVENUE, "orders": m.ORDERS, "spend": m.SPEND}),
        ("products.csv", {"revenue": m.REVENUE, "orders": m.ORDERS, "spend": m.SPEND}),
    ],
)
def test_csvs_add_up_to_the_numbers_of_kpis_json(built, file, totals):
    all_of_it = json.loads((built[2] / "kpis.json").read_text(encoding="utf-8"))["metrics"]
    with (built[2] / "data" / file).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    checked = 0
    for column, metric in totals.items():
        if rows and column in rows[0] and metric.name in all_of_it:
            whole = all_of_it[metric.name]["value"]
            assert sum(float(row[column] or 0) for row in rows) == pytest.approx(whole), column
            checked += 1
    assert checked


def test_explorer_shows_the_numbers_of_kpis_json(built, kpis, tmp_path, require):
    file = explorer.build(built[1], params.load(None, root=ROOT), tmp_path / "index.html")
    with browser.chromium(require("chromium")) as started:
        tab = started.new_page()
        tab.goto(f"{file.as_uri()}#brand={BRAND}&from=2025-04-01&to=2025-06-30")
        tab.wait_for_selector("html[data-ready]")
        shown = tab.evaluate(
            "Object.fromEntries([...document.querySelectorAll('#cards .hk-tile')].map("
            "card => [card.dataset.metric, card.querySelector('data').value]))"
        )
        tab.close()
    compared = [metric for metric in kpis if metric.name in shown and kpis[metric] is not None]
    assert len(compared) >= 5
    for metric in compared:
        assert float(shown[metric.name]) == pytest.approx(kpis[metric], rel=1e-9), metric.name


def test_performance_scores_are_the_same_in_report_csv_and_command_line(tmp_path_factory):
    # Enough influencers on fixed fees for luck to be taken out, and a filter that moves nothing.
    folder = tmp_path_factory.mktemp("scores") / "data"
    simulate.write(folder, scale=0.06, start="2025-06-01", end="2026-01-01")
    report = views.open_report(brand="MuscleBlaze", period="2025-Q4", data=str(folder))
    assert report.returns.refusal is None
    shown = report.influencers.set_index("influencer_id")["performance_score"]
    (made_of,) = [content for name, content in EXPORTS if name == "data/influencers.csv"]
    rows = {row["influencer_id"]: row for row in csv.DictReader(made_of(report).splitlines())}
    command = ["metrics", str(folder), "--brand", "MuscleBlaze", "--period", "2025-Q4"]
    command += ["--by", "influencer", "--metric", "performance_score", "--format", "json"]
    told = {}
    for more in ([], ["--tier", "micro"]):
        run = CliRunner().invoke(app, [*command, *more])
        assert run.exit_code == 0, run.output
        told[bool(more)] = {
            each["influencer_id"]: each["performance_score"] for each in json.loads(run.stdout)
        }
    assert 10 < len(told[True]) < len(told[False])
    for name, score in shown.items():
        texts = rows[name]["performance_score"], told[False][name], told[True].get(name, score)
        found = [float("nan") if value in ("", None) else float(value) for value in texts]
        assert found == pytest.approx([score] * 3, nan_ok=True), name


def test_explorer_leaves_the_performance_score_out_and_says_why():
    declared = explorer.declarations()
    (left_out,) = [each for each in declared["omitted"] if each["name"] == "performance_score"]
    assert "luck taken out" in left_out["why"]
    assert "performance_score" not in {each["name"] for each in declared["metrics"]}
