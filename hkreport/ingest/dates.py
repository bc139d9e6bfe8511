"""Which day a cell means, and which way round a column writes it.

ISO dates are cast by the reading query itself, and day/month/year dates in the way that the first rows
show. What that leaves comes here, each distinct text once. The decision between day first and month
first is made for a column as a whole, from every value that can only be read one way.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hkreport.ingest.read import quoted
from hkreport.ingest.values import nothing

__all__ = ["Order", "date_query", "decide", "fast_date", "files_apart", "shape_query"]

INDIA_MINUTES = 330  # Asia/Kolkata is UTC+05:30 all year
FIRST_YEAR, LAST_YEAR = 1990, 2100  # outside these a number is hardly a date
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
# What months are called where their English beginning is not: in Hindi, German, French and Spanish.
OTHER_MONTHS: Mapping[str, str] = {
    "jan": "जनवरी|जन|jän|ene", "feb": "फ़रवरी|फरवरी|फ़र|फर|fév|fev", "mar": "मार्च|mär|mae",
    "apr": "अप्रैल|avr|abr", "may": "मई|mai", "jun": "जून|juin", "jul": "जुलाई|juil",
    "aug": "अगस्त|aoû|aou|ago", "sep": "सितंबर|सितम्बर|सित", "oct": "अक्टूबर|अक्तूबर|अक्टू|okt",
    "nov": "नवंबर|नवम्बर|नव", "dec": "दिसंबर|दिसम्बर|दिस|dez|déc|dic",
}  # fmt: skip


@dataclass(frozen=True)
class Order:
    """How a column's numeric dates are read, and what spoke for it.

    Attributes
    ----------
    day_first : bool
    only_day_first, only_month_first, either : int
        Values that can be read one way only, and those that can be read both ways.
    chosen_by : str
        ``data``, ``setting`` or ``default``.
    """

    day_first: bool
    only_day_first: int
    only_month_first: int
    either: int
    chosen_by: str


def decide(only_day: int, only_month: int, either: int, setting: bool | None) -> Order:
    """Choose day first or month first for one column.

    Examples
    --------
    >>> decide(0, 12, 5, None).day_first, decide(0, 0, 5, None).chosen_by
    (False, 'default')
    """
    if setting is not None:
        return Order(setting, only_day, only_month, either, "setting")
    if only_day == only_month:
        return Order(True, only_day, only_month, either, "default")
    return Order(only_day > only_month, only_day, only_month, either, "data")


def files_apart(orders: Sequence[Order]) -> bool:
    """Whether some files of one table can only be day first, and others only month first.

    Examples
    --------
    >>> files_apart([decide(0, 12, 5, None), decide(9, 0, 5, None), decide(0, 0, 3, None)])
    True
    >>> files_apart([decide(0, 12, 5, None), decide(9, 1, 5, None)])
    False
    """
    clear = [each for each in orders if not (each.only_day_first and each.only_month_first)]
    return any(each.only_day_first for each in clear) and any(
        each.only_month_first for each in clear
    )


def shape_query(relation: str) -> str:
    """Count the shapes of the texts ``raw`` in `relation`: numeric dates by separator and order."""
    parts = "regexp_extract(trim(raw), '^([0-9]{1,2})([-/.])([0-9]{1,2})[-/.]([0-9]{4})$', ['a', 's', 'b', 'y'])"
    return f"""
    SELECT p.s AS separator, count(*) AS cells,
           count(*) FILTER (TRY_CAST(p.a AS INT) > 12) AS only_day,
           count(*) FILTER (TRY_CAST(p.b AS INT) > 12) AS only_month
    FROM (SELECT {parts} AS p FROM {relation}) WHERE p.s <> '' GROUP BY ALL ORDER BY 2 DESC"""


def fast_date(cell: str, *, timestamp: bool, separator: str = "", day_first: bool = True) -> str:
    """Build SQL that reads the common shapes of one cell, and is NULL for every other.

    Only shapes without a zone and without doubt are read here: ``2025-06-14``, the same with a time
    to seconds or microseconds, and ``14/06/2025`` where the column is of that shape.
    """
    kind = "TIMESTAMP" if timestamp else "DATE"
    stamp = f"CAST(TRY_CAST({cell} AS TIMESTAMP) AS {kind})"
    cases = [
        f"WHEN strlen({cell}) = 10 AND substr({cell}, 5, 1) = '-' THEN TRY_CAST({cell} AS {kind})",
        f"WHEN strlen({cell}) = 19 AND substr({cell}, 17, 1) = ':' AND substr({cell}, 5, 1) = '-' "
        f"THEN {stamp}",
        f"WHEN strlen({cell}) = 26 AND substr({cell}, 20, 1) = '.' AND substr({cell}, 5, 1) = '-' "
        f"AND substr({cell}, 24, 3) BETWEEN '000' AND '999' THEN {stamp}",
    ]
    if separator:
        form = f"%d{separator}%m{separator}%Y" if day_first else f"%m{separator}%d{separator}%Y"
        cases.append(
            f"WHEN strlen({cell}) <= 10 AND substr({cell}, strlen({cell}) - 4, 1) = {quoted(separator)} "
            f"THEN CAST(try_strptime({cell}, {quoted(form)}) AS {kind})"
        )
    return f"CASE {' '.join(cases)} END"


def date_query(relation: str, day_first: bool) -> str:
    """Read the texts ``raw`` of `relation` as moments in Indian time.

    Returns
    -------
    str
        SQL giving ``raw``, ``value`` TIMESTAMP, ``kind`` (``nothing``, ``iso``, ``numeric``,
        ``short_year``, ``words``, ``month``, ``week``, ``serial``, ``epoch``, ``compact``, ``unreadable``), ``zoned``,
        and for numeric dates ``reading``: ``only_day``, ``only_month`` or ``either``.
    """
    months = "[" + ", ".join(quoted(m) for m in MONTHS) + "]"
    time = (
        r"(?:(?:t|,|\s|:)\s*(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,](\d{1,9}))?)?\s*"
        r"(am|pm|a\.m\.|p\.m\.)?\s*(z|utc|gmt|ist|asia/kolkata|asia/calcutta|"
        r"(?:utc|gmt)?[+-]\d{1,2}:?\d{2}|[+-]\d{2})?(?:\s*(?:utc|ist|\(.*\)|\[.*\]))?)?$"
    )
    week = r"^(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?[,\s]+)?"
    # A month without its day is read as the first: 2025-01, 01/2025, Jan 2025, January-2025, Jan-25.
    months_only = (
        r"\d{4}[-/](0[1-9]|1[0-2])|(0?[1-9]|1[0-2]) ?[-/] ?\d{4}|"
        r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?([-/,. ']+\d{4}|[-']\d{2})"
    )
    month = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
    forms = {
        "ymd": (r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + time, ("y", "m", "d")),
        "num": (week + r"(\d{1,2})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*(\d{4}|\d{2})" + time, ("a", "b", "y")),
        "dmy": (week + r"(\d{1,2})(?:st|nd|rd|th|er)?(?:\s+of)?[-/.,\s]*" + month + r"[-/.,'\s]*(\d{4}|\d{2})" + time,
                ("d", "w", "y")),
        "mdy": (week + month + r"[-/.\s]*(\d{1,2})(?:st|nd|rd|th)?[-/.,'\s]+(\d{4}|\d{2})" + time,
                ("w", "d", "y")),
        "ywd": (r"^(\d{4})[-/.\s]" + month + r"[-/.\s](\d{1,2})" + time, ("y", "w", "d")),
        "cmp": (r"^(\d{4})(\d{2})(\d{2})(?:t?(\d{2})(\d{2})(\d{2})?()()(z)?)?$", ("y", "m", "d")),
    }  # fmt: skip
    tail = ("h", "i", "s", "f", "p", "z")
    extracts = ",\n".join(
        f"regexp_extract(t, {quoted(pattern)}, {_names((*head, *tail))}) AS {name}"
        for name, (pattern, head) in forms.items()
    )
    first = "true" if day_first else "false"
    number = "TRY_CAST(t AS DECIMAL(20, 6))"
    return f"""
    WITH written AS (
        SELECT raw, lower(regexp_replace(trim(raw, ' \t\u00a0\u200b\ufeff''"'), '[\\s\\p{{Z}}]+', ' ', 'g')) AS t
        FROM {relation}
    ), cells AS (
        SELECT raw, {_in_english("t")} AS t, {_monday("t")} AS monday FROM written
    ), texts AS (
        SELECT raw, monday IS NOT NULL AS is_week, regexp_full_match(t, {quoted(months_only)}) AS is_month,
            CASE WHEN is_week THEN CAST(monday AS VARCHAR)
                 WHEN NOT is_month THEN t
                 WHEN t < 'a' THEN regexp_replace(replace(t, '/', '-'), '^(\\d{{1,2}}) ?- ?(\\d{{4}})$', '\\2-\\1') || '-01'
                 ELSE '1 ' || t END AS t
        FROM cells
    ), forms AS (
        SELECT raw, t, is_week, is_month, {extracts} FROM texts
    ), parts AS (
        SELECT raw, t, is_week, is_month, CASE
            WHEN {nothing("raw")} THEN 'nothing'
            WHEN ymd.y <> '' THEN 'iso'
            WHEN num.y <> '' THEN CASE WHEN strlen(num.y) = 2 THEN 'short_year' ELSE 'numeric' END
            WHEN dmy.y <> '' OR mdy.y <> '' OR ywd.y <> '' THEN 'words'
            WHEN cmp.y <> '' AND TRY_CAST(cmp.y AS INT) BETWEEN {FIRST_YEAR} AND {LAST_YEAR}
                 AND TRY_CAST(cmp.m AS INT) BETWEEN 1 AND 12 THEN 'compact'
            WHEN regexp_full_match(t, '[2-7][0-9]{{4}}(\\.[0-9]+)?') THEN 'serial'
            WHEN regexp_full_match(t, '1[0-9]{{9}}(\\.[0-9]+)?|1[0-9]{{12}}(\\.0)?|1[0-9]{{15}}') THEN 'epoch'
            ELSE 'unreadable' END AS kind,
            CASE WHEN ymd.y <> '' THEN ymd WHEN num.y <> '' THEN {_renamed("num", a="d", b="m")}
                 WHEN dmy.y <> '' THEN {_renamed("dmy", w="m")}
                 WHEN mdy.y <> '' THEN {_renamed("mdy", w="m")}
                 WHEN ywd.y <> '' THEN {_renamed("ywd", w="m")} ELSE cmp END AS p
        FROM forms
    ), ordered AS (
        SELECT *, CASE WHEN kind IN ('numeric', 'short_year') THEN CASE
                WHEN TRY_CAST(p.d AS INT) > 12 AND TRY_CAST(p.m AS INT) > 12 THEN 'neither'
                WHEN TRY_CAST(p.d AS INT) > 12 THEN 'only_day'
                WHEN TRY_CAST(p.m AS INT) > 12 THEN 'only_month'
                WHEN TRY_CAST(p.d AS INT) = TRY_CAST(p.m AS INT) THEN 'same'
                ELSE 'either' END END AS reading,
            CASE WHEN strlen(p.y) = 2
                THEN CASE WHEN TRY_CAST(p.y AS INT) < 70 THEN '20' ELSE '19' END || p.y
                ELSE p.y END AS year
        FROM parts
    ), days AS (
        SELECT *, CASE
            WHEN kind = 'words' THEN TRY_CAST(year || '-' || list_position({months}, p.m) || '-' || p.d AS DATE)
            WHEN reading = 'only_month' OR (reading = 'either' AND NOT {first})
                THEN TRY_CAST(year || '-' || p.d || '-' || p.m AS DATE)
            WHEN kind IN ('iso', 'numeric', 'short_year', 'compact')
                THEN TRY_CAST(year || '-' || p.m || '-' || p.d AS DATE) END AS day
        FROM ordered
    ), moments AS (
        SELECT *, coalesce(TRY_CAST(p.h AS INT), 0) AS hour24, CASE
            WHEN p.z IN ('z', 'utc', 'gmt') THEN 0
            WHEN p.z IN ('', 'ist', 'asia/kolkata', 'asia/calcutta') OR p.z IS NULL THEN {INDIA_MINUTES}
            ELSE (CASE WHEN contains(p.z, '-') THEN -1 ELSE 1 END) * (
                TRY_CAST(regexp_extract(p.z, '[+-](\\d{{1,2}}?):?(\\d{{2}})?$', 1) AS INT) * 60
                + coalesce(TRY_CAST(nullif(regexp_extract(p.z, '[+-](\\d{{1,2}}?):?(\\d{{2}})?$', 2), '') AS INT), 0))
            END AS zone
        FROM days
    ), clocks AS (
        SELECT *, CASE
            WHEN p.p LIKE 'p%' AND hour24 < 12 THEN hour24 + 12
            WHEN p.p LIKE 'a%' AND hour24 = 12 THEN 0 ELSE hour24 END AS hour
        FROM moments
    ), valued AS (
        SELECT raw, is_week, is_month, kind, reading, coalesce(p.z, '') NOT IN ('', 'ist', 'asia/kolkata', 'asia/calcutta')
                AND kind NOT IN ('serial', 'epoch') AS zoned,
            CASE kind
            WHEN 'serial' THEN TIMESTAMP '1899-12-30' + to_microseconds(CAST({number} * 86400000000 AS BIGINT))
            WHEN 'epoch' THEN TIMESTAMP '1970-01-01' + to_minutes({INDIA_MINUTES}) + to_microseconds(CAST(
                CASE WHEN strlen(split_part(t, '.', 1)) = 10 THEN {number} * 1000000
                     WHEN strlen(split_part(t, '.', 1)) = 13 THEN {number} * 1000 ELSE {number} END AS BIGINT))
            ELSE CASE WHEN hour <= 23 AND coalesce(TRY_CAST(nullif(p.i, '') AS INT), 0) <= 59
                       AND coalesce(TRY_CAST(nullif(p.s, '') AS INT), 0) <= 60 THEN
                CAST(day AS TIMESTAMP) + to_minutes(hour * 60 + coalesce(TRY_CAST(nullif(p.i, '') AS INT), 0)
                    + {INDIA_MINUTES} - zone)
                + to_microseconds(CAST(coalesce(TRY_CAST(nullif(p.s, '') AS BIGINT), 0) * 1000000
                    + CAST(rpad(substr(coalesce(p.f, ''), 1, 6), 6, '0') AS BIGINT) AS BIGINT)) END
            END AS value
        FROM clocks
    )
    SELECT raw, CASE WHEN year(value) BETWEEN {FIRST_YEAR} AND {LAST_YEAR} THEN value END AS value,
        CASE WHEN kind = 'nothing' THEN kind
             WHEN value IS NULL OR year(value) NOT BETWEEN {FIRST_YEAR} AND {LAST_YEAR} THEN 'unreadable'
             WHEN is_week THEN 'week' WHEN is_month THEN 'month' ELSE kind END AS kind,
        zoned, CASE WHEN value IS NOT NULL THEN reading END AS reading
    FROM valued"""


def _in_english(cell: str) -> str:
    """Build SQL that puts the English abbreviation for a month that is named in another language."""
    word, rest = r"(^|[^\p{L}\p{M}])(?:", r")[\p{L}\p{M}]*\.?"
    every = word + "|".join(OTHER_MONTHS.values()) + rest
    change = f"nfc_normalize({cell})"
    for name, others in OTHER_MONTHS.items():
        names = unicodedata.normalize("NFC", others)
        change = f"regexp_replace({change}, {quoted(word + names + rest)}, {quoted(chr(92) + '1' + name)})"
    every = unicodedata.normalize("NFC", every)
    return f"CASE WHEN regexp_matches(nfc_normalize({cell}), {quoted(every)}) THEN {change} ELSE {cell} END"


def _monday(cell: str) -> str:
    """Build SQL for the first day of a week by its number, as 2025-W23 or W23 2025; NULL for all else."""
    form = r"(?:(\d{4})[- ]?(?:w|kw|week)[- ]?(\d{1,2})|(?:w|kw|week)[- ]?(\d{1,2})[-/, ]+(\d{4}))"
    year, week = (
        f"concat({', '.join(f'regexp_extract({cell}, {quoted(form)}, {group})' for group in groups)})"
        for groups in ((1, 4), (2, 3))
    )
    # The 4th of January lies in the first week of its year, whatever its weekday.
    first = f"date_trunc('week', TRY_CAST({year} || '-01-04' AS DATE))"
    day = f"CAST({first} AS DATE) + 7 * (TRY_CAST({week} AS INTEGER) - 1)"
    known = f"regexp_full_match({cell}, {quoted(form)}) AND isoyear({day}) = TRY_CAST({year} AS INTEGER)"
    return f"CASE WHEN {known} THEN {day} END"


def _names(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(quoted(name) for name in names) + "]"


def _renamed(form: str, **new: str) -> str:
    """Build a struct with the fields y, m, d and the time, from a form that calls some otherwise."""
    old = {target: source for source, target in new.items()}
    fields = ("y", "m", "d", "h", "i", "s", "f", "p", "z")
    return "{" + ", ".join(f"'{name}': {form}.{old.get(name, name)}" for name in fields) + "}"
