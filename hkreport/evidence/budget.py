"""What would the same fees bring elsewhere? The report's cells on their response curves.

Only fixed fees move: what follows orders costs nothing before it sells. Curves come from the weeks up to
the period's end, the level from the period itself, so that at today's allocation the plan's revenue is the
report's. The estimator is :mod:`hkreport.methods.budget`.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hkreport import metrics as m
from hkreport import periods
from hkreport.evidence.comparisons import PICKED
from hkreport.evidence.once import once
from hkreport.methods import budget as methods
from hkreport.methods.estimate import Estimate, Refusal
from hkreport.metrics import UNASSIGNED
from hkreport.params import BudgetRules
from hkreport.prose import Prose
from hkreport.units import Unit, escape_markdown, signed, text
from hkreport.views.luck import FIXED

if TYPE_CHECKING:
    import pandas as pd

    from hkreport.ledger import Ledger
    from hkreport.periods import Period
    from hkreport.views import Report

__all__ = ["COLUMNS", "Plan", "plan"]

Floats = NDArray[np.float64]

COLUMNS = ("from", "to", "change", "expected_gain", "gain_low", "gain_high",
           "marginal_roas_before", "marginal_roas_after", "status")  # fmt: skip

NO_FEES = "No fixed fees were paid in this selection, so there is no money to move."
NO_PAYOUTS = "The exports hold no payouts, so there is no money to move."
SUMS_OF_MONTHS = "The exports hold sums of months, so what a week's fees bring cannot be read."
NO_ORDERS = "The exports hold no orders, so what fees bring cannot be read."
NOTHING_SOLD = (
    "No revenue is credited to anybody on a fixed fee, so what fees bring cannot be read."
)
NO_POSTING = "The exports name no platform and no tier, so fees cannot be moved between groups."


@dataclass(frozen=True, slots=True)
class Plan:
    """A division of the period's fixed fees, in rupees a week.

    Attributes
    ----------
    frame : DataFrame
        One row a cell: ``brand`` (where several), ``platform``, ``tier``, ``from``, ``to``, ``change``,
        ``expected_gain`` of weekly revenue with ``gain_low`` and ``gain_high``, ``marginal_roas_before``
        and ``_after``, and ``status`` (why its fees stay); also where nothing is moved.
    refusal : Refusal or None
        Why no curve can be read.
    gain : Estimate or None
        Weekly revenue of the whole move; None where refused.
    is_recommended : bool
        Whether the move is proposed; the frame moves nothing otherwise.
    revenue_today : float
        Weekly revenue of all cells, as the report has it.
    moved : float
        Rupees a week that change place.
    weeks : float
        Length of the period.
    most_move : float
        Largest change of a cell, as a share of its fees.
    """

    frame: "pd.DataFrame"
    refusal: Refusal | None
    gain: Estimate | None
    is_recommended: bool
    revenue_today: float
    moved: float
    weeks: float
    most_move: float

    @property
    def empty(self) -> str:
        """What to show in place of the table."""
        if self.refusal is not None:
            return str(self.refusal)
        return "No move of fees is sure enough to propose."

    @property
    def keys(self) -> list[str]:
        """Columns that name a cell."""
        return [name for name in ("brand", "platform", "tier") if name in self.frame.columns]

    @property
    def shown(self) -> "pd.DataFrame":
        """The cells whose fees change, largest change first."""
        frame = self.frame[self.frame["change"] != 0] if self.is_recommended else self.frame[:0]
        order = frame["change"].abs().sort_values(ascending=False, kind="stable").index
        return frame.loc[order].reset_index(drop=True)

    def words(self) -> str:
        """The plan in a sentence or two."""
        if self.refusal is not None:
            return str(self.refusal)
        assert self.gain is not None
        gain = self.gain.words(Unit.MONEY, short=True)
        moved = text(self.moved, Unit.MONEY, short=True)
        if not self.is_recommended:
            return (
                f"The best move found, {moved} a week, would change weekly revenue by {gain}: "
                "not sure enough to propose. Today's division stays."
            )
        part = text(self.gain.value / self.revenue_today, Unit.PERCENT)
        return (
            f"Moving {moved} of weekly fixed fees, no group's by more than "
            f"{text(self.most_move, Unit.PERCENT)}, is expected to bring "
            f"{gain} more revenue a week, {part} of what these fees bring today."
        )

    def note(self) -> Prose:
        """What is proposed, or why nothing is."""
        said = self.words()
        if self.refusal is None:
            said += (
                " Credited revenue, not caused: if a platform's codes are used by people who would have "
                "bought anyway, the gain is smaller. Payouts by the order are left as they are."
            )
        return Prose(escape_markdown(said) + "\n")


@once
def plan(report: "Report") -> Plan:
    """The best small move of the report's fixed fees, or why none can be told."""
    rules = report.settings.budget
    cells = [*(["brand"] if report.brand is None else []), "platform", "tier"]
    now = _sums(report.current, cells)
    weeks = _length(report)
    if now.empty or not now["spend"].sum() > 0:
        why = NO_FEES if "spend" in report.current.known else NO_PAYOUTS
        return _refused(cells, now, weeks, Refusal(why))
    if "influencer_revenue" not in report.current.known:
        return _refused(cells, now, weeks, Refusal(NO_ORDERS))
    if report.data.ledger.step == "month":
        return _refused(cells, now, weeks, Refusal(SUMS_OF_MONTHS))
    if report.filters.min_roas is not None:
        return _refused(cells, now, weeks, Refusal(PICKED))
    if (now[["platform", "tier"]] == UNASSIGNED).all(axis=None):
        return _refused(cells, now, weeks, Refusal(NO_POSTING))
    fees, revenue = _history(report, cells, now)
    if not (revenue > 0).any() and not (now["influencer_revenue"] > 0).any():
        return _refused(cells, now, weeks, Refusal(NOTHING_SOLD))
    carry = methods.carry_over(rules.half_life_hours)
    curves = methods.fit(fees, revenue, carry)
    today = now["spend"].to_numpy(float) / weeks
    sold = now["influencer_revenue"].to_numpy(float) / weeks
    status = _status(now, today, sold, fees, curves, rules)
    chosen = np.array([not words for words in status])
    if fees.shape[1] < rules.least_weeks or chosen.sum() < 2:
        return _refused(cells, now, weeks, _why(now, today, fees, curves, rules), status)
    floors, caps = (_limits(now, given) for given in (rules.floors, rules.caps))
    spare = None if rules.weekly is None else rules.weekly - float(today[~chosen].sum())
    move = methods.move(
        fees[chosen],
        revenue[chosen],
        carry,
        methods.fit(fees[chosen], revenue[chosen], carry),
        today[chosen],
        sold[chosen],
        budget=spare,
        most_move=rules.most_move,
        floors=None if floors is None else floors[chosen],
        caps=None if caps is None else np.where(caps > 0, caps, np.inf)[chosen],
        confidence=rules.confidence,
        weeks=weeks,
        rng=np.random.default_rng(rules.seed),
    )
    return _planned(cells, now, weeks, rules.most_move, status, chosen, move)


