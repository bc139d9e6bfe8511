"""Exports as shops, affiliate tools, banks and platforms write them: sums, ids, units and headers."""

import subprocess
import sys
from io import BytesIO

import pytest
from ingest_fixtures import load, only, problem, records, rules
from openpyxl import Workbook

from hkreport.errors import DataError

SOLD = "date,orders,revenue,brand,influencer_id\n2025-01-05,2,1000,HKVitals,INF_1\n"


def total(dataset, table, column):
    return float(sum(row[0] for row in records(dataset, table, column)))


# The same orders twice


DAILY = "Date,Influencer,Orders,Revenue\n" + "".join(
    f"2025-04-{day:02},Asha,1,100\n" for day in range(2, 30, 3)
)


@pytest.mark.parametrize(
    ("name", "day"), [("orders_summary", "2025-04-30"), ("sheet2", "2025-04-15")]
)
def test_sums_are_not_added_to_the_orders_that_they_are_of(name, day, tmp_path):
    sums = f"Date,Influencer,Orders,Revenue\n2025-04-01,Dev,3,300\n{day},Asha,10,1000\n"
    dataset = load(only(tmp_path, orders_april=DAILY, **{name: sums}))
    assert total(dataset, "tracking", "orders") == 10
    said = problem(dataset, "file_left")
    assert said.severity == "warning"
    assert "sums" in said.message
    assert "--map" in said.message


def test_files_of_two_brands_whose_days_lie_among_each_other_are_one_table(tmp_path):
    rows = [f"2025-04-{day:02},1,100,{{}}\n" for day in range(1, 29)]
    one = "date,orders,revenue,brand\n" + "".join(row.format("HKVitals") for row in rows[::2])
    two = "date,orders,revenue,brand\n" + "".join(row.format("Gritzo") for row in rows[1::2])
    assert total(load(only(tmp_path, sales_one=one, sales_two=two)), "tracking", "orders") == 28


SHOP = "Order ID,Date,Revenue\n" + "".join(
    f"{1000 + at},2025-04-{1 + at % 28:02},500\n" for at in range(40)
)
TOOL = "Conversion ID,Date,Influencer,Revenue\n" + "".join(
    f"c{at},2025-04-{1 + at % 28:02},Asha,500\n" for at in range(20)
)


def test_orders_of_a_shop_and_conversions_of_a_tool_are_not_added(tmp_path):
    folder = only(tmp_path, shop_orders=SHOP, affiliate_conversions=TOOL)
    dataset = load(folder)
    assert total(dataset, "tracking", "orders") in (20, 40)
    said = problem(dataset, "file_left").message
    assert "'Conversion ID'" in said
    assert "'Order ID'" in said
    both = {"tracking": "shop_orders.csv + affiliate_conversions.csv"}
    assert total(load(folder, files=both), "tracking", "orders") == 60


def test_organic_orders_in_a_file_of_their_own_are_added(tmp_path):
    rest = SHOP.replace("\n1", "\n7")
    credited = "Order ID,Date,Influencer,Revenue\n" + TOOL.split("\n", 1)[1]
    dataset = load(only(tmp_path, orders_organic=rest, orders_influencer=credited))
    assert total(dataset, "tracking", "orders") == 60


def test_equal_retainers_of_two_months_are_said_to_be_the_same_file(tmp_path):
    paid = "influencer_id,total_payout\nINF_1,12000\nINF_2,6000\n"
    folder = only(tmp_path, tracking=SOLD, payouts_apr=paid, payouts_may=paid)
    said = problem(load(folder), "file_left")
    assert said.severity == "warning"
    assert "--map payouts=payouts_apr.csv --map payouts=payouts_may.csv" in said.message
    both = load(folder, files={"payouts": "payouts_apr.csv + payouts_may.csv"})
    assert total(both, "payouts", "total_payout") == 36_000


def test_a_balance_of_a_ledger_is_no_payout(tmp_path):
    paid = (
        "Influencer,Date,Amount\nOpening Balance,2025-01-01,50000\nAsha,2025-01-05,3000\n"
        "Dev,2025-01-09,2000\nClosing Balance,2025-01-31,5000\n"
    )
    dataset = load(only(tmp_path, tracking=SOLD, payouts=paid))
    assert total(dataset, "payouts", "total_payout") == 5000


# Units and headers


@pytest.mark.parametrize("header", ["Amount (paise)", "Amount (in paise)", "Payout Amount [Paise]"])
def test_paise_are_a_hundredth_of_a_rupee(header, tmp_path):
    paid = f"influencer_id,{header}\nINF_1,2500000\nINF_2,150050\n"
    dataset = load(only(tmp_path, tracking=SOLD, payouts=paid))
    assert total(dataset, "payouts", "total_payout") == 26_500.5
    said = problem(dataset, "header_unit").message
    assert "paise" in said
    assert "divided by 100" in said


@pytest.mark.parametrize("unit", ["Rs.", "₹", "INR", "in Rs"])
def test_a_unit_of_money_in_brackets_takes_nothing_from_a_name(unit, tmp_path):
    paid = f"influencer_id,Fees,Payout Amount ({unit})\nINF_1,5.9,25000\n"
    dataset = load(only(tmp_path, tracking=SOLD, payouts=paid))
    assert total(dataset, "payouts", "total_payout") == 25_000


