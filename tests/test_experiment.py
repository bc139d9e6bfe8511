"""What a randomised test says: by hand, against scipy and statsmodels, against Hillstrom, and by simulation."""

import math
import time

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from hkreport.methods import experiment, means, resampling, sequential
from hkreport.methods.estimate import Estimate, Refusal

SMALL = ([30.0, 0.0, 50.0, 20.0], [10.0, 0.0, 20.0, 10.0])


def arms(rng, units, *, buying=0.03, sd=0.8, lift=0.0, share=0.8):
    """Two arms with many zeros and lognormal amounts, whose mean is 1 rupee a unit without lift."""
    treated = round(units * share)
    made = []
    for number, rate in ((treated, buying * (1 + lift)), (units - treated, buying)):
        values = np.zeros(number)
        bought = rng.binomial(number, rate)
        values[:bought] = rng.lognormal(-(sd**2) / 2, sd, bought) / buying
        made.append(values)
    return made


def coverage(answers, truth):
    """Share of intervals that hold the truth; none may be refused."""
    assert all(isinstance(each, Estimate) for each in answers)
    return np.mean([each.low <= truth <= each.high for each in answers])


# By hand, and against other code


def test_incremental_revenue_is_units_times_the_difference_of_means():
    # Means 25 and 10; four treated units: 4 × 15 = 60, and 60 ÷ 20 of spend = 3.
    assert experiment.incremental(*SMALL).value == 60.0
    assert experiment.return_on_spend(*SMALL, fee=20.0).value == 3.0


@pytest.mark.parametrize(("kind", "usevar"), [("welch", "unequal"), ("pooled", "pooled")])
def test_intervals_agree_with_statsmodels(kind, usevar):
    rng = np.random.default_rng(3)
    treated, control = rng.gamma(0.5, 100, 80), rng.gamma(0.4, 90, 25)
    found = experiment.difference(treated, control, interval=kind)
    other = CompareMeans(DescrStatsW(treated), DescrStatsW(control))
    assert (found.low, found.high) == pytest.approx(other.tconfint_diff(usevar=usevar))
    assert found.p_value == pytest.approx(other.ttest_ind(usevar=usevar)[1])


def test_pooled_interval_by_hand():
    # Variances 1300/3 and 200/3, pooled 250, error √(250 × (1/4 + 1/4)); t(6) = 2.4469.
    found = experiment.difference([30, 0, 50, 20], [10, 0, 20, 10], interval="pooled")
    assert found.high - found.value == pytest.approx(2.44691 * math.sqrt(125), rel=1e-5)


def test_log_ratio_by_hand():
    # Squared errors of the logs: 433.333/4/625 + 66.667/4/100 = 0.34; log 2.5 ± 1.95996 × √0.34.
    found = experiment.relative_lift(*SMALL, interval="log")
    reach = 1.959964 * math.sqrt(0.34)
    assert found.value == pytest.approx(1.5)
    assert found.low == pytest.approx(2.5 * math.exp(-reach) - 1)
    assert found.high == pytest.approx(2.5 * math.exp(reach) - 1)


def test_fieller_ends_solve_its_own_equation():
    ratio = experiment.fieller(6.0, 4.0, 1.2, 0.5, covariance=0.3)
    for end in (ratio.low, ratio.high):
        spread = 1.2 - 2 * end * 0.3 + end**2 * 0.5
        assert (6.0 - end * 4.0) ** 2 / spread == pytest.approx(scipy.stats.chi2.ppf(0.95, 1))


def test_only_buyers_by_hand():
    # Share 0.8: k = 4. 150 × 10 − 4 × 30 × 10 = 300; variance 150 × 100 + 16 × 30 × 100 = 63,000.
    found = experiment.only_buyers([10.0] * 150, [10.0] * 30, 0.8)
    assert found.value == pytest.approx(300.0)
    assert found.high - found.value == pytest.approx(1.959964 * math.sqrt(63_000), rel=1e-6)


