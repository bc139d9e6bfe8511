"""Sheets that analysts keep by hand: what their columns count, what their rows repeat, and what is missing."""

import io

import pytest
from ingest_fixtures import load, only, problem, records, rules
from openpyxl import Workbook

from hkreport.errors import DataError

# What counts orders


def orders(dataset):
    return sum(row[0] for row in records(dataset, "tracking", "orders"))


@pytest.mark.parametrize(
    ("header", "rows", "counted"),
    [
        pytest.param("Order,Amount", ["100001,500", "100007,700"], 2, id="numbers_of_orders"),
        pytest.param("Order,Amount", ["#1001,500", "#1002,700"], 2, id="names_of_orders"),
        pytest.param("Order,Amount", [f"{n},500" for n in range(1, 8)], 7, id="one_after_the_other"),
        pytest.param("Order ID,Sales,GMV", ["A1,500,510", "A2,700,710"], 2, id="sales_are_amounts"),
        pytest.param("Total Orders,Sales", ["2,900", "3,1200"], 5, id="orders_beside_sales"),
        pytest.param("Transactions,Sales", ["2,900", "3,1200"], 5, id="transactions_beside_sales"),
        pytest.param("Total Orders,Sales,GMV", ["2,900,950", "3,1200,1250"], 5, id="all_three"),
        pytest.param("Sales,Revenue", ["2,900", "3,1200"], 5, id="sales_are_orders"),
        pytest.param("Order,Revenue (Lakhs)", ["20,0.3", "10,0.2"], 30, id="revenue_in_lakh"),
        pytest.param("Order,Revenue", ["20,0.3 L", "10,0.2 L"], 30, id="revenue_in_lakh_in_the_cell"),
        pytest.param("Order,Revenue", ["2,900", "3,1200", "4,1300"], 9, id="counts_that_rise"),
    ],
)  # fmt: skip
def test_a_column_that_may_count_orders_is_taken_by_what_it_holds(header, rows, counted, tmp_path):
    lines = [f"Date,Influencer ID,Brand,{header}"]
    lines += [f"2025-01-{at:02d},INF_1,HKVitals,{row}" for at, row in enumerate(rows, 1)]
    assert orders(load(only(tmp_path, sales="\n".join(lines) + "\n"))) == counted


def test_items_of_one_order_are_said_to_be_counted_each(tmp_path):
    dataset = load(
        only(
            tmp_path,
            orders="Order ID,Date,Brand,Amount\nA1,2025-01-05,HKVitals,300\nA1,2025-01-05,HKVitals,200\n",
        )
    )
    said = problem(dataset, "duplicate_key").message
    assert "each was counted as an order" in said
    assert "Export one row an order" in said


# Parts of what is paid


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ("fixed_fee,commission_amount", "'fixed_fee'"),
        ("fee,Commission", "'Commission'"),
        ("commission_amount,commission_rate", ""),
        ("fee,fee_type_id", ""),
        ("fixed_fee,total_payout", ""),
        ("Retainer,payout", ""),
    ],
)
def test_a_fee_beside_a_commission_is_not_left_out_without_a_word(headers, said, tmp_path):
    """Spend was the commissions alone."""
    dataset = load(only(tmp_path, payouts=f"influencer_id,{headers}\n1,500,70\n2,600,80\n"))
    found = [each for each in dataset.check.problems if each.rule == "payout_parts"]
    assert [each.severity for each in found] == (["warning"] if said else [])
    assert all(f"and {said} is not added" in each.message for each in found)


def test_fees_of_posts_and_orders_without_a_total_are_told_of_as_parts(tmp_path):
    text = "influencer_id,post_fee,order_fee\n1,500,70\n2,600,80\n"
    with pytest.raises(DataError, match="is the sum of 'post_fee', 'order_fee', add that sum"):
        load(only(tmp_path, payouts=text))


# Totals between the rows


PAID = """Influencer,Month,Amount
Asha Rao,Jan-25,1000
Asha Rao,Feb-25,500
Asha Rao Total,,1500
Dev Mehta,Jan-25,2000
Dev Mehta Total,,2000
Grand Total,,3500
"""


