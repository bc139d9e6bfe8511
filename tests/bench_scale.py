"""What does a question cost, beside pandas, Polars and SQL by hand? Part of ``make bench``.

Each contender runs in a process of its own and answers the same question of the same orders: one brand,
one year, every total and the ratios made of them, by influencer. From CSV, the plain way is to read all
files, merge and group. hkreport answers from the ledger that it built once; SQL written by hand reads the
same columns of the same Parquet. Imports are not counted. Ratios carry over to other machines.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import bench_ingest as one_file

ROWS = 20_000_000

PEOPLE = """
COPY (
    SELECT 'INF_' || lpad(CAST(i AS VARCHAR), 4, '0') AS influencer_id, 'Name ' || i AS name,
        ['Instagram', 'YouTube'][CAST(1 + i % 2 AS INT)] AS platform, 1000 + i * 997 AS follower_count
    FROM range(440) AS numbers(i)
) TO '{path}' (HEADER)
"""
PAYOUTS = """
COPY (
    SELECT 'INF_' || lpad(CAST(i AS VARCHAR), 4, '0') AS influencer_id, 'order' AS basis,
        150 AS rate, 1500 + i % 7 AS total_payout
    FROM range(440) AS numbers(i)
) TO '{path}' (HEADER)
"""

# Each prints its answer, then the seconds of its work: on the clock, and of all its threads.
TIMED = """
import json, sys, time
from pathlib import Path
path = Path(sys.argv[1])
{imports}
started, used = time.perf_counter(), time.process_time()
{work}
print(time.perf_counter() - started, time.process_time() - used)
"""

# As earlier dashboards do: everything is read, joined, filtered and grouped.
PANDAS = {
    "imports": "import pandas as pd",
    "work": """
folder = path.parent
orders = pd.read_csv(path, parse_dates=["date"])
people = pd.read_csv(folder / "influencers.csv")
payouts = pd.read_csv(folder / "payouts.csv")
merged = orders.merge(people, on="influencer_id", how="left")
chosen = merged[(merged["brand"] == "HKVitals") & (merged["date"].dt.year == 2025)]
sums = chosen.groupby("influencer_id")[["orders", "revenue", "profit"]].sum()
sums["customers"] = chosen.groupby("influencer_id")["user_id"].nunique()
sums["spend"] = payouts.groupby("influencer_id")["total_payout"].sum()
sums["roas"] = sums["revenue"] / sums["spend"]
sums["value"] = sums["revenue"] / sums["orders"]
print(len(sums), round(sums["revenue"].sum()), end=" ")
""",
}

POLARS = {
    "imports": "import polars as pl",
    "work": """
folder = path.parent
orders = pl.scan_csv(path, try_parse_dates=True)
people = pl.scan_csv(folder / "influencers.csv")
chosen = orders.join(people, on="influencer_id", how="left").filter(
    (pl.col("brand") == "HKVitals") & (pl.col("date").dt.year() == 2025)
    & pl.col("influencer_id").is_not_null()
)
sums = chosen.group_by("influencer_id").agg(
    pl.col("orders", "revenue", "profit").sum(), pl.col("user_id").n_unique().alias("customers")
).collect(engine="streaming")
print(len(sums), round(sums["revenue"].sum()), end=" ")
""",
}

SQL_CSV = {
    "imports": "import duckdb",
    "work": """
found = duckdb.connect().execute(
    "SELECT influencer_id, sum(orders::DECIMAL(18, 6)), sum(revenue::DECIMAL(18, 6)) AS revenue, "
    "sum(profit::DECIMAL(18, 6)), count(DISTINCT user_id) "
    f"FROM read_csv('{path}', all_varchar = true) WHERE brand = 'HKVitals' "
    "AND date::DATE >= DATE '2025-01-01' AND date::DATE < DATE '2026-01-01' "
    "AND influencer_id IS NOT NULL GROUP BY 1"
).fetchall()
print(len(found), round(sum(row[2] for row in found)), end=" ")
""",
}

# Every sum that the catalogue needs, from the Parquet that hkreport keeps.
SQL_LEDGER = {
    "imports": "import duckdb, pandas",
    "work": """
sums = ", ".join(f"sum({name}) AS {name}" for name in path.with_name("sums.txt").read_text().split())
found = duckdb.connect().execute(
    f"SELECT influencer_id, max(influencer), {sums}, count(DISTINCT user_id) AS customers "
    f"FROM read_parquet('{path.parent}/ledger.parquet/*.parquet', union_by_name = true) "
    "WHERE brand = 'HKVitals' AND date >= DATE '2025-01-01' AND date < DATE '2026-01-01' GROUP BY 1"
).df()
paid = found[found["influencer_id"].notna()]
print(len(paid), round(paid["influencer_revenue"].sum()), end=" ")
""",
}

HKREPORT = {
    "imports": """
