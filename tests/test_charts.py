"""Charts say what is in the frame, the same bytes every time, legibly, whatever the names are."""

import hashlib
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from hkreport import charts, theme
from hkreport import metrics as m
from hkreport.charts import clouds
from hkreport.errors import InputError
from hkreport.tables import Col, Sentence
from hkreport.units import Unit, one_line, text

FOLLOWERS = Col(name="follower_count", label="Followers", unit=Unit.COUNT)
PEOPLE = Col(name="active_influencers", label="Active influencers", unit=Unit.COUNT)
LONG = "Lakshminarayanan Venkatasubramanian Iyer"
HOSTILE = [
    "<script>alert(1)</script>",
    "$x_1^2$ & $$ \\frac",
    "\"quoted\" & 'single'",
    "line\nbreak\ttab",
    "😀👩🏽‍🚀 emoji",
    "श्रेया घोष",
    "\u202eevil\u0000",
    "W" * 400,
    "]]>--><!--",
    "{{< env HOME >}} `code`",
]


# Frames


def influencers(count: int, seed: int = 7) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    followers = np.round(10 ** rng.uniform(3.2, 6.3, count))
    limits = [0, 1e4, 5e4, 1e5, 1e6, 1e9]
    tiers = ["nano", "micro", "mid", "macro", "mega"]
    spend = np.round(followers**0.7 * rng.lognormal(2, 0.6, count))
    revenue = np.round(spend * rng.lognormal(0.5, 0.8, count))
    roas = revenue / spend
    return pd.DataFrame(
        {
            "influencer_id": [f"i{at}" for at in range(count)],
            "influencer": [LONG if at == 2 else f"Asha Rao {at}" for at in range(count)],
            "tier": pd.cut(followers, limits, labels=tiers, right=False).astype(str),
            "platform": rng.choice(["Instagram", "YouTube", "Twitter"], count),
            "follower_count": followers,
            "spend": spend,
            "influencer_revenue": revenue,
            "influencer_orders": np.maximum(1, np.round(revenue / 900)),
            "roas": roas,
            "verdict": np.where(roas >= 3, "good", np.where(roas >= 1, "ok", "poor")),
        }
    )


def weeks(count: int = 13) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    starts = pd.date_range("2025-03-31", periods=count, freq="7D").strftime("%Y-%m-%d")
    return pd.DataFrame(
        {
            "week": starts,
            "revenue": np.round(rng.uniform(6, 14, count) * 1e5),
            "previous": np.round(rng.uniform(5, 11, count) * 1e5),
        }
    )


def months() -> pd.DataFrame:
    names = [f"2024-{at:02d}" for at in range(7, 13)] + [f"2025-{at:02d}" for at in range(1, 7)]
    brands = {"MuscleBlaze": 9e6, "HKVitals": 6e6, "Gritzo": 5.6e6}
    rows = [
        {"month": month, "brand": brand, "revenue": base * (1 + 0.03 * at)}
        for brand, base in brands.items()
        for at, month in enumerate(names)
    ]
    return pd.DataFrame(rows)


def forecast() -> pd.DataFrame:
    frame = weeks(12).assign(ahead=False, low=np.nan, high=np.nan)
    frame.loc[8:, "ahead"] = True
    frame.loc[8:, "low"] = frame.loc[8:, "revenue"] * 0.8
    frame.loc[8:, "high"] = frame.loc[8:, "revenue"] * 1.3
    return frame


def platforms() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "platform": ["Instagram", "YouTube", "Twitter", "TikTok", "Facebook", "ShareChat"],
            "revenue": [54e5, 31e5, 12e5, 9e5, 1.5e5, 0.9e5],
            "roas": [3.1, 1.8, 0.9, np.nan, 2.2, 0.4],
            "orders": [5400, 3000, 1100, 900, 12, 9],
        }
    )


def tiers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "tier": ["nano", "micro", "mid", "macro", "mega"],
            "roas": [3.4, 2.9, 2.1, 1.4, 1.1],
            "low": [2.1, 2.3, 1.2, 0.9, np.nan],
            "high": [5.2, 3.6, 3.3, 2.1, np.nan],
            "n": [40, 85, 22, 12, 1],
            "verdict": ["good", "good", "ok", "ok", "poor"],
        }
    )


def grid() -> pd.DataFrame:
    rows = [
        {"payout_basis": basis, "platform": platform, "roi": 0.4 * up - 0.3 * side, "n": 10 * side}
        for up, basis in enumerate(("post", "order", "hybrid"))
        for side, platform in enumerate(("Instagram", "YouTube", "Twitter", "TikTok"))
    ]
    frame = pd.DataFrame(rows)
    frame.loc[5, "roi"] = np.nan
    return frame


def people() -> pd.DataFrame:
    rows = [
        {"platform": platform, "tier": tier, "active_influencers": 3 + 5 * up + 2 * side}
        for up, platform in enumerate(("Instagram", "YouTube", "Twitter"))
        for side, tier in enumerate(("mega", "nano", "micro", "mid", "macro"))
    ]
    return pd.DataFrame(rows)


def segments() -> pd.DataFrame:
    rows = [
        {"category": category, "gender": gender, "roas": 1 + up / 2 + side, "orders": 40 * side + 9}
        for up, category in enumerate(("Fitness", "Nutrition", "Yoga & wellness"))
        for side, gender in enumerate(("female", "male"))
    ]
    return pd.DataFrame(rows)


