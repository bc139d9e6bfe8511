"""Cities that did not get a campaign: from exports to a sentence, with a loss that was put in by hand."""

import dataclasses
import datetime
from pathlib import Path

import exports
import numpy as np
import pytest

from hkreport import params, views
from hkreport.evidence import incrementality
from hkreport.evidence.counterfactual import METHODS, Cities, compare
from hkreport.methods.counterfactual import Counterfactual, Placebo
from hkreport.methods.estimate import Estimate, Refusal
from hkreport.params import Experiment
from hkreport.units import Unit

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


def test_cities_that_sell_less_with_the_campaign_are_told_so(tmp_path: Path) -> None:
    """Without the campaign the cities sell 120; with it 100: a sixth less."""
    made = read(write(tmp_path, dark=4, loss=-0.2))
    assert (
        "With it they sold 16.8% less than without it (95% interval 12.7% to 20.9%)" in made.words()
    )


def test_weeks_are_those_of_the_plan_and_keep_every_rupee(four_dark: Cities) -> None:
    panel = four_dark.panel
    assert panel.values.shape == (26, WEEKS_BEFORE + WEEKS_AFTER)
    assert panel.launch == WEEKS_BEFORE
    assert (panel.values > 0).all()
    paths = four_dark.paths
    assert paths["week"].iloc[WEEKS_BEFORE] == START
    assert paths["week"].iloc[-1] == START + datetime.timedelta(weeks=WEEKS_AFTER - 1)
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
    assert "No effect can be claimed: the 95% interval −" in made.words()
    assert made.words().endswith(" holds 0.")


def test_the_method_that_decides_is_chosen_before_its_result(tmp_path: Path) -> None:
    """Whichever finds an effect would find one too often: the mix decides, even where it finds less."""
    made = read(write(tmp_path, dark=4, loss=0.2))
    assert isinstance(made, Cities)
    assert made.deciding is made.mix
    only = dataclasses.replace(made, mix=Refusal("No mix."))
    assert only.deciding is made.difference
    nothing = dataclasses.replace(only, difference=Refusal("Too few treated regions."))
    assert nothing.words().endswith("No effect can be claimed: too few treated regions.")


def test_an_effect_before_launch_takes_the_estimate_away(four_dark: Cities) -> None:
    assert isinstance(four_dark.mix, Counterfactual)
    fooled = dataclasses.replace(four_dark.mix, placebo=Placebo(0.1, 0.05, 0.15, 0.01))
    made = dataclasses.replace(four_dark, mix=fooled)
    sentence = (
        "A placebo launch inside the earlier periods finds an effect that never was (p = 0.01), so the "
        "method is not trusted here."
    )
    assert str(made.estimates[1][1]) == sentence
    assert made.checks[1][1:] == (f"{sentence.partition(', so')[0]}.", "poor")
    assert made.words().endswith(f"No effect can be claimed: a{sentence[1:]}")
    assert isinstance(four_dark.estimates[1][1], Estimate)


def test_an_effect_that_is_no_share_of_anything_is_told_as_it_is(tmp_path: Path) -> None:
    """Cities that sell next to nothing without the campaign: '41,575 % to infinity' says nothing."""
    made = read(write(tmp_path, dark=4, loss=0.998))
    assert isinstance(made, Cities)
    lost = made.mix
    assert isinstance(lost, Counterfactual)
    assert lost.claim
    assert made.frame["value"].isna().all()
    brought = (lost.effect * -1.0).words(Unit.MONEY, short=True)
    sentence = (
        "What these cities sold without it is no more than chance, so the effect is no share of it; a "
        f"city and week it is {brought}."
    )
    assert brought.startswith("₹1,0")
    assert made.words().endswith(
        f"{sentence} Nobody drew lots for these cities: this leans on the weeks before."
    )
    by_difference, by_mix = (answer for _, answer in made.estimates)
    assert str(by_mix) == sentence
    assert str(by_difference).endswith(" of what each sold before.")


def test_cities_of_two_plans_at_once_are_those_of_neither(tmp_path: Path) -> None:
    report = views.open_report(brand="HKVitals", data=str(write(tmp_path, dark=4, loss=0.2)))
    plan = Experiment(**PLAN)
    other = plan.model_copy(update={"name": "Also dark", "share": 0.5})
    found = report.settings.experiments.model_copy(update={"declared": (plan, other)})
    settings = report.settings.model_copy(update={"experiments": found})
    assert str(compare(dataclasses.replace(report, settings=settings), plan)) == (
        "26 units of 'Dark cities' may be those of 'Also dark': by their day of assignment they fit "
        "both, so neither is read."
    )


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


