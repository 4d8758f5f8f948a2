"""The zoo's networks: their authors' layer names, shapes and answers."""

from __future__ import annotations

import copy
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from babycry_convert import zoo  # noqa: E402
from babycry_convert.recipe import load_recipe, recipe_names  # noqa: E402
from babycry_convert.zoo import crnn, yamnet_head  # noqa: E402
from babycry_edge.errors import BabycryError  # noqa: E402
from babycry_edge.frontend import Frontend  # noqa: E402

SHARED_MODELS = Path(__file__).resolve().parent.parent.parent / "shared" / "models"
YAMNET = SHARED_MODELS / "yamnet_spectra_in.tflite"
YAMNET_FLOAT = SHARED_MODELS / "yamnet.tflite"

TORCHVISION = ("mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "resnet18", "resnet50")


@cache
def torchvision() -> Any:
    """torchvision's models, whose compiled part need not match this torch: only two schemas do."""
    global _library
    _library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        try:
            _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        except RuntimeError as error:  # the compiled part is there and has defined it
            assert "same name" in str(error), error
    return pytest.importorskip("torchvision").models


def seeded(module: Any, seed: int = 1) -> Any:
    """Weights and batch-norm statistics that leave no layer at its neutral start."""
    torch.manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.2)
            layer.running_var.uniform_(0.5, 1.5)
            layer.weight.data.uniform_(0.7, 1.3)
            layer.bias.data.normal_(0, 0.1)
        elif isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    return module.eval()


def system_of(recipe_name: str) -> tuple[Any, Any]:
    """A recipe's network with seeded weights, and an input as its author gives it."""
    recipe = load_recipe(recipe_name)
    network = zoo.build(
        recipe.architecture.name, len(recipe.labels.names), **recipe.architecture.options
    )
    frames, values = recipe.window_shape
    channels = zoo.systems()[recipe.architecture.name].CHANNELS
    shapes = {
        "NF": (2, values),
        "NCTF": (2, channels, frames, values),
        "NCFT": (2, channels, *(recipe.image.size if recipe.image else (values, frames))),
    }
    torch.manual_seed(2)
    return seeded(network), torch.randn(shapes[recipe.architecture.layout])


def networks() -> list[str]:
    return [name for name in recipe_names() if name in zoo.names()]


