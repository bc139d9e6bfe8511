"""The orders of a data set cut by files, whose rows of the ledger are kept from one build to the next.

A row of the ledger is an order with what is known of its influencer, its product and its customer. Where none of
that has changed for any order of a piece, its rows are those of the last time.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkreport.shelf import Shelf, digest

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Piece", "Pieces", "write_rows"]

ROWS = "orders.parquet"


@dataclass(frozen=True)
class Piece:
    """Orders of some files.

    Attributes
    ----------
    key : str
        Of the files, and of all that was decided about their texts.
    rows : ibis table
        Their validated rows.
    influencers, products : frozenset of str
        That they name: what is known of others does not matter to them.
    """

    key: str
    rows: "ir.Table"
    influencers: frozenset[str]
    products: frozenset[str]


@dataclass(frozen=True)
class Pieces:
    """All orders of a data set in pieces, and where what is made of them is kept."""

    shelf: Shelf
    pieces: Sequence[Piece]

    def written(
        self,
        place: Path,
        make: "Callable[[ir.Table], ir.Table]",
        *,
        people: "ir.Table",
        catalogue: "ir.Table",
        arms: "ir.Table",
    ) -> list[Path]:
        """Have the rows of the ledger of each piece as a Parquet file in a folder.

        Parameters
        ----------
        place : Path
        make : callable
            Gives the rows of the ledger for validated orders.
        people, catalogue : ibis table
            What is joined to an order by ``person_id`` and by ``product``.
        arms : ibis table
            What is joined by its customer.
        """
        place.mkdir(parents=True, exist_ok=True)
        of_people, of_products = _by(people, "person_id"), _by(catalogue, "product")
        of_arms = _digest_of(arms)
        files = []
        for at, piece in enumerate(self.pieces, start=1):
            key = digest(
                self.shelf.version,
                piece.key,
                [sorted(_known(of_people, piece.influencers))],
                [sorted(_known(of_products, piece.products))],
                of_arms,
            )
            path = place / f"orders-{at:04}.parquet"
            self._keep(f"{key}-orders", path, make(piece.rows))
            files.append(path)
        return files

    def _keep(self, key: str, path: Path, rows: "ir.Table") -> None:
        found = self.shelf.find(key)
        if found is None:
            with self.shelf.fresh() as fresh:
                write_rows(rows, fresh / ROWS)
                folder = self.shelf.put(fresh, key, {})
        else:
            folder, _ = found
        with contextlib.suppress(OSError):
            os.link(folder / ROWS, path)
            return
        shutil.copyfile(folder / ROWS, path)  # another disk, or one without links


def write_rows(rows: "ir.Table", path: Path, **options: Any) -> None:
    """Write rows as Parquet, whatever the path is called."""
    target: Any = _Quoted(path) if rows.get_backend().name == "duckdb" else path
    rows.to_parquet(target, **options)


class _Quoted(str):
    """A path that Ibis may put into DuckDB's SQL.

    It writes paths there as Python shows them, which is SQL too until there are quotes of both kinds, a
    backslash or a letter that Python does not print.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return self

    def __repr__(self) -> str:
        doubled = self.replace("'", "''")
        return f"'{doubled}'"


def _by(table: "ir.Table", column: str) -> dict[str, str]:
    """A digest of the rows of a small table for each value of a column."""
    rows: dict[str, list[str]] = {}
    for row in table.to_pyarrow().to_pylist():
        if row[column] is not None:
            rows.setdefault(row[column], []).append(repr(sorted(row.items())))
    return {
        name: hashlib.sha256("\n".join(sorted(mine)).encode()).hexdigest()
        for name, mine in rows.items()
    }


def _known(digests: dict[str, str], names: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, digests[name]) for name in names if name in digests]


def _digest_of(table: "ir.Table") -> list[str]:
    """A digest of a table of any size, whatever the order of its rows: two sums of 64-bit hashes."""
    import ibis

    cells = [table[name].cast("string") for name in table.columns]
    text = ibis.literal("")
    for cell in cells:
        text = text + ibis.ifelse(
            cell.isnull(),
            ibis.literal("-"),
            cell.length().cast("string") + ":" + cell.fill_null(""),
        )
    sums = table.aggregate(
        rows=table.count(),
        **{
            f"sum_{salt}": (text + ibis.literal(salt)).hash().cast("decimal(38, 0)").sum()
            for salt in ("a", "b")
        },
    )
    return [str(value) for value in sums.to_pyarrow().to_pylist()[0].values()]