def _fixed(ledger: "Ledger") -> "Ledger":
    """Rows of influencers on fixed fees."""
    from dataclasses import replace

    return replace(ledger, rows=ledger.rows.filter(ledger.rows["payout_basis"] == FIXED))


def _sums(ledger: "Ledger", by: Sequence[str]) -> "pd.DataFrame":
    """Fees and credited revenue of influencers on fixed fees."""
    fixed = _fixed(ledger)
    measures = [m.SPEND, m.INFLUENCER_REVENUE, m.POSTS]
    frame = m.compute(fixed.rows, measures, by=by, known=fixed.known)
    return frame[(frame["spend"] > 0) | (frame["influencer_revenue"] > 0)].reset_index(drop=True)


def _length(report: "Report") -> float:
    """Weeks of the period that the data cover."""
    days = (_end(report) - _start(report, report.period)).days
    return max(days, 1) / 7


def _start(report: "Report", period: "Period") -> "periods.Date":
    return max(period.start, report.data.ledger.first or period.start)


def _end(report: "Report") -> "periods.Date":
    last = report.data.ledger.last or report.period.last
    return min(report.period.end, last + periods.DAY)


def _history(report: "Report", cells: Sequence[str], now: "pd.DataFrame") -> tuple[Floats, Floats]:
    """Weekly fees and revenue of today's cells, whole weeks up to the period's end.

    Fees are those of the week's posts at the cell's usual price: what one influencer asks more than another
    buys nothing, and would make revenue seem to follow fees less than it does.
    """
    frame = _sums(report.past, [*cells, "week"])
    first = report.data.ledger.first or report.period.start
    # A new brand has no history of weeks without fees before it: it has none.
    begun = report.past.rows["date"].min().to_pyarrow().as_py()
    first = first if begun is None else max(first, begun)
    weeks = periods.steps(first, _end(report), "week", whole=True)
    keys = [tuple(row) for row in now[list(cells)].to_numpy()]
    made = []
    for name in ("spend", "influencer_revenue", "posts"):
        wide = frame.pivot_table(
            index=list(cells), columns="week", values=name, aggfunc="sum", fill_value=0.0
        )
        index = wide.index
        rows = [key if key in index else None for key in keys]
        wide = wide.reindex(columns=weeks, fill_value=0.0)
        blank = np.zeros(len(weeks))
        made.append(
            np.stack([blank if row is None else wide.loc[row].to_numpy(float) for row in rows])
        )
    fees, revenue, posts = made
    posts = np.nan_to_num(posts)
    price = fees.sum(axis=1) / np.maximum(posts.sum(axis=1), 1.0)
    counted = (posts.sum(axis=1) > 0) & (fees.sum(axis=1) > 0)
    return np.where(counted[:, None], posts * price[:, None], fees), revenue


