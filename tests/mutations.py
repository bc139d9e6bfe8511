"""Inputs spoilt at random, with their structure in mind: CSV, workbooks, Parquet, YAML and parameters.

Each input is made from its kind and number alone, so that a fault can be made again:
``folder("xlsx", 17)``. What a mutation breaks is not known; only that nothing may crash, hang or get lost.
"""

import codecs
import csv
import datetime
import gzip
import io
import random
import re
import warnings
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import exports
import yaml

PROJECT = Path(__file__).parents[1]
TABLES = {"influencers": exports.INFLUENCERS, "posts": exports.POSTS,
          "tracking": exports.TRACKING, "payouts": exports.PAYOUTS}  # fmt: skip

# Cells that have broken a reader somewhere.
CELLS = (
    "", " ", "\t", "\u00a0", "NULL", "nan", "NaN", "-nan", "inf", "-Infinity", "1e999", "-1e308", "1e-400", "1e5",
    "0x1F", "9" * 400, "-" + "9" * 40, "0." + "0" * 60 + "1", "1,2,3", "1.2.3", "1,23,456.50", "₹1.2L", "(500)",
    "12%", "%", "#N/A", "#REF!", "=1+1", "+1", "-", "--5", "١٢٣", "１２３", "½", "Ⅷ", "1_000", "1e", "e5", ".", ",",
    "2025-02-30", "0000-00-00", "0001-01-01", "9999-12-31", "10000-01-01", "-2025-01-01", "31/12/2025",
    "12/31/2025", "45000", "2958466", "-1", "1700000000", "1700000000000", "2025-W23", "2025-06-01T25:61:61Z",
    "2025-06-01 00:00:00.123456789+05:30", "June", "true", "FALSE", "yes", "\ufeff", "\u200b", "\u202eabc",
    "a\x00b", "\x1b[31m", "\ud7ff", "\U0010ffff", "é", "e\u0301", '"', "'", "\\", "a,b", "a;b", 'a"b', "a\nb",
    "a\r\nb", "a\rb", "x" * 40_000, "../x", "<b>", "{0}", "{count}", "%s", "unassigned", "all", "total",
)  # fmt: skip
HEADERS = (
    "", " ", "id", "ID", "date", "Date", "DATE ", "revenue", "Revenue (INR)", "orders", "platform", "brand",
    "influencer_id", "total_payout", "basis", "x" * 3000, "c0", "bad", "row", "mark", "whole", "n", "odd",
    "v_date", "u_revenue", "raw_brand", "select", '"', "'", "a;b", "a\nb", "\x00", "é", "1", "1.5", "\u200b",
)  # fmt: skip
NAMES = ("tracking", "Tracking Data", "posts-final", "payment_log", "influencers", "sheet1", "products",
         "assignments", "touchpoints", "orders", "export (1)", "x")  # fmt: skip


def folder(kind: str, number: int) -> dict[str, bytes]:
    """The files of one spoilt input."""
    draw = random.Random(f"{kind} {number}")
    return {"csv": _csv_folder, "xlsx": _workbook_folder, "parquet": _parquet_folder}[kind](draw)


# Grids


def _grid(table: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(TABLES[table])))


def _spoil(grid: list[list[Any]], draw: random.Random) -> None:
    """Change cells, rows and columns of a grid in place."""
    for _ in range(draw.randrange(0, 6)):
        act = draw.choice(_GRID_ACTS)
        if grid and any(grid):
            act(grid, draw)


def _cell(grid: list[list[Any]], draw: random.Random) -> None:
    row = draw.choice(grid[1:] or grid)
    if row:
        row[draw.randrange(len(row))] = draw.choice(CELLS)


def _column(grid: list[list[Any]], draw: random.Random) -> None:
    place, value = draw.randrange(max(map(len, grid))), draw.choice(CELLS)
    for row in grid[1:]:
        if place < len(row) and draw.random() < 0.8:
            row[place] = value


def _header(grid: list[list[Any]], draw: random.Random) -> None:
    if grid[0]:
        grid[0][draw.randrange(len(grid[0]))] = draw.choice((*HEADERS, *map(str, grid[0])))


