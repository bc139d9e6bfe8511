"""Is a built site fit to be shown? Everything that is wrong with it, found before anybody sees it.

It looks at the files only: reports against their ``run.json``, links and anchors, words that are ids of
users, and what does not belong into a site. Where a site goes belongs to
:mod:`hkreport.pipeline.publish`.
"""

import csv
import hashlib
import html
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from hkreport.schema import fold

__all__ = ["Problem", "Site", "examine"]

# What a site is made of. Anything else came there by accident, or from somebody else.
ENDINGS = frozenset(
    ".html .css .js .mjs .json .csv .pdf .svg .png .jpg .jpeg .gif .webp .ico .txt .xml .woff .woff2 "
    ".ttf .eot .map .webmanifest .bib".split()
)
PAGES = (".html",)
TEXTS = (".html", ".css", ".js", ".mjs", ".json", ".csv", ".svg", ".txt", ".xml")

# Columns and keys that hold ids of users, whatever the ids look like.
PERSONAL_COLUMNS = frozenset({"userid", "customerid", "unitid"})

# Within text only a word that cannot be anything else is taken for an id: eight letters and digits or
# more, or an address. A whole cell may be shorter; digits alone must be as many as in a phone number.
_LOOSE = re.compile(r"[\w@.+-]{8,100}")
_LOOSE_AT_LEAST = 8
_QUOTED = re.compile(r"\"([^\"\\<>\n]{2,100})\"|'([^'\\<>\n]{2,100})'")
_DATA_URI = re.compile(r"data:[\w/+.-]+;base64,[\w+/=]*")
_TEMPORARY = re.compile(r"^\.|~$|\.(?:tmp|temp|new|old|part|bak|swp|orig|lock)$|^#.*#$")
_NAME = re.compile(r"[\w .,+=@()~-]+")

MANIFEST = "site.json"
ASK_AT_ONCE = 200_000  # words


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True, slots=True)
class Site:
    """What was looked at.

    Attributes
    ----------
    folder : Path
    files : mapping
        What may be published, by path, with their hashes.
    problems : tuple of Problem
        All that is wrong.
    reports, pages : int
        How many were looked at.
    left_out : tuple of str
        Folders of reports that are not part of the site as it was last built.
    """

    folder: Path
    files: Mapping[str, str]
    problems: tuple[Problem, ...]
    reports: int
    pages: int
    left_out: tuple[str, ...]


def examine(
    folder: Path,
    users_among: Callable[[Iterable[str]], set[str]],
    *,
    inputs: Mapping[str, str] | None = None,
) -> Site:
    """Look at every file of a site.

    Parameters
    ----------
    folder : Path
        The built site.
    users_among : callable
        Tells which of some words are ids of users; see :func:`hkreport.store.users_among`.
    inputs : mapping, optional
        The exports that `users_among` knows, with their hashes: the site must be made of the same.
    """
    names, problems = _files(folder)
    manifest = _json(folder / MANIFEST) if MANIFEST in names else None
    homes = {str(PurePosixPath(name).parent) for name in names if _is_run(name)}
    listed = _listed(manifest)
    # A filtered report that somebody built by the way belongs to nobody's front page.
    left_out = homes - listed.keys() if listed else set()
    names = [name for name in names if _home(name, homes) not in left_out]
    files = {name: _hash(folder / name) for name in names}
    problems += _about_manifest(manifest, listed, files, inputs)
    problems += _about_reports(folder, files, homes - left_out)
    pages = {name: _Page.read(folder / name) for name in names if name.endswith(PAGES)}
    if "index.html" not in files:
        problems.append(Problem("index.html", "is not there, so the site has no front page"))
    problems += _broken_links(pages, files)
    texts = [name for name in names if name.endswith(TEXTS)]
    problems += _leaks(
        {name: _words(folder / name, pages.get(name)) for name in texts}, users_among
    )
    return Site(
        folder=folder,
        files=files,
        problems=tuple(sorted(set(problems), key=str)),
        reports=len(homes - left_out),
        pages=len(pages),
        left_out=tuple(sorted(left_out)),
    )


