"""How mail is read: by IMAP it stays on the server, by POP3 it may be taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_pop3_takes_the_mail_away_at_the_very_end(alice: Person, bob: Person) -> None:
    r"""POP3 takes the mail away, but only at the very end.

    Bob's mailbox is one and the same, whichever protocol he uses. POP3 (RFC 1939) is made for taking mail
    home: RETR fetches a letter and DELE marks it for deletion. RETR alone leaves it where it is; IMAP shows
    it as read, \Seen (RFC 9051, section 2.3.2). DELE alone deletes nothing either: the server waits for
    QUIT. If the connection breaks before, it must keep everything (RFC 1939, section 6), because it can't
    know whether the letter has arrived at Bob's computer. After DELE and QUIT it is gone, for IMAP too. A
    mail program that is set to "delete from the server" makes Bob's mailbox empty on all his other devices.
    """
    letter = alice.send(bob, "Take me home")
    bob.expect_delivery(letter)
    bob.mailbox.must_hold(letter, without=(r"\Seen",))

    bob.download()
    bob.mailbox.must_hold(letter, flags=(r"\Seen",))
    bob.download(delete=True, hang_up=True)
    bob.mailbox.must_hold(letter)
    bob.download(delete=True)
    bob.mailbox.must_not_hold(letter)


def test_the_server_tells_of_new_mail_by_itself(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """The server tells of new mail by itself.

    A mail program could ask every few minutes whether there is something new. With IMAP it need not: it
    says IDLE (RFC 2177) and leaves the connection open. As soon as a letter is saved in the mailbox, the
    server sends a line that nobody has asked for, "* 1 EXISTS": there is 1 letter in this folder now (RFC
    9051, section 7.4.1). This is how new mail appears on a telephone at once. It takes a moment, because
    Dovecot waits for half a second whether more comes, and tells of all together.
    """
    with bob.idle() as watching:
        letter = alice.send(bob, "Ring, ring")
        lab.expect_sent(letter, says="Saved", at="mx-beta", recipient=bob.address)
        watching.expect_news(count=1)
    bob.mailbox.must_hold(letter)


def test_what_one_client_does_the_other_sees(alice: Person, bob: Person) -> None:
    r"""What Bob does on his phone, his laptop sees.

    With IMAP the mailbox lives on the server, and mail programs only look at it (RFC 9051). Flags are kept
    there: \Seen for read, \Flagged for important, \Answered (section 2.3.2). Folders are kept there, too.
    When Bob moves a letter from his INBOX to another folder (RFC 6851), it is the server that moves it; the
    letter's flags go with it. So a second program, with a connection of its own, sees everything as the
    first has left it. With POP3 each device would have a copy of its own, and none would know of the
    others.
    """
    phone, laptop = bob.mailbox, bob.another_client()
    letter = alice.send(bob, "Tickets for the concert")
    mail = bob.expect_delivery(letter)
    laptop.must_hold(letter, without=(r"\Seen", r"\Flagged"))

    phone.flag(mail, r"\Seen", r"\Flagged")
    phone.create_folder("Concerts")
    phone.move(mail, "Concerts")

    laptop.must_not_hold(letter)
    laptop.must_hold(letter, "Concerts", flags=(r"\Seen", r"\Flagged"))
