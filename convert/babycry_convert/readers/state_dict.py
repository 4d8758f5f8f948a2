"""PyTorch state dicts: what torch.save and safetensors write, put into a network.

The network is a system of the zoo or a class of the user's own. A file that holds more than
tensors and plain values is refused: unpickling it would run its code.
"""

from __future__ import annotations

import functools
import importlib
import io
import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babycry_convert import zoo
from babycry_convert.quiet import quiet
from babycry_convert.readers import ReadRequest
from babycry_convert.readers.through_onnx import last_line
from babycry_convert.readers.torch_archive import ZIP_MAGIC, archive_kind, read_archive
from babycry_edge.errors import BabycryError

if TYPE_CHECKING:
    import torch
    from torch import nn

SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".safetensors")

# A pickle of protocol 2, as torch.save wrote before it wrote zip files.
_PICKLE_MAGIC = b"\x80"

#: Where training scripts keep the weights beside an optimiser's state.
_WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "weights",
    "params",
)
#: What DataParallel, torch.compile and training frameworks put before the names.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")

_LONGEST_HEADER = 16 << 20


def sniff(path: Path, head: bytes) -> bool:
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return True
    if head.startswith(ZIP_MAGIC):
        kind = archive_kind(path)
        return kind == "state dict" or (kind is None and suffix in SUFFIXES)
    if suffix in SUFFIXES:
        return True
    return head.startswith(_PICKLE_MAGIC) and b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19" in head[:32]


def read(path: Path, request: ReadRequest) -> nn.Module:
    """The network with the file's weights, in eval mode.

    With ``trust_pickle`` a file of a whole pickled network is read too, with a warning.

    Raises:
        BabycryError: damaged or dangerous, no network to put it into, or one that it does not fit;
            the first names and shapes that differ are in the message.
    """
    from torch import nn

    content = _content(path, request.trust_pickle)
    if isinstance(content, nn.Module):
        return content.float().eval()
    tensors = _tensors(path, content)
    network = _network(request, path)
    found = _misfit(tensors, network)
    if isinstance(found, str):
        raise BabycryError(f"{path} does not fit {_title(request)}: {found}")
    network.load_state_dict(found, strict=False)  # what may be missing was checked
    return network.float().eval()


def misfit(path: Path, network: nn.Module) -> str | None:
    """Why a checkpoint does not fit a network, in one line; None if it does.

    Only names and shapes are compared, and the file is read once for many networks.
    """
    try:
        stat = path.stat()
        tensors = _remembered(path, stat.st_size, stat.st_mtime_ns)
        found = _misfit(tensors, network)
    except BabycryError as error:
        return str(error)
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror or error}"
    return found if isinstance(found, str) else None


@functools.lru_cache(maxsize=2)
def _remembered(path: Path, _size: int, _changed: int) -> dict[str, torch.Tensor]:
    return _tensors(path, _content(path, trust_pickle=False))


def _content(path: Path, trust_pickle: bool) -> Any:
    if path.suffix.lower() == ".safetensors":
        return _safetensors(path)
    import torch

    data = _pickle_bytes(path)
    try:
        with quiet():
            return torch.load(data, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler's errors have no common kind
        if not trust_pickle:
            raise _not_loaded(path, error) from None
    print(f"babycry-edge: warning: {path} is unpickled, which runs the code in it", file=sys.stderr)
    data.seek(0)
    try:
        with _working_folder():
            return torch.load(data, map_location="cpu", weights_only=False)
    except Exception as error:  # the file's own code can raise anything
        raise BabycryError(f"{path}: cannot be unpickled: {last_line(error)}") from None


def _pickle_bytes(path: Path) -> io.BytesIO:
    try:
        with path.open("rb") as file:
            is_zip = file.read(4) == ZIP_MAGIC
        if not is_zip:
            return io.BytesIO(path.read_bytes())
    except OSError as error:
        raise BabycryError(f"{path}: cannot be read: {error.strerror or error}") from None
    archive = read_archive(path)
    if archive.kind != "state dict":
        raise BabycryError(f"{path}: a {archive.kind}, which brings its own network")
    return archive.rewritten()


def _not_loaded(path: Path, error: Exception) -> BabycryError:
    import pickle

    text = str(error)
    if isinstance(error, pickle.UnpicklingError) and "GLOBAL" in text:
        name = text.partition("GLOBAL ")[2].split(" ")[0].strip("`'\"")
        return BabycryError(
            f"{path}: holds more than weights ({name}): unpickling it could run code; save the "
            "state_dict() alone, or give --trust-pickle if you trust who made it"
        )
    if isinstance(error, pickle.UnpicklingError) and "weights_only" in text.lower():
        detail = text.partition("WeightsUnpickler error:")[2].strip().split("\n")[0]
        return BabycryError(
            f"{path}: no state dict that can be read safely ({(detail or 'damaged')[:150]}): "
            "damaged, or with code in it, which needs --trust-pickle"
        )
    return BabycryError(f"{path}: truncated or damaged: {last_line(error)[:200]}")


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file: eight bytes of header length, a JSON header, the tensors' bytes."""
    import torch

    types = {
        "F64": torch.float64,
        "F32": torch.float32,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "I64": torch.int64,
        "I32": torch.int32,
        "I16": torch.int16,
        "I8": torch.int8,
        "U8": torch.uint8,
        "BOOL": torch.bool,
    }
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BabycryError(f"{path}: cannot be read: {error.strerror or error}") from None
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(_LONGEST_HEADER, len(data) - 8):
        raise BabycryError(f"{path}: truncated, or no safetensors file")
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise BabycryError(f"{path}: no safetensors file: its header is no JSON object")
    body = memoryview(data)[8 + length :]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        dtype, shape, start, end = _entry(path, name, entry, len(body))
        if dtype not in types:
            raise BabycryError(f"{path}: {name!r} has the type {dtype!r}, which is not read")
        size = math.prod(shape) * types[dtype].itemsize
        if size != end - start:
            raise BabycryError(f"{path}: {name!r} takes {size} bytes, the file has {end - start}")
        flat = torch.frombuffer(bytearray(body[start:end]), dtype=types[dtype]) if size else None
        tensors[name] = torch.empty(shape) if flat is None else flat.reshape(shape)
    return tensors


def _entry(path: Path, name: str, entry: Any, limit: int) -> tuple[str, list[int], int, int]:
    """(type, shape, first byte, byte after the last) of one tensor, inside the file."""
    fields = entry if isinstance(entry, dict) else {}
    shape: Any = fields.get("shape")
    offsets: Any = fields.get("data_offsets")
    numbers = [*shape, *offsets] if isinstance(shape, list) and isinstance(offsets, list) else [-1]
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers)
    if not whole or len(offsets) != 2 or not offsets[0] <= offsets[1] <= limit or len(shape) > 8:
        raise BabycryError(f"{path}: {name!r} lies outside the file, which is truncated or damaged")
    return str(fields.get("dtype")), shape, offsets[0], offsets[1]


