"""A price of one unit is not what a row brought: ₹500 twice are ₹1,000.

Exports with a unit price and a quantity were refused with the advice to call the price revenue, which made ₹1,300
of ₹2,800.
"""

import decimal

import pytest

from hkreport import ingest

PEOPLE = "influencer_id,name,platform\nI1,Asha Rao,Instagram\nI2,Dev Shah,YouTube\n"


def load(folder, header, *rows):
    lines = [f"Order ID,Order Date,Influencer ID,Brand,{header}", *rows]
    (folder / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "influencers.csv").write_text(PEOPLE, encoding="utf-8")
    return ingest.load(folder, ingest.Settings(brands={}))


def revenue(data):
    return [
        float(value) for value in data.tables["tracking"].order_by("row").to_pandas()["revenue"]
    ]


def severity(data, rule):
    return [each.severity for each in data.check.problems if each.rule == rule]


@pytest.mark.parametrize(
    ("header", "doubtful"),
    [
        ("Unit Price,Quantity", False),
        ("Selling Price Per Item,Qty", False),
        ("Unit Price (INR),Units", False),
        ("Price,Qty", True),
        ("Selling Price,Quantity", True),
        ("Item Price,Quantity", True),
    ],
)
def test_revenue_is_units_times_their_price(header, doubtful, tmp_path):
    data = load(
        tmp_path, header, "O1,2025-06-01,I1,HKVitals,500,2", "O2,2025-06-02,I2,HKVitals,500.25,3",
        "O3,2025-06-09,I1,HKVitals,300,1",
    )  # fmt: skip
    assert revenue(data) == [1000, 1500.75, 300]
    assert severity(data, "multiplied") == ["warning" if doubtful else "note"]


def test_an_amount_is_not_multiplied(tmp_path):
    rows = ("O1,2025-06-01,I1,HKVitals,500,2,900", "O2,2025-06-02,I2,HKVitals,500,3,1400")
    for name in ("Revenue", "Total Selling Price", "Line Total", "Order Amount"):
        data = load(tmp_path, f"Unit Price,Quantity,{name}", *rows)
        assert revenue(data) == [900, 1400]
        assert not severity(data, "multiplied")


def test_amounts_are_read_and_what_is_none_is_left_out(tmp_path):
    data = load(
        tmp_path, "Unit Price,Qty", 'O1,2025-06-01,I1,HKVitals,"₹1,299.50",2', "O2,2025-06-02,I2,HKVitals,soon,1",
        "O3,2025-06-02,I2,HKVitals,,2", "O4,2025-06-03,I2,HKVitals,Rs. 100,-1", "O5,2025-06-03,I2,HKVitals,0.1,3",
    )  # fmt: skip
    assert revenue(data) == [2599, -100, 0.3]
    told = next(each for each in data.check.problems if each.severity == "error")
    assert [each.value.strip() for each in told.examples] == ["soon × 1", "× 2"]


def test_a_cell_and_the_first_rows_are_multiplied_alike(tmp_path):
    # What a survey of a large file reads first is made in Python, the rest in the database.
    from hkreport.ingest.composed import Multiplied

    data = load(tmp_path, "Unit Price,Qty", "O1,2025-06-01,I1,HKVitals,1,1")
    how = Multiplied((0, 1))
    for pair in (
        ("1,299.50", "2"),
        ("0.333333", "3"),
        ("Rs.5", "-1"),
        ("", ""),
        ("a", ""),
        ("0", "7"),
        ("1e3", "2"),
    ):
        columns = ", ".join(f"'{cell}'::VARCHAR AS c{at}" for at, cell in enumerate(pair))
        (made,) = data.backend.con.execute(
            f"SELECT {how.sql(lambda place: f'c{place}')} FROM (SELECT {columns})"
        ).fetchone()
        alone = how.text(pair)
        try:
            assert decimal.Decimal(made) == decimal.Decimal(alone)
        except (decimal.InvalidOperation, TypeError):
            assert (made or "").strip() == alone.strip()


def test_affiliate_apps_call_what_an_order_was_worth_its_total(tmp_path):
    (tmp_path / "influencers.csv").write_text(PEOPLE, encoding="utf-8")
    (tmp_path / "conversions.csv").write_text(
        "Order ID,Created At,Affiliate ID,Total,Commission\n1001,2025-06-01 10:22:11,I1,1000.00,100.00\n"
        "1002,2025-06-02 11:00:00,I2,1500.00,150.00\n",
        encoding="utf-8",
    )
    data = ingest.load(tmp_path, ingest.Settings(brands={}))
    assert revenue(data) == [1000, 1500]
    assert any("Commission' is not used" in each.message for each in data.check.problems)


def test_sale_orders_of_a_warehouse_say_how_they_write_dates(tmp_path):
    (tmp_path / "influencers.csv").write_text(
        "influencer_id,name,platform,coupon_code\nI1,Asha Rao,Instagram,ASHA10\n", encoding="utf-8"
    )
    (tmp_path / "sale_orders.csv").write_text(
        "Sale Order Item Code,Display Order Code,Order Date as dd/mm/yyyy hh:MM:SS,Item Type Name,Selling Price,"
        "Total Price,Voucher Code\n1,D1,01/06/2025 10:00:00,HKVitals Biotin,500,1000,ASHA10\n"
        "2,D2,13/06/2025 10:00:00,HKVitals Biotin,500,1500,ASHA10\n",
        encoding="utf-8",
    )
    data = ingest.load(tmp_path, ingest.Settings(brands={"HKVitals": ()}))
    used = data.tables["tracking"].order_by("row").to_pandas()
    assert [str(day)[:10] for day in used["date"]] == ["2025-06-01", "2025-06-13"]
    assert used["brand"].tolist() == ["HKVitals"] * 2
    assert revenue(data) == [1000, 1500]
