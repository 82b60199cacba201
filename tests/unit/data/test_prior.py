"""What each kind of prior gives to a training."""

from pathlib import Path

import pytest
from tiny import tiny_source

from imprint.data.prior import BasePrediction, FolderPrior, GeneratedPrior, NoPrior, Prior
from imprint.errors import UserError
from imprint.models.families.sd import StableDiffusion
from imprint.types import Concept, Sampler

CONCEPT = Concept("sks", "dog")


def folder_prior(path: Path, **changes: str) -> FolderPrior:
    settings = {"path": str(path), "bad_pictures": "strict", "background": "white"} | changes
    return FolderPrior(weight=1.0, prompt="a {noun}", **settings)  # type: ignore[arg-type]


def pictures_of(prior: Prior, folder: Path, model: StableDiffusion):
    return prior.pictures(model, tiny_source(folder).facts(), CONCEPT, precision="32")


@pytest.mark.parametrize(
    ("prior", "samples"), [(NoPrior(), "none"), (BasePrediction(weight=1.0, prompt="a {noun}"), "instance")]
)
def test_some_have_no_pictures_of_their_own(
    prior: Prior, samples: str, tiny_sd: Path, tiny_model: StableDiffusion
) -> None:
    assert prior.samples == samples
    assert prior.uses_base_prediction == isinstance(prior, BasePrediction)
    assert pictures_of(prior, tiny_sd, tiny_model) is None


def test_a_generated_prior_draws_the_class_prompt(tiny_sd: Path, tiny_model: StableDiffusion) -> None:
    prior = GeneratedPrior(
        weight=1.0,
        prompt="a photo of a {noun}",
        count=3,
        seed=0,
        batch_size=2,
        sampler=Sampler("DDIMScheduler", 1, 1.0, ""),
    )
    assert prior.prompt(CONCEPT) == "a photo of a dog"
    pictures = pictures_of(prior, tiny_sd, tiny_model)
    assert pictures is not None
    assert [picture.size for picture in pictures.pictures] == [(32, 32)] * 3
    assert len({picture.content for picture in pictures.pictures}) == 3


def test_a_folder_of_the_class_is_known_by_its_content(pictures: Path, tmp_path: Path, tiny_sd, tiny_model) -> None:
    import shutil

    shutil.copytree(pictures, tmp_path / "copy")
    prior, copied = folder_prior(pictures), folder_prior(tmp_path / "copy")
    assert copied.identity() == prior.identity()
    assert folder_prior(pictures, background="blue").identity() != prior.identity()
    (tmp_path / "copy" / "0.png").unlink()
    assert copied.identity() != prior.identity()
    found = pictures_of(prior, tiny_sd, tiny_model)
    assert found is not None
    assert len(found) == 3


def test_pictures_of_the_class_are_told_of_by_the_class_prompt_alone(pictures: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(pictures, tmp_path / "class")
    (tmp_path / "class" / "0.txt").write_text("a caption of the photographer's")
    found = folder_prior(tmp_path / "class")._open("")
    assert {picture.caption for picture in found.pictures} == {None}


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"prior\.path=.*/nowhere"):
        folder_prior(Path("/nowhere")).identity()


@pytest.mark.parametrize("prompt", ["a {identifier} {noun}", "a {nuon}", "a {}"])
def test_a_class_prompt_names_the_class_alone(prompt: str) -> None:
    with pytest.raises(ValueError, match="prompt="):
        BasePrediction(weight=1.0, prompt=prompt)
