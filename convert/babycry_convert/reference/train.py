"""Train the reference detector: five cross-validation folds and the full-data model.

``python -m babycry_convert.reference.train --data ../shared/data --out build/reference``

The same recordings, seed and software on the same kind of CPU give the same weights, whatever the
number of processes: each network is trained by one process with one thread.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from babycry_convert.reference.architecture import CryNet
from babycry_convert.reference.augment import Batches
from babycry_convert.reference.corpus import Corpus, load_corpus
from babycry_convert.reference.dataset import N_FOLDS, read_manifest
from babycry_edge.errors import BabycryError
from babycry_edge.whole_file import write_whole

FULL = "full"
NAMES = (*(f"fold{fold}" for fold in range(N_FOLDS)), FULL)


@dataclass(frozen=True)
class Settings:
    """How a network is trained. ``peak_rate`` is AdamW's learning rate at the top of one cycle."""

    seed: int = 20261
    epochs: int = 40
    windows_per_epoch: int = 4096
    batch: int = 64
    peak_rate: float = 4e-3
    weight_decay: float = 1e-3
    label_smoothing: float = 0.05
    average: float = 0.998


def train_network(
    corpus: Corpus, chosen: Sequence[int], settings: Settings, name: str, seed: Sequence[int]
) -> CryNet:
    """Train on the chosen clips; returns the running average of the weights, in eval mode."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    batches = Batches(corpus, chosen, np.random.default_rng(seed))
    network = CryNet().train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.peak_rate, weight_decay=settings.weight_decay
    )
    steps_per_epoch = settings.windows_per_epoch // settings.batch
    total = settings.epochs * steps_per_epoch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.peak_rate, total, pct_start=0.15
    )
    average = {key: value.clone() for key, value in network.state_dict().items()}
    progress = _Progress(name, settings.epochs)
    for step in range(total):
        windows, labels = batches.draw(settings.batch)
        loss = nn.functional.cross_entropy(
            network(torch.from_numpy(windows)),
            torch.from_numpy(labels),
            label_smoothing=settings.label_smoothing,
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        _follow(average, network, min(settings.average, (1 + step) / (10 + step)))
        progress.add(loss.item())
        if (step + 1) % steps_per_epoch == 0:
            progress.show()
    network.load_state_dict(average)
    return network.eval()


def train_all(
    corpus: Corpus, names: Sequence[str], settings: Settings, out: Path, jobs: int
) -> None:
    """Train the named networks ("fold0" to "fold4" leave that fold out; "full" leaves none).

    Writes ``out/NAME.pt``, a state dict, for each.
    """
    out.mkdir(parents=True, exist_ok=True)
    # Forked processes share the corpus instead of copying it; where JAX has started its threads
    # (the TFLite writer loads it), forking is not safe.
    context = multiprocessing.get_context("spawn" if "jax" in sys.modules else "fork")
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_set_corpus, initargs=(corpus,)
    ) as pool:
        for done in [pool.submit(_train_one, name, settings, out) for name in names]:
            done.result()


def load_network(path: Path) -> CryNet:
    """A network from its state dict, in eval mode.

    Raises:
        BabycryError: there is no such checkpoint.
    """
    if not path.is_file():
        raise BabycryError(
            f"{path}: no such checkpoint: train it with python -m babycry_convert.reference.train"
        )
    network = CryNet()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder with manifest.csv"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build/reference"), help="folder of the checkpoints"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="networks trained at a time"
    )


def read_corpus(data: Path, settings: Settings) -> Corpus:
    """All labelled recordings, rendered for training, with a progress bar."""
    clips = read_manifest(data)
    start = time.monotonic()

    def report(done: int, total: int) -> None:
        if done == total or done % 50 == 0:
            print(_line("recordings", done, total, start), file=sys.stderr, flush=True)

    return load_corpus(data, clips, settings.seed, report)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m babycry_convert.reference.train")
    add_training_arguments(parser)
    parser.add_argument("--only", choices=NAMES, action="append", help="train this network only")
    options = parser.parse_args(arguments)
    settings = Settings()
    try:
        corpus = read_corpus(options.data, settings)
    except BabycryError as error:
        print(f"reference.train: {error}", file=sys.stderr)
        return 2
    train_all(corpus, options.only or NAMES, settings, options.out, options.jobs)
    return 0


_corpus: Corpus | None = None  # of a training process


def _set_corpus(corpus: Corpus) -> None:
    global _corpus
    _corpus = corpus


def _train_one(name: str, settings: Settings, out: Path) -> None:
    assert _corpus is not None
    number = NAMES.index(name)
    held_out = None if name == FULL else number
    chosen = [i for i, clip in enumerate(_corpus.clips) if clip.fold != held_out]
    network = train_network(_corpus, chosen, settings, name, [settings.seed, number])
    checkpoint = io.BytesIO()
    torch.save(network.state_dict(), checkpoint)
    write_whole(out / f"{name}.pt", checkpoint.getvalue())


def _follow(average: dict[str, torch.Tensor], network: nn.Module, share: float) -> None:
    """Keep ``share`` of the running average; counters are taken as they are."""
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                average[key].lerp_(value, 1 - share)
            else:
                average[key].copy_(value)


class _Progress:
    """One line an epoch, so that several networks can report at a time."""

    def __init__(self, name: str, epochs: int) -> None:
        self._name, self._epochs, self._epoch = name, epochs, 0
        self._losses: list[float] = []
        self._start = time.monotonic()

    def add(self, loss: float) -> None:
        self._losses.append(loss)

    def show(self) -> None:
        self._epoch += 1
        line = _line(self._name, self._epoch, self._epochs, self._start)
        print(f"{line}  loss {np.mean(self._losses):.3f}", file=sys.stderr, flush=True)
        self._losses.clear()


def _line(name: str, done: int, total: int, start: float) -> str:
    bar = "#" * (24 * done // total)
    return f"{name:10} [{bar:24}] {done}/{total}  {time.monotonic() - start:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
