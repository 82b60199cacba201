"""What a word starts as, which words can be learned, and what is written of them."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from drawing import AS_TRAINED, ROUNDING, distance, draw, stock
from families import load_tiny
from safetensors import safe_open
from safetensors.torch import load_file
from tiny import RESOLUTION, tiny_source

from imprint.errors import UserError
from imprint.methods.textual_inversion import TextualInversion, round_robin
from imprint.methods.word_files import FILE
from imprint.models.families.sd import StableDiffusion
from imprint.types import Concept

CONCEPT = Concept("<toy>", "dog")
PROMPT = "a photo of <toy>"


def method(**settings: Any) -> TextualInversion:
    usual = {
        "vectors": 1,
        "start": "noun",
        "seed": 0,
        "norm": None,
        "lr": 1e-3,
        "templates": ["a photo of {identifier}"],
    }
    return TextualInversion(**{**usual, **settings})


def attached(model: StableDiffusion, concept: Concept = CONCEPT, **settings: Any) -> torch.Tensor:
    """The learned vectors before anything is learned."""
    [group] = method(**settings).attach(model, [concept])
    [vectors_ND] = group.params
    return vectors_ND.detach()


def told(tiny_sd: Path, concept: Concept = CONCEPT, **settings: Any) -> str:
    facts = tiny_source(tiny_sd).facts()
    return "\n".join(str(problem) for problem in method(**settings).problems(facts, [concept]))


class TestStart:
    def test_rows_are_dealt_out_in_turn(self) -> None:
        tokens_ND = torch.tensor([[1.0], [2.0], [4.0]])
        assert round_robin(tokens_ND, 1).tolist() == [[pytest.approx(7 / 3)]]
        assert round_robin(tokens_ND, 2).tolist() == [[2.5], [2.0]]
        assert round_robin(tokens_ND, 3).tolist() == [[1.0], [2.0], [4.0]]
        assert round_robin(tokens_ND, 5).tolist() == [[1.0], [2.0], [4.0], [1.0], [2.0]]

    def test_the_class_noun(self, tiny_sd: Path) -> None:
        expected = load_tiny(tiny_sd).vocabularies["clip_l"].token_vectors("dog")
        assert torch.equal(attached(load_tiny(tiny_sd)), expected)
        assert torch.equal(attached(load_tiny(tiny_sd), vectors=2), expected.repeat(2, 1))

    def test_a_class_noun_of_several_tokens(self, tiny_sd: Path) -> None:
        expected = load_tiny(tiny_sd).vocabularies["clip_l"].token_vectors("red dog").mean(dim=0, keepdim=True)
        assert torch.equal(attached(load_tiny(tiny_sd), Concept("<toy>", "red dog")), expected)

    def test_words_of_the_vocabulary(self, tiny_sd: Path) -> None:
        expected = load_tiny(tiny_sd).vocabularies["clip_l"].token_vectors("small red cat")
        assert torch.equal(attached(load_tiny(tiny_sd), start="small red cat", vectors=3), expected)

    def test_random_vectors_are_like_the_vocabularys_and_depend_on_the_seed_alone(self, tiny_sd: Path) -> None:
        first = attached(load_tiny(tiny_sd), start="random", vectors=64, seed=1)
        torch.manual_seed(123)
        assert torch.equal(attached(load_tiny(tiny_sd), start="random", vectors=64, seed=1), first)
        assert torch.equal(attached(load_tiny(tiny_sd), start="random", vectors=2, seed=1), first[:2])
        assert not torch.equal(attached(load_tiny(tiny_sd), start="random", vectors=64, seed=2), first)
        known_VD = load_tiny(tiny_sd).vocabularies["clip_l"].vectors
        assert float(first.std()) == pytest.approx(float(known_VD.std()), rel=0.1)
        assert len(first.unique(dim=0)) == 64


class TestIdentifier:
    def test_auto_is_the_class_noun_as_a_new_word(self, tiny_sd: Path) -> None:
        facts = tiny_source(tiny_sd).facts()
        assert method().choose_identifier(facts, "dog", ()) == "<dog>"
        assert method().choose_identifier(facts, "Watercolour  painting", ()) == "<watercolour-painting>"
        assert method().choose_identifier(facts, "İ家", ()) == "<i>"
        assert method().choose_identifier(facts, "家", ()) == "<subject>"

    def test_auto_passes_over_a_word_that_was_learned_before(self, tiny_sd: Path, tmp_path: Path) -> None:
        model = load_tiny(tiny_sd)
        attached(model, Concept("<dog>", "dog"))
        model.save_pipeline(tmp_path / "taught")
        facts = tiny_source(tmp_path / "taught").facts()
        assert method().choose_identifier(facts, "dog", ()) == "<dog-2>"
        assert "<dog> already" in told(tmp_path / "taught", Concept("<dog>", "dog"))

    @pytest.mark.parametrize("word", ["dog", "sks", "my toy", "<Toy>"])
    def test_a_word_that_is_not_new_is_refused_with_the_key(self, word: str, tiny_sd: Path) -> None:
        said = told(tiny_sd, Concept(word, "dog"))
        assert said.startswith(f"dataset.identifier={word!r}: ")
        assert "Give auto or one in lower case" in said


class TestRefusals:
    def test_a_good_configuration_has_no_problems(self, tiny_sd: Path) -> None:
        assert told(tiny_sd) == told(tiny_sd, start="red dog") == told(tiny_sd, start="random") == ""

    def test_a_start_that_the_model_has_no_token_for(self, tiny_sd: Path) -> None:
        said = told(tiny_sd, start="red gruffalo")
        assert "start='red gruffalo'" in said
        assert "no token for gruffalo." in said

    def test_a_noun_without_a_token_matters_only_where_it_is_the_start(self, tiny_sd: Path) -> None:
        assert "dataset.class_noun=' '" in told(tiny_sd, Concept("<toy>", " "))
        assert told(tiny_sd, Concept("<toy>", " "), start="cat") == ""

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({"templates": []}, "templates="),
            ({"templates": ["a {identifier}", "a photo of a {noun}"]}, "['a photo of a {noun}']: nothing is learned"),
            ({"templates": ["a {thing} {identifier}"]}, "{thing} is unknown"),
            ({"start": " "}, "start="),
        ],
    )
    def test_settings_that_teach_nothing(self, settings: dict[str, Any], expected: str) -> None:
        with pytest.raises(ValueError, match=re.escape(expected)):
            method(**settings)

    @pytest.mark.parametrize(("role", "key"), [("denoiser", "denoiser"), ("text", "text")])
    def test_a_strength(self, role: str, key: str) -> None:
        [problem] = method().scale_problems({"denoiser": 1.0, "text": 1.0, role: 0.5})
        assert str(problem).startswith(f"scale.{key}=0.5: ")
        assert "Leave it at 1" in problem.remedy


@pytest.mark.parametrize("vectors", [1, 3])
class TestFiles:
    def taught(self, tiny_sd: Path, vectors: int, norm: float | None = None) -> StableDiffusion:
        model = load_tiny(tiny_sd)
        [group] = method(vectors=vectors, norm=norm).attach(model, [CONCEPT])
        with torch.no_grad():
            group.params[0].add_(torch.randn(vectors, 16, generator=torch.Generator().manual_seed(2)))
        return model

    def test_what_is_saved_is_what_was_learned(self, vectors: int, tiny_sd: Path, tmp_path: Path) -> None:
        model = self.taught(tiny_sd, vectors)
        method().save(model, tmp_path)
        [(word, saved)] = load_file(tmp_path / FILE).items()
        assert word == "<toy>"
        assert torch.equal(saved, model.text_encoder.get_input_embeddings().vectors[0])

    @pytest.mark.parametrize("norm", [None, 0.4])
    def test_the_stock_pipeline_draws_the_same(
        self, norm: float | None, vectors: int, tiny_sd: Path, tmp_path: Path
    ) -> None:
        model = self.taught(tiny_sd, vectors, norm)
        method().save(model, tmp_path)
        method().write_origin(tmp_path, {"run": "abc"})
        ours = draw(model, prompts=[PROMPT], seeds=[3])
        assert distance(ours, [stock_picture(tiny_sd, tmp_path)]) <= ROUNDING
        assert distance(ours, draw(load_tiny(tiny_sd), prompts=["a photo of dog"], seeds=[3])) > 5 * ROUNDING

    def test_an_untuned_model_draws_the_same_with_it(self, vectors: int, tiny_sd: Path, tmp_path: Path) -> None:
        model, fresh = self.taught(tiny_sd, vectors, norm=0.4), load_tiny(tiny_sd)
        method().save(model, tmp_path)
        method().load(fresh, tmp_path, scale={"denoiser": 1.0, "text": 1.0})
        assert distance(draw(model, prompts=[PROMPT], seeds=[3]), draw(fresh, prompts=[PROMPT], seeds=[3])) == 0
        assert not any(parameter.requires_grad for parameter in fresh.parameters())

    def test_front_ends_get_the_same_vectors(self, vectors: int, tiny_sd: Path, tmp_path: Path) -> None:
        model, fresh, loaded = self.taught(tiny_sd, vectors), load_tiny(tiny_sd), method()
        method().save(model, tmp_path)
        method().write_origin(tmp_path, {"run": "abc"})
        loaded.load(fresh, tmp_path, scale={})
        file = tmp_path / "toy.safetensors"
        loaded.formats(fresh)["embedding"].write(file, torch.float32)
        with safe_open(file, framework="pt") as content:
            assert {"run": "abc", "trigger_words": "<toy>"}.items() <= content.metadata().items()
        assert list(load_file(file)) == ["emb_params"]
        expected = draw(model, prompts=[PROMPT], seeds=[3])
        assert distance(expected, [stock_picture(tiny_sd, file, token="<toy>")]) <= ROUNDING
        with pytest.raises(UserError, match=r"toy\.pt.*end in \.safetensors"):
            loaded.formats(fresh)["embedding"].write(tmp_path / "toy.pt", torch.float32)


def stock_picture(model: Path, embedding: Path, token: str | None = None) -> Any:
    pipeline = stock(model)
    pipeline.load_textual_inversion(str(embedding), token=token)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(
        PROMPT,
        negative_prompt=AS_TRAINED.negative_prompt,
        num_inference_steps=AS_TRAINED.steps,
        guidance_scale=AS_TRAINED.guidance,
        height=RESOLUTION,
        width=RESOLUTION,
        generator=torch.Generator().manual_seed(3),
    ).images[0]
