"""The whole night's work: check, site, publish, e-mail, in this order and not past a failure.

Nothing is published of a site with a failed report, and nobody gets a mail whose link leads nowhere. In
the end there is one summary, and one answer to "did it work?".
"""

import datetime
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hkreport import params, store
from hkreport.errors import HkreportError, about_file
from hkreport.pipeline import delivery, mail, outbox, publish

__all__ = ["Failed", "Night", "Plan", "Skipped", "Status", "Step", "run", "steps"]


class Status(StrEnum):
    """What became of a step."""

    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "FAILED"
    NOT_REACHED = "not reached"


class Skipped(Exception):
    """A step has nothing to do, for the reason given."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step and what came of it, in one line; `details` are further lines for people."""

    name: str
    status: Status
    words: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True)
class Night:
    """All steps of a run."""

    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(step.status in (Status.OK, Status.SKIPPED) for step in self.steps)

    @property
    def summary(self) -> str:
        """What happened, one line a step, then the verdict.

        Examples
        --------
        >>> print(Night((Step("check", Status.OK, "4 tables"), Step("site", Status.FAILED, "1 of 9"),
        ...              Step("publish", Status.NOT_REACHED))).summary)
        check    ok           4 tables
        site     FAILED       1 of 9
        publish  not reached
        The night failed at: site.
        """
        width = max(len(step.name) for step in self.steps)
        lines = []
        for step in self.steps:
            lines.append(f"{step.name:<{width}}  {step.status.value:<11}  {step.words}".rstrip())
            lines += [f"    {line}" for line in step.details.splitlines()]
        failed = [step.name for step in self.steps if step.status is Status.FAILED]
        return "\n".join([*lines, f"The night failed at: {failed[0]}." if failed else "All done."])


class Failed(Exception):
    """A step did its work and part of it failed: one line, and details for people."""

    def __init__(self, words: str, details: str = "") -> None:
        super().__init__(words)
        self.words = words
        self.details = details


Work = Callable[[], tuple[str, str]]


def run(steps: Sequence[tuple[str, Work]]) -> Night:
    """Do the steps one after another until one fails.

    Parameters
    ----------
    steps : sequence of (name, callable)
        Each does its work and gives one line and details; it raises :class:`Skipped`,
        :class:`Failed` or an error of the package.
    """
    return Night(tuple(_steps(steps)))


def _steps(steps: Sequence[tuple[str, Work]]) -> Iterator[Step]:
    failed = False
    for name, work in steps:
        step = Step(name, Status.NOT_REACHED) if failed else _step(name, work)
        failed = failed or step.status is Status.FAILED
        yield step


def _step(name: str, work: Work) -> Step:
    try:
        words, details = work()
    except Skipped as reason:
        return Step(name, Status.SKIPPED, str(reason))
    except Failed as problem:
        return Step(name, Status.FAILED, problem.words, problem.details)
    except HkreportError as error:
        first, _, rest = str(error).partition("\n")
        return Step(name, Status.FAILED, first, rest)
    except OSError as error:
        return Step(name, Status.FAILED, *about_file(error))
    except Exception as error:  # a mistake of ours must not cost the summary
        words = f"{type(error).__name__}: {error}"
        return Step(name, Status.FAILED, words, traceback.format_exc())
    return Step(name, Status.OK, words, details)


