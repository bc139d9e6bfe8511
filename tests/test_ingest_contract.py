"""Files as people have them: each trait on its own, with what must come out and what must be said."""

import gzip
from decimal import Decimal

import exports
import pytest

from hkreport import ingest
from hkreport.errors import DataError

HEADER = "influencer_id,date,orders,revenue\n"


def load(folder, **settings):
    return ingest.load(folder, ingest.Settings(**settings))


def tracking(folder, content, name="tracking.csv", encoding="utf-8", **settings):
    """The used rows of a tracking file, and what was said about it."""
    path = folder / name
    raw = content.encode(encoding)
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    data = load(folder, **settings)
    return data.tables["tracking"].order_by("row").to_pandas(), data.check.to_json()


def messages(check, severity=None):
    return [each["message"] for each in check["problems"] if severity in (None, each["severity"])]


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("1234.5", "1234.5"),
        ('"₹1,23,456.50"', "123456.5"),
        ('"1,234"', "1234"),
        ("1.2L", "120000"),
        ("3 Cr", "30000000"),
        ("(500)", "-500"),
        ("Rs. 99", "99"),
        ("-12.25", "-12.25"),
        ("0", "0"),
    ],
)
def test_amounts_are_read_as_people_write_them(tmp_path, cell, amount):
    rows, check = tracking(tmp_path, f"{HEADER}1,2025-06-14,1,{cell}\n2,2025-06-15,1,10\n")
    assert rows["revenue"][0] == Decimal(amount)
    assert check["totals"]["revenue"] == float(Decimal(amount) + 10)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings_are_recognised(tmp_path, encoding):
    rows, _ = tracking(
        tmp_path,
        "influencer_id,date,orders,revenue,product\n1,2025-06-14,1,10,Café\n",
        encoding=encoding,
    )
    assert rows["product"].tolist() == ["Café"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_recognised(tmp_path, separator):
    content = f"{HEADER}1,2025-06-14,1,10\n2,2025-06-15,2,20\n".replace(",", separator)
    rows, _ = tracking(tmp_path, content)
    assert rows["influencer_id"].tolist() == ["1", "2"]


def test_gzip_and_a_name_with_prefix_are_recognised(tmp_path):
    rows, check = tracking(tmp_path, f"{HEADER}1,2025-06-14,1,10\n", name="Q2_Tracking_Data.csv.gz")
    assert len(rows) == 1
    assert check["tables"]["tracking"]["file"] == "Q2_Tracking_Data.csv.gz"


def test_day_first_is_decided_from_the_whole_column(tmp_path):
    rows, _ = tracking(tmp_path, f"{HEADER}1,03/04/2025,1,10\n1,25/04/2025,1,10\n")
    assert [str(day)[:10] for day in rows["date"]] == ["2025-04-03", "2025-04-25"]


def test_month_first_is_decided_from_the_whole_column(tmp_path):
    rows, _ = tracking(tmp_path, f"{HEADER}1,03/04/2025,1,10\n1,04/25/2025,1,10\n")
    assert [str(day)[:10] for day in rows["date"]] == ["2025-03-04", "2025-04-25"]


def test_ambiguous_dates_are_day_first_said_so_and_can_be_overruled(tmp_path):
    content = f"{HEADER}1,03/04/2025,1,10\n1,05/04/2025,1,10\n"
    rows, check = tracking(tmp_path, content)
    assert [str(day)[:10] for day in rows["date"]] == ["2025-04-03", "2025-04-05"]
    assert any("day" in said.lower() and "month" in said.lower() for said in messages(check))
    rows, _ = tracking(tmp_path, content, day_first={"tracking.date": False})
    assert [str(day)[:10] for day in rows["date"]] == ["2025-03-04", "2025-05-04"]


def test_row_without_a_readable_date_is_quarantined_with_row_column_and_value(tmp_path):
    content = f"{HEADER}1,2025-06-14,1,10\n2,someday,1,20\n"
    (tmp_path / "tracking.csv").write_text(content, encoding="utf-8")
    aside = tmp_path / "aside"
    data = ingest.load(tmp_path, quarantine=aside)
    check = data.check.to_json()
    table = check["tables"]["tracking"]
    assert (table["rows_read"], table["rows_used"], table["rows_quarantined"]) == (2, 1, 1)
    (problem,) = [each for each in check["problems"] if each["column"] == "date"]
    assert problem["examples"][0] == {"row": 3, "value": "someday"}
    written = (aside / "tracking.csv").read_text(encoding="utf-8")
    assert "someday" in written
    assert check["totals"]["revenue"] == 30.0


def test_unreadable_optional_value_is_said_and_the_row_kept(tmp_path):
    exports.write(tmp_path, posts=exports.POSTS.replace("400000", "many"))
    data = load(tmp_path)
    assert data.check.to_json()["tables"]["posts"]["rows_used"] == 4
    assert any("many" in str(each["examples"]) for each in data.check.to_json()["problems"])


def test_ids_agree_as_integers_decimals_and_in_other_case(tmp_path):
    exports.write(
        tmp_path,
        influencers="id,name,platform\n17,Asha,IG\nINF_2,Dev,insta\n",
        posts="",
        tracking=f"{HEADER}17.0,2025-06-14,1,10\ninf_2,2025-06-14,1,20\n",
        payouts="influencer_id,basis,total_payout\n17,Order,5\nINF_2,POST,5\n",
    )
    data = load(tmp_path)
    people = set(data.tables["influencers"].influencer_id.to_pandas())
    assert people == {"17", "INF_2"}
    assert set(data.tables["tracking"].influencer_id.to_pandas()) == people
    assert set(data.tables["influencers"].platform.to_pandas()) == {"Instagram"}
    assert set(data.tables["payouts"].basis.to_pandas()) == {"order", "post"}


def test_second_header_blank_rows_and_numbering(tmp_path):
    content = f"{HEADER}1,2025-06-14,1,10\n,,,\n{HEADER}2,2025-06-15,1,20\n,,,\n,,,\n"
    rows, check = tracking(tmp_path, content)
    assert rows["row"].tolist() == [2, 5]
    table = check["tables"]["tracking"]
    assert table["rows_read"] == table["rows_used"] + table["rows_quarantined"]
    assert check["totals"]["revenue"] == 30.0


@pytest.mark.parametrize(
    ("extra", "values"),
    [
        pytest.param("brand\n", "HK Vitals\n", id="column"),
        pytest.param("campaign\n", "HKV_Glow_Q2\n", id="campaign_prefix"),
        pytest.param("product\n", "HK Vitals Biotin\n", id="product_prefix"),
        pytest.param("source\n", "HKVitals\n", id="source"),
    ],
)
def test_brand_is_found_where_it_hides(tmp_path, extra, values):
    content = f"{HEADER.strip()},{extra}1,2025-06-14,1,10,{values}"
    rows, check = tracking(tmp_path, content, brands={"HKVitals": ("HKV", "HK Vitals")})
    assert rows["brand"].tolist() == ["HKVitals"]
    assert check["revenue_by_brand"] == {"HKVitals": 10.0}


def test_source_decides_the_channel_only_by_its_words(tmp_path):
    content = (
        "source,influencer_id,date,orders,revenue\n"
        "organic,,2025-06-14,1,1\norganic,1,2025-06-14,1,1\npaid,,2025-06-14,1,1\n"
        "paid,1,2025-06-14,1,1\ninfluencer,1,2025-06-14,1,1\nYouTube,1,2025-06-14,1,1\n"
        "YouTube,,2025-06-14,1,1\n"
    )
    rows, check = tracking(tmp_path, content)
    assert rows["channel"].tolist() == [
        "organic", "organic", "paid", "influencer", "influencer", "influencer", "unattributed",
    ]  # fmt: skip
    assert any("organic" in said for said in messages(check, "warning"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("tracking.csv", b"", id="empty"),
        pytest.param("tracking.csv", b"\x00\x01\x02\xff\xfe\x00", id="binary"),
        pytest.param("tracking.csv.gz", b"not gzip at all", id="not_gzip"),
        pytest.param("tracking.xlsx", b"not a workbook", id="not_xlsx"),
        pytest.param("tracking.parquet", b"PAR1 no", id="not_parquet"),
        pytest.param("tracking.csv", b"a,b\n1,2\n", id="no_known_column"),
        pytest.param(
            "tracking.csv", b"influencer_id,date,orders\n1,2025-06-14,1\n", id="no_revenue"
        ),
    ],
)
def test_file_that_cannot_be_used_is_one_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as error:
        load(tmp_path)
    assert name in str(error.value)


def test_missing_column_lists_what_was_found(tmp_path):
    (tmp_path / "tracking.csv").write_text(
        "influencer_id,date,orders,rev_total_x\n1,2025-06-14,1,5\n"
    )
    with pytest.raises(DataError) as error:
        load(tmp_path)
    assert "revenue" in str(error.value)
    assert "rev_total_x" in str(error.value)
    found = load(tmp_path, columns={"tracking": {"revenue": "rev_total_x"}})
    assert found.check.to_json()["totals"]["revenue"] == 5.0


def test_rows_are_conserved_over_ragged_lines(tmp_path):
    content = f'{HEADER}1,2025-06-14,1,10\n2,2025-06-14,1,10,surplus,fields\n3,2025-06-14\n4,2025-06-14,1,"1"\n'
    _, check = tracking(tmp_path, content)
    table = check["tables"]["tracking"]
    assert table["rows_read"] == 4
    assert table["rows_used"] + table["rows_quarantined"] == 4


def test_user_ids_are_never_in_the_quarantine_file(tmp_path):
    (tmp_path / "tracking.csv").write_text(
        "influencer_id,user_id,date,orders,revenue\n1,SECRET_USER_7,someday,1,10\n1,U2,2025-06-14,1,10\n"
    )
    aside = tmp_path / "aside"
    ingest.load(tmp_path, quarantine=aside)
    assert "SECRET_USER_7" not in (aside / "tracking.csv").read_text(encoding="utf-8")
