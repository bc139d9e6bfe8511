"""Which header is which column, and which file is which table.

Only names and the kinds of headers are looked at here; values are read elsewhere.
"""

import difflib
import fnmatch
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

from hkreport.ingest import values
from hkreport.ingest.composed import (
    CLOCK,
    Made,
    composed_amounts,
    composed_dates,
    composed_people,
    words_of,
)
from hkreport.ingest.read import Source
from hkreport.schema import TABLES, Column, Kind, Table, fold

__all__ = ["EVENTS", "NUMBERS_OF", "UNITS_IN_HEADERS", "Candidate", "Match", "choose", "doubtful_total", "is_derived", "is_named", "match",
           "named_files", "named_tables", "nearest_header", "paid_parts", "plausible_headers", "unread"]  # fmt: skip

# Headers that only a table made from other tables has.
METRIC_HEADERS = frozenset(
    """roas roi iroas incrementalroas incrementalroi mroas poas aov averageordervalue avgordervalue
    cpa cpo cac cpm cpe cpc ctr cvr costperorder costperacquisition costpermille costperengagement
    revenueperpost revenueperorder ordersperpost revenueshare spendshare performancescore rank
    ranking roipercent roaspercent emv earnedmediavalue totalroas avgroas meanroas
    """.split()
)
SUMMARY_HEADER = re.compile(r"^(total|sum|avg|average|mean|median|count|num|max|min)(?=[a-z])")
SUMMARY_WORDS = frozenset(
    """summary summaries metric metrics analysis analytics report performance insight insights kpi
    kpis roas roi top ranking leaderboard pivot aggregated agg merged joined combined dashboard
    overview result results by segment segments""".split()
)
# Headers that number orders: where one of them stands and none counts orders, a row is one order.
ORDER_IDS = frozenset(
    """orderid orderno ordernumber orderref orderreference ordername transactionid conversionid saleid
    actionid saleordercode displayordercode""".split()
)
# Headers that may count orders, number them, or say what they were worth.
DOUBTFUL_COUNTS = frozenset("order sales".split())
LEAST_WORTH = 20  # rupees of revenue an order, below which a column counts no orders
# Tables of what happened, that one file may hold side by side: a row a post with its orders and its fee.
EVENTS = ("posts", "tracking", "payouts")
# What a file must have to be such a table too; a cost beside orders may be that of the goods.
TELLING = {
    "posts": frozenset("likes comments shares saves caption url".split()),
    "tracking": frozenset({"revenue"}),
    "payouts": frozenset({"total_payout"}),
}
# Amounts beside orders that are those of influencers; others may be what the customer paid, or the goods cost.
PAID_TO_INFLUENCERS = re.compile("payout|spend|influencer|creator|affiliate|commission")
# The same where a row counts orders: no fee is charged for a month of them, as it may be for one.
FEES = frozenset("fee fees totalfee".split())
# What may be an amount, or a rate; and may be paid for more than the order.
COMMISSION = re.compile("(total|publisher|partner)?commissions?(amount|earned|paid)?")
# What may as well be paid by customers or for goods.
PAID_TO_SOMEBODY = re.compile("paid|pay|cost|fee|commercial|compensation|earning")
# What a column called 'Total' may add up beside a post.
REACTIONS = ("likes", "comments", "shares", "saves")
# Numbers that only such a table has: where a file was taken for another one alone, they are missed.
NUMBERS_OF = {
    "posts": frozenset("reach impressions views likes comments shares saves".split()),
    "tracking": frozenset({"revenue"}),
    "payouts": frozenset({"total_payout"}),
}
# Where posts are counted, a row is a day or a month, and no post.
COUNTED_POSTS = re.compile(
    r"(total|number(of)?|no(of)?|count(of)?)?(posts|reels|videos|content)(made|live|count|delivered)?"
)
# What a row says of both.
SHARED = frozenset("influencer_id date brand product campaign platform".split())
# Headers that only tables on what influencers brought have.
OUTCOME_HEADERS = frozenset(
    """revenue totalrevenue orders totalorders sales totalsales payout totalpayout spend totalspend
    profit""".split()
)
# How people shorten the words of headers.
SHORTENED: Mapping[str, str] = {
    "inf": "influencer", "infl": "influencer", "influ": "influencer", "dt": "date", "amt": "amount",
    "cnt": "count", "rev": "revenue", "ord": "order", "ords": "orders", "cust": "customer", "prod": "product",
    "camp": "campaign", "cmpgn": "campaign", "pymt": "payment", "txn": "transaction", "foll": "followers",
    "num": "no", "nbr": "no", "cmts": "comments",
}  # fmt: skip
RUPEE_WORDS = frozenset("inr rs rupees".split())
# Headers that may say how an order came about, where 'source' does not.
CHANNEL_WORDS = frozenset("channel medium source traffic acquisition attribution".split())
# Headers that may hold the network of a post.
NETWORK_WORDS = frozenset(
    "channel network social site media medium source app where placement surface platform".split()
)
# What a row of orders was worth may be called its total, where such headers say that it is an order: a total
# elsewhere is what was paid, or a sum of anything. A shop calls the number of an order its name, too.
OF_SHOPS = frozenset({"name", "financialstatus"})
OF_CONVERSIONS = frozenset({"conversionid"})
OF_AFFILIATES = frozenset({"orderid", "affiliateid"})
# The price of an item is that of one piece elsewhere; there it is that of the line, its quantity included.
OF_AMAZON = frozenset({"amazonorderid"})
ONLY_THERE: Mapping[frozenset[str], Mapping[str, str]] = {
    OF_SHOPS: {"tracking_id": "name", "brand": "vendor", "revenue": "total"},
    OF_CONVERSIONS: {"revenue": "total"},
    OF_AFFILIATES: {"revenue": "total"},
    OF_AMAZON: {"tracking_id": "amazonorderid", "revenue": "itemprice"},
}
# A channel is a network, or that of a person there: its cells say which.
CHANNELS = frozenset("channel channelname".split())
ORIGIN_HEADERS = frozenset("ordertype saletype salestype conversiontype transactiontype".split())
# Headers of a list of influencers that may hold their names or their ids.
PEOPLE = frozenset("influencer influencers creator creators kol kols affiliate".split())
# Headers that are near to many names and mean none of them.
NEVER_MEANT = frozenset(
    "total subtotal tax taxes shipping email phone currency tags vendor".split()
)
# Amounts that are taken off, and never what was sold or paid.
SUBTRACTED = re.compile("refund|tax|gst|tds|discount|shipping|compare")
# Tax that is paid to the state for an influencer: it has been taken off what reaches the bank, and is spent as well.
WITHHELD = re.compile("tds|withh[eo]ld|taxdeduct|deductedtax")
# Any tax, which an amount may hold or not.
TAXES = re.compile("tds|withh[eo]ld|tax|gst|vat(?![a-z])")
# Parts of what an influencer is paid, and words of a header that is no amount of its own.
PAID_PARTS = frozenset(
    "fee fees commission commissions fixed base variable bonus incentive incentives retainer".split()
)
NO_PART = frozenset(
    """rate per pct percent percentage type basis model mode method status id date month count number no
    currency total net final grand overall sum""".split()
)
# Headers that number or name things, or say when: no amounts, and counts of nothing.
NO_NUMBER = re.compile(
    r"\b(ids?|codes?|dates?|status|state|sku|fsn|gstin|hsn|phone|pin|(no|numbers?)(?! of\b))\b"
)
MONEY_IN_HEADERS = re.compile(
    r"[(\[{](in\s+)?(₹|rs\.?|inr|rupees?|paisa|paise)[)\]}]|\bin paise\b", re.IGNORECASE
)
UNITS_IN_HEADERS = re.compile(
    r"[(\[{].*?[)\]}]|\bin\s+(?:₹|rs\.?|inr)?\s*(?:thousands?|lakhs?|lacs?|crores?|cr|millions?|mn)\b",
    re.IGNORECASE,
)
# Numbers by the words that say what they are, and the words beside those that make them another amount or count.
MAIN_WORDS: Mapping[tuple[str, str], tuple[frozenset[str], frozenset[str]]] = {
    (table, column): (frozenset(mains.split()), frozenset(others.split()))
    for table, column, mains, others in (
        ("tracking", "orders", "orders conversions purchases transactions bookings checkouts",
         "value values amount revenue price sales qty quantity units inr rs"),
        ("tracking", "revenue", "revenue gmv nmv turnover sales", "count counts number no qty quantity units items pieces orders team channel payout fee shipping gst taxes"),
        ("posts", "reach", "reach reached", "paid boosted impressions views"),
        ("posts", "likes", "likes", "comment comments"),
        ("posts", "comments", "comments", "likes text"),
        ("influencers", "follower_count", "followers subscribers fans", "male female india fake gained from active real"),
        ("payouts", "total_payout", "payout payouts spend paid disbursed remuneration investment",
         "ad ads media order orders post posts no number count basis advance tds gst"),
    )
}  # fmt: skip
# What a single order was worth may be called so; elsewhere these are amounts of anything.
WORTH = frozenset("total amount value subtotal".split())
OTHER_NUMBERS = frozenset(
    """id ids code codes date dt time month on at status state type name by to per rate avg average mean median pct
    percent percentage share ratio growth change target goal expected estimated forecast budget planned previous
    last prior cost tax discount refund refunded refunds return returns returned cancelled canceled failed pending
    new repeat first top rank max min commission mode method currency balance due left remaining unpaid""".split()
)
# Words of a header that only say that it tells when, and how people write what happened then.
WHEN = frozenset("date dt time timestamp datetime at on of the day utc ist gmt local".split())
HAPPENED: Mapping[str, str] = {
    "creation": "created", "create": "created", "purchased": "purchase", "sold": "sale", "sales": "sale",
    "ordered": "order", "orders": "order", "txn": "transaction", "trans": "transaction",
    "transactions": "transaction", "converted": "conversion", "conv": "conversion", "booked": "booking",
    "tracked": "tracking", "attributed": "attribution", "posted": "post", "posting": "post", "published": "publish",
    "publication": "publish", "publishing": "publish", "uploaded": "upload", "aired": "air", "released": "release",
}  # fmt: skip
# How dates are written, behind their name: 'Order Date as dd/mm/yyyy hh:MM:SS'.
FORM_IN_HEADERS = re.compile(
    r"\s(as\s)?\(?(dd|mm|yy(yy)?)[-/. ](dd|mmm?|yy(yy)?)\b.*", re.IGNORECASE
)
# What a spreadsheet's pivot table puts before the header of a column that it adds up.
PIVOTED = re.compile(r"^\s*sum of\s+", re.IGNORECASE)
# What stands between two names of one column.
EITHER = re.compile(r"\s*/\s*|\s+or\s+", re.IGNORECASE)
_DAY = re.compile(
    r"\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])(\d{1,2}|[a-z]{3,9})\2\d{2,4}|\d{1,2} [a-z]{3,9},? \d{2,4}"
    r"|[a-z]{3,9}\.? \d{1,2},? \d{4}",
    re.IGNORECASE,
)
# Words of a header that say that something else happened then.
OTHER_DAYS = frozenset(
    """birth birthday dob join joined joining since updated update modified expiry expires expired due delivery
    delivered ship shipped shipping dispatch dispatched cancel cancelled canceled return returned refund refunded next
    end start launch launched scheduled payment paid payout settlement settled onboarding onboarded contract signed
    registered registration signup first last approved""".split()
)
_MAYBE_DATE = re.compile(r"\d[-/. ]\d|[a-z]{3}|\d{8}", re.IGNORECASE)


