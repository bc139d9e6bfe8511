"""What is set side by side covers as much time, the same filters and the same influencers."""

import math
from pathlib import Path

import pytest

from hkreport import insights, views
from hkreport import metrics as m
from hkreport.errors import ParamsError
from hkreport.pipeline import exports


def opened(folder: Path, *, period: str, filters=None, brand="all", **files: str) -> views.Report:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return views.open_report(brand=brand, period=period, data=str(folder), filters=filters)


PEOPLE = "influencer_id,name,platform\nI1,Asha,Instagram\nI2,Ravi,YouTube\n"


def sold(last: str) -> str:
    rows = [("2025-01-01", 1000, "I1"), ("2025-03-31", 1000, "I1"), ("2025-04-02", 520, "I1")]
    lines = [f"{day},1,{revenue},{who}" for day, revenue, who in [*rows, (last, 0, "I1")]]
    return "\n".join(["date,orders,revenue,influencer_id", *lines, ""])


@pytest.mark.parametrize(
    ("last", "period", "ended"),
    [
        ("2025-04-24", "2025-Q2", "24 Apr 2025"),
        ("2025-06-22", "2025-Q2", "22 Jun 2025"),
        ("2025-06-23", "2025-Q2", ""),
        ("2025-04-26", "2025-04", "26 Apr 2025"),
        ("2025-04-27", "2025-04", ""),
        ("2025-04-12", "2025-W15", "12 Apr 2025"),
    ],
)
def test_an_unfinished_period_is_not_held_against_a_whole_one(tmp_path, last, period, ended):
    report = opened(tmp_path / "data", period=period, influencers=PEOPLE, tracking=sold(last))
    before = exports.kpis(report)["metrics"]["revenue"]["previous"]
    assert (report.previous is None, before is None) == (bool(ended), bool(ended))
    assert (f"data to {ended} only" in report.subtitle) == bool(ended)
    if ended:
        assert insights.change(report, m.REVENUE).startswith("Revenue was ")


def test_under_a_minimum_roas_forecast_and_the_period_before_are_cut_as_the_period_is(tmp_path):
    days = [(month, day) for month in range(1, 7) for day in (1, 15, 28)]
    rows = [f"2025-{month:02}-{day:02},1,{1000 if month > 3 else 1500},I1" for month, day in days]
    # Ravi reaches the minimum in neither quarter, Mira in the first alone.
    rows += [f"2025-{month:02}-{day:02},1,100,I2" for month, day in days]
    rows += [f"2025-{month:02}-{day:02},1,{2000 if month < 4 else 10},I3" for month, day in days]
    report = opened(
        tmp_path / "data",
        period="2025-Q2",
        filters={"min_roas": 1.5},
        influencers=PEOPLE + "I3,Mira,YouTube\n",
        tracking="\n".join(["date,orders,revenue,influencer_id", *rows, "2025-06-30,1,70,", ""]),
        payouts="influencer_id,total_payout,basis,date\n"
        + "".join(f"{who},4000,order,2025-{month}-02\n" for who in ("I1", "I2", "I3") for month in ("02", "05")),
    )  # fmt: skip
    assert report.current.values("influencer_id") == ["I1"]
    assert report.previous.values("influencer_id") == ["I1", "I3"]
    asked = report.data, report.settings, [m.REVENUE, m.ROAS], []
    before, _ = views.slice_metrics(*asked, "2025-Q1", report.filters)
    assert before["revenue"][0] == report.totals_before["revenue"] == 9 * 1500 + 9 * 2000
    assert report.history.values("influencer_id") == ["I1"]
    assert "2 influencers" in report.hides
    assert report.hides.endswith(" of spend, and ₹70.00 of revenue that no influencer brought.")


ORDERS = """date,orders,revenue,influencer_id,brand,campaign
2025-01-05,1,100,I1,Alpha,Winter
2025-02-05,1,200,I2,Alpha,Summer
2025-04-05,1,300,I1,Alpha,Winter
2025-06-30,1,400,I2,Beta,Summer
"""


def told(report: views.Report, period: str, **values: str) -> dict[str, float]:
    """What the command line prints of the same slice."""
    filters = views.filters_of(values)
    frame, _ = views.slice_metrics(
        report.data, report.settings, [m.REVENUE, m.POSTS], [], period, filters
    )
    return {name: float(frame[name][0]) for name in ("revenue", "posts")}


def test_posts_are_known_or_not_alike_in_report_and_command_line(tmp_path):
    # A post of Alpha names its campaign, in January; none of Beta does.
    posts = """date,influencer_id,brand,campaign,reach
2025-01-05,I1,Alpha,Winter,100
2025-04-05,I1,Alpha,,1000
2025-05-05,I2,Beta,,1000
"""
    files = {"influencers": PEOPLE, "tracking": ORDERS, "posts": posts}
    for brand, campaign, wanted in (("Alpha", "Winter", 0.0), ("Beta", "Summer", None)):
        report = opened(tmp_path / "data", brand=brand, period="2025-Q2", filters={"campaign": campaign}, **files)  # fmt: skip
        found = [
            report.value(m.POSTS),
            told(report, "2025-Q2", brand=brand, campaign=campaign)["posts"],
        ]
        assert found == pytest.approx([math.nan if wanted is None else wanted] * 2, nan_ok=True)


