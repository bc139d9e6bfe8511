"""The stage: the calendar, the products, the people, and what the scenario changes about them.

Everything here is small and is made once; posts and orders are made from it.
"""

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hkreport.schema import BASES
from hkreport.simulate.settings import Settings

__all__ = [
    "CITIES",
    "Calendar",
    "Influencers",
    "Products",
    "Rules",
    "World",
    "build",
    "hashed",
    "stream",
]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DAY = datetime.timedelta(days=1)

# Each part draws from a stream of its own, so that a new part leaves the others as they were.
# Numbers are never reused.
PARTS = {
    "influencers": 1,
    "names": 2,
    "demand": 3,
    "posts": 4,
    "response": 5,
    "caused": 6,
    "orders": 7,
    "boost": 8,
    "payouts": 9,
    "trials": 10,
    "touchpoints": 11,
    "dirt": 12,
    "captions": 13,
    "history": 14,
}

# By population, largest first: sizes in the simulation follow Zipf's law by rank.
CITIES = (
    "Mumbai Delhi Bengaluru Hyderabad Ahmedabad Chennai Kolkata Surat Pune Jaipur Lucknow Kanpur Nagpur "
    "Indore Thane Bhopal Visakhapatnam Patna Vadodara Ghaziabad Ludhiana Agra Nashik Faridabad Meerut "
    "Rajkot Varanasi Srinagar Aurangabad Dhanbad Amritsar Prayagraj Ranchi Howrah Coimbatore Jabalpur "
    "Gwalior Vijayawada Jodhpur Kochi Madurai Raipur Kota Guwahati Chandigarh Solapur Mysuru Gurugram "
    "Bareilly Aligarh"
).split()

# Categories of influencers, with the weight that each brand gives them, in the order of the brands.
CATEGORIES = {
    "Fitness": (5.0, 1.5, 0.5),
    "Sports": (2.5, 0.5, 1.0),
    "Nutrition": (1.5, 2.0, 1.5),
    "Wellness": (0.5, 2.5, 0.5),
    "Beauty": (0.2, 2.5, 0.2),
    "Lifestyle": (1.0, 1.5, 1.0),
    "Parenting": (0.1, 0.5, 5.0),
}
PERSONAS = {
    "Fitness": ("Gym coach", "Home trainer"),
    "Sports": ("Athlete", "Runner"),
    "Nutrition": ("Dietitian", "Healthy cook"),
    "Wellness": ("Yoga teacher", "Doctor"),
    "Beauty": ("Skin care expert", "Make-up artist"),
    "Lifestyle": ("Student", "Traveller"),
    "Parenting": ("New mother", "Father of two"),
}
GENDERS = (("Female", 0.50), ("Male", 0.45), ("Other", 0.05))
AGE_GROUPS = (("18-24", 0.30), ("25-34", 0.48), ("35-44", 0.17), ("45+", 0.05))


def stream(seed: int, part: str, *key: int) -> np.random.Generator:
    """Random numbers of one part of the simulation, independent of all other parts.

    Examples
    --------
    >>> int(stream(1, "posts").integers(1000)) == int(stream(1, "posts").integers(1000))
    True
    >>> int(stream(1, "posts", 0).integers(10**9)) == int(stream(1, "posts", 1).integers(10**9))
    False
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(PARTS[part], *key)))


def hashed(values: Ints, *salt: int) -> Floats:
    """Uniform numbers in [0, 1) that belong to the values: the same value gives the same number.

    What is fixed for a person (city, arm, when someone else takes the place) is read off the number of the
    person, so that nothing about millions of people has to be kept.

    Examples
    --------
    >>> people = np.arange(100_000)
    >>> bool(abs(hashed(people, 1).mean() - 0.5) < 0.005)
    True
    >>> bool(abs(np.corrcoef(hashed(people, 1), hashed(people, 2))[0, 1]) < 0.01)
    True
    """
    key = np.uint64(_mixed_number(salt))
    mixed = values.astype(np.uint64) + key
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed_number(salt: tuple[int, ...]) -> int:
    """One 64-bit number from several."""
    return int(np.random.SeedSequence(list(salt)).generate_state(1, np.uint64)[0])


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of the data, and the demand that the date alone brings.

    Attributes
    ----------
    start : date
        First day.
    days : int
        Number of days; day numbers below count from 0.
    season : array of float, shape (days,)
        Smooth factor of the time of the year.
    demand : array of float, shape (days,)
        Weekday × season × festival × sale.
    occasion : array of float, shape (days,)
        Season × festival × sale, without the weekday.
    is_sale : array of bool, shape (days,)
    gst : array of float, shape (days,)
        Tax rate of the day.
    month : array of int, shape (days,)
        Number of the calendar month, 0 for the first one.
    months : tuple of str
        Names of the months, ``2025-06``.
    """

    start: datetime.date
    days: int
    season: Floats
    demand: Floats
    occasion: Floats
    is_sale: Flags
    gst: Floats
    month: Ints
    months: tuple[str, ...]

    def date(self, day: int) -> datetime.date:
        """Date of a day number."""
        return self.start + day * DAY

    def dates(self, days: Ints) -> NDArray[np.datetime64]:
        """Dates of day numbers."""
        return np.datetime64(self.start, "D") + days.astype("timedelta64[D]")

    def number(self, day: datetime.date) -> int:
        """Day number of a date; below 0 before the first day."""
        return (day - self.start).days


