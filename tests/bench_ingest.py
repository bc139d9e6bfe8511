"""What does checking a large tracking file cost, beside SQL and pandas by hand? Part of ``make bench``.

Each contender runs in a process of its own on the same file: hkreport reads and checks it with every rule
that a tracking file alone allows; SQL written by hand lets DuckDB read, cast and sum the same columns, and
checks nothing; pandas reads it and makes the same checks. Ratios carry over to other machines.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROWS = 3_000_000
MOST_FOR_PANDAS = 6_000_000  # it holds every cell in memory, about a gibibyte for a million rows

GENERATE = """
COPY (
    SELECT 'T' || (10000000 + i) AS tracking_id,
        CASE WHEN i % 3 = 0 THEN 'organic' ELSE 'influencer' END AS source,
        CASE WHEN i % 3 = 0 THEN NULL ELSE 'Glow_' || (i % 25) END AS campaign,
        CASE WHEN i % 3 = 0 THEN NULL
            ELSE 'INF_' || lpad(CAST(hash(i) % 440 AS VARCHAR), 4, '0') END AS influencer_id,
        'U' || (hash(i + 1) % 100000000) AS user_id,
        ['MuscleBlaze', 'HKVitals', 'Gritzo'][CAST(1 + hash(i + 2) % 3 AS INT)] AS brand,
        'Product ' || (hash(i + 3) % 23) AS product,
        ['Pune', 'Mumbai', 'Delhi', 'Jaipur'][CAST(1 + hash(i + 4) % 4 AS INT)] AS city,
        DATE '2024-01-01' + CAST(i * 730 // {rows} AS INT) AS date,
        1 + hash(i + 5) % 3 AS orders,
        CAST((100 + hash(i + 6) % 500000) / 100.0 AS DECIMAL(10, 2)) AS revenue,
        CAST((hash(i + 7) % 100000) / 100.0 AS DECIMAL(10, 2)) AS profit
    FROM range({rows}) AS numbers(i)
) TO '{path}' (HEADER)
"""

# Each prints the seconds of its work, without the start of Python and its imports, and those of all its threads.
TIMED = """
import sys, time
from pathlib import Path
path = Path(sys.argv[1])
{imports}
started, busy = time.perf_counter(), time.process_time()
{work}
print(time.process_time() - busy, time.perf_counter() - started)
"""

HKREPORT = {
    "imports": "from hkreport import ingest",
    "work": """
check = ingest.load(path.parent, ingest.Settings(brands={})).check
assert check.tables["tracking"].rows_used == check.tables["tracking"].rows_read > 0
assert not [each for each in check.problems if each.severity != "note"], check.problems
""",
}

SQL = {
    "imports": "import duckdb",
    "work": """
con = duckdb.connect()
con.execute("SET memory_limit = '2GB'")
texts = "tracking_id source campaign influencer_id user_id brand product city".split()
amounts = "orders revenue profit".split()
types = {**dict.fromkeys(texts, "VARCHAR"), "date": "DATE", **dict.fromkeys(amounts, "DECIMAL(18, 6)")}
sums = [f"sum({name})" for name in amounts] + [f"count({name})" for name in texts]
con.execute(
    f"SELECT {', '.join(sums)}, min(date), max(date) FROM read_csv('{path}', header = true, "
    f"auto_detect = false, columns = {types})"
).fetchall()
""",
}

PANDAS = {
    "imports": "import pandas as pd",
    "work": """
frame = pd.read_csv(path, dtype=str, keep_default_na=True)
frame["date"] = pd.to_datetime(frame["date"], format="%Y-%m-%d", errors="coerce")
for name in ("orders", "revenue", "profit"):
    frame[name] = pd.to_numeric(frame[name], errors="coerce")
bad = frame[["date", "orders", "revenue"]].isna().any(axis=1)
used = frame[~bad]
found = [
    used[["orders", "revenue"]].sum(), used["date"].min(), used["date"].max(),
    (used["revenue"] < 0).sum(), ((used["revenue"] == 0) & (used["orders"] > 0)).sum(),
    ((used["orders"] == 0) & (used["revenue"] != 0)).sum(), (used["orders"] % 1 != 0).sum(),
    ((used["source"] == "organic") & used["influencer_id"].notna()).sum(),
    ((used["source"] == "influencer") & used["influencer_id"].isna()).sum(),
    used["tracking_id"].duplicated().sum(),
    *(used.groupby(name)["revenue"].sum() for name in ("brand", "influencer_id")),
    *(used[name].value_counts() for name in ("source", "campaign", "product", "city")),
]
""",
}

CONTENDERS = {"hkreport": HKREPORT, "sql": SQL, "pandas": PANDAS}


def measure(rows: int = ROWS) -> dict[str, Any]:
    """Time the contenders on a clean tracking file.

    Parameters
    ----------
    rows : int
        How many orders the file holds.

    Returns
    -------
    dict
        ``rows``, ``mebibytes`` of the file, ``contenders`` (name to ``seconds``, ``busy_seconds`` of the
        processor and ``peak_mebibytes``), and ``ratios`` and ``busy_ratios``: ``to_sql`` and ``to_pandas``,
        hkreport's seconds over theirs. Those of the processor do not depend on what else the machine does.
        Above `MOST_FOR_PANDAS` rows pandas is left out and its ratio is None.
    """
    with tempfile.TemporaryDirectory(prefix="hkreport-bench-") as name:
        path = Path(name) / "exports" / "tracking.csv"
        path.parent.mkdir()
        script = "import duckdb, sys; duckdb.connect().execute(sys.argv[1])"
        statement = GENERATE.format(rows=rows, path=path)
        subprocess.run([sys.executable, "-c", script, statement], check=True)
        _warm(path)
        costs = {
            each: _cost(parts, path)
            for each, parts in CONTENDERS.items()
            if each != "pandas" or rows <= MOST_FOR_PANDAS
        }
        size = path.stat().st_size / 2**20
    ratios, busy = (
        {
            f"to_{other}": costs["hkreport"][unit] / costs[other][unit] if other in costs else None
            for other in ("sql", "pandas")
        }
        for unit in ("seconds", "busy_seconds")
    )
    return {
        "rows": rows,
        "mebibytes": size,
        "contenders": costs,
        "ratios": ratios,
        "busy_ratios": busy,
    }


def _warm(path: Path) -> None:
    """Read the file once, so that the first contender does not wait for the disk alone."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


def _cost(parts: dict[str, str], path: Path) -> dict[str, float]:
    command = [sys.executable, "-c", TIMED.format(**parts), str(path)]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
    if process.returncode:
        raise SystemExit(said)
    busy, seconds = map(float, said.split()[-2:])
    return {"seconds": seconds, "busy_seconds": busy, "peak_mebibytes": _mebibytes(usage)}


def _mebibytes(usage: resource.struct_rusage) -> float:
    """Read the peak of one process: kibibytes on Linux, bytes on macOS."""
    return usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def table(found: dict[str, Any]) -> str:
    """Lay the figures out as Markdown.

    Examples
    --------
    >>> print(table({"rows": 1000, "mebibytes": 0.1, "ratios": {"to_sql": 2.0, "to_pandas": None},
    ...              "contenders": {"hkreport": {"seconds": 2.0, "peak_mebibytes": 100.0},
    ...                             "sql": {"seconds": 1.0, "peak_mebibytes": 90.0}}}))
    | A tracking CSV of 1,000 rows, 0 MiB | Seconds | Peak MiB | hkreport takes |
    | --- | ---: | ---: | ---: |
    | hkreport: every rule of the check | 2.0 | 100 | |
    | DuckDB by hand: read, cast, sum | 1.0 | 90 | 2.0 × |
    """
    labels = {
        "hkreport": "hkreport: every rule of the check",
        "sql": "DuckDB by hand: read, cast, sum",
        "pandas": "pandas.read_csv with the same checks",
    }
    lines = [
        f"| A tracking CSV of {found['rows']:,} rows, {found['mebibytes']:,.0f} MiB | Seconds | Peak MiB "
        "| hkreport takes |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, cost in found["contenders"].items():
        ratio = found["ratios"].get(f"to_{name}")
        lines.append(
            f"| {labels[name]} | {cost['seconds']:.1f} | {cost['peak_mebibytes']:,.0f} |"
            + (f" {ratio:.1f} × |" if ratio else " |")
        )
    return "\n".join(lines)


if __name__ == "__main__":
    started = time.perf_counter()
    result = measure(int(sys.argv[1].replace("_", "")) if len(sys.argv) > 1 else ROWS)
    print(table(result))
    print(json.dumps(result | {"took": round(time.perf_counter() - started, 1)}))