def _ragged(grid: list[list[Any]], draw: random.Random) -> None:
    row = draw.choice(grid)
    if draw.random() < 0.5:
        del row[draw.randrange(len(row) + 1) :]
    else:
        row.extend(draw.choice(CELLS) for _ in range(draw.choice((1, 3, 200))))


def _lose_column(grid: list[list[Any]], draw: random.Random) -> None:
    place = draw.randrange(max(map(len, grid)))
    for row in grid:
        del row[place : place + 1]


def _more_columns(grid: list[list[Any]], draw: random.Random) -> None:
    many = draw.choice((1, 2, 400))
    for row in grid:
        row.extend(draw.choice(HEADERS) if row is grid[0] else "1" for _ in range(many))


def _rows(grid: list[list[Any]], draw: random.Random) -> None:
    act = draw.randrange(5)
    place = draw.randrange(len(grid) + 1)
    if act == 0:
        grid[place:place] = [[] for _ in range(draw.choice((1, 2, 50)))]
    elif act == 1:
        grid.insert(place, list(grid[0]))
    elif act == 2:
        grid.insert(place, ["Total", *("9" for _ in grid[0][1:])])
    elif act == 3:
        del grid[place : place + draw.choice((1, 3))]
    else:
        draw.shuffle(grid)


_GRID_ACTS: tuple[Callable[[list[list[Any]], random.Random], None], ...] = (
    _cell, _cell, _cell, _column, _column, _header, _header, _ragged, _lose_column, _more_columns, _rows, _rows,
)  # fmt: skip


# Text


def _csv_folder(draw: random.Random) -> dict[str, bytes]:
    files = {}
    for table in draw.sample(list(TABLES), draw.choice((1, 1, 2, 4))):
        grid = _grid(table)
        _spoil(grid, draw)
        target = io.StringIO()
        writer = csv.writer(
            target, delimiter=draw.choice(",,,,;\t|"), lineterminator=draw.choice(("\n", "\n", "\r\n", "\r")),
            quoting=draw.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC)),
        )  # fmt: skip
        writer.writerows(grid)
        content = target.getvalue().encode(
            draw.choice(("utf-8",) * 5 + ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7",
                                          "cp1252", "shift-jis")), errors="replace",
        )  # fmt: skip
        if draw.random() < 0.4:
            content = _bytes(content, draw)
        name = draw.choice((table, table, *NAMES)) + draw.choice(
            (".csv", ".csv", ".tsv", ".txt", ".CSV")
        )
        if draw.random() < 0.12:
            name, content = name + ".gz", _packed(content, draw)
        files[name] = content
    return files


def _bytes(content: bytes, draw: random.Random) -> bytes:
    """Spoil bytes without regard to what they mean."""
    body = bytearray(content)
    for _ in range(draw.choice((1, 1, 3, 20))):
        place = draw.randrange(len(body) + 1)
        act = draw.randrange(6)
        if act == 0 and body:
            body[place % len(body)] = draw.randrange(256)
        elif act == 1:
            body[place:place] = draw.choice(
                (b'"', b'""', b"\0", b"\r", b"\n", b",", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1a", b"\xed\xa0\x80",
                 b'"' * 99, b"\0" * 4096, b"," * 5000, b"\n" * 5000, b"x" * 100_000)
            )  # fmt: skip
        elif act == 2:
            del body[place:]
        elif act == 3:
            del body[place : place + draw.randrange(1, 60)]
        elif act == 4:
            some = body[place : place + draw.randrange(1, 200)]
            body[place:place] = some * draw.choice((1, 2, 30))
        else:
            body[place:place] = draw.randbytes(draw.choice((1, 8, 300)))
    return bytes(body)


def _packed(content: bytes, draw: random.Random) -> bytes:
    packed = gzip.compress(content, mtime=0)
    act = draw.randrange(6)
    if act == 0:
        return packed[: draw.randrange(len(packed))]
    if act == 1:
        return _bytes(packed, draw)
    if act == 2:
        return packed + packed
    if act == 3:
        return packed + draw.randbytes(40)
    return content if act == 4 else packed


