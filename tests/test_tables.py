"""Tables say the same in HTML, Typst and CSV, and text from data acts nowhere."""

import csv
import io
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hkreport import metrics as m
from hkreport.errors import InputError
from hkreport.metrics import Direction
from hkreport.tables import Bands, Col, Sentence, Table, Tile, Tiles, bands, key_text, number
from hkreport.units import Unit

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "typst": '#read("/etc/passwd")',
    "math": "$x_1$ $$",
    "markdown": "*b* _i_ [l](u) ![a](b)",
    "backticks": "`a` ``` b ````",
    "quotes": "a\"b'c\\",
    "newline": "line\nbreak\r\n\ttab",
    "emoji": "Asha 😀👩🏽‍🚀",
    "devanagari": "श्रेया घोष",
    "right_to_left": "\u202eevil\u202c",
    "shortcode": "{{< env HOME >}} {{{< x >}}}",
    "fence": "```\n#panic()\n```",
    "reference": "@fig-a <lbl>",
    "control": "a\x00b\x1bc",
}


def two_rows() -> pd.DataFrame:
    return pd.DataFrame(
        {"influencer": ["Asha", "Ravi & Co"], "spend": [123456.0, 0.0], "roas": [2.31, np.nan]}
    )


def simple(**options: Any) -> Table:
    return Table.from_metrics(
        two_rows(),
        keys=["influencer"],
        metrics=[Col.of(m.SPEND, caveat=""), Col.of(m.ROAS, caveat="")],
        bands={"roas": Bands(good=3.0, ok=1.0)},
        **options,
    )


def test_html_of_a_small_table() -> None:
    assert simple(label="Top influencers").html == (
        '<div class="hk-scroll" tabindex="0" role="region" aria-label="Top influencers">\n'
        '<table class="hk-table">\n'
        "<thead>\n"
        '<tr><th scope="col">Influencer</th><th scope="col" class="num">Spend</th>'
        '<th scope="col" class="num">ROAS</th></tr>\n'
        "</thead>\n"
        "<tbody>\n"
        '<tr><th scope="row">Asha</th><td class="num">₹1,23,456</td>'
        '<td class="num band-ok">2.3×</td></tr>\n'
        '<tr><th scope="row">Ravi &amp; Co</th><td class="num">₹0</td>'
        '<td class="num">n/a (no spend)</td></tr>\n'
        "</tbody>\n"
        "</table>\n"
        "</div>"
    )


def test_typst_of_a_small_table() -> None:
    assert simple().typst == (
        "#hk-table(\n"
        "  columns: (\n"
        '    (label: "Influencer"),\n'
        '    (label: "Spend", num: true),\n'
        '    (label: "ROAS", num: true),\n'
        "  ),\n"
        "  rows: (\n"
        '    ("Asha", "₹1,23,456", (text: "2.3×", band: "ok"),),\n'
        '    ("Ravi & Co", "₹0", "n/a (no spend)",),\n'
        "  ),\n"
        ")"
    )


def test_csv_holds_raw_numbers_under_canonical_names() -> None:
    assert simple().csv == "influencer,spend,roas\nAsha,123456,2.31\nRavi & Co,0,\n"


def test_caveats_of_the_metrics_are_printed_once_below() -> None:
    same = [Col.of(metric, caveat="Allocated.") for metric in (m.SPEND, m.ROAS)]
    table = Table.from_metrics(two_rows(), keys=["influencer"], metrics=same, note="N.")
    note = "N. Spend, ROAS: Allocated."
    assert table.html.endswith(f'<p class="hk-note">{note}</p>')
    assert f'note: "{note}"' in table.typst


