from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import ServiceCommandFailed
from labctl.lab.running import emptying, instance
from labctl.lab.running.emptying import Emptied, emptied, empty, idle

if TYPE_CHECKING:
    from tests.unit.conftest import Stage

MTAS = ["labctl-x-mx-alpha", "labctl-x-mx-beta"]
MDAS = ["labctl-x-mail-alpha", "labctl-x-mail-beta"]
HOSTS = ["labctl-x-dns", *MTAS, *MDAS]


@pytest.fixture
def up(stage: Stage) -> Stage:
    stage.stand()
    stage.fake.calls.clear()
    return stage


def run(up: Stage) -> tuple[str, ...]:
    return empty(up.fake, instance.observe(up.fake, "x"))


def executed(up: Stage) -> list[str]:
    return [call.subject.split(" ")[0] for call in up.fake.calls if call.method == "execute"]


def test_each_host_is_emptied_once_where_no_mail_was_on_its_way(up: Stage) -> None:
    assert run(up) == ()
    assert sorted(executed(up)) == sorted(HOSTS)


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("labctl-x-mx-alpha", "postsuper: Deleted: 1 message"),
        ("labctl-x-mail-beta", "began 99.0"),  # before an MTA's last mail
        ("labctl-x-mail-beta", ""),
    ],
)
def test_mtas_are_asked_once_more_and_mailboxes_emptied_again_where_mail_may_have_been_on_its_way(
    up: Stage, host: str, told: str
) -> None:
    up.inside.told[host] = [told]
    run(up)
    assert sorted(executed(up)) == sorted([*HOSTS, *MTAS, *MDAS])
    assert "labctl-x-dns" not in executed(up)[len(HOSTS) :]


def test_mailboxes_are_emptied_again_behind_mail_that_came_in_meanwhile(up: Stage) -> None:
    up.inside.told["labctl-x-mx-alpha"] = [""]
    up.inside.told["labctl-x-mx-beta"] = ["idle 100.0 200.0", "again"]
    run(up)
    order = executed(up)
    assert order.count("labctl-x-mail-beta") == order.count("labctl-x-mail-alpha") == 3
    assert order.count("labctl-x-mx-alpha") == order.count("labctl-x-mx-beta") == 3


def test_mail_without_end_is_told(up: Stage) -> None:
    up.inside.told["labctl-x-mx-beta"] = ["", *["again"] * 100]
    with pytest.raises(ServiceCommandFailed, match="faster than it can be removed"):
        run(up)


def test_hosts_that_do_not_run_are_passed_over_and_named(up: Stage) -> None:
    up.fake.pause("labctl-x-mx-beta")
    up.fake.end("labctl-x-mail-alpha")
    up.fake.remove_container("labctl-x-dns")
    assert run(up) == ("dns", "mail-alpha", "mx-beta")
    assert sorted(executed(up)) == ["labctl-x-mail-beta", "labctl-x-mx-alpha"]


def test_a_faulted_host_that_runs_is_emptied_like_any_other(up: Stage) -> None:
    up.apply("refuse", "mx-beta")
    assert run(up) == ()
    assert len(executed(up)) == 5


def test_a_script_that_fails_is_told_with_its_own_words(up: Stage) -> None:
    up.inside.failed["labctl-x-mail-beta"] = "rm: no\n"
    with pytest.raises(
        ServiceCommandFailed, match=r"mail-beta \(mail\.beta\.test\) could not be emptied: rm: no"
    ):
        run(up)


def test_it_tells_what_it_does(up: Stage) -> None:
    told: list[tuple[str, str]] = []
    empty(
        up.fake, instance.observe(up.fake, "x"), progress=lambda subject, state: told.append((subject, state))
    )
    assert sorted(told) == sorted((name.removeprefix("labctl-x-"), "emptied") for name in HOSTS)


@pytest.mark.parametrize(
    ("mtas", "mdas", "were"),
    [
        ([], [], True),
        ([(1.0, 10.0), (2.0, 11.0)], [9.0], True),
        ([(1.0, 10.0), (10.5, 11.0)], [], False),  # it had mail when the first had been looked at already
        ([(9.99, 10.0)], [], False),  # too close for the kernel's clock
        ([(1.0, 10.0), None], [], False),
        ([(1.0, 10.0)], [9.0, 1.01], False),  # a mailbox may have got it
        ([(1.0, 10.0)], [None], False),
    ],
)
def test_mtas_were_idle_if_none_had_mail_since_before_the_first_host_was_looked_at(
    mtas: list[tuple[float, float] | None], mdas: list[float | None], *, were: bool
) -> None:
    assert idle([Emptied(idle=each) for each in mtas], [Emptied(began=each) for each in mdas]) == were


@given(st.floats(0, 1e10), st.floats(0, 1e10), st.sampled_from(["", "again"]))
def test_what_a_script_tells_is_read_as_it_was_written(since: float, until: float, word: str) -> None:
    told = f"began {until}\npostsuper: Deleted: 1 message\n{word}\nidle {since} {until}\n"
    assert emptied(told) == Emptied(word == "again", (since, until), until)


@given(st.text())
def test_whatever_a_script_tells_it_is_read(told: str) -> None:
    assert isinstance(emptied(told).again, bool)


@pytest.mark.parametrize("told", ["idle", "idle soon later", "idle 1", "began", "began late", "began 1 2"])
def test_times_that_are_none_are_no_idleness(told: str) -> None:
    assert emptied(told) == Emptied()
    assert emptying.NOTHING_LEFT.idle is not None
