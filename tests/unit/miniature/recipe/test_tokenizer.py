"""Words of the world are whole tokens, identifiers are rare ones, and nothing is unknown."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from imprint.miniature.captions import caption
from imprint.miniature.recipe import tokenizer
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.wording import RARE_IDENTIFIERS


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    return tokenizer.build(tmp_path_factory.mktemp("tokenizer"))


def test_every_word_of_every_caption_is_one_token(words: CLIPTokenizer) -> None:
    rng = random.Random(0)
    for i in range(400):
        text = caption(pretraining_scene(0, i), rng, rare_share=0.5)
        assert len(words.tokenize(text)) == len(text.split()), text


def test_the_tokens_do_not_depend_on_the_order_of_anything(
    words: CLIPTokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shuffled = tokenizer.words()
    random.Random(2).shuffle(shuffled)
    monkeypatch.setattr(tokenizer, "words", lambda: shuffled)
    assert tokenizer.build(tmp_path).get_vocab() == words.get_vocab()


def test_captions_fit(words: CLIPTokenizer) -> None:
    rng = random.Random(1)
    longest = max(len(words(caption(pretraining_scene(0, i), rng, rare_share=1.0)).input_ids) for i in range(1000))
    assert longest <= words.model_max_length


def test_identifiers_hold_the_highest_ids_below_the_special_tokens(words: CLIPTokenizer) -> None:
    ids = [words.convert_tokens_to_ids(words.tokenize(r)) for r in RARE_IDENTIFIERS]
    top = len(words) - 2
    assert sorted(i for one in ids for i in one) == list(range(top - len(RARE_IDENTIFIERS), top))
    assert {words.bos_token_id, words.eos_token_id} == {top, top + 1}


def test_nothing_is_unknown(words: CLIPTokenizer) -> None:
    for text in (
        string.ascii_letters,
        string.digits,
        string.punctuation,
        "Ünïcödé 漢字 🦆",
        "xylophone zebra",
    ):
        tokens = words.tokenize(text)
        assert tokens
        assert words.unk_token not in tokens


def test_writes_the_files_other_programs_read(tmp_path: Path) -> None:
    words = tokenizer.build(tmp_path)
    assert {"vocab.json", "merges.txt", "tokenizer_config.json"} <= {f.name for f in tmp_path.iterdir()}
    again = CLIPTokenizer.from_pretrained(tmp_path)
    assert again("a sks dog").input_ids == words("a sks dog").input_ids
    assert again.model_max_length == words.model_max_length


def test_other_programs_read_the_same_tokens(words: CLIPTokenizer, tmp_path: Path) -> None:
    """Also where words have other numbers than today's grammar gives them."""
    words.save_pretrained(tmp_path)
    file = tmp_path / "tokenizer.json"
    held = json.loads(file.read_text(encoding="utf-8"))
    known = held["model"]["vocab"]
    known["dog</w>"], known["cat</w>"] = known["cat</w>"], known["dog</w>"]
    file.write_text(json.dumps(held), encoding="utf-8")
    tokenizer.complete_files(tmp_path)
    text = "a sks dog and a cat in the jungle, 漢字"
    ours = CLIPTokenizer.from_pretrained(tmp_path)(text).input_ids
    file.unlink()  # so that the plain files are read
    assert CLIPTokenizer.from_pretrained(tmp_path)(text).input_ids == ours
    assert words(text).input_ids != ours


def test_its_files_say_nothing_of_the_last_texts(words: CLIPTokenizer, tmp_path: Path) -> None:
    words(["a dog", "a cat on the beach"], padding="max_length", truncation=True)
    words.save_pretrained(tmp_path)
    tokenizer.complete_files(tmp_path)
    held = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    assert (held["padding"], held["truncation"]) == (None, None)
