"""Who got which message? Sending at most once for each message and recipient.

A mail server's answer can be lost after it took a message, so no sender can promise exactly once.
The promise here is never twice: an intent is written before a message is handed over and the outcome
after it. What was in between when a run died has no outcome; it is listed for a person to decide and
is not sent again by itself. What a message says belongs to :mod:`hkreport.pipeline.mail`, how a server
is spoken to, to :mod:`hkreport.pipeline.smtp`.
"""

import datetime
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hkreport.errors import MailError
from hkreport.pipeline.mail import Mail
from hkreport.pipeline.smtp import LAST_ANSWER, Closed, Connection, Later, Lost, Never, Server
from hkreport.units import one_line

__all__ = ["DELAYS", "MISSED", "Outbox", "Outcome", "SentLog", "State", "no_sender", "table"]

# Seconds before the second and later tries. Greylisting servers want some minutes.
DELAYS = (5.0, 30.0, 120.0, 300.0)

# Recipients of one handing over: RFC 5321, 4.5.3.1.8, lets a server refuse the 101st.
MOST_AT_ONCE = 100

# In the log: handed over, or about to be, and no outcome yet.
_INTENT = "intent"


class State(StrEnum):
    """What is known of one message to one recipient."""

    SENT = "sent"  # the server took it
    ALREADY = "already sent"  # in an earlier run
    REFUSED = "refused"  # for good
    FAILED = "not sent"  # every try failed for now
    UNKNOWN = "unknown"  # handed over, and no answer recorded


MISSED = (State.REFUSED, State.FAILED, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message to one recipient."""

    name: str
    recipient: str
    state: State
    detail: str = ""


class SentLog:
    """What was sent to whom: a SQLite file that outlives builds.

    A row is written before a message is handed over (``intent``) and settled after it.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    clock : callable
        Gives the moment to write beside each change.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime.datetime]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._clock = path, clock
        try:
            # Without isolation level each change is on the disk when its call returns.
            self._database = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._database.execute("pragma synchronous = full")
            self._database.execute(
                "create table if not exists sent (content text, recipient text, name text, "
                "state text, moment text, detail text, primary key (content, recipient))"
            )
        except sqlite3.Error as error:
            raise _log_error(path, error) from error

    def known(self, mail: Mail, recipient: str) -> Outcome | None:
        """Why the message must not go to this recipient; None where it may."""
        found = self._execute(
            "select state, moment, detail from sent where content = ? and recipient = ?",
            (mail.content, recipient.casefold()),
        ).fetchone()
        state, moment, detail = found or ("", "", "")
        if state == State.SENT:
            return Outcome(mail.name, recipient, State.ALREADY, f"on {moment}")
        if state == _INTENT:
            return Outcome(
                mail.name, recipient, State.UNKNOWN, f"handed over on {moment}; {detail}"
            )
        return None

    def claim(self, mail: Mail, recipient: str, *, again: bool = False) -> Outcome | None:
        """Write the intent to send; where that must not be, say why instead.

        Two runs at once cannot both claim: the second finds the first one's intent.
        """
        self._execute("begin immediate")
        try:
            known = None if again else self.known(mail, recipient)
            if known is None:
                self._write(mail, recipient, _INTENT, "no answer was recorded")
            self._execute("commit")
        except BaseException:
            self._database.rollback()
            raise
        return known

    def settle(self, mail: Mail, recipient: str, state: State, detail: str) -> None:
        """Write what became of it; an unknown outcome leaves the intent."""
        kept = _INTENT if state is State.UNKNOWN else state.value
        self._write(mail, recipient, kept, detail)

    def take_as_arrived(self, mail: Mail, recipient: str) -> bool:
        """Settle an unknown outcome by a person's word; tells whether there was one."""
        done = self._execute(
            "update sent set state = ?, detail = 'arrived, as a person said' "
            "where content = ? and recipient = ? and state = ?",
            (State.SENT, mail.content, recipient.casefold(), _INTENT),
        )
        return done.rowcount > 0

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _write(self, mail: Mail, recipient: str, state: str, detail: str) -> None:
        moment = self._clock().isoformat(timespec="seconds")
        self._execute(
            "insert or replace into sent values (?, ?, ?, ?, ?, ?)",
            (mail.content, recipient.casefold(), mail.name, state, moment, detail),
        )

    def _execute(self, command: str, values: Sequence[str] = ()) -> sqlite3.Cursor:
        try:
            return self._database.execute(command, values)
        except sqlite3.Error as error:
            raise _log_error(self._path, error) from error


def _log_error(path: Path, error: sqlite3.Error) -> MailError:
    return MailError(
        f"The log of sent mail {path} cannot be used: {error}.",
        next_step="Without it nobody can say who has the mail already; restore it, or move it away.",
    )


