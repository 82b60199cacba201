"""Every profile of conf/evaluation: it is whole, it can be carried out, and it says whose its choices are."""

import inspect
from pathlib import Path

import diffusers
import pytest
import yaml
from composed import compose
from small_runs import composed_profile

from imprint.config import conf_folder, resolved
from imprint.construct import Constructor
from imprint.evaluation.profile import PhotoCounts, Profile
from imprint.evaluation.prompts import PromptSet

FILES = sorted((conf_folder() / "evaluation").glob("*.yaml"))
PROFILES = [file.stem for file in FILES if file.stem not in ("protocol", "none")]
PROMPT_SETS = sorted(file.stem for file in (conf_folder() / "prompt_set").glob("*.yaml") if file.stem != "set")
KINDS = (("live", "dog"), ("object", "vase"))


def test_the_profiles_of_the_design_are_there() -> None:
    papers = {"dreambooth_paper", "textual_inversion", "custom_diffusion", "oft", "dreambench_plus"}
    assert papers | {"quick", "careful"} <= set(PROFILES)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_called_like_its_file_and_asks_for_something(name: str) -> None:
    profile = composed_profile(name)
    assert profile.name == name
    for kind, noun in KINDS:
        assert all(profile.requests(kind, noun).values())
        assert set(profile.requests(kind, noun)) == set(profile.pictures)  # no set is there in vain


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_brings_every_encoder_that_it_needs(name: str) -> None:
    profile = composed_profile(name)
    assert {role for metric in profile.metrics.values() for role in metric.needs.encoders} == set(profile.encoders)
    assert all(judge.name for judge in profile.encoders.values())
    assert not list(profile.problems(PhotoCounts(photos=4, trained_on=4, held_out=0, class_photos=0)))


@pytest.mark.parametrize("name", PROFILES)
def test_the_miniature_can_be_judged_by_every_profile(name: str) -> None:
    cfg = resolved(compose("train", ["model=mini"]))
    constructor = Constructor()
    model = constructor.build(cfg["model"], "model")
    assert not constructor.problems
    assert set(composed_profile(name).encoders) <= set(model.encoders)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_names_a_sampler_that_exists(name: str) -> None:
    scheduler = composed_profile(name).sampler.scheduler
    assert scheduler is None or hasattr(diffusers, scheduler)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_says_which_choices_are_a_papers_and_which_ours(name: str) -> None:
    remarks = "".join(_remarks(conf_folder() / "evaluation" / f"{name}.yaml")).lower()
    assert "ours" in remarks
    if name not in ("quick", "careful", "truth", "upscaling"):
        assert "arxiv" in remarks
        assert "theirs" in remarks or "the paper's" in remarks


@pytest.mark.parametrize("name", [name for name in PROFILES if name not in ("quick", "careful", "truth", "upscaling")])
def test_what_of_the_sampler_a_profile_leaves_to_the_run_is_said_to_be_ours(name: str) -> None:
    _, ours = " ".join(_remarks(conf_folder() / "evaluation" / f"{name}.yaml")).split("Ours", maxsplit=1)
    sampler = composed_profile(name).sampler
    for setting in ("scheduler", "guidance"):
        assert getattr(sampler, setting) is not None or setting in ours or "the sampler" in ours


@pytest.mark.parametrize("name", PROMPT_SETS)
def test_every_list_of_prompts_binds_and_has_prompts_for_every_kind(name: str) -> None:
    constructor = Constructor()
    cfg = resolved(compose("evaluate", ["evaluation=none", f"+prompt_set@given={name}", "given.images=1"]))
    chosen = constructor.build(cfg["given"], "given")
    assert isinstance(chosen, PromptSet), constructor.problems
    assert all(chosen.of(kind) for kind, _ in KINDS)


def test_no_value_has_a_second_home() -> None:
    for constructor in (Profile, PromptSet):
        parameters = inspect.signature(constructor).parameters.values()
        assert all(parameter.default is parameter.empty for parameter in parameters)


def test_none_is_no_profile() -> None:
    assert compose("evaluate", ["evaluation=none"]).evaluation is None


def test_every_file_is_a_profile_or_what_profiles_start_from() -> None:
    for file in FILES:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert file.stem in ("protocol", "none") or content.get("name") == file.stem


def _remarks(file: Path) -> list[str]:
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
