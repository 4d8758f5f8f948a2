"""The bench program for Linux without Python: its record, its bits, its faults, its bundle."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from babycry_bench.clips import load_clips
from babycry_bench.fnv1a import fnv1a
from babycry_bench.ingest import read_record
from babycry_bench.linux.build import TARGETS, build_bundle, target_for_machine
from babycry_bench.linux.bundle import PROGRAM, read_bundle
from babycry_bench.linux.c_sources import c_sources
from babycry_bench.linux.data import expected_hashes, write_data
from babycry_bench.linux.emulated import MACHINES, counted_stages, run_static
from babycry_bench.parity.profiles import PROFILES
from babycry_bench.schema.validate import check
from babycry_bench.timing.confidence import median_interval
from babycry_bench.timing.stage_record import stage_record
from babycry_edge.config import profile_names
from babycry_edge.errors import BabycryError
from babycry_edge.models import bundled
from static_bundles import bundle_for, require_commands

ROOT = Path(__file__).resolve().parent.parent
HERE = target_for_machine(os.uname().machine)


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The static program of this machine."""
    if HERE is None or HERE.name != "x86-64":
        pytest.skip("runs here on x86-64 only")
    return bundle_for("x86-64", tmp_path_factory) / PROGRAM


def run(program: Path, *arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, cwd=cwd, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_the_record_fits_the_schema_and_covers_every_profile(program: Path) -> None:
    status, output, said = run(program, "--rounds=1", "--block-ms=1", "--min-calls=1")
    assert status == 0, said
    record = check(json.loads(output), "the program")
    assert record["target"] == "x86-64"
    assert record["machine"]["kind"] == "machine"
    assert record["machine"]["architecture"] == os.uname().machine
    stages = {(stage["stage"], stage["profile"]) for stage in record["stages"]}
    wanted = {("capture", None), ("resample", None), ("pipeline", "babycry")}
    for profile in ("babycry", "librosa", "yamnet"):
        wanted |= {(f"frontend_{part}", profile) for part in ("hop", "window", "clip")}
        wanted |= {(f"frontend_{part}", f"{profile} (integer)") for part in ("hop", "clip")}
    assert stages == wanted
    assert {stage["clock"] for stage in record["stages"]} == {"wall"}
    hashes = {row["profile"]: row for row in record["parity"]["feature_hashes"]["profiles"]}
    streams = {row["profile"]: row for row in record["parity"]["streaming"]["profiles"]}
    integer = {name for name in hashes if name.endswith("(integer)")}
    assert hashes.keys() == set(profile_names()) | integer | {"resample", "pipeline"}
    assert streams.keys() == set(profile_names()) | integer
    assert "babycry (integer)" in integer
    assert all(not row["mismatches"] for row in (*hashes.values(), *streams.values()))
    assert all(row["clips"] == len(load_clips()) for row in streams.values())
    assert record["memory"]["peak_rss_bytes"] > 1 << 20
    (model,) = record["models"]
    assert model["sha256"] == hashlib.sha256(Path(bundled("cry.tflite")).read_bytes()).hexdigest()


def test_figures_are_those_of_the_python_bench(program: Path, tmp_path: Path) -> None:
    """The same calls through this package's own arithmetic give the same record."""
    arguments = ["--rounds=7", "--block-ms=2", "--min-calls=5", "--stage=frontend_window"]
    status, output, said = run(program, *arguments, f"--calls={tmp_path / 'calls'}")
    assert status == 0, said
    rows = [line.split("\t") for line in (tmp_path / "calls").read_text().splitlines()]
    for stage in json.loads(output)["stages"]:
        own = [row for row in rows if row[1] == stage["profile"]]
        expected = stage_record(
            [float(row[4]) for row in own],
            clock="wall",
            stage="frontend_window",
            profile=stage["profile"],
            audio_s=[float(row[3]) for row in own],
            warmup=14,
            rounds=stage["rounds"],
            p50_interval=median_interval(stage["rounds"]),
        )
        share = stage.pop("cpu_share")
        expected.pop("cpu_share")
        assert share > 0
        assert_close(stage, expected)
        assert stage["p50_interval"] is not None


def assert_close(found: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_close(found[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for left, right in zip(found, expected, strict=True):
            assert_close(left, right)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-12)
    else:
        assert found == expected


def test_other_bits_are_found_and_named(program: Path, tmp_path: Path) -> None:
    """One bit of one sample of one clip inside the program is another."""
    clip = load_clips()[5]
    content = program.read_bytes()
    at = content.index(clip.samples.astype("<i2").tobytes()) + 100_000
    changed = tmp_path / PROGRAM
    changed.write_bytes(content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1 :])
    changed.chmod(0o755)
    status, output, said = run(changed, "--rounds=1", "--block-ms=1", "--profile=babycry")
    assert status == 1
    assert "frontend_clip babycry: other bits than there must be" in said
    record = json.loads(output)
    rows = record["parity"]["feature_hashes"]["profiles"]
    wrong = {row["profile"]: row["mismatched_clips"] for row in rows}
    by_each = [f"{clip.name} ({isa})" for isa in record["build"]["instruction_sets"]]
    assert wrong == {"babycry": by_each, "pipeline": [clip.name]}
    assert all(not row["mismatches"] for row in record["parity"]["streaming"]["profiles"])


def test_the_record_is_written_whole_or_not_at_all(program: Path, tmp_path: Path) -> None:
    """A limit on the file's size stands for a full disk; room is taken before the work."""

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    began = time.monotonic()
    done = subprocess.run(
        [str(program), "--json=r.json", "--rounds=1000"],
        cwd=tmp_path,
        preexec_fn=little_room,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "r.json: cannot be written: File too large" in done.stderr
    assert time.monotonic() - began < 20
    assert list(tmp_path.iterdir()) == []
    status, _, said = run(program, "--json=absent/r.json", cwd=tmp_path)
    assert status == 2 and "absent/r.json: cannot be written" in said
    (tmp_path / "r.json").write_text("older")
    status, output, said = run(program, "--json=r.json", "--quick", "--stage=capture", cwd=tmp_path)
    assert (status, output) == (0, ""), said
    assert read_record(tmp_path / "r.json")["stages"][0]["stage"] == "capture"
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_takes_the_unfinished_file_with_it(
    program: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen([str(program), "--json=r.json", "--rounds=1000"], cwd=tmp_path)
    end = time.monotonic() + 20
    while not (tmp_path / "r.json.part").exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert (tmp_path / "r.json.part").exists()
    process.send_signal(number)
    assert process.wait(20) == 128 + number
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rounds=0"],
        ["--rounds=x"],
        ["--rounds=-1"],
        ["--rounds=99999999999999999999"],
        ["--block-ms"],
        ["--json="],
        ["--nonsense"],
        ["file"],
        ["--stage=nonsense"],
        ["--core=1023"],
    ],
)
def test_wrong_options(program: Path, arguments: list[str]) -> None:
    status, output, said = run(program, *arguments)
    assert (status, output) == (2, "")
    assert said.startswith("babycry-bench: ") and said.count("\n") == 1


def test_odd_names_are_escaped(program: Path) -> None:
    name = 'a "b" \\ \x01 \u00e9 \U0001f600'
    arguments = [f"--target={name}".encode() + b"\xff\xc0\xaf\xed\xa0\x80"]
    done = subprocess.run(
        [str(program), "--quick", "--stage=capture", *arguments], capture_output=True, check=True
    )
    assert json.loads(done.stdout)["target"] == name + "??????"


def test_a_model_that_is_another_file_is_warned_of(program: Path, tmp_path: Path) -> None:
    shutil.copy(program, tmp_path / PROGRAM)
    (tmp_path / "cry.tflite").write_bytes(b"another")
    _, output, _ = run(tmp_path / PROGRAM, "--quick", "--stage=capture")
    assert any("another file than" in line for line in json.loads(output)["warnings"])


def test_a_bundle_says_what_it_is_and_is_not_taken_when_damaged(
    program: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(program.parent, folder)
    bundle = read_bundle(folder)
    assert bundle.target == "x86-64"
    assert set(bundle.files) == {PROGRAM, "cry.tflite", "README.txt"}
    assert os.access(folder / PROGRAM, os.X_OK)
    (folder / "cry.tflite").write_bytes(b"another")
    with pytest.raises(BabycryError, match=r"cry.tflite is not the file that was built: make it"):
        read_bundle(folder)
    (folder / "cry.tflite").unlink()
    with pytest.raises(BabycryError, match=r"cry.tflite: No such file"):
        read_bundle(folder)
    for content in (b"", b"[]", b'{"format": 1}', b"[" * 100_000, b'{"format": 9}'):
        (folder / "bundle.json").write_bytes(content)
        with pytest.raises(BabycryError, match="make it anew"):
            read_bundle(folder)
    manifest = json.loads((program.parent / "bundle.json").read_text())
    manifest["files"]["../escape"] = "0"
    (folder / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BabycryError, match="damaged"):
        read_bundle(folder)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BabycryError, match="not empty, and no bundle: choose a new folder"):
        build_bundle("aarch64", tmp_path)
    with pytest.raises(BabycryError, match="does not exist"):
        build_bundle("aarch64", tmp_path / "a/b")
    with pytest.raises(BabycryError, match="a file is in the way"):
        build_bundle("aarch64", tmp_path / "thesis.txt")
    with pytest.raises(BabycryError, match=r"--build mips: unknown: choose from aarch64"):
        build_bundle("mips", tmp_path / "new")


def test_a_missing_compiler_is_named_with_both_mends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    words = "no compiler for riscv64 here: pip install ziglang, or apt-get install gcc-riscv64"
    with pytest.raises(BabycryError, match=words):
        build_bundle("riscv64", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    require_commands("cmake", "gcc")
    source = tmp_path / "source"
    shutil.copytree(c_sources() / "csrc", source / "csrc")
    shutil.copy(c_sources() / "CMakeLists.txt", source)
    (source / "csrc/frontend/bc_frame.c").write_text("#error out of order\n")
    with pytest.raises(BabycryError, match=r"the build for x86-64: .*out of order") as told:
        build_bundle("x86-64", tmp_path / "new", compiler="gcc", source=source)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "new").exists()


def test_hashes_of_many_strings_at_once() -> None:
    def one(data: bytes) -> int:
        value = 0xCBF29CE484222325
        for byte in data:
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
        return value

    generator = np.random.default_rng(1)
    strings = [generator.bytes(n) for n in (0, 1, 5000, 4096, 4097, 3, 0, 9000)]
    assert fnv1a(strings) == [one(data) for data in strings]
    assert fnv1a([]) == []


def test_every_profile_has_a_hash_of_every_clip() -> None:
    clips = load_clips()
    found = {(item.what, item.clip): item.value for item in expected_hashes(clips)}
    for profile in (*PROFILES, "babycry (integer)", "pipeline"):
        assert all((profile, clip.name) in found for clip in clips)
    assert len(set(found.values())) > len(found) / 2  # profiles may be alike, clips are not


@pytest.mark.parametrize("name", ["aarch64-a53", "armv7-a7"])
def test_bits_and_instructions_on_an_emulated_core(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    machine = MACHINES[name]
    require_commands(machine.emulator, "gcc")
    bundle = bundle_for(machine.build, tmp_path_factory)
    record = run_static(name, bundle, arguments=["--profile=babycry"])
    assert record["target"] == f"{name}-static"
    assert record["machine"]["kind"] == "emulated process"
    assert record["machine"]["cpu"] == machine.core
    assert "qemu" in record["machine"]["emulator"]
    stages = {stage["stage"]: stage for stage in record["stages"]}
    assert stages.keys() == {"frontend_hop", "frontend_window", "frontend_clip", "pipeline"}
    for stage in stages.values():
        assert stage["clock"] == "instructions (emulated)"
        assert stage["real_time_factor"] is None and stage["p50_interval"] is None
    hop, clip = stages["frontend_hop"], stages["frontend_clip"]
    assert 5_000 < hop["p50"] < 60_000
    assert hop["quantiles"][1] == pytest.approx(hop["p50"], rel=0.05)  # no time: nothing wanders
    n_hops = clip["audio_s"] / hop["audio_s"]
    assert n_hops * 1_000 < clip["p50"] < 1.2 * n_hops * hop["p50"]
    for part in ("feature_hashes", "streaming"):
        assert all(not row["mismatches"] for row in record["parity"][part]["profiles"])
    as_text = json.dumps(record)
    assert '"wall"' not in as_text and '"ms"' not in as_text


def test_a_program_in_an_emulator_refuses_to_tell_time(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    machine = MACHINES["aarch64-a53"]
    require_commands(machine.emulator)
    program = bundle_for("aarch64", tmp_path_factory) / PROGRAM
    done = subprocess.run(
        [machine.emulator, str(program)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "this is an emulator, whose time means nothing" in done.stderr


def test_a_bundle_for_another_core_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    require_commands("qemu-arm", "gcc")
    bundle = bundle_for("aarch64", tmp_path_factory)
    with pytest.raises(BabycryError, match=r"is for aarch64, armv7-a7 is armv7: .*--build armv7"):
        run_static("armv7-a7", bundle)
    with pytest.raises(BabycryError, match="no such emulated machine: choose from aarch64-a53"):
        run_static("z80")


def test_marks_become_counts_of_calls() -> None:
    log = "mark 100\nmark 350\nbench_mark 9\nmark 400\nmark 700\nmark 800\nmark 801\ntotal 5\n"
    calls = "capture\t\t\t0.01\t\ncapture\t\t\t0.01\t\nnetwork\t\tcry.tflite\t0.5\t\n"
    capture, network = counted_stages(log, calls, "test")
    assert (capture["p50"], capture["max"], capture["count"]) == (275.0, 300.0, 2)
    assert (network["model"], network["p50"], network["audio_s"]) == ("cry.tflite", 1.0, 0.5)
    with pytest.raises(BabycryError, match="6 marks for 1 calls"):
        counted_stages(log, "capture\t\t\t0.01\t\n", "test")


@pytest.mark.full
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_zig_builds_every_target(target: str, tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    require_commands("cmake")
    program = build_bundle(target, tmp_path / target, compiler="zig")
    emulators = {"aarch64": "qemu-aarch64", "armv7": "qemu-arm", "riscv64": "qemu-riscv64"}
    command = [*([emulators[target]] if target in emulators else []), str(program)]
    require_commands(command[0])
    options = ["--clock=instructions", "--max-calls=2", "--min-calls=1"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "musl" in read_bundle(tmp_path / target).compiler


@pytest.mark.parametrize("compiler", ["gcc", pytest.param("clang", marks=pytest.mark.full)])
def test_no_warnings_and_no_undefined_behaviour(compiler: str, tmp_path: Path) -> None:
    require_commands("cmake", compiler)
    (tmp_path / "data").mkdir()
    write_data(tmp_path / "data")
    options = [
        "-DBABYCRY_PORTS=ON",
        "-DBABYCRY_WERROR=ON",
        "-DBABYCRY_SIMD=OFF",
        f"-DCMAKE_C_COMPILER={compiler}",
        f"-DBABYCRY_BENCH_DATA={tmp_path / 'data'}",
        "-DBABYCRY_SANITIZE=address,undefined",
    ]
    build = tmp_path / "build"
    subprocess.run(
        ["cmake", "-S", ROOT, "-B", build, *options], check=True, stdout=subprocess.DEVNULL
    )
    made = subprocess.run(
        ["cmake", "--build", build, "--target", PROGRAM, "-j2"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    program = build / "csrc/ports/bench" / PROGRAM
    options = ["--rounds=6", "--block-ms=1", "--min-calls=1", "--max-calls=3"]
    status, _, said = run(program, *options, f"--json={tmp_path / 'r.json'}")
    assert status == 0, said
    read_record(tmp_path / "r.json")
