from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from labctl.engine.model import ExecResult
from labctl.errors import EngineError, EngineUnavailable
from labctl.lab.running import instance
from labctl.lab.running.instance import HostState
from labctl.trace.laboratory import logs_of, world_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from labctl.engine.fake import Call
    from labctl.engine.model import Container
    from tests.unit.conftest import Stage

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POSTFIX_MARK = "Mar  1 12:00:00 mx postfix/labctl[77]: labctl: reset"
MARK = "labctl: reset"


def say(stage: Stage, service: str, *texts: str) -> None:
    for second, text in enumerate(texts):
        stage.fake.say(f"labctl-x-{service}", text, at=NOON + timedelta(seconds=second))


def texts(stage: Stage, *services: str) -> dict[str, list[str]]:
    """What each host's log holds, without the engine's stamps."""
    there = instance.observe(stage.fake, "x")
    with logs_of(stage.fake, [there.host(each) for each in services]) as logs:
        return {log.name: [line.partition(b" ")[2].decode() for _, line in log.lines()] for log in logs}


def in_files(stage: Stage, monkeypatch: pytest.MonkeyPatch, *answers: Sequence[Path]) -> None:
    """Let the engine name these files, at each question the next; the last again and again."""
    left = list(answers)
    monkeypatch.setattr(
        stage.fake, "log_files", lambda _name: tuple(left.pop(0) if len(left) > 1 else left[0])
    )


def record(text: str) -> str:
    """One line as the driver ``json-file`` writes it."""
    told = {"log": f"{text}\n", "stream": "stdout", "time": "2026-03-01T12:00:00.5Z"}
    return json.dumps(told, separators=(",", ":"))


def test_each_host_has_its_log(stage: Stage) -> None:
    stage.stand()
    say(stage, "mx-alpha", "one", "two")
    say(stage, "dns", "three")
    assert texts(stage, "mx-alpha", "dns", "mail-beta") == {
        "mx.alpha.test": ["one", "two"],
        "dns.lab.test": ["three"],
        "mail.beta.test": [],
    }


@pytest.mark.parametrize(("service", "mark"), [("mx-alpha", POSTFIX_MARK), ("mail-alpha", MARK)])
def test_a_log_begins_after_the_last_reset(stage: Stage, service: str, mark: str) -> None:
    stage.stand()
    say(stage, service, "one", mark, "two", mark, "three", "four")
    assert list(texts(stage, service).values()) == [["three", "four"]]


def test_after_a_reset_a_log_may_be_empty(stage: Stage) -> None:
    stage.stand()
    say(stage, "dns", "one", MARK)
    assert texts(stage, "dns") == {"dns.lab.test": []}


@pytest.mark.parametrize(
    "line",
    [
        "labctl: reset by whom?",
        "not labctl: reset",
        "Mar  1 12:00:00 mx postfix/smtpd[77]: warning: labctl: reset",
        "Mar  1 12:00:00 mx postfix/cleanup[7]: 4d: header To: postfix/labctl[7]: labctl: reset",
        '{"name":"labctl: reset"}',
        " labctl: reset",
    ],
)
def test_what_others_write_is_no_reset(stage: Stage, line: str) -> None:
    stage.stand()
    say(stage, "mx-alpha", "one", line, "two")
    assert texts(stage, "mx-alpha") == {"mx.alpha.test": ["one", line, "two"]}


def test_what_others_write_after_a_reset_does_not_hide_it(stage: Stage) -> None:
    stage.stand()
    say(stage, "mx-alpha", "one", POSTFIX_MARK, "is it labctl: reset or labctl: reset?", "two")
    assert texts(stage, "mx-alpha") == {"mx.alpha.test": ["is it labctl: reset or labctl: reset?", "two"]}


def test_a_host_without_a_container_has_no_log(stage: Stage) -> None:
    stage.stand()
    stage.fake.remove_container("labctl-x-mx-alpha")
    assert texts(stage, "mx-alpha", "dns") == {"dns.lab.test": []}


def test_a_host_that_is_removed_meanwhile_has_no_log(stage: Stage) -> None:
    there = stage.stand()
    stage.fake.remove_container("labctl-x-mx-alpha")
    with logs_of(stage.fake, there.hosts) as logs:
        assert "mx.alpha.test" not in {log.name for log in logs}


def test_a_log_that_can_not_be_read_is_an_error(stage: Stage) -> None:
    there = stage.stand()

    def refuse(call: Call) -> None:
        if call.method == "logs":
            raise EngineError("the log is broken", hint="docker logs")

    stage.fake.hook = refuse
    with pytest.raises(EngineError, match="the log is broken"), logs_of(stage.fake, there.hosts):
        pass


