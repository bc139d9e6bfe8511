"""Do the comparisons of a report keep silent where nothing differs, and find what was planted?

Whole data sets of the simulator, at 400 influencers: on ``null`` only influencers differ, on ``planted``
a tier, a platform and a product do. And the best influencers: are they the lucky few?
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hkreport.certify.case import Case, Method, each_run, share_error
from hkreport.evidence import calibration
from hkreport.methods import shrinkage

__all__ = ["cases"]

Floats: TypeAlias = NDArray[np.float64]

INSIGHTS = "Insights"
BEST = "The best influencers"

INFLUENCERS = 400
TOP = 5

STATED = Method(name="stated comparisons", published={"false_alarms": (0.05, "at_most")})
FOUND = Method(
    name="stated comparisons",
    published={"recall": (0.80, "at_least"), "precision": (0.90, "at_least")},
)
RAW = Method(name="as counted", holds=False)
SHRUNK = Method(
    name="shrunk (Gamma–Poisson)",
    published={"coverage_80": 0.80},
    why={
        "coverage_80": "The interval is promised for an influencer, not for the top five: over all of them it "
        "holds 81%. The very best of a lognormal quality are better than the Gamma foresees, so they are shown "
        "5% too low (METHODS: 2.8 where the truth is 3.1) and lie above it; of Gamma quality, 78% of the top "
        "five are held."
    },
)


def cases() -> Sequence[Case]:
    """Silence, recall and precision; the top five with and without shrinkage."""
    return [
        Case(
            group=INSIGHTS,
            condition=f"scenario null, {INFLUENCERS} influencers",
            methods=(STATED,),
            draw=partial(_compared, scenario="null"),
            runs=400,
            score=_silence,
            chunk=10,
        ),
        Case(
            group=INSIGHTS,
            condition=f"scenario planted, {INFLUENCERS} influencers",
            methods=(FOUND,),
            draw=partial(_compared, scenario="planted"),
            runs=400,
            score=_finding,
            chunk=10,
        ),
        Case(
            group=BEST,
            condition=f"top {TOP} of 200 influencers, 10 orders each on average",
            methods=(RAW, SHRUNK),
            draw=each_run(_best),
            runs=1000,
            score=_luck,
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Counts:
    """What was said about one data set."""

    stated: int
    planted: int
    found: int
    right: int
    wrong: int
    covered: int
    intervals: int


def _compared(rng: np.random.Generator, runs: int, scenario: str) -> Floats:
    rows = []
    for seed in rng.integers(1, 2**31, runs):
        (one,) = calibration.calibration(1, int(seed), scenario=scenario, influencers=INFLUENCERS)
        counts = _Counts(
            len(one.stated),
            one.planted,
            one.found,
            one.right,
            one.wrong,
            one.covered,
            one.intervals,
        )
        rows.append(astuple(counts))
    return np.array(rows, float)


def _silence(answers: Floats) -> Iterator[tuple[Method, str, float, float]]:
    spoke = float((answers[:, 0] > 0).mean())
    yield STATED, "false_alarms", spoke, share_error(spoke, len(answers))


def _finding(answers: Floats) -> Iterator[tuple[Method, str, float, float]]:
    """Recall, precision and coverage; the error counts data sets, whose comparisons hang together."""
    _, planted, found, right, wrong, covered, intervals = answers.T
    for name, above, below in (
        ("recall", found, planted),
        ("precision", right, right + wrong),
        ("coverage", covered, intervals),
    ):
        if below.sum():
            value = float(above.sum() / below.sum())
            gaps = above - value * below
            error = math.sqrt(float(gaps @ gaps)) / float(below.sum())
            yield FOUND, name, value, max(error, share_error(value, int(below.sum())))


def _best(rng: np.random.Generator, number: int = 200) -> list[list[float]]:
    """Of the five best as counted and as shrunk: return shown, true return, share of intervals that hold."""
    fees = np.full(number, 1000.0)
    truth = rng.lognormal(-0.18, 0.6, number)  # orders that a fee brings, in tens
    orders = rng.poisson(10 * truth).astype(float)
    worth = np.array([rng.lognormal(-0.2113, 0.65, int(each)).sum() for each in orders])
    revenue = 100 * worth
    made = shrinkage.shrink(orders, revenue, fees)
    raw = revenue / fees
    top = np.argsort(-raw, kind="stable")[:TOP]
    rows = [[float(raw[top].mean()), float(truth[top].mean()), math.nan]]
    if isinstance(made, shrinkage.Shrunk):
        best = np.argsort(-made.roas, kind="stable")[:TOP]
        inside = (made.low[best] <= truth[best]) & (truth[best] <= made.high[best])
        rows.append(
            [float(made.roas[best].mean()), float(truth[best].mean()), float(inside.mean())]
        )
    else:
        rows.append([math.nan] * 3)
    return rows


def _luck(answers: Floats) -> Iterator[tuple[Method, str, float, float]]:
    """How much larger the shown return is than the true one, and how often the interval holds it."""
    for place, method in enumerate((RAW, SHRUNK)):
        shown, true, covered = answers[:, place].T
        gap = (shown - true) / true
        yield method, "bias", float(np.nanmean(gap)), float(np.nanstd(gap)) / math.sqrt(len(gap))
        if np.isfinite(covered).any():
            error = float(np.nanstd(covered)) / math.sqrt(len(covered))
            yield method, "coverage_80", float(np.nanmean(covered)), error