def calendar(settings: Settings, start: datetime.date, days: int) -> Calendar:
    """Work out demand and tax for each day.

    Examples
    --------
    >>> from hkreport.simulate.settings import load
    >>> made = calendar(load(), datetime.date(2025, 10, 1), 31)
    >>> [made.date(int(day)).day for day in np.flatnonzero(made.occasion > 1.3)][::11]
    [10, 21]
    """
    demand = settings.demand
    dates = pd.DatetimeIndex(np.datetime64(start, "D") + np.arange(days))
    phase = 2 * np.pi * (dates.day_of_year.to_numpy() - demand.season_peak) / 365
    season = 1 + demand.season_height * np.cos(phase)
    festival, sale = np.zeros(days, bool), np.zeros(days, bool)
    for first, last in _festivals(settings, start, days):
        festival[max(first, 0) : max(last + 1, 0)] = True
    for first, last in _sales(settings, start, days):
        sale[max(first, 0) : max(last + 1, 0)] = True
    occasion = season * np.where(festival, demand.festival, 1.0) * np.where(sale, demand.sale, 1.0)
    month = (dates.year.to_numpy() - start.year) * 12 + dates.month.to_numpy() - start.month
    _, first_of_month = np.unique(month, return_index=True)
    return Calendar(
        start=start,
        days=days,
        season=season,
        demand=occasion * np.asarray(demand.weekday)[dates.day_of_week.to_numpy()],
        occasion=occasion,
        is_sale=sale,
        gst=_gst(settings, start, days),
        month=month.astype(np.int64),
        months=tuple(str(dates[day])[:7] for day in first_of_month),
    )


def _gst(settings: Settings, start: datetime.date, days: int) -> Floats:
    rates = sorted(settings.orders.gst.items())
    rate = np.full(days, rates[0][1])
    for since, value in rates:
        rate[max((since - start).days, 0) :] = value
    return rate


def _holidays(start: datetime.date, days: int, name: str) -> list[int]:
    """Day numbers of an Indian holiday in the years around the data."""
    import holidays  # here, so that settings and names can be read without it

    # The package knows the moving ones for these years only. The language is named because it
    # would otherwise follow the machine's.
    years = range(max(start.year - 1, 2001), min((start + days * DAY).year + 2, 2036))
    known = holidays.country_holidays("IN", years=years, language="en_US")
    return [(day - start).days for day in sorted(known.get_named(name, lookup="exact"))]


def _festivals(settings: Settings, start: datetime.date, days: int) -> list[tuple[int, int]]:
    """First and last day number of each festival season."""
    demand = settings.demand
    return [
        (day - demand.festival_before, day + demand.festival_after)
        for day in _holidays(start, days, "Diwali")
    ]


def _sales(settings: Settings, start: datetime.date, days: int) -> list[tuple[int, int]]:
    """First and last day number of each sale."""
    demand = settings.demand
    found = [
        (day - demand.sale_length + 1, day)
        for name in demand.sale_holidays
        for day in _holidays(start, days, name)
    ]
    for year in range(start.year, (start + days * DAY).year + 1):
        for text in demand.sale_dates:
            day = (datetime.date.fromisoformat(f"{year:04d}-{text}") - start).days
            found.append((day, day))
    return found


