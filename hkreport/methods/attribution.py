"""How credit for conversions is shared among the touches before them: credit, not cause.

Seven rules for the same paths. Six give every touch a weight and share a path's conversions in
proportion; the Markov chain asks what would be lost without a channel. None of them knows what would
have happened without any advertising. Which touches make a path belongs to
:mod:`hkreport.evidence.attribution`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hkreport.errors import InputError

__all__ = [
    "Paths",
    "day_weight",
    "decayed",
    "first_touch",
    "last_touch",
    "linear",
    "markov",
    "position_based",
    "removal_effects",
    "shapley",
    "weighted",
]

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Paths:
    """Journeys, touch after touch, and how often each led to conversions and how often to none.

    Attributes
    ----------
    channels : tuple of str
        Names, sorted; every rule returns one row a channel: conversions, and their value.
    touch : array of int
        Channel of each touch, path after path, in order of time.
    start : array of int
        Where each path begins in `touch`; no path is empty.
    conversions, value, nulls : array of float
        Of each path: how many conversions it led to, what they were worth in all, and how often it
        led to none.

    Examples
    --------
    >>> paths = Paths.of([["view", "click"], ["view"]], conversions=[3, 1], nulls=[0, 2])
    >>> paths.channels, paths.touch.tolist(), paths.start.tolist()
    (('click', 'view'), [1, 0, 1], [0, 2])
    """

    channels: tuple[str, ...]
    touch: Places
    start: Places
    conversions: Floats
    value: Floats
    nulls: Floats

    @classmethod
    def of(
        cls,
        paths: Sequence[Sequence[str]],
        conversions: ArrayLike,
        *,
        value: ArrayLike | None = None,
        nulls: ArrayLike | None = None,
    ) -> Self:
        """Make paths of lists of channels, for the few that a person writes down."""
        counts = np.asarray(conversions, dtype=float)
        return cls.of_touches(
            np.array([channel for each in paths for channel in each], dtype=object),
            np.repeat(np.arange(len(paths)), [len(each) for each in paths]),
            counts,
            counts if value is None else np.asarray(value, dtype=float),
            np.zeros(len(paths)) if nulls is None else np.asarray(nulls, dtype=float),
        )

    @classmethod
    def of_touches(
        cls,
        channel: NDArray[np.object_],
        path: Places,
        conversions: Floats,
        value: Floats,
        nulls: Floats,
    ) -> Self:
        """Make paths of touches: `path` numbers them from 0 and never falls; the rest is by path.

        Raises
        ------
        InputError
            If a path has no touch, or a count is negative or no number.
        """
        import pandas as pd

        touch, names = pd.factorize(np.asarray(channel, dtype=object), sort=True)
        start = np.flatnonzero(np.r_[True, path[1:] != path[:-1]]) if len(path) else path
        if len(start) != len(conversions) or not len(value) == len(nulls) == len(conversions):
            raise InputError(f"{len(conversions)} paths were announced, {len(start)} have touches.")
        if not (np.isfinite(value).all() and (conversions >= 0).all() and (nulls >= 0).all()):
            raise InputError("Paths: conversions and nulls must be 0 or more, values finite.")
        return cls(
            tuple(map(str, names)),
            touch.astype(np.int64),
            start.astype(np.int64),
            conversions,
            value,
            nulls,
        )

    def __len__(self) -> int:
        return len(self.start)

    @cached_property
    def lengths(self) -> Places:
        """Touches of each path."""
        return np.diff(np.append(self.start, len(self.touch)))

    @cached_property
    def owner(self) -> Places:
        """Path of each touch."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @cached_property
    def last(self) -> Places:
        """Where each path ends in `touch`."""
        return self.start + self.lengths - 1

    @cached_property
    def amounts(self) -> Floats:
        """Conversions and value, one row a path."""
        return np.stack([self.conversions, self.value], axis=1)

    @cached_property
    def totals(self) -> tuple[float, float]:
        """All conversions and all value, added up exactly."""
        return math.fsum(self.conversions), math.fsum(self.value)

    @cached_property
    def firsts(self) -> Places:
        """Where in `touch` each path meets each of its channels for the first time."""
        met = self.owner * max(len(self.channels), 1) + self.touch
        order = np.argsort(met, kind="stable")
        new = np.r_[True, met[order][1:] != met[order][:-1]] if len(met) else met.astype(bool)
        return np.asarray(order[new])

    @cached_property
    def converting(self) -> Floats:
        """Conversions that each channel had a part in, however small."""
        firsts = self.firsts
        part = self.conversions[self.owner[firsts]]
        return np.bincount(self.touch[firsts], part, len(self.channels)).astype(float)


