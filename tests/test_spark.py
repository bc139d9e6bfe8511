"""Spark works out the same ledger and the same metrics as DuckDB, from the same expressions."""

import datetime
import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import campaigns as c
import exports
import numpy as np
import pandas as pd
import pytest
import reliability
from conftest import REQUIREMENTS, _required

from hkreport import backends, groupings, ingest, ledger, metrics, params, schema, store, views
from hkreport.errors import DataError, UsageError
from hkreport.ledger import Filters, Ledger

TOLERANCE = 1e-9
METRICS = list(metrics.CATALOGUE.values())
GROUPINGS: list[tuple[str, ...]] = [
    (),
    *((name,) for name in metrics.DIMENSIONS),
    *((step,) for step in metrics.TIME_STEPS),
    ("brand", "month"),
    ("platform", "tier"),
    ("influencer", "quarter"),
]

# Small data: what is compared is the answers, and compiling for each query would take most of the time.
QUICK = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}


# Data that fills every column, with what real exports hold.


def generated(seed: int, orders: int = 160) -> dict[str, list[dict[str, Any]]]:
    """A campaign with every column, gaps in all of them, ties, refunds and names that need care."""
    rng = np.random.default_rng(seed)

    def one(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    def day(gap: float = 0.02) -> str | None:
        if rng.random() < gap:
            return None
        return str(datetime.date(2024, 11, 20) + datetime.timedelta(int(rng.integers(420))))

    def money(largest: float) -> str:
        return f"{rng.uniform(0, largest):.{one(0, 2, 6)}f}"

    people = [f"I{number}" for number in range(14)]
    brands, campaigns_ = ("HK Vitals", "2024", "Müsli, 1 kg", None), ("A_1", "a_1", "Fr%h", None)
    products = ("Whey", "whey", "Bio'tin", None)
    rows: dict[str, list[dict[str, Any]]] = {
        "influencers": [
            {
                "influencer_id": name,
                "name": one("Asha", "asha", "Émile", "Zoë 🌸"),
                "platform": one("Instagram", "YouTube", None),
                "category": one("Fitness", None),
                "gender": one("Female", "Male", None),
                "follower_count": one(1_000_000, 999_999, 50_000, 7, None),
                "tier": one("Macro", "nano", None),
                "persona": one("Coach", None),
                "city": one("Pune", "Delhi", None),
                "age_group": one("18-24", None),
            }
            for name in people[:-2]  # two who are paid and sell are not listed
        ],
        "products": [
            {"product": "Whey", "brand": "2024", "product_category": "Protein", "price": "99.5", "margin": "0.31"},
            {"product": "Bio'tin", "price": "649", "margin": "0.333333", "product_category": "Hair"},
        ],
    }  # fmt: skip
    rows["tracking"] = []
    for number in range(orders):
        who = one(*people, None, None)
        rows["tracking"].append(
            {
                "influencer_id": who,
                "date": day(),
                "orders": one(1, 2, 3, 0, -1),
                "revenue": one("0", "-250.75", *(money(5000) for _ in range(4))),
                "channel": one("influencer", "influencer", "paid") if who else one("organic", "unattributed"),
                "source": one("influencer", "Organic", None),
                "campaign": one(*campaigns_),
                "campaign_type": one("Launch", None),
                "city": one("Jaipur", None),
                "user_id": one(*(f"u{user}" for user in range(40)), None),
                "brand": one(*brands),
                "product": one(*products),
                "platform": one("Instagram", "TikTok", None),
                "profit": one(None, None, money(900)),
                "returns": one("0", None, "12.5"),
                "discount": one("3.25", None),
                "is_new_customer": one(True, False, None),
                "tracking_id": f"T{number}",
            }
        )  # fmt: skip
    rows["posts"] = [
        {
            "influencer_id": one(*people),
            "date": day(),
            "post_id": f"P{number}",
            "platform": one("Instagram", "TikTok", None),
            **{name: one(None, int(rng.integers(10_000))) for name in
               ("reach", "impressions", "views", "likes", "comments", "shares", "saves", "clicks")},
            "brand": one(*brands, None),
            "product": one(*products),
            "product_price": one("649", "99.5", None),
            "product_margin": one("0.2", "0.3", None),
            "campaign": one(*campaigns_),
            "content_type": one("Reel", "Story", None),
        }
        for number in range(orders // 3)
    ]  # fmt: skip
    rows["payouts"] = [
        {
            "influencer_id": one(*people, "I99"),
            "basis": one("order", "post", "hybrid", None),
            "rate": one("0.12", "150", None),
            "total_payout": one("-33.333333", "1", "290.678125", money(90_000), money(90_000)),
            "brand": one(None, None, *brands),
            "campaign": one(None, None, *campaigns_),
            "date": one(None, None, day()),
            "invoice_date": one(None, day()),
        }
        for _ in range(40)
    ]
    rows["assignments"] = [
        {"unit_id": f"u{number}", "arm": one("treatment", "control"), "unit_type": one("user", "User", None)}
        for number in itertools.chain(range(30), range(5))
    ]  # fmt: skip
    return rows


# Both sides.

COMPARED: Counter[str] = Counter()  # tables, and numbers in them, for make harden


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    for name in ("spark", "java"):
        find, missing = REQUIREMENTS[name]
        if not find():
            (pytest.fail if name in _required() else pytest.skip)(missing)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("tests")
    place = tmp_path_factory.mktemp("spark")
    for name, value in (QUICK | {"spark.sql.warehouse.dir": str(place)}).items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    before = os.environ.get(backends.VARIABLE)
    backends.choose("local[2]")
    yield backends.connect()
    if before is None:
        del os.environ[backends.VARIABLE]
    else:
        os.environ[backends.VARIABLE] = before
    session.stop()
    reliability.record("spark", "beside DuckDB", **COMPARED)


Both = tuple[Ledger, Ledger]


def both(
    tables: Any, has: dict[str, bool], folder: Path, rules: ledger.Rules | None = None
) -> Both:
    """The ledger of the same tables in DuckDB and in Spark."""
    here = ledger.build(tables, has=has, rules=rules)
    built = ledger.build(backends.hand_over(tables, folder), has=has, rules=rules)
    built.rows.to_parquet(folder / "ledger.parquet")
    backend = backends.connect()
    # As in real life the ledger is read from where it was written: a plan with all the steps of the
    # build behind it takes Spark seconds to look through, for each query.
    backend._session.catalog.clearCache()
    rows = backend.read_parquet(folder / "ledger.parquet", table_name=folder.name).cache()
    return here, replace(built, rows=rows)


@pytest.fixture(scope="module")
def odd(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Both:
    rows = generated(7)
    return both(c.tables(**rows), c.has(**rows), tmp_path_factory.mktemp("odd") / "odd")


@pytest.fixture(scope="module")
def simulated(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Both:
    from hkreport import simulate

    folder = tmp_path_factory.mktemp("simulated")
    simulate.write(folder / "data", seed=3, scale=0.0002, start="2025-01-01", end="2025-04-01")
    dataset = ingest.load(folder / "data")
    return both(dataset.tables, _has(dataset), folder / folder.name)


def _has(dataset: ingest.Dataset) -> dict[str, bool]:
    has = {name: dataset.has(name) for name in dataset.tables}
    for name, table in dataset.tables.items():
        has |= {f"{name}.{column}": dataset.has(name, column) for column in table.columns}
    return has


def multiset(books: Ledger) -> Counter[tuple[str, ...]]:
    """All rows with all columns, exactly."""

    def text(value: Any) -> str:
        if value is None or value != value or value is pd.NaT:
            return "–"
        if isinstance(value, Decimal):
            return str(value.normalize() + 0)
        return str(value)[:10] if hasattr(value, "year") else str(value)

    frame = books.rows.to_pandas()
    return Counter(tuple(map(text, row)) for row in frame.itertuples(index=False))


def compare(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert list(one.columns) == list(other.columns)
    assert len(one) == len(other)
    COMPARED.update(tables_of_metrics=1, cells=one.size)
    for name in one.columns:
        if name not in metrics.CATALOGUE:
            assert one[name].tolist() == other[name].tolist(), name
            continue
        mine, theirs = one[name].astype(float), other[name].astype(float)
        assert mine.isna().tolist() == theirs.isna().tolist(), name
        far = ((mine - theirs).abs() > TOLERANCE * mine.abs().clip(lower=1.0)).to_numpy()
        assert not far.any(), f"{name}: {mine[far].tolist()} and {theirs[far].tolist()}"


def compare_all(here: Ledger, there: Ledger, chosen: Sequence[tuple[str, ...]] = GROUPINGS) -> None:
    """Every metric by some groupings, each side in one query."""
    assert here.known == there.known
    mine, theirs = (groupings.Sums(books.rows, books.known, chosen) for books in (here, there))
    for by in chosen:
        compare(
            metrics.compute(mine, METRICS, by=by, known=here.known),
            metrics.compute(theirs, METRICS, by=by, known=there.known),
        )


# The ledger.


@pytest.mark.parametrize("data", ["odd", "simulated"])
def test_the_ledger_is_the_same_row_for_row(data: str, request: pytest.FixtureRequest) -> None:
    here, there = request.getfixturevalue(data)
    assert (here.first, here.last, here.known) == (there.first, there.last, there.known)
    mine, theirs = multiset(here), multiset(there)
    assert mine == theirs, (list((mine - theirs).items())[:2], list((theirs - mine).items())[:2])


def test_spend_adds_up_to_the_payouts_exactly(odd: Both) -> None:
    paid = sum(Decimal(str(row["total_payout"])) for row in generated(7)["payouts"])
    for books in odd:
        spent = books.rows.aggregate(
            **{name: books.rows[name].sum() for name in ledger.ALLOCATION_RULES}
        ).to_pandas()
        assert {Decimal(str(value)) for value in spent.iloc[0]} == {paid}


# The metrics: every one, by every dimension, under every filter.


def test_every_metric_by_every_grouping(odd: Both) -> None:
    compare_all(*odd)


@pytest.mark.parametrize("by", [(), ("influencer",), ("campaign",), ("week", "brand")], ids=str)
@pytest.mark.parametrize("data", ["odd", "simulated"])
def test_a_single_query_agrees_too(
    data: str, by: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    here, there = request.getfixturevalue(data)
    compare(
        metrics.compute(here.rows, METRICS, by=by, known=here.known),
        metrics.compute(there.rows, METRICS, by=by, known=there.known),
    )


def slices(books: Ledger) -> list[Filters]:
    """One slice for each filter, with a value that the data has, and some of several filters."""
    made = []
    for number, name in enumerate(ledger.FILTERS):
        found = books.values(name)
        values = (found[number % len(found)].upper(),) if found else ()
        made.append(Filters(values={name: (*values, metrics.UNASSIGNED) if number % 3 else values}))
    made += [
        Filters(min_roas=0.5),
        Filters(min_price=99.5, max_price=649),
        Filters(values={"brand": ("2024",), "platform": ("instagram", "youtube")}, min_roas=0.1),
        Filters(values={"product": ("bio'tin",), "tier": ("mega",)}),
    ]
    return made


def compare_slices(both_: Both, groupings_of: Callable[[int], list[tuple[str, ...]]]) -> None:
    here, there = both_
    sizes = set()
    for number, filters in enumerate(slices(here)):
        (mine, hidden), (theirs, also_hidden) = here.where(filters), there.where(filters)
        assert hidden == also_hidden
        sizes.add(int(mine.rows.count().to_pandas()))
        compare_all(mine, theirs, groupings_of(number))
    assert len(sizes) > 10  # the filters do cut


def test_every_metric_under_every_filter(odd: Both) -> None:
    """Each filter with the whole and two groupings in turn: every grouping meets some filter."""

    def in_turn(number: int) -> list[tuple[str, ...]]:
        others = GROUPINGS[1:]
        return [(), *(others[(2 * number + more) % len(others)] for more in (0, 1))]

    met = {by for number in range(len(slices(odd[0]))) for by in in_turn(number)}
    assert met == set(GROUPINGS)
    compare_slices(odd, in_turn)


@pytest.mark.slow
def test_every_metric_by_every_grouping_under_every_filter(odd: Both) -> None:
    compare_slices(odd, lambda number: GROUPINGS)


@pytest.mark.parametrize("period", ["2025-02", "FY2024-25", "2025-W01"])
def test_periods_cut_alike(odd: Both, period: str) -> None:
    here, there = odd
    span = views.resolve(here, period)
    mine, theirs = here.in_period(span), there.in_period(span)
    assert int(mine.rows.count().to_pandas()) > 0
    compare(
        metrics.compute(mine.rows, METRICS, by=["day"], known=here.known),
        metrics.compute(theirs.rows, METRICS, by=["day"], known=there.known),
    )


# What is kept, and what a person sees.


def test_a_ledger_written_by_spark_is_read_by_both(odd: Both, spark: Any, tmp_path: Path) -> None:
    here, there = odd
    there.write(tmp_path / "ledger.parquet")
    places = {path.parent.name for path in (tmp_path / "ledger.parquet").rglob("*.parquet")}
    assert {"in_month=2025-03"} < places
    mine = multiset(here)
    assert multiset(ledger.read(tmp_path / "ledger.parquet", here.known)) == mine
    assert multiset(ledger.read(tmp_path / "ledger.parquet", here.known, spark)) == mine


def test_a_ledger_kept_in_a_folder_is_the_same_row_for_row(tmp_path: Path) -> None:
    rows = generated(7)
    tables, has = c.tables(**rows), c.has(**rows)
    here = ledger.build(tables, has=has)
    kept = ledger.build(tables, has=has, place=tmp_path / "ledger.parquet")
    assert (here.first, here.last, here.known) == (kept.first, kept.last, kept.known)
    assert multiset(kept) == multiset(here)
    assert multiset(ledger.read(tmp_path / "ledger.parquet", here.known)) == multiset(here)


@pytest.fixture
def project_of_its_own(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with this one's params, so that nothing is kept in the real one."""
    (tmp_path / "params").symlink_to(project / "params")
    (tmp_path / "_quarto.yml").write_bytes((project / "_quarto.yml").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_store_keeps_the_ledger_that_spark_built(
    spark: Any, project_of_its_own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exports.write(project_of_its_own / "exports")
    settings = params.load(None, root=project_of_its_own)
    there = store.open_data(folder, settings, root=project_of_its_own)
    assert there.ledger.rows.get_backend().name == "pyspark"
    assert (there.kept / "ledger.parquet").is_dir()
    posts = there.table("posts")
    assert posts is not None
    assert int(posts.count().to_pandas()) == 4
    monkeypatch.setenv(backends.VARIABLE, backends.EMBEDDED)
    here = store.open_data(folder, settings, root=project_of_its_own)
    assert here.key != there.key
    assert multiset(here.ledger) == multiset(there.ledger)


def test_tables_made_elsewhere_are_read_where_they_lie(
    spark: Any, project_of_its_own: Path, odd: Both
) -> None:
    rows, folder = generated(7), project_of_its_own / "pointer"
    names = [name for name in rows if name != "assignments"]
    backends.hand_over({name: c.tables(**rows)[name] for name in names}, folder / "lake")
    pointer = {"tables": names, "place": "lake", "version": "1"}
    (folder / backends.MARKER).write_text(json.dumps(pointer), encoding="utf-8")
    settings = params.load(None, root=project_of_its_own)
    opened = store.open_data(folder, settings, root=project_of_its_own)
    here, _ = odd
    by = ["brand", "month"]
    compare(
        metrics.compute(opened.ledger.rows, METRICS, by=by, known=here.known),
        metrics.compute(here.rows, METRICS, by=by, known=here.known),
    )
    assert opened.check["totals"]["posts"] == len(rows["posts"])
    assert opened.check["tables"]["tracking"]["rows_used"] == len(rows["tracking"])
    # Spark made these pseudonyms, with a hash of its own.
    ids = set(c.tables(**rows)["tracking"]["user_id"].cast("string").to_pandas().dropna())
    assert len(ids) > 10
    assert store.users_among(opened, [*ids, "1234567890"]) == ids


@pytest.mark.parametrize(
    ("pointer", "words"),
    [
        ({"tables": ["tracking"], "place": "nowhere", "version": "1"}, "cannot be read"),
        ({"tables": ["tracking"], "version": "1"}, "has no 'place'"),
        ({"tables": ["sales"], "place": ".", "version": "1"}, "names a table 'sales'"),
    ],
)
def test_a_pointer_that_is_wrong_says_what(
    spark: Any, tmp_path: Path, pointer: dict[str, Any], words: str
) -> None:
    (tmp_path / backends.MARKER).write_text(json.dumps(pointer), encoding="utf-8")
    with pytest.raises(DataError, match=words):
        backends.Canonical(tmp_path).tables(spark)


def test_a_notebook_shows_the_same_over_spark(
    spark: Any, project_of_its_own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exports.write(project_of_its_own / "exports")
    shown = []
    for name in ("local[2]", backends.EMBEDDED):
        monkeypatch.setenv(backends.VARIABLE, name)
        report = views.open_report(brand="HKVitals", period="2025-Q2", data=str(folder))
        assert (report.data.ledger.rows.get_backend().name == "pyspark") == (name != "duckdb")
        shown.append((report.totals.to_dict(), report.influencers, report.by("campaign")))
    (totals, people, campaigns_), (own_totals, own_people, own_campaigns) = shown
    assert totals == pytest.approx(own_totals, rel=TOLERANCE, nan_ok=True)
    pd.testing.assert_frame_equal(people, own_people, rtol=TOLERANCE, check_dtype=False)
    compare(campaigns_, own_campaigns)


# The command line; without Spark too.


def test_a_backend_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="allowed: duckdb"):
        backends.choose("postgres")


def test_without_pyspark_the_message_says_how_to_get_it(project: Path) -> None:
    code = (
        "import sys; sys.modules['pyspark'] = None\n"
        "from hkreport.cli import main\n"
        "sys.argv = ['hkreport', 'metrics', '--backend', 'local[*]']\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "hkreport[spark]" in done.stderr
    assert "Traceback" not in done.stderr


def test_only_texts_are_read_as_text_from_tables_made_elsewhere() -> None:
    texts = {schema.Kind.ID, schema.Kind.TEXT, schema.Kind.LABEL}
    for table in schema.TABLES.values():
        for each in table:
            assert (backends.type_of(each) == "string") == (each.kind in texts), each.name
