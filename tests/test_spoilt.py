"""A few hundred spoilt inputs and every one that once broke something; tests/slow/test_fuzz.py has thousands."""

import exports
import fuzz
import mutations
import pytest

from hkreport import ingest, params, views
from hkreport.errors import DataError, ParamsError
from hkreport.pipeline import runs

COUNTS = {"csv": 24, "xlsx": 12, "parquet": 16, "yaml": 150, "parameters": 12}


@pytest.mark.parametrize("kind", COUNTS)
def test_a_few_spoilt_inputs_are_read_or_refused_in_a_sentence(kind, tmp_path):
    found = [fuzz._one(kind, number, tmp_path, 0.0) for number in range(COUNTS[kind])]
    assert [(each.number, each.fault) for each in found if each.fault] == []
    assert {each.outcome for each in found} <= {"read", "refused"}


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_an_input_is_the_same_whenever_it_is_made(kind):
    for number in range(5):
        one, other = mutations.folder(kind, number), mutations.folder(kind, number)
        assert one.keys() == other.keys()
        if kind != "xlsx":  # a workbook tells when it was written
            assert one == other


def test_a_crash_a_loss_and_a_silent_refusal_are_faults(tmp_path, monkeypatch):
    # Else a harness that sees nothing would pass.
    from hkreport.errors import DataError

    def crashes(*_):
        raise KeyError("x")

    def silent(*_):
        raise DataError("")

    for reader, said in ((crashes, "KeyError"), (silent, "without a reason"),
                         (lambda *_: ("read", "rows are lost"), "rows are lost")):  # fmt: skip
        monkeypatch.setitem(fuzz.READERS, "csv", reader)
        assert said in str(fuzz._one("csv", 0, tmp_path, 0.0).fault)


# Found on the way


@pytest.fixture
def root(tmp_path):
    import shutil

    shutil.copytree(mutations.PROJECT / "params", tmp_path / "params")
    return tmp_path


@pytest.mark.parametrize("text", ["targets: " + "[" * 3000, "{a: " * 2000], ids=["lists", "maps"])
def test_params_nested_too_deep_are_refused(root, text):
    (root / "params" / "HKVitals.yml").write_text(text)
    with pytest.raises(ParamsError, match=r"HKVitals\.yml.* is not valid YAML"):
        params.load("HKVitals", root=root)
    (root / "params" / "runs.yml").write_text(text)
    with pytest.raises(ParamsError, match=r"runs\.yml.* is not valid YAML"):
        runs.read(root)


def test_a_date_that_does_not_exist_in_params_is_refused(root):
    (root / "params" / "HKVitals.yml").write_text("as_of: 2025-13-45\n")
    with pytest.raises(ParamsError, match=r"HKVitals\.yml line 1: there is no day 2025-13-45"):
        params.load("HKVitals", root=root)


@pytest.mark.parametrize("value", ["many", "nan", "inf", "1,5", "\\", "2025-W23"])
def test_a_limit_that_is_no_number_is_refused_by_name(value):
    with pytest.raises(ParamsError, match=r"min_roas is .*; it must be a number, such as 1\.5"):
        views.filters_of({"min_roas": value})


def test_a_parquet_file_whose_texts_are_not_utf8_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    broken = pa.array([b"2025-05-01", b"\xf6\xb0"], pa.binary()).view(pa.string())
    table = pa.table({"date": broken, "orders": [1, 2], "revenue": [5.0, 6.0]})
    pq.write_table(table, tmp_path / "tracking.parquet")
    with pytest.raises(DataError, match=r"tracking\.parquet is a damaged Parquet file"):
        ingest.load(tmp_path)


def test_a_table_of_texts_without_a_row_is_read(tmp_path):
    exports.write(tmp_path, products="product,brand\n")
    made = ingest.load(tmp_path)
    assert made.check.tables["products"].rows_read == 0
