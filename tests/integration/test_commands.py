"""Looking inside: status, logs, exec, shell, and what each says of a lab in a bad way."""

from __future__ import annotations

import itertools
import os
import pty
import re
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from labctl.wait import eventually

if TYPE_CHECKING:
    from tests.integration.conftest import Lab


def test_status_tells_all_that_a_program_needs(standing_lab: Lab) -> None:
    said = standing_lab.json("status")
    assert (said["name"], said["lab"], said["state"], said["faults"]) == (
        standing_lab.name,
        "two-domains",
        "ready",
        [],
    )
    assert {(each["name"], each["service"], each["role"], each["domain"]) for each in said["hosts"]} == {
        ("dns.lab.test", "dns", "dns", None),
        ("mx.alpha.test", "mx-alpha", "mta", "alpha.test"),
        ("mx.beta.test", "mx-beta", "mta", "beta.test"),
        ("mail.alpha.test", "mail-alpha", "mda", "alpha.test"),
        ("mail.beta.test", "mail-beta", "mda", "beta.test"),
    }
    assert {each["service"]: each["addresses"] for each in said["hosts"]} == {
        "dns": ["203.0.113.53"],
        "mx-alpha": ["203.0.113.10", "192.0.2.10"],
        "mx-beta": ["203.0.113.20", "198.51.100.20"],
        "mail-alpha": ["192.0.2.143"],
        "mail-beta": ["198.51.100.143"],
    }
    for host in said["hosts"]:
        assert standing_lab.docker.containers.get(host["container"]).status == "running"
    assert [(each["address"], each["password"]) for each in said["accounts"]] == [
        ("alice@alpha.test", "alice"),
        ("amy@alpha.test", "amy"),
        ("bob@beta.test", "bob"),
        ("bea@beta.test", "bea"),
    ]
    assert {each["protocol"] for each in said["endpoints"]} == {"dns", "smtp", "submission", "imap", "pop3"}


def test_status_succeeds_in_every_state(lab: Lab) -> None:
    absent = lab.labctl.json("status", "--name", "never-there")
    assert (absent["state"], absent["hosts"]) == ("absent", [])
    lab.container("mx-beta").pause()
    paused = lab.json("status")
    assert paused["state"] == "degraded"
    assert {each["service"]: each["state"] for each in paused["hosts"]}["mx-beta"] == "paused"
    lab.container("mail-beta").remove(force=True)
    assert {each["service"]: each["state"] for each in lab.json("status")["hosts"]}["mail-beta"] == "absent"
    for service in ("dns", "mx-alpha", "mail-alpha", "mx-beta"):
        lab.container(service).kill()
    stopped = lab.json("status")
    assert stopped["state"] == "degraded"
    assert {each["state"] for each in stopped["hosts"]} == {"stopped", "absent"}
    assert stopped["endpoints"] == []
    assert lab.run("status").code == 0


def test_a_daemon_that_does_not_answer_is_starting(lab: Lab) -> None:
    assert lab.execute("mail-beta", "doveadm", "service", "stop", "imap-login")[0] == 0
    said = lab.json("status")
    assert {each["service"]: each["state"] for each in said["hosts"]}["mail-beta"] == "starting"
    assert said["state"] == "degraded"
    [change] = lab.json("reset")["changed"]
    assert change.startswith("mail-beta recreated (it did not answer")


def test_logs_come_in_the_order_of_time_with_their_host(lab: Lab) -> None:
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    lines = [line.split(maxsplit=2) for line in lab.run("logs").stdout.splitlines()]
    assert {each[1] for each in lines} == {"dns", "mx-alpha", "mail-alpha", "mx-beta", "mail-beta"}
    journey = [(host, text) for _, host, text in lines if sent["message_id"] in text]
    hosts = list(dict.fromkeys(host for host, _ in journey))
    assert hosts == ["mx-alpha", "mx-beta", "mail-beta"]
    times = [each[0] for each in lines]
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6}", each) for each in times)
    # A day's change may lie between; else they only grow.
    assert sum(later < earlier for earlier, later in itertools.pairwise(times)) <= 1


