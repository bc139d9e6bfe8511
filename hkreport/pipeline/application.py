"""The kernel's program, without what only somebody at a keyboard needs.

Of a report's time a fifth went into messages about cells, most of it into threads that waked each other.
"""

from typing import Any

from ipykernel.iostream import OutStream
from ipykernel.kernelapp import IPKernelApp

__all__ = ["Application", "Stream"]


class Stream(OutStream):
    """What a notebook prints; the kernel flushes it four times a cell, whether or not there is anything."""

    _unsent = False

    def write(self, string: str) -> Any:
        """Take some text."""
        self._unsent = True
        return super().write(string)

    def flush(self) -> None:
        """Send what was written since the last time, if anything was."""
        if self._unsent:
            self._unsent = False
            super().flush()  # type: ignore[no-untyped-call]


class Application(IPKernelApp):
    """An IPython kernel whose cells come one after the other, from one client that waits for each."""

    outstream_class = f"{__name__}.{Stream.__name__}"

    def init_control(self, context: Any) -> None:
        """Open the control channel, and no thread for cells that run beside others."""
        super().init_control(context)  # type: ignore[no-untyped-call]
        self.shell_channel_thread = None
