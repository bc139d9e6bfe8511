"""Influencers with luck taken out: closed forms, and simulation with known truth."""

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from hkreport import metrics as m
from hkreport import simulate, views
from hkreport.errors import InputError
from hkreport.evidence import ranking
from hkreport.methods import shrinkage
from hkreport.methods.estimate import Refusal


def campaign(seed, number=150, expected=10.0, shape=2.0, value=1000.0):
    """Orders, revenue and fees of influencers whose true orders for a rupee are known."""
    rng = np.random.default_rng(seed)
    fee = rng.lognormal(np.log(10_000), 0.5, number)
    truth = rng.gamma(shape, expected / 10_000 / shape, number)
    orders = rng.poisson(truth * fee).astype(float)
    baskets = [rng.lognormal(np.log(value) - 0.18, 0.6, int(each)).sum() for each in orders]
    return orders, np.array(baskets), fee, truth * value


def test_posterior_mean_is_the_closed_form_of_gamma_and_poisson():
    orders, revenue, fee, _ = campaign(1)
    made = shrinkage.shrink(orders, revenue, fee)
    rate = made.shape / made.cell_mean
    assert made.orders_a_rupee == pytest.approx((made.shape + orders) / (rate + fee))
    assert made.reliability == pytest.approx(fee / (rate + fee))


def test_shape_and_mean_maximise_the_marginal_likelihood():
    orders, revenue, fee, _ = campaign(2, number=400)
    made = shrinkage.shrink(orders, revenue, fee)

    def likelihood(shape, mean):
        return stats.nbinom.logpmf(orders, shape, shape / (shape + mean * fee)).sum()

    best = likelihood(made.shape, made.cell_mean[0])
    for shape_factor, mean_factor in ((1.1, 1), (0.9, 1), (1, 1.03), (1, 0.97)):
        assert likelihood(made.shape * shape_factor, made.cell_mean[0] * mean_factor) < best
    assert made.shape == pytest.approx(2.0, rel=0.3)


def test_raw_top_five_promise_too_much_and_the_shrunk_ones_do_not():
    raw, raw_true, shrunk, true, inside = [], [], [], [], []
    for seed in range(60):
        orders, revenue, fee, truth = campaign(100 + seed)
        made = shrinkage.shrink(orders, revenue, fee)
        top, lucky = np.argsort(-made.roas)[:5], np.argsort(-revenue / fee)[:5]
        raw.append((revenue / fee)[lucky].mean())
        raw_true.append(truth[lucky].mean())
        shrunk.append(made.roas[top].mean())
        true.append(truth[top].mean())
        inside.append(((made.low <= truth) & (truth <= made.high)).mean())
    assert np.mean(raw) > 1.15 * np.mean(raw_true)
    assert np.mean(shrunk) == pytest.approx(np.mean(true), rel=0.08)
    assert np.mean(inside) == pytest.approx(0.8, abs=0.05)


def test_noise_of_posts_is_read_off_months_and_keeps_intervals_honest():
    rng = np.random.default_rng(6)
    number, months, posts = 300, 6, 2.0
    truth = rng.gamma(2.0, 0.5, number)
    who = np.repeat(np.arange(number), months)
    luck = rng.gamma(posts / 0.4, 0.4 / posts, number * months)
    monthly = rng.poisson(30 * truth[who] * luck).astype(float)
    ones = np.ones(len(who))
    found = shrinkage.post_noise(who, monthly, ones, posts * ones)
    assert found == pytest.approx(0.4, abs=0.06)
    orders = np.bincount(who, monthly)
    fee = np.full(number, 30.0 * months)
    covered = []
    for noise in (0.0, found / (posts * months)):
        made = shrinkage.shrink(orders, orders, fee, noise=np.full(number, noise))
        covered.append(((made.low <= truth) & (truth <= made.high)).mean())
    assert covered[0] < 0.75
    assert covered[1] == pytest.approx(0.8, abs=0.06)


def test_who_sold_nothing_is_drawn_to_her_cell_and_not_to_zero():
    orders, revenue, fee, _ = campaign(7, number=60)
    orders[0] = revenue[0] = 0.0
    fee[0] = 50.0
    cells = ["nano"] * 30 + ["mega"] * 30
    made = shrinkage.shrink(orders, revenue, fee, cells)
    assert made.roas[0] == pytest.approx(made.cell_mean[0] * made.order_value[0], rel=0.1)
    assert 0 <= made.low[0] < made.roas[0] < made.high[0]


