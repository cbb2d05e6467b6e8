from __future__ import annotations

import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import UsageError
from labctl.mail.address import Address

ATOM = st.text(string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=12)
DOT_STRING = st.lists(ATOM, min_size=1, max_size=4).map(".".join)
QUOTED = st.text(" " + string.ascii_letters + "@.,;:<>()[]", max_size=20).map(lambda text: f'"{text}"')
LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
DOMAIN = st.lists(LABEL, min_size=1, max_size=4).map(".".join)


@given(st.one_of(DOT_STRING, QUOTED), DOMAIN)
def test_a_well_formed_address_is_given_back_as_it_was(local: str, domain: str) -> None:
    address = Address.parse(f"{local}@{domain}")

    assert (address.local, address.domain) == (local, domain)
    assert str(address) == f"{local}@{domain}"


@given(st.text())
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    with suppress(UsageError):
        assert str(Address.parse(text)) == text
        assert text.isascii()
        assert text.isprintable()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it is empty"),
        ("bob", "it has no @"),
        ("bob@", "no domain"),
        ("@beta.test", "nothing stands before the @"),
        ("a b@c", "' ' is not allowed before the @"),
        ("bob@beta..test", "a label of the domain 'beta..test' is empty"),
        ("bob@beta.test.", "is empty"),
        ("bob@-beta.test", "'-beta' of the domain"),
        ("bob@beta_.test", "'beta_' of the domain"),
        (".bob@beta.test", "a dot stands at an end"),
        ("b..ob@beta.test", "beside another dot"),
        ('"bob@beta.test', "quoted part"),
        ("bób@beta.test", "'ó' is not allowed"),
        ("bob@[300.1.1.1]", "holds no IP address"),
        ("bob@[192.0.2.1", "is not closed"),
        ("b" * 65 + "@beta.test", "65 characters, 64 are allowed"),
        ("bob@" + "b" * 64 + ".test", "a label of the domain has 64 characters"),
        ("bob@" + "b." * 130 + "test", "264 characters, 255 are allowed"),
        ("bob@beta.test\n", "is not made of"),
    ],
)
def test_a_malformed_address_is_refused_with_what_is_wrong(text: str, fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address.parse(text)

    assert caught.value.message.startswith(repr(text)[:60])  # a longer one is cut
    assert fault in caught.value.message


@pytest.mark.parametrize("text", ["bob@[192.0.2.1]", "bob@[IPv6:2001:db8::1]", r'"a\"b"@c.test', "b@c"])
def test_rarer_forms_are_addresses_too(text: str) -> None:
    assert str(Address.parse(text)) == text


def test_addresses_are_compared_without_regard_to_case() -> None:
    assert Address.parse("Bob@Beta.TEST").key == Address.parse("bob@beta.test").key
