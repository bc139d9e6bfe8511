"""What can go wrong, in sentences a user can act on.

Every message says what is wrong, where, what was found, what is allowed and what to do next. Nothing
here imports another module of the package.
"""

import difflib
import errno
import shlex
from collections.abc import Iterable

__all__ = [
    "DataError",
    "HkreportError",
    "InputError",
    "MailError",
    "ParamsError",
    "PublishError",
    "RenderError",
    "UsageError",
    "about_file",
    "did_you_mean",
    "listed",
    "map_option",
]


class HkreportError(Exception):
    """Base of every error that a user may see.

    Parameters
    ----------
    message : str
        What is wrong, where, what was found and what is allowed.
    next_step : str, optional
        What to do about it; printed after the message.

    Examples
    --------
    >>> str(DataError("data/ has no exports.", next_step="Put CSV files there."))
    'data/ has no exports. Put CSV files there.'
    """

    kind = "error"
    exit_code = 1

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message, next_step)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword argument when the error crosses a process boundary."""
        return _rebuild, (type(self), self.message, self.next_step)


def _rebuild(kind: type[HkreportError], message: str, next_step: str) -> HkreportError:
    return kind(message, next_step=next_step)


class ParamsError(HkreportError):
    """A parameter or a params file says something that is not allowed."""

    kind = "params"


class UsageError(ParamsError):
    """The command line asks for something that does not exist; exit code 2."""

    kind = "usage"
    exit_code = 2


class DataError(HkreportError):
    """The exports cannot be used as they are."""

    kind = "data"


class InputError(HkreportError):
    """A method was handed values that it is not defined for."""

    kind = "input"


class RenderError(HkreportError):
    """A notebook or a page could not be built."""

    kind = "render"


class MailError(HkreportError):
    """A message could not be made or sent."""

    kind = "mail"


class PublishError(HkreportError):
    """A site is not fit to be published, or cannot be put where it should go."""

    kind = "publish"


def about_file(error: OSError) -> tuple[str, str]:
    """What a refusal of the operating system is about, and what helps, each as a sentence.

    Examples
    --------
    >>> about_file(IsADirectoryError(21, "Is a directory", "build/x.part", None, "_site/report.pdf"))
    ('_site/report.pdf is a folder where a file is written.', 'Move it away and run the command again.')
    >>> about_file(PermissionError(13, "Permission denied", "_site"))
    ('_site: Permission denied.', 'Allow reading or writing there, or choose another folder.')
    """
    # Of two files the second is where the first should go.
    name = error.filename2 or error.filename
    if isinstance(error, IsADirectoryError) and error.filename2:
        again = "Move it away and run the command again."
        return f"{name} is a folder where a file is written.", again
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{name}: a file is where a folder is needed.", "Name another, or move it away."
    step = "Check that the path exists and that the disk has room."
    if error.errno in (errno.EMFILE, errno.ENFILE):
        step = (
            "Allow more open files (ulimit -n 1024), or build fewer reports at a time (--jobs 1)."
        )
    if isinstance(error, PermissionError):
        step = "Allow reading or writing there, or choose another folder."
    return f"{f'{name}: ' if name else ''}{error.strerror or error}.", step


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Name the nearest allowed word as a sentence, or nothing when none is near.

    Examples
    --------
    >>> did_you_mean("atribution_days", ["attribution_days", "period"])
    "Did you mean 'attribution_days'?"
    >>> did_you_mean("zzz", ["period"])
    ''
    """
    by_lower = {candidate.lower(): candidate for candidate in allowed}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"Did you mean '{by_lower[near[0]]}'?" if near else ""


def listed(words: Iterable[object], most: int = 12) -> str:
    """Join words for a message, cut after `most` with the number left out.

    Examples
    --------
    >>> listed(["b", "a"])
    "'b', 'a'"
    >>> listed(range(4), most=2)
    "'0', '1' and 2 more"
    """
    every = [f"'{word}'" for word in words]
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more} more" if more > 0 else "")


def map_option(table: str, file: str) -> str:
    """Write --map as it must be typed into a shell.

    Examples
    --------
    >>> map_option("tracking", "may.csv"), map_option("tracking", "book.xlsx [May]")
    ('--map tracking=may.csv', "--map 'tracking=book.xlsx [May]'")
    """
    return f"--map {shlex.quote(f'{table}={file}')}"
