"""What is varied on purpose: boosted posts by user, dark cities, and a new brief by campaign.

Windows are counted back from the end of the data, so that the latest quarter holds the experiment; a trial that
does not fit into the data is left out, and ``truth.json`` says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from hkreport.simulate.people import People, user_ids
from hkreport.simulate.world import CITIES, Flags, Floats, Ints, World

__all__ = ["Clusters", "Experiment", "Geo", "Trials", "assignments", "plan"]

METROS = 8  # largest cities, a stratum of their own

ROWS_A_PIECE = 200_000  # of the assignments table, made at a time


@dataclass(frozen=True, slots=True)
class Experiment:
    """Boosted posts that only the treatment arm can see.

    Attributes
    ----------
    pre, first, end : int
        Day numbers: start of the period before, first day, first day after.
    share : array of float
        Share of users who take part, by brand.
    """

    pre: int
    first: int
    end: int
    share: Floats

    def holds(self, people: People, place: Ints) -> Flags:
        """Whether the holder of a place takes part."""
        share = float(self.share[people.brand])
        return people.is_member(place, share, self.pre, self.end - 1)

    def members(self, people: People) -> Ints:
        """Places of all who take part."""
        return people.members(float(self.share[people.brand]), self.pre, self.end - 1)


@dataclass(frozen=True, slots=True)
class Geo:
    """One brand's posts are not shown in a few cities."""

    brand: int
    first: int
    end: int
    dark: Flags


@dataclass(frozen=True, slots=True)
class Clusters:
    """A new brief for some of the campaigns of one brand.

    Attributes
    ----------
    effect : array of float
        Factor that each campaign has of its own, with mean 1, without the lift.
    treated : array of bool
    """

    brand: int
    first: int
    end: int
    names: tuple[str, ...]
    effect: Floats
    treated: Flags


@dataclass(frozen=True, slots=True)
class Trials:
    """All trials that fit into the data; None for one that does not."""

    experiment: Experiment | None
    geo: Geo | None
    clusters: Clusters | None


def plan(world: World) -> Trials:
    """Decide when, where and for whom each trial runs."""
    settings, days = world.settings, world.calendar.days
    rng = world.stream("trials")
    wanted = settings.experiment
    experiment = geo = clusters = None
    first = days - wanted.days_before_end
    if first >= wanted.pre_days and first + wanted.days <= days:
        shares = np.array([brand.experiment_share for brand in settings.brands.values()])
        experiment = Experiment(
            pre=first - wanted.pre_days,
            first=first,
            end=first + wanted.days,
            share=np.minimum(shares, wanted.units_at_most / world.people),
        )
    place = settings.geo
    low, high = place.dark_ranks
    dark = np.zeros(place.cities, bool)
    dark[rng.choice(np.arange(low - 1, high), place.dark, replace=False)] = True
    first = days - place.days_before_end
    if first >= 0 and first + place.days <= days:
        brand = world.brands.index(place.brand)
        geo = Geo(brand=brand, first=first, end=first + place.days, dark=dark)
    brief = settings.clusters
    log_effect = rng.normal(-(brief.effect_sd**2) / 2, brief.effect_sd, brief.campaigns)
    treated = np.ones(brief.campaigns, bool)
    treated[rng.choice(brief.campaigns, brief.control, replace=False)] = False
    first = days - brief.days_before_end
    if first >= 0 and first + brief.days <= days:
        prefix = settings.brands[brief.brand].prefix
        month = world.calendar.months[world.calendar.month[first]]
        clusters = Clusters(
            brand=world.brands.index(brief.brand),
            first=first,
            end=first + brief.days,
            names=tuple(
                f"{prefix}_Brief{index:02d}_{month}" for index in range(1, brief.campaigns + 1)
            ),
            effect=np.exp(log_effect),
            treated=treated,
        )
    return Trials(experiment=experiment, geo=geo, clusters=clusters)


def assignments(
    world: World,
    people: list[People],
    trials: Trials,
    member_revenue: list[tuple[Ints, Ints]],
    city_revenue: Ints,
) -> Iterator[pa.Table]:
    """The export of who was assigned to which arm, some units at a time.

    Parameters
    ----------
    member_revenue : list of (places, paise)
        By brand: all who take part, and their revenue in the period before.
    city_revenue : array of int
        Revenue of the dark-city brand in the days before it went dark, by city, in paise.
    """
    none = np.empty(0, np.int64)
    yield _units(world, user_ids(none, people), "user", none, 0, none, none)
    if trials.experiment is not None:
        day = trials.experiment.first
        share = world.settings.experiment.treatment_share
        for one, (sorted_places, sorted_paise) in zip(people, member_revenue, strict=True):
            # In random order: places are in order of buying rates.
            order = np.argsort(one.shuffled(sorted_places))
            places, paise = sorted_places[order], sorted_paise[order]
            for first in range(0, len(places), ROWS_A_PIECE):
                place = places[first : first + ROWS_A_PIECE]
                ids = user_ids(one.numbers(place, one.generation(place, day)), people)
                small = (one.city(place) >= METROS).astype(np.int64)
                treated = one.is_treated(place, share)
                revenue = paise[first : first + ROWS_A_PIECE]
                yield _units(world, ids, "user", treated, day, small, revenue)
    if trials.geo is not None:
        names = pa.array(city_names(world))
        small = (np.arange(len(names)) >= METROS).astype(np.int64)
        shown = ~trials.geo.dark
        yield _units(world, names, "city", shown, trials.geo.first, small, city_revenue)
    if trials.clusters is not None:
        found = trials.clusters
        names = pa.array(found.names)
        yield _units(world, names, "campaign", found.treated, found.first, None, None)


def city_names(world: World) -> list[str]:
    """Names by rank; cities beyond the list are numbered."""
    number = world.settings.geo.cities
    return [CITIES[rank] if rank < len(CITIES) else f"City {rank + 1}" for rank in range(number)]


def _units(
    world: World,
    ids: pa.Array,
    unit_type: str,
    treated: Flags | Ints,
    day: int,
    stratum: Ints | None,
    paise: Ints | None,
) -> pa.Table:
    """Rows for units of one type; `stratum` is 0 for a metro and 1 for other cities."""
    number = len(ids)
    arms, strata = pa.array(["control", "treatment"]), pa.array(["metro", "other"])
    return pa.table(
        {
            "unit_id": ids,
            "arm": arms.take(pa.array(treated.astype(np.int64))),
            "unit_type": pa.repeat(pa.scalar(unit_type), number),
            "date": pa.repeat(pa.scalar(world.calendar.date(day), pa.date32()), number),
            "stratum": pa.nulls(number, pa.string())
            if stratum is None
            else strata.take(pa.array(stratum)),
            "pre_period_revenue": pa.nulls(number, pa.float64())
            if paise is None
            else pa.array(paise / 100),
        }
    )
