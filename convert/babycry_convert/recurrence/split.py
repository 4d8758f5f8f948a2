"""A network with GRU or LSTM layers in three pieces: body, recurrent layers, head.

The network is traced with torch.fx for one window, so that sizes are numbers. The body makes the
sequence from the window, the layers are taken out as weights, and the head makes the logits from
the last layer's states.
"""

from __future__ import annotations

import copy
import itertools
import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import fx, nn

from babycry_convert.hub import Network
from babycry_edge.errors import BabycryError
from babycry_edge.metadata import Direction, RecurrentKind

_SUFFIXES: dict[Direction, str] = {"forward": "", "backward": "_reverse"}

#: Modules that do nothing in eval mode, allowed between two recurrent layers.
_IDENTITIES = (nn.Dropout, nn.Identity)
_IDENTITY_METHODS = ("contiguous", "clone")


class CannotSplitError(BabycryError):
    """A network has recurrent layers, and is no chain of body, layers and head."""


@dataclass(frozen=True)
class CellWeights:
    """Torch's weights of one layer in one direction, the gates stacked in torch's order.

    ``input``: (gates * hidden, inputs); ``state``: (gates * hidden, hidden); the biases:
    (gates * hidden,). A GRU's gates are reset, update, new; an LSTM's input, forget, cell, output.
    """

    input: npt.NDArray[np.float32]
    state: npt.NDArray[np.float32]
    input_bias: npt.NDArray[np.float32]
    state_bias: npt.NDArray[np.float32]


@dataclass(frozen=True)
class SplitLayer:
    """One recurrent layer; ``weights`` has one entry for each direction, forward first."""

    kind: RecurrentKind
    hidden: int
    weights: dict[Direction, CellWeights]


@dataclass(frozen=True)
class SplitNetwork:
    """A network in pieces.

    ``body``: float32 (1, 1, T, F) to (1, steps, values). ``head``: the last layer's states,
    float32 (1, steps, hidden * directions), to logits (1, n_outputs).
    """

    body: nn.Module
    layers: tuple[SplitLayer, ...]
    head: nn.Module
    steps: int


def split(network: Network) -> SplitNetwork | None:
    """The three pieces of a network; None where it has no GRU and no LSTM layer.

    Raises:
        CannotSplitError: there is one, and the network is no chain of body, layers and head; the
            message says why.
    """
    if not any(isinstance(part, (nn.GRU, nn.LSTM)) for part in network.module.modules()):
        return None
    traced, run = _trace(network.module, network.window_shape)
    nodes = [node for node in traced.graph.nodes if _is_recurrent(traced, node)]
    if not nodes:
        return None
    _check_chain(traced, nodes)
    shapes = [_sequence_shape(_module(traced, node), run.shapes[_input(node)]) for node in nodes]
    steps, n_inputs = shapes[0]
    last = _module(traced, nodes[-1])
    outputs = tuple(run.shapes[nodes[-1]])
    return SplitNetwork(
        body=_body(traced, _input(nodes[0]), steps, n_inputs),
        layers=tuple(layer for node in nodes for layer in _layers(_module(traced, node))),
        head=_head(traced, nodes[-1], last, outputs),
        steps=steps,
    )


def _refused(reason: str) -> CannotSplitError:
    return CannotSplitError(f"the recurrent layers cannot be taken out of the network: {reason}")


# ---- tracing


