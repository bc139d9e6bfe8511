"""What was asked for: parameters from files and the command line, checked by name.

The defaults stand in ``params/_defaults.yml`` and nowhere else; a brand's file overrules them. What the
parameters do belongs to the modules that read them.
"""

import datetime
import math
import re
import string
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hkreport import metrics
from hkreport.errors import ParamsError, UsageError, did_you_mean, listed
from hkreport.schema import TABLES, Kind, fold

__all__ = ["Email", "Settings", "brands", "checked_address", "load", "project_root"]


# What the subject of a mail may name.
SUBJECT_FIELDS = ("brand", "period", "dates", "headline")


# Rupees, orders or multiples: whatever is larger was mistyped, and cannot be printed in full.
Amount = Annotated[float, Field(ge=-1e15, le=1e15)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_written_as_meant(cls, value: Any, info: ValidationInfo) -> Any:
        kinds = _kinds(cls.model_fields[info.field_name or ""].annotation)
        if any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds):
            return value  # looks at its own fields
        if tuple in kinds and isinstance(value, str):
            raise ValueError(f"it must be a list: [{value}]")
        name = _truth(value, "it")
        if bool not in kinds and name:
            raise ValueError(
                f"{name} must be a number or a text, and YAML takes yes and on for true"
            )
        return value


def _kinds(annotation: Any) -> set[Any]:
    """The types that a field is made of."""
    inner = set().union(*map(_kinds, get_args(annotation)))
    return {annotation, get_origin(annotation)} | inner


def _truth(value: Any, name: str) -> str:
    """What is called true or false, in a value or in a map of values; empty where nothing is."""
    if isinstance(value, Mapping):
        return next(filter(None, (_truth(each, str(key)) for key, each in value.items())), "")
    return name if isinstance(value, bool) else ""


class Tiers(_Strict):
    """Size classes: the scheme in use, and the schemes by name."""

    scheme: str
    schemes: Mapping[str, Mapping[str, int]]

    @property
    def steps(self) -> tuple[tuple[str, int], ...]:
        """The scheme in use, from largest to smallest."""
        chosen = self.schemes[self.scheme]
        return tuple(sorted(chosen.items(), key=lambda step: -step[1]))


class Allocation(_Strict):
    """How payouts reach brands and dates, and when to warn."""

    hybrid_order_share: float = Field(ge=0, le=1)
    commission_below: float = Field(gt=0)
    unassigned_warning: float = Field(ge=0, le=1)
    displaced_warning: float = Field(ge=0, le=1)


def _require_metrics(names: Iterable[str]) -> None:
    """Refuse a name that no metric has: a misspelt one would count for nothing, in silence."""
    for name in names:
        try:
            metrics.find(name)
        except UsageError as error:
            near = error.message.partition("'. ")[2]
            raise ValueError(
                error.message if near else f"{error.message} {error.next_step}"
            ) from error


def _require_weights(weights: Mapping[str, float]) -> Mapping[str, float]:
    for name, weight in weights.items():
        if not 0 <= weight < math.inf:
            raise ValueError(f"the weight of {name} must be 0 or more")
    return weights


class Band(_Strict):
    """Below `poor` is poor, from `good` up is good."""

    poor: Amount
    good: Amount


class Scores(_Strict):
    """Weights of percentile ranks by metric name."""

    performance: Mapping[str, float]
    product: Mapping[str, float]

    @field_validator("performance", "product")
    @classmethod
    def _weighs_metrics(cls, weights: Mapping[str, float]) -> Mapping[str, float]:
        _require_metrics(weights)
        return _require_weights(weights)


class Money(_Strict):
    """What the revenue column holds, and the rates of GST by the day from which they hold."""

    revenue_includes_gst: bool | None
    revenue_includes_discount: bool | None
    gst: Mapping[datetime.date, Annotated[float, Field(ge=0, lt=1)]]


