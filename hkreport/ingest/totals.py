"""Rows among the data that are sums of other rows: 'Total' or 'All' where a brand or a person should stand, or nothing.

A total line at the end has no date, and its word in the first cell; it is known by that alone. These rows may
have a date. A brand may be called so, too, and an order need name nobody: only where the rows of that day, and of
whatever else the row names, or the rows above it make what it says, it is taken for their sum.
"""

from collections.abc import Mapping, Sequence

import duckdb

from hkreport.ingest.columns import Match
from hkreport.ingest.source import ITEM, PART
from hkreport.pseudonyms import USER
from hkreport.schema import Column, Kind

__all__ = ["LONGEST_TOTAL", "TOTAL_WORDS", "mark_items", "mark_sums"]

TOTAL_WORDS = "(grand|sub|overall)?totals?|sum|overall|(opening|closing)balance"
LONGEST_TOTAL = 20
# Words that are a sum only where it can be shown of several rows.
ALL_WORDS = "all(brands|influencers|creators|products|platforms|channels|campaigns|cities)?"
FEWEST_ALL = 2
# The total of a month or a week, among its rows.
_PERIODS = (
    "(for|of|the)*(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|"
    "nov(ember)?|dec(ember)?|month|monthly|mtd|week|weekly|w|wk|quarter|q|year|fy|h)"
)
PERIOD_TOTALS = f"{TOTAL_WORDS}|(sub)?totals?{_PERIODS}|{_PERIODS}(sub)?totals?"
FEWEST_ABOVE = 2  # rows that a sum is made of
FEWEST_OF_SUMS = 4  # rows that all such sums are made of, below which that may be chance
MOST_SUMS = 1 / 3  # of all rows; where more name nothing, they are rows like others
# What rows of a table are added up by.
ADDED: Mapping[str, str] = {"tracking": "revenue", "payouts": "total_payout"}
PAISA = 0.01  # each of the added amounts may be rounded
MOST_PAIRS = 20_000_000


def mark_sums(con: duckdb.DuckDBPyConnection, match: Match) -> int:
    """Mark rows of ``read_TABLE`` that are sums of others, and give how many look so but are none.

    Such a row is left in: it may be what is really meant, and a warning has to say that it counts.
    """
    name = match.table.name
    measure = ADDED.get(name, "")
    labels = [each.name for each in match.table if _is_label(each, match)]
    if measure in match.places:
        _mark_sums_of_above(con, match, measure, labels)
    if measure not in match.places or not labels or not _has_words(con, name, labels):
        return 0
    clean = {each: f"CASE WHEN NOT {_is_word(each)} THEN {each} END" for each in labels}
    day = ["date"] if "date" in match.places else []
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE worded AS SELECT row, {measure} AS amount"
        + "".join(f", {each}" for each in day)
        + "".join(f", {sql} AS {each}" for each, sql in clean.items())
        + f", {' OR '.join(_is_word(each, TOTAL_WORDS) for each in labels)} AS is_total "
        f"FROM read_{name} WHERE mark IS NULL AND ({' OR '.join(map(_is_word, labels))})"
    )
    others = f"read_{name} WHERE mark IS NULL AND NOT ({' OR '.join(map(_is_word, labels))})"
    if not day and _count(con, "worded") * _count(con, others) > MOST_PAIRS:
        return 0
    on = [f"r.{each} = w.{each}" for each in day]
    on += [f"(w.{each} IS NULL OR r.{each} = w.{each})" for each in labels]
    con.execute(
        f"CREATE OR REPLACE TABLE sums_{name} AS SELECT w.row, w.is_total, w.amount, "
        f"count(r.{measure}) > 0 AND abs(w.amount - sum(r.{measure})) <= {PAISA} * (1 + count(r.{measure})) AS is_sum "
        f"FROM worded AS w LEFT JOIN (SELECT * FROM {others}) AS r ON {' AND '.join(on)} "
        "GROUP BY w.row, w.is_total, w.amount"
    )
    shown, total, left = con.execute(
        "SELECT count(*) FILTER (is_sum AND amount <> 0), count(*) FILTER (is_sum AND amount <> 0 AND is_total), "
        f"count(*) FILTER (NOT coalesce(is_sum, false) AND is_total) FROM sums_{name}"
    ).fetchall()[0]
    # By chance a row may be what others make; of many rows of a brand that is called so, few will be.
    if shown * 2 >= _count(con, f"sums_{name}") and (total or shown >= FEWEST_ALL):
        _mark_as_sums(con, name, "of_day", f"SELECT row FROM sums_{name} WHERE is_sum")
    return int(left)


def _mark_sums_of_above(
    con: duckdb.DuckDBPyConnection, match: Match, measure: str, labels: Sequence[str]
) -> None:
    """Mark rows that name nothing at all, or say a total, and hold the sum of the rows above them.

    These are the rows since the last such row, or all of them; each file of several has its own.
    """
    keys = [each for each in (*match.table.key, USER) if each in match.places]
    texts = [*labels, *(each for each in keys if each != USER)]
    texts += ["u_date"] if "date" in match.places else []
    if labels:
        silent = f"concat({', '.join([*labels, *keys])}) = ''"
        _mark_above(con, match.table.name, measure, "silent", silent)
    if texts:
        says = " OR ".join(_is_word(each, PERIOD_TOTALS) for each in texts)
        _mark_above(con, match.table.name, measure, "worded", says)