def test_a_value_that_a_period_lacks_sold_nothing_in_it(tmp_path):
    orders = ORDERS.replace("2025-04-05,1,300,I1,Alpha,Winter", "2025-04-05,1,300,I1,Alpha,Diwali")
    report = opened(tmp_path / "data", period="2025-Q2", influencers=PEOPLE, tracking=orders)
    assert told(report, "2025-Q2", campaign="Winter")["revenue"] == 0.0
    assert told(report, "2025-Q2", campaign="winter,Summer")["revenue"] == 400.0
    assert told(report, "2025-Q2", campaign="Winter,Summer", min_price="1")["revenue"] == 0.0
    with pytest.raises(ParamsError, match="No campaign 'Wintr' in the data"):
        told(report, "2025-Q2", campaign="Wintr")


@pytest.mark.parametrize("filters", [{}, {"platform": "YouTube"}, {"min_roas": 2.0}])
def test_a_product_is_no_newer_for_a_slice_that_did_not_sell_it_before(tmp_path, filters):
    """Whey, sold since January through Instagram, was new in April where only YouTube was asked for."""
    report = opened(
        tmp_path / "data",
        period="2025-Q2",
        filters=filters,
        influencers=PEOPLE,
        tracking="date,orders,revenue,influencer_id,product\n2025-01-01,1,1000,I1,Whey\n"
        "2025-04-02,1,520,I2,Whey\n2025-05-02,1,480,I2,Oats\n2025-06-30,1,100,I1,Oats\n",
        payouts="influencer_id,basis,total_payout\nI1,order,5000\nI2,order,100\n",
    )
    found = dict(zip(report.products["product"], report.products["newness"], strict=True))
    assert found == {"Whey": "established", "Oats": "new in the period"}


def test_a_product_that_was_never_sold_is_not_called_established(tmp_path):
    report = opened(
        tmp_path / "data",
        period="2025-Q2",
        influencers=PEOPLE,
        posts="influencer_id,date,product\nI1,2025-05-02,Soon\nI2,2025-05-03,Whey\n",
        tracking="date,orders,revenue,influencer_id,product\n2025-01-01,1,1000,I1,Whey\n"
        "2025-04-02,1,520,I2,Whey\n2025-05-02,1,480,I2,\n",
        payouts="influencer_id,basis,total_payout\nI1,post,5000\nI2,order,100\n",
    )
    found = report.products_and_rest
    told = dict(zip(found["product"], found["newness"], strict=True))
    assert told == {"Whey": "established", "Soon": "not sold so far", "unassigned": "unknown"}
    counts = report.newness().set_index("newness")["products"]
    assert counts.to_dict() == {"established": 1.0, "not sold so far": 1.0}


@pytest.mark.parametrize(("first", "compared"), [("2025-01-06", True), ("2025-01-20", False)])
def test_a_period_before_whose_first_days_are_empty_is_compared_with(tmp_path, first, compared):
    """As with the end of the data: up to a week may be missing."""
    report = opened(
        tmp_path / "data",
        period="2025-Q2",
        influencers=PEOPLE,
        tracking=f"date,orders,revenue,influencer_id\n{first},1,1000,I1\n2025-04-02,1,500,I2\n"
        "2025-06-29,1,500,I1\n",
        payouts="influencer_id,basis,total_payout\nI1,order,500\n",
    )
    assert (report.totals_before["revenue"] == 1000.0) == compared


POSTED = "influencer_id,date\nI1,2025-05-05\nI2,2025-02-05\n"
FEES = "influencer_id,basis,total_payout\nI1,post,1000\nI2,post,1000\n"


def lying_apart(folder: Path, period: str, mine: int, payouts: str = FEES) -> views.Report:
    """Asha posts and sells in the second quarter; Ravi posts in the first and sells in the second."""
    rows = [("2025-01-02", 500, "I2"), ("2025-05-06", mine, "I1"), ("2025-06-29", 4000, "I2")]
    lines = [f"{day},1,{revenue},{who}" for day, revenue, who in rows]
    sales = "\n".join(["date,orders,revenue,influencer_id", *lines, ""])
    files = {"influencers": PEOPLE, "posts": POSTED, "tracking": sales, "payouts": payouts}
    return opened(folder, period=period, **files)


def test_a_headline_says_when_those_who_sold_were_paid_for_other_dates(tmp_path):
    apart = lying_apart(tmp_path / "apart", "2025-Q2", 1000)
    assert apart.totals["roas"] == 5  # of 5,000 credited, 4,000 by who is paid for February
    said = "80.0% of the revenue credited here belongs to influencers whose payouts all fall on other dates"
    assert said in insights.headline(apart).markdown.replace("\\", "")
    assert apart.fragility.unpaid == pytest.approx(0.8)
    assert exports.kpis(apart)["allocation"]["reasons"]
    # What is next to nothing is left alone, and so is a period that holds both.
    for name, period, mine in (("few", "2025-Q2", 90000), ("both", "2025", 1000)):
        report = lying_apart(tmp_path / name, period, mine)
        assert "payouts all fall" not in insights.headline(report).markdown


def test_who_is_never_paid_is_no_payout_that_falls_elsewhere(tmp_path):
    free = lying_apart(
        tmp_path / "free", "2025-Q2", 1000, "influencer_id,basis,total_payout\nI1,post,1000\n"
    )
    assert free.fragility.unpaid == 0
    assert "payouts all fall" not in insights.headline(free).markdown
