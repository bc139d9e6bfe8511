"""A data folder, read once: its exports checked, its ledger built, both kept by content.

The first look at a folder ingests it and writes the ledger as Parquet under ``build/data/KEY``; every
later look with the same files, settings and code opens that. Where a file of orders was added, what is kept
of the others under ``build/parts`` is used again. Deleting ``build/`` is always safe.
"""

import contextlib
import datetime
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkreport import backends, ledger, pseudonyms, schema, versions
from hkreport.errors import DataError
from hkreport.folders import Scratch, as_text, write_atomically
from hkreport.params import Settings, brands, project_root
from hkreport.pieces import write_rows
from hkreport.shelf import Shelf, facts_of

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from hkreport import ingest
    from hkreport.pieces import Pieces

__all__ = ["TRUSTED", "Data", "Outline", "default_folder", "files", "has_exports",
           "open_check", "open_data", "open_kept", "outline", "trusted", "trusted_key",
           "users_among"]  # fmt: skip

EXPORT_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".parquet", ".xlsx", ".xls")

# Tables that the ledger does not hold and that some methods read row by row.
KEPT_TABLES = ("assignments", "posts", "touchpoints")
# Anything may stand in the text of a post, such as an address, and no method reads it.
NOT_KEPT = "caption"

# Seed and scenario of simulated exports.
SIMULATED = "simulated.json"

# Key of the pseudonyms in a ledger, beside it: the project's may be made anew.
SECRET = "pseudonyms.key"

# Validated tables on their way to Spark.
HANDED_OVER = "canonical"

_END = b"PAR1"  # of every Parquet file

# Set for a kernel by the process that has just hashed the files: the folder and the key of its ledger.
TRUSTED = "HKREPORT_TRUSTED_DATA"


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

        None where the exports hold none. Columns are those of :mod:`hkreport.schema` but for ``NOT_KEPT``.
        """
        path = self.kept / f"{name}.parquet"
        return self.ledger.beside(path, name) if path.exists() else None

    def remembered(self, name: str, find: "Callable[[], Any]") -> Any:
        """A fact about the whole ledger, found once and kept beside it as JSON."""
        path = self.kept / f"{name}-{versions.modules()[:16]}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = find()
        with contextlib.suppress(OSError):  # where nothing can be kept, it is found again
            write_atomically(path, json.dumps(found))
        return found


def has_exports(folder: Path) -> bool:
    """Whether files that may be exports lie directly in the folder."""
    return folder.is_dir() and any(
        entry.name.lower().endswith((*EXPORT_ENDINGS, backends.MARKER))
        for entry in folder.iterdir()
        if entry.is_file()
    )


def default_folder(root: Path) -> Path:
    """``data/`` if exports lie in it, else the simulated sample under it."""
    return root / "data" if has_exports(root / "data") else root / "data" / "sample"


def _key(folder: Path, settings: Settings, aliases: Mapping[str, Any]) -> str:
    """Hash of every file that may be read, the settings that matter, and the code."""
    digest = hashlib.sha256(versions.ledger_code().encode())
    relevant = settings.model_dump(mode="json", include={"tiers", "allocation", "data", "as_of"})
    digest.update(json.dumps([relevant, aliases], sort_keys=True).encode())
    if backends.chosen() != backends.EMBEDDED:
        digest.update(b"spark")  # whatever the cluster; the numbers are the same, the files are not
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_file():
            digest.update(entry.name.encode(errors="surrogateescape"))
            digest.update(_content(entry, *facts_of(entry)))
        else:
            digest.update(json.dumps(_beyond_reach(entry)).encode())
    return digest.hexdigest()[:32]


def _beyond_reach(entry: Path) -> list[str]:
    """What cannot be read beside the exports and of which the check tells: a folder with exports in it, with their names.

    A link that leads nowhere and a pipe are exports that cannot be read, which the check says as well.
    """
    try:
        found = [
            each.name for each in entry.iterdir() if each.name.lower().endswith(EXPORT_ENDINGS)
        ]
    except (NotADirectoryError, FileNotFoundError):
        return [entry.name]
    except OSError:
        return []
    return [entry.name, *sorted(found)] if found else []


@functools.lru_cache(maxsize=1000)
def _content(path: Path, *facts: int) -> bytes:
    """SHA-256 of a file, read once while this process runs and the file stays as it is."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def files(folder: Path) -> dict[str, str]:
    """Hash of every file of a data folder, by name; empty for links that lead nowhere, and for pipes."""
    found = {}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_file():
            found[as_text(entry.name)] = _content(entry, *facts_of(entry)).hex()
        elif not entry.is_dir():
            found[as_text(entry.name)] = ""
    return found


