"""A device without a board, and lines with faults, for the tests of the serial port."""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from babycry_bench.serial.link import Link, SocketLink


class ProgramDevice:
    """``serial_stdio`` at the other end of a socket; it can be killed and started again."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self.starts = 0
        self._processes: list[subprocess.Popen[bytes]] = []

    def connect(self) -> socket.socket:
        """A new program, in place of the one before."""
        self.kill()
        here, there = socket.socketpair()
        self._processes.append(
            subprocess.Popen([str(self.program)], stdin=there, stdout=there, stderr=subprocess.PIPE)
        )
        there.close()
        self.starts += 1
        return here

    def link(self, can_come_back: bool = True) -> SocketLink:
        return SocketLink(self.connect(), "stdio", self.connect if can_come_back else None)

    def kill(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def close(self) -> str:
        """Ends it; what it said on standard error, a sanitizer's complaint for example."""
        self.kill()
        said = ""
        for process in self._processes:
            assert process.stderr is not None
            said += process.stderr.read().decode("utf-8", "replace")
            process.stderr.close()
        return said


class FaultyLink:
    """Drops and garbles bytes in both directions, by chance with a fixed seed."""

    def __init__(self, link: Link, seed: int, drop: float, garble: float) -> None:
        self.name = link.name
        self.faults = 0
        self._link = link
        self._random = random.Random(seed)
        self._drop, self._garble = drop, garble

    def read(self, timeout_s: float) -> bytes:
        return self._spoilt(self._link.read(timeout_s))

    def write(self, data: bytes) -> None:
        self._link.write(self._spoilt(data))

    def reopen(self) -> None:
        self._link.reopen()

    def close(self) -> None:
        self._link.close()

    def _spoilt(self, data: bytes) -> bytes:
        kept = bytearray()
        for byte in data:
            chance = self._random.random()
            if chance < self._drop:
                self.faults += 1
                continue
            if chance < self._drop + self._garble:
                self.faults += 1
                byte ^= 1 << self._random.randrange(8)
            kept.append(byte)
        return bytes(kept)


class CallingLink:
    """Calls ``event`` when ``after`` bytes have been written."""

    def __init__(self, link: Link, after: int, event: Callable[[], object]) -> None:
        self.name = link.name
        self._link, self._left, self._event = link, after, event

    def read(self, timeout_s: float) -> bytes:
        return self._link.read(timeout_s)

    def write(self, data: bytes) -> None:
        was_before = self._left > 0
        self._left -= len(data)
        self._link.write(data)
        if was_before and self._left <= 0:
            self._event()

    def reopen(self) -> None:
        self._link.reopen()

    def close(self) -> None:
        self._link.close()


class ScriptedLink:
    """Answers every write with the same bytes, whatever was asked."""

    def __init__(self, reply: bytes) -> None:
        self.name = "scripted"
        self.closed = False
        self._reply = reply
        self._waiting = b""

    def read(self, timeout_s: float) -> bytes:
        data, self._waiting = self._waiting, b""
        return data

    def write(self, data: bytes) -> None:
        self._waiting += self._reply

    def reopen(self) -> None:
        raise AssertionError("it was never lost")

    def close(self) -> None:
        self.closed = True