def test_log_roas_has_the_same_mean_however_few_orders_an_influencer_has():
    rng = np.random.default_rng(8)
    truth = rng.gamma(2.0, 0.5, 4000)
    fee = np.where(np.arange(4000) % 2 == 0, 2.0, 200.0)
    orders = rng.poisson(truth * fee).astype(float)
    made = shrinkage.shrink(orders, orders, fee)
    few, many = made.log_roas[::2].mean(), made.log_roas[1::2].mean()
    assert few == pytest.approx(many, abs=0.06)
    assert many == pytest.approx(special.digamma(2.0) - np.log(2.0), abs=0.06)


def test_exchange_rate_scales_roas_only_by_itself():
    orders, revenue, fee, _ = campaign(9)
    one = shrinkage.shrink(orders, revenue, fee)
    other = shrinkage.shrink(orders, 83.0 * revenue, 83.0 * fee)
    assert other.roas == pytest.approx(one.roas, rel=1e-3)


@pytest.mark.parametrize(
    ("number", "expected", "said"),
    [
        pytest.param(
            29, 100.0, "Too few influencers on fixed fees to separate influencers from luck: 29, where 30 are needed.",
            id="few_influencers",
        ),
        pytest.param(
            150, 1.0,
            "Too few orders to separate influencers from luck. Those on fixed fees have {}; 300 are needed.",
            id="few_orders",
        ),
        pytest.param(
            2, 1.0,
            "Too few orders to separate influencers from luck. Those on fixed fees have {}; 300 are needed.",
            id="few_of_both",
        ),
    ],
)  # fmt: skip
def test_too_little_is_refused_in_one_sentence(number, expected, said):
    orders, revenue, fee, _ = campaign(10, number=number, expected=expected)
    made = shrinkage.shrink(orders, revenue, fee)
    assert isinstance(made, Refusal)
    assert str(made) == said.format(f"{orders.sum():.0f}")


def test_orders_without_revenue_have_no_return():
    orders, revenue, fee, _ = campaign(4)
    for nothing in (revenue * 0, -revenue, revenue * np.nan):
        made = shrinkage.shrink(orders, nothing, fee)
        assert str(made) == "These orders brought no revenue, so there is no return to compare."
    none = shrinkage.shrink(orders * 0, revenue, fee, least_orders=0)
    assert str(none) == (
        "Too few orders to separate influencers from luck. Those on fixed fees have 0; 1 is needed."
    )


def test_a_fee_of_zero_is_refused():
    with pytest.raises(InputError, match="a fee above 0"):
        shrinkage.shrink(np.ones(3), np.ones(3), np.array([1.0, 0.0, 2.0]))


def test_refunds_count_as_nothing_sold():
    orders, revenue, fee, _ = campaign(11)
    orders[:3], revenue[:3] = -2.0, -500.0
    made = shrinkage.shrink(orders, revenue, fee)
    assert (made.roas > 0).all()
    assert np.isfinite(made.high).all()


def test_pooling_by_hand():
    # Weights 1, mean 2, Q = 1 + 1 + 4, two degrees of freedom: τ² = (6 − 2) ÷ (3 − 1) = 2.
    pooled, between = shrinkage.pooled_means(np.array([1.0, 1.0, 4.0]), np.ones(3))
    assert between == pytest.approx(np.sqrt(2.0))
    assert pooled == pytest.approx([4 / 3, 4 / 3, 10 / 3])


# In a report.


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "data"
    simulate.write(folder, scale=0.06, start="2025-06-01", end="2026-01-01")
    return views.open_report(brand="MuscleBlaze", period="2025-Q4", data=str(folder))


