from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.errors import OutputError
from labctl.grading.job import Examination, Observation
from labctl.grading.store import Store
from labctl.grading.verdict import CheckVerdict

if TYPE_CHECKING:
    from pathlib import Path

SEEN = Examination("anna", "small", "00", 1.0, (Observation("a", "A", CheckVerdict.FAILED, 0.1, "no"),))


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    Store(tmp_path / "out").put("key", SEEN)
    assert Store(tmp_path / "out").get("key") == SEEN


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"schema": "labctl/examination/v1"'])
def test_a_file_that_was_cut_off_is_as_if_it_were_not_there(tmp_path: Path, content: bytes) -> None:
    store = Store(tmp_path)
    store.put("key", SEEN)
    [path] = (tmp_path / "examinations").iterdir()
    path.write_bytes(content)
    assert store.get("key") is None


def test_what_broke_is_not_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("a", Examination("anna", "small", "00", 1.0, broken="the engine is gone"))
    store.put("b", Examination("anna", "small", "00", 1.0, (Observation("a", "A", CheckVerdict.ERROR, 0.1),)))
    assert (store.get("a"), store.get("b")) == (None, None)


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("key", SEEN)
    store.put("key", SEEN)
    assert [each.name for each in (tmp_path / "examinations").iterdir()] == ["key.json"]


def test_a_place_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "examinations").write_text("a file", encoding="utf-8")
    with pytest.raises(OutputError, match="can't be written"):
        Store(tmp_path).put("key", SEEN)
