"""Calls at an MTA by whoever is none of its users: each offers one message, and hangs up before its text."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import groupby
from typing import TYPE_CHECKING, Final

from labctl.errors import ServiceCommandFailed, UsageError
from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.mail.client.dialogue import HUNG_UP, SmtpDialogue
from labctl.mail.reply import SmtpReply

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from labctl.exercises.vocabulary.hosts import Hosts
    from labctl.lab.running.instance import Host

_SECONDS: Final = 10
"""How long a server may take for each answer."""

_ALL_SECONDS: Final = 40
"""How long all calls by one host may take."""

_BYTES: Final = 1_000_000
"""How much a server may answer to all calls by one host."""

_PREFIX: Final = 24
"""Every network of a lab is as long (RFC 5737)."""

_BEGINS: Final = "a call"
"""What is printed before each; of all else that is printed a line begins with ``C: `` or ``S: ``."""

_CALLER: Final = r"""
use strict; use warnings; use IO::Select; use IO::Socket::INET;
my ($server, $seconds, $bytes, @words) = @ARGV;
my ($device) = `ip -o -4 route get $server` =~ / dev (\S+)/;
my %own = map { $_ => 1 } `ip -o -4 address` =~ / inet ([0-9.]+)/g;
my @lent;
sub hear {
    my ($socket, $heard) = @_;
    while (1) {
        while ($$heard =~ s/^([^\n]*)\n//) {
            my $line = $1 =~ s/[\r]//gr;
            print "S: $line\n";
            return 1 if $line !~ /^[0-9]{3}-/;
        }
        return 0 if $bytes <= 0;
        exit 1 unless IO::Select->new($socket)->can_read($seconds);
        $bytes -= sysread($socket, $$heard, 4096, length $$heard) || return 0;
    }
}
$SIG{PIPE} = 'IGNORE';
$SIG{$_} = sub { exit 1 } for qw(ALRM HUP INT TERM);
END { system qw(ip address delete), "$_/32", 'dev', $device for @lent }
alarm shift @words;
while (@words) {
    my $source = shift @words;
    if (!$own{$source}++) {
        system(qw(ip address add), "$source/32", 'dev', $device) == 0 or die "no address $source\n";
        push @lent, $source;
    }
    print "a call\n";
    my $socket = IO::Socket::INET->new(
        LocalAddr => $source, PeerAddr => $server, PeerPort => 25, Timeout => $seconds) or exit 1;
    my $heard = '';
    my $goes_on = hear($socket, \$heard);
    while (@words and (my $line = shift @words) ne '') {
        next unless $goes_on;
        print "C: $line\n";
        syswrite $socket, "$line\r\n";
        $goes_on = hear($socket, \$heard);
    }
}
"""
"""Makes calls from addresses of a host's network: its own, or others, which it then owns for that long.

