from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from labctl import resources

ROOT = Path(__file__).parents[2]


def test_a_checkout_has_its_topologies_and_labs_beside_the_package() -> None:
    assert resources.root() == ROOT
    assert (resources.compose_dir() / "two-domains.yaml").is_file()
    assert (resources.labs_dir() / "two-domains" / "lab.toml").is_file()


def test_a_package_that_holds_them_itself_uses_its_own(tmp_path: Path) -> None:
    """As a wheel lays them out: inside the package, whatever lies beside it."""
    package = tmp_path / "labctl"
    for directory in ("_data/compose", "_data/labs"):
        (package / directory).mkdir(parents=True)
    (tmp_path / "compose").mkdir()
    (package / "__init__.py").write_text("")
    (package / "resources.py").write_bytes(Path(resources.__file__).read_bytes())
    program = "from labctl import resources as r; print(r.root(), r.compose_dir(), r.labs_dir(), sep='\\n')"
    said = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    data = package / "_data"
    assert said.stdout.splitlines() == [str(data), str(data / "compose"), str(data / "labs")]


def test_the_working_directory_does_not_matter(tmp_path: Path) -> None:
    program = "from labctl import resources; print(resources.root())"
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == str(ROOT)
