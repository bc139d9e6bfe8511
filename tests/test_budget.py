"""Moves of money: exact at today's point, checked against another solver, and scored against known truth."""

import json
from dataclasses import replace

import exports
import numpy as np
import pytest
from scipy import optimize

from hkreport import simulate, views
from hkreport.errors import InputError
from hkreport.evidence import budget as evidence
from hkreport.evidence import scored
from hkreport.methods import budget
from hkreport.metrics import UNASSIGNED

ONE_WEEK = np.array([1.0])


def history(seed, cells=8, weeks=104, beta=0.6, level=None, spread=0.5, noise=0.3):
    """Weekly fees and revenue of cells with a known curve."""
    rng = np.random.default_rng(seed)
    fees = rng.lognormal(np.log(20_000), spread, (cells, weeks))
    height = np.full(cells, 40.0) if level is None else level
    expected = height[:, None] * fees**beta
    return fees, expected * rng.lognormal(-(noise**2) / 2, noise, fees.shape), expected


def test_curves_find_the_elasticity_and_know_how_closely():
    found, errors = [], []
    for seed in range(40):
        fees, revenue, _ = history(seed, cells=5)
        made = budget.fit(fees, revenue, ONE_WEEK)
        found.append(made.own_beta)
        errors.append(made.own_error)
    assert np.mean(found) == pytest.approx(0.6, abs=0.02)
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.2)


def test_elasticities_are_pooled_where_cells_are_alike_and_kept_apart_where_not():
    fees, revenue, _ = history(1, cells=12)
    alike = budget.fit(fees, revenue, ONE_WEEK)
    assert alike.beta.std() < 0.5 * alike.own_beta.std()
    assert (alike.beta_error < alike.own_error).all()
    steep = budget.fit(*history(2, cells=6, beta=0.9, noise=0.05)[:2], ONE_WEEK)
    flat = budget.fit(*history(3, cells=6, beta=0.3, noise=0.05)[:2], ONE_WEEK)
    assert steep.beta.min() > 0.8
    assert flat.beta.max() < 0.4


def test_revenue_that_arrives_later_is_credited_to_the_fees_of_its_week():
    rng = np.random.default_rng(4)
    carry = budget.carry_over(48.0)
    fees = rng.lognormal(9, 0.8, (6, 104))
    power = 30 * fees**0.6
    late = np.zeros_like(power)
    for lag, share in enumerate(carry):
        late[:, lag:] += share * power[:, : power.shape[1] - lag]
    revenue = late * rng.lognormal(0, 0.1, late.shape)
    assert budget.fit(fees, revenue, carry).beta == pytest.approx(np.full(6, 0.6), abs=0.03)
    assert budget.fit(fees, revenue, ONE_WEEK).beta.max() < 0.5


def test_carried_shares_add_up_and_follow_the_half_life():
    assert budget.carry_over(48.0).sum() == pytest.approx(1.0)
    # With a half-life of seven days: 1 − (1 − e^−r) ÷ r = 0.2787 in the own week, before scaling.
    shares = budget.carry_over(168.0, weeks=40)
    assert shares[0] == pytest.approx(0.2787, abs=1e-4)
    assert shares[2] / shares[1] == pytest.approx(0.5)


