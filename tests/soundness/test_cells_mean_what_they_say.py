"""A cell is never read as another number, day, row or influencer than it says, unless that is reported.

Each case once was a wrong number, or would have been one by the plain way of reading.
"""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from hkreport import ingest
from hkreport.errors import DataError


def load(folder: Path, **files: str) -> ingest.Dataset:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return ingest.load(folder)


def column(dataset: ingest.Dataset, table: str, name: str) -> list:
    return dataset.tables[table].order_by("row").select(name).to_pandas()[name].tolist()


def sellers(dataset: ingest.Dataset) -> list[str]:
    return [each for each in column(dataset, "tracking", "influencer_id") if isinstance(each, str)]


def days(dataset: ingest.Dataset) -> list[date]:
    return [each.date() for each in column(dataset, "tracking", "date")]


def test_a_time_with_a_zone_is_not_cut_to_its_day(tmp_path):
    """A cast to a date drops the zone: 20:00 UTC on 30 June is 1 July in India."""
    dataset = load(tmp_path, tracking="date,orders,revenue\n2025-06-30T20:00:00Z,1,5\n")
    assert days(dataset) == [date(2025, 7, 1)]


def test_two_digits_are_no_year_of_the_first_century(tmp_path):
    dataset = load(tmp_path, tracking="date,orders,revenue\n24-07-25,1,5\n")
    assert days(dataset) == [date(2025, 7, 24)]


def test_thousands_with_dots_are_not_divided_by_a_thousand(tmp_path):
    """125.000 followers casts to 125."""
    text = "id,name,platform,followers\n1,A,Instagram,125.000\n2,B,Instagram,1.250.000\n3,C,YouTube,900\n"
    assert column(load(tmp_path, influencers=text), "influencers", "follower_count") == [
        125000, 1250000, 900]  # fmt: skip


def test_digits_beyond_the_sixth_are_not_lost_from_totals(tmp_path):
    """A million roundings of half a micro-rupee are half a rupee."""
    cells = ["0.0000004"] * 500 + ["4.0e-07"] * 500
    text = "date,orders,revenue\n" + "".join(f"2025-06-14,1,{cell}\n" for cell in cells)
    total = load(tmp_path, tracking=text).check.totals["revenue"]
    assert total == Decimal("0.0004")


def test_blank_lines_do_not_shift_row_numbers(tmp_path):
    """A CSV reader skips them; a spreadsheet does not."""
    text = "date,orders,revenue\n\n2025-06-14,1,5\n\n\n2025-06-14,1,bad\n"
    dataset = load(tmp_path, tracking=text)
    (problem,) = [each for each in dataset.check.problems if each.rule == "unreadable"]
    assert problem.examples[0].row == 6


def test_a_total_line_is_not_paid_to_an_influencer_called_total(tmp_path):
    dataset = load(tmp_path, payouts="influencer_id,total_payout\nA,5\nB,7\nTotal,12\n")
    assert sum(column(dataset, "payouts", "total_payout")) == 12


def test_a_web_domain_with_organic_in_it_is_not_organic(tmp_path):
    text = "date,orders,revenue,source,influencer_id\n2025-06-14,1,5,organic-oils.com,A\n"
    assert column(load(tmp_path, tracking=text), "tracking", "channel") == ["influencer"]


def test_an_unclosed_quote_does_not_swallow_the_orders_after_it(tmp_path):
    text = 'date,orders,revenue,product\n2025-06-14,1,5,"Whey\n2025-06-14,1,5,Oats\n2025-06-14,1,5,BCAA\n'
    dataset = load(tmp_path, tracking=text)
    assert dataset.check.totals["orders"] == 3
    assert "stray_quotes" in {each.rule for each in dataset.check.problems}


def test_a_repeated_influencer_does_not_double_what_is_joined_to_it(tmp_path):
    text = "id,name,platform\n1,A,Instagram\n1.0,A again,YouTube\n"
    assert column(load(tmp_path, influencers=text), "influencers", "name") == ["A"]


