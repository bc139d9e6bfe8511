"""From cells as text to typed columns, in one pass over the file.

The pass casts what is written plainly and keeps the text of every other cell beside it. Those texts
are then read once each, however often they occur, and joined back. So a clean file of any size costs one
reading, and a cell that had to be interpreted is counted and can be shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from hkreport.ingest import dates
from hkreport.ingest.columns import Match
from hkreport.ingest.leftovers import Leftovers
from hkreport.ingest.plans import DATES, DECIMAL, NUMBERS, SUMMED, Plan, Reading, make_plans
from hkreport.ingest.read import Source, Unusable, prepare, quoted, settled
from hkreport.ingest.source import ELSEWHERE
from hkreport.ingest.survey import Survey, of_parts, survey, usual
from hkreport.ingest.totals import TOTAL_WORDS, mark_items, mark_sums
from hkreport.ingest.values import BLANKS, fast_flag
from hkreport.pseudonyms import sealed
from hkreport.schema import Kind, Table

__all__ = [
    "MATERIALISED_ROWS",
    "Staged",
    "extended",
    "has_key",
    "plain_cells",
    "stage",
    "with_constants",
]

IN_MEMORY_BYTES = 48 << 20  # larger files are staged on disk, as Parquet
MATERIALISED_ROWS = 2_000_000  # below this the typed table is kept, above it is computed when read
NOT_PLAIN = "not plain"
# Where a name before the word is one of people or days; a product may well be called so.
SUBTOTALLED = ("posts", "tracking", "payouts")


@dataclass
class Staged:
    """One table in DuckDB, typed; nothing left out but wholly blank lines.

    The relation ``read_TABLE`` has ``row``, ``mark`` (why a record is no data, or NULL), ``reason``,
    ``whole`` (a hash of the record, where the table has no key), each canonical column that the file has,
    ``raw_COLUMN`` (a text as it stands in the file),
    ``u_COLUMN`` (the text that could not be read) and, for summed columns, ``x_COLUMN`` (what rounding to
    six decimals took away, in units of 1e-16). Where there is a survey, the relation is the file itself,
    read anew each time, and the relation ``plain_TABLE`` is the same without row numbers, in any order. Where
    it is made of kept parts, both have ``part``, which of them a row is from, counted from 0.
    """

    table: Table
    source: Source
    match: Match
    rows: int
    readings: Mapping[str, Reading]
    survey: Survey | None = None

    def has(self, column: str) -> bool:
        """Whether the file has the column."""
        return column in self.match.places

    def first(self, number: str) -> str:
        """SQL that has the first rows before a limit: a file that is read as it stands gives them in order.

        Kept rows are sorted, which is cheap where they are, as a database may join them either way round.
        """
        return f"ORDER BY {number}" if self.source.plain else ""


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
    name = match.table.name
    plain, match = source, with_constants(source, match)
    if source.plain:
        return _stage_plain(con, extended(source, match), match, day_first)
    key = match.places[match.table.key[0]] if len(match.table.key) == 1 and has_key(match) else None
    # A large file is looked at while it is summed up; what its bytes say may be that it is to be written anew.
    for anew in (False, True):
        source = extended(prepare(plain, workdir, con, key=key, anew=anew), match)
        plans = make_plans(con, source, match, day_first)
        query, left = _typed(source, match, plans)
        asked = _surveyed(source, match, plans)
        found = survey(con, match.table, source, match.places, plans, *asked)
        if (ready := settled(source)) is not None:
            source = ready
            break
    try:
        _read(con, source, match, plans, workdir, stored=found is None)
    except duckdb.Error as first:
        if source.kind != "text":
            raise Unusable(f"{source.label} cannot be read ({_first_line(first)}).") from first
        source = extended(prepare(plain, workdir, con, anew=True), match)
        try:
            _read(con, source, match, plans, workdir)
        except duckdb.Error as second:
            raise Unusable(
                f"{source.label} cannot be read ({_first_line(second)}). Open it in a spreadsheet "
                "and save it as CSV (UTF-8)."
            ) from second
    leftovers = Leftovers(
        con, f"stage_{name}", match.table, source, plans, day_first, clean=found is not None
    )
    if leftovers.decimal_signs_changed():
        _read(con, source, match, plans, workdir)
        leftovers = Leftovers(con, f"stage_{name}", match.table, source, plans, day_first)
        leftovers.decimal_signs_changed()
    selects, joins = leftovers.finish()
    shared = (
        f"{'NULL::VARCHAR AS mark' if found else 's.mark'}, "
        f"{'s.bad' if source.marked else 'NULL::VARCHAR'} AS reason"
        + ("" if has_key(match) else ", s.whole")
        + "".join(f", {each}" for each in selects)
    )
    con.execute(
        f"CREATE OR REPLACE VIEW read_{name} AS SELECT "
        f"{source.row_sql('s.n')} AS row, {shared} "
        f"FROM stage_{name} AS s {' '.join(joins)}"
        + ("" if found else " WHERE s.mark IS DISTINCT FROM 'blank'")
    )
    if found:
        # DuckDB takes a CSV file for a few rows and would put it on the wrong side of every join; ours are
        # written with the larger relation first.
        if source.holds_text:
            con.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
        con.execute(
            f"CREATE OR REPLACE VIEW plain_{name} AS SELECT {shared} FROM "
            f"({_unpacked(f'({query})', left)}) AS s"
        )
        return Staged(match.table, source, match, found.rows, leftovers.readings, found)
    if doubtful := mark_sums(con, match):
        sentence = (
            f"{source.label}: {doubtful} {'row says' if doubtful == 1 else 'rows say'} 'Total' where a name should stand, "
            "but are not the sum of the other rows of that day, and count as any other. Remove sums from the export."
        )
        source = replace(source, notes=(*source.notes, ("total_counted", sentence)))
    if found is None:  # in what a survey found plain every row has an amount
        mark_items(con, match)
    counted = con.execute(
        f"SELECT count(*) FROM stage_{name} WHERE mark IS DISTINCT FROM 'blank'"
    ).fetchone()
    return Staged(match.table, source, match, counted[0] if counted else 0, leftovers.readings)


def _stage_plain(
    con: duckdb.DuckDBPyConnection, source: Source, match: Match, day_first: Mapping[str, bool]
) -> Staged:
    """Stage a table whose parts were read before: their kept rows are the staged relation."""
    name, parts = match.table.name, source.plain
    plans = make_plans(con, source, match, day_first)
    starts, before = [], 0
    for _, records in source.parts:
        starts.append(before)
        before += records
    files = ", ".join(quoted(each.rows) for each in parts)
    values = "".join(f"v_{each}, " for each in plans)
    rests = "".join(f"NULL::BIGINT AS x_{each}, " for each in plans if (name, each) in SUMMED)
    con.execute(
        f"CREATE OR REPLACE VIEW stage_{name} AS SELECT {values}{rests}"
        f"{'' if has_key(match) else 'whole, '}file_index AS part, "
        f"list_extract({starts}::BIGINT[], CAST(file_index AS BIGINT) + 1) + file_row_number AS n "
        f"FROM read_parquet([{files}], file_row_number = true)"
    )
    leftovers = Leftovers(con, f"stage_{name}", match.table, source, plans, day_first, clean=True)
    selects, joins = leftovers.finish()
    assert not joins  # nothing is left to be joined
    shared = (
        "NULL::VARCHAR AS mark, NULL::VARCHAR AS reason, s.part"
        + ("" if has_key(match) else ", s.whole")
        + "".join(f", {each}" for each in selects)
    )
    con.execute(
        f"CREATE OR REPLACE VIEW read_{name} AS SELECT {source.row_sql('s.n')} AS row, {shared} "
        f"FROM stage_{name} AS s"
    )
    con.execute(f"CREATE OR REPLACE VIEW plain_{name} AS SELECT {shared} FROM stage_{name} AS s")
    found = of_parts(con, match.table, tuple(match.places), [each.survey for each in parts])
    return Staged(match.table, source, match, found.rows, leftovers.readings, found)


def has_key(match: Match) -> bool:
    """Whether the file has all columns that tell rows apart."""
    return bool(match.table.key) and all(key in match.places for key in match.table.key)


def with_constants(source: Source, match: Match) -> Match:
    """Give columns that are the same in each row a place behind the headers."""
    places = dict(match.places)
    for name in (*match.constants, *match.composed):
        places[name] = len(source.headers) + len(places) - len(match.places)
    ordered = {each.name: places[each.name] for each in match.table if each.name in places}
    return replace(match, places=ordered)


def extended(source: Source, match: Match) -> Source:
    """Add the columns that are the same in each row, or made of several, to what the source gives."""
    if not match.constants and not match.composed:
        return source
    width = len(source.headers)
    values, made = tuple(match.constants.values()), tuple(match.composed.values())
    cells = [*map(quoted, values), *(each.sql(source.cell) for each in made)]
    added = ", ".join(f"{cell} AS c{width + at}" for at, cell in enumerate(cells))
    return replace(
        source,
        headers=(
            *source.headers,
            *(f"({value} in each row)" for value in values),
            *(each.text(source.headers) for each in made),
        ),
        head=tuple(
            (*row, *[""] * (width - len(row)), *values, *(each.text(row) for each in made))
            for row in source.head
        ),
        query=f"SELECT *, {added} FROM ({source.query})",
    )


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def _read(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    match: Match,
    plans: Mapping[str, Plan],
    workdir: Path,
    *,
    stored: bool = True,
) -> None:
    """Do the reading pass: build ``stage_TABLE``, with ``n`` counting records from 0.

    Without `stored` the file is read whenever the relation is.
    """
    name = f"stage_{match.table.name}"
    query, left = _typed(source, match, plans)
    con.execute(f"DROP VIEW IF EXISTS {name}")
    if not stored:
        number, relation = "row_number() OVER () - 1", f"({query})"
    elif source.volume <= IN_MEMORY_BYTES and source.kind != "parquet":
        con.execute(f"CREATE OR REPLACE TABLE {name}_rows AS {query}")
        number, relation = "rowid", f"{name}_rows"
    else:
        target = workdir / f"{name}.parquet"
        con.execute(
            f"COPY ({query}) TO {quoted(target)} (FORMAT parquet, COMPRESSION uncompressed)"
        )
        number = "file_row_number"
        relation = f"read_parquet({quoted(target)}, file_row_number = true)"
    con.execute(f"CREATE VIEW {name} AS {_unpacked(relation, left, f'{number} AS n, ')}")


def _unpacked(relation: str, left: Sequence[str], first: str = "") -> str:
    """Select everything, and each text that is left as a column of its own."""
    texts = "".join(f", odd[{at}] AS r_{each}" for at, each in enumerate(left, start=1))
    return f"SELECT {first}*{texts} FROM {relation}"


def _typed(source: Source, match: Match, plans: Mapping[str, Plan]) -> tuple[str, list[str]]:
    """SQL that casts what is written plainly and keeps other texts; the columns that may have those."""
    inner, outer, left = _cast(match, plans)
    if not has_key(match):
        cells = ", ".join(source.cell(place) for place in range(len(source.headers)))
        outer.append(f"hash({cells}) AS whole")
    # All texts that are left share one column, which a clean file leaves empty.
    odd = " OR ".join(f"{sign} AND {plans[each].cell} IS NOT NULL" for each, sign in left.items())
    texts = ", ".join(
        f"CASE WHEN {sign} THEN {plans[each].cell} END" for each, sign in left.items()
    )
    outer.append(f"CASE WHEN {odd or 'false'} THEN [{texts}]::VARCHAR[] END AS odd")
    outer.append(f"CASE WHEN {_suspect(match, plans)} THEN {_mark(source, match)} END AS mark")
    if source.marked:
        outer.append("bad")
    return _from(source, inner, outer), list(left)


def _surveyed(source: Source, match: Match, plans: Mapping[str, Plan]) -> tuple[str, str]:
    """SQL that casts what is written plainly, and over it a condition that is true where any cell is not.

    The condition is looked at only for rows that are not plain at first sight.
    """
    inner, outer, left = _cast(match, plans)
    doubts = [
        *(f"{sign} AND {plans[each].cell} IS NOT NULL" for each, sign in left.items()),
        *(f"v_{name} IS NULL" for name in match.table.required),
        *(_maybe_beyond(plans[name], f"v_{name}") for name in plans
          if (match.table.name, name) in SUMMED),
    ]  # fmt: skip
    known = {
        f"v_{name}" for name, plan in plans.items() if plan.column.kind in (*NUMBERS, Kind.FLAG)
    }
    added = [each for each in outer if each not in known and " AS x_" not in each]
    added += [f"{plan.cell} AS t_{name}" for name, plan in plans.items()]
    return _from(source, inner, ["*", *added]), " OR ".join(doubts)


def plain_cells(source: Source, match: Match, plans: Mapping[str, Plan], secret: str) -> str:
    """SQL that gives ``v_COLUMN`` beside the cells as they stand, and fails where one is not plain.

    The `secret` goes into the hash of a row, which is kept beside most of its cells.
    """
    query, doubt = _surveyed(source, match, plans)
    cells = ", ".join(source.cell(place) for place in range(len(source.headers)))
    whole = sealed(secret, f"hash({cells})")
    return (
        f"SELECT *, {whole} AS whole FROM (SELECT *, v_orders AS orders, v_revenue AS revenue FROM ({query})) "
        f"WHERE CASE WHEN {usual(plans)} THEN true WHEN {doubt} THEN error('{NOT_PLAIN}') ELSE true END"
    )


def _cast(match: Match, plans: Mapping[str, Plan]) -> tuple[list[str], list[str], dict[str, str]]:
    """Columns to cast first, those made of them, and when the text of a cell is left."""
    inner, outer, left = [], [], {}
    for column, plan in plans.items():
        cell, value = plan.cell, f"v_{column}"
        if plan.column.kind in NUMBERS:
            inner.append(f"{_fast_number(plan)} AS {value}")
            outer.append(value)
            left[column] = f"{value} IS NULL"
            if (match.table.name, column) in SUMMED:
                outer.append(f"{_beyond(plan, value)} AS x_{column}")
        elif plan.column.kind in DATES:
            timestamp = plan.column.kind is Kind.TIMESTAMP
            if plan.type in ("DATE", "TIMESTAMP") and not plan.separator:
                read = f"CAST({plan.value} AS {'TIMESTAMP' if timestamp else 'DATE'})"
            else:
                read = dates.fast_date(cell, timestamp=timestamp)
            inner.append(f"{read} AS i_{column}")
            plain = f"i_{column} {_LIKELY}"
            outer.append(f"CASE WHEN {plain} THEN i_{column} END AS {value}")
            left[column] = f"{plain} IS NOT TRUE"
            if plan.separator:
                inner.append(f"{_numeric_date(plan)} AS w_{column}")
                outer.append(f"CASE WHEN w_{column} {_LIKELY} THEN w_{column} END AS w_{column}")
                left[column] = f"({plain} OR w_{column} {_LIKELY}) IS NOT TRUE"
        elif plan.column.kind is Kind.FLAG:
            read = plan.value if plan.type == "BOOLEAN" else fast_flag(cell)
            inner.append(f"{read} AS {value}")
            outer.append(value)
            left[column] = f"{value} IS NULL"
        else:
            outer.append(f"{cell} AS {value}")
    return inner, outer, left


def _from(source: Source, inner: Sequence[str], outer: Sequence[str]) -> str:
    values = "".join(", " + each for each in inner)
    return f"SELECT {', '.join(outer)} FROM (SELECT *{values} FROM ({source.query}))"


_LIKELY = f"BETWEEN DATE '{dates.FIRST_YEAR}-01-01' AND DATE '{dates.LAST_YEAR}-12-31'"


def _numeric_date(plan: Plan) -> str:
    pair = ("%d", "%m") if plan.day_first else ("%m", "%d")
    form = quoted(plan.separator.join((*pair, "%Y")))
    return f"CASE WHEN strlen({plan.cell}) <= 10 THEN CAST(try_strptime({plan.cell}, {form}) AS DATE) END"


def _fast_number(plan: Plan) -> str:
    cast = f"TRY_CAST({plan.cell} AS {DECIMAL})"
    if plan.decimal_comma:
        return f"CASE WHEN NOT contains({plan.cell}, '.') THEN {cast} END"
    if plan.is_exact:
        return f"TRY_CAST({plan.value} AS {DECIMAL})"
    if plan.type == "DOUBLE":
        return f"CASE WHEN {plan.short} THEN TRY_CAST({plan.value} AS {DECIMAL}) ELSE {cast} END"
    return cast


def _beyond(plan: Plan, value: str) -> str:
    """Build SQL for what rounding to six decimals added or took, in units of 1e-16, or NULL.

    Casting to a decimal of 38 digits would say the same, at a hundred times the cost.
    """
    if plan.is_exact:
        return "NULL::BIGINT"
    cell = plan.cell
    longer = f"NOT {plan.short} AND " if plan.type == "DOUBLE" else ""
    dot = f"strpos({cell}, '.')"
    power = f"(contains({cell}, 'e') OR contains({cell}, 'E'))"
    units = f"TRY_CAST(rpad(substr({cell}, {dot} + 7, 10), 10, '0') AS BIGINT)"
    return (
        f"CASE WHEN {longer}strlen({cell}) > 5 AND {dot} > 0 AND {value} IS NOT NULL "
        f"AND (strlen({cell}) - {dot} > 6 OR {power}) THEN CASE WHEN {power} "
        f"THEN CAST((TRY_CAST({cell} AS DECIMAL(38, 16)) - {value}) * 10000000000000000 AS BIGINT) "
        f"ELSE ({units} - CASE WHEN {units} >= 5000000000 THEN 10000000000 ELSE 0 END) "
        f"* CASE WHEN starts_with(trim({cell}), '-') THEN -1 ELSE 1 END END END"
    )


def _maybe_beyond(plan: Plan, value: str) -> str:
    """Build SQL that is true wherever :func:`_beyond` is not NULL, and for few others, at a tenth of its cost.

    Only a number near zero can be short and have a negative exponent.
    """
    if plan.is_exact:
        return "false"
    if plan.type == "DOUBLE":
        return f"NOT {plan.short}"
    cell = plan.cell
    dot = f"strpos({cell}, '.')"
    return (
        f"strlen({cell}) > 7 AND ({dot} > 0 AND strlen({cell}) - {dot} > 6 OR contains(lower({cell}), 'e')) "
        f"OR {value} < 0.01 AND {value} > -0.01 AND contains(lower({cell}), 'e')"
    )


def _suspect(match: Match, plans: Mapping[str, Plan]) -> str:
    """Build SQL that is true for every record that may be no data, and for few others."""
    signs = ["bad IS NOT NULL"]
    for name in match.table.required:
        if (
            name not in plans
        ):  # what rows of another table say of influencers may lack their platform
            continue
        plan = plans[name]
        if plan.column.kind in NUMBERS:
            signs.append(f"v_{name} IS NULL")
        elif plan.column.kind in DATES:
            numeric = f" AND w_{name} IS NULL" if plan.separator else ""
            signs.append(f"i_{name} IS NULL{numeric}")
        else:
            cell = plan.cell
            header = quoted(plan.header.strip().lower())
            signs.append(
                f"{cell} IS NULL OR {cell} <= '0' OR {cell} >= '\x7f' "
                f"OR strlen({cell}) <= {len(plan.header.encode()) + 8} "
                f"AND (contains(lower({cell}), 'total') OR contains(lower({cell}), {header}) "
                f"OR lower({cell}) = 'sum' OR lower({cell}) = 'overall' OR suffix(lower(rtrim({cell})), ' balance'))"
                + (f" OR {_is_subtotal(cell)}" if match.table.name in SUBTOTALLED else "")
            )
    return " OR ".join(signs)


def _mark(source: Source, match: Match) -> str:
    """Build SQL that says why a record is no data; looked at closely only where a key cell is odd."""
    width = len(source.headers) - len(match.constants) - len(match.composed)
    headers = source.headers[:width]
    cells = [source.cell(place) for place in range(width)]
    every = f"concat_ws('', {', '.join(cells)})"
    key_column = match.table.required[0]
    key = source.cell(match.places[key_column])
    header = source.headers[match.places[key_column]]
    same = " + ".join(
        f"CAST(coalesce(lower(trim({cell})) = {quoted(head.strip().lower())}, false) AS INT)"
        for cell, head in zip(cells, headers, strict=True)
        if head
    )
    filled = sum(bool(head) for head in headers)
    first = "coalesce(" + ", ".join(f"nullif(trim({cell}), '')" for cell in cells) + ")"
    # A pattern, since DuckDB turns a long IN list into a join over every row.
    total = f"'[^a-z]', '', 'g'), {quoted(TOTAL_WORDS)})"
    subtotal = _is_subtotal(key) if match.table.name in SUBTOTALLED else "false"
    bad = f"CASE WHEN bad = '{ELSEWHERE}' THEN bad ELSE 'malformed' END"
    return f"""CASE
        WHEN {key} IS NULL OR trim({key}, '{BLANKS}') = '' THEN CASE
            WHEN trim({every}, '{BLANKS}') = '' THEN CASE WHEN bad IS NULL THEN 'blank' ELSE 'malformed' END
            WHEN bad IS NOT NULL THEN {bad}
            WHEN contains({every}, '.') AND trim({every}, ' .\t') = '' OR trim({every}, ' .…') = '' THEN 'placeholder'
            WHEN regexp_full_match(regexp_replace(lower({first}), {total} THEN 'total_row' END
        WHEN bad IS NOT NULL THEN {bad}
        WHEN strlen({key}) <= {len(header.encode()) + 8} AND lower(trim({key})) = {quoted(header.strip().lower())}
             AND ({same}) >= {max(1, (filled + 1) // 2)} THEN 'repeated_header'
        WHEN starts_with({key}, '.') AND trim({key}, ' .') = '' OR starts_with({key}, '…')
             AND trim({key}, ' .…') = '' THEN 'placeholder'
        WHEN regexp_full_match(regexp_replace(lower({key}), {total} THEN 'total_row'
        WHEN {subtotal} THEN 'total_row' END"""


def _is_subtotal(cell: str) -> str:
    """SQL that is true for 'Asha Rao Total', as a spreadsheet's subtotals and copied pivots write it."""
    return f"suffix(lower(rtrim({cell})), ' total')"
