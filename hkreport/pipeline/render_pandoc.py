"""The embedded engine: pandoc and Typst from their wheels, for what our notebooks use of Quarto.

A prepared notebook becomes Pandoc Markdown, as Quarto writes it; pandoc reads that once; figures,
tables, references, callouts and tabs are resolved on its document tree, where text from data is text
and can be nothing else; and pandoc writes HTML, or Typst that becomes a PDF.
"""

import base64
import functools
import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pypandoc
import typst

from hkreport.errors import RenderError, did_you_mean, listed
from hkreport.pipeline import fonts, prepare
from hkreport.pipeline.render import ASSETS, Document, configuration, format_options
from hkreport.units import quote_typst

__all__ = ["PandocEngine", "Tree", "to_markdown"]

Node = dict[str, Any]

# Text from data is escaped where it is made. Should an escape be missing, there is still no raw HTML,
# no LaTeX, no metadata and no dollar mathematics to fall into.
READER = (
    "markdown-raw_html-raw_tex-latex_macros-tex_math_dollars-yaml_metadata_block-pandoc_title_block"
    "-native_divs-native_spans-markdown_in_html_blocks-example_lists-implicit_figures"
)
NAMES = {"fig": "Figure", "tbl": "Table"}
CALLOUTS = {
    "note": ("Note", "hk-accent"),
    "tip": ("Tip", "hk-good"),
    "warning": ("Warning", "hk-bands.ok.ink"),
    "important": ("Important", "hk-bad"),
    "caution": ("Caution", "hk-bad"),
}
NBSP = "\u00a0"
PAGE_BREAK = re.compile(r"^\{\{< pagebreak >\}\}$", re.MULTILINE)  # in cells of text only
# Nothing but the page itself and the site's nav.js: what is in a page cannot reach a network, nor run a
# script of its own.
POLICY = (
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; "
    "script-src 'self' 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
)


class PandocEngine:
    """Renders with the pandoc and Typst that come as wheels; needs no network and no other program."""

    name = "pandoc"

    def versions(self) -> dict[str, str]:
        """Versions of the wheels that shape the output."""
        wheels = ("pypandoc_binary", "typst", "font-source-sans-pro", "fonttools")
        return {wheel: version(wheel) for wheel in wheels}

    def render(
        self, documents: Sequence[Document], site: Path, *, project: Path, work: Path, epoch: int
    ) -> None:
        """Make every output of `documents` below `site`: page and PDF of each side by side."""
        config = configuration(project)
        faces = fonts.folder(work) if any(document.pdf for document in documents) else None
        with ThreadPoolExecutor(2) as threads:  # they wait for pandoc and Typst, not for each other
            for document in documents:
                notebook = prepare.read(document.notebook)
                front = prepare.front_matter(notebook)
                aside = Aside(notebook, document)
                markdown, images = to_markdown(notebook, aside)
                read = _pandoc(["--from", READER, "--to", "json"], markdown, document.where)
                tree = Tree(read, document, aside)
                tree.check(notebook)
                tasks = []
                if document.html:
                    options = format_options(config, front, "html")
                    tasks.append(threads.submit(_write_page, tree, document, options, site))
                if document.pdf and faces is not None:
                    options = format_options(config, front, "typst")
                    place = _Place(site, work, faces, epoch)
                    tasks.append(threads.submit(_write_pdf, tree, document, options, images, place))
                for task in tasks:
                    task.result()


@dataclass(frozen=True)
class _Place:
    """Where a PDF is made, and the date in it."""

    site: Path
    work: Path
    faces: Path
    epoch: int


def _write_page(tree: "Tree", document: Document, options: dict[str, Any], site: Path) -> None:
    target = site / document.folder / str(document.html)
    prepare.write_atomically(target, _page(tree, document, options))


