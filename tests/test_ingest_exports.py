"""Exports as shops, platforms and agencies write them: each must load as it was meant."""

import io
from datetime import date, datetime

import pytest
from ingest_fixtures import load, only, problem, records, rules
from openpyxl import Workbook

from hkreport.errors import DataError


def test_a_ga4_export_has_its_comment_lines_its_days_and_its_grand_total_understood(tmp_path):
    dataset = load(
        only(
            tmp_path,
            ga4_traffic="""# ----------------------------------------
# HKVitals - GA4
# 20250401-20250430
# ----------------------------------------

Session source / medium,Session campaign,Date,Sessions,Transactions,Purchase revenue
instagram / influencer,HKV_Glow,20250403,1200,14,"12,345.50"
google / organic,(organic),20250403,5200,44,"44,000.00"
,,Grand total,6400,58,"56,345.50"
""",
        )
    )
    assert records(dataset, "tracking", "date", "source", "channel", "orders", "revenue") == [
        (date(2025, 4, 3), "instagram / influencer", "influencer", 14, 12345.5),
        (date(2025, 4, 3), "google / organic", "organic", 44, 44000),
    ]
    assert problem(dataset, "total_row").examples[0].row == 9
    assert dataset.check.revenue_by_brand["HKVitals"] == pytest.approx(12345.5)


def test_an_affiliate_platform_counts_one_order_a_conversion_and_warns_of_the_status(tmp_path):
    dataset = load(
        only(
            tmp_path,
            conversions_report="""Conversion ID,Affiliate,Affiliate ID,Offer,Conversion Date,Sale Amount,Status
98f1a-1,"Rao, Asha",17,HKVitals IN,04/13/2025 05:07 PM,"₹ 1,999.00",approved
98f1a-2,Dev Mehta,18,MuscleBlaze IN,04/02/2025 11:00 AM,"₹ 2,499.00",pending
""",
            affiliates="""Affiliate ID,Affiliate Name,Channel,Followers
17,"Rao, Asha",Instagram,125K
18,Dev Mehta,YouTube,84K
""",
        )
    )
    assert records(
        dataset, "tracking", "tracking_id", "influencer_id", "date", "orders", "revenue"
    ) == [
        ("98f1a-1", "17", date(2025, 4, 13), 1, 1999),
        ("98f1a-2", "18", date(2025, 4, 2), 1, 2499),
    ]
    assert records(dataset, "influencers", "name", "follower_count") == [
        ("Rao, Asha", 125000),
        ("Dev Mehta", 84000),
    ]
    assert {"constant", "status_not_used", "date_order"} <= rules(dataset)
    assert "unknown_influencer" not in rules(dataset)


def test_a_list_under_the_header_influencer_is_joined_by_name(tmp_path):
    dataset = load(
        only(
            tmp_path,
            influencers="Influencer,Platform,Followers\nAsha Rao,Instagram,125000\nDev 💪 Mehta,YouTube,84000\n",
            payouts="""Influencer,Payment Type,Rate,Posts,Amount Paid
asha rao,Per Post,"1,000",2,"2,000"
Dev 💪 Mehta,Rev share,8%,,600
Asha Rao,Fixed,,,-250
Total,,,,"2,350"
""",
        )
    )
    assert records(dataset, "payouts", "influencer_id", "basis", "total_payout") == [
        ("Asha Rao", "post", 2000), ("Dev 💪 Mehta", "order", 600), ("Asha Rao", "post", -250),
    ]  # fmt: skip
    assert problem(dataset, "name_as_id").severity == "warning"
    assert dataset.check.totals["spend"] == 2350
    assert "unknown_influencer" not in rules(dataset)


def test_a_column_of_codes_called_influencer_is_no_name(tmp_path):
    with pytest.raises(DataError, match="no column for 'name'"):
        load(only(tmp_path, influencers="Influencer,Platform\nINF_1,Instagram\nINF_2,YouTube\n"))


def test_months_and_a_header_in_lakh_are_read_and_a_quarter_is_left_out(tmp_path):
    dataset = load(
        only(tmp_path, tracking="""Month,Brand,Orders,Revenue (₹ Lakh)
Apr-24,HKVitals,"1,200",12.5
May-24,HKVitals,"1,350",14.25
Q1,HKVitals,2550,26.75
""")
    )  # fmt: skip
    assert records(dataset, "tracking", "date", "orders", "revenue") == [
        (date(2024, 4, 1), 1200, 1250000), (date(2024, 5, 1), 1350, 1425000),
    ]  # fmt: skip
    assert "first: row 4, Q1" in problem(dataset, "unreadable").message
    assert problem(dataset, "date_month").count == 2


