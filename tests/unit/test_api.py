"""What `import imprint` gives to programs."""

import ast
from pathlib import Path

import pytest
from drawing import distance
from results import CLOSE, by_the_library
from small_runs import overrides

import imprint
from imprint.evaluation.records import Value
from imprint.evaluation.score_sheet import MetricFacts, PictureCount, Scored, ScoreSheet
from imprint.runs import Run as RunFolder
from imprint.sweeps import Point
from imprint.sweeps import Sweep as SweepFolder

PROMPT = "a {identifier} {noun}"


@pytest.fixture(scope="module")
def given(tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    seen = ["samples=default", "samples.every=2", "samples.seeds=[0]", f"samples.prompts=['{PROMPT}']"]
    outputs = tmp_path_factory.mktemp("outputs")
    return overrides(tiny_sd, pictures, outputs, "method=lora", "hparams.steps=2", "method.lr=3e-2", *seen)


@pytest.fixture(scope="module")
def run(given: list[str]) -> imprint.Run:
    return imprint.train(*given)


def test_a_run_tells_what_lies_in_its_folder(run: imprint.Run) -> None:
    assert run.status == "finished"
    assert run.settings["hparams.steps"] == "2"
    assert tuple(run.manifest.frame) == (32, 32)
    assert run.metrics["step"] == [1, 2]
    assert all(run.metrics["loss"])
    assert [(one.step, one.prompt, one.seed) for one in run.pictures] == [(0, "a sks dog", 0), (2, "a sks dog", 0)]
    assert all(one.path.is_file() and one.untuned == run.pictures[0].path for one in run.pictures)
    assert list(run.result.iterdir())
    for part in (str(run.folder), "finished", "lora", "sks dog", "2 steps", "loss"):
        assert part in repr(run)


def test_a_run_is_found_again(run: imprint.Run, given: list[str]) -> None:
    assert imprint.open(str(run.folder)).folder == run.folder
    assert imprint.train(configuration=imprint.compose(*given)).folder == run.folder
    with pytest.raises(imprint.UserError, match="there is no run here"):
        imprint.open(run.folder / "nothing")


def test_what_it_draws_is_what_its_pipeline_draws(run: imprint.Run) -> None:
    ours = run.generate(PROMPT, seed=[3, 4], scheduler="model", steps=3, guidance=4.0, device="cpu")
    assert distance(ours, by_the_library(run.pipeline(), ["a sks dog"], [3, 4])) <= CLOSE
    assert (
        distance(ours, run.generate("a dog", seed=[3, 4], scheduler="model", steps=3, guidance=4.0, device="cpu"))
        > CLOSE
    )


@pytest.mark.parametrize(("asked", "told"), [({"prompt": "a {word}"}, "word"), ({"prompt": "a", "stps": 3}, "stps")])
def test_a_mistake_is_told(run: imprint.Run, asked: dict[str, str], told: str) -> None:
    with pytest.raises(imprint.UserError, match=told):
        run.generate(**asked)


def test_the_readme_uses_what_there_is() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    program = readme.partition("```python\n")[2].partition("```")[0]
    used = {node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Attribute)}
    names = {(node.value.id, node.attr) for node in used if isinstance(node.value, ast.Name)}
    assert ("imprint", "train") in names
    assert all(hasattr({"imprint": imprint, "run": imprint.Run}[of], name) for of, name in names)


def test_mistakes_in_overrides_are_told_with_the_nearest_name() -> None:
    with pytest.raises(imprint.UserError, match=r"hparams\.steps"):
        imprint.train("hparams.stpes=3")
    with pytest.raises(imprint.UserError, match=r"hparams\.steps"):
        imprint.command("train", "hparams.stpes=3")
    with pytest.raises(imprint.UserError, match="trian"):
        imprint.command("trian")


def test_scores_are_records_and_a_sweep_has_those_of_its_runs(run: imprint.Run) -> None:
    assert run.scores == []
    facts = MetricFacts(title="DINO", better="higher", fingerprint="f" * 40, settings={}, encoders={})
    rows = {
        row: {"dino": _scored(*values)}
        for row, values in {"tuned": (0.5, 0.6, 0.7), "untuned": (0.1, 0.2, 0.3)}.items()
    }
    sheet = ScoreSheet(
        run=run.folder.name,
        method="lora",
        settings={},
        subject="dog6",
        kind="live",
        noun="dog",
        seed=0,
        step=2,
        profile="quick",
        averaging="prompts",
        sampling="s",
        metrics={"dino": facts},
        pictures={row: PictureCount(asked=3, drawn=3, failed=0, blank=0) for row in rows},
        prompts={"subject": [("a {}", "x"), ("the {}", "x"), ("one {}", "x")]},
        rows=rows,
        seconds={},
    )
    sheet.write(run.folder / "scores" / "quick-f.json")
    tuned, untuned = run.scores
    assert (tuned.row, tuned.title, tuned.mean) == ("tuned", "DINO", pytest.approx(0.6))
    assert untuned.mean == pytest.approx(0.2)
    assert tuned.low is not None
    assert tuned.low < tuned.mean
    assert "DINO 0.600" in repr(run)
    assert ">0.600<" in run._repr_html_()

    folder = SweepFolder.named("first", run.folder.parent)
    begun, waiting = RunFolder(run.folder), RunFolder(run.folder.parent / "waiting")
    points = [Point(("method=lora",), begun), Point(("method=loha",), waiting)]
    folder.note(question=None, command="imprint train -m", objectives=[], points=points)
    sweep = imprint.Sweep(folder.folder)
    assert [(one.folder, one.choices) for one in sweep.runs] == [(run.folder.resolve(), {"method": "lora"})]
    assert [score.mean for score in sweep.scores] == [tuned.mean, untuned.mean]
    assert run.folder.name in repr(sweep)


def _scored(*values: float) -> Scored:
    each = [Value("subject", number, 0, value) for number, value in enumerate(values)]
    return Scored(mean=sum(values) / len(values), by_category={}, values=each)
