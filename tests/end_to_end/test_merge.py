"""Several results at once, results as a LoRA, and results on another model: the stock library draws the same."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from drawing import ROUNDING, distance, stock
from families import load_tiny
from PIL import Image
from results import CLOSE, SEEDS, by_the_library, drawn, exported, merged, with_lora
from safetensors import safe_open
from safetensors.torch import load_file
from small_runs import configure, draw_pictures
from tiny import RESOLUTION, tiny_file, tiny_pipeline

from imprint.errors import ConfigError, UserError
from imprint.methods.adapter_layers import write_weights
from imprint.methods.adopted import load_lora
from imprint.models.families.sd import StableDiffusionSource
from imprint.results.combine import combined_model
from imprint.results.load import trained_model
from imprint.runs import Run
from imprint.verbs.train import train

BOTH = "method.roles=[denoiser,text]"
EVERYWHERE = "method.targets=[attention,feed_forward,convolutions]"
LEARNERS = {
    "lora": ["method=lora", BOTH, "method.lr=2e-2", "method.alpha=1"],
    "everywhere": ["method=lora", EVERYWHERE, "method.lr=2e-2", "method.rank=2", "method.use_rslora=true"],
    "loha": ["method=loha", BOTH, EVERYWHERE, "method.lr=1e-1", "method.rank=2", "method.alpha=3"],
    "lokr": ["method=lokr", BOTH, EVERYWHERE, "method.lr=1e-1", "method.rank=2"],
    "dora": ["method=lora", "method.lr=2e-2", "method.use_dora=true"],
    "dreambooth": ["method=dreambooth", BOTH, "method.lr=1e-2"],
    "word": ["method=textual_inversion", "dataset.identifier=auto", "method.lr=2e-1"],
}
NAMED = {"everywhere": "zwx", "loha": "olis", "lokr": "qvb", "dora": "xjf", "dreambooth": "ktn"}  # others are sks


@pytest.fixture(scope="module")
def runs(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A finished run of every learner, each of a subject of its own."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    for number, (name, settings) in enumerate(LEARNERS.items()):
        pictures = draw_pictures(folder / f"photos-{name}", size=(40 + number, 40))
        identifier = [f"dataset.identifier={NAMED[name]}"] if name in NAMED else []
        found[name] = train(configure(tiny_sd, pictures, folder / name, "hparams.clip=null", *identifier, *settings))
    return found


@pytest.fixture(scope="module")
def other_sd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model of the kind of `tiny_sd`."""
    return tiny_pipeline(tmp_path_factory.mktemp("other") / "model", seed=7)


def facts(file: Path) -> dict[str, str]:
    with safe_open(file, framework="pt") as content:
        return dict(content.metadata())


