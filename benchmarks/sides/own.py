"""imprint: one task is `train`, several are `train -m`."""

from collections.abc import Sequence
from pathlib import Path

from task import IDENTIFIER, WORD, Material, Task

TOLD_TOKENS = ("flux", "z_image")  # families that are told how many tokens of a caption to read
PRIORS = {"none": "none", "found": "folder", "drawn": "generated"}


def programs(tasks: Sequence[Task], material: Material, outputs: Path, *more: str) -> list[list[str]]:
    """Several tasks differ in seed, rate and rank alone. `more` are further settings of all."""
    first = tasks[0]
    shared = [*_settings(first, material), f"outputs={outputs}", f"dataset.path={material.pictures}", *more]
    return [_train(shared, [_point(task) for task in tasks])]


def program_of_subjects(task: Task, folders: Sequence[Path], material: Material, outputs: Path) -> list[str]:
    """The same training for the pictures of each folder."""
    shared = [*_settings(task, material), f"outputs={outputs}", *_point(task)]
    return _train(shared, [[f"dataset.path={folder}"] for folder in folders])


def _train(shared: Sequence[str], points: Sequence[Sequence[str]]) -> list[str]:
    if len(points) == 1:
        return ["imprint", "train", *shared, *points[0]]
    listed = ",".join(f'"{" ".join(point)}"' for point in points)
    return ["imprint", "train", "-m", *shared, f"hydra.sweeper.points=[{listed}]"]


def _point(task: Task) -> list[str]:
    rank = [f"method.rank={task.rank}", f"method.alpha={task.rank}"] if task.method == "lora" else []
    return [f"seed={task.seed}", f"method.lr={task.lr:g}", *rank]


def _settings(task: Task, material: Material) -> list[str]:
    """Its defaults but for what makes the task the same. The peer keeps no samples, so none are drawn."""
    is_word = task.method == "textual_inversion"
    return [
        f"model={material.family}",
        f"model.source={material.model}",
        f"model.resolution={material.resolution}",
        *([f"model.text_tokens={material.tokens}"] if material.family in TOLD_TOKENS else []),
        "dataset=folder",
        f"dataset.class_noun={material.noun}",
        f"dataset.identifier='{WORD}'" if is_word else f"dataset.identifier={IDENTIFIER}",
        *(["dataset.flip=true", "hparams.clip=null"] if is_word else []),  # as that script does
        f"method={task.method}",
        f"hparams.steps={task.steps}",
        f"hparams.batch_size={task.batch_size}",
        *(["hparams.precision=bf16-mixed"] if task.precision == "bf16" else []),
        f"prior={PRIORS[task.prior]}",
        *([f"prior.path={material.class_pictures}"] if task.prior == "found" else []),
        # that script's sampler: the model's own scheduler, 50 steps, guidance of 7.5
        *([f"prior.count={task.class_count}", "model.sampler.scheduler=model"] if task.prior == "drawn" else []),
        "samples=none",
        "report=local",
    ]
