"""The commands that change a lab: up, reset, down."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from labctl.commands.down import down
from labctl.commands.reset import reset
from labctl.commands.up import Up, Wish, up
from labctl.engine.fake import Call
from labctl.errors import ConfigRejected, LabInUse, LabNotUp, MissingFile, NoSuchLab, UsageError
from labctl.lab import catalogue, lock
from labctl.lab.blueprint import definition
from labctl.lab.running import instance
from labctl.lab.running.instance import LabState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.engine.fake import FakeEngine
    from tests.unit.conftest import Stage

    MakeLab = Callable[..., Path]

URL = "memory://engine"
ZONE = "/etc/coredns/zones/beta.test.zone"
EDITABLE = f'[[editable]]\npath = "beta.zone"\nservice = "dns"\ntarget = "{ZONE}"\n'
CHANGING = {"create_container", "create_network", "start", "remove_container", "put_files", "tag", "build"}


def bring(engine: FakeEngine, lab: str = "two-domains", name: str | None = None, **more: object) -> Up:
    return up(engine, URL, Wish(catalogue.find(lab, {}), name, publish=True), environ={}, **more)  # type: ignore[arg-type]  # dry_run only


def attempted(lab: Path, tmp_path: Path) -> Wish:
    """Ask for a lab with an attempt at it."""
    (tmp_path / "attempt").mkdir()
    (tmp_path / "attempt" / "beta.zone").write_bytes(b"; mine\n")
    return Wish(definition.load(lab), publish=True, attempt=tmp_path / "attempt")


def refusing(engine: FakeEngine) -> Callable[[Call], None]:
    """A hook that ends the resolver as soon as it is looked at: its zone is of no use."""

    def hook(call: Call) -> None:
        if call == Call("inspect", "labctl-demo-dns"):
            engine.say(
                "labctl-demo-dns", f'plugin/file: file "{ZONE}" has no SOA record for origin beta.test.'
            )
            engine.end("labctl-demo-dns", 1)

    return hook


def changing(engine: FakeEngine) -> set[str]:
    return {call.method for call in engine.calls} & CHANGING


class TestUp:
    def test_a_lab_is_brought_up_named_after_itself(self, ready: FakeEngine) -> None:
        found = bring(ready)
        assert (found.name, found.lab) == ("two-domains", "two-domains")
        assert len(found.changed) == 6
        assert found.status is not None
        assert (found.status.state, len(found.status.accounts)) == (LabState.READY, 4)

    def test_the_second_time_it_changes_nothing_and_says_so(self, ready: FakeEngine) -> None:
        bring(ready)
        ready.calls.clear()
        found = bring(ready)
        assert found.changed == ()
        assert found.status is not None
        assert found.status.state == LabState.READY
        assert changing(ready) == set()

    def test_a_dry_run_only_says_what_would_be_done(self, ready: FakeEngine) -> None:
        found = bring(ready, dry_run=True)
        assert len(found.changed) == 6
        assert found.status is None
        assert changing(ready) == set()
        assert not instance.observe(ready, "two-domains").exists

    @pytest.mark.parametrize("dry_run", [False, True])
    def test_a_lab_of_another_kind_is_left_with_all_its_mail(
        self, ready: FakeEngine, *, dry_run: bool
    ) -> None:
        bring(ready, name="mine")
        ready.calls.clear()
        with pytest.raises(UsageError, match="lab 'mine' is a 'two-domains', not a 'dns'"):
            bring(ready, "dns", "mine", dry_run=dry_run)
        assert changing(ready) == set()

    def test_a_lab_of_another_kind_is_told_at_once_even_where_it_is_in_use(
        self, ready: FakeEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bring(ready, name="mine")
        monkeypatch.setattr(lock, "PATIENCE", 0.02)
        with (
            lock.used(ready, "mine"),
            pytest.raises(UsageError, match="'mine' is a 'two-domains', not a 'dns'"),
        ):
            bring(ready, "dns", name="mine")

    def test_a_dry_run_says_which_images_are_missing(self, fake: FakeEngine) -> None:
        assert bring(fake, dry_run=True).changed[:3] == (
            "image mta built",
            "image mda built",
            "image dns built",
        )

    def test_it_holds_the_labs_lock_while_it_works(self, ready: FakeEngine) -> None:
        held: list[bool] = []
        ready.hook = lambda call: (
            held.append(lock.is_held(ready, "x")) if call.method == "create_network" else None
        )
        bring(ready, name="x")
        assert held == [True]
        assert not lock.is_held(ready, "x")

    def test_an_attempts_file_lies_over_the_labs(
        self, ready: FakeEngine, make_lab: MakeLab, tmp_path: Path
    ) -> None:
        directory = make_lab("demo", EDITABLE)
        up(ready, URL, attempted(directory, tmp_path), environ={})
        assert ready.get_file("labctl-demo-dns", ZONE) == b"; mine\n"
        assert bring(ready, str(directory)).changed == (f"dns given new files ({ZONE})",)

    def test_an_attempt_without_its_file_changes_nothing(
        self, ready: FakeEngine, make_lab: MakeLab, tmp_path: Path
    ) -> None:
        wish = Wish(definition.load(make_lab("demo", EDITABLE)), publish=True, attempt=tmp_path)
        with pytest.raises(MissingFile):
            up(ready, URL, wish, environ={})
        assert changing(ready) == set()

    def test_an_attempts_seed_is_the_labs(self, ready: FakeEngine, make_lab: MakeLab, tmp_path: Path) -> None:
        wish = attempted(make_lab("demo", EDITABLE), tmp_path)
        (tmp_path / "attempt" / "labctl.toml").write_text('lab = "demo"\nseed = "0123456789abcdef"\n')
        up(ready, URL, wish, environ={})
        assert instance.observe(ready, "demo").seed == "0123456789abcdef"

    def test_an_attempt_that_a_daemon_refuses_leaves_nothing_of_a_new_lab(
        self, ready: FakeEngine, make_lab: MakeLab, tmp_path: Path
    ) -> None:
        wish = attempted(make_lab("demo", EDITABLE), tmp_path)
        ready.hook = refusing(ready)
        with pytest.raises(ConfigRejected, match=r"dns refuses beta\.zone: has no SOA record"):
            up(ready, URL, wish, environ={})
        assert not instance.observe(ready, "demo").exists

    def test_an_attempt_that_a_daemon_refuses_leaves_a_lab_that_was_there(
        self, ready: FakeEngine, make_lab: MakeLab, tmp_path: Path
    ) -> None:
        directory = make_lab("demo", EDITABLE)
        bring(ready, str(directory))
        ready.hook = refusing(ready)
        with pytest.raises(ConfigRejected):
            up(ready, URL, attempted(directory, tmp_path), environ={})
        assert instance.observe(ready, "demo").whole
        ready.hook = lambda _: None
        found = bring(ready, str(directory))
        assert found.changed == (f"dns given new files ({ZONE})", "dns started")
        assert found.status is not None
        assert found.status.state == LabState.READY

    @pytest.mark.parametrize("name", ["", "No", "a/b"])
    def test_a_malformed_name_changes_nothing(self, ready: FakeEngine, name: str) -> None:
        with pytest.raises(UsageError):
            bring(ready, name=name)
        assert changing(ready) == set()


class TestReset:
    def test_a_lab_is_as_new_and_ready(self, ready: FakeEngine) -> None:
        bring(ready, name="x")
        found = reset(ready, None, environ={})
        assert (found.name, found.lab, found.changed) == ("x", "two-domains", ())
        assert found.status.state == LabState.READY

    def test_its_ports_stay_published(self, ready: FakeEngine) -> None:
        bring(ready, name="x")
        reset(ready, "x", environ={})
        assert all(each.published for each in ready.containers({}))

    def test_a_lab_of_ones_own_directory_is_found_there_again(
        self, ready: FakeEngine, make_lab: MakeLab
    ) -> None:
        directory = make_lab("demo", '[[accounts]]\naddress = "carol@beta.test"\n')
        bring(ready, str(directory))
        found = reset(ready, None, environ={}).status.accounts
        assert "carol@beta.test" in [each.address for each in found]

    def test_a_lab_whose_definition_has_gone_is_told(self, ready: FakeEngine, make_lab: MakeLab) -> None:
        directory = make_lab("demo")
        bring(ready, str(directory))
        shutil.rmtree(directory)
        ready.calls.clear()
        with pytest.raises(NoSuchLab, match="'demo'"):
            reset(ready, None, environ={})
        assert changing(ready) == set()

    def test_no_lab_is_told(self, ready: FakeEngine) -> None:
        with pytest.raises(LabNotUp):
            reset(ready, None, environ={})


class TestDown:
    def test_the_only_lab_is_removed(self, ready: FakeEngine) -> None:
        bring(ready, name="x")
        assert len(down(ready, None).removed) == 6
        assert not instance.observe(ready, "x").exists

    def test_nothing_there_is_success(self, ready: FakeEngine) -> None:
        assert down(ready, None).removed == ()
        assert down(ready, "x").removed == ()
        assert down(ready, None, every=True).removed == ()

    def test_one_of_several_has_to_be_named(self, ready: FakeEngine) -> None:
        for name in ("a", "b"):
            bring(ready, name=name)
        with pytest.raises(UsageError, match="2 labs are up"):
            down(ready, None)
        down(ready, "a")
        assert [each.name for each in instance.observe_all(ready)] == ["b"]

    def test_all_are_removed_if_told_so(self, ready: FakeEngine) -> None:
        for name in ("a", "b"):
            bring(ready, name=name)
        assert len(down(ready, None, every=True).removed) == 12
        assert instance.observe_all(ready) == ()

    def test_all_are_the_laboratories_of_dead_grading_runs_too_and_not_those_of_live_ones(
        self, stage: Stage
    ) -> None:
        for name, run in (("g", "r1"), ("h", "r2")):
            stage.named(name, run=run).stand()
        with lock.used(stage.fake, "h"):
            down(stage.fake, None, every=True)
        assert [each.name for each in instance.observe_all(stage.fake, graded=True)] == ["h"]

    def test_a_laboratory_of_a_grading_run_is_not_the_only_running_lab(self, stage: Stage) -> None:
        stage.named("g", run="r1").stand()
        assert down(stage.fake, None).removed == ()
        assert len(down(stage.fake, "g").removed) == 6

    def test_one_that_is_in_use_is_refused(self, ready: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        bring(ready, name="x")
        monkeypatch.setattr(lock, "PATIENCE", 0.02)
        with lock.used(ready, "x"), pytest.raises(LabInUse, match="lab 'x' is in use by "):
            down(ready, "x")
        assert instance.observe(ready, "x").whole

    def test_of_all_those_that_are_in_use_stay_and_are_named(self, ready: FakeEngine) -> None:
        for name in ("a", "b", "c"):
            bring(ready, name=name)
        with lock.used(ready, "b"):
            found = down(ready, None, every=True)
        assert [each.name for each in instance.observe_all(ready)] == ["b"]
        assert len(found.removed) == 12
        (in_use,) = found.in_use
        assert in_use.name == "b"
        assert f"process {os.getpid()}" in in_use.holder
        assert found.exit_code == 2
        assert down(ready, None, every=True).exit_code == 0
