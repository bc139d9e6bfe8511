"""A data folder, read once: its exports checked, its ledger built, both kept by content.

The first look at a folder ingests it and writes the ledger as Parquet under ``build/data/KEY``; every
later look with the same files, settings and code opens that. Deleting ``build/`` is always safe.
"""

import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkreport import ledger
from hkreport.errors import DataError
from hkreport.params import Settings, brands, project_root

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

__all__ = ["Data", "code_version", "default_folder", "has_exports", "open_data"]

EXPORT_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".parquet", ".xlsx", ".xls")

# Tables that the ledger does not hold and that some methods read row by row.
KEPT_TABLES = ("assignments", "posts", "touchpoints")

# Modules whose change may change the ledger.
_CODE = ("schema.py", "ledger.py", "metrics.py", "store.py", "ingest")


@dataclass(frozen=True, slots=True)
class Data:
    """A data folder as the reports see it.

    Attributes
    ----------
    folder : Path
        Where the exports are.
    ledger : Ledger
        All their events.
    check : mapping
        What ``hkreport check --json`` prints.
    reconciliation : DataFrame
        Payouts that do not agree with what they are for.
    simulated : mapping or None
        Seed and scenario if the data was made by ``hkreport simulate``.
    key : str
        Hash of files, settings and code.
    kept : Path
        Where the results are stored.
    """

    folder: Path
    ledger: ledger.Ledger
    check: Mapping[str, Any]
    reconciliation: "pd.DataFrame"
    simulated: Mapping[str, Any] | None
    key: str
    kept: Path

    def table(self, name: str) -> "ir.Table | None":
        """A table beside the ledger (one of ``KEPT_TABLES``), as ingestion read it.

        None where the exports hold none. Columns are those of :mod:`hkreport.schema`.
        """
        path = self.kept / f"{name}.parquet"
        return self.ledger.beside(path, name) if path.exists() else None


def has_exports(folder: Path) -> bool:
    """Whether files that may be exports lie directly in the folder."""
    return folder.is_dir() and any(
        entry.name.lower().endswith(EXPORT_ENDINGS) for entry in folder.iterdir() if entry.is_file()
    )


def default_folder(root: Path) -> Path:
    """``data/`` if exports lie in it, else the simulated sample under it."""
    return root / "data" if has_exports(root / "data") else root / "data" / "sample"


@functools.cache
def code_version() -> str:
    """Hash of the code that makes the ledger."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for name in _CODE:
        path = package / name
        for part in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(part.relative_to(package).as_posix().encode())
            digest.update(part.read_bytes())
    return digest.hexdigest()


def _key(folder: Path, settings: Settings, aliases: Mapping[str, Any]) -> str:
    """Hash of every file that may be read, the settings that matter, and the code."""
    digest = hashlib.sha256(code_version().encode())
    relevant = settings.model_dump(mode="json", include={"tiers", "allocation", "data", "as_of"})
    digest.update(json.dumps([relevant, aliases], sort_keys=True).encode())
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_file():
            digest.update(entry.name.encode(errors="surrogateescape"))
            with entry.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:32]


def open_data(
    folder: Path,
    settings: Settings,
    *,
    root: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Data:
    """Read a data folder, or open what was kept of it.

    Parameters
    ----------
    folder : Path
        The files directly in it are the exports.
    settings : Settings
        From :func:`hkreport.params.load`.
    root : Path, optional
        The project; its ``build/`` holds what is kept.
    progress : callable, optional
        Told what is being done, in a few words.

    Raises
    ------
    DataError
        If the folder is missing, holds no export, or its structure is wrong.
    """
    root = root or project_root()
    folder = folder.resolve()
    if not folder.is_dir():
        raise DataError(
            f"There is no data folder {folder}.",
            next_step="Name the folder that holds the CSV exports, or run 'make data' for a sample.",
        )
    aliases = brands(root)
    try:
        key = _key(folder, settings, aliases)
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from error
    kept = root / "build" / "data" / key
    if not (kept / "check.json").exists():
        _make(folder, settings, aliases, kept, progress or (lambda words: None))
    return _open(folder, key, kept)


def _make(
    folder: Path,
    settings: Settings,
    aliases: Mapping[str, tuple[str, ...]],
    kept: Path,
    progress: Callable[[str], None],
) -> None:
    """Ingest and build into a folder of its own, then move it into place whole."""
    from hkreport import ingest

    kept.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".making-", dir=kept.parent))
    try:
        progress(f"reading {folder.name}")
        chosen = ingest.Settings(
            day_first=settings.data.day_first,
            columns=settings.data.columns,
            files=settings.data.files,
            brands=aliases,
            as_of=settings.as_of,
        )
        quarantine = kept.parents[1] / "quarantine"
        dataset = ingest.load(folder, chosen, quarantine=quarantine)
        progress("building the ledger")
        has = {name: dataset.has(name) for name in dataset.tables}
        for name, table in dataset.tables.items():
            has |= {f"{name}.{column}": dataset.has(name, column) for column in table.columns}
        made = ledger.build(dataset.tables, has=has, rules=rules(settings))
        made.write(fresh / "ledger.parquet")
        for name in KEPT_TABLES:
            if dataset.has(name):
                dataset.tables[name].to_parquet(fresh / f"{name}.parquet")
        dataset.reconciliation().to_parquet(fresh / "reconciliation.parquet")
        (fresh / "known.json").write_text(json.dumps(sorted(made.known)), encoding="utf-8")
        # Last, because its presence says that the folder is complete.
        (fresh / "check.json").write_text(json.dumps(dataset.check.to_json()), encoding="utf-8")
        try:
            os.rename(fresh, kept)
        except OSError:
            if not (kept / "check.json").exists():
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def rules(settings: Settings) -> ledger.Rules:
    """The ledger's rules as the settings have them."""
    return ledger.Rules(
        tiers=settings.tiers.steps,
        hybrid_order_share=settings.allocation.hybrid_order_share,
        commission_below=settings.allocation.commission_below,
    )


def _open(folder: Path, key: str, kept: Path) -> Data:
    import pandas as pd

    known = frozenset(json.loads((kept / "known.json").read_text(encoding="utf-8")))
    marker = folder / "simulated.json"
    return Data(
        folder=folder,
        ledger=ledger.read(kept / "ledger.parquet", known),
        check=json.loads((kept / "check.json").read_text(encoding="utf-8")),
        reconciliation=pd.read_parquet(kept / "reconciliation.parquet"),
        simulated=json.loads(marker.read_text(encoding="utf-8")) if marker.exists() else None,
        key=key,
        kept=kept,
    )
