"""Where this machine gets Debian's packages from, as /etc/apt says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babycry_edge.errors import BabycryError

APT = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")
_SCHEMES = ("http://", "https://", "file:/")


@dataclass(frozen=True)
class Source:
    """One archive that apt reads."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


def debian_mirror(apt: Path = APT, os_release: Path = OS_RELEASE) -> str:
    """The address of the archive that this release of Debian itself comes from.

    Raises:
        BabycryError: this is not Debian, or no source of apt has the release's main component.
    """
    release = _fields(os_release)
    codename = release.get("VERSION_CODENAME", "")
    if release.get("ID") != "debian" or not codename:
        raise BabycryError(
            "roots of ARM systems come from this machine's Debian mirror, and this is "
            f"{release.get('PRETTY_NAME', 'another system')}: run in a Debian container"
        )
    for source in sources(apt):
        if codename in source.suites and "main" in source.components:
            return source.uri
    raise BabycryError(f"{apt}: no source has {codename} main: add Debian's own archive")


def sources(apt: Path) -> Iterator[Source]:
    """Every binary source of ``apt``, in both formats, as far as a web or file address goes."""
    parts = apt / "sources.list.d"
    for path in (apt / "sources.list", *sorted(parts.glob("*.list"))):
        for line in _lines(path):
            yield from _one_line(line)
    for path in sorted(parts.glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", "\n".join(_lines(path))):
            yield from _deb822(stanza)


def _one_line(line: str) -> Iterator[Source]:
    words = re.sub(r"\[.*?\]", " ", line).split()
    if len(words) >= 4 and words[0] == "deb" and words[1].startswith(_SCHEMES):
        yield Source(words[1], (words[2],), tuple(words[3:]))


def _deb822(stanza: str) -> Iterator[Source]:
    unfolded = re.sub(r"\n[ \t]+", " ", stanza)
    pairs = (line.partition(":")[::2] for line in unfolded.splitlines())
    fields = {key.strip().lower(): value.split() for key, value in pairs}
    if "deb" not in fields.get("types", []) or fields.get("enabled", ["yes"])[0].lower() == "no":
        return
    for uri in fields.get("uris", []):
        if uri.startswith(_SCHEMES):
            yield Source(uri, tuple(fields.get("suites", [])), tuple(fields.get("components", [])))


def _lines(path: Path) -> list[str]:
    """The file's lines without comments; none where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if not line.startswith("#")]


def _fields(path: Path) -> dict[str, str]:
    pairs = (line.partition("=")[::2] for line in _lines(path))
    return {key: value.strip("\"'") for key, value in pairs}
