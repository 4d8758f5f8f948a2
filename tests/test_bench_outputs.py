"""The files of a report: all of them or a clear word, and nothing measured is lost."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from babycry_bench.reports.outputs import Outputs, to_json
from babycry_edge.errors import BabycryError
from babycry_edge.whole_file import write_whole
from sample_report import report


def outputs_in(folder: Path) -> Outputs:
    return Outputs(
        json=str(folder / "r.json"),
        html=folder / "r.html",
        markdown=folder / "r.md",
        junit=folder / "r.xml",
    )


def test_every_file_that_was_asked_for_is_written(tmp_path: Path) -> None:
    outputs_in(tmp_path).write(report())
    assert json.loads((tmp_path / "r.json").read_text()) == report()
    assert "</html>" in (tmp_path / "r.html").read_text()
    assert "FAILED" in (tmp_path / "r.md").read_text()
    assert ElementTree.parse(tmp_path / "r.xml").getroot().get("failures") == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "r.json", "r.md", "r.xml"]


def test_nothing_is_written_that_was_not_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Outputs().write(report())
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_the_json_goes_to_standard_output_where_the_disk_takes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise BabycryError(f"{path}: cannot be written: No space left on device")

    monkeypatch.setattr("babycry_bench.reports.outputs.write_whole", full)
    with pytest.raises(BabycryError, match="No space left") as caught:
        outputs_in(tmp_path).write(report())
    assert "\n" not in str(caught.value)
    assert json.loads(capsys.readouterr().out) == report()
    assert list(tmp_path.iterdir()) == []


def test_one_file_that_fails_does_not_keep_the_others_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_pages(path: Path, data: bytes) -> None:
        if path.suffix == ".html":
            raise BabycryError(f"{path}: cannot be written: File too large")
        write_whole(path, data)

    monkeypatch.setattr("babycry_bench.reports.outputs.write_whole", no_pages)
    with pytest.raises(BabycryError, match=r"r\.html.*File too large"):
        outputs_in(tmp_path).write(report())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.json", "r.md", "r.xml"]


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match="absent does not exist"):
        Outputs(html=tmp_path / "absent" / "r.html").check()
    with pytest.raises(BabycryError, match="is a folder"):
        Outputs(json=str(tmp_path)).check()


def test_what_json_lacks_becomes_null() -> None:
    assert json.loads(to_json({"a": float("nan"), "b": [float("inf")]})) == {"a": None, "b": [None]}
