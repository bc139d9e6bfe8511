"""What the exports do not hold is said to be unknown: no 0, no reason that is another's, no sentence about it."""

import dataclasses
import json
import math
import types

import exports
import pandas as pd
import pytest
from ingest_fixtures import only

from hkreport import charts, insights, ledger, params, periods, store, tables, views
from hkreport import metrics as m
from hkreport.evidence import comparisons, definitions, ranking, returns
from hkreport.insights import causes
from hkreport.methods.estimate import Refusal
from hkreport.pipeline import exports as exports_of
from hkreport.pipeline import home
from hkreport.views import luck


def plain(prose):
    """What is read of Markdown whose signs are escaped."""
    return prose.markdown.replace("\\", "")


@pytest.fixture
def unsold(tmp_path):
    """A report of exports without orders, as of an agency that only pays."""
    folder = only(
        tmp_path / "exports",
        influencers="influencer_id,name,platform,tier\nI1,Asha,Instagram,micro\nI2,Dev,YouTube,nano\n",
        payouts="influencer_id,basis,rate,total_payout,brand,date\nI1,post,500,500,HKVitals,2025-04-02\n"
        "I2,post,700,700,Gritzo,2025-05-03\n",
        posts="post_id,influencer_id,platform,date,reach,likes,comments\nP1,I1,Instagram,2025-04-02,1000,50,5\n"
        "P2,I2,YouTube,2025-05-03,900,40,4\n",
    )  # fmt: skip
    data = store.open_data(folder, params.load(None))
    return views.open_report(brand="all", period="2025-Q2", opened=data, settings=params.load(None))


def test_the_headline_says_that_there_are_no_orders(unsold):
    said = plain(insights.headline(unsold))
    assert said.startswith("The exports hold no orders, so revenue and ROAS cannot be shown.")
    assert "₹1,200 was paid" in said
    assert "n/a" not in said


def test_the_portfolio_says_that_there_are_no_orders_and_no_share_of_them(unsold):
    said = plain(insights.portfolio(unsold))
    assert said.startswith("The exports hold no orders, so revenue and ROAS cannot be shown.")
    assert "n/a" not in said


def test_a_missing_ratio_blames_what_is_missing(unsold):
    frame = unsold.by("platform")
    table = tables.Table(
        frame, [tables.Col.key("platform"), tables.Col.of(m.SPEND), tables.Col.of(m.ROAS)]
    )
    assert "n/a (influencer revenue not known)" in table.html
    assert "no spend" not in table.html
    tiles = {each["metric"].name: each for each in unsold.headline()}
    assert tiles["roas"]["reason"] == "influencer revenue not known"


def test_what_is_not_known_is_no_zero_on_the_way_from_gross_to_net(unsold):
    money = views.bridge(unsold)
    assert money.steps.empty
    assert "orders (none in the exports)" in plain(insights.bridge_note(money))
    column = tables.Col(name="amount", label="Amount", unit=tables.Unit.MONEY)
    drawn = charts.bridge(money.steps, "step", column, "total", title=insights.bridge_words(money))
    assert isinstance(drawn, tables.Sentence)


def test_nobody_is_said_to_be_unpaid_who_was_paid(unsold):
    said = returns.group_returns(unsold, "platform")
    assert said.frame.empty
    assert "or it is not known what they brought" in said.empty
    found = definitions.table(unsold, Refusal("no experiment"), None)
    assert not found.astype(str).apply(lambda column: column.str.contains("no spend")).any().any()


@pytest.fixture
def unpriced(tmp_path):
    """A report of exports without payouts."""
    folder = only(
        tmp_path / "without_payouts",
        influencers="influencer_id,name,platform,tier\nI1,Asha,Instagram,micro\n",
        tracking="date,influencer_id,brand,orders,revenue\n2025-04-05,I1,HKVitals,2,500\n",
    )
    data = store.open_data(folder, params.load(None))
    return views.open_report(brand="all", period="2025-Q2", opened=data, settings=params.load(None))


@pytest.mark.parametrize(
    ("given", "cause", "refused"),
    [
        ("unsold", "influencer revenue not known", luck.NO_REVENUE),
        ("unpriced", "spend not known", luck.NO_PAYOUTS),
    ],
)
def test_return_that_is_not_known_is_neither_good_nor_poor_nor_unpaid(
    given, cause, refused, request
):
    report = request.getfixturevalue(given)
    assert m.ROAS.why(report.totals.to_dict()) == cause
    assert insights.poor_words(report) == f"ROAS of influencers cannot be told: {cause}"
    assert comparisons.family(report).refusals == (refused,)
    assert str(ranking.ranking(report).refusal) == refused
    assert "Payouts follow orders" not in plain(insights.not_said(report))
    bars = charts.bars(
        report.influencers, "influencer", [m.SPEND, m.REACH, m.ROAS, m.INFLUENCER_REVENUE]
    )
    assert "no spend" not in bars.svg


