"""Faults of an MTA: what its main.cf refuses, holds back, loses or is slow with, or another in its place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from labctl.errors import UsageError
from labctl.faults import values
from labctl.faults.fault import Fault, Parameter, for_good
from labctl.faults.hostchange import HostChange
from labctl.faults.postfix import for_others, patience, put_first
from labctl.lab.role import Role

if TYPE_CHECKING:
    from labctl.faults.fault import Scene

_HOST: Final = Parameter("host", "mx-beta", "the MTA", check=values.name)
_SECONDS: Final = values.number(1, 600)
_SINK_PORT: Final = 2525
_GREYLIST: Final = "/etc/postfix/greylist"
"""Where the image's policy server finds the delay."""

_ASK_GREYLIST: Final = (
    "permit_mynetworks, permit_sasl_authenticated, check_policy_service unix:private/greylist"
)

_AT_ONCE: Final = {"smtpd_delay_reject": "no"}
"""Otherwise Postfix answers what it thinks of client, HELO and sender only after RCPT TO."""


class _Stage(NamedTuple):
    """A moment of an SMTP conversation: the restrictions that then apply, and the client's timeout."""

    restrictions: str
    timeout: str


_STAGES: Final = {
    "client": _Stage("smtpd_client_restrictions", "smtp_helo_timeout"),
    "helo": _Stage("smtpd_helo_restrictions", "smtp_helo_timeout"),
    "sender": _Stage("smtpd_sender_restrictions", "smtp_mail_timeout"),
    "recipient": _Stage("smtpd_recipient_restrictions", "smtp_rcpt_timeout"),
    "data": _Stage("smtpd_data_restrictions", "smtp_data_init_timeout"),
    "content": _Stage("smtpd_end_of_data_restrictions", "smtp_data_done_timeout"),
}
_ABOUT: Final = dict.fromkeys(_STAGES, "client") | {each: each for each in ("helo", "sender", "recipient")}
"""What a refusal at a stage says it is about."""

_COMMANDS: Final = {"HELO": "helo", "MAIL": "sender", "RCPT": "recipient", "DATA": "data", "END": "content"}
_EARLY: Final = frozenset({"client", "helo", "sender"})


def _restricted(scene: Scene, stage: str, action: str) -> HostChange:
    """Do something with other MTAs at a stage of the conversation."""
    host = scene.host(Role.MTA)
    settings = for_others(scene, host, _STAGES[stage].restrictions, action)
    return HostChange(host.service, settings | (_AT_ONCE if stage in _EARLY else {}))


def _greylist(scene: Scene) -> tuple[HostChange, ...]:
    host = scene.host(Role.MTA)
    name = _STAGES["recipient"].restrictions
    settings = {name: put_first(scene, host, name, _ASK_GREYLIST)}
    return (HostChange(host.service, settings, {_GREYLIST: f"{scene['delay']}\n"}),)


def _size_limit(scene: Scene) -> tuple[HostChange, ...]:
    hidden = {} if scene["advertised"] == "yes" else {"smtpd_discard_ehlo_keywords": "size"}
    return (HostChange(scene.host(Role.MTA).service, {"message_size_limit": scene["bytes"], **hidden}),)


def _reject(scene: Scene) -> tuple[HostChange, ...]:
    code, status = scene["code"], scene["status"]
    if code[0] != status[0]:
        raise UsageError(
            f"fault reject: code={code} and status={status} contradict each other: both are 4… or 5…",
            hint=f"labctl fault apply reject code={code} status={code[0]}{status[1:]}",
        )
    stage, reply = scene["stage"], f"{code} {status} {scene['text']}"
    return (_restricted(scene, stage, f"check_{_ABOUT[stage]}_access static:{{{reply}}}"),)


def _rate_limit(scene: Scene) -> tuple[HostChange, ...]:
    """Count what other MTAs bring, and not what users submit."""
    host = scene.host(Role.MTA)
    counted = " ".join(f"!{address}" for other in scene.others(host) for address in other.addresses)
    limits = {
        "smtpd_client_message_rate_limit": scene["messages"],
        "smtpd_client_connection_rate_limit": scene["connections"],
    }
    settings = {
        **{name: limit for name, limit in limits.items() if limit != "0"},
        "smtpd_client_event_limit_exceptions": f"{counted} 0.0.0.0/0".strip(),
        "anvil_rate_time_unit": f"{scene['per']}s",
    }
    return (HostChange(host.service, settings),)


def _relay_denied(scene: Scene) -> tuple[HostChange, ...]:
    what = "reject" if scene["permanent"] == "yes" else "defer"
    settings = {
        "virtual_mailbox_domains": "",
        "smtpd_relay_restrictions": f"permit_mynetworks permit_sasl_authenticated {what}_unauth_destination",
    }
    return (HostChange(scene.host(Role.MTA).service, settings),)


def _discard(scene: Scene) -> tuple[HostChange, ...]:
    if scene["by"] == "transport":
        settings = {"virtual_transport": "discard:thrown away"}
        return (HostChange(scene.host(Role.MTA).service, settings),)
    return (_restricted(scene, "data", "DISCARD thrown away"),)


def _hold(scene: Scene) -> tuple[HostChange, ...]:
    """Hold what comes in from anywhere; at DATA the message has its queue ID, and the log tells it."""
    host = scene.host(Role.MTA)
    name = _STAGES["data"].restrictions
    hold = "check_client_access static:{HOLD for a person to look at}"
    return (HostChange(host.service, {name: put_first(scene, host, name, hold)}),)


