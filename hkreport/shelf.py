"""What was worked out of one file, kept for the next time: found by key, put there whole.

A folder of a month's orders does not change when the next month is laid beside it. What is kept here is a
function of its key alone (content, settings, code), so a build that finds it gives what a build from nothing
gives. Nothing here is needed: deleting the shelf costs time only.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hkreport.folders import Scratch

__all__ = ["FACTS", "Shelf", "digest", "facts_of"]

FACTS = "facts.json"  # of each kept folder; written last
UNUSED_DAYS = 14  # after which a kept folder is taken away
DAY = 24 * 60 * 60


def digest(*parts: object) -> str:
    """A key of 32 letters for whatever JSON can say.

    Examples
    --------
    >>> digest("orders", [1, 2]) == digest("orders", (1, 2)), digest("a", "b") == digest("ab")
    (True, False)
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Shelf:
    """Folders by key.

    Attributes
    ----------
    place : Path
        Where they lie.
    version : str
        Of the code that fills them.
    hashes : mapping of str to (str, tuple)
        Of each file of the data folder its hash, and size, time and number when that was taken.
    secret : str
        For what must not lie there as it stands; see :mod:`hkreport.pseudonyms`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     shelf = Shelf(Path(name))
    ...     with shelf.fresh() as fresh:
    ...         _ = (fresh / "sum").write_text("42")
    ...         there = shelf.put(fresh, "april", {"rows": 3})
    ...     (there / "sum").read_text(), shelf.find("april")[1]["rows"], shelf.find("may")
    ('42', 3, None)
    """

    place: Path
    version: str = ""
    hashes: Mapping[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    secret: str = field(default="", repr=False)

    def key(self, path: Path) -> str:
        """The key of a file's content under its name."""
        known = self.hashes.get(path.name)
        return digest(self.version, self.secret, path.name, known[0] if known else "")

    def is_as_hashed(self, path: Path) -> bool:
        """Whether a file is still the one whose hash is known."""
        known = self.hashes.get(path.name)
        return known is None or known[1] == facts_of(path)

    def find(self, key: str) -> tuple[Path, dict[str, Any]] | None:
        """A kept folder with its facts, if it is there and whole."""
        folder = self.place / key
        try:
            facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
            sizes = {name: (folder / name).stat().st_size for name in facts["sizes"]}
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if sizes != facts["sizes"]:
            return None
        with contextlib.suppress(OSError):
            os.utime(folder)  # it is in use; see `sweep`
        return folder, facts

    def fresh(self) -> Scratch:
        """A folder to be filled and put."""
        return Scratch(".fresh-", self.place)

    def put(self, fresh: Path, key: str, facts: Mapping[str, Any]) -> Path:
        """Keep a filled folder with its facts, and say where it lies from now on."""
        sizes = {each.name: each.stat().st_size for each in sorted(fresh.iterdir())}
        told = json.dumps({**facts, "version": self.version, "sizes": sizes})
        (fresh / FACTS).write_text(told, encoding="utf-8")
        goal = self.place / key
        if goal.exists() and self.find(key) is None:
            self._take_away(goal)  # damaged
        try:
            os.rename(fresh, goal)
        except OSError:
            if self.find(key) is None:  # else another process was quicker
                raise
        return goal

    def sweep(self) -> None:
        """Take away what was not used for two weeks, and what other code has made."""
        with contextlib.suppress(OSError):
            for folder in sorted(self.place.iterdir()):
                if folder.name.startswith("."):
                    continue
                with contextlib.suppress(OSError):
                    if time.time() - folder.stat().st_mtime > UNUSED_DAYS * DAY or self._is_old(
                        folder
                    ):
                        self._take_away(folder)

    def _is_old(self, folder: Path) -> bool:
        """Whether other code has made a folder; one that is not whole is looked at by who finds it."""
        try:
            facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(facts, dict) and facts.get("version") != self.version

    def _take_away(self, folder: Path) -> None:
        """Move a folder out of sight first: half of one must never be found."""
        with self.fresh() as fresh:
            os.rename(folder, fresh / "old")


def facts_of(path: Path) -> tuple[int, ...]:
    """What changes with a file: its size, time and number."""
    facts = path.stat()
    return (facts.st_size, facts.st_mtime_ns, facts.st_ino)
