"""Campaigns that nobody assigned at random: cities that went dark, and a brand against its own past.

Each method meets the world that it supposes and one that breaks the supposition. Effects are in shares
of the level before launch.
"""

from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hkreport.certify.case import Case, Method, answer, each_run
from hkreport.methods.counterfactual import (
    Counterfactual,
    Panel,
    conformal_p_value,
    difference_in_differences,
    structural_series,
    synthetic_control,
)
from hkreport.methods.estimate import Estimate, Refusal
from hkreport.methods.experiment import difference

__all__ = ["cases"]

Floats: TypeAlias = NDArray[np.float64]

PARALLEL = "Difference in differences"
MIX = "Synthetic control"
SERIES = "Structural series"

LEVEL = 100.0  # of every series before launch
EFFECT = 0.05  # of that level


def cases() -> Sequence[Case]:
    """Conditions of every method without assignment."""
    return [*_parallel(), *_mix(), *_series()]


def _of(truth: float, found: Counterfactual | Refusal) -> list[float]:
    said = found.effect if isinstance(found, Counterfactual) else None
    return answer(truth, said, LEVEL)


# Difference in differences.


def _parallel() -> list[Case]:
    made = []
    for condition, treated, drift, holds in (
        ("20 of 40 cities treated", 20, 0.0, True),
        ("4 of 40 cities treated", 4, 0.0, True),
        ("20 of 40 cities treated, which grow 1% a week faster", 20, 1.0, False),
        ("20 of 40 cities treated, which grow 0.2% a week faster", 20, 0.2, False),
    ):
        for effect in (EFFECT, 0.0) if holds else (0.0,):
            made.append(
                Case(
                    group=PARALLEL,
                    condition=f"{condition}, effect {effect:.0%}",
                    methods=(
                        Method(name="difference in differences by city", holds=holds),
                        Method(name="city-weeks as units (Welch)", holds=False),
                        Method(name="after against before, treated only", holds=False),
                    ),
                    draw=each_run(
                        partial(_differences, treated=treated, drift=drift, effect=effect)
                    ),
                    runs=1500 if treated >= 10 else 500,
                )
            )
    return made


def _differences(
    rng: np.random.Generator,
    treated: int,
    drift: float,
    effect: float,
    cities: int = 40,
    weeks: int = 20,
    launch: int = 14,
) -> list[list[float]]:
    """Cities of different size that share shocks, keep some of their own, and drift if asked to."""
    own = np.zeros((cities, weeks))
    noise = rng.normal(0, 3, (cities, weeks))
    for week in range(weeks):
        own[:, week] = 0.5 * own[:, week - 1] + noise[:, week] if week else noise[:, week]
    shared = rng.normal(0, 2, weeks).cumsum()
    values = LEVEL + rng.normal(0, 30, (cities, 1)) + shared + own
    chosen = np.arange(cities) < treated
    values[chosen] += drift * np.arange(weeks)
    values[chosen, launch:] += effect * LEVEL
    panel = Panel(values, chosen, launch, tuple(map(str, range(cities))))
    change = values - values[:, :launch].mean(1, keepdims=True)
    after = difference(
        change[chosen, launch:].ravel(), change[~chosen, launch:].ravel(), interval="welch"
    )
    before = difference(
        values[chosen, launch:].mean(0), values[chosen, :launch].mean(0), interval="welch"
    )
    truth = effect * LEVEL
    return [
        _of(truth, difference_in_differences(panel)),
        answer(truth, after, LEVEL),
        answer(truth, before, LEVEL),
    ]


# Synthetic control.


def _mix() -> list[Case]:
    made = []
    for condition, options, holds in (
        ("1 of 40 cities treated, 60 days before, 15 after", {}, True),
        ("4 of 40 cities treated, 60 days before, 15 after", {"treated": 4}, True),
        ("1 of 15 cities treated", {"cities": 15}, False),
        ("30 days before, 15 after", {"days": 45, "launch": 30}, False),
        ("the treated city follows a path of its own", {"own": 4.0}, False),
    ):
        for effect in (EFFECT, 0.0) if holds else (0.0,):
            made.append(
                Case(
                    group=MIX,
                    condition=f"{condition}, effect {effect:.0%}",
                    methods=(
                        Method(name="synthetic control, placebos in space", holds=holds),
                        Method(
                            name="gaps shifted in time (conformal)",
                            holds=False,
                            judges_only=True,
                        ),
                        Method(name="gaps shuffled freely in time", holds=False, judges_only=True),
                    ),
                    draw=each_run(partial(_mixed, effect=effect, **options)),
                    runs=500 if options.get("treated") != 4 else 200,
                )
            )
    return made


def _mixed(
    rng: np.random.Generator,
    effect: float,
    cities: int = 40,
    treated: int = 1,
    days: int = 75,
    launch: int = 60,
    own: float = 0.0,
) -> list[list[float]]:
    """Cities that load on three wandering factors, so that a mix can follow each of them."""
    factors = rng.normal(0, 1, (3, days)).cumsum(1)
    values = LEVEL + rng.dirichlet(np.ones(3), cities) @ factors * 3
    values += rng.normal(0, 3, (cities, days))
    chosen = np.arange(cities) < treated
    values[chosen] += rng.normal(0, own, days).cumsum()
    values[chosen, launch:] += effect * LEVEL
    panel = Panel(values, chosen, launch, tuple(map(str, range(cities))))
    truth = effect * LEVEL
    found = synthetic_control(panel)
    return [
        _of(truth, found),
        *(
            [truth / LEVEL, 0.0, np.nan, np.nan, conformal_p_value(panel, blocks=blocks)]
            for blocks in (True, False)
        ),
    ]


# One series.


def _series() -> list[Case]:
    made = []
    for condition, wander, halo, holds in (
        ("level that wanders a little (0.5 a day, noise 3)", 0.5, 0.0, True),
        ("level that wanders much (1.5 a day, noise 3)", 1.5, 0.0, True),
        ("level that stands still", 0.0, 0.0, True),
        ("control touched by half of the effect (halo)", 0.0, 0.5, False),
    ):
        for effect in (2 * EFFECT, 0.0) if holds else (2 * EFFECT,):
            made.append(
                Case(
                    group=SERIES,
                    condition=f"{condition}, effect {effect:.0%}",
                    methods=(
                        Method(
                            name="level estimated", holds=holds and wander > 0, conservative=True
                        ),
                        Method(
                            name="level fixed beforehand (1%)",
                            holds=holds and wander == 0,
                            conservative=True,
                        ),
                        Method(name="after against before (Welch)", holds=False),
                    ),
                    draw=each_run(partial(_one_series, wander=wander, halo=halo, effect=effect)),
                    runs=320,
                )
            )
    return made


def _one_series(
    rng: np.random.Generator,
    wander: float,
    halo: float,
    effect: float,
    days: int = 112,
    launch: int = 84,
) -> list[list[float]]:
    control = rng.normal(0, 1, days)
    after = np.arange(days) >= launch
    values = LEVEL + rng.normal(0, wander, days).cumsum() + 3 * control + rng.normal(0, 3, days)
    values = values + effect * LEVEL * after
    seen = control + halo * effect * LEVEL / 3 * after
    truth = effect * LEVEL
    naive: Estimate | Refusal = difference(values[after], values[~after], interval="welch")
    return [
        _of(truth, structural_series(values, launch, controls=seen)),
        _of(truth, structural_series(values, launch, controls=seen, level_sd=0.01)),
        answer(truth, naive, LEVEL),
    ]
