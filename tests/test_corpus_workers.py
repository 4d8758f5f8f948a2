"""Shards on processes and on Dask: whoever works on them and dies at it, the results are equal."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import corpus_answers

pytest.importorskip("pyarrow")

from babycry_bench.accuracy.answer import SystemSpec
from babycry_bench.corpus import dask_pool
from babycry_bench.corpus.dask_pool import run_on_dask
from babycry_bench.corpus.evaluate import finish_shards, plan_corpus, stored_answers
from babycry_bench.corpus.shards import CorpusPlan
from babycry_bench.corpus.work import Opener, Order
from babycry_edge.errors import BabycryError

RECORDINGS = 24
SECONDS = 1.0
SHARD_MINUTES = 0.05  # three recordings
PROGRAM = Path(corpus_answers.__file__)


def silent(title: str, steps: int) -> object:
    return lambda: None


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "data"
    rng = np.random.default_rng(5)
    for at in range(RECORDINGS):
        path = folder / ("cry" if at % 2 else "other") / f"{at:02d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.5 * rng.random(int(8000 * SECONDS)), 8000)
    (folder / "other" / "no_audio.wav").write_bytes(b"no audio")
    (folder.parent / "net.model").write_bytes(b"network")
    return folder


def spec_of(corpus: Path) -> SystemSpec:
    return SystemSpec(corpus.parent / "net.model")


def plan_of(corpus: Path) -> CorpusPlan:
    return plan_corpus(corpus, [spec_of(corpus)], SHARD_MINUTES, silent)


def work(
    corpus: Path,
    folder: Path,
    opener: Opener = corpus_answers.open_level,
    workers: int = 2,
    dask: str | None = None,
) -> dict[str, bytes]:
    """Finish the shards; the results by file name."""
    folder.mkdir(exist_ok=True)
    finish_shards(folder, plan_of(corpus), [spec_of(corpus)], workers, dask, silent, opener)
    return results_in(folder)


def results_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.parquet"))}


@pytest.fixture(scope="module")
def expected(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    found = work(corpus, tmp_path_factory.mktemp("expected"), workers=1)
    assert len(found) == len(plan_of(corpus).shards) > 5
    return found


def children_of(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def test_two_workers_give_the_bytes_of_one(
    corpus: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    assert work(corpus, tmp_path / "out", workers=2) == expected
    answers = list(stored_answers(tmp_path / "out", plan_of(corpus), "net.model"))
    names = [answer.recording for answer in answers]
    assert names == sorted(names)
    assert len(names) == RECORDINGS + 1
    assert [answer.recording for answer in answers if answer.error] == ["other/no_audio.wav"]
    assert list(stored_answers(tmp_path / "out", plan_of(corpus), "another")) == []


def test_finished_shards_are_not_worked_on_again(
    corpus: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    work(corpus, folder)
    names = sorted(expected)
    (folder / names[1]).unlink()
    (folder / names[2]).write_bytes(expected[names[2]][:-7])
    times = {name: (folder / name).stat().st_mtime_ns for name in names if name not in names[1:3]}
    assert work(corpus, folder) == expected
    assert times == {name: (folder / name).stat().st_mtime_ns for name in times}


def test_progress_reaches_every_recording_once(corpus: Path, tmp_path: Path) -> None:
    told: dict[str, list[int]] = {}

    def track(title: str, steps: int) -> object:
        told[title] = [steps, 0]

        def advance() -> None:
            told[title][1] += 1

        return advance

    plan = plan_corpus(corpus, [spec_of(corpus)], SHARD_MINUTES, track)
    for _ in range(2):
        finish_shards(tmp_path, plan, [spec_of(corpus)], 2, None, track, corpus_answers.open_level)
        assert told == {
            "recordings": [RECORDINGS + 1] * 2,
            "corpus": [RECORDINGS + 1] * 2,
        }


@pytest.fixture
def deadly(corpus: Path) -> Iterator[Path]:
    path = corpus / "cry" / "07.lives"
    yield path
    path.unlink(missing_ok=True)


def test_worker_that_dies_twice_is_replaced(
    corpus: Path, expected: dict[str, bytes], deadly: Path, tmp_path: Path
) -> None:
    deadly.write_text("one\ntwo")
    assert work(corpus, tmp_path, corpus_answers.open_deadly) == expected
    assert deadly.read_text() == ""


def test_worker_that_dies_always_is_named_with_its_recording(
    corpus: Path, expected: dict[str, bytes], deadly: Path, tmp_path: Path
) -> None:
    deadly.write_text("\n".join("often"))
    message = r"died 3 times at cry/07\.wav \(SIGKILL\).*finished is kept"
    with pytest.raises(BabycryError, match=message) as caught:
        work(corpus, tmp_path, corpus_answers.open_deadly)
    assert "\n" not in str(caught.value)
    kept = results_in(tmp_path)
    assert kept.items() <= expected.items()
    deadly.write_text("")
    assert work(corpus, tmp_path, corpus_answers.open_deadly) == expected


def test_errors_of_the_work_end_it(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match=r"net\.model: refused: give another"):
        work(corpus, tmp_path, corpus_answers.open_refused)
    with pytest.raises(RuntimeError, match="ZeroDivisionError: what nobody expected"):
        work(corpus, tmp_path, corpus_answers.open_defect)
    with pytest.raises(BabycryError, match="0 workers"):
        work(corpus, tmp_path, workers=0)
    assert results_in(tmp_path) == {}


def test_recording_that_changes_under_way_ends_it(corpus: Path, tmp_path: Path) -> None:
    plan = plan_of(corpus)
    path = corpus / "cry" / "01.wav"
    status = path.stat()
    os.utime(path, ns=(1, 1))
    try:
        with pytest.raises(BabycryError, match=r"01\.wav: the file was changed"):
            finish_shards(
                tmp_path, plan, [spec_of(corpus)], 1, None, silent, corpus_answers.open_level
            )
    finally:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def start(corpus: Path, out: Path, *options: str, limit: int | None = None) -> subprocess.Popen:
    """The evaluation in a process of its own; ``limit``: the longest file it may write."""

    def restrict() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, PROGRAM, corpus, out, spec_of(corpus).model_path, *options],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=restrict,
    )


@pytest.mark.parametrize("after", [0, 2, 5])
def test_parent_killed_resumes_with_the_same_bytes(
    corpus: Path, expected: dict[str, bytes], tmp_path: Path, after: int
) -> None:
    out = tmp_path / "out"
    process = start(corpus, out)
    wait_until(lambda: len(results_in(out)) >= after and len(children_of(process.pid)) >= 2)
    workers = children_of(process.pid)
    process.kill()
    process.communicate()
    wait_until(lambda: not any(map(is_alive, workers)))
    kept = results_in(out)
    assert kept.items() <= expected.items()
    assert len(kept) < len(expected)
    again = start(corpus, out)
    assert (again.wait(60), again.communicate()[1]) == (0, "")
    assert results_in(out) == expected


def test_killed_in_the_middle_of_a_write(
    corpus: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start(corpus, out, "die-in-write")
    assert process.wait(60) == -signal.SIGKILL
    process.communicate()
    assert len(list(out.glob(".*.part"))) == 1
    assert results_in(out) == {}
    again = start(corpus, out)
    assert (again.wait(60), again.communicate()[1]) == (0, "")
    assert not list(out.glob(".*.part"))
    assert results_in(out) == expected


def test_ctrl_c_leaves_no_process_and_no_half_file(
    corpus: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start(corpus, out)
    wait_until(lambda: len(results_in(out)) >= 1)
    children = children_of(process.pid)
    for pid in (process.pid, *children):  # a terminal signals the whole group
        os.kill(pid, signal.SIGINT)
    assert process.wait(20) != 0
    text = process.communicate()[1]
    assert text.count("Traceback") == 1 and text.rstrip().endswith("KeyboardInterrupt")
    wait_until(lambda: not any(map(is_alive, children)))
    assert not list(out.glob(".*.part"))
    assert results_in(out).items() <= expected.items()


def test_file_that_may_not_grow_is_one_clear_error(
    corpus: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    """As on a full disk; then there is space again."""
    out = tmp_path / "out"
    process = start(corpus, out, limit=2000)
    assert process.wait(60) == 2
    text = process.communicate()[1]
    assert text.count("\n") == 1
    assert "File too large: make space and run again, finished shards are kept" in text
    assert results_in(out) == {}
    assert not list(out.glob(".*.part"))
    again = start(corpus, out)
    assert (again.wait(60), again.communicate()[1]) == (0, "")
    assert results_in(out) == expected


def test_disk_that_is_full(corpus: Path, expected: dict[str, bytes], tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("a small disk is mounted by root alone")
    try:
        process = start(corpus, disk / "out")
        assert process.wait(60) == 2
        text = process.communicate()[1]
        assert text.count("\n") == 1
        assert "No space left on device: make space and run again" in text
        kept = results_in(disk / "out")
        assert 0 < len(kept) < len(expected)
        assert kept.items() <= expected.items()
        assert not list((disk / "out").glob(".*.part"))
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        again = start(corpus, disk / "out")
        assert (again.wait(60), again.communicate()[1]) == (0, "")
        assert results_in(disk / "out") == expected
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    """Two workers, each a process of one thread."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        yield cluster


