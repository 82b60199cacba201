"""What a profile asks for, and what it refuses to begin."""

import pytest
from composed import compose
from small_runs import composed_profile

from imprint.config import resolved
from imprint.construct import Constructor
from imprint.evaluation.profile import PhotoCounts
from imprint.evaluation.records import Candidate

ENOUGH = PhotoCounts(photos=5, trained_on=5, held_out=0, class_photos=0)


def problems(name: str, *settings: str) -> str:
    constructor = Constructor()
    constructor.build(resolved(compose("evaluate", [f"evaluation={name}", *settings]))["evaluation"], "evaluation")
    return "\n".join(map(str, constructor.problems))


def test_only_what_some_metric_needs_is_drawn() -> None:
    paper = composed_profile("dreambooth_paper")
    assert paper.tuned_sets == ("subject", "class")
    lean = composed_profile("dreambooth_paper", "~evaluation.metrics.pres", "evaluation.rows=[real]")
    assert (lean.tuned_sets, lean.untuned_sets) == (("subject",), ())
    assert set(lean.requests("live", "dog")) == {"subject"}


def test_the_untuned_model_draws_what_it_is_judged_and_compared_by() -> None:
    drift_alone = composed_profile("careful", "evaluation.rows=[]")
    assert drift_alone.untuned_sets == ("class", "unrelated")
    assert composed_profile("careful").untuned_sets == ("subject", "class", "unrelated")


def test_which_rows_a_metric_means_something_of() -> None:
    profile = composed_profile("careful")
    rows = {
        name: {row for row in ("untuned", "prompt_only", "real", "copies") if profile.applies(metric, row)}
        for name, metric in profile.metrics.items()
    }
    assert rows["dino"] == {"untuned", "prompt_only", "real", "copies"}
    assert rows["clip_t"] == {"untuned", "prompt_only", "copies"}
    assert rows["pres"] == {"untuned"}
    assert rows["drift"] == set()


def test_of_an_upscaler_interpolation_and_pictures_of_other_things_have_the_same_metrics() -> None:
    alone, beside = (composed_profile("upscaling", *more) for more in ([], ["evaluation.others=photos"]))
    assert (set(alone.metrics), set(alone.pictures)) == ({"psnr", "ssim"}, {"subject"})
    assert set(beside.metrics) == {"psnr", "ssim", "psnr_others", "ssim_others"}
    assert beside.tuned_sets == beside.anonymous_sets == ("subject", "others")
    for name, metric in beside.metrics.items():
        rows = {row for row in ("bicubic", "untuned", "prompt_only", "copies") if beside.applies(metric, row)}
        assert rows == {"bicubic", "untuned", "prompt_only"} | (set() if name.endswith("others") else {"copies"})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["~evaluation.pictures.class"], "metrics.pres needs pictures of class prompts"),
        ([f"~evaluation.metrics.{name}" for name in ("dino", "clip_i", "clip_t", "pres")], "metrics: there is none"),
        (["evaluation.rows=[real,real]"], "only once"),
        (["evaluation.rows=[tuned]"], "tuned is always there"),
        (["evaluation.rows=[best]"], "evaluation.rows"),
        (["evaluation.rows=[bicubic]"], "pictures are drawn from prompts alone. Leave it out; for an upscaler, choose"),
        (["evaluation.others=photos"], "others='photos': no metric of this profile looks at pictures of other things"),
        (["evaluation.name=a/b"], "files are called by it"),
        (["+evaluation.counted.dion=[property]"], "did you mean dino"),
        (["+evaluation.counted.dino=[properly]"], "did you mean property"),
        (
            ["+metric@evaluation.metrics.div=div_features", "evaluation.pictures.subject.images=1"],
            "metrics.div needs 2 of each prompt",
        ),
        (["evaluation.pictures.subject.images=0"], "evaluation.pictures.subject.images=0"),
        (["evaluation.sampler.steps=0"], "evaluation.sampler.steps=0"),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(settings: list[str], said: str) -> None:
    assert said in problems("dreambooth_paper", *settings)


def test_photos_that_a_metric_cannot_do_without() -> None:
    profile = composed_profile("dreambooth_paper", "+metric@evaluation.metrics.overfit=overfit")
    [problem] = profile.problems(ENOUGH)
    assert "evaluation.metrics.overfit needs 1 pictures that were kept out of training; there are 0" in problem
    assert "dataset.holdout" in problem
    assert not list(profile.problems(ENOUGH._replace(trained_on=4, held_out=1)))


def test_what_means_nothing_of_a_subject_is_said_by_the_metrics_name() -> None:
    strange = "a {identifier} {noun} made of wood"
    candidate = Candidate(
        "dog6", "dog", [(64, 64)], {"subject": [("a {noun} in the snow", "scene"), (strange, "property")]}
    )
    profile = composed_profile("quick", "+metric@evaluation.metrics.place=right_place")
    [problem] = profile.unmeasurable(candidate)
    assert problem.startswith("evaluation.metrics.place: these prompts say")
    assert "~evaluation.metrics.place" in problem
    profile.counted = {"place": ["scene"]}  # the others are not judged
    assert not list(profile.unmeasurable(candidate))


def test_the_numbers_that_the_papers_fix() -> None:
    inversion = composed_profile("textual_inversion")
    assert (inversion.pictures["subject"].images, inversion.sampler.steps) == (64, 50)
    custom = composed_profile("custom_diffusion")
    assert custom.pictures["subject"].images == 50
    assert len(custom.pictures["subject"].of("object")) == 20
    assert (custom.sampler.steps, custom.sampler.guidance) == (200, 6)
    plus = composed_profile("dreambench_plus")
    assert len(plus.pictures["subject"].of("live")) == 9
    assert (plus.pictures["subject"].images, plus.sampler.steps, plus.sampler.guidance) == (1, 100, 7.5)
    assert composed_profile("dreambooth_paper").pictures["subject"].images == 4


def test_oft_pools_pairs_and_shows_dino_whole_pictures() -> None:
    """As oft-db/eval.py does."""
    oft = composed_profile("oft")
    assert oft.averaging == "pairs"
    shown = oft.encoders["dino"].transform
    assert (shown.resize, shown.stretch, shown.interpolation, shown.crop) == (224, True, "bilinear", 224)


def test_a_profile_without_some_sets_says_what_it_leaves_out() -> None:
    lean, left_out = composed_profile("dreambooth_paper").of_sets(["subject"])
    assert set(lean.metrics) == {"dino", "clip_i", "clip_t"}
    assert ["pres" in note for note in left_out] == [True]
