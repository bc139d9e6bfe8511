"""Simulated exports: canonical, reproducible, true to their settings, and counted to the paisa."""

import datetime
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from hkreport import schema, simulate
from hkreport.errors import DataError, HkreportError, ParamsError, UsageError
from hkreport.simulate import dirt, files, orders, people, posts, settings, trials, truth, world

BRANDS = ("MuscleBlaze", "HKVitals", "Gritzo")
TABLES = tuple(schema.TABLES)
SMALL = {"scale": 0.004, "start": "2025-09-01"}  # four months, in half a second


def read(folder: Path) -> SimpleNamespace:
    """All tables of a folder, and its truth."""
    tables = {
        name: pd.read_csv(folder / f"{name}.csv", low_memory=False, dtype={"brand": "str"})
        for name in TABLES
    }
    for name in ("posts", "tracking"):
        tables[name]["date"] = pd.to_datetime(tables[name]["date"])
    known = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return SimpleNamespace(folder=folder, truth=known, **tables)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """What `make report` builds."""
    folder = tmp_path_factory.mktemp("simulated") / "sample"
    simulate.write(folder)
    return read(folder)


@pytest.fixture(scope="session")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SimpleNamespace]:
    """Two years of a scenario, at a third of the sample's size; made once."""
    made: dict[str, SimpleNamespace] = {}

    def of(name: str) -> SimpleNamespace:
        if name not in made:
            folder = tmp_path_factory.mktemp("scenarios") / name
            simulate.write(folder, scale=0.02, scenario=name)
            made[name] = read(folder)
        return made[name]

    return of


def stage(scale: float, scenario: str, seed: int) -> world.World:
    """The stage for two years."""
    return world.build(
        settings.load(),
        seed=seed,
        scale=scale,
        scenario=scenario,
        start=datetime.date(2024, 1, 1),
        days=731,
    )


def periods(sample: SimpleNamespace, brand: str) -> dict[str, Any]:
    return dict(sample.truth["brands"][brand])


# The files


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_canonical(sample: SimpleNamespace, name: str) -> None:
    allowed = schema.TABLES[name]
    columns = list(getattr(sample, name).columns)
    assert set(columns) <= set(allowed.names)
    assert set(allowed.required) <= set(columns)


@pytest.mark.parametrize("name", ["influencers", "posts", "tracking", "payouts"])
def test_ids_are_unique(sample: SimpleNamespace, name: str) -> None:
    key = {"influencers": "influencer_id", "posts": "post_id", "tracking": "tracking_id"}
    ids = getattr(sample, name)[key.get(name, "payout_id")]
    assert ids.notna().all()
    assert ids.is_unique


def test_sample_is_large_enough_for_every_brand_and_quarter(sample: SimpleNamespace) -> None:
    quarter = sample.posts["date"].dt.to_period("Q")
    by = sample.posts.groupby(["brand", quarter])
    assert by["influencer_id"].nunique().min() >= 75
    assert by["post_id"].nunique().min() >= 300
    quarter = sample.tracking["date"].dt.to_period("Q")
    assert sample.tracking.groupby(["brand", quarter])["orders"].sum().min() >= 800
    assert len(by) == 3 * 8


def test_sample_is_small_enough_to_read(sample: SimpleNamespace) -> None:
    assert sum(path.stat().st_size for path in sample.folder.glob("*.csv")) < 17e6


def test_marker_says_that_the_data_are_simulated(sample: SimpleNamespace) -> None:
    marker = json.loads((sample.folder / simulate.MARKER).read_text(encoding="utf-8"))
    assert marker["simulated"] is True
    assert (marker["seed"], marker["scenario"], marker["scale"]) == (1, "default", 0.06)
    assert {"tracking.csv", "truth.json", "earlier/posts.csv"} <= set(marker["files"])


def test_rows_are_counted(sample: SimpleNamespace) -> None:
    assert sample.truth["rows"] == {name: len(getattr(sample, name)) for name in sorted(TABLES)}


def test_latest_full_quarter_is_the_last_of_2025(sample: SimpleNamespace) -> None:
    assert sample.tracking["date"].min() == pd.Timestamp("2024-01-01")
    assert sample.tracking["date"].max() == pd.Timestamp("2025-12-31")


