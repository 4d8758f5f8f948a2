"""Three Cortex-M boards under qemu, measured over their serial port like real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from babycry_bench.clips import Clip
from babycry_bench.serial.emulated import (
    BOARDS,
    EmulatedBoard,
    build_firmware,
    run_board,
    started,
)
from babycry_bench.serial.protocol import Patience
from babycry_bench.serial.session import Effort, Interrupted, run_on_port
from babycry_bench.targets import TARGETS
from babycry_edge.config import profile_names
from babycry_edge.errors import BabycryError
from cross_tools import require_tools

ROOT = Path(__file__).resolve().parent.parent
ONCE = Effort(clip_samples=4800, clip_runs=1, clip_warmup=0)
SHORT = Effort(clip_samples=2000, clip_runs=1, clip_warmup=0)
WHOLE_CLIP_ONLY = {"whisper", "guide-88", "guide-18"}
INTEGER = {"librosa", "librosa-0.8", "yamnet", "vggish"}


@pytest.fixture(scope="module")
def records(target_builds: Path, clips: list[Clip]) -> Callable[[str], dict[str, Any]]:
    """A board's record of one clip, measured once."""
    known: dict[str, dict[str, Any]] = {}

    def of(name: str) -> dict[str, Any]:
        require_tools(TARGETS[name])
        if name not in known:
            folder = target_builds / name
            known[name] = run_board(name, ROOT, folder, clips=clips[:1], effort=ONCE)
        return known[name]

    return of


@pytest.mark.parametrize("name", BOARDS)
def test_features_of_every_profile_are_the_hosts(
    name: str, records: Callable[[str], dict[str, Any]]
) -> None:
    parity = records(name)["parity"]
    integer = {f"{profile} (integer)" for profile in INTEGER}
    for part, profiles in {
        "feature_hashes": {*profile_names(), *integer},
        "streaming": {*profile_names(), *integer} - WHOLE_CLIP_ONLY,
    }.items():
        assert {row["profile"] for row in parity[part]["profiles"]} == profiles
        for row in parity[part]["profiles"]:
            assert (row["clips"], row["mismatches"]) == (1, 0), (part, row["profile"])


@pytest.mark.parametrize("name", BOARDS)
def test_sizes_and_instructions_of_a_board(
    name: str, records: Callable[[str], dict[str, Any]]
) -> None:
    record = records(name)
    assert record["machine"]["kind"] == "emulated board"
    assert TARGETS[name].emulator[2] in record["machine"]["emulator"]
    assert record["warnings"] == []
    memory = record["memory"]
    assert 40_000 < memory["flash_bytes"] < 120_000
    assert 1_000 < memory["ram_bytes"] < 10_000
    assert 500 < memory["stack_bytes"] < 4_000
    assert len(memory["stages"]) == len(record["stages"])
    for stage in record["stages"]:
        assert stage["clock"] == "instructions (emulated)"
        assert stage["real_time_factor"] is None
    hop = next(
        s for s in record["stages"] if (s["stage"], s["profile"]) == ("frontend_hop", "kaldi")
    )
    assert 10_000 < hop["p50"] < 45_000
    assert hop["max"] < 1.02 * hop["p50"]  # every frame is the same work


def test_the_vectors_of_the_m55_save_instructions(
    records: Callable[[str], dict[str, Any]],
) -> None:
    def clip(name: str) -> float:
        stages = records(name)["stages"]
        found = (s for s in stages if (s["stage"], s["profile"]) == ("frontend_clip", "babycry"))
        return float(next(found)["p50"])

    assert clip("cortex-m55") < 0.6 * clip("cortex-m4f")


def on_m4(
    target_builds: Path,
    clips: list[Clip],
    event: Callable[[EmulatedBoard], None],
    patience: Patience,
) -> dict[str, Any]:
    """A short session on the M4, with ``event`` after its third stage."""
    target = TARGETS["cortex-m4f"]
    require_tools(target)
    firmware = build_firmware(target, ROOT, target_builds / target.name)
    stages_done = 0

    with started(target, firmware) as board:

        def track(title: str, steps: int) -> Callable[[], None]:
            def advance() -> None:
                nonlocal stages_done
                stages_done += 1
                if stages_done == 3:
                    event(board)

            return advance

        return run_on_port(
            board.link,
            target=target.name,
            kind="emulated board",
            clips=clips[:2],
            effort=SHORT,
            profiles=["yamnet"],
            patience=patience,
            track=track,
        )


def test_a_board_that_is_reset_goes_on(target_builds: Path, clips: list[Clip]) -> None:
    def exact(record: dict[str, Any]) -> Any:
        return record["parity"], record["memory"], [s["count"] for s in record["stages"]]

    quiet = on_m4(target_builds, clips, lambda board: None, Patience())
    reset = on_m4(target_builds, clips, EmulatedBoard.reset, Patience())
    assert exact(quiet) == exact(reset)
    assert quiet["warnings"] == []
    assert reset["warnings"] == ["resets of the device: 1; what they lost was run again"]


@pytest.mark.parametrize("event", [EmulatedBoard.freeze, lambda board: board.process.kill()])
def test_a_board_that_stops_leaves_what_was_measured(
    event: Callable[[EmulatedBoard], None], target_builds: Path, clips: list[Clip]
) -> None:
    with pytest.raises(Interrupted, match=r"^cortex-m4f: .*3 of 8 runs were measured") as caught:
        on_m4(target_builds, clips, event, Patience(answer_s=0.5, run_s=1.0, tries=6))
    assert caught.value.record is not None
    assert len(caught.value.record["stages"]) == 3


def test_a_board_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match="board must be one of cortex-m4f"):
        run_board("cortex-m0", ROOT, tmp_path)


def test_a_firmware_that_does_not_start(tmp_path: Path) -> None:
    target = TARGETS["cortex-m4f"]
    require_tools(target)
    with (
        pytest.raises(BabycryError, match=r"cortex-m4f: qemu does not start: .*not there"),
        started(target, tmp_path / "not there"),
    ):
        pass


def test_boards_that_share_a_folder_have_firmware_of_their_own(tmp_path: Path) -> None:
    names = ("cortex-m4f", "cortex-m55")
    for name in names:
        require_tools(TARGETS[name])
    built = [build_firmware(TARGETS[name], ROOT, tmp_path) for name in names]
    assert built[0] != built[1]
    assert built[0].read_bytes() != built[1].read_bytes()
