"""The mail of labs in memory: what their hosts do with it, and log of it, as Postfix and Dovecot do."""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Any, Final

import dns.exception
import dns.name
import dns.zone

from labctl.lab.mark import labels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labctl.engine.fake import FakeEngine
    from labctl.engine.model import Container

ZONES: Final = "/etc/coredns/zones/"
DELAYS: Final = "delay=0.04, delays=0.01/0.01/0.02/0.01"

_BOUNCE: Final = """From: MAILER-DAEMON@{domain}\r
Subject: Undelivered Mail Returned to Sender\r
To: {sender}\r
Message-ID: {message_id}\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r
\r
--b\r
Content-Type: text/plain\r
\r
I'm sorry.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; {hostname}\r
\r
Final-Recipient: rfc822; {recipient}\r
Action: {action}\r
Status: {status}\r
Remote-MTA: dns; {remote}\r
Diagnostic-Code: smtp; {said}\r
\r
--b\r
Content-Type: text/rfc822-headers\r
\r
Message-ID: {about}\r
\r
--b--\r
"""


@dataclass(eq=False)
class Stored:
    uid: int
    content: bytes
    flags: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Refused(Exception):
    """The reply to a recipient that is not taken."""

    reply: str


class Post:
    """What the hosts of every lab on an engine know of mail."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)
        self.arrived = threading.Condition()
        self.folders: defaultdict[tuple[str, str], dict[str, list[Stored]]] = defaultdict(
            lambda: {"INBOX": []}
        )
        """Of each lab's user."""

        self.refuses: dict[str, str] = {}
        """What delivery to a recipient fails for now with."""

        self.answers: dict[str, bytes] = {}
        """What a recipient's filter writes back while it takes a letter; %s becomes its Message-ID."""

        self.receipts: dict[str, str] = {}
        """Recipients whose letters' senders are told of success; and of which letter, if not of theirs."""

    # Hosts

    def hosts(self, near: Container, role: str, domain: str | None = None) -> list[Container]:
        """Return the hosts of a role in the lab of another."""
        wanted = {labels.NAME: near.labels[labels.NAME], labels.ROLE: role}
        return list(self._engine.containers(wanted | ({labels.DOMAIN: domain} if domain else {})))

    def users(self, near: Container) -> dict[str, str]:
        """Return the users of a lab, and their passwords."""
        files = (self._engine.get_file(each.id, "/etc/dovecot/users") for each in self.hosts(near, "mda"))
        lines = itertools.chain.from_iterable(each.decode().splitlines() for each in files)
        fields = (line.split(":") for line in lines if "@" in line)
        return {user: password.removeprefix("{PLAIN}") for user, password, *_ in fields}

    def say(self, host: Container, *texts: str) -> None:
        self._engine.say(host.name, *(f"Nov 24 04:06:15 mx postfix/{each}" for each in texts))

    # Mail

    def put(self, host: Container, user: str, content: bytes, folder: str = "INBOX") -> Stored:
        """Lay a message into a folder."""
        with self.arrived:
            stored = Stored(next(self._numbers), content)
            self.folders[host.labels[labels.NAME], user].setdefault(folder, []).append(stored)
            self.arrived.notify_all()
        return stored

    def empty(self, host: Container) -> None:
        """Forget the mail of a host's users."""
        for lab, user in list(self.folders):
            if lab == host.labels[labels.NAME] and user.endswith(f"@{host.labels.get(labels.DOMAIN)}"):
                del self.folders[lab, user]

    def check(self, host: Container, recipient: str, *, submitted: bool) -> None:
        """Take a recipient, or raise `Refused`."""
        domain = recipient.rpartition("@")[2]
        if domain != host.labels[labels.DOMAIN]:
            if not submitted:
                raise Refused("554 5.7.1 Relay access denied")
        elif recipient not in self.users(host):
            raise Refused(f"550 5.1.1 <{recipient}>: Recipient address rejected: User unknown")

    def take(
        self,
        host: Container,
        sender: str,
        recipients: Iterable[str],
        content: bytes,
        *,
        client: str = "unknown[198.18.0.1]",
    ) -> str:
        """Take a message, carry it where it goes, log what is done, and return its queue id."""
        recipients = list(recipients)
        queue_id = f"4F{next(self._numbers):08X}"
        message_id = BytesHeaderParser().parsebytes(content)["Message-ID"]
        self.say(
            host,
            f"smtpd[1]: {queue_id}: client={client}, sasl_username={sender}",
            f"cleanup[2]: {queue_id}: message-id={message_id}",
            f"qmgr[3]: {queue_id}: from=<{sender}>, size=400, nrcpt={len(recipients)} (queue active)",
        )
        content = b"Received: by %s\r\n%s" % (host.labels[labels.HOSTNAME].encode(), content)
        for each in recipients:
            self._carry(host, queue_id, sender, each, content)
        if self.refuses.keys().isdisjoint(recipients):
            self.say(host, f"qmgr[3]: {queue_id}: removed")
        return queue_id

    def _carry(self, host: Container, queue_id: str, sender: str, recipient: str, content: bytes) -> None:
        domain = recipient.rpartition("@")[2]
        own = domain == host.labels[labels.DOMAIN]
        there = self.hosts(host, "mda", domain)[0] if own else self._exchanger(host, domain)
        if there is None:
            said = f"Host or domain name not found. Name service error for name={domain}"
            return self._fail(host, queue_id, sender, recipient, "none", "5.4.4", said, content)
        name, port = there.labels[labels.HOSTNAME], 24 if there.labels[labels.ROLE] == "mda" else 25
        address = there.labels[labels.ADDRESSES].split()[0].partition("/")[0]
        relay = f"{name}[{address}]:{port}"
        to = f"{queue_id}: to=<{recipient}>, relay={relay}, {DELAYS}"
        if recipient in self.refuses:
            return self.say(host, f"smtp[4]: {to}, dsn=4.2.0, status=deferred ({self.refuses[recipient]})")
        if port == 24:
            stamp = b"Return-Path: <%s>\r\nReceived: by %s\r\n" % (sender.encode(), name.encode())
            self.put(there, recipient, stamp + content)
            if recipient in self.answers:
                about = BytesHeaderParser().parsebytes(content)["Message-ID"]
                answer = self.answers[recipient] % about.encode()
                self.take(host, "", [sender], answer, client=f"{name}[{address}]")
            said = f"250 2.0.0 <{recipient}> mjm4MhdX Saved"
        else:
            self._ask(host, domain, "MX", f"10 {name}.")
            self._ask(host, name, "A", address)
            try:
                self.check(there, recipient, submitted=False)
            except Refused as refused:
                said = f"host {name}[{address}] said: {refused.reply} (in reply to RCPT TO command)"
                return self._fail(host, queue_id, sender, recipient, relay, "5.1.1", said, content)
            said = f"250 2.0.0 Ok: queued as {self.take(there, sender, [recipient], content)}"
        program = "lmtp" if port == 24 else "smtp"
        self.say(host, f"{program}[4]: {to}, dsn=2.0.0, status=sent ({said})")
        if recipient in self.receipts and port != 24:
            about = self.receipts[recipient] or BytesHeaderParser().parsebytes(content)["Message-ID"]
            kind = {"kind": "delivery status", "action": "relayed", "status": "2.0.0"}
            self.report(host, queue_id, sender, recipient, about, **kind)
        return None

    def _fail(  # noqa: PLR0917  # what the log says of it
        self,
        host: Container,
        queue_id: str,
        sender: str,
        recipient: str,
        relay: str,
        status: str,
        said: str,
        content: bytes,
    ) -> None:
        line = f"smtp[4]: {queue_id}: to=<{recipient}>, relay={relay}, {DELAYS}, dsn={status}, status=bounced"
        self.say(host, f"{line} ({said})")
        if not sender:
            return
        about = BytesHeaderParser().parsebytes(content)["Message-ID"]
        self.report(host, queue_id, sender, recipient, about, status=status, said=said, relay=relay)

    def report(
        self,
        host: Container,
        queue_id: str,
        sender: str,
        recipient: str,
        about: str,
        *,
        kind: str = "non-delivery",
        action: str = "failed",
        status: str = "5.1.1",
        said: str = "550 5.1.1 User unknown",
        relay: str = "mx.beta.test[203.0.113.20]:25",
    ) -> str:
        """Write a report about a message to its sender, log that, and return the report's Message-ID."""
        hostname = host.labels[labels.HOSTNAME]
        message_id = f"<report-{next(self._numbers)}@{hostname}>"
        text = _BOUNCE.format(
            domain=host.labels[labels.DOMAIN],
            sender=sender,
            message_id=message_id,
            hostname=hostname,
            recipient=recipient,
            action=action,
            status=status,
            remote=relay.partition("[")[0],
            said=re.sub(r"^host \S+ said: ", "", said),
            about=about,
        )
        report_id = self.take(host, "", [sender], text.encode())
        self.say(host, f"bounce[5]: {queue_id}: sender {kind} notification: {report_id}")
        return message_id

    def _exchanger(self, host: Container, domain: str) -> Container | None:
        """Return the MTA that the MX of a domain leads to, by the zones of a lab's resolver."""
        [resolver] = self.hosts(host, "dns")
        for each in self.look_up(resolver, domain, "MX"):
            found = {address.to_text() for address in self.look_up(resolver, each.exchange.to_text(), "A")}
            for mta in self.hosts(host, "mta"):
                if found & set(mta.labels[labels.ADDRESSES].split()):
                    return mta
        return None

    def look_up(self, resolver: Container, name: str, rdtype: str) -> list[Any]:
        """Return the records that a resolver has."""
        asked = dns.name.from_text(name)
        for origin, zone in self.zones(resolver).items():
            if asked.is_subdomain(origin):
                return list(zone.get_rdataset(asked, rdtype) or ())
        return []

    def _ask(self, host: Container, name: str, rdtype: str, record: str) -> None:
        asked = {
            "time": datetime.now(UTC).isoformat(),
            "client": host.labels[labels.ADDRESSES].split()[0].partition("/")[0],
            "name": f"{name}.",
            "type": rdtype,
            "rcode": "NOERROR",
            "records": [f"{name}. 300 IN {rdtype} {record}"],
        }
        for resolver in self.hosts(host, "dns"):
            self._engine.say(resolver.name, json.dumps(asked))

    # Names

    def zones(self, host: Container) -> dict[dns.name.Name, dns.zone.Zone]:
        """Read the zones of a resolver.

        Raises:
            ZoneError: One is no zone.
        """
        files = self._engine._boxes[host.name].files
        found = {}
        for path, content in files.items():
            if path.startswith(ZONES):
                origin = path.removeprefix(ZONES).removesuffix(".zone")
                try:
                    zone = dns.zone.from_text(content.decode("utf-8", "replace"), origin, relativize=False)
                except dns.exception.DNSException as exc:
                    raise ZoneError(path, origin, exc) from exc
                found[dns.name.from_text(origin)] = zone
        return found


class ZoneError(Exception):
    """What CoreDNS says of a zone that it can't use."""

    def __init__(self, path: str, origin: str, cause: Exception) -> None:
        said = str(cause).partition("\n")[0].replace(":", " ")
        super().__init__(
            f'plugin/file: failed to parse file "{path}" for origin {origin}. with error {path}: dns: {said}'
            " at line: 2:1"
        )
