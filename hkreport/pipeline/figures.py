"""Every number and sentence that a report prints, in one table: ``data/figures.csv``.

Charts and tables leave their values in the metadata of their output (``values``, as CSV), sentences are
their own text. A reader can find each figure of the page or the PDF here, raw.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hkreport.pipeline.prepare import write_atomically

__all__ = ["figures", "write_figures"]

LABEL = re.compile(r"^#\|\s*label:\s*(\S+)", re.M)
ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
COLUMNS = ("figure", "line", "row", "column", "value")


def figures(notebook: Mapping[str, Any]) -> Iterator[tuple[str, int, str, str, str]]:
    r"""Yield what an executed notebook shows, a value at a time.

    Parameters
    ----------
    notebook : mapping
        As nbformat writes it.

    Yields
    ------
    tuple
        Label of the figure or table (or ``text``), line in it (0 for its title), what the line is
        about (its first column), column, and value: raw numbers, and text as it is.

    Examples
    --------
    >>> shown = {"metadata": {"hkreport": {"title": "Up 5%", "values": "tier,roas\nmicro,2.5\n"}}}
    >>> cell = {"cell_type": "code", "source": "#| label: fig-a\nx", "outputs": [shown]}
    >>> for row in figures({"cells": [cell]}):
    ...     print(row)
    ('fig-a', 0, '', 'title', 'Up 5%')
    ('fig-a', 1, 'micro', 'tier', 'micro')
    ('fig-a', 1, 'micro', 'roas', '2.5')
    """
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        found = LABEL.search("".join(cell["source"]))
        name = found[1] if found else "text"
        for output in cell.get("outputs", ()):
            told = output.get("metadata", {}).get("hkreport", {})
            yield from _told(name, told)
            if not told:
                words = "".join(output.get("data", {}).get("text/plain", ""))
                kept = (text for text in map(_plain, words.splitlines()) if text)
                for line, sentence in enumerate(kept, start=1):
                    yield name, line, "", "sentence", sentence


def _plain(markdown: str) -> str:
    """A line of Markdown as text; fences of callouts say nothing.

    Examples
    --------
    >>> from hkreport.units import escape_markdown
    >>> _plain(f"**Left:** {escape_markdown('−₹500')}")
    'Left: −₹500'
    """
    if markdown.startswith((":::", "```")):
        return ""
    # What keeps the sign of an amount on its line is no letter of the sentence.
    words = markdown.removeprefix("## ").replace("**", "").replace("\u2060", "")
    return ESCAPE.sub(r"\1", words).strip()


def _told(name: str, told: Mapping[str, str]) -> Iterator[tuple[str, int, str, str, str]]:
    for key in ("title", "subtitle", "note"):
        if told.get(key):
            yield name, 0, "", key, told[key]
    lines = csv.reader(io.StringIO(told.get("values", "")))
    header = next(lines, [])
    for number, cells in enumerate(lines, start=1):
        for column, value in zip(header, cells, strict=True):
            if value != "":
                yield name, number, cells[0], column, value


def write_figures(executed: Path, goal: Path) -> None:
    """Write the figures of an executed notebook as CSV, safe for a spreadsheet."""
    import pandas as pd

    from hkreport.tables import csv_text

    notebook = json.loads(executed.read_text(encoding="utf-8"))
    rows = [(*row[:-1], _number(row[-1])) for row in figures(notebook)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    goal.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(goal, csv_text(frame))


def _number(words: str) -> float | str:
    try:
        return float(words)
    except ValueError:
        return words
