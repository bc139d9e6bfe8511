"""What is published: when, by whom, for which product, how far it reaches and what it is expected to sell."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hkreport.simulate.trials import Trials
from hkreport.simulate.world import Flags, Floats, Ints, World

__all__ = ["MINUTES", "Posts", "earlier_table", "fees", "numbered", "publish", "tables"]

MINUTES = 24 * 60  # a day

ROWS_A_PIECE = 100_000  # of the posts table, made at a time

# Campaigns of a brand in a quarter: the part of the name that differs, and its kind.
THEMES = {
    "MuscleBlaze": (
        ("ProteinPush", "Always on"),
        ("NewLaunch", "Launch"),
        ("GymSeason", "Seasonal"),
        ("AthleteStories", "Awareness"),
    ),
    "HKVitals": (
        ("GlowUp", "Always on"),
        ("NewLaunch", "Launch"),
        ("DailyWellness", "Seasonal"),
        ("DoctorTalks", "Awareness"),
    ),
    "Gritzo": (
        ("GrowTall", "Always on"),
        ("NewLaunch", "Launch"),
        ("SchoolSeason", "Seasonal"),
        ("MomsTrust", "Awareness"),
    ),
}
OTHER_THEMES = (
    ("AlwaysOn", "Always on"),
    ("NewLaunch", "Launch"),
    ("Season", "Seasonal"),
    ("Stories", "Awareness"),
)

# Formats by platform, with their shares; those in VIDEOS have views.
FORMATS = {
    "Instagram": (("Reel", 0.6), ("Post", 0.25), ("Story", 0.15)),
    "YouTube": (("Video", 0.6), ("Short", 0.4)),
    "Twitter": (("Tweet", 0.8), ("Thread", 0.2)),
    "TikTok": (("Video", 1.0),),
}
OTHER_FORMATS = (("Post", 1.0),)
VIDEOS = ("Reel", "Story", "Video", "Short")

CAPTIONS = (
    "{product} for six weeks now #{tag} #ad",
    "Honest review: {product} 💪 #{tag} #ad",
    "Unboxing {product}, code in bio #{tag}",
    "Is {product} worth it? #{tag} #collab",
    "Morning routine ft. {product} ☀️ #{tag}",
    "What I eat in a day, with {product} #{tag}",
    "3 mistakes with {product} #{tag} #ad",
    "Giveaway: {product} 🎁 #{tag} #collab",
    "My doctor asked what changed #{tag} #ad",
    "Use my code for {product} #{tag} #ad",
)


@dataclass(frozen=True, slots=True)
class Posts:
    """All posts, in order of time; arrays have one entry a post.

    Attributes
    ----------
    influencer, brand, product, platform, format, campaign : array of int
        Codes; `platform` is where the post is, not the influencer's own.
    minute : array of int
        Minutes since the first day began, IST.
    planned, reach : array of float
        People, expected and true.
    expected : array of float
        Orders that the post is expected to cause.
    typical : array of float
        The same for an influencer of quality 1, whom a target is made for.
    engagements : array of float
        Likes and comments in the end.
    fee : array of int
        What it costs on post basis, in paise; what is paid depends on the influencer's basis.
    boosted : array of bool
        Whether the experiment's treatment arm is shown it again, for money.
    campaigns, campaign_types : tuple of str
        What the campaign codes stand for.
    cell_reach : array of float, shape (brands, platforms, tiers, weeks)
        Planned reach.
    """

    influencer: Ints
    brand: Ints
    product: Ints
    platform: Ints
    format: Ints
    campaign: Ints
    minute: Ints
    planned: Floats
    reach: Floats
    expected: Floats
    typical: Floats
    engagements: Floats
    fee: Ints
    boosted: Flags
    campaigns: tuple[str, ...]
    campaign_types: tuple[str, ...]
    cell_reach: Floats

    def __len__(self) -> int:
        return len(self.influencer)

    @property
    def day(self) -> Ints:
        """Day number."""
        return self.minute // MINUTES

    def between(self, first: int, end: int) -> "Posts":
        """Some of the posts; what belongs to all of them stays."""
        parts: dict[str, Any] = {
            name: value[first:end]
            for name, value in ((field.name, getattr(self, field.name)) for field in fields(Posts))
            if isinstance(value, np.ndarray) and value.ndim == 1
        }
        return replace(self, **parts)


def publish(world: World, trials: Trials) -> Posts:
    """Make all posts and what they are expected to sell."""
    rng = world.stream("posts")
    settings, panel = world.settings, world.influencers
    asked = settings.posts
    by_day = asked.a_month * 12 / 365.25 * _posting(world)
    number = int(rng.poisson(len(panel) * by_day.sum()))
    day = np.searchsorted(np.cumsum(by_day)[:-1], rng.random(number) * by_day.sum(), side="right")
    minute = day * MINUTES + rng.integers(asked.hours[0] * 60, asked.hours[1] * 60, number)
    minute.sort()
    day = minute // MINUTES
    influencer = rng.integers(0, len(panel), number)
    brand = _brands(world, rng, panel.main_brand[influencer])
    uniform = rng.random(number)
    product = np.empty(number, np.int64)
    for each in range(len(world.brands)):
        mine = brand == each
        product[mine] = world.products.drawn(each, uniform[mine])
    platform = _platforms(world, rng, panel.platform[influencer])
    planned = world.planned_reach(influencer)
    reach = planned * np.exp(rng.normal(asked.reach_mean, asked.reach_sd, number))
    reach = np.maximum(np.rint(reach), 1.0)
    engagements = reach * asked.engagement * np.exp(rng.normal(0, asked.engagement_sd, number))
    campaign, names, kinds = _campaigns(world, rng, trials, brand, day)
    boosted = np.zeros(number, bool)
    if trials.experiment is not None and world.rules.boosted:
        campaign, names, kinds, boosted = _boost(
            world, trials, brand, day, influencer, campaign, names, kinds
        )
    tier = panel.tier[influencer]
    cell_reach, concavity = _concavity(world, brand, platform, tier, day, planned)
    rules = world.rules
    typical = (
        settings.effects.level
        * rules.orders_a_reach[platform]
        * world.conversion_thinning
        * reach
        * rules.tier[tier]
        * rules.appeal[product]
        * concavity
    )
    expected = typical * panel.quality[influencer] * _fatigue(world, influencer, day)
    for each in range(len(world.brands)):
        mine = brand == each
        expected[mine] *= world.after_break(each)[day[mine]]
    if trials.clusters is not None:
        expected *= _brief(world, trials, brand, day, campaign, names)
    return Posts(
        influencer=influencer,
        brand=brand,
        product=product,
        platform=platform,
        format=_formats(world, rng, platform),
        campaign=campaign,
        minute=minute,
        planned=planned,
        reach=reach,
        expected=expected,
        typical=typical,
        engagements=engagements,
        fee=fees(world, influencer, world.calendar.month[day]),
        boosted=boosted,
        campaigns=names,
        campaign_types=kinds,
        cell_reach=cell_reach,
    )


def _posting(world: World) -> Floats:
    """Factor on the number of posts, by day."""
    made = world.calendar
    if world.scenario != "confounded":
        return made.season
    return _following(world)


def _following(world: World) -> Floats:
    """Demand to a power, 1 on average: money that follows the season."""
    power = world.settings.scenarios.confounded.fee_power
    followed = world.calendar.occasion**power
    return followed / followed.mean()


def _brands(world: World, rng: np.random.Generator, main: Ints) -> Ints:
    """The influencer's main brand mostly, else one of the others."""
    others = len(world.brands) - 1
    away = rng.random(len(main)) >= world.settings.influencers.main_brand_posts
    step = rng.integers(1, others + 1, len(main)) if others else np.zeros(len(main), np.int64)
    return np.where(away, (main + step) % len(world.brands), main)


