"""What the certification page shows, read back from its two JSON files; nothing is computed anew."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkreport.certify import record
from hkreport.errors import DataError
from hkreport.prose import Prose, callout
from hkreport.units import Unit, escape_markdown, text

if TYPE_CHECKING:
    import pandas as pd

    from hkreport.certify.characteristics import Figure

__all__ = ["CERTIFICATION", "CHARACTERISTICS", "Page", "open_page"]

CERTIFICATION, CHARACTERISTICS = "certification.json", "characteristics.json"

SURE = 2.0  # simulation errors on either side of a measured figure, as drawn

ENOUGH = 50  # campaigns: the coverage of fewer says too little to be the worst of a method

WORDS = {
    "coverage": "Coverage of 95% intervals",
    "false_alarms": "False alarms",
    "power": "Power",
    "bias": "Bias",
    "rmse": "Error (RMSE)",
    "width": "Width",
    "refused": "Refused",
    "right_decision": "Right side of break-even",
    "within_a_fifth": "Within a fifth of the truth",
    "alarms": "Alarms",
    "recall": "Recall",
    "precision": "Precision",
    "coverage_80": "Coverage of 80% intervals",
}
DEFINITIONS = "Five definitions of incremental ROAS"
# Groups with a table of their own in the notebook; others are listed as they are.
SHOWN = (
    "Randomised by user",
    "Randomised by campaign",
    "Only buyers recorded",
    "Adjusted for earlier spending (CUPED)",
    "Read while the test runs",
    "Return on spend",
    "Planned power",
    "Strata",
    "Sample ratio",
    "Difference in differences",
    "Synthetic control",
    "Structural series",
    "Return of a group of influencers",
    "Insights",
    "The best influencers",
    DEFINITIONS,
)
WORLDS = "Simulated exports"


@dataclass(frozen=True, slots=True)
class Page:
    """The records and figures of one certification.

    Attributes
    ----------
    records : tuple of Record
        Published answers first, then what the simulations promise.
    figures : tuple of Figure
    """

    records: tuple[record.Record, ...]
    figures: "tuple[Figure, ...]"

    @property
    def published(self) -> list[record.Record]:
        """Answers that others published."""
        simulated = {figure.group for figure in self.figures}
        return [each for each in self.records if each.group not in simulated]

    @property
    def promised(self) -> list[record.Record]:
        """Rates that METHODS states or promises."""
        simulated = {figure.group for figure in self.figures}
        return [each for each in self.records if each.group in simulated]

    def kinds(self) -> "pd.DataFrame":
        """What is held to what: columns kind, held_to, figures, judged, differ.

        Four kinds that must not be mixed up: answers of others; methods where their conditions hold,
        which keep a promise; methods where they do not, which are shown for what they would do; and the
        five definitions, of which only the experiment promises anything.
        """
        import pandas as pd

        rows: list[tuple[str, str, int, int, int]] = []
        every: list[tuple[str, str, Sequence[Figure]]] = [
            (
                "Methods in their conditions",
                "Their promise: 94 to 96% coverage, or more where said to be conservative; at most 5% false alarms; planned power",
                [each for each in self.figures if each.holds and each.group != DEFINITIONS],
            ),
            (
                "Methods out of their conditions",
                "What METHODS measured there, where it states a figure; nothing is promised, and a report refuses",
                [each for each in self.figures if not each.holds and each.group != DEFINITIONS],
            ),
            (
                DEFINITIONS,
                "The truth; only the experiment promises coverage and silence",
                [each for each in self.figures if each.group == DEFINITIONS],
            ),
        ]
        good = sum(each.status == record.REPRODUCED for each in self.published)
        bad = sum(each.status == record.DIFFERS for each in self.published)
        rows.append(
            (
                "Published answers",
                "What others published for public data",
                len(self.published),
                good + bad,
                bad,
            )
        )
        for kind, held_to, figures in every:
            judged = [each for each in figures if each.target is not None]
            off = sum(not each.fits for each in judged)
            rows.append((kind, held_to, len(figures), len(judged), off))
        columns = ["kind", "held_to", "figures", "judged", "differ"]
        return pd.DataFrame(rows, columns=columns)

    def headline(self) -> Prose:
        """How many figures were reproduced, and how many campaigns were simulated."""
        campaigns: dict[tuple[str, str], int] = {}
        for figure in self.figures:
            key = (figure.group, figure.condition)
            campaigns[key] = max(campaigns.get(key, 0), figure.runs)
        again = {(each.group, each.condition) for each in self.figures if each.again}
        whole = text(float(sum(campaigns.values())), Unit.COUNT)
        lines = [
            _tally(self.published, "published answers"),
            _tally(self.promised, "rates that the methods promise, or that METHODS states"),
            f"Simulated: {whole} campaigns under {len(campaigns)} conditions"
            + (
                f"; to {len(again)} of them campaigns were added, since the first looked off."
                if again
                else "."
            ),
        ]
        missing = next((each.reason for each in self.records if not _ran(each)), "")
        body = "\n".join(f"- {escape_markdown(line)}" for line in lines)
        note = callout("warning", "Not run", escape_markdown(missing)) if missing else ""
        return Prose(f"{body}\n\n{note}")

    def answers(self, *groups: str) -> "pd.DataFrame":
        """Published answers: columns group, name, published, computed, tolerance, status, reason."""
        kept = [each for each in self.published if not groups or each.group in groups]
        return _frame(kept)

    def sources(self) -> "pd.DataFrame":
        """Who published what: columns group, source, answers, reproduced."""
        import pandas as pd

        rows = []
        for group in dict.fromkeys(each.group for each in self.published):
            mine = [each for each in self.published if each.group == group]
            good = sum(each.status == record.REPRODUCED for each in mine)
            rows.append((group, mine[0].source, len(mine), good))
        return pd.DataFrame(rows, columns=["group", "source", "answers", "reproduced"])

    def differing(self) -> "pd.DataFrame":
        """Everything that was not reproduced, with its reason."""
        return _frame([each for each in self.records if each.status == record.DIFFERS])

    def worst_coverage(self, *, holds: bool) -> "pd.DataFrame":
        """For each method the coverage farthest from 95 %, in its conditions or out of them.

        Columns method, coverage, low, high, runs; the ends are two simulation errors away.
        """
        import pandas as pd

        worst: dict[str, Figure] = {}
        for figure in self.figures:
            if figure.measure != "coverage" or figure.value is None or figure.runs < ENOUGH:
                continue
            if figure.holds is not holds:
                continue
            before = worst.get(figure.method)
            if before is None or _apart(figure) > _apart(before):
                worst[figure.method] = figure
        rows = [
            (method, figure.value, *_span(figure), figure.runs)
            for method, figure in sorted(worst.items())
        ]
        return pd.DataFrame(rows, columns=["method", "coverage", "low", "high", "runs"])

    def table(self, *groups: str, start: str = "") -> "pd.DataFrame":
        """One row a condition and method, its measures side by side as text.

        ``holds`` says whether the method's conditions hold, ``state`` colours that, and ``alert`` is true
        where a figure is not what was promised or stated.

        Parameters
        ----------
        *groups : str
            Which groups; all without.
        start : str
            Only groups that begin so.
        """
        import pandas as pd

        rows: dict[tuple[str, str, str, bool], dict[str, str]] = {}
        runs: dict[tuple[str, str, str, bool], int] = {}
        differing = set()
        for figure in self.figures:
            if (groups and figure.group not in groups) or not figure.group.startswith(start):
                continue
            key = (figure.group, figure.condition, figure.method, figure.holds)
            rows.setdefault(key, {})[figure.measure] = _shown(figure)
            runs[key] = max(runs.get(key, 0), figure.runs)
            if not figure.fits:
                differing.add(key)
        alone = len({group for group, *_ in rows}) == 1
        made = [
            {
                "heading": condition if alone else f"{group}: {condition}",
                "method": method,
                "holds": "yes" if holds else "no",
                "state": "good" if holds else "ok",
                "alert": (group, condition, method, holds) in differing,
                **{name: cells.get(name, "") for name in WORDS},
                "runs": text(float(runs[group, condition, method, holds]), Unit.COUNT),
            }
            for (group, condition, method, holds), cells in rows.items()
        ]
        columns = ["heading", "method", "holds", "state", "alert", *WORDS, "runs"]
        return pd.DataFrame(made, columns=columns)

    def groups(self) -> list[str]:
        """Groups of simulated figures, in order."""
        return list(dict.fromkeys(figure.group for figure in self.figures))

    def further(self) -> Prose:
        """Groups that have no table of their own on the page, a plain table each."""
        shown = (*SHOWN, *(group for group in self.groups() if group.startswith(WORLDS)))
        parts = []
        for group in self.groups():
            if group in shown:
                continue
            lines = [
                f"- {escape_markdown(each.condition)}: {escape_markdown(each.method)}, "
                f"{escape_markdown(_word(each.measure))} {escape_markdown(_shown(each))}"
                for each in self.figures
                if each.group == group
            ]
            parts.append(f"### {escape_markdown(group)}\n\n" + "\n".join(lines))
        return Prose("\n\n".join(parts))

    def coverage_words(self, *, holds: bool) -> str:
        """The finding of :meth:`worst_coverage`, as a title."""
        frame = self.worst_coverage(holds=holds)
        if frame.empty:
            return "No coverage was measured"
        low, high = (
            text(float(end), Unit.PERCENT)
            for end in (frame["coverage"].min(), frame["coverage"].max())
        )
        where = "In their conditions" if holds else "Out of their conditions"
        return f"{where} 95% intervals of {len(frame)} methods hold the truth in {low} to {high} of campaigns"

    def decision_words(self) -> str:
        """The finding of :meth:`decisions`, as a title: each definition in the world that suits it least."""
        frame = self.decisions()
        if frame.empty:
            return "No decision was measured"
        worst = frame.groupby("definition")["share"].min()
        sound = worst.get("experiment", float("nan"))
        others = worst.drop("experiment", errors="ignore").max()
        return (
            f"In its worst world the experiment decides rightly in {text(float(sound), Unit.PERCENT)} of "
            f"campaigns, no other definition in more than {text(float(others), Unit.PERCENT)}"
        )

    def decisions(self) -> "pd.DataFrame":
        """How often each definition falls on the right side of break-even, by world.

        Columns definition, world, share, low, high.
        """
        import pandas as pd

        rows = [
            (
                figure.method,
                figure.condition,
                figure.value,
                *_span(figure),
            )
            for figure in self.figures
            if figure.measure == "right_decision"
        ]
        return pd.DataFrame(rows, columns=["definition", "world", "share", "low", "high"])


def open_page(folder: str) -> Page:
    """Read a certification.

    Parameters
    ----------
    folder : str
        Holds ``certification.json`` and ``characteristics.json``.

    Raises
    ------
    DataError
        If a file is missing or of another version.
    """
    from hkreport.certify import characteristics

    where = Path(folder)
    found = _read(where / CHARACTERISTICS)
    return Page(
        tuple(record.from_json(_read(where / CERTIFICATION))),
        tuple(characteristics.from_json(found["figures"])),
    )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise DataError(
            f"{path} cannot be read: {cause}.",
            next_step="Run 'hkreport certify', which writes it.",
        ) from cause


def _apart(figure: "Figure") -> float:
    return abs((figure.value or 0.0) - 0.95)


def _span(figure: "Figure") -> tuple[float, float]:
    value, reach = figure.value or 0.0, SURE * figure.error
    return max(value - reach, 0.0), min(value + reach, 1.0)


def _word(measure: str) -> str:
    return WORDS.get(measure, measure.replace("_", " ")).lower()


def _ran(each: record.Record) -> bool:
    return each.status != record.NOT_RUN


def _tally(records: Sequence[record.Record], what: str) -> str:
    counts = {status: sum(each.status == status for each in records) for status in record.STATUSES}
    rest = [f"{counts[status]} {words}" for status, words in _REST if counts[status]]
    whole = f"{counts[record.REPRODUCED]} of {len(records)} {what} reproduced"
    return ", ".join([whole, *rest]) + "."


_REST = ((record.DIFFERS, "differ"), (record.NOT_RUN, "not run"))


def _frame(records: Iterable[record.Record]) -> "pd.DataFrame":
    import pandas as pd

    bounds = {"at_most": "at most ", "at_least": "at least ", "": ""}
    return pd.DataFrame(
        [
            (
                each.group,
                each.name,
                f"{bounds[each.bound]}{_digits(each.published)}",
                _digits(each.computed),
                _digits(each.tolerance),
                each.status.replace("_", " "),
                each.status != record.REPRODUCED,
                each.reason,
            )
            for each in records
        ],
        columns=[
            "group",
            "name",
            "published",
            "computed",
            "tolerance",
            "status",
            "alert",
            "reason",
        ],
    )


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.7g}"


def _shown(figure: "Figure") -> str:
    """A measured figure in words: shares as percent with their simulation error."""
    if figure.value is None:
        return "n/a"
    if figure.measure in ("bias", "width", "rmse"):
        sign = "+" if figure.measure == "bias" else "-"
        # What rounding leaves of nothing is nothing.
        value = figure.value if abs(figure.value) > 1e-12 else 0.0
        return f"{value:{sign}.3g}".replace("-", "−")
    # Without spaces a narrow cell does not break it.
    return f"{100 * figure.value:.1f}±{100 * figure.error:.1f}%"
