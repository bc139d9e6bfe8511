"""What was decided about the values of a column, in words and as numbers for the check."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import duckdb

from hkreport.errors import listed
from hkreport.ingest.check import Example
from hkreport.ingest.columns import doubtful_total, paid_parts
from hkreport.ingest.composed import FirstOf, Multiplied, NamedNetwork, Network
from hkreport.ingest.plans import DATES, NUMBERS, SUMMED, Reading, header_scale
from hkreport.ingest.read import Source, quoted
from hkreport.ingest.stage import Staged
from hkreport.ingest.totals import TOTAL_WORDS
from hkreport.ingest.values import number_query
from hkreport.schema import Kind, fold
from hkreport.units import Unit, text

__all__ = ["suspicious_defaults", "tell_columns", "tell_dates", "tell_numbers"]

Say = Callable[..., None]
# Headers of what became of an order or a payout.
STATUS_HEADERS = frozenset(
    """status orderstatus deliverystatus paymentstatus payoutstatus fulfilmentstatus fulfillmentstatus
    financialstatus shipmentstatus shippingstatus itemstatus currentstatus returnstatus refundstatus invoicestatus
    orderstate cancelled canceled cancelledat canceledat returned rto isrto iscancelled""".split()
)
# What a cell says of an order or a payout that did not last.
UNDONE = frozenset(
    """cancelled canceled cancel rto rtodelivered returned return refunded refund partiallyrefunded voided void
    reversed rejected failed declined chargeback undelivered lost""".split()
)
# Amounts of one post, order or product, of which there is no sum.
UNIT_AMOUNTS = frozenset("rate product_price price".split())
# What a cell says of an amount, in a column beside it.
DEBITS, CREDITS = frozenset("dr debit debited".split()), frozenset("cr credit credited".split())
# A line that says in what all amounts are; a title may well have a crore in it.
_UNIT_ABOVE = re.compile(
    r"(?i)(?:\b(?:in|figures?|amounts?|values?|numbers?)\b[^a-z\d]*|[(₹]\s*)(?:(?:are|all|in|rs|inr|rupees?)\b[^a-z\d]*)*"
    r"(?:lakhs?|lacs?|crores?|cr|thousands?|millions?|mn|'?000s?|paise)\b"
)
LONGEST_LINE = 60
# Zones in a header, and times that name none.
_ZONE = re.compile(r"(?i)(?:^|[^a-z])(utc|gmt|p[sd]t|edt|c[sd]t|sgt|bst|cest)(?![a-z])")
_INDIAN = re.compile(r"(?i)[+]\s?0?5[:.]?30|(?:^|[^a-z])ist(?![a-z])")
_BARE_TIME = re.compile(r"(?i)\d:\d\d(?::\d\d)?(?:[.]\d+)?\s*(?:[ap][.]?m[.]?)?$")
CURRENCY_HEADERS = frozenset(
    "currency currencycode ordercurrency salecurrency payoutcurrency ccy".split()
)
# Another currency in the header of an amount.
_FOREIGN = re.compile(
    r"(?i)[$€£¥]|(?:^|[^a-z])(usd|eur|gbp|aed|sgd|aud|cad|dollars?|euros?|dirhams?)(?![a-z])"
)
RUPEES = frozenset("inr rs rupee rupees ₹".split())
NUMBER_KINDS: Mapping[str, str] = {
    "formatted": "carry a currency sign, spaces or thousands separators, which were removed",
    "scaled": "are in lakh, crore, thousands or millions and were written out",
    "brackets": "stand in brackets and were read as negative",
    "percent": "carry a percent sign and were read as shares",
    "comma": "have a decimal comma or a dot between thousands",
}
DATE_KINDS: Mapping[str, str] = {
    "serial": "are spreadsheet day numbers (45822 is 2025-06-14)",
    "epoch": "are seconds or milliseconds since 1970, read in Indian time",
    "compact": "are written as YYYYMMDD",
    "month": "name a month without a day and were read as its first day",
    "week": "name a week and were read as its Monday, so that a week across two months counts for the first",
    "short_year": "have a year of two digits, read as 1970 to 2069",
}


def tell_columns(
    con: duckdb.DuckDBPyConnection, staged: Staged, used: Collection[str], say: Say
) -> None:
    """Say which header was taken where several could be meant, and what was kept aside.

    A file that is several tables has columns that another of them `used`.
    """
    name, source, match = staged.table.name, staged.source, staged.match
    unused = [header for header in match.unused if header not in used]
    _tell_choices(con, staged, used, say)
    if name == "influencers" and match.places["influencer_id"] == match.places.get("name"):
        say(name, "influencer_id", "name_as_id", "warning", staged.rows,
            f"{source.label} has no ids: '{source.headers[match.places['name']]}' is taken for the id as well, so that "
            "two influencers of one name count as one.")  # fmt: skip
    for column in match.guessed:
        taken = source.headers[match.places[column]]
        why = {
            "influencer_id": "it holds what influencers are called",
            "date": "no other column has dates",
        }.get(column, "no other column is called like it")
        say(name, column, "column_guessed", "note" if column == "influencer_id" else "warning", staged.rows,
            f"{source.label}: '{taken}' is taken for {column}, as {why}. If it is something else, name the column under "
            "data: columns in the params.")  # fmt: skip
    for column, value in match.constants.items():
        say(name, column, "constant", "warning", staged.rows,
            f"{source.label} has no column for {column} but an order id: each row was counted as {value} order. "
            "If a row can hold several, export their number.")  # fmt: skip
    for column, how in match.composed.items():
        named = [source.headers[place] for place in how.places]
        if isinstance(how, Multiplied):
            hint = (
                f" If '{named[0]}' is that of the whole row already, name it in the params: "
                f"data: {{columns: {{{name}: {{{column}: {named[0]}}}}}}}."
            )
            say(name, column, "multiplied", "warning" if how.doubtful else "note", staged.rows,
                f"{source.label}: {column} is '{named[0]}' times '{named[1]}'.{hint if how.doubtful else ''}")  # fmt: skip
            continue
        words = f"is made of {listed(named)}"
        if isinstance(how, FirstOf):
            first, *others = (f"'{each}'" for each in named)
            words = f"is {first}, and where that is empty {', then '.join(others)}"
        elif isinstance(how, Network):
            words = f"is the network of the address in '{named[0]}'"
        elif isinstance(how, NamedNetwork):
            one = len(named) == 1
            words = f"is the network that the header{'' if one else 's'} {listed(named)} name{'s' if one else ''}"
            words += ", where the cell is filled"
        say(name, column, "composed", "note", staged.rows, f"{source.label}: {column} {words}.")
    for rule, sentence in source.notes:
        severity = "note" if rule in ("not_gzip", "not_workbook", "formula_cells") else "warning"
        say(name, None, rule, severity, 1, sentence)
    if name == "payouts" and (parts := paid_parts(match, source)):
        taken = source.headers[match.places["total_payout"]]
        say(name, "total_payout", "payout_parts", "warning", staged.rows,
            f"{source.label}: '{taken}' was taken for all that is paid, and {listed(parts)} "
            f"{'is' if len(parts) == 1 else 'are'} not added to it. If it is paid beside {'it' if len(parts) == 1 else 'them'}, "
            "add the sum as a column 'total_payout'.")  # fmt: skip
    if name == "payouts" and (doubt := doubtful_total(match, source)):
        taken = source.headers[match.places["total_payout"]]
        rule, why = ("tax_not_used", f"and '{doubt[0]}' is not used: whether that tax is in the amount or not, it counts as it stands")  # fmt: skip
        if len(doubt) == 2:
            rule, why = "part_of_payout", f"but it is '{doubt[0]}' less '{doubt[1]}'"
        say(name, "total_payout", rule, "warning", staged.rows,
            f"{source.label}: '{taken}' was taken for all that is paid, {why}. If another column is what influencers cost, "
            "name it under data: columns in the params.")  # fmt: skip
    _tell_foreign(staged, say)
    _tell_unit_above(staged, say)
    if not staged.rows:
        say(name, None, "no_rows", "warning", 0, f"{source.label} has a header but no rows.")
    for header in unused:
        if fold(header) in CURRENCY_HEADERS:
            told = _different(source, header)
            other = [each for each in told if (fold(each.value) or each.value) not in RUPEES]
            if other:
                say(name, None, "currency_not_used", "warning", 1,
                    f"{source.label}: the column '{header}' says {other[0].value}, and is not used: all amounts are taken "
                    "as rupees. Convert them, or leave those rows out.", other)  # fmt: skip
        entries = {fold(each.value) for each in _different(source, header)}
        if entries & DEBITS and entries & CREDITS:
            say(name, None, "sign_not_used", "warning", 1,
                f"{source.label}: the column '{header}' says which amounts are debits and which are credits, and is not "
                "used: all count with the sign that they carry. Write a minus before those that are taken off.",
                _different(source, header))  # fmt: skip
        if name == "tracking" and "organic" in fold(header):
            say(name, None, "organic_not_used", "warning", 1,
                f"{source.label}: the column '{header}' is not used, and an order counts as organic only where its source "
                "says so. Write 'organic' into a column 'source' in those rows.",
                _different(source, header))  # fmt: skip
        undone = any(fold(each.value) in UNDONE for each in _different(source, header))
        if undone or fold(header) in STATUS_HEADERS:
            what = "payouts" if name == "payouts" else "orders"
            say(name, None, "status_not_used", "warning", 1,
                f"{source.label}: the column '{header}' is not used, so that {what} count whatever it says. Remove "
                "rows that are cancelled, returned or not to be paid, if there are any.",
                _different(source, header))  # fmt: skip
    if unused:
        listing = ", ".join(repr(header) for header in unused[:6])
        more = f" and {len(unused) - 6} more" if len(unused) > 6 else ""
        say(name, None, "extra_columns", "note", len(unused),
            f"{source.label}: {listing}{more} {'is' if len(unused) == 1 else 'are'} not used by the "
            "report and kept aside.")  # fmt: skip


def _tell_foreign(staged: Staged, say: Say) -> None:
    """Warn of amounts whose header names another currency."""
    source = staged.source
    for column in staged.table:
        place = staged.match.places.get(column.name)
        if column.kind is not Kind.MONEY or place is None:
            continue
        header = source.headers[place].replace("_", " ")
        if found := _FOREIGN.search(header):
            say(staged.table.name, column.name, "currency_not_used", "warning", staged.rows,
                f"{source.label}: the header '{source.headers[place]}' says {found[0].strip(' (_-')}, and is not used: all "
                "amounts are taken as rupees. Convert them.")  # fmt: skip


def _tell_choices(
    con: duckdb.DuckDBPyConnection, staged: Staged, used: Collection[str], say: Say
) -> None:
    """Say which of several headers was taken; a warning where another would give another amount."""
    source, match = staged.source, staged.match
    for column, rivals in match.rivals.items():
        taken = source.headers[match.places[column]]
        others = [other for other in rivals if other == taken or other not in used]
        same = [other for other in others if other == taken]
        sums = {} if same else _sums(con, staged, column, [taken, *others])
        where = "in all" if staged.rows <= len(source.head) else "in the first rows"
        shown = {
            header: f"'{header}'" + (f" ({text(float(sums[header]), Unit.MONEY)} {where})" if header in sums else "")
            for header in [taken, *others]
        }  # fmt: skip
        words = (
            f"the first of {len(same) + 1} columns called '{taken}' was taken"
            if same
            else f"{shown[taken]} was taken, not {' or '.join(shown[other] for other in others)}"
        )
        severity = "warning" if same or len(set(sums.values())) > 1 else "note"
        if others:
            say(staged.table.name, column, "column_choice", severity, len(others),
                f"{source.label}: for {column}, {words}. To change it, name the column under data: columns "
                "in the params.")  # fmt: skip


def _sums(
    con: duckdb.DuckDBPyConnection, staged: Staged, name: str, headers: Collection[str]
) -> dict[str, Decimal]:
    """The sums of columns of amounts over the first rows, by header.

    Not over all rows: a large file is not read again for a column that the report has no use for.
    """
    kind = next(column.kind for column in staged.table if column.name == name)
    if kind is not Kind.MONEY or name in UNIT_AMOUNTS:
        return {}
    numbers = number_query(
        "(SELECT DISTINCT raw FROM choice)",
        decimal_comma=staged.readings[name].decimal_comma, percent=False, foreign=True,
    )  # fmt: skip
    rows = [record for record in staged.source.head if not _is_total(record)]
    found = {}
    for header in headers:
        place = staged.source.headers.index(header)
        texts = ", ".join(quoted(record[place]) for record in rows if place < len(record))
        total = con.execute(
            f"WITH choice AS (SELECT unnest([{texts}]::VARCHAR[]) AS raw) "
            f"SELECT sum(CAST(q.value AS DECIMAL(38, 6))) FROM choice JOIN ({numbers}) AS q USING (raw)"
        ).fetchone()
        if total and total[0] is not None:
            found[header] = total[0] * header_scale(header)
    return found


def _is_total(record: Sequence[str]) -> bool:
    word = next((cell for cell in record if cell.strip()), "").lower()
    return re.fullmatch(TOTAL_WORDS, re.sub("[^a-z]", "", word)) is not None


def _tell_unit_above(staged: Staged, say: Say) -> None:
    """Warn where a line above the header says in what the amounts are, which their headers do not."""
    source, places = staged.source, staged.match.places
    kind = Kind.NUMBER if staged.table.name in ("influencers", "posts") else Kind.MONEY
    plain = [
        source.headers[places[column.name]]
        for column in staged.table
        if column.name in places and column.kind is kind
        and header_scale(source.headers[places[column.name]]) == 1
    ]  # fmt: skip
    for part in [each for each, _ in source.parts] or [source]:
        said = next((line for line in part.above if _UNIT_ABOVE.search(line)), "")
        if said and plain:
            say(staged.table.name, None, "unit_above", "warning", staged.rows,
                f"{part.label}: a line above the header says '{said[:LONGEST_LINE]}', which is not applied: numbers are "
                f"taken as they stand. Where they are in that unit, write it in the header, as in '{plain[0]} (in lakh)'.")  # fmt: skip


def _different(source: Source, header: str) -> list[Example]:
    """The first row of each text of a column, among the first rows of the file."""
    place = source.headers.index(header)
    seen: dict[str, int] = {}
    for number, record in enumerate(source.head):
        if place < len(record) and record[place].strip():
            seen.setdefault(record[place].strip(), source.row(number))
    return [Example(row, text) for text, row in seen.items()]


def tell_numbers(con: duckdb.DuckDBPyConnection, staged: Staged, say: Say) -> dict[str, Any]:
    """Say how numbers that are not written plainly were read; give the decisions by column."""
    decisions: dict[str, Any] = {}
    name, label = staged.table.name, staged.source.label
    for column, reading in staged.readings.items():
        if reading.column.kind not in NUMBERS:
            continue
        told: dict[str, Any] = {}
        for kind, words in NUMBER_KINDS.items():
            rows, some = reading.kinds.get(kind, (0, []))
            if not rows or (kind == "comma" and not reading.decimal_comma):
                continue
            told[kind] = rows
            say(name, column, f"number_{kind}", "note", rows,
                f"{label}: {_cells(rows)} of {column} {_agreeing(words, rows)} (first: {_shown(some)}).", some)  # fmt: skip
        rows, some = reading.kinds.get("foreign", (0, []))
        if rows:
            told["foreign"] = rows
            say(name, column, "foreign_currency", "warning", rows,
                f"{label}: all of {column} carries a foreign currency sign; the numbers were taken as rupees "
                f"without conversion (first: {_shown(some)}). Convert them if they are not rupees.", some)  # fmt: skip
        if reading.decimal_comma:
            told["decimal_comma"] = True
            say(name, column, "decimal_comma", "warning", reading.european or 1,
                f"{label}: {column} is read with a decimal comma: 1.234,50 is 1234.50 and 1.234 is 1234"
                + (f"; {_cells(reading.english)} {_agreeing('look otherwise', reading.english)}." if reading.english else "."))  # fmt: skip
        if reading.doubtful:
            told["doubtful_thousands"] = reading.doubtful
            say(name, column, "doubtful_thousands", "warning", reading.doubtful,
                f"{label}: every {column} with a dot has three digits behind it, as in 1.234; the dot was read as "
                "a decimal point. If it stands between thousands, remove it in the export.", reading.doubtful_cells)  # fmt: skip
        if reading.scale != 1:
            told["scale"] = float(reading.scale) if reading.scale < 1 else reading.scale
            units = (
                "paise"
                if reading.scale < 1
                else f"units of {text(float(reading.scale), Unit.COUNT)}"
            )
            done = "divided by 100" if reading.scale < 1 else "multiplied by it"
            say(name, column, "header_unit", "warning", staged.rows,
                f"{label}: the header '{reading.header}' says that amounts are in {units}; they were {done}.")  # fmt: skip
        if reading.percent:
            told["percent"] = True
            say(name, column, "percent_numbers", "warning", staged.rows,
                f"{label}: {column} holds percentages without a sign (such as 12 for 12 %); plain numbers were "
                "divided by 100.")  # fmt: skip
        if (name, column) in SUMMED and not staged.survey:
            found = con.execute(
                f"SELECT count(*), min(row) FROM judged_{name} WHERE x_{column} <> 0"
            ).fetchone()
            if found and found[0]:
                told["rounded"] = int(found[0])
                say(name, column, "rounded", "note", int(found[0]),
                    f"{label}: {text(found[0], Unit.COUNT)} values of {column} have more than six decimals; they are "
                    f"kept to six, the totals of the check use all (first: row {found[1]}).")  # fmt: skip
        if told:
            decisions[f"{name}.{column}"] = told
    return decisions


def tell_dates(con: duckdb.DuckDBPyConnection, staged: Staged, say: Say) -> dict[str, Any]:
    """Say which way round dates were read; give the decisions by column."""
    decisions: dict[str, Any] = {}
    name = staged.table.name
    for column, reading in staged.readings.items():
        if reading.column.kind not in DATES:
            continue
        if staged.survey:
            first, last, filled = staged.survey.first, staged.survey.last, staged.rows
        else:
            found = con.execute(
                f"SELECT min({column}), max({column}), count({column}) FROM judged_{name}"
            ).fetchone()
            first, last, filled = found or (None, None, 0)
        entry: dict[str, Any] = {
            "format": "none" if not filled else "year first",
            "first": str(first) if first else None,
            "last": str(last) if last else None,
        }
        _tell_zone_of_header(staged, column, say)
        _tell_order(staged, column, reading, entry, say)
        for kind, words in DATE_KINDS.items():
            rows, some = reading.kinds.get(kind, (0, []))
            if rows:
                entry[kind] = rows
                say(name, column, f"date_{kind}", "note", rows,
                    f"{staged.source.label}: {_cells(rows)} of {column} {_agreeing(words, rows)} "
                    f"(first: {_shown(some)}).", some)  # fmt: skip
        if reading.zoned:
            entry["with_zone"] = reading.zoned
            say(name, column, "date_zone", "note", reading.zoned,
                f"{staged.source.label}: {_cells(reading.zoned)} of {column} "
                + _agreeing("name a time zone and were converted to ", reading.zoned) +
                "Indian time (Asia/Kolkata), which may move them to another day.")  # fmt: skip
        decisions[f"{name}.{column}"] = entry
    return decisions


def _tell_zone_of_header(staged: Staged, column: str, say: Say) -> None:
    """Warn where a header names another time zone than India's, and times beside it name none."""
    source, place = staged.source, staged.match.places[column]
    header = source.headers[place]
    zone = _ZONE.search(header)
    if not zone or _INDIAN.search(header):
        return
    cells = [
        Example(source.row(at), row[place])
        for at, row in enumerate(source.head)
        if place < len(row) and _BARE_TIME.search(row[place]) and "00:00:00" not in row[place]
    ]
    if cells:
        say(staged.table.name, column, "zone_of_header", "warning", staged.rows,
            f"{source.label}: the header '{header}' says that times are in {zone[1].upper()}; those without a zone of their "
            f"own were taken as Indian time (first: {_shown(cells)}), so that what is sold late may count for another "
            "day. Export Indian times, or write the zone behind each, as in 2025-04-30T20:00:00Z.", cells)  # fmt: skip


