"""How a message is handed to a mail server, so that what became of it is known as far as it can be.

The library's own ``sendmail`` raises one kind of error whether a server never saw a message or took it
and lost its voice. Here the end of a message is sent by itself: what fails before it was surely not
taken, and what fails after it is unknown. Whom to send to, and what is tried again, belongs to
:mod:`hkreport.pipeline.outbox`.
"""

import contextlib
import select
import smtplib
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from hkreport.errors import MailError, did_you_mean, listed
from hkreport.units import one_line

__all__ = ["LAST_ANSWER", "Closed", "Connection", "Dropped", "Later", "Lost", "Never", "Server"]

# RFC 5321, 4.5.3.2.6: a server may take ten minutes to answer the end of a message. Whoever gives up
# earlier does not know whether it was taken.
LAST_ANSWER = 600.0

_PREFIX = "HKREPORT_SMTP_"
_CHUNK = 64 * 1024


class Server(BaseModel):
    """The mail server and how to speak to it; see :meth:`from_environment`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(pattern=r"^[A-Za-z0-9.:-]+$")
    port: int = Field(ge=1, le=65535)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    ca_file: str = ""
    timeout: float = Field(default=60.0, gt=0)
    # How we introduce ourselves. The library would look its own name up, which may take long or leak it.
    helo: str = Field(default="[127.0.0.1]", pattern=r"^[A-Za-z0-9.:\[\]-]+$")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Server":
        """Read HKREPORT_SMTP_HOST, _PORT, _USER, _PASSWORD, _TLS, _CA_FILE, _TIMEOUT and _HELO.

        Raises
        ------
        MailError
            If a setting is missing, misspelt or not allowed; never names a password.

        Examples
        --------
        >>> Server.from_environment({"HKREPORT_SMTP_HOST": "smtp.example.com",
        ...     "HKREPORT_SMTP_USER": "me", "HKREPORT_SMTP_PASSWORD": "s3cret"})
        Server(host='smtp.example.com', port=587, tls='starttls', user='me', password=SecretStr('**********'), ca_file='', timeout=60.0, helo='[127.0.0.1]')
        """
        given = {
            name.removeprefix(_PREFIX).lower(): value
            for name, value in environment.items()
            if name.startswith(_PREFIX) and value
        }
        unknown = sorted(given.keys() - cls.model_fields.keys())
        if unknown:
            names = [_PREFIX + name.upper() for name in cls.model_fields]
            wrong = _PREFIX + unknown[0].upper()
            raise MailError(
                f"There is no setting {wrong}. {did_you_mean(wrong, names)}".rstrip(),
                next_step=f"Settings: {listed(names)}.",
            )
        if "host" not in given:
            raise MailError(
                "No mail server is set, so nothing can be sent.",
                next_step=f"Set {_PREFIX}HOST, and where the server wants it {_PREFIX}PORT, "
                f"{_PREFIX}USER and {_PREFIX}PASSWORD.",
            )
        tls = given.setdefault("tls", "starttls").lower()
        values: dict[str, Any] = given | {"tls": tls}
        values.setdefault("port", {"tls": 465, "none": 25}.get(tls, 587))
        try:
            server = cls.model_validate(values)
        except ValidationError as error:
            problem = error.errors(include_input=False)[0]
            name = _PREFIX + str(problem["loc"][0]).upper()
            said = problem["msg"][0].lower() + problem["msg"][1:]
            raise MailError(f"{name} is not usable: {said}.") from None
        server.check()
        return server

    def check(self) -> None:
        """Refuse what would send mail or password in the clear over a network."""
        if self.tls == "none" and self.host not in ("localhost", "127.0.0.1", "::1"):
            raise MailError(
                f"{_PREFIX}TLS=none is allowed for localhost only, not for {self.host}: mail and password "
                "would cross the network in the clear.",
                next_step=f"Use {_PREFIX}TLS=starttls (port 587) or tls (port 465).",
            )
        if self.password.get_secret_value() and not self.user:
            raise MailError(f"{_PREFIX}PASSWORD is set, but {_PREFIX}USER is not.")

    def context(self) -> ssl.SSLContext:
        """Verified certificates and host names, TLS 1.2 or later."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
        except OSError as error:
            raise MailError(f"{_PREFIX}CA_FILE cannot be read: {error}.") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def redacted(self, words: object) -> str:
        """What a server said, on one line and without the password, plain or as SMTP encodes it."""
        said = one_line(words)
        secret = self.password.get_secret_value()
        if secret:
            plain = f"\0{self.user}\0{secret}".encode()
            hidden = [secret, *(b64encode(each).decode() for each in (secret.encode(), plain))]
            for each in hidden:
                said = said.replace(each, "***")
        return said[:300]


