"""Small campaigns for the tests, written by hand, as the ledger wants them: canonical tables."""

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import ibis
import pyarrow as pa

from hkreport import ledger, pseudonyms, schema

TYPES = {
    schema.Kind.DATE: pa.date32(),
    schema.Kind.TIMESTAMP: pa.timestamp("us"),
    schema.Kind.MONEY: pa.decimal128(18, 6),
    schema.Kind.NUMBER: pa.decimal128(18, 6),
    schema.Kind.SHARE: pa.decimal128(18, 6),
    schema.Kind.FLAG: pa.bool_(),
}


def _cell(value: Any, kind: schema.Kind) -> Any:
    if value is None:
        return None
    if kind is schema.Kind.DATE:
        return datetime.date.fromisoformat(value)
    if kind in (schema.Kind.MONEY, schema.Kind.NUMBER, schema.Kind.SHARE):
        return Decimal(str(value)).quantize(Decimal("0.000001"))
    return value


def tables(**rows: Sequence[Mapping[str, Any]]) -> dict[str, ibis.Table]:
    """All seven canonical tables in a DuckDB of their own; only the given rows are in them."""
    backend = ibis.duckdb.connect(threads=2)
    made = {}
    for name, table in schema.TABLES.items():
        given = rows.get(name, [])
        columns = {
            each.name: pa.array(
                [_cell(row.get(each.name), each.kind) for row in given],
                type=TYPES.get(each.kind, pa.string()),
            )
            for each in table
        }
        columns["row"] = pa.array(range(2, 2 + len(given)), type=pa.int64())
        if name == "tracking":
            channels = [row.get("channel", "influencer") for row in given]
            columns["channel"] = pa.array(channels, type=pa.string())
        backend.con.register("given", pa.table(columns))
        backend.con.execute(f"create table {name} as select * from given")
        made[name] = pseudonyms.applied(name, backend.table(name), "")
    return made


def has(**rows: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """Which tables and columns the rows hold, as ingestion says it."""
    held = dict.fromkeys(rows, True)
    for name, given in rows.items():
        held |= {f"{name}.{column}": True for row in given for column in row}
    return held


def build(rules: ledger.Rules | None = None, **rows: Sequence[Mapping[str, Any]]) -> ledger.Ledger:
    """The ledger of a campaign written by hand."""
    return ledger.build(tables(**rows), has=has(**rows), rules=rules)


def order(influencer_id: str | None, date: str, revenue: Any, **more: Any) -> dict[str, Any]:
    """One tracking row."""
    return {
        "influencer_id": influencer_id,
        "date": date,
        "orders": 1,
        "revenue": revenue,
        **more,
    }


def payout(
    influencer_id: str, total_payout: Any, basis: str = "order", **more: Any
) -> dict[str, Any]:
    """One payout row."""
    return {"influencer_id": influencer_id, "basis": basis, "total_payout": total_payout, **more}


def post(influencer_id: str, date: str, **more: Any) -> dict[str, Any]:
    """One post row."""
    return {"influencer_id": influencer_id, "date": date, **more}


def person(influencer_id: str, **more: Any) -> dict[str, Any]:
    """One influencer row."""
    return {
        "influencer_id": influencer_id,
        "name": f"Name {influencer_id}",
        "platform": "Instagram",
        **more,
    }
