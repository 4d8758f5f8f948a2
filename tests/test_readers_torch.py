"""TorchScript, exported programs and state dicts: read equal, told apart, refused when unsafe."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from babycry_edge.errors import BabycryError

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from torch import nn  # noqa: E402  (after the skips)

from babycry_convert import zoo  # noqa: E402
from babycry_convert.quiet import quiet  # noqa: E402
from babycry_convert.readers import ReadRequest, find_reader, read_checkpoint  # noqa: E402
from babycry_convert.readers.state_dict import misfit  # noqa: E402

T, F, CLASSES = 20, 16, 4
REQUEST = ReadRequest(n_classes=CLASSES, window_shape=(T, F), layout="NCTF")
OWN = replace(REQUEST, arch_class="own_network:Crnn")

OWN_NETWORK = """
import torch
from torch import nn


class Crnn(nn.Module):
    def __init__(self, hidden: int = 6, classes: int = 4) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.rnn = nn.GRU(64, hidden, 2, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x).permute(0, 2, 1, 3).flatten(2)
        y, _ = self.rnn(x)
        return torch.softmax(self.fc(y[:, -1]), 1)


class Needy(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()


class Plain:
    pass


not_a_class = 3
"""


@pytest.fixture(autouse=True)
def own_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A user's module in the working folder, imported from there alone."""
    (tmp_path / "own_network.py").write_text(OWN_NETWORK)
    (tmp_path / "broken_network.py").write_text("import nothing_of_this_name\n")
    monkeypatch.chdir(tmp_path)
    before = dict(sys.modules)
    yield
    for name in set(sys.modules) - set(before):
        if name in ("own_network", "broken_network"):
            del sys.modules[name]


@pytest.fixture
def network(own_network: None, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """The user's network with weights as after training."""
    import importlib

    monkeypatch.syspath_prepend(str(Path.cwd()))
    torch.manual_seed(2)
    module: nn.Module = importlib.import_module("own_network").Crnn()
    with torch.no_grad():
        for value in module.state_dict().values():
            if value.is_floating_point() and value.ndim > 1:
                value.mul_(2.0)
        module.conv[1].running_mean.uniform_(-0.5, 0.5)
        module.conv[1].running_var.uniform_(0.5, 1.5)
    return module.eval()


def assert_equal(read: nn.Module, original: nn.Module, channels: int = 1) -> None:
    """The same scores, whether the softmax is still there or was taken off."""
    off = getattr(read, "meta", {}).get("activation") == "softmax"
    for batch in (1, 3):
        generator = torch.Generator().manual_seed(batch)
        x = torch.randn(batch, channels, T, F, generator=generator)
        with torch.no_grad():
            expected = original(x)
            result = torch.softmax(read(x), 1) if off else read(x)
        assert batch == 1 or expected.std(0).max() > 0.01
        assert (result - expected).abs().max() <= 1e-5 * expected.abs().max()


def scripted(module: nn.Module, path: Path) -> None:
    torch.jit.script(module).save(path)


def traced(module: nn.Module, path: Path) -> None:
    with quiet():
        torch.jit.trace(module, torch.zeros(1, 1, T, F)).save(path)


def exported(module: nn.Module, path: Path, **options: Any) -> None:
    with quiet():
        program = torch.export.export(module, (torch.zeros(1, 1, T, F),), **options)
        torch.export.save(program, path)


def saved(module: nn.Module, path: Path) -> None:
    torch.save(module.state_dict(), path)


def saved_before_zip(module: nn.Module, path: Path) -> None:
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=False)


def safetensors(module: nn.Module, path: Path) -> None:
    library = pytest.importorskip("safetensors.torch")
    library.save_file(module.state_dict(), path, metadata={"by": "test"})


#: kind -> (writer, file name, reader)
FILES: dict[str, tuple[Callable[[nn.Module, Path], None], str, str]] = {
    "scripted": (scripted, "net.pt", "torchscript"),
    "traced": (traced, "net.pth", "torchscript"),
    "exported": (exported, "net.pt2", "exported_program"),
    "saved": (saved, "net.pth", "state_dict"),
    "saved before zip": (saved_before_zip, "net.pt", "state_dict"),
    "safetensors": (safetensors, "net.safetensors", "state_dict"),
}


def write(kind: str, module: nn.Module) -> Path:
    writer, name, _ = FILES[kind]
    path = Path.cwd() / name
    writer(module, path)
    return path


@pytest.mark.parametrize("kind", FILES)
def test_every_kind_is_told_apart_and_gives_the_same_scores(kind: str, network: nn.Module) -> None:
    path = write(kind, network)
    assert find_reader(path) == FILES[kind][2]
    read = read_checkpoint(path, OWN)
    assert not read.training
    assert_equal(read, network)
    assert any(isinstance(m, nn.GRU) for m in read.modules())
    assert isinstance(dict(read.named_modules())["conv.1"], nn.BatchNorm2d)


@pytest.mark.parametrize("kind", ["scripted", "exported", "saved"])
def test_the_ending_does_not_decide(kind: str, network: nn.Module) -> None:
    path = write(kind, network)
    other = path.with_name("net.bin" if kind == "saved" else "net.ckpt")
    path.rename(other)
    assert find_reader(other) == FILES[kind][2]


def test_a_program_exported_with_an_open_batch(network: nn.Module) -> None:
    class Flat(nn.Sequential):
        pass

    flat = Flat(network.conv, nn.Flatten(), nn.Linear(640, CLASSES)).eval()
    path = Path.cwd() / "open.pt2"
    with quiet():
        batch = torch.export.Dim("batch", min=1, max=64)
        program = torch.export.export(
            flat, (torch.zeros(3, 1, T, F),), dynamic_shapes=({0: batch},)
        )
        torch.export.save(program, path)
    assert_equal(read_checkpoint(path, REQUEST), flat)


def test_a_network_of_three_channels_is_found_out() -> None:
    class Colour(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 6, 3), nn.Linear(6, CLASSES)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.conv(x).mean((2, 3)))

    torch.manual_seed(0)
    colour = Colour().eval()
    path = Path.cwd() / "colour.pt"
    traced_colour = torch.jit.trace(colour, torch.zeros(1, 3, T, F))
    traced_colour.save(path)
    x = torch.randn(2, 3, T, F)
    read = read_checkpoint(path, REQUEST)
    assert torch.allclose(read(x), colour(x), atol=1e-6)
    with pytest.raises(BabycryError, match="takes no input of 1x20x16: "):
        read_checkpoint(path, replace(REQUEST, layout="NTF"))


