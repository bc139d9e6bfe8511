"""One notebook, run by papermill with checked parameters; what went wrong is said in one sentence.

papermill only logs a misspelt parameter and then runs with the default, so the parameters are compared
with the notebook's before anything runs.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hkreport.errors import ParamsError, RenderError, did_you_mean, listed
from hkreport.pipeline import kernels
from hkreport.pipeline.processes import is_supported

__all__ = ["check_parameters", "execute"]

LONGEST_FOLDER = 80


def check_parameters(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Compare what is passed with what the notebook declares, both ways.

    Raises
    ------
    ParamsError
        If one side has a parameter that the other has not.
    """
    import papermill

    declared = set(papermill.inspect_notebook(str(notebook)))
    unknown = sorted(set(parameters) - declared)
    if unknown:
        near = did_you_mean(unknown[0], declared)
        raise ParamsError(
            f"{notebook.name} has no parameter '{unknown[0]}'. {near}".rstrip(),
            next_step=f"Its parameters: {listed(sorted(declared), most=40)}.",
        )
    lacking = sorted(declared - set(parameters))
    if lacking:
        raise ParamsError(
            f"{notebook.name} has a parameter '{lacking[0]}' that was not given a value.",
            next_step="Pass it, or take it out of the notebook's parameters cell.",
        )


def execute(notebook: Path, parameters: Mapping[str, Any], executed: Path, *, subject: str) -> Path:
    """Run a notebook and keep the result.

    Parameters
    ----------
    notebook : Path
        The notebook as it stands in git.
    parameters : mapping
        Exactly the notebook's parameters; texts, numbers and booleans only.
    executed : Path
        Where the run notebook goes; a failed run leaves it half-built there.
    subject : str
        Brand and period, for messages.

    Raises
    ------
    ParamsError
        If the parameters do not match.
    RenderError
        If a cell fails; names notebook, cell, subject and cause.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    check_parameters(notebook, parameters)
    executed.parent.mkdir(parents=True, exist_ok=True)
    # A person's IPython profile must not change a report.
    os.environ["IPYTHONDIR"] = str(executed.parent / ".ipython")
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    kernels.use()
    try:
        with _channels() as config:
            papermill.execute_notebook(
                str(notebook),
                str(executed),
                parameters=dict(parameters),
                kernel_name="python3",
                progress_bar=False,
                # One save at the end (or at the failure), not two a cell.
                request_save_on_cell_execute=False,
                shutdown_kernel="immediate",
                cwd=str(notebook.parent),
                config=config,
                # The kernel's notice about its channels is not for our reader.
                extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
            )
    except PapermillExecutionError as error:
        raise RenderError(
            f"{notebook.name} stopped in cell {error.cell_index} for {subject}: "
            f"{_cause(error.ename, error.evalue)}",
            next_step=f"The half-built notebook is {executed}.",
        ) from error
    except DeadKernelError as error:
        raise RenderError(
            f"{notebook.name} stopped for {subject}: its kernel died.",
            next_step="Most often memory has run out: build fewer reports at a time (--jobs 1).",
        ) from error
    return executed


@contextlib.contextmanager
def _channels() -> Iterator[Any]:
    """How the kernel is talked to: through files in a folder of this notebook alone.

    Ports would be chosen by trying; side by side two kernels can choose the same one.
    """
    from traitlets.config import Config

    with tempfile.TemporaryDirectory(prefix="hk-") as folder:
        # Names of such channels are limited to about a hundred characters.
        if not is_supported() or len(folder) > LONGEST_FOLDER:
            yield Config()
        else:
            file = str(Path(folder) / "kernel.json")
            yield Config({"KernelManager": {"transport": "ipc", "connection_file": file}})


def _cause(name: str, value: str) -> str:
    """The error as a sentence; the package's own errors are sentences already."""
    said = value.strip().splitlines()[0] if value.strip() else name
    own = name in ("DataError", "InputError", "ParamsError", "RenderError", "UsageError")
    sentence = said if own else f"{name}: {said}"
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
