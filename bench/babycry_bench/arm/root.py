"""Roots of ARM Linux systems with Python, numpy and the inference engines: unpacked, not installed.

Nothing of another processor runs while a root is made: mmdebstrap unpacks Debian's packages and pip
unpacks wheels. qemu's user mode then takes the root's files in place of this machine's (``-L``).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from babycry_bench.arm.debian_mirror import debian_mirror
from babycry_bench.arm.linux import PYTHON, SUITE, ArmLinux, Core
from babycry_bench.run_tool import require_tool, run_tool
from babycry_edge.errors import BabycryError

LIMIT_S = 300.0
"""The most that each of the two steps may take."""

_OLDEST_GLIBC, _GLIBC = 17, 36  # 2.x: of manylinux2014, and of Debian 12
_LAYOUT = 1  # of the folder; another one is made anew
_NOT_NEEDED = ("./dev", "./usr/share/doc", "./usr/share/man", "./usr/share/locale", "*.a")
_SHOWN = ("bin", "etc", "lib", "usr")  # of a root, to an emulated process
_CORE_LISTS = ("possible", "present", "online")


@dataclass(frozen=True)
class ArmRoot:
    """An unpacked system in ``folder``."""

    system: ArmLinux
    folder: Path

    @property
    def debian(self) -> Path:
        """The packages' files; what qemu's ``-L`` is given, but for a processor's own files."""
        return self.folder / "debian"

    @property
    def site(self) -> Path:
        """The wheels, for PYTHONPATH."""
        return self.folder / "site"

    @property
    def headers(self) -> Path:
        """The folder of this system's Python.h."""
        return self.folder / "python-headers"


def make_root(system: ArmLinux, folder: Path) -> ArmRoot:
    """The root of ``system`` in ``folder``; one that is there from the same recipe is kept.

    It appears whole or not at all; two that make it at once wait for each other.

    Raises:
        BabycryError: a tool is missing, this machine has no Debian mirror, or a step failed.
    """
    place = folder.absolute() / system.debian
    recipe = json.dumps({"layout": _LAYOUT, "suite": SUITE, **asdict(system)}, indent=1)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with locked(place.with_name(f".{system.debian}.lock")):
            if _made_from(place) != recipe:
                _make(system, place, recipe)
    except OSError as error:
        raise BabycryError(f"the root of {system.debian} in {folder}: {error}") from None
    return ArmRoot(system, place)


def tags_of(machine: str) -> list[str]:
    """The platforms whose wheels run in a root: ``manylinux_2_36_aarch64`` and all before it."""
    levels = (f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC, _OLDEST_GLIBC - 1, -1))
    return [*levels, f"manylinux2014_{machine}", f"linux_{machine}"]


def install_wheels(wheels: Sequence[str | Path], system: ArmLinux, site: Path) -> None:
    """pip unpacks ``wheels``, names or files, into the folder ``site`` for ``system``.

    Nothing that they depend on comes along.

    Raises:
        BabycryError: pip is missing or refuses.
    """
    platforms = [word for tag in tags_of(system.machine) for word in ("--platform", tag)]
    python = ["--python-version", PYTHON, "--implementation", "cp"]
    abis = ["--abi", f"cp{PYTHON.replace('.', '')}", "--abi", "abi3", "--abi", "none"]
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
    ]
    command += ["--only-binary=:all:", "--no-deps", "--no-compile", "--target", site]
    run_tool(
        f"wheels for {system.machine}",
        [*command, *platforms, *python, *abis, *wheels],
        limit_s=LIMIT_S,
    )


def show_to_core(root: ArmRoot, core: Core, place: Path) -> Path:
    """A view of ``root`` in ``place`` for an emulated process on ``core``; made anew.

    Links to the root's folders, with /proc/cpuinfo and /sys/devices/system/cpu of one such core.
    """
    shutil.rmtree(place, ignore_errors=True)
    cpus = place / "sys/devices/system/cpu"
    cpus.mkdir(parents=True)
    for name in _CORE_LISTS:
        (cpus / name).write_text("0\n", encoding="ascii")
    (place / "proc").mkdir()
    (place / "proc/cpuinfo").write_text(core.cpuinfo(), encoding="ascii")
    for name in _SHOWN:
        if (root.debian / name).exists():
            (place / name).symlink_to((root.debian / name).resolve())
    return place


def _make(system: ArmLinux, place: Path, recipe: str) -> None:
    part = place.with_name(f".{system.debian}.part")
    shutil.rmtree(part, ignore_errors=True)
    root = ArmRoot(system, part)
    _unpack_debian(root)
    _unpack_headers(root)
    install_wheels(system.wheels, system, root.site)
    (part / "recipe.json").write_text(recipe, encoding="utf-8")
    shutil.rmtree(place, ignore_errors=True)
    part.rename(place)


def _unpack_debian(root: ArmRoot) -> None:
    """By way of an archive, which needs no right to give files to another user."""
    require_tool("mmdebstrap", "mmdebstrap")
    root.debian.mkdir(parents=True)
    archive = root.folder / "debian.tar"
    run_tool(
        f"Debian's packages for {root.system.debian}",
        [
            "mmdebstrap",
            f"--mode={'root' if os.geteuid() == 0 else 'chrootless'}",
            "--variant=extract",
            f"--architectures={root.system.debian}",
            f"--include={','.join(root.system.packages)}",
            SUITE,
            archive,
            f"deb {debian_mirror()} {SUITE} main",
        ],
        limit_s=LIMIT_S,
    )
    left_out = [f"--exclude={pattern}" for pattern in _NOT_NEEDED]
    run_tool(
        f"unpacking {archive.name}",
        ["tar", "-xf", archive, "--no-same-owner", *left_out, "-C", root.debian],
        limit_s=LIMIT_S,
    )
    archive.unlink()
    libraries = root.debian / "usr/lib" / root.system.triplet
    for alternative in root.system.alternatives:
        (libraries / Path(alternative).name).symlink_to(alternative)


def _unpack_headers(root: ArmRoot) -> None:
    """Python.h with the pyconfig.h of this system; Debian keeps the two apart."""
    include = root.debian / "usr/include"
    shutil.copytree(include / f"python{PYTHON}", root.headers)
    own = include / root.system.triplet / f"python{PYTHON}" / "pyconfig.h"
    shutil.copyfile(own, root.headers / "pyconfig.h")


def _made_from(place: Path) -> str | None:
    try:
        return (place / "recipe.json").read_text(encoding="utf-8")
    except OSError:
        return None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the file ``path`` for this process alone; another one waits for it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
