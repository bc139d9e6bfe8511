"""Where the ledger is worked out: by DuckDB in this process, or by Spark.

Ingestion is DuckDB's in any case, and hands validated tables over as Parquet; the same Ibis expressions
then build the ledger and sum it on either. The choice is kept in the environment, so that the kernels
and workers of a report make the same one. What is worked out belongs to :mod:`hkreport.ledger`.
"""

import json
import os
import re
import shutil
import warnings
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkreport.errors import DataError, UsageError, listed
from hkreport.folders import Scratch
from hkreport.ledger import draw_no_bars
from hkreport.schema import TABLES, Column, Kind

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

__all__ = ["ALLOWED", "EMBEDDED", "MARKER", "Canonical", "choose", "chosen", "connect", "hand_over",
           "type_of"]  # fmt: skip

EMBEDDED = "duckdb"
ALLOWED = "duckdb, local[N], local[*], spark://HOST:PORT, yarn, k8s://HOST:PORT"

# What `--backend` chose, for processes that are started later.
VARIABLE = "HKREPORT_BACKEND"

# In a data folder: its tables are validated already and lie elsewhere; see docs/scale.md.
MARKER = "canonical.json"

# Bytes of Parquet, about a million rows.
SMALL = 32 * 1024**2

# What DuckDB may take for queries of a ledger that is not small; beyond that it writes to disk.
MEMORY = "2GB"

_SPARK = re.compile(r"local(\[(\d+|\*)(,\d+)?\])?|yarn|(spark|k8s)://\S+")

# What the numbers depend on; sizing (memory, cores, partitions) is the cluster's to say.
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # an overflow is an error, as in DuckDB, and not a missing value
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}

# Spark on this machine is for trying things out: no web page of its own, and nothing that listens to others.
_LOCAL = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "8",
}

_TYPES = {
    Kind.DATE: "date",
    Kind.TIMESTAMP: "timestamp",
    Kind.MONEY: "decimal(18, 6)",
    Kind.NUMBER: "decimal(18, 6)",
    Kind.SHARE: "decimal(18, 6)",
    Kind.FLAG: "boolean",
}


def choose(words: str | None) -> str:
    """Take a backend for this process and those that it starts; None leaves what the environment says.

    Raises
    ------
    UsageError
        If it is none of :data:`ALLOWED`, or Spark is not installed.

    Examples
    --------
    >>> choose("postgres")
    Traceback (most recent call last):
    ...
    hkreport.errors.UsageError: --backend is 'postgres'; allowed: duckdb, local[N], ...
    """
    if words is not None:
        name = words.strip()
        if name != EMBEDDED and not _SPARK.fullmatch(name):
            raise UsageError(f"--backend is '{words}'; allowed: {ALLOWED}.")
        if name != EMBEDDED:
            _require_spark(name)
        os.environ[VARIABLE] = name
    return chosen()


def chosen() -> str:
    """The backend in use: a Spark master, or ``duckdb``."""
    return os.environ.get(VARIABLE) or EMBEDDED


def _size(ledger: Path) -> int:
    """Bytes of a file, or of the files of a folder."""
    files = ledger.rglob("*.parquet") if ledger.is_dir() else [ledger]
    return sum(path.stat().st_size for path in files if path.is_file())


def connect(ledger: Path | None = None) -> Any:
    """Open the backend in use; a process has one Spark session, which is kept.

    Parameters
    ----------
    ledger : Path, optional
        What will be read. Where it is small, a second thread would take twice the CPU time (measured)
        and save none on the wall.

    Raises
    ------
    UsageError
        If Spark cannot be started or reached.
    """
    import ibis

    name = chosen()
    if name == EMBEDDED:
        small = ledger is not None and _size(ledger) < SMALL
        found = ibis.duckdb.connect(threads=1 if small else 2)
        if not small:
            spill = Scratch("hkreport-spill-")
            weakref.finalize(found, spill.remove)
            found.con.execute(f"SET memory_limit = '{MEMORY}'")
            found.con.execute("SET temp_directory = ?", [str(spill.path)])
        draw_no_bars(found.con)
        return found
    _require_spark(name)
    # pandas 3 is newer than what pyspark promises; what we fetch are small frames of plain types.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    warnings.filterwarnings("ignore", "The copy keyword is deprecated", DeprecationWarning)
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session is None:
        builder = SparkSession.builder.master(name).appName("hkreport")
        local = name.startswith("local")
        if local:
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        for option, value in (_SETTINGS | (_LOCAL if local else {})).items():
            builder = builder.config(option, value)
        try:
            session = builder.getOrCreate()
        except Exception as error:
            cause = str(error).strip().splitlines()[0]
            raise UsageError(
                f"Spark at '{name}' does not answer: {cause}",
                next_step="Check the address, and that this machine can reach it; "
                "'--backend local[*]' runs Spark here.",
            ) from error
    return ibis.pyspark.connect(session)


def _require_spark(name: str) -> None:
    try:
        import pyspark  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"--backend {name} needs Spark, which is not installed.",
            next_step="Install it: pip install 'hkreport[spark]'.",
        ) from error
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise UsageError(
            f"--backend {name} needs Java, which is not installed.",
            next_step="Install Java 17 or later, or set JAVA_HOME.",
        )


def hand_over(tables: Mapping[str, "ir.Table"], folder: Path) -> dict[str, "ir.Table"]:
    """The same tables in the backend in use, which reads them from Parquet in a folder.

    Parameters
    ----------
    tables : mapping of name to ibis table
        In DuckDB.
    folder : Path
        Made if it is not there. Workers of a cluster must see it under the same name.
    """
    if chosen() == EMBEDDED:
        return dict(tables)
    backend = connect()
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
    return {
        name: backend.read_parquet(folder / f"{name}.parquet", table_name=f"canonical_{name}")
        for name in tables
    }


