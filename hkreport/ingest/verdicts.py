"""Which rows are used and which are left out, and why.

A row is left out only if a required value is missing or unreadable, a value is impossible, or the record
is no data at all. Any other unreadable cell becomes empty and is reported; its row is used.
"""

from collections.abc import Sequence

from hkreport.ingest.check import Quarantined, Severity
from hkreport.ingest.job import Job, Rule
from hkreport.ingest.plans import DATES, DECIMAL, NUMBERS
from hkreport.ingest.source import ELSEWHERE, ITEM
from hkreport.ingest.stage import MATERIALISED_ROWS, Staged
from hkreport.pseudonyms import USER
from hkreport.schema import TABLES, Column, Kind, Table

__all__ = ["exact_sum", "judge_tables"]

# Tables where a key must stand for one row: a second one would double what is joined to it.
DIMENSIONS = ("influencers", "products")
# Required columns that a row can do without.
SOFT = {"influencers": ("name", "platform")}
DERIVED = {"tracking": ("brand", "channel"), "posts": ("brand",), "payouts": ("brand",)}
MARKS = (
    ("malformed", "the line is malformed", "reason",
     "Put text that holds the delimiter or a quote in double quotes."),
    ("repeated_header", "the line repeats the header", "NULL", "Remove the line."),
    ("placeholder", "the line holds only dots", "'…'", "Put the missing rows back, or remove the line."),
    (ELSEWHERE, "what they hold is in another of the files as well, and is read from there", "",
     "Nothing need be done."),
    (ITEM, "what they hold is a further item of an order whose amount stands on another line", "tracking_id",
     "Nothing need be done."),
    ("total_row", "the line is a total", "'Total'", "Remove the line: the report makes its own totals."),
)  # fmt: skip


def judge_tables(job: Job) -> None:
    """Build ``judged_TABLE`` with a verdict on each row, and ``table_TABLE`` with the used rows."""
    for name, table in TABLES.items():
        if name in job.staged:
            job.progress(f"Checking {job.staged[name].source.label}")
            _judge(job, job.staged[name])
        else:
            empty = ", ".join(
                f"CAST(NULL AS {kind}) AS {column}" for column, kind in _layout(table)
            )
            job.con.execute(f"CREATE OR REPLACE TABLE table_{name} AS SELECT {empty} WHERE false")
    if "tracking" not in job.staged or not job.staged["tracking"].survey:
        job.view(
            "sales_tracking",
            "SELECT influencer_id, channel, 1 AS rows, orders, revenue, date AS first, date AS last "
            "FROM table_tracking",
        )


def exact_sum(column: str) -> str:
    """Build SQL for a sum with all decimals of the file, though values are kept to six."""
    return (
        f"CAST(coalesce(sum({column}), 0) AS DECIMAL(38, 16)) "
        f"+ CAST(coalesce(sum(x_{column}), 0) AS DECIMAL(38, 0)) * 0.0000000000000001"
    )


