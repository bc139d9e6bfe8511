"""Brands, payouts, contradictions, duplicates and quarantine: what tables say together."""

import csv
from datetime import date
from decimal import Decimal

import exports
import pytest
from ingest_fixtures import (
    BRANDS,
    FILES,
    INFLUENCERS,
    PAYOUTS,
    POSTS,
    TRACKING,
    load,
    only,
    problem,
    records,
    rules,
    write,
)

from hkreport.errors import DataError
from hkreport.ingest.brands import BrandBook, leading_brands

# --- brand ----------------------------------------------------------------------------------------------


def tracked(*rows, header="date,orders,revenue,brand,product,source,campaign"):
    return header + "\n" + "".join(f"2025-06-14,1,10,{row}\n" for row in rows)


def brands(dataset, table="tracking"):
    return [each[0] for each in records(dataset, table, "brand")]


@pytest.mark.parametrize(
    ("row", "brand"),
    [
        pytest.param("hk vitals,,,", "HKVitals", id="column_alias"),
        pytest.param("MUSCLEBLAZE,,,", "MuscleBlaze", id="column_case"),
        pytest.param("Newco,,,", "Newco", id="column_unknown_brand"),
        pytest.param(",Gritzo,,", "Gritzo", id="product_is_brand"),
        pytest.param(",,MuscleBlaze,", "MuscleBlaze", id="source_is_brand"),
        pytest.param(",,,MB_Summer", "MuscleBlaze", id="campaign_prefix"),
        pytest.param(",,,MBProteinPush", "MuscleBlaze", id="campaign_camel_prefix"),
        pytest.param(",,,HKFitBlast", "HKVitals", id="short_camel_prefix"),
        pytest.param(",,,HKVitals_2025", "HKVitals", id="longest_prefix"),
        pytest.param(",,,gritzokidsrun", "Gritzo", id="long_prefix_without_boundary"),
        pytest.param(",,,Summer - MB", "MuscleBlaze", id="campaign_suffix"),
        pytest.param(",MB Whey Protein,,", "MuscleBlaze", id="product_prefix"),
        pytest.param(",Whey (MuscleBlaze),,", "MuscleBlaze", id="product_suffix"),
        pytest.param(",ON Gold Whey,,", "Optimum Nutrition", id="third_party"),
        pytest.param(",,,MBA Fair", None, id="letters_of_another_word"),
        pytest.param(",,,Sale is on", None, id="english_word"),
        pytest.param(",Whey,Instagram,Launch", None, id="none"),
    ],
)
def test_brand_of_a_row(row, brand, tmp_path):
    assert brands(load(only(tmp_path, tracking=tracked(row)))) == [brand]


def test_brand_rules_are_counted_and_the_main_one_named(tmp_path):
    rows = ["MB,,,", ",,,HKV_x", ",,,HKV_y", ",,,HKV_z", ",,,zzz"]
    dataset = load(only(tmp_path, tracking=tracked(*rows)))
    found = dataset.check.derived["brand"]
    assert (found["rule"], found["rows"]) == ("campaign prefix or suffix", 3)
    assert found["tables"]["tracking"]["rules"] == {
        "campaign prefix or suffix": 3,
        "brand column": 1,
    }
    assert found["tables"]["tracking"]["without_brand"] == 1
    assert dataset.check.to_json()["revenue_by_brand"] == {
        "HKVitals": 30, "MuscleBlaze": 10, "unassigned": 10}  # fmt: skip


def test_disagreeing_brands_are_counted_and_the_column_wins(tmp_path):
    dataset = load(only(tmp_path, tracking=tracked("MB,,,HKV_x", "MB,,,MB_x", "HKV,Gritzo,,")))
    assert brands(dataset) == ["MuscleBlaze", "MuscleBlaze", "HKVitals"]
    said = problem(dataset, "brand_disagrees")
    assert said.count == 2
    assert (
        "the first of brand column, product is a brand, campaign prefix or suffix, product prefix"
        in said.message
    )
    assert [each.row for each in said.examples] == [2, 4]


def test_brand_column_of_one_table_names_brands_for_campaigns_of_another(tmp_path):
    posts = "influencer_id,date,brand\nI1,2025-06-01,Newco\n"
    dataset = load(only(tmp_path, posts=posts, tracking=tracked(",,,Newco Launch")))
    assert brands(dataset) == ["Newco"]


def test_a_campaign_has_the_brand_that_another_table_says_of_it(tmp_path):
    posts = "influencer_id,date,campaign_id,brand\n1,2025-06-01,C1,HK Vitals\n1,2025-06-01,C1,HKVitals\n"
    posts += "1,2025-06-01,C2,Gritzo\n1,2025-06-01,C3,Gritzo\n1,2025-06-01,C3,HKVitals\n"
    tracking = "date,campaign_id,influencer_id,orders,revenue\n"
    tracking += "".join(f"2025-06-02,C{each},1,1,10\n" for each in (1, 2, 3, 4))
    payouts = "influencer_id,campaign_id,total_payout\n1,C2,7\n"
    dataset = load(only(tmp_path, posts=posts, tracking=tracking, payouts=payouts))
    assert records(dataset, "tracking", "brand") == [("HKVitals",), ("Gritzo",), (None,), (None,)]
    assert records(dataset, "payouts", "brand") == [("Gritzo",)]
    told = [each.message for each in dataset.check.problems if each.rule == "brand_rule"]
    assert all("campaign with a brand in another table" in each for each in told)
    assert len(told) == 2


