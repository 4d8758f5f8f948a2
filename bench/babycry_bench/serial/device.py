"""A microcontroller on a line: each command of the protocol as a method."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from babycry_bench.serial.link import Link
from babycry_bench.serial.protocol import (
    PROTOCOL,
    Conversation,
    LineError,
    Patience,
)

_LINE_WITHOUT_HEX = 44  # characters of a load line beside its hexadecimal digits
_LEAST_PIECE = 8
_MANY_TRIES = 3
_MOST_WORDS = 64
_CLOCKS = {
    "cycles": "cycles",
    "wall": "wall",
    "instructions": "instructions (emulated)",
}


@dataclass(frozen=True)
class DeviceStage:
    """A stage that the device offers.

    Attributes:
        index: the device's number of it.
        stage: name of the schema.
        samples: new audio that a run answers for; 0: all that is loaded.
        variant: "float", "integer", "int8"...
        of: the profile or the model.
    """

    index: int
    stage: str
    samples: int
    variant: str
    of: str

    @property
    def label(self) -> str:
        """What the record calls its profile or model."""
        return self.of if self.variant in ("float", "") else f"{self.of} ({self.variant})"


@dataclass(frozen=True)
class Description:
    """What a device says of itself.

    Attributes:
        line: longest line that it takes, in characters.
        max_runs: timed runs of one command.
        clock: of the schema.
        clock_hz: counts a second; 0 for emulated instructions.
        facts: board, cpu, compiler, library...
        stages: in the device's order.
    """

    line: int
    max_runs: int
    clock: str
    clock_hz: int
    facts: dict[str, str] = field(default_factory=dict)
    stages: tuple[DeviceStage, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What one run command gave.

    Attributes:
        warmup: runs before the counted ones.
        values: counts of the device's clock, one for each run.
        results: numbers by name: rows, ram, stack...
        hash: FNV-1a of the output, 16 hexadecimal digits, or "".
    """

    warmup: int
    values: tuple[int, ...]
    results: dict[str, int]
    hash: str


class SerialDevice:
    """Speaks with one device; every method may raise what :meth:`ask` raises."""

    def __init__(
        self,
        link: Link,
        patience: Patience | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.link = link
        self._now = now
        self._conversation = Conversation(patience or Patience())
        self._piece = 1 << 30
        self._easy = 0
        self._most_words = _MOST_WORDS

    def ask(self, body: str, signs: int = 0) -> str:
        """The answer's words after "ok".

        Raises:
            DeviceReset: it has forgotten the session.
            Refusal: it answered with an error.
            LineError: no valid answer came.
            LinkLost: the connection broke.
        """
        return self._until_answered(self._conversation.ask(body, self._now(), signs))

    def hello(self) -> Description:
        """Begins a session and asks for everything that the device is.

        Raises:
            LineError: it speaks another version of the protocol.
        """
        talk = self._conversation
        said = self._until_answered(talk.hello(secrets.randbelow(2**32 - 1) + 1, self._now()))
        version, *words = said.split()
        if version != str(PROTOCOL):
            raise LineError(
                f"the firmware speaks version {version} of the protocol, this release {PROTOCOL}: "
                "build both from one release"
            )
        if len(words) != 6 or words[4] not in _CLOCKS:
            raise _misunderstood(said)
        line, max_runs, n_stages, n_facts, hz = _numbers([*words[:4], words[5]])
        facts = (self.ask(f"fact {i}").partition(" ") for i in range(n_facts))
        self._piece = min(self._piece, max((line - _LINE_WITHOUT_HEX) // 2, _LEAST_PIECE))
        return Description(
            line=line,
            max_runs=max_runs,
            clock=_CLOCKS[words[4]],
            clock_hz=hz,
            facts={name: value for name, _, value in facts},
            stages=tuple(self._stage(i) for i in range(n_stages)),
        )

    def load(self, data: bytes) -> None:
        """Makes ``data`` the stages' input, in pieces that the line bears."""
        offset = 0
        most = self._piece
        while offset < len(data):
            piece = data[offset : offset + self._piece]
            try:
                (arrived,) = _numbers([self.ask(f"load {len(data)} {offset} {piece.hex()}")])
            except LineError:
                if self._piece <= _LEAST_PIECE or not self._conversation.understood:
                    raise
                self._piece = max(self._piece // 4, _LEAST_PIECE)
                continue
            if arrived != offset + len(piece):
                raise LineError(f"the device has {arrived} bytes of {offset + len(piece)} sent")
            offset = arrived
            self._fit_piece(most)

    def run(self, stage: DeviceStage, warmup: int, runs: int) -> Outcome:
        """Runs a stage, ``runs`` of them timed: at most the description's ``max_runs``."""
        self.ask(f"run {stage.index} {warmup} {runs}", signs=warmup + runs + 1)
        values = _numbers(self._list("values"))
        if len(values) != runs:
            raise LineError(f"the device gives {len(values)} values of {runs} runs")
        pairs = dict(_pair(word) for word in self._list("results"))
        results = {name: value for name, value in pairs.items() if name != "hash"}
        return Outcome(
            warmup=warmup,
            values=tuple(values),
            results=dict(zip(results, _numbers(list(results.values())), strict=True)),
            hash=pairs.get("hash", ""),
        )

    def _list(self, command: str) -> list[str]:
        """All words of a list that comes in parts, in short ones where long ones are lost."""
        words: list[str] = []
        while True:
            try:
                more = self.ask(f"{command} {len(words)} {self._most_words}").split()[1:]
            except LineError:
                if self._most_words == 1:
                    raise
                self._most_words //= 4
                continue
            if not more:
                return words
            words += more

    def reopen(self) -> None:
        """The port again, after it was lost."""
        self.link.reopen()

    def _stage(self, index: int) -> DeviceStage:
        said = self.ask(f"stage {index}")
        words = said.split(" ", 3)
        if len(words) != 4:
            raise _misunderstood(said)
        stage, samples, variant, of = words
        return DeviceStage(index, stage, _numbers([samples])[0], variant, of)

    def _fit_piece(self, most: int) -> None:
        """Shorter lines where long ones are often lost, longer ones again where they are not."""
        if self._conversation.tries >= _MANY_TRIES:
            self._piece, self._easy = max(self._piece // 2, _LEAST_PIECE), 0
        elif self._conversation.tries == 1:
            self._easy += 1
            if self._easy >= 16:
                self._piece, self._easy = min(2 * self._piece, most), 0

    def _until_answered(self, to_send: bytes) -> str:
        talk = self._conversation
        while talk.answer is None:
            if to_send:
                self.link.write(to_send)
            now = self._now()
            data = self.link.read(min(max(talk.deadline - now, 0.0), 1.0))
            now = self._now()
            if data:
                to_send = talk.take(data, now)
            else:
                to_send = talk.late(now) if now >= talk.deadline else b""
        return talk.answer


def _misunderstood(said: str) -> LineError:
    return LineError(f"an answer that this release does not know ({said[:40]!r}): build both alike")


def _numbers(words: list[str]) -> list[int]:
    if not all(word.isdecimal() for word in words):
        raise _misunderstood(" ".join(words))
    return [int(word) for word in words]


def _pair(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name, value