# -- state dicts: wrappers, names and what does not fit


@pytest.mark.parametrize(
    "wrap",
    [
        lambda d: {"state_dict": d, "epoch": 3},
        lambda d: {"model_state_dict": d, "optimizer_state_dict": {"state": {}}},
        lambda d: {"model": {f"module.{k}": v for k, v in d.items()}},
        lambda d: {f"_orig_mod.module.{k}": v for k, v in d.items()},
        lambda d: {
            "state_dict": {**{f"model.{k}": v for k, v in d.items()}, "loss.w": d["fc.bias"]}
        },
        lambda d: {k: v for k, v in d.items() if "num_batches_tracked" not in k},
        lambda d: {k: v.half() if v.is_floating_point() else v for k, v in d.items()},
    ],
)
def test_wrapped_state_dicts(wrap: Callable[[Any], Any], network: nn.Module) -> None:
    path = Path.cwd() / "wrapped.ckpt"
    torch.save(wrap(network.state_dict()), path)
    read = read_checkpoint(path, OWN)
    assert all(v.dtype != torch.float16 for v in read.state_dict().values())
    x = torch.randn(2, 1, T, F)
    with torch.no_grad():
        assert (read(x) - network(x)).abs().max() < 2e-3  # half precision is one of them
    assert misfit(path, network) is None


def test_a_checkpoint_of_another_network_says_what_differs(network: nn.Module) -> None:
    path = write("saved", network)
    small = replace(OWN, options={"hidden": 5})
    with pytest.raises(BabycryError) as caught:
        read_checkpoint(path, small)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"{path} does not fit own_network:Crnn: 17 of another shape (")
    assert "rnn.weight_ih_l0 is 18x64, not 15x64" in text

    other = nn.Sequential(nn.Linear(2, 2))
    assert misfit(path, other) == (
        "2 missing (0.weight, 0.bias); 25 unexpected (conv.0.weight, conv.0.bias, ...)"
    )
    one_less = {k: v for k, v in network.state_dict().items() if k != "fc.bias"}
    torch.save(one_less, path)
    assert misfit(path, network) == "1 missing (fc.bias)"