def _write_pdf(
    tree: "Tree",
    document: Document,
    options: dict[str, Any],
    images: dict[str, bytes],
    place: _Place,
) -> None:
    source = place.work / document.folder / f"{document.stem}.typ"
    prepare.write_atomically(source, _typst(tree, document, options))
    for name, content in images.items():
        prepare.write_atomically(source.parent / name, content)
    pdf = _compile(source, place.faces, place.work, options, place.epoch, document)
    prepare.write_atomically(place.site / document.folder / str(document.pdf), pdf)


class Aside:
    r"""Raw blocks that pandoc would read three times only to hand them on: it sees a word for each.

    They are nine tenths of a report, and half of pandoc's time.

    Parameters
    ----------
    *told : object
        What the words must not occur in: they are made of its hash, which no text holds of itself.

    Examples
    --------
    >>> aside = Aside("a notebook")
    >>> short = aside.taken("```{=html}\n<hr>\n```")
    >>> short
    '```{=html}\nraw0d967a552a47f773-0;\n```'
    >>> aside.back(f"<p>{short.splitlines()[1]}</p>")
    '<p><hr></p>'
    """

    # As tables and charts write them; what pandoc might change (tabs, empty lines) is left to it.
    BLOCK = re.compile(r"^```\{=(?:html|typst)\}\n((?:[^`\t\r\n]*[^`\s]\n)+)```$", re.MULTILINE)

    def __init__(self, *told: object) -> None:
        self._word = f"raw{hashlib.sha256(repr(told).encode()).hexdigest()[:16]}-"
        self._kept: list[str] = []

    def put(self, raw: str) -> str:
        """The word for a text that pandoc hands on as it is."""
        self._kept.append(raw)
        return f"{self._word}{len(self._kept) - 1};"

    def taken(self, markdown: str) -> str:
        """Markdown with words in place of what stands in its raw blocks."""
        return self.BLOCK.sub(
            lambda block: block[0].replace(block[1], self.put(block[1][:-1]) + "\n"), markdown
        )

    def back(self, written: str) -> str:
        """What pandoc wrote, with the texts in place of their words."""
        return re.sub(rf"{self._word}(\d+);", lambda word: self._kept[int(word[1])], written)


def to_markdown(
    notebook: prepare.Notebook, aside: Aside | None = None
) -> tuple[str, dict[str, bytes]]:
    r"""Pandoc Markdown of a prepared notebook, and the bitmap files that its Typst form names.

    Examples
    --------
    >>> source = "#| label: fig-a\n#| fig-cap: Sales\nplot()"
    >>> output = {"data": {"text/markdown": "Nothing was sold."}}
    >>> cell = {"cell_type": "code", "source": source, "outputs": [output]}
    >>> print(to_markdown({"cells": [cell]})[0])
    ::: {#fig-a .hk-float}
    ::: {.hk-body}
    Nothing was sold.
    :::
    <BLANKLINE>
    ::: {.hk-caption}
    Sales
    :::
    :::
    <BLANKLINE>
    """
    parts: list[str] = []
    images: dict[str, bytes] = {}
    cells = notebook["cells"]
    for number, cell in enumerate(cells[1:] if prepare.front_matter(notebook) else cells):
        if cell["cell_type"] != "code":
            parts.append(PAGE_BREAK.sub("```{=typst}\n#pagebreak(weak: true)\n```", cell["source"]))
            continue
        options = prepare.options(cell["source"])
        shown = []
        for output in cell["outputs"]:
            mime, data = next(iter(output["data"].items()))
            if mime == "image/png":
                name = f"{options.get('label', f'cell-{number}')}.png"
                images[name] = base64.b64decode(data)
                data = _bitmap(data, name, options["fig-alt"])
            data = data.strip("\n")
            shown.append(aside.taken(data) if aside else data)
        label = options.get("label")
        body = "\n\n".join(shown)
        if label:
            caption = str(options[f"{label[:3]}-cap"]).strip()
            parts.append(
                f"::: {{#{label} .hk-float}}\n::: {{.hk-body}}\n{body}\n:::\n\n"
                f"::: {{.hk-caption}}\n{caption}\n:::\n:::"
            )
        elif body:
            parts.append(f"::: {{.hk-output}}\n{body}\n:::")
    return "\n\n".join(parts) + "\n", images