def test_dask_gives_the_same_bytes(
    cluster: object, corpus: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    assert work(corpus, tmp_path, dask=cluster.scheduler_address) == expected


def test_dask_worker_killed_half_way(
    cluster: object, corpus: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    killed: list[int] = []

    def track(title: str, steps: int) -> object:
        def advance() -> None:
            if not killed and title == "corpus":
                killed.append(next(iter(cluster.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        return advance

    opener = corpus_answers.open_slow
    address = cluster.scheduler_address
    plan = plan_of(corpus)
    finish_shards(tmp_path, plan, [spec_of(corpus)], 1, address, track, opener)
    assert killed
    assert results_in(tmp_path) == expected


def test_dask_errors_of_the_work(cluster: object, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match="refused: give another"):
        work(corpus, tmp_path, corpus_answers.open_refused, dask=cluster.scheduler_address)
    assert results_in(tmp_path) == {}


def test_dask_worker_that_dies_always(
    cluster: object, corpus: Path, deadly: Path, tmp_path: Path
) -> None:
    deadly.write_text("\n".join("very often"))
    with pytest.raises(BabycryError, match="died again and again at the shard") as caught:
        work(corpus, tmp_path, corpus_answers.open_deadly, dask=cluster.scheduler_address)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://127.0.0.1:9", "no Dask scheduler answers there"),
        ("nonsense", "missing port number"),
        ("foo://x:1", "unknown address scheme"),
    ],
)
def test_dask_that_is_not_there(
    corpus: Path, tmp_path: Path, address: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(dask_pool, "REACH_S", 1.0)
    started = time.monotonic()
    with pytest.raises(BabycryError, match=message) as caught:
        work(corpus, tmp_path, dask=address)
    assert time.monotonic() - started < 15.0
    assert "\n" not in str(caught.value)


def test_dask_cluster_without_workers(corpus: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=0, processes=True, dashboard_address=":0") as empty:
        order = Order((spec_of(corpus),), (), corpus_answers.open_level)
        run = run_on_dask(plan_of(corpus).shards, order, empty.scheduler_address, lost_s=0.5)
        with pytest.raises(BabycryError, match=r"has had no worker for 0\.5 s: start one"):
            next(run)


def test_dask_scheduler_that_goes_away(
    corpus: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
    )

    def track(title: str, steps: int) -> object:
        return (lambda: None) if title == "recordings" else cluster.close

    opener, plan = corpus_answers.open_slow, plan_of(corpus)
    with pytest.raises(BabycryError, match="was lost: what is finished is kept") as caught:
        address = cluster.scheduler_address
        finish_shards(tmp_path, plan, [spec_of(corpus)], 1, address, track, opener)
    assert "\n" not in str(caught.value)
    assert 0 < len(results_in(tmp_path)) < len(expected)
    assert work(corpus, tmp_path) == expected


def test_dask_address_of_a_worker(cluster: object, corpus: Path, tmp_path: Path) -> None:
    address = next(iter(cluster.scheduler.workers))
    with pytest.raises(BabycryError, match="not a scheduler"):
        work(corpus, tmp_path, dask=address)