@dataclass(frozen=True, slots=True)
class Rules:
    """The factors of the scenario in force: what a report may find, and what it must not.

    Attributes
    ----------
    orders_a_reach, elasticity, cpm : array of float, by platform
    tier : array of float, by tier
    appeal, margin, pull : array of float, by product
        Factor on the orders of a post, contribution share, factor on the basket.
    smallest_fee : float
        Rupees.
    lift : array of float, by brand
        True lift of the boosted posts.
    boosted : bool
        Whether posts are boosted at all.
    cluster_lift : float
    poaching : tuple of float
    """

    orders_a_reach: Floats
    elasticity: Floats
    cpm: Floats
    tier: Floats
    appeal: Floats
    margin: Floats
    pull: Floats
    smallest_fee: float
    lift: Floats
    boosted: bool
    cluster_lift: float
    poaching: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Products:
    """All products of all brands, brand after brand.

    Attributes
    ----------
    name, category : tuple of str
    brand : array of int
    price : array of float
        Rupees, GST included.
    share : array of float
        Share of the brand's orders; adds up to 1 in each brand.
    first : array of int, shape (brands + 1,)
        Where the products of each brand start.
    """

    name: tuple[str, ...]
    category: tuple[str, ...]
    brand: Ints
    price: Floats
    share: Floats
    first: Ints

    def drawn(self, brand: int, uniform: Floats) -> Ints:
        """Products of a brand, by their shares."""
        first, last = int(self.first[brand]), int(self.first[brand + 1])
        edges = np.cumsum(self.share[first:last])[:-1]
        return np.searchsorted(edges, uniform, side="right") + first


@dataclass(frozen=True, slots=True)
class Influencers:
    """The panel; all arrays have one entry an influencer.

    Attributes
    ----------
    table : DataFrame
        As exported, canonical columns.
    platform, tier, main_brand, basis : array of int
        Codes in the order of the settings.
    followers : array of float
    quality : array of float
        True λ: how many orders a post causes for its reach, 1 on average.
    poaching : array of float
        Organic buyers who use the code, as a share of the caused orders.
    fee_factor : array of float
        What the influencer negotiated: 1 is the usual price.
    order_rate, commission : array of float
        Rupees an order, or share of net revenue; the other one is 0.
    brand_known : array of bool
        Whether payout rows name the brand.
    planted : array of bool
        Poor on purpose.
    """

    table: pd.DataFrame
    platform: Ints
    tier: Ints
    main_brand: Ints
    basis: Ints
    followers: Floats
    quality: Floats
    poaching: Floats
    fee_factor: Floats
    order_rate: Floats
    commission: Floats
    brand_known: Flags
    planted: Flags

    def __len__(self) -> int:
        return len(self.platform)


@dataclass(frozen=True, slots=True)
class World:
    """The stage, complete.

    Attributes
    ----------
    settings : Settings
    seed : int
    scale : float
    scenario : str
    calendar : Calendar
    rules : Rules
    products : Products
    influencers : Influencers
    brands, platforms, tiers : tuple of str
    thinning : float
        Orders of a post, relative to full size; 1 except in a small data set, which keeps its panel.
    organic : array of float, shape (brands, days)
        Expected organic orders, without the daily level.
    people : array of int, by brand
        Number of places for people who may buy.
    break_day : int or None
        First day of the planted fall in orders.
    planted_products : tuple of int
        Products with planted appeal.
    """

    settings: Settings
    seed: int
    scale: float
    scenario: str
    calendar: Calendar
    rules: Rules
    products: Products
    influencers: Influencers
    brands: tuple[str, ...]
    platforms: tuple[str, ...]
    tiers: tuple[str, ...]
    thinning: float
    organic: Floats
    people: Ints
    break_day: int | None
    planted_products: tuple[int, ...]

    def stream(self, part: str, *key: int) -> np.random.Generator:
        """Random numbers of one part; see :func:`stream`."""
        return stream(self.seed, part, *key)

    def planned_reach(self, influencer: Ints) -> Floats:
        """Expected reach of a post of these influencers, people."""
        posts = self.settings.posts
        followers = self.influencers.followers[influencer]
        share = posts.reach_share * (followers / 10_000) ** posts.reach_power
        return followers * share * self.thinning**self.settings.small.reach_power

    @property
    def conversion_thinning(self) -> float:
        """What is left of κ and of the fee for a reach in a small data set."""
        return float(self.thinning ** (1 - self.settings.small.reach_power))

    def after_break(self, brand: int) -> Floats:
        """Factor of the planted fall in orders, by day; 1 everywhere else."""
        factor = np.ones(self.calendar.days)
        planted = self.settings.scenarios.planted
        if self.break_day is not None and self.brands[brand] == planted.break_brand:
            factor[self.break_day :] = planted.break_factor
        return factor


