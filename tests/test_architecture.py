"""Imports point one way, each heavy library has one home, and help is quick because neither slips."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hkreport"

ORDER = """errors yaml_text versions folders pseudonyms shelf pieces units schema periods metrics params ledger groupings backends methods simulate ingest store
           templates prose views evidence certify insights theme tables charts pipeline cli""".split()

HOMES = {
    "duckdb": ("ingest", "ledger"),
    "faker": ("simulate",),
    "holidays": ("evidence", "simulate"),
    "matplotlib": ("theme", "charts"),
    "nbclient": ("pipeline",),
    "papermill": ("pipeline",),
    "pyspark": ("backends",),
    "pypandoc": ("pipeline",),
    "scipy": ("methods",),
    "seaborn": ("theme", "charts"),
    "smtplib": ("pipeline",),
    "statsmodels": ("methods",),
    "typer": ("cli",),
    "typst": ("pipeline",),
}

HEAVY = """babel duckdb faker holidays ibis IPython ipykernel matplotlib nbclient nbformat
           numpy openpyxl pandas papermill pyarrow pypandoc pyspark python_calamine scipy seaborn sqlglot
           statsmodels typst""".split()

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imported(path: Path) -> Iterator[str]:
    """Yield dotted names; relative imports are banned by ruff's TID252."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} line {node.lineno}: write the import absolutely"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_down_and_libraries_stay_home(path: Path) -> None:
    mine = module_name(path).split(".")[0]
    assert mine in ORDER, f"place {mine} in ORDER: what may it import, and who may import it?"
    for root, *rest in (name.split(".") for name in imported(path)):
        if root == "hkreport" and rest[0] in ORDER:
            assert ORDER.index(rest[0]) <= ORDER.index(mine), f"{mine} must not import {rest[0]}"
        elif root == "hkreport":
            assert rest[0].startswith("__"), f"hkreport has no module '{rest[0]}'"
        assert mine in HOMES.get(root, (mine,)), f"{root} belongs in {HOMES[root]}, not {mine}"


def test_every_place_in_the_order_is_taken_once() -> None:
    assert len(set(ORDER)) == len(ORDER)
    assert {name for homes in HOMES.values() for name in homes} <= set(ORDER)


def heavy_modules_after(code: str) -> list[str]:
    """Run `code` in a fresh interpreter and list the heavy libraries that it has loaded."""
    report = "\nimport json, sys; print('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + report],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    roots = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    return sorted(roots.intersection(HEAVY))


def test_importing_the_package_loads_no_heavy_library() -> None:
    assert heavy_modules_after("import hkreport") == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["report", "--help"], ["doctor", "--help"]], ids=" ".join
)
def test_help_loads_no_heavy_library(arguments: list[str]) -> None:
    code = f"""
import sys
from hkreport.cli import main
sys.argv = ["hkreport", *{arguments!r}]
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
"""
    assert heavy_modules_after(code) == []
