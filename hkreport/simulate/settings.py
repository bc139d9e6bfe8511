"""What the simulated truth is made of: ``params/simulation.yml``, read and checked.

How numbers become people, posts and orders belongs to the other modules of the package.
"""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hkreport import params
from hkreport.errors import ParamsError, did_you_mean, listed
from hkreport.schema import BASES
from hkreport.yaml_text import parsed

__all__ = ["FILE", "Brand", "Platform", "Product", "Settings", "load"]

FILE = Path(__file__).parents[2] / "params" / "simulation.yml"

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Range = tuple[float, float]
DayRange = tuple[int, int]


class Section(BaseModel):
    """One block of the file: no other keys, and no change once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Brand(Section):
    """Demand, basket and experiment of one brand."""

    prefix: str
    organic_orders_a_day: Positive
    basket_median: Positive
    basket_sd: NotNegative
    margin: Share
    users: Count
    main_influencers: Share
    experiment_lift: NotNegative
    experiment_share: Share
    boost_cost: NotNegative


class Product(Section):
    """One product of a brand."""

    name: str
    category: str
    price: Positive
    share: Positive
    margin: float
    appeal: Positive


class Demand(Section):
    """Orders that come without any influencer."""

    dispersion: Positive
    weekday: Annotated[list[Positive], Field(min_length=7, max_length=7)]
    season_height: Share
    season_peak: float
    festival: Positive
    festival_before: int
    festival_after: int
    sale: Positive
    sale_length: Count
    sale_holidays: list[str]
    sale_dates: list[str]
    walk_phi: Share
    walk_sd: NotNegative
    paid_share: NotNegative


class OrderValue(Section):
    """What an order is worth."""

    price_pull: float
    smallest: Positive
    gst: dict[datetime.date, Share]
    cash_on_delivery: Share
    returned_cash: Share
    returned_prepaid: Share
    return_days: DayRange
    code_discount_share: Share
    code_discount: Share
    sale_discount_share: Share
    sale_discount: Share


class Users(Section):
    """Who buys, and for how long."""

    frailty_shape: Positive
    person_years: Positive


class Tier(Section):
    """Size class of influencers."""

    share: Share
    followers: Range


class Influencers(Section):
    """The panel."""

    number: Count
    tiers: dict[str, Tier]
    quality_mean: float
    quality_sd: NotNegative
    main_brand_posts: Share
    cross_posts: Share


class Platform(Section):
    """Reach, response and price of one network."""

    share: Share
    orders_a_reach: Positive
    elasticity: Positive
    cpm: Positive


class Posts(Section):
    """How often, how far, and how engagements arrive."""

    a_month: Positive
    hours: DayRange
    reach_share: Positive
    reach_power: float
    reach_mean: float
    reach_sd: NotNegative
    engagement: Positive
    engagement_sd: NotNegative
    comment_share: Share
    half_life_hours: Positive
    click_share: Positive
    impressions_a_reach: Range
    campaigns_a_quarter: Count
    earlier_export_days: int


class Effects(Section):
    """What multiplies, delays and hides the orders that a post causes."""

    level: Positive
    tier: dict[str, Positive]
    post_dispersion: Positive
    lag_cut_days: Count
    tracked: Share
    poaching: Range
    pulled_forward: Share
    pulled_days: DayRange


class Payouts(Section):
    """What influencers are paid, and for what."""

    basis: dict[str, Share]
    smallest_fee: NotNegative
    fee_sd: NotNegative
    order_rate: Range
    commission_share: Share
    commission: Range
    hybrid_fee: NotNegative
    hybrid_order: NotNegative
    bonus: NotNegative
    bonus_target: Positive
    brand_known: Share
    invoice_days: DayRange


class Experiment(Section):
    """Boosted posts for a random part of the users."""

    days_before_end: Count
    days: Count
    pre_days: Count
    treatment_share: Share
    units_at_most: Count
    boosted_influencers: Count
    boosted_posts_days: Count


class Geo(Section):
    """A few cities without the brand's posts."""

    brand: str
    days_before_end: Count
    days: Count
    washout: int
    cities: Count
    zipf: Positive
    dark: Count
    dark_ranks: DayRange


class Clusters(Section):
    """A new brief, assigned by campaign."""

    brand: str
    days_before_end: Count
    days: Count
    campaigns: Count
    control: Count
    effect_sd: NotNegative
    lift: NotNegative


class Touchpoints(Section):
    """The log of views and clicks."""

    days: Count
    several: Share
    extra: NotNegative
    click_share: Share
    non_buyers: NotNegative


class Small(Section):
    """How a small data set keeps its ratios."""

    influencers: Count
    reach_power: Share