class Later(Exception):
    """It failed for now, and surely nothing was taken."""


class Dropped(Later):
    """The connection is gone; a new one may do."""


class Never(Exception):
    """It failed for good, for every recipient."""


class Closed(Exception):
    """There is no connection, so no other message can be sent either; `for_good` where trying again is useless."""

    def __init__(self, detail: str, *, for_good: bool) -> None:
        super().__init__(detail)
        self.for_good = for_good


class Lost(Exception):
    """The end of the message was sent and no answer came back."""


@dataclass
class Connection:
    """One SMTP connection, opened when it is first needed and used for many messages."""

    server: Server
    last_answer: float
    _smtp: smtplib.SMTP | None = None
    _used: bool = False

    def close(self) -> None:
        """Say good-bye."""
        if self._smtp is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._smtp.quit()
        self.drop()

    def drop(self) -> None:
        """Leave without a word, where the other side is gone or confused."""
        if self._smtp is not None:
            self._smtp.close()
        self._smtp, self._used = None, False

    def hand_over(
        self, sender: str, recipients: Sequence[str], data: bytes
    ) -> dict[str, tuple[int, str]]:
        """Give the server one message; returns the answer for each recipient that it did not take.

        Raises
        ------
        Later, Never, Lost, Closed
            If no recipient was taken, or the answer for all was lost.
        """
        reused = self._used
        try:
            refused = self._envelope(sender, recipients, len(data))
        except Dropped:
            # Servers close a connection after some messages or minutes: not this message's fault.
            if not reused:
                raise
            refused = self._envelope(sender, recipients, len(data))
        if len(refused) == len(recipients):
            self._ask("rset")
            return refused
        self._data(data)
        self._used = True
        return refused

    def _envelope(
        self, sender: str, recipients: Sequence[str], size: int
    ) -> dict[str, tuple[int, str]]:
        smtp = self.open()
        limit = smtp.esmtp_features.get("size", "")
        if limit.isdigit() and 0 < int(limit) < size:
            raise Never(f"the server takes {int(limit):,} bytes, the message has {size:,}")
        options = f" size={size}" if smtp.has_extn("size") else ""
        code, said = self._ask("mail", f"FROM:<{sender}>{options}")
        if code != 250:
            self._refusal(code, said)
        refused = {}
        for recipient in recipients:
            code, said = self._ask("rcpt", f"TO:<{recipient}>")
            if code == 421:
                self._refusal(code, said)
            if code not in (250, 251):
                refused[recipient] = (code, said)
        return refused

    def _data(self, data: bytes) -> None:
        smtp = self.open()
        code, said = self._ask("data")
        if code != 354:
            self._refusal(code, said)
        body = _dotted(data)
        try:
            for start in range(0, len(body), _CHUNK):
                smtp.send(body[start : start + _CHUNK])
            # Nothing may come from a server now but a good-bye; then the message is not complete there.
            assert smtp.sock is not None
            if select.select([smtp.sock], [], [], 0)[0]:
                raise smtplib.SMTPServerDisconnected("it spoke before the message ended")
        except (OSError, smtplib.SMTPException) as error:
            self.drop()
            raise Dropped(f"the connection broke within the message: {error}") from error
        try:
            smtp.sock.settimeout(self.last_answer)
            smtp.send(b".\r\n")
            code, raw = smtp.getreply()
            smtp.sock.settimeout(self.server.timeout)
        except (OSError, smtplib.SMTPException) as error:
            self.drop()
            raise Lost(self.server.redacted(error) or type(error).__name__) from error
        if not 200 <= code < 600:
            self.drop()
            raise Lost(f"an answer that is none: {self.server.redacted(_decoded(raw))}")
        if code >= 300:
            self._refusal(code, _decoded(raw))

    def _refusal(self, code: int, said: str) -> None:
        """Raise what a bad answer for the whole message means."""
        detail = f"{code} {self.server.redacted(said)}"
        if code == 421:
            self.drop()
            raise Dropped(detail)
        with contextlib.suppress(Later):
            self._ask("rset")
        raise Never(detail) if code >= 500 else Later(detail)

    def _ask(self, command: str, words: str = "") -> tuple[int, str]:
        smtp = self.open()
        try:
            code, raw = smtp.docmd(command, words)
        except (OSError, smtplib.SMTPException) as error:
            self.drop()
            raise Dropped(f"the connection broke: {self.server.redacted(error)}") from error
        return code, _decoded(raw)

    def open(self) -> smtplib.SMTP:
        """The connection, made and encrypted and logged in where it is not there yet.

        Raises
        ------
        Closed
            If there is none.
        """
        if self._smtp is None:
            try:
                self._smtp = _opened(self.server)
            except (OSError, smtplib.SMTPException) as error:
                detail, for_good = _why_closed(error, self.server)
                raise Closed(detail, for_good=for_good) from error
        return self._smtp


