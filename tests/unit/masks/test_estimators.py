"""Estimators of masks: each file of conf/masks is tried, the transformers on tiny networks in the real formats."""

from pathlib import Path

import numpy as np
import pytest
import torch
from composed import compose
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from tiny_encoders import tiny_clip
from tiny_segmenters import CLIPSEG_SIDE, SAM_SIDE, tiny_clipseg, tiny_sam
from transformers import CLIPSegForImageSegmentation, CLIPTokenizer, SamImageProcessor, SamModel

from imprint.config import conf_folder, resolved
from imprint.construct import Constructor
from imprint.errors import UserError
from imprint.kinds import kind_of
from imprint.masks.base import Estimator, as_mask
from imprint.miniature.renderer import draw, mask
from imprint.miniature.sampling import reference_scenes
from imprint.miniature.scene import NOUNS
from imprint.miniature.subjects import from_seed

CHOICES = sorted(file.stem for file in (conf_folder() / "masks").glob("*.yaml"))


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("segmenters")
    return {"clipseg": tiny_clipseg(folder / "clipseg"), "sam": tiny_sam(folder / "sam")}


def estimator(choice: str, *settings: str, source: Path | None = None) -> Estimator:
    given = [*([f"masks.source={source}"] if source else []), *settings]
    if choice == "clipseg":
        given.append(f"masks.transform.resize={CLIPSEG_SIDE}")
    constructor = Constructor()
    built: Estimator | None = constructor.build(
        resolved(compose("masks", ["photos=x", f"masks={choice}", *given]))["masks"], "masks"
    )
    assert built is not None, constructor.problems
    return built


def levels(picture: Image.Image | None) -> NDArray[np.bool_]:
    assert picture is not None
    return np.asarray(picture) > 127


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


def photo(size: tuple[int, int] = (64, 48)) -> Image.Image:
    picture = Image.new("RGB", size, (200, 190, 180))
    ImageDraw.Draw(picture).ellipse((20, 10, 44, 40), fill=(150, 30, 40))
    return picture


@pytest.mark.parametrize("choice", CHOICES)
def test_an_estimator_is_a_file_and_a_yaml_of_one_name(choice: str, sources: dict[str, Path]) -> None:
    own = estimator(choice, source=sources.get(choice))
    own.check("masks")
    assert own.name == choice
    assert kind_of(type(own)) == f"masks/{choice}"
    assert own.said.startswith(f"{choice} ")


@pytest.mark.parametrize("choice", CHOICES)
def test_a_mask_is_black_and_white_as_large_as_the_picture_and_always_the_same(
    choice: str, sources: dict[str, Path]
) -> None:
    settings = ["masks.most=1"] if choice == "sam" else []
    for size in ((64, 48), (80, 100)):
        found, again = (
            estimator(choice, *settings, source=sources.get(choice)).masks([photo(size)], ["dog"])[0] for _ in range(2)
        )
        assert found is not None
        assert again is not None
        assert found.size == size
        assert found.mode == "L"
        assert set(np.unique(np.asarray(found))) == {0, 255}
        assert found.tobytes() == again.tobytes()


@pytest.mark.parametrize(
    ("choice", "setting"), [("border", "threshold=1.1"), ("clipseg", "threshold=0.4"), ("sam", "most=0.5")]
)
def test_other_settings_are_other_masks_by_name(choice: str, setting: str, sources: dict[str, Path]) -> None:
    own = estimator(choice, source=sources.get(choice))
    assert own.said != estimator(choice, f"masks.{setting}", source=sources.get(choice)).said


def test_of_new_individuals_of_the_drawn_world_the_border_finds_most() -> None:
    """On subjects that its settings were not chosen by: .71 on average of 60 pictures. An ellipse in the middle, which
    looks at nothing, has .5."""
    own = estimator("border")
    middle = Image.new("L", (64, 64))
    ImageDraw.Draw(middle).ellipse((13, 15, 51, 60), fill=255)
    found, blind = [], []
    for number, noun in enumerate(NOUNS):
        for scene in reference_scenes(from_seed(noun, 1000 + number), 2):
            true = levels(mask(scene))
            [told] = own.masks([draw(scene)], [noun])
            found.append(0.0 if told is None else iou(levels(told), true))
            blind.append(iou(levels(middle), true))
    assert np.mean(found) > 0.65
    assert np.mean(found) > np.mean(blind) + 0.1


def test_the_border_finds_one_thing_on_a_plain_wall() -> None:
    [found] = estimator("border").masks([photo()], [""])
    true = np.asarray(photo())[..., 0] < 180
    assert iou(levels(found), true) > 0.95


def test_a_plain_picture_has_nothing() -> None:
    assert estimator("border").masks([Image.new("RGB", (32, 32), (9, 9, 9))], [""]) == [None]
    assert as_mask(torch.ones(8, 8), (8, 8)) is None
    assert as_mask(-torch.ones(8, 8), (8, 8)) is None


def test_clipseg_sees_and_reads_as_the_library_does(sources: dict[str, Path]) -> None:
    picture = Image.effect_noise((CLIPSEG_SIDE, CLIPSEG_SIDE), 80).convert("RGB")
    model = CLIPSegForImageSegmentation.from_pretrained(sources["clipseg"]).eval()
    words = CLIPTokenizer.from_pretrained(sources["clipseg"])
    pixels = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).movedim(2, 0)
    mean, std = (torch.tensor(each)[:, None, None] for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = {}
    for noun in ("dog", "beach"):
        told = words([f"a photo of a {noun}"], return_tensors="pt")
        with torch.no_grad():
            logits = model(**told, pixel_values=((pixels - mean) / std)[None]).logits.squeeze()
        expected[noun] = logits.sigmoid().numpy()
    threshold = float(np.median(expected["dog"]))
    own = estimator("clipseg", f"masks.threshold={threshold}", source=sources["clipseg"])
    [found] = own.masks([picture], ["dog"])
    assert (levels(found) != (expected["dog"] > threshold)).mean() < 0.02
    assert np.abs(expected["dog"] - expected["beach"]).max() > 1e-3, "the text counts"


def test_sam_takes_the_mask_that_it_holds_for_the_best(sources: dict[str, Path]) -> None:
    picture = photo((64, 48))
    model = SamModel.from_pretrained(sources["sam"]).eval()
    prepare = SamImageProcessor(
        size={"longest_edge": SAM_SIDE},
        pad_size={"height": SAM_SIDE, "width": SAM_SIDE},
        mask_size={"longest_edge": SAM_SIDE // 4},
        mask_pad_size={"height": SAM_SIDE // 4, "width": SAM_SIDE // 4},
    )
    seen = prepare([picture], return_tensors="pt")
    with torch.no_grad():
        answer = model(pixel_values=seen["pixel_values"], input_points=torch.tensor([[[[32.0, 24.0]]]]))
    offered = prepare.post_process_masks(answer.pred_masks, seen["original_sizes"], seen["reshaped_input_sizes"])[0][0]
    best = offered[answer.iou_scores[0, 0].argmax()].numpy()
    [found] = estimator("sam", "masks.most=1", source=sources["sam"]).masks([picture], [""])
    assert 0.1 < best.mean() < 0.9, "the network says something of this picture"
    assert (levels(found) != best).mean() < 0.02


def test_a_network_of_another_kind_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    for choice in ("clipseg", "sam"):
        with pytest.raises(UserError, match=r"masks.source(.|\n)*model_type='clip'"):
            estimator(choice, source=tiny_clip(tmp_path / choice)).check("masks")
