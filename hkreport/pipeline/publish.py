"""Puts a checked site where people read it: a folder, GitHub Pages, or another machine by rsync.

Nothing is published that :mod:`hkreport.pipeline.sitecheck` finds fault with, and nothing is deleted
that was not published from here: a list of our files travels with the site.
"""

import contextlib
import ctypes
import errno
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hkreport.errors import PublishError, UsageError, listed
from hkreport.folders import Scratch
from hkreport.pipeline.sitecheck import Site, examine

__all__ = ["LIST", "Changes", "Published", "publish", "require_target"]

LIST = ".hkreport-site"  # in the published site: the files that we put there
_NO_JEKYLL = ".nojekyll"  # or GitHub leaves out files whose names begin with an underscore
_OWN = frozenset({LIST, _NO_JEKYLL})
BRANCH = "gh-pages"
REMOTE = "origin"
MOST_SHOWN = 20  # problems in one message
LARGEST_ON_GITHUB = 100_000_000  # bytes a file; a push with a larger one is refused

# user@host:path or rsync://host/module. Neither part may begin with a dash, which would be an option of
# rsync or ssh, and the path holds nothing that a remote shell would read.
_REMOTE = re.compile(
    r"(?:rsync://[A-Za-z0-9][\w.-]*(?::\d+)?/[\w./+@=-]+"
    r"|(?:[A-Za-z0-9_][\w.-]*@)?[A-Za-z0-9][\w.-]*:[\w./~+@=][\w./~+@=-]*)"
)


