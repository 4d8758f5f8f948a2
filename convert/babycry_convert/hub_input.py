"""From a network as its author had it to the hub's: windows ``(N, 1, T, F)`` in, logits out.

The layout and the image steps become part of the graph, so that a device needs the front-end
alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import fx, nn

from babycry_convert.hub import Network
from babycry_convert.readers import ReadRequest
from babycry_edge.errors import BabycryError

if TYPE_CHECKING:
    from babycry_convert.recipe import Image, Recipe


class HubInput(nn.Module):
    """Windows ``(N, 1, T, F)`` as the ``network`` takes them, and its answer."""

    def __init__(
        self, network: nn.Module, layout: str, image: Image | None, window_shape: tuple[int, int]
    ) -> None:
        super().__init__()
        self.layout = layout
        frames, values = window_shape
        rows, columns = (values, frames) if layout == "NCFT" else (frames, values)
        self.resize: dict[str, Any] | None = None
        self.channels: nn.Conv2d | None = None
        if image is not None:
            if tuple(image.size) != (rows, columns):
                self.resize = _resize((rows, columns), image.size)
            self.channels = _channels(image)
        self.network = network

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        if self.layout == "NF":
            given = windows.flatten(1)
        elif self.layout in ("NTF", "NFT"):
            given = windows.squeeze(1)
        else:
            given = windows
        if self.layout in ("NFT", "NCFT"):
            given = given.transpose(-2, -1)
        if self.resize is not None:
            given = nn.functional.interpolate(
                given, mode="bilinear", align_corners=False, **self.resize
            )
        if self.channels is not None:
            given = self.channels(given)
        logits: torch.Tensor = self.network(given)
        return logits


def network_from(module: nn.Module, recipe: Recipe, reader: str) -> Network:
    """The hub's network: ``module`` behind the recipe's layout and image steps, tried once.

    Layers keep the names that they have in ``module`` wherever the module can be traced.

    Args:
        module: takes the input that the recipe's layout says.
        recipe: its layout, image steps, window and labels.
        reader: how the module came, for the report.

    Raises:
        BabycryError: the module does not take such windows, its output is no row of logits, there
            are not as many of them as labels, or it ended in another activation than the recipe's.
    """
    layout, image = recipe.architecture.layout, recipe.image
    ended_in = getattr(module, "meta", {}).get("activation")  # what a reader took off its end
    if ended_in not in (None, recipe.labels.activation):
        raise BabycryError(
            f"the network ended in a {ended_in} and the recipe's activation is "
            f"{recipe.labels.activation}: change [labels] activation"
        )
    module = module.eval()
    if layout != "NCTF" or image is not None:
        module = _with_own_names(HubInput(module, layout, image, recipe.window_shape).eval())
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    _try_once(module, recipe)
    return Network(
        module, recipe.window_shape, len(recipe.labels.names), recipe.architecture.name, reader
    )


def read_request(
    recipe: Recipe, arch_class: str | None = None, trust_pickle: bool = False
) -> ReadRequest:
    """What a reader must know; behind image steps the "window" is the image."""
    architecture, image = recipe.architecture, recipe.image
    shape = recipe.window_shape
    if image is not None:
        rows, columns = image.size
        shape = (columns, rows) if architecture.layout == "NCFT" else (rows, columns)
    in_zoo = architecture.name not in ("custom", "scikit-learn")
    return ReadRequest(
        n_classes=len(recipe.labels.names),
        window_shape=shape,
        layout=architecture.layout,
        channels=1 if image is None else image.channels,
        architecture=architecture.name if in_zoo else None,
        options=dict(architecture.options),
        arch_class=arch_class,
        trust_pickle=trust_pickle,
    )


def _resize(before: tuple[int, int], after: tuple[int, int]) -> dict[str, Any]:
    """The new size as torch takes it: as factors where float32 holds them exactly.

    ONNX then has two constants; a size would be put together from the input's at run time.
    """
    factors = tuple(new / old for old, new in zip(before, after, strict=True))
    if all(np.float32(factor) == factor for factor in factors):
        return {"scale_factor": factors}
    return {"size": tuple(after)}


def _channels(image: Image) -> nn.Conv2d:
    """One channel to equal ones, then (x - mean) / std of each, as a 1x1 convolution."""
    layer = nn.Conv2d(1, image.channels, 1)
    mean, std = torch.tensor(image.mean), torch.tensor(image.std)
    with torch.no_grad():
        layer.weight.copy_((1 / std).reshape(-1, 1, 1, 1))
        assert layer.bias is not None
        layer.bias.copy_(-mean / std)
    return layer


def _with_own_names(wrapped: HubInput) -> nn.Module:
    """The same graph with the network's layers under the names that they had without the wrapper.

    A module that cannot be traced stays wrapped.
    """
    try:
        traced = fx.symbolic_trace(wrapped)
    except Exception:
        return wrapped
    parts: dict[str, Any] = {}
    for node in traced.graph.nodes:
        if node.op not in ("call_module", "get_attr"):
            continue
        part = attribute(traced, node.target)
        own = node.target.removeprefix("network.")
        node.target = own if parts.setdefault(own, part) is part else node.target
        parts[node.target] = part
    return fx.GraphModule(parts, traced.graph).eval()


def _try_once(module: nn.Module, recipe: Recipe) -> None:
    frames, values = recipe.window_shape
    layout, labels = recipe.architecture.layout, len(recipe.labels.names)
    try:
        with torch.no_grad():
            logits = module(torch.zeros(1, 1, frames, values))
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BabycryError(
            f"the network does not take windows of {frames} x {values} in layout {layout}: {reason}"
            ": check the recipe's layout, window, front-end and image"
        ) from None
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or len(logits) != 1:
        shape = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise BabycryError(f"the network gives {shape} for one window and not one row of logits")
    if logits.shape[1] != labels:
        raise BabycryError(
            f"the network gives {logits.shape[1]} outputs and the recipe names {labels} labels"
        )
    if not torch.isfinite(logits).all():
        raise BabycryError("the network gives no finite numbers for a silent window")


def attribute(module: nn.Module, target: str) -> Any:
    """What a dotted name stands for: a module, parameter or buffer."""
    found: Any = module
    for name in target.split("."):
        found = getattr(found, name)
    return found
