"""Which files of one table are parts of it, and which are copies, older versions or something else.

Two files with the same columns may be two months of one table, or the table and last week's copy of it.
Their content decides: parts share no id or no date, a copy shares its rows, and of two exports that overlap
the rows in both are read once. Where that says nothing, the file is left and the check says how to have both.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from hkreport.errors import DataError, map_option
from hkreport.ingest import dates, values
from hkreport.ingest.columns import NUMBERS_OF, UNITS_IN_HEADERS, Candidate, match
from hkreport.ingest.composed import Made
from hkreport.ingest.job import Job, rows_words
from hkreport.ingest.plain import Plain, are_alike, is_worth_keeping, plain_part
from hkreport.ingest.plans import DATES, NUMBERS, header_scale, one_row, setting
from hkreport.ingest.read import Source, Unusable, prepare, quoted
from hkreport.ingest.source import ELSEWHERE
from hkreport.ingest.totals import LONGEST_TOTAL, TOTAL_WORDS
from hkreport.pseudonyms import sealed
from hkreport.schema import Kind, Table, fold
from hkreport.units import Unit, text

__all__ = ["join_parts"]

# One row each thing there: a thing that two parts list is left out the second time.
LISTS = ("influencers", "products")
MOST_SHARED = 0.2  # of a list, before it is taken for a version of the other
MOST_OTHER_COLUMNS = 2  # that one part may have and another not, where ids tell them apart
MOST_DAYS = 50_000
OTHER_UNITS = "are in different units"
OVERLAP = "rows that two of them have are read once, from the one that goes on longer"
FEWEST_AGAIN = 10  # rows that are the same but for their ids, below which that may be chance
MOST_AGAIN = 0.2  # of a part, before it is said that its rows may be there twice

# A file that is called so holds what is not to be counted, or holds it again.
NOT_COUNTED = frozenset(
    """cancelled canceled cancellations refund refunds refunded return returns returned rto failed rejected
    test tests testing dummy sample example template draft drafts pending planned forecast budget target
    targets quarantine errors excluded ignore unpaid""".split()
)
# One that is called so holds sums of the rows of another.
SUMS = frozenset(
    """summary summaries pivot total totals monthly weekly daily monthwise weekwise datewise wise by""".split()
)
VERSIONS = frozenset(
    """old older backup bak copy copies uploaded upload archive archived original orig revised revision
    corrected correction final finalised latest new newest fixed updated update cleaned clean raw dedup
    deduped previous prev temp tmp""".split()
)
# Names of files for the two ways in which influencers are paid.
FOR_POSTS = frozenset(
    "fixed flat fee fees retainer retainers post posts deliverable deliverables".split()
)
FOR_ORDERS = frozenset(
    "commission commissions order orders variable performance incentive incentives bonus bonuses affiliate".split()
)
_MONTH = "jan feb mar apr may jun jul aug sep sept oct nov dec".split()
_PERIOD = re.compile(
    r"(?<![a-z])(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|q[1-4]|h[12]|w(?:eek)?[ _-]?\d{1,2}|"
    r"fy[ _-]?\d{2,4}|(?:part|chunk|batch|page|split|file)?[ _-]*\d{1,8})(?![a-z])"
)
_VERSION_NUMBER = re.compile(r"\(\d+\)|(?<![a-z])v\d+(?![a-z])")


def join_parts(
    job: Job,
    chosen: Mapping[str, Sequence[Candidate]],
    left: Mapping[str, Sequence[Candidate]],
    workdir: Path,
) -> tuple[dict[str, Candidate], list[str]]:
    """Make one source of the parts of each table, and say what was joined or left, and why.

    Parameters
    ----------
    job : Job
    chosen : mapping of str to candidates
        The file taken for each table; several where a person named them.
    left : mapping of str to candidates
        Other files that could be the table.
    workdir : Path
        Takes what has to be unpacked.

    Returns
    -------
    tables : dict of str to Candidate
    not_used : list of str
        Labels of the files that were left.
    """
    tables: dict[str, Candidate] = {}
    not_used: list[str] = []
    for table, mine in chosen.items():
        others = list(left.get(table, ()))
        if len(mine) > 1:
            parts, reason = _named_parts(job, mine, workdir), "as --map says"
            reasons: dict[str, str] = {}
        else:
            parts, reason, reasons = _find_parts(job, mine[0], others, workdir)
        tables[table] = mine[0]
        if len(parts) > 1:
            tables[table] = _joined(job, parts)
            _tell_joined(job, table, parts, reason)
            _tell_again(job, table, parts)
        joined = [each.source.label for each in parts]
        for other in others:
            if other.source.label not in joined:
                not_used.append(other.source.label)
                _tell_left(job, mine[0], other, reasons.get(other.source.label, ""), joined)
    for table in sorted(left.keys() - chosen.keys()):
        for other in left[table]:
            not_used.append(other.source.label)
            _tell_unfit(job, other)
    return tables, not_used


def _named_parts(job: Job, mine: Sequence[Candidate], workdir: Path) -> "list[_Content]":
    for other in mine[1:]:
        if differ := _other_unit(mine[0], other):
            raise DataError(
                f"{mine[0].source.label} and {other.source.label} cannot be read together: {differ}.",
                next_step="Write both in one unit.",
            )
    try:
        keeping = is_worth_keeping(mine)
        return _compared([_Content(job, each, workdir, keeping) for each in mine])
    except Unusable as error:
        raise DataError(str(error)) from error


def _find_parts(
    job: Job, main: Candidate, others: Sequence[Candidate], workdir: Path
) -> "tuple[list[_Content], str, dict[str, str]]":
    """The files that belong together, why, and why each of the others does not."""
    like = [each for each in others if _is_like(main, each)]
    differ = {each.source.label: _other_unit(main, each) for each in like}
    reasons = {label: words for label, words in differ.items() if words}
    able = [each for each in like if each.source.label not in reasons]
    if not able or main.match.table.name in job.settings.files:
        return [], "", reasons
    keeping = is_worth_keeping([main, *able])
    contents: list[_Content] = []
    for each in [main, *able]:
        try:
            contents.append(_Content(job, each, workdir, keeping))
        except Unusable as error:
            if each is main:
                return [], "", reasons
            reasons[each.source.label] = str(error)
    parts: list[_Content] = []
    said: list[str] = []
    for content in _compared(contents):
        verdicts = [_verdict(part, content) for part in parts]
        against = next((words for is_part, words in verdicts if not is_part), "")
        if against:
            reasons[content.label] = against
        else:
            said += [
                words
                for words in dict.fromkeys(words for _, words in verdicts)
                if words not in said
            ]
            for part, (_, words) in zip(parts, verdicts, strict=True):
                if words == OVERLAP:
                    older, newer = sorted((part, content), key=_reach)
                    older.elsewhere.append(newer)
            parts.append(content)
    return parts, " or ".join(said), reasons


def _is_like(main: Candidate, other: Candidate) -> bool:
    """Whether two files have the columns that parts of one table have."""
    one, two = set(main.match.places), set(other.match.places)
    if other.match.missing or other.derived or other.match.constants != main.match.constants:
        return False
    if _composed(main) != _composed(other):
        return False
    if main.match.table.name == "payouts" and _paid_apart(main.source, other.source):
        return True
    keys = set(main.match.table.key)
    others = one ^ two
    if main.match.table.name == "posts":
        others -= NUMBERS_OF["posts"]  # each network counts other things
    return one == two or (bool(keys) and keys <= one & two and len(others) <= MOST_OTHER_COLUMNS)


def _paid_apart(one: Source, other: Source) -> bool:
    """Whether one file is called after what is paid for posts, and the other after what is paid for orders."""
    named = [
        [bool(_words(name) & words) for words in (FOR_POSTS, FOR_ORDERS)]
        for name in _names(one, other)
    ]
    return sorted(named) == [[False, True], [True, False]]


def _composed(part: Candidate) -> dict[str, list[str]]:
    """The headers of columns that are made of several."""
    return {
        name: [fold(part.source.headers[place]) for place in how.places]
        for name, how in part.match.composed.items()
    }


def _other_unit(main: Candidate, other: Candidate) -> str:
    """Which headers say different units; all rows would be read in that of the first file."""
    for column in main.match.table:
        if column.kind in NUMBERS:
            headers = [_header(each, column.name) for each in (other, main)]
            if None not in headers and len({header_scale(each or "") for each in headers}) > 1:
                return f"'{headers[0]}' and '{headers[1]}' {OTHER_UNITS}"
    return ""


def _header(part: Candidate, name: str) -> str | None:
    place = part.match.places.get(name)
    return None if place is None else part.source.headers[place]


# --- content --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Hashes:
    """Different hashes of a file, in order, each with how many rows have it.

    ``shared`` are those that another of the compared files has too, the only ones that comparing two of them
    needs: months share next to none.
    """

    values: "np.ndarray"
    counts: "np.ndarray"
    shared: "_Hashes | None" = None

    @classmethod
    def of(cls, found: Any) -> "_Hashes":
        return cls(*np.unique(np.ma.compressed(np.ma.masked_array(found)), return_counts=True))

    def __len__(self) -> int:
        """How many rows have one."""
        return int(self.counts.sum())

    def among(self, values: "np.ndarray") -> "_Hashes":
        """Those that are in an array without repeats."""
        mine = np.isin(self.values, values, assume_unique=True)
        return _Hashes(self.values[mine], self.counts[mine])

    def both(self, other: "_Hashes") -> tuple["np.ndarray", "np.ndarray"]:
        """How many rows have each hash that is in both, here and there."""
        mine = self if self.shared is None else self.shared
        its = other if other.shared is None else other.shared
        if not len(mine.values) or not len(its.values):
            return mine.counts[:0], its.counts[:0]
        _, here, there = np.intersect1d(
            mine.values, its.values, assume_unique=True, return_indices=True
        )
        return mine.counts[here], its.counts[there]


def _compared(contents: "list[_Content]") -> "list[_Content]":
    """Find out once, for all files together, which hashes any two of them share."""
    for name in ("keys", "rows", "rest"):
        all_of_them = [getattr(each, name) for each in contents]
        every = np.sort(np.concatenate([each.values for each in all_of_them]))
        common = np.unique(every[1:][every[1:] == every[:-1]])
        for each, hashes in zip(contents, all_of_them, strict=True):
            setattr(each, name, replace(hashes, shared=hashes.among(common)))
    return contents


@dataclass(eq=False)
class _Content:
    """What one file holds, as far as it tells parts from copies.

    ``keys`` and ``rows`` are hashes of the filled keys and of the rows in the columns of the table, and
    ``once`` says whether no key is there twice. ``rest`` are hashes of the rows without their keys.
    ``plain`` is what is kept of the file, if it is of a kind that is; then the source may be unprepared.
    ``elsewhere`` are files from which the rows that they share with this one are read.
    """

    job: Job
    candidate: Candidate
    workdir: Path
    keeping: bool = False
    source: Source = field(init=False)
    plain: Plain | None = field(init=False, default=None)
    records: int = field(init=False, default=0)
    once: bool = field(init=False, default=False)
    keys: _Hashes = field(init=False)
    rows: _Hashes = field(init=False)
    rest: _Hashes = field(init=False)
    elsewhere: "list[_Content]" = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.source = self.candidate.source
        if self.keeping:
            job = self.job
            self.plain, self.source = plain_part(
                job.con, job.shelf, self.candidate, self.workdir, job.settings.day_first, self._hashed()
            )  # fmt: skip
        if self.plain is not None:
            self._take(f"SELECT k, r, w FROM read_parquet({quoted(self.plain.rows)})")
            return
        self.prepare()
        try:
            self._read()
        except duckdb.Error as first:
            if self.source.kind != "text":
                raise Unusable(
                    f"{self.source.label} cannot be read ({str(first).splitlines()[0]})."
                ) from first
            self.source = prepare(self.candidate.source, self.workdir, self.job.con, anew=True)
            try:
                self._read()
            except duckdb.Error as second:
                raise Unusable(f"{self.source.label} cannot be read.") from second

    def prepare(self) -> None:
        """Make the source one that can be read."""
        if not self.source.query:
            self.source = prepare(self.candidate.source, self.workdir, self.job.con)

    @property
    def label(self) -> str:
        return self.source.label

    @property
    def table(self) -> Table:
        return self.candidate.match.table

    @property
    def places(self) -> Mapping[str, int]:
        return self.candidate.match.places

    @property
    def key(self) -> tuple[str, ...]:
        """The key columns, if the file has all of them."""
        return tuple(self.table.key) if set(self.table.key) <= set(self.places) else ()

    def cell(self, column: str) -> str:
        if column in self.composed:
            return self.composed[column].sql(lambda place: f"c{place}")
        return f"c{self.places[column]}"

    @property
    def composed(self) -> Mapping[str, Made]:
        return self.candidate.match.composed

    def _hashed(self) -> str:
        """SQL over the cells for the hashes: ``k`` of the key, ``r`` of the row, ``w`` of the rest of it."""
        places, headers = self.places, self.source.headers
        known = {*places, *self.composed}
        shared = ", ".join(self.cell(each) for each in sorted(known))
        header = " AND ".join(
            f"lower(trim(coalesce({self.cell(each)}, ''))) = {quoted(headers[places[each]].lower())}"
            for each in self.table.required
            if each in places
        )
        keys = [values.identifier(self.cell(each)) for each in self.key]
        filled = " AND ".join(f"{each} IS NOT NULL" for each in keys)
        others = [self.cell(each) for each in sorted(known - set(self.key))]
        a_row = f"NOT ({header or 'false'}) AND NOT ({self._is_total()})"
        is_filled = f"{a_row} AND concat({shared}) <> ''"
        key = (
            f"CASE WHEN {a_row} AND {filled} THEN hash({', '.join(keys)}) END"
            if keys
            else "NULL::UBIGINT"
        )
        # Hashes of rows are kept beside most of their cells, so that the rest could be found by trying.
        secret = self.job.shelf.secret
        row, rest = sealed(secret, f"hash({shared})"), sealed(secret, f"hash({', '.join(others)})")
        rest = f"CASE WHEN {is_filled} THEN {rest} END" if keys and others else "NULL::UBIGINT"
        return f"{key} AS k, CASE WHEN {is_filled} THEN {row} END AS r, {rest} AS w"

    def _is_total(self) -> str:
        """SQL that is true for a record whose first filled cell says that it is a total."""
        cells = ", ".join(
            f"nullif(trim({self.source.cell(place)}), '')"
            for place in range(len(self.source.headers))
        )
        word = f"regexp_replace(lower(coalesce({cells})), '[^a-z]', '', 'g')"
        # The pattern is asked of short texts alone: few cells of an export are a word.
        return (
            f"CASE WHEN strlen(coalesce({cells})) <= {LONGEST_TOTAL} "
            f"THEN coalesce(regexp_full_match({word}, {quoted(TOTAL_WORDS)}), false) ELSE false END"
        )

    def _read(self) -> None:
        self._take(f"SELECT {self._hashed()} FROM ({self.source.query})")

    def _take(self, query: str) -> None:
        found = self.job.con.execute(query).fetchnumpy()
        self.records = len(found["r"])
        self.keys, self.rows, self.rest = (_Hashes.of(found[each]) for each in "krw")
        self.once = len(self.keys) == len(self.keys.values)

    @cached_property
    def days(self) -> set[date]:
        """The days of the date column; empty where there is none or it says too little."""
        if self.plain is not None:
            return set(self.plain.days)
        column = next((each for each in self.table if each.kind in DATES), None)
        if column is None or column.name not in {*self.places, *self.composed}:
            return set()
        texts = (
            f"(SELECT DISTINCT {_day(self.cell(column.name))} AS raw FROM ({self.source.query}))"
        )
        con = self.job.con
        if one_row(con, f"SELECT count(*) AS n FROM {texts}")["n"] > MOST_DAYS:
            return set()
        counts = dict(
            con.execute(
                f"SELECT reading, count(*) FROM ({dates.date_query(texts, True)}) GROUP BY 1"
            ).fetchall()
        )
        order = dates.decide(
            counts.get("only_day", 0), counts.get("only_month", 0), counts.get("either", 0),
            setting(self.job.settings.day_first, self.table, column),
        )  # fmt: skip
        found = con.execute(
            f"SELECT DISTINCT CAST(value AS DATE) FROM ({dates.date_query(texts, order.day_first)}) "
            "WHERE value IS NOT NULL"
        ).fetchall()
        return {day for (day,) in found}

    def day(self) -> str:
        """SQL for the text of the day; empty where a table has no dates."""
        for column in self.table:
            if column.kind in DATES and column.name in self.places:
                return f"nullif(trim({_day(self.cell(column.name))}), '')"
        return "NULL::VARCHAR"

    def by_day(self) -> str:
        """SQL that gives each row as a hash, with its day as a text."""
        cells = ", ".join(self.cell(each) for each in sorted(self.places))
        return f"SELECT {self.day()} AS day, hash({cells}) AS row FROM ({self.source.query})"

    def texts(self, column: str) -> set[str]:
        """The few texts of a column, without case and punctuation; empty where there are many."""
        cell, rows = self.cell(column), f"({self.source.query})"
        if self.plain is not None:
            cell, rows = f"v_{column}", f"read_parquet({quoted(self.plain.rows)})"
        found = self.job.con.execute(
            f"SELECT DISTINCT {cell} FROM {rows} WHERE {cell} IS NOT NULL LIMIT 2001"
        ).fetchall()
        return {fold(each) or each for (each,) in found} if len(found) <= 2000 else set()


def _day(cell: str) -> str:
    """SQL for a date without its time."""
    return f"coalesce(nullif(regexp_extract({cell}, '^\\s*\\d{{1,4}}[-/.]\\d{{1,2}}[-/.]\\d{{1,4}}'), ''), {cell})"


def _verdict(one: _Content, other: _Content) -> tuple[bool, str]:
    """Whether `other` is a part beside `one`, and why."""
    if _same_bytes(one.source, other.source, one.job):
        return False, f"it is the same file as {one.label} again"
    name, its_name = _names(one.source, other.source)
    words = _words(its_name) ^ _words(name)
    if odd := sorted(words & NOT_COUNTED):
        return False, f"a name with '{odd[0]}' is hardly that of a part"
    if not (one.key and other.key) and (odd := sorted(words & SUMS)):
        return False, f"a name with '{odd[0]}' is that of sums, which may be of the same rows"
    total = len(other.rows)
    here, there = one.rows.both(other.rows)
    same = int(there.sum())
    if not total:
        return False, "it has no rows"
    if same == total:
        return False, f"{one.label} has every row of it"
    if len(here) == len(one.rows.values):
        return False, f"it has every row of {one.label}"
    if one.table.name == "payouts" and _paid_apart(one.source, other.source):
        return True, "their names say that one is paid for posts and the other for orders"
    mine, its = one.days, other.days
    is_part, reason = _by_content(one, other, same, mine, its)
    version = sorted((words & VERSIONS) | set(_VERSION_NUMBER.findall(its_name.lower())))
    if is_part and version and not _apart(mine, its):
        if reason == OVERLAP and one.key:
            return False, _shared(one, other)
        return False, f"a name with '{version[0]}' is that of a version"
    return is_part, reason


def _apart(one: set[date], other: set[date]) -> bool:
    return bool(one) and bool(other) and not one & other


def _interleaved(one: set[date], other: set[date]) -> bool:
    return _apart(one, other) and min(one) < max(other) and min(other) < max(one)


def _by_content(
    one: _Content, other: _Content, same: int, mine: set[date], its: set[date]
) -> tuple[bool, str]:
    """Look at ids, then dates, then names, then labels; `same` rows of `other` are in `one` as well."""
    if one.key and other.key and len(other.keys):
        shared = len(one.keys.both(other.keys)[0])
        what = " and ".join(one.key)
        if not shared:
            if mine & its and (numbers := _other_numbers(one, other)):
                return False, numbers
            again = _again(one, other) if mine & its else 0
            if again >= FEWEST_AGAIN and again in (len(one.rest), len(other.rest)):
                return False, (
                    f"its rows and those of {one.label} are the same under another {what} "
                    f"({text(again, Unit.COUNT)} rows), as in an export that was made twice"
                )
            return True, f"no {what} is in two of them"
        if one.table.name in LISTS and shared <= MOST_SHARED * len(other.keys.values):
            return True, f"few of them are in two ({what})"
        if not same and _apart(mine, its):
            return True, "no date is in two of them"
        if not same and _no_brand_in_both(one, other):
            return True, "no brand is in two of them"  # a shop of its own, with numbers of its own
        if _overlap(one, other, same):
            return True, OVERLAP
        return False, _shared(one, other)
    # Sums of a month stand on one of its days, on which nothing else may have been sold.
    among = one.table.name == "tracking" and _interleaved(mine, its)
    if _apart(mine, its) and not among:
        return True, "no date is in two of them"
    if not (mine and its) and _differ_by_period(*_names(one.source, other.source)):
        return True, "their names differ by a period or a number"
    if same and _overlap_by_day(one, other, mine & its):
        return True, OVERLAP
    if same:
        return (
            False,
            f"{text(same, Unit.COUNT)} of its {text(len(other.rows), Unit.COUNT)} rows {'is' if same == 1 else 'are'} in "
            f"{one.label} too",
        )
    for column in one.table:
        if column.kind is Kind.LABEL and column.name in one.places and column.name in other.places:
            some, more = one.texts(column.name), other.texts(column.name)
            if some and more and not some & more:
                return True, f"no {column.name} is in two of them"
    if among:
        return False, (
            "they share no date, but the dates of one lie among those of the other, as where one holds sums"
        )
    return False, "nothing tells whether it is a part or a version"


def _shared(one: _Content, other: _Content) -> str:
    shared = len(one.keys.both(other.keys)[0])
    return (
        f"{text(shared, Unit.COUNT)} of its {text(len(other.keys.values), Unit.COUNT)} values of "
        f"{' and '.join(one.key)} are in {one.label} too"
    )


def _overlap(one: _Content, other: _Content, same: int) -> bool:
    """Whether two files are exports of one table whose time overlaps; `same` rows of `other` are in `one` as well.

    Most of what is in both must be the same, or be posts, whose counts go on: the same id may stand for another row.
    """
    if one.table.name in LISTS or len(one.key) != 1:
        return False
    if any(len(each.keys) < len(each.rows) or not each.days for each in (one, other)):
        return False  # rows without an id may be in both, too
    if len({*one.places} ^ {*other.places}) > MOST_OTHER_COLUMNS:
        return False  # what is read from the other file would lack what this one counts
    here, there = one.keys.both(other.keys)
    shared = int(there.sum())
    if not bool((here == there).all()):
        return False
    counted = one.table.name == "posts" and one.once and other.once
    later = max(one.days) != max(other.days)
    return same == shared or (later and (counted or 2 * same >= shared))


def _overlap_by_day(one: _Content, other: _Content, both: set[date]) -> bool:
    """Whether two files without ids hold exactly the same rows on all the days that both have."""
    if not both or one.key or other.key:
        return False
    one.prepare()
    other.prepare()
    here, there = (f"(SELECT day, row FROM ({each.by_day()}) WHERE day IN (SELECT day FROM ({its.by_day()})))"
                   for each, its in ((one, other), (other, one)))  # fmt: skip
    found = one_row(
        one.job.con,
        f"SELECT (SELECT count(*) FROM {here}) AS mine, (SELECT count(*) FROM {there}) AS its, "
        f"(SELECT count(*) FROM ({here} EXCEPT ALL {there})) AS differ",
    )
    return FEWEST_AGAIN <= found["mine"] == found["its"] and not found["differ"]


def _no_brand_in_both(one: _Content, other: _Content) -> bool:
    if not all("brand" in each.places for each in (one, other)):
        return False
    some, more = one.texts("brand"), other.texts("brand")
    return bool(some) and bool(more) and not some & more


def _reach(part: _Content) -> tuple[date, str]:
    """How far a file goes; of two that overlap, the one that goes on longer was exported later."""
    return max(part.days), part.label


def _other_numbers(one: _Content, other: _Content) -> str:
    """Why the same orders may be in both under ids of two systems; empty where nothing says so."""
    if one.table.name != "tracking":
        return ""
    headers = [each.source.headers[each.places[each.key[-1]]] for each in (one, other)]
    if fold(headers[0]) == fold(headers[1]):
        return ""
    return (
        f"its rows are numbered by '{headers[1]}', those of {one.label} by '{headers[0]}', and on the same days: "
        "the same orders may be in both"
    )


def _again(one: _Content, other: _Content) -> int:
    """How many rows of two files are the same but for their keys; none where the columns are not the same."""
    if set(one.places) != set(other.places):
        return 0
    here, there = one.rest.both(other.rest)
    return int(np.minimum(here, there).sum())


def _names(one: Source, other: Source) -> tuple[str, str]:
    """What tells two sources apart by name: sheets of one workbook, or else files with their sheets."""
    if one.path == other.path:
        return one.stem, other.stem
    first, second = (f"{each.file_stem} {each.sheet or ''}".strip() for each in (one, other))
    return first, second


def _words(stem: str) -> set[str]:
    return set(re.findall(r"[a-z]+", stem.lower()))


def _differ_by_period(one: str, other: str) -> bool:
    """Whether two names are alike but for months, years and numbers.

    Examples
    --------
    >>> _differ_by_period("payouts_jan", "Payouts Feb"), _differ_by_period("payouts", "payouts_old")
    (True, False)
    """
    one, other = one.lower(), other.lower()
    rest = [fold(_PERIOD.sub(" ", each.replace("_", " "))) for each in (one, other)]
    found = [_PERIOD.findall(each.replace("_", " ")) for each in (one, other)]
    return rest[0] == rest[1] and bool(found[0]) and bool(found[1]) and found[0] != found[1]


def _same_bytes(one: Source, other: Source, job: Job) -> bool:
    if one.size != other.size or one.sheet or other.sheet:
        return False
    known = [job.shelf.hashes.get(each.path.name) for each in (one, other)]
    if known[0] and known[1]:
        return known[0][0] == known[1][0]
    with one.path.open("rb") as first, other.path.open("rb") as second:
        while block := first.read(1 << 20):
            if block != second.read(1 << 20):
                return False
    return True


# --- one source -----------------------------------------------------------------------------------------


def _in_order(parts: Sequence[_Content]) -> list[_Content]:
    """By name, with months and numbers in their own order."""

    def rank(part: _Content) -> list[tuple[int, object]]:
        words = re.findall(r"\d+|[a-z]+", part.label.lower())
        return [
            (0, int(word)) if word.isdigit()
            else (1, f"{_MONTH.index(word[:3]):02d}") if word[:3] in _MONTH and _PERIOD.fullmatch(word)
            else (2, word)
            for word in words
        ]  # fmt: skip

    return sorted(parts, key=lambda part: (rank(part), part.label))


def _joined(job: Job, parts: list[_Content]) -> Candidate:
    """Make one source that reads the parts after one another, each column under one header."""
    parts[:] = _in_order(parts)
    plain = () if any(part.elsewhere for part in parts) else _all_plain(parts)
    if not plain:
        for part in parts:
            part.prepare()
    first = parts[0]
    table = first.candidate.match.table
    headers = list(first.source.headers)
    columns: dict[str, int] = dict(
        first.candidate.match.places
    )  # canonical name to place in the whole
    by_header = {fold(header): place for place, header in reversed(list(enumerate(headers)))}
    places: list[dict[int, int]] = []  # of each part: place in the whole to its own
    for part in parts:
        mine = {}
        names = {place: name for name, place in part.candidate.match.places.items()}
        for place, header in enumerate(part.source.headers):
            target = columns.get(names[place]) if place in names else by_header.get(fold(header))
            if part is first:
                target = place
            if target is None or target in mine:
                target = len(headers)
                headers.append(header)
                by_header.setdefault(fold(header), target)
                if place in names:
                    columns[names[place]] = target
            mine[target] = place
        places.append(mine)
    types = () if plain else _common_types(parts, places, len(headers))
    selects = [
        f"SELECT {_cells(part, mine, len(headers), types)}, {_bad(part)} AS bad FROM ({part.source.query})"
        for part, mine in zip(parts, places, strict=True)
        if not plain
    ]
    head = tuple(
        tuple(
            row[mine[at]] if at in mine and mine[at] < len(row) else ""
            for at in range(len(headers))
        )
        for row, mine in ((row, places[0]) for row in first.source.head)
    )
    source = replace(
        first.source,
        headers=tuple(headers),
        head=head,
        size=sum(part.source.size for part in parts),
        kind="parts",
        notes=tuple(note for part in parts for note in part.source.notes),
        query=" UNION ALL ".join(selects),
        marked=any(part.source.marked or part.elsewhere for part in parts),
        volume=sum(part.source.volume for part in parts),
        types=types,
        records=sum(part.source.records for part in parts),
        unlike=_are_unlike(parts),
        parts=tuple((part.source, part.records) for part in parts),
        plain=plain,
    )
    found = match(table, headers, job.settings.columns.get(table.name), head)
    return Candidate(
        source,
        replace(
            found,
            places={
                name: place
                for name, place in {**found.places, **columns}.items()
                if name not in first.candidate.match.composed
            },
            missing=(),
            constants=first.candidate.match.constants,
            composed=first.candidate.match.composed,
        ),
        first.candidate.name_hit,
        False,
    )


def _common_types(
    parts: Sequence[_Content], places: Sequence[Mapping[int, int]], width: int
) -> tuple[str, ...]:
    """The types that all parts store each column in; text where they differ; none where no part has any."""
    found = []
    for at in range(width):
        kinds = {
            part.source.types[mine[at]] if part.source.types else "VARCHAR"
            for part, mine in zip(parts, places, strict=True)
            if at in mine
        }
        found.append(kinds.pop() if len(kinds) == 1 else "VARCHAR")
    return tuple(found) if any(kind != "VARCHAR" for kind in found) else ()


def _cells(part: _Content, mine: Mapping[int, int], width: int, types: Sequence[str]) -> str:
    """Select the cells of a part as those of the whole: texts, and the values where all store such."""
    cells = [f"{f'c{mine[at]}' if at in mine else 'NULL::VARCHAR'} AS c{at}" for at in range(width)]
    for at, kind in enumerate(types):
        value = part.source.cell(mine[at]) if at in mine else "NULL"
        if at in mine and kind != "VARCHAR":
            value = f"d{mine[at]}"
        cells.append(f"CAST({value} AS {kind}) AS d{at}")
    return ", ".join(cells)


def _bad(part: _Content) -> str:
    """Why a record is not read: that it is in another part as well, beside what the file itself says."""
    if not part.elsewhere:
        return "bad"
    what = [
        values.identifier(each.cell(each.key[0])) if each.key else each.day()
        for each in (part, *part.elsewhere)
    ]
    theirs = " UNION ALL ".join(
        f"SELECT {cell} AS it FROM ({each.source.query})"
        for cell, each in zip(what[1:], part.elsewhere, strict=True)
    )
    return (
        f"CASE WHEN bad IS NULL AND {what[0]} IN (SELECT it FROM ({theirs}) WHERE it IS NOT NULL) "
        f"THEN '{ELSEWHERE}' ELSE bad END"
    )


def _all_plain(parts: Sequence[_Content]) -> tuple[Plain, ...]:
    """What is kept of the parts, if that is one table; else they are read as they stand."""
    kept = [part.plain for part in parts if part.plain is not None]
    if len(kept) < len(parts) or not are_alike(kept, parts[0].table.key):
        return ()
    return tuple(kept)


def _are_unlike(parts: Sequence[_Content]) -> bool:
    """Whether every part has keys, and no key is there twice in all of them."""
    if not all(part.key and part.once for part in parts):
        return False
    every = np.sort(np.concatenate([part.keys.values for part in parts]))
    return not bool((every[1:] == every[:-1]).any())


# --- words ----------------------------------------------------------------------------------------------


def _tell_again(job: Job, table: str, parts: Sequence[_Content]) -> None:
    """Warn where many rows of one part are in an earlier one under another key."""
    for at, other in enumerate(parts):
        for one in parts[:at]:
            if other in one.elsewhere or one in other.elsewhere:
                _tell_differing(job, table, one, other)
                continue
            again = _again(one, other) if one.key and other.key else 0
            if again >= max(FEWEST_AGAIN, MOST_AGAIN * min(len(one.rest), len(other.rest))):
                what = " and ".join(one.key)
                job.say(
                    table,
                    one.key[-1],
                    "rows_again",
                    "warning",
                    again,
                    f"{table}: {text(again, Unit.COUNT)} rows of {other.label} are in {one.label} too but for their "
                    f"{what}, and are counted twice. If it is a later export of the same rows, remove it, or say "
                    f"{map_option(table, one.label)} to read that alone.",
                )


def _tell_differing(job: Job, table: str, one: _Content, other: _Content) -> None:
    """Warn of rows that two files have with other values, and say which of them count."""
    if not one.key:
        return
    older, newer = sorted((one, other), key=_reach)
    differ = int(older.keys.both(newer.keys)[0].sum() - newer.rows.both(older.rows)[1].sum())
    if differ:
        job.say(
            table, older.key[0], "overlap_differs", "warning", differ,
            f"{table}: {text(differ, Unit.COUNT)} {rows_words(differ)} of {older.label} "
            f"{'has' if differ == 1 else 'have'} other values in {newer.label}, which goes on longer; those count.",
        )  # fmt: skip


def _tell_joined(job: Job, table: str, parts: Sequence[_Content], reason: str) -> None:
    shown = [
        f"{part.label} ({text(len(part.rows), Unit.COUNT)} {rows_words(len(part.rows))})"
        for part in parts[:12]
    ]
    named = ", ".join(shown) + (f" and {len(parts) - 12} more" if len(parts) > 12 else "")
    otherwise = _called_otherwise(parts)
    job.say(
        table,
        None,
        "parts_joined",
        "warning" if otherwise else "note",
        len(parts),
        f"{table}: {len(parts)} files are read as one table: {named}; {reason}. {otherwise}To read one alone, say "
        f"{map_option(table, parts[0].label)}.",
    )


def _called_otherwise(parts: Sequence[_Content]) -> str:
    """Which amounts have another header in another part, as gross and net sales have."""
    found = []
    first = parts[0]
    for column in first.table:
        one = _header(first.candidate, column.name)
        for part in parts[1:] if column.kind is Kind.MONEY and one else ():
            other = _header(part.candidate, column.name)
            if other and _without_unit(other) != _without_unit(one or ""):
                found.append(
                    f"{column.name} is '{one}' in {first.label} and '{other}' in {part.label}; if they are not the same "
                    "amount, read one alone. "
                )
                break
    return "".join(found)


def _without_unit(header: str) -> str:
    return fold(UNITS_IN_HEADERS.sub("", header))


def _tell_left(
    job: Job, taken: Candidate, other: Candidate, reason: str, joined: Sequence[str]
) -> None:
    table, label, name = other.match.table.name, other.source.label, taken.source.label
    files = "it and its other parts were taken" if len(joined) > 1 else "it was taken"
    severity: str = "note"
    if other.derived:
        message = f"{table}: {name} was taken; {label} looks like a summary made from other tables and was left."
    elif _same_bytes(taken.source, other.source, job):
        message = f"{table}: {name} was taken; {label} is the same file again."
        if (
            _differ_by_period(taken.source.stem, other.source.stem)
            or taken.source.brand != other.source.brand
        ):
            severity = "warning"
            message += f" If both are rightly the same, say {map_option(table, name)} {map_option(table, label)}."
    elif reason:
        severity = "warning"
        both = (
            "to read both, write them in one unit"
            if reason.endswith(OTHER_UNITS)
            else "to read both, say it once for each"
        )
        message = (
            f"{table}: {label} was left beside {name} ({files}): {reason}. To use it instead, say "
            f"{map_option(table, label)}; {both}."
        )
    else:
        severity = "warning"
        message = (
            f"{table}: {name} was taken ({len(taken.match.places)} known columns, "
            f"{taken.source.size} bytes); {label} ({len(other.match.places)} known columns, "
            f"{other.source.size} bytes) was left. To use it instead, say {map_option(table, label)}; if both "
            f"are parts of one table, say {map_option(table, name)} {map_option(table, label)}."
        )
    job.say(table, None, "file_left", "warning" if severity == "warning" else "note", 1, message)


def _tell_unfit(job: Job, other: Candidate) -> None:
    table, label = other.match.table.name, other.source.label
    job.say(
        table,
        None,
        "file_left",
        "warning",
        1,
        f"{label} was not used for {table}: it looks like a summary made from other tables. "
        f"If it is the export itself, say {map_option(table, label)}.",
    )