def test_user_ids_are_text_of_one_length(sample: SimpleNamespace) -> None:
    ids = pd.concat([sample.tracking["user_id"], sample.touchpoints["user_id"]])
    assert ids.str.fullmatch(r"U\d{9}").all()


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_gives_same_bytes_whatever_the_machine_is_set_to(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hkreport import simulate; "
        "simulate.write(Path(sys.argv[1]), scale=0.004, start='2025-09-01', dirt=0.02)"
    )
    settled = [
        {"PYTHONHASHSEED": "1", "LANG": "C", "LC_ALL": "C", "TZ": "UTC", "LANGUAGE": "hi"},
        # An older processor: numpy then takes other code for exp and log.
        {"PYTHONHASHSEED": "7", "TZ": "Asia/Kolkata", "NPY_DISABLE_CPU_FEATURES": "X86_V4 X86_V3"},
    ]
    found = []
    for number, variables in enumerate(settled):
        folder = tmp_path / str(number)
        done = subprocess.run(
            [sys.executable, "-c", code, str(folder)],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.append(digests(folder))
    assert found[0] == found[1]


def test_another_seed_gives_other_data(tmp_path: Path) -> None:
    for seed in (1, 2):
        simulate.write(tmp_path / str(seed), seed=seed, **SMALL)
    first, second = digests(tmp_path / "1"), digests(tmp_path / "2")
    assert {name for name in first if first[name] == second[name]} <= {"products.csv"}


def test_a_part_that_changes_leaves_the_other_parts_as_they_were(tmp_path: Path) -> None:
    content = dict(settings._content(settings.FILE))
    content["touchpoints"] = {**content["touchpoints"], "several": 0.9}
    simulate.write(tmp_path / "a", **SMALL)
    simulate.write(tmp_path / "b", settings=content, **SMALL)
    first, second = digests(tmp_path / "a"), digests(tmp_path / "b")
    assert {name for name in first if first[name] != second[name]} == {
        "touchpoints.csv",
        "truth.json",
    }


def test_parquet_holds_the_same_rows_in_a_row_group_for_each_brand_and_month(
    tmp_path: Path,
) -> None:
    simulate.write(tmp_path / "csv", **SMALL)
    simulate.write(tmp_path / "parquet", file_format="parquet", **SMALL)
    for name in TABLES:
        text = pd.read_csv(tmp_path / "csv" / f"{name}.csv", low_memory=False)
        binary = pd.read_parquet(tmp_path / "parquet" / f"{name}.parquet")
        assert list(text.columns) == list(binary.columns)
        assert len(text) == len(binary)
        for column in text.select_dtypes("number"):
            assert np.array_equal(
                text[column].to_numpy(float), binary[column].to_numpy(float), equal_nan=True
            )
    file = pyarrow.parquet.ParquetFile(tmp_path / "parquet" / "tracking.parquet")
    assert file.metadata.num_row_groups == 3 * 4


def test_large_months_are_made_in_pieces_of_bounded_size() -> None:
    content = dict(settings._content(settings.FILE))
    content["large"] = {**content["large"], "rows_a_chunk": 300}
    made = world.build(
        settings.load(content),
        seed=1,
        scale=0.02,
        scenario="default",
        start=datetime.date(2025, 6, 1),
        days=61,
    )
    tests = trials.plan(made)
    published = posts.publish(made, tests)
    sizes, days = [], []
    for chunk in orders.chunks(made, published, tests, people.everyone(made)):
        sizes.append(len(chunk))
        if chunk.brand == 0:
            days.append((int(chunk.day[0]), int(chunk.day[-1])))
    assert max(sizes) < 3 * 300
    assert all(first[1] < second[0] for first, second in itertools.pairwise(days))
    assert days[0][0] == 0
    assert days[-1][1] == 60


def test_folder_with_other_files_is_never_replaced(tmp_path: Path) -> None:
    out = tmp_path / "exports"
    out.mkdir()
    (out / "tracking.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        simulate.write(out, **SMALL)
    assert str(caught.value) == (
        "exports/ holds files that were not simulated: 'tracking.csv'. They would be lost. "
        "Choose another folder with --out, or move them away."
    )
    assert (out / "tracking.csv").read_text(encoding="utf-8") == "mine"
    assert os.listdir(tmp_path) == ["exports"]


def test_earlier_simulation_is_replaced_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "sample"
    simulate.write(out, file_format="parquet", **SMALL)
    (out / ".gitkeep").touch()
    simulate.write(out, **SMALL)
    assert not list(out.glob("*.parquet"))
    assert (out / ".gitkeep").exists()
    assert os.listdir(tmp_path) == ["sample"]


def test_failure_leaves_the_earlier_simulation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sample"
    simulate.write(out, **SMALL)
    before = digests(out)

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(truth, "document", fail)
    with pytest.raises(OSError, match="disk full"):
        simulate.write(out, seed=2, **SMALL)
    assert digests(out) == before
    assert os.listdir(tmp_path) == ["sample"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            {"scenario": "plant"},
            "Scenario 'plant' is unknown; allowed are 'default', 'null', 'aa', 'planted', "
            "'confounded', 'leaky'. Did you mean 'planted'?",
            id="scenario",
        ),
        pytest.param(
            {"file_format": "xlsx"},
            "Format 'xlsx' is unknown; allowed are 'csv', 'parquet'.",
            id="format",
        ),
        pytest.param({"seed": -1}, "Seed is -1; it must be 0 or more.", id="seed"),
        pytest.param(
            {"scale": 0.0}, "Scale is 0; it must be above 0 and at most 1000.", id="scale"
        ),
        pytest.param({"dirt": 1.0}, "Dirt is 1; it is a share of rows, from 0 to 0.5.", id="dirt"),
        pytest.param(
            {"dirt": 0.1, "file_format": "parquet"},
            "Only CSV can hold spoilt cells; Parquet columns have one type. "
            "Use --format csv with --dirt.",
            id="dirt_in_parquet",
        ),
        pytest.param(
            {"start": "2025-01-01", "end": "2025-01-03"},
            "From 2025-01-01 to 2025-01-03 are 2 days; at least 7 are needed.",
            id="short",
        ),
        pytest.param(
            {"end": "31.12.2025"},
            "Dates '2024-01-01' and '31.12.2025' cannot be read; "
            "ISO dates such as 2025-01-31 are allowed.",
            id="date",
        ),
    ],
)
def test_what_is_not_allowed_is_said(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(HkreportError) as caught:
        simulate.write(tmp_path / "out", **arguments)
    assert str(caught.value) == message
    assert isinstance(caught.value, UsageError | ParamsError)
    assert not (tmp_path / "out").exists()


def test_unknown_setting_is_named_with_the_nearest_one() -> None:
    content = dict(settings._content(settings.FILE))
    content["demand"] = {**content["demand"], "sael": 1.4}
    with pytest.raises(ParamsError) as caught:
        settings.load(content)
    assert str(caught.value) == "The settings: unknown key 'demand.sael'. Did you mean 'sale'?"


def test_the_settings_are_those_of_the_project_that_one_stands_in(tmp_path, monkeypatch):
    (tmp_path / "_quarto.yml").touch()
    monkeypatch.chdir(tmp_path)
    assert settings.load() == settings.load(settings.FILE)  # it has none of its own
    own = settings.FILE.read_text(encoding="utf-8").replace(
        "organic_orders_a_day: 420", "organic_orders_a_day: 7", 1
    )
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "simulation.yml").write_text(own, encoding="utf-8")
    assert settings.load().brands["HKVitals"].organic_orders_a_day == 7


def test_every_setting_has_a_comment() -> None:
    lines = settings.FILE.read_text(encoding="utf-8").splitlines()
    keys = [(re.match(r"\s*([\w-]+):\s*[^\s#{]", line), "#" in line) for line in lines]
    commented = {match[1] for match, has_comment in keys if match and has_comment}
    repeated = {match[1] for match, has_comment in keys if match and not has_comment}
    # A rate by date, and the second of several brands, platforms or rates.
    undated = {key for key in repeated if not re.fullmatch(r"\d{4}-\d\d-\d\d", key)}
    assert undated <= commented


# The truth and the files


