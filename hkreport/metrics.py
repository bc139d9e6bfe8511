"""What is measured: every metric declared once, and one function that computes any of them.

A metric states the sums it needs; :func:`compute` merges the needs, sums the ledger once by the group
keys, and divides afterwards. Nothing is joined before it is summed and ratios are never averaged. How
the ledger comes about belongs to :mod:`hkreport.ledger`.
"""

import functools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, cast

from hkreport.errors import UsageError, did_you_mean, listed
from hkreport.units import Unit

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "CATALOGUE",
    "DIMENSIONS",
    "TIME_STEPS",
    "UNASSIGNED",
    "Direction",
    "Distinct",
    "Linear",
    "Metric",
    "Ratio",
    "Returns",
    "Score",
    "Share",
    "Summed",
    "Total",
    "compute",
    "expression",
    "find",
    "finished",
    "group_key",
    "keys",
    "labelled",
    "reaches",
    "summed",
    "sums",
]

UNASSIGNED = "unassigned"

# By how much of a limit a value may fall short of it and still reach it: amounts of two decimals are no
# exact floats, so that what is exactly at a limit would fall below it by the last bit.
TIE = 1e-12

# What the ledger can be grouped and filtered by, with the words a reader sees.
DIMENSIONS: Mapping[str, str] = {
    "influencer": "Influencer",
    "brand": "Brand",
    "product": "Product",
    "product_category": "Product category",
    "campaign": "Campaign",
    "campaign_type": "Campaign type",
    "platform": "Platform",
    "post_platform": "Platform of the post",
    "tier": "Tier",
    "tier_in_file": "Tier in the file",
    "category": "Category",
    "gender": "Gender",
    "persona": "Persona",
    "city": "City",
    "age_group": "Age group",
    "content_type": "Content type",
    "source": "Source",
    "channel": "Channel",
    "payout_basis": "Payout basis",
    "arm": "Arm",
    "kind": "Kind of event",
}

TIME_STEPS = ("day", "week", "month", "quarter", "year")

# Groups that are sorted one by one.
FEW = 2_000


