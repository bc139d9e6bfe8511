"""Sums of months, which exports date by their first day, last until the end of the last one.

`latest` was the quarter before the last one, and a report of the last one said that its data end before it does.
Their trend was drawn by weeks, of which three in four were 0, and forecasts and breaks read these as weeks
without sales; so were the days of sums of weeks.
"""

import datetime

import campaigns as c
import pandas as pd
import pytest

from hkreport import insights, views
from hkreport.evidence import forecast
from hkreport.insights import movements

Date = datetime.date


def ended(*days: str):
    ledger = c.build(tracking=[c.order("a", day, 900) for day in days])
    return ledger, ledger.last


@pytest.mark.parametrize(
    ("days", "last"),
    [
        ([f"2025-0{month}-01" for month in range(1, 7)], Date(2025, 6, 30)),
        (["2023-12-01", "2024-01-01", "2024-02-01"], Date(2024, 2, 29)),
        (["2025-04-01", "2025-05-01"], Date(2025, 5, 1)),
        (["2025-04-01"] * 5, Date(2025, 4, 1)),
        (["2025-04-01", "2025-05-01", "2025-06-01", "2025-05-02"], Date(2025, 6, 1)),
    ],
)
def test_sums_of_months_last_until_the_end_of_the_last_one(days, last):
    assert ended(*days)[1] == last


@pytest.mark.parametrize(
    ("days", "step", "last"),
    [
        ([f"2025-0{month}-01" for month in range(1, 7)], "month", Date(2025, 6, 30)),
        (["2025-06-02", "2025-06-09", "2025-06-16", "2025-06-23", "2025-06-30"], "week", Date(2025, 7, 6)),
        (["2025-06-01", "2025-06-08", "2025-06-15", "2025-06-22", "2025-06-29"], "week", Date(2025, 6, 29)),
        (["2025-06-02", "2025-06-09", "2025-06-16", "2025-06-23"], "day", Date(2025, 6, 23)),
        (["2025-06-02", "2025-06-09", "2025-06-16", "2025-06-23", "2025-06-30", "2025-07-01"], "day",
         Date(2025, 7, 1)),
    ],
)  # fmt: skip
def test_what_a_date_stands_for(days, step, last):
    ledger, ended_on = ended(*days)
    assert (ledger.step, ended_on) == (step, last)


def test_a_post_on_every_monday_is_no_sum_of_a_week():
    mondays = ["2025-06-02", "2025-06-09", "2025-06-16", "2025-06-23", "2025-06-30"]
    posts = [c.post("a", day, post_id=f"p{day}") for day in mondays]
    assert c.build(posts=posts).step == "day"


def summed(folder, width: str):
    """Exports of two years with one row a month or week, 900 rupees each."""
    days = pd.date_range("2023-01-02", "2024-12-31", freq="MS" if width == "month" else "W-MON")
    rows = {
        "date": days.strftime("%Y-%m-%d"),
        "influencer_id": "a",
        "brand": "HKVitals",
        "orders": 1,
        "revenue": 900,
    }
    pd.DataFrame(rows).to_csv(folder / "tracking.csv", index=False)
    people = {"influencer_id": ["a"], "name": ["Asha"], "platform": ["YouTube"]}
    pd.DataFrame(people).to_csv(folder / "influencers.csv", index=False)
    return views.open_report(brand="HKVitals", period="latest", data=str(folder))


def test_a_trend_of_sums_of_months_is_one_of_months(tmp_path):
    report = summed(tmp_path, "month")
    assert report.period.name == "2024-Q4"
    assert report.trend()[["month", "revenue"]].to_numpy().tolist() == [
        ["2024-10", 900.0], ["2024-11", 900.0], ["2024-12", 900.0],
    ]  # fmt: skip


def test_weeks_are_not_told_from_sums_of_months(tmp_path):
    report = summed(tmp_path, "month")
    assert forecast.outlook(report).refused == (forecast.SUMS_OF_MONTHS,)
    assert not list(movements.trend_break(report))
    assert "They are sums of months" in insights.slice_note(report).markdown


def test_sums_of_weeks_are_forecast_by_week_and_not_by_day(tmp_path):
    report = summed(tmp_path, "week")
    assert report.step == "week"
    assert set(report.trend()["revenue"]) == {900.0}
    ahead = forecast.outlook(report)
    assert set(ahead.frame.loc[ahead.frame["forecast"], "revenue"]) == {900.0}
    assert ahead.days.empty


def test_the_latest_quarter_of_sums_of_months_is_the_last_one():
    ledger, last = ended(*[f"2025-0{month}-01" for month in range(1, 7)])
    latest = views.resolve(ledger, "latest")
    assert latest.name == "2025-Q2"
    assert not latest.is_cut_by(last)
