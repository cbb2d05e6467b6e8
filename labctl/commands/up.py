"""``labctl up``: makes a lab be there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.commands.status import Status, describe_ready
from labctl.contract.value import LabName, Word
from labctl.engine import images
from labctl.lab import lock, origin
from labctl.lab.attempt import attempt
from labctl.lab.mark import labels
from labctl.lab.name import valid_name
from labctl.lab.running import instance, lifecycle
from labctl.lab.running.difference import compare
from labctl.lab.running.teardown import take_down
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labctl.engine.protocol import Engine
    from labctl.lab.blueprint.definition import LabDefinition


@dataclass(frozen=True, slots=True)
class Up:
    """A lab that is there."""

    SCHEMA: ClassVar = "labctl/up/v1"

    name: LabName
    lab: Word
    """The lab's id."""
    changed: tuple[Word, ...]
    """What had to be done for that, one deed each; empty where nothing was."""
    status: Status | None
    """None after a dry run."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user asks ``up`` for.

    Args:
        lab: The lab.
        name: The instance's name; the lab's id where it is None.
        publish: Publish the ports on 127.0.0.1.
        attempt: A directory with a student's files, to lie over the lab's.
        base: A reference of the base image, instead of Debian's own.
        may_install: Whether packages may be installed to build images.
    """

    lab: LabDefinition
    name: str | None = None
    publish: bool = False
    attempt: Path | None = None
    base: str | None = None
    may_install: bool = False


def up(
    engine: Engine,
    engine_url: str,
    wish: Wish,
    *,
    environ: Mapping[str, str],
    dry_run: bool = False,
    progress: Progress = silent,
) -> Up:
    """Make a lab be there; what is there already is left alone.

    Hosts that carry a student's files may run without answering as they should: that is the student's to see.

    Raises:
        UsageError: A malformed name, or one that a lab of another kind has.
        LabError: The lab is wrong.
        AttemptError: A file of the attempt is missing, no plain file, or refused by its daemon; then a lab
            that was not there before is removed again.
        EngineError: The engine, an image or a daemon failed.
    """
    lab = wish.lab
    name = valid_name(wish.name if wish.name is not None else lab.id)
    specs = origin.image_specs()
    hand_in = attempt.read(wish.attempt, lab) if wish.attempt is not None else None
    planner = origin.planner_for(
        name,
        lab,
        specs,
        publish=wish.publish or origin.has_to_publish(engine_url),
        handed_in=attempt.for_hosts(hand_in.files, lab) if hand_in is not None else {},
        labels={labels.SEED: hand_in.seed} if hand_in is not None and hand_in.seed else {},
    )
    if dry_run:
        known = compare(engine, planner)
        instance.refuse_other(known.there, lab.id)
        built = tuple(f"image {each.name} built" for each in images.missing(engine, specs))
        return Up(name, lab.id, (*built, *map(str, known.changes)), None)

    def refuse_other() -> None:
        instance.refuse_other(instance.observe(engine, name), lab.id)

    with lock.held(engine, name, progress, in_use=refuse_other):
        known = compare(engine, planner)
        instance.refuse_other(known.there, lab.id)  # no image is made for that
        built = tuple(
            f"image {each} built"
            for each in images.ensure(
                engine,
                specs,
                progress=progress,
                base_reference=wish.base,
                environ=environ,
                may_install=wish.may_install,
            )
        )
        if built:  # which takes a while
            known = compare(engine, planner)
        tolerance = lifecycle.Tolerance.of(planner)
        changes = lifecycle.bring_up(engine, planner, progress, known=known, tolerance=tolerance)
        there = known.there if known.settled else instance.observe(engine, name)
        if hand_in is not None:
            from labctl.lab.attempt.rejection import rejection  # noqa: PLC0415  # only for an attempt

            if (refused := rejection(engine, there, lab, handed_in=hand_in.files)) is not None:
                if not known.there.exists:
                    take_down(engine, name)
                raise refused
        described = describe_ready(engine, there, but_for=tolerance.unready)
    return Up(name, lab.id, (*built, *(str(change) for change in changes)), described)
