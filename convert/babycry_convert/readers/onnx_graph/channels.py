"""Networks that have an image's channels last, made to take them first."""

from __future__ import annotations

import torch
from torch import fx

from babycry_convert.readers.onnx_graph.tidy import tidy

#: An image of a sound has one channel, or three equal ones.
_CHANNELS = (1, 3)


def channels_first(module: fx.GraphModule) -> fx.GraphModule:
    """Change a network of (N, rows, columns, channels) in place to (N, channels, rows, columns).

    A network whose channels are first already, or that takes no image, stays as it is.
    """
    (entry,) = (n for n in module.graph.nodes if n.op == "placeholder")
    shape = entry.meta["shape"]
    if len(shape) != 4 or shape[1] in _CHANNELS or shape[3] not in _CHANNELS:
        return module
    batch, rows, columns, channels = shape
    with module.graph.inserting_after(entry):
        last = module.graph.call_function(torch.permute, (entry, (0, 2, 3, 1)))
    last.meta["shape"] = shape
    entry.meta["shape"] = (batch, channels, rows, columns)
    entry.replace_all_uses_with(last, delete_user_cb=lambda user: user is not last)
    tidy(module)
    return module
