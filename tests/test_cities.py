"""Cities that did not get a campaign: from exports to a sentence, with a loss that was put in by hand."""

import datetime
from pathlib import Path

import exports
import numpy as np
import pytest

from hkreport import views
from hkreport.evidence.counterfactual import METHODS, Cities, compare
from hkreport.methods.counterfactual import Counterfactual
from hkreport.methods.estimate import Refusal
from hkreport.params import Experiment

START = datetime.date(2025, 5, 5)
WEEKS_BEFORE, WEEKS_AFTER = 16, 3
PLAN = {
    "name": "Dark cities",
    "unit": "city",
    "share": 0.9,
    "start": START,
    "end": START + datetime.timedelta(days=7 * WEEKS_AFTER - 1),
}


def write(folder: Path, *, dark: int, loss: float, cities: int = 26) -> Path:
    """Two orders a city and week, on its first and last day, whose revenue follows a common path; dark cities lose a share of it."""
    rng = np.random.default_rng(4)
    shared = 1000 * np.exp(rng.normal(0, 0.1, WEEKS_BEFORE + WEEKS_AFTER).cumsum())
    lines = ["tracking_id,source,user_id,city,brand,date,orders,revenue"]
    for city in range(cities):
        own = (1 + 0.05 * city) * shared * np.exp(rng.normal(0, 0.02, len(shared)))
        for week, revenue in enumerate(own):
            monday = START + datetime.timedelta(days=7 * (week - WEEKS_BEFORE))
            kept = revenue * (1 - loss if city < dark and week >= WEEKS_BEFORE else 1)
            for day in (0, 6):
                name, date = f"T{city:02d}{week:02d}{day}", monday + datetime.timedelta(days=day)
                lines.append(
                    f"{name},organic,u{name},City {city:02d},HKVitals,{date},1,{kept / 2:.2f}"
                )
    arms = ["unit_id,arm,unit_type,date"]
    for city in range(cities):
        arms.append(f"City {city:02d},{'control' if city < dark else 'treatment'},city,{START}")
    exports.write(folder, tracking="\n".join(lines) + "\n")
    (folder / "assignments.csv").write_text("\n".join(arms) + "\n", encoding="utf-8")
    return folder


def read(folder: Path, **changed: object) -> Cities | Refusal:
    report = views.open_report(brand="HKVitals", data=str(folder))
    return compare(report, Experiment(**{**PLAN, **changed}))


@pytest.fixture(scope="module")
def four_dark(tmp_path_factory: pytest.TempPathFactory) -> Cities:
    made = read(write(tmp_path_factory.mktemp("dark"), dark=4, loss=0.2))
    assert isinstance(made, Cities), str(made)
    return made


def test_a_fifth_lost_is_a_quarter_brought(four_dark: Cities) -> None:
    """Without the campaign the cities sell 80; with it 100: it brings 25 % of what they sell without."""
    frame = four_dark.frame.set_index("method")
    for method in METHODS:
        assert frame.loc[method, "value"] == pytest.approx(0.25, abs=0.03)
        assert frame.loc[method, "low"] < 0.25 < frame.loc[method, "high"]
        assert frame.loc[method, "low"] > 0
    assert four_dark.withheld
    assert four_dark.words().startswith(
        "City 00, City 01, City 02 and 1 more did not get the campaign 'Dark cities' (5 to 25 May 2025); "
        "22 other cities are the comparison. It brought 2"
    )


def test_weeks_are_those_of_the_plan_and_keep_every_rupee(four_dark: Cities) -> None:
    panel = four_dark.panel
    assert panel.values.shape == (26, WEEKS_BEFORE + WEEKS_AFTER)
    assert panel.launch == WEEKS_BEFORE
    assert (panel.values > 0).all()
    paths = four_dark.paths
    assert paths["week"].iloc[WEEKS_BEFORE] == START
    assert paths["actual"].to_numpy() == pytest.approx(panel.values[panel.treated].mean(0))
    assert paths["expected"].iloc[-1] > paths["actual"].iloc[-1]


def test_one_dark_city_is_for_the_mix_alone(tmp_path: Path) -> None:
    made = read(write(tmp_path, dark=1, loss=0.2))
    assert isinstance(made, Cities)
    assert str(made.difference) == (
        "Too few treated regions or earlier periods to test parallel trends."
    )
    assert isinstance(made.mix, Counterfactual)
    assert np.isnan(made.frame["value"].iloc[0])
    assert "2" in made.words()


def test_nothing_lost_is_nothing_claimed(tmp_path: Path) -> None:
    made = read(write(tmp_path, dark=4, loss=0.0))
    assert isinstance(made, Cities)
    assert made.words().endswith("No effect can be claimed.")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        pytest.param(
            {"start": "2024-05-05", "end": "2024-05-20"},
            "The exports hold no two arms of cities for 'Dark cities', so it cannot be read.",
            id="other_dates",
        ),
        pytest.param(
            {"end": START + datetime.timedelta(days=4)},
            "16 whole weeks before and 0 within 'Dark cities' are too few to compare cities.",
            id="five_days",
        ),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, changed: dict, sentence: str) -> None:
    assert str(read(write(tmp_path, dark=4, loss=0.2), **changed)) == sentence


def test_orders_without_cities_are_said(tmp_path: Path) -> None:
    folder = write(tmp_path, dark=4, loss=0.2)
    text = (folder / "tracking.csv").read_text(encoding="utf-8")
    (folder / "tracking.csv").write_text(
        text.replace(",city,", ",place_of_work,", 1), encoding="utf-8"
    )
    assert (
        str(read(folder))
        == "Orders do not name the city, so they cannot be matched to 'Dark cities'."
    )


def test_weeks_that_the_data_do_not_cover_are_no_loss(tmp_path: Path) -> None:
    made = read(write(tmp_path, dark=4, loss=0.2), end=START + datetime.timedelta(days=69))
    assert isinstance(made, Cities)
    assert made.panel.later == WEEKS_AFTER
