"""imprint trace: which seed drew a picture, and what its marks say."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from authority import issue
from composed import compose
from PIL import Image, ImageOps

from imprint.errors import UserError
from imprint.models.facts import ModelInfo
from imprint.models.inversion import check_invertible, invert
from imprint.models.process import Flow
from imprint.models.sampler import generator_of, starting_noise
from imprint.pictures.files import open_picture
from imprint.results.load import trained_model
from imprint.runs import Run
from imprint.verbs.generate import generate
from imprint.verbs.trace import Traced, main, trace
from imprint.verbs.trace.findings import Match
from imprint.verbs.trace.matching import best_match, chance
from imprint.verbs.train import train

OWN = range(100, 106)
TRIED = 300


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The miniature after one step, since a model with random weights draws nothing that leads back."""
    small = ["hparams.steps=1", "hparams.batch_size=1", "samples=none", "report=local", "report.progress=off"]
    outputs = tmp_path_factory.mktemp("runs")
    return train(compose("train", ["method=lora", "trainer.accelerator=cpu", f"outputs={outputs}", *small]))


@pytest.fixture(scope="module")
def pictures(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """By seed; their index lies elsewhere than in the run's folder."""
    folder = tmp_path_factory.mktemp("drawn")
    drawing = [
        f"seeds={list(OWN)}",
        "batch_size=6",
        "steps=10",
        "accelerator=cpu",
        "prompt='a photo of a {identifier} {noun}'",
    ]
    generate(compose("generate", [f"run={run.folder}", f"outputs={folder}", *drawing]))
    index = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))["pictures"]
    return {entry["seed"]: folder / entry["file"] for entry in index}


def traced(picture: Path, *settings: str) -> Traced:
    return trace(compose("trace", [f"picture={picture}", "accelerator=cpu", *settings]))


@pytest.fixture(scope="module")
def matches(run: Run, pictures: dict[int, Path]) -> Callable[[Sequence[int]], list[Match]]:
    """The match of each picture among some seeds; the way back is gone once for all."""
    model = trained_model(run, scale={}).model
    noises_BCHW = invert(model, [open_picture(file) for file in pictures.values()], steps=20)
    return lambda seeds: [best_match(own, seeds, compared=2 * len(seeds)) for own in noises_BCHW.split(1)]


def test_most_seeds_are_found(matches: Callable[[Sequence[int]], list[Match]]) -> None:
    """Two of the six may be lost: rounding on another processor moves r by far less than it exceeds the threshold."""
    found = matches(range(TRIED))
    assert sum(match.p < 0.001 and match.seed == seed for match, seed in zip(found, OWN, strict=True)) >= 4


def test_what_is_not_among_the_seeds_is_not_found(matches: Callable[[Sequence[int]], list[Match]]) -> None:
    assert all(match.p > 0.001 for match in matches(range(OWN[0])))


def test_seeds_in_the_runs_folder_are_tried_and_a_mirror_image_and_another_size_are_no_matter(
    run: Run, pictures: dict[int, Path], tmp_path: Path
) -> None:
    seed, file = next(iter(pictures.items()))
    before = file.read_bytes()
    index = run.folder / "generated" / "pictures.json"
    index.parent.mkdir()
    index.write_text(json.dumps([{"file": "a.png", "seed": seed}, {"file": "c.png"}]))
    damaged = run.folder / "grid" / "pictures.json"
    damaged.parent.mkdir()
    damaged.write_text('[{"file": "b.png", "seed": -1}')
    out = tmp_path / "changed.jpg"
    with Image.open(file) as picture:
        ImageOps.mirror(picture).resize((96, 96), Image.Resampling.LANCZOS).save(out, quality=90)
    [finding] = traced(out, f"run={run.folder}", "seeds=[1,2]").findings
    assert finding.found
    assert (finding.match.seed, finding.match.mirrored) == (seed, True)
    index.unlink()
    damaged.unlink()
    assert file.read_bytes() == before


