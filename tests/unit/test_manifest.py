"""What a run says of itself is taken for what it is: checked, of any version, or refused in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from unit.reporting.scoreboard.sheets import sheet

from imprint.errors import UserError
from imprint.evaluation.score_sheet import ScoreSheet
from imprint.manifest import VERSION
from imprint.reporting.heading import links
from imprint.reporting.record import read_run
from imprint.reporting.sample_index import read_samples
from imprint.runs import Run
from imprint.sweeps import Sweep

DAMAGED = {
    "cut": b'{"status": "fin',
    "empty": b"",
    "a list": b"[1, 2]",
    "a number": b"7",
    "binary": b"\x00\xff\xfe",
    "nested beyond all measure": b"[" * 100_000,
    "without sense": b'{"status": "finished", "concepts": 5}',
    "with a config that is none": b'{"status": "finished", "config": [1]}',
    "with pictures elsewhere": b'{"scores": {"quick": {"pictures": ["../../private"]}}}',
    "newer": b'{"version": 99}',
    "of no version": b'{"version": "two"}',
}


def run_saying(content: bytes, folder: Path) -> Run:
    run = Run(folder / "dog-0123456789")
    run.folder.mkdir()
    run.manifest.write_bytes(content)
    return run


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_manifest_is_one_line_that_names_it(damage: str, tmp_path: Path) -> None:
    run = run_saying(DAMAGED[damage], tmp_path)
    for ask in (lambda: Run.finished(run.folder), lambda: run.note({"status": "running"})):
        with pytest.raises(UserError) as told:
            ask()
        assert str(run.manifest) in str(told.value)
        assert "\n" not in str(told.value)
    assert run.manifest.read_bytes() == DAMAGED[damage], "what cannot be read is not written over"
    assert read_run(run).status == "unreadable"


def test_a_run_that_has_not_begun_is_absent(tmp_path: Path) -> None:
    assert Run(tmp_path / "nothing-0123456789").status == "absent"


def test_an_older_manifest_is_read_and_written_as_a_new_one(tmp_path: Path) -> None:
    method = {"_target_": "imprint.methods.pivotal.Pivotal", "network": {"_target_": "imprint.methods.lora.LoRA"}}
    own = {"_target_": "my_package.Prior"}
    before = {"status": "failed", "config": {"method": method, "prior": own, "seed": 3}, "mine": "stays"}
    run = run_saying(json.dumps(before).encode(), tmp_path)
    config = run.read().config
    assert config.method == {"_kind_": "method/pivotal", "network": {"_kind_": "method/lora"}}
    assert (config.prior, config.seed) == (own, 3)
    run.note({"status": "running"})
    written = json.loads(run.manifest.read_text(encoding="utf-8"))
    assert written["version"] == VERSION
    assert written["config"]["method"] == config.method
    assert (written["status"], written["mine"]) == ("running", "stays")


def test_what_a_run_notes_is_kept_beside_what_it_noted_before(tmp_path: Path) -> None:
    run = Run(tmp_path / "dog-0123456789")
    run.note({"status": "running", "frame": (32, 48)})
    run.note({"training": {"steps": 4, "loss": float("nan")}})
    facts = run.read()
    assert (facts.status, run.frame, facts.training.steps) == ("running", (32, 48), 4)
    with pytest.raises(UserError, match="training"):
        run.note({"training": 4})


def picture(file: str) -> str:
    return json.dumps([{"step": 0, "prompt": "a", "seed": 0, "file": file, "untuned_file": None}])


@pytest.fixture
def sampled(tmp_path: Path) -> Run:
    run = Run(tmp_path / "dog-0123456789")
    run.samples.mkdir(parents=True)
    return run


@pytest.mark.parametrize("index", ["", "{}", '[{"step": 1}]', '[{"file": "a.png"}]'])
def test_an_index_of_samples_that_is_none_is_refused(index: str, sampled: Run) -> None:
    sampled.sample_index.write_text(index)
    with pytest.raises(UserError, match="samples.json"):
        read_samples(sampled)
    assert read_run(sampled).samples == []


@pytest.mark.parametrize("place", ["../../private.png", "/home/me/private.png"])
def test_pictures_outside_of_the_folder_are_left_out(
    place: str, sampled: Run, caplog: pytest.LogCaptureFixture
) -> None:
    sampled.sample_index.write_text(picture(place))
    assert read_samples(sampled) == []
    assert "outside of its folder" in caplog.text


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"points": [{"run": 5}]}', b'{"commands": "one"}'])
def test_a_damaged_sweep_is_one_line_and_a_note_on_a_page(content: bytes, tmp_path: Path) -> None:
    sweep = Sweep.named("rates", tmp_path)
    sweep.folder.mkdir(parents=True)
    sweep.record.write_bytes(content)
    with pytest.raises(UserError, match=r"sweep\.json") as told:
        _ = sweep.points
    assert "\n" not in str(told.value)
    [link] = links([tmp_path], tmp_path / "report.html")
    assert "Delete it" in link.question


@pytest.mark.parametrize("place", ["../../../elsewhere/run", "/home/me/run", "a\0b"])
def test_a_sweep_names_no_run_outside_of_its_outputs(
    place: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = Sweep.named("rates", tmp_path / "outputs")
    sweep.folder.mkdir(parents=True)
    points = [{"overrides": [], "run": "../../dog-0123456789"}, {"overrides": [], "run": place}]
    sweep.record.write_text(json.dumps({"points": points}))
    assert [point.run.folder for point in sweep.points] == [tmp_path / "outputs" / "dog-0123456789"]
    assert "left out" in caplog.text


def changed(content: dict[str, Any], *keys: str, value: Any) -> dict[str, Any]:
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    return content


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["rows"], []),
        (["metrics"], {}),
        (["metrics", "dino", "encoders"], {"dino": {}}),
        (["pictures"], {}),
        (["rows"], {}),
        (["prompts"], {}),
        (["seed"], "often"),
        (["pictures"], {"tuned": 4}),
        (["settings"], None),
    ],
)
def test_a_sheet_that_contradicts_itself_is_refused(keys: list[str], value: Any, tmp_path: Path) -> None:
    file = tmp_path / "quick-0123.json"
    sheet().write(file)
    assert ScoreSheet.read(file).rows == sheet().rows
    file.write_text(json.dumps(changed(json.loads(file.read_text(encoding="utf-8")), *keys, value=value)))
    with pytest.raises(UserError, match="Delete it, and evaluate the run again") as told:
        ScoreSheet.read(file)
    assert str(file) in str(told.value)
