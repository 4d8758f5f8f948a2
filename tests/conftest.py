"""What every test may ask for: the shared folder, the bundled clips, and the long tests' switch."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from babycry_bench.clips import Clip

TESTS = Path(__file__).parent
REPOSITORY = TESTS.parent

sys.path.insert(0, str(TESTS))  # so that a test can import the package `oracles` beside it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run the tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    for item in items:
        if "full" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="takes minutes: run pytest --full"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings and models that are not part of the project."""
    folder = Path(os.environ.get("BABYCRY_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: set BABYCRY_SHARED to the folder with data/ and models/")
    return folder


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    """The recordings and noises that travel with the bench."""
    from babycry_bench.clips import load_clips

    return load_clips()


@pytest.fixture(scope="session")
def target_builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the C library's builds for other processors, one folder for each toolchain."""
    return tmp_path_factory.mktemp("targets")
