"""Planned sizes: against statsmodels, by simulation, and as the command line prints them."""

import json
import math

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.power import NormalIndPower

from hkreport import cli
from hkreport.evidence import planning
from hkreport.methods import planner


@pytest.fixture
def run(capsys, monkeypatch):
    """Call the command line as the console script does; give exit code, output and errors."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["hkreport", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        return stop.value.code, said.out, said.err

    return call


@pytest.mark.parametrize("share", [0.5, 0.8, 0.3])
@pytest.mark.parametrize("power", [0.8, 0.95])
def test_sizes_agree_with_statsmodels(share, power):
    mean, sd, lift = 85.0, 640.0, 0.12
    plan = planner.users_needed(mean, sd, lift, share=share, power=power)
    ratio = (1 - share) / share
    # The same spread of both arms stands in for two different ones.
    both = math.sqrt((spread(mean, sd, lift) * ratio + sd**2) / (ratio + 1))
    treated = NormalIndPower().solve_power(mean * lift / both, power=power, alpha=0.05, ratio=ratio)
    assert plan.units == pytest.approx(treated * (1 + ratio), rel=1e-4)
    assert plan.treated + plan.control == plan.units
    assert planner.smallest_lift(mean, sd, plan.units, share=share, power=power) == pytest.approx(
        lift, rel=1e-4
    )
    assert planner.power_of(mean, sd, lift, plan.units, share=share) == pytest.approx(
        NormalIndPower().power(mean * lift / both, plan.units * share, 0.05, ratio=ratio), rel=1e-4
    )


def spread(mean, sd, lift):
    """Variance of a treated user where one in so many more buys, by hand: E[y²] − E[y]²."""
    return (1 + lift) * (sd**2 + mean**2) - (1 + lift) ** 2 * mean**2


@pytest.mark.parametrize("pooled", [False, True])
def test_planned_power_is_found_in_simulated_tests(pooled):
    rng = np.random.default_rng(31)
    # Poisson buyers of 3 %, amounts with mean 33.3 and the spread of a lognormal with sd 0.8.
    mean, second = 1.0, 0.03 * (1 / 0.03) ** 2 * np.exp(0.64)
    third = np.exp(-0.96 + 4.5 * 0.64) / 0.03**2  # raw, of a lognormal
    sd = math.sqrt(second - 1)
    skew = (third - 3 * second + 2) / sd**3
    plan = planner.users_needed(mean, sd, 0.3, share=0.8, pooled=pooled, skew=skew)
    found, runs = 0, 1500
    for _ in range(runs):
        arms = []
        for number, rate in ((plan.treated, 0.039), (plan.control, 0.03)):
            bought = rng.binomial(number, rate)
            values = rng.lognormal(-0.32, 0.8, bought) / 0.03
            first, square = values.sum() / number, (values**2).sum() / number
            arms += [first, math.sqrt((square - first**2) * number / (number - 1)), number]
        found += scipy.stats.ttest_ind_from_stats(*arms, equal_var=pooled).pvalue < 0.05
    # Three simulation errors around the power that was planned.
    assert found / runs == pytest.approx(0.8, abs=0.031)
    sizes = {"share": 0.8, "pooled": pooled, "skew": skew}
    assert planner.power_of(mean, sd, 0.3, plan.units, **sizes) == pytest.approx(0.8, abs=1e-4)
    assert planner.smallest_lift(mean, sd, plan.units, **sizes) == pytest.approx(0.3, abs=1e-4)


def test_skew_costs_users_where_control_is_the_smaller_arm_and_none_in_equal_arms():
    plain, skewed = (
        [planner.users_needed(1.0, 8.0, 0.2, share=share, skew=skew).units for share in (0.8, 0.5)]
        for skew in (0.0, 15.0)
    )
    assert skewed[0] > 1.02 * plain[0]
    assert skewed[1] == pytest.approx(plain[1], rel=0.01)


def test_a_power_below_the_level_asks_for_next_to_nothing():
    assert planner.smallest_lift(1.0, 8.0, 1000, power=0.01) == 0.0
    assert planner.users_needed(1.0, 8.0, 0.2, power=0.01, skew=10.0).units < 1000


def test_the_spread_of_the_treated_is_never_below_that_of_control():
    """Where everybody buys already, nobody can be won: the formula would go below zero."""
    plan = planner.users_needed(100.0, 20.0, 0.5, share=0.5)
    same = NormalIndPower().solve_power(100.0 * 0.5 / 20.0, power=0.8, alpha=0.05, ratio=1.0)
    assert plan.units == pytest.approx(2 * same, abs=1.5)


def test_few_buyers_are_planned_with_the_conservative_interval():
    """Welch's interval would need 150 control buyers at this spread; the plan holds fewer."""
    base = planning.UserBaseline(
        weeks=4, mean=1.0, sd=7.9, users=100_000, buyers=3000, spend=math.nan, words="", spread=0.8
    )
    sizes = {"share": 0.8, "power": 0.8, "alpha": 0.05}
    found = planning.plan_users([base], lift=0.4, **sizes).facts
    plain = planner.users_needed(1.0, 7.9, 0.4, **sizes)
    assert plain.control * 0.03 < 150
    pooled = planner.users_needed(1.0, 7.9, 0.4, pooled=True, **sizes)
    assert found["users_needed"] == pooled.units > plain.units
    found = planning.plan_users([base], lift=0.1, **sizes).facts
    assert found["users_needed"] == planner.users_needed(1.0, 7.9, 0.1, **sizes).units