@pytest.mark.parametrize("word", ["sale is on", "add-on pack"])
def test_an_english_word_is_not_the_abbreviation_of_a_brand(word, tmp_path):
    dataset = load(tmp_path, tracking=f"date,orders,revenue,campaign\n2025-06-14,1,5,{word}\n")
    assert dataset.check.to_json()["revenue_by_brand"] == {"unassigned": 5}


def test_a_unit_in_the_header_is_not_ignored(tmp_path):
    dataset = load(tmp_path, tracking="date,orders,Revenue (in lakh)\n2025-06-14,1,2.5\n")
    assert dataset.check.totals["revenue"] == 250000
    assert "header_unit" in {each.rule for each in dataset.check.problems}


def test_row_left_out_for_one_cell_still_counts_its_other_cells_in_totals(tmp_path):
    dataset = load(tmp_path, tracking="date,orders,revenue\nsoon,3,5\n2025-06-14,1,7\n")
    assert dataset.check.totals["revenue"] == 12
    assert dataset.check.totals["orders"] == 4


ORDER = "Order ID,Order Date,Brand,Influencer,Order Value,Discount,{}\n1,2025-04-03,HKVitals,Asha,1000,100,900\n"


@pytest.mark.parametrize(
    "header",
    ["Amount Paid", "Grand Total", "Total Amount", "Net Payable", "Net Amount", "Payment", "Fees", "Total Cost"],
)  # fmt: skip
def test_what_a_customer_paid_is_no_spend(header, tmp_path):
    """An order worth 1000 for which 900 came in was 900 of spend."""
    totals = load(tmp_path, orders=ORDER.format(header)).check.totals
    assert (totals["revenue"], totals["spend"]) == (1000, 0)


@pytest.mark.parametrize("header", ["Payout", "Spend", "Amount Paid,Spend"])
def test_what_an_influencer_got_for_an_order_is_spend(header, tmp_path):
    text = ORDER.format(header).replace(",900\n", ",7" * header.count(",") + ",50\n")
    assert load(tmp_path, orders=text).check.totals["spend"] == 50


def test_an_amount_beside_orders_does_not_hide_what_was_spent(tmp_path):
    """'Amount' is the revenue here; as the nearer name of a payout it was taken for that, too."""
    text = "Date,Influencer,Brand,Orders,Amount,Spend\n2025-04-03,Asha,HKVitals,3,3000,400\n"
    totals = load(tmp_path, orders=text).check.totals
    assert (totals["revenue"], totals["spend"]) == (3000, 400)


def test_a_fee_beside_counted_orders_is_spend(tmp_path):
    text = "Month,Influencer,Brand,Orders,Revenue,Fee\n2025-04,Asha,HKVitals,3,3000,400\n"
    assert load(tmp_path, report=text).check.totals["spend"] == 400


@pytest.mark.parametrize(
    "header", ["Order Placed On", "Ordered On", "Order Created", "Order Time", "Created Date", "Booking Date"]
)  # fmt: skip
def test_orders_whose_date_has_another_name_are_no_payouts(header, tmp_path):
    text = f"Order ID,{header},Brand,Influencer,Product,Amount\n1,2025-04-03,HKVitals,Asha,Biotin,1000\n"
    totals = load(tmp_path, april=text).check.totals
    assert (totals["revenue"], totals["spend"]) == (1000, 0)


def test_transfers_of_a_bank_are_payouts(tmp_path):
    text = "Transaction ID,Payment Date,Influencer,Amount\nUTR1,2025-04-03,Asha,1000\n"
    assert load(tmp_path, transfers=text).check.totals["spend"] == 1000


def test_orders_whose_date_is_unknown_are_not_read_as_payouts(tmp_path):
    text = "Order ID,Delivered,Brand,Influencer,Product,Amount\n1,2025-04-03,HKVitals,Asha,Biotin,1000\n"
    with pytest.raises(DataError, match="If it is tracking, say --map tracking=april"):
        load(tmp_path, april=text)


