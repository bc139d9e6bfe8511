"""A condition under which campaigns are simulated, and the methods that are asked about them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hkreport.methods.estimate import Estimate, Refusal

__all__ = ["CHUNK", "Case", "Method", "answer", "each_run", "share_error"]

Floats: TypeAlias = NDArray[np.float64]
Score: TypeAlias = Callable[[Floats], Iterable[tuple["Method", str, float, float]]]

CHUNK = 100  # campaigns


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method under one condition.

    Attributes
    ----------
    name : str
    holds : bool
        Whether the conditions of the method hold; if so, it promises 94 to 96 % coverage and at most
        5 % false alarms.
    conservative : bool
        Said to cover more than its level: coverage has no upper bound.
    judges_only : bool
        Gives a verdict without an estimate.
    published : mapping of str to float or (float, str)
        Figures that METHODS states, by measure; a pair is a bound (``at_most``, ``at_least``).
    why : mapping of str to str
        By measure, why the figure differs from what is stated or promised, where that has been found
        out; printed only where it does.
    """

    name: str
    holds: bool = True
    conservative: bool = False
    judges_only: bool = False
    published: Mapping[str, float | tuple[float, str]] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One condition: how campaigns come about, and who answers.

    Attributes
    ----------
    group : str
        Heading on the page.
    condition : str
        What is true of the campaigns, in words.
    methods : tuple of Method
    draw : callable
        Takes a random generator and a number of runs; returns an array (runs, methods, 5), see
        :func:`hkreport.certify.characteristics.figures_of`.
    runs : int
        Campaigns of a full certification.
    score : callable, optional
        Instead of the usual measures: takes the answers, yields (method, measure, value, error).
    chunk : int, default 100
        Campaigns drawn from one stream of random numbers, and the smallest piece of work.
    """

    group: str
    condition: str
    methods: Sequence[Method]
    draw: Callable[[np.random.Generator, int], Floats]
    runs: int
    score: Score | None = None
    chunk: int = CHUNK


def answer(truth: float, found: Estimate | Refusal | None, scale: float = 1.0) -> list[float]:
    """What a method said about one campaign, in multiples of `scale`."""
    if not isinstance(found, Estimate):
        return [truth / scale, np.nan, np.nan, np.nan, np.nan]
    ends = (found.value / scale, found.low / scale, found.high / scale)
    return [truth / scale, *ends, found.p_value]


def each_run(
    one: Callable[[np.random.Generator], list[list[float]]],
) -> Callable[[np.random.Generator, int], Floats]:
    """Draw campaign by campaign, for methods that take one at a time."""

    def draw(rng: np.random.Generator, runs: int) -> Floats:
        return np.array([one(rng) for _ in range(runs)])

    return draw


def share_error(share: float, runs: int) -> float:
    """Standard error of a share of runs; where nothing or everything happened, as if half a run had not.

    Examples
    --------
    >>> round(share_error(0.95, 10_000), 4), round(share_error(0.0, 100), 4)
    (0.0022, 0.0071)
    """
    kept = min(max(share, 0.5 / runs), 1 - 0.5 / runs)
    return math.sqrt(kept * (1 - kept) / runs)
