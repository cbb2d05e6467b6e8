from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.content import dsn
from labctl.mail.content.dsn import DsnAction
from labctl.mail.meaning.explanation import (
    explain_action,
    explain_reply,
    explain_state,
    explain_status,
    is_known,
    known_codes,
)
from labctl.mail.meaning.notification import explain_recipient
from labctl.mail.state import MessageState

if TYPE_CHECKING:
    from labctl.mail.meaning.meaning import Meaning

SAMPLES = sorted((Path(__file__).parents[2] / "data" / "dsn").glob("*.eml"))

# The IANA registry "SMTP Enhanced Status Codes", subject by subject: the highest detail of each.
REGISTERED = [
    f"{subject}.{detail}"
    for subject, highest in enumerate((0, 10, 4, 6, 7, 6, 10, 30))
    for detail in range(highest + 1)
]
# RFC 5321, section 4.2.3, with RFC 4954, RFC 7504 and RFC 1985.
REPLIES = [
    *("211", "214", "220", "221", "235", "250", "251", "252", "334", "354"),
    *("421", "432", "450", "451", "452", "454", "455", "458", "459"),
    *("500", "501", "502", "503", "504", "521", "530", "534", "535", "538"),
    *("550", "551", "552", "553", "554", "555", "556"),
]


def complete(meaning: Meaning) -> bool:
    words = (meaning.title, meaning.text, meaning.cause, *meaning.next, *meaning.sources)
    return all(words) and bool(meaning.next) and bool(meaning.sources) and "{" not in "".join(words)


def test_the_registry_has_81_codes() -> None:
    assert len(REGISTERED) == 81


@pytest.mark.parametrize("code", REGISTERED)
@pytest.mark.parametrize("digit", ["2", "4", "5"])
def test_every_registered_code_is_explained(code: str, digit: str) -> None:
    meaning = explain_status(f"{digit}.{code}")

    assert complete(meaning)
    assert meaning.subject == f"{digit}.{code}"
    assert f"{digit}.{code}" in known_codes()
    assert "IANA" in "".join(meaning.sources)
    assert ("may pass by itself" in meaning.text) is (digit == "4")
    assert ("will not pass by itself" in meaning.text) is (digit == "5")


@pytest.mark.parametrize("code", REPLIES)
def test_every_reply_code_is_explained(code: str) -> None:
    assert complete(explain_reply(code))
    assert code in known_codes()


@pytest.mark.parametrize("word", [*MessageState, *DsnAction])
def test_every_state_and_action_is_explained(word: MessageState | DsnAction) -> None:
    meaning = explain_state(word) if isinstance(word, MessageState) else explain_action(word)
    assert meaning is not None
    assert complete(meaning)


@pytest.mark.parametrize("table", ["status", "reply", "state", "text"])
def test_every_row_of_the_tables_names_its_sources(table: str) -> None:
    content = tomllib.loads(
        files("labctl.mail.meaning").joinpath(f"{table}.toml").read_text(encoding="utf-8")
    )
    rows: list[dict[str, Any]] = []
    for value in content.values():
        rows.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
    assert len(rows) > 10
    for row in rows:
        assert all(row[field] for field in ("title", "text", "cause", "next", "sources")), row["title"]
        assert row["text"].endswith("."), row["title"]
        assert row["cause"].endswith("."), row["title"]


def test_the_words_of_a_rule_are_in_lower_case_as_they_are_compared() -> None:
    content = tomllib.loads(files("labctl.mail.meaning").joinpath("text.toml").read_text(encoding="utf-8"))
    assert [match for row in content["text"] for match in row["match"] if match != match.casefold()] == []


NO_DATA = "Name service error for name=x.test type=A: Host found but no data record of requested type"
UNKNOWN_USER = "550 5.1.1 <g@beta.test>: Recipient address rejected: User unknown in virtual mailbox table"
PERHAPS_TWICE = (
    "lost connection with mx[10.9.0.20] while sending end of data -- message may be sent more than once"
)

