"""Which pages and PDFs are made from which notebook, and by which engine?

The engines do the same work: :mod:`render_quarto` where the Quarto CLI is on the machine,
:mod:`render_pandoc` elsewhere. Both read the same ``_quarto.yml`` and the same prepared notebooks.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import yaml

from hkreport.errors import RenderError, UsageError, did_you_mean
from hkreport.pipeline.environment import quarto_fault

__all__ = ["ENGINES", "EPOCH", "Document", "Engine", "Link", "choose_engine", "configuration",
           "find_quarto", "format_options", "render"]  # fmt: skip

ENGINES = ("auto", "quarto", "pandoc")
ASSETS = Path(__file__).parent / "assets"
EPOCH = 946_684_800  # 2000-01-01 UTC, the date inside a PDF when the caller names none

GET_QUARTO = "Install it from https://quarto.org/docs/download/ or with 'pip install quarto-cli'"
INSTALL_QUARTO = f"{GET_QUARTO}, or render with --engine pandoc."


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of the bar at the top of a page.

    Parameters
    ----------
    label : str
        What a reader sees, plain text.
    href : str
        Where it leads, relative to the page.
    """

    label: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One notebook and what is made from it.

    Parameters
    ----------
    notebook : Path
        A notebook that :func:`hkreport.pipeline.prepare.prepare_file` cleaned.
    folder : str
        Where the results go, relative to the site, with forward slashes: "HKVitals/2025-Q2".
    html, pdf : str, optional
        File names of the page and the PDF in that folder; None makes none.
    title, subtitle : str
        Plain text for the title block and the running header; an empty title leaves the notebook's.
    links : tuple of Link
        The bar at the top of the page.
    stamp : str
        What made the document, for its foot; a page links it to ``run.json``.
    site : str
        The way from the page to the folder of the site, whose ``nav.js`` knows the other reports;
        empty for a page that stands alone.
    epoch : int
        Seconds since 1970 for the date inside the PDF, where the document has one of its own.

    Examples
    --------
    >>> document = Document(notebook=Path("r.ipynb"), folder="HKVitals/2025-Q2", html="index.html")
    >>> [path.as_posix() for path in document.outputs(Path("_site"))]
    ['_site/HKVitals/2025-Q2/index.html']
    >>> Document(notebook=Path("r.ipynb"), folder="../x", html="index.html")
    Traceback (most recent call last):
    hkreport.errors.RenderError: A report cannot go to '../x/index.html'. It must be ...
    """

    notebook: Path
    folder: str
    html: str | None = None
    pdf: str | None = None
    title: str = ""
    subtitle: str = ""
    links: tuple[Link, ...] = field(default=())
    stamp: str = ""
    site: str = ""
    epoch: int = EPOCH

    def __post_init__(self) -> None:
        names = [name for name in (self.html, self.pdf) if name is not None]
        parts = PurePosixPath(self.folder).parts
        whole = not PurePosixPath(self.folder).is_absolute() and ".." not in parts and parts
        if not whole or any("/" in name or "\\" in name for name in names):
            raise RenderError(
                f"A report cannot go to '{'/'.join([self.folder, *names[:1]])}'. It must be a folder "
                "inside the site and plain file names.",
                next_step="Make the folder from the slugs of brand and period.",
            )
        if not names:
            raise RenderError(
                f"The report for '{self.folder}' asks for neither HTML nor PDF.",
                next_step="Name at least one of the two with --formats.",
            )

    @property
    def stem(self) -> str:
        """Name of the document without its ending, unique in its folder."""
        return PurePosixPath(self.html or self.pdf or "").stem

    @property
    def where(self) -> str:
        """How messages name the document."""
        return f"{self.folder}/{self.html or self.pdf}"

    def outputs(self, site: Path) -> list[Path]:
        """The files that rendering makes, page first."""
        return [site / self.folder / name for name in (self.html, self.pdf) if name is not None]


class Engine(Protocol):
    """What turns prepared notebooks into pages and PDFs."""

    name: str

    def versions(self) -> dict[str, str]:
        """Programs that shape the output, with their versions, for ``run.json``."""
        ...

    def render(
        self, documents: Sequence[Document], site: Path, *, project: Path, work: Path, epoch: int
    ) -> None:
        """Make every output of `documents` below `site`."""
        ...


def find_quarto() -> Path | None:
    """The first Quarto CLI that works, beside the running Python or on PATH; else the first; else None."""
    folders = [
        str(Path(sys.executable).parent),
        *os.environ.get("PATH", os.defpath).split(os.pathsep),
    ]
    found = [Path(place) for each in folders if (place := shutil.which("quarto", path=each))]
    return next((place for place in found if not quarto_fault(place)), found[0] if found else None)


def choose_engine(name: str = "auto") -> Engine:
    """The engine of that name; ``auto`` takes Quarto where it is installed.

    Raises
    ------
    UsageError
        If there is no engine of that name.
    RenderError
        If Quarto is asked for and not installed.

    Examples
    --------
    >>> choose_engine("pandoc").name
    'pandoc'
    >>> choose_engine("pandok")
    Traceback (most recent call last):
    hkreport.errors.UsageError: Unknown engine 'pandok'. Did you mean 'pandoc'? ...
    """
    # the engines import this module
    from hkreport.pipeline.render_pandoc import PandocEngine
    from hkreport.pipeline.render_quarto import QuartoEngine

    if name not in ENGINES:
        raise UsageError(
            f"Unknown engine '{name}'. {did_you_mean(name, ENGINES)}".strip(),
            next_step=f"Use one of: {', '.join(ENGINES)}.",
        )
    program = None if name == "pandoc" else find_quarto()
    if program is not None and QuartoEngine(program).works():
        return QuartoEngine(program)
    if name == "quarto":
        found = (
            f"{program} {QuartoEngine(program).fault()}"
            if program
            else f"there is no 'quarto' beside {Path(sys.executable).name} or on PATH"
        )
        raise RenderError(
            f"The quarto engine was asked for, but {found}.", next_step=INSTALL_QUARTO
        )
    return PandocEngine()


def passed_over(name: str) -> str:
    """Why ``auto`` does not take a Quarto that is there; empty where it does, or where there is none."""
    from hkreport.pipeline.render_quarto import QuartoEngine

    program = find_quarto() if name == "auto" else None
    fault = QuartoEngine(program).fault() if program is not None else ""
    return f"passing over Quarto: {program} {fault}" if fault else ""


def render(
    documents: Sequence[Document],
    site: Path,
    *,
    project: Path,
    work: Path,
    engine: Engine | str = "auto",
    epoch: int = EPOCH,
) -> list[Path]:
    """Make the pages and PDFs of `documents` below `site`; each file appears whole or not at all.

    Parameters
    ----------
    documents : sequence of Document
        Prepared notebooks with what to make of them.
    site : Path
        The folder of the finished site.
    project : Path
        The folder that holds ``_quarto.yml``.
    work : Path
        A folder for intermediate files, of this call alone.
    engine : Engine or str, default "auto"
        See :func:`choose_engine`.
    epoch : int
        Seconds since 1970 for the date inside the PDFs. A constant, or a date from the data, never now.

    Returns
    -------
    list of Path
        The files made, in the order of `documents`.

    Raises
    ------
    RenderError
        If an engine fails, naming the document and the cause.
    """
    chosen = choose_engine(engine) if isinstance(engine, str) else engine
    if documents:
        chosen.render(documents, site, project=project, work=work, epoch=epoch)
    made = [path for document in documents for path in document.outputs(site)]
    for path in made:
        if not path.is_file():
            raise RenderError(
                f"{chosen.name} reported success but did not make {path.name} in {path.parent}.",
                next_step=f"Look at the intermediate files in {work}.",
            )
    return made


def configuration(project: Path) -> dict[str, Any]:
    """The content of ``_quarto.yml`` in `project`.

    Raises
    ------
    RenderError
        If it is missing or not valid YAML.
    """
    path = project / "_quarto.yml"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise RenderError(
            f"{path} cannot be read: {error}.", next_step="Restore the file from the repository."
        ) from error
    return dict(found)


def format_options(config: dict[str, Any], front: dict[str, Any], kind: str) -> dict[str, Any]:
    """Options for one format, as Quarto merges them: project first, then the notebook's own.

    Examples
    --------
    >>> config = {"lang": "en-IN", "format": {"html": {"toc": True}, "typst": {"toc": True}}}
    >>> format_options(config, {"title": "T", "format": {"typst": {"toc": False}}}, "typst")
    {'lang': 'en-IN', 'toc': False, 'title': 'T'}
    """
    merged: dict[str, Any] = {}
    for source in (config, front):
        formats = source.get("format")
        own = formats.get(kind) if isinstance(formats, dict) else None
        general = {key: value for key, value in source.items() if key not in ("format", "project")}
        for layer in (general, own or {}):
            merged = _deep(merged, layer)
    return merged


def _deep(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = (
            _deep(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged
