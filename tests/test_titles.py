"""Titles are true of small and odd slices too: no winner of three orders, no plural of one."""

import re
from dataclasses import replace
from types import SimpleNamespace

import exports
import nbformat
import notebook_cells
import pandas as pd
import pytest

from hkreport import charts, insights, views
from hkreport import metrics as m
from hkreport.evidence import ranking
from hkreport.views.quality import _decisions


def opened(folder, **filters):
    exports.write(folder)
    return views.open_report(brand="HKVitals", period="2025-Q2", data=str(folder), filters=filters)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("campaign"))


def groups(**columns):
    return pd.DataFrame({"tier": ["nano", "micro", "mid"], **columns})


def test_a_ratio_of_few_orders_leads_nothing():
    frame = groups(roas=[32.0, 3.0, 2.0], influencer_orders=[2.0, 90.0, 40.0])
    assert insights.leader(frame, "tier", m.ROAS) == "Highest ROAS, from 30 orders up: micro, 3.0×"
    few = groups(roas=[32.0, 3.0, 2.0], influencer_orders=[2.0, 9.0, 4.0])
    assert (
        insights.leader(few, "tier", m.ROAS) == "ROAS by tier: each rests on fewer than 30 orders"
    )


def test_what_a_ratio_rests_on_may_be_posts():
    frame = groups(influencer_revenue_per_post=[9.0, 5.0, 4.0], posts=[2.0, 90.0, 40.0])
    assert insights.leader(frame, "tier", m.INFLUENCER_REVENUE_PER_POST, "posts") == (
        "Highest influencer revenue per post, from 30 posts up: micro, ₹5.00"
    )


def test_equal_groups_have_no_leader():
    frame = groups(influencer_revenue=[0.0, 0.0, 0.0])
    said = insights.leader(frame, "tier", m.INFLUENCER_REVENUE)
    assert said == "Influencer revenue by tier: ₹0 everywhere"


def test_highest_returns_say_how_many_rest_on_few_orders(report):
    # Three paid influencers: 5, 5 and 1 orders.
    assert insights.highest_returns(report, 10) == (
        "The 3 highest ROAS all rest on fewer than 30 orders: much of it is chance"
    )


def test_one_influencer_brings_and_is_not_the_first_one_influencers(tmp_path):
    report = opened(tmp_path, influencer="2")
    whole = report.value(m.INFLUENCER_REVENUE)
    assert insights.share_of_top(report.influencers, m.INFLUENCER_REVENUE, whole, 5) == (
        "One influencer brings 100% of influencer revenue"
    )
    assert insights.poor_words(report) == "The one paid influencer reaches 1.00× ROAS"


def test_poor_words_count_nobody_one_and_some(report, tmp_path):
    assert insights.poor_words(report) == "All 3 paid influencers reach 1.00× ROAS"
    dear = exports.PAYOUTS.replace("3,post,500,,500", "3,post,500,,5000")
    exports.write(tmp_path, payouts=dear)
    found = views.open_report(brand="HKVitals", period="2025-Q2", data=str(tmp_path))
    assert insights.poor_words(found) == (
        "1 of 3 paid influencers stays below 1.00× ROAS, at a cost of ₹5,000"
    )


def test_unpaid_influencers_are_left_out_with_their_revenue(report):
    assert insights.unpaid_words(report) == (
        "Left out: 1 influencer who was paid nothing in this selection, with ₹700 of credited revenue."
    )
    assert set(views.paid(report)["influencer_id"]) == {"1", "2", "3"}
    assert "payout_basis" in views.paid(report).columns


def test_spend_that_names_no_product_is_a_line_and_a_note(report):
    # 1,000 and 500 for posts, which name no product; 750 follows the orders.
    closing = views.names_no_product(report)
    assert closing is not None
    assert (closing["product"], closing["spend"], closing["orders"]) == (
        "naming no product", 1500.0, 0.0
    )  # fmt: skip
    assert insights.product_note(report) == (
        "₹1,500 of spend, 66.7% of it, names no product: it is in the last line, and in no product's "
        "ROAS."
    )
    shown = report.products["spend"].sum() + closing["spend"]
    assert shown == pytest.approx(report.value(m.SPEND))


def test_a_loss_is_called_one(report, tmp_path):
    dear = exports.PAYOUTS.replace("1,post,1000,,2000", "1,post,1000,,60000")
    exports.write(tmp_path, payouts=dear)
    found = views.open_report(brand="HKVitals", period="2025-Q2", data=str(tmp_path))
    assert insights.bridge_words(views.bridge(found)).endswith("once payouts are taken off")
    assert insights.bridge_words(views.bridge(report)).startswith("Of each rupee")
    # 99.8 % of a rupee is not all of it.
    nearly = exports.PAYOUTS.replace(",2000", ",10").replace(",750", ",1").replace(",500\n", ",1\n")
    exports.write(tmp_path, payouts=nearly)
    found = views.open_report(brand="HKVitals", period="2025-Q2", data=str(tmp_path))
    assert "more than ₹0.99 is left" in insights.bridge_words(views.bridge(found))