class Attribution(_Strict):
    """Windows and weights of the attribution models, and what they need to be told apart."""

    view_days: int = Field(ge=0, le=365)
    click_days: int = Field(ge=0, le=365)
    half_life_hours: float = Field(gt=0, allow_inf_nan=False)
    position_ends: float = Field(ge=0, le=0.5)
    platform_weights: Mapping[str, float]
    other_platforms: float = Field(ge=0)
    paths_at_least: int = Field(ge=1)
    several_at_least: float = Field(ge=0, le=1)
    orders_at_least: int = Field(ge=1)

    @field_validator("platform_weights")
    @classmethod
    def _no_weight_is_negative(cls, weights: Mapping[str, float]) -> Mapping[str, float]:
        return _require_weights(weights)


class Around(_Strict):
    """Days before and after a festival that belong to it."""

    before: int = Field(ge=0, le=60)
    after: int = Field(ge=0, le=60)


class Forecast(_Strict):
    """How far a forecast looks, what it needs, and the festivals that it may know."""

    weeks_ahead: int = Field(ge=4, le=13)
    weeks_at_least: int = Field(ge=16)
    yearly_from: int = Field(ge=104)
    origins: int = Field(ge=8, le=52)
    festivals: Mapping[str, Around]


class InsightRules(_Strict):
    """When something is said: thresholds of evidence and of size."""

    false_discovery: float = Field(gt=0, lt=1)
    confidence: float = Field(gt=0, lt=1)
    least_resamples: int = Field(ge=99)
    seed: int = Field(ge=0)
    least_effective: float = Field(ge=2)
    least_influencers: int = Field(ge=2)
    least_orders: float = Field(gt=0)
    least_posts: int = Field(ge=2)
    half_weight_orders: float = Field(gt=0)
    shift: float = Field(gt=0, le=1)
    top: int = Field(ge=1)
    top_share: float = Field(gt=0, le=1)
    target_slack: float = Field(ge=0)
    least_spend_share: float = Field(ge=0, le=1)
    least_break: float = Field(gt=0)
    most_alerts: int = Field(ge=1)
    most_shown: int = Field(ge=1)


class Experiment(_Strict):
    """One experiment as it was planned, before its result was known; printed in the report.

    Attributes
    ----------
    name : str
        What a reader calls it.
    randomised : bool
        Whether chance alone decided who was in which arm; without it nothing is estimated.
    unit : str
        What was assigned: users, or whole campaigns, influencers or cities.
    share : float
        Planned share of units in treatment.
    start, end : date
        First and last day of the outcome window; with `outcome_days`, of assignment.
    outcome_days : int, optional
        Length of each unit's own window from its day of assignment, where units enter one by one.
    washout_days : int
        With ``unit: city``: days from `start` on that do not count, while earlier posts still sell.
    pre_start : date, optional
        First day of the period before, that ``pre_period_revenue`` covers.
    campaigns : sequence of str
        Campaigns that only treatment could see; their fixed fees are the spend withheld.
    spend : float, optional
        The spend withheld in rupees, where no campaign's fees say it.
    payout_per_order, payout_share : float
        Rupees an order, and share of revenue, paid for orders credited to `campaigns`.
    metric : str
        The outcome that decides: ``net_revenue``, ``revenue`` or ``orders``.
    recorded : str
        ``buyers`` where the file of units lists only those who bought.
    detect : float
        Relative lift that the size was planned for.
    stop : str
        ``at_end``, or ``always_valid`` if the result may be looked at while the test runs.
    data : str
        ``simulated`` for experiments that only simulated data hold.
    """

    name: str = Field(min_length=1)
    randomised: bool = False
    unit: Literal["user", "campaign", "influencer", "city"] = "user"
    share: float = Field(gt=0, lt=1)
    start: datetime.date
    end: datetime.date
    outcome_days: int | None = Field(default=None, ge=1, le=366)
    washout_days: int = Field(default=0, ge=0, le=90)
    pre_start: datetime.date | None = None
    campaigns: tuple[str, ...] = ()
    spend: float | None = Field(default=None, ge=0)
    payout_per_order: float = Field(default=0, ge=0)
    payout_share: float = Field(default=0, ge=0, lt=1)
    metric: Literal["net_revenue", "revenue", "orders"] = "net_revenue"
    recorded: Literal["assigned", "buyers"] = "assigned"
    detect: float = Field(default=0.1, gt=0)
    stop: Literal["at_end", "always_valid"] = "at_end"
    data: Literal["exported", "simulated"] = "exported"

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        if self.pre_start is not None and self.pre_start >= self.start:
            raise ValueError(f"pre_start {self.pre_start} is not before start {self.start}")
        return self

    @property
    def closes(self) -> datetime.date:
        """Last day on which an outcome can fall."""
        return self.end + datetime.timedelta(days=(self.outcome_days or 1) - 1)


