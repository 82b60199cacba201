import io
import json
from pathlib import Path

import pytest
from composed import compose
from rich.console import Console
from unit.reporting.runs_on_disk import make_run
from unit.reporting.scoreboard.sheets import sheet

from imprint.errors import UserError
from imprint.verbs.compare import ComparedRuns, Request, as_dict, compare, main, print_tables


def run(
    folder: Path, subject: str, method: str, *, scored: bool = True, objective: str = "Mse", **of_sheet: object
) -> Path:
    """A run's folder with its sheet."""
    given = sheet(subject, method, **of_sheet)  # type: ignore[arg-type]
    settings = {
        "method": {"_target_": f"imprint.methods.{method}.{method.title()}", "lr": 0.1},
        "dataset": {"path": f"photos/{subject}"},
        "objective": {"_target_": f"imprint.objectives.{objective}"},
    }
    place = make_run(folder / given.run, settings=settings, drawn_at=())
    if scored:
        given.write(place / "scores" / f"{given.profile}-0.json")
    return place


def compared(*runs: Path, profile: str | None = None) -> ComparedRuns:
    return compare(Request(runs=[str(each) for each in runs], profile=profile, json=False, bootstrap=100, seed=0))


def told(found: ComparedRuns) -> str:
    console = Console(file=io.StringIO(), width=180)
    print_tables(found, console)
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_of_a_part_that_one_run_lacks_one_row_says_so(tmp_path: Path) -> None:
    runs = []
    for name, evaluation in (
        ("dog-lora-1", None),
        ("dog-lora-2", {"profile": "quick", "metrics": {"dino": {"set": "a"}}}),
    ):
        settings = {"method": {"lr": 0.1}, "evaluation": evaluation}
        runs.append(make_run(tmp_path / name, settings=settings, drawn_at=()))
    text = told(compared(*runs))
    assert "evaluation none set" in text
    assert "evaluation." not in text


def test_two_runs_are_told_apart_by_settings_scores_and_costs(tmp_path: Path) -> None:
    text = told(compared(run(tmp_path, "dog", "lora"), run(tmp_path, "dog", "loha", better_by=0.1)))
    assert "method Loha Lora" in text
    assert "dataset.path" not in text
    assert "1 min 23 s" in text
    assert "loha − lora" in text
    assert "over its prompts" in text


def test_runs_of_many_subjects_are_taken_together(tmp_path: Path) -> None:
    for subject in ("dog", "cat", "can"):
        for method in ("lora", "loha"):
            run(tmp_path, subject, method)
    text = told(compared(tmp_path))
    assert "key loha lora" in text
    assert "Runs that are taken together differ in dataset.path" in text
    assert "3 subjects" in text


def test_what_cannot_be_compared_is_said_with_the_reason(tmp_path: Path) -> None:
    other = run(tmp_path, "dog", "loha", fingerprint="ffff", encoders={"clip": "CLIP ViT-L/14"}, objective="MinSnr")
    bare = run(tmp_path, "cat", "lora", scored=False)
    text = told(compared(run(tmp_path, "dog", "lora"), other, bare))
    assert "are measured differently, and their numbers cannot be compared" in text
    assert f"Score them: imprint evaluate {bare.resolve()}" in text
    assert "losses are of different objectives" in text


def test_runs_without_scores_are_compared_by_the_rest(tmp_path: Path) -> None:
    found = compared(run(tmp_path, "dog", "lora", scored=False), run(tmp_path, "dog", "loha", scored=False))
    assert found.board is None
    assert "Loha" in told(found)


def test_one_profile_can_be_chosen(tmp_path: Path) -> None:
    runs = [run(tmp_path, "dog", "lora"), run(tmp_path, "dog", "loha", profile="careful")]
    found = compared(*runs, profile="careful")
    assert found.board is not None
    assert [entry.label for entry in found.board.contestants] == ["loha"]
    assert any("No scores of the profile careful" in note for note in found.notes)


def test_json_is_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(run(tmp_path, "dog", method)) for method in ("lora", "loha")]
    main(compose("compare", [f"runs=[{','.join(runs)}]", "json=true", "bootstrap=50"]))
    said = json.loads(capsys.readouterr().out)
    assert [each["differing"] for each in said["runs"]] == [{"method": "Loha"}, {"method": "Lora"}]
    assert said["scores"]["comparisons"][0]["unit"] == "prompts"


def test_a_diverged_run_still_makes_valid_json(tmp_path: Path) -> None:
    runs = [run(tmp_path, "dog", method, scored=False) for method in ("lora", "loha")]
    (runs[0] / "metrics.csv").write_text("step,loss\n1,nan\n", encoding="utf-8")
    said = json.loads(json.dumps(as_dict(compared(*runs)), allow_nan=False))
    assert None in [each["loss"] for each in said["runs"]]


def test_one_run_and_no_run_are_refused(tmp_path: Path) -> None:
    only = run(tmp_path, "dog", "lora")
    with pytest.raises(UserError, match="nothing to compare it with"):
        compared(only)
    with pytest.raises(UserError, match="no run lies in .*absent"):
        compared(only, tmp_path / "absent")


def test_a_broken_sheet_is_named(tmp_path: Path) -> None:
    runs = [run(tmp_path, "dog", method) for method in ("lora", "loha")]
    (runs[0] / "scores" / "quick-0.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"quick-0\.json: .*Delete it, and evaluate the run again"):
        compared(*runs)