@pytest.mark.parametrize(
    "headers", ["Invoice Date,Payment Date", "Paid Date,Payout Date", "Invoice Date,Payment Month", "Payment Month,Due"]
)  # fmt: skip
def test_the_day_of_a_payment_is_not_the_day_of_the_work(headers, tmp_path):
    """'Payment Date' was read as 'Date' where 'Invoice Date' stood beside it, and moved the spend to its month."""
    text = f"Influencer,{headers},Amount\nAsha,2025-06-01,2025-07-10,20000\n"
    assert "date" not in load(tmp_path, payouts=text).check.tables["payouts"].columns


SOLD = "Order ID,Order Date,Brand,Influencer,Amount\n1,2025-04-03,HKVitals,Asha,100\n2,2025-04-03,HKVitals,{},90\n"


@pytest.mark.parametrize(
    "word", ["(not set)", "(none)", "N.A.", "n.a", "Not Applicable", "not available", " (not set) ", "NONE"]
)  # fmt: skip
def test_a_word_for_nothing_is_no_influencer(word, tmp_path):
    """Each was an influencer with revenue of its own."""
    assert sellers(load(tmp_path, orders=SOLD.format(word))) == ["Asha"]


@pytest.mark.parametrize(
    "word", ["Organic", "Direct", "Website", "0", "No Coupon", "No Influencer", "unknown"]
)
def test_a_word_for_nobody_gets_no_revenue_of_an_influencer(word, tmp_path):
    dataset = load(tmp_path, orders=SOLD.format(word))
    assert sellers(dataset) == ["Asha"]
    assert column(dataset, "tracking", "channel") == ["influencer", "unattributed"]
    (said,) = [each for each in dataset.check.problems if each.rule == "nobody"]
    assert (said.count, said.examples[0].row) == (1, 3)
    assert f"'{word}' in 1 row names no influencer" in said.message


@pytest.mark.parametrize("word", ["Direct", "0"])
def test_an_influencer_may_be_called_like_nobody(word, tmp_path):
    roster = f"influencer_id,name,platform\n{word},Dev,Instagram\nAsha,Asha,Instagram\n"
    dataset = load(tmp_path, orders=SOLD.format(word), influencers=roster)
    assert sellers(dataset) == ["Asha", word]


@pytest.mark.parametrize("april", ["{month:02}/{day:02}/{year}", "{month}/{day}/{short} 10:05 AM"])
def test_each_file_says_by_itself_whether_its_days_come_first(april, tmp_path):
    """Two months of two systems: 04/05 of one is 5 April, 04/05 of the other 4 May."""

    def month(number: int, form: str) -> str:
        cells = [form.format(day=day, month=number, year=2025, short=25) for day in range(1, 31)]
        rows = [f"{number}-{at},{cell},1,5\n" for at, cell in enumerate(cells)]
        return "order_id,date,orders,revenue\n" + "".join(rows)

    dataset = load(
        tmp_path,
        orders_april=month(4, april),
        orders_june=month(6, "{day:02}-{month:02}-{year}"),
    )
    assert days(dataset) == [date(2025, month, day) for month in (4, 6) for day in range(1, 31)]
    (said,) = [each for each in dataset.check.problems if each.rule == "date_order"]
    assert "day first in 'orders_june.csv' and month first in 'orders_april.csv'" in said.message
    rules = {each.rule for each in dataset.check.problems}
    assert not rules & {"ambiguous_dates", "mixed_date_order"}
    assert dataset.check.derived["dates"]["tracking.date"]["format"] == "by file"