def file_sums(tracking: pd.DataFrame) -> dict[str, Any]:
    paise = (tracking[["revenue", "returns", "discount", "profit"]] * 100).round().astype("int64")
    return {
        "orders": int(tracking["orders"].sum()),
        **{name: round(int(value) / 100, 2) for name, value in paise.sum().items()},
        "new_customers": int(tracking["is_new_customer"].sum()),
    }


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("period", ["all", "2025-Q4", "2024-02", "FY2024-25"])
def test_sums_over_the_tracking_export_are_the_truths(
    sample: SimpleNamespace, brand: str, period: str
) -> None:
    limits = {
        "all": ("2024-01-01", "2026-01-01"),
        "2025-Q4": ("2025-10-01", "2026-01-01"),
        "2024-02": ("2024-02-01", "2024-03-01"),
        "FY2024-25": ("2024-04-01", "2025-04-01"),
    }[period]
    rows = sample.tracking[sample.tracking["brand"] == brand]
    rows = rows[(rows["date"] >= limits[0]) & (rows["date"] < limits[1])]
    told = periods(sample, brand)[period]["file"]
    assert told["total"] == file_sums(rows)
    has_influencer = rows["influencer_id"].notna()
    for source, chosen in {
        "organic": rows["source"] == "organic",
        "influencer": rows["source"] == "influencer",
        "paid": (rows["source"] == "paid") & ~has_influencer,
        "paid_with_influencer": (rows["source"] == "paid") & has_influencer,
    }.items():
        assert told[source] == file_sums(rows[chosen])
    assert not (has_influencer & (rows["source"] == "organic")).any()


def leaves(document: dict[str, Any], path: str = "") -> dict[str, float]:
    """Numbers of a nested document that add up: all but ratios."""
    ratios = ("roas", "iroas", "break_even", "s_star", "came_anyway_share")
    found: dict[str, float] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            found |= leaves(value, f"{path}{key}.")
        elif key not in ratios:
            found[path + key] = value
    return found


@pytest.mark.parametrize("brand", [*BRANDS, "all"])
def test_months_quarters_and_years_add_up(sample: SimpleNamespace, brand: str) -> None:
    told = periods(sample, brand)
    whole = leaves(told["all"])
    for pattern in (r"\d{4}-\d\d", r"\d{4}-Q\d", r"\d{4}"):
        parts = [leaves(value) for name, value in told.items() if re.fullmatch(pattern, name)]
        for name, total in whole.items():
            assert sum(part[name] for part in parts) == pytest.approx(total, abs=0.01), name


@pytest.mark.parametrize("period", ["all", "2025-Q4", "2024-07"])
def test_brands_add_up(sample: SimpleNamespace, period: str) -> None:
    parts = [leaves(periods(sample, brand)[period]) for brand in BRANDS]
    for name, total in leaves(periods(sample, "all")[period]).items():
        assert sum(part[name] for part in parts) == pytest.approx(total, abs=0.01), name


@pytest.mark.parametrize("brand", [*BRANDS, "all"])
@pytest.mark.parametrize("measure", ["orders", "gross"])
def test_classes_of_orders_add_up(sample: SimpleNamespace, brand: str, measure: str) -> None:
    for told in periods(sample, brand).values():
        part = {
            name: told[name][measure]
            for name in truth.MEANING
            if name in told and isinstance(told[name], dict) and measure in told[name]
        }
        exported = told["file"]["total"]["orders" if measure == "orders" else "revenue"]
        assert part["tracked"] + part["halo"] == pytest.approx(part["caused"], abs=0.01)
        assert part["tracked"] + part["poached"] == pytest.approx(part["attributed"], abs=0.01)
        assert part["organic"] + part["paid"] + part["caused"] == pytest.approx(exported, abs=0.01)
        assert part["poached"] <= part["organic"]
        assert part["boosted"] <= part["caused"]


def test_attributed_orders_are_the_rows_with_an_influencer(sample: SimpleNamespace) -> None:
    rows = sample.tracking[sample.tracking["influencer_id"].notna()]
    told = periods(sample, "all")["all"]["attributed"]
    assert told["orders"] == len(rows)
    assert told["gross"] == rows["revenue"].sum()


def test_influencers_posts_and_products_add_up_to_the_brands(sample: SimpleNamespace) -> None:
    told, each = periods(sample, "all")["all"], sample.truth["influencers"]
    assert sum(each["caused_orders"]) == told["caused"]["orders"]
    assert sum(each["attributed_orders"]) == told["attributed"]["orders"]
    assert sum(each["attributed_gross"]) == pytest.approx(told["attributed"]["gross"])
    assert sum(each["caused_net"]) == pytest.approx(told["caused"]["net"])
    assert sum(each["spend"]) == pytest.approx(told["spend"]["total"])
    assert sum(sample.truth["posts"]["caused_orders"]) == told["caused"]["orders"]
    assert sum(row["orders"] for row in sample.truth["products"]) == len(sample.tracking)
    revenue = sample.tracking.groupby("product")["revenue"].sum()
    assert {row["product"]: row["revenue"] for row in sample.truth["products"]} == dict(revenue)


def test_ratios_follow_from_their_parts(sample: SimpleNamespace) -> None:
    told = periods(sample, "HKVitals")["2025-Q3"]
    spend = told["spend"]["total"]
    assert told["roas"] == pytest.approx(told["attributed"]["gross"] / spend, rel=1e-5)
    assert told["iroas"] == pytest.approx(told["incremental_net"] / spend, rel=1e-5)
    break_even = told["attributed"]["gross"] / told["attributed"]["profit"]
    assert told["break_even"] == pytest.approx(break_even, rel=1e-5)
    assert told["s_star"] == pytest.approx(1 - break_even / told["roas"], abs=1e-4)


# Orders


def test_orders_that_came_back_have_no_profit_and_others_net_of_gst(
    sample: SimpleNamespace,
) -> None:
    rows = sample.tracking.merge(sample.products[["product", "margin"]], on="product")
    paid = rows["revenue"] - rows["discount"]
    is_back = rows["returns"] > 0
    assert (rows.loc[is_back, "returns"] == paid[is_back]).all()
    assert (rows.loc[is_back, "profit"] == 0).all()
    gst = np.where(rows["date"] < "2025-09-22", 0.18, 0.05)
    net = (paid * 100 / (1 + gst)).round() / 100
    expected = net * rows["margin"] * ~is_back
    # The exported margin is rounded to a hundredth of a percent.
    assert (rows["profit"] - expected).abs().max() < 0.02 + 0.00006 * net.max()


def test_returns_arrive_after_some_days(sample: SimpleNamespace) -> None:
    is_back = sample.tracking["returns"] > 0
    age = (pd.Timestamp("2026-01-01") - sample.tracking["date"]).dt.days
    settled, young = is_back[age > 20].mean(), is_back[age <= 5]
    assert settled == pytest.approx(0.35 * 0.24 + 0.65 * 0.03, abs=0.005)
    assert not young.any()


