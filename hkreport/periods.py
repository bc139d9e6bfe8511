"""What a period means: text such as ``2025-Q2`` to half-open dates, and back to words.

Inside the code a period is half-open: the start counts, the end does not. Nothing here reads a clock.
"""

import datetime
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hkreport.errors import ParamsError

__all__ = [
    "ALLOWED",
    "Grain",
    "Period",
    "of_told",
    "parse",
    "resolve",
    "steps",
    "undated",
    "worded",
]

Date = datetime.date
DAY = datetime.timedelta(days=1)

NO_DAY = Date(1970, 1, 1)  # stands where a day is asked for and the data has none; never printed

# `latest` takes a quarter whose first and last days may be this far from the data's; and the data may end
# so long before a period that is still held against a whole one.
COVERED_WITHIN = datetime.timedelta(days=7)

ALLOWED = (
    "2025-06 (month), 2025-Q2 (calendar quarter), 2025 (year), 2025-W23 (ISO week), FY2025-26 and "
    "FY2025-26-Q1 (Indian financial year, April to March), 2025-06-01..2025-08-31 (both days "
    "included), all, latest"
)


class Grain(StrEnum):
    """What kind of period it is; decides which period came before."""

    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    RANGE = "range"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Period:
    """A named stretch of days, half-open.

    Attributes
    ----------
    name : str
        As asked for and as the folder is called: ``2025-Q2``.
    start, end : date
        First day, and first day that no longer counts.
    grain : Grain
    """

    name: str
    start: Date
    end: Date
    grain: Grain

    @property
    def is_undated(self) -> bool:
        """Whether it stands for data in which nothing has a date: its days are no days of the data."""
        return (self.start, self.end, self.grain) == (NO_DAY, NO_DAY + DAY, Grain.ALL)

    @property
    def told(self) -> dict[str, str | None]:
        """The period as JSON has it, end excluded; undated data have no days. :func:`of_told` reads it.

        Examples
        --------
        >>> parse("2025-Q2").told
        {'name': '2025-Q2', 'start': '2025-04-01', 'end': '2025-07-01'}
        >>> undated().told
        {'name': 'all', 'start': None, 'end': None}
        """
        days = [None if self.is_undated else day.isoformat() for day in (self.start, self.end)]
        return {"name": self.name, "start": days[0], "end": days[1]}

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days

    @property
    def last(self) -> Date:
        """Last day that counts."""
        return self.end - DAY

    @property
    def words(self) -> str:
        """The dates in words, both days included.

        Examples
        --------
        >>> parse("2025-Q2").words, parse("2025-06-15..2025-06-15").words
        ('1 Apr 2025 to 30 Jun 2025', '15 Jun 2025')
        >>> undated().words
        'undated data'
        """
        if self.is_undated:
            return "undated data"
        first, last = worded(self.start), worded(self.last)
        return first if first == last else f"{first} to {last}"

    @property
    def when(self) -> str:
        """The dates within a sentence.

        Examples
        --------
        >>> parse("2025-Q2").when, parse("2025-06-15..2025-06-15").when
        ('from 1 Apr 2025 to 30 Jun 2025', 'on 15 Jun 2025')
        """
        if self.is_undated:
            return f"in {self.words}"
        return f"{'on' if self.days == 1 else 'from'} {self.words}"

    @property
    def bucket(self) -> str:
        """Width of a step in trends: day, week or month by length."""
        return "day" if self.days <= 31 else "week" if self.days <= 190 else "month"

    def is_cut_by(self, last: Date | None) -> bool:
        """Whether data that ends on a day leaves so much of the period open that it is no whole one.

        Up to a week may be missing, and up to a tenth of a short period.

        Examples
        --------
        >>> quarter = parse("2025-Q2")
        >>> quarter.is_cut_by(Date(2025, 4, 24)), quarter.is_cut_by(Date(2025, 6, 25))
        (True, False)
        """
        if last is None or self.grain is Grain.ALL:
            return False
        return self.last - last > self._spare

    def is_begun_by(self, first: Date | None) -> bool:
        """Whether data that begins on a day holds so much of the period that it is a whole one.

        As much may be missing as at the end: see :meth:`is_cut_by`.

        Examples
        --------
        >>> quarter = parse("2025-Q2")
        >>> quarter.is_begun_by(Date(2025, 4, 7)), quarter.is_begun_by(Date(2025, 4, 24))
        (True, False)
        """
        return first is not None and first - self.start <= self._spare

    @property
    def _spare(self) -> datetime.timedelta:
        """How much of the period data may lack at an end."""
        return min(COVERED_WITHIN, self.days // 10 * DAY)

    @property
    def before(self) -> str:
        """What the period before is called within a sentence.

        Examples
        --------
        >>> parse("2025-Q1").before, parse("2025-06-09..2025-06-09").before
        ('2024-Q4', 'the day before')
        >>> parse("2025-06-01..2025-06-10").before
        'the 10 days before'
        """
        found = self.previous()
        if found is None:
            return "the period before"
        if self.grain is Grain.RANGE:  # two dates to read where a length says it
            return "the day before" if self.days == 1 else f"the {self.days} days before"
        return found.name

    def previous(self) -> "Period | None":
        """The period of the same kind just before, or None for all dates.

        Examples
        --------
        >>> parse("2025-Q1").previous().name, parse("FY2025-26-Q1").previous().name
        ('2024-Q4', 'FY2024-25-Q4')
        >>> parse("2025-W01").previous().name
        '2024-W52'
        """
        if self.grain is Grain.ALL:
            return None
        before = self.start - DAY
        fiscal = self.name.startswith("FY")
        if self.grain is Grain.YEAR:
            return parse(_fiscal_name(before) if fiscal else f"{before.year:04d}")
        if self.grain is Grain.QUARTER:
            if fiscal:
                return parse(f"{_fiscal_name(before)}-Q{(before.month - 4) % 12 // 3 + 1}")
            return parse(f"{before.year:04d}-Q{(before.month - 1) // 3 + 1}")
        if self.grain is Grain.MONTH:
            return parse(f"{before.year:04d}-{before.month:02d}")
        if self.grain is Grain.WEEK:
            year, week, _ = before.isocalendar()
            return parse(f"{year:04d}-W{week:02d}")
        start = self.start - (self.end - self.start)
        return Period(f"{start}..{before}", start, self.start, Grain.RANGE)


def worded(day: Date) -> str:
    """A day as a reader expects it.

    Examples
    --------
    >>> worded(Date(2025, 7, 20))
    '20 Jul 2025'
    """
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    return f"{day.day} {months[day.month - 1]} {day.year}"


def _fiscal_name(day: Date) -> str:
    first = day.year if day.month >= 4 else day.year - 1
    return f"FY{first:04d}-{(first + 1) % 100:02d}"


def _month_on(year: int, month: int, ahead: int) -> Date:
    """First day of the month `ahead` months after the given one."""
    years, index = divmod(month - 1 + ahead, 12)
    return Date(year + years, index + 1, 1)


def parse(name: str) -> Period:
    """Read a period that needs no data: anything but ``all`` and ``latest``.

    Raises
    ------
    ParamsError
        If the text is none of the allowed forms.

    Examples
    --------
    >>> parse("2025-06").end
    datetime.date(2025, 7, 1)
    >>> parse("FY2025-26-Q4").start, parse("2025-W23").start
    (datetime.date(2026, 1, 1), datetime.date(2025, 6, 2))
    >>> parse("2025-06-01..2025-08-31").days
    92
    """
    try:
        found = _parse(name.strip())
    except (ValueError, OverflowError) as cause:
        raise ParamsError(
            f"Period '{name}' does not exist: {cause}. Allowed: {ALLOWED}."
        ) from cause
    if found is None:
        day = name.strip()
        once = re.fullmatch(r"\d{4}-\d{2}-\d{2}", day, flags=re.ASCII)
        raise ParamsError(
            f"Period '{name}' is not understood. Allowed: {ALLOWED}.",
            next_step=f"One day is written {day}..{day}." if once else "",
        )
    return found


def _parse(name: str) -> Period | None:
    upper = name.upper()
    form = functools.partial(re.fullmatch, string=upper, flags=re.ASCII)  # digits name folders too
    if match := form(r"(\d{4})"):
        year = int(match[1])
        return Period(upper, Date(year, 1, 1), Date(year + 1, 1, 1), Grain.YEAR)
    if match := form(r"(\d{4})-(\d{2})"):
        year, month = int(match[1]), int(match[2])
        return Period(upper, Date(year, month, 1), _month_on(year, month, 1), Grain.MONTH)
    if match := form(r"(\d{4})-Q([1-4])"):
        year, month = int(match[1]), 3 * int(match[2]) - 2
        return Period(upper, Date(year, month, 1), _month_on(year, month, 3), Grain.QUARTER)
    if match := form(r"(\d{4})-W(\d{2})"):
        start = Date.fromisocalendar(int(match[1]), int(match[2]), 1)
        return Period(upper, start, start + 7 * DAY, Grain.WEEK)
    if match := form(r"FY(\d{4})-(\d{2})(?:-Q([1-4]))?"):
        year = int(match[1])
        if int(match[2]) != (year + 1) % 100:
            raise ValueError(f"FY{year} ends in {(year + 1) % 100:02d}, not {match[2]}")
        if match[3] is None:
            return Period(upper, Date(year, 4, 1), Date(year + 1, 4, 1), Grain.YEAR)
        ahead = 3 * (int(match[3]) - 1)
        start, end = _month_on(year, 4, ahead), _month_on(year, 4, ahead + 3)
        return Period(upper, start, end, Grain.QUARTER)
    if match := form(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})"):
        start, last = Date.fromisoformat(match[1]), Date.fromisoformat(match[2])
        if last < start:
            raise ValueError(f"{last} is before {start}")
        return Period(upper, start, last + DAY, Grain.RANGE)
    return None


