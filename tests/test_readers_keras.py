"""Keras files to torch: Keras's and TensorFlow's own answers; hostile files, one line each."""

from __future__ import annotations

import io
import json
import os
import random
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from babycry_edge.errors import BabycryError

torch = pytest.importorskip("torch")
h5py = pytest.importorskip("h5py")
if find_spec("keras") is None:
    pytest.skip("keras is not installed", allow_module_level=True)

from babycry_convert.readers import (  # noqa: E402  (after the skips)
    ReadRequest,
    find_reader,
    keras_model,
    read_checkpoint,
)

keras = keras_model.import_keras()
L = keras.layers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FIXTURES = Path(__file__).parent / "fixtures"
LAYOUTS = {4: "NCTF", 3: "NTF", 2: "NF"}


def request(layout: str = "NCTF", n_classes: int = 3, **changes: Any) -> ReadRequest:
    return ReadRequest(n_classes, (20, 18), layout, **changes)


def sequential(*layers: Any) -> Any:
    return keras.Sequential([L.Input(layers[0]), *layers[1:]])


def branches() -> Any:
    """Squeeze and excitation, residual sums, both kinds of concatenation, plain operators."""
    x = keras.Input((20, 18, 1))
    y = L.Conv2D(8, 3, padding="same", strides=2, activation="relu")(x)
    gate = L.GlobalAveragePooling2D(keepdims=True)(y)
    gate = L.Conv2D(2, 1, activation="relu")(gate)
    gate = L.Conv2D(8, 1, activation="hard_sigmoid")(gate)
    y = L.Multiply()([y, gate])
    y = L.Concatenate()([L.Add()([y, L.Conv2D(8, 1, activation="silu")(y)]), y])
    y = L.Concatenate(axis=1)([y, 0.5 - y * 2.0])
    y = L.BatchNormalization()(L.Flatten()(y))
    return keras.Model(x, L.Dense(3, activation="softmax")(y))


def nested() -> Any:
    x = keras.Input((20, 18, 1))
    inner = keras.Sequential(
        [
            L.Input((20, 18, 4)),
            L.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2),
            L.ReLU(6.0),
            L.Flatten(),
        ]
    )
    return keras.Model(x, L.Dense(3)(inner(L.Conv2D(4, 3, padding="same")(x))))


IMAGE, SEQUENCE = (20, 18, 1), (20, 18)

