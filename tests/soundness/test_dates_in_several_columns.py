"""A date that stands in several columns is one date, and not the first of them.

Each case once set every row aside, or left the time of a touch out.
"""

from datetime import date
from pathlib import Path

import pytest

from hkreport import ingest


def load(folder: Path, **files: str) -> ingest.Dataset:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return ingest.load(folder)


def days(dataset: ingest.Dataset, table: str = "tracking") -> list[date]:
    return [each.date() for each in dataset.tables[table].order_by("row").to_pandas()["date"]]


@pytest.mark.parametrize(
    ("headers", "cells"),
    [
        ("Year,Month,Day", ("2025,3,14", "2025,4,5")),
        ("Day,Month,Year", ("14,March,2025", "5,Apr,2025")),
        ("order_year,order_month,order_day", ("2025.0,3.0,14.0", "2025.0,4.0,5.0")),
        ("Yr,Mth,Dt", ("2025,Mar,14", "2025,Apr,5")),
        ("YYYY,MM,DD", ("25,03,14", "25,04,05")),
        ("Date,Month,Year", ("14,Mar,2025", "5,Apr,2025")),
        ("Month,Day", ("March 2025,14", "Apr 2025,5")),
        ("Day,Month", ("14,2025-03", "5,2025-04")),
        ("Order Date,Year", ("14-Mar,2025", "05-Apr,2025")),
        ("Order Date,Order Time,Year", ("14/03,18:05,2025", "05/04,09:10,2025")),
        ("Day,Order Time,Order Day,Order Month,Order Year", ("Friday,18:05,14,3,2025", "Saturday,09:10,5,4,2025")),
    ],
)  # fmt: skip
def test_year_month_and_day_are_one_date(headers, cells, tmp_path):
    rows = "".join(f"{each},INF_1,1,{100 + at}\n" for at, each in enumerate(cells))
    dataset = load(tmp_path, tracking=f"{headers},influencer_id,orders,revenue\n{rows}")
    assert days(dataset) == [date(2025, 3, 14), date(2025, 4, 5)]
    assert dataset.check.rows_quarantined == 0
    assert "composed" in {each.rule for each in dataset.check.problems}


@pytest.mark.parametrize("months", [("3", "04"), ("March", "Apr"), ("Mar", "4")])
def test_a_month_and_its_year_are_the_first_of_the_month(months, tmp_path):
    rows = "".join(f"INF_1,500,{month},2025\n" for month in months)
    dataset = load(tmp_path, payouts=f"influencer_id,total_payout,Month,Year\n{rows}")
    assert days(dataset, "payouts") == [date(2025, 3, 1), date(2025, 4, 1)]


def test_a_whole_date_wins_over_its_parts(tmp_path):
    dataset = load(
        tmp_path, tracking="date,year,month,day,orders,revenue\n2025-03-14,2024,1,2,1,100\n"
    )
    assert days(dataset) == [date(2025, 3, 14)]


def test_the_time_of_a_touch_is_not_lost(tmp_path):
    dataset = load(tmp_path, touchpoints="user_id,date,time,influencer_id\nU1,14/03/2025,18:05,INF_1\nU1,14/03/2025,6:10 am,INF_2\n")  # fmt: skip
    found = dataset.tables["touchpoints"].order_by("row").to_pandas()["timestamp"]
    assert [str(each) for each in found] == ["2025-03-14 18:05:00", "2025-03-14 06:10:00"]


@pytest.mark.parametrize("month", ["6", "Jun"])
def test_the_time_beside_year_month_and_day_is_not_lost(month, tmp_path):
    """All touches of a day stood at midnight, and the first of them was any."""
    rows = f"U1,2025,{month},1,18:05:00,INF_1\nU1,2025,{month},1,09:05:00,INF_2\nU1,2025,{month},2,,INF_2\n"
    dataset = load(tmp_path, touchpoints=f"User ID,Year,Month,Day,Time,Influencer ID\n{rows}")
    found = dataset.tables["touchpoints"].order_by("row").to_pandas()["timestamp"]
    assert [str(each) for each in found] == [
        "2025-06-01 18:05:00",
        "2025-06-01 09:05:00",
        "2025-06-02 00:00:00",
    ]


def test_rows_that_are_no_data_stay_so(tmp_path):
    rows = "2025,3,14,1,100\nYear,Month,Day,Orders,Revenue\n,,,,\n2025,4,5,1,200\n2025,4,6,1,50\nTotal,,,3,350\n"
    dataset = load(tmp_path, tracking=f"Year,Month,Day,Orders,Revenue\n{rows}")
    assert days(dataset) == [date(2025, 3, 14), date(2025, 4, 5), date(2025, 4, 6)]
    assert dataset.check.tables["tracking"].rows_read == 5
    assert {"repeated_header", "total_row"} <= {each.rule for each in dataset.check.problems}


def test_months_in_files_of_their_own_are_joined(tmp_path):
    header = "Year,Month,Day,influencer_id,orders,revenue\n"
    files = {
        f"orders_{name}": header + "".join(f"2025,{month},{day},INF_1,1,100\n" for day in (1, 2, 3))
        for name, month in (("mar", 3), ("apr", 4))
    }
    dataset = load(tmp_path, **files)
    assert dataset.check.totals["revenue"] == 600
    assert [each.month for each in days(dataset)] == [3, 3, 3, 4, 4, 4]
