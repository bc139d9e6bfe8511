"""Simulated campaigns: the exports that a brand would have, and what really happened.

How data is born, in the order in which it happens; ``params/simulation.yml`` holds every number that
moves orders or money.

1. **The stage** (`world`). A calendar with weekdays, a season, Diwali (which moves) and sale days;
   products; a panel of influencers. Each has a quality λ that nobody can see: how many orders a post
   brings for its reach.
2. **People** (`people`). A brand has places for people who may buy. How often the holder of a place
   buys follows a Gamma distribution, so that few people place many orders; after some years somebody
   else takes the place. City and experimental arm belong to a person by a hash, so that millions of
   people need no memory.
3. **Posts** (`posts`). They come at random with the season, reach part of the followers, and are
   expected to cause κ × reach × tier × λ × product × (planned reach ÷ usual)^(β − 1) orders: the more
   is posted in a week, the less each post sells.
4. **Orders** (`orders`), by brand and month. Organic orders come by themselves: negative binomial
   around the calendar and a wandering level. Posts cause orders over the following days; three of
   four carry the influencer's code, the rest look organic (*halo*). Some organic buyers use a code as
   well (*poached*: credited, not caused), and some caused orders only come earlier than they would
   have (*pulled forward*: an organic order is missing weeks later). Each order gets a basket, a
   discount, the GST of its day, and perhaps comes back.
5. **Trials** (`trials`). Near the end of the data, boosted posts reach a random 80 % of the users of an
   experiment and raise what these order anyway by the true lift; before that, a brand goes dark in
   four cities, and a new brief is tried in 40 of 50 campaigns.
6. **Payouts** (`payouts`). A fee for a post, an amount or a share for a delivered order, or both, and
   a bonus; a row for an influencer, a month and, for part of them, a brand.
7. **Exports** (`exports`, `files`). The seven tables of :mod:`hkreport.schema` show what a shop would
   know. They do not say which orders were caused; ``truth.json`` (`tally`, `truth`) does, to the
   paisa: its ``file`` sums equal the sums over the exports. A chosen share of rows can be spoilt
   (`dirt`), and every spoilt cell is counted.

============  ====================================================================================
scenario      what is true
============  ====================================================================================
default       groups differ as in ``params/simulation.yml``
null          all groups are equal, only influencers differ; boosted posts do nothing
aa            as default, but both arms of every experiment are treated alike
planted       as null, with a list of effects that a report should find (``insights`` in the truth)
confounded    fees and posts follow demand, so that spend seems to work better than it does
leaky         codes are used by many who would have bought anyway
============  ====================================================================================

Below scale 1 the panel does not shrink with the orders; reach, conversion and fees of a post do, so
that ROAS, cost per order and shares stay what they are at full size. Above it there are more
influencers, people and orders, made in chunks of bounded size.

The same seed gives the same bytes. Each part draws from its own stream of random numbers, named in
`world`; money is whole paise; nothing reads a clock, a locale or the order of a set. User ids are
pseudonymous text.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hkreport.errors import ParamsError, UsageError, did_you_mean, listed

__all__ = ["FORMATS", "SCENARIOS", "Summary", "write"]

SCENARIOS = ("default", "null", "aa", "planted", "confounded", "leaky")
FORMATS = ("csv", "parquet")

# Changes whenever the same seed gives other data than before.
VERSION = 1

# A folder of simulated data is marked with this file; it also lists what may be replaced.
MARKER = "simulated.json"


@dataclass(frozen=True, slots=True)
class Summary:
    """What was written.

    Attributes
    ----------
    folder : Path
    rows : dict of str to int
        Rows by table.
    seed : int
    scale : float
    scenario : str
    """

    folder: Path
    rows: dict[str, int]
    seed: int
    scale: float
    scenario: str


def write(
    out: Path,
    *,
    seed: int = 1,
    scale: float | None = None,
    scenario: str = "default",
    start: str = "2024-01-01",
    end: str = "2026-01-01",
    dirt: float = 0.0,
    file_format: str = "csv",
    progress: Callable[[str, float], None] | None = None,
    settings: Any = None,
) -> Summary:
    """Simulate exports and write them with their truth, all or nothing.

    Parameters
    ----------
    out : Path
        Folder; made, or replaced where it holds an earlier simulation and nothing else.
    seed : int, default 1
        The same seed gives the same bytes.
    scale : float, optional
        Multiple of full size (about 1,800 orders a day); a small sample by default.
    scenario : {'default', 'null', 'aa', 'planted', 'confounded', 'leaky'}
        What is true; see :mod:`hkreport.simulate`.
    start, end : str
        ISO dates; the first day, and the first day that no longer counts.
    dirt : float, default 0
        Share of rows of the four exports that are spoilt; CSV only.
    file_format : {'csv', 'parquet'}
        Parquet is written in chunks, so that memory does not grow with the orders.
    progress : callable, optional
        Called with what is being made and the share that is done.
    settings : Path or mapping, optional
        Instead of ``params/simulation.yml``.

    Returns
    -------
    Summary

    Raises
    ------
    UsageError
        If a value is not allowed.
    DataError
        If `out` holds files that were not simulated.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = write(Path(folder) / "sample", scale=0.001, start="2025-01-01", end="2025-02-01")
    ...     sorted(path.name for path in made.folder.iterdir())
    ['assignments.csv', 'earlier', 'influencers.csv', 'payouts.csv', 'posts.csv', 'products.csv',
     'simulated.json', 'touchpoints.csv', 'tracking.csv', 'truth.json']
    """
    first, days = _checked(seed, scale, scenario, start, end, dirt, file_format)
    from hkreport.simulate import making  # here, so that help needs none of the libraries

    return making.make(
        Path(out),
        seed=seed,
        scale=scale,
        scenario=scenario,
        start=first,
        days=days,
        dirt=dirt,
        file_format=file_format,
        progress=progress,
        settings=settings,
    )


def _checked(
    seed: int,
    scale: float | None,
    scenario: str,
    start: str,
    end: str,
    dirt: float,
    file_format: str,
) -> tuple[datetime.date, int]:
    """First day and number of days, if all values are allowed."""
    if scenario not in SCENARIOS:
        raise UsageError(
            f"Scenario '{scenario}' is unknown; allowed are {listed(SCENARIOS)}. "
            f"{did_you_mean(scenario, SCENARIOS)}".strip()
        )
    if file_format not in FORMATS:
        raise UsageError(f"Format '{file_format}' is unknown; allowed are {listed(FORMATS)}.")
    if seed < 0:
        raise UsageError(f"Seed is {seed}; it must be 0 or more.")
    if scale is not None and not 0 < scale <= 1000:
        raise UsageError(f"Scale is {scale:g}; it must be above 0 and at most 1000.")
    if not 0 <= dirt <= 0.5:
        raise UsageError(f"Dirt is {dirt:g}; it is a share of rows, from 0 to 0.5.")
    if dirt and file_format != "csv":
        raise UsageError(
            "Only CSV can hold spoilt cells; Parquet columns have one type.",
            next_step="Use --format csv with --dirt.",
        )
    try:
        first, last = datetime.date.fromisoformat(start), datetime.date.fromisoformat(end)
    except ValueError as cause:
        raise ParamsError(
            f"Dates '{start}' and '{end}' cannot be read; ISO dates such as 2025-01-31 are allowed."
        ) from cause
    if (last - first).days < 7:
        raise UsageError(
            f"From {start} to {end} are {(last - first).days} days; at least 7 are needed."
        )
    return first, (last - first).days