def test_products_file_says_the_brand_of_a_product(tmp_path):
    products = "product,brand,price\nOats,Gritzo,300\nWhey,MB,2000\nWhey,HKV,1900\n"
    dataset = load(only(tmp_path, products=products, tracking=tracked(",Oats,,", ",Whey,,")))
    assert brands(dataset) == ["Gritzo", None]


def test_unknown_makers_are_read_from_products_that_mostly_begin_with_a_brand(tmp_path):
    rows = [",MB Whey,,", ",MB BCAA,,", ",HK Biotin,,", ",SteelX Shaker,,", ",Whey Gold,,"]
    dataset = load(only(tmp_path, tracking=tracked(*rows)))
    assert brands(dataset)[3:] == ["SteelX", None]
    assert "'SteelX' was taken as a brand" in problem(dataset, "brand_guessed").message


def test_products_without_known_brands_are_not_guessed(tmp_path):
    dataset = load(only(tmp_path, tracking=tracked(",SteelX Shaker,,", ",Whey,,")))
    assert brands(dataset) == [None, None]


def test_misspelt_brand_is_kept_apart_and_suggested(tmp_path):
    dataset = load(only(tmp_path, tracking=tracked("MuscleBlaz,,,", "MuscleBlaze,,,")))
    assert brands(dataset) == ["MuscleBlaz", "MuscleBlaze"]
    assert "add 'MuscleBlaz' to MuscleBlaze" in problem(dataset, "brand_near_miss").message


def test_leading_brands_stop_at_the_kind_of_product():
    assert leading_brands(["Fuel One Whey", "MuscleTech NitroTech Whey", "whey", "Gold Standard"]) == {
        "Fuel One Whey": "Fuel One", "MuscleTech NitroTech Whey": "MuscleTech"}  # fmt: skip


def test_brand_book_of_nothing_finds_nothing():
    book = BrandBook({})
    assert book.within("MB_Summer") is None
    assert book.exact("") is None


# --- payouts --------------------------------------------------------------------------------------------

FOLLOWERS = "id,name,platform\n" + "".join(f"I{n},Name {n},Instagram\n" for n in range(1, 7))
MADE = "influencer_id,date\n" + "".join(
    f"I{n},2025-06-0{m}\n" for n in range(1, 6) for m in range(1, n + 2)
)
SOLD = "date,orders,revenue,influencer_id\n" + "".join(
    f"2025-06-{10 + n},{10 * n},{1100 * n},I{n}\n" for n in range(1, 6)
)


def paid(folder, text, **files):
    dataset = load(only(folder, influencers=FOLLOWERS, posts=MADE, tracking=SOLD, payouts=text) if not files
                   else only(folder, payouts=text, **files))  # fmt: skip
    return dataset, dataset.reconciliation()


@pytest.mark.parametrize(
    ("basis", "rate", "amounts", "formula"),
    [
        pytest.param("post", 500, [500] * 5, "flat rate", id="flat"),
        pytest.param(
            "post",
            500,
            [500 * (n + 1) for n in range(1, 6)],
            "rate × posts in the posts file",
            id="posts",
        ),
        pytest.param(
            "order", 30, [300 * n for n in range(1, 6)], "rate × orders tracked", id="orders"
        ),
        pytest.param(
            "order", 0.15, [165 * n for n in range(1, 6)], "rate × revenue", id="commission"
        ),
        pytest.param(
            "order", 15, [165 * n for n in range(1, 6)], "rate % of revenue", id="percent"
        ),
        pytest.param("post", 500, [500 * 7] * 5, "rate × a whole number", id="unknown_count"),
        pytest.param("post", 500, [777.77 * n for n in range(1, 6)], "nothing", id="nothing"),
    ],
)
def test_total_payout_is_compared_with_its_rate(basis, rate, amounts, formula, tmp_path):
    text = "influencer_id,basis,rate,total_payout\n" + "".join(
        f"I{n},{basis},{rate},{amount}\n" for n, amount in enumerate(amounts, start=1)
    )
    dataset, _ = paid(tmp_path, text)
    assert dataset.check.derived["payouts"]["agrees_with"] == {formula: 5}


def test_rounded_rates_still_agree(tmp_path):
    text = "influencer_id,basis,rate,orders,total_payout\n" + "".join(
        f"I{n},order,33.33,{100 * n},{10000 * n / 3:.2f}\n" for n in range(1, 6)
    )
    dataset, _ = paid(tmp_path, text)
    assert dataset.check.derived["payouts"]["agrees_with"] == {"rate × orders stated": 5}


