"""``babycry-edge bench --ssh HOST``: copy, run and fetch in one step.

The program runs on the board by itself, whatever becomes of the connection, and writes its record
beside and renames it. When the connection closes, it is opened again and the record is waited for;
when that fails too, the same command finds the record, or the program still at work, the next time.
What is on the board is taken away only when the record is safe here.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shlex
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babycry_bench.ingest import records_in
from babycry_bench.linux.build import TARGETS, build_bundle, target_for_machine
from babycry_bench.linux.bundle import MANIFEST, PROGRAM, Bundle, read_bundle
from babycry_bench.linux.ssh_client import ConnectionClosedError, SshHost, refusal
from babycry_edge.errors import BabycryError
from babycry_edge.whole_file import write_whole

Say = Callable[[str], object]

_FOLDER = ".babycry-bench"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 15.0
_STOOD_S = 60.0  # a connection that held longer is no part of an outage
_NO_RECORD = 4  # exit status of the script that waits

# The shell's own words: a board's shell may be no more than busybox. A process is ours while it
# lives in our folder: numbers of processes come again after a reset.
_IS_ALIVE = """\
is_alive() {
    pid=$(cat pid 2>/dev/null) && [ -n "$pid" ] && \
[ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$(pwd -P)" ]
}
"""
_STATE = """\
cd "$folder" 2>/dev/null || { echo absent; exit 0; }
if [ -f record.json ]; then echo finished
elif is_alive; then echo running
else echo copied
fi
"""
_START = """\
cd "$folder" || exit 1
rm -f record.json ended log pid
(
    trap '' HUP
    "./$program" --json=record.json "$@" >log 2>&1
    echo $? >ended
) </dev/null >/dev/null 2>&1 &
echo $! >pid
"""
_WAIT = """\
cd "$folder" || exit 1
while [ ! -e ended ] && is_alive; do sleep 1; done
if [ -f record.json ]; then wc -c <record.json && cat record.json
else tail -n 1 log; exit 4
fi
"""


@dataclass(frozen=True)
class Limits:
    """Seconds.

    Attributes:
        copy_s: for the bundle to be copied.
        run_s: for the program to end.
        reconnect_s: for a connection that closed to stand again.
    """

    copy_s: float = 600.0
    run_s: float = 3600.0
    reconnect_s: float = 120.0


@dataclass(frozen=True)
class _Board:
    """A machine, and the folder on it that belongs to one bundle and its arguments."""

    ssh: SshHost
    folder: str
    limits: Limits

    def script(self, text: str, arguments: Sequence[str] = (), *, limit_s: float) -> Any:
        """Runs ``text`` by ``sh`` there."""
        given = f"set -- {shlex.join(arguments)}\n" if arguments else "set --\n"
        names = f"folder=$HOME/{shlex.quote(self.folder)}\nprogram={PROGRAM}\n"
        whole = f"{names}{given}{_IS_ALIVE}{text}"
        return self.ssh.run("sh -s", whole.encode(), limit_s=limit_s)


def run_over_ssh(
    host: str | SshHost,
    bundle: Path | None = None,
    *,
    models: Sequence[Path] = (),
    target: str | None = None,
    arguments: Sequence[str] = (),
    limits: Limits | None = None,
    save: Path | None = None,
    keep: bool = False,
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Measures on another machine.

    Args:
        host: as ssh knows it, or with port, key and options.
        bundle: folder that ``build_bundle`` made; None builds one for that machine.
        models: of a bundle that is built here.
        target: what the record calls the machine; None for the host's name.
        arguments: options of the program, say ``--quick``.
        limits: of time.
        save: file for the record; only when it is written is the board's own taken away.
        keep: leave the bundle on the board.
        say: hears in a line what is going on.

    Returns:
        The record.

    Raises:
        BabycryError: the machine cannot be reached or is of another kind than the bundle, a disk is
            full, the program failed, or the connection closed for good; then the record is on the
            machine, or will be, and the same call fetches it.
    """
    ssh = host if isinstance(host, SshHost) else SshHost(host)
    limits = limits or Limits()
    machine = _machine(ssh)
    name = target or ssh.name
    options = [f"--target={name}", *arguments]
    with tempfile.TemporaryDirectory(prefix="babycry-bench-") as made:
        if bundle is None:
            bundle = Path(made) / "bundle"
            say(f"building for {machine}")
            build_bundle(_target_of(ssh, machine), bundle, models)
        built = read_bundle(bundle)
        _check_machine(ssh, machine, bundle, built)
        board = _Board(ssh, _folder(built, options), limits)
        is_old = _bring_about(board, bundle, built, options, say)
        content = _fetched(board, say)
    record = records_in(content, ssh.host, name)[0]
    if is_old:
        record["warnings"].append("measured by an earlier call whose connection had closed")
    if save is not None:
        write_whole(save, (json.dumps(record, indent=2) + "\n").encode())
    _clean(board, keep)
    return record


def _machine(ssh: SshHost) -> str:
    """What ``uname -m`` says there."""
    try:
        status, output, said = ssh.run("uname -m", limit_s=60.0)
    except ConnectionClosedError as error:
        raise refusal(ssh.host, str(error)) from None
    machine = output[:64].decode(errors="replace").strip()
    if status != 0 or not machine.isprintable() or not machine:
        raise BabycryError(
            f"{ssh.host}: uname -m: {said or 'said nothing'}: is it a Linux machine?"
        )
    return machine


def _target_of(ssh: SshHost, machine: str) -> str:
    target = target_for_machine(machine)
    if target is None:
        raise BabycryError(f"{ssh.host} is {machine}: there are bundles for {', '.join(TARGETS)}")
    return target.name


def _check_machine(ssh: SshHost, machine: str, directory: Path, bundle: Bundle) -> None:
    known = TARGETS.get(bundle.target)
    if known is None or machine not in known.machines:
        target = _target_of(ssh, machine)
        raise BabycryError(
            f"{ssh.host} is {machine}, the bundle in {directory} is for {bundle.target}: "
            f"babycry-edge bench --build {target} -o DIR"
        )


def _folder(bundle: Bundle, options: Sequence[str]) -> str:
    """Below the home directory over there; the same for the same bundle and options."""
    text = "\0".join((bundle.digest, *options))
    return f"{_FOLDER}/{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _bring_about(
    board: _Board, directory: Path, bundle: Bundle, options: list[str], say: Say
) -> bool:
    """The program has run, or runs; True when an earlier call had started it."""
    host = board.ssh.host
    try:
        _, output, _ = board.script(_STATE, limit_s=60.0)
        state = output.decode(errors="replace").strip()
        if state in ("finished", "running"):
            say(f"{host}: {state} since an earlier call")
            return True
        if state != "copied":
            say(f"{host}: copying")
            _copy(board, directory, bundle)
        say(f"{host}: measuring")
        status, _, said = board.script(_START, options, limit_s=60.0)
    except ConnectionClosedError as error:
        raise BabycryError(
            f"{host}: the connection closed before the program ran ({error}): try again"
        ) from None
    if status != 0:
        raise BabycryError(f"{host}: the program was not started: {said}: is its disk full?")
    return False


