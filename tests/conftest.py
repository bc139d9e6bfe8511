"""What every test may lean on: no network, stated requirements, the shared corpus, steady hypothesis."""

import importlib.util
import ipaddress
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from hkreport.errors import did_you_mean, listed

PROJECT = Path(__file__).parents[1]
SHARED = PROJECT.parent / "shared"


# The network: loopback only.


class NetworkBlockedError(RuntimeError):
    """A test tried to leave this machine."""


def _is_loopback(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if not isinstance(host, str):
        return host is None  # getaddrinfo(None) asks for this machine
    if host in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _checked(call: Callable[..., Any], host_of: Callable[..., object]) -> Callable[..., Any]:
    """Wrap a function of `socket` so that it refuses hosts other than this machine."""

    def guarded(*args: Any, **options: Any) -> Any:
        host = host_of(*args, **options)
        if not _is_loopback(host):
            raise NetworkBlockedError(
                f"Tests reach this machine only, not {host!r}. Serve what the test needs on 127.0.0.1."
            )
        return call(*args, **options)

    return guarded


def _host_of_address(sock: socket.socket, *args: Any) -> object:
    """Read the host out of connect(address), sendto(data, address) or sendto(data, flags, address)."""
    address = args[-1]
    return address[0] if sock.family in (socket.AF_INET, socket.AF_INET6) else "localhost"


def _block_network() -> None:
    for name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, name, _checked(getattr(socket.socket, name), _host_of_address))
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        setattr(socket, name, _checked(getattr(socket, name), lambda host, *_, **__: host))


# Requirements: what a machine may lack, and where to look for it.


def _chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def _quarto() -> str | None:
    return shutil.which("quarto", path=f"{PROJECT / '.venv' / 'bin'}:{os.environ.get('PATH', '')}")


def _java() -> str | None:
    return os.environ.get("JAVA_HOME") or shutil.which("java")


def _spark() -> str | None:
    found = importlib.util.find_spec("pyspark")
    return found.origin if found else None


REQUIREMENTS: dict[str, tuple[Callable[[], str | None], str]] = {
    "chromium": (_chromium, "Chromium is not installed (apt-get install chromium)"),
    "java": (_java, "Java is not installed"),
    "make": (lambda: shutil.which("make"), "make is not installed"),
    "pdftotext": (lambda: shutil.which("pdftotext"), "poppler-utils is not installed"),
    "quarto": (_quarto, "Quarto is not installed (make setup QUARTO=retry)"),
    "rsync": (lambda: shutil.which("rsync"), "rsync is not installed"),
    "spark": (_spark, "pyspark is not installed (the extra 'spark')"),
    "shared": (lambda: str(SHARED) if SHARED.is_dir() else None, "the shared corpus is not here"),
}


def _required() -> set[str]:
    """Names in HKREPORT_REQUIRE: what this machine has promised to have, comma-separated."""
    return {name for name in os.environ.get("HKREPORT_REQUIRE", "").split(",") if name}


@pytest.fixture
def require() -> Callable[[str], str]:
    """Give a function that returns the path of a tool, or skips the test where it is missing.

    A name listed in HKREPORT_REQUIRE fails the test instead: a machine that promises a browser
    must not pass because the browser tests were skipped.
    """

    def path_of(name: str) -> str:
        find, missing = REQUIREMENTS[name]
        path = find()
        if path:
            return path
        if name in _required():
            pytest.fail(f"{missing}, and HKREPORT_REQUIRE names '{name}'.")
        pytest.skip(missing)

    return path_of


@pytest.fixture
def shared(require: Callable[[str], str]) -> Path:
    """Return the folder beside the project that holds real exports and published answers."""
    return Path(require("shared"))


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the project's root folder."""
    return PROJECT


# Hypothesis: the same examples in every CI run, and no deadline on a shared machine.

hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    unknown = sorted(_required() - REQUIREMENTS.keys())
    if unknown:
        raise pytest.UsageError(
            f"HKREPORT_REQUIRE names '{unknown[0]}'; known are {listed(sorted(REQUIREMENTS))}. "
            f"{did_you_mean(unknown[0], REQUIREMENTS)}"
        )
    hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")
    _block_network()


# Golden files: make golden writes them again.


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="write the golden files again")


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written instead of compared."""
    return bool(request.config.getoption("--golden"))