def test_allocation_agrees_with_another_solver():
    rng = np.random.default_rng(5)
    before, revenue = rng.uniform(50, 400, 7), rng.uniform(100, 900, 7)
    beta = rng.uniform(0.2, 0.9, 7)
    after = budget.allocate(before, revenue, beta, most_move=0.4)
    found = optimize.minimize(
        lambda spend: -(revenue * (spend / before) ** beta).sum() / 100,
        before,
        method="SLSQP",
        bounds=list(zip(0.6 * before, 1.4 * before, strict=True)),
        constraints={"type": "eq", "fun": lambda spend: (spend.sum() - before.sum()) / 100},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert after.sum() == pytest.approx(before.sum(), rel=1e-12)
    assert after == pytest.approx(found.x, rel=2e-3)
    assert (revenue * (after / before) ** beta).sum() >= -100 * found.fun - 1e-6


def test_floors_caps_and_a_given_budget_are_kept():
    before, revenue, beta = np.array([100.0, 100, 100]), np.array([500.0, 300, 50]), np.full(3, 0.5)
    floors, caps = np.array([0.0, 0, 90]), np.array([110.0, 999, 999])
    after = budget.allocate(before, revenue, beta, budget=320.0, floors=floors, caps=caps)
    assert after.sum() == pytest.approx(320.0)
    assert after[0] == pytest.approx(110.0)
    assert after[2] == pytest.approx(90.0)
    assert (np.abs(after / before - 1) <= 0.25 + 1e-12).all()


def test_limits_without_room_are_refused_in_rupees():
    with pytest.raises(InputError) as caught:
        budget.allocate(np.array([100.0, 100.0]), np.ones(2), np.full(2, 0.5), budget=300.0)
    assert str(caught.value) == (
        "A budget of ₹300 a week does not fit the limits, which allow ₹150 to ₹250. "
        "Widen floors, caps or the largest move in params, under budget."
    )


def moved(fees, revenue, most_move=0.25):
    curves = budget.fit(fees, revenue, ONE_WEEK)
    before, sold = fees[:, -13:].mean(axis=1), revenue[:, -13:].mean(axis=1)
    made = budget.move(
        fees, revenue, ONE_WEEK, curves, before, sold, most_move=most_move,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    return made, curves


def test_at_todays_allocation_nothing_is_gained_and_revenue_is_todays():
    fees, revenue, _ = history(6)
    made, curves = moved(fees, revenue)
    today = made.revenue_before * (made.before / made.before) ** curves.beta
    assert today.tolist() == revenue[:, -13:].mean(axis=1).tolist()
    assert made.after.sum() == pytest.approx(made.before.sum())
    assert made.cell_gain.sum() == pytest.approx(made.gain.value)


def test_on_equal_cells_the_optimum_promises_what_cross_fitting_does_not():
    promised, crossed, said = [], [], 0
    for seed in range(30):
        fees, revenue, _ = history(200 + seed, weeks=52, noise=0.6)
        made, _ = moved(fees, revenue, most_move=0.9)
        total = made.revenue_before.sum()
        promised.append(made.promised / total)
        crossed.append(made.gain.value / total)
        said += made.is_recommended
    # The truth is at most 0: equal cells want equal fees, up to the noise of today's.
    assert np.mean(promised) > 0.015
    assert np.mean(crossed) < 0.5 * np.mean(promised)
    assert said <= 0.2 * 30


def test_luck_of_the_weeks_that_today_is_the_mean_of_recommends_no_move():
    """Sixteen equal cells: a cell is not worth more because its last quarter was lucky."""
    said = 0
    for seed in range(24):
        fees, revenue, _ = history(500 + seed, cells=16, weeks=78, noise=0.35)
        made, _ = moved(fees, revenue)
        said += made.is_recommended
    # By cross-fitting alone 11 of 24.
    assert said <= 0.2 * 24


def test_a_move_does_not_depend_on_the_order_of_the_cells():
    fees, revenue, *_ = history(4, level=np.linspace(20.0, 60.0, 8))
    there = np.random.default_rng(9).permutation(8)
    (plain, _), (other, _) = moved(fees, revenue), moved(fees[there], revenue[there])
    assert other.gain.value == pytest.approx(plain.gain.value, rel=1e-6)
    assert other.after == pytest.approx(plain.after[there], rel=1e-6)


def test_recommended_moves_gain_on_average_what_they_promise():
    promised, true, recommended = [], [], 0
    for seed in range(30):
        level = 40 * np.random.default_rng(seed).lognormal(0, 0.5, 8)
        fees, revenue, _ = history(300 + seed, level=level)
        made, _ = moved(fees, revenue)
        if made.is_recommended:
            recommended += 1
            promised.append(made.gain.value)
            true.append((level * (made.after**0.6 - made.before**0.6)).sum())
    assert recommended >= 25
    assert np.mean(promised) == pytest.approx(np.mean(true), rel=0.2)


def test_moves_of_simulated_brands_bring_what_was_promised_and_the_interval_holds():
    made = [each for brand in (0, 1) for each in scored.moves(12, 1, brand=brand)]
    sure = [each for each in made if each.is_recommended]
    assert len(sure) > 12
    promised = np.mean([each.gain / each.revenue for each in sure])
    true = np.mean([each.true_gain / each.revenue for each in sure])
    assert promised == pytest.approx(true, rel=0.2)
    held = np.mean([each.low <= each.true_gain <= each.high for each in made])
    assert held >= 0.7
    assert np.mean([each.low <= each.true_gain for each in made]) >= 0.85
    # Little is left of what a planner who knew the truth would have gained.
    assert all(each.true_gain <= each.best_gain + 1e-9 for each in made)
    assert np.mean([(each.best_gain - each.true_gain) / each.revenue for each in made]) < 0.01


SETTINGS = [
    {"brand": 0},
    {"brand": 2, "weeks": 60, "influencers": 150},
    {"brand": 1, "scenario": "null"},
    {"brand": 0, "scenario": "confounded"},
    {"brand": 1, "scenario": "leaky", "weeks": 78, "influencers": 200},
]


def test_intervals_of_gains_hold_the_truth_as_often_as_they_say():
    """200 simulated campaigns with different seeds, sizes and scenarios: 80 % or more, on both sides."""
    made, told, true = [], [], []
    for number, setting in enumerate(SETTINGS):
        found = list(scored.moves(40, 4000 + 100 * number, **setting))
        made += found
        # Elasticities of 1 and fees that follow demand are outside of the model: held, but promised too little.
        if setting.get("scenario") not in ("null", "confounded"):
            told += [each.gain / each.revenue for each in found]
            true += [each.true_gain / each.revenue for each in found]
    assert len(made) >= 195
    # It was 55 to 90 % before.
    assert np.mean([each.low <= each.true_gain <= each.high for each in made]) >= 0.8
    assert np.mean([each.true_gain < each.low for each in made]) <= 0.1
    # What was taken off for luck was a tenth of the gain too much.
    assert np.mean(told) == pytest.approx(np.mean(true), rel=0.1)


@pytest.mark.parametrize(("cells", "weeks", "noise"), [(8, 78, 0.35), (16, 78, 0.35), (8, 52, 0.6)])
def test_intervals_hold_where_no_move_gains(cells, weeks, noise):
    """Equal cells: the best of equals is luck, and the interval says that nothing may be gained."""
    held, said = 0, 0
    for seed in range(100):
        fees, revenue, expected = history(800 + seed, cells=cells, weeks=weeks, noise=noise)
        made, _ = moved(fees, revenue)
        true = (expected[:, -13:].mean(axis=1) * ((made.after / made.before) ** 0.6 - 1)).sum()
        held += made.gain.low <= true <= made.gain.high
        said += made.is_recommended
    assert held >= 75
    # An interval of 80 % may lie above in one of ten, and chance may add to 100 sets.
    assert said <= 15


def test_gains_of_cells_add_up_and_lie_within_their_intervals():
    fees, revenue, _ = history(31, level=np.linspace(20.0, 60.0, 8))
    made, _ = moved(fees, revenue)
    assert made.cell_gain.sum() == pytest.approx(made.gain.value)
    assert (made.cell_low <= made.cell_gain).all()
    assert (made.cell_gain <= made.cell_high).all()
    # Moved by the same curves that are shown: where money goes, the next rupee brings more.
    up = made.after > made.before * 1.001
    down = made.after < made.before * 0.999
    assert made.marginal_before[up].min() > made.marginal_before[down].max()


def test_fees_that_only_pay_more_for_the_same_posts_do_not_flatten_the_curve():
    rng = np.random.default_rng(8)
    posts = rng.poisson(3, (8, 104)).astype(float)
    fees = posts * 1e4 * rng.lognormal(0, 0.6, posts.shape)
    revenue = 40 * (posts * 1e4) ** 0.7 * rng.lognormal(0, 0.2, posts.shape)
    price = fees.sum(axis=1) / posts.sum(axis=1)
    now = np.array([1.0])
    assert budget.fit(fees, revenue, now).own_beta.mean() < 0.6
    assert budget.fit(posts * price[:, None], revenue, now).own_beta.mean() == pytest.approx(0.7, abs=0.04)  # fmt: skip


def test_weeks_of_test_shrink_the_error_to_what_is_wanted():
    weeks = budget.weeks_of_test(0.3)
    errors = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        fees = 20_000 * np.where(np.arange(weeks) % 2 == 0, 1.3, 0.7)[None]
        revenue = 40 * fees**0.6 * rng.lognormal(0, 0.3, fees.shape)
        errors.append(budget.fit(fees, revenue, ONE_WEEK).own_beta[0])
    assert np.nanstd(errors) == pytest.approx(0.2, rel=0.2)


# A report's plan.


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "data"
    simulate.write(folder, scale=0.06, start="2024-10-01", end="2026-01-01")
    return folder


@pytest.fixture(scope="module")
def report(sample):
    return views.open_report(brand="MuscleBlaze", period="2025-Q4", data=str(sample))


def fixed_totals(report):
    frame = report.by("payout_basis")
    return frame[frame["payout_basis"] == "post"].iloc[0]


def test_plan_starts_from_the_reports_numbers(report):
    plan = evidence.plan(report)
    totals = fixed_totals(report)
    assert plan.refusal is None
    assert plan.frame["from"].sum() * plan.weeks == pytest.approx(totals["spend"], rel=1e-9)
    movable = plan.frame[plan.frame["marginal_roas_before"].notna()]
    rows = report.current.rows
    rows = rows.filter(rows["payout_basis"] == "post")
    sums = rows.group_by("platform", "tier").aggregate(sold=rows["influencer_revenue"].sum())
    frame = movable.merge(sums.to_pandas(), on=["platform", "tier"])
    assert plan.revenue_today * plan.weeks == pytest.approx(
        frame["sold"].astype(float).sum(), rel=1e-9
    )


def test_plan_moves_no_more_than_allowed_and_keeps_the_money(report):
    plan = evidence.plan(report)
    frame = plan.frame
    assert frame["to"].sum() == pytest.approx(frame["from"].sum())
    assert (frame["change"] == frame["to"] - frame["from"]).all()
    assert (frame["change"].abs() <= 0.25 * frame["from"] + 1e-6).all()
    if plan.is_recommended:
        assert plan.gain.low > 0
        assert frame["expected_gain"].sum() == pytest.approx(plan.gain.value)
        assert (frame.loc[frame["change"] > 0, "marginal_roas_after"]
                <= frame.loc[frame["change"] > 0, "marginal_roas_before"]).all()  # fmt: skip
    else:
        assert (frame["change"] == 0).all()


def test_plan_is_the_same_again_and_reads_nothing_after_the_period(sample):
    first, again = (
        evidence.plan(views.open_report(brand="MuscleBlaze", period="2025-Q4", data=str(sample)))
        for _ in range(2)
    )
    assert first.frame.equals(again.frame)
    early = views.open_report(brand="MuscleBlaze", period="2024-Q4", data=str(sample))
    plan = evidence.plan(early)
    assert str(plan.refusal).startswith("12 weeks of fees are too few")
    assert "by ±30% for" in str(plan.refusal)
    assert (plan.frame["change"] == 0).all()


def test_spend_that_hardly_varies_is_refused_with_a_test_and_its_cost(report):
    rules = report.settings.budget.model_copy(update={"least_variation": 50.0})
    still = report.settings.model_copy(update={"budget": rules})
    plan = evidence.plan(replace(report, settings=still))
    assert str(plan.refusal).startswith("Spend hardly varied, so its effect cannot be read; vary ")
    assert "of fees in all." in str(plan.refusal)
    assert set(plan.frame["status"]) <= {
        "spend hardly varied",
        "no fees or no revenue in the period",
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"payouts": ""}, evidence.NO_PAYOUTS, id="no_payouts"),
        pytest.param({"tracking": ""}, evidence.NO_ORDERS, id="no_orders"),
        pytest.param(
            {"payouts": "influencer_id,basis,rate,orders,total_payout\n1,order,100,2,200\n"},
            evidence.NO_FEES,
            id="paid_by_the_order",
        ),
        pytest.param({}, "12 weeks of fees are too few", id="three_months"),
    ],
)
def test_plan_refuses_in_a_sentence_and_the_rest_stands(tmp_path, changed, said):
    report = views.open_report(
        brand="HKVitals", period="2025-Q2", data=str(exports.write(tmp_path, **changed))
    )
    plan = evidence.plan(report)
    assert said in str(plan.refusal)
    assert plan.note().markdown
    assert list(plan.frame.columns)[-len(evidence.COLUMNS) :] == list(evidence.COLUMNS)
    assert plan.shown.empty


def test_plan_holds_cells_without_a_name(report):
    frame = evidence.plan(report).frame
    nameless = frame[(frame["platform"] == UNASSIGNED) | (frame["tier"] == UNASSIGNED)]
    assert (nameless["change"] == 0).all()
    json.dumps(frame.fillna(0).to_dict("records"))


def test_a_new_brand_has_no_history_of_weeks_before_it(tmp_path):
    early = exports.TRACKING + "T9,organic,,,u9,Gritzo,SuperMilk,2025-01-06,1,500\n"
    report = views.open_report(
        brand="HKVitals", period="2025-Q2", data=str(exports.write(tmp_path, tracking=early))
    )
    # 25 whole weeks of the data; the first order of HKVitals is of 2 April.
    assert str(evidence.plan(report).refusal).startswith("12 weeks of fees are too few")