def test_subtotals_of_a_spreadsheet_are_not_paid_again(tmp_path):
    dataset = load(only(tmp_path, payouts=PAID))
    assert sum(row[0] for row in records(dataset, "payouts", "total_payout")) == 3500
    assert problem(dataset, "total_row").count == 3


def test_a_product_may_be_called_total(tmp_path):
    dataset = load(only(tmp_path, products="Product,Brand,Price\nVitamin Total,HKVitals,500\n"))
    assert records(dataset, "products", "product") == [("Vitamin Total",)]


def test_a_line_of_totals_does_not_keep_files_of_brands_apart(tmp_path):
    files = {
        f"orders_{brand}": "Order ID,Date,Brand,Amount\n"
        + "".join(f"{brand}{n},2025-01-0{n},{brand},{100 * n}\n" for n in range(1, 4))
        + "Total,,,600\n"
        for brand in ("HKVitals", "Gritzo")
    }
    dataset = load(only(tmp_path, **files))
    assert orders(dataset) == 6
    assert "file_left" not in rules(dataset)


# Payouts


def spend(dataset):
    return float(sum(row[0] for row in records(dataset, "payouts", "total_payout")))


def test_the_total_is_what_was_paid_and_not_a_part_of_it(tmp_path):
    sheet = "Influencer,Commission Amount,Fixed Fee,Total\nAsha Rao,1000,5000,6000\n"
    assert spend(load(only(tmp_path, payouts=sheet))) == 6000


def test_the_same_fee_every_month_is_a_retainer_and_not_paid_twice(tmp_path):
    rows = [
        f"{who},{day}-2025,50000"
        for who in ("Asha Rao", "Dev Mehta")
        for day in ("15-01", "15-02", "15-03")
    ]
    dataset = load(
        only(tmp_path, payouts="Influencer,Payment Date,Amount\n" + "\n".join(rows) + "\n")
    )
    assert "paid twice" not in set(dataset.reconciliation()["kind"])
    twice = rows[0]
    dataset = load(
        only(
            tmp_path / "twice",
            payouts="Influencer,Payment Date,Amount\n" + "\n".join([*rows, twice]) + "\n",
        )
    )
    assert "paid twice" in set(dataset.reconciliation()["kind"])


def test_the_month_of_a_payout_is_when_it_was_earned(tmp_path):
    sheet = "Influencer,Month,Amount\nAsha Rao,2025-01,600\nAsha Rao,2025-04,5400\n"
    dataset = load(only(tmp_path, payouts=sheet))
    assert [str(day) for (day,) in records(dataset, "payouts", "date")] == [
        "2025-01-01",
        "2025-04-01",
    ]


@pytest.mark.parametrize("unit", ["Lakhs INR", "₹, Lakhs", "Lacs Rs.", "in ₹ lakh", "L"])
def test_a_unit_in_the_header_counts_in_any_order_of_words(unit, tmp_path):
    assert (
        spend(load(only(tmp_path, payouts=f'Influencer,"Amount ({unit})"\nAsha Rao,4\n')))
        == 400_000
    )


def test_credits_of_a_ledger_are_no_crores(tmp_path):
    sheet = 'Influencer,Amount\nAsha Rao,"12,500.00 Dr"\nDev Mehta,"7,500.00 Cr"\n'
    dataset = load(only(tmp_path, payouts=sheet))
    assert spend(dataset) == 12500
    assert "7,500.00 Cr" in problem(dataset, "unreadable").message
    assert (
        spend(load(only(tmp_path / "crore", payouts="Influencer,Amount\nAsha Rao,1.5 Cr\n")))
        == 15_000_000
    )


# What is said of columns that are not used


@pytest.mark.parametrize(
    "header", ["Fulfillment Status", "Financial Status", "Cancelled at", "State", "Type"]
)
def test_orders_that_did_not_last_are_warned_of(header, tmp_path):
    rows = "A1,2025-01-05,HKVitals,300,delivered\nA2,2025-01-06,HKVitals,200,Refund\n"
    dataset = load(only(tmp_path, orders=f"Order ID,Date,Brand,Amount,{header}\n{rows}"))
    assert header in problem(dataset, "status_not_used").message


