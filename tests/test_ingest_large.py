"""A large file is surveyed instead of staged: what is said about it must be the same in every word."""

import json
import random
import re
import shutil
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ingest_fixtures import BRANDS, INFLUENCERS, PAYOUTS, POSTS, write

from hkreport import ingest, ledger, params, store
from hkreport.ingest import (
    contradictions,
    distinct,
    plain,
    plans,
    read,
    spelling,
    stage,
    survey,
    verdicts,
)

_stage_plain = stage._stage_plain

HEADER = (
    "tracking_id,source,campaign,influencer_id,user_id,brand,product,city,date,orders,revenue,"
    "is_new_customer"
)


def rows(count=400, seed=3, **changes):
    """Orders as an export has them; `changes` gives a column's cell from the number of the row."""
    draw = random.Random(seed)
    lines = [HEADER]
    for at in range(count):
        paid = draw.random() < 0.7
        brand = draw.choice(("HKVitals", "Gritzo"))
        cells = {
            "tracking_id": f"T{at}",
            "source": "influencer" if paid else "organic",
            "campaign": f"{brand}_Glow" if paid else "",
            "influencer_id": draw.choice(("INF_1", "INF_2", "INF_3")) if paid else "",
            "user_id": f"U{draw.randrange(10**6)}",
            "brand": brand,
            "product": draw.choice(("Biotin", "Whey", "Collagen")),
            "city": draw.choice(("Pune", "Kochi")),
            "date": str(date(2025, 4, 10) + timedelta(days=draw.randrange(200))),
            "orders": str(draw.randrange(1, 5)),
            "revenue": f"{draw.randrange(1, 10**6) / 100:.2f}",
            "is_new_customer": draw.choice(("true", "false")),
        }
        cells |= {name: change(at, cells[name]) for name, change in changes.items()}
        lines.append(",".join(cells.values()))
    return "\n".join(lines) + "\n"


CASES = {
    "clean": {},
    "returns and zero revenue": {
        "revenue": lambda at, old: "-20.5" if at % 9 == 0 else "0" if at == 77 else old,
        "orders": lambda at, old: "0" if at == 200 else "1.5" if at == 201 else old,
    },
    "brands misspelt and disputed": {
        "brand": lambda at, old: "HK Vitals" if at % 50 == 3 else "gritzo" if at == 90 else old,
        "campaign": lambda at, old: "MB_Push" if at % 40 == 7 else old,
    },
    "channel against id": {"source": lambda at, old: "organic" if at % 11 == 0 else old},
    "unknown influencers": {
        "influencer_id": lambda at, old: "INF_99" if at % 30 == 9 else "inf_2" if at == 50 else old
    },
    "words for nobody": {
        "influencer_id": lambda at, old: (
            "Organic" if at % 30 == 9 else "(not set)" if at == 50 else old
        )
    },
    "sales before posts and after today": {
        "date": lambda at, old: "2024-01-05" if at == 300 else "2026-11-01" if at == 310 else old
    },
    "ids twice": {"tracking_id": lambda at, old: f"T{at // 2}" if at > 380 else old},
    "no sources": {"source": lambda at, old: "", "campaign": lambda at, old: ""},
    "other words for yes": {"is_new_customer": lambda at, old: "No" if at % 2 else "YES"},
    # These cells need a closer look, so that the file is staged after all.
    "odd numbers": {"revenue": lambda at, old: f"Rs {old}" if at == 20 else old},
    "more than six decimals": {"revenue": lambda at, old: "1.12345678" if at == 20 else old},
    "an unreadable date": {"date": lambda at, old: "soon" if at == 20 else old},
    "an empty date": {"date": lambda at, old: "" if at == 20 else old},
    "a second header": {
        name: lambda at, old, name=name: name if at == 20 else old for name in HEADER.split(",")
    },
    "an odd flag": {"is_new_customer": lambda at, old: "perhaps" if at == 20 else old},
}


@pytest.fixture
def large(monkeypatch):
    """Take every file for a large one."""

    def take():
        monkeypatch.setattr(survey, "SURVEYED_BYTES", 0)
        monkeypatch.setattr(read, "PROVEN_BYTES", 0)
        for module in (contradictions, spelling, stage):
            monkeypatch.setattr(module, "MATERIALISED_ROWS", 0)
        monkeypatch.setattr(contradictions, "HASHES_AT_ONCE", 150)
        monkeypatch.setattr(contradictions, "COPIES_AT_ONCE", 150)

    return take


