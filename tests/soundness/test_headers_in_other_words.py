"""Headers that the schema does not list, where only one of them can be meant.

Exports were refused, or lost their reach, for 'Time Created', 'Net Orders', 'Revenue Attributed' or 'Organic Reach'.
"""

import pytest
from ingest_fixtures import load, only, records, rules

from hkreport.errors import DataError
from hkreport.ingest.columns import match
from hkreport.schema import TABLES

ORDERS = "{},Influencer,Brand,{},{}\n2025-06-01,I1,HKVitals,4,1000\n2025-06-02,I2,HKVitals,6,1500\n"


@pytest.mark.parametrize(
    "when", ["Time Created", "Order Creation Time", "Purchased On", "Sold At", "Event Timestamp"]
)
def test_a_header_may_say_when_in_any_order(when, tmp_path):
    data = load(only(tmp_path, orders=ORDERS.format(when, "Orders", "Revenue")))
    assert [str(day) for (day,) in records(data, "tracking", "date")] == [
        "2025-06-01", "2025-06-02",
    ]  # fmt: skip


@pytest.mark.parametrize("orders", ["Net Orders", "No. Orders", "Orders Delivered", "orders_cnt"])
@pytest.mark.parametrize("revenue", ["Revenue Attributed", "Influencer Revenue", "NMV (₹)"])
def test_the_only_header_with_the_main_word_is_meant(orders, revenue, tmp_path):
    data = load(only(tmp_path, orders=ORDERS.format("Date", orders, revenue)))
    assert records(data, "tracking", "orders", "revenue") == [(4, 1000), (6, 1500)]
    assert "column_guessed" in rules(data)


@pytest.mark.parametrize(
    ("table", "column", "headers"),
    [
        ("tracking", "orders", ["Net Orders", "Orders Shipped"]),
        ("tracking", "orders", ["Cancelled Orders"]),
        ("tracking", "orders", ["Order ID", "Orders Delivered"]),
        ("tracking", "revenue", ["Revenue Share"]),
        ("tracking", "revenue", ["Revenue Target"]),
        ("posts", "reach", ["Organic Reach", "Total Paid Reach", "Story Reach"]),
        ("payouts", "total_payout", ["Ad Spend"]),
        ("payouts", "total_payout", ["Paid On"]),
        ("influencers", "follower_count", ["Instagram Followers", "YouTube Subscribers"]),
    ],
)
def test_two_that_could_be_meant_or_another_number_are_not_guessed(table, column, headers):
    known = [each for each in TABLES[table].required if each != column]
    others = ["revenue"] if table == "tracking" and column == "orders" else []
    row = ["2" for _ in (*known, *others, *headers)]
    found = match(TABLES[table], [*known, *others, *headers], head=[row])
    assert column not in found.places


def test_numbers_with_fractions_count_no_orders(tmp_path):
    text = ORDERS.format("Date", "Net Orders", "Revenue").replace(",4,", ",4.5,")
    with pytest.raises(DataError, match="no column for 'orders'"):
        load(only(tmp_path, orders=text))


@pytest.mark.parametrize("when", ["Erstellt am", "Booked", "Zeitpunkt", "Captured"])
def test_the_only_dates_of_single_orders_are_theirs(when, tmp_path):
    text = f"Order ID,{when},Influencer,Brand,Revenue\n7,14 Jun 2025,I1,HKVitals,900\n"
    data = load(only(tmp_path, orders=text))
    assert [str(day) for (day,) in records(data, "tracking", "date")] == ["2025-06-14"]
    assert "column_guessed" in rules(data)


@pytest.mark.parametrize(
    "headers", ["Delivered,Note", "Member Since,Note", "Captured,Checked", "Onboarding Day,Note"]
)
def test_the_day_of_something_else_or_one_of_two_is_not_guessed(headers, tmp_path):
    text = f"Order ID,{headers},Influencer,Brand,Revenue\n7,14/06/2025,15/06/2025,I1,HKVitals,900\n"
    with pytest.raises(DataError, match="no column for 'date'"):
        load(
            only(
                tmp_path, orders=text.replace("15/06/2025", "x" if "Note" in text else "15/06/2025")
            )
        )


def test_sums_are_not_dated_by_any_day(tmp_path):
    text = "Influencer,Seen,Orders,Revenue\nI1,14/06/2025,3,900\n"
    with pytest.raises(DataError, match="no column for 'date'"):
        load(only(tmp_path, orders=text))


@pytest.mark.parametrize("worth", ["Grand Total", "Invoice Amount", "Cart Value", "Total"])
def test_the_only_amount_of_a_single_order_is_its_worth(worth, tmp_path):
    text = f"Order No,Created,Influencer,Brand,Tax Amount,Total Items,{worth}\n7,2025-06-14,I1,HKVitals,90,2,900\n"
    data = load(only(tmp_path, orders=text))
    assert records(data, "tracking", "orders", "revenue") == [(1, 900)]
    assert "column_guessed" in rules(data)


@pytest.mark.parametrize(
    "headers", ["Total,Subtotal", "Commission Amount,Note", "Payout Value,Note"]
)
def test_two_amounts_or_another_one_are_no_worth(headers, tmp_path):
    text = f"Order No,Created,Influencer,Brand,{headers}\n7,2025-06-14,I1,HKVitals,900,800\n"
    with pytest.raises(DataError, match="no column for 'revenue'"):
        load(only(tmp_path, orders=text))


def test_orders_under_unknown_headers_are_no_posts(tmp_path):
    text = "Bestellnummer,Bestelldatum,Influencer,Umsatz\n1,14.07.2025,K1,900\n"
    with pytest.raises(DataError, match="fit no table"):
        load(only(tmp_path, bestellungen=text))
