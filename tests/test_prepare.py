"""Networks made ready for int8 keep their function; equalised channels and corrected biases."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from babycry_convert.hub import Network  # noqa: E402
from babycry_convert.prepare import prepared  # noqa: E402
from babycry_convert.prepare.bias_correction import correct_bias, rounding_error  # noqa: E402
from babycry_convert.prepare.equalize import equalize  # noqa: E402
from babycry_convert.prepare.fold_batch_norm import (  # noqa: E402
    fold_batch_norm,
    has_separate_norms,
)
from babycry_convert.prepare.fold_into_next import fold_into_next  # noqa: E402

Windows = npt.NDArray[np.float32]


def hub(module: nn.Module, shape: tuple[int, int] = (16, 12)) -> Network:
    return Network(module.eval(), shape, 3, "custom", "test")


def logits(network: Network, windows: Windows) -> npt.NDArray[np.float32]:
    with torch.no_grad():
        values: npt.NDArray[np.float32] = network.module(torch.from_numpy(windows)[:, None]).numpy()
    return values


@pytest.fixture(scope="module")
def windows() -> Windows:
    return np.random.default_rng(0).standard_normal((10, 16, 12)).astype(np.float32)


class Separable(nn.Module):
    """Convolution, depthwise triple, a sum, a linear head; channels of very different size."""

    def __init__(self, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(8)
        self.point = nn.Conv2d(8, 8, 1)
        self.branch = nn.Conv2d(8, 8, 1)
        self.hidden = nn.Linear(8, 6)
        self.hidden_norm = nn.BatchNorm1d(6)
        self.head = nn.Linear(6, 3)
        self.activation = activation()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.activation(self.stem_norm(self.stem(x)))
        x = self.activation(self.depthwise_norm(self.depthwise(x)))
        x = self.point(x)
        x = x + self.branch(x)
        x = nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)
        x = nn.functional.relu(self.hidden_norm(self.hidden(x)))
        logits: torch.Tensor = self.head(x)
        return logits


def uneven(module: nn.Module, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            with torch.no_grad():
                layer.weight.copy_(torch.logspace(-1.0, 1.0, len(layer.weight)))
                layer.bias.copy_(layer.weight * torch.empty_like(layer.bias).uniform_(0.5, 1.0))
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2.0)
    return module


@pytest.fixture
def network() -> Network:
    torch.manual_seed(1)
    return hub(uneven(Separable()))


class Untraceable(Separable):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if float(x.sum()) > 1e9:
            raise ValueError
        return super().forward(x)


def layers_of(network: Network, kind: type[nn.Module]) -> list[str]:
    return [name for name, layer in network.module.named_modules() if isinstance(layer, kind)]


def used_norms(network: Network) -> list[str]:
    names = {str(node.target) for node in network.module.graph.nodes if node.op == "call_module"}
    return [n for n in names if "norm" in n]


def test_folding_keeps_the_function_and_the_names(network: Network, windows: Windows) -> None:
    before = {k: v.clone() for k, v in network.module.state_dict().items()}
    folded = fold_batch_norm(network)
    np.testing.assert_allclose(logits(folded, windows), logits(network, windows), atol=1e-5)
    assert used_norms(folded) == []
    assert set(layers_of(folded, nn.Conv2d)) == set(layers_of(network, nn.Conv2d))
    after = network.module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_norm_whose_input_has_another_reader_is_not_folded(windows: Windows) -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 3, 3)
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            return (x + self.norm(x)).mean(dim=(2, 3))

    network = hub(uneven(Shared()))
    assert has_separate_norms(network)
    folded = fold_batch_norm(network)
    # It becomes a convolution of its own, and the one before keeps its weights.
    assert isinstance(folded.module.norm, nn.Conv2d)
    assert torch.equal(folded.module.conv.weight, network.module.conv.weight)
    np.testing.assert_allclose(logits(folded, windows), logits(network, windows), atol=1e-5)


def test_a_norm_after_an_activation_becomes_a_convolution_of_its_name(windows: Windows) -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    network = hub(uneven(module))
    folded = fold_batch_norm(network)
    assert isinstance(folded.module.get_submodule("2"), nn.Conv2d)
    np.testing.assert_allclose(logits(folded, windows), logits(network, windows), atol=1e-5)
    assert not has_separate_norms(hub(uneven(Separable())))


def test_what_cannot_be_traced_is_left_as_it_is(windows: Windows) -> None:
    network = hub(uneven(Untraceable()))
    for changes in ({"equalize": True}, {"equalize": False}):
        result = prepared(network, windows, **changes)
        np.testing.assert_array_equal(logits(result, windows), logits(network, windows))
        assert result.module is not network.module


def channel_spread(network: Network, layer: str, windows: Windows) -> float:
    """Greatest over least channel range of what ``layer`` gives, after ReLU."""
    seen: list[torch.Tensor] = []
    hook = network.module.get_submodule(layer).register_forward_hook(
        lambda _layer, _inputs, output: seen.append(output.relu().amax(dim=(0, 2, 3)))
    )
    logits(network, windows)
    hook.remove()
    return float(seen[0].max() / seen[0].min().clamp_min(1e-9))


def test_equalising_keeps_the_function_and_evens_the_channels(
    network: Network, windows: Windows
) -> None:
    folded = fold_batch_norm(network)
    equal = equalize(folded, windows)
    expected = logits(network, windows)
    assert np.abs(logits(equal, windows) - expected).max() < 1e-4 * np.abs(expected).max()
    # Before a depthwise layer the channels can be made equal; before another, half of it.
    before, after = (channel_spread(n, "stem", windows) for n in (folded, equal))
    assert after < 1.2 < 10.0 < before
    before, after = (channel_spread(n, "depthwise", windows) for n in (folded, equal))
    assert after < before / 2


@pytest.mark.parametrize("activation", [nn.ReLU6, nn.Hardswish, nn.SiLU, nn.Sigmoid])
def test_no_factor_crosses_an_activation_that_does_not_pass_it_on(
    activation: type[nn.Module], windows: Windows
) -> None:
    folded = fold_batch_norm(hub(uneven(Separable(activation))))
    equal = equalize(folded, windows)
    for name in ("stem", "depthwise"):
        first, second = (n.module.get_submodule(name).weight for n in (folded, equal))
        assert torch.equal(first, second), name
    assert not torch.equal(folded.module.hidden.weight, equal.module.hidden.weight)
    expected = logits(folded, windows)
    assert np.abs(logits(equal, windows) - expected).max() < 1e-4 * np.abs(expected).max()


def test_a_layer_that_is_used_twice_is_not_scaled(windows: Windows) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(1, 4, 3, padding=1)
            self.again = nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.again(self.first(x).relu())
            return self.again(x.relu()).mean(dim=(2, 3))

    network = hub(Twice())
    equal = equalize(network, windows)
    np.testing.assert_array_equal(logits(equal, windows), logits(network, windows))


def rounded(network: Network) -> Network:
    """The network with weights as int8 has them."""
    import copy
    from dataclasses import replace

    module = copy.deepcopy(network.module)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                layer.weight.add_(rounding_error(layer.weight))
    return replace(network, module=module)


def test_bias_correction_takes_the_mean_shift_out() -> None:
    torch.manual_seed(0)
    # A positive input with a mean, as after ReLU, and no padding: the shift is exact there.
    module = nn.Sequential(
        nn.Conv2d(1, 6, 3),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, bias=False),
        nn.Flatten(),
        nn.Linear(576, 3),
    )
    network = hub(module)
    positive = np.random.default_rng(1).uniform(2.0, 4.0, (20, 16, 12)).astype(np.float32)
    corrected = correct_bias(network, positive)

    def shift(of: Network) -> float:
        return float(np.abs((logits(of, positive) - logits(network, positive)).mean(axis=0)).max())

    assert shift(rounded(corrected)) < 0.35 * shift(rounded(network))
    assert isinstance(corrected.module[2].bias, nn.Parameter)
    assert network.module[2].bias is None


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_shift_is_that_of_the_layer(groups: int) -> None:
    from babycry_convert.prepare.bias_correction import _shift

    torch.manual_seed(groups)
    layer = nn.Conv2d(4, 8, 3, groups=groups)
    means = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    x = means.float().view(1, 4, 1, 1).expand(1, 4, 5, 5)
    changed: Any = nn.Conv2d(4, 8, 3, groups=groups)
    with torch.no_grad():
        changed.weight.copy_(layer.weight + rounding_error(layer.weight))
        changed.bias.copy_(layer.bias)
        expected = (changed(x) - layer(x))[0, :, 0, 0]
    torch.testing.assert_close(_shift(layer, means), expected, atol=1e-5, rtol=1e-3)


class NormFirst(nn.Module):
    """A head as YAMNet's: batch norm on the embedding, dropout, then linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(12)
        self.dropout = nn.Dropout(0.3)
        self.first = nn.Linear(12, 9)
        self.second = nn.Linear(9, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.mean(dim=(1, 2))
        return self.second(torch.relu(self.first(self.dropout(self.norm(rows)))))


def test_a_norm_in_front_of_a_linear_layer_goes_into_it(windows: Windows) -> None:
    network = hub(uneven(NormFirst()))
    folded = fold_into_next(network)
    assert not used_norms(folded)
    assert {"first", "second"} <= set(dict(folded.module.named_modules()))
    np.testing.assert_allclose(logits(folded, windows), logits(network, windows), atol=1e-4)


def test_a_network_without_such_a_norm_is_the_same_object(network: Network) -> None:
    assert fold_into_next(network) is network