MODELS: dict[str, Any] = {
    "cnn": lambda: sequential(
        IMAGE,
        L.Conv2D(6, (3, 5), padding="same", activation="relu"),
        L.BatchNormalization(),
        L.MaxPooling2D(2, padding="same"),
        L.Conv2D(8, 3, strides=2),
        L.Dropout(0.1),
        L.Flatten(),
        L.Dense(16, activation="relu"),
        L.Dense(3, activation="softmax"),
    ),
    "pooling": lambda: sequential(
        IMAGE,
        L.Conv2D(6, 3, dilation_rate=2, padding="same"),
        L.MaxPooling2D(3, strides=2, padding="same"),
        L.MaxPooling2D((5, 4), strides=(2, 3), padding="same"),
        L.GlobalMaxPooling2D(),
        L.Dense(3),
        L.Softmax(),
    ),
    "separable": lambda: sequential(
        IMAGE,
        L.SeparableConv2D(6, 3, strides=2, padding="same", depth_multiplier=2, activation="tanh"),
        L.LeakyReLU(),
        L.ELU(),
        L.PReLU(shared_axes=[1, 2]),
        L.GlobalAveragePooling2D(),
        L.LayerNormalization(),
        L.Dense(3),
    ),
    "branches": branches,
    "nested": nested,
    "conv1d": lambda: sequential(
        SEQUENCE,
        L.Conv1D(6, 3, padding="causal", activation="relu"),
        L.BatchNormalization(),
        L.MaxPooling1D(2),
        L.SeparableConv1D(5, 3, padding="same", strides=2),
        L.ZeroPadding1D(1),
        L.Conv1D(4, 4, strides=3, padding="same", activation="gelu"),
        L.GlobalAveragePooling1D(),
        L.Dense(3, activation="sigmoid"),
    ),
    "lstm": lambda: sequential(
        SEQUENCE, L.LSTM(7, return_sequences=True), L.LSTM(5, use_bias=False), L.Dense(3)
    ),
    "gru": lambda: sequential(
        SEQUENCE,
        L.GRU(7, return_sequences=True, reset_after=False),
        L.GRU(5, reset_after=True, go_backwards=True),
        L.Dense(3),
    ),
    "bidirectional": lambda: sequential(
        SEQUENCE,
        L.Bidirectional(L.LSTM(7, return_sequences=True)),
        L.Bidirectional(L.GRU(5, return_sequences=True), merge_mode="sum"),
        L.Bidirectional(L.GRU(5, reset_after=False, return_sequences=True), merge_mode="ave"),
        L.Bidirectional(L.GRU(4)),
        L.Dense(3),
    ),
    "crnn": lambda: sequential(
        IMAGE,
        L.Conv2D(6, 3, padding="same"),
        L.Permute((2, 1, 3)),
        L.Reshape((18, -1)),
        L.TimeDistributed(L.Dense(8, activation="relu")),
        L.GRU(5),
        L.Dense(3),
    ),
    "time_distributed": lambda: sequential(
        SEQUENCE,
        L.Reshape((5, 4, 18, 1)),
        L.TimeDistributed(L.Conv2D(3, 3, activation="relu")),
        L.TimeDistributed(L.Flatten()),
        L.LSTM(4),
        L.Dense(3),
    ),
    "reshaped": lambda: sequential(
        SEQUENCE,
        L.Reshape((20, 18, 1)),
        L.Rescaling(0.25, offset=0.1),
        L.ZeroPadding2D(((1, 0), (2, 1))),
        L.Cropping2D(1),
        L.Dense(4, activation="relu"),
        L.BatchNormalization(axis=1),
        L.Conv2D(4, 3),
        L.Reshape((-1,)),
        L.Dense(3),
    ),
    "dnn": lambda: sequential(
        (360,),
        L.Normalization(mean=np.linspace(-1, 1, 360), variance=np.linspace(0.1, 2, 360)),
        L.Dense(16, activation="selu"),
        L.BatchNormalization(),
        L.Dense(3, activation="softmax"),
    ),
    "open_sizes": lambda: sequential(
        (None, None, 1),
        L.Conv2D(4, 3, strides=2, padding="same"),
        L.GlobalAveragePooling2D(),
        L.Dense(3),
    ),
}


def shuffled(model: Any, seed: int = 0) -> Any:
    """Every weight random, so that a swapped axis or gate shows."""
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        if "seed" in variable.path:
            continue
        values = 0.3 * generator.standard_normal(variable.shape)
        if "variance" in variable.path:
            values = 0.5 + np.abs(values)
        variable.assign(values)
    return model


def save(model: Any, path: Path) -> Path:
    model.save(path)
    return path


def channels_first(x: Any) -> Any:
    return x.permute(0, 3, 1, 2).contiguous() if x.dim() == 4 else x


@pytest.fixture(scope="module")
def cnn_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(shuffled(MODELS["cnn"]()), tmp_path_factory.mktemp("keras") / "cnn.keras")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore")
def test_torch_gives_keras_own_scores(name: str, suffix: str, tmp_path: Path) -> None:
    if (name, suffix) == ("branches", ".h5"):
        pytest.skip("the legacy format cannot hold plain operators")
    model = shuffled(MODELS[name]())
    path = save(model, tmp_path / f"model{suffix}")
    network = keras_model.read(path, request(LAYOUTS[len(model.input_shape)]))
    shape = [s or w for s, w in zip(model.input_shape[1:], IMAGE, strict=False)]
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        expected, given = model(x), network(channels_first(x))
    notes = " ".join(network.meta["notes"])
    finish = torch.sigmoid if "sigmoid" in notes else torch.nn.Softmax(dim=-1)
    if "left out" in notes:
        given = finish(given)
    assert expected.std() > 1e-3
    torch.testing.assert_close(given, expected, atol=1e-4, rtol=1e-4)
    torch.fx.symbolic_trace(network)


