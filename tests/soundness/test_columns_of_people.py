"""Whom orders, posts and payouts mean, where their header does not say that it names influencers.

Orders under 'Talent' or 'Referred By' were credited to nobody, posts and payouts under such headers were refused, and
handles were unknown wherever the list of influencers had ids beside them.
"""

import pytest
from ingest_fixtures import load, only, records, rules

from hkreport.errors import DataError

PEOPLE = (
    "ID,Name,Username,Platform\nI1,Asha Rao,asha.fit,Instagram\nI2,Dev Shah,dev_lifts,YouTube\n"
)
ORDERS = "Order ID,Date,{},City,Brand,Revenue\n1,2025-06-01,{},Pune,HKVitals,1000\n2,2025-06-02,{},Goa,HKVitals,1500\n3,2025-06-03,,Goa,HKVitals,700\n"
WHO = [("I1", "I2"), ("Asha Rao", "DEV SHAH"), ("@asha.fit", "dev_lifts")]


@pytest.mark.parametrize(
    "header", ["Talent", "Referred By", "Affiliate Code", "utm_source", "व्यक्ति"]
)
@pytest.mark.parametrize("said", WHO)
def test_orders_are_those_of_whom_a_column_names(header, said, tmp_path):
    data = load(only(tmp_path, influencers=PEOPLE, orders=ORDERS.format(header, *said)))
    assert records(data, "tracking", "influencer_id", "channel", "revenue") == [
        ("I1", "influencer", 1000), ("I2", "influencer", 1500), (None, "unattributed", 700),
    ]  # fmt: skip
    assert "column_guessed" in rules(data)


@pytest.mark.parametrize("said", WHO)
def test_posts_and_payouts_may_call_them_anything(said, tmp_path):
    posts = "Face,Date,Link,Likes\n{},2025-06-01,https://instagram.com/p/aaaaa,10\n{},2025-06-02,https://instagram.com/p/bbbbb,20\n"
    payouts = "Party,Basis,Rate,Total Payout\n{},post,500,500\n{},post,700,700\n"
    data = load(
        only(
            tmp_path,
            influencers=PEOPLE,
            orders=ORDERS.format("Influencer", *said),
            posts=posts.format(*said),
            payouts=payouts.format(*said),
        )
    )
    assert records(data, "posts", "influencer_id", "likes") == [("I1", 10), ("I2", 20)]
    assert records(data, "payouts", "influencer_id", "total_payout") == [("I1", 500), ("I2", 700)]
    assert "unknown_influencer" not in rules(data)


def test_a_handle_may_be_an_address_in_one_file_and_not_in_the_other(tmp_path):
    people = (
        "ID,Name,Platform,Profile\nI1,Asha Rao,Instagram,https://www.instagram.com/asha.fit/?hl=en\n"
        "I2,Dev Shah,YouTube,youtube.com/c/DevLifts\n"
    )
    orders = ORDERS.format("Influencer", "asha.fit", "https://youtube.com/@devlifts")
    data = load(only(tmp_path, influencers=people, orders=orders))
    assert records(data, "tracking", "influencer_id") == [("I1",), ("I2",), (None,)]


def test_a_handle_of_two_is_nobodys(tmp_path):
    people = PEOPLE.replace("dev_lifts", "fit_pair").replace(
        "asha.fit", "fit_pair"
    )  # then it tells no two apart
    data = load(
        only(tmp_path, influencers=people, orders=ORDERS.format("Influencer", "fit_pair", "I2"))
    )
    assert records(data, "tracking", "influencer_id") == [("fit_pair",), ("I2",), (None,)]
    assert "unknown_influencer" in rules(data)


@pytest.mark.parametrize(
    ("people", "said"),
    [
        (PEOPLE.replace("I1", "1").replace("I2", "2"), ("1", "2")),  # pieces, as likely
        (PEOPLE, ("Asha Rao", "Ravi Jain")),  # half of them only
        (PEOPLE, ("Ravi Jain", "Uma Sen")),
    ],
)
def test_numbers_and_strangers_name_nobody(people, said, tmp_path):
    data = load(only(tmp_path, influencers=people, orders=ORDERS.format("Talent", *said)))
    assert records(data, "tracking", "influencer_id") == [(None,)] * 3
    assert "column_guessed" not in rules(data)


def test_without_a_list_nobody_is_guessed(tmp_path):
    payouts = "Face,Basis,Rate,Total Payout\nI1,post,500,500\n"
    with pytest.raises(DataError, match="no column for 'influencer_id'"):
        load(only(tmp_path, payouts=payouts, orders=ORDERS.format("Talent", "I1", "I2")))


def test_codes_are_known_where_handles_are_the_ids(tmp_path):
    people = "Name,Username,Platform,Coupon\nAsha Rao,asha.fit,Instagram,ASHA10\nDev Shah,dev_lifts,YouTube,DEV10\n"
    data = load(only(tmp_path, influencers=people, orders=ORDERS.format("Code", "asha10", "DEV10")))
    assert records(data, "tracking", "influencer_id") == [("asha.fit",), ("dev_lifts",), (None,)]


def test_orders_that_name_posts_too_are_those_of_whom_they_name(tmp_path):
    orders = "Order ID,Creator Nickname,Content ID,Time Created,Time Paid,Payment\n7,asha.fit,P9,15/07/2025,16/07/2025,900\n"
    data = load(
        only(tmp_path, influencers=PEOPLE, orders=orders.replace("Payment", "Sales Amount"))
    )
    assert records(data, "tracking", "influencer_id", "revenue") == [("I1", 900)]


def test_a_file_without_headers_is_refused_still(tmp_path):
    payouts = "I1,post,500,500\nI2,post,700,700\nI1,order,10,70\n"
    with pytest.raises(DataError, match="no header row"):
        load(only(tmp_path, influencers=PEOPLE, payouts=payouts))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (("Asha (I101)", "I202 - Dev Shah"), ("I101", "I202")),
        (("Asha Rao [Instagram]", "dev shah | 7%"), ("I101", "I202")),
        (("Asha Rao (I202)", "Asha Rao - Dev Shah"), None),  # two are named
        (("Somebody (2)", "Rao (Asha)"), None),
    ],
)
def test_a_name_and_an_id_in_one_cell_are_whom_both_mean(said, meant, tmp_path):
    people = PEOPLE.replace("I1", "I101").replace("I2", "I202")
    data = load(only(tmp_path, influencers=people, orders=ORDERS.format("Influencer", *said)))
    assert records(data, "tracking", "influencer_id")[:2] == [(each,) for each in meant or said]
    assert ("unknown_influencer" in rules(data)) is (meant is None)
