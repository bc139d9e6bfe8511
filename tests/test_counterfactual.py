"""Without assignment: values by hand, scipy and statsmodels as oracles, and campaigns with known truth."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.tsa.statespace.structural import UnobservedComponents

from hkreport.errors import InputError
from hkreport.methods import counterfactual as cf
from hkreport.methods import media_mix, structural
from hkreport.methods.counterfactual import (
    Counterfactual,
    Panel,
    Placebo,
    conformal_p_value,
    difference_in_differences,
    simplex_weights,
    structural_series,
    synthetic_control,
)
from hkreport.methods.estimate import Refusal


def panel(values: np.ndarray, treated: int, launch: int) -> Panel:
    names = tuple(f"city {one}" for one in range(len(values)))
    return Panel(values, np.arange(len(values)) < treated, launch, names)


def parallel(seed: int, *, treated: int = 15, effect: float = 0.0, units: int = 40) -> Panel:
    """Units with a level and a shock of their own, and shocks that all share."""
    rng = np.random.default_rng(seed)
    values = rng.normal(100, 30, (units, 1)) + rng.normal(0, 2, 20).cumsum()
    values = values + rng.normal(0, 4, (units, 20))
    values[:treated, 14:] += effect
    return panel(values, treated, 14)


def tracked(seed: int, *, effect: float = 0.0, units: int = 30, later: int = 10) -> Panel:
    """Units on three common factors, so that a mix of the others can follow the first."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(0, 1, (3, 50 + later)).cumsum(1)
    values = 100 + 3 * rng.dirichlet(np.ones(3), units) @ factors
    values += rng.normal(0, 1, values.shape)
    values[0, 50:] += effect
    return panel(values, 1, 50)


def found(answer: Counterfactual | Refusal) -> Counterfactual:
    assert isinstance(answer, Counterfactual), str(answer)
    return answer


# The panel.


@pytest.mark.parametrize(
    ("values", "treated", "launch", "names", "message"),
    [
        pytest.param(
            [[1, 2]], [True, False], 1, ("a",),
            "The panel holds (1, 2) values for 2 units; it must hold one row a unit and one column a period.",
            id="shapes",
        ),
        pytest.param(
            [[1, 2], [1, 2]], [True, False], 1, ("a",),
            "The panel has 1 names for 2 units; one each.", id="names",
        ),
        pytest.param(
            [[1, math.nan], [1, 2]], [True, False], 1, ("a", "b"),
            "The panel has missing values; a period without sales is 0.", id="missing",
        ),
        pytest.param(
            [[1, 2], [1, 2]], [True, False], 2, ("a", "b"),
            "The launch is after 2 of 2 periods; at least one must lie before it and one after.",
            id="nothing_after",
        ),
        pytest.param(
            [[1, 2], [1, 2]], [True, True], 1, ("a", "b"),
            "The panel needs treated and control units; one of the two is empty.", id="no_control",
        ),
    ],
)  # fmt: skip
def test_panel_says_what_is_wrong(values, treated, launch, names, message) -> None:
    with pytest.raises(InputError) as raised:
        Panel(np.array(values, float), np.array(treated), launch, names)
    assert str(raised.value) == message


# Weights.


@pytest.mark.parametrize("seed", range(5))
def test_simplex_weights_agree_with_a_general_solver(seed: int) -> None:
    rng = np.random.default_rng(seed)
    donors, target = rng.normal(size=(8, 40)), rng.normal(size=40)
    ours = simplex_weights(target, donors)
    theirs = optimize.minimize(
        lambda w: ((donors.T @ w - target) ** 2).sum(),
        np.full(8, 1 / 8),
        bounds=[(0, 1)] * 8,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    ).x
    assert ours.sum() == pytest.approx(1)
    assert (ours >= 0).all()
    assert ours == pytest.approx(theirs, abs=1e-4)


def test_simplex_weights_do_not_depend_on_the_unit_of_money() -> None:
    rng = np.random.default_rng(1)
    donors, target = rng.normal(size=(8, 40)), rng.normal(size=40)
    assert simplex_weights(1e6 * target, 1e6 * donors) == pytest.approx(
        simplex_weights(target, donors), abs=1e-9
    )


# Difference in differences.


