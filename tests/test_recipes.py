"""The recipes that ship with the converter, and a network's way behind a recipe's input."""

from __future__ import annotations

import csv
import json
import sys
import types
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from babycry_convert import fitting, readers, zoo  # noqa: E402
from babycry_convert.hub import Network  # noqa: E402
from babycry_convert.hub_input import (  # noqa: E402
    network_from,
    read_request,
)
from babycry_convert.recipe import Architecture, Image, Recipe, load_recipe, recipe_names  # noqa: E402
from babycry_convert.standardisation import take_out_standardisation  # noqa: E402
from babycry_edge.config import FrontendConfig  # noqa: E402
from babycry_edge.errors import BabycryError  # noqa: E402
from babycry_edge.windows import WindowStream  # noqa: E402

MANIFEST = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "manifest.csv"
SCIKIT_LEARN = ("gradient_boosting", "random_forest", "rbf_svm")
NETWORKS = [name for name in recipe_names() if name not in SCIKIT_LEARN]


def test_there_is_a_recipe_for_each_system_and_a_system_for_each_recipe() -> None:
    assert set(recipe_names()) == set(zoo.names()) | set(SCIKIT_LEARN)


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_names_itself_its_system_and_every_changed_axis(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.architecture.name == ("scikit-learn" if name in SCIKIT_LEARN else name)
    assert recipe.labels.target == "cry"
    base, _, changes = recipe.frontend.profile.rstrip("]").partition("[")
    axes = dict(pair.split("=") for pair in changes.split(",") if pair)
    plain = FrontendConfig.from_profile(base).to_dict()
    differing = {
        axis
        for axis, value in recipe.frontend.to_dict().items()
        if axis != "profile" and value != plain.get(axis)
    }
    assert set(axes) == differing


@pytest.mark.parametrize("name", recipe_names())
def test_the_front_end_gives_the_windows_of_a_recipe(name: str) -> None:
    recipe = load_recipe(name)
    rate = recipe.frontend.sample_rate
    rng = np.random.default_rng(1)
    tone = np.sin(2 * np.pi * 440 * np.arange(11 * rate) / rate)
    sound = (0.2 * tone + 0.05 * rng.standard_normal(11 * rate)).astype(np.float32)
    for audio in (sound, np.zeros_like(sound)):
        stream = WindowStream(recipe.frontend, recipe.window.frames, recipe.window.hop_frames)
        windows = stream.push(audio)
        assert len(windows) >= 1
        assert windows.shape[1:] == recipe.window_shape
        assert np.isfinite(windows).all()


@pytest.mark.skipif(not MANIFEST.is_file(), reason="needs the recordings' manifest")
@pytest.mark.parametrize("name", recipe_names())
def test_recordings_of_each_label_exist(name: str) -> None:
    with MANIFEST.open(newline="") as file:
        rows = list(csv.DictReader(file))
    known = {row["label"] for row in rows} | {row["kind"] for row in rows}
    labels = set(load_recipe(name).labels.names) - {"other"}
    assert labels <= known


@pytest.mark.parametrize("name", NETWORKS)
def test_a_system_takes_the_windows_of_its_recipe_and_keeps_its_layers_names(name: str) -> None:
    recipe = load_recipe(name)
    labels = len(recipe.labels.names)
    module = zoo.build(recipe.architecture.name, labels, **recipe.architecture.options)
    names = {key for key, layer in module.named_modules() if isinstance(layer, nn.Conv2d)}
    network = network_from(module, recipe, "state_dict")
    assert network.window_shape == recipe.window_shape
    assert network.n_outputs == labels
    own = {key for key, layer in network.module.named_modules() if isinstance(layer, nn.Conv2d)}
    assert own - names == ({"channels"} if recipe.image else set())
    assert names <= own
    with torch.no_grad():
        assert network.module(torch.rand(2, 1, *recipe.window_shape)).shape == (2, labels)


class Kept(nn.Module):
    """Keeps what it is given, and answers with its mean for each label."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.labels = labels

    def forward(self, given: Any) -> Any:
        if not isinstance(given, torch.fx.Proxy):
            self.given = given
        return given.flatten(1).mean(1, keepdim=True).repeat(1, self.labels)


class Untraceable(Kept):
    def forward(self, given: Any) -> Any:
        assert len(given) > 0
        return super().forward(given)


def with_input(layout: str, image: Image | None = None) -> Recipe:
    recipe = load_recipe("resnet18")
    architecture = replace(recipe.architecture, layout=layout)
    return replace(recipe, architecture=architecture, image=image)


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        ("NCTF", lambda w: w),
        ("NCFT", lambda w: w.permute(0, 1, 3, 2)),
        ("NTF", lambda w: w[:, 0]),
        ("NFT", lambda w: w[:, 0].permute(0, 2, 1)),
        ("NF", lambda w: w.reshape(len(w), -1)),
    ],
)
def test_a_layout_gives_the_network_what_its_author_gave_it(layout: str, shape: Any) -> None:
    module = Untraceable(7)
    network = network_from(module, with_input(layout), "test")
    windows = torch.randn(3, 1, 128, 128)
    network.module(windows)
    assert torch.equal(module.given, shape(windows))


@pytest.mark.parametrize("size", [(128, 128), (96, 224), (100, 90)])
def test_image_steps_equal_resize_copy_and_normalise(size: tuple[int, int]) -> None:
    module = Untraceable(7)
    network = network_from(module, with_input("NCFT", Image(size)), "test")
    windows = torch.rand(2, 1, 128, 128)
    network.module(windows)
    image = nn.functional.interpolate(
        windows.transpose(2, 3), size, mode="bilinear", align_corners=False
    )
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    expected = (image.expand(-1, 3, -1, -1) - mean) / std
    assert module.given.shape == (2, 3, *size)
    assert (module.given - expected).abs().max() < 1e-5


def test_traced_and_wrapped_give_the_same_answer() -> None:
    recipe = load_recipe("mobilenet_v2")
    torch.manual_seed(1)
    module = zoo.build("mobilenet_v2", 7).eval()
    windows = torch.rand(1, 1, 128, 128)
    network = network_from(module, recipe, "test")
    assert isinstance(network.module, torch.fx.GraphModule)
    kept = Untraceable(7)
    network_from(kept, recipe, "test").module(windows)
    with torch.no_grad():
        assert torch.allclose(network.module(windows), module(kept.given), atol=1e-6)


def test_labels_that_do_not_match_the_outputs_are_counted() -> None:
    module = zoo.build("resnet18", 10)
    with pytest.raises(BabycryError, match="the network gives 10 outputs and the recipe names 7"):
        network_from(module, load_recipe("resnet18"), "state_dict")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Linear(50, 7), "layout NCFT"),
        (nn.Conv2d(1, 7, 3), "layout NCFT"),
        (nn.Identity(), "not one row of logits"),
        (nn.LSTM(5, 5), "layout NCFT"),
    ],
)
def test_a_network_of_another_shape_is_refused_in_one_line(module: Any, words: str) -> None:
    with pytest.raises(BabycryError, match=words) as refused:
        network_from(module, load_recipe("resnet18"), "state_dict")
    assert "\n" not in str(refused.value)


def test_weights_that_are_no_numbers_are_refused() -> None:
    module = zoo.build("resnet18", 7)
    module.fc.weight.data[0, 0] = float("nan")
    with pytest.raises(BabycryError, match="finite"):
        network_from(module, load_recipe("resnet18"), "state_dict")


def test_an_activation_that_a_reader_took_off_must_be_the_recipes() -> None:
    module = torch.fx.symbolic_trace(zoo.build("ds_cnn", 2))
    module.meta["activation"] = "sigmoid"
    with pytest.raises(BabycryError, match=r"ended in a sigmoid .* is softmax"):
        network_from(module, load_recipe("ds_cnn"), "onnx_model")
    module.meta["activation"] = "softmax"
    network_from(module, load_recipe("ds_cnn"), "onnx_model")


def test_behind_image_steps_the_reader_is_told_the_image() -> None:
    request = read_request(with_input("NCFT", Image((96, 224))), trust_pickle=True)
    assert (request.window_shape, request.channels) == ((224, 96), 3)
    assert (request.n_classes, request.architecture, request.trust_pickle) == (7, "resnet18", True)
    plain = read_request(load_recipe("dnn"), arch_class="mine:Net")
    assert (plain.window_shape, plain.channels, plain.layout) == ((1, 88), 1, "NF")
    assert plain.options == {"n_features": 88}
    assert plain.arch_class == "mine:Net"


# -- the standardisation of one row


def rows(module: nn.Module, values: int = 88) -> Network:
    return Network(module.eval(), (1, values), 7, "dnn", "test")


def random_norm(values: int = 88) -> nn.BatchNorm1d:
    torch.manual_seed(4)
    norm = nn.BatchNorm1d(values)
    norm.running_mean.uniform_(-1000, 4000)
    norm.running_var.uniform_(1e-4, 1e6)
    norm.weight.data.uniform_(-2, 2)
    norm.bias.data.normal_(0, 3)
    return norm


def check_taken(network: Network) -> tuple[Any, Any]:
    taken = take_out_standardisation(network)
    assert taken is not None
    rest, mean, scale = taken
    assert mean.dtype == scale.dtype == np.float32
    assert mean.shape == scale.shape == (network.window_shape[1],)
    draw = np.random.default_rng(3).standard_normal((16, 1, 1, len(mean))).astype(np.float32)
    given = mean + 2 * draw / scale
    with torch.no_grad():
        expected = network.module(torch.from_numpy(given))
        found = rest.module(torch.from_numpy((given - mean) * scale))
    assert expected.std() > 1e-2
    assert (expected - found).abs().max() <= 1e-4 * expected.abs().max()
    return rest, (mean, scale)


def test_the_first_batch_norm_of_a_row_leaves_the_graph() -> None:
    module = zoo.build("dnn", 7).eval()
    module.norm = random_norm().eval()
    network = network_from(module, load_recipe("dnn"), "state_dict")
    rest, (mean, scale) = check_taken(network)
    assert not any(isinstance(layer, nn.BatchNorm1d) for layer in rest.module.modules())
    norm = module.norm
    slope = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    np.testing.assert_allclose(scale, slope.detach().numpy(), rtol=1e-6)
    offset = (norm.running_mean - norm.bias / slope).detach().numpy()
    np.testing.assert_allclose(mean, offset, rtol=1e-4)
    assert take_out_standardisation(rest) is None


class Constants(nn.Module):
    """As other exporters write a scaler: constants subtracted, divided or multiplied."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.register_buffer("mean", torch.linspace(-500, 900, 88).reshape(1, 88))
        self.register_buffer("std", torch.linspace(0.01, 700, 88))
        self.register_buffer("slope", 1 / self.std)
        self.register_buffer("offset", -self.mean[0] / self.std)
        self.head = nn.Linear(88, 7)

    def forward(self, windows: Any) -> Any:
        row = windows.reshape(windows.shape[0], -1)
        if self.form == "sub div":
            row = (row - self.mean) / self.std
        elif self.form == "mul add":
            row = torch.add(torch.mul(self.slope, row), self.offset)
        elif self.form == "reversed":
            row = 0.5 * (self.mean - row)
        return self.head(row)


@pytest.mark.parametrize("form", ["sub div", "mul add", "reversed"])
def test_constants_at_the_input_leave_the_graph(form: str) -> None:
    rest, (mean, scale) = check_taken(rows(Constants(form)))
    np.testing.assert_allclose(mean, np.linspace(-500, 900, 88), rtol=1e-5, atol=1e-4)
    expected = np.full(88, -0.5) if form == "reversed" else 1 / np.linspace(0.01, 700, 88)
    np.testing.assert_allclose(scale, expected, rtol=1e-5)
    assert not list(rest.module.buffers())


class Branch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = random_norm()
        self.head = nn.Linear(88, 7)

    def forward(self, windows: Any) -> Any:
        row = windows.flatten(1)
        return self.head(self.norm(row)) + row.mean()


def test_what_is_no_standardisation_stays() -> None:
    plain = nn.Sequential(nn.Flatten(), nn.Linear(88, 7))
    assert take_out_standardisation(rows(plain)) is None
    assert take_out_standardisation(rows(Branch())) is None
    silenced = nn.Sequential(nn.Flatten(), random_norm(), nn.Linear(88, 7))
    silenced[1].weight.data[3] = 0.0
    assert take_out_standardisation(rows(silenced)) is None
    several_rows = network_from(zoo.build("cnn", 6), load_recipe("cnn"), "test")
    assert take_out_standardisation(several_rows) is None


# -- which recipes fit


@pytest.fixture
def checkpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Makes a checkpoint whose reader gives ``module``; counts the readings."""

    def make(module: Any, suffix: str = ".fake") -> tuple[Path, list[Any]]:
        path = tmp_path / f"net{suffix}"
        path.write_bytes(b"net")
        readings: list[Any] = []

        def read(given: Path, request: Any) -> Any:
            readings.append(request)
            if isinstance(module, Exception):
                raise module
            return module

        reader = types.SimpleNamespace(SUFFIXES=(suffix,))
        monkeypatch.setitem(sys.modules, "babycry_convert.readers.fake", reader)
        monkeypatch.setattr(readers, "find_reader", lambda given: "fake")
        monkeypatch.setattr(readers, "read_checkpoint", read)
        return path, readings

    return make


def every_recipe() -> list[Recipe]:
    return [load_recipe(name) for name in recipe_names()]


def test_the_recipes_that_fit_a_network_are_those_with_its_input_and_labels(
    checkpoint: Any,
) -> None:
    path, _ = checkpoint(zoo.build("ds_cnn", 2))
    reasons = fitting.misfits(every_recipe(), path)
    assert [name for name, reason in reasons.items() if reason is None] == ["ds_cnn"]
    assert reasons["crnn"] == "the network gives 2 outputs and the recipe names 9 labels"
    assert "layout NF" in reasons["dnn"]
    assert reasons["rbf_svm"] == "it is for models of scikit-learn"


def test_a_file_is_read_once_for_each_input(checkpoint: Any) -> None:
    path, readings = checkpoint(zoo.build("ds_cnn", 2))
    reasons = fitting.misfits(every_recipe(), path)
    assert reasons["ds_cnn"] is None
    assert {request.window_shape for request in readings} >= {(100, 64), (1, 88), (224, 224)}
    asked = [(r.window_shape, r.layout, r.channels, r.n_classes) for r in readings]
    assert len(asked) == len(set(asked)) < len(NETWORKS)


def test_a_checkpoint_that_cannot_be_read_fits_nothing_and_says_why(checkpoint: Any) -> None:
    path, _ = checkpoint(BabycryError("cut off: copy it again"))
    assert fitting.misfit(load_recipe("resnet18"), path) == "cut off: copy it again"


def test_a_recipe_for_an_unknown_system_is_named(checkpoint: Any) -> None:
    path, _ = checkpoint(zoo.build("ds_cnn", 2))
    recipe = load_recipe("resnet18")
    other = replace(recipe, architecture=replace(recipe.architecture, name="alexnet"))
    assert fitting.misfit(other, path) == "the zoo has no system 'alexnet'"


def test_an_estimator_fits_the_recipe_that_names_it(checkpoint: Any) -> None:
    path, readings = checkpoint(None, suffix=".skops")
    forest = {"__class__": "RandomForestClassifier", "__module__": "sklearn.ensemble._forest"}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", json.dumps(forest))
    reasons = fitting.misfits(every_recipe(), path)
    assert [name for name, reason in reasons.items() if reason is None] == ["random_forest"]
    assert reasons["rbf_svm"] == "the file has no SVC"
    assert reasons["crnn"] == "it is for networks"
    path.write_bytes(b"cut off" + path.read_bytes()[20:])
    assert "damaged" in str(fitting.misfit(load_recipe("rbf_svm"), path))
    assert not readings


def test_weights_alone_are_asked_of_their_reader(
    checkpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, readings = checkpoint(None, suffix=".pth")

    def misfit(given: Path, network: Any) -> str | None:
        return None if hasattr(network, "fc") else "has no layer fc"

    monkeypatch.setattr(
        sys.modules["babycry_convert.readers.fake"], "misfit", misfit, raising=False
    )
    recipes = every_recipe()
    recipes.append(replace(recipes[0], name="own", architecture=Architecture()))
    reasons = fitting.misfits(recipes, path)
    fitting_recipes = [name for name, reason in reasons.items() if reason is None]
    assert fitting_recipes == ["resnet18", "resnet50"]
    assert reasons["crnn"] == "has no layer fc"
    assert "--arch" in str(reasons["own"])
    assert not readings


def test_a_state_dict_fits_its_own_system_alone(tmp_path: Path) -> None:
    for name in NETWORKS:
        recipe = load_recipe(name)
        network = zoo.build(name, len(recipe.labels.names), **recipe.architecture.options)
        path = tmp_path / f"{name}.pth"
        torch.save(network.state_dict(), path)
        reasons = fitting.misfits(every_recipe(), path)
        assert [other for other, reason in reasons.items() if reason is None] == [name]
        assert all("\n" not in reason for reason in reasons.values() if reason)


def test_a_crnn_that_kept_its_decoder_fits(tmp_path: Path) -> None:
    recipe = load_recipe("crnn")
    network = zoo.build("crnn", 9, **recipe.architecture.options)
    weights = network.state_dict() | {
        key: value
        for key, value in zoo.systems()["crnn"].autoencoder().state_dict().items()
        if key.startswith("decoder.")
    }
    path = tmp_path / "crnn.pt"
    torch.save(weights, path)
    assert fitting.misfit(recipe, path) is None
    read = readers.read_checkpoint(path, read_request(recipe))
    assert torch.equal(read.state_dict()["head.weight"], weights["head.weight"])