@pytest.mark.parametrize(
    ("late", "said"), [("{day}/04/2025", True), ("04/{day}/2025", True), ("2025-04-{day}", False)]
)
def test_dates_that_a_spreadsheet_turned_round_are_not_taken_without_a_word(late, said, tmp_path):
    """Of April, opened where months come first, the 1st to the 12th become days of other months."""
    cells = [f"2025-{day:02}-04" for day in range(1, 13)]
    cells += [late.format(day=day) for day in range(13, 31)]
    rows = "".join(f"{cell},1,5\n" for cell in cells)
    dataset = load(tmp_path, tracking="date,orders,revenue\n" + rows)
    found = [each for each in dataset.check.problems if each.rule == "turned_dates"]
    assert bool(found) is said
    if said:
        assert (found[0].severity, found[0].count) == ("warning", 12)
        assert (found[0].examples[0].row, found[0].examples[0].value) == (2, "2025-01-04")


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("before", [0, 900])
def test_a_cell_kept_from_a_spreadsheet_is_its_text(before, quoted, tmp_path):
    """="2025-04-03" is how some shops export a date; such rows were left out."""
    form = '"=""{}"""' if quoted else '="{}"'
    cells = ["00123", "2025-04-03", "2", "1299.50", "HKVitals"]
    text = "influencer_id,date,orders,revenue,brand\n" + "00456,2025-04-01,1,1,HKVitals\n" * before
    text += ",".join(form.format(cell) for cell in cells) + "\n"
    dataset = load(tmp_path, tracking=text)
    assert days(dataset)[-1] == date(2025, 4, 3)
    assert dataset.check.totals["revenue"] == Decimal("1299.50") + before
    assert column(dataset, "tracking", "brand")[-1] == "HKVitals"
    assert len(set(column(dataset, "tracking", "influencer_id"))) == (2 if before else 1)
    assert "00123" in dict(dataset.check.top_influencers)
    assert "formula_cells" in {each.rule for each in dataset.check.problems}


@pytest.mark.parametrize(
    ("brand", "influencer"),
    [
        ("Total", ""),
        ("Overall", ""),
        ("All Brands", "A"),
        ("HKVitals", "Grand Total"),
        ("All", "All"),
    ],
)
def test_a_row_that_is_the_sum_of_a_day_is_not_sold_again(brand, influencer, tmp_path):
    """Trackers have such a row under each day; all that was sold counted twice, once for a brand 'Total'."""
    text = "date,brand,influencer_id,orders,revenue\n"
    for day in (1, 2, 3):
        text += f"2025-04-0{day},HKVitals,A,2,1000.50\n2025-04-0{day},HKVitals,A,1,{day}00\n"
        text += f"2025-04-0{day},{brand},{influencer},3,{1000.5 + day * 100}\n"
    dataset = load(tmp_path, tracking=text)
    assert dataset.check.totals["revenue"] == Decimal("3601.5")
    assert dataset.check.to_json()["revenue_by_brand"] == {"HKVitals": 3601.5}
    (said,) = [each for each in dataset.check.problems if each.rule == "total_row"]
    assert (said.count, said.examples[0].row) == (3, 4)


@pytest.mark.parametrize(("word", "said"), [("Total", True), ("All", False), ("Allround", False)])
def test_a_brand_that_is_called_a_total_is_sold(word, said, tmp_path):
    text = "date,brand,influencer_id,orders,revenue\n"
    for day in (1, 2, 3):
        text += (
            f"2025-04-0{day},HKVitals,A,2,500\n2025-04-0{day},{word},A,1,{400 + day // 3 * 100}\n"
        )
    dataset = load(tmp_path, tracking=text)
    rules = {each.rule for each in dataset.check.problems}
    assert dataset.check.totals["revenue"] == 1500 + 1300
    assert "total_row" not in rules
    assert ("total_counted" in rules) is said


@pytest.mark.parametrize(
    ("line", "header", "said"),
    [
        ("All figures in ₹ Lakhs", "Revenue", True),
        ("(Rs. in '000)", "Revenue", True),
        ("All figures in ₹ Lakhs", "Revenue (₹ lakh)", False),
        ("Sales of the 2 crore club in 2000 posts", "Revenue", False),
    ],
)
def test_a_unit_above_the_header_is_not_passed_over(line, header, said, tmp_path):
    """With it ₹2 lakh were sold, and the report said ₹2."""
    text = (
        f"HKVitals FY26,,\n{line},,\nDate,Orders,{header}\n2025-04-01,100,1.5\n2025-05-01,100,0.5\n"
    )
    dataset = load(tmp_path, sales=text)
    found = [each for each in dataset.check.problems if each.rule == "unit_above"]
    assert [each.severity for each in found] == (["warning"] if said else [])
    if said:
        assert f"says '{line}'" in found[0].message
        assert "'Revenue (in lakh)'" in found[0].message