def test_difference_in_differences_by_hand() -> None:
    """Treated units rise by 5 and 7, controls by 1 on average: 6 − 1 = 5."""
    pattern = np.array([1.0, -1.0, -1.0, 1.0] * 2)  # level and slope 0
    rises = [5.0, 7.0, 0.0, 1.0, 2.0, 0.5, 1.5]
    values = np.array(
        [np.append(level + pattern, level + rise) for level, rise in enumerate(rises)]
    )
    answer = found(difference_in_differences(panel(values, 2, 8)))
    assert answer.effect.value == pytest.approx(5.0)
    assert answer.total.value == pytest.approx(10.0)
    assert answer.expected[-1] == pytest.approx(answer.actual[-1] - 5.0)


def test_large_arms_get_welch_with_the_smaller_arms_clusters_less_one() -> None:
    data = parallel(1, effect=8.0)
    answer = found(difference_in_differences(data)).effect
    changes = data.values[:, 14:].mean(1) - data.values[:, :14].mean(1)
    first, second = changes[:15], changes[15:]
    error = math.sqrt(first.var(ddof=1) / 15 + second.var(ddof=1) / 25)
    reach = stats.t.ppf(0.975, 14) * error
    assert answer.value == pytest.approx(first.mean() - second.mean())
    assert (answer.low, answer.high) == pytest.approx((answer.value - reach, answer.value + reach))
    assert answer.standard_error == pytest.approx(error)


def test_small_arms_get_the_p_value_of_all_splits() -> None:
    numbers = np.array([4.0, 6.0, 5.0, 1.0, 2.5, 0.5, 3.0, 1.5])
    treated = np.arange(8) < 3
    _, _, p_value = cf._permutation(numbers, treated, 0.95)

    def statistic(rows: tuple[int, ...]) -> float:
        inside = np.isin(np.arange(8), rows)
        return abs(stats.ttest_ind(numbers[inside], numbers[~inside], equal_var=False).statistic)

    seen = statistic((0, 1, 2))
    every = [statistic(rows) for rows in itertools.combinations(range(8), 3)]
    assert p_value == pytest.approx(np.mean([each >= seen - 1e-9 for each in every]))


def test_permutation_interval_ends_where_the_test_no_longer_rejects() -> None:
    numbers = np.random.default_rng(4).normal(size=14)
    treated = np.arange(14) < 4
    low, high, _ = cf._permutation(numbers, treated, 0.95)
    for shift, rejected in ((low - 0.05, True), (low + 0.05, False), (high - 0.05, False), (high + 0.05, True)):  # fmt: skip
        p_value = cf._permutation(numbers - shift * treated, treated, 0.95)[2]
        assert (p_value <= 0.05) is rejected


@pytest.mark.parametrize("treated", [pytest.param(15, id="t"), pytest.param(4, id="permutation")])
def test_difference_in_differences_covers_and_stays_silent(treated: int) -> None:
    runs = 150 if treated == 15 else 60
    covered, alarms, answered = 0, 0, 0
    for seed in range(runs):
        answer = difference_in_differences(parallel(seed, treated=treated, effect=3.0))
        if isinstance(answer, Counterfactual):
            answered += 1
            covered += not answer.effect.excludes(3.0)
            shifted = parallel(seed, treated=treated)
            alarms += found(difference_in_differences(shifted)).effect.p_value < 0.05
    assert answered > 0.85 * runs
    error = 3 * math.sqrt(0.05 * 0.95 / answered)
    assert covered / answered == pytest.approx(0.95, abs=error + 0.01)
    assert alarms / answered <= 0.05 + error


def test_relative_change_ignores_the_size_of_regions() -> None:
    data = parallel(2, effect=5.0)
    scale = np.linspace(1, 50, 40)[:, None]
    plain = found(difference_in_differences(data, relative=True)).effect.value
    scaled = Panel(scale * data.values, data.treated, data.launch, data.units)
    assert found(difference_in_differences(scaled, relative=True)).effect.value == pytest.approx(
        plain
    )


def drifting() -> Panel:
    data = parallel(3)
    data.values[data.treated] += 2.0 * np.arange(20)
    return data


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        pytest.param(
            panel(np.random.default_rng(0).normal(size=(20, 9)), 10, 7),
            "Too few treated regions or earlier periods to test parallel trends.",
            id="seven_earlier_periods",
        ),
        pytest.param(
            parallel(0, treated=1),
            "Too few treated regions or earlier periods to test parallel trends.",
            id="one_treated",
        ),
        pytest.param(
            parallel(0, treated=8, units=12),
            "With 4 control regions, chance alone could give this difference; no causal claim.",
            id="four_controls",
        ),
        pytest.param(
            drifting(),
            "city 0, city 1, city 2 and 12 more and the control regions drifted apart before launch "
            "(p < 0.001), so their later difference is not an effect.",
            id="no_parallel_trends",
        ),
    ],
)
def test_difference_in_differences_refuses(data: Panel, sentence: str) -> None:
    answer = difference_in_differences(data)
    assert isinstance(answer, Refusal)
    assert answer.sentence == sentence


