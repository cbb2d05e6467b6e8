"""What values of a result may be, by name: annotations say it to schemas, to readers and to people."""

from __future__ import annotations

import re
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Annotated, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


_END: Final = re.compile(r"\$$")
"""In Python it lets a line end pass, in JSON Schema it does not."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds of a value beyond its type; of None it never does, nor has to.

    Args:
        pattern: What is found in the text: a regular expression, as JSON Schema and Python understand it.
        least: The smallest number, the shortest text, or the fewest items.
        most: The largest, the longest, or the most.
    """

    pattern: str | None = None
    least: int | None = None
    most: int | None = None

    def holds(self, value: Any) -> bool:
        """Whether it holds of a value of the type that it was given to."""
        size = value if isinstance(value, int | float) else len(value)
        return (
            (self.pattern is None or re.search(_END.sub(r"\\Z", self.pattern), value) is not None)
            and (self.least is None or self.least <= size)
            and (self.most is None or size <= self.most)
        )

    def __str__(self) -> str:
        """Say in words what is expected."""
        said = (
            ("one like {}", self.pattern),
            ("no less than {}", self.least),
            ("no more than {}", self.most),
        )
        return ", ".join(words.format(each) for words, each in said if each is not None)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Says of a value that a document may have null for it, where nobody knows it."""


@dataclass(frozen=True, slots=True)
class When:
    """What the value of one field says of others; a result has it as ``WHEN``.

    Args:
        name: The field's name.
        value: Its value.
        then: What other fields are where it has that: types, by name.
        otherwise: What they are where it has another.
    """

    name: str
    value: Any
    then: Mapping[str, Any]
    otherwise: Mapping[str, Any] = field(default_factory=dict)


def may_be_missing(made: type, one: Field[Any]) -> bool:
    """Say whether a document may lack a field: labctl writes all, ``OTHERS`` only what has no default."""
    has_default = one.default is not MISSING or one.default_factory is not MISSING
    return has_default and getattr(made, "OTHERS", False)


def values(made: type, value: Any) -> dict[str, Any]:
    """Return the values of a dataclass's fields, for one that extends it.

    Args:
        made: The dataclass.
        value: What has them.
    """
    return {each.name: getattr(value, each.name) for each in fields(made)}


NAME: Final = r"^[a-z0-9][a-z0-9-]{0,30}$"
"""What a lab's id and the name of a running lab look like."""

Word = Annotated[str, Rule(least=1)]
"""Text that is not empty."""
Text = Annotated[str, Rule(pattern=r"\S")]
"""Text for people that is not blank either."""
LabName = Annotated[str, Rule(pattern=NAME)]
FaultName = Annotated[str, Rule(pattern="^[a-z0-9][a-z0-9-]*$")]
ParameterName = Annotated[str, Rule(pattern="^[a-z]+$")]
ErrorCode = Annotated[str, Rule(pattern="^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
EmailAddress = Annotated[str, Rule(pattern="@")]
MessageId = Annotated[str, Rule(pattern="^<.+>$")]
MaybeMessageId = Annotated[str, Rule(pattern="^(<.+>)?$")]
QueueId = Annotated[str, Rule(pattern="^[0-9A-Za-z]+$")]
IpAddress = Annotated[str, Rule(pattern="^[0-9a-fA-F.:]+$")]
RecordType = Annotated[str, Rule(pattern="^[A-Z][A-Z0-9-]*$")]
ResponseCode = Annotated[str, Rule(pattern="^[A-Z][A-Z0-9]*$")]
Count = Annotated[int, Rule(least=0)]
Ordinal = Annotated[int, Rule(least=1)]
"""Counted from 1: a line, a part, a process."""
Port = Annotated[int, Rule(least=1, most=65535)]
Part = Annotated[int, Rule(least=1, most=999_999)]
"""A shard's number, or how many there are: whoever lists those that are missing has an end."""
Amount = Annotated[float, Rule(least=0, most=10**12)]
"""Seconds or points: far fewer than what a double tells apart, or a page has room for."""
