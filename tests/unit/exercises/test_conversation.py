"""A conversation with a server, line by line, as steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from labctl.engine.model import ContainerState, PublishedPort
from labctl.errors import ServiceCommandFailed
from labctl.exercises.vocabulary.conversation import connected

if TYPE_CHECKING:
    from tests.unit.conftest import Stage
    from tests.unit.exercises.conftest import Scene


def test_a_client_may_talk_before_the_greeting_which_is_then_the_first_answer(scene: Scene) -> None:
    with scene.lab.conversation("mx-beta", early="QUIT") as hasty:
        assert hasty.dialogue.greeting is None
        hasty.read(expect=220)
        hasty.read(expect=221)

    told = scene.lab.narrator.steps[0]
    assert told.text == "Connect to mx.beta.test, port 25, and say “QUIT” before it greets"
    assert told.evidence == ("C: QUIT",)


def test_an_empty_line_is_not_said_early(scene: Scene) -> None:
    with scene.lab.conversation("mx-beta", early="") as silent:
        assert silent.dialogue.transcript == ()
        silent.read(expect=220)


def test_a_server_that_was_held_goes_on_when_nobody_could_connect_to_it(stage: Stage) -> None:
    host = stage.stand().host("mx-beta")
    container = host.running_container()
    published = replace(container, published=(PublishedPort(25, host_port=stage.daemons.closed),))

    with pytest.raises(ServiceCommandFailed):
        connected(stage.fake, replace(host, container=published), 25, early="NOOP")

    assert stage.fake.inspect(container.id).state == ContainerState.RUNNING