def test_total_group_alert_and_spanner_rows() -> None:
    frame = two_rows().assign(tier=["micro", "mega"], odd=[False, True])
    table = Table(
        frame,
        [Col.key("influencer"), Col.of(m.SPEND, spanner="Money"), Col.of(m.ROAS, spanner="Money")],
        total={"influencer": "Total", "spend": 123456.0},
        group="tier",
        alert="odd",
    )
    assert '<th colspan="2" scope="colgroup" class="hk-spanner">Money</th>' in table.html
    assert '<tr class="hk-group"><th colspan="3" scope="colgroup">micro</th></tr>' in table.html
    assert '<tr class="hk-alert"><th scope="row">Ravi &amp; Co</th>' in table.html
    total = '<th scope="row">Total</th><td class="num">₹1,23,456</td><td class="num"></td>'
    assert f'<tr class="hk-total">{total}</tr>' in table.html
    assert 'spanners: ((label: "", span: 1), (label: "Money", span: 2),),' in table.typst
    assert '(kind: "group", text: "mega"),' in table.typst
    assert '(kind: "alert", cells: ("Ravi & Co", "₹0", "n/a (no spend)",)),' in table.typst
    assert '(kind: "total", cells: ("Total", "₹1,23,456", "",)),' in table.typst


def test_one_column_is_still_an_array_in_typst() -> None:
    table = Table(pd.DataFrame({"tier": ["micro"]}), [Col.key("tier")])
    assert '    ("micro",),\n' in table.typst


def test_interval_change_and_width() -> None:
    frame = pd.DataFrame({"d": [0.12, -0.5], "low": [0.1, np.nan], "high": [0.2, np.nan]})
    column = Col(
        name="d",
        label="Change",
        unit=Unit.PERCENT,
        change=True,
        low="low",
        high="high",
        width="18mm",
    )
    table = Table(frame, [column])
    assert "+12.0% (10.0% to 20.0%)" in table.html
    assert ">−50.0%<" in table.html
    assert '(label: "Change", num: true, width: 18mm)' in table.typst
    assert table.csv == "d,low,high\n0.12,0.1,0.2\n-0.5,,\n"


def test_widths_that_are_no_lengths_are_left_out() -> None:
    table = Table(two_rows(), [Col.key("influencer", width='1fr), #read("x")')])
    assert "width" not in table.typst


def test_verdicts_may_come_from_a_column() -> None:
    frame = two_rows().assign(verdict=["Good", None])
    table = Table(frame, [Col.key("influencer"), Col.of(m.ROAS, band="verdict")])
    assert '<td class="num band-good">2.3×</td>' in table.html
    assert '<td class="num">n/a (no spend)</td>' in table.html


def test_bands_of_costs_are_better_when_lower() -> None:
    cost = Bands(good=200.0, ok=400.0, direction=Direction.DOWN)
    assert [cost.verdict(value) for value in (100, 200, 400, 401, None)] == [
        "good", "good", "ok", "poor", "",
    ]  # fmt: skip


def test_bands_of_params() -> None:
    limits = {"roas": SimpleNamespace(poor=1.0, good=3.0)}
    assert bands(limits)["roas"] == Bands(good=3.0, ok=1.0)


def test_long_tables_refer_to_the_file() -> None:
    frame = pd.DataFrame({"influencer": [f"i{at}" for at in range(700)]})
    table = Table(frame, [Col.key("influencer")], file="influencers")
    assert table.typst.count('",),') == 40
    assert 'note: "… and 660 more: see influencers.csv."' in table.typst
    assert table.html.count("<tr>") == 501
    assert table.html.startswith('<div class="hk-scroll hk-tall" tabindex="0"')
    assert "… and 200 more: see influencers.csv." in table.html
    assert table.csv.count("\n") == 701


def test_long_tables_without_a_file_say_what_is_left_out() -> None:
    frame = pd.DataFrame({"influencer": [f"i{at}" for at in range(41)]})
    assert "… and 1 more not shown." in Table(frame, [Col.key("influencer")]).typst


def test_row_order_is_kept() -> None:
    frame = pd.DataFrame({"tier": ["b", "a", "c"]})
    assert Table(frame, [Col.key("tier")]).csv == "tier\nb\na\nc\n"


def test_missing_column_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        Table(two_rows(), [Col.key("influencr")], label="Top")
    assert str(caught.value) == (
        "Table 'Top': the frame has no column 'influencr'. Found: 'influencer', 'spend', 'roas'. "
        "Did you mean 'influencer'? Compute it first, or name another column."
    )


def test_file_names_cannot_leave_the_folder() -> None:
    with pytest.raises(InputError, match=r"file is '\.\./x'; allowed are"):
        Table(two_rows(), [Col.key("influencer")], file="../x")


# Text from data


