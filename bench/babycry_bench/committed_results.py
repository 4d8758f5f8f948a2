"""The files of ``bench/results``: one of each kind, named by the day and the processor."""

from __future__ import annotations

import re
from pathlib import Path

RESULTS = Path("bench/results")


def replace_results(kind: str, made: str, cpu: object, text: str) -> None:
    """Write ``text`` as ``KIND-DATE-CPU.json`` in the source tree, in place of the kind's last.

    Args:
        kind: "speed", "zoo", "bench"...
        made: ISO date, or date and time.
        cpu: the processor's name, of which the last word is taken.
        text: the JSON.
    """
    words = re.findall(r"[a-z]+", str(cpu).lower())
    for old in RESULTS.glob(f"{kind}-*.json"):
        old.unlink()
    name = f"{kind}-{made[:10]}-{words[-1] if words else 'cpu'}.json"
    (RESULTS / name).write_text(text, encoding="utf-8")