def test_customer_is_new_exactly_at_the_first_order(sample: SimpleNamespace) -> None:
    rows = sample.tracking.sort_values("tracking_id")
    again = rows["user_id"].duplicated()
    assert not (again & rows["is_new_customer"]).any()
    assert 0.38 < rows["is_new_customer"].mean() < 0.50
    by_year = rows.groupby(rows["date"].dt.year)["is_new_customer"].mean()
    assert abs(by_year[2024] - by_year[2025]) < 0.03  # no drift: people come and go


def test_few_people_place_many_orders(sample: SimpleNamespace) -> None:
    counts = sample.tracking["user_id"].value_counts()
    # With one buying rate for everyone, orders of a person would be nearly Poisson.
    assert (counts >= 6).mean() > 0.01


def test_user_lives_in_one_city_and_belongs_to_one_brand(sample: SimpleNamespace) -> None:
    by_user = sample.tracking.groupby("user_id")
    assert by_user["city"].nunique().max() == 1
    assert by_user["brand"].nunique().max() == 1


def test_cities_follow_zipf(sample: SimpleNamespace) -> None:
    share = sample.tracking["city"].value_counts(normalize=True)
    assert len(share) == 40
    assert list(share.index[:2]) == ["Mumbai", "Delhi"]
    assert share.iloc[0] / share.iloc[3] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize(
    ("brand", "median", "sd"),
    [("MuscleBlaze", 2000, 0.65), ("HKVitals", 750, 0.60), ("Gritzo", 1100, 0.55)],
)
def test_baskets_are_lognormal(
    scenario: Callable[[str], SimpleNamespace], brand: str, median: float, sd: float
) -> None:
    rows = scenario("null").tracking  # where the product does not matter
    logs = np.log(rows.loc[rows["brand"] == brand, "revenue"])
    error = sd / len(logs) ** 0.5
    assert logs.mean() == pytest.approx(np.log(median), abs=4 * error)
    assert logs.std() == pytest.approx(sd, rel=0.05)


def test_festival_season_moves_with_diwali() -> None:
    made = stage(1.0, "default", 1).calendar
    for first, last in (("2024-10-21", "2024-11-01"), ("2025-10-10", "2025-10-21")):
        days = [made.number(datetime.date.fromisoformat(day)) for day in (first, last)]
        smooth = made.occasion / made.season
        assert smooth[days[0] : days[1] + 1] == pytest.approx(1.6)
        assert smooth[days[0] - 1] == smooth[days[1] + 1] == 1.0


def test_orders_follow_the_calendar() -> None:
    made = stage(1.0, "default", 1)
    tests = trials.Trials(None, None, None)
    published = posts.publish(made, tests)
    states = [orders._prepared(made, published, one) for one in people.everyone(made)]
    daily = states[0].organic.astype(float)
    assert daily.mean() == pytest.approx(900, rel=0.08)
    weekday = np.array([daily[day::7].mean() for day in range(7)])  # 2024-01-01 is a Monday
    expected = np.array([0.97, 0.95, 0.95, 0.98, 1.02, 1.08, 1.05])
    assert weekday / weekday.mean() == pytest.approx(expected / expected.mean(), abs=0.07)
    spread = (daily / made.organic[0]).std()
    # Negative binomial of size 20, and a wandering level.
    assert spread == pytest.approx((1 / 20 + 0.04**2 + 1 / 900) ** 0.5, rel=0.1)


def test_poached_share_of_caused_orders_is_as_stated(sample: SimpleNamespace) -> None:
    told = periods(sample, "all")["all"]
    public = told["caused"]["orders"] - told["boosted"]["orders"]
    assert told["poached"]["orders"] / public == pytest.approx(0.35, abs=0.03)
    assert told["tracked"]["orders"] / told["caused"]["orders"] == pytest.approx(0.75, abs=0.02)


def test_every_pulled_forward_order_is_missing_later(sample: SimpleNamespace) -> None:
    told = periods(sample, "all")["all"]
    pulled, displaced = told["pulled_forward"]["orders"], told["displaced"]["orders"]
    # Of the last weeks' orders, the missing ones lie beyond the end of the data.
    assert 0.9 * pulled < displaced < pulled
    assert pulled / told["caused"]["orders"] == pytest.approx(0.10, abs=0.01)


def test_orders_follow_their_posts_with_a_half_life_of_two_days() -> None:
    made = stage(0.06, "default", 3)
    tests = trials.plan(made)
    published = posts.publish(made, tests)
    rng = np.random.default_rng(5)
    mine = np.flatnonzero(published.day < 600)
    later = orders._later(made, rng, published, mine, np.full(len(mine), 3))
    lag = (later.minute - published.minute[later.post]) / 60
    assert lag.min() >= 0
    assert lag.max() <= 14 * 24
    expected = -48 * np.log2(1 - 0.5 * (1 - 2.0**-7))
    assert np.median(lag) == pytest.approx(expected, rel=0.02)


# Posts and payouts


def test_caused_orders_agree_with_what_was_expected(sample: SimpleNamespace) -> None:
    each = sample.truth["posts"]
    expected, caused = (np.array(each[f"{name}_orders"]) for name in ("expected", "caused"))
    # Posts of the last fortnight have orders to come, boosted ones more than expected.
    old = pd.to_datetime(sample.posts["date"]).to_numpy() < np.datetime64("2025-10-15")
    total = expected[old].sum()
    error = (total + (expected[old] ** 2).sum() / 5) ** 0.5
    assert abs(caused[old].sum() - total) < 4 * error


def test_posts_are_published_by_day_with_the_season(sample: SimpleNamespace) -> None:
    hour = sample.posts["date"].dt.hour
    assert hour.min() == 7
    assert hour.max() == 22
    a_month = len(sample.posts) / len(sample.influencers) / 24
    assert a_month == pytest.approx(1.5, rel=0.03)


