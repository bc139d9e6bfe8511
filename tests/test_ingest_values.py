"""Cells: numbers, dates, ids, labels and flags in the spellings that exports use."""

import csv
import io
from datetime import date, datetime
from decimal import Decimal

import pytest
from ingest_fixtures import (
    FILES,
    INFLUENCERS,
    TRACKING,
    load,
    only,
    problem,
    records,
    rules,
    write,
)


def table(header, *rows):
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return target.getvalue()


def tracking(cells, column="revenue"):
    """A tracking file whose `column` holds these cells."""
    plain = {"date": "2025-06-14", "orders": "1", "revenue": "10"}
    rows = [[{**plain, column: cell}[name] for name in plain] for cell in cells]
    return table(plain, *rows)


def revenues(folder, cells, **settings):
    dataset = load(only(folder, tracking=tracking(cells)), **settings)
    by_row = dict(records(dataset, "tracking", "row", "revenue"))
    return dataset, [by_row.get(row) for row in range(2, len(cells) + 2)]


# --- numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1234.5", 1234.5),
        ("-20", -20),
        ("+7", 7),
        (" 12 ", 12),
        ("1.5e3", 1500),
        ("₹1,23,456.50", 123456.5),
        ("₹ 500", 500),
        ("Rs. 1,200/-", 1200),
        ("INR 99", 99),
        ("1,234,567", 1234567),
        ("12,34,567.25", 1234567.25),
        ("(500)", -500),
        ("(₹1,500.50)", -1500.5),
        ("-₹500", -500),
        ("500-", -500),
        ("−500", -500),
        ("1.2L", 120000),
        ("1.5 lakh", 150000),
        ("2 Lacs", 200000),
        ("3 Cr", 30000000),
        ("0.5 crore", 5000000),
        ("1.2K", 1200),
        ("3M", 3000000),
        ("1'234.50", 1234.5),
        ("1\u00a0234.50", 1234.5),
    ],
)
def test_amounts_in_many_spellings(cell, value, tmp_path):
    dataset, found = revenues(tmp_path, [cell, "10.5"])
    assert found == [value, 10.5]
    assert dataset.check.totals["revenue"] == Decimal(str(value)) + Decimal("10.5")


@pytest.mark.parametrize(
    "cell",
    [
        "abc",
        "12 apples",
        "1,2,3",
        "--5",
        "(5",
        "5)",
        "inf",
        "12%",
        "$100",
        "1e30",
        "12,5",
        "9" * 15,
    ],
)
def test_unreadable_amount_leaves_the_row_out_with_cell_and_row(cell, tmp_path):
    dataset, found = revenues(tmp_path, ["1.5", cell, "2"])
    assert found == [1.5, None, 2]
    said = problem(dataset, "unreadable")
    assert (said.table, said.column, said.severity, said.count) == (
        "tracking",
        "revenue",
        "error",
        1,
    )
    assert (said.examples[0].row, said.examples[0].value) == (3, cell)
    assert said.message == (
        "tracking.csv: 1 row left out: revenue cannot be read as an amount. Write revenue as a plain number, "
        f"such as 1299.00. (first: row 3, {cell})."
    )


@pytest.mark.parametrize(
    "cell", ["", "NaN", "NA", "n/a", "null", "None", "-", "--", "#N/A", " nil "]
)
def test_words_for_nothing_are_missing_not_unreadable(cell, tmp_path):
    dataset, found = revenues(tmp_path, ["1.5", cell])
    assert found == [1.5, None]
    assert problem(dataset, "missing").examples[0].row == 3
    assert "unreadable" not in rules(dataset)


def test_reformatted_amounts_are_noted_with_count_and_first_cell(tmp_path):
    dataset, _ = revenues(tmp_path, ["₹1,200", "1.2L", "(5)", "7"])
    assert problem(dataset, "number_formatted").message.endswith("(first: row 2, '₹1,200').")
    assert problem(dataset, "number_scaled").count == 1
    assert problem(dataset, "number_brackets").examples[0].row == 4


