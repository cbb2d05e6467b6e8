"""Journeys as the logs of two domains tell them; each log line is one that Postfix or Dovecot wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from labctl.mail.content import dsn
from labctl.mail.log.delivery import RecipientState
from labctl.mail.log.logevent import NotificationKind
from labctl.mail.state import MessageState, least_happy
from labctl.trace.journey.hop import Hop, HopEvent, Note, NoteKind, Notice, QueueFileName, TracedMessage

START: Final = datetime(2026, 11, 24, 12, 0, 0, 118_000, tzinfo=UTC)
ID: Final = "<20261124120000.177@alpha.test>"
ALPHA, BETA, DNS = "mx.alpha.test", "mx.beta.test", "dns.lab.test"
BOX: Final = "mail.beta.test"
ALICE, BOB, BEA = "alice@alpha.test", "bob@beta.test", "bea@beta.test"
RELAY: Final = "mx.beta.test[203.0.113.20]:25"
LMTP: Final = "mail.beta.test[198.51.100.143]:24"
FIRST, SECOND, THIRD = "4dJq2K1Xz3zB", "4dJq2K2b7QzD", "4dJq2K3c1RzF"
REPORTS: Final = Path(__file__).parents[2] / "data/dsn"
REFUSED: Final = "connect to mx.beta.test[203.0.113.20]:25: Connection refused"
NO_SUCH_USER: Final = (
    f"host {RELAY[:-3]} said: 550 5.1.1 <ghost@beta.test>: Recipient address rejected: User unknown"
    " in virtual mailbox table (in reply to RCPT TO command)"
)


def hop(event: HopEvent, after: float, host: str, queue_id: str | None, text: str, **detail: Any) -> Hop:
    """Build a hop some seconds after the message came in."""
    lines = detail.pop("lines", None) or [f"{queue_id or 'NOQUEUE'}: {text}"]
    at = START + timedelta(seconds=after)
    return Hop(at, host, event, queue_id, text, {**detail, "lines": list(lines)})


def submitted(queue_id: str = FIRST, *recipients: str, sender: str = ALICE) -> tuple[Hop, Hop]:
    client = "unknown[198.18.3.1]"
    came = hop(
        HopEvent.SUBMITTED,
        0,
        ALPHA,
        queue_id,
        f"submitted by {sender} at {client}, by PLAIN, over TLSv1.3",
        client=client,
        sasl_username=sender,
        sasl_method="PLAIN",
        tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
        lines=[f"{queue_id}: client={client}, sasl_method=PLAIN, sasl_username={sender}"],
    )
    count = len(recipients) or 1
    queued = hop(
        HopEvent.QUEUED,
        0.004,
        ALPHA,
        queue_id,
        f"queued as {queue_id}: 612 bytes from <{sender}> for {count} recipient{'s' * (count > 1)}",
        message_id=ID,
        mail_from=sender,
        size=612,
        nrcpt=count,
        lines=[
            f"{queue_id}: message-id={ID}",
            f"{queue_id}: from=<{sender}>, size=612, nrcpt={count} (queue active)",
        ],
    )
    return came, queued


def lookup(
    after: float, name: str, kind: str, *records: str, rcode: str | None = "NOERROR", **more: Any
) -> Hop:
    said = ", ".join(records) or rcode or "no answer"
    return hop(
        HopEvent.LOOKUP,
        after,
        DNS,
        None,
        f"asked by {ALPHA} for {kind} of {name}: {said}",
        name=f"{name}.",
        type=kind,
        rcode=rcode,
        records=[f"{name}. 60 IN {kind} {each}" for each in records],
        client="203.0.113.10",
        duration=0.000_412,
        shared_with=more.get("shared_with", []),
        lines=[f'{{"client":"203.0.113.10","name":"{name}.","type":"{kind}","rcode":"{rcode}"}}'],
    )


def lookups(after: float) -> tuple[Hop, Hop]:
    return (
        lookup(after, "beta.test", "MX", "10 mx.beta.test."),
        lookup(after + 0.002, "mx.beta.test", "A", "203.0.113.20"),
    )


def attempt(  # noqa: PLR0917  # as a line of the log has them
    event: HopEvent,
    after: float,
    host: str,
    queue_id: str,
    recipient: str,
    reply: str,
    *,
    relay: str = RELAY,
    dsn: str = "2.0.0",
    program: str = "smtp",
    delays: tuple[float, float, float, float] = (0.01, 0.01, 0.02, 0.01),
    **more: Any,
) -> Hop:
    """Build the hop of an attempt to deliver, with the line that smtp(8) or lmtp(8) wrote of it."""
    status = {HopEvent.DEFERRED: "deferred", HopEvent.BOUNCED: "bounced"}.get(event, "sent")
    said = "/".join(f"{each:g}" for each in delays)
    orig_to = f", orig_to=<{more['orig_to']}>" if "orig_to" in more else ""
    line = (
        f"{queue_id}: to=<{recipient}>{orig_to}, relay={relay}, delay={sum(delays):g}, delays={said},"
        f" dsn={dsn}, status={status} ({reply})"
    )
    keys = ("before_queue_manager", "in_queue", "connection", "transmission")
    text = {
        HopEvent.RELAYED: f"{relay} accepted it for <{recipient}>: {reply}",
        HopEvent.DELIVERED: f"delivered to {relay} for <{recipient}>: {reply}",
        HopEvent.DEFERRED: f"put off for <{recipient}>: {reply}",
        HopEvent.BOUNCED: f"failed for good for <{recipient}>: {reply}",
        HopEvent.DISCARDED: f"thrown away, for <{recipient}>: {reply}",
    }.get(event, f"forwarded for <{recipient}>: {reply}")
    return hop(
        event,
        after,
        host,
        queue_id,
        text,
        recipient=recipient,
        relay=relay,
        delay=sum(delays),
        delays=dict(zip(keys, delays, strict=True)),
        dsn=dsn,
        reply=reply,
        program=program,
        lines=[line],
        **more,
    )


def at_beta(
    queue_id: str, recipient: str = BOB, after: float = 0.06, *, seen: bool = False
) -> tuple[Hop, ...]:
    """Return what the other domain's hosts say of a message that they took and stored."""
    reply = f"250 2.0.0 <{recipient}> pKfFGWYvBWuvAQAARBFpvw Saved"
    came = hop(
        HopEvent.RECEIVED,
        after,
        BETA,
        queue_id,
        f"taken in from {ALPHA}[203.0.113.10]",
        client=f"{ALPHA}[203.0.113.10]",
        lines=[f"{queue_id}: client={ALPHA}[203.0.113.10]"],
    )
    stored = hop(
        HopEvent.STORED,
        after + 0.03,
        BOX,
        None,
        f"stored in {recipient}'s INBOX",
        user=recipient,
        mailbox="INBOX",
        session="pKfFGWYvBWuvAQAARBFpvw",
        lines=[f"lmtp({recipient})<431><pKfFGWYvBWuvAQAARBFpvw>: Info: msgid={ID}: saved mail to INBOX"],
    )
    delivered = attempt(
        HopEvent.DELIVERED, after + 0.032, BETA, queue_id, recipient, reply, relay=LMTP, program="lmtp"
    )
    read = hop(
        HopEvent.SEEN,
        after + 31,
        BOX,
        None,
        f"{recipient} set \\Seen",
        user=recipient,
        mailbox="INBOX",
        flags=["\\Seen"],
        protocol="imap",
        uid=1,
    )
    return (came, stored, delivered, removed(after + 0.033, BETA, queue_id), *([read] if seen else []))