class TestLora:
    # A format names tensors, whatever kind of adapter they come from: each kind once, each format twice.
    @pytest.mark.parametrize(
        ("name", "format"), [("lora", "lora"), ("everywhere", "kohya"), ("loha", "kohya"), ("lokr", "lora")]
    )
    def test_what_is_of_low_rank_is_one_exactly(
        self, name: str, format: str, runs: dict[str, Run], tiny_sd: Path, tmp_path: Path
    ) -> None:
        run = runs[name]
        # without a rank, these have kohya's names for their own kind
        settings = ["rank=64"] if format == "kohya" and name in ("loha", "lokr") else []
        file = exported(run, tmp_path / "out.safetensors", f"format={format}", *settings)
        ours = drawn([run], tmp_path)
        assert distance(ours, by_the_library(with_lora(tiny_sd, file))) <= CLOSE
        assert distance(ours, by_the_library(stock(tiny_sd))) > 5 * CLOSE
        about = facts(file)
        assert (about["run"], about["base_model"]) == (run.signature, tiny_sd.name)
        assert about["trigger_words"].endswith(" dog")

    @pytest.mark.parametrize(("name", "format"), [("dreambooth", "lora"), ("dora", "kohya")])
    def test_what_is_not_is_refused_without_a_rank_and_near_with_a_large_one(
        self, name: str, format: str, runs: dict[str, Run], tiny_sd: Path, tmp_path: Path
    ) -> None:
        run = runs[name]
        with pytest.raises(UserError, match=r"rank=64|DoRA"):
            exported(run, tmp_path / "no.safetensors", f"format={format}")
        untuned = by_the_library(stock(tiny_sd))
        ours = drawn([run], tmp_path)
        errors, distances = [], []
        for rank in (1, 4, 64):
            file = exported(run, tmp_path / f"{rank}.safetensors", f"format={format}", f"rank={rank}")
            errors.append(float(facts(file)["relative_error"]))
            distances.append(_mean_distance(ours, by_the_library(with_lora(tiny_sd, file))))
        assert errors == sorted(errors, reverse=True)
        assert distances[-1] < distances[0]
        assert distances[-1] < 0.7 * _mean_distance(ours, untuned)
        if name == "dora":
            assert errors[-1] < 1e-5
            assert distance(ours, by_the_library(with_lora(tiny_sd, tmp_path / "64.safetensors"))) <= CLOSE
        else:
            assert int(facts(file)["left_out"]) > 0

    def test_alpha_is_the_rank(self, runs: dict[str, Run], tmp_path: Path) -> None:
        stored = load_file(exported(runs["lora"], tmp_path / "out.safetensors", "format=kohya", "rank=3"))
        ranks = {key.partition(".")[0]: len(x) for key, x in stored.items() if key.endswith("lora_down.weight")}
        assert {key.partition(".")[0]: x.item() for key, x in stored.items() if key.endswith("alpha")} == ranks

    def test_a_word_is_no_lora(self, runs: dict[str, Run], tmp_path: Path) -> None:
        with pytest.raises(UserError, match="format=embedding"):
            exported(runs["word"], tmp_path / "out.safetensors", "format=lora")

    def test_a_rank_for_a_whole_model_is_refused(self, runs: dict[str, Run], tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"rank=4: only lora and kohya"):
            exported(runs["lora"], tmp_path / "out", "format=pipeline", "rank=4")

    def test_a_file_without_a_matching_key_is_never_loaded_in_silence(self, tiny_sd: Path, tmp_path: Path) -> None:
        write_weights(tmp_path / "a.safetensors", {"unet.nothing.lora_A.weight": torch.ones(2, 2)}, {})
        with pytest.raises(UserError, match="none of its 1"):
            load_lora(load_tiny(tiny_sd), tmp_path / "a.safetensors", scale={})