def test_keras_2_file_gives_tensorflow_scores() -> None:
    path = FIXTURES / "keras2_crnn.h5"
    answers = np.load(FIXTURES / "keras2_crnn.npz")
    assert find_reader(path) == "keras_model"
    network = read_checkpoint(path, ReadRequest(3, (24, 16), "NCTF"))
    with torch.no_grad():
        logits = network(channels_first(torch.from_numpy(answers["windows"])))
    np.testing.assert_allclose(torch.softmax(logits, -1).numpy(), answers["scores"], atol=1e-6)
    assert network.meta["activation"] == "softmax"
    kinds = {type(module).__name__ for module in network.modules()}
    assert {"Conv2d", "BatchNorm2d", "LSTM", "GRU", "Linear"} <= kinds


@pytest.mark.parametrize("name", ["cnn", "pooling", "branches"])
def test_both_writers_take_the_translation(name: str, tmp_path: Path) -> None:
    pytest.importorskip("litert_torch")
    onnxruntime = pytest.importorskip("onnxruntime")
    from ai_edge_litert.interpreter import Interpreter

    from babycry_convert.writers.onnx_float import export_onnx
    from babycry_convert.writers.tflite_float import export_tflite

    path = save(shuffled(MODELS[name]()), tmp_path / "m.keras")
    network = keras_model.read(path, request())
    x = torch.randn(1, 1, 20, 18, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = network(x).numpy()
    session = onnxruntime.InferenceSession(export_onnx(network, 20, 18))
    limit = 1e-5 * max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(session.run(None, {"features": x.numpy()})[0], expected, atol=limit)
    interpreter = Interpreter(model_content=export_tflite(network, 20, 18))
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(given["index"], x.permute(0, 2, 3, 1).numpy())
    interpreter.invoke()
    np.testing.assert_allclose(interpreter.get_tensor(made["index"]), expected, atol=limit)


def test_average_pooling_leaves_padding_out(tmp_path: Path) -> None:
    """As in TensorFlow; Keras on torch counts the zeros."""
    model = sequential((3, 3, 1), L.AveragePooling2D(2, padding="same"), L.Flatten(), L.Dense(4))
    model.layers[-1].set_weights([np.eye(4), np.zeros(4)])
    path = save(model, tmp_path / "m.keras")
    network = keras_model.read(path, ReadRequest(4, (3, 3), "NCTF"))
    with torch.no_grad():
        given = network(torch.arange(9.0).reshape(1, 1, 3, 3))
    assert given.tolist() == [[2.0, 3.5, 6.5, 8.0]]


def test_one_sigmoid_output_becomes_two_logits(tmp_path: Path) -> None:
    model = shuffled(sequential((360,), L.Dense(8), L.Dense(1, activation="sigmoid")))
    path = save(model, tmp_path / "m.keras")
    network = keras_model.read(path, request("NF", n_classes=2))
    x = torch.randn(5, 360)
    with torch.no_grad():
        scores = torch.softmax(network(x), -1)
        torch.testing.assert_close(scores[:, 1:], model(x), atol=1e-5, rtol=1e-5)
    assert network.meta["activation"] == "softmax"
    assert any("(0, z)" in note for note in network.meta["notes"])


def test_a_wrong_translation_is_refused(cnn_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from babycry_convert.keras_to_torch import convolutions

    monkeypatch.setattr(convolutions, "same_padding", lambda *_: (2, 0))
    with pytest.raises(BabycryError, match=r"not used|translated"):
        keras_model.read(cnn_file, request())


def test_a_layer_without_translation_goes_through_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    x = keras.Input(IMAGE)
    y = L.Flatten()(L.UpSampling2D(2)(L.Conv2D(4, 3, strides=3)(x)))
    model = shuffled(keras.Model(x, L.Dense(3, activation="softmax")(y)))
    network = keras_model.read(save(model, tmp_path / "m.keras"), request())
    assert "went through ONNX, because of layer UpSampling2D" in network.meta["notes"]
    x = torch.randn(3, *IMAGE)
    with torch.no_grad():
        scores = torch.softmax(network(channels_first(x)), -1)
        torch.testing.assert_close(scores, model(x), atol=1e-5, rtol=1e-5)


def one_line(path: Path, wanted: ReadRequest, match: str) -> None:
    with pytest.raises(BabycryError, match=match) as caught:
        keras_model.read(path, wanted)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message


@pytest.mark.parametrize(
    ("wanted", "match"),
    [
        (request(n_classes=5), "3 outputs, but the recipe has 5 labels"),
        (request("NTF"), "layout is NTF: use NCTF or NCFT"),
        (request(channels=3), r"takes \(20, 18, 1\), .* gives \(20, 18, 3\)"),
        (request("NCFT"), r"takes \(20, 18, 1\), .* gives \(18, 20, 1\)"),
    ],
)
def test_a_model_that_does_not_fit(cnn_file: Path, wanted: ReadRequest, match: str) -> None:
    one_line(cnn_file, wanted, match)


def test_a_window_of_another_size(tmp_path: Path) -> None:
    path = save(MODELS["lstm"](), tmp_path / "m.keras")
    one_line(path, ReadRequest(3, (30, 18), "NTF"), r"takes \(20, 18\).*window gives \(30, 18\)")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_is_refused_and_not_run(suffix: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    model = sequential(SEQUENCE, L.Lambda(_touch_source(marker)), L.Flatten(), L.Dense(3))
    path = save(model, tmp_path / f"m{suffix}")
    marker.unlink()
    one_line(path, request("NTF"), "Lambda, which runs code.*--trust-pickle")
    assert not marker.exists()


def _touch_source(marker: Path) -> Any:
    def touch(x: Any) -> Any:
        with marker.open("w"):
            return x * 1.0

    return touch


def rewritten(source: Path, target: Path, **members: bytes) -> Path:
    """A .keras file with other members."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = members.get(name.replace(".", "_"), old.read(name))
            if data:
                new.writestr(name, data)
    return target


def config_of(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        config: dict[str, Any] = json.loads(archive.read("config.json"))
    return config


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"class_name": "function", "config": "system", "module": "os"}, "'system' is not one of"),
        ({"class_name": "Popen", "config": {}, "module": "subprocess"}, "author's own class"),
        ({"class_name": "TFSMLayer", "config": {"filepath": "/x"}}, "TFSMLayer, which runs code"),
        ({"class_name": "StringLookup", "config": {"vocabulary": "/x"}}, "works on text"),
    ],
)
def test_a_configuration_that_reaches_out(
    cnn_file: Path, tmp_path: Path, change: dict[str, Any], match: str
) -> None:
    config = config_of(cnn_file)
    config["config"]["layers"][3] = change
    path = rewritten(cnn_file, tmp_path / "m.keras", config_json=json.dumps(config).encode())
    one_line(path, request(), match)


def test_absurd_sizes(cnn_file: Path, tmp_path: Path) -> None:
    config = config_of(cnn_file)
    config["config"]["layers"][-1]["config"]["units"] = 10**9
    path = rewritten(cnn_file, tmp_path / "m.keras", config_json=json.dumps(config).encode())
    one_line(path, request(), "units = 1000000000 fits none of the weights")
    bomb = rewritten(cnn_file, tmp_path / "bomb.keras", config_json=b" " * (20 << 20))
    assert bomb.stat().st_size < 1 << 20
    one_line(bomb, request(), "config.json exceeds")
    nest = b"[" * 100_000 + b"]" * 100_000
    one_line(
        rewritten(cnn_file, tmp_path / "nest.keras", config_json=nest), request(), "damaged Keras"
    )


def test_weights_that_are_kept_elsewhere(cnn_file: Path, tmp_path: Path) -> None:
    for kind in ("link", "external", "huge"):
        memory = io.BytesIO()
        with h5py.File(memory, "w") as file:
            if kind == "link":
                file["layers"] = h5py.ExternalLink("/etc/passwd", "/x")
            elif kind == "external":
                file.create_dataset("w", (4,), "f4", external=[(str(tmp_path / "x"), 0, 16)])
            else:
                file.create_dataset("w", (1 << 20, 1 << 20), "f4", chunks=(1, 1 << 10))
        path = rewritten(cnn_file, tmp_path / f"{kind}.keras", model_weights_h5=memory.getvalue())
        one_line(path, request(), "links elsewhere|keeps w elsewhere|weights exceed")


def test_missing_parts(cnn_file: Path, tmp_path: Path) -> None:
    one_line(
        rewritten(cnn_file, tmp_path / "a.keras", config_json=b""), request(), "config.json is miss"
    )
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("w", data=np.zeros(3))
    one_line(path, request(), "holds weights only")
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = "{}"
        file.create_group("model_weights")
    one_line(path, request(), "cannot load it")


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    model = shuffled(MODELS["cnn"]())
    model.layers[-1].set_weights([np.full((16, 3), np.nan), np.zeros(3)])
    one_line(save(model, tmp_path / "m.keras"), request(), "NaN or infinity")


@pytest.mark.parametrize("name", ["keras2_crnn.h5", "cnn.keras"])
def test_damaged_files_give_one_line(name: str, cnn_file: Path, tmp_path: Path) -> None:
    source = cnn_file if name == "cnn.keras" else FIXTURES / name
    wanted = request() if name == "cnn.keras" else ReadRequest(3, (24, 16), "NCTF")
    data = source.read_bytes()
    path = tmp_path / name
    refused = 0
    for seed in range(40):
        chance = random.Random(seed)
        damaged = bytearray(data)
        if seed % 4 == 0:
            damaged = damaged[: chance.randrange(len(data))]
        else:
            for _ in range(chance.choice([1, 8, 64])):
                place = chance.randrange(len(data) if seed % 2 else 4096)
                damaged[place] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            keras_model.read(path, wanted)
        except BabycryError as error:
            refused += 1
            assert "\n" not in str(error)
            str(error).encode("utf-8")
    assert refused >= 20


def test_keras_on_another_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(BabycryError, match="KERAS_BACKEND=torch"):
        keras_model.import_keras()


def test_hard_sigmoid_of_keras_2_is_another_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BABYCRY_TENSORFLOW_PYTHON", raising=False)
    path = tmp_path / "m.h5"
    path.write_bytes((FIXTURES / "keras2_crnn.h5").read_bytes())
    with h5py.File(path, "a") as file:
        config = file.attrs["model_config"].replace('"relu"', '"hard_sigmoid"')
        file.attrs["model_config"] = config
    one_line(path, ReadRequest(3, (24, 16), "NCTF"), "hard_sigmoid is another function")


def test_no_module_of_keras_is_loaded_by_looking_for_a_reader() -> None:
    import subprocess

    code = (
        "import sys; from pathlib import Path; from babycry_convert.readers import find_reader;"
        f"print(find_reader(Path({str(FIXTURES / 'keras2_crnn.h5')!r})));"
        "print('keras' in sys.modules, 'torch' in sys.modules, 'sklearn' in sys.modules)"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split() == ["keras_model", "False", "False", "False"]