def test_a_state_of_india_is_no_state_of_an_order(tmp_path):
    rows = "A1,2025-01-05,HKVitals,300,Kerala\nA2,2025-01-06,HKVitals,200,Goa\n"
    assert "status_not_used" not in rules(
        load(only(tmp_path, orders=f"Order ID,Date,Brand,Amount,State\n{rows}"))
    )


@pytest.mark.parametrize(("second", "warned"), [("USD", True), ("INR", False)])
def test_a_column_of_other_currencies_is_warned_of(second, warned, tmp_path):
    rows = f"A1,2025-01-05,HKVitals,300,INR\nA2,2025-01-06,HKVitals,200,{second}\n"
    dataset = load(only(tmp_path, orders=f"Order ID,Date,Brand,Amount,Currency\n{rows}"))
    assert ("currency_not_used" in rules(dataset)) is warned


@pytest.mark.parametrize(
    ("header", "named"),
    [("Revenue (USD)", "USD"), ("Revenue ($)", "$"), ("Revenue in Euros", "Euros"), ("Revenue (INR)", ""),
     ("Revenue (₹)", "")],
)  # fmt: skip
def test_a_header_of_another_currency_is_warned_of(header, named, tmp_path):
    """100 dollars were ₹100, and nothing said so."""
    orders = f"Order ID,Date,Brand,{header}\nA1,2025-01-05,HKVitals,100\n"
    dataset = load(only(tmp_path, orders=orders), columns={"tracking": {"revenue": header}})
    said = [each.message for each in dataset.check.problems if each.rule == "currency_not_used"]
    assert len(said) == bool(named)
    assert not named or f"'{header}' says {named}, and is not used" in said[0]


def test_orders_without_any_word_of_an_influencer_or_a_brand_are_warned_of(tmp_path):
    dataset = load(
        only(
            tmp_path,
            orders="Order ID,Date,Amount,Coupon\nA1,2025-01-05,300,ASHA10\n",
            payouts="Influencer,Amount\nAsha Rao,1000\n",
        )
    )
    assert "no influencer has revenue" in problem(dataset, "no_influencer_column").message
    assert "nothing says which brand" in problem(dataset, "brand_missing").message


def test_no_advice_renames_a_column_that_means_something_else(tmp_path):
    with pytest.raises(DataError) as error:
        load(only(tmp_path, tracking="Date,Total Orders,Influencer\n2025-01-05,3,Asha Rao\n"))
    assert "Rename 'Total Orders'" not in str(error.value)


# One sheet for everything


TRACKER = """Influencer,Brand,Post Date,Reach,Likes,Orders,Revenue,Cost
Asha Rao,HKVitals,2025-01-05,1000,50,3,3000,1500
Dev Mehta,MuscleBlaze,2025-01-06,2000,60,2,2500,1000
"""


@pytest.mark.parametrize("name", ["campaign_tracker", "influencer_sheet", "data"])
def test_a_sheet_of_posts_with_what_they_brought_and_cost_is_all_three_tables(name, tmp_path):
    dataset = load(only(tmp_path, **{name: TRACKER}))
    assert records(dataset, "posts", "influencer_id", "reach") == [
        ("Asha Rao", 1000),
        ("Dev Mehta", 2000),
    ]
    assert records(dataset, "tracking", "influencer_id", "orders", "revenue") == [
        ("Asha Rao", 3, 3000), ("Dev Mehta", 2, 2500),
    ]  # fmt: skip
    assert spend(dataset) == 2500
    assert "'posts', 'tracking', 'payouts'" in problem(dataset, "several_tables").message
    assert "extra_columns" not in rules(dataset)


@pytest.mark.parametrize(
    "header",
    ["Live Date", "Go Live Date", "Post Live Date", "Live On", "Date of Posting", "Published", "Upload Date",
     "Uploaded On"],
)  # fmt: skip
def test_the_day_of_a_post_has_many_names(header, tmp_path):
    dataset = load(only(tmp_path, tracker=TRACKER.replace("Post Date", header)))
    assert len(records(dataset, "posts", "reach")) == 2
    assert (orders(dataset), spend(dataset)) == (5, 2500)


