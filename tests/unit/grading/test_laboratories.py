"""A laboratory that is lent to one attempt after the other, and when it is not lent again."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from labctl import resources
from labctl.engine.images import image_specs
from labctl.errors import ConfigRejected
from labctl.grading import gradedlab
from labctl.grading.job import Job
from labctl.grading.laboratories import Laboratories
from labctl.lab import catalogue, lock
from labctl.lab.mark import labels
from labctl.lab.running import instance
from labctl.lab.running.patience import GaveUp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labctl.engine.fake import FakeEngine
    from labctl.grading.gradedlab import GradedLab
    from labctl.lab.running.instance import Instance
    from tests.unit.conftest import Stage

ZONE = "beta.test.zone"
TARGET = "/etc/coredns/zones/beta.test.zone"
PUBLISHING = "unix:///run/user/1/docker.sock"


@pytest.fixture
def lab() -> GradedLab:
    return gradedlab.load(catalogue.find("fix-the-mx", {}))


@pytest.fixture
def laboratories(fake: FakeEngine, lab: GradedLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Laboratories]:
    """A pool on an engine whose resolvers take up what they are told to, and say so."""
    specs = image_specs(resources.compose_dir() / "images")
    fake.stock(spec.tag for spec in specs)
    signal = fake.signal

    def heeded(name: str, number: str) -> None:
        signal(name, number)
        zone = fake.get_file(name, TARGET)
        wrong = b"wrong" in zone
        fake.say(name, f"[ERROR] Restart failed: {TARGET}:1" if wrong else "[INFO] Reloading complete")

    monkeypatch.setattr(fake, "signal", heeded)
    with closing(Laboratories(fake, PUBLISHING, lab.lab, specs)) as found:
        yield found


def job(lab: GradedLab, name: str) -> Job:
    return Job(name, lab.lab.directory, None, {ZONE: name.encode()}, "0f", f"grade-{name}", "run-1")


def lent(laboratories: Laboratories, lab: GradedLab, name: str) -> str:
    """Return the name of the laboratory that an attempt is given."""
    with laboratories.laboratory(job(lab, name)) as found:
        return found.there.name


def test_one_that_is_as_new_is_lent_again(laboratories: Laboratories, lab: GradedLab) -> None:
    assert lent(laboratories, lab, "anna") == lent(laboratories, lab, "bert") == "grade-anna"


def test_it_has_what_was_handed_in_and_says_whose_it_is_and_has_the_labs_limits(
    laboratories: Laboratories, lab: GradedLab, stage: Stage
) -> None:
    with laboratories.laboratory(job(lab, "anna")) as found:
        dns = found.there.host("dns").running_container().name
        assert stage.fake.get_file(dns, TARGET) == b"anna"
        signals = [each.subject for each in stage.fake.calls if each.method == "signal"]
        assert signals == [f"{dns} USR1"]
        spec = stage.fake._box(dns).spec
        assert (spec.labels[labels.RUN], spec.labels[labels.SEED], spec.memory) == ("run-1", "0f", 256 << 20)
        assert lock.is_held(stage.fake, "grade-anna")


def test_zones_that_the_resolver_refuses_are_told_as_refused_and_the_laboratory_is_gone(
    laboratories: Laboratories, lab: GradedLab, stage: Stage
) -> None:
    with pytest.raises(ConfigRejected, match="dns"), laboratories.laboratory(job(lab, "wrong")):
        pass
    assert not instance.observe(stage.fake, "grade-wrong").exists


def test_one_that_can_not_be_made_is_taken_down_and_its_name_is_free(
    laboratories: Laboratories, lab: GradedLab, stage: Stage
) -> None:
    laboratories.abandon()
    for _ in range(2):
        with pytest.raises(GaveUp), laboratories.laboratory(job(lab, "anna")):
            pass
        assert not instance.observe(stage.fake, "grade-anna").exists


def out_of_memory(stage: Stage, there: Instance) -> None:
    stage.fake.run_out_of_memory(there.host("mx-beta").running_container().name, first_process=False)


def ended(stage: Stage, there: Instance) -> None:
    stage.fake.end(there.host("mx-beta").running_container().name)


def not_emptied(stage: Stage, there: Instance) -> None:
    stage.inside.failed[there.host("mx-beta").running_container().name] = "the queue is busy"


def faulty(stage: Stage, there: Instance) -> None:
    stage.named(there.name).apply("mx-null", "dns")


def made_again(stage: Stage, there: Instance) -> None:
    name = there.host("mx-beta").running_container().name
    spec = stage.fake._box(name).spec
    stage.fake.remove_container(name)
    stage.fake.create_container(spec)
    stage.fake.start(name)


@pytest.mark.parametrize("harm", [out_of_memory, ended, not_emptied, faulty, made_again])
def test_one_that_is_not_proven_to_be_as_new_is_taken_down_and_not_lent_again(
    laboratories: Laboratories, lab: GradedLab, stage: Stage, harm: Callable[[Stage, Instance], None]
) -> None:
    with laboratories.laboratory(job(lab, "anna")) as found:
        harm(stage, found.there)
    assert not instance.observe(stage.fake, "grade-anna").exists
    assert lent(laboratories, lab, "bert") == "grade-bert"
