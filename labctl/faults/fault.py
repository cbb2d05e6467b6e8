"""What a fault is: a name, what it does in words, its parameters, and the changes that it makes to hosts."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from labctl.errors import NoSuchHost, UsageError
from labctl.lab.role import Role
from labctl.suggestion import near, question

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.faults.hostchange import Files, HostChange
    from labctl.lab.running.instance import Host, Instance


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a fault; its value is a text, checked by `check`."""

    name: str
    default: str
    meaning: str
    choices: tuple[str, ...] = ()
    check: Callable[[str], str | None] | None = None
    """Returns what is wrong with a value, or None."""

    words: Mapping[str, str] = field(default_factory=dict)
    """How the fault's title says a value that would read oddly there."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a fault is to be applied: a lab as it is, and the values of the fault's parameters."""

    files: Files
    there: Instance
    values: Mapping[str, str]

    def __getitem__(self, parameter: str) -> str:
        """Return a parameter's value."""
        return self.values[parameter]

    def host(self, role: Role | None = None, parameter: str = "host") -> Host:
        """Return the host that a parameter names, of a role where one is asked for.

        Raises:
            NoSuchHost: It names none of that role.
        """
        value = self.values[parameter]
        host = self.there.host(value)
        if role is not None and host.role != role:
            known = ", ".join(each.service for each in self.there.of_role(role))
            raise NoSuchHost(f"{value} is no {role.value}; there are {known}", hint="labctl status")
        return host

    def of_domain(self, role: Role, parameter: str = "domain") -> Host:
        """Return the first host of a role in the domain that a parameter names.

        Raises:
            UsageError: The lab has no such domain, or none of that role in it.
        """
        domain = self.values[parameter]
        found = self.there.of_role(role, domain)
        if not found:
            known = ", ".join(self.there.domains)
            raise UsageError(
                f"no {role.value} for a mail domain {domain!r} in this lab; its domains are {known}",
                hint="labctl status",
            )
        return found[0]

    def resolver(self) -> Host:
        """Return the lab's resolver.

        Raises:
            UsageError: It has none.
        """
        found = self.there.of_role(Role.DNS)
        if not found:
            raise UsageError(f"lab {self.there.name!r} has no resolver", hint="labctl status")
        return found[0]

    def others(self, host: Host) -> tuple[Host, ...]:
        """Return the other MTAs of the lab: those that bring mail to this one."""
        return tuple(each for each in self.there.of_role(Role.MTA) if each.service != host.service)

    def read(self, host: Host, path: str) -> str:
        """Return the text of a host's file as it is now; nothing where there is none."""
        return (self.files.read(host, path) or b"").decode("utf-8", "surrogateescape")


def for_good(meaning: str) -> Parameter:
    """Return the parameter that makes of a refusal for now one for good."""
    words = {"no": "for now", "yes": "for good"}
    return Parameter("permanent", "no", meaning, choices=("no", "yes"), words=words)


Plan: TypeAlias = Callable[[Scene], tuple["HostChange", ...]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A condition to order."""

    name: str
    title: str
    """What it does, in words that a student understands, with the values of its parameters in braces."""

    setting: str
    """What it does in the daemon's own settings."""

    plan: Plan
    """Returns the changes; it reads but changes nothing."""

    parameters: tuple[Parameter, ...] = ()

    def told(self, values: Mapping[str, str]) -> str:
        """Return the title with the values of the parameters."""
        words = {each.name: each.words.get(values[each.name], values[each.name]) for each in self.parameters}
        return self.title.format_map(words)

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return every parameter's value, as given or by default.

        Raises:
            UsageError: An unknown parameter, or a value that is not one.
        """
        known = {each.name: each for each in self.parameters}
        for name in given:
            if name not in known:
                listed = ", ".join(known) or "none"
                meant = question(near(name, known))
                raise UsageError(
                    f"fault {self.name} has no parameter {name!r}; it has {listed}{meant}",
                    hint="labctl fault list",
                )
        values = {name: given.get(name, each.default) for name, each in known.items()}
        for name, value in values.items():
            if (wrong := _wrong(known[name], value)) is not None:
                raise UsageError(
                    f"fault {self.name}: {name}={value}: {wrong}",
                    hint=f"labctl fault apply {self.name} {name}={shlex.quote(known[name].default)}",
                )
        return values


def _wrong(parameter: Parameter, value: str) -> str | None:
    if parameter.choices and value not in parameter.choices:
        return f"expected one of {', '.join(parameter.choices)}{question(near(value, parameter.choices))}"
    return parameter.check(value) if parameter.check is not None else None
