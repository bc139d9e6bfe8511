"""Many reports: what is wanted, what is built again, what a failure does, and the pages around them."""

import contextlib
import csv
import json
import re
import shutil
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import browser
import exports
import jsonschema
import pytest

from hkreport import periods, store
from hkreport.errors import ParamsError, RenderError, UsageError
from hkreport.pipeline import home, runs, serve, sitecheck
from hkreport.pipeline import site as pipeline

ROOT = Path(__file__).parents[1]
CONTRACTS = ROOT / "hkreport" / "pipeline" / "contracts"


# What is wanted


def outline(*brands: str, first: str = "2025-01-05", last: str = "2025-09-20") -> store.Outline:
    days = [periods.Date.fromisoformat(day) for day in (first, last)]
    return store.Outline("key", Path(), brands, *days)


def wanted(brands: str, spans: str, known: tuple[str, ...] = ("HKVitals", "Gritzo")) -> list[str]:
    found = runs.resolve(runs.of_words(brands, spans), outline(*known), {"HKVitals": ("HKV",)})
    return [f"{each.brand or 'all'} {each.period.name}" for each in found]


def test_every_pair_of_brand_and_period_is_a_report():
    assert wanted("HKVitals,Gritzo", "2025-Q1..2025-Q2") == [
        "Gritzo 2025-Q1",
        "Gritzo 2025-Q2",
        "HKVitals 2025-Q1",
        "HKVitals 2025-Q2",
    ]


def test_all_brands_are_each_and_together():
    assert wanted("all", "2025-Q1") == ["Gritzo 2025-Q1", "HKVitals 2025-Q1", "all 2025-Q1"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("quarters", ["2025-Q1", "2025-Q2", "2025-Q3"]),
        ("months", [f"2025-{month:02d}" for month in range(1, 10)]),
        ("years", ["2025"]),
        ("latest", ["2025-Q2"]),
        ("2025-02..2025-04", ["2025-02", "2025-03", "2025-04"]),
        ("FY2024-25-Q4..FY2025-26-Q1", ["FY2024-25-Q4", "FY2025-26-Q1"]),
        ("2025-02-01..2025-02-10", ["2025-02-01..2025-02-10"]),
        ("2025-Q1,2025-Q1..2025-Q2", ["2025-Q1", "2025-Q2"]),
    ],
)
def test_spans_of_periods(words, found):
    assert wanted("HKV", words) == [f"HKVitals {name}" for name in found]


def test_only_what_is_named_must_have_rows():
    def named(brands: str, spans: str) -> list[bool]:
        found = runs.resolve(runs.of_words(brands, spans), outline("HKVitals"), {})
        return [each.named for each in found]

    assert named("HKVitals", "2025-Q1") == [True]
    assert named("all", "2025-Q1") == [False, False]
    assert named("HKVitals", "quarters") == [False] * 3


@pytest.mark.parametrize(
    ("brands", "spans", "said"),
    [
        ("HKVitls", "2025-Q1", "There is no brand 'HKVitls' in the data. Did you mean 'HKVitals'?"),
        ("HKVitals", "2025-Q9", "Period '2025-Q9' is not understood"),
        ("HKVitals", "2025-Q3..2025-Q1", "end before they begin"),
        ("HKVitals", "0001-01..2025-12", "more than 1,000 periods"),
    ],
)
def test_what_cannot_be_wanted_is_said(brands, spans, said):
    with pytest.raises(ParamsError, match=re.escape(said)):
        wanted(brands, spans)


def test_runs_file_is_checked_by_key(tmp_path):
    (tmp_path / "params").mkdir()
    assert runs.read(tmp_path) == [runs.Run(("all",), ("quarters",))]
    (tmp_path / "params" / "runs.yml").write_text("- {brand: [HKVitals]}", encoding="utf-8")
    with pytest.raises(
        ParamsError, match=r"entry 1: unknown key 'brand'\. Did you mean 'brands'\?"
    ):
        runs.read(tmp_path)
    (tmp_path / "params" / "runs.yml").write_text(
        "- brands: HKVitals\n  periods: [2025, 2025-Q1]", encoding="utf-8"
    )
    assert runs.read(tmp_path) == [runs.Run(("HKVitals",), ("2025", "2025-Q1"))]


