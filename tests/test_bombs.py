"""Small files that unpack to something huge: refused in a sentence, within little memory and time."""

import gzip
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import exports
import pytest

PROJECT = Path(__file__).parents[1]
MEBIBYTE = 1 << 20

# Reads a folder in a process that may take 1 GiB more than it has when everything is imported.
READ = """
import json, resource, sys, time
from pathlib import Path
from hkreport import ingest
from hkreport.errors import HkreportError
ingest.load(Path(sys.argv[1]))
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 30), size + (1 << 30)))
before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
told = {}
try:
    found = ingest.load(Path(sys.argv[2])).check
    told["not used"] = list(found.files_not_used)
    told["said"] = [each.message for each in found.problems]
except HkreportError as error:
    told["refused"] = str(error)
told["cpu"] = time.process_time() - started
told["mebibytes"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
print(json.dumps(told))
"""


def read(folder: Path, tmp_path: Path) -> dict:
    """What came of reading a folder, and what it took."""
    plain = exports.write(tmp_path / "plain")
    done = subprocess.run(
        [sys.executable, "-c", READ, plain, folder], capture_output=True, text=True, timeout=300,
        check=False, cwd=PROJECT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict = json.loads(done.stdout.splitlines()[-1])
    assert told["cpu"] < 10
    assert told["mebibytes"] < 1024
    return told


def beside_others(tmp_path: Path, name: str, content: bytes) -> Path:
    """A folder of good exports in which the orders are a bomb."""
    folder = exports.write(tmp_path / "exports", tracking="")
    (folder / name).write_bytes(content)
    assert len(content) < 8 * MEBIBYTE
    return folder


def gzipped(head: bytes, block: bytes, times: int) -> bytes:
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", mtime=0, compresslevel=6) as packed:
        packed.write(head)
        for _ in range(times):
            packed.write(block)
    return target.getvalue()


HEAD = b"date,orders,revenue\n2025-05-01,1,5\n"


@pytest.mark.parametrize(
    "block", [b"\0" * MEBIBYTE, b"x" * MEBIBYTE, b"2025-05-01,1,5\n" * 70_000], ids=["nul", "line", "rows"]
)  # fmt: skip
def test_a_gzip_bomb_is_refused(tmp_path, block):
    told = read(beside_others(tmp_path, "tracking.csv.gz", gzipped(HEAD, block, 1024)), tmp_path)
    assert "tracking.csv.gz unpacks to more than" in told["refused"]


def test_many_equal_rows_that_are_packed_are_no_bomb(tmp_path):
    from hkreport import ingest

    content = gzipped(HEAD, b"2025-05-01,1,5\n" * 70_000, 8)
    folder = beside_others(tmp_path, "tracking.csv.gz", content)
    assert ingest.load(folder).check.tables["tracking"].rows_read == 560_001


def as_text(rows: list[list[object]]) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()


def as_parquet(rows: list[list[object]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet

    target = io.BytesIO()
    columns = [pa.array([cell]) for cell in rows[1]]
    pyarrow.parquet.write_table(pa.table(columns, names=rows[0]), target)
    return target.getvalue()


def as_workbook(rows: list[list[object]]) -> bytes:
    from openpyxl import Workbook

    book, target = Workbook(), io.BytesIO()
    book.active.title = "tracking"
    for row in rows:
        book.active.append(row)
    book.save(target)
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "written"),
    [("tracking.csv", as_text), ("tracking.parquet", as_parquet), ("export.xlsx", as_workbook)],
)
@pytest.mark.parametrize(("width", "is_read"), [(600, True), (601, False), (5_000, False)])
def test_a_file_of_too_many_columns_is_refused_in_words(tmp_path, name, written, width, is_read):
    # Five thousand columns reserved gigabytes of addresses, and a thousand were refused with what the
    # database says of its expressions.
    more = width - 3
    rows = [
        ["date", "orders", "revenue", *(f"extra {at}" for at in range(more))],
        ["2025-05-01", 1, 5, *range(more)],
    ]
    told = read(beside_others(tmp_path, name, written(rows)), tmp_path)
    if is_read:
        assert not told.get("refused"), told
    else:
        assert f"has {width:,} columns, and at most 600 are read" in told["refused"]


def workbook(sheet: str, *, more: dict[str, bytes] | None = None) -> bytes:
    """A workbook with one sheet, `sheet` being what stands in its data."""
    from openpyxl import Workbook

    target, made = io.BytesIO(), io.BytesIO()
    book = Workbook()
    book.active.title = "tracking"
    for row in (["date", "orders", "revenue"], ["2025-05-01", 1, 5]):
        book.active.append(row)
    book.save(made)
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            body = old.read(name)
            if name.endswith("sheet1.xml"):
                body = body.replace(b"</sheetData>", sheet.encode() + b"</sheetData>")
            new.writestr(name, body)
        for name, body in (more or {}).items():
            new.writestr(name, body)
    return target.getvalue()


@pytest.mark.parametrize(
    "cell", ["XFD1048576", "XFD90000", "A1048576", "B9999999999"]
)  # fmt: skip
def test_a_cell_far_away_costs_little(tmp_path, cell):
    number = "".join(filter(str.isdigit, cell))
    far = f'<row r="{number}"><c r="{cell}"><v>1</v></c></row>'
    told = read(beside_others(tmp_path, "tracking.xlsx", workbook(far)), tmp_path)
    if cell.startswith("XFD"):
        assert "tracking.xlsx" in told["refused"]
        assert "save it as CSV" in told["refused"].lower() or "CSV" in told["refused"]


def test_a_sheet_that_unpacks_to_a_gigabyte_is_refused(tmp_path):
    cells = (
        '<row r="3"><c r="A3" t="inlineStr"><is><t>'
        + "y" * (700 * MEBIBYTE)
        + "</t></is></c></row>"
    )
    told = read(beside_others(tmp_path, "tracking.xlsx", workbook(cells)), tmp_path)
    assert "tracking.xlsx" in told["refused"]


def test_a_workbook_with_a_bomb_that_no_sheet_needs_is_read_or_refused(tmp_path):
    content = workbook("", more={"xl/media/image1.png": b"\0" * (900 * MEBIBYTE)})
    read(beside_others(tmp_path, "tracking.xlsx", content), tmp_path)


def test_an_ods_sheet_of_repeated_rows_is_refused_or_read(tmp_path):
    body = """<?xml version="1.0"?><office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
<office:body><office:spreadsheet><table:table table:name="tracking">
<table:table-row table:number-rows-repeated="1000000"><table:table-cell table:number-columns-repeated="16384"
 office:value-type="string"><text:p>x</text:p></table:table-cell></table:table-row>
</table:table></office:spreadsheet></office:body></office:document-content>"""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        new.writestr("META-INF/manifest.xml", "<x/>")
        new.writestr("content.xml", body)
    told = read(beside_others(tmp_path, "tracking.ods", target.getvalue()), tmp_path)
    assert "tracking.ods" in told.get("refused", "tracking.ods")


def test_a_parquet_file_of_one_value_a_billion_times_is_refused(tmp_path):
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = io.BytesIO()
    schema = pa.schema([("date", pa.string()), ("orders", pa.int64()), ("revenue", pa.float64())])
    size = 10_000_000
    columns = [
        pa.DictionaryArray.from_arrays(pa.array(np.zeros(size, np.int8)), pa.array(["2025-05-01"])).cast(pa.string()),
        pa.array(np.ones(size, np.int64)), pa.array(np.ones(size)),
    ]  # fmt: skip
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for _ in range(10):
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=size)
    told = read(beside_others(tmp_path, "tracking.parquet", target.getvalue()), tmp_path)
    assert "tracking.parquet" in told["refused"]
