"""Which code runs: digests of the package's files, taken once in a process.

What was made is known by the code that made it. Modules are loaded when they are needed, so the digests are
taken before the work begins (:func:`take`): where files change meanwhile, what comes out is known
by the code that is gone, and is made again. Nothing heavy is imported here.
"""

import functools
import hashlib
import json
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

__all__ = ["SHAPING", "code", "file_hash", "ledger_code", "modules", "take", "tree"]

PACKAGE = Path(__file__).parent

# Kinds of files in the package that shape what it makes; a test finds those that are missing here.
SHAPING = (".css", ".html", ".js", ".json", ".py", ".scss", ".typ")

# Modules whose change may change the ledger.
_LEDGER = (
    "schema.py",
    "ledger.py",
    "pieces.py",
    "pseudonyms.py",
    "shelf.py",
    "backends.py",
    "metrics.py",
    "store.py",
    "ingest",
)


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tree(folder: Path, endings: Iterable[str]) -> str:
    """Digest of the files below a folder, by name and content."""
    found = sorted({path for ending in endings for path in folder.rglob(f"*{ending}")})
    listed = [[path.relative_to(folder).as_posix(), file_hash(path)] for path in found]
    return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()


@functools.cache
def code() -> str:
    """Digest of the package as it runs: modules, and all that pages are made from."""
    return tree(PACKAGE, SHAPING)


@functools.cache
def modules() -> str:
    """Digest of every module of the package."""
    return tree(PACKAGE, (".py",))


@functools.cache
def ledger_code() -> str:
    """Digest of the code that makes the ledger, DuckDB's version included: the next may hash otherwise."""
    digest = hashlib.sha256(metadata.version("duckdb").encode())
    for name in _LEDGER:
        path = PACKAGE / name
        for part in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(part.relative_to(PACKAGE).as_posix().encode())
            digest.update(part.read_bytes())
    return digest.hexdigest()


def take() -> None:
    """Take all digests now; whoever is forked from this process has them too."""
    code()
    modules()
    ledger_code()
