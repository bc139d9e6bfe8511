"""The methods on the exports of ``hkreport simulate``, scored against its ``truth.json``.

Whole worlds: seasons, sale days, festivals, returns, codes used by people who would have bought anyway.
Each world holds an experiment a brand, a brand that goes dark in four cities, and a brief that is tried in
some campaigns. What a method reads here is what a shop exports; the truth is only compared with.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hkreport import simulate
from hkreport.certify.case import Case, Method, answer
from hkreport.evidence import definitions as old
from hkreport.methods import experiment
from hkreport.methods.clusters import cluster_difference
from hkreport.methods.counterfactual import (
    Counterfactual,
    Panel,
    difference_in_differences,
    synthetic_control,
)
from hkreport.methods.estimate import Estimate, Refusal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cases"]

Floats: TypeAlias = NDArray[np.float64]

START, END = "2025-01-01", "2026-01-01"
QUARTER = "2025-Q4"  # of the definitions; the experiment lies within it
SCALE = 0.06  # as the sample that `make report` builds
WORLDS = 24  # a scenario, of a full certification
ORGANIC_SHARE = 0.2  # that assumed_baseline assumes
EARLIER_WEEKS = 16  # before the cities went dark


def cases() -> Sequence[Case]:
    """Experiments, regions and definitions in every scenario, a case each."""
    return [
        Case(
            group="Simulated exports",
            condition=f"scenario {scenario}",
            methods=METHODS,
            draw=partial(_worlds, scenario=scenario),
            runs=WORLDS,
            chunk=2,
        )
        for scenario in simulate.SCENARIOS
    ]


METHODS = (
    Method(name="experiment: incremental revenue", conservative=True),
    Method(name="experiment: incremental orders", conservative=True),
    Method(name="experiment: iROAS", conservative=True),
    Method(name="attributed ROAS", holds=False),
    *(Method(name=each.name, holds=False) for each in old.DEFINITIONS[:-1]),
    # The cities that went dark are among the larger ones, whose noise is smaller than the others'.
    Method(name="dark cities: difference in differences", holds=False),
    Method(name="dark cities: synthetic control", conservative=True),
    Method(name="new brief: campaign totals", conservative=True),
)


def _worlds(rng: np.random.Generator, runs: int, scenario: str) -> Floats:
    """Simulate worlds and read each: a row a brand; what is not asked of a brand is NaN."""
    rows = []
    for seed in rng.integers(1, 2**31, runs):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "world"
            simulate.write(
                out,
                seed=int(seed),
                scale=SCALE,
                scenario=scenario,
                start=START,
                end=END,
                file_format="parquet",
            )
            truth = json.loads((out / "truth.json").read_text(encoding="utf-8"))
            rows.append(_read(_tables(out), truth))
    return np.concatenate(rows)


def _read(tables: Mapping[str, "pd.DataFrame"], truth: Mapping[str, Any]) -> Floats:
    places = _places(tables, truth)
    nothing = [[np.nan] * 5] * len(places)
    trial = truth["geo"]["brand"]
    by_brand = _definitions(truth)
    return np.array(
        [
            [
                *_experiments(tables, brand, truth["experiments"][brand]),
                *by_brand[brand],
                *(places if brand == trial else nothing),
            ]
            for brand in by_brand
        ]
    )


def _tables(out: Path) -> dict[str, "pd.DataFrame"]:
    import pandas as pd

    return {name: pd.read_parquet(out / f"{name}.parquet") for name in ("tracking", "assignments")}


# Experiments.


def _experiments(
    tables: Mapping[str, "pd.DataFrame"], brand: str, about: Mapping[str, Any]
) -> list[list[float]]:
    """Incremental revenue and orders as shares of the control arm's, and iROAS."""
    arms = _arms(tables, brand, about)
    true, fee, control = about["expected_effect"], about["spend_withheld"], about["control"]
    ratio = about["treatment"]["users"] / control["users"]
    return [
        *(
            answer(true[name], experiment.incremental(*arms[name]), max(control[name] * ratio, 1.0))
            for name in ("revenue", "orders")
        ),
        # Nobody pays for a boost that is not there, and so nobody asks for its return.
        answer(
            true["net"] / fee if fee else np.nan,
            experiment.return_on_spend(*arms["net"], fee=fee),
        ),
    ]


def _arms(
    tables: Mapping[str, "pd.DataFrame"], brand: str, about: Mapping[str, Any]
) -> dict[str, tuple[Floats, Floats]]:
    """Revenue, orders and net revenue of every assigned user of a brand, by arm."""
    import pandas as pd

    units, orders = tables["assignments"], tables["tracking"]
    day = pd.to_datetime(orders["date"])
    within = (day >= about["start"]) & (day < about["end"]) & (orders["brand"] == brand)
    bought = orders[within]
    paid = bought["revenue"].astype(float) - bought["discount"].astype(float)
    rate = _gst(day[within])
    bought = bought.assign(net=(paid - bought["returns"].astype(float)) / (1 + rate))
    sums = bought.groupby("user_id")[["revenue", "orders", "net"]].sum().astype(float)
    # Assignments do not say for which brand: users of the others are zeros in either arm, as in a report.
    mine = units[units["unit_type"] == "user"]
    joined = mine.merge(sums, left_on="unit_id", right_index=True, how="left")
    joined[["revenue", "orders", "net"]] = joined[["revenue", "orders", "net"]].fillna(0.0)
    treated = (joined["arm"] == "treatment").to_numpy()
    return {
        name: (
            joined.loc[treated, name].to_numpy(float),
            joined.loc[~treated, name].to_numpy(float),
        )
        for name in ("revenue", "orders", "net")
    }


