"""Options and arguments that many commands share, and what completes them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def printed(document: str) -> str:
    """Say below a command's help which document it prints."""
    return f"--json prints labctl/{document}/v1, which labctl schema {document} explains."


def completing(
    offer: Callable[[typer.Context], Iterable[str]],
) -> Callable[[typer.Context, str], list[str]]:
    """Return what completes a word: with what is offered, and with nothing where that can't be told."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        from labctl.errors import LabctlError

        try:
            return [each for each in offer(ctx) if each.startswith(incomplete)]
        except LabctlError:
            return []

    return complete


@completing
def complete_lab(_: typer.Context) -> Iterable[str]:
    """Offer the labs' ids."""
    from labctl.lab import catalogue

    return [each.id for each in catalogue.all_labs(os.environ)]


@completing
def complete_name(_: typer.Context) -> Iterable[str]:
    """Offer the names of the running labs."""
    from labctl.lab.running import instance

    return [each.name for each in instance.observe_all(_engine())]


@completing
def complete_host(ctx: typer.Context) -> Iterable[str]:
    """Offer the hosts of the running lab."""
    from labctl.lab.running import instance

    there = instance.select(_engine(), ctx.params.get("name"))
    return [name for host in there.hosts for name in (host.service, host.hostname)]


@completing
def complete_address(ctx: typer.Context) -> Iterable[str]:
    """Offer the accounts of the running lab."""
    from labctl.lab.running import instance

    engine = _engine()
    found = instance.accounts(engine, instance.select(engine, ctx.params.get("name")))
    return [each.address for each in found]


@completing
def complete_exercise(ctx: typer.Context) -> Iterable[str]:
    """Offer the exercises: their ids, with their lab's before them where none is named."""
    from labctl.exercises.catalogue import discovery
    from labctl.lab import catalogue

    named = ctx.params.get("lab")
    labs = (catalogue.find(named, os.environ),) if named else catalogue.all_labs(os.environ)
    found = [(each.id, exercise.id) for each in labs for exercise in discovery.of_lab(each)]
    names = [exercise if named else f"{lab}/{exercise}" for lab, exercise in found]
    return names + [exercise for _, exercise in found if not named]


@completing
def complete_fault(_: typer.Context) -> Iterable[str]:
    """Offer the faults' names."""
    from labctl.faults import catalogue

    return [each.name for each in catalogue.FAULTS]


@completing
def complete_assignment(ctx: typer.Context) -> Iterable[str]:
    """Offer the parameters of a fault, and their values where they are few."""
    from labctl.faults import catalogue

    known = {each.name: each.parameters for each in catalogue.FAULTS}
    return [
        f"{each.name}={value}"
        for each in known.get(str(ctx.params.get("fault_name")), ())
        for value in (each.choices or (each.default,))
    ]


def _engine() -> Any:
    from labctl.cli.connection import connect

    return connect().engine


def check_name(name: str | None) -> str | None:
    """Refuse a malformed name before anything else is done."""
    from labctl.lab.name import valid_name

    return None if name is None else valid_name(name)


def check_address(address: str) -> str:
    """Refuse a malformed address before anything else is done."""
    from labctl.mail.address import Address

    return str(Address.parse(address))


def check_addresses(addresses: list[str]) -> list[str]:
    """Refuse malformed addresses before anything else is done."""
    return [check_address(each) for each in addresses]


def group(about: str, document: str) -> typer.Typer:
    """Return a group of commands, which prints a document where none of them is called."""
    return typer.Typer(help=about, epilog=printed(document), rich_markup_mode=None, suggest_commands=False)


def name_option(about: str, complete: Callable[[typer.Context, str], list[str]] | None = None) -> Any:
    """Return the option for a lab's name, with what it is there."""
    return typer.Option(
        "--name",
        envvar="LABCTL_NAME",
        metavar="NAME",
        callback=check_name,
        help=about,
        autocompletion=complete,
    )


def lab_option(about: str) -> Any:
    """Return the option for a lab, with what it is there."""
    return typer.Option("--lab", metavar="LAB", help=about, autocompletion=complete_lab)


def address_argument(metavar: str, about: str) -> Any:
    """Return the argument for an account, with what it is there."""
    return typer.Argument(
        metavar=metavar, help=about, callback=check_address, autocompletion=complete_address
    )


Name = Annotated[str | None, name_option("The running lab; not needed while only one runs.", complete_name)]
Json = Annotated[bool, typer.Option("--json", help="Print the result as a JSON document.")]
DEFAULT_LAB: Final = "two-domains"
Lab = Annotated[
    str,
    typer.Argument(
        metavar="[LAB]",
        help="A lab's id, or a directory with a lab.toml.",
        autocompletion=complete_lab,
        show_default=True,
    ),
]
Host = Annotated[
    str,
    typer.Argument(
        metavar="HOST", help="A service (mx-alpha) or its host (mx.alpha.test).", autocompletion=complete_host
    ),
]
AnyHost = Annotated[
    str | None,
    typer.Argument(
        metavar="[HOST]",
        help="A service (mx-alpha) or its host (mx.alpha.test); all where none is named.",
        autocompletion=complete_host,
    ),
]
Yes = Annotated[
    bool,
    typer.Option(
        "--yes", envvar="LABCTL_YES", help="Install and start what is missing (Docker Engine) without asking."
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, metavar="N", help="At most so many at once; else what this machine bears."),
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base",
        envvar="LABCTL_BASE_IMAGE",
        metavar="IMAGE",
        help="Build images on this Debian 13 instead of debian:trixie-slim.",
    ),
]