def test_likes_grow_between_the_two_exports(sample: SimpleNamespace) -> None:
    earlier = pd.read_csv(sample.folder / "earlier" / "posts.csv")
    both = earlier.merge(sample.posts, on="post_id", suffixes=("_then", "_now"))
    posted = pd.to_datetime(both["date_then"])
    hours = (pd.Timestamp("2025-12-25") - posted).dt.total_seconds() / 3600
    arrived = [1 - 2.0 ** -((hours + later) / 48) for later in (0, 7 * 24)]
    assert len(both) > 50
    # Both counts are whole likes.
    expected = both["likes_now"] * arrived[0] / arrived[1]
    assert (both["likes_then"] - expected).abs().max() <= 1


def test_tiers_agree_with_followers(sample: SimpleNamespace) -> None:
    edges = [0, 10_000, 50_000, 100_000, 1_000_000, np.inf]
    labels = ["nano", "micro", "mid", "macro", "mega"]
    found = pd.cut(sample.influencers["follower_count"], edges, right=False, labels=labels)
    assert (found.astype(str) == sample.influencers["tier"]).all()


def test_payouts_add_up_to_the_true_spend(sample: SimpleNamespace) -> None:
    told = periods(sample, "all")["all"]["spend"]
    assert sample.payouts["total_payout"].sum() == pytest.approx(told["total"])
    assert sample.payouts["performance_bonus"].sum() == pytest.approx(told["bonus_inside"])
    is_boost = sample.payouts["campaign"].notna()
    by = sample.payouts[~is_boost].groupby("basis")["total_payout"].sum()
    assert {name: told[name] for name in by.index} == pytest.approx(by.to_dict())
    assert sample.payouts.loc[is_boost, "total_payout"].sum() == told["boost"]
    by_influencer = sample.payouts.groupby("influencer_id")["total_payout"].sum()
    each = sample.truth["influencers"]
    expected = {
        name: paid for name, paid in zip(each["influencer_id"], each["spend"], strict=True) if paid
    }
    assert by_influencer.to_dict() == pytest.approx(expected)


def test_payouts_follow_from_rate_and_count(sample: SimpleNamespace) -> None:
    rows = sample.payouts
    base = (rows["total_payout"] - rows["performance_bonus"]).round(2)
    by_post = rows["basis"] == "post"
    assert base[by_post].to_numpy() == pytest.approx((rows["rate"] * rows["posts"])[by_post])
    flat = (rows["basis"] == "order") & (rows["rate"] >= 1)
    assert base[flat].to_numpy() == pytest.approx((rows["rate"] * rows["orders"])[flat])
    hybrid = rows["basis"] == "hybrid"
    both = rows["rate"] * rows["posts"] + 60 * rows["orders"]
    assert base[hybrid].to_numpy() == pytest.approx(both[hybrid])
    share = rows.loc[(rows["basis"] == "order") & (rows["rate"] < 1), "rate"]
    assert share.between(0.08, 0.12).all()
    bonus = rows.loc[rows["performance_bonus"] > 0]
    ratio = bonus["performance_bonus"] / (bonus["total_payout"] - bonus["performance_bonus"])
    assert ratio.to_numpy() == pytest.approx(0.10, abs=0.01)


def test_order_basis_pays_delivered_orders(sample: SimpleNamespace) -> None:
    rows = sample.tracking[
        (sample.tracking["source"] == "influencer") & (sample.tracking["returns"] == 0)
    ]
    delivered = rows.groupby("influencer_id").size()
    paid = sample.payouts[sample.payouts["basis"] == "order"]
    counted = paid.groupby("influencer_id")["orders"].sum()
    assert counted.to_dict() == delivered[counted.index].to_dict()


def test_part_of_the_payouts_name_their_brand(sample: SimpleNamespace) -> None:
    known = sample.payouts["brand"].notna()
    assert 0.4 < known.mean() < 0.9
    invoiced = pd.to_datetime(sample.payouts["invoice_date"])
    assert invoiced.max() <= pd.Timestamp("2025-12-31")


def expected_levels(scale: float, seeds: range) -> dict[str, np.ndarray]:
    """ROAS and iROAS on fixed fees as settings imply them, quality and orders at their means."""
    sums: dict[str, list[np.ndarray]] = {}
    for seed in seeds:
        made = stage(scale, "aa", seed)
        published = posts.publish(made, trials.Trials(None, None, None))
        panel, who = made.influencers, published.influencer
        gross, net = truth._worth(made, published.brand, published.product, published.day)
        values = np.stack(
            [
                published.typical * (0.75 + panel.poaching[who]) * gross,
                published.typical * 0.9 * net,
                published.fee / 100,
            ]
        )
        for labels, codes in ((made.platforms, panel.platform), (made.tiers, panel.tier)):
            for code, label in enumerate(labels):
                one = values[:, codes[who] == code].sum(axis=1)
                sums.setdefault(label, []).append(one[:2] / one[2])
        first = published.brand == 0
        caused = published.typical[first].sum() / made.calendar.days / scale
        sums.setdefault("caused_a_day", []).append(np.array([caused, np.nan]))
    return {label: np.mean(values, axis=0) for label, values in sums.items()}


@pytest.mark.parametrize("scale", [1.0, 0.06], ids=["full", "sample"])
def test_levels_are_those_that_were_asked_for(scale: float) -> None:
    """Published levels are round and came from other draws: within 25 % is agreement.

    Panels differ by the size of their few mega influencers, so 16 are averaged.
    """
    found = expected_levels(scale, range(16))
    asked = {
        "Instagram": (2.8, 1.8),
        "YouTube": (2.5, 1.6),
        "Twitter": (0.7, 0.5),
        "TikTok": (1.4, 0.9),
    }
    for platform, levels in asked.items():
        assert found[platform] == pytest.approx(np.array(levels), rel=0.25), platform
    assert found["micro"][1] == pytest.approx(2.3, rel=0.25)
    assert found["mega"][1] == pytest.approx(1.3, rel=0.25)
    assert found["caused_a_day"][0] == pytest.approx(160, rel=0.15)
    best = min(found["Instagram"][0], found["YouTube"][0])
    assert best > found["TikTok"][0] > found["Twitter"][0]


def test_best_allocation_spends_the_same_and_brings_more(sample: SimpleNamespace) -> None:
    cells = pd.DataFrame(sample.truth["cells"])
    for _, rows in cells.groupby("brand"):
        assert rows["best_weekly_fees"].sum() == pytest.approx(rows["weekly_fees"].sum(), rel=1e-4)
        today = rows["a"] * rows["weekly_fees"] ** rows["beta"]
        assert today.to_numpy() == pytest.approx(rows["weekly_net"].to_numpy(), rel=1e-3)
        best = rows["a"] * rows["best_weekly_fees"] ** rows["beta"]
        gain = rows["gain_of_brand"].iloc[0]
        assert best.sum() - today.sum() == pytest.approx(gain, rel=1e-2)
        assert gain > 0
        marginal = rows["beta"] * best / rows["best_weekly_fees"]
        assert marginal.max() / marginal.min() == pytest.approx(1, rel=1e-3)