def _status(
    now: "pd.DataFrame",
    today: Floats,
    sold: Floats,
    fees: Floats,
    curves: methods.Curves,
    rules: BudgetRules,
) -> list[str]:
    """Why each cell's fees stay as they are; empty where they may move."""
    nameless = (now[["platform", "tier"]] == UNASSIGNED).any(axis=1).to_numpy()
    found = []
    for cell in range(len(now)):
        if nameless[cell]:
            found.append("platform or tier unknown")
        elif not today[cell] > 0 or not sold[cell] > 0:
            found.append("no fees or no revenue in the period")
        elif curves.variation[cell] < rules.least_variation:
            found.append("spend hardly varied")
        elif not curves.beta_error[cell] <= rules.most_beta_error:
            found.append("effect of spend not read closely enough")
        else:
            found.append("")
    return found


def _why(
    now: "pd.DataFrame", today: Floats, fees: Floats, curves: methods.Curves, rules: BudgetRules
) -> Refusal:
    """The refusal, with a test of the cell that most is spent on."""
    named = ~(now[["platform", "tier"]] == UNASSIGNED).any(axis=1).to_numpy()
    cell = int(np.argmax(np.where(named, today, -1.0)))
    noise = curves.noise[cell]
    # Without a curve of its own, a week is taken to be as noisy as its revenue.
    noise = float(noise) if noise == noise else 0.5
    test = methods.weeks_of_test(noise, error=rules.most_beta_error)
    label = f"{now['platform'][cell]} {now['tier'][cell]}"
    return methods.refusal(label, fees.shape[1], test, float(today[cell]), rules.least_weeks)


def _limits(now: "pd.DataFrame", given: Mapping[str, float]) -> Floats | None:
    """Limits by the name of a cell, '{platform} {tier}', without regard to case; 0 where none."""
    if not given:
        return None
    by_name = {name.casefold(): value for name, value in given.items()}
    names = (now["platform"] + " " + now["tier"]).str.casefold()
    return np.array([by_name.get(name, 0.0) for name in names], dtype=np.float64)


def _blank(now: "pd.DataFrame", cells: Sequence[str], weeks: float) -> "pd.DataFrame":
    """Today's fees, nothing moved."""
    nan = float("nan")
    frame = now[list(cells)].copy()
    today = now["spend"] / weeks
    frame["from"] = frame["to"] = today
    frame["change"] = 0.0
    for name in COLUMNS[3:-1]:
        frame[name] = nan
    frame["status"] = ""
    return frame


def _refused(
    cells: Sequence[str],
    now: "pd.DataFrame",
    weeks: float,
    refusal: Refusal,
    status: Sequence[str] = (),
) -> Plan:
    frame = _blank(now, cells, weeks)
    frame["status"] = list(status) or "no curve"
    frame.loc[frame["status"] == "", "status"] = "no curve"
    today = float(now["influencer_revenue"].sum()) / weeks
    return Plan(frame, refusal, None, False, today, 0.0, weeks, 0.0)


def _planned(
    cells: Sequence[str],
    now: "pd.DataFrame",
    weeks: float,
    most_move: float,
    status: Sequence[str],
    chosen: NDArray[np.bool_],
    move: methods.Move,
) -> Plan:
    frame = _blank(now, cells, weeks)
    frame["status"] = list(status)
    rows = np.flatnonzero(chosen)
    frame.loc[rows, "marginal_roas_before"] = move.marginal_before
    frame.loc[rows, "marginal_roas_after"] = move.marginal_before
    if move.is_recommended:
        frame.loc[rows, "to"] = move.after
        frame.loc[rows, "change"] = move.after - move.before
        frame.loc[rows, "expected_gain"] = move.cell_gain
        frame.loc[rows, "gain_low"] = move.cell_low
        frame.loc[rows, "gain_high"] = move.cell_high
        frame.loc[rows, "marginal_roas_after"] = move.marginal_after
        frame.loc[rows, "status"] = "moved"
    else:
        frame.loc[rows, "status"] = "no move is sure enough"
    frame = frame.sort_values("change", ascending=False, kind="stable", ignore_index=True)
    return Plan(
        frame=frame,
        refusal=None,
        gain=move.gain,
        is_recommended=move.is_recommended,
        revenue_today=float(move.revenue_before.sum()),
        moved=float(np.abs(move.after - move.before).sum()) / 2,
        weeks=weeks,
        most_move=most_move,
    )


def moves(found: Plan) -> str:
    """Where most money comes from and goes to, in a phrase; empty where nothing moves."""
    if not found.is_recommended:
        return ""
    name = functools.partial(_cell_name)
    up = found.frame[found.frame["change"] > 0].nlargest(2, "change")
    down = found.frame[found.frame["change"] < 0].nsmallest(2, "change")
    parts = [
        f"{name(row)} {signed(float(row['change']), Unit.MONEY, short=True)}"
        for block in (up, down)
        for _, row in block.iterrows()
    ]
    return ", ".join(parts)


def _cell_name(row: "pd.Series") -> str:
    names = [str(row[key]) for key in ("brand", "platform", "tier") if key in row.index]
    return " ".join(names)
