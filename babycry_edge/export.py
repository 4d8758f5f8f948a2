"""A front-end's constant tables as C source, for the flash of a device.

The C library computes the tables; this module only prints them. Floats are written in hexadecimal,
so that every compiler reads the same bits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from babycry_edge.binding import ffi, lib
from babycry_edge.config import FrontendConfig, check_status
from babycry_edge.errors import BabycryError
from babycry_edge.whole_file import write_whole

_COLUMNS = 100


@dataclass(frozen=True)
class Tables:
    """Tables of one front-end: ``struct`` is a C struct whose arrays lie in ``memory``.

    ``ram_macro`` is C text for the bytes of RAM that ``init`` wants, ``width`` the values of a row.
    """

    c_type: str
    header: str
    init: str
    struct: Any
    memory: Any
    ram_macro: str
    width: int


def frontend_tables(config: FrontendConfig) -> Tables:
    """The tables of ``bc_frontend_init_tables``, or ``bc_tflm_init`` for compression "tflm".

    Raises:
        BabycryError: the library refuses the configuration.
    """
    return _tflm_tables(config) if config.compression == "tflm" else _float_tables(config)


def integer_tables(config: FrontendConfig) -> Tables:
    """The tables of ``bc_integer_init``, for processors without an FPU.

    Raises:
        BabycryError: the integer front-end does not take the configuration.
    """
    from babycry_edge.integer import IntegerTables

    tables = IntegerTables(config.to_c())
    return Tables(
        "bc_integer_tables",
        "babycry/integer.h",
        "bc_integer_init",
        tables.handle,
        tables,
        f"BC_INTEGER_RAM_SIZE({config.n_fft}, {config.n_mels}, {config.n_mfcc})",
        config.n_features,
    )


def _float_tables(config: FrontendConfig) -> Tables:
    c_config = config.to_c()
    size = lib.bc_frontend_tables_size(c_config)
    memory, struct = ffi.new("char[]", max(1, size)), ffi.new("bc_frontend_tables *")
    check_status(lib.bc_frontend_make_tables(struct, c_config, memory, size), "the tables")
    return Tables(
        "bc_frontend_tables",
        "babycry/tables.h",
        "bc_frontend_init_tables",
        struct,
        memory,
        f"BC_FRONTEND_WORK_SIZE({config.n_fft}, {_extra_floats(config)})",
        config.n_features,
    )


def _extra_floats(config: FrontendConfig) -> int:
    """Floats of working memory beyond those that go with n_fft, as bc_frontend_init lays it out."""
    frame_width = config.n_features // (2 if config.pooling == "mean_std" else 1)
    floats = config.n_mels + len(config.descriptors)
    floats += frame_width if config.n_mfcc else 0
    floats += 2 * config.n_mels if config.compression == "pcen" else 0
    return floats + (2 * frame_width if config.pooling != "none" else 0)


def _tflm_tables(config: FrontendConfig) -> Tables:
    own = ffi.new("bc_tflm_config *")
    for field in ("sample_rate", "win_length", "hop_length", "fmin", "fmax"):
        setattr(own, field, getattr(config, field))
    own.n_channels = config.n_mels
    size = lib.bc_tflm_tables_size(own)
    memory, struct = ffi.new("char[]", max(1, size)), ffi.new("bc_tflm_tables *")
    check_status(lib.bc_tflm_make_tables(own, struct, memory, size), "the tables")
    return Tables(
        "bc_tflm_tables",
        "babycry/tflm.h",
        "bc_tflm_init",
        struct,
        memory,
        f"BC_TFLM_RAM_SIZE({config.win_length}, {config.n_fft}, {config.n_mels})",
        config.n_mels,
    )


def write_tables(tables: Tables, config: FrontendConfig, name: str, folder: Path) -> list[Path]:
    """Write ``name.h`` and ``name.c`` into ``folder``, which is made where it is absent.

    Returns:
        The files written.

    Raises:
        BabycryError: ``name`` is no C identifier.
        OSError: the folder cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise BabycryError(f"--name must be a C identifier, not {name!r}")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, text in (
        (".h", header_text(tables, config, name)),
        (".c", source_text(tables, name)),
    ):
        path = folder / f"{name}{suffix}"
        write_whole(path, text.encode())
        written.append(path)
    return written


def header_text(tables: Tables, config: FrontendConfig, name: str) -> str:
    """The header: declares the tables and says how much RAM they want beside them."""
    guard = f"{name.upper()}_H"
    axes = ", ".join(f"{axis} {value}" for axis, value in config.to_dict().items())
    lines = [
        *_comment(f"Front-end: {axes}."),
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        f"#include <{tables.header}>",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        f"#define {name.upper()}_N_FEATURES {tables.width}",
        f"/* Bytes of RAM for {tables.init}, on targets without SIMD across frames. */",
        f"#define {name.upper()}_RAM_SIZE {tables.ram_macro}",
        f"extern const {tables.c_type} {name};",
        "",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def source_text(tables: Tables, name: str) -> str:
    """The source: one array for each table, and the struct that points to them."""
    lines = [*_comment(f"Tables for {tables.init}."), f'#include "{name}.h"', ""]
    members = []
    for field, info in ffi.typeof(tables.c_type).fields:
        value = getattr(tables.struct, field)
        if info.type.kind != "pointer":
            members.append(f"    .{field} = {_scalar(info.type, value)},")
            continue
        count = getattr(tables.struct, f"n_{field}")
        if count:
            c_item = info.type.item.cname
            lines += [f"static const {c_item} {name}_{field}[{count}] = {{"]
            lines += [*_wrapped([_scalar(info.type.item, value[i]) for i in range(count)]), "};"]
        members.append(f"    .{field} = {f'{name}_{field}' if count else '0'},")
    lines += ["", f"const {tables.c_type} {name} = {{", *members, "};"]
    return "\n".join(lines) + "\n"


def _scalar(c_type: Any, value: Any) -> str:
    if c_type.kind == "struct":
        inner = (f".{name} = {_scalar(f.type, getattr(value, name))}" for name, f in c_type.fields)
        return "{" + ", ".join(inner) + "}"
    if c_type.kind == "enum":
        return str(c_type.elements[int(value)])
    if c_type.cname == "float":
        return "0.0f" if value == 0 else f"{float(value).hex()}f"
    return f"{int(value)}"


def _wrapped(items: list[str]) -> list[str]:
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > _COLUMNS:
            lines.append(line)
            line = "   "
        line += f" {item},"
    return [*lines, line]


def _comment(text: str) -> list[str]:
    words = f"Written by babycry-edge {version('babycry-edge')} export; do not edit. {text}".split()
    lines, line = [], "/*"
    for word in words:
        if len(line) + len(word) + 4 > _COLUMNS:
            lines.append(line)
            line = " *"
        line += f" {word}"
    return [*lines, f"{line} */"]
