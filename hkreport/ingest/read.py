"""Which files are there, and how their cells become text that DuckDB can read.

A file of any kind becomes a :class:`Source`: its headers, the spreadsheet row of its first record, and
an SQL query that gives every cell as text in file order. Clean UTF-8 CSV is read by DuckDB as it
stands; everything else (other encodings, blank lines, ragged rows, stray quotes, workbooks) is first
written anew, record by record, so that row numbers stay those of the spreadsheet. What a column or a
value means is decided elsewhere.
"""

import codecs
import csv
import functools
import gzip
import io
import re
import shutil
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import duckdb
import numpy as np
from python_calamine import CalamineError, CalamineWorkbook

from hkreport.schema import TABLES, fold

__all__ = ["Source", "Unusable", "find_sources", "prepare", "quoted"]

TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".psv")
PARQUET_ENDINGS = (".parquet", ".pq")
WORKBOOK_ENDINGS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
DELIMITERS = (",", ";", "\t", "|")
HEAD_BYTES = 1 << 18  # enough for a title block, a header and some hundred rows
HEAD_RECORDS = 400
BLOCK_BYTES = 1 << 20
# A quoted cell may run over lines (captions do); past this many the quote is taken for a stray one.
MOST_LINES_IN_A_CELL = 200
LONGEST_LINE = 32 << 20
TWO_LINE_FEEDS = 0x0A0A

csv.field_size_limit(1 << 30)


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

    @property
    def label(self) -> str:
        """File name, with the sheet where there is one."""
        return self.path.name if self.sheet is None else f"{self.path.name} [{self.sheet}]"

    @property
    def stem(self) -> str:
        """The name that says what the table is: the sheet, or the file without endings."""
        return self.sheet if self.sheet is not None else _stem(self.path)


def quoted(text: object) -> str:
    """Make an SQL string literal.

    Examples
    --------
    >>> quoted("Asha's")
    "'Asha''s'"
    """
    return "'" + str(text).replace("\0", "").replace("'", "''") + "'"


def find_sources(folder: Path) -> tuple[list[Source], dict[str, str]]:
    """List what could be a table in `folder`, and why the other files could not.

    Returns
    -------
    sources : list of Source
        In order of name; not yet prepared.
    unusable : dict of str to str
        File or sheet name to a sentence.
    """
    sources: list[Source] = []
    unusable: dict[str, str] = {}
    for path in sorted(folder.iterdir(), key=lambda each: each.name):
        if path.is_dir() or path.name.startswith((".", "~$")):
            continue
        name = path.name.lower().removesuffix(".gz")
        try:
            if name.endswith(TEXT_ENDINGS):
                sources.append(_text_source(path))
            elif name.endswith(PARQUET_ENDINGS):
                sources.append(_parquet_source(path))
            elif name.endswith(WORKBOOK_ENDINGS):
                found, empty = _workbook_sources(path)
                sources.extend(found)
                unusable.update(empty)
            else:
                unusable[path.name] = (
                    f"{path.name} is not a CSV, Parquet or Excel file and was not read."
                )
        except Unusable as error:
            unusable[path.name] = str(error)
        except OSError as error:
            unusable[path.name] = (
                f"{path.name} cannot be opened ({error.strerror or error}). Check the permissions."
            )
    return sources, unusable


def prepare(
    source: Source, workdir: Path, con: duckdb.DuckDBPyConnection, *, rewrite: bool = False
) -> Source:
    """Make the source's query, rewriting the file where DuckDB could not read it faithfully.

    Parameters
    ----------
    source : Source
        As found.
    workdir : Path
        Where rewritten copies and plain names go.
    con : DuckDB connection
    rewrite : bool, default False
        Rewrite a text file in any case, because reading it as it stands has failed.

    Raises
    ------
    Unusable
        If the content turns out not to be what the name says.
    """
    number = len(list(workdir.iterdir()))
    if source.kind == "parquet":
        return replace(source, query=_parquet_query(source, _plain_name(source, workdir, number)))
    if source.kind == "workbook":
        target = workdir / f"{number}.csv"
        rows = _workbook_rows(source.path, source.sheet or "")
        mended = _rewrite(islice(rows, source.header_row, None), len(source.headers), target)
        return replace(
            source,
            query=_csv_query(target, mended.width, 0, ","),
            marked=True,
            volume=target.stat().st_size,
        )
    if source.encoding == "utf-8" and not rewrite:
        path = _plain_name(source, workdir, number)
        if _is_plain(path):
            query = _csv_query(
                path, len(source.headers), source.header_row, source.delimiter, marked=False
            )
            if _reads(con, query):
                return replace(source, query=query, volume=path.stat().st_size)
    return _mended(source, workdir / f"{number}-mended.csv")


