"""Small servers on loopback that a lab's published ports lead to: SMTP, IMAP, POP3 and DNS."""

from __future__ import annotations

import re
import select
import selectors
import socket
import socketserver
import threading
from base64 import b64decode
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Final, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from labctl.lab.mark import labels
from tests.bed.post import Post, Refused, Stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.engine.fake import FakeEngine
    from labctl.engine.model import Container, ContainerSpec, PublishedPort

_WORD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|(\([^)]*\)|\S+)')
_LOOK_AGAIN: Final = 0.01
_HEADER_END: Final = b"\r\n\r\n"


class Conversation(socketserver.StreamRequestHandler):
    """Greets, answers each command of its script by the first word, and ends with QUIT or a logout."""

    greeting: ClassVar[bytes]
    script: ClassVar[dict[str, bytes]] = {}
    timeout = 10
    line = ""

    def handle(self) -> None:
        with suppress(ConnectionError):
            self.wfile.write(self.greeting)
            for line in self.rfile:
                self.line = line.decode("utf-8", "replace").rstrip("\r\n")
                verb = self.line.split()[0].upper() if self.line.strip() else ""
                self.answer(verb)
                if self.ended(verb):
                    return

    def answer(self, verb: str) -> None:
        self.wfile.write(self.script.get(verb, b"221 2.0.0 Bye\r\n"))

    def ended(self, verb: str) -> bool:
        return verb not in self.script

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    @property
    def door(self) -> Door:
        return cast("Door", self.server)


class Mta(Conversation):
    """Postfix, at port 25 and 587."""

    greeting = b"220 mx ESMTP\r\n"
    user = sender = ""
    recipients: tuple[str, ...] = ()

    def ended(self, verb: str) -> bool:
        return verb == "QUIT"

    def answer(self, verb: str) -> None:
        host, post = self.door.host, self.door.post
        argument = match[1] if (match := re.search(r":<([^>]*)>", self.line)) else ""
        match verb:
            case "EHLO" | "HELO":
                self.say("250-mx", "250-SIZE 10240000", "250-DSN", "250-SMTPUTF8", "250 AUTH PLAIN")
            case "AUTH":
                _, user, password = b64decode(self.line.split()[2]).decode().split("\0")
                known = post.users(host).get(user) == password
                self.user = user if known else ""
                self.say("235 2.7.0 Authentication successful" if known else "535 5.7.8 Error: failed")
            case "MAIL":
                self.sender, self.recipients = argument, ()
                self.say("250 2.1.0 Ok")
            case "RCPT":
                try:
                    post.check(host, argument, submitted=bool(self.user))
                except Refused as refused:
                    self.say(refused.reply)
                else:
                    self.recipients += (argument,)
                    self.say("250 2.1.5 Ok")
            case "DATA":
                self.say("354 End data with <CR><LF>.<CR><LF>")
                content = b"".join(iter(self.rfile.readline, b".\r\n"))
                content = content.replace(b"\r\n..", b"\r\n.")  # RFC 5321, section 4.5.2
                self.say(f"250 2.0.0 Ok: queued as {post.take(host, self.sender, self.recipients, content)}")
            case "QUIT":
                self.say("221 2.0.0 Bye")
            case _:
                self.say("500 5.5.2 Error: command not recognized")


class _Reader(Conversation):
    """Who has logged in to a mailbox."""

    user = ""

    @property
    def folders(self) -> dict[str, list[Stored]]:
        return self.door.post.folders[self.door.host.labels[labels.NAME], self.user]

    def login(self, user: str, password: str) -> bool:
        self.user = user
        return self.door.post.users(self.door.host).get(user) == password


class Imap(_Reader):
    """Dovecot, at port 143."""

    greeting = b"* OK [CAPABILITY IMAP4rev1 UIDPLUS MOVE IDLE] ready.\r\n"
    folder = "INBOX"
    tag = ""

    def ended(self, verb: str) -> bool:
        return self.line.upper().endswith("LOGOUT") or not verb

    def answer(self, verb: str) -> None:
        words = [quoted or plain for quoted, plain in _WORD.findall(self.line)]
        self.tag, order, given = verb, words[1].upper(), words[2:]
        if order == "UID":
            order, given = f"UID {given[0].upper()}", given[1:]
        said = list(self._done(order, given))
        if said[-1:] != ["NO"]:
            said.append(f"{words[0]} OK done")
        else:
            said[-1] = f"{words[0]} NO [TRYCREATE] it can't be"
        self.say(*said)

    def _done(  # noqa: C901, PLR0912  # a case for each command
        self, order: str, given: list[str]
    ) -> Iterator[str]:
        folders = self.folders if self.user else {}
        match order, given:
            case "CAPABILITY", _:
                yield "* CAPABILITY IMAP4rev1 UIDPLUS MOVE IDLE"
            case "LOGIN", [user, password] if not self.login(user, password):
                yield "NO"
            case "SELECT" | "EXAMINE", [folder] if folder not in folders:
                yield "NO"
            case "SELECT" | "EXAMINE", [folder]:
                self.folder = folder
                yield f"* {len(folders[folder])} EXISTS"
            case "CREATE", [folder]:
                folders[folder] = []
            case "UID SEARCH", criteria:
                wanted = criteria[2].encode() if criteria[0] == "HEADER" else b""
                fitting = (each for each in folders[self.folder] if wanted in each.content)
                yield " ".join(["* SEARCH", *(str(each.uid) for each in fitting)])
            case "UID FETCH", [_, items]:
                for n, each in self._named(given[0]):
                    yield f"* {n} FETCH (UID {each.uid} {self._fetched(each, items)})"
            case "UID STORE", [_, sign, flags]:
                for _, each in self._named(given[0]):
                    changed = set(flags.strip("()").split())
                    each.flags = each.flags - changed if sign[0] == "-" else each.flags | changed
            case "UID MOVE", [_, to]:
                for _, each in self._named(given[0]):
                    folders[self.folder].remove(each)
                    folders[to].append(each)
            case "UID EXPUNGE", _:
                for _, each in self._named(given[0]):
                    folders[self.folder].remove(each)
            case "IDLE", _:
                self._watch()

    def _named(self, uids: str) -> list[tuple[int, Stored]]:
        wanted = {int(each) for each in uids.split(",")}
        return [(n, each) for n, each in enumerate(self.folders[self.folder], 1) if each.uid in wanted]

    def _fetched(self, stored: Stored, items: str) -> str:
        header, end, _ = stored.content.partition(_HEADER_END)
        part = header + end if "HEADER" in items else stored.content
        name = "BODY[HEADER]" if "HEADER" in items else "BODY[]"
        about = f"FLAGS ({' '.join(sorted(stored.flags))}) RFC822.SIZE {len(stored.content)}"
        return f"{about} {name} {{{len(part)}}}\r\n{part.decode()}"

    def _watch(self) -> None:
        self.say("+ idling")
        known = len(self.folders[self.folder])
        while not select.select([self.connection], [], [], _LOOK_AGAIN)[0]:
            if (now := len(self.folders[self.folder])) != known:
                known = now
                self.say(f"* {now} EXISTS")
        self.rfile.readline()  # DONE


