"""Chart titles that say what the numbers say, true of odd slices too.

A comparison of ratios is put into words only where enough orders stand behind it.
"""

from typing import TYPE_CHECKING

from hkreport import metrics as m
from hkreport.metrics import UNASSIGNED, Metric
from hkreport.prose import named
from hkreport.units import Unit, text
from hkreport.views import Report

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["best_cell", "concentrated", "followers_words", "highest_returns", "leader", "mix_words",
           "parts_words", "price_words", "product_note", "share_of_top", "top_words", "unpaid_words"]  # fmt: skip

ENOUGH = 30  # orders below which a comparison is not put into words


def leader(frame: "pd.DataFrame", key: str, metric: Metric, base: str = "influencer_orders") -> str:
    """Who leads by how much, as a chart title.

    Ratios are held against each other only where 30 orders (or what else `base` counts) or more stand
    behind them, because few make a ratio high or low by chance.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"platform": ["YouTube", "Instagram"], "revenue": [3e5, 1e5],
    ...                       "roas": [1.2, 9.0], "influencer_orders": [300.0, 2.0]})
    >>> leader(frame, "platform", m.REVENUE)
    'YouTube leads with ₹3.00 L, 75.0% of revenue'
    >>> leader(frame, "platform", m.ROAS)
    'Only YouTube has 30 orders or more: ROAS 1.20×'
    >>> leader(frame.assign(revenue=1e5), "platform", m.REVENUE)
    'Revenue by platform: ₹1.00 L everywhere'
    >>> third = pd.DataFrame({"platform": ["TikTok"], "revenue": [5e4]})
    >>> leader(pd.concat([frame.assign(revenue=1e5), third]), "platform", m.REVENUE)
    'Revenue by platform: Instagram and YouTube are level at ₹1.00 L'
    """
    known = frame[frame[metric.name].notna() & (frame[key] != UNASSIGNED)]
    if known.empty:
        return f"{metric.label} by {_dimension(key)}"
    if not isinstance(metric, m.Total | m.Linear):
        return _highest(known, key, metric, base)
    first = known.sort_values([metric.name, key], ascending=[False, True]).iloc[0]
    value = text(float(first[metric.name]), metric.unit, short=True)
    if len(known) == 1:
        return f"{metric.label} of {named(first[key])}: {value}"
    if (known[metric.name] == first[metric.name]).all():
        return f"{metric.label} by {_dimension(key)}: {value} everywhere"
    if not first[metric.name] > 0:  # to lose least is not to lead
        return f"{metric.label} by {_dimension(key)}"
    if level := _level(known, key, metric.name):
        return f"{metric.label} by {_dimension(key)}: {level} at {value}"
    whole = frame[metric.name].sum()
    if whole > 0 and (frame[metric.name].dropna() >= 0).all():
        part = text(float(first[metric.name]) / float(whole), Unit.PERCENT)
        if metric is m.SPEND:
            return f"Most is spent on {named(first[key])}: {value}, {part} of spend"
        return f"{_first(first[key])} leads with {value}, {part} of {_lower(metric.label)}"
    return f"{_first(first[key])} leads with {value}"


def parts_words(frame: "pd.DataFrame", key: str) -> str:
    """What the group with most credited revenue brings and costs of the whole, as a chart title.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"tier": ["nano", "mega"], "influencer_revenue": [1e5, 3e5],
    ...                       "spend": [2e4, 1.8e5]})
    >>> parts_words(frame, "tier")
    'Mega brings 75.0% of influencer revenue for 90.0% of spend'
    """
    known = frame[(frame[key] != UNASSIGNED) & frame["influencer_revenue"].notna()]
    sums = [float(frame[name].sum()) for name in ("influencer_revenue", "spend")]
    negative = bool((frame[["influencer_revenue", "spend"]] < 0).any(axis=None))
    if len(known) < 2 or negative or not min(sums) > 0:
        return leader(frame, key, m.INFLUENCER_REVENUE)
    order = ["influencer_revenue", key]
    first = known.sort_values(order, ascending=[False, True]).iloc[0]
    if _level(known, key, "influencer_revenue"):
        return leader(frame, key, m.INFLUENCER_REVENUE)
    brought, cost = (
        text(float(first[name]) / whole, Unit.PERCENT)
        for name, whole in zip(("influencer_revenue", "spend"), sums, strict=True)
    )
    return f"{_first(first[key])} brings {brought} of influencer revenue for {cost} of spend"