def _files(folder: Path) -> tuple[list[str], list[Problem]]:
    """Names of all files, and those that should not be there."""
    names, problems = [], []
    for where, folders, files in os.walk(folder):
        for each in sorted([*folders, *files]):
            path = Path(where, each)
            name = path.relative_to(folder).as_posix()
            if path.is_symlink():
                problems.append(Problem(name, "is a symbolic link; it may lead out of the site"))
                continue
            if _TEMPORARY.search(each):
                problems.append(Problem(name, "is a temporary or hidden file"))
            elif not _NAME.fullmatch(each):
                problems.append(
                    Problem(name, "has a character in its name that not all hosts take")
                )
            if each in files:
                names.append(name)
                if path.suffix.lower() not in ENDINGS and not _TEMPORARY.search(each):
                    problems.append(Problem(name, "is no kind of file that a site is made of"))
        folders[:] = [each for each in folders if not Path(where, each).is_symlink()]
    return sorted(names), problems


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# Reports


def _is_run(name: str) -> bool:
    return PurePosixPath(name).name == "run.json"


def _home(name: str, homes: set[str]) -> str:
    """The nearest report that a file lies in; empty where it lies in none."""
    return next((str(each) for each in PurePosixPath(name).parents if str(each) in homes), "")


def _listed(manifest: Any) -> dict[str, Mapping[str, Any]]:
    """The reports of the site's own list, by folder."""
    reports = manifest.get("reports") if isinstance(manifest, dict) else None
    return {str(each["folder"]): each for each in reports or []}


def _about_manifest(
    manifest: Any,
    listed: Mapping[str, Mapping[str, Any]],
    files: Mapping[str, str],
    inputs: Mapping[str, str] | None,
) -> Iterator[Problem]:
    """Reports that failed or are missing, and a site made of other exports than those at hand."""
    if not listed:
        yield Problem(MANIFEST, "is not there or lists no report, so nobody knows what is missing")
        return
    if inputs is not None and manifest.get("inputs") != dict(inputs):
        yield Problem(MANIFEST, "was made of other exports than those at hand")
    if manifest.get("explorer"):
        yield Problem("explorer", f"failed to build: {manifest['explorer']}")
    yield from _about_pages(manifest.get("pages"), files)
    for home, report in listed.items():
        if report.get("status") == "failed":
            yield Problem(home, f"failed to build: {report.get('message', '')}".rstrip(": "))
        elif report.get("status") == "ok":
            found = files.get(f"{home}/run.json")
            if found is None:
                yield Problem(home, "is listed in site.json and is not there")
            elif report.get("run") not in (found, None):
                yield Problem(home, "was built again after the site; its front page is older")


def _about_pages(pages: Any, files: Mapping[str, str]) -> Iterator[Problem]:
    """Pages around the reports that are not as they were made; a site of an earlier hkreport lists none."""
    for name, digest in pages.items() if isinstance(pages, dict) else ():
        if name in files and files[name] != digest:
            yield Problem(name, "is not the page that was built")
        elif name not in files and name != "index.html":  # a missing front page is told by itself
            yield Problem(name, "was built and is not there")


def _about_reports(folder: Path, files: Mapping[str, str], homes: set[str]) -> Iterator[Problem]:
    """Compare every report with the hashes in its run.json, both ways."""
    for home in sorted(homes):
        made = _json(folder / home / "run.json")
        outputs = made.get("outputs") if isinstance(made, dict) else None
        if not isinstance(outputs, dict):
            yield Problem(f"{home}/run.json", "cannot be read, so nobody knows what was built")
            continue
        for output, digest in outputs.items():
            found = files.get(f"{home}/{output}")
            if found is None:
                yield Problem(f"{home}/{output}", "was built and is not there")
            elif found != digest:
                yield Problem(f"{home}/{output}", "is not the file that was built")
        mine = (name for name in files if _home(name, homes) == home and not _is_run(name))
        for name in mine:
            if name.removeprefix(f"{home}/") not in outputs:
                yield Problem(name, f"was not made by the build of {home}")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None


# Links