def _tensors(path: Path, content: Any) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint, taken out of a training script's wrapper."""
    import torch

    for _ in range(3):
        if not isinstance(content, Mapping):
            break
        if any(isinstance(value, torch.Tensor) for value in content.values()):
            tensors = {
                key: value
                for key, value in content.items()
                if isinstance(key, str) and isinstance(value, torch.Tensor)
            }
            return _without_prefixes(tensors)
        inner = (content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping))
        content = next(inner, None)
    raise BabycryError(
        f"{path}: holds no state dict: a dict of tensors, or one under {', '.join(_WRAPPERS[:4])}"
    )


def _without_prefixes(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names without what DataParallel and torch.compile put before all of them."""
    while tensors:
        prefix = next((p for p in _PREFIXES[:2] if all(k.startswith(p) for k in tensors)), None)
        if prefix is None:
            break
        tensors = {name[len(prefix) :]: tensor for name, tensor in tensors.items()}
    return tensors


def _misfit(tensors: dict[str, torch.Tensor], network: nn.Module) -> str | dict[str, torch.Tensor]:
    """The weights under the network's names, or why they do not fit."""
    expected = network.state_dict()
    for prefix in _PREFIXES:
        inside = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
        if set(expected) & set(inside) and not set(expected) & set(tensors):
            tensors = inside  # beside it: a loss's or a metric's own tensors
            break
    dropped = getattr(network, "DROPPED_PREFIXES", ())  # parts that pre-training alone needs
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(dropped)}
    counters = [k for k in expected if k.endswith("num_batches_tracked")]
    missing = [k for k in expected if k not in tensors and k not in counters]
    extra = [k for k in tensors if k not in expected]
    shapes = [k for k in tensors if k in expected and tensors[k].shape != expected[k].shape]
    parts = []
    if missing:
        parts.append(f"{len(missing)} missing ({_first(missing)})")
    if extra:
        parts.append(f"{len(extra)} unexpected ({_first(extra)})")
    if shapes:
        told = (f"{k} is {_shape(tensors[k])}, not {_shape(expected[k])}" for k in shapes[:2])
        parts.append(f"{len(shapes)} of another shape ({_first(list(told), len(shapes))})")
    return "; ".join(parts) or tensors


def _first(names: list[str], total: int | None = None) -> str:
    more = (len(names) if total is None else total) > 2
    return ", ".join(names[:2]) + (", ..." if more else "")


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(str(n) for n in tensor.shape) or "one number"


def _title(request: ReadRequest) -> str:
    return request.arch_class or f"system {request.architecture}"


def _network(request: ReadRequest, path: Path) -> nn.Module:
    """A network to put weights into: the user's class, or a system of the zoo."""
    if request.arch_class is not None:
        return _own_class(request.arch_class, request.options)
    if request.architecture in (None, "custom"):
        raise BabycryError(
            f"{path}: weights without their network: give a --recipe whose system they are "
            f"({', '.join(zoo.names()) or 'none'}), or --arch package.module:Class"
        )
    return zoo.build(request.architecture, request.n_classes, **request.options)


def _own_class(place: str, options: dict[str, Any]) -> nn.Module:
    from torch import nn

    module_name, _, class_name = place.partition(":")
    if not module_name or not class_name.isidentifier():
        raise BabycryError(f"--arch {place}: must be package.module:Class")
    try:
        with _working_folder():
            module = importlib.import_module(module_name)
    except Exception as error:  # the user's own code can raise anything
        raise BabycryError(
            f"--arch {place}: {module_name} cannot be imported: {last_line(error)}"
        ) from None
    kind = getattr(module, class_name, None)
    if kind is None:
        raise BabycryError(f"--arch {place}: {module_name} has no {class_name}")
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise BabycryError(f"--arch {place}: {class_name} is no torch.nn.Module class")
    try:
        network: nn.Module = kind(**options)
    except Exception as error:  # as above
        raise BabycryError(
            f"--arch {place}: {class_name} cannot be made from the recipe's [architecture] "
            f"options: {last_line(error)}"
        ) from None
    return network


@contextmanager
def _working_folder() -> Iterator[None]:
    """Let a module beside the user's shell prompt be imported."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
