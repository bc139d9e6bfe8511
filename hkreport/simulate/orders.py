"""How orders are born: one brand and month at a time, so that memory does not grow with their number.

Of each chunk of days it is known which orders came by themselves, which a post caused, which only carry a code,
and which are missing because a post pulled them forward or a city was dark. The exports show less than that.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from hkreport.simulate.people import People
from hkreport.simulate.posts import MINUTES, Posts
from hkreport.simulate.trials import Trials
from hkreport.simulate.world import Flags, Floats, Ints, World

__all__ = ["BOOSTED", "CAUSED", "DISPLACED", "LOST", "ORGANIC", "PAID", "Chunk", "chunks"]

# Why an order exists, or why it does not.
ORGANIC, PAID, CAUSED, BOOSTED = 0, 1, 2, 3
DISPLACED = 4  # an organic order that was pulled forward by a caused one, and is missing now
LOST = 5  # an order that a post would have caused in a city that was dark


@dataclass(frozen=True, slots=True)
class Chunk:
    """Orders of one brand in some days of one month, in order of time; one array entry an order.

    Attributes
    ----------
    brand, month : int
    kind : array of int
        One of the kinds above; displaced and lost orders are at hand for the truth and never exported.
    day, minute : array of int
        Day number, and minute of the day.
    post : array of int
        The post whose code the order carries, or that caused it without one; −1 for neither.
    is_coded : array of bool
        Whether the order carries the influencer's code, and so is credited.
    is_pulled : array of bool
        A caused order whose buyer would have come anyway some weeks later.
    place, generation : array of int
        Who bought.
    is_new : array of bool
        First order of this person.
    product : array of int
    revenue, discount : array of int
        Paise: value with GST before the discount, and the discount.
    is_returned, is_back : array of bool
        Whether the order comes back at all, and whether it is back before the data end.
    net, profit : array of int
        Paise without GST, discount and returns, and the contribution of that, in the end.
    net_so_far, profit_so_far : array of int
        The same as known when the data end.
    """

    brand: int
    month: int
    kind: Ints
    day: Ints
    minute: Ints
    post: Ints
    is_coded: Flags
    is_pulled: Flags
    place: Ints
    generation: Ints
    is_new: Flags
    product: Ints
    revenue: Ints
    discount: Ints
    is_returned: Flags
    is_back: Flags
    net: Ints
    profit: Ints
    net_so_far: Ints
    profit_so_far: Ints

    def __len__(self) -> int:
        return len(self.kind)

    def only(self, chosen: Flags | Ints) -> "Chunk":
        """Some of the orders."""
        kept: dict[str, Any] = {
            field.name: getattr(self, field.name)[chosen] for field in fields(Chunk)[2:]
        }
        return Chunk(brand=self.brand, month=self.month, **kept)

    @property
    def is_exported(self) -> Flags:
        """Whether the order took place."""
        return self.kind < DISPLACED

    @property
    def is_caused(self) -> Flags:
        """Whether a post caused the order."""
        return (self.kind == CAUSED) | (self.kind == BOOSTED)


@dataclass(slots=True)
class _Coming:
    """Orders that posts have set off and that lie ahead: minute since the start, post and more."""

    minute: Ints
    post: Ints
    place: Ints
    is_coded: Flags
    is_pulled: Flags

    @classmethod
    def none(cls) -> "_Coming":
        empty = np.empty(0, np.int64)
        return cls(empty, empty, empty, np.empty(0, bool), np.empty(0, bool))

    def _parts(self) -> tuple[Any, ...]:
        return (self.minute, self.post, self.place, self.is_coded, self.is_pulled)

    def with_more(self, more: "_Coming") -> "_Coming":
        pairs = zip(self._parts(), more._parts(), strict=True)
        return _Coming(*(np.concatenate(pair) for pair in pairs))

    def split(self, day: int) -> tuple["_Coming", "_Coming"]:
        """Those before a day, in order of time, and the rest."""
        now = self.minute < day * MINUTES
        order = np.flatnonzero(now)
        order = order[np.argsort(self.minute[order], kind="stable")]
        return (
            _Coming(*(part[order] for part in self._parts())),
            _Coming(*(part[~now] for part in self._parts())),
        )


@dataclass(slots=True)
class _Brand:
    """What is remembered of a brand from one month to the next."""

    organic: Ints  # orders by day, before those that were pulled forward are taken out
    paid: Ints
    caused: _Coming
    leaked: _Coming  # codes that organic buyers will use
    displaced: Ints  # organic orders that will be missing, by day
    last_generation: Any  # of each place: the last holder who has ordered; −1 for nobody
    posts: Ints  # the brand's posts in order of time
    boosted: Ints


def chunks(world: World, posts: Posts, trials: Trials, people: list[People]) -> Iterator[Chunk]:
    """Give all orders, month by month and within a month brand by brand."""
    states = [_prepared(world, posts, one) for one in people]
    month = world.calendar.month
    for number in range(len(world.calendar.months)):
        days = np.flatnonzero(month == number)
        for brand, state in enumerate(states):
            _set_off(world, posts, trials, people[brand], state, number)
            for first, end in _pieces(world, state, brand, int(days[0]), int(days[-1]) + 1):
                yield _chunk(world, posts, trials, people[brand], state, number, first, end)


def _prepared(world: World, posts: Posts, people: People) -> _Brand:
    brand, demand = people.brand, world.settings.demand
    rng = world.stream("demand", brand)
    level = _level(rng, world.calendar.days, demand.walk_phi, demand.walk_sd)
    mean = world.organic[brand] * world.after_break(brand) * level
    size = demand.dispersion
    mine = np.flatnonzero(posts.brand == brand)
    expected = posts.expected[mine].sum() / world.calendar.days
    usual = world.organic[brand].mean() * (1 + demand.paid_share)
    return _Brand(
        organic=rng.negative_binomial(size, size / (size + mean)),
        paid=rng.poisson(mean * demand.paid_share),
        caused=_Coming.none(),
        leaked=_Coming.none(),
        displaced=np.zeros(world.calendar.days, np.int64),
        last_generation=people.has_ordered_before(float(usual + expected)),
        posts=mine,
        boosted=mine[posts.boosted[mine]],
    )


def _level(rng: np.random.Generator, days: int, phi: float, sd: float) -> Floats:
    """Daily factor around 1 that wanders: exp of an autoregression with the given spread."""
    shocks = rng.normal(0, sd * np.sqrt(1 - phi**2), days)
    walk = np.empty(days)
    last = rng.normal(0, sd)
    for day, shock in enumerate(shocks):  # each day needs the day before
        last = phi * last + shock
        walk[day] = last
    return np.exp(walk - sd**2 / 2)


def _pieces(
    world: World, state: _Brand, brand: int, first: int, end: int
) -> Iterator[tuple[int, int]]:
    """Cut a month into runs of days that fit into one chunk."""
    rows = np.cumsum((state.organic + state.paid)[first:end])
    size = world.settings.large.rows_a_chunk
    numbers = rows // size
    starts = np.unique(numbers, return_index=True)[1] + first
    ends = np.append(starts[1:], end)
    yield from ((int(one), int(other)) for one, other in zip(starts, ends, strict=True))


def _set_off(
    world: World, posts: Posts, trials: Trials, people: People, state: _Brand, month: int
) -> None:
    """Draw what the posts of a month will cause, and whose codes will leak."""
    effects, days = world.settings.effects, world.calendar.days
    rng = world.stream("caused", people.brand, month)
    mine = state.posts[world.calendar.month[posts.day[state.posts]] == month]
    size = effects.post_dispersion
    expected = posts.expected[mine] * rng.gamma(size, 1 / size, len(mine))
    caused = _later(world, rng, posts, mine, rng.poisson(expected))
    caused = _Coming(
        caused.minute,
        caused.post,
        people.drawn(rng, len(caused.minute)),
        rng.random(len(caused.minute)) < effects.tracked,
        rng.random(len(caused.minute)) < effects.pulled_forward,
    )
    low, high = effects.pulled_days
    waits = rng.integers(low, high + 1, len(caused.minute))
    if trials.geo is not None:
        # A lost order pulls nothing forward.
        caused.is_pulled &= ~_is_lost(posts, trials, people, caused)
    missing = (caused.minute // MINUTES + waits)[caused.is_pulled]
    state.displaced += np.bincount(missing[missing < days], minlength=days)
    share = world.influencers.poaching[posts.influencer[mine]]
    leaked = _later(world, rng, posts, mine, rng.poisson(posts.expected[mine] * share))
    state.caused = state.caused.with_more(caused)
    state.leaked = state.leaked.with_more(leaked)


def _later(
    world: World, rng: np.random.Generator, posts: Posts, mine: Ints, number: Ints
) -> _Coming:
    """Spread orders over the days after their posts; drop those after the end of the data."""
    half_life = world.settings.posts.half_life_hours
    hours = world.settings.effects.lag_cut_days * 24
    post = np.repeat(mine, number)
    cut = 1 - 2.0 ** (-hours / half_life)
    lag = -half_life * np.log2(1 - rng.random(len(post)) * cut)
    minute = posts.minute[post] + (lag * 60).astype(np.int64)
    kept = minute < world.calendar.days * MINUTES
    none = np.zeros(int(kept.sum()), np.int64)
    return _Coming(minute[kept], post[kept], none, none.astype(bool), none.astype(bool))


def _is_lost(posts: Posts, trials: Trials, people: People, coming: _Coming) -> Flags:
    """Whether the post of an order was not shown in the buyer's city."""
    geo = trials.geo
    if geo is None or geo.brand != people.brand:
        return np.zeros(len(coming.post), bool)
    day = posts.day[coming.post]
    unseen = (day >= geo.first) & (day < geo.end)
    return unseen & geo.dark[people.city(coming.place)]


