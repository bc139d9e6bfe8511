"""Hundreds of simulated data sets: silent where nothing differs, right where something was planted."""

import math

import pytest
import reliability

from hkreport.evidence import calibration

RUNS = 400


def within(rate, runs):
    """Two standard errors of a share over so many runs."""
    return 2 * math.sqrt(rate * (1 - rate) / runs)


@pytest.mark.slow
def test_nothing_is_stated_where_all_groups_are_equal():
    found = calibration.score(list(calibration.calibration(RUNS, 1, scenario="null")))
    assert found["runs"] == RUNS
    reliability.record(
        "insights",
        "nothing to find",
        runs=RUNS,
        runs_with_a_statement_percent=round(100 * found["runs_with_a_statement"], 1),
    )
    assert found["runs_with_a_statement"] <= 0.05 + within(0.05, RUNS)


@pytest.mark.slow
def test_planted_differences_are_found_with_their_sign_and_covered():
    found = calibration.score(list(calibration.calibration(RUNS, 1, scenario="planted")))
    assert found["planted"] == 5 * RUNS
    reliability.record(
        "insights",
        "planted differences",
        planted=found["planted"],
        **{
            f"{name}_percent": round(100 * found[name], 1)
            for name in ("recall", "precision", "coverage")
        },
    )
    assert found["recall"] >= 0.8
    assert found["precision"] >= 0.9
    assert found["coverage"] >= 0.95 - within(0.05, found["intervals"])