def test_a_stretch_of_days_is_compared_with_as_many_before(tmp_path):
    exports.write(tmp_path)
    found = views.open_report(brand="HKVitals", period="2025-05-01..2025-05-20", data=str(tmp_path))
    assert found.previous_label == "the 20 days before"  # once 2025-04-11..2025-04-30
    assert found.headline()[0]["previous_label"] == "the 20 days before"


def test_values_of_a_filter_are_told_one_by_one(tmp_path):
    exports.write(tmp_path)
    given = {"platform": "Instagram,YouTube", "max_price": 1234567.5}
    assert views.filters_of(given).words[1] == "price to ₹1234567.5"  # once ₹1.23457e+06
    kept = {"platform": "Instagram,YouTube"}
    found = views.open_report(period="2025-Q2", data=str(tmp_path), filters=kept)
    assert "only platform Instagram or YouTube" in found.subtitle  # once Instagram,YouTube
    assert "only platform Instagram or YouTube" in insights.slice_note(found).markdown


def test_many_filters_and_long_values_stay_a_line(tmp_path):
    wide = opened(
        tmp_path,
        tier="mega,mid,nano",
        gender="Female,Male,Other",
        category="Fitness," * 30 + "Nutrition",
    )
    said = wide.subtitle.partition("only ")[2]
    assert len(said) < 200
    assert said.startswith("tier mega or mid or nano")


def test_counts_of_many_are_grouped():
    many = pd.DataFrame(
        {
            "product": [f"P{at}" for at in range(4001)],
            "price": [float(at % 7) for at in range(4001)],
            "revenue": 1.0,
            "low": 0.5,
            "average": 1.0,
        }
    )
    said = [
        insights.price_words(many),
        charts.bars(many, "product", m.REVENUE, most=1500).subtitle,
        charts.dots(many, "product", m.REVENUE, "low", "average", most=1500).subtitle,
        ranking.Ranking(many, None, 0.1, 1.0, 1.0, "").title,
        *(
            each["decision"]
            for each in _decisions(
                {
                    "brand": {"rule": "from a column", "rows": 81808, "without_brand": 4080, "disagree": 0},
                    "dates": {"tracking.date": {"format": "ISO", "first": "2025-07-20", "last": "2025-12-31"}},
                    "payouts": {"agrees_with": {"rate": 75283}},
                }
            )
        ),
    ]  # fmt: skip
    grouped = " ".join(said)
    for number in ("4,001", "81,808", "4,080", "75,283", "20 Jul 2025 to 31 Dec 2025"):
        assert number in grouped
    assert not re.search(r"(?<![\d,])(4001|1714|1715|81808|4080|75283)(?![\d,])", grouped)


def test_a_change_from_next_to_nothing_or_below_it_is_told_in_rupees(report):
    def moved(now, before):
        changed = replace(report)
        changed.__dict__["totals"] = pd.Series({"revenue": now})
        changed.__dict__["totals_before"] = pd.Series({"revenue": before})
        return insights.change(changed, m.REVENUE)

    assert moved(150.0, 100.0) == "Revenue rose 50.0% on 2025-Q1, to ₹150"
    assert moved(5e5, 3.0) == "Revenue rose from ₹3.00 in 2025-Q1 to ₹5.00 L"
    assert moved(-2000.0, 5000.0) == "Revenue fell from ₹5,000 in 2025-Q1 to −₹2,000"


def test_where_others_take_back_the_first_bring_no_share(report):
    frame = pd.DataFrame({"influencer_revenue": [900.0, 400.0, -1000.0]})
    assert insights.share_of_top(frame, m.INFLUENCER_REVENUE, 300.0, 2) == (
        "The first 2 influencers bring ₹1,300; what others take back leaves ₹300 of influencer revenue"
    )


def test_few_new_influencers_are_counted():
    sizes = pd.DataFrame({"cohort": ["2025-01", "2025-02"], "influencers": [50.0, 2.0]})
    retention = pd.DataFrame({"cohort": ["2025-02"], "at": [1], "active": [1.0]})
    assert insights.cohort_words(views.Cohorts("month", sizes, retention)) == (
        "1 of 2 new influencers is active again in the month after their first"
    )


def test_payouts_taken_back_are_not_called_nothing_paid(tmp_path):
    exports.write(tmp_path, payouts="influencer_id,basis,total_payout\n1,post,-2000\n")
    found = views.open_report(brand="HKVitals", period="2025-Q2", data=str(tmp_path))
    spend = found.value(m.SPEND)
    assert spend < 0
    assert views.taken_back(spend).startswith("More payouts were taken back than paid (−₹")
    said = insights.headline(found).markdown.replace("\\", "")
    assert "taken back than paid" in said
    assert "Nothing was paid" not in said
    paid = groups(spend=[-5.0, -9.0, -1.0])
    assert insights.leader(paid, "tier", m.SPEND) == "Spend by tier"
    assert insights.bridge_words(views.bridge(found)) == (
        "From gross revenue to what is left after payouts"
    )