def test_european_column_is_read_with_a_decimal_comma_and_said_so(tmp_path):
    dataset, found = revenues(tmp_path, ["1.234,50", "12,5", "1.234", "99", "1.234.567"])
    assert found == [1234.5, 12.5, 1234, 99, 1234567]
    assert "1.234,50 is 1234.50" in problem(dataset, "decimal_comma").message


def test_indian_column_keeps_the_decimal_point(tmp_path):
    dataset, found = revenues(tmp_path, ["1,234.50", "1.234", "1,234"])
    assert found == [1234.5, 1.234, 1234]
    assert "decimal_comma" not in rules(dataset)


def test_comma_decimals_late_in_the_file_are_found_over_the_whole_column(tmp_path):
    cells = ["100"] * 1000 + ["1.234"] * 3 + ["12,5"] * 5
    dataset, found = revenues(tmp_path, cells)
    assert found[-8:] == [1234] * 3 + [12.5] * 5
    assert "decimal_comma" in rules(dataset)


def test_thousand_dots_in_a_count_are_thousands(tmp_path):
    text = (
        INFLUENCERS.replace("125000", "125.000").replace("84000", "84.000").replace("9000", "950")
    )
    dataset = load(write(tmp_path, {"influencers.csv": text}))
    assert [each[0] for each in records(dataset, "influencers", "follower_count")] == [
        125000,
        84000,
        950,
    ]
    assert "decimal_comma" in rules(dataset)


def test_counts_written_as_floats_with_three_decimals_stay_small(tmp_path):
    text = (
        INFLUENCERS.replace("125000", "125.000").replace("84000", "84.000").replace("9000", "9.000")
    )
    dataset = load(write(tmp_path, {"influencers.csv": text}))
    assert [each[0] for each in records(dataset, "influencers", "follower_count")] == [125, 84, 9]


def test_amounts_that_all_look_like_thousands_are_doubted_aloud(tmp_path):
    dataset, found = revenues(tmp_path, ["1.234", "2.345", "12.999", "7"])
    assert found == [1.234, 2.345, 12.999, 7]
    assert problem(dataset, "doubtful_thousands").count == 3


def test_unit_in_the_header_multiplies_and_is_said(tmp_path):
    text = tracking(["1.5", "2"]).replace("revenue", "Revenue (₹ lakh)")
    dataset = load(only(tmp_path, tracking=text))
    assert [each[0] for each in records(dataset, "tracking", "revenue")] == [150000, 200000]
    assert dataset.check.totals["revenue"] == 350000
    assert problem(dataset, "header_unit").severity == "warning"


def test_column_wholly_in_dollars_is_taken_as_it_is_with_a_warning(tmp_path):
    dataset, found = revenues(tmp_path, ["$10", "$2.50"])
    assert found == [10, 2.5]
    assert problem(dataset, "foreign_currency").severity == "warning"


def test_sums_use_all_decimals_though_values_keep_six(tmp_path):
    cells = ["0.1234567891234567", "-0.9999999999999999", "1.25e-07", "2.5"]
    dataset, found = revenues(tmp_path, cells)
    assert found == [0.123457, -1, 0, 2.5]
    assert dataset.check.totals["revenue"] == sum(Decimal(cell) for cell in cells)
    assert problem(dataset, "rounded").count == 3


def test_quarantined_rows_count_in_totals_where_their_value_is_readable(tmp_path):
    text = tracking(["10", "20"]).replace("2025-06-14,1,20", "someday,1,20")
    dataset = load(only(tmp_path, tracking=text))
    assert dataset.check.tables["tracking"].rows_used == 1
    assert dataset.check.totals["revenue"] == 30
    assert dataset.check.totals["orders"] == 2


def test_impossible_value_leaves_the_row_out(tmp_path):
    text = FILES["posts.csv"].replace("40000,900", "-250,900")
    dataset = load(write(tmp_path, {"posts.csv": text}))
    said = problem(dataset, "impossible")
    assert said.message == (
        "posts.csv: 1 row left out: reach is below 0. reach must be 0 or more. (first: row 2, -250)."
    )
    assert [each[0] for each in records(dataset, "posts", "post_id")] == ["P2", "P3"]