def test_relative_change_is_refused_where_nothing_was_sold_before() -> None:
    data = parallel(5)
    data.values[3, :14] = 0.0
    answer = difference_in_differences(data, relative=True)
    assert str(answer) == (
        "Some regions sold nothing before launch, so a relative change is not defined for them."
    )


# Synthetic control.


def test_synthetic_control_recovers_a_mix_that_is_there() -> None:
    rng = np.random.default_rng(0)
    donors = 50 + rng.normal(0, 5, (20, 60))
    own = 0.25 * donors[3] + 0.75 * donors[11] + 200  # another level: each series is demeaned
    own[50:] += 12
    answer = found(synthetic_control(panel(np.vstack([own, donors]), 1, 50)))
    assert answer.weights == pytest.approx({"city 12": 0.75, "city 4": 0.25}, abs=1e-6)
    assert list(answer.weights)[:2] == ["city 12", "city 4"]
    assert answer.effect.value == pytest.approx(12)
    assert answer.expected == pytest.approx(own - np.where(np.arange(60) >= 50, 12, 0))
    assert answer.imbalance == pytest.approx(0, abs=1e-6)
    assert answer.total.value == pytest.approx(120)


def test_p_value_is_never_below_one_in_donors_plus_one() -> None:
    answer = found(synthetic_control(tracked(1, effect=1000.0)))
    assert answer.effect.p_value == pytest.approx(1 / 30)
    assert answer.claim


def test_several_treated_regions_are_no_more_evidence_than_the_donors() -> None:
    data = tracked(2)
    data.values[:3, 50:] += 1000
    several = Panel(data.values, np.arange(30) < 3, 50, data.units)
    answer = found(synthetic_control(several))
    assert answer.effect.p_value == pytest.approx(1 / 28)
    assert answer.total.value == pytest.approx(30 * answer.effect.value)


def test_synthetic_control_covers_and_stays_silent() -> None:
    answers = [found(synthetic_control(tracked(seed, effect=2.0))).effect for seed in range(120)]
    covered = np.mean([not each.excludes(2.0) for each in answers])
    assert covered == pytest.approx(0.95, abs=0.07)
    nulls = [found(synthetic_control(tracked(seed))).effect.p_value for seed in range(120)]
    assert np.mean(np.array(nulls) < 0.05) <= 0.05 + 0.06


def test_a_share_is_held_as_often_as_the_effect_it_is_a_share_of() -> None:
    """What would have happened is what happened less the effect, at either end of the interval."""
    held = 0
    for seed in range(60):
        data = tracked(seed)
        without = data.values[0, 50:].mean()
        data.values[0, 50:] *= 1.5
        answer = found(synthetic_control(data))
        share, effect = answer.relative, answer.effect
        held += not share.excludes(0.5)
        assert share.excludes(0.5) == effect.excludes(0.5 * without)
        assert answer.withheld.low == pytest.approx(-share.high / (1 + share.high))
        assert answer.withheld.high == pytest.approx(-effect.low / answer.actual[50:].mean())
    assert held >= 51


def test_a_share_of_what_may_be_nothing_is_not_stated() -> None:
    data = tracked(1)
    data.values[0, 50:] -= data.values[0, 50:].mean()
    gone = found(synthetic_control(data))
    assert gone.effect.high < 0
    assert gone.relative.value == pytest.approx(-1)
    assert math.isnan(gone.withheld.value)
    assert not gone.withheld.excludes(0.0)


def test_regions_without_any_sales_do_not_silence_the_mix() -> None:
    """They are followed exactly by anything; they neither help nor speak about chance."""
    data = tracked(1, effect=10.0)
    idle = np.vstack([data.values, np.zeros((5, 60))])
    for answer in (data.values, idle):
        assert found(synthetic_control(panel(answer, 1, 50))).effect.n == 30


def test_a_region_that_sold_nothing_is_tracked_by_no_mix() -> None:
    values = np.vstack([np.zeros(60), np.random.default_rng(0).normal(10, 1, (20, 60))])
    assert str(synthetic_control(panel(values, 1, 50))) == (
        "city 0 sold nothing before launch, so no mix of regions tracks it."
    )