def _highest(known: "pd.DataFrame", key: str, metric: Metric, base: str) -> str:
    """Where a ratio is highest among groups with enough cases, as a title."""
    label = metric.label.partition(" (")[0]
    cases = "orders" if base.endswith("orders") else base.replace("_", " ")
    enough = known[known[base] >= ENOUGH] if base in known.columns else known
    if enough.empty:
        return f"{label} by {_dimension(key)}: each rests on fewer than {ENOUGH} {cases}"
    first = enough.sort_values([metric.name, key], ascending=[False, True]).iloc[0]
    name, value = _first(first[key]), text(float(first[metric.name]), metric.unit, short=True)
    if len(known) == 1:
        return f"{label} of {named(first[key])}: {value}"
    if len(enough) == 1:
        return f"Only {named(first[key])} has {ENOUGH} {cases} or more: {label} {value}"
    if level := _level(enough, key, metric.name):
        few = f", from {ENOUGH} {cases} up" if len(enough) < len(known) else ""
        return f"Highest {_lower(label)}{few}: {level} at {value}"
    if len(enough) == len(known):
        return f"{name} has the highest {_lower(label)}: {value}"
    return f"Highest {_lower(label)}, from {ENOUGH} {cases} up: {named(first[key])}, {value}"


def _level(known: "pd.DataFrame", key: str, name: str) -> str:
    """Who share the first place; empty where one leads."""
    first = sorted(str(who) for who in known.loc[known[name] == known[name].max(), key])
    if len(first) < 2:
        return ""
    if len(first) > 3:
        return (
            f"the first {text(len(first), Unit.COUNT)} of {text(len(known), Unit.COUNT)} are level"
        )
    *others, last = (named(who) for who in first)
    return f"{', '.join(others)} and {last} are level"


def top_words(frame: "pd.DataFrame", name: str, label: str, count: int) -> str:
    """How many influencers a chart shows and by what they were chosen, as its title.

    Examples
    --------
    >>> import pandas as pd
    >>> top_words(pd.DataFrame({"posts": [4.0, 2.0]}), "posts", "posts", 10)
    'The 2 influencers with the most posts, and what they brought'
    >>> top_words(pd.DataFrame({"posts": [3.0, 3.0, 3.0, 1.0]}), "posts", "posts", 2)
    '3 influencers have the most posts, 3 each: 2 of them, and what they brought'
    >>> top_words(pd.DataFrame({"posts": [4.0, 0.0, 0.0, 0.0]}), "posts", "posts", 2)
    'The influencer with the most posts, and what came of it'
    """
    values = frame.loc[frame[name] > 0, name]
    if values.empty:
        return f"Nobody has {label}"
    shown, ties = min(count, len(values)), int((values == values.max()).sum())
    if shown == 1 and ties == 1:
        return f"The influencer with the most {label}, and what came of it"
    if ties > count:
        most = text(float(values.max()), Unit.COUNT)
        return (
            f"{text(ties, Unit.COUNT)} influencers have the most {label}, {most} each: {shown} of them, "
            "and what they brought"
        )
    return f"The {shown} influencers with the most {label}, and what they brought"


def highest_returns(report: Report, count: int) -> str:
    """How much of the highest returns of influencers is a matter of few orders, as a chart title."""
    frame = report.top_influencers(m.ROAS, count)
    if frame.empty:
        return "ROAS by influencer"
    shown = len(frame)
    few = int((frame["influencer_orders"].fillna(0) < ENOUGH).sum())
    if not few:
        return leader(report.influencers, "influencer", m.ROAS)
    if few == shown:
        who = "The highest ROAS rests" if shown == 1 else f"The {shown} highest ROAS all rest"
    else:
        who = f"{few} of the {shown} highest ROAS {'rests' if few == 1 else 'rest'}"
    return f"{who} on fewer than {ENOUGH} orders: much of it is chance"


def _first(name: object) -> str:
    """A name that begins a sentence; the data's own small letters (nano) become a capital there."""
    words = named(name)
    return words[:1].upper() + words[1:] if words.isalpha() and words.islower() else words


