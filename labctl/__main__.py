"""The entry point, and the only error boundary: every way out of labctl ends here."""

# ruff: noqa: PLC0415  # until it is known what an order to stop does, as little as can be is imported

from __future__ import annotations

import os
import sys

_COLLECT_AFTER = 50_000
"""Objects until garbage is looked for: most of what a command makes are modules, which stay."""


def main() -> None:
    """Run labctl and exit with the code that says how it went."""
    try:
        from labctl import interruption

        interruption.exit_at_once()
    except KeyboardInterrupt:
        os._exit(130)
    import gc
    from contextlib import suppress

    gc.set_threshold(_COLLECT_AFTER)
    from labctl.cli import app, console, encoding, misuse, streams  # noqa: F401  # here before anything begins

    try:
        interruption.heed()
        streams.open_standard_streams()
        encoding.settle(os.environ)
        code = run(sys.argv[1:])
        interruption.ignore()
    except KeyboardInterrupt:  # in the middle of telling how it went
        interruption.ignore()
        code = interruption.EXIT_CODE
    with suppress(OSError):  # nobody can be told
        sys.stderr.flush()
    if code == interruption.EXIT_CODE:
        import atexit

        atexit._run_exitfuncs()  # noqa: SLF001  # an order to stop may have come before what it opened was to be closed
    os._exit(code)  # what a command opened is closed by then; to take the interpreter apart costs 20 ms


def run(arguments: list[str]) -> int:
    """Run one command.

    Args:
        arguments: The command line, without the program's name.

    Returns:
        The exit code: 0 done, 1 a mail or a check was not as wished, 2 usage, 3 a bad lab, 4 engine or
        service, 70 a bug in labctl, 130 told to stop.
    """
    from labctl.errors import OutputError

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
    import typer

    from labctl import interruption
    from labctl.cli import misuse
    from labctl.cli.app import create
    from labctl.cli.console import print_error
    from labctl.errors import LabctlError, refused

    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json, debug = "--json" in own, "--debug" in own
    try:
        code = create(arguments)(arguments, prog_name="labctl", standalone_mode=False)
    except LabctlError as error:
        print_error(error, as_json=as_json, debug=debug)
        return interruption.EXIT_CODE if interruption.came() else error.exit_code
    except typer.TyperException as error:  # what typer itself finds wrong with the arguments
        wrong = misuse.told(error)
        print_error(wrong, as_json=as_json)
        return wrong.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = interruption.EXIT_CODE
    except (BrokenPipeError, SystemExit):
        raise
    except Exception as error:  # noqa: BLE001  # the last boundary: what the system refused, or a bug
        if interruption.came() and not debug:  # what was cut short may fail in any way
            return _stopped()
        failed = (
            refused(error)
            if isinstance(error, OSError | MemoryError)
            else LabctlError(
                f"labctl failed unexpectedly: {type(error).__name__}: {error}",
                hint="run it again with --debug in front of the command, and report what it prints",
            )
        )
        failed.__cause__ = error
        print_error(failed, as_json=as_json, debug=debug)
        return failed.exit_code
    return _stopped() if code == interruption.EXIT_CODE else int(code or 0)


def _stopped() -> int:
    from labctl.cli.console import tell
    from labctl.interruption import EXIT_CODE

    tell("labctl: interrupted\n")  # the terminal may have gone
    return EXIT_CODE


def _unread() -> int:
    """End quietly where who read the output has had enough, as in ``labctl logs | head``."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    main()
