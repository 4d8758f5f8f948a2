"""The line to a microcontroller: a serial port, a pseudo-terminal or a TCP connection."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

BAUD = 115200
_REOPEN_S = 10.0  # a board with USB of its own goes away when it resets


class LinkLost(BabycryError):  # noqa: N818
    """The connection broke: the other end closed it, or the cable was pulled."""


class Link(Protocol):
    """Bytes both ways.

    Attributes:
        name: of the port, for messages.
    """

    name: str

    def read(self, timeout_s: float) -> bytes:
        """What has come, waiting up to ``timeout_s`` for the first byte; may be empty.

        Raises:
            LinkLost: the connection broke.
        """

    def write(self, data: bytes) -> None:
        """Sends all of ``data``.

        Raises:
            LinkLost: the connection broke.
        """

    def reopen(self) -> None:
        """The same port again, after it was lost.

        Raises:
            LinkLost: it did not come back.
        """

    def close(self) -> None:
        """Gives the port back."""


class SerialLink:
    """A serial port by pyserial, or one of its URLs: ``socket://127.0.0.1:4000``."""

    def __init__(self, port: str, baud: int = BAUD) -> None:
        """Opens the port for this process alone, 8 data bits, no parity, one stop bit.

        Raises:
            BabycryError: there is no such port, another program has it, or pyserial is absent.
        """
        self.name = port
        self._baud = baud
        self._serial_module = require("serial", "bench")
        self._serial = self._open()

    def _open(self) -> Any:
        serial = self._serial_module
        exclusive = {} if "://" in self.name else {"exclusive": True}
        try:
            opened = serial.serial_for_url(
                self.name, baudrate=self._baud, write_timeout=10, do_not_open=True, **exclusive
            )
            opened.open()
        except (OSError, ValueError) as error:
            raise BabycryError(f"{self.name}: {_why(error, serial)}") from None
        with contextlib.suppress(OSError, AttributeError):
            opened.reset_input_buffer()
        return opened

    def read(self, timeout_s: float) -> bytes:
        try:
            self._serial.timeout = max(timeout_s, 0)
            first: bytes = self._serial.read(1)
            rest: bytes = self._serial.read(self._serial.in_waiting) if first else b""
        except (OSError, TypeError) as error:  # pyserial's own is an OSError
            raise LinkLost(f"{self.name}: the connection broke: {_first_line(error)}") from None
        return first + rest

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except OSError as error:
            raise LinkLost(f"{self.name}: the connection broke: {_first_line(error)}") from None

    def reopen(self) -> None:
        self.close()
        end = time.monotonic() + _REOPEN_S
        while True:
            try:
                self._serial = self._open()
                return
            except BabycryError as error:
                if time.monotonic() > end:
                    raise LinkLost(f"{error}; it was there before") from None
                time.sleep(0.1)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._serial.close()


class SocketLink:
    """A connected stream socket: how an emulator's serial port arrives.

    ``connect`` makes a new one when the old one broke; without it a lost connection stays lost.
    """

    def __init__(
        self,
        connected: socket.socket,
        name: str,
        connect: Callable[[], socket.socket] | None = None,
    ) -> None:
        self.name = name
        self._connect = connect
        self._socket = connected
        self._be_prompt()

    def _be_prompt(self) -> None:
        if self._socket.family in (socket.AF_INET, socket.AF_INET6):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, timeout_s: float) -> bytes:
        try:
            self._socket.settimeout(max(timeout_s, 0.0001))
            data = self._socket.recv(65536)
        except TimeoutError:
            return b""
        except OSError as error:
            raise LinkLost(f"{self.name}: the connection broke: {error.strerror}") from None
        if not data:
            raise LinkLost(f"{self.name}: the other end closed the connection")
        return data

    def write(self, data: bytes) -> None:
        try:
            self._socket.settimeout(10)
            self._socket.sendall(data)
        except OSError as error:
            raise LinkLost(f"{self.name}: the connection broke: {_first_line(error)}") from None

    def reopen(self) -> None:
        if self._connect is None:
            raise LinkLost(f"{self.name}: the connection broke for good: start the device again")
        self._socket.close()
        self._socket = self._connect()
        self._be_prompt()

    def close(self) -> None:
        self._socket.close()


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _why(error: BaseException, serial: ModuleType) -> str:
    """What is wrong with a port that does not open, and the mend."""
    number = getattr(error, "errno", None)
    text = _first_line(error)
    if number == 2 or isinstance(error, FileNotFoundError) or "No such file" in text:
        return f"no such port: {_ports(serial)}"
    if number == 13 or "Permission denied" in text:
        return "no permission: join the group of the port (dialout on Debian) and log in again"
    if number in (11, 16) or "exclusively lock" in text or "busy" in text:
        return "busy: another program has the port, a terminal perhaps: close it"
    if "refused" in text:
        return "nobody listens there: start the device or the emulator first"
    return f"cannot be opened: {text}"


def _ports(serial: ModuleType) -> str:
    list_ports = require("serial.tools.list_ports", "bench")
    names = sorted(port.device for port in list_ports.comports())
    return f"there is {', '.join(names)}" if names else "this machine has no serial port now"