def relayed(after: float, recipient: str = BOB, queue_id: str = FIRST, next_id: str = SECOND) -> Hop:
    return attempt(
        HopEvent.RELAYED,
        after,
        ALPHA,
        queue_id,
        recipient,
        f"250 2.0.0 Ok: queued as {next_id}",
        next_host=BETA,
        next_queue_id=next_id,
    )


def removed(after: float, host: str, queue_id: str) -> Hop:
    return hop(
        HopEvent.REMOVED,
        after,
        host,
        queue_id,
        "removed from the queue: all is done",
        by="qmgr",
        lines=[f"{queue_id}: removed"],
    )


def message(hops: tuple[Hop, ...], *recipients: RecipientState, **more: Any) -> TracedMessage:
    ordered = tuple(sorted(hops, key=lambda each: each.at))
    files = dict.fromkeys((each.host, each.queue_id) for each in ordered if each.queue_id)
    return TracedMessage(
        message_id=more.pop("message_id", ID),
        state=least_happy(each.state for each in recipients),
        recipients=recipients,
        hops=ordered,
        bounce=more.pop("bounce", None),
        mail_from=more.pop("mail_from", ALICE),
        first_at=ordered[0].at if ordered else None,
        last_at=ordered[-1].at if ordered else None,
        queue_ids=tuple(QueueFileName(host, queue_id) for host, queue_id in files if queue_id),
        **more,
    )


