"""The page on reliability says what the runs measured, and a failure is a failure."""

import json
import subprocess

import harden
import pytest
import reliability

JUNIT = """<testsuites><testsuite>
<testcase name="good" time="1"/>
<testcase name="bad" time="1"><failure message="x">y</failure></testcase>
<testcase name="broken" time="1"><error message="x">y</error></testcase>
<testcase name="left" time="0"><skipped message="no disk can be mounted"/></testcase>
</testsuite></testsuites>"""


def part(**more):
    return {"tests": 4, "failed": [], "skipped": {}, "figures": {}, "minutes": 2.5, "day": "2026-01-02",
            "machine": "2 cores, Python 3.11"} | more  # fmt: skip


def told(**parts):
    audit = {"pinned_packages": 120, "hashes": True, "audited": False, "why_not": "no network"}
    return {"schema_version": 1, "parts": parts, "dependencies": audit}


def test_outcomes_of_a_run_are_counted(tmp_path):
    path = tmp_path / "tests.xml"
    path.write_text(JUNIT)
    assert harden._outcomes(path) == {
        "tests": 4,
        "failed": ["bad", "broken"],
        "skipped": {"left": "no disk can be mounted"},
        "held": {"good": 1},
    }


def test_the_page_shows_every_figure_and_every_failure():
    figures = {
        "csv": {"inputs": 3600, "faults": 0},
        "xlsx": {"inputs": 1600, "faults": 2},
        "other": {"reports": 504},
    }
    page = harden.page(told(fuzz=part(figures=figures, failed=["test_x[xlsx]"])))
    assert "| csv | 3,600 | 0 |" in page
    assert "| xlsx | 1,600 | 2 |" in page
    assert "- reports (other): 504" in page
    assert "- Failed: `test_x[xlsx]`" in page
    assert "| Spoilt inputs | 4 | 1 | 0 | 2.5 | 2026-01-02, 2 cores, Python 3.11 |" in page
    assert "They were not audited: no network." in page


def test_where_nothing_is_counted_the_page_lists_the_rules_that_held():
    page = harden.page(told(soundness=part(held={"spend_is_conserved": 12, "pages_agree": 1})))
    assert "- spend is conserved (12 cases)\n- pages agree\n" in page


def test_weaknesses_of_packages_are_named():
    found = told()
    found["dependencies"] |= {
        "audited": True,
        "weaknesses": ["x 1.0: PYSEC-1"],
        "not_looked_up": ["y"],
    }
    assert "knows 1 weaknesses of them: x 1.0: PYSEC-1." in harden.page(found)


def test_figures_are_kept_only_where_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.delenv(reliability.FOLDER, raising=False)
    reliability.record("fuzz", "csv", inputs=1)
    monkeypatch.setenv(reliability.FOLDER, str(tmp_path))
    reliability.record("fuzz", "csv", inputs=2)
    assert [path.name for path in tmp_path.iterdir()] == ["fuzz--csv.json"]


def test_every_slow_test_belongs_to_a_part():
    tests = sorted((harden.PROJECT / "tests").rglob("test_*.py"))
    slow = {
        path.relative_to(harden.PROJECT).as_posix()
        for path in tests
        if "pytest.mark.slow" in path.read_text(encoding="utf-8").replace('"pytest.mark.slow"', "")
    }
    named = {name for _, tests in harden.PARTS.values() for name in tests}
    assert slow <= named
    assert all((harden.PROJECT / name).exists() for name in named)


def test_an_unknown_part_is_refused():
    with pytest.raises(SystemExit, match="There is no part 'x'"):
        harden.main(["x"])


def audited(monkeypatch, packages):
    """What is told where pip-audit answers this."""
    answer = subprocess.CompletedProcess([], 0, stdout=json.dumps({"dependencies": packages}))
    monkeypatch.setattr(harden.subprocess, "run", lambda *_, **__: answer)
    return harden.audit()


def test_packages_that_were_not_looked_up_are_not_called_safe(monkeypatch):
    unknown = {"name": "y", "skip_reason": "not found"}
    weak = {"name": "x", "version": "1.0", "vulns": [{"id": "PYSEC-1"}]}
    assert not audited(monkeypatch, [unknown, unknown])["audited"]
    found = audited(monkeypatch, [unknown, weak])
    assert (found["audited"], found["weaknesses"]) == (True, ["x 1.0: PYSEC-1"])
    assert found["not_looked_up"] == ["y"]
