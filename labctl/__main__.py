"""The entry point, and the only error boundary: every way out of labctl ends here."""

from __future__ import annotations

import sys

import typer

from labctl.cli.app import create
from labctl.cli.console import print_error
from labctl.errors import LabctlError, UsageError

INTERRUPTED = 130


def main() -> None:
    """Run labctl and exit with the code that says how it went."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command.

    Args:
        arguments: The command line, without the program's name.

    Returns:
        The exit code: 0 done, 1 a mail or a check was not as wished, 2 usage, 3 a bad lab, 4 engine or
        service, 70 a bug in labctl, 130 interrupted.
    """
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json, debug = "--json" in own, "--debug" in own
    try:
        code = create()(arguments, prog_name="labctl", standalone_mode=False)
    except LabctlError as error:
        if debug:
            raise
        print_error(error, as_json=as_json)
        return error.exit_code
    except typer.TyperException as error:  # what typer itself finds wrong with the arguments
        print_error(UsageError(error.format_message(), hint=_help_for(own)), as_json=as_json)
        return UsageError.exit_code
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("labctl: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:  # who read the output has had enough
        sys.stderr.close()
        return 0
    except Exception as error:  # the last boundary: a bug is told as one
        if debug:
            raise
        bug = LabctlError(
            f"labctl failed unexpectedly: {type(error).__name__}: {error}",
            hint="run it again with --debug in front of the command, and report what it prints",
        )
        print_error(bug, as_json=as_json)
        return bug.exit_code
    return int(code or 0)


def _help_for(arguments: list[str]) -> str:
    command = next((each for each in arguments if not each.startswith("-")), "")
    return f"labctl {command} --help".replace("  ", " ")


if __name__ == "__main__":
    main()