def _mended(source: Source, target: Path) -> Source:
    lines = _Lines(source.path, source.encoding)
    records = _records(lines, source.delimiter, len(source.headers))
    try:
        mended = _rewrite(islice(records, source.header_row, None), len(source.headers), target)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Unusable(
            f"{source.label} is a damaged gzip file ({error}). Export or copy it again."
        ) from error
    notes = list(source.notes)
    if lines.odd_lines:
        notes.append(
            (
                "encoding",
                f"{source.label}: {lines.odd_lines} lines are not UTF-8 and were read as "
                "Windows-1252 (Latin-1). Check names with accents.",
            )
        )
    if lines.nul_bytes:
        notes.append(
            ("nul_bytes", f"{source.label}: {lines.nul_bytes} NUL characters were left out.")
        )
    if lines.stray_quotes:
        notes.append(
            (
                "stray_quotes",
                f"{source.label}: in {lines.stray_quotes} lines a double quote is opened and never closed; it was "
                "left out and the line read by itself. Check texts that hold a double quote.",
            )
        )
    if mended.short:
        notes.append(
            (
                "short_rows",
                f"{source.label}: {mended.short} rows have fewer fields than the header "
                f"(first: row {source.header_row + 1 + mended.first_short}); the missing ones "
                "were taken as empty.",
            )
        )
    return replace(
        source,
        notes=tuple(notes),
        query=_csv_query(target, mended.width, 0, ","),
        marked=True,
        volume=target.stat().st_size,
    )


