"""A word and a network in one run: when each learns, what is saved of both, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from composed import compose
from drawing import ROUNDING, distance, draw
from families import load_tiny
from lessons import after_every_step, assembled
from safetensors.torch import load_file
from small_runs import configure
from torch import Tensor

from imprint.errors import ConfigError
from imprint.methods.word_files import FILE
from imprint.models.families.sd import StableDiffusionSource
from imprint.planning.prepare import prepare
from imprint.results.load import trained_model
from imprint.runs import Run
from imprint.types import Sampler, Window
from imprint.verbs.export import export
from imprint.verbs.train import train

PIVOTAL = ("method=pivotal", "dataset.identifier=auto", "hparams.clip=null")
FAST = (*PIVOTAL, "method.words.lr=2e-1", "method.network.lr=2e-2")
BOTH = "method.network.roles=[denoiser,text]"
SAMPLER = Sampler("model", 3, 4.0, "")
PROMPTS = ["a photo of <s1><s2>"] * 2


def exported(run: Run, path: Path, *settings: str) -> Path:
    return export(compose("export", [f"run={run.folder}", "dtype=float32", f"out={path}", *settings]))


class TestWindows:
    @pytest.mark.parametrize(
        ("settings", "words", "network"),
        [
            ([], Window(0, 3), Window(3, 6)),
            (["method.inversion=[0,1]"], Window(0, 6), Window(3, 6)),  # the inversion goes on
            (["method.tuning=[0,1]"], Window(0, 3), Window(0, 6)),
            (["method.inversion=[0,0.25]", "method.tuning=[0.25,1]"], Window(0, 2), Window(2, 6)),
        ],
    )
    def test_shares_become_steps(
        self, settings: list[str], words: Window, network: Window, tiny_sd: Path, pictures: Path, tmp_path: Path
    ) -> None:
        module = assembled(configure(tiny_sd, pictures, tmp_path, *PIVOTAL, BOTH, *settings))
        found = {group.name: group.window for group in module.task.groups}
        assert found == {"words": words, "denoiser": network, "text": network}

    @pytest.mark.parametrize("accumulation", [1, 2])
    def test_each_moves_in_its_own_and_only_there(
        self, accumulation: int, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        history: list[dict[str, list[Tensor]]] = []

        def look(trainer: Any, module: Any) -> None:
            groups = module.task.groups
            history.append({group.name: [weight.detach().clone() for weight in group.params] for group in groups})

        after_every_step(monkeypatch, look)
        # With a decay as strong as this, a single step outside the window would be seen.
        settings = ["optimizer.weight_decay=5", "hparams.batch_size=2", f"trainer.accumulation={accumulation}"]
        train(configure(tiny_sd, pictures, tmp_path, *FAST, BOTH, *settings))
        for step in range(1, 6):
            for name in ("words", "denoiser", "text"):
                pairs = zip(history[step - 1][name], history[step][name], strict=True)
                moved = [not torch.equal(before, after) for before, after in pairs]
                assert moved == [(step < 3) == (name == "words")] * len(moved), (step, name)


class TestResult:
    @pytest.fixture(
        scope="class",
        params=[BOTH, "method@method.network=lokr", "method@method.network=dreambooth", "method.words.norm=0.4"],
        ids=lambda setting: setting.rpartition("=")[2],
    )
    def run(
        self, request: pytest.FixtureRequest, tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> Run:
        return train(configure(tiny_sd, pictures, tmp_path_factory.mktemp("runs"), *FAST, request.param))

    def test_the_word_is_one_name_for_two_vectors(self, run: Run) -> None:
        [(word, vectors_ND)] = load_file(run.result / FILE).items()
        assert word == "<s1><s2>"
        assert len(vectors_ND) == 2
        if run.read().config.method["words"]["norm"]:
            torch.testing.assert_close(vectors_ND.norm(dim=1), torch.full((2,), 0.4))

    def test_the_card_draws_what_imprint_draws(self, run: Run, tiny_sd: Path) -> None:
        card = (run.result / "README.md").read_text(encoding="utf-8")
        lines = card.partition("```python\n")[2].partition("```")[0].rpartition("\npipeline(")[0]
        lines = lines.replace("path/to/this/folder", str(run.result))
        names: dict[str, Any] = {}
        exec(lines.replace("path/to/the/base/model", str(tiny_sd)), names)
        names["pipeline"].set_progress_bar_config(disable=True)
        theirs = names["pipeline"](
            PROMPTS,
            num_inference_steps=3,
            guidance_scale=4.0,
            height=32,
            width=32,
            generator=[torch.Generator().manual_seed(seed) for seed in (3, 11)],
        ).images
        ours = draw(trained_model(run, scale={}).model, SAMPLER, PROMPTS)
        assert distance(ours, theirs) <= ROUNDING + 1
        assert distance(ours, draw(load_tiny(tiny_sd), SAMPLER, ["a photo of dog"] * 2)) > 5 * ROUNDING

    def test_the_merged_pipeline_draws_the_same(self, run: Run, tmp_path: Path) -> None:
        ours = draw(trained_model(run, scale={}).model, SAMPLER, PROMPTS)
        merged = load_tiny(exported(run, tmp_path / "pipeline", "format=pipeline"))
        assert distance(ours, draw(merged, SAMPLER, PROMPTS)) <= ROUNDING

    def test_other_programs_get_the_adapters_and_the_word(self, run: Run, tmp_path: Path) -> None:
        words = load_file(exported(run, tmp_path / "word.safetensors", "format=embedding"))
        assert list(words) == ["emb_params"]
        if run.read().config.method["network"]["_kind_"] == "method/dreambooth":
            return
        adapters = load_file(exported(run, tmp_path / "adapters.safetensors", "format=kohya"))
        assert all(name.startswith(("lora_unet_", "lora_te_text_model_")) for name in adapters)


def test_adapters_that_hold_several_ranks_keep_them(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = [*FAST, "method@method.network=dylora", "method.network.rank=4", "method.inversion=[0,0.34]"]
    settings += ["method.tuning=[0.34,1]"]
    run = train(configure(tiny_sd, pictures, tmp_path, *settings))
    file = exported(run, tmp_path / "a.safetensors", "format=kohya", "rank=2")
    assert {len(x) for name, x in load_file(file).items() if name.endswith("lora_down.weight")} == {2}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["method.inversion=[0.5,0.5]"], "method.inversion=[0.5, 0.5]: of 6 steps these are none"),
        (["method.inversion=[0,0.01]", "method.tuning=[0,1]"], "method.inversion=[0.0, 0.01]: of 6 steps"),
        (["method.inversion=[0,0.2]"], "nothing learns in step 2 of 6"),
        (["method.tuning=[0.5,0.8]"], "nothing learns in step 6 of 6"),
        (["method.tuning=[0.5,2]"], "method.tuning"),
        (
            ["method@method.network=textual_inversion", "~method.network.text_lr"],
            "method.network=TextualInversion: choose adapters",
        ),
        (["method@method.network=dreambooth", BOTH], "method.network.roles=['denoiser', 'text']: a text encoder"),
        (["method.network.rank=0"], "method.network.rank=0"),
        (["method.network.targets=sideways"], "method.network.targets='sideways'"),
        (["method.words.vectors=0"], "method.words.vectors=0"),
        (["method.words.start=gruffalo"], "method.words.start='gruffalo'"),
        (["dataset.identifier=sks"], "dataset.identifier='sks'"),
        (["+method.network.alfa=2"], "did you mean alpha"),
    ],
)
def test_settings_without_a_sense_are_refused_before_loading(
    settings: list[str],
    expected: str,
    tiny_sd: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(StableDiffusionSource, "load", lambda self: pytest.fail("the model was loaded"))
    with pytest.raises(ConfigError) as caught:
        prepare(configure(tiny_sd, pictures, tmp_path, *PIVOTAL, *settings))
    assert expected in str(caught.value)


def test_a_name_that_was_learned_before_is_passed_over(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    plan = prepare(configure(tiny_sd, pictures, tmp_path, *PIVOTAL))
    assert plan.concepts[0].identifier == "<s1><s2>"
    assert plan.parts.method.choose_identifier(plan.facts, "dog", ["<s1><s2>"]) == "<s3><s4>"
    model = load_tiny(tiny_sd)
    plan.parts.method.attach(model, plan.concepts)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    captions = plan.parts.method.captions(plan.concepts[0])
    assert len(set(captions)) == 27
    assert all("<s1><s2>" in caption for caption in captions)