def fate(
    address: str, state: MessageState, dsn: str | None = None, reason: str | None = None, **more: Any
) -> RecipientState:
    host = more.pop("host", ALPHA)
    return RecipientState(address, more.pop("original", address), state, dsn, reason, host, START, **more)


def saved(address: str = BOB) -> RecipientState:
    return fate(address, MessageState.DELIVERED, "2.0.0", f"250 2.0.0 <{address}> Saved", host=BETA)


def delivered(*, seen: bool = False) -> TracedMessage:
    """Return a letter that lies in its recipient's mailbox."""
    hops = (
        *submitted(),
        *lookups(0.01),
        relayed(0.07),
        removed(0.071, ALPHA, FIRST),
        *at_beta(SECOND, seen=seen),
    )
    return message(hops, saved())


def downloaded() -> TracedMessage:
    """Return a letter that its reader fetched by POP3, and deleted."""
    of = {"user": BOB, "protocol": "pop3", "session": "s1"}
    fetched = hop(
        HopEvent.FETCHED, 40, BOX, None, f"{BOB} fetched 1 message by POP3", **of, client="198.18.0.1"
    )
    gone = hop(HopEvent.DELETED, 40.2, BOX, None, f"deleted from {BOB}'s INBOX", **of, mailbox="INBOX", uid=1)
    return message((*delivered().hops, fetched, gone), saved())


def way_back(after: float, queue_id: str = THIRD, host: str = ALPHA, report: str = "dsn-01.eml") -> Notice:
    """Return the notification that the sender's own MTA wrote, and that lies in the sender's mailbox."""
    reply = f"250 2.0.0 <{ALICE}> qLfFGWYvBWuvAQAARBFpvw Saved"
    box = "mail.alpha.test"
    hops = (
        hop(
            HopEvent.QUEUED,
            after,
            host,
            queue_id,
            f"queued as {queue_id}: 2605 bytes from <> for 1 recipient",
            mail_from="",
            message_id="<20261124120000.4dJq2K3c1RzF@mx.alpha.test>",
            size=2605,
            nrcpt=1,
        ),
        hop(
            HopEvent.STORED,
            after + 0.02,
            box,
            None,
            f"stored in {ALICE}'s INBOX",
            user=ALICE,
            mailbox="INBOX",
        ),
        attempt(
            HopEvent.DELIVERED,
            after + 0.022,
            host,
            queue_id,
            ALICE,
            reply,
            relay="mail.alpha.test[192.0.2.143]:24",
            program="lmtp",
        ),
    )
    return Notice(
        NotificationKind.FAILED,
        START + timedelta(seconds=after),
        host,
        queue_id,
        "sender",
        "<20261124120000.4dJq2K3c1RzF@mx.alpha.test>",
        MessageState.DELIVERED,
        (fate(ALICE, MessageState.DELIVERED, "2.0.0", reply, host=host),),
        hops,
        dsn.parse((REPORTS / report).read_bytes()),
    )


def notified(after: float, host: str = ALPHA, queue_id: str = FIRST, notice_id: str = THIRD) -> Hop:
    return hop(
        HopEvent.NOTIFIED,
        after,
        host,
        queue_id,
        f"wrote to the sender that it failed, as {notice_id}",
        kind=NotificationKind.FAILED,
        to="sender",
        next_queue_id=notice_id,
        lines=[f"{queue_id}: sender non-delivery notification: {notice_id}"],
    )