def test_unreadable_optional_value_becomes_empty_and_the_row_is_used(tmp_path):
    text = FILES["posts.csv"].replace("40000,900", "many,900")
    dataset = load(write(tmp_path, {"posts.csv": text}))
    assert records(dataset, "posts", "post_id", "reach")[0] == ("P1", None)
    said = problem(dataset, "unreadable")
    assert said.severity == "warning"
    assert said.message == (
        "posts.csv: reach cannot be read as a number in 1 row and is taken as empty (first: row 2, many)."
    )


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["3.4%", "2%"], [0.034, 0.02]),
        (["3.4", "2"], [0.034, 0.02]),
        (["0.034", "0.02"], [0.034, 0.02]),
        (["3.4", "2%"], [0.034, 0.02]),
    ],
)
def test_shares_may_be_percentages(cells, values, tmp_path):
    text = table(
        ["id", "name", "platform", "engagement_rate"],
        *[[str(n), f"N{n}", "Instagram", cell] for n, cell in enumerate(cells)],
    )
    dataset = load(only(tmp_path, influencers=text))
    found = [float(each[0]) for each in records(dataset, "influencers", "engagement_rate_baseline")]
    assert found == pytest.approx(values)
    assert ("percent_numbers" in rules(dataset)) == (cells[0] in ("3.4",))


# --- dates ----------------------------------------------------------------------------------------------


def dates(folder, cells, **settings):
    dataset = load(only(folder, tracking=tracking(cells, "date")), **settings)
    by_row = dict(records(dataset, "tracking", "row", "date"))
    return dataset, [by_row.get(row) for row in range(2, len(cells) + 2)]


JUNE_14 = date(2025, 6, 14)


@pytest.mark.parametrize(
    "cell",
    [
        "2025-06-14",
        "2025-6-14",
        "2025/06/14",
        "2025-06-14 18:05:00",
        "2025-06-14T18:05:00",
        "2025-06-14 18:05:00.123456",
        "2025-06-14 18:05",
        "2025-06-14T23:05:00+05:30",
        "2025-06-14T18:05:00Z",
        "2025-06-13T18:35:00Z",
        "2025-06-14 00:30:00 IST",
        "14/06/2025",
        "14-06-2025",
        "14.06.2025",
        "6/14/2025",
        "06/14/2025 6:05 PM",
        "14-06-25",
        "14 Jun 2025",
        "14-Jun-25",
        "June 14, 2025",
        "Sat, 14 June 2025",
        "14th June 2025",
        "20250614",
        "45822",
        "45822.75",
        "1749880000",
        "1749880000000",
    ],
)
def test_day_in_many_spellings(cell, tmp_path):
    _, found = dates(tmp_path, [cell])
    assert found == [JUNE_14]


@pytest.mark.parametrize(
    "cell",
    [
        "soon",
        "2025-13-01",
        "31/02/2025",
        "99/99/2025",
        "2025-06-14 foo",
        "0025-01-01",
        "14/06",
        "12",
    ],
)
def test_unreadable_date_leaves_the_row_out(cell, tmp_path):
    dataset, found = dates(tmp_path, ["2025-06-14", cell])
    assert found == [JUNE_14, None]
    assert problem(dataset, "unreadable", "date").examples[0].value == cell


def test_one_clear_value_decides_month_first_for_the_whole_column(tmp_path):
    dataset, found = dates(tmp_path, ["4/6/2025", "6/14/2025", "12/1/2025"])
    assert found == [date(2025, 4, 6), JUNE_14, date(2025, 12, 1)]
    said = problem(dataset, "date_order")
    assert said.severity == "note"
    assert said.count == 2
    assert "read month first, because 1 cell allow" in said.message.replace("allows", "allow")
    assert dataset.check.derived["dates"]["tracking.date"]["format"] == "month first"


