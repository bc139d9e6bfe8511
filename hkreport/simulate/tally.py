"""What is counted while orders go by: everything that the truth and the payouts need, and no order itself."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hkreport.simulate.orders import BOOSTED, CAUSED, DISPLACED, LOST, ORGANIC, PAID, Chunk
from hkreport.simulate.people import People
from hkreport.simulate.posts import Posts
from hkreport.simulate.trials import Trials
from hkreport.simulate.world import Flags, Ints, World

__all__ = ["CLASSES", "FILE", "MEASURES", "SOURCES", "Members", "Tally", "source_codes"]

# Measures of a class of orders: number, and paise with GST, without GST after returns, and of contribution.
MEASURES = ("orders", "gross", "net", "profit")

CLASSES = (
    "organic",  # came by themselves and took place, codes or not
    "poached",  # of those, with an influencer's code
    "paid",  # from advertising without an influencer
    "caused",  # by a post, with a code or without
    "tracked",  # of those, with a code
    "halo",  # of those, without one: they look organic
    "boosted",  # of those, by a boosted post
    "pulled_forward",  # of those, by people who would have come anyway some weeks later
    "displaced",  # organic orders that are missing for that reason
    "lost",  # that a post would have caused in a city that was dark
    "attributed",  # with a code: tracked and poached
)

# How an exported row is labelled, and what is summed over the rows.
SOURCES = ("organic", "influencer", "paid", "paid_with_influencer")
FILE = ("orders", "revenue", "returns", "discount", "profit", "new_customers")


def source_codes(chunk: Chunk) -> Ints:
    """Index into `SOURCES` of each order."""
    credited = np.where(chunk.kind == BOOSTED, 3, 1)
    return np.where(chunk.is_coded, credited, np.where(chunk.kind == PAID, 2, 0))


@dataclass(slots=True)
class Members:
    """The users of one brand's experiment and what they ordered; money in paise.

    Attributes
    ----------
    place : array of int
        In rising order.
    treated : array of bool
    before : array of int
        Revenue in the period before.
    orders, revenue, net, profit : array of int
        In the outcome window, boosted orders included.
    boosted : array of int, shape (4,)
        What boosted posts caused in the window: orders, revenue, net, profit.
    """

    place: Ints
    treated: Flags
    before: Ints
    orders: Ints
    revenue: Ints
    net: Ints
    profit: Ints
    boosted: Ints

    def add(self, chunk: Chunk, pre: int, first: int, end: int) -> None:
        """Count the orders of those who take part."""
        rows = np.flatnonzero(chunk.is_exported & (chunk.day >= pre) & (chunk.day < end))
        if not len(rows) or not len(self.place):
            return
        found = np.searchsorted(self.place, chunk.place[rows])
        found = np.minimum(found, len(self.place) - 1)
        known = self.place[found] == chunk.place[rows]
        rows, found = rows[known], found[known]
        early = chunk.day[rows] < first
        np.add.at(self.before, found[early], chunk.revenue[rows[early]])
        rows, found = rows[~early], found[~early]
        np.add.at(self.orders, found, 1)
        for total, values in (
            (self.revenue, chunk.revenue),
            (self.net, chunk.net),
            (self.profit, chunk.profit),
        ):
            np.add.at(total, found, values[rows])
        more = rows[chunk.kind[rows] == BOOSTED]
        self.boosted += [
            len(more),
            chunk.revenue[more].sum(),
            chunk.net[more].sum(),
            chunk.profit[more].sum(),
        ]


@dataclass(slots=True)
class Tally:
    """Sums over all orders.

    Attributes
    ----------
    classes : array of int, shape (brands, months, classes, measures)
    file : array of int, shape (brands, months, sources, sums)
        What the exported rows say.
    influencer : dict of array of int, shape (brands, influencers)
        ``caused_orders``, ``caused_gross``, ``caused_net``, ``pulled_net``, ``credited_orders``,
        ``credited_gross``.
    credited, delivered, commission : array of int, shape (influencers, brands, months)
        Orders with the code, those of them that are not back, and paise owed to those on commission.
    product : array of int, shape (products, 3)
        Exported orders and revenue, and credited revenue.
    post_orders : array of int, by post
        Orders caused.
    members : list of Members, by brand
    city_before : array of int
        Revenue of the dark-city brand in the weeks before, by city.
    lost_by_day : array of int
    rows : int
        Orders exported.
    """

    world: World
    trials: Trials
    people: list[People]
    posts: Posts
    classes: Ints
    file: Ints
    influencer: dict[str, Ints]
    credited: Ints
    delivered: Ints
    commission: Ints
    product: Ints
    post_orders: Ints
    members: list[Members]
    city_before: Ints
    lost_by_day: Ints
    rows: int = 0

    @classmethod
    def empty(cls, world: World, trials: Trials, people: list[People], posts: Posts) -> "Tally":
        """Nothing counted yet."""
        brands, months = len(world.brands), len(world.calendar.months)
        panel, cells = len(world.influencers), (len(world.influencers), brands, months)
        names = (
            "caused_orders",
            "caused_gross",
            "caused_net",
            "pulled_net",
            "credited_orders",
            "credited_gross",
        )
        return cls(
            world=world,
            trials=trials,
            people=people,
            posts=posts,
            classes=np.zeros((brands, months, len(CLASSES), len(MEASURES)), np.int64),
            file=np.zeros((brands, months, len(SOURCES), len(FILE)), np.int64),
            influencer={name: np.zeros((brands, panel), np.int64) for name in names},
            credited=np.zeros(cells, np.int64),
            delivered=np.zeros(cells, np.int64),
            commission=np.zeros(cells, np.int64),
            product=np.zeros((len(world.products.name), 3), np.int64),
            post_orders=np.zeros(len(posts), np.int64),
            members=[_members(world, trials, one) for one in people],
            city_before=np.zeros(world.settings.geo.cities, np.int64),
            lost_by_day=np.zeros(world.calendar.days, np.int64),
        )

    def add(self, chunk: Chunk) -> None:
        """Count the orders of a chunk."""
        self._add_classes(chunk)
        self._add_lost_and_cities(chunk)
        found = self.trials.experiment
        if found is not None:
            self.members[chunk.brand].add(chunk, found.pre, found.first, found.end)
        real = chunk.only(chunk.is_exported)
        self.rows += len(real)
        self._add_file(real)
        self._add_influencers(real)

    def _add_classes(self, chunk: Chunk) -> None:
        """Sum the measures over every combination of kind and flags, then over what a class holds."""
        code = chunk.kind * 4 + chunk.is_coded * 2 + chunk.is_pulled
        values = (np.ones(len(chunk)), chunk.revenue, chunk.net, chunk.profit)
        # Sums of whole paise in double precision are exact below 90 trillion rupees.
        sums = np.stack([np.bincount(code, value, minlength=24) for value in values], axis=-1)
        by_kind = np.rint(sums).astype(np.int64).reshape(6, 2, 2, len(MEASURES))
        caused = by_kind[CAUSED] + by_kind[BOOSTED]
        found = {
            "organic": by_kind[ORGANIC].sum((0, 1)),
            "poached": by_kind[ORGANIC, 1].sum(0),
            "paid": by_kind[PAID].sum((0, 1)),
            "caused": caused.sum((0, 1)),
            "tracked": caused[1].sum(0),
            "halo": caused[0].sum(0),
            "boosted": by_kind[BOOSTED].sum((0, 1)),
            "pulled_forward": caused[:, 1].sum(0),
            "displaced": by_kind[DISPLACED].sum((0, 1)),
            "lost": by_kind[LOST].sum((0, 1)),
        }
        found["attributed"] = found["tracked"] + found["poached"]
        self.classes[chunk.brand, chunk.month] += np.stack([found[name] for name in CLASSES])

    def _add_lost_and_cities(self, chunk: Chunk) -> None:
        geo = self.trials.geo
        if geo is None or geo.brand != chunk.brand:
            return
        lost = chunk.kind == LOST
        self.lost_by_day += np.bincount(chunk.day[lost], minlength=len(self.lost_by_day))
        before = self.world.settings.experiment.pre_days
        early = chunk.is_exported & (chunk.day >= geo.first - before) & (chunk.day < geo.first)
        if early.any():
            city = self.people[chunk.brand].city(chunk.place[early])
            np.add.at(self.city_before, city, chunk.revenue[early])

    def _add_file(self, real: Chunk) -> None:
        source = source_codes(real)
        paid = real.revenue - real.discount
        values = (
            np.ones(len(real)),
            real.revenue,
            paid * real.is_back,
            real.discount,
            real.profit_so_far,
            real.is_new,
        )
        sums = [np.bincount(source, value, minlength=len(SOURCES)) for value in values]
        self.file[real.brand, real.month] += np.rint(np.stack(sums, -1)).astype(np.int64)
        number = len(self.product)
        credited = real.revenue * real.is_coded
        for column, value in enumerate((np.ones(len(real)), real.revenue, credited)):
            self.product[:, column] += _counted(real.product, value, number)

    def _add_influencers(self, real: Chunk) -> None:
        panel, brand = len(self.world.influencers), real.brand
        caused = np.flatnonzero(real.is_caused)
        self.post_orders += np.bincount(real.post[caused], minlength=len(self.post_orders))
        who = self.posts.influencer[real.post[caused]]
        pulled = real.is_pulled[caused]
        for name, value in (
            ("caused_orders", np.ones(len(caused))),
            ("caused_gross", real.revenue[caused]),
            ("caused_net", real.net[caused]),
            ("pulled_net", real.net[caused] * pulled),
        ):
            self.influencer[name][brand] += _counted(who, value, panel)
        coded = np.flatnonzero(real.is_coded)
        who = self.posts.influencer[real.post[coded]]
        self.influencer["credited_orders"][brand] += _counted(who, np.ones(len(coded)), panel)
        self.influencer["credited_gross"][brand] += _counted(who, real.revenue[coded], panel)
        # Boosted orders were bought by the brand: no commission is due on them.
        due = coded[real.kind[coded] != BOOSTED]
        who, stays = self.posts.influencer[real.post[due]], ~real.is_back[due]
        owed = np.rint(real.net_so_far[due] * self.world.influencers.commission[who])
        for total, value in (
            (self.credited, np.ones(len(due))),
            (self.delivered, stays),
            (self.commission, owed),
        ):
            total[:, brand, real.month] += _counted(who, value, panel)


def _counted(codes: Ints, values: Any, number: int) -> Ints:
    """Whole sums by code."""
    return np.rint(np.bincount(codes, values, minlength=number)).astype(np.int64)


def _members(world: World, trials: Trials, people: People) -> Members:
    share = world.settings.experiment.treatment_share
    found = trials.experiment
    place = np.empty(0, np.int64) if found is None else found.members(people)
    number = len(place)
    before, orders, revenue, net, profit = (np.zeros(number, np.int64) for _ in range(5))
    return Members(
        place=place,
        treated=people.is_treated(place, share),
        before=before,
        orders=orders,
        revenue=revenue,
        net=net,
        profit=profit,
        boosted=np.zeros(len(MEASURES), np.int64),
    )