class Experiments(_Strict):
    """How experiments are read, and those that a brand declares."""

    confidence: float = Field(gt=0.5, lt=1)
    calibration_days: int = Field(ge=0)
    assumed_organic_share: float = Field(ge=0, lt=1)
    declared: tuple[Experiment, ...]


class BudgetRules(_Strict):
    """What a move of money may be, and when it is proposed."""

    half_life_hours: float = Field(gt=0, allow_inf_nan=False)
    least_weeks: int = Field(ge=20)
    least_variation: float = Field(ge=0)
    most_beta_error: float = Field(gt=0)
    most_move: float = Field(gt=0, le=1)
    confidence: float = Field(gt=0, lt=1)
    weekly: float | None = Field(default=None, gt=0)
    floors: Mapping[str, float] = Field(default_factory=dict)
    caps: Mapping[str, float] = Field(default_factory=dict)
    seed: int = Field(ge=0)


class DataFacts(_Strict):
    """What the data cannot tell about itself."""

    day_first: Mapping[str, bool]
    columns: Mapping[str, Mapping[str, str]]
    files: Mapping[str, str]

    @field_validator("day_first")
    @classmethod
    def _names_dates(cls, day_first: Mapping[str, bool]) -> Mapping[str, bool]:
        dates = [
            f"{table.name}.{column.name}"
            for table in TABLES.values()
            for column in table
            if column.kind in (Kind.DATE, Kind.TIMESTAMP)
        ]
        for name in day_first:
            if name not in dates:
                near = did_you_mean(name, dates)
                raise ValueError(
                    f"'{name}' is no date. {near or f'Dates: {listed(dates, most=20)}.'}"
                )
        return day_first


class Email(_Strict):
    """Who gets the mail of a report, and what it says above the fold."""

    sender: str
    reply_to: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str
    site_url: str
    insights: int = Field(ge=0)
    size_limit: float = Field(gt=0)

    @field_validator("sender", "reply_to")
    @classmethod
    def _one_address(cls, address: str) -> str:
        return checked_address(address) if address else address

    @field_validator("to", "cc")
    @classmethod
    def _addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_address(address) for address in addresses)

    @field_validator("subject")
    @classmethod
    def _known_fields(cls, subject: str) -> str:
        try:
            parts = list(string.Formatter().parse(subject))
        except ValueError as error:
            raise ValueError(f"not a template: {error}") from error
        for _, name, form, conversion in parts:
            if name is not None and (name not in SUBJECT_FIELDS or form or conversion):
                raise ValueError(f"its fields are {listed(SUBJECT_FIELDS)} in braces, nothing else")
        if not subject.strip():
            raise ValueError("it must say something")
        return subject

    @field_validator("site_url")
    @classmethod
    def _web_address(cls, url: str) -> str:
        if url and not re.fullmatch(r"https?://[^\s\"'<>\\`?#]+", url):
            raise ValueError("it must start with https:// and name a folder of the web")
        return url.rstrip("/")


def checked_address(address: str) -> str:
    """One mail address, with or without a name, as a header may hold it.

    Examples
    --------
    >>> checked_address("Asha Rao <asha@example.com>")
    'Asha Rao <asha@example.com>'
    >>> checked_address("asha@example.com, boss@example.com")
    Traceback (most recent call last):
    ValueError: it must be one address, such as asha@example.com or Asha Rao <asha@example.com>
    """
    from email.headerregistry import Address
    from email.utils import parseaddr

    name, bare = parseaddr(address)
    word = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
    whole = re.fullmatch(rf"{word}(\.{word})*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", bare)
    printable = all(letter.isprintable() for letter in address)
    rest = address.replace(bare, "", 1).strip()
    if whole is None or not printable or (rest and not re.fullmatch(r"[^<>]*<>", rest)):
        raise ValueError(
            "it must be one address, such as asha@example.com or Asha Rao <asha@example.com>"
        )
    return str(Address(name, addr_spec=bare))


