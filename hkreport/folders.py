"""Folders for a while, and files that are written whole: nothing stays behind when a process is killed.

What a process uses it locks with a lock of the operating system, which ends with the process however that
ends. Whoever comes next finds what is no longer locked, and takes it away. No lock is a file of its own,
so none can stay.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Scratch", "alone", "as_text", "sweep", "sweep_parts", "write_atomically"]

KEPT = "kept.txt"  # in a folder that its process left for a person to look at
PART = ".part"
TRIES = 10


class Scratch:
    """A folder that this process alone uses, until :meth:`remove` or the end of the process.

    Parameters
    ----------
    prefix : str
        How its name begins; folders of that name whose process is gone are removed first.
    parent : Path, optional
        Where it lies; the system's folder for temporary files otherwise.

    Attributes
    ----------
    path : Path

    Examples
    --------
    >>> scratch = Scratch("hk-example-")
    >>> (scratch.path / "notes").write_text("for a while")
    11
    >>> scratch.remove()
    >>> scratch.path.exists()
    False
    """

    def __init__(self, prefix: str, parent: Path | None = None) -> None:
        place = Path(tempfile.gettempdir()) if parent is None else parent
        place.mkdir(parents=True, exist_ok=True)
        sweep(prefix, place)
        # Another process may sweep it between its making and its lock.
        for attempt in range(TRIES):
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
            try:
                self._lock = os.open(self.path, os.O_RDONLY)
            except FileNotFoundError:
                if attempt == TRIES - 1:
                    raise
                continue
            _lock(self._lock)
            if self.path.is_dir():
                break
            os.close(self._lock)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Take the folder away."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()

    def keep(self) -> None:
        """Leave the folder for a person to look at."""
        with contextlib.suppress(OSError):
            (self.path / KEPT).write_text(
                "A build failed here; its message says what to look at.\n"
            )
        self.release()

    def release(self) -> None:
        """Let go of the folder, wherever it is by now."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def sweep(prefix: str, parent: Path) -> int:
    """Remove folders of ours that a killed process left, and say how many."""
    removed = 0
    for path in sorted(parent.glob(f"{prefix}*")):
        try:
            facts = path.lstat()
            if facts.st_uid != os.geteuid() or path.is_symlink() or (path / KEPT).exists():
                continue
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            if _lock(lock, wait=False):
                shutil.rmtree(path, ignore_errors=True)
                removed += 1
        finally:
            os.close(lock)
    return removed


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only process that writes into a folder; others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        _lock(lock)
        yield
    finally:
        os.close(lock)


def _lock(descriptor: int, *, wait: bool = True) -> bool:
    """Lock an open file or folder; False where another process has it, or where nothing can be locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False  # some network file systems lock no folder: then nothing is swept
    return True


def as_text(name: str) -> str:
    r"""The name of a file as text that can be written: bytes in it that are no UTF-8 are told as numbers.

    Examples
    --------
    >>> as_text("orders é.csv"), as_text("orders \udce9.csv")
    ('orders é.csv', 'orders \\xe9.csv')
    """
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write beside `path`, then rename: a killed process leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = content.encode() if isinstance(content, str) else content
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}{PART}")
    for attempt in range(TRIES):
        try:
            with part.open("wb") as stream:
                _lock(stream.fileno())  # or it would be swept
                stream.write(body)
                stream.flush()
                part.replace(path)
            return
        except FileNotFoundError:
            # It was swept between its making and its lock.
            if attempt == TRIES - 1 or not path.parent.is_dir():
                raise
        except BaseException as error:
            part.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.filename is None:
                error.filename = str(path)  # a full disk names no file
            raise


def sweep_parts(folder: Path) -> int:
    """Remove files that a killed process was about to write, and say how many."""
    removed = 0
    for path in sorted(folder.rglob(f".*{PART}")):
        with contextlib.suppress(OSError), path.open("rb") as stream:
            if _lock(stream.fileno(), wait=False):
                path.unlink()
                removed += 1
    return removed