def _bitmap(data: str, name: str, alt: str) -> str:
    source = "".join(data.split())
    return (
        f'```{{=html}}\n<img src="data:image/png;base64,{source}" alt="{escape(alt)}">\n```\n\n'
        f"```{{=typst}}\n#image({quote_typst(name)}, width: 100%, "
        f"alt: {quote_typst(alt)})\n```\n"
    )


@dataclass
class Tree:
    """A document as pandoc read it, and its forms for HTML and Typst.

    Parameters
    ----------
    source : str
        The document in pandoc's JSON.
    document : Document
        What it is rendered as; names it in messages.
    aside : Aside
        What was taken out before pandoc read it.
    """

    source: str
    document: Document
    aside: Aside = field(default_factory=Aside)
    parsed: Node = field(init=False)
    numbers: dict[str, int] = field(init=False)
    headings: list[Node] = field(init=False)

    def __post_init__(self) -> None:
        self.parsed = json.loads(self.source)
        self.numbers = {}
        counters = dict.fromkeys(NAMES, 0)
        for node in _every(self.parsed["blocks"]):
            if node["t"] == "Div" and "hk-float" in node["c"][0][1]:
                label = node["c"][0][0]
                counters[label[:3]] += 1
                self.numbers[label] = counters[label[:3]]
        self.headings = [node for node in _every(self.parsed["blocks"]) if node["t"] == "Header"]

    def check(self, notebook: prepare.Notebook) -> None:
        """Stop where a cell was swallowed by its neighbour, or a link leads nowhere."""
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        labels = [prepare.options(cell["source"]).get("label") for cell in cells]
        wanted = [label for label in labels if label]
        floats = list(_floats(self.parsed["blocks"]))
        if floats != wanted:
            lost = [label for label in wanted if label not in floats] or wanted
            raise RenderError(
                f"{self.document.where}: the cells {listed(lost)} are inside another element. A fence "
                "(:::) or code block before them is not closed.",
                next_step="Balance the ':::' lines of the notebook.",
            )
        places = {
            identifier
            for node in _every(self.parsed["blocks"])
            if (identifier := _identifier(node))
        }
        for node in _every(self.parsed["blocks"]):
            target = node["c"][2][0] if node["t"] == "Link" else ""
            if target.startswith("#") and target[1:] not in places:
                raise RenderError(
                    f"{self.document.where}: the link to '{target}' leads nowhere. "
                    f"{did_you_mean(target[1:], places)}".strip(),
                    next_step="Correct the link in the notebook.",
                )

    def html(self) -> list[Node]:
        """Blocks for pandoc's HTML writer."""
        tabsets = iter(range(1, 1000))

        def swap(node: Node) -> list[Node] | None:
            match node["t"]:
                case "RawBlock":
                    return [node] if node["c"][0] == "html" else []
                case "RawInline":
                    return [_text(node["c"][1])]
                case "Cite":
                    return self._references(node, self._html_reference)
                case "Div":
                    return self._html_div(node, swap, tabsets)
            return None

        return _swapped(self.parsed["blocks"], swap)

    def typst(self) -> list[Node]:
        """Blocks for pandoc's Typst writer, with headings from level 1."""
        lowest = min((heading["c"][0] for heading in self.headings), default=1)

        def swap(node: Node) -> list[Node] | None:
            match node["t"]:
                case "RawBlock":
                    return [node] if node["c"][0] == "typst" else []
                case "RawInline":
                    return [_text(node["c"][1])]
                case "Header":
                    level, attributes, inlines = node["c"]
                    return [
                        {
                            "t": "Header",
                            "c": [level - lowest + 1, attributes, _swapped(inlines, swap)],
                        }
                    ]
                case "Link" if not node["c"][2][0].startswith(("#", "http:", "https:", "mailto:")):
                    return _swapped(
                        node["c"][1], swap
                    )  # a file beside the page is not beside the PDF
                case "Cite":
                    return self._references(node, self._typst_reference)
                case "Div":
                    return self._typst_div(node, swap)
            return None

        return _swapped(_led_in(self.parsed["blocks"]), swap)

    def _references(self, cite: Node, one: Callable[[str, bool], Node]) -> list[Node]:
        """Links for ``@fig-a``, ``[-@fig-a]`` and ``[@fig-a; @tbl-b]``; other citations stay text."""
        citations, written = cite["c"]
        if not all(each["citationId"][:4] in ("fig-", "tbl-") for each in citations):
            return list(written)
        made: list[Node] = []
        for each in citations:
            label = each["citationId"]
            if label not in self.numbers:
                raise RenderError(
                    f"{self.document.where}: '@{label}' refers to a figure or table that is not there. "
                    f"{did_you_mean(label, self.numbers)}".strip(),
                    next_step="Correct the reference, or the '#| label:' of the cell.",
                )
            made += [_text(", ")] if made else []
            made += each["citationPrefix"] + [{"t": "Space"}] if each["citationPrefix"] else []
            made.append(one(label, each["citationMode"]["t"] == "SuppressAuthor"))
            made += each["citationSuffix"]
        return made

    def _html_reference(self, label: str, short: bool) -> Node:
        number = str(self.numbers[label])
        text = number if short else f"{NAMES[label[:3]]}{NBSP}{number}"
        return {"t": "Link", "c": [["", ["quarto-xref"], []], [_text(text)], [f"#{label}", ""]]}

    def _typst_reference(self, label: str, short: bool) -> Node:
        supplement = "none" if short else f"[{NAMES[label[:3]]}]"
        return {"t": "RawInline", "c": ["typst", f"#ref(<{label}>, supplement: {supplement});"]}

    def _html_div(self, div: Node, swap: "Swap", tabsets: Iterator[int]) -> list[Node] | None:
        (identifier, classes, _), blocks = div["c"]
        if "hk-float" in classes:
            body, caption = (_swapped(part["c"][1], swap) for part in blocks)
            kind = identifier[:3]
            number = f"{NAMES[kind]}{NBSP}{self.numbers[identifier]}: "
            label = {"t": "Span", "c": [["", ["hk-number"], []], [_text(number)]]}
            legend = [
                _raw("html", "<figcaption>"),
                _led(caption, label),
                _raw("html", "</figcaption>"),
            ]
            main = [_raw("html", '<div class="hk-figure">'), *body, _raw("html", "</div>")]
            inside = [*legend, *main] if kind == "tbl" or _is_said(blocks) else [*main, *legend]
            start = f'<figure id="{identifier}" class="quarto-float quarto-float-{kind}">'
            return [_raw("html", start), *inside, _raw("html", "</figure>")]
        if callout := _callout(div):
            kind, title, body = callout
            folds = dict(div["c"][0][2]).get("collapse")
            outer, inner = ("details", "summary") if folds else ("div", "div")
            opened = " open" if folds == "false" else ""
            return [
                _raw("html", f'<{outer} class="callout callout-{kind}"{opened}>'),
                _raw("html", f'<{inner} class="callout-title">'),
                {"t": "Plain", "c": _swapped(title, swap)},
                _raw("html", f'</{inner}><div class="callout-body">'),
                *_swapped(body, swap),
                _raw("html", f"</div></{outer}>"),
            ]
        if "panel-tabset" in classes:
            return self._html_tabs(blocks, swap, next(tabsets))
        if "hk-output" in classes:
            return _swapped(blocks, swap)
        return None

    def _html_tabs(self, blocks: list[Node], swap: "Swap", number: int) -> list[Node]:
        tabs: list[tuple[str, str, list[Node]]] = []
        level = next((block["c"][0] for block in blocks if block["t"] == "Header"), 0)
        for block in blocks:
            if block["t"] == "Header" and block["c"][0] == level:
                tabs.append((block["c"][1][0], _plain(block), []))
            elif tabs:
                tabs[-1][2].append(block)
        if not tabs:
            raise RenderError(
                f"{self.document.where}: a panel-tabset has no headings, so it has no tabs.",
                next_step="Begin each tab with a heading.",
            )
        buttons, panes = [], []
        for place, (identifier, title, content) in enumerate(tabs, start=1):
            pane = f"tabset-{number}-{place}"
            buttons.append(
                f'<li role="presentation"><button type="button" role="tab" id="{pane}-tab" '
                f'aria-controls="{pane}">{escape(title)}</button></li>'
            )
            panes += [
                _raw("html", f'<div class="tab-pane" id="{pane}" role="tabpanel" aria-labelledby="{pane}-tab">'
                     f'<p class="hk-tab-title" id="{escape(identifier)}">{escape(title)}</p>'),
                *_swapped(content, swap),
                _raw("html", "</div>"),
            ]  # fmt: skip
        start = '<div class="panel-tabset"><ul class="nav-tabs" role="tablist">' + "".join(buttons)
        return [
            _raw("html", start + '</ul><div class="tab-content">'),
            *panes,
            _raw("html", "</div></div>"),
        ]

    def _typst_div(self, div: Node, swap: "Swap") -> list[Node]:
        (identifier, classes, _), blocks = div["c"]
        if "hk-float" in classes:
            body, caption = (_swapped(part["c"][1], swap) for part in blocks)
            kind = identifier[:3]
            said = _is_said(blocks)
            place = "top" if kind == "tbl" or said else "bottom"
            # Only what has rows asks for room on the page.
            rows = ", outlined: false" if said else ""
            return [
                _raw("typst", "#figure(["),
                *body,
                _raw("typst", f"], caption: figure.caption(position: {place}, ["),
                _led(caption),
                _raw(
                    "typst",
                    f']), kind: "quarto-float-{kind}", supplement: "{NAMES[kind]}"{rows}) <{identifier}>',
                ),
            ]
        if callout := _callout(div):
            kind, title, body = callout
            return [
                _raw("typst", "#callout(title: ["),
                {"t": "Plain", "c": _swapped(title, swap)},
                _raw("typst", f"], icon_color: {CALLOUTS[kind][1]}, body: ["),
                *_swapped(body, swap),
                _raw("typst", "])"),
            ]
        return _swapped(_led_in(blocks), swap)


