"""ROAS of groups with intervals: within one payout basis, over influencers, and n/a with its reason."""

import math

import exports
import pytest
from scipy import stats

from hkreport import views
from hkreport.evidence import comparisons, returns
from hkreport.methods.estimate import Estimate

NANO = [900 + 130 * n for n in range(12)]  # credited revenue of twelve equal fees
MICRO = [2000 + 10 * n for n in range(11)]


def write(folder, **changed):
    """Twelve nano and one mega on fixed fees, three mid on unequal ones, eleven micro by the order."""
    people = [(f"n{at}", 5_000, "post", 1000, revenue) for at, revenue in enumerate(NANO)]
    people += [("g0", 2_000_000, "post", 9000, 50_000)]
    people += [(f"d{at}", 60_000, "post", 500 * 10**at, 4000) for at in range(3)]
    people += [(f"m{at}", 20_000, "order", 700, revenue) for at, revenue in enumerate(MICRO)]
    people += [(f"u{at}", 20_000, "post", 1000, 0) for at in range(10)]
    tables = {
        "influencers": ["id,name,category,gender,followers,platform"],
        "posts": ["post_id,influencer_id,platform,date,reach,likes,comments,brand"],
        "tracking": ["tracking_id,source,influencer_id,user_id,brand,product,date,orders,revenue"],
        "payouts": ["influencer_id,basis,rate,orders,total_payout"],
    }
    for who, followers, basis, paid, revenue in people:
        tables["influencers"].append(f"{who},Name {who},Fitness,Female,{followers},Instagram")
        tables["posts"].append(f"p{who},{who},Instagram,2025-05-01,900,90,9,HKVitals")
        if revenue:
            row = f"t{who},influencer,{who},x{who},HKVitals,Biotin,2025-05-03,1,{revenue}"
            tables["tracking"].append(row)
        tables["payouts"].append(f"{who},{basis},{paid},1,{paid}")
    texts = {name: "\n".join(lines) + "\n" for name, lines in tables.items()}
    return exports.write(folder, **(texts | changed))


def opened(folder, **filters):
    return views.open_report(data=str(folder), period="all", filters=filters)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("groups"))


@pytest.fixture(scope="module")
def found(folder):
    return returns.group_returns(opened(folder), "tier")


def row(found, tier, basis="post"):
    frame = found.frame
    return frame[(frame["tier"] == tier) & (frame["payout_basis"] == basis)].iloc[0]


def test_groups_stand_within_their_basis_and_fixed_fees_come_first(found):
    pairs = list(zip(found.frame["payout_basis"], found.frame["tier"], strict=True))
    assert pairs == [
        ("post", "nano"), ("post", "micro"), ("post", "mid"), ("post", "mega"), ("order", "micro")
    ]  # fmt: skip
    assert found.drawn["tier"].tolist() == ["nano", "micro", "mid", "mega"]
    assert found.pooled == pytest.approx((sum(NANO) + 50_000 + 12_000) / (12_000 + 9_000 + 55_500 + 10_000))  # fmt: skip


def test_interval_is_the_jackknife_of_log_roas_worked_out_by_leaving_each_out(found):
    nano = row(found, "nano")
    assert nano["roas"] == pytest.approx(sum(NANO) / 12_000)
    assert (nano["influencers"], nano["n_eff"]) == (12, pytest.approx(12.0))
    without = [math.log((sum(NANO) - one) / 11_000) for one in NANO]
    middle = sum(without) / 12
    error = math.sqrt(11 / 12 * sum((each - middle) ** 2 for each in without))
    half = stats.t.ppf(0.975, 11) * error
    assert nano["low"] == pytest.approx(nano["roas"] * math.exp(-half))
    assert nano["high"] == pytest.approx(nano["roas"] * math.exp(half))


@pytest.mark.parametrize(
    ("tier", "said"),
    [
        pytest.param("mega", "n/a (one influencer)", id="alone"),
        # (500 + 5,000 + 50,000)² ÷ (500² + 5,000² + 50,000²)
        pytest.param("mid", "n/a (spend acts like 1.2 influencers)", id="one_fee_dwarfs_the_rest"),
        pytest.param("micro", "n/a (no credited revenue)", id="nothing_sold"),
    ],
)
def test_a_group_without_an_interval_says_why(found, tier, said):
    each = row(found, tier)
    assert each["interval"] == said
    assert math.isnan(each["low"])
    assert math.isnan(each["high"])


def test_influencers_picked_by_their_result_get_no_interval(folder):
    found = returns.group_returns(opened(folder, min_roas="0.5"), "tier")
    assert set(found.frame["interval"]) == {"n/a (picked by a minimum ROAS)"}


def test_without_tiers_nothing_is_shown_and_said_so(tmp_path):
    nameless = "id,name,platform\n" + "".join(f"n{at},Name {at},YouTube\n" for at in range(12))
    found = returns.group_returns(opened(write(tmp_path, influencers=nameless)), "tier")
    assert found.frame.empty
    assert found.drawn.empty
    assert math.isnan(found.pooled)
    assert found.empty == (
        "Nobody of a known tier was paid in this selection, or it is not known what they brought, "
        "so there is no return."
    )


def test_one_group_is_not_compared(found, folder):
    alone = returns.group_returns(opened(folder), "platform")
    assert alone.title == "On fixed fees, there is only Instagram, so nothing to compare it with"
    assert "fixed fees" in found.title


def test_what_the_ways_of_allocating_disagree_on_is_not_called_chance(folder, monkeypatch):
    """Kept from being stated by one rule, it was told as no difference beyond chance."""
    made = comparisons.Comparison(
        dimension="tier",
        level="nano",
        n=12,
        n_rest=12,
        n_eff=12.0,
        n_eff_rest=12.0,
        ratio=Estimate(value=2.0, low=1.5, high=2.6, confidence=0.95, n=24, method="t"),
        p_value=0.0001,
        q_value=0.001,
        by_rule={"by_posts": 2.0, "by_orders": 0.8},
    )
    family = comparisons.Family((made,), (), 999, 0.05)
    monkeypatch.setattr(comparisons, "family", lambda report: family)
    title = returns.group_returns(opened(folder), "tier").title
    assert (
        title == "On fixed fees, tiers differ by some ways of allocating payouts and not by others"
    )


def test_nobody_on_fixed_fees_makes_no_claim(folder):
    found = returns.group_returns(opened(folder, influencer="m1,m2,m3"), "tier")
    assert found.title == "Nobody is on fixed fees, so return says little about tiers"


def test_range_over_the_allocation_rules_is_one_value_where_all_rules_agree(found):
    # All dates and brands: every rule hands out the same payouts.
    assert row(found, "nano")["rules"] == "1.61×"


def test_subtitle_and_note_say_what_the_chart_holds(found):
    assert found.subtitle == (
        "ROAS with 95% intervals over influencers, beside the 0.94× of all who are paid so. Paid a fixed fee a post"
    )
    assert found.note == "Without an interval: too few influencers, see the table."
