"""Wheels for ARM Linux: their format, what they ask of a system, and that they run under qemu."""

from __future__ import annotations

import base64
import email
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from babycry_bench.arm import debian_mirror
from babycry_bench.arm import wheel as arm_wheel
from babycry_bench.arm.linux import ARM64, ARMHF, SYSTEMS, ArmLinux
from babycry_bench.arm.python import (
    COUNTED_CLIP,
    EMULATED,
    Process,
    compare_scores,
    open_here,
    run_python,
    stages_from,
    write_job,
)
from babycry_bench.arm.root import install_wheels, make_root
from babycry_bench.arm.wheel_file import core_metadata, packed, read_pyproject, wheel_metadata
from babycry_bench.clips import load_clips
from babycry_bench.run_tool import run_tool
from babycry_bench.schema.validate import check
from babycry_edge.errors import BabycryError
from babycry_edge.models import NAMES, bundled

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/emulated/arm"  # as the bench's own, so that roots are made once
MACHINES = sorted(SYSTEMS)

# ELF: machine numbers, and the flag of hard-float calls on 32-bit ARM
ELF_MACHINE = {"aarch64": 183, "armv7l": 40}
ELF_HARD_FLOAT = 0x400

# Linux's uapi/asm/hwcap.h
HWCAP_AARCH64 = {
    "fp": 0,
    "asimd": 1,
    "evtstrm": 2,
    "aes": 3,
    "pmull": 4,
    "sha1": 5,
    "sha2": 6,
    "crc32": 7,
    "atomics": 8,
    "fphp": 9,
    "asimdhp": 10,
    "cpuid": 11,
    "asimdrdm": 12,
    "lrcpc": 15,
    "dcpop": 16,
    "asimddp": 20,
    "ssbs": 28,
}
HWCAP_ARM = {
    "half": 1,
    "thumb": 2,
    "fastmult": 4,
    "vfp": 6,
    "edsp": 7,
    "neon": 12,
    "vfpv3": 13,
    "tls": 15,
    "vfpv4": 16,
    "idiva": 17,
    "idivt": 18,
    "vfpd32": 19,
    "lpae": 20,
}


