"""Pages about hostile mail, in a real browser: Debian's chromium. Nothing of a message runs in it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

import pytest

from labctl.commands.trace import Trace
from labctl.report.tracing.page import page
from labctl.report.tracing.svg import svg
from labctl.trace.journey.hop import HopEvent
from tests.integration.packages import ensure
from tests.unit.report.hostile import HOSTILE, spoilt
from tests.unit.trace import samples

if TYPE_CHECKING:
    from pathlib import Path

QUIET: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
"""So that the browser sends nothing anywhere."""


@pytest.fixture(scope="module")
def chromium() -> str:
    """Debian's browser; where it is missing and can be installed, it is."""
    ensure({"chromium": "chromium"})
    found = shutil.which("chromium")
    assert found is not None
    return found


class Dom(HTMLParser):
    """What a browser made of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.title = ""
        self.tags: set[str] = set()
        self.ids: set[str] = set()
        self.handlers: set[str] = set()
        self.words = ""
        self._path: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in {"meta", "br"}:  # which no end tag follows
            self._path.append(tag)
        self.ids |= {value or "" for key, value in attrs if key == "id"}
        self.handlers |= {key for key, _ in attrs if key.startswith("on")}

    def handle_endtag(self, tag: str) -> None:
        while self._path and self._path.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.words += data
        if self._path[-2:] == ["head", "title"]:
            self.title += data


def opened(chromium: str, tmp_path: Path, source: str, name: str = "page.html") -> Dom:
    """Open a file in the browser, and read back what stands there after everything ran that would."""
    path = tmp_path / name
    path.write_text(source, encoding="utf-8")
    done = subprocess.run(
        [chromium, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Dom(done.stdout)


def test_the_browser_runs_what_may_run(chromium: str, tmp_path: Path) -> None:
    """Without this, that nothing runs would prove nothing."""
    source = (
        f"<!DOCTYPE html><html><head><title>before</title></head><body>{HOSTILE[0]}{HOSTILE[1]}</body></html>"
    )
    found = opened(chromium, tmp_path, source)
    assert found.title == "owned"
    assert "planted" in found.ids


def test_no_script_of_a_message_runs_and_no_element_that_it_names_is_there(
    chromium: str, tmp_path: Path
) -> None:
    spoilt_ones = tuple(spoilt(samples.EVERY[name](), "".join(HOSTILE)) for name in samples.EVERY)
    for messages in (spoilt_ones, spoilt_ones[2:3]):
        found = opened(chromium, tmp_path, page(Trace(messages)))
        assert found.title.startswith("Where is my mail?")
        assert "planted" not in found.ids
        assert found.handlers == set()
        assert not found.tags & {"script", "img", "iframe", "object", "embed", "form"}
        assert "<script>document.title='owned'</script>" in found.words


def test_nothing_runs_in_a_picture_alone(chromium: str, tmp_path: Path) -> None:
    found = opened(chromium, tmp_path, svg(spoilt(samples.mixed(), "".join(HOSTILE))), "picture.svg")
    assert not found.tags & {"script", "img", "iframe", "foreignobject"}
    assert "planted" not in found.ids
    assert "text" in found.tags


def test_a_page_of_endless_lines_and_of_10_000_steps_opens(chromium: str, tmp_path: Path) -> None:
    line = HOSTILE[0] * 250_000
    first = samples.bounced().hops[0]
    hops = tuple(
        samples.hop(HopEvent.REMARKED, n, samples.ALPHA, samples.FIRST, HOSTILE[n % len(HOSTILE)])
        for n in range(10_000)
    )
    long = replace(first, text=line, detail={"lines": [line], "reply": line})
    source = page(Trace((replace(samples.bounced(), hops=(long, *hops), message_id=line),)))
    assert len(source) < 3_000_000
    found = opened(chromium, tmp_path, source)
    assert found.title.startswith("Where is my mail?")
    assert "script" not in found.tags
    assert "9,750,000 characters in all" in found.words
