"""The explorer in a real browser, from disk: every number against hkreport's own, and every control."""

import csv
import datetime
import io
import json
import math
import random
import re
import shlex
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import browser
import exports
import pandas as pd
import pytest
from typer.testing import CliRunner

from hkreport import ledger as books
from hkreport import metrics as m
from hkreport import params, periods, simulate, store, tables, views
from hkreport.ledger import Filters
from hkreport.pipeline.explorer import cube, page
from hkreport.units import Unit, text, tick

ROOT = Path(__file__).parents[1]
SETTINGS = params.load(None, root=ROOT)
CARDS = [metric.name for metric in page.CARDS]
OF_PEOPLE = ("platform", "category", "tier", "gender", "persona", "payout_basis")
OF_EVENTS = ("brand", "product_category", "product", "campaign")

# Reads what is on the page: raw values, as a spreadsheet would get them, and words.
READ = """() => ({
  cards: Object.fromEntries([...document.querySelectorAll('#cards .hk-tile')].map(card => [card.dataset.metric, {
    value: card.querySelector('data').value, words: card.querySelector('data').textContent,
    before: card.dataset.before ?? null, notes: [...card.querySelectorAll('.hk-note')].map(e => e.textContent)}])),
  columns: [...document.querySelectorAll('#table thead th')].map(th => th.dataset.name),
  rows: [...document.querySelectorAll('#table tbody tr')].map(
    tr => [tr.dataset.key, ...[...tr.querySelectorAll('td')].map(td => td.dataset.value)]),
  notes: [...document.querySelectorAll('#notes li')].map(e => e.textContent),
  place: document.querySelector('#place').textContent,
  command: document.querySelector('#command').textContent,
})"""
# What a click changed is written into the address a moment later, so that the same address may not be it for long.
GO = """async hash => {
  if (location.hash.slice(1) === hash) await new Promise(done => setTimeout(done, 300));
  if (location.hash.slice(1) === hash) return;
  await new Promise(done => {
    addEventListener('hashchange', () => done(), {once: true});
    location.hash = hash;
  });
}"""


def opened(folder: Path) -> store.Data:
    return store.open_data(folder, SETTINGS, root=ROOT)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two years of all brands, with few orders."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate.write(folder, seed=4, scale=0.01)
    return opened(folder)


@pytest.fixture(scope="module")
def chromium(request) -> Iterator[Any]:
    from conftest import REQUIREMENTS, _required

    find, missing = REQUIREMENTS["chromium"]
    path = find()
    if not path:
        (pytest.fail if "chromium" in _required() else pytest.skip)(missing)
    with browser.chromium(path) as started:
        yield started


@pytest.fixture(scope="module")
def file(data, tmp_path_factory):
    return page.build(data, SETTINGS, tmp_path_factory.mktemp("explorer") / "index.html")


def visit(started, file: Path, state: str = "", **options: Any) -> Any:
    """Open the page from disk and wait until it is ready."""
    tab = browser.watched(
        started.new_page(**({"viewport": {"width": 1280, "height": 900}} | options))
    )
    tab.goto(file.as_uri() + (f"#{state}" if state else ""))
    tab.wait_for_selector("html[data-ready]")
    return tab


@pytest.fixture
def tab(chromium, file):
    """The explorer of the simulated data; afterwards nobody may have complained or left the file."""
    tab = visit(chromium, file)
    yield tab
    tab.wait_for_timeout(10)
    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    tab.close()


def until(tab: Any, condition: str) -> None:
    """Wait for a condition; Playwright's own waiting needs eval, which the page forbids."""
    for _ in range(200):
        if tab.evaluate(condition):
            return
        tab.wait_for_timeout(25)
    raise AssertionError(f"never: {condition}")


# Numbers


@dataclass(frozen=True)
class Selection:
    """One state of the filters, as the page and as hkreport take it."""

    values: dict[str, list[str]] = field(default_factory=dict)
    period: str = "all"
    min_roas: float | None = None
    min_price: float | None = None
    max_price: float | None = None

    def hash(self, **more: object) -> str:
        """The page's address for it."""
        pairs = [(name, value) for name, chosen in self.values.items() for value in chosen]
        if ".." in self.period:
            pairs += zip(("from", "to"), self.period.split(".."), strict=True)
        amounts = {"minRoas": self.min_roas, "minPrice": self.min_price, "maxPrice": self.max_price}
        pairs += [(name, f"{value:g}") for name, value in amounts.items() if value is not None]
        return urllib.parse.urlencode([*pairs, *more.items()])

    @property
    def filters(self) -> Filters:
        """What hkreport filters by."""
        return Filters(
            values={name: tuple(chosen) for name, chosen in self.values.items() if chosen},
            min_roas=self.min_roas,
            min_price=self.min_price,
            max_price=self.max_price,
        )


