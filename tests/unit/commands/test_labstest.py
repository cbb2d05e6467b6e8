"""A lab's own tests, with a grader that does what the files of an attempt say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from labctl.commands import labstest
from labctl.commands.grade import Grade
from labctl.commands.labstest import Case, LabTested, labs_test
from labctl.errors import InvalidLabFile
from labctl.grading.job import Examination, Observation, Rejection
from labctl.grading.score import GradedAttempt, graded
from labctl.grading.verdict import CheckVerdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.commands.grade import Task

    MakeLab = Callable[..., Path]

GRADED = """
[[editable]]
path = "beta.test.zone"
service = "dns"
target = "/etc/coredns/zones/beta.test.zone"

[[editable]]
path = "conf/main.cf"
service = "mx-beta"
target = "/etc/postfix/main.cf"

[grading]
starter_score = 0.3

[[checks]]
id = "mx-resolves"
points = 0.1

[[checks]]
id = "mail-arrives"
points = 0.2
needs = ["mx-resolves"]

[[checks]]
id = "bob-answers"
points = 0.7
"""
MX, MAIL, BOB = "mx-resolves", "mail-arrives", "bob-answers"
CHECKS = "".join(f'def test_{each.replace("-", "_")}():\n    """It does."""\n' for each in (MX, MAIL, BOB))


@pytest.fixture
def lab(make_lab: MakeLab) -> Path:
    """Return a lab whose solution passes all checks, and whose starter fails the last one."""
    directory = make_lab("zones", GRADED)
    write(directory, "checks/test_zone.py", CHECKS)
    for name, content in (("solution", ""), ("starter", f"failed {BOB}")):
        write(directory, f"{name}/beta.test.zone", content)
        write(directory, f"{name}/conf/main.cf", "")
    return directory


def write(directory: Path, name: str, content: str) -> None:
    (directory / name).parent.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(content)


def add_mutant(lab: Path, zone: str, declared: str = f'fails = ["{BOB}"]') -> None:
    write(lab, "mutants/mutant/mutant.toml", f'title = "One thing is wrong"\n{declared}\n')
    write(lab, "mutants/mutant/beta.test.zone", zone)


class Grader:
    """Stands for `labctl grade`: a zone's first line has a verdict, and the checks that end with it."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[str, str]] = {}
        self.jobs: int | None = None

    def __call__(self, _engine: Any, _url: str, task: Task, **_: Any) -> Grade:
        self.jobs, lab = task.wish.jobs, task.lab.lab
        attempts = tuple(self._graded(each, lab.checks) for each in task.wish.attempts)
        return Grade(lab.id, lab.title, attempts, 1.0)

    def _graded(self, attempt: Path, checks: Any) -> GradedAttempt:
        files = [each for each in sorted(attempt.rglob("*")) if each.is_file()]
        self.seen[attempt.name] = {each.relative_to(attempt).as_posix(): each.read_text() for each in files}
        verdict, *names = self.seen[attempt.name].get("beta.test.zone", "rejected").split() or ["passed"]
        raised = verdict == "raised"
        verdict = "failed" if raised else verdict
        rejection = None
        if verdict == "rejected":
            rejection = Rejection("config-rejected", "The zone was refused.", "mend it", said="line 3: odd")
        observations = tuple(
            Observation(
                each.id,
                each.id,
                CheckVerdict(verdict) if each.id in names else CheckVerdict.PASSED,
                0.1,
                f"{each.id} is as the zone says\nand more" if each.id in names else "",
                ("a log line",) if each.id in names else (),
                path="checks/test_zone.py" if raised and each.id in names else None,
            )
            for each in checks
        )
        checked = () if rejection else observations
        broken = "the engine is gone" if verdict == "broken" else ""
        return graded(Examination(attempt.name, "zones", "5eed", 0.5, checked, rejection, broken), checks)


@pytest.fixture(autouse=True)
def grader(monkeypatch: pytest.MonkeyPatch) -> Grader:
    """Return what grades."""
    grader = Grader()
    monkeypatch.setattr(labstest, "grade", grader)
    return grader


def outcome(lab: Path, **options: Any) -> LabTested:
    nobody: Any = None
    return labs_test(nobody, "", labstest.prepare(str(lab), {}), environ={}, audience=nobody, **options)


def of_mutant(lab: Path) -> Case:
    return next(each for each in outcome(lab).cases if each.kind == "mutant")


def test_a_check_that_raises_with_a_mutant_has_to_be_mended(lab: Path) -> None:
    add_mutant(lab, f"raised {BOB}")
    case = of_mutant(lab)
    assert (case.ok, case.failed, outcome(lab).exit_code) == (False, (BOB,), 1)
    assert f"{BOB} failed: {BOB} is as the zone says" in case.evidence


def test_a_lab_that_is_as_it_declares_passes(lab: Path, grader: Grader) -> None:
    add_mutant(lab, f"failed {BOB}")

    result = outcome(lab, jobs=3)

    assert [(each.name, each.kind, each.ok) for each in result.cases] == [
        ("solution", "solution", True),
        ("starter", "starter", True),
        ("mutant", "mutant", True),
    ]
    assert (result.lab, result.exit_code, grader.jobs) == ("zones", 0, 3)
    assert not any(each.evidence for each in result.cases)


def test_a_mutant_is_the_solution_with_its_own_files_over_it(lab: Path, grader: Grader) -> None:
    write(lab, "solution/conf/main.cf", "of the solution")
    write(lab, "solution/labctl.toml", 'seed = "0123456789abcdef"\n')
    add_mutant(lab, f"failed {BOB}")

    outcome(lab)

    assert grader.seen["mutant-mutant"] == {
        "beta.test.zone": f"failed {BOB}",
        "conf/main.cf": "of the solution",
        "labctl.toml": 'seed = "0123456789abcdef"\n',
    }