def share_of_top(frame: "pd.DataFrame", metric: Metric, whole: float, count: int) -> str:
    """How much of a total the first few bring, as a chart title."""
    if frame.empty or not whole > 0:
        return f"{metric.label} of the first {count}"
    first = float(frame[metric.name].head(count).sum())
    shown = min(count, len(frame))
    who = "One influencer brings" if shown == 1 else f"The first {shown} influencers bring"
    # What others take back makes a share of the rest no share.
    if first > whole:
        ends = [text(each, metric.unit, short=True) for each in (first, whole)]
        return f"{who} {ends[0]}; what others take back leaves {ends[1]} of {_lower(metric.label)}"
    share = text(first / whole, Unit.PERCENT)
    return f"{who} {share} of {_lower(metric.label)}"


def _lower(label: str) -> str:
    return label if label[:2].isupper() else f"{label[0].lower()}{label[1:]}"


def _dimension(key: str) -> str:
    return m.DIMENSIONS.get(key, key.replace("_", " ")).lower()


def mix_words(by_tier: "pd.DataFrame") -> str:
    """Which tier most of the active influencers belong to, as a chart title.

    Examples
    --------
    >>> import pandas as pd
    >>> mix_words(pd.DataFrame({"tier": ["nano", "mega"], "active_influencers": [30.0, 10.0]}))
    'Nano is the largest tier, with 75.0% of the active influencers'
    """
    known = by_tier[(by_tier["tier"] != UNASSIGNED) & (by_tier["active_influencers"] > 0)]
    if known.empty:
        return "Tiers of the active influencers on each platform"
    order = ["active_influencers", "tier"]
    first = known.sort_values(order, ascending=[False, True]).iloc[0]
    if len(known) == 1:
        return f"All active influencers of a known tier are {named(first['tier'])}"
    # An influencer has one tier, or none: the counts add up to all who were active.
    counts, whole = known["active_influencers"], float(by_tier["active_influencers"].sum())
    share = text(float(first["active_influencers"]) / whole, Unit.PERCENT)
    if int((counts == counts.max()).sum()) > 1:
        return f"No tier is the largest: the first ones hold {share} of the active influencers each"
    return f"{_first(first['tier'])} is the largest tier, with {share} of the active influencers"


def followers_words(report: Report) -> str:
    """How much of credited revenue the tenth with the most followers brings, as a chart title."""
    people = report.influencers
    people = people[(people["follower_count"] > 0) & (people["influencer_revenue"] > 0)]
    revenue = float(people["influencer_revenue"].sum())
    if len(people) < ENOUGH or not revenue > 0:
        return "Followers and credited revenue"
    order = ["follower_count", "influencer_id"]
    ranked = people.sort_values(order, ascending=[False, True])
    first = ranked.head(round(len(ranked) / 10))
    share = text(float(first["influencer_revenue"].sum()) / revenue, Unit.PERCENT)
    return f"The tenth with the most followers brings {share} of what sellers of known size bring"


def product_note(report: Report) -> str:
    """How much spend is in no product's return, as a note; empty where every rupee names a product."""
    frame = report.products_and_rest
    spend, whole = float(frame["spend"].sum()), frame["product"] == UNASSIGNED
    lost = float(frame.loc[whole, "spend"].sum())
    if not lost > 0 or bool(whole.all()):
        return ""
    return (
        f"{text(lost, Unit.MONEY)} of spend, {text(lost / spend, Unit.PERCENT)} of it, names no product: "
        "it is in the last line, and in no product's ROAS."
    )


def price_words(products: "pd.DataFrame") -> str:
    """How much of revenue the dearer half of the products brings, as a chart title.

    Examples
    --------
    >>> import pandas as pd
    >>> price_words(pd.DataFrame({"product": list("abcd"), "price": [1.0, 2.0, 3.0, 4.0],
    ...                           "revenue": [10.0, 10.0, 20.0, 60.0]}))
    'The dearer half of the products brings 80.0% of their revenue'
    """
    whole = float(products["revenue"].sum())
    if len(products) < 4 or products["price"].nunique() < 2 or not whole > 0:
        return "Price and revenue of each product"
    dear = products[products["price"] > products["price"].median()]
    share = text(float(dear["revenue"].sum()) / whole, Unit.PERCENT)
    if len(dear) * 2 == len(products):
        return f"The dearer half of the products brings {share} of their revenue"
    count = "1 product" if len(dear) == 1 else f"{text(len(dear), Unit.COUNT)} products"
    verb = "brings" if len(dear) == 1 else "bring"
    every = text(len(products), Unit.COUNT)
    return f"The {count} above the median price {verb} {share} of the revenue of all {every}"