def selections(data: store.Data, count: int, seed: int) -> list[Selection]:
    """Random filters: few or many at once, narrow or wide, now and then impossible."""
    dice = random.Random(seed)
    values = {name: data.ledger.values(name) for name in (*OF_PEOPLE, *OF_EVENTS)}
    periods = ["all", "all", "2024-01-01..2025-12-31", "2025-04-01..2025-06-30", "2025-10-01..2025-12-31",
               "2024-02-29..2024-02-29", "2024-11-17..2025-01-09", "2025-01-01..2025-12-31"]  # fmt: skip
    made = []
    for _ in range(count):
        chosen: dict[str, list[str]] = {}
        for name in dice.sample(sorted(values), dice.choice([0, 1, 1, 2, 2, 3])):
            options = [*values[name], m.UNASSIGNED] if dice.random() < 0.2 else values[name]
            chosen[name] = sorted(dice.sample(options, min(len(options), dice.randint(1, 3))))
        prices = sorted(dice.choice([None, 399.0, 549.0, 899.5, 2199.0]) or math.inf for _ in "ab")
        priced = dice.random() < 0.25
        made.append(
            Selection(
                chosen,
                dice.choice(periods),
                dice.choice([None, None, None, 0.0, 1.0, 2.5]),
                prices[0] if priced and prices[0] < math.inf else None,
                prices[1] if priced and prices[1] < math.inf else None,
            )
        )
    return made


def remembered(monkeypatch) -> None:
    """Ask the ledger the same question once: the cards and the table of a selection share their slice."""
    for name in ("values", "where"):
        answers: dict[Any, Any] = {}
        plain = getattr(books.Ledger, name)

        def asked(self, what, answers=answers, plain=plain):
            key = (self.rows.op(), repr(what))
            if key not in answers:
                answers[key] = plain(self, what)
            return answers[key]

        monkeypatch.setattr(books.Ledger, name, asked)


def same(shown: str, expected: float) -> bool:
    """Whether the page's raw value is hkreport's, to 1e-9."""
    if math.isnan(expected):
        return shown == ""
    return shown != "" and math.isclose(float(shown), expected, rel_tol=1e-9, abs_tol=1e-9)


def compare(tab, data: store.Data, selection: Selection, by: str, names: list[str]) -> list[str]:
    """Every card and every row of the table against :func:`hkreport.views.slice_metrics`."""
    tab.evaluate(
        GO,
        selection.hash(
            by=by, columns=" ".join(names), size=500, sort="name", down=0, compare="nothing"
        ),
    )
    seen = tab.evaluate(READ)
    metrics = [m.CATALOGUE[name] for name in names]
    cards = [m.CATALOGUE[name] for name in CARDS]
    total, _ = views.slice_metrics(data, SETTINGS, cards, [], selection.period, selection.filters)
    frame, hides = views.slice_metrics(
        data, SETTINGS, metrics, [by], selection.period, selection.filters
    )
    wrong = []
    for name in CARDS:
        value, card = float(total[name][0]), seen["cards"][name]
        words = text(value, m.CATALOGUE[name].unit, short=True)
        if not same(card["value"], value) or card["words"] != words:
            wrong.append(f"{selection}: card {name}: {card}, expected {value} {words}")
        if math.isnan(value) and not card["notes"]:
            wrong.append(f"{selection}: card {name} does not say why it is undefined")
    keys = frame["influencer_id" if by == "influencer" else by].tolist()
    if keys != [row[0] for row in seen["rows"]]:
        wrong.append(f"{selection}: rows {len(seen['rows'])}, expected {len(keys)}")
        return wrong
    for row, record in zip(seen["rows"], frame[names].to_dict("records"), strict=True):
        for name, shown in zip(names, row[1:], strict=True):
            if not same(shown, float(record[name])):
                wrong.append(f"{selection}: {by} {row[0]} {name}: {shown}, expected {record[name]}")
    minimum = hides.partition("The limits of the price")[0].strip()
    if minimum:
        told = [note for note in seen["notes"] if note.startswith("The minimum ROAS hides")]
        if not told or not near(told[0], minimum):
            wrong.append(f"{selection}: {seen['notes']}, expected {minimum}")
    return wrong


def test_multiples_are_written_as_in_the_report(chromium):
    words = (Path(page.__file__).parent / "words.js").read_text(encoding="utf-8")
    values = [0, 1e-25, 4e-7, 5e-7, 0.0000472, 0.0129, 0.41, 1.996, 1234.5]
    tab = chromium.new_page()
    said = tab.evaluate(
        f"values => {{ {words}\nreturn values.map(value => text(value, 'multiple')); }}", values
    )
    tab.close()
    assert said == [text(value, Unit.MULTIPLE) for value in values]


def test_crores_are_written_as_in_the_report(chromium):
    words = (Path(page.__file__).parent / "words.js").read_text(encoding="utf-8")
    values = [1e7, 9999.99e7, 9999.996e7, 25_000e7, 99_999.4e7, 99_999.6e7, -3.158058e13]
    tab = chromium.new_page()
    said = tab.evaluate(
        f"values => {{ {words}\nreturn values.map(v => [text(v, 'money', true), tick(v, 'money')]); }}",
        values,
    )
    tab.close()
    expected = [[text(v, Unit.MONEY, short=True), tick(v, Unit.MONEY)] for v in values]
    assert said == expected