class Settings(_Strict):
    """All settings of one report; see ``params/_defaults.yml`` for meaning and units."""

    tiers: Tiers
    allocation: Allocation
    targets: Mapping[str, Amount]
    bands: Mapping[str, Band]
    scores: Scores
    small_base: int = Field(ge=0)
    money: Money
    attribution: Attribution
    forecast: Forecast
    insights: InsightRules
    budget: BudgetRules
    experiments: Experiments
    data: DataFacts
    email: Email
    as_of: datetime.date | None = None

    @field_validator("targets", "bands")
    @classmethod
    def _are_of_metrics(cls, by_metric: Mapping[str, Any]) -> Mapping[str, Any]:
        _require_metrics(by_metric)
        for name, band in by_metric.items():
            lower_is_better = metrics.find(name).good is metrics.Direction.DOWN
            if not isinstance(band, Band) or band.poor == band.good:
                continue
            if (band.poor < band.good) == lower_is_better:
                side = "above" if lower_is_better else "below"
                raise ValueError(
                    f"poor is {band.poor:g} and good {band.good:g}; poor must be {side} good for {name}"
                )
        return by_metric

    @field_validator("tiers")
    @classmethod
    def _scheme_exists(cls, tiers: Tiers) -> Tiers:
        if tiers.scheme not in tiers.schemes:
            raise ValueError(f"scheme '{tiers.scheme}' is none of {listed(tiers.schemes)}")
        return tiers


def project_root(start: Path | None = None) -> Path:
    """Folder of the project: the nearest one upwards that holds ``_quarto.yml``.

    Outside any project it is the one this package was installed from.

    Raises
    ------
    ParamsError
        If there is none at all.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[1]):
        if (folder / "_quarto.yml").is_file():
            return folder
    raise ParamsError(
        f"No hkreport project at or above {here}: no _quarto.yml was found.",
        next_step="Change into the project folder, the one with the Makefile.",
    )


def load(
    brand: str | None = None,
    *,
    root: Path | None = None,
    as_of: str | None = None,
    maps: str = "",
) -> Settings:
    """Settings for a brand: defaults, then the brand's file, then what the command line overrules.

    Parameters
    ----------
    brand : str, optional
        Whose file to read; found without regard to case and punctuation.
    root : Path, optional
        The project.
    as_of : str, optional
        'Today' as an ISO date.
    maps : str
        Files to take for tables: ``tracking=sales.csv,posts=p.csv``.

    Raises
    ------
    ParamsError
        If a file cannot be read, a key is unknown (the nearest is named) or a value is not allowed.
    """
    root = root or project_root()
    values = _read(root / "params" / "_defaults.yml")
    origin = dict.fromkeys(values, "params/_defaults.yml")
    own = _own_file(root, brand)
    if own is not None:
        mine = _read(own)
        values = _merged(values, mine)
        origin |= dict.fromkeys(mine, f"params/{own.name}")
    if as_of is not None:
        values["as_of"] = as_of
    values = _merged(values, {"data": {"files": _mapped(maps)}})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ParamsError(_explained(error, origin)) from error


def _mapped(maps: str) -> dict[str, str]:
    """Table and file of each pair.

    Examples
    --------
    >>> _mapped("tracking=sales.csv, posts=p.csv")
    {'tracking': 'sales.csv', 'posts': 'p.csv'}
    >>> _mapped("tracking:sales.csv")
    {'tracking': 'sales.csv'}
    >>> _mapped("tracking=april.csv,tracking=may.csv")
    {'tracking': 'april.csv + may.csv'}
    """
    found: dict[str, str] = {}
    for pair in filter(None, (words.strip() for words in maps.split(","))):
        # Notebooks write a colon: papermill passes over a parameter with a second "=" in its line.
        table, sign, name = pair.partition("=" if "=" in pair else ":")
        if not sign or not name or table not in TABLES:
            near = did_you_mean(table, TABLES) or f"Tables: {listed(TABLES)}."
            raise ParamsError(
                f"--map takes TABLE=FILE, found '{pair}'. {near}",
                next_step="Example: --map tracking=sales.csv",
            )
        found[table] = f"{found[table]} + {name}" if table in found else name
    return found


def brands(root: Path | None = None) -> dict[str, tuple[str, ...]]:
    """Brand names with their other spellings, from ``params/brands.yml``.

    Raises
    ------
    ParamsError
        If the file is not a mapping of names to lists of names.
    """
    path = (root or project_root()) / "params" / "brands.yml"
    if not path.exists():
        return {}
    found = _read(path)
    for name, aliases in found.items():
        if not isinstance(aliases, list) or not all(isinstance(each, str) for each in aliases):
            raise ParamsError(
                f"params/brands.yml: '{name}' must be a list of other spellings, found {aliases!r}.",
                next_step=f"Write it as: {name}: [OTHER, SPELLINGS]",
            )
    return {str(name): tuple(aliases) for name, aliases in found.items()}


def _own_file(root: Path, brand: str | None) -> Path | None:
    """The brand's file, found without regard to case and punctuation, and by its other spellings."""
    if not brand:
        return None
    spelt = [fold(brand)]
    for name, others in brands(root).items():
        alike = [fold(each) for each in (name, *others)]
        spelt += alike if fold(brand) in alike else []
    files = {
        fold(path.stem): path
        for path in sorted((root / "params").glob("*.yml"), reverse=True)
        if not path.stem.startswith("_") and path.stem not in ("runs", "brands", "simulation")
    }
    return next((files[each] for each in spelt if each in files), None)