def test_return_of_buyers_counts_payouts_at_the_planned_split_by_hand():
    # k = 4: 300 over 500 + 150 × 2 − 4 × 30 × 1 = 680; without any payout, over the fee alone.
    given = [10.0] * 150, [10.0] * 30, 0.8
    found = experiment.return_of_buyers(
        *given, fee=500.0, treated_payout=[2.0] * 150, control_payout=[1.0] * 30
    )
    assert found.value == pytest.approx(300 / 680)
    plain = experiment.return_of_buyers(
        *given, fee=500.0, treated_payout=[0.0] * 150, control_payout=[0.0] * 30
    )
    assert plain.high == pytest.approx(experiment.only_buyers(*given).high / 500)
    free = experiment.return_of_buyers(
        *given, treated_payout=[0.0] * 150, control_payout=[0.0] * 30
    )
    assert str(free).startswith("Both arms cost about the same")


def test_profit_is_contribution_less_what_only_treatment_cost():
    found = experiment.incremental_profit([12, 0, 20, 8], [4, 0, 8, 4], fee=20.0)
    paid = experiment.incremental_profit(
        [12, 0, 20, 8], [4, 0, 8, 4], treated_payout=[3, 0, 3, 3], control_payout=[0, 0, 0, 0]
    )
    assert found.value == 4 * (10 - 4) - 20
    assert paid.value == pytest.approx(4 * (10 - 2.25 - 4))


def test_cuped_is_the_regression_on_arm_and_the_period_before():
    statsmodels = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(8)
    before = rng.normal(50, 10, 400)
    arm = rng.random(400) < 0.5
    after = before * 0.7 + rng.normal(0, 6, 400) + 4 * arm
    found = experiment.cuped(after[arm], after[~arm], before[arm], before[~arm])
    design = statsmodels.add_constant(np.column_stack([arm, before]).astype(float))
    fit = statsmodels.OLS(after, design).fit()
    assert found.estimate.value == pytest.approx(fit.params[1], rel=0.02)
    assert found.estimate.standard_error == pytest.approx(fit.bse[1], rel=0.02)
    residual = np.concatenate([after[one] - after[one].mean() for one in (arm, ~arm)])
    earlier = np.concatenate([before[one] - before[one].mean() for one in (arm, ~arm)])
    assert found.reduction == pytest.approx(np.corrcoef(residual, earlier)[0, 1] ** 2)


def test_cuped_gives_new_units_zero_and_an_indicator():
    # New units spend 30 more than known ones whatever the arm: taking that out leaves almost nothing.
    arm = ([10.1, 9.9, 40.1, 39.9], [8.1, 7.9, 38.1, 37.9])
    before = [5.0, 5.0, math.nan, math.nan]
    found = experiment.cuped(*arm, before, before, interval="pooled")
    assert found.reduction == pytest.approx(1.0, abs=1e-3)
    assert found.estimate.value == pytest.approx(2.0)


def test_cuped_says_when_the_past_explains_nothing():
    before = [1.0, 2.0] * 50
    after = [1.0, 1.0, 2.0, 2.0] * 25
    found = experiment.cuped(after, after, before, before)
    assert found == Refusal("Earlier spending explains 0.0% of variance; adjustment not used.")


def test_expected_losses_of_a_normal_by_numerical_integration():
    gain = Estimate(
        value=30.0, low=-9.2, high=69.2, confidence=0.95, n=50, method="", standard_error=20.0
    )
    grid = np.linspace(-170, 230, 400_001)
    weight = scipy.stats.norm.pdf(grid, 30, 20)
    loss = experiment.expected_loss(gain)
    assert loss.acting == pytest.approx(np.trapezoid(np.maximum(-grid, 0) * weight, grid), rel=1e-6)
    assert loss.stopping == pytest.approx(
        np.trapezoid(np.maximum(grid, 0) * weight, grid), rel=1e-6
    )
    assert loss.better == "go on"