@pytest.mark.parametrize(
    ("header", "cell", "said"),
    [
        ("Created at (UTC)", "2025-04-30 20:00:00", True),
        ("created_at_utc", "30/04/2025 8:00 PM", True),
        ("Order Date (GMT)", "2025-04-30T20:00:00Z", False),
        ("Order Date (GMT)", "2025-04-30", False),
        ("Order Date (GMT+5:30)", "2025-04-30 20:00:00", False),
        ("Order Date", "2025-04-30 20:00:00", False),
    ],
)
def test_a_zone_in_the_header_is_not_passed_over(header, cell, said, tmp_path):
    """20:00 UTC on 30 April is May in India."""
    text = f"{header},orders,revenue\n{cell},1,5\n"
    (tmp_path / "tracking.csv").write_text(text, encoding="utf-8")
    dataset = ingest.load(tmp_path, ingest.Settings(columns={"tracking": {"date": header}}))
    found = [each for each in dataset.check.problems if each.rule == "zone_of_header"]
    assert [each.severity for each in found] == (["warning"] if said else [])
    if said:
        assert found[0].examples[0].value == cell


@pytest.mark.parametrize(
    ("headers", "organic"),
    [
        ("source,channel", True),
        ("utm_source,utm_medium", True),
        ("campaign,Traffic Type", True),
        ("campaign,order_type", True),
        ("source,product", False),  # organic oats are no organic order
    ],
)
def test_what_another_column_calls_organic_is_organic(headers, organic, tmp_path):
    """Organic revenue was 0 where 'source' held platforms and another column said what was organic."""
    text = f"date,{headers},influencer_id,orders,revenue\n2025-06-01,Instagram,Influencer,1,1,70\n"
    text += "2025-06-02,Google,Organic,,1,30\n"
    dataset = load(tmp_path, tracking=text)
    said = column(dataset, "tracking", "channel")
    assert said == ["influencer", "organic" if organic else "unattributed"]


@pytest.mark.parametrize("source", ["Instagram", "influencer"])
def test_orders_that_name_no_influencer_are_warned_of_whatever_their_source(source, tmp_path):
    """With a source, nothing said that no influencer has any revenue."""
    dataset = load(
        tmp_path,
        tracking=f"date,source,orders,revenue\n2025-06-01,{source},1,70\n",
        payouts="influencer_id,total_payout\nINF_1,10\n",
    )
    found = [each for each in dataset.check.problems if each.rule == "no_influencer_column"]
    assert [each.severity for each in found] == ["warning"]


def flat(paid: dict[str, str]) -> str:
    """A row an order: three orders of one post of each influencer, by what each row says was paid."""
    text = "influencer_id,platform,post_date,reach,likes,comments,order_date,orders,revenue,total_payout\n"
    for at, (name, fees) in enumerate(paid.items(), start=1):
        for day, fee in enumerate(fees.split(), start=1):
            text += f"{name},Instagram,2025-04-30,{at}000,{at}0,{at},2025-05-0{day},1,100,{fee}\n"
    return text


def test_a_file_of_all_that_repeats_payouts_and_posts_is_warned_of(tmp_path):
    """Each order of a merged file said its influencer's payout again: ₹18,000 for ₹6,000, without a word."""
    repeated = {"A": "1000 1000 1000", "B": "2000 2000 2000", "C": "3000 3000 3000"}
    dataset = load(tmp_path, merged=flat(repeated))
    said = {each.rule: each for each in dataset.check.problems}
    assert "₹18,000" in said["payout_repeated"].message
    assert "₹6,000" in said["payout_repeated"].message
    assert said["post_repeated"].count == 6
    assert {said["payout_repeated"].severity, said["post_repeated"].severity} == {"warning"}


def test_fees_that_differ_within_an_influencer_are_not_repeated(tmp_path):
    fees = {"A": "1000 1000 1500", "B": "2000 2000 2000", "C": "3000 3000 3000"}
    dataset = load(tmp_path, merged=flat(fees))
    assert "payout_repeated" not in {each.rule for each in dataset.check.problems}