def require(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing and os.environ.get("BABYCRY_REQUIRE_CROSS"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def cross_gcc(system: ArmLinux) -> str:
    require("cmake", f"{system.triplet}-gcc")
    return f"{system.triplet}-gcc"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel for each machine, without that machine's Python.h."""
    folder = tmp_path_factory.mktemp("wheels")
    for system in SYSTEMS.values():
        cross_gcc(system)
    return {name: arm_wheel.build_wheel(SYSTEMS[name], ROOT, folder) for name in MACHINES}


@pytest.mark.parametrize("machine", MACHINES)
def test_wheel_says_what_it_runs_on(wheels: dict[str, Path], machine: str) -> None:
    tags = f"manylinux_2_17_{machine}.manylinux2014_{machine}"
    assert wheels[machine].name == f"babycry_edge-0.1.0-py3-none-{tags}.whl"


@pytest.mark.parametrize("machine", MACHINES)
def test_wheel_holds_a_library_of_that_machine(wheels: dict[str, Path], machine: str) -> None:
    with zipfile.ZipFile(wheels[machine]) as archive:
        names = [name for name in archive.namelist() if name.endswith(".so")]
        assert names == ["babycry_edge/_libbabycry.so"]
        elf = archive.read(names[0])
    assert elf[:4] == b"\x7fELF"
    assert struct.unpack_from("<H", elf, 18)[0] == ELF_MACHINE[machine]
    if machine == "armv7l":
        assert struct.unpack_from("<I", elf, 36)[0] & ELF_HARD_FLOAT


@pytest.mark.parametrize("machine", MACHINES)
def test_record_has_every_file_with_its_hash(wheels: dict[str, Path], machine: str) -> None:
    with zipfile.ZipFile(wheels[machine]) as archive:
        assert archive.testzip() is None
        contents = {name: archive.read(name) for name in archive.namelist()}
    (record,) = [name for name in contents if name.endswith(".dist-info/RECORD")]
    rows = [line.rsplit(",", 2) for line in contents[record].decode().splitlines()]
    assert sorted(name for name, _, _ in rows) == sorted(contents)
    for name, digest, size in rows:
        if name == record:
            assert (digest, size) == ("", "")
            continue
        sha256 = base64.urlsafe_b64encode(hashlib.sha256(contents[name]).digest()).decode()
        assert digest == f"sha256={sha256.rstrip('=')}"
        assert int(size) == len(contents[name])


@pytest.mark.parametrize("machine", MACHINES)
def test_pip_installs_the_wheel_for_that_machine(
    wheels: dict[str, Path], machine: str, tmp_path: Path
) -> None:
    install_wheels([wheels[machine]], SYSTEMS[machine], tmp_path)
    (found,) = importlib.metadata.distributions(path=[str(tmp_path)])
    assert '"compiler": "GNU ' in (tmp_path / "babycry_edge/_build.json").read_text()
    assert found.metadata["Name"] == "babycry-edge"
    assert {entry.name for entry in found.entry_points} == {"babycry-edge", "bench", "convert"}
    assert (tmp_path / "babycry_bench/expected.json").is_file()
    assert (tmp_path / "babycry_convert/recipes").is_dir()


def test_pip_refuses_the_wheel_of_another_machine(wheels: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match=r"wheels for aarch64: .*not a supported wheel"):
        install_wheels([wheels["armv7l"]], ARM64, tmp_path)


def test_wheel_has_the_files_and_the_metadata_of_an_ordinary_build(
    wheels: dict[str, Path],
) -> None:
    """Beside scikit-build-core's own: the package that the tests run in."""
    installed = importlib.metadata.distribution("babycry-edge")
    text = installed.read_text("METADATA")
    with zipfile.ZipFile(wheels["aarch64"]) as archive:
        ours = email.message_from_bytes(archive.read("babycry_edge-0.1.0.dist-info/METADATA"))
        names = {name for name in archive.namelist() if not name.endswith(".so")}
    theirs = email.message_from_string(text or "")
    for field in ("Name", "Version", "Summary", "License-Expression", "Requires-Python"):
        assert ours[field] == theirs[field]
    for field in ("Classifier", "Provides-Extra", "License-File"):
        assert sorted(ours.get_all(field, [])) == sorted(theirs.get_all(field, []))
    assert ours.get_payload().strip() == theirs.get_payload().strip()
    assert {"babycry_edge/binding.py", "babycry_edge/models/cry.onnx"} <= names
    assert not any("__pycache__" in name or name == "babycry_edge/_ffi.c" for name in names)


def test_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    cross_gcc(ARM64)
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "build", ".git", ".venv*", "tests")
    made = []
    for place in ("a place", "another place"):
        shutil.copytree(ROOT, tmp_path / place, ignore=ignored)
        made.append(arm_wheel.build_wheel(ARM64, tmp_path / place, tmp_path / f"{place} wheel"))
    assert made[0].read_bytes() == made[1].read_bytes()


def test_command_for_developers(tmp_path: Path) -> None:
    cross_gcc(ARM64)
    command = [sys.executable, "-m", "babycry_bench.arm.wheel", "aarch64", "-o", str(tmp_path)]
    done = subprocess.run(
        [*command, "--source", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pyproject.toml" in done.stderr


def compiled(system: ArmLinux, folder: Path, code: str, *options: str) -> Path:
    source, library = folder / "part.c", folder / "part.so"
    source.write_text(code)
    command = [cross_gcc(system), "-shared", "-fPIC", "-o", library, source, *options]
    run_tool("part.c", command, limit_s=60)
    return library


def test_newer_glibc_raises_the_level(tmp_path: Path) -> None:
    code = "#include <stdlib.h>\nunsigned f(void) { return arc4random(); }\n"
    library = compiled(ARM64, tmp_path, code)
    assert arm_wheel.needs_of(library, ARM64) == ((2, 36), ("libc.so.6",))
    extension = arm_wheel.Extension("_ffi.abi3.so", {}, (2, 36), ())
    assert arm_wheel.wheel_tag(extension, ARM64) == "cp310-abi3-manylinux_2_36_aarch64"


def test_library_that_not_every_linux_has_is_refused(tmp_path: Path) -> None:
    options = ("-Wl,--no-as-needed", "-lresolv")
    library = compiled(ARMHF, tmp_path, "int x;\n", *options)
    with pytest.raises(BabycryError, match=r"needs libresolv\.so\.2, which not every Linux has"):
        arm_wheel.needs_of(library, ARMHF)


def test_headers_without_python_h_are_refused(tmp_path: Path) -> None:
    cross_gcc(ARM64)
    with pytest.raises(BabycryError, match=r"holds no Python\.h"):
        arm_wheel.build_extension(ARM64, ROOT, tmp_path)


def test_failed_build_is_one_line(tmp_path: Path) -> None:
    cross_gcc(ARM64)
    (tmp_path / "csrc/toolchains").mkdir(parents=True)
    toolchain = "csrc/toolchains/aarch64-linux-gnu.cmake"
    shutil.copy(ROOT / toolchain, tmp_path / toolchain)
    with pytest.raises(BabycryError) as raised:
        arm_wheel.build_extension(ARM64, tmp_path, None)
    assert str(raised.value).startswith("the cross build for aarch64: cmake ended with 1: ")
    assert "\n" not in str(raised.value)


def test_markers_of_extras_keep_their_meaning() -> None:
    project = {
        "name": "n",
        "description": "d",
        "license": "Apache-2.0",
        "license-files": [],
        "classifiers": [],
        "requires-python": ">=3.10",
        "dependencies": ["numpy>=1.22"],
        "optional-dependencies": {"x": ["a", "b>1; c == 'd'", "e; f == 'g' or h == 'i'"]},
    }
    text = core_metadata({"project": project}, "1.0", "Read me.\n")
    lines = [line for line in text.splitlines() if line.startswith("Requires-Dist")]
    assert lines == [
        "Requires-Dist: numpy>=1.22",
        'Requires-Dist: a; extra == "x"',
        "Requires-Dist: b>1; c == 'd' and extra == \"x\"",
        "Requires-Dist: e; (f == 'g' or h == 'i') and extra == \"x\"",
    ]


def test_order_of_files_does_not_matter() -> None:
    files = {"b.py": b"2", "a.so": b"1", "n.dist-info/WHEEL": b"3"}
    backwards = dict(reversed(files.items()))
    assert packed(files, "n.dist-info") == packed(backwards, "n.dist-info")
    assert packed(files, "n.dist-info") != packed({**files, "b.py": b"3"}, "n.dist-info")


def test_compressed_tags_are_written_out() -> None:
    assert wheel_metadata("cp310-abi3-one.two").splitlines()[-2:] == [
        "Tag: cp310-abi3-one",
        "Tag: cp310-abi3-two",
    ]


# The mirror


ONE_LINE = """\
# deb http://commented.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://other.example/apt bookworm stable
deb [arch=amd64] http://mirror.example/debian bookworm main contrib
"""
DEB822 = """\
Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

# ours
Types: deb deb-src
URIs: https://mirror.example/debian
Suites: bookworm
  bookworm-updates
Components: main
"""


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("sources.list", ONE_LINE, "http://mirror.example/debian"),
        ("sources.list.d/debian.sources", DEB822, "https://mirror.example/debian"),
    ],
)
def test_mirror_is_that_of_the_release_itself(
    tmp_path: Path, name: str, content: str, expected: str
) -> None:
    release = tmp_path / "os-release"
    release.write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    assert debian_mirror.debian_mirror(tmp_path, release) == expected


def test_no_mirror_and_no_debian_are_said(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text("ID=debian\nVERSION_CODENAME=bookworm\n")
    with pytest.raises(BabycryError, match="no source has bookworm main"):
        debian_mirror.debian_mirror(tmp_path, release)
    release.write_text('ID=fedora\nPRETTY_NAME="Fedora 44"\n')
    with pytest.raises(BabycryError, match=r"this is Fedora 44: run in a Debian container"):
        debian_mirror.debian_mirror(tmp_path, release)


# What is made of the probe's answers


def test_instructions_between_marks() -> None:
    works = [
        {"model": "m", "stage": "frontend_window", "audio_s": [1.0, 1.0]},
        {"model": "m", "stage": "network", "audio_s": [0.5, 0.5]},
    ]
    mark, at, marks = 7, 1000, []
    for spent in (0, 0, 0, 0, 0, 0, 500, 100, 40, 110, 90, 900, 60, 910):
        at += mark + spent  # what was done before this mark
        marks.append(at)
    frontend, network = stages_from({"calls": 2, "works": works}, marks)
    assert (frontend["p50"], frontend["max"]) == (105.0, 110.0)
    assert (network["p50"], network["max"]) == (905.0, 910.0)
    assert frontend["clock"] == "instructions (emulated)"
    assert frontend["real_time_factor"] is None
    with pytest.raises(BabycryError, match="13 marks of 14"):
        stages_from({"calls": 2, "works": works}, marks[1:])


def test_scores_that_differ_are_counted() -> None:
    theirs = {"a": [0.1, 0.2], "b": [0.3]}
    same = compare_scores("m", "e", {"a": [0.1, 0.2], "b": [0.3]}, theirs)
    assert (same["windows"], same["mismatches"], same["max_difference"]) == (3, 0, 0.0)
    other = compare_scores("m", "e", {"a": [0.1, 0.25], "b": [0.3]}, theirs)
    assert other["mismatches"] == 1
    assert other["max_difference"] == pytest.approx(0.05)
    short = compare_scores("m", "e", {"a": [0.1], "b": [0.3]}, theirs)
    assert (short["mismatches"], short["max_difference"]) == (2, 1.0)


def test_unknown_system_and_model_without_engine_are_said(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match=r"'avr': choose from aarch64-a53, aarch64-a76, armv7"):
        run_python("avr", ROOT, tmp_path)
    with pytest.raises(BabycryError, match=r"cry\.onnx left out: there is no engine for it on arm"):
        open_here(EMULATED["armv7-a7"], [bundled("cry.onnx")])


def test_tool_that_fails_or_hangs_is_one_line(tmp_path: Path) -> None:
    script = "import sys; print('E: first'); print('more'); sys.exit(3)"
    with pytest.raises(BabycryError, match=r"^it: python\S* ended with 3: E: first$"):
        run_tool("it", [sys.executable, "-c", script], limit_s=60)
    with pytest.raises(BabycryError, match=r"took longer than 0\.2 s"):
        run_tool("it", [sys.executable, "-c", "import time; time.sleep(60)"], limit_s=0.2)
    with pytest.raises(BabycryError, match="No such file"):
        run_tool("it", [tmp_path / "absent"], limit_s=1)


def test_pins_are_those_of_this_machine() -> None:
    """Scores are compared with this machine's engines: of the same release, when pinned at all."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    constraints = dict(line.partition(";")[0].strip().split("==") for line in lines if "==" in line)
    for pin in ARM64.wheels:
        name, version = pin.split("==")
        assert constraints[name] == version
    tflite = read_pyproject(ROOT)["project"]["optional-dependencies"]["tflite"]
    assert any(one.startswith(f"{ARMHF.wheels[0]};") for one in tflite)


# Releases


def test_cibuildwheel_makes_a_wheel_for_every_platform() -> None:
    if importlib.util.find_spec("cibuildwheel") is None:
        if os.environ.get("BABYCRY_REQUIRE_CROSS"):
            pytest.fail("not installed: cibuildwheel")
        pytest.skip("cibuildwheel is not installed")
    command = [sys.executable, "-m", "cibuildwheel", "--platform", "linux"]
    done = subprocess.run(
        [*command, "--print-build-identifiers", str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {
        f"{python}-{libc}_{machine}"
        for python in ("cp310", "cp314")
        for libc in ("manylinux", "musllinux")
        for machine in ("x86_64", "aarch64", "armv7l", "riscv64")
    }


def test_cibuildwheel_s_schema_accepts_the_configuration() -> None:
    cibuildwheel = pytest.importorskip("cibuildwheel")
    jsonschema = pytest.importorskip("jsonschema")
    import json

    file = Path(cibuildwheel.__file__).parent / "resources/cibuildwheel.schema.json"
    configuration = read_pyproject(ROOT)["tool"]["cibuildwheel"]
    jsonschema.validate(configuration, json.loads(file.read_text()))
    assert configuration["test-command"] == "python -m babycry_bench.arm.wheel_smoke"


def test_smoke_test_of_releases_passes_here(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "babycry_bench.arm.wheel_smoke"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "bit for bit" in done.stdout


# Under qemu


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Process]]:
    """Python on every system, of a wheel with the compiled module; roots stay for the next run."""
    if not os.environ.get("BABYCRY_REQUIRE_CROSS"):
        pytest.skip("makes roots of other systems: set BABYCRY_REQUIRE_CROSS=1")
    made, folder = {}, tmp_path_factory.mktemp("modules")
    for name, emulated in EMULATED.items():
        system = emulated.system
        require(emulated.emulator, "mmdebstrap", "gcc", cross_gcc(system))
        root = make_root(system, BUILD)
        tags = f"manylinux_2_17_{system.machine}.manylinux2014_{system.machine}"
        wheel = folder / f"babycry_edge-0.1.0-cp310-abi3-{tags}.whl"
        if not wheel.exists():
            assert arm_wheel.build_wheel(system, ROOT, folder, root.headers) == wheel
        made[name] = Process.prepare(emulated, root, ROOT, BUILD / f"test-{name}", wheel)
    yield made
    for process in made.values():
        shutil.rmtree(process.folder, ignore_errors=True)


@pytest.mark.parametrize("name", list(EMULATED))
def test_wheel_gives_the_recorded_features_there(processes: dict[str, Process], name: str) -> None:
    process = processes[name]
    assert (process.folder / "project/babycry_edge/_ffi.abi3.so").is_file()
    output = process.python("smoke", "-m", "babycry_bench.arm.wheel_smoke")
    assert output.startswith(f"{process.emulated.system.machine} (") and "bit for bit" in output


@pytest.mark.parametrize("name", list(EMULATED))
def test_cpuinfo_agrees_with_the_emulated_processor(
    processes: dict[str, Process], name: str
) -> None:
    process = processes[name]
    code = (
        "import ctypes; f = ctypes.CDLL(None).getauxval; f.restype = ctypes.c_ulong;"
        "print(f(ctypes.c_ulong(16))); print(open('/proc/cpuinfo').read())"
    )
    first, text = process.python("cpuinfo", "-c", code).split("\n", 1)
    bits = HWCAP_ARM if process.emulated.system is ARMHF else HWCAP_AARCH64
    features = process.emulated.core.features.split()
    if "Debian" in text:
        pytest.skip("this qemu makes a cpuinfo of its own")
    assert f"Features\t: {' '.join(features)}\n" in text
    has = {feature for feature, bit in bits.items() if int(first) >> bit & 1}
    assert set(features) <= has, "the file promises what the processor lacks"
    assert not {"asimddp", "atomics", "neon", "asimd"} & (has - set(features))


@pytest.mark.full
@pytest.mark.parametrize("name", list(EMULATED))
def test_parity_is_exact_and_instructions_repeat(processes: dict[str, Process], name: str) -> None:
    record: dict[str, Any] = check(run_python(name, ROOT, BUILD, calls=5), name)
    parity = record["parity"]
    for part in ("feature_hashes", "streaming"):
        assert {one["mismatches"] for one in parity[part]["profiles"]} == {0}
    assert all(one["passed"] and one["features_equal"] for one in parity["golden"])
    assert [(one["windows"], one["mismatches"]) for one in parity["scores"]] == (
        [(141, 0)] * len(record["models"])
    )
    process = processes[name]
    opened, _ = open_here(process.emulated, [bundled(one) for one in NAMES])
    job = write_job(load_clips(), opened, process.emulated, process.folder)
    first, again = (process.count(job, COUNTED_CLIP, 5) for _ in range(2))
    assert [stage["stage"] for stage in first] == [stage["stage"] for stage in record["stages"]]
    for stage, other in zip(first, again, strict=True):
        # of one folder: addresses, and with them some hundreds of instructions, move with its name
        assert stage["p50"] == pytest.approx(other["p50"], rel=5e-4, abs=500), stage["stage"]
