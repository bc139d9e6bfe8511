"""Kernels that start in a tenth of a second: forked from a process that has everything imported.

A Jupyter *kernel provisioner* over :mod:`multiprocessing`'s fork server. papermill and nbclient use it
unchanged, and only in processes that called :func:`use`: a notebook opened in JupyterLab gets an
ordinary kernel. Each kernel is a process of its own, forked from a server that has seen no report.
"""

import gc
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from multiprocessing.process import BaseProcess, current_process
from typing import Any, cast

from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from hkreport.pipeline.processes import context, end_with_parent, is_supported

__all__ = ["ForkedProvisioner", "use"]

NAME = "hkreport-forked"
LAUNCHER = "ipykernel_launcher"
COLLECTED_AFTER = 50_000  # new objects; Python's own 700 takes a twentieth of the time


def use() -> None:
    """Make kernels of this process come from the server."""
    if is_supported():
        factory = KernelProvisionerFactory.instance()
        factory.provisioners[NAME] = EntryPoint(
            NAME, f"{__name__}:{ForkedProvisioner.__name__}", factory.GROUP_NAME
        )
        factory.default_provisioner_name = NAME


class ForkedProvisioner(LocalProvisioner):
    """Starts IPython kernels by forking; any other kernel the ordinary way."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork, where the command is the one that starts IPython's kernel."""
        # Workers of some clusters are daemons, which may have no children of this kind.
        if LAUNCHER not in cmd or current_process().daemon:
            return await super().launch_kernel(cmd, **kwargs)
        arguments = cmd[cmd.index(LAUNCHER) + 1 :]
        environment = dict(kwargs.get("env") or os.environ)
        place = str(kwargs.get("cwd") or os.getcwd())
        process = context().Process(  # type: ignore[attr-defined]
            target=_run_kernel, args=(arguments, environment, place), daemon=True
        )
        process.start()
        self.process = cast(Any, _Handle(process))
        self.pid = process.pid
        # The kernel makes a group of its own; until then the signal goes to the process alone.
        self.pgid = process.pid
        self.cwd = place
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait for the end without polling: the process tells."""
        if self.process is None:
            return 0
        code: int | None = self.process.wait()
        self.process = None
        return code


class _Handle:
    """A forked process as Jupyter knows processes: with the methods of Popen that it uses."""

    stdin = stdout = stderr = None

    def __init__(self, process: BaseProcess) -> None:
        self.process = process
        self.pid = process.pid

    def poll(self) -> int | None:
        return None if self.process.is_alive() else self.process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self.process.join(timeout)
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        if self.pid is not None and self.process.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def _run_kernel(arguments: Sequence[str], environment: Mapping[str, str], place: str) -> None:
    """What the forked process does: become the kernel that the command would have started."""
    os.setsid()  # a Ctrl-C at the terminal is for the program that runs the notebook
    end_with_parent()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(place)
    sys.argv = [LAUNCHER, *arguments]

    from hkreport.pipeline.application import Application

    # A report makes much and drops little that refers to itself: looking for it may wait.
    gc.set_threshold(COLLECTED_AFTER)
    application: Any = Application.instance()
    try:
        application.initialize(list(arguments))
    except Exception as error:  # a full disk, mostly; whoever waits for the kernel says the rest
        sys.stderr.write(f"a kernel could not start: {error}\n")
        os._exit(1)
    application.start()
