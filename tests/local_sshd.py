"""An sshd on the loopback, with keys of its own and no privileges but this user's."""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from babycry_bench.linux.ssh_client import SshHost
from static_bundles import require_commands

SSHD = "/usr/sbin/sshd"
START_S = 10.0


class LocalSshd:
    """A server that can be stopped, its connections cut, and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.key, host_key = folder / "key", folder / "host_key"
        for path in (self.key, host_key):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
            subprocess.run(command, check=True)
        allowed, known = folder / "authorized_keys", folder / "known_hosts"
        allowed.write_text(self.key.with_suffix(".pub").read_text())
        self.port = _free_port()
        known.write_text(f"[127.0.0.1]:{self.port} {host_key.with_suffix('.pub').read_text()}")
        settings = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {host_key}",
            f"AuthorizedKeysFile {allowed}",
            f"PidFile {folder / 'sshd.pid'}",
            f"SetEnv HOME={self.home}",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "StrictModes no",
            "UsePAM no",
        ]
        (folder / "sshd_config").write_text("\n".join(settings) + "\n")
        self.process: subprocess.Popen[bytes] | None = None

    def host(self, *, connect_s: int = 5, key: Path | None = None) -> SshHost:
        """How ssh reaches it."""
        known = f"UserKnownHostsFile={self.folder / 'known_hosts'}"
        return SshHost(
            f"{getpass.getuser()}@127.0.0.1",
            port=self.port,
            identity=key or self.key,
            config=Path(os.devnull),
            options=(known, "GlobalKnownHostsFile=/dev/null", "IdentitiesOnly=yes"),
            connect_s=connect_s,
        )

    def start(self) -> None:
        """Ready when it takes a connection."""
        command = [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "sshd.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "sshd.log").read_text())

    def kill(self) -> None:
        """Server and connections at once, as when the power of a switch fails."""
        if self.process is None:
            return
        for pid in _sessions_of(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.process = None


@contextlib.contextmanager
def local_sshd(folder: Path) -> Iterator[LocalSshd]:
    """A server that runs."""
    require_commands(SSHD, "ssh", "ssh-keygen")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd asks for it
    server = LocalSshd(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _sessions_of(server: int) -> list[int]:
    """The sshd processes of its connections, not what runs in them."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
                parents[int(entry.name)] = (int(rest.split()[1]), name)
    found, wanted = [], {server}
    while wanted:
        wanted = {
            pid for pid, (parent, name) in parents.items() if parent in wanted and "sshd" in name
        }
        found += wanted
    return found