def _read(path: Path) -> dict[str, Any]:
    from hkreport import yaml_text

    shown = f"params/{path.name}"
    found = yaml_text.read(path)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ParamsError(f"{shown} must hold 'key: value' lines, found {type(found).__name__}.")
    return found


# What a brand's file replaces whole: half of somebody else's map would be nobody's choice.
_WHOLE = ("targets", "performance", "product", "festivals")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Overrule key by key, going into maps."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, dict) and value is None:
            continue  # a heading with nothing below it overrules nothing
        if isinstance(old, dict) and isinstance(value, dict) and key not in _WHOLE:
            value = _merged(old, value)
        result[key] = value
    return result


# As pydantic names a key that is a day.
_DAY = re.compile(r"datetime\.date\((\d+), (\d+), (\d+)\)")


def _iso(*parts: str) -> str:
    return datetime.date(*map(int, parts)).isoformat()


def _explained(error: ValidationError, origin: Mapping[str, str]) -> str:
    """One sentence a problem, naming file, key and the nearest valid key."""
    sentences = []
    for problem in error.errors():
        path = [_DAY.sub(lambda day: _iso(*day.groups()), str(part)) for part in problem["loc"]]
        where = origin.get(path[0], "command line")
        key = ".".join(path)
        if problem["type"] == "extra_forbidden":
            allowed = _keys_at(path[:-1])
            near = did_you_mean(path[-1], allowed)
            sentences.append(
                f"{where}: unknown key '{key}'. {near or f'Allowed: {listed(allowed, most=20)}.'}"
            )
        elif problem["type"] == "missing":
            # What a list holds comes from one file whole; everything else has a default.
            listed_in = any(isinstance(part, int) for part in problem["loc"])
            home = where if listed_in else "params/_defaults.yml"
            sentences.append(f"{home}: key '{key}' is missing.")
        else:
            said = problem["msg"].removeprefix("Value error, ")
            # A rule about several keys names them itself.
            found = "" if isinstance(problem["input"], dict) else f" is {problem['input']!r};"
            joint = "" if found else ":"
            end = "" if said.endswith(("?", ".")) else "."
            sentences.append(f"{where}: {key}{found}{joint} {said[0].lower()}{said[1:]}{end}")
    return " ".join(sentences)


def _keys_at(path: list[str]) -> list[str]:
    """Keys that are allowed at a place in the settings."""
    model: Any = Settings
    for part in path:
        if part.isdecimal():
            continue
        kind = model.model_fields[part].annotation if part in model.model_fields else None
        # A list's items are what its keys are about.
        kind = next(iter(getattr(kind, "__args__", ())), kind)
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        model = kind
    return list(model.model_fields)