def _chunk(
    world: World,
    posts: Posts,
    trials: Trials,
    people: People,
    state: _Brand,
    month: int,
    first: int,
    end: int,
) -> Chunk:
    """All orders of a brand from one day up to another."""
    rng = world.stream("orders", people.brand, month, first)
    now, state.caused = state.caused.split(end)
    leaked, state.leaked = state.leaked.split(end)
    organic = state.organic[first:end]
    total = int(organic.sum())
    displaced = np.minimum(state.displaced[first:end], organic)
    starts = np.concatenate([[0], np.cumsum(organic)[:-1]])
    rank = np.arange(total) - np.repeat(starts, organic)
    kind = np.where(rank < np.repeat(displaced, organic), DISPLACED, ORGANIC)
    day = np.concatenate(
        [
            np.repeat(np.arange(first, end), organic),
            np.repeat(np.arange(first, end), state.paid[first:end]),
            now.minute // MINUTES,
        ]
    )
    number, plain = len(day), len(day) - len(now.minute)
    kind = np.concatenate([kind, np.full(plain - total, PAID), np.full(len(now.minute), CAUSED)])
    place = np.concatenate([people.drawn(rng, plain), now.place])
    minute = np.concatenate([rng.integers(0, MINUTES, plain), now.minute % MINUTES])
    post = np.concatenate([np.full(plain, -1), now.post])
    coded = np.concatenate([np.zeros(plain, bool), now.is_coded])
    pulled = np.concatenate([np.zeros(plain, bool), now.is_pulled])
    row, source, at = _leaks(posts, trials, people, leaked, first, organic, displaced, place)
    post[row], coded[row] = source, True
    minute[row] = at  # so that no code is used before its post
    kind[plain:][_is_lost(posts, trials, people, now)] = LOST
    product = world.products.drawn(people.brand, rng.random(number))
    product[plain:] = posts.product[now.post]
    parts: tuple[Any, ...] = (kind, day, minute, post, coded, pulled, place, product)
    extra = _boosted_orders(
        world, posts, trials, people, state, month, first, day[kind < DISPLACED]
    )
    if extra is not None:
        parts = tuple(np.concatenate(pair) for pair in zip(parts, extra, strict=True))
    return _valued(world, rng, people, state, month, parts)