def _slow(scene: Scene, stage: str) -> tuple[HostChange, ...]:
    """Have a host wait; without pipelining, so that a client waits for each answer, by its own timeout."""
    late = _restricted(scene, stage, f"sleep {scene['delay']}")
    settings = {**late.settings, "smtpd_discard_ehlo_keywords": "pipelining"}
    waits = patience(scene, scene.host(Role.MTA), scene["timeout"], _STAGES[stage].timeout)
    return (replace(late, settings=settings), *waits)


def _lost_after_dot(scene: Scene) -> tuple[HostChange, ...]:
    """Put smtp-sink(1), which keeps nothing, in the place of port 25, as other hosts of the lab see it."""
    host = scene.host(Role.MTA)
    return (
        HostChange(
            host.service,
            rules=(
                "chain prerouting {\n    type nat hook prerouting priority dstnat\n"
                f"    ip daddr {{ {', '.join(host.addresses)} }} tcp dport 25 redirect to :{_SINK_PORT}\n}}"
            ),
            server=("smtp-sink", "-u", "nobody", "-h", host.hostname, "-q", ".", f":{_SINK_PORT}", "100"),
            port=_SINK_PORT,
        ),
    )


_SLOW: Final = (
    Parameter("delay", "6", "the seconds that it takes", check=_SECONDS),
    Parameter("timeout", "2", "the seconds that the others wait", check=_SECONDS),
)

FAULTS: Final = (
    Fault(
        "greylist",
        "{host} tells who comes for the first time to come back in {delay} s; then it takes the letter",
        "main.cf: smtpd_recipient_restrictions = check_policy_service unix:private/greylist",
        _greylist,
        (_HOST, Parameter("delay", "2", "the seconds", check=values.number(1, 3600))),
    ),
    Fault(
        "size-limit",
        "{host} takes no letter of more than {bytes} bytes, and {advertised}",
        "main.cf: message_size_limit; smtpd_discard_ehlo_keywords = size (RFC 1870)",
        _size_limit,
        (
            _HOST,
            Parameter("bytes", "10240", "the limit", check=values.number(1, 10**9)),
            Parameter(
                "advertised",
                "yes",
                "its EHLO tells the limit",
                choices=("yes", "no"),
                words={"yes": "says so beforehand", "no": "does not say so beforehand"},
            ),
        ),
    ),
    Fault(
        "reject",
        '{host} refuses what other MTAs bring, at the {stage}: "{code} {status} {text}"',
        "main.cf: smtpd_<stage>_restrictions = check_client_access … (access(5))",
        _reject,
        (
            _HOST,
            Parameter("code", "550", "the reply code: 4xx for now, 5xx for good", check=values.code),
            Parameter("status", "5.7.1", "the enhanced status code", check=values.status),
            Parameter("text", "Not welcome here", "what it says", check=values.text),
            Parameter("stage", "recipient", "when it says so", choices=tuple(_STAGES)),
        ),
    ),
    Fault(
        "rate-limit",
        "{host} takes {messages} messages and {connections} connections (0: any) of each MTA in {per} s",
        "main.cf: smtpd_client_message_rate_limit, smtpd_client_connection_rate_limit (anvil(8))",
        _rate_limit,
        (
            _HOST,
            Parameter("messages", "1", "how many messages", check=values.number(0, 10**6)),
            Parameter("connections", "0", "how many connections", check=values.number(0, 10**6)),
            Parameter("per", "5", "in how many seconds", check=values.number(1, 3600)),
        ),
    ),
    Fault(
        "relay-denied",
        "{host} has forgotten that its domain is its own, and refuses {permanent} to relay its mail",
        "main.cf: virtual_mailbox_domains is empty; defer_unauth_destination or reject_unauth_destination",
        _relay_denied,
        (_HOST, for_good("refused with 554 instead of 454")),
    ),
    Fault(
        "discard",
        "{host} takes mail, says that all is well, and throws it away (by {by})",
        "main.cf: virtual_transport = discard: or an access table's DISCARD",
        _discard,
        (_HOST, Parameter("by", "transport", "what throws it away", choices=("transport", "access"))),
    ),
    Fault(
        "hold",
        "{host} takes mail and keeps it in its queue until a person releases it (postsuper -H)",
        "main.cf: smtpd_data_restrictions = check_client_access static:{HOLD}",
        _hold,
        (_HOST,),
    ),
    Fault(
        "tarpit",
        "{host} answers {stage} only after {delay} s; the other MTAs wait {timeout} s",
        "main.cf: smtpd_…_restrictions = sleep; of the others smtp_…_timeout",
        lambda scene: _slow(scene, _COMMANDS[scene["stage"]]),
        (_HOST, Parameter("stage", "RCPT", "which command", choices=tuple(_COMMANDS)), *_SLOW),
    ),
    Fault(
        "slow-greeting",
        "{host} greets only after {delay} s; the other MTAs wait {timeout} s",
        "main.cf: smtpd_client_restrictions = sleep; of the others smtp_helo_timeout",
        lambda scene: _slow(scene, "client"),
        (_HOST, *_SLOW),
    ),
    Fault(
        "lost-after-dot",
        "{host} breaks off when it has got a whole letter, so that nobody knows whether it has taken it",
        "smtp-sink -q . in place of smtpd, by an nftables redirect of port 25",
        _lost_after_dot,
        (_HOST,),
    ),
)
