"""Manifests, splits, balanced sampling and the feature cache that conversion and training share."""

from __future__ import annotations

import csv
import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from babycry_convert.data.feature_cache import ClipWindows, WindowPlan, load_windows
from babycry_convert.data.manifest import Recording, Recordings, read_recordings
from babycry_convert.data.sampling import sample_windows
from babycry_convert.data.split import split
from babycry_edge.config import FrontendConfig
from babycry_edge.errors import BabycryError
from babycry_edge.windows import clip_windows

soundfile = pytest.importorskip("soundfile")

RATE = 16000
CONFIG = FrontendConfig.from_profile("babycry")
POOLED = FrontendConfig.from_profile("babycry", pooling="mean_std", normalize="none")
PER_WINDOW = FrontendConfig.from_profile(
    "librosa", sample_rate=RATE, ref="max", top_db=80.0, normalize="min_max"
)
FRAMES, HOP = 50, 25


def write_sound(path: Path, seconds: float = 2.0, level_db: float = -20.0, seed: int = 0) -> Path:
    """Noise of the given RMS."""
    noise = np.random.default_rng(seed).standard_normal(int(seconds * RATE))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise / noise.std() * 10 ** (level_db / 20), RATE, subtype="FLOAT")
    return path


def write_manifest(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def recording(number: int, label: str | None, group: str, fold: int | None = None) -> Recording:
    return Recording(Path(f"{number}.wav"), f"{number}.wav", label, group, fold)


# --- manifests and folders ---


def test_a_manifest_gives_paths_labels_groups_and_folds(tmp_path: Path) -> None:
    rows = [
        {"path": "a/1.wav", "label": "cry", "group": "x", "fold": 0},
        {"path": "b/2.wav", "label": "noise", "group": "y", "fold": 4},
    ]
    found = read_recordings(write_manifest(tmp_path / "list.csv", rows)).items
    assert [item.path for item in found] == [tmp_path / "a/1.wav", tmp_path / "b/2.wav"]
    assert [item.name for item in found] == ["a/1.wav", "b/2.wav"]
    assert [(item.label, item.group, item.fold) for item in found] == [
        ("cry", "x", 0),
        ("noise", "y", 4),
    ]


def test_names_do_not_tell_where_the_manifest_is(tmp_path: Path) -> None:
    paths = ["data/a/1.wav", "data/b/2.wav"]
    (tmp_path / "build/deep").mkdir(parents=True)
    near = write_manifest(tmp_path / "near.csv", [{"path": path} for path in paths])
    far = write_manifest(
        tmp_path / "build/deep/far.csv", [{"path": f"../../{path}"} for path in paths]
    )
    names = [item.name for item in read_recordings(near).items]
    assert names == [item.name for item in read_recordings(far).items] == ["a/1.wav", "b/2.wav"]


def test_a_manifest_may_have_its_root_elsewhere(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "list.csv", [{"path": "a/1.wav"}])
    (found,) = read_recordings(manifest, root=tmp_path / "data").items
    assert found.path == tmp_path / "data/a/1.wav"
    assert found.label is None
    assert found.group == found.name == "1.wav"


def test_unknown_labels_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        {"path": f"{n}.wav", "label": label} for n, label in enumerate(["cry", "dog", "", "dog"])
    ]
    found = read_recordings(write_manifest(tmp_path / "m.csv", rows), ["cry", "other"])
    assert found.counts == {"cry": 1}
    assert found.left_out == {"dog": 2, "(no label)": 1}
    assert found.describe_left_out().startswith("3 recordings left out")


def test_other_labels_may_count_as_one(tmp_path: Path) -> None:
    rows = [
        {"path": f"{n}.wav", "label": label} for n, label in enumerate(["cry", "dog", "", "cat"])
    ]
    manifest = write_manifest(tmp_path / "m.csv", rows)
    found = read_recordings(manifest, ["cry", "other"], rest="other")
    assert found.counts == {"cry": 1, "other": 2}
    assert found.left_out == {"(no label)": 1}