def undated() -> Period:
    """The period of data in which nothing has a date: everything, on no day that may be named."""
    return Period("all", NO_DAY, NO_DAY + DAY, Grain.ALL)


def of_told(told: Mapping[str, str | None]) -> Period:
    """Read what :attr:`Period.told` gave.

    Examples
    --------
    >>> of_told({"name": "all", "start": "2025-04-01", "end": "2025-07-01"}).words
    '1 Apr 2025 to 30 Jun 2025'
    """
    name, start, end = told["name"] or "", told["start"], told["end"]
    if name != "all":
        return parse(name)
    if start is None or end is None:
        return undated()
    return Period("all", Date.fromisoformat(start), Date.fromisoformat(end), Grain.ALL)


def resolve(name: str, first: Date, last: Date) -> Period:
    """Read any period, ``all`` and ``latest`` included.

    Parameters
    ----------
    name : str
        One of the allowed forms.
    first, last : date
        First and last day with an order in the whole data set (with a post, where there are none).

    Raises
    ------
    ParamsError
        If the text is not understood, or the period holds no day of the data.

    Examples
    --------
    >>> first, last = Date(2025, 1, 4), Date(2025, 8, 20)
    >>> resolve("latest", first, last).name
    '2025-Q2'
    >>> resolve("all", first, last).words
    '4 Jan 2025 to 20 Aug 2025'
    """
    folded = name.strip().lower()
    everything = Period("all", first, last + DAY, Grain.ALL)
    if folded == "all":
        return everything
    if folded in ("latest", ""):
        return _latest(first, last) or everything
    period = parse(name)
    if period.end <= first or period.start > last:
        raise ParamsError(
            f"Period '{name}' ({period.words}) holds no data: "
            f"the data runs from {worded(first)} to {worded(last)}.",
            next_step="Choose a period within those dates, or 'all'.",
        )
    return period