def _stem(path: Path) -> str:
    name = path.name
    for ending in (".gz", *TEXT_ENDINGS, *PARQUET_ENDINGS, *WORKBOOK_ENDINGS):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _open_bytes(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if _is_gzip(path) else path.open("rb")


def _plain_name(source: Source, workdir: Path, number: int) -> Path:
    """Give the file a name without characters that DuckDB reads as a pattern, and unpack it."""
    if source.kind == "text" and _is_gzip(source.path):
        unpacked = workdir / f"{number}.csv"
        try:
            with gzip.open(source.path, "rb") as packed, unpacked.open("wb") as file:
                shutil.copyfileobj(packed, file, BLOCK_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Unusable(
                f"{source.label} is a damaged gzip file ({error}). Export or copy it again."
            ) from error
        return unpacked
    link = workdir / f"{number}{'.parquet' if source.kind == 'parquet' else '.csv'}"
    link.symlink_to(source.path.resolve())
    return link


# --- text ---------------------------------------------------------------------------------------


def _text_source(path: Path) -> Source:
    try:
        with _open_bytes(path) as file:
            head = file.read(HEAD_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Unusable(
            f"{path.name} is a damaged gzip file ({error}). Export or copy it again."
        ) from error
    if not head.strip(b"\0 \t\r\n\xef\xbb\xbf\xff\xfe,;|"):
        raise Unusable(f"{path.name} is empty. Export it again, or remove it.")
    encoding = _encoding(head)
    notes = []
    if path.name.lower().endswith(".gz") and not _is_gzip(path):
        notes.append(
            ("not_gzip", f"{path.name} is called .gz but is not compressed; it was read as text.")
        )
    if encoding not in ("utf-8", "utf-8-sig"):
        notes.append(("encoding", f"{path.name} was read as {encoding.upper()}."))
    whole = len(head) < HEAD_BYTES
    text = head.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors="replace")
    lines = text.splitlines(keepends=True)
    if not whole and len(lines) > 1:
        lines.pop()
    best = max(
        ((*_header(list(_head_records(lines, each))), each) for each in DELIMITERS),
        key=lambda found: (found[0], len(found[2])),
    )
    score, position, headers, records, delimiter = best
    if score < 2 and encoding == "utf-8" and _is_binary(head):
        raise Unusable(
            f"{path.name} is not a text file (its first bytes are {head[:4]!r}). "
            "Save it as CSV (UTF-8)."
        )
    return Source(
        path=path,
        sheet=None,
        headers=headers,
        header_row=position + 1,
        head=tuple(tuple(each) for each in records),
        size=path.stat().st_size,
        kind="text",
        encoding=encoding,
        delimiter=delimiter,
        notes=tuple(notes),
    )


def _encoding(head: bytes) -> str:
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return name
    # Without a mark, UTF-16 of Western text has a zero in every other byte.
    some = head[:4096]
    if len(some) >= 8:
        if some[1::2].count(0) > 0.7 * len(some[1::2]) and some[0::2].count(0) == 0:
            return "utf-16-le"
        if some[0::2].count(0) > 0.7 * len(some[0::2]) and some[1::2].count(0) == 0:
            return "utf-16-be"
    return "utf-8"  # lines that are not are decoded one by one as Windows-1252


def _is_binary(head: bytes) -> bool:
    some = head[:8192]
    control = sum(some.count(byte) for byte in range(32) if byte not in (9, 10, 11, 12, 13))
    return control > 0.02 * len(some)


def _head_records(lines: list[str], delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        yield from islice(reader, HEAD_RECORDS)
    except csv.Error:
        return


def _header(records: list[list[str]]) -> tuple[int, int, tuple[str, ...], list[list[str]]]:
    """Find the header among the first records: the row that holds most known names."""
    known = _known_headers()
    best, place = 0, 0
    first = next((at for at, row in enumerate(records) if any(cell.strip() for cell in row)), 0)
    for at, row in enumerate(records[:30]):
        score = len({fold(cell) for cell in row} & known)
        if score > best:
            best, place = score, at
    if best < 2:
        place = first
    headers = tuple(cell.strip().lstrip("\ufeff").strip() for cell in records[place])
    while (
        headers
        and not headers[-1]
        and not any(
            len(row) >= len(headers) and row[len(headers) - 1].strip()
            for row in records[place + 1 :]
        )
    ):
        headers = headers[:-1]
    return best, place, headers, records[place + 1 :]


@functools.cache
def _known_headers() -> frozenset[str]:
    return frozenset(
        fold(word)
        for table in TABLES.values()
        for column in table
        for word in (column.name, *column.aliases)
    )


def _is_plain(path: Path) -> bool:
    """Whether DuckDB keeps the row numbers of a spreadsheet: no NULs, no blank lines inside."""
    tail = b""
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            data = tail + block
            filled = data.rstrip(b"\r\n")
            if b"\0" in block or _has_blank_line(filled):
                return False
            tail = data[max(len(filled) - 1, 0) :]
    return True


def _has_blank_line(data: bytes) -> bool:
    """Look for two line ends in a row; pairs of bytes are compared at once, which is thrice as fast."""
    for start in (0, 1):
        count = (len(data) - start) // 2
        if count > 0:
            pairs = np.frombuffer(data, np.uint16, count=count, offset=start)
            if (pairs == TWO_LINE_FEEDS).any():
                return True
    return b"\r" in data and b"\n\r\n" in data


def _reads(con: duckdb.DuckDBPyConnection, query: str) -> bool:
    try:
        con.execute(f"SELECT * FROM ({query}) LIMIT 1").fetchall()
    except duckdb.Error:
        return False
    return True


def _csv_query(path: Path, width: int, skip: int, delimiter: str, *, marked: bool = True) -> str:
    """Select every column as text from a CSV file; the last one of a rewritten file is the mark."""
    names = [f"c{place}" for place in range(width)] + (["bad"] if marked else [])
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    return (
        f"SELECT {', '.join(names)}{'' if marked else ', NULL::VARCHAR AS bad'} FROM read_csv("
        f"{quoted(path)}, auto_detect = false, header = false, skip = {skip}, "
        f"delim = {quoted(delimiter)}, quote = '\"', escape = '\"', columns = {{{columns}}}, "
        f"strict_mode = true, compression = 'none'"
        + (f", max_line_size = {LONGEST_LINE}, parallel = false" if marked else "")
        + ")"
    )


class _Lines:
    """Lines of a text file, decoded, with counts of what had to be mended."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.path = path
        self.encoding = encoding
        self.odd_lines = 0
        self.nul_bytes = 0
        self.stray_quotes = 0

    def __iter__(self) -> Iterator[str]:
        with _open_bytes(self.path) as file:
            if self.encoding != "utf-8":
                with io.TextIOWrapper(
                    file, encoding=self.encoding, errors="replace", newline=None
                ) as decoded:
                    yield from decoded
                return
            start = file.read(3)
            if start != codecs.BOM_UTF8:
                file.seek(0)
            for line in _byte_lines(file):
                if b"\0" in line:
                    self.nul_bytes += line.count(b"\0")
                    line = line.replace(b"\0", b"")
                try:
                    text = line.decode("utf-8")
                except UnicodeDecodeError:
                    self.odd_lines += 1
                    text = line.decode("cp1252", errors="replace")
                yield text.replace("\r\n", "\n").replace("\r", "\n")


def _byte_lines(file: BinaryIO) -> Iterator[bytes]:
    """Split at line feeds, or at carriage returns in a file that has no line feeds."""
    for line in file:
        if line.count(b"\r") > 1 or (b"\r" in line.rstrip(b"\r\n")):
            yield from (part + b"\n" for part in re.split(b"\r\n|\r|\n", line.rstrip(b"\r\n")))
        else:
            yield line


def _records(lines: _Lines, delimiter: str, width: int) -> Iterator[tuple[list[str], str | None]]:
    """Parse records one at a time, so that one stray quote cannot swallow the rest of the file."""
    waiting: deque[str] = deque()
    source = iter(lines)

    def take() -> str | None:
        return waiting.popleft() if waiting else next(source, None)

    while (line := take()) is not None:
        if '"' not in line:
            yield line.rstrip("\n").split(delimiter), None
            continue
        parts = [line]
        while (cells := _parse("".join(parts), delimiter)) is None:
            more = take() if len(parts) < MOST_LINES_IN_A_CELL else None
            if more is None:
                break
            parts.append(more)
        if cells is not None and (len(parts) == 1 or len(cells) <= width):
            yield cells, None
            continue
        waiting.extendleft(reversed(parts[1:]))
        lines.stray_quotes += 1
        cells = line.rstrip("\n").split(delimiter)
        yield (
            [cell.strip('"') for cell in cells],
            "a quote is opened and never closed" if len(cells) != width else None,
        )


def _parse(text: str, delimiter: str) -> list[str] | None:
    """Parse one record; None if a quoted cell is still open at the end."""
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        if "unexpected end" in str(error):
            return None
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])


@dataclass
class _Mended:
    width: int
    short: int = 0
    first_short: int = 0


def _rewrite(records: Iterable[tuple[list[str], str | None]], width: int, target: Path) -> _Mended:
    """Write records with the header's number of cells and a last one that says what is wrong."""
    result = _Mended(width)
    empty = [""] * width
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
        for number, (cells, bad) in enumerate(records):
            if len(cells) < width:
                if any(cell.strip() for cell in cells):
                    result.first_short = result.first_short if result.short else number
                    result.short += 1
                cells = cells + empty[len(cells) :]
            elif len(cells) > width:
                if any(cell.strip() for cell in cells[width:]) and bad is None:
                    bad = f"{len(cells)} fields where the header has {width}"
                cells = cells[:width]
            writer.writerow([*(cell.replace("\0", "") for cell in cells), bad or ""])
    return result


# --- Parquet ------------------------------------------------------------------------------------


def _parquet_source(path: Path) -> Source:
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            raise Unusable(
                f"{path.name} is called Parquet but is not. Export it again, or save it as CSV."
            )
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as parquet:
            headers = tuple(parquet.schema_arrow.names)
            batch = next(parquet.iter_batches(batch_size=HEAD_RECORDS), None)
    except (OSError, ValueError) as error:
        raise Unusable(
            f"{path.name} is a damaged Parquet file ({str(error).splitlines()[0]}). Export it again."
        ) from error
    rows = [] if batch is None else list(zip(*(c.to_pylist() for c in batch.columns), strict=True))
    return Source(
        path=path,
        sheet=None,
        headers=headers,
        header_row=1,
        head=tuple(tuple("" if cell is None else str(cell) for cell in row) for row in rows),
        size=path.stat().st_size,
        kind="parquet",
    )


def _parquet_query(source: Source, path: Path) -> str:
    names = ", ".join(f"c{place}" for place in range(len(source.headers)))
    casts = ", ".join(
        f"CAST(c{place} AS VARCHAR) AS c{place}" for place in range(len(source.headers))
    )
    return (
        f"SELECT {casts}, NULL::VARCHAR AS bad FROM read_parquet({quoted(path)}) AS file({names})"
    )


# --- workbooks ----------------------------------------------------------------------------------


def _workbook_sources(path: Path) -> tuple[list[Source], dict[str, str]]:
    try:
        with CalamineWorkbook.from_path(path) as book:
            sheets = list(book.sheet_names)
    except (CalamineError, OSError, ValueError) as error:
        raise Unusable(
            f"{path.name} is called an Excel workbook but cannot be opened as one ({error}). "
            "Save it again as .xlsx, or as CSV."
        ) from error
    found: list[Source] = []
    empty: dict[str, str] = {}
    for sheet in sheets:
        label = f"{path.name} [{sheet}]"
        try:
            rows = [cells for cells, _ in islice(_workbook_rows(path, sheet), HEAD_RECORDS)]
        except (CalamineError, ValueError) as error:
            empty[label] = f"{label} cannot be read ({error})."
            continue
        if not any(any(row) for row in rows):
            empty[label] = f"{label} is empty."
            continue
        _, place, headers, records = _header(rows)
        found.append(
            Source(
                path=path,
                sheet=sheet,
                headers=headers,
                header_row=place + 1,
                head=tuple(tuple(row) for row in records),
                size=path.stat().st_size,
                kind="workbook",
            )
        )
    return found, empty


def _workbook_rows(path: Path, sheet: str) -> Iterator[tuple[list[str], None]]:
    """Cells as text, one list a spreadsheet row, from row 1 and column A."""
    with CalamineWorkbook.from_path(path) as book:
        for row in book.get_sheet_by_name(sheet).to_python(skip_empty_area=False):
            yield [_cell_text(cell) for cell in row], None


def _cell_text(cell: object) -> str:
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return str(cell.date()) if cell.time() == time() else str(cell)
    if isinstance(cell, date | time | timedelta):
        return str(cell)
    return str(cell)
