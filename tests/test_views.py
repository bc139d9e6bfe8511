"""Frames beyond sums by group, worked by hand on the small campaign of exports.py."""

import datetime
from types import SimpleNamespace

import exports
import numpy as np
import pandas as pd
import pytest
from ingest_fixtures import only

from hkreport import backends, insights, params, store, views
from hkreport.errors import ParamsError
from hkreport.metrics import COST_PER_INFLUENCER_ORDER, INFLUENCER_REVENUE, REVENUE, ROAS, SPEND

ORDERS = """date,orders,revenue,influencer_id,brand,discount,returns,profit
2025-09-21,1,1180,1,Gritzo,0,0,400
2025-09-22,1,1150,1,Gritzo,100,0,300
2025-09-23,1,1050,1,Gritzo,0,1050,0
2025-09-23,1,900,,Gritzo,0,0,500
"""


def opened(folder, brand="HKVitals", period="2025-Q2", **changed):
    exports.write(folder, **changed)
    return views.open_report(brand=brand, period=period, data=str(folder))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("campaign"))


def test_concentration_counts_sellers_and_leaves_out_shares_of_less_than_one(report):
    frame = views.concentration(report)
    assert frame["group"].tolist() == ["Top 50%", "All sellers"]
    top = frame.iloc[0]
    assert (top["influencers"], top["influencer_revenue"]) == (2, 4550 + 3250)
    assert top["revenue_share"] == pytest.approx(7800 / 9300)
    assert top["spend_share"] == pytest.approx(1750 / 2250)
    assert top["roas"] == pytest.approx(7800 / 1750)


def test_concentration_is_of_the_revenue_and_spend_that_the_headline_shows(tmp_path):
    """Beside 11.4 % of the title above, the same two brought 10 %: returns were left out of one of them."""
    people = "id,name,platform\n" + "".join(f"{i},N{i},YouTube\n" for i in range(1, 22))
    sold = "".join(f"2025-04-{i:02},1,{-100 if i > 20 else 40},{i}\n" for i in range(1, 22))
    orders = f"date,orders,revenue,influencer_id\n{sold}"
    paid = "influencer_id,basis,total_payout\n1,order,100\n21,order,300\n"
    report = opened(tmp_path, "all", influencers=people, tracking=orders, payouts=paid, posts="")
    frame = views.concentration(report)
    revenue, spend = report.value(INFLUENCER_REVENUE), report.value(SPEND)
    assert (revenue, spend) == (700, 400)
    # 800 of 700 is no share: "114.3 %" was printed beside all sellers.
    assert np.isnan(frame["revenue_share"].iloc[-1])
    assert frame["spend_share"].iloc[-1] == pytest.approx(100 / 400)
    assert "The first 2 of 20 selling" in insights.concentrated(frame)
    for said in (
        insights.concentrated(frame),
        insights.share_of_top(report.influencers, INFLUENCER_REVENUE, revenue, 2),
    ):
        assert "bring 11.4% of" in said


def test_concentration_takes_the_nearest_number_and_its_title_says_how_many(tmp_path):
    people = "id,name,platform\n" + "".join(f"{i},N{i},YouTube\n" for i in range(1, 12))
    sold = "".join(f"2025-04-{i:02},1,{200 if i > 10 else 80},{i}\n" for i in range(1, 12))
    orders = f"date,orders,revenue,influencer_id\n{sold}"
    report = opened(tmp_path, "all", influencers=people, tracking=orders, payouts="", posts="")
    frame = views.concentration(report)
    assert frame["group"].tolist()[0] == "Top 10%"
    assert frame["influencers"].tolist()[0] == 1
    assert (
        insights.concentrated(frame)
        == "The first of 11 selling influencers brings 20.0% of credited revenue"
    )


def test_concentration_of_spend_that_is_not_known_is_not_a_sum_of_nothing(tmp_path):
    frame = views.concentration(opened(tmp_path, payouts=""))
    assert frame["spend"].isna().all()
    assert frame["roas"].isna().all()
    assert ROAS.why(frame.iloc[0].to_dict()) == "spend not known"


