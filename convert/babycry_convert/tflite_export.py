"""torch -> float TFLite, through litert-torch."""

from __future__ import annotations

import copy
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from babycry_edge.engines.quiet import quiet_stderr
from babycry_edge.extras import require

if TYPE_CHECKING:
    from torch import nn


def export_tflite(module: nn.Module, window_frames: int, n_features: int) -> bytes:
    """Export a network to TFLite with batch 1 and the channel axis last.

    Args:
        module: maps float32 ``(1, 1, window_frames, n_features)`` to logits ``(1, n_labels)``.
        window_frames: frames in a window.
        n_features: values in a frame.

    Returns:
        The flatbuffer; its input has shape ``(1, window_frames, n_features, 1)``.

    Raises:
        BabycryError: litert-torch is not installed.
    """
    import torch

    with _quiet(), tempfile.TemporaryDirectory() as folder:
        litert_torch = require("litert_torch", "convert")
        # A copy: the conversion rewrites the modules that it is given.
        network = litert_torch.to_channel_last_io(copy.deepcopy(module).eval(), args=[0])
        example = torch.zeros(1, window_frames, n_features, 1)
        path = Path(folder, "float.tflite")
        litert_torch.convert(network, (example,)).export(str(path))
        return path.read_bytes()


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the converter's progress report, warnings and native notes."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            quiet_stderr(),
            redirect_stdout(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