@pytest.mark.parametrize("name", networks())
def test_a_system_traces_and_answers_for_each_window_alone(name: str) -> None:
    network, given = system_of(name)
    n_labels = len(load_recipe(name).labels.names)
    traced = torch.fx.symbolic_trace(network)
    with torch.no_grad():
        logits = network(given)
        assert logits.shape == (2, n_labels)
        assert logits.std() > 1e-3  # the weights are not neutral
        assert torch.equal(traced(given), logits)
        assert torch.allclose(network(given[1:]), logits[1:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_torchvision_checkpoint_loads_strictly_and_answers_the_same(name: str) -> None:
    original = seeded(getattr(torchvision(), name)(num_classes=7))
    twin = zoo.build(name, 7)
    shapes = {key: value.shape for key, value in original.state_dict().items()}
    assert {key: value.shape for key, value in twin.state_dict().items()} == shapes
    twin.load_state_dict(original.state_dict(), strict=True)
    torch.manual_seed(3)
    image = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        expected, given = original(image), twin.eval()(image)
    assert (expected - given).abs().max() <= 1e-5 * expected.abs().max()


def test_the_reference_checkpoint_loads_strictly_into_ds_cnn() -> None:
    from babycry_convert.reference.architecture import CryNet

    original = seeded(CryNet())
    twin = zoo.build("ds_cnn", 2)
    twin.load_state_dict(original.state_dict(), strict=True)
    windows = torch.randn(2, 1, 100, 64)
    with torch.no_grad():
        assert torch.equal(twin.eval()(windows), original(windows))


def test_vggish_has_the_names_and_shapes_of_torchvggish() -> None:
    with torch.device("meta"):
        network = zoo.build("vggish_lstm", 7)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    convolutions = {0: (64, 1), 3: (128, 64), 6: (256, 128), 8: (256, 256), 11: (512, 256)}
    for number, channels in (convolutions | {13: (512, 512)}).items():
        assert shapes[f"features.{number}.weight"] == (*channels, 3, 3)
    dense = {0: (4096, 12288), 2: (4096, 4096), 4: (128, 4096)}
    for number, shape in dense.items():
        assert shapes[f"embeddings.{number}.weight"] == shape
    assert {key.split(".")[0] for key in shapes} == {"features", "embeddings", "lstm", "head"}


def test_vggish_takes_each_patch_by_itself_and_in_order() -> None:
    network = seeded(zoo.build("vggish_lstm", 7, width=0.125, embedding_width=32, hidden=16))
    windows = torch.randn(2, 1, 288, 64)
    with torch.no_grad():
        steps = [
            network.embeddings(
                network.features(windows[:, :, at : at + 96]).permute(0, 2, 3, 1).flatten(1)
            )
            for at in (0, 96, 192)
        ]
        outputs, _ = network.lstm(torch.stack(steps, 1))
        expected = network.head(outputs[:, -1])
        assert torch.allclose(network(windows), expected, rtol=1e-4, atol=1e-5)


def test_cnn4_answers_as_the_keras_model_whose_weights_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "torch"))
    keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential([keras.Input((128, 128, 1))])
    for width in (32, 64, 128, 128):
        model.add(layers.Conv2D(width, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D(2))
    for layer in (
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(7),
    ):
        model.add(layer)
    twin = zoo.build("cnn4", 7)
    kept = [layer for layer in model.layers if layer.weights]
    mine = ("conv2d", "conv2d_1", "conv2d_2", "conv2d_3", "dense", "dense_1")
    with torch.no_grad():
        for layer, name in zip(kept, mine, strict=True):
            kernel, bias = (torch.from_numpy(np.array(w)) for w in layer.get_weights())
            order = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
            getattr(twin, name).weight.copy_(kernel.permute(order))
            getattr(twin, name).bias.copy_(bias)
        image = np.random.default_rng(1).random((2, 128, 128, 1), np.float32)
        expected = np.asarray(model.predict(image, verbose=0))
        given = twin.eval()(torch.from_numpy(image.transpose(0, 3, 1, 2))).numpy()
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("summary", ["mean", "last"])
def test_crnn_has_every_form(kind: str, bidirectional: bool, layers: int, summary: str) -> None:
    network = zoo.build(
        "crnn", 9, kind=kind, bidirectional=bidirectional, layers=layers, summary=summary
    ).eval()
    recurrent = network.recurrent
    assert isinstance(recurrent, torch.nn.GRU if kind == "gru" else torch.nn.LSTM)
    assert (recurrent.num_layers, recurrent.bidirectional) == (layers, bidirectional)
    with torch.no_grad():
        assert network(torch.randn(2, 1, 64, 160)).shape == (2, 9)


def test_crnn_leaves_few_steps_to_the_recurrence() -> None:
    recipe = load_recipe("crnn")
    network, given = system_of("crnn")
    assert 10 <= network.encoder(given).shape[3] <= 25
    assert given.shape[3] == recipe.window.frames


def test_the_autoencoder_shares_its_encoder_with_the_crnn() -> None:
    trained = seeded(crnn.autoencoder())
    image = torch.randn(2, 1, 64, 160)
    with torch.no_grad():
        assert trained(image).shape == image.shape
    weights = trained.state_dict()
    kept = {k: v for k, v in weights.items() if not k.startswith(crnn.DROPPED_PREFIXES)}
    assert len(kept) < len(weights)
    network = zoo.build("crnn", 9)
    missing, unexpected = network.load_state_dict(kept, strict=False)
    assert not unexpected
    assert {key.split(".")[0] for key in missing} == {"recurrent", "head"}
    with torch.no_grad():
        assert torch.equal(network.eval().encoder(image), trained.encoder(image))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"kind": "rnn"}, "kind"),
        ({"summary": "max"}, "summary"),
        ({"n_mels": 16}, "n_mels"),
        ({"n_layers": 2}, "n_layers"),
    ],
)
def test_an_option_that_a_system_lacks_is_named(options: dict[str, Any], word: str) -> None:
    with pytest.raises(BabycryError, match=word):
        zoo.build("crnn", 9, **options)


def log_mel_patches() -> Any:
    """YAMNet patches of sounds unlike one another: (k, 96, 64) float32."""
    rng = np.random.default_rng(5)
    frontend = Frontend.from_profile("yamnet")
    time = np.arange(16_000) / 16_000
    patches = []
    for number in range(24):
        pitch = 120 * 1.17**number
        wobble = pitch + 0.15 * pitch * np.sin(2 * np.pi * 6 * time)
        tone = sum(np.sin(2 * np.pi * np.cumsum(wobble) * k / 16_000) / k for k in (1, 2, 3))
        beats = np.sin(2 * np.pi * (0.5 + number % 5) * time) ** 2
        noise = rng.standard_normal(16_000) * 10 ** -(number % 4)
        sound = (tone * beats + noise).astype(np.float32)
        patches.append(frontend(0.3 * sound / np.abs(sound).max(), 16_000)[:96])
    return np.stack(patches)