def test_orders_beside_posts_have_their_own_day(tmp_path):
    """The orders of May counted in April, the month of their post."""
    dataset = load(tmp_path, merged=flat({"A": "1000 1000"}))
    assert days(dataset) == [date(2025, 5, 1), date(2025, 5, 2)]
    posted = [each.date() for each in column(dataset, "posts", "date")]
    assert posted == [date(2025, 4, 30)] * 2


@pytest.mark.parametrize("cell", ["-1", "-99", "-1.0", "1.5"])
def test_a_number_that_is_no_id_is_not_matched_to_one(cell, tmp_path):
    """-1 in place of an empty cell was taken for influencer 1, who had five times their revenue."""
    text = f"date,influencer_id,orders,revenue\n2025-06-01,1,1,70\n2025-06-02,{cell},1,300\n"
    dataset = load(
        tmp_path,
        tracking=text,
        influencers="id,name,platform\n1,Asha,Instagram\n15,Dev,Instagram\n99,Om,Instagram\n",
    )
    assert dict(dataset.check.top_influencers)["1"] == 70
    assert not {"15", "99"} & set(sellers(dataset))
    assert any(each.rule in ("nobody", "unknown_influencer") for each in dataset.check.problems)


def test_a_flag_of_organic_orders_is_not_passed_over(tmp_path):
    text = "date,is_organic,influencer_id,orders,revenue\n2025-06-01,True,,1,70\n2025-06-01,False,1,1,7\n"
    dataset = load(tmp_path, tracking=text)
    assert "organic_not_used" in {each.rule for each in dataset.check.problems}


MONTHS = {1: ("100.10", "200.20", "55.55"), 2: ("70", "80.05", "11"), 3: ("9", "8", "7.77")}


def with_totals(total: str, *, grand: bool = True) -> tuple[str, Decimal]:
    """Orders of three months with a line below each that holds its sum, and one of all below that."""
    lines, everything = ["order_id,date,influencer_id,product,orders,revenue"], Decimal(0)
    for month, amounts in MONTHS.items():
        lines += [
            f"O{month}{at},2025-{month:02}-0{at + 3},I{at},Whey,1,{amount}"
            for at, amount in enumerate(amounts)
        ]
        mine = sum(map(Decimal, amounts), Decimal(0))
        everything += mine
        lines.append(f"{total.format(month=month, name='Jan Feb Mar'.split()[month - 1])},3,{mine}")
    if grand:
        lines.append(f"{total.format(month=3, name='')},9,{everything}")
    return "\n".join(lines) + "\n", everything


@pytest.mark.parametrize(
    "total",
    [
        pytest.param("{name} Total,2025-{month:02}-28,,", id="in the id, with a date"),
        pytest.param(",Total {name},,", id="in the date"),
        pytest.param(",2025-{month:02}-01,,Total", id="on the first day"),
        pytest.param(",2025-{month:02}-28,,", id="says nothing"),
        pytest.param(",,,", id="has no date"),
    ],
)
@pytest.mark.parametrize("grand", [True, False])
def test_lines_that_add_up_those_above_them_are_no_orders(total, grand, tmp_path):
    text, everything = with_totals(total, grand=grand)
    dataset = load(tmp_path, tracking=text)
    assert dataset.check.totals["revenue"] == everything
    assert dataset.check.tables["tracking"].rows_used == 9
    assert {each.rule for each in dataset.check.problems} & {"total_row"}


def test_lines_that_say_nothing_and_add_nothing_up_are_orders(tmp_path):
    text, everything = with_totals(",2025-{month:02}-28,,", grand=False)
    text = text.replace("355.85", "355.00").replace("161.05", "61.05")
    dataset = load(tmp_path, tracking=text)
    assert dataset.check.tables["tracking"].rows_used == 12
    assert dataset.check.totals["revenue"] == 2 * everything - Decimal("100.85")


