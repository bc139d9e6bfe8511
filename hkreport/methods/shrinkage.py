"""How good is an influencer once luck is taken out? Gamma–Poisson shrinkage of return on fixed fees.

The best of many small records is mostly lucky. Here orders of influencer i are Poisson with mean λ_i × fee_i,
and λ_i comes from a Gamma distribution around the mean of her cell (tier × platform), fitted to the data; the
order value is shrunk on the log scale. Only fixed fees qualify: where the payout follows orders, orders for
a rupee are the contract, not the influencer. Which influencers these are belongs to the caller.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hkreport.errors import InputError
from hkreport.methods.estimate import Refusal
from hkreport.units import Unit, text

__all__ = ["Shrunk", "pooled_means", "post_noise", "shrink"]

Floats = NDArray[np.float64]

SEPARATE = "to separate influencers from luck"
FEW_ORDERS = f"Too few orders {SEPARATE}."  # whatever it is for: so few tell nothing else either
NO_REVENUE = "These orders brought no revenue, so there is no return to compare."


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Return on fees of each influencer, with luck taken out as far as the data tell.

    Attributes
    ----------
    roas, low, high : array of float
        Posterior mean of revenue for a rupee of fee, and its interval.
    log_roas : array of float
        Posterior mean of its logarithm.
    orders_a_rupee : array of float
        Posterior mean of λ.
    order_value : array of float
        Shrunk order value, rupees.
    reliability : array of float
        Share of the influencer's own record in the estimate of λ: 0 all cell, 1 all her own.
    shape : float
        Of the Gamma distribution: the smaller, the more influencers differ.
    cell_mean : array of float
        Orders for a rupee that her cell makes one expect.
    confidence : float
    """

    roas: Floats
    low: Floats
    high: Floats
    log_roas: Floats
    orders_a_rupee: Floats
    order_value: Floats
    reliability: Floats
    shape: float
    cell_mean: Floats
    confidence: float


def shrink(
    orders: Floats,
    revenue: Floats,
    fee: Floats,
    cells: Sequence[Any] | None = None,
    *,
    confidence: float = 0.8,
    noise: Floats | None = None,
    least_influencers: int = 30,
    least_orders: float = 300,
    purpose: str = SEPARATE,
) -> Shrunk | Refusal:
    """Estimate each influencer's return on fixed fees with luck taken out.

    Parameters
    ----------
    orders, revenue : array of float, shape (n,)
        Credited to each influencer; negative values count as 0.
    fee : array of float, shape (n,)
        Fixed fees, rupees, above 0.
    cells : sequence, optional
        Cell of each influencer, such as (tier, platform); one cell for all by default.
    confidence : float
        Of the intervals.
    noise : array of float, shape (n,), optional
        Squared coefficient of variation of an influencer's orders beyond Poisson, such as that of few
        posts with uneven luck: see :func:`post_noise`.
    least_influencers, least_orders : int, float
        Below these nothing is estimated.
    purpose : str
        What it is for, within the sentence of a refusal.

    Returns
    -------
    Shrunk or Refusal

    Raises
    ------
    InputError
        If a fee is not above 0.

    Notes
    -----
    Orders are negative binomial with mean m_c × fee and shape α. α maximises the marginal likelihood; the
    cell means m_c are maximum likelihood given α, pooled towards the mean of all cells by the variance
    between cells (DerSimonian and Laird). The interval is that of the Gamma with the mean and variance
    of λ × order value.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> fee = np.full(200, 1000.0)
    >>> truth = rng.gamma(2.0, 0.005, 200)
    >>> orders = rng.poisson(truth * fee).astype(float)
    >>> made = shrink(orders, orders * 500.0, fee)
    >>> raw_top, top = np.argsort(-orders)[:5], np.argsort(-made.roas)[:5]
    >>> bool(orders[raw_top].mean() / 1000 > 1.15 * truth[raw_top].mean())
    True
    >>> bool(abs(made.orders_a_rupee[top].mean() / truth[top].mean() - 1) < 0.15)
    True
    """
    if not (fee > 0).all():
        raise InputError("Shrinkage needs a fee above 0 for every influencer.")
    counts = np.maximum(np.nan_to_num(orders), 0.0)
    worth = np.maximum(np.nan_to_num(revenue), 0.0)
    # Orders first: where they are few, more influencers would not help.
    for number, least, words in (
        (
            float(counts.sum()),
            max(least_orders, 1.0),
            FEW_ORDERS + " Those on fixed fees have {}; {} needed{}.",
        ),
        (
            len(fee),
            least_influencers,
            f"Too few influencers on fixed fees {purpose}: {{}}, where {{}} needed.",
        ),
    ):
        if number < least:
            needed = f"{text(least, Unit.COUNT)} {'is' if least == 1 else 'are'}"
            tail = "" if purpose == SEPARATE else f" {purpose}"
            return Refusal(words.format(text(number, Unit.COUNT), needed, tail))
    if not worth[counts > 0].any():
        return Refusal(NO_REVENUE)
    codes = _codes(cells, len(fee))
    extra = np.zeros(len(fee)) if noise is None else noise
    shape, mean = _fit(counts, fee, codes, extra)
    # Noise beyond Poisson makes a record worth fewer orders: both are thinned alike.
    thin = 1.0 / (1.0 + extra * mean * fee)
    a, b = shape + thin * counts, shape / mean + thin * fee
    value, value_variance = _order_values(counts, worth)
    spread = (1 + 1 / a) * np.exp(value_variance) - 1
    roas = a / b * value
    from scipy import special, stats

    edges = [
        roas * spread * stats.gamma.ppf(point, 1 / spread)
        for point in ((1 - confidence) / 2, (1 + confidence) / 2)
    ]
    return Shrunk(
        roas=roas,
        low=edges[0],
        high=edges[1],
        log_roas=special.digamma(a) - np.log(b) + np.log(value) - value_variance / 2,
        orders_a_rupee=a / b,
        order_value=value,
        reliability=thin * fee / b,
        shape=shape,
        cell_mean=mean,
        confidence=confidence,
    )


