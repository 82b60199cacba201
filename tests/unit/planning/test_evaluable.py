"""What cannot be measured with so few pictures is refused before the first is drawn."""

import re

import pytest
from composed import compose
from small_runs import composed_profile

from imprint.config import conf_folder, resolved
from imprint.construct import Constructor
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.profile import Profile
from imprint.planning.evaluable import too_few

MORE = "Ask for more ({key}.images={each})"
AGAINST_PHOTOS = "evaluation.metrics.kid.against=class_photos"


def with_metric(name: str, *settings: str, profile: str = "dreambooth_paper") -> Profile:
    return composed_profile(profile, f"+metric@evaluation.metrics.{name}={name}", *settings)


def refusals(profile: Profile, *, class_photos: int = 0) -> list[str]:
    constructor = Constructor()
    mini: dict[str, Encoder] = constructor.build(resolved(compose("train", ["+encoders=mini"]))["encoders"], "encoders")
    asked = {name: len(requests) for name, requests in profile.requests("live", "dog").items()}
    return list(too_few(profile, asked, class_photos, mini, more=MORE))


@pytest.mark.parametrize("profile", ["dreambooth_paper", "careful"])
def test_kid_of_too_few_class_pictures(profile: str) -> None:
    [refusal] = refusals(with_metric("kid", profile=profile))
    assert "evaluation.metrics.kid needs 21 pictures of class prompts, not 16" in refusal
    assert not refusals(with_metric("kid", "evaluation.pictures.class.images=21", profile=profile))


def test_pictures_of_several_prompts_count_together() -> None:
    prompts = 'evaluation.pictures.class.prompts={any:{class:["a {noun}","the {noun}","one {noun}"]}}'
    assert not refusals(with_metric("kid", prompts, "evaluation.pictures.class.images=7"))
    [refusal] = refusals(with_metric("kid", prompts, "evaluation.pictures.class.images=6"))
    assert "not 18. Ask for more (evaluation.pictures.class.images=7)" in refusal


def test_kid_of_too_few_photos_of_the_class() -> None:
    profile = with_metric("kid", AGAINST_PHOTOS, "evaluation.pictures.class.images=21")
    [refusal] = refusals(profile, class_photos=20)
    assert "21 real pictures of other members of the class; there are 20" in refusal
    assert not refusals(profile, class_photos=21)


def test_fid_of_fewer_pictures_than_features() -> None:
    [refusal] = refusals(with_metric("fid"))
    assert "needs 65 pictures of class prompts, more than its encoder has features, not 16" in refusal
    assert not refusals(with_metric("fid", "evaluation.pictures.class.images=65"))


def test_the_recipe_of_custom_diffusions_kid_is_one_that_can_be_carried_out() -> None:
    remarks = (conf_folder() / "evaluation" / "custom_diffusion.yaml").read_text(encoding="utf-8")
    given = re.findall(r"^#.*", remarks, re.MULTILINE)
    settings = [
        word for line in given for word in line.split() if re.match(r"\+?(metric|prompt_set|evaluation\.)\S*=", word)
    ]
    settings = [word for word in settings if "steps" not in word]
    assert len(settings) == 4
    profile = composed_profile("custom_diffusion", *settings)
    assert profile.metrics["kid"].needs.class_photos
    assert not refusals(profile, class_photos=500)
