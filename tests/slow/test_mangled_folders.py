"""Thousands of folders, each mangled at random: no traceback, no row lost, sums right, bad cells named.

Every folder is generated from its number: rows whose truth is known, written in one of the ways in which
people export, with a few cells spoilt. Any failure names the number of its folder, and
``mangled(NUMBER)`` makes it again.
"""

import csv
import gzip
import io
import os
import random
import sys
import tempfile
import traceback
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path

import pytest
import reliability

from hkreport import ingest
from hkreport.errors import DataError
from hkreport.schema import TABLES, TOTALS

FOLDERS = 3_200
WORKERS = 2
BRANDS = {"MuscleBlaze": ("MB",), "HKVitals": ("HKV", "HK Vitals"), "Gritzo": ()}

# Headers that mean the same, canonical name first; those of one table never claim each other's.
HEADERS = {
    "influencers": {
        "influencer_id": ("influencer_id", "ID", "Creator ID", "Influencer-Code"),
        "name": ("name", "Full Name", "Influencer Name", "Handle"),
        "platform": ("platform", "Social Platform", "Network"),
        "category": ("category", "Niche", "Genre"),
        "gender": ("gender", "Sex"),
        "follower_count": ("follower_count", "Followers", "No. of Followers", "Subscribers"),
    },
    "posts": {
        "post_id": ("post_id", "Post ID", "Media ID"),
        "influencer_id": ("influencer_id", "Creator ID", "influencer"),
        "date": ("date", "Post Date", "Published At", "Posted On"),
        "platform": ("platform", "Network"),
        "caption": ("caption", "Captions", "Post Text"),
        "reach": ("reach", "Post Reach", "Total Reach"),
        "likes": ("likes", "Like Count", "Total Likes"),
        "comments": ("comments", "Comment Count"),
    },
    "tracking": {
        "tracking_id": ("tracking_id", "Order ID", "Transaction ID"),
        "date": ("date", "Order Date", "Purchase Date", "Timestamp"),
        "source": ("source", "UTM Source", "Traffic Source"),
        "influencer_id": ("influencer_id", "Creator ID", "INFLUENCER"),
        "brand": ("brand", "Brand Name", "Brands"),
        "product": ("product", "Product Name", "SKU"),
        "orders": ("orders", "Order Count", "No. of Orders"),
        "revenue": ("revenue", "Order Value", "Revenue (INR)", "GMV"),
    },
    "payouts": {
        "payout_id": ("payout_id", "Payment ID", "Invoice ID"),
        "influencer_id": ("influencer_id", "Creator ID", "Influencer"),
        "basis": ("basis", "Payout Type", "Payment Model"),
        "rate": ("rate", "Unit Rate", "Payout Rate"),
        "orders": ("orders", "Order Count", "Total Orders"),
        "total_payout": ("total_payout", "Payment Amount", "Amount Paid", "Total Payout"),
    },
}
FILES = {
    "influencers": ("influencers", "Influencer", "Creators Export (1)", "hk_influencer_master"),
    "posts": ("posts", "Post", "POSTS-final", "social_posts_2025"),
    "tracking": ("tracking", "tracking_data", "Sales Orders", "Conversions"),
    "payouts": ("payouts", "Payout", "payment_log", "Influencer Payments"),
}
NEEDED = {
    "influencers": {"influencer_id", "name", "platform"},
    "posts": {"influencer_id", "date"},
    "tracking": {"date", "orders", "revenue"},
    "payouts": {"influencer_id", "total_payout"},
}
# What has a stand-in: an influencer goes by name, and a row with an order id is one order.
REPLACED = defaultdict(set, {"influencers": {"influencer_id"}, "tracking": {"orders"}})
AMOUNTS = {
    "follower_count",
    "reach",
    "likes",
    "comments",
    "orders",
    "revenue",
    "rate",
    "total_payout",
}
COUNTS = {"follower_count", "reach", "likes", "comments"}  # never negative
BAD = {
    "date": ("soon", "2025-13-40", "31/02/2025", "Q2", "0000-00-00"),
    "amount": ("lots", "12 apples", "%", "1,2,3", "#", "12..5"),
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252")
DATES = (
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%d-%m-%Y",
    "%d %b %Y",
    "%Y-%m-%d %H:%M:%S",
    "%B %d, %Y",
    "%Y/%m/%d",
)
CAPTIONS = ("Whey?", 'Mat 6" long', "two\nlines", "Café, daily", "🔥 offer", "", "=SUM(A1)")


@dataclass
class Truth:
    """What must be found in one table.

    ``bad`` maps (row, column) to the text of a cell that leaves its row out, ``empty`` to one that is only
    taken as empty; ``lines`` are rows that are no data.
    """

    file: str = ""
    read: int = 0
    used: int = 0
    sums: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    bad: dict[tuple[int, str], str] = field(default_factory=dict)
    empty: dict[tuple[int, str], str] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)


