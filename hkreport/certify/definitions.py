"""The five things called incremental ROAS, asked about campaigns whose true return is known.

Four of them see what a dashboard sees: credited revenue, organic revenue, spend and the revenue of two
arms. The fifth sees who was assigned to what. All are computed by :mod:`hkreport.evidence.definitions`
and :mod:`hkreport.methods.experiment`, as the report computes them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hkreport.certify.case import Case, Method, answer, share_error
from hkreport.certify.trials import BUYERS, RATIO, draw_arm
from hkreport.evidence import definitions as old
from hkreport.methods import experiment

__all__ = ["cases"]

Floats: TypeAlias = NDArray[np.float64]

GROUP = "Five definitions of incremental ROAS"

USERS = 20_000  # in control; four times as many see the campaign
ELSEWHERE = 4.0  # sales to people outside the test, in multiples of the treated users' own
TRACKED = 0.75  # of caused orders carry the code
ORGANIC_SHARE = 0.2  # that assumed_baseline assumes
MARGIN = 0.5  # contribution a rupee: a campaign pays back from an iROAS of 2
FEE = 0.075  # of the treated users' own revenue, in the middle
NEAR = 0.2  # of the truth: what a planner would call the right answer

# Drawn with two other seeds, outside the certification.
BY_CHANCE = {
    "false_alarms": "By chance, as far as is known: 24,000 other campaigns of this kind gave 5.15 ± 0.14 %."
}


@dataclass(frozen=True, slots=True)
class World:
    """What is true of the campaigns.

    Attributes
    ----------
    lift : (float, float)
        Range of the true lift.
    poached : (float, float)
        Range of the share of own orders on which somebody's code is used.
    follows : bool
        Fees and own demand rise together, with the season.
    """

    words: str
    lift: tuple[float, float]
    poached: tuple[float, float]
    follows: bool = False


WORLDS = (
    World("true lift 0 to 30%", (0.0, 0.3), (0.03, 0.12)),
    World("no effect at all", (0.0, 0.0), (0.03, 0.12)),
    World("leaky codes", (0.0, 0.3), (0.2, 0.4)),
    World("fees follow the season", (0.0, 0.3), (0.03, 0.12), follows=True),
)


def cases() -> Sequence[Case]:
    """One case a world."""
    methods = tuple(
        Method(name=each.name, holds=True, why=BY_CHANCE)
        if each.name == "experiment"
        else Method(name=each.name, holds=False)
        for each in old.DEFINITIONS
    )
    return [
        Case(
            group=GROUP,
            condition=world.words,
            methods=methods,
            draw=partial(_campaigns, world=world),
            runs=1500,
            score=partial(_score, methods=methods),
        )
        for world in WORLDS
    ]


def _campaigns(rng: np.random.Generator, runs: int, world: World) -> Floats:
    """A portfolio of campaigns; the average that one definition compares with is theirs."""
    made = np.full((runs, len(old.DEFINITIONS), 5), np.nan)
    roas = {}
    for run in range(runs):
        season = rng.uniform(0.8, 1.6) if world.follows else 1.0
        lift, poached = rng.uniform(*world.lift), rng.uniform(*world.poached)
        control = draw_arm(rng, USERS, BUYERS * season, 0.8)
        treated = draw_arm(rng, round(RATIO * USERS), BUYERS * season * (1 + lift), 0.8)
        own = BUYERS * season * len(treated)
        middle = FEE * BUYERS * len(treated)
        spend = middle * season**2 * rng.lognormal(0, 0.3)
        truth = lift * own / spend
        credited = TRACKED * lift * own + poached * own
        organic = (1 + ELSEWHERE) * own + control.sum() + lift * own - credited
        roas[str(run)] = credited / spend
        values = (
            old.assumed_baseline(credited / spend, ORGANIC_SHARE),
            old.organic_baseline(credited, organic, spend),
            math.nan,
            old.naive_test_control(float(treated.sum()), float(control.sum()), spend),
        )
        made[run, :, 0] = truth
        made[run, :4, 1] = values
        made[run, 4] = answer(truth, experiment.return_on_spend(treated, control, fee=spend))
    made[:, 2, 1] = list(old.versus_average(roas).values())
    return made


def _score(
    answers: Floats, methods: Sequence[Method]
) -> Iterator[tuple[Method, str, float, float]]:
    """How far from the truth, and how often on the right side of break-even."""
    runs = len(answers)
    for place, method in enumerate(methods):
        truth, value, low, high, _ = answers[:, place].T
        gap = value - truth
        if np.isfinite(low).any():
            covered = float(((low <= truth) & (truth <= high)).mean())
            yield method, "coverage", covered, share_error(covered, runs)
            if not truth.any():
                alarms = float(((low > 0) | (high < 0)).mean())
                yield method, "false_alarms", alarms, share_error(alarms, runs)
        yield method, "bias", float(gap.mean()), float(gap.std(ddof=1)) / math.sqrt(runs)
        rmse = math.sqrt(float((gap**2).mean()))
        spread = float((gap**2).std(ddof=1)) / (2 * rmse * math.sqrt(runs)) if rmse else 0.0
        yield method, "rmse", rmse, spread
        # vs_average says how much better than the others; its users act on its sign.
        limit = 0.0 if method.name == "vs_average" else 1 / MARGIN
        right = float(((value > limit) == (truth > 1 / MARGIN)).mean())
        yield method, "right_decision", right, share_error(right, runs)
        if truth.any():
            near = float((np.abs(gap) <= NEAR * truth).mean())
            yield method, "within_a_fifth", near, share_error(near, runs)
