"""A corpus evaluated with the bundled models: the same figures whatever does the work."""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import corpus_program

pytest.importorskip("pyarrow")
pytest.importorskip("librosa")

from babycry_bench.accuracy.answer import SystemSpec
from babycry_bench.corpus import synthesise as synthesise_module
from babycry_bench.corpus.evaluate import evaluate
from babycry_bench.corpus.recordings import find_recordings
from babycry_bench.corpus.synthesise import CorpusShape, synthesise
from babycry_edge.audio import read_audio
from babycry_edge.errors import BabycryError
from babycry_edge.models import bundled

SHAPE = CorpusShape(count=6, seconds=40.0)
SHARD_MINUTES = 1.5
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nights") / "nights"
    synthesise(folder, SHAPE)
    return folder


@pytest.fixture(scope="module")
def specs() -> list[SystemSpec]:
    pytest.importorskip("onnxruntime")
    models = [SystemSpec.beside(bundled("cry.onnx"))]
    ours = SystemSpec(
        bundled("cry.onnx"), reference_model_path=None, reference_frontend="ours", name="alone"
    )
    return [*models, ours]


@pytest.fixture(scope="module")
def expected(
    corpus: Path, specs: list[SystemSpec], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, bytes]]:
    out = tmp_path_factory.mktemp("expected") / "out"
    records = evaluate(corpus, specs, out, workers=1, shard_minutes=SHARD_MINUTES)
    return json.dumps(records), results_in(out)


def results_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.parquet"))}


