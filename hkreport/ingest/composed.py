"""Cells that stand in other columns: the parts of a date or a name, a price and how many were sold at it.

Which columns are meant is told by their names and first cells. Year, month and day (and time), a day and its
year, or a date and its time are joined to one text and read like any other date; the price of one unit times
their number is an amount; the network of an influencer is that of their address, or the one that the header of
their handle names.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from hkreport.ingest.values import PLATFORMS, SHORT_NETWORKS, network_in, network_of
from hkreport.schema import Column, Kind, Table, fold

__all__ = ["CLOCK", "Composed", "FirstOf", "Joined", "Made", "Multiplied", "NamedNetwork", "Network",
           "composed_amounts", "composed_dates", "composed_people", "handle_places", "words_of"]  # fmt: skip

CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.]\d+)?)?(\s*[ap][.]?m[.]?)?", re.IGNORECASE)
_WORDS = {
    "year": "year", "yr": "year", "yyyy": "year", "month": "month", "mon": "month", "mth": "month", "mm": "month",
    "day": "day", "dd": "day", "time": "time", "clock": "time",
}  # fmt: skip
_NOISE = frozenset("of the no number name date dt".split())
_IS = {
    "year": re.compile(r"(?:20)?\d{2}(?:[.]0+)?"),
    "month": re.compile(r"(?:0?[1-9]|1[0-2])(?:[.]0+)?|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[.]?"),
    "day": re.compile(r"(?:0?[1-9]|[12]\d|3[01])(?:[.]0+)?"),
    "time": CLOCK,
    "period": re.compile(r"[A-Za-z]{3,9}[-/,.' ]+\d{4}|\d{4}[-/](?:0[1-9]|1[0-2])"),
}  # fmt: skip
_NO_YEAR = re.compile(r"\d{1,2}([-/. ])(?:\d{1,2}|[A-Za-z]{3,9})|[A-Za-z]{3,9}([-/. ])\d{1,2}")


# What is written where there is nothing, such as no account of a network.
_NONE = r"|[-–—./]+|0+([.]0*)?|n/?a|nan|none|null|nil|no|false"


def _is_none(cell: str) -> bool:
    return bool(re.fullmatch(_NONE, cell, re.IGNORECASE))


def _says_none(text: str) -> str:
    """The same as SQL of a text, which may be NULL."""
    return f"regexp_full_match(coalesce({text}, ''), '{_NONE}', 'i')"


def words_of(header: str) -> list[str]:
    """The words of a header in lower case: 'InstagramHandle' and 'instagram_handle' as two.

    Examples
    --------
    >>> words_of("OrderID")
    ['order', 'id']
    """
    return re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header)).lower().split()


@dataclass(frozen=True)
class Composed:
    """Places of columns, and what their cells are joined with; of a year and its parts, the year comes first.

    With a clock, the last place is that of the time, which stands behind a blank.

    Examples
    --------
    >>> Composed((0, 1, 2), "-", True).text(["25", "3.0", "9"]), Composed((1, 0), "/").text(["25", "14/03"])
    ('2025-03-09', '14/03/25')
    >>> Composed((0, 1), "-", True).text(["2025", "Mar"])
    'Mar-2025'
    >>> Composed((0, 1, 2, 3), "-", True, True).text(["2025", "3", "9", "18:05"])
    '2025-03-09 18:05'
    """

    places: tuple[int, ...]
    separator: str
    year_first: bool = False
    clock: bool = False

    def text(self, record: Sequence[str]) -> str:
        """What a record says, as one text."""
        cells = _cells_of(record, self.places)
        cells = [re.sub(r"^(\d+)[.]0+$", r"\1", cell) for cell in cells]
        cells = [re.sub(r"^(\d)$", r"0\1", cell) for cell in cells]
        time = cells.pop() if self.clock else ""
        if self.year_first:
            cells[0] = re.sub(r"^(\d\d)$", r"20\1", cells[0])
            if len(cells) == 2 and re.match("[A-Za-z]", cells[1]):
                cells.reverse()
        day = self.separator.join(cell for cell in cells if cell)
        return f"{day} {time}" if day and time else day

    def sql(self, cell: Callable[[int], str]) -> str:
        """The same as SQL, over what `cell` gives for a place."""
        parts = []
        for place in self.places:
            part = f"nullif(regexp_replace(trim({cell(place)}), '^(\\d+)[.]0+$', '\\1'), '')"
            parts.append(f"regexp_replace({part}, '^(\\d)$', '0\\1')")
        time = parts.pop() if self.clock else ""
        if self.year_first:
            parts[0] = f"regexp_replace({parts[0]}, '^(\\d\\d)$', '20\\1')"
        joined = f"nullif(concat_ws('{self.separator}', {', '.join(parts)}), '')"
        if time:
            return f"CASE WHEN {joined} IS NOT NULL THEN concat_ws(' ', {joined}, {time}) END"
        if not self.year_first or len(parts) > 2:
            return joined
        named = f"regexp_matches({parts[1]}, '^[A-Za-z]')"
        return f"CASE WHEN {named} THEN concat_ws('-', {parts[1]}, {parts[0]}) ELSE {joined} END"


@dataclass(frozen=True)
class Joined:
    """Places of the words of a name.

    Examples
    --------
    >>> Joined((0, 1)).text([" Asha", "Rao"])
    'Asha Rao'
    """

    places: tuple[int, ...]

    def text(self, record: Sequence[str]) -> str:
        """What a record says, as one text."""
        return " ".join(filter(None, _cells_of(record, self.places)))

    def sql(self, cell: Callable[[int], str]) -> str:
        """The same as SQL, over what `cell` gives for a place."""
        words = ", ".join(f"nullif(trim({cell(place)}), '')" for place in self.places)
        return f"nullif(concat_ws(' ', {words}), '')"


@dataclass(frozen=True)
class FirstOf:
    """Places of what may be empty: the first that is filled counts.

    Examples
    --------
    >>> FirstOf((1, 0)).text(["Asha Rao", "asha.fit"]), FirstOf((1, 0)).text(["Asha Rao", " "])
    ('asha.fit', 'Asha Rao')
    """

    places: tuple[int, ...]

    def text(self, record: Sequence[str]) -> str:
        """What a record says."""
        return next((cell for cell in _cells_of(record, self.places) if not _is_none(cell)), "")

    def sql(self, cell: Callable[[int], str]) -> str:
        """The same as SQL, over what `cell` gives for a place."""
        cells = [f"trim({cell(place)})" for place in self.places]
        filled = ", ".join(f"CASE WHEN NOT {_says_none(each)} THEN {each} END" for each in cells)
        return f"coalesce({filled})"


@dataclass(frozen=True)
class Network:
    """Place of an address, which says the network that it is of.

    Examples
    --------
    >>> Network((0,)).text(["youtube.com/@dev"])
    'YouTube'
    """

    places: tuple[int]

    def text(self, record: Sequence[str]) -> str:
        """What a record says."""
        return network_in(_cells_of(record, self.places)[0])

    def sql(self, cell: Callable[[int], str]) -> str:
        """The same as SQL, over what `cell` gives for a place."""
        return network_of(cell(self.places[0]))


@dataclass(frozen=True)
class NamedNetwork:
    """Places of columns whose headers name a network, and the network of each: the one network that a row fills.

    Examples
    --------
    >>> columns = NamedNetwork((0, 1), ("Instagram", "YouTube"))
    >>> columns.text(["@asha", ""]), columns.text(["-", "DevLifts"]), columns.text(["@mira", "MiraEats"])
    ('Instagram', 'YouTube', '')
    """

    places: tuple[int, ...]
    networks: tuple[str, ...]

    def text(self, record: Sequence[str]) -> str:
        """What a record says; empty where it fills columns of no network, or of several."""
        cells = _cells_of(record, self.places)
        filled = {
            name for name, cell in zip(self.networks, cells, strict=True) if not _is_none(cell)
        }
        return filled.pop() if len(filled) == 1 else ""

    def sql(self, cell: Callable[[int], str]) -> str:
        """The same as SQL, over what `cell` gives for a place."""
        said = ", ".join(
            f"CASE WHEN NOT {_says_none(f'trim({cell(place)})')} THEN '{name}' END"
            for place, name in zip(self.places, self.networks, strict=True)
        )
        filled = f"list_distinct([{said}])"
        return f"CASE WHEN len({filled}) = 1 THEN {filled}[1] END"


# Headers of a list of influencers under which others may call them: an id, where there is no other.
HANDLES = frozenset(
    """username handle userhandle socialhandle accounthandle influencerhandle creatorhandle influencerusername
    accountusername""".split()
)
OF_HANDLES = frozenset("handle username user name id account channel".split())


def handle_places(headers: Sequence[str], head: Sequence[Sequence[str]]) -> list[int]:
    """Places of what others may call an influencer: handles under their headers, and addresses of accounts.

    No two of the first rows have the same.
    """
    found = []
    for at, header in enumerate(headers):
        cells = [cell for cell in _cells(head, at) if not _is_none(cell)]
        of_network = _network_named(header) and {*words_of(header)} & OF_HANDLES
        addresses = 2 * sum(bool(network_in(cell)) for cell in cells) > len(cells)
        if (fold(header) in HANDLES or of_network or addresses) and len({*cells}) == len(cells) > 0:
            found.append(at)
    return found


def composed_people(
    table: Table,
    places: Mapping[str, int],
    headers: Sequence[str],
    head: Sequence[Sequence[str]],
) -> dict[str, Joined | FirstOf | Network | NamedNetwork]:
    """What a list of influencers says in other columns: the name, an id beside it, the network that they are on.

    Parameters
    ----------
    table, places, headers, head
        As for :func:`composed_dates`.
    """
    if table.name != "influencers" or not head:
        return {}
    found: dict[str, Joined | FirstOf | Network | NamedNetwork] = {}
    folded = [fold(header) for header in headers]
    networks = {at: name for at, header in enumerate(headers) if (name := _network_named(header))}
    if "name" not in places and {"firstname", "lastname"} <= set(folded):
        found["name"] = Joined((folded.index("firstname"), folded.index("lastname")))
    taken = set(places.values())
    if "name" in places and places.get("influencer_id", places["name"]) == places["name"]:
        handles = [
            at
            for at in handle_places(headers, head)
            if at not in taken and not any(map(network_in, _cells(head, at)))
        ]
        if handles:
            found["influencer_id"] = FirstOf((*handles, places["name"]))
    if "platform" not in places:
        for at in range(len(headers)):
            cells = _cells(head, at)
            if at not in taken and 2 * sum(bool(network_in(each)) for each in cells) > len(cells):
                found["platform"] = Network((at,))
                break
    if "platform" not in places and "platform" not in found and networks:
        named = NamedNetwork(tuple(networks), tuple(networks.values()))
        filled = [[not _is_none(cell) for cell in _cells_of(row, named.places)] for row in head]
        alone = sum(bool(named.text(row)) for row in head)
        # Somebody on two networks is on neither alone: then a person has to say which is meant.
        if 2 * alone > len(head) and alone == sum(map(any, filled)):
            found["platform"] = named
    return found


def _network_named(header: str) -> str:
    """The network that a header names, as in 'Instagram Handle'; empty if it names none, or several."""
    named = {SHORT_NETWORKS[word] for word in words_of(header) if word in SHORT_NETWORKS}
    named |= {name for name in PLATFORMS if len(name) > 5 and fold(name) in fold(header)}
    return named.pop() if len(named) == 1 else ""


# What one unit was sold at, the clearest name first; the last ones may be the amount of all of them.
UNIT_PRICES = (
    "unitprice", "priceperunit", "perunitprice", "priceeach", "unitsellingprice", "sellingpriceperunit",
    "sellingpriceperitem", "priceperitem", "unitsaleprice", "unitrate", "rateperunit",
)  # fmt: skip
DOUBTFUL_PRICES = ("sellingprice", "saleprice", "salesprice", "itemprice", "price")
UNITS = ("quantity", "qty", "units", "itemquantity", "itemqty", "orderquantity", "orderqty", "quantitysold", "qtysold",
         "unitssold", "noofunits", "quantityordered", "orderedquantity", "pieces", "pcs")  # fmt: skip
_NO_DIGIT = r"(?i)[,\s₹]|rs\.?|inr|/-"
_NUMBER = re.compile(r"-?(\d+([.]\d*)?|[.]\d+)")


@dataclass(frozen=True)
class Multiplied:
    """Places of a price and of how many were sold at it; `doubtful` if it may be the price of all of them.

    Examples
    --------
    >>> Multiplied((0, 1)).text(["₹1,299.50", "2"]), Multiplied((0, 1)).text(["soon", "2"])
    ('2599', 'soon × 2')
    """

    places: tuple[int, int]
    doubtful: bool = False

    def text(self, record: Sequence[str]) -> str:
        """What a record says, as one text; both cells, if they are no numbers."""
        cells = _cells_of(record, self.places)
        try:
            price, units = (Decimal(re.sub(_NO_DIGIT, "", cell)) for cell in cells)
        except InvalidOperation:
            return " × ".join(cells) if any(cells) else ""
        return f"{round(price * units, 6):f}".rstrip("0").rstrip(".") or "0"

    def sql(self, cell: Callable[[int], str]) -> str:
        """The same as SQL, over what `cell` gives for a place."""
        price, units = (f"nullif(trim({cell(place)}), '')" for place in self.places)
        first, second = (
            f"TRY_CAST(regexp_replace({each}, '{_NO_DIGIT}', '', 'g') AS DECIMAL(18, 6))"
            for each in (price, units)
        )
        amount = f"CAST(TRY_CAST({first} * {second} AS DECIMAL(38, 6)) AS VARCHAR)"
        return (
            f"CASE WHEN {price} IS NULL AND {units} IS NULL THEN NULL "
            f"ELSE coalesce(rtrim(rtrim({amount}, '0'), '.'), "
            f"concat(coalesce({price}, ''), ' × ', coalesce({units}, ''))) END"
        )


def composed_amounts(
    table: Table,
    places: Mapping[str, int],
    headers: Sequence[str],
    head: Sequence[Sequence[str]],
    shorten: Callable[[str], str],
) -> dict[str, Multiplied]:
    """Revenue as units times their price, where no column has the amount.

    Parameters
    ----------
    table, places, headers, head
        As for :func:`composed_dates`.
    shorten : callable
        Folds a header, without its unit of money.
    """
    if table.name != "tracking" or "revenue" in places or not head:
        return {}
    named: dict[str, int] = {}
    for at, header in enumerate(headers):
        cells = [re.sub(_NO_DIGIT, "", cell) for cell in _cells(head, at)]
        if 2 * sum(bool(_NUMBER.fullmatch(cell)) for cell in cells) > len(cells):
            named.setdefault(shorten(header), at)
    price = next((each for each in (*UNIT_PRICES, *DOUBTFUL_PRICES) if each in named), "")
    units = next((each for each in UNITS if each in named), "")
    if not price or not units:
        return {}
    return {"revenue": Multiplied((named[price], named[units]), price in DOUBTFUL_PRICES)}


Made = Composed | Multiplied | Joined | FirstOf | Network | NamedNetwork


def composed_dates(
    table: Table,
    places: Mapping[str, int],
    headers: Sequence[str],
    head: Sequence[Sequence[str]],
    overrules: Mapping[str, str],
    names: Callable[[Table, Column], Mapping[str, int]],
) -> dict[str, Composed]:
    """Find the dates that stand in several columns, unless a column has the whole date.

    Parameters
    ----------
    table : Table
    places : mapping of str to int
        What was found so far.
    headers : sequence of str
    head : sequence of rows
    overrules : mapping of str to str
        What a person said.
    names : callable
        Gives the folded names of a column.
    """
    dates = [each for each in table if each.kind in (Kind.DATE, Kind.TIMESTAMP)]
    found: dict[str, dict[str, int]] = {each.name: {} for each in dates}
    if not head or not dates:
        return {}
    for at, header in enumerate(headers):
        words = words_of(header)
        kinds = [_WORDS[word] for word in words if word in _WORDS] or (
            ["day"] if {"date", "dt"} & set(words) else []
        )
        of = fold("".join(word for word in words if word not in _WORDS and word not in _NOISE))
        for column in dates:
            mine = column is dates[0] if not of else f"{of}date" in names(table, column)
            kind = kinds[0] if mine and len(kinds) == 1 else ""
            if kind == "month" and _most(head, at, _IS["period"]):
                kind = "period"
            if kind and _most(head, at, _IS[kind]):
                found[column.name].setdefault(kind, at)
    composed = {}
    for column in dates:
        own, place = found[column.name], places.get(column.name)
        if column.name in overrules or not own.keys() & {"year", "time", "period"}:
            continue
        whole = [] if place is None else _cells(head, place)
        if {"year", "month"} <= own.keys() and (place is None or place in own.values()):
            parts = tuple(own[each] for each in ("year", "month", "day") if each in own)
            timed = column.kind is Kind.TIMESTAMP and {"day", "time"} <= own.keys()
            composed[column.name] = Composed(
                (*parts, own["time"]) if timed else parts, "-", True, timed
            )
        elif {"period", "day"} <= own.keys() and (place is None or place in own.values()):
            named = any(cell[:1].isalpha() for cell in _cells(head, own["period"]))
            parts = (own["day"], own["period"]) if named else (own["period"], own["day"])
            composed[column.name] = Composed(parts, " " if named else "-")
        elif place is not None and "year" in own and _most(head, place, _NO_YEAR):
            first = next(filter(None, map(_NO_YEAR.fullmatch, whole)))
            composed[column.name] = Composed((place, own["year"]), first[1] or first[2])
        elif (
            place is not None
            and column.kind is Kind.TIMESTAMP
            and "time" in own
            and not any(":" in cell for cell in whole)
        ):
            composed[column.name] = Composed((place, own["time"]), " ")
    return composed


def _cells_of(record: Sequence[str], places: Sequence[int]) -> list[str]:
    return [record[place].strip() if place < len(record) else "" for place in places]


def _cells(head: Sequence[Sequence[str]], place: int) -> list[str]:
    return [row[place].strip() for row in head if place < len(row) and row[place].strip()]


def _most(head: Sequence[Sequence[str]], place: int, pattern: re.Pattern[str]) -> bool:
    """Whether most of the first filled cells are of a kind; a second header or a total is not."""
    cells = _cells(head, place)
    return 2 * sum(bool(pattern.fullmatch(cell)) for cell in cells) > len(cells)