def mangled(number: int) -> tuple[dict[str, bytes], dict[str, Truth]]:
    """Make the files of one folder and the truth about each table."""
    draw = random.Random(number)
    tables = draw.choice(
        (["tracking"], ["tracking"], ["posts"], ["payouts"], ["influencers", "payouts"],
         ["posts", "tracking"], ["tracking", "payouts"], list(HEADERS))
    )  # fmt: skip
    workbook = draw.random() < 0.15
    files, sheets, truths = {}, {}, {}
    for table in tables:
        form = (
            "xlsx"
            if workbook
            else draw.choice(("csv", "csv", "csv", "csv", "tsv", "gz", "parquet"))
        )
        grid, truth = _grid(table, form, draw)
        name = draw.choice(FILES[table])
        truths[table] = truth
        if workbook:
            sheets[name] = grid
            truth.file = f"export.xlsx [{name}]"
        else:
            truth.file = f"{name}.{'csv.gz' if form == 'gz' else form}"
            if draw.random() < 0.2 and form == "csv":
                truth.file = truth.file.upper()
            files[truth.file] = _parquet(grid) if form == "parquet" else _text(grid, form, draw)
    if workbook:
        files["export.xlsx"] = _workbook(sheets)
    return files, truths


def _grid(table: str, form: str, draw: random.Random) -> tuple[list[list[object]], Truth]:
    """Lay out a table as rows of a sheet, header first; an empty list is a blank line."""
    columns = [name for name in HEADERS[table] if name in NEEDED[table] or draw.random() < 0.8]
    draw.shuffle(columns)
    spell = draw.choice((str, str.upper, str.title, lambda text: text.replace("_", " "),
                         lambda text: f" {text} ", lambda text: text.replace(" ", "_")))  # fmt: skip
    headers: list[object] = [spell(draw.choice(HEADERS[table][name])) for name in columns]
    extra = draw.random() < 0.3
    headers += ["Remarks"] if extra else []
    written = {name: _style(name, table, form, draw) for name in columns}
    records = [_record(table, at, draw) for at in range(draw.randrange(1, 25))]
    if draw.random() < 0.2:
        records.append(dict(draw.choice(records)))  # an exact copy
    grid: list[list[object]] = [headers]
    truth = Truth()
    spoilt = draw.random() < 0.6
    seen = set()
    for record in records:
        while form != "parquet" and draw.random() < 0.04:
            grid.append([])
        if form != "parquet" and draw.random() < 0.02:
            grid.append(list(headers))
            truth.lines.append(len(grid))
        if form != "parquet" and draw.random() < 0.02:
            grid.append(["..." for _ in headers])
            truth.lines.append(len(grid))
        row = len(grid) + 1
        cells = []
        left_out = False
        for name in columns:
            cell, state = written[name](record[name]), "good"
            kind = "date" if name == "date" else "amount" if name in AMOUNTS else ""
            if spoilt and kind and draw.random() < 0.06:
                cell = draw.choice(BAD[kind])
                state = "bad" if name in NEEDED[table] else "empty"
            elif spoilt and name in COUNTS and draw.random() < 0.04:
                cell, state = "-250", "bad"
                truth.sums[name] += Decimal(-250)  # it can be read, so the totals have it
            elif name in AMOUNTS:
                truth.sums[name] += Decimal(str(record[name]))
            if state == "bad":
                truth.bad[row, name] = str(cell)
                left_out = True
            elif state == "empty":
                truth.empty[row, name] = str(cell)
            cells.append(cell)
        if table == "influencers" and not left_out:
            if record["influencer_id"] in seen:
                truth.bad[row, "influencer_id"] = str(record["influencer_id"])
                left_out = True
            seen.add(record["influencer_id"])
        grid.append(cells + (["ok"] if extra else []))
        truth.read += 1
        truth.used += not left_out
    truth.read += len(truth.lines)
    return grid, truth


