"""Who is reliably good, and who reliably poor? Influencers on fixed fees, with luck taken out.

Raw ROAS puts the lucky few of the small accounts on top. Here each influencer's return is drawn towards
her cell (tier × platform) as far as her own orders leave it open: see :mod:`hkreport.views.luck`, whose
numbers the performance score ranks too.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hkreport.evidence import comparisons
from hkreport.evidence.once import once
from hkreport.methods.estimate import Refusal
from hkreport.prose import Prose
from hkreport.units import Unit, escape_markdown, text
from hkreport.views.luck import CONFIDENCE, fee_returns

if TYPE_CHECKING:
    import pandas as pd

    from hkreport.views import Report

__all__ = ["CONFIDENCE", "Ranking", "ranking"]


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
    scored : str
        What the performance scores of the same report rank, as a sentence.
    """

    frame: "pd.DataFrame"
    refusal: Refusal | None
    average: float
    shape: float
    noise: float
    scored: str = ""

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
            f"{text(sure, Unit.COUNT)} of {text(len(self.frame), Unit.COUNT)} influencers very likely "
            f"{'returns' if sure == 1 else 'return'} more than {text(self.average, Unit.MULTIPLE)}, the ROAS of "
            "all of them"
        )

    @property
    def empty(self) -> str:
        """What to show in place of a list."""
        return str(self.refusal) if self.refusal is not None else ""

    def note(self) -> Prose:
        """How to read the lists."""
        if self.refusal is not None:
            return Prose(escape_markdown(f"{self.refusal} {self.scored}".rstrip()) + "\n")
        usual = float(self.frame["reliability"].median())
        words = (
            f"{text(len(self.frame), Unit.COUNT)} influencers on fixed fees. ROAS here is drawn towards the average of tier "
            f"and platform as far as few orders leave it open; for half of them, their own record counts "
            f"{text(usual, Unit.PERCENT)} or more. Intervals hold the true return of four in five. "
            f"{self.scored}"
        ).rstrip()
        return Prose(escape_markdown(words) + "\n")


@once
def ranking(report: "Report") -> Ranking:
    """The report's influencers on fixed fees, with luck taken out of their return."""
    columns = ["influencer_id", "influencer", "platform", "tier", "spend"]
    columns += ["influencer_revenue", "influencer_orders", "roas"]
    people = report.influencers[columns]
    if report.filters.min_roas is not None:
        nan = float("nan")
        empty = people.iloc[:0].assign(shrunk_roas=0.0, low=0.0, high=0.0, reliability=0.0)
        refused = Refusal(comparisons.PICKED)
        return Ranking(empty, refused, nan, nan, nan, report.returns.scored)
    # Scores are ranked in the whole population; a list is of its own slice.
    if report.filters:
        made = fee_returns(report.current, report.past, report.settings.insights)
    else:
        made = report.returns
    frame = people.merge(made.frame, on="influencer_id").sort_values(
        ["shrunk_roas", "influencer_id"], ascending=[False, True], ignore_index=True
    )
    scored = report.returns.scored
    return Ranking(frame, made.refusal, made.average, made.shape, made.noise, scored)
