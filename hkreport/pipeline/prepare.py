"""Which parts of an executed notebook does a reader see?

A run leaves times, durations, paths and half a dozen forms of every output in the notebook. Here it
becomes a clean copy that both engines read: the same bytes for the same content, every output in the
one form that is right for HTML and for PDF, and no labelled cell without content. Turning the copy
into pages is left to the engines.
"""

import copy
import functools
import json
import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml

from hkreport.errors import RenderError, did_you_mean
from hkreport.folders import write_atomically
from hkreport.pipeline import fonts
from hkreport.theme import DRAWN, WORDS
from hkreport.units import quote_typst

__all__ = [
    "Cell",
    "drawable",
    "front_matter",
    "options",
    "prepare",
    "prepare_file",
    "read",
    "with_front_matter",
    "write_atomically",
]

Cell = dict[str, Any]
Notebook = dict[str, Any]

LABEL = re.compile(r"(fig|tbl)-[A-Za-z0-9][A-Za-z0-9-]*")
OPTIONS = {"label", "fig-cap", "tbl-cap", "fig-alt"}
RUNNERS = {"parameters", "injected-parameters"}  # papermill's tags: these cells show nothing
SHOWN = ("image/svg+xml", "text/markdown", "image/png")  # in order of preference
WIDGET = "application/vnd.jupyter.widget"  # progress bars and their state
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

SKIN_TONES = "🏻🏼🏽🏾🏿"
ZERO_WIDTH_JOINER = "\u200d"
BOX = "☐"  # U+2610, which the font of the report holds

SHORTCODE = re.compile(r"^```+\{=typst\}$.*?^```+$", re.MULTILINE | re.DOTALL)

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
ACTIVE = {"script", "foreignObject", "iframe", "object", "embed", "audio", "video", "a", "set"}
REFERENCE = re.compile(r"(^|url\(['\"]?)#([^'\")]+)")
BOX_OF_FOUR = re.compile(r"[\d.]+( [\d.]+){3}")
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")  # no XML may hold them


def prepare_file(executed: Path, prepared: Path) -> Path:
    """Clean `executed` into `prepared`, atomically; see :func:`prepare`."""
    write_atomically(prepared, dump(prepare(read(executed), name=executed.name)))
    return prepared


