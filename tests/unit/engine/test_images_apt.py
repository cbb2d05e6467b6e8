"""What of the machine's apt is passed on, and what is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.images.apt import ARCHIVE, SECURITY, Apt, mirrors, of_machine, options

DUMP = """\
Acquire "";
Acquire::AllowInsecureRepositories "0";
Acquire::cdrom::mount "/media/cdrom/";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::http "";
Acquire::http::Proxy "http://cache.test:3142";
Acquire::http::Proxy::mirror.test "DIRECT";
Acquire::https::Proxy "";
acquire::retries "3";
Acquire::Languages:: "none";
"""


def test_proxies_and_time_checks_are_passed_on() -> None:
    assert options(DUMP) == {
        "Acquire::Check-Valid-Until": "false",
        "Acquire::Check-Date": "false",
        "Acquire::http::Proxy": "http://cache.test:3142",
        "Acquire::http::Proxy::mirror.test": "DIRECT",
        "acquire::retries": "3",
    }


def test_options_become_lines_of_an_apt_conf() -> None:
    apt = Apt(options={"Acquire::Check-Date": "false"})
    assert apt.lines() == ('Acquire::Check-Date "false";',)
    assert apt.option("acquire::check-date") == "false"
    assert apt.option("Acquire::Retries") == ""


@given(st.text())
def test_any_dump_is_read_and_what_is_read_writes_the_same_again(dump: str) -> None:
    found = options(dump)
    assert options("\n".join(Apt(options=found).lines())) == found


def test_the_machines_own_mirrors_are_used() -> None:
    uris = "http://deb.nodesource.test/node_20.x/\nhttp://ftp.uni.test/debian/\nhttp://ftp.uni.test/debian-security/\n"
    assert mirrors(uris) == ("http://ftp.uni.test/debian", "http://ftp.uni.test/debian-security")


def test_mirrors_of_other_distributions_and_over_tls_are_not() -> None:
    uris = "http://archive.ubuntu.test/ubuntu\nhttps://ftp.uni.test/debian\nfile:/srv/debian\n"
    assert mirrors(uris) == (ARCHIVE, SECURITY)


@given(st.text())
def test_some_mirror_comes_of_any_text(uris: str) -> None:
    archive, security = mirrors(uris)
    assert archive.startswith("http://")
    assert archive.endswith("/debian")
    assert security.endswith("/debian-security")


def test_the_sources_name_updates_and_security_too() -> None:
    assert Apt("http://a.test/debian", "http://s.test/debian-security").sources("trixie") == (
        "deb http://a.test/debian trixie main",
        "deb http://a.test/debian trixie-updates main",
        "deb http://s.test/debian-security trixie-security main",
    )


def test_a_machine_without_apt_gets_debians_own_mirrors() -> None:
    assert of_machine({"PATH": "/nonexistent"}) == Apt(ARCHIVE, SECURITY, {})
