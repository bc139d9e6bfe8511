"""Answers that somebody else published, computed again from their data.

The data lie beside the project (``../shared/validation``), with a README that fixes the tolerances: half
a unit of the last digit of a closed-form answer; 2 % of the point and 10 % of the effect for the ends
where a Bayesian posterior is met by maximum likelihood; 3 % for bootstrap ends. Where the folder is
absent every row says so.
"""

import gzip
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkreport.certify.record import Record
from hkreport.params import project_root

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Answer", "answers", "folder", "reproduce"]

ABSENT = "The published data are not here: they lie in ../shared/validation beside the project."

HILLSTROM = "Hillstrom, MineThatData e-mail challenge (2008)"
GEOLIFT = "GeoLift walkthrough (Meta)"
CAUSALIMPACT = "R CausalImpact, example series"
MARKOV = "ChannelAttribution and pychattr readmes"
MMM = "PyMC-Marketing, example with true contributions"

BAYES = (
    "R draws from a posterior whose prior shrinks the two controls, which explain little; here their "
    "coefficients keep all their uncertainty."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One published figure and how to compute it.

    Attributes
    ----------
    group, name : str
    published : float
    tolerance : float or None
        Absolute; None where it is the width of our own interval, which `compute` then returns.
    compute : callable
        Takes the folder of the data; returns the figure, or the figure and the tolerance.
    reason : str
        Why ours differs, if it is known beforehand that it may.
    """

    group: str
    name: str
    published: float
    tolerance: float | None
    compute: Callable[[Path], float | tuple[float, float]]
    reason: str = ""


def folder() -> Path | None:
    """Where the published data lie, or None."""
    found = project_root().parent / "shared" / "validation"
    return found if (found / "README.md").is_file() else None


def reproduce(where: Path | None) -> list[Record]:
    """Each published figure beside the computed one.

    Parameters
    ----------
    where : Path or None
        Folder of the data; None where it is absent.

    Examples
    --------
    >>> {record.status for record in reproduce(None)}
    {'not_run'}
    """
    made = []
    for answer in answers():
        head = (answer.group, answer.name, SOURCES[answer.group], answer.published)
        if where is None:
            made.append(Record.not_run(*head, answer.tolerance, ABSENT))
        else:
            found = answer.compute(where)
            value, tolerance = (
                found if isinstance(found, tuple) else (found, answer.tolerance or 0.0)
            )
            made.append(Record.judged(*head, value, tolerance, reason=answer.reason))
    return made


def answers() -> list[Answer]:
    """All published figures, in the order of the page."""
    return [*_hillstrom(), *_geolift(), *_causal_impact(), *_journeys(), *_media_mix()]


def half(text: str) -> tuple[float, float]:
    """A printed figure, and half a unit of its last digit.

    Examples
    --------
    >>> half("0.0765896"), half("1.1638e-07"), half("4,667")
    ((0.0765896, 5e-08), (1.1638e-07, 5e-12), (4667.0, 0.5))
    """
    plain = text.replace(",", "")
    mantissa, _, exponent = plain.partition("e")
    places = len(mantissa.partition(".")[2])
    return float(plain), float(f"5e{-places - 1 + int(exponent or 0)}")


# Hillstrom: a randomised e-mail, three arms.


def _hillstrom() -> Iterator[Answer]:
    def row(name: str, text: str, compute: Callable[["_Arms"], float]) -> Answer:
        return Answer("Hillstrom", name, *half(text), lambda where: compute(_arms(where)))

    yield row("sample ratio χ²", "0.2025", lambda arms: arms.split()[0])
    yield row("sample ratio p", "0.9037", lambda arms: arms.split()[1])
    for arm, outcome, texts in (
        ("Mens E-Mail", "visit", ("0.0765896", "0.069953", "0.083226")),
        ("Mens E-Mail", "conversion", ("0.0068050", "0.0050001", "0.0086099")),
        ("Mens E-Mail", "spend", ("0.769827", "0.485140", "1.054515")),
        ("Womens E-Mail", "visit", ("0.0452331",)),
        ("Womens E-Mail", "conversion", ("0.0031111",)),
        ("Womens E-Mail", "spend", ("0.424412", "0.168957", "0.679868")),
    ):
        short = arm.partition(" ")[0]
        for part, text in zip(("value", "low", "high"), texts, strict=False):
            words = {"value": "difference", "low": "lower end", "high": "upper end"}[part]
            yield row(
                f"{short}, {outcome}: {words}",
                text,
                partial(_welch_part, arm=arm, outcome=outcome, part=part),
            )
    for arm, text in (("Mens E-Mail", "1.1638e-07"), ("Womens E-Mail", "0.0011294")):
        yield row(
            f"{arm.partition(' ')[0]}, spend: p",
            text,
            partial(_welch_part, arm=arm, outcome="spend", part="p_value"),
        )
    yield row("Mens, relative spend lift, %", "117.93", partial(_lift, kind="delta", part="value"))
    for kind, low, high in (("delta", "54.43", "181.43"), ("fieller", "64.37", "197.74")):
        for part, text in (("low", low), ("high", high)):
            yield row(
                f"Mens, relative spend lift, {kind}: {part} end, %",
                text,
                partial(_lift, kind=kind, part=part),
            )
    for part, value in (("low", 66.0), ("high", 193.9)):
        yield Answer(
            "Hillstrom",
            f"Mens, relative spend lift, bootstrap: {part} end, %",
            value,
            0.03 * value,
            partial(_bootstrap, part=part),
        )
    yield row(
        "CUPED on history, all 64,000 customers: share of variance",
        "0.0005",
        lambda arms: arms.explained(),
    )


@dataclass(frozen=True, eq=False)
class _Arms:
    """Hillstrom's customers by arm."""

    frame: "pd.DataFrame"

    def of(self, arm: str, outcome: str) -> "Floats":
        chosen = self.frame["segment"] == arm
        return self.frame.loc[chosen, outcome].to_numpy(float)

    def split(self) -> tuple[float, float]:
        """χ² of an equal split into three arms, and its p-value: e^(−χ²/2) at two degrees of freedom."""
        counts = self.frame["segment"].value_counts().to_numpy(float)
        chi_square = float(((counts - counts.mean()) ** 2 / counts.mean()).sum())
        return chi_square, math.exp(-chi_square / 2)

    def explained(self) -> float:
        """Share of the variance of spend within the three arms that earlier spending explains.

        The published 0.0005 stands in the line about all customers, and is what all three arms give
        (0.00047); men's or women's mail against none alone give 0.0004.
        """
        by_arm = self.frame.groupby("segment")
        own = {
            name: self.frame[name] - by_arm[name].transform("mean") for name in ("spend", "history")
        }
        return float(own["spend"].corr(own["history"]) ** 2)


@lru_cache(maxsize=1)
def _arms(where: Path) -> _Arms:
    """Sixty thousand rows, read once a run."""
    import pandas as pd

    with gzip.open(where / "hillstrom.csv.gz", "rt") as file:
        return _Arms(pd.read_csv(file))


def _welch_part(arms: _Arms, *, arm: str, outcome: str, part: str) -> float:
    from hkreport.methods.experiment import difference

    found = difference(arms.of(arm, outcome), arms.of("No E-Mail", outcome), interval="welch")
    return float(getattr(found, part))


def _lift(arms: _Arms, *, kind: Any, part: str) -> float:
    from hkreport.methods.experiment import relative_lift

    treated, control = arms.of("Mens E-Mail", "spend"), arms.of("No E-Mail", "spend")
    return 100 * float(getattr(relative_lift(treated, control, interval=kind), part))


def _bootstrap(where: Path, *, part: str) -> float:
    from hkreport.methods.resampling import bootstrap

    arms = _arms(where)
    treated, control = arms.of("Mens E-Mail", "spend"), arms.of("No E-Mail", "spend")
    found = bootstrap(treated, control, relative=True, resamples=10_000)
    return 100 * float(getattr(found, part))


# GeoLift: two of forty cities.


def _geolift() -> Iterator[Answer]:
    def row(name: str, text: str, compute: Callable[[Any], float]) -> Answer:
        return Answer("GeoLift", name, *half(text), lambda where: compute(_geo(where)))

    yield row("effect a city and day (ATT)", "155.556", lambda found: found.effect.value)
    yield row("incremental outcome", "4,667", lambda found: found.total.value)
    yield row("lift, %", "5.4", lambda found: 100 * found.relative.value)
    yield row("L2 imbalance", "909.489", lambda found: found.imbalance)
    yield row("scaled L2 imbalance", "0.1636", lambda found: found.scaled_imbalance)
    for city, text in (("cincinnati", ".2272"), ("miami", ".2028"), ("baton rouge", ".1335")):
        yield row(f"weight of {city}", text, partial(_weight, city=city))
    yield Answer(
        "GeoLift power",
        "smallest effect found in 15 days, chicago and portland, %",
        10.0,
        0.5,
        _smallest_effect,
    )


def _weight(found: Any, *, city: str) -> float:
    return float(found.weights.get(city, 0.0))


TREATED_CITIES = ("chicago", "portland")


def _cities(path: Path, days: int) -> Any:
    """The last `days` days count as after launch."""
    import pandas as pd

    from hkreport.methods.counterfactual import Panel

    table = pd.read_csv(path).pivot(index="location", columns="date", values="Y").sort_index()
    treated = table.index.isin(TREATED_CITIES)
    return Panel(
        table.to_numpy(float), treated, table.shape[1] - days, tuple(map(str, table.index))
    )


def _geo(where: Path) -> Any:
    from hkreport.methods.counterfactual import synthetic_control

    return synthetic_control(_cities(where / "geolift_test.csv", 15))


def _smallest_effect(where: Path) -> float:
    """As GeoLift searches: 5 % steps, the last 15 days before the test, p below 0.1 over time."""
    from dataclasses import replace

    from hkreport.methods.counterfactual import conformal_p_value

    panel = _cities(where / "geolift_pretest.csv", 15)
    for percent in (5, 10, 15, 20):
        lifted = panel.values.copy()
        lifted[panel.treated, panel.launch :] *= 1 + percent / 100
        if conformal_p_value(replace(panel, values=lifted), blocks=False) < 0.1:
            return float(percent)
    return float("inf")


# CausalImpact: one series, two controls.


def _causal_impact() -> Iterator[Answer]:
    effect, total, relative = 27.0, 804.0, 21.0

    def row(
        name: str, published: float, tolerance: float, compute: Callable[[Any], float]
    ) -> Answer:
        return Answer(
            "CausalImpact",
            name,
            published,
            tolerance,
            lambda where: compute(_impact(where)),
            reason=BAYES,
        )

    yield row("actual, mean after launch", 156, 0.5, lambda found: _later(found, "actual"))
    yield row(
        "predicted, mean after launch", 129, 0.02 * 129, lambda found: _later(found, "expected")
    )
    yield row("predicted: standard deviation", 4.5, 0.05, lambda found: found.effect.standard_error)
    yield row("effect", effect, 0.02 * effect, lambda found: found.effect.value)
    yield row("cumulative effect", total, 0.02 * total, lambda found: found.total.value)
    yield row(
        "relative effect, %", relative, 0.02 * relative, lambda found: 100 * found.relative.value
    )
    for label, attribute, ends, size, scale in (
        ("effect", "effect", (18, 36), effect, 1),
        ("cumulative effect", "total", (539, 1073), total, 1),
        ("relative effect, %", "relative", (14, 28), relative, 100),
    ):
        for part, end in zip(("low", "high"), ends, strict=True):
            yield row(
                f"{label}: {'lower' if part == 'low' else 'upper'} end",
                end,
                0.10 * size,
                partial(_end_of, attribute=attribute, part=part, scale=scale),
            )


def _end_of(found: Any, *, attribute: str, part: str, scale: float) -> float:
    return scale * float(getattr(getattr(found, attribute), part))


def _later(found: Any, path: str) -> float:
    return float(getattr(found, path)[found.launch :].mean())


def _impact(where: Path) -> Any:
    import pandas as pd

    from hkreport.methods.counterfactual import structural_series

    table = pd.read_csv(where / "causalimpact_google.csv")
    launch = int((table["date"] < "2020-03-02").sum())
    controls = table[["x1", "x2"]].to_numpy(float)
    # CausalImpact's own prior: a step of the level is 1 % of the series' standard deviation.
    return structural_series(
        table["y"].to_numpy(float), launch, controls=controls, level_sd=CAUSALIMPACT_LEVEL
    )


CAUSALIMPACT_LEVEL = 0.01


# Journeys: Markov removal effects.


def _journeys() -> Iterator[Answer]:
    for file, arrow, shares in (
        ("googleads_mailing.csv", " > ", (("google ads", "2.4"), ("mailing", "1.6"))),
        ("pychattr_readme.csv", " >>> ", (("A", "2"), ("B", "1"))),
    ):
        for channel, text in shares:
            yield Answer(
                "Journeys",
                f"Markov credit of {channel}",
                *half(text),
                partial(_credit, file=file, arrow=arrow, channel=channel),
            )


def _credit(where: Path, *, file: str, arrow: str, channel: str) -> float:
    import pandas as pd

    from hkreport.methods.attribution import Paths, markov

    table = pd.read_csv(where / file)
    paths = Paths.of(
        [str(path).split(arrow) for path in table["path"]],
        table["conversions"].to_numpy(float),
        nulls=table["nulls"].to_numpy(float),
    )
    return float(markov(paths)[paths.channels.index(channel), 0])


# Media mix: contributions that are known because they were simulated.


def _media_mix() -> Iterator[Answer]:
    for channel, total, parameters in (
        ("x1", 274_848.2960, (0.4, 4.0, 3.0)),
        ("x2", 65_905.9819, (0.2, 3.0, 2.0)),
    ):
        yield Answer(
            "Media mix",
            f"{channel}: largest gap between the stated curve and the file, a week",
            0.0,
            1e-6,
            partial(_gap, channel=channel, parameters=parameters),
        )
        yield Answer(
            "Media mix",
            f"{channel}: total contribution, inside the 95 % interval",
            total,
            None,
            partial(_contribution, channel=channel),
            reason="The true total lies outside the interval.",
        )


def _mix(where: Path) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_csv(where / "pymc_marketing_mmm.csv")


def _gap(where: Path, *, channel: str, parameters: tuple[float, float, float]) -> float:
    from hkreport.methods.media_mix import adstock, saturation

    table = _mix(where)
    carry_over, speed, height = parameters
    curve = saturation(adstock(table[channel].to_numpy(float), carry_over), speed)
    # The file's unit is a thousandth of the generator's.
    gap = 1000 * height * curve - table[f"true_contrib_{channel}"].to_numpy(float)
    return float(abs(gap).max())


def _contribution(where: Path, *, channel: str) -> tuple[float, float]:
    """The estimate, and half the width of its interval."""
    import numpy as np

    from hkreport.methods.media_mix import contributions

    table = _mix(where)
    week = np.linspace(0, 1, len(table))
    season = 2 * np.pi * table["dayofyear"].to_numpy(float) / 365.5
    waves = [wave(turn * season) for turn in (1, 2) for wave in (np.sin, np.cos)]
    events = [table[name].to_numpy(float) for name in ("event_1", "event_2")]
    other = np.column_stack([np.ones(len(week)), week, week**2, *waves, *events])
    channels = ("x1", "x2")
    found = contributions(table["y"].to_numpy(float), table[list(channels)].to_numpy(float), other)
    total = found[channels.index(channel)].total
    return total.value, (total.high - total.low) / 2


SOURCES = {
    "Hillstrom": HILLSTROM,
    "GeoLift": GEOLIFT,
    "GeoLift power": GEOLIFT,
    "CausalImpact": CAUSALIMPACT,
    "Journeys": MARKOV,
    "Media mix": MMM,
}
