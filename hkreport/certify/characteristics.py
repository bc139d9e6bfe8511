"""How often is a method right? Measured over simulated campaigns whose truth is known.

A :class:`Case` draws campaigns under one condition and lets one or more methods answer; what they
answered is scored here into :class:`Figure` records. Cases stand in groups, and each group is a function
in :data:`GROUPS`: to certify a further method, add a function that returns cases.

Campaigns are drawn in chunks, each from a stream of its own that depends on the seed, the case and the
number of the chunk alone, so that the figures are the same however many processes share the work.

Some two hundred figures are judged, each granted two simulation errors: several of a sound method would
fall outside by chance in every run. So a condition of which any figure does gets :data:`AGAIN` times as many
campaigns more, and is judged by all of them together, those of the first draw included. One rule for all
conditions: what is really off by more than the band shows all the more clearly, and a sound figure is found
off less than once in a hundred times. The rule was made after a first full run had shown eleven figures outside.
"""

import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hkreport.certify import (
    definitions,
    influencers,
    insights,
    plans,
    regions,
    scenarios,
    trials,
)
from hkreport.certify.case import Case, Method, share_error
from hkreport.certify.record import DIFFERS, Record
from hkreport.errors import DataError

__all__ = [
    "GROUPS",
    "Figure",
    "cases",
    "figures_of",
    "from_json",
    "measure",
    "to_json",
    "to_records",
]

Floats: TypeAlias = NDArray[np.float64]

GROUPS: tuple[Callable[[], Sequence[Case]], ...] = (
    trials.cases,
    regions.cases,
    influencers.cases,
    insights.cases,
    plans.cases,
    definitions.cases,
    scenarios.cases,
)

LEVEL = 0.05  # p-value below which a method says that there is an effect
NOMINAL = 0.95
BAND = 0.01  # coverage may lie this far from nominal: METHODS asks for 94 to 96 %
ERRORS = 2.0  # simulation errors that are granted on top
AGAIN = 4  # times its first campaigns are added to a condition that looked off
METHODS_RUNS = 10_000  # behind the figures that METHODS states

