"""Names in params that nothing has are refused: a misspelt one would count for nothing, in silence."""

import shutil
from pathlib import Path

import pytest

from hkreport import params
from hkreport.errors import ParamsError

ROOT = Path(__file__).parents[1]


def load(folder, text):
    shutil.copytree(ROOT / "params", folder / "params")
    shutil.copy(ROOT / "_quarto.yml", folder)
    (folder / "params" / "Newbrand.yml").write_text(text, encoding="utf-8")
    return params.load("Newbrand", root=folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("targets: {roass: 2}", "params/Newbrand.yml: targets: there is no metric 'roass'. Did you mean 'roas'?"),
        ("bands: {roaz: {poor: 1, good: 2}}", "there is no metric 'roaz'"),
        ("bands: {roas: {poor: 5, good: 1}}", "poor is 5 and good 1; poor must be below good for roas"),
        (
            "bands: {cost_per_order: {poor: 5, good: 9}}",
            "poor is 5 and good 9; poor must be above good for cost_per_order",
        ),
        ("scores: {performance: {roas: -1}}", "the weight of roas must be 0 or more"),
        ("scores: {performance: {roaz: 1}}", "there is no metric 'roaz'"),
        ("data: {day_first: {tracking.dat: true}}", "'tracking.dat' is no date. Did you mean 'tracking.date'?"),
    ],
)  # fmt: skip
def test_what_nothing_is_called_is_refused_with_the_nearest_name(text, said, tmp_path):
    with pytest.raises(ParamsError) as error:
        load(tmp_path, text)
    assert said in str(error.value)


def test_what_is_right_is_taken(tmp_path):
    found = load(
        tmp_path,
        "targets: {roas: 2}\nbands: {cost_per_order: {poor: 900, good: 400}}\n"
        "data: {day_first: {payouts.date: true}}\n",
    )
    assert (found.targets["roas"], found.bands["cost_per_order"].good) == (2, 400)