# The steps of a night


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a night is about.

    Attributes
    ----------
    data, site, root : Path
        Folder of the exports, folder of the site, and the project.
    to : str
        Where to publish; see :func:`hkreport.pipeline.publish.publish`. Empty publishes nothing.
    send : bool
        Send the mails; otherwise only their previews are written.
    engine, as_of, maps : str
        As for one report.
    jobs : int
        Reports at a time.
    environment : mapping
        Holds the settings of the mail server.
    log : Path
        Who got which mail.
    clock, sleep : callable
        Now, and how to wait.
    progress : callable
        Told what is being done.
    """

    data: Path
    site: Path
    root: Path
    to: str
    send: bool
    engine: str
    as_of: str
    maps: str
    jobs: int
    environment: Mapping[str, str]
    log: Path
    clock: Callable[[], datetime.datetime]
    sleep: Callable[[float], None]
    progress: Callable[[str], None]

    def open(self) -> store.Data:
        """The exports, as all brands see them."""
        settings = params.load(None, root=self.root, as_of=self.as_of or None, maps=self.maps)
        return store.open_data(self.data, settings, root=self.root, progress=self.progress)


def steps(plan: Plan) -> list[tuple[str, Work]]:
    """Check, site, publish and e-mail."""
    return [
        ("check", lambda: _check(plan)),
        ("site", lambda: _site(plan)),
        ("publish", lambda: _publish(plan)),
        ("e-mail", lambda: _email(plan)),
    ]


def _check(plan: Plan) -> tuple[str, str]:
    """Read the exports, and find what would keep the site or the mails from going out."""
    if plan.to:
        publish.require_target(plan.site, plan.to, root=plan.root)
    from hkreport.pipeline import runs

    data = plan.open()
    later = ""
    named, _ = _named(plan, data)
    delivery.require_asked(data, named, root=plan.root, site=runs.read(plan.root))
    if plan.send and named:
        later = delivery.require_sending(
            named, plan.environment, root=plan.root, as_of=plan.as_of, maps=plan.maps
        )
    tables = data.check["tables"].values()
    used = sum(table["rows_used"] for table in tables)
    aside = sum(table["rows_quarantined"] for table in tables)
    return (
        f"{len(tables)} tables, {used:,} rows used, {aside:,} set aside",
        f"The mail server does not answer now: {later}. It is tried again for the mails."
        if later
        else "",
    )


def _named(plan: Plan, data: store.Data) -> tuple[list[str], list[str]]:
    """Brands of the data that have recipients: those that have a report, and those that have none."""
    found = delivery.with_recipients(data, root=plan.root, as_of=plan.as_of, maps=plan.maps)
    still = delivery.quiet(data, found)
    return [name for name in found if name not in still], still


def _site(plan: Plan) -> tuple[str, str]:
    from hkreport.pipeline import runs
    from hkreport.pipeline import site as builder

    summary = builder.build(
        data=plan.data,
        site=plan.site,
        root=plan.root,
        chosen=runs.read(plan.root),
        engine=plan.engine,
        jobs=plan.jobs,
        as_of=plan.as_of,
        maps=plan.maps,
        progress=plan.progress,
    )
    counts = Counter(outcome.status for outcome in summary.outcomes)
    words = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    if summary.failed:
        lines = [f"{each.job.subject}: {each.reason}" for each in summary.failed]
        raise Failed(f"{len(lines)} of {len(summary.outcomes)} reports failed", "\n".join(lines))
    return words, ""


def _publish(plan: Plan) -> tuple[str, str]:
    if not plan.to:
        raise Skipped("no target was named (--to)")
    data = plan.open()
    published = publish.publish(
        plan.site,
        plan.to,
        lambda words: store.users_among(data, words),
        root=plan.root,
        inputs=store.files(plan.data),
    )
    return f"{published.target}: {published.changes.words}", ""


def _email(plan: Plan) -> tuple[str, str]:
    data = plan.open()
    named, still = _named(plan, data)
    quiet = delivery.nothing_of(data, still) if still else ""
    if not named:
        raise Skipped(quiet or "no brand has recipients in params/")
    quiet = f"; {quiet}" if quiet else ""
    mails = delivery.compose(
        data,
        root=plan.root,
        site=plan.site,
        brands=named,
        engine=plan.engine,
        as_of=plan.as_of,
        maps=plan.maps,
        build=False,
    )
    if not plan.send:
        folder = plan.root / delivery.PREVIEWS
        paths = [path for each in mails for path in mail.preview(each, folder)]
        return f"{len(mails)} previews written, nothing sent (--send){quiet}", "\n".join(
            map(str, paths)
        )
    outcomes = delivery.send(
        mails,
        plan.environment,
        plan.log,
        clock=plan.clock,
        sleep=plan.sleep,
        progress=plan.progress,
    )
    counts = Counter(outcome.state.value for outcome in outcomes)
    words = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) + quiet
    if any(outcome.state in outbox.MISSED for outcome in outcomes):
        raise Failed(words, outbox.table(outcomes))
    return words, outbox.table(outcomes)