@pytest.mark.parametrize("treated", [pytest.param(12, id="t"), pytest.param(4, id="permutation")])
def test_nothing_sold_anywhere_is_no_effect(treated: int) -> None:
    answer = found(difference_in_differences(panel(np.zeros((30, 14)), treated, 10)))
    assert answer.effect.value == 0
    assert answer.effect.p_value == 1
    assert not answer.claim
    assert math.isnan(answer.relative.value)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        pytest.param(
            tracked(0, units=15),
            "14 other regions and 50 earlier periods are too few for a mix that stands in for city 0: "
            "19 and 40 are needed.",
            id="few_donors",
        ),
        pytest.param(
            dataclasses.replace(tracked(0, units=40), treated=np.arange(40) < 9),
            "31 other regions and 50 earlier periods are too few for a mix that stands in for city 0, "
            "city 1, city 2 and 6 more: 36 and 40 are needed.",
            id="few_donors_a_treated",
        ),
        pytest.param(
            tracked(0, later=20),
            "29 other regions and 50 earlier periods are too few for a mix that stands in for city 0: "
            "19 and 80 are needed.",
            id="short_past",
        ),
    ],
)
def test_synthetic_control_refuses(data: Panel, sentence: str) -> None:
    assert str(synthetic_control(data)) == sentence


def test_synthetic_control_refuses_a_city_that_nothing_tracks() -> None:
    data = tracked(0)
    data.values[0] += 40 * np.sin(np.arange(60))
    assert str(synthetic_control(data)) == (
        "No mix of regions tracks city 0 before launch (error 28 %)."
    )


@pytest.mark.parametrize(
    "spread", [pytest.param(1.0, id="few_periods"), pytest.param(0.0, id="nothing_varies")]
)
def test_mixes_that_follow_exactly_say_nothing_about_chance(spread: float) -> None:
    """Over fewer periods than donors many fits are exact: multiples of rounding once ended at 10^15."""
    values = 500 + spread * np.random.default_rng(5).normal(0, 20, (40, 10))
    values[0, 8:] += 100
    assert str(synthetic_control(panel(values, 1, 8))) == (
        "Mixes of 39 regions follow others exactly over 8 earlier periods, so what chance does to "
        "city 0 cannot be judged."
    )


def test_placebo_launch_finds_an_effect_that_never_was() -> None:
    """A region that jumped by itself before launch: the later effect must not be claimed."""
    data = tracked(3, effect=30.0)
    data.values[:] += 500  # so that the jump is a small part of the level
    data.values[0, 42:50] += 30
    answer = synthetic_control(data)
    assert isinstance(answer, Counterfactual)
    assert answer.placebo is not None
    assert not answer.placebo.passed
    assert not answer.claim


def test_gaps_in_time_find_an_effect_and_know_when_it_is_taken_out() -> None:
    data = tracked(5, effect=8.0)
    assert conformal_p_value(data) == pytest.approx(1 / 60)
    assert conformal_p_value(data, effect=8.0) > 0.05
    assert conformal_p_value(data, blocks=False) <= 0.01


# One series.


def test_path_is_the_kalman_smoothers() -> None:
    rng = np.random.default_rng(6)
    past, control = rng.normal(0, 1, 40).cumsum(), rng.normal(0, 1, (50, 2))
    series = np.append(past, np.zeros(10))
    ours = structural._foretell(series, control, 40, 0.3)
    hidden = series.copy()
    hidden[40:] = np.nan
    model = UnobservedComponents(
        hidden, "local level", exog=control, mle_regression=False, use_exact_diffuse=True
    )
    smoothed = model.smooth([1.0, 0.3])
    state = smoothed.smoothed_state
    theirs = state[0] + (control * state[1:].T).sum(1)
    assert ours.mean == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("ratio", [0.0, 0.2, 5.0])
def test_variance_and_likelihood_are_those_of_the_whole_covariance(ratio: float) -> None:
    """The same model written out as one multivariate normal, with a prior so wide that it is none."""
    rng = np.random.default_rng(7)
    series, control = rng.normal(size=24), rng.normal(size=(24, 1))
    launch = 18
    steps = np.arange(1, 25)
    design = np.hstack([np.ones((24, 1)), control])
    whole = ratio * np.minimum.outer(steps, steps) + np.eye(24) + 1e4 * design @ design.T
    cross = whole[launch:, :launch] @ np.linalg.inv(whole[:launch, :launch])
    ahead = whole[launch:, launch:] - cross @ whole[:launch, launch:]
    ours = structural._foretell(series, control, launch, ratio)
    assert ours.scale == pytest.approx(ahead.mean(), rel=1e-3)
    effect = (series[launch:] - cross @ series[:launch]).mean()
    assert ours.effect == pytest.approx(effect, abs=1e-3)

    def likelihood(one: float) -> float:
        shape = one * np.minimum.outer(steps[:launch], steps[:launch]) + np.eye(launch)
        shape += 1e4 * design[:launch] @ design[:launch].T
        squares = series[:launch] @ np.linalg.inv(shape) @ series[:launch]
        return -0.5 * (np.linalg.slogdet(shape)[1] + (launch - 2) * math.log(squares))

    # Constants cancel in the difference of two ratios.
    gap = ours.weight - structural._foretell(series, control, launch, 1.0).weight
    assert gap == pytest.approx(likelihood(ratio) - likelihood(1.0), abs=1e-3)