def test_commercials_are_fees_and_actual_reach_is_reach(tmp_path):
    sheet = TRACKER.replace("Cost", "Commercials (INR)").replace("Reach", "Actual Reach")
    dataset = load(only(tmp_path, tracker=sheet))
    assert spend(dataset) == 2500
    assert records(dataset, "posts", "reach") == [(1000,), (2000,)]


def test_the_only_dates_of_a_tracker_are_those_of_its_posts(tmp_path):
    said, plain = (
        load(only(tmp_path / name, tracker=TRACKER.replace("Post Date", name)))
        for name in ("When it went up", "Post Date")
    )
    assert said.check.totals == plain.check.totals
    assert records(said, "tracking", "date") == records(plain, "tracking", "date")
    assert "column_guessed" in rules(said)


def test_columns_of_a_table_that_is_not_read_are_warned_of(tmp_path):
    sheet = TRACKER.replace("Post Date", "Onboarded")
    dataset = load(only(tmp_path, tracker=sheet))
    assert spend(dataset) == 2500
    said = {
        each.table: each.message for each in dataset.check.problems if each.rule == "table_not_read"
    }
    assert said == {
        "posts": "tracker.csv was read as payouts only: 'Reach', 'Likes' belong to posts, for which it has no column for "
        "'date'. If it has one under another name, say so in the params: data: {columns: {posts: {date: COLUMN}}}.",
        "tracking": "tracker.csv was read as payouts only: 'Revenue' belongs to tracking, for which it has no column "
        "for 'date'. If it has one under another name, say so in the params: data: {columns: {tracking: {date: COLUMN}}}.",
    }  # fmt: skip
    named = {name: {"date": "Onboarded"} for name in ("posts", "tracking")}
    dataset = load(tmp_path, columns=named)
    assert orders(dataset) == 5
    assert len(records(dataset, "posts", "reach")) == 2
    assert "table_not_read" not in rules(dataset)


@pytest.mark.parametrize(
    "sheet",
    [
        pytest.param("Influencer,Amount,GST,Total Amount\nAsha Rao,1000,180,1180\n", id="another_amount"),
        pytest.param("Influencer,Amount,Comments,Link\nAsha Rao,1000,paid twice,x.in\n", id="words"),
    ],
)  # fmt: skip
def test_other_columns_of_payouts_belong_to_no_table(sheet, tmp_path):
    assert "table_not_read" not in rules(load(only(tmp_path, payouts=sheet)))


def test_months_of_such_sheets_are_joined_for_every_table(tmp_path):
    later = TRACKER.replace("2025-01", "2025-02").replace("3000", "3100")
    dataset = load(only(tmp_path, tracker_jan=TRACKER, tracker_feb=later))
    assert orders(dataset) == 10
    assert spend(dataset) == 5000
    assert len(records(dataset, "posts", "reach")) == 4


def test_a_cost_beside_orders_is_that_of_the_goods_and_spend_is_not(tmp_path):
    rows = "Date,Influencer,Brand,Orders,Revenue,{}\n2025-01-05,Asha Rao,HKVitals,3,3000,1000\n"
    assert not records(load(only(tmp_path, orders=rows.format("Cost"))), "payouts", "total_payout")
    assert spend(load(only(tmp_path / "spend", orders=rows.format("Spend")))) == 1000


@pytest.mark.parametrize(
    ("header", "warned"),
    [
        ("Amount Paid", True),
        ("Cost", True),
        ("Commission", True),
        ("Total", False),
        ("Net Amount", False),
    ],
)
def test_an_amount_beside_orders_that_may_be_paid_to_influencers_is_warned_of(
    header, warned, tmp_path
):
    """It was neither spend nor spoken of, and ROAS was unknown without a reason."""
    rows = (
        f"Date,Influencer,Brand,Orders,Revenue,{header}\n2025-01-05,Asha Rao,HKVitals,3,3000,1000\n"
    )
    dataset = load(only(tmp_path, orders=rows))
    assert not dataset.has("payouts")
    said = [each.message for each in dataset.check.problems if each.rule == "spend_not_used"]
    assert bool(said) == warned
    if warned:
        assert f"{{columns: {{payouts: {{total_payout: {header}}}}}}}" in said[0]
        named = load(tmp_path, columns={"payouts": {"total_payout": header}})
        assert spend(named) == 1000
        assert orders(named) == 3
        assert "spend_not_used" not in rules(named)