def build(
    settings: Settings, *, seed: int, scale: float, scenario: str, start: datetime.date, days: int
) -> World:
    """Make the stage of a simulation."""
    brands = tuple(settings.brands)
    products = _products(settings)
    planted = (
        tuple(int(products.first[brand]) + 2 for brand in range(len(brands)))
        if scenario == "planted"
        else ()
    )
    rules = _rules(settings, scenario, products, planted)
    full_size = settings.influencers.number * scale
    number = round(full_size) if scale >= 1 else settings.small.influencers
    made = calendar(settings, start, days)
    bases = np.array([brand.organic_orders_a_day for brand in settings.brands.values()])
    users = np.array([brand.users for brand in settings.brands.values()])
    return World(
        settings=settings,
        seed=seed,
        scale=scale,
        scenario=scenario,
        calendar=made,
        rules=rules,
        products=products,
        influencers=_influencers(settings, seed, number, scenario, rules),
        brands=brands,
        platforms=tuple(settings.platforms),
        tiers=tuple(settings.influencers.tiers),
        thinning=full_size / number,
        organic=scale * bases[:, None] * made.demand[None, :],
        people=np.maximum(np.rint(users * scale), 100).astype(np.int64),
        break_day=_break_day(settings, made) if scenario == "planted" else None,
        planted_products=planted,
    )


def _break_day(settings: Settings, made: Calendar) -> int | None:
    """Monday of the planted week in the last year, if the data reach it."""
    year = made.date(made.days - 1).year
    week = settings.scenarios.planted.break_week
    day = made.number(datetime.date.fromisocalendar(year, week, 1))
    return day if 0 < day < made.days else None


def _products(settings: Settings) -> Products:
    rows = [
        (index, product)
        for index, brand in enumerate(settings.brands)
        for product in settings.products[brand]
    ]
    brand = np.array([index for index, _ in rows])
    share = np.array([product.share for _, product in rows])
    share = share / np.bincount(brand, share)[brand]
    return Products(
        name=tuple(product.name for _, product in rows),
        category=tuple(product.category for _, product in rows),
        brand=brand,
        price=np.array([product.price for _, product in rows]),
        share=share,
        first=np.searchsorted(brand, np.arange(len(settings.brands) + 1)),
    )


