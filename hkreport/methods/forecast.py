"""What the next weeks bring if things go on as they did, beside 'the same as before'.

Two models are tried from past weeks, on the same terms as the naive forecast; whichever errs least is
shown, and the naive one whenever no model does better. Bands are conformal: they are as wide as past
forecasts were wrong, in proportion where a series is positive, festivals apart. What a week holds, and when festivals are, belongs to
:mod:`hkreport.evidence.forecast`.
"""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hkreport.errors import InputError
from hkreport.methods.estimate import Refusal

__all__ = ["DAILY", "WEEKLY", "Band", "Forecast", "Steps", "conformal", "forecast"]

Floats = NDArray[np.float64]
Model = Callable[[int], Floats]  # forecasts from the first so many values

BAND_FROM = {
    0.80: 4,
    0.95: 19,
}  # past errors without which a band of that coverage cannot be stated
MOST_ORIGINS = 26  # past forecasts that bands are made of; the last of them are the backtest
TRAINED_ON = 5  # steps of a season that the first forecast may look back on, at least
HIGHEST = 5.0  # times the highest value so far; what a model says beyond that is not believed


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The width of a step: what repeats, and what 'the same as before' means.

    Attributes
    ----------
    naive : mapping of int to str
        Lags of naive forecasts with their names; the first is the usual one.
    cycle : int
        Steps after which weekdays repeat: 7 for days, 1 for weeks.
    every : int
        Steps between forecasts of the backtest.
    year : float
        Steps in a year.
    """

    naive: Mapping[int, str]
    cycle: int
    every: int
    year: float


WEEKLY = Steps(
    naive={1: "same as last week", 52: "same as 52 weeks before"}, cycle=1, every=1, year=52.1775
)
DAILY = Steps(naive={7: "same as a week before"}, cycle=7, every=7, year=365.2425)


@dataclass(frozen=True, slots=True)
class Band:
    """Ends of a band of one coverage; NaN where there are too few past errors."""

    low: Floats
    high: Floats
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The steps ahead, how they were found, and how that did in the past.

    Attributes
    ----------
    method, naive_method : str
        What `mean` and `naive` are, in words.
    mean, naive : array of float
        One value a step ahead.
    bands : tuple of Band
        Of 80 % and 95 %, a step each.
    total : tuple of float
        Sum of `mean` and the ends of its 80 % band.
    mase, naive_mase : float
        Mean absolute error in the backtest, over the mean change from step to step before it (from
        week to week for days). NaN where nothing could be tried or nothing ever changed.
    covered, tested : int
        Forecasts within the 80 % band known at their time, of how many.
    origins, errors : int
        Forecasts of the backtest, and past forecasts that the bands are made of.
    refused : tuple of str
        What could not be said, in sentences.
    terms : tuple of str
        What the regression may use beside its level.
    """

    method: str
    naive_method: str
    mean: Floats
    naive: Floats
    bands: tuple[Band, Band]
    total: tuple[float, float, float]
    mase: float = math.nan
    naive_mase: float = math.nan
    covered: int = 0
    tested: int = 0
    origins: int = 0
    errors: int = 0
    refused: tuple[str, ...] = ()
    terms: tuple[str, ...] = field(default=())

    @property
    def beats_naive(self) -> bool:
        """Whether a model is shown, because it erred less than the naive forecast."""
        return self.method != self.naive_method


