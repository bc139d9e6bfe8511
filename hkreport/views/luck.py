"""What do influencers return once luck is taken out? One answer for scores, rankings and alerts.

The best of many small records is mostly lucky. Each influencer on fixed fees is drawn towards her cell
(tier × platform) as far as her own orders leave it open; the estimator is
:mod:`hkreport.methods.shrinkage`, and this module hands it a slice of the ledger. Who is paid by the order
has a return that the contract decides: it stands as counted.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hkreport import metrics as m
from hkreport.ledger import Ledger
from hkreport.methods.estimate import Refusal
from hkreport.metrics import UNASSIGNED
from hkreport.params import InsightRules

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CONFIDENCE", "FIXED", "FeeReturns", "fee_returns", "unfixed"]

# Intervals of single influencers: four of five hold the truth.
CONFIDENCE = 0.8

FIXED = "post"

_MEASURES = {"spend", "influencer_revenue", "influencer_orders"}

NOT_FIXED = (
    "Payouts follow orders here, so return on spend is order value over the agreed rate; groups of "
    "influencers are shown, not compared."
)
NO_SPEND = (
    "Nothing was paid in this selection, so groups of influencers are not compared by return."
)
NO_PAYOUTS = (
    "The exports do not tell what was paid, so groups of influencers are not compared by return."
)
NO_REVENUE = "The exports do not tell what influencers brought, so groups of influencers are not compared by return."


@dataclass(frozen=True, slots=True)
class FeeReturns:
    """Return on fixed fees by influencer, with luck taken out.

    Attributes
    ----------
    frame : DataFrame
        ``influencer_id``, ``shrunk_roas``, ``low``, ``high``, ``reliability``, by id; empty where
        nothing can be said.
    refusal : Refusal or None
        Why nothing can be said; scores then rank ROAS as counted.
    average : float
        ROAS of all of them together; NaN where nobody is paid a fixed fee.
    shape : float
        Of the Gamma distribution of influencers; NaN where refused.
    noise : float
        Squared coefficient of variation of a post's orders beyond Poisson.
    bases : mapping of str to str
        Payout basis by influencer, of those whose basis is known.
    """

    frame: "pd.DataFrame"
    refusal: Refusal | None
    average: float
    shape: float
    noise: float
    bases: Mapping[str, str]

    @property
    def ranked(self) -> m.Returns:
        """What a performance score ranks: returns without luck, among those on the same payout basis."""
        roas = dict(zip(self.frame["influencer_id"], self.frame["shrunk_roas"], strict=True))
        roi = {name: value - 1.0 for name, value in roas.items()}
        return m.Returns(shrunk={"roas": roas, "roi": roi}, peers=self.bases)

    @property
    def scored(self) -> str:
        """What return means in a performance score, as a sentence."""
        how = (
            "as counted"
            if self.refusal is not None
            else "with luck taken out where fees are fixed and as counted where payouts follow orders"
        )
        return f"The performance score ranks return among those on the same payout basis, {how}."


def fee_returns(current: Ledger, past: Ledger, rules: InsightRules) -> FeeReturns:
    """Take luck out of the return of the influencers on fixed fees.

    Parameters
    ----------
    current : Ledger
        The slice whose returns are wanted, such as a brand's quarter.
    past : Ledger
        The same over all dates up to its end: it tells how unevenly orders fall on posts.
    rules : InsightRules
        Below how many influencers and orders nothing is said.
    """
    import numpy as np

    from hkreport.methods import shrinkage

    people = _people(current)
    fixed, nan = _fixed(people), float("nan")
    fixed = fixed[fixed["spend"] > 0]
    known = people[people["payout_basis"].notna()]
    bases = dict(zip(known["influencer_id"], known["payout_basis"], strict=True))
    if fixed.empty:
        why = unfixed(current.known, paid=bool((people["spend"] > 0).any()))
        return FeeReturns(_nothing(), Refusal(why), nan, nan, nan, bases)
    noise = _noise(past, fixed["influencer_id"].tolist())
    spend, revenue = (fixed[name].to_numpy(float) for name in ("spend", "influencer_revenue"))
    average = float(revenue.sum() / spend.sum())
    posts = np.maximum(np.nan_to_num(fixed["posts"].to_numpy(float)), 1.0)
    cells = fixed["tier"].fillna(UNASSIGNED) + "|" + fixed["platform"].fillna(UNASSIGNED)
    made = shrinkage.shrink(
        fixed["influencer_orders"].to_numpy(float),
        revenue,
        spend,
        cells.tolist(),
        confidence=CONFIDENCE,
        noise=noise / posts,
        least_influencers=rules.least_influencers,
        least_orders=rules.least_orders,
    )
    if isinstance(made, Refusal):
        return FeeReturns(_nothing(), made, average, nan, noise, bases)
    frame = fixed[["influencer_id"]].assign(
        shrunk_roas=made.roas, low=made.low, high=made.high, reliability=made.reliability
    )
    return FeeReturns(frame.reset_index(drop=True), None, average, made.shape, noise, bases)


def unfixed(known: Collection[str], *, paid: bool) -> str:
    """Why nobody has a return on a fixed fee: what is not known, or that no fixed fee was paid."""
    if "spend" not in known:
        return NO_PAYOUTS
    if not set(known) >= _MEASURES:
        return NO_REVENUE
    return NOT_FIXED if paid else NO_SPEND


def _nothing() -> "pd.DataFrame":
    import pandas as pd

    columns = {"influencer_id": object, "shrunk_roas": float, "low": float, "high": float,
               "reliability": float}  # fmt: skip
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


def _people(current: Ledger) -> "pd.DataFrame":
    """Each influencer's sums and traits, by id; without spend or revenue in the exports, no row."""
    rows = current.rows.filter(current.rows["influencer_id"].notnull())
    sums = m.compute(
        rows,
        [m.SPEND, m.INFLUENCER_REVENUE, m.INFLUENCER_ORDERS, m.POSTS],
        by=["influencer"],
        known=current.known,
    )
    if not current.known >= _MEASURES:
        sums = sums.iloc[:0]
    traits = rows.select("influencer_id", "tier", "platform", "payout_basis").distinct()
    first = traits.to_pandas().groupby("influencer_id", as_index=False).first()
    return sums.merge(first, on="influencer_id", how="left")