def _trace(module: nn.Module, window_shape: tuple[int, int]) -> tuple[fx.GraphModule, _Recorder]:
    """The network's graph with numbers in place of sizes, and what one run of it showed."""
    try:
        traced = fx.symbolic_trace(copy.deepcopy(module).eval())
        run = _Recorder(traced)
        window = torch.randn(1, 1, *window_shape, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            run.run(window)
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise _refused(f"torch.fx cannot trace it ({lines[0]})") from None
    for node in traced.graph.nodes:
        if _is_recurrent(traced, node):
            _drop_zero_state(node, run.zeros)
    for node, value in run.constants.items():
        _put_constant(node, value)
    traced.graph.eliminate_dead_code()
    return traced, run


class _Recorder(fx.Interpreter):
    """Runs the graph once; keeps what is no tensor, tensors' shapes, and which are zero.

    The shape of a recurrent layer is that of its sequence.
    """

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.constants: dict[fx.Node, Any] = {}
        self.shapes: dict[fx.Node, torch.Size] = {}
        self.zeros: set[fx.Node] = set()

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.op == "output":
            return value
        if _is_plain(value):
            self.constants[n] = tuple(value) if isinstance(value, torch.Size) else value
        first = value[0] if isinstance(value, tuple) and len(value) else value
        if isinstance(first, torch.Tensor):
            self.shapes[n] = first.shape
            if not first.any():
                self.zeros.add(n)
        return value


def _is_plain(value: object) -> bool:
    if isinstance(value, (tuple, list)):
        return all(_is_plain(item) for item in value)
    return isinstance(value, (int, float, bool, str, torch.dtype, torch.device))


def _put_constant(node: fx.Node, value: Any) -> None:
    for user in list(node.users):
        user.args = fx.node.map_arg(user.args, lambda n: value if n is node else n)
        user.kwargs = fx.node.map_arg(user.kwargs, lambda n: value if n is node else n)


def _drop_zero_state(node: fx.Node, zeros: set[fx.Node]) -> None:
    """Remove a recurrent layer's initial state, which must be zero: so it is without one."""
    states: list[fx.Node] = []
    fx.node.map_arg((node.args[1:], node.kwargs.get("hx")), states.append)
    if any(state not in zeros for state in states):
        raise _refused("a layer starts from a state that is not zero")
    node.args = (_input(node),)
    node.kwargs = {}


# ---- the chain of layers


def _is_recurrent(traced: fx.GraphModule, node: fx.Node) -> bool:
    if node.op != "call_module":
        return False
    return isinstance(traced.get_submodule(str(node.target)), (nn.GRU, nn.LSTM))


def _module(traced: fx.GraphModule, node: fx.Node) -> nn.GRU | nn.LSTM:
    module = traced.get_submodule(str(node.target))
    assert isinstance(module, (nn.GRU, nn.LSTM))
    return module


def _input(node: fx.Node) -> fx.Node:
    value = node.args[0] if node.args else node.kwargs["input"]
    assert isinstance(value, fx.Node)
    return value


def _check_chain(traced: fx.GraphModule, nodes: list[fx.Node]) -> None:
    for before, after in itertools.pairwise(nodes):
        if set(_taken(before)) - {0}:
            raise _refused("the state after the last step is taken from an inner layer")
        if _source(traced, _input(after)) not in _taken(before).get(0, []):
            raise _refused("something stands between two recurrent layers, or beside them")
        if _module(traced, before).batch_first != _module(traced, after).batch_first:
            raise _refused("two recurrent layers differ in batch_first")


def _source(traced: fx.GraphModule, node: fx.Node) -> fx.Node:
    """``node``, or what stands before it when it does nothing."""
    while True:
        if node.op == "call_module":
            idle = isinstance(traced.get_submodule(str(node.target)), _IDENTITIES)
        else:
            idle = node.op == "call_method" and node.target in _IDENTITY_METHODS
            idle = idle or node.target is nn.functional.dropout
        if not idle:
            return node
        node = node.all_input_nodes[0]


def _taken(node: fx.Node) -> dict[int, list[fx.Node]]:
    """What is taken of a recurrent layer's result: 0, the sequence; 1, the last states."""
    taken: dict[int, list[fx.Node]] = {}
    for user in node.users:
        if user.target is not operator.getitem or user.args[1] not in (0, 1):
            raise _refused("a layer's result is used as a whole")
        taken.setdefault(int(user.args[1]), []).append(user)  # type: ignore[call-overload]
    return taken


def _sequence_shape(module: nn.GRU | nn.LSTM, shape: torch.Size) -> tuple[int, int]:
    """(steps, values) of a layer's input for one window."""
    batch_axis = 0 if module.batch_first else 1
    if len(shape) == 3 and shape[batch_axis] != 1:
        raise _refused(f"a layer takes {shape[batch_axis]} sequences for one window")
    return int(shape[-2] if len(shape) == 2 or module.batch_first else shape[0]), int(shape[-1])


def _layers(module: nn.GRU | nn.LSTM) -> list[SplitLayer]:
    if module.proj_size:
        raise _refused("an LSTM has projections")
    kind: RecurrentKind = "gru" if isinstance(module, nn.GRU) else "lstm"
    directions: tuple[Direction, ...] = ("forward", "backward")[: 1 + module.bidirectional]
    return [
        SplitLayer(kind, module.hidden_size, {way: _weights(module, i, way) for way in directions})
        for i in range(module.num_layers)
    ]


def _weights(module: nn.GRU | nn.LSTM, layer: int, direction: Direction) -> CellWeights:
    def values(name: str) -> npt.NDArray[np.float32]:
        tensor = getattr(module, f"{name}_l{layer}{_SUFFIXES[direction]}").detach().cpu()
        array: npt.NDArray[np.float32] = tensor.numpy().astype(np.float32)
        return array

    state = values("weight_hh")
    none = np.zeros(len(state), np.float32)
    return CellWeights(
        input=values("weight_ih"),
        state=state,
        input_bias=values("bias_ih") if module.bias else none,
        state_bias=values("bias_hh") if module.bias else none,
    )


# ---- body and head


def _body(traced: fx.GraphModule, end: fx.Node, steps: int, n_inputs: int) -> nn.Module:
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    _copy_needed(traced, end, graph, copies)
    graph.output(graph.call_method("reshape", (copies[end], 1, steps, n_inputs)))
    return fx.GraphModule(traced, graph).eval()


def _head(
    traced: fx.GraphModule,
    node: fx.Node,
    module: nn.GRU | nn.LSTM,
    outputs: tuple[int, ...],
) -> nn.Module:
    """What follows the last layer, with its sequence as ``outputs``, torch's shape of it."""
    graph = fx.Graph()
    states = graph.placeholder("states")
    taken = _taken(node)
    copies = {use: graph.call_method("reshape", (states, *outputs)) for use in taken.get(0, [])}
    for use in taken.get(1, []):
        copies |= _last_states(graph, states, use, module)
    end = next(n for n in traced.graph.nodes if n.op == "output").all_input_nodes[0]
    _copy_needed(traced, end, graph, copies, window_is_taken=True)
    graph.output(copies[end])
    head = fx.GraphModule(traced, graph).eval()
    head.graph.eliminate_dead_code()
    head.recompile()
    return head


def _last_states(
    graph: fx.Graph, states: fx.Node, use: fx.Node, module: nn.GRU | nn.LSTM
) -> dict[fx.Node, fx.Node]:
    """In place of h_n: each direction's last state, cut out of the sequence."""
    hidden = module.hidden_size
    cuts = [(slice(None), -1, slice(0, hidden))]
    if module.bidirectional:
        cuts.append((slice(None), 0, slice(hidden, 2 * hidden)))
    last = [graph.call_function(operator.getitem, (states, cut)) for cut in cuts]
    n_inner = (module.num_layers - 1) * len(last)
    copies: dict[fx.Node, fx.Node] = {}
    for final in _final_nodes(use, module):
        for user in final.users:
            index = user.args[1] if user.target is operator.getitem else None
            if isinstance(index, int):
                index = index if index >= 0 else index + n_inner + len(last)
                if index < n_inner:
                    raise _refused("the state after the last step is taken from an inner layer")
                copies[user] = last[index - n_inner]
            elif n_inner:
                raise _refused("the states after the last step of several layers are used")
            else:
                copies[final] = graph.call_function(torch.stack, (last,))
    return copies


def _final_nodes(use: fx.Node, module: nn.GRU | nn.LSTM) -> list[fx.Node]:
    """The nodes that are h_n; an LSTM's result has it before c_n."""
    if isinstance(module, nn.GRU):
        return [use]
    if any(u.target is not operator.getitem or u.args[1] != 0 for u in use.users):
        raise _refused("an LSTM's cell state after the last step is used")
    return list(use.users)


def _copy_needed(
    traced: fx.GraphModule,
    end: fx.Node,
    graph: fx.Graph,
    copies: dict[fx.Node, fx.Node],
    window_is_taken: bool = False,
) -> None:
    """Copy ``end`` and all that it needs, except what ``copies`` already has."""
    needed: set[fx.Node] = set()
    waiting = [end]
    while waiting:
        node = waiting.pop()
        if node not in needed and node not in copies:
            needed.add(node)
            waiting += node.all_input_nodes
    for node in traced.graph.nodes:
        if node in needed:
            if window_is_taken and node.op == "placeholder":
                raise _refused("the window reaches the output beside the recurrent layers")
            copies[node] = graph.node_copy(node, lambda n: copies[n])