@dataclass(frozen=True, slots=True)
class Changes:
    """What publishing does at the target, as paths."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    @property
    def lines(self) -> list[str]:
        """One line a file: ``+`` added, ``~`` changed, ``-`` removed."""
        signs = (("+", self.added), ("~", self.changed), ("-", self.removed))
        return [f"{sign} {name}" for sign, names in signs for name in names if name not in _OWN]

    @property
    def words(self) -> str:
        """How many files, in a sentence."""
        counts = [
            (sum(name not in _OWN for name in names), verb)
            for names, verb in (
                (self.added, "added"),
                (self.changed, "changed"),
                (self.removed, "removed"),
            )
        ]
        said = ", ".join(f"{count} {verb}" for count, verb in counts if count)
        return said or "nothing changed"


@dataclass(frozen=True, slots=True)
class Published:
    """What was checked, and what was or would be done."""

    site: Site
    target: str
    changes: Changes
    done: bool


class Target(Protocol):
    """Where a site can go."""

    @property
    def words(self) -> str:
        """How messages name it."""
        ...

    def require(self) -> None:
        """Stop where nothing could be put there, as far as that shows without a site."""
        ...

    def listed(self) -> frozenset[str] | None:
        """The files that we published there last; None where we never did."""
        ...

    def changes(self, staged: Path, files: Mapping[str, str]) -> Changes:
        """What is different there."""
        ...

    def take(self, staged: Path) -> None:
        """Put the staged site there."""
        ...


def publish(
    folder: Path,
    to: str,
    users_among: Callable[[Iterable[str]], set[str]],
    *,
    root: Path,
    inputs: Mapping[str, str] | None = None,
    dry_run: bool = False,
    replace: bool = False,
) -> Published:
    """Check a built site and put it where it should go.

    Parameters
    ----------
    folder : Path
        The built site.
    to : str
        ``gh-pages``, a folder, ``user@host:path`` or ``rsync://host/module``.
    users_among : callable
        See :func:`hkreport.store.users_among`.
    inputs : mapping, optional
        The exports that `users_among` knows; see :func:`hkreport.store.files`.
    root : Path
        The project; its git repository has the remote for ``gh-pages``.
    dry_run : bool
        Say what would change and change nothing.
    replace : bool
        Also replace what was not published from here.

    Raises
    ------
    PublishError
        If the site is not fit to be shown, or the target holds somebody else's files.
    """
    target = _target(to, folder, root)
    if not folder.is_dir():
        raise PublishError(f"There is no site {folder}.", next_step="Build it: make site.")
    site = examine(folder, users_among, inputs=inputs)
    if site.problems:
        raise PublishError(
            _refusal(site), next_step="Nothing was published. Mend it and run make site."
        )
    (root / "build").mkdir(exist_ok=True)
    with Scratch("staged-", root / "build") as work:
        staged = work / "site"
        files = _stage(site, staged)
        changes = target.changes(staged, files)
        _keep_foreign(target, changes, replace)
        if changes and not dry_run:
            target.take(staged)
    return Published(site, target.words, changes, done=bool(changes) and not dry_run)


def require_target(folder: Path, to: str, *, root: Path) -> None:
    """Stop where a site cannot go to a target, before anything is built for it; changes nothing.

    Parameters
    ----------
    folder, to, root
        As for :func:`publish`; the site need not be there yet.

    Raises
    ------
    PublishError, UsageError
        If the target is none, cannot be reached or cannot be written to.
    """
    _target(to, folder, root).require()


def _refusal(site: Site) -> str:
    shown = [f"  {problem}" for problem in site.problems[:MOST_SHOWN]]
    more = len(site.problems) - len(shown)
    count = f"{len(site.problems)} problem{'s' if len(site.problems) > 1 else ''}"
    end = [f"  and {more} more"] if more else []
    return "\n".join([f"{site.folder} is not fit to be published: {count}.", *shown, *end, ""])


def _stage(site: Site, staged: Path) -> dict[str, str]:
    """Copy exactly what was checked, and the list of it; gives path and hash of each file."""
    for name, digest in site.files.items():
        copy = staged / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(site.folder / name, copy)
        with copy.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                raise PublishError(
                    f"{name} changed while it was published.",
                    next_step="Wait until the build is done and publish again.",
                )
    extra = {_NO_JEKYLL: b"", LIST: json.dumps(sorted(site.files), indent=0).encode() + b"\n"}
    for name, body in extra.items():
        (staged / name).write_bytes(body)
    return dict(site.files) | {
        name: hashlib.sha256(body).hexdigest() for name, body in extra.items()
    }


def _keep_foreign(target: Target, changes: Changes, replace: bool) -> None:
    """Stop before anything goes that we did not put there."""
    if replace or not (changes.removed or changes.changed):
        return
    ours = target.listed()
    foreign = sorted(
        {*changes.removed, *(changes.changed if ours is None else ())}
        - (ours or frozenset())
        - _OWN
    )
    if foreign:
        raise PublishError(
            f"{target.words} holds {len(foreign)} files that were not published from here: "
            f"{listed(foreign, most=5)}.",
            next_step="Choose another place, move them away, or give --replace to delete them.",
        )


def _target(to: str, folder: Path, root: Path) -> Target:
    if to == BRANCH:
        return _Branch(root)
    if not to or to.startswith("-"):
        raise UsageError(f"--to is '{to}'; it is {BRANCH}, a folder, or user@host:path.")
    if ":" in to.split("/", 1)[0]:
        if not _REMOTE.fullmatch(to) or "/-" in to:
            raise UsageError(
                f"--to is '{to}', which is no target for rsync.",
                next_step="Write user@host:path or rsync://host/module/path, in plain letters.",
            )
        return _Machine(to)
    place = Path(to).absolute()
    one, two = folder.resolve(), place.resolve()
    if one == two or one in two.parents or two in one.parents:
        raise UsageError(f"--to {to} and the site {folder} lie in one another.")
    return _Folder(place)


def _names(body: bytes | None) -> frozenset[str] | None:
    """Read a list of ours."""
    try:
        found = json.loads(body) if body is not None else None
    except ValueError:
        return None
    return frozenset(map(str, found)) if isinstance(found, list) else None


def _compared(old: Mapping[str, str], new: Mapping[str, str]) -> Changes:
    return Changes(
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(name for name in new.keys() & old.keys() if new[name] != old[name])),
        removed=tuple(sorted(old.keys() - new.keys())),
    )


# A folder


@dataclass(frozen=True)
class _Folder:
    """A folder on this machine, switched in one step."""

    place: Path

    @property
    def words(self) -> str:
        return str(self.place)

    def listed(self) -> frozenset[str] | None:
        path = self.place / LIST
        return _names(path.read_bytes()) if path.is_file() else None

    def require(self) -> None:
        if self.place.exists() and not self.place.is_dir():
            raise PublishError(f"{self.place} is a file.", next_step="Name a folder.")
        above = next(each for each in self.place.resolve().parents if each.exists())
        if not above.is_dir():
            raise PublishError(f"{above} is a file.", next_step="Name a folder.")
        if not os.access(above, os.W_OK | os.X_OK):
            raise _not_updated(self.place, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))

    def changes(self, staged: Path, files: Mapping[str, str]) -> Changes:
        self.require()
        old = {}
        for path in sorted(self.place.rglob("*")):
            name = path.relative_to(self.place).as_posix()
            if path.is_symlink():
                old[name] = "a link"
            elif path.is_file():
                with path.open("rb") as stream:
                    old[name] = hashlib.file_digest(stream, "sha256").hexdigest()
        return _compared(old, files)

    def take(self, staged: Path) -> None:
        """Build the new site beside the old one and exchange the two; the old one goes last."""
        place = self.place.resolve()
        beside = place.with_name(f".{place.name}.hkreport-new")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with _only_one(place):
                for left in place.parent.glob(f".{glob.escape(place.name)}.hkreport-*"):
                    shutil.rmtree(left)
                shutil.copytree(staged, beside, copy_function=_copy)
                for folder in (beside, *(each for each in beside.rglob("*") if each.is_dir())):
                    folder.chmod(0o755)
                if place.exists():
                    shutil.copymode(place, beside)
                shutil.rmtree(_switch(beside, place), ignore_errors=True)
        except OSError as error:
            shutil.rmtree(beside, ignore_errors=True)  # it may have filled the disk
            raise _not_updated(place, error) from error


def _copy(source: str, target: str) -> None:
    """Copy a file that a web server may read, whatever it was made with."""
    shutil.copyfile(source, target)
    os.chmod(target, 0o644)


def _not_updated(place: Path, error: OSError) -> PublishError:
    """Why a folder holds what it held before, and what helps."""
    number, why = error.errno, error.strerror or str(error)
    if isinstance(error, shutil.Error):  # of many files at once: its list of (from, to, why)
        first = str(error.args[0][0][2])
        told = re.match(r"\[Errno (\d+)\] ([^:]+)", first)
        number, why = (int(told[1]), told[2]) if told else (None, first)
    steps = {
        errno.ENOSPC: "Check that its disk has room, and publish again.",
        errno.EBUSY: "A folder on which a disk is mounted cannot be switched: name a folder in it.",
    }
    allow = f"The new site is made beside it and then switched: let {place.parent} be written to."
    return PublishError(f"{place} was not updated: {why}.", next_step=steps.get(number or 0, allow))


@contextlib.contextmanager
def _only_one(place: Path) -> Iterator[None]:
    """Hold the folder that holds the site; a second run at the same time stops."""
    handle = os.open(place.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise PublishError(
            f"Another run is publishing beside {place}.", next_step="Wait for it and publish again."
        ) from error
    finally:
        os.close(handle)


def _switch(new: Path, place: Path) -> Path:
    """Put `new` where `place` is; gives where the old one is now."""
    old = place.with_name(f".{place.name}.hkreport-old")
    if not place.exists():
        os.rename(new, place)
        return old
    if _exchange(new, place):
        return new
    # Without an exchange there is a moment with no site at all; whatever fails, the old one comes back.
    os.rename(place, old)
    try:
        os.rename(new, place)
    except BaseException:
        os.rename(old, place)
        raise
    return old


def _exchange(one: Path, two: Path) -> bool:
    """Exchange two folders in one step, where the system can (Linux)."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if call is None:
        return False
    return bool(call(here, os.fsencode(one), here, os.fsencode(two), exchange) == 0)