def test_forecast_states_the_mean_of_what_came(sample: SimpleNamespace) -> None:
    for brand in BRANDS:
        told = sample.truth["forecast"][brand]
        weeks = told["first_week_ahead"]
        assert len(told["expected_orders"]) == weeks + truth.FORECAST_WEEKS
        rows = sample.tracking[sample.tracking["brand"] == brand]
        rows = rows[rows["date"] >= told["week_starts"][0]]
        expected = sum(told["expected_orders"][:weeks])
        assert rows["orders"].sum() == pytest.approx(expected, rel=0.05)
        revenue = sum(told["expected_revenue"][:weeks])
        assert rows["revenue"].sum() == pytest.approx(revenue, rel=0.07)


# Trials


def test_experiment_is_what_the_exports_show(sample: SimpleNamespace) -> None:
    units = sample.assignments[sample.assignments["unit_type"] == "user"]
    assert units["unit_id"].is_unique
    rows = sample.tracking.merge(units, left_on="user_id", right_on="unit_id")
    window = (rows["date_x"] >= "2025-11-03") & (rows["date_x"] < "2025-12-01")
    before = (rows["date_x"] >= "2025-09-08") & (rows["date_x"] < "2025-11-03")
    for brand in BRANDS:
        told = sample.truth["experiments"][brand]
        mine = rows["brand"] == brand
        for arm in ("treatment", "control"):
            found = rows[mine & window & (rows["arm"] == arm)]
            assert found["orders"].sum() == told[arm]["orders"]
            assert found["revenue"].sum() == told[arm]["revenue"]
            assert found["user_id"].nunique() == told[arm]["buyers"]
        boosted = rows[mine & rows["campaign"].fillna("").str.contains("_Boost_")]
        assert set(boosted.loc[boosted["source"] == "paid", "arm"]) <= {"treatment"}
    earlier = rows[before].groupby("user_id")["revenue"].sum()
    stated = units.set_index("unit_id")["pre_period_revenue"]
    assert stated[stated > 0].to_dict() == earlier.to_dict()


def test_experiment_arms_are_assigned_as_planned(sample: SimpleNamespace) -> None:
    for brand in BRANDS:
        told = sample.truth["experiments"][brand]
        users = [told[arm]["users"] for arm in ("treatment", "control")]
        share = users[0] / sum(users)
        assert abs(share - 0.8) < 4 * (0.16 / sum(users)) ** 0.5
        assert told["control"]["buyers"] >= 30


def test_boost_raises_orders_by_the_true_lift(tmp_path: Path) -> None:
    """Pooled over panels and brands: extra orders of the treated, relative to their other orders."""
    extra, other = 0, 0
    for seed in range(3):
        simulate.write(
            tmp_path / "x", seed=seed, scale=0.2, start="2025-09-01", file_format="parquet"
        )
        told = json.loads((tmp_path / "x" / "truth.json").read_text(encoding="utf-8"))
        one = told["experiments"]["MuscleBlaze"]
        extra += one["realised_effect"]["orders"]
        other += one["treatment"]["orders"] - one["realised_effect"]["orders"]
    assert abs(extra / other - 0.15) < 4 * (0.15 / other) ** 0.5


def test_spend_of_the_boost_is_in_the_payouts(sample: SimpleNamespace) -> None:
    boosts = sample.payouts[sample.payouts["campaign"].notna()]
    assert set(boosts["date"]) == {"2025-11-03"}
    by_brand = boosts.groupby("brand")["total_payout"].sum()
    for brand in BRANDS:
        told = sample.truth["experiments"][brand]
        assert by_brand[brand] == told["spend_withheld"]
        effect = told["expected_effect"]["net"]
        assert told["expected_iroas"] == pytest.approx(effect / told["spend_withheld"], rel=1e-3)


def test_dark_cities_buy_nothing_through_posts_of_the_window(tmp_path: Path) -> None:
    simulate.write(tmp_path / "x", scale=0.5, start="2025-03-01", file_format="parquet")
    told = json.loads((tmp_path / "x" / "truth.json").read_text(encoding="utf-8"))["geo"]
    units = pd.read_parquet(tmp_path / "x" / "assignments.parquet")
    cities = units[units["unit_type"] == "city"]
    dark = set(cities.loc[cities["arm"] == "control", "unit_id"])
    assert dark == set(told["dark_cities"])
    assert len(cities) == 40
    rows = pd.read_parquet(tmp_path / "x" / "tracking.parquet")
    rows = rows[(rows["brand"] == told["brand"]) & rows["influencer_id"].notna()]
    date = pd.to_datetime(rows["date"])
    # After the washout every post in effect is one of the window.
    start, end = pd.Timestamp(told["start"]), pd.Timestamp(told["end"])
    late = rows[(date >= start + pd.Timedelta(days=told["washout_days"])) & (date < end)]
    assert not late["city"].isin(dark).any()
    usual = rows[date < start]["city"].isin(dark).mean()
    lost = len(late) * usual / (1 - usual)
    assert lost > 20
    # What is missing: orders that were not caused, and codes that leaked to nobody there.
    caused = told["lost_orders_after_washout"]
    assert abs(lost - caused * (0.75 + 0.35)) < 4 * lost**0.5


def test_campaigns_of_the_brief_are_assigned_forty_to_ten(sample: SimpleNamespace) -> None:
    units = sample.assignments[sample.assignments["unit_type"] == "campaign"]
    assert units["arm"].value_counts().to_dict() == {"treatment": 40, "control": 10}
    mine = sample.posts[sample.posts["campaign"].isin(units["unit_id"])]
    assert set(mine["brand"]) == {"MuscleBlaze"}
    assert mine["date"].min() >= pd.Timestamp("2025-08-04")
    assert mine["date"].max() < pd.Timestamp("2025-09-01")
    effects = np.log(list(sample.truth["clusters"]["effects"].values()))
    assert effects.std() == pytest.approx(0.47, rel=0.3)


