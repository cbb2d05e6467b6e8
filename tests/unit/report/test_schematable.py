from __future__ import annotations

import pytest

from labctl.commands.schema import schemas
from labctl.contract import published
from labctl.errors import UsageError
from labctl.report.text import text


def test_all_documents_are_told_in_a_line_each() -> None:
    head, *lines = text(schemas(None), None).splitlines()
    assert head.split() == ["DOCUMENT", "TELLS"]
    assert [line.split()[0] for line in lines] == list(published.names())


@pytest.mark.parametrize("name", ["queue", "labctl/queue/v1"])
def test_a_document_is_told_field_by_field_with_what_it_may_hold(name: str) -> None:
    said = text(schemas(name), 100)
    for line in (
        "labctl/queue/v1: The queues of a lab's MTAs",
        "schema  always labctl/queue/v1",
        "hosts  list of objects",
        "hosts[].messages[].queue_name  one of maildrop, incoming, active, deferred, hold",
        "hosts[].messages[].message_id  text like ^<.+>$ or null",
        "hosts[].messages[].size  whole number from 0",
        "hosts[].messages[].forced_expire  true or false",
        "hosts[].messages[].recipients[].delay_reason  text or null",
        "    Why the last attempt failed; null where there was none.",
    ):
        assert f"\n{line}\n" in f"\n{said}\n"


@pytest.mark.parametrize("name", published.by_word())
def test_every_document_fits_into_the_room_there_is(name: str) -> None:
    said = text(schemas(name), 60)
    assert all(len(line) <= 60 for line in said.splitlines()[1:])


def test_a_name_that_is_none_is_refused_with_one_that_is_near() -> None:
    with pytest.raises(UsageError, match=r"no document is called 'grad'; did you mean 'grade'\?"):
        schemas("grad")