def _leaks(
    posts: Posts,
    trials: Trials,
    people: People,
    leaked: _Coming,
    first: int,
    organic: Ints,
    displaced: Ints,
    place: Ints,
) -> tuple[Ints, Ints, Ints]:
    """Find organic orders of the same day for the codes that leak, as long as there are some.

    Parameters
    ----------
    organic, displaced : array of int, by day from `first`
        Orders that came by themselves, and how many of them are missing; these stand first.

    Returns
    -------
    row, post, minute : array of int
        Which organic order uses the code of which post, at which minute of the day.
    """
    day = leaked.minute // MINUTES - first
    starts = np.concatenate([[0], np.cumsum(organic)[:-1]])
    begins = np.searchsorted(day, np.arange(len(organic)))
    rank = np.arange(len(day)) - begins[day] + displaced[day]
    fits = rank < organic[day]
    row = starts[day[fits]] + rank[fits]
    post, minute = leaked.post[fits], leaked.minute[fits] % MINUTES
    if trials.geo is None or trials.geo.brand != people.brand:
        return row, post, minute
    # Who was not shown the post has no code of it.
    published = posts.day[post]
    unseen = (published >= trials.geo.first) & (published < trials.geo.end)
    seen = ~(unseen & trials.geo.dark[people.city(place[row])])
    return row[seen], post[seen], minute[seen]


