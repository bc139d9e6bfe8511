"""Exports in the shapes that people send, made up for the tests of ingestion."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from hkreport import ingest

BRANDS = {
    "MuscleBlaze": ("MB", "Muscle Blaze"),
    "HKVitals": ("HKV", "HK Vitals", "Hkvital", "HK"),
    "Gritzo": (),
    "Optimum Nutrition": ("ON",),
}

INFLUENCERS = """influencer_id,name,category,gender,follower_count,platform
INF_1,Asha Rao,Fitness,Female,125000,Instagram
INF_2,Dev Mehta,Nutrition,Male,84000,YouTube
INF_3,Kiran Das,Wellness,Other,9000,Twitter
"""
POSTS = """post_id,influencer_id,platform,date,caption,reach,likes,comments
P1,INF_1,Instagram,2025-04-03,Morning routine,40000,900,30
P2,INF_1,Instagram,2025-05-09,"Two lines
of text",38000,800,28
P3,INF_2,YouTube,2025-04-20,Whey? Why not,6000,250,19
"""
TRACKING = """tracking_id,source,campaign,influencer_id,user_id,brand,product,date,orders,revenue
T1,influencer,HKV_Glow,INF_1,U1001,HKVitals,Biotin,2025-04-05,3,1950.50
T2,influencer,HKV_Glow,INF_1,U1002,HKVitals,Collagen,2025-05-15,2,2600
T3,influencer,Gritzo_Kids,INF_2,U1003,Gritzo,SuperMilk,2025-05-20,4,2000
T4,organic,,,U1004,HKVitals,Biotin,2025-04-02,2,1300
"""
PAYOUTS = """influencer_id,basis,rate,orders,total_payout
INF_1,post,1000,0,2000
INF_2,order,150,4,600
"""
FILES = {
    "influencers.csv": INFLUENCERS,
    "posts.csv": POSTS,
    "tracking_data.csv": TRACKING,
    "payouts.csv": PAYOUTS,
}


def write(folder: Path, files: dict[str, str | bytes | None] | None = None) -> Path:
    """Write the four exports into `folder`; `files` adds to, replaces or (None) removes some."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**FILES, **(files or {})}.items():
        if content is not None:
            data = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(data)
    return folder


def only(folder: Path, **files: str | bytes) -> Path:
    """Write only these tables, each as ``NAME.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / f"{name}.csv").write_bytes(data)
    return folder


def load(folder: Path, **settings: Any) -> ingest.Dataset:
    """Load with the brands of these fixtures; what is said must be what the contract allows."""
    quarantine = settings.pop("quarantine", None)
    dataset = ingest.load(
        folder, ingest.Settings(**{"brands": BRANDS, **settings}), quarantine=quarantine
    )
    for table in dataset.check.tables.values():
        assert table.rows_read == table.rows_used + table.rows_quarantined
    for problem in dataset.check.problems:
        assert problem.message.strip()
        assert len(problem.examples) <= 5
        assert "None" not in problem.message, problem.message
    return dataset


def problem(dataset: ingest.Dataset, rule: str, column: str | None = None) -> ingest.Problem:
    """The only problem of a rule (and column)."""
    found = [
        each
        for each in dataset.check.problems
        if each.rule == rule and (column is None or each.column == column)
    ]
    assert len(found) == 1, [(each.rule, each.column) for each in dataset.check.problems]
    return found[0]


def rules(dataset: ingest.Dataset) -> set[str]:
    """The rules that said something."""
    return {each.rule for each in dataset.check.problems}


def records(dataset: ingest.Dataset, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Used rows in order, as tuples of the columns."""
    frame = dataset.tables[table].order_by("row").select(*columns).to_pandas()
    return [
        tuple(_plain(value) for value in row) for row in frame.itertuples(index=False, name=None)
    ]


def _plain(value: Any) -> Any:
    """Missing values as None, midnights as dates, whole decimals as integers."""
    if value is None or value != value:
        return None
    if isinstance(value, pd.Timestamp):
        return value.date() if value == value.normalize() else value.to_pydatetime()
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return value
