"""Files are written whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from babycry_edge import BabycryError
from babycry_edge.whole_file import write_whole


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    write_whole(target, b"new")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_absent_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match=r"report\.json: the folder .* does not exist"):
        write_whole(tmp_path / "absent" / "report.json", b"x")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")

    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BabycryError, match=r"report\.json: cannot be written: No space left"):
        write_whole(target, b"new and longer")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