def forecast(
    values: ArrayLike,
    *,
    ahead: int,
    steps: Steps = WEEKLY,
    events: Mapping[str, ArrayLike] | None = None,
    origins: int = 8,
    least: int = 16,
    yearly_from: int = 104,
) -> Forecast | Refusal:
    """Forecast a series, with bands and a backtest; the naive forecast where no model is better.

    Parameters
    ----------
    values : array of float
        One value a step, without gaps.
    ahead : int
        Steps to forecast; fewer, down to four weeks, where the series is short.
    steps : Steps
        What a step is.
    events : mapping of name to array, optional
        Share of each step that falls into a festival, for the series and the steps ahead. One that
        came less than twice before the backtest is left out.
    origins : int
        Past steps from which the backtest forecasts.
    least, yearly_from : int
        Weeks needed for any model, and before the backtest for a season of the year: what is shown
        is what was tried out.

    Raises
    ------
    InputError
        If a value is no number, or events do not reach as far as the forecast.

    Examples
    --------
    >>> up_and_down = [100.0, 120.0] * 30
    >>> found = forecast(up_and_down, ahead=4)
    >>> found.method, found.naive.tolist(), found.naive_mase
    ('regression on its own past', [120.0, 120.0, 120.0, 120.0], 0.5)
    >>> [bool(value < 110) for value in found.mean]
    [True, False, True, False]
    """
    y = np.asarray(values, dtype=float)
    if not np.isfinite(y).all():
        raise InputError("A forecast needs a value for every step; some are missing.")
    week = steps.cycle
    weeks = len(y) // week
    if not len(y):
        return Refusal("There is no whole week to forecast from.")
    short = weeks < least
    ahead = min(ahead, week * (4 if short else max(4, weeks // 4)))
    tried = _origins(len(y), ahead, steps)
    judged = tried[-origins:]
    first = judged[0] if judged else len(y)
    terms = _terms(y, ahead, steps, events or {}, first, yearly_from * week)
    naives = {
        name: _naive(y, lag, ahead)
        for at, (lag, name) in enumerate(steps.naive.items())
        if at == 0 or first >= 2 * lag
    }
    models = {} if short or np.ptp(y[:first]) == 0 else _models(y, ahead, steps, terms, first)
    past = {name: _errors(y, model, tried, ahead) for name, model in (naives | models).items()}
    scale = _scale(y[:first], week)
    mase = {name: _mase(errors[-len(judged) :], scale) for name, errors in past.items()}
    naive = min(naives, key=lambda name: (_worst_last(mase[name]), list(naives).index(name)))
    # Better by luck in so few forecasts is common: the earlier ones must agree.
    longer = {name: _mase(errors, scale) for name, errors in past.items()}
    better = [name for name in models if mase[name] < mase[naive] and longer[name] < longer[naive]]
    best = min(better, key=lambda name: (longer[name], name), default=naive)
    mean = (naives | models)[best](len(y))
    known = _Past.of(y, past[best], tried, _festive(events or {}, len(y) + ahead))
    bands = tuple(
        Band(*known.around(mean, known.half(len(y), coverage)), coverage) for coverage in BAND_FROM
    )
    covered, tested = _coverage(known, len(judged))
    sure = "regression" in best
    return Forecast(
        method=best,
        naive_method=naive,
        mean=mean,
        naive=naives[naive](len(y)),
        bands=(bands[0], bands[1]),
        total=_total(mean, known),
        mase=mase[best],
        naive_mase=mase[naive],
        covered=covered,
        tested=tested,
        origins=len(judged),
        errors=len(tried),
        refused=_refused(weeks, short, len(tried)),
        terms=tuple(terms) if sure else (),
    )


def _refused(weeks: int, short: bool, errors: int) -> tuple[str, ...]:
    said = []
    if short:
        named = "1 week is" if weeks == 1 else f"{weeks} weeks are"
        said.append(f"{named} too few to beat 'same as last week'; that is shown.")
    for coverage, needed in BAND_FROM.items():
        if errors < needed:
            article = "an" if coverage == 0.80 else "a"
            said.append(
                f"Too few past forecasts to state {article} {coverage:.0%} band.".replace("%", " %")
            )
            break
    return tuple(said)


def _origins(count: int, ahead: int, steps: Steps) -> list[int]:
    """Lengths of the series at which past forecasts are made, each with all its steps known."""
    least = TRAINED_ON * steps.cycle if count >= 16 * steps.cycle else steps.cycle
    last = count - ahead
    return list(range(last, least - 1, -steps.every))[:MOST_ORIGINS][::-1]


# Models


def _naive(y: Floats, lag: int, ahead: int) -> Model:
    """The values of one season before, over and over; the last value where there is no season yet."""

    def model(known: int) -> Floats:
        season = y[max(known - lag, 0) : known]
        return np.asarray(np.resize(season, ahead))

    return model


def _models(
    y: Floats, ahead: int, steps: Steps, terms: Mapping[str, Floats], first: int
) -> dict[str, Model]:
    found: dict[str, Model] = {}
    named = f"regression on its own past{' with ' if terms else ''}{', '.join(terms)}"
    found[named] = _regression(y, ahead, steps, terms)
    if steps.cycle == 1:
        found["exponential smoothing"] = _smoothing(y, ahead, first)
    return found


def _smoothing(y: Floats, ahead: int, first: int) -> Model:
    """Simple exponential smoothing, its constant fitted before the backtest and again at the end."""
    from statsmodels.tsa.holtwinters import SimpleExpSmoothing

    constants: dict[bool, float] = {}

    def model(known: int) -> Floats:
        at_end = known == len(y)
        if at_end not in constants:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of convergence: the backtest judges the result
                seen = y[: known if at_end else first]
                # In units of its own size: the search for the constant stops by absolute steps.
                size = float(np.abs(seen).mean()) or 1.0
                smoothing = SimpleExpSmoothing(seen / size, initialization_method="estimated")
                fitted = float(smoothing.fit().params["smoothing_level"])
            constants[at_end] = float(np.clip(fitted, 0.01, 1.0))
        # The level at the end: older values count less and less, and what is left the first one.
        fading = (1.0 - constants[at_end]) ** np.arange(known)
        level = float(constants[at_end] * fading @ y[known - 1 :: -1][:known])
        level += float((1.0 - constants[at_end]) ** known * y[0])
        return np.full(ahead, max(level, 0.0))

    return model


def _regression(y: Floats, ahead: int, steps: Steps, terms: Mapping[str, Floats]) -> Model:
    """Least squares on weekday, season and festivals, with errors that depend on the one before.

    In logs where all values are positive, so that a festival multiplies.
    """
    from statsmodels.regression.linear_model import GLSAR

    parts = [np.ones((len(y) + ahead, 1)), *terms.values()]
    design = np.concatenate(parts, axis=1)
    logs = bool((y > 0).all())
    worked = np.log(y) if logs else y

    def model(known: int) -> Floats:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            regression: Any = GLSAR(worked[:known], design[:known], rho=1)
            slopes = regression.iterative_fit(maxiter=3).params
        rho = float(np.clip(regression.rho[0], -0.95, 0.98))
        rest = worked[known - 1] - design[known - 1] @ slopes
        fading = rho ** np.arange(1, ahead + 1) * rest
        told = design[known : known + ahead] @ slopes + fading
        top = HIGHEST * float(y[:known].max())
        return np.clip(np.exp(np.minimum(told, 700.0)) if logs else told, 0.0, max(top, 0.0))

    return model


def _terms(
    y: Floats,
    ahead: int,
    steps: Steps,
    events: Mapping[str, ArrayLike],
    first: int,
    yearly_from: int,
) -> dict[str, Floats]:
    """Columns of the regression by name: weekday, season of the year, festivals."""
    whole = len(y) + ahead
    at = np.arange(whole)
    terms: dict[str, Floats] = {}
    if steps.cycle > 1:
        terms["weekday"] = np.eye(steps.cycle)[at % steps.cycle][:, 1:]
    if first >= yearly_from:
        turn = 2 * np.pi * at / steps.year
        terms["season"] = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for name, given in events.items():
        share = np.asarray(given, dtype=float)[:whole]
        if len(share) < whole:
            raise InputError(f"'{name}' is known for {len(share)} steps; {whole} are needed.")
        inside = share[:first] > 0
        began = int(inside[:1].sum() + (inside[1:] & ~inside[:-1]).sum())
        if began >= 2:
            terms[name] = share[:, None]
    return terms


# Judging


def _errors(y: Floats, model: Model, tried: Sequence[int], ahead: int) -> Floats:
    """What came less what was forecast: one row a past forecast, one column a step."""
    rows = [y[known : known + ahead] - model(known) for known in tried]
    return np.array(rows).reshape(len(tried), ahead)


def _scale(y: Floats, season: int) -> float:
    """Mean change from one season to the next."""
    return float(np.abs(y[season:] - y[:-season]).mean()) if len(y) > season else math.nan


def _mase(errors: Floats, scale: float) -> float:
    if not errors.size or not scale > 0:
        return math.nan
    return float(np.abs(errors).mean()) / scale


def _worst_last(mase: float) -> float:
    return math.inf if math.isnan(mase) else mase


def conformal(errors: Floats, coverage: float) -> Floats:
    """Half-width of a band for each step: as many past errors were smaller, of one more than there are.

    Between two errors the width is between them, so that the band holds neither less nor more than it
    says. A step further ahead is never taken for surer than the one before: steps that would be share
    their mean (isotonic regression).

    Parameters
    ----------
    errors : array of float, shape (forecasts, steps)
        NaN where a past error does not count.
    coverage : float

    Returns
    -------
    array of float
        One a step; NaN where there are too few errors.

    Examples
    --------
    >>> conformal(np.array([[1.0], [-4.0], [2.0], [3.0]]), 0.8).tolist()
    [4.0]
    >>> conformal(np.array([[1.0], [-4.0], [2.0]]), 0.8).tolist()
    [nan]
    """
    from scipy.optimize import isotonic_regression

    half = np.array([_width(step[np.isfinite(step)], coverage) for step in errors.T])
    known = np.isfinite(half)
    if known.any():
        half[known] = isotonic_regression(half[known]).x
    return half


def _width(errors: Floats, coverage: float, *, alike: float = 1.0) -> float:
    """Half-width of one band; of errors so `alike` that so many say what one would, the next larger.

    Where they are too few for that, the largest.
    """
    place = round((len(errors) + 1) * coverage, 9)
    if place > len(errors) or place < 1:
        return math.nan
    place = min(round((len(errors) + alike) * coverage, 9), len(errors))
    return float(np.interp(place, np.arange(1, len(errors) + 1), np.sort(np.abs(errors))))


def _festive(events: Mapping[str, ArrayLike], count: int) -> NDArray[np.bool_]:
    """Steps that any festival has a part in."""
    found = np.zeros(count, bool)
    for share in events.values():
        found |= np.asarray(share, dtype=float)[:count] > 0
    return found


@dataclass(frozen=True, slots=True)
class _Past:
    """Past forecasts (a row each, a column a step), what came, and which steps of the series are festive.

    Of a series that is positive throughout errors are counted in logs: a brand that grows, or sells more in
    winter, errs by more rupees and by as many percent. A festival is forecast worse than other weeks. Its
    errors would widen the bands of all weeks for half a year, so they count only for steps that are festive
    themselves, unless too few others are there.
    """

    told: Floats
    came: Floats
    origins: NDArray[np.int_]
    festive: NDArray[np.bool_]
    logs: bool

    @classmethod
    def of(
        cls, y: Floats, errors: Floats, tried: Sequence[int], festive: NDArray[np.bool_]
    ) -> "_Past":
        """Forecasts made at the lengths `tried`."""
        origins = np.array(tried, dtype=int)
        came = y[origins[:, None] + np.arange(errors.shape[1])]
        told = came - errors
        return cls(told, came, origins, festive, bool((y > 0).all() and (told > 0).all()))

    def errors(self, told: Floats, came: Floats) -> Floats:
        """On the scale of the bands."""
        return np.asarray(np.log(came / told) if self.logs else came - told)

    def around(self, mean: Floats, half: Floats) -> tuple[Floats, Floats]:
        """Ends of a band."""
        if self.logs:
            return mean * np.exp(-half), mean * np.exp(half)
        # Sales that were never below 0 will not be; weeks of refunds may be again.
        floor = 0.0 if (self.came >= 0).all() and (mean >= 0).all() else -math.inf
        return np.maximum(mean - half, floor), mean + half

    def half(self, known: int, coverage: float) -> Floats:
        """Half-width for each step after so many are known."""
        steps = np.arange(self.told.shape[1])
        at = self.origins[:, None] + steps
        counted = _counted(at < known, self.festive[at], self.festive[known + steps])
        return conformal(np.where(counted, self.errors(self.told, self.came), np.nan), coverage)

    def half_of_sum(self, known: int, coverage: float) -> Floats:
        """Half-width for the sum of the steps: one number.

        Past sums overlap, so that a few in a row are wrong together: they count as fewer.
        """
        steps = np.arange(self.told.shape[1])
        festive = self.festive[self.origins[:, None] + steps].any(axis=1, keepdims=True)
        ended = self.origins[:, None] + len(steps) <= known
        counted = _counted(ended, festive, np.array([self.festive[known + steps].any()]))
        told, came = (each.sum(axis=1, keepdims=True) for each in (self.told, self.came))
        errors = self.errors(told, came)[counted]
        every = int(self.origins[1] - self.origins[0]) if len(self.origins) > 1 else len(steps)
        return np.array([_width(errors, coverage, alike=max(len(steps) / every / 2, 1.0))])


def _counted(
    ended: NDArray[np.bool_], festive: NDArray[np.bool_], ahead: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which past errors make the bands: those of usual weeks for usual weeks, where they suffice."""
    usual = ended & ~festive
    most = max(BAND_FROM.values())
    needed = np.where(ended.sum(axis=0) >= most, most, min(BAND_FROM.values()))
    return np.where(~ahead & (usual.sum(axis=0) >= needed), usual, ended)


def _total(mean: Floats, past: _Past) -> tuple[float, float, float]:
    known = len(past.festive) - len(mean)
    total = mean.sum(keepdims=True)
    low, high = past.around(total, past.half_of_sum(known, 0.8))
    return float(total[0]), float(low[0]), float(high[0])


def _coverage(past: _Past, judged: int) -> tuple[int, int]:
    """Forecasts of the backtest within the 80 % band that was known when they were made."""
    errors = past.errors(past.told, past.came)
    covered = tested = 0
    for row in range(len(errors) - judged, len(errors)):
        half = past.half(int(past.origins[row]), 0.8)
        known = np.isfinite(half)
        tested += int(known.sum())
        covered += int((np.abs(errors[row])[known] <= half[known]).sum())
    return covered, tested
