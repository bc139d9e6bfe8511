"""Credit for the orders of one report along the touches before them, under every model at once.

Touches are joined to orders by customer, within the windows of the params; journeys of one touch are
summed in the database, and only those of several come here touch by touch. Without touchpoints the
orders that the export credits are shared over the influencer's posts before them. All of it is credit,
not cause; the rules themselves are in :mod:`hkreport.methods.attribution`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hkreport.evidence.journeys import (
    NO_POST,
    Journeys,
    by_platform,
    by_source,
    credited,
    posted,
    taken_back,
    touched,
)
from hkreport.metrics import UNASSIGNED, Total
from hkreport.prose import Prose, named
from hkreport.schema import fold
from hkreport.units import Unit, escape_markdown, text
from hkreport.views import Report

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from hkreport.methods.attribution import Paths

    Floats = NDArray[np.float64]

__all__ = ["MODELS", "Attribution", "credits"]

# Name, label and rule of each model, in the order in which they are shown.
MODELS: Mapping[str, tuple[str, str]] = {
    "exported": ("As exported", "The export's own credit, at the influencer's home platform."),
    "post": ("Named post", "The post that the order's source names."),
    "last": ("Last", "All to the last touch."),
    "first": ("First", "All to the first touch."),
    "linear": ("Linear", "The same to every touch."),
    "position": ("Position", "Most to the first and the last touch."),
    "decay": ("Decay", "Less to older touches, by an assumed half-life."),
    "markov": ("Markov", "By what would be lost without the channel in a chain of touches."),
    "shapley": ("Shapley", "Equally to the distinct channels of each path."),
    "score": ("Score", "By weight of the platform, age and engagement of the post."),
}

LEVELS = ("platform", "tier", "influencer")
PLURAL = {
    "platform": "Platforms",
    "tier": "Tiers",
    "influencer": "Influencers",
    "post": "Posts that orders name",
}

TOP = 10  # influencers, or posts, that are shown
MOST_CHANNELS = 1000  # the chain is a square matrix of channels; influencers beyond are one channel

OTHERS = "others"
# Sorts behind every id, and is none.
POOL = "\uffff"

CREDIT = (
    "Credit, not cause: what would have been lost without these posts only an experiment tells."
)


@dataclass(frozen=True)
class Attribution:
    """Credit under every model, and what to say about it.

    Attributes
    ----------
    level : str
        What `frame` compares: the first of platform, tier and influencer with two channels or more.
    frame : DataFrame
        One row a model and channel: a column called as `level`, ``model`` (label), ``orders``,
        ``revenue``, ``share`` (of orders). Without rows where nothing can be compared.
    levels : mapping of str to DataFrame
        The same for each level that can be shown; influencers have an ``influencer_id`` and are the
        ten with most credit.
    table : DataFrame
        One row a channel of any level: ``level``, ``channel``, and orders under each model.
    columns : tuple of Total
        Declarations of the models' columns in `table`.
    title : str
        What the comparison shows.
    note : Prose
        Windows, paths, the comparison with last touch; or why there is none.
    rules : str
        What each model in `table` does, for the small print.
    paths, orders : int, float
        Paths counted, those without an order included; orders with a touch.
    several : float
        Share of paths with several touches.
    refused : str
        Why the models along paths are not shown; empty when they are.
    """

    level: str
    frame: "pd.DataFrame"
    levels: Mapping[str, "pd.DataFrame"]
    table: "pd.DataFrame"
    columns: tuple[Total, ...]
    title: str
    note: Prose
    rules: str = ""
    paths: int = 0
    orders: float = 0.0
    several: float = 0.0
    refused: str = ""


def credits(report: Report) -> Attribution:
    """Share the orders of a report's brand and period among the channels touched before them.

    Never raises for what the exports lack: the note says why nothing is shown. Filters other than
    the brand do not apply, because a customer's path crosses platforms and tiers.
    """
    journeys, reason = touched(report)
    if journeys is not None and not reason:
        reason = _too_few(journeys, report)
    if journeys is not None and not reason:
        return _along_paths(report, journeys)
    return _by_posts(report, reason)


# Models along paths


def _too_few(journeys: Journeys, report: Report) -> str:
    """Why the models cannot be told apart, or nothing."""
    least = report.settings.attribution
    if journeys.paths < least.paths_at_least:
        return (
            f"{text(journeys.paths, Unit.COUNT)} paths with touches fall into this period; "
            f"{text(least.paths_at_least, Unit.COUNT)} are needed to compare models."
        )
    several = len(journeys.heads) / journeys.paths
    if several < least.several_at_least:
        share = text(1 - several, Unit.PERCENT)
        return f"{share} of paths have one touch, so all models agree with last touch."
    return ""


def _along_paths(report: Report, journeys: Journeys) -> Attribution:
    levels = {}
    weights = _weights(report, journeys)
    for level in LEVELS:
        frame = _level(report, journeys, level, weights)
        if not frame.empty:
            levels[level] = frame
    models = list(MODELS)[2:]
    compared = next((name for name, frame in levels.items() if _channels(frame, name) > 1), "")
    if not compared:
        least = text(report.settings.attribution.orders_at_least, Unit.COUNT)
        reason = f"Fewer than two channels have {least} orders with a touch: there is nothing to compare."
        return _by_posts(report, reason)
    frame = levels[compared]
    several = len(journeys.heads) / journeys.paths
    parts = [
        _counted(report, journeys, several),
        _against_last(frame, compared),
        _only_one(levels),
    ]
    return Attribution(
        level=compared,
        frame=frame,
        levels=levels,
        table=_wide(levels, models),
        columns=_columns(models),
        title=_title(frame, compared),
        note=_note(parts, report),
        rules=_rules(models),
        paths=round(journeys.paths),
        orders=journeys.total("conversions"),
        several=several,
    )


def _channels(frame: "pd.DataFrame", level: str) -> int:
    return int(frame.loc[frame[level] != OTHERS, level].nunique())


def _level(
    report: Report, journeys: Journeys, level: str, weights: "Mapping[str, Floats]"
) -> "pd.DataFrame":
    """Credit by model and channel of one level; channels with few orders stand in one row."""
    import pandas as pd

    key = _key(level)
    paths = _paths(journeys, key)
    known = dict(zip(paths.channels, paths.converting.tolist(), strict=True))
    least = report.settings.attribution.orders_at_least
    shown = {name for name, orders in known.items() if orders >= least} - {POOL}
    if not shown:
        return pd.DataFrame()
    credit = _models(report, paths, weights)
    if level == "influencer":
        order = dict(zip(paths.channels, credit["shapley"][:, 0].tolist(), strict=True))
        shown = set(sorted(shown, key=lambda name: (-order[name], name))[:TOP])
    frame = _long(paths.channels, credit, key)
    frame[key] = frame[key].where(frame[key].isin(shown), OTHERS)
    return _finished(report, frame, level, key)


def _paths(journeys: Journeys, key: str) -> "Paths":
    """The journeys with their channels at one level."""
    import numpy as np
    import pandas as pd

    from hkreport.methods.attribution import Paths

    single, several, heads = journeys.single, journeys.several, journeys.heads
    channel = pd.concat([single[key], several[key]], ignore_index=True)
    largest = channel.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    if len(largest) > MOST_CHANNELS:
        channel = channel.where(channel.isin(largest.index[: MOST_CHANNELS - 1]), POOL)
    number = pd.factorize(several["journey"])[0] + len(single)

    def of_paths(name: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
        return np.concatenate([single[name].to_numpy(float), heads[name].to_numpy(float)])

    return Paths.of_touches(
        channel.to_numpy(object),
        np.concatenate([np.arange(len(single)), number]).astype(np.int64),
        *(of_paths(name) for name in ("conversions", "revenue", "nulls")),
    )


def _weights(report: Report, journeys: Journeys) -> "dict[str, Floats]":
    """Weights of every touch for time decay and the weighted score; one touch alone weighs 1."""
    import numpy as np

    from hkreport.methods.attribution import decayed

    half_life = report.settings.attribution.half_life_hours
    age = decayed(journeys.several["age"].to_numpy(float), half_life)
    alone = np.ones(len(journeys.single))
    score = age * _strength(report, journeys.several)
    return {"decay": np.concatenate([alone, age]), "score": np.concatenate([alone, score])}


def _models(report: Report, paths: "Paths", weights: "Mapping[str, Floats]") -> "dict[str, Floats]":
    """Credit of every model along paths: orders and revenue by channel."""
    from hkreport.methods import attribution as rules

    return {
        "last": rules.last_touch(paths),
        "first": rules.first_touch(paths),
        "linear": rules.linear(paths),
        "position": rules.position_based(paths, report.settings.attribution.position_ends),
        "decay": rules.weighted(paths, weights["decay"]),
        "markov": rules.markov(paths),
        "shapley": rules.shapley(paths),
        "score": rules.weighted(paths, weights["score"]),
    }


def _strength(report: Report, touches: "pd.DataFrame") -> "Floats":
    """Weight of the platform times engagement; unknown engagement is the median of the known."""
    import numpy as np
    import pandas as pd

    asked = report.settings.attribution
    weights = {fold(name): weight for name, weight in asked.platform_weights.items()}
    names = touches["platform"].unique().tolist()
    strengths = {name: weights.get(fold(name), asked.other_platforms) for name in names}
    platform = touches["platform"].map(strengths)
    engagement = pd.to_numeric(touches["engagement"]).astype(float)
    usual = engagement.median()
    engagement = engagement.fillna(1.0 if pd.isna(usual) else float(usual))
    return np.asarray(platform.to_numpy(float) * engagement.to_numpy(float))


# Frames


def _long(channels: Sequence[str], credit: Mapping[str, Any], key: str) -> "pd.DataFrame":
    import pandas as pd

    return pd.concat(
        [
            pd.DataFrame(
                {key: list(channels), "name": name, "orders": both[:, 0], "revenue": both[:, 1]}
            )
            for name, both in credit.items()
        ],
        ignore_index=True,
    )


def _finished(report: Report, frame: "pd.DataFrame", level: str, key: str) -> "pd.DataFrame":
    """Sum by channel and model, in order of models and of size, with shares and names."""
    sums = frame.groupby([key, "name"], as_index=False, sort=True)[["orders", "revenue"]].sum()
    whole = sums.groupby("name")["orders"].transform("sum")
    sums["share"] = sums["orders"] / whole.where(whole > 0)
    sums["model"] = sums["name"].map(lambda name: MODELS[name][0])
    sums["place"] = sums["name"].map(list(MODELS).index)
    size = sums.groupby(key)["orders"].sum()
    size[[name for name in size.index if name in (OTHERS, NO_POST, UNASSIGNED)]] = -1.0
    rank = {name: at for at, name in enumerate(size.sort_index().sort_values(
        ascending=False, kind="stable").index)}  # fmt: skip
    sums["rank"] = sums[key].map(rank)
    sums = sums.sort_values(["rank", "place"], ignore_index=True)
    if level == "influencer":
        sums["influencer"] = sums[key].map(_names(report, sums[key].unique().tolist()))
    columns = list(dict.fromkeys([key, level]))
    return sums[[*columns, "model", "name", "orders", "revenue", "share"]]


def _names(report: Report, ids: Sequence[str]) -> dict[str, str]:
    """Influencers by id; where two share a name, with the id behind it."""
    # Whoever sold something in the period is named there; the whole ledger is read for the others alone.
    found: dict[str, str] = {}
    for rows in (report.population.rows, report.data.ledger.rows):
        lacking = [each for each in ids if each not in found]
        if not lacking:
            break
        rows = rows.filter(rows["influencer_id"].isin(lacking))
        people = rows.group_by("influencer_id").aggregate(influencer=rows["influencer"].max())
        frame = people.to_pandas().dropna()
        found |= dict(zip(frame["influencer_id"], frame["influencer"], strict=True))
    names = {each: str(found.get(each, each)) for each in ids}
    alike = Counter(names.values())
    return {each: name if alike[name] == 1 else f"{name} ({each})" for each, name in names.items()}


def _wide(levels: Mapping[str, "pd.DataFrame"], models: Sequence[str]) -> "pd.DataFrame":
    """All levels under each other, one column a model."""
    import pandas as pd

    parts = []
    for level, frame in levels.items():
        key = _key(level)
        wide = frame.pivot(index=key, columns="name", values="orders")
        order = frame.drop_duplicates(key)
        wide = wide.reindex(index=order[key].tolist(), columns=list(models)).reset_index(drop=True)
        if level != "post":  # what a model gives nothing to has no credit; posts have one model
            wide = wide.fillna(0.0)
        rest = f"{OTHERS} ({PLURAL[level].lower()})"
        wide.insert(0, "channel", [rest if name == OTHERS else name for name in order[level]])
        wide.insert(0, "level", PLURAL[level])
        parts.append(wide)
    if not parts:
        return pd.DataFrame(columns=["level", "channel", *models])
    return pd.concat(parts, ignore_index=True).rename_axis(columns=None).round(6)


def _columns(models: Sequence[str]) -> tuple[Total, ...]:
    """Declarations of the models' columns, for the table."""
    return tuple(
        Total(
            name=name,
            label=MODELS[name][0],
            unit=Unit.COUNT,
            column="orders",
            description=MODELS[name][1],
            source="METHODS of the project: credit, not cause.",
        )
        for name in models
    )