def hostile() -> pd.DataFrame:
    size = len(HOSTILE)
    return pd.DataFrame(
        {
            "influencer": HOSTILE,
            "campaign": HOSTILE[::-1],
            "revenue": np.arange(size, 0, -1) * 1e5,
            "spend": np.arange(1, size + 1) * 3e4,
            "orders": np.arange(1, size + 1),
            "roas": np.arange(size, 0, -1) / 2,
            "low": 0.1,
            "high": 9.0,
        }
    )


GUIDES = [(1.0, "break-even on revenue"), (2.0, "ROAS 2×")]


def below() -> pd.DataFrame:
    """Most took back more than they sold: lines leave through the top, close to the scale's name."""
    return pd.DataFrame(
        {
            "influencer": [f"Person {at}" for at in range(6)],
            "spend": [970.0, 2540, 3080, 3070, 1402, 4860],
            "influencer_revenue": [685.0, 1186, -594, -1540, -4142, 1227],
        }
    )


def level() -> pd.DataFrame:
    """Everybody is paid and sells one of a few round amounts, some of them on a line."""
    every = [(500, 1000), (500, 2000), (500, 3000), (1000, 1000), (1000, 2000), (1000, 3000),
             (1500, 1000), (1500, 2000), (1500, 5000), (2000, 2000), (500, 4000)]  # fmt: skip
    return pd.DataFrame(
        {
            "influencer": [f"Person {at}" for at in range(len(every))],
            "spend": [float(paid) for paid, _ in every],
            "influencer_revenue": [float(sold) for _, sold in every],
        }
    )


EVERY: dict[str, Callable[[], Any]] = {
    "trend": lambda: charts.trend(
        weeks(), "week", m.REVENUE, previous="previous", previous_label="2025-Q1", target=1.2e6
    ),
    "trend_forecast": lambda: charts.trend(
        forecast(), "week", m.REVENUE, low="low", high="high", forecast="ahead"
    ),
    "trend_series": lambda: charts.trend(months(), "month", m.REVENUE, by="brand"),
    "trend_one_value": lambda: charts.trend(weeks(1), "week", m.REVENUE),
    "bars": lambda: charts.bars(influencers(15), "influencer", m.INFLUENCER_REVENUE, most=10),
    "bars_verdict": lambda: charts.bars(
        influencers(15),
        "influencer",
        m.ROAS,
        verdict="verdict",
        n="influencer_orders",
        reference=1.4,
        note="Noted.",
    ),
    "bars_two": lambda: charts.bars(platforms(), "platform", [m.REVENUE, m.ROAS]),
    "bars_three": lambda: charts.bars(platforms(), "platform", [m.REVENUE, m.ORDERS, m.ROAS]),
    "bars_by": lambda: charts.bars(segments(), "category", m.ROAS, by="gender", n="orders"),
    "bars_thirty": lambda: charts.bars(influencers(30), "influencer", m.ROAS, most=30),
    "bars_negative": lambda: charts.bars(
        pd.DataFrame({"campaign": ["MB_Diwali", "Untitled", "X"], "roi": [1.2, -0.35, -0.8]}),
        "campaign",
        m.ROI,
    ),
    "bars_zero": lambda: charts.bars(
        pd.DataFrame({"campaign": ["A", "B"], "orders": [0, 3]}), "campaign", m.ORDERS
    ),
    "bars_one": lambda: charts.bars(platforms().head(1), "platform", m.REVENUE),
    "columns": lambda: charts.columns(weeks(), "week", m.REVENUE),
    "columns_stacked": lambda: charts.columns(months(), "month", m.REVENUE, by="brand"),
    "columns_many": lambda: charts.columns(weeks(52), "week", m.REVENUE),
    "columns_negative": lambda: charts.columns(
        pd.DataFrame({"band": ["High (> 50%)", "Low", "–"], "revenue": [31e5, -4e5, 0]}),
        "band",
        m.REVENUE,
    ),
    "doughnut": lambda: charts.doughnut(platforms(), "platform", m.REVENUE),
    "doughnut_one": lambda: charts.doughnut(platforms().head(1), "platform", m.REVENUE),
    "doughnut_many": lambda: charts.doughnut(influencers(30), "influencer", m.SPEND),
    "stacked": lambda: charts.stacked(people(), "platform", "tier", PEOPLE),
    "bubbles": lambda: charts.bubbles(
        influencers(60), FOLLOWERS, m.INFLUENCER_REVENUE, m.INFLUENCER_ORDERS
    ),
    "bubbles_log": lambda: charts.bubbles(
        influencers(60), FOLLOWERS, m.INFLUENCER_REVENUE, log_y=True, group="platform"
    ),
    "scatter": lambda: charts.scatter(
        influencers(60), m.SPEND, m.INFLUENCER_REVENUE, group="platform", guides=GUIDES
    ),
    "scatter_poor": lambda: charts.scatter(
        influencers(20).assign(influencer_revenue=lambda f: f["influencer_revenue"] / 200),
        m.SPEND,
        m.INFLUENCER_REVENUE,
        guides=GUIDES,
    ),
    "scatter_rich": lambda: charts.scatter(
        influencers(20).assign(influencer_revenue=lambda f: f["influencer_revenue"] * 200),
        m.SPEND,
        m.INFLUENCER_REVENUE,
        guides=GUIDES,
    ),
    "scatter_below": lambda: charts.scatter(below(), m.SPEND, m.INFLUENCER_REVENUE, guides=GUIDES),
    "scatter_level": lambda: charts.scatter(level(), m.SPEND, m.INFLUENCER_REVENUE, guides=GUIDES),
    "scatter_log": lambda: charts.scatter(
        influencers(60), m.SPEND, m.INFLUENCER_REVENUE, group="tier", guides=GUIDES, log=True
    ),
    "dots": lambda: charts.dots(
        tiers(),
        "tier",
        m.ROAS,
        "low",
        "high",
        n="n",
        verdict="verdict",
        reference=1.0,
        reference_label="break-even",
    ),
    "heatmap": lambda: charts.heatmap(grid(), "payout_basis", "platform", m.ROI, n="n", centre=0.0),
    "box": lambda: charts.box(
        influencers(60), "tier", m.ROAS, marks={"nano": 2.0}, mark_label="HKVitals"
    ),
    "hostile_bars": lambda: charts.bars(
        hostile(), "influencer", m.REVENUE, title=HOSTILE[0] * 9, note=HOSTILE[1]
    ),
    "hostile_trend": lambda: charts.trend(
        weeks().assign(campaign=(HOSTILE * 2)[:13]), "week", m.REVENUE, by="campaign"
    ),
    "hostile_columns": lambda: charts.columns(hostile(), "campaign", m.REVENUE, by="influencer"),
    "hostile_doughnut": lambda: charts.doughnut(hostile(), "influencer", m.REVENUE),
    "hostile_stacked": lambda: charts.stacked(hostile(), "influencer", "campaign", m.REVENUE),
    "hostile_scatter": lambda: charts.scatter(
        hostile(), m.SPEND, m.REVENUE, group="campaign", guides=[(1.0, HOSTILE[0])]
    ),
    "hostile_dots": lambda: charts.dots(hostile(), "influencer", m.ROAS, "low", "high", n="orders"),
    "hostile_heatmap": lambda: charts.heatmap(hostile(), "influencer", "campaign", m.ROAS),
    "hostile_box": lambda: charts.box(hostile(), "influencer", m.ROAS),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, charts.Chart]:
    return {name: make() for name, make in EVERY.items()}