@pytest.mark.parametrize(
    ("sold", "named"),
    [
        pytest.param("2025-04-02,1,500,1\n2025-04-20,1,-900,1", False, id="returns_above_sales"),
        pytest.param("2025-04-02,1,500,1\n2025-08-20,1,300,1", False, id="sales"),
        pytest.param("2025-04-20,1,-900,1\n2025-08-20,1,300,1", True, id="returns_alone"),
        pytest.param("2025-04-03,1,90,\n2025-08-20,1,300,1", True, id="orders_of_others"),
        pytest.param("2025-04-20,1,-900,1", True, id="nothing_but_returns"),
    ],
)
def test_a_quarter_whose_returns_outweigh_its_sales_is_none_in_which_nothing_was_sold(
    tmp_path, sold, named
):
    report = opened(
        tmp_path,
        "all",
        influencers="id,name,platform\n1,Asha,YouTube\n",
        tracking=f"date,orders,revenue,influencer_id\n{sold}\n",
        payouts="influencer_id,basis,rate,total_payout\n1,post,400,400\n",
        posts="post_id,influencer_id,date,reach\nP1,1,2025-04-01,1000\n",
    )
    said = " ".join(report.fragility.reasons)
    assert (
        "100% of all spend in the data (every brand and date) falls in quarters" in said
    ) == named


def test_cohorts_follow_influencers_and_count_steps_in_which_nobody_came_back(report):
    cohorts = views.cohorts(report)
    assert cohorts.step == "month"
    assert cohorts.sizes["cohort"].tolist() == ["2025-04", "2025-06"]
    assert cohorts.sizes["influencers"].tolist() == [2, 2]
    assert cohorts.sizes["influencer_revenue"].tolist() == [4550 + 3250, 800 + 700]
    shares = dict(zip(cohorts.retention["at"], cohorts.retention["share"], strict=True))
    assert shares == {1: 0.5, 2: 0.0}
    assert cohorts.ages == ["+1", "+2"]


def test_a_chart_of_cohorts_has_room_for_the_names_of_its_ages():
    def cohorts(ages):
        rows = [("2015-Q2", f"+{age}", age, 1.0, 0.5) for age in range(1, ages + 1)]
        columns = ["cohort", "age", "at", "active", "share"]
        return views.Cohorts("quarter", pd.DataFrame(), pd.DataFrame(rows, columns=columns))

    assert cohorts(12).ages == [f"+{age}" for age in range(1, 13)]
    assert cohorts(12).note == ""
    assert cohorts(40).ages == cohorts(12).ages
    assert cohorts(40).drawn["at"].max() == 12
    assert len(cohorts(40).retention) == 40
    assert cohorts(40).note == "The first 12 quarters after the start of a cohort are shown."


@pytest.fixture
def early_posts(tmp_path):
    """Posts from January, orders from 20 July to 2 August, and no platform of anybody."""
    folder = only(
        tmp_path / "exports",
        tracking="date,influencer_id,brand,orders,revenue\n2025-07-20,I1,HKVitals,1,500\n"
        "2025-08-02,I1,Gritzo,1,900\n",
        posts="post_id,influencer_id,brand,date,reach,likes,comments\nP1,I1,HKVitals,2025-01-05,1000,50,5\n"
        "P2,I1,HKVitals,2025-07-21,1000,70,5\n",
        payouts="influencer_id,basis,rate,total_payout\nI1,post,500,500\n",
    )  # fmt: skip
    data = store.open_data(folder, params.load(None))
    return views.open_report(brand="all", period="2025", opened=data, settings=params.load(None))


