"""What is put together is what the method said, and nothing of it is found out late."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from lessons import assembled
from small_runs import configure

from imprint.errors import ConfigError
from imprint.methods.dreambooth import DreamBooth
from imprint.models.base import Model
from imprint.planning.prepare import prepare
from imprint.types import ALWAYS, Concept, ParamGroup


def test_exactly_what_the_method_returned_requires_a_gradient(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    for roles in (["denoiser"], ["text"], ["denoiser", "text"]):
        module = assembled(configure(tiny_sd, pictures, tmp_path, f"method.roles=[{','.join(roles)}]"))
        expected = {id(weight) for role in roles for weight in module.model.roles[role].parameters()}
        assert {id(weight) for weight in module.parameters() if weight.requires_grad} == expected
        assert {id(weight) for weight in module.trained()} == expected
        assert len(module.trained()) == len(expected)


def test_only_parts_that_learn_are_in_training_mode(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    module = assembled(configure(tiny_sd, pictures, tmp_path, "method.roles=[text]"))
    assert module.model.roles["text"].training
    assert not module.model.roles["denoiser"].training
    assert not any(part.training for part in module.model.vae.modules())


def _more(model: Model, groups: list[ParamGroup]) -> list[ParamGroup]:
    model.roles["text"].requires_grad_(True)
    return groups


def _frozen_again(model: Model, groups: list[ParamGroup]) -> list[ParamGroup]:
    groups[0].params[0].requires_grad_(False)
    return groups


def _twice(model: Model, groups: list[ParamGroup]) -> list[ParamGroup]:
    return [*groups, ParamGroup("again", groups[0].params[:1], 1e-3, ALWAYS)]


def _in_half(model: Model, groups: list[ParamGroup]) -> list[ParamGroup]:
    model.roles["denoiser"].to(torch.bfloat16)
    return groups


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (_more, "not those that the method returned"),
        (_frozen_again, "not those that the method returned"),
        (_twice, "in two groups"),
        (_in_half, ""),
    ],
)
def test_a_method_that_does_not_keep_to_its_word_is_caught(
    mistake, said: str, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach = DreamBooth.attach

    def mistaken(self: DreamBooth, model: Model, concepts: Sequence[Concept]) -> list[ParamGroup]:
        return mistake(model, attach(self, model, concepts))

    monkeypatch.setattr(DreamBooth, "attach", mistaken)
    with pytest.raises(AssertionError, match=said):
        assembled(configure(tiny_sd, pictures, tmp_path))


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("hparams.rate.warmup=10", "constant_with_warmup"),
        ("method.roles=[text,text]", "name each part once"),
        ("seed=-1", "seed=-1"),
        ("seed=4294967296", "seed=4294967296"),
    ],
)
def test_settings_that_would_be_passed_over_or_fail_late_are_refused(
    setting: str, expected: str, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(configure(tiny_sd, pictures, tmp_path, setting))
    assert expected in str(caught.value)
