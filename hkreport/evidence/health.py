"""Whether an experiment may be read: its split, its window, its buyers, its past and its hold-out."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hkreport.evidence.arms import Arms, dates
from hkreport.methods import experiment, resampling
from hkreport.methods.estimate import Estimate, Refusal
from hkreport.periods import worded
from hkreport.units import Unit, text

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "Notes",
    "check_before",
    "check_buyers",
    "check_hold_out",
    "check_split",
    "check_units",
]

COLUMNS = ("experiment", "check", "result", "verdict")

# Days at the start of a window before the first order of all in which nobody may just have ordered.
QUIET_DAYS = 2

MOST_DAYS = 5  # without orders, named one by one

LEAKS = (
    0.05  # share of control's buyers with a withheld code from which the hold-out is called leaky
)


@dataclass
class Notes:
    """Rows of the health table, gathered one check after another."""

    title: str
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, check: str, result: str, verdict: str) -> None:
        """Put a check with its result under those before it; `verdict` is good, ok or poor."""
        self.rows.append((self.title, check, result, verdict))

    @property
    def frame(self) -> "pd.DataFrame":
        """All checks, one a row."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=list(COLUMNS))


def check_units(arms: Arms, notes: Notes) -> None:
    """Who was assigned, and what their outcome is."""
    treated, control = (text(float(size), Unit.COUNT) for size in arms.sizes)
    words = f"{treated} in treatment, {control} in control"
    if arms.shared_file:
        words += "; the file names no brand, so units of other brands count, with zeros"
    notes.add("Units assigned", words, "good")
    if arms.in_both:
        both = text(float(arms.in_both), Unit.COUNT)
        notes.add("Units in both arms", f"{both}, left out", "ok")
    if arms.left_out:
        notes.add("Other units of the file", f"{arms.left_out}, left out", "ok")
    if arms.late:
        late = text(float(arms.late), Unit.COUNT)
        notes.add(
            "Units assigned late",
            f"{late} after the window began: what they ordered before counts",
            "ok",
        )
    if arms.plan.metric == "net_revenue":
        complete = "not known" not in arms.net_of
        notes.add("Net revenue", f"Revenue {arms.net_of}", "good" if complete else "ok")


def check_split(arms: Arms, notes: Notes) -> Refusal | None:
    """Whether units came in the planned ratio; orders and buyers cannot tell."""
    counts = arms.sizes
    if min(counts) == 0:
        empty = "treatment" if counts[0] == 0 else "control"
        refused = Refusal(f"The {empty} arm is empty, so there is nothing to compare with.")
        notes.add("Sample ratio", refused.sentence, "poor")
        return refused
    if arms.only_buyers:
        notes.add(
            "Sample ratio", "Only buyers are recorded: the split itself cannot be tested.", "ok"
        )
        return None
    check = experiment.sample_ratio(*counts, arms.plan.share)
    notes.add("Sample ratio", check.words, "good" if check.passed else "poor")
    if check.passed:
        return None
    return Refusal(
        f"The split is not the planned one ({check.words}), so the experiment is not read."
    )


def check_buyers(arms: Arms, notes: Notes) -> Refusal | None:
    """Whether enough units bought, and the window is closed."""
    window = "open: the data ends before it does" if arms.is_open else "closed"
    verdict = "poor" if arms.is_open else "good"
    late = _late_words(arms)
    if late:
        window = f"{window}; {late}"
        verdict = "poor" if arms.is_open or arms.unseen_days > QUIET_DAYS else "ok"
    notes.add("Outcome window", f"{dates(arms.plan)}, {window}", verdict)
    if arms.silent:
        notes.add("Days without orders", _silent_words(arms), "ok")
    bought = [int((values > 0).sum()) for values in arms.pair("orders")]
    shown = [text(float(value), Unit.COUNT) for value in bought]
    words = f"{shown[0]} in treatment, {shown[1]} in control"
    kept = int((arms.pair(arms.outcome)[1] != 0).sum())
    if kept < bought[1]:
        words += f", {text(float(kept), Unit.COUNT)} of whom brought revenue that stayed"
    name = "Buyers" if arms.plan.unit == "user" else f"{arms.nouns[1].capitalize()} with orders"
    # Means of those who bought say nothing about how many did, and clusters are read once.
    all_users = arms.plan.unit == "user" and not arms.only_buyers
    running = (
        arms.is_open
        and all_users
        and arms.plan.stop == "always_valid"
        and arms.plan.outcome_days is not None
    )
    refused: Refusal | None = None
    if all_users and not running:
        outcome = arms.pair(arms.outcome)
        refused = experiment.too_few_buyers(*outcome, detect=arms.plan.detect, is_open=arms.is_open)
    elif arms.is_open and not running:
        refused = Refusal(f"The outcome window is open ({dates(arms.plan)}): nothing is read yet.")
    elif arms.only_buyers and min(bought) < experiment.FEWEST_BUYERS:
        # How many users would do cannot be told from those who bought.
        few, which = (shown[1], "control") if bought[1] <= bought[0] else (shown[0], "treatment")
        refused = Refusal(f"Too few buyers ({few} in {which}) to estimate lift.")
    if refused is None and arms.unseen_days > QUIET_DAYS:
        refused = Refusal(
            f"What was ordered at first is not known: the window is {dates(arms.plan)} and {late}."
        )
    notes.add(name, words, "good" if refused is None and min(bought) > 0 else "poor")
    return refused


