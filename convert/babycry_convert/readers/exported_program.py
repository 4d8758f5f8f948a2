"""torch.export files (.pt2).

torch.export.load is not safe with a stranger's file: it unpickles what the file marks as pickled,
evaluates symbolic sizes with SymPy (which is Python's eval), makes Python source out of the names
in the graph, and runs guards. So the archive is read and written anew without what it does not
need (guards, notes, compiled code), and every string that is left is checked: names are names,
sizes are plain expressions, operators are torch's own, pickles hold tensors only. What does not
pass needs --trust-pickle.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babycry_convert.quiet import quiet
from babycry_convert.readers import ReadRequest
from babycry_convert.readers.through_onnx import last_line, through_onnx, window_shapes
from babycry_convert.readers.torch_archive import (
    ZIP_MAGIC,
    TorchArchive,
    archive_kind,
    read_archive,
)
from babycry_edge.errors import BabycryError

if TYPE_CHECKING:
    from torch import fx

SUFFIXES = (".pt2",)

_TARGET = re.compile(r"(torch\.ops\.aten\.\w+\.\w+|_operator\.\w+)\Z", re.ASCII)
_EXPRESSION = re.compile(
    r"(Symbol|Integer|Add|Mul|Pow|Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|True|False|"
    r"integer|positive|nonnegative|'[su]\d{1,6}'|[su]\d{1,6}|\d{1,9}|[-+*(),= ])*\Z"
)
_LONGEST_EXPRESSION = 1000
_WORD = re.compile(r"[\w.+-]*\Z", re.ASCII)
_CONTAINERS = ("builtins.tuple", "builtins.list", "builtins.dict")
_MEMBERS = re.compile(
    r"(archive_format|archive_version|byteorder|\.data/version|models/model\.json"
    r"|data/(weights|constants)/model_(weights|constants)_config\.json"
    r"|data/weights/weight_\d+|data/constants/tensor_\d+|data/sample_inputs/model\.pt)\Z"
)


def sniff(path: Path, head: bytes) -> bool:
    if not head.startswith(ZIP_MAGIC):
        return False
    kind = archive_kind(path)
    return kind == "exported program" or (kind is None and path.suffix == ".pt2")


def read(path: Path, request: ReadRequest) -> fx.GraphModule:
    """The network as a graph of ordinary layers, to its logits.

    Raises:
        BabycryError: damaged, with code in it, no network for the window of the request, or of
            operators that the ONNX reader does not know.
    """
    import torch

    archive = read_archive(path)
    if "archive_format" not in archive.members:
        raise BabycryError(f"{path}: written by torch before 2.8: load it there and save it again")
    if not request.trust_pickle:
        archive = _harmless(path, archive)
    try:
        with quiet():
            program = torch.export.load(archive.rewritten())
            module = program.module(check_guards=False)
            # the exporter sets the mode, which an exported program refuses: it has only one
            module.train = lambda mode=True: module
            module._forward_pre_hooks.clear()  # checks of the input's sizes
            shapes = _shapes(program, request)
            _fix_sizes(module, shapes[0])
    except Exception as error:  # torch's errors have no common kind
        raise BabycryError(
            f"{path}: no exported program that can be loaded: {last_line(error)}"
        ) from None
    return through_onnx(module, shapes, path)


def _shapes(program: Any, request: ReadRequest) -> list[tuple[int, ...]]:
    """The shape that the program was exported with; its batch may be fixed."""
    import torch

    tensors = [v for v in program.example_inputs[0] if isinstance(v, torch.Tensor)]
    own = [tuple(t.shape) for t in tensors[:1]]
    return [(1, *shape[1:]) for shape in own] + own + window_shapes(request)


def _fix_sizes(module: fx.GraphModule, shape: tuple[int, ...]) -> None:
    """Open sizes as the numbers that they are for one input: the tracer takes no symbols.

    The ONNX reader opens the batch again.
    """
    import torch
    from torch import fx

    size = torch.ops.aten.sym_size.int
    found = [n for n in module.graph.nodes if n.target is size]
    if not found:
        return
    sizes: dict[fx.Node, int] = {}

    class Sizes(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            result = super().run_node(n)
            if n in found:
                sizes[n] = result
            return result

    with torch.no_grad():
        Sizes(module).run(torch.zeros(shape))
    for node in found:
        node.replace_all_uses_with(sizes[node])
        module.graph.erase_node(node)
    module.recompile()


def _harmless(path: Path, archive: TorchArchive) -> TorchArchive:
    """The archive's parts that loading needs, each checked."""
    members = {}
    for name, data in archive.members.items():
        if not _MEMBERS.match(name):
            continue
        if name.endswith(".pt"):
            _refuse_pickle(path, name, data)
        elif name.endswith("_config.json"):
            _refuse_objects(path, name, _json(path, name, data))
        elif name.endswith(".json"):
            data = json.dumps(_program(path, _json(path, name, data))).encode()
        members[name] = data
    return TorchArchive(archive.kind, members)