class Text(NamedTuple):
    """A line of text in a drawing, and where it stands."""

    words: str
    left: float
    right: float
    top: float
    bottom: float


def texts(svg: str) -> list[Text]:
    """Upright lines of text of a drawing, with their boxes."""
    found = []
    for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        turn = re.match(r"rotate\((-?[\d.]+)", element.get("transform", "rotate(0"))
        if turn is None or float(turn[1]) != 0:
            continue
        size, weight = float(element.get("font-size", "10px")[:-2]), element.get("font-weight")
        width = theme.text_width(element.text or "", size, int(weight or 400))
        x, y = float(element.get("x", "nan")), float(element.get("y", "nan"))
        left = (
            x - {"start": 0, "middle": width / 2, "end": width}[element.get("text-anchor", "start")]
        )
        found.append(Text(element.text or "", left, left + width, y - 0.7 * size, y))
    return found


def height(svg: str) -> float:
    return float(ElementTree.fromstring(svg).get("viewBox", "").split(" ")[3])


# Every chart


@pytest.mark.parametrize("name", EVERY)
def test_drawing_is_plain_svg_that_reaches_nowhere(
    name: str, drawn: dict[str, charts.Chart]
) -> None:
    svg = drawn[name].svg
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}
    assert tags <= {
        "svg",
        "g",
        "path",
        "text",
        "defs",
        "clipPath",
        "rect",
        "use",
        "pattern",
        "image",
    }
    bare = svg.replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/1999/xlink", "")
    inside = re.sub(r">[^<]*</text>", "></text>", bare)
    assert not re.search(r"https?:|<style| style=|<!--|<!DOCTYPE|<metadata", inside)
    assert len(svg) < (80_000 if name == "hostile_heatmap" else 40_000)


@pytest.mark.parametrize("name", EVERY)
def test_text_stays_within_the_drawing(name: str, drawn: dict[str, charts.Chart]) -> None:
    svg = drawn[name].svg
    for line in texts(svg):
        assert line.left >= 0, line
        # Browsers of other fonts may need a little more for what Source Sans Pro lacks.
        assert line.right <= theme.WIDTH * 72 + 1, line
        assert line.top >= 0, line
        assert line.bottom <= height(svg), line


@pytest.mark.parametrize("name", EVERY)
def test_text_covers_no_other_text(name: str, drawn: dict[str, charts.Chart]) -> None:
    lines = [line for line in texts(drawn[name].svg) if line.words.strip()]
    for at, one in enumerate(lines):
        for two in lines[at + 1 :]:
            across = min(one.right, two.right) - max(one.left, two.left)
            down = min(one.bottom, two.bottom) - max(one.top, two.top)
            assert across < 1 or down < 1, (one, two)


@pytest.mark.parametrize("name", EVERY)
def test_chart_says_what_it_shows(name: str, drawn: dict[str, charts.Chart]) -> None:
    chart = drawn[name]
    assert chart.title
    assert chart.subtitle
    assert re.match(
        r"(Line|Bar|Column|Stacked bar|Doughnut|Bubble|Scatter|Dot|Box|Heatmap)", chart.alt
    )
    assert len(chart.alt) <= 600
    assert "\n" not in chart.alt
    assert "nan" not in re.sub(r"nano|[Ff]inance", "", chart.alt)
    joined = " ".join(line.words for line in texts(chart.svg))
    assert one_line(chart.title)[:20] in joined


