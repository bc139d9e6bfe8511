"""One notebook, run by papermill with checked parameters; what went wrong is said in one sentence.

papermill only logs a misspelt parameter and then runs with the default, so the parameters are compared
with the notebook's before anything runs.
"""

import contextlib
import json
import math
import os
import queue
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager

from hkreport.errors import ParamsError, RenderError, did_you_mean, listed
from hkreport.folders import Scratch
from hkreport.pipeline import kernels
from hkreport.pipeline.processes import is_supported

__all__ = ["Kernel", "check_parameters", "execute", "kernel"]

LONGEST_FOLDER = 80
NAME = "python3"


def check_parameters(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Compare what is passed with what the notebook declares, both ways.

    Raises
    ------
    ParamsError
        If one side has a parameter that the other has not.
    """
    import papermill

    try:
        declared = set(papermill.inspect_notebook(_literal(notebook)))
    except (ValueError, AttributeError, KeyError) as error:  # NotJSONError is a ValueError
        cause = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ParamsError(
            f"{notebook.name} cannot be read as a notebook: {cause[:200]}",
            next_step="Take it from git again: git checkout -- notebooks",
        ) from error
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


class Client(AsyncKernelClient):
    """Who talks to a kernel, for as long as it runs.

    Jupyter's own waits a fifth of a second at each notebook for what an earlier client might have left.
    Nobody was there before this one, and messages that belong to no cell are passed over.
    """

    _is_ready = False

    def start_channels(self, *args: Any, **kwargs: Any) -> None:
        """Open the channels, the first time."""
        if not self.channels_running:
            super().start_channels(*args, **kwargs)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers and what it says of cells arrives.

        Raises
        ------
        RuntimeError
            If it is gone, or has not answered after `timeout` seconds.
        """
        last = math.inf if timeout is None else time.monotonic() + timeout
        while not self._is_ready:
            self.kernel_info()
            with contextlib.suppress(queue.Empty):
                answer = await self.get_shell_msg(timeout=1)
                # What is said to all is heard only from when its channel is connected.
                await self.get_iopub_msg(timeout=0.2)
                self._is_ready = answer["msg_type"] == "kernel_info_reply"
            if not self._is_ready and not await self.is_alive():
                raise RuntimeError("the kernel is gone")
            if not self._is_ready and time.monotonic() > last:
                raise RuntimeError(f"the kernel did not answer within {timeout:.0f} seconds")


class Manager(AsyncKernelManager):
    """Of a kernel with one client: nbclient asks for a new one a notebook, and leaves its sockets open."""

    client_factory = Client
    own: AsyncKernelClient | None = None

    def client(self, **kwargs: Any) -> Any:
        """The client, made when it is first asked for."""
        self.own = self.own or super().client(**kwargs)
        return self.own


class Kernel:
    """A running kernel for the notebooks of one report, one after the other.

    What several of them need of the report is worked out once; see
    :func:`hkreport.views.open_report`. Names that a notebook defined are gone before the next one runs.
    """

    def __init__(self, config: Any) -> None:
        self._manager = Manager(kernel_name=NAME, config=config)
        self._used = False

    def run(
        self, notebook: Path, parameters: Mapping[str, Any], executed: Path, *, subject: str
    ) -> Path:
        """Run a notebook and keep the result; see :func:`execute`."""
        import papermill
        from nbclient.exceptions import DeadKernelError
        from papermill.exceptions import PapermillExecutionError

        check_parameters(notebook, parameters)
        executed.parent.mkdir(parents=True, exist_ok=True)
        # A person's IPython profile must not change a report.
        os.environ["IPYTHONDIR"] = str(executed.parent / ".ipython")
        os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
        try:
            if self._used:
                self._say("get_ipython().reset(new_session=True)", subject)
            self._used = True
            papermill.execute_notebook(
                _literal(notebook),
                _literal(executed),
                parameters=dict(parameters),
                kernel_name=NAME,
                progress_bar=False,
                # One save at the end (or at the failure), not two a cell.
                request_save_on_cell_execute=False,
                cwd=str(notebook.parent),
                km=self._manager,
                # Neither its notice about the channels nor a history of commands is for our reader.
                extra_arguments=[
                    "--IPKernelApp.log_level=CRITICAL",
                    "--HistoryManager.enabled=False",
                    "--IPythonKernel._execute_sleep=0",
                ],
            )
        except PapermillExecutionError as error:
            raise RenderError(
                f"{notebook.name} stopped in cell {error.cell_index} for {subject}: "
                f"{_cause(error.ename, error.evalue)}",
                next_step=f"The half-built notebook is {executed}.",
            ) from error
        except (DeadKernelError, RuntimeError) as error:
            # RuntimeError: jupyter_client's word for a kernel that never answered.
            raise _died(notebook.name, subject) from error
        return executed

    def call(self, function: str, arguments: Mapping[str, Any], *, subject: str) -> None:
        """Call a function of the package in the kernel, after its notebooks.

        Parameters
        ----------
        function : str
            ``module:name``.
        arguments : mapping
            Texts, numbers, booleans, and lists or mappings of them.
        subject : str
            Brand and period, for messages.

        Raises
        ------
        RenderError
            If it fails.
        """
        from nbclient.exceptions import CellExecutionError

        module, _, name = function.partition(":")
        given = json.dumps(dict(arguments))
        try:
            self._say(f"import json, {module}\n{module}.{name}(**json.loads({given!r}))", subject)
        except CellExecutionError as error:
            raise RenderError(
                f"{function} stopped for {subject}: {_cause(error.ename, error.evalue)}"
            ) from error

    def end(self) -> None:
        """End the process, whatever it does."""
        from jupyter_core.utils import run_sync

        if self._manager.own is not None:
            self._manager.own.stop_channels()
        if self._manager.has_kernel:
            run_sync(self._manager.shutdown_kernel)(now=True)
        run_sync(self._manager.cleanup_resources)()

    def _say(self, code: str, subject: str) -> None:
        """Let the kernel run code that stands in no notebook."""
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import DeadKernelError

        cell = nbformat.v4.new_code_cell(code)  # type: ignore[no-untyped-call]
        book = nbformat.v4.new_notebook(cells=[cell])  # type: ignore[no-untyped-call]
        try:
            NotebookClient(book, km=self._manager).execute()
        except DeadKernelError as error:
            raise _died("The report", subject) from error


def _literal(path: Path) -> str:
    """A path as papermill takes it: it fills in what stands in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _died(what: str, subject: str) -> RenderError:
    return RenderError(
        f"{what} stopped for {subject}: its kernel died.",
        next_step="Most often memory or the disk is full: build fewer reports at a time (--jobs 1), "
        "or make room.",
    )


@contextlib.contextmanager
def kernel() -> Iterator[Kernel]:
    """A kernel that ends with the block, for what runs in it one after the other."""
    kernels.use()
    with _channels() as config:
        made = Kernel(config)
        try:
            yield made
        finally:
            made.end()


def execute(notebook: Path, parameters: Mapping[str, Any], executed: Path, *, subject: str) -> Path:
    """Run a notebook in a kernel of its own and keep the result.

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
    with kernel() as own:
        return own.run(notebook, parameters, executed, subject=subject)


@contextlib.contextmanager
def _channels() -> Iterator[Any]:
    """How the kernel is talked to: through files in a folder of this notebook alone.

    Ports would be chosen by trying; side by side two kernels can choose the same one.
    """
    from traitlets.config import Config

    with Scratch("hkc-") as folder:
        # Names of such channels are limited to about a hundred characters.
        if not is_supported() or len(str(folder)) > LONGEST_FOLDER:
            yield Config()
        else:
            file = str(folder / "kernel.json")
            yield Config({"KernelManager": {"transport": "ipc", "connection_file": file}})


def _cause(name: str, value: str) -> str:
    """The error as a sentence; the package's own errors are sentences already."""
    said = value.strip().splitlines()[0] if value.strip() else name
    own = name in ("DataError", "InputError", "ParamsError", "RenderError", "UsageError")
    sentence = said if own else f"{name}: {said}"
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