def test_the_projects_own_runs_can_be_read():
    assert runs.read(ROOT)


# A site


def project(folder: Path) -> Path:
    """A project that shares nothing that is built with another."""
    for name in ("params", "notebooks"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("_quarto.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    return folder


def build(root: Path, data: Path, site: Path, **options):
    given = {
        "brands": "HKVitals,Gritzo",
        "periods": "2025-Q2",
        "engine": "pandoc",
        "formats": "html",
        "jobs": 2,
    } | options
    chosen = runs.of_words(given.pop("brands"), given.pop("periods"))
    return pipeline.build(data=data, site=site, root=root, chosen=chosen, **given)


def statuses(made) -> dict[str, str]:
    return {outcome.job.folder: outcome.status for outcome in made.outcomes}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A site of two brands, in a project of its own, with what was told on the way."""
    root = project(tmp_path_factory.mktemp("project"))
    data = exports.write(root / "exports")
    events: list = []
    summary = build(root, data, root / "_site", tell=events.append)
    return root, data, summary, events


@pytest.fixture(scope="module")
def site(made):
    return made[0] / "_site"


def test_site_holds_every_report_and_the_pages_around_them(made, site):
    _, _, summary, _ = made
    assert set(statuses(summary).values()) == {"built"}
    assert {"HKVitals/2025-Q2", "Gritzo/2025-Q2", "portfolio", "data"} <= set(statuses(summary))
    for folder in statuses(summary):
        assert (site / folder / "index.html").exists()
        assert (site / folder / "run.json").exists()
    assert {"index.html", "nav.js", "search.js", "home.js", "site.json"} <= {
        path.name for path in site.iterdir()
    }


def test_progress_counts_up_and_says_what_is_left(made):
    *_, events = made
    assert [event.done for event in events] == list(range(1, len(events) + 1))
    assert {event.total for event in events} == {len(events)}
    assert events[-1].left == 0.0
    assert events[0].left > 0


def test_manifest_names_inputs_and_reports_by_hash(made, site):
    _, data, _, _ = made
    told = json.loads((site / "site.json").read_text(encoding="utf-8"))
    assert told["inputs"] == store.files(data)
    assert str(data) not in (site / "site.json").read_text(encoding="utf-8")
    for entry in told["reports"]:
        assert entry["status"] == "ok"
        assert re.fullmatch(r"[0-9a-f]{64}", entry["run"])


def test_manifest_keeps_its_published_schema(site):
    schema = json.loads((CONTRACTS / "site.schema.json").read_text(encoding="utf-8"))
    told = json.loads((site / "site.json").read_text(encoding="utf-8"))
    jsonschema.validate(told, schema)
    assert set(told["pages"]) == {"explorer/index.html", *home.FILES}


def test_nothing_is_built_twice(made):
    root, data, _, _ = made
    again = build(root, data, root / "_site")
    assert set(statuses(again).values()) == {"cached"}


def test_a_missing_or_changed_file_is_made_again(made):
    root, data, _, _ = made
    page = root / "_site" / "HKVitals" / "2025-Q2" / "index.html"
    good = page.read_bytes()
    page.write_bytes(good + b"<!-- changed by hand -->")
    again = build(root, data, root / "_site")
    found = {folder for folder, status in statuses(again).items() if status == "built"}
    assert found == {"HKVitals/2025-Q2"}
    assert page.read_bytes() == good
    reasons = [each.reason for each in again.outcomes if each.status == "built"]
    assert reasons == ["index.html is missing or was changed"]


AROUND = ("explorer/index.html", *home.FILES)


@pytest.mark.parametrize("name", AROUND)
def test_a_broken_page_around_the_reports_is_refused_and_made_again(made, site, name):
    root, data, _, _ = made
    good = {each: (site / each).read_bytes() for each in (*AROUND, "site.json")}
    (site / name).write_bytes(good[name] + b"\n<!-- changed by hand -->")
    problems = sitecheck.examine(site, lambda words: set()).problems
    assert [str(each) for each in problems] == [f"{name}: is not the page that was built"]
    again = build(root, data, site)
    assert set(statuses(again).values()) == {"cached"}
    assert {each: (site / each).read_bytes() for each in good} == good
    assert sitecheck.examine(site, lambda words: set()).problems == ()


def test_settings_of_a_brand_without_a_report_reach_the_explorer(made, tmp_path):
    root, data, _, _ = made
    own = project(tmp_path / "project")
    shutil.copytree(root / "build" / "data", own / "build" / "data")
    site = shutil.copytree(root / "_site", tmp_path / "site")
    first = {"brands": "Gritzo"}
    build(own, data, site, **first)
    page = (site / "explorer" / "index.html").read_bytes()
    (own / "params" / "HKVitals.yml").write_text("targets: {roas: 7.125}", encoding="utf-8")
    again = statuses(build(own, data, site, **first))
    assert again["Gritzo/2025-Q2"] == "cached"
    changed = (site / "explorer" / "index.html").read_bytes()
    assert changed != page
    assert b"7.125" in changed
    build(own, data, site, **first)
    assert (site / "explorer" / "index.html").read_bytes() == changed


def test_a_report_built_by_itself_keeps_the_site_fit_to_be_published(made, tmp_path):
    # Nobody keeps it up to date, and no page may lead to what is not published.
    root, _, _, _ = made
    site = shutil.copytree(root / "_site", tmp_path / "site")
    report = site / "Gritzo" / "2025-Q2"
    kpis = json.loads((report / "kpis.json").read_text(encoding="utf-8"))
    shutil.copytree(report, site / "Gritzo" / "2025-Q1")
    kpis["period"] |= {"name": "2025-Q1", "start": "2025-01-01", "end": "2025-04-01"}
    (site / "Gritzo" / "2025-Q1" / "kpis.json").write_text(json.dumps(kpis), encoding="utf-8")
    home.refresh(site)
    examined = sitecheck.examine(site, lambda words: set())
    assert examined.problems == ()
    assert examined.left_out == ("Gritzo/2025-Q1",)
    for name in ("index.html", "nav.js", "search.js"):
        assert "Gritzo/2025-Q1" not in (site / name).read_text(encoding="utf-8")
    assert not home.leads_to(site, site / "Gritzo" / "2025-Q1")
    assert home.leads_to(site, report)
    told = json.loads((site / "site.json").read_text(encoding="utf-8"))
    assert told["pages"] == home.hashes(site, AROUND)
    # Without a site around it, it is all there is.
    (site / "site.json").unlink()
    home.refresh(site)
    assert home.leads_to(site, site / "Gritzo" / "2025-Q1")
    assert "Gritzo/2025-Q1" in (site / "index.html").read_text(encoding="utf-8")


def test_reports_of_other_exports_leave_the_pages_of_the_site(made, tmp_path):
    root, _, _, _ = made
    own, site = shutil.copytree(root, tmp_path / "own"), tmp_path / "own" / "_site"
    again = build(own, own / "exports", site, brands="Gritzo")
    assert again.beside == ["HKVitals/2025-Q2"]
    for name in ("index.html", "nav.js", "search.js"):
        text = (site / name).read_text(encoding="utf-8")
        assert "Gritzo/2025-Q2" in text
        assert "HKVitals/2025-Q2" not in text
    assert sitecheck.examine(site, lambda words: set()).problems == ()
    # Rubbish that is no report stops nothing either.
    (site / "X" / "2024").mkdir(parents=True)
    for name in ("kpis.json", "run.json", "index.html"):
        (site / "X" / "2024" / name).write_text("[]", encoding="utf-8")
    (site / "site.json").unlink()
    home.refresh(site)


def test_a_build_that_was_killed_after_its_reports_is_finished_by_the_next(made):
    # The reports are new, but explorer, home and manifest are those of the run before.
    root, data, _, _ = made
    site = root / "_site"
    names = ("explorer/index.html", "index.html", "site.json")
    good = {name: (site / name).read_bytes() for name in names}
    manifest = json.loads(good["site.json"])
    manifest["reports"][0]["run"] = "of the run before"
    (site / "site.json").write_text(json.dumps(manifest), encoding="utf-8")
    for name in names[:2]:
        (site / name).write_text("of the run before", encoding="utf-8")
    again = build(root, data, site)
    assert set(statuses(again).values()) == {"cached"}
    assert {name: (site / name).read_bytes() for name in names} == good


def test_deleting_what_is_kept_changes_nothing(made, site):
    root, data, _, _ = made
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    shutil.rmtree(root / "build")
    again = build(root, data, root / "_site")
    assert set(statuses(again).values()) == {"cached"}
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before


class _Links(HTMLParser):
    """Links and ids of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value and not value.startswith("data:"):
                self.links.append(value)
            if name == "id" and value:
                self.ids.add(value)


def test_every_link_is_relative_and_leads_somewhere(site):
    pages = {path: _Links(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    assert len(pages) >= 5
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            assert not parts.scheme, f"{path}: {link}"
            assert not parts.netloc
            assert not link.startswith("/")
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, f"{path}: {link}"


def test_home_shows_the_numbers_of_kpis_json(site):
    page = (site / "index.html").read_text(encoding="utf-8")
    # HKVitals: see test_report.py; Gritzo: 2,000 by an influencer and 500 organic.
    cells = re.findall(r'<a class="hk-cell".*?</a>', page)
    heard = [re.sub(r'<span[^>]*aria-hidden="true">.*?</span>', "", each) for each in cells]
    names = [re.sub("<[^>]*>", "", each) for each in heard]
    assert "HKVitals, 2025-Q2: revenue ₹10,600, no period before, ROAS 4.1×" in names
    assert any(name.startswith("Gritzo, 2025-Q2: revenue ₹2,500") for name in names)
    # What is seen is the name; a label of its own would hide it from who says what is seen.
    assert not re.search(r'<a class="hk-cell"[^>]*aria-label', page)
    assert "no period before" in page


def test_report_pages_do_not_name_each_other(site):
    page = (site / "HKVitals" / "2025-Q2" / "index.html").read_text(encoding="utf-8")
    assert "Gritzo/2025-Q2" not in page
    assert "Gritzo/2025-Q2" in (site / "nav.js").read_text(encoding="utf-8")


def test_stamp_of_the_page_is_in_run_json(site):
    folder = site / "HKVitals" / "2025-Q2"
    page = (folder / "index.html").read_text(encoding="utf-8")
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    found = re.search(
        r'<a href="run.json">Data ([0-9a-f]{12}) · hkreport \S+ code ([0-9a-f]{12})', page
    )
    assert found is not None
    assert run["data"]["hash"].startswith(found[1])
    assert run["code"]["hash"].startswith(found[2])


def test_search_finds_influencers_where_they_are(site):
    text = (site / "search.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("window.hkSearch = ").removesuffix(";\n"))
    terms = {(kind, words): places for kind, words, places in index["terms"]}
    with (site / "HKVitals" / "2025-Q2" / "data" / "influencers.csv").open(
        encoding="utf-8"
    ) as file:
        names = {row["influencer"] for row in csv.DictReader(file)}
    folders = [report["folder"] for report in index["reports"]]
    for name in names:
        assert folders.index("HKVitals/2025-Q2") in [
            place for place, _ in terms["Influencer", name.removeprefix("'")]
        ]


def test_data_cannot_end_the_scripts():
    kpis = {"brand": "</script><b>", "metrics": {}, "period": {}}
    entry = home.Entry("x/2025-Q2", "</script><b>", periods.parse("2025-Q2"), kpis, frozenset())
    assert "</script" not in home.navigation([entry])


def test_home_has_brands_where_people_look_for_them_and_all_together_last():
    def entry(brand, folder):
        kpis = {"brand": brand if folder != "all" else "all", "metrics": {}, "period": {}}
        at = f"{folder}/2025-Q2"
        return home.Entry(at, brand, periods.parse("2025-Q2"), kpis, frozenset())

    names = ["Zebra", "All brands", "Brand 10", "apple", "brand 9"]
    there = [entry(name, "all" if name == "All brands" else f"f-{name}") for name in names]
    page = home._grid(sorted(there, key=lambda each: each.order), [])
    shown = re.findall(r'<th scope="row">([^<]+)<', page)
    assert shown == ["apple", "brand 9", "Brand 10", "Zebra", "All brands"]


def test_home_says_that_there_are_no_orders_and_not_that_a_period_is_missing():
    kpis = {"brand": "A", "metrics": {"revenue": {"value": None, "previous": None}}, "period": {}}
    entry = home.Entry("A/2025-Q2", "A", periods.parse("2025-Q2"), kpis, frozenset())
    assert '<div class="hk-delta">no orders</div>' in home._cell(entry.period, [entry], None)


def test_home_says_of_an_unfinished_period_how_far_the_data_goes():
    figures = {"revenue": {"value": 520.0, "previous": None}}
    for told, words in (
        ({"data_to": "2025-04-24"}, "data to 24 Apr 2025"),
        ({}, "no period before"),
    ):
        kpis = {"brand": "A", "metrics": figures, "period": told}
        entry = home.Entry("A/2025-Q2", "A", periods.parse("2025-Q2"), kpis, frozenset())
        assert f'<div class="hk-delta">{words}</div>' in home._cell(entry.period, [entry], None)


@pytest.mark.parametrize(
    ("now", "before", "kind", "words"),
    [
        (520.0, 400.0, " up good", "+30.0%"),
        (520.0, 0.0, " up good", "₹0 in the period before"),
        (520.0, -80.0, " up good", "−₹80.00 in the period before"),
        (-520.0, -80.0, " down bad", "−₹80.00 in the period before"),
        (9737.0, 1.0, " up good", "9,737 times the period before"),
        (0.0, 0.0, " flat", "as in the period before"),
        (0.0, 400.0, " down bad", "−100%"),
        (520.0, None, "", "no period before"),
    ],
)
def test_home_words_a_change_as_the_report_does(now, before, kind, words):
    kpis = {"brand": "A", "metrics": {"revenue": {"value": now, "previous": before}}, "period": {}}
    entry = home.Entry("A/2025-Q2", "A", periods.parse("2025-Q2"), kpis, frozenset())
    assert f'<div class="hk-delta{kind}">{words}</div>' in home._cell(entry.period, [entry], None)


# What changes


def test_a_day_of_one_brand_builds_that_brand_and_what_depends_on_it(made, tmp_path):
    root, _, _, _ = made
    # A site of its own, so that the order of tests does not matter.
    data = exports.write(tmp_path / "exports")
    build(root, data, tmp_path / "site")
    # An organic order takes no part in allocation, and adds no problem.
    more = exports.TRACKING + "T9,organic,,,u9,Gritzo,SuperMilk,2025-06-30,3,900\n"
    exports.write(data, tracking=more)
    again = build(root, data, tmp_path / "site")
    found = statuses(again)
    assert found["Gritzo/2025-Q2"] == "built"
    assert found["HKVitals/2025-Q2"] == "cached"
    assert found["portfolio"] == "built"
    reasons = {outcome.job.folder: outcome.reason for outcome in again.outcomes}
    assert reasons["Gritzo/2025-Q2"] == "its own rows changed"


def test_a_failed_report_stops_nothing_and_is_named(made, tmp_path):
    root = project(tmp_path / "project")
    data = exports.write(tmp_path / "exports")
    path = root / "params" / "Gritzo.yml"
    path.write_text("small_base: 1\n", encoding="utf-8")
    notebook = json.loads((root / "notebooks" / "brand_report.ipynb").read_text(encoding="utf-8"))
    cell = {
        "cell_type": "code", "id": "broken", "metadata": {}, "outputs": [], "execution_count": None,
        "source": "assert report.brand != 'Gritzo', 'broken on purpose'",
    }  # fmt: skip
    notebook["cells"].insert(3, cell)
    (root / "notebooks" / "brand_report.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    again = build(root, data, tmp_path / "site")
    found = statuses(again)
    assert found["HKVitals/2025-Q2"] == "built"
    assert found["Gritzo/2025-Q2"] == "failed"
    (failure,) = again.failed
    assert "brand_report.ipynb stopped in cell 4 for Gritzo 2025-Q2" in failure.reason
    named = re.search(r"The half-built notebook is (\S+)\.$", failure.reason)
    assert named is not None
    assert (root / named[1]).exists()
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "1 report could not be built" in page
    assert "broken on purpose" in page
    told = json.loads((tmp_path / "site" / "site.json").read_text(encoding="utf-8"))
    assert [each["status"] for each in told["reports"] if each["brand"] == "Gritzo"] == ["failed"]
    # What failed is tried again.
    assert statuses(build(root, data, tmp_path / "site"))["Gritzo/2025-Q2"] == "failed"


class Ending(Executor):
    """Workers that are ended while they are several, and whenever they are at one of the reports."""

    def __init__(self, workers):
        self.workers = workers

    def submit(self, call, job, place):
        future = Future()
        if self.workers > 1 or job.subject == "Gritzo":
            future.set_exception(BrokenProcessPool())
        else:
            future.set_result((None, 1.0))
        return future


def test_a_process_that_is_ended_takes_no_other_report_with_it(monkeypatch, tmp_path):
    # As where memory has run out: one pool for all of them is lost as a whole.
    @contextlib.contextmanager
    def workers(executor, jobs):
        yield Ending(jobs)

    monkeypatch.setattr(pipeline, "_workers", workers)
    names = ("HKVitals", "Gritzo", "MuscleBlaze")
    jobs = [
        SimpleNamespace(folder=name, subject=name, engine="pandoc", root=tmp_path) for name in names
    ]
    course = pipeline._Course(len(jobs), 2, lambda event: None)
    stale = [(SimpleNamespace(job=job), "why") for job in jobs]
    pipeline._build(stale, course, jobs=2, executor="", say=print)
    found = {name: each.status for name, each in course.outcomes.items()}
    assert found == {"HKVitals": "built", "Gritzo": "failed", "MuscleBlaze": "built"}
    assert course.outcomes["Gritzo"].reason.startswith(
        "Gritzo: a process of the build was ended from outside. Most often memory has run out"
    )


def test_an_empty_slice_is_no_failure_unless_it_was_named(made, tmp_path):
    root, _, _, _ = made
    text = exports.TRACKING + "T9,organic,,,u9,HKVitals,Biotin,2025-09-30,3,900\n"
    data = exports.write(tmp_path / "exports", tracking=text)
    found = statuses(build(root, data, tmp_path / "site", brands="Gritzo", periods="2025-Q3"))
    assert found["Gritzo/2025-Q3"] == "failed"
    found = statuses(build(root, data, tmp_path / "site", brands="all", periods="2025-Q3"))
    assert found["Gritzo/2025-Q3"] == "empty"
    assert found["HKVitals/2025-Q3"] == "built"


def test_unknown_executor_is_refused(made, tmp_path):
    root, data, _, _ = made
    with pytest.raises(UsageError, match="--executor is 'spark://x'; allowed: dask://HOST:PORT"):
        build(root, data, tmp_path / "site", executor="spark://x")


def test_a_dask_cluster_builds_the_same_bytes(made, tmp_path):
    distributed = pytest.importorskip("distributed")
    root, data, _, _ = made
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    )
    with cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        again = build(
            root, data, tmp_path / "site", executor=f"dask://{address}", brands="HKVitals"
        )
    assert not again.failed
    there, here = tmp_path / "site" / "HKVitals", root / "_site" / "HKVitals"
    for path in sorted(here.rglob("*")):
        if path.is_file():
            assert (there / path.relative_to(here)).read_bytes() == path.read_bytes(), path.name


# In a browser


@pytest.fixture(scope="module")
def chromium(request):
    from conftest import _chromium

    path = _chromium()
    if path is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    with browser.chromium(path) as running:
        yield running


@pytest.fixture
def page(chromium):
    made = browser.watched(chromium.new_page(viewport={"width": 1280, "height": 900}))
    yield made
    made.close()


def test_home_works_from_disk_without_complaint(page, site):
    page.goto((site / "index.html").as_uri())
    page.fill("#search", "asha")
    page.wait_for_selector("#found li a")
    assert "Asha Rao" in page.inner_text("#found")
    assert page.inner_text("#said").endswith("found")
    page.click("#found li a")
    page.wait_for_url("**/2025-Q2/index.html*")
    assert page.complaints == []
    assert all(url.startswith("file://") for url in page.requests)


def test_report_leads_to_the_other_brand(page, site):
    page.goto((site / "HKVitals" / "2025-Q2" / "index.html").as_uri())
    page.select_option(".hk-site select", label="Gritzo")
    page.wait_for_url("**/Gritzo/2025-Q2/index.html")
    page.click("text=All reports")
    page.wait_for_url("**/index.html")
    assert page.title() == "Influencer reports"
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_home_is_accessible(page, site, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto((site / "index.html").as_uri())
    assert browser.axe(page) == []
    page.set_viewport_size({"width": 375, "height": 800})
    assert browser.axe(page) == []
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 375


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_report_can_be_read_at_any_width(page, site, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto((site / "HKVitals" / "2025-Q2" / "index.html").as_uri())
    # 9 points are the smallest letters of a chart; below 11 px few people read them.
    heights = page.evaluate(
        """[...document.querySelectorAll("svg.hk-chart text")].filter((text) => text.textContent.trim() && text.checkVisibility())
           .map((text) => text.getScreenCTM().a * parseFloat(getComputedStyle(text).fontSize))"""
    )
    assert heights
    assert min(heights) >= 11
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("tab").last.click()
    page.wait_for_timeout(200)
    scrolls = page.locator(".hk-wide").evaluate_all(
        "boxes => boxes.map((box) => [box.scrollWidth > box.clientWidth + 1, box.tabIndex === 0])"
    )
    assert all(wide == reached for wide, reached in scrolls)
    assert any(wide for wide, _ in scrolls) == (width < 500)
    assert browser.axe(page) == []


def test_home_can_be_used_with_a_finger(page, site):
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto((site / "index.html").as_uri())
    page.evaluate(
        """document.querySelector(".hk-files").append(...["PDF", "Summary"].map(
            words => Object.assign(document.createElement("a"), {href: "x.pdf", textContent: words})))"""
    )
    sizes = page.locator(".hk-files a").evaluate_all(
        "links => links.map(link => link.getBoundingClientRect()).map(box => [box.width, box.height])"
    )
    assert sizes
    assert min(side for size in sizes for side in size) >= 44


def test_home_is_readable_without_scripts(chromium, site):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    page.click("a.hk-cell >> nth=0")
    page.wait_for_url("**/2025-Q2/index.html")
    context.close()


# Served


def test_server_shows_the_site_to_this_machine_only(site):
    import threading
    import urllib.request

    with serve.open_server(site, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host, port = server.server_address[:2]
        assert host == "127.0.0.1"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            assert b"Influencer reports" in answer.read()
        server.shutdown()


def test_server_without_a_site_says_how_to_build_one(tmp_path):
    with pytest.raises(UsageError, match="There is no site in"):
        serve.open_server(tmp_path, 0)


@pytest.mark.parametrize("number", [1, 2])
def test_a_report_on_which_quarto_fails_is_failed_alone_and_among_others(
    number, tmp_path, monkeypatch
):
    """One alone was once counted as built, without a page."""

    def made_of(name):
        job = SimpleNamespace(folder=name, subject=name, root=tmp_path, engine="quarto")
        return SimpleNamespace(job=job)

    def refuse(group, engine, work):
        work.mkdir(parents=True, exist_ok=True)
        (work / "quarto.log").write_text(f"{len(group)}")
        if any(each.job.folder == "bad" for each, _, _ in group):
            raise RenderError("Quarto stopped.", next_step=f"See {work / 'quarto.log'}.")

    collected = []
    monkeypatch.setattr(pipeline.render, "choose_engine", lambda name: None)
    monkeypatch.setattr(pipeline, "_render_together", refuse)
    monkeypatch.setattr(pipeline, "collect", lambda made: collected.append(made.job.folder))
    course = pipeline._Course(number, 1, lambda event: None)
    waiting = [(made_of(name), "", 1.0) for name in ("good", "bad")[-number:]]
    pipeline._render(waiting, course, tmp_path / "work")
    assert {name: each.status for name, each in course.outcomes.items()} == (
        {"bad": "failed"} | ({"good": "built"} if number == 2 else {})
    )
    assert collected == (["good"] if number == 2 else [])
    assert (tmp_path / "build" / "failed" / "bad" / "quarto.log").read_text() == "1"
    assert "build/failed/bad/quarto.log" in course.outcomes["bad"].reason
