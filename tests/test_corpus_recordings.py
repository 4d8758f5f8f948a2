"""Which recordings a corpus has, and how they are cut into shards."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from babycry_bench.accuracy.answer import SystemSpec
from babycry_bench.corpus import recordings as recordings_module
from babycry_bench.corpus.recordings import find_recordings, parse_events
from babycry_bench.corpus.results_folder import results_folder
from babycry_bench.corpus.shards import (
    LARGEST_SHARD,
    Fingerprint,
    ShardItem,
    make_plan,
    settle,
    survey,
)
from babycry_edge.errors import BabycryError

PACKAGES = {"numpy": "1"}


def write_sound(path: Path, seconds: float = 1.0, level: float = 0.1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(int(8000 * seconds), level), 8000)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.model"
    path.write_bytes(b"network")
    return path


def test_folder_sorted_by_name_with_subfolders_as_labels(tmp_path: Path) -> None:
    for name in ("z.wav", "cry/b.flac", "cry/deep/a.WAV", "other/c.aiff", "other/d.oga"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no recording")
    (tmp_path / "cry/.hidden.wav").write_bytes(b"")
    found = find_recordings(tmp_path)
    assert [(item.name, item.label) for item in found] == [
        ("cry/b.flac", "cry"),
        ("cry/deep/a.WAV", "cry"),
        ("other/c.aiff", "other"),
        ("other/d.oga", "other"),
        ("z.wav", None),
    ]
    assert all(item.events is None for item in found)


def test_manifest_with_labels_and_events(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(
        "path,label,events\nb.wav,cry,1.5-4;10-12.25\na.wav,,\nsub/c.wav,other,0-1e2\n"
    )
    found = find_recordings(tmp_path)
    assert [(item.name, item.label, item.events) for item in found] == [
        ("a.wav", None, ()),
        ("b.wav", "cry", ((1.5, 4.0), (10.0, 12.25))),
        ("sub/c.wav", "other", ((0.0, 100.0),)),
    ]
    assert found == find_recordings(tmp_path / "manifest.csv")
    assert found[2].path == tmp_path / "sub/c.wav"


def test_manifest_without_events_says_that_nobody_knows(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("path,label\na.wav,cry\n")
    assert find_recordings(tmp_path / "m.csv")[0].events is None


@pytest.mark.parametrize(
    "text",
    ["1", "1-", "-1-2", "2-1", "1-1", "a-b", "nan-2", "0-inf", "1-2-3", "1-2,3-4", "0-1e999"],
)
def test_events_that_are_no_spans(text: str) -> None:
    with pytest.raises(BabycryError, match="not start-end in seconds"):
        parse_events(text)


@pytest.mark.parametrize("text", ["1-3;2-4", "5-6;1-2"])
def test_events_that_overlap(text: str) -> None:
    with pytest.raises(BabycryError, match="overlap or are out of order"):
        parse_events(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,events\na.wav,1-2\nb.wav,x\n", "row 3: the event 'x'"),
        ("path,label,events\na.wav,cry\n", "row 2: it has fewer fields"),
        ("path\na.wav\na.wav\n", "a.wav is listed twice"),
        ("path\na.wav\n./a.wav\n", "a.wav is listed twice"),
        ("file\na.wav\n", "no column path"),
        ("path\n", "lists no recording"),
        ('path\n"a.wav\n', "cannot be read as a CSV manifest"),
        (f"path\n{'x' * 5000}.wav\n", "too long"),
    ],
)
def test_manifests_at_fault(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(BabycryError, match=message) as caught:
        find_recordings(tmp_path)
    assert "\n" not in str(caught.value)


def test_what_is_no_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BabycryError, match="no such folder or manifest"):
        find_recordings(tmp_path / "absent")
    with pytest.raises(BabycryError, match="holds no recording"):
        find_recordings(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BabycryError, match="neither a folder nor a file"):
        find_recordings(tmp_path / "pipe")
    (tmp_path / "long.csv").write_text("path\n" + "a.wav\n" * 10)
    monkeypatch.setattr(recordings_module, "MANIFEST_BYTES", 20)
    with pytest.raises(BabycryError, match="too many for a manifest"):
        find_recordings(tmp_path / "long.csv")


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"\xff.wav")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(BabycryError, match="not UTF-8"):
        find_recordings(tmp_path)


def test_survey_reads_headers_and_counts_what_is_no_audio_as_nothing(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", 2.5)
    (tmp_path / "b.wav").write_bytes(b"not audio")
    (tmp_path / "manifest.csv").write_text("path\na.wav\nb.wav\nabsent.wav\n")
    steps: list[int] = []
    items = survey(find_recordings(tmp_path), lambda: steps.append(1))
    assert [item.duration_s for item in items] == [2.5, 0.0, 0.0]
    assert [item.recording.name for item in items] == ["a.wav", "absent.wav", "b.wav"]
    assert items[1].fingerprint == Fingerprint(-1, -1)
    assert len(steps) == 3


def items_of(*seconds: float) -> list[ShardItem]:
    from babycry_bench.accuracy.answer import Recording

    return [
        ShardItem(Recording(Path(f"{at}.wav"), f"{at}.wav"), Fingerprint(1, 1), value)
        for at, value in enumerate(seconds)
    ]


def test_shards_are_full_and_in_order(model: Path) -> None:
    items = items_of(20, 20, 20, 20, 500, 0, 0, 61)
    plan = make_plan(items, [SystemSpec(model)], PACKAGES, 1.0)
    lengths = [[item.duration_s for item in shard.items] for shard in plan.shards]
    assert lengths == [[20, 20, 20], [20], [500], [0, 0], [61]]
    assert [item for shard in plan.shards for item in shard.items] == items
    assert [shard.index for shard in plan.shards] == list(range(len(plan.shards)))


def test_shards_of_recordings_without_length_end(model: Path) -> None:
    plan = make_plan(items_of(*[0.0] * (LARGEST_SHARD + 1)), [SystemSpec(model)], PACKAGES, 1.0)
    assert [len(shard.items) for shard in plan.shards] == [LARGEST_SHARD, 1]


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan"), float("inf")])
def test_shards_without_length(model: Path, minutes: float) -> None:
    with pytest.raises(BabycryError, match="give a number above 0"):
        make_plan(items_of(1), [SystemSpec(model)], PACKAGES, minutes)


def test_plan_is_the_same_for_the_same_and_moves_with_everything_that_matters(
    model: Path, tmp_path: Path
) -> None:
    items = items_of(1, 2)
    spec = SystemSpec(model)
    plan = make_plan(items, [spec], PACKAGES, 1.0)
    assert plan == make_plan(list(items), [replace(spec)], dict(PACKAGES), 1.0)
    elsewhere = tmp_path / "moved" / model.name
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(model.read_bytes())
    assert make_plan(items, [SystemSpec(elsewhere)], PACKAGES, 1.0).sha256 == plan.sha256
    changed = replace(items[0], fingerprint=Fingerprint(1, 2))
    relabelled = replace(items[0], recording=replace(items[0].recording, label="cry"))
    annotated = replace(items[0], recording=replace(items[0].recording, events=()))
    others = [
        make_plan([changed, items[1]], [spec], PACKAGES, 1.0),
        make_plan([relabelled, items[1]], [spec], PACKAGES, 1.0),
        make_plan([annotated, items[1]], [spec], PACKAGES, 1.0),
        make_plan(items[:1], [spec], PACKAGES, 1.0),
        make_plan(items, [replace(spec, reference_frontend="ours")], PACKAGES, 1.0),
        make_plan(items, [replace(spec, threshold=0.4)], PACKAGES, 1.0),
        make_plan(items, [spec, replace(spec, name="two")], PACKAGES, 1.0),
        make_plan(items, [spec], {"numpy": "2"}, 1.0),
        make_plan(items, [spec], PACKAGES, 2.0),
    ]
    model.write_bytes(b"another network")
    others.append(make_plan(items, [spec], PACKAGES, 1.0))
    assert len({plan.sha256, *(other.sha256 for other in others)}) == len(others) + 1


def test_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match=r"absent\.onnx: cannot be read"):
        make_plan(items_of(1), [SystemSpec(tmp_path / "absent.onnx")], PACKAGES, 1.0)


def test_folder_of_another_plan_is_refused_by_what_differs(tmp_path: Path, model: Path) -> None:
    out = tmp_path / "out"
    with results_folder(out) as folder:
        settle(folder, make_plan(items_of(1, 2), [SystemSpec(model)], PACKAGES, 1.0))
    before = (out / "plan.json").read_bytes()
    settle(out, make_plan(items_of(1, 2), [SystemSpec(model)], PACKAGES, 1.0))
    for plan, words in (
        (make_plan(items_of(1), [SystemSpec(model)], PACKAGES, 1.0), "other recordings:"),
        (
            make_plan(items_of(1, 2), [SystemSpec(model)], {"numpy": "2"}, 2.0),
            "other versions of packages and shard lengths:",
        ),
    ):
        with pytest.raises(BabycryError, match=f"{words} give another results folder"):
            settle(out, plan)
    assert (out / "plan.json").read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b'{"version": 1}', b'{"version": 9}']
)
def test_plan_that_cannot_be_read(tmp_path: Path, model: Path, content: bytes) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(BabycryError, match=r"give another results folder|other versions"):
        settle(tmp_path, make_plan(items_of(1), [SystemSpec(model)], PACKAGES, 1.0))


def test_shards_without_their_plan_are_refused(tmp_path: Path, model: Path) -> None:
    (tmp_path / "shard-000000.parquet").write_bytes(b"")
    with pytest.raises(BabycryError, match=r"shards without their plan\.json"):
        settle(tmp_path, make_plan(items_of(1), [SystemSpec(model)], PACKAGES, 1.0))


def test_one_evaluation_at_a_time_in_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    with results_folder(out) as folder:
        assert folder == out
        with pytest.raises(BabycryError, match="another evaluation"), results_folder(out):
            pass
    (out / ".shard-000000.parquet.77.part").write_bytes(b"half")
    with results_folder(out):
        assert not list(out.glob(".*.part"))


def test_folder_that_is_not_wanted_is_removed() -> None:
    with results_folder(None) as folder:
        (folder / "x").write_bytes(b"")
    assert not folder.exists()


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(BabycryError, match="no folder to write results to"),
        results_folder(tmp_path / "file" / "out"),
    ):
        pass
