"""ONNX -> torch: a torch.fx.GraphModule of ordinary layers.

Everything that is not torch comes through here. Convolutions, batch norms, poolings, activations
and recurrent layers become torch's own modules, so that folding, quantising and splitting at a
recurrence find them; arithmetic on shapes is folded away; the batch stays open. A network is
given out only if it agrees with onnxruntime on the same file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from babycry_edge.errors import BabycryError

if TYPE_CHECKING:
    import onnx
    from torch import fx

    from babycry_convert.readers.onnx_graph.build import Build, Value
    from babycry_convert.readers.onnx_graph.checked_model import CheckedModel

#: The batch sizes at which a graph is evaluated while it is built.
_BATCHES = (2, 3)


def onnx_to_torch(model: bytes, input_shape: Sequence[int | None] | None = None) -> fx.GraphModule:
    """Read an ONNX model of one float32 input and one float32 output.

    Args:
        model: the file's bytes.
        input_shape: sizes for axes that the file leaves open, the batch first (its size is not
            used); None on an axis where the file's own size is wanted.

    Returns:
        The network in eval mode, float32 (N, ...) -> (N, ...) as in the file, with the batch open
        even where the file fixes it to 1, if the graph allows.

    Raises:
        BabycryError: malformed, an operator or a use of one that is not read (both named), an axis
            of no known size, or a result that differs from onnxruntime's.
    """
    from babycry_convert.readers.onnx_graph.checked_model import check_model

    checked = check_model(model)
    shape = _input_shape(checked, input_shape)
    batch = shape[0]
    if batch not in (None, 1):
        raise BabycryError(
            f"the ONNX model takes batches of {batch}: export it with a batch of 1 or an open one"
        )
    try:
        return _read(checked, shape, _BATCHES)
    except BabycryError:
        if batch is None:
            raise
    return _read(checked, shape, (1,))


def without_activation(module: fx.GraphModule) -> tuple[fx.GraphModule, str | None]:
    """Take a softmax or sigmoid off the network's end: (the network to its logits, what it was).

    The second is "softmax", "sigmoid" or None; the module is changed in place.
    """
    from torch import nn

    (output,) = (n for n in module.graph.nodes if n.op == "output")
    last = output.args[0]
    if last.op != "call_module":
        return module, None
    layer = module.get_submodule(str(last.target))
    kinds = {nn.Softmax: "softmax", nn.LogSoftmax: "softmax", nn.Sigmoid: "sigmoid"}
    found = kinds.get(type(layer))
    if found is None:
        return module, None
    output.replace_input_with(last, last.args[0])
    module.graph.erase_node(last)
    module.delete_all_unused_submodules()
    module.recompile()
    return module, found


def _input_shape(
    checked: CheckedModel, wanted: Sequence[int | None] | None
) -> tuple[int | None, ...]:
    """The sizes of the input; None only for an open batch."""
    shape = list(checked.input_shape)
    if not shape:
        raise BabycryError("the ONNX model does not say its input's shape")
    if wanted is not None and len(wanted) == len(shape):
        sizes = zip(shape[1:], wanted[1:], strict=True)
        shape[1:] = [own if own is not None else given for own, given in sizes]
    if any(size is None for size in shape[1:]):
        raise BabycryError(
            f"the ONNX model leaves its input's shape open ({_text(checked.input_shape)}): "
            "fix all axes but the batch when exporting"
        )
    return tuple(shape)


def _text(shape: Sequence[int | None]) -> str:
    return ", ".join("?" if size is None else str(size) for size in shape)


def _read(
    checked: CheckedModel, shape: tuple[int | None, ...], batches: tuple[int, ...]
) -> fx.GraphModule:
    import torch

    from babycry_convert.readers.onnx_graph.agreement import check_agreement
    from babycry_convert.readers.onnx_graph.build import Build
    from babycry_convert.readers.onnx_graph.shapes import to_torch
    from babycry_convert.readers.onnx_graph.tidy import tidy

    opens_batch = shape[0] is not None and batches != (shape[0],)
    with torch.no_grad():
        build = Build((None, *shape[1:]), batches)
        values: dict[str, Value | None] = {"": None, checked.input_name: build.input}
        for name, tensor in checked.constants.items():
            values[name] = build.constant(to_torch(tensor))
        uses = Counter(name for node in checked.nodes for name in node.input)
        uses[checked.output_name] += 1
        for node in checked.nodes:
            _convert(node, checked, build, values, uses, opens_batch)
        output = values.get(checked.output_name)
        if output is None:
            raise BabycryError(f"nothing gives the ONNX model's output {checked.output_name!r}")
        module = build.finish(output)
        tidy(module)
        sizes = tuple(size or 0 for size in shape)
        check_agreement(checked.proto, module, sizes, batches if shape[0] else (1, *batches))
    return module


def _convert(
    node: onnx.NodeProto,
    checked: CheckedModel,
    build: Build,
    values: dict[str, Value | None],
    uses: Counter[str],
    opens_batch: bool,
) -> None:
    """Carry out one operator of the file; its results go into ``values``."""
    from babycry_convert.readers.onnx_graph import (  # noqa: F401  (their rules register)
        arithmetic,
        layers,
        recurrent,
        shapes,
    )
    from babycry_convert.readers.onnx_graph.checked_model import attributes, title
    from babycry_convert.readers.onnx_graph.operation import RULES, Operation

    known = RULES.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    if known is None:
        raise BabycryError(f"{title(node)} is not supported by this converter")
    for name in node.input:
        if name not in values:
            raise BabycryError(f"{title(node)} reads {name!r}, which nothing gives")
    try:
        result = known(
            Operation(
                build=build,
                kind=node.op_type,
                name=node.name or (node.output[0] if node.output else ""),
                inputs=[values[name] for name in node.input],
                input_names=list(node.input),
                n_outputs=len(node.output),
                attributes=attributes(node),
                opset=checked.opset,
                uses=uses,
                opens_batch=opens_batch,
            )
        )
    except BabycryError as error:
        raise BabycryError(f"{title(node)} cannot be read: {error}") from None
    except Exception as error:  # a damaged file can bring any of the libraries' errors about
        text = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise BabycryError(f"{title(node)} cannot be read: {text}") from None
    results = result if isinstance(result, list) else [result]
    values.update(zip(node.output, results, strict=False))