def _late_words(arms: Arms) -> str:
    """That the data begin within the window; empty where they do not."""
    if not arms.unseen_days or arms.first_day is None:
        return ""
    days = "1 day" if arms.unseen_days == 1 else f"{text(float(arms.unseen_days), Unit.COUNT)} days"
    return f"the data begin on {worded(arms.first_day)}, {days} after it does"


def _silent_words(arms: Arms) -> str:
    """Which days of the window brought no order at all."""
    days = [worded(day) for day in arms.silent[:MOST_DAYS]]
    more = len(arms.silent) - len(days)
    named_days = ", ".join(days) + (f" and {more} more" if more else "")
    those, they = ("this day", "it is") if len(arms.silent) == 1 else ("these days", "they are")
    return (
        f"Nobody ordered on {named_days}; if {they} missing from the exports, what {those} brought is not "
        "counted in either arm"
    )


def check_before(arms: Arms, notes: Notes) -> None:
    """Placebos: the arms before anything was shown, one arm against itself, and what the past explains."""
    if arms.only_buyers:
        # Who bought may depend on the campaign: buyers' past is no placebo.
        return
    before = arms.pair("before")
    if not any((values == values).any() for values in before):
        notes.add("Before the test", "Revenue before assignment is not in the exports", "ok")
    else:
        placebo = experiment.difference(*before)
        notes.add("Before the test", *_placebo_words(placebo))
        adjusted = experiment.cuped(*arms.pair(arms.outcome), *before)
        if isinstance(adjusted, Refusal):
            notes.add("Earlier spending", adjusted.sentence, "ok")
        else:
            share = text(adjusted.reduction, Unit.PERCENT)
            notes.add("Earlier spending", f"Adjustment takes away {share} of the variance", "good")
    rate = resampling.aa_rate(arms.pair(arms.outcome)[1], arms.plan.share)
    if isinstance(rate, Refusal):
        notes.add("Control against itself (A/A)", rate.sentence, "ok")
    else:
        words = (
            f"{text(rate.value, Unit.PERCENT)} of {rate.n:,} random splits show a difference at 5%"
        )
        notes.add("Control against itself (A/A)", words, "good" if rate.low <= 0.05 else "poor")


def _placebo_words(placebo: Estimate | Refusal) -> tuple[str, str]:
    if isinstance(placebo, Refusal):
        return placebo.sentence, "ok"
    words = (
        f"Difference a unit before anything was shown: {placebo.words(Unit.MONEY)}, "
        f"p = {placebo.p_value:.2f}"
    )
    return words, "good" if placebo.p_value >= 0.05 else "ok"


def check_hold_out(arms: Arms, notes: Notes) -> None:
    """Whether control was kept from what treatment saw, and what that saved."""
    if arms.plan.campaigns:
        buyers = int((arms.control["orders"] > 0).sum())
        leaked = arms.reached_control / max(buyers, 1)
        reached = text(float(arms.reached_control), Unit.COUNT)
        words = f"{reached} control units ordered with a code of the campaign"
        verdict = "good" if not leaked else "ok" if leaked < LEAKS else "poor"
        notes.add("Hold-out", words, verdict)
    fee = text(arms.fee, Unit.MONEY, reason="not in the exports")
    notes.add("Spend withheld", fee, "good" if arms.fee > 0 or arms.pays_by_order else "poor")