@pytest.mark.parametrize("name", EVERY)
def test_output_carries_drawing_alt_text_and_data(
    name: str, drawn: dict[str, charts.Chart]
) -> None:
    from IPython.core.formatters import DisplayFormatter

    chart = drawn[name]
    data, metadata = DisplayFormatter().format(chart)
    assert set(data) == {"image/svg+xml", "text/plain"}
    assert set(metadata) == {"hkreport"}
    assert metadata["hkreport"]["alt"] == chart.alt
    assert metadata["hkreport"]["data"].startswith('<details class="hk-data">')
    assert "```" not in metadata["hkreport"]["data"]
    assert "<script" not in metadata["hkreport"]["data"]


def test_drawing_leaves_no_trace_in_matplotlib(drawn: dict[str, charts.Chart]) -> None:
    import matplotlib as mpl
    from matplotlib import pyplot

    before = dict(mpl.rcParams)
    assert drawn["bars"].png().startswith(b"\x89PNG")
    assert charts.bars(platforms(), "platform", m.REVENUE).svg
    assert dict(mpl.rcParams) == before
    assert pyplot.get_fignums() == []


def test_bytes_are_the_same_in_every_process(drawn: dict[str, charts.Chart]) -> None:
    code = textwrap.dedent(
        """
        import hashlib, importlib.util, json, sys
        spec = importlib.util.spec_from_file_location("test_charts", sys.argv[1])
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, make in module.EVERY.items():
            print(name, hashlib.sha256(make().svg.encode()).hexdigest())
        """
    )
    expected = {
        name: hashlib.sha256(chart.svg.encode()).hexdigest() for name, chart in drawn.items()
    }
    done = subprocess.run(
        [sys.executable, "-c", code, __file__],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert dict(line.split(" ") for line in done.stdout.splitlines()) == expected


@pytest.mark.parametrize(
    "name", ["hostile_bars", "hostile_dots", "hostile_stacked", "hostile_heatmap", "hostile_box"]
)
def test_names_are_drawn_as_they_are(name: str, drawn: dict[str, charts.Chart]) -> None:
    shown = {line.words for line in texts(drawn[name].svg)}
    for words in HOSTILE:
        plain = one_line(words)
        # Long names are cut, and the whole name stands in the table.
        assert any(
            line == plain or (line.endswith("…") and plain.startswith(line[:-1])) for line in shown
        )


def test_names_that_were_cut_are_whole_in_the_table(drawn: dict[str, charts.Chart]) -> None:
    lines = [line.words for line in texts(drawn["bars"].svg)]
    assert "Lakshminarayanan Venkatasubrama…" in lines
    assert LONG in drawn["bars"].data_table().csv


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda f: charts.trend(f, "week", m.REVENUE), id="trend"),
        pytest.param(lambda f: charts.columns(f, "week", m.REVENUE), id="columns"),
        pytest.param(lambda f: charts.bars(f, "week", m.REVENUE), id="bars"),
        pytest.param(lambda f: charts.doughnut(f, "week", m.REVENUE), id="doughnut"),
        pytest.param(lambda f: charts.stacked(f, "week", "week", m.REVENUE), id="stacked"),
        pytest.param(
            lambda f: charts.bubbles(f, m.REVENUE, m.REVENUE, label="week", group=""), id="bubbles"
        ),
        pytest.param(lambda f: charts.scatter(f, m.REVENUE, m.REVENUE, label="week"), id="scatter"),
        pytest.param(
            lambda f: charts.dots(f, "week", m.REVENUE, "previous", "previous"), id="dots"
        ),
        pytest.param(lambda f: charts.heatmap(f, "week", "week", m.REVENUE), id="heatmap"),
        pytest.param(lambda f: charts.box(f, "week", m.REVENUE), id="box"),
    ],
)
@pytest.mark.parametrize("empty", ["no_rows", "no_values"])
def test_nothing_to_draw_is_a_sentence(make: Callable[[pd.DataFrame], Any], empty: str) -> None:
    frame = weeks().iloc[:0] if empty == "no_rows" else weeks().assign(revenue=np.nan)
    shown = make(frame)
    assert isinstance(shown, Sentence)
    assert re.fullmatch(r"[A-Z].* cannot be shown: .*\.", shown.words)


def test_missing_column_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        charts.bars(platforms(), "platfrom", m.REVENUE)
    assert str(caught.value) == (
        "Bars of Revenue by platfrom: the frame has no column 'platfrom'. Found: 'platform', "
        "'revenue', 'roas', 'orders'. Did you mean 'platform'? "
        "Compute it first, or name another column."
    )


def test_the_data_of_charts_on_one_page_are_landmarks_with_names_of_their_own() -> None:
    told = [
        chart._repr_mimebundle_()[1]["hkreport"]["data"]
        for chart in (
            charts.bars(platforms(), "platform", m.REVENUE),
            charts.bars(platforms(), "platform", m.ROAS),
        )
    ]
    named = [re.search(r'role="region" aria-label="([^"]+)"', each) for each in told]
    assert [found and found[1] for found in named] == [
        "Data of the chart: Revenue by platform",
        "Data of the chart: ROAS by platform",
    ]


# Single kinds


def test_a_missing_value_leaves_a_gap_in_the_line() -> None:
    frame = weeks(20)
    whole = charts.trend(frame, "week", m.REVENUE).svg.count('stroke-width="2.2"')
    frame.loc[7, "revenue"] = np.nan
    assert charts.trend(frame, "week", m.REVENUE).svg.count('stroke-width="2.2"') == whole + 1


