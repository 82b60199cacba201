"""Encoders in transformers' format: which features, and what is refused before weights are read."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from hub_server import REPOSITORY, Hub, serving
from PIL import Image
from tiny import tiny_tokenizer
from tiny_encoders import (
    KINDS,
    SIZE,
    clip,
    pickled,
    tiny_clip,
    tiny_text_encoder,
    tiny_vit,
    transform,
    vit,
    without_a_weight,
)
from transformers import CLIPModel, ViTForImageClassification
from transformers.models.vit import ViTConfig

from imprint.errors import ModelNotFound, UserError
from imprint.evaluation.encoders.base import Encoder

TEXTS = ["a photo of a dog", "a cat"]


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip(tmp_path_factory.mktemp("encoders") / "clip")


@pytest.fixture(scope="module")
def vit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_vit(tmp_path_factory.mktemp("encoders") / "vit")


def pictures() -> list[Image.Image]:
    return [Image.linear_gradient("L").rotate(angle).convert("RGB").resize((24, 20)) for angle in (0, 90, 200)]


def test_clips_features_are_those_it_compares_itself(clip_folder: Path) -> None:
    words = tiny_tokenizer()(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        stock = CLIPModel.from_pretrained(clip_folder)(**words, pixel_values=transform()(pictures()))
    encoder = clip(clip_folder)
    for ours, theirs in (
        (encoder.images(pictures()), stock.image_embeds),
        (encoder.texts(TEXTS), stock.text_embeds),
    ):
        torch.testing.assert_close(torch.nn.functional.normalize(ours, dim=1), theirs)


def test_a_texts_features_do_not_depend_on_its_company(clip_folder: Path) -> None:
    encoder = clip(clip_folder)
    torch.testing.assert_close(encoder.texts(TEXTS)[1:], encoder.texts(TEXTS[1:]))


def test_a_text_that_is_too_long_is_cut_off(clip_folder: Path) -> None:
    assert clip(clip_folder).texts(["a dog " * 100]).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_vits_features_are_its_class_token(kind: str, tmp_path: Path) -> None:
    folder = tiny_vit(tmp_path, kind)
    features = vit(folder).images(pictures())
    stock = type(KINDS[kind]()).from_pretrained(folder).eval()
    with torch.no_grad():
        expected = stock(pixel_values=transform()(pictures())).last_hidden_state[:, 0]
    torch.testing.assert_close(features, expected)
    assert features.shape == (3, 16)


@pytest.mark.parametrize("kind", ["clip", *KINDS])
def test_patches_are_of_the_whole_picture_row_by_row(kind: str, tmp_path: Path) -> None:
    """Without the class token and registers, and with nothing cut off, whatever is cut off elsewhere."""
    folder = tiny_clip(tmp_path) if kind == "clip" else tiny_vit(tmp_path, kind)
    encoder = (clip if kind == "clip" else vit)(folder, transform=transform(resize=2 * SIZE))
    found = encoder.patches(pictures())
    whole = transform()([picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC) for picture in pictures()])
    model = CLIPModel.from_pretrained(folder).vision_model if kind == "clip" else None
    model = model or type(KINDS[kind]()).from_pretrained(folder)
    with torch.no_grad():
        tokens = model.eval()(pixel_values=whole).last_hidden_state
    before = tokens.shape[1] - 4
    assert before == (5 if kind == "dinov2_with_registers" else 1)
    assert found.shape == (3, 2, 2, 16)
    torch.testing.assert_close(found[:, 1, 0], tokens[:, before + 2])


def test_a_classifiers_backbone_will_do(tmp_path: Path) -> None:
    """DINO's published weights have no pooler; others have a head more. Neither has part in the features."""
    settings = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    classifier = ViTForImageClassification(ViTConfig(image_size=SIZE, patch_size=8, **settings))
    classifier.save_pretrained(tmp_path)
    assert vit(tmp_path).images(pictures()).shape == (3, 16)


