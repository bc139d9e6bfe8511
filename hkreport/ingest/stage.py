"""From cells as text to typed columns, in one pass over the file.

The pass casts what is written plainly and keeps the text of every other cell beside it. Those texts
are then read once each, however often they occur, and joined back. So a clean file of any size costs one
reading, and a cell that had to be interpreted is counted and can be shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from hkreport.ingest import dates, values
from hkreport.ingest.check import Example
from hkreport.ingest.columns import Match
from hkreport.ingest.read import Source, Unusable, prepare, quoted
from hkreport.schema import TOTALS, Column, Kind, Table

__all__ = ["Staged", "stage"]

IN_MEMORY_BYTES = 48 << 20  # larger files are staged on disk, as Parquet
MATERIALISED_ROWS = 2_000_000  # below this the typed table is kept, above it is computed when read
NUMBERS = (Kind.NUMBER, Kind.MONEY, Kind.SHARE)
DATES = (Kind.DATE, Kind.TIMESTAMP)
SUMMED = frozenset(TOTALS.values())
DECIMAL = "DECIMAL(18, 6)"
MARKS = ("malformed", "repeated_header", "placeholder", "total_row")
TOTAL_WORDS = "(grand|sub|overall)?totals?|sum|overall"


@dataclass
class Plan:
    """What the reading pass assumes about one column, from the first rows."""

    column: Column
    cell: str
    header: str
    decimal_comma: bool = False
    separator: str = ""
    day_first: bool = True


@dataclass
class Reading:
    """How the texts of one column were read: what is reported about it.

    Attributes
    ----------
    kinds : dict of str to (rows, examples)
        By kind of text: ``unreadable``, ``scaled``, ``percent``, ``serial``, …
    order : dates.Order or None
    zoned : int
        Rows whose time carries a zone and was converted.
    european : bool
        Whether a comma is the decimal sign here.
    percent : bool
        Whether plain numbers were taken as percentages.
    """

    column: Column
    header: str
    kinds: dict[str, tuple[int, list[Example]]] = field(default_factory=dict)
    order: dates.Order | None = None
    either: list[Example] = field(default_factory=list)
    contrary: list[Example] = field(default_factory=list)
    zoned: int = 0
    european: bool = False
    english_cells: int = 0
    european_cells: int = 0
    percent: bool = False
    scale: int = 1


@dataclass
class Staged:
    """One table in DuckDB, typed; nothing left out but wholly blank lines.

    The relation ``name`` has ``row``, ``mark`` (why a record is no data, or NULL), ``reason``, ``whole``
    (a hash of the record, where the table has no key), each
    canonical column that the file has, ``u_COLUMN`` (the text that could not be read) and, for summed
    columns, ``x_COLUMN`` (what rounding to six decimals took away, in units of 1e-16).
    """

    table: Table
    source: Source
    match: Match
    name: str
    rows: int
    readings: dict[str, Reading]

    def has(self, column: str) -> bool:
        """Whether the file has the column."""
        return column in self.match.places


def stage(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    match: Match,
    workdir: Path,
    day_first: Mapping[str, bool],
) -> Staged:
    """Read one file into a typed relation.

    Raises
    ------
    Unusable
        If the file cannot be read after all.
    """
    plans = _plans(con, source, match, day_first)
    source = prepare(source, workdir, con)
    raw = f"stage_{match.table.name}"
    try:
        _read(con, source, match, plans, raw, workdir)
    except duckdb.Error as first:
        if source.kind != "text":
            raise Unusable(f"{source.label} cannot be read ({_first_line(first)}).") from first
        source = prepare(source, workdir, con, rewrite=True)
        try:
            _read(con, source, match, plans, raw, workdir)
        except duckdb.Error as second:
            raise Unusable(
                f"{source.label} cannot be read ({_first_line(second)}). Open it in a spreadsheet "
                "and save it as CSV (UTF-8)."
            ) from second
    readings = {
        name: Reading(plan.column, plan.header) for name, plan in plans.items()
    }
    if _decide_numbers(con, raw, plans, readings):
        _read(con, source, match, plans, raw, workdir)
        _decide_numbers(con, raw, plans, readings)
    selects, joins = _finish(con, raw, match.table, plans, readings, day_first)
    first_row = source.header_row + 1
    name = f"read_{match.table.name}"
    query = (
        f"SELECT CAST(s.n + {first_row} AS BIGINT) AS row, s.mark, s.bad AS reason, s.whole"
        + "".join(f", {each}" for each in selects)
        + f" FROM {raw} AS s {' '.join(joins)} WHERE s.mark IS DISTINCT FROM 'blank'"
    )
    found = con.execute(
        f"SELECT count(*) FROM {raw} WHERE mark IS DISTINCT FROM 'blank'"
    ).fetchone()
    rows = int(found[0]) if found else 0
    con.execute(f"CREATE OR REPLACE VIEW {name} AS {query}")
    return Staged(match.table, source, match, name, rows, readings)


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def _plans(
    con: duckdb.DuckDBPyConnection, source: Source, match: Match, day_first: Mapping[str, bool]
) -> dict[str, Plan]:
    plans = {}
    for column in match.table:
        if column.name not in match.places:
            continue
        place = match.places[column.name]
        plan = Plan(column, f"c{place}", source.headers[place])
        texts = [row[place] for row in source.head if place < len(row) and row[place].strip()]
        if column.kind in NUMBERS + DATES and texts:
            listed = ", ".join(f"({quoted(text)})" for text in texts)
            con.execute(f"CREATE OR REPLACE TEMP TABLE head AS SELECT raw FROM (VALUES {listed}) AS t(raw)")
            if column.kind in NUMBERS:
                found = _row(con, values.number_evidence("head"))
                plan.decimal_comma = found["european"] > found["english"]
            elif shapes := con.execute(dates.shape_query("head")).fetchall():
                plan.separator, cells, only_day, only_month = shapes[0]
                setting = _setting(day_first, match.table, column)
                plan.day_first = dates.decide(
                    only_day, only_month, cells - only_day - only_month, setting
                ).day_first
        plans[column.name] = plan
    return plans


def _setting(day_first: Mapping[str, bool], table: Table, column: Column) -> bool | None:
    return day_first.get(f"{table.name}.{column.name}", day_first.get(table.name))


def _row(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, int]:
    cursor = con.execute(query)
    names = [each[0] for each in cursor.description or ()]
    return dict(zip(names, cursor.fetchone() or (), strict=True))


# --- the reading pass -----------------------------------------------------------------------------


def _read(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    match: Match,
    plans: Mapping[str, Plan],
    name: str,
    workdir: Path,
) -> None:
    inner, outer = [], []
    for column, plan in plans.items():
        cell = plan.cell
        kind = plan.column.kind
        if kind in NUMBERS:
            inner.append(f"{_fast_number(plan)} AS v_{column}")
            outer.append(f"v_{column}, CASE WHEN v_{column} IS NULL THEN {cell} END AS r_{column}")
            if (match.table.name, column) in SUMMED:
                outer.append(f"{_beyond(cell, f'v_{column}')} AS x_{column}")
        elif kind in DATES:
            stamp = kind is Kind.TIMESTAMP
            inner.append(f"{dates.fast_date(cell, timestamp=stamp)} AS i_{column}")
            numeric = (
                f"CASE WHEN strlen({cell}) <= 10 THEN CAST(try_strptime({cell}, "
                f"{quoted(_form(plan))}) AS DATE) END"
                if plan.separator
                else "NULL::DATE"
            )
            inner.append(f"{numeric} AS w_{column}")
            low, high = f"DATE '{dates.FIRST_YEAR}-01-01'", f"DATE '{dates.LAST_YEAR + 1}-01-01'"
            outer.append(
                f"CASE WHEN i_{column} >= {low} AND i_{column} < {high} THEN i_{column} END AS v_{column}, "
                f"CASE WHEN w_{column} >= {low} AND w_{column} < {high} THEN w_{column} END AS w_{column}, "
                f"CASE WHEN i_{column} >= {low} AND i_{column} < {high} "
                f"OR w_{column} >= {low} AND w_{column} < {high} THEN NULL ELSE {cell} END AS r_{column}"
            )
        elif kind is Kind.FLAG:
            outer.append(f"{cell} AS r_{column}")
        else:
            outer.append(f"{cell} AS v_{column}")
    if not all(key in plans for key in match.table.key) or not match.table.key:
        cells = ", ".join(f"c{place}" for place in range(len(source.headers)))
        outer.append(f"hash({cells}) AS whole")  # to find rows that are twice in the file
    else:
        outer.append("NULL::UBIGINT AS whole")
    query = (
        f"SELECT {', '.join(outer)}, CASE WHEN {_suspect(match, plans)} THEN {_mark(source, match)} END "
        f"AS mark, bad FROM (SELECT *{''.join(', ' + each for each in inner)} FROM ({source.query}))"
    )
    con.execute(f"DROP VIEW IF EXISTS {name}")
    if source.size <= IN_MEMORY_BYTES and source.kind != "parquet":
        con.execute(f"CREATE OR REPLACE TABLE {name}_rows AS {query}")
        con.execute(f"CREATE VIEW {name} AS SELECT rowid AS n, * FROM {name}_rows")
    else:
        target = workdir / f"{name}.parquet"
        con.execute(f"COPY ({query}) TO {quoted(target)} (FORMAT parquet, COMPRESSION snappy)")
        con.execute(
            f"CREATE VIEW {name} AS SELECT file_row_number AS n, * EXCLUDE (file_row_number) "
            f"FROM read_parquet({quoted(target)}, file_row_number = true)"
        )


def _fast_number(plan: Plan) -> str:
    cast = f"TRY_CAST({plan.cell} AS {DECIMAL})"
    return f"CASE WHEN NOT contains({plan.cell}, '.') THEN {cast} END" if plan.decimal_comma else cast


def _form(plan: Plan) -> str:
    pair = ("%d", "%m") if plan.day_first else ("%m", "%d")
    return plan.separator.join((*pair, "%Y"))


def _beyond(cell: str, value: str) -> str:
    """Build SQL for what rounding to six decimals added or took, in units of 1e-16, or NULL.

    Casting to a decimal of 38 digits would say the same, at a hundred times the cost.
    """
    tail = f"substr({cell}, strpos({cell}, '.') + 7, 10)"
    units = f"TRY_CAST(rpad({tail}, 10, '0') AS BIGINT)"
    return (
        f"CASE WHEN strlen({cell}) > 7 AND strpos({cell}, '.') > 0 "
        f"AND strlen({cell}) - strpos({cell}, '.') > 6 AND {value} IS NOT NULL THEN "
        f"CASE WHEN contains(lower({cell}), 'e') "
        f"THEN CAST((TRY_CAST({cell} AS DECIMAL(38, 16)) - {value}) * 10000000000000000 AS BIGINT) "
        f"ELSE ({units} - CASE WHEN {units} >= 5000000000 THEN 10000000000 ELSE 0 END) "
        f"* CASE WHEN starts_with(trim({cell}), '-') THEN -1 ELSE 1 END END END"
    )


BLANKS = " \t\r\n\u00a0\u200b\ufeff"


def text(cell: str) -> str:
    """Build SQL for a trimmed text, NULL where it stands for an empty cell."""
    odd = (
        f"{cell} < '!' OR {cell} >= '\x7f' OR suffix({cell}, ' ') OR suffix({cell}, '\t') "
        f"OR suffix({cell}, '\r') OR suffix({cell}, '\n') OR suffix({cell}, '\u00a0')"
    )
    return (
        f"CASE WHEN {values.nothing(cell)} THEN NULL WHEN {odd} "
        f"THEN nullif(trim({cell}, '{BLANKS}'), '') ELSE {cell} END"
    )


def identifier(cell: str) -> str:
    """Build SQL for an id: trimmed, and 17.0 as 17."""
    clean = text(cell)
    return (
        f"CASE WHEN suffix({cell}, '0') AND regexp_full_match({cell}, '\\s*-?[0-9]+[.]0+') "
        f"THEN split_part(trim({cell}), '.', 1) ELSE {clean} END"
    )


def _suspect(match: Match, plans: Mapping[str, Plan]) -> str:
    """Build SQL that is true for every record that may be no data, and for few others."""
    signs = ["bad IS NOT NULL"]
    for name in match.table.required:
        plan = plans[name]
        if plan.column.kind in NUMBERS:
            signs.append(f"v_{name} IS NULL")
        elif plan.column.kind in DATES:
            signs.append(f"i_{name} IS NULL AND w_{name} IS NULL")
        else:
            cell = plan.cell
            header = quoted(plan.header.strip().lower())
            signs.append(
                f"{cell} IS NULL OR {cell} <= '0' OR {cell} >= '\x7f' "
                f"OR strlen({cell}) <= {len(plan.header.encode()) + 8} "
                f"AND (contains(lower({cell}), 'total') OR contains(lower({cell}), {header}) "
                f"OR lower({cell}) = 'sum' OR lower({cell}) = 'overall')"
            )
    return " OR ".join(signs)


def _mark(source: Source, match: Match) -> str:
    """Build SQL that says why a record is no data; looked at closely only where a key cell is odd."""
    cells = [f"c{place}" for place in range(len(source.headers))]
    every = f"concat_ws('', {', '.join(cells)})"
    key_column = match.table.required[0]
    key = f"c{match.places[key_column]}"
    header = source.headers[match.places[key_column]]
    same = " + ".join(
        f"CAST(coalesce(lower(trim({cell})) = {quoted(head.strip().lower())}, false) AS INT)"
        for cell, head in zip(cells, source.headers, strict=True)
        if head
    )
    filled = sum(bool(head) for head in source.headers)
    first = "coalesce(" + ", ".join(f"nullif(trim({cell}), '')" for cell in cells) + ")"
    # A pattern, since DuckDB turns a long IN list into a join over every row.
    total = f"'[^a-z]', '', 'g'), {quoted(TOTAL_WORDS)})"
    return f"""CASE
        WHEN {key} IS NULL OR trim({key}, ' \t\r\n\u00a0') = '' THEN CASE
            WHEN trim({every}, ' \t\r\n\u00a0') = '' THEN CASE WHEN bad IS NULL THEN 'blank' ELSE 'malformed' END
            WHEN bad IS NOT NULL THEN 'malformed'
            WHEN contains({every}, '.') AND trim({every}, ' .\t') = '' OR trim({every}, ' .…') = '' THEN 'placeholder'
            WHEN regexp_full_match(regexp_replace(lower({first}), {total} THEN 'total_row' END
        WHEN bad IS NOT NULL THEN 'malformed'
        WHEN strlen({key}) <= {len(header.encode()) + 8} AND lower(trim({key})) = {quoted(header.strip().lower())}
             AND ({same}) >= {max(1, (filled + 1) // 2)} THEN 'repeated_header'
        WHEN starts_with({key}, '.') AND trim({key}, ' .') = '' OR starts_with({key}, '…')
             AND trim({key}, ' .…') = '' THEN 'placeholder'
        WHEN regexp_full_match(regexp_replace(lower({key}), {total} THEN 'total_row' END"""


# --- decisions over the whole column ----------------------------------------------------------------


def _decide_numbers(
    con: duckdb.DuckDBPyConnection,
    raw: str,
    plans: Mapping[str, Plan],
    readings: Mapping[str, Reading],
) -> bool:
    """Look for decimal commas in what was not plain; True if the file must be read again."""
    again = False
    for name, plan in plans.items():
        if plan.column.kind not in NUMBERS:
            continue
        found = _row(
            con,
            values.number_evidence(
                f"(SELECT r_{name} AS raw FROM {raw} WHERE r_{name} IS NOT NULL AND mark IS NULL)"
            ),
        )
        reading = readings[name]
        reading.european_cells, reading.english_cells = found["european"], found["english"]
        if found["european"] and not plan.decimal_comma:
            # Plainly cast values with a fraction of other than three digits speak for the dot.
            dotted = _row(
                con,
                f"SELECT count(*) FILTER (v_{name} <> trunc(v_{name}) AND "
                f"v_{name} * 100 = trunc(v_{name} * 100)) AS dots FROM {raw}",
            )["dots"]
            reading.english_cells += dotted
            if reading.european_cells > reading.english_cells:
                plan.decimal_comma = again = True
        reading.european = plan.decimal_comma
    return again


def _finish(
    con: duckdb.DuckDBPyConnection,
    raw: str,
    table: Table,
    plans: Mapping[str, Plan],
    readings: Mapping[str, Reading],
    day_first: Mapping[str, bool],
) -> tuple[list[str], list[str]]:
    """Read the texts that are left, and build the select list and joins of the typed relation."""
    selects, joins = [], []
    for name, plan in plans.items():
        kind = plan.column.kind
        if kind in NUMBERS:
            select, join = _finish_number(con, raw, table, name, plan, readings[name])
        elif kind in DATES:
            select, join = _finish_date(con, raw, table, name, plan, readings[name], day_first)
        elif kind is Kind.FLAG:
            select, join = _finish_flag(con, raw, table, name, readings[name])
        else:
            clean = identifier if kind is Kind.ID else text
            select, join = f"{clean(f's.v_{name}')} AS {name}", ""
        selects.append(select)
        if join:
            joins.append(join)
    return selects, joins


def _left_over(raw: str, name: str) -> str:
    return (
        f"(SELECT r_{name} AS raw, count(*) AS cells, min(n) AS first FROM {raw} "
        f"WHERE r_{name} IS NOT NULL AND mark IS NULL GROUP BY r_{name})"
    )


def _map(con: duckdb.DuckDBPyConnection, raw: str, table: Table, name: str, query: str) -> str | None:
    """Keep how each left-over text was read; None if there is nothing to read."""
    relation = f"map_{table.name}_{name}"
    con.execute(f"CREATE OR REPLACE TABLE {relation} AS {query}")
    found = con.execute(f"SELECT 1 FROM {relation} LIMIT 1").fetchone()
    return relation if found else None


def _kinds(con: duckdb.DuckDBPyConnection, raw: str, relation: str, name: str) -> dict[str, tuple[int, list[Example]]]:
    result: dict[str, tuple[int, list[Example]]] = {}
    for kind, cells in con.execute(
        f"SELECT m.kind, sum(t.cells) FROM {_left_over(raw, name)} AS t "
        f"JOIN {relation} AS m ON m.raw = t.raw GROUP BY 1 ORDER BY 1"
    ).fetchall():
        examples = con.execute(
            f"SELECT t.first, t.raw FROM {_left_over(raw, name)} AS t JOIN {relation} AS m "
            f"ON m.raw = t.raw WHERE m.kind = ? ORDER BY 1 LIMIT 5",
            [kind],
        ).fetchall()
        result[kind] = (int(cells), [Example(row, text) for row, text in examples])
    return result


def _finish_number(
    con: duckdb.DuckDBPyConnection,
    raw: str,
    table: Table,
    name: str,
    plan: Plan,
    reading: Reading,
) -> tuple[str, str]:
    summed = (table.name, name) in SUMMED
    left = _left_over(raw, name)
    percent = plan.column.kind is Kind.SHARE or name == "rate"
    found = _row(con, values.number_evidence(left))
    filled = _row(con, f"SELECT count(v_{name}) AS plain FROM {raw} WHERE mark IS NULL")["plain"]
    all_foreign = not filled and found["foreign"] == found["filled"]
    relation = _map(
        con,
        raw,
        table,
        name,
        values.number_query(
            left, decimal_comma=plan.decimal_comma, percent=percent, foreign=all_foreign
        ),
    )
    value = f"s.v_{name}"
    join = ""
    rest = f"s.x_{name}" if summed else ""
    unreadable = "NULL::VARCHAR"
    if relation:
        reading.kinds = _kinds(con, raw, relation, name)
        alias = f"m_{name}"
        join = f"LEFT JOIN {relation} AS {alias} ON {alias}.raw = s.r_{name}"
        value = f"coalesce(s.v_{name}, CAST({alias}.value AS {DECIMAL}))"
        unreadable = f"CASE WHEN {alias}.kind IN ('unreadable', 'too_large') THEN s.r_{name} END"
        if summed:
            beyond = f"({alias}.value - CAST({alias}.value AS {DECIMAL})) * 10000000000000000"
            rest = f"coalesce(s.x_{name}, CAST({beyond} AS BIGINT))"
    if plan.column.kind is Kind.SHARE and _is_percent(con, raw, name, plan):
        reading.percent = True
        plain = f"coalesce(s.v_{name}, CASE WHEN {'m_' + name + '.kind' if relation else 'NULL'} <> 'percent' THEN {value} END)"
        value = f"coalesce(CAST({plain} / 100 AS {DECIMAL}), {value})"
    parts = [f"{value} AS {name}", f"{unreadable} AS u_{name}"]
    if summed:
        parts.append(f"{rest} AS x_{name}")
    return ", ".join(parts), join


def _is_percent(con: duckdb.DuckDBPyConnection, raw: str, name: str, plan: Plan) -> bool:
    if values.says_percent(plan.column, plan.header):
        return True
    found = _row(
        con,
        f"SELECT count(*) FILTER (v_{name} > 1) AS large, count(*) FILTER (v_{name} <> 0) AS filled "
        f"FROM {raw} WHERE mark IS NULL",
    )
    return bool(found["large"] > 0.5 * found["filled"])


def _finish_date(
    con: duckdb.DuckDBPyConnection,
    raw: str,
    table: Table,
    name: str,
    plan: Plan,
    reading: Reading,
    day_first: Mapping[str, bool],
) -> tuple[str, str]:
    left = _left_over(raw, name)
    relation = _map(con, raw, table, name, dates.date_query(left, True))
    only_day = only_month = either = 0
    if relation:
        by_reading = {
            kind: int(cells)
            for kind, cells in con.execute(
                f"SELECT m.reading, sum(t.cells) FROM {left} AS t JOIN {relation} AS m "
                "ON m.raw = t.raw WHERE m.reading IS NOT NULL GROUP BY 1"
            ).fetchall()
        }
        only_day = by_reading.get("only_day", 0)
        only_month = by_reading.get("only_month", 0)
        either = by_reading.get("either", 0)
    if plan.separator:
        fast = _row(
            con,
            f"SELECT count(*) FILTER (day(w_{name}) > 12) AS one_way, count(*) FILTER "
            f"(day(w_{name}) <= 12 AND day(w_{name}) <> month(w_{name})) AS either "
            f"FROM {raw} WHERE mark IS NULL",
        )
        either += fast["either"]
        if plan.day_first:
            only_day += fast["one_way"]
        else:
            only_month += fast["one_way"]
    numeric = only_day + only_month + either
    swapped = False
    if numeric:
        reading.order = dates.decide(only_day, only_month, either, _setting(day_first, table, plan.column))
        if relation and not reading.order.day_first:
            _map(con, raw, table, name, dates.date_query(left, False))
        swapped = plan.day_first is not reading.order.day_first
    kind = "TIMESTAMP" if plan.column.kind is Kind.TIMESTAMP else "DATE"
    value = f"s.v_{name}"
    if plan.separator:
        word = f"s.w_{name}"
        if swapped:
            word = (
                f"CASE WHEN day({word}) <= 12 THEN make_date(year({word}), day({word}), month({word})) "
                f"ELSE {word} END"
            )
        value = f"coalesce({value}, {word})"
    unreadable, join = "NULL::VARCHAR", ""
    if relation:
        alias = f"m_{name}"
        reading.kinds = _kinds(con, raw, relation, name)
        reading.zoned = _row(
            con,
            f"SELECT coalesce(sum(t.cells), 0) AS zoned FROM {left} AS t JOIN {relation} AS m "
            "ON m.raw = t.raw WHERE m.zoned",
        )["zoned"]
        join = f"LEFT JOIN {relation} AS {alias} ON {alias}.raw = s.r_{name}"
        value = f"coalesce({value}, {alias}.value)"
        unreadable = f"CASE WHEN {alias}.kind = 'unreadable' THEN s.r_{name} END"
    return f"CAST({value} AS {kind}) AS {name}, {unreadable} AS u_{name}", join


def _finish_flag(
    con: duckdb.DuckDBPyConnection, raw: str, table: Table, name: str, reading: Reading
) -> tuple[str, str]:
    texts = [text for (text,) in con.execute(
        f"SELECT raw FROM {_left_over(raw, name)} ORDER BY 1 LIMIT 10000"
    ).fetchall()]
    relation = f"map_{table.name}_{name}"
    con.execute(f"CREATE OR REPLACE TABLE {relation} (raw VARCHAR, value BOOLEAN, kind VARCHAR)")
    for text in texts:
        value = values.flag(text)
        con.execute(
            f"INSERT INTO {relation} VALUES (?, ?, ?)",
            [text, value, "unreadable" if value is None else "flag"],
        )
    reading.kinds = _kinds(con, raw, relation, name)
    alias = f"m_{name}"
    return (
        f"{alias}.value AS {name}, CASE WHEN {alias}.kind = 'unreadable' THEN s.r_{name} END AS u_{name}",
        f"LEFT JOIN {relation} AS {alias} ON {alias}.raw = s.r_{name}",
    )
