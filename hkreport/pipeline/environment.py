"""Makes the project's own Python environment, and tries Quarto there once.

`make` runs this file by its path before anything is installed, so it uses the standard library alone.
It does not decide when: the Makefile does, by a stamp whose name is the content hash of what is installed.
"""

import argparse
import collections
import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["QUARTO", "QUARTO_NOTE", "SUPPORTED", "install", "main", "quarto_fault", "quarto_version",
           "try_quarto"]  # fmt: skip

SUPPORTED = ((3, 11), (3, 13))  # first and last Python that requirements.lock holds wheels for

# Outside requirements.lock, since its wheel exists only once its installer has fetched the binary from
# GitHub, which closed networks refuse. The version is the one the two engines were compared at.
QUARTO = "quarto-cli==1.10.18"
QUARTO_OLDEST = (1, 9)  # knows pdf-standard and our Typst partials, and brings its Typst packages

# What became of the one attempt, in the sentence that `make setup` prints again.
QUARTO_NOTE = "quarto.txt"

QUARTO_IDLE_SECONDS = 60  # a silent firewall: nothing was printed and nothing arrived for so long
QUARTO_SECONDS = 600  # 130 MB over a slow line, unpacked and packed again

REFUSED = (
    "Quarto could not be installed here; the embedded engine (pandoc + Typst) will render. "
    "To try again: make setup QUARTO=retry"
)


class SetupError(Exception):
    """The environment could not be made; the message says what to do."""


def say(text: str) -> None:
    """Tell how far the set-up is."""
    print(text, file=sys.stderr, flush=True)


# The environment


def install(root: Path, stamp: Path) -> None:
    """Make `root`/.venv anew from requirements.lock, with the project in it, and leave `stamp` behind.

    Always from nothing: what an interrupted run left, or what another lock had, cannot linger. The
    stamp is written last, so that a set-up that was cut short is never taken for a finished one.

    Raises
    ------
    SetupError
        If the environment cannot be made.
    """
    venv = root / ".venv"
    if stamp.exists() and _python_of(venv) == sys.version:
        return
    started = time.monotonic()
    python = _base_python(venv)
    uv = shutil.which("uv")
    say(f"Setting up .venv with Python {python_version()} and {'uv' if uv else 'pip'} …")
    try:
        _install_with(uv, python, root)
    except SetupError as problem:
        if not uv:
            raise
        # pip is often the one that knows a company's mirror and certificates
        say(f"uv could not: {problem}\nTrying with pip …")
        _install_with(None, python, root)
    stamp.touch()
    say(f"Set up in {time.monotonic() - started:.0f} s.")


def _install_with(uv: str | None, python: Path, root: Path) -> None:
    venv = root / ".venv"
    _remove(venv)
    _create(uv, python, venv)
    lock = root / "requirements.lock"
    packages = sum("==" in line for line in lock.read_text().splitlines())
    wanted = ["--require-hashes", "-r", str(lock)]
    project = ["--no-deps", "--no-build-isolation", "-e", str(root)]
    _run(
        [*_installer(uv, venv), *wanted],
        what="the packages of requirements.lock",
        packages=packages,
    )
    _run([*_installer(uv, venv), *project], what="hkreport itself")
    # Relative, and so of plain letters: Python 3.11 reads this file in the encoding of the locale, and a
    # folder of another alphabet would end every command before it begins.
    for path in venv.glob("lib/python*/site-packages/*hkreport*.pth"):
        path.write_text(os.path.relpath(root, path.parent) + "\n", encoding="ascii")