@dataclass
class Outbox:
    """Sends messages over one connection and keeps the log.

    Parameters
    ----------
    server : Server
    log : SentLog
    clock, sleep : callable
        Now, for the date of the messages; and how to wait between tries.
    delays : sequence of float
        Seconds before each further try while nobody gets anything; all that failed for now wait together.
    last_answer : float
        Seconds to wait for the answer to a whole message.
    progress : callable
        Told about waiting.
    """

    server: Server
    log: SentLog
    clock: Callable[[], datetime.datetime]
    sleep: Callable[[float], None]
    delays: Sequence[float] = DELAYS
    last_answer: float = LAST_ANSWER
    progress: Callable[[str], None] = lambda words: None

    def send(self, mails: Sequence[Mail], *, again: bool = False) -> list[Outcome]:
        """Send each message to each of its recipients who has not got it.

        Parameters
        ----------
        mails : sequence of Mail
        again : bool
            Send also what was sent or may have been (``--resend``).

        Returns
        -------
        list of Outcome
            One a message and recipient, in the order of `mails`.
        """
        for mail in mails:
            if not mail.sender:
                raise no_sender(mail.name)
        waiting = [(at, each) for at, mail in enumerate(mails) for each in mail.recipients]
        done: dict[tuple[int, str], Outcome] = {}
        for at, recipient in () if again else waiting:
            known = self.log.known(mails[at], recipient)
            if known is not None:
                done[at, recipient] = known
        left = [key for key in waiting if key not in done]
        delays = list(self.delays)
        while left:
            self._round(mails, left, done, again)
            before, left = left, [key for key in left if done[key].state is State.FAILED]
            # A server that takes some now and some later has not failed.
            delays = delays if len(left) == len(before) else list(self.delays)
            if not left or not delays:
                break
            delay = delays.pop(0)
            self.progress(f"waiting {delay:g} s for the mail server ({len(left)} to go)")
            self.sleep(delay)
        return [done[key] for key in waiting]

    def _round(
        self,
        mails: Sequence[Mail],
        left: Sequence[tuple[int, str]],
        done: dict[tuple[int, str], Outcome],
        again: bool,
    ) -> None:
        """Try once what is left, until the connection itself fails."""
        connection = Connection(self.server, self.last_answer)
        closed: Closed | None = None
        try:
            for at, recipients in _batches(left):
                try:
                    if closed is not None:
                        raise closed
                    outcomes = self._one(connection, mails[at], recipients, again)
                except Closed as problem:
                    closed = problem
                    state = State.REFUSED if problem.for_good else State.FAILED
                    outcomes = [
                        Outcome(mails[at].name, each, state, str(problem)) for each in recipients
                    ]
                done |= {(at, outcome.recipient): outcome for outcome in outcomes}
        finally:
            connection.close()

    def _one(
        self, connection: Connection, mail: Mail, recipients: Sequence[str], again: bool
    ) -> list[Outcome]:
        """One message to those who may get it, with the intent before and the outcome after."""
        connection.open()
        claims = {each: self.log.claim(mail, each, again=again) for each in recipients}
        outcomes = [claim for claim in claims.values() if claim is not None]
        mine = [each for each, claim in claims.items() if claim is None]
        if not mine:
            return outcomes
        closed: Closed | None = None
        try:
            refused = connection.hand_over(mail.sender, mine, mail.dated(self.clock()))
            settled = {each: self._answer(refused.get(each)) for each in mine}
        except Later as problem:
            settled = dict.fromkeys(mine, (State.FAILED, str(problem)))
        except Never as problem:
            settled = dict.fromkeys(mine, (State.REFUSED, str(problem)))
        except Lost as problem:
            settled = dict.fromkeys(mine, (State.UNKNOWN, f"the answer was lost: {problem}"))
        except Closed as problem:
            settled = dict.fromkeys(mine, (State.FAILED, str(problem)))
            closed = problem
        for each, (state, detail) in settled.items():
            self.log.settle(mail, each, state, detail)
            outcomes.append(Outcome(mail.name, each, state, detail))
        if closed is not None:
            raise closed
        return outcomes

    def _answer(self, refusal: tuple[int, str] | None) -> tuple[State, str]:
        if refusal is None:
            return State.SENT, ""
        code, said = refusal
        state = State.FAILED if 400 <= code < 500 else State.REFUSED
        return state, f"{code} {self.server.redacted(said)}"


def _batches(left: Sequence[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """Each message with as many of its recipients as a server must take at once."""
    by_mail: dict[int, list[str]] = {}
    for at, recipient in left:
        by_mail.setdefault(at, []).append(recipient)
    for at, recipients in by_mail.items():
        for first in range(0, len(recipients), MOST_AT_ONCE):
            yield at, recipients[first : first + MOST_AT_ONCE]


def no_sender(name: str) -> MailError:
    """The error of a mail that nobody sends."""
    return MailError(
        f"The mail of {name} has no sender.",
        next_step="Set email.sender in params/_defaults.yml or the brand's file.",
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes for people, one line each.

    Examples
    --------
    >>> print(table([Outcome("HKVitals 2025-Q4", "asha@example.com", State.SENT),
    ...              Outcome("HKVitals 2025-Q4", "b@example.com", State.REFUSED, "550 no such user")]))
    HKVitals 2025-Q4  asha@example.com  sent
    HKVitals 2025-Q4  b@example.com     refused  550 no such user
    """
    rows = [
        (one_line(each.name), each.recipient, each.state.value, one_line(each.detail))
        for each in outcomes
    ]
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(3)]
    return "\n".join(
        "  ".join(
            [*(f"{word:<{width}}" for word, width in zip(row[:3], widths, strict=True)), row[3]]
        ).rstrip()
        for row in rows
    )