def test_bonus_is_inside_total_payout(tmp_path):
    text = "influencer_id,basis,rate,total_payout,performance_bonus\n" + "".join(
        f"I{n},post,500,{500 * (n + 1) + 99},99\n" for n in range(1, 6)
    )
    dataset, frame = paid(tmp_path, text)
    assert dataset.check.derived["payouts"]["agrees_with"] == {"rate × posts in the posts file": 5}
    assert not len(frame)


def test_commission_log_with_a_row_an_order_agrees_as_a_whole(tmp_path):
    text = "payout_id,influencer_id,basis,rate,orders,total_payout\n" + "".join(
        f"P{n}{m},I{n},order,0.1,1,{10 * n * m}\n" for n in range(1, 6) for m in (1, 4, 6)
    )
    dataset, frame = paid(tmp_path, text)
    assert dataset.check.derived["payouts"]["agrees_with"] == {"rate × revenue": 15}
    assert not len(frame)


def test_over_and_underpayment_have_amounts_and_rows(tmp_path):
    text = "influencer_id,basis,rate,total_payout\nI1,post,500,1000\nI2,post,500,1500\nI3,post,500,2600\nI4,post,500,2500\nI5,post,500,2900\n"
    dataset, frame = paid(tmp_path, text)
    found = frame.set_index("influencer_id")
    assert found.loc["I3", ["kind", "expected", "paid", "difference", "row", "name"]].tolist() == [
        "overpaid", 2000, 2600, 600, 4, "Name 3"]  # fmt: skip
    assert found.loc["I5", ["kind", "difference"]].tolist() == ["underpaid", -100]
    assert problem(dataset, "payout_overpaid").examples[0].row == 4


def test_orders_paid_are_compared_with_orders_tracked(tmp_path):
    text = "influencer_id,basis,rate,orders,total_payout\nI1,order,30,10,300\nI2,order,30,25,750\nI3,order,30,28,840\n"
    _, frame = paid(tmp_path, text)
    kinds = dict(zip(frame["influencer_id"], frame["kind"], strict=True))
    assert kinds["I2"] == "more orders paid than tracked"
    assert kinds["I3"] == "fewer orders paid than tracked"
    assert frame.set_index("influencer_id").loc["I2", "difference"] == 150


def test_payouts_without_work_and_work_without_payouts(tmp_path):
    _, frame = paid(tmp_path, "influencer_id,total_payout\nI6,100\nI1,5\nI2,5\nI3,5\nI4,5\nI9,7\n")
    kinds = {(each.influencer_id, each.kind) for each in frame.itertuples()}
    assert ("I6", "paid without posts or orders") in kinds
    assert ("I9", "unknown influencer") in kinds
    assert ("I5", "orders without payout") in kinds


@pytest.mark.parametrize(
    ("revenue", "said"),
    [("70", "₹70"), ("999.75", "₹999.75"), ("1000", "₹1,000"), ("2327719.5", "₹23,27,720"), ("100000", "₹1,00,000"),
     ("-12345", "−₹12,345"), ("-70", "−₹70")],
)  # fmt: skip
def test_what_unpaid_orders_are_worth_is_grouped_as_rupees_are(tmp_path, revenue, said):
    sold = f"influencer_id,date,source,orders,revenue\nI1,2025-06-01,influencer,1,{revenue}\n"
    _, frame = paid(
        tmp_path, "influencer_id,total_payout\nI2,5\n", influencers=INFLUENCERS, tracking=sold
    )
    unpaid = frame[frame["kind"] == "orders without payout"]
    assert unpaid["explanation"].tolist() == [
        f"credited orders worth {said} (1 in all) and no payout"
    ]


@pytest.mark.parametrize(
    ("rate", "said"), [("50000", "₹50,000;"), ("40.5", "₹40.5;"), ("1250000", "₹12,50,000;")]
)
def test_what_a_payout_should_be_is_grouped_as_rupees_are(tmp_path, rate, said):
    rows = "".join(f"I{n},post,{rate},{rate}\n" for n in range(1, 6)) + f"I1,post,{rate},7\n"
    _, frame = paid(tmp_path, f"influencer_id,basis,rate,total_payout\n{rows}")
    (told,) = frame.loc[frame["kind"] == "underpaid", "explanation"]
    assert f"{told};".startswith(f"flat rate, as most post payouts, gives {said}")


def test_orders_without_payout_stand_by_their_worth_not_by_id(tmp_path):
    sold = "influencer_id,date,source,orders,revenue\n" + "".join(
        f"{who},2025-06-01,influencer,1,{worth}\n"
        for who, worth in (("I1", 70), ("I2", 900), ("I3", 80))
    )
    made, frame = paid(
        tmp_path, "influencer_id,total_payout\nI4,5\n", influencers=INFLUENCERS, tracking=sold
    )
    unpaid = frame[frame["kind"] == "orders without payout"]
    assert unpaid["influencer_id"].tolist() == ["I2", "I3", "I1"]
    assert any(
        "(largest: I2: credited orders worth ₹900 " in each.message for each in made.check.problems
    )


@pytest.mark.parametrize("rate", ["14587000000", "99999999999.5"])
def test_a_rate_of_very_many_rupees_is_read(tmp_path, rate):
    made, _ = paid(tmp_path, f"influencer_id,basis,rate,total_payout\nI1,order,{rate},{rate}\n")
    assert made.check.derived["payouts"]["rows"] == 1


