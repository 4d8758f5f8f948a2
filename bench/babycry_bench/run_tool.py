"""Another program's run, bounded in time, whose failure is one line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from babycry_edge.errors import BabycryError

_LONGEST_LINE = 300


def require_tool(tool: str, package: str) -> None:
    """Refuses to go on without the command ``tool``.

    Raises:
        BabycryError: it is not installed; the message names Debian's package.
    """
    if shutil.which(tool) is None:
        raise BabycryError(f"{tool} is not installed: apt-get install {package}")


def run_tool(
    what: str,
    command: Sequence[str | Path],
    *,
    limit_s: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    any_status: bool = False,
) -> str:
    """Runs ``command`` to its end; gives back what it printed, standard output and error together.

    Args:
        what: what it does, for the message: "the cross build for aarch64".
        command: program and arguments.
        limit_s: seconds after which it is killed.
        environment: variables besides this process's own.
        folder: where it runs.
        any_status: the caller sees by itself whether it did its work.

    Raises:
        BabycryError: the program is missing, ended with another status than 0 or ran too long.
    """
    arguments = [str(part) for part in command]
    try:
        done = subprocess.run(
            arguments,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            check=False,
        )
    except OSError as error:
        raise BabycryError(f"{what}: {arguments[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise BabycryError(f"{what}: {arguments[0]} took longer than {limit_s:g} s") from None
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0 and not any_status:
        tool = Path(arguments[0]).name
        raise BabycryError(f"{what}: {tool} {_end(done.returncode)}: {last_words(output)}")
    return output


def last_words(output: str) -> str:
    """The line that tells most: a compiler's first error or a full disk, else the last that speaks
    of an error, or the last of all."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    cause = [line for line in lines if re.search(r"\berror:|No space left", line)]
    errors = [line for line in lines if "error" in line.lower() or line.startswith("E: ")]
    chosen = cause[0] if cause else (errors or lines or ["it said nothing"])[-1]
    return chosen if len(chosen) <= _LONGEST_LINE else f"{chosen[: _LONGEST_LINE - 3]}..."


def _end(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with {status}"
