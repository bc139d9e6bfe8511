"""The database sums; pandas is handed what a chart or a table shows, however many orders there are."""

import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import notebook_cells
import numpy as np
import pandas as pd
import pytest

from hkreport import params, simulate, store, views
from hkreport.evidence import arms
from hkreport.pipeline.exports import EXPORTS

MOST = 100_000


@pytest.fixture
def crossed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Rows that reached pandas or Arrow, by the function of the package that asked for them."""
    from ibis.backends.duckdb import Backend

    counts: Counter[str] = Counter()

    def watch(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def counting(*args: Any, **options: Any) -> Any:
            made = original(*args, **options)
            if isinstance(made, pd.DataFrame | pd.Series) or hasattr(made, "num_rows"):
                counts[_asker()] += len(made)
            return made

        monkeypatch.setattr(owner, name, counting)

    watch(Backend, "execute")  # to_pandas and everything that is made of it
    watch(Backend, "to_pyarrow")
    watch(pd, "read_parquet")
    monkeypatch.setattr(Backend, "to_pyarrow_batches", _refused)
    return counts


def _refused(*args: Any, **options: Any) -> Any:
    raise AssertionError("nobody counts the rows of batches")


def _asker() -> str:
    frames = [each for each in traceback.extract_stack() if "/hkreport/" in each.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else "tests"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Path:
    """A project of its own with the sample's exports, and the ledger that is kept of them."""
    root = tmp_path_factory.mktemp("project")
    (root / "params").symlink_to(project / "params")
    (root / "_quarto.yml").write_bytes((project / "_quarto.yml").read_bytes())
    simulate.write(root / "exports", seed=1)
    return root


@pytest.mark.parametrize(("brand", "period"), [("all", "2025"), ("HKVitals", "2025-Q4")])
def test_a_report_takes_few_rows_into_pandas(
    brand: str,
    period: str,
    simulated: Path,
    crossed: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of both notebooks and the files beside them, which share a kernel and its report."""
    monkeypatch.chdir(simulated)
    given = {"brand": brand, "period": period, "data": str(simulated / "exports")}
    opened = store.open_data(simulated / "exports", params.load(None), root=simulated)
    events = int(opened.ledger.rows.count().to_pandas())
    assert events > MOST, "too small to show anything"
    monkeypatch.setenv(store.TRUSTED, store.trusted(simulated / "exports", opened.key))
    crossed.clear()
    for name in ("brand_report", "summary"):
        assert list(notebook_cells.values(name, **given))
    report = views.open_report(**given)
    assert all(made_of(report) for _, made_of in EXPORTS)
    total = sum(crossed.values())
    assert 0 < total < MOST, crossed.most_common(5)
    table = opened.table("assignments")
    assert table is not None
    # An experiment's units are counted where they lie: those without orders do not cross one by one.
    assert 0 < crossed["arms.py:gather"] < int(table.count().to_pandas())


def test_rows_that_cross_are_counted(crossed: Counter[str]) -> None:
    import ibis

    rows = ibis.duckdb.connect().create_table("many", ibis.range(5000).unnest().as_table())
    rows.to_pandas()
    rows.to_pyarrow()
    rows.count().to_pandas()
    assert crossed["tests"] >= 10_000


def test_units_that_are_counted_are_those_that_were_assigned(
    simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both arms as pandas finds them in the files, unit by unit."""
    monkeypatch.chdir(simulated)
    data = simulated / "exports"
    report = views.open_report(brand="MuscleBlaze", period="2025-Q4", data=str(data))
    plan = next(one for one in report.settings.experiments.declared if one.unit == "user")
    found = arms.gather(report, plan)
    assert isinstance(found, arms.Arms)

    units = pd.read_csv(data / "assignments.csv")
    units = units[units["unit_type"] == "user"]
    orders = pd.read_csv(data / "tracking.csv", parse_dates=["date"])
    inside = orders["date"].between(pd.Timestamp(plan.start), pd.Timestamp(plan.closes))
    orders = orders[inside & (orders["brand"] == "MuscleBlaze")]
    sums = orders.groupby("user_id")[["orders", "revenue"]].sum()
    units = units.join(sums, on="unit_id").fillna({"orders": 0.0, "revenue": 0.0})
    sides = [units[units["arm"] == arm] for arm in ("treatment", "control")]

    assert found.sizes == tuple(map(len, sides))
    assert len(found.units) < len(units) / 5
    for column, name in (
        ("orders", "orders"),
        ("revenue", "revenue"),
        ("before", "pre_period_revenue"),
    ):
        for mine, side in zip(found.pair(column), sides, strict=True):
            theirs = side[name].to_numpy(float)
            assert np.sort(mine) == pytest.approx(np.sort(theirs), rel=1e-12, abs=1e-9), column
    # What belongs together stays together.
    for rows, side in zip((found.treated, found.control), sides, strict=True):
        both = arms.each_unit(rows, "before") @ arms.each_unit(rows, "revenue")
        assert both == pytest.approx(float(side["pre_period_revenue"] @ side["revenue"]), rel=1e-9)
