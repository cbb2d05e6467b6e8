from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.machine import (
    Machine,
    listens,
    own_addresses,
    parse_addresses,
    parse_distribution,
    process_name,
    processes,
    run,
)
from labctl.wait import eventually

if TYPE_CHECKING:
    from pathlib import Path

FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 4
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 192.0.2.0/24 2 0 2
        +-- 192.0.2.0/30 2 0 2
           |-- 192.0.2.0
              /24 link UNICAST
           |-- 192.0.2.2
              /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
Local:
  +-- 127.0.0.0/8 2 0 2
     |-- 127.0.0.0
        /8 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
"""


def test_only_host_addresses_are_read_from_the_routing_trie() -> None:
    assert parse_addresses(FIB_TRIE) == {IPv4Address("192.0.2.2"), IPv4Address("127.0.0.1")}


@given(st.lists(st.ip_addresses(v=4), unique=True))
def test_every_host_address_in_the_routing_trie_is_found(addresses: list[IPv4Address]) -> None:
    trie = "Local:\n" + "".join(f"   |-- {each}\n      /32 host LOCAL\n" for each in addresses)
    assert parse_addresses(trie) == set(addresses)


@given(st.text())
def test_any_text_is_a_routing_trie_without_addresses_unless_it_has_leaves(text: str) -> None:
    assert parse_addresses(text.replace("|--", "")) == frozenset()


def test_this_machine_owns_its_loopback_address() -> None:
    assert IPv4Address("127.0.0.1") in (own_addresses(Machine()) or ())


def test_addresses_are_unknown_where_there_is_no_proc(tmp_path: Path) -> None:
    assert own_addresses(Machine(root=tmp_path)) is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('ID=debian\nVERSION_ID="12"\n', {"debian"}),
        ('NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n', {"linuxmint", "ubuntu", "debian"}),
        ("ID='fedora'\n", {"fedora"}),
        ("", set()),
    ],
)
def test_a_distribution_names_itself_and_its_kin(text: str, names: set[str]) -> None:
    assert parse_distribution(text) == names


@given(st.text())
def test_no_os_release_is_too_strange_to_be_read(text: str) -> None:
    assert all(name == name.strip() for name in parse_distribution(text))


def test_a_command_is_given_its_input_and_says_its_output() -> None:
    done = run(["cat"], stdin="a filter\n")
    assert (done.returncode, done.stdout) == (0, "a filter\n")


def test_a_program_that_is_not_there_is_an_exit_code() -> None:
    done = run(["no-such-program-of-labctl"])
    assert done.returncode == 127
    assert "no-such-program-of-labctl" in done.stderr


def test_a_command_has_a_session_of_its_own_so_that_no_terminal_interrupts_it() -> None:
    session = int(run([sys.executable, "-c", "import os; print(os.getsid(0))"]).stdout)
    assert session != os.getsid(0)


def test_an_interrupt_is_passed_on_and_the_end_of_the_command_waited_for(tmp_path: Path) -> None:
    started, ended = tmp_path / "started", tmp_path / "ended"
    script = (
        "import pathlib, signal, sys\n"
        f"signal.signal(signal.SIGINT, lambda *_: sys.exit(pathlib.Path({str(ended)!r}).touch()))\n"
        f"pathlib.Path({str(started)!r}).touch()\n"
        "signal.pause()\n"
    )

    def interrupt() -> None:
        eventually(lambda: started.exists() or None, within=20)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run([sys.executable, "-c", script])
    thread.join()
    assert ended.exists()


def test_a_process_that_only_waits_to_be_reaped_does_not_live() -> None:
    child = subprocess.Popen(["sleep", "100"])
    assert eventually(lambda: True if process_name(child.pid) == "sleep" else None, within=20)
    assert processes()[child.pid] == "sleep"
    child.kill()
    assert eventually(lambda: True if process_name(child.pid) is None else None, within=20)
    assert child.wait() == -signal.SIGKILL


def test_a_socket_file_alone_does_not_listen(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert listens(path)
    assert path.exists()
    assert not listens(path)