def test_misfit_never_raises(network: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    assert "cannot be read" in str(misfit(path, network))
    path.write_bytes(b"")
    assert "\n" not in str(misfit(path, network))
    path.write_bytes(pickle.dumps({"a": Runs(tmp_path / "ran")}))
    assert "--trust-pickle" in str(misfit(path, network))
    assert not (tmp_path / "ran").exists()
    scripted(network, path)
    assert "brings its own network" in str(misfit(path, network))
    saved(network, path)
    assert misfit(path, network) is None
    assert misfit(path, network.to("meta")) is None


def test_weights_without_a_network_say_what_to_give(network: nn.Module) -> None:
    path = write("saved", network)
    for request in (REQUEST, replace(REQUEST, architecture="custom")):
        with pytest.raises(BabycryError, match=r"give a --recipe .*--arch package\.module:Class"):
            read_checkpoint(path, request)


def test_a_system_of_the_zoo_by_name(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("saved", network)

    def build(name: str, n_classes: int, **options: Any) -> nn.Module:
        assert (name, n_classes, options) == ("crnn", CLASSES, {"hidden": 6})
        module: nn.Module = type(network)(**options)
        return module

    monkeypatch.setattr(zoo, "build", build)
    request = replace(REQUEST, architecture="crnn", options={"hidden": 6})
    assert_equal(read_checkpoint(path, request), network)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("own_network", "must be package.module:Class"),
        ("own_network:", "must be package.module:Class"),
        ("no_such_module:Net", "no_such_module cannot be imported: No module named"),
        ("broken_network:Net", "cannot be imported: No module named 'nothing_of_this_name'"),
        ("own_network:Missing", "own_network has no Missing"),
        ("own_network:not_a_class", "not_a_class is no torch.nn.Module class"),
        ("own_network:Plain", "Plain is no torch.nn.Module class"),
        ("own_network:Needy", "missing 1 required positional argument: 'width'"),
    ],
)
def test_a_wrong_arch_is_one_line(place: str, reason: str, network: nn.Module) -> None:
    path = write("saved", network)
    with pytest.raises(BabycryError) as caught:
        read_checkpoint(path, replace(REQUEST, arch_class=place))
    assert str(caught.value).startswith(f"--arch {place}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_working_folder_does_not_stay_on_the_path(network: nn.Module) -> None:
    path = write("saved", network)
    before = list(sys.path)
    read_checkpoint(path, OWN)
    assert sys.path == before


# -- code in checkpoints


class Runs:
    """Unpickling this makes a file: the proof that code ran."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.marker}'",)


def saved_by_torch(content: Any, path: Path) -> None:
    torch.save(content, path)


def saved_before_zip_by_torch(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def pickled(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


@pytest.mark.parametrize("writer", [saved_by_torch, saved_before_zip_by_torch, pickled])
def test_a_pickle_with_code_is_refused_and_not_run(
    writer: Callable[[Any, Path], None], network: nn.Module, tmp_path: Path
) -> None:
    marker, path = tmp_path / "ran", tmp_path / "evil.pth"
    writer({"state_dict": network.state_dict(), "extra": Runs(marker)}, path)
    named = r"Unsupported operand" if writer is pickled else r"\(posix\.system\)"
    with pytest.raises(BabycryError, match=rf"{named}.*--trust-pickle") as caught:
        read_checkpoint(path, OWN)
    assert "\n" not in str(caught.value)
    assert not marker.exists()
    if writer is not pickled:  # the file does what it is refused for, where it is trusted
        read_checkpoint(path, replace(OWN, trust_pickle=True))
        assert marker.exists()


def test_a_whole_pickled_network_needs_trust(
    network: nn.Module, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path.cwd() / "whole.pth"
    torch.save(network, path)
    with pytest.raises(BabycryError, match=r"own_network\.Crnn.*--trust-pickle"):
        read_checkpoint(path, REQUEST)
    assert_equal(read_checkpoint(path, replace(REQUEST, trust_pickle=True)), network)
    assert "warning" in capsys.readouterr().err


def changed(path: Path, member: str, change: Callable[[bytes], bytes]) -> None:
    """Change one member of a zip file, or add it, with a right checksum."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    top = next(iter(members)).partition("/")[0]
    name = f"{top}/{member}"
    members[name] = change(members.get(name, b""))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def evil_pickle(marker: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save({"a": Runs(marker)}, buffer)
    return buffer.getvalue()


def edit(change: Callable[[Any], None]) -> Callable[[bytes], bytes]:
    def edited(data: bytes) -> bytes:
        content = json.loads(data)
        change(content)
        return json.dumps(content).encode()

    return edited


def test_exported_programs_with_code_are_refused_and_not_run(
    network: nn.Module, tmp_path: Path
) -> None:
    marker, path = tmp_path / "ran", tmp_path / "evil.pt2"
    call = f"__import__('os').system('touch {marker}')"

    def pickled_weight(content: Any) -> None:
        content["config"]["fc.bias"]["use_pickle"] = True

    def opaque(content: Any) -> None:
        content["config"]["x"] = {"path_name": "opaque_obj_0", "use_pickle": True}

    def evil_size(content: Any) -> None:
        values = content["graph_module"]["graph"]["tensor_values"]
        size = {"as_expr": {"expr_str": call, "hint": {"as_int": 1}}}
        next(iter(values.values()))["sizes"][0] = size

    def evil_target(content: Any) -> None:
        content["graph_module"]["graph"]["nodes"][0]["target"] = "torch.hub.load"

    def evil_name(content: Any) -> None:
        graph = content["graph_module"]["graph"]
        graph["inputs"][-1]["as_tensor"]["name"] = f"x = {call}; x"

    def evil_tree(content: Any) -> None:
        signature = content["graph_module"]["module_call_graph"][0]["signature"]
        signature["in_spec"] = json.dumps(
            [1, {"type": "collections.defaultdict", "context": "{}", "children_spec": []}]
        )

    weights = "data/weights/model_weights_config.json"
    program = "models/model.json"
    cases: list[tuple[str, Callable[[bytes], bytes]]] = [
        ("data/sample_inputs/model.pt", lambda _: evil_pickle(marker)),
        (weights, edit(pickled_weight)),
        ("data/constants/model_constants_config.json", edit(opaque)),
        *((program, edit(change)) for change in (evil_size, evil_target, evil_name, evil_tree)),
    ]
    for member, change in cases:
        exported(network, path)
        changed(path, member, change)
        with pytest.raises(BabycryError, match="--trust-pickle") as caught:
            read_checkpoint(path, REQUEST)
        assert "\n" not in str(caught.value)
        assert not marker.exists(), member

    # guards are Python that loading would run: they are left out
    exported(network, path)
    changed(path, program, edit(lambda content: content.update(guards_code=[call])))
    assert_equal(read_checkpoint(path, REQUEST), network)
    assert not marker.exists()


def test_torchscript_that_reaches_for_files_is_refused(tmp_path: Path) -> None:
    marker, path = tmp_path / "made", tmp_path / "evil.pt"

    class Writes(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1) + torch.from_file("MADE", shared=True, size=1)

    torch.jit.script(Writes()).save(path)
    changed(
        path,
        next(
            n.partition("/")[2]
            for n in zipfile.ZipFile(path).namelist()
            if b"from_file" in zipfile.ZipFile(path).read(n) and n.endswith(".py")
        ),
        lambda code: code.replace(b"MADE", str(marker).encode()),
    )
    with pytest.raises(BabycryError, match=r"calls from_file.*--trust-pickle"):
        read_checkpoint(path, REQUEST)
    assert not marker.exists()


# -- damage


def damaged(data: bytes, noise: random.Random) -> bytes:
    """A file cut short, or with some bytes changed."""
    if noise.random() < 0.3:
        return data[: noise.randrange(len(data))]
    content = bytearray(data)
    for _ in range(noise.choice((1, 2, 8))):
        content[noise.randrange(len(content))] = noise.randrange(256)
    return bytes(content)


def assert_one_line_or_read(path: Path) -> bool:
    try:
        read_checkpoint(path, OWN)
    except BabycryError as error:
        assert "\n" not in str(error)
        assert str(path) in str(error)
        return True
    return False


@pytest.mark.parametrize("kind", FILES)
def test_damaged_files_give_one_line(kind: str, network: nn.Module) -> None:
    path = write(kind, network)
    data = path.read_bytes()
    noise = random.Random(kind)
    refused = 0
    for _ in range(40):
        path.write_bytes(damaged(data, noise))
        refused += assert_one_line_or_read(path)
    assert refused >= 10


@pytest.mark.parametrize("kind", ["scripted", "exported", "saved"])
def test_damage_behind_a_right_checksum_gives_one_line(kind: str, network: nn.Module) -> None:
    """What a hostile file can have that a damaged disk cannot."""
    path = write(kind, network)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        names = [
            name.partition("/")[2]
            for name in archive.namelist()
            if name.endswith((".json", ".pkl", ".py", "sample_inputs/model.pt"))
        ]
    noise = random.Random(kind)
    refused = 0
    for _ in range(40):
        path.write_bytes(data)
        changed(path, noise.choice(names), lambda member: damaged(member, noise))
        refused += assert_one_line_or_read(path)
    assert refused >= 10


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 9]}}, "lies outside the file"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [-4, 4]}}, "lies outside the file"),
        ({"a": {"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 8]}}, "the file has 8"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}}, "takes 4 bytes"),
        ({"a": {"dtype": "C64", "shape": [1], "data_offsets": [0, 8]}}, "has the type 'C64'"),
        ({"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}, "lies outside"),
        ({"a": [1]}, "lies outside"),
        ([], "no JSON object"),
        ({}, "holds no state dict"),
    ],
)
def test_safetensors_headers_are_checked(header: Any, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    with pytest.raises(BabycryError, match=reason):
        read_checkpoint(path, OWN)


def test_a_zip_file_of_another_kind_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "net.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/readme.txt", "hello")
    with pytest.raises(BabycryError, match="no checkpoint that can be read"):
        read_checkpoint(path, REQUEST)
    other = path.rename(tmp_path / "net.pth")
    with pytest.raises(BabycryError, match="none that torch wrote"):
        read_checkpoint(other, REQUEST)