The arguments: the server, seconds for an answer, bytes for all answers, seconds for all calls, and for each
call the address to come from, what to say, line by line, and an empty word. It ends early, with 1, where the
server does not answer in time.
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Args:
        hello: What is said first, as ``EHLO mx.gamma.test``; nothing where it is empty.
        via: The host (its service's name) whose network the call comes by; None is this machine, which the
            lab knows by no name.
        address: The address on that network to come from, which no other host may have; the host's own where
            it is None.
    """

    hello: str
    via: str | None = None
    address: str | None = None

    def __str__(self) -> str:
        where = "this machine" if self.via is None else self.address or self.via
        return f"{where}, which says “{self.hello}”," if self.hello else f"{where}, which says no EHLO,"


@dataclass(frozen=True, slots=True)
class Call:
    """A call in which one message is offered.

    Args:
        caller: Who calls.
        sender: The envelope's sender, without brackets; empty for the null sender.
        recipients: The envelope's recipients, in this order.
    """

    caller: Caller
    sender: str
    recipients: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """What is said, line by line."""
        hello = (self.caller.hello,) if self.caller.hello else ()
        return (*hello, f"MAIL FROM:<{self.sender}>", *(f"RCPT TO:<{each}>" for each in self.recipients))


@dataclass(frozen=True, slots=True)
class Answered:
    """What a call was answered.

    Args:
        call: The call.
        replies: The reply that decided about each recipient: where EHLO or MAIL was refused, that one.
        transcript: All that was said: ``C: EHLO x``, ``S: 250 mx.beta.test``.
    """

    call: Call
    replies: tuple[SmtpReply, ...]
    transcript: tuple[str, ...]

    def must_take(self, *recipients: str) -> None:
        """Check that these recipients were taken.

        Raises:
            ExpectationFailed: One was not.
        """
        for recipient in recipients:
            reply = self.replies[self.call.recipients.index(recipient)]
            if not reply.is_positive:
                raise self._failed(recipient, "is taken", reply)

    def must_refuse_all_but(self, *taken: str, code: int | None = None, status: str | None = None) -> None:
        """Check that these recipients were taken, and all others refused, for good or for now.

        Args:
            taken: These, where the call named them.
            code: The reply code that the others are refused with, as 550.
            status: The enhanced status code that they are refused with, as ``5.7.1``.

        Raises:
            ExpectationFailed: It was otherwise, or the server hung up without a word.
        """
        wish = " ".join(str(each) for each in (code, status) if each is not None)
        for recipient, reply in zip(self.call.recipients, self.replies, strict=True):
            if recipient in taken:
                self.must_take(recipient)
                continue
            wrong = code not in {None, reply.code} or status not in {None, str(reply.enhanced)}
            if reply.is_positive or not reply.code or wrong:
                raise self._failed(recipient, f"is refused{f' with {wish}' if wish else ''}", reply)

    def _failed(self, recipient: str, wish: str, reply: SmtpReply) -> ExpectationFailed:
        what = f"{self.call.caller} offers a message from <{self.call.sender}> to <{recipient}>, which {wish}"
        return ExpectationFailed(what, str(reply) or "the server hung up", self.transcript)


def made(lab: Hosts, server: str, calls: Sequence[Call]) -> tuple[Answered, ...]:
    """Make calls at port 25 of an MTA, one after the other.

    Hosts that make calls must not run what a student handed in: commands are executed there.

    Args:
        lab: The lab.
        server: The MTA.
        calls: The calls; as one host makes all of its calls in a row, they are quickest when so ordered.

    Returns:
        What each was answered.

    Raises:
        ServiceCommandFailed: The server does not answer this machine or is too slow, or a host can't make the
            calls.
        UsageError: A host and the server have no network in common.
    """
    there = lab.host(server)
    with lab.narrator.step(f"{len(calls)} times {there.hostname} is offered a message") as evidence:
        answered: list[Answered] = []
        for via, group in groupby(calls, lambda each: each.caller.via):
            some = list(group)
            answered += (
                _from_here(there, some) if via is None else _from_host(lab, there, lab.host(via), some)
            )
        for each in answered:
            for recipient, reply in zip(each.call.recipients, each.replies, strict=True):
                said = f"{each.call.caller} from <{each.call.sender}> to <{recipient}>"
                evidence.append(f"{said}: {str(reply) or '(hung up)'}")
    return tuple(answered)


def _from_here(server: Host, calls: Iterable[Call]) -> Iterator[Answered]:
    for call in calls:
        with SmtpDialogue.open(*server.door(25), timeout=_SECONDS) as dialogue:
            replies = []
            for line in call.lines:
                replies.append(dialogue.say(line))
                if dialogue.closed:
                    break
            yield _answered(call, [dialogue.greeting or HUNG_UP, *replies], dialogue.transcript)


def _from_host(lab: Hosts, server: Host, host: Host, calls: Sequence[Call]) -> Iterator[Answered]:
    own, home = _common(host, server)
    words = (word for each in calls for word in (each.caller.address or own, *each.lines, ""))
    bounds = (str(_SECONDS), str(_BYTES), str(_ALL_SECONDS))
    command = ("perl", "-e", _CALLER, home, *bounds, *words)
    said = lab.engine.execute(host.running_container().id, command)
    if said.exit_code != 0:
        seen = said.stderr.decode("utf-8", "replace").strip()
        at_fault = host if seen else server
        raise ServiceCommandFailed(
            f"{host.service} could not call {server.service}: {seen or f'no answer in {_SECONDS} s'}",
            hint=f"labctl logs {at_fault.service}",
            detail={"service": at_fault.service},
        )
    transcripts: list[list[str]] = []
    for line in said.stdout.decode("utf-8", "backslashreplace").split("\n")[:-1]:
        if line == _BEGINS:
            transcripts.append([])
        else:
            transcripts[-1].append(line)
    for call, lines in zip(calls, transcripts, strict=True):
        yield _answered(call, _replies(lines), tuple(lines))


def _common(host: Host, server: Host) -> tuple[str, str]:
    """Return an address of each that are on one network."""
    for own in host.addresses:
        network = IPv4Network((own, _PREFIX), strict=False)
        for home in server.addresses:
            if IPv4Address(home) in network:
                return own, home
    raise UsageError(
        f"{host.service} and {server.service} have no network in common", hint="let another host call"
    )


def _replies(lines: Iterable[str]) -> list[SmtpReply]:
    """Read the replies of a transcript: their last lines decide."""
    heard = (line[3:] for line in lines if line.startswith("S: "))
    return [SmtpReply.parse(each) for each in heard if each[3:4] != "-"]


def _answered(call: Call, replies: Sequence[SmtpReply], transcript: tuple[str, ...]) -> Answered:
    """Say what decided about each recipient; `replies` begin with the greeting, and may end too early.

    Whoever refuses something and hangs up has refused the rest, too (421; RFC 5321, section 3.8).
    """
    before = len(call.lines) - len(call.recipients) + 1
    said = [each for each in replies if each != HUNG_UP]
    last = said[-1] if said and not said[-1].is_positive else HUNG_UP
    heard = [*said, *[last] * (before + len(call.recipients) - len(said))]
    refused = next((each for each in heard[:before] if not each.is_positive), None)
    decided = tuple(refused or each for each in heard[before:])
    return Answered(call, decided, transcript)
