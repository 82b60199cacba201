"""A sweep as it lies on the disk: runs written by hand, numbers that follow from their settings."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from unit.reporting.runs_on_disk import knows_photos, make_run, picture
from unit.reporting.scoreboard.sheets import sheet

from imprint.evaluation.score_sheet import Scored, ScoreSheet
from imprint.runs import Run
from imprint.sweeps import Point, Sweep

RATES, RANKS = (1e-4, 1e-3, 1e-2), (4, 8)
QUESTION = "Which rate, and <b>which</b> rank?"
COMMAND = "imprint train -m method=lora method.lr=1e-4,1e-3,1e-2 method.rank=4,8 sweep.name=rates"
ERROR = 'Traceback (most recent call last):\n  File "train.py", line 3\nNonFiniteLoss: <script>nan</script> at step 58.'


def finished_point(outputs: Path, rate: float, rank: int, *, better_by: float = 0.0) -> Point:
    """A scored run with pictures."""
    own = sheet(settings={"method.lr": rate, "method.rank": rank}, better_by=better_by, prompts=8)
    folder = make_run(outputs / own.run, settings=_settings(outputs, rate, rank), steps=40, drawn_at=(0, 40))
    own.write(folder / "scores" / "quick.json")
    return Point(_overrides(rate, rank), Run(folder))


def rates(outputs: Path, *, is_over: bool = False) -> Sweep:
    """Rates by ranks. Unless it is over, the last three points have failed, are being trained, and wait."""
    for number in range(2):
        picture(outputs / "photos" / f"{number}.png", 30 + number)
    asked = [(rate, rank) for rate in RATES for rank in RANKS]
    points: list[Point] = []
    for number, (rate, rank) in enumerate(asked):
        name = outputs / f"dog-lora-{number:08x}"
        if is_over or number < 3:
            points.append(finished_point(outputs, rate, rank, better_by=0.02 * number))
            continue
        if number == 3:
            make_run(name, settings=_settings(outputs, rate, rank), status="failed", drawn_at=(0,), error=ERROR)
        elif number == 4:
            make_run(name, settings=_settings(outputs, rate, rank), status="running", steps=10, drawn_at=(0,))
        points.append(Point(_overrides(rate, rank), Run(name)))
    photos = outputs / "photos"
    for begun in (point.run for point in points if point.run.manifest.is_file()):
        knows_photos(begun.folder, photos, sorted(photos.iterdir()))
    sweep = Sweep.named("rates", outputs)
    note(sweep, points)
    return sweep


def note(sweep: Sweep, points: Sequence[Point]) -> None:
    sweep.note(question=QUESTION, command=COMMAND, objectives=["clip_t"], points=points)


def with_numbers(own: ScoreSheet, metric: str, value: float) -> ScoreSheet:
    """All of the tuned model's numbers of a metric are this one."""
    scored = own.rows["tuned"][metric]
    values = [each._replace(value=value) for each in scored.values]
    changed = Scored(mean=value, by_category=scored.by_category, values=values)
    return replace(own, rows={**own.rows, "tuned": {**own.rows["tuned"], metric: changed}})


def _settings(outputs: Path, rate: float, rank: int) -> dict[str, object]:
    return {
        "model": {"_target_": "imprint.models.families.sd.Source", "path": "somewhere"},
        "method": {"_target_": "imprint.methods.lora.LoRA", "lr": rate, "rank": rank},
        "dataset": {"_target_": "imprint.data.folder.PictureFolder", "path": str(outputs / "photos")},
        "hparams": {"steps": 40},
        "sweep": {"name": "rates"},
    }


def _overrides(rate: float, rank: int) -> tuple[str, ...]:
    return "method=lora", f"method.lr={rate}", f"method.rank={rank}"
