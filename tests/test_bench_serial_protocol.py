"""The serial port's protocol: no fault of the line becomes a wrong number."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babycry_bench.clips import Clip
from babycry_bench.serial.device import Description, Outcome, SerialDevice
from babycry_bench.serial.link import LinkLost, SerialLink, SocketLink
from babycry_bench.serial.protocol import (
    Answer,
    AnswerReader,
    Conversation,
    DeviceReset,
    LineError,
    Patience,
    Refusal,
    SilentError,
    question,
    read_answer,
)
from babycry_bench.serial.session import Effort, Interrupted, run_on_port
from babycry_bench.targets import Target, build
from babycry_edge.errors import BabycryError
from cross_tools import require_tools
from serial_faults import CallingLink, FaultyLink, ProgramDevice, ScriptedLink

ROOT = Path(__file__).resolve().parent.parent
HERE = Target("here")
QUICK = Patience(answer_s=0.2, run_s=5.0)
SMALL = Effort(clip_samples=4000, clip_runs=2, clip_warmup=1)
PROFILES = ["babycry", "yamnet"]
STAGES = 6  # of those: clip and hop, and of yamnet the integer ones


def answer_line(sequence: int, session: int, body: str) -> bytes:
    text = f"{sequence:04x} {session:08x} {body}".encode()
    return b"<%s %08x\n" % (text, zlib.crc32(text))


# ---- Lines ----


def test_a_question_is_what_the_header_says() -> None:
    assert question(10, "fact 0") == b"\n>000a fact 0 %08x\n" % zlib.crc32(b"000a fact 0")


bodies = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)
numbers = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)


@given(*numbers, bodies, st.text("abc .<>0", max_size=20))
def test_an_answer_is_found_behind_anything(
    sequence: int, session: int, body: str, before: str
) -> None:
    line = before.encode() + answer_line(sequence, session, body).strip()
    assert read_answer(line) == Answer(sequence, session, body)


@given(*numbers, bodies, st.data())
def test_an_answer_with_one_fault_is_none(
    sequence: int, session: int, body: str, data: st.DataObject
) -> None:
    line = bytearray(answer_line(sequence, session, body).strip())
    at = data.draw(st.integers(0, len(line) - 1))
    if data.draw(st.booleans()):
        line[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del line[at]
    assert read_answer(bytes(line)) is None


@given(st.lists(st.binary(max_size=30)), st.lists(st.tuples(*numbers, bodies), max_size=4))
def test_the_reader_survives_anything_and_pieces_do_not_matter(
    noise: list[bytes], said: list[tuple[int, int, str]]
) -> None:
    lines = [answer_line(*one) for one in said]
    stream = b"".join(b"\n" + n + b"\n" + a for n, a in zip(noise, lines, strict=False))
    whole, bytewise = AnswerReader(), AnswerReader()
    at_once = whole.feed(stream)
    one_by_one = [a for i in range(len(stream)) for a in bytewise.feed(stream[i : i + 1])]
    assert at_once == one_by_one
    assert [Answer(*one) for one in said[: len(noise)]] == at_once


def test_the_reader_keeps_little_of_a_line_without_end() -> None:
    reader = AnswerReader()
    for _ in range(100):
        reader.feed(b"x" * 1000)
    assert len(reader._line) <= 5000
    assert reader.feed(b"\n" + answer_line(1, 2, "ok")) == [Answer(1, 2, "ok")]


# ---- The conversation, with a clock and a line that are made up ----


class ToyDevice:
    """Answers ``values N`` with a number that only N decides, and may restart."""

    def __init__(self) -> None:
        self.session = 0
        self._line = b""

    @staticmethod
    def truth(index: int) -> str:
        return str(zlib.crc32(str(index).encode()))

    def take(self, data: bytes) -> bytes:
        said = b""
        for byte in data:
            if byte == ord("\n"):
                said += self._answer(self._line) if self._line else b""
                self._line = b""
            else:
                self._line = bytes([byte]) if byte == ord(">") else self._line + bytes([byte])
        return said

    def _answer(self, line: bytes) -> bytes:
        text, _, crc = line[1:].rpartition(b" ")
        if line[:1] != b">" or b"%08x" % zlib.crc32(text) != crc:
            return answer_line(0, self.session, "again")
        sequence, _, body = text.decode().partition(" ")
        if body.startswith("hello "):
            self.session = int(body.split()[1], 16)
            return answer_line(int(sequence, 16), self.session, "ok 1")
        if not self.session:
            return answer_line(int(sequence, 16), 0, "error hello")
        return answer_line(
            int(sequence, 16), self.session, f"ok {self.truth(int(body.split()[1]))}"
        )


def converse(talk: Conversation, device: ToyDevice, first: bytes, spoil: FaultyLink) -> str | None:
    """Until the answer has come, on a clock that only waits for deadlines."""
    now, to_send = 0.0, first
    while talk.answer is None:
        said = spoil._spoilt(device.take(spoil._spoilt(to_send)))
        to_send = talk.take(said, now) if said else b""
        if talk.answer is None and not to_send:
            now = talk.deadline
            to_send = talk.late(now)
    return talk.answer


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.001, 0.01, 0.05]),
    st.sampled_from([0.0, 0.001, 0.01, 0.05]),
    st.lists(st.booleans(), max_size=12),
)
def test_an_answer_is_the_true_one_or_an_error(
    seed: int, drop: float, garble: float, resets: list[bool]
) -> None:
    device, talk = ToyDevice(), Conversation(Patience())
    spoil = FaultyLink(ScriptedLink(b""), seed, drop, garble)
    try:
        converse(talk, device, talk.hello(seed % 1000 + 1, 0.0), spoil)
        for index, is_reset in enumerate(resets):
            if is_reset:
                device.session = 0
            try:
                answer = converse(talk, device, talk.ask(f"values {index}", 0.0), spoil)
                assert not is_reset
                assert answer == device.truth(index)
            except DeviceReset:
                assert device.session == 0
                converse(talk, device, talk.hello(index + 1, 0.0), spoil)
    except LineError:
        assert drop + garble > 0


def test_a_clean_line_needs_one_try_each() -> None:
    device, talk = ToyDevice(), Conversation(Patience())
    spoil = FaultyLink(ScriptedLink(b""), 1, 0, 0)
    converse(talk, device, talk.hello(1, 0.0), spoil)
    for index in range(5):
        converse(talk, device, talk.ask(f"values {index}", 0.0), spoil)
        assert talk.tries == 1


def test_a_run_that_has_begun_is_given_more_time() -> None:
    talk = Conversation(Patience(answer_s=1, run_s=30))
    talk._token = talk._session = 7
    talk.ask("run 0 0 3", 0.0, signs=4)
    assert talk.deadline == 1
    talk.take(b".", 0.5)
    assert talk.deadline == 30.5
    talk.take(b".", 100.0)
    assert talk.deadline == 130
    talk.take(b".", 1000.0)
    assert talk.deadline == 150  # 4 signs of life and the answer


def test_a_stale_answer_is_not_taken() -> None:
    talk = Conversation(Patience())
    talk._token = talk._session = 7
    talk.ask("values 0", 0.0)
    talk.ask("values 1", 0.0)
    talk.take(answer_line(1, 7, "ok 1 5"), 0.1)
    assert talk.answer is None
    talk.take(answer_line(2, 7, "ok 1 6"), 0.2)
    assert talk.answer == "1 6"


def test_a_refusal_says_what_the_hook_said() -> None:
    talk = Conversation(Patience())
    talk._token = talk._session = 7
    talk.ask("run 0 0 1", 0.0, signs=2)
    with pytest.raises(Refusal, match="RAM") as caught:
        talk.take(answer_line(1, 7, "error status 2 too little RAM"), 0.1)
    assert (caught.value.word, caught.value.status) == ("status", 2)


# ---- The device's side in C, as a program of this machine with sanitizers ----


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_tools(HERE)
    folder = tmp_path_factory.mktemp("serial_stdio")
    options = (
        "-DBABYCRY_SIMD=OFF",
        "-DBABYCRY_SANITIZE=address,undefined",
        "-DCMAKE_BUILD_TYPE=Debug",
    )
    return build(HERE, ROOT, folder, *options, only="serial_stdio") / "serial_stdio"


@pytest.fixture
def device(program: Path) -> Iterator[ProgramDevice]:
    device = ProgramDevice(program)
    yield device
    assert device.close() == ""  # no sanitizer complained


def measured(record: dict[str, Any]) -> dict[str, Any]:
    """What does not depend on the time that this machine took."""
    return {
        "stages": [
            (s["stage"], s["profile"], s["count"], s["warmup"], s["audio_s"], s["clock"])
            for s in record["stages"]
        ],
        "parity": record["parity"],
        "memory": record["memory"],
        "build": record["build"],
    }


@pytest.fixture(scope="module")
def true_record(program: Path, clips: list[Clip]) -> dict[str, Any]:
    device = ProgramDevice(program)
    record = run_on_port(device.link(), clips=clips[:2], effort=SMALL, profiles=PROFILES)
    assert device.close() == ""
    return record


def test_the_record_of_a_clean_line(true_record: dict[str, Any]) -> None:
    names = [(s["stage"], s["profile"]) for s in true_record["stages"]]
    assert names == [
        ("frontend_clip", "yamnet"),
        ("frontend_hop", "yamnet"),
        ("frontend_clip", "yamnet (integer)"),
        ("frontend_hop", "yamnet (integer)"),
        ("frontend_clip", "babycry"),
        ("frontend_hop", "babycry"),
    ]
    hop = true_record["stages"][1]
    assert (hop["clock"], hop["audio_s"], hop["warmup"]) == ("wall", 0.01, 5)
    assert hop["count"] == 2 * (4000 // 160 - 5)
    assert hop["real_time_factor"]["p50"] > 0
    for part in ("feature_hashes", "streaming"):
        for row in true_record["parity"][part]["profiles"]:
            assert (row["clips"], row["mismatches"]) == (2, 0)
    assert true_record["warnings"] == []


@pytest.mark.parametrize(("drop", "garble"), [(3e-4, 0), (0, 3e-4), (1e-3, 1e-3), (4e-3, 4e-3)])
def test_a_bad_line_changes_nothing(
    drop: float,
    garble: float,
    device: ProgramDevice,
    true_record: dict[str, Any],
    clips: list[Clip],
) -> None:
    link = FaultyLink(device.link(), 1, drop, garble)
    patience = Patience(answer_s=0.05, run_s=0.5)
    record = run_on_port(link, clips=clips[:2], effort=SMALL, profiles=PROFILES, patience=patience)
    assert link.faults > 3
    assert measured(record) == measured(true_record)


def test_a_hopeless_line_is_one_clear_error(device: ProgramDevice, clips: list[Clip]) -> None:
    link = FaultyLink(device.link(), 1, 0.1, 0.1)
    patience = Patience(answer_s=0.01, run_s=0.1)
    with pytest.raises(Interrupted, match=r"^stdio: .*(baud|cable)") as caught:
        run_on_port(link, clips=clips[:1], effort=SMALL, patience=patience)
    assert "\n" not in str(caught.value)
    assert caught.value.record is None


@pytest.mark.parametrize("after", [40, 9_000, 18_000, 18_500, 27_000])
def test_a_device_that_restarts_goes_on_where_it_was(
    after: int, device: ProgramDevice, true_record: dict[str, Any], clips: list[Clip]
) -> None:
    link = CallingLink(device.link(), after, device.kill)
    record = run_on_port(link, clips=clips[:2], effort=SMALL, profiles=PROFILES, patience=QUICK)
    assert device.starts == 2
    assert measured(record) == measured(true_record)
    assert record["warnings"] == ["resets of the device: 1; what they lost was run again"]


def test_a_device_that_always_resets_is_given_up_with_what_is_done(
    device: ProgramDevice, clips: list[Clip]
) -> None:
    resets: list[Any] = []

    def kill_after_two_stages(title: str, steps: int) -> Any:
        def advance() -> None:
            resets.append(None)
            if len(resets) > 2:
                device.kill()

        return advance

    with pytest.raises(Interrupted, match=r"reset 6 times.*power supply") as caught:
        run_on_port(
            device.link(),
            clips=clips[:3],
            effort=SMALL,
            profiles=PROFILES,
            patience=QUICK,
            track=kill_after_two_stages,
        )
    record = caught.value.record
    assert record is not None
    assert len(record["stages"]) >= 3
    assert "interrupted after" in record["warnings"][0]


def test_another_firmware_after_a_reset_is_not_measured_on(
    device: ProgramDevice, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    hello = SerialDevice.hello

    def changed(self: SerialDevice) -> Description:
        description = hello(self)
        facts = {**description.facts, "library": f"start {device.starts}"}
        return replace(description, facts=facts)

    monkeypatch.setattr(SerialDevice, "hello", changed)
    link = CallingLink(device.link(), 18_000, device.kill)
    with pytest.raises(Interrupted, match="another firmware answers after a reset"):
        run_on_port(link, clips=clips[:2], effort=SMALL, profiles=PROFILES, patience=QUICK)


def test_a_connection_that_is_lost_for_good_keeps_what_is_done(
    device: ProgramDevice, clips: list[Clip]
) -> None:
    link = CallingLink(device.link(can_come_back=False), 27_000, device.kill)
    with pytest.raises(Interrupted, match="start the device again") as caught:
        run_on_port(link, clips=clips[:2], effort=SMALL, profiles=PROFILES, patience=QUICK)
    assert caught.value.record is not None
    assert caught.value.record["stages"]


def test_features_with_other_bits_are_told_by_name(
    device: ProgramDevice, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SerialDevice.run

    def lie(self: SerialDevice, *arguments: Any) -> Outcome:
        outcome = run(self, *arguments)
        return Outcome(outcome.warmup, outcome.values, outcome.results, "0" * 16)

    monkeypatch.setattr(SerialDevice, "run", lie)
    record = run_on_port(device.link(), clips=clips[:1], effort=SMALL, profiles=["babycry"])
    (row,) = record["parity"]["feature_hashes"]["profiles"]
    assert (row["mismatches"], row["mismatched_clips"]) == (1, [clips[0].name])


def test_a_clip_that_does_not_fit_is_said_so(device: ProgramDevice, clips: list[Clip]) -> None:
    long = Clip("long", "cry", "hungry", clips[0].samples.repeat(4), 16000)
    with pytest.raises(BabycryError, match="448000 samples do not fit the device's RAM"):
        run_on_port(device.link(), clips=[long], effort=Effort(clip_samples=0))


def test_a_stage_that_does_not_fit_is_left_out_with_a_warning(
    device: ProgramDevice, clips: list[Clip]
) -> None:
    long = Clip("long", "cry", "hungry", clips[0].samples.repeat(2), 16000)
    record = run_on_port(
        device.link(), clips=[long], effort=Effort(clip_samples=220000), profiles=["librosa"]
    )
    assert (
        "frontend_clip of librosa was not run to its end: it does not fit the RAM"
        in (record["warnings"])
    )


def test_a_profile_that_the_device_lacks(device: ProgramDevice, clips: list[Clip]) -> None:
    with pytest.raises(BabycryError, match=r"no profile mine: it has .*babycry"):
        run_on_port(device.link(), clips=clips[:1], profiles=["mine"])


def test_the_commands_refuse_what_makes_no_sense(device: ProgramDevice) -> None:
    speaker = SerialDevice(device.link(), QUICK)
    with pytest.raises(Refusal, match="refuses: hello"):
        speaker.ask("fact 0")
    description = speaker.hello()
    for body, word in {
        "fact 99": "number",
        "stage 99": "stage",
        "run 99 0 1": "stage",
        "run 0 0 0": "runs",
        f"run 0 0 {description.max_runs + 1}": "runs",
        "run 0 0": "number",
        "run 0 0 4294967296": "number",
        "values 1 9": "number",
        "values 0": "number",
        "load 8 4 0000": "gap",
        "load 2 0 000": "line",
        "load 2 0 0g": "line",
        "load 2 0 000000": "line",
        "load 2 0": "number",
        "format c": "command",
    }.items():
        with pytest.raises(Refusal) as caught:
            speaker.ask(body, signs=3 if body.startswith("run") else 0)
        assert caught.value.word == word, body
    assert speaker.ask("load 8 0 00000000") == "4"
    with pytest.raises(Refusal, match="input"):
        speaker.ask("run 0 0 1", signs=3)


def test_a_run_that_is_asked_for_twice_runs_once(device: ProgramDevice) -> None:
    link = device.link()
    speaker = SerialDevice(link, QUICK)
    speaker.hello()
    speaker.load(bytes(8000))
    assert speaker.ask("run 0 0 5", signs=6) == "5"
    talk = speaker._conversation
    for repeat, dots in ((True, 0), (False, 6)):
        talk._sequence -= repeat
        link.write(talk.ask("run 0 0 5", speaker._now(), 6))
        said = b""
        while not said.endswith(b"\n"):
            said += link.read(5)
        assert read_answer(said.strip()) == Answer(talk._sequence, talk._session, "ok 5")
        assert said.partition(b"<")[0].count(b".") == dots


def test_the_loop_survives_random_lines(program: Path) -> None:
    """Random bytes, and whole lines with random bodies; then it still answers."""
    chance = random.Random(5)
    words = ["run", "load", "values", "results", "fact", "stage", "hello 00000001", "0", "1", "-1"]
    words += ["256", "4294967295", "99999999999", "00ff", "abc", "", " ", "\x01"]
    sent = bytearray()
    for i in range(3000):
        if chance.random() < 0.3:
            sent += chance.randbytes(chance.randrange(1, 700)) + b"\n"
        else:
            body = " ".join(chance.choices(words, k=chance.randrange(1, 5)))
            if body.startswith("run"):
                body = f"run {chance.randrange(40)} 0 {chance.randrange(3)}"
            sent += question(i, body)
    sent += question(1, "hello 00000007") + question(2, "fact 0")
    result = subprocess.run(
        [str(program)], input=bytes(sent), capture_output=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (0, b"")
    answers = AnswerReader().feed(result.stdout)
    assert answers[-1].body.startswith("ok library ")
    assert len(answers) > 2000


# ---- Ports ----


def test_an_absent_port() -> None:
    with pytest.raises(BabycryError, match=r"^/dev/ttyNONE: no such port: "):
        run_on_port("/dev/ttyNONE")


def test_a_port_that_nobody_listens_at() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(BabycryError, match="nobody listens there"):
        run_on_port(f"socket://127.0.0.1:{port}")


def test_a_pseudo_terminal_and_a_second_program_at_it(program: Path, clips: list[Clip]) -> None:
    master, slave = os.openpty()
    name = os.ttyname(slave)
    link = SerialLink(name)
    process = subprocess.Popen([str(program)], stdin=master, stdout=master)
    try:
        with pytest.raises(BabycryError, match="busy: another program has the port"):
            SerialLink(name)
        record = run_on_port(
            link, clips=clips[:1], effort=SMALL, profiles=["babycry"], patience=QUICK
        )
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)
    assert record["parity"]["feature_hashes"]["profiles"][0]["mismatches"] == 0


def test_a_tcp_port_by_its_url(device: ProgramDevice, clips: list[Clip]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"socket://127.0.0.1:{server.getsockname()[1]}"
        link = SerialLink(address)
        there = server.accept()[0]
        process = subprocess.Popen([str(device.program)], stdin=there, stdout=there)
        there.close()
        record = run_on_port(
            link, clips=clips[:1], effort=SMALL, profiles=["babycry"], patience=QUICK
        )
        process.wait(10)
    assert record["parity"]["feature_hashes"]["profiles"][0]["mismatches"] == 0


def test_a_silent_device() -> None:
    link = ScriptedLink(b"")
    patience = Patience(answer_s=0.01, first_tries=3)
    with pytest.raises(SilentError, match="asked 3 times"):
        SerialDevice(link, patience).hello()
    with pytest.raises(Interrupted, match=r"^scripted: silent.*power"):
        run_on_port(link, clips=[Clip("x", "cry", "x", None, 16000)], patience=patience)  # type: ignore[arg-type]
    assert link.closed


@pytest.mark.parametrize(
    "nonsense",
    [
        b"login: \r\n",
        b"m-ready\r\n",
        b"<0001 garbage\r\n",
        b"\xff\x00\xfe" * 30,
        b"\n>0001 hello 00000000 00000000\n",
    ],
)
def test_a_device_that_speaks_something_else(nonsense: bytes) -> None:
    patience = Patience(answer_s=0.01, first_tries=3)
    with pytest.raises(LineError, match=r"not in the bench's protocol.*baud rate") as caught:
        SerialDevice(ScriptedLink(nonsense), patience).hello()
    assert "\n" not in str(caught.value)


def test_a_firmware_of_another_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda most: 6)
    link = ScriptedLink(answer_line(1, 7, "ok 2 600 1 1 1 cycles 1"))
    with pytest.raises(LineError, match="version 2 of the protocol, this release 1"):
        SerialDevice(link, Patience()).hello()


def test_a_socket_that_the_other_end_closes() -> None:
    here, there = socket.socketpair()
    there.close()
    link = SocketLink(here, "stdio")
    with pytest.raises(LinkLost, match="stdio: "):
        link.read(1)
    link.close()