def test_season_and_controls_are_taken_out() -> None:
    rng = np.random.default_rng(8)
    day = np.arange(84)
    control = rng.normal(0, 1, 84)
    series = 200 + 30 * (day % 7 == 5) + 4 * control + rng.normal(0, 1, 84)
    series[70:] += 15
    answer = found(structural_series(series, 70, controls=control, season=7, level_sd=0.01))
    assert answer.effect.value == pytest.approx(15, abs=1.5)
    assert answer.effect.low < 15 < answer.effect.high
    assert answer.effect.high - answer.effect.low < 4


def wandering(seed: int, step: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 100 + rng.normal(0, step, 56).cumsum() + rng.normal(0, 3, 56)


def test_estimated_level_covers_where_a_fixed_one_is_too_sure() -> None:
    runs = 60
    covered = {None: 0, 0.01: 0}
    for seed in range(runs):
        for level in covered:
            answer = found(structural_series(wandering(seed, 1.5), 42, level_sd=level))
            covered[level] += not answer.effect.excludes(0.0)
    assert covered[None] / runs >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / runs)
    assert covered[0.01] / runs < 0.75


@pytest.mark.parametrize(
    ("series", "launch", "sentence"),
    [
        pytest.param(
            np.arange(20.0), 12,
            "12 earlier periods are too few to say what 8 periods would have brought anyway; 16 are needed.",
            id="short",
        ),
        pytest.param(
            np.arange(60.0), 30,
            "30 earlier periods are too few to say what 30 periods would have brought anyway; 60 are needed.",
            id="long_test",
        ),
        pytest.param(
            np.ones(60), 50, "The series does not vary before launch, so chance cannot be judged.",
            id="constant",
        ),
    ],
)  # fmt: skip
def test_structural_series_refuses(series: np.ndarray, launch: int, sentence: str) -> None:
    assert str(structural_series(series, launch)) == sentence


def test_a_past_that_begins_without_sales_has_no_placebo() -> None:
    series = np.zeros(48)
    series[39] = 5.0
    assert found(structural_series(series, 40)).placebo is None


def test_structural_series_names_missing_values() -> None:
    series = np.ones(60)
    series[3] = math.nan
    with pytest.raises(InputError, match="The series or its controls have missing values"):
        structural_series(series, 50)


def test_placebo_says_what_it_found() -> None:
    assert str(Placebo(0.1, -1.0, 1.2, 0.8)) == (
        "A placebo launch inside the earlier periods finds nothing, as it should (p = 0.80)."
    )
    assert str(Placebo(5.0, 4.0, 6.0, 0.001)) == (
        "A placebo launch inside the earlier periods finds an effect that never was (p = 0.00)."
    )


# Media mix.


def test_media_mix_finds_the_contributions_that_were_put_in() -> None:
    rng = np.random.default_rng(9)
    spend = rng.gamma(2, 0.2, (160, 2))
    curves = [
        height * media_mix.saturation(media_mix.adstock(spend[:, one], carry), speed)
        for one, (carry, speed, height) in enumerate([(0.4, 4.0, 30.0), (0.2, 3.0, 20.0)])
    ]
    week = np.arange(160) / 160
    outcome = 100 + 20 * week + curves[0] + curves[1] + rng.normal(0, 1, 160)
    made = media_mix.contributions(outcome, spend, np.column_stack([np.ones(160), week]))
    for one, curve in zip(made, curves, strict=True):
        assert one.total.low < curve.sum() < one.total.high
        assert one.total.value == pytest.approx(curve.sum(), rel=0.15)
        assert one.total.value == pytest.approx(one.weekly.sum())


def test_adstock_by_hand() -> None:
    assert media_mix.adstock(np.array([7.0, 0.0, 7.0, 0.0]), 0.5, lags=3) == pytest.approx(
        [4.0, 2.0, 5.0, 2.0]
    )
