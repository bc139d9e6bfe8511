"""Error rates of comparisons between influencers: by hand, against oracles, and by simulation."""

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from hkreport.errors import InputError
from hkreport.methods import multiplicity as many


def test_q_values_are_those_of_benjamini_and_hochberg_by_hand():
    # p × m ÷ rank: .01×4/1, .02×4/2, .03×4/3, .5×4/4; each at most the next.
    found = many.adjust_fdr(np.array([0.02, 0.5, 0.01, 0.03]))
    assert found == pytest.approx([0.04, 0.5, 0.04, 0.04])


def test_q_values_agree_with_statsmodels_and_leave_gaps_out():
    p_values = np.random.default_rng(1).random(40) ** 3
    with_gap = np.insert(p_values, 7, np.nan)
    expected = multipletests(p_values, method="fdr_bh")[1]
    found = many.adjust_fdr(with_gap)
    assert np.isnan(found[7])
    assert np.delete(found, 7) == pytest.approx(expected)
    assert np.isnan(many.adjust_fdr(np.array([np.nan]))).all()


def test_effective_number_is_one_when_one_influencer_has_all_the_weight():
    assert many.effective_number(np.array([5.0, 0.0, 0.0])) == pytest.approx(1.0)
    assert many.effective_number(np.array([])) == 0.0


def test_roas_interval_is_the_jackknife_of_its_logarithm():
    revenue, spend = np.array([30.0, 12.0, 25.0, 60.0, 9.0]), np.array([10.0, 12.0, 8.0, 30.0, 5.0])
    without = [
        np.log(np.delete(revenue, one).sum() / np.delete(spend, one).sum()) for one in range(5)
    ]
    error = np.sqrt(4 / 5 * ((without - np.mean(without)) ** 2).sum())
    n_eff = spend.sum() ** 2 / (spend**2).sum()
    half = stats.t.ppf(0.975, n_eff - 1) * error
    found = many.roas_with_interval(revenue, spend)
    assert found.value == pytest.approx(136 / 65)
    assert found.standard_error == pytest.approx(error)
    assert (found.low, found.high) == pytest.approx(
        (np.exp(np.log(136 / 65) - half), np.exp(np.log(136 / 65) + half))
    )


@pytest.mark.parametrize("spend", [[300.0, 1.0], [300.0, 1.0, 1.0], [1.0, 1.0]])
def test_so_few_influencers_that_they_leave_a_return_open_give_an_open_interval(spend):
    """It ran over the largest float where two were paid very differently."""
    revenue = np.geomspace(10_000, 0.001, len(spend))
    found = many.roas_with_interval(revenue, np.array(spend))
    assert (found.low, found.high) == (0.0, np.inf)


@pytest.mark.parametrize(
    ("revenue", "spend"),
    [
        pytest.param([0.0, 0.0], [1.0, 1.0], id="no_revenue"),
        pytest.param([5.0], [1.0], id="one_influencer"),
        pytest.param([5.0, 0.0], [1.0, 1.0], id="all_revenue_is_hers"),
        pytest.param([], [], id="nobody"),
    ],
)
def test_roas_has_no_interval_where_leaving_one_out_leaves_nothing(revenue, spend):
    found = many.roas_with_interval(np.array(revenue), np.array(spend))
    assert np.isnan(found.low)
    assert np.isnan(found.high)


def test_roas_interval_covers_the_truth_with_uneven_spend():
    rng = np.random.default_rng(2)
    spend = rng.lognormal(0, 1.0, (1500, 40))
    revenue = spend * 2.0 * rng.lognormal(-0.18, 0.6, spend.shape)
    found = [many.roas_with_interval(*pair) for pair in zip(revenue, spend, strict=True)]
    covered = np.mean([each.low <= 2.0 <= each.high for each in found])
    assert 0.91 < covered < 0.97


def exact(values, size, statistic):
    """P-value over every split of the values into a group of that size and the rest."""
    number = len(values)
    observed = abs(statistic(values[:size], values[size:]))
    splits = list(itertools.combinations(range(number), size))
    beyond = 0
    for chosen in splits:
        inside = np.isin(np.arange(number), chosen)
        beyond += abs(statistic(values[inside], values[~inside])) >= observed * (1 - 1e-9)
    return beyond / len(splits)


def test_permutation_p_value_agrees_with_every_split():
    values = np.array([3.1, 4.0, 2.7, 5.2, 1.0, 2.2, 1.9, 0.4, 2.0])

    def welch(inside, outside):
        return stats.ttest_ind(inside, outside, equal_var=False).statistic

    members = (np.arange(9) < 4)[:, None]
    found = many.permutation_p_values(
        values, np.ones(9), members, resamples=40_000, rng=np.random.default_rng(3)
    )
    assert found[0] == pytest.approx(exact(values, 4, welch), abs=0.004)


