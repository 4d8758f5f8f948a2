"""The system's ssh client, never interactive, bounded in time and in what it may bring."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from babycry_bench.run_tool import last_words
from babycry_edge.errors import BabycryError

MAX_OUTPUT_BYTES = 64 * 1024 * 1024

_ALIVE_EVERY_S, _ALIVE_TIMES = 5, 3  # then a silent connection is given up


class ConnectionClosedError(Exception):
    """ssh ended, or was cut off, before the command on the other side did; the message says how."""


@dataclass(frozen=True)
class SshHost:
    """How a machine is reached.

    Attributes:
        host: name, address, ``user@host`` or an entry of the configuration.
        port: None for ssh's own choice.
        identity: file of a private key.
        config: file in place of ``~/.ssh/config``.
        options: further ``-o`` options, "NAME=VALUE".
        connect_s: seconds for a connection to stand.
    """

    host: str
    port: int | None = None
    identity: Path | None = None
    config: Path | None = None
    options: Sequence[str] = ()
    connect_s: int = 10

    def __post_init__(self) -> None:
        """Refuses what ssh would take for an option.

        Raises:
            BabycryError: the host is empty, begins with "-" or has white space in it.
        """
        is_odd = self.host.startswith("-") or not self.host.isprintable()
        if not self.host or is_odd or " " in self.host:
            raise BabycryError(f"--ssh {self.host!r}: give HOST or USER@HOST")

    @property
    def name(self) -> str:
        """The host without the user."""
        return self.host.rpartition("@")[2]

    def run(self, command: str, content: bytes = b"", *, limit_s: float) -> tuple[int, bytes, str]:
        """Runs ``command`` in the login shell over there, ``content`` on its standard input.

        Returns:
            Its exit status, what it wrote to standard output, and the telling line of what it wrote
            to standard error.

        Raises:
            ConnectionClosedError: there was no connection, it closed, or the command was not done
                after ``limit_s`` seconds.
            BabycryError: no ssh here, or more output than a bench may write.
        """
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(
                    [*self._client(), "--", self.host, command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                )
            except OSError as error:
                raise BabycryError(f"ssh: cannot be run: {error.strerror}") from None
            output, is_late = _exchange(process, content, limit_s)
            errors.seek(0)
            said = errors.read(1 << 16).decode(errors="replace")
        if is_late:
            raise ConnectionClosedError(f"no answer within {limit_s:g} s")
        if len(output) > MAX_OUTPUT_BYTES:
            raise BabycryError(
                f"{self.host}: sends more than {MAX_OUTPUT_BYTES >> 20} MiB: given up"
            )
        words = _telling(said)
        if process.returncode == 255 or process.returncode < 0:
            raise ConnectionClosedError(words or "the connection closed")
        return process.returncode, output, words

    def _client(self) -> list[str]:
        if shutil.which("ssh") is None:
            raise BabycryError("ssh is not installed: apt-get install openssh-client")
        settings = [
            "BatchMode=yes",
            f"ConnectTimeout={self.connect_s}",
            f"ServerAliveInterval={_ALIVE_EVERY_S}",
            f"ServerAliveCountMax={_ALIVE_TIMES}",
        ]
        client = ["ssh", "-T", "-x", "-a"]
        client += ["-F", str(self.config)] if self.config is not None else []
        client += ["-p", str(self.port)] if self.port is not None else []
        client += ["-i", str(self.identity)] if self.identity is not None else []
        for setting in (*self.options, *settings):  # of two the first counts
            client += ["-o", setting]
        return client


def refusal(host: str, reason: str) -> BabycryError:
    """Why a first connection did not come about, with the mend."""
    known = {
        "permission denied": f"the login was refused: ssh-copy-id {host}, or name a key",
        "host key verification": f"its host key is not known: log in once with ssh {host}",
        "remote host identification": f"its host key is another: see ssh {host}",
    }
    for words, mend in known.items():
        if words in reason.lower():
            return BabycryError(f"{host}: {mend}")
    return BabycryError(f"{host}: cannot be reached: {reason}")


def _telling(said: str) -> str:
    """The line that says most, or nothing."""
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip()]
    full = [line for line in lines if "No space left" in line or "quota" in line]
    return (full or [last_words(said) if lines else ""])[0][:300]


def _exchange(
    process: subprocess.Popen[bytes], content: bytes, limit_s: float
) -> tuple[bytes, bool]:
    """What the process wrote, and whether it had to be killed for its time."""
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    def feed() -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # of one that does not listen its status says why
            process.stdin.write(content)
            process.stdin.close()

    timer = threading.Timer(limit_s, end)
    feeder = threading.Thread(target=feed, daemon=True)
    timer.start()
    feeder.start()
    try:
        assert process.stdout is not None
        output = process.stdout.read(MAX_OUTPUT_BYTES + 1)
        if len(output) > MAX_OUTPUT_BYTES:
            process.kill()
        process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()
        feeder.join()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
    return output, late.is_set()
