"""Tables to disk: CSV or Parquet, chunk by chunk, and the folder as a whole or not at all."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from hkreport.errors import DataError, listed
from hkreport.simulate import MARKER

__all__ = ["Writer", "folder", "write_json"]

# Columns with nearly as many values as rows: a dictionary would only cost memory.
NO_DICTIONARY = ("tracking_id", "user_id", "unit_id", "post_id", "url", "payout_id")


class Writer:
    """One table, written as its rows come; Parquet gets a row group a chunk.

    Parameters
    ----------
    file : Path
        Its suffix, ``.csv`` or ``.parquet``, is the format.
    quoted : bool, default True
        Whether text in a CSV file stands in quotes; they may only be left out where no text has a comma.
    """

    def __init__(self, file: Path, *, quoted: bool = True) -> None:
        self.file, self.quoted = file, quoted
        self.rows = 0
        self._writer: Any = None

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, table: pa.Table) -> None:
        """Append rows; the first call decides the columns."""
        if self._writer is None:
            self._writer = self._opened(table.schema)
        self.rows += len(table)
        if len(table):
            self._writer.write_table(table)

    def _opened(self, schema: pa.Schema) -> Any:
        if self.file.suffix == ".parquet":
            coded = [name for name in schema.names if name not in NO_DICTIONARY]
            return pa.parquet.ParquetWriter(
                self.file, schema, compression="zstd", use_dictionary=coded
            )
        style = "needed" if self.quoted else "none"
        options = pa.csv.WriteOptions(quoting_style=style, quoting_header="none")
        return pa.csv.CSVWriter(self.file, schema, write_options=options)


def write_json(file: Path, document: dict[str, Any]) -> None:
    """Write a document with one line for each of its parts, so that a person can find them."""
    parts = (
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}"
        for key, value in document.items()
    )
    file.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


@contextmanager
def folder(out: Path) -> Iterator[Path]:
    """Give a folder to write in, and put it in the place of `out` when all went well.

    A folder that holds anything but an earlier simulation is never replaced.

    Raises
    ------
    DataError
        If `out` holds other files.
    """
    _check_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    try:
        yield made
        made.chmod(0o755)
        if out.exists():
            for kept in out.iterdir():  # such as .gitkeep
                if kept.name.startswith("."):
                    shutil.move(kept, made / kept.name)
            old = made.with_suffix(".old")
            out.rename(old)
            made.rename(out)
            shutil.rmtree(old)
        else:
            made.rename(out)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _check_replaceable(out: Path) -> None:
    """Refuse a folder with files that were not simulated."""
    if not out.exists():
        return
    if not out.is_dir():
        raise DataError(f"{out.name} is a file; simulated data need a folder.")
    marker = out / MARKER
    written = json.loads(marker.read_text(encoding="utf-8"))["files"] if marker.is_file() else []
    allowed = {MARKER, *(name.split("/")[0] for name in written)}
    others = sorted(
        each for each in os.listdir(out) if each not in allowed and not each.startswith(".")
    )
    if others:
        raise DataError(
            f"{out.name}/ holds files that were not simulated: {listed(others, most=5)}. "
            "They would be lost.",
            next_step="Choose another folder with --out, or move them away.",
        )