def test_break_even_in_the_chart_is_that_of_the_headline(report):
    assert insights.guides(report) == [(1.0, "break-even on revenue"), (2.0, "ROAS 2×")]
    known = replace(report)
    known.__dict__["break_even"] = 2.5
    assert insights.guides(known) == [(1.0, "ROAS 1×"), (2.5, "break-even, 2.5×")]


def test_a_share_of_revenue_is_of_what_names_no_product_too(tmp_path):
    """Biotin, 1950 + 3250 + 1300 of 10,600, led with 71.4 % of revenue where 1500 named no product."""
    exports.write(tmp_path, tracking=exports.TRACKING.replace("Omega 3", ""))
    report = views.open_report(brand="HKVitals", period="2025-Q2", data=str(tmp_path))
    assert report.value(m.REVENUE) == 10600
    book = nbformat.read(notebook_cells.NOTEBOOKS / "brand_report.ipynb", as_version=4)
    (cell,) = (each.source for each in book.cells if "#| label: fig-products\n" in each.source)
    space = {"report": report, "metrics": m, "insights": insights}
    space["charts"] = SimpleNamespace(bars=lambda *_, title: title)
    assert notebook_cells.run(cell, space) == "Biotin leads with ₹6,500, 61.3% of revenue"


def test_who_is_level_with_others_does_not_lead():
    """Instagram was said to lead with ₹25,000, and TikTok had ₹25,000 too."""
    frame = groups(
        influencer_revenue=[25e3, 25e3, 13e3],
        spend=[5e3, 4e3, 1e3],
        roas=[5.0, 6.0, 6.0],
        influencer_orders=[40.0, 40.0, 40.0],
    )
    level = "Influencer revenue by tier: micro and nano are level at ₹25,000"
    assert insights.leader(frame, "tier", m.INFLUENCER_REVENUE) == level
    assert insights.parts_words(frame, "tier") == level
    assert insights.leader(frame, "tier", m.ROAS) == "Highest ROAS: micro and mid are level at 6.0×"
    few = frame.assign(influencer_orders=[4.0, 40.0, 40.0])
    assert insights.leader(few, "tier", m.ROAS) == (
        "Highest ROAS, from 30 orders up: micro and mid are level at 6.0×"
    )
    many = pd.DataFrame({"tier": list("abcde"), "influencer_revenue": [9.0, 9.0, 9.0, 9.0, 1.0]})
    assert insights.leader(many, "tier", m.INFLUENCER_REVENUE) == (
        "Influencer revenue by tier: the first 4 of 5 are level at ₹9.00"
    )


def test_what_some_platforms_took_back_is_not_hidden_from_the_shares_of_the_others():
    """YouTube's ₹1,306 was drawn as 100 % of an influencer revenue of −₹10,115."""
    book = nbformat.read(notebook_cells.NOTEBOOKS / "brand_report.ipynb", as_version=4)
    (cell,) = (
        each.source for each in book.cells if "#| label: fig-platform-share\n" in each.source
    )
    frame = pd.DataFrame(
        {
            "platform": ["YouTube", "Twitter", "TikTok"],
            "influencer_revenue": [1306.0, -11421.0, 0.0],
        }
    )
    space = {"report": views.Report, "metrics": m, "insights": insights, "by_platform": frame}
    shown = notebook_cells.run(cell, {**space, "charts": charts})
    assert shown.words == (
        "Shares of influencer revenue by platform cannot be shown: some parts are negative."
    )


def test_the_largest_tier_is_a_share_of_those_without_a_tier_too():
    frame = pd.DataFrame(
        {"tier": ["nano", "mega", "unassigned"], "active_influencers": [30.0, 10.0, 10.0]}
    )
    assert insights.mix_words(frame) == (
        "Nano is the largest tier, with 60.0% of the active influencers"
    )


def test_nothing_spent_is_no_way_of_allocating_it(tmp_path):
    exports.write(tmp_path)
    # An order on a day without a post: another way of allocating would place a payout here.
    report = views.open_report(
        brand="HKVitals", period="2025-06-30..2025-06-30", data=str(tmp_path)
    )
    assert len(report.allocation) == 1
    assert insights.allocation_note(report).markdown == "No payouts fall into this selection.\n"


def test_who_did_not_post_has_not_the_most_posts():
    nobody = pd.DataFrame({"posts": [0.0] * 20})
    assert insights.top_words(nobody, "posts", "posts", 10) == "Nobody has posts"
    few = pd.DataFrame({"posts": [2.0, 1.0, *[0.0] * 20]})
    assert insights.top_words(few, "posts", "posts", 10).startswith("The 2 influencers with")


def test_two_are_both(report):
    people = report.influencers.assign(spend=0.0)
    people.loc[:1, "spend"] = 10.0
    for roas, said in (
        (9.0, "Both paid influencers reach"),
        (0.1, "Both paid influencers stay below"),
    ):
        two = replace(report)
        two.__dict__["influencers"] = people.assign(roas=roas)
        assert insights.poor_sentence(two).startswith(said)