def test_posts_before_the_first_order_are_neither_cut_nor_called_the_start_of_orders(early_posts):
    said = insights.slice_note(early_posts).markdown.replace("\\", "")
    assert "Orders begin on 20 Jul 2025 and end on 2 Aug 2025." in said
    frame = early_posts.engagement().set_index("month")["engagement_rate_by_reach"]
    assert list(frame.index) == [f"2025-{month:02d}" for month in range(1, 8)]
    assert frame.dropna().to_dict() == {"2025-01": 0.055, "2025-07": 0.075}
    assert early_posts.trend()["month"].tolist() == ["2025-07", "2025-08"]


@pytest.mark.parametrize(
    ("period", "said", "cut"),
    [
        ("2025", "The first month begins on 20 Jul 2025 and the last month ends on 2 Aug 2025.", ["2025-07", "2025-08"]),
        ("2025-06-30..2025-09-07", "The first week begins on 20 Jul 2025 and the last week ends on 2 Aug 2025.", ["2025-07-14", "2025-07-28"]),
        ("2025-07", "", []),
    ],
)  # fmt: skip
def test_a_line_over_time_says_which_of_its_ends_the_data_cuts(early_posts, period, said, cut):
    report = views.open_report(
        brand="all", period=period, opened=early_posts.data, settings=early_posts.settings
    )
    assert report.trend_note == said
    assert report.cut_steps == cut
    assert report.weeks_note == ""


def test_whole_months_need_no_word_and_weeks_cut_by_the_period_keep_theirs(report):
    assert report.step == "week"
    assert report.trend_note.startswith("Weeks that the period cuts are left out of the line.")


def test_steps_that_the_data_cuts_are_named(early_posts, tmp_path):
    frame = views.brands_over_time(early_posts)
    assert views.time_step(early_posts) == "month"
    # The first month of posts is whole, whenever orders begin.
    assert views.time_note(early_posts, frame) == "The last month ends on 2 Aug 2025."
    sold = frame[frame["month"] >= "2025-07"]
    both = "The first month begins on 20 Jul 2025 and the last month ends on 2 Aug 2025."
    assert views.time_note(early_posts, sold) == both
    assert views.time_note(early_posts, frame.iloc[:0]) == ""


@pytest.mark.parametrize(
    ("count", "said"), [(8, ""), (12, "Of 12 brands, the 8 with most revenue in this period.")]
)
def test_brands_that_a_grid_leaves_out_are_told(count, said):
    """Lines and grids of 12 brands showed 8 of them, and nothing said so."""
    names = [*(f"Brand {at}" for at in range(count)), "unassigned"]
    frame = pd.DataFrame({"brand": names, "revenue": 1.0})
    stub = SimpleNamespace(by=lambda _: frame, largest_first=views.Report.largest_first)
    assert views.brands_note(stub) == said


def test_one_platform_without_a_name_is_no_platform(early_posts):
    frame = early_posts.by("brand", "platform")
    assert len(early_posts.named(frame)) == 2
    assert early_posts.named(frame, "platform").empty


def test_orders_of_one_day_do_not_begin_and_end(tmp_path):
    folder = only(
        tmp_path / "exports", tracking="date,brand,orders,revenue\n2025-04-05,HKVitals,1,500\n"
    )
    data = store.open_data(folder, params.load(None))
    report = views.open_report(
        brand="all", period="2025-Q2", opened=data, settings=params.load(None)
    )
    assert "All orders are of 5 Apr 2025." in insights.slice_note(report).markdown.replace("\\", "")


def test_one_day_is_on_its_day(tmp_path):
    report = opened(tmp_path, period="2025-04-05..2025-04-05")
    assert insights.change(report, REVENUE).endswith(" on 5 Apr 2025")
    assert (
        insights.slice_note(report)
        .markdown.replace("\\", "")
        .startswith("This report covers HKVitals, 5 Apr 2025.")
    )


def test_cohorts_and_benchmarks_do_not_look_beyond_the_period(tmp_path):
    report = opened(tmp_path, period="2025-04")
    assert views.cohorts(report).sizes["cohort"].tolist() == ["2025-04"]
    history = views.spread(report, "tier")
    assert set(history["influencer_id"]) == {"1", "2"}


