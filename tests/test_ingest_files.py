"""Files: which are found, what they are taken for, and what is said about those that cannot be read."""

import csv
import gzip
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import zipfile
from datetime import date, datetime

import openpyxl
import pytest
from ingest_fixtures import (
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

from hkreport import ingest
from hkreport.errors import DataError

TOTALS = {"orders": 11, "revenue": 7850.5, "spend": 2600, "posts": 3, "reach": 84000, "likes": 1950,
          "comments": 77}  # fmt: skip


def totals(dataset):
    return dataset.check.to_json()["totals"]


def test_plain_exports_load_with_totals_and_every_canonical_column(tmp_path):
    dataset = load(write(tmp_path))
    assert totals(dataset) == TOTALS
    assert dataset.check.to_json()["revenue_by_brand"] == {"Gritzo": 2000, "HKVitals": 5850.5}
    assert dataset.check.to_json()["top_influencers"] == [["INF_1", 4550.5], ["INF_2", 2000]]
    assert list(dataset.tables) == ["influencers", "posts", "tracking", "payouts", "products",
                                    "assignments", "touchpoints"]  # fmt: skip
    assert dataset.tables["products"].count().to_pandas() == 0
    assert dataset.has("tracking", "brand")
    assert not dataset.has("tracking", "city")
    assert not dataset.has("products")
    tracking = dataset.tables["tracking"].schema()
    assert str(tracking["revenue"]) == "decimal(18, 6)"
    assert str(tracking["date"]) == "date"
    assert list(tracking.names)[-2:] == ["row", "channel"]


def test_check_json_has_the_keys_of_the_contract(tmp_path):
    found = load(write(tmp_path)).check.to_json()
    assert list(found) == ["schema_version", "tables", "files_not_used", "problems", "derived", "totals",
                           "revenue_by_brand", "top_influencers"]  # fmt: skip
    assert found["schema_version"] == 1
    assert found["tables"]["tracking"]["file"] == "tracking_data.csv"
    assert found["tables"]["tracking"]["columns"]["revenue"] == "revenue"
    assert found["derived"]["brand"]["rule"] == "brand column"
    assert found["derived"]["brand"]["rows"] == 4


def as_parquet(text):
    import pandas as pd

    target = io.BytesIO()
    pd.read_csv(io.StringIO(text)).to_parquet(target)
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("Tracking.CSV", TRACKING, id="upper_case_singular"),
        pytest.param("final_tracking_data_v2.csv", TRACKING, id="prefix_and_suffix"),
        pytest.param("Order Log (1).csv", TRACKING, id="another_word"),
        pytest.param("data1.csv", TRACKING, id="meaningless_name"),
        pytest.param("tracking [1]*?.csv", TRACKING, id="pattern_characters"),
        pytest.param("track'ing.csv", TRACKING, id="quote_in_name"),
        pytest.param("tracking.tsv", TRACKING.replace(",", "\t"), id="tabs"),
        pytest.param("tracking.csv", TRACKING.replace(",", ";"), id="semicolons"),
        pytest.param("tracking.txt", TRACKING.replace(",", "|"), id="bars"),
        pytest.param("tracking.csv.gz", gzip.compress(TRACKING.encode()), id="gzip"),
        pytest.param("tracking.csv.gz", TRACKING, id="gzip_that_is_text"),
        pytest.param("tracking.csv", gzip.compress(TRACKING.encode()), id="text_that_is_gzip"),
        pytest.param("tracking.parquet", as_parquet(TRACKING), id="parquet"),
        pytest.param("tracking.csv", b"\xef\xbb\xbf" + TRACKING.encode(), id="utf8_bom"),
        pytest.param("tracking.csv", TRACKING.encode("utf-16"), id="utf16"),
        pytest.param("tracking.csv", TRACKING.encode("utf-16-le"), id="utf16_without_bom"),
        pytest.param("tracking.csv", TRACKING.encode("utf-16-be"), id="utf16_big_endian"),
        pytest.param("tracking.csv", TRACKING.replace("\n", "\r\n"), id="crlf"),
        pytest.param("tracking.csv", TRACKING.replace("\n", "\r"), id="cr"),
        pytest.param("tracking.csv", TRACKING.rstrip("\n"), id="no_last_line_end"),
        pytest.param("tracking.csv", TRACKING + "\n\n,,,,,,,,,\n \n", id="trailing_blank_rows"),
        pytest.param("tracking.csv", "Export of June\n\n" + TRACKING, id="title_above"),
        pytest.param(
            "tracking.csv", "Export,,,,,,,,,\n,,,,,,,,,\n" + TRACKING, id="title_with_commas"
        ),
        pytest.param("tracking.csv", TRACKING.replace("T2,", "T\x002,"), id="nul_character"),
    ],
)
def test_tracking_in_any_file_gives_the_same_totals(name, content, tmp_path):
    dataset = load(write(tmp_path, {"tracking_data.csv": None, name: content}))
    assert totals(dataset) == TOTALS
    assert dataset.check.tables["tracking"].rows_read == 4
    assert dataset.check.tables["tracking"].rows_used == 4
    assert dataset.check.files_not_used == ()


