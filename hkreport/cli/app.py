"""The application, and how every failure becomes one sentence and an exit code."""

import errno
import itertools
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand

from hkreport import __version__
from hkreport.errors import HkreportError, UsageError, about_file
from hkreport.units import visible

__all__ = ["app", "main"]

Function = TypeVar("Function", bound=Callable[..., Any])

STOPPED = 130  # the code of a program that Ctrl-C ended, in every shell


class _OnceEach(TyperCommand):
    """A command that refuses an option twice where only the last would count."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; see Click."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for param in given:
            alone = not (param.multiple or getattr(param, "is_flag", False))
            times = sum(each is param for each in given)
            if alone and times > 1:
                option = param.opts[0]
                raise UsageError(
                    f"{option} is given {times} times, and '{ctx.info_name}' takes one.",
                    next_step=f"Give {option} once, or run the command once for each.",
                )
        return list(super().parse_args(ctx, args))


class _App(typer.Typer):
    """An application whose commands are such."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Function], Function]:
        """Declare a command; see Typer."""
        return super().command(name, **{"cls": _OnceEach} | options)


app = _App(
    name="hkreport",
    help=(
        "Reproducible insight reports for influencer campaigns.\n\n"
        "Start with 'hkreport check DATA' to see how your exports are read, then "
        "'hkreport report --brand NAME --data DATA' for HTML and PDF."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line; every expected failure is one sentence and an exit code."""
    _streams_are_open()
    _files_are_ours()
    _warnings_stay_warnings()
    arguments = sys.argv[1:]
    as_json = (
        "--json" in arguments
        or "--format=json" in arguments
        or _follows(arguments, "--format", "json")
    )
    try:
        code = app(standalone_mode=False)
    except BaseException as error:
        if _was_stopped(error):
            _stopped(as_json)
        _explain(error, as_json)
        raise
    if code == STOPPED:  # Typer takes the interruption for itself
        _stopped(as_json)
    sys.exit(code if isinstance(code, int) else 0)


def _streams_are_open() -> None:
    """Give what was started without them its three streams: else the next file opened would be one of them.

    Some services start programs so, and what they print is for nobody.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, which is this one; processes that we start have it too.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            stream = open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _files_are_ours() -> None:
    """Let us read what we write, whatever the umask takes from its owner; of others it decides."""
    os.umask(os.umask(0o077) & 0o077)


def _warnings_stay_warnings() -> None:
    """Undo PYTHONWARNINGS=error: what a library warns its developers of must not end a run of ours."""
    if any(option.startswith("error") for option in sys.warnoptions):
        sys.warnoptions[:] = [each for each in sys.warnoptions if not each.startswith("error")]
        os.environ.pop("PYTHONWARNINGS", None)  # the processes that we start read it too
        warnings.simplefilter("default")


def _was_stopped(error: BaseException | None) -> bool:
    """Whether an error comes from Ctrl-C: libraries make errors of their own of it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        # Typer makes an Abort of an EOFError too, which nobody at a keyboard caused.
        aborted = isinstance(error, typer.Abort) and not isinstance(error.__cause__, EOFError)
        if aborted or isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _stopped(as_json: bool) -> None:
    _fail("interrupted", "Stopped on request.", "Run the same command to go on.", STOPPED, as_json)


def _explain(error: BaseException, as_json: bool) -> None:
    """End with one sentence where the error is an expected one."""
    if isinstance(error, HkreportError):
        _fail(error.kind, error.message, error.next_step, error.exit_code, as_json)
    refused = _refusal(error)
    if refused is not None:
        _fail("files", *about_file(refused), 1, as_json)
    if isinstance(error, MemoryError):
        step = (
            "Allow more (ulimit -v shows the limit), or build fewer reports at a time (--jobs 1)."
        )
        _fail("memory", "The memory that this process may use is full.", step, 1, as_json)
    if isinstance(error.__cause__, EOFError):  # of the server from which processes are forked
        step = "Most often memory has run out: build fewer reports at a time (--jobs 1)."
        _fail("process", "A process of this run was ended from outside.", step, 1, as_json)
    if isinstance(error, ImportError) and not (error.name or "").startswith("hkreport"):
        said = " ".join(str(error).split()).rstrip(".")
        step = "Where memory is limited (ulimit -v), allow more; else delete .venv and run 'make setup'."
        _fail("environment", f"A package cannot be loaded: {said}.", step, 1, as_json)
    # Typer carries its own copy of click, whose exceptions have no public home.
    told = getattr(error, "format_message", None)
    if told is not None:
        said = told().rstrip()
        end = "" if said.endswith((".", "?", "!")) else "."
        _fail("usage", f"{said}{end}", f"See '{_where(error)} --help'.", 2, as_json)


def _refusal(error: BaseException) -> OSError | None:
    """What the operating system refused, where a library has an error of its own kind for it."""
    if isinstance(error, OSError):
        return error
    number = getattr(error, "errno", None)
    # Libraries count errors of their own from far above those of the system.
    if not isinstance(number, int) or number not in errno.errorcode:
        return None
    return OSError(number, os.strerror(number))


def _follows(arguments: Sequence[str], option: str, value: str) -> bool:
    return (option, value) in itertools.pairwise(arguments)


def _where(error: Any) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "hkreport"


def _fail(kind: str, message: str, next_step: str, code: int, as_json: bool) -> None:
    if as_json:
        body = {"error": {"kind": kind, "message": message, "next_step": next_step}}
        print(json.dumps(body, ensure_ascii=False))
    print(visible(f"hkreport: {message} {next_step}".rstrip()), file=sys.stderr)
    sys.exit(code)


def _version(asked: bool) -> None:
    if asked:
        print(f"hkreport {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Reproducible insight reports for influencer campaigns."""
