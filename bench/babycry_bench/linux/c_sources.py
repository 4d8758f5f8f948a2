"""Where the C library's sources are: in the source tree, or in what pip installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from babycry_bench.facts.build import describe_build
from babycry_edge.errors import BabycryError

_PACKAGE = Path(__file__).resolve().parents[1]


def c_sources() -> Path:
    """The folder with ``CMakeLists.txt`` and ``csrc``.

    Raises:
        BabycryError: this installation came without them.
    """
    for folder in (_PACKAGE / "source", _PACKAGE.parents[1]):
        if (folder / "CMakeLists.txt").is_file() and (folder / "csrc/ports/bench").is_dir():
            return folder
    raise BabycryError(
        f"{_PACKAGE}: the C sources are not here: pip install --force-reinstall babycry-edge"
    )


def git_commit(source: Path) -> str | None:
    """The commit of the sources, "-dirty" behind it where files were changed; None: not known.

    Installed sources are of the commit that the package was built from.
    """
    if source == _PACKAGE / "source":
        commit: str | None = describe_build()["git_commit"]
        return commit
    if not (source / ".git").exists():  # never that of a repository around it
        return None
    try:
        done = subprocess.run(
            [
                "git",
                "-C",
                str(source),
                "describe",
                "--always",
                "--dirty",
                "--abbrev=40",
                "--match=",
            ],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
