"""The picture says where a message is, and which step failed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.state import MessageState
from labctl.trace.journey.hop import HopEvent
from labctl.trace.picture.path import Mark, Path, Station, StationKind, paths
from tests.unit.trace import samples

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from labctl.trace.journey.hop import TracedMessage


def way(message: TracedMessage, n: int = 0) -> Path:
    return [each for each in paths(message) if each.notice is None][n]


def station(path: Path, kind: StationKind, name: str | None = None) -> Station:
    found = [each for each in path.stations if each.kind is kind and name in {None, each.name}]
    assert found, (kind, name, path.stations)
    return found[-1]


def marks(path: Path) -> list[tuple[str, str]]:
    return [(each.name, each.state.value) for each in path.stations]


def test_a_delivered_letter_is_in_its_mailbox_and_not_read_yet() -> None:
    path = way(samples.delivered())
    assert [each.kind.value for each in path.stations] == ["sender", "MTA", "DNS", "MTA", "MDA", "reader"]
    assert station(path, StationKind.MDA).state is Mark.HERE
    assert station(path, StationKind.READER).state is Mark.NOT_REACHED


def test_a_letter_that_was_seen_is_still_in_its_mailbox() -> None:
    path = way(samples.delivered(seen=True))
    assert station(path, StationKind.MDA).state is Mark.HERE
    assert "IMAP" in station(path, StationKind.READER).says


def test_a_letter_that_was_downloaded_and_deleted_is_at_its_reader() -> None:
    path = way(samples.downloaded())
    assert station(path, StationKind.MDA).state is Mark.PASSED
    assert station(path, StationKind.READER).state is Mark.HERE


def test_an_address_that_was_refused_fails_at_the_host_that_refused_it_and_the_way_back_is_drawn() -> None:
    message = samples.bounced()
    path = way(message)
    refusing = station(path, StationKind.MTA, "mx.beta.test")
    assert (refusing.state, refusing.link) == (Mark.FAILED, Mark.FAILED)
    assert "RCPT TO" in refusing.says
    assert {message.hops[n].event for n in refusing.hops} == {HopEvent.BOUNCED, HopEvent.REJECTED}
    back = next(each for each in paths(message) if each.notice is not None)
    assert station(back, StationKind.MDA, "mail.alpha.test").state is Mark.HERE


def test_a_domain_that_is_not_there_fails_at_the_dns_and_no_host_of_it_is_reached() -> None:
    path = way(samples.no_such_domain())
    assert station(path, StationKind.DNS).state is Mark.FAILED
    assert "NXDOMAIN" in station(path, StationKind.DNS).lines[0]
    assert station(path, StationKind.MTA, "MTA of bta.test").state is Mark.NOT_REACHED


def test_without_a_log_of_the_dns_the_failure_is_still_drawn_there() -> None:
    message = samples.no_such_domain()
    hops = tuple(each for each in message.hops if each.event is not HopEvent.LOOKUP)
    assert station(way(replace(message, hops=hops)), StationKind.DNS).state is Mark.FAILED


def test_a_deferred_letter_waits_at_its_mta_which_tells_the_next_try() -> None:
    path = way(samples.deferred(3))
    waiting = station(path, StationKind.MTA, samples.ALPHA)
    assert waiting.state is Mark.WAITING
    assert "4 times" in waiting.says
    assert any(each.startswith("next try 12:00:") for each in waiting.lines)
    beyond = station(path, StationKind.MTA, samples.BETA)
    assert (beyond.state, beyond.link) == (Mark.NOT_REACHED, Mark.FAILED)


def test_a_host_that_refused_for_now_is_told_from_one_that_was_not_reached() -> None:
    refusing = station(way(samples.greylisted()), StationKind.MTA, samples.BETA)
    assert refusing.state is Mark.FAILED
    assert "for now" in refusing.says


@pytest.mark.parametrize(
    ("make", "mark", "words"),
    [
        (samples.discarded, Mark.FAILED, "threw it away"),
        (samples.held, Mark.WAITING, "on hold"),
        (samples.rejected, Mark.FAILED, "refused it at RCPT"),
    ],
)
def test_what_stays_at_the_first_mta_is_marked_there(
    make: Callable[[], TracedMessage], mark: Mark, words: str
) -> None:
    path = way(make())
    mta = station(path, StationKind.MTA)
    assert (mta.name, mta.state) == (samples.ALPHA, mark)
    assert words in mta.says
    assert station(path, StationKind.READER).state is Mark.NOT_REACHED


def test_what_a_host_took_whose_log_is_not_here_is_unknown() -> None:
    path = way(samples.foreign())
    assert station(path, StationKind.MTA, "gmail-smtp-in.l.google.com").state is Mark.UNKNOWN
    assert station(path, StationKind.READER).state is Mark.UNKNOWN


@pytest.mark.parametrize("rounds", [1, 6, 24])
def test_a_loop_is_drawn_once_with_its_rounds_counted(rounds: int) -> None:
    path = way(samples.looping(rounds))
    assert path.rounds == rounds
    assert path.loop is not None
    assert [path.stations[n].name for n in path.loop] == [samples.BETA, samples.ALPHA]
    assert len(path.stations) == 5
    assert station(path, StationKind.MTA, samples.BETA).state is Mark.FAILED


def test_what_came_twice_is_told_so() -> None:
    assert "twice" in " ".join(station(way(samples.twice()), StationKind.MDA).lines)


def test_an_alias_on_the_same_host_is_no_loop() -> None:
    path = way(samples.aliased())
    assert path.loop is None
    assert "alias of friend@alpha.test" in station(path, StationKind.MTA, samples.ALPHA).lines


def test_a_filter_is_a_station_and_no_loop() -> None:
    path = way(samples.filtered())
    assert path.loop is None
    assert [each.kind.value for each in path.stations][1:4] == ["MTA", "filter", "MTA"]


def test_each_recipient_has_their_own_end() -> None:
    ends = {each.recipients[0].address: each for each in paths(samples.mixed()) if each.notice is None}
    assert station(ends[samples.BOB], StationKind.MDA).state is Mark.HERE
    assert station(ends["ghost@beta.test"], StationKind.MTA, samples.BETA).state is Mark.FAILED
    assert station(ends["carol@gamma.test"], StationKind.MTA, samples.ALPHA).state is Mark.WAITING


def test_recipients_whose_copies_went_the_same_way_share_it() -> None:
    many = tuple(samples.fate(f"user{n}@beta.test", MessageState.QUEUED) for n in range(2000))
    (path,) = paths(samples.message(samples.submitted(), *many))
    assert len(path.recipients) == 2000


@pytest.mark.parametrize("name", samples.EVERY)
def test_a_picture_is_drawn_of_any_part_of_a_journey(name: str) -> None:
    message = samples.EVERY[name]()
    for cut in range(len(message.hops) + 1):
        for hops in (message.hops[:cut], message.hops[cut:]):
            for path in paths(replace(message, hops=hops)):
                assert path.stations
                assert all(0 <= n < len(hops) for each in path.stations for n in each.hops if not path.notice)


@given(st.sampled_from(sorted(samples.EVERY)), st.text(), st.randoms(use_true_random=False))
def test_a_picture_is_drawn_whatever_stands_in_the_details(name: str, junk: str, random: Random) -> None:
    message = samples.EVERY[name]()
    hops = tuple(
        replace(
            hop,
            detail={key: random.choice([value, junk, None, 7, [junk]]) for key, value in hop.detail.items()},
        )
        for hop in message.hops
    )
    assert paths(replace(message, hops=hops))


def test_a_mailbox_server_that_refused_has_its_own_name_where_its_log_is_here() -> None:
    reply = "host 198.51.100.143[198.51.100.143] said: 552 5.2.2 <bob@beta.test> Quota exceeded (in reply to end of DATA command)"  # noqa: E501  # a log's line
    full = samples.hop(
        HopEvent.REFUSED, 0.08, samples.BOX, None, "not stored", user=samples.BOB, mailbox="INBOX"
    )
    failed = samples.attempt(
        HopEvent.BOUNCED,
        0.09,
        samples.BETA,
        samples.SECOND,
        samples.BOB,
        reply,
        program="lmtp",
        dsn="5.2.2",
        relay="198.51.100.143[198.51.100.143]:24",
    )
    came = samples.at_beta(samples.SECOND)[0]
    hops = (*samples.submitted(), samples.relayed(0.07), came, full, failed)
    path = way(samples.message(hops, samples.fate(samples.BOB, MessageState.BOUNCED, "5.2.2", reply)))
    mda = station(path, StationKind.MDA)
    assert (mda.name, mda.state) == (samples.BOX, Mark.FAILED)
    assert station(path, StationKind.MTA, samples.BETA).says == "gave it back"