def read(path: Path) -> Notebook:
    """A notebook as it is in the file."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RenderError(
            f"{path.name} cannot be read as a notebook: {error}.",
            next_step="Run the report again; the executed notebook is made anew.",
        ) from error
    return dict(notebook)


def prepare(notebook: Notebook, *, name: str) -> Notebook:
    """Clean copy of an executed notebook, with one form of every output.

    Charts become inline SVG for HTML and an image with alternative text for Typst, in one
    ``text/markdown`` output, with the data table from the output's metadata folded below the
    drawing; Markdown outputs stay as they are; all other forms are dropped.

    Parameters
    ----------
    notebook : dict
        An executed notebook, format 4.
    name : str
        How messages name the notebook.

    Returns
    -------
    dict
        A notebook without run noise: equal content gives equal bytes from :func:`dump`.

    Raises
    ------
    RenderError
        If a cell failed, a labelled cell shows nothing, a label or an option is not as Quarto wants
        it, a chart has no alternative text, or an output has no form that a report can show.

    Examples
    --------
    >>> cell = {"cell_type": "markdown", "metadata": {"papermill": {}}, "source": ["## Sales"]}
    >>> prepare({"cells": [cell], "metadata": {}}, name="report.ipynb")["cells"]
    [{'cell_type': 'markdown', 'id': 'cell-1', 'metadata': {}, 'source': '## Sales'}]
    """
    cells: list[Cell] = []
    labels: dict[str, int] = {}
    for number, cell in enumerate(notebook.get("cells", []), start=1):
        source = _joined(cell.get("source", ""))
        clean: Cell = {"cell_type": cell["cell_type"], "id": f"cell-{number}", "metadata": {}}
        if cell["cell_type"] == "code":
            where = f"{name}, cell {number}"
            clean |= _code(cell, source, where=where)
            label = options(clean["source"], where=where).get("label")
            if label in labels:
                raise RenderError(
                    f"{where}: label '{label}' is already used in cell {labels[label]}; labels must "
                    "be unique.",
                    next_step="Rename one of the two.",
                )
            if label:
                labels[label] = number
        else:
            clean["source"] = source
        cells.append(clean)
    return {"cells": cells, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}


def dump(notebook: Notebook) -> str:
    r"""Text of a notebook file, with keys in one order.

    Examples
    --------
    >>> dump({"cells": []})
    '{\n "cells": []\n}\n'
    """
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def front_matter(notebook: Notebook) -> dict[str, Any]:
    r"""Title and options that the first cell declares, or nothing.

    Examples
    --------
    >>> cell = {"cell_type": "raw", "source": "---\ntitle: Summary\n---"}
    >>> front_matter({"cells": [cell]})
    {'title': 'Summary'}
    >>> front_matter({"cells": []})
    {}
    """
    body = _front_matter_text(notebook)
    if body is None:
        return {}
    try:
        found = yaml.safe_load(body)
    except yaml.YAMLError as error:
        raise RenderError(
            f"The front matter of the notebook is not valid YAML: {error}.",
            next_step="Mend the first cell of the notebook.",
        ) from error
    return found if isinstance(found, dict) else {}


def with_front_matter(notebook: Notebook, values: dict[str, Any]) -> Notebook:
    """Copy of `notebook` whose first cell declares `values` and nothing else."""
    source = "---\n" + yaml.safe_dump(values, allow_unicode=True, sort_keys=True) + "---"
    first = {"cell_type": "raw", "id": "front-matter", "metadata": {}, "source": source}
    cells = notebook["cells"]
    rest = cells if _front_matter_text(notebook) is None else cells[1:]
    return {**notebook, "cells": [first, *rest]}


def options(source: str, *, where: str = "cell") -> dict[str, Any]:
    r"""Quarto's options in the ``#|`` lines at the top of a code cell.

    Examples
    --------
    >>> options("#| label: fig-trend\n#| fig-cap: Revenue by week\ncharts.trend(weeks)")
    {'label': 'fig-trend', 'fig-cap': 'Revenue by week'}
    """
    lines = [line[2:] for line in _option_lines(source)]
    try:
        found = copy.copy(_loaded("\n".join(lines))) if lines else {}
    except yaml.YAMLError as error:
        raise RenderError(
            f"{where}: the #| lines are not valid YAML: {error}.",
            next_step="Put a caption that holds a colon into quotes.",
        ) from error
    if not isinstance(found, dict):
        raise RenderError(
            f"{where}: the #| lines hold {found!r}; they must be 'option: value'.",
            next_step="Write for example '#| label: fig-trend'.",
        )
    return found


@functools.lru_cache(maxsize=1000)
def _loaded(text: str) -> Any:
    """YAML as it is read; three steps ask for the options of each cell."""
    return yaml.safe_load(text)


def drawable(text: str) -> str:
    """Text for a drawing in a PDF: a box for every character that the font lacks.

    One box for a sign and what modifies it: an emoji of a family is one. An accent that is no part of
    a letter is left out: PDF/UA refuses its glyph. Text outside drawings is replaced by the Typst
    template as it is set, where other fonts can help out; in a drawing they would take over the whole
    line.

    Examples
    --------
    >>> drawable("Asha 🔥 ₹1,234 ♥\ufe0f 👩🏽\u200d🚀")
    'Asha ☐ ₹1,234 ☐ ☐'
    >>> drawable("Re\u0301e q\u0301\u0301")
    'Rée q'
    """
    known = fonts.characters()
    kept: list[str] = []
    before = ""
    for char in unicodedata.normalize("NFC", text):
        modifies = (
            unicodedata.category(char) in ("Mn", "Mc", "Me", "Cf", "Cc") or char in SKIN_TONES
        )
        if char in known and unicodedata.category(char) != "Mn":
            kept.append(char)
        elif not modifies and before != ZERO_WIDTH_JOINER:
            kept.append(BOX)
        before = char
    return "".join(kept)


def _front_matter_text(notebook: Notebook) -> str | None:
    for cell in notebook.get("cells", [])[:1]:
        found = re.fullmatch(r"\s*---\n(.*?)\n?---\s*", _joined(cell["source"]), re.DOTALL)
        if cell["cell_type"] in ("raw", "markdown") and found:
            return found.group(1)
    return None


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _option_lines(source: str) -> list[str]:
    lines = []
    for line in source.splitlines():
        if not line.startswith("#|"):
            break
        lines.append(line)
    return lines


def _code(cell: Cell, source: str, *, where: str) -> Cell:
    """Source, options and outputs of one code cell, checked."""
    found = options(source, where=where)
    _check_options(found, where=where)
    label = found.get("label")
    where = f"{where} ({label})" if label else where
    shown = list(_shown(cell, where=where))
    if RUNNERS & set(cell.get("metadata", {}).get("tags", [])):
        shown = []
    elif label and len(shown) != 1:
        raise RenderError(
            f"{where} shows {'nothing' if not shown else f'{len(shown)} outputs'}; a labelled cell "
            "must show exactly one, or references to it break.",
            next_step="End the cell with one chart, table or sentence; where there is nothing to "
            "show, a sentence that says so.",
        )
    outputs = []
    for output in shown:
        mime, content = output.mime, output.content
        if mime.startswith("image/"):
            alt = output.alt or str(found.get("fig-alt", ""))
            if not alt:
                raise RenderError(
                    f"{where} shows a chart without alternative text, which a screen reader needs.",
                    next_step="Draw it with hkreport.charts, or add '#| fig-alt: ...' to the cell.",
                )
            source = _with_alt(source, alt)
            if mime == "image/svg+xml":
                prefix = label or _prefix(where)
                mime, content = "text/markdown", _drawing(output, alt, prefix)
        if mime == "text/markdown":
            content = SHORTCODE.sub(_without_shortcodes, content)
        outputs.append({"output_type": "display_data", "data": {mime: content}, "metadata": {}})
    return {"source": source, "outputs": outputs, "execution_count": None}


def _without_shortcodes(block: re.Match[str]) -> str:
    """A raw Typst block in which Quarto finds no shortcode: its data stands in string literals."""
    return block.group().replace("{{<", "\\u{7b}{<")


def _prefix(where: str) -> str:
    """What the ids of a drawing begin with where its cell has no label."""
    return "cell-" + re.sub(r"\D", "", where.rpartition(" ")[2])


def _check_options(found: dict[str, Any], *, where: str) -> None:
    for option in found:
        if option not in OPTIONS:
            raise RenderError(
                f"{where}: unknown option '#| {option}'. Allowed: {', '.join(sorted(OPTIONS))}. "
                f"{did_you_mean(option, OPTIONS)}".strip(),
                next_step="Correct the line in the notebook.",
            )
    label = found.get("label")
    if label is None:
        return
    if not LABEL.fullmatch(str(label)):
        raise RenderError(
            f"{where}: label '{label}' must begin with 'fig-' or 'tbl-' and go on in letters, "
            "digits and hyphens.",
            next_step="Rename it, for example 'fig-trend'.",
        )
    caption = f"{label[:3]}-cap"
    if not str(found.get(caption, "")).strip():
        raise RenderError(
            f"{where}: '{label}' has no caption.", next_step=f"Add a line '#| {caption}: ...'."
        )


@dataclass(frozen=True, slots=True)
class _Shown:
    """One output that a reader sees: its best form, and what the package says about it."""

    mime: str
    content: str
    alt: str
    details: str
    title: str
    subtitle: str
    note: str


def _shown(cell: Cell, *, where: str) -> Iterator[_Shown]:
    """Each output of a cell that a reader sees."""
    for output in cell.get("outputs", []):
        kind = output["output_type"]
        if kind == "error":
            raise RenderError(
                f"{where} failed: {output.get('ename')}: {_first_line(output.get('evalue'))}.",
                next_step="Mend the cause and run the report again.",
            )
        if kind == "stream":  # what a library prints is for the log
            continue
        data = output.get("data", {})
        if any(mime.startswith(WIDGET) for mime in data):
            continue
        mime = next((mime for mime in SHOWN if mime in data), None)
        if mime is None:
            raise RenderError(
                f"{where} shows {', '.join(sorted(data)) or 'nothing'}; a report can show only "
                f"{', '.join(SHOWN)}.",
                next_step="End the cell with a chart or table of hkreport, or assign the value.",
            )
        told = output.get("metadata", {}).get("hkreport", {})
        names = ("alt", "title", "subtitle", "note")
        words = {name: CONTROLS.sub(" ", told.get(name, "")).strip() for name in names}
        details = CONTROLS.sub("", told.get("data", ""))
        yield _Shown(mime, CONTROLS.sub("", _joined(data[mime])), details=details, **words)


def _first_line(text: object) -> str:
    return str(text or "").strip().partition("\n")[0].rstrip(".")


def _with_alt(source: str, alt: str) -> str:
    """The cell with its alternative text as an option, in place of a static one."""
    head = _option_lines(source)
    body = source.splitlines()[len(head) :]
    kept = [line for line in head if not line.removeprefix("#|").strip().startswith("fig-alt:")]
    one_line = " ".join(alt.split())
    return "\n".join([*kept, f"#| fig-alt: {json.dumps(one_line, ensure_ascii=False)}", *body])


def _drawing(shown: _Shown, alt: str, prefix: str) -> str:
    """One Markdown text with a drawing twice: for HTML, over its folded data table, and for Typst.

    A page writes title, subtitle and note of a chart as text, so that they wrap; a PDF has them drawn.
    """
    try:
        root = ElementTree.fromstring(shown.content)
    except ElementTree.ParseError as error:
        raise RenderError(
            f"The drawing {prefix} is not valid SVG: {error}.",
            next_step="Draw it with hkreport.charts.",
        ) from error
    _check_drawing(root, prefix)
    alt = " ".join(alt.split())
    _drop(root, "metadata", "title", "desc")
    drawn = root.attrib.pop(DRAWN, "")
    if not BOX_OF_FOUR.fullmatch(drawn):
        drawn = ""
    for_pdf = _drawing_for_pdf(copy.deepcopy(root))
    for_html = _drawing_for_html(root, alt, prefix, drawn)
    if drawn:
        for_html = _with_words(for_html, shown, drawn)
    return (
        f"```{{=html}}\n{for_html}\n{shown.details}\n```\n\n"
        f"```{{=typst}}\n#hk-chart({quote_typst(for_pdf)}, {quote_typst(alt)})\n```\n"
    )


def _with_words(svg: str, shown: _Shown, drawn: str) -> str:
    """A drawing with its words; what is too wide for the page scrolls sideways below them."""
    left, _, width, _ = drawn.split()
    above = [
        f'<p class="hk-chart-{name}">{_one_line(words)}</p>'
        for name, words in (("title", shown.title), ("subtitle", shown.subtitle))
        if words
    ]
    below = [f'<p class="hk-chart-note">{_one_line(shown.note)}</p>'] if shown.note else []
    # tabindex: where it scrolls, the keyboard must reach it.
    box = (
        f'<div class="hk-wide" style="--left: {left}; --width: {width}" tabindex="0" role="group" '
        f'aria-label="{_one_line(shown.title)}">'
    )
    return "\n".join([*above, box, svg, "</div>", *below])


def _one_line(text: str) -> str:
    """Text for a raw block of HTML, which a blank line or a fence would end."""
    return escape(" ".join(text.split())).replace("`", "&#96;")


def _check_drawing(root: ElementTree.Element, name: str) -> None:
    """Refuse anything in a drawing that could act or reach out: it stands inside the page."""
    for element in root.iter():
        tag = str(element.tag).rpartition("}")[2]
        bad = tag if tag in ACTIVE or tag.startswith("animate") else ""
        for key, value in element.attrib.items():
            attribute = key.rpartition("}")[2]
            outside = attribute == "href" and not value.startswith(("#", "data:image/"))
            styled = re.search(r"url\((?!\s*['\"]?#)|@import", value)
            if attribute.lower().startswith("on") or outside or styled:
                bad = f"{tag} {attribute}"
        if tag == "style" and re.search(r"url\(|@import", element.text or ""):
            bad = tag
        if bad:
            raise RenderError(
                f"The drawing {name} holds '{bad}', which a report must not contain.",
                next_step="Draw it with hkreport.charts.",
            )


def _drop(root: ElementTree.Element, *tags: str) -> None:
    for parent in list(root.iter()):
        for child in list(parent):
            if str(child.tag).rpartition("}")[2] in tags:
                parent.remove(child)


def _drawing_for_html(root: ElementTree.Element, alt: str, prefix: str, drawn: str) -> str:
    """The SVG as part of a page: its own ids, no style sheet, sized by the page.

    Where it says what is drawn, the rest is left out.
    """
    _drop(root, "style")
    if drawn:
        for parent in list(root.iter()):
            for child in [each for each in parent if each.get("id", "").startswith(WORDS)]:
                parent.remove(child)
    referred = {
        name
        for element in root.iter()
        for value in element.attrib.values()
        for _, name in REFERENCE.findall(value)
    }
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == "id" and value in referred:
                element.set(key, f"{prefix}-{value}")
            elif key == "id":
                del element.attrib[key]
            elif key.rpartition("}")[2] == "href" and value.startswith("#"):
                del element.attrib[key]  # it may be xlink:href, which pages no longer need
                element.set("href", f"#{prefix}-{value[1:]}")
            elif "url(" in value:
                element.set(key, REFERENCE.sub(rf"\1#{prefix}-\2", value))
    root.attrib = {
        "class": "hk-chart",
        "role": "img",
        "aria-label": alt,
        "viewBox": drawn or root.get("viewBox", "0 0 640 360"),
        "stroke-linejoin": "round",
    }
    return _serialised(root)


def _drawing_for_pdf(root: ElementTree.Element) -> str:
    """The SVG for Typst, with a box for what its fonts cannot draw."""
    for element in root.iter():
        element.text = drawable(element.text) if element.text else element.text
        element.tail = drawable(element.tail) if element.tail else element.tail
    return _serialised(root)


def _serialised(root: ElementTree.Element) -> str:
    """One line of SVG: a blank line would end a raw block, and a fence is three backticks."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    text = ElementTree.tostring(root, encoding="unicode")
    return " ".join(text.split()).replace("`", "&#96;")
