"""What a report claims: from exports with known arms to the sentence, and every input that must be refused."""

import datetime
import json
import math

import campaigns
import numpy as np
import pandas as pd
import pytest

from hkreport import params, simulate, views
from hkreport.evidence import definitions, incrementality, planning
from hkreport.methods.estimate import Estimate
from hkreport.store import Data

START, END = datetime.date(2025, 11, 3), datetime.date(2025, 11, 30)


def plan(**changes):
    """An experiment that is sound unless `changes` break it."""
    return {
        "name": "Boost",
        "randomised": True,
        "share": 0.5,
        "start": START,
        "end": END,
        "campaigns": ("HK_Boost",),
        **changes,
    }


def settings(*plans, **changes):
    """Settings that declare these experiments."""
    base = params.load(None)
    declared = tuple(params.Experiment(**each) for each in plans)
    found = base.experiments.model_copy(update={"declared": declared, **changes})
    return base.model_copy(update={"experiments": found})


def units(treated=400, control=400, **more):
    """Assigned users: T0, T1, … and C0, C1, …"""
    names = [f"T{n}" for n in range(treated)] + [f"C{n}" for n in range(control)]
    arm = ["treatment"] * treated + ["control"] * control
    return pd.DataFrame({"unit_id": names, "arm": arm, "unit_type": "user", "date": START, **more})


def orders(treated=80, control=40, revenue=1000.0):
    """One order each for the first users of both arms, within the window; revenue may be a function."""
    names = [f"T{n}" for n in range(treated)] + [f"C{n}" for n in range(control)]
    worth = [revenue(n) if callable(revenue) else revenue for n in range(len(names))]
    return pd.DataFrame(
        {
            "tracking_id": [f"o{n}" for n in range(len(names))],
            "date": [START + datetime.timedelta(days=n % 28) for n in range(len(names))],
            "source": "organic",
            "influencer_id": None,
            "campaign": None,
            "user_id": names,
            "brand": "HKVitals",
            "orders": 1,
            "revenue": worth,
            "profit": [0.5 * each for each in worth],
        }
    )


def later():
    """An order of somebody else after the window, so that it is closed."""
    return orders(1, 0).assign(tracking_id="last", user_id="X1", date=datetime.date(2025, 12, 20))


def payouts(amount=20_000.0):
    """What the boosted posts cost, in the window."""
    return pd.DataFrame(
        {
            "influencer_id": ["i1"],
            "basis": ["post"],
            "total_payout": [amount],
            "brand": ["HKVitals"],
            "campaign": ["HK_Boost"],
            "date": [START],
        }
    )


@pytest.fixture
def opened(tmp_path):
    """Data as the reports see it, out of frames, without the way through files."""

    def made(**tables):
        rows = {name: records(frame) for name, frame in tables.items() if frame is not None}
        if "assignments" in rows:
            held = campaigns.tables(assignments=rows["assignments"])["assignments"]
            held.to_parquet(tmp_path / "assignments.parquet")
        return Data(
            folder=tmp_path,
            ledger=campaigns.build(**rows),
            check={},
            reconciliation=pd.DataFrame(),
            simulated=None,
            key="",
            kept=tmp_path,
        )

    return made


def records(frame):
    """Rows as tests/campaigns.py takes them."""
    made = []
    for row in frame.to_dict("records"):
        kept = {name: value for name, value in row.items() if not pd.isna(value)}
        if "date" in kept:
            kept["date"] = str(kept["date"])[:10]
        if "source" in kept:
            kept["channel"] = kept["source"]
        made.append(kept)
    return made


@pytest.fixture
def study(opened):
    """Study frames as a report of HKVitals."""

    def made(*plans, brand="HKVitals", period="2025-Q4", filters=None, **tables):
        tables.setdefault("payouts", payouts())
        people = pd.DataFrame(
            {"influencer_id": ["i1"], "name": ["Asha"], "platform": ["Instagram"]}
        )
        posts = pd.DataFrame(
            {"influencer_id": ["i1"], "date": [START], "brand": ["HKVitals"], "reach": [9000]}
        )
        tables = {"influencers": people, "posts": posts, **tables}
        report = views.open_report(
            brand=brand,
            period=period,
            filters=filters,
            settings=settings(*plans),
            opened=opened(**tables),
        )
        return incrementality.study(report)

    return made


def tracking(*parts):
    return pd.concat([*parts, later()], ignore_index=True)


def plain(result):
    """The claim without escapes."""
    return result.claim.markdown.replace("\\", "")


def row(frame, column, words):
    return frame[frame[column].str.startswith(words)].iloc[0]


# What is estimated