def refusal(after: float, reply: str = NO_SUCH_USER, recipient: str = "ghost@beta.test") -> tuple[Hop, Hop]:
    """Return how the next host refused a recipient, in its own words and in the sender's MTA's."""
    own = reply.partition(" said: ")[2].partition(" (in")[0]
    return (
        hop(
            HopEvent.REJECTED,
            after - 0.001,
            BETA,
            None,
            f"refused <{recipient}> from {ALPHA}[203.0.113.10] at RCPT: {own}",
            stage="RCPT",
            client=f"{ALPHA}[203.0.113.10]",
            reply=own,
            code=550,
            dsn="5.1.1",
            mail_from=ALICE,
            recipient=recipient,
            lines=[
                f"NOQUEUE: reject: RCPT from {ALPHA}[203.0.113.10]: {own}; from=<{ALICE}> to=<{recipient}>"
            ],
        ),
        attempt(HopEvent.BOUNCED, after, ALPHA, FIRST, recipient, reply, dsn="5.1.1"),
    )


def bounced() -> TracedMessage:
    """Return a letter to nobody: refused at RCPT, and the sender was told."""
    notice = way_back(0.08, report="dsn-02.eml")
    hops = (*submitted(), *lookups(0.01), *refusal(0.07), notified(0.08), removed(0.081, ALPHA, FIRST))
    ghost = fate("ghost@beta.test", MessageState.BOUNCED, "5.1.1", NO_SUCH_USER)
    return message(hops, ghost, bounce=notice, notices=(notice,))


def no_such_domain() -> TracedMessage:
    """Return a letter to a domain that does not exist."""
    reply = "Host or domain name not found. Name service error for name=bta.test type=AAAA: Host not found"
    who = "bob@bta.test"
    notice = way_back(0.05, report="dsn-05.eml")
    hops = (
        *submitted(),
        lookup(0.01, "bta.test", "MX", rcode="NXDOMAIN"),
        attempt(HopEvent.BOUNCED, 0.04, ALPHA, FIRST, who, reply, relay="none", dsn="5.4.4"),
        notified(0.05),
        removed(0.06, ALPHA, FIRST),
    )
    return message(hops, fate(who, MessageState.BOUNCED, "5.4.4", reply), bounce=notice, notices=(notice,))


def put_off(n: int, after: float, recipient: str = BOB, queue_id: str = FIRST) -> tuple[Hop, ...]:
    """Return one attempt that met a closed port."""
    again = hop(HopEvent.RETRIED, after - 0.02, ALPHA, queue_id, f"taken up again, for retry {n}", attempt=n)
    return (
        *([again] if n else []),
        *lookups(after - 0.01),
        hop(
            HopEvent.UNREACHABLE,
            after - 0.002,
            ALPHA,
            queue_id,
            f"could not reach {RELAY}: Connection refused",
            relay=RELAY,
            reason="Connection refused",
            lines=[REFUSED],
        ),
        attempt(
            HopEvent.DEFERRED,
            after,
            ALPHA,
            queue_id,
            recipient,
            REFUSED,
            relay="none",
            dsn="4.4.1",
            delays=(after, 0.01, 0.02, 0),
            attempt=n,
            next_try_at=START + timedelta(seconds=after + min(2**n, 8)),
            next_try_in=min(2**n, 8),
            real_wait=min(300 * 2**n, 4000),
        ),
    )


def deferred(retries: int = 3) -> TracedMessage:
    """Return a letter whose next host's port is closed."""
    hops: tuple[Hop, ...] = submitted()
    after = 0.05
    for n in range(retries + 1):
        hops += put_off(n, after)
        after += min(2**n, 8) + 0.1
    return message(hops, fate(BOB, MessageState.DEFERRED, "4.4.1", REFUSED))


def greylisted() -> TracedMessage:
    """Return a letter that the next host refused for now."""
    reply = f"host {RELAY[:-3]} said: 450 4.2.0 <{BOB}>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/beta.test.html (in reply to RCPT TO command)"  # noqa: E501  # a log's line
    put = attempt(HopEvent.DEFERRED, 0.07, ALPHA, FIRST, BOB, reply, dsn="4.2.0", attempt=0, next_try_in=2)
    return message((*submitted(), *lookups(0.01), put), fate(BOB, MessageState.DEFERRED, "4.2.0", reply))