def test_a_number_in_a_heatmap_is_whole_or_not_there() -> None:
    months = [f"2025-{month:02d}" for month in range(1, 13)]
    rows = [
        {"brand": brand, "month": month, "roas": 0.0431 * (place + 1) ** 3, "n": 5 + 3 * place}
        for brand in (
            "Gritzo",
            "A maker of wholesome things with a very long name, Private Limited",
        )
        for place, month in enumerate(months)
    ]
    frame = pd.DataFrame(rows)
    lines = [t.words for t in texts(charts.heatmap(frame, "brand", "month", m.ROAS, n="n").svg)]
    for value in frame["roas"].unique():
        assert lines.count(text(value, m.ROAS.unit)) == 2
    assert {"n = 5", "n = 29"} <= set(lines)
    assert {"Jan", "Dec", "2025"} <= set(lines)
    assert [line for line in lines if "…" in line] == ["A maker of w…"]
    # Too many columns for numbers: none is cut, and it is said where they are.
    wide = pd.concat([frame.assign(month=frame["month"].str.replace("2025", str(year)))
                      for year in range(2018, 2026)])  # fmt: skip
    lines = [t.words for t in texts(charts.heatmap(wide, "brand", "month", m.ROAS).svg)]
    assert not [line for line in lines if re.match(r"[\d.]+×?…?$", line)]
    assert "Numbers that a cell has no room for are in the table behind the chart." in lines


def test_steps_without_a_value_are_not_said_to_have_no_date() -> None:
    months = pd.DataFrame(
        {"month": ["2025-04", "2025-05"], "roas": float("nan"), "spend": float("nan")}
    )
    for drawn in (charts.trend(months, "month", m.ROAS), charts.columns(months, "month", m.SPEND)):
        assert isinstance(drawn, Sentence)
        assert "no whole month of this period has a value" in drawn.words
    nowhere = months.assign(month="unassigned", roas=1.0)
    assert "there is no dated value" in str(charts.trend(nowhere, "month", m.ROAS))


def test_rows_of_no_date_are_left_out_and_said() -> None:
    frame = pd.concat([weeks(3), pd.DataFrame({"week": ["unassigned"], "revenue": [9e9]})])
    chart = charts.trend(frame, "week", m.REVENUE)
    assert "What has no date is not shown." in [line.words for line in texts(chart.svg)]
    assert "9e9" not in chart.alt
    assert len(chart.frame) == 3


def test_steps_of_time_are_put_in_order() -> None:
    chart = charts.trend(weeks(4).iloc[::-1], "week", m.REVENUE)
    assert list(chart.frame["week"]) == sorted(chart.frame["week"])


def test_a_line_of_far_away_values_does_not_start_at_zero() -> None:
    frame = weeks(4).assign(revenue=[1e6, 1.01e6, 1.02e6, 1.03e6])
    assert "₹0" not in [line.words for line in texts(charts.trend(frame, "week", m.REVENUE).svg)]


def test_what_is_zero_throughout_is_a_sentence_and_no_empty_chart() -> None:
    nobody = pd.DataFrame({"tier": ["nano", "mid"], "orders": [0, 0], "roas": [0.0, np.nan]})
    flat = weeks(4).assign(revenue=0.0)
    said = [
        charts.bars(nobody, "tier", [m.ORDERS, m.ROAS]),
        charts.dots(nobody.assign(low=np.nan, high=np.nan), "tier", m.ROAS, "low", "high"),
        charts.trend(flat, "week", m.REVENUE),
    ]
    assert [str(each.words) for each in said] == [
        "Orders by tier cannot be shown: every value is 0.",
        "ROAS by tier cannot be shown: every estimate is 0.",
        "The trend of revenue cannot be shown: no whole week has any.",
    ]
    # One that is not 0 is worth the drawing, and so is a flat line after something.
    assert charts.bars(nobody.assign(roas=[0.0, 2.0]), "tier", [m.ORDERS, m.ROAS]).title
    assert charts.trend(weeks(4).assign(revenue=0.0), "week", m.REVENUE, previous="previous").title


def test_title_of_bars_compares_ratios_only_where_thirty_cases_stand_behind_them() -> None:
    frame = pd.DataFrame({"tier": ["nano", "mid"], "roas": [9.0, 2.0], "posts": [3.0, 40.0]})
    assert charts.bars(frame, "tier", m.ROAS, n="posts").title == (
        "Highest ROAS, from 30 posts up: mid, 2.0×"
    )
    few = frame.assign(posts=4.0)
    assert charts.bars(few, "tier", m.ROAS, n="posts").title == (
        "ROAS: each rests on fewer than 30 posts"
    )
    assert charts.bars(frame, "tier", m.ROAS).title == "Nano has the highest ROAS: 9.0×"


def test_one_value_twice_is_two_bars() -> None:
    frame = pd.DataFrame(
        {"influencer_id": ["a", "b"], "influencer": ["Asha", "Asha"], "revenue": [3e5, 1e5]}
    )
    words = [line.words for line in texts(charts.bars(frame, "influencer", m.REVENUE).svg)]
    assert {"Asha (a)", "Asha (b)"} <= set(words)
    assert {"₹3.00 L", "₹1.00 L"} <= set(words)


def test_bars_are_ranked_with_what_belongs_nowhere_last() -> None:
    frame = pd.DataFrame({"tier": ["a", "unassigned", "b", "c"], "revenue": [1.0, 9.0, 2.0, None]})
    chart = charts.bars(frame, "tier", m.REVENUE)
    assert list(chart.frame["tier"]) == ["b", "a", "c", "unassigned"]
    assert list(charts.bars(frame, "tier", m.REVENUE, sort=False).frame["tier"]) == list(
        frame["tier"]
    )


