"""Commands that plan what the reports will read: the size of the next experiment."""

import json
import math
from typing import Annotated, Any

import typer

from hkreport.cli.app import app
from hkreport.cli.options import AsOf, DataFolder, Maps, not_empty, open_data, settings_of
from hkreport.errors import UsageError

UNITS = ("users", "cities")


@app.command("plan-test")
def plan_test(
    data: DataFolder = None,
    brand: Annotated[
        str, typer.Option(help="Brand as the data names it, or all.", callback=not_empty)
    ] = "all",
    unit: Annotated[
        str, typer.Option(metavar="users|cities", help="What is assigned at random.")
    ] = "users",
    lift: Annotated[
        float, typer.Option(help="Relative lift to find: 0.1 is 10 % more net revenue a unit.")
    ] = 0.1,
    power: Annotated[float, typer.Option(help="Chance to find it.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Chance of a false alarm, two-sided.")] = 0.05,
    share: Annotated[float, typer.Option(help="Share of units in treatment.")] = 0.5,
    weeks: Annotated[int, typer.Option(help="Length of the outcome window.")] = 4,
    users: Annotated[
        int | None, typer.Option(help="People who can be assigned; else all who ever ordered.")
    ] = None,
    cities: Annotated[
        int | None, typer.Option(help="Cities that can be assigned, with --baseline-spread.")
    ] = None,
    cost: Annotated[
        float | None,
        typer.Option(help="Rupees a treated unit; for users else today's spend a user."),
    ] = None,
    baseline_mean: Annotated[
        float | None, typer.Option(help="Net revenue a user in these weeks, instead of the data's.")
    ] = None,
    baseline_sd: Annotated[
        float | None, typer.Option(help="Its standard deviation, zeros included.")
    ] = None,
    baseline_spread: Annotated[
        float | None,
        typer.Option(
            help="Drift of a city against the others, instead of the data's: 0.1 is 10 %."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the machine-readable result.")
    ] = False,
    as_of: AsOf = None,
    maps: Maps = None,
) -> None:
    """Say how large, how long and how dear a test must be to show a lift."""
    from hkreport.evidence import planning

    _checked(unit, lift, power, alpha, share, weeks)
    sizes: dict[str, Any] = {
        "lift": lift,
        "share": share,
        "power": power,
        "alpha": alpha,
        "cost": cost,
    }
    one_brand = None if brand.strip().lower() == "all" else brand
    by_hand = _by_hand(unit, weeks, users, cities, baseline_mean, baseline_sd, baseline_spread)
    if by_hand is not None:
        baselines: list[Any] = [by_hand]
    else:
        from hkreport import views

        settings = settings_of(one_brand, as_of, maps)
        report = views.open_report(
            brand=one_brand or "all",
            period="all",
            settings=settings,
            opened=open_data(data, settings),
        )
        baselines = planning.baselines(report, unit, weeks, users)
    make = planning.plan_users if unit == "users" else planning.plan_cities
    plan = make(baselines, **sizes)
    if as_json:
        body = {
            "schema_version": 1,
            **plan.facts,
            "durations": [
                {name: None if value != value else value for name, value in row.items()}
                for row in plan.durations.to_dict("records")
            ],
            "advice": plan.advice,
        }
        print(json.dumps(body, ensure_ascii=False, indent=1))
        return
    width = max(map(len, plan.table["item"]))
    for item, value in zip(plan.table["item"], plan.table["value"], strict=True):
        print(f"{item:<{width}}  {value}")
    print()
    print(planning.durations_words(plan.durations))
    print()
    print(plan.advice)


def _checked(unit: str, lift: float, power: float, alpha: float, share: float, weeks: int) -> None:
    """Stop where an option is outside its range."""
    if unit not in UNITS:
        raise UsageError(f"--unit is '{unit}'; allowed: {', '.join(UNITS)}.")
    for name, value in (("power", power), ("alpha", alpha), ("share", share)):
        if not 0 < value < 1:
            raise UsageError(f"--{name} is {value:g}; it must lie between 0 and 1.")
    if not 0 < lift < math.inf:
        raise UsageError(f"--lift is {lift:g}; it must be above 0.", next_step="0.1 is 10 %.")
    if power <= alpha:
        raise UsageError(f"--power {power:g} must be above --alpha {alpha:g}.")
    if not 1 <= weeks <= 52:
        raise UsageError(f"--weeks is {weeks}; it must lie between 1 and 52.")


def _by_hand(
    unit: str,
    weeks: int,
    users: int | None,
    cities: int | None,
    mean: float | None,
    sd: float | None,
    spread: float | None,
) -> Any:
    """A baseline that the command line gives whole; None where the data has to say it."""
    from hkreport.evidence.planning import CityBaseline, UserBaseline

    if users is not None and users < 4:
        raise UsageError(f"--users is {users}; a test needs at least 4.")
    if unit == "users" and (mean is not None or sd is not None):
        if mean is None or sd is None or mean <= 0 or sd <= 0:
            raise UsageError(
                "--baseline-mean and --baseline-sd belong together and must be above 0.",
                next_step="Example: --baseline-mean 85 --baseline-sd 640",
            )
        return UserBaseline(weeks, mean, sd, users, 0, math.nan, "given by hand")
    if unit == "cities" and (spread is not None or cities is not None):
        if spread is None or cities is None or spread <= 0 or cities < 4:
            raise UsageError(
                "--baseline-spread and --cities belong together; the spread must be above 0, the cities "
                "at least 4.",
                next_step="Example: --baseline-spread 0.12 --cities 40",
            )
        return CityBaseline(weeks, spread, cities, math.nan, "given by hand")
    return None
