"""The ledger's and the metrics' expressions as SQL of warehouses that users may have.

What is shown: Ibis compiles every step for BigQuery, Snowflake and Trino, and sqlglot reads the result as
that dialect. What is not: the SQL was run on none of them, so that a function that a warehouse spells or
rounds differently would not be found here. The types that decide the numbers are looked at one by one.
"""

import ibis
import pytest
import sqlglot
from sqlglot import exp

from hkreport import backends, ledger, metrics, pseudonyms, schema

DIALECTS = ("bigquery", "snowflake", "trino")


def canonical() -> dict[str, ibis.Table]:
    """The canonical tables as names and types only: nothing is connected to."""
    tables = {}
    for name, table in schema.TABLES.items():
        columns = {each.name: backends.type_of(each) for each in table}
        if name == "tracking":
            columns["channel"] = "string"
        if name in ("tracking", "touchpoints", "assignments"):
            columns[pseudonyms.USER] = "int64"
        tables[name] = ibis.table(columns, name=name)
    return tables


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[ibis.Table]:
    """Every step of the ledger that would be stored, each over the tables stored before it."""
    made: list[ibis.Table] = []

    def stored(rows: ibis.Table) -> ibis.Table:
        made.append(rows)
        return ibis.table(rows.schema(), name=f"step_{len(made)}")

    monkeypatch.setattr(ledger, "stored", stored)
    monkeypatch.setattr(
        ledger, "_described", lambda rows, known: ledger.Ledger(rows, known, None, None)
    )
    ledger.build(canonical(), has={})
    return made


def sql_of(rows: ibis.Table, dialect: str) -> exp.Expression:
    """The SQL, read back as the dialect it is meant for."""
    text = str(ibis.to_sql(rows, dialect=dialect))
    parsed = sqlglot.parse_one(text, read=dialect)
    assert not list(parsed.find_all(exp.Command)), "sqlglot did not understand all of it"
    return parsed


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_ledger_compiles_step_by_step(steps: list[ibis.Table], dialect: str) -> None:
    assert len(steps) == 9
    for rows in steps:
        assert set(sql_of(rows, dialect).named_selects) in ({"*"}, set(rows.columns))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_metric_compiles_by_every_grouping(steps: list[ibis.Table], dialect: str) -> None:
    rows = ibis.table(steps[-1].schema(), name="ledger")
    needed = metrics.sums(metrics.CATALOGUE.values())
    for by in [(), *((name,) for name in (*metrics.DIMENSIONS, *metrics.TIME_STEPS))]:
        parsed = sql_of(metrics.expression(rows, needed, by), dialect)
        assert {need.name for need in needed} <= set(parsed.named_selects)
        assert bool(parsed.find(exp.Group)) == bool(by)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_filters_compile(steps: list[ibis.Table], dialect: str) -> None:
    rows = ibis.table(steps[-1].schema(), name="ledger")
    for name in ledger.FILTERS:
        kept = rows.filter(rows[name].isin(["Müsli, 1 kg", "Bio'tin"]) | rows[name].isnull())
        values = {each.this for each in sql_of(kept, dialect).find_all(exp.Literal)}
        assert "Bio'tin" in values


def decimals(steps: list[ibis.Table], dialect: str) -> set[str]:
    """Types that the ledger's steps cast to, without texts, dates and doubles."""
    casts = {
        cast.to.sql(dialect=dialect)
        for rows in steps
        for cast in sql_of(rows, dialect).find_all(exp.Cast)
    }
    return {text for text in casts if text.startswith(("DECIMAL", "NUMERIC", "BIGNUMERIC"))}


@pytest.mark.parametrize("dialect", ["snowflake", "trino"])
def test_decimals_keep_their_places_and_stay_within_38_digits(
    steps: list[ibis.Table], dialect: str
) -> None:
    found = decimals(steps, dialect)
    assert "DECIMAL(18, 6)" in found
    assert all(int(text[8:].split(",")[0]) <= 38 for text in found), found


def test_bigquery_is_given_decimals_without_places(steps: list[ibis.Table]) -> None:
    """A limit: Ibis 12 writes NUMERIC and BIGNUMERIC, so that a cast there does not round.

    Spend still adds up, because parts are rounded by ROUND; weights keep more than twelve places, and a
    millionth of a rupee may fall on another event of the same payout than in DuckDB.
    """
    assert decimals(steps, "bigquery") == {"NUMERIC", "BIGNUMERIC"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_sum_of_the_ledger_is_not_divided_in_the_database(
    steps: list[ibis.Table], dialect: str
) -> None:
    """Decimal division is what warehouses disagree on most; ratios are made of sums afterwards."""
    rows = ibis.table(steps[-1].schema(), name="ledger")
    needed = metrics.sums(metrics.CATALOGUE.values())
    assert not list(sql_of(metrics.expression(rows, needed, ["brand"]), dialect).find_all(exp.Div))
