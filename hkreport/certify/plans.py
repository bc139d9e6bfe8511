"""Do plans, forecasts and statements about time come true? Whole data sets of the simulator, waited out.

A move of fees is scored by what it brings without chance, a forecast by the weeks that came after it, and
fatigue by whether any was planted.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hkreport.certify.case import Case, Method, share_error
from hkreport.evidence import scored

__all__ = ["cases"]

Floats: TypeAlias = NDArray[np.float64]

FATIGUE = "Creative fatigue"
BUDGET = "Budget moves"
FORECAST = "Forecasts of weekly revenue"

# A p-value below which fatigue is told.
TOLD = 0.01

STATED = Method(name="stated fatigue", published={"false_alarms": (0.05, "at_most")})
FOUND = Method(name="stated fatigue", published={"recall": (0.80, "at_least"), "coverage": 0.95})
MOVE = Method(
    name="best move within 25%, less the luck of the best",
    # A span of what may be where cells may be alike: it holds at least as often as it says.
    published={"coverage_80": (0.80, "at_least"), "lower_end_holds": (0.90, "at_least")},
)
SHOWN = Method(
    name="forecast shown",
    published={"coverage_80": 0.80, "coverage_95": 0.95},
)
# Bands are made of past errors, and those hold no weeks before Diwali.
AT_DIWALI = Method(name="forecast shown", holds=False)
NAIVE = Method(name="naive forecast", holds=False)


def cases() -> Sequence[Case]:
    """Fatigue without and with any, budget moves of three brands, forecasts with and without Diwali."""
    made = [
        Case(
            group=FATIGUE,
            condition=f"scenario {scenario}, exports of the size of the sample",
            methods=(method,),
            draw=partial(_tired, scenario=scenario),
            runs=80,
            score=partial(_fatigue, method=method),
            chunk=8,
        )
        for scenario, method in (("null", STATED), ("planted", FOUND))
    ]
    made += [
        Case(
            group=BUDGET,
            condition=f"two years of {brand}, 400 influencers",
            methods=(MOVE,),
            draw=partial(_moved, brand=number),
            runs=120,
            score=_gains,
            chunk=20,
        )
        for number, brand in enumerate(("MuscleBlaze", "HKVitals", "Gritzo"))
    ]
    made += [
        Case(
            group=FORECAST,
            condition=condition,
            methods=(method, NAIVE),
            draw=partial(_foretold, festival=festival),
            runs=160,
            score=partial(_came, method=method),
            chunk=20,
        )
        for festival, condition, method in (
            (False, "two years known, eight weeks ahead", SHOWN),
            (True, "Diwali in the eight weeks ahead, three of them known", AT_DIWALI),
        )
    ]
    return made


def _each(rng: np.random.Generator, runs: int, one: Callable[[int], list[float]]) -> Floats:
    return np.array([one(int(seed)) for seed in rng.integers(1, 2**31, runs)], float)


def _tired(rng: np.random.Generator, runs: int, scenario: str) -> Floats:
    def one(seed: int) -> list[float]:
        (made,) = scored.tiredness(1, seed, scenario=scenario)
        return [made.truth, made.value, made.low, made.high, made.p_value]

    return _each(rng, runs, one)


def _fatigue(answers: Floats, method: Method) -> Iterator[tuple[Method, str, float, float]]:
    """How often any is told, whether intervals hold the truth, and how far the estimate is off."""
    truth, value, low, high, p_value = answers.T
    told = float(((p_value < TOLD) & (high < 0)).mean())
    name = "recall" if method is FOUND else "false_alarms"
    yield method, name, told, share_error(told, len(answers))
    inside = float(((low <= truth) & (truth <= high)).mean())
    yield method, "coverage", inside, share_error(inside, len(answers))
    gap = value - truth
    yield method, "bias", float(gap.mean()), float(gap.std(ddof=1)) / math.sqrt(len(gap))


def _moved(rng: np.random.Generator, runs: int, brand: int) -> Floats:
    def one(seed: int) -> list[float]:
        made = next(scored.moves(1, seed, brand=brand), None)
        if made is None:
            return [math.nan] * 6
        gains = (made.gain, made.low, made.high, made.true_gain, made.best_gain)
        return [float(made.is_recommended), *(gain / made.revenue for gain in gains)]

    return _each(rng, runs, one)


def _gains(answers: Floats) -> Iterator[tuple[Method, str, float, float]]:
    """Gains as shares of what the fees bring today; promised less true is the bias."""
    answers = answers[np.isfinite(answers[:, 0])]
    if len(answers) < 2:
        return
    told, gain, low, high, true, best = answers.T
    for name, held in (
        ("recommended", told > 0),
        ("coverage_80", (low <= true) & (true <= high)),
        ("lower_end_holds", low <= true),
    ):
        share = float(held.mean())
        yield MOVE, name, share, share_error(share, len(answers))
    sure = told > 0
    for name, values in (
        ("bias", gain - true),
        ("true_gain_of_recommended", true[sure]),
        ("promised_gain_of_recommended", gain[sure]),
        ("regret", best - true),
    ):
        if len(values) > 1:
            error = float(values.std(ddof=1)) / math.sqrt(len(values))
            yield MOVE, name, float(values.mean()), error


def _foretold(rng: np.random.Generator, runs: int, festival: bool) -> Floats:
    def one(seed: int) -> list[float]:
        # Every brand in turn, so that the small ones are not forgotten.
        (made,) = scored.forecasts(1, seed, festival=festival, brand=seed % 3)
        shown = [made.covered_80, made.covered_95, made.error, made.truth_error, made.beats_naive]
        return [*map(float, shown), made.naive_error, made.naive_truth_error]

    return _each(rng, runs, one)


def _came(answers: Floats, method: Method) -> Iterator[tuple[Method, str, float, float]]:
    """Weeks within their bands; MASE against what came and against the mean without chance."""
    columns = (
        (method, "coverage_80"),
        (method, "coverage_95"),
        (method, "mase"),
        (method, "mase_of_the_mean"),
        (method, "models_shown"),
        (NAIVE, "mase"),
        (NAIVE, "mase_of_the_mean"),
    )
    for (who, name), values in zip(columns, answers.T, strict=True):
        # Weeks of one forecast hang together: forecasts are counted, not weeks.
        yield who, name, float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
