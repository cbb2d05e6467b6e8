"""What a user's filter answers by itself: Sieve's vacation and reject (RFC 5230, RFC 5429)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.lab.role import Role
from labctl.mail.content import mdn
from labctl.mail.log.logevent import Received

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.exercises.vocabulary.letter import Letter
    from labctl.exercises.vocabulary.mail import Mail
    from labctl.exercises.vocabulary.mailbox import Mailbox
    from labctl.exercises.vocabulary.servers import Servers
    from labctl.mail.content.mdn import Mdn
    from labctl.trace.logs.entry import Entry


def await_answer(lab: Servers, mailbox: Mailbox, letter: Letter, within: float) -> Mail:
    """Wait for an automatic answer to a letter in a mailbox.

    Args:
        lab: The lab.
        mailbox: Where it comes to.
        letter: The letter.
        within: Seconds for the letter to come to its end, and again for the answer to arrive.

    Raises:
        ExpectationFailed: None came.
    """
    what = f"an automatic answer to {letter}"
    with lab.narrator.step(f"Expect {what} in the mailbox of {mailbox.address}") as evidence:
        _await_the_end(lab, letter, within)
        for saying, message_id in _answers(lab, letter):
            answer = lab.letter(message_id, at=saying.host)
            evidence.append(str(saying))
            mail = mailbox.expect_delivery(answer, within=within)
            notice = mdn.parse(mail.content)
            about = None if notice is None else notice.original_message_id
            if letter.message_id in {mail.header("In-Reply-To"), about}:
                return mail
        raise lab.fail(what, "the MDA sent none while it took the letter", letter)


def await_no_answer(lab: Servers, letter: Letter, within: float) -> None:
    """Wait until a letter has come to its end, and make sure that no answer was sent by then.

    An MDA answers before it tells the MTA that it has taken the letter, so nothing can come afterwards.

    Args:
        lab: The lab.
        letter: The letter.
        within: Seconds.

    Raises:
        ExpectationFailed: There was one.
    """
    with lab.narrator.step(f"Expect that nothing answers {letter}") as evidence:
        _await_the_end(lab, letter, within)
        evidence.extend(str(each.saying) for each in letter.attempts())
        if answers := [str(saying) for saying, _ in _answers(lab, letter)]:
            raise lab.fail("no answer", "; ".join(answers), letter)


def notice_in(mail: Mail) -> Mdn:
    """Read a mail as a message disposition notification (RFC 8098).

    Raises:
        ExpectationFailed: It is none.
    """
    found = mdn.parse(mail.content)
    if found is None:
        raise ExpectationFailed("a disposition notification", f"a mail “{mail.subject}”")
    return found


def _await_the_end(lab: Servers, letter: Letter, within: float) -> None:
    lab.expectations.expect(
        f"the end of {letter}", lambda: True if letter.over() else None, letter=letter, within=within
    )


def _answers(lab: Servers, letter: Letter) -> Iterator[tuple[Entry, str]]:
    """Yield what MDAs gave to their MTAs while they took a letter, each with its Message-ID.

    All these lines are of one host's log, so their order is the order of what happened.
    """
    marks = tuple(f"[{address}]" for host in lab.there.of_role(Role.MDA) for address in host.addresses)
    delivered = {each.saying.host: each.saying for each in letter.attempts()}
    arrived = {each.host: each for each in reversed(list(letter.sayings()))}
    for host, last in delivered.items():
        lines = [each for each in lab.watch.sayings if each.host == host]
        for each in lines[lines.index(arrived[host]) : lines.index(last)]:
            if isinstance(each.event, Received) and each.event.client.endswith(marks):
                file = lab.watch.journal.last(host, each.event.queue_id)
                if file is not None and file.message_id:
                    yield each, file.message_id