def test_workbook_with_a_sheet_a_table_gives_the_same_totals(tmp_path):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, text in FILES.items():
        sheet = book.create_sheet(name.removesuffix(".csv").title())
        for number, row in enumerate(csv.reader(io.StringIO(text))):
            cells = [_typed(cell) if number else cell.replace("_", " ").title() for cell in row]
            sheet.append([*cells, None, None])
        sheet.append([])
        sheet.append([None, None])
    book.create_sheet("Notes").append(["made by", "me"])
    book.create_sheet("Empty")
    book.save(tmp_path / "export.xlsx")
    dataset = load(tmp_path)
    assert totals(dataset) == TOTALS
    assert dataset.check.tables["tracking"].file == "export.xlsx [Tracking_Data]"
    assert dataset.check.tables["tracking"].columns["influencer_id"] == "Influencer Id"
    assert set(dataset.check.files_not_used) == {"export.xlsx [Notes]", "export.xlsx [Empty]"}
    assert records(dataset, "posts", "row", "date")[0] == (2, date(2025, 4, 3))


def _typed(cell):
    """Numbers as numbers, dates as spreadsheet dates."""
    if len(cell) == 10 and cell[4] == "-":
        return datetime.fromisoformat(cell)
    try:
        return float(cell)
    except ValueError:
        return cell or None


def test_parquet_with_real_types_loads(tmp_path):
    import pandas as pd

    write(tmp_path, {"tracking_data.csv": None})
    frame = pd.DataFrame(
        {
            "date": pd.to_datetime(["2025-06-30 20:00", None]).tz_localize("UTC"),
            "orders": [1.0, 2.0],
            "revenue": [0.1, 1e-7],
            "influencer_id": ["INF_1", None],
        }
    )
    frame.to_parquet(tmp_path / "tracking.parquet")
    dataset = load(tmp_path)
    assert records(dataset, "tracking", "row", "date") == [(2, date(2025, 7, 1))]
    assert problem(dataset, "missing").examples[0].row == 3
    assert "date_zone" in rules(dataset)


def test_folders_hidden_files_and_other_types_are_left_alone(tmp_path):
    write(tmp_path, {".tracking.csv": "x", "~$book.xlsx": "x", "readme.md": "hello"})
    write(tmp_path / "tracking", {})
    write(tmp_path / "2024", {})
    write(tmp_path / "archive", {})
    write(tmp_path / "earlier", {})
    only(tmp_path / "notes", alarms="x,y\n1,2\n")
    dataset = load(tmp_path)
    assert dataset.check.files_not_used == ("2024/", "readme.md", "tracking/")
    assert dataset.check.totals["orders"] == 11


@pytest.mark.parametrize(
    "place", ["May 2025/orders.csv", "2025-05/May Orders.XLSX", "x/posts.csv.gz"]
)
def test_exports_in_a_folder_are_told_of_whatever_it_is_called(place, tmp_path):
    folder = only(tmp_path, tracking=TRACKING)
    (folder / place).parent.mkdir()
    (folder / place).write_text("date,orders,revenue\n2025-05-01,1,5\n", encoding="utf-8")
    said = problem(load(folder), "file_not_used")
    assert said.severity == "warning"
    assert said.message.startswith(f"{place.split('/')[0]}/ is a folder")


