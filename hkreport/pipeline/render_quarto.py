"""The Quarto engine: one call of the Quarto CLI for all documents, in a project made for that call.

Starting Quarto costs seconds and its projects are not safe to share, so every call gets a folder of
its own with the project's ``_quarto.yml``, the assets, the fonts and the notebooks; what comes out is
then put in place file by file. Written against Quarto 1.10.
"""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from hkreport.errors import RenderError
from hkreport.pipeline import fonts, prepare
from hkreport.pipeline.environment import quarto_fault, quarto_version
from hkreport.pipeline.prepare import Notebook
from hkreport.pipeline.render import ASSETS, Document, configuration
from hkreport.units import escape_markdown

__all__ = ["QuartoEngine", "write_project"]

ASSET_FOLDER = "hkreport/pipeline/assets"  # as _quarto.yml names it
SITE = "_site"
LOG = "quarto.log"
PATTERN = re.compile(r"[*?!|()\[\]{}]")

# Quarto reads {{< env NAME >}} in any text. Text from data is escaped, and there is nothing to read.
KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    # where a Quarto from conda has its parts, without which it says its version and renders nothing
    "QUARTO_SHARE_PATH",
    "QUARTO_DENO",
    "QUARTO_DENO_DOM",
    "QUARTO_PANDOC",
    "QUARTO_TYPST",
    "QUARTO_TYPST_GATHER",
    "QUARTO_ESBUILD",
    "QUARTO_DART_SASS",
)

# With these two numbers Quarto marks what it has set aside, and undoes it: "NUMBER;7B7B3C…;" in a text
# from data would become a shortcode, a script in a raw block, or code of Typst. It knows them in small
# letters only.
SET_ASIDE = re.compile(r"b58fc729(?=\W+690b\W)|cf5733e5(?=\W+0370\W)")

# The scripts of Quarto's pages are its own; what the policy takes away is the network.
POLICY = (
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline' data:; "
    "script-src 'self' 'unsafe-inline' data:; base-uri 'none'; form-action 'none'"
)


# Without its script Quarto leaves all tabs but the first closed for good.
UNSCRIPTED = (
    "<noscript><style>.panel-tabset > .nav-tabs { display: none !important; } "
    ".panel-tabset > .tab-content > .tab-pane { display: block !important; }</style></noscript>"
)

# A link to a figure opens the tab that holds it, as report.js has it; a phone gets the contents too, which
# Quarto has only in the margin of a wide page; and the switch of its colours, an icon, gets a name.
REVEAL = """<script>
{
  const list = document.querySelector("#TOC > ul"), bar = document.querySelector(".hk-bar");
  if (list && bar) {
    const contents = document.createElement("details"), head = document.createElement("summary");
    contents.className = "hk-contents-narrow";
    head.textContent = "Contents";
    contents.append(head, list.cloneNode(true));
    bar.after(contents);
  }
  const title = document.getElementById("title-block-header");
  if (title) {
    // Quarto puts what comes before the body behind the contents; whoever tabs would pass all of them first.
    const skip = document.createElement("a");
    skip.className = "hk-skip";
    skip.href = "#title-block-header";
    skip.textContent = "Skip to the report";
    document.body.prepend(skip);
    title.tabIndex = -1;
  }
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const pane = target && target.closest(".tab-pane");
    const tab = pane && document.querySelector(`[data-bs-target="#${pane.id}"]`);
    if (tab && !pane.classList.contains("active")) { tab.click(); target.scrollIntoView(); }
  };
  addEventListener("hashchange", reveal);
  addEventListener("load", () => {
    reveal();
    const colours = document.querySelector(".quarto-color-scheme-toggle");
    if (colours) colours.setAttribute("aria-label", "Switch between light and dark colours");
  });
}
</script>"""