def test_return_is_the_difference_over_the_spend_withheld(study):
    found = study(plan(), assignments=units(), tracking=tracking(orders()))
    # 400 × (80 − 40) × 1000 / 400 = 40,000; over 20,000 of fees.
    assert found.iroas.value == pytest.approx(2.0)
    assert row(found.estimates, "quantity", "Incremental net").value == pytest.approx(40_000)
    assert row(found.estimates, "quantity", "Incremental orders").value == pytest.approx(40)
    assert row(found.estimates, "quantity", "Relative lift").value == pytest.approx(1.0)
    contribution = row(found.estimates, "quantity", "Incremental contribution")
    assert contribution.value == pytest.approx(0.5 * 40_000 - 20_000)
    assert (
        "a randomised test on 800 users (3 to 30 Nov 2025) puts incremental ROAS at 2.0×"
        in plain(found)
    )
    assert set(found.health["verdict"]) <= {"good", "ok"}


def test_money_that_came_back_and_discounts_do_not_count(study):
    sold = orders().assign(returns=[1000.0] * 20 + [0.0] * 100, discount=0.0)
    found = study(plan(), assignments=units(), tracking=tracking(sold))
    assert row(found.estimates, "quantity", "Incremental net").value == pytest.approx(20_000)


def test_orders_outside_the_window_or_of_nobody_assigned_do_not_count(study):
    early = orders(10, 0).assign(date=START - datetime.timedelta(days=1))
    late = orders(10, 0).assign(date=END + datetime.timedelta(days=1))
    strangers = orders(10, 0).assign(user_id=[f"Z{n}" for n in range(10)])
    more = [each.assign(tracking_id=each["tracking_id"] + str(n)) for n, each in
            enumerate((early, late, strangers))]  # fmt: skip
    found = study(plan(), assignments=units(), tracking=tracking(orders(), *more))
    assert found.iroas.value == pytest.approx(2.0)


def test_each_unit_has_its_own_window_where_units_enter_one_by_one(study):
    # T0 … enter on the first day with 7 days each: only orders on days 0 to 6 of 28 count.
    found = study(plan(outcome_days=7), assignments=units(), tracking=tracking(orders(112, 56)))
    # The n-th order falls on day n mod 28: 28 orders of treatment, 14 of control… too few to estimate.
    assert found.iroas is None
    assert row(found.health, "check", "Buyers").result.startswith("28 in treatment, 14 in control")


def test_payouts_by_order_are_counted_unit_by_unit(study):
    sold = orders(200, 100).assign(source="influencer", influencer_id="i1", campaign="HK_Boost")
    sold.loc[sold["user_id"].str.startswith("C"), ["source", "influencer_id", "campaign"]] = [
        "organic",
        None,
        None,
    ]
    found = study(
        plan(payout_per_order=100.0, spend=0.0), assignments=units(), tracking=tracking(sold)
    )
    assert found.iroas.value == pytest.approx(100_000 / (200 * 100))
    assert found.iroas.method == "ratio, Fieller's interval"


def test_planned_share_serves_where_only_buyers_are_recorded(study):
    bought = units(80, 40)
    found = study(plan(recorded="buyers"), assignments=bought, tracking=tracking(orders()))
    # k = 1: 80,000 − 40,000, and its variance 120 × 1000².
    revenue = row(found.estimates, "quantity", "Incremental net")
    assert revenue.value == pytest.approx(40_000)
    assert revenue.high - revenue.value == pytest.approx(1.959964 * math.sqrt(120) * 1000)
    assert found.iroas.value == pytest.approx(2.0)


def test_payouts_by_order_count_where_only_buyers_are_recorded(study):
    """A payout that follows orders is spend: left out, the return was that on the fees alone."""
    sold = orders(160, 100, revenue=lambda n: 900.0 + 30 * (n % 7))
    treated = sold["user_id"].str.startswith("T")
    sold.loc[treated, ["source", "influencer_id", "campaign"]] = ["influencer", "i1", "HK_Boost"]
    gain = sold["revenue"][treated].sum() - sold["revenue"][~treated].sum()
    given = {"assignments": units(160, 100), "tracking": tracking(sold)}
    found = study(plan(recorded="buyers", payout_per_order=20.0, spend=500.0), **given)
    assert found.iroas.value == pytest.approx(gain / (500 + 160 * 20))
    contribution = row(found.estimates, "quantity", "Incremental contribution")
    assert contribution.value == pytest.approx(gain / 2 - 500 - 160 * 20)
    # Without fees that are known, payouts are all there is.
    alone = study(plan(recorded="buyers", payout_per_order=20.0), payouts=None, **given)
    assert alone.iroas.value == pytest.approx(gain / (160 * 20))


