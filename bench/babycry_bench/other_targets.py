"""The records of other targets for a report: from files, boards, and emulated machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from babycry_edge.errors import BabycryError
from babycry_edge.progress import Track

Record = dict[str, Any]

BOARDS = ("cortex-m4f", "cortex-m7", "cortex-m55")
PYTHONS = ("aarch64-a53", "aarch64-a76", "armv7-a7")
PROGRAMS = ("aarch64-a53-static", "aarch64-a76-static", "armv7-a7-static", "riscv64-static")
EMULATED = (*PYTHONS, *PROGRAMS, *BOARDS)
"""What ``--emulate`` takes: Python with engines, the program for boards without it, and
microcontrollers. They need the source tree, cross compilers and qemu."""


@dataclass(frozen=True)
class OtherTargets:
    """What was asked for beside this machine.

    Attributes:
        files: records that boards wrote, reports, or JSON of pytest-benchmark.
        hosts: to reach by ssh; each is given a program built for it.
        ports: serial ports with a board on them.
        emulated: names out of :data:`EMULATED`.
        source: the source tree, for what is built out of it.
    """

    files: Sequence[Path] = ()
    hosts: Sequence[str] = ()
    ports: Sequence[str] = ()
    emulated: Sequence[str] = ()
    source: Path = field(default_factory=Path.cwd)

    def ways(self) -> list[tuple[str, Callable[[], list[Record]]]]:
        """The name of each target, and what fetches its records."""
        return [
            *((host, partial(self._over_ssh, host)) for host in self.hosts),
            *((port, partial(self._on_port, port)) for port in self.ports),
            *((name, partial(self._emulated, name)) for name in self.emulated),
        ]

    def _over_ssh(self, host: str) -> list[Record]:
        from babycry_bench.linux.remote import run_over_ssh

        return [run_over_ssh(host)]

    def _on_port(self, port: str) -> list[Record]:
        from babycry_bench.serial.session import run_on_port

        return [run_on_port(port)]

    def _emulated(self, name: str) -> list[Record]:
        kept = self.source / "build" / "emulated"
        if name in BOARDS:
            from babycry_bench.serial.emulated import run_board

            return [run_board(name, self.source, kept / "boards")]
        if name in PROGRAMS:
            from babycry_bench.linux.emulated import run_static

            return [run_static(name.removesuffix("-static"))]
        from babycry_bench.arm.python import run_python

        return [run_python(name, self.source, kept / "arm")]


def read_files(targets: OtherTargets) -> list[Record]:
    """The records in ``targets.files``.

    Raises:
        BabycryError: a file is absent, damaged or of another schema version.
    """
    from babycry_bench.ingest import read_records

    return [record for file in targets.files for record in read_records(file)]


def collect(targets: OtherTargets, track: Track) -> tuple[list[Record], list[str]]:
    """What the boards and emulated machines measure, and a line for each that gave nothing.

    One that fails costs the others nothing: what was measured is reported.
    """
    from babycry_bench.serial.session import Interrupted

    ways = targets.ways()
    advance = track("other targets", len(ways))
    records, failures = [], []
    for name, fetch in ways:
        try:
            records += fetch()
        except Interrupted as error:
            records += [error.record] if error.record is not None else []
            failures.append(_named(name, error))
        except BabycryError as error:
            failures.append(_named(name, error))
        advance()
    return records, failures


def _named(name: str, error: BabycryError) -> str:
    """The error's line, which begins with the target's name."""
    told = str(error)
    return told if told.startswith(f"{name}: ") else f"{name}: {told}"
