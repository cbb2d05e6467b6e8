"""``python -m tests.fuzz``: makes calls of labctl contained, and tells which went wrong.

A call that went wrong is printed as a line that ``--replay FILE`` makes again.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from pathlib import Path

from tests.fuzz import containment, fuzz


def main() -> int:
    """Return 0 where nothing went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--replay", type=Path, default=None, metavar="FILE")
    wish = parser.parse_args()
    if reason := containment.lacking():
        print(f"nothing was called: {reason}", file=sys.stderr)
        return 2
    seed = secrets.randbits(32) if wish.seed is None else wish.seed
    if wish.replay is not None:
        found = fuzz.replayed(wish.replay.read_text(encoding="utf-8"))
    else:
        print(f"seed {seed}", file=sys.stderr)
        found = fuzz.run(seed, wish.calls)
    for each in found.wrong:
        print(json.dumps(each["call"]))
        print(f"  {each['wrong']}\n  {each['stdout']}\n{each['stderr']}", file=sys.stderr)
    print(f"{found.done} calls, {len(found.wrong)} went wrong", file=sys.stderr)
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
