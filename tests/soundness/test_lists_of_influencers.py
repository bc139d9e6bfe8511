"""Whom a list of influencers means, where it has no column that is called an id, a name or a platform.

The full name was taken for the id beside a user name, and every order of a list by user names was nobody's; a list
with addresses was refused for want of a platform, and so was one whose headers name the network of the handles.
"""

import pytest

from hkreport import ingest
from hkreport.errors import DataError

ORDERS = "Order ID,Date,Influencer,Brand,Revenue\n1,2025-06-01,{},HKVitals,1000\n2,2025-06-02,{},HKVitals,1500\n"


def load(folder, people, *sellers):
    (folder / "creators.csv").write_text(people, encoding="utf-8")
    (folder / "orders.csv").write_text(ORDERS.format(*sellers), encoding="utf-8")
    return ingest.load(folder, ingest.Settings(brands={}))


def listed(data, *columns):
    frame = data.tables["influencers"].order_by("row").to_pandas()
    return [tuple(row) for row in frame[list(columns)].to_numpy()]


def sold_by(data):
    return data.tables["tracking"].order_by("row").to_pandas()["influencer_id"].tolist()


MODASH = """Full Name,Username,Platform,Followers
Asha Rao,asha.fit,instagram,12000
Dev Shah,dev_yt,youtube,50000
"""


@pytest.mark.parametrize(
    "sellers", [("asha.fit", "dev_yt"), ("@asha.fit", "@DEV_YT"), ("Asha Rao", "Dev Shah")]
)
def test_user_names_are_ids_where_there_are_no_others(sellers, tmp_path):
    data = load(tmp_path, MODASH, *sellers)
    assert listed(data, "influencer_id", "name") == [
        ("asha.fit", "Asha Rao"),
        ("dev_yt", "Dev Shah"),
    ]
    assert sold_by(data) == ["asha.fit", "dev_yt"]
    assert "unknown_influencer" not in {each.rule for each in data.check.problems}


def test_two_of_one_name_are_two(tmp_path):
    people = MODASH.replace("Dev Shah", "Asha Rao")
    data = load(tmp_path, people, "asha.fit", "dev_yt")
    assert sold_by(data) == ["asha.fit", "dev_yt"]


def test_a_name_stands_in_for_a_user_name_that_is_missing(tmp_path):
    data = load(tmp_path, MODASH.replace("dev_yt", ""), "asha.fit", "Dev Shah")
    assert sold_by(data) == ["asha.fit", "Dev Shah"]


def test_an_id_is_not_replaced_by_a_user_name(tmp_path):
    people = (
        MODASH.replace("Full Name", "Influencer ID,Full Name")
        .replace("Asha", "I1,Asha")
        .replace("Dev", "I2,Dev")
    )
    data = load(tmp_path, people, "I1", "I2")
    assert listed(data, "influencer_id") == [("I1",), ("I2",)]


def test_addresses_say_the_platform(tmp_path):
    people = """Name,Link,Followers
Asha Rao,https://www.instagram.com/asha.fit/,12000
Dev Shah,youtube.com/@dev_yt,50000
Uma,HTTPS://X.com/uma,700
"""
    data = load(tmp_path, people, "Asha Rao", "Dev Shah")
    assert listed(data, "name", "platform") == [
        ("Asha Rao", "Instagram"), ("Dev Shah", "YouTube"), ("Uma", "Twitter"),
    ]  # fmt: skip
    assert any("'Link'" in each.message and each.rule == "composed" for each in data.check.problems)


HANDLES = """Name,Instagram Handle,YouTube_Channel,Followers
Asha Rao,@asha.fit,,12000
Dev Shah,-,DevLifts,50000
"""


@pytest.mark.parametrize("sellers", [("asha.fit", "devlifts"), ("Asha Rao", "Dev Shah")])
def test_headers_of_handles_say_the_platform_of_those_who_have_one(sellers, tmp_path):
    data = load(tmp_path, HANDLES, *sellers)
    assert listed(data, "influencer_id", "platform") == [
        ("@asha.fit", "Instagram"), ("DevLifts", "YouTube"),
    ]  # fmt: skip
    assert sold_by(data) == ["@asha.fit", "DevLifts"]
    told = [each.message for each in data.check.problems if each.rule == "composed"]
    assert any("platform" in each and "'YouTube_Channel'" in each for each in told)


def test_the_one_network_that_headers_name_is_that_of_all(tmp_path):
    people = "ID,Name,IG Username,IG Followers\nI1,Asha Rao,asha.fit,12000\nI2,Dev Shah,,50000\n"
    data = load(tmp_path, people, "I1", "I2")
    assert [platform for (platform,) in listed(data, "platform")] == ["Instagram", "Instagram"]


def test_whoever_has_two_handles_is_on_no_one_network(tmp_path):
    people = HANDLES.replace("@asha.fit,", "@asha.fit,AshaFit")
    with pytest.raises(
        DataError, match="Add a column 'platform' with the network of each"
    ) as error:
        load(tmp_path, people, "Asha Rao", "Dev Shah")
    assert "Rename" not in str(error.value)


def test_a_platform_is_not_replaced_by_an_address(tmp_path):
    people = (
        "Name,Link,Platform\nAsha Rao,instagram.com/a,YouTube\nDev Shah,instagram.com/d,TikTok\n"
    )
    data = load(tmp_path, people, "Asha Rao", "Dev Shah")
    assert [platform for (platform,) in listed(data, "platform")] == ["YouTube", "TikTok"]


def test_first_and_last_names_are_a_name(tmp_path):
    people = "Creator ID,First Name,Last Name,Platform\nI1,Asha,Rao,Instagram\nI2,Dev,,YouTube\n"
    data = load(tmp_path, people, "I1", "I2")
    assert listed(data, "name") == [("Asha Rao",), ("Dev",)]


def test_sums_by_publisher_are_not_passed_over_in_a_note(tmp_path):
    (tmp_path / "publishers.csv").write_text(
        "Publisher ID,Publisher Name,Orders,Sales,Commissions\nI1,Asha Rao,4,4000,400\n",
        encoding="utf-8",
    )
    data = load(tmp_path, MODASH, "asha.fit", "dev_yt")
    told = [each for each in data.check.problems if each.rule == "file_not_used"]
    assert [each.severity for each in told] == ["warning"]
