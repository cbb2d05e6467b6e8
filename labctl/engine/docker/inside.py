"""The inside of Docker Engine's containers: files, commands and logs."""

from __future__ import annotations

import io
import os
import secrets
import tarfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labctl.engine.docker.connection import Connection, escaped, id_in, text
from labctl.engine.docker.rotation import PackedLog, UnrepeatedLog, is_packed
from labctl.engine.logstream import STDERR, STDOUT, Frames, FrameStream, joined
from labctl.engine.model import ExecResult
from labctl.engine.protocol import ENDED_WITHIN, MOST_SAID
from labctl.errors import EngineError, EngineUnavailable, NoSuchObject, ServiceCommandFailed
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from labctl.engine.answer import Stream
    from labctl.engine.model import File
    from labctl.engine.protocol import LogStream

_CHANGED_AGO: Final = 3600
"""Postfix pauses where a configuration file is younger than about two seconds."""

_MARK: Final = "LABCTL_COMMAND"
"""In the environment of every command, what tells it from all others, and so the processes that are its."""

_KILL: Final = """
for each in /proc/[0-9]*; do
    if tr '\\0' '\\n' < "$each/environ" | grep -qx "$1"; then kill -KILL "${each#/proc/}"; fi
done 2> /dev/null
exit 0
"""
"""For a container's shell: ends the processes that have this in their environment."""

_KILLED_WITHIN: Final = 5.0
"""Seconds for that."""

_TELL: Final = """
mark=$1
shift
"$@"
code=$?
printf %s "$mark"
printf %s "$mark" >&2
exit $code
"""
"""For a container's shell: runs a command, and marks the end of both streams.

Docker Engine 20.10 loses a stream of a command that ends before the engine has opened it: with 64 at a time
on two cores, one command of 2,600 ended with 0 and seemed to have said nothing.
"""

_NOT_RUN: Final = frozenset({126, 127})
"""What a command ends with that could not be run at all."""

_KILLED: Final = 128
"""A command that a signal ended, ends with more than this, and its shell may have had no time for a mark."""

_TRIES: Final = 5
"""How often a command is run whose words are lost, where it may be."""

_KNOWN_WITHIN: Final = 5.0
"""Seconds that the engine has to know what a command ended with that has said all."""

_SHOWN: Final = 1000
"""Bytes that are told of what a command said that was ended."""


