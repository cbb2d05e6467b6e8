"""What a call at an MTA came to, whatever the server answers, and however it ends."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from labctl.errors import UsageError
from labctl.exercises.vocabulary.call import Answered, Call, Caller, made
from labctl.exercises.vocabulary.expectation import ExpectationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.conftest import Daemons
    from tests.unit.exercises.conftest import Scene

BOB, EVE = "bob@beta.test", "eve@gamma.test"

GREETED = ["220 mx", "250-mx\r\n250 SIZE", "250 2.1.0 Ok"]
"""What a server says to the connection, to EHLO and to MAIL."""


@contextmanager
def server(replies: list[str]) -> Iterator[int]:
    """Serve at a port: one of the replies for the connection and for each line, and then hang up."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):
                for n, each in enumerate(replies):
                    if n:
                        self.rfile.readline()
                    self.wfile.write(each.encode() + b"\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as serving:
        threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True).start()
        yield serving.socket.getsockname()[1]
        serving.shutdown()


@pytest.fixture
def answered(daemons: Daemons, request: pytest.FixtureRequest) -> Iterator[Callable[[list[str]], Answered]]:
    """Return a function that offers Bob and Eve a message, at a server that says these replies."""
    replies: list[str] = []
    with server(replies) as daemons.instead["mx-beta", 25]:
        scene: Scene = request.getfixturevalue("scene")

        def call(said: list[str]) -> Answered:
            replies[:] = said
            [found] = made(scene.lab, "mx-beta", [Call(Caller("EHLO x.test"), "a@x.test", (BOB, EVE))])
            return found

        yield call


def test_each_recipient_is_decided_by_its_own_reply(answered: Callable[[list[str]], Answered]) -> None:
    found = answered([*GREETED, "250 2.1.5 Ok", "554 5.7.1 No"])

    found.must_refuse_all_but(BOB, code=554, status="5.7.1")
    with pytest.raises(ExpectationFailed, match=r"<eve@gamma\.test>, which is taken"):
        found.must_take(EVE)
    for wrong in ({"code": 550}, {"status": "5.1.1"}):
        with pytest.raises(ExpectationFailed, match="which is refused with"):
            found.must_refuse_all_but(BOB, **wrong)
    with pytest.raises(ExpectationFailed, match=r"<bob@beta\.test>, which is refused"):
        found.must_refuse_all_but()


@pytest.mark.parametrize(
    "replies",
    [
        ["554 5.7.1 Nobody", *["503 5.5.1 After that?"] * 4],
        ["220 mx", "550 5.7.1 Not you", *["503 5.5.1 After that?"] * 3],
        [*GREETED[:2], "550 5.7.1 Not so", "503 5.5.1 Need MAIL", "503 5.5.1 Need MAIL"],
        [*GREETED[:2], "421 4.7.0 Enough"],
        [*GREETED, "550 5.1.1 Who?", "421 4.7.0 Enough"],
        [*GREETED, "421 4.7.0 Enough"],
    ],
)
def test_who_is_refused_earlier_or_sent_away_is_refused(
    answered: Callable[[list[str]], Answered], replies: list[str]
) -> None:
    found = answered(replies)

    found.must_refuse_all_but()
    with pytest.raises(ExpectationFailed, match="which is taken"):
        found.must_refuse_all_but(BOB)


@pytest.mark.parametrize("replies", [[], GREETED, [*GREETED, "250 2.1.5 Ok"], [*GREETED, "what?", "what?"]])
def test_who_hears_nothing_that_is_a_reply_is_neither_taken_nor_refused(
    answered: Callable[[list[str]], Answered], replies: list[str]
) -> None:
    found = answered(replies)

    with pytest.raises(ExpectationFailed):
        found.must_take(EVE)
    with pytest.raises(ExpectationFailed):
        found.must_refuse_all_but(BOB)


def test_a_host_calls_only_a_server_of_its_own_network(scene: Scene) -> None:
    with pytest.raises(UsageError, match="mail-alpha and mx-beta have no network in common"):
        made(scene.lab, "mx-beta", [Call(Caller("EHLO x.test", "mail-alpha"), "", (BOB,))])