def test_a_date_goes_before_a_month_that_stands_beside_it(tmp_path):
    dataset = load(only(tmp_path, tracking="Month,Date,Orders,Revenue\nApr,2024-04-09,1,10\n"))
    assert records(dataset, "tracking", "date") == [(date(2024, 4, 9),)]


def test_semicolons_decimal_commas_and_dotted_dates(tmp_path):
    dataset = load(
        only(
            tmp_path,
            tracking="date;influencer_id;orders;revenue\n03.04.2024;INF_1;3;1.950,50\n14.04.2024;INF_2;1;899,00\n",
            payouts="influencer_id;basis;rate;orders;total_payout\nINF_1;post;1.000,00;0;2.000,00\n",
        )
    )
    assert records(dataset, "tracking", "date", "revenue") == [
        (date(2024, 4, 3), 1950.5),
        (date(2024, 4, 14), 899),
    ]
    assert records(dataset, "payouts", "rate", "total_payout") == [(1000, 2000)]
    assert dataset.check.derived["numbers"]["tracking.revenue"]["decimal_comma"] is True


def test_a_json_column_and_line_breaks_in_cells_move_no_other_cell(tmp_path):
    dataset = load(
        only(tmp_path, posts='''post_id,influencer_id,platform,date,caption,meta,reach,likes
P1,INF_1,IG,2024/4/3 5:07 PM,"Line one
line ""two"", with comma","{""tags"": [""whey"", ""gym""], ""geo"": {""lat"": 18.5}}",40000,900
P2,INF_1,IG,2024/4/13 11:30 AM,🔥🔥,{},38000,800
''')
    )  # fmt: skip
    assert records(dataset, "posts", "date", "caption", "reach") == [
        (date(2024, 4, 3), 'Line one\nline "two", with comma', 40000),
        (date(2024, 4, 13), "🔥🔥", 38000),
    ]


def test_utf16_from_a_spreadsheet_with_handles_that_carry_an_at_or_not(tmp_path):
    dataset = load(
        only(
            tmp_path,
            tracking="Order Date\tInfluencer\tOrders\tRevenue\n3/4/2024\t@asha.rao\t2\t1,999.00\n25/4/2024\tdev_mehta\t1\t450\n".encode("utf-16"),
            influencers="Handle\tPlatform\tFollowers\nasha.rao\tInstagram\t125000\n@dev_mehta\tYouTube\t84000\n".encode("utf-16"),
        )
    )  # fmt: skip
    assert records(dataset, "tracking", "date", "influencer_id", "revenue") == [
        (date(2024, 4, 3), "asha.rao", 1999), (date(2024, 4, 25), "@dev_mehta", 450),
    ]  # fmt: skip
    assert problem(dataset, "id_matched").count == 2


def test_a_workbook_with_a_title_and_two_header_rows_takes_the_one_with_the_names(tmp_path):
    book = Workbook()
    sheet = book.active
    sheet.title = "Sales"
    for row in (
        ["HealthKart influencer sales FY24-25"], [], ["Order", "", "Influencer", "", "Value", ""],
        ["Date", "Brand", "ID", "Name", "Orders", "Revenue (₹)"],
        [datetime(2024, 4, 3), "HKVitals", 1, "Asha", 3, 1950.5], [],
        ["Total", None, None, None, 3, 1950.5],
    ):  # fmt: skip
        sheet.append(row)
    sheet.merge_cells("A1:F1")
    sheet.merge_cells("A3:B3")
    target = io.BytesIO()
    book.save(target)
    (tmp_path / "Influencer report.xlsx").write_bytes(target.getvalue())
    dataset = load(tmp_path)
    assert records(dataset, "tracking", "date", "brand", "orders", "revenue") == [
        (date(2024, 4, 3), "HKVitals", 3, 1950.5)
    ]
    assert problem(dataset, "total_row").examples[0].row == 7


def test_headers_twice_blank_columns_and_words_for_nothing(tmp_path):
    dataset = load(
        only(tmp_path, tracking="""date,,orders,revenue,revenue,,source
2024-04-03,,2,1999,1799.1,,influencer
N/A,,1,300,-,,organic
2024-04-05,,-,500,450,,
""")
    )  # fmt: skip
    table = dataset.check.tables["tracking"]
    assert (table.rows_read, table.rows_used) == (3, 1)
    assert (
        "the first of 2 columns called 'revenue' was taken"
        in problem(dataset, "column_choice").message
    )


