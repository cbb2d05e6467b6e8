"""A lab with a host of its own: a second MTA of beta.test, which takes mail while the first is down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl import resources
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Lab, OwnLab

OVERLAY = """\
services:
  mx2-beta:
    extends: {file: two-domains.yaml, service: mx-beta}
    hostname: mx2.beta.test
    environment: {LAB_ENGINE_ADDRESS: 198.18.0.7, LAB_ADDRESSES: 203.0.113.21/24 198.51.100.21/24}
    networks:
      lab: {ipv4_address: 198.18.0.7}
    configs:
      - {source: mx2-beta-main.cf, target: /etc/postfix/main.cf}
configs:
  mx2-beta-main.cf: {file: mx2-beta/main.cf}
  zone-beta: {file: beta.test.zone}
"""


def test_a_backup_mx_takes_mail_and_hands_it_on(own_lab: OwnLab, new_lab: Callable[[], Lab]) -> None:
    topology = resources.compose_dir() / "two-domains"
    main_cf = (topology / "mx-beta" / "main.cf").read_text()
    main_cf = main_cf.replace("myhostname = mx.beta.test", "myhostname = mx2.beta.test")
    main_cf = "".join(line for line in main_cf.splitlines(keepends=True) if not line.startswith("virtual_"))
    zone = (topology / "dns" / "beta.test.zone").read_text()
    own_lab.file("compose.yaml", OVERLAY)
    own_lab.file("mx2-beta/main.cf", f"{main_cf}relay_domains = beta.test\n")
    own_lab.file("beta.test.zone", f"{zone}\n@ MX 20 mx2.beta.test.\nmx2 A 203.0.113.21\n")
    lab = new_lab()
    status = lab.up(str(own_lab))["status"]
    assert status["state"] == "ready"
    assert {each["service"] for each in status["hosts"] if each["domain"] == "beta.test"} == {
        "mx-beta",
        "mail-beta",
        "mx2-beta",
    }
    assert lab.up(str(own_lab))["changed"] == []

    lab.container("mx-beta").stop(timeout=1)
    sent = lab.send("alice@alpha.test", "bob@beta.test", wait="queued")
    assert eventually(lambda: "mx2.beta.test" in lab.log("mx-alpha") or None, within=10)
    lab.container("mx-beta").start()
    [arrived] = eventually(lambda: lab.inbox("bob@beta.test") or None, within=20) or []
    assert arrived["message_id"] == sent["message_id"]
