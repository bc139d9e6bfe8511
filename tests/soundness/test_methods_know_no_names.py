"""What a method says of a set of numbers does not depend on names, the order of rows or the currency."""

from collections.abc import Callable

import numpy as np
import pytest

from hkreport.methods import clusters, experiment, resampling, sequential
from hkreport.methods.counterfactual import (
    Counterfactual,
    Panel,
    conformal_p_value,
    difference_in_differences,
    synthetic_control,
)
from hkreport.methods.estimate import Estimate, Refusal
from hkreport.methods.multiplicity import permutation_p_values, sign_flip_p_values

Order = np.ndarray
Answer = list[float] | str | float
Ask = Callable[[Order, float], Answer]


def cities(treated: int, units: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    shared = rng.normal(0, 20, 60).cumsum()
    values = 1000 + rng.uniform(0.5, 1.5, (units, 1)) * shared + rng.normal(0, 20, (units, 60))
    chosen = np.arange(units) < treated
    values[chosen, 50:] += 8
    return values, chosen


def told(answer: Estimate | Refusal | Counterfactual, money: float = 1.0) -> Answer:
    """Figures of an answer, in the old currency."""
    if isinstance(answer, Refusal):
        return answer.sentence
    if isinstance(answer, Counterfactual):
        share = answer.relative
        placebo = answer.placebo.p_value if answer.placebo else 0.0
        return [*figures(answer.effect, money), share.value, share.low, share.high, placebo]
    return figures(answer, money)


def figures(answer: Estimate, money: float) -> list[float]:
    amounts = [answer.value, answer.low, answer.high, answer.standard_error]
    return [*(amount / money for amount in amounts), answer.p_value, answer.n]


def of_panel(
    method: Callable[..., Counterfactual | Refusal | float], treated: int, **how: bool
) -> tuple[int, Ask]:
    values, chosen = cities(treated)
    if method is synthetic_control:
        values[-1] = 0.0  # a city where nobody ever bought anything

    def ask(order: Order, money: float) -> Answer:
        names = tuple(f"city {place:02d}" for place in range(len(values)))
        panel = Panel(money * values[order], chosen[order], 50, names)
        answer = method(panel, **how)
        return answer if isinstance(answer, float) else told(answer, 1 if how else money)

    return len(values), ask


def of_arms(
    method: Callable[..., Estimate | Refusal], units: int = 4000, **how: int
) -> tuple[int, Ask]:
    rng = np.random.default_rng(11)
    first, second = (rng.lognormal(7, 1, units) * (rng.random(units) < 0.1) for _ in range(2))

    def ask(order: Order, money: float) -> Answer:
        return told(method(money * first[order], money * second[order], **how), money)

    return units, ask


def of_groups() -> tuple[int, Ask]:
    rng = np.random.default_rng(5)
    values, weights = rng.normal(0, 1, 60).round(1), rng.uniform(0.2, 1, 60).round(1)
    members = np.stack([np.arange(60) < size for size in (9, 20, 31)], axis=1)
    brand = np.arange(60) % 2

    def ask(order: Order, money: float) -> Answer:
        given = money * values[order], weights[order], members[order]
        rng = np.random.default_rng(1)
        drawn = permutation_p_values(*given, resamples=999, rng=rng, strata=brand[order])
        return [float(p_value) for p_value in drawn]

    return len(values), ask


def of_pairs() -> tuple[int, Ask]:
    differences = np.random.default_rng(6).normal(0.1, 1, (40, 3))

    def ask(order: Order, money: float) -> Answer:
        rng = np.random.default_rng(1)
        drawn = sign_flip_p_values(money * differences[order], resamples=999, rng=rng)
        return [float(p_value) for p_value in drawn]

    return len(differences), ask


CASES = {
    "difference, permuted": of_panel(difference_in_differences, 4),
    "difference, relative": of_panel(difference_in_differences, 4, relative=True),
    "difference, t": of_panel(difference_in_differences, 12),
    "mix of one": of_panel(synthetic_control, 1),
    "mix of two": of_panel(synthetic_control, 2),
    "mix of four": of_panel(synthetic_control, 4),
    "gaps in time": of_panel(conformal_p_value, 2),
    "welch": of_arms(experiment.difference),
    "pooled": of_arms(experiment.difference, 800),
    "bootstrap": of_arms(resampling.bootstrap),
    "clusters": of_arms(clusters.cluster_difference, 12),
    "groups of influencers": of_groups(),
    "products of influencers": of_pairs(),
    "always valid": of_arms(sequential.always_valid, planned=20_000),
}


@pytest.mark.parametrize("name", CASES)
def test_order_and_currency_change_nothing(name: str) -> None:
    units, ask = CASES[name]
    plain = np.arange(units)
    known = ask(plain, 1.0)
    assert not isinstance(known, str), known
    for order in (plain[::-1], np.random.default_rng(3).permutation(units)):
        assert ask(order, 1.0) == pytest.approx(known, rel=1e-6, nan_ok=True)
    assert ask(plain, 100.0) == pytest.approx(known, rel=1e-6, nan_ok=True)
