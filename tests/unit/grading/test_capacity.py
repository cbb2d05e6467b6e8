from __future__ import annotations

import pytest

from labctl.grading.capacity import Capacity, of_this_machine

GIB = 1 << 30


@pytest.mark.parametrize(
    ("capacity", "expected"),
    [
        (Capacity(2, 24 * GIB), 8),
        (Capacity(2, 1 * GIB), 2),
        (Capacity(64, 2 * GIB), 5),
        (Capacity(1, 0), 1),
    ],
)
def test_neither_cores_nor_memory_are_overdrawn(capacity: Capacity, expected: int) -> None:
    assert capacity.laboratories(256 << 20) == expected


def test_this_machine_bears_one_at_least() -> None:
    assert of_this_machine().laboratories(1) >= 1