def _latest(first: Date, last: Date) -> Period | None:
    """The last calendar quarter that the dates cover to within a week at both ends."""
    if last - first > datetime.timedelta(days=365_000):
        return None
    quarter = parse(f"{last.year:04d}-Q{(last.month - 1) // 3 + 1}")
    for _ in range(2):
        if first <= quarter.start + COVERED_WITHIN and last >= quarter.last - COVERED_WITHIN:
            return quarter
        before = quarter.previous()
        assert before is not None
        quarter = before
    return None


def steps(start: Date, end: Date, width: str, *, whole: bool = False) -> list[str]:
    """Names of the days, ISO weeks (by their Monday) or months that a half-open stretch touches.

    With `whole`, only those that lie in it from their first day to their last.

    Examples
    --------
    >>> steps(Date(2025, 11, 30), Date(2026, 1, 1), "month")
    ['2025-11', '2025-12']
    >>> steps(Date(2025, 11, 30), Date(2026, 1, 1), "month", whole=True)
    ['2025-12']
    >>> steps(Date(2025, 6, 4), Date(2025, 6, 17), "week")
    ['2025-06-02', '2025-06-09', '2025-06-16']
    """
    names = []
    step = _step_start(start, width)
    while step < end:
        after = _step_start(step + {"day": 1, "week": 7, "month": 31}[width] * DAY, width)
        if not whole or (step >= start and after <= end):
            names.append(
                f"{step.year:04d}-{step.month:02d}" if width == "month" else step.isoformat()
            )
        step = after
    return names


def _step_start(day: Date, width: str) -> Date:
    if width == "month":
        return day.replace(day=1)
    return day - day.weekday() * DAY if width == "week" else day
