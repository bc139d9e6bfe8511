"""What the campaign caused: what may be claimed for a brand and a period, and what must be refused.

:func:`study` reads the experiments that the brand's params declare, checks them before it reads them, and
hands over the sentence, the tables and the forest plot of the report's section. Where nothing sound is
possible it says "attributed, not incremental". Arms come from :mod:`hkreport.evidence.arms`, the five
older definitions from :mod:`hkreport.evidence.definitions`.
"""

import datetime
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hkreport import metrics as m
from hkreport import params
from hkreport.evidence import definitions, health, reading
from hkreport.evidence.arms import SaidArms, said_arms
from hkreport.evidence.once import once
from hkreport.evidence.reading import Reading
from hkreport.methods.estimate import Estimate, Refusal
from hkreport.prose import Prose, named
from hkreport.units import Unit, escape_markdown, text
from hkreport.views import Report

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Calibration", "Incrementality", "attributed", "study"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What an experiment says about ROAS as reports print it, until it expires.

    Attributes
    ----------
    factor : Estimate
        iROAS ÷ ROAS of the same campaigns and days.
    roas : float
        That ROAS.
    expires : date
        Last day on which a report may start and use it.
    name : str
        The experiment.
    """

    factor: Estimate
    roas: float
    expires: datetime.date
    name: str


@dataclass(frozen=True)
class Incrementality:
    """What a report's section on incrementality shows.

    Attributes
    ----------
    claim : Prose
        One sentence that may be claimed, what it rests on, and what to do.
    health : DataFrame
        ``experiment``, ``check``, ``result``, ``verdict`` (good, ok or poor).
    estimates : DataFrame
        ``experiment``, ``quantity``, ``value``, ``low``, ``high``, ``unit``, ``shown``, ``n``, ``method``.
    strata : DataFrame
        ``experiment``, ``stratum``, ``lift`` (a share), ``low``, ``high``, ``n`` (buyers in
        control), ``q_value``, ``verdict``, ``note``; the whole experiment first.
    definitions : DataFrame
        The five definitions; see :func:`hkreport.evidence.definitions.table`.
    worked_orders, worked_example : DataFrame
        Six orders, and the five definitions on them.
    preregistration : DataFrame
        ``experiment``, ``item``, ``planned``.
    calibrations : tuple of Calibration
        Still valid when the report's period begins.
    iroas : Estimate or None
        Of an experiment within the period, for a headline; None where there is no sound one.
    readings : tuple of Reading
        Everything that was read, for whoever wants more.
    strata_note : str
        Whether the strata differ beyond chance.
    """

    claim: Prose
    health: "pd.DataFrame"
    estimates: "pd.DataFrame"
    strata: "pd.DataFrame"
    definitions: "pd.DataFrame"
    worked_orders: "pd.DataFrame"
    worked_example: "pd.DataFrame"
    preregistration: "pd.DataFrame"
    calibrations: tuple[Calibration, ...]
    iroas: Estimate | None
    readings: tuple[Reading, ...]
    strata_note: str

    @property
    def strata_title(self) -> str:
        """What the forest plot shows, as its title."""
        speaking = self.strata[self.strata["verdict"].isin(["good", "poor"])]
        if len(speaking) == 0:
            return "No stratum shows an effect beyond chance"
        names = ", ".join(named(name) for name in speaking["stratum"])
        return f"An effect beyond chance: {names}"

    @property
    def calibration(self) -> "pd.DataFrame":
        """The calibration factors as a table: experiment, roas, iroas, factor, low, high, expires."""
        import pandas as pd

        rows = [
            (
                one.name,
                one.roas,
                one.factor.value * one.roas,
                one.factor.value,
                one.factor.low,
                one.factor.high,
                one.expires,
            )
            for one in self.calibrations
        ]
        columns = ["experiment", "roas", "iroas", "factor", "low", "high", "expires"]
        return pd.DataFrame(rows, columns=columns)


def attributed(roas: float, break_even: float, *, unprofitable: bool = False) -> str:
    """What may be claimed of credited revenue without an experiment, as a sentence.

    The share of credited orders that may have come anyway is 1 − break-even ÷ ROAS; without margins
    revenue itself has to pay, and the break-even is 1.

    Parameters
    ----------
    roas, break_even : float
        Of the same rows; NaN where they are not known.
    unprofitable : bool
        Whether these orders are known to bring no profit, whatever is paid for them.

    Examples
    --------
    >>> print(attributed(4.0, 2.0))
    Attributed, not incremental: the campaign pays back if fewer than 50.0% of these orders would have
    come anyway (at the margin of these orders, break-even is 2.0×).
    >>> attributed(float("nan"), 2.0)
    'Attributed, not incremental: without both revenue and spend there is no return to judge.'
    """
    if not math.isfinite(roas):
        return "Attributed, not incremental: without both revenue and spend there is no return to judge."
    if unprofitable:
        return (
            "Attributed, not incremental: the credited orders bring no profit even before payouts, so no "
            "return on spend pays back."
        )
    known = math.isfinite(break_even)
    level = break_even if known else 1.0
    basis = (
        f"at the margin of these orders, break-even is {text(level, Unit.MULTIPLE)}"
        if known
        else "margins are unknown, so this is on revenue"
    )
    if roas <= level:
        return (
            "Attributed, not incremental: below break-even even if every credited order was caused "
            f"({basis})."
        )
    share = text(1 - level / roas, Unit.PERCENT)
    return (
        f"Attributed, not incremental: the campaign pays back if fewer than {share} of these orders "
        f"would have come anyway ({basis})."
    )


@once
def study(report: Report) -> Incrementality:
    """Everything that can be said about what the campaign caused.

    Parameters
    ----------
    report : Report
        One brand, or all; filters cut the five definitions and the attributed claim, not experiments,
        which are about a brand and their own window.

    Returns
    -------
    Incrementality
        Bad input gives sentences, never an exception.
    """
    found = [one for view in _by_brand(report) for one in _read(view, report.brand is None)]
    within = [one for one in found if one.overlaps(report.period)]
    sound = [one for one in within if isinstance(one.iroas, Estimate)]
    calibrations = tuple(filter(None, map(_calibration, found)))
    said = said_arms(report) if not within else None
    headline = sound[0].iroas if sound and report.brand is not None else None
    answer: Estimate | Refusal = headline if isinstance(headline, Estimate) else Refusal("")
    shown = within or [one for one in found if any(c.name == one.title for c in calibrations)]
    arms = _arm_revenue(shown, said)
    share = report.settings.experiments.assumed_organic_share
    return Incrementality(
        claim=Prose(_claim(report, within, calibrations, said)),
        health=_joined(
            [*(one.health for one in shown or found), _said_health(said)], health.COLUMNS
        ),
        estimates=_joined([one.estimates for one in shown], reading.ESTIMATES),
        strata=_joined([one.strata for one in shown], reading.STRATA),
        definitions=definitions.table(report, answer, arms),
        worked_orders=definitions.worked_orders(),
        worked_example=definitions.worked_example(share),
        preregistration=_joined([one.preregistration for one in shown], reading.PLAN),
        calibrations=calibrations,
        iroas=headline if isinstance(headline, Estimate) else None,
        readings=tuple(found),
        strata_note=" ".join(filter(None, (one.strata_note for one in shown))),
    )


def _by_brand(report: Report) -> list[Report]:
    """The report itself, or one for each brand that declares experiments."""
    if report.brand is not None:
        return [report]
    views = []
    for brand in report.data.ledger.values("brand"):
        settings = params.load(brand)
        if settings.experiments.declared:
            views.append(replace(report, brand=brand, settings=settings))
    return views


def _read(report: Report, with_brand: bool) -> list[Reading]:
    """The experiments within the period, or else the latest one before it that may still calibrate."""
    declared = report.settings.experiments
    plans = sorted(declared.declared, key=lambda one: (one.closes, one.name), reverse=True)
    start, end = report.period.start, report.period.end
    within = [one for one in plans if one.start < end and one.closes >= start]
    found = [reading.read(report, plan, with_brand=with_brand) for plan in within]
    if any(isinstance(one.iroas, Estimate) for one in found):
        return found
    days = datetime.timedelta(days=declared.calibration_days)
    for plan in plans:
        if plan.closes < start <= plan.closes + days:
            earlier = reading.read(report, plan, with_brand=with_brand)
            found.append(earlier)
            if isinstance(earlier.iroas, Estimate):
                break
    return found


def _calibration(one: Reading) -> Calibration | None:
    """IROAS ÷ ROAS of an experiment whose return could be estimated."""
    if not isinstance(one.iroas, Estimate) or not one.roas > 0:
        return None
    days = datetime.timedelta(days=one.calibration_days)
    return Calibration(one.iroas / one.roas, one.roas, one.plan.closes + days, one.title)


def _arm_revenue(shown: Sequence[Reading], said: SaidArms | None) -> tuple[float, float] | None:
    """Revenue that a dashboard would call test and control."""
    pairs = [one.revenue_of_arms for one in shown if one.arms is not None]
    if pairs:
        return math.fsum(pair[0] for pair in pairs), math.fsum(pair[1] for pair in pairs)
    return said.revenue if said is not None else None


def _claim(
    report: Report,
    within: Sequence[Reading],
    calibrations: Sequence[Calibration],
    said: SaidArms | None,
) -> str:
    """The sentence that may be claimed, what limits it, and the calibrated figure."""
    first: list[str] = []
    more: list[str] = []
    declared = report.brand is None or report.settings.experiments.declared
    for one in within:
        (first if isinstance(one.iroas, Estimate) else more).append(one.claim)
        more += [one.decision] if one.decision else []
    if said is not None:
        more.append(_said(said))
    elif not declared and report.data.table("assignments") is not None:
        more.append(
            "The exports assign units to arms, but params declare no experiment for this brand, so none "
            "is read."
        )
    plain = attributed(
        float(report.totals["roas"]), report.break_even, unprofitable=report.is_unprofitable
    )
    if report.brand is None or not first:
        first = [plain, *first] if report.brand is None else [plain]
    else:
        more.append(_scope(within))
    if not within:
        more += [_calibrated(report, one) for one in calibrations[:1] if report.brand is not None]
    if report.filters and (within or calibrations):
        more.append(
            "An experiment is about the whole brand: the filters of this report do not cut it."
        )
    body = [f"**{escape_markdown(words)}**" for words in first]
    return "\n\n".join([*body, escape_markdown(" ".join(filter(None, more)))]).rstrip() + "\n"


def _scope(within: Sequence[Reading]) -> str:
    """What an experiment speaks for."""
    names = [
        name for one in within for name in one.plan.campaigns if isinstance(one.iroas, Estimate)
    ]
    if not names:
        return ""
    return (
        f"This is about what was tested ({', '.join(map(named, dict.fromkeys(names)))}), not about all "
        "influencer spend."
    )


def _said(said: SaidArms) -> str:
    """Why arms that the exports only claim are no experiment."""
    first, second = said.words
    if said.both_are_campaigns:
        words = (
            f"{first} and {second} are both influencer posts: this compares two campaigns, not with and "
            "without."
        )
        if said.in_both:
            both, users = (text(float(n), Unit.COUNT) for n in (said.in_both, said.users))
            words += f" {both} of {users} users are in both."
        return words
    return (
        f"{first} and {second} stand on orders alone. Only buyers are recorded and the planned split is "
        "unknown, so lift is not identifiable."
    )


def _said_health(said: SaidArms | None) -> "pd.DataFrame":
    """A row of the health table for arms that the exports only claim."""
    import pandas as pd

    rows = (
        []
        if said is None
        else [("Arms that the data names", " and ".join(said.words), _said(said), "poor")]
    )
    return pd.DataFrame(rows, columns=list(health.COLUMNS))


def _calibrated(report: Report, one: Calibration) -> str:
    """ROAS of the period, as the last experiment would correct it."""
    roas = report.value(m.ROAS)
    words = (
        f"The last experiment ({one.name}) found an incremental ROAS of "
        f"{text(one.factor.value, Unit.MULTIPLE)} the attributed one "
        f"({one.factor.confidence:.0%} interval {text(one.factor.low, Unit.MULTIPLE)} to "
        f"{text(one.factor.high, Unit.MULTIPLE)}); it may calibrate reports until {_day(one.expires)}."
    )
    if not math.isfinite(roas):
        return words
    return (
        f"{words} If all posts work as those did, this period's {text(roas, Unit.MULTIPLE)} ROAS stands "
        f"for {(one.factor * roas).words(Unit.MULTIPLE)} incremental."
    )


def _day(day: datetime.date) -> str:
    return f"{day.day} {day:%b %Y}"


def _joined(frames: Sequence["pd.DataFrame"], columns: Sequence[str]) -> "pd.DataFrame":
    """Frames of several experiments under one another; the columns alone where there are none."""
    import pandas as pd

    kept = [frame for frame in frames if len(frame)]
    if not kept:
        return pd.DataFrame(columns=list(columns))
    return functools.reduce(lambda left, right: pd.concat([left, right], ignore_index=True), kept)