def weighted(paths: Paths, weights: Floats) -> Floats:
    """Share each path's conversions among its touches in proportion to their weights.

    A path whose weights are all 0 is shared equally.

    Examples
    --------
    >>> paths = Paths.of([["a", "b", "a"]], conversions=[10])
    >>> weighted(paths, np.array([1.0, 2.0, 2.0]))[:, 0].tolist()
    [6.0, 4.0]
    """
    if not len(paths):
        return np.zeros((len(paths.channels), 2))
    owner = paths.owner
    total = np.add.reduceat(weights, paths.start)
    even = 1.0 / paths.lengths
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total[owner] > 0, weights / total[owner], even[owner])
    amounts = paths.amounts
    credit = [
        np.bincount(paths.touch, share * amounts[owner, at], len(paths.channels)) for at in (0, 1)
    ]
    return _settled(np.stack(credit, axis=1), paths.totals)


def _settled(credit: Floats, totals: tuple[float, float]) -> Floats:
    """Make credits sum to the totals exactly, in whatever order they are added.

    All are rounded to multiples of the last bit of the total, and what that loses is laid onto the
    largest. Only where refunds make the parts larger than the whole may a last bit be off.
    """
    settled = credit.copy()
    for at, total in enumerate(totals):
        grid = float(np.spacing(abs(total)))
        parts = np.rint(settled[:, at] / grid) * grid if total else settled[:, at]
        largest = int(np.argmax(np.abs(parts)))
        parts[largest] = 0.0
        parts[largest] = math.fsum([total, *(-parts).tolist()])
        settled[:, at] = parts
    return settled


def first_touch(paths: Paths) -> Floats:
    """All credit to the first touch."""
    return weighted(paths, _marked(paths, paths.start))


def last_touch(paths: Paths) -> Floats:
    """All credit to the last touch."""
    return weighted(paths, _marked(paths, paths.last))


def _marked(paths: Paths, places: Places) -> Floats:
    weights = np.zeros(len(paths.touch))
    weights[places] = 1.0
    return weights


def linear(paths: Paths) -> Floats:
    """The same credit to every touch."""
    return weighted(paths, np.ones(len(paths.touch)))


def position_based(paths: Paths, ends: float = 0.4) -> Floats:
    """A share of `ends` each to the first and the last touch, the rest equally to those between.

    Two touches share by halves.

    Examples
    --------
    >>> paths = Paths.of([["a", "b", "c", "d"], ["a", "d"]], conversions=[10, 10])
    >>> position_based(paths)[:, 0].round(6).tolist()
    [9.0, 1.0, 1.0, 9.0]
    """
    lengths = paths.lengths
    between = np.where(lengths > 2, (1 - 2 * ends) / np.maximum(lengths - 2, 1), 0.0)
    weights = between[paths.owner]
    weights[paths.start] = ends
    weights[paths.last] = ends
    # A single touch, or two, have no middle: what is left is theirs.
    return weighted(paths, np.where(lengths[paths.owner] <= 2, 1.0, weights))


def decayed(age: ArrayLike, half_life: float) -> Floats:
    """Weight of a touch by its age: half as much for every half-life.

    Both in the same unit. Within a path only differences of age matter, so ages may be counted from
    the last touch.

    Examples
    --------
    >>> decayed([0.0, 48.0, 96.0], half_life=48.0).tolist()
    [1.0, 0.5, 0.25]
    """
    return np.asarray(np.exp2(-np.asarray(age, dtype=float) / half_life), dtype=float)