def _gst(day: "pd.Series") -> "pd.Series":
    """Rate on each day, as the world's settings have it."""
    from hkreport.simulate import settings

    rate = day.map(lambda _: 0.0)
    for start, value in sorted(settings.load(None).orders.gst.items()):
        rate = rate.mask(day >= str(start), float(value))
    return rate


# Cities and campaigns.


def _places(tables: Mapping[str, "pd.DataFrame"], truth: Mapping[str, Any]) -> list[list[float]]:
    dark, brief = truth["geo"], truth["clusters"]
    panel = _cities(tables["tracking"], tables["assignments"], dark)
    level = float(panel.values[panel.treated, : panel.launch].mean())
    # Orders that did not come, a dark city and week, once earlier posts had run out.
    lost = -7 * float(dark["lost_orders_a_city_day_after_washout"] or 0.0)
    treated, control = _totals(tables["tracking"], tables["assignments"], brief)
    lift = float(brief["lift"])
    # The brief raised the treated campaigns' own orders by the lift.
    raised = float(treated.mean()) * lift / (1 + lift)
    found = cluster_difference(treated, control)
    return [
        answer(lost / level, _effect(difference_in_differences(panel, relative=True))),
        answer(lost, _effect(synthetic_control(panel)), level),
        answer(raised, found, max(float(control.mean()), 1.0)),
    ]


def _effect(found: Counterfactual | Refusal) -> Estimate | None:
    return found.effect if isinstance(found, Counterfactual) else None


def _cities(orders: "pd.DataFrame", units: "pd.DataFrame", about: Mapping[str, Any]) -> Panel:
    """Weekly orders of the brand by city; after launch only the weeks behind the washout."""
    import pandas as pd

    start, end = pd.Timestamp(about["start"]), pd.Timestamp(about["end"])
    settled = start + pd.Timedelta(days=int(about["washout_days"]))
    later = (end - settled).days // 7
    day = pd.to_datetime(orders["date"])
    before = start - pd.Timedelta(weeks=EARLIER_WEEKS)
    mine = orders[orders["brand"] == about["brand"]].assign(day=day)
    early = mine[(mine["day"] >= before) & (mine["day"] < start)]
    late = mine[(mine["day"] >= settled) & (mine["day"] < settled + pd.Timedelta(weeks=later))]
    cities = units[units["unit_type"] == "city"].sort_values("unit_id")
    week = pd.concat(
        [
            (early["day"] - before).dt.days // 7,
            EARLIER_WEEKS + (late["day"] - settled).dt.days // 7,
        ]
    )
    counted = pd.crosstab(pd.concat([early["city"], late["city"]]), week)
    counted = counted.reindex(
        index=cities["unit_id"], columns=range(EARLIER_WEEKS + later), fill_value=0
    )
    return Panel(
        counted.to_numpy(float),
        (cities["arm"] == "control").to_numpy(),  # dark is what was done to them
        EARLIER_WEEKS,
        tuple(cities["unit_id"]),
    )


def _totals(
    orders: "pd.DataFrame", units: "pd.DataFrame", about: Mapping[str, Any]
) -> tuple[Floats, Floats]:
    """Credited orders of each campaign, by arm."""
    campaigns = units[units["unit_type"] == "campaign"].sort_values("unit_id")
    counted = orders.groupby("campaign")["orders"].sum().reindex(campaigns["unit_id"]).fillna(0)
    treated = (campaigns["arm"] == "treatment").to_numpy()
    totals = counted.to_numpy(float)
    return totals[treated], totals[~treated]


# Definitions.


def _definitions(truth: Mapping[str, Any]) -> dict[str, list[list[float]]]:
    """Each brand's quarter, out of the sums over the exported rows."""
    quarters = {
        brand: periods[QUARTER] for brand, periods in truth["brands"].items() if brand != "all"
    }
    roas = {brand: _credited(each) / each["spend"]["total"] for brand, each in quarters.items()}
    against = old.versus_average(roas)
    made = {}
    for brand, each in quarters.items():
        spend, organic = each["spend"]["total"], each["file"]["organic"]["revenue"]
        arms = truth["experiments"][brand]
        values = (
            roas[brand],
            old.assumed_baseline(roas[brand], ORGANIC_SHARE),
            old.organic_baseline(_credited(each), organic, spend),
            against[brand],
            old.naive_test_control(arms["treatment"]["revenue"], arms["control"]["revenue"], spend),
        )
        made[brand] = [[each["iroas"], value, np.nan, np.nan, np.nan] for value in values]
    return made


def _credited(quarter: Mapping[str, Any]) -> float:
    return float(quarter["file"]["influencer"]["revenue"])
