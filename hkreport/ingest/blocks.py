"""Names that stand in the first row of a block alone, as a sheet with merged cells leaves them in a CSV.

Nothing says where such a block ends: the rows below may be organic, or of no brand. So none is filled.
"""

from collections.abc import Callable, Collection

import duckdb

from hkreport.ingest.check import Example
from hkreport.ingest.stage import Staged
from hkreport.units import Unit, text

__all__ = ["tell_blocks"]

TABLES = ("tracking", "posts", "payouts")
COLUMNS = ("influencer_id", "brand", "product", "campaign")
FEWEST_BLOCKS = 2


def tell_blocks(
    con: duckdb.DuckDBPyConnection,
    staged: Staged,
    say: Callable[..., None],
    filled_in: Collection[str] = (),
) -> None:
    """Warn of columns where each name stands once, the first row has one, and most rows have none.

    Not of those that were `filled_in` from elsewhere, as an influencer from a post.
    """
    name = staged.table.name
    if name not in TABLES or staged.survey:
        return
    for column in COLUMNS:
        # Where a column says how an order came about, an empty name is one of no influencer.
        if (
            not staged.has(column)
            or column in filled_in
            or (column == "influencer_id" and staged.has("source"))
        ):
            continue
        rows = f"FROM read_{name} WHERE mark IS NULL"
        filled, empty, first = con.execute(
            f"SELECT count({column}), count(*) - count({column}), arg_min({column} IS NOT NULL, row) {rows}"
        ).fetchall()[0]
        if not first or filled < FEWEST_BLOCKS or empty < filled:
            continue
        different, row = con.execute(
            f"SELECT count(DISTINCT {column}), min(row) FILTER ({column} IS NULL) {rows}"
        ).fetchall()[0]
        if different == filled:
            say(name, column, "blocks", "warning", empty,
                f"{staged.source.label}: each {column} stands in one row only, the first has one, and "
                f"{text(empty, Unit.COUNT)} rows have none (first: row {row}). If the cells were merged over the rows of a "
                "block, write the name into each row, or export the workbook itself: rows without it count for none.",
                [Example(int(row), "")])  # fmt: skip