@pytest.mark.parametrize("last", [pytest.param(20, id="open"), pytest.param(31, id="closed")])
def test_buyers_only_are_read_when_the_window_has_closed(study, last):
    """Means of buyers hide how many bought: such a test cannot be looked at while it runs."""
    sold = orders(160, 100, revenue=lambda n: 900.0 + 30 * (n % 7)).assign(date=START)
    end = later().assign(date=datetime.date(2025, 12, last))
    declared = plan(recorded="buyers", stop="always_valid", outcome_days=28)
    found = study(
        declared, assignments=units(160, 100), tracking=pd.concat([sold, end], ignore_index=True)
    )
    sentence = "The outcome window is open (3 Nov to 27 Dec 2025): nothing is read yet."
    assert (sentence in plain(found)) == (last == 20)
    assert (found.iroas is None) == (last == 20)


@pytest.mark.parametrize(
    "known", [pytest.param(False, id="new"), pytest.param(True, id="customers")]
)
def test_a_file_that_lists_buyers_of_later_weeks_lists_buyers_only(study, known):
    """Made from orders, it lists nobody who did not buy: as a list of all, ₹40,000 caused were ₹24,000."""
    within, after = orders(), orders(140, 100).drop(index=[*range(80), *range(140, 180)])
    after = after.assign(tracking_id="n" + after["tracking_id"], date=datetime.date(2025, 12, 9))
    sold = [within, after]
    if known:
        earlier = orders(140, 100).assign(date=datetime.date(2025, 9, 1))
        sold.append(earlier.assign(tracking_id="e" + earlier["tracking_id"]))
    found = study(plan(), assignments=units(140, 100), tracking=tracking(*sold))
    # Who had bought before is listed whether or not they did again.
    assert found.readings[0].arms.only_buyers is not known
    revenue = row(found.estimates, "quantity", "Incremental net")
    assert revenue.value == pytest.approx(24_000 if known else 40_000)


@pytest.mark.parametrize("missing", [0, 1, 3])
def test_days_of_a_test_without_any_order_are_told(study, missing):
    many = pd.concat(
        [
            orders(160, 120).assign(tracking_id=lambda f, n=n: f"{n}" + f["tracking_id"])
            for n in "ab"
        ]
    )
    lost = [START + datetime.timedelta(days=n) for n in range(9, 9 + missing)]
    many = many[~many["date"].isin(lost)]
    found = study(plan(), assignments=units(), tracking=tracking(many))
    told = found.health[found.health["check"] == "Days without orders"]["result"].tolist()
    assert len(told) == (missing > 0)
    if missing == 3:
        assert told[0].startswith(
            "Nobody ordered on 12 Nov 2025, 13 Nov 2025, 14 Nov 2025; if they"
        )


def test_few_buyers_do_not_say_how_many_users_would_do(study):
    found = study(
        plan(recorded="buyers"), assignments=units(60, 20), tracking=tracking(orders(60, 20))
    )
    assert found.readings[0].refusal == "Too few buyers (20 in control) to estimate lift."
    assert row(found.health, "check", "Buyers").verdict == "poor"


def test_whole_campaigns_are_not_read_while_they_run(study):
    arms, sold = whole("campaign", "campaign")
    declared = plan(unit="campaign", campaigns=(), stop="always_valid", outcome_days=60)
    found = study(declared, assignments=arms, tracking=tracking(sold), payouts=None)
    assert found.readings[0].refusal == (
        "The outcome window is open (3 Nov 2025 to 28 Jan 2026): nothing is read yet."
    )


def test_strata_are_those_of_the_file_of_units(study):
    told = units(stratum=["metro", "other"] * 400)
    found = study(plan(), assignments=told, tracking=tracking(orders(160, 120)))
    assert list(found.strata["stratum"]) == ["All", "metro", "other"]
    assert list(found.strata["n"]) == [120, 60, 60]
    assert found.strata_note.startswith("The strata do not differ beyond chance")


def test_whole_campaigns_are_compared_as_campaigns(study):
    names = [f"K{n:02d}" for n in range(30)]
    arms = pd.DataFrame(
        {
            "unit_id": names,
            "arm": ["treatment"] * 20 + ["control"] * 10,
            "unit_type": "campaign",
            "date": START,
        }
    )
    sold = pd.concat(
        [
            orders(12, 0, revenue=100.0 + 10 * n).assign(
                campaign=name, source="influencer", influencer_id="i1", tracking_id=f"{name}-",
            )
            for n, name in enumerate(names)
        ],
        ignore_index=True,
    )  # fmt: skip
    sold["tracking_id"] += sold.index.astype(str)
    paid = pd.concat([payouts(5000.0).assign(campaign=name) for name in names], ignore_index=True)
    found = study(
        plan(unit="campaign", share=2 / 3, campaigns=()),
        assignments=arms,
        tracking=tracking(sold),
        payouts=paid,
    )
    revenue = row(found.estimates, "quantity", "Incremental net")
    # Means of 12 × (100 + 10 n) for n in 0 … 19 and 20 … 29, over 20 campaigns.
    assert revenue.value == pytest.approx(20 * 12 * 10 * (9.5 - 24.5))
    assert revenue.n == 30
    assert "t with 9 degrees of freedom" in revenue.method
    assert found.iroas is None
    assert "Both arms cost about the same, so return on spend cannot be computed" in plain(found)


