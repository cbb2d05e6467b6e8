"""Strangers to a mail domain, drawn from chance: where they call from, what they say, and whom they name.

A check that tries one stranger passes for whoever refuses only that one. So each kind is always tried, and
which one of its kind is drawn: who hands in an attempt can name none of them beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

from labctl.exercises.vocabulary.call import Call, Caller, made
from labctl.lab.running import instance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labctl.exercises.vocabulary.call import Answered
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.hosts import Hosts
    from labctl.lab.account import Account
    from labctl.lab.running.instance import Host

DOMAINS: Final = ("gamma.test", "evil.test", "a1pha.test")
"""Domains that have names in every lab's DNS, and no users."""

_HOSTS: Final = {
    "mx.gamma.test": "203.0.113.30",
    "mail.gamma.test": "203.0.113.143",
    "mx.evil.test": "203.0.113.66",
}
"""Their hosts, which are not there: their addresses are free to call from."""

_IN_USE: Final = (
    "abuse", "accounting", "admin", "boss", "ceo", "hostmaster", "info", "mailer-daemon", "noreply", "office",
    "postmaster", "root", "sales", "scanner", "security", "support", "tax", "webmaster",
)  # fmt: skip
"""Local parts that an organization may use, and may have trusted (RFC 2142)."""

_AT_ONCE: Final = 3
"""Refused recipients in one call: of a client that errs more often a server may grow tired."""


