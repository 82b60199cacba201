"""Several subjects in one run, from the configuration to the result."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from composed import compose
from diffusers import StableDiffusionPipeline
from lessons import Watch, assembled, batches
from omegaconf import DictConfig
from safetensors.torch import load_file
from small_runs import SETTINGS, draw_pictures, losses

from imprint.errors import ConfigError
from imprint.planning.prepare import prepare
from imprint.training.encoding import encode_captions
from imprint.verbs.generate import generate
from imprint.verbs.train import train

NEW_WORDS = ["method=textual_inversion", "method.vectors=2", "method.lr=1e-2"]


@pytest.fixture
def joint(tiny_sd: Path, pictures: Path, tmp_path: Path):
    """The configuration of a run that teaches these subjects: a dog of three pictures, a cat of one."""
    cats = draw_pictures(tmp_path / "cats", count=1, size=(48, 40))
    subjects = {"a": ("dog", pictures, "sks"), "b": ("cat", cats, "ktn")}

    def configure(*settings: str, names: Sequence[str] = ("a", "b"), words: bool = True) -> DictConfig:
        given = ["model=sd"] + [setting for setting in SETTINGS if not setting.startswith("dataset")]
        given += [f"model.source={tiny_sd}", f"outputs={tmp_path / 'runs'}", "dataset=joint"]
        for name in names:
            noun, folder, word = subjects[name]
            key = f"dataset.subjects.{name}"
            given += [f"+dataset@{key}=folder", f"{key}.path={folder}", f"{key}.class_noun={noun}"]
            given += [f"{key}.identifier={word}"] if words else []
        return compose("train", [*given, *settings])

    return configure


def test_each_is_seen_equally_often_under_its_own_words(joint, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch)
    run = train(joint("hparams.batch_size=2", "samples=default", "samples.seeds=[0]", "samples.every=0"))
    assert Counter(caption for _, _, caption in watch.samples(prior=False)) == {"a sks dog": 6, "a ktn cat": 6}
    manifest = run.read()
    assert [(words.identifier, words.noun) for words in manifest.concepts] == [("sks", "dog"), ("ktn", "cat")]
    drawn = {row["prompt"] for row in json.loads(run.sample_index.read_text())["pictures"]}
    assert {"sks dog" in prompt for prompt in drawn} == {"ktn cat" in prompt for prompt in drawn} == {True, False}
    card = (run.result / "README.md").read_text()
    assert "**sks dog**" in card
    assert "**ktn cat**" in card


def test_a_run_of_one_is_the_run_of_that_subject_alone(joint, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    alone = [
        "model=sd",
        *SETTINGS,
        f"model.source={tiny_sd}",
        f"dataset.path={pictures}",
        f"outputs={tmp_path / 'alone'}",
    ]
    more = ["hparams.batch_size=2", "prior=base_prediction"]
    first, second = train(joint(*more, names=["a"])), train(compose("train", [*alone, *more]))
    assert first.signature == second.signature
    assert losses(first) == losses(second)


def test_what_a_subject_is_called_changes_nothing_but_its_word_does(joint) -> None:
    signature = prepare(joint()).run.signature
    renamed = joint()
    renamed.dataset.subjects = {"x": renamed.dataset.subjects.a, "y": renamed.dataset.subjects.b}
    assert prepare(renamed).run.signature == signature
    others = [
        "dataset.subjects.b.identifier=zwx",
        "dataset.subjects.b.flip=true",
        "dataset.subjects.b.mask_background=0",
    ]
    found = [prepare(joint(other)).run.signature for other in others]
    assert [other == signature for other in found] == [False, False, True]


def test_auto_gives_each_another_rare_word(joint) -> None:
    concepts = prepare(joint(words=False)).concepts
    assert len({concept.identifier for concept in concepts}) == 2
    given = prepare(joint(f"dataset.subjects.b.identifier={concepts[0].identifier}", words=False)).concepts
    assert given[1].identifier == concepts[0].identifier != given[0].identifier


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["dataset.subjects.b.identifier=SKS"], ["dataset.subjects.b.identifier='SKS'", "subject 'a' is called that"]),
        (["dataset.subjects.b.path=/nowhere"], ["dataset.subjects.b.path='/nowhere'", "no such folder"]),
        (["dataset.subjects.b.crop=buckets"], ["dataset.subjects", "every crop must be the same"]),
        (["prior=folder", "prior.path=/nowhere"], ["prior.path='/nowhere'", "several classes", "{a: ..., ...}"]),
        (["samples.prompts=['{c.identifier}']"], ["samples.prompts", "{c.identifier} is unknown", "{b.noun}"]),
        (NEW_WORDS, ["dataset.subjects.a.identifier='sks'", "dataset.subjects.b.identifier='ktn'"]),
    ],
)
def test_a_mistake_is_told_by_its_subject(joint, settings: list[str], expected: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(joint(*settings))
    for part in expected:
        assert part in str(caught.value)


def test_words_that_share_a_token_are_refused(joint) -> None:
    words = ["dataset.subjects.a.identifier='<toy>'", "dataset.subjects.b.identifier='<toy>_1'"]
    with pytest.raises(ConfigError, match="share <toy>_1"):
        prepare(joint(*NEW_WORDS, *words))


class TestPriors:
    def test_class_pictures_are_drawn_of_each_class(
        self, joint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))
        watch = Watch(monkeypatch)
        train(joint("hparams.batch_size=2", "prior=generated", "prior.count=3"))
        assert len(list((tmp_path / "cache" / "class_images").glob("*/*.png"))) == 6
        prior, instance = watch.samples(prior=True), watch.samples(prior=False)
        assert Counter(caption for _, _, caption in prior) == {"a dog": 6, "a cat": 6}
        assert [caption[2:] for _, _, caption in prior] == [caption[6:] for _, _, caption in instance]
        assert len({key for _, key, _ in prior}) == 6

    def test_a_folder_for_each_class(self, joint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folders = {name: draw_pictures(tmp_path / f"class {name}", 2, (44 + ord(name) - ord("a"), 40)) for name in "ab"}
        watch = Watch(monkeypatch)
        train(joint("prior=folder", f"prior.path={{a: '{folders['a']}', b: '{folders['b']}'}}"))
        by_caption: dict[str, set[str]] = {}
        for _, key, caption in watch.samples(prior=True):
            by_caption.setdefault(caption, set()).add(key)
        assert {caption: len(keys) for caption, keys in by_caption.items()} == {"a dog": 2, "a cat": 2}
        with pytest.raises(ConfigError, match=r"prior\.path=.*give a folder for each of a, b"):
            prepare(joint("prior=folder", f"prior.path={{a: '{folders['a']}'}}"))

    def test_the_base_prediction_is_asked_for_the_class_that_is_shown(self, joint, tiny_sd: Path) -> None:
        module = assembled(joint("hparams.batch_size=2", "prior=base_prediction"))
        batch = next(batches(module))
        assert batch.captions == ["a sks dog", "a ktn cat", "a dog", "a cat"]
        teacher = module.task.teacher
        assert teacher is not None
        told = teacher._captions.condition(module.model, batch.captions[2:])
        torch.testing.assert_close(told["tokens"], encode_captions(module.model, ["a dog", "a cat"])["tokens"])
        assert float(module.losses(batch).prior) == pytest.approx(0.0, abs=1e-9)


class TestNewWords:
    def test_each_is_a_file_that_the_stock_library_loads(self, joint, tiny_sd: Path) -> None:
        run = train(joint(*NEW_WORDS, words=False))
        files = sorted(run.result.glob("*.safetensors"))
        assert [file.name for file in files] == ["learned_embeds-1.safetensors", "learned_embeds-2.safetensors"]
        pipeline = StableDiffusionPipeline.from_pretrained(tiny_sd, safety_checker=None)
        usage = [line for line in (run.result / "README.md").read_text().splitlines() if "load_textual" in line]
        assert len(usage) == 2
        for line in usage:
            exec(line, {"pipeline": pipeline, "folder": run.result})
        table = pipeline.text_encoder.get_input_embeddings().weight
        for file, word in zip(files, ("<dog>", "<cat>"), strict=True):
            [(stored, vectors_ND)] = load_file(file).items()
            assert stored == word
            ids = pipeline.tokenizer.convert_tokens_to_ids([word, f"{word}_1"])
            assert torch.equal(table[ids], vectors_ND)

    def test_both_learn_and_are_drawn_by_name(self, joint, tmp_path: Path) -> None:
        run = train(joint(*NEW_WORDS, words=False))
        start = {
            name: vectors["clip_l"].detach().clone()
            for name, vectors in assembled(joint(*NEW_WORDS, words=False)).model.words.items()
        }
        for number, (word, before) in enumerate(start.items(), start=1):
            after = load_file(run.result / f"learned_embeds-{number}.safetensors")[word]
            assert float((after - before).norm()) > 1e-3
        asked = [f"run={run.folder}", f"outputs={tmp_path / 'drawn'}", "accelerator=cpu", "seeds=[0]", "steps=1"]
        prompts = "prompt=['a {identifier}', '{b.identifier} chases {a.identifier}', 'a {a.noun}']"
        folder = generate(compose("generate", [*asked, prompts]))
        drawn = [picture["prompt"] for picture in json.loads((folder / "pictures.json").read_text())["pictures"]]
        assert drawn == ["a <dog>", "a <cat>", "<cat> chases <dog>", "a dog"]


@pytest.mark.parametrize("method", ["lora", "custom_diffusion", "pivotal"])
def test_other_methods_teach_several(joint, method: str) -> None:
    run = train(joint(f"method={method}", "hparams.steps=2", words=False))
    assert run.status == "finished"
    assert (run.result / "README.md").is_file()
