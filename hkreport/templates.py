"""What an export should look like: CSV files, a workbook and the data dictionary, made from the schema."""

import csv
import datetime
import io
import re
import zipfile
from pathlib import Path
from typing import Any

from hkreport.schema import GUIDE_FILE, GUIDE_SHEET, TABLES, Column, Kind, Table

__all__ = ["WORKBOOK", "dictionary", "example_csv", "workbook", "write"]

# In a folder of its own: beside the CSV files it would hold every table a second time.
WORKBOOK = Path("excel", "exports.xlsx")
# A workbook says when it was made, and so does each part of it; ours are all of this day.
MADE = datetime.datetime(2025, 1, 1)
WIDEST = 60  # of a column on the sheet of the guide, in characters

_KINDS = {
    Kind.ID: "id",
    Kind.TEXT: "text",
    Kind.LABEL: "text",
    Kind.DATE: "date, YYYY-MM-DD",
    Kind.TIMESTAMP: "date and time",
    Kind.MONEY: "rupees",
    Kind.NUMBER: "number",
    Kind.SHARE: "share, 0.12 or 12%",
    Kind.FLAG: "yes or no",
}


def write(out: Path) -> list[Path]:
    """Write one CSV a table with header and example row, the same as a workbook, and a guide.

    Parameters
    ----------
    out : Path
        Folder; made if it is not there. Files of the same names are replaced.

    Returns
    -------
    list of Path
        What was written, the guide last.
    """
    out.mkdir(parents=True, exist_ok=True)
    texts = {f"{table.name}.csv": example_csv(table) for table in TABLES.values()}
    contents: dict[Path, bytes] = {Path(name): text.encode() for name, text in texts.items()}
    contents[WORKBOOK] = workbook()
    # Markdown, so that a folder of filled templates holds no file that could be taken for an export.
    contents[Path(GUIDE_FILE)] = dictionary().encode()
    for name, content in contents.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(content)
    return [out / name for name in contents]


def example_csv(table: Table) -> str:
    """Header and one example row of a table.

    Examples
    --------
    >>> print(example_csv(TABLES["products"]))
    product,brand,product_category,price,margin
    Biotin Gummies,HKVitals,Wellness,649,0.52
    <BLANKLINE>
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.names)
    writer.writerow([column.example for column in table])
    return out.getvalue()


def dictionary() -> str:
    """The data dictionary as Markdown: every table and column with type, need and meaning."""
    lines = [
        "# Data dictionary",
        "",
        "Put the exports directly into this folder, or name another one with `DATA=`. Column names in",
        "any case and many other spellings are recognised; `hkreport check` says what was taken for",
        "what. One sheet with a row a post, its orders and its fee is read as posts, tracking and",
        "payouts, if no other file is one of them. Where no file lists the influencers, their platform,",
        "followers and the like are read from the rows that name them; an order that names only a post",
        "is its influencer's, and so is one that names only a coupon code which the list of influencers",
        "has; a date may stand in several columns. A post without a platform has that of its address. This",
        "page is made from `hkreport/schema.py`.",
    ]
    for table in TABLES.values():
        lines += ["", f"## {table.name}", "", f"One row: {table.grain}. {table.meaning}", ""]
        lines += [
            "| Column | Type | Needed | Meaning | Example |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [_line(column) for column in table]
    return "\n".join(lines) + "\n"


def workbook() -> bytes:
    """Make a workbook with a sheet a table (header and example row) and a guide; always the same bytes.

    Examples
    --------
    >>> import io, openpyxl
    >>> book = openpyxl.load_workbook(io.BytesIO(workbook()))
    >>> book.sheetnames[-2:], book["products"]["A2"].value
    (['touchpoints', 'Guide'], 'Biotin Gummies')
    """
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for table in TABLES.values():
        sheet = book.create_sheet(table.name)
        sheet.append(table.names)
        sheet.append([_typed(column) for column in table])
        _dress(sheet, least=12)
    guide = book.create_sheet(GUIDE_SHEET)
    guide.append(["Table", "Column", "Type", "Needed", "Unit", "Meaning", "Example"])
    for table in TABLES.values():
        for column in table:
            needed = "yes" if column.required else ""
            kind = _KINDS[column.kind]
            guide.append(
                [table.name, column.name, kind, needed, column.unit, column.meaning, column.example]
            )
    _dress(guide, least=8)
    book.properties.creator = "hkreport"
    book.properties.created = MADE
    made = io.BytesIO()
    book.save(made)
    return _undated(made)


def _typed(column: Column) -> Any:
    """The example of a column as a spreadsheet would hold it."""
    if column.kind is Kind.DATE:
        return datetime.date.fromisoformat(column.example)
    if column.kind is Kind.TIMESTAMP:
        return datetime.datetime.fromisoformat(column.example)
    if column.kind in (Kind.MONEY, Kind.NUMBER, Kind.SHARE):
        return float(column.example) if "." in column.example else int(column.example)
    return column.example


def _dress(sheet: Any, least: int) -> None:
    """Make the header bold and always visible, and the columns as wide as what they hold."""
    from openpyxl.styles import Font

    sheet.freeze_panes = "A2"
    for cells in sheet.columns:
        cells[0].font = Font(bold=True)
        widest = max(len(str(cell.value or "")) for cell in cells)
        sheet.column_dimensions[cells[0].column_letter].width = min(max(widest + 2, least), WIDEST)


def _undated(made: io.BytesIO) -> bytes:
    """Pack a workbook again without the time of its making."""
    result = io.BytesIO()
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(result, "w") as new:
        for entry in sorted(old.namelist()):
            content = old.read(entry)
            if entry == "docProps/core.xml":
                stamp = f">{MADE.isoformat()}Z</dcterms:modified>".encode()
                content = re.sub(rb">[^<]*</dcterms:modified>", stamp, content)
            part = zipfile.ZipInfo(entry, MADE.timetuple()[:6])
            part.compress_type = zipfile.ZIP_DEFLATED
            part.external_attr = 0o600 << 16
            new.writestr(part, content)
    return result.getvalue()


def _line(column: Column) -> str:
    needed = "yes" if column.required else ""
    kind = _KINDS[column.kind]
    return f"| `{column.name}` | {kind} | {needed} | {column.meaning} | {column.example} |"