def _codes(cells: Sequence[Any] | None, number: int) -> NDArray[np.int64]:
    if cells is None:
        return np.zeros(number, np.int64)
    names = {name: code for code, name in enumerate(sorted({str(cell) for cell in cells}))}
    return np.array([names[str(cell)] for cell in cells], np.int64)


def _fit(
    orders: Floats, fee: Floats, codes: NDArray[np.int64], noise: Floats
) -> tuple[float, Floats]:
    """Shape of the Gamma and expected orders for a rupee of each influencer's cell."""
    overall = np.full(len(fee), orders.sum() / fee.sum())
    shape = _shape(orders, overall * fee, noise)
    mean = overall
    for _ in range(3):  # the two hardly move each other
        mean = _cell_means(orders, fee, codes, shape, noise)
        shape = _shape(orders, mean * fee, noise)
    return shape, mean


def _shape(orders: Floats, expected: Floats, noise: Floats) -> float:
    """Shape with the highest marginal likelihood, between 0.05 and 500."""
    from scipy import optimize, special

    def loss(log_shape: float) -> float:
        # Variance of an influencer's orders: expected + expected² × (1 ÷ shape + noise).
        size = 1 / (math.exp(-log_shape) + noise)
        return -float(
            (
                special.gammaln(size + orders)
                - special.gammaln(size)
                + size * np.log(size / (size + expected))
                + orders * np.log(expected / (size + expected))
            ).sum()
        )

    found = optimize.minimize_scalar(
        loss, bounds=(math.log(0.05), math.log(500)), method="bounded", options={"xatol": 1e-4}
    )
    return math.exp(float(found.x))


def _cell_means(
    orders: Floats, fee: Floats, codes: NDArray[np.int64], shape: float, noise: Floats
) -> Floats:
    """Orders for a rupee by cell: maximum likelihood, pooled towards the mean of the cells."""
    size = 1 / (1 / shape + noise)
    number = int(codes.max()) + 1
    overall = orders.sum() / fee.sum()
    rate = np.full(number, overall)
    for _ in range(50):  # fixed point of the likelihood equation Σ (y − μ) ÷ (1 + μ ÷ size) = 0
        weight = 1 / (1 + rate[codes] * fee / size)
        sold = np.bincount(codes, weight * orders, minlength=number)
        fresh = sold / np.bincount(codes, weight * fee, minlength=number)
        fresh = np.maximum(fresh, 1e-3 * overall)
        if np.abs(fresh / rate - 1).max() < 1e-8:
            break
        rate = fresh
    expected = rate[codes] * fee
    information = np.bincount(codes, expected / (1 + expected / size), minlength=number)
    pooled, _ = pooled_means(np.log(rate), 1 / np.maximum(information, 1e-9))
    return np.asarray(np.exp(pooled)[codes], dtype=np.float64)


