"""The fixture ``lab``: a lab's servers, and the users of its accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.exercises.vocabulary.person import Person
from labctl.exercises.vocabulary.servers import Servers
from labctl.lab.inside.mailhosts import find_account

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine
    from labctl.exercises.result.narration import Narrator
    from labctl.lab.blueprint.definition import LabDefinition
    from labctl.lab.running.instance import Instance


class ExerciseLab(Servers):
    """A running lab, during one exercise; its arguments are those of `Hosts`."""

    def __init__(
        self, engine: Engine, there: Instance, definition: LabDefinition, narrator: Narrator
    ) -> None:
        super().__init__(engine, there, definition, narrator)
        self._people: dict[str, Person] = {}

    def account(self, address: str) -> Person:
        """Return the user of an account.

        Raises:
            NoSuchAccount: The lab has none of that address.
        """
        if address not in self._people:
            self._people[address] = Person(self, find_account(self.engine, self.there, address))
        return self._people[address]

    def close(self, *, keep_faults: bool = False) -> None:
        """End the exercise: what is still applied is undone, and the connections are given back."""
        try:
            for person in self._people.values():
                person.close()
        finally:  # a server may keep us waiting at its goodbye until the time is up
            super().close(keep_faults=keep_faults)