def _judge(job: Job, staged: Staged) -> None:
    table, name = staged.table, staged.table.name
    soft = SOFT.get(name, ())
    verdicts = ["mark IS NOT NULL"]
    for column in table:
        if not staged.has(column.name):
            continue
        if column.required and column.name not in soft:
            verdicts.append(f"{column.name} IS NULL")
        if column.minimum is not None:
            verdicts.append(f"coalesce({column.name} < {column.minimum:g}, false)")
    bad = "false" if staged.survey else " OR ".join(verdicts)
    repeated = "false"
    if name in DIMENSIONS:
        keys = ", ".join(each for each in table.key if staged.has(each))
        repeated = (
            f"NOT ({bad}) AND row_number() OVER (PARTITION BY ({bad}), {keys} ORDER BY row) > 1"
        )
    query = f"SELECT *, ({bad}) AS is_bad, ({repeated}) AS is_repeated FROM spelt_{name}"
    if staged.rows <= MATERIALISED_ROWS and not staged.source.plain:
        job.con.execute(f"CREATE OR REPLACE TABLE judged_{name} AS {query} ORDER BY row")
    else:
        job.view(f"judged_{name}", query)
    brand = job.derived.get("brand_by_table", {}).get(name, {})
    job.found[name] = {*staged.match.places, "row"}
    job.found[name] |= {"channel"} if name == "tracking" else set()
    job.found[name] |= {"brand"} if brand.get("rows") else set()
    if name == "tracking" and "posts_named" in job.derived:
        job.found[name].add("influencer_id")
    there = {*job.found[name], *DERIVED.get(name, ())}
    columns = ", ".join(
        f"CAST({column if column in there else 'NULL'} AS {kind}) AS {column}"
        for column, kind in _layout(table, pseudonymous=bool(staged.source.plain))
    )
    used = f"FROM judged_{name} WHERE NOT is_bad AND NOT is_repeated"
    job.view(f"table_{name}", f"SELECT {columns} {used}")
    if staged.source.plain:
        job.view(f"parts_of_{name}", f"SELECT part, {columns} {used}")
    job.quarantined[name] = []
    if staged.survey:
        return  # it has found nothing of this kind
    _leave_out(job, staged, _reasons(staged, soft))
    job.apply(name, f"judged_{name}", _warnings(staged, soft))
    if name in DIMENSIONS:
        _tell_differing(job, staged)


def _tell_differing(job: Job, staged: Staged) -> None:
    """Say which rows with the key of an earlier one were no copies of it."""
    name = staged.table.name
    keys = [each for each in staged.table.key if staged.has(each)]
    others = [each for each in staged.match.places if each not in keys]
    if not others:
        return
    same = " AND ".join(f"o.{key} IS NOT DISTINCT FROM j.{key}" for key in keys)
    differs = [f"j.{each} IS DISTINCT FROM o.{each}" for each in others]
    shown = " ".join(
        f"WHEN {sign} THEN '{each} ' || coalesce(CAST(j.{each} AS VARCHAR), '(empty)') || ', before ' "
        f"|| coalesce(CAST(o.{each} AS VARCHAR), '(empty)')"
        for sign, each in zip(differs, others, strict=True)
    )
    relation = (
        f"(SELECT j.row, j.{keys[-1]} || ': ' || CASE {shown} END AS shown FROM judged_{name} AS j "
        f"JOIN judged_{name} AS o ON {same} WHERE j.is_repeated AND NOT o.is_repeated AND NOT o.is_bad "
        f"AND ({' OR '.join(differs)}))"
    )
    rule = Rule(
        "repeated_key_differs", keys[-1], "warning", "true", "shown",
        f"{staged.source.label}: {{count}} {{rows}} left out for a repeated {keys[-1]} {{have}} other values than "
        "the row that was used; see which of them is right",
    )  # fmt: skip
    job.apply(name, relation, [rule])


def _layout(table: Table, *, pseudonymous: bool = False) -> list[tuple[str, str]]:
    """Columns of a canonical table with their SQL types, in order; ids of users may be pseudonyms already."""
    layout = [
        (column.name, "BIGINT" if pseudonymous and column.name == USER else _sql_type(column))
        for column in table
    ]
    layout.append(("row", "BIGINT"))
    if table.name == "tracking":
        layout.append(("channel", "VARCHAR"))
    return layout


def _sql_type(column: Column) -> str:
    if column.kind in NUMBERS:
        return DECIMAL
    if column.kind in DATES:
        return column.kind.name
    return "BOOLEAN" if column.kind is Kind.FLAG else "VARCHAR"


def _is_typed(column: Column) -> bool:
    return column.kind in (*NUMBERS, *DATES, Kind.FLAG)


