"""Makes calls and judges them, one after the other; run contained, by `tests.fuzz`."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator, ValidationError

from labctl.contract import published
from tests.fuzz import engines, places
from tests.fuzz.grammar import Call, calls

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPECTED: Final = frozenset({0, 1, 2, 3, 4, 130})
BOUND: Final = 60.0
"""Seconds of one call: far more than any takes, also on a busy machine."""

_MEMORY: Final = 4 << 30
_FILE: Final = 64 << 20
_MOST_SAID: Final = 1 << 20
_SHORT: Final = 8000
"""Characters of an error; none needs more, whatever it quotes."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a call; `code` is None where it came to no end."""

    code: int | None
    stdout: bytes
    stderr: bytes


def made(call: Call) -> Ran:
    """Make one call, in a directory of its own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as scratch, ExitStack() as ends:  # it is our own
        directory = Path(scratch) / "place"
        directory.mkdir()
        places.build(directory)
        address = Path(scratch) / "engine"
        if call.engine != "none":
            ends.enter_context(engines.running(address, odd=call.engine == "odd", seed=len(call.arguments)))
        environ: dict[str, str | None] = {
            "HOME": str(directory),
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "LABCTL_LABS": str(directory / "labs"),
            "DOCKER_HOST": f"unix://{address}",
            "PYTHONPATH": os.environ["PYTHONPATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            **call.environment,
        }
        out, err = Path(scratch) / "out", Path(scratch) / "err"
        streams = [ends.enter_context(_input(call.stdin, directory))]
        streams += [
            ends.enter_context(_output(kind, to)) for kind, to in ((call.stdout, out), (call.stderr, err))
        ]
        closed = [n for n, kind in enumerate((call.stdin, call.stdout, call.stderr)) if kind == "closed"]
        process = subprocess.Popen(
            [sys.executable, "-B", "-m", "labctl", *call.arguments],
            cwd=directory,
            env={name: value for name, value in environ.items() if value is not None},
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            start_new_session=True,
            preexec_fn=partial(_bounded, closed),  # noqa: PLW1509  # no thread holds a lock that it needs
        )
        try:
            code: int | None = process.wait(BOUND)
        except subprocess.TimeoutExpired:
            code = None
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return Ran(code, _said(out), _said(err))


def judged(call: Call, ran: Ran, known: dict[str, Any]) -> str:
    """Say what is wrong with what became of a call; empty where nothing is."""
    stderr = ran.stderr.decode(errors="replace")
    if ran.code is None:
        return f"it took longer than {BOUND} s"
    if ran.code not in EXPECTED:
        return f"exit code {ran.code}"
    if "Traceback (most recent" in stderr and "--debug" not in call.arguments:
        return "a traceback"
    if "Exception ignored" in stderr or "Fatal Python error" in stderr:
        return "Python itself complained"
    if len(stderr) > _SHORT and "--debug" not in call.arguments:
        return f"an error of {len(stderr)} characters"
    return _judged_document(call, ran, known)


def _judged_document(call: Call, ran: Ran, known: dict[str, Any]) -> str:
    own = call.arguments[: call.arguments.index("--")] if "--" in call.arguments else call.arguments
    told = {"--follow", "-f", "--watch", "-w", "--help", "-h", "--version"} & {*own}
    command = next((each for each in own if not each.startswith("-")), "")
    helped = command == "help" and ran.code == 0  # only its errors are documents
    if call.stdout != "pipe" or "--json" not in own or told or helped:
        return ""
    try:
        document = json.loads(ran.stdout)
        known[document["schema"]].validate(document)
    except (ValueError, KeyError, TypeError) as exc:
        return f"no document: {type(exc).__name__}: {exc}"
    except ValidationError as exc:
        return f"not what the schema says: {exc.message[:200]}"
    failed = document["schema"] == "labctl/error/v1"
    if failed and ran.code == 0:
        return "an error, and exit code 0"
    return ""


def _input(kind: str, directory: Path) -> Any:
    path = Path(os.devnull) if kind in {"null", "closed"} else directory / kind
    return path.open("rb")


def _output(kind: str, path: Path) -> Any:
    if kind == "gone":
        reader, writer = os.pipe()
        os.close(reader)
        return os.fdopen(writer, "wb")
    return (Path("/dev/full") if kind == "full" else path).open("wb")


def _bounded(closed: list[int]) -> None:
    """Bound the process that is to become labctl, and close what it is not to have."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE, _FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for each in closed:
        os.close(each)


def _said(path: Path) -> bytes:
    return path.read_bytes()[:_MOST_SAID] if path.exists() else b""


def _told(call: Call, known: dict[str, Any]) -> dict[str, Any] | None:
    ran = made(call)
    if not (wrong := judged(call, ran, known)):
        return None
    said = ran.stderr[-3000:].decode(errors="replace")
    return {"wrong": wrong, "call": call.as_json(), "stderr": said, "stdout": repr(ran.stdout[-300:])}


def _wanted(arguments: list[str]) -> Iterator[Call]:
    if arguments[0] == "replay":
        yield from (Call.of_json(json.loads(line)) for line in sys.stdin)
    else:
        yield from calls(int(arguments[0]), int(arguments[1]))


def reach() -> dict[str, list[str]]:
    """Say what can be reached from here: what is there, and where a file can be written."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text("utf-8").splitlines()]
    return {
        "places": [each.name for each in Path("/").iterdir()],
        "devices": sorted(each.name for each in Path("/dev").iterdir()),
        "networks": [name for _, name in socket.if_nameindex()],
        "written": sorted({each for each in mounts if _can_be_written(Path(each))}),
    }


def _can_be_written(place: Path) -> bool:
    if not place.is_dir():
        return False
    try:
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def validators() -> dict[str, Any]:
    """Return what checks each of labctl's documents, by its schema's name."""
    return {name: Draft202012Validator(published.load(name)) for name in published.names()}


def main() -> None:
    """Make all calls, and write a line of JSON for each that went wrong, and one at the end."""
    if os.getpid() != 1:
        raise SystemExit("this is for python -m tests.fuzz: uncontained, calls may write anywhere")
    if sys.argv[1] == "reach":
        print(json.dumps(reach()))
        return
    done = 0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for wrong in pool.map(partial(_told, known=validators()), _wanted(sys.argv[1:])):
            done += 1
            if wrong is not None:
                print(json.dumps(wrong), flush=True)
    print(json.dumps({"done": done}), flush=True)


if __name__ == "__main__":
    main()