def whole(unit, column, treated=12, control=12):
    """Units of a kind, and an order each on every third day; those of treatment sell half as much again."""
    names = [f"U{n:02d}" for n in range(treated + control)]
    arm = ["treatment"] * treated + ["control"] * control
    arms = pd.DataFrame({"unit_id": names, "arm": arm, "unit_type": unit, "date": START})
    sold = [
        orders(10, 0, revenue=(1000.0 + 10 * n) * (1.5 if n < treated else 1)).assign(
            **{column: name}, tracking_id=f"{name}-"
        )
        for n, name in enumerate(names)
    ]
    rows = pd.concat(sold, ignore_index=True)
    rows["tracking_id"] += rows.index.astype(str)
    return arms, rows


def test_cities_that_all_sold_are_not_buyers_only(study):
    """The planned split of cities can be tested, though every city has orders."""
    arms, sold = whole("city", "city")
    given = {"assignments": arms, "tracking": tracking(sold), "payouts": None}
    found = study(plan(unit="city", campaigns=()), **given)
    assert not found.readings[0].arms.only_buyers
    split = row(found.health, "check", "Sample ratio")
    assert split.result.startswith("50.0% of 24 units in treatment, 50% planned")
    refused(
        study,
        "The split is not the planned one (50.0% of 24 units in treatment, 90% planned",
        plan(unit="city", campaigns=(), share=0.9),
        **given,
    )


@pytest.mark.parametrize(
    "posted",
    [
        pytest.param(24, id="both_arms"),
        pytest.param(13, id="one_of_control"),
        pytest.param(12, id="treatment"),
        pytest.param(0, id="nobody"),
    ],
)
def test_influencers_of_control_who_posted_are_no_hold_out(study, posted):
    """Nobody paid them, but they posted: this compares two campaigns."""
    arms, sold = whole("influencer", "influencer_id")
    names = arms["unit_id"]
    people = pd.DataFrame({"influencer_id": names, "name": names, "platform": "Instagram"})
    posts = pd.DataFrame(
        {"influencer_id": names[:posted], "date": START, "brand": "HKVitals", "reach": 9000}
    )
    paid = pd.concat([payouts(2000.0).assign(influencer_id=name) for name in names[:12]])
    found = study(
        plan(unit="influencer", campaigns=()),
        assignments=arms,
        tracking=tracking(sold.assign(source="influencer")),
        influencers=people,
        posts=posts if posted else None,
        payouts=paid,
    )
    said = found.estimates.set_index("quantity")["shown"]
    if posted > 12:
        assert said["Incremental ROAS"].startswith(
            "Treatment and control are both influencer posts: this compares two campaigns, not with "
        )
        assert said["Incremental contribution, after the spend withheld"] == (
            "Both arms had posts of their own, so no profit is set against it."
        )
    else:
        # 12 × (10 × (1.5 × 1055 − 1175)) over 12 × 2000.
        assert found.iroas.value == pytest.approx(10 * (1.5 * 1055 - 1175) / 2000)


def test_cities_without_spend_are_not_said_to_have_any(study):
    arms, sold = whole("city", "city")
    given = {"assignments": arms, "tracking": tracking(sold), "payouts": None}
    found = study(plan(unit="city", campaigns=()), **given)
    shown = found.estimates.set_index("quantity")["shown"]
    assert shown["Incremental ROAS"].startswith(
        "The spend withheld from control is not known, so return on spend cannot be computed"
    )
    assert shown["Incremental contribution, after the spend withheld"] == (
        "The spend withheld from control is not known, so profit cannot be computed."
    )
    assert shown["Relative lift in net revenue a city"] == (
        "A relative lift is not worked out for whole cities."
    )
    # Spend that was declared to be nothing is known.
    free = study(plan(unit="city", campaigns=(), spend=0.0), **given).estimates
    free = free.set_index("quantity")["shown"]
    assert free["Incremental ROAS"].startswith("Both arms cost about the same")
    assert free["Incremental contribution, after the spend withheld"].startswith("₹")


# What is claimed