@pytest.mark.parametrize(
    ("name", "severity"), [("orders_apr.zip", "warning"), ("logos.zip", "note")]
)
def test_a_packed_export_is_missed(name, severity, tmp_path):
    folder = only(tmp_path, payouts=PAYOUTS)
    (folder / name).write_bytes(b"PK\x03\x04")
    said = problem(load(folder), "file_not_used")
    assert said.severity == severity
    assert said.message.endswith("was not read. Unpack it.")


@pytest.mark.parametrize(
    ("name", "severity"),
    [("returns", "warning"), ("May Refunds 2025", "warning"), ("cities", "note")],
)
def test_a_list_of_what_came_back_is_missed(name, severity, tmp_path):
    folder = only(tmp_path, tracking=TRACKING)
    text = "Return ID,Order ID,Return Date,Refund Amount,Reason\nR1,T1,2025-04-09,500,Damaged\n"
    (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    said = problem(load(folder), "file_not_used")
    assert said.severity == severity
    assert ("still count in full" in said.message) is (severity == "warning")


# --- several candidates ---------------------------------------------------------------------------------


def test_identical_copy_is_left_with_a_note(tmp_path):
    dataset = load(write(tmp_path, {"tracking_data_uploaded.csv": TRACKING}))
    assert dataset.check.tables["tracking"].file == "tracking_data.csv"
    assert dataset.check.files_not_used == ("tracking_data_uploaded.csv",)
    said = problem(dataset, "file_left")
    assert said.severity == "note"
    assert said.message == (
        "tracking: tracking_data.csv was taken; tracking_data_uploaded.csv is the same file again."
    )


def test_other_part_of_a_table_is_left_with_a_warning_that_says_how_to_use_it(tmp_path):
    part = "\n".join(TRACKING.splitlines()[:3]) + "\n"
    dataset = load(write(tmp_path, {"tracking_may.csv": part}))
    said = problem(dataset, "file_left")
    assert said.severity == "warning"
    assert "--map tracking=tracking_may.csv" in said.message
    assert totals(dataset)["revenue"] == 7850.5


def test_map_overrules_the_choice(tmp_path):
    part = "\n".join(TRACKING.splitlines()[:3]) + "\n"
    folder = write(tmp_path, {"tracking_may.csv": part})
    dataset = load(folder, files={"tracking": "tracking_may.csv"})
    assert dataset.check.tables["tracking"].file == "tracking_may.csv"
    assert totals(dataset)["revenue"] == 4550.5


SUMMARY = "influencer_id,total_orders,total_revenue,total_payout,roas\nINF_1,5,4550.5,2000,2.28\n"


def test_summary_is_not_taken_for_payouts(tmp_path):
    dataset = load(write(tmp_path, {"influencer_summary.csv": SUMMARY}))
    assert dataset.check.tables["payouts"].file == "payouts.csv"
    assert dataset.check.files_not_used == ("influencer_summary.csv",)


def test_summary_alone_is_no_payouts_file_and_said_so(tmp_path):
    dataset = load(write(tmp_path, {"influencer_summary.csv": SUMMARY, "payouts.csv": None}))
    assert "payouts" not in dataset.check.tables
    assert problem(dataset, "file_left").severity == "warning"
    assert "--map payouts=influencer_summary.csv" in problem(dataset, "file_left").message


def test_four_files_with_meaningless_names_are_recognised_by_columns(tmp_path):
    texts = (INFLUENCERS, POSTS, TRACKING, PAYOUTS)
    dataset = load(only(tmp_path, **{f"data{n}": text for n, text in enumerate(texts)}))
    assert totals(dataset) == TOTALS


def test_folder_name_says_nothing_about_the_table(tmp_path):
    dataset = load(only(tmp_path / "payouts_tracking", a=INFLUENCERS, b=POSTS))
    assert set(dataset.check.tables) == {"influencers", "posts"}


@pytest.mark.parametrize(
    "left_out", ["influencers.csv", "posts.csv", "tracking_data.csv", "payouts.csv"]
)
def test_any_of_the_four_may_be_missing(left_out, tmp_path):
    dataset = load(write(tmp_path, {left_out: None}))
    assert len(dataset.check.tables) == 3
    assert len(dataset.reconciliation()) >= 0


# --- structure errors -----------------------------------------------------------------------------------


def error(folder, **settings):
    with pytest.raises(DataError) as raised:
        load(folder, **settings)
    return str(raised.value)


def test_missing_folder_is_named(tmp_path):
    assert error(tmp_path / "none") == (
        f"The folder {tmp_path / 'none'} does not exist. Give the folder that holds the exports."
    )


def test_file_instead_of_folder_is_named(tmp_path):
    write(tmp_path)
    assert error(tmp_path / "posts.csv").endswith(f"Give its folder: {tmp_path}.")


def test_empty_folder_says_what_belongs_there(tmp_path):
    assert error(tmp_path) == (
        f"{tmp_path} has no exports that can be read. "
        "Put CSV, Parquet or Excel exports there; 'hkreport templates' writes empty ones."
    )


def test_missing_column_lists_headers_and_names_the_nearest(tmp_path):
    folder = write(
        tmp_path, {"tracking_data.csv": TRACKING.replace("revenue", "revenu_inr_amt", 1)}
    )
    assert error(folder) == (
        "tracking_data.csv has no column for 'revenue', which tracking needs. Found: 'tracking_id', "
        "'source', 'campaign', 'influencer_id', 'user_id', 'brand', 'product', 'date', 'orders', "
        "'revenu_inr_amt'. Rename 'revenu_inr_amt' to 'revenue', or map it in the params: "
        "data: {columns: {tracking: {revenue: revenu_inr_amt}}}. "
        "To read a table from another file, say --map TABLE=FILE."
    )


def test_all_structural_problems_come_at_once(tmp_path):
    folder = write(
        tmp_path,
        {
            "tracking_data.csv": TRACKING.replace("revenue", "xyz", 1),
            "posts.csv": POSTS.replace("date", "Member Since", 1),
            "payouts.csv": b"",
        },
    )
    said = error(folder)
    assert "tracking_data.csv has no column for 'revenue'" in said
    assert "posts.csv has no column for 'date'" in said
    assert "payouts.csv is empty" in said


def test_column_setting_maps_the_header(tmp_path):
    folder = write(tmp_path, {"tracking_data.csv": TRACKING.replace("revenue", "xyz", 1)})
    dataset = load(folder, columns={"tracking": {"revenue": "XYZ"}})
    assert totals(dataset) == TOTALS
    assert dataset.check.tables["tracking"].columns["revenue"] == "xyz"


def test_column_setting_that_names_no_header_is_an_error(tmp_path):
    said = error(write(tmp_path), columns={"tracking": {"revenue": "revenu"}})
    assert "tracking_data.csv has no column 'revenu', which the settings name for tracking." in said
    assert "Did you mean 'revenue'?" in said


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"files": {"trackng": "x.csv"}}, "'trackng' is not a table."),
        ({"files": {"tracking": "x.csv"}}, "tracking is mapped to 'x.csv', which is not in"),
        ({"columns": {"trackng": {}}}, "'trackng' under columns is not a table."),
        ({"columns": {"tracking": {"revnue": "x"}}}, "'revnue' under columns: tracking is not a column of it."),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(settings, sentence, tmp_path):
    assert sentence in error(write(tmp_path), **settings)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "tracking_data.csv is empty.", id="no_bytes"),
        pytest.param(b"\n\n \n", "tracking_data.csv is empty.", id="blank_lines"),
        pytest.param(b"\0" * 99, "tracking_data.csv is empty.", id="only_nul"),
        pytest.param("\n".join(TRACKING.split("\n")[1:]).encode(), "no header row", id="no_header"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "not a text file", id="picture"),
        pytest.param(gzip.compress(TRACKING.encode())[:-20], "damaged gzip", id="cut_gzip"),
        pytest.param(b"revenue\n1\n", "no header row", id="one_column"),
    ],
)
def test_broken_export_is_an_error_with_a_sentence(content, sentence, tmp_path):
    assert sentence in error(write(tmp_path, {"tracking_data.csv": content}))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("book.xlsx", "book.xlsx is called an Excel workbook but cannot be opened as one"),
        ("more.parquet", "more.parquet is called Parquet but is not."),
    ],
)
def test_broken_file_beside_good_ones_is_a_warning(name, sentence, tmp_path):
    dataset = load(write(tmp_path, {name: b"hello"}))
    said = problem(dataset, "file_not_used")
    assert said.severity == "warning"
    assert sentence in said.message