DIGITS = 5  # significant, of measured figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured property of one method under one condition.

    Attributes
    ----------
    group, method, condition : str
    holds : bool
        Whether the method's conditions hold there.
    measure : str
        coverage, false_alarms, power, bias, width, refused, or what the case names.
    value : float or None
        A share, except for bias and width, which are in multiples of the condition's own scale.
    error : float
        Simulation error (one standard error) of `value`.
    runs : int
        Campaigns behind it.
    target : float or None
        What METHODS states or promises.
    bound : str
        As :class:`hkreport.certify.record.Record` has it.
    tolerance : float
        What is granted beyond the target, simulation error included.
    again : bool
        Whether campaigns were added, because the first ones looked off.
    why : str
        Why it differs, where that is known.
    """

    group: str
    method: str
    condition: str
    holds: bool
    measure: str
    value: float | None
    error: float
    runs: int
    target: float | None = None
    bound: str = ""
    tolerance: float = 0.0
    again: bool = False
    why: str = ""

    @property
    def fits(self) -> bool:
        """Whether it is what METHODS states or promises, or nothing is said about it."""
        return all(record.status != DIFFERS for record in to_records([self]))


def cases() -> list[Case]:
    """All cases, in the order of the groups."""
    return [case for group in GROUPS for case in group()]


def measure(
    *,
    seed: int = 1,
    share: float = 1.0,
    jobs: int = 1,
    groups: Iterable[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Figure]:
    """Draw all campaigns and score what the methods said.

    Parameters
    ----------
    seed : int
        The same seed gives the same figures, whatever `jobs` is.
    share : float
        Of the runs that each case asks for; a test takes few. At least two campaigns are drawn.
    jobs : int
        Processes.
    groups : iterable of str, optional
        Only the cases of these groups.
    progress : callable, optional
        Told what is done.

    Returns
    -------
    list of Figure
    """
    say = progress or (lambda words: None)
    every = cases()
    wanted = set(groups) if groups is not None else {case.group for case in every}
    chosen = {
        number: max(math.ceil(case.runs * share), 2)
        for number, case in enumerate(every)
        if case.group in wanted
    }
    first = _answers(every, chosen, seed, jobs, say)
    made = {number: figures_of(every[number], found) for number, found in first.items()}
    doubtful = {
        number: AGAIN * chosen[number]
        for number, figures in made.items()
        if not all(figure.fits for figure in figures)
    }
    for number, found in _answers(every, doubtful, seed, jobs, say, again=True).items():
        together = figures_of(every[number], np.concatenate([first[number], found]))
        made[number] = [replace(figure, again=True) for figure in together]
    return [figure for _, figures in sorted(made.items()) for figure in figures]


def _answers(
    every: Sequence[Case],
    runs: Mapping[int, int],
    seed: int,
    jobs: int,
    say: Callable[[str], None],
    *,
    again: bool = False,
) -> dict[int, Floats]:
    """What was answered in the cases with these numbers, from so many campaigns each."""
    tasks = [
        _Task(number, chunk, min(size, many - chunk * size), seed, again)
        for number, many in runs.items()
        for size in [every[number].chunk]
        for chunk in range(math.ceil(many / size))
    ]
    answers: dict[int, list[Floats]] = {}
    for task, answer in zip(tasks, _drawn(tasks, jobs), strict=True):
        if task.number not in answers:
            case = every[task.number]
            more = ", more campaigns" if again else ""
            say(f"{case.group}: {case.condition} ({task.number + 1} of {len(every)}){more}")
        answers.setdefault(task.number, []).append(answer)
    return {number: np.concatenate(parts) for number, parts in answers.items()}


class _Task(NamedTuple):
    """A chunk of campaigns to draw: of which case, how many, from which stream."""

    number: int
    chunk: int
    runs: int
    seed: int
    again: bool


def _drawn(tasks: Sequence[_Task], jobs: int) -> Iterator[Floats]:
    """What each chunk's campaigns answered, in the order of the tasks."""
    if jobs <= 1:
        yield from map(_draw, tasks)
        return
    # Small matrices only: threads of a library would fight the processes for the cores.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_draw, tasks)


def _draw(task: _Task) -> Floats:
    case = cases()[task.number]
    name = zlib.crc32(f"{case.group} {case.condition}".encode())
    rng = np.random.default_rng([task.seed, name, task.chunk, *([1] if task.again else [])])
    with np.errstate(all="ignore"):
        return np.asarray(case.draw(rng, task.runs), float)


def figures_of(case: Case, answers: Floats) -> list[Figure]:
    """Score the answers of one case.

    Parameters
    ----------
    case : Case
    answers : array of float, shape (runs, methods, 5)
        Truth, estimate, ends of the interval and p-value; NaN from the estimate on where a method
        refused. A case with a `score` of its own may answer in another shape.
    """
    if case.score is not None:
        return [
            _figure(case, method, measure, value, error, len(answers))
            for method, measure, value, error in case.score(answers)
        ]
    return [
        figure
        for place, method in enumerate(case.methods)
        for figure in _of_method(case, method, answers[:, place])
    ]