class Large(Section):
    """How a large data set keeps its memory."""

    rows_a_chunk: Count
    posts_in_truth: int


class Planted(Section):
    """Effects that are there to be found."""

    tier: str
    tier_factor: Positive
    platform: str
    platform_factor: Positive
    product_factor: Positive
    poor_influencers: int
    poor_quality: Positive
    break_brand: str
    break_factor: Positive
    break_week: Count
    fatigue: Positive
    fatigue_days: Count
    duplicate_payouts: int


class Confounded(Section):
    """Fees that follow the season."""

    fee_power: float


class Leaky(Section):
    """Codes that leak to people who would have bought anyway."""

    poaching: Range


class Scenarios(Section):
    """What each scenario changes."""

    planted: Planted
    confounded: Confounded
    leaky: Leaky


class Settings(Section):
    """Everything in ``params/simulation.yml``; the comments there give units and reasons."""

    sample_scale: Positive
    brands: dict[str, Brand]
    products: dict[str, list[Product]]
    demand: Demand
    orders: OrderValue
    users: Users
    influencers: Influencers
    platforms: dict[str, Platform]
    posts: Posts
    effects: Effects
    payouts: Payouts
    experiment: Experiment
    geo: Geo
    clusters: Clusters
    touchpoints: Touchpoints
    small: Small
    large: Large
    scenarios: Scenarios

    @model_validator(mode="after")
    def _names_agree(self) -> "Settings":
        """Refuse a brand, tier or platform that one block knows and another does not."""
        planted = self.scenarios.planted
        asked = {
            "products": (set(self.products), set(self.brands)),
            "payouts.basis": (set(self.payouts.basis), set(BASES)),
            "effects.tier": (set(self.effects.tier), set(self.influencers.tiers)),
        }
        for where, (found, known) in asked.items():
            if found != known:
                raise ValueError(
                    f"{where} names {listed(sorted(found))}, but known are {listed(sorted(known))}"
                )
        for where, word, allowed in (
            ("geo.brand", self.geo.brand, self.brands),
            ("clusters.brand", self.clusters.brand, self.brands),
            ("scenarios.planted.break_brand", planted.break_brand, self.brands),
            ("scenarios.planted.tier", planted.tier, self.influencers.tiers),
            ("scenarios.planted.platform", planted.platform, self.platforms),
        ):
            if word not in allowed:
                raise ValueError(f"{where} is '{word}', but known are {listed(allowed)}")
        return self


def load(source: Path | Mapping[str, Any] | None = None) -> Settings:
    """Read the settings of the simulator.

    Parameters
    ----------
    source : Path or mapping, optional
        Another file, or its content; ``params/simulation.yml`` of the project by default.

    Raises
    ------
    ParamsError
        If the file is missing or a key is unknown, missing or out of range; all of them are named.

    Examples
    --------
    >>> load().brands["HKVitals"].organic_orders_a_day
    420.0
    """
    where, content = "The settings", source
    if not isinstance(content, Mapping):
        file = content or _of_project()
        where, content = file.name, _content(file)
    try:
        return Settings.model_validate(dict(content))
    except ValidationError as cause:
        raise ParamsError(f"{where}: {_problems(cause)}") from cause


def _of_project() -> Path:
    """The file of the project that one stands in; this package's own where that has none."""
    own = params.project_root() / "params" / FILE.name
    return own if own.is_file() else FILE


def _content(file: Path) -> Mapping[str, Any]:
    try:
        content = parsed(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as cause:
        raise ParamsError(
            f"{file.name} cannot be read: {cause}.", next_step="Restore params/simulation.yml."
        ) from cause
    if not isinstance(content, Mapping):
        raise ParamsError(f"{file.name} holds no keys; it must be a YAML mapping.")
    return content


def _problems(cause: ValidationError) -> str:
    """All problems in one line, each with the key it is about."""
    words = []
    for problem in cause.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            parent = _section(problem["loc"][:-1])
            near = did_you_mean(str(problem["loc"][-1]), parent)
            words.append(f"unknown key '{key}'. {near}".strip())
        elif key:
            words.append(f"{key}: {problem['msg']}, found {problem['input']!r}")
        else:
            words.append(problem["msg"].removeprefix("Value error, "))
    return "; ".join(words)


def _section(path: tuple[int | str, ...]) -> list[str]:
    """Keys that are allowed at a place in the file; none where that is not one section."""
    model: Any = Settings
    for part in path:
        field = model.model_fields.get(str(part)) if hasattr(model, "model_fields") else None
        model = field.annotation if field else None
    return list(model.model_fields) if hasattr(model, "model_fields") else []