def test_a_text_is_read_whatever_workbook_it_is_called(tmp_path):
    """Web portals hand out tabs between cells as .xls."""
    dataset = load(
        write(tmp_path, {"tracking_data.csv": None, "orders.xls": TRACKING.replace(",", "\t")})
    )
    assert totals(dataset) == TOTALS
    assert problem(dataset, "not_workbook").severity == "note"
    assert dataset.check.tables["tracking"].file == "orders.xls"


@pytest.mark.parametrize(
    "page", ["<html><table><tr><td>date</td></tr></table>", "\ufeff<?xml version='1.0'?>"]
)
def test_a_web_page_called_a_workbook_is_named_one(page, tmp_path):
    said = error(write(tmp_path, {"tracking_data.csv": None, "orders.xls": page.encode()}))
    assert said.startswith("orders.xls is called an Excel workbook but is a web page or XML")
    assert "Cfb" not in said


@pytest.mark.parametrize("name", ["orders.csv", "orders.txt", "orders.xls", "orders.xlsx"])
def test_a_workbook_is_read_whatever_it_is_called(name, tmp_path):
    workbook, book = openpyxl.Workbook(), io.BytesIO()
    for row in csv.reader(io.StringIO(TRACKING)):
        workbook.active.append(row)
    workbook.save(book)
    dataset = load(write(tmp_path, {"tracking_data.csv": None, name: book.getvalue()}))
    assert totals(dataset) == TOTALS