def test_strata_are_adjusted_for_their_number_like_statsmodels():
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(2)
    treated = {
        name: rng.poisson(2 + lift, 300) for name, lift in zip("abc", (0.6, 0, 0.1), strict=True)
    }
    control = {name: rng.poisson(2, 300) for name in "abc"}
    found = experiment.by_stratum(treated, control)
    raw = [
        experiment.difference(treated[name], control[name], interval="pooled").p_value
        for name in "abc"
    ]
    assert [each.q_value for each in found] == pytest.approx(
        list(multipletests(raw, method="fdr_bh")[1])
    )


def test_which_interval_follows_buyers_and_spread():
    calm, wild = ([math.exp(-0.7), math.exp(0.7)], [math.exp(-1.2), math.exp(1.2)])
    assert means.interval_for(calm * 75 + [0.0] * 100) == "welch"
    assert means.interval_for(calm * 74 + [0.0] * 100) == "pooled"
    assert means.interval_for(wild * 700) == "pooled"
    assert means.interval_for(wild * 750) == "welch"
    # Halfway between the two spreads the buyers needed are halfway too, as factors go.
    middle = [math.exp(-1.0), math.exp(1.0)]
    assert means.interval_for(middle * 240) == "welch"
    assert means.interval_for(middle * 230) == "pooled"
    assert means.interval_for([0.0] * 100) == means.interval_for([5.0]) == "pooled"


def test_the_choice_of_interval_does_not_follow_the_luck_of_control():
    """Where the two rules meet, no effect: chosen by control's own spread it alarms in 5.6 %."""
    rng = np.random.default_rng(9)
    alarms = {"both": 0, "control": 0}
    runs = 1500
    for _ in range(runs):
        arms = [np.zeros(users) for users in (20_000, 4_000)]
        for arm in arms:
            bought = rng.binomial(len(arm), 0.12)
            arm[:bought] = rng.lognormal(0, 1.0, bought)
        p_values = {
            kind: means.difference(*arms, interval=kind).p_value for kind in ("welch", "pooled")
        }
        alarms["both"] += means.difference(*arms).p_value < 0.05
        alarms["control"] += p_values[means.interval_for(arms[1])] < 0.05
    assert alarms["both"] <= alarms["control"]
    assert alarms["both"] / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


# Published answers


@pytest.fixture(scope="module")
def hillstrom(request):
    path = request.config.rootpath.parent / "shared" / "validation" / "hillstrom.csv.gz"
    if not path.exists():
        pytest.skip("the published data is not here: ../shared/validation")
    frame = pd.read_csv(path)
    return dict(list(frame.groupby("segment")))


@pytest.mark.parametrize(
    ("arm", "column", "value", "low", "high", "places"),
    [
        pytest.param("Mens", "visit", 0.0765896, 0.069953, 0.083226, (7, 6), id="mens_visit"),
        pytest.param(
            "Mens", "conversion", 0.0068050, 0.0050001, 0.0086099, (7, 7), id="mens_orders"
        ),
        pytest.param("Mens", "spend", 0.769827, 0.485140, 1.054515, (6, 6), id="mens_spend"),
        pytest.param("Womens", "spend", 0.424412, 0.168957, 0.679868, (6, 6), id="womens_spend"),
    ],
)
def test_hillstrom_differences_are_the_published_ones(
    hillstrom, arm, column, value, low, high, places
):
    found = experiment.difference(
        hillstrom[f"{arm} E-Mail"][column], hillstrom["No E-Mail"][column], interval="welch"
    )
    half = [0.5 * 10.0**-place for place in places]
    assert abs(found.value - value) <= half[0]
    assert abs(found.low - low) <= half[1]
    assert abs(found.high - high) <= half[1]


