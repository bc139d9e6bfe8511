"""The ledger, summed once into cells small enough to travel inside a page.

A cell is one kind of event of one influencer, product and campaign on one day; where days would make
too many cells, on one week, month, quarter or year. So the page grows with what was done, never with the
rows of the exports. Every sum is kept as whole steps of a power of ten, which a browser adds exactly.
What is made of the sums belongs to :mod:`hkreport.pipeline.explorer.page`.
"""

import bisect
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hkreport.errors import InputError, listed
from hkreport.metrics import CATALOGUE, Total

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy as np
    import pandas as pd

    from hkreport.ledger import Ledger

__all__ = ["GRAINS", "MOST_CELLS", "THINGS", "TRAITS", "Cube", "measures"]

# What an influencer is, what an event was about: columns of the ledger.
TRAITS = ("platform", "tier", "category", "gender", "persona", "city", "payout_basis")
THINGS = ("brand", "product", "product_category", "product_price")
KINDS = ("order", "post", "payout")

# From finest to coarsest, with what Ibis calls the step.
GRAINS: Mapping[str, str] = {"day": "D", "week": "W", "month": "M", "quarter": "Q", "year": "Y"}

# 800,000 cells are about 6 MB of page, and every filter still answers within a tenth of a second
# (tests/bench_explorer.py measures both).
MOST_CELLS = 800_000

# The ledger's amounts have six decimals.
STEP = 10**6

# Stands for no date until the first day is known.
UNDATED = -(10**9)

# Sums beside the declared metrics: what the orders credited to influencers earn gives break-even.
CREDITED = ("credited_profit", "credited_unknown")


def measures() -> tuple[str, ...]:
    """Ledger columns whose sums the metrics need, in the order of the catalogue.

    Examples
    --------
    >>> measures()[:2], "profit_unknown" in measures()
    (('revenue', 'influencer_revenue'), True)
    """
    totals = [metric for metric in CATALOGUE.values() if isinstance(metric, Total)]
    columns = [name for total in totals for name in (total.column, total.complete) if name]
    return tuple(dict.fromkeys(columns))


@dataclass(frozen=True, slots=True)
class Cube:
    """Cells as bytes, and what a reader of the bytes must know.

    Attributes
    ----------
    header : mapping
        Plain values for JSON: the grain, the dictionaries (each with what has no value last), and of
        every kind of event the number of cells and its columns in the order of the bytes.
    body : bytes
        The columns one after the other.
    cells : int
        How many cells there are.
    """

    header: Mapping[str, Any]
    body: bytes
    cells: int

    @classmethod
    def of(cls, ledger: "Ledger", *, most: int = MOST_CELLS) -> "Cube":
        """Sum a ledger into cells.

        Parameters
        ----------
        ledger : Ledger
            All events, or any slice of them.
        most : int
            Cells from which on days are summed to weeks, weeks to months and so on.

        Raises
        ------
        InputError
            If one influencer id stands for two people.
        """
        rows = ledger.rows
        grain = _grain(rows, most)
        people, things = _people(rows), _things(rows)
        campaigns = _values(rows, "campaign")
        first = _first_day(rows, grain)
        sections: list[dict[str, Any]] = []
        streams: list[bytes] = []
        for kind in KINDS:
            # One kind after the other: of 100 million orders they are millions of cells each.
            part = _cells(rows.filter(rows["kind"] == kind), grain, people, things)
            part["campaign"] = _codes(part["campaign"], campaigns)
            # 0 is left to what has no date.
            part["day"] = (part["day"] - first + 1).where(part["day"] != UNDATED, 0)
            part = part.sort_values(["person", "day", "thing", "campaign"], ignore_index=True)
            columns = []
            for name in ("person", "day", "thing", "campaign"):
                column, stream = _packed(name, part[name].to_numpy("int64"), delta=True)
                columns.append(column)
                streams.append(stream)
            for name in (*measures(), *CREDITED):
                steps, scale = _whole(part[name].to_numpy("float64"))
                if steps.any():
                    column, stream = _packed(name, steps, scale=scale)
                    columns.append(column)
                    streams.append(stream)
            sections.append({"kind": kind, "cells": len(part), "columns": columns})
        header = {
            "grain": grain,
            "first_day": first,
            "data": [str(day) if day else None for day in (ledger.first, ledger.last)],
            "known": sorted(ledger.known & {*measures(), "influencer_id", "campaign"}),
            "people": _dictionary(people, TRAITS)
            | {
                "influencer_id": [*people["influencer_id"], None],
                "influencer": [*people["influencer"], None],
                "follower_count": [*_numbers(people["follower_count"]), None],
            },
            "things": _dictionary(things, THINGS[:3], last=False)
            | {"product_price": _numbers(things["product_price"])},
            "campaigns": [*campaigns, None],
            "sections": sections,
        }
        return cls(header, b"".join(streams), sum(each["cells"] for each in sections))

    @property
    def packed(self) -> bytes:
        """The length of the header, the header as JSON, and the body."""
        head = json.dumps(self.header, ensure_ascii=False, separators=(",", ":")).encode()
        return len(head).to_bytes(4, "little") + head + self.body


