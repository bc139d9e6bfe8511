"""What was decided about the data, what is wrong with it, and which rows were left out.

A :class:`Check` is built while the exports are read and is only text and numbers afterwards. Its JSON is
a contract with whoever runs ``hkreport check --json``.
"""

import csv
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hkreport.errors import DataError
from hkreport.folders import as_text
from hkreport.schema import TABLES, TOTALS

__all__ = [
    "MOST_EXAMPLES",
    "Check",
    "Example",
    "Problem",
    "Quarantined",
    "Severity",
    "TableCheck",
    "masked",
    "ordered",
    "write_quarantine",
]

MOST_EXAMPLES = 5
Severity = Literal["error", "warning", "note"]
# Columns that hold ids of customers, which no output may show.
PERSONAL = frozenset({"user_id", "unit_id"})
# What a spreadsheet may run; it skips what cannot be seen, and some read the wide forms of the signs too.
FORMULA = re.compile(
    r"[\s\x00-\x1f\u200b-\u200f\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]"
)


@dataclass(frozen=True)
class Example:
    """One cell that shows a problem: its spreadsheet row (None: not one row) and what it holds.

    ``file`` says which, where a table is read from several.
    """

    row: int | None
    value: str
    file: str = ""

    def to_json(self) -> dict[str, Any]:
        """The example as the contract has it."""
        file = {"file": self.file} if self.file else {}
        return {"row": self.row, "value": self.value, **file}


@dataclass(frozen=True)
class Problem:
    """One thing said about the data.

    Attributes
    ----------
    table, column : str or None
        Canonical names; None where the problem is wider.
    rule : str
        Short name, stable over versions.
    severity : {"error", "warning", "note"}
        ``error``: rows or tables were left out. ``warning``: numbers are less certain.
        ``note``: a decision that a person may want to overrule.
    count : int
        Rows (or files, or values) concerned.
    message : str
        A sentence for an analyst.
    examples : tuple of Example
        At most five.
    """

    table: str | None
    column: str | None
    rule: str
    severity: Severity
    count: int
    message: str
    examples: tuple[Example, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The problem as the contract has it."""
        return {
            "table": self.table,
            "column": self.column,
            "rule": self.rule,
            "severity": self.severity,
            "count": self.count,
            "message": as_text(self.message),
            "examples": [each.to_json() for each in self.examples[:MOST_EXAMPLES]],
        }


@dataclass(frozen=True)
class Quarantined:
    """A cell for which a row was left out."""

    table: str
    file: str
    row: int
    column: str
    value: str
    rule: str
    mend: str


@dataclass(frozen=True)
class TableCheck:
    """What became of one file."""

    file: str
    rows_read: int
    rows_used: int
    rows_quarantined: int
    columns: Mapping[str, str]
    extra_columns: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The table as the contract has it."""
        return {
            "file": self.file,
            "rows_read": self.rows_read,
            "rows_used": self.rows_used,
            "rows_quarantined": self.rows_quarantined,
            "columns": dict(self.columns),
            "extra_columns": list(self.extra_columns),
        }


@dataclass(frozen=True)
class Check:
    """Everything said about one data set.

    Attributes
    ----------
    tables : mapping of str to TableCheck
        Only the tables that have a file.
    problems : tuple of Problem
        Errors first, then warnings, then notes.
    derived : mapping
        What was decided: ``brand``, ``dates``, ``numbers``, ``channel``, ``ids``, ``payouts``.
    totals : mapping of str to Decimal
        Sums over the rows read, unrounded.
    revenue_by_brand : mapping of str to Decimal
    top_influencers : tuple of (str, Decimal)
        Five, by revenue over the rows read.
    files_not_used : tuple of str
    """

    tables: Mapping[str, TableCheck]
    problems: tuple[Problem, ...]
    derived: Mapping[str, Any]
    totals: Mapping[str, Decimal]
    revenue_by_brand: Mapping[str, Decimal]
    top_influencers: tuple[tuple[str, Decimal], ...]
    files_not_used: tuple[str, ...]
    files: Mapping[Path, tuple[int, int]] = field(default_factory=dict, repr=False)

    @property
    def rows_quarantined(self) -> int:
        """Rows left out, over all tables."""
        return sum(each.rows_quarantined for each in self.tables.values())

    @cached_property
    def fingerprint(self) -> Mapping[str, str]:
        """SHA-256 of each used file's bytes, by file name; read when first asked for.

        Raises
        ------
        DataError
            If a file has changed since it was loaded.
        """
        result = {}
        for path, seen in sorted(self.files.items()):
            stat = path.stat()
            if (stat.st_size, stat.st_mtime_ns) != seen:
                raise DataError(
                    f"{path.name} changed while it was being used.",
                    next_step="Wait until the export is complete and run again.",
                )
            with path.open("rb") as file:
                result[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        return result

    def to_json(self) -> dict[str, Any]:
        """The ``check --json`` contract as plain dicts, lists, strings and numbers."""
        return {
            "schema_version": 1,
            "tables": {name: each.to_json() for name, each in self.tables.items()},
            "files_not_used": [as_text(name) for name in self.files_not_used],
            "problems": [each.to_json() for each in self.problems],
            "derived": _plain(self.derived),
            "totals": {name: _number(self.totals.get(name, Decimal(0))) for name in TOTALS},
            "revenue_by_brand": {
                name: _number(value) for name, value in self.revenue_by_brand.items()
            },
            "top_influencers": [[name, _number(value)] for name, value in self.top_influencers],
        }


def ordered(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Errors before warnings before notes, each in the order of tables."""
    severities = ("error", "warning", "note")
    tables = list(TABLES)
    return tuple(
        sorted(
            problems,
            key=lambda each: (
                severities.index(each.severity),
                tables.index(each.table) if each.table in tables else len(tables),
            ),
        )
    )


def masked(column: str, value: object) -> str:
    """Hide ids of customers; leave every other value as it is.

    Examples
    --------
    >>> masked("user_id", "U1000231"), masked("reach", "-250")
    ('U***', '-250')
    """
    text = "" if value is None else str(value)
    return text[:1] + "***" if column in PERSONAL and text else text


def write_quarantine(folder: Path, rows: Mapping[str, Sequence[Quarantined]]) -> None:
    """Write one CSV a table, replacing what an earlier run left.

    A cell that a spreadsheet would run as a formula is written with an apostrophe before it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for table in TABLES:
        target = folder / f"{table}.csv"
        found = rows.get(table, ())
        if not found:
            target.unlink(missing_ok=True)
            continue
        temporary = folder / f".{table}.csv.{os.getpid()}"
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["file", "row", "column", "value", "rule", "how to mend"])
            for each in found:
                value = masked(each.column, each.value)
                cells = [each.file, each.row, each.column, value, each.rule, each.mend]
                writer.writerow([_inert(cell) for cell in cells])
        temporary.replace(target)


def _inert(cell: object) -> object:
    text = str(cell)
    if FORMULA.match(text) and not re.fullmatch(r"[+-]?[0-9.,]+", text):
        return "'" + text
    return cell


def _number(value: Decimal | int) -> float | int:
    return int(value) if value == int(value) else float(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        return _number(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
