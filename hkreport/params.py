"""What was asked for: parameters from files and the command line, checked by name.

The defaults stand in ``params/_defaults.yml`` and nowhere else; a brand's file overrules them. What the
parameters do belongs to the modules that read them.
"""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hkreport.errors import ParamsError, did_you_mean, listed
from hkreport.schema import TABLES, fold

__all__ = ["Settings", "brands", "load", "project_root"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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


class Band(_Strict):
    """Below `poor` is poor, from `good` up is good."""

    poor: float
    good: float


class Scores(_Strict):
    """Weights of percentile ranks by metric name."""

    performance: Mapping[str, float]
    product: Mapping[str, float]


class Money(_Strict):
    """What the revenue column holds, and the rates of GST by the day from which they hold."""

    revenue_includes_gst: bool | None
    revenue_includes_discount: bool | None
    gst: Mapping[datetime.date, float]


class DataFacts(_Strict):
    """What the data cannot tell about itself."""

    day_first: Mapping[str, bool]
    columns: Mapping[str, Mapping[str, str]]
    files: Mapping[str, str]


class Settings(_Strict):
    """All settings of one report; see ``params/_defaults.yml`` for meaning and units."""

    tiers: Tiers
    allocation: Allocation
    targets: Mapping[str, float]
    bands: Mapping[str, Band]
    scores: Scores
    small_base: int = Field(ge=0)
    money: Money
    data: DataFacts
    as_of: datetime.date | None = None

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
    """
    found = {}
    for pair in filter(None, (words.strip() for words in maps.split(","))):
        table, sign, name = pair.partition("=")
        if not sign or not name or table not in TABLES:
            near = did_you_mean(table, TABLES) or f"Tables: {listed(TABLES)}."
            raise ParamsError(
                f"--map takes TABLE=FILE, found '{pair}'. {near}",
                next_step="Example: --map tracking=sales.csv",
            )
        found[table] = name
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
    """The brand's file, found without regard to case and punctuation."""
    if not brand:
        return None
    for path in sorted((root / "params").glob("*.yml")):
        reserved = path.stem.startswith("_") or path.stem in ("runs", "brands", "simulation")
        if not reserved and fold(path.stem) == fold(brand):
            return path
    return None


def _read(path: Path) -> dict[str, Any]:
    import yaml

    shown = f"params/{path.name}"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParamsError(f"{shown} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "it is not UTF-8 text"
        raise ParamsError(f"{shown}{line} is not valid YAML: {problem}.") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ParamsError(f"{shown} must hold 'key: value' lines, found {type(found).__name__}.")
    return found


# What a brand's file replaces whole: half of somebody else's map would be nobody's choice.
_WHOLE = ("targets", "performance", "product")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Overrule key by key, going into maps."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and key not in _WHOLE:
            value = _merged(old, value)
        result[key] = value
    return result


def _explained(error: ValidationError, origin: Mapping[str, str]) -> str:
    """One sentence a problem, naming file, key and the nearest valid key."""
    sentences = []
    for problem in error.errors():
        path = [str(part) for part in problem["loc"]]
        where = origin.get(path[0], "command line")
        key = ".".join(path)
        if problem["type"] == "extra_forbidden":
            allowed = _keys_at(path[:-1])
            near = did_you_mean(path[-1], allowed)
            sentences.append(
                f"{where}: unknown key '{key}'. {near or f'Allowed: {listed(allowed, most=20)}.'}"
            )
        elif problem["type"] == "missing":
            sentences.append(f"params/_defaults.yml: key '{key}' is missing.")
        else:
            said = problem["msg"].removeprefix("Value error, ")
            sentences.append(
                f"{where}: {key} is {problem['input']!r}; {said[0].lower()}{said[1:]}."
            )
    return " ".join(sentences)


def _keys_at(path: list[str]) -> list[str]:
    """Keys that are allowed at a place in the settings."""
    model: Any = Settings
    for part in path:
        kind = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        model = kind
    return list(model.model_fields)