def mixed() -> TracedMessage:
    """Return a letter to four: two have it, one does not exist, one's host is away."""
    away, closed = "carol@gamma.test", "connect to mx.gamma.test[203.0.113.30]:25: Connection timed out"
    notice = way_back(0.09, report="dsn-02.eml")
    hops = (
        *submitted(FIRST, BOB, BEA, "ghost@beta.test", away),
        *lookups(0.01),
        lookup(0.012, "gamma.test", "MX", "10 mx.gamma.test."),
        lookup(0.014, "mx.gamma.test", "A", "203.0.113.30"),
        relayed(0.07),
        relayed(0.07, BEA),
        *refusal(0.071),
        *at_beta(SECOND, seen=True),
        *at_beta(SECOND, BEA)[1:3],
        attempt(
            HopEvent.DEFERRED,
            4.1,
            ALPHA,
            FIRST,
            away,
            closed,
            relay="none",
            dsn="4.4.1",
            delays=(0.01, 0.01, 4, 0),
            attempt=0,
            next_try_at=START + timedelta(seconds=6),
            next_try_in=1.9,
            real_wait=300,
        ),
        notified(0.09),
    )
    ghost = fate("ghost@beta.test", MessageState.BOUNCED, "5.1.1", NO_SUCH_USER)
    gone = fate(away, MessageState.DEFERRED, "4.4.1", closed)
    return message(hops, saved(), saved(BEA), ghost, gone, bounce=notice, notices=(notice,))


def looping(rounds: int = 6) -> TracedMessage:
    """Return a letter that two hosts send to each other until one has enough."""
    hops: tuple[Hop, ...] = submitted()
    who = "list@loop.test"
    ids = [FIRST, *(f"4dJq2L{n:02}XzzB" for n in range(2 * rounds))]
    hosts = [ALPHA, BETA]
    hops += (
        lookup(0.01, "loop.test", "MX", "10 mx.beta.test."),
        lookup(0.012, "mx.beta.test", "A", "203.0.113.20"),
    )
    for n, (this, following) in enumerate(pairwise(ids)):
        at, host, other = 0.03 * (n + 1), hosts[n % 2], hosts[(n + 1) % 2]
        reply = f"250 2.0.0 Ok: queued as {following}"
        hops += (
            attempt(
                HopEvent.RELAYED, at, host, this, who, reply,
                relay=f"{other}[203.0.113.{20 - n % 2 * 10}]:25", next_host=other, next_queue_id=following,
            ),
            hop(HopEvent.RECEIVED, at + 0.01, other, following, f"taken in from {host}", client=host),
        )  # fmt: skip
    at = 0.03 * (len(ids) + 1)
    reply = f"host {RELAY[:-3]} said: 554 5.4.0 Error: too many hops (in reply to end of DATA command)"
    hops += (attempt(HopEvent.BOUNCED, at, ALPHA, ids[-1], who, reply, dsn="5.4.0"),)
    notes = (Note(NoteKind.LOOP, f"It came to {ALPHA} {rounds + 1} times."),)
    return message(hops, fate(who, MessageState.BOUNCED, "5.4.0", reply), notes=notes)


def discarded() -> TracedMessage:
    """Return a letter that a transport map sent nowhere, and whose sender was told it was sent."""
    lost = attempt(
        HopEvent.DISCARDED, 0.02, ALPHA, FIRST, BOB, "beta.test", relay="none", program="discard", dsn="2.0.0"
    )
    note = Note(NoteKind.VANISHED, "It was accepted and thrown away, and nobody was told.")
    return message(
        (*submitted(), lost), fate(BOB, MessageState.DISCARDED, "2.0.0", "beta.test"), notes=(note,)
    )


def held() -> TracedMessage:
    """Return a letter that a header check put on hold."""
    on_hold = hop(
        HopEvent.HELD,
        0.003,
        ALPHA,
        FIRST,
        "put on hold: header Subject: Invoice",
        reason="header Subject: Invoice from local",
    )
    return message((*submitted(), on_hold), fate(BOB, MessageState.HELD))