def test_arms_of_equal_size_leave_the_word_to_the_difference(tmp_path: Path) -> None:
    """Placebos as large as the treated arm leave no mix: its interval would reach from −∞ to ∞."""
    made = read(write(tmp_path, dark=20, loss=0.2, cities=41))
    assert isinstance(made, Cities)
    assert str(made.mix).endswith("and 17 more: 80 and 12 are needed.")
    assert made.deciding is made.difference
    assert "It brought 2" in made.words()
    assert "∞" not in made.words()


def test_a_window_that_the_data_do_not_cover_is_not_read(tmp_path: Path) -> None:
    made = read(write(tmp_path, dark=4, loss=0.2), end=START + datetime.timedelta(days=69))
    assert str(made) == (
        "'Dark cities' (5 May to 13 Jul 2025) runs beyond the data: nothing is read yet."
    )


def test_days_of_the_washout_count_on_neither_side(tmp_path: Path) -> None:
    """Ten days: the second week after the start falls in two, and only whole weeks after it remain."""
    folder = write(tmp_path, dark=4, loss=0.2)
    made, plain = read(folder, washout_days=10), read(folder)
    assert isinstance(made, Cities)
    assert isinstance(plain, Cities)
    assert made.panel.later == 1
    assert made.weeks[-1] == START + datetime.timedelta(days=10)
    # Days 10 to 16 hold the second order of the second week and the first of the third.
    expected = (plain.panel.values[:, -2] + plain.panel.values[:, -1]) / 2
    assert made.panel.values[:, -1] == pytest.approx(expected, abs=0.02)
    assert (made.panel.values[:, :WEEKS_BEFORE] == plain.panel.values[:, :WEEKS_BEFORE]).all()


# In the report.


def studied(folder: Path, **changed: object) -> incrementality.Incrementality:
    base = params.load(None)
    plan = Experiment(**{**PLAN, **changed})
    found = base.experiments.model_copy(update={"declared": (plan,)})
    settings = base.model_copy(update={"experiments": found})
    opened = views.open_report(brand="HKVitals", period="2025-05", data=str(folder))
    return incrementality.study(dataclasses.replace(opened, settings=settings))


def test_the_section_shows_cities_that_nobody_drew_lots_for(tmp_path: Path) -> None:
    found = studied(write(tmp_path, dark=4, loss=0.2))
    claim = found.claim.markdown.replace("\\", "")
    assert (
        "'Dark cities' is not declared as randomised, so it is not read as an experiment. City"
        in claim
    )
    assert "of what they sell without it. Nobody drew lots for these cities" in claim
    assert found.iroas is None
    assert claim.startswith("**Attributed, not incremental")
    assert found.health["check"].tolist() == [
        "Declared in params",
        "Difference in differences, relative: before launch",
        "Synthetic control: before launch",
    ]
    assert found.health["verdict"].tolist() == ["ok", "good", "good"]
    assert found.estimates["quantity"].tolist() == [
        "Brought in these cities, difference in differences, relative",
        "Brought in these cities, synthetic control",
    ]
    assert found.estimates["value"].to_numpy() == pytest.approx(0.25, abs=0.03)
    assert found.estimates["shown"].str.contains("95% interval").all()


def test_cities_by_lot_stand_beside_their_clusters(tmp_path: Path) -> None:
    found = studied(write(tmp_path, dark=5, loss=0.2), randomised=True, share=21 / 26)
    assert found.estimates["quantity"].iloc[0] == "Incremental net revenue"
    assert found.estimates["quantity"].iloc[-1] == "Brought in these cities, synthetic control"
    assert found.estimates["value"].iloc[-1] == pytest.approx(0.25, abs=0.03)
    claim = found.claim.markdown.replace("\\", "")
    assert claim.count("This leans on the weeks before, not on the lots that were drawn.") == 1
    assert "Nobody drew lots" not in claim


def test_orders_without_cities_leave_the_section_standing(tmp_path: Path) -> None:
    folder = write(tmp_path, dark=4, loss=0.2)
    text = (folder / "tracking.csv").read_text(encoding="utf-8")
    (folder / "tracking.csv").write_text(
        text.replace(",city,", ",place_of_work,", 1), encoding="utf-8"
    )
    found = studied(folder)
    assert "Orders do not name the city, so they cannot be matched to" in found.claim.markdown
    assert found.health["verdict"].tolist() == ["ok", "poor"]
    assert found.estimates.empty


def test_a_plan_of_the_sample_leaves_other_exports_alone(tmp_path: Path) -> None:
    found = studied(write(tmp_path, dark=4, loss=0.2), data="simulated")
    assert "Dark" not in found.claim.markdown
    assert found.estimates.empty