def _dated(rows: "ir.Table", grain: str) -> "ir.DateValue":
    return rows["date"] if grain == "day" else rows["date"].truncate(GRAINS[grain]).cast("date")


def _keys(rows: "ir.Table", grain: str) -> list["ir.Value"]:
    day = _dated(rows, grain).name("day")
    return [rows["kind"], rows["influencer_id"], day, *(rows[name] for name in THINGS),
            rows["campaign"]]  # fmt: skip


def _grain(rows: "ir.Table", most: int) -> str:
    """The finest grain with few enough cells; the coarsest if there is none."""
    grains = list(GRAINS)

    def fits(place: int) -> bool:
        cells = rows.select(*_keys(rows, grains[place])).distinct().count()
        return int(cells.to_pandas()) <= most

    if int(rows.count().to_pandas()) <= most:  # there are no more cells than events
        return grains[0]
    return grains[bisect.bisect_left(range(len(grains) - 1), True, key=fits)]


def _first_day(rows: "ir.Table", grain: str) -> int:
    """First step of the ledger, in days since 1970; 0 where nothing has a date."""
    import pandas as pd

    first = _dated(rows, grain).min().to_pandas()
    return 0 if pd.isna(first) else (pd.Timestamp(first) - pd.Timestamp(0)).days


def _people(rows: "ir.Table") -> "pd.DataFrame":
    """One row an influencer, by id; rows without one have no place here."""
    columns = ["influencer_id", "influencer", *TRAITS, "follower_count"]
    known = rows.filter(rows["influencer_id"].notnull())
    frame = known.select(
        *columns[:-1], follower_count=known["follower_count"].cast("float64")
    ).distinct()
    people = frame.to_pandas().astype(dict.fromkeys(columns[:-1], object))
    twice = people["influencer_id"].duplicated()
    if twice.any():
        raise InputError(
            f"The ledger gives influencer {listed(people.loc[twice, 'influencer_id'])} two names or "
            "two sets of traits; each id must stand for one."
        )
    return people.sort_values("influencer_id", ignore_index=True)[columns]


def _things(rows: "ir.Table") -> "pd.DataFrame":
    """Every combination of brand, product, category and price that occurs."""
    frame = rows.select(
        *THINGS[:3], product_price=rows["product_price"].cast("float64")
    ).distinct().to_pandas()  # fmt: skip
    frame = frame.astype(dict.fromkeys(THINGS[:3], object))
    return frame.sort_values([*THINGS], ignore_index=True)


def _values(rows: "ir.Table", name: str) -> list[str]:
    column = rows[name]
    found = rows.filter(column.notnull()).select(name).distinct().to_pandas()[name]
    return sorted(map(str, found))


def _cells(
    rows: "ir.Table", grain: str, people: "pd.DataFrame", things: "pd.DataFrame"
) -> "pd.DataFrame":
    """Sum by the keys, with codes for people and things, and days counted from 1970."""
    import ibis
    import pandas as pd

    credited = rows["channel"] == "influencer"
    rows = rows.mutate(
        credited_profit=ibis.ifelse(credited, rows["profit"], None),
        credited_unknown=ibis.ifelse(credited, rows["profit_unknown"], None),
    )
    sums = {
        name: rows[name].sum().cast("float64").fill_null(0.0) for name in (*measures(), *CREDITED)
    }
    frame = rows.group_by(_keys(rows, grain)).aggregate(**sums).to_pandas()
    frame["person"] = _codes(frame["influencer_id"], people["influencer_id"].tolist())
    frame["product_price"] = frame["product_price"].astype(float)
    # Missing values meet each other in a merge of pandas.
    joined = frame[[*THINGS]].astype(dict.fromkeys(THINGS[:3], object))
    joined = joined.merge(things.assign(thing=range(len(things))), on=[*THINGS], how="left")
    frame["thing"] = joined["thing"].to_numpy("int64")
    days = pd.to_datetime(frame["day"])
    since = (days - pd.Timestamp(0)).dt.days
    frame["day"] = since.where(days.notna(), UNDATED).astype("int64")
    return frame.drop(columns=["influencer_id", *THINGS])