def day_weight(days: ArrayLike, half_life: float) -> Floats:
    """Weight by age where only the days are known, with the half-life in days.

    On the same day the earlier of two moments is a touch, the later the order: two moments spread
    evenly over a day lie apart so far that the mean weight is 0.89 at a half-life of two days.

    Examples
    --------
    >>> day_weight([0, 1, 2, 4], half_life=2.0).round(4).tolist()
    [0.8938, 0.7071, 0.5, 0.25]
    """
    age = np.asarray(days, dtype=float)
    rate = math.log(2) / half_life
    same_day = 2 / rate * (1 - -math.expm1(-rate) / rate)
    return np.where(age <= 0, same_day, decayed(age, half_life))


def shapley(paths: Paths) -> Floats:
    """Exact Shapley values, with a coalition worth the conversions of the paths that lie within it.

    That game is a sum of one unanimity game a path, so a path's conversions fall in equal parts to
    its distinct channels; no sampling, at any number of channels.

    Examples
    --------
    >>> paths = Paths.of([["a", "b", "a"]], conversions=[10])
    >>> shapley(paths)[:, 0].tolist()
    [5.0, 5.0]
    """
    return weighted(paths, _marked(paths, paths.firsts))


def markov(paths: Paths) -> Floats:
    """Credit by removal effects in a first-order Markov chain of touches.

    Value is shared by what would be lost of it, and as the conversions are where refunds make that
    negative for some channel.

    Examples
    --------
    >>> paths = Paths.of([["ads"], ["mail"], ["ads", "mail"]], conversions=[2, 1, 1], nulls=[1, 0, 0])
    >>> markov(paths)[:, 0].round(9).tolist()
    [2.4, 1.6]
    """
    lost = _losses(paths)
    if (lost[:, 1] < 0).any() or not lost[:, 1].sum() > 0:
        lost[:, 1] = lost[:, 0]
    whole = lost.sum(axis=0)
    if not whole[0] > 0:
        return np.zeros((len(paths.channels), 2))
    return _settled(lost / whole * paths.amounts.sum(axis=0), paths.totals)


def removal_effects(paths: Paths) -> Floats:
    """Share of conversions that would be lost if every touch of a channel ended the path.

    Examples
    --------
    >>> paths = Paths.of([["ads"], ["mail"], ["ads", "mail"]], conversions=[2, 1, 1], nulls=[1, 0, 0])
    >>> removal_effects(paths).round(4).tolist()
    [0.75, 0.5]
    """
    conversions = float(paths.conversions.sum())
    journeys = conversions + float(paths.nulls.sum())
    return _losses(paths)[:, 0] * (journeys / conversions) if conversions else _losses(paths)[:, 0]


def _losses(paths: Paths) -> Floats:
    """Conversions and value a journey that would be lost without each channel.

    A journey reaches channel k with probability (start·N)_k ÷ N_kk, N being the fundamental matrix
    (I − Q)⁻¹, and from there brings (N·reward)_k: one factorisation serves all channels.
    """
    from scipy.linalg import lu_factor, lu_solve

    size = len(paths.channels)
    times = paths.conversions + paths.nulls
    if not times.sum() > 0:
        return np.zeros((size, 2))
    owner, ends = paths.owner, paths.touch[paths.last]
    onward = np.flatnonzero(owner[1:] == owner[:-1])
    pairs = paths.touch[onward] * size + paths.touch[onward + 1]
    moves = np.bincount(pairs, times[owner[onward]], size * size).astype(float)
    moves = moves.reshape(size, size)
    leaving = moves.sum(axis=1) + np.bincount(ends, times, size)
    leaving[leaving == 0] = 1.0  # a channel of paths that count nothing
    reward = np.stack(
        [np.bincount(ends, paths.amounts[:, at], size) / leaving for at in (0, 1)], axis=1
    )
    begin = np.bincount(paths.touch[paths.start], times, size) / times.sum()
    moves /= -leaving[:, None]
    moves[np.diag_indices(size)] += 1.0
    fundamental = lu_solve(lu_factor(moves, overwrite_a=True, check_finite=False), np.eye(size))
    reached = begin @ fundamental / np.diag(fundamental)
    return np.asarray(reached[:, None] * (fundamental @ reward))