Swap = Callable[[Node], list[Node] | None]


def _swapped(nodes: Any, swap: Swap) -> Any:
    """A copy of `nodes` in which `swap` replaced what it knows; None lets a node be, and goes into it."""
    if isinstance(nodes, list):
        made: list[Any] = []
        for node in nodes:
            new = swap(node) if isinstance(node, dict) and "t" in node else None
            made += [_swapped(node, swap)] if new is None else new
        return made
    if isinstance(nodes, dict):
        return {key: _swapped(value, swap) for key, value in nodes.items()}
    return nodes


def _every(nodes: Any) -> Iterator[Node]:
    """Every element of a tree, in reading order."""
    if isinstance(nodes, list):
        for node in nodes:
            yield from _every(node)
    elif isinstance(nodes, dict):
        if "t" in nodes:
            yield nodes
        yield from _every(nodes.get("c"))


def _led_in(blocks: list[Node]) -> list[Node]:
    """Blocks in which a paragraph stays with what it leads in.

    That is the one paragraph between a heading and its figure, and one that is bold as a whole.
    """
    made: list[Node] = []
    for place, block in enumerate(blocks):
        before = blocks[place - 1]["t"] if place else ""
        after = blocks[place + 1] if place + 1 < len(blocks) else {"t": ""}
        bold = block["t"] == "Para" and [each["t"] for each in block["c"]] == ["Strong"]
        leads = (before, block["t"], after["t"]) == ("Header", "Para", "Div")
        if leads or (bold and after["t"] == "BulletList"):
            made += [_raw("typst", "#block(sticky: true)["), block, _raw("typst", "]")]
        else:
            made.append(block)
    return made