def pooled_means(values: Floats, variances: Floats) -> tuple[Floats, float]:
    """Values of some cells, each drawn to their common mean as far as its own noise asks.

    Parameters
    ----------
    values, variances : array of float
        Estimates and their sampling variances.

    Returns
    -------
    array of float, float
        Pooled values, and the standard deviation between cells (DerSimonian and Laird).

    Examples
    --------
    >>> pooled, between = pooled_means(np.array([0.0, 1.0]), np.array([9.0, 9.0]))
    >>> pooled.tolist(), between
    ([0.5, 0.5], 0.0)
    """
    weights = 1 / variances
    total = weights.sum()
    mean = float(weights @ values) / total
    freedom = len(values) - 1
    between = 0.0
    if freedom > 0:
        excess = float(weights @ (values - mean) ** 2) - freedom
        between = max(0.0, excess / float(total - (weights**2).sum() / total))
    weights = 1 / (variances + between)
    mean = float(weights @ values) / float(weights.sum())
    share = between / (between + variances)
    return share * values + (1 - share) * mean, math.sqrt(between)


def _order_values(orders: Floats, revenue: Floats) -> tuple[Floats, Floats]:
    """Order value of each influencer, shrunk on the log scale, and the variance of its log."""
    from scipy import optimize

    known = (orders > 0) & (revenue > 0)
    if known.sum() < 3:
        whole = revenue.sum() / orders.sum() if orders.sum() > 0 and revenue.sum() > 0 else 1.0
        return np.full(len(orders), whole), np.zeros(len(orders))
    log_value = np.log(revenue[known] / orders[known])
    number = orders[known]

    def middle_of(point: Floats) -> tuple[Floats, float]:
        variance = np.exp(point[0]) + np.exp(point[1]) / number
        return variance, float(np.average(log_value, weights=1 / variance))

    def loss(point: Floats) -> float:
        variance, middle = middle_of(np.clip(point, -14, 3))
        return float((np.log(variance) + (log_value - middle) ** 2 / variance).sum())

    found = optimize.minimize(
        loss, np.log([0.02, 0.3]), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-6}
    )
    between, within = np.exp(np.clip(found.x, -14, 3))
    middle = middle_of(np.clip(found.x, -14, 3))[1]
    share = np.zeros(len(orders))
    share[known] = between / (between + within / number)
    own = np.full(len(orders), middle)
    own[known] = log_value
    variance = between * (1 - share)
    expected = share * own + (1 - share) * middle
    value = np.exp(expected + variance / 2)
    # The log of a mean lies below the mean's log: the sum over all influencers says by how much.
    value *= revenue.sum() / float(value @ orders)
    return value, variance


def post_noise(who: NDArray[np.int64], orders: Floats, fee: Floats, posts: Floats) -> float:
    """Squared coefficient of variation of the orders of one post, beyond Poisson.

    Read off how unevenly an influencer's orders fall on her own steps of time with posts, which says
    nothing about how good she is.

    Parameters
    ----------
    who : array of int
        Influencer of each step, from 0.
    orders, fee, posts : array of float
        Of each step: fees above 0, posts at least 1.

    Returns
    -------
    float
        0 or more; divide by an influencer's number of posts for :func:`shrink`.

    Examples
    --------
    >>> rng = np.random.default_rng(4)
    >>> who = np.repeat(np.arange(300), 6)
    >>> orders = rng.poisson(20 * rng.gamma(5, 1 / 5, 1800)).astype(float)
    >>> bool(abs(post_noise(who, orders, np.ones(1800), np.ones(1800)) - 0.2) < 0.04)
    True
    """
    if not len(who):
        return 0.0
    number = int(who.max()) + 1
    paid = np.bincount(who, fee, minlength=number)
    sold = np.bincount(who, orders, minlength=number)
    share = fee / paid[who]
    expected = sold[who] * share
    # Given the total, steps would be multinomial: variance E × (1 − share).
    excess = (orders - expected) ** 2 - expected * (1 - share)
    scale = expected**2 / posts * (1 - share)
    # Each influencer counts by her information, lest a few with many orders decide.
    weight = 1 / (1 + sold[who]) ** 1.0
    below = float((weight * scale).sum())
    return max(0.0, float((weight * excess).sum()) / below) if below > 0 else 0.0
