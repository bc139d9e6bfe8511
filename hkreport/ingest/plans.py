"""What is assumed about each column from its first rows, and what became of it.

A plan only makes the reading pass fast. Whether it holds is decided afterwards, over the whole column;
where it does not, the file is read again or the values are turned.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import duckdb

from hkreport.ingest import dates, values
from hkreport.ingest.check import Example
from hkreport.ingest.columns import Match
from hkreport.ingest.read import Source, quoted
from hkreport.schema import TOTALS, Column, Kind, Table

__all__ = ["DATES", "DECIMAL", "NUMBERS", "SUMMED", "Plan", "Reading", "header_scale", "make_plans"]

NUMBERS = (Kind.NUMBER, Kind.MONEY, Kind.SHARE)
DATES = (Kind.DATE, Kind.TIMESTAMP)
SUMMED = frozenset(TOTALS.values())
DECIMAL = "DECIMAL(18, 6)"
INTEGERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
)

_UNIT = re.compile(
    r"[(\[{](?:\s|[,./-]|₹|rs\b|inr\b|rupees\b|in\b|of\b)*"
    r"('?000'?s?|k|thousands?|lakhs?|lacs?|l|crores?|cr|millions?|mn|m)(?![a-z])"
    r"(?:\s|[,./-]|₹|rs\b|inr\b|rupees\b)*[)\]}]|"
    r"\bin\s+(?:₹|rs\.?|inr)?\s*(thousands?|lakhs?|lacs?|crores?|cr|millions?|mn)\b",
    re.IGNORECASE,
)
_SCALES = {"k": 1_000, "t": 1_000, "0": 1_000, "l": 100_000, "c": 10_000_000, "m": 1_000_000}


@dataclass
class Plan:
    """How the reading pass treats one column.

    Attributes
    ----------
    cell : str
        SQL for its text, over the source's query.
    head : list of (row, text)
        Its first filled cells, with spreadsheet rows.
    decimal_comma : bool
    maybe_thousands : bool
        Whether each cell with a dot looks like ``1.234``.
    separator, day_first
        Of numeric dates; an empty separator means that there are none.
    scale : int or Decimal
        What the header says that numbers are multiplied with.
    value, type : str
        Its value as the file stores it, and what DuckDB calls the type; empty for text.
    """

    column: Column
    cell: str
    header: str
    head: list[tuple[int, str]]
    decimal_comma: bool = False
    maybe_thousands: bool = False
    separator: str = ""
    day_first: bool = True
    scale: int | Decimal = 1
    value: str = ""
    type: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether every number of the stored type is a whole number, or has at most six decimals."""
        scale = re.fullmatch(r"DECIMAL\(\d+,(\d+)\)", self.type)
        return self.type in INTEGERS or (scale is not None and int(scale[1]) <= 6)

    @property
    def short(self) -> str:
        """SQL that is true where a stored double is one that a text of up to six decimals gives.

        Then it is the double nearest to a whole number of millionths, which up to fifteen digits no other
        such text shares: casting it to a decimal gives what casting its text gives, at a tenth of the cost.
        """
        return f"(abs({self.value}) < 1e9 AND {self.value} = round({self.value} * 1e6) / 1e6)"


@dataclass
class Reading:
    """What was found in one column: material for the notes of the check.

    Attributes
    ----------
    kinds : dict of str to (cells, examples)
        By kind of text: ``unreadable``, ``scaled``, ``percent``, ``serial``, …
    order : dates.Order or None
        How numeric dates are read.
    by_file : list of (label, dates.Order)
        How each file is read, where those of one table are not written the same way round.
    turned : list of (cells, texts, first cell)
        By file where a spreadsheet seems to have turned day and month round; the texts beside those cells can be read one way only.
    either, contrary : list of Example
        Dates that can be read both ways, and those that can only be read the other way.
    zoned : int
        Cells whose time carries a zone and was converted.
    decimal_comma : bool
    european, english : int
        Cells that speak for a decimal comma, and for a decimal point.
    doubtful : int
        Cells such as ``1.234`` in a column where each cell with a dot looks so.
    percent : bool
        Whether plain numbers were taken as percentages.
    """

    column: Column
    header: str
    scale: int | Decimal = 1
    kinds: dict[str, tuple[int, list[Example]]] = field(default_factory=dict)
    order: dates.Order | None = None
    by_file: list[tuple[str, dates.Order]] = field(default_factory=list)
    turned: list[tuple[int, int, Example]] = field(default_factory=list)
    either: list[Example] = field(default_factory=list)
    contrary: list[Example] = field(default_factory=list)
    zoned: int = 0
    decimal_comma: bool = False
    european: int = 0
    english: int = 0
    doubtful: int = 0
    doubtful_cells: list[Example] = field(default_factory=list)
    percent: bool = False


