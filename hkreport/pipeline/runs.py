"""Which reports make up a site: brands and periods from ``params/runs.yml`` or the command line.

``all`` brands are every brand of the data and all of them together; ``quarters``, ``months`` and ``years``
are all that the data reaches into; ``2025-Q1..2025-Q4`` is each of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hkreport import periods
from hkreport.errors import ParamsError, did_you_mean, listed
from hkreport.periods import Grain, Period
from hkreport.schema import fold
from hkreport.store import Outline

__all__ = ["Run", "Wanted", "of_words", "read", "resolve"]

FILE = "runs.yml"
STEPS = {"months": Grain.MONTH, "quarters": Grain.QUARTER, "years": Grain.YEAR}
FORMS = {
    "months": "{0.year:04d}-{0.month:02d}",
    "quarters": "{0.year:04d}-Q{1}",
    "years": "{0.year:04d}",
}
MOST_PERIODS = 1000  # a slip such as 0001-Q1..2025-Q4 must not fill the disk


@dataclass(frozen=True, slots=True)
class Run:
    """Brands and periods of which every pair is a report, as they were written."""

    brands: tuple[str, ...]
    periods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One report of the site.

    Attributes
    ----------
    brand : str or None
        As the data spells it; None for all together.
    period : Period
    named : bool
        Both were named one by one, so that an empty report is a mistake.
    """

    brand: str | None
    period: Period
    named: bool


def read(root: Path) -> list[Run]:
    """The runs in ``params/runs.yml``; without the file, all brands and quarters.

    Raises
    ------
    ParamsError
        If the file is not a list of ``brands`` and ``periods``.
    """
    from hkreport import yaml_text

    path = root / "params" / FILE
    if not path.exists():
        return [Run(("all",), ("quarters",))]
    found = yaml_text.read(path)
    if not isinstance(found, list) or not found:
        raise ParamsError(
            f"params/{FILE} must be a list of runs, found {type(found).__name__}.",
            next_step="Write for example: - {brands: [all], periods: [quarters]}",
        )
    return [_run(place, each) for place, each in enumerate(found, start=1)]


def _run(place: int, given: Any) -> Run:
    where = f"params/{FILE}, entry {place}"
    if not isinstance(given, dict):
        raise ParamsError(f"{where} must hold brands and periods, found {given!r}.")
    unknown = [str(key) for key in given if key not in ("brands", "periods")]
    if unknown:
        near = did_you_mean(unknown[0], ("brands", "periods"))
        raise ParamsError(f"{where}: unknown key '{unknown[0]}'. {near}".rstrip(),
                          next_step="Allowed: brands, periods.")  # fmt: skip
    return Run(
        _words(given.get("brands", ["all"]), where), _words(given.get("periods", ["latest"]), where)
    )


def _words(given: Any, where: str) -> tuple[str, ...]:
    words = given if isinstance(given, list) else [given]
    made = tuple(str(word).strip() for word in words)
    if not made or not all(made):
        raise ParamsError(f"{where}: a brand or period is empty.")
    return made


def of_words(brands: str, periods_: str) -> list[Run]:
    """The run that the command line names, with commas between brands and between periods.

    Examples
    --------
    >>> of_words("HKVitals, Gritzo", "2025-Q1..2025-Q4")
    [Run(brands=('HKVitals', 'Gritzo'), periods=('2025-Q1..2025-Q4',))]
    """
    split = [
        tuple(word.strip() for word in words.split(",") if word.strip())
        for words in (brands, periods_)
    ]
    return [Run(split[0] or ("all",), split[1] or ("quarters",))]


def resolve(
    runs: Sequence[Run], outline: Outline, aliases: dict[str, tuple[str, ...]]
) -> list[Wanted]:
    """Every report of the runs, each once: brands by name, all together last, periods by date.

    Raises
    ------
    ParamsError
        If a brand is not in the data or a period is not understood.
    """
    if outline.first is None or outline.last is None:
        raise ParamsError(
            "The data has no dates, so it cannot be cut by period.",
            next_step="Build one report of everything: hkreport report --period all.",
        )
    found: dict[tuple[str, str], Wanted] = {}
    for run in runs:
        for brand, by_name in _brands(run.brands, outline, aliases):
            for period, exact in _periods(run.periods, outline):
                key = (brand or "", period.name)
                old = found.get(key)
                named = (by_name and exact) or (old is not None and old.named)
                found[key] = Wanted(brand, period, named)
    return sorted(
        found.values(),
        key=lambda each: (each.brand is None, (each.brand or "").casefold(), each.brand or "",
                          each.period.start, each.period.end, each.period.name),
    )  # fmt: skip


def _brands(
    words: Sequence[str], outline: Outline, aliases: dict[str, tuple[str, ...]]
) -> Iterator[tuple[str | None, bool]]:
    """Brands as the data spells them, and whether each was named."""
    by_fold = {fold(name): name for name in outline.brands}
    for name, others in aliases.items():
        if fold(name) in by_fold:
            by_fold = {fold(other): by_fold[fold(name)] for other in others} | by_fold
    for word in words:
        if word.lower() == "all":
            yield from ((name, False) for name in outline.brands)
            yield None, False
        elif fold(word) in by_fold:
            yield by_fold[fold(word)], True
        else:
            near = did_you_mean(word, outline.brands)
            raise ParamsError(
                f"There is no brand '{word}' in the data. {near}".rstrip(),
                next_step=f"Brands found: {listed(outline.brands, most=30)}; all for every one.",
            )


def _periods(words: Sequence[str], outline: Outline) -> Iterator[tuple[Period, bool]]:
    """Periods, and whether each was named."""
    first, last = outline.first, outline.last
    assert first is not None
    assert last is not None
    for word in words:
        start, dots, end = word.partition("..")
        if word.lower() in STEPS:
            yield from ((each, False) for each in _steps(word.lower(), outline))
        elif dots and (few := _between(start, end)):
            yield from ((each, False) for each in few)
        else:
            yield periods.resolve(word, first, last), True


def _steps(word: str, outline: Outline) -> list[Period]:
    """Every month, quarter or year that the data reaches into."""
    first, last = outline.first, outline.last
    assert first is not None
    assert last is not None
    name = FORMS[word].format(first, (first.month - 1) // 3 + 1)
    return _from(
        periods.parse(name), periods.parse(FORMS[word].format(last, (last.month - 1) // 3 + 1))
    )


def _between(start: str, end: str) -> list[Period]:
    """Periods of one kind from the first to the last; none where they are days."""
    try:
        low, high = periods.parse(start), periods.parse(end)
    except ParamsError:
        return []
    if low.grain is not high.grain or low.grain in (Grain.RANGE, Grain.ALL):
        return []
    if high.start < low.start:
        raise ParamsError(f"The periods {start}..{end} end before they begin.")
    return _from(low, high)


def _from(low: Period, high: Period) -> list[Period]:
    found = [high]
    while found[-1].start > low.start:
        before = found[-1].previous()
        if before is None or len(found) >= MOST_PERIODS:
            raise ParamsError(
                f"{low.name}..{high.name} is more than {MOST_PERIODS:,} periods.",
                next_step="Name fewer, or cut them into longer ones.",
            )
        found.append(before)
    return found[::-1]
