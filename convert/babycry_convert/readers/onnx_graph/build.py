"""A torch.fx graph that grows operator by operator and knows every size as it grows.

The graph is evaluated while it is built, at two batch sizes at once. What does not depend on the
input's values (weights, and arithmetic on shapes) is folded; a size that differs between the two
is the batch's and stays open, any other becomes a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from babycry_edge.errors import BabycryError

#: A tensor of more elements is refused before it is computed: no window of audio needs it.
MAX_ELEMENTS = 1 << 26


@dataclass(frozen=True)
class Value:
    """One tensor (or, from a recurrent layer, a tuple) of the graph.

    ``samples``: its value for each batch size of the evaluation. ``node``: None if it does not
    depend on the input's values.
    """

    samples: tuple[Any, ...]
    node: fx.Node | None = None

    @property
    def known(self) -> bool:
        return self.node is None

    @property
    def constant(self) -> bool:
        """Known, and the same at every batch size."""
        first = self.samples[0]
        return self.known and all(
            s.shape == first.shape and torch.equal(s, first) for s in self.samples[1:]
        )

    @property
    def tensor(self) -> torch.Tensor:
        """A constant's value."""
        if not self.constant:
            raise BabycryError("it needs a weight that does not depend on the input")
        first: torch.Tensor = self.samples[0]
        return first

    @property
    def rank(self) -> int:
        return int(self.samples[0].ndim)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The sizes; None for one that follows the batch."""
        return open_shape([tuple(s.shape) for s in self.samples])

    def integers(self) -> list[int]:
        """A constant's elements as integers."""
        return [int(v) for v in self.tensor.flatten().tolist()]


def open_shape(shapes: Sequence[tuple[int, ...]]) -> tuple[int | None, ...]:
    if len({len(shape) for shape in shapes}) != 1:
        raise BabycryError("its rank depends on the batch")
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))


