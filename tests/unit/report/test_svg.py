"""The picture is well-formed XML that holds no script, whatever a message says, and tells what matters."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.report.tracing.svg import svg
from tests.unit.report.hostile import HOSTILE, spoilt
from tests.unit.trace import samples

NS: Final = "{http://www.w3.org/2000/svg}"
DRAWN: Final = {f"{NS}{each}" for each in ("svg", "title", "desc", "style", "rect", "path", "text", "g")}


def parsed(source: str) -> ET.Element:
    return ET.fromstring(source)  # noqa: S314  # what is parsed was written just now, without entities


def boxes(root: ET.Element) -> list[tuple[float, float, float, float, ET.Element]]:
    found = []
    for group in root.iter(f"{NS}g"):
        box = group.find(f"{NS}rect")
        assert box is not None
        x, y, width, height = (float(box.attrib[key]) for key in ("x", "y", "width", "height"))
        found.append((x, y, x + width, y + height, group))
    return found


@pytest.mark.parametrize("name", samples.EVERY)
def test_no_box_covers_another_and_each_text_is_in_its_box_and_all_in_the_picture(name: str) -> None:
    root = parsed(svg(samples.EVERY[name]()))
    _, _, width, height = (float(each) for each in root.attrib["viewBox"].split())
    found = boxes(root)
    for n, (left, top, right, bottom, group) in enumerate(found):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        for text in group.iter(f"{NS}text"):
            letters = 7.6 * len(text.text or "")
            assert float(text.attrib["x"]) + letters <= right + 1
            assert float(text.attrib["y"]) <= bottom
        for other in found[n + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_it_names_the_step_that_failed_in_words_and_for_those_who_do_not_see_it() -> None:
    root = parsed(svg(samples.bounced()))
    said = " ".join(text for each in root.iter(f"{NS}text") if (text := each.text))
    assert "refused it at RCPT TO" in said
    assert "mx.beta.test refused ghost@beta.test" in (root.findtext(f"{NS}title") or "")
    assert "refused it at RCPT TO" in (root.findtext(f"{NS}desc") or "")


def test_nothing_in_it_points_anywhere_and_it_knows_light_and_dark() -> None:
    source = svg(samples.mixed())
    assert not re.search(r"(?:href|src)=|url\(|@import", source)
    assert "prefers-color-scheme:dark" in source


@pytest.mark.parametrize("junk", HOSTILE)
@pytest.mark.parametrize("name", samples.EVERY)
def test_hostile_text_becomes_text(name: str, junk: str) -> None:
    root = parsed(svg(spoilt(samples.EVERY[name](), junk)))
    assert {each.tag for each in root.iter()} <= DRAWN
    assert not any(key.startswith("on") for each in root.iter() for key in each.attrib)


@given(st.sampled_from(sorted(samples.EVERY)), st.text(st.characters()))
def test_any_text_leaves_it_well_formed(name: str, junk: str) -> None:
    assert {each.tag for each in parsed(svg(spoilt(samples.EVERY[name](), junk))).iter()} <= DRAWN