def test_two_bases_refunds_and_double_payments(tmp_path):
    text = ("payout_id,influencer_id,basis,rate,total_payout\nA,I1,post,500,500\nB,I1,order,30,300\nC,I2,post,500,500\n"
            "C,I2,post,500,500\nD,I3,post,500,(500)\n")  # fmt: skip
    dataset, frame = paid(tmp_path, text)
    by_kind = {each.kind: each for each in frame.itertuples()}
    assert by_kind["two bases"].basis == "order and post"
    assert (by_kind["paid twice"].row, by_kind["paid twice"].difference) == (5, 500)
    assert by_kind["refund"].paid == -500
    assert dataset.check.totals["spend"] == 1300


def test_equal_payouts_for_several_posts_are_no_double_payment(tmp_path):
    text = "influencer_id,basis,rate,total_payout\nI1,post,500,500\nI1,post,500,500\nI6,post,500,500\nI6,post,500,500\n"
    _, frame = paid(tmp_path, text)
    twice = frame[frame["kind"] == "paid twice"]
    assert twice["influencer_id"].tolist() == ["I6"]


def test_orders_of_post_basis_that_count_posts_are_recognised(tmp_path):
    text = "influencer_id,basis,rate,orders,total_payout\n" + "".join(
        f"I{n},post,500,{n + 1},{500 * (n + 1)}\n" for n in range(1, 6)
    )
    dataset, _ = paid(tmp_path, text)
    assert problem(dataset, "orders_are_posts").count == 5
    assert "orders_differ" not in rules(dataset)


def test_payouts_alone_reconcile_without_other_files(tmp_path):
    dataset, frame = paid(
        tmp_path, "influencer_id,rate,total_payout\nI1,0.1,100\n", other="a,b\n1,2\n"
    )
    assert dataset.check.derived["payouts"]["agrees_with"] == {
        "rate × revenue that is not in the exports": 1}  # fmt: skip
    assert list(frame.columns) == ["influencer_id", "name", "kind", "basis", "rate", "expected", "paid",
                                   "difference", "row", "explanation"]  # fmt: skip


def test_no_payouts_file_gives_an_empty_frame_with_its_columns(tmp_path):
    frame = load(write(tmp_path, {"payouts.csv": None})).reconciliation()
    assert len(frame) == 0
    assert "difference" in frame.columns


# --- contradictions -------------------------------------------------------------------------------------


def said(tmp_path, rule, **files):
    names = {"influencers": "influencers.csv", "posts": "posts.csv", "tracking": "tracking_data.csv",
             "payouts": "payouts.csv"}  # fmt: skip
    return problem(load(write(tmp_path, {names[k]: v for k, v in files.items()})), rule)


def test_sales_before_the_first_post_are_counted(tmp_path):
    found = said(
        tmp_path, "sale_before_first_post", tracking=TRACKING.replace("2025-04-05", "2025-04-01")
    )
    assert (found.count, found.examples[0].row, found.examples[0].value) == (
        1,
        2,
        "2025-04-01 before 2025-04-03",
    )


def test_sales_of_influencers_without_posts_are_counted(tmp_path):
    found = said(tmp_path, "sale_without_post", tracking=TRACKING.replace("INF_2", "INF_3"))
    assert found.message == (
        "tracking: 1 row credit 1 influencer without any post (first: row 4, INF_3)."
    )


def test_likes_above_reach_are_counted(tmp_path):
    found = said(tmp_path, "likes_above_reach", posts=POSTS.replace(",250,19", ",7000,19"))
    assert found.examples[0].value == "7000 likes, reach 6000"
    assert found.examples[0].row == 4


def test_reach_above_followers_is_a_note(tmp_path):
    found = said(tmp_path, "reach_above_followers", posts=POSTS.replace("40000,900", "990000,900"))
    assert (found.severity, found.count) == ("note", 1)


def test_platform_of_posts_against_influencers(tmp_path):
    found = said(
        tmp_path, "platform_differs", posts=POSTS.replace("INF_2,YouTube", "INF_2,Twitter")
    )
    assert found.message.startswith(
        "posts: 1 of 3 posts are on another platform than their influencer"
    )


def test_tier_against_followers(tmp_path):
    tiers = (
        "id,name,platform,followers,tier\n1,A,x,1500000,Mega\n2,B,x,20000,Macro\n3,C,x,9000,nano\n"
    )
    found = problem(load(only(tmp_path, influencers=tiers)), "tier_differs")
    assert (found.count, found.examples[0].value) == (1, "Macro, followers 20,000: micro")


def test_organic_rows_with_ids_stay_organic_and_are_reported(tmp_path):
    text = TRACKING.replace("organic,,,", "organic,,INF_1,")
    dataset = load(write(tmp_path, {"tracking_data.csv": text}))
    assert problem(dataset, "organic_with_id").examples[0].row == 5
    assert records(dataset, "tracking", "channel")[-1] == ("organic",)