def near(words: str, expected: str) -> bool:
    """Whether two sentences say the same, to the rupee: a sum that ends in 0.50 may round either way."""

    def split(sentence: str) -> tuple[list[str], list[float]]:
        found = re.findall(r"\d[\d,.]*\d|\d", sentence)
        return re.split(r"\d[\d,.]*\d|\d", sentence), [float(n.replace(",", "")) for n in found]

    (left, ours), (right, theirs) = split(words), split(expected)
    return left == right and all(abs(a - b) <= 1 for a, b in zip(ours, theirs, strict=True))


def test_cards_and_rows_equal_hkreport_for_200_random_selections(tab, data, monkeypatch):
    remembered(monkeypatch)
    dice = random.Random(7)
    computable = [metric["name"] for metric in page.declarations()["metrics"]]
    wrong = []
    for selection in selections(data, 200, seed=11):
        by = dice.choice(["influencer"] * 6 + ["product", "brand", "campaign", "platform", "tier",
                         "category", "product_category", "persona", "week", "month", "quarter"])  # fmt: skip
        names = [name for name in computable if dice.random() < 0.4] or ["revenue"]
        wrong += compare(tab, data, selection, by, names)
    assert wrong == []


def test_the_csv_is_what_the_command_prints_byte_for_byte(tab, data, monkeypatch):
    states = (
        "",
        "brand=HKVitals&from=2025-04-01&to=2025-06-30&minRoas=0.5",
        "by=product&columns=revenue+roas+product_score+margin&brand=Gritzo&brand=MuscleBlaze",
        "by=month&columns=revenue+spend+average_order_value+active_influencers&platform=YouTube",
        "by=tier&search=a&gender=Female&maxPrice=900",
    )
    from hkreport.cli import app

    for state in states:
        tab.evaluate(GO, state)
        with tab.expect_download() as saved:
            tab.get_by_role("button", name="Download CSV").click()
        shown = Path(saved.value.path()).read_bytes()
        command = shlex.split(tab.locator("#command").text_content())
        assert command[:3] == ["hkreport", "metrics", "DATA"]
        printed = CliRunner().invoke(app, ["metrics", str(data.folder), *command[3:]])
        assert printed.exit_code == 0, printed.output
        assert shown == printed.stdout.encode(), state
        assert shown.count(b"\n") > 2


ALIKE = """date,orders,revenue,influencer_id,brand,campaign,product
2025-01-05,1,9269.88,1,A,Summer,Tub
2025-01-06,1,200,2,A,summer,Bar
2025-02-06,1,400,2,B,Winter,bar
2025-01-07,1,70,,A,Summer,Tub
"""


def test_spelling_ties_and_dates_are_as_the_command_has_them(chromium, tmp_path):
    posts = "date,influencer_id,brand,campaign,reach\n2025-01-05,1,A,Summer,9\n2025-01-06,2,B,,9\n"
    data = hand_written(
        tmp_path,
        tracking=ALIKE,
        posts=posts,
        products="product,brand\nTub,A\nBar,A\nbar,B\n",  # listed in two spellings: two products
        payouts="influencer_id,total_payout,basis\n1,3089.96,order\n2,300,order\n",
    )
    tab = visit(chromium, page.build(data, SETTINGS, tmp_path / "x.html"))
    names = ["revenue", "roas", "posts"]
    january = "2025-01-01..2025-01-31"
    for selection in (
        Selection({"product": ["bar"]}),
        Selection({"product": ["Bar"]}),
        Selection({"campaign": ["Summer"]}, january, 3.0),
        Selection({"campaign": ["Winter"]}, january),
        Selection({"campaign": ["Winter"], "brand": ["B"]}),
        Selection({"campaign": ["Winter"], "brand": ["A"]}, "2025-02-01..2025-02-28"),
        Selection({}, january, 3.0),
    ):
        assert compare(tab, data, selection, "influencer", names) == []
    assert [row[0] for row in tab.evaluate(READ)["rows"]] == ["1"]
    assert tab.locator("#table td.band-good").count() == 1
    assert (
        tab.locator("#notes")
        .inner_text()
        .endswith("and ₹70.00 of revenue that no influencer brought.")
    )
    tab.close()


# Controls


def test_a_reader_filters_by_mouse_and_the_address_keeps_the_view(tab, chromium, file):
    tab.locator("#lists summary", has_text="Brand").click()
    tab.get_by_label("HKVitals", exact=True).check()
    tab.select_option("#period", label="2025-Q2")
    tab.fill("#minRoas", "1")
    tab.fill("#search", "a")
    tab.locator("#chart-platform [role=button]").first.click()
    until(tab, "location.hash.includes('search=a') && location.hash.includes('platform=')")
    assert {"brand=HKVitals", "from=2025-04-01", "to=2025-06-30", "minRoas=1"} <= set(
        tab.evaluate("location.hash.slice(1)").split("&")
    )
    before = tab.evaluate(READ)
    assert any(
        note.startswith("Compared with 1 Jan 2025 to 31 Mar 2025") for note in before["notes"]
    )
    other = visit(chromium, file, tab.evaluate("location.hash.slice(1)"))
    assert other.evaluate(READ) == before
    assert other.locator("#minRoas").input_value() == "1"
    assert other.get_by_label("HKVitals", exact=True).is_checked()
    assert other.complaints == []
    other.close()
    tab.get_by_role("button", name="Reset all filters").click()
    assert tab.locator("#chips li").count() == 0
    until(tab, "location.hash.slice(1) === ''")