class TestSeveral:
    def test_two_loras_draw_what_the_library_draws_with_both(
        self, runs: dict[str, Run], tiny_sd: Path, tmp_path: Path
    ) -> None:
        pair = [runs["lora"], runs["everywhere"]]
        ours = drawn(pair, tmp_path / "ours", "weights=[0.7,0.4]")
        theirs = with_lora(tiny_sd, *(run.result for run in pair), weights=[0.7, 0.4])
        assert distance(ours, by_the_library(theirs)) <= CLOSE
        for run in pair:
            assert distance(ours, drawn([run], tmp_path / run.folder.name)) > 3 * CLOSE
        for entry in json.loads((tmp_path / "ours" / "pictures.json").read_text(encoding="utf-8"))["pictures"]:
            assert (entry["runs"], entry["weights"]) == ([run.folder.name for run in pair], [0.7, 0.4])

    @pytest.mark.parametrize("format", ["lora", "kohya"])
    def test_merged_into_one_file_they_draw_the_same(
        self, format: str, runs: dict[str, Run], tiny_sd: Path, tmp_path: Path
    ) -> None:
        three = [runs["lora"], runs["everywhere"], runs["loha"]]
        weights = "weights=[0.7,0.4,-0.3]"
        file = merged(three, tmp_path / "all.safetensors", f"format={format}", weights)
        ours = drawn(three, tmp_path, weights)
        assert distance(ours, by_the_library(with_lora(tiny_sd, file))) <= CLOSE
        assert facts(file)["run"] == ", ".join(run.signature for run in three)
        near = merged(three, tmp_path / "near.safetensors", f"format={format}", weights, "rank=2")
        assert 0 < float(facts(near)["relative_error"]) < 1
        assert near.stat().st_size < file.stat().st_size

    def test_all_kinds_go_together_and_a_word_with_them(
        self, runs: dict[str, Run], tiny_sd: Path, tmp_path: Path
    ) -> None:
        several = [runs[name] for name in ("word", "dora", "lokr", "dreambooth")]
        ours = drawn(several, tmp_path / "ours", f"prompt={['a sks dog', 'a <dog> on the beach']}")
        folder = merged(several, tmp_path / "pipeline", "format=pipeline")
        pipeline = stock(folder)
        pictures = by_the_library(pipeline)
        assert distance(ours[:2], pictures[:2]) <= CLOSE
        assert "<dog>" in pipeline.tokenizer.get_vocab()

    def test_the_order_does_not_matter(self, runs: dict[str, Run], tmp_path: Path) -> None:
        there = drawn([runs["dora"], runs["dreambooth"]], tmp_path / "there")
        back = drawn([runs["dreambooth"], runs["dora"]], tmp_path / "back")
        assert distance(there, back) <= ROUNDING

    def test_a_whole_network_has_a_strength_among_others(self, runs: dict[str, Run], tiny_sd: Path) -> None:
        tuned = trained_model(runs["dreambooth"], scale={}).model.unet.conv_in.weight
        untuned = stock(tiny_sd).unet.conv_in.weight
        half, _ = combined_model([runs["dreambooth"]], weights=[0.5], scale={})
        torch.testing.assert_close(half.unet.conv_in.weight, (tuned + untuned) / 2)

    def test_subjects_are_named_in_prompts(self, runs: dict[str, Run], tmp_path: Path) -> None:
        prompt = "prompt='a {a.identifier} {a.noun} and a {b.identifier} {b.noun}'"
        drawn([runs["lora"], runs["loha"]], tmp_path, prompt)
        index = json.loads((tmp_path / "pictures.json").read_text(encoding="utf-8"))["pictures"]
        assert {entry["prompt"] for entry in index} == {"a sks dog and a olis dog"}

    @pytest.mark.parametrize(
        ("names", "settings", "expected"),
        [
            (["lora", "lora"], [], "name each run once"),
            (["lora", "loha"], ["weights=[1]"], r"weights=\[1.*\]: give one for each of the 2 runs"),
            (["lora", "word"], ["weights=[1,0.5]"], r"weights=0\.5: .* teaches a word"),
            (["everywhere", "loha"], ["scale.text=0.5"], None),
            (["everywhere", "dora"], ["scale.text=0.5"], r"scale\.text=0\.5: none of these runs"),
        ],
    )
    def test_what_cannot_be_is_refused_before_loading(
        self,
        names: list[str],
        settings: list[str],
        expected: str | None,
        runs: dict[str, Run],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if expected is None:
            drawn([runs[name] for name in names], tmp_path, *settings)
            return
        monkeypatch.setattr(StableDiffusionSource, "load", lambda self: pytest.fail("the model was loaded"))
        with pytest.raises(ConfigError, match=expected):
            drawn([runs[name] for name in names], tmp_path, *settings)

    def test_conflicts_are_told_together(
        self, runs: dict[str, Run], tiny_sd: Path, other_sd: Path, tmp_path: Path
    ) -> None:
        pictures = draw_pictures(tmp_path / "photos", size=(60, 40))
        same_name = ["dataset.identifier=ktn", "hparams.steps=1"]
        other = train(configure(other_sd, pictures, tmp_path / "runs", "method=dreambooth", *same_name))
        with pytest.raises(ConfigError) as caught:
            combined_model([runs["dreambooth"], other], weights=None, scale={})
        said = str(caught.value)
        for expected in ("3 problems", "only one can be the network", "base=...", "dataset.identifier='ktn'"):
            assert expected in said

    def test_a_word_that_two_runs_teach_is_refused(self, runs: dict[str, Run], tiny_sd: Path, tmp_path: Path) -> None:
        pictures = draw_pictures(tmp_path / "photos", size=(60, 40))
        word = ["method=textual_inversion", "dataset.identifier=auto", "hparams.steps=1"]
        other = train(configure(tiny_sd, pictures, tmp_path / "runs", *word))
        with pytest.raises(ConfigError, match="'<dog>'.*call their subject so"):
            combined_model([runs["word"], other], weights=None, scale={})

    def test_one_run_is_not_merged(self, runs: dict[str, Run], tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as caught:
            merged([runs["lora"]], tmp_path / "out", "format=lorra")
        assert "at least two" in str(caught.value)
        assert "did you mean lora" in str(caught.value)


class TestAnotherModel:
    @pytest.mark.parametrize("name", ["lora", "everywhere"])
    def test_adapters_are_used_there(self, name: str, runs: dict[str, Run], other_sd: Path, tmp_path: Path) -> None:
        ours = drawn([runs[name]], tmp_path / "ours", f"base={other_sd}")
        assert distance(ours, by_the_library(with_lora(other_sd, runs[name].result))) <= CLOSE
        assert distance(ours, drawn([runs[name]], tmp_path / "home")) > 5 * CLOSE

    def test_a_word_is_used_there(self, runs: dict[str, Run], other_sd: Path, tmp_path: Path) -> None:
        ours = drawn([runs["word"]], tmp_path, f"base={other_sd}", f"prompt={['a <dog>']}")
        pipeline = stock(other_sd)
        pipeline.load_textual_inversion(str(runs["word"].result))
        pipeline.set_progress_bar_config(disable=True)
        theirs = [
            pipeline(
                "a <dog>",
                num_inference_steps=3,
                guidance_scale=4.0,
                height=RESOLUTION,
                width=RESOLUTION,
                generator=torch.Generator().manual_seed(seed),
            ).images[0]
            for seed in SEEDS
        ]
        assert distance(ours, theirs) <= CLOSE

    def test_of_a_whole_network_the_difference_is_added(
        self, runs: dict[str, Run], tiny_sd: Path, other_sd: Path
    ) -> None:
        model = trained_model(runs["dreambooth"], scale={}, base=str(other_sd)).model
        own, tuned, other = stock(tiny_sd).unet, stock(runs["dreambooth"].result).unet, stock(other_sd).unet
        there = model.unet.state_dict()
        for name, weight in other.state_dict().items():
            moved = tuned.state_dict()[name] - own.state_dict()[name]
            torch.testing.assert_close(there[name], weight + moved, atol=1e-6, rtol=1e-6)

    def test_a_word_learned_beside_a_whole_network_comes_along(
        self, tiny_sd: Path, other_sd: Path, pictures: Path, tmp_path: Path
    ) -> None:
        whole = ["method=pivotal", "method@method.network=dreambooth", "dataset.identifier=auto"]
        run = train(configure(tiny_sd, pictures, tmp_path, *whole))
        lora = train(configure(tiny_sd, pictures, tmp_path, "method=lora"))
        [(word, rows_ND)] = load_file(run.result / "learned_embeds.safetensors").items()
        alone = trained_model(run, scale={}, base=str(other_sd)).model
        stacked, _ = combined_model([run, lora], weights=None, scale={}, base=str(other_sd))
        for model in (alone, stacked):
            assert torch.equal(model.words[word]["clip_l"], rows_ND)
        ours = drawn([run], tmp_path / "ours", f"base={other_sd}", f"prompt=['a {word} dog']")
        without = drawn([run], tmp_path / "without", f"base={other_sd}", "prompt=['a dog']")
        assert distance(ours, without) > CLOSE

    def test_a_single_file_takes_the_configurations_of_the_runs_own_model(
        self, runs: dict[str, Run], other_sd: Path, tmp_path: Path
    ) -> None:
        file = tiny_file(tmp_path / "other.safetensors", other_sd)
        folder = exported(runs["lora"], tmp_path / "pipeline", "format=pipeline", f"base={file}")
        expected = by_the_library(with_lora(other_sd, runs["lora"].result))
        assert distance(by_the_library(stock(folder)), expected) <= CLOSE

    def test_what_does_not_fit_is_named_before_loading(
        self, runs: dict[str, Run], tiny_sd_v: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(StableDiffusionSource, "load", lambda self: pytest.fail("the model was loaded"))
        with pytest.raises(
            ConfigError, match=r"base=.*predicts v_prediction.*proj_in.weight is 8 x 8 x 1 x 1 there, here 8 x 8;"
        ):
            trained_model(runs["lora"], scale={}, base=str(tiny_sd_v))

    def test_a_base_that_is_none_is_called_by_its_key(self, runs: dict[str, Run], tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"^base='.*/nowhere'"):
            trained_model(runs["lora"], scale={}, base=f"{tmp_path}/nowhere")


class TestPlace:
    def test_a_relative_path_is_found_from_another_folder(
        self, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tiny_pipeline(tmp_path / "models" / "own")
        monkeypatch.chdir(tmp_path)
        run = train(configure(Path("models/own"), pictures, tmp_path / "runs", "method=lora", "hparams.steps=1"))
        trained_model(run, scale={})
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        trained_model(run, scale={})
        tiny_pipeline(tmp_path / "elsewhere" / "models" / "own", seed=3)  # another one that is called the same
        trained_model(run, scale={})

    def test_a_model_that_is_nowhere_is_told(
        self, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tiny_pipeline(tmp_path / "own")
        monkeypatch.chdir(tmp_path)
        run = train(configure(Path("./own"), pictures, tmp_path / "runs", "method=lora", "hparams.steps=1"))
        (tmp_path / "own").rename(tmp_path / "gone")
        with pytest.raises(UserError, match=r"model\.source='own'|model\.source='\./own'"):
            trained_model(run, scale={})


def _mean_distance(some: Sequence[Image.Image], others: Sequence[Image.Image]) -> float:
    pairs = zip(some, others, strict=True)
    return float(np.mean([np.abs(np.asarray(a, float) - np.asarray(b, float)).mean() for a, b in pairs]))