@pytest.mark.skipif(not YAMNET.is_file(), reason="needs YAMNet's TFLite file")
def test_the_yamnet_body_gives_the_classes_of_its_tflite_file() -> None:
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    from babycry_convert.flatbuffer_model import unpack

    root = unpack(YAMNET.read_bytes())
    dense = root.subgraphs[0].operators[31]  # FULLY_CONNECTED: 521 classes
    weight, bias = (
        yamnet_head._constant(root, dense.inputs[1]),
        yamnet_head._constant(root, dense.inputs[2]),
    )
    network = zoo.build("yamnet_head", 7).eval()
    yamnet_head.load_yamnet_body(network, YAMNET)

    interpreter = interpreter_module.Interpreter(str(YAMNET))
    interpreter.allocate_tensors()
    tensor_in, tensor_out = (
        interpreter.get_input_details()[0],
        interpreter.get_output_details()[0],
    )
    patches = log_mel_patches()
    expected = []
    for patch in patches:
        interpreter.set_tensor(tensor_in["index"], patch[None])
        interpreter.invoke()
        expected.append(interpreter.get_tensor(tensor_out["index"])[0].copy())
    with torch.no_grad():
        embeddings = network.avgpool(network.body(torch.from_numpy(patches)[:, None])).flatten(1)
        given = torch.sigmoid(embeddings @ torch.from_numpy(weight).T + torch.from_numpy(bias))
    scores, wanted = given.numpy(), np.array(expected)
    assert np.corrcoef(scores.ravel(), wanted.ravel())[0, 1] > 0.995
    assert np.mean(scores.argmax(1) == wanted.argmax(1)) >= 0.75  # the file itself is int8
    best = np.argsort(-scores, axis=1)[:, :3]
    assert np.mean([w.argmax() in three for w, three in zip(wanted, best, strict=True)]) > 0.95


@pytest.mark.skipif(not YAMNET_FLOAT.is_file(), reason="needs YAMNet's TFLite file")
def test_the_yamnet_body_asks_for_the_activation_of_the_file() -> None:
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(BabycryError, match="relu6=False"):
        yamnet_head.load_yamnet_body(zoo.build("yamnet_head", 7), YAMNET_FLOAT)
    yamnet_head.load_yamnet_body(zoo.build("yamnet_head", 7, relu6=False), YAMNET_FLOAT)


def test_a_file_that_is_not_yamnet_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    network = zoo.build("yamnet_head", 7)
    other = Path(__file__).parent / "models" / "fold0.tflite"
    with pytest.raises(BabycryError, match="15 convolutions where YAMNet has 27"):
        yamnet_head.load_yamnet_body(network, other)
    with pytest.raises(BabycryError, match="cannot read"):
        yamnet_head.load_yamnet_body(network, tmp_path / "nothing.tflite")


@pytest.mark.full
@pytest.mark.parametrize("name", networks())
def test_a_system_exports_to_onnx_and_tflite(name: str) -> None:
    """Through the recipe's layout and image steps; both engines are as near to double precision as
    torch in float32 is, within a factor of two."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("litert_torch")
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    from babycry_convert.hub_input import network_from
    from babycry_convert.writers.onnx_float import export_onnx
    from babycry_convert.writers.tflite_float import export_tflite

    module, _ = system_of(name)
    network = network_from(module, load_recipe(name), "state_dict")
    frames, values = network.window_shape
    windows = torch.rand(2, 1, frames, values)
    with torch.no_grad():
        single = network.module(windows).numpy()
        expected = copy.deepcopy(network.module).double()(windows.double()).numpy()
    bound = max(2 * np.abs(single - expected).max(), 1e-5 * np.abs(expected).max())
    onnx_model = export_onnx(network.module, frames, values)
    session = onnxruntime.InferenceSession(onnx_model)
    (given,) = session.run(None, {session.get_inputs()[0].name: windows.numpy()})
    assert np.abs(given - expected).max() <= bound
    interpreter = interpreter_module.Interpreter(
        model_content=export_tflite(network.module, frames, values)
    )
    interpreter.allocate_tensors()
    tensor = interpreter.get_input_details()[0]
    interpreter.set_tensor(tensor["index"], windows.numpy()[:1].reshape(tensor["shape"]))
    interpreter.invoke()
    row = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert np.abs(row - expected[:1]).max() <= bound