def test_a_total_among_orders_that_name_nobody_is_found(tmp_path):
    text, everything = with_totals("{name} Total,2025-{month:02}-28,,")
    organic = (
        text.replace(",I2,Whey,", ",,,").replace("O12", "").replace("O22", "").replace("O32", "")
    )
    dataset = load(tmp_path, tracking=organic)
    assert dataset.check.totals["revenue"] == everything
    assert dataset.check.tables["tracking"].rows_used == 9


def test_subtotals_of_payouts_are_not_paid(tmp_path):
    rows = "".join(
        f"{month}-25,I{at},post,{1000 + at}\n" for month in ("Jan", "Feb") for at in range(3)
    )
    text = "Month,Influencer ID,Basis,Total Payout\n" + rows.replace(
        "Feb-25,I0", ",,,3003\nFeb-25,I0"
    ) + ",,,3003\n"  # fmt: skip
    dataset = load(tmp_path, payouts=text)
    assert dataset.check.totals["spend"] == 6006
    assert dataset.check.tables["payouts"].rows_used == 6


@pytest.mark.parametrize("large", [False, True])
def test_products_and_campaigns_are_one_whatever_their_case(large, tmp_path, monkeypatch):
    """₹500 of ₹700 belonged to no brand and had no margin, since the list of products says 'Whey'."""
    if large:
        for module in ("spelling", "stage"):
            monkeypatch.setattr(f"hkreport.ingest.{module}.MATERIALISED_ROWS", 0)
    dataset = load(
        tmp_path,
        tracking="date,influencer_id,product,campaign,orders,revenue\n2025-06-01,1,whey ,Diwali Sale,1,100\n"
        "2025-06-02,1,WHEY,diwali  sale,2,200\n2025-06-02,1,whey,Diwali Sale,2,200\n2025-06-02,1,Biotin,,2,200\n",
        posts="influencer_id,date,product,campaign\n1,2025-06-01,Whey,DIWALI SALE\n",
        products="Product,Brand,Margin\nWhey,MuscleBlaze,0.35\nBiotin,HKVitals,0.52\n",
    )
    tracking = dataset.tables["tracking"].to_pandas()
    assert sorted(tracking["product"]) == ["Biotin", "Whey", "Whey", "Whey"]
    assert set(tracking["campaign"].dropna()) == {"Diwali Sale"}
    assert column(dataset, "posts", "campaign") == ["Diwali Sale"]
    assert dataset.check.revenue_by_brand == {"MuscleBlaze": 500, "HKVitals": 200}
    said = [each.message for each in dataset.check.problems if each.rule == "spelling"]
    assert "tracking.product: spellings were made one: WHEY → Whey; whey → Whey." in said


def test_what_the_list_of_products_keeps_apart_stays_apart(tmp_path):
    dataset = load(
        tmp_path,
        tracking="date,product,orders,revenue\n2025-06-01,Fit,1,100\n2025-06-01,FIT,1,200\n",
        products="product,brand\nFit,Gritzo\nFIT,MuscleBlaze\n",
    )
    assert dataset.check.revenue_by_brand == {"Gritzo": 100, "MuscleBlaze": 200}


@pytest.mark.parametrize("large", [False, True])
def test_a_cell_that_lists_brands_is_no_brand_of_its_own(large, tmp_path, monkeypatch):
    """₹150 stood beside the two brands as those of two more, and what was paid for both as a third's."""
    if large:
        for module in ("spelling", "stage"):
            monkeypatch.setattr(f"hkreport.ingest.{module}.MATERIALISED_ROWS", 0)
    dataset = load(
        tmp_path,
        tracking="date,influencer_id,brand,product,orders,revenue\n2025-06-01,1,HKVitals,Biotin,1,500\n"
        "2025-06-02,1,MuscleBlaze,Whey,1,1500\n2025-06-02,1,HKVitals & MB,Combo,1,100\n"
        "2025-06-03,1,MuscleBlaze / HKV,HKVitals Zinc,1,50\n2025-06-04,1,Salt & Stone,Soap,1,7\n",
        payouts='influencer_id,basis,brand,total_payout\n1,post,"HKVitals, MuscleBlaze",1000\n',
    )
    # What the product says is not contradicted by a list.
    assert dataset.check.revenue_by_brand == {
        "HKVitals": 550, "MuscleBlaze": 1500, "Salt & Stone": 7, "unassigned": 100,
    }  # fmt: skip
    assert not any(isinstance(each, str) for each in column(dataset, "payouts", "brand"))
    said = {
        each.table: each.message for each in dataset.check.problems if each.rule == "several_brands"
    }
    assert said["tracking"].startswith(
        "tracking.brand: 2 rows name several brands at once, and are read"
    )
    assert "(first: row 2, HKVitals, MuscleBlaze)" in said["payouts"]