def test_lists_are_by_shrunk_roas_and_only_of_fixed_fees(report):
    made = ranking.ranking(report)
    assert made.refusal is None
    best, worst = made.best(5), made.worst(5)
    assert best["shrunk_roas"].is_monotonic_decreasing
    assert worst["shrunk_roas"].is_monotonic_increasing
    raw = report.top_influencers(m.ROAS, 5)
    assert best["shrunk_roas"].mean() < raw["roas"].mean()
    basis = report.influencers.set_index("influencer_id")["payout_basis"]
    assert set(basis.reindex(made.frame["influencer_id"])) == {"post"}
    assert made.average == pytest.approx(
        made.frame["influencer_revenue"].sum() / made.frame["spend"].sum()
    )


def test_score_ranks_shrunk_roas_among_equals_and_keeps_everybody(report):
    frame = report.influencers
    weights = report.settings.scores.performance
    assert weights == {"roas": 0.5, "engagement_rate_by_reach": 0.25, "influencer_orders": 0.25}
    everyone = pd.Series("all", index=frame.index)
    basis = frame["payout_basis"].astype(object).where(frame["payout_basis"].notna(), "none")
    score, known = np.zeros(len(frame)), np.zeros(len(frame))
    for name, weight in weights.items():
        values = frame["shrunk_roas"].fillna(frame["roas"]) if name == "roas" else frame[name]
        peers = basis if name == "roas" else everyone
        for each in sorted(set(peers)):
            mine = np.flatnonzero((peers == each) & values.notna())
            if len(mine) > 1:
                rank = (stats.rankdata(values.iloc[mine]) - 1) / (len(mine) - 1)
                score[mine] += weight * rank
                known[mine] += weight
    expected = np.where(known >= 0.5, 100 * score / np.where(known > 0, known, 1), np.nan)
    assert frame["performance_score"].to_numpy() == pytest.approx(expected, nan_ok=True)
    assert frame["shrunk_roas"].notna().sum() == len(ranking.ranking(report).frame) > 30


def test_the_lucky_do_not_lead_by_score_and_no_basis_is_favoured(report):
    frame = report.influencers
    raw = m.compute(
        report.current.rows, [m.PERFORMANCE_SCORE], by=["influencer"], known=report.current.known
    )
    raw = raw.set_index("influencer_id")["performance_score"].reindex(frame["influencer_id"])
    new = frame["performance_score"]
    fixed = frame["payout_basis"] == "post"
    lucky = frame[fixed & (frame["influencer_orders"] <= 3)].nlargest(10, "roas").index
    assert new[lucky].mean() < raw.to_numpy()[lucky].mean()
    # The mean rank of return is the same on every basis, so that a score favours none of them.
    only = m.Score(
        name="only", label="Only", unit=m.PERFORMANCE_SCORE.unit, by="influencer",
        parts=((1.0, m.ROAS),), returns=("roas",), description="", source="",
    )  # fmt: skip
    ranks = m.compute(
        report.current.rows,
        [only],
        by=["influencer"],
        known=report.current.known,
        returns=report.returns.ranked,
    ).merge(frame[["influencer_id", "payout_basis"]])
    means = ranks.groupby("payout_basis")["only"].mean()
    assert means.to_numpy() == pytest.approx([50.0] * len(means))


def test_where_luck_cannot_be_told_the_score_says_what_it_ranks(report):
    assert report.returns.refusal is None
    assert "with luck taken out where fees are fixed" in ranking.ranking(report).note().markdown
    few = views.open_report(brand="Gritzo", period="2025-12", data=str(report.data.folder))
    said = str(few.returns.refusal)
    assert said.startswith("Too few ")
    assert said.endswith(" are needed.")
    assert few.influencers["shrunk_roas"].isna().all()
    assert ranking.ranking(few).note().markdown.replace("\\", "").strip() == (
        f"{said} The performance score ranks return among "
        "those on the same payout basis, as counted."
    )


def test_a_filter_moves_no_score(report):
    part = views.open_report(
        brand="MuscleBlaze",
        period="2025-Q4",
        data=str(report.data.folder),
        filters={"tier": "micro", "min_roas": 1.0},
    )
    whole = report.influencers.set_index("influencer_id")
    mine = part.influencers.set_index("influencer_id")
    assert 5 < len(mine) < len(whole)
    for name in ("performance_score", "shrunk_roas"):
        same = whole[name].reindex(mine.index)
        assert mine[name].to_numpy() == pytest.approx(same.to_numpy(), nan_ok=True), name