def test_sub_folders_are_labels(tmp_path: Path) -> None:
    for name in ("cry/b.wav", "cry/deep/a.WAV", "other/c.flac", "cry/notes.txt", "cry/.hidden.wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = read_recordings(tmp_path, ["cry", "other"])
    assert [item.name for item in found.items] == ["cry/b.wav", "cry/deep/a.WAV", "other/c.flac"]
    assert found.counts == {"cry": 2, "other": 1}


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    (tmp_path / "b.wav").touch()
    (tmp_path / "a.ogg").touch()
    found = read_recordings(tmp_path, ["cry", "other"])
    assert [(item.name, item.label) for item in found.items] == [("a.ogg", None), ("b.wav", None)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no column path"),
        ("file,label\na.wav,cry\n", "no column path"),
        ("path,label\n", "lists no recording"),
        ("path,label\na.wav,dog\nb.wav,cat\n", "no recording has one of the labels cry, other"),
        ("path,label\n,cry\n", "row 2: the path is empty"),
        ("path,label,fold\na.wav,cry,first\n", "row 2: the fold is 'first'"),
        ("path,group,fold\na.wav,g,0\nb.wav,g,1\n", "group g is in two folds"),
    ],
)
def test_a_wrong_manifest_is_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(content)
    with pytest.raises(BabycryError, match=message) as error:
        read_recordings(path, ["cry", "other"])
    assert "\n" not in str(error.value)


def test_what_is_no_list_of_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match="no such folder or manifest"):
        read_recordings(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BabycryError, match="the folder holds no recording"):
        read_recordings(tmp_path / "empty")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    with pytest.raises(BabycryError, match="cannot be read as a CSV manifest"):
        read_recordings(tmp_path / "binary.csv")


# --- split ---


def many(seed: int = 0) -> list[Recording]:
    """300 recordings: labels in uneven numbers, groups of one to nine."""
    rng = np.random.default_rng(seed)
    groups = [
        (f"g{n}", str(rng.choice(["cry", "noise", "laugh"], p=[0.5, 0.4, 0.1]))) for n in range(60)
    ]
    picked = [groups[int(rng.integers(60))] for _ in range(300)]
    return [recording(n, label, group, n % 5) for n, (group, label) in enumerate(picked)]


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_on_both_sides_and_labels_keep_their_share(seed: int) -> None:
    items = many()
    kept, held_out = split(items, share=0.25, seed=seed)
    assert not {item.group for item in kept} & {item.group for item in held_out}
    assert sorted([*kept, *held_out], key=lambda item: int(item.name[:-4])) == items
    totals = Counter(item.label for item in items)
    for label, count in Counter(item.label for item in held_out).items():
        largest = max(Counter(i.group for i in items if i.label == label).values())
        assert abs(count - 0.25 * totals[label]) <= largest
    assert (kept, held_out) == split(items, share=0.25, seed=seed)
    assert held_out != split(items, share=0.25, seed=seed + 1)[1]


def test_a_fold_is_held_out() -> None:
    items = [recording(n, "cry", f"g{n % 5}", n % 5) for n in range(20)]
    kept, held_out = split(items, fold=4)
    assert {item.fold for item in held_out} == {4}
    assert {item.fold for item in kept} == {0, 1, 2, 3}


def test_sides_are_never_empty() -> None:
    two = [recording(0, "cry", "a"), recording(1, "cry", "b")]
    for share in (0.01, 0.99):
        assert [len(side) for side in split(two, share=share)] == [1, 1]
    with pytest.raises(BabycryError, match="of one group"):
        split([recording(0, "cry", "a"), recording(1, "cry", "a")])
    with pytest.raises(BabycryError, match="no recording is in fold 4"):
        split(two, fold=4)
    with pytest.raises(BabycryError, match="every recording is in fold 1"):
        split([recording(0, "cry", "a", 1)], fold=1)
    with pytest.raises(BabycryError, match="must lie between 0 and 1"):
        split(two, share=1.0)


