"""What a cell says: numbers, ids, labels and flags in the spellings that exports use.

A plain number is cast by the reading query itself. What that cannot cast comes here, each distinct text
once, and is read by :func:`number_query` or, for the few known words of a label, by a dictionary.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hkreport.ingest.read import quoted
from hkreport.schema import Column, Kind, fold

__all__ = [
    "NOBODY",
    "NOTHING",
    "LabelChange",
    "channel",
    "fast_flag",
    "flag",
    "is_address",
    "label_map",
    "network_in",
    "network_of",
    "nothing",
    "number_evidence",
    "number_query",
    "says_percent",
]

# Words for an empty cell; a pattern, since DuckDB turns a long IN list into a join.
NOTHING = (
    r"(?i)\s*(|-{1,3}|–|—|nan|n/?a|n\.a\.?|#n/a|null|none|nil|nat|<na>|\((null|blank|none|not set)\)|\\n"
    r"|not (applicable|available|set)"
    r"|#(value|ref|div/0|null|name)[!?])\s*"
)

LONGEST_NOTHING = len(" not applicable ")
# What stands for nobody where an order names its influencer, folded; an id may be such a word elsewhere.
NOBODY = frozenset(
    """0 organic organictraffic direct directtraffic website unknown unattributed noinfluencer nocreator
    noaffiliate nocoupon nocouponcode nocode noreferral""".split()
)

PLATFORMS: Mapping[str, tuple[str, ...]] = {
    "Instagram": ("instagram", "insta", "ig", "instagramreels", "instareels", "instagramcom",
                  "instagramstory", "igreels", "instagrm"),
    "YouTube": ("youtube", "yt", "youtubeshorts", "ytshorts", "youtubecom", "utube"),
    "Twitter": ("twitter", "x", "tw", "twitterx", "xtwitter", "xformerlytwitter", "twittercom",
                "xcom"),
    "TikTok": ("tiktok", "tt", "tiktokcom"),
    "Facebook": ("facebook", "fb", "facebookcom", "meta"),
    "LinkedIn": ("linkedin", "li", "linkedincom"),
    "Snapchat": ("snapchat", "snap"),
    "Pinterest": ("pinterest",),
    "Threads": ("threads",),
    "Telegram": ("telegram",),
    "ShareChat": ("sharechat",),
    "Moj": ("moj",),
}  # fmt: skip
NETWORKS = frozenset(word for words in PLATFORMS.values() for word in words)
# Short words that name a network among others of a header; 'tt', 'li' or 'meta' mean other things there.
SHORT_NETWORKS = {"insta": "Instagram", "ig": "Instagram", "yt": "YouTube", "fb": "Facebook"}
# Sites of networks, and those that they shorten their own addresses to.
HOSTS = {
    "Instagram": ("instagram.com", "instagr.am"),
    "YouTube": ("youtube.com", "youtu.be"),
    "Twitter": ("twitter.com", "x.com"),
    "TikTok": ("tiktok.com",),
    "Facebook": ("facebook.com", "fb.com", "fb.watch"),
    "LinkedIn": ("linkedin.com", "lnkd.in"),
    "Snapchat": ("snapchat.com",),
    "Pinterest": ("pinterest.com", "in.pinterest.com", "pin.it"),
    "Threads": ("threads.net", "threads.com"),
    "Telegram": ("t.me",),
    "ShareChat": ("sharechat.com",),
    "Moj": ("mojapp.in",),
}
_ADDRESSES = {
    network: rf"^\s*(https?://)?((www|m|mobile|web|vm|vt|in)[.])?({'|'.join(hosts).replace('.', '[.]')})([/?#:].*)?$"
    for network, hosts in HOSTS.items()
}
GENDERS: Mapping[str, tuple[str, ...]] = {
    "Female": ("female", "f", "w", "woman", "women", "girl", "fem", "she"),
    "Male": ("male", "m", "man", "men", "boy", "he"),
    "Other": ("other", "others", "o", "nonbinary", "nb", "enby", "x", "transgender", "trans",
              "genderqueer", "agender", "nonconforming", "diverse", "prefernottosay"),
}  # fmt: skip
BASES: Mapping[str, tuple[str, ...]] = {
    "post": ("post", "posts", "perpost", "postbased", "payperpost", "postbasis", "costperpost",
             "fixedperpost", "cpp", "content", "fixed", "flat", "fixedfee", "flatfee"),
    "order": ("order", "orders", "perorder", "orderbased", "payperorder", "orderbasis", "cpo",
              "commission", "sale", "sales", "persale", "cps", "affiliate", "cpa", "performance",
              "costperorder", "revshare", "revenueshare", "commissiononly"),
    "hybrid": ("hybrid", "both", "mixed", "postorder", "postandorder", "orderpost",
               "orderandpost", "postplusorder", "hybridmodel"),
}  # fmt: skip
ARMS: Mapping[str, tuple[str, ...]] = {
    "treatment": ("treatment", "treated", "treat", "test", "t", "exposed", "variant", "testgroup",
                  "treatmentgroup", "intervention"),
    "control": ("control", "ctrl", "c", "holdout", "unexposed", "controlgroup", "baseline"),
}  # fmt: skip
TOUCHES: Mapping[str, tuple[str, ...]] = {
    "view": ("view", "views", "viewed", "impression", "impressions", "seen", "viewthrough"),
    "click": ("click", "clicks", "clicked", "clickthrough", "tap", "swipeup"),
}
KNOWN_LABELS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "platform": PLATFORMS,
    "gender": GENDERS,
    "basis": BASES,
    "arm": ARMS,
    "touch": TOUCHES,
}
# Columns where a word outside the list is not used, since metrics depend on it.
CLOSED_LABELS = frozenset({"basis", "gender", "touch"})
UNKNOWN_WORDS = frozenset(
    {"unknown", "notknown", "notspecified", "unspecified", "undisclosed", "notavailable"}
)

YES = frozenset("yes y true t 1 10 incremental new first firsttime".split())
NO = frozenset(
    "no n false f 0 00 nonincremental notincremental returning repeat existing old".split()
)

MOST = "999999999999.999999"  # what DECIMAL(18, 6) holds

_FOREIGN = r"[$€£¥]|usd|eur|gbp|aed"
_NUMBER = (
    r"^(\(?)([+−–-]?)(\(?)([0-9][0-9.,'’]*|[.,][0-9]+)(e[+-]?[0-9]{1,2})?"
    r"(crores?|crs?\.?|lakhs?|lacs?|lks?|l|thousand|k|millions?|mn|mio|mm|m|billions?|bn|b)?"
    r"(%?)(\)*)(-?)(cr|dr)?$"
)


def nothing(expression: str) -> str:
    """Build SQL that is true where the text stands for an empty cell."""
    # The first character tells most texts apart, at a small part of what a pattern costs.
    starts = " OR ".join(
        f"{expression} >= {quoted(low)} AND {expression} < {quoted(high)}"
        for low, high in (("<", "="), ("N", "O"), ("\\", "]"), ("n", "o"))
    )
    return (
        f"(strlen({expression}) <= {LONGEST_NOTHING} AND ({expression} < '0' OR {expression} >= '\x7f' OR {starts}) "
        f"AND regexp_full_match({expression}, {quoted(NOTHING)}))"
    )


BLANKS = " \t\r\n\u00a0\u200b\ufeff"


def text(cell: str) -> str:
    """Build SQL for a trimmed text, NULL where it stands for an empty cell."""
    odd = (
        f"{cell} < '!' OR {cell} >= '\x7f' OR suffix({cell}, ' ') OR suffix({cell}, '\t') "
        f"OR suffix({cell}, '\r') OR suffix({cell}, '\n') OR suffix({cell}, '\u00a0')"
    )
    return (
        f"CASE WHEN {nothing(cell)} THEN NULL WHEN {odd} "
        f"THEN nullif(trim({cell}, '{BLANKS}'), '') ELSE {cell} END"
    )


def identifier(cell: str) -> str:
    """Build SQL for an id: trimmed, and 17.0 as 17."""
    clean = text(cell)
    return (
        f"CASE WHEN suffix({cell}, '0') AND contains({cell}, '.') AND regexp_full_match({cell}, '\\s*-?[0-9]+[.]0+') "
        f"THEN split_part(trim({cell}), '.', 1) ELSE {clean} END"
    )


def is_nothing(cell: str) -> bool:
    """Whether a text stands for an empty cell.

    Examples
    --------
    >>> is_nothing(" N/A "), is_nothing("0")
    (True, False)
    """
    return re.fullmatch(NOTHING, cell) is not None


def number_query(
    relation: str,
    *,
    decimal_comma: bool,
    percent: bool,
    foreign: bool,
    whole_is_percent: bool = False,
) -> str:
    """Read the texts of `relation` (column ``raw``) as numbers.

    Parameters
    ----------
    relation : str
        SQL relation with one column ``raw``, each text once.
    decimal_comma : bool
        Whether a lone comma or dot is read the European way: ``1.234`` is 1234.
    percent : bool
        Whether ``12%`` makes sense here, as 0.12.
    foreign : bool
        Whether amounts with a foreign currency sign are taken as they are.

    Returns
    -------
    str
        SQL giving ``raw``, ``value`` DECIMAL(38, 16) and ``kind``: ``nothing``, ``formatted``,
        ``scaled``, ``percent``, ``brackets``, ``comma``, ``foreign``, ``too_large``, ``unreadable``.
    """
    comma = "true" if decimal_comma else "false"
    return f"""
    WITH texts AS (
        SELECT raw, regexp_matches(lower(raw), {quoted(_FOREIGN)}) AS is_foreign,
               regexp_replace(lower(raw), '^\\s*''|[\\s\\p{{Z}}\u200b\ufeff]+|₹|inr|rs\\.?|rupees?|/-|only\\s*$'
                   || {quoted("|" + _FOREIGN)}, '', 'g') AS t
        FROM {relation}
    ), parts AS (
        SELECT raw, t, is_foreign, regexp_extract(t, {quoted(_NUMBER)},
            ['open', 'sign', 'open2', 'core', 'power', 'scale', 'percent', 'close', 'after', 'side']
        ) AS p
        FROM texts
    ), cores AS (
        SELECT *, replace(replace(p.core, '''', ''), '’', '') AS core,
               strpos(p.core, ',') > 0 AS has_comma, strpos(p.core, '.') > 0 AS has_dot
        FROM parts
    ), plain AS (
        SELECT *, CASE
            WHEN core IS NULL OR core = '' THEN NULL
            WHEN has_comma AND has_dot THEN CASE
                WHEN regexp_full_match(core, '[0-9]{{1,3}}(,[0-9]{{2,3}})*,[0-9]{{3}}\\.[0-9]*')
                    THEN replace(core, ',', '')
                WHEN regexp_full_match(core, '[0-9]{{1,3}}(\\.[0-9]{{3}})+,[0-9]*')
                    THEN replace(replace(core, '.', ''), ',', '.')
                END
            WHEN has_comma THEN CASE
                WHEN regexp_full_match(core, '[0-9]{{1,3}}(,[0-9]{{2}})*,[0-9]{{3}}')
                     AND NOT ({comma} AND regexp_full_match(core, '[0-9]{{1,3}},[0-9]{{3}}'))
                    THEN replace(core, ',', '')
                WHEN regexp_full_match(core, '[0-9]{{1,3}}(,[0-9]{{3}}){{2,}}') THEN replace(core, ',', '')
                WHEN {comma} AND regexp_full_match(core, '[0-9]*,[0-9]*') THEN replace(core, ',', '.')
                END
            WHEN has_dot THEN CASE
                WHEN regexp_full_match(core, '[0-9]{{1,3}}(\\.[0-9]{{3}}){{2,}}') THEN replace(core, '.', '')
                WHEN {comma} AND regexp_full_match(core, '[0-9]{{1,3}}\\.[0-9]{{3}}') THEN replace(core, '.', '')
                WHEN regexp_full_match(core, '[0-9]*\\.[0-9]*') THEN core
                END
            ELSE core END AS digits,
            CASE WHEN p.scale = '' THEN 1
                 WHEN p.scale LIKE 'cr%' THEN 10000000
                 WHEN p.scale LIKE 'l%' THEN 100000
                 WHEN p.scale IN ('k', 'thousand') THEN 1000
                 WHEN p.scale LIKE 'b%' THEN 1000000000
                 ELSE 1000000 END AS factor,
            (p.open <> '' OR p.open2 <> '') AS is_bracketed,
            (p.close <> '') AS is_closed
        FROM cores
    ), sized AS (
        SELECT *, TRY_CAST(digits || p.power AS DECIMAL(38, 16)) AS size FROM plain
    )
    SELECT raw,
        CAST(CASE WHEN kind IN ('nothing', 'unreadable', 'too_large') THEN NULL ELSE value END
            AS DECIMAL(38, 16)) AS value,
        kind
    FROM (
        SELECT raw, value, CASE
            WHEN {nothing("raw")} OR t = '' THEN 'nothing'
            WHEN regexp_full_match(t, '[+-]?(inf|infinity)') THEN 'unreadable'
            WHEN digits IS NULL OR is_bracketed <> is_closed THEN 'unreadable'
            WHEN p.after <> '' AND (p.sign <> '' OR is_bracketed) THEN 'unreadable'
            WHEN p.percent <> '' AND NOT {str(percent).lower()} THEN 'unreadable'
            WHEN is_foreign AND NOT {str(foreign).lower()} THEN 'unreadable'
            WHEN p.scale IN ('cr', 'cr.') AND EXISTS (
                SELECT 1 FROM {relation} WHERE regexp_matches(raw, '(?i)[0-9]\\s*dr\\.?\\s*$')
            ) THEN 'unreadable'  -- beside debits it is a credit, and no crore
            WHEN value IS NULL OR abs(value) > {MOST} THEN 'too_large'
            WHEN is_foreign THEN 'foreign'
            WHEN p.percent <> '' THEN 'percent'
            WHEN p.scale <> '' THEN 'scaled'
            WHEN is_bracketed THEN 'brackets'
            WHEN {comma} THEN 'comma'
            ELSE 'formatted' END AS kind
        FROM (
            SELECT *, TRY_CAST(
                CAST(CASE WHEN size < 1e15 THEN size END AS DECIMAL(38, 16))
                * CAST(factor AS DECIMAL(12, 0)) AS DECIMAL(38, 16)
            ) * (CASE WHEN p.percent <> '' THEN 0.01 ELSE 1.0 END)
              * (CASE WHEN is_bracketed OR p.after = '-' OR p.sign IN ('-', '−', '–')
                      THEN -1 ELSE 1 END) AS value
            FROM sized
        )
    )"""


def number_evidence(relation: str) -> str:
    """Count, over the texts ``raw`` of `relation`, what tells a decimal comma from a decimal dot.

    Returns
    -------
    str
        SQL giving one row: ``european``, ``english``, ``open_dot``, ``foreign``, ``filled``.
    """
    cell = "regexp_replace(raw, '[^0-9.,]', '', 'g')"
    return f"""
    SELECT
        count(*) FILTER (regexp_full_match(t, '[0-9]{{1,3}}(\\.[0-9]{{3}})*,([0-9]{{1,2}}|[0-9]{{4,}})')
            OR regexp_full_match(t, '[0-9]+,([0-9]{{1,2}}|[0-9]{{4,}})')
            OR regexp_full_match(t, '[0-9]{{1,3}}(\\.[0-9]{{3}})+,[0-9]+')
            OR regexp_full_match(t, '[0-9]{{1,3}}(\\.[0-9]{{3}}){{2,}}')) AS european,
        count(*) FILTER (regexp_full_match(t, '[0-9]{{1,3}}(,[0-9]{{2,3}})*,[0-9]{{3}}\\.[0-9]*')
            OR regexp_full_match(t, '[0-9]+\\.([0-9]{{1,2}}|[0-9]{{4,}})')
            OR regexp_full_match(t, '[0-9]{{4,}}\\.[0-9]+')
            OR regexp_full_match(t, '[0-9]{{1,3}}(,[0-9]{{2,3}})+,[0-9]{{3}}')) AS english,
        count(*) FILTER (regexp_full_match(t, '[0-9]{{1,3}}\\.[0-9]{{3}}')) AS open_dot,
        count(*) FILTER (regexp_full_match(t, '[0-9]{{1,3}}\\.000')) AS zero_dot,
        count(*) FILTER (regexp_full_match(t, '[0-9]{{1,3}},[0-9]{{3}}')) AS open_comma,
        count(*) FILTER (regexp_matches(lower(raw), {quoted(_FOREIGN)})) AS "foreign",
        count(*) FILTER (t <> '') AS filled
    FROM (SELECT raw, {cell} AS t FROM {relation})"""


@dataclass(frozen=True)
class LabelChange:
    """How the spellings of one label column become canonical."""

    becomes: Mapping[str, str | None]
    unknown: tuple[str, ...] = ()


def label_map(column: str, counts: Mapping[str, int]) -> LabelChange:
    """Give one spelling to the values of a label column that differ only in case or punctuation.

    Parameters
    ----------
    column : str
        Canonical column name; some have known words.
    counts : mapping of str to int
        Trimmed values as they stand, and their rows.

    Examples
    --------
    >>> label_map("platform", {"insta": 3, "Instagram": 9, "koo": 1, "Koo": 4}).becomes
    {'insta': 'Instagram', 'koo': 'Koo'}
    >>> label_map("basis", {"Per Post": 2, "barter": 1})
    LabelChange(becomes={'Per Post': 'post', 'barter': None}, unknown=('barter',))
    """
    known = KNOWN_LABELS.get(column, {})
    by_word = {word: name for name, words in known.items() for word in words}
    best: dict[str, tuple[int, bool, str]] = {}
    for value, count in counts.items():
        key = fold(value) or value
        # Most frequent first; among equals not all capitals and not all small letters.
        rank = (-count, value.isupper() or value.islower(), value)
        best[key] = min(best.get(key, rank), rank)
    becomes: dict[str, str | None] = {}
    unknown = []
    for value in counts:
        key = fold(value) or value
        target: str | None = by_word.get(key, best[key][2])
        if key not in by_word and column in CLOSED_LABELS:
            if key not in UNKNOWN_WORDS:
                unknown.append(value)
            target = None
        if target != value:
            becomes[value] = target
    return LabelChange(becomes, tuple(unknown))


def flag(text: str) -> bool | None:
    """Read yes or no; None if it is neither.

    Examples
    --------
    >>> flag("Y"), flag("0.0"), flag("perhaps")
    (True, False, None)
    """
    word = fold(text)
    return True if word in YES else False if word in NO else None


def fast_flag(cell: str) -> str:
    """Build SQL that reads the common words of one cell, and is NULL for every other."""
    # Comparisons, since DuckDB turns an IN list into a join over every row.
    yes, no = (
        " OR ".join(f"lower({cell}) = {quoted(word)}" for word in words)
        for words in (("true", "1", "yes"), ("false", "0", "no"))
    )
    return f"CASE WHEN {yes} THEN true WHEN {no} THEN false END"


_DOMAIN = re.compile(r"\.[a-z]{2,}(/|$)|://|@", re.IGNORECASE)


def is_address(source: str) -> bool:
    """Whether a text holds a web or mail address.

    Examples
    --------
    >>> is_address("smith.com"), is_address("Instagram")
    (True, False)
    """
    return bool(_DOMAIN.search(source))


_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


def channel(source: str) -> str | None:
    """Whether a source says how the order came about; platforms, links and domains say nothing.

    Examples
    --------
    >>> channel("Instagram_influencer"), channel("Organic Search"), channel("Instagram")
    ('influencer', 'organic', None)
    >>> channel("non-organic"), channel("organic-farms.com")
    (None, None)
    """
    if _DOMAIN.search(source):
        return None
    words = [word.lower() for word in _WORDS.findall(source)]
    if not words or len(words) > 5:
        return None
    said = {
        name
        for name, forms in (
            ("influencer", {"influencer", "influencers", "creator", "creators", "kol"}),
            ("organic", {"organic"}),
            ("paid", {"paid", "ads", "sponsored"}),
        )
        if forms & set(words)
    }
    if "organic" in said and {"non", "not", "in"} & set(words):
        said.discard("organic")
    for name in ("influencer", "organic", "paid"):
        if name in said:
            return name
    return None


def network_of(expression: str) -> str:
    """SQL for the network that an address is of; NULL for any other text."""
    cases = [
        f"WHEN regexp_matches(lower({expression}), {quoted(form)}) THEN {quoted(network)}"
        for network, form in _ADDRESSES.items()
    ]
    return f"CASE {' '.join(cases)} END"


def network_in(address: str) -> str:
    """The same of one text; empty for any other.

    Examples
    --------
    >>> network_in("https://www.instagram.com/asha.fit/"), network_in("netflix.com")
    ('Instagram', '')
    """
    low = address.lower()
    return next((name for name, form in _ADDRESSES.items() if re.match(form, low)), "")


def says_percent(column: Column, header: str) -> bool:
    """Whether the header says that plain numbers are percentages."""
    return column.kind is Kind.SHARE and bool(re.search(r"%|percent|pct|\bpc\b", header.lower()))


def most_common(values: Iterable[tuple[str, int]]) -> str:
    """Pick the value with most rows, the first in the alphabet among equals."""
    return min(values, key=lambda each: (-each[1], each[0]))[0]