def _record(table: str, at: int, draw: random.Random) -> dict[str, object]:
    """A row whose meaning is known."""
    day = date(2025, 1, 1) + timedelta(days=draw.randrange(360))
    money = Decimal(draw.randrange(-50_000, 5_000_000)) / 100
    rows: dict[str, dict[str, object]] = {
        "influencers": {
            "influencer_id": f"INF_{at}", "name": f"Asha {at}", "gender": draw.choice(("F", "male", "")),
            "platform": draw.choice(("insta", "YouTube", "X")), "follower_count": draw.randrange(10**6),
            "category": draw.choice(("Fitness", "fitness", "")),
        },
        "posts": {
            "post_id": f"P{at}", "influencer_id": f"INF_{draw.randrange(9)}", "date": day,
            "platform": draw.choice(("IG", "YouTube")), "caption": draw.choice(CAPTIONS),
            "reach": draw.randrange(1, 10**6), "likes": draw.randrange(900), "comments": draw.randrange(90),
        },
        "tracking": {
            "tracking_id": f"T{at}", "date": day, "source": draw.choice(("influencer", "Organic", "")),
            "influencer_id": draw.choice((f"INF_{draw.randrange(9)}", "")), "orders": draw.randrange(-2, 20),
            "brand": draw.choice(("HK Vitals", "MB", "Gritzo")), "product": draw.choice(("Whey", "Bar, mini")),
            "revenue": money,
        },
        "payouts": {
            "payout_id": f"Y{at}", "influencer_id": f"INF_{draw.randrange(9)}", "rate": draw.randrange(1, 900),
            "basis": draw.choice(("post", "ORDER", "Per Post", "hybrid")), "orders": draw.randrange(50),
            "total_payout": money,
        },
    }  # fmt: skip
    return rows[table]


def _style(name: str, table: str, form: str, draw: random.Random):
    """How a column writes its values."""
    if name == "date":
        if form in ("xlsx", "parquet") and draw.random() < 0.5:
            return lambda day: datetime(day.year, day.month, day.day)
        style = draw.choice(DATES)
        return lambda day: day.strftime(style)
    if name not in AMOUNTS:
        return str
    if form in ("xlsx", "parquet") and draw.random() < 0.5:
        return lambda value: float(value) if isinstance(value, Decimal) else value
    money = name in ("revenue", "total_payout")
    return draw.choice(
        (str, str, lambda value: f" {value} ")
        + ((lambda value: f"₹{_indian(value)}", lambda value: f"Rs. {value:,.2f}/-", _bracketed) if money else ())
    )  # fmt: skip


def _indian(value: Decimal) -> str:
    """Group digits the Indian way: 1,23,456.50."""
    whole, fraction = f"{abs(value):.2f}".split(".")
    groups = [whole[-3:]]
    whole = whole[:-3]
    while whole:
        groups.insert(0, whole[-2:])
        whole = whole[:-2]
    return f"{'-' if value < 0 else ''}{','.join(groups)}.{fraction}"


def _bracketed(value: Decimal) -> str:
    return f"({-value:.2f})" if value < 0 else f"{value:.2f}"


def _text(grid: list[list[object]], form: str, draw: random.Random) -> bytes:
    encoding = draw.choice(ENCODINGS)
    target = io.StringIO()
    end = draw.choice(("\n", "\r\n"))
    writer = csv.writer(
        target,
        delimiter="\t" if form == "tsv" else draw.choice((",", ",", ";", "|")),
        lineterminator=end,
        quoting=draw.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
    )
    for row in grid:
        if row:
            writer.writerow(row)
        else:
            target.write(end)
    text = target.getvalue()
    if encoding == "cp1252":
        text = text.replace("₹", "Rs").replace("🔥", "*")
    content = text.encode(encoding)
    return gzip.compress(content, mtime=0) if form == "gz" else content


