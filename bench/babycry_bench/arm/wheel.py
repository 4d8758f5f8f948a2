"""Wheels of this project for ARM Linux, cross-built on any machine by the project's own CMake.

``python -m babycry_bench.arm.wheel aarch64 -o DIR`` in the source tree. With the other system's
Python.h the wheel has the compiled cffi module (API mode, one file for every Python from 3.10 on);
without it the plain library, which cffi opens at run time (ABI mode).
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from babycry_bench.arm.linux import SYSTEMS, ArmLinux
from babycry_bench.arm.wheel_file import (
    core_metadata,
    entry_points,
    escaped,
    package_files,
    packed,
    read_pyproject,
    wheel_metadata,
)
from babycry_bench.run_tool import require_tool, run_tool
from babycry_edge.errors import BabycryError
from babycry_edge.whole_file import write_whole

LIMIT_S = 300.0
_FIRST_LEVEL = (2, 17)  # manylinux2014, the first policy that has these machines
_ALLOWED_LIBRARIES = re.compile(r"^(libc\.so\.6|libm\.so\.6|ld-linux-(aarch64|armhf)\.so\.\d)$")
_API_MODE_TAG, _ABI_MODE_TAG = "cp310-abi3", "py3-none"


@dataclass(frozen=True)
class Extension:
    """A cross-built shared library.

    Attributes:
        name: in the package.
        files: of the package, by name: the library itself, stripped, and what the build says of
            itself.
        glibc: the newest version of glibc whose symbols it asks for, or the oldest that wheels
            may be made for.
        libraries: that it asks the system for.
    """

    name: str
    files: dict[str, bytes]
    glibc: tuple[int, int]
    libraries: tuple[str, ...]

    @property
    def is_module(self) -> bool:
        """A compiled cffi module, rather than the plain library."""
        return self.name.endswith(".abi3.so")


def build_extension(system: ArmLinux, source: Path, headers: Path | None) -> Extension:
    """Builds the C library, as Python takes it, out of the tree ``source``.

    Args:
        system: that it is for.
        source: the source tree.
        headers: folder of the system's Python.h; None builds the plain library.

    Raises:
        BabycryError: a tool is missing, the build failed, or the result asks for a library that
            not every Linux has.
    """
    require_tool("cmake", "cmake")
    require_tool(f"{system.triplet}-gcc", f"gcc-{system.triplet}")
    if headers is not None and not (headers / "Python.h").is_file():
        raise BabycryError(f"{headers}: holds no Python.h")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        what = f"the cross build for {system.machine}"
        toolchain = source.absolute() / f"csrc/toolchains/{system.triplet}.cmake"
        api_mode = "OFF" if headers is None else "ON"
        options = ["-DSKBUILD=ON", f"-DBABYCRY_API_MODE={api_mode}"]
        options += [] if headers is None else [f"-DPython_INCLUDE_DIR={headers.absolute()}"]
        options += [f"-DPython_EXECUTABLE={sys.executable}", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}"]
        configure: list[str | Path] = [
            "cmake",
            "-S",
            source.absolute(),
            "-B",
            folder / "build",
            *options,
        ]
        no_flags = {"CFLAGS": "", "LDFLAGS": ""}  # of this machine's user
        run_tool(what, configure, limit_s=LIMIT_S, environment=no_flags)
        run_tool(what, ["cmake", "--build", str(folder / "build"), "-j2"], limit_s=LIMIT_S)
        installed = folder / "installed"
        install = ["cmake", "--install", str(folder / "build"), "--strip"]
        install += ["--prefix", str(installed)]
        run_tool(what, install, limit_s=LIMIT_S)
        (library,) = installed.rglob("*.so")
        glibc, libraries = needs_of(library, system)
        files = {path.name: path.read_bytes() for path in library.parent.iterdir()}
        return Extension(library.name, files, glibc, libraries)


def build_wheel(system: ArmLinux, source: Path, folder: Path, headers: Path | None = None) -> Path:
    """Writes the project's wheel for ``system`` into ``folder``.

    The same tree, compiler and headers give the same bytes.

    Raises:
        BabycryError: as :func:`build_extension`, or the file cannot be written.
    """
    pyproject = read_pyproject(source)
    extension = build_extension(system, source, headers)
    version = _version(source)
    tag = wheel_tag(extension, system)
    stem = f"{escaped(pyproject['project']['name'])}-{version}"
    dist_info = f"{stem}.dist-info"
    readme = (source / pyproject["project"]["readme"]).read_text(encoding="utf-8")
    files = {name: path.read_bytes() for name, path in package_files(source, pyproject)}
    files |= {f"babycry_edge/{name}": content for name, content in extension.files.items()}
    files[f"{dist_info}/METADATA"] = core_metadata(pyproject, version, readme).encode()
    files[f"{dist_info}/WHEEL"] = wheel_metadata(tag).encode()
    files[f"{dist_info}/entry_points.txt"] = entry_points(pyproject).encode()
    for name in pyproject["project"]["license-files"]:
        files[f"{dist_info}/licenses/{name}"] = (source / name).read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{stem}-{tag}.whl"
    write_whole(wheel, packed(files, dist_info))
    return wheel


def wheel_tag(extension: Extension, system: ArmLinux) -> str:
    """What the extension truly runs on: ``cp310-abi3-manylinux_2_17_aarch64...``."""
    major, minor = extension.glibc
    platform = f"manylinux_{major}_{minor}_{system.machine}"
    if extension.glibc == _FIRST_LEVEL:
        platform = f"{platform}.manylinux2014_{system.machine}"
    return f"{_API_MODE_TAG if extension.is_module else _ABI_MODE_TAG}-{platform}"


def needs_of(library: Path, system: ArmLinux) -> tuple[tuple[int, int], tuple[str, ...]]:
    """The newest glibc whose symbols ``library`` asks for, and the libraries that it asks for."""
    readelf = f"{system.triplet}-readelf"
    command = [readelf, "--dynamic", "--version-info", "--wide", str(library)]
    text = run_tool(f"reading {library.name}", command, limit_s=LIMIT_S)
    libraries = tuple(sorted(set(re.findall(r"\(NEEDED\)\s+Shared library: \[(.*?)\]", text))))
    foreign = [name for name in libraries if not _ALLOWED_LIBRARIES.match(name)]
    if foreign:
        raise BabycryError(
            f"{library.name} for {system.machine} needs {', '.join(foreign)}, "
            "which not every Linux has: it cannot go into a wheel"
        )
    found = {(int(a), int(b)) for a, b in re.findall(r"\bGLIBC_(\d+)\.(\d+)", text)}
    return max(found | {_FIRST_LEVEL}), libraries


def _version(source: Path) -> str:
    header = source / "csrc/include/babycry/version.h"
    found = re.search(r'BC_VERSION "([^"]+)"', header.read_text(encoding="utf-8"))
    if found is None:
        raise BabycryError(f"{header}: defines no BC_VERSION")
    return found.group(1)


def main() -> int:
    """Entry of ``python -m babycry_bench.arm.wheel``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("machine", choices=sorted(SYSTEMS))
    parser.add_argument("-o", "--output", type=Path, default=Path("dist"), metavar="DIR")
    parser.add_argument("--headers", type=Path, help="folder of that machine's Python.h")
    parser.add_argument("--source", type=Path, default=Path(), help="the source tree")
    arguments = parser.parse_args()
    try:
        system = SYSTEMS[arguments.machine]
        print(build_wheel(system, arguments.source, arguments.output, arguments.headers))
    except BabycryError as error:
        print(f"arm_wheel: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
