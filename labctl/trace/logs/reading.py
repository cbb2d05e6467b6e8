"""The lines of one log into entries, whichever daemon wrote them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from labctl.mail.log import dovecotlog, querylog, undated
from labctl.mail.log.logline import LineReader
from labctl.mail.log.maillog import event_from, split_name, split_queue_id
from labctl.trace.logs.entry import Entry

if TYPE_CHECKING:
    from datetime import tzinfo

    from labctl.trace.logs.entry import LogEvent
    from labctl.trace.logs.unread import Unread

_PLAIN_INSTANCE = "postfix"


class Reader:
    """Reads the lines of one log into entries."""

    def __init__(
        self,
        source: str,
        *,
        host: str = "",
        newest: datetime,
        zone: tzinfo = UTC,
        since: datetime | None = None,
        dated: bool = True,
        unread: Unread | None = None,
    ) -> None:
        """Know what the lines do not tell.

        Args:
            source: The log's name.
            host: Whose log it is, where that is known better than its lines tell.
            newest: When the log was written last: times without a year are not later than a day after.
            zone: Of times that name none.
            since: The time of lines that have none before the first that has one; None leaves them out.
            dated: Whether its lines have times at all; where not, their places keep them in order.
            unread: Gets the lines that can't be read.
        """
        self.lines = LineReader(newest=newest, zone=zone)
        self._source = source
        self._host = host
        self._last = since
        self._dated = dated
        self._unread = unread
        self._hosts: dict[tuple[str, str], str] = {}

    def entry(self, line: bytes | str, offset: int) -> Entry | None:
        """Read one line; None where it is no line of a log, or has no time and none was before it.

        Args:
            line: As the log has it; bytes that are no UTF-8 are kept as surrogates.
            offset: Where the line begins in the log, in bytes.
        """
        if isinstance(line, bytes):
            line = line.decode("utf-8", "surrogateescape")
        if (read := self.lines.read(line)) is None:
            self._pass_over(line, offset)
            return None
        at = read.at or (self._last if self._dated else undated.at_place(offset))
        if at is None:
            return None
        instance, _, program = split_name(read.name)
        queue_id: str | None = None
        event: LogEvent | None
        if instance:
            queue_id, text = split_queue_id(read.text)
            event = event_from(program, queue_id, text)
            if queue_id is None and event is not None:
                queue_id = event.queue_id
        elif read.name:
            program = dovecotlog.process(read.name, read.text) or program
            event = dovecotlog.parse(read.name, read.text)
        elif (event := querylog.parse(read.text)) is not None:
            at = event.at
        elif len(read.body) == len(line):  # nothing around it tells that a daemon wrote it
            self._pass_over(line, offset)
        self._last = at
        host = self._hosts.get((read.host, instance)) or self._name(read.host, instance)
        return Entry(at, host, program, read.pid, queue_id, read.body, event, self._source, offset)

    def _pass_over(self, line: str, offset: int) -> None:
        if self._unread is not None:
            self._unread.add(line.encode("utf-8", "surrogateescape"), offset)

    def _name(self, told: str, instance: str) -> str:
        """Return what the entries call a host: its lines are many, its names few."""
        host = self._host
        if not host:
            host = told or self._source
            if instance not in {"", _PLAIN_INSTANCE}:
                host = f"{host}/{instance}"
        if len(self._hosts) < _MOST_HOSTS:  # whoever writes garbage does not fill the memory
            self._hosts[told, instance] = host
        return host


_MOST_HOSTS = 10_000
