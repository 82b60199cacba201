"""Files that were trained elsewhere become runs that draw what the stock library draws with them."""

import json
import re
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from composed import compose
from drawing import ROUNDING, distance, stock
from results import CLOSE, by_the_library, drawn, exported, merged
from rich.console import Console
from safetensors.torch import load_file, save_file
from small_runs import configure
from tiny import RESOLUTION, tiny_pipeline

from imprint.errors import UserError
from imprint.evaluation.score_sheet import ScoreSheet
from imprint.requests import read_request
from imprint.runs import Run
from imprint.verbs.adopt import adopt
from imprint.verbs.compare import Request as Comparison
from imprint.verbs.compare import compare, print_tables
from imprint.verbs.evaluate import evaluate
from imprint.verbs.report import write_report
from imprint.verbs.train import train

BOTH = "method.roles=[denoiser,text]"
EVERYWHERE = "method.targets=[attention,feed_forward,convolutions]"


@pytest.fixture(scope="module")
def runs(tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Runs whose files stand for those of others."""
    folder = tmp_path_factory.mktemp("runs")
    learners = {
        "lora": ["method=lora", BOTH, "method.lr=2e-2", "method.alpha=1"],
        "loha": ["method=loha", BOTH, EVERYWHERE, "method.lr=1e-1", "method.rank=2", "method.alpha=3"],
        "lokr": ["method=lokr", BOTH, "method.lr=1e-1", "method.rank=2"],
        "dora": ["method=lora", "method.lr=2e-2", "method.use_dora=true"],
        "word": ["method=textual_inversion", "dataset.identifier=auto", "method.lr=2e-1", "method.vectors=2"],
    }
    return {
        name: train(configure(tiny_sd, pictures, folder, "hparams.clip=null", *settings))
        for name, settings in learners.items()
    }


def adopted(model: Path, pictures: Path, outputs: Path, *files: Path, settings: tuple[str, ...] = ()) -> Run:
    named = ",".join(map(str, files))
    fixed = [f"files=[{named}]", "model=sd", f"model.source={model}", f"model.resolution={RESOLUTION}"]
    fixed += [f"dataset.path={pictures}", "dataset.class_noun=dog", "dataset.identifier=sks", f"outputs={outputs}"]
    return adopt(compose("adopt", [*fixed, *settings]))


def old_names(file: Path, result: Path) -> Path:
    """diffusers' first names: beside the attention's layers."""
    stored = {}
    for key, tensor in load_file(result / "pytorch_lora_weights.safetensors").items():
        if key.startswith("unet."):
            moved = re.sub(r"\.to_(q|k|v|out)(\.0)?\.lora_A\.", r".processor.to_\1_lora.down.", key)
            stored[re.sub(r"\.to_(q|k|v|out)(\.0)?\.lora_B\.", r".processor.to_\1_lora.up.", moved)] = tensor
    save_file(stored, file)
    return file


FORMATS = ["lora", "kohya", "loha", "lokr", "peft-loha"]


@pytest.mark.parametrize("format", FORMATS)
def test_an_adopted_file_draws_what_it_drew_elsewhere(
    format: str, runs: dict[str, Run], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    if format == "lora":
        origin, files = runs["lora"], [runs["lora"].result / "pytorch_lora_weights.safetensors"]
    elif format == "peft-loha":
        origin, files = runs["loha"], [runs["loha"].result / "unet" / "adapter_model.safetensors"]
    else:
        origin = runs["lora" if format == "kohya" else format]
        files = [exported(origin, tmp_path / "theirs.safetensors", "format=kohya")]
    run = adopted(tiny_sd, pictures, tmp_path / "adopted", *files)
    scale = ["scale.text=0"] if format == "peft-loha" else []  # the file of one part alone
    expected = drawn([origin], tmp_path / "expected", *scale)
    ours = drawn([run], tmp_path / "ours")
    assert distance(ours, expected) <= CLOSE
    assert distance(ours, by_the_library(stock(tiny_sd))) > 5 * CLOSE
    pipeline = stock(tiny_sd)
    pipeline.load_lora_weights(run.result)
    assert distance(ours, by_the_library(pipeline)) <= CLOSE
    [note] = run.read().adopted
    assert note["keys"] == note["matched"] == len(load_file(files[0]))


def test_a_file_that_says_its_word_needs_no_other(
    runs: dict[str, Run], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    theirs = exported(runs["lora"], tmp_path / "a.safetensors", "format=kohya")
    run = adopted(tiny_sd, pictures, tmp_path, theirs, settings=("dataset.identifier=auto",))
    assert run.concepts == runs["lora"].concepts


def test_an_adopted_run_is_like_any_other(runs: dict[str, Run], tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    run = adopted(tiny_sd, pictures, tmp_path, exported(runs["lora"], tmp_path / "a.safetensors", "format=kohya"))
    assert (run.status, run.concepts[0].identifier, run.concepts[0].noun) == ("finished", "sks", "dog")
    expected = drawn([run], tmp_path / "drawn")
    assert distance(by_the_library(stock(exported(run, tmp_path / "pipeline", "format=pipeline"))), expected) <= CLOSE
    kohya = stock(tiny_sd)
    kohya.load_lora_weights(exported(run, tmp_path / "kohya.safetensors", "format=kohya"))
    assert distance(by_the_library(kohya), expected) <= CLOSE
    halves = merged([run, runs["lora"]], tmp_path / "both.safetensors", "weights=[0.5,0.5]")
    both = stock(tiny_sd)
    both.load_lora_weights(halves)
    assert distance(by_the_library(both), expected) <= CLOSE
    assert adopted(tiny_sd, pictures, tmp_path, tmp_path / "a.safetensors").folder == run.folder


@pytest.mark.slow
def test_an_adopted_run_is_scored_reported_and_compared(
    runs: dict[str, Run], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    origin = runs["lora"]
    theirs = exported(origin, tmp_path / "theirs.safetensors", "format=kohya")
    run = adopted(tiny_sd, pictures, tmp_path, theirs, settings=("model.sampler.steps=2",))
    few = ["evaluation=quick", "evaluation.pictures.subject.images=1", "evaluation.pictures.subject.numbers=[0,1]"]
    named = f"run=[{run.folder},{origin.folder}]"
    files = evaluate(compose("evaluate", [named, *few, "encoders=mini", "accelerator=cpu"]))
    ours, own = map(ScoreSheet.read, files)
    assert (ours.method, ours.step, ours.noun) == ("adopted", 0, "dog")
    assert ours.metrics == own.metrics
    for name, scored in ours.rows["tuned"].items():
        assert scored.mean == pytest.approx(own.rows["tuned"][name].mean, abs=0.02)
    page = write_report([run.folder, origin.folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert run.folder.name in page
    request = read_request(Comparison, compose("compare", [f"runs=[{run.folder},{origin.folder}]", "bootstrap=100"]))
    console = Console(file=StringIO(), width=200)
    print_tables(compare(request), console)
    told = console.file.getvalue()
    for expected in (run.folder.name, "adopted", "lora", "DINO"):
        assert expected in told


def test_diffusers_first_names_are_known(runs: dict[str, Run], tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    full = exported(runs["lora"], tmp_path / "out.safetensors", "format=lora")
    (tmp_path / "full").mkdir()
    full = full.rename(tmp_path / "full" / "pytorch_lora_weights.safetensors")
    run = adopted(tiny_sd, pictures, tmp_path, old_names(tmp_path / "old.safetensors", full.parent))
    expected = drawn([runs["lora"]], tmp_path / "expected", "scale.text=0")
    assert distance(drawn([run], tmp_path / "ours"), expected) <= CLOSE


@pytest.mark.parametrize("format", ["diffusers", "diffusers.bin", "a1111", "a1111.pt"])
def test_a_word_is_adopted(format: str, runs: dict[str, Run], tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    [(word, rows_ND)] = load_file(next(runs["word"].result.glob("*.safetensors"))).items()
    assert word == "<dog>"
    file = tmp_path / f"toy{'.bin' if format.endswith('bin') else '.pt' if format.endswith('pt') else '.safetensors'}"
    content: dict[str, Any] = {
        "diffusers": {word: rows_ND},
        "a1111": {"emb_params": rows_ND},
        "diffusers.bin": {word: rows_ND},
        "a1111.pt": {"string_to_token": {"*": 265}, "string_to_param": {"*": rows_ND}, "name": "toy", "step": 3},
    }[format]
    save_file(content, file) if file.suffix == ".safetensors" else torch.save(content, file)
    run = adopted(tiny_sd, pictures, tmp_path, file, settings=("dataset.identifier=auto",))
    identifier = run.concepts[0].identifier
    assert identifier == ("<dog>" if format.startswith("diffusers") else "<toy>")
    prompt = "prompt='a photo of {identifier}'"
    assert distance(drawn([run], tmp_path / "a", prompt), drawn([runs["word"]], tmp_path / "b", prompt)) == 0
    again = load_file(exported(run, tmp_path / "again.safetensors", "format=embedding"))
    assert torch.equal(again["emb_params"], rows_ND)


def test_a_lora_and_its_word_are_one_run(runs: dict[str, Run], tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    files = [runs["lora"].result / "pytorch_lora_weights.safetensors", *runs["word"].result.glob("*.safetensors")]
    run = adopted(tiny_sd, pictures, tmp_path, *files, settings=("dataset.identifier=auto",))
    pair = [runs["lora"], runs["word"]]
    prompt = "prompt='a photo of <dog> dog'"
    assert distance(drawn([run], tmp_path / "a", prompt), drawn(pair, tmp_path / "b", prompt)) <= ROUNDING


def test_what_is_wrong_is_said(runs: dict[str, Run], tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    good = exported(runs["lora"], tmp_path / "good.safetensors", "format=kohya")
    stored = load_file(good)
    count = len(stored)

    def refused(name: str, content: dict[str, torch.Tensor], *settings: str) -> str:
        save_file(content, tmp_path / name)
        return said(tmp_path / name, *settings)

    def said(file: Path, *settings: str) -> str:
        with pytest.raises(UserError) as caught:
            adopted(tiny_sd, pictures, tmp_path / "runs", file, settings=settings)
        return str(caught.value)

    assert f"0 of its {count} keys" in refused("none.safetensors", {f"other.{key}": x for key, x in stored.items()})
    one_more = refused("more.safetensors", {**stored, "lora_unet_nowhere.alpha": torch.ones(())})
    assert f"{count} of its {count + 1} keys" in one_more
    assert "partial=true" in one_more
    assert "Stable Diffusion XL" in refused("xl.safetensors", {"lora_te2_text_model_x.alpha": torch.ones(()), **stored})
    wide = {key: torch.ones(4, 2048) if "attn2_to_k.lora_down" in key else x for key, x in stored.items()}
    assert "other sizes" in refused("wide.safetensors", wide)
    halved = {key: x for key, x in stored.items() if not ("attn2_to_k" in key and "lora_up" in key)}
    assert "is not whole" in refused("halved.safetensors", halved)
    (tmp_path / "cut.safetensors").write_bytes(good.read_bytes()[:-100])
    assert "no complete safetensors" in said(tmp_path / "cut.safetensors")
    assert "no such file" in said(tmp_path / "absent.safetensors")
    assert "which word it was trained with" in refused("wordless.safetensors", stored, "dataset.identifier=auto")
    assert "vectors of 3 numbers" in refused("word.safetensors", {"<toy>": torch.ones(2, 3)})
    assert "Stable Diffusion XL" in refused(
        "word.safetensors", {"clip_l": torch.ones(1, 16), "clip_g": torch.ones(1, 16)}
    )
    assert "knows dog already" in refused("dog.safetensors", {"dog": torch.ones(1, 16)}, "dataset.identifier=auto")
    assert "DoRA" in said(runs["dora"].result / "pytorch_lora_weights.safetensors")
    assert not (tmp_path / "runs").exists()


def test_a_peft_folder_that_counts_otherwise_is_another_result(
    runs: dict[str, Run], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    """What it counts by stands in a file of its own."""
    folder = shutil.copytree(runs["loha"].result / "unet", tmp_path / "unet")
    file, config = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    first = adopted(tiny_sd, pictures, tmp_path, file)
    config.write_text(json.dumps({**json.loads(config.read_text()), "inference_mode": True, "revision": "another"}))
    assert adopted(tiny_sd, pictures, tmp_path, file).folder == first.folder
    config.write_text(json.dumps({**json.loads(config.read_text()), "alpha": 60}))
    second = adopted(tiny_sd, pictures, tmp_path, file)
    assert second.folder != first.folder
    assert distance(drawn([second], tmp_path / "a"), drawn([first], tmp_path / "b")) > 5 * CLOSE


TRIGGERS = {
    "a line": "sks\n# Heading dog",
    "a terminal's command": "\x1b[2Jsks dog",
    "reversed": "sks\u202e dog",
    "long": "sks" * 1000,
}


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_word_that_is_none_is_not_taken_from_a_file(
    trigger: str, runs: dict[str, Run], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    stored = load_file(runs["lora"].result / "pytorch_lora_weights.safetensors")
    save_file(stored, tmp_path / "theirs.safetensors", {"modelspec.trigger_phrase": TRIGGERS[trigger]})
    with pytest.raises(UserError, match="which is no word") as caught:
        adopted(tiny_sd, pictures, tmp_path, tmp_path / "theirs.safetensors", settings=("dataset.identifier=auto",))
    assert str(caught.value).replace("\n", "").isprintable()
    assert len(str(caught.value)) < 500
    assert adopted(tiny_sd, pictures, tmp_path, tmp_path / "theirs.safetensors").concepts[0].identifier == "sks"


def test_what_a_file_says_of_its_word_is_no_markup(
    runs: dict[str, Run], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    stored = load_file(runs["lora"].result / "pytorch_lora_weights.safetensors")
    save_file(stored, tmp_path / "![a](b).safetensors", {"trigger_words": "![x](http://evil.example/y.png) dog"})
    file = tmp_path / "![a](b).safetensors"
    fixed = ["model=sd", f"model.source={tiny_sd}", f"model.resolution={RESOLUTION}", f"outputs={tmp_path / 'runs'}"]
    fixed += [f"dataset.path={pictures}", "dataset.class_noun=dog", "dataset.identifier=auto", "name=x"]
    run = adopt(compose("adopt", [f"files=['{file}']", *fixed]))
    card = (run.result / "README.md").read_text(encoding="utf-8")
    text, _, program = card.partition("```python")
    assert "evil" in text
    assert not re.search(r"(?<!\\)([\[\]<]|://)", text)
    assert "evil" in program


def test_part_of_a_file_is_used_where_that_is_wanted(
    runs: dict[str, Run], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    stored = load_file(exported(runs["lora"], tmp_path / "good.safetensors", "format=kohya"))
    save_file({**stored, "lora_unet_nowhere.alpha": torch.ones(())}, tmp_path / "more.safetensors")
    run = adopted(tiny_sd, pictures, tmp_path, tmp_path / "more.safetensors", settings=("partial=true",))
    [note] = run.read().adopted
    assert (note["matched"], note["keys"]) == (len(stored), len(stored) + 1)
    assert distance(drawn([run], tmp_path / "a"), drawn([runs["lora"]], tmp_path / "b")) <= CLOSE


def test_a_pickle_that_runs_something_is_not_opened(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"string_to_param": {"*": Trap()}}, tmp_path / "bad.pt")
    with pytest.raises(UserError, match="more than weights"):
        adopted(tiny_sd, pictures, tmp_path, tmp_path / "bad.pt")
    assert not (tmp_path / "sprung").exists()


def test_a_lora_of_another_generation_is_refused(
    runs: dict[str, Run], tiny_sd_v: Path, pictures: Path, tmp_path: Path
) -> None:
    """Its layers are called alike; their sizes tell."""
    loha = exported(runs["loha"], tmp_path / "a.safetensors", "format=kohya")
    other = tiny_pipeline(tmp_path / "same")
    adopted(other, pictures, tmp_path / "fits", loha)
    stored = load_file(loha)
    doubled = {key: x.repeat(2, 1) if x.ndim == 2 and key.endswith("w1_a") else x for key, x in stored.items()}
    save_file(doubled, tmp_path / "b.safetensors")
    with pytest.raises(UserError, match=r"not whole|other sizes"):
        adopted(tiny_sd_v, pictures, tmp_path / "none", tmp_path / "b.safetensors")