def test_bars_have_the_length_of_their_values() -> None:
    frame = pd.DataFrame({"city": ["Pune", "Delhi", "Goa"], "revenue": [4e5, 2e5, -1e5]})
    with theme.style():
        axes = charts.bars(frame, "city", m.REVENUE).draw().axes[0]
    lengths = {
        round(patch.get_y() + patch.get_height() / 2): patch.get_width() for patch in axes.patches
    }
    assert lengths == {0: 4e5, 1: 2e5, 2: -1e5}


def test_grouped_bars_stand_in_their_group_with_their_value() -> None:
    with theme.style():
        axes = charts.bars(segments(), "category", m.ROAS, by="gender").draw().axes[0]
    found = sorted((round(p.get_y() + p.get_height() / 2, 1), p.get_width()) for p in axes.patches)
    assert [width for _, width in found] == [2.0, 3.0, 1.5, 2.5, 1.0, 2.0]
    assert [row for row, _ in found] == pytest.approx([-0.2, 0.2, 0.8, 1.2, 1.8, 2.2], abs=0.05)


def test_missing_ratio_says_why() -> None:
    words = [line.words for line in texts(EVERY["bars_two"]().svg)]
    assert "n/a (no spend)" in words


def test_a_reason_that_is_too_long_for_its_panel_is_left_out() -> None:
    frame = pd.DataFrame(
        {"tier": ["nano", "macro"], "spend": [500.0, 9.0], "roas": [-2.5, float("nan")]}
    )
    few = [line.words for line in texts(charts.bars(frame, "tier", [m.ROAS]).svg)]
    assert "n/a (influencer revenue not known)" in few
    frame = frame.assign(posts=3.0, reach=9.0)
    drawn = charts.bars(frame, "tier", [m.SPEND, m.POSTS, m.REACH, m.ROAS])
    assert "n/a" in [line.words for line in texts(drawn.svg)]
    assert "n/a (" not in drawn.svg


def test_small_bases_are_marked() -> None:
    words = [line.words for line in texts(EVERY["bars_verdict"]().svg)]
    assert any(re.fullmatch(r"n = \d+", word) for word in words)
    assert any("n is shown where it is below 30" in word for word in words)
    assert not any(re.fullmatch(r"n = ([3-9]\d|\d{3,})", word) for word in words)


def test_verdicts_have_a_sign_beside_their_colour() -> None:
    svg = EVERY["bars_verdict"]().svg
    for colour, sign in theme.VERDICTS.values():
        assert colour in svg
        assert any(line.words.endswith(f"× {sign}") for line in texts(svg))


def test_the_reference_line_runs_through_no_label_that_has_room_in_its_bar() -> None:
    frame = pd.DataFrame({"city": ["Pune", "Goa", "Delhi"], "roas": [2.0, 1.9, 0.1]})
    svg = charts.bars(frame, "city", m.ROAS, reference=2.1, reference_label="all").svg
    words = {line.words: line for line in texts(svg)}
    line = (words["all 2.1×"].left + words["all 2.1×"].right) / 2
    assert words["2.0×"].right < line
    assert words["1.90×"].right < line
    assert words["0.10×"].left > words["Delhi"].right


def test_three_metrics_are_listed_with_a_comma() -> None:
    assert EVERY["bars_three"]().subtitle == "Revenue, orders and ROAS by platform"


def test_small_slices_are_joined_and_the_whole_stands_in_the_middle() -> None:
    chart = charts.doughnut(platforms(), "platform", m.REVENUE)
    words = [line.words for line in texts(chart.svg)]
    assert "Other (2) 2.2%" in words
    assert "₹1.08 Cr" in words
    assert chart.alt.endswith("Total ₹1.08 Cr.")


def test_a_ring_has_no_more_slices_than_colours() -> None:
    words = [line.words for line in texts(EVERY["doughnut_many"]().svg)]
    assert sum(word.endswith("%") for word in words) == len(theme.PALETTE)


@pytest.mark.parametrize(
    "make",
    [
        lambda: charts.doughnut(platforms(), "platform", m.ROAS),
        lambda: charts.stacked(segments(), "category", "gender", m.ROAS),
        lambda: charts.columns(segments(), "category", m.ROAS, by="gender"),
    ],
    ids=["doughnut", "stacked", "columns"],
)
def test_ratios_are_no_parts_of_a_whole(make: Callable[[], Any]) -> None:
    with pytest.raises(InputError, match="ROAS does not add up"):
        make()


def test_shares_of_negative_parts_are_refused_in_words() -> None:
    frame = platforms().assign(revenue=[1, 2, 3, 4, 5, -1])
    shown = charts.doughnut(frame, "platform", m.REVENUE)
    assert shown == Sentence(
        "Shares of revenue by platform cannot be shown: some parts are negative."
    )


def test_shares_of_a_stacked_bar_add_up_to_one() -> None:
    with theme.style():
        axes = EVERY["stacked"]().draw().axes[0]
    sums: dict[int, float] = {}
    for patch in axes.patches:
        row = round(patch.get_y() + patch.get_height() / 2)
        sums[row] = sums.get(row, 0.0) + patch.get_width()
    assert list(sums.values()) == pytest.approx([1, 1, 1])


