"""The fixture ``lab``: a lab's servers, and the users of its accounts."""

from __future__ import annotations

from dataclasses import dataclass, field

from labctl.exercises.vocabulary.person import Person
from labctl.exercises.vocabulary.servers import Servers
from labctl.lab.inside.mailhosts import find_account


@dataclass(eq=False, repr=False)
class ExerciseLab(Servers):
    """A running lab, during one exercise; its arguments are those of `Hosts`."""

    _people: dict[str, Person] = field(default_factory=dict, init=False)

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