# --- windows and their cache ---


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four good recordings of two labels and a corrupt one among them."""
    folder = tmp_path_factory.mktemp("sounds")
    for number, label in enumerate(["cry", "cry", "other", "other"]):
        write_sound(folder / label / f"{number}.wav", level_db=-10.0 * (1 + number), seed=number)
    (folder / "cry" / "corrupt.wav").write_bytes(b"RIFF\x00\x01garbage" * 9)
    return folder


@pytest.mark.parametrize("config", [CONFIG, POOLED, PER_WINDOW], ids=["frames", "pooled", "window"])
@pytest.mark.parametrize("seconds", [0.3, 2.6])
def test_windows_are_those_of_detection(
    tmp_path: Path, config: FrontendConfig, seconds: float
) -> None:
    path = write_sound(tmp_path / "a.wav", seconds)
    loaded = load_windows([recording_at(path)], config, FRAMES, HOP)
    samples = soundfile.read(path, dtype="float32")[0]
    padded = np.pad(samples, (0, max(0, config.samples_for(FRAMES) - len(samples))))

    class Described:
        frontend, window_frames, hop_frames = config, FRAMES, HOP

    wanted = clip_windows(padded, RATE, Described())  # type: ignore[arg-type]
    (clip,) = loaded.clips
    rows = 1 if config.pooling != "none" else FRAMES
    assert clip.windows.shape == (len(wanted), rows, config.n_features)
    assert len(wanted) >= 1
    assert (clip.windows == wanted).all()


def test_levels_are_those_of_the_windows_samples(tmp_path: Path) -> None:
    half = RATE * 2
    samples = np.concatenate([np.zeros(half), 0.1 * np.ones(half)]).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    (clip,) = load_windows([recording_at(tmp_path / "a.wav")], CONFIG, FRAMES, HOP).clips
    step, length = HOP * CONFIG.hop_length, CONFIG.samples_for(FRAMES)
    for index, level in enumerate(clip.levels_db):
        power = float(np.mean(samples[index * step : index * step + length].astype(float) ** 2))
        assert level == pytest.approx(max(-120.0, 10 * np.log10(max(power, 1e-12))), abs=1e-3)
    assert clip.levels_db[0] == -120.0
    assert clip.window_name(2) == "a.wav#50"


def recording_at(path: Path) -> Recording:
    return Recording(path, path.name, None, path.name)


def test_one_corrupt_recording_is_skipped_and_named(folder: Path) -> None:
    loaded = load_windows(read_recordings(folder), CONFIG, FRAMES, HOP)
    assert [clip.recording.name for clip in loaded.clips] == [
        "cry/0.wav",
        "cry/1.wav",
        "other/2.wav",
        "other/3.wav",
    ]
    assert [item.name for item in loaded.skipped] == ["cry/corrupt.wav"]
    assert "\n" not in loaded.describe_skipped()
    assert loaded.describe_skipped().startswith("1 recordings skipped: cry/corrupt.wav: ")


@pytest.mark.parametrize("damage", ["truncated", "header", "empty", "absent", "nan", "folder"])
def test_damage_of_every_kind_is_skipped(tmp_path: Path, damage: str) -> None:
    good = write_sound(tmp_path / "good.wav")
    bad = tmp_path / "bad.flac"
    if damage == "truncated":
        soundfile.write(bad, np.random.default_rng(0).uniform(-0.5, 0.5, 4 * RATE), RATE)
        bad.write_bytes(bad.read_bytes()[:3000])
    elif damage == "header":
        bad.write_bytes(good.read_bytes()[:44])
    elif damage == "empty":
        bad.touch()
    elif damage == "nan":
        samples = np.zeros(RATE, np.float32)
        samples[500] = np.nan
        soundfile.write(tmp_path / "nan.wav", samples, RATE, subtype="FLOAT")
        bad = tmp_path / "nan.wav"
    elif damage == "folder":
        bad.mkdir()
    for cache in (None, tmp_path / "cache"):
        loaded = load_windows([recording_at(good), recording_at(bad)], CONFIG, FRAMES, HOP, cache)
        assert [item.name for item in loaded.skipped] == [bad.name]
        assert loaded.skipped[0].reason


def test_random_damage_never_stops_a_run(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    good = write_sound(tmp_path / "good.wav")
    items = [recording_at(good)]
    samples = rng.uniform(-0.5, 0.5, RATE)
    for number, suffix in enumerate(["wav", "flac", "ogg"] * 10):
        path = tmp_path / f"{number}.{suffix}"
        soundfile.write(path, samples, RATE)
        data = bytearray(path.read_bytes())
        for place in rng.integers(0, min(200, len(data)), 6):
            data[place] = int(rng.integers(256))
        path.write_bytes(data[: int(rng.integers(1, len(data)))])
        items.append(recording_at(path))
    loaded = load_windows(items, CONFIG, FRAMES, HOP)
    assert len(loaded.clips) + len(loaded.skipped) == len(items)
    assert loaded.clips[0].recording.name == "good.wav"
    assert loaded.skipped


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(BabycryError, match="none of the 1 recordings can be used"):
        load_windows([recording_at(tmp_path / "a.wav")], CONFIG, FRAMES, HOP)
    with pytest.raises(BabycryError, match="no recordings"):
        load_windows([], CONFIG, FRAMES, HOP)


def same(one: Sequence[ClipWindows], other: Sequence[ClipWindows]) -> bool:
    return all(
        (a.windows == b.windows).all() and (a.levels_db == b.levels_db).all()
        for a, b in zip(one, other, strict=True)
    )


def test_the_cache_changes_nothing_and_saves_the_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = read_recordings(folder)
    plain = load_windows(recordings, CONFIG, FRAMES, HOP)
    calls: list[tuple[int, int]] = []
    first = load_windows(
        recordings, CONFIG, FRAMES, HOP, tmp_path / "c", progress=lambda *done: calls.append(done)
    )
    assert calls == [(n, 5) for n in range(1, 6)]
    assert same(first.clips, plain.clips)
    cut = counted_cuts(monkeypatch)
    again = load_windows(recordings, CONFIG, FRAMES, HOP, tmp_path / "c")
    assert same(again.clips, plain.clips)
    assert cut == []
    # another hop, another front-end and another content are other entries
    load_windows(recordings, CONFIG, FRAMES, HOP - 1, tmp_path / "c")
    load_windows(recordings, POOLED, FRAMES, HOP, tmp_path / "c")
    assert len(cut) == 8


def counted_cuts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the clips that go through the front-end from now on."""
    cut: list[int] = []
    original = WindowPlan.cut

    def counting(self: WindowPlan, samples: Any) -> Any:
        cut.append(len(samples))
        return original(self, samples)

    monkeypatch.setattr(WindowPlan, "cut", counting)
    return cut


