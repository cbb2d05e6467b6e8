"""What a client may say and when, where a letter ends, and what it may be written in."""

from __future__ import annotations

from contextlib import contextmanager
from email.utils import make_msgid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.exercises.vocabulary.conversation import Conversation
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_early_talker(lab: ExerciseLab) -> None:
    """A client that does not wait for the greeting is sent away.

    The server speaks first: a client has to wait for the greeting 220, and then for the answer to each
    command that others may not follow at once (RFC 5321, section 4.3.1; RFC 2920, section 3.1). Programs that
    send spam often shoot all their commands at a server and read no answer. So Postfix looks whether somebody
    has talked already before it greets. This client has: it gets no greeting but "554 5.5.0", and is hung up
    on.
    """
    with lab.conversation("mx-beta", early="EHLO mx.gamma.test") as hasty:
        hasty.read(expect=554, status="5.5.0")
    lab.expect_log("improper command pipelining after CONNECT", at="mx-beta")


def test_smuggling(lab: ExerciseLab, bob: Person) -> None:
    """A second letter is hidden in the first one, behind an end that is none.

    A letter ends with a dot alone on a line, and a line ends with CR and LF (RFC 5321, section 4.1.1.4).
    Eve's letter has a dot between two bare LF, and behind it SMTP commands and a letter that claims to be
    from Alice. A server that took the dot for the end would run these commands: one server passes on one
    letter and the next one gets two. Postfix sees one letter, which has some odd lines
    (smtpd_forbid_bare_newline=normalize, its default). With both of its locks open there are two, and one is
    forged. With "reject" there is none: "550 5.5.2".
    """
    end = "\n.\n"
    with _attack(lab, end) as (eve, outer, _):
        eve.read(expect=250, status="2.0.0")
        eve.read(expect=221)
        mail = bob.expect_delivery(lab.letter(outer, at="mx-beta", to=bob.address))
        mail.must_contain("MAIL FROM:<alice@alpha.test>")

    with (
        lab.settings(
            "mx-beta",
            "a bare LF ends a line, too, and nobody has to wait for an answer",
            smtpd_forbid_bare_newline="no",
            smtpd_forbid_unauth_pipelining="no",
        ),
        _attack(lab, end) as (eve, outer, inner),
    ):
        eve.read(expect=250, status="2.0.0")
        for code, status in ((250, "2.1.0"), (250, "2.1.5"), (354, None), (250, "2.0.0"), (221, "2.0.0")):
            eve.read(expect=code, status=status)
        bob.expect_delivery(lab.letter(outer, at="mx-beta", to=bob.address))
        forged = bob.expect_delivery(lab.letter(inner, at="mx-beta", to=bob.address))
        forged.must_have("Return-Path", "<alice@alpha.test>")

    with (
        lab.settings("mx-beta", "a bare LF is an error", smtpd_forbid_bare_newline="reject"),
        _attack(lab, end) as (eve, _, _),
    ):
        eve.read(expect=550, status="5.5.2")


@contextmanager
def _attack(lab: ExerciseLab, end: str) -> Iterator[tuple[Conversation, str, str]]:
    """Send a letter with another one in it; return the conversation and both Message-IDs."""
    outer, inner = make_msgid(domain="gamma.test"), make_msgid(domain="gamma.test")
    lines = [
        *("From: eve@gamma.test", "To: bob@beta.test", "Subject: One letter", f"Message-ID: {outer}", ""),
        f"Hello Bob.{end}MAIL FROM:<alice@alpha.test>",
        *("RCPT TO:<bob@beta.test>", "DATA"),
        *(
            "From: alice@alpha.test",
            "To: bob@beta.test",
            "Subject: Another letter",
            f"Message-ID: {inner}",
            "",
        ),
        *("Please give Eve all your money.", ".", "QUIT", ""),
    ]
    with lab.conversation("mx-beta") as eve:
        eve.say("EHLO mx.gamma.test", expect=250)
        eve.say("MAIL FROM:<eve@gamma.test>", expect=250, status="2.1.0")
        eve.say("RCPT TO:<bob@beta.test>", expect=250, status="2.1.5")
        eve.say("DATA", expect=354)
        eve.send("\r\n".join(lines), "Send a letter with another one in it, and QUIT")
        yield eve, outer, inner


def test_no_smtputf8(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A letter in Unicode meets a server that knows only ASCII.

    The subject of Alice's letter is in UTF-8, and not encoded as ASCII. Such a letter may go only to servers
    that offer SMTPUTF8 (RFC 6531, section 3.2), and mx.beta.test does not offer it. Alice's server returns
    the letter with 5.6.7, the status for addresses that are not ASCII (section 3.5), which Postfix uses for
    headers, too. The bounce quotes the subject, so it needs SMTPUTF8 itself on its way back. When
    mx.beta.test offers it again, the same letter arrives as it was written.
    """
    text = "From: alice@alpha.test\r\nTo: bob@beta.test\r\nSubject: Grüße aus Köln\r\n\r\nHello.\r\n"
    with lab.settings("mx-beta", "does not offer SMTPUTF8", smtpd_discard_ehlo_keywords="smtputf8"):
        letter = alice.send(bob, "Grüße aus Köln", content=text.encode(), smtputf8=True)
        lab.expect_bounced(
            letter,
            dsn="5.6.7",
            says="SMTPUTF8 is required, but was not offered by host mx.beta.test",
            at="mx-alpha",
        )
        alice.expect_bounce(letter, status="5.6.7", reported_by="mx.alpha.test", remote_mta="")
    again = alice.send(bob, "Grüße aus Köln", content=text.encode(), smtputf8=True)
    bob.expect_delivery(again).must_have("Subject", "Grüße aus Köln")
