"""Arms are what was assigned: never rows, orders, posts or words, and never more of them than there are."""

import math

import numpy as np
import pytest

from hkreport import views
from hkreport.evidence import incrementality
from hkreport.methods import clusters, experiment


def orders_of_users(rng, users, rate, size):
    """Sums of users and the single orders they are made of."""
    counts = rng.poisson(rate, users)
    rows = rng.lognormal(0, 0.8, counts.sum()) * size
    owner = np.repeat(np.arange(users), counts)
    return np.bincount(owner, rows, minlength=users), rows


def test_test_and_control_posts_are_refused_and_not_a_lift(shared):
    folder = shared / "corpus" / "c12-test-control"
    report = views.open_report(brand="all", period="all", data=str(folder))
    found = incrementality.study(report)
    said = found.claim.markdown.replace("\\", "")
    assert (
        "Test and Control are both influencer posts: this compares two campaigns, not with and"
        in said
    )
    assert "8,806 of 9,000 users are in both." in said
    assert said.startswith("**Attributed, not incremental: ")
    assert found.iroas is None
    assert found.estimates.empty
    assert found.strata.empty
    experiment_row = found.definitions.set_index("definition").loc["experiment"]
    assert math.isnan(experiment_row["value"])


def test_splitting_orders_into_more_rows_changes_nothing():
    rng = np.random.default_rng(41)
    treated, _ = orders_of_users(rng, 4000, 0.05, 100)
    control, rows = orders_of_users(rng, 1000, 0.05, 100)
    whole = experiment.difference(treated, control)
    # Every order written as two rows of half its worth: the users' sums are the same.
    halves = np.concatenate([rows / 2, rows / 2]).sum()
    assert halves == pytest.approx(control.sum())
    assert experiment.difference(treated, control) == whole


def test_orders_as_units_pretend_to_know_more_than_there_is():
    rng = np.random.default_rng(42)
    wrong = 0
    for _ in range(300):
        # Ten orders a buyer, all of one size: rows agree because buyers do.
        both = [np.repeat(rng.lognormal(0, 0.8, 40), 10) for _ in range(2)]
        wrong += experiment.difference(*both, interval="welch").p_value < 0.05
    assert wrong / 300 > 0.3


def test_ratio_of_orders_is_the_effect_and_not_a_broken_split():
    rng = np.random.default_rng(43)
    alarms_units = alarms_orders = 0
    for _ in range(300):
        treated = rng.binomial(200_000, 0.8)
        control = 200_000 - treated
        alarms_units += not experiment.sample_ratio(treated, control, 0.8).passed
        bought = rng.binomial(treated, 0.03 * 1.2), rng.binomial(control, 0.03)
        alarms_orders += not experiment.sample_ratio(*bought, 0.8).passed
    assert alarms_units / 300 <= 0.01
    assert alarms_orders / 300 > 0.5


def test_users_of_five_campaigns_are_five_observations():
    rng = np.random.default_rng(44)
    levels = rng.lognormal(0, 0.47, 25)
    users = levels[:, None] * rng.gamma(2, 0.5, (25, 400))
    by_cluster = clusters.cluster_difference(users[5:].mean(1), users[:5].mean(1))
    by_user = experiment.difference(users[5:].ravel(), users[:5].ravel(), interval="welch")
    assert by_cluster.n == 25
    assert by_cluster.high - by_cluster.low > 3 * (by_user.high - by_user.low)


def test_share_taken_from_the_orders_would_cancel_the_lift():
    treated, control = [100.0] * 960, [100.0] * 200
    guessed = len(treated) / (len(treated) + len(control))
    assert experiment.only_buyers(treated, control, guessed).value == pytest.approx(0.0)
    assert experiment.only_buyers(treated, control, 0.8).value == pytest.approx(16_000.0)
