"""Commands about faults: fault list, apply, revert."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from labctl import interruption
from labctl.cli import options
from labctl.cli.connection import connect
from labctl.cli.console import print_result, ticker

_HELP: Final = """
Conditions to order: what goes wrong with mail, in a running lab; without a command, a list of them.

\b
Examples:
  labctl fault
  labctl fault apply mx-null
  labctl fault revert
"""

fault = options.group(_HELP, "fault-list")


@fault.callback(invoke_without_command=True)
def fault_default(
    context: typer.Context, *, name: options.Name = None, as_json: options.Json = False
) -> None:
    """List the faults, where no other command is given; the options hold for the one that is, too."""
    if context.invoked_subcommand is None:
        fault_list(name=name, as_json=as_json)
    else:
        context.default_map = {context.invoked_subcommand: {"name": name, "as_json": as_json}}


@fault.command("list", epilog=options.printed("fault-list"))
def fault_list(*, name: options.Name = None, as_json: options.Json = False) -> None:
    """List all faults, their parameters, and which of them are active; it needs no lab.

    \b
    Examples:
      labctl fault list
      labctl fault list --json
    """
    from labctl.commands import fault as command
    from labctl.errors import EngineUnavailable

    try:
        engine = connect().engine
    except EngineUnavailable:
        engine = None
    print_result(command.faults(engine, name), as_json=as_json)


@fault.command("apply", epilog=options.printed("fault-apply"))
def fault_apply(
    fault_name: Annotated[
        str, typer.Argument(metavar="NAME", help="The fault.", autocompletion=options.complete_fault)
    ],
    assignments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE…]",
            help="Its parameters; each has a default.",
            autocompletion=options.complete_assignment,
        ),
    ] = None,
    *,
    name: options.Name = None,
    as_json: options.Json = False,
) -> None:
    """Apply a fault, until it is reverted or the lab is reset.

    \b
    Examples:
      labctl fault apply mx-null
      labctl fault apply mailbox-full user=bea@beta.test temporarily=yes
      labctl fault apply reject code=451 status=4.3.0 text="Come back later" stage=data
    """
    from labctl.commands import fault as command

    wanted, given = command.ordered(fault_name, assignments or [])

    def tell(result: command.FaultApplied) -> None:
        print_result(result, as_json=as_json)
        interruption.ignore()  # it is done and told: too late

    command.apply(connect().engine, name, wanted, given, ticker(), tell=tell)


@fault.command("revert", epilog=options.printed("fault-revert"))
def fault_revert(
    fault_name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The fault; all that are applied where none is named.",
            autocompletion=options.complete_fault,
        ),
    ] = None,
    *,
    name: options.Name = None,
    as_json: options.Json = False,
) -> None:
    """Undo a fault. One that is not applied is success.

    \b
    Examples:
      labctl fault revert mx-null
      labctl fault revert
    """
    from labctl.commands import fault as command

    print_result(command.revert(connect().engine, name, fault_name, ticker()), as_json=as_json)