def _codes(column: "pd.Series", values: Sequence[str]) -> "pd.Series":
    """Place of each value among the sorted ones; what has none comes last."""
    places = {value: place for place, value in enumerate(values)}
    return column.astype(object).map(places).fillna(len(values)).astype("int64")


def _dictionary(
    frame: "pd.DataFrame", names: Sequence[str], *, last: bool = True
) -> dict[str, dict[str, list[Any]]]:
    """Values of each column, sorted, and the code of every row; with `last`, one more row has none."""
    made = {}
    for name in names:
        values = sorted({str(value) for value in frame[name].dropna()})
        codes = _codes(frame[name], values).tolist()
        made[name] = {
            "values": [*values, None],
            "codes": [*codes, len(values)] if last else codes,
        }
    return made


def _numbers(column: "pd.Series") -> list[float | int | None]:
    return [
        None if value != value else int(value) if float(value).is_integer() else float(value)
        for value in column.astype(float)
    ]


def _whole(values: "np.ndarray") -> tuple["np.ndarray", int]:
    """Amounts as whole steps, and how many steps make one: the fewest that lose nothing.

    A browser's numbers are exact to 2**53; an amount beyond that is rounded to fewer decimals.

    Examples
    --------
    >>> import numpy as np
    >>> steps, scale = _whole(np.array([12.5, -3.0]))
    >>> steps.tolist(), scale
    ([125, -30], 10)
    """
    import numpy as np

    scale, largest = STEP, float(np.abs(values).max(initial=0.0))
    while scale > 1 and largest * scale > 2**53:
        scale //= 10
    steps = np.rint(values * scale).astype("int64")
    while scale > 1 and not (steps % 10).any():
        steps, scale = steps // 10, scale // 10
    return steps, scale


def _packed(
    name: str, values: "np.ndarray", *, scale: int = 1, delta: bool = False
) -> tuple[dict[str, Any], bytes]:
    """A column as bytes, in whichever of the codings compresses best, and its description."""
    import numpy as np

    tries = {"": values}
    if delta:
        tries["d"] = np.diff(values, prepend=np.int64(0))
    best: tuple[int, str, bytes] | None = None
    for sign, numbers in tries.items():
        folded = _folded(numbers)
        for coding, stream in (("planes", _planes(folded)), ("varint", _varint(folded))):
            size = len(compressed(stream))
            if best is None or size < best[0]:
                best = (size, f"{sign}{coding}", stream)
    assert best is not None
    return {"name": name, "coding": best[1], "bytes": len(best[2]), "scale": scale}, best[2]


def _folded(values: "np.ndarray") -> "np.ndarray":
    """Signed to unsigned, small stays small: 0, −1, 1, −2 … become 0, 1, 2, 3 …."""
    return ((values << 1) ^ (values >> 63)).view("uint64")


def _planes(values: "np.ndarray") -> bytes:
    """All lowest bytes, then all second bytes, and so on: as many as the largest needs."""
    import numpy as np

    width = max(1, (int(values.max(initial=0)).bit_length() + 7) // 8)
    return b"".join(
        (values >> np.uint64(8 * place)).astype(np.uint8).tobytes() for place in range(width)
    )


def _varint(values: "np.ndarray") -> bytes:
    """Seven bits a byte, lowest first; the high bit says that more follow.

    Examples
    --------
    >>> import numpy as np
    >>> list(_varint(np.array([1, 300], dtype="uint64")))
    [1, 172, 2]
    """
    import numpy as np

    if not len(values):
        return b""
    lengths = np.ones(len(values), dtype="int64")
    for place in range(1, 10):
        lengths += values >= np.uint64(1) << np.uint64(7 * place)
    ends = np.cumsum(lengths)
    stream = np.zeros(int(ends[-1]), dtype=np.uint8)
    starts = ends - lengths
    for place in range(int(lengths.max())):
        there = lengths > place
        part = ((values[there] >> np.uint64(7 * place)) & np.uint64(127)).astype(np.uint8)
        more = np.where(lengths[there] > place + 1, 128, 0).astype(np.uint8)
        stream[starts[there] + place] = part | more
    return stream.tobytes()


@functools.cache
def _gzip() -> Any:
    import pyarrow

    # Arrow's wheel carries its own zlib: Python's differs from build to build, and so would the page.
    return pyarrow.Codec("gzip", compression_level=9)


def compressed(stream: bytes) -> bytes:
    """Gzip without name or time: the same bytes for the same input."""
    return bytes(_gzip().compress(stream, asbytes=True))