def test_hillstrom_p_values_and_split_are_the_published_ones(hillstrom):
    control = hillstrom["No E-Mail"]["spend"]
    for arm, published, half in (("Mens", 1.1638e-07, 5e-12), ("Womens", 0.0011294, 5e-8)):
        found = experiment.difference(
            hillstrom[f"{arm} E-Mail"]["spend"], control, interval="welch"
        )
        assert abs(found.p_value - published) <= half
    counts = [len(part) for part in hillstrom.values()]
    test = scipy.stats.chisquare(counts)
    assert (round(test.statistic, 4), round(test.pvalue, 4)) == (0.2025, 0.9037)
    two = experiment.sample_ratio(len(hillstrom["Mens E-Mail"]), len(control), 0.5)
    assert two.passed
    assert two.p_value == pytest.approx(scipy.stats.chisquare([21307, 21306]).pvalue)


def test_hillstrom_relative_lift_is_the_published_one(hillstrom):
    spend = hillstrom["Mens E-Mail"]["spend"], hillstrom["No E-Mail"]["spend"]
    for kind, ends in (("delta", (54.43, 181.43)), ("fieller", (64.37, 197.74))):
        found = experiment.relative_lift(*spend, interval=kind)
        assert abs(100 * found.value - 117.93) <= 0.005
        assert abs(100 * found.low - ends[0]) <= 0.005
        # Published as 197.74; ours is 197.74474, the same to the last digit given.
        assert abs(100 * found.high - ends[1]) <= 0.005
    drawn = resampling.bootstrap(*spend, relative=True)
    assert 100 * drawn.low == pytest.approx(66.0, rel=0.03)
    assert 100 * drawn.high == pytest.approx(193.9, rel=0.03)


def test_hillstrom_history_is_not_worth_adjusting_for(hillstrom):
    treated, control = hillstrom["Mens E-Mail"], hillstrom["No E-Mail"]
    found = experiment.cuped(
        treated["spend"], control["spend"], treated["history"], control["history"]
    )
    assert found == Refusal("Earlier spending explains 0.04% of variance; adjustment not used.")


# Simulation: the truth is known


@pytest.mark.parametrize(
    ("units", "sd", "kind"),
    [
        pytest.param(2_500, 0.8, "pooled", id="15_buyers"),
        pytest.param(5_000, 1.2, "pooled", id="30_buyers_wild"),
        pytest.param(30_000, 0.8, "welch", id="180_buyers"),
    ],
)
def test_intervals_cover_the_truth_where_they_are_used(units, sd, kind):
    rng = np.random.default_rng(11)
    runs, lift = 1500, 0.2
    made = [arms(rng, units, sd=sd, lift=lift) for _ in range(runs)]
    found = coverage([experiment.difference(*each, interval=kind) for each in made], lift)
    error = 3 * math.sqrt(0.05 * 0.95 / runs)
    # Pooled is allowed to be wider than it says, not narrower.
    assert 0.94 - error <= found <= (0.97 if kind == "pooled" else 0.96) + error


def test_false_alarms_without_effect_stay_at_their_level():
    rng = np.random.default_rng(12)
    found = [experiment.difference(*arms(rng, 10_000)).p_value < 0.05 for _ in range(1500)]
    assert np.mean(found) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1500)


def test_relative_lift_covers_the_truth():
    rng = np.random.default_rng(13)
    made = [arms(rng, 30_000, lift=0.15) for _ in range(800)]
    found = coverage([experiment.relative_lift(*each) for each in made], 0.15)
    assert 0.925 <= found <= 0.975


def test_return_of_buyers_covers_the_truth():
    rng = np.random.default_rng(41)
    answers = []
    for _ in range(1000):
        treated, control = (each[each > 0] for each in arms(rng, 30_000, lift=0.4))
        paid = 5.0 * rng.binomial(1, 0.5, len(treated))
        answers.append(
            experiment.return_of_buyers(
                treated, control, 0.8, fee=1000.0,
                treated_payout=paid, control_payout=np.zeros(len(control)),
            )
        )  # fmt: skip
    cost = 1000 + 24_000 * 0.03 * 1.4 * 0.5 * 5
    assert coverage(answers, 0.4 * 24_000 / cost) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("compare", [means.incremental, means.relative_lift])
