"""A mail server that fails in every way it can: nobody gets a message twice, nobody is missed unsaid."""

import asyncio
import contextlib
import datetime
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
from base64 import b64encode

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from hkreport.errors import MailError
from hkreport.pipeline.mail import Mail
from hkreport.pipeline.outbox import MISSED, Outbox, Outcome, SentLog, State, table
from hkreport.pipeline.smtp import Server

NOW = datetime.datetime(2026, 1, 5, 6, 30, tzinfo=datetime.UTC)
FIVE = tuple(f"{name}@example.com" for name in ("asha", "dev", "kiran", "meera", "zoya"))
SECRET = "p4ss-w0rd-of-the-server"


def a_mail(name="HKVitals 2025-Q4", recipients=FIVE[:1], size=0):
    body = f"Subject: {name}\r\nMessage-ID: <{name.replace(' ', '-')}@example.com>\r\n\r\n"
    body += ".starts with a dot\r\n..two\r\n.\r\nends\r\n" + ("x" * 70 + "\r\n") * (size // 72)
    return Mail(
        name=name,
        slug=name.replace(" ", "-"),
        content=f"hash of {name}",
        sender="reports@example.com",
        recipients=tuple(recipients),
        raw=body.encode(),
        page="",
    )


class Handler:
    """Takes mail and remembers it; tests replace single answers."""

    def __init__(self):
        self.taken = []
        self.greetings = 0
        self.commands = []

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: N802
        self.greetings += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        self.commands.append("MAIL")
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        answer = await self.on_rcpt(server, address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        answer = await self.on_data(server, envelope)
        if answer.startswith("250"):
            self.take(envelope)
        return answer

    def take(self, envelope):
        self.taken.append((tuple(envelope.rcpt_tos), envelope.original_content))

    async def on_rcpt(self, server, address):
        return "250 OK"

    async def on_data(self, server, envelope):
        return "250 taken"

    def recipients(self):
        return sorted(each for recipients, _ in self.taken for each in recipients)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def serve():
    """Start a server with a handler and stop it in the end; gives its port."""
    running = []

    def start(handler, kind=SMTP, **options):
        class Started(Controller):
            def factory(self):
                return kind(self.handler, **self.SMTP_kwargs)

        controller = Started(handler, hostname="127.0.0.1", port=free_port(), **options)
        controller.start()
        running.append(controller)
        return controller.port

    yield start
    for controller in running:
        controller.stop()


@pytest.fixture
def log_path(tmp_path):
    return tmp_path / "log" / "sent.sqlite"


@pytest.fixture
def outbox(log_path):
    """Make an outbox for a port; `slept` lists what it waited."""

    def make(port, *, last_answer=5.0, delays=(5.0, 30.0), **settings):
        slept = []
        server = Server(
            **{"host": "127.0.0.1", "port": port, "tls": "none", "timeout": 5} | settings
        )
        made = Outbox(
            server=server,
            log=SentLog(log_path, lambda: NOW),
            clock=lambda: NOW,
            sleep=slept.append,
            delays=delays,
            last_answer=last_answer,
        )
        made.slept = slept
        return made

    return make


def states(outcomes):
    return [outcome.state for outcome in outcomes]


# A server that works


def test_message_arrives_once_byte_for_byte_with_its_date(serve, outbox):
    handler = Handler()
    mail = a_mail(recipients=FIVE)
    sent = outbox(serve(handler)).send([mail])
    assert states(sent) == [State.SENT] * 5
    [(recipients, content)] = handler.taken
    assert recipients == FIVE
    assert content == b"Date: Mon, 05 Jan 2026 06:30:00 +0000\r\n" + mail.raw


def test_second_run_sends_to_nobody_and_to_whoever_is_new(serve, outbox):
    handler = Handler()
    port = serve(handler)
    outbox(port).send([a_mail(recipients=FIVE[:2])])
    again = outbox(port).send([a_mail(recipients=[FIVE[0].upper(), *FIVE[1:3]])])
    assert states(again) == [State.ALREADY, State.ALREADY, State.SENT]
    assert again[0].detail == "on 2026-01-05T06:30:00+00:00"
    assert handler.recipients() == sorted(FIVE[:3])


def test_resend_overrides_the_log(serve, outbox):
    handler = Handler()
    port = serve(handler)
    outbox(port).send([a_mail()])
    assert states(outbox(port).send([a_mail()], again=True)) == [State.SENT]
    assert len(handler.taken) == 2


def test_many_brands_share_one_connection(serve, outbox):
    handler = Handler()
    mails = [a_mail(f"Brand {number} 2025-Q4") for number in range(6)]
    assert states(outbox(serve(handler)).send(mails)) == [State.SENT] * 6
    assert handler.greetings == 1


def test_connection_that_the_server_closes_after_a_message_is_opened_again(serve, outbox):
    class OneEach(SMTP):
        async def smtp_MAIL(self, arg):  # noqa: N802
            if getattr(self, "used", False):
                await self.push("421 4.7.0 too many messages in this session")
                self.transport.close()
                return
            self.used = True
            await super().smtp_MAIL(arg)

    handler = Handler()
    box = outbox(serve(handler, OneEach))
    assert states(box.send([a_mail("A"), a_mail("B"), a_mail("C")])) == [State.SENT] * 3
    assert handler.greetings == 3
    assert box.slept == []


# Recipients


def test_one_of_five_is_rejected_and_four_get_it(serve, outbox):
    class Picky(Handler):
        async def on_rcpt(self, server, address):
            return "550 5.1.1 no such user" if address == FIVE[2] else "250 OK"

    handler = Picky()
    box = outbox(serve(handler))
    sent = box.send([a_mail(recipients=FIVE)])
    assert states(sent) == [State.SENT, State.SENT, State.REFUSED, State.SENT, State.SENT]
    assert sent[2] == Outcome("HKVitals 2025-Q4", FIVE[2], State.REFUSED, "550 5.1.1 no such user")
    assert handler.recipients() == sorted(set(FIVE) - {FIVE[2]})
    assert box.slept == []


def test_refused_for_good_is_not_tried_again_in_this_run_but_in_the_next(serve, outbox):
    class No(Handler):
        tries = 0

        async def on_rcpt(self, server, address):
            self.tries += 1
            return "550 5.7.1 not from you"

    handler = No()
    port = serve(handler)
    box = outbox(port)
    assert states(box.send([a_mail()])) == [State.REFUSED]
    assert (handler.tries, box.slept, handler.taken) == (1, [], [])
    assert states(outbox(port).send([a_mail()])) == [State.REFUSED]
    assert handler.tries == 2


def test_refused_after_the_data_is_for_good_and_the_next_brand_goes_on(serve, outbox):
    class Strict(Handler):
        async def on_data(self, server, envelope):
            return "554 5.6.0 no" if b"Subject: A" in envelope.content else "250 taken"

    handler = Strict()
    sent = outbox(serve(handler)).send([a_mail("A"), a_mail("B")])
    assert [(each.state, each.detail) for each in sent] == [
        (State.REFUSED, "554 5.6.0 no"),
        (State.SENT, ""),
    ]
    assert handler.greetings == 1


def test_greylisted_recipient_is_tried_again_and_the_others_are_not(serve, outbox):
    class Grey(Handler):
        seen = ()

        async def on_rcpt(self, server, address):
            first, self.seen = address not in self.seen, (*self.seen, address)
            return "451 4.7.1 greylisted" if first and address == FIVE[1] else "250 OK"

    handler = Grey()
    box = outbox(serve(handler))
    assert states(box.send([a_mail(recipients=FIVE[:3])])) == [State.SENT] * 3
    assert box.slept == [5.0]
    assert [recipients for recipients, _ in handler.taken] == [(FIVE[0], FIVE[2]), (FIVE[1],)]


def test_greylisted_for_ever_is_said_and_the_next_run_may_send(serve, outbox):
    class Grey(Handler):
        async def on_rcpt(self, server, address):
            return "451 4.7.1 greylisted"

    box = outbox(serve(Grey()))
    [outcome] = box.send([a_mail()])
    assert (outcome.state, outcome.detail) == (State.FAILED, "451 4.7.1 greylisted")
    assert box.slept == [5.0, 30.0]
    assert states(outbox(serve(Handler())).send([a_mail()])) == [State.SENT]


# Connections that break


def dropping(times, *, after):
    """A server that breaks off within a message, some bytes after it asked for it."""

    class Dropping(SMTP):
        left = times

        async def smtp_DATA(self, arg):  # noqa: N802
            kind = type(self)
            if not kind.left:
                await super().smtp_DATA(arg)
                return
            kind.left -= 1
            await self.push("354 go on")
            await self._reader.read(after)
            self.transport.abort()

    return Dropping


def test_drop_within_a_large_message_is_tried_again(serve, outbox):
    handler = Handler()
    box = outbox(serve(handler, dropping(1, after=1000), data_size_limit=None))
    mail = a_mail(size=20_000_000)
    assert states(box.send([mail])) == [State.SENT]
    assert box.slept == [5.0]
    assert len(handler.taken) == 1


def test_drop_within_a_small_message_never_makes_two_of_it(serve, outbox):
    # The end of the message may be on its way before the client can notice: then nobody knows.
    handler = Handler()
    port = serve(handler, dropping(1, after=10))
    [first] = outbox(port).send([a_mail()])
    [second] = outbox(port).send([a_mail()])
    assert (first.state, second.state) in [
        (State.SENT, State.ALREADY),
        (State.UNKNOWN, State.UNKNOWN),
    ]
    assert len(handler.taken) == (first.state is State.SENT)


def test_message_that_breaks_the_connection_does_not_hold_up_the_others(serve, outbox):
    handler = Handler()

    class Poisoned(SMTP):
        async def smtp_RCPT(self, arg):  # noqa: N802
            if "asha" in arg:
                self.transport.abort()
                return
            await super().smtp_RCPT(arg)

    mails = [a_mail("A", FIVE[:1]), a_mail("B", FIVE[1:2]), a_mail("C", FIVE[2:3])]
    sent = outbox(serve(handler, Poisoned)).send(mails)
    assert states(sent) == [State.FAILED, State.SENT, State.SENT]
    assert sent[0].detail.startswith("the connection broke")


def test_lost_answer_is_unknown_and_never_sent_again_by_itself(serve, outbox):
    class Mute(Handler):
        async def on_data(self, server, envelope):
            self.take(envelope)
            server.transport.abort()
            return "451 never heard"

    handler = Mute()
    port = serve(handler)
    box = outbox(port)
    [first] = box.send([a_mail()])
    assert first.state is State.UNKNOWN
    assert first.detail.startswith("the answer was lost: ")
    assert box.slept == []
    [second] = outbox(port).send([a_mail()])
    assert second.state is State.UNKNOWN
    assert second.detail.startswith("handed over on 2026-01-05T06:30:00+00:00; the answer was lost")
    assert len(handler.taken) == 1
    works = Handler()
    assert states(outbox(serve(works)).send([a_mail()], again=True)) == [State.SENT]
    assert len(works.taken) == 1


def test_person_settles_an_unknown_outcome(serve, outbox):
    class Mute(Handler):
        async def on_data(self, server, envelope):
            server.transport.abort()
            return "451 never heard"

    port = serve(Mute())
    box = outbox(port)
    box.send([a_mail()])
    assert box.log.take_as_arrived(a_mail(), FIVE[0])
    assert not box.log.take_as_arrived(a_mail(), FIVE[0])
    assert states(outbox(port).send([a_mail()])) == [State.ALREADY]


def test_server_slow_before_the_message_is_tried_again(serve, outbox):
    class Slow(Handler):
        calls = 0

        async def on_rcpt(self, server, address):
            self.calls += 1
            await asyncio.sleep(1.0 if self.calls == 1 else 0)
            return "250 OK"

    handler = Slow()
    box = outbox(serve(handler), timeout=0.3)
    assert states(box.send([a_mail()])) == [State.SENT]
    assert box.slept == [5.0]
    assert len(handler.taken) == 1


def test_server_slow_after_the_message_leaves_it_unknown(serve, outbox):
    class Slow(Handler):
        async def on_data(self, server, envelope):
            await asyncio.sleep(1.0)
            return "250 taken"

    handler = Slow()
    box = outbox(serve(handler), timeout=5, last_answer=0.2)
    [outcome] = box.send([a_mail()])
    assert outcome.state is State.UNKNOWN
    assert box.slept == []


def test_slow_answer_within_the_time_is_waited_for(serve, outbox):
    class Slow(Handler):
        async def on_data(self, server, envelope):
            await asyncio.sleep(0.6)
            return "250 taken"

    assert states(outbox(serve(Slow()), timeout=0.3).send([a_mail()])) == [State.SENT]


def test_no_server_there_fails_every_brand_after_all_tries(outbox):
    port = free_port()
    box = outbox(port)
    sent = box.send([a_mail("A"), a_mail("B", FIVE[:2])])
    assert states(sent) == [State.FAILED] * 3
    assert sent[0].detail.startswith(f"127.0.0.1 port {port}: ")
    assert sent[0].detail.endswith("Connection refused")
    assert box.slept == [5.0, 30.0]


def test_server_that_starts_late_gets_everything(serve, outbox):
    handler = Handler()
    port = free_port()
    box = outbox(port)
    started = []

    def start_it(seconds):
        controller = Controller(handler, hostname="127.0.0.1", port=port)
        controller.start()
        started.append(controller)

    box.sleep = start_it
    assert states(box.send([a_mail("A"), a_mail("B")])) == [State.SENT] * 2
    started[0].stop()


def test_message_above_the_size_that_the_server_takes_is_not_offered(serve, outbox):
    handler = Handler()
    box = outbox(serve(handler, data_size_limit=1000))
    [outcome] = box.send([a_mail(size=5000)])
    assert outcome.state is State.REFUSED
    assert outcome.detail.startswith("the server takes 1,000 bytes, the message has 5,")
    assert handler.commands == []


# Certificates and passwords


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def tls_context(authority, name):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def tls_options(kind, context):
    if kind == "tls":
        return {"ssl_context": context}
    return {"tls_context": context, "require_starttls": True}


@pytest.mark.parametrize("kind", ["tls", "starttls"])
def test_trusted_certificate_is_taken(serve, outbox, authority, tmp_path, kind):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    handler = Handler()
    port = serve(handler, **tls_options(kind, tls_context(authority, "127.0.0.1")))
    box = outbox(port, tls=kind, ca_file=str(tmp_path / "ca.pem"))
    assert states(box.send([a_mail("A"), a_mail("B", size=500_000)])) == [State.SENT] * 2
    assert len(handler.taken) == 2


@pytest.mark.parametrize("kind", ["tls", "starttls"])
@pytest.mark.parametrize(
    ("name", "trusted", "said"),
    [
        pytest.param("127.0.0.1", False, "self-signed certificate", id="unknown_authority"),
        pytest.param("elsewhere.example", True, "IP address mismatch", id="other_name"),
    ],
)
def test_bad_certificate_sends_nothing(
    serve, outbox, authority, tmp_path, kind, name, trusted, said
):
    (trustme.CA() if not trusted else authority).cert_pem.write_to_path(tmp_path / "ca.pem")
    ca_file = str(tmp_path / "ca.pem") if trusted else ""
    handler = Handler()
    port = serve(handler, **tls_options(kind, tls_context(authority, name)))
    box = outbox(port, tls=kind, ca_file=ca_file, user="me", password=SECRET)
    sent = box.send([a_mail("A"), a_mail("B")])
    assert states(sent) == [State.REFUSED] * 2
    assert f"the certificate of 127.0.0.1 port {port} is not trusted" in sent[0].detail
    assert said in sent[0].detail or "local issuer" in sent[0].detail
    assert (handler.taken, handler.commands, box.slept) == ([], [], [])


def test_server_without_starttls_gets_neither_password_nor_mail(serve, outbox):
    handler = Handler()
    box = outbox(serve(handler), tls="starttls", user="me", password=SECRET)
    [outcome] = box.send([a_mail()])
    assert outcome.state is State.REFUSED
    assert "STARTTLS extension not supported" in outcome.detail
    assert handler.commands == []


def test_server_that_speaks_no_tls_on_a_tls_port_is_refused_for_good(serve, outbox):
    handler = Handler()
    box = outbox(serve(handler), tls="tls", user="me", password=SECRET)
    [outcome] = box.send([a_mail()])
    assert outcome.state is State.REFUSED
    assert "WRONG_VERSION_NUMBER" in outcome.detail
    assert (handler.commands, box.slept) == ([], [])


def test_ca_file_that_is_not_there_is_said(serve, outbox):
    box = outbox(serve(Handler()), tls="tls", ca_file="/nowhere/ca.pem")
    with pytest.raises(MailError, match=r"^HKREPORT_SMTP_CA_FILE cannot be read: "):
        box.send([a_mail()])


class Login:
    def __init__(self, answer):
        self.answer = answer
        self.seen = []

    def __call__(self, server, session, envelope, mechanism, data):
        self.seen.append((data.login, data.password))
        return AuthResult(
            success=self.answer is None, handled=self.answer is None, message=self.answer
        )


# aiosmtpd warns about logins without TLS: on purpose here, over loopback
without_tls = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def auth_options(login):
    return {"authenticator": login, "auth_require_tls": False, "auth_required": True}


@without_tls
def test_login_sends_user_and_password(serve, outbox):
    login, handler = Login(None), Handler()
    box = outbox(serve(handler, **auth_options(login)), user="me", password=SECRET)
    assert states(box.send([a_mail()])) == [State.SENT]
    assert login.seen == [(b"me", SECRET.encode())]


@without_tls
def test_wrong_password_is_said_without_it_even_if_the_server_repeats_it(
    serve, outbox, log_path, capsys
):
    encoded = b64encode(f"\0me\0{SECRET}".encode()).decode()
    login = Login(f"535 5.7.8 {SECRET} is wrong ({encoded})")
    box = outbox(serve(Handler(), **auth_options(login)), user="me", password=SECRET)
    sent = box.send([a_mail("A"), a_mail("B")])
    assert states(sent) == [State.REFUSED] * 2
    assert "535" in sent[0].detail
    everything = "".join(
        [repr(box), repr(box.server), str(box.server), table(sent), *capsys.readouterr()]
    )
    for hidden in (SECRET, encoded, b64encode(SECRET.encode()).decode()):
        assert hidden not in everything
        assert hidden.encode() not in log_path.read_bytes()


# Processes that die

CHILD = """
import datetime, os, signal, sys
from hkreport.pipeline import outbox, smtp
from hkreport.pipeline.mail import Mail

port, log, how = int(sys.argv[1]), sys.argv[2], sys.argv[3]
now = lambda: datetime.datetime(2026, 1, 5, 6, 30, tzinfo=datetime.UTC)

class Dying(outbox.SentLog):
    def settle(self, *given):
        if how == "before the log":
            os.kill(os.getpid(), signal.SIGKILL)
        super().settle(*given)

from pathlib import Path
mail = Mail(name="HKVitals 2025-Q4", slug="x", content="hash of HKVitals 2025-Q4",
            sender="reports@example.com", recipients=("asha@example.com",),
            raw=b"Subject: x\\r\\n\\r\\nx\\r\\n", page="")
server = smtp.Server(host="127.0.0.1", port=port, tls="none", timeout=5)
box = outbox.Outbox(server, Dying(Path(log), now), now, lambda seconds: None, delays=(), last_answer=5)
print(box.send([mail])[0].state)
"""


def child(port, log_path, how):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(port), str(log_path), how],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("how", ["before the log", "by the server"])
def test_killed_between_send_and_log_is_listed_and_not_sent_again(serve, outbox, log_path, how):
    class Killing(Handler):
        victim = None

        async def on_data(self, server, envelope):
            # The message is taken here, before the sender learns of it.
            if how == "by the server":
                os.kill(self.victim.pid, signal.SIGKILL)
            return "250 taken"

    handler = Killing()
    port = serve(handler)
    handler.victim = child(port, log_path, how)
    said, _ = handler.victim.communicate(timeout=60)
    assert (said, handler.victim.returncode) == ("", -signal.SIGKILL)
    [outcome] = outbox(port).send([a_mail()])
    assert outcome.state is State.UNKNOWN
    assert outcome.state in MISSED
    assert outcome.detail == "handed over on 2026-01-05T06:30:00+00:00; no answer was recorded"
    assert len(handler.taken) == 1


def test_two_processes_at_once_send_one_message(serve, log_path):
    gate = threading.Event()

    class Waiting(Handler):
        async def on_data(self, server, envelope):
            while not gate.is_set():
                await asyncio.sleep(0.01)
            return "250 taken"

    handler = Waiting()
    port = serve(handler)
    first = child(port, log_path, "")
    while not handler.commands:
        assert first.poll() is None
    second = child(port, log_path, "")
    said = second.communicate(timeout=60)[0]
    gate.set()
    assert (first.communicate(timeout=60)[0].strip(), said.strip()) == ("sent", "unknown")
    assert len(handler.taken) == 1


def test_second_claim_finds_the_first_even_between_look_and_claim(log_path):
    one, two = SentLog(log_path, lambda: NOW), SentLog(log_path, lambda: NOW)
    assert one.known(a_mail(), FIVE[0]) is None
    assert two.known(a_mail(), FIVE[0]) is None
    assert one.claim(a_mail(), FIVE[0]) is None
    found = two.claim(a_mail(), FIVE[0].upper())
    assert found is not None
    assert found.state is State.UNKNOWN
    assert two.claim(a_mail(), FIVE[0], again=True) is None


# Settings


def test_log_that_is_no_database_is_an_error_in_a_sentence(tmp_path):
    (tmp_path / "sent.sqlite").write_text(
        "not a database, but long enough to be taken for one" * 20
    )
    with pytest.raises(
        MailError, match=r"The log of sent mail .*sent.sqlite cannot be used: file is"
    ):
        SentLog(tmp_path / "sent.sqlite", lambda: NOW)


def test_log_holds_no_more_than_it_needs(serve, outbox, log_path):
    outbox(serve(Handler())).send([a_mail()])
    with contextlib.closing(sqlite3.connect(log_path)) as database:
        rows = database.execute("select * from sent").fetchall()
    assert rows == [
        (
            "hash of HKVitals 2025-Q4",
            FIVE[0],
            "HKVitals 2025-Q4",
            "sent",
            "2026-01-05T06:30:00+00:00",
            "",
        )
    ]


def test_mail_without_sender_is_refused_before_anything_is_sent(outbox):
    from dataclasses import replace

    with pytest.raises(MailError, match=r"HKVitals 2025-Q4 has no sender\. Set email\.sender"):
        outbox(1).send([replace(a_mail(), sender="")])


def environment(**settings):
    return {f"HKREPORT_SMTP_{name}": value for name, value in settings.items()}


@pytest.mark.parametrize(
    ("settings", "port"),
    [({}, 587), ({"TLS": "TLS"}, 465), ({"TLS": "starttls", "PORT": "2525"}, 2525)],
)
def test_settings_choose_the_usual_port(settings, port):
    server = Server.from_environment(environment(HOST="smtp.example.com", **settings))
    assert server.port == port


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            {},
            "No mail server is set, so nothing can be sent. Set HKREPORT_SMTP_HOST, and where the server "
            "wants it HKREPORT_SMTP_PORT, HKREPORT_SMTP_USER and HKREPORT_SMTP_PASSWORD.",
            id="nothing",
        ),
        pytest.param(
            {"HOST": "smtp.example.com", "TLS": "none"},
            "HKREPORT_SMTP_TLS=none is allowed for localhost only, not for smtp.example.com: mail and "
            "password would cross the network in the clear. "
            "Use HKREPORT_SMTP_TLS=starttls (port 587) or tls (port 465).",
            id="plain",
        ),
        pytest.param(
            {"HOST": "smtp.example.com", "TLS": "ssl"},
            "HKREPORT_SMTP_TLS is not usable: input should be 'starttls', 'tls' or 'none'.",
            id="tls",
        ),
        pytest.param(
            {"HOST": "smtp.example.com", "PORT": "70000"},
            "HKREPORT_SMTP_PORT is not usable: input should be less than or equal to 65535.",
            id="port",
        ),
        pytest.param(
            {"HOST": "smtp.example.com\r\nQUIT"},
            "HKREPORT_SMTP_HOST is not usable: string should match pattern '^[A-Za-z0-9.:-]+$'.",
            id="host",
        ),
        pytest.param(
            {"HOST": "smtp.example.com", "PASSWORD": SECRET},
            "HKREPORT_SMTP_PASSWORD is set, but HKREPORT_SMTP_USER is not.",
            id="user",
        ),
    ],
)
def test_settings_that_cannot_be_used_are_said_in_full(settings, message):
    with pytest.raises(MailError) as raised:
        Server.from_environment(environment(**settings))
    assert str(raised.value) == message