def test_an_address_may_spell_values_in_another_case(tab):
    tab.evaluate(GO, "brand=hkvitals&platform=YOUTUBE&tier=Micro")
    chips = tab.locator("#chips").inner_text()
    assert all(words in chips for words in ("Brand: HKVitals", "Platform: YouTube", "Tier: micro"))
    assert "The address names" not in tab.locator("#notes").inner_text()
    until(tab, "location.hash.includes('brand=HKVitals&') && location.hash.includes('tier=micro')")


def test_what_the_address_names_and_the_data_lacks_is_said_until_the_next_choice(tab):
    tab.evaluate(GO, "brand=Gone+with+the+wind")
    said = "names the brand “Gone with the wind”, which this data does not have"
    assert said in tab.locator("#notes").inner_text()
    tab.select_option("#by", "platform")
    assert "The address names" not in tab.locator("#notes").inner_text()


def test_back_and_forward_walk_through_what_was_chosen(tab):
    def settled(part):
        until(tab, f"decodeURIComponent(location.hash) === {part!r}")

    tab.locator("#lists summary", has_text="Brand").click()
    tab.get_by_label("HKVitals", exact=True).check()
    settled("#brand=HKVitals")
    for letters in ("a", "as", "ash"):  # each is remembered, and all are one step
        tab.fill("#search", letters)
        settled(f"#brand=HKVitals&search={letters}")
    tab.select_option("#size", "50")
    settled("#brand=HKVitals&search=ash&size=50")
    tab.select_option("#by", "platform")
    settled("#brand=HKVitals&search=ash&by=platform&size=50")
    tab.go_back()
    settled("#brand=HKVitals&search=ash&size=50")
    assert tab.locator("#by").input_value() == "influencer"
    tab.go_back()
    settled("#brand=HKVitals")
    assert tab.locator("#search").input_value() == ""
    tab.go_back()
    settled("")
    assert tab.locator("#chips li").count() == 0
    tab.go_forward()
    settled("#brand=HKVitals")
    assert tab.get_by_label("HKVitals", exact=True).is_checked()
    tab.wait_for_timeout(400)  # what is remembered a moment later makes no step of its own
    tab.go_forward()
    settled("#brand=HKVitals&search=ash&size=50")


def test_brands_are_sorted_for_people_and_never_two_of_one_colour(chromium, tmp_path):
    brands = ["Zebra", "apple", "Brand 10", "Brand 9", "HKVitals", "Oak", "elm", "Yew"]
    rows = "".join(f"2025-04-02,{i},{brand},1,1,100\n" for i, brand in enumerate(brands))
    (tmp_path / "tracking.csv").write_text(
        f"date,tracking_id,brand,influencer_id,orders,revenue\n{rows}", encoding="utf-8"
    )
    data = store.open_data(tmp_path, SETTINGS, root=ROOT)
    tab = visit(chromium, page.build(data, SETTINGS, tmp_path / "x.html"))
    listed = tab.locator("details[data-name=brand] .check").all_text_contents()
    assert listed == ["apple", "Brand 9", "Brand 10", "elm", "HKVitals", "Oak", "Yew", "Zebra"]
    tab.select_option("#top-topBy", "brand")
    bars = tab.locator("#chart-top .bar")
    own = bars.evaluate_all("bars => bars.map(bar => bar.style.getPropertyValue('--own'))")
    assert own == [""] * len(brands)  # there are six colours
    tab.close()


def test_a_click_on_a_bar_filters_and_a_second_click_takes_it_back(tab):
    bar = tab.locator("#chart-category [role=button]").first
    name = bar.get_attribute("data-key")
    bar.click()
    assert tab.locator("#chips").inner_text().startswith(f"Category: {name}")
    assert tab.locator("#chart-category [role=button]").count() == 1
    tab.locator("#chart-category [role=button][aria-pressed=true]").click()
    assert tab.locator("#chips li").count() == 0