def _rules(
    settings: Settings, scenario: str, products: Products, planted_products: tuple[int, ...]
) -> Rules:
    """Factors by platform, tier and product; all equal where the scenario says that nothing differs."""
    platforms = list(settings.platforms.values())
    weights = np.array([platform.share for platform in platforms])
    weights = weights / weights.sum()
    kappa = np.array([platform.orders_a_reach for platform in platforms])
    beta = np.array([platform.elasticity for platform in platforms])
    cpm = np.array([float(platform.cpm) for platform in platforms])
    tier = np.array([settings.effects.tier[name] for name in settings.influencers.tiers])
    listed = [product for brand in settings.brands for product in settings.products[brand]]
    appeal = _centred(np.array([product.appeal for product in listed]), products)
    margins = np.array([brand.margin for brand in settings.brands.values()])[products.brand]
    offset = np.array([product.margin for product in listed])
    offset = offset - np.bincount(products.brand, products.share * offset)[products.brand]
    pull = _centred(products.price**settings.orders.price_pull, products)
    fee = settings.payouts.smallest_fee
    if scenario in ("null", "planted"):
        # An elasticity below 1 would favour cells with steady posting, and a smallest fee would
        # make small accounts dear: with everything equal, no group may stand out.
        kappa = np.full_like(kappa, weights @ kappa)
        cpm = np.full_like(cpm, weights @ cpm)
        beta, tier, appeal, pull = map(np.ones_like, (beta, tier, appeal, pull))
        offset, fee = np.zeros_like(offset), 0.0
    if scenario == "planted":
        planted = settings.scenarios.planted
        tier[list(settings.influencers.tiers).index(planted.tier)] *= planted.tier_factor
        kappa[list(settings.platforms).index(planted.platform)] *= planted.platform_factor
        appeal[list(planted_products)] *= planted.product_factor
    lift = np.array([brand.experiment_lift for brand in settings.brands.values()])
    without_lift = scenario in ("null", "aa")
    return Rules(
        orders_a_reach=kappa,
        elasticity=beta,
        cpm=cpm,
        tier=tier,
        appeal=appeal,
        margin=np.clip(margins + offset, 0.0, 1.0),
        pull=pull,
        smallest_fee=fee,
        lift=np.zeros_like(lift) if without_lift else lift,
        boosted=scenario != "aa",
        cluster_lift=0.0 if without_lift else settings.clusters.lift,
        poaching=settings.scenarios.leaky.poaching
        if scenario == "leaky"
        else settings.effects.poaching,
    )


def _centred(values: Floats, products: Products) -> Floats:
    """Scale so that the mean over a brand's orders is 1."""
    return values / np.bincount(products.brand, products.share * values)[products.brand]


def _quota(rng: np.random.Generator, number: int, shares: list[float]) -> Ints:
    """Codes in the given shares, rounded by largest remainder, in random order.

    Drawn one by one, a panel of 300 would have anything between 3 and 16 mega influencers.
    """
    exact = np.array(shares) / sum(shares) * number
    counts = np.floor(exact).astype(np.int64)
    most = np.argsort(counts - exact, kind="stable")[: number - int(counts.sum())]
    counts[most] += 1
    return rng.permutation(np.repeat(np.arange(len(shares)), counts))


def _influencers(
    settings: Settings, seed: int, number: int, scenario: str, rules: Rules
) -> Influencers:
    rng = stream(seed, "influencers")
    panel, paid = settings.influencers, settings.payouts
    tiers = list(panel.tiers.values())
    tier = _quota(rng, number, [each.share for each in tiers])
    platform = _quota(rng, number, [each.share for each in settings.platforms.values()])
    main_brand = _quota(rng, number, [each.main_influencers for each in settings.brands.values()])
    basis = _quota(rng, number, [paid.basis[name] for name in BASES])
    low, high = (np.log([each.followers[end] for each in tiers])[tier] for end in (0, 1))
    # The upper end belongs to the next tier, so stay one follower below it.
    followers = np.minimum(np.rint(np.exp(rng.uniform(low, high))), np.rint(np.exp(high)) - 1)
    quality = np.exp(rng.normal(panel.quality_mean, panel.quality_sd, number))
    poaching = rng.uniform(*rules.poaching, number)
    fee_factor = np.exp(rng.normal(0, paid.fee_sd, number))
    on_commission = rng.random(number) < paid.commission_share
    order_rate = np.rint(rng.uniform(*paid.order_rate, number))
    commission = np.round(rng.uniform(*paid.commission, number), 3)
    brand_known = rng.random(number) < paid.brand_known
    planted = np.zeros(number, bool)
    if scenario == "planted":
        # Poor influencers that anyone would look at: paid by post, on the platform most used.
        able = np.flatnonzero((basis == 0) & (platform == 0) & (followers >= 10_000))
        planted[able[: settings.scenarios.planted.poor_influencers]] = True
        quality[planted] = settings.scenarios.planted.poor_quality
    return Influencers(
        table=_influencer_table(settings, seed, platform, tier, main_brand, followers),
        platform=platform,
        tier=tier,
        main_brand=main_brand,
        basis=basis,
        followers=followers,
        quality=quality,
        poaching=poaching,
        fee_factor=fee_factor,
        order_rate=np.where(on_commission, 0.0, order_rate),
        commission=np.where(on_commission, commission, 0.0),
        brand_known=brand_known,
        planted=planted,
    )