def test_trial_that_does_not_fit_is_left_out(tmp_path: Path) -> None:
    simulate.write(tmp_path / "x", scale=0.004, start="2025-11-01")
    known = json.loads((tmp_path / "x" / "truth.json").read_text(encoding="utf-8"))
    assert (known["experiments"], known["geo"], known["clusters"]) == ({}, {}, {})
    rows = pd.read_csv(tmp_path / "x" / "assignments.csv")
    assert list(rows.columns) == [
        "unit_id", "arm", "unit_type", "date", "stratum", "pre_period_revenue",
    ]  # fmt: skip
    assert len(rows) == 0


def test_touches_lead_from_posts_to_orders(sample: SimpleNamespace) -> None:
    log = sample.touchpoints.assign(timestamp=pd.to_datetime(sample.touchpoints["timestamp"]))
    posted = log.merge(sample.posts, on="post_id", suffixes=("", "_post"))
    assert (posted["timestamp"] >= posted["date"]).all()
    assert (posted["influencer_id"] == posted["influencer_id_post"]).all()
    counts = log.groupby("user_id").size()
    assert (counts > 1).mean() == pytest.approx(0.30, abs=0.04)
    buyers = set(sample.tracking.loc[sample.tracking["date"] >= "2025-10-01", "user_id"])
    bought = counts.index.isin(buyers)
    told = sample.truth["touchpoints"]
    assert (~bought).sum() == told["non_buyers"]
    assert told["non_buyers"] == pytest.approx(2 * told["buyers"], rel=0.01)
    assert told["weight_of_non_buyers"] > 1
    credited = sample.tracking["influencer_id"].notna() & (sample.tracking["date"] >= "2025-10-01")
    assert set(sample.tracking.loc[credited, "user_id"]) <= set(log["user_id"])


def test_progress_is_reported_up_to_the_end(tmp_path: Path) -> None:
    heard: list[tuple[str, float]] = []
    simulate.write(
        tmp_path / "x", progress=lambda what, share: heard.append((what, share)), **SMALL
    )
    shares = [share for _, share in heard]
    assert shares == sorted(shares)
    assert heard[-1] == ("done", 1.0)


def test_true_fee_roas_is_what_chance_averages_to(sample: SimpleNamespace) -> None:
    for dimension in ("platform", "tier"):
        for told in sample.truth["levels"][dimension].values():
            found = told["fixed_fee"]
            # Orders are few and baskets vary: compare within four standard errors.
            error = 1.5 * (1 / found["attributed_orders"]) ** 0.5
            # Bonuses are spend, but no fee.
            assert found["roas"] / found["true_fee_roas"] == pytest.approx(0.97, abs=4 * error)


# Scenarios


@pytest.mark.parametrize("name", ["null", "planted"])
def test_without_planted_effects_all_groups_are_equal(name: str) -> None:
    rules = stage(1.0, "null", 1).rules
    for factor in (rules.orders_a_reach, rules.elasticity, rules.cpm, rules.tier, rules.appeal):
        assert np.ptp(factor) == pytest.approx(0)
    assert np.ptp(rules.pull) == 0
    assert not rules.lift.any()
    if name == "planted":
        planted = stage(1.0, "planted", 1).rules
        assert planted.tier.tolist() == [1.0, 1.6, 1.0, 1.0, 1.0]
        assert planted.orders_a_reach[1] / planted.orders_a_reach[0] == pytest.approx(1.4)
        assert sorted(set(planted.appeal)) == [1.0, 1.5]
        assert planted.lift.tolist() == [0.15, 0.10, 0.0]


def test_in_null_true_fee_roas_depends_on_the_influencer_alone() -> None:
    made = stage(1.0, "null", 2)
    published = posts.publish(made, trials.Trials(None, None, None))
    who, panel = published.influencer, made.influencers
    ratio = published.expected / published.reach / panel.quality[who]
    assert np.ptp(ratio) < 1e-12
    fee = published.fee / published.planned / panel.fee_factor[who]
    assert fee.std() / fee.mean() < 0.01  # fees are whole rupees


def test_planted_effects_are_listed_and_there(
    scenario: Callable[[str], SimpleNamespace],
) -> None:
    found = scenario("planted")
    told = pd.DataFrame(found.truth["insights"])
    assert told["kind"].value_counts().to_dict() == {
        "influencer": 5, "product": 3, "duplicate_payout": 3,
        "tier": 1, "platform": 1, "trend_break": 1, "fatigue": 1,
    }  # fmt: skip
    twice = found.payouts["payout_id"].isin(told.loc[told["kind"] == "duplicate_payout", "subject"])
    columns = [name for name in found.payouts if name not in ("payout_id", "invoice_date")]
    for row in np.flatnonzero(twice):
        pair = found.payouts[columns].iloc[row - 1 : row + 1]
        assert pair.iloc[0].equals(pair.iloc[1])
    paid_twice = found.payouts.loc[twice, "total_payout"].sum()
    spend = periods(found, "all")["all"]["spend"]["total"]
    assert found.payouts["total_payout"].sum() == pytest.approx(spend + paid_twice)
    each = pd.DataFrame(found.truth["influencers"]).set_index("influencer_id")
    poor = told.loc[told["kind"] == "influencer", "subject"]
    assert (each.loc[poor, "quality"] == 0.2).all()
    rows = found.tracking[found.tracking["brand"] == "HKVitals"]
    day = pd.Timestamp(told.loc[told["kind"] == "trend_break", "subject"].item())
    assert day.isocalendar()[:2] == (2025, 30)
    orders_a_day = [
        rows[rows["date"].between(first, last)]["orders"].sum()
        for first, last in (
            (day - pd.Timedelta(days=49), day - pd.Timedelta(days=1)),
            (day, day + pd.Timedelta(days=48)),
        )
    ]
    assert orders_a_day[1] / orders_a_day[0] == pytest.approx(0.75, abs=0.10)


def test_other_scenarios_plant_nothing(scenario: Callable[[str], SimpleNamespace]) -> None:
    for name in ("default", "null", "aa"):
        assert scenario(name).truth["insights"] == []


def test_fatigue_counts_the_posts_of_the_weeks_before() -> None:
    made = stage(1.0, "planted", 1)
    who = np.array([0, 1, 0, 0, 1, 0])
    day = np.array([0, 0, 10, 28, 40, 60])
    found = posts._fatigue(made, who, day)
    assert found == pytest.approx([1, 1, 0.92, 0.92**2, 1, 1])


