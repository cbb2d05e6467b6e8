from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.engine.docker.cgroup import Counted, counted

if TYPE_CHECKING:
    from pathlib import Path

ID = "c0ffee"

V1 = {
    "proc/42/cgroup": f"8:pids:/docker/{ID}\n4:memory:/docker/{ID}\n1:cpu:/docker/{ID}\n0::/docker/{ID}\n",
    f"sys/fs/cgroup/memory/docker/{ID}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    f"sys/fs/cgroup/pids/docker/{ID}/pids.events": "max 57\n",
}

V2 = {
    "proc/42/cgroup": f"0::/system.slice/docker-{ID}.scope\n",
    f"sys/fs/cgroup/system.slice/docker-{ID}.scope/memory.events": "low 0\nmax 9\noom 4\noom_kill 3\n",
    f"sys/fs/cgroup/system.slice/docker-{ID}.scope/pids.events": "max 57\n",
}


def machine(root: Path, files: dict[str, str]) -> Path:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    return root


@pytest.mark.parametrize("files", [V1, V2])
def test_the_kernel_tells_who_was_killed_and_who_could_not_be_made(
    tmp_path: Path, files: dict[str, str]
) -> None:
    assert counted(ID, 42, machine(tmp_path, files)) == Counted(killed=3, refused=57)


@pytest.mark.parametrize("files", [V1, V2])
def test_the_same_number_on_this_machine_is_not_another_machines_process(
    tmp_path: Path, files: dict[str, str]
) -> None:
    assert counted("decaf", 42, machine(tmp_path, files)) == Counted(None, None)


def test_where_nothing_can_be_read_nothing_is_known(tmp_path: Path) -> None:
    assert counted(ID, 42, tmp_path) == Counted(None, None)
    assert counted(ID, 42, machine(tmp_path, {"proc/42/cgroup": V2["proc/42/cgroup"]})) == Counted(None, None)
