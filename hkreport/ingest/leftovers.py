"""Cells that the reading pass could not cast: each distinct text is read once and joined back.

Here the decisions over a whole column are made: the decimal sign, the order of day and month, and
whether plain numbers are percentages.
"""

import re
from collections.abc import Mapping

import duckdb

from hkreport import pseudonyms
from hkreport.ingest import dates, values
from hkreport.ingest.check import Example
from hkreport.ingest.plans import (
    DATES,
    DECIMAL,
    NUMBERS,
    SUMMED,
    Plan,
    Reading,
    one_row,
    setting,
)
from hkreport.ingest.read import Source
from hkreport.schema import Kind, Table

__all__ = ["Leftovers"]

# A column of shares is percentages if more than this part of its plain numbers is above 1.
PERCENT_PART = 0.5
TYPED = (*NUMBERS, *DATES, Kind.FLAG)
# Cells that are dates and cells that are texts, below which it may be chance that no date is after the 12th.
FEWEST_TURNED = 5
BEYOND = 10**16  # decimals beyond the sixth are kept in units of 1e-16
_NUMERIC_DATE = re.compile(r"\s*(\d{1,2})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*(?:\d{4}|\d{2})\b")


class Leftovers:
    """The staged relation of one table and what is left to read in it.

    Parameters
    ----------
    con : DuckDB connection
    raw : str
        The staged relation: ``v_COLUMN`` values, ``r_COLUMN`` texts that are left.
    table : Table
    source : Source
    plans : mapping of str to Plan
    day_first : mapping of str to bool
        What a person said.
    clean : bool, default False
        Whether it is known that nothing is left.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        raw: str,
        table: Table,
        source: Source,
        plans: Mapping[str, Plan],
        day_first: Mapping[str, bool],
        *,
        clean: bool = False,
    ) -> None:
        self.con = con
        self.raw = raw
        self.table = table
        self.source = source
        self.plans = plans
        self.day_first = day_first
        self.readings = {
            name: Reading(plan.column, plan.header, plan.scale) for name, plan in plans.items()
        }
        typed = [name for name, plan in plans.items() if plan.column.kind in TYPED]
        # A table of texts alone has nothing to count, and a query without counts has no row.
        if clean or not typed:
            self.left_cells = dict.fromkeys(typed, 0)
            return
        counts = ", ".join(f"count(r_{name}) AS {name}" for name in typed)
        self.left_cells = one_row(con, f"SELECT {counts} FROM {raw} WHERE mark IS NULL")

    def decimal_signs_changed(self) -> bool:
        """Look at all cells that are not plain; True if the file must be read again another way."""
        changed = False
        for name, plan in self.plans.items():
            if plan.column.kind not in NUMBERS:
                continue
            reading = self.readings[name]
            reading.decimal_comma = plan.decimal_comma
            if not self.left_cells[name]:
                continue
            found = one_row(self.con, values.number_evidence(self._left(name)))
            reading.european, reading.english = found["european"], found["english"]
            if found["european"] and not plan.decimal_comma:
                # Values cast with fewer than three decimals speak for the point.
                reading.english += one_row(
                    self.con,
                    f"SELECT count(*) FILTER (v_{name} <> trunc(v_{name}) "
                    f"AND v_{name} * 100 = trunc(v_{name} * 100)) AS n FROM {self.raw}",
                )["n"]
            comma = plan.decimal_comma
            if reading.european != reading.english:
                comma = reading.european > reading.english
            if comma != plan.decimal_comma:
                plan.decimal_comma = comma
                changed = True
            reading.decimal_comma = comma
        return changed

    def finish(self) -> tuple[list[str], list[str]]:
        """Read what is left; give the select list and the joins of the typed relation."""
        selects, joins = [], []
        for name, plan in self.plans.items():
            if plan.column.kind in NUMBERS:
                select, join = self._number(name, plan)
            elif plan.column.kind in DATES:
                select, join = self._date(name, plan)
            elif plan.column.kind is Kind.FLAG:
                select, join = self._flag(name)
            else:
                cell, raw = f"s.v_{name}", f"s.v_{name}"
                if self.source.plain and name == pseudonyms.USER:  # cleaned before it was kept
                    raw = f"CAST({cell} AS VARCHAR)"
                else:
                    clean = values.identifier if plan.column.kind is Kind.ID else values.text
                    cell = clean(cell)
                select, join = f"{cell} AS {name}, {raw} AS raw_{name}", ""
            selects.append(select)
            joins.extend([join] if join else [])
        return selects, joins

    def _left(self, name: str) -> str:
        return (
            f"(SELECT r_{name} AS raw, count(*) AS cells, min(n) AS first FROM {self.raw} "
            f"WHERE r_{name} IS NOT NULL AND mark IS NULL GROUP BY r_{name})"
        )

    def _map(self, name: str, query: str) -> str | None:
        """Keep how each text was read; None if there is nothing to read."""
        if not self.left_cells[name]:
            return None
        relation = f"map_{self.table.name}_{name}"
        self.con.execute(f"CREATE OR REPLACE TABLE {relation} AS {query}")
        return relation

    def _note_kinds(self, name: str, relation: str) -> None:
        counted = f"{self._left(name)} AS t JOIN {relation} AS m ON m.raw = t.raw"
        for kind, cells in self.con.execute(
            f"SELECT m.kind, sum(t.cells) FROM {counted} GROUP BY 1 ORDER BY 1"
        ).fetchall():
            self.readings[name].kinds[kind] = (
                int(cells),
                self._examples(f"SELECT t.first, t.raw FROM {counted} WHERE m.kind = ?", kind),
            )

    def _examples(self, query: str, *values: object) -> list[Example]:
        found = self.con.execute(f"{query} ORDER BY 1 LIMIT 5", list(values)).fetchall()
        return [Example(self.source.row(int(n)), str(text)) for n, text in found]

    # --- numbers --------------------------------------------------------------------------------------

    def _number(self, name: str, plan: Plan) -> tuple[str, str]:
        reading = self.readings[name]
        summed = (self.table.name, name) in SUMMED
        left = self._left(name)
        foreign = False
        if self.left_cells[name]:
            # A sign on every cell is how the export writes amounts; on some it is another currency.
            found = one_row(self.con, values.number_evidence(left))
            plain = f"SELECT count(v_{name}) AS n FROM {self.raw} WHERE mark IS NULL"
            foreign = found["foreign"] == found["filled"] and not one_row(self.con, plain)["n"]
        relation = self._map(
            name,
            values.number_query(
                left,
                decimal_comma=plan.decimal_comma,
                percent=plan.column.kind is Kind.SHARE or name == "rate",
                foreign=foreign,
            ),
        )
        value, rest = f"s.v_{name}", f"s.x_{name}"
        join, unreadable = "", "NULL::VARCHAR"
        if relation:
            self._note_kinds(name, relation)
            alias = f"m_{name}"
            join = f"LEFT JOIN {relation} AS {alias} ON {alias}.raw = s.r_{name}"
            value = f"coalesce({value}, CAST({alias}.value AS {DECIMAL}))"
            rest = f"coalesce({rest}, CAST(({alias}.value - CAST({alias}.value AS {DECIMAL})) * {BEYOND} AS BIGINT))"
            unreadable = (
                f"CASE WHEN {alias}.kind IN ('unreadable', 'too_large') THEN s.r_{name} END"
            )
        if plan.column.kind is Kind.SHARE and self._is_percent(name, plan):
            reading.percent = True
            signed = f"coalesce(m_{name}.kind = 'percent', false)" if relation else "false"
            value = f"CASE WHEN {signed} THEN {value} ELSE CAST({value} / 100 AS {DECIMAL}) END"
        if plan.scale != 1:
            value = f"TRY_CAST(CAST({value} AS DECIMAL(38, 6)) * {plan.scale} AS {DECIMAL})"
            rest = f"{rest} * {plan.scale}"
        if plan.column.kind is Kind.MONEY and plan.maybe_thousands and not plan.decimal_comma:
            self._look_for_thousand_dots(name)
        parts = [f"{value} AS {name}", f"{unreadable} AS u_{name}"]
        if summed:
            parts.append(f"{rest} AS x_{name}")
        return ", ".join(parts), join

    def _is_percent(self, name: str, plan: Plan) -> bool:
        if values.says_percent(plan.column, plan.header):
            return True
        found = one_row(
            self.con,
            f"SELECT count(*) FILTER (v_{name} > 1) AS large, count(*) FILTER (v_{name} <> 0) AS filled "
            f"FROM {self.raw} WHERE mark IS NULL",
        )
        return found["large"] > PERCENT_PART * found["filled"]

    def _look_for_thousand_dots(self, name: str) -> None:
        """Note a column where each fraction has three digits and no value reaches a thousand."""
        reading = self.readings[name]
        value = f"v_{name}"
        found = one_row(
            self.con,
            f"SELECT count(*) FILTER ({value} <> trunc({value})) AS fractions, "
            f"count(*) FILTER ({value} <> trunc({value}) AND abs({value}) < 1000 "
            f"AND {value} * 1000 = trunc({value} * 1000)) AS threes, "
            f"count(*) FILTER ({value} * 1000 = trunc({value} * 1000) "
            f"AND {value} * 100 <> trunc({value} * 100)) AS last_filled, "
            f"count(*) FILTER (abs({value}) >= 1000) AS large FROM {self.raw} WHERE mark IS NULL",
        )
        fractions = found["fractions"]
        if (
            fractions >= 2
            and found["threes"] == fractions
            and found["last_filled"] >= 0.7 * fractions
            and not found["large"]
        ):
            reading.doubtful = fractions
            reading.doubtful_cells = self._examples(
                f"SELECT n, trim_zeros({value}) FROM {self.raw} WHERE mark IS NULL "
                f"AND {value} <> trunc({value})"
            )

    # --- dates ----------------------------------------------------------------------------------------

    def _date(self, name: str, plan: Plan) -> tuple[str, str]:
        reading = self.readings[name]
        left = self._left(name)
        relation = self._map(name, dates.date_query(left, True))
        day_first = "true"
        if own := self._orders(name, plan, relation):
            self._note_turned(name, own, relation)
            day_first = self._decide_order(name, plan, own, relation)
        kind = "TIMESTAMP" if plan.column.kind is Kind.TIMESTAMP else "DATE"
        value = f"s.v_{name}"
        if plan.separator:
            word = f"s.w_{name}"
            if day_first != str(plan.day_first).lower():
                word = (
                    f"CASE WHEN ({day_first}) <> {plan.day_first} AND day({word}) <= 12 "
                    f"THEN make_date(year({word}), day({word}), month({word})) ELSE {word} END"
                )
            value = f"coalesce({value}, {word})"
        join, unreadable = "", "NULL::VARCHAR"
        if relation:
            self._note_kinds(name, relation)
            reading.zoned = one_row(
                self.con,
                f"SELECT sum(t.cells) AS n FROM {left} AS t JOIN {relation} AS m ON m.raw = t.raw WHERE m.zoned",
            )["n"]
            alias = f"m_{name}"
            join = f"LEFT JOIN {relation} AS {alias} ON {alias}.raw = s.r_{name}"
            text = f"{alias}.value"
            if reading.by_file:
                other = f"o_{name}"
                self.con.execute(
                    f"CREATE OR REPLACE TABLE {relation}_month AS {dates.date_query(left, False)}"
                )
                join += f" LEFT JOIN {relation}_month AS {other} ON {other}.raw = s.r_{name}"
                text = f"CASE WHEN {day_first} THEN {text} ELSE {other}.value END"
            value = f"coalesce({value}, {text})"
            unreadable = f"CASE WHEN {alias}.kind = 'unreadable' THEN s.r_{name} END"
        return f"CAST({value} AS {kind}) AS {name}, {unreadable} AS u_{name}", join

    def _file(self, number: str) -> str:
        """SQL for the file of a record, counted from 0."""
        cases, before = [], 0
        for at, (_, records) in enumerate(self.source.parts):
            before += records
            cases.append(f"WHEN {number} < {before} THEN {at}")
        return f"CASE {' '.join(cases)} END" if cases else "0"

    def _orders(
        self, name: str, plan: Plan, relation: str | None
    ) -> dict[int, tuple[int, int, int]]:
        """By file: how many numeric dates can only be day first, only be month first, be either."""
        own: dict[int, list[int]] = {}
        kinds = ["only_day", "only_month", "either"]
        if relation:
            left = (
                f"(SELECT r_{name} AS raw, {self._file('n')} AS file, count(*) AS cells FROM {self.raw} "
                f"WHERE r_{name} IS NOT NULL AND mark IS NULL GROUP BY ALL)"
            )
            for file, kind, cells in self.con.execute(
                f"SELECT t.file, m.reading, sum(t.cells) FROM {left} AS t JOIN {relation} AS m ON m.raw = t.raw "
                "WHERE m.reading IS NOT NULL GROUP BY ALL"
            ).fetchall():
                found = own.setdefault(file, [0, 0, 0])
                if kind in kinds:
                    found[kinds.index(kind)] = int(cells)
        if plan.separator:
            for file, one_way, either in self.con.execute(
                f"SELECT {self._file('n')} AS file, count(*) FILTER (day(w_{name}) > 12), count(*) FILTER "
                f"(day(w_{name}) <= 12 AND day(w_{name}) <> month(w_{name})) "
                f"FROM {self.raw} WHERE mark IS NULL GROUP BY file"
            ).fetchall():
                found = own.setdefault(file, [0, 0, 0])
                found[0 if plan.day_first else 1] += one_way
                found[2] += either
        return {file: (a, b, c) for file, (a, b, c) in sorted(own.items()) if a or b or c}

    def _decide_order(
        self, name: str, plan: Plan, own: Mapping[int, tuple[int, int, int]], relation: str | None
    ) -> str:
        """Decide how numeric dates are read; give SQL that is true for records that are day first."""
        reading = self.readings[name]
        said = setting(self.day_first, self.table, plan.column)
        only_day, only_month, either = (sum(each) for each in zip(*own.values(), strict=True))
        reading.order = dates.decide(only_day, only_month, either, said)
        orders = {file: dates.decide(*found, None) for file, found in own.items()}
        if said is None and dates.files_apart(list(orders.values())):
            # Each file shows how it was written, and the others say nothing about it.
            reading.order = dates.Order(True, only_day, only_month, either, "data")
            parts = self.source.parts
            reading.by_file = [(parts[at][0].label, each) for at, each in orders.items()]
            month_first = [at for at, each in orders.items() if not each.day_first]
            return f"NOT list_contains({month_first}, {self._file('s.n')})"
        if relation and not reading.order.day_first:
            self._map(name, dates.date_query(self._left(name), False))
        self._note_order(name, plan, relation)
        return str(reading.order.day_first).lower()

    def _note_turned(
        self, name: str, own: Mapping[int, tuple[int, int, int]], relation: str | None
    ) -> None:
        """Note files where a spreadsheet took what it could for dates, and left the other cells texts.

        With 13/04/2025 left as a text, 01/04/2025 became 4 January; no day of these is after the 12th.
        """
        texts = {
            file: max(only_day, only_month)
            for file, (only_day, only_month, either) in own.items()
            if not either and not min(only_day, only_month)
        }
        if max(texts.values(), default=0) < FEWEST_TURNED:
            return
        file, where = self._file("n"), f"FROM {self.raw}"
        typed = f"SELECT {file} AS file, v_{name} AS day, n {where} WHERE mark IS NULL AND v_{name} IS NOT NULL"
        if relation:
            typed += (
                f" UNION ALL SELECT {file}, m.value, n {where} JOIN {relation} AS m ON m.raw = r_{name} "
                "WHERE mark IS NULL AND m.kind IN ('iso', 'serial', 'words')"
            )
        for at, cells, first, day in self.con.execute(
            f"SELECT file, count(*), min(n), arg_min(CAST(day AS DATE), n) FROM ({typed}) "
            f"GROUP BY file HAVING count(*) >= {FEWEST_TURNED} AND max(day(day)) <= 12 ORDER BY file"
        ).fetchall():
            if texts.get(at, 0) >= FEWEST_TURNED:
                example = Example(self.source.row(int(first)), str(day))
                self.readings[name].turned.append((int(cells), texts[at], example))

    def _note_order(self, name: str, plan: Plan, relation: str | None) -> None:
        """Find cells that show the ambiguity, and those that go the other way."""
        reading = self.readings[name]
        assert reading.order is not None
        for row, text in plan.head:
            found = _NUMERIC_DATE.match(text)
            if not found:
                continue
            first, second = int(found[1]), int(found[2])
            if first <= 12 and second <= 12 and first != second:
                reading.either.append(Example(row, text))
            elif (second > 12) is reading.order.day_first and max(first, second) > 12:
                reading.contrary.append(Example(row, text))
        if relation:
            contrary = "only_month" if reading.order.day_first else "only_day"
            joined = f"{self._left(name)} AS t JOIN {relation} AS m ON m.raw = t.raw"
            query = f"SELECT t.first, t.raw FROM {joined} WHERE m.reading = ?"
            reading.either = reading.either or self._examples(query, "either")
            reading.contrary = reading.contrary or self._examples(query, contrary)

    # --- yes and no -------------------------------------------------------------------------------------

    def _flag(self, name: str) -> tuple[str, str]:
        if not self.left_cells[name]:
            return f"s.v_{name} AS {name}, NULL::VARCHAR AS u_{name}", ""
        found = self.con.execute(
            f"SELECT raw FROM {self._left(name)} ORDER BY 1 LIMIT 10000"
        ).fetchall()
        relation = f"map_{self.table.name}_{name}"
        self.con.execute(
            f"CREATE OR REPLACE TABLE {relation} (raw VARCHAR, value BOOLEAN, kind VARCHAR)"
        )
        for (text,) in found:
            value = values.flag(text)
            kind = (
                "nothing" if values.is_nothing(text) else "unreadable" if value is None else "flag"
            )
            self.con.execute(f"INSERT INTO {relation} VALUES (?, ?, ?)", [text, value, kind])
        self._note_kinds(name, relation)
        alias = f"m_{name}"
        return (
            f"coalesce(s.v_{name}, {alias}.value) AS {name}, CASE WHEN {alias}.kind = 'unreadable' THEN s.r_{name} END AS u_{name}",
            f"LEFT JOIN {relation} AS {alias} ON {alias}.raw = s.r_{name}",
        )
