"""The page around the cube: declarations of the metrics as data, and one HTML file that needs nothing else.

Labels, units, formulas and the rules for what is undefined are written out of :mod:`hkreport.metrics`;
the scripts evaluate them and know no metric by themselves.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from hkreport import metrics as m
from hkreport import params, theme, views
from hkreport.metrics import CATALOGUE, Distinct, Linear, Metric, Ratio, Score, Share, Total
from hkreport.params import Settings
from hkreport.pipeline import fonts
from hkreport.pipeline.explorer import cube as cubes
from hkreport.pipeline.explorer.cube import Cube
from hkreport.store import Data
from hkreport.units import escape_html

__all__ = ["build", "declarations", "html"]

HERE = Path(__file__).parent
SCRIPTS = (
    "words.js",
    "engine.js",
    "charts.js",
    "state.js",
    "controls.js",
    "figures.js",
    "table.js",
    "app.js",
)

# Metrics of the cards, and what the table starts with.
CARDS: tuple[Metric, ...] = (
    m.REVENUE,
    m.SPEND,
    m.ROAS,
    m.ORDERS,
    m.INFLUENCER_REVENUE,
    m.CATALOGUE["roi"],
    m.AVERAGE_ORDER_VALUE,
    m.COST_PER_INFLUENCER_ORDER,
    m.ENGAGEMENT_RATE_BY_REACH,
    m.REACH,
    m.POSTS,
    m.ACTIVE_INFLUENCERS,
)
COLUMNS: Mapping[str, tuple[Metric, ...]] = {
    "influencer": (
        m.INFLUENCER_REVENUE,
        m.INFLUENCER_ORDERS,
        m.SPEND,
        m.ROAS,
        m.CATALOGUE["roi"],
        m.COST_PER_INFLUENCER_ORDER,
        m.POSTS,
        m.REACH,
        m.ENGAGEMENT_RATE_BY_REACH,
    ),
    "product": (
        m.REVENUE,
        m.ORDERS,
        m.AVERAGE_ORDER_VALUE,
        m.SPEND,
        m.ROAS,
        m.PROFIT,
        m.MARGIN,
        m.PRODUCT_SCORE,
    ),
    "": (
        m.REVENUE,
        m.INFLUENCER_REVENUE,
        m.ORDERS,
        m.SPEND,
        m.ROAS,
        m.POSTS,
        m.REACH,
        m.ENGAGEMENT_RATE_BY_REACH,
        m.ACTIVE_INFLUENCERS,
    ),
}

# What can be chosen from lists, in the order of the page; the last three stand under "More".
FILTERS = (
    "brand",
    "platform",
    "category",
    "tier",
    "gender",
    "product_category",
    "product",
    "campaign",
    "persona",
    "city",
    "payout_basis",
)
COUNTED = ("influencer_id", "campaign")

LUCK = (
    "it ranks return with luck taken out, which is worked out anew for every period; see a report, its "
    "influencers.csv or 'hkreport metrics'"
)


@dataclass(frozen=True, slots=True)
class Brand:
    """What a brand's own params change on the page."""

    bands: Mapping[str, Mapping[str, float]]
    targets: Mapping[str, float]
    scores: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, settings: Settings) -> "Brand":
        """Read it from settings."""
        return cls(
            bands={
                name: {"good": band.good, "ok": band.poor} for name, band in settings.bands.items()
            },
            targets=dict(settings.targets),
            scores={"product_score": dict(settings.scores.product)},
        )

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"bands": self.bands, "targets": self.targets, "scores": self.scores}


def declarations() -> dict[str, list[dict[str, Any]]]:
    """Every metric as plain values: ``metrics`` that the cube can compute, ``omitted`` with the reason.

    Examples
    --------
    >>> declared = declarations()
    >>> next(each["expression"] for each in declared["metrics"] if each["name"] == "roas")
    {'kind': 'ratio', 'numerator': 'influencer_revenue', 'denominator': 'spend', 'scale': 1.0}
    >>> [each["name"] for each in declared["omitted"]]
    ['customers', 'performance_score']
    """
    kept, omitted = [], []
    for metric in CATALOGUE.values():
        foreign = [
            need
            for need in m.sums([metric])
            if isinstance(need, Distinct) and need.column not in COUNTED
        ]
        said: dict[str, Any] = {"name": metric.name, "label": metric.label}
        if foreign:
            why = "user ids stay out of the page, and without them customers cannot be counted"
            omitted.append(said | {"why": why})
            continue
        if isinstance(metric, Score) and metric.returns:
            omitted.append(said | {"why": LUCK})
            continue
        kept.append(
            said
            | {
                "unit": metric.unit.value,
                "good": metric.good.value,
                "formula": metric.formula,
                "description": metric.description,
                "source": metric.source,
                "caveat": metric.caveat,
                "reason": metric.undefined if isinstance(metric, Ratio) else "",
                "expression": _expression(metric),
            }
        )
    return {"metrics": kept, "omitted": omitted}