def _boosted_orders(
    world: World,
    posts: Posts,
    trials: Trials,
    people: People,
    state: _Brand,
    month: int,
    first: int,
    others: Ints,
) -> tuple[Any, ...] | None:
    """Orders that boosted posts cause among treated users, in proportion to how often these buy anyway.

    Parameters
    ----------
    others : array of int
        Day numbers of all other orders of the chunk.
    """
    found, brand = trials.experiment, people.brand
    lift = float(world.rules.lift[brand])
    if found is None or not len(state.boosted) or lift == 0:
        return None
    inside = int(((others >= found.first) & (others < found.end)).sum())
    if not inside:
        return None
    rng = world.stream("boost", brand, month, first)
    # Candidates for everyone; those who are not treated members see no boosted post.
    number = int(rng.poisson(lift * inside))
    place = people.drawn(rng, number)
    share = world.settings.experiment.treatment_share
    reached = found.holds(people, place) & people.is_treated(place, share)
    place = place[reached]
    number = len(place)
    days = others[(others >= found.first) & (others < found.end)]
    post = state.boosted[rng.integers(0, len(state.boosted), number)]
    return (
        np.full(number, BOOSTED),
        rng.choice(days, number),
        rng.integers(0, MINUTES, number),
        post,
        rng.random(number) < world.settings.effects.tracked,
        np.zeros(number, bool),
        place,
        posts.product[post],
    )


def _valued(
    world: World,
    rng: np.random.Generator,
    people: People,
    state: _Brand,
    month: int,
    parts: tuple[Any, ...],
) -> Chunk:
    """Give each order its value and its fate, and put all in order of time."""
    order = np.lexsort((parts[2], parts[1]))
    kind, day, minute, post, coded, pulled, place, product = (part[order] for part in parts)
    asked, number = world.settings.orders, len(kind)
    about = world.settings.brands[world.brands[people.brand]]
    rupees = about.basket_median * np.exp(about.basket_sd * rng.standard_normal(number))
    rupees = np.maximum(np.rint(rupees * world.rules.pull[product]), asked.smallest)
    by_cash, comes_back, gets_money_off = rng.random((3, number))
    on_sale = world.calendar.is_sale[day]
    chance = np.where(coded, asked.code_discount_share, asked.sale_discount_share * on_sale)
    depth = np.where(coded, asked.code_discount, asked.sale_discount)
    off = np.where(gets_money_off < chance, np.rint(rupees * depth), 0.0)
    likely = np.where(by_cash < asked.cash_on_delivery, asked.returned_cash, asked.returned_prepaid)
    returned = comes_back < likely
    low, high = asked.return_days
    back = returned & (day + rng.integers(low, high + 1, number) < world.calendar.days)
    kept = np.rint((rupees - off) * 100 / (1 + world.calendar.gst[day])).astype(np.int64)
    profit = np.rint(kept * world.rules.margin[product]).astype(np.int64)
    generation = people.generation(place, day)
    return Chunk(
        brand=people.brand,
        month=month,
        kind=kind,
        day=day,
        minute=minute,
        post=post,
        is_coded=coded,
        is_pulled=pulled,
        place=place,
        generation=generation,
        is_new=_first_orders(state, kind < DISPLACED, place, generation),
        product=product,
        revenue=(rupees * 100).astype(np.int64),
        discount=(off * 100).astype(np.int64),
        is_returned=returned,
        is_back=back,
        net=kept * ~returned,
        profit=profit * ~returned,
        net_so_far=kept * ~back,
        profit_so_far=profit * ~back,
    )


def _first_orders(state: _Brand, exported: Flags, place: Ints, generation: Ints) -> Flags:
    """Whether each order is the first of its buyer; the buyers are remembered."""
    rows = np.flatnonzero(exported)
    who, held = place[rows], generation[rows]
    _, firsts = np.unique(who * 256 + held, return_index=True)
    is_first = np.zeros(len(rows), bool)
    is_first[firsts] = True
    is_new = np.zeros(len(place), bool)
    is_new[rows] = is_first & (state.last_generation[who] < held)
    np.maximum.at(state.last_generation, who, held.astype(np.int8))
    return is_new