def unpaid_words(report: Report) -> str:
    """Who is left out where only paid influencers are drawn, as a note; empty where nobody is."""
    people = report.influencers
    unpaid = people[~(people["spend"] > 0)]
    if unpaid.empty:
        return ""
    count = text(len(unpaid), Unit.COUNT)
    who = "1 influencer who was" if len(unpaid) == 1 else f"{count} influencers who were"
    revenue = float(unpaid["influencer_revenue"].sum())
    return (
        f"Left out: {who} paid nothing in this selection, with "
        f"{text(revenue, Unit.MONEY, short=True)} of credited revenue."
    )


def concentrated(frame: "pd.DataFrame") -> str:
    """How much the top tenth brings, as a chart title; how many they are, since few are no exact tenth.

    Examples
    --------
    >>> import pandas as pd
    >>> concentrated(pd.DataFrame({"group": ["Top 10%", "All sellers"], "share": [0.1, 1.0],
    ...                            "influencers": [9.0, 95.0], "revenue_share": [0.5794, 1.0]}))
    'The first 9 of 95 selling influencers bring 57.9% of credited revenue'
    """
    tenth = frame[frame["share"] == 0.1]
    if tenth.empty:
        return "Too few influencers sold anything to speak of concentration"
    if not tenth["revenue_share"].iloc[0] <= 1:  # others' returns leave less in all, or nothing
        return "What the first of the selling influencers bring"
    share = text(float(tenth["revenue_share"].iloc[0]), Unit.PERCENT)
    few, all_ = (
        text(float(rows["influencers"].iloc[0]), Unit.COUNT)
        for rows in (tenth, frame[frame["share"] == 1])
    )
    who = (
        f"first of {all_} selling influencers brings"
        if few == "1"
        else f"first {few} of {all_} selling influencers bring"
    )
    return f"The {who} {share} of credited revenue"


def best_cell(frame: "pd.DataFrame", rows: str, across: str, metric: Metric) -> str:
    """Where a metric is highest among cells with a base of at least 30 orders, as a chart title.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"brand": ["A", "B"], "platform": ["YouTube"] * 2, "roas": [9.0, 2.0],
    ...                       "influencer_orders": [3.0, 300.0]})
    >>> best_cell(frame, "brand", "platform", m.ROAS)
    'Only B on YouTube has 30 orders or more: ROAS 2.0×'
    >>> best_cell(frame.assign(influencer_orders=90.0), "brand", "platform", m.ROAS)
    'ROAS is highest for A on YouTube, at 9.0×, among those with 30 orders or more'
    >>> best_cell(frame.assign(influencer_orders=90.0, roas=2.0), "brand", "platform", m.ROAS)
    'Highest ROAS, from 30 orders up: 2.0× in several places'
    """
    known = frame[frame[metric.name].notna() & (frame["influencer_orders"] >= ENOUGH)]
    known = known[(known[rows] != UNASSIGNED) & (known[across] != UNASSIGNED)]
    if known.empty:
        return f"{metric.label} by {_dimension(rows)} and {_dimension(across)}"
    first = known.sort_values([metric.name, rows, across], ascending=[False, True, True]).iloc[0]
    value = text(float(first[metric.name]), metric.unit)
    if len(known) == 1:
        return (
            f"Only {named(first[rows])} on {named(first[across])} has {ENOUGH} orders or more: "
            f"{metric.label} {value}"
        )
    if int((known[metric.name] == first[metric.name]).sum()) > 1:
        return f"Highest {_lower(metric.label)}, from {ENOUGH} orders up: {value} in several places"
    return (
        f"{metric.label} is highest for {named(first[rows])} on {named(first[across])}, at {value}, "
        f"among those with {ENOUGH} orders or more"
    )
