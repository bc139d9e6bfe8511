"""No figure depends on how rows are ordered, split or merged, no ratio on the currency or on what came back."""

import random
from pathlib import Path

import campaigns as c
import pandas as pd
import pytest

from hkreport import metrics as m
from hkreport import params, store
from hkreport.ledger import Filters
from hkreport.units import Unit

ROOT = Path(__file__).parents[2]
METRICS = [metric for metric in m.CATALOGUE.values() if not isinstance(metric, m.Score)]
DIMENSIONS = [*m.DIMENSIONS, "month", "quarter"]
RATE = 83  # rupees to the dollar; any number will do

Tables = dict[str, pd.DataFrame]


def tables() -> Tables:
    """Exports with even orders and money, so that every row can be halved exactly."""
    draw = random.Random(3)
    day = lambda: f"2025-{draw.randint(1, 9):02d}-{draw.randint(1, 28):02d}"  # noqa: E731
    people = [f"i{number}" for number in range(12)]
    basis = {each: draw.choice(["post", "order", "hybrid"]) for each in people}
    return {
        "influencers": pd.DataFrame(
            {"influencer_id": each, "name": f"Name {number // 2}", "platform": draw.choice(["Instagram", "YouTube"]),
             "category": draw.choice(["Fitness", "Food"]), "gender": draw.choice(["Female", "Male"]),
             "follower_count": draw.randint(500, 2_000_000)}
            for number, each in enumerate(people)
        ),
        "posts": pd.DataFrame(
            {"post_id": f"p{number}", "influencer_id": draw.choice(people), "date": day(),
             "platform": "Instagram", "brand": draw.choice(["X", "Y"]), "reach": draw.randint(100, 9000),
             "likes": draw.randint(0, 90), "comments": draw.randint(0, 9)}
            for number in range(60)
        ),
        "tracking": pd.DataFrame(
            {"tracking_id": f"t{number}", "source": draw.choice(["influencer", "influencer", "organic"]),
             "influencer_id": draw.choice(people), "user_id": f"u{draw.randint(1, 50)}",
             "brand": draw.choice(["X", "Y"]), "product": draw.choice(["P", "Q"]),
             "campaign": draw.choice(["K", "L"]), "date": day(), "orders": 2 * draw.randint(1, 3),
             "revenue": 2 * draw.randint(100, 4000), "discount": 2 * draw.randint(0, 40)}
            for number in range(200)
        ),
        "payouts": pd.DataFrame(
            {"influencer_id": each, "basis": basis[each], "rate": 100,
             "total_payout": 2 * draw.randint(100, 6000)} for each in people
        ),
        "products": pd.DataFrame(
            {"product": name, "price": price, "margin": margin}
            for name, price, margin in (("P", 600, 0.5), ("Q", 900, 0.25))
        ),
    }  # fmt: skip


def figures(given: Tables, folder: Path) -> dict[str, pd.DataFrame]:
    """Every metric over everything, and by every dimension, from files to figures."""
    folder.mkdir()
    for name, frame in given.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    ledger = store.open_data(folder, params.load(None, root=ROOT), root=ROOT).ledger
    found = {"all": m.compute(ledger.rows, METRICS, known=ledger.known)}
    for name in DIMENSIONS:
        found[name] = m.compute(ledger.rows, METRICS, by=[name], known=ledger.known).set_index(name)
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return figures(tables(), tmp_path_factory.mktemp("base") / "exports")


