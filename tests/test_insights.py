"""Insights: what is said, what is not, and that every number in a sentence stands in its record."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import exports
import jsonschema
import numpy as np
import pandas as pd
import pytest

from hkreport import insights, params, simulate, views
from hkreport.evidence import comparisons, ranking, scored
from hkreport.insights import advice, causes, rules
from hkreport.methods import changes
from hkreport.methods.estimate import Estimate, Refusal
from hkreport.units import Unit, text
from hkreport.views import luck

SCHEMA = Path(insights.__file__).parents[1] / "pipeline" / "contracts" / "insights.schema.json"


@pytest.fixture(scope="module")
def settings():
    return params.load()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted") / "data"
    simulate.write(folder, scale=0.06, scenario="planted", start="2024-09-01", end="2025-12-31")
    return folder


@pytest.fixture(scope="module")
def report(data):
    return views.open_report(brand="MuscleBlaze", period="2025", data=str(data))


@pytest.fixture(scope="module")
def found(report):
    return insights.find(report)


def tiny(folder, brand="HKVitals", period="2025-Q2", targets=None, **changed):
    report = views.open_report(
        brand=brand, period=period, data=str(exports.write(folder, **changed))
    )
    wanted = report.settings.model_copy(update={"targets": targets or {}})
    return replace(report, settings=wanted)


# The whole of a report.


def test_the_planted_platform_is_found_with_its_sign_and_an_interval(found):
    each = next(each for each in found if each.subject == "YouTube")
    assert (each.rule, each.kind) == ("platform_comparison", "comparison")
    assert each.evidence.low < 1.4 < each.evidence.high
    assert each.evidence.q_value <= 0.05
    assert each.statement.startswith("YouTube influencers return ")
    assert each.action.startswith("Move ₹")


def test_insights_are_ranked_by_rupees_and_the_same_again(data, found):
    stakes = [each.stake for each in found]
    assert stakes == sorted(stakes, reverse=True)
    again = insights.find(views.open_report(brand="MuscleBlaze", period="2025", data=str(data)))
    assert [each.to_json() for each in again] == [each.to_json() for each in found]


def test_the_record_follows_its_schema(report):
    document = json.loads(json.dumps(insights.document(report), allow_nan=False))
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert document["family"]["permutations"] >= 20 * document["family"]["candidates"] / 0.05
    broken = document | {"insights": [{"rule": "x"}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, json.loads(SCHEMA.read_text(encoding="utf-8")))


def numbers_of(record):
    """Every way in which the numbers of a record may be written in a sentence."""
    flat, queue = [], [record]
    while queue:
        each = queue.pop()
        if isinstance(each, dict):
            queue += list(each.values())
        elif isinstance(each, list):
            queue += each
        elif isinstance(each, int | float) and not isinstance(each, bool):
            flat.append(float(each))
    written = set()
    for value in flat:
        for size in (value, abs(value), value * 1000, value * 10000):
            for unit in Unit:
                for short in (True, False):
                    written.add(text(size, unit, short=short).lstrip("−"))
        written.add(f"{value:.0%}")
    return written


def test_every_number_of_a_statement_stands_in_the_record(found):
    for each in found:
        if each.rule in ("budget_move", "payout_anomaly", "data_error"):
            continue  # cells are in budget_plan.csv, cases in payout_exceptions.csv
        written = numbers_of(each.to_json())
        plain = each.statement
        for name in (each.subject, *each.evidence.numbers.get("names", ())):
            plain = plain.replace(str(name), "")
        shown = re.findall(r"₹?\d[\d,]*(?:\.\d+)?(?: (?:L|Cr)\b|×|%)?", plain)
        shown = [
            token for token in shown if token not in ("10,000", "1,00,000", "10,00,000", "1,000")
        ]
        assert shown, each.statement
        missing = [token for token in shown if token.rstrip(",") not in written]
        assert not missing, (each.statement, missing)


def test_no_insight_is_about_gender(report, found):
    words = " ".join(each.statement for each in found).lower()
    assert not re.search(r"\b(fe)?male\b|gender|women|\bmen\b", words)
    family = comparisons.family(report)
    assert {each.dimension for each in family.comparisons} <= {
        "tier", "platform", "category", "persona", "product",
    }  # fmt: skip


def test_a_persona_made_of_category_and_gender_is_not_compared():
    people = pd.DataFrame(
        {"category": ["Fitness"], "gender": ["Female"], "persona": ["Fitness × Female"]}
    )
    assert comparisons._is_crossed(people)
    assert not comparisons._is_crossed(people.assign(persona="Gym coach"))


def test_what_is_shown_to_a_reader_is_escaped_and_complete(report, found):
    shown = insights.what_to_do(report).markdown
    high = [
        each for each in found[: report.settings.insights.most_shown] if each.severity == "high"
    ]
    assert shown.count("::: {.callout-warning}") == len(high)
    assert shown.count("**Do:**") == min(len(found), report.settings.insights.most_shown)
    assert insights.top_three(report).markdown.count("\n") == 3
    assert "tested as one family" in insights.not_said(report).markdown.replace("\\", "")
    assert insights.terminal(report).count("Do:") == len(found)
    frame = insights.table(found)
    assert frame["statement"].tolist() == [each.statement for each in found]


def test_an_effect_of_nothing_is_not_expected(found):
    one = next(each for each in found if each.effect is not None)
    assert "Expected\\:" in advice._body(one)
    none = replace(one.effect, value=0.0, low=0.0, high=0.0)
    assert "Expected\\:" not in advice._body(
        replace(one, effect=none)
    )  # once "Expected: ₹0 (₹0 to ₹0)"


def test_the_summary_says_once_that_roas_rests_on_allocation(report, found, monkeypatch):
    doubt = replace(found[0], rule="allocation_decides", statement="ROAS is 1× to 3×.")
    monkeypatch.setattr(advice, "find", lambda _: [doubt, *found])
    assert "1× to 3×" in insights.what_to_do(report).markdown.replace("\\", "")
    # The headline's warning stands right above.
    assert "1× to 3×" not in insights.top_three(report).markdown.replace("\\", "")
    monkeypatch.setattr(advice, "find", lambda _: [doubt])
    assert "1× to 3×" in insights.top_three(report).markdown.replace("\\", "")


def test_report_of_three_influencers_refuses_and_stands(tmp_path):
    report = tiny(tmp_path)
    document = insights.document(report)
    assert document["family"]["candidates"] == 0
    assert (
        "Too few orders to separate influencers from luck. Those on fixed fees have 6; 300 are needed to "
        "compare groups of influencers." in document["refusals"]
    )
    assert all(each["kind"] != "comparison" for each in document["insights"])
    assert insights.what_to_do(report).markdown
    assert insights.top_three(report).markdown


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"payouts": ""}, id="no_payouts"),
        pytest.param({"posts": ""}, id="no_posts"),
        pytest.param({"influencers": ""}, id="no_influencers"),
        pytest.param({"tracking": ""}, id="no_tracking"),
    ],
)
def test_a_missing_export_silences_its_rules_only(tmp_path, changed):
    report = tiny(tmp_path, brand="all", period="all", **changed)
    document = json.loads(json.dumps(insights.document(report), allow_nan=False))
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert insights.what_to_do(report).markdown
    assert ranking.ranking(report).empty


# Single rules.


def test_a_missed_target_names_both_numbers_and_the_rupees_between(tmp_path):
    report = tiny(
        tmp_path, targets={"roas": 10.0, "revenue": 1.0, "cost_per_influencer_order": 9.0}
    )
    made = {each.subject: each for each in rules.targets(report)}
    assert set(made) == {"ROAS", "Cost per influencer order"}
    totals = report.totals
    assert made["ROAS"].stake == pytest.approx((10 - totals["roas"]) * totals["spend"])
    assert "below the target of 10.0×" in made["ROAS"].statement
    assert made["ROAS"].severity == "high"
    assert "above the target of ₹9.00" in made["Cost per influencer order"].statement


def test_a_target_below_zero_is_missed_by_what_lies_below_it(tmp_path):
    report = tiny(tmp_path, targets={"roi": -0.5})
    assert list(rules.targets(report)) == []
    report.totals["roi"] = -0.75
    (made,) = rules.targets(report)
    assert made.statement == "ROI is −75.0%, 50.0% below the target of −50.0%."
    assert made.evidence.numbers["gap"] == pytest.approx(0.5)


def test_payout_without_agreement_is_an_alert(tmp_path):
    paid = "influencer_id,basis,rate,orders,total_payout\n2,order,150,50,7500\n1,post,1000,,2000\n"
    made = list(rules.payouts(tiny(tmp_path, payouts=paid)))
    assert any(each.stake >= 6000 and each.kind == "alert" for each in made)


def test_reason_for_poor_return_is_the_part_furthest_from_others():
    others = {"spend": 1000.0, "base": 10_000.0, "orders": 100.0, "revenue": 50_000.0}
    dear = others | {"spend": 4000.0}
    dull = others | {"orders": 20.0, "revenue": 10_000.0}
    small = others | {"revenue": 10_000.0}
    first = [next(iter(causes.reasons(mine, others))) for mine in (dear, dull, small)]
    assert first == ["cost", "conversion", "value"]
    worse, own, usual = causes.reasons(dear, others)["cost"]
    assert (math.exp(worse), own, usual) == pytest.approx((4.0, 0.4, 0.1))
    assert (
        next(iter(causes.reasons(others | {"orders": 0.0, "revenue": 0.0}, others))) == "conversion"
    )
    assert causes.reasons(dict.fromkeys(others, 0.0), others) == {}


def test_parts_like_those_of_others_are_no_reason(report):
    names = ["spend", "base", "orders", "revenue"]

    def sums(spend, base, orders, revenue):
        return pd.DataFrame([[spend, base, orders, revenue]], columns=names).assign(
            base_name="reach"
        )

    others = sums(1000.0, 100_000.0, 20.0, 900.0)
    words, action, _ = causes._why(report, sums(105.0, 10_000.0, 1.95, 90.0), others)
    assert words == "cost, orders and order value are near those of others"
    assert action == "Agree on lower fees"
    # Where an order is rare, it is counted for as many people as others need for one.
    words, _, _ = causes._why(report, sums(100, 1e6, 1, 45), sums(1000, 1e7, 40, 1800))
    assert words == (
        "too few of those reached order (1 order for 10,00,000 people reached against 4)"
    )


def test_where_most_do_not_pay_back_one_record_says_so(report, monkeypatch):
    made = ranking.ranking(report)
    monkeypatch.setattr(causes, "level", lambda _: 1000.0)
    (one,) = causes.poor_influencers(report)
    number = text(float(len(made.frame)), Unit.COUNT)
    assert one.statement.startswith(f"{number} of {number} influencers on fixed fees very likely")
    spend, revenue = made.frame["spend"].sum(), made.frame["influencer_revenue"].sum()
    assert one.stake == pytest.approx(spend - revenue / 1000)
    assert one.evidence.value == pytest.approx(revenue / spend)
    # What loses money for all of them is said once, and nobody is to be booked first for losing less.
    assert not list(causes.below_break_even(report))
    assert not list(rules.best_influencers(report))
    top = report.influencers[report.influencers["spend"] > 0].head(5)
    assert rules._secured(report, top).startswith(
        "Build up others so that one leaving does not hurt, and agree"
    )


def test_spend_that_no_order_is_credited_to_is_told_as_such(tmp_path):
    organic = (
        "source,brand,product,date,orders,revenue\norganic,HKVitals,Biotin,2025-04-05,3,1950\n"
    )
    organic += "organic,HKVitals,Biotin,2025-06-29,3,1950\n"
    report = tiny(tmp_path, tracking=organic)
    paid = text(float(report.totals["spend"]), Unit.MONEY, short=True)
    (one,) = causes.below_break_even(report)
    assert one.statement == (
        f"{paid} was paid to influencers, and no order of this period is credited to any of them."
    )
    assert one.action.startswith("Check that codes and links are tracked")
    assert one.stake == float(report.totals["spend"])
    # Money was paid: what is too little are the orders.
    assert insights.document(report)["refusals"] == [
        "Too few orders to separate influencers from luck. Those on fixed fees have 0; 300 are needed to "
        "compare groups of influencers.",
        "No revenue is credited to anybody on a fixed fee, so what fees bring cannot be read.",
    ]


def test_a_campaign_below_break_even_is_told_under_every_rule_only(tmp_path):
    dear = "influencer_id,basis,rate,orders,total_payout\n1,post,1000,,90000\n"
    report = tiny(tmp_path, payouts=dear)
    (one,) = causes.below_break_even(report)
    assert "below break-even of 1.00× (on revenue, since margins are unknown)" in one.statement
    assert one.stake == pytest.approx(
        float(report.totals["spend"] - report.totals["influencer_revenue"])
    )
    assert not list(causes.below_break_even(tiny(tmp_path / "cheap")))
    doubt = replace(report.fragility, high=1.2)
    report.__dict__["fragility"] = doubt
    assert not list(causes.below_break_even(report))


def test_orders_that_bring_no_profit_are_not_said_to_have_unknown_margins(tmp_path):
    header, *lines = exports.TRACKING.splitlines()
    for name, profit in (("loss", "-10"), ("none", "0")):
        sold = "\n".join([f"{header},profit", *(f"{line},{profit}" for line in lines), ""])
        report = tiny(tmp_path / name, tracking=sold)
        said = insights.headline(report).markdown
        assert "no return on spend pays back" in said
        assert "margins are unknown" not in said
        assert "margins are unknown" not in causes.level_words(report)
    assert "margins are unknown" in insights.headline(tiny(tmp_path / "plain")).markdown


def test_concentration_names_no_more_than_bring_so_much(tmp_path):
    people = ["id,name,platform", *(f"{each},Person {each},YouTube" for each in range(1, 22))]
    for name, first, second, said in (
        (
            "one",
            90000,
            10,
            "1 of 21 selling influencers, Person 1, brings 97.9% of credited revenue",
        ),
        ("two", 3000, 2900, "2 of 21 selling influencers bring 75.6% of credited revenue"),
    ):
        paid = [first, second, *[100] * 19]
        sold = [f"{who},2025-05-0{1 + who % 9},1,{each},B" for who, each in enumerate(paid, 1)]
        report = views.open_report(
            brand="B",
            period="2025-Q2",
            data=str(
                exports.write(
                    tmp_path / name,
                    influencers="\n".join([*people, ""]),
                    posts="",
                    tracking="\n".join(["influencer_id,date,orders,revenue,brand", *sold, ""]),
                    payouts="",
                )
            ),
        )
        (found,) = rules.concentration(report)
        assert found.statement.startswith(said)
        assert ("with this one" in found.action) == (name == "one")


def test_influencers_of_one_name_are_told_apart_by_their_ids(report):
    people = report.influencers
    twin = people["influencer"].iloc[0].upper()
    doubled = replace(report)
    doubled.__dict__["influencers"] = people.assign(
        influencer=[people["influencer"].iloc[0], twin, *people["influencer"].iloc[2:]]
    )
    first, second, third = (doubled.influencers.iloc[at] for at in range(3))
    assert causes.who(doubled, first) == f"{first['influencer']} [{first['influencer_id']}]"
    assert causes.who(doubled, second) == f"{twin} [{second['influencer_id']}]"
    assert causes.who(doubled, third) == third["influencer"]


def test_a_break_is_found_where_it_is_and_silence_is_kept_elsewhere():
    rng = np.random.default_rng(1)
    season = 1 + 0.2 * np.cos(2 * np.pi * np.arange(104) / 52)
    quiet = 1e6 * season * rng.lognormal(0, 0.05, 104)
    broken = quiet * np.where(np.arange(104) < 80, 1.0, 0.75)
    made = changes.level_break(broken, 60)
    assert made.is_seasonal
    assert abs(made.at - 80) <= 1
    assert made.change.low < -0.25 < made.change.high
    assert made.change.p_value < 1e-4
    assert changes.level_break(quiet, 60).change.p_value > 0.01
    assert isinstance(changes.level_break(quiet[:10], 2), Refusal)
    assert isinstance(changes.level_break(np.zeros(60), 2), Refusal)


def test_a_series_without_a_break_is_called_broken_in_one_of_a_hundred():
    said = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        noise = rng.normal(0, 0.08, 60)
        for step in range(1, 60):
            noise[step] += 0.4 * noise[step - 1]
        said += changes.level_break(np.exp(noise), 10).change.p_value <= 0.01
    assert said / 300 <= 0.05


def test_steady_growth_is_no_break():
    """Both halves of a straight line differ; a third of brands that grow by 1 % a week had a break."""
    said = 0
    for seed in range(150):
        noise = np.random.default_rng(seed).normal(0, 0.1, 40)
        found = changes.level_break(np.exp(0.01 * np.arange(40) + noise), 27)
        said += found.change.p_value <= 0.01
    assert said / 150 <= 0.08


def test_growth_that_slows_down_is_no_step():
    """Against the year before it falls from one course to another: two in five of such brands had a break."""
    slowing: list[bool] = []
    steps: list[bool] = []
    for seed in range(200):
        rng, weeks = np.random.default_rng(seed), np.arange(104)
        noise, end = rng.normal(0, 0.05, 104), rng.integers(52, 104)
        grown = np.exp(0.01 * np.minimum(weeks, end) + noise)
        step = 0.75 ** (weeks >= rng.integers(92, 97))
        for made, series in ((slowing, grown), (steps, np.exp(noise) * step)):
            found = changes.level_break(series, 91)
            made.append(found.is_step and found.change.p_value <= 0.01)
    assert sum(slowing) <= 14
    assert sum(steps) >= 188


@pytest.mark.parametrize("course", ["slows", "falls"])
def test_only_a_step_is_said_to_have_come_in_a_week(tmp_path, course):
    weeks, noise = np.arange(104), np.random.default_rng(3).normal(0, 0.03, 104)
    grown = 0.02 * np.minimum(weeks, 85) if course == "slows" else np.log(1 - 0.25 * (weeks >= 96))
    days = pd.Timestamp("2023-07-03") + pd.to_timedelta(7 * weeks, "D")
    rows = [
        f"T{week},organic,,,u{week},HKVitals,Biotin,{day:%Y-%m-%d},1,{9000 * math.exp(step):.0f}"
        for week, day, step in zip(weeks, days, grown + noise, strict=True)
    ]
    tracking = "\n".join([exports.TRACKING.splitlines()[0], *rows, ""])
    report = tiny(tmp_path / "data", tracking=tracking)
    (told,) = (each for each in insights.find(report) if each.rule == "trend_break")
    assert ("bit by bit" in told.statement) == (course == "slows")
    assert told.statement.startswith("Since about the week of 5 May 2025") == (course == "falls")
    assert told.severity == ("medium" if course == "slows" else "high")


def test_a_brand_beside_one_that_took_back_more_than_it_sold_brings_no_share(tmp_path):
    back = exports.TRACKING.replace("SuperMilk,2025-06-29,1,500", "SuperMilk,2025-06-29,1,-6000")
    said = insights.portfolio(tiny(tmp_path / "data", brand="all", tracking=back)).markdown
    assert "of it" not in said
    assert "100.0" not in said


def test_half_a_season_is_no_break():
    """Below a year and a half of weeks a wave of the year rises and falls but once; a step stays one."""
    seasons = steps = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        turn, noise = 2 * np.pi * (np.arange(65) + rng.uniform(0, 52)) / 52, rng.normal(0, 0.05, 65)
        step = 0.75 ** (np.arange(65) >= 55)
        seasons += (
            changes.level_break(np.exp(0.2 * np.cos(turn) + noise), 45).change.p_value <= 0.01
        )
        steps += changes.level_break(np.exp(noise) * step, 45).change.p_value <= 0.01
    assert seasons <= 4
    assert steps >= 95


def test_a_season_as_small_as_the_noise_is_seldom_a_break():
    """A wave fits such weeks hardly better than a step does: 12 to 17 of a hundred were told as breaks."""
    said = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        turn, noise = 2 * np.pi * (np.arange(60) + rng.uniform(0, 52)) / 52, rng.normal(0, 0.05, 60)
        said += changes.level_break(np.exp(0.1 * np.cos(turn) + noise), 40).change.p_value <= 0.01
    assert said / 150 <= 0.07


def test_a_break_is_dated_with_an_interval_that_holds_the_week():
    held, width = 0, []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        noise = rng.normal(0, 0.15, 60)
        for step in range(1, 60):
            noise[step] += 0.3 * noise[step - 1]
        made = changes.level_break(np.exp(noise) * np.where(np.arange(60) < 40, 1.0, 0.7), 20)
        held += made.first <= 40 <= made.last
        width.append(made.last - made.first)
    assert held / 60 >= changes.DATED - 0.08
    # A clear change is dated closely, an unclear one is not.
    clear = np.exp(np.random.default_rng(0).normal(0, 0.02, 60)) * np.where(
        np.arange(60) < 40, 1, 0.5
    )
    made = changes.level_break(clear, 20)
    assert (made.first, made.at, made.last) == (39, 40, 41)
    assert np.median(width) > 2


def test_interval_of_dates_is_that_of_bai():
    # Bai (1997): 90% of the distribution lies within 7.7 and 95% within 11.0 of its scale.
    with_noise = changes._steps_of_doubt(1.0, np.sqrt(1 / 10 + 1 / 10), 10, 10)
    assert with_noise == 7 + 1
    assert changes._steps_of_doubt(2.0, np.sqrt(1 / 10 + 1 / 10), 10, 10) == 1 + 1


def posted(seed, slope, *, background=0.0, people=120, days=700):
    """Posts of people who sell less with each earlier post, and orders that come without any."""
    rng = np.random.default_rng(seed)
    number = people * 36
    person, day = rng.integers(0, people, number), np.sort(rng.integers(0, days, number))
    reach = rng.lognormal(9, 0.7, number)
    posts = changes.Sales(
        person, person, day, reach, np.zeros(number), person, day, np.ones(number)
    )
    level = rng.lognormal(-8.6, 0.5, people)[person]
    luck = rng.gamma(5, 0.2, number)
    orders = rng.poisson(level * luck * reach * np.exp(slope * posts.earlier))
    post = np.repeat(np.arange(number), orders)
    arrived = (day[post] + 0.5 + rng.exponential(48 / np.log(2) / 24, len(post))).astype(np.int64)
    other = rng.integers(0, people, round(background * len(post)))
    return changes.Sales(
        person=person,
        unit=person,
        day=day,
        reach=reach,
        crowd=np.zeros(number),
        sold_unit=np.concatenate([person[post], other]),
        sold_day=np.concatenate([arrived, rng.integers(0, days, len(other))]),
        orders=np.ones(len(post) + len(other)),
    )


def test_fatigue_covers_the_truth_and_is_silent_without_it():
    covered = silent = 0
    for seed in range(25):
        made = changes.fatigue(posted(seed, -0.08))
        covered += made.low <= math.exp(-0.08) - 1 <= made.high
        silent += changes.fatigue(posted(100 + seed, 0.0)).p_value > 0.05
    # Of 25 at 95%, fewer than 21 come once in a thousand.
    assert covered >= 21
    assert silent >= 21


def test_orders_without_posts_make_fatigue_look_smaller_and_never_make_it_up():
    few = [changes.fatigue(posted(seed, -0.08, background=0.3)) for seed in range(8)]
    assert all(-0.08 < each.value < 0 for each in few)
    null = [changes.fatigue(posted(100 + seed, 0.0, background=0.3)) for seed in range(12)]
    assert sum(each.high < 0 for each in null) <= 1
    assert np.mean([each.value for each in null]) > -0.005


def test_fatigue_counts_the_posts_of_four_weeks_and_refuses_few_people():
    made = posted(1, 0.0, people=20)
    assert str(changes.fatigue(made)) == "20 influencers posted unevenly; 30 are needed."
    person, day = np.array([0, 0, 0, 1, 0]), np.array([3, 3, 31, 31, 32])
    few = changes.Sales(person, person, day, np.ones(5), np.zeros(5), person, day, np.ones(5))
    # Two on one day count half each; day 3 is 28 days before day 31 and 29 before day 32.
    assert few.earlier.tolist() == [0.5, 0.5, 2.0, 0.0, 1.0]


def test_planted_fatigue_is_read_from_simulated_exports_and_none_without():
    (planted,) = scored.tiredness(1, 5)
    assert planted.p_value < 1e-4
    assert planted.low <= planted.truth <= planted.high
    (null,) = scored.tiredness(1, 5, scenario="null")
    assert null.p_value > 0.01


# The family of comparisons.


def people(rng, number=120, lift=1.0):
    """A panel on fixed fees of which every third influencer is micro, with its return lifted."""
    fee = rng.lognormal(10, 0.6, number)
    micro = np.arange(number) % 3 == 0
    truth = 0.002 * rng.gamma(4, 0.25, number) * np.where(micro, lift, 1.0)
    orders = rng.poisson(truth * fee).astype(float)
    frame = pd.DataFrame(
        {
            "influencer_id": [f"I{one}" for one in range(number)],
            "tier": np.where(micro, "micro", "nano"),
            "platform": rng.choice(["A", "B", "C"], number),
            "category": None,
            "persona": None,
            "spend": fee,
            "orders": orders,
            "revenue": orders * 800,
            "stratum": "x",
        }
    )
    frame["expected_orders"] = fee * orders.sum() / fee.sum()
    frame["expected_revenue"] = fee * frame["revenue"].sum() / fee.sum()
    return frame


NO_PRODUCTS = pd.DataFrame(
    columns=["influencer_id", "brand", "product", "posts", "revenue", "orders"]
)


def test_two_levels_are_one_comparison_and_a_true_one_is_found(settings):
    frame = people(np.random.default_rng(1), lift=2.5)
    made = comparisons.compare(frame, NO_PRODUCTS, settings.insights)
    assert [each.level for each in made.comparisons if each.dimension == "tier"] == ["micro"]
    assert {each.dimension for each in made.comparisons} == {"tier", "platform"}
    stated = made.stated
    assert [each.level for each in stated] == ["micro"]
    assert stated[0].ratio.low < 2.5 < stated[0].ratio.high


def test_a_small_group_is_shown_and_not_compared(settings):
    frame = people(np.random.default_rng(2))
    frame.loc[:4, "platform"] = "D"
    made = comparisons.compare(frame, NO_PRODUCTS, settings.insights)
    small = next(each for each in made.comparisons if each.level == "D")
    assert small.ratio is None
    assert np.isnan(small.p_value)
    assert small.too_small == "D: 5 influencers, but spend acts like 4.9; shown, not compared."
    nearly = replace(small, n=10, n_eff=9.64)
    assert nearly.too_small == "D: 10 influencers, but spend acts like 9.6; shown, not compared."
    alone = replace(small, n=1, n_eff=1.0)
    assert alone.too_small == "D: 1 influencer, but spend acts like 1; shown, not compared."


def test_rules_that_disagree_on_the_sign_silence_a_comparison():
    ratio = Estimate(value=1.5, low=1.2, high=1.9, confidence=0.95, n=90, method="x")
    each = comparisons.Comparison(
        dimension="tier", level="micro", n=30, n_rest=60, n_eff=25, n_eff_rest=50, ratio=ratio,
        q_value=0.01, by_rule={"spend_by_posts": 1.4, "spend_by_orders": 0.9},
    )  # fmt: skip
    assert not each.is_stated(0.05)
    assert replace(each, by_rule={"spend_by_posts": 1.4}).is_stated(0.05)
    assert not replace(each, by_rule=None, q_value=0.06).is_stated(0.05)


def sold(rng, lift=1.0, leak=0.3, number=200):
    """Posts and sales of four products; a share of sales follows what is popular, not the posts."""
    popular = np.array([0.5, 0.3, 0.15, 0.05])
    posts = rng.multinomial(6, [0.25, 0.25, 0.25, 0.25], number).astype(float)
    level = rng.lognormal(1, 0.5, number)[:, None]
    caused = rng.poisson(level * posts * np.array([1.0, 1.0, lift, 1.0]))
    extra = rng.poisson(level * posts.sum(axis=1, keepdims=True) * leak * popular)
    orders = (caused + extra).astype(float)
    who, what = np.divmod(np.arange(number * 4), 4)
    return pd.DataFrame(
        {
            "influencer_id": [f"I{one}" for one in who],
            "brand": "x",
            "product": np.array(list("ABCD"))[what],
            "posts": posts.ravel(),
            "orders": orders.ravel(),
            "revenue": 500 * orders.ravel(),
        }
    )


def test_a_popular_product_is_not_taken_for_a_well_posted_one(settings):
    stated, ratios = [], []
    nobody = people(np.random.default_rng(0)).iloc[:0]
    for seed in range(12):
        made = comparisons.compare(nobody, sold(np.random.default_rng(seed)), settings.insights)
        stated += [each.level for each in made.stated]
        lifted = comparisons.compare(
            nobody, sold(np.random.default_rng(seed), lift=1.8), settings.insights
        )
        each = next(each for each in lifted.comparisons if each.level == "C")
        ratios.append(each.ratio.value)
        assert "C" in [each.level for each in lifted.stated]
    assert len(stated) <= 1
    assert np.mean(ratios) == pytest.approx(1.8, rel=0.08)
    assert luck.NO_SPEND in made.refusals


def test_where_everyone_is_paid_by_the_order_groups_are_not_compared(tmp_path):
    paid = "influencer_id,basis,rate,orders,total_payout\n1,order,100,5,500\n2,order,150,5,750\n"
    report = tiny(tmp_path, payouts=paid)
    family = comparisons.family(report)
    assert family.refusals == (luck.NOT_FIXED,)
    assert str(ranking.ranking(report).refusal) == luck.NOT_FIXED


# The command.


def test_command_prints_the_document_without_building(data, report, capsys):
    from hkreport.cli import advise

    advise.insights(
        data=data, brand="MuscleBlaze", period="2025", platform=None, tier=None, category=None,
        gender=None, influencer=None, product=None, product_category=None, campaign=None,
        min_roas=None, min_price=None, max_price=None, as_of=None, maps=None, as_json=True,
    )  # fmt: skip
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(json.dumps(insights.document(report)))


def test_a_minimum_roas_leaves_nothing_to_compare_rank_or_plan(data):
    report = views.open_report(
        brand="MuscleBlaze", period="2025", data=str(data), filters={"min_roas": 1.5}
    )
    document = insights.document(report)
    assert document["refusals"] == [comparisons.PICKED, comparisons.PICKED]
    kinds = {each["rule"] for each in document["insights"]}
    assert not kinds & {"overspend", "poor_roas", "best_influencers", "budget_move"}
    assert str(ranking.ranking(report).refusal) == comparisons.PICKED
