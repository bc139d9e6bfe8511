"""Text that a notebook cell shows: Markdown in which data is already escaped."""

from dataclasses import dataclass

__all__ = ["Prose", "callout", "named"]


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
    words = str(name)
    return words if len(words) <= 40 else f"{words[:39].rstrip()}…"