# Words


def _rules(models: Sequence[str]) -> str:
    return " ".join(f"{MODELS[name][0]}: {_lower(MODELS[name][1])}" for name in models)


def _lower(words: str) -> str:
    return f"{words[0].lower()}{words[1:]}"


def _note(parts: Sequence[str], report: Report) -> Prose:
    filtered = "The filters of this report do not apply here: paths cross them."
    said = [CREDIT, *parts, filtered if report.filters else ""]
    return Prose(escape_markdown(" ".join(part for part in said if part)) + "\n")


def _counted(report: Report, journeys: Journeys, several: float) -> str:
    windows = report.settings.attribution
    orders = journeys.total("conversions")
    coded = text(journeys.total("coded") / orders, Unit.PERCENT)
    return (
        f"{text(orders, Unit.COUNT)} orders had a post viewed within {windows.view_days} days or clicked "
        f"within {windows.click_days} days before them, and the exports credit {coded} of these to influencers. "
        f"With those who bought nothing there are {text(journeys.paths, Unit.COUNT)} paths; "
        f"{text(several, Unit.PERCENT)} of them have several touches."
    )


def _against_last(frame: "pd.DataFrame", level: str) -> str:
    """Where a model departs most from last touch."""
    key = _key(level)
    last = frame[frame["name"] == "last"].set_index(key)["share"]
    moved = (frame["share"] - frame[key].map(last)).tolist()
    at = max(range(len(moved)), key=lambda row: abs(moved[row]))
    if abs(moved[at]) < 0.0005:
        return f"All models agree with last touch on every {level}."
    label, model, share = (frame[name].tolist()[at] for name in (level, "name", "share"))
    return (
        f"Against last touch no {level} moves further than {named(label)} under {_SPOKEN[model]}: "
        f"it {'gains' if moved[at] > 0 else 'loses'} {text(abs(moved[at]) * 100, Unit.COUNT)} points, "
        f"to {text(share, Unit.PERCENT)} of these orders."
    )