def test_orphans_on_either_side(tmp_path):
    dataset = load(write(tmp_path, {"tracking_data.csv": TRACKING.replace("INF_2", "ZZZ")}))
    assert problem(dataset, "unknown_influencer").message == (
        "tracking: 1 row name 1 influencer that influencers.csv does not have (first: row 4, ZZZ)."
    )
    assert problem(dataset, "idle_influencer").examples[0].value == "INF_3"


def test_returns_zero_values_and_fractions_are_kept_and_noted(tmp_path):
    text = "date,orders,revenue\n2025-06-14,-1,-500\n2025-06-14,1,0\n2025-06-14,0,50\n2025-06-14,0.5,50\n"
    dataset = load(only(tmp_path, tracking=text))
    assert dataset.check.tables["tracking"].rows_used == 4
    assert {
        "negative_revenue",
        "orders_without_revenue",
        "revenue_without_orders",
        "fractional_orders",
    } <= rules(dataset)


def test_sales_long_after_the_last_post_are_questioned(tmp_path):
    text = TRACKING.replace("2025-0", "2026-0")
    assert "days after the last post" in said(tmp_path, "dates_apart", tracking=text).message


def test_all_sales_on_one_day_are_said(tmp_path):
    text = "date,orders,revenue\n" + "2025-06-14,1,5\n" * 25
    found = problem(load(only(tmp_path, tracking=text)), "one_day")
    assert "all 25 sales are on one day, 2025-06-14" in found.message


def test_repeated_names_are_noted(tmp_path):
    found = said(
        tmp_path, "repeated_name", influencers=INFLUENCERS.replace("Dev Mehta", "Asha Rao")
    )
    assert (found.count, found.examples[0].value) == (1, "Asha Rao")


# --- duplicates -----------------------------------------------------------------------------------------


def test_second_influencer_row_is_left_out_and_the_first_used(tmp_path):
    text = INFLUENCERS + "INF_1,Someone Else,Food,Male,5,YouTube\n"
    dataset = load(write(tmp_path, {"influencers.csv": text}))
    assert records(dataset, "influencers", "name")[0] == ("Asha Rao",)
    assert dataset.tables["influencers"].count().to_pandas() == 3
    assert problem(dataset, "repeated_key").examples[0].row == 5


def test_repeated_orders_are_kept_and_reported_apart(tmp_path):
    line = TRACKING.split("\n")[1]
    other = line.replace("1950.50", "99")
    dataset = load(write(tmp_path, {"tracking_data.csv": TRACKING + line + "\n" + other + "\n"}))
    assert dataset.check.tables["tracking"].rows_used == 6
    assert dataset.check.totals["revenue"] == Decimal("9900.0")
    assert problem(dataset, "duplicate_row").examples[0].row == 6
    assert problem(dataset, "duplicate_key").examples[0].row == 7


def test_equal_rows_without_a_key_are_kept_and_reported(tmp_path):
    text = "date,orders,revenue,note\n2025-06-14,1,5,a\n2025-06-14,1,5,b\n2025-06-14,1,5,a\n"
    dataset = load(only(tmp_path, tracking=text))
    found = problem(dataset, "duplicate_row")
    assert (found.count, found.examples[0].row, found.examples[0].value) == (1, 4, "as row 2")
    assert dataset.check.tables["tracking"].rows_used == 3


# --- quarantine -----------------------------------------------------------------------------------------