def _opened(server: Server) -> smtplib.SMTP:
    smtp: smtplib.SMTP
    if server.tls == "tls":
        smtp = smtplib.SMTP_SSL(
            server.host, server.port, server.helo, timeout=server.timeout, context=server.context()
        )
    else:
        smtp = smtplib.SMTP(server.host, server.port, server.helo, timeout=server.timeout)
    try:
        smtp.ehlo_or_helo_if_needed()
        if server.tls == "starttls":
            # Where a server, or somebody in between, offers none, this raises: never in the clear.
            smtp.starttls(context=server.context())
            smtp.ehlo_or_helo_if_needed()
        if server.user:
            smtp.login(server.user, server.password.get_secret_value())
    except BaseException:
        smtp.close()
        raise
    return smtp


def _why_closed(error: Exception, server: Server) -> tuple[str, bool]:
    """Why there is no connection, and whether trying again is useless."""
    where = f"{server.host} port {server.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {where} is not trusted: {error.verify_message}", True
    if isinstance(error, smtplib.SMTPResponseException):
        said = f"{error.smtp_code} {server.redacted(_decoded(error.smtp_error))}"
        return f"{where}: {said}", error.smtp_code >= 500
    if isinstance(error, socket.gaierror):
        return f"{server.host} has no address: {error.strerror}", error.errno != socket.EAI_AGAIN
    if isinstance(error, TimeoutError):
        return f"{where}: no answer within {server.timeout:g} s", False
    broken = isinstance(error, ssl.SSLEOFError | smtplib.SMTPServerDisconnected)
    # The bare exception is smtplib's "no suitable authentication method".
    unable = not broken and (
        isinstance(error, smtplib.SMTPNotSupportedError | ssl.SSLError)
        or type(error) is smtplib.SMTPException
    )
    return f"{where}: {server.redacted(error) or type(error).__name__}", unable


def _decoded(raw: bytes | str) -> str:
    return raw if isinstance(raw, str) else raw.decode("utf-8", errors="replace")


def _dotted(data: bytes) -> bytes:
    """The message as SMTP carries it, without the dot that ends it."""
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n").split(b"\n")
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