def said(folder):
    chosen = ingest.Settings(brands=BRANDS, as_of=date(2026, 3, 31))
    dataset = ingest.load(folder, chosen, quarantine=folder / "quarantine")
    kept = {
        path.name: path.read_text(encoding="utf-8") for path in (folder / "quarantine").iterdir()
    }
    used = dataset.tables["tracking"].order_by("row").to_pandas().to_dict("list")
    return json.dumps(dataset.check.to_json(), indent=1), kept, str(used)


@pytest.mark.parametrize("case", CASES)
def test_a_surveyed_file_is_told_of_as_a_staged_one(case, tmp_path, large):
    write(
        tmp_path,
        {"tracking_data.csv": rows(**CASES[case]), "influencers.csv": INFLUENCERS, "posts.csv": POSTS,
         "payouts.csv": PAYOUTS},
    )  # fmt: skip
    staged = said(tmp_path)
    large()
    assert said(tmp_path) == staged


@pytest.mark.parametrize("odd", ["", "T\0,", '"'], ids=["a blank line", "a NUL", "a quote"])
def test_a_large_file_that_does_not_stand_as_it_is_read_is_written_anew(odd, tmp_path, large):
    # It is looked at while it is summed up: what was summed up must not be used then.
    lines = rows(**CASES["sales before posts and after today"]).split("\n")
    write(
        tmp_path,
        {"tracking_data.csv": "\n".join([*lines[:200], odd, *lines[200:]]), "influencers.csv": INFLUENCERS},
    )  # fmt: skip
    staged = said(tmp_path)
    large()
    assert said(tmp_path) == staged


def as_parquet(text, path):
    """The same orders, each column in the narrowest type that holds all of its cells as they stand."""
    lines = [line.split(",") for line in text.splitlines()]
    columns = {}
    for name, *cells in zip(*lines, strict=True):
        filled = [cell or None for cell in cells]
        columns[name] = pa.array(filled, pa.string())
        for kind in (pa.bool_(), pa.int64(), pa.float64(), pa.date32()):
            try:
                cast = columns[name].cast(kind)
            except pa.ArrowInvalid:
                continue
            if name not in ("tracking_id", "user_id", "source", "campaign"):
                columns[name] = cast
            break
    pq.write_table(pa.table(columns), path)
    return columns


@pytest.mark.parametrize("case", CASES)
def test_stored_values_are_told_of_as_their_texts(case, tmp_path, large):
    """Typed Parquet, staged and surveyed, against Parquet in which each cell is text."""
    text = rows(**CASES[case])
    write(tmp_path, {"tracking_data.csv": None})
    columns = as_parquet(text, tmp_path / "tracking.parquet")
    typed = {name for name, column in columns.items() if column.type != pa.string()}
    assert typed >= ({"orders", "revenue", "date"} if case == "clean" else set())
    staged = said(tmp_path)
    large()
    assert said(tmp_path) == staged
    texts = {name: [None if each is None else str(each).lower() if isinstance(each, bool) else str(each)
                    for each in column.to_pylist()] for name, column in columns.items()}  # fmt: skip
    pq.write_table(pa.table(texts), tmp_path / "tracking.parquet")
    assert said(tmp_path) == staged


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(-(10**9), 10**9, places=6).map(float),
    st.decimals(-(10**6), 10**6, places=7).map(float),
    st.integers(-(10**12), 10**12).map(float),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(numbers=st.lists(NUMBERS, min_size=40, max_size=40))