def test_nothing_found_is_said_of_what_was_looked_at_only(unsold, unpriced, monkeypatch):
    monkeypatch.setattr("hkreport.insights.advice.find", lambda report: ())
    untested = "Nothing in this period stands out, no groups or products could be compared,"
    said = [plain(insights.what_to_do(report)).strip() for report in (unsold, unpriced)]
    assert said == [
        f"{untested} and no payout is in question.",
        f"{untested} and the exports hold no payouts to check.",
    ]
    aimed = dataclasses.replace(
        unsold, settings=unsold.settings.model_copy(update={"targets": {"roas": 2.0}})
    )
    assert "no target that could be checked is missed" in plain(insights.top_three(aimed))


def test_definitions_without_payouts_blame_the_payouts(unpriced):
    found = definitions.table(unpriced, Refusal("no experiment"), None)
    assert found["shown"].str.contains("spend not known").any()
    assert not found["shown"].str.contains("no spend").any()


def test_payouts_that_are_not_there_do_not_agree(unsold, unpriced):
    assert insights.unquestioned(unsold).startswith("Every payout agrees")
    assert insights.unquestioned(unpriced).startswith("The exports hold no payouts")


def test_a_reason_needs_every_part_of_it_to_be_known():
    """Where posts carry no brand, only the order value can be compared: then it cannot be all three."""

    def people(spend, orders, revenue, base):
        return pd.DataFrame(
            {"spend": [spend], "orders": [orders], "revenue": [revenue], "base": [base],
             "base_name": ["reach"], "influencer_id": ["A"]}
        )  # fmt: skip

    mine, others = people(5000.0, 10.0, 9000.0, 0.0), people(1000.0, 10.0, 9000.0, 0.0)
    assert causes._why(None, mine, others)[0] == "the exports do not say why"
    mine, others = people(1000.0, 10.0, 9000.0, 500.0), people(1000.0, 10.0, 9000.0, 500.0)
    assert (
        causes._why(None, mine, others)[0]
        == "cost, orders and order value are near those of others"
    )


def test_a_minimum_that_leaves_nobody_says_so(tmp_path):
    from hkreport.errors import DataError

    folder = exports.write(tmp_path / "exports")
    with pytest.raises(DataError, match=r"nothing is left of .* The minimum ROAS hides"):
        views.open_report(
            brand="all", period="2025-Q2", opened=store.open_data(folder, params.load(None)),
            settings=params.load(None), filters={"min_roas": 1e6},
        )  # fmt: skip


def test_spend_that_no_brand_has_is_told_where_nothing_seems_paid(tmp_path):
    """Payouts name no brand or date, and no order names an influencer: they reach no brand."""
    folder = only(
        tmp_path / "exports",
        tracking="date,brand,orders,revenue\n2025-04-05,HKVitals,1,500\n",
        payouts="influencer_id,total_payout\nI1,900\n",
    )
    report = views.open_report(
        brand="HKVitals", period="2025-Q2", opened=store.open_data(folder, params.load("HKVitals")),
        settings=params.load("HKVitals"),
    )  # fmt: skip
    said = plain(insights.headline(report))
    assert "Nothing was paid in this selection" in said
    assert (
        "100% of all spend in the data (every brand and date) could not be given a brand or a date"
        in said
    )


def test_a_ledger_in_a_folder_with_brackets_is_read(tmp_path):
    rows = ledger.Filters()
    folder = exports.write(tmp_path / "exports")
    root = tmp_path / "Reports [2025] *?"
    root.mkdir()
    data = store.open_data(folder, params.load(None), root=root)
    (found,) = m.compute(data.ledger.where(rows)[0].rows, [m.REVENUE]).to_dict("records")
    assert not math.isnan(found["revenue"])


def test_all_dates_are_those_of_posts_and_payouts_too(tmp_path):
    folder = only(
        tmp_path / "exports",
        tracking="date,brand,orders,revenue\n2025-04-05,HKVitals,1,500\n",
        posts="post_id,influencer_id,platform,date,reach\nP1,I1,Instagram,2024-02-01,100\n",
        payouts="influencer_id,total_payout,date\nI1,900,2025-06-30\n",
    )
    report = views.open_report(
        brand="all", period="all", opened=store.open_data(folder, params.load(None)),
        settings=params.load(None),
    )  # fmt: skip
    assert report.subtitle == "All dates: 1 Feb 2024 to 30 Jun 2025"


