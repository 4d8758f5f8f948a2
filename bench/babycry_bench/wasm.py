"""Runs a WebAssembly program of ``csrc/ports``: its four imports, and fuel as its cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

_FUEL = 1 << 62


@dataclass(frozen=True)
class WasmRun:
    """What a program printed, and the WebAssembly instructions it took."""

    text: str
    instructions: int


class _Host:
    """The functions that csrc/ports/wasm/port.c imports."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self.arguments = arguments
        self.folder = folder
        self.printed: list[str] = []
        self._file: BinaryIO | None = None

    def give_arguments(self, caller: Any, at: int, size: int) -> int:
        data = b"".join(argument.encode() + b"\0" for argument in self.arguments)
        if len(data) > size:
            raise ValueError("the command line is too long")
        caller["memory"].write(caller, data, at)
        return len(self.arguments)

    def open(self, caller: Any, path: int) -> int:
        self.close()
        try:
            self._file = (self.folder / self._string(caller, path)).open("rb")
        except OSError:
            return 0
        return 1

    def read(self, caller: Any, at: int, size: int) -> int:
        data = self._file.read(size) if self._file is not None else b""
        caller["memory"].write(caller, data, at)
        return len(data)

    def write(self, caller: Any, text: int) -> None:
        self.printed.append(self._string(caller, text))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    @staticmethod
    def _string(caller: Any, at: int) -> str:
        memory = caller["memory"]
        end = at
        while memory.read(caller, end, end + 1) != b"\0":
            end += 1
        return bytes(memory.read(caller, at, end)).decode()


def run_module(module: Path, arguments: list[str], folder: Path) -> WasmRun:
    """Calls ``run`` of ``module``; relative file names are looked up in ``folder``.

    Raises:
        TargetError: the program ended with another status than 0, or trapped.
    """
    import wasmtime

    from babycry_bench.targets import TargetError

    config = wasmtime.Config()
    config.consume_fuel = True
    store = wasmtime.Store(wasmtime.Engine(config))
    store.set_fuel(_FUEL)
    host = _Host([module.name, *arguments], folder)
    linker = wasmtime.Linker(store.engine)
    i32 = wasmtime.ValType.i32()
    for name, n_arguments, n_results, function in (
        ("arguments", 2, 1, host.give_arguments),
        ("open", 1, 1, host.open),
        ("read", 2, 1, host.read),
        ("write", 1, 0, host.write),
    ):
        kind = wasmtime.FuncType([i32] * n_arguments, [i32] * n_results)
        linker.define_func("port", name, kind, function, access_caller=True)
    instance = linker.instantiate(store, wasmtime.Module.from_file(store.engine, str(module)))
    try:
        run = instance.exports(store)["run"]
        assert isinstance(run, wasmtime.Func)
        status = run(store)
    except wasmtime.WasmtimeError as error:
        raise TargetError(f"{module.name} trapped: {error}") from None
    finally:
        host.close()
    if status != 0:
        raise TargetError(f"{module.name} ended with {status}: {''.join(host.printed)}")
    return WasmRun("".join(host.printed), _FUEL - store.get_fuel())
