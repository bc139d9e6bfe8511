"""Does a report come out the same when it is built again from its ``run.json``?

The exports must be the same; where something that the report is made of differs, that is said first,
because then other bytes are no surprise.
"""

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hkreport import params, store, versions
from hkreport.errors import DataError, RenderError, UsageError
from hkreport.pipeline import cache, processes, render
from hkreport.pipeline.report import (
    KINDS,
    RUN,
    Job,
    collect,
    execute_job,
    folder_of,
    render_made,
    workspace,
)

__all__ = ["Difference", "Verdict", "describe", "first_difference", "verify"]

SHOWN = 40  # characters before and after a difference
TEXTS = (".html", ".csv", ".json")


@dataclass(frozen=True, slots=True)
class Difference:
    """One file that came out otherwise.

    Attributes
    ----------
    file : str
    words : str
        Where the first difference is, and how it reads.
    """

    file: str
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a second build gave.

    Attributes
    ----------
    files : int
        Files compared.
    changed : list of str
        Ingredients that are no longer as in ``run.json``.
    differences : list of Difference
        Files that came out otherwise.
    edited : list of Difference
        Files beside ``run.json`` that are no longer as they were built, though they came out the same.
    """

    files: int
    changed: Sequence[str]
    differences: Sequence[Difference]
    edited: Sequence[Difference] = ()

    @property
    def same(self) -> bool:
        """Whether every byte is the same, of the second build and of what lies beside ``run.json``."""
        return not self.differences and not self.edited


def verify(run: Path, data: Path, *, progress: Callable[[str], None] | None = None) -> Verdict:
    """Build the report of a ``run.json`` again, elsewhere, and compare.

    Parameters
    ----------
    run : Path
        Beside the report.
    data : Path
        The exports it was made of.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    UsageError
        If the file is no ``run.json``, or one that was spoilt.
    DataError
        If there is no such data.
    RenderError
        If the engine that rendered the report is not here.
    """
    say = progress or (lambda words: None)
    run = run / RUN if run.is_dir() else run
    told = _read(run)
    _require_engine(told["engine"])
    versions.take()
    processes.start()
    root = params.project_root()
    with workspace(root, keep=False) as work:
        job = _job(told, data.resolve(), root, work / "again", say)
        say(f"building {job.subject} again")
        made = execute_job(job, work)
        if job.engine == "quarto":
            render_made(made)
        collect(made)
        say("comparing")
        differences = _compare(run.parent, job.goal, told)
        otherwise = {each.file for each in differences}
        edited = [
            each for each in _edited(run.parent, job.goal, told) if each.file not in otherwise
        ]
    changed = cache.changed(told["ingredients"], made.ingredients)
    return Verdict(len(told["outputs"]), changed, differences, edited)


def _require_engine(told: Mapping[str, Any]) -> None:
    """Stop where the engine of the report is not here: no other gives its bytes."""
    try:
        render.choose_engine(told["name"])
    except RenderError as error:
        raise RenderError(
            f"The report was rendered by {told['name']}. {error.message}",
            next_step=f"{render.GET_QUARTO}: no other engine gives the same bytes.",
        ) from error


def _read(run: Path) -> dict[str, Any]:
    try:
        told = json.loads(run.read_text(encoding="utf-8"))
        known = told["schema_version"] == 1 and told.get("kind", "report") in KINDS
        mappings = [told[name] for name in ("parameters", "outputs", "ingredients", "engine")]
        texts = [told["engine"]["name"], *told["formats"], *told["parameters"].values()]
        known = (
            known
            and all(isinstance(each, dict) for each in mappings)
            and all(isinstance(each, str) for each in texts)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        known = False
    if not known:
        raise UsageError(
            f"{run} is not the run.json of a report.",
            next_step="Name the one beside a report: _site/BRAND/PERIOD/run.json.",
        )
    return dict(told)


def _job(
    told: dict[str, Any], data: Path, root: Path, site: Path, say: Callable[[str], None]
) -> Job:
    """The job of a run.json, with another site to go to."""
    given = dict(told["parameters"])
    brand = given.get("brand", "all")
    one = None if brand == "all" else brand
    maps, as_of = given.get("maps", ""), given.get("as_of", "")
    settings = params.load(one, root=root, as_of=as_of or None, maps=maps)
    if not data.is_dir():
        raise DataError(f"There is no data folder {data}.", next_step="Name it with --data.")
    opened = store.open_data(data, settings, root=root, progress=say)
    from hkreport import views

    names = ("brand", "period", "data", "as_of", "maps")
    kind = told.get("kind", "report")
    filters = views.filters_of({k: v for k, v in given.items() if k not in names})
    period = given.get("period", "all")
    return Job(
        parameters={
            **given, "brand": brand, "period": period, "as_of": as_of, "maps": maps,
            "data": str(data),
        },
        key=opened.key,
        engine=told["engine"]["name"],
        formats=tuple(told["formats"]),
        folder=folder_of(one, period, filters) if kind == "report" else kind,
        site=site,
        root=root,
        kind=kind,
    )  # fmt: skip


def _compare(old: Path, new: Path, told: dict[str, Any]) -> list[Difference]:
    """First differences of every file of either build."""
    found = []
    names = {path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()}
    for name in sorted({*told["outputs"], *names} - {RUN}):
        one, other = old / name, new / name
        if name not in told["outputs"]:
            found.append(Difference(name, "it was not part of the first build"))
        elif not other.is_file():
            found.append(Difference(name, "it was not made again"))
        elif told["outputs"][name] != cache.file_hash(other):
            if not one.is_file():
                found.append(
                    Difference(name, "and the first build's is not there to be compared with")
                )
            elif cache.file_hash(one) != told["outputs"][name]:
                found.append(
                    Difference(name, "the file beside run.json is not the one it tells of")
                )
            else:
                words = first_difference(one.read_bytes(), other.read_bytes(), name)
                found.append(Difference(name, words))
    return found


def _edited(old: Path, new: Path, told: dict[str, Any]) -> list[Difference]:
    """What beside ``run.json`` is not what was built; a ``run.json`` may also lie there alone."""
    there = [name for name in told["outputs"] if (old / name).is_file()]
    found = []
    for name, digest in sorted(told["outputs"].items()) if there else ():
        if name not in there:
            found.append(Difference(name, "is not there any more"))
        elif cache.file_hash(old / name) != digest and (new / name).is_file():
            words = first_difference((new / name).read_bytes(), (old / name).read_bytes(), name)
            found.append(Difference(name, words))
    return found


def first_difference(one: bytes, other: bytes, name: str) -> str:
    r"""Where two files differ first, in words.

    Examples
    --------
    >>> print(first_difference(b"a\nrevenue 10\n", b"a\nrevenue 12\n", "x.csv"))
    line 2: 'revenue 1[0]' became 'revenue 1[2]'
    >>> first_difference(b"abcdef", b"abXdef", "x.pdf")
    "byte 2: b'abcdef' became b'abXdef'"
    """
    if not name.endswith(TEXTS):
        place = next(
            (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
            min(len(one), len(other)),
        )
        low = max(place - 20, 0)
        return f"byte {place}: {one[low : place + 20]!r} became {other[low : place + 20]!r}"
    olds, news = (
        one.decode(errors="replace").split("\n"),
        other.decode(errors="replace").split("\n"),
    )
    for number, (old, new) in enumerate(zip(olds, news, strict=False), start=1):
        if old != new:
            was, now = _marked(old, new)
            return f"line {number}: '{was}' became '{now}'"
    return f"line {min(len(olds), len(news)) + 1}: one of the two ends there"


def _common(old: str, new: str) -> int:
    return next(
        (at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
        min(len(old), len(new)),
    )


def _marked(old: str, new: str) -> tuple[str, str]:
    """Both lines around the difference, with what differs in brackets."""
    place = _common(old, new)
    low = max(place - SHOWN, 0)
    short_old, short_new = old[low : place + SHOWN], new[low : place + SHOWN]
    matcher = difflib.SequenceMatcher(None, short_old, short_new, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag != "equal":
            return (
                f"{short_old[:a]}[{short_old[a:b]}]{short_old[b:]}",
                f"{short_new[:c]}[{short_new[c:d]}]{short_new[d:]}",
            )
    return short_old, short_new


def describe(verdict: Verdict) -> str:
    """The verdict as sentences.

    Examples
    --------
    >>> print(describe(Verdict(12, [], [])))
    Same bytes: all 12 files came out as they were.
    >>> print(describe(Verdict(12, ["rows"], [Difference("kpis.json", "line 3: ...")])))
    1 of 12 files came out otherwise.
    Not as in run.json: its own rows changed.
    kpis.json, line 3: ...
    >>> print(describe(Verdict(12, [], [], [Difference("kpis.json", "line 3: ...")])))
    All 12 files came out as they were, but 1 of those beside run.json was changed since.
    kpis.json, line 3: ...
    Build the report again to have them as they were made.
    """
    if verdict.same:
        words = f"Same bytes: all {verdict.files} files came out as they were."
        if verdict.changed:
            words += f" And yet {cache.explain(verdict.changed)}."
        return words
    if verdict.differences:
        lines = [f"{len(verdict.differences)} of {verdict.files} files came out otherwise."]
        if verdict.changed:
            lines.append(f"Not as in run.json: {cache.explain(verdict.changed)}.")
        lines += [f"{each.file}, {each.words}" for each in verdict.differences]
        came = "The others came out as they were"
    else:
        lines = []
        came = f"All {verdict.files} files came out as they were"
    if verdict.edited:
        verb = "was" if len(verdict.edited) == 1 else "were"
        lines.append(
            f"{came}, but {len(verdict.edited)} of those beside run.json {verb} changed since."
        )
        lines += [f"{each.file}, {each.words}" for each in verdict.edited]
        lines.append("Build the report again to have them as they were made.")
    return "\n".join(lines)