def test_the_comparison_is_the_period_before_or_another_brand(tab, data):
    chosen = Selection(
        {"brand": ["HKVitals"], "platform": ["Instagram", "YouTube"]}, "2025-04-01..2025-06-30", 0.5
    )
    tab.evaluate(GO, chosen.hash())
    cards = tab.evaluate(READ)["cards"]
    metrics = [m.CATALOGUE[name] for name in CARDS]
    before, _ = views.slice_metrics(data, SETTINGS, metrics, [], "2025-Q1", chosen.filters)
    assert [name for name in CARDS if not same(cards[name]["before"], float(before[name][0]))] == []
    tab.evaluate(GO, chosen.hash(compare="brand:Gritzo"))
    cards = tab.evaluate(READ)["cards"]
    other = Selection({**chosen.values, "brand": ["Gritzo"]}, chosen.period, 0.5)
    before, _ = views.slice_metrics(data, SETTINGS, metrics, [], other.period, other.filters)
    assert [name for name in CARDS if not same(cards[name]["before"], float(before[name][0]))] == []
    tile = tables.Tile.of(
        m.REVENUE,
        float(cards["revenue"]["value"]),
        previous=float(before["revenue"][0]),
        previous_label="Gritzo",
    )
    assert tab.locator("#cards [data-metric=revenue] .hk-delta").text_content() == tile.delta
    tab.evaluate(GO, "from=2023-12-01&to=2024-02-01")
    assert "begins before the data" in tab.locator("#notes").inner_text()
    first, last = data.ledger.first, data.ledger.last
    for days, words in ((4, ""), (20, f"begins before the data, {periods.worded(first)}")):
        start = first - datetime.timedelta(days=days)  # of the 60 days before
        later, end = (start + datetime.timedelta(days=60 * part - (part > 1)) for part in (1, 2))
        tab.evaluate(GO, f"from={later}&to={end}")
        assert words in tab.locator("#notes").inner_text()
        assert (tab.locator("#cards .hk-delta").count() > 0) == (not words)
    for days, words in (
        (5, ""),
        (20, f"No comparison: the data ends {periods.worded(last)}, before"),
    ):
        end = last + datetime.timedelta(days=days)
        tab.evaluate(GO, f"from={last - datetime.timedelta(days=80)}&to={end}")
        assert words in tab.locator("#notes").inner_text()
        assert (tab.locator("#cards .hk-delta").count() > 0) == (not words)


def test_every_metric_of_the_selection_is_shown_with_its_value(tab, data):
    tab.evaluate(GO, "brand=MuscleBlaze&from=2025-01-01&to=2025-12-31")
    tab.locator("#all > summary").click()
    tab.wait_for_selector("#all tbody tr")
    shown = dict(
        tab.evaluate(
            "[...document.querySelectorAll('#all tbody tr')].map(tr => [tr.dataset.metric, tr.querySelector('td').dataset.value])"
        )
    )
    names = [
        name
        for name, metric in m.CATALOGUE.items()
        if not isinstance(metric, m.Score) and name != "customers"
    ]
    assert sorted(shown) == sorted(names)
    metrics = [m.CATALOGUE[name] for name in names]
    frame, _ = views.slice_metrics(
        data, SETTINGS, metrics, [], "2025", Filters(values={"brand": ("MuscleBlaze",)})
    )
    assert [name for name in names if not same(shown[name], float(frame[name][0]))] == []
    assert "user ids stay out" in tab.locator("#omitted").text_content()


def test_the_table_sorts_turns_pages_and_marks_bands_with_signs(tab):
    head = tab.locator("#table thead th[data-name=roas]")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    values = [float(row[4]) for row in tab.evaluate(READ)["rows"] if row[4]]
    assert len(values) == 25
    assert values == sorted(values, reverse=True)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    first = tab.evaluate(READ)["rows"][0][0]
    tab.get_by_role("button", name="Next page").click()
    assert tab.locator("#place").text_content().startswith("26–50 of ")
    assert tab.evaluate(READ)["rows"][0][0] != first
    tab.evaluate(GO, "sort=roas")
    good = tab.locator("#table td.band-good").first
    assert good.evaluate("e => getComputedStyle(e, '::before').content").startswith('"▲"')
    assert "▲ good from 3×, ■ fair from 1×, ▼ poor below" in tab.locator("#legend").text_content()


def test_everything_is_reached_and_worked_by_keyboard(tab):
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "hk-skip"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "results"
    bars = tab.locator("#chart-top [role=button]")
    bars.first.focus()
    tab.keyboard.press("ArrowDown")
    assert tab.evaluate("document.activeElement.dataset.key") == bars.nth(1).get_attribute(
        "data-key"
    )
    key = bars.nth(1).get_attribute("data-key")
    tab.keyboard.press("Enter")
    assert f"influencer={key}" in tab.evaluate(
        "(() => new Promise(r => setTimeout(() => r(location.hash), 400)))()"
    )
    assert tab.evaluate("document.activeElement.dataset.key") == key
    tab.keyboard.press("Enter")
    tab.locator("#chart-payout svg[tabindex]").focus()
    for _ in range(2):
        tab.keyboard.press("ArrowRight")
    assert "ROAS" in tab.locator("#chart-payout .sr[aria-live]").text_content()
    stops = tab.evaluate("""() => [...document.querySelectorAll('button, select, input, summary, [tabindex="0"]')]
        .filter(e => e.checkVisibility() && !(e.textContent + (e.ariaLabel ?? '') + (e.labels?.length ? 'x' : '')).trim()).length""")
    assert stops == 0
    # A bar is named by its label, which holds whole what is drawn cut.
    named = tab.evaluate("""() => [...document.querySelectorAll('g.row')]
        .filter(e => !e.ariaLabel || [...e.querySelectorAll('text')].some(text => text.ariaHidden !== 'true')).length""")
    assert named == 0