@pytest.mark.parametrize(
    ("treated", "fee", "words"),
    [
        pytest.param(300, 20_000, "so it paid back", id="above"),
        pytest.param(42, 90_000, "so it did not pay back", id="below"),
        pytest.param(90, 25_000, "whether they paid for it is open", id="between"),
        pytest.param(44, 4_000, "shows neither a gain nor a loss", id="nothing"),
    ],
)
def test_judgement_compares_the_interval_with_break_even(study, treated, fee, words):
    found = study(
        plan(),
        assignments=units(),
        tracking=tracking(orders(treated, 40)),
        payouts=payouts(float(fee)),
    )
    assert words in plain(found)
    assert "break-even (2.0×)" in plain(found)


def test_an_effect_below_nothing_is_said_to_be_one(study):
    sold = tracking(orders(40, 140))
    found = study(plan(), assignments=units(), tracking=sold, payouts=payouts())
    assert "did not pay back, and those who could see it bought less" in plain(found)


def test_filters_cut_the_definitions_but_not_the_experiment(study):
    sold = orders().assign(product=["A", "B"] * 60)
    found = study(plan(), assignments=units(), tracking=tracking(sold), filters={"product": "A"})
    assert found.iroas.value == pytest.approx(2.0)
    assert "the filters of this report do not cut it" in plain(found)


