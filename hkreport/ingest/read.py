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
import json
import re
import shlex
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from hkreport.ingest.distinct import Field, are_distinct, look
from hkreport.ingest.lines import Lines, is_gzip, open_bytes, records_of, rewrite, within
from hkreport.ingest.source import (
    PARQUET_ENDINGS,
    TEXT_ENDINGS,
    WORKBOOK_ENDINGS,
    Source,
    Unusable,
    quoted,
)
from hkreport.ingest.workbook import unpack
from hkreport.schema import TABLES, fold

__all__ = ["HIDDEN", "MAIN_TABLES", "PACKED_ENDINGS", "PARQUET_ENDINGS", "TEXT_ENDINGS", "WORKBOOK_ENDINGS", "Source",
           "Unusable", "find_sources", "prepare", "quoted", "settled"]  # fmt: skip

# The four that people export: a broken file that is called so is an error, not an absent table.
MAIN_TABLES = ("influencers", "posts", "tracking", "payouts")
# How some tools keep a spreadsheet from changing an id or a date: ="00123", or "=""00123""" with quotes.
_FORMULA = re.compile(r'(?m)(?:^|[,;\t|])(?:="[^"\n]+"|"=""[^"\n]+""")(?=[,;\t|\r\n]|$)')
# How a packed (.xlsx, .xlsm, .xlsb, .ods) or an old (.xls) workbook begins.
WORKBOOK_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
PACKED_ENDINGS = (".zip", ".rar", ".7z")
JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
DELIMITERS = (",", ";", "\t", "|")
HEAD_BYTES = 1 << 18  # enough for a title block, a header and some hundred rows
HEAD_RECORDS = 400
HIDDEN = "is a hidden sheet and was not read"
BLOCK_BYTES = 1 << 20
LONGEST_LINE = 32 << 20
# From here on ids are compared while the bytes are looked at, as long as hashes of them take a gigabyte.
PROVEN_BYTES = 192 << 20
MOST_HASHES = 120_000_000

# A database's costs grow faster than its columns, and past a thousand no expression may name them all.
MOST_COLUMNS = 600

# Rows of real exports shrink to a fifth when packed, equal ones to a fortieth; a bomb, to a thousandth.
MOST_TIMES = 200
HARMLESS_BYTES = 64 << 20
# A Parquet file that says it holds more has one value again and again.
MOST_ROWS_PER_BYTE = 20
HARMLESS_ROWS = 5_000_000


