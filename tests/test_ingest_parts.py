"""Several files of one table: parts are read together, copies and older versions are not added."""

import csv
import io
import itertools
import random
import tempfile
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingest_fixtures import (
    BRANDS,
    INFLUENCERS,
    load,
    problem,
    records,
    rules,
    write,
)
from openpyxl import Workbook

from hkreport import ingest, ledger, params
from hkreport.errors import DataError

HEADER = "tracking_id,source,influencer_id,brand,product,date,orders,revenue"


def orders(first, count, month, *, header=HEADER, drop=(), seed=1):
    """Orders of one month, ids counted from `first`."""
    draw = random.Random(f"{seed} {first} {month}")
    lines = []
    for at in range(first, first + count):
        row = {
            "tracking_id": f"T{at}", "source": "influencer", "influencer_id": f"INF_{1 + at % 2}",
            "brand": draw.choice(("HKVitals", "Gritzo")), "product": "Whey",
            "date": str(date(2025, month, 1) + timedelta(days=draw.randrange(28))),
            "orders": "1", "revenue": f"{draw.randrange(100, 99999) / 100:.2f}",
        }  # fmt: skip
        lines.append([row[name] for name in header.split(",") if name not in drop])
    target = io.StringIO()
    names = [name for name in header.split(",") if name not in drop]
    csv.writer(target, lineterminator="\n").writerows([names, *lines])
    return target.getvalue()