class Direction(StrEnum):
    """Which way is better."""

    UP = "up"
    DOWN = "down"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A sum over ledger rows; adds up across groups.

    `column` names the ledger's measure. `complete` names a measure that counts rows where the value
    is unknown: if any is in the group, the sum is undefined rather than too small.
    """

    name: str
    label: str
    unit: Unit
    column: str
    good: Direction = Direction.UP
    description: str
    source: str
    caveat: str = ""
    complete: str = ""

    @property
    def formula(self) -> str:
        """How it is computed, in words."""
        return f"sum of {self.column.replace('_', ' ')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    """A count of different values; does not add up across groups.

    `kinds` limits the count to ledger rows of those kinds; empty means all.
    """

    name: str
    label: str
    unit: Unit
    column: str
    kinds: tuple[str, ...] = ()
    good: Direction = Direction.UP
    description: str
    source: str
    caveat: str = "Counted anew in every group: parts do not add up."

    @property
    def formula(self) -> str:
        """How it is computed, in words."""
        among = f" among {' and '.join(self.kinds)} rows" if self.kinds else ""
        return f"number of different {self.column.replace('_', ' ')}{among}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A difference or weighted sum of totals; adds up across groups."""

    name: str
    label: str
    unit: Unit
    terms: tuple[tuple[float, Total], ...]
    good: Direction = Direction.UP
    description: str
    source: str
    caveat: str = ""

    @property
    def formula(self) -> str:
        """Derived from the terms, so that it cannot drift from the sums."""
        parts = []
        for weight, total in self.terms:
            sign = "−" if weight < 0 else "+"
            size = "" if abs(weight) == 1 else f"{abs(weight):g} × "
            parts.append(f"{sign} {size}{total.label}")
        return " ".join(parts).removeprefix("+ ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A quotient of sums; does not add up, and is never averaged.

    Only what is above 0 divides. A missing denominator, 0 and what lies below it (more money came back
    than was paid) make it undefined: NaN, printed as ``n/a`` with the reason that :meth:`why` gives,
    never 0, never infinite and never of the wrong sign. Nor is there a cost of anything where more came back
    than was paid. `missing` words that reason where the numerator is what
    usually lacks.
    """

    name: str
    label: str
    unit: Unit
    numerator: Total | Distinct | Linear
    denominator: Total | Distinct
    scale: float = 1.0
    missing: str = ""
    good: Direction = Direction.UP
    description: str
    source: str
    caveat: str = ""

    @property
    def formula(self) -> str:
        """Derived from the parts, so that it cannot drift from the sums."""
        above = self.numerator.formula if _unnamed(self.numerator) else self.numerator.label
        above = f"({above})" if _unnamed(self.numerator) else above
        by = "" if self.scale == 1 else f" × {self.scale:,.0f}"
        return f"{above} ÷ {self.denominator.label}{by}"

    @property
    def is_cost(self) -> bool:
        """Whether it says what something cost: below 0 that is undefined too."""
        return self.numerator.name == "spend"

    @property
    def undefined(self) -> str:
        """Why it may be missing: what usually lacks, by default the denominator."""
        if self.missing:
            return self.missing
        return f"no {_short(self.denominator.label)}"

    def why(self, row: Mapping[Any, Any]) -> str:
        """Why it is missing in a row: what it divides, where the row has something to divide by.

        Examples
        --------
        >>> ROAS.why({"spend": 0.0}), ROAS.why({"spend": 500.0}), ROAS.why({"spend": math.nan})
        ('no spend', 'influencer revenue not known', 'spend not known')
        >>> ROAS.why({"spend": -10.0})
        'spend below 0'
        >>> COST_PER_ORDER.why({"spend": -10.0, "orders": 3.0})
        'spend below 0'
        """
        above, below = row.get(self.numerator.name), row.get(self.denominator.name)
        if self.is_cost and isinstance(above, int | float) and above < 0:
            return f"{_short(self.numerator.label)} below 0"
        if isinstance(below, int | float) and below < 0:
            return f"{_short(self.denominator.label)} below 0"
        if self.missing:
            return self.undefined
        if isinstance(below, int | float):
            if below != below:
                return f"{_short(self.denominator.label)} not known"
            return f"{_short(self.numerator.label)} not known" if below else self.undefined
        if isinstance(above, float) and above != above:
            return f"{_short(self.numerator.label)} not known"
        return self.undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A group's part of the total over the whole slice; undefined where that is not above 0."""

    name: str
    label: str
    unit: Unit
    part: Total
    good: Direction = Direction.NEITHER
    description: str
    source: str
    caveat: str = ""

    @property
    def formula(self) -> str:
        """How it is computed, in words."""
        return f"{self.part.label} ÷ {self.part.label} of the whole selection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Weighted percentile ranks within a stated set; 100 is best.

    Defined only when grouped by `by`; ranks are taken in the population handed to
    :func:`compute`, so that a filter does not move a score. The parts in `returns` are ranked as
    :class:`Returns` says, where :func:`compute` is handed one.
    """

    name: str
    label: str
    unit: Unit
    by: str
    parts: tuple[tuple[float, "Total | Ratio | Linear"], ...]
    returns: tuple[str, ...] = ()
    good: Direction = Direction.UP
    description: str
    source: str
    caveat: str = ""

    @property
    def formula(self) -> str:
        """Derived from the parts, so that it cannot drift from the weights."""
        apart = dict.fromkeys(self.returns, " without luck, within the payout basis,")
        ranks = (
            f"{weight:g} × rank of {part.label}{apart.get(part.name, '')}"
            for weight, part in self.parts
        )
        return " + ".join(ranks) + " (percentile ranks, 100 is best)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """How a score ranks return on spend: without luck, and among those who are paid alike.

    Attributes
    ----------
    shrunk : mapping of str to mapping of str to float
        By part and group, the value that is ranked in place of the counted one; others keep theirs.
    peers : mapping of str to str
        By group, the peers that it is ranked among; all groups are peers without it.
    """

    shrunk: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    peers: Mapping[str, str] = field(default_factory=dict)


Metric = Total | Distinct | Linear | Ratio | Share | Score


def _short(label: str) -> str:
    """A label within a sentence, without what it says in brackets."""
    bare = label.partition(" (")[0]
    return f"{bare[0].lower()}{bare[1:]}"


def _unnamed(part: "Total | Distinct | Linear") -> bool:
    """Whether a part is only a step of another metric and no metric of its own."""
    return isinstance(part, Linear)


_ALL_TRACKED = "Organic orders in the selection are counted too."

REVENUE = Total(
    name="revenue",
    label="Revenue",
    unit=Unit.MONEY,
    column="revenue",
    description="Everything that was tracked, organic orders included.",
    source="Sum of tracking.revenue, returns negative.",
)
INFLUENCER_REVENUE = Total(
    name="influencer_revenue",
    label="Influencer revenue",
    unit=Unit.MONEY,
    column="influencer_revenue",
    description="Revenue credited to influencers by the tracking.",
    source=(
        "Tracked revenue without organic rows and without paid rows that name no influencer; where "
        "the source says neither, every row with an influencer."
    ),
    caveat="Credited is not caused.",
)
ORGANIC_REVENUE = Total(
    name="organic_revenue",
    label="Organic revenue",
    unit=Unit.MONEY,
    column="organic_revenue",
    description="Revenue of rows whose source says organic.",
    source="Sum of tracking.revenue where source is organic.",
)
ORDERS = Total(
    name="orders",
    label="Orders",
    unit=Unit.COUNT,
    column="orders",
    description="Everything that was ordered, organic orders included.",
    source="Sum of tracking.orders.",
)
INFLUENCER_ORDERS = Total(
    name="influencer_orders",
    label="Influencer orders",
    unit=Unit.COUNT,
    column="influencer_orders",
    description="Orders credited to influencers by the tracking.",
    source="Same rows as influencer revenue.",
    caveat="Credited is not caused.",
)
PROFIT = Total(
    name="profit",
    label="Profit",
    unit=Unit.MONEY,
    column="profit",
    complete="profit_unknown",
    description="Contribution before influencer payouts, of everything tracked.",
    source="tracking.profit, else revenue × margin of the product; undefined where neither is known.",
)
SPEND = Total(
    name="spend",
    label="Spend",
    unit=Unit.MONEY,
    column="spend",
    good=Direction.NEITHER,
    description="What influencers are paid, bonuses included.",
    source="Sum of payouts.total_payout, allocated to brands, products and dates by its basis.",
    caveat="Allocated where the payout names no brand or date; the rule is in the methods section.",
)
POSTS = Total(
    name="posts",
    label="Posts",
    unit=Unit.COUNT,
    column="posts",
    description="Posts published.",
    source="Rows of posts.",
)
REACH = Total(
    name="reach",
    label="Reach (summed, not de-duplicated)",
    unit=Unit.COUNT,
    column="reach",
    description="People reached, post by post; one person may count several times.",
    source="Sum of posts.reach.",
    caveat="Reach does not add up to people.",
)
IMPRESSIONS = Total(
    name="impressions",
    label="Impressions",
    unit=Unit.COUNT,
    column="impressions",
    description="Times the posts were shown.",
    source="Sum of posts.impressions.",
)
LIKES = Total(
    name="likes",
    label="Likes",
    unit=Unit.COUNT,
    column="likes",
    description="Likes at the time of the export.",
    source="Sum of posts.likes.",
)
COMMENTS = Total(
    name="comments",
    label="Comments",
    unit=Unit.COUNT,
    column="comments",
    description="Comments at the time of the export.",
    source="Sum of posts.comments.",
)
SHARES = Total(
    name="shares",
    label="Shares",
    unit=Unit.COUNT,
    column="shares",
    description="Times the posts were shared.",
    source="Sum of posts.shares.",
)
CLICKS = Total(
    name="clicks",
    label="Clicks",
    unit=Unit.COUNT,
    column="clicks",
    description="Link clicks of the posts.",
    source="Sum of posts.clicks.",
)
ENGAGEMENTS = Total(
    name="engagements",
    label="Engagements",
    unit=Unit.COUNT,
    column="engagements",
    description="Likes and comments; shares and saves stand beside them, not in them.",
    source="posts.likes + posts.comments, so that exports with and without shares compare.",
)
REACHED_ENGAGEMENTS = Total(
    name="reached_engagements",
    label="Engagements of posts with a known reach",
    unit=Unit.COUNT,
    column="reached_engagements",
    description="Likes and comments of the posts that say whom they reached.",
    source="posts.likes + posts.comments of rows with posts.reach.",
    caveat="Only for the rate over reach; all of them are the engagements.",
)
FOLLOWER_BASE = Total(
    name="follower_base",
    label="Followers (counted once per post)",
    unit=Unit.COUNT,
    column="follower_base",
    good=Direction.NEITHER,
    description="Followers of the influencer, added once for each post.",
    source="influencers.follower_count over the rows of posts.",
    caveat="Only the base of a rate; not a number of people.",
)
NEW_CUSTOMERS = Total(
    name="new_customers",
    label="New customers",
    unit=Unit.COUNT,
    column="new_customers",
    description="First orders of a customer.",
    source="Rows of tracking with is_new_customer.",
)
ACTIVE_INFLUENCERS = Distinct(
    name="active_influencers",
    label="Active influencers",
    unit=Unit.COUNT,
    column="influencer_id",
    kinds=("order", "post"),
    description="Influencers with a post or an order.",
    source="Different influencer ids on order and post rows.",
)
CUSTOMERS = Distinct(
    name="customers",
    label="Customers",
    unit=Unit.COUNT,
    column="user_id",
    kinds=("order",),
    description="Different customers who ordered.",
    source="Different user ids on order rows.",
)
CAMPAIGNS = Distinct(
    name="campaigns",
    label="Campaigns",
    unit=Unit.COUNT,
    column="campaign",
    kinds=("order", "post"),
    good=Direction.NEITHER,
    description="Different campaigns with a post or an order.",
    source="Different campaign names on order and post rows.",
)
NET_RETURN = Linear(
    name="net_return",
    label="Influencer revenue − spend",
    unit=Unit.MONEY,
    terms=((1.0, INFLUENCER_REVENUE), (-1.0, SPEND)),
    description="What is left of credited revenue after paying influencers; goods are not deducted.",
    source="Influencer revenue less spend.",
    caveat="Credited is not caused.",
)
PROFIT_AFTER_SPEND = Linear(
    name="profit_after_spend",
    label="Profit after spend",
    unit=Unit.MONEY,
    terms=((1.0, PROFIT), (-1.0, SPEND)),
    description="Contribution after paying influencers.",
    source="Profit less spend.",
    caveat="Includes the profit of organic orders in the selection.",
)
# ₹ per action: the card `hk-2025.1`, kept from the earlier dashboards; no industry standard exists.
EARNED_MEDIA_VALUE = Linear(
    name="earned_media_value",
    label="Earned media value",
    unit=Unit.MONEY,
    terms=((2.0, LIKES), (8.0, COMMENTS)),
    description="What the engagements would cost at a rate card; a modelled figure.",
    source="Engagements × rate card hk-2025.1 (₹2 a like, ₹8 a comment).",
    caveat="No agreed formula exists; enters no ROI, ROAS or total.",
)

AVERAGE_ORDER_VALUE = Ratio(
    name="average_order_value",
    label="Average order value",
    unit=Unit.MONEY,
    numerator=REVENUE,
    denominator=ORDERS,
    description="Revenue for each order.",
    source="Total revenue / total orders.",
)
ROAS = Ratio(
    name="roas",
    label="ROAS",
    unit=Unit.MULTIPLE,
    numerator=INFLUENCER_REVENUE,
    denominator=SPEND,
    description="Credited revenue for each rupee paid out.",
    source="Influencer revenue / total payout; spend as allocated by the rule named in the report.",
    caveat="Credited is not caused.",
)
ROI = Ratio(
    name="roi",
    label="ROI",
    unit=Unit.PERCENT,
    numerator=NET_RETURN,
    denominator=SPEND,
    description="Credited revenue less spend, for each rupee of spend: ROAS − 1.",
    source="(Influencer revenue − total payout) / total payout, as its users know it.",
    caveat="Revenue, not profit: goods, tax and shipping are not deducted.",
)
CONTRIBUTION_ROI = Ratio(
    name="contribution_roi",
    label="Contribution ROI",
    unit=Unit.PERCENT,
    numerator=PROFIT_AFTER_SPEND,
    denominator=SPEND,
    missing="no margins or no spend",
    description="Profit after spend, for each rupee of spend.",
    source="(Profit − total payout) / total payout.",
    caveat="Needs margins; includes the profit of organic orders in the selection.",
)
POAS = Ratio(
    name="poas",
    label="POAS",
    unit=Unit.MULTIPLE,
    numerator=PROFIT,
    denominator=SPEND,
    missing="no margins or no spend",
    description="Profit for each rupee paid out.",
    source="Profit / total payout.",
    caveat="Needs margins; includes the profit of organic orders in the selection.",
)
COST_PER_ORDER = Ratio(
    name="cost_per_order",
    label="Cost per order (all tracked)",
    unit=Unit.MONEY,
    numerator=SPEND,
    denominator=ORDERS,
    good=Direction.DOWN,
    description="Spend for each tracked order.",
    source="Total payout / total orders.",
    caveat="Organic orders in the selection are counted too and make it look cheaper.",
)
COST_PER_INFLUENCER_ORDER = Ratio(
    name="cost_per_influencer_order",
    label="Cost per influencer order",
    unit=Unit.MONEY,
    numerator=SPEND,
    denominator=INFLUENCER_ORDERS,
    good=Direction.DOWN,
    description="Spend for each order credited to an influencer.",
    source="Total payout / influencer orders.",
)
COST_PER_NEW_CUSTOMER = Ratio(
    name="cost_per_new_customer",
    label="Cost per new customer",
    unit=Unit.MONEY,
    numerator=SPEND,
    denominator=NEW_CUSTOMERS,
    good=Direction.DOWN,
    description="Spend for each first-time customer.",
    source="Total payout / new customers.",
)
COST_PER_MILLE = Ratio(
    name="cost_per_mille",
    label="Cost per 1,000 reach",
    unit=Unit.MONEY,
    numerator=SPEND,
    denominator=REACH,
    scale=1000.0,
    good=Direction.DOWN,
    description="Spend for each thousand people reached.",
    source="Total payout / reach; exports carry reach, not impressions.",
    caveat="What is paid for posts without a known reach counts and makes it look dearer.",
)
COST_PER_ENGAGEMENT = Ratio(
    name="cost_per_engagement",
    label="Cost per engagement",
    unit=Unit.MONEY,
    numerator=SPEND,
    denominator=ENGAGEMENTS,
    good=Direction.DOWN,
    description="Spend for each like or comment.",
    source="Total payout / (likes + comments).",
)
ENGAGEMENT_RATE_BY_REACH = Ratio(
    name="engagement_rate_by_reach",
    label="Engagement rate by reach",
    unit=Unit.PERCENT,
    numerator=REACHED_ENGAGEMENTS,
    denominator=REACH,
    description="Likes and comments for each person reached, over all posts with a known reach together.",
    source="(Likes + comments) / reach, pooled; never a mean of ratios.",
)
ENGAGEMENT_RATE_BY_FOLLOWERS = Ratio(
    name="engagement_rate_by_followers",
    label="Engagement rate by followers",
    unit=Unit.PERCENT,
    numerator=ENGAGEMENTS,
    denominator=FOLLOWER_BASE,
    description="Likes and comments per post for each follower.",
    source="(Likes + comments) / followers, each post against its influencer's followers, pooled.",
)
ORDERS_PER_REACH = Ratio(
    name="orders_per_reach",
    label="Orders per reach",
    unit=Unit.PERCENT,
    numerator=ORDERS,
    denominator=REACH,
    description="Orders for each person reached.",
    source="Total orders / reach.",
    caveat=f"{_ALL_TRACKED} So are those that came of posts without a known reach.",
)
CLICK_CONVERSION_RATE = Ratio(
    name="click_conversion_rate",
    label="Click conversion rate",
    unit=Unit.PERCENT,
    numerator=ORDERS,
    denominator=CLICKS,
    description="Orders for each link click.",
    source="Total orders / clicks.",
    caveat=_ALL_TRACKED,
)
REVENUE_PER_POST = Ratio(
    name="revenue_per_post",
    label="Revenue per post",
    unit=Unit.MONEY,
    numerator=REVENUE,
    denominator=POSTS,
    description="Tracked revenue for each post.",
    source="Total revenue / posts.",
    caveat=_ALL_TRACKED,
)
INFLUENCER_REVENUE_PER_POST = Ratio(
    name="influencer_revenue_per_post",
    label="Influencer revenue per post",
    unit=Unit.MONEY,
    numerator=INFLUENCER_REVENUE,
    denominator=POSTS,
    description="Credited revenue for each post.",
    source="Influencer revenue / posts.",
)
ORDERS_PER_POST = Ratio(
    name="orders_per_post",
    label="Orders per post",
    unit=Unit.COUNT,
    numerator=ORDERS,
    denominator=POSTS,
    description="Tracked orders for each post.",
    source="Total orders / posts.",
    caveat=_ALL_TRACKED,
)
INFLUENCER_ORDERS_PER_POST = Ratio(
    name="influencer_orders_per_post",
    label="Influencer orders per post",
    unit=Unit.COUNT,
    numerator=INFLUENCER_ORDERS,
    denominator=POSTS,
    description="Credited orders for each post.",
    source="Influencer orders / posts.",
)
REVENUE_PER_CAMPAIGN = Ratio(
    name="revenue_per_campaign",
    label="Revenue per campaign",
    unit=Unit.MONEY,
    numerator=REVENUE,
    denominator=CAMPAIGNS,
    description="Tracked revenue for each campaign.",
    source="Total revenue / different campaigns.",
    caveat=_ALL_TRACKED,
)
SPEND_PER_CAMPAIGN = Ratio(
    name="spend_per_campaign",
    label="Spend per campaign",
    unit=Unit.MONEY,
    numerator=SPEND,
    denominator=CAMPAIGNS,
    good=Direction.NEITHER,
    description="Spend for each campaign.",
    source="Total payout / different campaigns.",
)
REVENUE_SHARE = Share(
    name="revenue_share",
    label="Share of revenue",
    unit=Unit.PERCENT,
    part=REVENUE,
    description="Part of the selection's revenue.",
    source="Revenue / revenue of the whole selection.",
)
INFLUENCER_REVENUE_SHARE = Share(
    name="influencer_revenue_share",
    label="Share of influencer revenue",
    unit=Unit.PERCENT,
    part=INFLUENCER_REVENUE,
    description="Part of the selection's revenue that was credited to influencers.",
    source="Influencer revenue / influencer revenue of the whole selection.",
)
SPEND_SHARE = Share(
    name="spend_share",
    label="Share of spend",
    unit=Unit.PERCENT,
    part=SPEND,
    description="Part of the selection's spend.",
    source="Spend / spend of the whole selection.",
)
PERFORMANCE_SCORE = Score(
    name="performance_score",
    label="Performance score",
    unit=Unit.SCORE,
    by="influencer",
    parts=((0.5, ROAS), (0.25, ENGAGEMENT_RATE_BY_REACH), (0.25, INFLUENCER_ORDERS)),
    returns=("roas", "roi"),
    description="How an influencer ranks on return, engagement and orders, from 0 to 100.",
    source="Weighted percentile ranks among all influencers of the period; weights in params. ROAS is "
    "ranked among those on the same payout basis, and on fixed fees shrunk towards tier and platform as "
    "far as few orders leave it open.",
    caveat="ROI and 'against the average' rank exactly as ROAS does and are not counted again. Where "
    "payouts follow orders, or too few orders tell influencers from luck, ROAS counts as it is.",
)
MARGIN = Ratio(
    name="margin",
    label="Margin",
    unit=Unit.PERCENT,
    numerator=PROFIT,
    denominator=REVENUE,
    missing="no margins",
    description="Profit for each rupee of revenue.",
    source="Profit / revenue.",
)
PRODUCT_SCORE = Score(
    name="product_score",
    label="Product score",
    unit=Unit.SCORE,
    by="product",
    parts=(
        (0.4, REVENUE),
        (0.3, ROAS),
        (
            0.3,
            MARGIN,
        ),
    ),
    description="How a product ranks on revenue, return and margin, from 0 to 100.",
    source="Weighted percentile ranks among all products of the period; weights in params.",
)
_DECLARED: tuple[Metric, ...] = (
    REVENUE,
    INFLUENCER_REVENUE,
    ORGANIC_REVENUE,
    ORDERS,
    INFLUENCER_ORDERS,
    PROFIT,
    SPEND,
    POSTS,
    REACH,
    IMPRESSIONS,
    LIKES,
    COMMENTS,
    SHARES,
    CLICKS,
    ENGAGEMENTS,
    REACHED_ENGAGEMENTS,
    FOLLOWER_BASE,
    NEW_CUSTOMERS,
    ACTIVE_INFLUENCERS,
    CUSTOMERS,
    CAMPAIGNS,
    AVERAGE_ORDER_VALUE,
    ROAS,
    ROI,
    CONTRIBUTION_ROI,
    POAS,
    MARGIN,
    COST_PER_ORDER,
    COST_PER_INFLUENCER_ORDER,
    COST_PER_NEW_CUSTOMER,
    COST_PER_MILLE,
    COST_PER_ENGAGEMENT,
    ENGAGEMENT_RATE_BY_REACH,
    ENGAGEMENT_RATE_BY_FOLLOWERS,
    ORDERS_PER_REACH,
    CLICK_CONVERSION_RATE,
    EARNED_MEDIA_VALUE,
    REVENUE_PER_POST,
    ORDERS_PER_POST,
    INFLUENCER_REVENUE_PER_POST,
    INFLUENCER_ORDERS_PER_POST,
    REVENUE_PER_CAMPAIGN,
    SPEND_PER_CAMPAIGN,
    REVENUE_SHARE,
    INFLUENCER_REVENUE_SHARE,
    SPEND_SHARE,
    PERFORMANCE_SCORE,
    PRODUCT_SCORE,
)

CATALOGUE: Mapping[str, Metric] = {metric.name: metric for metric in _DECLARED}


def find(name: str) -> Metric:
    """Look up a metric by its name.

    Raises
    ------
    UsageError
        If there is none; the message names the nearest.

    Examples
    --------
    >>> find("roas").formula
    'Influencer revenue ÷ Spend'
    >>> find("roi").formula
    '(Influencer revenue − Spend) ÷ Spend'
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    raise UsageError(
        f"There is no metric '{name}'. {did_you_mean(name, CATALOGUE)}".rstrip(),
        next_step=f"Metrics: {listed(CATALOGUE, most=99)}.",
    )


def _needs(metric: Metric) -> Iterable[Total | Distinct]:
    """Yield the sums and counts that a metric is made of."""
    match metric:
        case Total() | Distinct():
            yield metric
        case Linear():
            for _, part in metric.terms:
                yield from _needs(part)
        case Ratio():
            yield from _needs(metric.numerator)
            yield from _needs(metric.denominator)
        case Share():
            yield metric.part
        case Score():
            for _, ranked in metric.parts:
                yield from _needs(ranked)


def sums(metrics: Iterable[Metric]) -> list[Total | Distinct]:
    """Every different sum and count that the metrics need, in order of first need."""
    return list(dict.fromkeys(need for metric in metrics for need in _needs(metric)))


@dataclass(frozen=True, slots=True)
class _Sums:
    """Summed frame, and the population and returns for ranks."""

    frame: "pd.DataFrame"
    population: "pd.DataFrame | None" = field(default=None)
    returns: Returns = field(default_factory=Returns)


def keys(by: Sequence[str]) -> list[str]:
    """Columns that a grouping gives, each once: an influencer is grouped by id and shown with its name.

    Examples
    --------
    >>> keys(["influencer", "month"]), keys(["tier", "tier"])
    (['influencer_id', 'influencer', 'month'], ['tier'])
    """
    return list(dict.fromkeys(key for name in by for key in _keys_of(name)))


def _keys_of(name: str) -> list[str]:
    if name in ("influencer", "influencer_id"):
        return ["influencer_id", "influencer"]
    if name in DIMENSIONS or name in TIME_STEPS:
        return [name]
    raise UsageError(
        f"There is no dimension '{name}'. {did_you_mean(name, (*DIMENSIONS, *TIME_STEPS))}".rstrip(),
        next_step=f"Dimensions: {listed((*DIMENSIONS, *TIME_STEPS), most=99)}.",
    )


class Summed(Protocol):
    """Sums of rows that may have been read before; see :mod:`hkreport.groupings`."""

    def over(self, needed: Sequence[Total | Distinct], by: Sequence[str]) -> "pd.DataFrame":
        """What :func:`summed` gives."""
        ...


def compute(
    rows: "ir.Table | Summed",
    metrics: Sequence[Metric],
    *,
    by: Sequence[str] = (),
    known: Collection[str] | None = None,
    population: "ir.Table | Summed | None" = None,
    returns: Returns | None = None,
) -> "pd.DataFrame":
    """Compute metrics over ledger rows, in one query.

    Parameters
    ----------
    rows : ibis table or Summed
        Ledger rows, filtered as wished; each row is an order, a post or a piece of a payout.
    metrics : sequence of Metric
        What to compute.
    by : sequence of str
        Dimensions (:data:`DIMENSIONS`) and time steps (:data:`TIME_STEPS`). ``influencer`` groups
        by id and gives id and name.
    known : collection of str, optional
        Measures that the data set has at all. A known measure without rows in a group is 0 there;
        an unknown one is undefined. Without it, all are known.
    population : ibis table, optional
        Ledger rows among which scores are ranked; the same `rows` by default.
    returns : Returns, optional
        How scores rank return on spend; as counted and among all without it.

    Returns
    -------
    DataFrame
        One row a group, sorted by the keys, what belongs to no group last and labelled
        ``unassigned``; columns are the keys, then the metrics' names as floats, NaN where undefined.

    Raises
    ------
    UsageError
        If a dimension does not exist.

    Examples
    --------
    >>> import ibis
    >>> rows = ibis.memtable({"influencer_revenue": [60.0, 40.0, 10.0], "spend": [50.0, 0.0, 1.0]})
    >>> compute(rows, [ROAS]).round(2)["roas"].tolist()
    [2.16]
    """
    import pandas as pd

    columns = keys(by)
    needed = sums(metrics)
    frame = _over(rows, needed, by, known)
    ranked = any(isinstance(metric, Score) for metric in metrics)
    base = _over(population, needed, by, known) if ranked and population is not None else frame
    parts = _Sums(frame, base, returns or Returns())
    # Arrays, put together once: a column more in a frame costs more than its arithmetic.
    arrays = _arrays(frame, needed)
    made = {metric.name: _value(metric, parts, arrays, by) for metric in metrics}
    return pd.DataFrame({name: frame[name] for name in columns} | made, index=frame.index)


def _over(
    rows: "ir.Table | Summed",
    needed: Sequence[Total | Distinct],
    by: Sequence[str],
    known: Collection[str] | None,
) -> "pd.DataFrame":
    """Sums of rows, or the sums of them that were read before."""
    if hasattr(rows, "over"):
        return cast("Summed", rows).over(needed, by)
    return summed(rows, needed, by, known)


def summed(
    rows: "ir.Table",
    needed: Sequence[Total | Distinct],
    by: Sequence[str],
    known: Collection[str] | None,
) -> "pd.DataFrame":
    """Sum the rows by the group keys, with NaN where a sum is undefined."""
    frame = read(expression(rows, needed, by))
    return labelled(finished(frame, needed, known), keys(by))


def read(query: "ir.Table") -> "pd.DataFrame":
    """Rows of a query, with exact decimals as the nearest floats."""
    import pyarrow as pa

    table = query.to_pyarrow()
    for at, column in enumerate(table.schema):
        if pa.types.is_decimal(column.type):
            # Through text, because Arrow's own way may miss the nearest float by a bit.
            nearest = table.column(at).cast(pa.string()).cast(pa.float64())
            table = table.set_column(at, column.name, nearest)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def expression(
    rows: "ir.Table", needed: Sequence[Total | Distinct], by: Sequence[str]
) -> "ir.Table":
    """The one query that sums the rows by the group keys, for any backend."""
    columns = keys(by)
    # Steps of time are written out as text afterwards, for groups and not for rows.
    steps = [key for key in columns if key in TIME_STEPS]
    groups = [
        _step(rows["date"], key).name(key) if key in steps else rows[key]
        for key in columns
        if key != "influencer" or "influencer_id" not in columns
    ]
    aggregates = {}
    for need in needed:
        if isinstance(need, Distinct):
            chosen = rows["kind"].isin(need.kinds) if need.kinds else None
            aggregates[need.name] = rows[need.column].nunique(where=chosen)
        else:
            aggregates[need.name] = rows[need.column].sum()
            if need.complete:
                aggregates[f"{need.name}__unknown"] = rows[need.complete].sum()
    if "influencer_id" in columns:
        # Names repeat and may be spelt twice: one id has one name.
        aggregates["influencer"] = rows["influencer"].max()
    found = (
        rows.group_by(groups).aggregate(**aggregates) if groups else rows.aggregate(**aggregates)
    )
    return found.mutate(**{key: _in_words(found[key], key) for key in steps}) if steps else found


def finished(
    frame: "pd.DataFrame",
    needed: Sequence[Total | Distinct],
    known: Collection[str] | None,
) -> "pd.DataFrame":
    """Sums as the database gave them, as floats, with NaN where a sum is undefined."""
    import pandas as pd

    for need in needed:
        values = pd.to_numeric(frame[need.name], errors="coerce").astype(float)
        values = values.fillna(0.0) if known is None or need.column in known else values * math.nan
        if isinstance(need, Total) and need.complete:
            unknown = pd.to_numeric(frame[f"{need.name}__unknown"]).astype(float).fillna(0.0)
            values = values.where(unknown == 0)
        frame[need.name] = values
    return frame


def reaches(values: Any, least: float) -> Any:
    """Whether a value, or each of a frame's column, is at least a limit; undefined ones are not.

    Examples
    --------
    >>> 9269.88 / 3089.96 >= 3, reaches(9269.88 / 3089.96, 3), reaches(2.9999, 3)
    (False, True, False)
    """
    return values >= least - TIE * abs(least)


def group_key(rows: "ir.Table", key: str) -> "ir.Value":
    """The expression to group by: a dimension, or the step of time a date falls in, as text."""
    if key not in TIME_STEPS:
        return rows[key]
    date = rows["date"]
    return _in_words(_step(date, key) if key == "week" else date, key).name(key)


def _step(date: "ir.DateValue", key: str) -> "ir.Value":
    """The first day of the step of time that a date falls in."""
    return date if key == "day" else date.truncate(key)


def _in_words(date: "ir.Value", key: str) -> "ir.StringValue":
    """What the step of time is called that a date falls in; of a week, by its first day."""
    if key == "quarter":
        return date.year().cast("string") + "-Q" + date.quarter().cast("string")
    return date.cast("string").substr(0, {"month": 7, "year": 4}.get(key, 10))


def labelled(frame: "pd.DataFrame", columns: list[str]) -> "pd.DataFrame":
    """Call what belongs to no group `unassigned`, and sort with that last."""
    if not columns:
        return frame
    order: list[list[Any]] = []
    for key in columns:
        missing = frame[key].isna()
        if key == "influencer" and "influencer_id" in columns:
            missing = frame["influencer_id"].isna() | (frame["influencer_id"] == UNASSIGNED)
            frame[key] = frame[key].fillna(frame["influencer_id"])
        frame[key] = frame[key].astype(object).where(~missing, UNASSIGNED)
        order += [missing.tolist(), frame[key].tolist()]
    # Python's own sorting of a few texts takes a tenth of what a frame's takes; of many, twice as much.
    if len(frame) > FEW:
        import numpy as np
        import pandas as pd

        ranks = [pd.factorize(np.asarray(each, dtype=object), sort=True)[0] for each in order]
        places = np.lexsort(ranks[::-1]).tolist()
    else:
        places = sorted(range(len(frame)), key=list(zip(*order, strict=True)).__getitem__)
    return frame.take(places).reset_index(drop=True)


def _arrays(frame: "pd.DataFrame", needed: Sequence[Total | Distinct]) -> "Mapping[str, Floats]":
    """Sums by name."""
    return {need.name: frame[need.name].to_numpy() for need in needed}


def _value(
    metric: Metric, parts: _Sums, sums_: "Mapping[str, Floats]", by: Sequence[str]
) -> "Floats":
    """Work a metric out of its sums."""
    match metric:
        case Share():
            # Each row is in one group, those of none included, so that the groups add up to the whole.
            # Their doubles need not: amounts have six decimals, and so has the whole.
            part = sums_[metric.part.name]
            whole = round(math.fsum(part), 6)
            return part / (whole if whole > 0 else math.nan)
        case Score():
            return _score(metric, parts, by).to_numpy()
        case _:
            return _from_sums(metric, sums_)


def _from_sums(
    metric: "Total | Distinct | Linear | Ratio", sums_: "Mapping[str, Floats]"
) -> "Floats":
    import numpy as np

    match metric:
        case Linear():
            terms = (weight * sums_[part.name] for weight, part in metric.terms)
            return functools.reduce(lambda left, right: left + right, terms)
        case Ratio():
            below = sums_[metric.denominator.name]
            above = metric.scale * _from_sums(metric.numerator, sums_)
            if metric.is_cost:
                above = np.where(above < 0, math.nan, above)
            return above / np.where(below > 0, below, math.nan)
        case _:
            return sums_[metric.name]


def _score(score: Score, parts: _Sums, by: Sequence[str]) -> "pd.Series":
    """Weighted percentile ranks; parts that are unknown leave their weight to the others."""
    import numpy as np
    import pandas as pd

    empty = pd.Series(np.nan, index=parts.frame.index)
    if keys(by) != keys([score.by]):
        return empty
    key = keys(by)[0]
    base = parts.population if parts.population is not None else parts.frame
    base = base[base[key] != UNASSIGNED]
    total = pd.Series(0.0, index=base.index)
    weight = pd.Series(0.0, index=base.index)
    summed_ = _arrays(base, sums(part for _, part in score.parts))
    for part_weight, part in score.parts:
        values = pd.Series(_from_sums(part, summed_), index=base.index)
        among: Mapping[str, str] = {}
        if part.name in score.returns:
            among, shrunk = parts.returns.peers, parts.returns.shrunk.get(part.name, {})
            values = base[key].map(shrunk).astype(float).fillna(values)
        rank = _ranks(values, [among.get(each, "") for each in base[key]])
        total += (rank * part_weight).fillna(0.0)
        weight += rank.notna() * part_weight
    # Less than half of the weight says too little about the influencer or product.
    enough = weight >= 0.5 * sum(part_weight for part_weight, _ in score.parts)
    ranked = (100 * total / weight.where(enough)).set_axis(base[key])
    return parts.frame[key].map(ranked).astype(float)


def _ranks(values: "pd.Series", peers: Sequence[str]) -> "pd.Series":
    """Ranks from 0 to 1 among peers; who has none is unranked, except where there is nobody else."""
    import pandas as pd

    if values.notna().sum() == 1:
        return values * 0 + 1.0
    groups = values.groupby(pd.Series(peers, index=values.index, dtype=object))
    count = groups.transform("count")
    return (groups.rank() - 1) / (count - 1).where(count > 1)
