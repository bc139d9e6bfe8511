"""Orders and touches as exports show them: less than is known, and no word on what was caused."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from hkreport.simulate.orders import Chunk
from hkreport.simulate.people import People, user_ids
from hkreport.simulate.posts import MINUTES, Posts, influencer_ids, numbered, taken
from hkreport.simulate.tally import SOURCES, source_codes
from hkreport.simulate.trials import city_names
from hkreport.simulate.world import Flags, Ints, World

__all__ = ["Touchlog", "products", "tracking"]

SOURCE_WORDS = ("organic", "influencer", "paid", "paid")
assert len(SOURCE_WORDS) == len(SOURCES)


def tracking(
    world: World, posts: Posts, people: list[People], chunk: Chunk, first_row: int
) -> pa.Table:
    """Rows of the tracking export for the orders of a chunk that took place."""
    real = chunk.only(chunk.is_exported)
    number, one = len(real), people[real.brand]
    post = np.maximum(real.post, 0)
    coded = real.is_coded
    who = np.where(coded, posts.influencer[post], -1) if len(posts) else np.full(number, -1)
    platform = np.where(coded, world.influencers.platform[who], -1)
    campaign = np.where(coded, posts.campaign[post], -1) if len(posts) else who
    paid = real.revenue - real.discount
    return pa.table(
        {
            "tracking_id": numbered("T", np.arange(first_row, first_row + number) + 10**7),
            "date": pa.array(world.calendar.dates(real.day)),
            "source": taken(SOURCE_WORDS, source_codes(real)),
            "campaign": _where_known(posts.campaigns, campaign),
            "influencer_id": influencer_ids(world, who),
            "platform": _where_known(world.platforms, platform),
            "user_id": user_ids(one.numbers(real.place, real.generation), people),
            "city": taken(city_names(world), one.city(real.place)),
            "brand": pa.repeat(pa.scalar(world.brands[real.brand]), number),
            "product": taken(world.products.name, real.product),
            "orders": pa.array(np.ones(number, np.int64)),
            "revenue": pa.array(real.revenue / 100),
            "discount": pa.array(real.discount / 100),
            "returns": pa.array(paid * real.is_back / 100),
            "profit": pa.array(real.profit_so_far / 100),
            "is_new_customer": pa.array(real.is_new),
        }
    )


def _where_known(names: tuple[str, ...], codes: Ints) -> pa.Array:
    """Text for codes; nothing for a negative one."""
    return pa.array(list(names), pa.string()).take(pa.array(codes, mask=codes < 0))


def products(world: World) -> pa.Table:
    """The product list; the margin is a share of net revenue, as is usual."""
    found = world.products
    return pa.table(
        {
            "product": pa.array(found.name),
            "brand": taken(world.brands, found.brand),
            "product_category": pa.array(found.category),
            "price": pa.array(found.price),
            "margin": pa.array(np.round(world.rules.margin, 4)),
        }
    )


class Touchlog:
    """Views and clicks of the last months: of buyers, and of a sample of people who did not buy.

    Parameters
    ----------
    world : World
    posts : Posts
    people : list of People

    Attributes
    ----------
    buyers, non_buyers, touches : int
        How many are in the log so far.
    """

    def __init__(self, world: World, posts: Posts, people: list[People]) -> None:
        self.world, self.posts, self.people = world, posts, people
        self.first_day = max(world.calendar.days - world.settings.touchpoints.days, 0)
        self.buyers = self.non_buyers = self.touches = 0
        self._of_brand = [np.flatnonzero(posts.brand == brand) for brand in range(len(people))]
        self._reach = [
            np.concatenate([[0.0], np.cumsum(posts.reach[mine])]) for mine in self._of_brand
        ]
        last = people[-1]
        self._next_visitor = last.first_number + last.generations * last.places

    def add(self, chunk: Chunk) -> Iterator[pa.Table]:
        """Rows of the log for the orders of a chunk; at first none, so that the file has its header."""
        if not self.touches:
            none = np.empty(0, np.int64)
            yield self._table(none, none, none, none.astype(bool))
        if not len(chunk) or chunk.day[-1] < self.first_day or not len(self.posts):
            return
        rng = self.world.stream("touchpoints", chunk.brand, chunk.month, int(chunk.day[0]))
        # A boosted post is shown again and again, so its orders have a touch like all others.
        rows = np.flatnonzero(chunk.is_exported & (chunk.post >= 0) & (chunk.day >= self.first_day))
        bought = chunk.day[rows] * MINUTES + chunk.minute[rows]
        person = self.people[chunk.brand].numbers(chunk.place[rows], chunk.generation[rows])
        yield self._paths(rng, chunk.brand, person, bought, chunk.post[rows], chunk.is_coded[rows])
        self.buyers += len(rows)
        number = round(len(rows) * self.world.settings.touchpoints.non_buyers)
        days = rng.integers(max(int(chunk.day[0]), self.first_day), int(chunk.day[-1]) + 1, number)
        seen = days * MINUTES + rng.integers(0, MINUTES, number)
        post = self._seen_before(rng, chunk.brand, seen)
        found = np.flatnonzero(post >= 0)
        visitor = self._next_visitor + np.arange(len(found))
        self._next_visitor += len(found)
        self.non_buyers += len(found)
        clicked = rng.random(len(found)) < self.world.settings.touchpoints.click_share
        yield self._paths(rng, chunk.brand, visitor, seen[found], post[found], clicked)

    def _paths(
        self,
        rng: np.random.Generator,
        brand: int,
        person: Ints,
        end: Ints,
        last_post: Ints,
        last_is_click: Flags,
    ) -> pa.Table:
        """One path a person: the last touch, and for some of them others before it."""
        asked, posts = self.world.settings.touchpoints, self.posts
        number = len(person)
        several = rng.random(number) < asked.several
        extra = np.where(several, 1 + rng.poisson(asked.extra, number), 0)
        owner = np.repeat(np.arange(number), extra)
        post = self._seen_before(rng, brand, end[owner])
        owner, post = owner[post >= 0], post[post >= 0]
        who = np.concatenate([np.arange(number), owner])
        which = np.concatenate([last_post, post])
        # Touches lie between the post and the order; the last one is near the order.
        room = end[who] - posts.minute[which]
        uniform = rng.random(len(who))
        share = np.where(np.arange(len(who)) < number, uniform**8, uniform)
        minute = end[who] - np.floor(share * room).astype(np.int64)
        clicked = rng.random(len(who)) < asked.click_share
        clicked[:number] = last_is_click
        order = np.lexsort((which, minute, person[who]))
        self.touches += len(order)
        return self._table(person[who][order], minute[order], which[order], clicked[order])

    def _seen_before(self, rng: np.random.Generator, brand: int, minute: Ints) -> Ints:
        """A post of the brand in the two weeks before, in proportion to reach; −1 where there is none."""
        mine, reach = self._of_brand[brand], self._reach[brand]
        times = self.posts.minute[mine]
        window = self.world.settings.effects.lag_cut_days * MINUTES
        low = np.searchsorted(times, minute - window)
        high = np.searchsorted(times, minute)
        target = reach[low] + rng.random(len(minute)) * (reach[high] - reach[low])
        found = np.clip(np.searchsorted(reach, target, side="right") - 1, low, high - 1)
        none = np.full(len(minute), -1)
        return np.where(high > low, mine[np.maximum(found, 0)], none) if len(mine) else none

    def _table(self, person: Ints, minute: Ints, post: Ints, clicked: Flags) -> pa.Table:
        start = np.datetime64(self.world.calendar.start, "s")
        return pa.table(
            {
                "user_id": user_ids(person, self.people),
                "timestamp": pa.array(start + (minute * 60).astype("timedelta64[s]")),
                "influencer_id": influencer_ids(self.world, self.posts.influencer[post]),
                "post_id": numbered("P", post),
                "platform": taken(self.world.platforms, self.posts.platform[post]),
                "touch": taken(("view", "click"), clicked.astype(np.int64)),
            }
        )

    def truth(self) -> dict[str, Any]:
        """What a path stands for: everyone who saw a post in that time, and the share in the log."""
        days = self.posts.day >= self.first_day
        reached = float(self.posts.reach[days].sum())
        weight = (reached - self.buyers) / self.non_buyers if self.non_buyers else None
        return {
            "first_day": str(self.world.calendar.date(self.first_day)),
            "buyers": self.buyers,
            "non_buyers": self.non_buyers,
            "touches": self.touches,
            "weight_of_non_buyers": weight if weight is None else round(max(weight, 1.0), 2),
        }