# What the daemons really say in each situation of the course, and a word of the title that explains it.
SITUATIONS = {
    "250 2.0.0 Ok: queued as 4bXy1z": "accepted",
    "250 2.0.0 <bob@beta.test> 0dNHJscOBWtvCAAARBFpvw Saved": "mailbox",
    "connect to mx.beta.test[203.0.113.20]:25: Connection refused": "nobody listens",
    "connect to mx.beta.test[203.0.113.20]:25: Connection timed out": "nobody answered",
    "connect to mx6.beta.test[2001:db8::1]:25: Network is unreachable": "no way",
    "Domain nullmx.test does not accept mail (nullMX)": "null MX",
    "556 5.1.10 <x@n.test>: Recipient address rejected: Domain n.test does not accept mail (nullMX)": "null",
    "550 5.7.27 <x@n.test>: Sender address rejected: Domain n.test does not accept mail (nullMX)": "sender's",
    "Host or domain name not found. Name service error for name=x.test type=A: Host not found": "such domain",
    NO_DATA: "the record does not",
    "Name service error for name=x.test type=MX: Host not found, try again": "DNS does not answer",
    "450 4.7.1 Client host rejected: cannot find your reverse hostname, [10.9.0.10]": "name and address",
    "450 4.7.25 Client host rejected: cannot find your hostname, [10.9.0.10]": "name and address",
    UNKNOWN_USER: "no such mailbox (Postfix virtual)",
    "550 5.1.1 <missing@beta.test> User doesn't exist: missing@beta.test": "no such mailbox",
    "501 5.1.3 Bad recipient address syntax": "malformed",
    "501 5.1.7 Bad sender address syntax": "sender's address",
    "552 5.2.2 <full@beta.test> Quota exceeded (mailbox for user is full)": "full",
    "452 4.2.2 <full@beta.test> Quota exceeded (mailbox for user is full)": "full",
    "552 5.2.2 <full@beta.test>: Recipient address rejected: Mailbox is full": "full",
    "message size 41393 exceeds size limit 20000 of server mx.beta.test[10.9.0.20]": "too big",
    "552 5.3.4 Error: message file too big": "too big",
    "450 4.2.0 <b@beta.test>: Recipient address rejected: Greylisted, see http://postgrey.test/": "greylist",
    "450 4.7.1 <b@beta.test>: Recipient address rejected: Greylisted": "greylisting",
    "conversation with mx.beta.test[10.9.0.20] timed out while sending RCPT TO": "fell silent",
    PERHAPS_TWICE: "last answer never came",
    "lost connection with mx.beta.test[10.9.0.20] while sending RCPT TO": "broke off",
    "host mx.beta.test[10.9.0.20] refused to talk to me: 554 5.3.2 no service": "does not want to talk",
    "mail for loop.test loops back to myself": "same server",
    "mail forwarding loop for a-loop@alpha.test": "circle",
    "554 5.4.0 Error: too many hops": "too many hosts",
    "recipient nesting limit exceeded": "points to itself",
    "451 4.6.0 Alias expansion error": "points to itself",
    "454 4.7.1 <x@gamma.test>: Relay access denied": "does not pass mail on",
    "554 5.7.1 <x@gamma.test>: Relay access denied": "does not pass mail on",
    "535 5.7.8 Error: authentication failed: (reason unavailable)": "password",
    "553 5.7.1 <b@beta.test>: Sender address rejected: not owned by user a@alpha.test": "someone else",
    "530 5.7.0 Must issue a STARTTLS command first": "encryption first",
    "TLS is required, but was not offered by host mx.beta.test[10.9.0.20]": "offers no encryption",
    "Server certificate not trusted": "can't prove",
    "Server certificate not verified": "can't prove",
    "non DNSSEC destination": "DANE",
    "550 5.7.23 <b@beta.test>: Recipient address rejected: Message rejected due to: SPF fail": "SPF",
    "550 5.7.0 bad DKIM signature data": "DKIM",
    "451 4.7.1 Service unavailable - try again later": "filter",
    "450 4.7.1 Error: too much mail from 10.9.0.10": "too much mail",
    "421 4.7.0 mx.beta.test Error: too many connections from 10.9.0.10": "connections",
    "554 5.5.0 Error: SMTP protocol synchronization": "protocol",
    "550 5.5.2 Error: bare <LF> received": "line ends",
    "SMTPUTF8 is required, but was not offered by host mx.beta.test[10.9.0.20]": "ASCII",
    "451 4.3.0 Error: queue file write error": "could not store",
    "unknown mail transport error": "Postfix does not run",
    "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname": "wrong name",
    "503 5.5.1 Error: need RCPT command": "step of the dialogue",
}