@pytest.mark.parametrize("header", ['"Net\nRevenue"', '"Revenue\n"', '"Net\r\nRevenue"'])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_wrapped_header_does_not_hide_the_orders_below(header, end, tmp_path):
    """A spreadsheet ends lines by \\r\\n and breaks them in cells by \\n: all orders were gone, ₹0 for ₹2,200."""
    lines = [
        f"date,influencer_id,{header},orders,notes",
        '2025-04-05,I1,1500,2,"two\nlines"',
        "2025-04-06,I2,700,1,",
        "",
    ]
    (tmp_path / "tracking.csv").write_bytes(end.join(lines).encode())
    dataset = ingest.load(tmp_path)
    assert dataset.check.totals["revenue"] == 2200
    assert column(dataset, "tracking", "orders") == [2, 1]


@pytest.mark.parametrize("cell", ["2499/- only", "'2499", "Rs. 2,499 Only", " '2,499"])
def test_amounts_as_people_write_them_are_read(cell, tmp_path):
    text = f'date,orders,revenue\n2025-06-14,1,"{cell}"\n'
    assert column(load(tmp_path, tracking=text), "tracking", "revenue") == [Decimal(2499)]


@pytest.mark.parametrize("cell", ["not only", "'", "only 3 of 5", "24'99 off"])
def test_words_are_no_amounts(cell, tmp_path):
    text = f"date,orders,revenue\n2025-06-14,1,{cell}\n2025-06-15,1,7\n"
    data = load(tmp_path, tracking=text)
    assert data.check.totals["revenue"] == 7
    assert data.check.tables["tracking"].rows_quarantined == 1


def test_headers_of_a_pivot_table_are_those_of_its_columns(tmp_path):
    text = "Order Date,Influencer,Count of Order ID,Sum of Revenue\n2025-06-14,Asha,3,900\n"
    totals = load(tmp_path, sales=text).check.totals
    assert (totals["orders"], totals["revenue"]) == (3, 900)


def test_a_header_of_two_names_of_one_column_is_that_column(tmp_path):
    text = "Post ID,Creator/Influencer,Date,Reach / Impressions,Likes or Like Count\nP1,Asha,2025-06-14,70,8\n"
    data = load(tmp_path, posts=text)
    assert (data.check.totals["reach"], data.check.totals["likes"]) == (0, 8)
    assert column(data, "posts", "influencer_id") == ["Asha"]


@pytest.mark.parametrize("header", ["Partner Name", "Publisher Name"])
def test_networks_of_affiliates_name_people_beside_their_ids(header, tmp_path):
    other = header.replace("Name", "ID")
    data = load(
        tmp_path,
        partners=f"{other},{header},Platform\n7,Asha Rao,Instagram\n",
        orders=f"Order ID,Order Date,{header},{other},Sales,Total Commission\n1,2025-06-14,Asha,7,900,90\n",
    )
    assert column(data, "influencers", "name") == ["Asha Rao"]
    assert sellers(data) == ["7"]
    assert "spend_not_used" in {each.rule for each in data.check.problems}


def test_headers_that_are_not_utf_8_are_shown_as_written(tmp_path):
    text = "date,orders,revenue,Catégorie\n2025-06-14,1,5,x\n"
    (tmp_path / "tracking.csv").write_bytes(text.encode("latin-1"))
    problems = ingest.load(tmp_path).check.problems
    assert any("'Catégorie'" in each.message for each in problems if each.rule == "extra_columns")
