"""Whether an installed wheel works: ``python -m babycry_bench.arm.wheel_smoke``.

The golden recording inside each bundled model goes through the front-end; the features must have
the recorded bits. Needs neither an inference engine nor a library for sound files.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from babycry_edge.errors import BabycryError
from babycry_edge.frontend import instruction_sets
from babycry_edge.metadata import parse_metadata
from babycry_edge.model import features_sha256, golden_windows
from babycry_edge.model_reader import read_model_file
from babycry_edge.models import NAMES, bundled


def features_are_right(path: Path) -> bool:
    """Whether this machine gives the features that ``path`` records.

    Raises:
        BabycryError: the file cannot be read, or records none.
    """
    _, file = read_model_file(path)
    metadata = parse_metadata(file.metadata_json or "")
    if metadata.golden is None:
        raise BabycryError(f"{path}: records no golden features")
    found = features_sha256(golden_windows(metadata, metadata.golden))
    return found == metadata.golden.features_sha256


def main() -> int:
    """Entry of ``python -m babycry_bench.arm.wheel_smoke``; the exit status is 1 for other bits."""
    wrong = [name for name in NAMES if not features_are_right(bundled(name))]
    for name in wrong:
        print(f"wheel_smoke: {name}: other features than recorded", file=sys.stderr)
    if not wrong:
        print(f"{platform.machine()} ({instruction_sets()[0]}): features as recorded, bit for bit")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