_PAISE = re.compile(r"\bpaisa?e?\b", re.IGNORECASE)


def header_scale(header: str) -> int | Decimal:
    """What a header says that its numbers are multiplied with.

    Examples
    --------
    >>> header_scale("Revenue (₹ lakh)"), header_scale("Reach (in thousands)"), header_scale("Revenue (INR)")
    (100000, 1000, 1)
    >>> header_scale("Amount (in paise)")
    Decimal('0.01')
    """
    if _PAISE.search(header):
        return Decimal("0.01")
    found = _UNIT.search(header)
    if not found:
        return 1
    return _SCALES[(found[1] or found[2]).strip("'").lower()[0]]


def make_plans(
    con: duckdb.DuckDBPyConnection, source: Source, match: Match, day_first: Mapping[str, bool]
) -> dict[str, Plan]:
    """Look at the first rows of each column that the table has."""
    plans: dict[str, Plan] = {}
    evidence: dict[str, dict[str, int]] = {}
    for column in match.table:
        if column.name not in match.places:
            continue
        place = match.places[column.name]
        head = [
            (source.row(at), row[place])
            for at, row in enumerate(source.head)
            if place < len(row) and row[place].strip()
        ]
        plan = Plan(column, source.cell(place), source.headers[place], head)
        if place < len(source.types):
            plan.value, plan.type = f"d{place}", source.types[place]
        plans[column.name] = plan
        if column.kind in NUMBERS:
            if column.kind is not Kind.SHARE:
                plan.scale = header_scale(plan.header)
            found = one_row(con, values.number_evidence(texts_of(head)))
            evidence[column.name] = found
            plan.maybe_thousands = found["open_dot"] > 0 and not found["english"]
        elif column.kind in DATES:
            shapes = con.execute(dates.shape_query(texts_of(head))).fetchall()
            if shapes:
                plan.separator, cells, only_day, only_month = shapes[0]
                plan.day_first = dates.decide(
                    only_day,
                    only_month,
                    cells - only_day - only_month,
                    setting(day_first, match.table, column),
                ).day_first
    for name, comma in _decimal_commas(plans, evidence).items():
        plans[name].decimal_comma = comma
    return plans


def _decimal_commas(
    plans: Mapping[str, Plan], evidence: Mapping[str, Mapping[str, int]]
) -> dict[str, bool]:
    """Decide the decimal sign by column; a column that shows nothing follows the others of its file."""
    clear = {
        name: found["european"] > found["english"]
        for name, found in evidence.items()
        if found["european"] != found["english"]
    }
    all_european = bool(clear) and all(clear.values())
    result = dict(clear)
    for name, found in evidence.items():
        if name in result:
            continue
        # A count has no fraction: 12.345 followers are twelve thousand, unless every cell ends in .000.
        floats = found["zero_dot"] == found["filled"]
        whole = plans[name].column.kind is Kind.NUMBER and found["open_dot"] > 0 and not floats
        result[name] = bool(found["open_dot"] + found["open_comma"]) and (all_european or whole)
    return result


def texts_of(head: list[tuple[int, str]]) -> str:
    """Build a relation with the column ``raw`` from first cells."""
    if not head:
        return "(SELECT NULL::VARCHAR AS raw WHERE false)"
    return f"(SELECT * FROM (VALUES {', '.join(f'({quoted(text)})' for _, text in head)}) AS head(raw))"


def setting(day_first: Mapping[str, bool], table: Table, column: Column) -> bool | None:
    """What a person said about the order of a column's dates, for it or its table."""
    return day_first.get(f"{table.name}.{column.name}", day_first.get(table.name))


def one_row(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, int]:
    """Run a query that gives one row of counts."""
    cursor = con.execute(query)
    names = [each[0] for each in cursor.description or ()]
    return {
        name: int(value or 0) for name, value in zip(names, cursor.fetchone() or (), strict=True)
    }
