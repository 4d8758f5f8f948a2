"""TorchScript files: torch.jit.save of a scripted or traced module.

Loading runs no Python: the code is TorchScript's own language, and its constants are read by an
unpickler in C++ that makes only TorchScript's types. But the language has operators that read and
write files, and a module's code can run while it loads; so the code is searched first for
operators that a network has no use for.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from babycry_convert.quiet import quiet
from babycry_convert.readers import ReadRequest
from babycry_convert.readers.through_onnx import first_line, through_onnx, window_shapes
from babycry_convert.readers.torch_archive import TorchArchive, archive_kind, read_archive
from babycry_edge.errors import BabycryError

if TYPE_CHECKING:
    from torch import fx

SUFFIXES = (".pt", ".pth", ".ts")

# Operators print as torch.NAME(...) (the aten ones) or ops.NAMESPACE.NAME(...).
_NAMESPACES = frozenset({"aten", "prim", "prims", "torchvision"})
_OPERATOR = re.compile(r"\bops\s*\.\s*(\w+)")
_DANGEROUS = re.compile(r"\b(from_file|save|load|_save|_load|wait|fork|rpc\w*)\s*\(")


def sniff(path: Path, head: bytes) -> bool:
    return head.startswith(b"PK\x03\x04") and archive_kind(path) == "TorchScript"


def read(path: Path, request: ReadRequest) -> fx.GraphModule:
    """The network as a graph of ordinary layers, to its logits.

    Raises:
        BabycryError: damaged, with operators that a network has no use for, no network for the
            window of the request, or of operators that the ONNX reader does not know.
    """
    import torch

    archive = read_archive(path)
    if not request.trust_pickle:
        _refuse_dangerous(path, archive)
    try:
        with quiet():
            module = torch.jit.load(archive.rewritten(), map_location="cpu")
            module.eval()
            module.float()
    except Exception as error:  # torch's errors have no common kind
        raise BabycryError(
            f"{path}: no TorchScript that can be loaded: {first_line(error)}"
        ) from None
    return through_onnx(module, window_shapes(request), path)


def _refuse_dangerous(path: Path, archive: TorchArchive) -> None:
    for name, data in archive.members.items():
        if not name.startswith("code/") or not name.endswith(".py"):
            continue
        code = data.decode("utf-8", "replace")
        found = _DANGEROUS.search(code)
        spaces = {space for space in _OPERATOR.findall(code) if space not in _NAMESPACES}
        if found or spaces:
            what = found.group(1) if found else f"ops.{min(spaces)}"
            raise BabycryError(
                f"{path}: its code calls {what}, which a network has no use for: "
                "give --trust-pickle if you trust who made it"
            )
