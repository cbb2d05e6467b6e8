from __future__ import annotations

import pytest

from labctl.grading.capacity import borne_here, laboratories

GIB = 1 << 30


@pytest.mark.parametrize(
    ("cores", "memory", "expected"), [(2, 24 * GIB, 8), (2, 1 * GIB, 2), (64, 2 * GIB, 5), (1, 0, 1)]
)
def test_neither_cores_nor_memory_are_overdrawn(cores: int, memory: int, expected: int) -> None:
    assert laboratories(256 << 20, cores=cores, memory=memory) == expected


def test_this_machine_bears_one_at_least() -> None:
    assert borne_here(1) >= 1