def _mark_above(
    con: duckdb.DuckDBPyConnection, name: str, measure: str, how: str, sign: str
) -> None:
    """Mark rows with a sign that hold the sum of the rows above them, if most with the sign do."""
    rows = f"read_{name} WHERE mark IS NULL"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE signed AS SELECT row FROM {rows} AND ({sign}) AND {measure} <> 0"
    )
    signed = _count(con, "signed")
    if not signed or signed > MOST_SUMS * _count(con, rows):
        return
    con.execute(
        "CREATE OR REPLACE TEMP TABLE above AS SELECT row, rows, "
        f"rows >= {FEWEST_ABOVE} AND abs(amount - added) <= {PAISA} * (1 + rows) OR "
        f"every_row >= {FEWEST_ABOVE} AND abs(amount - every) <= {PAISA} * (1 + every_row) AS is_sum FROM ("
        "SELECT *, sum(rows) OVER so_far AS every_row, sum(added) OVER so_far AS every FROM ("
        "SELECT file, block, count(*) FILTER (NOT signed) AS rows, max(row) FILTER (signed) AS row, "
        "coalesce(sum(amount) FILTER (NOT signed), 0) AS added, max(amount) FILTER (signed) AS amount FROM ("
        "SELECT *, count(*) FILTER (signed) OVER (PARTITION BY file ORDER BY row ROWS BETWEEN UNBOUNDED PRECEDING "
        f"AND 1 PRECEDING) AS block FROM (SELECT row, row // {PART} AS file, {measure} AS amount, "
        f"row IN (SELECT row FROM signed) AS signed FROM {rows})) GROUP BY file, block) "
        "WINDOW so_far AS (PARTITION BY file ORDER BY block)) WHERE row IS NOT NULL"
    )
    sums, made_of = con.execute(
        "SELECT count(*), coalesce(sum(rows), 0) FROM above WHERE is_sum"
    ).fetchall()[0]
    # By chance a row may be what those above it make; of many that are none, few will be.
    if sums * 2 <= signed or made_of < FEWEST_OF_SUMS:
        return
    _mark_as_sums(con, name, how, "SELECT row FROM above WHERE is_sum")


def mark_items(con: duckdb.DuckDBPyConnection, match: Match) -> None:
    """Mark the further items of an order in ``read_TABLE``, where a row is an order by its id.

    A shop says the amount of an order once, on its first line, and leaves it empty on those of its other items.
    """
    columns = {"tracking_id", "revenue"}
    if (
        match.table.name != "tracking"
        or "orders" not in match.constants
        or not columns <= match.places.keys()
    ):
        return
    amounts = "SELECT tracking_id FROM read_tracking WHERE mark IS NULL AND revenue IS NOT NULL"
    items = (
        "SELECT row FROM read_tracking WHERE mark IS NULL AND revenue IS NULL AND u_revenue IS NULL "
        f"AND tracking_id IN ({amounts})"
    )
    if con.execute(f"{items} LIMIT 1").fetchone():
        _mark_as(con, "tracking", "items", items, ITEM)


def _mark_as_sums(con: duckdb.DuckDBPyConnection, name: str, how: str, rows: str) -> None:
    _mark_as(con, name, how, rows, "total_row")


def _mark_as(con: duckdb.DuckDBPyConnection, name: str, how: str, rows: str, mark: str) -> None:
    """Put the mark on rows of ``read_TABLE``; `how` they were found names what is kept of it."""
    con.execute(f"CREATE OR REPLACE TABLE {how}_{name} AS {rows}")
    con.execute(f"ALTER VIEW read_{name} RENAME TO before_{how}_{name}")
    con.execute(
        f"CREATE VIEW read_{name} AS SELECT * REPLACE (CASE WHEN mark IS NULL AND row IN "
        f"(SELECT row FROM {how}_{name}) THEN '{mark}' ELSE mark END AS mark) FROM before_{how}_{name}"
    )


def _is_label(column: Column, match: Match) -> bool:
    return (
        column.name in match.places
        and column.kind in (Kind.ID, Kind.LABEL, Kind.TEXT)
        and column.name not in (*match.table.key, USER)
    )


def _has_words(con: duckdb.DuckDBPyConnection, name: str, labels: Sequence[str]) -> bool:
    """Whether any cell may be such a word: looked at in a way that costs little for each cell."""
    some = " OR ".join(
        f"(strlen(v_{each}) <= {LONGEST_TOTAL} AND (contains(lower(v_{each}), 'total') OR starts_with(lower(v_{each}), "
        f"'all') OR lower(v_{each}) = 'sum' OR lower(v_{each}) = 'overall'))"
        for each in labels
    )
    return bool(con.execute(f"SELECT 1 FROM stage_{name} WHERE {some} LIMIT 1").fetchone())


def _is_word(column: str, words: str = f"{TOTAL_WORDS}|{ALL_WORDS}") -> str:
    return (
        f"coalesce(strlen({column}) <= {LONGEST_TOTAL} AND "
        f"regexp_full_match(regexp_replace(lower({column}), '[^a-z]', '', 'g'), '{words}'), false)"
    )


def _count(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    found = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
    return int(found[0]) if found else 0
