"""Who may buy: millions of people, none of whom is kept in memory.

A brand has a fixed number of *places*. The place says how often its holder buys (places are sorted by buying
rate), in which city the holder lives, and in which arm of an experiment; after some years somebody else takes
the place, with a new user id. So a customer is new exactly when the id has not ordered before, and about as
many orders come from new customers in the last month as in the first.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hkreport.simulate.world import Flags, Floats, Ints, World, frailty_table, hashed

__all__ = ["People", "everyone", "user_ids"]

DAYS_A_YEAR = 365.25

# What a hash is used for; numbers are never reused.
MOVES, CITY, MEMBER, ARM, SEEN, ORDER = 1, 2, 3, 4, 5, 6

# Id numbers are shuffled by a multiplication modulo these, so that they say nothing about buying rates.
SHORT_IDS = (9 * 10**8, 556_361_507)
LONG_IDS = (9 * 10**11, 7_368_787)


@dataclass(frozen=True, slots=True)
class People:
    """The places of one brand.

    Attributes
    ----------
    brand : int
    places : int
        How many there are; place 0 buys most often.
    first_number : int
        Where the id numbers of this brand start.
    generations : int
        How many people may hold one place within the data.
    """

    seed: int
    brand: int
    places: int
    years: float
    first_number: int
    generations: int
    rates: Floats
    ranks: Floats
    city_edges: Floats
    frailty_shape: float

    def drawn(self, rng: np.random.Generator, number: int) -> Ints:
        """Places of buyers: who buys twice as often is drawn twice as often."""
        shape = self.frailty_shape
        rate = rng.gamma(shape + 1, 1 / shape, number)  # a Gamma, weighted by its value
        rank = np.interp(rate, self.rates, self.ranks)
        return np.minimum((rank * self.places).astype(np.int64), self.places - 1)

    def rate(self, place: Ints) -> Floats:
        """Buying rate of a place, 1 on average."""
        rank = (place + 0.5) / self.places
        return np.interp(rank, self.ranks[::-1], self.rates[::-1])

    def city(self, place: Ints) -> Ints:
        """City of a place, as a rank by size from 0."""
        uniform = hashed(place, self.seed, self.brand, CITY)
        return np.searchsorted(self.city_edges, uniform, side="right")

    def generation(self, place: Ints, day: Ints | int) -> Ints:
        """How many people have held the place before, since the data began."""
        phase = hashed(place, self.seed, self.brand, MOVES)
        return np.floor(day / (DAYS_A_YEAR * self.years) + phase).astype(np.int64)

    def has_ordered_before(self, orders_a_day: float, chunk: int = 1_000_000) -> Any:
        """Say of the first holder of each place who is an old customer: 0, or −1 for one who is not.

        Parameters
        ----------
        orders_a_day : float
            Of all people together.
        """
        seen = np.empty(self.places, np.int8)
        for first in range(0, self.places, chunk):
            place = np.arange(first, min(first + chunk, self.places))
            years = hashed(place, self.seed, self.brand, MOVES) * self.years
            orders = self.rate(place) * orders_a_day / self.places * years * DAYS_A_YEAR
            uniform = hashed(place, self.seed, self.brand, SEEN)
            seen[place] = np.where(uniform < 1 - np.exp(-orders), 0, -1)
        return seen

    def is_treated(self, place: Ints, share: float) -> Flags:
        """Whether the experiment assigns the holder of a place to the treatment arm."""
        return hashed(place, self.seed, self.brand, ARM) < share

    def is_member(self, place: Ints, share: float, first_day: int, last_day: int) -> Flags:
        """Whether the holder of a place takes part: a random share of those who stay all the time."""
        drawn = hashed(place, self.seed, self.brand, MEMBER) < share
        return drawn & (self.generation(place, first_day) == self.generation(place, last_day))

    def members(self, share: float, first_day: int, last_day: int, chunk: int = 1_000_000) -> Ints:
        """All places that take part, in order."""
        found = []
        for first in range(0, self.places, chunk):
            place = np.arange(first, min(first + chunk, self.places))
            found.append(place[self.is_member(place, share, first_day, last_day)])
        return np.concatenate(found)

    def shuffled(self, place: Ints) -> Floats:
        """Random key of each place, to put people in an order that says nothing about them."""
        return hashed(place, self.seed, self.brand, ORDER)

    def numbers(self, place: Ints, generation: Ints) -> Ints:
        """Number of a person, different for all people of all brands."""
        return self.first_number + generation * self.places + place


def everyone(world: World) -> list[People]:
    """The people of each brand."""
    settings = world.settings
    years = settings.users.person_years
    generations = int(world.calendar.days / (DAYS_A_YEAR * years)) + 2
    rates, ranks = frailty_table(settings.users.frailty_shape)
    sizes = np.arange(1, settings.geo.cities + 1) ** -settings.geo.zipf
    edges = np.cumsum(sizes / sizes.sum())[:-1]
    firsts = np.concatenate([[0], np.cumsum(world.people * generations)])
    return [
        People(
            seed=world.seed,
            brand=brand,
            places=int(world.people[brand]),
            years=years,
            first_number=int(firsts[brand]),
            generations=generations,
            rates=rates,
            ranks=ranks,
            city_edges=edges,
            frailty_shape=settings.users.frailty_shape,
        )
        for brand in range(len(world.brands))
    ]


def user_ids(numbers: Ints, people: list[People]) -> pa.Array:
    """Pseudonymous ids as text, all of the same length.

    Numbers after those of all people belong to visitors who never order.
    """
    everybody = people[-1].first_number + people[-1].generations * people[-1].places
    modulus, factor = SHORT_IDS if everybody < SHORT_IDS[0] // 2 else LONG_IDS
    shuffled = modulus // 9 + (numbers * factor) % modulus
    return pc.binary_join_element_wise("U", pc.cast(pa.array(shuffled), pa.string()), "")