def test_misspelt_setting_is_not_ignored():
    with pytest.raises(MailError) as raised:
        Server.from_environment(environment(HOST="smtp.example.com", PASWORD=SECRET))
    assert str(raised.value).startswith(
        "There is no setting HKREPORT_SMTP_PASWORD. Did you mean 'HKREPORT_SMTP_PASSWORD'?"
    )
    assert SECRET not in str(raised.value)


# Servers that throttle


def test_more_recipients_than_a_server_takes_at_once_all_get_it(serve, outbox):
    everybody = [f"person{number}@example.com" for number in range(250)]

    class Hundred(Handler):
        async def on_rcpt(self, server, address):
            full = len(server.envelope.rcpt_tos) >= 100
            return "452 4.5.3 too many recipients" if full else "250 OK"

    handler = Hundred()
    made = outbox(serve(handler), delays=())
    outcomes = made.send([a_mail(recipients=everybody)])
    assert {each.state for each in outcomes} == {State.SENT}
    assert handler.recipients() == sorted(everybody)
    assert [len(recipients) for recipients, _ in handler.taken] == [100, 100, 50]


def test_a_server_that_takes_a_few_at_a_time_is_asked_until_all_have_it(serve, outbox):
    class OneARound(Handler):
        """Takes one message, then none until the connection is new."""

        async def on_data(self, server, envelope):
            if self.greetings == getattr(self, "spent", 0):
                return "421 4.7.0 too many messages in this connection"
            self.spent = self.greetings
            return "250 taken"

    handler = OneARound()
    made = outbox(serve(handler), delays=(5.0, 30.0))
    mails = [a_mail(f"Report {number}", [f"person{number}@example.com"]) for number in range(8)]
    assert {each.state for each in made.send(mails)} == {State.SENT}
    assert len(handler.recipients()) == len(set(handler.recipients())) == 8
    assert set(made.slept) <= {5.0}
