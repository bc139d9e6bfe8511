"""What would one series have done by its own past and by controls? A level that may wander.

For one brand, where no regions stay untouched. See :mod:`hkreport.methods.counterfactual` for regions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hkreport.errors import InputError
from hkreport.methods.estimate import Estimate, Refusal
from hkreport.methods.panel import HALO, Counterfactual, Panel, Placebo, result

__all__ = ["structural_series"]

Floats: TypeAlias = NDArray[np.float64]

STRUCTURAL_EARLIER = 16  # periods: variances of level and noise cannot be told apart on fewer
STRUCTURAL_A_TEST = 2  # length of the pre-period in lengths of the test
# Standard deviations of a step of the level in multiples of the noise's that the interval weighs: even
# in ratio ÷ (1 + ratio), so that a still level and a pure random walk are equally near.
RATIOS = tuple(place / (24 - place) for place in range(23))


def structural_series(
    values: Floats | Sequence[float],
    launch: int,
    *,
    controls: Floats | None = None,
    season: int = 0,
    level_sd: float | None = None,
    confidence: float = 0.95,
) -> Counterfactual | Refusal:
    """A series against its own past: a level that may wander, and controls.

    y = level + controls × β + noise, where the level is a random walk (statsmodels'
    ``UnobservedComponents``, exact diffuse start). The interval holds the wandering after launch, the
    noise, the uncertainty of β and that of how far the level wanders: it weighs many ratios of the two
    variances by their likelihood, since the most likely one is too often none at all.

    Parameters
    ----------
    values : array of float, shape (periods,)
    launch : int
        Number of periods before launch.
    controls : array of float, shape (periods, k), optional
        Series that the campaign cannot have touched.
    season : int, default 0
        Length of a season, such as 7 for days of the week; 0 for none.
    level_sd : float, optional
        Standard deviation of a step of the level, as a share of that of the series before launch.
        Estimated by default. R's CausalImpact takes 0.01 beforehand, which is right only where the
        level hardly moves: its interval is then too narrow elsewhere.
    confidence : float, default 0.95

    Returns
    -------
    Counterfactual or Refusal
        A refusal where the past is shorter than 16 periods or twice the test, or does not vary.

    References
    ----------
    Brodersen et al. (2015), Annals of Applied Statistics 9(1), 247-274.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> values = 100 + rng.normal(0, 3, 60)
    >>> values[50:] += 20
    >>> found = structural_series(values, 50, level_sd=0.01)
    >>> found.effect.excludes(0.0), found.placebo.passed, abs(found.effect.value - 20) < 3
    (True, True, True)
    """
    series = np.asarray(values, float)
    known = np.empty((len(series), 0)) if controls is None else np.asarray(controls, float)
    known = known.reshape(len(series), -1)
    if not (np.isfinite(series).all() and np.isfinite(known).all()):
        raise InputError("The series or its controls have missing values; no sale is 0.")
    later = len(series) - launch
    needed = max(STRUCTURAL_EARLIER, STRUCTURAL_A_TEST * later) + max(season - 1, 0)
    if launch < needed or later < 1:
        return Refusal(
            f"{launch} earlier periods are too few to say what {later} periods would have brought "
            f"anyway; {needed} are needed."
        )
    past = series[:launch]
    if np.ptp(past) == 0:
        return Refusal("The series does not vary before launch, so chance cannot be judged.")
    regressors = np.hstack([known, _season(len(series), season)])
    effect, expected = _structural(series, launch, regressors, level_sd, confidence)
    placebo = None
    # As long a fake test as the past allows, up to the length of the real one.
    window = min(later, launch - max(STRUCTURAL_EARLIER, launch // 2))
    # A past without any sales at first would have foretold nothing.
    if window > 0 and np.ptp(past[: launch - window]) > 0:
        tried, _ = _structural(past, launch - window, regressors[:launch], level_sd, confidence)
        placebo = Placebo(tried.value, tried.low, tried.high, tried.p_value)
    panel = Panel(np.stack([series, expected]), np.array([True, False]), launch, ("series", ""))
    level = abs(past.mean())
    error = float(np.sqrt(np.mean((past - expected[:launch]) ** 2)))
    return replace(
        # As CausalImpact publishes it: both ends as shares of the mean foretold.
        result(panel, effect, expected, placebo=placebo, is_mirrored=False),
        pre_error=error / level if level else math.nan,
    )


def _season(periods: int, length: int) -> Floats:
    """Indicators of the place in the season, less one, each with mean 0 over a season."""
    if length < 2:
        return np.empty((periods, 0))
    place = np.arange(periods) % length
    return (place[:, None] == np.arange(length - 1)) - 1 / length


def _structural(
    series: Floats,
    launch: int,
    regressors: Floats,
    level_sd: float | None,
    confidence: float,
) -> tuple[Estimate, Floats]:
    """Mean effect after launch, and the path that the past and the controls foretell."""
    past = series[:launch]
    middle, spread = float(past.mean()), float(past.std(ddof=1))
    scaled = (series - middle) / spread
    width = regressors[:launch].std(0)
    kept = regressors[:, width > 0]
    kept = (kept - kept[:launch].mean(0)) / width[width > 0]
    noise, wander = _variances(scaled[:launch], kept[:launch], level_sd)
    best = _foretell(scaled, kept, launch, wander / noise)
    if level_sd is None:
        likely = [_foretell(scaled, kept, launch, ratio**2) for ratio in RATIOS]
    else:
        likely = [replace(best, variance=noise)]
    low, high, p_value, error = _mixture(likely, confidence, normal=level_sd is not None)
    estimate = Estimate(
        value=best.effect * spread,
        low=low * spread,
        high=high * spread,
        confidence=confidence,
        n=launch,
        method="structural series: wandering level and controls, maximum likelihood",
        assumptions=(
            "Level and controls would have gone on as before launch, and nothing else changed then.",
            HALO,
        ),
        p_value=p_value,
        standard_error=error * spread,
    )
    return estimate, best.mean * spread + middle


def _variances(past: Floats, regressors: Floats, level_sd: float | None) -> tuple[float, float]:
    """Variances of the noise and of a step of the level, by (restricted) maximum likelihood."""
    import warnings

    from statsmodels.tsa.statespace.structural import UnobservedComponents

    with warnings.catch_warnings():
        # What it says about dates, starting values and a variance at 0 changes nothing here.
        warnings.simplefilter("ignore")
        model = UnobservedComponents(
            past,
            "local level",
            exog=regressors if regressors.shape[1] else None,
            mle_regression=False,
            use_exact_diffuse=True,
        )
        fixed = {} if level_sd is None else {"sigma2.level": level_sd**2}
        with model.fix_params(fixed):
            found = model.fit(disp=False, maxiter=200, cov_type="none")
    named = dict(zip(model.param_names, np.asarray(found.params), strict=True))
    return max(float(named["sigma2.irregular"]), 1e-9), float(named["sigma2.level"])


@dataclass(frozen=True, slots=True)
class _Foretold:
    """What one ratio of the variances implies.

    `variance` is that of the noise, `scale` the variance of the mean effect in multiples of it, and
    `weight` the log of the restricted likelihood once the variance has been integrated out.
    """

    mean: Floats
    effect: float
    scale: float
    variance: float
    freedom: int
    weight: float


def _foretell(series: Floats, regressors: Floats, launch: int, ratio: float) -> _Foretold:
    """Path and effect by generalised least squares, the level a random walk of that variance ratio.

    The level before the first period and the coefficients have no prior; the path is the Kalman
    smoother's, and the covariances between later periods, which that does not give, come with it.
    """
    periods, past = len(series), series[:launch]
    later = periods - launch
    # Covariances of a random walk are the earlier of two times; their axes serve every ratio.
    axes, lengths = _walk(launch)
    shrunk = 1 + ratio * lengths
    steps = np.arange(1.0, launch + 1)
    design = np.hstack([np.ones((periods, 1)), regressors])
    turned = axes.T @ np.column_stack([design[:launch], past, steps])
    own, seen, clock = turned[:, :-2], turned[:, -2], turned[:, -1]
    information = own.T @ (own / shrunk[:, None])
    precision = np.linalg.pinv(information, hermitian=True)
    coefficients = precision @ (own.T @ (seen / shrunk))
    rest = seen - own @ coefficients
    # Later levels go on from the last one: each has the same covariance with the past.
    level = axes @ (ratio * lengths * rest / shrunk)
    last = float(ratio * clock @ (rest / shrunk))
    mean = design @ coefficients + np.append(level, np.full(later, last))
    free = design[launch:].mean(0) - ratio * (clock / shrunk) @ own
    ahead = np.arange(1.0, later + 1)
    wandered = launch + float(np.minimum.outer(ahead, ahead).mean())
    scale = ratio * wandered - ratio**2 * float(clock**2 @ (1 / shrunk)) + 1 / later
    squares = float(rest**2 @ (1 / shrunk))
    freedom = max(launch - int(np.linalg.matrix_rank(design[:launch])), 1)
    weight = -0.5 * (
        np.log(shrunk).sum()
        + np.linalg.slogdet(information)[1]
        + freedom * math.log(max(squares, 1e-12))
    )
    return _Foretold(
        mean,
        effect=float((series[launch:] - mean[launch:]).mean()),
        scale=float(scale + free @ precision @ free),
        variance=squares / freedom,
        freedom=freedom,
        weight=float(weight),
    )


@lru_cache(maxsize=8)
def _walk(periods: int) -> tuple[Floats, Floats]:
    """Axes and their lengths of the covariance of a random walk with steps of variance 1."""
    steps = np.arange(1.0, periods + 1)
    lengths, axes = np.linalg.eigh(np.minimum.outer(steps, steps))
    return axes, lengths


def _mixture(
    likely: Sequence[_Foretold], confidence: float, *, normal: bool
) -> tuple[float, float, float, float]:
    """Ends of the interval, p-value and standard error over all ratios, by their likelihood."""
    from scipy.optimize import brentq
    from scipy.special import ndtr, stdtr

    logs = np.array([one.weight for one in likely])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    centres = np.array([one.effect for one in likely])
    errors = np.sqrt([one.scale * one.variance for one in likely])

    def below(value: float) -> float:
        scaled = (value - centres) / errors
        return float(weights @ (ndtr(scaled) if normal else stdtr(likely[0].freedom, scaled)))

    far = float(10 * errors.max() + np.abs(centres).max())
    ends = []
    for share in ((1 - confidence) / 2, (1 + confidence) / 2):
        reach = far
        while not below(-reach) < share < below(reach):
            reach *= 2
        ends.append(float(brentq(lambda value, at=share: below(value) - at, -reach, reach)))
    middle = float(weights @ centres)
    error = math.sqrt(float(weights @ (errors**2 + (centres - middle) ** 2)))
    return ends[0], ends[1], 2 * min(below(0.0), 1 - below(0.0)), error
