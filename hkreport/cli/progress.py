"""How far a site is: a bar on a terminal, a line for each report elsewhere."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from hkreport.pipeline.site import Event, Outcome, Summary

__all__ = ["Progress", "duration"]

DONE = {"built": "built", "cached": "current", "empty": "empty", "failed": "FAILED"}


def duration(seconds: float) -> str:
    """A time as people say it.

    Examples
    --------
    >>> duration(4.2), duration(125), duration(7300)
    ('4 s', '2 min 5 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Progress:
    """Tells what is done, on standard error, so that output stays clean.

    Parameters
    ----------
    explain : bool
        Say of every report why it was or was not built.
    """

    def __init__(self, *, explain: bool = False) -> None:
        self.explain = explain
        self.counts = dict.fromkeys(DONE, 0)
        self.bar: Any = None
        self.task: Any = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        trace: "TracebackType | None",
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def say(self, words: str) -> None:
        """What is being done."""
        self._print(f"  {words} …")

    def tell(self, event: "Event") -> None:
        """One more report is finished."""
        outcome = event.outcome
        self.counts[outcome.status] += 1
        if self.explain or outcome.status == "failed":
            self._print(_line(outcome))
        waiting = event.done < event.total and outcome.status in ("built", "failed")
        if sys.stderr.isatty():
            self._draw(event)
        elif waiting and not self.explain and event.left is not None:
            self._print(
                f"  {event.done} of {event.total}: {outcome.job.subject} "
                f"({outcome.seconds:.1f} s), {duration(event.left)} left"
            )

    def _draw(self, event: "Event") -> None:
        if self.bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(
                BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[words]}"),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self.task = self.bar.add_task("", total=event.total, words="")
            self.bar.start()
        left = f", {duration(event.left)} left" if event.left else ""
        words = f"{self._counted()}{left} · {event.outcome.job.subject}"
        self.bar.update(self.task, completed=event.done, words=words)

    def _counted(self) -> str:
        return ", ".join(f"{count} {DONE[name]}" for name, count in self.counts.items() if count)

    def sum_up(self, made: "Summary") -> None:
        """What became of all of them."""
        empty = [each.job.subject for each in made.outcomes if each.status == "empty"]
        if empty:
            more = f" and {len(empty) - 3} more" if len(empty) > 3 else ""
            self._print(f"  nothing happened in {', '.join(empty[:3])}{more}")
        self._print(f"  {len(made.outcomes)} reports: {self._counted() or 'none'}")
        if made.beside:
            more = f" and {len(made.beside) - 3} more" if len(made.beside) > 3 else ""
            self._print(
                f"  not of this site, so neither kept up to date nor on its pages: "
                f"{', '.join(made.beside[:3])}{more}"
            )

    def _print(self, line: str) -> None:
        if self.bar is not None:
            self.bar.console.print(line, highlight=False, markup=False)
        else:
            print(line, file=sys.stderr, flush=True)


def _line(outcome: "Outcome") -> str:
    why = {"cached": "nothing changed", "empty": "nothing happened in it"}.get(outcome.status)
    return f"  {outcome.job.subject}: {DONE[outcome.status]}: {why or outcome.reason}"