def _json(path: Path, name: str, data: bytes) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise BabycryError(f"{path}: damaged: {name} is no JSON object")
    return content


def _refuse_pickle(path: Path, name: str, data: bytes) -> None:
    import torch

    try:
        with quiet():
            torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler's errors have no common kind
        raise _dangerous(
            path, f"{name} holds more than tensors ({last_line(error)[:120]})"
        ) from None


def _refuse_objects(path: Path, name: str, content: Any) -> None:
    """Weights and constants must be files of plain tensors."""
    entries = content.get("config") if isinstance(content, dict) else None
    if not isinstance(entries, dict):
        raise BabycryError(f"{path}: damaged: {name} lists no weights")
    for entry in entries.values():
        place = entry.get("path_name") if isinstance(entry, dict) else None
        if not isinstance(place, str) or not re.fullmatch(r"(weight|tensor)_\d+", place):
            raise _dangerous(path, f"{name} names {place!r}, which is no tensor")
        if entry.get("use_pickle"):
            raise _dangerous(path, f"{place} is pickled")


def _program(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """The graph without guards and notes, every string in it checked."""
    try:
        content["guards_code"] = []
        calls = content["graph_module"]["module_call_graph"][:1]
        content["graph_module"]["module_call_graph"] = calls
        specs = [calls[0]["signature"].pop(name) for name in ("in_spec", "out_spec")]
        _strip(path, content)
        for name, spec in zip(("in_spec", "out_spec"), specs, strict=True):
            _refuse_tree(path, json.loads(spec)[1])
            calls[0]["signature"][name] = spec
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        if isinstance(error, BabycryError):
            raise
        raise BabycryError(f"{path}: damaged: the program is not whole") from None
    return content


def _strip(path: Path, content: dict[str, Any]) -> None:
    """Empty the nodes' notes; refuse any string that is not a name, an operator or a size."""
    waiting: list[tuple[str, Any]] = [("", content)]
    while waiting:
        key, item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(("", entry) for entry in item)
        elif isinstance(item, dict):
            if "target" in item and "metadata" in item:
                item["metadata"] = {}
                if not _TARGET.match(str(item["target"])):
                    raise _dangerous(path, f"it calls {str(item['target'])[:80]!r}")
            waiting.extend(item.items())
            waiting.extend(("", name) for name in item)
        elif isinstance(item, str):
            is_size = key == "expr_str" and len(item) <= _LONGEST_EXPRESSION
            if not (_EXPRESSION if is_size else _WORD).match(item):
                raise _dangerous(path, f"it holds {item[:80]!r} where a name or a size belongs")


def _refuse_tree(path: Path, tree: Any) -> None:
    """How arguments nest: tuples, lists and dicts by name alone."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        names = json.loads(item["context"] or "null")
        plain = names is None or (
            isinstance(names, list) and all(_WORD.match(str(name)) for name in names)
        )
        if item["type"] not in (None, *_CONTAINERS) or not plain:
            raise _dangerous(path, f"its arguments hold a {str(item['type'])[:80]}")
        waiting.extend(item["children_spec"])


def _dangerous(path: Path, what: str) -> BabycryError:
    return BabycryError(
        f"{path}: {what}; loading it could run code: give --trust-pickle if you trust who made it"
    )