# GitHub Pages


@dataclass(frozen=True)
class _Branch:
    """The branch that GitHub Pages serves; the work tree is not touched."""

    root: Path
    words: str = f"{REMOTE}/{BRANCH}"

    def require(self) -> None:
        self._fetch()

    @property
    def _ref(self) -> str:
        return f"refs/remotes/{REMOTE}/{BRANCH}"

    def listed(self) -> frozenset[str] | None:
        return _names(self._file(LIST))

    def changes(self, staged: Path, files: Mapping[str, str]) -> Changes:
        self._fetch()
        large = [name for name in files if (staged / name).stat().st_size > LARGEST_ON_GITHUB]
        if large:
            raise PublishError(
                f"GitHub takes no file above 100 MB: {listed(large)}.",
                next_step="Publish to a folder or another machine instead.",
            )
        # A domain of one's own stands in a file of the branch.
        domain = self._file("CNAME")
        if domain is not None:
            (staged / "CNAME").write_bytes(domain)
        old = {}
        if self._exists():
            for line in self._git("ls-tree", "-r", "-z", self._ref).decode().split("\0"):
                facts, _, name = line.partition("\t")
                if name:
                    old[name] = facts.split()[2]
        paths = sorted(
            path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file()
        )
        digests = self._git(
            "hash-object", "--no-filters", "--stdin-paths",
            given="\n".join(str(staged / name) for name in paths).encode(),
        ).decode().split()  # fmt: skip
        return _compared(old, dict(zip(paths, digests, strict=True)))

    def take(self, staged: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "ghp_import", "--push", "--remote", REMOTE, "--branch", BRANCH,
             "--message", "Publish reports", "--", str(staged)],
            cwd=self.root, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise PublishError(
                f"{self.words} was not updated: {_last_line(done.stderr)}",
                next_step="Check that git may push there, and that user.name and user.email are set.",
            )

    def _fetch(self) -> None:
        """Learn what is published now; a branch that is not there yet is none."""
        self._git("rev-parse", "--git-dir")
        found = self._git("ls-remote", "--heads", REMOTE, f"refs/heads/{BRANCH}")
        if found.strip():
            self._git("fetch", "--quiet", REMOTE, f"+refs/heads/{BRANCH}:{self._ref}")
        elif self._exists():
            self._git("update-ref", "-d", self._ref)

    def _exists(self) -> bool:
        done = self._run("rev-parse", "--verify", "--quiet", self._ref)
        return done.returncode == 0

    def _file(self, name: str) -> bytes | None:
        done = self._run("cat-file", "blob", f"{self._ref}:{name}")
        return done.stdout if done.returncode == 0 else None

    def _run(self, *words: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            ["git", *words], cwd=self.root, input=given, capture_output=True, check=False
        )

    def _git(self, *words: str, given: bytes = b"") -> bytes:
        done = self._run(*words, given=given)
        if done.returncode:
            raise PublishError(
                f"git {words[0]} failed in {self.root}: {_last_line(done.stderr.decode())}",
                next_step=f"{BRANCH} needs a git repository with a remote '{REMOTE}'.",
            )
        return done.stdout