class Build:
    """Grows the graph. ``batches``: the batch sizes of the evaluation."""

    def __init__(self, input_shape: Sequence[int | None], batches: tuple[int, ...]) -> None:
        self.batches = batches
        self.root = nn.Module()
        self.graph = fx.Graph()
        self._leaves: set[str] = set()
        self._parents: set[str] = set()
        generator = torch.Generator().manual_seed(7)
        full = tuple(max(batches) if s is None else s for s in input_shape)
        if math.prod(full) > MAX_ELEMENTS:
            raise BabycryError(f"an input of {full} is too large")
        most = torch.randn(full, generator=generator)
        self.input = Value(tuple(most[:b] for b in batches), self.graph.placeholder("x"))
        self._note(self.input)

    def known(self, samples: Sequence[torch.Tensor]) -> Value:
        """A value that depends on sizes only: one sample a batch size."""
        return Value(tuple(samples))

    def constant(self, tensor: torch.Tensor) -> Value:
        return Value((tensor,) * len(self.batches))

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Value:
        """Apply a function; folded at once if no argument depends on the input's values."""
        self._check_size(function, args, kwargs)
        samples = tuple(function(*_at(args, i), **_at(kwargs, i)) for i in range(len(self.batches)))
        for sample in samples:
            _refuse_large(sample)
        if all(v.known for v in _values((args, kwargs))):
            return Value(samples)
        node = self.graph.call_function(function, self._arguments(args), self._arguments(kwargs))
        return self._note(Value(samples, node))

    def layer(self, name: str, module: nn.Module, *args: Value) -> Value:
        """Apply a module under a name near ``name``."""
        module.eval()
        if all(v.known for v in args):
            return Value(tuple(module(*_at(args, i)) for i in range(len(self.batches))))
        parameters = {
            n: torch.empty_like(p, device="meta")
            for n, p in (*module.named_parameters(), *module.named_buffers())
        }
        if not isinstance(module, nn.RNNBase):

            def on_meta(*values: Any) -> Any:
                return torch.func.functional_call(module, parameters, values)

            self._check_size(on_meta, args, {})
        samples = tuple(module(*_at(args, i)) for i in range(len(self.batches)))
        for sample in samples:
            _refuse_large(sample)
        path = self._place(name)
        self._add_submodule(path, module)
        node = self.graph.call_module(path, self._arguments(args))
        return self._note(Value(samples, node))

    def item(self, value: Value, index: int) -> Value:
        """One of several results."""
        samples = tuple(sample[index] for sample in value.samples)
        if value.node is None:
            return Value(samples)
        import operator

        node = self.graph.call_function(operator.getitem, (value.node, index))
        return self._note(Value(samples, node))

    def reshape(self, value: Value, shapes: Sequence[Sequence[int]]) -> Value:
        """``shapes``: the new shape at each batch size; one -1 is allowed in each."""
        samples = tuple(
            s.reshape(tuple(shape)) for s, shape in zip(value.samples, shapes, strict=True)
        )
        if value.node is None:
            return Value(samples)
        wanted = open_shape([tuple(s.shape) for s in samples])
        node = self.graph.call_function(torch.reshape, (value.node, target(wanted)))
        return self._note(Value(samples, node))

    def finish(self, output: Value) -> fx.GraphModule:
        if output.node is None:
            raise BabycryError("the ONNX model's output does not depend on its input")
        self.graph.output(output.node)
        module = fx.GraphModule(self.root, self.graph)
        module.eval()
        return module

    def _note(self, value: Value) -> Value:
        assert value.node is not None
        if isinstance(value.samples[0], torch.Tensor):
            value.node.meta["shape"] = value.shape
        return value

    def _arguments(self, args: Any) -> Any:
        """The arguments with every value as a node."""
        if isinstance(args, Value):
            if args.node is not None:
                return args.node
            constant = args.tensor
            name = self._place("constant")
            self.root.register_buffer(name, constant.clone().contiguous())
            node = self.graph.get_attr(name)
            node.meta["shape"] = tuple(constant.shape)
            return node
        if isinstance(args, dict):
            return {key: self._arguments(value) for key, value in args.items()}
        if isinstance(args, (list, tuple)):
            return type(args)(self._arguments(item) for item in args)
        return args

    def _check_size(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        """Refuse a result that is too large before there is memory for it."""
        last = len(self.batches) - 1
        try:
            result = function(*_at(args, last, meta=True), **_at(kwargs, last, meta=True))
        except NotImplementedError:
            return
        _refuse_large(result)

    def _place(self, name: str) -> str:
        """A free dotted name in the module tree."""
        parts = [_identifier(part) for part in re.split(r"[./:]+", name) if part]
        path = ".".join(parts) or "layer"
        if any(path.startswith(f"{leaf}.") for leaf in self._leaves):
            path = path.replace(".", "_")
        unique, count = path, 1
        while unique in self._leaves or unique in self._parents:
            count += 1
            unique = f"{path}_{count}"
        self._leaves.add(unique)
        pieces = unique.split(".")
        self._parents.update(".".join(pieces[:i]) for i in range(1, len(pieces)))
        return unique

    def _add_submodule(self, path: str, module: nn.Module) -> None:
        *parents, leaf = path.split(".")
        place = self.root
        for parent in parents:
            if not hasattr(place, parent):
                place.add_module(parent, nn.Module())
            place = getattr(place, parent)
        place.add_module(leaf, module)


def target(shape: Sequence[int | None]) -> tuple[int, ...]:
    """A shape for ``torch.reshape``: -1 where the size follows the batch."""
    if sum(size is None for size in shape) > 1:
        raise BabycryError("more than one of its sizes depends on the batch")
    return tuple(-1 if size is None else size for size in shape)


def _identifier(text: str) -> str:
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    if name in _RESERVED:
        name += "_"
    return name if name and not name.startswith("__") else f"layer{name}"


_RESERVED = frozenset(dir(nn.Module()))


def _at(args: Any, index: int, *, meta: bool = False) -> Any:
    """The arguments' samples at one batch size."""
    if isinstance(args, Value):
        return _meta(args.samples[index]) if meta else args.samples[index]
    if isinstance(args, dict):
        return {key: _at(value, index, meta=meta) for key, value in args.items()}
    if isinstance(args, (list, tuple)):
        return type(args)(_at(item, index, meta=meta) for item in args)
    return args


def _meta(sample: Any) -> Any:
    if isinstance(sample, torch.Tensor):
        return torch.empty_like(sample, device="meta")
    return sample


def _values(args: Any) -> list[Value]:
    if isinstance(args, Value):
        return [args]
    if isinstance(args, dict):
        args = list(args.values())
    if isinstance(args, (list, tuple)):
        return [value for item in args for value in _values(item)]
    return []


def _refuse_large(sample: Any) -> None:
    if isinstance(sample, torch.Tensor) and sample.numel() > MAX_ELEMENTS:
        raise BabycryError(f"it gives a tensor of {tuple(sample.shape)}, too large to be meant")
    if isinstance(sample, (list, tuple)):
        for item in sample:
            _refuse_large(item)
