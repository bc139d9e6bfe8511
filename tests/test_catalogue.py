"""Every metric: declared once, whole, and equal to a case worked by hand."""

import csv
import re
from pathlib import Path

import campaigns as c
import pytest

from hkreport import metrics as m

METRICS = [pytest.param(metric, id=name) for name, metric in m.CATALOGUE.items()]
WORKED = Path(__file__).parent / "golden" / "metrics_worked.csv"


def worked_campaign() -> c.ledger.Ledger:
    """Three orders, two posts, two payouts: small enough for paper.

    a sold 600 (1 order, new customer) and 300 (2 orders, same customer), b sold nothing; 100 was
    organic. a was paid 200 and b 100. Reach 1,000 and 3,000; likes 50 and 110; comments 10 and 30.
    """
    return c.build(
        influencers=[
            c.person("a", follower_count=1000),
            c.person("b", follower_count=4000),
        ],
        tracking=[
            c.order(
                "a",
                "2025-06-01",
                600,
                user_id="u1",
                product="P",
                campaign="K",
                is_new_customer=True,
            ),
            c.order("a", "2025-06-02", 300, orders=2, user_id="u1", product="P", campaign="K"),
            c.order(None, "2025-06-02", 100, user_id="u2", product="P", channel="organic"),
        ],
        posts=[
            c.post(
                "a",
                "2025-06-01",
                reach=1000,
                impressions=1500,
                likes=50,
                comments=10,
                shares=5,
                clicks=40,
                campaign="K",
            ),
            c.post(
                "b",
                "2025-06-01",
                reach=3000,
                impressions=4500,
                likes=110,
                comments=30,
                shares=0,
                clicks=40,
                campaign="L",
            ),
        ],
        payouts=[c.payout("a", 200), c.payout("b", 100, "post")],
        products=[{"product": "P", "price": 500, "margin": 0.4}],
    )


@pytest.mark.parametrize("metric", METRICS)
def test_metric_is_declared_whole(metric):
    assert re.fullmatch(r"[a-z][a-z_]*", metric.name)
    assert metric.label
    assert metric.description.endswith(".")
    assert metric.source
    assert metric.formula


def test_names_and_labels_are_unique():
    assert len({metric.label for metric in m.CATALOGUE.values()}) == len(m.CATALOGUE)


def test_worked_example_covers_every_metric():
    with WORKED.open(encoding="utf-8") as stream:
        names = [row["metric"] for row in csv.DictReader(stream)]
    assert names == list(m.CATALOGUE)


def test_metrics_equal_the_case_worked_by_hand():
    ledger = worked_campaign()
    frame = m.compute(ledger.rows, list(m.CATALOGUE.values()), known=ledger.known).iloc[0]
    with WORKED.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            expected = float(row["value"]) if row["value"] else float("nan")
            assert frame[row["metric"]] == pytest.approx(expected, nan_ok=True), row


def test_totals_add_up_over_every_dimension():
    ledger = worked_campaign()
    totals = [metric for metric in m.CATALOGUE.values() if isinstance(metric, m.Total)]
    whole = m.compute(ledger.rows, totals, known=ledger.known).iloc[0]
    for dimension in (*m.DIMENSIONS, *m.TIME_STEPS):
        parts = m.compute(ledger.rows, totals, by=[dimension], known=ledger.known)
        for metric in totals:
            assert parts[metric.name].sum() == pytest.approx(whole[metric.name], nan_ok=True), (
                dimension,
                metric.name,
            )


def test_another_currency_scales_money_and_leaves_multiples():
    def campaign(rate):
        return c.build(
            tracking=[c.order("a", "2025-06-01", 600 * rate)], payouts=[c.payout("a", 200 * rate)]
        )

    one, ten = (
        m.compute(
            ledger.rows, [m.REVENUE, m.ROAS, m.ROI, m.AVERAGE_ORDER_VALUE], known=ledger.known
        ).iloc[0]
        for ledger in (campaign(1), campaign(10))
    )
    assert ten["revenue"] == 10 * one["revenue"]
    assert ten["average_order_value"] == 10 * one["average_order_value"]
    assert (ten["roas"], ten["roi"]) == (one["roas"], one["roi"])


def test_score_ranks_in_the_population_and_a_filter_does_not_move_it():
    ledger = c.build(
        tracking=[
            c.order("a", "2025-06-01", 300),
            c.order("b", "2025-06-01", 200),
            c.order("d", "2025-06-01", 100),
        ],
        payouts=[c.payout(each, 100) for each in ("a", "b", "d")],
    )
    whole = m.compute(ledger.rows, [m.PERFORMANCE_SCORE], by=["influencer"], known=ledger.known)
    kept, _ = ledger.where(c.ledger.Filters(values={"influencer": ("b",)}))
    part = m.compute(
        kept.rows,
        [m.PERFORMANCE_SCORE],
        by=["influencer"],
        known=ledger.known,
        population=ledger.rows,
    )
    # ROAS ranks 100, 50, 0; orders tie at 50 each; engagement is unknown and leaves its weight.
    assert whole["performance_score"].tolist() == pytest.approx([83.3333333, 50.0, 16.6666667])
    assert part["performance_score"].tolist() == [50.0]


def test_score_ranks_given_returns_among_peers_by_hand():
    ledger = c.build(
        tracking=[c.order(name, "2025-06-01", value) for name, value in zip("abde", (300, 200, 100, 50), strict=True)],
        payouts=[c.payout(each, 100) for each in "abde"],
    )  # fmt: skip
    given = m.Returns(shrunk={"roas": {"a": 1.0, "b": 1.5}}, peers=dict.fromkeys("ab", "post") | {"d": "order", "e": "order"})  # fmt: skip
    frame = m.compute(
        ledger.rows, [m.PERFORMANCE_SCORE], by=["influencer"], known=ledger.known, returns=given
    )
    # Of a and b, b is better without luck; of d and e, d as counted. Orders tie; engagement is unknown.
    assert frame["performance_score"].tolist() == pytest.approx([50 / 3, 250 / 3, 250 / 3, 50 / 3])
    alone = m.Returns(peers={"a": "post", "b": "order", "d": "order", "e": "order"})
    frame = m.compute(
        ledger.rows, [m.PERFORMANCE_SCORE], by=["influencer"], known=ledger.known, returns=alone
    )
    # Who has no peers has no rank of return, and a quarter of the weight is too little to score.
    assert frame["performance_score"].tolist()[1:] == pytest.approx([250 / 3, 50.0, 50 / 3])
    assert frame["performance_score"].isna()[0]


def test_unknown_metric_and_dimension_name_the_nearest():
    with pytest.raises(m.UsageError, match=r"There is no metric 'roass'\. Did you mean 'roas'\?"):
        m.find("roass")
    with pytest.raises(
        m.UsageError, match=r"There is no dimension 'brnad'\. Did you mean 'brand'\?"
    ):
        m.keys(["brnad"])