def test_a_packed_text_called_csv_is_named(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("orders.csv", TRACKING)
    said = error(write(tmp_path, {"tracking_data.csv": packed.getvalue()}))
    assert said.startswith(
        "tracking_data.csv is packed like an Excel workbook but cannot be opened"
    )


def test_a_pipe_among_the_exports_is_not_waited_for(tmp_path):
    write(tmp_path)
    os.mkfifo(tmp_path / "posts_late.csv")
    signal.alarm(60)  # whoever waits for a writer waits for good
    try:
        dataset = load(tmp_path)
    finally:
        signal.alarm(0)
    assert totals(dataset) == TOTALS
    said = [each.message for each in dataset.check.problems if "posts_late.csv" in each.message]
    assert any("posts_late.csv is a pipe or a device, not a file." in each for each in said)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "tracking_data.csv").chmod(0)
    assert "tracking_data.csv cannot be opened" in error(tmp_path)


def test_header_without_rows_is_an_empty_table_with_a_warning(tmp_path):
    dataset = load(write(tmp_path, {"tracking_data.csv": TRACKING.split("\n")[0] + "\n"}))
    assert dataset.check.tables["tracking"].rows_read == 0
    assert problem(dataset, "no_rows").message == "tracking_data.csv has a header but no rows."


# --- malformed rows -------------------------------------------------------------------------------------


def tracking_lines(*changes):
    lines = TRACKING.rstrip("\n").split("\n")
    for place, line in changes:
        lines[place:place] = [line]
    return "\n".join(lines) + "\n"


def test_blank_lines_are_no_rows_but_count_in_row_numbers(tmp_path):
    text = tracking_lines((2, ""), (2, ""), (5, ",,,,,,,,,"))
    dataset = load(write(tmp_path, {"tracking_data.csv": text}))
    assert dataset.check.tables["tracking"].rows_read == 4
    assert records(dataset, "tracking", "tracking_id", "row") == [
        ("T1", 2), ("T2", 5), ("T3", 7), ("T4", 8)]  # fmt: skip


def test_line_breaks_in_quotes_do_not_count_in_row_numbers(tmp_path):
    text = POSTS.replace("Two lines\nof text", "Two\n\n\nlines")
    dataset = load(write(tmp_path, {"posts.csv": text}))
    assert records(dataset, "posts", "post_id", "row", "caption") == [
        ("P1", 2, "Morning routine"), ("P2", 3, "Two\n\n\nlines"), ("P3", 4, "Whey? Why not")]  # fmt: skip


