"""Real exports: what `check` must reproduce, and reports that must build; skipped where they are not."""

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hkreport import ledger, metrics, params, store
from hkreport.cli import app

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
SETS = sorted(path.name for path in CORPUS.glob("c*")) if CORPUS.is_dir() else []
NAMES = {"influencer": "influencers", "post": "posts", "payout": "payouts", "tracking": "tracking"}
TOTALS = {
    ("tracking", "orders"): "orders",
    ("tracking", "revenue"): "revenue",
    ("payout", "total_payout"): "spend",
    ("post", "reach"): "reach",
    ("post", "likes"): "likes",
    ("post", "comments"): "comments",
}

pytestmark = pytest.mark.skipif(not SETS, reason="the shared corpus is not beside the project")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Each set, read once for the module."""
    root = params.project_root(Path(__file__).parent)
    kept: dict[str, store.Data] = {}

    def get(name: str) -> store.Data:
        if name not in kept:
            kept[name] = store.open_data(CORPUS / name, params.load(None, root=root), root=root)
        return kept[name]

    return get


@pytest.mark.parametrize("name", SETS)
def test_check_reproduces_the_expected_sums(name, opened):
    expected = json.loads((CORPUS / name / "expected.json").read_text(encoding="utf-8"))
    check = opened(name).check
    for short, facts in expected.items():
        table = check["tables"][NAMES[short]]
        assert table["file"] == facts["file"]
        assert table["rows_read"] == facts["rows"]
        assert table["rows_used"] + table["rows_quarantined"] == facts["rows"]
    for (short, column), total in TOTALS.items():
        if short in expected:
            assert math.isclose(
                check["totals"][total], expected[short][f"sum_{column}"], rel_tol=1e-9
            )
    tracking = expected.get("tracking", {})
    for brand, revenue in tracking.get("revenue_by_brand", {}).items():
        assert math.isclose(check["revenue_by_brand"][brand], revenue, rel_tol=1e-9)
    for (got, revenue), (identity, wanted) in zip(
        check["top_influencers"], tracking.get("top5_influencers_by_revenue", []), strict=False
    ):
        assert got == identity
        assert math.isclose(revenue, wanted, rel_tol=1e-9)


@pytest.mark.parametrize("name", SETS)
def test_spend_over_brands_and_unassigned_equals_total_payout(name, opened):
    data = opened(name)
    paid = data.check["totals"]["spend"]
    for rule in ledger.ALLOCATION_RULES:
        whole = data.ledger.rows[rule].sum().to_pandas()
        assert math.isclose(float(whole), paid, rel_tol=1e-9), rule
    parts = metrics.compute(
        data.ledger.rows, [metrics.SPEND], by=["brand"], known=data.ledger.known
    )
    assert math.isclose(parts["spend"].sum(), paid, rel_tol=1e-9)


@pytest.mark.parametrize("name", SETS)
def test_metrics_by_influencer_equal_plain_pandas_on_the_raw_files(name, opened):
    import pandas as pd

    data = opened(name)
    tables = data.check["tables"]
    if not tables.get("tracking", {}).get("file"):
        pytest.skip("the set has no tracking file")
    raw = pd.read_csv(CORPUS / name / tables["tracking"]["file"], dtype=str)
    columns = dict(tables["tracking"]["columns"].items())
    raw = raw.dropna(how="all")
    who = raw[columns["influencer_id"]].str.strip().str.replace(r"\.0$", "", regex=True)
    revenue = raw[columns["revenue"]].astype(float).groupby(who).sum()
    got = metrics.compute(
        data.ledger.rows, [metrics.REVENUE], by=["influencer"], known=data.ledger.known
    ).set_index("influencer_id")["revenue"]
    for identity, amount in revenue.items():
        assert math.isclose(got[identity], amount, rel_tol=1e-9), identity


def test_check_prints_the_same_json_as_it_keeps(opened):
    result = CliRunner().invoke(app, ["check", str(CORPUS / SETS[0]), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == opened(SETS[0]).check