def find_sources(
    folder: Path, workdir: Path, known: Callable[[Path], Source | None] = lambda path: None
) -> tuple[list[Source], dict[str, str]]:
    """List what could be a table in `folder`, and why the other files could not.

    Parameters
    ----------
    folder : Path
        Of the exports.
    workdir : Path
        Where the sheets of workbooks are unpacked.
    known : callable, optional
        Gives the source of a file that need not be looked into again.

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
        if path.name.startswith((".", "~$")):
            continue
        if path.is_dir():
            if inside := _exports_in(path):
                unusable[f"{path.name}/"] = (
                    f"{path.name}/ is a folder, and only files that lie beside it are read; it holds "
                    f"{inside} that could be exports. Move them up, where parts of one table are joined."
                )
            continue
        if path.exists() and not path.is_file():
            # Opening a pipe waits until somebody writes into it.
            unusable[path.name] = (
                f"{path.name} is a pipe or a device, not a file. Save what it gives in a file."
            )
            continue
        name = path.name.lower().removesuffix(".gz")
        try:
            if (source := known(path)) is not None:
                sources.append(source)
            elif name.endswith(PARQUET_ENDINGS):
                sources.append(_parquet_source(path))
            elif name.endswith((*TEXT_ENDINGS, *WORKBOOK_ENDINGS)) and not _is_workbook(path):
                sources.append(_text_source(path))
            elif name.endswith((*TEXT_ENDINGS, *WORKBOOK_ENDINGS)):
                found, empty = _workbook_sources(path, workdir)
                sources.extend(found)
                unusable.update(empty)
            else:
                unusable[path.name] = (
                    f"{path.name} is not a CSV, Parquet or Excel file and was not read.{_next_step(path)}"
                )
        except Unusable as error:
            unusable[path.name] = str(error)
        except OSError as error:
            unusable[path.name] = (
                f"{path.name} cannot be opened ({error.strerror or error}). Check the permissions."
            )
    for source in sources:
        if len(source.headers) > MOST_COLUMNS:
            unusable[source.label] = (
                f"{source.label} has {len(source.headers):,} columns, and at most {MOST_COLUMNS} are read. Take "
                "out those that no table knows ('hkreport templates' lists those that are known)."
            )
    return [each for each in sources if len(each.headers) <= MOST_COLUMNS], unusable


def _next_step(path: Path) -> str:
    """How to read a file of another kind after all, if that is known; with a space before it."""
    name = path.name.lower()
    if name.endswith(PACKED_ENDINGS):
        return " Unpack it."
    if not name.endswith(JSON_ENDINGS) or not _is_called_after_a_table(path.stem, MAIN_TABLES):
        return ""
    source, target = json.dumps(str(path)), json.dumps(str(path.with_suffix(".csv")))
    lines = f"(json.loads(line) for line in open({source}) if line.strip())"
    read = f"json.load(open({source}))" if name.endswith(".json") else lines
    code = f"import json, pandas; pandas.json_normalize({read}).to_csv({target}, index=False)"
    under = (
        ' If they stand under a key such as data, write ["data"] after the json.load(…).'
        if name.endswith(".json")
        else ""
    )
    return f" Write its records as CSV: .venv/bin/python -c {shlex.quote(code)}{under}"


def _exports_in(folder: Path) -> str:
    """How many files could be exports, in a folder that is called like a table or of those that are, in words."""
    endings = (*TEXT_ENDINGS, *PARQUET_ENDINGS, *WORKBOOK_ENDINGS)
    try:
        found = [
            each.name
            for each in folder.iterdir()
            if each.is_file() and each.name.lower().removesuffix(".gz").endswith(endings)
            and not each.name.startswith((".", "~$"))
        ]  # fmt: skip
    except OSError:
        return ""
    if not _is_called_after_a_table(folder.name):
        found = [each for each in found if _is_called_after_a_table(each, MAIN_TABLES)]
    return f"{len(found)} {'file' if len(found) == 1 else 'files'}" if found else ""


def _is_called_after_a_table(name: str, tables: Iterable[str] = TABLES) -> bool:
    return any(word in fold(name) for table in tables for word in TABLES[table].file_words)


def prepare(
    source: Source,
    workdir: Path,
    con: duckdb.DuckDBPyConnection,
    *,
    key: int | None = None,
    anew: bool = False,
) -> Source:
    """Make the source's query, rewriting the file where DuckDB could not read it faithfully.

    Parameters
    ----------
    source : Source
        As found.
    workdir : Path
        Where rewritten copies and plain names go.
    con : DuckDB connection
    key : int, optional
        Place of a column whose texts should all be unlike; a large file is looked at for that, and for what
        makes it unreadable as it stands, while the caller goes on: see :func:`settled`.
    anew : bool, default False
        Rewrite a text file in any case, because reading it as it stands has failed.

    Raises
    ------
    Unusable
        If the content turns out not to be what the name says.
    """
    if source.parts:
        return source  # they are prepared
    if source.brand is not None:
        bare = replace(source, headers=source.headers[:-1], brand=None)
        return _with_brand(source, prepare(bare, workdir, con, key=key, anew=anew))
    number = len(list(workdir.iterdir()))
    if source.kind == "parquet":
        path = _plain_name(source, workdir, number)
        return replace(source, query=_parquet_query(source, path), types=_types(con, path))
    if source.kind == "workbook":
        assert source.cells is not None
        target = workdir / f"{number}.csv"
        rows = ((row, None) for row in _sheet_rows(source.cells))
        mended = rewrite(islice(rows, source.header_row, None), len(source.headers), target)
        return replace(
            source,
            query=_csv_query(target, mended.width, 0, ","),
            marked=True,
            volume=target.stat().st_size,
        )
    path = _plain_name(source, workdir, number)
    formulas = any(rule == "formula_cells" for rule, _ in source.notes)
    if source.encoding == "utf-8" and not anew and not formulas:
        volume, width = path.stat().st_size, len(source.headers)
        query = _csv_query(path, width, source.header_row, source.delimiter, marked=False)
        read = replace(source, query=query, volume=volume)
        large = key is not None and volume >= PROVEN_BYTES
        odd = _begins_in_quotes(path) or _ends_differ(path, source.header_row)
        if (large or look(path).plain) and not odd and _reads(con, query):
            if not large:
                return read
            field = Field(source.header_row, width, key or 0, source.delimiter, MOST_HASHES)
            pool = ThreadPoolExecutor(1)
            proof = pool.submit(_proof, path, field)
            pool.shutdown(wait=False)
            return replace(read, proof=proof)
    return _mended(source, path, workdir / f"{number}-mended.csv")


def _proof(path: Path, field: Field) -> tuple[bool, bool]:
    """Whether a file can be read as it stands, and whether no two of its records have the same key."""
    seen = look(path, field)
    return seen.plain, are_distinct([seen.hashes])


def settled(source: Source) -> Source | None:
    """A prepared source, as soon as it is known what its bytes say; None where it has to be prepared anew."""
    if source.proof is None:
        return source
    plain, unlike = source.proof.result()
    return replace(source, unlike=unlike, proof=None) if plain else None


def _with_brand(source: Source, bare: Source) -> Source:
    """Add the brand of the file's name to what a prepared source gives, in rows that hold anything."""
    assert source.brand is not None
    value, place = source.brand
    at = len(bare.headers)
    cell = f"CASE WHEN trim({bare.cell(place)}) <> '' THEN nullif({quoted(value)}, '') END"
    stored = f", {cell} AS d{at}" if bare.types else ""
    return replace(
        bare,
        headers=source.headers,
        head=source.head,
        query=f"SELECT *, {cell} AS c{at}{stored} FROM ({bare.query})",
        types=(*bare.types, "VARCHAR") if bare.types else (),
        brand=source.brand,
    )