def test_it_prints_what_was_found_and_what_that_proves(
    run: Run, pictures: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = pictures[OWN[0]]
    main(compose("trace", [f"picture={file}", f"run={run.folder}", "seeds=5", "accelerator=cpu"]))
    printed = capsys.readouterr().out
    for expected in ("trainedAlgorithmicMedia", f"(of {run.folder.name})", "Anybody can write", "proves nothing:"):
        assert expected in printed


def test_marks_are_read_without_a_run(pictures: dict[int, Path], tmp_path: Path) -> None:
    found = traced(pictures[OWN[0]])
    assert found.marks.synthetic
    assert not found.findings
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    assert not traced(tmp_path / "plain.png").marks.source_types


def test_a_signature_is_trusted_by_the_authorities_that_are_given(tmp_path: Path) -> None:
    pytest.importorskip("c2pa", reason="the extra credentials is not installed")
    from imprint.provenance.base import MadeBy
    from imprint.provenance.signed import Signed

    issued = issue(tmp_path)
    signed = Signed(certificate=str(issued.certificate), key=str(issued.key), password=None)
    signed.save(Image.new("RGB", (16, 16)), tmp_path / "a.png", MadeBy((), ()))
    for settings, state in (([], "Valid"), ([f"anchors={issued.authority}"], "Trusted")):
        credentials = traced(tmp_path / "a.png", *settings).marks.credentials
        assert credentials is not None
        assert credentials.state == state


def test_mistakes_are_told(run: Run, pictures: dict[int, Path], tmp_path: Path) -> None:
    file = pictures[OWN[0]]
    (tmp_path / "text.png").write_text("no picture")
    cases: dict[str, tuple[Path, list[str]]] = {
        "Give the file of a picture": (tmp_path / "text.png", []),
        "there is no such file": (tmp_path / "nowhere.png", []),
        "anchors=": (file, [f"anchors={tmp_path / 'nowhere.pem'}"]),
        "there is no run here": (file, [f"run={tmp_path}"]),
        "steps=2000: this model has 1000": (file, [f"run={run.folder}", "steps=2000"]),
        "this model needs multiples of": (file, [f"run={run.folder}", "size=[30,30]"]),
    }
    for expected, (picture, settings) in cases.items():
        with pytest.raises(UserError) as caught:
            traced(picture, *settings)
        assert expected in str(caught.value)


def test_a_model_that_cannot_be_inverted_is_told_before_it_is_loaded(
    run: Run, pictures: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_flow(facts: ModelInfo) -> None:
        check_invertible(facts._replace(process=Flow(1000)))

    monkeypatch.setattr("imprint.verbs.trace.searching.trained_model", lambda *_, **__: pytest.fail("it was loaded"))
    monkeypatch.setattr("imprint.verbs.trace.searching.check_invertible", of_flow)
    with pytest.raises(UserError, match="predicts flow"):
        traced(pictures[OWN[0]], f"run={run.folder}")


def test_the_best_of_many_is_found_in_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imprint.verbs.trace.matching.BATCH_NUMBERS", 3 * 4 * 8 * 8)
    seeds = [5, 2**62 + 3, 9, 11, 12, 0, 40]
    unrelated = torch.randn(4, 8, 8, generator=generator_of(77))
    for seed in seeds:
        noise = 0.5 * starting_noise(generator_of(seed), (4, 8, 8)) + unrelated + 3
        for pair, mirrored in ((torch.stack([noise, unrelated]), False), (torch.stack([unrelated, noise]), True)):
            match = best_match(pair, seeds, compared=14)
            assert (match.seed, match.mirrored) == (seed, mirrored)
            assert 0.3 < match.r < 0.6
            assert match.p < 1e-8


def test_the_chance_is_that_of_independent_noise() -> None:
    """Of 2,000 pairs of independent noise, as many exceed a correlation as it says."""
    generator = generator_of(0)
    one_BN, other_BN = torch.randn(2, 2000, 256, generator=generator, dtype=torch.double)
    r_B = torch.nn.functional.cosine_similarity(one_BN - one_BN.mean(1, True), other_BN - other_BN.mean(1, True))
    for limit in (0.05, 0.1):
        expected = chance(limit, 256, 1)
        share = float((r_B > limit).double().mean())
        assert abs(share - expected) < 4 * (expected * (1 - expected) / 2000) ** 0.5
    assert chance(0.163, 1024, 1) == pytest.approx(7.5e-8, rel=0.15)
    assert chance(0.163, 1024, 20_000) == pytest.approx(20_000 * chance(0.163, 1024, 1), rel=0.01)
    assert chance(-0.5, 256, 100) == 1.0
    assert chance(1.0, 256, 100) == 0.0