class Pop3(_Reader):
    """Dovecot, at port 110."""

    greeting = b"+OK ready.\r\n"

    def setup(self) -> None:
        super().setup()
        self.marked: list[Stored] = []

    def ended(self, verb: str) -> bool:
        return verb in {"QUIT", ""}

    def answer(self, verb: str) -> None:
        number = int(self.line.split()[1]) if self.line[-1:].isdigit() and verb != "PASS" else 0
        listed = list(enumerate(self.folders["INBOX"], 1)) if self.user else []
        stored = listed[number - 1][1] if number and verb != "USER" else None
        match verb:
            case "USER":
                self.user = self.line.split()[1]
                self.say("+OK")
            case "PASS":
                known = self.login(self.user, self.line.split()[1])
                self.say("+OK" if known else "-ERR [AUTH] Authentication failed.")
            case "LIST" | "UIDL":
                told = (len(each.content) if verb == "LIST" else each.uid for _, each in listed)
                self.say("+OK", *(f"{n} {each}" for n, each in enumerate(told, 1)), ".")
            case "TOP" | "RETR" if stored is not None:
                content = stored.content
                if verb == "TOP":
                    content = content.partition(_HEADER_END)[0] + _HEADER_END
                else:
                    stored.flags.add(r"\Seen")
                self.say("+OK", *content.decode().split("\r\n")[:-1], ".")
            case "DELE" if stored is not None:
                self.marked.append(stored)
                self.say("+OK")
            case "QUIT":
                for each in self.marked:
                    self.folders["INBOX"].remove(each)
                self.say("+OK")
            case _:
                self.say("-ERR")


class Resolver(socketserver.BaseRequestHandler):
    """CoreDNS: answers by the zones of its container, with authority."""

    def handle(self) -> None:
        wire, answering = self.request
        door = cast("Door", self.server)
        query = dns.message.from_wire(wire)
        [asked] = query.question
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        zones = door.post.zones(door.host)
        origin = max((each for each in zones if asked.name.is_subdomain(each)), key=len, default=None)
        if origin is None or zones[origin].get_node(asked.name) is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        else:
            name = asked.name
            for rdtype in (dns.rdatatype.CNAME, asked.rdtype):
                if (
                    found := zones[origin].get_rrset(name, rdtype)
                ) is not None and found not in response.answer:
                    response.answer.append(found)
                    name = found[0].target if rdtype == dns.rdatatype.CNAME else name
        answering.sendto(response.to_wire(), self.client_address)


class Door(socketserver.ThreadingTCPServer):
    """A published port of one host."""

    allow_reuse_address = True
    daemon_threads = True
    timeout = 0

    def __init__(self, harbour: Harbour, name: str, handler: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.post = harbour.post
        self._engine = harbour.engine
        self._name = name

    @property
    def host(self) -> Container:
        """The container, as it is now."""
        return self._engine.inspect(self._name)


class _UdpDoor(socketserver.ThreadingUDPServer, Door):
    pass


class Harbour:
    """All the ports that the containers of an engine in memory publish, from the moment they are made."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.post = Post(engine)
        self._selector = selectors.DefaultSelector()
        self._own, self._other = socket.socketpair()
        self._selector.register(self._own, selectors.EVENT_READ)
        self._doors: dict[tuple[str, int], Door] = {}
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def port(self, spec: ContainerSpec, port: PublishedPort) -> int:
        """Open a door for a container's port: see `FakeEngine`."""
        handlers = {25: Mta, 587: Mta, 143: Imap, 110: Pop3, 53: Resolver}
        kind = _UdpDoor if port.protocol == "udp" else Door
        door = kind(self, spec.name, handlers[port.port])
        self._doors[spec.name, port.port] = door
        self._selector.register(door, selectors.EVENT_READ)
        return int(door.server_address[1])

    def shut(self, name: str, port: int) -> None:
        """Have nobody listen any more at a container's port."""
        door = self._doors.pop((name, port))
        self._selector.unregister(door)
        door.server_close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._own:
                    return
                cast("Door", key.fileobj).handle_request()

    def close(self) -> None:
        self._other.close()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, Door):
                key.fileobj.server_close()
        self._own.close()
        self._selector.close()
