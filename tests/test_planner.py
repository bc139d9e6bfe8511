"""Planned sizes: against statsmodels, by simulation, and as the command line prints them."""

import json

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.power import NormalIndPower

from hkreport import cli
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
    treated = NormalIndPower().solve_power(mean * lift / sd, power=power, alpha=0.05, ratio=ratio)
    assert plan.units == pytest.approx(treated * (1 + ratio), rel=1e-4)
    assert plan.treated + plan.control == plan.units
    assert planner.smallest_lift(mean, sd, plan.units, share=share, power=power) == pytest.approx(
        lift, rel=1e-4
    )
    assert planner.power_of(mean, sd, lift, plan.units, share=share) == pytest.approx(
        NormalIndPower().power(mean * lift / sd, plan.units * share, 0.05, ratio=ratio), rel=1e-4
    )


def test_planned_power_is_found_in_simulated_tests():
    rng = np.random.default_rng(31)
    # Poisson buyers of 3 %, amounts with mean 33.3 and the spread of a lognormal with sd 0.8.
    mean, second = 1.0, 0.03 * (1 / 0.03) ** 2 * np.exp(0.64)
    plan = planner.users_needed(mean, float(np.sqrt(second - 1)), 0.3, share=0.8)
    found = 0
    for _ in range(600):
        arms = []
        for number, rate in ((plan.treated, 0.039), (plan.control, 0.03)):
            values = np.zeros(number)
            bought = rng.binomial(number, rate)
            values[:bought] = rng.lognormal(-0.32, 0.8, bought) / 0.03
            arms.append(values)
        found += scipy.stats.ttest_ind(*arms, equal_var=False).pvalue < 0.05
    # Treated users vary a little more than control, which the plan leaves out.
    assert 0.72 <= found / 600 <= 0.85


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
    assert (found["users_needed"], found["treated"], found["control"]) == (313956, 251165, 62791)
    assert found["cost"] == 8 * 251165
    assert found["smallest_lift"] == pytest.approx(0.0792, abs=1e-4)
    code, out, _ = run(*arguments)
    assert code == 0
    assert "Users to assign                                   3,13,956" in out
    assert out.rstrip().endswith(
        "3,13,956 of 5,00,000 users are enough: assign them at random before the first day."
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