def test_row_with_too_many_fields_is_left_out_with_its_row(tmp_path):
    line = "T9,influencer,a,b,INF_1,U1,HKVitals,Biotin,2025-04-05,3,1950"
    dataset = load(write(tmp_path, {"tracking_data.csv": tracking_lines((2, line))}))
    said = problem(dataset, "malformed")
    assert said.examples[0].row == 3
    assert said.examples[0].value == "11 fields where the header has 10"
    assert totals(dataset)["orders"] == 11 + 0


def test_row_with_too_few_fields_is_reported(tmp_path):
    text = tracking_lines((2, "T9,influencer"))
    dataset = load(write(tmp_path, {"tracking_data.csv": text}))
    assert "first: row 3" in problem(dataset, "short_rows").message
    assert problem(dataset, "missing", "date").examples[0].row == 3
    assert dataset.check.tables["tracking"].rows_quarantined == 1


def test_stray_quote_does_not_swallow_the_rest_of_the_file(tmp_path):
    text = TRACKING.replace("T1,influencer", 'T1,"influencer')
    dataset = load(write(tmp_path, {"tracking_data.csv": text}))
    assert dataset.check.tables["tracking"].rows_used == 4
    assert totals(dataset) == TOTALS
    assert problem(dataset, "stray_quotes").severity == "warning"


def test_inch_sign_inside_a_text_is_kept(tmp_path):
    text = TRACKING.replace("Biotin", 'Mat 6" long', 1).replace("Collagen", '"A ""B"" C"')
    dataset = load(write(tmp_path, {"tracking_data.csv": text}))
    assert [each[0] for each in records(dataset, "tracking", "product")][:2] == [
        'Mat 6" long',
        'A "B" C',
    ]


def test_repeated_header_dots_and_total_are_left_out_and_named(tmp_path):
    header = TRACKING.split("\n")[0]
    text = tracking_lines(
        (3, header), (4, "...,...,...,...,...,...,...,...,...,..."), (7, "Total,,,,,,,,11,7850.5")
    )
    dataset = load(write(tmp_path, {"tracking_data.csv": text}))
    assert {"repeated_header", "placeholder", "total_row"} <= rules(dataset)
    assert problem(dataset, "repeated_header").examples[0].row == 4
    assert problem(dataset, "placeholder").examples[0].row == 5
    assert problem(dataset, "total_row").examples[0].row == 8
    assert dataset.check.tables["tracking"].rows_used == 4
    assert dataset.check.tables["tracking"].rows_read == 7


def test_total_row_of_payouts_is_no_influencer(tmp_path):
    dataset = load(write(tmp_path, {"payouts.csv": PAYOUTS + "Grand Total,,,,2600\n"}))
    assert [each[0] for each in records(dataset, "payouts", "influencer_id")] == ["INF_1", "INF_2"]


def test_latin_1_names_are_read_and_reported(tmp_path):
    text = INFLUENCERS.replace("Asha Rao", "André Lemoîne").encode("latin-1")
    dataset = load(write(tmp_path, {"influencers.csv": text}))
    assert records(dataset, "influencers", "name")[0] == ("André Lemoîne",)
    assert problem(dataset, "encoding").severity == "warning"


@pytest.mark.parametrize("ends", [("\r\n", "\n"), ("\n", "\r\n"), ("\r", "\n")])
def test_a_title_that_ends_otherwise_than_the_lines_below_hides_no_rows(ends, tmp_path):
    """Every order was lost, with a word that the file has no rows."""
    first, other = ends
    titled = f"Orders of June{first}All brands{first}" + TRACKING.replace("\n", other)
    dataset = load(write(tmp_path, {"tracking_data.csv": titled.encode()}))
    assert totals(dataset)["revenue"] == 7850.5


def test_emoji_and_other_scripts_survive(tmp_path):
    text = POSTS.replace("Morning routine", "सुबह 💪, \u200bनमस्ते".replace(",", ";"))
    dataset = load(write(tmp_path, {"posts.csv": text}))
    assert records(dataset, "posts", "caption")[0] == ("सुबह 💪; \u200bनमस्ते",)


def test_header_names_twice_take_the_column_that_holds_numbers(tmp_path):
    text = TRACKING.replace("product,date,orders,revenue", "revenue,date,orders,revenue")
    dataset = load(write(tmp_path, {"tracking_data.csv": text}))
    assert totals(dataset)["revenue"] == 7850.5
    assert problem(dataset, "column_choice").severity == "warning"


