"""Exports mangled at random: no row is lost, sums hold, and every bad cell is named."""

import csv
import io
import tempfile
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_fixtures import BRANDS, write

from hkreport import ingest
from hkreport.errors import DataError

# Headers that mean the same: canonical name first.
HEADERS = {
    "tracking_id": ("tracking_id", "Tracking ID", "order_id", "ID"),
    "source": ("source", "Source", "utm_source"),
    "influencer_id": ("influencer_id", "Influencer-ID", "INFLUENCER ID", "creator_id"),
    "date": ("date", "Order Date", "Timestamp"),
    "orders": ("orders", "ORDERS", "Order Count"),
    "revenue": ("revenue", "Revenue (INR)", "order_value", "Amount"),
    "product": ("product", "Product Name", "SKU"),
}
BAD = {
    "date": ("soon", "2025-13-40", "31/02/2025"),
    "orders": ("two", "1,2,3", "%"),
    "revenue": ("lots", "12 apples", "--", "₹"),
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252")
PRODUCTS = ("Whey", "Biotin, 60", 'Mat 6" long', "Café Bar", "two\nlines", "")
START = date(2025, 1, 1)


def load(content: bytes, name: str = "tracking.csv", **more: bytes) -> ingest.Dataset:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        for other, data in more.items():
            (Path(folder) / f"{other}.csv").write_bytes(data)
        return ingest.load(Path(folder), ingest.Settings(brands=BRANDS))


rows = st.lists(
    st.fixed_dictionaries(
        {
            "tracking_id": st.integers(1, 10**6).map(lambda n: f"T{n}"),
            "source": st.sampled_from(("influencer", "Organic", "Instagram", "")),
            "influencer_id": st.sampled_from(("INF_1", "INF_2", "17", "")),
            "date": st.integers(0, 500).map(lambda n: START + timedelta(days=n)),
            "orders": st.integers(-3, 50),
            "revenue": st.decimals(-9999, 99999, places=2),
            "product": st.sampled_from(PRODUCTS),
        }
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda row: row["tracking_id"],
)


@st.composite
def exports(draw):
    """Give bytes of a mangled tracking file, its rows by spreadsheet row, and the bad cells by place."""
    data = draw(rows)
    order = draw(st.permutations(list(HEADERS)))
    headers = [draw(st.sampled_from(HEADERS[name])) for name in order]
    as_dates = draw(st.sampled_from(("%Y-%m-%d", "%d/%m/%Y", "%Y-%m-%d %H:%M:%S", "%d %b %Y")))
    bad = draw(
        st.dictionaries(
            st.tuples(st.integers(0, len(data) - 1), st.sampled_from(list(BAD))),
            st.integers(0, 2),
            max_size=5,
        )
    )
    blanks = draw(st.lists(st.integers(0, len(data)), max_size=3))
    target = io.StringIO()
    writer = csv.writer(
        target,
        delimiter=draw(st.sampled_from((",", ";", "\t", "|"))),
        lineterminator=draw(st.sampled_from(("\n", "\r\n"))),
        quoting=draw(st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))),
    )
    writer.writerow(headers)
    bad_cells, by_line = {}, {}
    line = 1
    for at, row in enumerate(data):
        for _ in range(blanks.count(at)):
            target.write("\n" if writer.dialect.lineterminator == "\n" else "\r\n")
            line += 1
        line += 1
        by_line[line] = row
        cells = {**row, "date": row["date"].strftime(as_dates)}
        for name in BAD:
            if (at, name) in bad:
                cells[name] = BAD[name][bad[at, name]]
                bad_cells[line, name] = cells[name]
        writer.writerow([cells[name] for name in order])
    encoding = draw(st.sampled_from(ENCODINGS))
    text = target.getvalue()
    if encoding == "cp1252":
        text = text.replace("₹", "Rs")
        bad_cells = {key: cell.replace("₹", "Rs") for key, cell in bad_cells.items()}
    return text.encode(encoding), by_line, bad_cells


NOTHING = ("--",)  # stands for an empty cell, so the row lacks the value


@settings(max_examples=40, deadline=None)
@given(exports())
def test_mangled_exports_keep_every_row_and_every_sum(mangled):
    content, by_line, bad = mangled
    dataset = load(content)
    table = dataset.check.tables["tracking"]
    assert table.rows_read == len(by_line)
    assert table.rows_quarantined == len({row for row, _ in bad})
    assert table.rows_used == len(by_line) - table.rows_quarantined
    for name in ("orders", "revenue"):
        readable = [row[name] for line, row in by_line.items() if (line, name) not in bad]
        assert dataset.check.totals[name] == sum(readable)


