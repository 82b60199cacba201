from pathlib import Path
from typing import Any

import pytest
import torch
from families import load_tiny
from small_runs import configure
from tiny import tiny_source

from imprint.errors import ConfigError
from imprint.methods.dreambooth import DreamBooth
from imprint.planning.prepare import prepare
from imprint.types import ALWAYS, Concept
from imprint.verbs.train import train

CONCEPT = Concept("sks", "dog")


def dreambooth(**changes: Any) -> DreamBooth:
    settings = {
        "roles": ["denoiser"],
        "layers": "all",
        "lr": 1e-5,
        "text_lr": 1e-6,
        "by_role": None,
        "templates": ["a {identifier} {noun}"],
    }
    return DreamBooth(**(settings | changes))


def test_every_part_it_names_learns_whole_at_its_rate(tiny_sd: Path) -> None:
    model = load_tiny(tiny_sd)
    groups = dreambooth(roles=["denoiser", "text"]).attach(model, [CONCEPT])
    assert [(group.name, group.lr, group.window) for group in groups] == [
        ("denoiser", 1e-5, ALWAYS),
        ("text", 1e-6, ALWAYS),
    ]
    for group in groups:
        expected = list(model.roles[group.name].parameters())
        assert [id(weight) for weight in group.params] == [id(weight) for weight in expected]
        assert all(weight.requires_grad for weight in expected)
    assert not any(weight.requires_grad for weight in model.vae.parameters())


def test_templates_are_filled() -> None:
    method = dreambooth(templates=["a {identifier} {noun}", "{identifier}"])
    assert list(method.captions(CONCEPT)) == ["a sks dog", "sks"]


def test_what_is_saved_is_what_is_loaded(tiny_sd: Path, tmp_path: Path) -> None:
    model, method = load_tiny(tiny_sd), dreambooth(roles=["denoiser", "text"])
    method.attach(model, [CONCEPT])
    with torch.no_grad():
        for role in method.roles:
            for weight in model.roles[role].parameters():
                weight.add_(0.5)
    method.save(model, tmp_path / "result")
    loaded = load_tiny(tiny_sd)
    method.load(loaded, tmp_path / "result", scale={"denoiser": 1.0})
    for name, weight in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight), name


def test_it_has_no_strength_to_choose() -> None:
    [problem] = dreambooth().scale_problems({"denoiser": 0.5, "text": 1.0})
    assert str(problem).startswith("scale.denoiser=0.5: ")


def test_a_part_that_the_model_lacks_is_named_with_those_it_has(tiny_sd: Path) -> None:
    [problem] = dreambooth(roles=["denoiser", "text_2"]).problems(tiny_source(tiny_sd).facts(), [CONCEPT])
    assert "text_2" in str(problem)
    assert "denoiser" in problem.remedy


@pytest.mark.parametrize("quote", ["'", '"'])
def test_its_usage_is_python_whatever_the_words_are(quote: str, tiny_sd: Path) -> None:
    usage = dreambooth().usage([Concept("sks", f"dog{quote}s toy")], tiny_source(tiny_sd).facts())
    compile(usage, "usage", "exec")
    assert "DiffusionPipeline" in usage


@pytest.mark.parametrize(("changes", "said"), [({"roles": []}, "roles="), ({"templates": []}, "templates=")])
def test_nothing_to_learn_or_to_say_is_refused(changes: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        dreambooth(**changes)


class TestLayers:
    """A part of the network can learn in place of all of it."""

    @pytest.mark.parametrize(
        ("layers", "parts"),
        [
            ("attention", {"attn1.to_q", "attn1.to_k", "attn2.to_v", "attn2.to_out.0"}),
            ("cross_attention", {"attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0"}),
            ("keys_and_values", {"attn2.to_k", "attn2.to_v"}),
            (["keys_and_values", "convolutions"], {"attn2.to_k", "conv1"}),
        ],
    )
    def test_layers_of_the_chosen_kinds_learn_and_no_others(self, layers: Any, parts: set[str], tiny_sd: Path) -> None:
        model = load_tiny(tiny_sd)
        [group] = dreambooth(layers=layers).attach(model, [CONCEPT])
        learning = {name for name, weight in model.unet.named_parameters() if weight.requires_grad}
        assert len(group.params) == len(learning)
        for part in parts:
            assert any(f".{part}." in name for name in learning), part
        kinds = [layers] if isinstance(layers, str) else layers
        endings = [ending for kind in kinds for ending in model.adapter_targets["denoiser"][kind]]
        for name, weight in model.unet.named_parameters():
            of_kind = any(f".{name}".rpartition(".")[0].endswith(f".{ending}") for ending in endings)
            assert weight.requires_grad == of_kind, name

    def test_biases_and_normalisations(self, tiny_sd: Path) -> None:
        model = load_tiny(tiny_sd)
        [denoiser, text] = dreambooth(roles=["denoiser", "text"], layers="bias_norm").attach(model, [CONCEPT])
        learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
        assert len(learning) == len(denoiser.params) + len(text.params)
        for name, weight in model.named_parameters():
            if name.startswith(("unet.", "text_encoder.")):
                assert (name in learning) == (name.endswith(".bias") or "norm" in name), name
            if name in learning:
                assert weight.ndim == 1

    @pytest.mark.parametrize("layers", ["attention", "bias_norm"])
    def test_the_result_is_a_pipeline_in_which_nothing_else_changed(
        self, layers: str, tiny_sd: Path, pictures: Path, tmp_path: Path
    ) -> None:
        run = train(configure(tiny_sd, pictures, tmp_path, f"method.layers={layers}", "hparams.steps=2"))
        model = load_tiny(tiny_sd)
        [group] = dreambooth(layers=layers).attach(model, [CONCEPT])
        assert run.read().trained_parameters == {"denoiser": sum(weight.numel() for weight in group.params)}
        saved = load_tiny(run.result).state_dict()
        learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
        for name, weight in model.state_dict().items():
            assert torch.equal(saved[name], weight) == (name not in learning), name

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            (["method.layers=everything"], "method.layers='everything'"),
            (["method.layers=[]"], "method.layers=[]: nothing would learn"),
            (["method.layers=[attention,all]"], "method.layers"),
            (
                ["method.roles=[denoiser,text]", "method.layers=cross_attention"],
                "method.layers='cross_attention': text has none of these layers. It has attention, feed_forward",
            ),
        ],
    )
    def test_a_choice_that_is_none_is_refused(
        self, settings: list[str], expected: str, tiny_sd: Path, pictures: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            prepare(configure(tiny_sd, pictures, tmp_path, *settings))
        assert expected in str(caught.value)