def test_tiers_come_in_order_of_size() -> None:
    words = [line.words for line in texts(EVERY["stacked"]().svg)]
    order = [word for word in words if word in theme.MARKS]
    assert order == ["nano", "micro", "mid", "macro", "mega"]


def test_points_that_a_log_scale_cannot_show_are_counted() -> None:
    frame = influencers(5)
    frame.loc[0, "follower_count"] = 0
    frame.loc[1, "follower_count"] = np.nan
    chart = charts.bubbles(frame, FOLLOWERS, m.INFLUENCER_REVENUE)
    note = "2 without followers or influencer revenue above zero not shown."
    assert note in [line.words for line in texts(chart.svg)]


def test_a_large_cloud_is_drawn_as_a_picture() -> None:
    frame = influencers(5000)
    svg = charts.bubbles(frame, FOLLOWERS, m.INFLUENCER_REVENUE, m.INFLUENCER_ORDERS).svg
    assert len(svg) < 400_000
    assert 'xlink:href="data:image/png;base64' in svg


def test_a_crowd_has_a_line_of_medians() -> None:
    crowd = pd.DataFrame({"spend": np.arange(1.0, 1201.0), "influencer": map(str, range(1200))})
    crowd["influencer_revenue"] = crowd["spend"] * np.where(crowd.index % 2, 3.0, 5.0)
    chart = charts.scatter(crowd, m.SPEND, m.INFLUENCER_REVENUE)
    assert "medians of influencer revenue in twelve equally large groups by spend" in chart.note
    under, over = chart.draw().axes[0].lines[-2:]
    assert len(over.get_xdata()) == 12
    assert list(over.get_xdata())[:2] == [50.5, 150.5]  # a hundred points each
    first = crowd["influencer_revenue"][:100]
    assert over.get_ydata()[0] == first.median()
    assert list(under.get_ydata()) == list(over.get_ydata())
    few = charts.scatter(crowd[:1000], m.SPEND, m.INFLUENCER_REVENUE)
    assert few.note == ""


def test_a_long_name_at_the_end_of_a_line_leaves_its_value_whole() -> None:
    """'Herbal Life Science Nutrition ₹1.…' stood there, and two grey lines had no name at all."""
    brands = [f"Ultra Premium Super Life Science Nutrition {at}" for at in range(8)]
    frame = pd.DataFrame(
        [
            {"month": month, "brand": brand, "revenue": 1.24e5 + at * 1e3}
            for month in ("2025-01", "2025-02")
            for at, brand in enumerate(brands)
        ]
    )
    chart = charts.trend(frame, "month", m.REVENUE, by="brand")
    words = [line.words for line in texts(chart.svg)]
    for at in range(6):
        end = f"… ₹1.{24 + at} L"
        assert any(each.endswith(end) for each in words), end
    assert chart.note == f"Grey: {brands[6]} and {brands[7]}."


