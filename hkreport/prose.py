"""Text that a notebook cell shows: Markdown in which data is already escaped."""

import re
from dataclasses import dataclass

__all__ = ["Prose", "callout", "named", "shortened"]


@dataclass(frozen=True)
class Prose:
    """Markdown that a cell shows; data in it is already escaped."""

    markdown: str

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, str], dict[str, object]]:
        return {"text/markdown": self.markdown, "text/plain": self.markdown}, {}


def callout(kind: str, title: str, body: str) -> str:
    """A callout in Markdown; `title` and `body` are already escaped."""
    return f"::: {{.callout-{kind}}}\n## {title}\n\n{body}\n:::\n"


def named(name: object) -> str:
    """A name for a title, cut so that the title stays a line or two."""
    return shortened(str(name), 40)


def shortened(words: str, most: int) -> str:
    """Text of at most so many letters: cut behind a sentence where that leaves enough, else with ….

    Examples
    --------
    >>> shortened("Revenue fell in June. Nobody knows why.", 30), shortened("Asha Rao", 5)
    ('Revenue fell in June.', 'Asha…')
    """
    if len(words) <= most:
        return words
    sentence = words[:most].rpartition(". ")[0]
    if len(sentence) > most // 2:
        return f"{sentence}."
    # An amount that lost its lakh or crore would be another amount.
    kept = re.sub(r"[\s(]*[−-]?₹[\d,.]*$", "", words[: most - 1].rstrip())
    return f"{kept.rstrip(' ,;:')}…"