# Workbooks

XML = (
    "<", "&", "&amp", "]]>", "<!--", "<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]>&b;",
    "\x00", "\ufffe", '<c r="XFD1048576"><v>1</v></c>', '<c r="A0"/>', '<c r="ZZZZZZ99999999999"><v>1</v></c>',
    '<row r="1048577"/>', '<row r="-5"/>', "</sheetData>", '<mergeCell ref="A1:XFD1048576"/>', "<v>1e999</v>",
    '<c r="B2" t="s"><v>99999999</v></c>', '<c r="B3" t="s"><v>-1</v></c>', '<c r="B4" t="zzz"><v>x</v></c>',
    '<c r="C4" t="d"><v>2025-99-99</v></c>', '<c r="B5" s="4000000000"><v>1</v></c>', "<is><t>" + "y" * 50_000 + "</t></is>",
)  # fmt: skip


def _workbook_folder(draw: random.Random) -> dict[str, bytes]:
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook()
    book.remove(book.active)
    for table in draw.sample(list(TABLES), draw.choice((1, 1, 2, 4))):
        grid: list[list[Any]] = _grid(table)
        _spoil(grid, draw)
        sheet = book.create_sheet(draw.choice((table, table, table, *NAMES)))
        for _ in range(draw.choice((0, 0, 0, 1, 5))):
            sheet.append([])
        for row in grid:
            sheet.append([_workbook_cell(cell, draw, ILLEGAL_CHARACTERS_RE) for cell in row])
    target = io.BytesIO()
    book.save(target)
    content = target.getvalue()
    if draw.random() < 0.4:
        content = _rezipped(content, draw)
    if draw.random() < 0.1:
        content = _bytes(content, draw)
    return {
        draw.choice(NAMES)
        + draw.choice((".xlsx", ".xlsx", ".xlsx", ".xlsm", ".xls", ".ods", ".xlsb")): content
    }


def _workbook_cell(cell: str, draw: random.Random, illegal: re.Pattern) -> Any:
    if draw.random() < 0.04:
        return draw.choice((None, True, 1.5, -7, 10**17, 1e300, datetime.datetime(2025, 5, 1, 3), datetime.date(1900, 1, 1),
                            datetime.time(3, 4), datetime.timedelta(days=40000), "=1/0", "=A1", "#N/A"))  # fmt: skip
    if re.fullmatch(r"-?\d{1,12}(\.\d{1,6})?", cell) and draw.random() < 0.6:
        return float(cell)
    return illegal.sub("", cell)[:32_000]


