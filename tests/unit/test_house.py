"""What the contracts in pyproject.toml can't say of labctl's imports."""

from __future__ import annotations

import grimp


def test_nothing_needs_the_package_that_it_lies_in() -> None:
    """With "No circle anywhere", which looks at what lies side by side, this leaves no circle at all."""
    graph = grimp.build_graph("labctl", cache_dir=None)
    wrong = [
        (module, needed)
        for module in graph.modules
        for needed in graph.find_modules_directly_imported_by(module)
        if module.startswith(f"{needed}.")
    ]
    assert not wrong