def _is_said(parts: list[Node]) -> bool:
    """Whether a sentence stands where a drawing or a table would: its caption then comes first."""
    return all(block["t"] == "Para" for block in parts[0]["c"][1])


def _floats(nodes: Any) -> Iterator[str]:
    """Labels of the figures and tables whose body and caption arrived whole."""
    for node in _every(nodes):
        if node["t"] == "Div" and "hk-float" in node["c"][0][1]:
            parts = [part["c"][0][1] if part["t"] == "Div" else [] for part in node["c"][1]]
            if parts == [["hk-body"], ["hk-caption"]]:
                yield node["c"][0][0]


def _identifier(node: Node) -> str:
    match node["t"]:
        case "Header":
            return str(node["c"][1][0])
        case "Div" | "Span" | "Code" | "CodeBlock" | "Link":
            return str(node["c"][0][0])
    return ""


def _callout(div: Node) -> tuple[str, list[Node], list[Node]] | None:
    """Kind, title and body of a callout; the title is an attribute, a first heading, or the kind."""
    (_, classes, pairs), blocks = div["c"]
    kind = next((name[8:] for name in classes if name.startswith("callout-")), "")
    if kind not in CALLOUTS:
        return None
    title = dict(pairs).get("title")
    if title is not None:
        return kind, [_text(title)], blocks
    if blocks and blocks[0]["t"] == "Header":
        return kind, blocks[0]["c"][2], blocks[1:]
    return kind, [_text(CALLOUTS[kind][0])], blocks