@dataclass
class _Page(HTMLParser):
    """What a page links to, what can be linked to in it, and what stands in it."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    cells: set[str] = field(default_factory=set)
    heads: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._tag = ""

    @classmethod
    def read(cls, path: Path) -> "_Page":
        page = cls()
        page.feed(path.read_text(encoding="utf-8", errors="replace"))
        page.close()
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # The heading of a row names the row: the data page lists columns by name, not by what they hold.
        self._tag = "td" if tag == "th" and ("scope", "row") in attrs else tag
        for name, value in attrs:
            if not value:
                continue
            if name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value)
            elif name in ("href", "xlink:href", "src", "poster", "action") or (
                name == "data" and tag == "object"
            ):
                self.links.append(value.strip())
            elif name == "srcset":
                self.links += [part.split()[0] for part in value.split(",") if part.split()]
            else:
                self.cells.add(value.strip())

    def handle_data(self, data: str) -> None:
        words = data.strip()
        if words and self._tag not in ("script", "style"):
            self.cells.add(words)
            if self._tag == "th":
                self.heads.add(words)

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""


def _broken_links(pages: Mapping[str, _Page], files: Mapping[str, str]) -> Iterator[Problem]:
    for name, page in pages.items():
        for link in sorted(set(page.links)):
            what = _broken(name, link, pages, files)
            if what:
                yield Problem(name, f"links to '{link[:120]}', {what}")


def _broken(name: str, link: str, pages: Mapping[str, _Page], files: Mapping[str, str]) -> str:
    """Why a link leads nowhere; empty where it leads somewhere, or out of the site."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return "which is no address"
    if parts.scheme or link.startswith("//"):
        return "which would be run" if parts.scheme.lower() in ("javascript", "vbscript") else ""
    path = unquote(parts.path)
    if path.startswith("/"):
        return "which leaves the site when it lies in a folder or is opened from disk"
    target = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
    if target.startswith(".."):
        return "which leads out of the site"
    if target not in files:
        inside = "index.html" if target == "." else f"{target}/index.html"
        if inside not in files:
            return "which is not there"
        target = inside
    anchor = unquote(parts.fragment)
    # "=" in a fragment is the state of a page (the explorer's filters), not a place in it.
    if anchor in ("", "top") or "=" in anchor or target not in pages:
        return ""
    return "" if anchor in pages[target].anchors else "whose anchor is not there"


# Ids of users


@dataclass(frozen=True, slots=True)
class _Words:
    """Words of one file that could be an id, and columns that hold ids by name."""

    words: frozenset[str]
    columns: tuple[str, ...] = ()


def _words(path: Path, page: _Page | None) -> _Words:
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(text)))
        cells = {cell.strip() for row in rows for cell in row}
        named = rows[0] if rows else []
    elif path.suffix == ".json":
        cells, named = _strings(_json(path))
    else:
        text = _DATA_URI.sub(" ", html.unescape(text) if page else text)
        cells = {one or two for one, two in _QUOTED.findall(text)}
        cells |= page.cells if page else set()
        named = sorted(page.heads) if page else []
    whole = {cell for cell in cells if 2 <= len(cell) <= 100 and _may_be_id(cell)}
    return _Words(
        words=frozenset(whole.union(*map(_pieces, set(_LOOSE.findall(text))))),
        columns=tuple(sorted(name for name in named if fold(name) in PERSONAL_COLUMNS)),
    )


def _pieces(word: str) -> list[str]:
    """A word in running text and its parts, as far as they could be ids.

    Examples
    --------
    >>> _pieces("buyer_U76712095.")
    ['buyer_U76712095', 'U76712095']
    >>> _pieces("1234567.890"), _pieces("asha@example.com")
    ([], ['asha@example.com'])
    """
    bare = word.strip(".+-@")
    return [
        each
        for each in dict.fromkeys([bare, *re.split(r"[\W_]+", bare)])
        if len(each) >= _LOOSE_AT_LEAST
        and any(letter.isalpha() for letter in each)
        and ("@" in each or any(letter.isdigit() for letter in each))
    ]


def _may_be_id(cell: str) -> bool:
    """Whether a whole cell can be told from a number and from a sentence."""
    if cell.isdigit():
        return len(cell) >= 10
    return not re.search(r"\s", cell) and any(letter.isalpha() for letter in cell)


def _strings(body: Any) -> tuple[set[str], list[str]]:
    """Texts and keys of a JSON document."""
    texts: set[str] = set()
    keys: set[str] = set()
    waiting = [body]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            keys.update(each)
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str):
            texts.add(each)
    return texts | keys, sorted(keys)


def _leaks(
    words: Mapping[str, _Words], users_among: Callable[[Iterable[str]], set[str]]
) -> Iterator[Problem]:
    """Pages that name a user. The ids themselves are masked: this is printed."""
    every = sorted({word for each in words.values() for word in each.words})
    users: set[str] = set()
    for start in range(0, len(every), ASK_AT_ONCE):
        users |= users_among(every[start : start + ASK_AT_ONCE])
    for name, each in words.items():
        found = sorted({word.lower() for word in each.words} & users)
        if found:
            yield Problem(
                name, f"holds {len(found)} ids of users, such as '{found[0][:2]}…'"
                if len(found) > 1 else f"holds the id of a user, '{found[0][:2]}…'",
            )  # fmt: skip
        for column in sorted(set(each.columns)):
            yield Problem(name, f"has a column '{column}', which holds ids of users")