def only(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return folder


def revenue(*texts):
    total = Decimal(0)
    for content in texts:
        total += sum(Decimal(row["revenue"]) for row in csv.DictReader(io.StringIO(content)))
    return total


def test_months_without_a_common_id_are_one_table(tmp_path):
    april, may = orders(0, 30, 4), orders(30, 20, 5)
    dataset = load(only(tmp_path, tracking_april=april, tracking_may=may))
    table = dataset.check.tables["tracking"]
    assert (table.rows_read, table.rows_used) == (50, 50)
    assert table.file == "tracking_april.csv + tracking_may.csv"
    assert dataset.check.totals["revenue"] == revenue(april, may)
    said = problem(dataset, "parts_joined").message
    assert said == (
        "tracking: 2 files are read as one table: tracking_april.csv (30 rows), tracking_may.csv (20 rows); "
        "no tracking_id is in two of them. To read one alone, say --map tracking=tracking_april.csv."
    )
    assert dataset.check.files_not_used == ()
    assert set(dataset.check.fingerprint) == {"tracking_april.csv", "tracking_may.csv"}


def anew(content, first):
    """The same orders under fresh ids."""
    header, *lines = content.splitlines()
    fresh = [f"N{first + at},{line.split(',', 1)[1]}" for at, line in enumerate(lines)]
    return "\n".join([header, *fresh]) + "\n"


def test_orders_exported_again_under_fresh_ids_are_left(tmp_path):
    april = orders(0, 30, 4)
    dataset = load(only(tmp_path, tracking_april=april, tracking_april_b=anew(april, 500)))
    assert dataset.check.tables["tracking"].rows_read == 30
    assert dataset.check.totals["revenue"] == revenue(april)
    said = problem(dataset, "file_left")
    assert said.severity == "warning"
    assert "the same under another tracking_id (30 rows), as in an export that was made twice" in (
        said.message
    )


def test_a_longer_export_under_fresh_ids_is_left_too(tmp_path):
    april = orders(0, 30, 4)
    longer = anew(april, 500) + "\n".join(orders(900, 10, 4, seed=2).splitlines()[1:])
    dataset = load(only(tmp_path, tracking_april=april, tracking_b=longer))
    assert dataset.check.tables["tracking"].rows_read in (30, 40)
    assert "the same under another tracking_id (30 rows)" in problem(dataset, "file_left").message


def test_some_orders_again_under_fresh_ids_are_joined_with_a_warning(tmp_path):
    april, may = orders(0, 30, 4), orders(30, 20, 5)
    again = anew("\n".join(april.splitlines()[:13]), 500)
    both = may + "\n".join(again.splitlines()[1:])
    dataset = load(only(tmp_path, tracking_april=april, tracking_may=both))
    assert dataset.check.tables["tracking"].rows_read == 62
    said = problem(dataset, "rows_again")
    assert (said.severity, said.count) == ("warning", 12)
    assert "12 rows of tracking_may.csv are in tracking_april.csv too" in said.message


def test_a_few_orders_that_are_alike_are_chance(tmp_path):
    april = orders(0, 30, 4)
    again = orders(30, 20, 4) + "\n".join(
        anew("\n".join(april.splitlines()[:6]), 500).splitlines()[1:]
    )
    dataset = load(only(tmp_path, tracking_april=april, tracking_may=again))
    assert dataset.check.tables["tracking"].rows_read == 55
    assert "rows_again" not in rules(dataset)


def test_a_row_is_named_by_its_own_file_everywhere(tmp_path):
    april, may = orders(0, 30, 4).splitlines(), orders(30, 20, 5).splitlines()
    may[4] = may[4].rsplit(",", 1)[0] + ",lots"
    april[2] = april[2].rsplit(",", 1)[0] + ",-5"
    may[7] = may[7].rsplit(",", 1)[0] + ",Rs 17"
    files = {"tracking_april": "\n".join(april), "tracking_may": "\n".join(may)}
    dataset = load(only(tmp_path, **files), quarantine=tmp_path / "aside")
    with (tmp_path / "aside" / "tracking.csv").open(encoding="utf-8", newline="") as file:
        (kept,) = csv.DictReader(file)
    assert (kept["file"], kept["row"], kept["value"]) == ("tracking_may.csv", "5", "lots")
    unreadable = problem(dataset, "unreadable")
    assert "(first: row 5 of tracking_may.csv, lots)" in unreadable.message
    assert unreadable.to_json()["examples"] == [
        {"row": 5, "value": "lots", "file": "tracking_may.csv"}
    ]
    assert "row 3 of tracking_april.csv, -5" in problem(dataset, "negative_revenue").message
    assert "row 8 of tracking_may.csv" in problem(dataset, "number_formatted").message


def test_a_copy_of_a_row_names_the_file_of_the_first(tmp_path):
    header = HEADER.removeprefix("tracking_id,")
    april = orders(0, 30, 4, drop=("tracking_id",)).splitlines()
    may = orders(30, 20, 5, drop=("tracking_id",)).splitlines()
    files = {"tracking_april": "\n".join(april), "tracking_may": "\n".join([*may, may[3]])}
    dataset = load(only(tmp_path, **files))
    assert header == april[0]
    said = problem(dataset, "duplicate_row").message
    assert "row 22 of tracking_may.csv, as row 4 of tracking_may.csv" in said


def test_parts_may_order_and_call_their_columns_in_their_own_way(tmp_path):
    april = orders(0, 3, 4, header="tracking_id,date,orders,revenue")
    may = orders(3, 2, 5, header="revenue,tracking_id,date,orders").replace(
        "revenue,", "Order Value,"
    )
    dataset = load(only(tmp_path, tracking_april=april, tracking_may=may))
    assert [row[0] for row in records(dataset, "tracking", "tracking_id")] == [
        f"T{at}" for at in range(5)
    ]
    assert dataset.check.totals["revenue"] == revenue(april, may.replace("Order Value", "revenue"))


def by_month(month, header, amount):
    return f"Payout ID,Influencer,{header}\n{month},INF_1,{amount}\n"


@pytest.mark.parametrize("header", ["Amount (paise)", "Amount (Lakhs)", "Amount ('000)"])
def test_a_part_in_another_unit_is_left_and_said(header, tmp_path):
    files = {"payouts_apr": by_month("apr", header, 2), "payouts_may": by_month("may", "Amount", 2)}
    dataset = load(only(tmp_path, **files))
    assert dataset.check.files_not_used == ("payouts_may.csv",)
    said = problem(dataset, "file_left")
    assert said.severity == "warning"
    assert said.message == (
        "payouts: payouts_may.csv was left beside payouts_apr.csv (it was taken): 'Amount' and "
        f"'{header}' are in different units. To use it instead, say --map payouts=payouts_may.csv; to read both, write "
        "them in one unit."
    )
    with pytest.raises(
        DataError, match=r"cannot be read together.*in different units. Write both in one unit"
    ):
        load(tmp_path, files={"payouts": "payouts_apr.csv + payouts_may.csv"})


def test_parts_in_the_same_unit_are_joined_whatever_their_header(tmp_path):
    april, may = by_month("apr", "Amount (Lakhs)", 2), by_month("may", "Amount (in ₹ lakh)", 3)
    dataset = load(only(tmp_path, payouts_apr=april, payouts_may=may))
    assert dataset.check.totals["spend"] == 500_000
    assert problem(dataset, "parts_joined").severity == "note"


def test_an_amount_that_is_called_otherwise_in_another_part_is_warned_of(tmp_path):
    april = orders(0, 3, 4).replace("revenue", "Gross Sales")
    may = orders(3, 2, 5).replace("revenue", "Net Sales")
    said = problem(load(only(tmp_path, tracking_april=april, tracking_may=may)), "parts_joined")
    assert said.severity == "warning"
    assert (
        "revenue is 'Gross Sales' in tracking_april.csv and 'Net Sales' in tracking_may.csv; if they are not the same "
        "amount, read one alone. To read one alone, say --map" in said.message
    )


def test_a_column_that_came_later_is_empty_before(tmp_path):
    april = orders(0, 3, 4, drop=("product",))
    dataset = load(only(tmp_path, tracking_april=april, tracking_may=orders(3, 2, 5)))
    assert records(dataset, "tracking", "product") == [(None,)] * 3 + [("Whey",)] * 2


def test_dates_tell_parts_where_there_are_no_ids(tmp_path):
    files = {
        name: orders(0, 30, month, drop=("tracking_id",))
        for name, month in (("sales_q1", 2), ("sales_q2", 4))
    }
    dataset = load(only(tmp_path, **files))
    assert dataset.check.tables["tracking"].rows_read == 60
    assert "no date is in two of them" in problem(dataset, "parts_joined").message


def test_brands_tell_parts_where_dates_and_ids_do_not(tmp_path):
    text = orders(0, 60, 4, drop=("tracking_id",))
    lines = text.splitlines()
    mine = {
        brand: "\n".join([lines[0], *(line for line in lines if brand in line)])
        for brand in ("HKVitals", "Gritzo")
    }
    dataset = load(only(tmp_path, tracking_hkv=mine["HKVitals"], tracking_gritzo=mine["Gritzo"]))
    assert dataset.check.totals["revenue"] == revenue(text)
    assert "no brand is in two of them" in problem(dataset, "parts_joined").message


@pytest.mark.parametrize(
    ("other", "words"),
    [
        pytest.param(lambda text: text, "is the same file again", id="copy"),
        pytest.param(lambda text: "\n".join(text.splitlines()[:21]), "tracking_data.csv has every row of it", id="older"),
        pytest.param(lambda text: text.replace("influencer,", "Influencer,"), "30 of its 30 values of tracking_id are in", id="spelt anew"),
        pytest.param(
            lambda text: "\n".join(text.splitlines()[:20]) + "\n" + "\n".join(orders(90, 5, 6).splitlines()[1:]),
            "19 of its 24 values of tracking_id are in", id="overlapping",
        ),
    ],
)  # fmt: skip
def test_a_version_of_the_file_is_not_added_to_it(other, words, tmp_path):
    text = orders(0, 30, 4)
    dataset = load(only(tmp_path, tracking_data=text, tracking_data_uploaded_again=other(text)))
    assert dataset.check.tables["tracking"].file == "tracking_data.csv"
    assert dataset.check.totals["revenue"] == revenue(text)
    assert words in problem(dataset, "file_left").message


@pytest.mark.parametrize("name", ["cancelled_orders", "tracking_test", "tracking_draft"])
def test_what_is_not_to_be_counted_is_left_and_said(name, tmp_path):
    dataset = load(only(tmp_path, tracking=orders(0, 30, 4), **{name: orders(30, 5, 5)}))
    assert dataset.check.tables["tracking"].rows_read == 30
    assert "is hardly that of a part" in problem(dataset, "file_left").message
    assert f"--map tracking={name}.csv" in problem(dataset, "file_left").message


def test_payouts_by_month_with_the_same_fees_are_parts_by_their_names(tmp_path):
    header = "influencer_id,basis,rate,orders,total_payout\n"
    april = header + "INF_1,post,1000,0,2000\nINF_2,post,500,0,500\n"
    may = header + "INF_1,post,1000,0,2000\nINF_2,post,500,0,1000\n"
    dataset = load(only(tmp_path, influencers=INFLUENCERS, payouts_apr=april, payouts_may=may))
    assert dataset.check.totals["spend"] == 5500
    assert "their names differ by a period" in problem(dataset, "parts_joined").message


def test_the_reconciliation_names_the_file_of_a_payout(tmp_path):
    header = "payout_id,influencer_id,basis,rate,total_payout\n"
    april = header + "A1,INF_1,post,1000,2000\n"
    may = header + "A2,INF_2,post,500,500\nA3,INF_9,post,500,-70\n"
    dataset = load(only(tmp_path, influencers=INFLUENCERS, payouts_apr=april, payouts_may=may))
    found = dataset.reconciliation().set_index("kind")
    assert found.loc["refund", "row"] == 3
    assert found.loc["refund", "explanation"] == "a negative payout (payouts_may.csv)"


def test_lists_of_influencers_by_platform_are_one_list(tmp_path):
    lines = INFLUENCERS.splitlines()
    dataset = load(
        only(
            tmp_path,
            influencers_instagram="\n".join(lines[:2]),
            influencers_youtube="\n".join([lines[0], *lines[2:]]),
        )
    )
    assert dataset.check.tables["influencers"].rows_used == 3


def test_parquet_parts_and_packed_parts_are_joined(tmp_path):
    import gzip

    import pandas as pd

    texts = [orders(0, 10, 4), orders(10, 10, 5), orders(20, 10, 6)]
    pd.read_csv(io.StringIO(texts[0])).to_parquet(tmp_path / "tracking-00000.parquet")
    (tmp_path / "tracking-00001.csv").write_text(texts[1], encoding="utf-16")
    (tmp_path / "tracking-00002.csv.gz").write_bytes(gzip.compress(texts[2].encode()))
    dataset = load(tmp_path)
    assert dataset.check.tables["tracking"].rows_used == 30
    assert dataset.check.totals["revenue"] == revenue(*texts)


def test_a_workbook_with_a_sheet_a_month_is_one_table(tmp_path):
    book = Workbook()
    book.remove(book.active)
    texts = {"Apr 25": orders(0, 12, 4), "May 25": orders(12, 9, 5)}
    for name, content in texts.items():
        sheet = book.create_sheet(name)
        for row in csv.reader(io.StringIO(content)):
            sheet.append(row)
    book.save(tmp_path / "tracking.xlsx")
    dataset = load(tmp_path)
    assert (
        dataset.check.tables["tracking"].file == "tracking.xlsx [Apr 25] + tracking.xlsx [May 25]"
    )
    assert dataset.check.totals["revenue"] == revenue(*texts.values())


@pytest.mark.parametrize(
    "named",
    ["tracking.csv + cancelled.csv", "*ed.csv + tracking.csv", "tracking.csv+cancelled.csv"],
)
def test_a_person_may_say_which_files_are_read_together(named, tmp_path):
    april, may = orders(0, 30, 4), orders(30, 5, 5)
    folder = only(tmp_path, tracking=april, cancelled=may)
    if "+" in named and " + " not in named:
        with pytest.raises(DataError, match="which is not in"):
            load(folder, files={"tracking": named})
        return
    dataset = load(folder, files={"tracking": named})
    assert dataset.check.totals["revenue"] == revenue(april, may)
    assert "as --map says" in problem(dataset, "parts_joined").message


def test_a_person_may_say_that_one_file_is_read_alone(tmp_path):
    april = orders(0, 30, 4)
    dataset = load(
        only(tmp_path, tracking_april=april, tracking_may=orders(30, 5, 5)),
        files={"tracking": "tracking_april.csv"},
    )
    assert dataset.check.totals["revenue"] == revenue(april)
    assert "parts_joined" not in rules(dataset)
    assert dataset.check.files_not_used == ("tracking_may.csv",)


def test_a_named_part_that_lacks_a_column_is_an_error_that_names_it(tmp_path):
    folder = only(tmp_path, tracking=orders(0, 3, 4), other=orders(3, 3, 5, drop=("revenue",)))
    with pytest.raises(DataError, match=r"other\.csv has no column for 'revenue'"):
        load(folder, files={"tracking": "tracking.csv + other.csv"})


def built(folder):
    """The sums and the ledger of a folder."""
    dataset = ingest.load(folder, ingest.Settings(brands=BRANDS))
    has = {name: dataset.has(name) for name in dataset.tables}
    for name, table in dataset.tables.items():
        has |= {f"{name}.{column}": dataset.has(name, column) for column in table.columns}
    made = ledger.build(
        dataset.tables, has=has, rules=ledger.Rules(tiers=params.load(None).tiers.steps)
    )
    frame = made.rows.to_pandas().drop(columns=["row"], errors="ignore")
    lines = sorted(map(str, frame.itertuples(index=False, name=None)))
    check = dataset.check
    counts = {name: (each.rows_read, each.rows_used) for name, each in check.tables.items()}
    return counts, dict(check.totals), dict(check.revenue_by_brand), check.top_influencers, lines


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(cuts=st.lists(st.integers(1, 59), min_size=1, max_size=4, unique=True), spoil=st.booleans())
def test_a_table_cut_by_rows_is_the_table(cuts, spoil):
    text = "\n".join([*orders(0, 30, 4).splitlines(), *orders(30, 30, 5).splitlines()[1:]])
    lines = text.splitlines()
    if spoil:
        lines[9] = lines[9].rsplit(",", 1)[0] + ",lots"
        lines[33] = lines[33].replace("HKVitals", "HK Vitals").replace("Gritzo", "gritzo")
    edges = [0, *sorted(cuts), 60]
    with tempfile.TemporaryDirectory() as name:
        whole, cut = Path(name) / "whole", Path(name) / "cut"
        write(whole, {"tracking_data.csv": "\n".join(lines)})
        write(cut, {"tracking_data.csv": None})
        for at, (start, end) in enumerate(itertools.pairwise(edges)):
            part = [lines[0], *lines[1 + start : 1 + end]]
            (cut / f"tracking_data_part{at}.csv").write_text("\n".join(part), encoding="utf-8")
        assert built(cut) == built(whole)


def test_a_folder_of_parts_is_not_read_and_said(tmp_path):
    folder = only(tmp_path, influencers=INFLUENCERS)
    only(tmp_path / "tracking", part_1=orders(0, 3, 4), part_2=orders(3, 3, 5))
    only(tmp_path / "quarantine", tracking="x,y\n1,2\n")
    dataset = load(folder)
    assert dataset.check.files_not_used == ("tracking/",)
    said = problem(dataset, "file_not_used")
    assert said.severity == "warning"
    assert said.message == (
        "tracking/ is a folder, and only files that lie beside it are read; it holds 2 files that could be "
        "exports. Move them up, where parts of one table are joined."
    )


def test_the_names_of_files_say_the_brand_where_no_column_does(tmp_path):
    muscle = orders(1, 30, 4, drop=("brand", "tracking_id"))
    vitals = orders(101, 20, 4, drop=("brand", "tracking_id"))
    folder = only(
        tmp_path / "x",
        **{"HealthKart_orders_MB": muscle, "HealthKart_orders_HK Vitals": f"\n{vitals}\n,,,,,\n"},
        influencers=INFLUENCERS,
    )
    data = load(folder)
    check = data.check
    assert check.revenue_by_brand == {
        "HKVitals": revenue(vitals), "MuscleBlaze": revenue(muscle)
    }  # fmt: skip
    assert check.tables["tracking"].rows_used == 50
    assert check.tables["tracking"].columns["brand"] == "(file name)"
    said = problem(data, "brand_of_file").message
    assert "HealthKart_orders_MB.csv: MuscleBlaze" in said
    assert check.derived["brand"]["rule"] == "name of the file"


def test_payouts_of_two_brands_are_parts_though_they_pay_the_same(tmp_path):
    fees = "influencer_id,basis,total_payout\nINF_1,post,5000\nINF_2,post,7000\n"
    folder = only(
        tmp_path / "x", payouts_MB=fees, payouts_Gritzo=fees + "INF_1,post,900\n", influencers=INFLUENCERS
    )  # fmt: skip
    data = load(folder)
    found = data.backend.con.execute(
        "SELECT brand, sum(total_payout) FROM table_payouts GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert found == [("Gritzo", 12900), ("MuscleBlaze", 12000)]


def test_a_workbook_a_brand_and_month_says_both(tmp_path):
    folder = only(tmp_path / "x", influencers=INFLUENCERS)
    for at, name in enumerate(("Gritzo Jan-25", "Gritzo Feb-25", "MuscleBlaze Jan-25")):
        book = Workbook()
        sheet = book.active
        sheet.title = "Payouts"
        for row in (("Influencer ID", "Basis", "Total Payout"), ("INF_1", "post", 100 + at)):
            sheet.append(row)
        book.save(folder / f"{name}.xlsx")
    data = load(folder)
    found = data.backend.con.execute(
        "SELECT brand, sum(total_payout) FROM table_payouts GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert found == [("Gritzo", 201), ("MuscleBlaze", 102)]


@pytest.mark.parametrize(
    ("name", "brand"),
    [
        ("Gritzo_orders_Jan-25", "Gritzo"),
        ("orders_north", None),
        ("report on orders", None),
        ("orders_MB_vs_HKV", None),
    ],
)
def test_one_file_says_a_brand_only_where_it_is_known(name, brand, tmp_path):
    lines = orders(1, 20, 1, drop=("brand",))
    folder = only(tmp_path / "x", **{name: lines}, influencers=INFLUENCERS)
    data = load(folder)
    assert data.check.revenue_by_brand == {brand or "unassigned": revenue(lines)}
    assert brand or "params/brands.yml" in problem(data, "brand_missing").message


def test_the_name_of_the_shop_is_no_brand_where_the_rows_say_theirs(tmp_path):
    lines = orders(1, 20, 1, drop=("brand",)).replace("Whey", "MB Whey")
    folder = only(tmp_path / "x", HealthKart_orders=lines, influencers=INFLUENCERS)
    assert load(folder).check.revenue_by_brand == {"MuscleBlaze": revenue(lines)}


def test_a_brand_that_only_the_data_know_is_one_in_names_too(tmp_path):
    one, two = (orders(first, 20, 1, drop=("brand",)) for first in (1, 101))
    posts = "post_id,influencer_id,date,brand,reach\nP1,INF_1,2025-01-02,Zorvia,10\nP2,INF_2,2025-01-02,Plumera,10\n"
    folder = only(
        tmp_path / "x", zorvia_orders=one, plumera_orders=two, posts=posts, influencers=INFLUENCERS
    )
    assert load(folder).check.revenue_by_brand == {"Plumera": revenue(two), "Zorvia": revenue(one)}
    (folder / "new_orders.csv").write_text(orders(201, 5, 1, drop=("brand",)), encoding="utf-8")
    assert "new_orders.csv" in problem(load(folder), "brand_of_file_unknown").message


def cut(content, first, last):
    """The rows of an export whose date is in a range of months, as YYYY-MM."""
    head, *lines = content.splitlines(keepends=True)
    at = head.strip().split(",").index("date")
    return head + "".join(each for each in lines if first <= each.split(",")[at][:7] <= last)


def half_year(drop=()):
    """Six months of orders, as one export."""
    months = [orders(1 + 30 * at, 30, 1 + at, drop=drop) for at in range(6)]
    return months[0] + "".join(each.split("\n", 1)[1] for each in months[1:])


@pytest.mark.parametrize("drop", [(), ("tracking_id",)])
@pytest.mark.parametrize(
    "cuts",
    [
        (("2025-01", "2025-04"), ("2025-03", "2025-06")),
        (("2025-01", "2025-02"), ("2025-02", "2025-04"), ("2025-04", "2025-06")),
        (("2025-01", "2025-03"), ("2025-02", "2025-05"), ("2025-03", "2025-06")),
    ],
)
def test_exports_whose_time_overlaps_are_read_once(cuts, drop, tmp_path):
    whole = half_year(drop)
    files = {f"orders_{at}": cut(whole, *each) for at, each in enumerate(cuts)}
    files["orders_0"] += ",,\n"  # a blank line
    data = load(only(tmp_path / "x", **files, influencers=INFLUENCERS))
    check = data.check
    assert check.totals["revenue"] == revenue(whole)
    assert data.backend.con.execute("SELECT sum(revenue) FROM table_tracking").fetchone() == (
        revenue(whole),
    )
    rows = sum(len(each.splitlines()) - 1 for each in files.values()) - 1
    assert (check.tables["tracking"].rows_read, check.tables["tracking"].rows_used) == (rows, 180)
    said = problem(data, "elsewhere")
    assert (said.severity, said.count) == ("note", rows - 180)
    assert "rows_again" not in rules(data)


def test_of_an_order_that_changed_the_later_export_counts(tmp_path):
    whole = half_year()
    early, late = cut(whole, "2025-01", "2025-04"), cut(whole, "2025-03", "2025-06")
    changed = late.splitlines(keepends=True)
    changed[1] = changed[1].rsplit(",", 1)[0] + ",1.00\n"
    data = load(only(tmp_path / "x", a=early, b="".join(changed), influencers=INFLUENCERS))
    old = Decimal(late.splitlines()[1].rsplit(",", 1)[1])
    assert data.check.totals["revenue"] == revenue(whole) - old + 1
    said = problem(data, "overlap_differs")
    assert said.count == 1
    assert "a.csv has other values in b.csv" in said.message


def test_the_same_ids_on_other_rows_are_no_overlap(tmp_path):
    one, two = orders(1, 30, 1), orders(1, 31, 1, seed=2)
    data = load(only(tmp_path / "x", a=one, b=two, influencers=INFLUENCERS))
    assert data.check.totals["revenue"] in (revenue(one), revenue(two))
    assert "values of tracking_id" in problem(data, "file_left").message


def test_days_on_which_files_without_ids_differ_are_no_overlap(tmp_path):
    whole = half_year(("tracking_id",))
    early, late = cut(whole, "2025-01", "2025-04"), cut(whole, "2025-03", "2025-06")
    late = late.replace(",1,", ",2,", 1)
    data = load(only(tmp_path / "x", a=early, b=late, influencers=INFLUENCERS))
    assert "file_left" in rules(data)


def test_a_later_reading_of_a_post_counts(tmp_path):
    def posts(first, last, likes):
        return "post_id,influencer_id,date,reach,likes\n" + "".join(
            f"P{at},INF_1,2025-01-{at:02},1000,{likes + at}\n" for at in range(first, last)
        )

    data = load(
        only(tmp_path / "x", posts_a=posts(1, 15, 100), posts_b=posts(10, 25, 500), influencers=INFLUENCERS)
    )  # fmt: skip
    assert data.check.totals["posts"] == 24
    assert data.check.totals["likes"] == sum(100 + at for at in range(1, 10)) + sum(
        500 + at for at in range(10, 25)
    )


def test_numbers_that_two_brands_both_use_are_other_orders(tmp_path):
    one, two = (orders(1, 20, 1, drop=("brand",), seed=each) for each in (1, 2))
    data = load(only(tmp_path / "x", orders_MB=one, orders_HKV=two, influencers=INFLUENCERS))
    assert data.check.revenue_by_brand == {"HKVitals": revenue(two), "MuscleBlaze": revenue(one)}


INSTAGRAM = "Post ID,Influencer ID,Date,Reach,Likes,Comments,Saves,Shares\nC1,INF_1,2025-06-01,900,40,3,2,1\nC2,INF_2,2025-06-03,800,30,2,1,0\n"
YOUTUBE = "Video ID,Influencer ID,Publish Date,Views,Likes,Comments\n{},INF_1,2025-06-02,5000,90,7\nY2,INF_2,2025-06-04,4000,70,5\n"


def test_posts_of_two_networks_are_read_together_though_each_counts_other_things(tmp_path):
    """The posts on YouTube were left out, and their influencers' orders told as sold without any post."""
    (tmp_path / "instagram_posts.csv").write_text(INSTAGRAM, encoding="utf-8")
    (tmp_path / "youtube_posts.csv").write_text(YOUTUBE.format("Y1"), encoding="utf-8")
    data = ingest.load(tmp_path)
    totals = data.check.totals
    assert (totals["posts"], totals["reach"], totals["likes"]) == (4, 1700, 230)
    assert "no post_id is in two of them" in problem(data, "parts_joined").message


def test_posts_that_two_exports_have_are_not_added_up(tmp_path):
    (tmp_path / "instagram_posts.csv").write_text(INSTAGRAM, encoding="utf-8")
    (tmp_path / "insights_posts.csv").write_text(
        YOUTUBE.format("C1").replace("06-02", "06-01"), encoding="utf-8"
    )
    data = ingest.load(tmp_path)
    assert data.check.totals["posts"] == 2
    assert "file_left" in rules(data)