@dataclass(frozen=True)
class Match:
    """How the headers of one source answer the columns of one table.

    Attributes
    ----------
    table : Table
    places : mapping of str to int
        Canonical column to the place of its header.
    rivals : mapping of str to tuple of str
        Canonical column to other headers that could have been it.
    unused : tuple of str
        Headers kept aside.
    missing : tuple of str
        Required columns without a header.
    strange : tuple of str
        Headers that a person named and the source does not have.
    constants : mapping of str to str
        Columns without a header that have the same value in each row.
    composed : mapping of str to Made
        Columns whose text stands in others: a day, a month and a year, or a price and units.
    guessed : tuple of str
        Columns whose header is not one of their names.
    """

    table: Table
    places: Mapping[str, int]
    rivals: Mapping[str, tuple[str, ...]]
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    strange: tuple[str, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    composed: Mapping[str, Made] = field(default_factory=dict)
    guessed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A source taken for a table; `derived` if it looks made from other tables."""

    source: Source
    match: Match
    name_hit: int
    derived: bool

    @property
    def unfit(self) -> bool:
        """Whether it must not be used unless a person says so: a summary without dates."""
        return self.derived and not {"date"} & {*self.match.places, *self.match.composed}


def match(
    table: Table,
    headers: Sequence[str],
    overrules: Mapping[str, str] | None = None,
    head: Sequence[Sequence[str]] = (),
    *,
    guess: bool = True,
) -> Match:
    """Find a header for each column of `table`.

    A header is used once. The canonical name in any case and punctuation comes first, then the
    aliases in order, then the name without a unit in brackets, then without the table's own word. A
    column that is empty, or has no digit where numbers or dates belong, comes after all others. What then
    has no header yet gets the only one that holds its main word, if the table is complete with it.

    Parameters
    ----------
    table : Table
    headers : sequence of str
    overrules : mapping of str to str, optional
        Canonical column to the header a person chose.
    head : sequence of rows, optional
        First records.
    guess : bool, optional
        Whether the main word of a header is enough where nothing else is called so.

    Examples
    --------
    >>> found = match(TABLES["tracking"], ["Order Date", "Orders", "Revenue (INR)", "Notes"])
    >>> dict(found.places), found.unused
    ({'date': 0, 'orders': 1, 'revenue': 2}, ('Notes',))
    """
    places: dict[str, int] = {}
    strange = []
    folded = [fold(header) for header in headers]
    for name, header in (overrules or {}).items():
        if header in headers:
            places[name] = list(headers).index(header)
        elif fold(header) in folded:
            places[name] = folded.index(fold(header))
        else:
            strange.append(header)
    offers: list[tuple[int, int, int, str]] = []  # rank, order of the column, place, column
    forms = [_forms(table, header) for header in headers]
    for order, column in enumerate(table):
        words = _words(table, column)
        for place, mine in enumerate(forms):
            ranks = [words[form] + step for step, form in mine if form in words]
            if ranks and not _is_other_channel(table, column, folded[place], place, head):
                doubt = 0 if _is_plausible(column, place, head) else 1000
                offers.append((min(ranks) + doubt, order, place, column.name))
    taken = set(places.values())
    for _, _, place, name in sorted(offers):
        if place not in taken and name not in places:
            places[name] = place
            taken.add(place)
    guessed = _only_one_of_a_kind(table, places, headers, head) if guess else {}
    places |= guessed
    taken.update(guessed.values())
    if table.name == "influencers" and "influencer_id" not in places and "name" in places:
        places["influencer_id"] = places[
            "name"
        ]  # a list by name or handle, as its other files are then
    elif table.name == "influencers" and "name" not in places and "influencer_id" in places:
        # A column called after the people, not after their ids, holds their names.
        place = places["influencer_id"]
        if folded[place] in PEOPLE and is_named(place, head):
            places["name"] = place
    if table.name == "payouts" and "total_payout" not in (overrules or {}):
        gross = _before_tax(places, headers, head)
        if gross is not None:
            if places.get("rate") == gross:
                places.pop("rate")
            taken.discard(places["total_payout"])
            places["total_payout"] = gross
            taken.add(gross)
    composed: dict[str, Made] = {
        **composed_dates(table, places, headers, head, overrules or {}, _words)
    }
    for name, how in composed.items():
        taken.discard(places.pop(name, -1))
        taken.update(how.places)
    only = _only_date(table, places, headers, head) if guess else None
    if only is not None and only not in taken and "date" not in composed:
        places["date"] = guessed["date"] = only
        taken.add(only)
    constants = {}
    if table.name == "tracking":
        if "source" not in (overrules or {}):
            origin = _origin(places, headers, head)
            if origin is not None:
                taken.discard(places.get("source", origin))
                places["source"] = origin
                taken.add(origin)
        for kind, meant in ONLY_THERE.items():
            for name, header in meant.items() if kind <= set(folded) else ():
                if name not in places and header in folded:
                    places[name] = folded.index(header)
                    taken.add(places[name])
        numbered = bool({*folded, *map(_long, headers)} & ORDER_IDS) or any(
            set(folded) >= kind for kind in (OF_SHOPS, OF_AMAZON)
        )
        if "orders" not in (overrules or {}) and _counts_no_orders(places, headers, head):
            place = places.pop("orders")
            taken.discard(place)
            if folded[place] == "order":  # then it numbers them
                numbered = True
                if "tracking_id" not in places:
                    places["tracking_id"] = place
                    taken.add(place)
        if "tracking_id" in (overrules or {}) and "tracking_id" in places:
            numbered = True  # a person says what numbers them
        if numbered and "orders" not in places:
            constants["orders"] = "1"
        amounts = composed_amounts(table, places, headers, head, _long)
        taken.update(place for how in amounts.values() for place in how.places)
        composed |= amounts
    if "platform" in table.names and "platform" not in places:
        social = _social(places, headers, head)
        if social is not None:
            places["platform"] = social
            taken.add(social)
    for name, found in composed_people(table, places, headers, head).items():
        if name not in (overrules or {}):
            composed[name] = found
            places.pop(name, None)
            taken.update(found.places)
    rivals: dict[str, list[str]] = {}
    for _, _, place, name in sorted(offers):
        if place not in taken and name in places and name not in composed:
            rivals.setdefault(name, []).append(headers[place])
    missing = tuple(
        name
        for name in table.required
        if name not in places and name not in constants and name not in composed
    )
    if missing and guessed:
        return match(table, headers, overrules, head, guess=False)
    return Match(
        table=table,
        places={each.name: places[each.name] for each in table if each.name in places},
        rivals={name: tuple(found) for name, found in rivals.items()},
        unused=tuple(
            header for place, header in enumerate(headers) if place not in taken and header
        ),
        missing=missing,
        strange=tuple(strange),
        constants=constants,
        composed=composed,
        guessed=tuple(name for name in guessed if name not in composed),
    )


def _only_one_of_a_kind(
    table: Table,
    places: Mapping[str, int],
    headers: Sequence[str],
    head: Sequence[Sequence[str]],
) -> dict[str, int]:
    """Places of numbers whose main word stands in one header alone, beside no word that means another number."""
    found = {}
    taken = set(places.values())
    words = [set(words_of(UNITS_IN_HEADERS.sub("", header))) for header in headers]
    for column in table:
        mains, others = MAIN_WORDS.get((table.name, column.name), (frozenset(), frozenset()))
        if column.name == "revenue" and set(map(fold, headers)) & ORDER_IDS:
            mains |= WORTH
        if column.name in places or not mains or not head:
            continue
        offers = [
            at
            for at, mine in enumerate(words)
            if at not in taken
            and mine & mains
            and not mine & (others | OTHER_NUMBERS)
            and "%" not in headers[at]
            and _is_plausible(column, at, head)
        ]
        if column.name == "orders":
            if set(map(fold, headers)) & ORDER_IDS:
                continue  # a row is one order
            offers = [at for at in offers if _are_whole(at, head)]
        if len(offers) == 1:
            found[column.name] = offers[0]
    return found


def _only_date(
    table: Table,
    places: Mapping[str, int],
    headers: Sequence[str],
    head: Sequence[Sequence[str]],
) -> int | None:
    """The place of the only column of dates of a file whose rows are posts or single orders, if it may be theirs."""
    orders = table.name == "tracking" and bool(set(map(fold, headers)) & ORDER_IDS)
    posts = table.name == "posts" and bool((TELLING["posts"] | NUMBERS_OF["posts"]) & places.keys())
    if "date" in places or not head or not (orders or posts):
        return None
    dates = [at for at in range(len(headers)) if at not in places.values() and _are_days(at, head)]
    if len(dates) != 1 or _DAY.match(headers[dates[0]]):  # then there is no row of headers
        return None
    return None if set(words_of(headers[dates[0]])) & OTHER_DAYS else dates[0]


def _are_days(place: int, head: Sequence[Sequence[str]]) -> bool:
    """Whether most first filled cells of a column begin with a whole date."""
    cells = [row[place].strip() for row in head if place < len(row) and row[place].strip()]
    return 2 * sum(bool(_DAY.match(cell)) for cell in cells) > len(cells)


def _are_whole(place: int, head: Sequence[Sequence[str]]) -> bool:
    """Whether all first filled cells of a column are whole numbers."""
    numbers = [_plain_number(row[place]) for row in head if place < len(row) and row[place].strip()]
    return all(number is not None and number == int(number) for number in numbers)


def _before_tax(
    places: Mapping[str, int], headers: Sequence[str], head: Sequence[Sequence[str]]
) -> int | None:
    """The place of what was paid before tax was withheld, where the column taken is what is left after it.

    A column called as the schema calls it is what the export says is paid in all.
    """
    net = places.get("total_payout")
    if net is None or fold(headers[net]) == fold("total_payout"):
        return None
    others = [
        at for at in range(len(headers)) if at == places.get("rate") or at not in places.values()
    ]
    return next(
        (
            gross
            for tax in others
            if WITHHELD.search(fold(headers[tax]))
            for gross in others
            if gross != tax and _is_sum(head, gross, net, tax)
        ),
        None,
    )


def _is_sum(head: Sequence[Sequence[str]], whole: int, part: int, rest: int) -> bool:
    """Whether two columns add up to a third in each of the first rows, but for what was rounded to rupees.

    A rest that is taken off may be written as a negative amount.
    """
    largest = 0.0
    for row in head:
        if max(whole, part, rest) >= len(row) or not (row[whole].strip() and row[part].strip()):
            continue
        cells = [_plain_number(row[at].strip().strip("()")) for at in (whole, part, rest)]
        numbers = [each for each in cells if each is not None]
        if len(numbers) < 3 or abs(numbers[0] - numbers[1] - abs(numbers[2])) > 1:
            return False
        largest = max(largest, abs(numbers[2]))
    return largest > 1


def doubtful_total(found: Match, source: Source) -> tuple[str, ...]:
    """What makes it doubtful that the column taken is all that is paid; empty where nothing does.

    Either the header of a tax that it may hold or lack, or those of an amount agreed and of its part that is not yet paid.
    """
    at = found.places.get("total_payout")
    unused = [place for place, header in enumerate(source.headers) if header in found.unused]
    if at is None:
        return ()
    for tax in unused:
        header = source.headers[tax]
        named = TAXES.search(fold(header)) and not NO_NUMBER.search(" ".join(words_of(header)))
        gross = WITHHELD.search(fold(header)) and any(
            _is_sum(source.head, at, net, tax) for net in unused
        )
        if named and not gross and _is_numeric(source, tax):
            return (header,)
    pairs = ((whole, rest) for whole in unused for rest in unused if whole != rest)
    return next(
        (
            (source.headers[whole], source.headers[rest])
            for whole, rest in pairs
            if _is_sum(source.head, whole, at, rest)
        ),
        (),
    )


def _origin(
    places: Mapping[str, int], headers: Sequence[str], head: Sequence[Sequence[str]]
) -> int | None:
    """The place of a column that says how orders came about, where the one taken for the source does not."""
    if "source" in places and _says_channel(places["source"], head):
        return None
    free = [place for place in range(len(headers)) if place not in places.values()]
    return next(
        (
            place
            for place in free
            if (
                set(words_of(headers[place])) & CHANNEL_WORDS
                or fold(headers[place]) in ORIGIN_HEADERS
            )
            and _says_channel(place, head)
        ),
        None,
    )


def _social(
    places: Mapping[str, int], headers: Sequence[str], head: Sequence[Sequence[str]]
) -> int | None:
    """The place of a column that may be called anything, such as 'channel', and holds networks."""
    free = [at for at in range(len(headers)) if at not in places.values()]
    return next(
        (
            at
            for at in free
            if set(words_of(headers[at])) & NETWORK_WORDS and _holds_networks(at, head)
        ),
        None,
    )


def _holds_networks(place: int, head: Sequence[Sequence[str]]) -> bool:
    """Whether most first cells of a column name a network."""
    cells = [row[place] for row in head if place < len(row) and row[place].strip()]
    return 2 * sum(fold(cell) in values.NETWORKS for cell in cells) > len(cells)


def _is_other_channel(
    table: Table, column: Column, header: str, place: int, head: Sequence[Sequence[str]]
) -> bool:
    """Whether a channel is not the one meant: a network where people belong, or names where a network does."""
    if header not in CHANNELS or table.name == "tracking" or not head:
        return False
    cells = [row[place] for row in head if place < len(row) and row[place].strip()]
    names_network = any(fold(cell) in values.NETWORKS for cell in cells)
    return bool(cells) and names_network is (column.name != "platform")


def _says_channel(place: int, head: Sequence[Sequence[str]]) -> bool:
    """Whether the first cells call orders organic, or most of them say influencer or paid."""
    cells = [row[place] for row in head if place < len(row) and row[place].strip()]
    said = [channel for cell in cells if (channel := values.channel(cell))]
    return "organic" in said or 2 * len(said) > len(cells) > 0


def is_named(place: int, head: Sequence[Sequence[str]]) -> bool:
    """Whether most first cells of a column are words, as names and handles are and ids are not."""
    cells = [row[place].strip() for row in head if place < len(row) and row[place].strip()]
    words = [cell for cell in cells if not any(character.isdigit() for character in cell)]
    return 2 * len(words) > len(cells)


def _counts_no_orders(
    places: Mapping[str, int], headers: Sequence[str], head: Sequence[Sequence[str]]
) -> bool:
    """Whether the column taken for orders numbers them, or says what they were worth.

    It does not count them where it holds no numbers, where these go up by one from row to row, or where
    so many orders would have been worth next to nothing.
    """
    if not {"orders", "revenue"} <= places.keys():
        return False
    place, worth = places["orders"], places["revenue"]
    if fold(headers[place]) not in DOUBTFUL_COUNTS:
        return False
    cells = [row[place] for row in head if place < len(row) and row[place].strip()]
    counts = [number for cell in cells if (number := _plain_number(cell)) is not None]
    if not counts:
        return bool(cells)
    if len(counts) > 4 and all(two - one == 1 for one, two in pairwise(counts)):
        return True
    amounts = [_plain_number(row[worth]) for row in head if worth < len(row) and row[worth].strip()]
    # Amounts in lakh or thousands, in the cell or in the header, are not compared.
    if not amounts or None in amounts or UNITS_IN_HEADERS.search(headers[worth]):
        return False
    return sum(filter(None, amounts)) < LEAST_WORTH * sum(counts)


def _plain_number(cell: str) -> float | None:
    try:
        return float(re.sub(r"[,\s₹]|(?i:rs\.?|inr)|/-", "", cell))
    except ValueError:
        return None


def _is_plausible(column: Column, place: int, head: Sequence[Sequence[str]]) -> bool:
    """Whether the first records hold anything that the column could mean."""
    if not head:
        return True
    cells = [row[place].strip() for row in head if place < len(row)]
    filled = [cell for cell in cells if cell]
    if column.kind in (Kind.ID, Kind.TEXT, Kind.LABEL, Kind.FLAG):
        return bool(filled)
    if column.kind in (Kind.DATE, Kind.TIMESTAMP):
        filled = [cell for cell in filled if not CLOCK.fullmatch(cell)]
    return any(character.isdigit() for cell in filled for character in cell)


def _words(table: Table, column: Column) -> dict[str, int]:
    """Folded names of a column, with how far from the canonical one each is."""
    words = {fold(column.name): 0}
    for rank, alias in enumerate(column.aliases, start=1):
        words.setdefault(fold(alias), rank)
    return words


@functools.cache
def _all_names(name: str) -> frozenset[str]:
    """Folded names of all columns of a table."""
    return frozenset(word for column in TABLES[name] for word in _words(TABLES[name], column))


def _forms(table: Table, header: str) -> list[tuple[int, str]]:
    """Ways to read a header, each with what it costs.

    A name that the schema has as a whole loses no part: 'Payment Date' is no 'Date' where 'Invoice Date' stands
    beside it.
    """
    # A unit of money takes nothing from a name; other words in brackets may mean something else.
    forms = [(0, fold(header)), (0, fold(MONEY_IN_HEADERS.sub("", header)))]
    forms.append((100, fold(UNITS_IN_HEADERS.sub("", header))))
    forms.append((100, fold(FORM_IN_HEADERS.sub("", header))))
    if any(form in _all_names(table.name) for _, form in forms):
        return forms
    forms.append((50, _long(header)))
    if form := _dated(header):
        forms.append((150, form))
    forms.append((50, fold(PIVOTED.sub("", header))))
    forms += [(150, form) for form in _either(table, header)]
    for word in (table.name, *table.file_words):
        for _, form in forms[:3]:
            for own in (word, word + "s"):
                rest = form.removeprefix(own)
                if rest != form and len(rest) > 3:
                    forms.append((200, rest))
    return forms


def _dated(header: str) -> str:
    """What happened, and 'date', for a header that says when: 'Time Created', 'Purchased On'; empty for others."""
    words = words_of(UNITS_IN_HEADERS.sub("", header))
    events = [HAPPENED.get(word, word) for word in words if word not in WHEN]
    return fold("".join(events) + "date") if events and len(events) < len(words) else ""


def _either(table: Table, header: str) -> list[str]:
    """The plainer of two names of one column that a header holds, as in 'Followers/Subscribers'; else none.

    Names of two columns, as in 'Reach / Impressions', are neither.
    """
    names = [fold(each) for each in EITHER.split(UNITS_IN_HEADERS.sub("", header))]
    owners = {name: {each.name for each in table if name in _words(table, each)} for name in names}
    if len(owners) < 2 or not set.intersection(*owners.values()):
        return []
    return [min(names, key=lambda name: len(owners[name]))]


def paid_parts(found: Match, source: Source) -> list[str]:
    """Headers of parts of what is paid that the total of payouts may lack: a fee beside a commission.

    Empty where the column taken for the total is called a total, or after no part.
    """
    place = found.places.get("total_payout")
    if place is not None:
        words = set(words_of(source.headers[place]))
        if not words & PAID_PARTS or words & NO_PART:
            return []
    settled = {at for name, at in found.places.items() if name not in ("rate", "total_payout")}
    return [
        header
        for at, header in enumerate(source.headers)
        if at not in settled
        and at != place
        and (words := set(words_of(header))) & PAID_PARTS
        and not words & NO_PART
        and _is_numeric(source, at)
    ]


def _long(header: str) -> str:
    """A header with its words in full and without rupees, folded: 'pay_amt_inr' as 'payamount'."""
    words = [word for word in words_of(header) if word not in RUPEE_WORDS]
    return fold(" ".join(SHORTENED.get(word, word) for word in words))


def plausible_headers(found: Match, source: Source, name: str) -> list[str]:
    """Headers kept aside under which the first records hold anything that a column could mean."""
    column = next(each for each in found.table if each.name == name)
    return [
        header
        for header in found.unused
        if _is_plausible(column, source.headers.index(header), source.head)
        and (column.kind not in (Kind.DATE, Kind.TIMESTAMP) or _may_be_dates(source, header))
        and not (column.kind not in (Kind.DATE, Kind.TIMESTAMP) and fold(header) in _dates())
        and (name != "platform" or _holds_networks(source.headers.index(header), source.head))
        and not (column.kind is Kind.MONEY and SUBTRACTED.search(fold(header)))
        and not (
            column.kind in (Kind.MONEY, Kind.NUMBER)
            and NO_NUMBER.search(" ".join(words_of(header)))
        )
    ]


def _may_be_dates(source: Source, header: str) -> bool:
    """Whether any of the first cells has the parts of a date; ids and counts have none."""
    at = source.headers.index(header)
    cells = [row[at] for row in source.head if at < len(row)]
    return any(_MAYBE_DATE.search(cell) for cell in cells) or not any(map(str.strip, cells))


@functools.cache
def _dates() -> frozenset[str]:
    """Folded names of all columns of dates."""
    return frozenset(
        word
        for table in TABLES.values()
        for column in table
        if column.kind in (Kind.DATE, Kind.TIMESTAMP)
        for word in _words(table, column)
    )


def nearest_header(table: Table, name: str, headers: Sequence[str]) -> str | None:
    """The header that most likely means a column that was not found, if one is near enough.

    Examples
    --------
    >>> nearest_header(TABLES["tracking"], "revenue", ["note", "rev_amt_inr"])
    'rev_amt_inr'
    >>> nearest_header(TABLES["tracking"], "revenue", ["note"]) is None
    True
    """
    column = next(each for each in table if each.name == name)
    best, place = 0.0, -1
    others = {word for each in table if each.name != name for word in _words(table, each)}
    for at, header in enumerate(headers):
        folded = fold(header)
        if folded in NEVER_MEANT or folded in others:
            continue
        for word in (name, *column.aliases):
            score = difflib.SequenceMatcher(None, folded, fold(word)).ratio()
            if len(folded) >= 3 and fold(word).startswith(folded[:3]):
                score += 0.25
            if score > best:
                best, place = score, at
    return headers[place] if best >= 0.6 else None


def is_derived(source: Source, found: Match) -> bool:
    """Whether a source looks made from other tables: ratios, or several totals and no dates."""
    own = {fold(source.headers[place]) for place in found.places.values()}
    others = [fold(header) for header in source.headers if fold(header) not in own]
    metrics = [each for each in others if each in METRIC_HEADERS]
    if found.table.name == "influencers":
        # A list of influencers may rightly say averages, totals and ranks; not what they earned.
        return any(each in OUTCOME_HEADERS or "roas" in each or "roi" in each for each in others)
    totals = [each for each in others if SUMMARY_HEADER.match(each) and each not in METRIC_HEADERS]
    words = set(re.findall(r"[a-z]+", source.stem.lower().replace("_", " ")))
    named = bool(words & SUMMARY_WORDS)
    dated = "date" in found.places or "date" in found.composed
    if metrics and (named or totals or not dated):
        return True
    if len(totals) >= 2 and not dated:
        return True
    return named and bool(totals) and not dated


def choose(
    sources: Sequence[Source],
    files: Mapping[str, str],
    columns: Mapping[str, Mapping[str, str]],
    people: Mapping[str, str] | None = None,
) -> tuple[dict[str, list[Candidate]], dict[str, list[Candidate]], list[Source]]:
    """Give each source to the table it fits best, and each table its best source.

    Parameters
    ----------
    sources : sequence of Source
    files, columns : mapping
        What a person said: files by table, and headers by table and column.
    people : mapping of str to str, optional
        By file, the header of the column that names influencers, where no header says so.

    Returns
    -------
    chosen : dict of str to list of Candidate
        One, or those that `files` names. Also candidates that lack a required column, where nothing better
        was there.
    left : dict of str to list of Candidate
        Others that could have been the table.
    strangers : list of Source
        Sources that are no table we know.
    """
    chosen: dict[str, list[Candidate]] = {}
    left: dict[str, list[Candidate]] = {}
    strangers: list[Source] = []
    mapped = {
        table: [
            each
            for each in sources
            if any(_is_called(each, name) for name in named_files(words, sources))
        ]
        for table, words in files.items()
    }
    pools: dict[str, list[Candidate]] = {}
    for source in sources:
        wanted = [table for table, mine in mapped.items() if any(each is source for each in mine)]
        if wanted:
            for table in wanted:
                found = _found(TABLES[table], source, columns.get(table), people)
                chosen.setdefault(table, []).append(Candidate(source, found, 9, False))
            continue
        best = _best(source, columns, people)
        if best is None:
            strangers.append(source)
        else:
            pools.setdefault(best.match.table.name, []).append(best)
    for table, pool in pools.items():
        ranked = sorted(pool, key=_preference)
        if table not in chosen and not ranked[0].unfit:
            chosen[table] = [ranked.pop(0)]
        if ranked:
            left[table] = ranked
    _add_tables_side_by_side(chosen, left, files, columns)
    order = list(TABLES)
    return dict(sorted(chosen.items(), key=lambda each: order.index(each[0]))), left, strangers


def _add_tables_side_by_side(
    chosen: dict[str, list[Candidate]],
    left: dict[str, list[Candidate]],
    files: Mapping[str, str],
    columns: Mapping[str, Mapping[str, str]],
) -> None:
    """Take the files of one table for another too, which no file is: posts with what they brought and cost."""
    for name in [each for each in EVENTS if each in chosen and each not in files]:
        every = [*chosen[name], *left.get(name, [])]
        for other in EVENTS:
            if other in chosen or other in left or other in files:
                continue
            both = [
                each
                for each in map(partial(_beside, TABLES[other], columns.get(other)), every)
                if each
            ]
            if both:
                chosen[other], left[other] = both[:1], both[1:]
                if not left[other]:
                    del left[other]


def _beside(
    table: Table, overrules: Mapping[str, str] | None, given: Candidate
) -> Candidate | None:
    """The same source as another table, if columns that its own has no use for say what that one must know."""
    source, own = given.source, given.match
    shared = {
        name: source.headers[place]
        for name, place in own.places.items()
        if name in SHARED and name in table.names
    }
    alone = match(table, source.headers, overrules, source.head).places.get("date")
    if alone is not None and source.headers[alone] in own.unused:
        shared.pop("date", None)  # the day of the order beside that of the post
    given_names = {**shared, **(overrules or {})}
    found = match(table, source.headers, given_names, source.head)
    if table.name == "posts" and any(
        COUNTED_POSTS.fullmatch(fold(each)) for each in source.headers
    ):
        return None
    fit = {
        name: [
            header
            for header in (source.headers[found.places[name]], *found.rivals.get(name, ()))
            if header in own.unused
            and (_may_tell(table, own, source, header) or header == (overrules or {}).get(name))
        ]
        for name in TELLING[table.name] & found.places.keys()
    }
    free = {name for name, headers in fit.items() if headers}
    # A column that the other table takes is no rival: its amount may stand before the one that is paid.
    better = {
        name: fit[name][0] for name in free if fit[name][0] != source.headers[found.places[name]]
    }
    if better:
        found = match(table, source.headers, {**given_names, **better}, source.head)
    if found.missing or not free or not _is_filled(source, found.places[min(free)]):
        return None
    return Candidate(source, found, 0, given.derived)


def _may_tell(table: Table, own: Match, source: Source, header: str) -> bool:
    """Whether a column makes a file this table too, beside the one that it was taken for."""
    name = fold(header)
    if table.name == "payouts" and name == "total" and _adds_up(own, source, header):
        return False
    if table.name != "payouts" or own.table.name != "tracking":
        return True
    counted = "orders" in own.places and not set(map(fold, source.headers)) & ORDER_IDS
    return bool(PAID_TO_INFLUENCERS.search(name)) or (counted and name in FEES)


def _adds_up(own: Match, source: Source, header: str) -> bool:
    """Whether a column is the sum of the reactions to a post in each of the first rows."""
    places = [own.places[name] for name in REACTIONS if name in own.places]
    at = source.headers.index(header)
    rows = [row for row in source.head if max(at, *places, 0) < len(row) and row[at].strip()]
    counts = [[_plain_number(row[each] or "0") for each in (at, *places)] for row in rows]
    return bool(places and rows) and all(
        None not in row and row[0] == sum(filter(None, row[1:])) for row in counts
    )


def doubtful_payout(given: Candidate) -> str | None:
    """A column of orders that may be what influencers are paid, or what the goods or customers did.

    Only numbers count, beside a column of influencers.
    """
    source, own = given.source, given.match
    if own.table.name != "tracking" or "influencer_id" not in own.places:
        return None
    found = match(TABLES["payouts"], own.unused, head=())
    place = found.places.get("total_payout")
    total = [] if place is None else [own.unused[place]]
    likely = [each for each in total if PAID_TO_SOMEBODY.search(fold(each))]
    # It may be an amount, or a rate.
    likely += [each for each in own.unused if COMMISSION.fullmatch(fold(each))]
    numeric = (each for each in likely if _is_numeric(source, source.headers.index(each)))
    return next(numeric, None)


def unread(given: Candidate, name: str) -> tuple[list[str], tuple[str, ...]]:
    """Columns kept aside that clearly belong to another table of events, and the columns that it lacks for them.

    Only numbers count, under names that mean nothing in the table that the file was taken for.
    """
    source, own, table = given.source, given.match, TABLES[name]
    found = match(table, source.headers, head=source.head)
    named = _all_names(own.table.name)
    headers = [
        header
        for column in table
        if column.name in NUMBERS_OF[name] and column.name in found.places
        for header in [source.headers[found.places[column.name]]]
        if header in own.unused
        and not any(form in named for _, form in _forms(own.table, header))
        and _may_tell(table, own, source, header)
        and _is_numeric(source, found.places[column.name])
    ]
    return (headers, found.missing) if headers else ([], ())


def _is_numeric(source: Source, place: int) -> bool:
    """Whether most of the first filled cells of a column are numbers."""
    cells = [row[place] for row in source.head if place < len(row) and row[place].strip()]
    return 2 * sum(_plain_number(cell) is not None for cell in cells) > len(cells)


def _is_filled(source: Source, place: int) -> bool:
    return any(place < len(row) and row[place].strip() for row in source.head)


def named_files(words: str, sources: Sequence[Source]) -> list[str]:
    """The files that a person named for one table: one, several joined by ``+``, or a pattern.

    Examples
    --------
    >>> named_files("april.csv + may.csv", ())
    ['april.csv', 'may.csv']
    """
    if any(_is_called(each, words) for each in sources):
        return [words]
    names: list[str] = []
    for name in (each.strip() for each in words.split(" + ")):
        fitting = [each.label for each in sources if fnmatch.fnmatchcase(each.label, name)]
        names += fitting if any(sign in name for sign in "*?") and fitting else [name]
    return names


def _is_called(source: Source, name: str) -> bool:
    wanted = name.strip()
    return wanted in (source.path.name, source.label, source.sheet) or (
        wanted.replace("\\", "/").rsplit("/", 1)[-1] == source.path.name
    )


def _preference(candidate: Candidate) -> tuple[object, ...]:
    """Complete before incomplete, inputs before summaries, more columns, the larger, the plain name."""
    return (
        bool(candidate.match.missing),
        candidate.derived,
        -min(candidate.name_hit, 1),
        -len(candidate.match.places),
        -candidate.source.size,
        len(candidate.source.label),
        candidate.source.label,
    )


def _found(
    table: Table,
    source: Source,
    overrules: Mapping[str, str] | None,
    people: Mapping[str, str] | None,
) -> Match:
    """The columns of a source; the one that holds influencers by what is in it, if not by its header."""
    found = match(table, source.headers, overrules, source.head)
    header = (people or {}).get(source.label)
    wanted = "influencer_id" in table.names and table.name != "influencers"
    if not header or not wanted or "influencer_id" in {*found.places, *found.composed}:
        return found
    if header not in found.unused and found.places.get("source") != source.headers.index(header):
        return found
    named = match(
        table, source.headers, {**(overrules or {}), "influencer_id": header}, source.head
    )
    return replace(named, guessed=(*named.guessed, "influencer_id"))


def _best(
    source: Source,
    columns: Mapping[str, Mapping[str, str]],
    people: Mapping[str, str] | None = None,
) -> Candidate | None:
    hits = _name_hits(source.stem)
    offers: list[tuple[tuple[object, ...], Candidate]] = []
    for table in TABLES.values():
        found = _found(table, source, columns.get(table.name), people)
        hit = hits.get(table.name, 0)
        if hit and not found.missing:
            standing = 0
        elif hit and len(found.places) >= 2 and len(found.missing) < len(table.required):
            standing = 1
        elif not found.missing and len(found.places) >= 2 and _is_telling(found, source):
            standing = 2
        else:
            continue
        offer = Candidate(source, found, hit, is_derived(source, found))
        rank = (
            offer.unfit,
            standing,
            offer.derived,
            -hit,
            -len(found.places),
            -len(table.required),
        )
        offers.append((rank, offer))
    return min(offers, key=lambda each: each[0])[1] if offers else None


def _is_telling(found: Match, source: Source) -> bool:
    """Whether columns alone say that it is this table, when the file name does not."""
    if found.table.name == "products":
        return "price" in found.places or "margin" in found.places
    # A transfer of money has an id of its transaction, too.
    orders = ORDER_IDS - {"transactionid"}
    if found.table.name == "payouts" and set(map(fold, source.headers)) & orders:
        # Orders whose date is called in an unknown way have an influencer and an amount, too.
        paid = fold(source.headers[found.places["total_payout"]])
        return bool(PAID_TO_INFLUENCERS.search(paid))
    return True


def named_tables(stem: str) -> tuple[str, ...]:
    """Tables that a file name points to, the likeliest first.

    Examples
    --------
    >>> named_tables("influencer_payments_2025"), named_tables("data1")
    (('payouts', 'influencers'), ())
    """
    hits = _name_hits(stem)
    return tuple(sorted(hits, key=lambda table: -hits[table]))


def _name_hits(stem: str) -> dict[str, int]:
    """Which tables a file name points to; the word that comes last counts most."""
    name = fold(stem)
    last = {}
    for table in TABLES.values():
        ends = [name.rfind(word) + len(word) for word in table.file_words if word in name]
        if ends:
            last[table.name] = max(ends)
    if not last:
        return {}
    final = max(last.values())
    return {table: 2 if end == final else 1 for table, end in last.items()}
