"""A web server for the built site, for this machine alone."""

import functools
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hkreport.errors import UsageError

__all__ = ["open_server"]


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files, says nothing, and lets the browser keep nothing that may be old."""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()


def open_server(site: Path, port: int) -> ThreadingHTTPServer:
    """A server for the folder on 127.0.0.1; the caller runs it.

    Raises
    ------
    UsageError
        If there is no site, or the port is taken.
    """
    if not (site / "index.html").is_file():
        raise UsageError(
            f"There is no site in {site}.", next_step="Build it first: make site, or make report."
        )
    handler = functools.partial(_Quiet, directory=str(site))
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise UsageError(
            f"Port {port} cannot be used: {error.strerror}.", next_step="Name another with --port."
        ) from error