def _fixed(people: "pd.DataFrame") -> "pd.DataFrame":
    """Those on fixed fees; where the exports name no basis at all, all are one basis."""
    bases = people["payout_basis"]
    return people[bases == FIXED] if bases.notna().any() else people


def _noise(past: Ledger, ids: list[str]) -> float:
    """How unevenly orders fall on posts, from the months of each influencer up to the period's end."""
    import numpy as np

    from hkreport.methods import shrinkage

    if not {"posts", "influencer_orders"} <= past.known:
        return 0.0
    rows = past.rows.filter(past.rows["influencer_id"].notnull())
    measures = [m.POSTS, m.INFLUENCER_ORDERS, *([m.REACH] if "reach" in past.known else [])]
    frame = m.compute(rows, measures, by=["influencer", "month"], known=past.known)
    frame = frame[(frame["month"] != UNASSIGNED) & (frame["posts"] > 0)]
    frame = frame[frame["influencer_id"].isin(ids)]
    # Reach is luck that one sees; where it is known, only the rest is noise.
    size = frame["reach"] if "reach" in past.known else frame["posts"]
    frame = frame.assign(size=size.astype(float))
    frame = frame[frame["size"] > 0]
    who = frame["influencer_id"].astype("category").cat.codes.to_numpy().astype(np.int64)
    return shrinkage.post_noise(
        who,
        np.maximum(frame["influencer_orders"].to_numpy(float), 0.0),
        frame["size"].to_numpy(float),
        frame["posts"].to_numpy(float),
    )
