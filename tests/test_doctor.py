"""What doctor says where something is missing, and that it says so instead of failing."""

import importlib.metadata
import os
import shutil
import sys
from pathlib import Path

import pytest

from hkreport.errors import RenderError
from hkreport.pipeline import doctor, environment, render
from hkreport.pipeline.doctor import Check


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project folder with two locked packages, of which one serves another Python."""
    pytest_version = importlib.metadata.version("pytest")
    (tmp_path / "requirements.lock").write_text(
        f"pytest=={pytest_version} \\\n    --hash=sha256:{'0' * 64}\n"
        f"nowhere==1.0 ; python_full_version < '3' \\\n    --hash=sha256:{'0' * 64}\n"
    )
    return tmp_path


def check(root: Path, name: str) -> Check:
    return next(found for found in doctor.examine(root) if found.name == name)


def test_this_environment_can_build_reports(project: Path) -> None:
    checks = doctor.examine(project)
    assert doctor.is_usable(checks), doctor.describe(checks)


def test_every_absence_says_what_it_costs_and_what_to_do(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    missing = [found for found in doctor.examine(root) if not found.ok]
    assert {"Quarto", "Chromium", "Java", "pdftotext", "data"} <= {found.name for found in missing}
    for found in missing:
        assert found.needed_for
        assert found.next_step.endswith(".")
        assert not found.required


def test_packages_as_locked_are_counted_for_this_platform(root: Path) -> None:
    packages = check(root, "packages")
    assert packages.ok
    assert packages.found == "1 of 1 as in requirements.lock"


def test_package_in_another_version_is_named(root: Path) -> None:
    lock = root / "requirements.lock"
    version = importlib.metadata.version("pytest")
    lock.write_text(lock.read_text().replace(f"pytest=={version}", "pytest==0.1"))
    packages = check(root, "packages")
    assert not packages.ok
    assert not packages.required
    assert packages.found == f"1 of 1 in another version: 'pytest {version} instead of 0.1'"
    assert packages.next_step == "Remove .venv and run make setup."


@pytest.mark.parametrize("needed", [True, False], ids=["for_reports", "for_tests_only"])
def test_missing_package_matters_where_reports_need_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, needed: bool
) -> None:
    asked = ["Nowhere_at.all>=1" if needed else 'nowhere-at-all>=1; extra == "test"', "rich"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: asked)
    with (root / "requirements.lock").open("a") as lock:
        lock.write("nowhere-at-all==1.0 \\\n")
    packages = check(root, "packages")
    assert packages.found == "1 of 2 missing: 'nowhere-at-all'"
    assert packages.required is needed
    assert doctor.is_usable([packages]) is not needed


def test_folder_without_lock_says_that_versions_are_not_compared(tmp_path: Path) -> None:
    packages = check(tmp_path, "packages")
    assert packages.found == f"no requirements.lock in {tmp_path}, so versions are not compared"
    assert not packages.required


def test_python_outside_the_supported_range_is_not_ok(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "SUPPORTED", ((3, 1), (3, 2)))
    assert not check(root, "Python").ok


def test_quarto_that_was_refused_once_is_told_from_one_never_tried(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "find_quarto", lambda: None)
    assert check(root, "Quarto").found == "not found"
    note = root / ".venv" / environment.QUARTO_NOTE
    note.parent.mkdir()
    note.touch()
    assert check(root, "Quarto").found == "make setup tried once and was refused"


@pytest.mark.parametrize(
    ("script", "ok", "found", "engine"),
    [
        pytest.param(
            "echo 1.10.18",
            True,
            "1.10.18 ({place})",
            "auto takes quarto, since the Quarto CLI works",
            id="starts",
        ),
        pytest.param(
            "exit 1",
            False,
            "{place} does not answer to --version with a version",
            "auto takes pandoc, since there is no Quarto CLI that works",
            id="broken",
        ),
    ],
)
def test_quarto_is_started_and_not_only_found(
    root: Path, monkeypatch: pytest.MonkeyPatch, script: str, ok: bool, found: str, engine: str
) -> None:
    place = root / "quarto"
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)
    monkeypatch.setattr(render, "find_quarto", lambda: place)
    quarto = check(root, "Quarto")
    assert quarto.ok is ok
    assert quarto.found == found.format(place=place)
    assert check(root, "engine").found == engine


def test_engine_is_the_one_that_auto_takes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "find_quarto", lambda: None)
    assert (
        check(root, "engine").found == "auto takes pandoc, since there is no Quarto CLI that works"
    )


def test_engine_that_cannot_be_chosen_is_reported(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise RenderError("No engine renders.", next_step="Install one.")

    monkeypatch.setattr(render, "choose_engine", refuse)
    engine = check(root, "engine")
    assert (engine.ok, engine.found, engine.next_step) == (
        False,
        "No engine renders.",
        "Install one.",
    )


def test_glyph_that_the_fonts_lack_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "GLYPHS", "₹□")
    fonts = check(root, "fonts")
    assert not fonts.ok
    assert fonts.found.endswith(" lacks '□'")


def test_exports_are_counted_directly_in_data_only(root: Path) -> None:
    (root / "data" / "sample").mkdir(parents=True)
    (root / "data" / "sample" / "posts.csv").touch()
    (root / "data" / "README.md").touch()
    assert check(root, "data").found == "no exports in data/, so reports show the simulated sample"
    for name in ("Posts.CSV", "tracking.csv.gz", "payouts.parquet"):
        (root / "data" / name).touch()
    assert check(root, "data").found == (
        "3 exports in data/: 'Posts.CSV', 'payouts.parquet', 'tracking.csv.gz'"
    )


def test_examination_survives_a_package_that_cannot_be_imported(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pypandoc", "font_source_sans_pro", "hkreport.params", "hkreport.store"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.chdir(root)
    checks = {found.name: found for found in doctor.examine()}
    assert checks["packages"].ok
    assert not any(checks[name].ok for name in ("pandoc and Typst", "fonts", "data"))


def test_folder_that_cannot_be_written_makes_it_unusable(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "NamedTemporaryFile", refuse)
    writing = check(root, "writing")
    assert writing.required
    assert writing.found == (
        "not allowed: build/ (Permission denied), _site/ (Permission denied), data/ (Permission denied)"
    )


def test_looking_leaves_nothing_behind(root: Path) -> None:
    before = sorted(os.listdir(root))
    doctor.examine(root)
    assert sorted(os.listdir(root)) == before


def test_table_fits_the_width_and_holds_every_check() -> None:
    checks = [
        Check(name="Python", found="3.11.7", ok=True, needed_for="everything"),
        Check(
            name="fonts",
            found="Source Sans Pro lacks '→'",
            ok=False,
            needed_for="the same glyphs in charts, pages and PDF",
            next_step="Remove .venv and run make setup.",
        ),
    ]
    assert doctor.describe(checks, width=60).splitlines() == [
        "ok       Python  3.11.7",
        "MISSING  fonts   Source Sans Pro lacks '→' (needed for: the",
        "                 same glyphs in charts, pages and PDF)",
        "                 Remove .venv and run make setup.",
    ]
