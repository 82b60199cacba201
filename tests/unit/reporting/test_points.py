from pathlib import Path

from unit.reporting.runs_on_disk import make_run

from imprint.reporting.record import axes, records_of
from imprint.runs import Run
from imprint.sweeps import Point


def point(folder: Path, *overrides: str, settings: dict[str, object] | None = None) -> Point:
    if settings is not None:
        make_run(folder, settings=settings, steps=2, drawn_at=())
    return Point(overrides, Run(folder))


def part(name: str, **settings: object) -> dict[str, object]:
    return {"_target_": f"imprint.{name}", **settings}


def test_axes_are_the_keys_that_are_set_differently(tmp_path: Path) -> None:
    first = point(tmp_path / "a", "method=lora", "++method.lr=1e-4", "seed=0", "sweep.name=x")
    second = point(tmp_path / "b", "method=lora", "++method.lr=1e-3", "sweep.name=x")
    assert axes([first, second]) == ["method.lr", "seed"]
    assert axes([first]) == axes([]) == []


def test_a_point_that_has_not_begun_is_told_by_what_it_was_given(tmp_path: Path) -> None:
    begun = {"method": part("LoRA", lr=1e-4, rank=4), "seed": 0}
    points = [
        point(tmp_path / "a", "method.lr=1e-4", "seed=0", settings=begun),
        point(tmp_path / "b", "method.lr=1e-5", "seed=0"),
    ]
    first, second = records_of(points)
    assert (first.status, second.status) == ("finished", "absent")
    assert second.settings == {**first.settings, "method.lr": "1e-05"}
    assert second.overrides == ("method.lr=1e-5", "seed=0")


def test_none_needs_to_have_begun(tmp_path: Path) -> None:
    records = records_of([point(tmp_path / name, f"seed={name}") for name in "12"])
    assert [record.settings for record in records] == [{"seed": "1"}, {"seed": "2"}]
    assert records_of([]) == []


def test_parts_are_told_by_the_word_that_was_given(tmp_path: Path) -> None:
    same_class = part("PictureFolder", path="a")
    points = [
        point(tmp_path / "1", "dataset=mini/dog", "prior=none", settings={"dataset": same_class, "prior": part("No")}),
        point(
            tmp_path / "2",
            "dataset=mini/cat",
            "prior=generated",
            settings={"dataset": {**same_class, "path": "b"}, "prior": part("Generated", weight=1.0)},
        ),
        point(tmp_path / "3", "dataset=mini/can", "prior=none"),
    ]
    told = [(record.settings["dataset"], record.settings["prior"]) for record in records_of(points)]
    assert told == [("mini/dog", "none"), ("mini/cat", "generated"), ("mini/can", "none")]


def test_a_run_whose_files_are_broken_is_a_point_all_the_same(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", settings={"seed": 1}, steps=3)
    for name in ("manifest.json", "samples/samples.json"):
        (folder / name).write_text('{"status": ')
    (folder / "config.yaml").write_text("seed: [")
    (folder / "metrics.csv").write_text("step,loss\n1,0.1\n2\n3,x\n")
    [record] = records_of([point(folder, "seed=1")])
    assert record.status == "unreadable"
    assert record.samples == []