def _key(level: str) -> str:
    """What tells the channels of a level apart: names of influencers repeat."""
    return "influencer_id" if level == "influencer" else level


_SPOKEN: Mapping[str, str] = {
    "last": "last touch",
    "first": "first touch",
    "linear": "the linear model",
    "position": "the position-based model",
    "decay": "time decay",
    "markov": "the Markov chain",
    "shapley": "Shapley values",
    "score": "the weighted score",
}


def _only_one(levels: Mapping[str, "pd.DataFrame"]) -> str:
    alone = [name for name, frame in levels.items() if _channels(frame, name) == 1]
    lacking = [name for name in LEVELS if name not in levels]
    said = [f"All of it is on one {name}." for name in alone]
    said += [f"No {name} has orders enough to be shown." for name in lacking]
    return " ".join(said)


def _title(frame: "pd.DataFrame", level: str) -> str:
    """The range of the leading channel's share over the models; or that posts explain few orders."""
    lost = frame.loc[(frame[level] == NO_POST) & (frame["name"] == "score"), "share"].sum()
    if lost > 0.2:
        share = text(float(lost), Unit.PERCENT)
        return (
            f"{share} of credited orders have no post of their influencer in the window before them"
        )
    first = frame[level].iloc[0]
    shares = frame.loc[frame[level] == first, "share"]
    low, high = (text(float(end), Unit.PERCENT) for end in (shares.min(), shares.max()))
    span = low if low == high else f"{low} to {high}"
    return f"{named(first)} gets {span} of the credit, by model: credit, not cause"