def test_permutation_keeps_its_level_where_groups_differ_in_size_and_spread():
    rng = np.random.default_rng(5)
    members = (np.arange(80) < 20)[:, None]
    said = 0
    for _ in range(500):
        values = np.where(members[:, 0], rng.normal(0, 3, 80), rng.normal(0, 1, 80))
        weights = rng.uniform(0.5, 1.0, 80)
        said += (
            many.permutation_p_values(values, weights, members, resamples=199, rng=rng)[0] <= 0.05
        )
    assert 0.02 < said / 500 < 0.085


def test_permutation_within_strata_does_not_take_a_stratum_for_an_effect():
    rng = np.random.default_rng(5)
    strata = np.repeat([0, 1], 60)
    values = rng.normal(0, 1, 120) + 4 * strata
    inside = rng.random(120) < np.where(strata == 1, 0.8, 0.2)
    options = {"resamples": 999, "rng": np.random.default_rng(6)}
    plain = many.permutation_p_values(values, np.ones(120), inside[:, None], **options)
    within = many.permutation_p_values(
        values, np.ones(120), inside[:, None], strata=strata, **options
    )
    assert plain[0] < 0.01
    assert within[0] > 0.05


def test_same_seed_gives_the_same_p_values_and_groups_do_not_disturb_each_other():
    rng = np.random.default_rng(7)
    values, members = rng.normal(size=60), rng.random((60, 3)) < 0.4
    first, second = (
        many.permutation_p_values(
            values, np.ones(60), members, resamples=500, rng=np.random.default_rng(8)
        )
        for _ in range(2)
    )
    assert first.tolist() == second.tolist()
    assert ((first > 0) & (first <= 1)).all()


def test_groups_of_one_influencer_are_not_tested():
    members = np.stack([np.arange(10) < 1, np.arange(10) < 9, np.arange(10) < 5], axis=1)
    found = many.permutation_p_values(
        np.arange(10.0), np.ones(10), members, resamples=99, rng=np.random.default_rng(9)
    )
    assert np.isnan(found[:2]).all()
    assert found[2] <= 0.05


def test_a_missing_value_is_refused_by_name():
    with pytest.raises(InputError, match="value and a weight above 0 for every influencer"):
        many.permutation_p_values(
            np.array([1.0, np.nan]),
            np.ones(2),
            np.ones((2, 1), bool),
            resamples=9,
            rng=np.random.default_rng(0),
        )


def test_sign_flips_agree_with_every_pattern_of_signs():
    own = np.array([1.2, -0.3, 0.8, 2.1, 0.4, -0.1, 1.6, 0.9])

    def statistic(values):
        return abs(values.sum()) / np.sqrt((values**2).sum() - values.sum() ** 2 / len(values))

    patterns = np.array(list(itertools.product([-1, 1], repeat=8)))
    observed = statistic(own)
    expected = np.mean([statistic(own * signs) >= observed - 1e-9 for signs in patterns])
    found = many.sign_flip_p_values(own[:, None], resamples=40_000, rng=np.random.default_rng(10))
    assert found[0] == pytest.approx(expected, abs=0.004)


def test_sign_flips_of_nobody_say_nothing():
    found = many.sign_flip_p_values(np.zeros((5, 1)), resamples=99, rng=np.random.default_rng(11))
    assert np.isnan(found).all()


def test_difference_is_welch_with_equal_weights():
    rng = np.random.default_rng(12)
    values, inside = rng.normal(size=50), np.arange(50) < 18
    found = many.difference(values, np.ones(50), inside)
    oracle = stats.ttest_ind(values[inside], values[~inside], equal_var=False)
    interval = oracle.confidence_interval(0.95)
    assert found.estimate.value == pytest.approx(values[inside].mean() - values[~inside].mean())
    assert (found.estimate.low, found.estimate.high) == pytest.approx((interval.low, interval.high))
    assert (found.n_eff_inside, found.n_eff_outside) == pytest.approx((18, 32))


def test_thousands_of_influencers_take_the_normal_limit_which_is_welchs():
    rng = np.random.default_rng(14)
    values, inside = rng.normal(size=6000), np.arange(6000) < 1500
    values[inside] += 0.05
    found = many.permutation_p_values(values, np.ones(6000), inside[:, None], resamples=99, rng=rng)
    oracle = stats.ttest_ind(values[inside], values[~inside], equal_var=False).pvalue
    assert found[0] == pytest.approx(oracle, rel=0.02)
