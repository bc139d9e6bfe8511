"""The database sums; pandas is handed what a chart or a table shows, however many orders there are."""

import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import notebook_cells
import pandas as pd
import pytest

from hkreport import params, simulate, store, views

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


def test_a_report_takes_few_rows_into_pandas(
    crossed: Counter[str], tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params").symlink_to(project / "params")
    (tmp_path / "_quarto.yml").write_bytes((project / "_quarto.yml").read_bytes())
    monkeypatch.chdir(tmp_path)
    simulate.write(tmp_path / "exports", seed=1)
    opened = store.open_data(tmp_path / "exports", params.load(None), root=tmp_path)
    events = int(opened.ledger.rows.count().to_pandas())
    assert events > MOST, "too small to show anything"
    for name in ("brand_report", "summary"):
        given = {"brand": "all", "period": "2025", "data": str(tmp_path / "exports")}
        assert list(notebook_cells.values(name, **given))
    _exports(str(tmp_path / "exports"))
    total = sum(crossed.values())
    assert 0 < total < MOST, crossed.most_common(5)


def _exports(data: str) -> None:
    from hkreport.pipeline.exports import EXPORTS

    report = views.open_report(brand="all", period="2025", data=data)
    assert all(made_of(report) for _, made_of in EXPORTS)


def test_rows_that_cross_are_counted(crossed: Counter[str]) -> None:
    import ibis

    rows = ibis.duckdb.connect().create_table("many", ibis.range(5000).unnest().as_table())
    rows.to_pandas()
    rows.to_pyarrow()
    rows.count().to_pandas()
    assert crossed["tests"] >= 10_000