def test_cluster_plan_has_the_power_it_says():
    rng = np.random.default_rng(32)
    plan = planner.clusters_plan(0.1, 10, 30)
    runs = 3000
    treated = rng.normal(np.log1p(plan.lift), 0.1, (runs, 10))
    control = rng.normal(0, 0.1, (runs, 30))
    error = np.sqrt(0.1**2 * (1 / 10 + 1 / 30))
    # With the spread of the smaller arm only, the statistic has exactly 9 degrees of freedom.
    spread = treated.std(1, ddof=1) / 0.1
    statistic = (treated.mean(1) - control.mean(1)) / (error * spread)
    found = np.mean(np.abs(statistic) > scipy.stats.t.ppf(0.975, 9))
    assert found == pytest.approx(0.8, abs=0.03)


def test_more_units_show_smaller_lifts():
    lifts = [planner.smallest_lift(100.0, 800.0, units) for units in (1000, 10_000, 100_000)]
    assert lifts[0] > lifts[1] > lifts[2]
    assert planner.clusters_plan(0.1, 5, 35).lift > planner.clusters_plan(0.1, 20, 20).lift


def test_plan_by_hand_is_printed_and_is_json(run):
    arguments = ("plan-test", "--baseline-mean", 100, "--baseline-sd", 800, "--share", 0.8,
                 "--users", 500000, "--cost", 8)  # fmt: skip
    code, out, _ = run(*arguments, "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["users_needed"], found["treated"], found["control"]) == (320127, 256102, 64025)
    assert found["cost"] == 8 * 256102
    assert found["smallest_lift"] == pytest.approx(0.0798, abs=1e-4)
    code, out, _ = run(*arguments)
    assert code == 0
    assert "Users to assign                                   3,20,127" in out
    assert out.rstrip().endswith(
        "3,20,127 of 5,00,000 users are enough: assign them at random before the first day."
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--unit", "days"], "--unit is 'days'; allowed: users, cities.", id="unit"),
        pytest.param(["--power", "2"], "--power is 2; it must lie between 0 and 1.", id="power"),
        pytest.param(["--lift", "0"], "--lift is 0; it must be above 0. 0.1 is 10 %.", id="lift"),
        pytest.param(["--weeks", "0"], "--weeks is 0; it must lie between 1 and 52.", id="weeks"),
        pytest.param(
            ["--baseline-mean", "5"],
            "--baseline-mean and --baseline-sd belong together and must be above 0. "
            "Example: --baseline-mean 85 --baseline-sd 640",
            id="half_a_baseline",
        ),
        pytest.param(
            ["--unit", "cities", "--cities", "40"],
            "--baseline-spread and --cities belong together; the spread must be above 0, the cities at "
            "least 4. Example: --baseline-spread 0.12 --cities 40",
            id="half_a_city_baseline",
        ),
    ],
)
def test_wrong_options_are_said_in_a_sentence(run, arguments, message):
    code, _, err = run("plan-test", *arguments)
    assert (code, err.strip()) == (2, f"hkreport: {message}")


def test_few_cities_are_told_to_be_too_few(run):
    code, out, _ = run(
        "plan-test", "--unit", "cities", "--cities", 8, "--baseline-spread", 0.1, "--share", 0.25
    )
    assert code == 0
    assert "With 2 cities in the smaller arm, chance alone could give a difference" in out