def _part(metric: Metric) -> Any:
    """A metric's name; what has no name of its own in the catalogue is spelt out."""
    return metric.name if CATALOGUE.get(metric.name) == metric else _expression(metric)


def _expression(metric: Metric) -> dict[str, Any]:
    match metric:
        case Total():
            return {"kind": "total", "column": metric.column, "complete": metric.complete}
        case Distinct():
            return {"kind": "distinct", "column": metric.column, "kinds": list(metric.kinds)}
        case Linear():
            terms = [[weight, _part(part)] for weight, part in metric.terms]
            return {"kind": "linear", "terms": terms}
        case Ratio():
            return {
                "kind": "ratio",
                "numerator": _part(metric.numerator),
                "denominator": _part(metric.denominator),
                "scale": metric.scale,
            } | ({"cost": True} if metric.is_cost else {})
        case Share():
            return {"kind": "share", "part": _part(metric.part)}
        case Score():
            return {"kind": "score", "by": metric.by}


def html(data: Data, settings: Settings, *, home: str = "", most: int = cubes.MOST_CELLS) -> str:
    """The explorer of a data folder as one HTML file.

    Parameters
    ----------
    data : Data
        From :func:`hkreport.store.open_data`.
    settings : Settings
        Of all brands together; where one brand is chosen on the page, its own bands, targets and score
        weights count.
    home : str
        Relative address of the site that the page belongs to; empty for a page that stands alone.
    most : int
        Cells from which on days are summed to weeks, and so on.
    """
    cube = Cube.of(data.ledger, most=most)
    facts = {
        **declarations(),
        "cards": [metric.name for metric in CARDS],
        "columns": {by: [metric.name for metric in chosen] for by, chosen in COLUMNS.items()},
        "filters": FILTERS,
        "labels": {
            name: m.DIMENSIONS.get(name, name.capitalize())
            for name in (*m.DIMENSIONS, *m.TIME_STEPS)
        },
        "settings": Brand.of(settings).plain(),
        "brands": _brands(data, settings),
        "colours": _colours(cube),
        "folder": data.folder.name,
        "as_of": str(settings.as_of or ""),
    }
    texts = {name: (HERE / name).read_text(encoding="utf-8") for name in SCRIPTS}
    script = '(() => {\n"use strict";\n' + "\n".join(texts.values()) + "\n})();"
    style = fonts.css() + "\n" + (HERE / "app.css").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; font-src data:; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    page = Template((HERE / "page.html").read_text(encoding="utf-8"))
    return page.substitute(
        policy=policy,
        style=style,
        script=script,
        subtitle=escape_html(_subtitle(data)),
        home=f'<a href="{escape_html(home)}">All reports</a>' if home else "",
        facts=_json(facts),
        cube=base64.b64encode(cubes.compressed(cube.packed)).decode("ascii"),
    )


def build(data: Data, settings: Settings, out: Path, *, home: str = "") -> Path:
    """Write the explorer to a file, whole or not at all; returns its path."""
    page = html(data, settings, home=home)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    part.write_text(page, encoding="utf-8")
    part.replace(out)
    return out


def _brands(data: Data, settings: Settings) -> dict[str, Any]:
    """What each brand's own params change, by the data's spelling of the brand."""
    found = {}
    everyone = Brand.of(settings)
    for name in data.ledger.values("brand"):
        own = params.load(name, root=data.kept.parents[2])  # build/data/KEY
        if Brand.of(own) != everyone:
            found[name] = Brand.of(own).plain()
        if (own.tiers, own.allocation) != (settings.tiers, settings.allocation):
            found.setdefault(name, everyone.plain())["apart"] = (
                f"Reports of {name} use tiers or allocation rules of their own; this page uses "
                "those of params/_defaults.yml."
            )
    return found


def _subtitle(data: Data) -> str:
    span = views.resolve(data.ledger, "all").words if data.ledger.first else "no dates"
    return f"{span} · simulated data" if data.simulated else span


def _colours(cube: Cube) -> dict[str, str]:
    """Colours of platforms, tiers and brands, as in the reports."""
    traits = cube.header["people"]
    named = (
        (theme.distinct_colours, traits["platform"]),
        (theme.colours, traits["tier"]),  # each has a shape, or is grey: see `SHAPE_OF` of the page
        (theme.distinct_colours, cube.header["things"]["brand"]),
    )
    return {
        name: colour
        for of, column in named
        for name, colour in of(filter(None, column["values"])).items()
    }


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _json(value: object) -> str:
    """JSON that cannot end the script element around it."""
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return plain.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
