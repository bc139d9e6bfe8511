"""Rows as exports sometimes have them: a share of them is spoilt, and what was spoilt is counted."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hkreport.simulate.world import Ints, World

__all__ = ["Dirt"]

Cells = Any  # array of the text of one column; None where the cell is empty

BAD_DATES = ("2025-13-05", "31/31/2025", "not a date", "2025-02-30")
BAD_NUMBERS = ("n.a.", "abc", "unknown", "twelve")

# What may happen to a row of each table: the kind, and the column that it happens to.
HARM = {
    "influencers": (
        ("missing_id", "influencer_id"),
        ("text_in_number", "follower_count"),
        ("negative", "follower_count"),
        ("duplicate_row", ""),
    ),
    "posts": (
        ("bad_date", "date"),
        ("missing_id", "influencer_id"),
        ("text_in_number", "reach"),
        ("negative", "reach"),
        ("rupee_text", "product_price"),
        ("duplicate_row", ""),
    ),
    "tracking": (
        ("bad_date", "date"),
        ("missing_id", "influencer_id"),
        ("text_in_number", "revenue"),
        ("negative", "revenue"),
        ("rupee_text", "revenue"),
        ("duplicate_row", ""),
    ),
    "payouts": (
        ("bad_date", "invoice_date"),
        ("missing_id", "influencer_id"),
        ("text_in_number", "total_payout"),
        ("negative", "total_payout"),
        ("rupee_text", "total_payout"),
        ("duplicate_row", ""),
    ),
}

# Columns whose sums a check compares; what dirt does to them is stated.
SUMMED = {
    "influencers": (),
    "posts": ("reach", "likes", "comments"),
    "tracking": ("orders", "revenue"),
    "payouts": ("total_payout",),
}


class Dirt:
    """Spoil a share of the rows of the four exports.

    Parameters
    ----------
    world : World
    share : float
        Of rows; 0 leaves every table as it is.

    Examples
    --------
    >>> spoilt = rupees(np.array(["1234.5", "1500", "-20"], dtype=object))
    >>> spoilt.tolist()
    ['₹1,234.5', '₹1,500', '₹-20']
    """

    def __init__(self, world: World, share: float) -> None:
        self.world, self.share = world, share
        self._cells: Counter[tuple[str, str, str]] = Counter()
        self._added: Counter[str] = Counter()
        self._change: dict[str, Counter[str]] = {name: Counter() for name in HARM}
        self._chunks: Counter[str] = Counter()
        self._has_header: set[str] = set()

    def spoil(self, name: str, table: pa.Table) -> pa.Table:
        """Give the rows as text with some of them spoilt; other tables are given back as they are."""
        if not self.share or name not in HARM:
            return table
        code = list(HARM).index(name)
        rng = self.world.stream("dirt", code, self._chunks[name])
        self._chunks[name] += 1
        text = pa.table({each: pc.cast(table[each], pa.string()) for each in table.column_names})
        number = int(rng.binomial(len(table), self.share))
        rows = rng.choice(len(table), number, replace=False)
        kinds = rng.integers(0, len(HARM[name]), number)
        repeated = np.empty(0, np.int64)
        for index, (kind, column) in enumerate(HARM[name]):
            chosen = np.sort(rows[kinds == index])
            if kind == "duplicate_row":
                repeated = chosen
            else:
                text = self._changed(rng, name, text, column, kind, chosen)
        return self._lengthened(name, text, repeated)

    def _changed(
        self,
        rng: np.random.Generator,
        name: str,
        text: pa.Table,
        column: str,
        kind: str,
        rows: Ints,
    ) -> pa.Table:
        """Spoil one column in some rows; a cell that is empty already stays so."""
        cells = text[column].to_numpy(zero_copy_only=False).astype(object)
        rows = rows[np.array([cells[row] is not None for row in rows], bool)]
        old = cells[rows]
        new = CHANGES[kind](rng, old)
        cells[rows] = new
        self._cells[name, column, kind] += len(rows)
        if column in SUMMED[name]:
            self._change[name][column] += _readable(new) - _readable(old)
        place = text.column_names.index(column)
        return text.set_column(place, column, pa.array(cells, pa.string()))

    def _lengthened(self, name: str, text: pa.Table, repeated: Ints) -> pa.Table:
        """Repeat some rows, and put a second header into the middle of the first long chunk."""
        self._cells[name, "", "duplicate_row"] += len(repeated)
        self._added[name] += len(repeated)
        for column in SUMMED[name]:
            cells = text[column].take(pa.array(repeated))
            self._change[name][column] += _readable(cells.to_numpy(zero_copy_only=False))
        order = np.sort(np.concatenate([np.arange(len(text)), repeated]), kind="stable")
        longer = text.take(pa.array(order))
        if name in self._has_header or len(longer) < 4:
            return longer
        self._has_header.add(name)
        self._cells[name, "", "second_header"] += 1
        self._added[name] += 1
        header = pa.table({each: [each] for each in text.column_names}, schema=text.schema)
        middle = len(longer) // 2
        return pa.concat_tables([longer.slice(0, middle), header, longer.slice(middle)])

    def truth(self) -> dict[str, Any]:
        """What was spoilt, by table, column and kind, and what that does to sums of readable cells."""
        return {
            "share": self.share,
            "cells": [
                {"table": table, "column": column, "kind": kind, "count": count}
                for (table, column, kind), count in sorted(self._cells.items())
            ],
            "rows_added": dict(sorted(self._added.items())),
            "sum_change": {
                name: {column: round(value / 100, 2) for column, value in sorted(change.items())}
                for name, change in self._change.items()
                if change
            },
        }


def _readable(cells: Cells) -> int:
    """Sum in hundredths of the cells that can be read as a number, rupee signs and all."""
    total = 0
    for cell in cells:
        if cell is not None and cell not in BAD_NUMBERS:
            total += round(float(cell.replace("₹", "").replace(",", "")) * 100)
    return total


def rupees(cells: Cells) -> Cells:
    """Numbers as people type them into sheets."""
    found = []
    for cell in cells:
        whole, point, rest = cell.partition(".")
        found.append(f"₹{int(whole):,}{point}{rest}")
    return np.array(found, dtype=object)


def _one_of(words: tuple[str, ...]) -> Callable[[np.random.Generator, Cells], Cells]:
    def chosen(rng: np.random.Generator, cells: Cells) -> Cells:
        return np.array(words, dtype=object)[rng.integers(0, len(words), len(cells))]

    return chosen


def _nothing(_rng: np.random.Generator, cells: Cells) -> Cells:
    return np.full(len(cells), None, dtype=object)


def _negative(_rng: np.random.Generator, cells: Cells) -> Cells:
    return np.array([f"-{cell}" for cell in cells], dtype=object)


def _rupee_text(_rng: np.random.Generator, cells: Cells) -> Cells:
    return rupees(cells)


CHANGES: dict[str, Callable[[np.random.Generator, Cells], Cells]] = {
    "bad_date": _one_of(BAD_DATES),
    "missing_id": _nothing,
    "text_in_number": _one_of(BAD_NUMBERS),
    "negative": _negative,
    "rupee_text": _rupee_text,
}