import datetime
import ibis, pandas, pyarrow
import ibis.backends.duckdb
from hkreport import ledger, metrics
from hkreport.ledger import Filters
from hkreport.periods import Grain, Period
known = frozenset(json.loads(path.with_name("known.json").read_text()))
# The outline of a ledger tells its days, as that of the store does.
days = [datetime.date.fromisoformat(day) for day in json.loads(path.with_name("days.json").read_text())]
""",
    "work": """
books = ledger.read(path.with_name("ledger.parquet"), known, days=days)
books, _ = books.where(Filters(values={"brand": ("HKVitals",)}))
books = books.in_period(
    Period("2025", datetime.date(2025, 1, 1), datetime.date(2026, 1, 1), Grain.YEAR)
)
every = [each for each in metrics.CATALOGUE.values() if not isinstance(each, metrics.Score)]
found = metrics.compute(books.rows, every, by=["influencer"], known=known)
found = found[found["influencer_id"] != metrics.UNASSIGNED]
print(len(found), round(found["influencer_revenue"].sum()), end=" ")
""",
}

BUILD = """
import json, sys
from pathlib import Path
from hkreport import ingest, ledger
from hkreport.metrics import CATALOGUE, Total, sums
folder, place = Path(sys.argv[1]).parent, Path(sys.argv[2])
data = ingest.load(folder, ingest.Settings(brands={}))
has = {name: data.has(name) for name in data.tables}
for name, table in data.tables.items():
    has |= {f"{name}.{column}": data.has(name, column) for column in table.columns}
made = ledger.build(data.tables, has=has, place=place / "ledger.parquet")
(place / "known.json").write_text(json.dumps(sorted(made.known)))
(place / "days.json").write_text(json.dumps([str(made.first), str(made.last)]))
columns = {each.column for each in sums(CATALOGUE.values()) if isinstance(each, Total)}
(place / "sums.txt").write_text(" ".join(sorted(columns & set(made.rows.columns))))
"""


def measure(rows: int = ROWS) -> dict[str, Any]:
    """Time the contenders on one set of exports.

    Parameters
    ----------
    rows : int
        How many orders there are.

    Returns
    -------
    dict
        ``rows``, ``contenders`` (name to ``seconds``, ``cpu``, ``peak_mebibytes`` and
        ``answer``) and ``ratios``.
    """
    with tempfile.TemporaryDirectory(prefix="hkreport-bench-") as name:
        path = Path(name) / "exports" / "tracking.csv"
        path.parent.mkdir()
        texts = {path: one_file.GENERATE, **{
            path.with_name(f"{table}.csv"): text
            for table, text in (("influencers", PEOPLE), ("payouts", PAYOUTS))
        }}  # fmt: skip
        script = "import duckdb, sys; duckdb.connect().execute(sys.argv[1])"
        for each, text in texts.items():
            statement = text.format(rows=rows, path=each)
            subprocess.run([sys.executable, "-c", script, statement], check=True)
        kept = Path(name) / "kept"
        kept.mkdir()
        subprocess.run([sys.executable, "-c", BUILD, str(path), str(kept)], check=True)
        costs = {
            "pandas": _cost(PANDAS, path), "polars": _cost(POLARS, path),
            "sql_csv": _cost(SQL_CSV, path), "sql_ledger": _cost(SQL_LEDGER, kept / "any"),
            "hkreport": _cost(HKREPORT, kept / "any"),
        }  # fmt: skip
    found = {name: cost for name, cost in costs.items() if cost}
    answers = {tuple(cost["answer"]) for cost in found.values()}
    assert len(answers) == 1, found
    ratios = {
        f"{name}_to_hkreport, {kind}": cost[kind] / found["hkreport"][kind]
        for kind in ("seconds", "cpu")
        for name, cost in found.items()
    }
    return {"rows": rows, "contenders": found, "ratios": ratios}


def _cost(parts: dict[str, str], path: Path) -> dict[str, Any]:
    """The better of two runs, so that what else the machine does counts less; nothing without its library."""
    if "polars" in parts["imports"] and not _there("polars"):
        return {}
    return min((_run(parts, path) for _ in range(2)), key=lambda cost: cost["cpu"])


def _run(parts: dict[str, str], path: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", TIMED.format(**parts), str(path)]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
    if process.returncode:
        raise SystemExit(said)
    groups, total, seconds, cpu = said.split()[-4:]
    size = one_file._mebibytes(usage)
    answer = [int(groups), float(total)]
    return {"seconds": float(seconds), "cpu": float(cpu), "peak_mebibytes": size, "answer": answer}


def _there(library: str) -> bool:
    done = subprocess.run(
        [sys.executable, "-c", f"import {library}"], check=False, capture_output=True
    )
    return done.returncode == 0


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS), indent=1))