# --- columns --------------------------------------------------------------------------------------------


def test_headers_in_any_case_and_punctuation_and_extras_are_kept_aside(tmp_path):
    text = TRACKING.replace("tracking_id,source", "Tracking-ID, SOURCE ").replace(
        "date,orders,revenue", "Order Date,ORDERS,Revenue (INR)"
    )
    text = "\n".join(
        f"{line},x" if at else f"{line},Remarks" for at, line in enumerate(text.splitlines())
    )
    dataset = load(write(tmp_path, {"tracking_data.csv": text}))
    assert totals(dataset) == TOTALS
    assert dataset.check.tables["tracking"].columns["revenue"] == "Revenue (INR)"
    assert dataset.check.tables["tracking"].extra_columns == ("Remarks",)
    assert "'Remarks'" in problem(dataset, "extra_columns").message


def test_shortened_headers_are_read(tmp_path):
    def renamed(text, **headers):
        first, rest = text.split("\n", 1)
        return ",".join(headers.get(each, each) for each in first.split(",")) + "\n" + rest

    influencers = renamed(
        INFLUENCERS, influencer_id="inf_id", name="infl_name", follower_count="FollowerBase"
    )
    posts = renamed(
        POSTS, influencer_id="InfID", date="post_dt", likes="like_cnt", reach="reach_count"
    )
    tracking = renamed(
        TRACKING, tracking_id="ord_no", user_id="cust_id", orders="ord_cnt", revenue="rev_inr"
    )
    payouts = renamed(PAYOUTS, influencer_id="inf id", total_payout="payout_amt_rs")
    files = {"influencers.csv": influencers, "posts.csv": posts}
    files |= {"tracking_data.csv": tracking, "payouts.csv": payouts}
    dataset = load(write(tmp_path, files))
    assert totals(dataset) == TOTALS
    assert dataset.check.tables["tracking"].columns["user_id"] == "cust_id"
    assert "name_as_id" not in rules(dataset)
    assert records(dataset, "influencers", "name", "follower_count")[0] == ("Asha Rao", 125000)


def test_rival_columns_are_named(tmp_path):
    text = "influencer_id,basis,rate,total_payout,amount\nINF_1,post,100,200,999\n"
    dataset = load(write(tmp_path, {"payouts.csv": text}))
    assert totals(dataset)["spend"] == 200
    said = problem(dataset, "column_choice")
    assert said.severity == "warning"
    assert "'total_payout' (₹200 in all) was taken, not 'amount' (₹999 in all)" in said.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("INF_1,100,100\nINF_2,50,50\nTotal,150,\n", "'total_payout' (₹150 in all) was taken", id="same_sums"),
        pytest.param("INF_1,100,on request\n", "'total_payout' (₹100 in all) was taken, not 'amount'.", id="words"),
    ],
)  # fmt: skip
def test_rival_columns_of_one_sum_are_a_note(text, words, tmp_path):
    content = f"influencer_id,total_payout,amount\n{text}"
    said = problem(load(write(tmp_path, {"payouts.csv": content})), "column_choice")
    assert said.severity == "note"
    assert words in said.message


def test_rival_columns_of_a_long_file_are_summed_over_its_first_rows(tmp_path):
    lines = "".join(f"INF_{at},100,90\n" for at in range(500))
    content = f"influencer_id,total_payout,amount\n{lines}"
    said = problem(load(write(tmp_path, {"payouts.csv": content})), "column_choice")
    assert said.severity == "warning"
    assert "in the first rows) was taken, not 'amount' (₹" in said.message


def test_a_rival_that_another_table_of_the_file_has_is_none(tmp_path):
    text = "Date,Influencer,Brand,Orders,Amount,Spend\n2025-04-03,INF_1,HKVitals,3,3000,400\n"
    dataset = load(write(tmp_path, {"tracking_data.csv": text, "payouts.csv": None}))
    assert totals(dataset)["spend"] == 400
    assert "column_choice" not in rules(dataset)


def test_empty_column_gives_way_to_a_filled_one(tmp_path):
    text = "influencer_id,basis,rate,total_payout,amount\nINF_1,post,100,,999\n"
    dataset = load(write(tmp_path, {"payouts.csv": text}))
    assert totals(dataset)["spend"] == 999


