"""The host's side of the line protocol of a microcontroller, with no line or clock of its own.

``csrc/ports/serial/bench_protocol.h`` says what a line holds. A :class:`Conversation` is told the
bytes that came and the time, and says which bytes are to be sent: it asks again what a bad line
lost, and never takes an answer whose checksum, number or session is not the one asked for.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from babycry_edge.errors import BabycryError

PROTOCOL = 1
_MOST_KEPT = 4096  # bytes of a line that does not end
_NOISE_SHOWN = 40
_ANSWER = re.compile(rb"<([0-9a-f]{4}) ([0-9a-f]{8}) ([\x20-\x7e]*) ([0-9a-f]{8})\r?")


@dataclass(frozen=True)
class Answer:
    """A whole line of the device.

    Attributes:
        sequence: of the question; 0 for what nobody asked.
        session: the token of the last hello; 0 after a reset.
        body: what it says.
    """

    sequence: int
    session: int
    body: str


@dataclass(frozen=True)
class Patience:
    """How long to wait, and how often to ask.

    Attributes:
        answer_s: seconds of silence before a question is sent once more.
        run_s: the same once a run has begun: more than the slowest single run takes.
        tries: of one question.
        first_tries: the same until the device has ever given an answer.
    """

    answer_s: float = 1.0
    run_s: float = 30.0
    tries: int = 20
    first_tries: int = 10


class LineError(BabycryError):
    """No valid answer came in all tries, or one that this release does not understand."""


class SilentError(LineError):
    """Nothing at all came."""


class Refusal(BabycryError):  # noqa: N818
    """The device understood, and answered with an error.

    Attributes:
        word: of the protocol: command, number, stage, runs, line, gap, input or status.
        status: the ``bc_status`` of a hook, with ``word`` "status"; else 0.
    """

    def __init__(self, text: str) -> None:
        super().__init__(f"the device refuses: {text}")
        words = text.split()
        self.word = words[0] if words else ""
        is_status = self.word == "status" and len(words) > 1 and words[1].isdigit()
        self.status = int(words[1]) if is_status else 0


class DeviceReset(Exception):  # noqa: N818 - an event that the session deals with
    """The device has started anew: what it was told before is gone."""


def question(sequence: int, body: str) -> bytes:
    """A line to the device, with an empty one before it that ends whatever stood there."""
    text = f"{sequence:04x} {body}".encode("ascii")
    return b"\n>%s %08x\n" % (text, zlib.crc32(text))


def read_answer(line: bytes) -> Answer | None:
    """The answer at the end of ``line``, or None if there is no whole one."""
    at = line.find(b"<")
    while at >= 0:
        found = _ANSWER.fullmatch(line, at)
        if found is not None and zlib.crc32(line[at + 1 : found.end(3)]) == int(found[4], 16):
            return Answer(int(found[1], 16), int(found[2], 16), found[3].decode("ascii"))
        at = line.find(b"<", at + 1)
    return None


class AnswerReader:
    """Bytes in any pieces to answers.

    Attributes:
        noise: the last bytes that belonged to no answer.
        broken: how many lines began as an answer and were none.
    """

    def __init__(self) -> None:
        self.noise = b""
        self.broken = 0
        self._line = b""

    def feed(self, data: bytes) -> list[Answer]:
        """The answers that ``data`` completes; one whose line end was lost counts as complete."""
        *lines, self._line = (self._line + data).split(b"\n")
        answers = []
        for line in lines:
            answer = read_answer(line)
            if answer is not None:
                answers.append(answer)
            else:
                self.broken += b"<" in line
                self._remember(line)
        last = read_answer(self._line)
        if last is not None:
            answers.append(last)
            self._line = b""
        if len(self._line) > _MOST_KEPT:
            self._remember(self._line)
            self._line = self._line[-_MOST_KEPT // 2 :]
        return answers

    def shown_noise(self) -> str:
        """What came and was no answer, for a message."""
        noise = self.noise + self._line.strip(b".\r")
        return repr(noise[-_NOISE_SHOWN:].decode("latin-1"))

    @property
    def has_noise(self) -> bool:
        return bool(self.noise or self._line.strip(b".\r"))

    def _remember(self, line: bytes) -> None:
        line = line.strip(b".\r")
        self.noise = (self.noise + b" " + line if self.noise and line else self.noise or line)[
            -_NOISE_SHOWN:
        ]


class Conversation:
    """One question at a time, asked until its answer has come.

    Times are seconds of any clock that does not go back.

    Attributes:
        answer: the answer's words after "ok", once it is there; None until then.
        deadline: when :meth:`late` is to be called.
        tries: how often the question has been sent.
        understood: whether the device has ever given a valid answer.
    """

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.answer: str | None = None
        self.deadline = 0.0
        self.tries = 0
        self.understood = False
        self._reader = AnswerReader()
        self._sequence = 0
        self._session = 0
        self._token = 0
        self._question = b""
        self._body = ""
        self._signs = 0
        self._run_began = False
        self._last_moment = 0.0

    def hello(self, token: int, now: float) -> bytes:
        """As :meth:`ask`: the beginning of a session, ``token`` 1 to 2**32 - 1."""
        self._token = token
        return self.ask(f"hello {token:08x}", now)

    def ask(self, body: str, now: float, signs: int = 0) -> bytes:
        """The bytes of a new question.

        Args:
            body: a command of the protocol.
            now: the time.
            signs: of a run, how many signs of life it may give, each after up to ``run_s``.
        """
        self._sequence = self._sequence % 0xFFFF + 1
        self._question = question(self._sequence, body)
        self._body = body
        self._signs = signs
        self.answer = None
        self.tries = 0
        return self._send(now)

    def take(self, data: bytes, now: float) -> bytes:
        """Bytes that came; gives back those to send.

        Raises:
            DeviceReset: the device does not know the session any more.
            Refusal: its answer is an error.
            LineError: too many tries were needed.
        """
        if data and self._signs:
            self._run_began = True
        wait_s = self.patience.run_s if self._run_began else self.patience.answer_s
        self.deadline = min(now + wait_s, self._last_moment)
        broken = self._reader.broken
        ask_again = False
        for answer in self._reader.feed(data):
            if self.answer is None:
                ask_again |= self._hear(answer)
        ask_again |= self._reader.broken > broken
        return self._send(now) if ask_again and self.answer is None else b""

    def late(self, now: float) -> bytes:
        """The deadline has passed: the bytes to send.

        Raises:
            SilentError: nothing ever came.
            LineError: too many tries were needed.
        """
        return self._send(now)

    def _hear(self, answer: Answer) -> bool:
        """Takes one answer; whether the question is to be sent again."""
        is_hello = self._body.startswith("hello ")
        self.understood = True
        if answer.session != (self._token if is_hello else self._session):
            if not is_hello:
                raise DeviceReset
            return answer.body in ("again", "ready")
        if answer.sequence != self._sequence:
            return answer.body == "again"
        word, _, rest = answer.body.partition(" ")
        if word == "error":
            raise Refusal(rest)
        if word != "ok":
            return False
        if is_hello:
            self._session = self._token
        self.answer = rest
        return False

    def _send(self, now: float) -> bytes:
        patience = self.patience
        if self.tries >= (patience.tries if self.understood else patience.first_tries):
            raise self._given_up()
        self.tries += 1
        self._run_began = False
        most_s = patience.run_s * (self._signs + 1) if self._signs else 2 * patience.answer_s
        self._last_moment = now + most_s
        self.deadline = now + patience.answer_s
        return self._question

    def _given_up(self) -> LineError:
        asked = f"{self.tries} times for {self._body[:24]!r}"
        if self.understood:
            return LineError(
                f"asked {asked} without a whole answer: a lower baud rate or a better cable helps, "
                "or a longer wait for a slow device"
            )
        if self._reader.has_noise:
            return LineError(
                f"answers, but not in the bench's protocol ({self._reader.shown_noise()}): check "
                "the baud rate, and that its firmware ends in bc_bench_serve"
            )
        return SilentError(
            f"silent, asked {asked}: check the board's power, the port's name, and that its "
            "firmware ends in bc_bench_serve"
        )