def test_clear_value_far_down_turns_the_dates_read_before_it(tmp_path):
    dataset, found = dates(tmp_path, ["04/06/2025"] * 900 + ["06/14/2025"])
    assert found[0] == date(2025, 4, 6)
    assert found[-1] == JUNE_14
    assert dataset.check.derived["dates"]["tracking.date"]["chosen_by"] == "data"


def test_wholly_ambiguous_column_is_day_first_and_said_with_how_to_overrule(tmp_path):
    dataset, found = dates(tmp_path, ["04-06-2025", "05-06-2025"])
    assert found == [date(2025, 6, 4), date(2025, 6, 5)]
    said = problem(dataset, "ambiguous_dates")
    assert said.severity == "warning"
    assert said.message == (
        "tracking.csv: date does not show whether the day or the month comes first; 2 cells could be read both "
        "ways and were read day first (first: row 2, '04-06-2025'). If that is wrong, set "
        "data: day_first: {tracking.date: false} in the params."
    )


@pytest.mark.parametrize("key", ["tracking.date", "tracking"])
def test_setting_overrules_the_order(key, tmp_path):
    dataset, found = dates(tmp_path, ["04-06-2025", "05-06-2025"], day_first={key: False})
    assert found == [date(2025, 4, 6), date(2025, 5, 6)]
    assert "ambiguous_dates" not in rules(dataset)
    assert dataset.check.derived["dates"]["tracking.date"]["chosen_by"] == "setting"


def test_mixed_orders_are_read_the_only_way_they_can_and_reported(tmp_path):
    dataset, found = dates(tmp_path, ["13/06/2025", "14/06/2025", "06/15/2025", "01/02/2025"])
    assert found == [date(2025, 6, 13), JUNE_14, date(2025, 6, 15), date(2025, 2, 1)]
    said = problem(dataset, "mixed_date_order")
    assert said.count == 1
    assert (said.examples[0].row, said.examples[0].value) == (4, "06/15/2025")


def test_iso_and_day_first_in_one_column(tmp_path):
    _, found = dates(tmp_path, ["2025-06-14", "14/06/2025", "04/06/2025", "2025-06-04"])
    assert found == [JUNE_14, JUNE_14, date(2025, 6, 4), date(2025, 6, 4)]


def test_default_order_is_questioned_where_another_column_is_month_first(tmp_path):
    posts = "influencer_id,date,reach\nINF_1,06/14/2025,5\n"
    folder = only(tmp_path, posts=posts, tracking=tracking(["04/06/2025"], "date"))
    dataset = load(folder)
    assert (
        "posts.date in the same folder can only be month first"
        in problem(dataset, "date_order_differs").message
    )


def test_zones_move_to_indian_days_and_are_counted(tmp_path):
    dataset, found = dates(tmp_path, ["2025-06-30T20:00:00Z", "2025-06-30 20:00:00"])
    assert found == [date(2025, 7, 1), date(2025, 6, 30)]
    assert problem(dataset, "date_zone").count == 1


def test_touchpoints_keep_the_time(tmp_path):
    text = "user_id,timestamp,influencer_id,touch\nU1,14/06/2025 18:05,INF_1,Click\nU1,2025-06-14T10:00:00Z,INF_1,viewed\n"
    dataset = load(only(tmp_path, touchpoints=text))
    assert records(dataset, "touchpoints", "timestamp", "touch") == [
        (datetime(2025, 6, 14, 18, 5), "click"),
        (datetime(2025, 6, 14, 15, 30), "view"),
    ]


def test_future_dates_are_reported_against_as_of_only(tmp_path):
    dataset, _ = dates(tmp_path / "a", ["2025-06-14", "2025-06-20"], as_of=date(2025, 6, 15))
    said = problem(dataset, "future_date")
    assert said.count == 1
    words = "tracking: 1 row has a date after 2025-06-15 (first: row 3, 2025-06-20)."
    assert said.message == words
    dataset, _ = dates(tmp_path / "b", ["2025-06-14", "2025-06-20"])
    assert "future_date" not in rules(dataset)


# --- ids ------------------------------------------------------------------------------------------------