def test_logs_of_one_host_take_its_service_or_its_name(lab: Lab) -> None:
    by_service, by_name = lab.run("logs", "mx-beta"), lab.run("logs", "mx.beta.test")
    assert by_service.code == by_name.code == 0
    assert by_service.stdout == by_name.stdout
    assert {line.split()[1] for line in by_service.stdout.splitlines()} == {"mx-beta"}


def test_logs_are_followed_until_interrupted(lab: Lab) -> None:
    with lab.labctl.started("logs", "-f", "--name", lab.name) as process:
        output = process.stdout
        assert output is not None
        wanted = re.compile(r"\bmx-alpha\b.*message-id=<followed-\d+@alpha.test>")
        n = 0

        def heard() -> str | None:
            nonlocal n
            n += 1
            script = f"printf 'Message-ID: <followed-{n}@alpha.test>\\n\\nx\\n' | sendmail amy@alpha.test"
            assert lab.execute("mx-alpha", "sh", "-c", script)[0] == 0
            while select.select([output], [], [], 0.5)[0]:
                line = output.readline()
                if wanted.search(line):
                    return str(line)
            return None

        assert eventually(heard, within=30)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said


def test_exec_hands_on_what_the_command_said(standing_lab: Lab) -> None:
    ran = standing_lab.run("exec", "mx-alpha", "sh", "-c", "echo out; echo err >&2")
    assert (ran.code, ran.stdout, ran.stderr) == (0, "out\n", "err\n")
    failed = standing_lab.run("exec", "mx.alpha.test", "--", "sh", "-c", "exit 7")
    assert failed.code == 1
    assert "7" in failed.stderr
    said = standing_lab.json("exec", "mx-alpha", "--", "sh", "-c", "echo out; echo err >&2; exit 7", code=1)
    assert (said["exit_code"], said["stdout"], said["stderr"]) == (7, "out\n", "err\n")


def test_exec_gives_the_command_its_own_options(standing_lab: Lab) -> None:
    said = standing_lab.json("exec", "mx-alpha", "--", "echo", "--json", "--name", "x")
    assert said["stdout"] == "--json --name x\n"


def test_exec_of_a_program_that_is_not_there_says_so(standing_lab: Lab) -> None:
    ran = standing_lab.run("exec", "mx-alpha", "--", "no-such-program")
    assert ran.code == 1
    assert "no-such-program" in ran.stdout + ran.stderr


def test_a_shell_runs_on_a_terminal_and_ends_with_its_exit(standing_lab: Lab) -> None:
    near, far = pty.openpty()
    command = [sys.executable, "-m", "labctl", "shell", "mx-alpha", "--name", standing_lab.name]
    environment = standing_lab.labctl.environment({"TERM": "xterm"})
    with subprocess.Popen(
        command, stdin=far, stdout=far, stderr=far, env=environment, start_new_session=True
    ) as process:
        os.close(far)
        heard = bytearray()

        def hears(wanted: bytes) -> bool | None:
            while select.select([near], [], [], 0)[0]:
                try:
                    heard.extend(os.read(near, 65536))
                except OSError:  # the other end is closed
                    break
            return True if wanted in heard else None

        try:
            assert eventually(lambda: hears(b"# "), within=30), heard
            os.write(near, b"id -un; tty; hostname\n")
            assert eventually(lambda: hears(b"\nmx.alpha.test"), within=30), heard
            os.write(near, b"exit\n")
            assert process.wait(30) == 0
        finally:
            process.kill()
            os.close(near)
    assert b"root" in heard
    assert b"/dev/pts/" in heard


def test_a_shell_takes_commands_from_a_pipe(standing_lab: Lab) -> None:
    ran = standing_lab.run("shell", "mail-beta", stdin="hostname\nexit 3\n")
    assert "mail.beta.test" in ran.stdout
    assert ran.code == 1


def test_text_is_for_people_and_json_for_programs(standing_lab: Lab) -> None:
    ran = standing_lab.run("status")
    assert ran.code == 0
    assert f"Lab {standing_lab.name} (two-domains) is ready." in ran.stdout
    assert "mx.alpha.test" in ran.stdout
    assert not ran.stdout.startswith("{")
    assert ran.stderr == ""
