"""Results in the XML that JUnit's Ant task writes, which every CI server reads."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from labctl.exercises.result.verdict import Verdict
from labctl.report.layout.plain import harmless

if TYPE_CHECKING:
    from labctl.commands.run import Run
    from labctl.exercises.result.outcome import Result

_ELEMENTS: Final = {Verdict.FAILED: "failure", Verdict.ERROR: "error", Verdict.SKIPPED: "skipped"}

_NOT_XML: Final = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document may hold (XML 1.0, section 2.2)."""


def junit(result: Run) -> str:
    """Return a run as a JUnit report: a suite for each lab, a case for each exercise."""
    root = ET.Element("testsuites", {"name": "labctl"})
    for lab, group in groupby(result.exercises, key=lambda each: each.lab):
        suite = ET.SubElement(root, "testsuite", {"name": lawful(lab)})
        for each in group:
            _add(suite, each)
        suite.attrib |= counts(suite)
    root.attrib |= counts(root)
    return written(root)


def written(root: ET.Element) -> str:
    """Return a report as a document of XML."""
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def lawful(text: str) -> str:
    """Return text as an XML document may hold it, harmless to a terminal too."""
    return _NOT_XML.sub("\ufffd", harmless(text))


def counts(parent: ET.Element) -> dict[str, str]:
    """Return the attributes that count the cases in a suite, or in all of them."""
    cases = list(parent.iter("testcase"))

    def with_a(element: str) -> str:
        return str(sum(each.find(element) is not None for each in cases))

    return {
        "tests": str(len(cases)),
        "failures": with_a("failure"),
        "errors": with_a("error"),
        "skipped": with_a("skipped"),
        "time": f"{sum(float(each.get('time', '0')) for each in cases):.3f}",
    }


def _add(suite: ET.Element, result: Result) -> None:
    place = {"file": lawful(result.path)} if result.path is not None else {}
    if result.line is not None:
        place["line"] = str(result.line)
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "classname": lawful(result.lab),
            "name": lawful(result.id),
            "time": f"{result.seconds:.3f}",
            **place,
        },
    )
    if (name := _ELEMENTS.get(result.verdict)) is not None:
        message = lawful(result.explanation)
        found = ET.SubElement(case, name, {"message": message.partition("\n")[0]})
        if result.kind is not None:
            found.set("type", result.kind)
        found.text = message
    told = [f"{each.verdict}: {each.text}\n" + "".join(f"    {line}\n" for line in each.evidence)
            for each in result.steps]  # fmt: skip
    ET.SubElement(case, "system-out").text = lawful("".join((f"{result.title}\n", *told)))
    if result.printed:
        ET.SubElement(case, "system-err").text = lawful(result.printed)
