"""What a notebook's cells may hold, read without running anything: a notebook tells, the package computes."""

import ast
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

LOGIC = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.If, ast.IfExp,
    ast.With, ast.Try, ast.Match, ast.BinOp, ast.BoolOp, ast.Compare, ast.comprehension, ast.FormattedValue,
    ast.Global, ast.Delete, ast.Assert, ast.AugAssign,
)  # fmt: skip

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def parameters_cell(path: Path) -> nbformat.NotebookNode:
    found = [cell for cell in read(path).cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(found) == 1, (
        f"{path.name} has {len(found)} cells tagged parameters; papermill takes one"
    )
    return found[0]


def problems_of(source: str) -> list[str]:
    """List what a code cell holds that belongs in the package."""
    problems = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, LOGIC):
            problems.append(type(node).__name__)
        elif isinstance(node, ast.Import):
            problems += [
                f"import {name.name}"
                for name in node.names
                if name.name.split(".")[0] != "hkreport"
            ]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] != "hkreport":
            problems.append(f"from {node.module} import")
    return sorted(problems)


@pytest.mark.parametrize(
    ("source", "problems"),
    [
        pytest.param("charts.trend(facts, metric='revenue')", [], id="one_call"),
        pytest.param("from hkreport import charts", [], id="our_import"),
        pytest.param("spend / 2", ["BinOp"], id="arithmetic"),
        pytest.param("[row for row in rows if row]", ["comprehension"], id="loop"),
        pytest.param("f'{revenue:.1f}'", ["FormattedValue"], id="number_format"),
        pytest.param("import pandas as pd", ["import pandas"], id="other_import"),
        pytest.param("from pathlib import Path", ["from pathlib import"], id="other_import_from"),
    ],
)
def test_logic_and_foreign_imports_are_found(source: str, problems: list[str]) -> None:
    assert problems_of(source) == problems


@every_notebook
def test_code_cells_hold_no_logic_and_import_only_hkreport(path: Path) -> None:
    for number, cell in enumerate(code_cells(path)):
        found = problems_of(cell.source)
        assert not found, f"{path.name}, code cell {number}: move {found} into hkreport"


@every_notebook
def test_notebook_is_valid_and_clean(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in code_cells(path):
        assert cell.outputs == [], f"{path.name} holds outputs: run nbstripout --keep-id on it"
        assert cell.execution_count is None, (
            f"{path.name} holds execution counts: run nbstripout --keep-id on it"
        )
        assert "execution" not in cell.metadata, (
            f"{path.name} holds execution times: run nbstripout --keep-id on it"
        )
    assert "papermill" not in notebook.metadata, f"{path.name} is an executed copy"


@every_notebook
def test_kernel_is_python3(path: Path) -> None:
    assert read(path).metadata.kernelspec.name == "python3"


@every_notebook
def test_cell_ids_are_stable_names(path: Path) -> None:
    ids = Counter(cell.id for cell in read(path).cells)
    assert [name for name, times in ids.items() if times > 1] == []
    assert [name for name in ids if not re.fullmatch(r"[a-z][a-z0-9_-]*", name)] == []


@every_notebook
def test_parameters_are_annotated_literals_one_a_line(path: Path) -> None:
    """papermill's inspection skips a line that holds a second `=`, even in its comment."""
    source = parameters_cell(path).source
    for line in filter(None, map(str.strip, source.splitlines())):
        assert line.count("=") <= 1, f"{path.name}: papermill would not see {line!r}"
    for statement in ast.parse(source).body:
        assert isinstance(statement, ast.AnnAssign), f"{path.name}: {ast.unparse(statement)}"
        assert statement.value is not None
        ast.literal_eval(statement.value)


@every_notebook
def test_title_is_said_once(path: Path) -> None:
    """The title stands in the front matter; a further H1 would be a second one."""
    first, *rest = read(path).cells
    titled = first.cell_type == "raw" and re.search(r"^title:", first.source, flags=re.MULTILINE)
    headings = [
        line
        for cell in [first, *rest]
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if re.match(r"#\s", line)
    ]
    assert len(headings) == (0 if titled else 1), f"{path.name}: {headings}"


@every_notebook
def test_prose_holds_no_numbers_that_come_from_data(path: Path) -> None:
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            money = re.findall(r"₹\s*(?!1\b)\d|\d+(?:\.\d+)?\s*(?:lakh|crore|Cr\b)", cell.source)
            assert not money, f"{path.name}: numbers come from insights, not from prose: {money}"