def _rezipped(content: bytes, draw: random.Random) -> bytes:
    """Spoil the files within a workbook."""
    target = io.BytesIO()
    with (
        warnings.catch_warnings(action="ignore"),  # that a name is there twice is what is wanted
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        names = old.namelist()
        victim = draw.choice(
            [name for name in names if "sheet" in name or "shared" in name] + names
        )
        act = draw.randrange(5)
        for name in names:
            body = old.read(name)
            if name == victim:
                if act == 0:
                    continue
                if act == 1:
                    body = _bytes(body, draw)
                elif act == 2:
                    new.writestr(name, body)
                else:
                    text = body.decode("utf-8")
                    places = [each.end() for each in re.finditer(">", text)] or [0]
                    for _ in range(draw.choice((1, 3))):
                        place = draw.choice(places)
                        text = text[:place] + draw.choice(XML) + text[place:]
                    body = text.encode("utf-8", errors="surrogatepass")
            new.writestr(name, body)
    return target.getvalue()


# Parquet


def _parquet_folder(draw: random.Random) -> dict[str, bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = {}
    for table in draw.sample(list(TABLES), draw.choice((1, 1, 2))):
        grid = _grid(table)
        _spoil(grid, draw)
        grid = [row for row in grid if row] or [["a"], ["b"]]
        width = len(grid[0])
        rows = [(row + [""] * width)[:width] for row in grid[1:]]
        arrays = [_array([row[at] for row in rows], draw, pa) for at in range(width)]
        made = pa.Table.from_arrays(arrays, names=[str(name) for name in grid[0]])
        target = io.BytesIO()
        pq.write_table(made, target, compression=draw.choice(("snappy", "none", "gzip", "zstd")),
                       version=draw.choice(("1.0", "2.6")), use_dictionary=draw.random() < 0.7)  # fmt: skip
        content = target.getvalue()
        if draw.random() < 0.25:
            content = _bytes(content, draw)
        files[draw.choice((table, table, *NAMES)) + ".parquet"] = content
    return files


def _array(cells: list[str], draw: random.Random, pa: Any) -> Any:
    """A column as some type that Parquet knows."""
    count = len(cells)
    numbers = [float(cell) if re.fullmatch(r"-?\d{1,9}(\.\d+)?", cell) else None for cell in cells]
    made = draw.randrange(14)
    stamp = datetime.datetime(2025, 5, 1, 12)
    odd: dict[int, Callable[[], Any]] = {
        0: lambda: pa.array(numbers, pa.float64()),
        1: lambda: pa.array([None if x is None else int(x) for x in numbers], pa.int64()),
        2: lambda: pa.array([None if x is None else Decimal(str(x)) for x in numbers], pa.decimal128(30, 9)),
        3: lambda: pa.array([draw.choice((float("nan"), float("inf"), -0.0, 1e308)) for _ in cells]),
        4: lambda: pa.array([[cell] for cell in cells]),
        5: lambda: pa.array([{"a": cell, "b": 1} for cell in cells]),
        6: lambda: pa.nulls(count),
        7: lambda: pa.array([stamp] * count, pa.timestamp("ns", tz="Asia/Kolkata")),
        8: lambda: pa.array([stamp.date()] * count, pa.date32()),
        9: lambda: pa.array([cell.encode("utf-8", "replace") + b"\xff\x00" for cell in cells], pa.binary()),
        10: lambda: pa.array(cells).dictionary_encode(),
        11: lambda: pa.array([2**64 - 1] * count, pa.uint64()),
        12: lambda: pa.array([datetime.timedelta(days=1)] * count, pa.duration("us")),
        13: lambda: pa.array([datetime.time(1, 2)] * count, pa.time64("us")),
    }  # fmt: skip
    plain = [cell.encode("utf-8", "replace").decode() for cell in cells]
    return odd[made]() if draw.random() < 0.2 else pa.array(plain, pa.string())


# YAML

VALUES: tuple[Any, ...] = (
    None, "", " ", True, False, 0, -1, 1, 10**30, 1.5, -0.1, float("nan"), float("inf"), 1e308, "x" * 20_000, [], {},
    [None], [[]], {"a": {}}, {1: 2}, "2025-13-01", datetime.date(1, 1, 1), datetime.datetime(9999, 12, 31, 23),
    "../../x", "a@b", "a@b.c\nBcc: x@y.z", "{brand.__class__}", "{", "https://", "javascript:x", "\x00", "\u202e",
    ["a"] * 500, {"k" + str(n): n for n in range(300)}, b"bytes",
)  # fmt: skip
TEXTS = (
    "\t", "- ", ": ", "{", "}", "[", "]", "&a ", "*a ", "!!python/object/apply:os.system ['x']\n", "!!binary x\n",
    "? ", "|\n", ">\n", "%YAML 9.9\n", "---\n", "...\n", "#", "'", '"', "\x00", "\x07", "\ufeff", "<<: *a\n", "=",
    "2025-99-99", "0o9", "1_0", "1:60:60", "~", "\r", "[" * 3000, "{a: " * 2000,
    "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
    "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
    "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\ntargets: *g\n",
)  # fmt: skip
PARAMS = ("_defaults.yml", "HKVitals.yml", "brands.yml", "runs.yml")


def params_file(number: int) -> tuple[str, bytes]:
    """Name and content of one spoilt file of params/."""
    draw = random.Random(f"yaml {number}")
    name = draw.choice(PARAMS)
    path = PROJECT / "params" / name
    text = (
        path.read_text(encoding="utf-8")
        if path.exists()
        else "- brands: [all]\n  periods: [quarters]\n"
    )
    if draw.random() < 0.6:
        body = yaml.safe_load(text)
        for _ in range(draw.choice((1, 1, 2, 5))):
            body = _replaced(body, draw)
        text = yaml.safe_dump(body, allow_unicode=draw.random() < 0.5, sort_keys=False)
    if draw.random() < 0.5:
        lines = text.splitlines(keepends=True)
        for _ in range(draw.choice((1, 1, 4))):
            place = draw.randrange(len(lines) + 1)
            act = draw.randrange(4)
            if act == 0:
                lines.insert(place, draw.choice(TEXTS))
            elif act == 1:
                del lines[place : place + 2]
            elif act == 2:
                lines.insert(place, draw.choice(lines or [""]))
            elif place < len(lines):
                at = draw.randrange(len(lines[place]) + 1)
                lines[place] = lines[place][:at] + draw.choice(TEXTS) + lines[place][at:]
        text = "".join(lines)
    content = text.encode("utf-8", errors="surrogatepass")
    if draw.random() < 0.15:
        content = _bytes(content, draw)
    if draw.random() < 0.05:
        content = draw.choice((codecs.BOM_UTF16_LE, b"")) + text.encode(
            "utf-16-le", "surrogatepass"
        )
    return name, content


def _replaced(body: Any, draw: random.Random) -> Any:
    """The same with one value, somewhere, replaced, removed or added."""
    if isinstance(body, dict) and body and draw.random() < 0.85:
        key = draw.choice(list(body))
        copy = dict(body)
        act = draw.random()
        if act < 0.1:
            del copy[key]
        elif act < 0.2:
            copy[draw.choice(("x", "", None, 1, "as_of", "data", key))] = draw.choice(VALUES)
        else:
            copy[key] = _replaced(copy[key], draw)
        return copy
    if isinstance(body, list) and body and draw.random() < 0.7:
        copy_ = list(body)
        place = draw.randrange(len(copy_))
        copy_[place] = _replaced(copy_[place], draw)
        return copy_
    return draw.choice(VALUES)


# Parameters of a notebook

FILTERS = ("platform", "tier", "category", "gender", "influencer", "product", "product_category", "campaign",
           "min_roas", "min_price", "max_price")  # fmt: skip
PERIODS = (
    "2025-Q2", "2025-06", "2025", "FY2025-26", "FY2025-26-Q1", "2025-W23", "all", "latest", "2025-Q5", "2025-13",
    "0000", "9999", "9999-12", "9999-Q4", "FY9999-00", "2025-W54", "2025-06-31..2025-07-01", "2025-07-01..2025-06-01",
    "..", "2025-06-01..", "0001-01-01..9999-12-31", "2025-Q2..2025-Q3", "٢٠٢٥", "2025-Q2 ", "2025-q2", "",
)  # fmt: skip


def parameters(number: int) -> dict[str, str]:
    """What a notebook might be given."""
    draw = random.Random(f"parameters {number}")
    words = (*CELLS, *TEXTS, "Instagram", "insta", "micro", "Female", "Asha Rao", "1", "Biotin", "HKV_Glow", "a,b",
             ",", ",,", "'; drop table ledger; --", '"""', "{{x}}", "\\", "1.5", "-1")  # fmt: skip
    given = {
        "brand": draw.choice(
            ("HKVitals", "HKVitals", "Gritzo", "all", "hk vitals", *draw.sample(words, 1))
        ),
        "period": "2025-Q2" if draw.random() < 0.5 else draw.choice((*PERIODS, draw.choice(words))),
        "as_of": draw.choice(("",) * 9 + ("2025-06-30", *draw.sample(words, 1))),
        "maps": draw.choice(("",) * 12 + ("tracking=tracking.csv", "x", *draw.sample(words, 1))),
    }
    for name in draw.sample(FILTERS, draw.choice((0, 1, 1, 2, 4))):
        given[name] = draw.choice(words)
    return given
