"""What is written down is true: README commands, the data dictionary, the templates, the pictures."""

import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from hkreport import ingest, metrics, schema, templates
from hkreport.params import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.S)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith("make ")])
def test_make_commands_of_the_readme_are_accepted(command):
    dry = subprocess.run(
        [*shlex.split(command), "--dry-run", "QUARTO=skip"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert dry.returncode == 0, dry.stderr


@pytest.mark.parametrize("command", [each for each in COMMANDS if "/hkreport " in each])
def test_other_commands_of_the_readme_parse(command):
    words = shlex.split(command)
    shown = subprocess.run(
        [ROOT / ".venv" / "bin" / "hkreport", words[1], "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0
    for option in (word for word in words if word.startswith("--")):
        assert option in shown.stdout


def test_links_and_pictures_of_the_readme_exist():
    local = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert local
    for link in local:
        assert (ROOT / link).exists(), link


def test_data_dictionary_is_made_from_the_schema():
    written = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert written == templates.dictionary(), "run: hkreport templates, and copy COLUMNS.md"


def test_templates_in_git_are_made_from_the_schema(tmp_path):
    for path in templates.write(tmp_path):
        kept = ROOT / "data" / "templates" / path.relative_to(tmp_path)
        assert kept.read_bytes() == path.read_bytes(), (
            "run: hkreport templates --out data/templates"
        )


@pytest.mark.parametrize("folder", [".", "excel"])
def test_filled_templates_load_without_a_single_note(folder, tmp_path):
    templates.write(tmp_path)
    found = ingest.load(tmp_path / folder, ingest.Settings(brands={"HKVitals": ()})).check.to_json()
    assert {name: table["rows_used"] for name, table in found["tables"].items()} == dict.fromkeys(
        schema.TABLES, 1
    )
    assert found["problems"] == []


def test_the_templates_workbook_is_the_same_at_any_time():
    first = templates.workbook()
    time.sleep(2.1)  # the clock of a ZIP file counts every second second
    assert templates.workbook() == first


def test_params_name_metrics_that_exist():
    for brand in (None, "HKVitals", "MuscleBlaze", "Gritzo"):
        settings = load(brand, root=ROOT)
        named = {
            *settings.targets,
            *settings.bands,
            *settings.scores.performance,
            *settings.scores.product,
        }
        assert named <= set(metrics.CATALOGUE)