def test_in_aa_both_arms_are_alike(scenario: Callable[[str], SimpleNamespace]) -> None:
    found = scenario("aa")
    for told in found.truth["experiments"].values():
        assert told["lift"] == 0
        assert told["spend_withheld"] == 0
        assert told["realised_effect"]["orders"] == 0
    assert found.truth["clusters"]["lift"] == 0
    assert not found.posts["campaign"].str.contains("_Boost_").any()


def test_in_null_boosted_posts_cost_money_and_do_nothing(
    scenario: Callable[[str], SimpleNamespace],
) -> None:
    told = scenario("null").truth["experiments"]["MuscleBlaze"]
    assert told["spend_withheld"] > 0
    assert told["expected_iroas"] == told["realised_iroas"] == 0


def test_leaky_codes_are_used_by_buyers_who_would_have_come_anyway(
    scenario: Callable[[str], SimpleNamespace],
) -> None:
    shares = {}
    for name in ("default", "leaky"):
        told = periods(scenario(name), "MuscleBlaze")["all"]
        public = told["caused"]["orders"] - told["boosted"]["orders"]
        shares[name] = told["poached"]["orders"] / public
    assert shares["default"] == pytest.approx(0.35, abs=0.05)
    assert shares["leaky"] == pytest.approx(0.60, abs=0.05)


def test_in_confounded_fees_follow_demand() -> None:
    found = {}
    for name in ("default", "confounded"):
        made = stage(1.0, name, 1)
        published = posts.publish(made, trials.Trials(None, None, None))
        month = made.calendar.month
        fees = np.bincount(month[published.day], published.fee)
        demand = np.bincount(month, made.calendar.demand)
        found[name] = np.corrcoef(np.log(fees), np.log(demand))[0, 1]
    assert found["confounded"] > 0.9 > found["default"]


# Little or nothing


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"posts": {"a_month": 1e-9}}, id="no_posts"),
        pytest.param({"demand": {"paid_share": 0.0}, "effects": {"level": 1e-9}}, id="no_caused"),
        pytest.param({"clusters": {"days_before_end": 900}}, id="no_clusters"),
    ],
)
def test_data_without_some_events_have_all_tables(tmp_path: Path, changed: dict[str, Any]) -> None:
    content = dict(settings._content(settings.FILE))
    for part, values in changed.items():
        content[part] = {**content[part], **values}
    made = simulate.write(tmp_path / "x", scale=0.004, start="2025-04-01", settings=content)
    found = read(tmp_path / "x")
    assert made.rows == found.truth["rows"]
    assert len(found.tracking) > 500


def test_a_week_of_almost_nothing_has_all_tables(tmp_path: Path) -> None:
    simulate.write(tmp_path / "x", scale=0.0001, start="2025-12-25", scenario="planted")
    for name in TABLES:
        header = (tmp_path / "x" / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0]
        assert set(schema.TABLES[name].required) <= set(header.split(","))


# Dirt


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same data clean and with a tenth of the rows spoilt."""
    folder = tmp_path_factory.mktemp("dirt")
    for name, share in (("clean", 0.0), ("dirty", 0.1)):
        simulate.write(folder / name, dirt=share, **SMALL)
    return folder / "clean", folder / "dirty"


def text(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.csv", dtype="str", keep_default_na=False)


@pytest.mark.parametrize("name", list(dirt.HARM))
def test_spoilt_cells_are_counted(spoilt: tuple[Path, Path], name: str) -> None:
    clean, dirty = (text(folder, name) for folder in spoilt)
    told = json.loads((spoilt[1] / "truth.json").read_text(encoding="utf-8"))["dirt"]
    cells = {
        (row["column"], row["kind"]): row["count"] for row in told["cells"] if row["table"] == name
    }
    assert len(dirty) == len(clean) + told["rows_added"][name]
    key = clean.columns[0] if name != "influencers" else "name"
    is_header = dirty[key] == key
    assert is_header.sum() == cells["", "second_header"] == 1
    rows = dirty[~is_header].reset_index(drop=True)
    again = rows.duplicated()
    assert again.sum() == cells["", "duplicate_row"]
    kept = rows[~again].reset_index(drop=True)
    assert len(kept) == len(clean)
    changed = {column: int((kept[column] != clean[column]).sum()) for column in clean}
    counted = dict.fromkeys(clean, 0)
    for (column, _), count in cells.items():
        if column:
            counted[column] += count
    assert changed == counted


@pytest.mark.parametrize("name", ["posts", "tracking", "payouts"])
def test_sums_over_readable_cells_differ_as_stated(spoilt: tuple[Path, Path], name: str) -> None:
    clean, dirty = (text(folder, name) for folder in spoilt)
    told = json.loads((spoilt[1] / "truth.json").read_text(encoding="utf-8"))["dirt"]
    for column in dirt.SUMMED[name]:
        plain = dirty[column].str.replace("₹", "").str.replace(",", "")
        found = pd.to_numeric(plain, errors="coerce").sum()
        change = told["sum_change"][name].get(column, 0)
        assert found == pytest.approx(pd.to_numeric(clean[column]).sum() + change)


def test_dirt_changes_no_truth(spoilt: tuple[Path, Path]) -> None:
    known = [json.loads((folder / "truth.json").read_text(encoding="utf-8")) for folder in spoilt]
    for part in ("brands", "influencers", "experiments", "posts"):
        assert known[0][part] == known[1][part]
    assert not known[0]["dirt"]["cells"]


def test_names_with_commas_are_quoted(tmp_path: Path) -> None:
    content = dict(settings._content(settings.FILE))
    products = {brand: [dict(row) for row in rows] for brand, rows in content["products"].items()}
    products["Gritzo"][0]["name"] = 'Gritzo "SuperMilk", 4-7y'
    simulate.write(tmp_path / "x", settings={**content, "products": products}, **SMALL)
    found = pd.read_csv(tmp_path / "x" / "tracking.csv")
    assert 'Gritzo "SuperMilk", 4-7y' in set(found["product"])


def test_writer_makes_a_file_with_a_header_and_no_rows(tmp_path: Path) -> None:
    made = stage(0.06, "default", 1)
    with files.Writer(tmp_path / "posts.csv") as writer:
        writer.write(posts.earlier_table(made, posts.publish(made, trials.plan(made))).slice(0, 0))
    assert (tmp_path / "posts.csv").read_text(encoding="utf-8").startswith("post_id,influencer_id")