def test_benchmarks_are_quartiles_of_influencers_beside_the_pooled_value(report):
    frame = views.benchmarks(report, "tier", [ROAS])
    rows = {row.tier: row for row in frame.itertuples()}
    assert list(rows) == ["mega", "mid", "nano"]  # micro was never paid
    assert rows["mega"].median == pytest.approx(4.55)
    assert rows["mid"].now == pytest.approx(3250 / 750)
    assert rows["nano"].influencers == 1


def test_who_was_never_paid_is_in_no_benchmark_of_cost(tmp_path):
    people = "id,name,platform\n" + "".join(f"{i},N{i},YouTube\n" for i in range(1, 6))
    orders = "date,orders,revenue,influencer_id\n" + "".join(
        f"2025-04-{i:02},1,{100 * i},{i}\n" for i in range(1, 6)
    )
    paid = "influencer_id,total_payout,basis\n1,100,order\n2,300,order\n"
    report = opened(tmp_path, "all", influencers=people, tracking=orders, payouts=paid, posts="")
    cost = views.benchmarks(report, "platform", [COST_PER_INFLUENCER_ORDER]).iloc[0]
    # Once five, and a median of ₹0.
    assert (cost["influencers"], cost["median"], cost["now"]) == (2, 200, 80)


def test_quartiles_are_those_of_the_influencers_of_a_group(tmp_path):
    people = "id,name,platform\n" + "".join(f"{i},N{i},YouTube\n" for i in range(1, 6))
    orders = "date,orders,revenue,influencer_id\n" + "".join(
        f"2025-04-{i:02},1,{100 * i},{i}\n" for i in range(1, 6)
    )
    paid = "influencer_id,total_payout,basis\n" + "".join(f"{i},100,order\n" for i in range(1, 6))
    report = opened(tmp_path, "all", influencers=people, tracking=orders, payouts=paid, posts="")
    row = views.benchmarks(report, "platform", [ROAS]).iloc[0]
    assert (row["low"], row["median"], row["high"], row["now"]) == (2, 3, 4, 3)


def with_money(report, **facts):
    money = report.settings.money.model_copy(update=facts)
    settings = report.settings.model_copy(update={"money": money})
    return views.open_report(
        brand=report.brand or "all",
        period=report.period.name,
        settings=settings,
        opened=report.data,
    )


def test_bridge_takes_off_discount_returns_and_the_tax_of_each_day(tmp_path):
    report = with_money(
        opened(tmp_path, "Gritzo", "2025-09", tracking=ORDERS),
        revenue_includes_gst=True,
        revenue_includes_discount=True,
    )
    found = views.bridge(report)
    steps = dict(zip(found.steps["step"], found.steps["amount"], strict=True))
    assert steps["Gross revenue of credited orders"] == 1180 + 1150 + 1050
    assert steps["Discounts"] == -100
    assert steps["Returns"] == -1050
    # 18 % on 1,180 until 21 September, 5 % on 1,050 from the 22nd; nothing on what came back.
    assert steps["GST"] == pytest.approx(-(180 + 50))
    assert steps["Net revenue"] == pytest.approx(2000)
    assert steps["Contribution"] == pytest.approx(700)
    assert steps["Cost of goods and fulfilment"] == pytest.approx(-1300)
    assert steps["Left after payouts"] == pytest.approx(700 + steps["Payouts to influencers"])
    assert found.missing == ()


def test_bridge_names_the_steps_it_cannot_take(tmp_path):
    report = opened(tmp_path, "Gritzo", "2025-09", tracking=ORDERS)
    found = views.bridge(report)
    assert "GST" not in set(found.steps["step"])
    assert any("GST" in words for words in found.missing)
    assert "GST" in insights.bridge_note(found).markdown


def test_bridge_without_columns_goes_from_gross_to_payouts(report):
    found = views.bridge(report)
    assert found.steps["step"].tolist() == [
        "Gross revenue of credited orders",
        "Payouts to influencers",
        "Left after payouts",
    ]
    assert found.steps["amount"].tolist() == pytest.approx([9300, -2250, 7050])