@dataclass(frozen=True, slots=True)
class Strangers:
    """Strangers to the domain of an MTA.

    What the methods return is drawn anew each time.

    Args:
        lab: The lab.
        chance: Decides whatever may be one or the other.
        server: The MTA (its service's name).
        via: A host on "the internet" (203.0.113.0/24), by which strangers call as whoever has an address
            there might. It must be another domain's, and must not run what a student handed in.
    """

    lab: Hosts
    chance: Chance
    server: str
    via: str

    def named(self) -> list[Caller]:
        """Return callers whose address and name belong together, in the DNS and in what they say."""
        own = Caller(f"EHLO {self.lab.host(self.via).hostname}", self.via)
        return [own, *(Caller(f"EHLO {name}", self.via, address) for name, address in _HOSTS.items())]

    def nameless(self) -> list[Caller]:
        """Return callers from addresses that the DNS knows no name of, each under a name that it knows."""
        first, second, third, _ = self.chance.shuffled([*_HOSTS, self.lab.host(self.via).hostname])
        taken = {*_HOSTS.values(), *(address for host in self.lab.there.hosts for address in host.addresses)}
        addresses = (f"203.0.113.{octet}" for octet in range(1, 255))
        one, other = self.chance.shuffled([each for each in addresses if each not in taken])[:2]
        return [
            Caller(f"EHLO {first}"),
            Caller(f"EHLO {second}", self.via, one),
            Caller(f"HELO {third}", self.via, other),
        ]

    def liars(self) -> list[Caller]:
        """Return callers who say that they are a host of the MTA's domain, or this very one, or nothing."""
        names = [*self._home_hosts(), *(f"[{each}]" for host in self._family for each in host.addresses)]
        names += [self._domain, "localhost", "[127.0.0.1]"]
        hellos = [f"{self.chance.choice(('EHLO', 'HELO'))} {each}" for each in names]
        sources = cycle(self.chance.shuffled([*self.named(), *self.nameless()]))
        return [
            Caller(hello, each.via, each.address) for hello, each in zip((*hellos, ""), sources, strict=False)
        ]

    def senders(self) -> list[str]:
        """Return senders of domains that the DNS knows, other than the MTA's."""
        return self.chance.shuffled([f"{self.chance.name()}@{each}" for each in (*DOMAINS, *self._others)])

    def borrowed_senders(self) -> list[str]:
        """Return senders that no stranger owns: users' and hosts', and others that may be trusted."""
        chance = self.chance
        users = [each.address for each in self._accounts]
        tagged = [each.replace("@", f"+{chance.token()}@") for each in users]
        at_home = [f"{each}@{self._domain}" for each in (*_IN_USE, chance.name())]
        hosts = [*self._home_hosts(), *(f"[{each}]" for host in self._family for each in host.addresses)]
        at_hosts = [f"{chance.choice((*_IN_USE, chance.name()))}@{each}" for each in hosts]
        of_hosts = [f"{each.partition('.')[0]}@{each}" for each in self._home_hosts()]
        shouted = chance.choice(users).upper()
        return chance.shuffled([*users, *tagged, shouted, *at_home, *at_hosts, *of_hosts])

    def foreign_recipients(self) -> list[str]:
        """Return recipients that are not of the MTA's domain: users, and nobody of domains near and far."""
        chance, others = self.chance, self._others
        users = [each.address for each in self._accounts if each.domain in others]
        alike = (name for each in (*others, self._domain) for name in (f"{each}.evil.test", f"not-{each}"))
        literals = (self.lab.host(self.via).addresses[0], *_HOSTS.values())
        domains = [
            *(*others, *DOMAINS, *alike, "lab.test", "dns.lab.test", f"{chance.name()}.test"),
            *(f"{chance.name()}.{each}" for each in others),
            chance.choice(others).upper(),
            *(f"[{each}]" for each in literals),
        ]
        return chance.shuffled(
            [
                *users,
                chance.choice(users).replace("@", f"+{chance.token()}@"),
                f"postmaster@{chance.choice(others)}",
                f"{self._domain}@{chance.choice(DOMAINS)}",
                *(f"{chance.name()}@{each}" for each in domains),
            ]
        )

    def detours(self) -> list[str]:
        """Return addresses that hide the way to others' domains (RFC 5321, section 3.6.1 and appendix C)."""
        chance, home, server = self.chance, self._domain, self.lab.host(self.server)
        users = [each.address for each in self._accounts if each.domain in self._others]
        found = []
        for user in (chance.choice(users), f"{chance.name()}@{chance.choice(DOMAINS)}"):
            local, _, domain = user.partition("@")
            found += [
                *(f"{local}%{domain}@{each}" for each in (home, home.upper(), server.hostname)),
                *(f"{local}%{domain}@[{each}]" for each in server.addresses),
                *(f"{local}%{domain}", f"{domain}!{local}", f"{domain}!{local}@{home}"),
                *(f"{home}!{domain}!{local}", f"@{server.hostname}:{user}", f"@{home},@{domain}:{user}"),
                *(f'"{user}"@{home}', f"{user}@{home}", f'"{local}%{domain}"@{home}'),
            ]
        return chance.shuffled(found)

    def write(self, callers: Iterable[Caller], *recipients: str) -> list[Answered]:
        """Let each caller offer a message to all of these; each of the `senders` has its turn."""
        return self._made(
            Call(caller, sender, tuple(self.chance.shuffled(recipients)))
            for caller, sender in zip(callers, cycle(self.senders()))
        )

    def attempt(
        self,
        callers: Iterable[Caller],
        recipients: Sequence[str],
        *,
        senders: Sequence[str] | None = None,
        beside: str | None = None,
    ) -> list[Answered]:
        """Let each caller try every recipient and every sender, in messages to a few recipients each.

        Args:
            callers: Who calls.
            recipients: The recipients, whom the MTA is expected to refuse.
            senders: The senders; `senders` and the null sender where it is None.
            beside: Somebody whom the MTA takes messages for: one more message of each caller is for him, too,
                from the caller's own domain where no senders are given.

        Returns:
            What each call was answered.
        """
        names = ["", *self.senders()] if senders is None else senders
        calls = []
        for caller in callers:
            wanted = self.chance.shuffled(recipients)
            some = [wanted[first : first + _AT_ONCE] for first in range(0, len(wanted), _AT_ONCE)]
            pairs = zip(cycle(self.chance.shuffled(names)), cycle(some), strict=False)
            offers = list(islice(pairs, max(len(some), len(names))))
            if beside is not None:
                own = self.chance.choice(
                    senders or [f"{self.chance.name()}@{caller.hello.partition('.')[2]}"]
                )
                offers.insert(self.chance.below(len(offers)), (own, [*self.chance.choice(some), beside]))
            calls += [Call(caller, own, tuple(self.chance.shuffled(each))) for own, each in offers]
        return self._made(calls)

    def _made(self, calls: Iterable[Call]) -> list[Answered]:
        """Make the calls, those by one host in a row, which is quickest."""
        return list(made(self.lab, self.server, sorted(calls, key=lambda each: each.caller.via or "")))

    def _home_hosts(self) -> list[str]:
        names = [each.hostname for each in self._family]
        return [*names, f"{self.chance.name()}.{self._domain}"]

    @property
    def _domain(self) -> str:
        return str(self.lab.host(self.server).domain)

    @property
    def _family(self) -> list[Host]:
        return [each for each in self.lab.there.hosts if each.domain == self._domain]

    @property
    def _accounts(self) -> tuple[Account, ...]:
        return instance.accounts(self.lab.engine, self.lab.there)

    @property
    def _others(self) -> list[str]:
        """The other domains that have users here."""
        return sorted({each.domain for each in self._accounts} - {self._domain})