def _led(caption: list[Node], label: Node | None = None) -> Node:
    """A caption as one line of text, after its number."""
    inlines: list[Node] = [label] if label else []
    for block in caption:
        inlines += block["c"] if block["t"] in ("Para", "Plain") else []
    return {"t": "Plain", "c": inlines}


def _plain(node: Any) -> str:
    """The words of an element, without its markup."""
    words = {"Space": " ", "SoftBreak": " ", "LineBreak": " "}
    return "".join(
        words.get(each["t"], "") or (each["c"] if each["t"] == "Str" else "")
        or (each["c"][1] if each["t"] == "Code" else "")
        for each in _every(node)
    )  # fmt: skip


def _text(text: str) -> Node:
    return {"t": "Str", "c": text}


def _raw(kind: str, text: str) -> Node:
    return {"t": "RawBlock", "c": [kind, text]}


def _meta(value: object, raw: str = "") -> Node:
    """Metadata that is text and nothing else, unless it is our own raw HTML."""
    if isinstance(value, bool):
        return {"t": "MetaBool", "c": value}
    if isinstance(value, dict):
        return {"t": "MetaMap", "c": {key: _meta(each) for key, each in value.items()}}
    if isinstance(value, list):
        return {"t": "MetaList", "c": [_meta(each) for each in value]}
    if raw:
        return {"t": "MetaBlocks", "c": [_raw(raw, str(value))]}
    return {"t": "MetaInlines", "c": [_text(str(value))]}


def _tree_json(tree: Tree, blocks: list[Node], meta: dict[str, Node]) -> str:
    parsed = {**tree.parsed, "blocks": blocks, "meta": meta}
    return json.dumps(parsed, ensure_ascii=False)


def _titles(document: Document, options: dict[str, Any]) -> tuple[str, str]:
    title = document.title or str(options.get("title", ""))
    return title, document.subtitle or str(options.get("subtitle", ""))


