"""One table-like thing among the exports: what it is called, and which row of which file a record is."""

import re
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hkreport.folders import as_text

if TYPE_CHECKING:
    from hkreport.ingest.plain import Plain

__all__ = [
    "FILE_BRAND",
    "PARQUET_ENDINGS",
    "TEXT_ENDINGS",
    "WORKBOOK_ENDINGS",
    "Source",
    "Unusable",
    "quoted",
]

TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".psv")
PARQUET_ENDINGS = (".parquet", ".pq")
WORKBOOK_ENDINGS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
ITEM = "item_line"  # what a record is that only names one more item of an order
ELSEWHERE = "elsewhere"  # what is wrong with a record that is read from another file
FILE_BRAND = "(file name)"  # in place of a header, where the name of the file says the brand
PART = 10**12  # rows of a second file are this much above those of the first


class Unusable(Exception):
    """A file that cannot be read; the message is a sentence for the user."""


@dataclass(frozen=True)
class Source:
    """One table-like thing in the folder: a text file, a Parquet file or a sheet.

    Attributes
    ----------
    path : Path
        The file as the user knows it.
    sheet : str or None
        Sheet of a workbook.
    headers : tuple of str
        As written, in order; empty where a header cell is empty.
    header_row : int
        Spreadsheet row of the header; the first record is on the next row.
    head : tuple of tuple of str
        The first records after the header, for decisions that look at values.
    above : tuple of str
        What the rows above the header say, one text a row.
    size : int
        Bytes, to choose between copies.
    notes : tuple of (rule, sentence)
        What had to be done to read the file.
    query : str
        SQL that gives ``c0``, ``c1``, … and ``bad`` (why a record is malformed); empty until prepared.
    marked : bool
        Whether any record can be malformed: a file that DuckDB reads as it stands has none.
    volume : int
        Bytes of what the query reads, unpacked; 0 until prepared.
    cells : Path or None
        Cells of a sheet as CSV.
    unlike : bool
        Whether it is known that no two records have the same key.
    proof : future of (bool, bool), optional
        Whether the file can be read as it stands, and `unlike`, while that is being found out.
    types : tuple of str
        What DuckDB calls the types that the columns are stored in, where they are not all text; the query
        then gives the values themselves as ``d0``, ``d1``, … as well.
    records : int
        How many there are, where the file says so itself; else 0.
    brand : tuple of (str, int), optional
        What the last column holds in each row, where it is not in the file but in its name; and the place of a
        column that is filled in every row.
    parts : tuple of (Source, int)
        The sources that are read one after another as this one, each with its number of records.
    plain : tuple of Plain
        What is kept of each part, if that is read instead of the files; there is no query then.
    """

    path: Path
    sheet: str | None
    headers: tuple[str, ...]
    header_row: int
    head: tuple[tuple[str, ...], ...]
    size: int
    kind: str
    encoding: str = "utf-8"
    delimiter: str = ","
    notes: tuple[tuple[str, str], ...] = ()
    query: str = ""
    marked: bool = False
    volume: int = 0
    cells: Path | None = None
    unlike: bool = False
    proof: Future[tuple[bool, bool]] | None = None
    types: tuple[str, ...] = ()
    records: int = 0
    parts: tuple[tuple["Source", int], ...] = ()
    plain: tuple["Plain", ...] = ()
    above: tuple[str, ...] = ()
    brand: tuple[str, int] | None = None

    @property
    def label(self) -> str:
        """File name, with the sheet where there is one; a few of them where there are parts."""
        if self.parts:
            names = [part.label for part, _ in self.parts]
            more = f" and {len(names) - 3} more" if len(names) > 4 else ""
            return " + ".join(names[: 3 if more else 4]) + more
        name = as_text(self.path.name)
        return name if self.sheet is None else f"{name} [{self.sheet}]"

    def cell(self, place: int) -> str:
        """SQL for the text of a cell: a cast only where it is looked at, since it costs more than the rest."""
        if place >= len(self.types):
            return f"c{place}"
        return f"d{place}" if self.types[place] == "VARCHAR" else f"CAST(d{place} AS VARCHAR)"

    @property
    def stem(self) -> str:
        """The name that says what the table is: the sheet, or the file without endings."""
        return self.sheet if self.sheet is not None else self.file_stem

    @property
    def file_stem(self) -> str:
        """The name of the file without endings."""
        return _stem(self.path)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that are read."""
        return tuple(dict.fromkeys(part.path for part, _ in self.parts)) or (self.path,)

    @property
    def holds_text(self) -> bool:
        """Whether text files are read as they stand."""
        return self.kind == "text" or any(part.kind == "text" for part, _ in self.parts)

    def row(self, number: int) -> int:
        """The row of a record counted from 0: that of the spreadsheet, or see :func:`placed`."""
        for at, (part, records) in enumerate(self.parts, start=1):
            if number < records:
                return at * PART + part.row(number)
            number -= records
        return number + self.header_row + 1

    def row_sql(self, number: str) -> str:
        """SQL for :meth:`row` of a number."""
        if not self.parts:
            return f"CAST({number} + {self.header_row + 1} AS BIGINT)"
        cases, before = [], 0
        for at, (part, records) in enumerate(self.parts, start=1):
            shift = at * PART + part.header_row + 1 - before
            before += records
            cases.append(f"WHEN {number} < {before} THEN {number} + {shift}")
        return f"CAST(CASE {' '.join(cases)} END AS BIGINT)"

    def placed(self, row: int) -> tuple[str, int]:
        """The file of a row, and the row that a spreadsheet shows for it there.

        Rows of several files are told apart by the number of the file, times ``PART``.

        Examples
        --------
        >>> from dataclasses import replace
        >>> april, may = (Source(Path(f"{each}.csv"), None, ("date",), 1, (), 9, "text") for each in ("4", "5"))
        >>> both = replace(april, parts=((april, 100), (may, 50)))
        >>> both.row(99) % PART, both.placed(both.row(100))
        (101, ('5.csv', 2))
        """
        if self.parts and row >= PART:
            return self.parts[row // PART - 1][0].label, row % PART
        return self.label, row

    def in_words(self, words: str) -> str:
        """Say ``row 4 of FILE`` in a sentence that numbers a row of several files."""

        def place(found: re.Match[str]) -> str:
            label, row = self.placed(int(found[1]))
            return f"row {row} of {label}"

        return re.sub(r"\brow ([1-9]\d{12,})\b", place, words) if self.parts else words


def quoted(text: object) -> str:
    """Make an SQL string literal.

    Examples
    --------
    >>> quoted("Asha's")
    "'Asha''s'"
    """
    return "'" + str(text).replace("\0", "").replace("'", "''") + "'"


def _stem(path: Path) -> str:
    name = path.name
    for ending in (".gz", *TEXT_ENDINGS, *PARQUET_ENDINGS, *WORKBOOK_ENDINGS):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name
