"""Where a report goes: files of several kinds, each written whole or not at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babycry_bench.report import finite
from babycry_edge.errors import BabycryError
from babycry_edge.whole_file import write_whole


@dataclass(frozen=True)
class Outputs:
    """The files that were asked for. ``json`` may be "-", which is standard output."""

    json: str | None = None
    html: Path | None = None
    markdown: Path | None = None
    junit: Path | None = None

    def check(self) -> None:
        """Refuse what cannot be written before the minutes of work, not after.

        Raises:
            BabycryError: a folder is missing, or a path is a folder.
        """
        for path in self.files:
            if not path.parent.is_dir():
                raise BabycryError(
                    f"{path}: the folder {path.parent} does not exist: make it first"
                )
            if path.is_dir():
                raise BabycryError(f"{path}: is a folder: name a file in it")

    @property
    def files(self) -> list[Path]:
        """Every file that will be written."""
        json_file = None if self.json in (None, "-") else Path(str(self.json))
        paths = (json_file, self.html, self.markdown, self.junit)
        return [path for path in paths if path is not None]

    def write(self, report: dict[str, Any], comparison: dict[str, Any] | None = None) -> None:
        """Write all of them. What cannot be written does not keep the others from it.

        Args:
            report: of the schema.
            comparison: with a baseline, as :func:`babycry_bench.comparison.compare.compare` has it;
                it goes into the page and the Markdown.

        Raises:
            BabycryError: a file could not be written. When that is the JSON, it goes to standard
                output instead, so that what was measured is not lost.
        """
        from babycry_bench.reports.html.page import render
        from babycry_bench.reports.junit import junit_xml
        from babycry_bench.reports.markdown import render_markdown

        text = to_json(report)
        pages: list[tuple[Path | None, Callable[[], str]]] = [
            (self.html, lambda: render(report, comparison=comparison)),
            (self.markdown, lambda: render_markdown(report, comparison)),
            (self.junit, lambda: junit_xml(report)),
        ]
        if self.json == "-":
            sys.stdout.write(text)
        elif self.json is not None:
            try:
                write_whole(Path(self.json), text.encode())
            except BabycryError:
                sys.stdout.write(text)
                self._write_others(pages)
                raise
        self._write_others(pages)

    def _write_others(self, pages: Iterable[tuple[Path | None, Callable[[], str]]]) -> None:
        failures = []
        for path, make in pages:
            if path is None:
                continue
            try:
                write_whole(path, make().encode())
            except BabycryError as error:
                failures.append(str(error))
        if failures:
            raise BabycryError("; ".join(failures))


def to_json(document: dict[str, Any]) -> str:
    """Indented JSON; NaN and infinity, which JSON lacks, become null."""
    return json.dumps(finite(document), indent=2, allow_nan=False) + "\n"