def _tell_order(
    staged: Staged, column: str, reading: Reading, entry: dict[str, Any], say: Say
) -> None:
    order = reading.order
    if order is None:
        return
    name, label = staged.table.name, staged.source.label
    for cells, texts, first in reading.turned:
        say(name, column, "turned_dates", "warning", cells,
            f"{label}: {column} holds {text(texts, Unit.COUNT)} dates as texts, all with a day after the 12th, "
            f"and {_cells(cells)} that are dates, all of the 1st to 12th of a month: a spreadsheet seems to have turned day "
            f"and month round where it could (1 April into 4 January). They were read as they stand (first: "
            f"{_shown([first])}). Compare them with the export, and open it with that column as text.", [first])  # fmt: skip
    words = "day first" if order.day_first else "month first"
    entry |= {
        "format": words,
        "chosen_by": order.chosen_by,
        "only_day_first": order.only_day_first,
        "only_month_first": order.only_month_first,
        "ambiguous": order.either,
    }
    if reading.by_file:
        _tell_files(staged, column, reading, entry, say)
        return
    contrary = order.only_month_first if order.day_first else order.only_day_first
    telling = order.only_day_first if order.day_first else order.only_month_first
    overrule = (
        f"If that is wrong, set data: day_first: {{{name}.{column}: {str(not order.day_first).lower()}}} "
        "in the params."
    )
    if order.either and order.chosen_by == "default":
        say(name, column, "ambiguous_dates", "warning", order.either,
            f"{label}: {column} does not show whether the day or the month comes first"
            + (f" ({text(order.only_day_first, Unit.COUNT)} cells speak for each)" if order.only_day_first else "")
            + f"; {_cells(order.either)} could be read both ways and {_were(order.either)} read {words} "
            f"(first: {_shown(reading.either)}). {overrule}", reading.either)  # fmt: skip
    elif order.either:
        why = (
            "the settings say so"
            if order.chosen_by == "setting"
            else f"{_cells(telling)} {_agreeing('allow nothing else', telling)}"
        )
        say(name, column, "date_order", "note", order.either,
            f"{label}: {column} is read {words}, because {why}; by itself {_cells(order.either)} could be read both "
            f"ways (first: {_shown(reading.either)}).", reading.either)  # fmt: skip
    if contrary:
        other = "month first" if order.day_first else "day first"
        say(name, column, "mixed_date_order", "warning", contrary,
            f"{label}: {column} mixes both orders: {_cells(contrary)} can only be {other} and {_were(contrary)} read so, "
            f"the others {words}. {overrule}", reading.contrary)  # fmt: skip


