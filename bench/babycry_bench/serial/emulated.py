"""Cortex-M boards under qemu, measured over their serial port like real ones.

The firmware is ``csrc/ports/serial`` on the start-up code of ``csrc/ports/cortex-m``. qemu gives an
instruction 64 ns of the board's time, so that SysTick counts instructions; they are no cycles.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babycry_bench.clips import Clip
from babycry_bench.footprint import (
    CODE_SECTIONS,
    CONSTANT_SECTIONS,
    RAM_SECTIONS,
    section_sizes,
)
from babycry_bench.schema.validate import check
from babycry_bench.serial.link import SocketLink
from babycry_bench.serial.protocol import Patience
from babycry_bench.serial.session import Effort, run_on_port
from babycry_bench.targets import (
    TARGETS,
    Target,
    TargetError,
    build,
    compiler_flags,
    compiler_version,
    emulator_version,
    missing_tools,
)
from babycry_edge.errors import BabycryError
from babycry_edge.progress import Track

BOARDS = ("cortex-m4f", "cortex-m7", "cortex-m55")
PROGRAM = "serial_bench"
EFFORT = Effort(clip_runs=2, clip_warmup=0)  # the same instructions every time

_START_S = 20.0
_LONGEST_WORDS = 200  # of what qemu says


@dataclass
class EmulatedBoard:
    """A running board.

    Attributes:
        link: its serial port.
        process: qemu, with its monitor on standard input.
    """

    link: SocketLink
    process: subprocess.Popen[bytes]

    def reset(self) -> None:
        """As the board's reset button."""
        self._monitor("system_reset")

    def freeze(self) -> None:
        """Stops the processor; the port stays open and silent."""
        self._monitor("stop")

    def _monitor(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()


def build_firmware(target: Target, source: Path, folder: Path) -> Path:
    """The ELF file for ``target`` out of the tree ``source``, built in a folder of its own in
    ``folder``: a build for another core there stays what it is.

    Raises:
        BabycryError: a tool is missing, or the build failed.
    """
    if missing := missing_tools(target):
        raise BabycryError(f"{target.name}: not installed: {', '.join(missing)}")
    try:
        return build(target, source, folder / target.toolchain, only=PROGRAM) / PROGRAM
    except TargetError as error:
        raise BabycryError(f"{target.name}: {' '.join(str(error).split())}") from None


class BoardLink(SocketLink):
    """The board's serial port; the board, which waits by turning in circles, ends with it."""

    def __init__(self, connected: socket.socket, name: str, process: subprocess.Popen[bytes]):
        super().__init__(connected, name)
        self._process = process

    def close(self) -> None:
        super().close()
        self._process.kill()


@contextmanager
def started(target: Target, firmware: Path) -> Iterator[EmulatedBoard]:
    """The board with ``firmware``, its first serial port connected; ended on leaving.

    Raises:
        BabycryError: qemu does not start, or the firmware says nothing.
    """
    with socket.create_server(("127.0.0.1", 0)) as server, tempfile.TemporaryFile() as log:
        command = [
            *target.emulator[:3],
            *("-display", "none", "-monitor", "stdio"),
            *("-serial", f"tcp:127.0.0.1:{server.getsockname()[1]},nodelay=on"),
            *("-icount", "shift=6"),
            *("-semihosting-config", f"enable=on,target=native,arg={PROGRAM}"),
            *("-kernel", str(firmware)),
        ]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log
        )
        try:
            connected = _speaking(server, process)
            if connected is None:
                log.seek(0)
                said = " ".join(log.read(_LONGEST_WORDS).decode("utf-8", "replace").split())
                raise BabycryError(f"{target.name}: qemu does not start: {said or 'it is silent'}")
            board = EmulatedBoard(BoardLink(connected, target.name, process), process)
            yield board
            board.link.close()
        finally:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()


def _speaking(server: socket.socket, process: subprocess.Popen[bytes]) -> socket.socket | None:
    """The board's connection, once it has sent something; None if it never does."""
    connected = None
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        try:
            if connected is None:
                server.settimeout(0.2)
                connected = server.accept()[0]
                connected.settimeout(0.2)
            if connected.recv(1, socket.MSG_PEEK):
                return connected
            break
        except TimeoutError:
            if process.poll() is not None:
                break
        except OSError:
            break
    if connected is not None:
        connected.close()
    process.kill()
    process.wait()
    return None


def run_board(
    name: str,
    source: Path,
    folder: Path,
    *,
    clips: Sequence[Clip] | None = None,
    effort: Effort = EFFORT,
    patience: Patience | None = None,
    profiles: Iterable[str] | None = None,
    track: Track = lambda title, steps: lambda: None,
) -> dict[str, Any]:
    """The record of an emulated board.

    Args:
        name: one of :data:`BOARDS`.
        source: the source tree.
        folder: for the build; what is there already is used again.
        clips: recordings to run; the bundled ones by default.
        effort: how much to measure.
        patience: how long to wait for the board.
        profiles: of the front-end, only these; all by default.
        track: hears of the progress.

    Raises:
        BabycryError: a tool is missing, or build, emulator or session failed.
    """
    if name not in BOARDS:
        raise BabycryError(f"board must be one of {', '.join(BOARDS)}, not {name!r}")
    target = TARGETS[name]
    firmware = build_firmware(target, source, folder)
    with started(target, firmware) as board:
        record = run_on_port(
            board.link,
            target=name,
            kind="emulated board",
            clips=clips,
            effort=effort,
            patience=patience,
            profiles=profiles,
            track=track,
        )
    record["machine"]["emulator"] = f"{emulator_version(target)}, {target.emulator[2]}"
    record["build"]["compiler"] = compiler_version(target)
    record["build"]["compiler_flags"] = compiler_flags(folder, "babycry_objects") or None
    record["memory"].update(_sections(target, firmware))
    return check(record, name)


def _sections(target: Target, firmware: Path) -> dict[str, int]:
    """Static RAM and flash of the whole firmware, with the program that measures."""
    sizes = section_sizes(firmware, target.tools[1].removesuffix("gcc") + "size")
    flash = {*CODE_SECTIONS, *CONSTANT_SECTIONS}
    return {
        "ram_bytes": sum(sizes.get(section, 0) for section in RAM_SECTIONS),
        "flash_bytes": sum(sizes.get(section, 0) for section in flash),
    }