def test_a_double_becomes_the_decimal_that_its_text_does(numbers):
    con = duckdb.connect()
    plan = plans.Plan(None, "CAST(d0 AS VARCHAR)", "revenue", [], value="d0", type="DOUBLE")
    held = pa.table({"d0": pa.array(numbers, pa.float64())})
    con.register("held", held)
    direct, text = (stage._fast_number(each) for each in (plan, replace(plan, value="", type="")))
    found = con.execute(
        f"SELECT d0, {plan.short}, {direct}, {text}, TRY_CAST(CAST(d0 AS VARCHAR) AS DECIMAL(38, 16)) FROM held"
    ).fetchall()
    for number, short, mine, theirs, exact in found:
        assert mine == theirs, number
        assert not short or mine == exact, number


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("case", CASES)
def test_parts_are_surveyed_together(case, kind, tmp_path, large, monkeypatch):
    header, *lines = rows(**CASES[case]).splitlines()
    write(tmp_path, {"tracking_data.csv": None})
    for name, some in (("tracking_1", lines[:150]), ("tracking_2", lines[150:])):
        text = "\n".join([header, *some])
        if kind == "csv":
            (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        else:
            as_parquet(text, tmp_path / f"{name}.parquet")
    results = []

    def spy(con, table, *arguments):
        found = survey.survey(con, table, *arguments)
        results.extend([found] if table.name == "tracking" else [])
        return found

    staged = said(tmp_path)
    large()
    monkeypatch.setattr(stage, "survey", spy)
    assert said(tmp_path) == staged
    odd = list(CASES).index(case) >= list(CASES).index("odd numbers")
    assert [each is None for each in results] == [odd]
    if case == "clean":
        assert '"rows_read": 400' in staged[0]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("case", CASES)
def test_kept_parts_are_told_of_as_parts_that_are_read(case, kind, tmp_path, large, monkeypatch):
    header, *lines = rows(**CASES[case]).splitlines()
    write(tmp_path, {"tracking_data.csv": None})
    for at, name in enumerate(("tracking_1", "tracking_2", "tracking_3")):
        text = "\n".join([header, *lines[130 * at : 130 * at + 130 + 10 * (at == 2)]])
        if kind == "csv":
            (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        else:
            as_parquet(text, tmp_path / f"{name}.parquet")
    staged = said(tmp_path)
    monkeypatch.setattr(plain, "FEWEST_BYTES", 0)
    kept = said(tmp_path)
    assert kept == staged
    large()
    assert said(tmp_path) == staged
    staged_of = []
    monkeypatch.setattr(
        stage, "_stage_plain", lambda *each: staged_of.append(1) or _stage_plain(*each)
    )
    assert said(tmp_path) == staged
    odd = list(CASES).index(case) >= list(CASES).index("odd numbers")
    assert len(staged_of) == (0 if odd else 1)


@pytest.mark.parametrize(
    "left_out", ["influencer_id", "source", "brand", "tracking_id", "campaign"]
)
def test_a_column_less_makes_no_difference_between_the_two(left_out, tmp_path, large):
    place = HEADER.split(",").index(left_out)
    lines = [line.split(",") for line in rows().splitlines()]
    text = "\n".join(",".join(cells[:place] + cells[place + 1 :]) for cells in [*lines, lines[7]])
    write(tmp_path, {"tracking_data.csv": text})
    staged = said(tmp_path)
    large()
    assert said(tmp_path) == staged


def test_only_a_file_in_which_every_cell_is_plain_is_surveyed(tmp_path, large, monkeypatch):
    large()
    results = []

    def spy(*arguments):
        results.append(survey.survey(*arguments))
        return results[-1]

    monkeypatch.setattr(stage, "survey", spy)
    for case, changes in CASES.items():
        results.clear()
        write(tmp_path, {"tracking_data.csv": rows(**changes)})
        said(tmp_path)
        surveyed = [each for each in results if each is not None]
        closer = list(CASES).index(case) >= list(CASES).index("odd numbers")
        assert bool(surveyed) is not closer, case


FIELDS = st.text('T019.," x-é', min_size=0, max_size=5) | st.text(
    "T0123456789", min_size=1, max_size=41
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    ids=st.lists(FIELDS, min_size=1, max_size=30),
    place=st.integers(0, 2),
    end=st.sampled_from(["\n", "\r\n"]),
    closed=st.booleans(),
    block=st.sampled_from([7, 60, 1 << 19]),
    shared=st.sampled_from([0, 1 << 26]),
)
# A longer id beside one of the two that are alike, in a block of its own.
@example(["0", "00", "000000000", "0"], 0, "\n", True, 7, 0)
def test_ids_that_are_surely_distinct_are_so(ids, place, end, closed, block, shared):
    """Whatever the bytes: it says yes only where no two ids are alike, and for plain ids always then."""
    plain = all(re.fullmatch(r"[T0-9x-]{1,40}", each) for each in ids)
    lines = []
    for each in ["id", *ids]:
        cells = ["ab", "1.5"]
        cells.insert(place, each)
        lines.append(",".join(cells))
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(distinct, "BLOCK", block)
        patch.setattr(distinct, "SHARED_BYTES", shared)
        path = Path(name) / "orders.csv"
        path.write_bytes((end.join(lines) + (end if closed else "")).encode())
        said = distinct.is_surely_distinct(path, 1, 3, place, ",", 99)
    alike = len({each.strip() for each in ids}) < len(ids)
    if said:
        assert not alike
    if plain and not alike and not (end == "\r\n" and place == 2):
        assert said


LINES = st.sampled_from(["T1,1", "T2,2", "T1,1", '"T3",1', "", "\r", "\0,1", " ", "T4" * 30 + ",1"])


def _is_plain(data):
    """The same, told line by line: no NUL, and no line without anything but at the end, or at the start."""
    lines = re.split(rb"\r?\n", data.rstrip(b"\r\n"))
    return b"\0" not in data and not any(each == b"" for each in lines[1:])


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    lines=st.lists(LINES, max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
    tail=st.sampled_from(["", "\n", "\r\n", "\n\n\r\n"]),
    block=st.sampled_from([7, 16, 1 << 19]),
    shared=st.sampled_from([0, 1 << 26]),
    field=st.sampled_from([None, distinct.Field(1, 2, 0, ",", 99)]),
)
def test_lines_without_anything_are_seen_wherever_blocks_end(
    lines, end, tail, block, shared, field
):
    data = (end.join(lines) + tail).encode()
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(distinct, "BLOCK", block)
        patch.setattr(distinct, "SHARED_BYTES", shared)
        path = Path(name) / "orders.csv"
        path.write_bytes(data)
        assert distinct.look(path, field).plain is _is_plain(data)


@pytest.mark.parametrize(
    ("one", "other"),
    [("17", "17.0"), ("17", " 17"), ("17", "17\u00a0"), ("17", '"17"'), ("17", "17")],
)
def test_ids_that_cleaning_makes_one_are_never_surely_distinct(one, other, tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text(f"id,n\n{one},1\n{other},1\n", encoding="utf-8")
    assert not distinct.is_surely_distinct(path, 1, 2, 0, ",", 99)


def test_a_check_builds_no_ledger_and_says_what_the_ledger_was_built_from(tmp_path):
    root, folder = tmp_path / "project", tmp_path / "exports"
    shutil.copytree(Path(__file__).parents[1] / "params", root / "params")
    chosen = params.load(None, root=root)
    write(folder)
    found = store.open_check(folder, chosen, root=root)
    assert not (root / "build" / "data").exists()
    assert store.open_check(folder, chosen, root=root) == found
    assert store.open_data(folder, chosen, root=root).check == found
    assert store.open_check(folder, chosen, root=root) == found


def test_the_kept_ledger_has_every_column_though_orders_keep_only_theirs(tmp_path):
    write(tmp_path)
    data = ingest.load(tmp_path, ingest.Settings(brands=BRANDS))
    has = {name: data.has(name) for name in data.tables}
    for name, each in data.tables.items():
        has |= {f"{name}.{column}": data.has(name, column) for column in each.columns}
    place = tmp_path / "kept" / "ledger.parquet"
    held = ledger.build(data.tables, has=has)
    made = ledger.build(data.tables, has=has, place=place)
    opened = ledger.read(place, made.known)
    assert "reach" not in pq.read_schema(place / "orders.parquet").names
    assert "reach" in pq.read_schema(place / "posts.parquet").names
    frames = [
        each.rows.to_pandas().astype(str).sort_values(list(each.rows.columns), ignore_index=True)
        for each in (held, made, opened)
    ]
    assert len(frames[0])
    assert frames[0].columns.tolist() == frames[2].columns.tolist()
    assert frames[0].equals(frames[1])
    assert frames[0].equals(frames[2])
    assert opened.rows.schema() == made.rows.schema()


def test_rows_of_a_large_file_are_not_numbered_for_the_ledger(tmp_path, large, monkeypatch):
    # One thread would number them, and everything made of them would wait for it.
    write(tmp_path, {"tracking_data.csv": rows(), "influencers.csv": INFLUENCERS})
    small = ingest.load(tmp_path).tables["tracking"].drop("row").to_pandas()
    large()
    monkeypatch.setattr(verdicts, "MATERIALISED_ROWS", 0)
    dataset = ingest.load(tmp_path)
    table = dataset.tables["tracking"]
    assert table["row"].count().to_pandas() == 0
    order = ["date", "user_id", "revenue"]
    pd.testing.assert_frame_equal(
        table.drop("row").to_pandas().sort_values(order, ignore_index=True),
        small.sort_values(order, ignore_index=True),
    )
    query = ibis.to_sql(table.drop("row"), dialect="duckdb")
    (_, plan), *_ = dataset.backend.con.execute(f"EXPLAIN {query}").fetchall()
    assert "READ_CSV" in plan
    assert "WINDOW" not in plan
