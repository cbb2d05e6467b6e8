"""Reports that the sender asked for, or asked to be spared (RFC 3461)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_three_receipts(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A receipt says how far a letter came, in three words.

    By default only bad news is reported. With NOTIFY=SUCCESS on RCPT TO, Alice asks for the good news too
    (RFC 3461, section 4.1), and each server hands the wish on to the next. “expanded”: an alias put other
    addresses in the recipient's place, and what becomes of those is not told. “relayed”: the letter was
    given to a server that knows no such wishes; here this is the MDA, behind LMTP. “delivered”: the
    server itself put it where it belongs; here this is local(8), which hands it to a program (RFC 3464,
    section 2.3.3). None of them says that anybody has read it.
    """
    wish = ["SUCCESS"]

    letter = alice.send("postmaster@beta.test", "To whom it may concern", notify=wish)
    alice.expect_receipt(
        letter,
        action="expanded",
        status="2.0.0",
        reported_by="mx.beta.test",
        recipient="postmaster@beta.test",
    )
    bob.expect_delivery(letter)

    letter = alice.send(bob, "Tell me when it is there", notify=wish)
    alice.expect_receipt(
        letter,
        action="relayed",
        status="2.0.0",
        reported_by="mx.beta.test",
        diagnostic="250 2.0.0",
        recipient="bob@beta.test",
    )
    bob.expect_delivery(letter)

    with lab.settings(
        "mx-beta",
        "letters to users of the host itself are given to a program",
        mydestination="mx.beta.test",
        mailbox_command="cat >/dev/null",
    ):
        letter = alice.send("backup@mx.beta.test", "One for the archive", notify=wish)
        lab.expect_sent(letter, dsn="2.0.0", says="delivered to command", at="mx-beta", relay="local")
        alice.expect_receipt(
            letter,
            action="delivered",
            status="2.0.0",
            reported_by="mx.beta.test",
            remote_mta="",
            recipient="backup@mx.beta.test",
        )
        lab.expect_gone(letter)


def test_no_report_please(lab: ExerciseLab, alice: Person) -> None:
    """Who wants no report gets none, not even a bounce.

    NOTIFY=NEVER on RCPT TO says: never write to me about this recipient (RFC 3461, section 4.1). Nobody
    knows Carol, the log says status=bounced with 5.1.1 as ever, and the letter is gone. But Alice hears
    nothing. That is for letters whose loss nobody needs to hear of. For a person it is a dangerous wish:
    silence looks just like success.
    """
    letter = alice.send("carol@beta.test", "No answer needed", notify=["NEVER"])

    lab.expect_bounced(letter, dsn="5.1.1", code=550, at="mx-alpha", relay="mx.beta.test")
    alice.expect_silence(letter)
    lab.expect_queue_empty("mx-alpha")
