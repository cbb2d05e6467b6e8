"""What people read of labs: ``up``, ``status``, ``list``, ``down``, ``reset``, ``prune``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.lab.running.instance import HostState, LabState
from labctl.report.layout.picture import picture
from labctl.report.layout.plain import one_line
from labctl.report.layout.table import table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labctl.commands.down import Down
    from labctl.commands.list import Labs
    from labctl.commands.prune import Pruned
    from labctl.commands.reset import Reset
    from labctl.commands.status import Status
    from labctl.commands.up import Up


def up(result: Up) -> str:
    """Tell what was done, and what a person needs next."""
    if result.status is None:
        return _list("Would be done:", result.changed, f"Nothing to do: lab {result.name} is up to date.")
    done = _list("Changed:", result.changed, f"Nothing to do: lab {result.name} is up already.")
    return "\n\n".join((done, _lab(result.status), _next(result.status)))


def reset(result: Reset) -> str:
    """Tell what was done."""
    return _list(f"Lab {result.name} is as new:", result.changed, f"Lab {result.name} is as new.")


def status(result: Status) -> str:
    """Show one lab."""
    if not result.hosts:
        return f"Lab {result.name} is {result.state}. Start it: {_up(result)}"
    hosts = table(
        ("HOST", "SERVICE", "STATE", "ADDRESSES"),
        [(each.name, each.service, each.state, " ".join(each.addresses)) for each in result.hosts],
    )
    return "\n\n".join(part for part in (_lab(result), hosts, _mending(result)) if part)


def running(result: Labs) -> str:
    """Show the labs that are up."""
    if not result.labs:
        return "No lab is up. Start one: labctl up"
    return table(
        ("NAME", "LAB", "STATE", "SINCE"),
        [
            (
                each.name,
                each.lab,
                each.state,
                f"{each.created_at:%Y-%m-%d %H:%M:%S}Z" if each.created_at else "",
            )
            for each in result.labs
        ],
    )


def down(result: Down) -> str:
    """Tell what was removed, and what is in use."""
    kept = _list("In use, and still there:", (f"{each.name}, by {each.holder}" for each in result.in_use), "")
    removed = _list("Removed:", result.removed, "" if kept else "Nothing to remove: no such lab is up.")
    return "\n".join(part for part in (removed, kept) if part)


def prune(result: Pruned) -> str:
    """Tell what was removed."""
    removed = _list("Removed:", result.removed, "Nothing to remove.")
    if not result.left:
        return removed
    left = _list(
        "Left alone, since a labctl elsewhere, as in a container, may have it in use:", result.left, ""
    )
    return (
        f"{removed}\n{left}\n  labctl down --name {one_line(result.left[0], 500)}   removes one if none has"
    )


def _lab(result: Status) -> str:
    endpoints = table(
        ("ENDPOINT", "AT", "TLS"),
        [
            (f"{each.service} {each.protocol}", f"{each.host}:{each.port}", each.tls)
            for each in result.endpoints
        ],
    )
    accounts = table(("ACCOUNT", "PASSWORD"), [(each.address, each.password) for each in result.accounts])
    head = f"Lab {result.name} ({result.lab}) is {result.state}."
    return "\n\n".join(part for part in (head, picture(result), endpoints, accounts) if part)


def _next(result: Status) -> str:
    sender, recipient = _pair(result)
    name = _named(result)
    return "\n".join(
        (
            "Try:",
            f"  labctl send{name} {sender} {recipient} --wait delivered",
            f"  labctl inbox{name} {recipient}",
            f"  labctl logs{name} -f",
        )
    )


def _mending(result: Status) -> str:
    """Tell what is not as it should be, and what helps."""
    name = _named(result)
    lines = []
    if result.faults:
        lines.append(f"Faults applied: {', '.join(result.faults)}.")
        lines.append(f"  labctl fault revert{name}   undoes them; labctl up does not")
    amiss = [each for each in result.hosts if each.state != HostState.READY]
    if amiss and result.state != LabState.STARTING:
        lines.append(f"Not ready: {', '.join(f'{each.service} ({each.state})' for each in amiss)}.")
        mends = "" if result.faults else f"; {_up(result)} mends it"
        lines.append(f"  labctl logs{name} {amiss[0].service}   tells why{mends}")
    return "\n".join(lines)


def _up(result: Status) -> str:
    return " ".join(f"labctl up {result.lab}{_named(result)}".split())


def _named(result: Status) -> str:
    """Return the option that a command needs to mean this lab."""
    return "" if result.name == result.lab else f" --name {result.name}"


def _pair(result: Status) -> tuple[str, str]:
    """Choose two accounts, of two domains where there are two."""
    addresses = [each.address for each in result.accounts]
    first = addresses[0] if addresses else "alice@alpha.test"
    others = [each for each in addresses if each.partition("@")[2] != first.partition("@")[2]]
    return first, (others or addresses or ["bob@beta.test"])[0]


def _list(head: str, items: Iterable[str], nothing: str) -> str:
    lines = [f"  {one_line(each, 500)}" for each in items]
    return "\n".join((head, *lines)) if lines else nothing
