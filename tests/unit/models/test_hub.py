"""Downloads: what is needed and no more, and once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from hub_server import REPOSITORY, Hub, serving
from tiny import tiny_pipeline, tiny_source
from tiny_sd3 import tiny_sd3_source

from imprint.errors import ModelNotFound


@pytest.fixture
def hub(tmp_path: Path, tiny_sd: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serves the tiny model as published ones are: in several formats, with much that is not needed."""
    folder = tmp_path / "repository"
    tiny_pipeline(folder, pickled=True)
    tiny_pipeline(folder, dtype=torch.float16, variant="fp16")
    shutil.copytree(tiny_sd, folder, dirs_exist_ok=True)
    (folder / "v1-5-pruned.ckpt").touch()
    (folder / "safety_checker").mkdir()
    (folder / "safety_checker" / "model.safetensors").touch()
    with serving(folder) as hub:
        use(hub, tmp_path / "cache", monkeypatch)
        yield hub


def use(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(
        huggingface_hub.constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        hub.address + "/{repo_id}/resolve/{revision}/{filename}",
    )


def test_only_what_is_needed_is_downloaded(hub: Hub, tiny_sd: Path) -> None:
    assert tiny_source(REPOSITORY).facts().fingerprint == tiny_source(tiny_sd).facts().fingerprint
    needed = {path.relative_to(tiny_sd).as_posix() for path in tiny_sd.rglob("*") if path.is_file()}
    assert hub.downloads == needed


def test_a_variant_is_downloaded_instead(hub: Hub) -> None:
    tiny_source(REPOSITORY, variant="fp16").load()
    weights = {name for name in hub.downloads if name.endswith((".safetensors", ".bin"))}
    assert len(weights) == 3
    assert all(".fp16." in name for name in weights)


def test_what_was_downloaded_is_used_without_a_connection(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    online = tiny_source(REPOSITORY).facts()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert tiny_source(REPOSITORY).facts().fingerprint == online.fingerprint


def test_a_variant_that_was_not_downloaded_is_named_without_a_connection(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_source(REPOSITORY).facts()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="in the variant fp16"):
        tiny_source(REPOSITORY, variant="fp16").facts()


@pytest.mark.parametrize(
    ("code", "remedy"),
    [("GatedRepo", "Accept the terms"), ("RepoNotFound", "Check the spelling"), ("RevisionNotFound", "revision")],
)
def test_the_hubs_refusals_are_explained(code: str, remedy: str, hub: Hub) -> None:
    hub.refusal = code
    with pytest.raises(ModelNotFound, match=remedy):
        tiny_source(REPOSITORY).facts()


def test_a_part_that_a_model_may_lack_is_not_asked_for(
    tiny_folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_folder("sd3/without_t5")
    with serving(folder) as hub:
        use(hub, tmp_path / "cache", monkeypatch)
        assert tiny_sd3_source(REPOSITORY).facts().fingerprint == tiny_sd3_source(folder).facts().fingerprint
