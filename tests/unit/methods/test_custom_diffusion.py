"""A word and the keys and values of cross-attention learn; the stock library reads them in its own format."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from composed import compose
from drawing import ROUNDING, distance, disturb, draw, draw_stock, stock
from families import load_tiny
from safetensors.torch import load_file, save_file
from small_runs import configure
from tiny import tiny_source
from torch import nn

from imprint.errors import ConfigError, UserError
from imprint.methods.custom_diffusion import FILE, CustomDiffusion
from imprint.methods.textual_inversion import TextualInversion
from imprint.models.families.sd import StableDiffusion
from imprint.planning.prepare import prepare
from imprint.results.load import trained_model
from imprint.types import Concept
from imprint.verbs.export import export
from imprint.verbs.train import train

DOGS = [Concept("<new>", "dog")]
FAST = ("method=custom_diffusion", "dataset.identifier=auto", "method.lr=3e-2", "hparams.clip=null")


def method(**settings: Any) -> CustomDiffusion:
    templates = ["photo of a {identifier} {noun}"]
    words = TextualInversion(vectors=1, start="ktn", seed=0, norm=None, lr=1e-3, templates=templates)
    return CustomDiffusion(**{"words": words, "lr": 1e-3, "templates": templates, **settings})


def taught(model: Path) -> StableDiffusion:
    model = load_tiny(model)
    for group in method().attach(model, DOGS):
        disturb(nn.ParameterList(group.params))
    return model


def test_keys_and_values_of_cross_attention_learn_and_a_word_that_starts_as_a_rare_one(tiny_sd: Path) -> None:
    model = load_tiny(tiny_sd)
    denoiser, words = method().attach(model, DOGS)
    expected = {
        id(weight) for name, weight in model.unet.named_parameters() if "attn2.to_k" in name or "attn2.to_v" in name
    }
    assert expected
    assert {id(weight) for weight in denoiser.params} == expected
    assert torch.equal(words.params[0], load_tiny(tiny_sd).vocabularies["clip_l"].token_vectors("ktn"))


def test_the_word_starts_as_one_that_the_vocabulary_has_only_within_others(tiny_sd: Path, tmp_path: Path) -> None:
    """As CLIP's has `ktn`, the authors' start: there is an entry of that name, but a caption never becomes it."""
    model = shutil.copytree(tiny_sd, tmp_path / "model")
    for name, old, new in (("vocab.json", '"ktn</w>"', '"ktn"'), ("merges.txt", "kt n</w>", "kt n")):
        file = model / "tokenizer" / name
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
    assert len(tiny_source(model).facts().tokenizer("ktn", add_special_tokens=False).input_ids) > 1
    assert not list(method().problems(tiny_source(model).facts(), DOGS))
    _, words = method().attach(load_tiny(model), DOGS)
    assert torch.equal(words.params[0], load_tiny(tiny_sd).vocabularies["clip_l"].token_vectors("ktn"))


def test_the_first_token_teaches_keys_and_values_nothing(tiny_sd: Path) -> None:
    """It is the same in every text: as in the authors' training, what is learned is not learned for all texts."""
    model = load_tiny(tiny_sd)
    method().attach(model, DOGS)
    layer: Any = model.unet.get_submodule("mid_block.attentions.0.transformer_blocks.0.attn2.to_k").double()
    x_BLD = torch.randn(2, 5, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    out_BLD = layer(x_BLD)
    torch.testing.assert_close(out_BLD, x_BLD @ layer.weight.T)
    out_BLD.square().sum().backward()
    rest_BLD = x_BLD[:, 1:]
    expected = 2 * torch.einsum("blo,bli->oi", rest_BLD @ layer.weight.T, rest_BLD)
    torch.testing.assert_close(layer.weight.grad, expected)


class TestFiles:
    @pytest.fixture
    def folder(self, tiny_sd: Path, tmp_path: Path) -> Path:
        method().save(taught(tiny_sd), tmp_path)
        return tmp_path

    def test_the_stock_library_draws_the_same(self, folder: Path, tiny_sd: Path) -> None:
        pipeline = stock(tiny_sd)
        pipeline.unet.load_attn_procs(folder, weight_name=FILE, _pipeline=pipeline)
        model = load_tiny(tiny_sd)
        method().load(model, folder, scale={})
        assert distance(draw(model), draw_stock(pipeline)) <= ROUNDING + 1
        assert distance(draw(model), draw(load_tiny(tiny_sd))) > 5 * ROUNDING

    def test_the_library_names_every_attention(self, folder: Path, tiny_sd: Path) -> None:
        stored = load_file(folder / FILE)
        attentions = {name.partition(".processor")[0] + ".processor" for name in stored}
        assert attentions == set(load_tiny(tiny_sd).unet.attn_processors)
        assert {len(x) for name, x in stored.items() if name.endswith(".processor")} == {0}

    @pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
    def test_a_strength_leads_from_the_untuned_weights_to_the_tuned(
        self, strength: float, folder: Path, tiny_sd: Path
    ) -> None:
        untuned, tuned, model = load_tiny(tiny_sd), taught(tiny_sd), load_tiny(tiny_sd)
        method().load(model, folder, scale={"denoiser": strength})
        for name, weight in untuned.unet.named_parameters():
            expected = torch.lerp(weight, dict(tuned.unet.named_parameters())[name], strength)
            torch.testing.assert_close(dict(model.unet.named_parameters())[name], expected)

    def test_a_file_for_other_layers_is_refused(self, folder: Path, tiny_sd: Path) -> None:
        stored = load_file(folder / FILE)
        stored.pop(next(name for name in stored if name.endswith("to_k_custom_diffusion.weight")))
        save_file(stored, folder / FILE, metadata={"format": "pt"})
        with pytest.raises(UserError, match="learned for other layers"):
            method().load(load_tiny(tiny_sd), folder, scale={})


def test_exports_draw_the_same(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    run = train(
        configure(tiny_sd, pictures, tmp_path, *FAST, "method.words.lr=1e-2", "prior=generated", "prior.count=3")
    )
    ask = [f"run={run.folder}", "dtype=float32"]
    ours = draw(trained_model(run, scale={}).model, prompts=["a <dog> dog"] * 2)
    folder = export(compose("export", [*ask, "format=pipeline", f"out={tmp_path / 'pipeline'}"]))
    assert distance(ours, draw(load_tiny(folder), prompts=["a <dog> dog"] * 2)) <= ROUNDING
    word = export(compose("export", [*ask, "format=embedding", f"out={tmp_path / 'word.safetensors'}"]))
    assert list(load_file(word)) == ["emb_params"]
    with pytest.raises(UserError, match="format='single_file'.*<dog>"):
        export(compose("export", [*ask, "format=single_file", f"out={tmp_path / 'model.safetensors'}"]))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["method.lr=0"], "method.lr=0"),
        (["+method.alpha=4"], "method.alpha=4: unknown key"),
        (["+method.rank=4"], "method.rank=4: unknown key"),
        (["method.words.start=gruffalo"], "method.words.start='gruffalo'"),
        (["dataset.identifier=dog"], "dataset.identifier='dog'"),
        (["dataset.class_noun=' '", "method.words.start=noun"], "dataset.class_noun"),
    ],
)
def test_settings_without_a_sense_are_refused(
    settings: list[str], expected: str, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(configure(tiny_sd, pictures, tmp_path, *FAST, *settings))
    assert expected in str(caught.value)