def quarantined(folder, files):
    load(write(folder / "data", files), quarantine=folder / "quarantine")
    found = {}
    for path in sorted((folder / "quarantine").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found[path.stem] = list(csv.DictReader(file))
    return found


def test_quarantine_names_file_row_column_value_rule_and_mending(tmp_path):
    found = quarantined(tmp_path, {"tracking_data.csv": TRACKING.replace("2600", "lots")})
    assert found == {
        "tracking": [
            {
                "file": "tracking_data.csv",
                "row": "3",
                "column": "revenue",
                "value": "lots",
                "rule": "unreadable",
                "how to mend": "Write revenue as a plain number, such as 1299.00.",
            }
        ]
    }


def test_quarantine_lists_every_bad_cell_of_a_row(tmp_path):
    found = quarantined(
        tmp_path, {"tracking_data.csv": TRACKING.replace("2025-05-15,2,2600", "x,y,z")}
    )
    assert [each["column"] for each in found["tracking"]] == ["date", "orders", "revenue"]


def test_formulas_are_inert_and_plain_negatives_stay(tmp_path):
    posts = POSTS.replace("40000,900", "-250,900").replace("2025-04-20", "=1+1")
    found = quarantined(tmp_path, {"posts.csv": posts})
    assert [each["value"] for each in found["posts"]] == ["-250", "'=1+1"]


def test_ids_of_customers_are_masked_everywhere(tmp_path):
    files = {
        "assignments.csv": "user_id,arm\nU1001,treatment\nU1001,control\nU1002,\n",
        "touchpoints.csv": "user_id,timestamp,influencer_id\nU1001,never,INF_1\n,2025-06-01,INF_1\n",
    }
    dataset = load(write(tmp_path / "a", files), quarantine=tmp_path / "q")
    text = str(dataset.check.to_json()) + "".join(
        path.read_text() for path in (tmp_path / "q").glob("*")
    )
    assert "U1001" not in text
    assert "U1002" not in text
    assert "never" in text


def test_what_an_earlier_run_left_is_removed(tmp_path):
    (tmp_path / "quarantine").mkdir()
    (tmp_path / "quarantine" / "posts.csv").write_text("old")
    (tmp_path / "quarantine" / "mine.txt").write_text("keep")
    assert quarantined(tmp_path, {}) == {}
    assert (tmp_path / "quarantine" / "mine.txt").exists()


# --- the path for large files -------------------------------------------------------------------------


@pytest.fixture
def large(monkeypatch):
    """Treat every file as one that is too large to keep in memory."""
    monkeypatch.setattr("hkreport.ingest.stage.IN_MEMORY_BYTES", 0)
    for module in ("stage", "spelling", "verdicts", "contradictions"):
        monkeypatch.setattr(f"hkreport.ingest.{module}.MATERIALISED_ROWS", 0)


MESSY = {
    "tracking_data.csv": TRACKING
    + 'T5,Paid,MB_x,inf_1,U9,hk vitals,Biotin,14/06/2025,1,"₹1,200"\n'
    + "T5,Paid,MB_x,INF_1,U9,hk vitals,Biotin,14/06/2025,1,5\n"
    + "T6,Paid,MB_x,INF_1,U9,,Biotin,someday,1,5\n",
    "posts.csv": POSTS.replace("YouTube", "yt").replace("40000,900", "-4,900"),
    "payouts.csv": PAYOUTS + "INF_1,PER POST,1000,,1K\n",
}


def test_large_files_give_what_small_ones_do(tmp_path, request):
    small = load(write(tmp_path, MESSY))
    request.getfixturevalue("large")
    big = load(write(tmp_path, MESSY))
    assert big.check.to_json() == small.check.to_json()
    assert big.reconciliation().equals(small.reconciliation())
    for name in small.tables:
        order = ["row", *small.tables[name].columns]
        one = small.tables[name].order_by("row").select(*dict.fromkeys(order)).to_pandas()
        other = big.tables[name].order_by("row").select(*dict.fromkeys(order)).to_pandas()
        assert one.equals(other), name


@pytest.mark.usefixtures("large")
def test_duplicates_in_a_large_file_are_found_by_sorted_hashes(tmp_path, monkeypatch):
    monkeypatch.setattr("hkreport.ingest.contradictions.HASHES_AT_ONCE", 2)
    monkeypatch.setattr("hkreport.ingest.contradictions.COPIES_AT_ONCE", 2)
    text = "date,orders,revenue\n" + "".join(f"2025-06-14,1,{n % 7}\n" for n in range(9))
    assert problem(load(only(tmp_path, tracking=text)), "duplicate_row").count == 2


def test_default_brands_are_those_of_the_project():
    from hkreport.ingest import Settings

    assert "MB" in Settings().brands["MuscleBlaze"]
    assert set(BRANDS) <= set(Settings().brands)


def test_dates_of_the_check_name_first_and_last_day(tmp_path):
    found = load(write(tmp_path)).check.derived["dates"]["tracking.date"]
    assert found == {"format": "year first", "first": str(date(2025, 4, 2)), "last": "2025-05-20"}


def test_fixtures_are_those_of_the_other_tests():
    assert set(FILES) == {"influencers.csv", "posts.csv", "tracking_data.csv", "payouts.csv"}


# --- what was found with other invented exports -----------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("influencers", "influencer_id,name,platform\nI1,Asha,IG\nI1,Asha,YouTube\nI2,Dev,IG\nI2,Dev,IG\n"),
        ("posts", "post_id,influencer_id,date,reach\nP1,I1,2025-01-01,1\nP1,I1,2025-01-02,1\nP2,I1,2025-01-01,1\nP2,I1,2025-01-01,1\n"),
        ("tracking", "tracking_id,date,orders,revenue\nT1,2025-01-01,1,1\nT1,2025-01-01,1,2\nT2,2025-01-01,1,1\nT2,2025-01-01,1,1\n"),
        ("payouts", "payout_id,influencer_id,total_payout\nY1,I1,1\nY1,I1,2\nY2,I1,1\nY2,I1,1\n"),
    ],
)  # fmt: skip
def test_repeated_keys_are_told_apart_as_copies_and_as_other_values(table, rows, tmp_path):
    dataset = load(only(tmp_path, **{table: rows}))
    if table == "influencers":  # one row an influencer: later ones are left out
        assert problem(dataset, "repeated_key").count == 2
        differs = problem(dataset, "repeated_key_differs")
        assert differs.examples[0].value == "I1: platform YouTube, before Instagram"
    else:
        assert problem(dataset, "duplicate_row").examples[0].row == 5
        differs = problem(dataset, "duplicate_key")
    assert (differs.count, differs.examples[0].row) == (1, 3)
    assert f"{table}.csv: 1 row" in differs.message


