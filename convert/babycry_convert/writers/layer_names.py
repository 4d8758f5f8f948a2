"""Which layer of the torch network an operator of a model file came from.

Exporters rename, fold and transpose, so a layer is found by its weights: batch norm scales each
output channel, exporters permute axes and gates, but the shape of each channel's weights stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from babycry_convert.writers.operators import Operator, read_operators
from babycry_edge.model_file import ModelFormat

if TYPE_CHECKING:
    from torch import nn

#: Signatures come from float32 weights that were scaled: far more alike than two layers are.
_TOLERANCE = 1e-3

_WEIGHTED = {
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN"),
    *("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL"),
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
}


def layer_names(model: bytes, model_format: ModelFormat, module: nn.Module) -> dict[str, str]:
    """The torch layer of each operator with weights.

    Args:
        model: a float file of ``module``; layers that are folded into others (batch norm) or have
            no weights do not appear.
        module: the network that the file was exported from.

    Returns:
        First output tensor of the operator -> name of the layer in ``module.named_modules()``, in
        the file's order.
    """
    return name_operators(read_operators(model, model_format), module)


def name_operators(operators: Iterable[Operator], module: nn.Module) -> dict[str, str]:
    """:func:`layer_names` of operators that have been read; order tells equal layers apart."""
    layers = list(_layers(module))
    found: dict[str, str] = {}
    used: set[str] = set()
    for operator in operators:
        if operator.kind not in _WEIGHTED:
            continue
        names = [layer.name for layer in layers if _is_of(operator, layer)]
        if names:
            # The first that no operator has yet; an unrolled recurrence comes many times.
            name = next((name for name in names if name not in used), names[0])
            used.add(name)
            found[operator.outputs[0]] = name
    return found


def owners(operators: list[Operator], names: dict[str, str]) -> dict[str, set[str]]:
    """The layers that each operator belongs to: its own, or those whose results it works on.

    An activation, a sum or a pool belongs to the layers with weights right before it.

    Returns:
        First output tensor of each operator -> names of layers.
    """
    of_tensor: dict[str, set[str]] = {}
    result = {}
    for operator in operators:
        if not operator.outputs:
            continue
        own = names.get(operator.outputs[0])
        owned = {own} if own else set().union(*(of_tensor.get(n, set()) for n in operator.inputs))
        result[operator.outputs[0]] = owned
        for name in operator.outputs:
            of_tensor[name] = owned
    return result


def is_within(layer: str, chosen: Iterable[str]) -> bool:
    """Whether ``layer`` or a module around it is among ``chosen``."""
    return any(layer == name or layer.startswith(f"{name}.") for name in chosen)


@dataclass(frozen=True)
class _Layer:
    name: str
    size: int
    signatures: list[npt.NDArray[np.float64]]


def _layers(module: nn.Module) -> Iterator[_Layer]:
    from torch import nn

    for name, layer in module.named_modules():
        if isinstance(layer, nn.RNNBase):
            for matrix in _recurrent_weights(layer):
                yield _Layer(name, matrix.size, [_signature(matrix)])
            continue
        weight: Any = getattr(layer, "weight", None)
        if not hasattr(weight, "detach") or weight.dim() < 2:
            continue
        values = weight.detach().cpu().numpy()
        if isinstance(layer, nn.modules.conv._ConvTransposeNd):
            values = values.swapaxes(0, 1)
        yield _Layer(name, values.size, [_signature(values.reshape(len(values), -1))])


def _recurrent_weights(layer: Any) -> Iterator[npt.NDArray[Any]]:
    """Each input and hidden matrix by itself, and both directions as one."""
    for index in range(layer.num_layers):
        for kind in ("ih", "hh"):
            names = [f"weight_{kind}_l{index}{end}" for end in ("", "_reverse")]
            parts = [getattr(layer, n).detach().cpu().numpy() for n in names if hasattr(layer, n)]
            yield from parts
            if len(parts) == 2:
                yield np.concatenate(parts)


def _is_of(operator: Operator, layer: _Layer) -> bool:
    return any(
        _alike(signature, known)
        for values in operator.constants.values()
        if values.ndim >= 2 and values.size == layer.size and values.dtype == np.float32
        for signature in _operator_signatures(operator, values)
        for known in layer.signatures
    )


def _operator_signatures(
    operator: Operator, values: npt.NDArray[Any]
) -> list[npt.NDArray[np.float64]]:
    """Signatures with the axis of the output channels where this kind of operator has it."""
    if operator.kind in ("LSTM", "GRU", "RNN"):
        axes = [values.reshape(-1, values.shape[-1])]
    elif operator.kind == "DEPTHWISE_CONV_2D":
        axes = [values.reshape(-1, values.shape[-1]).T]
    elif operator.kind in ("Gemm", "MatMul", "BATCH_MATMUL"):
        flat = values.reshape(-1, values.shape[-1])
        axes = [flat, flat.T]
    elif operator.kind == "ConvTranspose":
        axes = [values.swapaxes(0, 1).reshape(values.shape[1], -1)]
    else:
        axes = [values.reshape(len(values), -1)]
    return [_signature(matrix) for matrix in axes]


def _signature(matrix: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Numbers of each row that neither its scale nor the order of its values changes, sorted."""
    rows = matrix.astype(np.float64)
    norms = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    rows = np.abs(np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0))
    moments: npt.NDArray[np.float64] = np.concatenate(
        [np.sort(rows.sum(axis=1)), np.sort((rows**4).sum(axis=1))]
    )
    return moments


def _alike(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> bool:
    return first.shape == second.shape and bool(
        np.allclose(first, second, rtol=_TOLERANCE, atol=_TOLERANCE)
    )