@pytest.mark.parametrize(("said", "title"), SITUATIONS.items())
def test_what_daemons_say_in_the_situations_of_the_course_is_explained(said: str, title: str) -> None:
    meaning = explain_reply(said)

    assert title in meaning.title
    assert complete(meaning)


def test_the_words_are_understood_through_all_that_logs_and_reports_put_before_them() -> None:
    said = UNKNOWN_USER
    wanted = explain_reply(said)
    for quoted in (
        f"smtp; {said}",
        f"host mx.beta.test[203.0.113.20] said: {said} (in reply to RCPT TO command)",
        said.replace("550 ", "550-"),
        f"#{said}",
    ):
        assert explain_reply(quoted).title == wanted.title
        assert explain_reply(quoted).subject == "550 5.1.1"


def test_words_say_more_than_an_enhanced_code_which_says_more_than_a_basic_one() -> None:
    assert explain_reply("550 5.7.1 <x@y.test>: Relay access denied").title.startswith("server does not pass")
    assert explain_reply("550 5.7.1 no").title == "not allowed"
    assert explain_reply("550 no").title == "mailbox not available, or refused"
    assert explain_reply("577 no").title == "no"
    assert explain_reply("550 5.1.99 no").title == "about an address"
    assert explain_reply("5.99.9").title == "failure that will not pass"


def test_a_code_that_says_nothing_leaves_the_word_to_the_basic_one() -> None:
    assert explain_reply("552 5.0.0 no").title == explain_reply("552").title


def test_words_of_an_address_or_of_a_success_are_no_words_of_trouble() -> None:
    assert explain_reply("550 <spam@virus.test>: no").title == explain_reply("550").title
    assert explain_reply("250 2.0.0 Ok, the spam filter likes it").title == "done"


def test_a_report_that_gave_up_does_not_say_that_it_is_tried_again() -> None:
    said = "X-Postfix; connect to mx.beta.test[203.0.113.20]:25: Connection refused"

    assert "tries again" in explain_status("4.4.1", said).text
    assert "gave up" in explain_status("4.4.1", said, given_up=True).text
    assert "tries again" not in explain_status("4.4.1", said, given_up=True).text


def test_the_next_steps_name_what_the_words_name() -> None:
    meaning = explain_reply(
        "connect to mx.beta.test[203.0.113.20]:25: Connection refused", address="bob@beta.test"
    )
    assert "from the sending server: nc -vz mx.beta.test 25" in meaning.next
    assert any(step.startswith("dig beta.test MX") for step in meaning.next)


@pytest.mark.parametrize("name", ["$(reboot)@x.test", "-rf@beta.test", "a;b@beta.test", "`x`@beta.test"])
def test_the_next_steps_are_commands_that_one_can_copy_whatever_the_address_is(name: str) -> None:
    meaning = explain_reply(f"550 5.1.1 <{name}>: User unknown", address=name)
    for step in meaning.next:
        assert name not in step
        assert "`" not in step


def test_words_that_nobody_knows_are_told_as_such() -> None:
    assert not is_known("hello world")
    assert explain_reply("hello world").title == "words of the server's own"
    assert complete(explain_reply("hello world"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_recorded_notification_is_explained_by_more_than_its_class(path: Path) -> None:
    found = dsn.parse(path.read_bytes())
    assert found is not None
    for recipient in found.recipients:
        meaning = explain_recipient(recipient)
        assert complete(meaning)
        assert meaning.title != "failure that will not pass"
        failed = recipient.action in (DsnAction.FAILED, DsnAction.DELAYED)
        assert meaning.subject == (recipient.status if failed else recipient.action)


@given(st.text(max_size=300), st.text(max_size=50), st.text(max_size=20), st.booleans())
def test_anything_is_explained(text: str, address: str, host: str, given_up: bool) -> None:
    assert explain_reply(text, address=address, given_up=given_up).text
    assert explain_status(host, text, address=address, host=host).text


WORDS = [
    "550",
    "5.1.1",
    "4.4.1",
    "said:",
    "-",
    " ",
    "#",
    "<a@b>",
    "User unknown",
    "smtp;",
    "[1.2.3.4]",
    "name=",
    "é",
]


@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_any_reply_is_explained(words: list[str]) -> None:
    assert complete(explain_reply(" ".join(words)))