def test_a_header_of_two_lines_is_one(tmp_path):
    text = (
        "Influencer,Platform,Date,Insights,,,Sales,,Cost\n,,,Reach,Likes,Comments,Orders,Revenue,\n"
        "Asha,Instagram,2025-04-03,40000,900,30,4,3200,5000\nDev,YouTube,2025-04-05,9000,100,9,1,800,2000\n"
    )
    dataset = load(only(tmp_path, campaign_tracker=text))
    assert total(dataset, "posts", "reach") == 49_000
    assert total(dataset, "posts", "likes") == 1000
    assert total(dataset, "tracking", "orders") == 5
    assert total(dataset, "payouts", "total_payout") == 7000
    assert {row[0] for row in records(dataset, "posts", "influencer_id")} == {"Asha", "Dev"}


def test_a_first_row_of_words_is_no_second_header(tmp_path):
    text = "influencer_id,name,platform,category\nasha,Category,Instagram,Fitness\ndev,Dev,YouTube,Food\n"
    dataset = load(only(tmp_path, tracking=SOLD, influencers=text))
    assert len(records(dataset, "influencers", "name")) == 2


def test_ids_that_a_spreadsheet_shortened_are_named(tmp_path):
    people = "influencer_id,name,platform\n1.78E+16,Asha,Instagram\n1.79E+16,Dev,YouTube\n"
    said = problem(load(only(tmp_path, tracking=SOLD, influencers=people)), "shortened_id")
    assert said.severity == "warning"
    assert said.count == 2
    assert "shortened_id" not in rules(
        load(only(tmp_path / "b", tracking=SOLD.replace("INF_1", "1E5x")))
    )


def test_posts_of_a_platform_are_read(tmp_path):
    text = (
        "Post ID,Account username,Description,Publish time,Permalink,Reach,Likes,Comments,Saves\n"
        "178,asha.fit,x,06/15/2025 10:30,https://e.org/1,4000,90,3,1\n"
        "179,dev,y,06/16/2025 11:30,https://e.org/2,5000,80,2,2\n"
    )
    dataset = load(only(tmp_path, tracking=SOLD, posts=text))
    assert total(dataset, "posts", "reach") == 9000
    assert [str(row[0]) for row in records(dataset, "posts", "date")] == [
        "2025-06-15",
        "2025-06-16",
    ]


def test_a_file_that_nearly_is_a_table_is_warned_of(tmp_path):
    text = "Content,Video title,Views,Likes,Comments,Shares\nabc,Whey,900,20,3,1\n"
    said = problem(load(only(tmp_path, tracking=SOLD, videos=text)), "file_not_used")
    assert said.severity == "warning"
    assert "--map posts=videos.csv" in said.message


# What to do


def refused(folder):
    with pytest.raises(DataError) as error:
        load(folder)
    return str(error.value)


def test_no_refund_is_offered_as_revenue_and_no_day_as_a_person(tmp_path):
    shop = "Order No,Order Date,Orders,Refunded Amount,Taxes\n1,2025-01-05,1,0,5\n"
    assert (
        "Refunded"
        not in refused(only(tmp_path / "a", orders=shop)).split("Found:")[1].split(".", 1)[1]
    )
    bank = "Payout ID,Created At,Contact Name,Amount\n1,2025-06-10 10:00:00,Asha,2500\n"
    try:
        said = refused(only(tmp_path / "b", tracking=SOLD, payouts=bank))
    except pytest.fail.Exception:
        said = ""  # read after all
    assert "Rename 'Created At'" not in said


def test_who_says_what_numbers_orders_has_each_row_counted(tmp_path):
    shop = (
        "Name,Order Date,Revenue,Total,Discount Code\n"
        "#1001,2025-01-05,400,500,ASHA10\n#1002,2025-01-06,600,700,\n"
    )
    folder = only(tmp_path, orders=shop)
    assert "{tracking_id: COLUMN}" in refused(folder)
    columns = {
        "tracking": {"tracking_id": "Name", "revenue": "Total", "influencer_id": "Discount Code"}
    }
    dataset = load(folder, columns=columns)
    assert total(dataset, "tracking", "orders") == 2
    assert total(dataset, "tracking", "revenue") == 1200


def test_the_option_that_is_offered_can_be_pasted_into_a_shell(tmp_path):
    book = Workbook()
    for name in ("Orders", "Orders by month"):
        sheet = book.create_sheet(name)
        for line in DAILY.splitlines() if name == "Orders" else DAILY.splitlines()[:3]:
            sheet.append(line.split(","))
    book.remove(book["Sheet"])
    content = BytesIO()
    book.save(content)
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "tracker.xlsx").write_bytes(content.getvalue())
    said = problem(load(tmp_path), "file_left").message
    option = said.split("say ")[1].split(";")[0].rstrip(".")
    assert option.startswith("--map '")
    command = f"'{sys.executable}' -m hkreport.cli check '{tmp_path}' {option}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
