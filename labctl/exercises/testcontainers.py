"""Two real mail domains for the tests of an application, in the habits of testcontainers.

```python
with MailLab() as lab:
    server = lab.submission("alice")
    message_id = my_application.notify("nobody@beta.test", server.host, server.port, *server.login)
    lab.account("alice@alpha.test").expect_bounce(lab.letter(message_id), status="5.1.1")
```

The extra ``labctl[testcontainers]`` brings testcontainers itself, for an application that runs in a container
of its own: `MailLab.network` is what its ``with_network`` takes.
"""

from __future__ import annotations

import os
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from labctl.engine import search
from labctl.engine.docker import DockerEngine
from labctl.errors import LabNotUp, NoSuchAccount
from labctl.exercises.result.narration import Narrator
from labctl.exercises.running.stage import Condition, Stage
from labctl.exercises.vocabulary.lab import ExerciseLab
from labctl.lab import catalogue
from labctl.lab.inside.mailhosts import find_account, mda_of, mta_of
from labctl.lab.name import valid_name
from labctl.lab.running import instance

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from testcontainers.core.network import Network

    from labctl.exercises.vocabulary.letter import Letter
    from labctl.exercises.vocabulary.person import Person
    from labctl.lab.account import Account
    from labctl.lab.running.instance import Host


@dataclass(frozen=True, slots=True)
class Server:
    """Where an application reaches a server of the lab, and as whom it logs in there."""

    host: str
    port: int
    username: str
    password: str

    @property
    def login(self) -> tuple[str, str]:
        """The user name and the password."""
        return self.username, self.password


class MailLab:
    """A lab of its own for a test, or for many; a context manager.

    It is nobody else's: a name that a lab has already is refused, and only what was made here is taken down.

    Args:
        lab: An id of the catalogue, or a directory with a ``lab.toml``.
    """

    def __init__(self, lab: str = "two-domains") -> None:
        self._lab = lab
        self._name = f"test-{uuid.uuid4().hex[:8]}"
        self._stage: Stage | None = None
        self._mail: ExerciseLab | None = None
        self._ends = ExitStack()

    def with_name(self, name: str) -> Self:
        """Give the lab a name, under which ``labctl`` finds it.

        Raises:
            UsageError: It is malformed.
        """
        self._name = valid_name(name)
        return self

    def start(self) -> Self:
        """Bring the lab up, until every daemon answers.

        Raises:
            NoSuchLab: There is no such lab.
            UsageError: A lab of that name is there already: it is left as it is.
            EngineError: The engine, an image or a daemon failed.
        """
        found = search.find(os.environ, search.home())
        with ExitStack() as ends:
            engine = DockerEngine(found)
            ends.callback(engine.close)
            definition = catalogue.find(self._lab, os.environ)
            stage = Stage(engine, self._name, definition, os.environ)
            ends.enter_context(stage.occupied())
            ends.callback(stage.take_down)
            stage.bring(url=found.url, new=True)
            ends.callback(self._leave)
            self._stage = stage
            self.reset()
            self._ends = ends.pop_all()
        return self

    def stop(self) -> None:
        """Take the lab down, with all mail in it."""
        self._ends.close()

    def _leave(self) -> None:
        mail, self._mail, self._stage = self._mail, None, None
        if mail is not None:
            mail.close()

    def reset(self) -> None:
        """Make the lab as new, in a fraction of a second: between two tests."""
        stage = self._brought()
        if self._mail is not None:
            self._mail.close()
            stage.condition = Condition.USED
        there = stage.prepare()
        self._mail = ExerciseLab(stage.engine, there, stage.lab, Narrator())

    @property
    def name(self) -> str:
        """The lab's name, as in ``labctl logs --name NAME``."""
        return self._name

    @property
    def mail(self) -> ExerciseLab:
        """What can be done in the lab and expected of it: the vocabulary of exercises."""
        if self._mail is None:
            raise self._not_started()
        return self._mail

    @property
    def network(self) -> Network:
        """The lab's network, for the ``with_network`` of an application's own container.

        The application reaches the servers there by the addresses that `submission` and its kin tell.
        """
        from testcontainers.core.network import Network  # noqa: PLC0415  # an extra, and it reads the environment

        there = self.mail.there.network
        if there is None:
            raise self._not_started()
        network = Network()
        network.name = there.name
        return network

    def submission(self, user: str) -> Server:
        """Return where a user's mail program hands its letters in (RFC 6409).

        Args:
            user: An account's address, or its part before the @ where only one domain has it.
        """
        return self._server(user, mta_of, 587)

    def imap(self, user: str) -> Server:
        """Return where a user's mail is read, and stays (RFC 9051)."""
        return self._server(user, mda_of, 143)

    def pop3(self, user: str) -> Server:
        """Return where a user's mail is fetched (RFC 1939)."""
        return self._server(user, mda_of, 110)

    def account(self, address: str) -> Person:
        """Return a user, to expect in whose mailbox what the application sent."""
        return self.mail.account(address)

    def letter(self, message_id: str) -> Letter:
        """Find a letter that the application sent, by its Message-ID; what became of it the letter tells."""
        return self.mail.letter(message_id)

    def fault(self, name: str, **parameters: object) -> AbstractContextManager[None]:
        """Apply a fault (``labctl fault list``) for the length of a block."""
        return self.mail.fault(name, **parameters)

    def _server(self, user: str, host_of: Callable[..., Host], port: int) -> Server:
        account = self._account(user)
        host, door = host_of(self.mail.there, account.address).door(port)
        return Server(host, door, account.address, account.password)

    def _account(self, user: str) -> Account:
        mail = self.mail
        if "@" in user:
            return find_account(mail.engine, mail.there, user)
        known = instance.accounts(mail.engine, mail.there)
        fitting = [each for each in known if each.address.startswith(f"{user}@")]
        if len(fitting) == 1:
            return fitting[0]
        listed = ", ".join(each.address for each in known)
        raise NoSuchAccount(
            f"{user!r} names {len(fitting)} accounts of {listed}", hint="name the whole address"
        )

    def _brought(self) -> Stage:
        if self._stage is None:
            raise self._not_started()
        return self._stage

    def _not_started(self) -> LabNotUp:
        return LabNotUp(f"lab {self._name!r} was not started", hint="with MailLab() as lab: …")

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(self, *error: object) -> None:
        """Stop it."""
        self.stop()
