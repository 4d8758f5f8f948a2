"""A module that only runs (TorchScript, an exported program) as a graph of ordinary layers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babycry_convert.quiet import quiet
from babycry_convert.readers import ReadRequest
from babycry_edge.errors import BabycryError

if TYPE_CHECKING:
    from torch import fx, nn

_OPSET = 17


def window_shapes(request: ReadRequest) -> list[tuple[int, ...]]:
    """The shapes that a network may take for one input, batch of 1, the likeliest first."""
    frames, values = request.window_shape
    if request.layout == "NTF":
        return [(1, frames, values)]
    if request.layout == "NFT":
        return [(1, values, frames)]
    if request.layout == "NF":
        return [(1, frames * values)]
    rows, columns = (frames, values) if request.layout == "NCTF" else (values, frames)
    likely = dict.fromkeys((request.channels, 1, 3))
    return [(1, channels, rows, columns) for channels in likely]


def through_onnx(module: nn.Module, shapes: list[tuple[int, ...]], path: Path) -> fx.GraphModule:
    """Export ``module`` to ONNX and read it back as a graph that gives logits.

    ``shapes``: the inputs to try in turn. ``path`` is for messages.

    Raises:
        BabycryError: the module takes none of the shapes, or cannot go through ONNX.
    """
    from babycry_convert.readers.onnx_graph import onnx_to_torch, without_activation

    shape = _fitting(module, shapes, path)
    try:
        graph = onnx_to_torch(_export(module, shape, path, open_batch=True))
    except BabycryError:
        # a module traced with sizes as numbers: the reader opens the batch where it can
        fixed = _export(module, shape, path, open_batch=False)
        try:
            graph = onnx_to_torch(fixed)
        except BabycryError as error:
            raise BabycryError(f"{path}: {error}") from None
    network, activation = without_activation(graph)
    network.meta["activation"] = activation
    return network


def _fitting(module: nn.Module, shapes: list[tuple[int, ...]], path: Path) -> tuple[int, ...]:
    """The first shape that ``module`` takes."""
    import torch

    reason = ""
    for shape in shapes:
        try:
            with quiet(), torch.no_grad():
                module(torch.zeros(shape))
        except Exception as error:  # the network's own code can raise anything
            reason = reason or last_line(error)
        else:
            return shape
    tried = " or ".join("x".join(str(n) for n in shape) for shape in shapes)
    raise BabycryError(f"{path}: the network takes no input of {tried}: {reason}")


def _export(module: nn.Module, shape: tuple[int, ...], path: Path, *, open_batch: bool) -> bytes:
    import torch

    axes: dict[str, Any] = {"features": {0: "batch"}, "logits": {0: "batch"}}
    buffer = io.BytesIO()
    try:
        with quiet(), _quiet_exporter(), torch.no_grad():
            torch.onnx.export(
                module,
                (torch.zeros(shape),),
                buffer,
                dynamo=False,
                opset_version=_OPSET,
                # keeps batch norms beside their convolutions, and so the layers' own names
                training=torch.onnx.TrainingMode.PRESERVE,
                input_names=["features"],
                output_names=["logits"],
                dynamic_axes=axes if open_batch else None,
            )
    except Exception as error:  # the exporter's errors have no common kind
        raise BabycryError(f"{path}: no way through ONNX: {last_line(error)}") from None
    return buffer.getvalue()


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The exporter prints a network that it cannot export from C++, past ``sys.stdout``."""
    import torch

    before = torch._C._jit_is_onnx_log_enabled()
    torch._C._jit_set_onnx_log_enabled(False)
    try:
        yield
    finally:
        torch._C._jit_set_onnx_log_enabled(before)


def first_line(error: BaseException) -> str:
    """What an error says, in one line, where what follows only shows the place."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__


def last_line(error: BaseException) -> str:
    """What an error says, in one line; torch puts the gist last."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    lines = [line for line in lines if not set(line) <= set("~ <-HERE^.")]
    return lines[-1][:300] if lines else type(error).__name__
