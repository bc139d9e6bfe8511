"""Sums of months, which exports date by their first day, last until the end of the last one.

`latest` was the quarter before the last one, and a report of the last one said that its data end before it does.
"""

import datetime

import campaigns as c
import pytest

from hkreport import views

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


def test_the_latest_quarter_of_sums_of_months_is_the_last_one():
    ledger, last = ended(*[f"2025-0{month}-01" for month in range(1, 7)])
    latest = views.resolve(ledger, "latest")
    assert latest.name == "2025-Q2"
    assert not latest.is_cut_by(last)