def test_a_small_treatment_arm_with_few_buyers_is_covered(compare):
    """1,000 treated and 20,000 others: by control's buyers alone the interval held 91 %."""
    rng = np.random.default_rng(77)
    answers = []
    for _ in range(1000):
        treated, control = arms(rng, 21_000, buying=0.05, sd=1.2, lift=0.5, share=1 / 21)
        answers.append(compare(treated, control))
    truth = 500 if compare is means.incremental else 0.5
    assert coverage(answers, truth) >= 0.945


def test_only_buyers_cover_the_truth_and_an_estimated_share_cancels_it():
    rng = np.random.default_rng(14)
    truth, answers, cancelled = 0.2 * 24_000, [], []
    for _ in range(2000):
        treated, control = (each[each > 0] for each in arms(rng, 30_000, lift=0.2))
        answers.append(experiment.only_buyers(treated, control, 0.8))
        guessed = len(treated) / (len(treated) + len(control))
        cancelled.append(experiment.only_buyers(treated, control, guessed).value)
    assert 0.935 <= coverage(answers, truth) <= 0.965
    assert abs(np.mean(cancelled)) < 0.02 * truth


def test_return_on_random_payouts_covers_the_truth():
    rng = np.random.default_rng(15)
    answers = []
    for _ in range(1000):
        treated, control = arms(rng, 20_000, lift=0.5)
        # Who buys in treatment is paid for at 10 % of what he bought, plus 4 rupees an order.
        paid = 0.1 * treated + 4 * (treated > 0)
        answers.append(
            experiment.return_on_spend(
                treated, control, treated_payout=paid, control_payout=np.zeros_like(control)
            )
        )
    truth = 0.5 / (0.1 * 1.5 + 4 * 0.03 * 1.5)
    assert 0.93 <= coverage(answers, truth) <= 0.97


def test_adjusting_for_the_past_narrows_and_still_covers():
    rng = np.random.default_rng(16)
    plain, adjusted = [], []
    for _ in range(800):
        frailty = rng.gamma(0.5, 2.0, 3000)
        treated = rng.random(3000) < 0.5
        before, after = rng.poisson(frailty * 4), rng.poisson(frailty * (2 + 0.2 * treated))
        sides = [after[treated], after[~treated]]
        plain.append(experiment.difference(*sides, interval="welch"))
        found = experiment.cuped(*sides, before[treated], before[~treated], interval="welch")
        assert found.reduction > 0.5
        adjusted.append(found.estimate)
    truth = 0.2  # frailty has mean 1
    assert 0.93 <= coverage(adjusted, truth) <= 0.97
    narrower = np.mean([one.high - one.low for one in adjusted]) / np.mean(
        [one.high - one.low for one in plain]
    )
    assert narrower < 0.7