def _tell_files(
    staged: Staged, column: str, reading: Reading, entry: dict[str, Any], say: Say
) -> None:
    """Say how each file is read, where some are day first and others month first."""
    name = staged.table.name
    entry["format"] = "by file"
    day_first, month_first = (
        [label for label, each in reading.by_file if each.day_first is way and each.chosen_by == "data"]
        for way in (True, False)
    )  # fmt: skip
    say(name, column, "date_order", "note", sum(each.either for _, each in reading.by_file),
        f"{staged.source.label}: {column} is read day first in {listed(day_first, most=4)} and month first in "
        f"{listed(month_first, most=4)}, because cells of each allow nothing else. To read all of them one way, set "
        f"data: day_first: {{{name}.{column}: true}} in the params.")  # fmt: skip
    for label, each in reading.by_file:
        words = "day first" if each.day_first else "month first"
        contrary = min(each.only_day_first, each.only_month_first)
        if each.either and each.chosen_by == "default":
            say(name, column, "ambiguous_dates", "warning", each.either,
                f"{label}: {column} does not show whether the day or the month comes first, and other files differ; "
                f"{_cells(each.either)} could be read both ways and were read {words}. Write them as YYYY-MM-DD.")  # fmt: skip
        if contrary:
            say(name, column, "mixed_date_order", "warning", contrary,
                f"{label}: {column} mixes both orders: {_cells(contrary)} can only be read otherwise and were read so, "
                f"the others {words}. Write them as YYYY-MM-DD.")  # fmt: skip