def _reasons(staged: Staged, soft: Sequence[str]) -> list[tuple[Rule, str]]:
    """Why rows may be left out, each with how to mend them."""
    name = staged.table.name
    reasons: list[tuple[Rule, str]] = []

    def add(rule: str, column: str, condition: str, value: str, words: str, mend: str) -> None:
        message = f"{staged.source.label}: {{count}} {{rows}} left out: {words}. {mend}"
        # What another file holds as well is not lost.
        severity: Severity = "note" if rule in (ELSEWHERE, ITEM) else "error"
        reasons.append((Rule(rule, column or None, severity, condition, value, message), mend))

    for mark, words, value, mend in MARKS:
        key = next((each for each in staged.table.key if staged.has(each)), "NULL")
        add(mark, "", f"mark = '{mark}'", value or key, words, mend)
    for column in staged.table:
        c = column.name
        if not staged.has(c):
            continue
        if column.required and c not in soft:
            missing = f"mark IS NULL AND {c} IS NULL"
            if _is_typed(column):
                add("unreadable", c, f"mark IS NULL AND u_{c} IS NOT NULL", f"u_{c}",
                    f"{c} cannot be read as {_kind_words(column)}", _mend(column))  # fmt: skip
                missing += f" AND u_{c} IS NULL"
            add("missing", c, missing, "NULL", f"{c} is empty", f"Fill in {c}.")
        if column.minimum is not None:
            add("impossible", c, f"mark IS NULL AND {c} < {column.minimum:g}", f"trim_zeros({c})",
                f"{c} is below {column.minimum:g}", f"{c} must be {column.minimum:g} or more.")  # fmt: skip
    if name in DIMENSIONS:
        key = "product" if name == "products" else "influencer_id"
        add("repeated_key", key, "is_repeated", key, f"{key} stands on an earlier row already",
            "The first row was used; keep only one.")  # fmt: skip
    return reasons


def _warnings(staged: Staged, soft: Sequence[str]) -> list[Rule]:
    """Cells that are taken as empty although something stands there, and names that are missing."""
    rules = []
    for column in staged.table:
        c = column.name
        if not staged.has(c) or (column.required and c not in soft):
            continue
        if _is_typed(column):
            rules.append(
                Rule("unreadable", c, "warning", f"mark IS NULL AND u_{c} IS NOT NULL", f"u_{c}",
                     f"{staged.source.label}: {c} cannot be read as {_kind_words(column)} in {{count}} {{rows}} "
                     "and is taken as empty")
            )  # fmt: skip
        if c in soft:
            rules.append(
                Rule("missing", c, "warning", f"mark IS NULL AND {c} IS NULL", "NULL",
                     f"{staged.source.label}: {c} is empty in {{count}} {{rows}}")
            )  # fmt: skip
    return rules


def _leave_out(job: Job, staged: Staged, reasons: Sequence[tuple[Rule, str]]) -> None:
    """List every cell for which a row is left out, and say each reason once."""
    name = staged.table.name
    rows = job.quarantined[name]
    counts = ", ".join(f"count(*) FILTER ({rule.condition})" for rule, _ in reasons)
    counted = job.one(f"SELECT {counts} FROM judged_{name} WHERE is_bad OR is_repeated")
    for (rule, mend), count in zip(reasons, counted, strict=True):
        if not count:
            continue
        found = job.rows(
            f"SELECT row, CAST({rule.value} AS VARCHAR) FROM judged_{name} "
            f"WHERE (is_bad OR is_repeated) AND {rule.condition} ORDER BY row"
        )
        rows.extend(
            Quarantined(
                name, *staged.source.placed(row), rule.column or "", value or "", rule.name, mend
            )
            for row, value in found
        )
        job.report(name, rule, int(count), found[:5])
    order = [part.label for part, _ in staged.source.parts]
    rows.sort(key=lambda each: (order.index(each.file) if order else 0, each.row))


def _kind_words(column: Column) -> str:
    if column.kind in DATES:
        return "a date"
    if column.kind is Kind.FLAG:
        return "yes or no"
    return "an amount" if column.kind is Kind.MONEY else "a number"


def _mend(column: Column) -> str:
    if column.kind in DATES:
        return f"Write {column.name} as YYYY-MM-DD."
    if column.kind is Kind.FLAG:
        return f"Write {column.name} as yes or no."
    return f"Write {column.name} as a plain number, such as {column.example}."