@pytest.mark.parametrize("more", ["Clicks,Impressions", "Posts,Likes"])
def test_a_day_with_clicks_or_several_posts_is_no_post(more, tmp_path):
    sheet = (
        f"Date,Influencer,Brand,Orders,Revenue,{more}\n2025-01-05,Asha Rao,HKVitals,3,3000,7,900\n"
    )
    dataset = load(only(tmp_path, affiliate_report=sheet))
    assert orders(dataset) == 3
    assert not records(dataset, "posts", "influencer_id")


def test_a_total_of_likes_is_paid_to_nobody(tmp_path):
    """16 likes, comments and shares were ₹16 of spend, and ROAS stood on them."""
    posts = "Influencer,Post Date,Likes,Comments,Shares,{}\nAsha,2025-06-01,10,5,1,16\n"
    assert not load(only(tmp_path, posts=posts.format("Total"))).has("payouts")
    fees = posts.format("Total").replace(",16", ",5000")
    assert spend(load(only(tmp_path / "fees", posts=fees))) == 5000


def test_where_payouts_have_a_file_no_other_is_taken_for_them(tmp_path):
    dataset = load(only(tmp_path, tracker=TRACKER, payouts="Influencer,Amount\nAsha Rao,700\n"))
    assert spend(dataset) == 700
    assert orders(dataset) == 5


def test_a_file_that_is_refused_as_a_summary_is_told_so(tmp_path):
    sheet = "Influencer,Total Orders,Total Revenue,ROAS,Total Payout\nAsha Rao,3,3000,2.0,1500\n"
    with pytest.raises(DataError, match="looks like a summary made from other tables"):
        load(only(tmp_path, influencer_summary=sheet))


@pytest.mark.parametrize(("name", "severity"), [("orders.json", "warning"), ("notes.json", "note")])
def test_an_export_of_a_kind_that_is_not_read_is_warned_of(name, severity, tmp_path):
    only(tmp_path, payouts="Influencer,Amount\nAsha Rao,700\n")
    (tmp_path / name).write_text("[]")
    assert problem(load(tmp_path), "file_not_used").severity == severity


# Posts


def test_later_readings_of_one_post_are_warned_of(tmp_path):
    rows = [f"Asha,HKVitals,2025-04-03,ig/reel/a,2025-04-{day:02d},{reach}" for day, reach in
            ((4, 1000), (10, 2000), (17, 3000))]  # fmt: skip
    rows += ["Dev,HKVitals,2025-04-03,ig/reel/a,2025-04-04,700", "Dev,HKVitals,2025-04-05,,,7"]
    header = "Influencer,Brand,Posted On,Link,Snapshot Date,Reach\n"
    said = problem(load(only(tmp_path, posts=header + "\n".join(rows) + "\n")), "post_again")
    assert (said.severity, said.count, said.examples[0].row) == ("warning", 2, 3)
    assert said.message == (
        "posts.csv: 2 rows have the address of an earlier row of the same influencer, and other values; each is counted "
        "as a post, with its reach. If they are later readings of one post, keep the last of each (first: row 3, "
        "ig/reel/a)."
    )


@pytest.mark.parametrize("rows", ["{0}\n{0}", "P1,{0}\nP2,{0}9"], ids=["copies", "ids"])
def test_copies_and_posts_with_ids_are_told_otherwise(rows, tmp_path):
    header = "Influencer,Posted On,Link,Reach\n"
    header = f"Post ID,{header}" if rows.startswith("P1") else header
    text = rows.format("Asha,2025-04-03,ig/reel/a,10")
    assert "post_again" not in rules(load(only(tmp_path, posts=f"{header}{text}\n")))


# Merged cells


