"""The one contract by which an attempt is examined: a job goes in, an examination comes out.

Both are plain values with a form in JSON, and a job brings all that was handed in: whoever runs it, and
wherever, needs this package, the lab and an engine, and never sees the attempt's directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from labctl.contract.value import Amount, ErrorCode, LabName, Ordinal, Text, Word
from labctl.grading.seedfrom import SeedFrom
from labctl.grading.verdict import CheckVerdict


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt to examine.

    Args:
        attempt: Its id.
        lab: The directory of the lab's definition, where the job is done.
        checks: The directory of hidden checks, if there are any.
        files: What was handed in: contents in base64, by the path that the lab's ``[[editable]]`` gives.
        seed: What all that is random in the checks comes from.
        name: What to call the laboratory, which is there for this job only.
        run: The run of ``labctl grade`` that the job is a part of, as a label on the laboratory.
        seed_from: Who says that this is the attempt's seed: the teacher's roster, the attempt itself, or
            nobody, and then it was made of what was handed in; None where that is not known.
        remarks: What a teacher should know of the attempt's directory; the examination begins with it.
    """

    SCHEMA: ClassVar = "labctl/examination-job/v1"
    OTHERS: ClassVar = True

    attempt: Word
    lab: Path
    checks: Path | None
    files: Mapping[str, bytes]
    seed: str
    name: LabName
    run: str = ""
    seed_from: SeedFrom | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of one check, without any weighing.

    Args:
        id: Its id.
        title: The first line of its docstring: what it asks for, in a sentence.
        verdict: How it ended: blocked where a check that this one needs has not passed, so that it was not
            run; error where the lab, the engine or the check broke, and nothing is known of the attempt.
        seconds: How long it took.
        explanation: Why it did not pass, for the student; empty where it did.
        evidence: What proves that: replies, log lines, DNS answers, a message's journey; a line each.
        tries: In which examination it was seen: 2 where the first one broke.
        path: The check's file below the lab or the hidden checks, where it raised what it should not.
        line: Its line.
    """

    id: Text
    title: Text
    verdict: CheckVerdict
    seconds: Amount
    explanation: str = ""
    evidence: tuple[str, ...] = ()
    tries: Ordinal = 1
    path: str | None = None
    line: Ordinal | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an attempt can't be used at all.

    Args:
        code: The error's stable name: missing-file, forbidden-file, other-lab, other-seed, config-rejected.
        text: What is wrong, in words.
        hint: The next step.
        file: The file as the attempt names it.
        line: Its line, where one is known.
        service: The service whose daemon refused it.
        said: The daemon's own words.
    """

    code: ErrorCode
    text: Text
    hint: Text
    file: str | None = None
    line: Ordinal | None = None
    service: str | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was seen of one attempt: the raw observations, from which a score is made, and made again.

    Args:
        attempt: Its id.
        lab: The lab's id.
        seed: What all that was random came from.
        seconds: How long it took, with the laboratory's coming and going.
        checks: What was seen of each check, in the order of their declaration.
        rejection: Why the attempt can't be used; then there are no checks.
        broken: What broke of the lab, the engine or labctl before there was anything to see; else empty.
        remarks: What else a teacher should know: files that were ignored, a host that ran out of memory.
        logs: The last lines of the hosts that ran what was handed in, by service, where a check failed.
        seed_from: Who says that this is the attempt's seed, where that is known.
    """

    SCHEMA: ClassVar = "labctl/examination/v1"

    attempt: str
    lab: str
    seed: str
    seconds: Amount
    checks: tuple[Observation, ...] = ()
    rejection: Rejection | None = None
    broken: str = ""
    remarks: tuple[str, ...] = ()
    logs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seed_from: SeedFrom | None = None

    @property
    def broke(self) -> bool:
        """Whether anything broke that is none of the attempt's doing: then it is to be made anew."""
        return bool(self.broken) or any(each.verdict == CheckVerdict.ERROR for each in self.checks)
