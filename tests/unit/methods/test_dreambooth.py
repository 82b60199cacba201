from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import load_tiny, tiny_source

from imprint.methods.dreambooth import DreamBooth
from imprint.types import ALWAYS, Concept

CONCEPT = Concept("sks", "dog")


def dreambooth(**changes: Any) -> DreamBooth:
    settings = {"roles": ["denoiser"], "lr": 1e-5, "text_lr": 1e-6, "templates": ["a {identifier} {noun}"]}
    return DreamBooth(**(settings | changes))


def test_every_part_it_names_learns_whole_at_its_rate(tiny_sd: Path) -> None:
    family = load_tiny(tiny_sd)
    groups = dreambooth(roles=["denoiser", "text"]).attach(family, CONCEPT)
    assert [(group.name, group.lr, group.window) for group in groups] == [
        ("denoiser", 1e-5, ALWAYS),
        ("text", 1e-6, ALWAYS),
    ]
    for group in groups:
        expected = list(family.roles[group.name].parameters())
        assert [id(weight) for weight in group.params] == [id(weight) for weight in expected]
        assert all(weight.requires_grad for weight in expected)
    assert not any(weight.requires_grad for weight in family.vae.parameters())


def test_templates_are_filled() -> None:
    method = dreambooth(templates=["a {identifier} {noun}", "{identifier}"])
    assert list(method.templates(CONCEPT)) == ["a sks dog", "sks"]


def test_what_is_saved_is_what_is_loaded(tiny_sd: Path, tmp_path: Path) -> None:
    family, method = load_tiny(tiny_sd), dreambooth(roles=["denoiser", "text"])
    method.attach(family, CONCEPT)
    with torch.no_grad():
        for role in method.roles:
            for weight in family.roles[role].parameters():
                weight.add_(0.5)
    method.save(family, tmp_path / "result")
    loaded = load_tiny(tiny_sd)
    method.load(loaded, tmp_path / "result", scale={"denoiser": 1.0})
    for name, weight in family.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight), name


def test_it_has_no_strength_to_choose() -> None:
    [problem] = dreambooth().scale_problems({"denoiser": 0.5, "text": 1.0})
    assert str(problem).startswith("scale.unet=0.5: ")


def test_a_part_that_the_model_lacks_is_named_with_those_it_has(tiny_sd: Path) -> None:
    [problem] = dreambooth(roles=["denoiser", "text_2"]).problems(tiny_source(tiny_sd).facts(), CONCEPT)
    assert "text_2" in str(problem)
    assert "denoiser" in problem.remedy


@pytest.mark.parametrize("quote", ["'", '"'])
def test_its_usage_is_python_whatever_the_words_are(quote: str) -> None:
    usage = dreambooth().usage(Concept("sks", f"dog{quote}s toy"))
    compile(usage, "usage", "exec")
    assert "DiffusionPipeline" in usage


@pytest.mark.parametrize(("changes", "said"), [({"roles": []}, "roles="), ({"templates": []}, "templates=")])
def test_nothing_to_learn_or_to_say_is_refused(changes: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        dreambooth(**changes)
