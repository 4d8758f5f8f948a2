"""Multiply-accumulates by hand, the arena's planner by hand, operators that runtimes lack."""

from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("onnx")
pytest.importorskip("ai_edge_litert")

import report_models as models
from babycry_convert.flatbuffer_model import pack, unpack
from babycry_convert.report.arena import Buffer, estimate_arena, largest_live_set, plan
from babycry_convert.report.support import (
    missing_in_old_runtime,
    operator_support,
    self_checks,
)


def test_a_network_counted_by_hand() -> None:
    torch = pytest.importorskip("torch")
    from torch import nn

    from babycry_convert.report.counts import count

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)  # 4 x 5 x 3 outputs, 9 each
            self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)  # 4 x 5 x 3, 9 each
            self.gru = nn.GRU(12, 7, batch_first=True, bidirectional=True)  # 5 steps
            self.lstm = nn.LSTMCell(14, 3)
            self.head = nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.depthwise(self.conv(x)).permute(0, 2, 1, 3).flatten(2)
            return self.head(self.lstm(self.gru(y)[0][:, -1])[0])

    network = Net()
    counts = count(network, (10, 6))
    convolutions = 4 * 15 * 9 + 4 * 15 * 9
    gru = 5 * 2 * 3 * 7 * (12 + 7)
    assert counts.macs == convolutions + gru + 4 * 3 * (14 + 3) + 3 * 2
    assert counts.parameters == sum(p.numel() for p in network.parameters())
    assert network.training  # as it was


def test_the_planner_reuses_what_is_free() -> None:
    chain = [Buffer(100, 0, 0), Buffer(200, 0, 1), Buffer(100, 1, 2)]
    assert plan(chain) == 208 + 112  # the two of 100 never live together
    assert plan([Buffer(32, 0, 9), Buffer(32, 0, 9)]) == 64
    assert plan([Buffer(1, 0, 0)]) == 16
    assert plan([]) == 0


def test_the_planner_fills_a_gap_between_two_that_live() -> None:
    # 64 at 0 (ends early), 48 above it, then 32 fits into the freed 64 below the 48.
    assert plan([Buffer(64, 0, 1), Buffer(48, 0, 3), Buffer(32, 2, 3)]) == 64 + 48


def test_the_arena_of_a_real_file() -> None:
    model = models.fold_files()["fold0.tflite"]
    # The second convolution's padded input and its output of 50 x 32 x 16 int8.
    assert largest_live_set(model) >= 50 * 32 * 16 + 52 * 34 * 16
    assert largest_live_set(model) <= estimate_arena(model) < len(model)


def test_states_between_parts_are_counted() -> None:
    root = unpack(models.fold_files()["fold0.tflite"])
    alone = estimate_arena(pack(root))
    root.subgraphs.append(root.subgraphs[0])
    assert estimate_arena(pack(root)) == alone + 100 * 64


def test_versions_that_tflite_runtime_lacks() -> None:
    known = Counter({("CONV_2D", 7): 1, ("FULLY_CONNECTED", 10): 2, ("EXPAND_DIMS", 1): 1})
    assert missing_in_old_runtime(known) == []
    newer = Counter({("CONV_2D", 8): 1, ("STABLEHLO_ADD", 1): 1, ("CUSTOM::X", 1): 1})
    assert missing_in_old_runtime(newer) == ["CONV_2D v8", "CUSTOM::X v1", "STABLEHLO_ADD v1"]


def test_support_of_real_files() -> None:
    files = models.fold_files()
    support = {
        item.target.split()[0]: item for item in operator_support(files["fold0.onnx"], "onnx")
    }
    assert support["onnxruntime"].supported is True
    assert support["native"].supported is None and support["native"].note == "no engine yet"
    support = {s.target: s for s in operator_support(files["fold0.tflite"], "tflite")}
    assert support["tflite-runtime 2.14"].supported is True
    assert next(s for name, s in support.items() if name.startswith("litert")).supported is True


def test_a_newer_operator_and_hybrid_weights_are_not_supported() -> None:
    root = unpack(models.fold_files()["fold0.tflite"])
    root.operatorCodes[0].version = 99
    old = _old(pack(root))
    assert old.supported is False and old.missing and old.missing[0].endswith("v99")

    root = unpack(models.fold_files()["fold0.tflite"])
    last = root.subgraphs[0].operators[-1]
    root.subgraphs[0].tensors[last.inputs[0]].type = 0
    old = _old(pack(root))
    assert old.supported is False and "float activations" in old.note


def test_the_self_check_runs_in_every_engine_at_hand() -> None:
    checks = {c.engine: c for c in self_checks(models.FOLD / "fold0.tflite", "tflite")}
    assert set(checks) == {"litert", "tflite-runtime"}
    assert checks["litert"].passed is True
    assert checks["litert"].max_score_error is not None
    checks = {c.engine: c for c in self_checks(models.FOLD / "fold0.onnx", "onnx")}
    assert checks["onnxruntime"].passed is True


def _old(model: bytes):  # type: ignore[no-untyped-def]
    return next(
        item for item in operator_support(model, "tflite") if item.target == "tflite-runtime 2.14"
    )