# Without paths


def _by_posts(report: Report, reason: str) -> Attribution:
    """Credited orders shared over the influencers' posts before them, by the weighted score."""
    import pandas as pd

    empty = pd.DataFrame(columns=["platform", "model", "name", "orders", "revenue", "share"])
    found = _over_posts(report)
    levels, words = ({}, found) if isinstance(found, str) else found
    shown = levels.get("platform")
    if shown is not None and _channels(shown[shown["platform"] != NO_POST], "platform") < 2:
        words = "All credited orders belong to one platform: nothing can be compared."
        shown = None
    if shown is None:
        note = _note([reason, words], report)
        return Attribution("platform", empty, {}, _wide({}, ()), (), "", note, refused=reason)
    models = list(dict.fromkeys(shown["name"]))
    return Attribution(
        level="platform",
        frame=shown,
        levels=levels,
        table=_wide(levels, models),
        columns=_columns(models),
        title=_title(shown, "platform"),
        note=_note([reason, words], report),
        rules=_rules(models),
        orders=float(shown.loc[shown["name"] == models[0], "orders"].sum()),
        refused=reason,
    )


def _over_posts(report: Report) -> "tuple[dict[str, pd.DataFrame], str] | str":
    """Credit by platform from orders and posts alone, with a sentence; or why there is none."""
    import pandas as pd

    posts = report.data.table("posts")
    if posts is None:
        return "There are no posts either, so credit stays as the exports give it."
    if "influencer_orders" not in report.population.known:
        return "The exports hold no orders, so there is no credit to share."
    sold = credited(report)
    exported = by_platform(sold, sold["platform"])
    if not exported["orders"].sum() > 0:
        return "No order of this period is credited to an influencer."
    parts = [exported.assign(name="exported")]
    words = []
    whole = float(exported["orders"].sum())
    levels = {}
    linked, most = by_source(report, sold, TOP)
    told = float(linked.loc[linked["platform"] != NO_POST, "orders"].sum()) / whole
    if told >= 0.5:
        parts.append(linked.assign(name="post"))
        levels["post"] = most.assign(
            model=MODELS["post"][0], name="post", share=most["orders"] / whole
        )
        words.append(
            f"The source of {text(told, Unit.PERCENT)} of credited orders names the post that led to them."
        )
    scored = _scored(report, sold, posts)
    parts.append(scored.assign(name="score"))
    days = report.settings.attribution.view_days
    before = 1 - float(scored.loc[scored["platform"] == NO_POST, "orders"].sum()) / whole
    if before <= 0 and told < 0.5:
        return f"No credited order has a post of its influencer in the {days} days before it."
    words.append(
        f"{text(before, Unit.PERCENT)} of credited orders have a post of their influencer in the {days} days "
        "before them; the score shares each over these posts by weight of the platform, age "
        f"(half-life {report.settings.attribution.half_life_hours:g} hours, an assumption) and engagement."
    )
    if back := taken_back(report):
        words.append(f"Rows that take back {text(back, Unit.COUNT)} of these orders are left out.")
    frame = _finished(report, pd.concat(parts, ignore_index=True), "platform", "platform")
    return {"platform": frame, **levels}, " ".join(words)


def _scored(report: Report, sold: "ir.Table", posts: "ir.Table") -> "pd.DataFrame":
    """Orders by platform of the influencer's posts before them, shared by the weighted score."""
    import numpy as np
    import pandas as pd

    from hkreport.methods import attribution as rules

    asked = report.settings.attribution
    journeys = posted(report, sold, posts)
    several = journeys.several
    age = rules.day_weight(several["age"].to_numpy(float), asked.half_life_hours / 24)
    paths = _paths(journeys, "platform")
    alone = np.ones(len(journeys.single))
    credit = rules.weighted(paths, np.append(alone, age * _strength(report, several)))
    return pd.DataFrame(
        {"platform": list(paths.channels), "orders": credit[:, 0], "revenue": credit[:, 1]}
    )