@pytest.mark.parametrize("kind", ["bars", "dots", "scatter"])
def test_names_that_look_alike_in_print_carry_their_ids(kind: str) -> None:
    """Names in letters that the font lacks are boxes in a PDF, and long ones are cut: none could be told apart."""
    long = "Venkatanarasimharajuvaripeta Subrahmanyam Balasubramanian"
    names = ["प्रिया शर्मा", "Asha Rao", "Asha Rao", f"{long} Iyer", f"{long} Iyengar", "Zoë 🔥"]
    frame = pd.DataFrame(
        {
            "influencer_id": [f"INF00{at}" for at in range(6)],
            "influencer": names,
            "roas": [6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
            "spend": [1e5, 2e5, 3e5, 4e5, 5e5, 6e5],
            "low": 0.5,
            "high": 7.0,
            "influencer_orders": 3.0,
        }
    )
    chart = {
        "bars": lambda: charts.bars(frame, "influencer", m.ROAS, n="influencer_orders"),
        "dots": lambda: charts.dots(
            frame, "influencer", m.ROAS, low="low", high="high", n="influencer_orders"
        ),
        "scatter": lambda: charts.scatter(frame, m.SPEND, m.ROAS, title="Title"),
    }[kind]()
    words = [line.words for line in texts(chart.svg)]
    for at in range(5):
        (name,) = (each for each in words if each.endswith(f"(INF00{at})"))
        assert name[:4] == names[at][:4]
    assert names[5] in words


@pytest.mark.parametrize("frame", [below, level])
def test_names_of_guides_stand_clear_of_lines_and_points(
    frame: Callable[[], pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, Any] = {}
    named = clouds._name_end

    def watched(axes: Any, plan: Any, lines: Any, spots: Any, radii: Any) -> Any:
        taken = named(axes, plan, lines, spots, radii)
        found["boxes"], found["spots"] = taken[-len(lines) :], spots
        found["lines"] = [
            axes.transData.transform(np.linspace((x0, factor * x0), (x1, factor * x1), 500))
            for factor, _, x0, x1 in lines
        ]
        return taken

    monkeypatch.setattr(clouds, "_name_end", watched)
    assert charts.scatter(frame(), m.SPEND, m.INFLUENCER_REVENUE, guides=GUIDES).svg
    assert len(found["boxes"]) == 2
    for left, foot, right, top in found["boxes"]:
        for x, y in np.vstack([found["spots"], *found["lines"]]):
            assert not (left < x < right and foot < y < top), (x, y)


def test_guides_count_the_points_above_them() -> None:
    frame = pd.DataFrame(
        {"influencer": list("abc"), "spend": [1.0, 1.0, 1.0], "influencer_revenue": [0.5, 1.5, 2.5]}
    )
    chart = charts.scatter(frame, m.SPEND, m.INFLUENCER_REVENUE, guides=GUIDES)
    assert chart.title == "2 of 3 above break-even on revenue"
    assert "1 of 3 above ROAS 2×." in chart.alt


def test_two_rows_for_one_cell_are_an_error() -> None:
    with pytest.raises(InputError, match=r"some cells have several rows. Group by 'tier', 'tier'"):
        charts.heatmap(pd.concat([tiers(), tiers()]), "tier", "tier", m.ROAS)
    with pytest.raises(InputError, match="some bars have several rows"):
        charts.bars(pd.concat([segments()] * 2), "category", m.ROAS, by="gender")


def test_missing_cells_say_so_and_are_hatched() -> None:
    svg = EVERY["heatmap"]().svg
    assert "n/a (n = 10)" in [line.words for line in texts(svg)]
    assert "<pattern" in svg


def test_medians_and_counts_of_groups() -> None:
    frame = pd.DataFrame(
        {"tier": ["nano"] * 5 + ["macro"], "roas": [1.0, 2.0, 3.0, 4.0, 90.0, 1.5]}
    )
    chart = charts.box(frame, "tier", m.ROAS)
    assert chart.alt.endswith("6 values. nano median 3.0×, n = 5; macro median 1.50×, n = 1.")


def test_frames_are_not_changed() -> None:
    frame = platforms()
    before = frame.copy()
    assert charts.bars(frame, "platform", m.REVENUE).svg
    pd.testing.assert_frame_equal(frame, before)


ODD = [np.inf, -np.inf, pd.NA, None, Decimal("12.5"), 1e15, 1e-9, -5, 0, np.nan]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda f: charts.trend(f, "day", m.REVENUE, low="lo", high="hi"), id="trend"),
        pytest.param(lambda f: charts.columns(f, "day", m.REVENUE, by="tier"), id="columns"),
        pytest.param(lambda f: charts.bars(f, "tier", [m.REVENUE, m.ROAS], n="lo"), id="bars"),
        pytest.param(lambda f: charts.dots(f, "tier", m.ROAS, "lo", "hi", n="hi"), id="dots"),
        pytest.param(lambda f: charts.heatmap(f, "tier", "day", m.ROAS, centre=0.0), id="heatmap"),
        pytest.param(lambda f: charts.box(f, "tier", m.ROAS), id="box"),
        pytest.param(
            lambda f: charts.bubbles(f, m.ROAS, m.REVENUE, m.ORDERS, label="tier"), id="bubbles"
        ),
        pytest.param(
            lambda f: charts.scatter(f, m.ROAS, m.REVENUE, label="tier", guides=GUIDES),
            id="scatter",
        ),
    ],
)
@pytest.mark.parametrize("turn", range(len(ODD)))
def test_odd_values_are_drawn_or_left_out(make: Callable[[pd.DataFrame], Any], turn: int) -> None:
    values = ODD[turn:] + ODD[:turn]
    frame = pd.DataFrame(
        {
            "tier": ["nano", None, "", "unassigned", "Other", "macro", "a", "b", "c", "d"],
            "day": [f"2025-0{1 + at % 9}-0{1 + at % 7}" for at in range(9)] + ["unassigned"],
            "revenue": pd.Series(values, dtype=object),
            "roas": pd.Series(values[::-1], dtype=object),
            "orders": pd.Series(values[5:] + values[:5], dtype=object),
            "lo": pd.Series(values[3:] + values[:3], dtype=object),
            "hi": pd.Series(values[7:] + values[:7], dtype=object),
        }
    )
    chart = make(frame)
    if isinstance(chart, Sentence):  # no row has two values that can be drawn
        assert "cannot be shown" in chart.words
        return
    ElementTree.fromstring(chart.svg)
    assert "nan" not in re.sub(r"nano|unassigned", "", chart.alt)


def test_the_alternative_text_and_title_tell_namesakes_apart():
    frame = pd.DataFrame(
        {
            "influencer": ["Asha Rao", "Dev Mehta", "Asha Rao"],
            "influencer_id": ["INF002", "INF004", "INF003"],
            "revenue": [9e5, 5e5, 2e5],
        }
    )
    chart = charts.bars(frame, "influencer", m.REVENUE)
    assert "Highest: Asha Rao (INF002), ₹9.00 L; lowest: Asha Rao (INF003), ₹2.00 L" in chart.alt
    assert chart.title.startswith("Asha Rao (INF002) ")


def test_heads_of_a_heatmap_that_begin_alike_do_not_look_alike():
    names = [
        f"HKV_DailyWellness_NewLaunch_{year}Q{at}" for year in (2024, 2025) for at in range(1, 5)
    ]
    frame = pd.DataFrame({"brand": "HKVitals", "campaign": names, "roas": 2.0})
    chart = charts.heatmap(frame, "brand", "campaign", m.ROAS)
    words = [line.words for line in texts(chart.svg)]
    for name in names:
        assert any(each.endswith(name[-5:]) for each in words), name


def test_bars_that_tie_are_ordered_by_what_else_is_drawn():
    frame = pd.DataFrame({"city": ["Agra", "Pune"], "posts": [4.0, 4.0], "revenue": [1e5, 9e5]})
    alone = charts.bars(frame, "city", m.POSTS).table.frame["city"].tolist()
    both = charts.bars(frame, "city", [m.POSTS, m.REVENUE]).table.frame["city"].tolist()
    assert (alone, both) == (["Agra", "Pune"], ["Pune", "Agra"])