# Another machine


@dataclass(frozen=True)
class _Machine:
    """A folder that rsync reaches. New files arrive beside the old ones and are switched at the end."""

    words: str

    @property
    def _place(self) -> str:
        return self.words.rstrip("/") + "/"

    def require(self) -> None:
        with tempfile.TemporaryDirectory() as nothing:
            self._run([*_COPY, "--dry-run", f"{nothing}/", self._place])

    def listed(self) -> frozenset[str] | None:
        with tempfile.TemporaryDirectory() as folder:
            done = self._rsync([f"{self._place}{LIST}", f"{folder}/"])
            path = Path(folder) / LIST
            return _names(path.read_bytes()) if done.returncode == 0 and path.exists() else None

    def changes(self, staged: Path, files: Mapping[str, str]) -> Changes:
        said = self._run([*_COPY, "--dry-run", "--out-format=%i %n", f"{staged}/", self._place])
        added: list[str] = []
        changed: list[str] = []
        removed: list[str] = []
        for line in said.splitlines():
            facts, _, name = line.partition(" ")
            if facts.startswith("*deleting") and not name.endswith("/"):
                removed.append(name.strip())
            elif facts[1:2] == "f" and facts[0] in "<>c":
                (added if "+" in facts else changed).append(name)
        return Changes(*(tuple(sorted(names)) for names in (added, changed, removed)))

    def take(self, staged: Path) -> None:
        self._run([*_COPY, "--delay-updates", f"{staged}/", self._place])

    def _run(self, words: Sequence[str]) -> str:
        done = self._rsync(words)
        if done.returncode:
            raise PublishError(
                f"rsync to {self.words} failed: {_last_line(done.stderr)}",
                next_step="Check the address, your key, and that the folder exists there.",
            )
        return done.stdout

    @staticmethod
    def _rsync(words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(
                ["rsync", *words], capture_output=True, text=True, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise PublishError("rsync is not installed.", next_step="Install it.") from error


# A connection that died must not hold up every later night.
_COPY = (
    "--timeout=600",
    "--recursive",
    "--checksum",
    "--delete-delay",
    "--chmod=D755,F644",
    "--protect-args",
)


def _last_line(words: str) -> str:
    """What a program says was wrong: its own complaint before the last thing that it said."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    complaints = [line for line in lines if line.startswith(("!", "fatal:"))]
    said = [*lines[-1:], *complaints[:1]]
    return f"{said[-1].rstrip('.')}." if said else "it did not say why."
