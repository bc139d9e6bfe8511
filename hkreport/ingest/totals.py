"""Rows among the data that are sums of other rows, with 'Total' or 'All' where a brand or a person should stand.

A total line at the end has no date, and its word in the first cell; it is known by that alone. These rows have
a date. A brand may be called so, too: only where the rows of that day, and of whatever else the row names, make
what it says, it is taken for their sum.
"""

from collections.abc import Mapping, Sequence

import duckdb

from hkreport.ingest.columns import Match
from hkreport.pseudonyms import USER
from hkreport.schema import Column, Kind

__all__ = ["LONGEST_TOTAL", "TOTAL_WORDS", "mark_sums"]

TOTAL_WORDS = "(grand|sub|overall)?totals?|sum|overall|(opening|closing)balance"
LONGEST_TOTAL = 20
# Words that are a sum only where it can be shown of several rows.
ALL_WORDS = "all(brands|influencers|creators|products|platforms|channels|campaigns|cities)?"
FEWEST_ALL = 2
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
        con.execute(f"ALTER VIEW read_{name} RENAME TO rows_{name}")
        con.execute(
            f"CREATE VIEW read_{name} AS SELECT * REPLACE (CASE WHEN mark IS NULL AND row IN "
            f"(SELECT row FROM sums_{name} WHERE is_sum) THEN 'total_row' ELSE mark END AS mark) FROM rows_{name}"
        )
    return int(left)


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
