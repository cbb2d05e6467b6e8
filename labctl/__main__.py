"""The entry point, and the only error boundary: every way out of labctl ends here."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress

import typer

from labctl.cli import encoding, misuse
from labctl.cli.app import create
from labctl.cli.console import print_error
from labctl.errors import LabctlError, OutputError

INTERRUPTED = 130

_COLLECT_AFTER = 50_000
"""Objects until garbage is looked for: most of what a command makes are modules, which stay."""


def main() -> None:
    """Run labctl and exit with the code that says how it went."""
    gc.set_threshold(_COLLECT_AFTER)
    encoding.settle(os.environ)
    code = run(sys.argv[1:])
    with suppress(OSError):  # nobody can be told
        sys.stderr.flush()
    os._exit(code)  # what a command opened is closed by then; to take the interpreter apart costs 20 ms


def run(arguments: list[str]) -> int:
    """Run one command.

    Args:
        arguments: The command line, without the program's name.

    Returns:
        The exit code: 0 done, 1 a mail or a check was not as wished, 2 usage, 3 a bad lab, 4 engine or
        service, 70 a bug in labctl, 130 interrupted.
    """
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        return _unread()
    except (OutputError, OSError):  # the error could not be told, or what was left could not be written
        return OutputError.exit_code
    except SystemExit as end:  # typer's own, of completion, and of a pipe that nobody reads any more
        if isinstance(end.__context__, BrokenPipeError):
            return _unread()
        raise
    return code


def _run(arguments: list[str]) -> int:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json, debug = "--json" in own, "--debug" in own
    try:
        code = create(arguments[0] if arguments else None)(
            arguments, prog_name="labctl", standalone_mode=False
        )
    except LabctlError as error:
        print_error(error, as_json=as_json, debug=debug)
        return error.exit_code
    except typer.TyperException as error:  # what typer itself finds wrong with the arguments
        wrong = misuse.told(error)
        print_error(wrong, as_json=as_json)
        return wrong.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except (BrokenPipeError, SystemExit):
        raise
    except Exception as error:  # noqa: BLE001  # the last boundary: a bug is told as one
        bug = LabctlError(
            f"labctl failed unexpectedly: {type(error).__name__}: {error}",
            hint="run it again with --debug in front of the command, and report what it prints",
        )
        bug.__cause__ = error
        print_error(bug, as_json=as_json, debug=debug)
        return bug.exit_code
    if code == INTERRUPTED:
        sys.stderr.write("labctl: interrupted\n")
    return int(code or 0)


def _unread() -> int:
    """End quietly where who read the output has had enough, as in ``labctl logs | head``."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    main()