def _page(tree: Tree, document: Document, options: dict[str, Any]) -> str:
    """A whole HTML page, self-contained."""
    title, subtitle = _titles(document, options)
    style, script, policy = dressing()
    meta = {
        "title": _meta(title),
        "pagetitle": _meta(" – ".join(part for part in (title, subtitle) if part)),
        "lang": _meta(options.get("lang", "en")),
        "toc-title": _meta(options.get("toc-title", "Contents")),
        "links": _meta([{"label": link.label, "href": link.href} for link in document.links]),
        "style": _meta(tree.aside.put(style.rstrip("\n")), raw="html"),
        "script": _meta(tree.aside.put(script), raw="html"),
        "policy": _meta(policy, raw="html"),
    }
    if subtitle:
        meta["subtitle"] = _meta(subtitle)
    if document.stamp:
        meta["stamp"] = _meta(document.stamp)
    if document.site:
        meta["site"], meta["here"] = _meta(document.site), _meta(document.folder)
    arguments = ["--from", "json", "--to", "html5", "--template", str(ASSETS / "page.html")]
    if options.get("toc"):
        arguments += ["--toc", "--toc-depth", str(options.get("toc-depth", 3))]
    return tree.aside.back(_pandoc(arguments, _tree_json(tree, tree.html(), meta), document.where))


@functools.cache
def dressing() -> tuple[str, str, str]:
    """Style, script and security policy of every page."""
    style = fonts.css() + "\n" + (ASSETS / "report.css").read_text(encoding="utf-8")
    script = (ASSETS / "report.js").read_text(encoding="utf-8").strip()
    digest = hashlib.sha256(f"\n{script}\n".encode()).digest()
    return style, script, POLICY.format(digest=base64.b64encode(digest).decode("ascii"))


def _typst(tree: Tree, document: Document, options: dict[str, Any]) -> str:
    """A whole document in Typst."""
    title, subtitle = _titles(document, options)
    keys = ("lang", "papersize", "margin", "mainfont", "fontsize", "section-numbering", "fit")
    meta = {key: _meta(options[key]) for key in keys if key in options}
    meta["title"] = _meta(title)
    if subtitle:
        meta["subtitle"] = _meta(subtitle)
    if document.stamp:
        meta["stamp"] = _meta(document.stamp)
    arguments = ["--from", "json", "--to", "typst", "--template", str(ASSETS / "document.typ")]
    arguments += ["--toc-depth", str(options.get("toc-depth", 1))]
    if options.get("toc"):
        arguments.append("--toc")
    return tree.aside.back(_pandoc(arguments, _tree_json(tree, tree.typst(), meta), document.where))


def _compile(
    source: Path, faces: Path, work: Path, options: dict[str, Any], epoch: int, document: Document
) -> bytes:
    standards: Any = options.get("pdf-standard", [])
    try:
        made: object = typst.compile(
            source,
            root=work,
            font_paths=[faces],
            ignore_system_fonts=True,
            format="pdf",
            pdf_standards=standards,
            timestamp=epoch,
        )
    except typst.TypstError as error:
        hints = " ".join(f"Hint: {hint}." for hint in error.hints)
        raise RenderError(
            f"{document.folder}/{document.pdf}: Typst stopped: {error.message}. {hints}".strip(),
            next_step=f"The document is kept in {source}.",
        ) from error
    if not isinstance(made, bytes):
        raise RenderError(f"{document.folder}/{document.pdf}: Typst made no PDF.")
    return made


@functools.cache
def _pandoc_program() -> str:
    """The pandoc of the wheel, whatever else is on PATH."""
    bundled = Path(pypandoc.__file__).parent / "files" / "pandoc"
    return str(bundled) if bundled.is_file() else str(pypandoc.get_pandoc_path())


def _pandoc(arguments: list[str], text: str, where: str) -> str:
    command = [
        _pandoc_program(),
        *arguments,
        "--wrap=none",
        "--eol=lf",
        "--syntax-highlighting=none",
    ]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    if done.returncode:
        raise RenderError(
            f"{where}: pandoc stopped: {done.stderr.decode(errors='replace').strip()}.",
            next_step="Run 'hkreport doctor' to check the installation.",
        )
    return done.stdout.decode()