def test_a_screen_reader_hears_the_new_selection(tab):
    tab.evaluate(GO, "brand=Gritzo")
    until(tab, "document.querySelector('#status').textContent.startsWith('Selection: ₹')")
    assert "ROAS" in tab.locator("#status").text_content()


def test_charts_are_saved_as_pictures_that_stand_alone(tab):
    import xml.etree.ElementTree as ElementTree

    for kind in ("SVG", "PNG"):
        with tab.expect_download() as saved:
            tab.locator("#chart-payout").get_by_role("button", name=kind).click()
        content = Path(saved.value.path()).read_bytes()
        if kind == "PNG":
            assert content[:8] == b"\x89PNG\r\n\x1a\n"
            assert len(content) > 20_000
        else:
            root = ElementTree.fromstring(content)
            assert "Revenue against payout" in "".join(root.itertext())
            assert b"var(" not in content
            assert len(root.findall(".//{*}path")) >= 3


def test_the_numbers_behind_each_chart_are_there_as_a_table(tab):
    assert tab.locator("figure").count() == 7
    for chart in tab.query_selector_all("figure"):
        chart.query_selector("details.hk-data > summary").click()
    until(tab, "document.querySelectorAll('figure tbody').length === 7")
    assert (
        tab.evaluate(
            "Math.min(...[...document.querySelectorAll('figure tbody')].map(e => e.rows.length))"
        )
        >= 4
    )


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(chromium, file, width, scheme):
    tab = visit(chromium, file, "brand=HKVitals&from=2025-04-01&to=2025-06-30&minRoas=0.5",
                viewport={"width": width, "height": 900}, color_scheme=scheme)  # fmt: skip
    for pick in tab.query_selector_all("details"):
        pick.evaluate("e => { e.open = true; }")
    tab.wait_for_timeout(100)
    assert browser.axe(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.complaints == []
    tab.close()


# Other data


HOSTILE = "</script><img src=x onerror=alert(1)>"


def hand_written(tmp_path: Path, **changed: str) -> store.Data:
    return opened(exports.write(tmp_path / "exports", **changed))


def test_paper_holds_every_column_every_key_and_no_control(chromium, file):
    """The last columns were cut off at the edge of the paper, and labels stood there without their fields."""
    tab = chromium.new_page(viewport={"width": 718, "height": 1000})  # A4 less 10 mm at each side
    tab.goto(file.as_uri())
    tab.wait_for_selector("#live:not([hidden])")
    tab.emulate_media(media="print")
    cells = "[...document.querySelectorAll('#table th, #table td')]"
    assert tab.evaluate(f"Math.max(...{cells}.map(e => e.getBoundingClientRect().right))") <= 718
    assert tab.evaluate("document.documentElement.scrollWidth") <= 718
    assert tab.locator(".key:visible").count() > 3
    assert tab.locator(":is(select, input, .field, #csv):visible").count() == 0
    tab.close()


def test_hostile_names_are_inert_and_no_formula_reaches_the_csv(chromium, tmp_path):
    influencers = exports.INFLUENCERS.replace("Kiran $x$ #1", HOSTILE).replace(
        "Unpaid Person", "=1+1"
    )
    data = hand_written(
        tmp_path, influencers=influencers, tracking=exports.TRACKING.replace("Biotin", "<b>B</b>")
    )
    tab = visit(chromium, page.build(data, SETTINGS, tmp_path / "x.html"))
    assert HOSTILE in tab.locator("#table tbody").inner_text()
    assert tab.evaluate("document.querySelectorAll('img, #table b').length") == 0
    with tab.expect_download() as saved:
        tab.get_by_role("button", name="Download CSV").click()
    rows = list(csv.reader(io.StringIO(Path(saved.value.path()).read_text(encoding="utf-8"))))
    assert "'=1+1" in [row[1] for row in rows]
    assert tab.complaints == []
    tab.close()


def test_bars_tell_namesakes_apart_by_their_ids(chromium, tmp_path):
    influencers = exports.INFLUENCERS.replace("Kiran $x$ #1", "Unpaid Person")
    data = hand_written(tmp_path, influencers=influencers)
    tab = visit(chromium, page.build(data, SETTINGS, tmp_path / "x.html"))
    drawn = tab.locator("#chart-top").text_content()
    assert "Unpaid Person (3)" in drawn
    assert "Unpaid Person (4)" in drawn
    assert "Asha Rao (" not in drawn  # whose name is nobody else's has no id behind it
    tab.close()


def test_posts_that_name_no_brand_are_unknown_under_a_brand_and_it_is_said(chromium, tmp_path):
    posts = (
        re.sub(r",(HKVitals|Gritzo)$", "", exports.POSTS, flags=re.M)
        .replace(",brand", "")
        .replace("#HKVitals", "")
    )
    data = hand_written(tmp_path, posts=posts)
    tab = visit(chromium, page.build(data, SETTINGS, tmp_path / "x.html"))
    assert compare(tab, data, Selection(), "influencer", ["reach", "posts", "roas"]) == []
    assert (
        compare(
            tab, data, Selection({"brand": ["HKVitals"]}), "influencer", ["reach", "posts", "roas"]
        )
        == []
    )
    assert tab.locator("#cards [data-metric=reach]").inner_text().endswith("posts name no brand")
    assert "Posts name no brand" in tab.locator("#notes").inner_text()
    tab.close()


@pytest.mark.parametrize(
    "state",
    [
        "columns=",
        "columns=no_such_metric",
        "columns=constructor+revenue&sort=toString",
        "topMetric=constructor&productMetric=valueOf&platformMetric=__proto__",
        "brand=constructor",
        "influencer=1&from=2025-02-30",
    ],
)
def test_an_address_or_a_name_that_every_object_knows_breaks_nothing(chromium, tmp_path, state):
    texts = {
        "tracking": exports.TRACKING.replace("Gritzo", "constructor"),
        "posts": exports.POSTS.replace("Gritzo", "constructor"),
        "influencers": exports.INFLUENCERS.replace("Asha Rao", "__proto__").replace(
            "Fitness", "toString"
        ),
    }
    data = hand_written(tmp_path, **texts)
    file = page.build(data, SETTINGS, tmp_path / "x.html")
    tab = visit(chromium, file, state)
    seen = tab.evaluate(READ)
    assert len(seen["rows"]) == (1 if "influencer" in state else 2 if "brand" in state else 5)
    assert len(seen["columns"]) == (2 if "revenue" in state else 10)
    fills = (
        "[...document.querySelectorAll('#charts .bar')].map(e => e.style.getPropertyValue('--own'))"
    )
    assert all(re.fullmatch("(#[0-9a-f]{6})?", colour) for colour in tab.evaluate(fills))
    assert tab.complaints == []
    tab.evaluate(GO, "by=brand")
    tab.evaluate(GO, state)
    assert tab.evaluate(READ) == seen
    assert tab.complaints == []
    tab.close()


def test_dates_in_the_wrong_order_are_told_and_compared_with_nothing(tab):
    tab.evaluate(GO, "from=2025-09-01&to=2025-03-01")
    assert tab.evaluate(READ)["notes"] == [
        "Nothing lies between the dates: 1 Sep 2025 comes after 1 Mar 2025."
    ]


def test_charts_say_what_they_leave_out_and_share_only_what_has_shares(chromium, tmp_path):
    people = [(f"p{i}", f"Kind {i:02d}", "Instagram" if i % 2 else "YouTube") for i in range(25)]
    sold = [f"2025-0{1 + i % 8}-{10 + i % 5},2,{100 + i},{id_}" for i, (id_, *_) in enumerate(people)]  # fmt: skip
    data = hand_written(
        tmp_path,
        posts="",
        influencers="id,name,category,platform\n"
        + "\n".join(f"{i},N {i},{kind},{on}" for i, kind, on in people),
        tracking="date,orders,revenue,influencer_id\n" + "\n".join([*sold, "2025-08-20,1,0,p24"]),
        payouts="influencer_id,basis,total_payout\n"
        + "\n".join(
            f"{i},order,{ {'p3': -90, 'p18': -5000}.get(i, 110) }" for i, *_ in people[:20]
        ),
    )
    tab = visit(chromium, page.build(data, SETTINGS, tmp_path / "x.html"))

    def hints() -> dict[str, str]:
        return tab.evaluate(
            "() => Object.fromEntries([...document.querySelectorAll('figure')].map(e => [e.id.slice(6), "
            "e.querySelector('.hint').hidden ? '' : e.querySelector('.hint').textContent]))"
        )

    assert hints()["category"] == "The first 20 of 25 categories; the numbers below have all."
    tab.evaluate("document.querySelector('#chart-category details').open = true")
    until(tab, "document.querySelectorAll('#chart-category tbody tr').length === 25")
    assert hints()["trend"] == (
        "The first month begins on 10 Jan 2025 and the last month ends on 20 Aug 2025."
    )
    # 18 of the 20 were paid more than nothing; those of 110 and more rupees earn it.
    assert hints()["payout"].startswith("9 of 18 who were paid bring in at least what they are")
    words = "() => [...document.querySelectorAll('#chart-platform .row')].map(e => e.getAttribute('aria-label'))"
    assert [each.count("%") for each in tab.evaluate(words)] == [1, 1]
    tab.evaluate(GO, "platformMetric=spend")
    shown = tab.evaluate(words)
    assert len(shown) == 2
    assert [each.count("%") for each in shown] == [0, 0]
    tab.evaluate(GO, "search=nobody+of+that+name")
    assert tab.evaluate(READ)["command"] == "No command prints this: the search finds nobody."
    assert tab.complaints == []
    tab.close()


def test_money_that_came_back_divides_nothing(chromium, tmp_path):
    paid = exports.PAYOUTS.replace("1,post,1000,,2000", "1,post,1000,,-2000")
    data = hand_written(tmp_path, payouts=paid)
    tab = visit(chromium, page.build(data, SETTINGS, tmp_path / "x.html"))
    names = ["spend", "roas", "roi", "cost_per_influencer_order", "margin"]
    assert compare(tab, data, Selection(), "influencer", names) == []
    assert compare(tab, data, Selection(min_roas=0.1), "influencer", names) == []
    tab.evaluate(GO, Selection({"influencer": ["1"]}).hash())
    assert tab.locator("#cards [data-metric=roas]").inner_text().endswith("spend below 0")
    cost = tab.locator("#cards [data-metric=cost_per_influencer_order]").inner_text()
    assert cost.endswith("spend below 0")
    tab.close()


def test_a_new_address_is_followed_though_the_last_state_is_just_being_remembered(tab):
    """A quarter second after drawing, the page writes its state into the address."""
    tab.evaluate(GO, "by=month")
    tab.evaluate("""() => new Promise(done => {
        addEventListener('hashchange', () => done(), {once: true});
        location.hash = 'by=platform';
        history.replaceState(null, '', '#by=month');
    })""")
    assert "--by platform " in tab.evaluate(READ)["command"]
    tab.wait_for_timeout(400)
    assert tab.evaluate("location.hash") == "#by=platform"


@pytest.mark.parametrize("missing", ["posts", "payouts", "tracking", "influencers"])
def test_a_missing_table_leaves_its_numbers_undefined(chromium, tmp_path, missing):
    data = hand_written(tmp_path, **{missing: ""})
    tab = visit(chromium, page.build(data, SETTINGS, tmp_path / "x.html"))
    for selection in (Selection(), Selection({"influencer": ["1", "2"]}), Selection(min_roas=1.0)):
        for by in ("influencer", "platform", "month", "product"):
            assert (
                compare(tab, data, selection, by, ["revenue", "spend", "roas", "posts", "margin"])
                == []
            )
    assert tab.complaints == []
    tab.close()


def test_where_days_would_be_too_many_cells_dates_snap_to_weeks_and_it_is_said(
    chromium, data, tmp_path
):
    days = cube.Cube.of(data.ledger).cells
    file = tmp_path / "weeks.html"
    file.write_text(page.html(data, SETTINGS, most=days - 1), encoding="utf-8")
    tab = visit(chromium, file)
    assert "Days are summed by week" in tab.locator("#grain").text_content()
    asked = Selection({"brand": ["HKVitals"]}, "2025-04-02..2025-06-30")
    tab.evaluate(GO, asked.hash(by="platform", columns="revenue spend posts", size=500))
    seen = tab.evaluate(READ)
    assert "Dates are widened to whole weeks: 31 Mar 2025 to 6 Jul 2025." in seen["notes"]
    frame, _ = views.slice_metrics(
        data,
        SETTINGS,
        [m.CATALOGUE[name] for name in CARDS],
        [],
        "2025-03-31..2025-07-06",
        asked.filters,
    )
    assert [
        name for name in CARDS if not same(seen["cards"][name]["value"], float(frame[name][0]))
    ] == []
    tab.close()


def test_the_grain_is_the_finest_whose_cells_are_few_enough(data):
    most = cube.MOST_CELLS
    for grain in cube.GRAINS:
        made = cube.Cube.of(data.ledger, most=most)
        assert made.header["grain"] == grain
        assert cube.Cube.of(data.ledger, most=made.cells).header["grain"] == grain
        most = made.cells - 1


def test_the_page_is_small_holds_no_user_and_asks_for_nothing(data, file):
    content = file.read_text(encoding="utf-8")
    assert len(content.encode()) < 2_000_000
    orders = pd.concat(pd.read_csv(path, dtype=str) for path in data.folder.glob("tracking*.csv"))
    users = orders["user_id"].dropna().drop_duplicates().head(200)
    assert len(users) == 200
    numbers = (
        data.ledger.rows["user_id"].name("number").as_table().drop_null().limit(200).to_pandas()
    )
    header = json.dumps(cube.Cube.of(data.ledger).header)
    hidden = [*users, *numbers["number"].astype(int).astype(str)]
    assert [user for user in hidden if user in header or user in content] == []
    assert (
        re.findall(r"\son\w+=|https?://(?!www\.w3\.org/2000/svg)", content.split('id="facts"')[0])
        == []
    )
    assert "default-src 'none'" in content


def test_two_builds_give_the_same_bytes(data, file):
    assert page.html(data, SETTINGS) == file.read_text(encoding="utf-8")


def test_an_amount_that_no_number_holds_exactly_loses_decimals_and_nothing_else():
    import numpy as np

    steps, scale = cube._whole(np.array([123456789012.123456, 0.5]))
    assert scale < 10**6
    assert steps / scale == pytest.approx([123456789012.123456, 0.5], rel=1e-9)


def test_the_command_writes_the_page_and_names_it(data, file, tmp_path):
    from hkreport.cli import app

    out = tmp_path / "deep" / "explorer.html"
    done = CliRunner().invoke(app, ["explorer", str(data.folder), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(out)
    assert out.read_bytes() == file.read_bytes()
    assert [path.name for path in out.parent.iterdir()] == ["explorer.html"]