def test_a_changed_file_is_computed_anew(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", seed=1)
    before = load_windows([recording_at(path)], CONFIG, FRAMES, HOP, tmp_path / "c").clips
    write_sound(path, seed=2)
    after = load_windows([recording_at(path)], CONFIG, FRAMES, HOP, tmp_path / "c").clips
    assert not same(before, after)
    assert same(after, load_windows([recording_at(path)], CONFIG, FRAMES, HOP).clips)


def test_a_run_that_was_stopped_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = read_recordings(folder)

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_windows(recordings, CONFIG, FRAMES, HOP, tmp_path / "c", progress=stop)
    cut = counted_cuts(monkeypatch)
    resumed = load_windows(recordings, CONFIG, FRAMES, HOP, tmp_path / "c")
    assert len(cut) == 2  # the first two good ones were kept; the corrupt one has no entry
    assert same(resumed.clips, load_windows(recordings, CONFIG, FRAMES, HOP).clips)


def test_a_damaged_entry_is_computed_again(folder: Path, tmp_path: Path) -> None:
    recordings = read_recordings(folder)
    plain = load_windows(recordings, CONFIG, FRAMES, HOP)
    load_windows(recordings, CONFIG, FRAMES, HOP, tmp_path / "c")
    for number, path in enumerate(sorted((tmp_path / "c").glob("*.npy"))[:6]):
        path.write_bytes(path.read_bytes()[: (0, 50, -4)[number % 3]])
    assert same(load_windows(recordings, CONFIG, FRAMES, HOP, tmp_path / "c").clips, plain.clips)


def test_a_full_disk_is_no_skipped_recording(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import babycry_convert.data.feature_cache as feature_cache

    def full(path: Path, data: bytes) -> None:
        raise BabycryError(f"{path}: cannot be written: No space left on device")

    monkeypatch.setattr(feature_cache, "write_whole", full)
    with pytest.raises(BabycryError, match="No space left on device"):
        load_windows(read_recordings(folder), CONFIG, FRAMES, HOP, tmp_path / "c")
    with pytest.raises(BabycryError, match="cannot be made"):
        load_windows(read_recordings(folder), CONFIG, FRAMES, HOP, folder / "cry/0.wav/c")


def test_several_processes_give_the_same_windows(folder: Path, tmp_path: Path) -> None:
    recordings = read_recordings(folder)
    plain = load_windows(recordings, CONFIG, FRAMES, HOP)
    for cache in (None, tmp_path / "c"):
        loaded = load_windows(recordings, CONFIG, FRAMES, HOP, cache, jobs=2)
        assert same(loaded.clips, plain.clips)
        assert loaded.skipped == plain.skipped
    start = time.monotonic()
    while multiprocessing.active_children() and time.monotonic() < start + 5:
        time.sleep(0.01)
    assert not multiprocessing.active_children()


# --- sampling ---


def clip(number: int, label: str | None, levels: Sequence[float]) -> ClipWindows:
    """A clip of which each window holds its number and its level."""
    windows = np.stack([np.full((3, 2), 1000 * number + n, np.float32) for n in range(len(levels))])
    return ClipWindows(recording(number, label, "g"), windows, np.array(levels, np.float32), 10)


def test_labels_take_turns_and_one_recording_gives_one_window() -> None:
    clips = [clip(n, "cry" if n < 30 else "laugh", [-20.0 - n] * 5) for n in range(34)]
    chosen = sample_windows(clips, 16, seed=3)
    numbers = [int(window[0, 0]) // 1000 for window in chosen.windows]
    labels = [clips[number].recording.label for number in numbers]
    assert labels[:8] == ["cry", "laugh"] * 4
    assert Counter(labels) == {"cry": 8, "laugh": 8}
    cries = [number for number in numbers if number < 30]
    assert len(set(cries)) == 8
    assert set(numbers) - set(cries) == {30, 31, 32, 33}  # every laugh, then second windows
    assert len(set(chosen.names)) == 16


def test_within_a_label_all_levels_are_drawn() -> None:
    rng = np.random.default_rng(5)
    levels = rng.uniform(-80, -5, 100)
    clips = [clip(n, "cry", [level]) for n, level in enumerate(levels)]
    chosen = sample_windows(clips, 10, seed=1)
    ranks = {n: rank for rank, n in enumerate(np.argsort(levels))}
    drawn = sorted(ranks[int(window[0, 0]) // 1000] // 10 for window in chosen.windows)
    assert drawn == list(range(10))


def test_a_label_that_runs_out_leaves_its_turns_to_the_others() -> None:
    clips = [clip(0, "laugh", [-20.0]), *(clip(n, "cry", [-20.0] * 3) for n in range(1, 6))]
    assert len(sample_windows(clips, 12, seed=1).names) == 12
    everything = sample_windows(clips, 99, seed=1)
    assert len(everything.names) == len(set(everything.names)) == 16


def test_the_seed_decides() -> None:
    clips = [clip(n, None, [-20.0 - n - w for w in range(4)]) for n in range(40)]
    one, same_seed, other = (sample_windows(clips, 12, seed=s) for s in (1, 1, 2))
    assert one.names == same_seed.names
    assert (one.windows == same_seed.windows).all()
    assert one.names != other.names
    assert one.windows.shape == (12, 3, 2)
    assert one.windows.dtype == np.float32


def test_names_say_which_window(tmp_path: Path) -> None:
    clips = [clip(n, None, [-20.0] * 4) for n in range(3)]
    chosen = sample_windows(clips, 12, seed=1)
    for window, name in zip(chosen.windows, chosen.names, strict=True):
        number, index = divmod(int(window[0, 0]), 1000)
        assert name == f"{number}.wav#{10 * index}"


def test_silence_and_sameness_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match="silent"):
        sample_windows([clip(n, None, [-95.0, -120.0]) for n in range(3)], 4, seed=1)
    constant = clip(1, None, [-20.0, -20.0])
    constant.windows[:] = 7
    with pytest.raises(BabycryError, match="all 4 windows of the recordings are the same"):
        sample_windows([constant, constant], 4, seed=1)
    with pytest.raises(BabycryError, match="no recordings"):
        sample_windows([], 4, seed=1)
    with pytest.raises(BabycryError, match="1 or more"):
        sample_windows([clip(0, None, [-20.0])], 0, seed=1)


def test_a_silent_folder_is_refused(tmp_path: Path) -> None:
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", np.zeros(2 * RATE), RATE)
    loaded = load_windows(read_recordings(tmp_path), CONFIG, FRAMES, HOP)
    with pytest.raises(BabycryError, match="all 3 recordings are silent"):
        sample_windows(loaded.clips, 8, seed=1)


# --- the real recordings ---


def test_real_recordings_give_a_balanced_choice(shared: Path, tmp_path: Path) -> None:
    labels = ("cry", "animal", "speech", "laugh")
    recordings = read_recordings(shared / "data" / "manifest.csv", labels)
    assert set(recordings.left_out) == {"noise", "silence", "music", "unverified"}
    kept, held_out = split(recordings, fold=4)
    assert not {item.group for item in kept} & {item.group for item in held_out}
    few = [item for label in labels for item in [i for i in kept if i.label == label][::20]]
    loaded = load_windows(Recordings(tuple(few)), CONFIG, 100, 25, tmp_path)
    assert not loaded.skipped
    chosen = sample_windows(loaded.clips, 12, seed=1)
    by_name = {clip.recording.name: clip.recording.label for clip in loaded.clips}
    found = Counter(by_name[name.rsplit("#", 1)[0]] for name in chosen.names)
    assert found == dict.fromkeys(labels, 3)


def test_many_clips_keep_no_file_open(folder: Path, tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("the system does not list open files")
    before = len(list(descriptors.iterdir()))
    loaded = load_windows(read_recordings(folder), CONFIG, FRAMES, HOP, tmp_path / "c")
    assert len(loaded.clips) == 4
    assert len(list(descriptors.iterdir())) == before