def _shelf(folder: Path, root: Path) -> Shelf:
    """What is kept of single files, under ``build/parts``."""
    hashes = {}
    for entry in folder.iterdir():
        if entry.is_file():
            facts = facts_of(entry)  # before the hash: a file that changes meanwhile is not kept
            hashes[entry.name] = (_content(entry, *facts).hex(), facts)
    secret = pseudonyms.find_secret(root / "build")
    return Shelf(root / "build" / "parts", versions.ledger_code(), hashes, secret)


@dataclass(frozen=True, slots=True)
class Outline:
    """What is known of a ledger without opening it.

    Attributes
    ----------
    key : str
        See :attr:`Data.key`.
    kept : Path
        Where it is stored.
    brands : tuple of str
        As the data spells them.
    first, last : date or None
        See :class:`hkreport.ledger.Ledger`.
    """

    key: str
    kept: Path
    brands: tuple[str, ...]
    first: datetime.date | None
    last: datetime.date | None


def outline(folder: Path, settings: Settings, *, root: Path) -> Outline | None:
    """What is known of a folder's ledger; None where it has to be built first."""
    if not folder.is_dir():
        return None
    key = _key_of(folder.resolve(), settings, brands(root))
    kept = root / "build" / "data" / key
    told = _told(kept)
    if told is None:
        return None
    return Outline(key, kept, tuple(told["outline"]["brands"]), *_days(told["outline"]))


def _told(kept: Path) -> dict[str, Any] | None:
    """What stands beside a ledger that is kept whole; None where it is to be made (again).

    A disk that was full, a lost power supply or a copy that was stopped leave files cut short or empty.
    """
    try:
        told = json.loads((kept / "check.json").read_text(encoding="utf-8"))
        whole = told["outline"]["step"] in ("day", "week", "month") and bool(_days(told["outline"]))
        sizes = {kept / name: size for name, size in told["files"].items()}
        whole = (
            whole
            and bool(told["check"])
            and all(path.stat().st_size == sizes[path] for path in sizes)
        )
        whole = whole and all(_ends_well(path) for path in sizes if path.suffix == ".parquet")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return dict(told) if whole else None


def _ends_well(path: Path) -> bool:
    """Whether a Parquet file has its end, by which it is read."""
    with path.open("rb") as stream:
        stream.seek(-len(_END), os.SEEK_END)
        return stream.read() == _END


def _days(outline: Mapping[str, Any]) -> tuple[datetime.date | None, datetime.date | None]:
    """First and last day of a ledger, as its outline tells them."""
    first, last = (datetime.date.fromisoformat(day) if day else None for day in outline["span"])
    return first, last


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
    _require_folder(folder)
    if (known := trusted_key(folder)) and (root / "build" / "data" / known / "check.json").exists():
        return _open(folder, known, root / "build" / "data" / known)
    aliases = brands(root)
    key = _key_of(folder, settings, aliases)
    kept = root / "build" / "data" / key
    if _told(kept) is None:
        _make(folder, settings, aliases, kept, progress or (lambda words: None))
    return _open(folder, key, kept)


