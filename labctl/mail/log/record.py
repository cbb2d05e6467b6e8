"""Records as the journal, shippers and databases of logs export them: objects with a field for the line.

Which field is what is known by its name, whichever program wrote it: systemd.journal-fields(7), GELF of
Graylog, Elastic Common Schema, Splunk, Loki, and the logging of clouds.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from labctl.mail.log import head
from labctl.mail.log.stamp import of_epoch

_MESSAGE: Final = (
    "message",
    "msg",
    "short_message",
    "full_message",
    "log",
    "line",
    "event.original",
    "textpayload",
    "raw",
    "body",
    "text",
    "content",
)
_TIME: Final = (
    "realtime_timestamp",
    "source_realtime_timestamp",
    "timestamp",
    "time",
    "datetime",
    "date",
    "ts",
    "eventtime",
    "timegenerated",
    "timereported",
)
_HOST: Final = (
    "hostname",
    "host.name",
    "host.hostname",
    "host",
    "syslog_hostname",
    "logsource",
    "source",
    "computer",
    "fromhost",
    "pod_name",
    "container_name",
)
_NAME: Final = (
    "syslog_identifier",
    "application_name",
    "appname",
    "app_name",
    "programname",
    "program",
    "process.name",
    "ident",
    "identifier",
    "syslogtag",
    "tag",
    "comm",
)
_PID: Final = ("syslog_pid", "pid", "procid", "process_id", "process.pid")
_OURS: Final = ("postfix", "dovecot")
_DEEPEST: Final = 6
_MOST_FIELDS: Final = 1000
_LONGEST: Final = 1 << 16
_LEAST_FIELDS: Final = 2
_PID_LENGTH: Final = 11
_NAME_LENGTH: Final = 256
_TIME_LENGTH: Final = 64


def object_of(text: str) -> dict[str, Any]:
    """Return a JSON object; an empty one where the text is none."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def unwrapped(told: Mapping[str, Any]) -> str | None:
    """Return the line of a record, as a log would have it; None where no field holds one.

    Args:
        told: The record, as JSON has it; fields may lie in others.
    """
    fields: dict[str, object] = {}
    _collect(told, "", fields)
    messages = [text for each in _MESSAGE if (text := plain(fields.get(each)))]
    if not messages:
        return None
    heads = ((text, head.spoken(text)) for text in messages)
    message, said = next(
        (each for each in heads if each[1] is not None and each[1].name), (messages[0], None)
    )
    at, host = _time(fields), head.host_of(_word(fields, _HOST))
    if said is not None and not head.bare(message):
        if not said.before and not head.CLASSIC_STAMP.match(message) and not head.ISO_STAMP.match(message):
            at = f"{at} {host}".strip()
        return f"{at} {message}".strip()
    name = _word(fields, _NAME).partition("[")[0].rstrip(":")
    if not name or (said is not None and "/" not in name and not name.startswith(_OURS)):
        return f"{at} {message}".strip()
    pid = _word(fields, _PID)
    tag = f"{name}[{pid}]" if pid.isascii() and pid.isdigit() and len(pid) < _PID_LENGTH else name
    return f"{at} {host or '-'} {tag}: {message}".strip()


def plain(value: object) -> str:
    """Return a text in one line: a string, bytes as numbers, or several, of which the first counts."""
    if isinstance(value, list) and value:
        try:
            value = bytes(value).decode("utf-8", "surrogateescape")
        except (TypeError, ValueError):
            value = value[0]
    return " ".join(value[:_LONGEST].split("\n")).strip("\r\n \0") if isinstance(value, str) else ""


def columns(line: str, separator: str = ",") -> list[str]:
    """Return the columns of a line of a table (RFC 4180); none where it is no line of one."""
    try:
        return next(csv.reader([line[:_LONGEST]], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return []


def of_columns(cells: list[str], names: list[str] | None = None) -> str | None:
    """Return the line that a row of a table holds; None where no column does.

    Args:
        cells: The columns.
        names: What they are called; where nobody knows, they are told by what they hold.
    """
    if len(cells) < _LEAST_FIELDS:
        return None
    if names is not None:
        return unwrapped(dict(zip(names, cells, strict=False)))
    spoken = next((number for number, cell in enumerate(cells) if head.spoken(cell) is not None), None)
    if spoken is None:
        return None
    told = {"message": cells[spoken]}
    for cell in cells[:spoken] + cells[spoken + 1 :]:
        if _iso(cell):
            told.setdefault("time", cell)
        elif " " not in cell and head.host_of(cell):
            told.setdefault("host", cell)
    return unwrapped(told)


def names_a_message(names: list[str]) -> bool:
    """Whether columns of these names have one that holds lines."""
    return len(names) >= _LEAST_FIELDS and any(_key(name).rpartition(".")[2] in _MESSAGE for name in names)


def _collect(told: Mapping[str, Any], above: str, fields: dict[str, object], depth: int = 0) -> None:
    """Lay the fields of a record side by side, each by its own name and by its way down to it."""
    for name, value in told.items():
        if len(fields) > _MOST_FIELDS:
            return
        key = _key(name)
        if isinstance(value, Mapping):
            if depth < _DEEPEST:
                _collect(value, key, fields, depth + 1)
        else:
            fields.setdefault(f"{above}.{key}" if above else key, value)
            fields.setdefault(key, value)
            fields.setdefault(key.rpartition(".")[2], value)


def _key(name: str) -> str:
    return name.casefold().strip('_@ \ufeff"')


def _word(fields: Mapping[str, object], names: tuple[str, ...]) -> str:
    """Return the first of some fields that holds a word."""
    for name in names:
        value = fields.get(name)
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else plain(value)
        if text and " " not in text and len(text) < _NAME_LENGTH:
            return text
    return ""


def _time(fields: Mapping[str, object]) -> str:
    """Return a record's time as RFC 3339 has it, or as it is where it is in another form."""
    for name in _TIME:
        value = fields.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = f"{value:.9f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        text = plain(value)
        if not text or len(text) > _TIME_LENGTH:
            continue
        if text.replace(".", "", 1).isdigit() and text.isascii():
            if (at := of_epoch(text)) is not None:
                return _written(at)
        elif told := _iso(text):
            return told
        else:
            return text
    return ""


def _iso(text: str) -> str:
    try:
        at = datetime.fromisoformat(text.strip()) if len(text) < _TIME_LENGTH else None
        return "" if at is None else _written(at.astimezone(UTC) if at.tzinfo else at)
    except (ValueError, OverflowError):
        return ""


def _written(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
