"""What an export should look like: empty files, and the data dictionary, both made from the schema."""

import csv
import io
from pathlib import Path

from hkreport.schema import TABLES, Column, Kind, Table

__all__ = ["dictionary", "example_csv", "write"]

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
    """Write one CSV a table with header and example row, and a guide to every column.

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
    # Markdown, so that a folder of filled templates holds no file that could be taken for an export.
    texts["COLUMNS.md"] = dictionary()
    for name, content in texts.items():
        (out / name).write_text(content, encoding="utf-8", newline="")
    return [out / name for name in texts]


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
        "what. This page is made from `hkreport/schema.py`.",
    ]
    for table in TABLES.values():
        lines += ["", f"## {table.name}", "", f"One row: {table.grain}. {table.meaning}", ""]
        lines += [
            "| Column | Type | Needed | Meaning | Example |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [_line(column) for column in table]
    return "\n".join(lines) + "\n"


def _line(column: Column) -> str:
    needed = "yes" if column.required else ""
    kind = _KINDS[column.kind]
    return f"| `{column.name}` | {kind} | {needed} | {column.meaning} | {column.example} |"