def test_a_column_without_a_value_in_any_row_is_not_known(tmp_path):
    header, *lines = exports.POSTS.replace('"Two lines\nof text"', "Two").splitlines()
    at = header.split(",").index("reach")
    bare = [
        ",".join("" if n == at else cell for n, cell in enumerate(line.split(",")))
        for line in lines
    ]
    folder = exports.write(tmp_path / "exports", posts="\n".join([header, *bare, ""]))
    report = views.open_report(brand="HKVitals", period="2025-Q2", data=str(folder))
    assert math.isnan(report.value(m.REACH))
    assert math.isnan(report.value(m.ENGAGEMENT_RATE_BY_REACH))
    assert report.value(m.LIKES) == 9000 + 2500 + 300
    # One value is enough to count.
    one = [bare[0].replace(",,", ",5,", 1), *bare[1:]]
    folder = exports.write(tmp_path / "one", posts="\n".join([header, *one, ""]))
    report = views.open_report(brand="HKVitals", period="2025-Q2", data=str(folder))
    assert report.value(m.REACH) == 5


def test_likes_of_posts_without_reach_are_not_divided_by_the_reach_of_others(tmp_path):
    posts = (
        "influencer_id,date,reach,likes,comments\n1,2025-04-05,1000,90,10\n1,2025-04-06,,90,10\n"
    )
    folder = exports.write(tmp_path / "exports", posts=posts)
    report = views.open_report(period="2025-Q2", data=str(folder))
    assert report.value(m.ENGAGEMENTS) == 200
    assert report.value(m.ENGAGEMENT_RATE_BY_REACH) == pytest.approx(0.1)  # once 0.2
    assert report.value(m.COST_PER_ENGAGEMENT) == report.value(m.SPEND) / 200


@pytest.mark.parametrize("unreadable", [True, False], ids=["no row can be read", "a header only"])
def test_a_file_of_which_no_row_could_be_used_is_not_known(tmp_path, unreadable):
    def bare(text, *lost):
        header, *lines = text.strip().splitlines()
        places = [header.split(",").index(name) for name in lost]
        told = [
            ",".join("pending" if n in places else cell for n, cell in enumerate(line.split(",")))
            for line in lines
        ]
        return "\n".join([header, *(told if unreadable else []), ""])

    folder = exports.write(tmp_path / "unpaid", payouts=bare(exports.PAYOUTS, "total_payout"))
    report = views.open_report(brand="HKVitals", period="2025-Q2", data=str(folder))
    assert math.isnan(report.value(m.SPEND))  # once 0, and each order cost ₹0
    assert math.isnan(report.value(m.COST_PER_INFLUENCER_ORDER))
    assert report.exceptions.empty
    none = "The exports hold no payouts" + (" that could be read" if unreadable else "")
    assert f"{none}, so spend and ROAS cannot be shown." in plain(insights.headline(report))
    assert "No row of the table **payouts** could be used" in insights.missing(report).markdown
    folder = exports.write(tmp_path / "unsold", tracking=bare(exports.TRACKING, "revenue"))
    report = views.open_report(brand="all", period="2025-Q2", data=str(folder))
    assert math.isnan(report.value(m.REVENUE))
    assert math.isnan(report.value(m.ROAS))  # once 0.0×, below break-even


@pytest.fixture
def undated(tmp_path):
    """A report of nothing but payouts, none of which has a date."""
    folder = only(
        tmp_path / "exports",
        payouts="influencer_id,basis,rate,total_payout\nI1,post,500,500\nI2,order,70,700\n",
    )
    data = store.open_data(folder, params.load(None))
    return views.open_report(brand="all", period="all", opened=data, settings=params.load(None))


def test_data_without_dates_is_given_none(undated):
    assert undated.subtitle == "All dates: undated data"
    assert undated.period.when == "in undated data"
    assert "1970" not in plain(insights.headline(undated))


def test_files_of_data_without_dates_have_none(undated):
    for body in (exports_of.kpis(undated), insights.document(undated)):
        assert body["period"] == {"name": "all", "start": None, "end": None}
        assert "1970" not in json.dumps(body)
        assert periods.of_told(body["period"]) == undated.period


def test_order_value_of_an_influencer_without_known_orders_does_not_say_that_there_were_none(
    undated,
):
    table = tables.Table(
        undated.influencers, [tables.Col.key("influencer"), tables.Col.of(m.AVERAGE_ORDER_VALUE)]
    )
    assert "n/a (orders not known)" in table.html
    assert "no orders" not in table.html


def test_the_front_page_counts_no_day_of_a_report_without_dates():
    dated = types.SimpleNamespace(period=periods.parse("2025-Q2"))
    bare = types.SimpleNamespace(period=periods.undated())
    assert home._span([dated, bare]) == "1 Apr 2025 to 30 Jun 2025"
    assert home._span([bare, bare]) == "undated data"
