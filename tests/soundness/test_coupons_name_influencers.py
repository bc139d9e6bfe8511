"""Orders that only a coupon code ties to an influencer are credited where a list says whose it is, and no others."""

from pathlib import Path

import pytest

from hkreport import ingest

PEOPLE = "Influencer ID,Name,Platform,Coupon Code\n1,Asha,Instagram,ASHA10 / ASHA20\n2,Dev,YouTube,Dev15\n3,Kim,YouTube,BOTH\n4,Lea,YouTube,both\n"
ORDERS = """Order ID,Order Date,Discount Code,Revenue,Brand
O1,2025-06-01,ASHA10,100,HKVitals
O2,2025-06-02,dev15 ,200,HKVitals
O3,2025-06-03,,400,HKVitals
O4,2025-06-03,WELCOME10,800,HKVitals
O5,2025-06-04,"asha20, FREESHIP",1600,HKVitals
O6,2025-06-04,BOTH,3200,HKVitals
"""


def load(folder: Path, **files: str) -> ingest.Dataset:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return ingest.load(folder)


def credited(dataset: ingest.Dataset) -> dict[str | None, int]:
    rows = dataset.tables["tracking"].to_pandas()
    rows["influencer_id"] = rows["influencer_id"].fillna("nobody")
    return {who: int(some["revenue"].sum()) for who, some in rows.groupby("influencer_id")}


def said(dataset: ingest.Dataset) -> dict[str, str]:
    return {each.rule: each.message for each in dataset.check.problems}


@pytest.mark.parametrize("large", [False, True])
def test_a_code_is_its_influencers(large, tmp_path, monkeypatch):
    """₹1,900 of ₹6,300 were credited to nobody; welcome codes and those of several influencers still are."""
    if large:
        for module in ("spelling", "stage"):
            monkeypatch.setattr(f"hkreport.ingest.{module}.MATERIALISED_ROWS", 0)
    dataset = load(tmp_path, influencers=PEOPLE, orders=ORDERS)
    assert credited(dataset) == {"1": 1700, "2": 200, "nobody": 4400}
    assert "in 3 rows 'Discount Code' has a code that influencers.csv gives" in said(dataset)["coupon_named"]  # fmt: skip
    assert "2 rows have a code in 'Discount Code'" in said(dataset)["unknown_coupon"]
    assert {"unknown_influencer", "no_influencer_column", "blocks"}.isdisjoint(said(dataset))
    assert "Coupon Code" not in said(dataset).get("extra_columns", "")
    assert dataset.check.tables["tracking"].columns["influencer_id"] == "Discount Code"


def test_months_are_joined_and_credited(tmp_path):
    july = ORDERS.replace("2025-06", "2025-07").replace("\nO", "\nP")
    dataset = load(tmp_path, influencers=PEOPLE, orders_june=ORDERS, orders_july=july)
    assert credited(dataset) == {"1": 3400, "2": 400, "nobody": 8800}


def test_a_column_of_influencers_goes_before_codes(tmp_path):
    orders = "Order ID,Order Date,Influencer ID,Discount Code,Revenue\nO1,2025-06-01,2,ASHA10,100\n"
    assert credited(load(tmp_path, influencers=PEOPLE, orders=orders)) == {"2": 100}


@pytest.mark.parametrize(
    "people",
    [PEOPLE.replace("Coupon Code", "Notes"), PEOPLE.replace("ASHA", "X").replace("Dev15", "Y15")],
)
def test_codes_that_nobody_lists_credit_nobody(people, tmp_path):
    dataset = load(tmp_path, influencers=people, orders=ORDERS)
    assert credited(dataset) == {"nobody": 6300}
    assert "a coupon code is looked up where" in said(dataset)["no_influencer_column"]