def test_ids_as_floats_and_in_other_case_are_the_same_influencer(tmp_path):
    influencers = "id,name,platform\n17,A,Instagram\nINF_002,B,YouTube\n"
    tracked = "date,orders,revenue,influencer_id\n2025-06-14,1,10,17.0\n2025-06-14,1,10,inf_002\n2025-06-14,1,10,\n"
    dataset = load(only(tmp_path, influencers=influencers, tracking=tracked))
    assert records(dataset, "tracking", "influencer_id") == [("17",), ("INF_002",), (None,)]
    said = problem(dataset, "id_matched")
    assert said.count == 1
    assert "inf_002 → INF_002" in said.message


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ("inf 002", "without regard to punctuation"),
        ("INF-2", "without leading zeros"),
        ("Bela Sen", "by name"),
    ],
)
def test_unmatched_ids_match_by_weaker_likeness_and_say_so(given, level, tmp_path):
    influencers = "id,name,platform\nINF_001,Ali Roy,Instagram\nINF_002,Bela Sen,YouTube\n"
    tracked = f"date,orders,revenue,influencer_id\n2025-06-14,1,10,{given}\n"
    dataset = load(only(tmp_path, influencers=influencers, tracking=tracked))
    assert records(dataset, "tracking", "influencer_id") == [("INF_002",)]
    assert f"an influencer only {level}" in problem(dataset, "id_matched").message


def test_likeness_with_two_influencers_matches_none(tmp_path):
    influencers = "id,name,platform\nInf_1,A,Instagram\nINF_1,B,YouTube\n"
    tracked = "date,orders,revenue,influencer_id\n2025-06-14,1,10,inf_1\n"
    dataset = load(only(tmp_path, influencers=influencers, tracking=tracked))
    assert records(dataset, "tracking", "influencer_id") == [("inf_1",)]
    assert problem(dataset, "unknown_influencer").count == 1


# --- labels and flags -----------------------------------------------------------------------------------


def test_platform_gender_and_category_get_one_spelling_with_a_note(tmp_path):
    influencers = (
        "id,name,category,gender,platform\n1,A,Fitness,F,Insta\n2,B,fitness,male,IG\n3,C,FITNESS ,Non-binary,x\n"
        "4,D,Fitness,unknown,Koo\n5,E,Yoga,dog,youtube shorts\n"
    )
    dataset = load(only(tmp_path, influencers=influencers))
    assert records(dataset, "influencers", "platform", "gender", "category") == [
        ("Instagram", "Female", "Fitness"),
        ("Instagram", "Male", "Fitness"),
        ("Twitter", "Other", "Fitness"),
        ("Koo", None, "Fitness"),
        ("YouTube", None, "Yoga"),
    ]
    assert problem(dataset, "unknown_value", "gender").examples[0].value == "dog"
    assert problem(dataset, "spelling", "platform").count == 4


def test_payout_basis_in_any_spelling(tmp_path):
    text = "influencer_id,Payout Type,total_payout\n" + "".join(
        f"I{n},{basis},5\n"
        for n, basis in enumerate(["Post", "PER ORDER", "commission", "Hybrid", "barter", ""])
    )
    dataset = load(only(tmp_path, payouts=text))
    assert [each[0] for each in records(dataset, "payouts", "basis")] == [
        "post", "order", "order", "hybrid", None, None]  # fmt: skip


def test_flags_in_many_spellings(tmp_path):
    cells = ["yes", "No", "1", "0.0", "TRUE", "f", "", "maybe"]
    text = table(
        ["date", "orders", "revenue", "incremental_flag"], *[["2025-06-14", 1, 5, c] for c in cells]
    )
    dataset = load(only(tmp_path, tracking=text))
    assert [each[0] for each in records(dataset, "tracking", "incremental_flag")] == [
        True, False, True, False, True, False, None, None]  # fmt: skip
    assert problem(dataset, "unreadable").examples[0].value == "maybe"


