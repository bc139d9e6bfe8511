"""What is set side by side covers as much time, the same filters and the same influencers."""

from pathlib import Path

import pytest

from hkreport import insights, views
from hkreport import metrics as m
from hkreport.pipeline import exports


def opened(folder: Path, *, period: str, filters=None, brand="all", **files: str) -> views.Report:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return views.open_report(brand=brand, period=period, data=str(folder), filters=filters)


PEOPLE = "influencer_id,name,platform\nI1,Asha,Instagram\nI2,Ravi,YouTube\n"


def sold(last: str) -> str:
    rows = [("2025-01-01", 1000, "I1"), ("2025-03-31", 1000, "I1"), ("2025-04-02", 520, "I1")]
    lines = [f"{day},1,{revenue},{who}" for day, revenue, who in [*rows, (last, 0, "I1")]]
    return "\n".join(["date,orders,revenue,influencer_id", *lines, ""])


@pytest.mark.parametrize(
    ("last", "period", "ended"),
    [
        ("2025-04-24", "2025-Q2", "24 Apr 2025"),
        ("2025-06-22", "2025-Q2", "22 Jun 2025"),
        ("2025-06-23", "2025-Q2", ""),
        ("2025-04-26", "2025-04", "26 Apr 2025"),
        ("2025-04-27", "2025-04", ""),
        ("2025-04-12", "2025-W15", "12 Apr 2025"),
    ],
)
def test_an_unfinished_period_is_not_held_against_a_whole_one(tmp_path, last, period, ended):
    report = opened(tmp_path / "data", period=period, influencers=PEOPLE, tracking=sold(last))
    before = exports.kpis(report)["metrics"]["revenue"]["previous"]
    assert (report.previous is None, before is None) == (bool(ended), bool(ended))
    assert (f"data to {ended} only" in report.subtitle) == bool(ended)
    if ended:
        assert insights.change(report, m.REVENUE).startswith("Revenue was ")
