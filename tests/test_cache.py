"""What a report is made of: any change of any of it changes a digest, and nothing else does."""

import csv
import dataclasses
import io
import json
import os
import re
import shutil
import tomllib
from datetime import date
from pathlib import Path

import exports
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from hkreport import params, periods, store
from hkreport.pipeline import cache

ROOT = Path(__file__).parents[1]
# Module and how often it takes the whole ledger, not only its bounds and names.
READ_PAST: dict[str, int] = {
    "evidence/arms.py": 6,
    "evidence/attribution.py": 1,
    "evidence/counterfactual.py": 1,
    "evidence/journeys.py": 1,
    "evidence/planning.py": 2,
    "evidence/reading.py": 1,
    "views/quality.py": 2,
    "views/report.py": 9,  # who is ever paid counts with the payouts; what limits of the price hide is of its own rows; five are of a command
}
# Module and how often it takes a table beside the ledger.
READ_BESIDE = {
    "evidence/arms.py": 1,
    "evidence/assigned.py": 2,  # of an experiment's days and the week before
    "evidence/attribution.py": 1,
    "evidence/counterfactual.py": 1,
    "evidence/incrementality.py": 1,
    "evidence/journeys.py": 2,
}
BRANDS = ("HKVitals", "Gritzo", None)


def digests(folder: Path, root: Path, brand: str | None = "HKVitals", period: str = "2025-Q2"):
    chosen = params.load(brand, root=ROOT)
    data = store.open_data(folder, chosen, root=root)
    return cache.data_digests(data, chosen, brand, periods.parse(period))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project of its own, so that what is kept is made here."""
    made = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "params", made / "params")
    shutil.copy(ROOT / "_quarto.yml", made)
    return made


@pytest.fixture(scope="module")
def before(root, tmp_path_factory):
    folder = exports.write(tmp_path_factory.mktemp("exports"))
    return {brand: digests(folder, root, brand) for brand in BRANDS}


def written(folder: Path, name: str, rows: list[list[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def table(name: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(getattr(exports, name.upper()))))


def cells(name: str, *columns: str) -> list[tuple[str, int, str]]:
    """Every cell of some columns: table, row and column."""
    return [(name, row, column) for row in range(1, len(table(name))) for column in columns]


# Everything that a number of HKVitals' report can come from, and the other brand's rows.
CHANGES = st.sampled_from(
    [
        *cells("tracking", "orders", "revenue"),
        *cells("posts", "reach", "likes"),
        *cells("payouts", "total_payout"),
        *cells("influencers", "followers", "category"),
    ]
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=CHANGES, factor=st.integers(2, 9))
def test_any_change_of_any_cell_is_noticed_by_who_reads_it(
    change, factor, root, before, tmp_path_factory
):
    name, row, column = change
    rows = table(name)
    place = rows[0].index(column)
    old = rows[row][place]
    rows[row][place] = str(int(old) * factor + 1) if old.isdigit() else f"{old}x"
    folder = exports.write(tmp_path_factory.mktemp("changed"), **{name: written(ROOT, name, rows)})
    after = {brand: digests(folder, root, brand) for brand in BRANDS}
    # The report on everything reads everything.
    assert "rows" in cache.changed(before[None], after[None])
    if name == "tracking":
        brand = rows[row][rows[0].index("brand")]
        assert "rows" in cache.changed(before[brand], after[brand])


def test_order_of_rows_and_spelling_of_numbers_change_nothing(root, before, tmp_path):
    rows = table("tracking")
    place = rows[0].index("revenue")
    shuffled = [rows[0], *([*row[:place], f"{row[place]}.00"] for row in reversed(rows[1:]))]
    folder = exports.write(tmp_path, tracking=written(tmp_path, "tracking", shuffled))
    after = digests(folder, root)
    assert {n: v for n, v in after.items() if n != "quality"} == {
        n: v for n, v in before["HKVitals"].items() if n != "quality"
    }


def test_another_brands_organic_orders_leave_a_report_alone(root, before, tmp_path):
    # Organic orders take no part in allocation, so that nothing of HKVitals moves.
    more = exports.TRACKING + "T9,organic,,,u9,Gritzo,SuperMilk,2025-05-01,3,900\n"
    folder = exports.write(tmp_path, tracking=more)
    hkvitals = cache.changed(before["HKVitals"], digests(folder, root, "HKVitals"))
    gritzo = cache.changed(before["Gritzo"], digests(folder, root, "Gritzo"))
    assert "rows" in gritzo
    assert set(hkvitals) <= {"quality"}


def test_another_brands_orders_count_where_they_share_an_influencers_payout(root, before, tmp_path):
    # Influencer 2 is paid by the order: orders for Gritzo take spend away from HKVitals.
    more = exports.TRACKING + "T9,influencer,GZ_Kids,2,u9,Gritzo,SuperMilk,2025-05-01,5,900\n"
    folder = exports.write(tmp_path, tracking=more)
    assert "rows" in cache.changed(before["HKVitals"], digests(folder, root, "HKVitals"))


def test_exports_put_into_a_folder_of_the_folder_are_told_of_when_they_come(root, before, tmp_path):
    """What was said before they came is of the same files, but no longer all there is to say."""
    folder = exports.write(tmp_path / "exports")
    chosen = params.load(None, root=root)
    told = [store.open_check(folder, chosen, root=root)["files_not_used"]]
    (folder / "May 2025").mkdir()
    (folder / "May 2025" / "orders.csv").write_text("date,orders,revenue\n", encoding="utf-8")
    told.append(store.open_check(folder, chosen, root=root)["files_not_used"])
    assert told == [[], ["May 2025/"]]


def test_later_orders_leave_closed_periods_alone(root, before, tmp_path):
    more = exports.TRACKING + "T9,organic,,,u9,HKVitals,Biotin,2025-08-01,3,900\n"
    folder = exports.write(tmp_path, tracking=more)
    closed = cache.changed(before["HKVitals"], digests(folder, root, "HKVitals"))
    assert set(closed) <= {"quality", "whole data"}
    assert digests(folder, root, "HKVitals", "2025-Q3")["rows"] != cache.NO_ROWS


def test_a_row_twice_is_not_a_row_once(root, before, tmp_path):
    line = exports.TRACKING.splitlines()[-1].replace("T8", "T80")
    folder = exports.write(tmp_path, tracking=exports.TRACKING + line + "\n")
    assert "rows" in cache.changed(before["Gritzo"], digests(folder, root, "Gritzo"))


def test_empty_slice_is_told_from_a_full_one(root, tmp_path):
    folder = exports.write(tmp_path)
    assert digests(folder, root, "HKVitals", "2024-Q2")["rows"] == cache.NO_ROWS
    assert digests(folder, root, "HKVitals")["rows"] != cache.NO_ROWS


def test_brand_with_a_quote_in_its_name_is_read_as_a_name(root, tmp_path):
    text = exports.TRACKING.replace("Gritzo", "Grit'zo -- x")
    folder = exports.write(tmp_path, tracking=text, posts="")
    found = digests(folder, root, "Grit'zo -- x")
    assert found["rows"] != cache.NO_ROWS


# Tables beside the ledger

TOUCHPOINTS = """user_id,timestamp,influencer_id,post_id,platform,touch
u1,2025-04-04 10:00:00,1,P1,Instagram,click
u3,2025-05-19 10:00:00,1,P2,Instagram,click
u5,2025-06-29 10:00:00,3,P9,Instagram,view
"""
# Influencer 5 has to do with Gritzo alone.
PEOPLE = exports.INFLUENCERS + "5,Only Gritzo,Fitness,Female,9100,YouTube\n"
SOLD = exports.TRACKING + "T9,influencer,GZ_Kids,5,u9,Gritzo,SuperMilk,2025-05-20,1,500\n"
POSTED = exports.POSTS + "P5,5,YouTube,2025-05-02,Milk,5000,200,10,Gritzo\n"
ASSIGNED = """unit_id,arm,unit_type,date
u1,treatment,user,2025-05-01
u2,control,user,2025-05-01
"""
WHOLE = {
    "influencers": PEOPLE, "tracking": SOLD, "posts": POSTED, "touchpoints": TOUCHPOINTS,
    "assignments": ASSIGNED,
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    """Digests of a folder with all tables."""
    folder = exports.write(tmp_path_factory.mktemp("whole"), **WHOLE)
    return {brand: digests(folder, root, brand) for brand in BRANDS}


@pytest.mark.parametrize(
    "more",
    [
        {"posts": POSTED + "P6,5,YouTube,2025-05-03,More milk,5100,210,11,Gritzo\n"},
        {"posts": POSTED.replace("5000,200,10", "5000,201,10")},
        {"touchpoints": TOUCHPOINTS + "u9,2025-05-19 10:00:00,5,P5,YouTube,click\n"},
        # In front, so that the numbers of the lines behind it move.
        {"touchpoints": TOUCHPOINTS.replace("u1,", "u9,2025-05-19 10:00:00,5,P5,YouTube,click\nu1,", 1)},
        {"influencers": PEOPLE.replace("Only Gritzo", "Gritzo Only")},
        {"influencers": PEOPLE.replace("9100", "910000")},
    ],
)  # fmt: skip
def test_another_brands_influencers_leave_a_report_alone(more, root, whole, tmp_path):
    folder = exports.write(tmp_path, **(WHOLE | more))
    assert cache.changed(whole["HKVitals"], digests(folder, root, "HKVitals")) == []
    assert cache.changed(whole["Gritzo"], digests(folder, root, "Gritzo"))
    assert cache.changed(whole[None], digests(folder, root, None))


@pytest.mark.parametrize(
    "more",
    [
        # A touch more, at another time, of no known post, and on the first day that counts.
        {"touchpoints": TOUCHPOINTS + "u2,2025-05-14 10:00:00,1,P1,Instagram,click\n"},
        {"touchpoints": TOUCHPOINTS.replace("2025-04-04 10", "2025-04-04 11")},
        {"touchpoints": TOUCHPOINTS + "u2,2025-05-14 10:00:00,5,,YouTube,click\n"},
        # The post of a touch: what it got, whose it is, and whether it is known at all.
        {"posts": POSTED.replace("400000,9000", "400000,9001")},
        {"posts": POSTED.replace("300,HKVitals", "300,Gritzo")},
        {"posts": POSTED + "P9,5,YouTube,2025-05-03,More milk,5100,210,11,Gritzo\n"},
        {"posts": POSTED + "P9,5,YouTube,2025-05-03,More milk,5100,210,11,\n"},
        # A post of hers for another brand, since nothing says which of her posts an order is due to.
        {"posts": POSTED.replace("280,Gritzo", "281,Gritzo")},
        {"posts": ""},
        {"touchpoints": ""},
        {"assignments": ""},
    ],
)
def test_what_a_report_reads_beside_the_ledger_counts(more, root, whole, tmp_path):
    folder = exports.write(tmp_path, **(WHOLE | more))
    names = cache.changed(whole["HKVitals"], digests(folder, root, "HKVitals"))
    assert {"tables", "whole data"} & set(names)


def test_touches_before_the_windows_and_after_the_period_leave_it_alone(root, whole, tmp_path):
    far = (
        "u2,2024-01-01 10:00:00,1,P1,Instagram,click\nu2,2025-07-01 10:00:00,1,P1,Instagram,click\n"
    )
    folder = exports.write(tmp_path, **(WHOLE | {"touchpoints": TOUCHPOINTS + far}))
    assert "tables" not in cache.changed(whole["HKVitals"], digests(folder, root, "HKVitals"))


def test_assignments_count_where_an_experiment_is_read(root, whole, tmp_path, monkeypatch):
    text = ASSIGNED.replace("u2,control", "u2,treatment")
    folder = exports.write(tmp_path, **(WHOLE | {"assignments": text}))
    late = exports.write(
        tmp_path / "late", **(WHOLE | {"assignments": ASSIGNED + "u9,control,user,2025-09-01\n"})
    )
    chosen = params.load("HKVitals", root=ROOT)
    plan = params.Experiment(
        name="May",
        start=date(2025, 5, 1),
        end=date(2025, 5, 31),
        share=0.5,
        randomised=True,
    )

    def found(place, plans):
        monkeypatch.setattr(cache, "_plans", lambda *_: plans)
        data = store.open_data(place, chosen, root=root)
        return cache._read_digests(data, chosen, "HKVitals", periods.parse("2025-Q2"))["tables"]

    plain = exports.write(tmp_path / "plain", **WHOLE)
    assert found(plain, []) == found(folder, []) == found(late, [])
    assert found(plain, [plan]) != found(folder, [plan])
    assert found(plain, [plan]) == found(late, [plan])
    for day, counts in (("2025-04-24", True), ("2025-04-23", False)):
        text = f"{ASSIGNED}u9,control,user,{day}\n"
        early = exports.write(tmp_path / day, **(WHOLE | {"assignments": text}))
        assert (found(plain, [plan]) != found(early, [plan])) is counts


def test_who_sells_and_is_paid_elsewhere_alone_counts(root, tmp_path):
    header, *lines = exports.PAYOUTS.splitlines()
    rows = [f"{header},brand,date", *(f"{line},," for line in lines)]
    found = []
    # Influencer 4 sold for HKVitals; what she is paid is for another brand and year.
    for paid in (0, 500):
        payouts = "\n".join([*rows, f"4,post,,,{paid},Gritzo,2024-02-05", ""])
        folder = exports.write(tmp_path / str(paid), **WHOLE, payouts=payouts)
        found.append(digests(folder, root))
    assert "payouts" in cache.changed(*found)
    assert "rows" not in cache.changed(*found)


# Customers

MAY = params.Experiment(
    name="May", start=date(2025, 5, 1), end=date(2025, 5, 31), share=0.5, randomised=True
)


def whole_digests(place: Path, root: Path, patch: pytest.MonkeyPatch, **more: str):
    """Digests of all tables in a folder, assignments included, of which an experiment is read."""
    patch.setattr(cache, "_plans", lambda *_: [MAY])
    folder = exports.write(place, **(WHOLE | more))
    chosen = params.load("HKVitals", root=ROOT)
    data = store.open_data(folder, chosen, root=root)
    return cache._read_digests(data, chosen, "HKVitals", periods.parse("2025-Q2"))


def test_other_names_and_another_key_for_all_customers_change_nothing(root, tmp_path, monkeypatch):
    shutil.copytree(root / "params", tmp_path / "other" / "params")
    renamed = {name: re.sub(r"\bu([1-9])\b", lambda found: f"buyer-{97 - int(found[1])}", WHOLE[name])
               for name in ("tracking", "touchpoints", "assignments")}  # fmt: skip
    assert "buyer-96" in renamed["assignments"]
    found = whole_digests(tmp_path / "same", root, monkeypatch)
    assert found == whole_digests(tmp_path / "same", tmp_path / "other", monkeypatch)
    assert found == whole_digests(tmp_path / "new", root, monkeypatch, **renamed)


@pytest.mark.parametrize(
    "more",
    [
        # An order of another customer, or of one who was never heard of, where hers had touches and an arm.
        {"tracking": SOLD.replace("1,u1,HKVitals", "1,u2,HKVitals")},
        {"tracking": SOLD.replace("1,u1,HKVitals", "1,u99,HKVitals")},
        {"tracking": SOLD.replace("u7,HKVitals", "u5,HKVitals")},
        {"touchpoints": TOUCHPOINTS.replace("u1,", "u5,")},
        {"assignments": ASSIGNED.replace("u1,", "u4,")},
    ],
)
def test_what_is_one_customers_counts(more, root, tmp_path, monkeypatch):
    before = whole_digests(tmp_path / "before", root, monkeypatch)
    after = whole_digests(tmp_path / "after", root, monkeypatch, **more)
    found = cache.changed(before, after)
    assert "customers" in found
    assert set(found) <= {"customers", "rows"}  # an order has the arm of its customer


def test_customers_who_swap_all_they_did_are_the_same_two(root, tmp_path, monkeypatch):
    swapped = (
        WHOLE["tracking"].replace("1,u1,", "1,ux,").replace("1,u2,", "1,u1,").replace("ux", "u2")
    )
    touches, arms = (
        WHOLE[name].replace("u1,", "ux,").replace("u2,", "u1,").replace("ux,", "u2,")
        for name in ("touchpoints", "assignments")
    )
    before = whole_digests(tmp_path / "before", root, monkeypatch)
    both = {"tracking": swapped, "touchpoints": touches, "assignments": arms}
    assert cache.changed(before, whole_digests(tmp_path / "all", root, monkeypatch, **both)) == []
    both.pop("touchpoints")
    after = whole_digests(tmp_path / "some", root, monkeypatch, **both)
    assert cache.changed(before, after) == ["customers"]


# What is not data


def fixed(tmp_path: Path, **given):
    body = {
        "parameters": {"brand": "HKVitals", "period": "2025-Q2", "data": "x"},
        "engine": {"name": "pandoc", "versions": {"typst": "0.15"}},
    } | given
    return cache.fixed(
        body["parameters"],
        root=ROOT,
        notebooks=given.get("notebooks", [ROOT / "notebooks" / "summary.ipynb"]),
        engine=body["engine"],
    )


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"parameters": {"brand": "Gritzo", "period": "2025-Q2"}}, "parameters"),
        ({"parameters": {"brand": "HKVitals", "period": "2025-Q3"}}, "parameters"),
        ({"engine": {"name": "pandoc", "versions": {"typst": "0.16"}}}, "engine"),
        ({"engine": {"name": "quarto", "versions": {"typst": "0.15"}}}, "engine"),
    ],
)
def test_parameters_and_engine_count(tmp_path, changed, name):
    assert cache.changed(fixed(tmp_path), fixed(tmp_path, **changed)) == [name]


def test_folder_of_the_data_does_not_count(tmp_path):
    moved = {"brand": "HKVitals", "period": "2025-Q2", "data": "elsewhere"}
    assert fixed(tmp_path) == fixed(tmp_path, parameters=moved)


def test_a_byte_of_a_notebook_counts(tmp_path):
    copy = tmp_path / "summary.ipynb"
    text = (ROOT / "notebooks" / "summary.ipynb").read_text(encoding="utf-8")
    copy.write_text(text + "\n", encoding="utf-8")
    assert cache.changed(fixed(tmp_path), fixed(tmp_path, notebooks=[copy])) == ["notebooks"]


def test_every_setting_counts():
    chosen = params.load("HKVitals", root=ROOT)
    digest = cache.settings_part(chosen, "HKVitals", ROOT)
    other = chosen.model_copy(update={"small_base": chosen.small_base + 1})
    assert cache.settings_part(other, "HKVitals", ROOT) != digest
    later = chosen.model_copy(update={"as_of": date(2025, 1, 1)})
    assert cache.settings_part(later, "HKVitals", ROOT) != digest


def test_all_brands_together_read_the_settings_of_each(root):
    chosen = params.load(None, root=root)
    path = root / "params" / "Gritzo.yml"
    kept = path.read_text(encoding="utf-8")
    before = [cache.settings_part(chosen, brand, root) for brand in (None, "HKVitals")]
    try:
        changed = yaml.safe_load(kept) or {}
        changed.setdefault("experiments", {})["calibration_days"] = 3
        path.write_text(yaml.safe_dump(changed), encoding="utf-8")
        after = [cache.settings_part(chosen, brand, root) for brand in (None, "HKVitals")]
    finally:
        path.write_text(kept, encoding="utf-8")
    assert before[0] != after[0]
    assert before[1] == after[1]


@pytest.mark.parametrize(
    ("pattern", "known"),
    [
        (r"data\.ledger(?!\.(?:first|last|step|known|counted_by|values)\b)", READ_PAST),
        (r"data\.table\(", READ_BESIDE),
    ],
)
def test_modules_that_read_past_their_report_are_known_here(pattern, known):
    # cache._read_digests covers what these read. Another one, or a new read in one of these, has to be
    # looked at there: what it reads must be among the digests, or a report could be stale.
    package = ROOT / "hkreport"
    found = {}
    for part in ("evidence", "insights", "views", "charts", "tables"):
        for path in sorted([*package.glob(f"{part}.py"), *package.glob(f"{part}/*.py")]):
            text = path.read_text(encoding="utf-8")
            count = len(re.findall(pattern, text))
            if count:
                found[path.relative_to(package).as_posix()] = count
    assert found == known


def test_digests_are_kept_and_forgotten_with_the_code(root, tmp_path, monkeypatch):
    folder = exports.write(tmp_path)
    first = digests(folder, root)
    monkeypatch.setattr(cache, "_read_digests", lambda *_: pytest.fail("read again"))
    assert digests(folder, root) == first
    monkeypatch.undo()
    monkeypatch.setattr(cache, "code", lambda: "another")
    read = []
    real = cache._read_digests
    monkeypatch.setattr(cache, "_read_digests", lambda *a: read.append(1) or real(*a))
    assert digests(folder, root) == first
    assert read == [1]


SPOILT_DIGESTS = {
    "no mapping": lambda told: {name: 5 for name in told if name != "of"} | {"of": told["of"]},
    "a part of it": lambda told: {name: {} for name in told if name != "of"} | {"of": told["of"]},
    "of another ledger": lambda told: told | {"of": ["another", told["of"][1]]},
    "a list": list,
}


@pytest.mark.parametrize("spoil", SPOILT_DIGESTS.values(), ids=SPOILT_DIGESTS)
def test_kept_digests_that_were_spoilt_are_read_again(spoil, root, tmp_path):
    folder = exports.write(tmp_path)
    first = digests(folder, root)
    kept = store.open_data(folder, params.load(None, root=ROOT), root=root).kept / "slices.json"
    kept.write_text(json.dumps(spoil(json.loads(kept.read_text("utf-8")))), encoding="utf-8")
    assert cache.kept_digests(kept.parent) == {}
    assert digests(folder, root) == first


# Outputs


@pytest.fixture
def report(tmp_path):
    (tmp_path / "index.html").write_text("page", encoding="utf-8")
    outputs = {"index.html": cache.file_hash(tmp_path / "index.html")}
    return tmp_path, outputs


def test_outputs_as_they_were_made_are_whole(report):
    folder, outputs = report
    seen: dict = {}
    assert cache.is_whole(folder, outputs, seen) == ""
    assert cache.is_whole(folder, outputs, seen) == ""


def test_missing_and_changed_outputs_are_named(report):
    folder, outputs = report
    seen: dict = {}
    cache.is_whole(folder, outputs, seen)
    (folder / "index.html").write_text("PAGE", encoding="utf-8")  # as long as before
    assert cache.is_whole(folder, outputs, seen) == "index.html"
    (folder / "index.html").unlink()
    assert cache.is_whole(folder, outputs, seen) == "index.html"


def test_an_output_that_was_edited_and_dated_back_is_noticed(report):
    folder, outputs = report
    seen: dict = {}
    page = folder / "index.html"
    cache.is_whole(folder, outputs, seen)
    before = page.stat()
    with page.open("r+", encoding="utf-8") as stream:
        stream.write("PAGE")  # as long, in the same file
    os.utime(page, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cache.is_whole(folder, outputs, seen) == "index.html"


@pytest.mark.parametrize("memory", [5, [], ["page"], None])
def test_a_memory_of_outputs_that_was_spoilt_is_no_memory(report, memory):
    folder, outputs = report
    assert cache.is_whole(folder, outputs, {str(folder / "index.html"): memory}) == ""
    (folder / "index.html").unlink()
    (folder / "index.html").mkdir()
    assert cache.is_whole(folder, outputs, {}) == "index.html"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"ingredients": [], "outputs": {}}'])
def test_run_json_that_was_spoilt_tells_nothing(tmp_path, text):
    (tmp_path / "run.json").write_text(text, encoding="utf-8")
    assert cache.run_of(tmp_path) == {}
    whole = {"ingredients": {"rows": "a"}, "outputs": {}}
    (tmp_path / "run.json").write_text(json.dumps(whole), encoding="utf-8")
    assert cache.run_of(tmp_path) == whole


def test_job_fields_are_all_frozen():
    from hkreport.pipeline.report import Job

    assert Job.__dataclass_params__.frozen
    assert {field.name for field in dataclasses.fields(Job)} >= {"parameters", "key", "engine"}


def test_of_a_large_ledger_any_change_is_a_change_of_every_report(monkeypatch, tmp_path, root):
    folder = exports.write(tmp_path / "exports")
    chosen = params.load("HKVitals", root=ROOT)
    data = store.open_data(folder, chosen, root=root)

    def found():
        return cache._read_digests(data, chosen, "HKVitals", periods.parse("2025-Q2"))

    assert data.key not in found().values()
    monkeypatch.setattr(cache, "LOOKED_AT", int(data.ledger.rows.count().to_pandas()) - 1)
    assert {found()[name] for name in (*cache.ROWS, "payouts", "tables", "whole data")} == {
        data.key
    }


# What of the dependencies shapes no report, or is known otherwise.
OTHERWISE = {
    "nbclient": "runs what papermill is told", "nbformat": "", "ipykernel": "",
    "pypandoc_binary": "its version is the engine's", "typst": "its version is the engine's",
    "python-calamine": "what it reads are the rows", "openpyxl": "what it reads are the rows",
    "pydantic": "what it reads are the settings", "PyYAML": "what it reads are the settings",
    "typer": "", "rich": "", "css-inline": "mail", "ghp-import": "publishing", "faker": "simulation",
}  # fmt: skip


def test_every_dependency_is_known_to_shape_reports_or_not_to():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {Requirement(each).name for each in project["dependencies"]}
    assert names - set(cache.PACKAGES) == set(OTHERWISE)
