"""FLUX.2 dev: a fixed message before each caption, a language model that also sees, guidance that is told."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import Flux2Pipeline
from drawing import PROMPTS, stock
from safetensors.torch import save_file
from tiny_flux2 import CHAT, DRAWING, TOKENS, tiny_flux2_source
from tiny_flux2_parts import TEXT_LAYERS, WIDTH
from transformers import ProcessorMixin

from imprint.methods.word_files import FILE, loading_lines
from imprint.models.families.flux2 import Flux2
from imprint.training.encoding import encode_captions
from imprint.types import Concept

WORD = "<toy>"
PROCESSOR = ["transformers", "PixtralProcessor"]


class Processor(ProcessorMixin):
    """The library's own way with chats, as the published pipeline has it; that one's also needs torchvision."""

    def __init__(self, tokenizer: Any = None, chat_template: str | None = None) -> None:
        super().__init__(tokenizer, chat_template=chat_template)


@pytest.fixture(scope="module")
def folder(tiny_folder: Callable[[str], Path]) -> Path:
    """Read only."""
    return tiny_folder("flux2")


@pytest.fixture(scope="module")
def published(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the published form, which has a processor of pictures in the tokenizer's place. Read only."""
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("published") / "model")
    index = copy / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text(encoding="utf-8")), "tokenizer": PROCESSOR}))
    settings = {"processor_class": "PixtralProcessor", "patch_size": 14, "spatial_merge_size": 2}
    (copy / "tokenizer" / "processor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def model(folder: Path) -> Flux2:
    """Read only."""
    loaded = tiny_flux2_source(folder).load()
    assert isinstance(loaded, Flux2)
    return loaded


def with_processor(folder: Path) -> Flux2Pipeline:
    pipeline = stock(folder)
    pipeline.tokenizer = Processor(tokenizer=pipeline.tokenizer, chat_template=CHAT)
    return pipeline


class TestConditioning:
    @pytest.mark.parametrize("load", [stock, with_processor])
    def test_texts_are_encoded_as_by_the_stock_pipeline(
        self, load: Callable[[Path], Flux2Pipeline], model: Flux2, folder: Path
    ) -> None:
        """With what stands for a picture left out."""
        texts = ["", *PROMPTS, "a [IMG] dog"]
        tokens, _ = load(folder).encode_prompt(texts, device="cpu", **DRAWING)
        assert tokens.shape == (4, TOKENS, len(TEXT_LAYERS) * WIDTH)
        torch.testing.assert_close(encode_captions(model, texts)["tokens"], tokens)

    def test_while_it_trains_the_denoiser_is_told_the_configured_guidance(self, folder: Path) -> None:
        noisy, t = torch.ones(1, 16, 4, 4), torch.tensor([0.5])
        said = {}
        for guidance in (1.0, 4.0):
            model = tiny_flux2_source(folder, training_guidance=guidance).load()
            told = encode_captions(model, PROMPTS[:1])
            said[guidance] = model.denoise(noisy, t, told)
            explicit = model.denoise(noisy, t, {**told, **model.encode_guidance(guidance, 1)})
            assert torch.equal(said[guidance], explicit)
        assert not torch.allclose(said[1.0], said[4.0])

    def test_a_caption_is_cut_where_the_configuration_says(
        self, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        model = tiny_flux2_source(folder, text_tokens=80).load()
        caption = " ".join(["a photo of a small red dog on the beach"] * 8)
        assert encode_captions(model, [caption])["tokens"].shape == (1, 80, len(TEXT_LAYERS) * WIDTH)
        assert re.search("is cut to 80, without '.*on the beach' at its end: 'a photo of a small red dog", caplog.text)

    def test_what_sees_pictures_and_what_predicts_words_have_no_role(self, model: Flux2) -> None:
        assert model.roles["text"] is model.text_encoder.model.language_model


class TestPublishedForm:
    def test_it_is_read(self, published: Path, model: Flux2) -> None:
        source = tiny_flux2_source(published)
        assert source.facts().word_parts == {"mistral3": ("text_encoder", "tokenizer.tokenizer")}
        told = encode_captions(source.load(), PROMPTS)["tokens"]
        assert torch.equal(told, encode_captions(model, PROMPTS)["tokens"])

    @pytest.mark.parametrize("words", [0, 1])
    def test_it_is_kept_with_and_without_a_new_word(self, words: int, published: Path, tmp_path: Path) -> None:
        model = tiny_flux2_source(published).load()
        if words:
            model.learn_word(WORD, {"mistral3": torch.ones(1, WIDTH)}, length=None)
        model.save_pipeline(tmp_path)
        index = json.loads((tmp_path / "model_index.json").read_text(encoding="utf-8"))
        assert index["tokenizer"] == PROCESSOR
        kept = [(root / "tokenizer" / "processor_config.json").read_bytes() for root in (published, tmp_path)]
        assert kept[0] == kept[1]
        known = tiny_flux2_source(tmp_path).load().vocabularies["mistral3"].tokenizer.get_vocab()
        assert (WORD in known) == bool(words)

    def test_the_lines_of_a_model_card_teach_it_a_word_of_several_vectors(
        self, published: Path, folder: Path, tmp_path: Path
    ) -> None:
        model = tiny_flux2_source(published).load()
        vectors = torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(1))
        model.learn_word(WORD, {"mistral3": vectors}, length=None)
        save_file({WORD: vectors}, tmp_path / FILE)
        concepts = [Concept(identifier=WORD, noun="dog")]
        names = {"pipeline": with_processor(folder), "folder": str(tmp_path)}
        exec(loading_lines(concepts, tiny_flux2_source(published).facts()), names)
        prompt = f"a photo of a {WORD} dog"
        tokens, _ = names["pipeline"].encode_prompt(prompt, device="cpu", **DRAWING)
        torch.testing.assert_close(encode_captions(model, [prompt])["tokens"], tokens)