def test_a_name_merged_over_rows_is_that_of_each_and_an_amount_is_not(tmp_path):
    book = Workbook()
    sheet = book.active
    sheet.append(["Influencer", "Date", "Brand", "Orders", "Revenue"])
    for day in range(1, 5):
        sheet.append(["Asha Rao", f"2025-01-0{day}", "HKVitals", day, 100 * day])
    sheet.merge_cells("A2:A4")
    sheet.merge_cells("E4:E5")
    stream = io.BytesIO()
    book.save(stream)
    (tmp_path / "orders.xlsx").write_bytes(stream.getvalue())
    dataset = load(tmp_path)
    assert [row[0] for row in records(dataset, "tracking", "influencer_id")] == ["Asha Rao"] * len(
        records(dataset, "tracking", "orders")
    )
    assert sum(float(row[0]) for row in records(dataset, "tracking", "revenue")) == 600
    assert problem(dataset, "merged_cells").severity == "warning"


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
@pytest.mark.parametrize("name", ["Orders old", "Payouts", "Sheet9"])
def test_a_hidden_sheet_is_left_and_said(state, name, tmp_path):
    book = Workbook()
    for title, month in (("Orders", 1), (name, 2)):
        sheet = book.create_sheet(title)
        sheet.append(["Order ID", "Date", "Brand", "Influencer", "Amount"])
        sheet.append([f"A{month}", f"2025-0{month}-05", "HKVitals", "Asha Rao", 100])
    sheet.sheet_state = state
    del book["Sheet"]
    stream = io.BytesIO()
    book.save(stream)
    (tmp_path / "orders.xlsx").write_bytes(stream.getvalue())
    dataset = load(tmp_path)
    assert orders(dataset) == 1
    assert spend(dataset) == 0
    said = problem(dataset, "file_not_used")
    assert (said.severity, said.message) == (
        "warning",
        f"orders.xlsx [{name}] is a hidden sheet and was not read. Show it in the workbook if it is to be read.",
    )


# A column for each period

SOLD = "date,orders,revenue,brand\n2025-01-05,2,1000,HKVitals\n"


@pytest.mark.parametrize(
    "headers",
    ["Jan-25,Feb-25", "January 2025,February 2025", "Paid Jan,Paid Feb", "2025-01,2025-02", "01/2025,02/2025",
     "Week 1,Week 2", "W1,W2", "Q1,Q2", "01/04/2025,02/04/2025", "Jan'25,Feb'25"],
)  # fmt: skip
def test_a_column_for_each_period_is_named_with_what_to_do(headers, tmp_path):
    wide = f"Influencer,{headers}\nINF_1,1000,2000\n"
    with pytest.raises(DataError) as error:
        load(only(tmp_path / "named", tracking=SOLD, payouts=wide))
    for words in ("a column for each period", "a row of its own", "'date'", "'total_payout'"):
        assert words in str(error.value)
    dataset = load(only(tmp_path / "other", tracking=SOLD, overview=wide))
    assert problem(dataset, "file_not_used").severity == "warning"
    assert "a column for each period" in problem(dataset, "file_not_used").message


@pytest.mark.parametrize(
    "headers", ["Novelty,Decor", "Question 1,Question 2", "Marks,Seq", "May Budget Name,Maya"]
)
def test_other_columns_are_no_periods(headers, tmp_path):
    dataset = load(only(tmp_path, tracking=SOLD, overview=f"Topic,{headers}\nx,1000,2000\n"))
    assert problem(dataset, "file_not_used").severity == "note"


BLOCKS = """Influencer,Date,Brand,Orders,Revenue
Asha Rao,2025-04-01,HKVitals,2,2000
,2025-04-02,HKVitals,3,3000
,2025-04-03,HKVitals,1,1000
Dev Mehta,2025-04-01,HKVitals,2,2500
,2025-04-02,HKVitals,1,1000
"""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("", ""), True),
        (("\n,2025-04-03", "\nAsha Rao,2025-04-03"), False),
        (("Brand", "Source"), False),
        (("Asha Rao", ""), False),
    ],
    ids=["merged", "a name twice", "a source says it", "the first has none"],
)
def test_names_in_the_first_row_of_each_block_alone_are_told_of(change, said, tmp_path):
    dataset = load(only(tmp_path, sales=BLOCKS.replace(*change)))
    assert ("blocks" in rules(dataset)) is said
    if said:
        told = problem(dataset, "blocks")
        assert (told.severity, told.column, told.count) == ("warning", "influencer_id", 3)
        assert told.examples[0].row == 3