def test_a_shop_export_without_the_columns_gets_no_foolish_advice(tmp_path):
    header = "Name,Email,Paid at,Total,Taxes,Created at,Product,Tags"
    with pytest.raises(DataError) as error:
        load(
            only(
                tmp_path,
                orders_export=f"{header}\n#1001,a@x.in,,2098.95,99.95,2025-04-03,Whey,\n",
            )
        )
    assert "has no column for 'orders', 'revenue'" in str(error.value)
    assert "Rename" not in str(error.value)


@pytest.mark.parametrize(
    ("header", "advice"),
    [
        pytest.param("ORDER ITEM ID", "", id="ids"),
        pytest.param("Order_Item_Code", "", id="codes"),
        pytest.param("Revenue Status", "", id="status"),
        pytest.param("Revenue No.", "", id="numbers"),
        pytest.param("Revenu Amt", "Rename 'Revenu Amt' to 'revenue', or map it", id="amount"),
        pytest.param("Rev Amt (Lakhs)", "Map it in the params: data: {columns: {tracking: {revenue: ", id="unit"),
        pytest.param("Rev Amt in crores", "Map it in the params: data: {columns: {tracking: {revenue: ", id="words"),
    ],
)  # fmt: skip
def test_only_a_header_that_could_be_an_amount_is_offered_as_one(header, advice, tmp_path):
    with pytest.raises(DataError) as error:
        load(only(tmp_path, orders=f"Order ID,Date,{header}\n1,2025-04-03,12\n"))
    assert "has no column for 'revenue'" in str(error.value)
    assert advice in str(error.value)
    assert ("Rename" in str(error.value)) is advice.startswith("Rename")
    assert (header in str(error.value).split("Found:")[1].split(". ", 1)[1]) is bool(advice)


def test_a_unit_needs_no_brackets(tmp_path):
    sheet = "Month,Brand,Influencer,Orders,Revenue in ₹ Lakhs\n2025-04,HKVitals,Asha,100,1.5\n"
    assert float(load(only(tmp_path, sales=sheet)).check.totals["revenue"]) == 150_000


def test_one_cell_and_one_row_are_spoken_of_as_one(tmp_path):
    sheet = """Order ID,Order Date,Campaign,Amount,Influencer
1,2025-04-13,HKV_Glow,"1,200",Asha
2,20250414,,(5),Asha
3,2025-04,,5 L,Asha
"""
    said = [each.message for each in load(only(tmp_path, orders=sheet)).check.problems]
    for words in (
        "1 cell of date is written as YYYYMMDD (first",
        "1 cell of date names a month without a day and was read as its first day",
        "1 cell of revenue carries a currency sign",
        "1 cell of revenue is in lakh, crore, thousands or millions and was written out",
        "1 cell of revenue stands in brackets and was read as negative",
        "'campaign prefix or suffix' in 1 row.",
    ):
        assert any(words in each for each in said), (words, said)


@pytest.mark.parametrize(
    ("cells", "platforms", "taken"),
    [
        (("Dev Lifts", "Fit Tuber"), [None, None], None),
        (("YouTube", "Moj"), ["YouTube", "Moj"], "Channel Name"),
    ],
)
def test_a_channel_is_a_network_or_whose_it_is(cells, platforms, taken, tmp_path):
    """Names of creators stood as platforms in the report, and nothing said so."""
    one, two = cells
    dataset = load(
        only(
            tmp_path,
            posts=f"influencer_id,Channel Name,post_id,date,likes\n1,{one},P1,2025-06-01,9\n2,{two},P2,2025-06-02,8\n",
        )
    )
    found = dict(records(dataset, "posts", "post_id", "platform"))
    assert [found["P1"], found["P2"]] == platforms
    assert dataset.check.tables["posts"].columns.get("platform") == taken


def test_posts_and_creators_may_be_known_by_their_channel(tmp_path):
    """The folder was refused, for want of an influencer."""
    dataset = load(
        only(
            tmp_path,
            posts="Channel Name,Video ID,Published At,Likes\nDev Lifts,v1,2025-06-01,10\nFit Tuber,v2,2025-06-02,20\n",
            influencers="Channel Name,Platform,Subscribers\nDev Lifts,YouTube,1.2M\nFit Tuber,YouTube,500K\n",
        )
    )
    assert sorted(records(dataset, "posts", "influencer_id", "likes")) == [
        ("Dev Lifts", 10),
        ("Fit Tuber", 20),
    ]
    assert "unknown_influencer" not in rules(dataset)


