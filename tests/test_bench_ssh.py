"""``bench --ssh``: copy, run and fetch over a real sshd, and what becomes of it when that fails."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from babycry_bench.linux.build import TARGETS, target_for_machine
from babycry_bench.linux.bundle import PROGRAM, Bundle, read_bundle
from babycry_bench.linux.remote import Limits, run_over_ssh
from babycry_bench.linux.ssh_client import SshHost
from babycry_edge.errors import BabycryError
from local_sshd import LocalSshd, local_sshd
from sample_report import emulated_linux
from static_bundles import bundle_for

HERE = target_for_machine(os.uname().machine)
QUICK = Limits(copy_s=60, run_s=60, reconnect_s=20)

# Runs until it is told to go on, then writes its record beside and renames it, as the real one.
WAITING_PROGRAM = """#!/bin/sh
echo run >>"$HOME/runs"
while [ ! -e "$HOME/go" ]; do sleep 0.1; done
cp "$HOME/made.json" record.json.part && mv record.json.part record.json
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalSshd]:
    if HERE is None:
        pytest.skip("no bundles for this machine")
    with local_sshd(tmp_path) as running:
        yield running


def made_record(target: str = "board") -> dict[str, Any]:
    return {**emulated_linux(), "target": target}


def make_bundle(folder: Path, program: str, target: str = "") -> Path:
    """A bundle with a shell script for a program."""
    folder.mkdir()
    content = program.encode()
    (folder / PROGRAM).write_bytes(content)
    files = {PROGRAM: hashlib.sha256(content).hexdigest()}
    assert HERE is not None
    bundle = Bundle(target or HERE.name, "sh", None, files)
    (folder / "bundle.json").write_bytes(bundle.to_json())
    return folder


@pytest.fixture
def waiting(server: LocalSshd, tmp_path: Path) -> Path:
    (server.home / "made.json").write_text(json.dumps(made_record()))
    return make_bundle(tmp_path / "waiting", WAITING_PROGRAM)


