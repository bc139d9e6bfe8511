"""One reading of a large tracking file that says whether any cell of it needs a closer look.

A file of many million orders is seldom odd. The survey casts every cell and sums the file up by the
texts that decisions are made on. Where each cell was plain, those sums answer what the check asks of the
rows, so the rows are neither copied nor read once for each rule; where one was not, the file is staged
as any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from hkreport.ingest.plans import DATES, NUMBERS, Plan
from hkreport.ingest.read import Source, quoted
from hkreport.schema import Kind, Table

__all__ = [
    "BRAND_TEXTS",
    "SURVEYED_BYTES",
    "UNUSUAL",
    "Survey",
    "is_plain_head",
    "is_small",
    "kept_in",
    "of_parts",
    "of_rows",
    "profiled_columns",
    "survey",
    "together",
    "usual",
]

SURVEYED_BYTES = 192 << 20  # smaller files are staged in less time than a person notices
SURVEYED_RECORDS = 2_000_000  # the same, of a file that says how many it holds

# Texts of a row that may carry a brand.
BRAND_TEXTS = ("brand", "product", "source", "campaign")
BRANDED = ("tracking", "posts", "payouts")

# What is worth saying about the numbers of a row, by rule.
UNUSUAL: Mapping[str, str] = {
    "negative_revenue": "revenue < 0",
    "orders_without_revenue": "revenue = 0 AND orders > 0",
    "revenue_without_orders": "orders = 0 AND revenue <> 0",
    "fractional_orders": "orders <> trunc(orders)",
}


@dataclass(frozen=True)
class Survey:
    """Sums of a file in which every cell is written plainly.

    Attributes
    ----------
    relation : str
        What SQL may read from: the texts as ``v_COLUMN``, ``level`` (the place of its set in `sets`),
        ``rows``, ``orders``, ``revenue``, ``first`` and ``last``.
    sets : tuple of tuple of str
        The columns that each part of the relation is summed up by.
    unusual : mapping of str to int
        Rows for which each rule of ``UNUSUAL`` holds.
    """

    relation: str
    sets: tuple[tuple[str, ...], ...]
    rows: int
    unusual: Mapping[str, int]
    first: date
    last: date
    orders: Decimal
    revenue: Decimal

    def by(self, *columns: str) -> str:
        """Build SQL for the sums by some columns of one set, as ``v_COLUMN``, ``rows``, ``first``, …"""
        level = next(at for at, each in enumerate(self.sets) if set(columns) <= set(each))
        names = "".join(f"v_{column}, " for column in columns)
        return (
            f"(SELECT {names}CAST(sum(rows) AS BIGINT) AS rows, sum(orders) AS orders, "
            f"sum(revenue) AS revenue, min(first) AS first, max(last) AS last FROM {self.relation} "
            f"WHERE level = {level} GROUP BY ALL)"
        )


def profiled_columns(table: Table, places: Mapping[str, int]) -> list[str]:
    """Columns whose distinct texts are looked at: those that are respelt, and those that carry a brand."""
    return [
        column.name
        for column in table
        if column.name in places
        and (
            column.kind is Kind.LABEL
            or column.name == "influencer_id"
            or (table.name == "tracking" and column.name == "post_id")
            or (table.name in BRANDED and column.name in BRAND_TEXTS)
        )
    ]


def is_small(source: Source, place: int) -> bool:
    """Whether the first rows of a column repeat each other, as names do and texts of one row do not."""
    head = [row[place] for row in source.head if place < len(row) and row[place]]
    return len(set(head)) <= max(50, 0.5 * len(head))


def survey(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    source: Source,
    places: Mapping[str, int],
    plans: Mapping[str, Plan],
    query: str,
    doubt: str,
) -> Survey | None:
    """Read a file once; None if it is not one for a survey, or if any cell needs a closer look.

    Parameters
    ----------
    con : DuckDB connection
    table, source, places, plans
        The file and its columns.
    query : str
        SQL that gives ``v_COLUMN`` as the reading pass does, and ``t_COLUMN``, its text.
    doubt : str
        SQL over it that is true where a cell is not plain. A record that is no data (a second header, a
        total) lacks a number or a date, and is seen by that.
    """
    if not _is_large(source) or not is_plain_head(table, source, places, plans):
        return None
    relation = f"survey_{table.name}"
    odd = f"CASE WHEN {usual(plans)} THEN NULL WHEN {doubt} THEN error('not plain') ELSE {_ODD} END"
    try:
        found = _sum_up(con, relation, profiled_columns(table, places), f"({query})", odd)
    except duckdb.Error:
        return None  # the first doubt ends it; the reading that follows says why
    if found is None:
        con.execute(f"DROP TABLE {relation}")
    return found


def of_rows(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    places: Mapping[str, int],
    rows: Path,
    target: Path,
) -> Survey | None:
    """Sum up kept rows, which are plain, into a Parquet file; None if there are no rows.

    Parameters
    ----------
    rows, target : Path
        Parquet files: one with ``v_COLUMN``, and the one to be written.
    """
    wanted, relation = profiled_columns(table, places), f"part_of_{table.name}"
    found = _sum_up(con, relation, wanted, f"read_parquet({quoted(rows)})", _ODD)
    if found is not None:
        con.execute(
            f"COPY (SELECT * EXCLUDE (odd) FROM {relation}) TO {quoted(target)} (FORMAT parquet)"
        )
    con.execute(f"DROP TABLE {relation}")
    return None if found is None else kept_in(target, found)


def kept_in(path: Path, found: Survey) -> Survey:
    """The same survey, with its relation in a Parquet file."""
    return replace(found, relation=f"read_parquet({quoted(path)})")


def of_parts(
    con: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[str], parts: Sequence[Survey]
) -> Survey:
    """Build the survey of a table out of those of its parts, which have the same columns."""
    relation = f"survey_{table.name}"
    wanted = profiled_columns(table, dict.fromkeys(columns, 0))
    texts = "".join(f"v_{name}, " for name in wanted)
    con.execute(
        f"CREATE OR REPLACE TABLE {relation} AS SELECT {texts}level, CAST(sum(rows) AS BIGINT) AS rows, "
        "sum(orders) AS orders, sum(revenue) AS revenue, min(first) AS first, max(last) AS last "
        f"FROM {together(parts)} GROUP BY ALL"
    )
    return Survey(
        relation,
        parts[0].sets,
        sum(each.rows for each in parts),
        {rule: sum(each.unusual[rule] for each in parts) for rule in UNUSUAL},
        min(each.first for each in parts),
        max(each.last for each in parts),
        sum((each.orders for each in parts), Decimal(0)),
        sum((each.revenue for each in parts), Decimal(0)),
    )


def together(parts: Sequence[Survey]) -> str:
    """Build SQL for the relations of several surveys, one below the other."""
    every = " UNION ALL BY NAME ".join(f"SELECT * FROM {each.relation}" for each in parts)
    return f"({every})"


# The rules of ``UNUSUAL`` that hold for a row, as bits; NULL for none.
_ODD = "nullif({}, 0)".format(
    " + ".join(
        f"CASE WHEN {condition} THEN {1 << at} ELSE 0 END"
        for at, condition in enumerate(UNUSUAL.values())
    )
)


def _sum_up(
    con: duckdb.DuckDBPyConnection, relation: str, wanted: list[str], rows: str, odd: str
) -> Survey | None:
    """Make the relation of a survey over rows with ``v_COLUMN``, and sum it up; None without rows."""
    sets = _sets(wanted)
    texts = ", ".join(f"v_{name}" for name in wanted)
    groups = ", ".join(f"({', '.join(f'v_{name}' for name in each)})" for each in sets)
    level = " ".join(
        f"WHEN {sum(1 << (len(wanted) - 1 - at) for at, name in enumerate(wanted) if name not in each)} "
        f"THEN {place}"
        for place, each in enumerate(sets)
    )
    grouping = f"GROUPING({texts})" if wanted else "0"
    con.execute(
        f"CREATE OR REPLACE TABLE {relation} AS SELECT {texts + ', ' if texts else ''}"
        f"CASE {grouping} {level} END AS level, count(*) AS rows, "
        "histogram(odd) AS odd, sum(v_orders) AS orders, sum(v_revenue) AS revenue, "
        f"min(v_date) AS first, max(v_date) AS last FROM (SELECT *, {odd} AS odd FROM "
        f"(SELECT *, v_orders AS orders, v_revenue AS revenue FROM {rows})) GROUP BY GROUPING SETS ({groups})"
    )
    kinds = con.execute(
        "SELECT entry.key, CAST(sum(entry.value) AS BIGINT) FROM "
        f"(SELECT unnest(map_entries(odd)) AS entry FROM {relation} WHERE level = 0) GROUP BY 1"
    ).fetchall()
    found = con.execute(
        "SELECT CAST(sum(rows) AS BIGINT), min(first), max(last), sum(orders), sum(revenue) "
        f"FROM {relation} WHERE level = 0"
    ).fetchone()
    if not found or not found[0]:
        return None
    rows_, first, last, orders, revenue = found
    unusual = {
        rule: sum(count for bits, count in kinds if bits & 1 << at)
        for at, rule in enumerate(UNUSUAL)
    }
    return Survey(relation, sets, rows_, unusual, first, last, orders, revenue)


def usual(plans: Mapping[str, Plan]) -> str:
    """Build SQL that is true for most rows of which nothing is to be said, with few comparisons.

    One order, or up to nine, for an amount of up to seven characters: no fraction of an order, no return
    and no more than six decimals can hide there. Every other row is looked at in full.
    """
    filled = [f"v_{name} IS NOT NULL" for name, plan in plans.items()
              if plan.column.kind in (*NUMBERS, *DATES, Kind.FLAG) and name not in ("orders", "revenue")]  # fmt: skip
    amounts = ["orders >= 1", "revenue >= 0.01"]
    for name, most in (("orders", 1), ("revenue", 7)):
        plan = plans[name]
        if plan.type == "DOUBLE":
            amounts.append(plan.short)
        elif not plan.is_exact:
            amounts.append(f"strlen(t_{name}) <= {most}")
    if plans["orders"].value:
        amounts.append("orders = trunc(orders)")
    return " AND ".join([*amounts, *filled])


def _is_large(source: Source) -> bool:
    return source.volume >= SURVEYED_BYTES or source.records >= SURVEYED_RECORDS


def is_plain_head(
    table: Table, source: Source, places: Mapping[str, int], plans: Mapping[str, Plan]
) -> bool:
    """Whether the first rows of a file of orders are written plainly."""
    kinds = {part.kind for part, _ in source.parts} or {source.kind}
    if table.name != "tracking" or not kinds <= {"text", "parquet"} or source.marked:
        return False
    if "post_id" in places:
        return False  # who posted is looked up row by row
    wanted = profiled_columns(table, places)
    free = [name for name in wanted if name in ("product", "source", "campaign")]
    if not all(is_small(source, places[each]) for each in free):
        return False
    for plan in plans.values():
        kind = plan.column.kind
        if kind is Kind.SHARE or plan.scale != 1 or plan.separator:
            return False
        if kind in NUMBERS and (plan.decimal_comma or plan.maybe_thousands):
            return False
        if kind in DATES and kind is not Kind.DATE:
            return False
    return True


def _sets(wanted: list[str]) -> tuple[tuple[str, ...], ...]:
    """Group the columns as decisions need them together: what carries a brand, what gives the channel."""
    together = [
        tuple(name for name in names if name in wanted)
        for names in (BRAND_TEXTS, ("source", "influencer_id"))
    ]
    sets = [each for each in together if each]
    covered = {name for each in sets for name in each}
    sets += [(name,) for name in wanted if name not in covered]
    return tuple(dict.fromkeys(sets)) or ((),)