def _python_of(venv: Path) -> str:
    """Ask the environment which Python it runs; nothing where it runs none."""
    ask = [str(venv / "bin" / "python"), "-I", "-c", "import sys; print(sys.version, end='')"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def _remove(venv: Path) -> None:
    if venv.is_symlink():
        venv.unlink()
    elif venv.exists():
        shutil.rmtree(venv)


def _base_python(venv: Path) -> Path:
    """Name the Python to build on: where `venv` is activated, not the one that is about to go."""
    python = Path(getattr(sys, "_base_executable", sys.executable))
    return python.resolve() if python.is_relative_to(venv) else python


def _create(uv: str | None, python: Path, venv: Path) -> None:
    if uv:
        _run([uv, "venv", "--quiet", "--python", str(python), str(venv)], what="an environment")
        return
    try:
        _run([str(python), "-m", "venv", str(venv)], what="an environment")
    except SetupError as problem:
        raise SetupError(
            f"{problem}\nThis Python has no complete venv module. On Debian and Ubuntu: "
            f"apt-get install python{python_version(parts=2)}-venv. Or install uv, and run make again."
        ) from problem


def _installer(uv: str | None, venv: Path) -> list[str]:
    python = str(venv / "bin" / "python")
    if uv:
        return [uv, "pip", "install", "--compile-bytecode", "--python", python]
    return [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]


def _run(command: Sequence[str], *, what: str, packages: int = 0) -> None:
    """Run `command`, count its `packages` as they come, and quote its last lines if it fails."""
    tail: collections.deque[str] = collections.deque(maxlen=12)
    progress = _Progress(packages)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            tail.append(line.rstrip())
            progress.read(line)
    if process.returncode:
        said = "\n".join(f"    {line}" for line in tail)
        raise SetupError(f"{what[0].upper()}{what[1:]} could not be installed:\n{said}")


class _Progress:
    """What pip is at, from the lines it prints: one line on a terminal, one now and then elsewhere."""

    def __init__(self, packages: int) -> None:
        self.packages = packages
        self.fetched = 0
        self.overwrite = "\r" if sys.stderr.isatty() else ""

    def read(self, line: str) -> None:
        if not self.packages:
            return
        word = line.partition(" ")[0]
        if word == "Ignoring":  # its marker is for another Python or system
            self.packages -= 1
        elif word in ("Collecting", "Processing"):  # from an index, from a folder of wheels
            self.fetched += 1
            if self.overwrite or self.fetched % 25 == 0:
                end = "" if self.overwrite else "\n"
                text = f"{self.overwrite}  fetching {self.fetched} of {self.packages} packages …"
                print(text, end=end, file=sys.stderr, flush=True)
        elif line.startswith("Installing collected packages"):
            say(f"{self.overwrite}  installing {self.packages} packages …      ")


def python_version(parts: int = 3) -> str:
    """Name the running Python.

    Examples
    --------
    >>> python_version(parts=1)
    '3'
    """
    return ".".join(str(part) for part in sys.version_info[:parts])


# Quarto


def try_quarto(root: Path) -> str:
    """Install Quarto into `root`/.venv unless the machine has it, and say which engine will render.

    One attempt, given up when nothing moves for a minute. It cannot change a locked package
    (``--no-deps``): what quarto-cli asks for beyond the lock, Jupyter and wheel, serves to *run*
    notebooks, and papermill has run ours before Quarto reads them. A refused attempt leaves nothing.

    Returns
    -------
    str
        One sentence.
    """
    venv = root / ".venv"
    elsewhere = shutil.which("quarto")
    if elsewhere and Path(elsewhere).parent != venv / "bin" and not quarto_fault(Path(elsewhere)):
        return f"Quarto is on this machine ({elsewhere}) and will render."
    say(f"Trying to install Quarto ({QUARTO}), which its installer fetches from GitHub …")
    # uv builds in its cache otherwise, where nobody sees whether anything arrives
    cache = ["--no-cache"] if (uv := shutil.which("uv")) else []
    with tempfile.TemporaryDirectory(
        prefix="hkreport-quarto-", ignore_cleanup_errors=True
    ) as folder:
        command = [*_installer(uv, venv), *cache, "--no-deps", QUARTO]
        if _succeeds(command, Path(folder)) and not quarto_fault(venv / "bin" / "quarto"):
            return f"Quarto ({QUARTO}) is installed in .venv and will render."
    _remove_quarto(venv)
    return REFUSED


def _succeeds(command: Sequence[str], folder: Path) -> bool:
    """Run `command` with `folder` for its temporary files, and end it when these stop growing."""
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(folder)},
            start_new_session=True,  # so that the builds that pip starts end with it
        )
    started = moved = time.monotonic()
    size = 0
    try:
        while process.poll() is None:
            time.sleep(1)
            now, before, size = time.monotonic(), size, _bytes_under(folder)
            moved = now if size != before else moved
            if now - moved > QUARTO_IDLE_SECONDS or now - started > QUARTO_SECONDS:
                return False
        return process.returncode == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _bytes_under(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # gone between listing and looking
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def quarto_fault(program: Path) -> str:
    """Why the Quarto CLI at `program` cannot render our documents, or nothing."""
    version = quarto_version(program)
    if not version:
        return "does not answer to --version with a version"
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < QUARTO_OLDEST:
        return f"is Quarto {version}, older than {'.'.join(map(str, QUARTO_OLDEST))}"
    return ""


@functools.cache
def quarto_version(program: Path) -> str:
    """The version that a Quarto CLI says it is, in a line of its own; empty where it cannot start."""
    command = [str(program), "--version"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            check=False, timeout=60,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = re.findall(r"(?m)^\s*v?(\d+(?:\.\d+)+\S*)\s*$", done.stdout)
    return said[-1] if said and done.returncode == 0 else ""


def _remove_quarto(venv: Path) -> None:
    """Take away whatever an attempt that failed half-way may have left."""
    for path in venv.glob("lib*/python*/site-packages/quarto_cli*"):
        shutil.rmtree(path, ignore_errors=True)
    (venv / "bin" / "quarto").unlink(missing_ok=True)


# The command line, for make


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``install --stamp FILE`` or ``quarto`` and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["install", "quarto"])
    parser.add_argument("--stamp", type=Path, help="file that says that the environment is whole")
    parser.add_argument("--aloud", action="store_true", help="say which engine will render")
    options = parser.parse_args(arguments)
    root = Path.cwd()
    try:
        if options.step == "install":
            install(root, options.stamp)
        else:
            note = try_quarto(root)
            if options.aloud:
                say(note)
            (root / ".venv" / QUARTO_NOTE).write_text(note + "\n", encoding="utf-8")
    except (SetupError, OSError) as problem:
        say(str(problem))
        return 1
    except KeyboardInterrupt:
        say("Stopped. The next make starts the set-up again.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
