"""Every letter that the lab why-did-it-bounce may draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Lab

EVERY_KIND = '''
import scenario

def test_every_kind(lab, chance):
    """Whatever can be drawn does not arrive, and is told by a host and a code."""
    for kind in [kind for pool in (*scenario.POOLS, scenario.GIVEN_UP) for kind in pool]:
        to = kind.to.format(name=chance.name(), token=chance.token())
        draft = scenario.Draft(kind, to, to)
        found = scenario.outcome(lab, draft, draft.send(lab))
        assert found.over is not kind.waits, (kind, found)
        assert found.host in {"mx.alpha.test", "mx.beta.test", "mail.beta.test"}, (kind, found)
        assert found.code[0] in "45" and found.code.count(".") == 2, (kind, found)
'''


def test_no_letter_that_may_be_drawn_arrives(new_lab: Callable[[], Lab], tmp_path: Path) -> None:
    file = tmp_path / "test_kinds.py"
    file.write_text(EVERY_KIND)
    document = new_lab().json("run", str(file), "--lab", "why-did-it-bounce")
    assert [each["verdict"] for each in document["exercises"]] == ["passed"], document