def test_looking_often_needs_the_interval_made_for_it():
    rng = np.random.default_rng(17)
    wrong_always, wrong_plain, runs = 0, 0, 150
    looks = np.arange(10_000, 40_001, 2_500)
    for _ in range(runs):
        treated, control = (rng.permutation(each) for each in arms(rng, 40_000, share=0.5))
        seen = [(treated[: n // 2], control[: n // 2]) for n in looks]
        always = [sequential.always_valid(*each, planned=40_000) for each in seen]
        plain = [experiment.difference(*each, interval="welch") for each in seen]
        wrong_always += any(isinstance(one, Estimate) and one.excludes(0.0) for one in always)
        wrong_plain += any(one.excludes(0.0) for one in plain)
    assert wrong_always / runs <= 0.05
    assert wrong_plain / runs > 0.08


def test_sequence_is_tightest_where_it_was_planned():
    rng = np.random.default_rng(18)
    treated, control = arms(rng, 40_000, share=0.5)
    reach = {
        planned: sequential.always_valid(treated, control, planned=planned).high
        for planned in (40_000, 400_000, 4_000_000)
    }
    assert reach[40_000] < reach[400_000] < reach[4_000_000]
    # By formula: s − log(1 + s) = −2 log α, reach = error × √((1 + 1/s) × (log(1 + s) − 2 log α)).
    s = scipy.optimize.brentq(lambda s: s - math.log1p(s) + 2 * math.log(0.05), 0.1, 100)
    error = math.sqrt(treated.var(ddof=1) / 20_000 + control.var(ddof=1) / 20_000)
    found = sequential.always_valid(treated, control, planned=40_000)
    expected = error * math.sqrt((1 + 1 / s) * (math.log1p(s) - 2 * math.log(0.05)))
    assert found.high - found.value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("treated", "sentence"),
    [
        pytest.param([], "Too few buyers so far (0 in treatment) to estimate lift.", id="none_yet"),
        pytest.param([9.0], "Too few buyers so far (1 in treatment) to estimate lift", id="one"),
        pytest.param(
            [0.0] * 300, "Too few buyers so far (0 in treatment) to estimate lift", id="zeros"
        ),
        pytest.param([1.0] * 40, "chance cannot be judged", id="constant"),
    ],
)
def test_a_running_test_waits_for_buyers_in_either_arm(treated, sentence):
    """Control may enter first: of an arm without units there is no mean, of one buyer no spread."""
    control = [2.0] * 200 if "chance" in sentence else [1.0] * 200 + [0.0] * 300
    answer = sequential.always_valid(treated, control, planned=1000)
    assert isinstance(answer, Refusal)
    assert sentence in str(answer)


# Resampling


def test_bootstrap_agrees_with_the_t_interval_where_both_hold():
    rng = np.random.default_rng(19)
    treated, control = arms(rng, 50_000, lift=0.1)
    plain = experiment.difference(treated, control, interval="welch")
    for kind in ("poisson", "multinomial"):
        drawn = resampling.bootstrap(treated, control, kind=kind)
        assert drawn.standard_error == pytest.approx(plain.standard_error, rel=0.06)
        assert drawn.low == pytest.approx(plain.low, abs=0.25 * plain.standard_error)
        assert drawn.high == pytest.approx(plain.high, abs=0.25 * plain.standard_error)


def test_bootstrap_of_a_hundred_thousand_units_takes_seconds():
    rng = np.random.default_rng(20)
    treated, control = arms(rng, 100_000)
    started = time.process_time()
    resampling.bootstrap(treated, control, resamples=2000)
    assert time.process_time() - started < 10


def test_splitting_one_arm_at_random_shows_a_difference_at_its_level():
    rng = np.random.default_rng(21)
    control = arms(rng, 50_000)[1]
    found = resampling.aa_rate(control, 0.8, splits=2000)
    assert found.low <= 0.05 <= found.high


# The split


def test_split_alarm_is_rare_when_sound_and_sure_when_broken():
    rng = np.random.default_rng(22)
    sound = [
        experiment.sample_ratio(n, 10_000 - n, 0.8).passed for n in rng.binomial(10_000, 0.8, 1500)
    ]
    broken = [
        experiment.sample_ratio(n, 10_000 - n, 0.8).passed for n in rng.binomial(10_000, 0.83, 200)
    ]
    assert np.mean(sound) >= 0.996
    assert not any(broken)


# Bad input: a sentence, never an exception


@pytest.mark.parametrize(
    ("treated", "control", "sentence"),
    [
        pytest.param(
            [], [1.0, 2.0], "An arm with fewer than two units has no spread: nothing can be compared.",
            id="one_arm_empty",
        ),
        pytest.param(
            [1.0], [2.0, 3.0], "An arm with fewer than two units has no spread: nothing can be compared.",
            id="one_unit",
        ),
        pytest.param(
            [0.0] * 9, [0.0] * 9, "All units have the same value: there is nothing to compare.",
            id="all_zeros",
        ),
        pytest.param(
            [5.0] * 9, [3.0] * 9,
            "Within each arm all units have the same value, so chance cannot be judged.",
            id="nothing_varies",
        ),
    ],
)  # fmt: skip
def test_arms_that_say_nothing_are_refused(treated, control, sentence):
    for method in (experiment.difference, experiment.incremental, experiment.relative_lift):
        assert method(treated, control) == Refusal(sentence)
    assert experiment.return_on_spend(treated, control, fee=5.0) == Refusal(sentence)


def test_refunds_are_counted_and_a_negative_mean_has_no_lift():
    found = experiment.difference([-10.0, 20.0, 0.0], [-40.0, 10.0, 0.0])
    assert found.value == pytest.approx(10 / 3 + 10)
    assert experiment.relative_lift([-10.0, 20.0, 0.0], [-40.0, 10.0, 0.0]) == Refusal(
        "An arm's mean is not above zero, so a relative lift is not defined."
    )


def test_too_few_buyers_names_the_size_that_would_do():
    rng = np.random.default_rng(23)
    treated, control = arms(rng, 1000)
    found = experiment.too_few_buyers(treated, control)
    bought = int((control > 0).sum())
    assert bought < 30
    assert str(found).startswith(f"Too few buyers ({bought} in control) to estimate lift; about ")
    assert str(found).endswith(" users are needed to detect 10%.")
    assert experiment.too_few_buyers(*arms(rng, 20_000)) is None
    still = experiment.too_few_buyers(*arms(rng, 20_000), is_open=True)
    assert str(still).startswith("Too few buyers so far (")
    # A campaign that drives everybody away leaves control its buyers.
    gone = experiment.too_few_buyers(np.zeros(20_000), arms(rng, 20_000)[1])
    assert str(gone).startswith("Too few buyers (0 in treatment) to estimate lift; about ")
    assert str(experiment.only_buyers([100.0] * 9, [100.0] * 40, 0.5)) == (
        "Too few buyers (9 in treatment) to estimate lift."
    )


def test_too_few_buyers_asks_for_enough_buyers_even_where_amounts_hardly_vary():
    """20 of 40 control units bought for about the same: 60 would bring the 30 buyers that are needed."""
    control = [100.0, 101.0] * 10 + [0.0] * 20
    found = experiment.too_few_buyers(control, control, detect=2.0)
    assert str(found) == (
        "Too few buyers (20 in control) to estimate lift; about 120 users are needed to detect 200%."
    )


@pytest.mark.parametrize(
    ("fee", "begins"),
    [
        pytest.param(0.0, "Both arms cost about the same, so return on spend", id="no_spend"),
        pytest.param(
            math.nan, "The spend withheld from control is not known, so return", id="missing"
        ),
    ],
)
def test_return_without_a_spend_difference_keeps_the_revenue_difference(fee, begins):
    found = experiment.return_on_spend(*SMALL, fee=fee)
    assert str(found).startswith(begins)
    assert "the revenue difference is ₹60.00 (95% interval " in str(found)


def test_payouts_that_both_arms_got_alike_give_no_return():
    rng = np.random.default_rng(24)
    treated, control = arms(rng, 20_000)
    found = experiment.return_on_spend(
        treated, control, treated_payout=0.1 * treated, control_payout=0.1 * control
    )
    assert str(found).startswith("Both arms cost about the same")


@pytest.mark.parametrize("share", [None, 0.0, 1.0])
def test_only_buyers_without_a_planned_share_are_refused(share):
    assert experiment.only_buyers([1.0] * 40, [1.0] * 40, share) == Refusal(
        "Only buyers are recorded and the planned split is unknown, so lift is not identifiable."
    )


def test_the_p_value_of_a_lift_by_fieller_is_about_no_lift():
    treated, control = [10.0, 0.0, 12.0, 9.0] * 50, [9.0, 1.0, 11.0, 10.0] * 50
    lift = experiment.relative_lift(treated, control, interval="fieller")
    plain = experiment.difference(treated, control, interval="welch")
    assert lift.p_value == pytest.approx(plain.p_value, abs=0.005)
    assert lift.p_value > 0.9  # the means are equal
