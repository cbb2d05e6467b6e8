"""Hostile configuration of Postfix, for `labs.mta_lab`, and of Dovecot, for `labs.mda_lab`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.integration.hostile import programs, words
from tests.integration.hostile.attack import Attack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SURVEYED: Final = (
    "attack: user [0-9]+, may [0-9a-f]{12}0[0-9a-f]{3}, "  # none of the network's capabilities
    "tried [0-9]{2} ways out, 0 led anywhere, read '', knows ''"
)


def mta_attacks(survey: str, solution: Mapping[str, str]) -> Iterator[Attack]:
    """Yield hostile configuration of Postfix.

    Args:
        survey: The code of `programs.survey`.
        solution: The good configuration.
    """
    main, master = solution["main.cf"], solution["master.cf"]

    def piped(code: str) -> dict[str, str | bytes]:
        service = f"attack unix - n n - - pipe\n  user=nobody argv={programs.argv(code)}\n"
        return {"main.cf": f"{main}\nvirtual_transport = attack\n", "master.cf": f"{master}\n{service}"}

    def answered_by(command: str) -> dict[str, str | bytes]:
        rest = master.replace("smtp       inet  n       -       n       -       -       smtpd\n", "")
        return {"master.cf": f"{rest}\n{command}"}

    def spawned(command: str) -> dict[str, str | bytes]:
        return answered_by(f"smtp inet n n n - 0 spawn\n  user=nobody argv={command}\n")

    yield Attack("pipe", "failed", _SURVEYED, piped(survey))
    yield Attack("spawn", "failed", _SURVEYED, spawned(programs.argv(survey)), nightly=True)
    local = (
        "mydestination = beta.test\nvirtual_mailbox_domains =\nvirtual_alias_maps =\n"
        "alias_maps = texthash:/etc/postfix/aliases\n"
    )
    command = "|/usr/bin/perl -x /etc/postfix/aliases"
    yield Attack(
        "alias",
        "failed",
        _SURVEYED,
        {
            "main.cf": f"{main}\n{local}",
            "aliases": f'bob "{command}"\n#!perl\n{programs.packed(survey)};\n__END__\n',
        },
        nightly=True,
    )
    doubled = "".join(each for each in main.splitlines(keepends=True) if " = " in each)
    yield Attack("doubled", "passed", "", {"main.cf": f"{main}\n{doubled}"}, nightly=True)
    yield Attack("fork-bomb", "failed", "processes", piped(programs.FORK_BOMB))
    yield Attack("memory-bomb", "failed", "memory", piped(programs.MEMORY_BOMB))
    yield Attack(
        "mail-loop",
        "failed",
        "too many hops|loops back",
        {
            "main.cf": f"{main}\nvirtual_transport = smtp:[127.0.0.1]:2525\nsmtp_helo_name = x.test\n",
            "master.cf": f"{master}\n2525 inet n - n - - smtpd\n  -o smtpd_banner=y.test\n",
        },
    )
    yield Attack("mute", "failed", "does not serve|timed out|deferred", spawned("/bin/sleep 600"))
    yield Attack("absent", "failed", "refused", answered_by(""), nightly=True)
    reply = f"static:{{ 554 5.7.1 {words.ALL} }}"
    yield Attack(
        "words",
        "failed",
        "HYPERLINK",
        {"main.cf": f"{main}\nsmtpd_recipient_restrictions = check_recipient_access {reply}\n"},
    )
    doubling = "".join(f"a{n} = ${{a{n + 1}}}${{a{n + 1}}}\n" for n in range(60))
    for name, verdict, says, line in (
        ("doubling", "rejected", "comes to no end|all the memory", f"{doubling}a60 = x\nsmtpd_banner = $a0"),
        ("recursion", "rejected", r"main\.cf", "smtpd_banner = $myhostname $smtpd_banner $smtpd_banner"),
        ("silent-table", "failed", "", "virtual_alias_maps = pcre:/dev/stdout"),
        ("endless-table", "failed", "", "virtual_alias_maps = texthash:/dev/zero"),
    ):
        late = name in {"recursion", "endless-table"}
        yield Attack(name, verdict, says, {"main.cf": f"{main}\n{line}\n"}, nightly=late)
    yield Attack("no-service", "rejected", r"master\.cf", {"master.cf": f"{master}\n{words.ALL}\n"})


def mda_attacks(survey: str, secret: Path, solution: Mapping[str, str]) -> Iterator[Attack]:
    """Yield hostile configuration of Dovecot.

    Args:
        survey: The code of `programs.survey`.
        secret: A file of the machine's.
        solution: The good configuration.
    """
    good = solution["dovecot.conf"]
    nobody = good.replace("passwd_file_path = /etc/dovecot/users", "passwd_file_path = /etc/dovecot/nobody")

    def started(code: str) -> dict[str, str | bytes]:
        service = (
            f"service attack {{\n  executable = {programs.argv(code)}\n  user = root\n"
            "  process_min_avail = 1\n  process_limit = 1\n  unix_listener attack {\n    mode = 0600\n  }\n"
            "}\n"
        )
        return {"dovecot.conf": f"{nobody}\nimport_environment {{\n  TOKEN = %{{env:TOKEN}}\n}}\n{service}"}

    yield Attack("include", "rejected", r"dovecot\.conf", {"dovecot.conf": f"{good}\n!include {secret}\n"})
    for name, line in (
        ("silent-include", "!include /dev/stdout"),
        ("endless-include", "!include /dev/zero"),
        ("own-include", "!include /etc/dovecot/dovecot.conf"),
        ("endless-value", "login_greeting = </dev/zero"),
    ):
        late = name in {"silent-include", "own-include", "endless-value"}
        files = {"dovecot.conf": f"{good}\n{line}\n"}
        yield Attack(name, "rejected", r"dovecot\.conf", files, nightly=late)
    to_the_log = f'open STDOUT, ">>", "/proc/1/fd/1"; $| = 1; {survey.replace("exit 1", "sleep 600")}'
    yield Attack("executable", "failed", _SURVEYED, started(to_the_log))
    overthrown = "attack: 0 of [0-9] changes of the network were made, [0-9]+ programs were replaced"
    yield Attack("overthrow", "failed", overthrown, started(programs.OVERTHROW))
    yield Attack("log-flood", "failed", "attack: flood", started(programs.LOG_FLOOD))
    yield Attack(
        "sieve",
        "failed",
        _SURVEYED,
        {
            "dovecot.conf": (
                f"{good}\nsieve_plugins {{\n  sieve_extprograms = yes\n}}\n"
                "sieve_extensions {\n  vnd.dovecot.execute = yes\n  vnd.dovecot.debug = yes\n}\n"
                "sieve_execute_bin_dir = /usr/bin\n"
                "sieve_script attack {\n  type = before\n  path = /etc/dovecot/filter.sieve\n}\n"
            ),
            "filter.sieve": (
                'require ["vnd.dovecot.execute", "vnd.dovecot.debug", "variables"];\n'
                f"execute :input text:{survey.replace('exit 1', 'exit 0')}\n.\n"
                ':output "said" "perl" ["-"];\n'
                'debug_log "${said}"; discard;\n'
            ),
        },
    )
    mute = "executable = /bin/sleep 600"
    yield Attack(
        "mute",
        "failed",
        "",
        {"dovecot.conf": good.replace("service lmtp {", f"service lmtp {{\n  {mute}", 1)},
        nightly=True,
    )
    yield Attack("words", "rejected", r"dovecot\.conf", {"dovecot.conf": f"{good}\n{words.ALL} {{\n"})
