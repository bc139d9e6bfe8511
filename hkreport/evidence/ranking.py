"""Who is reliably good, and who reliably poor? Influencers on fixed fees, with luck taken out.

Raw ROAS puts the lucky few of the small accounts on top. Here each influencer's return is drawn towards
her cell (tier × platform) as far as her own orders leave it open. The estimator is
:mod:`hkreport.methods.shrinkage`; this module hands it the slice of a report.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hkreport import metrics as m
from hkreport.evidence import comparisons
from hkreport.evidence.once import once
from hkreport.methods import shrinkage
from hkreport.methods.estimate import Refusal
from hkreport.metrics import UNASSIGNED
from hkreport.prose import Prose
from hkreport.units import Unit, escape_markdown, text

if TYPE_CHECKING:
    import pandas as pd

    from hkreport.views import Report

__all__ = ["CONFIDENCE", "Ranking", "ranking", "scored"]

# Intervals of single influencers: four of five hold the truth.
CONFIDENCE = 0.8


@dataclass(frozen=True, slots=True)
class Ranking:
    """Influencers on fixed fees by shrunk ROAS.

    Attributes
    ----------
    frame : DataFrame
        ``influencer_id``, ``influencer``, ``platform``, ``tier``, ``spend``, ``influencer_revenue``,
        ``influencer_orders``, ``roas`` (raw), ``shrunk_roas``, ``low``, ``high``, ``reliability``,
        best first; empty where nothing can be said.
    refusal : Refusal or None
        Why nothing can be said.
    average : float
        ROAS of all of them together.
    shape : float
        Of the Gamma distribution of influencers; NaN where refused.
    noise : float
        Squared coefficient of variation of a post's orders beyond Poisson.
    """

    frame: "pd.DataFrame"
    refusal: Refusal | None
    average: float
    shape: float
    noise: float

    def best(self, count: int) -> "pd.DataFrame":
        """The influencers with the highest shrunk ROAS."""
        return self.frame.head(count)

    def worst(self, count: int) -> "pd.DataFrame":
        """The influencers with the lowest shrunk ROAS, lowest first."""
        order = ["shrunk_roas", "influencer_id"]
        return self.frame.sort_values(order, ignore_index=True).head(count)

    def surely_below(self, level: float) -> "pd.DataFrame":
        """Influencers whose whole interval lies below a ROAS, most spent on first."""
        below = self.frame[self.frame["high"] < level]
        return below.sort_values(
            ["spend", "influencer_id"], ascending=[False, True], ignore_index=True
        )

    @property
    def title(self) -> str:
        """How many are very likely better than all together."""
        if self.refusal is not None:
            return "Influencers with luck taken out"
        sure = int((self.frame["low"] > self.average).sum())
        return (
            f"{sure} of {len(self.frame)} influencers very likely return more than "
            f"{text(self.average, Unit.MULTIPLE)}, the ROAS of all"
        )

    @property
    def empty(self) -> str:
        """What to show in place of a list."""
        return str(self.refusal) if self.refusal is not None else ""

    def note(self) -> Prose:
        """How to read the lists."""
        if self.refusal is not None:
            return Prose(escape_markdown(str(self.refusal)) + "\n")
        usual = float(self.frame["reliability"].median())
        words = (
            f"{len(self.frame)} influencers on fixed fees. ROAS here is drawn towards the average of tier "
            f"and platform as far as few orders leave it open; for half of them, their own record counts "
            f"{text(usual, Unit.PERCENT)} or more. Intervals hold the true return of four in five."
        )
        return Prose(escape_markdown(words) + "\n")


@once
def ranking(report: "Report") -> Ranking:
    """Shrink the return of the report's influencers on fixed fees."""
    rules = report.settings.insights
    people = comparisons.panel(report)
    columns = ["influencer_id", "influencer", "platform", "tier", "spend"]
    columns += ["influencer_revenue", "influencer_orders", "roas"]
    empty = (
        report.influencers[columns]
        .iloc[:0]
        .assign(shrunk_roas=0.0, low=0.0, high=0.0, reliability=0.0)
    )
    people = people[people["spend"] > 0]
    nan = float("nan")
    if report.filters.min_roas is not None:
        return Ranking(empty, Refusal(comparisons.PICKED), nan, nan, nan)
    if people.empty:
        paid = bool((report.influencers["spend"] > 0).any())
        why = comparisons.NOT_FIXED if paid else comparisons.NO_SPEND
        return Ranking(empty, Refusal(why), nan, nan, nan)
    noise = _noise(report, people["influencer_id"].tolist())
    spend, revenue = people["spend"].to_numpy(float), people["revenue"].to_numpy(float)
    average = float(revenue.sum() / spend.sum())
    posts = np.maximum(np.nan_to_num(people["posts"].to_numpy(float)), 1.0)
    cells = (
        people["tier"].fillna(UNASSIGNED) + "|" + people["platform"].fillna(UNASSIGNED)
    ).tolist()
    made = shrinkage.shrink(
        people["orders"].to_numpy(float),
        revenue,
        spend,
        cells,
        confidence=CONFIDENCE,
        noise=noise / posts,
        least_influencers=rules.least_influencers,
        least_orders=rules.least_orders,
    )
    if isinstance(made, Refusal):
        return Ranking(empty, made, average, nan, noise)
    found = people[["influencer_id"]].assign(
        shrunk_roas=made.roas, low=made.low, high=made.high, reliability=made.reliability
    )
    frame = report.influencers[columns].merge(found, on="influencer_id")
    frame = frame.sort_values(
        ["shrunk_roas", "influencer_id"], ascending=[False, True], ignore_index=True
    )
    return Ranking(frame, None, average, made.shape, noise)


