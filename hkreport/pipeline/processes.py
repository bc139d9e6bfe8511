"""Where the pipeline's processes come from: forked from one that has everything imported.

:mod:`multiprocessing`'s fork server imports :mod:`hkreport.pipeline.preload` once, while the caller does
something else; workers and kernels are then forked from it in milliseconds. The server has seen no
report, so nothing of one report reaches another. Elsewhere than on Linux processes start from nothing.
"""

import contextlib
import errno
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection
from multiprocessing.context import BaseContext
from typing import Any

from hkreport import versions

__all__ = ["context", "end_with_parent", "is_supported", "pool", "share_server", "start"]

PRELOAD = "hkreport.pipeline.preload"

# The name of a socket has at most 107 bytes, of which multiprocessing adds 32 to the folder's.
LONGEST_FOLDER = 70

# Files that may be open at a time: fewer leave a kernel without its channels (64 do, 96 do not), and a
# library would say so in a traceback. What is wanted is the usual limit.
FEWEST_FILES = 96
WANTED_FILES = 1024

# One thread each: two kernels share two cores, and sums come in one order.
SERVER_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}


def is_supported() -> bool:
    """Whether processes can be forked from a server: on Linux, where its socket's name is short enough."""
    return sys.platform == "linux" and len(tempfile.gettempdir()) <= LONGEST_FOLDER


def context() -> BaseContext:
    """How processes start: from the preloaded server where possible."""
    if not is_supported():
        return multiprocessing.get_context("spawn")
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload([PRELOAD])
    return made


def start() -> None:
    """Let the server begin with its imports, while the caller does something else.

    Raises
    ------
    OSError
        If too few files may be open at a time, however much of what is allowed we take.
    """
    _allow_open_files()
    if not is_supported():
        return
    from multiprocessing import forkserver, resource_tracker

    context()
    resource_tracker.ensure_running()  # or the server starts it, and unblocks the signal below
    before = dict(os.environ)
    os.environ.update(SERVER_ENVIRONMENT | before)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the server inherits it
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for name in SERVER_ENVIRONMENT.keys() - before.keys():
            del os.environ[name]


def _allow_open_files() -> None:
    """Raise the limit that a shell set lower than it must be; what is started later inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= WANTED_FILES:
        return
    most = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    with contextlib.suppress(OSError, ValueError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    if soft < FEWEST_FILES:
        raise OSError(
            errno.EMFILE, f"Only {soft} files may be open at a time, and {FEWEST_FILES} must"
        )


@contextlib.contextmanager
def pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes for parts of a job; on an interruption they end at once, with their kernels."""
    start()
    made = ProcessPoolExecutor(workers, mp_context=context(), initializer=_begin)
    try:
        yield made
    except BaseException:
        running = list((getattr(made, "_processes", None) or {}).values())
        made.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.terminate()
        raise
    made.shutdown()


def _begin() -> None:
    """A Ctrl-C is for the process that talks to the user; it ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    versions.take()  # the server that it was forked from did; a process from nothing does it here
    end_with_parent()
    share_server()


def share_server() -> None:
    """Let kernels of this process come from the server that it was forked from itself.

    Python passes the server's address on to what is forked from it, and then starts another one all the
    same, because it knows no process id of it (3.11 to 3.13): every worker would import everything anew.
    """
    from multiprocessing import forkserver

    server: Any = getattr(forkserver, "_forkserver", None)
    address = getattr(server, "_forkserver_address", None)
    inherited = getattr(server, "_forkserver_alive_fd", None)
    if address and inherited is not None and getattr(server, "_forkserver_pid", 0) is None:
        server.ensure_running = lambda: None


def end_with_parent() -> None:
    """End this process at once when the one that asked for it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