def suspicious_defaults(staged: Mapping[str, Staged], say: Say) -> None:
    """Warn where a column was read day first by default although another one is month first."""
    month_first = [
        f"{name}.{column}"
        for name, each in staged.items()
        for column, reading in each.readings.items()
        if reading.order and reading.order.chosen_by == "data" and not reading.order.day_first
    ]
    if not month_first:
        return
    for name, each in staged.items():
        for column, reading in each.readings.items():
            order = reading.order
            if order and order.chosen_by == "default" and order.either and order.day_first:
                say(name, column, "date_order_differs", "warning", order.either,
                    f"{name}.{column} was read day first by default, but {', '.join(month_first)} in the same "
                    "folder can only be month first. Look at its dates before you trust a period.")  # fmt: skip


def _cells(count: int) -> str:
    return f"{text(count, Unit.COUNT)} {'cell' if count == 1 else 'cells'}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _agreeing(words: str, count: int) -> str:
    """What is said of several cells, or of one.

    Examples
    --------
    >>> _agreeing("are written as YYYYMMDD", 1), _agreeing("stand in brackets and were read so", 1)
    ('is written as YYYYMMDD', 'stands in brackets and was read so')
    """
    if count != 1:
        return words
    verb, rest = words.split(" ", 1)
    verb = {"are": "is", "have": "has", "carry": "carries"}.get(verb, f"{verb}s")
    rest = rest.replace(" and were ", " and was ").replace("as shares", "as a share")
    return f"{verb} {rest.replace('spreadsheet day numbers', 'a spreadsheet day number')}"


def _shown(some: list[Example]) -> str:
    if not some:
        return "not kept"
    row = f"row {some[0].row}, " if some[0].row is not None else ""
    return f"{row}'{some[0].value}'"
