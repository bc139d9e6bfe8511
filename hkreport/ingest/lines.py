"""Text files that DuckDB could not read faithfully, decoded and parsed record by record.

Every record keeps its place, so that row numbers stay those of the spreadsheet; what is wrong with one is
said beside it.
"""

import codecs
import csv
import gzip
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

__all__ = ["Lines", "Mended", "is_gzip", "open_bytes", "records_of", "rewrite", "within"]

# A quoted cell may run over lines (captions do); past this many the quote is taken for a stray one.
MOST_LINES_IN_A_CELL = 200

csv.field_size_limit(1 << 30)


def is_gzip(path: Path) -> bool:
    """Whether a file is packed, whatever it is called."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for its bytes, unpacked."""
    return cast(BinaryIO, gzip.open(path, "rb")) if is_gzip(path) else path.open("rb")


class Lines:
    """Lines of a text file, decoded, with counts of what had to be mended."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.path = path
        self.encoding = encoding
        self.odd_lines = 0
        self.nul_bytes = 0
        self.stray_quotes = 0
        self.formulas = 0

    def __iter__(self) -> Iterator[str]:
        with self.path.open("rb") as file:
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


def records_of(lines: Lines, delimiter: str, width: int) -> Iterator[tuple[list[str], str | None]]:
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
            if '="' in line:
                lines.formulas += sum(cell != within(cell) for cell in cells)
                cells = [within(cell) for cell in cells]
            yield cells, None
            continue
        waiting.extendleft(reversed(parts[1:]))
        lines.stray_quotes += 1
        cells = line.rstrip("\n").split(delimiter)
        yield (
            [cell.strip('"') for cell in cells],
            "a quote is opened and never closed" if len(cells) != width else None,
        )


def within(cell: str) -> str:
    """The text of a cell that is written as a formula, so that a spreadsheet takes it for one.

    Examples
    --------
    >>> within('="00123"'), within("=A1")
    ('00123', '=A1')
    """
    is_text = len(cell) > 3 and cell.startswith('="') and cell.endswith('"')
    return cell[2:-1] if is_text and '"' not in cell[2:-1] else cell


def _parse(text: str, delimiter: str) -> list[str] | None:
    """Parse one record; None if a quoted cell is still open at the end."""
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        if "unexpected end" in str(error):
            return None
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])


@dataclass
class Mended:
    """What a rewritten file holds: its width, and the rows that had fewer cells."""

    width: int
    short: int = 0
    first_short: int = 0


def rewrite(records: Iterable[tuple[list[str], str | None]], width: int, target: Path) -> Mended:
    """Write records with the header's number of cells and a last one that says what is wrong."""
    result = Mended(width)
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
