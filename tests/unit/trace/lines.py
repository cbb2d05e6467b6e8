# ruff: noqa: E501  # lines of logs are as long as they are
"""Real lines of a lab's hosts, with the engine's stamps, and what reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from labctl.trace.logs.reading import Reader

if TYPE_CHECKING:
    from labctl.trace.logs.entry import Entry

NEWEST: Final = datetime(2026, 11, 25, tzinfo=UTC)
HOSTS: Final = {
    "203.0.113.10": "mx.alpha.test",
    "192.0.2.10": "mx.alpha.test",
    "203.0.113.20": "mx.beta.test",
    "198.51.100.20": "mx.beta.test",
    "192.0.2.143": "mail.alpha.test",
    "198.51.100.143": "mail.beta.test",
    "203.0.113.53": "dns.lab.test",
}
DELIVERED_ID: Final = "<179553659647.14235.16520650071787833448@alpha.test>"
BOUNCED_ID: Final = "<179553659668.14245.15310461341287377732@alpha.test>"

DELIVERED: Final = {
    "dns.lab.test": """\
2026-11-24T16:09:56.500412005Z {"time":"2026-11-24T16:09:56.49992804Z","client":"203.0.113.10","id":39057,"name":"beta.test.","type":"MX","rcode":"NOERROR","records":["beta.test. 300 IN MX 10 mx.beta.test."],"duration":0.000143872}
2026-11-24T16:09:56.500453127Z {"time":"2026-11-24T16:09:56.500130741Z","client":"203.0.113.10","id":37923,"name":"mx.beta.test.","type":"A","rcode":"NOERROR","records":["mx.beta.test. 300 IN A 203.0.113.20"],"duration":0.000158871}
2026-11-24T16:09:56.500583499Z {"time":"2026-11-24T16:09:56.500421964Z","client":"203.0.113.20","id":45684,"name":"10.113.0.203.in-addr.arpa.","type":"PTR","rcode":"NOERROR","records":["10.113.0.203.in-addr.arpa. 300 IN PTR mx.alpha.test."],"duration":0.000027856}
2026-11-24T16:09:56.500600000Z {"time":"2026-11-24T16:09:56.500500000Z","client":"203.0.113.10","id":45699,"name":"elsewhere.test.","type":"MX","rcode":"NXDOMAIN","records":[],"duration":0.000027856}
""",
    "mx.alpha.test": """\
2026-11-24T16:09:56.481388020Z Nov 24 16:09:56 mx postfix/submission/smtpd[20]: connect from unknown[198.19.116.33]
2026-11-24T16:09:56.491892605Z Nov 24 16:09:56 mx postfix/submission/smtpd[20]: 77F9B1D814E: client=unknown[198.19.116.33], sasl_method=PLAIN, sasl_username=alice@alpha.test
2026-11-24T16:09:56.492276875Z Nov 24 16:09:56 mx postfix/cleanup[22]: 77F9B1D814E: message-id=<179553659647.14235.16520650071787833448@alpha.test>
2026-11-24T16:09:56.493362536Z Nov 24 16:09:56 mx postfix/qmgr[15]: 77F9B1D814E: from=<alice@alpha.test>, size=447, nrcpt=1 (queue active)
2026-11-24T16:09:56.493454281Z Nov 24 16:09:56 mx postfix/submission/smtpd[20]: disconnect from unknown[198.19.116.33] ehlo=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=6
2026-11-24T16:09:56.510521417Z Nov 24 16:09:56 mx postfix/smtp[23]: 77F9B1D814E: to=<bob@beta.test>, relay=mx.beta.test[203.0.113.20]:25, delay=0.02, delays=0.01/0.01/0/0.01, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 7C1991D8153)
2026-11-24T16:09:56.511396841Z Nov 24 16:09:56 mx postfix/qmgr[15]: 77F9B1D814E: removed
""",
    "mx.beta.test": """\
2026-11-24T16:09:56.500800396Z Nov 24 16:09:56 mx postfix/smtpd[16]: connect from mx.alpha.test[203.0.113.10]
2026-11-24T16:09:56.508667694Z Nov 24 16:09:56 mx postfix/smtpd[16]: 7C1991D8153: client=mx.alpha.test[203.0.113.10]
2026-11-24T16:09:56.509387637Z Nov 24 16:09:56 mx postfix/cleanup[21]: 7C1991D8153: message-id=<179553659647.14235.16520650071787833448@alpha.test>
2026-11-24T16:09:56.510801851Z Nov 24 16:09:56 mx postfix/qmgr[14]: 7C1991D8153: from=<alice@alpha.test>, size=623, nrcpt=1 (queue active)
2026-11-24T16:09:56.533006217Z Nov 24 16:09:56 mx postfix/lmtp[22]: 7C1991D8153: to=<bob@beta.test>, relay=198.51.100.143[198.51.100.143]:24, delay=0.03, delays=0.01/0.01/0.01/0.01, dsn=2.0.0, status=sent (250 2.0.0 <bob@beta.test> F39mH9S2BWsVAAAAwZFyXg Saved)
2026-11-24T16:09:56.538715660Z Nov 24 16:09:56 mx postfix/qmgr[14]: 7C1991D8153: removed
""",
    "mail.beta.test": """\
