"""Forecast: bands and backtest against hand-worked values and simulated truth, and one report's outlook."""

import datetime
import math

import exports
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkreport import params, store, views
from hkreport.errors import InputError
from hkreport.evidence import scored
from hkreport.evidence.forecast import outlook
from hkreport.methods import forecast as methods
from hkreport.methods.forecast import DAILY, conformal, forecast


def noisy(weeks, *, seed, level=200.0, phi=0.0, spread=0.1):
    """A level with errors in logs; its mean without the errors is `level`."""
    rng = np.random.default_rng(seed)
    errors = rng.normal(0, spread, weeks + 30)
    walk = np.zeros(weeks + 30)
    for at in range(1, weeks + 30):
        walk[at] = phi * walk[at - 1] + errors[at]
    return level * np.exp(walk[30:])


# Bands


@pytest.mark.parametrize(("coverage", "needed"), [(0.80, 4), (0.95, 19)])
def test_a_band_needs_so_many_errors(coverage, needed):
    errors = np.arange(1.0, needed + 1)[:, None]
    assert conformal(errors, coverage)[0] == needed  # the largest of just enough
    assert math.isnan(conformal(errors[1:], coverage)[0])


def test_bands_do_not_narrow_with_distance():
    errors = np.array([[5.0, 1.0], [4.0, 1.0], [3.0, 1.0], [2.0, 9.0]])
    assert conformal(errors, 0.8).tolist() == [5.0, 9.0]
    errors[3, 1] = 1.0
    # The second step would be surer: both get their mean.
    assert conformal(errors, 0.8).tolist() == [3.0, 3.0]


def test_a_width_lies_between_two_errors_where_the_coverage_does():
    errors = np.arange(1.0, 9.0)[
        :, None
    ]  # 9 × 0.8 = 7.2: a fifth of the way from the seventh to the eighth
    assert conformal(errors, 0.8)[0] == pytest.approx(7.2)
    errors[0] = np.nan  # and of seven errors, 8 × 0.8 = 6.4
    assert conformal(errors, 0.8)[0] == pytest.approx(7.4)


def test_errors_of_festivals_widen_the_bands_of_festivals_alone():
    rng = np.random.default_rng(5)
    sold = 1000 * np.exp(rng.normal(0, 0.05, 48))
    events = np.zeros(48 + 4)
    events[36] = 1.0
    sold[36] *= 4  # known once, so no model can know it
    calm, told = forecast(sold, ahead=4), forecast(sold, ahead=4, events={"Sale": events})
    assert told.mean.tolist() == calm.mean.tolist()
    assert (told.bands[0].high - told.bands[0].low < calm.bands[0].high - calm.bands[0].low).all()
    events[50] = 1.0  # the third week ahead is one again: its errors count there
    again = forecast(sold, ahead=4, events={"Sale": events})
    assert again.bands[1].high[2] > told.bands[1].high[2]


def test_bands_of_a_growing_brand_grow_with_it():
    rng = np.random.default_rng(6)
    inside = []
    for _ in range(60):
        sold = 1000 * 1.03 ** np.arange(64) * np.exp(rng.normal(0, 0.1, 64))
        band = forecast(sold[:60], ahead=4).bands[0]
        inside += list((band.low <= sold[60:]) & (sold[60:] <= band.high))
    assert 0.72 <= np.mean(inside) <= 0.9


def test_conformal_bands_cover_as_stated_on_exchangeable_errors():
    rng = np.random.default_rng(3)
    inside = [
        abs(rng.standard_t(3)) <= conformal(rng.standard_t(3, (24, 1)), 0.8)[0] for _ in range(4000)
    ]
    assert np.mean(inside) == pytest.approx(0.8, abs=0.02)  # exactly 20 of 25 in the mean


def test_bands_of_short_series_cover_and_say_what_they_cannot():
    inside, total = [], []
    for seed in range(60):
        series = noisy(32, seed=seed, phi=0.5)
        found = forecast(series[:28], ahead=4)
        band, wide = found.bands
        inside += list((series[28:] >= band.low) & (series[28:] <= band.high))
        total.append(found.total[1] <= series[28:].sum() <= found.total[2])
        assert (wide.low <= band.low).all()
        assert (wide.high >= band.high).all()
        assert found.errors == 20
    assert 0.72 <= np.mean(inside) <= 0.9
    assert 0.65 <= np.mean(total) <= 0.92


# Backtest