def test_payouts_below_zero_in_all_are_a_warning(tmp_path):
    dataset, _ = paid(tmp_path, "influencer_id,total_payout\nI1,-20000\nI2,-30000\n")
    said = problem(dataset, "negative_payouts")
    assert (said.severity, said.count) == ("warning", 2)
    assert "all 2 payouts are below zero, −₹50,000 in all" in said.message
    dataset, _ = paid(tmp_path, "influencer_id,total_payout\nI1,20000\nI2,-3000\n")
    assert "negative_payouts" not in rules(dataset)


@pytest.mark.parametrize(
    ("column", "last", "said"),
    [
        ("Dr/Cr", "Cr", True),
        ("Entry", "CREDIT", True),
        ("Entry", "Dr", False),
        ("Entry", "UPI", False),
    ],
)
def test_debits_and_credits_in_a_column_beside_the_amount_are_told_of(column, last, said, tmp_path):
    rows = f"I1,20000,{'Debit' if last.isupper() else 'Dr'}\nI2,5000,{last}\n"
    dataset, _ = paid(tmp_path, f"Influencer,Amount,{column}\n{rows}")
    assert ("sign_not_used" in rules(dataset)) is said


def test_a_refund_is_not_a_payment_for_too_few_posts(tmp_path):
    dataset = load(
        only(
            tmp_path,
            posts="influencer_id,date\nI1,2025-01-01\n",
            payouts="influencer_id,basis,rate,total_payout\nI1,post,100,(500)\n",
        )
    )
    assert set(dataset.reconciliation()["kind"]) == {"refund"}


def test_payouts_that_state_what_they_are_for_need_no_note(tmp_path):
    dataset = load(
        only(
            tmp_path,
            payouts="influencer_id,basis,rate,orders,total_payout\nI1,order,10,5,50\nI2,order,20,2,40\n",
        )
    )
    assert dataset.check.problems == ()
    assert dataset.check.derived["payouts"]["agrees_with"] == {"rate × orders stated": 2}


def test_influencers_without_ids_go_by_their_names_and_that_is_said(tmp_path):
    dataset = load(
        only(
            tmp_path,
            influencers="S.No,Influencer Handle,Channel,Followers (K)\n1,@asha,Instagram,120\n2,@dev,YouTube,9\n",
            posts="Influencer Handle,Posted Date,Reach\n@asha,03-Jan-25,10\n",
        )
    )
    assert records(dataset, "influencers", "influencer_id", "name", "follower_count") == [
        ("@asha", "@asha", 120000),
        ("@dev", "@dev", 9000),
    ]
    assert "'Influencer Handle'" in problem(dataset, "name_as_id").message
    assert "unknown_influencer" not in rules(dataset)


def test_a_status_that_is_not_used_is_a_warning_with_its_words(tmp_path):
    dataset = load(
        only(
            tmp_path,
            orders="Order No,Order Date,Amount,Status\n1,2025-01-01,5,Delivered\n2,2025-01-02,5,RTO\n",
        )
    )
    said = problem(dataset, "status_not_used")
    assert "orders.csv" in said.message
    assert [(each.row, each.value) for each in said.examples] == [(2, "Delivered"), (3, "RTO")]


def test_totals_leave_out_lines_that_are_no_data(tmp_path):
    dataset = load(
        only(
            tmp_path,
            tracking="tracking_id,date,orders,revenue\nT1,2025-01-01,1,100\n...,...,...,...\nTotal,,1,100\n",
            posts="influencer_id,date,reach\nI1,2025-01-01,10\ninfluencer_id,date,reach\nTotal,,10\n",
        )
    )
    totals = {name: int(value) for name, value in dataset.check.totals.items() if value}
    assert totals == {"orders": 1, "revenue": 100, "posts": 1, "reach": 10}
    assert dataset.check.tables["tracking"].rows_read == 3
    assert dataset.check.revenue_by_brand == {"unassigned": 100}


def test_only_a_column_with_numbers_is_proposed_where_an_amount_is_missing(tmp_path):
    folder = only(tmp_path, payouts="Influencer ID,Basis,Payment Mode,Paymnt\nI1,post,NEFT,1000\n")
    with pytest.raises(DataError, match="Rename 'Paymnt' to 'total_payout'"):
        load(folder)


def test_a_spelling_in_capitals_gives_way_where_both_are_as_frequent(tmp_path):
    rows = (
        "influencer_id,name,platform,category\nI1,A,IG,FITNESS\nI2,B,IG,Fitness\nI3,C,IG,fitness\n"
    )
    dataset = load(only(tmp_path, influencers=rows))
    assert records(dataset, "influencers", "category") == [("Fitness",)] * 3


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (("P1", "P2", "P1"), "2 different ids of posts ('P1', 'P2')"),
        (("Insta", "YouTube", "X"), "3 different platforms ('Insta', 'X', 'YouTube')"),
        (("smith.com", "rao.in", "https://x.org/a"), "3 different web addresses"),
        (("BioLink", "SwipeUp", "BioLink"), "2 different texts ('BioLink', 'SwipeUp')"),
        (("api", "api", "api"), "one text ('api')"),
    ],
)
def test_a_source_that_says_nothing_of_the_channel_is_described(sources, words, tmp_path):
    lines = "".join(f"2025-01-01,1,5,{source},I1\n" for source in sources)
    dataset = load(
        only(
            tmp_path,
            tracking=f"date,orders,revenue,source,influencer_id\n{lines}",
            posts="post_id,influencer_id,date\nP1,I1,2025-01-01\nP2,I1,2025-01-01\n",
        )
    )
    assert words in problem(dataset, "source_says_nothing").message
    assert records(dataset, "tracking", "channel") == [("influencer",)] * 3