def test_brands_stand_side_by_side_and_shares_add_up(tmp_path):
    report = opened(tmp_path, "all")
    frame = views.brands(report)
    assert frame["brand"].tolist() == ["HKVitals", "Gritzo"]
    for share in ("revenue_share", "influencer_revenue_share", "spend_share"):
        assert frame[share].sum() == pytest.approx(1)
    assert frame["spend"].tolist() == pytest.approx([2250, 1000])
    shared = {(row.brand, row.other): row for row in views.shared_influencers(report).itertuples()}
    assert shared["HKVitals", "Gritzo"].influencers == 1
    assert shared["HKVitals", "Gritzo"].share == pytest.approx(1 / 4)
    assert shared["Gritzo", "HKVitals"].share == 1
    assert insights.sharing(report).startswith("100% of the influencers of Gritzo")


def test_who_was_only_paid_for_a_brand_did_not_work_for_it(tmp_path):
    folder = exports.write(
        tmp_path,
        influencers="id,name,platform\n1,A,YouTube\n2,B,YouTube\n",
        posts="",
        tracking="date,orders,revenue,influencer_id,brand\n2025-04-01,1,100,1,HKVitals\n"
        "2025-06-30,1,200,1,Gritzo\n2025-05-01,1,200,2,Gritzo\n",
        payouts="influencer_id,total_payout,basis,brand,date\n2,60,order,HKVitals,2025-05-02\n",
    )
    report = views.open_report(brand="all", period="2025-Q2", data=str(folder))
    shared = {(row.brand, row.other): row for row in views.shared_influencers(report).itertuples()}
    assert shared["HKVitals", "HKVitals"].influencers == 1
    assert shared["Gritzo", "HKVitals"].share == pytest.approx(1 / 2)


def test_a_single_brand_shares_nobody(tmp_path):
    report = opened(tmp_path, "all", tracking="", posts=exports.POSTS.replace("Gritzo", "HKVitals"))
    assert views.shared_influencers(report).empty
    assert "one brand only" in insights.portfolio(report).markdown


def test_effects_recompute_the_headline_one_decision_at_a_time(tmp_path):
    organic = exports.TRACKING.replace("T7,organic,,,u7", "T7,organic,,2,u7")
    exports.write(tmp_path, tracking=organic)
    frame = views.open_quality(data=str(tmp_path)).effects().set_index("case")
    base = frame.loc["As reported"]
    assert (base["influencer_revenue"], base["spend"]) == (11300, 3250)
    credited = frame.loc["Crediting organic orders that name an influencer"]
    assert (credited["rows"], credited["influencer_revenue"]) == (1, 11300 + 1300)
    assert credited["roas"] == pytest.approx(12600 / 3250)
    unpaid = frame.loc["Without credited orders of influencers who were never paid"]
    assert (unpaid["rows"], unpaid["influencer_revenue"]) == (1, 11300 - 700)
    assert unpaid["revenue"] == base["revenue"] - 700


def test_effects_show_rows_set_aside_and_money_spent_on_nobody(tmp_path):
    paid = exports.PAYOUTS + "99,post,800,,800\n"
    broken = exports.TRACKING + "T9,influencer,HKV,1,u9,HKVitals,Biotin,someday,1,600\n"
    exports.write(tmp_path, payouts=paid, tracking=broken)
    quality = views.open_quality(data=str(tmp_path))
    frame = quality.effects().set_index("case")
    base = frame.loc["As reported"]
    aside = frame.loc["With the rows set aside, as far as their amounts can be read"]
    assert (aside["rows"], aside["revenue"]) == (1, base["revenue"] + 600)
    idle = frame.loc["Without payouts to influencers who neither posted nor sold"]
    assert idle["spend"] == base["spend"] - 800
    assert "would be" in insights.effect_words(quality).markdown


