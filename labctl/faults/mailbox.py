"""Faults of mailboxes: one is full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.faults import values
from labctl.faults.fault import Fault, Parameter
from labctl.faults.hostchange import HostChange
from labctl.faults.postfix import put_first
from labctl.lab.inside.mailhosts import find_account
from labctl.lab.role import Role

if TYPE_CHECKING:
    from labctl.faults.fault import Scene

_CONFIG: Final = "/etc/dovecot/conf.d/mailbox-full.conf"
_PORT: Final = 12340
_LIST: Final = "smtpd_recipient_restrictions"

_QUOTA: Final = """\
# The mailbox of one user holds next to nothing.
mail_plugins {{
  quota = yes
}}
quota mailbox {{
}}
quota_storage_size = %{{user | if("eq", "{user}", "{bytes}B", "0")}}
quota_storage_grace = 0
quota_full_tempfail = {tempfail}
quota_exceeded_message = The mailbox is full
"""
_STATUS: Final = """
# The MTA asks here before it takes a letter.
quota_status_success = DUNNO
quota_status_nouser = DUNNO
quota_status_overquota = {reply} The mailbox is full
quota_status_toolarge = {reply} The mailbox is full
service quota-status {{
  executable = quota-status -p postfix
  client_limit = 1
  inet_listener quota-status {{
    port = {port}
  }}
}}
"""


def _full(scene: Scene) -> tuple[HostChange, ...]:
    account = find_account(scene.files.engine, scene.there, scene["user"])
    user = account.address
    [mda, *_] = scene.there.of_role(Role.MDA, account.domain)
    temporarily = scene["temporarily"] == "yes"
    config = _QUOTA.format(user=user, bytes=scene["bytes"], tempfail="yes" if temporarily else "no")
    if scene["at"] == "lmtp":
        return (HostChange(mda.service, files={_CONFIG: config}),)
    config += _STATUS.format(reply="452 4.2.2" if temporarily else "552 5.2.2", port=_PORT)
    check = f"check_policy_service inet:{mda.addresses[0]}:{_PORT}"
    asking = (
        HostChange(mta.service, {_LIST: put_first(scene, mta, _LIST, check)})
        for mta in scene.there.of_role(Role.MTA, account.domain)
    )
    return (HostChange(mda.service, files={_CONFIG: config}), *asking)


FAULTS: Final = (
    Fault(
        "mailbox-full",
        "The mailbox of {user} holds {bytes} bytes and no more: {at} refuses letters {temporarily}",
        "dovecot.conf: quota_storage_size, quota_full_tempfail; at=rcpt: the policy service quota-status",
        _full,
        (
            Parameter("user", "bob@beta.test", "whose mailbox", check=values.address),
            Parameter(
                "temporarily",
                "no",
                "452 4.2.2 instead of 552 5.2.2",
                choices=("no", "yes"),
                words={"no": "for good", "yes": "for now"},
            ),
            Parameter(
                "at",
                "lmtp",
                "whether the MDA says so, or the MTA at RCPT TO",
                choices=("lmtp", "rcpt"),
                words={"lmtp": "the MDA", "rcpt": "the MTA, at the door,"},
            ),
            Parameter("bytes", "16", "what it holds", check=values.number(1, 10**12)),
        ),
    ),
)