def add_variant(lab: Path, zone: str) -> None:
    write(lab, "variants/mutant/variant.toml", 'title = "Done otherwise"\n')
    write(lab, "variants/mutant/beta.test.zone", zone)


def test_a_variant_is_the_solution_with_its_own_files_over_it(lab: Path, grader: Grader) -> None:
    write(lab, "solution/conf/main.cf", "of the solution")
    add_variant(lab, "passed in another way")
    add_mutant(lab, f"failed {BOB}")

    result = outcome(lab)

    assert grader.seen["variant-mutant"] == {
        "beta.test.zone": "passed in another way",
        "conf/main.cf": "of the solution",
    }
    assert [(each.kind, each.name, each.title) for each in result.cases[2:]] == [
        ("variant", "mutant", "Done otherwise"),
        ("mutant", "mutant", "One thing is wrong"),
    ]
    assert result.exit_code == 0


@pytest.mark.parametrize("zone", [f"failed {BOB}", f"skipped {BOB}", "rejected"])
def test_a_variant_has_to_get_all_points(lab: Path, zone: str) -> None:
    add_variant(lab, zone)

    variant = outcome(lab).cases[-1]

    assert (variant.kind, variant.ok, variant.expected) == ("variant", False, "passed, 1 of 1 points")


def test_a_mutant_may_lack_a_file(lab: Path, grader: Grader) -> None:
    write(lab, "mutants/mutant/mutant.toml", 'title = "x"\nremoves = ["beta.test.zone"]\nrejected = true\n')

    assert of_mutant(lab).ok
    assert grader.seen["mutant-mutant"] == {"conf/main.cf": ""}


@pytest.mark.parametrize(
    ("zone", "seen", "failed"),
    [
        (f"failed {MAIL}", f"failed, fails {MAIL}, 0.8 of 1 points", (MAIL,)),
        (f"skipped {BOB}", "passed, 0.3 of 1 points", ()),
    ],
)
def test_a_solution_without_all_points_fails(
    lab: Path, zone: str, seen: str, failed: tuple[str, ...]
) -> None:
    write(lab, "solution/beta.test.zone", zone)

    result = outcome(lab)

    solution, starter = result.cases
    assert (solution.ok, starter.ok, result.exit_code) == (False, True, 1)
    assert solution.expected == "passed, 1 of 1 points"
    assert (solution.seen, solution.failed) == (seen, failed)


@pytest.mark.parametrize(
    ("zone", "ok"), [(f"failed {BOB}", True), (f"failed {MX}", False), ("", False), ("rejected", False)]
)
def test_a_starter_gets_what_it_declares_to_the_point(
    lab: Path,
    zone: str,
    ok: bool,
) -> None:
    write(lab, "starter/beta.test.zone", zone)

    assert outcome(lab).cases[1].ok == ok


def test_a_starter_that_is_rejected_has_no_points(lab: Path) -> None:
    write(lab, "lab.toml", (lab / "lab.toml").read_text().replace("starter_score = 0.3", "starter_score = 0"))
    write(lab, "starter/beta.test.zone", "rejected")

    assert outcome(lab).cases[1].ok


@pytest.mark.parametrize(
    ("zone", "declared", "ok"),
    [
        (f"failed {BOB}", f'fails = ["{BOB}"]', True),
        (f"failed {BOB} {MX}", f'fails = ["{MX}", "{BOB}"]', True),
        (f"failed {BOB} {MX}", f'fails = ["{BOB}"]', False),
        (f"failed {BOB}", f'fails = ["{MX}", "{BOB}"]', False),
        (f"failed {MX}", f'fails = ["{BOB}"]', False),
        ("", f'fails = ["{BOB}"]', False),
        (f"blocked {BOB}", f'fails = ["{BOB}"]', False),
        ("rejected", f'fails = ["{BOB}"]', False),
        ("rejected", "rejected = true", True),
        (f"failed {BOB}", "rejected = true", False),
    ],
)
def test_a_mutant_fails_exactly_what_it_declares(
    lab: Path,
    zone: str,
    declared: str,
    ok: bool,
) -> None:
    add_mutant(lab, zone, declared)

    result = outcome(lab)

    assert result.cases[-1].ok == ok
    assert result.exit_code == (0 if ok else 1)


@pytest.mark.parametrize("zone", ["broken", f"error {BOB}"])
def test_where_something_broke_nothing_is_known_of_the_lab(lab: Path, zone: str) -> None:
    add_mutant(lab, zone)
    write(lab, "solution/beta.test.zone", f"failed {MX}")

    result = outcome(lab)

    assert (result.cases[-1].ok, result.exit_code) == (False, 4)


def test_a_case_that_is_not_as_declared_tells_all_that_is_known(lab: Path) -> None:
    add_mutant(lab, "rejected")
    write(lab, "solution/beta.test.zone", f"failed {BOB}")

    solution, _, mutant = outcome(lab).cases

    assert solution.evidence == (f"{BOB} failed: {BOB} is as the zone says", "  and more", "  a log line")
    assert mutant.evidence == ("The zone was refused.", "| line 3: odd")


@pytest.mark.parametrize("missing", ["solution", "starter"])
def test_a_lab_without_solution_or_starter_is_wrong(lab: Path, missing: str) -> None:
    (lab / missing).rename(lab / "elsewhere")

    with pytest.raises(InvalidLabFile, match=f"{missing}: is not there"):
        labstest.prepare(str(lab), {})
