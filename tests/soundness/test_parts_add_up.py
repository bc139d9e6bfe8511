"""Whatever is filtered and however it is grouped, the parts of every total add up to the whole."""

import random

import campaigns as c
import pytest

from hkreport import metrics
from hkreport.ledger import ALLOCATION_RULES, Filters

TOTALS = [metric for metric in metrics.CATALOGUE.values() if isinstance(metric, metrics.Total)]


@pytest.fixture(scope="module")
def ledger():
    """Forty influencers with everything that a name, a brand or a date can lack."""
    draw = random.Random(7)
    people = [f"i{number}" for number in range(40)]
    day = lambda: f"2025-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"  # noqa: E731
    brand = lambda: draw.choice(["X", "Y", None])  # noqa: E731
    return c.build(
        influencers=[
            c.person(
                each,
                name=f"Name {draw.randint(1, 20)}",
                platform=draw.choice(["Instagram", "YouTube"]),
                gender=draw.choice(["Female", "Male", None]),
                category=draw.choice(["Fitness", None]),
                follower_count=draw.choice([None, 5000, 80_000, 2_000_000]),
            )
            for each in people[:35]
        ],
        tracking=[
            c.order(
                draw.choice([*people, None]),
                day(),
                draw.randint(-500, 5000),
                brand=brand(),
                product=draw.choice(["P", "Q", None]),
                campaign=draw.choice(["K", "L", None]),
                channel=draw.choice(["influencer", "organic"]),
            )
            for _ in range(300)
        ],
        posts=[
            c.post(draw.choice(people), day(), brand=brand(), reach=draw.randint(0, 9000), likes=3)
            for _ in range(80)
        ],
        payouts=[
            c.payout(
                each,
                draw.randint(-100, 9000),
                draw.choice(["post", "order", "hybrid", None]),
                rate=draw.choice([0.1, 200, None]),
                invoice_date=draw.choice([None, day()]),
            )
            for each in people
        ],
        products=[{"product": "P", "price": 100, "margin": 0.4}, {"product": "Q", "price": 900}],
    )


def random_filters(draw):
    choices = {
        "brand": ("X", "Y", "unassigned"),
        "platform": ("Instagram", "YouTube"),
        "gender": ("Female", "Male"),
        "product": ("P", "Q"),
        "campaign": ("K", "L", "unassigned"),
        "tier": ("nano", "mid", "mega"),
        "channel": ("influencer", "organic"),
    }
    names = draw.sample(sorted(choices), draw.randint(0, 3))
    limits = {
        "min_price": draw.choice([None, None, 50.0]),
        "max_price": draw.choice([None, None, 500.0]),
    }
    values = {name: tuple(draw.sample(choices[name], draw.randint(1, 2))) for name in names}
    return Filters(values=values, **limits)


@pytest.mark.parametrize("seed", range(12))
def test_parts_of_every_total_add_up_under_random_filters(ledger, seed):
    draw = random.Random(seed)
    kept, _ = ledger.where(random_filters(draw))
    whole = metrics.compute(kept.rows, TOTALS, known=kept.known).iloc[0]
    for dimension in draw.sample([*metrics.DIMENSIONS, *metrics.TIME_STEPS], 4):
        parts = metrics.compute(kept.rows, TOTALS, by=[dimension], known=kept.known)
        for metric in TOTALS:
            total = parts[metric.name].sum()
            if whole[metric.name] == whole[metric.name]:
                assert total == pytest.approx(whole[metric.name], abs=1e-6), (
                    dimension,
                    metric.name,
                )


@pytest.mark.parametrize("name", ["brand", "platform", "product", "channel"])
def test_slices_of_a_dimension_hold_all_spend_under_every_rule(ledger, name):
    for rule in ALLOCATION_RULES:
        whole = float(ledger.rows[rule].sum().to_pandas())
        parts = 0.0
        for value in [*ledger.values(name), "unassigned"]:
            kept, _ = ledger.where(Filters(values={name: (value,)}))
            amount = kept.rows[rule].sum().to_pandas()
            parts += float(amount) if amount is not None and amount == amount else 0.0
        assert parts == pytest.approx(whole, abs=1e-6), (name, rule)


def test_the_channel_of_influencers_holds_their_sales_posts_and_spend(ledger):
    kept, _ = ledger.where(Filters(values={"channel": ("influencer",)}))
    asked = [metrics.INFLUENCER_REVENUE, metrics.SPEND, metrics.POSTS, metrics.REACH]
    whole = metrics.compute(ledger.rows, asked, known=ledger.known).iloc[0]
    found = metrics.compute(kept.rows, asked, known=kept.known).iloc[0]
    assert whole["spend"] > 0
    assert found.tolist() == pytest.approx(whole.tolist())


def test_a_share_is_of_the_whole_that_the_decimals_give():
    """Added as doubles these six make 3108.2400000000002, and the explorer's CSV differed from the command's."""
    paid = {"a": 762.52, "b": 3.1, "c": 445.94, "d": 721.82, "e": 229.53, "f": 945.33}
    ledger = c.build(
        influencers=[c.person(each) for each in paid],
        payouts=[c.payout(each, amount, None) for each, amount in paid.items()],
    )
    frame = metrics.compute(ledger.rows, [metrics.SPEND_SHARE], by=["influencer"])
    shares = dict(zip(frame["influencer_id"], frame["spend_share"], strict=True))
    assert shares == {each: amount / 3108.24 for each, amount in paid.items()}
