"""Randomised campaigns: users or campaigns assigned by a coin, with a lift that is known.

Revenue a user is 0 for most and lognormal for buyers, four in five users see the campaign, and the lift
acts on the chance to buy. Everything is in shares of the control arm's revenue a user.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hkreport.certify.case import Case, Method, answer, each_run, share_error
from hkreport.methods import experiment, means, planner, resampling, sequential
from hkreport.methods.clusters import cluster_difference
from hkreport.methods.estimate import Estimate

__all__ = ["cases"]

Floats: TypeAlias = NDArray[np.float64]

BUYERS = 0.03  # share of control users who buy in the window
TREATED = 0.8  # planned share of users in treatment
RATIO = TREATED / (1 - TREATED)
LIFT = 0.15

USERS = "Randomised by user"
SPLIT = "Sample ratio"
ORDERS_ONLY = "Only buyers recorded"
BEFORE = "Adjusted for earlier spending (CUPED)"
RUNNING = "Read while the test runs"
SPEND = "Return on spend"
CLUSTERS = "Randomised by campaign"
PLANS = "Planned power"
STRATA = "Strata"


def cases() -> Sequence[Case]:
    """Conditions of every method for randomised campaigns."""
    return [
        *_users(),
        _bootstrapped_users(),
        *_splits(),
        *_orders_only(),
        *_before(),
        *_running(),
        *_spend(),
        *_clusters(),
        *_plans(),
        _strata(),
    ]


def draw_arm(rng: np.random.Generator, users: int, share: float, sigma: float) -> Floats:
    """Revenue of each user of an arm, buyers first: nothing below looks at the order."""
    made = np.zeros(users)
    buyers = int(rng.binomial(users, share))
    made[:buyers] = rng.lognormal(-(sigma**2) / 2, sigma, buyers)
    return made


# By user: which interval is right when.

# METHODS section 1, coverage by control users and spread: Welch, pooled, log ratio, Fieller.
STATED: dict[tuple[int, float], tuple[float | None, ...]] = {
    (500, 0.8): (0.926, 0.955, 0.93, 0.92),
    (500, 1.2): (0.92, 0.955, 0.90, 0.92),
    (5_000, 0.8): (0.946, 0.955, 0.948, 0.946),
    (5_000, 1.2): (0.941, 0.955, 0.937, 0.938),
    (50_000, 0.8): (0.951, None, 0.95, 0.95),
    (50_000, 1.2): (0.947, None, 0.948, 0.945),
    # Between the two spreads METHODS states nothing; the report interpolates.
    (16_000, 1.0): (None, None, None, None),
}


def _users() -> list[Case]:
    made = []
    for (control, sigma), stated in STATED.items():
        buyers = round(control * BUYERS)
        enough = buyers >= means.buyers_for_welch(sigma)
        runs = 3000 if control <= 5000 else 900
        for lift in (LIFT, 0.0):
            welch, pooled, log, fieller = (
                {"coverage": value} if value and lift else {} for value in stated
            )
            made.append(
                Case(
                    group=USERS,
                    condition=f"{_counted(buyers)} buyers in control, σ {sigma}, lift {lift:.0%}",
                    methods=(
                        Method(name="Welch", holds=enough, published=welch),
                        Method(name="pooled variance", conservative=True, published=pooled),
                        Method(name="Welch or pooled, as the report chooses", conservative=True),
                        Method(name="log ratio", holds=enough, published=log),
                        Method(name="log ratio, pooled", holds=buyers >= 150, conservative=True),
                        Method(name="Fieller, relative", holds=False, published=fieller),
                    ),
                    draw=each_run(partial(_by_user, control=control, sigma=sigma, lift=lift)),
                    runs=runs if lift else runs // 2,
                )
            )
    return made


def _bootstrapped_users() -> Case:
    return Case(
        group=USERS,
        condition=f"150 buyers in control, σ 0.8, lift {LIFT:.0%}, resampled",
        methods=(Method(name="Poisson bootstrap, for comparison", holds=False),),
        draw=each_run(_resampled),
        runs=400,
    )


def _resampled(rng: np.random.Generator) -> list[list[float]]:
    base = draw_arm(rng, 5_000, BUYERS, 0.8)
    treated = draw_arm(rng, 20_000, BUYERS * (1 + LIFT), 0.8)
    seed = int(rng.integers(2**31))
    found = resampling.bootstrap(treated, base, resamples=500, seed=seed)
    return [answer(LIFT * BUYERS, found, BUYERS)]


def _counted(number: int) -> str:
    return f"{number:,}"


def _by_user(
    rng: np.random.Generator, control: int, sigma: float, lift: float
) -> list[list[float]]:
    base = draw_arm(rng, control, BUYERS, sigma)
    treated = draw_arm(rng, round(RATIO * control), BUYERS * (1 + lift), sigma)
    truth, kinds = lift * BUYERS, ("welch", "pooled", "auto")
    absolute = [
        answer(truth, experiment.difference(treated, base, interval=kind), BUYERS)  # type: ignore[arg-type]
        for kind in kinds
    ]
    relative = [
        answer(lift, experiment.relative_lift(treated, base, interval=kind))
        for kind in ("log", "pooled", "fieller")
    ]
    # Fieller's p-value asks whether the numerator is 0, which is not the question.
    relative[-1][-1] = np.nan
    return [*absolute, *relative]


# The split itself.


def _splits() -> list[Case]:
    units = Method(
        name="χ² on assigned units", judges_only=True, published={"alarms": (0.001, "at_most")}
    )
    orders = Method(
        name="χ² on orders", holds=False, judges_only=True, published={"alarms": (0.34, "at_least")}
    )
    return [
        Case(
            group=SPLIT,
            condition=f"a sound split, {orders_} orders, lift 20%",
            methods=(units, orders),
            draw=partial(_alarms, users=users),
            runs=10_000,
            score=partial(_alarm_rates, methods=(units, orders)),
        )
        for users, orders_ in ((100_000, "3,500"), (400_000, "14,000"))
    ]


def _alarms(rng: np.random.Generator, runs: int, users: int) -> Floats:
    """Whether each check calls the split broken."""
    made = np.empty((runs, 2))
    for run in range(runs):
        treated = int(rng.binomial(users, TREATED))
        bought = int(rng.poisson(treated * BUYERS * 1.2))
        elsewhere = int(rng.poisson((users - treated) * BUYERS))
        made[run, 0] = not experiment.sample_ratio(treated, users - treated, TREATED).passed
        made[run, 1] = not experiment.sample_ratio(bought, elsewhere, TREATED).passed
    return made


def _alarm_rates(
    answers: Floats, methods: Sequence[Method]
) -> list[tuple[Method, str, float, float]]:
    rates = answers.mean(0).tolist()
    return [
        (method, "alarms", rate, share_error(rate, len(answers)))
        for method, rate in zip(methods, rates, strict=True)
    ]


# Orders only.


def _orders_only() -> list[Case]:
    return [
        Case(
            group=ORDERS_ONLY,
            condition=f"1,000 buyers in control, σ 0.8, lift {lift:.0%}",
            methods=(
                Method(
                    name="planned share",
                    published={"coverage": 0.948} if lift else {},
                ),
                Method(name="share estimated from the orders", holds=False),
            ),
            draw=each_run(partial(_buyers, lift=lift)),
            runs=3000,
        )
        for lift in (LIFT, 0.0)
    ]


def _buyers(rng: np.random.Generator, lift: float, users: int = 33_333) -> list[list[float]]:
    base = draw_arm(rng, users, BUYERS, 0.8)
    treated = draw_arm(rng, round(RATIO * users), BUYERS * (1 + lift), 0.8)
    base, treated = base[base > 0], treated[treated > 0]
    scale = RATIO * users * BUYERS
    guessed = len(treated) / (len(treated) + len(base))
    return [
        answer(lift * scale, experiment.only_buyers(treated, base, TREATED), scale),
        answer(lift * scale, experiment.only_buyers(treated, base, guessed), scale),
    ]


# Earlier spending.


def _before() -> list[Case]:
    return [
        Case(
            group=BEFORE,
            condition=f"{words}, 5,000 users in control, lift {lift:.0%}",
            methods=(
                Method(name="without adjustment", conservative=True),
                Method(name="CUPED", conservative=True),
            ),
            draw=each_run(partial(_adjusted, rate=rate, lift=lift)),
            runs=1000,
        )
        for words, rate in (
            ("frequent buyers (earlier spending tells much)", 2.0),
            ("3% buy (earlier spending tells little)", BUYERS),
        )
        for lift in (LIFT, 0.0)
    ]


def _adjusted(
    rng: np.random.Generator, rate: float, lift: float, users: int = 5_000
) -> list[list[float]]:
    def arm(number: int, factor: float) -> tuple[Floats, Floats]:
        own = rng.gamma(0.5, 2.0, number) * rate
        spent = [
            rng.poisson(own * share) * rng.lognormal(-0.32, 0.8, number) for share in (2.0, factor)
        ]
        return spent[0], spent[1]

    (base_before, base), (before, treated) = arm(users, 1.0), arm(round(RATIO * users), 1 + lift)
    adjusted = experiment.cuped(treated, base, before, base_before)
    found = adjusted.estimate if isinstance(adjusted, experiment.Adjusted) else adjusted
    truth = lift * rate
    return [
        answer(truth, experiment.difference(treated, base), rate),
        answer(truth, found, rate),
    ]


# Looking while it runs: a verdict is wrong if any look is.

LOOKS = 6


def _running() -> list[Case]:
    methods = (
        Method(name="always-valid interval, any look", conservative=True),
        Method(name="Welch at every look", holds=False),
    )
    return [
        Case(
            group=RUNNING,
            condition=f"{LOOKS} looks from 300 to 1,800 control buyers, lift {lift:.0%}",
            methods=methods,
            draw=each_run(partial(_looks, lift=lift)),
            runs=600,
            score=partial(_of_looks, methods=methods, null=not lift),
        )
        for lift in (LIFT, 0.0)
    ]


def _looks(rng: np.random.Generator, lift: float, step: int = 10_000) -> list[list[float]]:
    arms = [
        [draw_arm(rng, users, share, 0.8) for _ in range(LOOKS)]
        for users, share in ((step, BUYERS), (round(RATIO * step), BUYERS * (1 + lift)))
    ]
    truth, planned = lift * BUYERS, round(LOOKS * step * (1 + RATIO))
    wrong, found = [False, False], [False, False]
    for look in range(1, LOOKS + 1):
        base, treated = (np.concatenate(parts[:look]) for parts in arms)
        for place, said in enumerate(
            (
                sequential.always_valid(treated, base, planned=planned),
                experiment.difference(treated, base, interval="welch"),
            )
        ):
            if isinstance(said, Estimate):
                wrong[place] |= said.excludes(truth)
                found[place] |= said.excludes(0.0)
    return [[float(wrong[place]), float(found[place])] for place in (0, 1)]


def _of_looks(
    answers: Floats, methods: Sequence[Method], null: bool
) -> list[tuple[Method, str, float, float]]:
    made = []
    for place, method in enumerate(methods):
        wrong, found = answers[:, place].mean(0)
        for name, rate in (
            ("coverage", 1 - wrong),
            ("false_alarms" if null else "power", found),
        ):
            made.append((method, name, float(rate), share_error(rate, len(answers))))
    return made


# iROAS.


def _spend() -> list[Case]:
    made = []
    for lift in (LIFT, 0.0):
        made.append(
            Case(
                group=SPEND,
                condition=f"fixed fee, 600 buyers in control, lift {lift:.0%}",
                methods=(Method(name="Δ ÷ fee"),),
                draw=each_run(partial(_fixed_fee, lift=lift)),
                runs=2000,
            )
        )
        made.append(
            Case(
                group=SPEND,
                condition=f"payout by order, 600 buyers in control, lift {lift:.0%}",
                methods=(Method(name="Fieller with covariance"),),
                draw=each_run(partial(_by_order, lift=lift)),
                runs=2000,
            )
        )
    return made


def _fixed_fee(rng: np.random.Generator, lift: float, users: int = 20_000) -> list[list[float]]:
    base = draw_arm(rng, users, BUYERS, 0.8)
    treated = draw_arm(rng, round(RATIO * users), BUYERS * (1 + lift), 0.8)
    fee = 0.1 * BUYERS * len(treated)
    found = experiment.return_on_spend(treated, base, fee=fee)
    return [answer(lift * BUYERS * len(treated) / fee, found)]


def _by_order(rng: np.random.Generator, lift: float, users: int = 20_000) -> list[list[float]]:
    """A fee and, on half of the treated orders, a payout; control orders carry no code."""
    base = draw_arm(rng, users, BUYERS, 0.8)
    treated = draw_arm(rng, round(RATIO * users), BUYERS * (1 + lift), 0.8)
    paid = 0.1 * (treated > 0) * (rng.random(len(treated)) < 0.5)
    fee = 0.05 * BUYERS * len(treated)
    found = experiment.return_on_spend(
        treated, base, fee=fee, treated_payout=paid, control_payout=np.zeros(len(base))
    )
    cost = fee + 0.05 * BUYERS * (1 + lift) * len(treated)
    return [answer(lift * BUYERS * len(treated) / cost, found)]


# By campaign.

UNSAID = {
    "false_alarms": "METHODS does not say how many users a campaign had; the more there are, the more often "
    "counting them alarms. At 2,500 users, not judged because that size was found by trying, it is 55 %."
}
SPREAD = 0.47  # standard deviation of the log effect that a campaign has of its own, as simulated


def _clusters() -> list[Case]:
    made = []
    for campaigns, control, users in (
        (25, 5, 1000),
        (25, 5, 2500),
        (50, 10, 1000),
        (60, 30, 1000),
    ):
        for lift in (0.0, 0.3):
            few = control < 10 and not lift
            naive = {"false_alarms": 0.55} if few and users == 1000 else {}
            resampled = {"false_alarms": 0.14} if few else {}
            made.append(
                Case(
                    group=CLUSTERS,
                    condition=f"{control} of {campaigns} campaigns of {users:,} users in control, lift {lift:.0%}",
                    methods=(
                        Method(name="campaign totals: t, permutation", conservative=True),
                        Method(
                            name="users as units (Welch)", holds=False, published=naive, why=UNSAID
                        ),
                        Method(name="bootstrap of campaigns", holds=False, published=resampled),
                    ),
                    draw=each_run(
                        partial(
                            _by_campaign,
                            campaigns=campaigns,
                            control=control,
                            users=users,
                            lift=lift,
                        )
                    ),
                    runs=1000,
                )
            )
    return made


def _by_campaign(
    rng: np.random.Generator, campaigns: int, control: int, lift: float, users: int
) -> list[list[float]]:
    treated = np.arange(campaigns) >= control
    effect = rng.lognormal(-(SPREAD**2) / 2, SPREAD, campaigns) * (1 + lift * treated)
    bought = rng.random((campaigns, users)) < np.minimum(BUYERS * effect, 1.0)[:, None]
    values = np.zeros((campaigns, users))
    values[bought] = rng.lognormal(-0.32, 0.8, int(bought.sum()))
    totals, scale = values.sum(1), BUYERS * users
    naive = experiment.difference(
        values[treated].ravel(), values[~treated].ravel(), interval="welch"
    )
    return [
        answer(lift * scale, cluster_difference(totals[treated], totals[~treated]), scale),
        answer(lift * BUYERS, naive, BUYERS),
        answer(lift * scale, _bootstrapped(rng, totals[treated], totals[~treated]), scale),
    ]


def _bootstrapped(
    rng: np.random.Generator, first: Floats, second: Floats, tries: int = 999
) -> Estimate:
    """What METHODS warns of: campaigns drawn again with replacement, percentiles of the difference."""
    means = [arm[rng.integers(0, len(arm), (tries, len(arm)))].mean(1) for arm in (first, second)]
    gaps = means[0] - means[1]
    low, high = np.quantile(gaps, [0.025, 0.975])
    below = float((gaps <= 0).mean())
    return Estimate(
        value=float(first.mean() - second.mean()),
        low=float(low),
        high=float(high),
        confidence=0.95,
        n=len(first) + len(second),
        method="percentile bootstrap of campaigns",
        p_value=2 * min(below, 1 - below),
    )


# What a plan promises.


def _plans() -> list[Case]:
    made = []
    square, cube = (
        BUYERS * math.exp(0.8**2),
        BUYERS * math.exp(3 * 0.8**2),
    )  # raw moments of draw_arm
    sd = math.sqrt(square - BUYERS**2)
    skew = (cube - 3 * BUYERS * square + 2 * BUYERS**3) / sd**3
    # At 40 % so few buyers are needed that the report pools the variances, and the plan must know it.
    for lift, pooled in ((0.10, False), (0.20, False), (0.40, True)):
        users = planner.users_needed(BUYERS, sd, lift, share=TREATED, pooled=pooled, skew=skew)
        total = users.treated + users.control
        method = Method(name="plan for 80% power", conservative=pooled, published={"power": 0.80})
        made.append(
            Case(
                group=PLANS,
                condition=f"lift {lift:.0%}, {total:,} users",
                methods=(method,),
                draw=each_run(
                    partial(_planned, lift=lift, treated=users.treated, control=users.control)
                ),
                runs=1500,
            )
        )
    return made


def _planned(
    rng: np.random.Generator, lift: float, treated: int, control: int
) -> list[list[float]]:
    first = draw_arm(rng, treated, BUYERS * (1 + lift), 0.8)
    second = draw_arm(rng, control, BUYERS, 0.8)
    return [answer(lift * BUYERS, experiment.difference(first, second), BUYERS)]


# Strata.


def _strata() -> Case:
    methods = (
        Method(name="false discovery control over strata", judges_only=True),
        Method(name="each stratum by itself", holds=False, judges_only=True),
    )
    return Case(
        group=STRATA,
        condition="8 strata of 150 control buyers, no effect in any",
        methods=methods,
        draw=_in_strata,
        runs=1000,
        score=partial(_stratum_rates, methods=methods),
    )


def _in_strata(rng: np.random.Generator, runs: int, strata: int = 8) -> Floats:
    """Whether any stratum is said to differ, with and without control."""
    made = np.empty((runs, 2))
    for run in range(runs):
        arms = [
            {str(one): draw_arm(rng, users, BUYERS, 0.8) for one in range(strata)}
            for users in (20_000, 5_000)
        ]
        found = experiment.by_stratum(arms[0], arms[1])
        made[run] = (
            any(each.q_value < 0.05 for each in found),
            any(isinstance(each.answer, Estimate) and each.answer.p_value < 0.05 for each in found),
        )
    return made


def _stratum_rates(
    answers: Floats, methods: Sequence[Method]
) -> list[tuple[Method, str, float, float]]:
    return [
        (method, "false_alarms", rate, error)
        for method, _, rate, error in _alarm_rates(answers, methods)
    ]