def test_fingerprint_is_of_the_files_bytes_and_notices_a_change(tmp_path):
    import hashlib

    dataset = load(write(tmp_path))
    expected = hashlib.sha256(TRACKING.encode()).hexdigest()
    assert dataset.check.fingerprint["tracking_data.csv"] == expected
    other = load(tmp_path)
    (tmp_path / "posts.csv").write_text(POSTS + "P9,INF_1,Instagram,2025-05-01,x,1,1,1\n")
    with pytest.raises(DataError, match=r"posts\.csv changed while it was being used"):
        _ = other.check.fingerprint


def test_progress_is_told_each_step(tmp_path):
    told: list[str] = []
    ingest.load(write(tmp_path), progress=told.append)
    assert "Reading tracking_data.csv" in told


def test_temporary_files_are_gone_when_the_data_set_is(tmp_path, monkeypatch):
    import gc

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    dataset = load(write(tmp_path / "data", {"tracking_data.csv": TRACKING.encode("utf-16")}))
    assert list((tmp_path / "tmp").iterdir())
    del dataset
    gc.collect()
    assert not list((tmp_path / "tmp").iterdir())


def test_order_ids_without_a_count_mean_one_order_a_row(tmp_path):
    text = "Order ID,Order Date,Net Revenue\nO1,2025-06-14,10\n,,\nO2,2025-06-15,5\n"
    dataset = load(only(tmp_path, orders=text))
    assert dataset.check.totals["orders"] == 2
    assert dataset.check.tables["tracking"].rows_read == 2
    assert dataset.check.tables["tracking"].columns["orders"] == "(1 in each row)"
    assert problem(dataset, "constant").severity == "warning"


def test_influencers_with_averages_are_no_summary_but_with_revenue_they_are(tmp_path):
    plain = "id,name,platform,avg_likes,total_posts,rank\n1,A,Instagram,5,7,1\n"
    dataset = load(only(tmp_path / "a", influencers=plain))
    assert dataset.check.tables["influencers"].rows_used == 1
    summary = "id,name,platform,revenue,roas\n1,A,Instagram,5,7\n"
    folder = only(tmp_path / "b", top_influencers=summary, tracking=TRACKING)
    assert "influencers" not in load(folder).check.tables


def test_sales_beside_orders_is_revenue(tmp_path):
    dataset = load(only(tmp_path, tracking="date,orders,sales\n2025-06-14,2,99\n"))
    assert totals(dataset)["revenue"] == 99
    assert totals(dataset)["orders"] == 2


@pytest.mark.parametrize("name", ["orders.json", "payout's.ndjson"])
def test_a_refusal_of_json_says_how_to_make_a_csv_of_it(name, tmp_path):
    only(tmp_path, influencers=INFLUENCERS)
    rows = [
        {"influencer_id": "INF_1", "date": "2025-04-01", "orders": 1, "revenue": 5.25, "total_payout": 3}
    ]  # fmt: skip
    words = json.dumps(rows) if name.endswith(".json") else json.dumps(rows[0]) + "\n\n"
    (tmp_path / name).write_text(words, encoding="utf-8")
    (tmp_path / "settings.json").write_text("{}", encoding="utf-8")
    said = {
        each.message.split(" ", 1)[0]: each.message
        for each in load(tmp_path).check.problems
        if each.rule == "file_not_used"
    }
    assert "CSV:" not in said["settings.json"]
    command = said[name].split("CSV: ", 1)[1].split(" If they stand", 1)[0]
    python, *rest = shlex.split(command)
    assert python == ".venv/bin/python"
    subprocess.run([sys.executable, *rest], check=True, timeout=60)
    assert set(load(tmp_path).check.tables) > {"influencers"}


def test_the_name_of_an_item_is_its_product_before_its_number(tmp_path):
    rows = "date,orders,revenue,SKU,Item Name\n2025-04-01,1,5,X-1,HK Vitals Biotin\n"
    dataset = load(only(tmp_path, tracking=rows))
    assert dataset.check.tables["tracking"].columns["product"] == "Item Name"
    assert set(dataset.check.revenue_by_brand) == {"HKVitals"}
