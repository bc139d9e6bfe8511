"""Says what this machine has of what hkreport needs, what is missing and how to get it.

It looks and reports; it installs nothing and decides nothing: which engine renders is asked of
:mod:`hkreport.pipeline.render`, which does the rendering.
"""

import importlib.metadata
import re
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hkreport.errors import HkreportError, listed
from hkreport.pipeline.environment import QUARTO_NOTE, SUPPORTED, quarto_fault, quarto_version

__all__ = ["Check", "describe", "examine", "is_usable"]

# What reports print beyond letters and digits; a font without one of these would show an empty box.
GLYPHS = "₹×→–−±≥≤…"

_LOCKED = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)\s*(?:;\s*(?P<marker>[^\\]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that hkreport needs or can use.

    Attributes
    ----------
    name : str
        What was looked for.
    found : str
        What is there, with version and place where these matter.
    ok : bool
        Whether what was found serves.
    needed_for : str
        What fails, or is left out, without it.
    next_step : str
        How to get it; empty where `ok`.
    required : bool
        Whether no report can be built without it.
    """

    name: str
    found: str
    ok: bool
    needed_for: str
    next_step: str = ""
    required: bool = True


def examine(root: Path | None = None) -> list[Check]:
    """Look at the machine and the project folder `root`, by default the one we are in.

    Never raises for something that is missing: each absence is a :class:`Check` that is not ok.

    Examples
    --------
    >>> [check.name for check in examine()][:3]
    ['Python', 'packages', 'pandoc and Typst']
    """
    root = root.resolve() if root else _project_root()
    return [
        _python(),
        _packages(root),
        _embedded_engine(),
        _quarto(root),
        _engine(),
        _fonts(),
        _data(root),
        _writing(root),
        _tool(
            "Chromium",
            ("chromium", "chromium-browser", "google-chrome"),
            "browser tests",
            "chromium",
        ),
        _tool("pdftotext", ("pdftotext",), "tests of the PDFs", "poppler-utils"),
        _tool("Java", ("java",), "Spark, for data past one machine", "default-jre-headless"),
    ]


def is_usable(checks: Sequence[Check]) -> bool:
    """Tell whether everything that a report requires is there.

    Examples
    --------
    >>> is_usable([Check(name="Java", found="none", ok=False, needed_for="Spark", required=False)])
    True
    """
    return all(check.ok for check in checks if check.required)


def describe(checks: Sequence[Check], *, width: int = 100) -> str:
    """Lay the checks out as a table in plain text, with what to do under what is missing.

    Examples
    --------
    >>> print(describe([
    ...     Check(name="Python", found="3.11.7", ok=True, needed_for="everything"),
    ...     Check(name="Java", found="not found", ok=False, needed_for="Spark",
    ...           next_step="Install it.", required=False),
    ... ]))
    ok       Python  3.11.7
    without  Java    not found (needed for: Spark)
                     Install it.
    """
    longest = max((len(check.name) for check in checks), default=0)
    indent = " " * (len("MISSING  ") + longest + 2)
    lines: list[str] = []
    for check in checks:
        verdict = "ok" if check.ok else "MISSING" if check.required else "without"
        text = check.found if check.ok else f"{check.found} (needed for: {check.needed_for})"
        lead = f"{verdict:<7}  {check.name:<{longest}}  "
        lines += _wrapped(text, width, lead, indent)
        lines += _wrapped(check.next_step, width, indent, indent)
    return "\n".join(lines)


def _wrapped(text: str, width: int, lead: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=lead,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _project_root() -> Path:
    """Find the project even where the packages that read its settings are missing."""
    try:
        from hkreport.params import project_root

        return project_root()
    except (ImportError, HkreportError):
        return Path.cwd()


# Python and packages


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    first, last = SUPPORTED
    ok = first <= sys.version_info[:2] <= last
    return Check(
        name="Python",
        found=f"{version} ({sys.executable})",
        ok=ok,
        needed_for="everything",
        next_step="" if ok else "Install Python 3.11, 3.12 or 3.13 and run make setup.",
    )


def _packages(root: Path) -> Check:
    purpose = "the same bytes on every machine"
    lock = root / "requirements.lock"
    if not lock.is_file():
        return Check(
            name="packages",
            found=f"no requirements.lock in {root}, so versions are not compared",
            ok=False,
            needed_for=purpose,
            next_step="Run hkreport doctor in the project folder.",
            required=False,
        )
    locked = dict(_locked(lock))
    installed = {name: _version(name) for name in locked}
    missing = [name for name in locked if installed[name] is None]
    other = [
        f"{name} {installed[name]} instead of {version}"
        for name, version in locked.items()
        if installed[name] not in (None, version)
    ]
    if not missing and not other:
        return Check(
            name="packages",
            found=f"{len(locked)} of {len(locked)} as in requirements.lock",
            ok=True,
            needed_for=purpose,
        )
    parts = []
    if missing:
        parts.append(f"{len(missing)} of {len(locked)} missing: {listed(missing, most=6)}")
    if other:
        parts.append(f"{len(other)} of {len(locked)} in another version: {listed(other, most=6)}")
    # a missing test tool stops no report
    needed = not _dependencies().isdisjoint(missing)
    return Check(
        name="packages",
        found="; ".join(parts),
        ok=False,
        needed_for="every report" if needed else purpose,
        next_step="Remove .venv and run make setup.",
        required=needed,
    )


def _dependencies() -> set[str]:
    """Name what hkreport itself imports, without what its tests need, as the lock spells it."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    try:
        asked = importlib.metadata.requires("hkreport") or []
    except importlib.metadata.PackageNotFoundError:
        return set()
    return {canonicalize_name(Requirement(line).name) for line in asked if "extra ==" not in line}


def _locked(lock: Path) -> Iterator[tuple[str, str]]:
    """Yield name and version of what the lock wants on this platform."""
    from packaging.markers import Marker

    for line in lock.read_text(encoding="utf-8").splitlines():
        found = _LOCKED.match(line)
        if found and (found["marker"] is None or Marker(found["marker"].strip()).evaluate()):
            yield found["name"], found["version"]


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


# Rendering


def _embedded_engine() -> Check:
    purpose = "rendering without Quarto"
    try:
        import pypandoc

        pandoc = f"pandoc {pypandoc.get_pandoc_version()}"
    except (ImportError, OSError) as cause:
        return Check(
            name="pandoc and Typst",
            found=f"pandoc does not start: {_first_line(cause)}",
            ok=False,
            needed_for=purpose,
            next_step="Remove .venv and run make setup.",
        )
    typst = _version("typst")
    return Check(
        name="pandoc and Typst",
        found=f"{pandoc}, Typst {typst}" if typst else f"{pandoc}, no Typst",
        ok=typst is not None,
        needed_for=purpose,
        next_step="" if typst else "Remove .venv and run make setup.",
    )


def _quarto(root: Path) -> Check:
    from hkreport.pipeline.render import find_quarto

    purpose = "rendering with the Quarto CLI; the embedded engine gives the same report"
    place = find_quarto()
    fault = quarto_fault(place) if place else ""
    if place and not fault:
        found = f"{quarto_version(place)} ({place})"
        return Check(name="Quarto", found=found, ok=True, needed_for=purpose)
    if place:
        found = f"{place} {fault}"
    elif (root / ".venv" / QUARTO_NOTE).is_file():
        found = "make setup tried once and was refused"
    else:
        found = "not found"
    return Check(
        name="Quarto",
        found=found,
        ok=False,
        needed_for=purpose,
        next_step="Run make setup QUARTO=retry, or install it from https://quarto.org.",
        required=False,
    )


def _engine() -> Check:
    """Ask the renderer which engine `--engine auto` takes."""
    from hkreport.pipeline.render import choose_engine

    purpose = "HTML and PDF"
    try:
        engine = choose_engine("auto")
    except HkreportError as problem:
        return Check(
            name="engine",
            found=problem.message,
            ok=False,
            needed_for=purpose,
            next_step=problem.next_step,
        )
    why = "the Quarto CLI works" if engine.name == "quarto" else "there is no Quarto CLI that works"
    return Check(
        name="engine", found=f"auto takes {engine.name}, since {why}", ok=True, needed_for=purpose
    )


def _fonts() -> Check:
    purpose = "the same glyphs in charts, pages and PDF"
    try:
        from fontTools.ttLib import TTFont

        from hkreport.pipeline.fonts import FAMILY, PRINTED
        from hkreport.theme import font_file

        lacking: set[str] = set()
        for face in PRINTED:
            with TTFont(font_file(face), lazy=True) as font:
                lacking.update(glyph for glyph in GLYPHS if ord(glyph) not in font.getBestCmap())
    except (ImportError, OSError) as cause:
        found = f"Source Sans Pro cannot be read: {_first_line(cause)}"
    else:
        version = _version("font-source-sans-pro")
        found = f"{FAMILY} {version}, {len(PRINTED)} faces, with ₹ × →"
        if not lacking:
            return Check(name="fonts", found=found, ok=True, needed_for=purpose)
        found = f"{FAMILY} {version} lacks {listed(sorted(lacking))}"
    return Check(
        name="fonts",
        found=found,
        ok=False,
        needed_for=purpose,
        next_step="Remove .venv and run make setup.",
    )


# Folders


def _data(root: Path) -> Check:
    purpose = "reports about your own campaigns"
    try:
        from hkreport.store import EXPORT_ENDINGS
    except ImportError as cause:
        return Check(
            name="data",
            found=f"not looked at: {_first_line(cause)}",
            ok=False,
            needed_for=purpose,
            next_step="Remove .venv and run make setup.",
            required=False,
        )
    folder = root / "data"
    files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    exports = sorted(path.name for path in files if path.name.lower().endswith(EXPORT_ENDINGS))
    if exports:
        found = f"{len(exports)} exports in data/: {listed(exports, most=6)}"
        return Check(name="data", found=found, ok=True, needed_for=purpose)
    return Check(
        name="data",
        found="no exports in data/, so reports show the simulated sample",
        ok=False,
        needed_for=purpose,
        next_step="Put your exports in data/; make templates shows what they hold.",
        required=False,
    )


def _writing(root: Path) -> Check:
    """Try to write where builds write, in the nearest folder that exists, and leave nothing."""
    refused = []
    for name in ("build", "_site", "data"):
        folder = root / name
        place = folder if folder.is_dir() else root
        try:
            with tempfile.NamedTemporaryFile(dir=place):
                pass
        except OSError as cause:
            refused.append(f"{name}/ ({cause.strerror})")
    return Check(
        name="writing",
        found=f"not allowed: {', '.join(refused)}" if refused else f"allowed in {root}",
        ok=not refused,
        needed_for="build/, _site/ and data/sample",
        next_step=f"Give yourself write permission in {root}." if refused else "",
    )


# Tools outside the environment


def _tool(name: str, commands: Sequence[str], purpose: str, package: str) -> Check:
    place = next(filter(None, map(shutil.which, commands)), None)
    return Check(
        name=name,
        found=place or "not found",
        ok=place is not None,
        needed_for=purpose,
        next_step="" if place else f"On Debian and Ubuntu: apt-get install {package}.",
        required=False,
    )


def _first_line(cause: BaseException) -> str:
    return str(cause).strip().partition("\n")[0]