class Reader(HTMLParser):
    """Elements and text of a fragment."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def hostile_table() -> Table:
    frame = pd.DataFrame(
        {"influencer": list(HOSTILE.values()), "tier": "a`b", "spend": 1.0, "roas": 2.0}
    )
    columns = [
        Col.key("influencer"),
        Col(name="spend", label=HOSTILE["typst"], unit=Unit.MONEY, spanner=HOSTILE["fence"]),
        Col.of(m.ROAS, band=Bands(good=1, ok=0), reason=HOSTILE["backticks"]),
    ]
    return Table(
        frame,
        columns,
        note=HOSTILE["fence"],
        group="tier",
        label=HOSTILE["quotes"],
        total={"influencer": HOSTILE["script"], "spend": None},
    )


def test_hostile_text_adds_no_element_and_no_attribute() -> None:
    reader = Reader()
    reader.feed(hostile_table().html)
    assert reader.tags == {"div", "table", "thead", "tbody", "tr", "th", "td", "p"}
    assert reader.attributes == {
        "class", "tabindex", "role", "aria-label", "colspan", "scope",
    }  # fmt: skip
    assert HOSTILE["script"] in reader.text
    assert HOSTILE["quotes"] in reader.text


def test_hostile_text_cannot_end_a_raw_block() -> None:
    data, _ = hostile_table()._repr_mimebundle_()
    blocks = re.findall(r"^```.*$", data["text/markdown"], flags=re.MULTILINE)
    assert blocks == ["```{=html}", "```", "```{=typst}", "```"]
    assert "{{<" not in data["text/markdown"]


def test_hostile_text_stays_inside_typst_strings() -> None:
    typst = hostile_table().typst
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", typst)
    assert re.fullmatch(r"[#a-z\-():, \n0-9]*", outside)


def test_hostile_text_cannot_run_in_a_spreadsheet() -> None:
    risky = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "'ok", "a=1"]
    table = Table(pd.DataFrame({"influencer": risky}), [Col.key("influencer")])
    cells = [row[0] for row in csv.reader(io.StringIO(table.csv))][1:]
    assert cells == [
        "'=1+1", "'+1", "'-1", "'@SUM(A1)", "'=1", "'=1", "'=1", "'＝1", "'ok", "a=1",
    ]  # fmt: skip


def test_negative_numbers_stay_numbers_in_the_csv() -> None:
    table = Table(pd.DataFrame({"spend": [-36.5, -2.0]}), [Col.of(m.SPEND)])
    assert table.csv == "spend\n-36.5\n-2\n"


def test_sentence_is_inert_markdown() -> None:
    data, _ = Sentence("No *posts* by <b>@x</b>.")._repr_mimebundle_()
    assert data["text/markdown"] == r"No \*posts\* by \<b\>\@x\<\/b\>\."


def test_table_without_rows_is_a_sentence() -> None:
    data, _ = Table(two_rows().iloc[:0], [Col.key("influencer")])._repr_mimebundle_()
    assert data["text/markdown"] == r"Nothing in this selection\."


def test_details_fold_the_table_away() -> None:
    details = simple().details
    assert details.startswith('<details class="hk-data"><summary>Data</summary>\n<div')
    assert details.endswith("</div>\n</details>")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("month", "2025-04", "Apr 2025"),
        ("quarter", "2025-Q2", "Q2 2025"),
        ("year", "2025", "2025"),
        ("week", "2025-03-31", "31 Mar 2025"),
        ("day", pd.Timestamp("2025-04-03 10:00"), "3 Apr 2025"),
        ("month", "unassigned", "unassigned"),
        ("tier", "2025-04", "2025-04"),
        ("tier", float("nan"), "–"),
        ("tier", pd.NA, "–"),
        ("tier", pd.NaT, "–"),
        ("is_new", True, "yes"),
        ("tier", "", "–"),
    ],
)
def test_keys_are_written_as_readers_say_them(name: str, value: object, expected: str) -> None:
    assert key_text(name, value) == expected


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT, "x", ""], ids=repr)
def test_what_is_no_number_is_nan(value: object) -> None:
    assert np.isnan(number(value))


# Tiles


def test_html_and_typst_of_tiles() -> None:
    tiles = Tiles(
        [
            Tile.of(m.REVENUE, 12345678.0, previous=1.1e7, previous_label="2025-Q1", lead=True),
            Tile.of(m.ROAS, None),
        ]
    )
    assert tiles.html == (
        '<dl class="hk-tiles">\n'
        '<div class="hk-tile hk-lead">\n'
        '<dt class="hk-label">Revenue</dt>\n'
        '<dd class="hk-value">₹1.23 Cr</dd>\n'
        '<dd class="hk-delta up good">+12.2% on 2025-Q1</dd>\n'
        "</div>\n"
        '<div class="hk-tile">\n'
        '<dt class="hk-label">ROAS</dt>\n'
        '<dd class="hk-value">n/a</dd>\n'
        '<dd class="hk-note">no spend</dd>\n'
        "</div>\n"
        "</dl>"
    )
    assert tiles.typst == (
        "#hk-tiles(\n"
        '  (label: "Revenue", value: "₹1.23 Cr", delta: "+12.2% on 2025-Q1", trend: "up", '
        'verdict: "good", lead: true),\n'
        '  (label: "ROAS", value: "n/a", note: ("no spend",)),\n'
        ")"
    )


@pytest.mark.parametrize(
    ("unit", "value", "previous", "delta", "trend"),
    [
        pytest.param(Unit.MONEY, 110.0, 100.0, "+10.0% on Q1", "up", id="money_relative"),
        pytest.param(Unit.COUNT, 90.0, 100.0, "−10.0% on Q1", "down", id="count_relative"),
        pytest.param(Unit.PERCENT, 0.034, 0.041, "−0.70 points on Q1", "down", id="percent_points"),
        pytest.param(Unit.MULTIPLE, 3.4, 3.0, "+0.40× on Q1", "up", id="multiple_difference"),
        pytest.param(Unit.MONEY, 100.0, 100.0, "as in Q1", "flat", id="unchanged"),
        pytest.param(Unit.MONEY, 1e7 + 1, 1e7, "as in Q1", "flat", id="unchanged_as_printed"),
        pytest.param(Unit.MONEY, 100.0, 0.0, "₹0 in Q1", "up", id="from_nothing"),
        pytest.param(Unit.MONEY, 100.0, -50.0, "−₹50.00 in Q1", "up", id="from_below_zero"),
        pytest.param(Unit.COUNT, 1000.0, 10.0, "100 times Q1", "up", id="many_times"),
        pytest.param(Unit.COUNT, 1000.0, None, "", "", id="no_previous"),
        pytest.param(Unit.COUNT, float("nan"), 10.0, "", "", id="no_value"),
    ],
)
def test_change_on_the_period_before(
    unit: Unit, value: float, previous: float | None, delta: str, trend: str
) -> None:
    tile = Tile(label="x", value=value, unit=unit, previous=previous, previous_label="Q1")
    assert (tile.delta, tile.trend) == (delta, trend)


@pytest.mark.parametrize(
    ("good", "value", "verdict"),
    [
        (Direction.UP, 2.0, "good"),
        (Direction.UP, 0.5, "bad"),
        (Direction.DOWN, 2.0, "bad"),
        (Direction.DOWN, 0.5, "good"),
        (Direction.NEITHER, 2.0, ""),
        (Direction.UP, 1.0, ""),
    ],
)
def test_verdict_follows_the_direction_of_the_metric(
    good: Direction, value: float, verdict: str
) -> None:
    tile = Tile(label="x", value=value, unit=Unit.MULTIPLE, previous=1.0, good=good)
    assert tile.verdict == verdict


@pytest.mark.parametrize(
    ("options", "note"),
    [
        pytest.param(
            {"unit": Unit.MONEY, "target": 200.0}, "target ₹200: missed by 25.0%", id="missed"
        ),
        pytest.param({"unit": Unit.MONEY, "target": 150.0}, "target ₹150: met", id="met_exactly"),
        pytest.param(
            {"unit": Unit.MULTIPLE, "target": 150 * (1 + 2**-52)}, "target 150×: met", id="met_but_for_a_bit"
        ),
        pytest.param(
            {"unit": Unit.MONEY, "target": 100.0, "good": Direction.DOWN},
            "target ₹100: missed by 50.0%",
            id="cost_missed",
        ),
        pytest.param(
            {"unit": Unit.MONEY, "target": 200.0, "good": Direction.DOWN},
            "target ₹200: met",
            id="cost_met",
        ),
        pytest.param(
            {"unit": Unit.MONEY, "target": 200.0, "good": Direction.NEITHER},
            "75.0% of target ₹200",
            id="budget",
        ),
        pytest.param(
            {"unit": Unit.MULTIPLE, "target": 151.0}, "target 151×: missed by 1.00×", id="multiple"
        ),
        pytest.param(
            {"unit": Unit.PERCENT, "target": 150.5}, "target 15,050%: missed by 50.0 points",
            id="percent",
        ),
        pytest.param(
            {"unit": Unit.MULTIPLE, "interval": (1.8, 2.9)},
            "95% interval 1.80× to 2.9×",
            id="interval",
        ),
    ],
)  # fmt: skip
def test_notes_of_a_tile(options: dict[str, Any], note: str) -> None:
    assert Tile(label="x", value=150.0, **options).notes == [note]


def test_tiles_of_figures() -> None:
    made = Tiles.of([{"metric": m.ORDERS, "value": 3.0, "previous": 2.0, "target": None}])
    assert made.tiles[0].delta == "+50.0% on the previous period"


# The other end: the template that prints them


def test_typst_compiles_with_the_template_of_the_report(project: Path, tmp_path: Path) -> None:
    import font_source_sans_pro
    import typst

    shutil.copy(project / "hkreport/pipeline/assets/typst-template.typ", tmp_path)
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    for path in font_source_sans_pro.font_files_ttf.values():
        shutil.copy(path, fonts)
    tiles = Tiles([Tile(label=words, value=1.0, unit=Unit.COUNT) for words in HOSTILE.values()])
    full = Table(
        two_rows().assign(tier="micro", odd=True),
        [Col.key("influencer", width="2fr"), Col.of(m.SPEND, spanner="Money"), Col.of(m.ROAS)],
        total={"influencer": "Total"},
        group="tier",
        alert="odd",
    )
    parts = ['#import "typst-template.typ": *', tiles.typst, hostile_table().typst, full.typst]
    (tmp_path / "main.typ").write_text("\n\n".join(parts), encoding="utf-8")
    pdf = typst.compile(
        str(tmp_path / "main.typ"), font_paths=[str(fonts)], ignore_system_fonts=True
    )
    assert pdf.startswith(b"%PDF-")


def test_long_texts_are_cut_on_the_page_and_whole_in_the_csv() -> None:
    frame = two_rows().assign(influencer=["A" * 80, "Ravi & Co"])
    made = Table.from_metrics(frame, keys=["influencer"], metrics=[m.SPEND], longest=20)
    assert "A" * 19 + "…" in made.html
    assert "A" * 20 not in made.html
    assert "A" * 20 not in made.typst
    assert "A" * 80 in made.csv


def test_caveats_can_be_left_to_the_table_before() -> None:
    every = Table.from_metrics(two_rows(), keys=["influencer"], metrics=[m.SPEND, m.ROAS])
    none = Table.from_metrics(
        two_rows(), keys=["influencer"], metrics=[m.SPEND, m.ROAS], note="Kept.", caveats=False
    )
    assert m.ROAS.caveat in every.html
    assert m.ROAS.caveat not in none.html + none.typst
    assert '<p class="hk-note">Kept.</p>' in none.html


def test_namesakes_are_told_apart_on_pages_and_in_print_by_their_ids():
    frame = pd.DataFrame(
        {
            "influencer": ["Asha Rao", "Dev Mehta", "Asha Rao"],
            "influencer_id": ["INF002", "INF004", "INF003"],
            "spend": [3.0, 2.0, 1.0],
        }
    )
    table = Table.from_metrics(
        frame, keys=["influencer"], metrics=[m.SPEND], page_rows=1, printed_rows=3
    )
    assert "Asha Rao (INF002)" in table.html  # though the other one stands below what is shown
    for own in ("Asha Rao (INF002)", "Asha Rao (INF003)", "Dev Mehta"):
        assert own in table.typst
    assert "INF004" not in table.typst
    assert table.csv == "influencer,spend\nAsha Rao,3\nDev Mehta,2\nAsha Rao,1\n"
