"""``labctl fault``: conditions to order, applied to a running lab and undone."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from labctl.contract.value import FaultName, LabName, ParameterName, Rule, Word
from labctl.errors import UsageError
from labctl.faults import application, catalogue
from labctl.interruption import undone
from labctl.lab import lock
from labctl.lab.running import instance
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labctl.engine.protocol import Engine
    from labctl.faults.fault import Fault
    from labctl.lab.mark.faultrecord import FaultRecord


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One parameter of a fault."""

    name: ParameterName
    required: bool
    default: str
    choices: tuple[Word, ...]
    """Empty where it takes more than a few values."""
    description: Word


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One fault."""

    name: FaultName
    title: Word
    """What it does, in words."""
    setting: Word
    """What it does, in the daemon's own terms."""
    parameters: tuple[ParameterRow, ...]
    active: bool


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults there are."""

    SCHEMA: ClassVar = "labctl/fault-list/v1"

    faults: tuple[FaultRow, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a parameter of an applied fault is set to."""

    name: ParameterName
    value: Word


@dataclass(frozen=True, slots=True)
class FaultApplied:
    """One fault that is applied to a lab from now on."""

    SCHEMA: ClassVar = "labctl/fault-apply/v1"

    name: LabName
    """The lab's name."""
    lab: str
    """The lab's id."""
    fault: FaultName
    title: Word
    parameters: tuple[Setting, ...]
    """All of them, given or by default."""
    services: Annotated[tuple[Word, ...], Rule(least=1)]
    """The services that it changes."""


@dataclass(frozen=True, slots=True)
class FaultsReverted:
    """What was undone in a lab."""

    SCHEMA: ClassVar = "labctl/fault-revert/v1"

    name: LabName
    """The lab's name."""
    reverted: tuple[FaultName, ...]
    """The faults' names."""


def faults(engine: Engine | None, name: str | None) -> Faults:
    """List all faults, and tell which of them are active.

    Args:
        engine: The engine, or None where there is none: then none is active.
        name: The lab's name, or None for the only one that runs; where none or several do, none is active.

    Raises:
        LabNotUp: No lab of that name is up.
    """
    active = {each.name: each for each in _applied(engine, name)}
    return Faults(tuple(_row(each, active.get(each.name)) for each in catalogue.FAULTS))


def ordered(name: str, assignments: Sequence[str]) -> tuple[Fault, dict[str, str]]:
    """Find a fault, and read the values that its parameters are given, ``key=value`` each.

    Raises:
        NoSuchFault: There is none of that name.
        UsageError: A malformed assignment, an unknown parameter, or a value that is not one.
    """
    fault = catalogue.find(name)
    given: dict[str, str] = {}
    for each in assignments:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise UsageError(f"{each!r} is no key=value", hint=f"labctl fault apply {name} KEY=VALUE")
        if key in given:
            once = f"{key}={shlex.quote(given[key])}"
            raise UsageError(f"{key} is given twice", hint=f"labctl fault apply {name} {once}")
        given[key] = value
    fault.values(given)
    return fault, given


def apply(
    engine: Engine,
    name: str | None,
    fault: Fault,
    given: Mapping[str, str],
    progress: Progress = silent,
    *,
    tell: Callable[[FaultApplied], None] = lambda _: None,
) -> FaultApplied:
    """Apply a fault to a running lab; what is wrong leaves nothing of it behind.

    Args:
        engine: The engine.
        name: The lab's name, or None for the only one that runs.
        fault: The fault.
        given: Values of its parameters.
        progress: Told who is waited for.
        tell: Tells the user. Until that is done, an order to stop takes the fault back.

    Raises:
        UsageError: No such lab or host, one that does not run, or a fault that clashes with an applied one.
        FaultError: A host or the machine's kernel refused it.
    """
    there = instance.select(engine, name)
    with lock.held(engine, there.name, progress):
        there = instance.observe(engine, there.name)
        before = any(record.name == fault.name for record in there.faults)

        def undo() -> None:
            if not before:
                application.revert(engine, instance.observe(engine, there.name), fault.name)

        with undone(undo, unless=(Exception,)):  # what failed is undone, and what can't be told stays
            done = application.apply(engine, there, fault, given)
            settings = tuple(Setting(key, value) for key, value in done.parameters.items())
            applied = FaultApplied(there.name, there.lab, done.name, done.title, settings, done.services)
            tell(applied)
            return applied


def revert(
    engine: Engine, name: str | None, fault: str | None = None, progress: Progress = silent
) -> FaultsReverted:
    """Undo one fault, or all; one that is not applied is no error.

    Raises:
        UsageError: No such lab or fault, or another fault stands in the way.
        FaultError: A host could not be put back; the fault stays on record.
    """
    there = instance.select(engine, name)
    with lock.held(engine, there.name, progress):
        there = instance.observe(engine, there.name)
        if fault is None:
            return FaultsReverted(there.name, application.revert_all(engine, there))
        active = any(record.name == fault for record in there.faults)
        if not active:
            catalogue.find(fault)
        application.revert(engine, there, fault)
    return FaultsReverted(there.name, (fault,) if active else ())


def _applied(engine: Engine | None, name: str | None) -> tuple[FaultRecord, ...]:
    if engine is None:
        return ()
    try:
        return instance.select(engine, name).faults
    except UsageError:
        if name is None:
            return ()
        raise


def _row(fault: Fault, record: FaultRecord | None) -> FaultRow:
    values = fault.values({}) | dict(record.parameters if record is not None else {})
    return FaultRow(
        name=fault.name,
        title=fault.told(values),
        setting=fault.setting,
        parameters=tuple(
            ParameterRow(
                each.name,
                required=False,
                default=each.default,
                choices=each.choices,
                description=each.meaning,
            )
            for each in fault.parameters
        ),
        active=record is not None,
    )
