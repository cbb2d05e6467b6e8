"""The post whose failures are to be explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import scenario

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab


def test_the_post(lab: ExerciseLab, chance: Chance) -> None:
    """Six letters are written, and none arrives.

    Each is stopped at another place: by the sender's own server, by the DNS, at the other server's door, at
    the mailbox, or it waits in a queue. Who had the letter last has to say why it does not arrive (RFC 5321,
    section 6.1), in a reply, in a bounce (RFC 3464), or in a queue that one has to look into. The letters and
    the bounces stay in the lab: find out why each of them did not arrive.
    """
    for draft in scenario.drafts(chance.of("post")):
        with lab.narrator.step(f"{draft.kind.sender} writes “{draft.subject}” to {draft.to}") as evidence:
            letter = draft.send(lab)
            found = scenario.outcome(lab, draft, letter)
            if letter.accepted and found.over:
                lab.account(draft.kind.sender).expect_bounce(letter)
            evidence[:] = [f"Message-ID {letter.message_id}"]  # the rest is to be found out
