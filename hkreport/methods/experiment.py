"""What a randomised test says: both arms' units in, differences with intervals or a refusal out.

Arms that were assigned by campaign or city belong to :mod:`hkreport.methods.clusters`, tests that are
looked at while they run to :mod:`hkreport.methods.sequential`, planning to
:mod:`hkreport.methods.planner`, resampling to :mod:`hkreport.methods.resampling`, and which interval is
right when to :mod:`hkreport.methods.means`, whose functions stand here too.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from hkreport.methods import planner
from hkreport.methods.estimate import Estimate, Refusal
from hkreport.methods.means import (
    CLOSED,
    CONFIDENCE,
    RANDOM,
    Interval,
    as_units,
    difference,
    fieller,
    incremental,
    interval_for,
    relative_lift,
)
from hkreport.units import Unit, text

__all__ = [
    "CONFIDENCE",
    "FEWEST_BUYERS",
    "Adjusted",
    "Check",
    "Loss",
    "StratumEffect",
    "by_stratum",
    "cuped",
    "difference",
    "expected_loss",
    "fieller",
    "incremental",
    "incremental_profit",
    "interval_for",
    "only_buyers",
    "relative_lift",
    "return_of_buyers",
    "return_on_spend",
    "same_cost",
    "same_effect",
    "sample_ratio",
    "too_few_buyers",
]

Floats = NDArray[np.float64]

FEWEST_BUYERS = 30  # in an arm; below that nothing is estimated
MISMATCH = 0.001  # p-value at which a split is called broken
WORTH_ADJUSTING = 0.02  # share of variance that earlier spending must explain
FIXED = "The spend withheld from control is a known, fixed amount."


@dataclass(frozen=True, slots=True)
class Check:
    """A test of the experiment itself: its p-value, and whether the experiment may be read."""

    p_value: float
    passed: bool
    words: str


@dataclass(frozen=True, slots=True)
class Adjusted:
    """An estimate that uses the period before, and the share of variance that this took away."""

    estimate: Estimate
    reduction: float


@dataclass(frozen=True, slots=True)
class Loss:
    """What either decision loses on average, in the unit of the estimate.

    Attributes
    ----------
    acting, stopping : float
        Mean shortfall below the threshold if the campaign goes on; mean gain forgone if it stops.
    """

    acting: float
    stopping: float

    @property
    def better(self) -> str:
        """The decision that loses less."""
        return "go on" if self.acting <= self.stopping else "stop"


@dataclass(frozen=True, slots=True)
class StratumEffect:
    """The effect within one stratum.

    Attributes
    ----------
    stratum : str
    buyers : int
        In control.
    answer : Estimate or Refusal
        Difference of means.
    q_value : float
        Its p-value, adjusted for the number of strata.
    lift : Estimate or Refusal
        The same relative to control.
    """

    stratum: str
    buyers: int
    answer: Estimate | Refusal
    q_value: float
    lift: Estimate | Refusal


def sample_ratio(treated: int, control: int, share: float) -> Check:
    """Whether the units came in the planned ratio; to be asked before anything else.

    Parameters
    ----------
    treated, control : int
        Units *assigned* to each arm. Never orders or buyers: there the ratio is the effect, and at a
        true lift of 20 % the test calls 34 to 100 % of sound experiments broken.
    share : float
        Planned share of treatment, strictly between 0 and 1.

    Examples
    --------
    >>> sample_ratio(8000, 2000, 0.8).passed, sample_ratio(8300, 1700, 0.8).passed
    (True, False)
    """
    whole = treated + control
    if whole == 0 or not 0 < share < 1:
        return Check(math.nan, False, "No units were assigned, so the split cannot be tested.")
    planned = [whole * share, whole * (1 - share)]
    p_value = float(stats.chisquare([treated, control], planned).pvalue)
    found = text(treated / whole, Unit.PERCENT)
    planned_share = f"{100 * share:.4g}%"  # 99.75 % is not 100 %
    words = (
        f"{found} of {text(whole, Unit.COUNT)} units in treatment, {planned_share} planned "
        f"({_p(p_value)})"
    )
    return Check(p_value, p_value >= MISMATCH, words)


def too_few_buyers(
    treated: ArrayLike, control: ArrayLike, *, detect: float = 0.1, is_open: bool = False
) -> Refusal | None:
    """The sentence for arms that cannot carry an estimate, or None where they can.

    Parameters
    ----------
    treated, control : array
        Revenue a unit, zeros included.
    detect : float
        Relative lift to name the necessary size for.
    is_open : bool
        Whether some outcome windows are still open.

    Examples
    --------
    >>> print(too_few_buyers([0.0, 3.0], [0.0, 0.0]))
    Too few buyers (0 in control) to estimate lift.
    """
    arms = [as_units(treated), as_units(control)]
    bought = [int((arm != 0).sum()) for arm in arms]
    if min(bought) >= FEWEST_BUYERS and not is_open:
        return None
    # Control has enough where the campaign drove nearly everybody away.
    scarce = bought[0] < FEWEST_BUYERS <= bought[1]
    few, which = (bought[0], "treatment") if scarce else (bought[1], "control")
    # What is open is too few for now, however many they are.
    now = " so far" if is_open else ""
    said = f"Too few buyers{now} ({few} in {which}) to estimate lift"
    base = arms[1] if bought[1] > 1 else arms[0]
    share = len(arms[0]) / max(len(arms[0]) + len(arms[1]), 1)
    if bought[1] < 2 or base.mean() <= 0 or not 0 < share < 1:
        return Refusal(f"{said}.")
    plan = planner.users_needed(float(base.mean()), float(base.std(ddof=1)), detect, share=share)
    # However little amounts vary, either arm needs its buyers.
    size = max(
        plan.units,
        *(
            FEWEST_BUYERS * len(arm) / number / part
            for arm, number, part in zip(arms, bought, (share, 1 - share), strict=True)
            if number
        ),
    )
    return Refusal(
        f"{said}; about {text(_two_digits(size), Unit.COUNT)} users are needed to detect {detect:.0%}."
    )


def same_cost(revenue: Estimate, *, unknown: bool = False) -> Refusal:
    """The sentence where return on spend has no denominator."""
    why = (
        "The spend withheld from control is not known"
        if unknown
        else "Both arms cost about the same"
    )
    return Refusal(
        f"{why}, so return on spend cannot be computed; "
        f"the revenue difference is {revenue.words(Unit.MONEY, short=True)}."
    )


def return_on_spend(
    treated: ArrayLike,
    control: ArrayLike,
    *,
    fee: float = 0.0,
    treated_payout: ArrayLike | None = None,
    control_payout: ArrayLike | None = None,
    interval: Interval = "auto",
    confidence: float = CONFIDENCE,
) -> Estimate | Refusal:
    """Incremental revenue for each rupee that only treatment cost (iROAS).

    Parameters
    ----------
    treated, control : array
        Net revenue a unit, zeros included.
    fee : float
        Fixed spend on treatment that control was spared, in the same currency.
    treated_payout, control_payout : array, optional
        Payouts by order, a unit; they vary with the outcome, so Fieller's interval with their
        covariance is used.
    interval : {"auto", "welch", "pooled"}
        Of the revenue difference, where spend is fixed.
    confidence : float
        Two-sided coverage.

    Returns
    -------
    Estimate or Refusal
        A refusal where the spend difference is zero, missing, or has an interval that holds 0.

    Examples
    --------
    >>> round(return_on_spend([30.0, 0.0, 50.0, 20.0], [10.0, 0.0, 20.0, 10.0], fee=20.0).value, 1)
    3.0
    >>> print(return_on_spend([30.0, 0.0, 50.0, 20.0], [10.0, 0.0, 20.0, 10.0], fee=0.0))
    Both arms cost about the same, so return on spend cannot be computed; the revenue difference is
    ₹60.00 (95% interval −₹49.43 to ₹169).
    """
    gain = incremental(treated, control, interval=interval, confidence=confidence)
    if isinstance(gain, Refusal):
        return gain
    if math.isnan(fee):
        return same_cost(gain, unknown=True)
    if treated_payout is None or control_payout is None:
        return _assuming(gain / fee, FIXED) if fee > 0 else same_cost(gain)
    first, second = as_units(treated), as_units(control)
    paid, saved = as_units(treated_payout), as_units(control_payout)
    units = len(first)
    above, below = np.cov(first, paid) / len(first), np.cov(second, saved) / len(second)
    spread = units**2 * (above + below)
    cost = fee + units * (float(paid.mean()) - float(saved.mean()))
    return _by_order(gain, cost, spread)


def incremental_profit(
    treated_profit: ArrayLike,
    control_profit: ArrayLike,
    *,
    fee: float = 0.0,
    treated_payout: ArrayLike | None = None,
    control_payout: ArrayLike | None = None,
    interval: Interval = "auto",
    confidence: float = CONFIDENCE,
) -> Estimate | Refusal:
    """Contribution that the campaign caused, less what only treatment cost.

    Parameters
    ----------
    treated_profit, control_profit : array
        Contribution a unit before influencer payouts, zeros included.
    fee, treated_payout, control_payout, interval, confidence
        As :func:`return_on_spend` takes them.

    Examples
    --------
    >>> incremental_profit([12.0, 0.0, 20.0, 8.0], [4.0, 0.0, 8.0, 4.0], fee=20.0).value
    4.0
    """
    first, second = as_units(treated_profit), as_units(control_profit)
    if math.isnan(fee):
        return Refusal(
            "The spend withheld from control is not known, so profit cannot be computed."
        )
    if treated_payout is not None and control_payout is not None:
        first, second = first - as_units(treated_payout), second - as_units(control_payout)
    found = incremental(first, second, interval=interval, confidence=confidence)
    if isinstance(found, Refusal):
        return found
    return _assuming(found.less(fee), FIXED)


def only_buyers(
    treated: ArrayLike, control: ArrayLike, share: float | None, *, confidence: float = CONFIDENCE
) -> Estimate | Refusal:
    """Incremental revenue where only buyers are recorded and the planned split is known.

    ``R_T − k R_C`` with k the planned ratio of users; its variance is
    ``Σ_T y² + k² Σ_C y²``, since who is recorded is itself a matter of chance.

    Parameters
    ----------
    treated, control : array
        Sum of each buyer over the window: one value a user, not an order.
    share : float or None
        Planned share of users in treatment. A share estimated from the orders would cancel the lift.
    confidence : float
        Two-sided coverage.

    Examples
    --------
    >>> found = only_buyers([100.0] * 60, [100.0] * 40, 0.5)
    >>> found.value, round(found.high)
    (2000.0, 3960)
    >>> print(only_buyers([100.0] * 60, [100.0] * 40, None))
    Only buyers are recorded and the planned split is unknown, so lift is not identifiable.
    """
    first, second = as_units(treated), as_units(control)
    if share is None or not 0 < share < 1:
        return Refusal(
            "Only buyers are recorded and the planned split is unknown, so lift is not identifiable."
        )
    if min(len(first), len(second)) < FEWEST_BUYERS:
        few, which = min((len(second), "control"), (len(first), "treatment"))
        return Refusal(f"Too few buyers ({few} in {which}) to estimate lift.")
    ratio = share / (1 - share)
    value = float(first.sum() - ratio * second.sum())
    error = math.sqrt(float((first**2).sum() + ratio**2 * (second**2).sum()))
    if error == 0:
        return Refusal("All units have the same value: there is nothing to compare.")
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    return Estimate(
        value=value,
        low=value - z * error,
        high=value + z * error,
        confidence=confidence,
        n=len(first) + len(second),
        method="difference of totals at the planned split, buyers only",
        assumptions=(RANDOM, CLOSED, f"Exactly {share:.0%} of users were meant for treatment."),
        p_value=float(2 * stats.norm.sf(abs(value) / error)),
        standard_error=error,
    )


def return_of_buyers(
    treated: ArrayLike,
    control: ArrayLike,
    share: float | None,
    *,
    fee: float = 0.0,
    treated_payout: ArrayLike,
    control_payout: ArrayLike,
    confidence: float = CONFIDENCE,
) -> Estimate | Refusal:
    """Incremental revenue for each rupee that only treatment cost, where only buyers are recorded.

    Revenue as :func:`only_buyers` has it, over ``P_T − k P_C`` and the fee; both vary with who bought,
    so Fieller's interval with their covariance is used. It held a true return in 94.4 to 95.8 % of
    2,000 draws at shares of 0.2, 0.5 and 0.8, measured.

    Parameters
    ----------
    treated, control, share, confidence
        As :func:`only_buyers` takes them.
    fee : float
        Fixed spend on treatment that control was spared.
    treated_payout, control_payout : array
        Payouts by order, a buyer.

    Examples
    --------
    >>> found = return_of_buyers(
    ...     [100.0] * 90, [100.0] * 40, 0.5, treated_payout=[20.0] * 90, control_payout=[0.0] * 40
    ... )
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2)
    (2.78, 1.83, 3.53)
    """
    gain = only_buyers(treated, control, share, confidence=confidence)
    if isinstance(gain, Refusal) or share is None:
        return gain
    ratio = share / (1 - share)
    first = np.stack([as_units(treated), as_units(treated_payout)])
    second = np.stack([as_units(control), as_units(control_payout)])
    cost = fee + float(first[1].sum() - ratio * second[1].sum())
    return _by_order(gain, cost, first @ first.T + ratio**2 * (second @ second.T))


def cuped(
    treated: ArrayLike,
    control: ArrayLike,
    treated_before: ArrayLike,
    control_before: ArrayLike,
    *,
    interval: Interval = "auto",
    confidence: float = CONFIDENCE,
) -> Adjusted | Refusal:
    """Difference of means after taking out what the period before explains (CUPED).

    Parameters
    ----------
    treated, control : array
        Outcome a unit, zeros included.
    treated_before, control_before : array
        Revenue of the same units before assignment; NaN for units that are new, which get 0 and an
        indicator of their own.
    interval, confidence
        As :func:`difference` takes them.

    Returns
    -------
    Adjusted or Refusal
        A refusal where earlier spending explains less than 2 % of the variance.

    References
    ----------
    .. [1] Deng, Xu, Kohavi and Walker (2013), "Improving the sensitivity of online controlled
       experiments by utilizing pre-experiment data", WSDM.

    Examples
    --------
    >>> found = cuped([3.0, 5.0, 8.0], [2.0, 4.0, 6.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    >>> round(found.estimate.value, 6), found.reduction > 0.9
    (1.333333, True)
    """
    first, second = as_units(treated), as_units(control)
    before = [np.asarray(part, float).ravel() for part in (treated_before, control_before)]
    if len(before[0]) != len(first) or len(before[1]) != len(second):
        return Refusal("The period before is not known unit by unit; adjustment not used.")
    if min(len(first), len(second)) < 2:
        return Refusal("An arm with fewer than two units has no spread: nothing can be compared.")
    known = np.concatenate(before)
    design = np.column_stack([np.nan_to_num(known), np.isnan(known).astype(float)])
    arm = np.repeat([0, 1], [len(first), len(second)])
    outcome = np.concatenate([first, second])
    within = _within(design, arm)
    left = _within(outcome[:, None], arm)[:, 0]
    slope = np.linalg.lstsq(within, left, rcond=None)[0]
    total = float(left @ left)
    explained = 1 - float(((left - within @ slope) ** 2).sum()) / total if total else 0.0
    if explained < WORTH_ADJUSTING:
        share = text(max(explained, 0.0), Unit.PERCENT)
        return Refusal(f"Earlier spending explains {share} of variance; adjustment not used.")
    adjusted = outcome - (design - design.mean(0)) @ slope
    found = difference(
        adjusted[: len(first)],
        adjusted[len(first) :],
        # The adjusted values have no buyers; the arm as it was decides.
        interval=interval_for(second, first) if interval == "auto" else interval,
        confidence=confidence,
    )
    if isinstance(found, Refusal):
        return found
    return Adjusted(_assuming(found, "Earlier spending was measured before assignment."), explained)


def by_stratum(
    treated: Mapping[str, ArrayLike],
    control: Mapping[str, ArrayLike],
    *,
    confidence: float = CONFIDENCE,
) -> list[StratumEffect]:
    """The difference of means within each stratum known before assignment.

    P-values come from the pooled variance, whose far tail holds, and q-values adjust them for the
    number of strata (Benjamini-Hochberg).

    Parameters
    ----------
    treated, control : mapping of stratum to array
        One value a unit; strata that only one arm has are left out.

    Examples
    --------
    >>> quiet, loud = [0.0, 1.0] * 50, [1.0, 2.0] * 50
    >>> found = by_stratum({"a": loud, "b": quiet}, {"a": quiet, "b": quiet})
    >>> [(each.stratum, each.q_value < 0.05) for each in found]
    [('a', True), ('b', False)]
    """
    names = sorted(set(treated) & set(control))
    answers: list[Estimate | Refusal] = []
    lifts: list[Estimate | Refusal] = []
    for name in names:
        both = treated[name], control[name]
        refused = too_few_buyers(*both)
        if refused is not None:
            answers.append(refused)
            lifts.append(refused)
        else:
            answers.append(difference(*both, confidence=confidence))
            lifts.append(relative_lift(*both, confidence=confidence))
    pooled = [difference(treated[name], control[name], interval="pooled") for name in names]
    p_values = {
        name: one.p_value
        for name, answer, one in zip(names, answers, pooled, strict=True)
        if isinstance(answer, Estimate) and isinstance(one, Estimate)
    }
    adjusted: Iterable[float] = (
        stats.false_discovery_control(list(p_values.values())) if p_values else []
    )
    q_values = dict(zip(p_values, adjusted, strict=True))
    return [
        StratumEffect(
            name,
            int((as_units(control[name]) != 0).sum()),
            answer,
            float(q_values.get(name, math.nan)),
            lift,
        )
        for name, answer, lift in zip(names, answers, lifts, strict=True)
    ]


def same_effect(answers: Iterable[Estimate | Refusal]) -> float | None:
    """P-value that several strata have one and the same effect (Cochran's Q); None for fewer than two.

    Examples
    --------
    >>> one, other = (
    ...     Estimate(value=v, low=v - 2, high=v + 2, confidence=0.95, n=9, method="", standard_error=1.0)
    ...     for v in (0.0, 4.0)
    ... )
    >>> round(same_effect([one, other]), 4)
    0.0047
    """
    known = [one for one in answers if isinstance(one, Estimate) and one.standard_error > 0]
    if len(known) < 2:
        return None
    weights = np.array([one.standard_error**-2.0 for one in known])
    values = np.array([one.value for one in known])
    gap = float((weights * (values - weights @ values / weights.sum()) ** 2).sum())
    return float(stats.chi2.sf(gap, len(known) - 1))


def expected_loss(estimate: Estimate, threshold: float = 0.0) -> Loss:
    """Average loss of going on and of stopping, if the truth lies around the estimate as its error says.

    With incremental profit and a threshold of 0 this is the decision rule: the smaller loss wins,
    whatever the p-value.

    Parameters
    ----------
    estimate : Estimate
        With a standard error.
    threshold : float
        Break-even on the estimate's scale.

    Examples
    --------
    >>> gain = Estimate(value=0.0, low=-2.0, high=2.0, confidence=0.95, n=9, method="", standard_error=1.0)
    >>> round(expected_loss(gain).acting, 4), expected_loss(gain).better
    (0.3989, 'go on')
    """
    error = estimate.standard_error
    if math.isnan(error):
        error = (estimate.high - estimate.low) / (2 * stats.norm.ppf(0.5 + estimate.confidence / 2))
    above = estimate.value - threshold
    if error == 0:
        return Loss(max(-above, 0.0), max(above, 0.0))
    z = above / error
    density, tail = float(stats.norm.pdf(z)), float(stats.norm.sf(z))
    acting = error * (density - z * tail)
    return Loss(acting, acting + above)


def _by_order(gain: Estimate, cost: float, spread: Floats) -> Estimate | Refusal:
    """Gain over a cost that varies with it; `spread` holds the variances and covariance of both."""
    ratio = fieller(
        gain.value,
        cost,
        float(spread[0, 0]),
        float(spread[1, 1]),
        covariance=float(spread[0, 1]),
        confidence=gain.confidence,
        n=gain.n,
    )
    if isinstance(ratio, Refusal) or cost <= 0:
        return same_cost(gain)
    return _assuming(ratio, RANDOM, CLOSED, "Payouts by order are counted unit by unit.")


def _assuming(estimate: Estimate, *more: str) -> Estimate:
    return replace(estimate, assumptions=tuple(dict.fromkeys((*estimate.assumptions, *more))))


def _within(values: Floats, arm: NDArray[np.int64]) -> Floats:
    """Values less the mean of their arm."""
    means = np.stack([values[arm == one].mean(0) for one in (0, 1)])
    return values - means[arm]


def _two_digits(value: float) -> float:
    """A planned size, rounded up to two digits: more would pretend to know."""
    step = 10.0 ** max(math.floor(math.log10(max(value, 1.0))) - 1, 0)
    return math.ceil(value / step) * step


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
