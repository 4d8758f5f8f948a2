"""Constant tables as C source, for flash: what <babycry/tables.h> describes.

A device that includes them computes no table, links no double-precision arithmetic, and wants RAM
for working memory alone. The values are written exactly: hexadecimal floats and integers.
"""

from __future__ import annotations

import re
from typing import Any

from babycry_edge.binding import ffi, lib
from babycry_edge.config import FrontendConfig, status_message
from babycry_edge.errors import BabycryError

_LINE = 100


def frontend_tables_source(config: FrontendConfig, name: str = "frontend_tables") -> str:
    """C source of ``static const bc_frontend_tables NAME``, with its arrays ``NAME_window`` etc.

    Raises:
        BabycryError: the front-end of ``config`` has no such tables.
    """
    return _source("frontend", config, name)


def integer_tables_source(config: FrontendConfig, name: str = "frontend_tables") -> str:
    """The same of ``bc_integer_tables``, for the integer front-end.

    Raises:
        BabycryError: the integer front-end does not take ``config``.
    """
    return _source("integer", config, name)


def _source(family: str, config: FrontendConfig, name: str) -> str:
    c_config = config.to_c()
    size = getattr(lib, f"bc_{family}_tables_size")(c_config)
    memory = ffi.new("uint32_t[]", size // 4 + 2)
    tables = ffi.new(f"bc_{family}_tables *")
    if family == "integer":
        status = lib.bc_integer_make_tables(c_config, tables, memory, ffi.sizeof(memory))
    else:
        status = lib.bc_frontend_make_tables(tables, c_config, memory, size)
    if status != lib.BC_OK:
        raise BabycryError(f"no {family} tables: {status_message(status)}")
    header = "tables" if family == "frontend" else family
    return f"#include <babycry/{header}.h>\n\n" + struct_source(tables[0], name)


def struct_source(struct: Any, name: str) -> str:
    """C source of a constant like ``struct``, and of the arrays that it points to.

    Args:
        struct: cffi structure of numbers, structures and pointers; a pointer ``x`` points to
            ``n_x`` numbers, which is a field of the structure as well.
        name: of the constant, and the beginning of the arrays' names.
    """
    kind = ffi.typeof(struct)
    arrays = [
        _array(field.type.item.cname, f"{name}_{member}", _elements(struct, member))
        for member, field in kind.fields
        if field.type.kind == "pointer" and getattr(struct, f"n_{member}") != 0
    ]
    name_of_kind = kind.cname.removeprefix("struct ")
    return "".join(arrays) + f"static const {name_of_kind} {name} = {_initializer(struct, name)};\n"


def _elements(struct: Any, member: str) -> list[float | int]:
    return list(getattr(struct, member)[0 : getattr(struct, f"n_{member}")])


def _array(kind: str, name: str, values: list[float | int]) -> str:
    lines, line = [], "   "
    for value in values:
        text = f" {_number(value)},"
        if len(line) + len(text) > _LINE:
            lines.append(line)
            line = "   "
        line += text
    body = "\n".join([*lines, line])
    return f"static const {kind.removeprefix('const ')} {name}[] = {{\n{body}\n}};\n"


def _initializer(struct: Any, name: str) -> str:
    """Designated initialisers of every field that is not 0."""
    fields = ((member, kind.type) for member, kind in ffi.typeof(struct).fields)
    texts = ((member, _value(struct, member, kind, name)) for member, kind in fields)
    return "{\n    " + ",\n    ".join(f".{m} = {text}" for m, text in texts if text) + "}"


def _value(struct: Any, member: str, kind: Any, name: str) -> str:
    value = getattr(struct, member)
    if kind.kind == "pointer":
        return f"{name}_{member}" if getattr(struct, f"n_{member}") != 0 else ""
    if kind.kind == "struct":
        return _initializer(value, name)
    if value == 0:
        return ""
    return str(kind.elements[value]) if kind.kind == "enum" else _number(value)


def _number(value: float | int) -> str:
    if isinstance(value, float):
        return re.sub(r"\.?0*p", "p", value.hex()) + "f"
    return str(value)
