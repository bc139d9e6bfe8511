"""Arms assigned by cluster: by hand, against scipy's permutation test, and by simulation."""

import math

import numpy as np
import pytest
import scipy.stats

from hkreport.methods import clusters, experiment
from hkreport.methods.estimate import Refusal

FIVE = ([9.0, 11.0, 10.0, 12.0, 8.0], [5.0, 7.0, 6.0, 4.0, 8.0])


def test_interval_is_a_t_with_the_smaller_arm_less_one():
    # Both variances are 2.5: the error is √(2.5/5 + 2.5/5) = 1, and t(4) = 2.7764.
    found = clusters.cluster_difference(*FIVE)
    assert found.value == 4.0
    assert found.high - found.value == pytest.approx(2.776445)


def test_exact_p_value_agrees_with_scipys_permutation_test():
    rng = np.random.default_rng(4)
    first, second = rng.lognormal(0, 0.6, 6), rng.lognormal(0.4, 0.9, 5)

    def studentised(x, y, axis):
        error = np.sqrt(x.var(axis, ddof=1) / x.shape[axis] + y.var(axis, ddof=1) / y.shape[axis])
        return np.abs((x.mean(axis) - y.mean(axis)) / error)

    other = scipy.stats.permutation_test(
        (first, second), studentised, alternative="greater", n_resamples=np.inf, vectorized=True
    )
    assert clusters.cluster_difference(first, second).p_value == pytest.approx(other.pvalue)


def test_random_splits_come_near_the_exact_p_value(monkeypatch):
    rng = np.random.default_rng(5)
    first, second = rng.normal(0.9, 1, 8), rng.normal(0, 1, 6)
    exact = clusters.cluster_difference(first, second).p_value
    monkeypatch.setattr(clusters, "DRAWS", 2500)  # fewer than the 3,003 splits there are
    drawn = clusters.cluster_difference(first, second).p_value
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 2500))


def test_same_data_same_p_value():
    rng = np.random.default_rng(6)
    arms = rng.lognormal(size=40), rng.lognormal(size=10)
    found = clusters.cluster_difference(*arms)
    assert clusters.cluster_difference(*arms) == found
    # What the clusters are called, and so their order, says nothing.
    assert clusters.cluster_difference(*(arm[::-1] for arm in arms)).p_value == found.p_value


def test_false_alarms_stay_at_their_level_where_a_user_level_test_does_not(monkeypatch):
    monkeypatch.setattr(clusters, "DRAWS", 499)
    rng = np.random.default_rng(7)
    runs, cluster_alarms, user_alarms, covered = 400, 0, 0, 0
    for _ in range(runs):
        # 25 campaigns of 40 users, 5 of them control; each campaign has a level of its own.
        levels = rng.lognormal(-0.11, 0.47, 25)
        users = rng.gamma(2.0, levels[:, None] / 2, (25, 40))
        totals = users.sum(1)
        found = clusters.cluster_difference(totals[5:], totals[:5])
        cluster_alarms += found.p_value < 0.05
        covered += found.low <= 0.0 <= found.high
        naive = experiment.difference(users[5:].ravel(), users[:5].ravel(), interval="welch")
        user_alarms += naive.p_value < 0.05
    error = 3 * math.sqrt(0.05 * 0.95 / runs)
    assert cluster_alarms / runs <= 0.05 + error
    assert covered / runs >= 0.95 - error
    assert user_alarms / runs > 0.3


@pytest.mark.parametrize(
    ("treated", "control", "noun", "sentence"),
    [
        pytest.param(
            [1.0] * 36, [2.0] * 4, "cities",
            "With 4 control cities, chance alone could give this difference; no causal claim.",
            id="four_control_cities",
        ),
        pytest.param(
            [1.0, 2.0], [2.0] * 9, "campaigns",
            "With 2 treated campaigns, chance alone could give this difference; no causal claim.",
            id="two_treated",
        ),
        pytest.param(
            [1.0] * 9, [2.0], "cities",
            "With 1 control city, chance alone could give this difference; no causal claim.",
            id="one_control_city",
        ),
        pytest.param(
            [1.0], [2.0] * 9, "influencers",
            "With 1 treated influencer, chance alone could give this difference; no causal claim.",
            id="one_treated_influencer",
        ),
        pytest.param(
            [1.0] * 9, [], "campaigns",
            "With 0 control campaigns, chance alone could give this difference; no causal claim.",
            id="no_control",
        ),
        pytest.param(
            [0.0] * 9, [0.0] * 9, "campaigns",
            "All units have the same value: there is nothing to compare.",
            id="all_zeros",
        ),
        pytest.param(
            [5.0] * 9, [3.0] * 9, "campaigns",
            "Within each arm all units have the same value, so chance cannot be judged.",
            id="nothing_varies",
        ),
    ],
)  # fmt: skip
def test_too_few_clusters_are_refused(treated, control, noun, sentence):
    assert clusters.cluster_difference(treated, control, noun=noun) == Refusal(sentence)