@settings(max_examples=40, deadline=None)
@given(exports())
def test_every_bad_cell_is_named_with_file_row_column_and_value(mangled):
    content, _, bad = mangled
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tracking.csv").write_bytes(content)
        quarantine = Path(folder) / "quarantine"
        ingest.load(Path(folder), ingest.Settings(brands=BRANDS), quarantine=quarantine)
        target = quarantine / "tracking.csv"
        found = {}
        if target.exists():
            with target.open(encoding="utf-8", newline="") as file:
                for each in csv.DictReader(file):
                    assert each["file"] == "tracking.csv"
                    assert each["how to mend"]
                    found[int(each["row"]), each["column"]] = each["value"]
    assert set(found) == set(bad)
    for key, value in bad.items():
        assert found[key].lstrip("'") == ("" if value in (*NOTHING, "₹", "Rs") else value)


STYLES = (
    lambda value: f"{value}",
    lambda value: f"₹{_indian(value)}",
    lambda value: f"Rs. {value:,.2f}/-",
    lambda value: f"({-value:.2f})" if value < 0 else f"{value:,.2f}",
    lambda value: f" {value} ",
    lambda value: f"{value / 100000}L" if abs(value) >= 1000 else f"{value}",
    lambda value: f"{value}".replace("-", "−"),
)


def _indian(value):
    """Group digits the Indian way: 1,23,456.50."""
    sign, digits = ("-" if value < 0 else ""), f"{abs(value):.2f}"
    whole, fraction = digits.split(".")
    groups = [whole[-3:]]
    whole = whole[:-3]
    while whole:
        groups.insert(0, whole[-2:])
        whole = whole[:-2]
    return f"{sign}{','.join(groups)}.{fraction}"


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.decimals(-(10**8), 10**8, places=2), st.sampled_from(STYLES)),
        min_size=1,
        max_size=60,
    )
)
def test_amounts_in_any_style_mean_what_they_say(cells):
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(["date", "orders", "revenue"])
    writer.writerow(
        ["2025-06-14", 1, "1,234.50"]
    )  # the column shows that its decimal sign is a point
    for value, style in cells:
        writer.writerow(["2025-06-14", 1, style(value)])
    dataset = load(target.getvalue().encode())
    assert dataset.check.tables["tracking"].rows_quarantined == 0
    assert dataset.check.totals["revenue"] == sum(value for value, _ in cells) + Decimal("1234.5")


FORMS = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%Y-%m-%d",
    "%d %B %Y",
    "%b %d, %Y",
    "%Y%m%d",
    "%d.%m.%y",
)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(FORMS),
    st.lists(st.integers(0, 3000).map(lambda n: date(2020, 1, 1) + timedelta(days=n)), min_size=1, max_size=40),
)  # fmt: skip
def test_dates_are_read_right_or_their_ambiguity_is_said(form, days):
    lines = ["date,orders,revenue", *(f'"{day.strftime(form)}",1,1' for day in days)]
    dataset = load("\n".join(lines).encode())
    frame = dataset.tables["tracking"].order_by("row").select("date").to_pandas()
    found = [each.date() for each in frame["date"]]
    if form == "%m/%d/%Y" and all(day.day <= 12 for day in days):
        swapped = [day.replace(day=day.month, month=day.day) for day in days]
        assert found == swapped
        ambiguous = any(day.day != day.month for day in days)
        assert ambiguous == any(each.rule == "ambiguous_dates" for each in dataset.check.problems)
    else:
        assert found == days


cell = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\0"), max_size=12
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(cell, min_size=1, max_size=6), max_size=12), st.booleans())
def test_any_text_under_a_known_header_keeps_the_number_of_rows(records, with_posts):
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(["date", "orders", "revenue", "influencer_id", "brand", "product"])
    for record in records:
        writer.writerow(record)
    content = target.getvalue().encode()
    more = {"posts": b"influencer_id,date,reach\n17,2025-01-01,5\n"} if with_posts else {}
    try:
        dataset = load(content, **more)
    except DataError:
        assert not any("".join(record).strip() for record in records)
        return
    table = dataset.check.tables["tracking"]
    assert table.rows_read == table.rows_used + table.rows_quarantined
    assert table.rows_read <= len(records)
    for each in dataset.tables.values():
        each.count().to_pandas()
    dataset.reconciliation()


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(st.binary(max_size=400), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))),
    st.sampled_from(("tracking.csv", "posts.csv.gz", "book.xlsx", "payouts.parquet", "influencers.tsv", "x.txt")),
)  # fmt: skip
def test_no_bytes_give_anything_but_a_sentence(content, name):
    with suppress(DataError):
        assert load(content, name).check.to_json()["schema_version"] == 1


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_good_exports_with_a_few_bytes_changed_never_break(data):
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        for path in Path(folder).iterdir():
            content = bytearray(path.read_bytes())
            for _ in range(data.draw(st.integers(0, 4))):
                place = data.draw(st.integers(0, len(content) - 1))
                content[place : place + 1] = data.draw(st.binary(max_size=3))
            path.write_bytes(content)
        with suppress(DataError):
            dataset = ingest.load(Path(folder), ingest.Settings(brands=BRANDS))
            for table in dataset.check.tables.values():
                assert table.rows_read == table.rows_used + table.rows_quarantined
            dataset.reconciliation()