def test_records_are_what_the_schema_says(expected: tuple[str, dict[str, bytes]]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    import babycry_bench.schema

    path = Path(babycry_bench.schema.__file__).parent / "report.schema.json"
    schema = json.loads(path.read_text())
    records = json.loads(expected[0])
    for record in records:
        jsonschema.validate(record, {"$defs": schema["$defs"], "$ref": "#/$defs/accuracy"})
    assert [record["model"] for record in records] == ["cry.onnx", "alone"]
    for record in records:
        data = record["data"]
        assert (data["name"], data["recordings"], data["labelled"]) == ("nights", 6, 6)
        assert data["hours"] == pytest.approx(6 * 40 / 3600)
        assert data["failed"] == 0 and "failures" not in data
        assert record["events"]["true_events"] > 5
    assert records[0]["agreement"]["value"] == 1.0
    assert records[0]["data"] == records[1]["data"]


def test_two_workers_give_the_same_figures_and_files(
    corpus: Path, specs: list[SystemSpec], expected: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    records = evaluate(corpus, specs, tmp_path, workers=2, shard_minutes=SHARD_MINUTES)
    assert (json.dumps(records), results_in(tmp_path)) == expected


def test_other_shards_and_another_place_give_the_same_figures(
    corpus: Path, specs: list[SystemSpec], expected: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    moved = tmp_path / "nights"
    shutil.copytree(corpus, moved)
    records = evaluate(moved, specs, workers=1, shard_minutes=60.0)
    assert json.dumps(records) == expected[0]


def test_dask_gives_the_same_figures_and_files(
    corpus: Path, specs: list[SystemSpec], expected: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        address = cluster.scheduler_address
        records = evaluate(corpus, specs, tmp_path, dask=address, shard_minutes=SHARD_MINUTES)
    assert (json.dumps(records), results_in(tmp_path)) == expected


def test_killed_and_resumed_gives_the_same_figures(
    corpus: Path, specs: list[SystemSpec], expected: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    """Finished work is read and not done again; what is missing is done."""
    names = sorted(expected[1])
    for name in names[:2]:
        (tmp_path / name).write_bytes(expected[1][name])
    with pytest.raises(BabycryError, match="shards without their plan"):
        evaluate(corpus, specs, tmp_path, workers=1, shard_minutes=SHARD_MINUTES)
    out = tmp_path / "out"
    evaluate(corpus, specs, out, workers=2, shard_minutes=SHARD_MINUTES)
    (out / names[0]).unlink()
    records = evaluate(corpus, specs, out, workers=1, shard_minutes=SHARD_MINUTES)
    assert (json.dumps(records), results_in(out)) == expected


def test_recordings_that_cannot_be_read_are_named(
    corpus: Path, specs: list[SystemSpec], tmp_path: Path
) -> None:
    folder = tmp_path / "mixed"
    (folder / "cry").mkdir(parents=True)
    shutil.copy(corpus / "night-0000.flac", folder / "cry" / "a.flac")
    whole = (corpus / "night-0001.flac").read_bytes()
    (folder / "cry" / "b.flac").write_bytes(whole[: len(whole) // 2])
    (folder / "cry" / "c.wav").write_bytes(b"RIFF")
    (folder / "cry" / "d.wav").write_bytes(b"")
    (record,) = evaluate(folder, specs[1:], workers=1)
    assert (record["data"]["recordings"], record["data"]["failed"]) == (4, 3)
    failures = record["data"]["failures"]
    names = ["cry/b.flac", "cry/c.wav", "cry/d.wav"]
    assert [failure["recording"] for failure in failures] == names
    for name, failure in zip(names, failures, strict=True):
        assert failure["error"].startswith(f"{name}: ")
        assert "\n" not in failure["error"]
    (folder / "cry" / "a.flac").unlink()
    with pytest.raises(BabycryError, match="not one of 3 recordings could be read"):
        evaluate(folder, specs[1:], workers=1)


def test_two_models_of_one_name(corpus: Path, specs: list[SystemSpec]) -> None:
    with pytest.raises(BabycryError, match=r"two models are called alone"):
        evaluate(corpus, [specs[1], specs[1]])
    with pytest.raises(BabycryError, match="no model"):
        evaluate(corpus, [])


def test_results_of_another_model_are_refused(
    corpus: Path, specs: list[SystemSpec], expected: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    evaluate(corpus, specs[1:], tmp_path, workers=1, shard_minutes=SHARD_MINUTES)
    before = results_in(tmp_path)
    with pytest.raises(BabycryError, match="results of other models: give another results folder"):
        evaluate(corpus, specs, tmp_path, workers=1, shard_minutes=SHARD_MINUTES)
    assert results_in(tmp_path) == before


def test_synthesised_corpus_repeats_and_marks_its_cries(corpus: Path, tmp_path: Path) -> None:
    synthesise(tmp_path / "again", SHAPE)
    recordings = find_recordings(corpus)
    assert [item.label for item in recordings] == ["cry"] * 4 + ["other", "cry"]
    assert recordings[4].events == ()
    for item in recordings:
        samples, rate = read_audio(item.path)
        again, _ = read_audio(tmp_path / "again" / item.name)
        assert np.array_equal(samples, again)
        assert len(samples) == SHAPE.seconds * rate
        outside = np.ones(len(samples), bool)
        for start, end in item.events or ():
            outside[int(start * rate) : int(end * rate)] = False
        if item.label == "cry":
            assert np.abs(samples[outside]).max() < 0.01 < np.abs(samples[~outside]).max()
    with (corpus / "manifest.csv").open() as file:
        assert len(list(csv.DictReader(file))) == SHAPE.count


def test_synthesise_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--hours", "0.002", "--recordings", "2", "--format", "wav"]
    assert synthesise_module.main([str(tmp_path / "out"), *options]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out' / 'manifest.csv'}\n"
    assert soundfile.info(tmp_path / "out" / "night-0001.wav").duration == pytest.approx(3.6)
    assert synthesise_module.main([str(tmp_path / "x"), "--recordings", "0"]) == 2
    (tmp_path / "file").write_bytes(b"")
    assert synthesise_module.main([str(tmp_path / "file"), *options]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def run_program(corpus: Path, out: Path, workers: int, shard_minutes: float) -> subprocess.Popen:
    command = [sys.executable, corpus_program.__file__, corpus, out, workers, shard_minutes]
    return subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen) -> dict[str, Any]:
    out, err = process.communicate(timeout=1800)
    assert process.returncode == 0, err
    result: dict[str, Any] = json.loads(out)
    return result


def wait_for_shards(process: subprocess.Popen, out: Path, count: int) -> None:
    end = time.monotonic() + 300.0
    while len(list(out.glob("*.parquet"))) < count:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)


def workers_of(process: subprocess.Popen) -> list[int]:
    """The processes that work on shards, and the one that Python starts beside them."""
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


@pytest.fixture(scope="module")
def long_corpora(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """One hour and ten, in recordings of ten minutes and in one piece."""
    base = tmp_path_factory.mktemp("long")
    shapes = {
        "1 h": CorpusShape(6, 600.0),
        "10 h": CorpusShape(60, 600.0),
        "1 h in one": CorpusShape(1, 3600.0),
        "10 h in one": CorpusShape(1, 36000.0),
    }
    for name, shape in shapes.items():
        synthesise(base / name, shape)
    yield {name: base / name for name in shapes}
    shutil.rmtree(base)


@pytest.mark.full
def test_ten_hours_in_constant_memory_and_faster_than_200_times_real_time(
    long_corpora: dict[str, Path], tmp_path: Path
) -> None:
    found = {}
    for name, corpus in long_corpora.items():
        started = time.monotonic()
        found[name] = finish(run_program(corpus, tmp_path / name, 2, 30.0))
        wall = time.monotonic() - started
        hours = found[name]["records"][0]["data"]["hours"]
        size = sum(path.stat().st_size for path in (tmp_path / name).iterdir())
        print(
            f"{name}: {wall:.1f} s, {3600 * hours / wall:.0f} times real time, workers "
            f"{found[name]['worker_cpu_s']:.1f} s of processor, peak of a worker "
            f"{found[name]['worker_peak'] / MIB:.1f} MiB, of the parent "
            f"{found[name]['parent_peak'] / MIB:.1f} MiB, results {size} bytes"
        )
    for short, long in (("1 h", "10 h"), ("1 h in one", "10 h in one")):
        assert found[long]["worker_peak"] - found[short]["worker_peak"] < 16 * MIB
        assert found[long]["parent_peak"] - found[short]["parent_peak"] < 64 * MIB
        # processor time, so that a busy machine does not fail the test
        assert 36000.0 / (found[long]["worker_cpu_s"] / 2) > 200.0


@pytest.mark.full
def test_ten_hours_killed_at_any_point_end_with_the_same_figures(
    long_corpora: dict[str, Path], tmp_path: Path
) -> None:
    corpus = long_corpora["10 h"]
    whole = finish(run_program(corpus, tmp_path / "whole", 2, 10.0))["records"]
    rng = random.Random(7)
    out = tmp_path / "out"
    finished: list[int] = []
    for round_ in range(12):
        process = run_program(corpus, out, 2, 10.0)
        wait_for_shards(process, out, len(results_in(out)) + rng.randrange(4))
        time.sleep(rng.uniform(0.0, 1.0))
        workers = workers_of(process)
        if round_ % 2 and workers:
            os.kill(rng.choice(workers), signal.SIGKILL)  # one of them; the rest goes on
            wait_for_shards(process, out, len(results_in(out)) + rng.randrange(3))
        process.kill()
        process.communicate()
        finished.append(len(results_in(out)))
    assert finished == sorted(finished)
    assert 10 < finished[-1] < 60
    print("shards after each kill:", finished)
    assert finish(run_program(corpus, out, 2, 10.0))["records"] == whole
    assert results_in(out) == results_in(tmp_path / "whole")
    assert not list(out.glob(".*.part"))


@pytest.mark.full
def test_shards_that_outgrow_the_disk_are_one_error_and_then_finished(
    long_corpora: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    limit = 10_000  # of a file; a shard has more
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        process = run_program(long_corpora["1 h"], out, 2, 10.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    error = process.communicate()[1]
    assert process.returncode == 1
    assert error.rstrip().endswith("make space and run again, finished shards are kept")
    assert results_in(out) == {}
    whole = finish(run_program(long_corpora["1 h"], tmp_path / "whole", 2, 10.0))
    assert finish(run_program(long_corpora["1 h"], out, 2, 10.0))["records"] == whole["records"]