def _of_method(case: Case, method: Method, answers: Floats) -> Iterator[Figure]:
    # A truth that is missing means that nobody asked.
    truth, value, low, high, p_value = answers[np.isfinite(answers[:, 0])].T
    if not len(truth):
        return
    said = np.isfinite(value)
    runs, answered = len(truth), int(said.sum())
    refused = 1 - answered / runs
    if refused or "refused" in method.published:
        yield _figure(case, method, "refused", refused, share_error(refused, runs), runs)
    if not answered:
        return
    bounded = ~np.isnan(low[said])
    if bounded.any():
        inside = (low <= truth) & (truth <= high)
        covered = float(inside[said][bounded].mean())
        yield _figure(case, method, "coverage", covered, share_error(covered, answered), answered)
    tested = ~np.isnan(p_value[said])
    if tested.any():
        alarms = float((p_value[said][tested] < LEVEL).mean())
        name = "false_alarms" if not truth.any() else "power"
        yield _figure(case, method, name, alarms, share_error(alarms, answered), answered)
    gap = value[said] - truth[said]
    if not method.judges_only:
        error = float(gap.std(ddof=1)) / math.sqrt(answered) if answered > 1 else math.inf
        yield _figure(case, method, "bias", float(gap.mean()), error, answered)
        if not bounded.any():
            rmse = math.sqrt(float((gap**2).mean()))
            yield _figure(case, method, "rmse", rmse, error, answered)
    width = (high - low)[said][bounded]
    if bounded.any() and np.isfinite(np.median(width)):
        error = 1.2533 * float(width[np.isfinite(width)].std()) / math.sqrt(answered)
        yield _figure(case, method, "width", float(np.median(width)), error, answered)


def _figure(
    case: Case, method: Method, measure: str, value: float, error: float, runs: int
) -> Figure:
    target, bound, tolerance = _target(method, measure, error, runs)
    return Figure(
        group=case.group,
        method=method.name,
        condition=case.condition,
        holds=method.holds,
        measure=measure,
        value=_short(value),
        error=_short(error) or 0.0,
        runs=runs,
        target=target,
        bound=bound,
        tolerance=_short(tolerance) or 0.0,
        why=method.why.get(measure, "") if target is not None else "",
    )


def _target(
    method: Method, measure: str, error: float, runs: int
) -> tuple[float | None, str, float]:
    """What METHODS states for it: a figure it measured, or what every sound method promises."""
    stated = method.published.get(measure)
    if stated is not None:
        value, bound = stated if isinstance(stated, tuple) else (stated, "")
        theirs = math.sqrt(value * (1 - value) / METHODS_RUNS) if 0 < value < 1 else 0.0
        band = 0.0 if bound else BAND
        return value, bound, band + ERRORS * math.hypot(error, theirs)
    if not method.holds:
        return None, "", 0.0
    if measure == "coverage":
        chance = math.sqrt(NOMINAL * (1 - NOMINAL) / runs)
        bound = "at_least" if method.conservative else ""
        return NOMINAL, bound, BAND + ERRORS * chance
    if measure == "false_alarms":
        return LEVEL, "at_most", ERRORS * math.sqrt(LEVEL * (1 - LEVEL) / runs)
    return None, "", 0.0


def to_records(figures: Iterable[Figure]) -> list[Record]:
    """The figures that something is promised or stated about, as certification.json lists them."""
    made = []
    for figure in figures:
        if figure.target is None or figure.value is None:
            continue
        state = "in its conditions" if figure.holds else "out of its conditions"
        again = ", most of them added after a first look" if figure.again else ""
        cause = figure.why or ("What causes it is not known." if figure.again else "")
        measured = "Measured, campaigns added" if figure.again else "Measured"
        made.append(
            Record.judged(
                figure.group,
                f"{figure.measure.replace('_', ' ')}, {figure.method}: {figure.condition}",
                f"METHODS, {state}; {figure.runs} simulated campaigns{again}",
                figure.target,
                figure.value,
                figure.tolerance,
                bound=figure.bound,
                reason=f"{cause} {measured}: {figure.value:.3g} ± {figure.error:.2g}.".lstrip(),
            )
        )
    return made


def to_json(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """Figures as ``characteristics.json`` holds them."""
    return [asdict(figure) for figure in figures]


def from_json(found: Iterable[Mapping[str, Any]]) -> list[Figure]:
    """Figures out of ``characteristics.json``.

    Raises
    ------
    DataError
        If the file is of another version.
    """
    try:
        return [Figure(**each) for each in found]
    except TypeError as cause:
        raise DataError(
            f"characteristics.json holds other columns than this version writes: {cause}.",
            next_step="Run 'hkreport certify' to simulate again.",
        ) from cause


def _short(value: float) -> float | None:
    value = float(value)
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
