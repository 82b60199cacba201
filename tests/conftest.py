"""What all tests share: one thread, no network, and tiny models in the real formats."""

import gc
import os

# What is imported lives as long as the tests: a search for garbage need not look at it, now or in any test.
gc.disable()

# Read by the libraries when they are imported.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1"

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from families import load_tiny, write_tiny
from small_runs import configure, draw_masks, draw_pictures
from thin import thin_pipeline
from tiny import tiny_pipeline

from imprint.models.base import Model
from imprint.runs import Run

with suppress(ImportError):  # tensorboard and mlcroissant bring it
    from absl import logging as absl_logging

    # It holds what was sys.stderr when it was imported: the file into which pytest captures. And it closes that file
    # when logging is configured anew within a test, as Hydra does, since sys.stderr is another file then.
    absl_logging.get_absl_handler().python_handler.setStream(sys.__stderr__)

torch.set_num_threads(1)
pytest_plugins = ["skips"]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Searches for garbage begin, in what comes from here on."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What a test draws without a generator of its own is the same whatever ran before it."""
    torch.default_generator.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Nothing of a test run stays in the user's cache, nothing of the user's cache changes a test."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMPRINT_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """No test cuts the power, and nothing less shows what a file's synchronisation with its disk is for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The pipeline folder of a family by its name in conf/model, or of one of its forms, written when it is first asked
    for. Read only."""
    folder = tmp_path_factory.mktemp("tiny")
    return functools.cache(lambda name: write_tiny(name, folder / name))


@pytest.fixture(scope="session")
def thin_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The pipeline folder of a real topology by its name in tests/thin.py. Read only."""
    folder = tmp_path_factory.mktemp("thin")
    return functools.cache(lambda family: thin_pipeline(family, folder / family))


@pytest.fixture(scope="session")
def tiny_sd(tiny_folder: Callable[[str], Path]) -> Path:
    """A pipeline folder of Stable Diffusion that predicts noise. Read only."""
    return tiny_folder("sd")


@pytest.fixture(scope="session")
def tiny_sd_v(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline folder that predicts v. Read only."""
    return tiny_pipeline(tmp_path_factory.mktemp("tiny") / "v", prediction="v_prediction", second_generation=True)


@pytest.fixture(scope="session")
def tiny_sdxl(tiny_folder: Callable[[str], Path]) -> Path:
    """A pipeline folder of Stable Diffusion XL. Read only."""
    return tiny_folder("sdxl")


@pytest.fixture(scope="session")
def tiny_flux(tiny_folder: Callable[[str], Path]) -> Path:
    """A tiny FLUX.1 that is told guidance; read only."""
    return tiny_folder("flux")


@pytest.fixture(scope="session")
def tiny_sd3(tiny_folder: Callable[[str], Path]) -> Path:
    """A tiny Stable Diffusion 3; read only."""
    return tiny_folder("sd3")


@pytest.fixture(scope="session")
def tiny_chroma(tiny_folder: Callable[[str], Path]) -> Path:
    """A tiny Chroma; read only."""
    return tiny_folder("chroma")


@pytest.fixture(scope="session")
def tiny_model(tiny_sd: Path) -> Model:
    """The loaded model of `tiny_sd`. Read only: a test that trains loads its own."""
    return load_tiny(tiny_sd)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of a subject. Read only."""
    return draw_pictures(tmp_path_factory.mktemp("pictures") / "subject")


@pytest.fixture(scope="session")
def finished(tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """`finished("method=lora")`: a run with these settings, trained once for all who compare with it. Read only; a test
    that patches something asks for it before."""
    from imprint.verbs.train import train

    @functools.cache
    def run(*settings: str) -> Run:
        return train(configure(tiny_sd, pictures, tmp_path_factory.mktemp("finished"), *settings))

    return run


@pytest.fixture(scope="session")
def masked_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same three pictures, with masks of their subject. Read only."""
    return draw_masks(draw_pictures(tmp_path_factory.mktemp("masked") / "subject"))
