"""Whole exports, read as a report reads them, against what the simulator knows of them (truth.json)."""

import datetime
import json

import numpy as np
import pytest

from hkreport import insights, simulate, views
from hkreport.evidence import budget, forecast, ranking

BRANDS = ("MuscleBlaze", "HKVitals", "Gritzo")
# After each of these quarters more data follow, so that the forecast can be waited out.
QUARTERS = ("2024-Q4", "2025-Q1", "2025-Q2", "2025-Q3")


def exports(folder, scenario, seed):
    made = simulate.write(folder / scenario, seed=seed, scenario=scenario).folder
    return made, json.loads((made / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return exports(tmp_path_factory.mktemp("truth"), "planted", 7)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return exports(tmp_path_factory.mktemp("truth"), "default", 1)


def found(folder, rule, **asked):
    report = views.open_report(**({"brand": "all", "period": "all"} | asked), data=str(folder))
    return [each for each in insights.find(report) if each.rule == rule]


def effects(truth, kind):
    return {each["subject"]: each["size"] for each in truth["insights"] if each["kind"] == kind}


def test_a_stated_difference_has_the_planted_sign_and_its_interval_the_planted_size(planted):
    folder, truth = planted
    stated = {each.subject: each.evidence for each in found(folder, "tier_comparison")}
    for tier, size in effects(truth, "tier").items():
        told = stated.pop(tier)
        assert told.low <= size <= told.high
    # Whoever is not micro stands beside those that are.
    assert all(each.value < 1 for each in stated.values())


def test_fatigue_is_told_with_an_interval_that_holds_what_was_planted(planted):
    folder, truth = planted
    (told,) = found(folder, "creative_fatigue")
    (size,) = effects(truth, "fatigue").values()
    assert told.evidence.low <= size - 1 <= told.evidence.high


def test_a_fall_of_revenue_is_dated(planted):
    folder, truth = planted
    (broken,) = (each for each in truth["insights"] if each["kind"] == "trend_break")
    (told,) = found(folder, "trend_break", brand=broken["brand"], period="2025-Q3")
    dates = told.evidence.numbers
    assert dates["earliest_week"] <= broken["subject"] <= dates["latest_week"]
    assert told.evidence.low <= broken["size"] - 1 <= told.evidence.high


def test_every_payout_that_was_made_twice_is_found_and_no_other(planted):
    folder, truth = planted
    (told,) = (each for each in found(folder, "payout_anomaly") if each.subject == "paid twice")
    assert told.evidence.n == len(effects(truth, "duplicate_payout")) == 3


def test_influencers_called_poor_are(planted):
    folder, truth = planted
    people = truth["influencers"]
    true = dict(zip(people["influencer_id"], people["true_fee_roas"], strict=True))
    told = found(folder, "poor_roas")
    assert told
    assert all(true[each.subject] < each.evidence.numbers["break_even"] for each in told)


def test_returns_with_luck_taken_out_are_those_without_chance(sample):
    folder, truth = sample
    people = truth["influencers"]
    true = dict(zip(people["influencer_id"], people["true_fee_roas"], strict=True))
    report = views.open_report(brand="all", period="all", data=str(folder))
    made = ranking.ranking(report)
    frame = made.frame.dropna(subset=["shrunk_roas"])
    known = frame["influencer_id"].map(true).to_numpy(float)
    inside = (frame["low"].to_numpy(float) <= known) & (known <= frame["high"].to_numpy(float))
    assert len(frame) > 100
    assert inside.mean() == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / len(frame)))


def test_forecasts_of_exports_hold_what_came_and_are_nearer_to_the_mean_than_naive_ones(sample):
    folder, truth = sample
    inside, away, naive = [], [], []
    for brand in BRANDS:
        known = truth["forecast"][brand]
        starts = [datetime.date.fromisoformat(day) for day in known["week_starts"]]
        days = [(day - starts[0]).days for day in starts]
        for quarter in QUARTERS:
            report = views.open_report(brand=brand, period=quarter, data=str(folder))
            told = forecast.outlook(report).table
            mondays = [
                (datetime.date.fromisoformat(str(day)[:10]) - starts[0]).days
                for day in told["week"]
            ]
            # Weeks of the truth end with the data, those of a report on Sundays.
            mean = np.interp(mondays, days, known["expected_revenue"])
            inside += list((told["revenue_low"] <= mean) & (mean <= told["revenue_high"]))
            away.append(float(np.abs(told["revenue"] / mean - 1).mean()))
            naive.append(float(np.abs(told["revenue_naive"] / mean - 1).mean()))
    assert np.mean(inside) > 0.8
    assert np.mean(away) < np.mean(naive)


def test_a_recommended_move_gains_by_the_true_curves(sample):
    folder, truth = sample
    moved = 0
    for brand in BRANDS:
        report = views.open_report(brand=brand, period="all", data=str(folder))
        plan = budget.plan(report)
        if not plan.is_recommended:
            continue
        cells = {
            (each["platform"], each["tier"]): each
            for each in truth["cells"]
            if each["brand"] == brand
        }
        gain = 0.0
        for row in plan.frame.to_dict("records"):
            cell = cells[row["platform"], row["tier"]]
            fees = cell["weekly_fees"]
            factor = row["to"] / row["from"] if row["from"] else 1.0
            gain += cell["a"] * ((fees * factor) ** cell["beta"] - fees ** cell["beta"])
        assert gain > 0
        moved += 1
    assert moved