class Canonical:
    """Validated tables that were made elsewhere, such as in object storage.

    The data folder holds one small file, ``canonical.json``: where the tables lie, which there are,
    and a version that its writer changes whenever they change.

    Parameters
    ----------
    folder : Path
        With :data:`MARKER` in it.

    Raises
    ------
    DataError
        If the file does not say what it must.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / MARKER
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path} is not JSON: {error}.") from error
        lacking = [] if isinstance(told, dict) else ["tables"]
        lacking += [name for name in ("tables", "place", "version") if name not in told]
        if lacking:
            raise DataError(
                f"{path} has no '{lacking[0]}'.",
                next_step='It holds {"tables": [names], "place": folder or address, "version": text}.',
            )
        unknown = [name for name in told["tables"] if name not in TABLES]
        if unknown:
            raise DataError(
                f"{path} names a table '{unknown[0]}'; allowed: {listed(TABLES)}.",
            )
        place = str(told["place"]).rstrip("/")
        self.place = place if "://" in place else str((folder / place).resolve())
        self.names: tuple[str, ...] = tuple(told["tables"])
        self.has: dict[str, bool] = {}

    def tables(self, backend: Any) -> dict[str, "ir.Table"]:
        """All canonical tables with all their columns; what is not there is empty.

        Raises
        ------
        DataError
            If a table lacks a required column, or one has another type.
        """
        return {name: self._table(backend, name) for name in TABLES}

    def _table(self, backend: Any, name: str) -> "ir.Table":
        import ibis

        wanted = {each.name: type_of(each) for each in TABLES[name]}
        required = [*TABLES[name].required]
        if name == "tracking":
            wanted["channel"] = "string"
            required.append("channel")
        if name in self.names:
            found = self._found(backend, name, required)
            self.has |= {name: True, **{f"{name}.{column}": True for column in found.columns}}
        else:
            other = self._found(backend, self.names[0], ())
            found = other.filter(ibis.literal(False)).select(no_row=ibis.literal(1))
        return found.select(
            **{
                column: (
                    found[column].cast(kind) if column in found.columns else ibis.null().cast(kind)
                )
                for column, kind in wanted.items()
            }
        )

    def _found(self, backend: Any, name: str, required: Sequence[str]) -> "ir.Table":
        place = f"{self.place}/{name}.parquet"
        try:
            found = backend.read_parquet(place, table_name=f"canonical_{name}")
        except Exception as error:
            cause = str(error).strip().splitlines()[0]
            raise DataError(f"{place} cannot be read: {cause}") from error
        lacking = [column for column in required if column not in found.columns]
        if lacking:
            raise DataError(
                f"{place} has no column '{lacking[0]}', which every row needs.",
                next_step=f"It has: {listed(found.columns, most=40)}.",
            )
        return found

    @staticmethod
    def reconciliation() -> "pd.DataFrame":
        """No payout needs a second look: that was for whoever validated the tables."""
        import pandas as pd

        texts = ("influencer_id", "name", "kind", "basis", "explanation")
        numbers = ("rate", "expected", "paid", "difference")
        kinds = dict.fromkeys(texts, "str") | dict.fromkeys(numbers, "float64") | {"row": "Int64"}
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})

    def check(self, tables: Mapping[str, "ir.Table"]) -> dict[str, Any]:
        """What ``hkreport check --json`` says of tables that were validated elsewhere."""
        tracking, payouts, posts = (tables[name] for name in ("tracking", "payouts", "posts"))
        counts = {name: int(tables[name].count().to_pandas()) for name in self.names}
        sums = {
            "orders": tracking["orders"], "revenue": tracking["revenue"],
            "spend": payouts["total_payout"],
            "reach": posts["reach"], "likes": posts["likes"], "comments": posts["comments"],
        }  # fmt: skip
        totals = {name: float(column.sum().to_pandas() or 0) for name, column in sums.items()}
        revenue = tracking["revenue"].sum()
        by_brand = tracking.group_by("brand").aggregate(revenue=revenue).to_pandas()
        people = tracking.filter(tracking["influencer_id"].notnull()).group_by("influencer_id")
        top = people.aggregate(revenue=revenue).to_pandas()
        top["revenue"] = top["revenue"].astype(float)
        top = top.sort_values(["revenue", "influencer_id"], ascending=[False, True]).head(5)
        return {
            "schema_version": 1,
            "tables": {
                name: {
                    "file": f"{name}.parquet", "rows_read": count, "rows_used": count,
                    "rows_quarantined": 0, "columns": _columns(TABLES[name], self.has, name),
                }
                for name, count in counts.items()
            },
            "files_not_used": [],
            "problems": [],
            "derived": {},
            "totals": totals | {"posts": counts.get("posts", 0)},
            "revenue_by_brand": {
                "unassigned" if brand is None or brand != brand else str(brand): float(value or 0)
                for brand, value in zip(by_brand["brand"], by_brand["revenue"], strict=True)
            },
            "top_influencers": [
                [str(who), float(value)]
                for who, value in zip(top["influencer_id"], top["revenue"], strict=True)
            ],
        }  # fmt: skip


def type_of(column: Column) -> str:
    """Type of a column of a validated table, as Ibis writes it.

    Examples
    --------
    >>> from hkreport.schema import column
    >>> type_of(column("tracking", "revenue")), type_of(column("tracking", "brand"))
    ('decimal(18, 6)', 'string')
    """
    return _TYPES.get(column.kind, "string")


def _columns(columns: Iterable[Column], has: Mapping[str, bool], name: str) -> dict[str, str]:
    return {each.name: each.name for each in columns if has.get(f"{name}.{each.name}")}