def test_layers_are_those_of_every_depth(clip_folder: Path, vit_folder: Path) -> None:
    for encoder in (clip(clip_folder), vit(vit_folder)):
        assert [tuple(layer.shape) for layer in encoder.layers(pictures())] == [(3, 1 + (SIZE // 8) ** 2, 16)] * 3


def test_weights_in_half_precision_are_used_in_single(tmp_path: Path) -> None:
    CLIPModel.from_pretrained(tiny_clip(tmp_path)).half().save_pretrained(tmp_path)
    features = clip(tmp_path).images(pictures())
    assert features.dtype == torch.float32
    assert features.isfinite().all()


def test_weights_in_the_older_format_are_read(tmp_path: Path, vit_folder: Path) -> None:
    folder = pickled(tiny_vit(tmp_path))
    torch.testing.assert_close(vit(folder).images(pictures()), vit(vit_folder).images(pictures()))


def test_a_pickle_that_does_more_than_hold_tensors_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "it ran",))

    folder = pickled(tiny_vit(tmp_path / "vit"))
    torch.save(Trap(), folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"encoder.source=.* cannot be loaded"):
        vit(folder).images(pictures())
    assert not (tmp_path / "it ran").exists()


def test_nothing_is_loaded_before_it_is_used(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(CLIPModel, "from_pretrained", refuse)
    encoder = clip(clip_folder)
    encoder.check()
    assert encoder.fingerprint


def test_a_vit_has_no_texts(vit_folder: Path) -> None:
    with pytest.raises(UserError, match="tiny ViT has no texts; it offers images, layers"):
        vit(vit_folder).texts(["a dog"])


def test_the_fingerprint_is_of_weights_transform_and_kind(clip_folder: Path, tmp_path: Path) -> None:
    own = clip(clip_folder).fingerprint
    copied = shutil.copytree(clip_folder, tmp_path / "copy")
    assert clip(copied, name="by another name").fingerprint == own
    assert clip(tiny_clip(tmp_path / "other", seed=1)).fingerprint != own
    assert clip(clip_folder, transform=transform(mean=(0.5, 0.5, 0.5))).fingerprint != own
    assert clip(clip_folder, transform=transform(resize=20)).fingerprint != own
    vocabulary = copied / "tokenizer.json"
    vocabulary.write_text(vocabulary.read_text() + "\n")
    assert clip(copied).fingerprint != own


def refusal(encoder: Encoder) -> str:
    with pytest.raises(UserError) as refused:
        encoder.check("evaluation.encoders.clip")
    assert str(refused.value).startswith("evaluation.encoders.clip.source=")
    return str(refused.value)


def test_a_model_of_another_kind_is_refused_by_its_configuration(
    tmp_path: Path, tiny_sd: Path, clip_folder: Path, vit_folder: Path
) -> None:
    assert "model_type='vit', and a whole CLIP is needed" in refusal(clip(vit_folder))
    assert "model_type='clip_text_model', and a whole CLIP" in refusal(clip(tiny_text_encoder(tmp_path)))
    assert "model_type='clip'; known here are vit, dinov2" in refusal(vit(clip_folder))
    assert "a whole text-to-image pipeline" in refusal(clip(tiny_sd))
    assert "known here are" in refusal(vit(tiny_sd / "unet"))


def test_another_kind_is_refused_before_its_weights_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "siglip"}))
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    assert "model_type='siglip'" in refusal(clip(tmp_path))


def test_a_transform_of_another_size_is_refused(clip_folder: Path, vit_folder: Path, tmp_path: Path) -> None:
    larger = transform(resize=32, crop=32)
    assert "set transform.crop=16" in refusal(clip(clip_folder, transform=larger))
    assert "set transform.crop=16" in refusal(vit(vit_folder, transform=larger))
    patches = tiny_vit(tmp_path, "dinov2")
    vit(patches, transform=larger).check()
    assert "patches of 8 pixels" in refusal(vit(patches, transform=transform(resize=32, crop=20)))


def test_what_is_missing_or_damaged_is_refused(tmp_path: Path) -> None:
    assert "there is no folder" in refusal(clip(tmp_path / "nowhere"))
    assert "has no config.json" in refusal(clip(tmp_path))
    folder = tiny_clip(tmp_path / "clip")
    (folder / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    assert "its vocabulary is missing" in refusal(clip(folder))
    (folder / "tokenizer.json").write_text("{")
    assert "its vocabulary cannot be read" in refusal(clip(folder))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "no complete safetensors file" in refusal(clip(folder))
    weights.unlink()
    assert "holds no weights" in refusal(clip(folder))
    (folder / "config.json").write_text("{")
    assert "its config.json cannot be read" in refusal(clip(folder))


def test_incomplete_weights_are_refused_instead_of_random_ones_used(tmp_path: Path) -> None:
    folder = without_a_weight(tiny_vit(tmp_path))
    with pytest.raises(UserError, match="1 weights are missing"):
        vit(folder).images(pictures())


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serves a tiny CLIP as published ones are: in several formats."""
    folder = tiny_clip(tmp_path / "repository")
    for name in ("tf_model.h5", "pytorch_model.bin", "flax_model.msgpack", "README.md"):
        (folder / name).touch()
    with serving(folder) as hub:
        constants = huggingface_hub.constants
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub


def test_what_is_needed_is_downloaded_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    online = clip(REPOSITORY)
    online.check()
    assert hub.downloads == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert online.fingerprint == clip(hub.folder).fingerprint
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert clip(REPOSITORY).images(pictures()).shape == (3, 8)


def test_weights_of_another_kind_are_not_downloaded(hub: Hub) -> None:
    assert "model_type='clip'" in refusal(vit(REPOSITORY))
    assert "model.safetensors" not in hub.downloads


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("GatedRepo", "Accept the terms"),
        ("RepoNotFound", "Check the spelling"),
        ("RevisionNotFound", "Check evaluation.encoders.clip.revision"),
    ],
)
def test_the_hubs_refusals_are_explained(code: str, remedy: str, hub: Hub) -> None:
    hub.refusal = code
    assert remedy in refusal(clip(REPOSITORY))


def test_offline_and_not_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelNotFound, match="not in the cache, and the hub cannot be reached"):
        clip("someone/absent").check()