@pytest.mark.parametrize(
    ("source", "identity", "channel"),
    [
        ("influencer", "INF_1", "influencer"),
        ("influencer", "", "influencer"),
        ("Instagram_influencer", "INF_1", "influencer"),
        ("Organic", "", "organic"),
        ("organic search", "INF_1", "organic"),
        ("Paid", "INF_1", "influencer"),
        ("Paid Ads", "", "paid"),
        ("Instagram", "INF_1", "influencer"),
        ("BioLink", "", "unattributed"),
        ("organic-farms.com", "INF_1", "influencer"),
        ("", "", "unattributed"),
        ("non-organic", "", "unattributed"),
    ],
)
def test_channel_of_an_order(source, identity, channel, tmp_path):
    text = table(["source", "influencer_id", "date", "orders", "revenue"],
                 [source, identity, "2025-06-14", 1, 5])  # fmt: skip
    dataset = load(only(tmp_path, tracking=text))
    assert records(dataset, "tracking", "channel") == [(channel,)]


def test_texts_are_trimmed_of_every_kind_of_blank(tmp_path):
    text = TRACKING.replace("Biotin", " \u00a0Biotin\u200b ")
    dataset = load(write(tmp_path, {"tracking_data.csv": text}))
    assert records(dataset, "tracking", "product")[0] == ("Biotin",)


@pytest.mark.parametrize(
    ("cell", "day"),
    [("2025-02", date(2025, 2, 1)), ("Feb-25", date(2025, 2, 1)), ("february 2025", date(2025, 2, 1)),
     ("2025/11", date(2025, 11, 1)), ("Sept, 2025", date(2025, 9, 1)), ("06/2025", date(2025, 6, 1)),
     ("6 - 2025", date(2025, 6, 1))],
)  # fmt: skip
def test_a_month_without_a_day_is_read_as_its_first_and_said(cell, day, tmp_path):
    dataset = load(only(tmp_path, tracking=f'date,orders,revenue\n"{cell}",1,5\n'))
    assert records(dataset, "tracking", "date") == [(day,)]
    assert cell in problem(dataset, "date_month").message


@pytest.mark.parametrize(
    ("cell", "day"),
    [("2025-W23", date(2025, 6, 2)), ("2025W1", date(2024, 12, 30)), ("W53 2020", date(2020, 12, 28)),
     ("KW 5/2025", date(2025, 1, 27)), ("Week 23, 2025", date(2025, 6, 2))],
)  # fmt: skip
def test_a_week_is_read_as_its_monday_and_said(cell, day, tmp_path):
    dataset = load(only(tmp_path, tracking=f'Week,orders,revenue\n"{cell}",1,5\n'))
    assert records(dataset, "tracking", "date") == [(day,)]
    assert cell in problem(dataset, "date_week").message


@pytest.mark.parametrize(
    ("cell", "day"),
    [("5 जनवरी 2025", date(2025, 1, 5)), ("07 फ़रवरी 2025", date(2025, 2, 7)), ("मई 2025", date(2025, 5, 1)),
     ("07 \u095eरवरी 2025", date(2025, 2, 7)), ("9 अगस्त 2025", date(2025, 8, 9)), ("05. März 2025", date(2025, 3, 5)),
     ("7 Dez. 2025", date(2025, 12, 7)), ("1er juil. 2025", date(2025, 7, 1)), ("5 février 2025", date(2025, 2, 5)),
     ("7 août 2025 10:20", date(2025, 8, 7)), ("Mai 25, 2025", date(2025, 5, 25)), ("9 dic 2025", date(2025, 12, 9))],
)  # fmt: skip
def test_months_have_names_in_other_languages(cell, day, tmp_path):
    dataset = load(only(tmp_path, tracking=f'date,orders,revenue\n"{cell}",1,5\n'))
    assert records(dataset, "tracking", "date") == [(day,)]


@pytest.mark.parametrize(
    "cell", ["2025-13", "13/2025", "Feb 25", "Smarch 2025", "25-02", "2025-W54", "2021-W53", "W23"]
)
def test_what_may_be_no_month_is_left_out(cell, tmp_path):
    dataset = load(only(tmp_path, tracking=f"date,orders,revenue\n{cell},1,5\n"))
    assert problem(dataset, "unreadable").examples[0].value == cell