2026-11-24T16:09:56.532423763Z Nov 24 16:09:56 lmtp(bob@beta.test)<21><F39mH9S2BWsVAAAAwZFyXg>: Info: msgid=<179553659647.14235.16520650071787833448@alpha.test>: saved mail to INBOX
2026-11-24T16:09:57.022283518Z Nov 24 16:09:57 pop3-login: Info: Logged in: user=<bob@beta.test>, method=PLAIN, rip=198.19.116.33, lip=198.19.116.38, mpid=25, session=<GNsL8QdhcOTGE3Qh>
2026-11-24T16:09:57.024553287Z Nov 24 16:09:57 pop3(bob@beta.test)<25><GNsL8QdhcOTGE3Qh>: Info: Mailbox INBOX: expunge: box=INBOX, uid=1, msgid=<179553659647.14235.16520650071787833448@alpha.test>, size=859, flags=(\\Recent)
2026-11-24T16:09:57.025151052Z Nov 24 16:09:57 pop3(bob@beta.test)<25><GNsL8QdhcOTGE3Qh>: Info: Disconnected: Logged out top=0/0, retr=1/898, del=1/882, size=882
""",
}
BOUNCED: Final = {
    "mx.alpha.test": """\
2026-11-24T16:09:56.692644046Z Nov 24 16:09:56 mx postfix/submission/smtpd[20]: A90C41D8153: client=unknown[198.19.116.33], sasl_method=PLAIN, sasl_username=alice@alpha.test
2026-11-24T16:09:56.693139672Z Nov 24 16:09:56 mx postfix/cleanup[22]: A90C41D8153: message-id=<179553659668.14245.15310461341287377732@alpha.test>
2026-11-24T16:09:56.694052533Z Nov 24 16:09:56 mx postfix/qmgr[15]: A90C41D8153: from=<alice@alpha.test>, size=453, nrcpt=1 (queue active)
2026-11-24T16:09:56.702197231Z Nov 24 16:09:56 mx postfix/smtp[23]: A90C41D8153: to=<nobody@beta.test>, relay=mx.beta.test[203.0.113.20]:25, delay=0.01, delays=0/0/0/0.01, dsn=5.1.1, status=bounced (host mx.beta.test[203.0.113.20] said: 550 5.1.1 <nobody@beta.test>: Recipient address rejected: User unknown in virtual mailbox table (in reply to RCPT TO command))
2026-11-24T16:09:56.704806839Z Nov 24 16:09:56 mx postfix/cleanup[22]: ABD6E1D8167: message-id=<20261124160956.ABD6E1D8167@mx.alpha.test>
2026-11-24T16:09:56.705378391Z Nov 24 16:09:56 mx postfix/qmgr[15]: ABD6E1D8167: from=<>, size=2533, nrcpt=1 (queue active)
2026-11-24T16:09:56.705388117Z Nov 24 16:09:56 mx postfix/bounce[24]: A90C41D8153: sender non-delivery notification: ABD6E1D8167
2026-11-24T16:09:56.705610670Z Nov 24 16:09:56 mx postfix/qmgr[15]: A90C41D8153: removed
2026-11-24T16:09:56.727740705Z Nov 24 16:09:56 mx postfix/lmtp[25]: ABD6E1D8167: to=<alice@alpha.test>, relay=192.0.2.143[192.0.2.143]:24, delay=0.02, delays=0/0.01/0.01/0.01, dsn=2.0.0, status=sent (250 2.0.0 <alice@alpha.test> LrgEK9S2BWsWAAAALONNww Saved)
2026-11-24T16:09:56.728178897Z Nov 24 16:09:56 mx postfix/qmgr[15]: ABD6E1D8167: removed
""",
    "mx.beta.test": """\
2026-11-24T16:09:56.696355478Z Nov 24 16:09:56 mx postfix/smtpd[16]: connect from mx.alpha.test[203.0.113.10]
2026-11-24T16:09:56.697003468Z Nov 24 16:09:56 mx postfix/smtpd[16]: NOQUEUE: reject: RCPT from mx.alpha.test[203.0.113.10]: 550 5.1.1 <nobody@beta.test>: Recipient address rejected: User unknown in virtual mailbox table; from=<alice@alpha.test> to=<nobody@beta.test> proto=ESMTP helo=<mx.alpha.test>
2026-11-24T16:09:56.702502975Z Nov 24 16:09:56 mx postfix/smtpd[16]: disconnect from mx.alpha.test[203.0.113.10] ehlo=1 mail=1 rcpt=0/1 data=0/1 rset=1 quit=1 commands=4/6
""",
    "mail.alpha.test": """\
2026-11-24T16:09:56.727222551Z Nov 24 16:09:56 lmtp(alice@alpha.test)<22><LrgEK9S2BWsWAAAALONNww>: Info: msgid=<20261124160956.ABD6E1D8167@mx.alpha.test>: saved mail to INBOX
""",
}


def entries(*logs: dict[str, str]) -> list[Entry]:
    """Read the lines of several hosts, by time."""
    found: list[Entry] = []
    for log in logs:
        for host, text in log.items():
            reader = Reader(f"{host}-{len(found)}", host=host, newest=NEWEST, zone=UTC)
            offset = 0
            for line in text.splitlines(keepends=True):
                entry = reader.entry(line.rstrip("\n"), offset)
                offset += len(line)
                if entry is not None:
                    found.append(entry)
    return sorted(found, key=lambda each: each.at)