def test_rows_without_a_brand_and_a_brand_taken_from_elsewhere_are_said(tmp_path):
    text = "date,orders,revenue,campaign\n2025-01-01,1,5,HKV_Glow\n2025-01-01,1,5,Summer\n"
    dataset = load(only(tmp_path, tracking=text))
    assert "'campaign prefix or suffix' in 1 row" in problem(dataset, "brand_rule").message
    assert "1 of 2 rows has no brand" in problem(dataset, "brand_missing").message


TWICE = """payout_id,influencer_id,basis,rate,posts,total_payout,invoice_date
A1,1,post,100,3,300,2025-05-06
A2,1,post,100,3,300,2025-05-17
A3,1,post,100,3,300,2025-06-06
A4,2,post,100,1,100,2025-05-06
A5,2,post,100,1,100,2025-05-09
"""


def test_the_same_posts_invoiced_again_in_the_month_under_another_id_are_paid_twice(tmp_path):
    exports.write(tmp_path, payouts=TWICE)
    frame = load(tmp_path).reconciliation()
    twice = frame[frame["kind"] == "paid twice"]
    # One post at a time may well cost the same twice in a month.
    assert twice["influencer_id"].tolist() == ["1"]
    assert "under another id, as on row 2" in twice["explanation"].iloc[0]


@pytest.mark.parametrize(
    ("first", "second", "is_twice"),
    [
        ("2025-05-01", "2025-05-30", False),  # a month apart, in one month
        ("2025-05-06", "2025-06-05", False),
        ("2025-05-31", "2025-06-02", True),  # two days apart, in two months
        ("2025-06-02", "2025-05-31", True),
        ("2025-05-25", "2025-06-08", False),  # settled late, then early
        ("", "", True),
        ("2025-05-06", "", False),  # not yet invoiced: no telling
    ],
)
def test_payouts_are_the_same_by_days_apart_not_by_the_calendar(tmp_path, first, second, is_twice):
    head, *_ = TWICE.splitlines()
    rows = (f"A1,1,post,100,3,300,{first}", f"A2,1,post,100,3,300,{second}", "A9,2,post,100,1,100,2025-05-09")  # fmt: skip
    exports.write(tmp_path, payouts="\n".join([head, *rows]) + "\n")
    frame = load(tmp_path).reconciliation()
    assert (frame["kind"] == "paid twice").sum() == int(is_twice)


@pytest.mark.parametrize("header", ["channel", "Social Site", "Media Channel", "Posted Where"])
def test_a_column_of_networks_is_the_platform_whatever_it_is_called(header, tmp_path):
    rows = "P1,INF_1,2025-04-01,Insta\nP2,INF_2,2025-04-02,YouTube\nP3,INF_2,2025-04-03,Koo\n"
    dataset = load(only(tmp_path, posts=f"post_id,influencer_id,date,{header}\n{rows}"))
    assert records(dataset, "posts", "platform") == [("Instagram",), ("YouTube",), ("Koo",)]


def test_a_channel_that_holds_no_networks_is_no_platform(tmp_path):
    rows = "P1,INF_1,2025-04-01,Asha Fitness\nP2,INF_2,2025-04-02,Dev Eats\n"
    dataset = load(only(tmp_path, posts=f"post_id,influencer_id,date,channel\n{rows}"))
    assert records(dataset, "posts", "platform") == [(None,), (None,)]


@pytest.mark.parametrize(
    ("url", "network"),
    [("https://www.instagram.com/reel/AbC/?igsh=1", "Instagram"), ("youtu.be/xyz", "YouTube"),
     ("https://m.youtube.com/shorts/a", "YouTube"), ("https://x.com/a/status/1", "Twitter"),
     ("https://notinstagram.com/p/1", None), ("https://example.org/?u=instagram.com", None),
     ("https://dropbox.com/x.com", None), ("https://t.me/s/1", "Telegram")],
)  # fmt: skip
def test_the_address_of_a_post_says_its_network(url, network, tmp_path):
    dataset = load(
        only(tmp_path, posts=f"influencer_id,date,url,likes\nINF_1,2025-04-01,{url},5\n")
    )
    assert records(dataset, "posts", "platform") == [(network,)]
    assert ("platform_of_address" in rules(dataset)) is bool(network)


def test_the_platform_of_a_post_goes_before_its_address(tmp_path):
    posts = "influencer_id,date,platform,url\nINF_1,2025-04-01,Facebook,https://instagram.com/p/ABCDEF\n"
    assert records(load(only(tmp_path, posts=posts)), "posts", "platform") == [("Facebook",)]
