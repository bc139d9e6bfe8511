"""What would have happened without the campaign, where nobody was assigned at random?

Three answers, each only as good as its conditions: regions that kept the same distance before launch
(difference in differences), a mix of other regions that tracks the treated one (synthetic control), and
a brand's own past with controls (:mod:`hkreport.methods.structural`). Each checks its conditions, tries
itself on a launch that never was (the placebo), and refuses in a sentence where it cannot know.
Randomised arms belong to :mod:`hkreport.methods.experiment`.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hkreport.methods.estimate import Estimate, Refusal
from hkreport.methods.panel import HALO, SUSPECT, Counterfactual, Panel, Placebo, result
from hkreport.methods.structural import structural_series

__all__ = [
    "Counterfactual",
    "Panel",
    "Placebo",
    "conformal_p_value",
    "difference_in_differences",
    "simplex_weights",
    "structural_series",
    "synthetic_control",
]

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

MIN_EARLIER = 8  # periods before launch: fewer cannot show whether trends were parallel
MIN_TREATED = 2  # regions: the spread of one cannot be seen
MIN_CONTROL = 5  # control clusters, as for clusters assigned at random
MIN_SPLITS = 20  # ways to choose the treated: fewer cannot give p = 0.05
CLUSTERS_FOR_T = 10  # in the smaller arm; below, the interval comes from permutation
MIN_DONORS = 19  # the smallest placebo p is 1 ÷ (donors + 1), which must reach 0.05
DONORS_A_TREATED = 4  # a placebo takes as many donors as are treated, and must leave a mix
EARLIER_A_TEST = 4  # synthetic control: length of the pre-period in lengths of the test
WORST_FIT = 0.10  # root mean squared pre-period error, as a share of the treated mean
EXACT = 1e-9  # of the highest earlier value: an error below it is rounding, and the fit is exact
PLACEBOS = 500  # groups of donors: more take too long, and a few for each donor say as much
SPLITS = 1999  # random splits where there are too many to try all
SEED = 20240101  # of those splits: the same data give the same interval


def difference_in_differences(
    panel: Panel, *, relative: bool = False, confidence: float = 0.95
) -> Counterfactual | Refusal:
    """Change of the treated units less change of the others, unit by unit.

    Each unit gives one number, its mean after launch less its mean before, so that days that resemble
    each other count once [1]_. With 10 units in each arm: Welch's interval on these numbers, t with
    min(G) − 1 degrees of freedom. Below that: the studentised permutation test of the units, inverted.

    Parameters
    ----------
    panel : Panel
    relative : bool, default False
        Divide every unit by its mean before launch, so that large regions do not drown the small;
        the effect is then a share of the level before.
    confidence : float, default 0.95

    Returns
    -------
    Counterfactual or Refusal
        A refusal with fewer than 8 earlier periods, 2 treated units, 5 control units or 20 possible
        splits, or where the arms drifted apart before launch.

    References
    ----------
    .. [1] Bertrand, Duflo and Mullainathan (2004), Quarterly Journal of Economics 119, 249-275.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> values = rng.normal(100, 5, (40, 12)) + rng.normal(0, 30, (40, 1))
    >>> treated = np.arange(40) < 20
    >>> values[treated, 8:] += 10
    >>> found = difference_in_differences(Panel(values, treated, 8, tuple(map(str, range(40)))))
    >>> f"{found.effect.value:.1f} ({found.effect.low:.1f} to {found.effect.high:.1f})"
    '10.5 (8.6 to 12.3)'
    """
    treated_units = int(panel.treated.sum())
    controls = len(panel.treated) - treated_units
    if panel.earlier < MIN_EARLIER or treated_units < MIN_TREATED:
        return Refusal("Too few treated regions or earlier periods to test parallel trends.")
    if controls < MIN_CONTROL or math.comb(len(panel.treated), treated_units) < MIN_SPLITS:
        others = "region" if controls == 1 else "regions"
        return Refusal(
            f"With {controls} control {others}, chance alone could give this difference; no causal claim."
        )
    if relative:
        level = panel.values[:, : panel.launch].mean(1, keepdims=True)
        if not (level > 0).all():
            return Refusal(
                "Some regions sold nothing before launch, so a relative change is not defined for them."
            )
        panel = replace(panel, values=panel.values / level)
    drift = _compare(_slopes(panel.values[:, : panel.launch]), panel.treated, confidence)
    if drift.p_value < SUSPECT:
        chance = "p < 0.001" if drift.p_value < 0.001 else f"p = {drift.p_value:.3f}"
        return Refusal(
            f"{panel.names} and the control regions drifted apart before launch ({chance}), so "
            f"their later difference is not an effect."
        )
    effect = _compare(_changes(panel), panel.treated, confidence)
    window = max(min(panel.later, panel.earlier // 2), 1)
    fake = panel.before(panel.earlier - window)
    tried = _compare(_changes(fake), fake.treated, confidence)
    values, chosen = panel.values, panel.treated
    gap = values[chosen, : panel.launch].mean() - values[~chosen, : panel.launch].mean()
    expected = values[~chosen].mean(0) + gap
    return result(
        panel,
        effect,
        expected,
        placebo=Placebo(tried.value, tried.low, tried.high, tried.p_value),
        is_mirrored=False,
    )


def synthetic_control(panel: Panel, *, confidence: float = 0.95) -> Counterfactual | Refusal:
    """Treated units against the mix of the others that tracked them best before launch.

    Every series is taken less its own pre-period mean; weights are at least 0 and add up to 1. The
    same is then done to units that were not treated: their effects, each in multiples of its own
    pre-period error, are what chance gives. The interval covers as often as the treated unit is one
    of them, and p is never below 1 ÷ (donors + 1) [1]_ [2]_.

    Parameters
    ----------
    panel : Panel
        Several treated units are averaged first.
    confidence : float, default 0.95

    Returns
    -------
    Counterfactual or Refusal
        A refusal with fewer than 19 donors or 4 a treated unit, a pre-period shorter than 4 times the
        test, a pre-period error of 10 % of the treated mean or more, or where mixes follow single
        regions exactly, as they do over a few periods: multiples of no error have no end. With fewer
        donors a placebo
        leaves too few to mix: where there was no effect, the 95 % interval held 0 in 92 % of panels with
        4 and 36 units, in 90 with 8 and 32, in 82 to 87 with 10 and 30 and in 83 with 13 and 27
        (measured), and with 20 and 20 it had no end.

    References
    ----------
    .. [1] Abadie, Diamond and Hainmueller (2010), JASA 105(490), 493-505.
    .. [2] Doudchenko and Imbens (2016), NBER working paper 22791: the intercept.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> common = rng.normal(0, 10, 60).cumsum()
    >>> values = 500 + rng.uniform(0.5, 1.5, (30, 1)) * common + rng.normal(0, 5, (30, 60))
    >>> values[0, 50:] += 40
    >>> found = synthetic_control(Panel(values, np.arange(30) < 1, 50, tuple(map(str, range(30)))))
    >>> f"{found.effect.value:.0f}, p = {found.effect.p_value:.3f}"
    '39, p = 0.033'
    """
    names = panel.names
    # A region where nothing ever changed says nothing about chance: any mix follows it exactly.
    changing = np.ptp(panel.values, axis=1) > 0
    if changing[~panel.treated].any():
        panel = panel.rows(np.flatnonzero(panel.treated | changing))
    panel = panel.by_data
    donors = ~panel.treated
    number = int(donors.sum())
    needed = max(MIN_DONORS, DONORS_A_TREATED * int(panel.treated.sum()))
    if number < needed or panel.earlier < EARLIER_A_TEST * panel.later:
        return Refusal(
            f"{number} other regions and {panel.earlier} earlier periods are too few for a mix that "
            f"stands in for {names}: {needed} and {EARLIER_A_TEST * panel.later} are needed."
        )
    own = panel.values[panel.treated].mean(0)
    fit = _synthetic(own, panel.values[donors], panel.launch)
    level = abs(float(own[: panel.launch].mean()))
    if level == 0:
        return Refusal(f"{names} sold nothing before launch, so no mix of regions tracks it.")
    error = fit.error / level
    if error >= WORST_FIT:
        return Refusal(
            f"No mix of regions tracks {names} before launch (error {100 * error:.0f} %)."
        )
    effect = _placebo_interval(panel, fit, confidence)
    if effect is None:
        return Refusal(
            f"Mixes of {number} regions follow others exactly over {panel.earlier} earlier periods, so "
            f"what chance does to {names} cannot be judged."
        )
    placebo = None
    window = min(panel.later, panel.earlier // (EARLIER_A_TEST + 1))
    if window:
        fake = panel.before(panel.earlier - window)
        tried = _placebo_interval(fake, _synthetic_of(fake), confidence)
        if tried is not None:
            placebo = Placebo(tried.value, tried.low, tried.high, tried.p_value)
    others = [name for name, chosen in zip(panel.units, donors, strict=True) if chosen]
    mix = sorted(zip(others, fit.weights.tolist(), strict=True), key=lambda one: (-one[1], one[0]))
    return replace(
        result(panel, effect, own - fit.gap, placebo=placebo),
        # What rounding leaves of a weight is none.
        weights={name: weight for name, weight in mix if weight > 1e-9},
        pre_error=error,
        imbalance=fit.imbalance,
        scaled_imbalance=fit.imbalance / fit.equal if fit.equal else math.nan,
    )


def conformal_p_value(
    panel: Panel, *, effect: float = 0.0, blocks: bool = True, confidence: float = 0.95
) -> float:
    """How unusual the gap after launch is among the gaps of all periods, were `effect` true.

    The mix is fitted on all periods once `effect` has been taken out, so that nothing sets the later
    periods apart but chance; then the gaps change places [1]_. Speaks about time where placebos in
    space speak about regions: more powerful, and valid only where gaps look alike at all times.

    Parameters
    ----------
    panel : Panel
    effect : float, default 0
        Mean effect a unit and period that is tested.
    blocks : bool, default True
        Shift the gaps as a ring, which keeps their order; False shuffles them freely, as GeoLift
        does by default, which supposes that one day says nothing about the next.
    confidence : float
        Decides how many shuffles are needed.

    References
    ----------
    .. [1] Chernozhukov, Wuthrich and Zhu (2021), JASA 116(536), 1849-1864.

    Examples
    --------
    >>> values = np.random.default_rng(2).normal(500, 5, (30, 60))
    >>> values[0, 50:] += 40
    >>> round(conformal_p_value(Panel(values, np.arange(30) < 1, 50, tuple(map(str, range(30))))), 3)
    0.017
    """
    target = panel.values[panel.treated].mean(0)
    target = target - effect * (np.arange(len(target)) >= panel.launch)
    donors = panel.values[~panel.treated]
    centred = target - target.mean()
    others = donors - donors.mean(1, keepdims=True)
    gaps = np.abs(centred - simplex_weights(centred, others) @ others)
    number = len(gaps)
    if blocks:
        order = (np.arange(number)[:, None] + np.arange(number)) % number
        shuffled = gaps[order]
    else:
        # Enough that the p-value itself hardly wavers at the level asked for.
        tries = math.ceil(50 / (1 - confidence)) - 1
        rows = np.broadcast_to(gaps, (tries, number))
        shuffled = np.vstack([gaps, np.random.default_rng(SEED).permuted(rows, axis=1)])
    later = shuffled[:, panel.launch :].mean(1)
    return float((later >= later[0] * (1 - 1e-12)).mean())


def simplex_weights(target: Floats, donors: Floats) -> Floats:
    """Weights of at least 0 that add up to 1 and bring the mix of `donors` closest to `target`.

    Because the weights add up to 1, ``donors.T @ w - target`` equals ``(donors - target).T @ w``; the
    shape of the best w does not depend on its sum, so that non-negative least squares of that against
    0, with one row that asks for a sum of 1, gives it exactly once it is divided by its sum.

    Parameters
    ----------
    target : array of float, shape (periods,)
    donors : array of float, shape (donors, periods)

    Examples
    --------
    >>> donors = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [9.0, 9.0, 9.0]])
    >>> simplex_weights(np.array([0.25, 0.75, 0.0]), donors).round(6).tolist()
    [0.25, 0.75, 0.0]
    """
    from scipy.optimize import nnls

    apart = (donors - target).T
    # The scale of the last row changes nothing but the conditioning.
    scale = float(np.sqrt((apart**2).mean())) or 1.0
    found, _ = nnls(
        np.vstack([apart / scale, np.ones(len(donors))]),
        np.append(np.zeros(len(target)), 1.0),
        maxiter=30 * len(donors) + 100,
    )
    return found / found.sum()


# Difference in differences.


def _changes(panel: Panel) -> Floats:
    """One number a unit: mean after launch less mean before."""
    after = panel.values[:, panel.launch :].mean(1)
    return after - panel.values[:, : panel.launch].mean(1)


def _slopes(values: Floats) -> Floats:
    """Least squares slope of each unit over time."""
    time = np.arange(values.shape[1]) - (values.shape[1] - 1) / 2
    return values @ time / (time**2).sum()


def _compare(numbers: Floats, treated: Flags, confidence: float) -> Estimate:
    """Difference of two groups of units: Welch where both are large enough, permutation elsewhere."""
    from scipy.stats import t

    first, second = numbers[treated], numbers[~treated]
    smaller = min(len(first), len(second))
    difference = float(first.mean() - second.mean())
    error = math.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
    assumptions = ("Without the campaign, all regions would have changed alike on average.", HALO)
    if smaller < CLUSTERS_FOR_T:
        low, high, p_value = _permutation(numbers, treated, confidence)
        method = "difference in differences, studentised permutation of regions"
    elif error == 0:
        low, high, p_value = difference, difference, float(difference == 0)
        method = "difference in differences"
    else:
        reach = float(t.ppf((1 + confidence) / 2, smaller - 1)) * error
        low, high = difference - reach, difference + reach
        p_value = float(2 * t.sf(abs(difference) / error, smaller - 1))
        method = "difference in differences, regions as clusters, t with min(G) − 1"
    return Estimate(
        value=difference,
        low=low,
        high=high,
        confidence=confidence,
        n=len(numbers),
        method=method,
        assumptions=assumptions,
        p_value=p_value,
        standard_error=error,
    )


@lru_cache(maxsize=16)
def _splits(number: int, chosen: int) -> Floats:
    """Ways to choose the treated, one a row: all of them, or a seeded sample led by none of its own."""
    if math.comb(number, chosen) <= SPLITS + 1:
        rows = list(itertools.combinations(range(number), chosen))
        made = np.zeros((len(rows), number))
        made[np.arange(len(rows))[:, None], np.array(rows)] = 1.0
        return made
    first = np.zeros((SPLITS, number))
    first[:, :chosen] = 1.0
    return np.random.default_rng(SEED).permuted(first, axis=1)


def _permutation(numbers: Floats, treated: Flags, confidence: float) -> tuple[float, float, float]:
    """Interval and p-value of a shift, by inverting the studentised permutation test."""
    # In the order of the numbers, so that random splits do not depend on what the units are called.
    order = np.lexsort((treated, numbers))
    numbers, treated = numbers[order], treated[order]
    # On a scale of 1 the search below needs no units.
    spread = float(numbers.std()) or 1.0
    scaled = (numbers - numbers.mean()) / spread
    chosen = treated.astype(float)
    splits = _splits(len(numbers), int(treated.sum()))
    listed = math.comb(len(numbers), int(treated.sum())) == len(splits)
    sums = splits @ np.stack([scaled, chosen, scaled**2, scaled * chosen], 1)
    totals = np.array([scaled.sum(), chosen.sum(), (scaled**2).sum(), (scaled * chosen).sum()])
    inside, outside = splits[0].sum(), len(numbers) - splits[0].sum()

    def statistic(part: Floats, shift: float) -> Floats:
        rest = totals - part
        means, spreads = [], []
        for group, size in ((part, inside), (rest, outside)):
            total = group[..., 0] - shift * group[..., 1]
            squares = group[..., 2] - 2 * shift * group[..., 3] + shift**2 * group[..., 1]
            means.append(total / size)
            spreads.append(np.maximum(squares - total**2 / size, 1e-18) / (size - 1) / size)
        return np.abs(means[0] - means[1]) / np.sqrt(spreads[0] + spreads[1])

    seen = chosen @ np.stack([scaled, chosen, scaled**2, scaled * chosen], 1)

    def p_value(shift: float) -> float:
        extreme = statistic(sums, shift) >= statistic(seen, shift) * (1 - 1e-9)
        if listed:  # the split that happened is among them
            return float(extreme.mean())
        return (1.0 + float(extreme.sum())) / (1.0 + len(splits))

    centre = float(scaled[treated].mean() - scaled[~treated].mean())
    ends = [
        _end(lambda shift: p_value(shift) > 1 - confidence, centre, step) for step in (-1.0, 1.0)
    ]
    return ends[0] * spread, ends[1] * spread, p_value(0.0)


def _end(kept: Callable[[float], bool], centre: float, step: float) -> float:
    """Where the shifts that the data do not rule out end, from `centre` in the direction of `step`."""
    far = step
    while kept(centre + far):
        far *= 2
        if abs(far) > 1e6:
            return math.copysign(math.inf, step)
    near = 0.0
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (middle, far) if kept(centre + middle) else (near, middle)
    return centre + far


# Synthetic control.


@dataclass(frozen=True, slots=True)
class _Fit:
    """A mix of donors: its weights, its gap to the target, and how well it fits before launch."""

    weights: Floats
    gap: Floats
    effect: float
    error: float
    imbalance: float
    equal: float


def _synthetic(target: Floats, donors: Floats, launch: int) -> _Fit:
    """Fit the mix on what came before launch, every series less its own mean."""
    centred = target - target[:launch].mean()
    others = donors - donors[:, :launch].mean(1, keepdims=True)
    weights = simplex_weights(centred[:launch], others[:, :launch])
    gap = centred - weights @ others
    equal = centred - others.mean(0)
    error = float(np.sqrt(np.mean(gap[:launch] ** 2)))
    return _Fit(
        weights,
        gap,
        effect=float(gap[launch:].mean()),
        error=error if error > EXACT * float(np.abs(target[:launch]).max()) else 0.0,
        imbalance=float(np.sqrt(np.sum(gap[:launch] ** 2))),
        equal=float(np.sqrt(np.sum(equal[:launch] ** 2))),
    )


def _synthetic_of(panel: Panel) -> _Fit:
    own = panel.values[panel.treated].mean(0)
    return _synthetic(own, panel.values[~panel.treated], panel.launch)


def _placebo_interval(panel: Panel, fit: _Fit, confidence: float) -> Estimate | None:
    """How large an effect the same method finds where nothing was done; None where that has no end."""
    donors = panel.values[~panel.treated]
    number, together = len(donors), int(panel.treated.sum())
    if together == 1 or math.comb(number, together) <= PLACEBOS:
        groups = np.array(list(itertools.combinations(range(number), together)))
    else:
        rng = np.random.default_rng(SEED)
        groups = np.stack([rng.choice(number, together, replace=False) for _ in range(3 * number)])
    sizes = []
    for group in groups:
        others = np.delete(donors, group, axis=0)
        if len(others):
            tried = _synthetic(donors[group].mean(0), others, panel.launch)
            sizes.append(abs(tried.effect) / tried.error if tried.error else math.inf)
    ranked = np.sort(sizes)
    own = abs(fit.effect) / fit.error if fit.error else math.inf
    place = math.ceil(confidence * (len(ranked) + 1))
    widest = float(ranked[place - 1]) if place <= len(ranked) else math.inf
    # With fewer periods than donors an exact fit is what any region would get, not knowledge.
    if widest == math.inf or (not fit.error and panel.earlier <= number):
        return None
    reach = widest * fit.error
    p_value = (1 + int((ranked >= own).sum())) / (1 + len(ranked))
    return Estimate(
        value=fit.effect,
        low=fit.effect - reach,
        high=fit.effect + reach,
        confidence=confidence,
        n=number + together,
        method="synthetic control on demeaned series, placebos in space",
        assumptions=(
            "The mix that tracked the treated regions before launch would have gone on tracking them.",
            HALO,
        ),
        # Overlapping groups of donors hold no more evidence than the donors.
        p_value=max(p_value, 1 / (number + 1)),
    )