def open_kept(folder: Path, known: Outline) -> Data:
    """Open what was kept of a folder's files as they were when `known` was told, whatever they are now."""
    return _open(folder.resolve(), known.key, known.kept)


def open_check(
    folder: Path,
    settings: Settings,
    *,
    root: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Mapping[str, Any]:
    """Check a data folder, or open what was said of it; no ledger is built.

    Parameters and errors are those of :func:`open_data`, as is the result's ``check``.
    """
    root = root or project_root()
    folder = folder.resolve()
    _require_folder(folder)
    aliases = brands(root)
    key = _key_of(folder, settings, aliases)
    if told := _told(root / "build" / "data" / key):
        return dict(told["check"])
    kept = root / "build" / "checks" / f"{key}.json"
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(kept.read_text(encoding="utf-8"))
        if isinstance(found, dict) and found:
            return found
    say = progress or (lambda words: None)
    with _unchanged(folder, settings, aliases, key):
        shelf = _shelf(folder, root)
        check: dict[str, Any] = _ingest(folder, settings, aliases, root, say, shelf).check.to_json()
    text = json.dumps(check)
    write_atomically(kept, text)
    return dict(json.loads(text))


def _require_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise DataError(
            f"{folder} is a file; name the folder that holds it.",
            next_step=f"Every export in that folder is read: {folder.parent}",
        )
    if not folder.is_dir():
        raise DataError(
            f"There is no data folder {folder}.",
            next_step="Name the folder that holds the CSV exports, or run 'make data' for a sample.",
        )
    if (shown := as_text(str(folder))) != str(folder):
        raise DataError(
            f"The name of {shown} holds bytes that are no UTF-8, so no notebook can hold it.",
            next_step="Rename the folder.",
        )


def _key_of(folder: Path, settings: Settings, aliases: Mapping[str, Any]) -> str:
    try:
        return _key(folder, settings, aliases)
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from error


def trusted(folder: Path, key: str) -> str:
    """What :data:`TRUSTED` holds for a folder whose files were just hashed."""
    return json.dumps([str(folder.resolve()), key])


def trusted_key(folder: Path) -> str:
    """The key that the process which started this kernel found; empty elsewhere."""
    told = os.environ.get(TRUSTED)
    if not told:
        return ""
    place, key = json.loads(told)
    return str(key) if place == str(folder) else ""


def _make(
    folder: Path,
    settings: Settings,
    aliases: Mapping[str, tuple[str, ...]],
    kept: Path,
    progress: Callable[[str], None],
) -> None:
    """Ingest and build into a folder of its own, then move it into place whole."""
    _take_away_ids(kept.parent)
    with Scratch(".fresh-", kept.parent) as fresh:
        with _unchanged(folder, settings, aliases, kept.name):
            _fill(fresh, folder, settings, aliases, kept.parents[2], progress)
        try:
            os.rename(fresh, kept)
        except OSError:
            if _told(kept) is not None:
                return  # another process was first
            shutil.rmtree(kept, ignore_errors=True)  # what is there is spoilt
            os.rename(fresh, kept)


def _take_away_ids(place: Path) -> None:
    """Remove ledgers that an earlier hkreport kept, in which customers have their ids."""
    for old in place.iterdir() if place.is_dir() else ():
        if (old / "check.json").is_file() and not (old / SECRET).is_file():
            shutil.rmtree(old, ignore_errors=True)


def _fill(
    fresh: Path,
    folder: Path,
    settings: Settings,
    aliases: Mapping[str, tuple[str, ...]],
    root: Path,
    progress: Callable[[str], None],
) -> None:
    found = _found(folder, settings, aliases, root, fresh, progress)
    progress("building the ledger")
    place = fresh / "ledger.parquet"
    made = ledger.build(
        found.tables, has=found.has, rules=rules(settings), place=place, pieces=found.pieces
    )
    for name in KEPT_TABLES:
        if found.has.get(name):
            table = found.tables[name]
            wanted = [column for column in table.columns if column != NOT_KEPT]
            write_rows(table.select(wanted), fresh / f"{name}.parquet")
    found.reconciliation.to_parquet(fresh / "reconciliation.parquet")
    (fresh / "known.json").write_text(json.dumps(sorted(made.known)), encoding="utf-8")
    pseudonyms.keep_secret(fresh / SECRET, found.secret)
    if (folder / SIMULATED).exists():
        shutil.copyfile(folder / SIMULATED, fresh / SIMULATED)
    # Last, because its presence says that the folder is complete.
    span = [day.isoformat() if day else None for day in (made.first, made.last)]
    shutil.rmtree(fresh / HANDED_OVER, ignore_errors=True)
    told = {
        "check": found.check,
        "outline": {"brands": made.values("brand"), "span": span, "step": made.step},
        "files": {
            path.relative_to(fresh).as_posix(): path.stat().st_size
            for path in sorted(fresh.rglob("*"))
            if path.is_file()
        },
    }
    (fresh / "check.json").write_text(json.dumps(told), encoding="utf-8")


@contextlib.contextmanager
def _unchanged(
    folder: Path, settings: Settings, aliases: Mapping[str, Any], key: str
) -> Iterator[None]:
    """Whatever goes wrong while files change is said to come from that; so is what goes well."""
    try:
        yield
    except Exception as error:
        _require_unchanged(folder, settings, aliases, key)
        if ledger.has_no_room(error):
            raise DataError(
                f"What was read from {folder} cannot be kept: {str(error).splitlines()[0]}.",
                next_step="Make room on the disk, or let it be written to, and run the command again.",
            ) from error
        raise
    _require_unchanged(folder, settings, aliases, key)


def _require_unchanged(
    folder: Path, settings: Settings, aliases: Mapping[str, Any], key: str
) -> None:
    if _key_of(folder, settings, aliases) != key:
        raise DataError(
            f"The files in {folder} change while they are read.",
            next_step="Run the command again when they are complete.",
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """Validated tables in the backend in use, and what is known of them."""

    tables: Mapping[str, "ir.Table"]
    has: Mapping[str, bool]
    check: Mapping[str, Any]
    reconciliation: "pd.DataFrame"
    source: Any  # what must live as long as the tables do
    secret: str  # of the pseudonyms in the tables
    pieces: "Pieces | None" = None


def _found(
    folder: Path,
    settings: Settings,
    aliases: Mapping[str, tuple[str, ...]],
    root: Path,
    fresh: Path,
    progress: Callable[[str], None],
) -> _Found:
    """Ingest the exports, or open the validated tables that the folder points to."""
    if (folder / backends.MARKER).is_file():
        progress(f"opening the tables of {folder.name}")
        there = backends.Canonical(folder)
        tables = there.tables(backends.connect())
        check = there.check(tables)
        secret = pseudonyms.find_secret(root / "build")
        tables = {name: pseudonyms.applied(name, each, secret) for name, each in tables.items()}
        has = _with_rows(there.has, check)
        return _Found(tables, has, check, there.reconciliation(), there, secret)
    shelf = _shelf(folder, root)
    dataset = _ingest(folder, settings, aliases, root, progress, shelf)
    has = {name: dataset.has(name) for name in dataset.tables}
    for name, table in dataset.tables.items():
        has |= {f"{name}.{column}": dataset.has(name, column) for column in table.columns}
    tables = backends.hand_over(dataset.tables, fresh / HANDED_OVER)
    check, odd = dataset.check.to_json(), dataset.reconciliation()
    has = _with_rows(has | _empty(tables["posts"], has), check)
    return _Found(tables, has, check, odd, dataset, shelf.secret, dataset.pieces)


def _with_rows(has: Mapping[str, bool], check: Mapping[str, Any]) -> dict[str, bool]:
    """What the exports hold, without tables of events of which no row could be used: not known, not 0."""
    empty = {
        name
        for name in ("posts", "tracking", "payouts")
        if not check["tables"].get(name, {}).get("rows_used")
    }
    return {name: held and name.partition(".")[0] not in empty for name, held in has.items()}


def _empty(posts: "ir.Table", has: Mapping[str, bool]) -> dict[str, bool]:
    """Numbers of posts that a column of the exports was meant for and no row holds: not known, not 0."""
    numbers = [
        column.name
        for column in schema.TABLES["posts"]
        if column.kind is schema.Kind.NUMBER and has.get(f"posts.{column.name}")
    ]
    if not numbers:
        return {}
    counts = {name: posts[name].count() for name in numbers}
    held = posts.aggregate(rows=posts.count(), **counts).to_pandas().iloc[0]
    return {f"posts.{name}": False for name in numbers if held["rows"] and not held[name]}


def _ingest(
    folder: Path,
    settings: Settings,
    aliases: Mapping[str, tuple[str, ...]],
    root: Path,
    progress: Callable[[str], None],
    shelf: Shelf,
) -> "ingest.Dataset":
    """Read the exports as the settings say; what was left out goes to ``build/quarantine``."""
    from hkreport import ingest

    progress(f"reading {folder.name}")
    chosen = ingest.Settings(
        day_first=settings.data.day_first,
        columns=settings.data.columns,
        files=settings.data.files,
        brands=aliases,
        as_of=settings.as_of,
    )
    shelf.sweep()
    return ingest.load(folder, chosen, quarantine=root / "build" / "quarantine", shelf=shelf)


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
    told = json.loads((kept / "check.json").read_text(encoding="utf-8"))
    place, outline = kept / "ledger.parquet", told["outline"]
    marker = kept / SIMULATED
    return Data(
        folder=folder,
        ledger=ledger.read(
            place, known, backends.connect(place), days=_days(outline), step=outline["step"]
        ),
        check=told["check"],
        reconciliation=pd.read_parquet(kept / "reconciliation.parquet"),
        simulated=json.loads(marker.read_text(encoding="utf-8")) if marker.exists() else None,
        key=key,
        kept=kept,
    )


def users_among(data: Data, words: Iterable[str]) -> set[str]:
    """Which of the words are ids of users anywhere in the data, in lower case.

    The ledger knows pseudonyms only, so that a word is tried as it stands, in lower case and in capitals. A word
    that also names something public (an influencer, a city, a campaign) is no id of a user.
    """
    import ibis
    import pyarrow as pa

    rows = data.ledger.rows
    asked = {form for word in words for form in (word, word.lower(), word.upper())}
    told = pseudonyms.of_words(_maker(data), (data.kept / SECRET).read_text("ascii"), asked)
    numbers = ibis.memtable(pa.table({"number": pa.array(sorted(told), pa.int64())}))

    def users(column: "ir.Column") -> set[str]:
        there = column.name("number").as_table().distinct().semi_join(numbers, "number")
        return {told[int(number)].lower() for number in there.to_pandas()["number"]}

    found = users(rows["user_id"])
    touches, units = data.table("touchpoints"), data.table("assignments")
    if touches is not None:
        found |= users(touches["user_id"])
    if units is not None:
        found |= users(units["user_id"])
    public = ibis.memtable(pa.table({"word": pa.array(sorted(found), pa.string())}))
    for column in ledger.TEXT_COLUMNS if found else ():
        named = rows.select(word=rows[column].lower()).distinct().semi_join(public, "word")
        found -= set(named.to_pandas()["word"])
    return found


def _maker(data: Data) -> Any:
    """The kind of database that made the pseudonyms of a ledger: DuckDB, unless its tables came validated."""
    import ibis

    if (data.folder / backends.MARKER).is_file():
        return data.ledger.rows.get_backend()
    return ibis.duckdb.connect()