def test_gst_rates_come_from_params():
    rates = params.load().money.gst
    assert [float(rate) for _, rate in sorted(rates.items())] == [0.18, 0.05]


def test_one_cohort_alone_says_nothing_of_staying(tmp_path):
    # Everybody starts in the data's first month: nobody's second month can be counted.
    posts = "influencer_id,date,reach\n1,2025-04-03,10\n1,2025-05-03,10\n"
    cohorts = views.cohorts(opened(tmp_path, "all", posts=posts, tracking=""))
    words = insights.cohort_words(cohorts)
    assert words == "Influencers by the month of their first order or post"


def test_who_only_asks_what_a_report_is_about_need_not_hold_its_rows(report):
    brief = views.open_report(brand="HKVitals", period="2025-Q2", opened=report.data, held=False)
    assert (brief.name, brief.subtitle, brief.brand) == (report.name, report.subtitle, "HKVitals")
    assert brief.by("tier").equals(report.by("tier"))


def test_return_with_luck_taken_out_is_the_same_under_a_filter(tmp_path):
    plain = opened(tmp_path)
    cut = views.open_report(
        brand="HKVitals", period="2025-Q2", opened=plain.data, filters={"tier": "mega"}
    )
    assert cut.returns.ranked == plain.returns.ranked


def test_a_small_ledger_is_read_by_one_thread_and_a_large_one_by_two(report, tmp_path, monkeypatch):
    def threads(backend):
        return backend.con.execute("select current_setting('threads')").fetchone()[0]

    assert threads(report.data.ledger.rows.get_backend()) == 1
    monkeypatch.setattr(backends, "SMALL", 10)
    large = tmp_path / "ledger.parquet"
    large.mkdir()
    (large / "orders.parquet").write_bytes(b"0" * 11)
    assert threads(backends.connect(large)) == 2
    assert threads(backends.connect()) == 2


def test_parameters_given_by_hand_may_be_numbers_dates_or_nothing(tmp_path):
    """``papermill -p period 2025`` hands over a number; it ended in a traceback."""
    exports.write(tmp_path)
    by_hand = {"brand": None, "period": 2025, "as_of": datetime.date(2025, 6, 30)}
    report = views.open_report(**by_hand, data=str(tmp_path), filters={"influencer": 1})
    as_text = views.open_report(
        brand="all", period="2025", data=str(tmp_path), filters={"influencer": "1"}
    )
    assert (report.name, report.period.name) == ("All brands", "2025")
    assert report.value(REVENUE) == as_text.value(REVENUE) == 1950 + 2600 + 2000


@pytest.mark.parametrize("words", [" ", ",", ["", "nano"]])
def test_a_filter_that_names_nothing_is_refused(words):
    with pytest.raises(ParamsError, match="names nothing"):
        views.filters_of({"tier": words})


def test_personas_that_are_none_are_not_called_more_than_those_above(tmp_path):
    people = "id,name,platform,persona\n1,A,YouTube,Mum\n2,B,YouTube,Doctor\n"
    orders = "date,orders,revenue,influencer_id\n2025-04-01,1,900,1\n2025-04-02,1,300,2\n"

    def report(name: str, paid: str):
        files = {"influencers": people, "tracking": orders, "payouts": paid}
        return views.open_report(
            brand="all", period="all", data=str(only(tmp_path / name, **files))
        )

    unpaid = report("unpaid", "influencer_id,total_payout\n1,0\n")
    assert unpaid.best_personas(10).empty
    assert "above" not in unpaid.no_poor_personas.replace("above ₹0", "")
    # Equals: who sold more stands first, and nobody stands in both tables.
    tied = report("tied", "influencer_id,total_payout\n1,90\n2,30\n")
    assert tied.best_personas(1)["persona"].tolist() == ["Mum"]
    assert tied.poor_personas(5, best=1)["persona"].tolist() == ["Doctor"]
    assert tied.no_poor_personas == "There are no more paid personas than those above."
