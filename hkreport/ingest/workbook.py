"""A workbook as one CSV a sheet, made by a process of its own that may use little memory and time.

A few bytes can say that a sheet has seventeen thousand million cells, or one text a million times. What
opens workbooks then ends its process; so that this is never ours, the module also runs as a script::

    python -I workbook.py EXPORT.xlsx FOLDER
"""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

__all__ = ["Sheet", "unpack"]

MEBIBYTE = 1 << 20
_AMOUNT = re.compile(
    r"(?i)[(+-]?(?:₹|rs\.?|inr)?\s*[0-9][0-9.,\s]*(?:k|l|lakhs?|cr|%|/-|inr|rs\.?)?\)?-?"
)
# For the largest workbook of a given size seen: a million rows of ten columns in 50 MB take 1.5 GB.
MEMORY = 1 << 30
MEMORY_PER_BYTE = 40
SECONDS = 10
SECONDS_PER_MEBIBYTE = 20


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook: its cells as CSV, or why there are none."""

    name: str
    cells: Path | None
    reason: str = ""
    filled: int = 0
    hidden: bool = False


def unpack(path: Path, folder: Path) -> list[Sheet]:
    """Write the sheets of a workbook into a folder.

    Raises
    ------
    ValueError
        If it is none, or takes more than a workbook of its size should; the message says which.
    """
    folder.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-I", __file__, str(path.resolve()), str(folder)],
        capture_output=True,
        check=False,
        env={"PATH": os.defpath},
    )
    if done.returncode:
        raise ValueError("it needs more memory or time than a workbook of its size should")
    told = json.loads(done.stdout)
    if "error" in told:
        raise ValueError(told["error"])
    return [
        Sheet(
            each["name"],
            folder / each["file"] if "file" in each else None,
            each.get("error", ""),
            int(each.get("filled", 0)),
            "hidden" in each,
        )
        for each in told["sheets"]
    ]


def _limit(size: int) -> None:
    """Keep this process from taking more than a workbook of that size needs."""
    import resource

    memory = MEMORY + MEMORY_PER_BYTE * size
    seconds = SECONDS + SECONDS_PER_MEBIBYTE * size // MEBIBYTE
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(kind)
        if most == resource.RLIM_INFINITY or limit < most:
            resource.setrlimit(kind, (limit, limit))


def _rightly_called(path: Path, folder: Path) -> Path:
    """The workbook under a name that says of which kind it is, since that decides how it is opened."""
    with path.open("rb") as file:
        start = file.read(4)
    ending = path.suffix.lower()
    kind = ending
    if start == b"\xd0\xcf\x11\xe0":
        kind = ".xls"
    elif start == b"PK\x03\x04" and ending not in (".xlsx", ".xlsm", ".xlsb", ".ods"):
        kind = ".xlsx"
    if kind == ending:
        return path
    link = folder / f"book{kind}"
    link.symlink_to(path)
    return link


def _sheets(path: Path, folder: Path) -> dict[str, object]:
    from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

    try:
        book = CalamineWorkbook.from_path(_rightly_called(path, folder))
    except (CalamineError, OSError, ValueError) as error:
        return {"error": str(error)}
    told: list[dict[str, str]] = []
    shown = {each.name for each in book.sheets_metadata if each.visible == SheetVisibleEnum.Visible}
    for number, name in enumerate(book.sheet_names):
        file = f"{number}.csv"
        try:
            sheet = book.get_sheet_by_name(name)
            rows = sheet.to_python(skip_empty_area=False)
            filled = _fill_merged(rows, sheet.merged_cell_ranges or [])
        except (CalamineError, ValueError) as error:
            told.append({"name": name, "error": str(error)})
            continue
        with (folder / file).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(_filled(rows))
        told.append({"name": name, "file": file, "filled": str(filled)})
        if name not in shown:
            told[-1]["hidden"] = "yes"
    return {"sheets": told}


def _fill_merged(
    rows: Sequence[list[Any]], ranges: Iterable[tuple[tuple[int, int], tuple[int, int]]]
) -> int:
    """Write names that stand in cells merged over several rows into each; gives the cells filled.

    Numbers are left alone: a fee in a merged cell is paid once.
    """
    filled = 0
    for (top, left), (bottom, right) in ranges:
        if left != right or bottom >= len(rows) or left >= len(rows[top]):
            continue
        name = rows[top][left]
        if not isinstance(name, str) or not name.strip() or _AMOUNT.fullmatch(name.strip()):
            continue
        for row in rows[top + 1 : bottom + 1]:
            if left < len(row) and row[left] == "":
                row[left] = name
                filled += 1
    return filled


def _filled(rows: Iterable[Iterable[object]]) -> Iterator[list[str]]:
    """Cells as text, one list a spreadsheet row, from row 1 and column A to the last that is not empty."""
    blank = 0
    for row in rows:
        cells = [_text(cell) for cell in row]
        if any(cells):
            # A line of nothing would be read as a row without cells, which it is.
            yield from ([] for _ in range(blank))
            blank = 0
            yield cells
        else:
            blank += 1


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return str(cell.date()) if cell.time() == time() else str(cell)
    if isinstance(cell, date | time | timedelta):
        return str(cell)
    return str(cell)


if __name__ == "__main__":
    source = Path(sys.argv[1])
    _limit(source.stat().st_size)
    sys.stdout.write(json.dumps(_sheets(source, Path(sys.argv[2]))))