def foreign() -> TracedMessage:
    """Return what one host's log alone tells: the next host has it, and its log is not here."""
    relay = "gmail-smtp-in.l.google.com[2a00:1450:400c:c00::1b]:25"
    who = "jemand.mit.einem.langen.namen+und.einem.zusatz@mail-gateway.department.example.com"
    hops = (
        hop(HopEvent.QUEUED, 0, "mx", "9D54F22843E", "queued as 9D54F22843E", message_id=ID, mail_from=ALICE),
        attempt(
            HopEvent.RELAYED,
            1.8,
            "mx",
            "9D54F22843E",
            who,
            "250 2.0.0 OK 1763985600 ffacd0b85a97d-3a1b2c3d4e5si123456789f8f.42 - gsmtp",
            relay=relay,
            next_host=relay.partition("[")[0],
        ),
    )
    notes = (Note(NoteKind.ELSEWHERE, "The log of gmail-smtp-in.l.google.com is not here: look there."),)
    return message(hops, fate(who, MessageState.RELAYED, "2.0.0", host="mx"), notes=notes)


def twice() -> TracedMessage:
    """Return a letter that came twice: the connection broke after the other host had taken it."""
    lost = (
        f"lost connection with {RELAY[:-3]} while sending end of data -- message may be sent more than once"
    )
    hops = (
        *submitted(),
        *lookups(0.01),
        *at_beta(SECOND),
        attempt(HopEvent.DEFERRED, 0.3, ALPHA, FIRST, BOB, lost, dsn="4.4.2", attempt=0, next_try_in=2),
        hop(HopEvent.RETRIED, 2.3, ALPHA, FIRST, "taken up again, for retry 1", attempt=1),
        relayed(2.4, next_id=THIRD),
        *at_beta(THIRD, after=2.35),
    )
    return message(hops, saved(), notes=(Note(NoteKind.DUPLICATE, f"{BOB} got it twice."),))


def aliased() -> TracedMessage:
    """Return a letter to an alias that local(8) forwards on the same host."""
    hops = (
        *submitted(),
        attempt(
            HopEvent.FORWARDED,
            0.02,
            ALPHA,
            FIRST,
            "friend@alpha.test",
            f"forwarded as {THIRD}",
            relay="local",
            program="local",
            next_queue_id=THIRD,
        ),
        hop(HopEvent.QUEUED, 0.03, ALPHA, THIRD, f"queued as {THIRD}", mail_from=ALICE),
        *lookups(0.032),
        relayed(0.07, queue_id=THIRD),
        *at_beta(SECOND),
    )
    return message(hops, fate(BOB, MessageState.DELIVERED, original="friend@alpha.test", host=BETA))


def filtered() -> TracedMessage:
    """Return a letter that a content filter took, and gave back to the same host."""
    hops = (
        *submitted(),
        attempt(
            HopEvent.RELAYED,
            0.5,
            ALPHA,
            FIRST,
            BOB,
            f"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {THIRD}",
            relay="127.0.0.1[127.0.0.1]:10024",
            next_host=ALPHA,
            next_queue_id=THIRD,
        ),
        hop(
            HopEvent.RECEIVED, 0.4, ALPHA, THIRD, "came back from a filter",
            client="localhost[127.0.0.1]", filtered_from=FIRST,
        ),
        relayed(0.6, queue_id=THIRD),
        *at_beta(SECOND, after=0.59),
    )  # fmt: skip
    return message(hops, saved())


def rejected() -> TracedMessage:
    """Return a letter that its sender's own MTA did not take."""
    own = f"553 5.7.1 <{BOB}>: Sender address rejected: not owned by user {ALICE}"
    no = hop(
        HopEvent.REJECTED,
        0,
        ALPHA,
        None,
        f"refused <{BOB}> from unknown[198.18.3.1] at RCPT: {own}",
        stage="RCPT",
        client="unknown[198.18.3.1]",
        reply=own,
        code=553,
        dsn="5.7.1",
        mail_from=ALICE,
        recipient=BOB,
    )
    return message((no,), fate(BOB, MessageState.REJECTED, "5.7.1", own), message_id="")


EVERY: Final = {
    "delivered": delivered,
    "downloaded": downloaded,
    "bounced": bounced,
    "no_such_domain": no_such_domain,
    "deferred": deferred,
    "greylisted": greylisted,
    "mixed": mixed,
    "looping": looping,
    "discarded": discarded,
    "held": held,
    "foreign": foreign,
    "twice": twice,
    "aliased": aliased,
    "filtered": filtered,
    "rejected": rejected,
}