def _parquet(grid: list[list[object]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {}
    for header, *cells in zip(*grid, strict=True):
        plain = {type(cell) for cell in cells}
        columns[str(header)] = (
            pa.array(cells) if len(plain) == 1 else pa.array([str(cell) for cell in cells])
        )
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target)
    return target.getvalue()


def _workbook(sheets: dict[str, list[list[object]]]) -> bytes:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    for name, grid in sheets.items():
        sheet = book.create_sheet(name)
        for row in grid:
            # A formula in a caption would be run; people who write one mean its text.
            sheet.append([f" {cell}" if str(cell).startswith("=") else cell for cell in row])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def faults(number: int) -> list[str]:
    """What is wrong with how one folder was read; nothing if all is well."""
    files, truths = mangled(number)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        try:
            dataset = ingest.load(
                folder, ingest.Settings(brands=BRANDS), quarantine=folder / "quarantine"
            )
            dataset.reconciliation()
        except Exception:
            return [f"folder {number}: {traceback.format_exc()}"]
        return [
            f"folder {number}, {table}: {fault}"
            for table, truth in truths.items()
            for fault in _table_faults(dataset, table, truth, folder / "quarantine")
        ]


def _table_faults(
    dataset: ingest.Dataset, table: str, truth: Truth, quarantine: Path
) -> Iterator[str]:
    if table not in dataset.check.tables:
        yield f"not found; there are {list(dataset.check.tables)}"
        return
    found = dataset.check.tables[table]
    if found.file != truth.file:
        yield f"file {found.file}, not {truth.file}"
    if found.rows_read != found.rows_used + found.rows_quarantined:
        yield f"rows are lost: {found}"
    if (found.rows_read, found.rows_used) != (truth.read, truth.used):
        yield f"read {found.rows_read}, used {found.rows_used}; true are {truth.read}, {truth.used}"
    counted = dataset.tables[table].count().to_pandas()
    if counted != truth.used:
        yield f"the table holds {counted} rows, not {truth.used}"
    for total, (owner, column) in TOTALS.items():
        wanted = truth.sums.get(column, Decimal(0)) if column else truth.read - len(truth.lines)
        if owner == table and dataset.check.totals[total] != wanted:
            yield f"{total} is {dataset.check.totals[total]}, not {wanted}"
    yield from _unnamed_cells(dataset, table, truth, quarantine)


def _unnamed_cells(
    dataset: ingest.Dataset, table: str, truth: Truth, quarantine: Path
) -> Iterator[str]:
    """Cells that were spoilt and not named with file, row, column and value."""
    kept, lines = {}, []
    if (quarantine / f"{table}.csv").exists():
        with (quarantine / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            for each in csv.DictReader(file):
                if each["file"] != truth.file or not each["how to mend"]:
                    yield f"a row of the quarantine without file or remedy: {each}"
                if each["column"]:
                    kept[int(each["row"]), each["column"]] = each["value"].lstrip("'").strip()
                else:
                    lines.append(int(each["row"]))
    if kept != {key: value.strip() for key, value in truth.bad.items()}:
        yield f"quarantined {kept}, not {truth.bad}"
    if lines != truth.lines:
        yield f"lines without data {lines}, not {truth.lines}"
    told = defaultdict(list)
    for problem in dataset.check.problems:
        if problem.table == table and problem.rule in ("unreadable", "impossible", "repeated_key"):
            told[problem.column].append(problem)
    cells = {**truth.bad, **truth.empty}
    for column in {column for _, column in cells}:
        mine = {row: value for (row, each), value in cells.items() if each == column}
        problems = told.pop(column, [])
        if sum(each.count for each in problems) != len(mine):
            yield f"{column}: {[each.message for each in problems]} does not count {mine}"
        for each in problems:
            first = each.examples[0]
            if mine.get(first.row or 0, "").strip() != first.value.strip():
                yield f"{column}: {each.message} shows {first}, not one of {mine}"
            if any(
                word not in each.message
                for word in (truth.file, str(first.row), first.value, column)
            ):
                yield f"{column}: the message does not name file, row, column and value: {each.message}"
    if told:
        yield f"said of good cells: {[each.message for some in told.values() for each in some]}"


def _chunk(numbers: range) -> list[str]:
    return [fault for number in numbers for fault in faults(number)]


@pytest.mark.slow
def test_thousands_of_mangled_folders_are_read_as_they_were_meant(capsys):
    size = 50
    chunks = [range(at, min(at + size, FOLDERS)) for at in range(0, FOLDERS, size)]
    found: list[str] = []
    with ProcessPoolExecutor(min(WORKERS, os.cpu_count() or 1), get_context("spawn")) as pool:
        for some in pool.map(_chunk, chunks):
            found += some
    with capsys.disabled():
        sys.stdout.write(f"\n{FOLDERS:,} mangled folders were read, with {len(found)} faults\n")
    reliability.record("folders", "mangled", folders=FOLDERS, faults=len(found))
    assert not found, "\n".join(found[:10])


@pytest.mark.slow
def test_a_folder_without_what_a_table_needs_is_an_error_that_names_it():
    """Every tenth folder again, each time with one needed column gone."""
    told = 0
    for number in range(0, FOLDERS, 32):
        draw = random.Random(-number - 1)
        table = draw.choice(list(HEADERS))
        grid, _ = _grid(table, "csv", random.Random(number))
        lost = draw.choice(sorted(NEEDED[table] - REPLACED[table]))
        place = next(
            at
            for at, header in enumerate(grid[0])
            if str(header).strip().lower().replace(" ", "_")
            in {each.lower().replace(" ", "_") for each in HEADERS[table][lost]}
        )
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / f"{table}.csv"
            rows = [[*row[:place], *row[place + 1 :]] for row in grid if row]
            with path.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(rows)
            with pytest.raises(DataError) as error:
                ingest.load(Path(name), ingest.Settings(brands=BRANDS))
        assert path.name in str(error.value), number
        assert lost in str(error.value) or "header" in str(error.value), (number, str(error.value))
        told += 1
    assert told == FOLDERS // 32
    reliability.record("folders", "without a needed column", folders=told, refused_by_name=told)


def test_the_tables_mangled_are_those_that_people_export():
    for table, columns in HEADERS.items():
        assert set(columns) <= set(TABLES[table].names)
        assert set(TABLES[table].required) <= NEEDED[table]