def _noise(report: "Report", ids: list[str]) -> float:
    """How unevenly orders fall on posts, from the months of each influencer up to the period's end."""
    known = report.past.known
    if not {"posts", "influencer_orders"} <= known:
        return 0.0
    rows = report.past.rows
    rows = rows.filter(rows["influencer_id"].notnull())
    measures = [m.POSTS, m.INFLUENCER_ORDERS, *([m.REACH] if "reach" in known else [])]
    frame = m.compute(rows, measures, by=["influencer", "month"], known=known)
    frame = frame[(frame["month"] != UNASSIGNED) & (frame["posts"] > 0)]
    frame = frame[frame["influencer_id"].isin(ids)]
    # Reach is luck that one sees; where it is known, only the rest is noise.
    size = frame["reach"] if "reach" in known else frame["posts"]
    frame = frame.assign(size=size.astype(float))
    frame = frame[frame["size"] > 0]
    who = frame["influencer_id"].astype("category").cat.codes.to_numpy().astype(np.int64)
    return shrinkage.post_noise(
        who,
        np.maximum(frame["influencer_orders"].to_numpy(float), 0.0),
        frame["size"].to_numpy(float),
        frame["posts"].to_numpy(float),
    )


@once
def scored(report: "Report") -> "pd.DataFrame":
    """The report's influencers with ``shrunk_roas``, and the performance score ranked by it.

    Ranks are those of the unfiltered population, by the weights of the params. Who is not paid a fixed
    fee has a ROAS that the contract decides; it ranks as it is. Where nothing can be shrunk, the score is
    that of raw ROAS.
    """
    from dataclasses import replace

    from hkreport.ledger import Filters

    people = report.influencers
    whole = report
    if report.filters:
        whole = replace(report, current=report.population, filters=Filters(), hidden=None)
    made = ranking(whole)
    shrunk = made.frame.set_index("influencer_id")["shrunk_roas"]
    frame = people.assign(shrunk_roas=people["influencer_id"].map(shrunk).astype(float))
    weights = report.settings.scores.performance
    if made.refusal is not None or "roas" not in weights:
        return frame
    parts = [m.find(name) for name in weights]
    base = whole.compute(parts, "influencer")
    base = base[base["influencer_id"] != UNASSIGNED].set_index("influencer_id")
    base["roas"] = shrunk.reindex(base.index).fillna(base["roas"])
    total, known = 0.0 * base["roas"].fillna(0.0), 0.0 * base["roas"].fillna(0.0)
    for name, weight in weights.items():
        count = base[name].notna().sum()
        rank = (base[name].rank() - 1) / (count - 1) if count > 1 else base[name] * 0 + 1.0
        total += (weight * rank).fillna(0.0)
        known += weight * rank.notna()
    # Less than half of the weight says too little, as in metrics.
    score = 100 * total / known.where(known >= 0.5 * sum(weights.values()))
    return frame.assign(performance_score=frame["influencer_id"].map(score))