class Inside(Connection):
    """The part of `labctl.engine.protocol.Engine` that looks inside."""

    def put_files(self, name: str, files: Sequence[File]) -> None:
        self._order(f"files for {name}", f"PUT /containers/{escaped(name)}/archive", _tar(files), path="/")

    def get_file(self, name: str, path: str) -> bytes:
        doing = f"{path} of {name}"
        asked = f"GET /containers/{escaped(name)}/archive"
        archived = self._answer(doing, asked, query={"path": path}).body
        try:
            with tarfile.open(fileobj=io.BytesIO(archived)) as archive:
                member = archive.next()
                content = archive.extractfile(member) if member is not None and member.isreg() else None
                if content is not None:
                    return content.read()
        except (tarfile.TarError, EOFError, ValueError) as exc:
            raise EngineError(f"{doing}: the engine sent no tar ({exc})", hint="labctl doctor") from exc
        raise NoSuchObject(f"{doing} is no regular file", hint=f"labctl shell {name}")

    def execute(
        self,
        name: str,
        argv: Sequence[str],
        *,
        user: str = "",
        within: float | None = ENDED_WITHIN,
        most: int = MOST_SAID,
        again: bool = False,
    ) -> ExecResult:
        """See `Engine.execute`."""
        for _ in range(_TRIES if again else 1):
            done = self._execute(name, argv, user, within, most)
            if done is not None:
                return done
        raise EngineError(f"{argv[0]} in {name}: the engine lost what it said", hint="labctl doctor")

    def _execute(
        self, name: str, argv: Sequence[str], user: str, within: float | None, most: int
    ) -> ExecResult | None:
        """Run a command; return None where it ended, but what it said is not here."""
        doing = f"{argv[0]} in {name}"
        mark = f"{_MARK}={secrets.token_hex(16)}"
        told = ["/bin/sh", "-c", _TELL, "sh", mark, *argv]
        exit_code, said = self._run(doing, name, _command(told, user, mark), within=within, most=most)
        marked = [mark.encode() in each for each in said.values()]
        if exit_code in _NOT_RUN and not any(marked):  # there is no shell
            exit_code, said = self._run(doing, name, _command(argv, user, mark), within=within, most=most)
        elif exit_code is not None and exit_code <= _KILLED and not all(marked):
            return None
        if exit_code is not None:
            parts = (said[source].rpartition(mark.encode()) for source in (STDOUT, STDERR))
            return ExecResult(exit_code, *(bytes(before + behind) for before, _, behind in parts))
        with suppress(EngineError):  # that it came to no end is what there is to tell
            kill = _command(["/bin/sh", "-c", _KILL, "kill", mark], user)
            self._run(f"the end of {doing}", name, kill, within=_KILLED_WITHIN, most=most)
        length = sum(len(each) for each in said.values())
        time_given = "" if within is None else f" in {within:g} s"
        raise ServiceCommandFailed(
            f"{doing} came to no end: {length} bytes{time_given}",
            hint="labctl status",
            detail={"said": bytes(said[STDOUT] + said[STDERR])[-_SHOWN:].decode("utf-8", "backslashreplace")},
        )

    def _run(
        self, doing: str, name: str, command: Mapping[str, Any], *, within: float | None, most: int
    ) -> tuple[int | None, dict[int, bytearray]]:
        """Run a command; return its exit code, None where a bound has passed, and what it said by stream."""
        exec_id = self._ask(doing, f"POST /containers/{escaped(name)}/exec", command, read=id_in)
        stream = self._stream(doing, f"POST /exec/{exec_id}/start", {"Detach": False})

        def exit_code() -> int | None:
            return self._exit_code(doing, exec_id)

        # Who is silent may be the command, or the engine: only the engine knows.
        stream.connection.bound(
            silence=self.patience.silence, within=within, patient=lambda: exit_code() is None
        )
        said = {STDOUT: bytearray(), STDERR: bytearray()}
        with closing(Frames(stream)) as frames:
            try:
                for source, content in frames:
                    said[source] += content
                    if sum(len(each) for each in said.values()) > most:
                        return None, said
            except EngineUnavailable as exc:
                if not isinstance(exc.__cause__, TimeoutError) or exit_code() is not None:
                    raise
                return None, said
        return eventually(exit_code, within=_KNOWN_WITHIN), said

    def attach(self, name: str, argv: Sequence[str]) -> int:
        from labctl.engine.terminal import converse  # noqa: PLC0415  # needs a terminal's modules

        doing = f"{argv[0]} in {name}"
        wanted = {
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": True,
            "Cmd": [*argv],
        }
        exec_id = self._ask(doing, f"POST /containers/{escaped(name)}/exec", wanted, read=id_in)
        upgrade = {"Connection": "Upgrade", "Upgrade": "tcp"}
        asked = f"POST /exec/{exec_id}/start"
        start = {"Detach": False, "Tty": True}
        with closing(self._stream(doing, asked, start, headers=upgrade, terminal=True)) as stream:
            converse(
                stream.connection.inner,
                resize=lambda rows, columns: self._order(
                    doing, f"POST /exec/{exec_id}/resize", h=rows, w=columns
                ),
            )
        return self._exit_code(doing, exec_id) or 0

    def logs(
        self, name: str, *, since: datetime | None = None, tail: int | None = None, follow: bool = False
    ) -> LogStream:
        if not follow:
            stream = self._log_stream(name, _log_query(since, tail))
            stream.connection.bound(silence=self.patience.answer, within=self.patience.log)
            return FrameStream(Frames(stream))
        asked = f"GET /containers/{escaped(name)}/json"
        if self._ask(f"log of {name}", asked, read=is_packed):
            return PackedLog(
                lambda most: self.logs(name, tail=most),
                lambda: self._ask(f"log of {name}", asked, read=_lives),
                since,
                tail,
            )
        stream = self._log_stream(name, _log_query(since, tail) | {"follow": 1})
        return UnrepeatedLog(FrameStream(Frames(stream)))

    def _log_stream(self, name: str, query: Mapping[str, Any]) -> Stream:
        return self._stream(f"log of {name}", f"GET /containers/{escaped(name)}/logs", **query)

    def read_log(self, name: str, *, since: datetime | None = None, tail: int | None = None) -> bytes:
        asked = f"GET /containers/{escaped(name)}/logs"
        return joined(self._blob(f"log of {name}", asked, **_log_query(since, tail)))

    def log_files(self, name: str) -> tuple[Path, ...]:
        """See `Engine.log_files`; they are those of the driver ``json-file``."""
        newest = self._ask(f"container {name}", f"GET /containers/{escaped(name)}/json", read=_log_path)
        if newest is None or not self.endpoint.url.startswith("unix:"):
            return ()
        try:
            older = [path for path in newest.parent.iterdir() if path.name.startswith(f"{newest.name}.")]
            older.sort(key=lambda path: int(path.suffix[1:]), reverse=True)
        except (OSError, ValueError):  # nothing of this user's, or compressed ones
            return ()
        found = (*older, newest)
        return found if all(os.access(path, os.R_OK) for path in found) else ()

    def _exit_code(self, doing: str, exec_id: str) -> int | None:
        """Return what a command ended with; None while it runs."""
        return self._ask(doing, f"GET /exec/{exec_id}/json", read=_exit_code)


def _command(argv: Sequence[str], user: str, *marks: str) -> dict[str, Any]:
    """Return a command as the API wants it described."""
    wanted = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(argv), "User": user}
    return {**wanted, "Env": list(marks)}


def _exit_code(said: Any) -> int | None:
    return None if said["ExitCode"] is None else int(said["ExitCode"])


def _lives(said: Any) -> bool:
    return bool(said["State"]["Running"])


def _log_path(each: Any) -> Path | None:
    ours = each["HostConfig"]["LogConfig"]["Type"] == "json-file" and each.get("LogPath")
    return Path(text(ours)) if ours else None


def _log_query(since: datetime | None, tail: int | None) -> dict[str, Any]:
    query = {"stdout": 1, "stderr": 1, "timestamps": 1, "tail": "all" if tail is None else tail}
    return query if since is None else query | {"since": f"{since.timestamp():.6f}"}


def _tar(files: Sequence[File]) -> bytes:
    buffer = io.BytesIO()
    changed = int(time.time()) - _CHANGED_AGO
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in files:
            member = tarfile.TarInfo(file.path.lstrip("/"))
            member.size = len(file.content)
            member.mode = file.mode
            member.mtime = changed
            archive.addfile(member, io.BytesIO(file.content))
    return buffer.getvalue()
