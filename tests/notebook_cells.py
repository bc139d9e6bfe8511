"""Runs the cells of a notebook in this process, without a kernel: for tests of what they show."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def shown(name: str, **parameters: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each cell that shows something: its id, and its output by type."""
    for cell, value in values(name, **parameters):
        if hasattr(value, "_repr_mimebundle_"):
            yield cell, value._repr_mimebundle_()[0]


def values(name: str, **parameters: str) -> Iterator[tuple[str, Any]]:
    """Yield the id of each code cell and the value of its last expression.

    Parameters
    ----------
    name : str
        Notebook, without its ending.
    **parameters : str
        Set after the parameters cell, as papermill does.
    """
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    space: dict[str, Any] = {}
    for cell in cells:
        if cell.cell_type != "code":
            continue
        value = run(cell.source, space)
        if "parameters" in cell.metadata.get("tags", ()):
            unknown = set(parameters) - set(space)
            assert not unknown, f"{name} has no parameters {unknown}"
            space.update(parameters)
        yield cell.id, value


def run(source: str, space: dict[str, Any]) -> Any:
    """Run statements; the value of a last expression, as a notebook would show it."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), space)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), "cell", "eval"), space)
