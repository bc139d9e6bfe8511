"""Where no file lists the influencers, what each row says of its own is theirs, and nothing else is.

Each case once left revenue without platform, tier, category or gender, or would have given it a customer's.
"""

from pathlib import Path

import pytest

from hkreport import ingest

HEADER = (
    "Order ID,Order Date,Influencer Name,Platform,Followers,Niche,Gender,City,Product,Revenue\n"
)
ROWS = """1,2025-04-05,Asha Rao,Instagram,125000,Fitness,Female,Pune,Whey,100
2,2025-04-05,Dev Mehta,YouTube,84000,Nutrition,Male,Delhi,Whey,200
3,2025-04-06,asha rao,Insta,"1,25,000",Fitness,F,Jaipur,Gummies,400
4,2025-04-06,Organic,,,,,Pune,Gummies,800
5,2025-04-07,Dev Mehta,YouTube,86000,Nutrition,Male,Delhi,Gummies,1600
Total,,,,,,,,,3100
"""


def load(folder: Path, **files: str) -> ingest.Dataset:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return ingest.load(folder)


def people(dataset: ingest.Dataset, *columns: str) -> list[tuple]:
    frame = dataset.tables["influencers"].order_by("influencer_id").select(*columns).to_pandas()
    return [tuple(None if each != each else each for each in row) for row in frame.itertuples(index=False)]  # fmt: skip


def said(dataset: ingest.Dataset, rule: str) -> list[str]:
    return [each.message for each in dataset.check.problems if each.rule == rule]


def test_a_merged_file_lists_its_influencers(tmp_path):
    """₹2,300 of ₹2,300 had no platform, tier, category and gender."""
    dataset = load(tmp_path, merged=HEADER + ROWS)
    assert people(dataset, "influencer_id", "name", "platform", "category", "gender", "city") == [
        ("Asha Rao", "Asha Rao", "Instagram", "Fitness", "Female", None),
        ("Dev Mehta", "Dev Mehta", "YouTube", "Nutrition", "Male", None),
    ]
    assert [int(each) for (each,) in people(dataset, "follower_count")] == [125000, 84000]
    (words,) = said(dataset, "attribute_differs")
    assert "1 influencer has several values of follower_count" in words
    assert "Dev Mehta, '84000', '86000'" in words
    (words,) = said(dataset, "influencers_of_rows")
    assert "2 influencers" in words
    assert dataset.check.tables["tracking"].columns["city"] == "City"


def test_what_differs_within_influencers_is_the_orders_own(tmp_path):
    """The gender, the age and the category beside an order may be the customer's and the product's."""
    header = "date,influencer_id,followers,gender,category,product,orders,revenue\n"
    rows = "".join(
        f"2025-04-0{at + 1},INF_{at % 2},{at % 2 + 5}000,{'MF'[at // 2 % 2]},{('Protein', 'Vitamins')[at % 2]},P{at % 2},1,10\n"
        for at in range(8)
    )
    dataset = load(tmp_path, orders=header + rows)
    assert people(dataset, "influencer_id", "gender", "category") == [
        ("INF_0", None, None),
        ("INF_1", None, None),
    ]


def test_a_file_of_influencers_is_not_replaced(tmp_path):
    dataset = load(
        tmp_path, merged=HEADER + ROWS,
        influencers="influencer_id,name,platform\nAsha Rao,Asha Rao,Facebook\n",
    )  # fmt: skip
    assert people(dataset, "influencer_id", "platform") == [("Asha Rao", "Facebook")]


@pytest.mark.parametrize("platform", ["Shopify", "Amazon"])
def test_a_shop_is_no_network_of_an_influencer(platform, tmp_path):
    rows = "".join(f"2025-04-0{at},INF_1,{platform},1,10\n" for at in (1, 2, 3))
    dataset = load(tmp_path, orders=f"date,influencer_id,platform,orders,revenue\n{rows}")
    assert not dataset.has("influencers")


def test_months_in_files_of_their_own_say_the_same_people(tmp_path):
    parts = {
        f"orders_{month}": "order_id,date,influencer_id,creator_platform,orders,revenue\n"
        + "".join(
            f"{month}{at},2025-{number}-0{at},INF_{at % 2},{('YouTube', 'Instagram')[at % 2]},1,100\n"
            for at in (1, 2, 3, 4)
        )
        for month, number in (("mar", "03"), ("apr", "04"))
    }
    dataset = load(tmp_path, **parts)
    assert people(dataset, "influencer_id", "platform") == [
        ("INF_0", "YouTube"),
        ("INF_1", "Instagram"),
    ]
    assert dataset.check.totals["revenue"] == 800
    assert not said(dataset, "extra_columns")


def test_files_named_after_their_brands_list_their_people(tmp_path):
    """Both influencers were left out as malformed lines, and ₹600 of ₹600 had no platform."""
    header = "Date,Influencer,Platform,Orders,Revenue\n"
    dataset = load(
        tmp_path,
        HKVitals=header + "2025-04-01,Asha,Instagram,1,100\n2025-04-02,Dev,YouTube,2,200\n",
        MuscleBlaze=header + "2025-04-01,Asha,Instagram,3,300\n",
    )
    assert people(dataset, "influencer_id", "platform") == [
        ("Asha", "Instagram"),
        ("Dev", "YouTube"),
    ]
    assert not said(dataset, "malformed")
