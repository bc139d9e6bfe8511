"""Names in params that nothing has are refused: a misspelt one would count for nothing, in silence."""

import shutil
from pathlib import Path

import pytest

from hkreport import params
from hkreport.errors import ParamsError
from hkreport.pipeline import runs

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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("targets: {roas: 2}\nsmall_base: 9\ntargets: {roi: 1}", "line 3: the key 'targets' is given twice, first in line 1."),
        ("targets:\n  roas: 2\n  'roas': 3", "line 3: the key 'roas' is given twice, first in line 2."),
        ("targets: {16: 1, 0x10: 2}", "line 1: the key '0x10' is given twice, first in line 1."),
        ("email:\n  to:\n  - {a: 1, a: 2}", "line 3: the key 'a' is given twice, first in line 3."),
        ("small_base: 030", "line 1: 030 is an octal number in YAML; write 30, or '030' for a text."),
        ("small_base: 2:30", "line 1: 2:30 is a number to the base of 60 in YAML; put it in quotes: '2:30'."),
        ("targets: {roas: 1:30.5}", "line 1: 1:30.5 is a number to the base of 60"),
        ("targets: {[1, 2]: 3}", "line 1 is not valid YAML: found unhashable key."),
        ("targets: {{a: 2}: 3}", "line 1 is not valid YAML: found unhashable key."),
        ("as_of: 2025-02-30", "line 1: there is no day 2025-02-30 (day "),
    ],
)  # fmt: skip
def test_what_yaml_would_take_for_something_else_is_refused_with_its_line(text, said, tmp_path):
    with pytest.raises(ParamsError) as error:
        load(tmp_path, text)
    assert f"params/Newbrand.yml {said}" in str(error.value)


@pytest.mark.parametrize("name", ["brands", "runs"])
def test_a_key_given_twice_is_refused_in_every_file(name, tmp_path):
    shutil.copytree(ROOT / "params", tmp_path / "params")
    text = "HKV: [a]\nHKV: [b]\n" if name == "brands" else "- brands: [all]\n  brands: [HKV]\n"
    (tmp_path / "params" / f"{name}.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ParamsError) as error:
        params.brands(tmp_path) if name == "brands" else runs.read(tmp_path)
    assert f"params/{name}.yml line 2: the key '" in str(error.value)


def test_anchors_and_merges_are_no_double_keys(tmp_path):
    text = "targets: &wanted {roas: 2, roi: 1}\nbands: {roas: &band {poor: 1, good: 2}, roi: {<<: *band, good: 9}}\n"
    found = load(tmp_path, text)
    assert (found.bands["roi"].poor, found.bands["roi"].good) == (1, 9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("targets: {roas: 1e30}", "targets.roas is '1e30'; input should be less than or equal to 1000000000000000."),
        ("targets: {revenue: -1.0e+20}", "targets.revenue is -1e+20; input should be greater than or equal to"),
        ("targets: {roas: .nan}", "targets.roas is nan; input should be a finite number."),
        ("targets: {roas: .inf}", "targets.roas is inf; input should be a finite number."),
        ("targets: {roi: 1, roas: yes}", "targets: roas must be a number or a text, and YAML takes yes and on for true."),
        ("small_base: on", "small_base is True; it must be a number or a text, and YAML takes yes and on for true."),
        ("bands: {roas: {poor: no, good: 2}}", "bands.roas.poor is False; it must be a number or a text"),
        ("tiers: {schemes: {standard: {mega: true}}}", "tiers.schemes: mega must be a number or a text"),
        ("budget: {floors: {a: .inf}}", "budget.floors.a is inf; input should be a finite number."),
        ("money: {gst: {2025-01-01: 18}}", "money.gst.2025-01-01 is 18; input should be less than 1."),
        ("email: {to: asha@example.com}", "email.to is 'asha@example.com'; it must be a list: [asha@example.com]."),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_meant_is_refused(text, said, tmp_path):
    with pytest.raises(ParamsError) as error:
        load(tmp_path, text)
    assert f"params/Newbrand.yml: {said}" in str(error.value)


@pytest.mark.parametrize("name", ["targets", "bands", "scores", "email", "experiments"])
def test_a_heading_with_nothing_below_it_overrules_nothing(name, tmp_path):
    found = load(tmp_path, f"{name}:\n")
    assert found == params.load(None, root=tmp_path)


def test_what_is_right_is_taken(tmp_path):
    found = load(
        tmp_path,
        "targets: {roas: 2}\nbands: {cost_per_order: {poor: 900, good: 400}}\n"
        "data: {day_first: {payouts.date: true}}\n",
    )
    assert (found.targets["roas"], found.bands["cost_per_order"].good) == (2, 400)


def test_a_brand_has_its_own_file_by_every_spelling_of_it(tmp_path):
    (tmp_path / "params").mkdir()
    defaults = (params.project_root() / "params" / "_defaults.yml").read_text(encoding="utf-8")
    (tmp_path / "params" / "_defaults.yml").write_text(defaults, encoding="utf-8")
    (tmp_path / "params" / "brands.yml").write_text("Oak Foods: [OF, Oak]\nElm: [E]\n", "utf-8")
    (tmp_path / "params" / "OakFoods.yml").write_text("targets: {roas: 3}\n", "utf-8")
    for spelt in ("Oak Foods", "oak-foods", "OF", "oak"):
        assert params.load(spelt, root=tmp_path).targets == {"roas": 3.0}, spelt
    assert params.load("E", root=tmp_path).targets == {}
