"""Regions over time, before and after a launch, and what a method without assignment says about them.

The estimates themselves belong to :mod:`hkreport.methods.counterfactual` and
:mod:`hkreport.methods.structural`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hkreport.errors import InputError
from hkreport.methods.estimate import Estimate

__all__ = ["HALO", "SUSPECT", "Counterfactual", "Panel", "Placebo", "result"]

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

SUSPECT = 0.05  # p-value of a placebo or of diverging trends below which no claim is made

HALO = (
    "The controls were not touched by the campaign; a brand's own organic sales and its sister brands "
    "are touched (halo), so an effect measured against them is too small."
)


@dataclass(frozen=True, eq=False)
class Panel:
    """An outcome by region (or campaign) and period, before and after a launch.

    Attributes
    ----------
    values : array of float, shape (units, periods)
        Zeros included, in the order of time.
    treated : array of bool, shape (units,)
        Which units the launch touched.
    launch : int
        Number of periods before launch; the rest counts as after.
    units : tuple of str
        Names, for sentences and weights.

    Raises
    ------
    InputError
        If shapes do not fit, values are missing, or an arm or a side of the launch is empty.

    Examples
    --------
    >>> panel = Panel([[1, 1, 3], [1, 1, 1]], [True, False], 2, ("Pune", "Kochi"))
    >>> panel.earlier, panel.later, panel.names
    (2, 1, 'Pune')
    """

    values: Floats
    treated: Flags
    launch: int
    units: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.asarray(self.values, float))
        object.__setattr__(self, "treated", np.asarray(self.treated, bool))
        if self.values.ndim != 2 or self.treated.shape != (len(self.values),):
            raise InputError(
                f"The panel holds {self.values.shape} values for {len(self.treated)} units; "
                "it must hold one row a unit and one column a period."
            )
        if len(self.units) != len(self.values):
            raise InputError(
                f"The panel has {len(self.units)} names for {len(self.values)} units; one each."
            )
        if not np.isfinite(self.values).all():
            raise InputError("The panel has missing values; a period without sales is 0.")
        if not 0 < self.launch < self.values.shape[1]:
            raise InputError(
                f"The launch is after {self.launch} of {self.values.shape[1]} periods; at least one "
                "must lie before it and one after."
            )
        if self.treated.all() or not self.treated.any():
            raise InputError("The panel needs treated and control units; one of the two is empty.")

    @property
    def earlier(self) -> int:
        """Periods before launch."""
        return self.launch

    @property
    def later(self) -> int:
        """Periods from launch on."""
        return int(self.values.shape[1]) - self.launch

    @property
    def names(self) -> str:
        """The treated units, for a sentence."""
        found = [name for name, chosen in zip(self.units, self.treated, strict=True) if chosen]
        return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")

    def before(self, launch: int) -> "Panel":
        """The pre-period alone, as if the launch had come after `launch` periods."""
        return replace(self, values=self.values[:, : self.launch], launch=launch)


@dataclass(frozen=True, slots=True)
class Placebo:
    """The method tried on a launch that never was; an effect there means that it cannot be trusted.

    Attributes
    ----------
    value, low, high : float
        The effect found, with its interval, a unit and period.
    p_value : float
        Of no effect, which is the truth.
    """

    value: float
    low: float
    high: float
    p_value: float

    @property
    def passed(self) -> bool:
        """Whether the placebo found nothing."""
        return not self.p_value < SUSPECT

    def __str__(self) -> str:
        verdict = "finds nothing, as it should" if self.passed else "finds an effect that never was"
        return f"A placebo launch inside the earlier periods {verdict} (p = {self.p_value:.2f})."


@dataclass(frozen=True, eq=False, kw_only=True)
class Counterfactual:
    """What happened against what would have happened.

    Attributes
    ----------
    effect : Estimate
        Mean effect a treated unit and period, in the unit of the outcome.
    total : Estimate
        Over all treated units and periods after launch.
    relative : Estimate
        Effect as a share of what would have happened.
    actual, expected : array of float, shape (periods,)
        Mean of the treated, and the same without the campaign.
    launch : int
        Periods before launch.
    placebo : Placebo or None
        None where the pre-period is too short to try one.
    weights : mapping of str to float
        Share of each donor (synthetic control only), largest first.
    pre_error : float
        Root mean squared error before launch, as a share of the treated mean.
    imbalance, scaled_imbalance : float
        L2 norm of the gap before launch, and the same as a share of that of equal weights
        (synthetic control only).
    """

    effect: Estimate
    total: Estimate
    relative: Estimate
    actual: Floats
    expected: Floats
    launch: int
    placebo: Placebo | None
    weights: Mapping[str, float] = field(default_factory=dict)
    pre_error: float = math.nan
    imbalance: float = math.nan
    scaled_imbalance: float = math.nan

    @property
    def claim(self) -> bool:
        """Whether an effect may be claimed: the interval leaves 0 out and no placebo speaks against it."""
        return self.effect.excludes(0.0) and (self.placebo is None or self.placebo.passed)


def result(
    panel: Panel, effect: Estimate, expected: Floats, *, placebo: Placebo | None
) -> Counterfactual:
    """What all methods hand back: the effect as it is, in total, and as a share."""
    actual = panel.values[panel.treated].mean(0)
    without = float(expected[panel.launch :].mean())
    share = effect / without if without > 0 else _unknown(effect)
    return Counterfactual(
        effect=effect,
        total=effect * (panel.later * int(panel.treated.sum())),
        relative=share,
        actual=actual,
        expected=expected,
        launch=panel.launch,
        placebo=placebo,
        pre_error=_pre_error(actual, expected, panel.launch),
    )


def _unknown(effect: Estimate) -> Estimate:
    return replace(effect, value=math.nan, low=math.nan, high=math.nan, standard_error=math.nan)


def _pre_error(actual: Floats, expected: Floats, launch: int) -> float:
    level = abs(float(actual[:launch].mean()))
    gap = actual[:launch] - expected[:launch]
    return float(np.sqrt(np.mean(gap**2))) / level if level else math.nan
