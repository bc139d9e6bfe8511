"""Periods: every form, half-open, with the one before and what `latest` takes."""

import pytest

from hkreport import periods
from hkreport.errors import ParamsError
from hkreport.periods import Date, parse, resolve


@pytest.mark.parametrize(
    ("name", "start", "end", "before"),
    [
        ("2025-06", Date(2025, 6, 1), Date(2025, 7, 1), "2025-05"),
        ("2025-12", Date(2025, 12, 1), Date(2026, 1, 1), "2025-11"),
        ("2025-Q2", Date(2025, 4, 1), Date(2025, 7, 1), "2025-Q1"),
        ("2025-Q1", Date(2025, 1, 1), Date(2025, 4, 1), "2024-Q4"),
        ("2025", Date(2025, 1, 1), Date(2026, 1, 1), "2024"),
        ("2025-W23", Date(2025, 6, 2), Date(2025, 6, 9), "2025-W22"),
        ("2026-W01", Date(2025, 12, 29), Date(2026, 1, 5), "2025-W52"),
        ("2020-W53", Date(2020, 12, 28), Date(2021, 1, 4), "2020-W52"),
        ("FY2025-26", Date(2025, 4, 1), Date(2026, 4, 1), "FY2024-25"),
        ("FY2025-26-Q1", Date(2025, 4, 1), Date(2025, 7, 1), "FY2024-25-Q4"),
        ("FY2025-26-Q4", Date(2026, 1, 1), Date(2026, 4, 1), "FY2025-26-Q3"),
        ("FY1999-00", Date(1999, 4, 1), Date(2000, 4, 1), "FY1998-99"),
        ("2025-06-01..2025-06-30", Date(2025, 6, 1), Date(2025, 7, 1), "2025-05-02..2025-05-31"),
        ("2025-06-05..2025-06-05", Date(2025, 6, 5), Date(2025, 6, 6), "2025-06-04..2025-06-04"),
    ],
)
def test_period_reads_as_half_open_dates_and_knows_the_one_before(name, start, end, before):
    period = parse(name)
    assert (period.start, period.end) == (start, end)
    assert period.previous().name == before
    assert period.previous().end == period.start


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("2025-13", "Period '2025-13' does not exist: month must be in 1..12"),
        ("2025-Q5", "Period '2025-Q5' is not understood."),
        ("2025-W54", "Period '2025-W54' does not exist: Invalid week: 54"),
        ("FY2025-27", "Period 'FY2025-27' does not exist: FY2025 ends in 26, not 27"),
        (
            "2025-06-30..2025-06-01",
            "Period '2025-06-30..2025-06-01' does not exist: 2025-06-01 is before 2025-06-30",
        ),
        ("../x", "Period '../x' is not understood."),
        ("june", "Period 'june' is not understood."),
    ],
)
def test_wrong_period_says_what_is_allowed(name, said):
    with pytest.raises(ParamsError) as error:
        parse(name)
    assert str(error.value).startswith(said)
    assert periods.ALLOWED in str(error.value)


def test_a_day_is_told_how_it_is_written():
    with pytest.raises(ParamsError, match=r"One day is written 2025-06-09\.\.2025-06-09\."):
        parse("2025-06-09")


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        pytest.param(Date(2024, 1, 1), Date(2025, 12, 31), "2025-Q4", id="ends_with_a_quarter"),
        pytest.param(Date(2024, 1, 1), Date(2025, 12, 24), "2025-Q4", id="seven_days_short"),
        pytest.param(Date(2024, 1, 1), Date(2025, 12, 23), "2025-Q3", id="eight_days_short"),
        pytest.param(Date(2025, 4, 8), Date(2025, 6, 30), "2025-Q2", id="begins_seven_days_late"),
        pytest.param(Date(2025, 4, 9), Date(2025, 6, 30), "all", id="begins_eight_days_late"),
        pytest.param(Date(2025, 4, 9), Date(2025, 9, 1), "all", id="no_whole_quarter"),
        pytest.param(Date(2025, 7, 20), Date(2025, 7, 20), "all", id="one_day"),
    ],
)
def test_latest_is_the_last_quarter_covered_within_a_week(first, last, name):
    assert resolve("latest", first, last).name == name


def test_period_outside_the_data_says_which_dates_there_are():
    with pytest.raises(ParamsError) as error:
        resolve("2023-Q1", Date(2025, 1, 4), Date(2025, 8, 20))
    assert str(error.value) == (
        "Period '2023-Q1' (1 Jan 2023 to 31 Mar 2023) holds no data: the data runs from 4 Jan 2025 "
        "to 20 Aug 2025. Choose a period within those dates, or 'all'."
    )
