"""What the bundled clips must give: hashes of their features, scores of the float network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from babycry_bench.parity.scores import ClipScore
from babycry_edge.errors import BabycryError

EXPECTED_FILE = Path(__file__).with_name("expected.json")
_MEND = "make it anew with python -m babycry_bench.make_expected"


@dataclass(frozen=True)
class Expected:
    """The content of ``expected.json``, which ``make_expected`` writes."""

    content: dict[str, Any]

    def features_sha256(self, profile: str, clip: str) -> str:
        """The hash that the features of ``clip`` by ``profile`` have on every target."""
        return str(self._find("features_sha256", profile, clip))

    def has_float_scores(self, network: str) -> bool:
        """Whether the float network of this name was scored."""
        return network in self.content.get("float_scores", {})

    def float_score(self, network: str, clip: str) -> ClipScore:
        """What the float network said of ``clip``."""
        entry = self._find("float_scores", network, "clips", clip)
        return ClipScore(
            clip=clip,
            score=float(entry["score"]),
            detected=bool(entry["detected"]),
            window_scores=np.asarray(entry["window_scores"], dtype=np.float64),
        )

    def _find(self, *keys: str) -> Any:
        node: Any = self.content
        for key in keys:
            if not isinstance(node, dict) or key not in node:
                raise BabycryError(f"expected.json has no {' / '.join(keys)}: {_MEND}")
            node = node[key]
        return node


def load_expected(path: Path = EXPECTED_FILE) -> Expected:
    """Read ``expected.json``.

    Raises:
        BabycryError: the file is missing or not JSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BabycryError(f"{path}: cannot be read: {error.strerror}; {_MEND}") from None
    except json.JSONDecodeError as error:
        raise BabycryError(f"{path}: not JSON: {error}; {_MEND}") from None
    if not isinstance(content, dict):
        raise BabycryError(f"{path}: not an object; {_MEND}")
    return Expected(content)
