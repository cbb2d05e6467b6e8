"""What labctl did to the machine's engine: written down as it happens, so that it can be undone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from labctl.engine.local import traces
from labctl.errors import EngineError
from labctl.output import writing

if TYPE_CHECKING:
    from labctl.engine.local.daemon import StartedBy
    from labctl.engine.machine import Machine

PATH: Final = "/var/lib/labctl/engine.json"


@dataclass(frozen=True, slots=True)
class Record:
    """What labctl did to the machine, and how the machine was before.

    Args:
        at: When it began, RFC 3339.
        packages: The packages that it installed.
        packages_before: Those that were here before; only while apt is at work, or if that was cut short.
        directories_before: Docker's directories that held something before.
        group_before: Whether there was a docker group.
        forwarding_before: ``net.ipv4.ip_forward``.
        forward_policy_before: The policy of the packet filter's FORWARD chain.
        started_by: What started dockerd, see `daemon.Launch`; None where it did not come to that.
        pid: The dockerd that was started.
    """

    at: str
    packages: tuple[str, ...] = ()
    packages_before: tuple[str, ...] | None = None
    directories_before: tuple[str, ...] = ()
    group_before: bool = True
    forwarding_before: str = "1"
    forward_policy_before: str = "ACCEPT"
    started_by: StartedBy | None = None
    pid: int | None = None

    @property
    def installed(self) -> bool:
        """Whether labctl installed the engine, or began to; else it only started it."""
        return bool(self.packages) or self.packages_before is not None


def read(machine: Machine) -> Record | None:
    """Read what labctl did to this machine, or None.

    Raises:
        EngineError: There is a record that can't be read.
    """
    path = machine.path(PATH)
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        lists = {key: tuple(value) for key, value in found.items() if isinstance(value, list)}
        return Record(**{**found, **lists})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError) as exc:
        raise EngineError(f"{path} is no record of an engine: {exc}", hint=f"cat {path}") from exc


def write(machine: Machine, record: Record) -> None:
    """Write it in one step: a crash leaves the old one or the new one.

    Raises:
        OutputError: It can't be written.
    """
    path = machine.path(PATH)
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path) as file:
        file.write(f"{json.dumps(asdict(record), indent=1)}\n".encode())


def survey(machine: Machine) -> Record:
    """Begin a record with how the machine is before labctl does anything to it."""
    return Record(
        at=datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        directories_before=traces.directories(machine),
        group_before=traces.has_group(machine),
        forwarding_before=traces.forwarding(machine),
        forward_policy_before=traces.forward_policy(machine),
    )