def _platforms(world: World, rng: np.random.Generator, own: Ints) -> Ints:
    """The influencer's own platform mostly, else one of the others."""
    number = len(world.platforms)
    away = rng.random(len(own)) < world.settings.influencers.cross_posts
    return np.where(away, (own + rng.integers(1, number, len(own))) % number, own)


def _formats(world: World, rng: np.random.Generator, platform: Ints) -> Ints:
    """Index into the formats of the post's platform."""
    uniform = rng.random(len(platform))
    found = np.zeros(len(platform), np.int64)
    for code, name in enumerate(world.platforms):
        edges = np.cumsum([share for _, share in FORMATS.get(name, OTHER_FORMATS)])[:-1]
        mine = platform == code
        found[mine] = np.searchsorted(edges, uniform[mine], side="right")
    return found


def _campaigns(
    world: World, rng: np.random.Generator, trials: Trials, brand: Ints, day: Ints
) -> tuple[Ints, tuple[str, ...], tuple[str, ...]]:
    """A campaign for each post: one of a few of its brand and quarter, or one of the trial's."""
    each = world.settings.posts.campaigns_a_quarter
    quarter, labels = _quarters(world)
    names, kinds = [], []
    for name, about in world.settings.brands.items():
        themes = THEMES.get(name, OTHER_THEMES)
        for label in labels:
            for index in range(each):
                theme, kind = themes[index % len(themes)]
                again = "" if index < len(themes) else str(index // len(themes) + 1)
                names.append(f"{about.prefix}_{theme}{again}_{label}")
                kinds.append(kind)
    campaign = (brand * len(labels) + quarter[day]) * each + rng.integers(0, each, len(brand))
    spread = rng.random(len(brand))
    if trials.clusters is not None:
        found = trials.clusters
        mine = (brand == found.brand) & (day >= found.first) & (day < found.end)
        campaign[mine] = len(names) + (spread[mine] * len(found.names)).astype(np.int64)
        names.extend(found.names)
        kinds.extend(["Brief test"] * len(found.names))
    return campaign, tuple(names), tuple(kinds)


def _quarters(world: World) -> tuple[Ints, list[str]]:
    """Number of the calendar quarter by day, from 0, and the labels of the quarters."""
    made = world.calendar
    labels = [f"{name[:4]}Q{(int(name[5:]) + 2) // 3}" for name in made.months]
    known = sorted(set(labels))
    by_month = np.array([known.index(label) for label in labels])
    return by_month[made.month], known


def _boost(
    world: World,
    trials: Trials,
    brand: Ints,
    day: Ints,
    influencer: Ints,
    campaign: Ints,
    names: tuple[str, ...],
    kinds: tuple[str, ...],
) -> tuple[Ints, tuple[str, ...], tuple[str, ...], Flags]:
    """Boost, from the first day of the experiment on, posts of the two weeks before it."""
    found, settings = trials.experiment, world.settings.experiment
    assert found is not None
    campaign = campaign.copy()
    boosted = np.zeros(len(brand), bool)
    month = world.calendar.months[world.calendar.month[found.first]]
    for each, about in enumerate(world.settings.brands.values()):
        recent = (day >= found.first - settings.boosted_posts_days) & (day < found.first)
        inside = np.flatnonzero((brand == each) & recent)
        _, first = np.unique(influencer[inside], return_index=True)
        chosen = inside[np.sort(first)[: settings.boosted_influencers]]
        boosted[chosen] = True
        campaign[chosen] = len(names)
        names = (*names, f"{about.prefix}_Boost_{month}")
        kinds = (*kinds, "Boosted")
    return campaign, names, kinds, boosted


def _concavity(
    world: World, brand: Ints, platform: Ints, tier: Ints, day: Ints, planned: Floats
) -> tuple[Floats, Floats]:
    """(S ÷ S̄)^(β − 1): the more reach is planned for a week, the less each part of it sells.

    S̄ is the mean over all weeks, those without a post of the cell included.
    """
    shape = (len(world.brands), len(world.platforms), len(world.tiers))
    weeks = (world.calendar.days + 6) // 7
    cell = np.ravel_multi_index((brand, platform, tier), shape)
    week = day // 7
    size = int(np.prod(shape)) * weeks
    reach = np.bincount(cell * weeks + week, planned, minlength=size).reshape(-1, weeks)
    usual = reach.mean(axis=1)
    power = world.rules.elasticity[platform] - 1
    factor: Floats = (reach[cell, week] / usual[cell]) ** power
    return reach.reshape(*shape, weeks).astype(float), factor


def _fatigue(world: World, influencer: Ints, day: Ints) -> Floats:
    """Factor for each own post in the weeks before; 1 unless the scenario plants it."""
    if world.scenario != "planted":
        return np.ones(len(day))
    planted = world.settings.scenarios.planted
    stride = world.calendar.days + planted.fatigue_days + 1
    key = influencer * stride + day + planted.fatigue_days
    order = np.argsort(key, kind="stable")
    ranked = key[order]
    earlier = np.arange(len(key)) - np.searchsorted(ranked, ranked - planted.fatigue_days)
    factor = np.empty(len(key))
    factor[order] = planted.fatigue**earlier
    return factor


def _brief(
    world: World,
    trials: Trials,
    brand: Ints,
    day: Ints,
    campaign: Ints,
    names: tuple[str, ...],
) -> Floats:
    """Factor of the campaign on trial, the lift of the new brief included."""
    found = trials.clusters
    assert found is not None
    mine = (brand == found.brand) & (day >= found.first) & (day < found.end)
    number = campaign - names.index(found.names[0])
    mine &= (number >= 0) & (number < len(found.names))
    effect = found.effect * np.where(found.treated, 1 + world.rules.cluster_lift, 1.0)
    return np.where(mine, effect[np.clip(number, 0, len(effect) - 1)], 1.0)


def fees(world: World, influencer: Ints, month: Ints) -> Ints:
    """Fixed fee for a post of these influencers in these months, in paise.

    The price is that of the influencer's own platform, whatever the post is published on.
    """
    panel = world.influencers
    price = world.rules.cpm[panel.platform[influencer]] * world.conversion_thinning / 1000
    fee = world.planned_reach(influencer) * price * panel.fee_factor[influencer]
    fee = np.maximum(fee, world.rules.smallest_fee * world.thinning)
    if world.scenario == "confounded":
        by_day = world.calendar.month
        fee = fee * (np.bincount(by_day, _following(world)) / np.bincount(by_day))[month]
    return np.rint(fee).astype(np.int64) * 100


def numbered(prefix: str, numbers: Ints) -> pa.Array:
    """Ids for numbers from 0.

    Examples
    --------
    >>> numbered("P", np.arange(2)).to_pylist()
    ['P100001', 'P100002']
    """
    return pc.binary_join_element_wise(
        prefix, pc.cast(pa.array(numbers + 100_001), pa.string()), ""
    )


def grown(world: World, posts: Posts, at_day: int) -> Floats:
    """Share of a post's engagements that have arrived when a day begins; 0 before the post."""
    age = np.maximum(at_day * MINUTES - posts.minute, 0) / 60
    return 1 - 2.0 ** (-age / world.settings.posts.half_life_hours)


def counted(world: World, posts: Posts, at_day: int) -> tuple[Ints, Ints]:
    """Likes and comments that an export at the start of a day shows."""
    share = world.settings.posts.comment_share
    now = posts.engagements * grown(world, posts, at_day)
    return (
        np.rint(now * (1 - share)).astype(np.int64),
        np.rint(now * share).astype(np.int64),
    )


def taken(names: tuple[str, ...] | list[str], codes: Ints) -> pa.Array:
    """Text for codes."""
    return pa.array(list(names), pa.string()).take(pa.array(codes))


def tables(world: World, posts: Posts) -> Iterator[pa.Table]:
    """The posts as exported at the end of the data, a hundred thousand at a time."""
    for first in range(0, max(len(posts), 1), ROWS_A_PIECE):
        yield _table(world, posts.between(first, first + ROWS_A_PIECE), first)


def _table(world: World, posts: Posts, first: int) -> pa.Table:
    """Some of the posts; `first` is the number of the first one."""
    rng = world.stream("captions", first)
    number, products = len(posts), world.products
    likes, comments = counted(world, posts, world.calendar.days)
    kinds = [kind for name in world.platforms for kind, _ in FORMATS.get(name, OTHER_FORMATS)]
    firsts = np.cumsum([0, *(len(FORMATS.get(name, OTHER_FORMATS)) for name in world.platforms)])
    kind = firsts[posts.platform] + posts.format
    asked = world.settings.posts
    impressions = posts.reach * rng.uniform(*asked.impressions_a_reach, number)
    is_video = np.array([name in VIDEOS for name in kinds])[kind]
    views = np.rint(impressions * rng.uniform(0.6, 0.95, number)).astype(np.int64)
    clicks = posts.reach * asked.click_share * np.exp(rng.normal(0, 0.5, number))
    shares = posts.engagements * rng.uniform(0.02, 0.08, number)
    saves = posts.engagements * rng.uniform(0.02, 0.10, number)
    ids = numbered("P", np.arange(first, first + number))
    start = np.datetime64(world.calendar.start, "s")
    return pa.table(
        {
            "post_id": ids,
            "influencer_id": influencer_ids(world, posts.influencer),
            "platform": taken(world.platforms, posts.platform),
            "date": pa.array(start + (posts.minute * 60).astype("timedelta64[s]")),
            "url": pc.binary_join_element_wise("https://example.org/p/", ids, ""),
            "caption": _captions(world, rng, posts),
            "reach": pa.array(posts.reach.astype(np.int64)),
            "impressions": pa.array(np.rint(impressions).astype(np.int64)),
            "views": pa.array(views, mask=~is_video),
            "likes": pa.array(likes),
            "comments": pa.array(comments),
            "shares": pa.array(np.rint(shares).astype(np.int64)),
            "saves": pa.array(np.rint(saves).astype(np.int64)),
            "clicks": pa.array(np.rint(clicks).astype(np.int64)),
            "brand": taken(world.brands, posts.brand),
            "product": taken(products.name, posts.product),
            "product_category": taken(products.category, posts.product),
            "product_price": pa.array(products.price[posts.product]),
            "product_margin": pa.array(np.round(world.rules.margin, 4)[posts.product]),
            "campaign": taken(posts.campaigns, posts.campaign),
            "campaign_type": taken(posts.campaign_types, posts.campaign),
            "content_type": taken(kinds, kind),
        }
    )


def influencer_ids(world: World, codes: Ints) -> pa.Array:
    """Ids of influencers; a negative code has none."""
    known = pa.array(world.influencers.table["influencer_id"].tolist(), pa.string())
    return known.take(pa.array(codes, mask=codes < 0))


def _captions(world: World, rng: np.random.Generator, posts: Posts) -> pa.Array:
    """One of a few sentences about each product."""
    products = world.products
    pool = [
        text.format(product=name, tag=world.brands[brand])
        for name, brand in zip(products.name, products.brand, strict=True)
        for text in CAPTIONS
    ]
    which = posts.product * len(CAPTIONS) + rng.integers(0, len(CAPTIONS), len(posts))
    return taken(pool, which)


def earlier_table(world: World, posts: Posts) -> pa.Table:
    """The young posts as an earlier export showed them: a second snapshot of their engagements."""
    asked = world.settings.posts
    at_day = world.calendar.days - asked.earlier_export_days
    young = (posts.day < at_day) & (posts.day >= at_day - asked.earlier_export_days)
    likes, comments = counted(world, posts, at_day)
    exported = world.calendar.date(at_day) - datetime.timedelta(days=1)
    found = np.flatnonzero(young)
    start = np.datetime64(world.calendar.start, "s")
    return pa.table(
        {
            "post_id": numbered("P", found),
            "influencer_id": influencer_ids(world, posts.influencer[found]),
            "platform": taken(world.platforms, posts.platform[found]),
            "date": pa.array(start + (posts.minute[found] * 60).astype("timedelta64[s]")),
            "likes": pa.array(likes[found]),
            "comments": pa.array(comments[found]),
            "exported": pa.repeat(pa.scalar(exported), len(found)),
        }
    )