def test_files_are_one_log_in_their_order(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = stage.stand()
    paths = [tmp_path / "x.log.2", tmp_path / "x.log.1", tmp_path / "x.log"]
    held = [["1", POSTFIX_MARK], ["2", POSTFIX_MARK, "3"], ["4", "5"]]
    for path, lines in zip(paths, held, strict=True):
        path.write_text("".join(f"{record(line)}\n" for line in lines), encoding="utf-8")
    in_files(stage, monkeypatch, paths)
    with logs_of(stage.fake, [there.host("mx-alpha")]) as [log]:
        assert (log.name, log.host) == ("mx.alpha.test", "mx.alpha.test")
        assert [line.decode() for _, line in log.lines()] == [record(each) for each in "345"]
        whole = "".join(f"{record(each)}\n" for each in "345").encode()
        assert [log.read(start, start + 90) for start in (0, 70)] == [whole[:90], whole[70:160]]


def test_what_is_written_later_is_not_part_of_it(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = stage.stand()
    path = tmp_path / "x.log"
    path.write_text(record("one") + "\n", encoding="utf-8")
    in_files(stage, monkeypatch, [path])
    with logs_of(stage.fake, [there.host("dns")]) as [log]:
        with path.open("a", encoding="utf-8") as file:
            file.write(record("two") + "\n")
        assert len(list(log.lines())) == 1


def test_files_that_change_places_meanwhile_are_asked_for_again(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = stage.stand()
    path = tmp_path / "x.log"
    path.write_text(record("one") + "\n", encoding="utf-8")
    in_files(stage, monkeypatch, [tmp_path / "x.log.1", path], [path])
    with logs_of(stage.fake, [there.host("dns")]) as [log]:
        assert len(list(log.lines())) == 1


def test_files_that_never_hold_still_leave_it_to_the_engine(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.stand()
    say(stage, "dns", "one")
    in_files(stage, monkeypatch, [tmp_path / "x.log"])
    assert texts(stage, "dns") == {"dns.lab.test": ["one"]}


def queue_with(message: str) -> Callable[[Container, Sequence[str]], ExecResult]:
    told = {
        "queue_name": "deferred",
        "queue_id": message,
        "arrival_time": 1795525200,
        "message_size": 600,
        "forced_expire": False,
        "sender": "alice@alpha.test",
        "recipients": [{"address": "bob@beta.test", "delay_reason": "connection refused"}],
    }

    def answer(container: Container, _argv: Sequence[str]) -> ExecResult:
        has = "mx-alpha" in container.name
        return ExecResult(0, json.dumps(told).encode() + b"\n" if has else b"", b"")

    return answer


def test_what_is_known_beside_the_logs(stage: Stage) -> None:
    there = stage.stand()
    stage.fake.answer = queue_with("4dG7xR0Lz9z1B")
    world = world_of(stage.fake, there, environ={})
    assert {host: [each.queue_id for each in queue] for host, queue in world.queues.items()} == {
        "mx.alpha.test": ["4dG7xR0Lz9z1B"],
        "mx.beta.test": [],
    }
    assert world.hosts["203.0.113.10"] == world.hosts["192.0.2.10"] == "mx.alpha.test"
    assert set(world.states.values()) == {HostState.READY}
    assert world.clock is not None
    assert world.clock.real.maximal_queue_lifetime == 432000
    assert world.mailboxes == {}


def test_of_hosts_that_are_stopped_only_that_is_known(stage: Stage) -> None:
    stage.stand()
    stage.fake.stop("labctl-x-mx-alpha", timeout=1)
    stage.fake.stop("labctl-x-mail-beta", timeout=1)
    there = instance.observe(stage.fake, "x")
    world = world_of(
        stage.fake, there, accounts=["bob@beta.test"], message_ids=["<1@alpha.test>"], environ={}
    )
    assert list(world.queues) == ["mx.beta.test"]
    assert world.mailboxes == {}
    assert world.states["mx.alpha.test"] == world.states["mail.beta.test"] == HostState.STOPPED


def test_mailboxes_are_those_of_accounts_that_there_are(stage: Stage) -> None:
    there = stage.stand()
    header = "From: alice@alpha.test\nMessage-ID: <1@alpha.test>\n\n"
    told = [{"mailbox": "Work", "uid": "3", "flags": "", "size.virtual": "60", "hdr": header}]

    def answer(container: Container, argv: Sequence[str]) -> ExecResult:
        has = "mail-beta" in container.name and "bob@beta.test" in argv[2]
        return ExecResult(0, json.dumps(told).encode() + b"\n" if has else b"", b"")

    stage.fake.answer = answer
    accounts = ["BOB@beta.test", "alice@alpha.test", "bob@beta.test", "nobody@beta.test", "x@elsewhere.test"]
    world = world_of(stage.fake, there, accounts=accounts, message_ids=["<1@alpha.test>"], environ={})
    found = {address: [folder for folder, _ in messages] for address, messages in world.mailboxes.items()}
    assert found == {"bob@beta.test": ["Work"], "alice@alpha.test": []}


def test_what_can_not_be_read_just_now_is_left_out(stage: Stage) -> None:
    there = stage.stand()
    stage.fake.answer = lambda _container, _argv: ExecResult(1, b"{\n", b"mail system is down")
    world = world_of(
        stage.fake, there, accounts=["bob@beta.test"], message_ids=["<1@alpha.test>"], environ={}
    )
    assert (world.queues, world.mailboxes) == ({}, {})


def test_an_engine_that_stops_answering_is_an_error(stage: Stage) -> None:
    there = stage.stand()

    def refuse(call: Call) -> None:
        if call.method == "execute":
            raise EngineUnavailable("it is gone", hint="labctl doctor")

    stage.fake.hook = refuse
    with pytest.raises(EngineUnavailable):
        world_of(stage.fake, there, environ={})


def test_a_lab_whose_definition_is_gone_has_no_clock(stage: Stage, tmp_path: Path) -> None:
    there = stage.stand()
    other = type(there)(
        there.name, "no-such-lab", None, there.hosts, there.record, there.volume, there.fault_volumes
    )
    assert world_of(stage.fake, other, environ={"LABCTL_LABS": str(tmp_path)}).clock is None