def test_an_earlier_experiment_calibrates_until_it_expires(study):
    credited = orders(80, 40).assign(source="organic")
    credited.loc[:39, ["source", "influencer_id", "campaign"]] = ["influencer", "i1", "HK_Boost"]
    after = orders(50, 0).assign(
        tracking_id=[f"n{n}" for n in range(50)],
        source="influencer",
        influencer_id="i1",
        date=datetime.date(2026, 2, 10),
    )
    paid = pd.concat([payouts(), payouts(10_000.0).assign(campaign=None, date="2026-02-01")])
    given = {
        "assignments": units(),
        "tracking": tracking(credited, after),
        "payouts": paid,
    }
    found = study(plan(), period="2026-02", **given)
    # iROAS 2 over ROAS 40,000 ÷ 20,000 = 2.
    assert found.calibration["factor"].tolist() == [pytest.approx(1.0)]
    assert found.calibration["expires"].tolist() == [END + datetime.timedelta(days=180)]
    assert found.iroas is None
    assert plain(found).startswith("**Attributed, not incremental: ")
    assert "it may calibrate reports until 29 May 2026" in plain(found)
    # 29 May is the last day on which a report may begin and use it.
    later_on = [
        later().assign(tracking_id=f"m{month}", date=datetime.date(2026, month, 20))
        for month in (5, 6)
    ]
    given["tracking"] = pd.concat([given["tracking"], *later_on])
    assert study(plan(), period="2026-05", **given).calibrations != ()
    assert study(plan(), period="2026-06", **given).calibrations == ()


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The exports that make report simulates where data/ holds none."""
    return simulate.write(tmp_path_factory.mktemp("simulated") / "sample").folder


def test_all_brands_show_every_brands_experiments_and_no_headline(sample):
    report = views.open_report(brand="all", period="2025-Q4", data=str(sample))
    found = incrementality.study(report)
    assert found.iroas is None
    assert {name.partition(":")[0] for name in found.estimates["experiment"]} == {
        "Gritzo",
        "HKVitals",
        "MuscleBlaze",
    }


@pytest.mark.parametrize("brand", ["MuscleBlaze", "HKVitals", "Gritzo"])
def test_intervals_of_the_sample_hold_its_truth(sample, brand):
    truth = json.loads((sample / "truth.json").read_text())["experiments"][brand]
    found = incrementality.study(views.open_report(brand=brand, period="2025-Q4", data=str(sample)))
    reading = found.readings[0]
    assert reading.arms.fee == truth["spend_withheld"]
    for side, arm in (("treatment", reading.arms.treated), ("control", reading.arms.control)):
        assert arm["orders"].sum() == truth[side]["orders"]
        assert (arm["orders"] > 0).sum() == truth[side]["buyers"]
        assert arm["revenue"].sum() == pytest.approx(truth[side]["revenue"])
        assert arm["net"].sum() == pytest.approx(truth[side]["net"], rel=0.002)
    expected = truth["expected_effect"]
    assert reading.revenue.low <= expected["net"] <= reading.revenue.high
    assert found.iroas.low <= truth["expected_iroas"] <= found.iroas.high
    assert reading.profit.low <= expected["profit"] - truth["spend_withheld"] <= reading.profit.high


# What is refused


def refused(study, sentence, *plans, **tables):
    found = study(*(plans or (plan(),)), **tables)
    assert found.iroas is None
    assert sentence in plain(found) or sentence in " ".join(found.health["result"])
    assert len(found.definitions) == 5
    return found


def test_one_arm_empty_is_refused(study):
    refused(
        study,
        "The control arm is empty, so there is nothing to compare with.",
        assignments=units(400, 0),
        tracking=tracking(orders(80, 0)),
    )


def test_all_zeros_are_refused(study):
    refused(
        study,
        "Too few buyers (0 in control) to estimate lift.",
        assignments=units(),
        tracking=tracking(),
    )


def test_few_buyers_are_refused_with_the_size_that_would_do(study):
    found = refused(
        study,
        "Too few buyers (20 in control) to estimate lift; about ",
        assignments=units(),
        tracking=tracking(orders(60, 20)),
    )
    assert "users are needed to detect 10%." in plain(found)


def test_an_open_window_is_refused(study):
    refused(
        study,
        "Too few buyers so far (40 in control) to estimate lift; about ",
        plan(end=datetime.date(2026, 1, 31)),
        assignments=units(),
        tracking=tracking(orders()),
    )


@pytest.mark.parametrize(("days", "is_read"), [(0, True), (2, True), (3, False), (10, False)])
def test_a_window_that_begins_before_the_data_is_refused(study, days, is_read):
    """Half of the orders over the whole of the fees is no return; nobody may have ordered for a day."""
    first = START + datetime.timedelta(days=days)
    made = orders()
    made["date"] = made["date"].clip(lower=first)
    found = study(plan(), assignments=units(), tracking=tracking(made))
    window = row(found.health, "check", "Outcome window")
    assert (found.iroas is not None) is is_read
    assert window["verdict"] == {0: "good", 2: "ok"}.get(days, "poor")
    if not is_read:
        assert (
            "What was ordered at first is not known: the window is 3 to 30 Nov 2025 and the data begin on "
            f"{first.day} Nov 2025, {days} days after it does." in plain(found)
        )


def test_a_broken_split_is_refused_before_anything_else(study):
    refused(
        study,
        "The split is not the planned one (57.1% of 700 units in treatment, 50% planned (p < 0.001)), so",
        assignments=units(400, 300),
        tracking=tracking(orders()),
    )


def test_a_planned_share_is_not_rounded_to_all(study):
    found = study(plan(share=0.9975), assignments=units(399, 1), tracking=tracking(orders(80, 1)))
    split = row(found.health, "check", "Sample ratio").result
    assert split.startswith("99.8% of 400 units in treatment, 99.75% planned (p = ")


def test_few_campaigns_are_refused_for_one_reason_throughout(study):
    names = [f"K{n}" for n in range(5)]
    arms = pd.DataFrame(
        {
            "unit_id": names,
            "arm": ["treatment"] * 3 + ["control"] * 2,
            "unit_type": "campaign",
            "date": START,
        }
    )
    found = study(
        plan(unit="campaign", share=0.6, campaigns=()),
        assignments=arms,
        tracking=tracking(orders().assign(campaign="Other")),
    )
    shown = found.estimates.set_index("quantity")["shown"]
    sentence = "With 2 control campaigns, chance alone could give this difference; no causal claim."
    assert sentence in plain(found)
    assert shown["Incremental contribution, after the spend withheld"] == sentence
    assert shown["Incremental ROAS"] == sentence
    # Nobody ordered from either: that is nothing to call good.
    assert row(found.health, "check", "Campaigns with orders").verdict == "poor"


def test_arms_that_stand_on_orders_alone_are_refused(study):
    sold = orders().assign(campaign_type=["Test"] * 80 + ["Control"] * 40)
    found = study(tracking=tracking(sold))
    assert (
        "Test and Control stand on orders alone. Only buyers are recorded and the planned split is "
        "unknown, so lift is not identifiable."
    ) in plain(found)
    assert found.health["verdict"].tolist() == ["poor"]


def test_units_in_both_arms_are_left_out_or_refused(study):
    both = units().iloc[:6].assign(arm="control")
    given = {"tracking": tracking(orders())}
    found = study(plan(), assignments=pd.concat([units(), both]), **given)
    assert found.readings[0].arms.in_both == 6
    assert row(found.health, "check", "Units in both arms").result == "6, left out"
    many = units().iloc[:60].assign(arm="control")
    found = study(plan(), assignments=pd.concat([units(), many]), **given)
    assert found.iroas is None
    assert "60 of 800 units of 'Boost' are in both arms, so the arms cannot be compared." in plain(
        found
    )


def second():
    """Units and orders of another experiment, from 17 November on: V0 …, W0 …"""
    begins = datetime.date(2025, 11, 17)
    swap = {"T": "V", "C": "W"}
    listed = units(date=begins)
    listed["unit_id"] = [swap[name[0]] + name[1:] for name in listed["unit_id"]]
    sold = orders(120, 40).assign(date=begins)
    sold["user_id"] = [swap[name[0]] + name[1:] for name in sold["user_id"]]
    sold["tracking_id"] = "z" + sold["tracking_id"]
    return listed, sold


def test_units_of_two_experiments_at_once_are_those_of_neither(study):
    listed, sold = second()
    begins = datetime.date(2025, 11, 17)
    other = plan(name="Second", start=begins, end=datetime.date(2025, 12, 14))
    given = {
        "assignments": pd.concat([units(), listed]),
        "tracking": tracking(orders(), sold),
    }
    sentence = (
        "800 units of 'Boost' may be those of 'Second': by their day of assignment they fit both, so "
        "neither is read."
    )
    found = refused(study, sentence, plan(), other, **given)
    assert "800 units of 'Second' may be those of 'Boost'" in " ".join(found.health["result"])
    # One after the other they are told apart, and what belongs to the other is nothing left out.
    boost = plan(end=begins - datetime.timedelta(days=1))
    apart = study(boost, other, **given)
    assert [one.arms.sizes for one in apart.readings] == [(400, 400)] * 2
    assert "Other units of the file" not in set(apart.health["check"])
    # Without a day nothing tells them apart.
    given["assignments"] = given["assignments"].drop(columns="date")
    refused(study, "1,600 units of 'Boost' may be those of 'Second'", boost, other, **given)


def test_one_test_by_two_metrics_is_not_two(study):
    by_orders = plan(name="Boost by orders", metric="orders")
    found = study(plan(), by_orders, assignments=units(), tracking=tracking(orders()))
    assert [one.refusal for one in found.readings] == ["", ""]


def test_units_without_a_day_have_no_window_of_their_own(study):
    listed = units()
    listed["date"] = [START if n % 2 else None for n in range(len(listed))]
    given = {"assignments": listed, "tracking": tracking(orders(112, 56))}
    refused(
        study,
        "400 of 800 units of 'Boost' have no day of assignment, so what they ordered within their own "
        "window is not known.",
        plan(outcome_days=14),
        **given,
    )
    # One window for all needs no days.
    assert study(plan(), **given).readings[0].arms.sizes == (400, 400)


def test_units_left_out_and_assigned_late_are_said(study):
    third = units(30, 0).assign(unit_id=[f"B{n}" for n in range(30)], arm="Variant B")
    nameless = units(2, 0).assign(unit_id=["N1", "N2"], arm=None)
    early = units(7, 0).assign(
        unit_id=[f"E{n}" for n in range(7)], date=START - datetime.timedelta(days=2)
    )
    listed = units()
    listed.loc[:4, "date"] = START + datetime.timedelta(days=3)
    found = study(
        plan(),
        assignments=pd.concat([listed, third, nameless, early]),
        tracking=tracking(orders()),
    )
    assert found.readings[0].arms.sizes == (400, 400)
    assert row(found.health, "check", "Other units").result == (
        "32 of other arms (variant b) and 7 dated in the week before the window, left out"
    )
    assert row(found.health, "check", "Units assigned late").result == (
        "5 after the window began: what they ordered before counts"
    )
    plain_units = study(plan(), assignments=units(), tracking=tracking(orders())).health["check"]
    assert not {"Other units", "Units assigned late"} & set(plain_units)


def test_negative_revenue_is_a_refund_and_counts(study):
    found = study(
        plan(),
        assignments=units(),
        tracking=tracking(orders(revenue=lambda n: -500.0 if n % 4 == 0 else 1000.0)),
    )
    worth = [-500.0 if n % 4 == 0 else 1000.0 for n in range(120)]
    assert row(found.estimates, "quantity", "Incremental net").value == pytest.approx(
        sum(worth[:80]) - sum(worth[80:])
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        pytest.param(
            {"payouts": payouts(0.0)},
            "so return on spend cannot be computed; the revenue difference is ₹40,000",
            id="zero",
        ),
        pytest.param(
            {"payouts": None},
            "The spend withheld from control is not known, so return on spend cannot be computed",
            id="missing",
        ),
    ],
)  # fmt: skip
def test_spend_zero_or_missing_leaves_the_revenue_difference(study, given, sentence):
    refused(study, sentence, assignments=units(), tracking=tracking(orders()), **given)


def test_an_experiment_that_is_not_randomised_is_not_read(study):
    refused(
        study,
        "'Boost' is not declared as randomised, so it is not read as an experiment.",
        plan(randomised=False),
        assignments=units(),
        tracking=tracking(orders()),
    )


def test_units_without_a_declaration_are_not_read(study):
    found = study(assignments=units(), tracking=tracking(orders()))
    assert found.iroas is None
    assert "params declare no experiment for this brand, so none is read." in plain(found)


def test_declared_without_units_is_said(study):
    refused(
        study,
        "The exports hold no users assigned for 'Boost' (3 to 30 Nov 2025), so it cannot be read.",
        tracking=tracking(orders()),
    )


def test_an_experiment_of_the_sample_is_left_out_of_other_exports(study):
    found = study(plan(data="simulated"), assignments=units(), tracking=tracking(orders()))
    assert found.iroas is None
    assert found.health["result"].tolist() == [
        "Params declare the experiment 'Boost' of the simulated sample; this data is other exports, so "
        "it is left out."
    ]


def test_a_window_before_the_units_of_the_file_finds_none(study):
    refused(
        study,
        "The exports hold no users assigned for 'Boost'",
        plan(start=datetime.date(2025, 10, 1), end=datetime.date(2025, 10, 20)),
        assignments=units(),
        tracking=tracking(orders()),
    )


def test_without_orders_or_without_payouts_the_section_still_stands(study):
    found = study(tracking=None, assignments=units())
    assert "Attributed, not incremental" in plain(found)
    assert found.definitions["value"].isna().all()


# The five definitions


def test_five_definitions_on_six_orders_by_hand():
    found = definitions.worked_example(0.2).set_index("label")["value"]
    # Credited 2,500, organic 1,100, spend 800; A 1,600 ÷ 500 and B 900 ÷ 300; test 2,500, control 1,100.
    assert found["Assumed baseline"] == pytest.approx(2500 / 800 * 0.8)
    assert found["Organic baseline"] == pytest.approx((2500 - 1100) / 800)
    assert found["Against the average"] == pytest.approx(3.2 - (3.2 + 3.0) / 2)
    assert found["Test and control, naive"] == pytest.approx(2500 * (2500 / 1100) / 800)
    assert found["Experiment"] == pytest.approx(4 * (2500 / 4 - 1100 / 4) / 500)


def test_definitions_of_a_report_are_its_own_sums(study):
    sold = orders(80, 40)
    sold.loc[:49, ["source", "influencer_id", "campaign"]] = ["influencer", "i1", "HK_Boost"]
    found = study(plan(), assignments=units(), tracking=tracking(sold))
    value = found.definitions.set_index("definition")["value"]
    assert value["assumed_baseline"] == pytest.approx(50_000 / 20_000 * 0.8)
    # Organic: the other 70 orders of the arms, and the one after the window.
    assert value["organic_baseline"] == pytest.approx((50_000 - 71_000) / 20_000)
    assert value["test_control_naive"] == pytest.approx(80_000 * 2.0 / 20_000)
    assert value["experiment"] == pytest.approx(2.0)
    assert math.isnan(value["vs_average"])
    reason = found.definitions.set_index("definition")["shown"]["vs_average"]
    assert reason == "n/a (fewer than two campaigns with spend)"


def test_being_above_average_sums_to_nothing():
    rng = np.random.default_rng(1)
    roas = {str(n): value for n, value in enumerate(rng.lognormal(1, 1, 30))}
    assert sum(definitions.versus_average(roas).values()) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("roas", "level", "words"),
    [
        pytest.param(4.0, 2.0, "pays back if fewer than 50.0% of these orders", id="above"),
        pytest.param(1.5, 2.0, "below break-even even if every credited order was caused", id="below"),
        pytest.param(4.0, math.nan, "fewer than 75.0% of these orders would have come anyway (margins",
                     id="no_margin"),
        pytest.param(math.nan, 2.0, "without both revenue and spend there is no return to judge", id="no_spend"),
    ],
)  # fmt: skip
def test_attributed_claim_names_the_share_that_may_have_come_anyway(roas, level, words):
    assert words in incrementality.attributed(roas, level)


# Planning from data


def test_baseline_of_users_counts_zeros(opened):
    data = opened(tracking=tracking(orders(100, 60)))
    report = views.open_report(brand="HKVitals", period="all", settings=settings(), opened=data)
    base = planning.user_baseline(report, weeks=7, users=1000)
    values = np.zeros(1000)
    values[: base.buyers] = 1000.0
    assert base.buyers == 161
    assert base.mean == pytest.approx(values.mean())
    assert base.sd == pytest.approx(values.std(ddof=1))


def test_estimates_always_come_with_an_interval(study):
    found = study(plan(), assignments=units(), tracking=tracking(orders()))
    told = found.estimates.dropna(subset=["value"])
    assert (told["low"] < told["value"]).all()
    assert (told["high"] > told["value"]).all()
    assert told["shown"].str.contains("95% interval").all()
    assert isinstance(found.iroas, Estimate)