def assert_same(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> None:
    for name, frame in one.items():
        pd.testing.assert_frame_equal(
            frame.sort_index(), other[name].sort_index(), rtol=1e-9, atol=2e-5, check_dtype=False, obj=name
        )  # fmt: skip


def halves(frame: pd.DataFrame, *columns: str, key: str = "") -> pd.DataFrame:
    """Each row as two rows of half its worth."""
    made = []
    for part in ("a", "b"):
        half = frame.copy()
        for column in columns:
            half[column] = half[column] // 2
        if key:
            half[key] += part
        made.append(half)
    return pd.concat(made)


def test_what_came_back_divides_nothing():
    """900 of revenue on −10 of spend was a ROAS of −90, or with returns of 900 the highest of all."""
    ledger = c.build(
        influencers=[c.person("A"), c.person("B")],
        tracking=[c.order("A", "2025-04-02", 902), c.order("B", "2025-04-02", -900)],
        payouts=[c.payout("A", -10), c.payout("B", -10)],
    )
    frame = m.compute(ledger.rows, METRICS, by=["influencer"], known=ledger.known)
    assert frame["spend"].tolist() == [-10.0, -10.0]
    ratios = [metric for metric in METRICS if isinstance(metric, m.Ratio)]
    for row in frame.to_dict("records"):
        for ratio in ratios:
            if row.get(ratio.denominator.name, 1.0) <= 0:
                assert row[ratio.name] != row[ratio.name], ratio.name
            if ratio.is_cost:  # once −₹10 for each order, and "target met"
                assert row[ratio.name] != row[ratio.name], ratio.name
    assert m.ROAS.why(frame.iloc[0].to_dict()) == "spend below 0"
    assert m.COST_PER_ORDER.why(frame.iloc[0].to_dict()) == "spend below 0"
    kept, hidden = ledger.where(Filters(min_roas=0.5))
    assert hidden.influencers == 2
    assert kept.rows.count().to_pandas() == 0


def test_nothing_is_a_share_of_a_whole_that_is_not_above_0():
    """Of −800 in all, the returns of 900 were 112.5 % and the sale of 100 was −12.5 %."""
    ledger = c.build(
        influencers=[c.person("A"), c.person("B")],
        tracking=[c.order("A", "2025-04-02", 100), c.order("B", "2025-04-02", -900)],
        payouts=[c.payout("A", 30), c.payout("B", 10)],
    )
    shares = [m.REVENUE_SHARE, m.INFLUENCER_REVENUE_SHARE, m.SPEND_SHARE]
    frame = m.compute(ledger.rows, shares, by=["influencer"], known=ledger.known)
    assert frame["spend_share"].tolist() == [0.75, 0.25]
    assert frame[["revenue_share", "influencer_revenue_share"]].isna().all(axis=None)


def test_figures_are_figures(base):
    assert float(base["all"]["spend"].iloc[0]) > 10_000
    assert base["influencer"]["roas"].notna().sum() >= 5
    assert len(base) == len(DIMENSIONS) + 1


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_rows_changes_nothing(base, tmp_path, seed):
    mixed = {name: frame.sample(frac=1, random_state=seed) for name, frame in tables().items()}
    assert_same(base, figures(mixed, tmp_path / "exports"))


def test_rows_split_in_two_or_merged_again_change_nothing(base, tmp_path):
    given = tables()
    given["tracking"] = halves(
        given["tracking"], "orders", "revenue", "discount", key="tracking_id"
    )
    given["payouts"] = halves(given["payouts"], "total_payout")
    assert_same(base, figures(given, tmp_path / "exports"))


def test_another_currency_scales_money_and_leaves_ratios(base, tmp_path):
    given = tables()
    for name, columns in {
        "tracking": ["revenue", "discount"],
        "payouts": ["rate", "total_payout"],
        "products": ["price"],
    }.items():
        given[name][columns] *= RATE
    other = figures(given, tmp_path / "exports")
    for name, frame in base.items():
        for metric in METRICS:
            if metric.name == "earned_media_value":
                continue  # its rate card is in rupees
            factor = RATE if metric.unit is Unit.MONEY else 1
            expected = frame[metric.name].sort_index().astype(float) * factor
            found = other[name][metric.name].sort_index().astype(float)
            pd.testing.assert_series_equal(
                found, expected, rtol=1e-6, atol=RATE * 2e-5, obj=f"{metric.name} by {name}"
            )


@pytest.mark.parametrize("name", DIMENSIONS)
def test_every_total_is_the_sum_of_its_parts(base, name):
    for metric in METRICS:
        whole = base["all"][metric.name].iloc[0]
        if isinstance(metric, m.Total) and whole == whole:
            assert float(base[name][metric.name].sum()) == pytest.approx(float(whole), abs=1e-6), (
                metric.name
            )