class QuartoEngine:
    """Renders with the Quarto CLI.

    Parameters
    ----------
    program : Path
        The ``quarto`` executable.
    """

    name = "quarto"

    def __init__(self, program: Path) -> None:
        self.program = program

    def works(self) -> bool:
        """Whether the program starts and is new enough; a half-finished installation does not start."""
        return not self.fault()

    def fault(self) -> str:
        """Why the program cannot be used, or nothing."""
        return quarto_fault(self.program)

    def versions(self) -> dict[str, str]:
        """Versions of Quarto and of the font."""
        wheels = ("font-source-sans-pro", "fonttools")
        return {"quarto": quarto_version(self.program)} | {
            wheel: version(wheel) for wheel in wheels
        }

    def render(
        self, documents: Sequence[Document], site: Path, *, project: Path, work: Path, epoch: int
    ) -> None:
        """Make every output of `documents` below `site`, in one call of Quarto."""
        with _plain_folder(work / "quarto") as folder:
            write_project(documents, configuration(project), folder)
            done = subprocess.run(
                [str(self.program), "render", str(folder)],
                cwd=folder,
                env=_environment(epoch),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
            log = work / "quarto" / LOG
            prepare.write_atomically(log, done.stdout)
            if done.returncode:
                raise RenderError(
                    f"Quarto stopped{_at(done.stdout)}: {_cause(done.stdout)}.",
                    next_step=f"Its whole output is in {log}; the pandoc engine is an alternative.",
                )
            for document in documents:
                for made in document.outputs(folder / SITE):
                    if not made.is_file():
                        raise RenderError(
                            f"Quarto reported success but did not make {made.relative_to(folder / SITE)}.",
                            next_step=f"Its whole output is in {log}.",
                        )
                    target = site / made.relative_to(folder / SITE)
                    prepare.write_atomically(target, made.read_bytes())


@contextlib.contextmanager
def _plain_folder(wanted: Path) -> Iterator[Path]:
    """`wanted`, or a temporary folder where its path would be a pattern: Quarto then finds no file."""
    if not PATTERN.search(str(wanted.absolute())):
        yield wanted
        return
    with tempfile.TemporaryDirectory(
        prefix="hkreport-quarto-", ignore_cleanup_errors=True
    ) as place:
        yield Path(place) / "quarto"


def write_project(documents: Sequence[Document], config: dict[str, Any], folder: Path) -> Path:
    """Fill `folder` with a Quarto project for `documents`, from nothing, and name it.

    Raises
    ------
    RenderError
        If two documents would be the same file.
    """
    shutil.rmtree(folder, ignore_errors=True)
    fonts.folder(folder)
    (folder / "fonts" / "fonts.css").write_text(fonts.css() + "\n", encoding="utf-8")
    shutil.copytree(ASSETS, folder / ASSET_FOLDER)
    sources = []
    for document in documents:
        source = folder / document.folder / f"{document.stem}.ipynb"
        if source.exists():
            raise RenderError(
                f"Two documents would both be {document.folder}/{source.name}.",
                next_step="Give their pages or PDFs different names.",
            )
        notebook = prepare.read(document.notebook)
        front = document_front_matter(document, prepare.front_matter(notebook))
        content = prepare.dump(_in_lines(prepare.with_front_matter(notebook, front)))
        content = SET_ASIDE.sub(lambda number: number.group().upper(), content)
        prepare.write_atomically(source, content)
        sources.append(source.relative_to(folder).as_posix())
    settings = {**config, "project": {"type": "default", "output-dir": SITE, "render": sources}}
    text = yaml.safe_dump(settings, allow_unicode=True, sort_keys=True)
    (folder / "_quarto.yml").write_text(text, encoding="utf-8")
    return folder


def document_front_matter(document: Document, own: dict[str, Any]) -> dict[str, Any]:
    r"""What the first cell of a document tells Quarto: titles, formats and file names.

    A format that is named in a document is rendered, one that is not named is left out.

    Examples
    --------
    >>> document = Document(notebook=Path("r.ipynb"), folder="a", pdf="summary.pdf", title="A *b*")
    >>> document_front_matter(document, {"lang": "en-IN", "title": "Summary"})
    {'lang': 'en-IN', 'title': 'A \\*b\\*', 'format': {'typst': {'output-file': 'summary.pdf'}}}
    """
    formats = own.get("format") if isinstance(own.get("format"), dict) else {}
    front = {key: value for key, value in own.items() if key not in ("format", "title", "subtitle")}
    title = document.title or str(own.get("title", ""))
    subtitle = document.subtitle or str(own.get("subtitle", ""))
    front["title"] = _inert(title)
    if subtitle:
        front["subtitle"] = _inert(subtitle)
    front["format"] = {}
    if document.html:
        front["format"]["html"] = {
            **(formats or {}).get("html", {}),
            "output-file": document.html,
            "pagetitle": _inert(" – ".join(part for part in (title, subtitle) if part)),
            "include-in-header": [
                {"text": f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'},
                {"text": UNSCRIPTED},
            ],
            "include-before-body": [{"text": _bar(document)}],
            "include-after-body": [{"text": _foot(document)}],
        }
    if document.stamp:
        front["stamp"] = _inert(document.stamp)
    if document.pdf:
        front["format"]["typst"] = {**(formats or {}).get("typst", {}), "output-file": document.pdf}
    return front


def _inert(words: str) -> str:
    r"""Text for a front matter, where Quarto takes ``{{<`` and ``>}}`` for a shortcode, escaped or not.

    Examples
    --------
    >>> _inert("a{{< env HOME >}}")
    'a\\{\\{\u2060\\< env HOME \\>\u2060\\}\\}'
    """
    # A word joiner is not seen, not cut off at the ends as a space is, and a part of the word.
    escaped = escape_markdown(words)
    return escaped.replace("\\{\\<", "\\{\u2060\\<").replace("\\>\\}", "\\>\u2060\\}")


def _in_lines(notebook: Notebook) -> Notebook:
    r"""The notebook as Jupyter writes it, texts as lists of lines: of one string Quarto loses the breaks.

    Examples
    --------
    >>> _in_lines({"cells": [{"cell_type": "markdown", "source": "## A\n\ntext"}]})["cells"][0]["source"]
    ['## A\n', '\n', 'text']
    """

    def lines(text: Any) -> Any:
        return re.findall(r"[^\n]*\n|[^\n]+", text) if isinstance(text, str) else text

    cells = []
    for cell in notebook["cells"]:
        split = {**cell, "source": lines(cell["source"])}
        if "outputs" in cell:
            split["outputs"] = [
                {
                    **output,
                    **({"text": lines(output["text"])} if "text" in output else {}),
                    **(
                        {"data": {form: lines(text) for form, text in output["data"].items()}}
                        if "data" in output
                        else {}
                    ),
                }
                for output in cell["outputs"]
            ]
        cells.append(split)
    return {**notebook, "cells": cells}


def _bar(document: Document) -> str:
    """The bar at the top of a page, as page.html has it."""
    entries = "".join(
        f'<li><a href="{escape(link.href)}">{escape(link.label)}</a></li>'
        for link in document.links
    )
    others = (
        f'<div class="hk-site" data-site="{document.site}" data-here="{document.folder}"></div>'
        if document.site
        else ""
    )
    return (
        f'<header class="hk-bar"><nav aria-label="Site"><ul>{entries}</ul></nav>{others}</header>'
    )


def _foot(document: Document) -> str:
    """What stands below a page: what made it, and the script that knows the other reports."""
    stamp = (
        f'<footer class="hk-foot"><a href="run.json">{escape(document.stamp)}</a></footer>'
        if document.stamp
        else ""
    )
    script = (
        f'<script src="{document.site}nav.js" data-external="1"></script>' if document.site else ""
    )
    return stamp + REVEAL + script


def _environment(epoch: int) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    fixed = {
        "SOURCE_DATE_EPOCH": str(epoch),  # Typst writes it into the PDF in place of now
        "TYPST_IGNORE_SYSTEM_FONTS": "true",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
    }
    return kept | fixed


def _at(output: str) -> str:
    """The document that Quarto announced last."""
    announced = re.findall(r"(?m)^\[ *\d+/\d+\] (.+)$", output)
    return f" at {announced[-1].strip()}" if announced else ""


def _cause(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [place for place, line in enumerate(lines) if line.lower().startswith("error")]
    told = lines[errors[0] : errors[0] + 3] if errors else lines[-3:]
    return " ".join(told).rstrip(".") or "it printed nothing"