def _copy(board: _Board, directory: Path, bundle: Bundle) -> None:
    """Beside, then renamed: a copy that was cut off is never taken for a whole one."""
    whole, part = shlex.quote(board.folder), shlex.quote(f"{board.folder}.part")
    steps = [
        f"rm -rf {part} {whole}",
        f"mkdir -p {part}",
        f"tar -xf - -C {part}",
        f"mv {part} {whole}",
    ]
    command = shlex.join(
        ["sh", "-c", f"cd && {' && '.join(steps)} || {{ rm -rf {part}; exit 1; }}"]
    )
    status, _, said = board.ssh.run(
        command, _archive(directory, bundle), limit_s=board.limits.copy_s
    )
    if status != 0:
        size = sum((directory / name).stat().st_size for name in bundle.files)
        raise BabycryError(
            f"{board.ssh.host}: the bundle ({size / 1e6:.1f} MB) was not copied: {said}; make room "
            "in the home directory there"
        )


def _archive(directory: Path, bundle: Bundle) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in (*bundle.files, MANIFEST):
            content = (directory / name).read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755 if name == PROGRAM else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def _fetched(board: _Board, say: Say) -> bytes:
    """The record's bytes, waited for; a connection that closes is opened again."""
    host, limits = board.ssh.host, board.limits
    end = time.monotonic() + limits.run_s
    outage, pause = 0.0, _FIRST_PAUSE_S
    while (left := end - time.monotonic()) > 0:
        began = time.monotonic()
        try:
            return _waited_for(board, left)
        except ConnectionClosedError as error:
            reason = str(error)
        now = time.monotonic()
        if not outage or now - began > _STOOD_S:
            outage, pause = now, _FIRST_PAUSE_S
        if now - outage >= limits.reconnect_s:
            raise BabycryError(
                f"{host}: the connection closed while the program ran ({reason}): it goes on there "
                "by itself; the same command fetches the record"
            )
        say(f"{host}: the connection closed; trying again")
        time.sleep(pause)
        pause = min(2.0 * pause, _LONGEST_PAUSE_S)
    raise BabycryError(
        f"{host}: not done after {limits.run_s:g} s: it goes on there; the same command "
        "fetches the record"
    )


def _waited_for(board: _Board, limit_s: float) -> bytes:
    status, output, said = board.script(_WAIT, limit_s=limit_s)
    if status == _NO_RECORD:
        words = " ".join(output.decode(errors="replace").split())[:300] or "it said nothing"
        _clean(board)
        raise BabycryError(f"{board.ssh.host}: the program ended without a record: {words}")
    size, _, content = bytes(output).partition(b"\n")
    if status != 0 or not size.strip().isdigit():
        raise BabycryError(f"{board.ssh.host}: the record could not be read: {said}; try again")
    if len(content) != int(size):
        raise ConnectionClosedError("the record came in part")
    return content


def _clean(board: _Board, keep: bool = False) -> None:
    """Takes away the folder, or all but the bundle; what is left behind does no harm there."""
    text = 'cd "$folder" && rm -f record.json record.json.part ended log pid\n'
    if not keep:
        text = f'rm -rf "$folder"; rmdir "$HOME/{_FOLDER}" 2>/dev/null\n'
    with contextlib.suppress(ConnectionClosedError):
        board.script(text, limit_s=60.0)