def wait_until(condition: Callable[[], bool], limit_s: float = 15.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def left_over(server: LocalSshd) -> list[str]:
    return sorted(path.name for path in server.home.glob(".babycry-bench/**/*"))


@pytest.mark.skipif(HERE is None or HERE.name != "x86-64", reason="built here for x86-64 only")
def test_copy_run_and_fetch_in_one_step(
    server: LocalSshd, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    bundle, saved, said = bundle_for("x86-64", tmp_path_factory), tmp_path / "r.json", []
    arguments = ["--quick", "--stage=frontend_hop", "--rounds=6"]
    record = run_over_ssh(
        server.host(),
        bundle,
        target="bench board",
        arguments=arguments,
        save=saved,
        say=said.append,
    )
    assert record["target"] == "bench board"
    assert {stage["stage"] for stage in record["stages"]} == {"frontend_hop"}
    assert all(stage["p50_interval"] for stage in record["stages"])
    assert all(not row["mismatches"] for row in record["parity"]["streaming"]["profiles"])
    assert [model["sha256"] for model in record["models"]] == [
        read_bundle(bundle).files["cry.tflite"]
    ]
    assert not any("not beside the program" in warning for warning in record["warnings"])
    assert json.loads(saved.read_text()) == record
    assert left_over(server) == []
    assert any("copying" in line for line in said)


def test_a_bundle_for_another_processor_is_refused_with_the_mend(
    server: LocalSshd, tmp_path: Path
) -> None:
    assert HERE is not None
    other = next(name for name in ("riscv64", "aarch64") if name != HERE.name)
    bundle = make_bundle(tmp_path / "other", WAITING_PROGRAM, other)
    with pytest.raises(BabycryError, match=rf"for {other}: babycry-edge bench --build {HERE.name}"):
        run_over_ssh(server.host(), bundle)
    assert left_over(server) == []


def test_a_connection_that_closes_in_mid_run_is_opened_again(
    server: LocalSshd, waiting: Path
) -> None:
    said: list[str] = []

    def fail_and_mend() -> None:
        wait_until((server.home / "runs").exists)
        server.kill()
        (server.home / "go").touch()
        time.sleep(0.5)
        server.start()

    trouble = threading.Thread(target=fail_and_mend)
    trouble.start()
    record = run_over_ssh(server.host(), waiting, limits=QUICK, say=said.append)
    trouble.join()
    assert record["stages"] == made_record()["stages"]
    assert any("the connection closed" in line for line in said)
    assert (server.home / "runs").read_text() == "run\n"  # measured once
    assert left_over(server) == []


def test_what_was_measured_when_the_connection_closed_for_good_is_fetched_the_next_time(
    server: LocalSshd, waiting: Path
) -> None:
    def fail() -> None:
        wait_until((server.home / "runs").exists)
        server.kill()

    trouble = threading.Thread(target=fail)
    trouble.start()
    brief = Limits(copy_s=60, run_s=60, reconnect_s=1)
    with pytest.raises(
        BabycryError, match=r"closed while the program ran.*the same command"
    ) as told:
        run_over_ssh(server.host(), waiting, limits=brief)
    trouble.join()
    assert "\n" not in str(told.value)
    server.start()
    (server.home / "go").touch()
    record = run_over_ssh(server.host(), waiting, limits=QUICK)
    assert record["stages"] == made_record()["stages"]
    assert any("earlier call" in warning for warning in record["warnings"])
    assert (server.home / "runs").read_text() == "run\n"
    assert left_over(server) == []


def test_a_record_that_finds_no_room_here_stays_on_the_board(
    server: LocalSshd, waiting: Path, tmp_path: Path
) -> None:
    (server.home / "go").touch()
    with pytest.raises(BabycryError, match="does not exist"):
        run_over_ssh(server.host(), waiting, limits=QUICK, save=tmp_path / "absent/r.json")
    assert "record.json" in left_over(server)
    saved = tmp_path / "r.json"
    run_over_ssh(server.host(), waiting, limits=QUICK, save=saved)
    assert json.loads(saved.read_text())["stages"] == made_record()["stages"]
    assert (server.home / "runs").read_text() == "run\n"
    assert left_over(server) == []


def test_a_bundle_that_is_kept_is_measured_anew(server: LocalSshd, waiting: Path) -> None:
    (server.home / "go").touch()
    for _ in range(2):
        said: list[str] = []
        record = run_over_ssh(server.host(), waiting, limits=QUICK, keep=True, say=said.append)
    assert record["warnings"] == made_record()["warnings"]
    assert (server.home / "runs").read_text() == "run\nrun\n"
    assert not any("copying" in line for line in said)
    assert "record.json" not in left_over(server)


def test_a_program_that_dies_is_not_waited_for(server: LocalSshd, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "dies", "#!/bin/sh\necho 'out of luck' >&2\nkill -9 $$\n")
    with pytest.raises(BabycryError, match=r"ended without a record: .*(out of luck|Killed)"):
        run_over_ssh(server.host(), bundle, limits=QUICK)
    assert left_over(server) == []


@pytest.mark.parametrize("content", ["{", '{"schema_version": 2}', "[]", ""])
def test_a_record_that_is_none_is_refused(server: LocalSshd, waiting: Path, content: str) -> None:
    (server.home / "made.json").write_text(content)
    (server.home / "go").touch()
    with pytest.raises(BabycryError) as told:
        run_over_ssh(server.host(), waiting, limits=QUICK)
    assert "\n" not in str(told.value)


@contextlib.contextmanager
def small_disk(folder: Path, size_kib: int) -> Iterator[None]:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root mounts a small disk, and not everywhere")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_board_without_room_for_the_bundle(server: LocalSshd, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "big", f"#!/bin/sh\n# {'x' * 100_000}\n")
    with small_disk(server.home, 64):
        words = r"\(0.1 MB\) was not copied: .*No space left.*make room"
        with pytest.raises(BabycryError, match=words):
            run_over_ssh(server.host(), bundle, limits=QUICK)
        assert left_over(server) == []


@pytest.mark.skipif(HERE is None or HERE.name != "x86-64", reason="built here for x86-64 only")
def test_a_board_without_room_for_a_record_says_so_before_it_measures(
    server: LocalSshd, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bundle = bundle_for("x86-64", tmp_path_factory)
    pages = sum(-(-path.stat().st_size // 4096) for path in bundle.iterdir())
    with small_disk(server.home, 4 * pages + 128):
        began = time.monotonic()
        with pytest.raises(BabycryError, match=r"record.json: cannot be written: No space left"):
            run_over_ssh(server.host(), bundle, limits=QUICK, arguments=["--rounds=1000"])
        assert time.monotonic() - began < 30
        assert left_over(server) == []


def test_no_server(server: LocalSshd, waiting: Path) -> None:
    server.kill()
    with pytest.raises(BabycryError, match=r"cannot be reached: .*refused"):
        run_over_ssh(server.host(), waiting)


def test_a_key_that_is_not_allowed(server: LocalSshd, waiting: Path, tmp_path: Path) -> None:
    other = tmp_path / "other_key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)]
    subprocess.run(command, check=True)
    with pytest.raises(BabycryError, match="the login was refused: ssh-copy-id"):
        run_over_ssh(server.host(key=other), waiting)


def test_a_host_key_that_is_not_known(server: LocalSshd, waiting: Path) -> None:
    (server.folder / "known_hosts").write_text("")
    with pytest.raises(BabycryError, match="host key is not known: log in once"):
        run_over_ssh(server.host(), waiting)


@pytest.mark.parametrize("name", ["", "-oProxyCommand=touch x", "a b", "a\nb"])
def test_a_host_that_is_none(name: str) -> None:
    with pytest.raises(BabycryError, match="give HOST or USER@HOST"):
        SshHost(name)


def test_machines_and_their_bundles() -> None:
    for target in TARGETS.values():
        assert target_for_machine(target.machines[0]) is target
    assert target_for_machine("mips") is None
