"""What the steps of one load share: the connection, the staged tables, and what has been said so far."""

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from hkreport.ingest.brands import default_brands
from hkreport.ingest.check import MOST_EXAMPLES, Example, Problem, Quarantined, Severity, masked
from hkreport.ingest.read import Source
from hkreport.ingest.stage import Staged
from hkreport.shelf import Shelf
from hkreport.units import Unit, text

__all__ = ["Job", "Rule", "Settings", "rows_words"]

# Letters of a cell, and of a message that names cells, that are shown; one cell may hold a megabyte.
VALUE_LENGTH = 300
MESSAGE_LENGTH = 3000


@dataclass(frozen=True)
class Settings:
    """What a person may overrule about reading the exports.

    Attributes
    ----------
    day_first : mapping of str to bool
        ``"tracking.date"`` or ``"tracking"`` to whether 04/06 is 4 June.
    columns : mapping of table to mapping of canonical column to header
    files : mapping of table to file name
    brands : mapping of brand to other spellings
        By default those of ``params/brands.yml``.
    as_of : date or None
        "Today" for the rule on future dates; without it there is no such rule.
    """

    day_first: Mapping[str, bool] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    brands: Mapping[str, tuple[str, ...]] = field(default_factory=default_brands)
    as_of: datetime.date | None = None


@dataclass(frozen=True)
class Rule:
    """A condition on the rows of one table that is worth saying if any row meets it.

    Attributes
    ----------
    name, column, severity
        As in :class:`~hkreport.ingest.check.Problem`.
    condition : str
        SQL over the relation that the rules are run on.
    value : str
        SQL for what an example shows.
    words : str
        The message; ``{count}``, ``{rows}`` and ``{have}`` are filled in, the first example follows.
    """

    name: str
    column: str | None
    severity: Severity
    condition: str
    value: str
    words: str


@dataclass
class Job:
    """The state of one load.

    ``shelf`` has what is kept of files, ``maps`` what texts as they stand in the file were made, by table,
    column and purpose. ``codes`` says whose each coupon code is where orders name influencers by them alone, and
    ``code_column`` how the list of influencers calls them.
    """

    con: duckdb.DuckDBPyConnection
    folder: Path
    settings: Settings
    progress: Callable[[str], None]
    shelf: Shelf
    staged: dict[str, Staged] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    derived: dict[str, Any] = field(default_factory=dict)
    quarantined: dict[str, list[Quarantined]] = field(default_factory=dict)
    found: dict[str, set[str]] = field(default_factory=dict)
    maps: dict[tuple[str, str, str], Mapping[str, str | None]] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)
    code_column: str = ""

    def has(self, table: str, *columns: str | None) -> bool:
        """Whether the exports hold a table and columns of it, found or derived."""
        return table in self.found and all(
            column is None or column in self.found[table] for column in columns
        )

    def say(
        self,
        table: str | None,
        column: str | None,
        rule: str,
        severity: Severity,
        count: int,
        message: str,
        examples: Sequence[Example] = (),
    ) -> None:
        """Note a problem, with ids of customers masked."""
        staged = self.staged.get(table or "")
        shown = tuple(
            Example(each.row, _cut(masked(column or "", each.value), VALUE_LENGTH))
            for each in examples[:MOST_EXAMPLES]
        )
        if staged is not None and staged.source.parts:
            message = staged.source.in_words(message)
            shown = tuple(_placed(each, staged.source) for each in shown)
        message = _cut(message, MESSAGE_LENGTH)
        self.problems.append(Problem(table, column, rule, severity, count, message, shown))

    def one(self, query: str) -> tuple[Any, ...]:
        """The only row of a query."""
        return self.con.execute(query).fetchone() or ()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.con.execute(query, list(values)).fetchall()

    def keep(self, relation: str, pairs: Sequence[tuple[str, str | None]]) -> None:
        """Make a table ``raw``, ``value`` of pairs."""
        frame = pa.table(
            {
                "raw": pa.array([old for old, _ in pairs], pa.string()),
                "value": pa.array([new for _, new in pairs], pa.string()),
            }
        )
        self.con.register("incoming", frame)
        self.con.execute(f"CREATE OR REPLACE TABLE {relation} AS SELECT * FROM incoming")
        self.con.unregister("incoming")

    def view(self, name: str, query: str) -> None:
        """Make or replace a view."""
        self.con.execute(f"CREATE OR REPLACE VIEW {name} AS {query}")

    def apply(self, table: str, relation: str, rules: Sequence[Rule]) -> None:
        """Count all rules in one reading of the relation, then show rows of those that hold."""
        if not rules:
            return
        counts = ", ".join(f"count(*) FILTER ({rule.condition})" for rule in rules)
        for rule, count in zip(rules, self.one(f"SELECT {counts} FROM {relation}"), strict=True):
            if not count:
                continue
            some = self.rows(
                f"SELECT row, CAST({rule.value} AS VARCHAR) FROM {relation} WHERE {rule.condition} "
                f"ORDER BY row LIMIT {MOST_EXAMPLES}"
            )
            self.report(table, rule, int(count), some)

    def report(
        self, table: str, rule: Rule, count: int, some: Sequence[tuple[int | None, str | None]]
    ) -> None:
        """Say one rule with its count and first rows."""
        row, value = some[0]
        where = f"first: row {row}" + (f", {masked(rule.column or '', value)}" if value else "")
        said = {
            "{count}": text(count, Unit.COUNT),
            "{rows}": rows_words(count),
            "{have}": "has" if count == 1 else "have",
        }
        # Not format(): the words hold file and column names, and those may hold braces.
        words = re.sub(r"\{(?:count|rows|have)\}", lambda found: said[found[0]], rule.words)
        examples = [Example(each, shown or "") for each, shown in some]
        self.say(
            table, rule.column, rule.name, rule.severity, count, f"{words} ({where}).", examples
        )


def _placed(example: Example, source: Source) -> Example:
    value = source.in_words(example.value)
    if example.row is None:
        return Example(None, value)
    file, row = source.placed(example.row)
    return Example(row, value, file)


def _cut(words: str, length: int) -> str:
    return words if len(words) <= length else f"{words[: length - 1]}…"


def rows_words(count: int) -> str:
    """``row`` or ``rows``."""
    return "row" if count == 1 else "rows"