def _mended(source: Source, path: Path, target: Path) -> Source:
    lines = Lines(path, source.encoding)
    records = records_of(lines, source.delimiter, len(source.headers))
    mended = rewrite(islice(records, source.header_row, None), len(source.headers), target)
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
                f"{source.label}: in {lines.stray_quotes} {'line' if lines.stray_quotes == 1 else 'lines'} a double quote is opened and never closed; it was "
                "left out and the line read by itself. Check texts that hold a double quote.",
            )
        )
    if lines.formulas and not any(rule == "formula_cells" for rule, _ in notes):
        notes.append(_formula_note(source.label))
    if mended.short:
        notes.append(
            (
                "short_rows",
                f"{source.label}: {mended.short} {'row has' if mended.short == 1 else 'rows have'} fewer fields than the "
                f"header (first: row {source.header_row + 1 + mended.first_short}); the missing ones "
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


def _plain_name(source: Source, workdir: Path, number: int) -> Path:
    """Give the file a name without characters that DuckDB reads as a pattern, and unpack it."""
    if source.kind == "text" and is_gzip(source.path):
        unpacked = workdir / f"{number}.csv"
        try:
            with gzip.open(source.path, "rb") as packed, unpacked.open("wb") as file:
                most = max(HARMLESS_BYTES, MOST_TIMES * source.size)
                while block := packed.read(BLOCK_BYTES):
                    file.write(block)
                    if file.tell() > most:
                        raise Unusable(
                            f"{source.label} unpacks to more than {MOST_TIMES} times its size, as no "
                            "export does. Look at what is in it, and export it again."
                        )
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
        with open_bytes(path) as file:
            head = file.read(HEAD_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Unusable(
            f"{path.name} is a damaged gzip file ({error}). Export or copy it again."
        ) from error
    if not head.strip(b"\0 \t\r\n\xef\xbb\xbf\xff\xfe,;|"):
        raise Unusable(f"{path.name} is empty. Export it again, or remove it.")
    encoding = _encoding(head)
    notes = []
    if path.name.lower().endswith(".gz") and not is_gzip(path):
        notes.append(
            ("not_gzip", f"{path.name} is called .gz but is not compressed; it was read as text.")
        )
    named_workbook = path.name.lower().endswith(WORKBOOK_ENDINGS)
    if named_workbook:
        notes.append(
            ("not_workbook", f"{path.name} is called an Excel workbook but is text; it was read as that.")
        )  # fmt: skip
    if encoding not in ("utf-8", "utf-8-sig"):
        notes.append(("encoding", f"{path.name} was read as {encoding.upper()}."))
    whole = len(head) < HEAD_BYTES
    text = _decoded(head, encoding)
    if _FORMULA.search(text):
        notes.append(_formula_note(path.name))
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
    if score < 2 and named_workbook:
        raise Unusable(
            f"{path.name} is called an Excel workbook but cannot be opened as one (it is text). "
            "Save it again as .xlsx, or as CSV."
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
        above=_above(_head_records(lines, delimiter), position),
    )


def _decoded(head: bytes, encoding: str) -> str:
    """The text of the first bytes, line by line as :class:`~hkreport.ingest.lines.Lines` decodes those that follow."""
    if encoding != "utf-8":
        return head.decode(encoding, errors="replace")
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    texts = []
    for line in head.removeprefix(codecs.BOM_UTF8).splitlines(keepends=True):
        try:
            texts.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            texts.append(line.decode("cp1252", errors="replace"))
    return "".join(texts)


def _above(records: Iterable[list[str]], place: int) -> tuple[str, ...]:
    """What is written above the header, one text a row."""
    return tuple(
        " ".join(cell.strip() for cell in row if cell.strip()) for row in islice(records, place)
    )


def _formula_note(label: str) -> tuple[str, str]:
    sentence = f'{label}: cells that are written as ="…" were read as the text between the quotes.'
    return ("formula_cells", sentence)


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
        for record in islice(reader, HEAD_RECORDS):
            yield [within(cell) for cell in record]
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
        place = _first_row_of_words(records, first)
    place, cells = _two_lines(records, place, known)
    best = max(best, len({fold(cell) for cell in cells} & known))
    headers = tuple(cell.strip().lstrip("\ufeff").strip() for cell in cells)
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


def _first_row_of_words(records: list[list[str]], first: int) -> int:
    """The first row without digits that fills at least half as many cells as the fullest: no title above it."""
    filled = [[cell for cell in row if cell.strip()] for row in records[:30]]
    widest = max(map(len, filled), default=0)
    for at, cells in enumerate(filled):
        worded = not any(character.isdigit() for cell in cells for character in cell)
        if worded and len(cells) > 1 and 2 * len(cells) >= widest:
            return at
    return first


def _two_lines(
    records: list[list[str]], place: int, known: frozenset[str]
) -> tuple[int, list[str]]:
    """Join a header of two lines, where cells of one were merged over or beside those of the other.

    The line below names what the line above leaves open, or the line above what that below does.
    """
    for upper in (place, place - 1):
        if upper < 0 or upper + 1 >= len(records):
            continue
        top, below = ([cell.strip() for cell in row] for row in records[upper : upper + 2])
        if any(character.isdigit() for cell in below for character in cell):
            continue
        width = max(len(top), len(below))
        top, below = ([*row, *[""] * (width - len(row))] for row in (top, below))
        named = [{fold(cell) for cell in row} & known for row in (top, below)]
        open_above = {fold(low) for high, low in zip(top, below, strict=True) if not high} & known
        open_below = {fold(high) for high, low in zip(top, below, strict=True) if not low} & known
        if min(map(len, named)) >= 2 and open_above - named[0] and open_below - named[1]:
            return upper + 1, [low or high for high, low in zip(top, below, strict=True)]
    return place, records[place] if records else []


@functools.cache
def _known_headers() -> frozenset[str]:
    return frozenset(
        fold(word)
        for table in TABLES.values()
        for column in table
        for word in (column.name, *column.aliases)
    )


def _reads(con: duckdb.DuckDBPyConnection, query: str) -> bool:
    try:
        con.execute(f"SELECT * FROM ({query}) LIMIT 1").fetchall()
    except duckdb.Error:
        return False
    return True


def _begins_in_quotes(path: Path) -> bool:
    """Whether the first line break of a file stands inside a cell, as in a header that is wrapped.

    DuckDB takes the first break for the one that ends all records: a spreadsheet writes another one there, and no
    record would be found.
    """
    with path.open("rb") as file:
        line = file.readline(LONGEST_LINE)
    return line.count(b'"') % 2 == 1


def _ends_differ(path: Path, lines: int) -> bool:
    """Whether the lines that are left out above the records end in different ways, as where one was written before an export.

    DuckDB then finds no record at all.
    """
    with path.open("rb") as file:
        ends = re.findall(rb"\r\n|\r|\n", file.read(HEAD_BYTES))
    return len(set(ends[:lines])) > 1


def _csv_query(path: Path, width: int, skip: int, delimiter: str, *, marked: bool = True) -> str:
    """Select every column as text from a CSV file; the last one of a rewritten file is the mark."""
    names = [f"c{place}" for place in range(width)] + (["bad"] if marked else [])
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    return (
        f"SELECT {', '.join(names)}{'' if marked else ', NULL::VARCHAR AS bad'} FROM read_csv("
        f"{quoted(path)}, auto_detect = false, header = false, skip = {skip}, "
        f"delim = {quoted(delimiter)}, quote = '\"', escape = '\"', columns = {{{columns}}}, "
        f"strict_mode = true, compression = 'none'"
        + (
            # By itself DuckDB would take sixteen times the longest line for its buffer.
            f", max_line_size = {LONGEST_LINE}, buffer_size = {2 * LONGEST_LINE}, parallel = false"
            if marked
            else ""
        )
        + ")"
    )


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
            _require_parquet_is_harmless(path, parquet.metadata)
            records = parquet.metadata.num_rows
            batch = next(parquet.iter_batches(batch_size=HEAD_RECORDS), None)
        # Texts that are not UTF-8, and times that no date can hold, are found here.
        columns = [] if batch is None else [column.to_pylist() for column in batch.columns]
        rows = list(zip(*columns, strict=True))
    except (OSError, ValueError, MemoryError) as error:
        raise Unusable(
            f"{path.name} is a damaged Parquet file ({str(error).splitlines()[0]}). Export it again."
        ) from error
    return Source(
        path=path,
        sheet=None,
        headers=headers,
        header_row=1,
        head=tuple(tuple("" if cell is None else str(cell) for cell in row) for row in rows),
        size=path.stat().st_size,
        kind="parquet",
        records=records,
    )


def _require_parquet_is_harmless(path: Path, metadata: Any) -> None:
    """Refuse a file that is nothing but one value many times, or one value that is huge."""
    size = path.stat().st_size
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    many = metadata.num_rows > max(HARMLESS_ROWS, MOST_ROWS_PER_BYTE * size)
    if many or unpacked > max(HARMLESS_BYTES, MOST_TIMES * size):
        raise Unusable(
            f"{path.name} unpacks to more than {MOST_TIMES} times its size, as no export does. "
            "Look at what is in it, and export it again."
        )


def _parquet_query(source: Source, path: Path) -> str:
    names = ", ".join(f"d{place}" for place in range(len(source.headers)))
    casts = ", ".join(
        f"CAST(d{place} AS VARCHAR) AS c{place}" for place in range(len(source.headers))
    )
    return (
        f"SELECT {names}, {casts}, NULL::VARCHAR AS bad FROM read_parquet({quoted(path)}) "
        f"AS file({names})"
    )


def _types(con: duckdb.DuckDBPyConnection, path: Path) -> tuple[str, ...]:
    """The types of a Parquet file's columns; none where DuckDB cannot read it, which is said later."""
    try:
        found = con.execute(f"DESCRIBE SELECT * FROM read_parquet({quoted(path)})").fetchall()
    except duckdb.Error:
        return ()
    return tuple(str(kind) for _, kind, *_ in found)


# --- workbooks ----------------------------------------------------------------------------------


def _is_workbook(path: Path) -> bool:
    """Whether a file is to be opened as a workbook, by its content: many tools give a text the name of one.

    Raises
    ------
    Unusable
        If it is a web page under the name of a workbook.
    """
    named = path.name.lower().endswith(WORKBOOK_ENDINGS)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES if named else 4)
    if head.startswith(WORKBOOK_MARKS):
        return True
    if not named:
        return False
    start = head[:4096].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if start.startswith(b"<"):
        raise Unusable(
            f"{path.name} is called an Excel workbook but is a web page or XML, as some tools export it. Open it in a "
            "spreadsheet and save it as .xlsx, or as CSV."
        )
    return not head or (_encoding(head) == "utf-8" and _is_binary(head))


def _merged_note(label: str, filled: int) -> tuple[tuple[str, str], ...]:
    if not filled:
        return ()
    sentence = f"{label}: a text in cells merged over several rows was written into {filled:,} "
    sentence += f"{'row' if filled == 1 else 'rows'} below the first."
    return (("merged_cells", sentence),)


def _workbook_sources(path: Path, workdir: Path) -> tuple[list[Source], dict[str, str]]:
    try:
        sheets = unpack(path, workdir / f"sheets-{len(list(workdir.iterdir()))}")
    except (OSError, ValueError) as error:
        called = "called" if path.name.lower().endswith(WORKBOOK_ENDINGS) else "packed like"
        raise Unusable(
            f"{path.name} is {called} an Excel workbook but cannot be opened as one ({error}). "
            "Save it again as .xlsx, or as CSV."
        ) from error
    found: list[Source] = []
    empty: dict[str, str] = {}
    for sheet in sheets:
        label = f"{path.name} [{sheet.name}]"
        if sheet.cells is None:
            empty[label] = f"{label} cannot be read ({sheet.reason})."
            continue
        rows = list(islice(_sheet_rows(sheet.cells), HEAD_RECORDS))
        if not any(any(row) for row in rows):
            empty[label] = f"{label} is empty."
            continue
        if sheet.hidden:
            empty[label] = f"{label} {HIDDEN}. Show it in the workbook if it is to be read."
            continue
        _, place, headers, records = _header(rows)
        found.append(
            Source(
                path=path,
                sheet=sheet.name,
                headers=headers,
                header_row=place + 1,
                head=tuple(tuple(row) for row in records),
                size=path.stat().st_size,
                kind="workbook",
                cells=sheet.cells,
                notes=_merged_note(label, sheet.filled),
                above=_above(rows, place),
            )
        )
    return found, empty


def _sheet_rows(cells: Path) -> Iterator[list[str]]:
    """Cells as text, one list a spreadsheet row, from row 1 and column A."""
    with cells.open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file)