def _influencer_table(
    settings: Settings, seed: int, platform: Ints, tier: Ints, main_brand: Ints, followers: Floats
) -> pd.DataFrame:
    """What the export says about each influencer: names, places and habits, none of which cause orders."""
    rng = stream(seed, "names")
    number = len(platform)
    category = np.empty(number, dtype=np.int64)
    for brand in range(len(settings.brands)):
        weights = np.array([weight[brand % 3] for weight in CATEGORIES.values()])
        mine = np.flatnonzero(main_brand == brand)
        category[mine] = rng.choice(len(CATEGORIES), len(mine), p=weights / weights.sum())
    gender = _drawn(rng, number, GENDERS)
    age = _drawn(rng, number, AGE_GROUPS)
    persona = rng.integers(0, 2, number)
    names = np.array(list(CATEGORIES))[category]
    cities = np.minimum(rng.geometric(0.08, number) - 1, len(CITIES) - 1)
    posts = settings.posts
    engagement = posts.engagement * np.exp(rng.normal(0, posts.engagement_sd, number))
    conversion = 0.01 * np.exp(rng.normal(0, 0.3, number))
    width = max(4, len(str(number)))
    return pd.DataFrame(
        {
            "influencer_id": [f"INF_{index:0{width}d}" for index in range(1, number + 1)],
            "name": _names(seed, rng, gender),
            "platform": np.array(list(settings.platforms))[platform],
            "category": names,
            "gender": gender,
            "follower_count": followers.astype(np.int64),
            "tier": np.array(list(settings.influencers.tiers))[tier],
            "persona": [PERSONAS[name][which] for name, which in zip(names, persona, strict=True)],
            "city": np.array(CITIES)[cities],
            "age_group": age,
            "engagement_rate_baseline": np.round(engagement, 4),
            "conversion_rate_baseline": np.round(conversion, 4),
        }
    )


def _drawn(
    rng: np.random.Generator, number: int, options: tuple[tuple[str, float], ...]
) -> NDArray[Any]:
    labels, weights = zip(*options, strict=True)
    return np.array(labels)[rng.choice(len(labels), number, p=weights)]


def _names(seed: int, rng: np.random.Generator, gender: NDArray[Any]) -> list[str]:
    """Indian names; they repeat now and then, as real ones do."""
    from faker import Faker  # here, because it takes longer to import than to use

    fake = Faker("en_IN")
    fake.seed_instance(seed)
    female = [fake.first_name_female() for _ in range(300)]
    male = [fake.first_name_male() for _ in range(300)]
    last = [fake.last_name() for _ in range(400)]
    number = len(gender)
    first, family, coin = (
        rng.integers(0, 300, number),
        rng.integers(0, 400, number),
        rng.random(number),
    )
    is_female = np.where(gender == "Other", coin < 0.5, gender == "Female")
    return [
        f"{(female if woman else male)[one]} {last[other]}"
        for woman, one, other in zip(is_female, first, family, strict=True)
    ]


def frailty_table(shape: float) -> tuple[Floats, Floats]:
    """Buying rate by rank: the Gamma distribution with mean 1, as a table to interpolate in.

    Returns
    -------
    rates, ranks : array of float
        Rates in rising order, and the share of people who buy more often.

    Notes
    -----
    With t = rate^shape the density is proportional to exp(−shape × t^(1/shape)), which is smooth, so that
    the trapezoid rule is exact enough for any shape.

    Examples
    --------
    >>> import math
    >>> rates, ranks = frailty_table(0.5)  # chi-squared with one degree of freedom
    >>> bool(abs(np.interp(1.0, rates, ranks) - math.erfc(math.sqrt(0.5))) < 1e-6)
    True
    """
    top = (60.0 / shape) ** shape  # beyond it, less than 1e-26 of the people
    grid = np.linspace(0.0, top, 20_001)
    density = np.exp(-shape * grid ** (1 / shape))
    steps = (density[1:] + density[:-1]) / 2
    below = np.concatenate([[0.0], np.cumsum(steps)])
    return grid ** (1 / shape), 1 - below / below[-1]
