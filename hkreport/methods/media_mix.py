"""What each channel brought, read from weekly spend and sales together: adstock, then saturation.

A model for the certification page only, where its answer is known. A report does not use it: a year of
weeks cannot tell carry-over, saturation and season apart (see :mod:`hkreport.methods.budget`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hkreport.methods.estimate import Estimate

__all__ = ["Contribution", "adstock", "contributions", "saturation"]

Floats: TypeAlias = NDArray[np.float64]

LAGS = 8  # weeks over which spend works on


@dataclass(frozen=True, eq=False, slots=True)
class Contribution:
    """One channel: its total with an interval, and how it was read.

    Attributes
    ----------
    total : Estimate
    weekly : array of float
    carry_over, speed, height : float
        Share that works on into the next week; how fast it saturates; outcome at saturation.
    """

    total: Estimate
    weekly: Floats
    carry_over: float
    speed: float
    height: float


def adstock(spend: Floats, carry_over: float, lags: int = LAGS) -> Floats:
    """Spend as it works on: a geometric mean over this week and the ones before, weights adding up to 1.

    Examples
    --------
    >>> adstock(np.array([1.5, 0.0, 0.0]), 0.5, lags=2).tolist()
    [1.0, 0.5, 0.0]
    """
    weights = carry_over ** np.arange(lags)
    return np.convolve(spend, weights / weights.sum())[: len(spend)]


def saturation(spend: Floats, speed: float) -> Floats:
    """Share of the largest effect, from 0 to 1: (1 − e^(−speed × spend)) ÷ (1 + e^(−speed × spend)).

    Examples
    --------
    >>> saturation(np.array([0.0, 1e9]), 2.0).tolist()
    [0.0, 1.0]
    """
    return np.tanh(speed * spend / 2)


def contributions(
    outcome: Floats, spend: Floats, other: Floats, *, confidence: float = 0.95
) -> list[Contribution]:
    """Nonlinear least squares of outcome on saturated adstock and other columns.

    Parameters
    ----------
    outcome : array of float, shape (weeks,)
    spend : array of float, shape (weeks, channels)
        On a scale of about 1.
    other : array of float, shape (weeks, columns)
        What else moves the outcome: a constant, trend, season, events.
    confidence : float

    Returns
    -------
    list of Contribution
        Intervals by the delta method, with the noise taken as independent from week to week.
    """
    from scipy.optimize import least_squares
    from scipy.stats import t

    weeks, channels = spend.shape
    spread = float(outcome.std()) or 1.0
    scaled = outcome / spread

    def shapes(parameters: Floats) -> Floats:
        carry, speed = parameters[:channels], np.exp(parameters[channels : 2 * channels])
        return np.stack(
            [saturation(adstock(spend[:, one], carry[one]), speed[one]) for one in range(channels)],
            1,
        )

    def gaps(parameters: Floats) -> Floats:
        linear = parameters[2 * channels :]
        return np.hstack([shapes(parameters), other]) @ linear - scaled

    def total(parameters: Floats, one: int) -> float:
        return float(shapes(parameters)[:, one].sum() * parameters[2 * channels + one])

    start = np.concatenate([np.full(channels, 0.3), np.full(channels, 1.0)])
    design = np.hstack([shapes(start), other])
    start = np.concatenate([start, np.linalg.lstsq(design, scaled, rcond=None)[0]])
    low, high = np.full(len(start), -np.inf), np.full(len(start), np.inf)
    low[:channels], high[:channels] = 0.0, 0.99
    low[channels : 2 * channels], high[channels : 2 * channels] = -4.0, 4.0
    found = least_squares(gaps, start, bounds=(low, high), x_scale="jac")
    freedom = max(weeks - len(start), 1)
    covariance = np.linalg.pinv(found.jac.T @ found.jac) * 2 * found.cost / freedom
    heights = found.x[2 * channels : 3 * channels]
    reach = float(t.ppf((1 + confidence) / 2, freedom))
    made = []
    for one in range(channels):
        slope = _slope(partial(total, one=one), found.x)
        error = float(np.sqrt(slope @ covariance @ slope)) * spread
        weekly = shapes(found.x)[:, one] * heights[one] * spread
        value = float(weekly.sum())
        made.append(
            Contribution(
                Estimate(
                    value=value,
                    low=value - reach * error,
                    high=value + reach * error,
                    confidence=confidence,
                    n=weeks,
                    method="media mix, nonlinear least squares",
                    standard_error=error,
                ),
                weekly,
                carry_over=float(found.x[one]),
                speed=float(np.exp(found.x[channels + one])),
                height=float(heights[one] * spread),
            )
        )
    return made


def _slope(function: Callable[[Floats], float], at: Floats) -> Floats:
    """Central differences."""
    steps = np.eye(len(at)) * 1e-5
    return np.array([(function(at + step) - function(at - step)) / 2e-5 for step in steps])