def test_a_shop_numbers_its_orders_by_name_and_says_the_total_once(tmp_path):
    """The export was refused; its further items have neither a total nor a status."""
    dataset = load(
        only(
            tmp_path,
            orders_export="""Name,Email,Financial Status,Currency,Subtotal,Total,Discount Code,Created at,Lineitem name,Vendor
#1001,a@x.example,paid,INR,1300.00,1350.00,ASHA10,2025-06-01 10:00:00 +0530,Biotin,HKVitals
#1001,a@x.example,,,,,,2025-06-01 10:00:00 +0530,Omega,HKVitals
#1002,b@x.example,paid,INR,999.00,1049.00,,2025-06-02 10:00:00 +0530,Whey,MuscleBlaze
""",
        )
    )
    assert records(dataset, "tracking", "tracking_id", "orders", "revenue", "brand", "product") == [
        ("#1001", 1, 1350, "HKVitals", "Biotin"),
        ("#1002", 1, 1049, "MuscleBlaze", "Whey"),
    ]
    assert problem(dataset, "item_line").examples[0].row == 3


def test_a_conversion_has_a_total_and_a_bank_names_who_is_paid(tmp_path):
    """Both files were refused, for want of an amount and of an influencer."""
    dataset = load(
        only(
            tmp_path,
            conversions="conversion_id,affiliate_id,order_id,total,created\n9001,a1,1001,1299.00,06/21/2025 10:00\n",
            payments_june='Processed At,Payee Name,Amount\n05/07/2025,a1,"2,500"\n',
        )
    )
    assert records(dataset, "tracking", "influencer_id", "date", "revenue") == [
        ("a1", date(2025, 6, 21), 1299)
    ]
    assert records(dataset, "payouts", "influencer_id", "total_payout") == [("a1", 2500)]


def test_a_total_beside_what_is_paid_is_no_revenue(tmp_path):
    payouts = "Influencer,Month,Orders,Rate,Total Payout,GST,Total\nAsha,2025-06,10,50,500,90,590\n"
    dataset = load(only(tmp_path, payouts=payouts))
    assert not dataset.has("tracking")
    assert dataset.check.totals["spend"] == 500


def test_the_price_of_an_item_is_that_of_the_line_where_amazon_writes_it(tmp_path):
    lines = "403-1,2025-05-01,WHEY,2,3000.00,INF_1\n403-2,2025-05-02,BIOTIN,1,700.00,INF_2\n"
    amazon = "amazon-order-id,purchase-date,sku,quantity,item-price,Influencer ID\n" + lines
    dataset = load(only(tmp_path / "amazon", orders=amazon))
    assert records(dataset, "tracking", "orders", "revenue") == [(1, 3000), (1, 700)]
    # Elsewhere it is the price of one piece.
    dataset = load(only(tmp_path / "other", orders=amazon.replace("amazon-order-id", "Order ID")))
    assert records(dataset, "tracking", "orders", "revenue") == [(1, 6000), (1, 700)]
    assert problem(dataset, "multiplied").severity == "warning"


def test_a_gateway_calls_who_is_paid_its_contact(tmp_path):
    paid = "id,amount,mode,contact_name\npout_1,1000,IMPS,Asha Rao\npout_2,600,UPI,Dev Mehta\n"
    dataset = load(only(tmp_path, payouts=paid))
    assert records(dataset, "payouts", "influencer_id", "total_payout") == [
        ("Asha Rao", 1000),
        ("Dev Mehta", 600),
    ]


def test_further_items_of_an_order_of_a_shop_are_not_missed(tmp_path):
    head = "Name,Financial Status,Total,Created at,Lineitem name,Vendor,Influencer ID\n"
    first = "#1001,paid,1500.00,2025-05-01,Whey,MuscleBlaze,INF_1\n"
    item = "#1001,,,2025-05-01,Bar,MuscleBlaze,\n"
    lone = "#1003,,,2025-05-03,Bar,MuscleBlaze,\n"
    dataset = load(only(tmp_path, orders=head + first + item + lone))
    # An order without any amount is still one that is missed.
    assert (dataset.check.totals["orders"], dataset.check.totals["revenue"]) == (2, 1500)
    assert dataset.check.tables["tracking"].rows_used == 1
    said = problem(dataset, "item_line")
    assert (said.severity, said.count, said.examples[0].row) == ("note", 1, 3)
    assert problem(dataset, "missing", "revenue").examples[0].row == 4