def flat(widths):
    """Pool adjacent violators, by hand."""
    blocks = []
    for width in widths:
        blocks.append([width, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            last, many = blocks.pop()
            first, few = blocks.pop()
            blocks.append([(first * few + last * many) / (few + many), few + many])
    return [mean for mean, count in blocks for _ in range(count)]


def test_the_band_of_the_sum_covers_as_stated():
    """Past sums share seven of eight weeks: taken for as many errors, the band held 74 to 79 %."""
    rng = np.random.default_rng(12)
    inside = []
    for _ in range(150):
        series = np.exp(10 + rng.normal(0, 0.25, 68))
        found = forecast(series[:60], ahead=8)
        inside.append(found.total[1] <= series[60:].sum() <= found.total[2])
    assert 0.77 <= np.mean(inside) <= 0.92


def test_bands_of_refunds_are_not_turned_over():
    """Nothing is cut off at 0 once something was below it; what never was stays above."""
    series = np.array([90.0, 120, 60, 100, 80, 40, 70, 20, -10, 10, -40, -60])
    found = forecast(series, ahead=4)
    middle, low, high = found.total
    assert found.mean.tolist() == [-60.0] * 4
    assert low < middle < high
    assert (found.bands[0].low <= found.mean).all()
    assert (found.mean <= found.bands[0].high).all()
    sold = forecast(np.maximum(series, 0.0), ahead=4)
    assert min(sold.total[1], *sold.bands[0].low) == 0.0


def test_backtest_of_the_naive_forecast_by_hand():
    # 12 weeks, so no model: forecasts of 4 weeks from week 1 to week 8.
    values = [10.0, 12, 9, 14, 10, 11, 13, 9, 12, 10, 15, 11]
    found = forecast(values, ahead=8)
    # The scale is the usual change before the backtest, of which there is none: no MASE.
    assert math.isnan(found.mase)
    assert (found.method, found.origins, found.errors) == ("same as last week", 8, 8)
    assert found.mean.tolist() == [11.0] * 4
    # Of 8 errors in logs the 80 % band takes the place 9 × 0.8 = 7.2; steps that would narrow share a mean.
    widths = []
    for step in range(4):
        sure = sorted(
            abs(math.log(values[known + step] / values[known - 1])) for known in range(1, 9)
        )
        widths.append(0.8 * sure[6] + 0.2 * sure[7])
    assert np.log(found.bands[0].high / 11.0) == pytest.approx(flat(widths))
    assert np.log(found.bands[0].low / 11.0) == pytest.approx([-each for each in flat(widths)])
    assert found.refused == (
        "12 weeks are too few to beat 'same as last week'; that is shown.",
        "Too few past forecasts to state a 95 % band.",
    )


def test_mase_is_the_mean_error_over_the_usual_change_before():
    series = noisy(40, seed=4)
    found = forecast(series, ahead=4)
    starts = range(29, 37)
    errors = [np.abs(series[known : known + 4] - series[known - 1]).mean() for known in starts]
    scale = np.abs(np.diff(series[:29])).mean()
    assert found.naive_mase == pytest.approx(np.mean(errors) / scale)
    assert found.origins == 8


@given(st.integers(0, 10_000), st.integers(16, 40), st.sampled_from([0.0, 0.9, 1.0]))
def test_a_model_is_shown_only_if_it_beat_naive(seed, weeks, phi):
    found = forecast(noisy(weeks, seed=seed, phi=phi), ahead=4)
    if found.beats_naive:
        assert found.mase < found.naive_mase
    else:
        assert found.mean.tolist() == found.naive.tolist()
        assert found.mase == found.naive_mase
    assert np.isfinite(found.mean).all()
    assert (found.bands[0].low >= 0).all()
    assert 0 <= found.covered <= found.tested


def test_forecasts_are_nearer_to_the_noise_free_mean_than_naive_ones():
    nearer = []
    for seed in range(30):
        found = forecast(noisy(60, seed=seed), ahead=8)
        nearer.append(np.abs(found.mean - 200).mean() < np.abs(found.naive - 200).mean())
    assert np.mean(nearer) > 0.8


@pytest.mark.parametrize("festival", [False, True], ids=["ordinary", "diwali"])
def test_forecasts_of_simulated_brands_come_true(festival):
    made = list(scored.forecasts(12, 3, festival=festival))
    shown = np.mean([each.error for each in made])
    assert shown < np.mean([each.naive_error for each in made])
    truth = np.mean([each.truth_error for each in made])
    assert truth < 0.8 * np.mean([each.naive_truth_error for each in made])
    # Bands of past errors: in weeks before Diwali they are known to hold less than they say.
    assert np.mean([each.covered_80 for each in made]) > (0.5 if festival else 0.7)
    assert np.mean([each.covered_95 for each in made]) > (0.7 if festival else 0.88)
    assert np.mean([each.knows for each in made]) > (0.4 if festival else 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_a_forecast_is_the_same_in_another_currency(seed):
    """The search for the smoothing constant stopped elsewhere at a million times the amounts."""
    values = np.random.default_rng(seed).lognormal(4, 0.2, 70)
    plain = forecast(values, ahead=8)
    for money in (1e-3, 1e6, 1e7):
        other = forecast(money * values, ahead=8)
        assert other.method == plain.method
        assert other.mean / money == pytest.approx(plain.mean, rel=1e-5)
        assert np.array(other.total) / money == pytest.approx(np.array(plain.total), rel=1e-4)


def test_the_same_series_gives_the_same_numbers():
    series = noisy(60, seed=9, phi=0.7)
    first, second = forecast(series, ahead=8), forecast(series, ahead=8)
    assert first.mean.tolist() == second.mean.tolist()
    assert first.total == second.total


# What the regression may know


def with_feast(weeks, starts, seed=1):
    feast = np.zeros(weeks)
    for start in starts:
        feast[start : start + 2] = 1.0
    return feast, noisy(weeks, seed=seed, spread=0.05) * (1 + feast)


def test_a_festival_that_came_twice_lifts_the_forecast():
    feast, values = with_feast(98, [10, 50, 92])
    found = forecast(values[:90], ahead=8, events={"Feast": feast})
    assert "Feast" in found.terms
    assert found.mean[2:4] == pytest.approx([400, 400], rel=0.1)
    assert np.delete(found.mean, [2, 3]) == pytest.approx([200] * 6, rel=0.1)


def test_a_festival_that_came_once_before_the_backtest_is_not_used():
    feast, values = with_feast(98, [10, 78, 92])  # the second time is within the backtest
    found = forecast(values[:90], ahead=8, events={"Feast": feast})
    assert "Feast" not in found.terms
    assert found.mean.max() < 300


@pytest.mark.parametrize(("weeks", "known"), [(110, False), (190, True)])
def test_a_season_needs_two_years_before_the_backtest(weeks, known):
    at = np.arange(weeks + 8)
    mean = 200 * np.exp(0.4 * np.cos(2 * np.pi * at / 52.18))
    values = mean * noisy(weeks + 8, seed=2, level=1.0, spread=0.05)
    found = forecast(values[:weeks], ahead=8)
    assert ("season" in found.terms) == known
    if known:
        assert found.mean == pytest.approx(mean[weeks:], rel=0.12)


def test_weekdays_are_read_from_days():
    shape = np.array([0.8, 0.8, 0.8, 1.0, 1.0, 1.4, 1.2])
    values = np.tile(shape, 30) * noisy(210, seed=6, level=100.0, spread=0.08)
    found = forecast(values, ahead=28, steps=DAILY)
    assert found.naive_method == "same as a week before"
    assert found.naive.tolist() == np.tile(values[-7:], 4).tolist()
    assert found.mean == pytest.approx(np.tile(shape * 100, 4), rel=0.15)


# Bad input


@pytest.mark.parametrize(
    "values", [[5.0] * 40, [0.0] * 40, [7.0], [0.0] * 30 + [3.0, 1.0, 2.0, 5.0, 1.0] * 3]
)
def test_dull_series_are_forecast_without_ado(values):
    found = forecast(values, ahead=8)
    assert np.isfinite(found.mean).all()
    if len(set(values)) == 1:
        assert found.method == "same as last week"
        assert set(found.mean) == set(values)
        assert math.isnan(found.mase)


def test_no_series_is_refused_and_gaps_are_an_error():
    assert not forecast([], ahead=4)
    with pytest.raises(InputError, match="every step"):
        forecast([1.0, math.nan], ahead=4)
    with pytest.raises(InputError, match="'Feast' is known for 5 steps"):
        forecast(noisy(40, seed=1), ahead=4, events={"Feast": np.zeros(5)})


# One report


def sold(first="2024-01-01", weeks=60, seed=5):
    """Daily sales of one brand as an export."""
    start = datetime.date.fromisoformat(first)
    rng = np.random.default_rng(seed)
    lines = ["tracking_id,source,influencer_id,user_id,brand,product,date,orders,revenue"]
    for day in range(weeks * 7):
        orders = int(rng.poisson(20))
        date = start + datetime.timedelta(days=day)
        lines.append(f"T{day},organic,,u{day},HKVitals,Biotin,{date},{orders},{orders * 650}")
    return "\n".join(lines) + "\n"


def opened(folder, tracking, *, period="all", brand="HKVitals"):
    root = params.project_root()
    settings = params.load(None, root=root)
    exports.write(folder / "data", tracking=tracking, posts="", payouts="", influencers="")
    data = store.open_data(folder / "data", settings, root=folder)
    return views.open_report(brand=brand, period=period, settings=settings, opened=data)


def test_outlook_of_a_report_by_week_and_day(tmp_path):
    found = outlook(opened(tmp_path, sold()))
    ahead = found.frame[found.frame["forecast"]]
    assert ahead["week"].tolist()[:2] == ["2025-02-24", "2025-03-03"]
    assert len(ahead) == len(found.table) == 8
    assert len(found.frame) == 52 + 8
    assert ahead["revenue"].to_numpy() == pytest.approx([7 * 20 * 650] * 8, rel=0.15)
    assert (ahead["low"] <= ahead["revenue"]).all()
    assert (ahead["revenue"] <= ahead["high"]).all()
    assert found.table["orders"].to_numpy() == pytest.approx([140] * 8, rel=0.15)
    assert found.days["day"].tolist()[-28] == "2025-02-24"
    assert found.days["forecast"].sum() == 28
    words = found.note.markdown.replace("\\", "")
    assert "Revenue from 24 Feb 2025 to 20 Apr 2025: ₹" in words
    assert f"(MASE {found.revenue_forecast.mase:.2f}, 'same as last week' " in words
    assert f"{found.revenue_forecast.mase:.2f} times the usual change in a week" in found.backtest
    assert f"{found.revenue_forecast.covered} of 64 weeks" in found.backtest
    assert "of 224 days" in found.days_backtest
    assert "Holi falls into these weeks, and the forecast does not know of it." in words


def test_a_report_of_an_earlier_period_knows_nothing_later(tmp_path):
    whole = sold(weeks=60)
    lines = whole.splitlines(keepends=True)
    kept = "".join([lines[0], *(line for line in lines[1:] if line.split(",")[6] < "2024-10-01")])
    early = outlook(opened(tmp_path / "early", kept, period="2024-Q3"))
    late = outlook(opened(tmp_path / "late", whole, period="2024-Q3"))
    assert late.table.equals(early.table)
    assert late.note == early.note
    assert late.table["week"].iloc[0] == "2024-09-30"


def test_parts_of_weeks_are_left_out_and_days_without_orders_are_zero(tmp_path):
    # Starts on a Wednesday, ends on a Tuesday, with a week in between that sold nothing.
    lines = sold("2024-01-03", weeks=20).splitlines(keepends=True)
    kept = [line for line in lines if not "2024-03-04" <= line.split(",")[6] <= "2024-03-10"]
    found = outlook(opened(tmp_path, "".join(kept)))
    past = found.frame[~found.frame["forecast"]]
    assert past["week"].iloc[0] == "2024-01-08"
    assert past.set_index("week")["revenue"]["2024-03-04"] == 0.0
    assert past["week"].iloc[-1] == "2024-05-13"


@pytest.mark.parametrize(
    ("weeks", "sentence"),
    [
        (3, "3 weeks are too few to beat 'same as last week'; that is shown."),
        (10, "10 weeks are too few to beat 'same as last week'; that is shown."),
        (16, "Too few past forecasts to state a 95 % band."),
    ],
)
def test_short_series_are_said_to_be_short(tmp_path, weeks, sentence):
    found = outlook(opened(tmp_path, sold(weeks=weeks)))
    assert sentence in found.note.markdown.replace("\\", "")
    assert len(found.table) == 4


def test_no_orders_or_no_whole_week_is_a_sentence(tmp_path):
    one_day = "".join(sold(weeks=1).splitlines(keepends=True)[:3])
    found = outlook(opened(tmp_path, one_day))
    assert found.frame.empty
    assert found.table.empty
    assert found.days.empty
    assert "no whole week" in found.note.markdown


def test_festivals_of_the_params_are_days_of_the_calendar(tmp_path):
    series = outlook(opened(tmp_path, sold(weeks=60)))._series
    first, last = series.festivals["Diwali"][0]
    assert (first, last) == (datetime.date(2024, 10, 21), datetime.date(2024, 11, 1))
    shares = series.events(8, methods.WEEKLY)["Diwali"]
    assert len(shares) == 68
    # 21 to 27 October whole, then five days of the next week.
    assert shares[42:44] == pytest.approx([1.0, 5 / 7])
    assert sum(series.events(28, DAILY)["Diwali"]) == 12.0
