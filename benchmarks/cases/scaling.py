"""Cost against how much there is to do: drawn as curves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from material import noise
from sides import own
from task import RATES, Material, Task

from cases.base import Case, Quantity, Setting, Side, Values
from cases.training import Points, Programs, Trainers, taken, whole

LORA = Task(method="lora", lr=RATES["lora"], steps=50)
GRIDS = {"tiny": (1, 2), "mini": (1, 2, 4, 8, 16)}
SUBJECTS = {"tiny": (1, 2), "mini": (1, 2, 4, 8)}
PICTURES = {"tiny": (1, 2), "mini": (1, 4, 16, 64)}
RANKS = {"tiny": (2, 4), "mini": (4, 8, 16, 64)}
PROCESSES = {"tiny": (1, 2), "mini": (1, 2)}
SHARED_POINTS = {"tiny": 2, "mini": 8}  # by the processes
IN_TURN, SIDE_BY_SIDE = "imprint, one after another", "imprint"

Curve = Callable[[Setting, int], float]


def cases(trainers: Trainers) -> list[Case]:
    found = []
    for size in GRIDS:
        task = replace(LORA, steps=2) if size == "tiny" else LORA
        found += [
            _points(trainers, size, task),
            _subjects(trainers, size, task),
            _pictures(trainers, size, task),
            _ranks(trainers, size, task),
        ]
        if find_spec("joblib"):
            found.append(_processes(size, task))
    return found


def _points(trainers: Trainers, size: str, task: Task) -> Case:
    def curve(make: Programs) -> Curve:
        return lambda setting, number: whole(taken(make, Points(number).of(task), setting), setting.clock)

    return _case(size, "points", "Points of a LoRA grid", GRIDS[size], {
        SIDE_BY_SIDE: curve(trainers.imprint),
        IN_TURN: curve(_one_after_another),
        trainers.other_name: curve(trainers.other),
    })  # fmt: skip


def _subjects(trainers: Trainers, size: str, task: Task) -> Case:
    """A training of each subject's own."""

    def imprint(setting: Setting, number: int) -> float:
        folders = _folders(setting, number)

        def make(tasks: Sequence[Task], material: Material, outputs: Path) -> list[list[str]]:
            return [own.program_of_subjects(tasks[0], folders, material, outputs)]

        return whole(taken(make, [task] * number, setting), setting.clock)

    def other(setting: Setting, number: int) -> float:
        total = 0.0
        for folder in _folders(setting, number):
            alone = setting.apart(f"of-{folder.name}")
            material = replace(setting.material, pictures=folder)
            total += whole(taken(trainers.other, [task], replace(alone, material=material)), setting.clock)
        return total

    curves = {SIDE_BY_SIDE: imprint, trainers.other_name: other}
    return _case(size, "subjects", "Subjects, each with a LoRA of its own", SUBJECTS[size], curves)


def _pictures(trainers: Trainers, size: str, task: Task) -> Case:
    def curve(make: Programs) -> Curve:
        def cost(setting: Setting, number: int) -> float:
            folder = noise(setting.scratch / "pictures", setting.material.resolution, number)
            material = replace(setting.material, pictures=folder)
            return whole(taken(make, [task], replace(setting, material=material)), setting.clock)

        return cost

    curves = {name: curve(make) for name, make in _both(trainers).items()}
    return _case(size, "pictures", "Pictures of the subject", PICTURES[size], curves)


def _ranks(trainers: Trainers, size: str, task: Task) -> Case:
    def curve(make: Programs) -> Curve:
        return lambda setting, rank: whole(taken(make, [replace(task, rank=rank)], setting), setting.clock)

    curves = {name: curve(make) for name, make in _both(trainers).items()}
    return _case(size, "rank", "Rank of a LoRA", RANKS[size], curves)


def _processes(size: str, task: Task) -> Case:
    """By the clock: processes take no less of the CPU."""

    def cost(setting: Setting, number: int) -> float:
        def make(tasks: Sequence[Task], material: Material, outputs: Path) -> list[list[str]]:
            return own.programs(tasks, material, outputs, "hydra/launcher=joblib", f"hydra.launcher.n_jobs={number}")

        return whole(taken(make, Points(SHARED_POINTS[size]).of(task), setting), "wall")

    title = f"Processes that share {SHARED_POINTS[size]} points, by the clock"
    return replace(_case(size, "processes", title, PROCESSES[size], {SIDE_BY_SIDE: cost}), clock="wall")


def _both(trainers: Trainers) -> Mapping[str, Programs]:
    return {SIDE_BY_SIDE: trainers.imprint, trainers.other_name: trainers.other}


def _one_after_another(tasks: Sequence[Task], material: Material, outputs: Path) -> list[list[str]]:
    return own.programs(tasks, material, outputs, *(["hydra/launcher=basic"] if len(tasks) > 1 else []))


def _folders(setting: Setting, number: int) -> list[Path]:
    side = setting.material.resolution
    return [noise(setting.scratch / f"subject-{index}", side, 5, seed=index) for index in range(number)]


def _case(size: str, axis: str, title: str, values: Sequence[int], curves: Mapping[str, Curve]) -> Case:
    def side(curve: Curve) -> Side:
        def measured(setting: Setting) -> Values:
            return {str(value): curve(setting.apart(f"{axis}-{value}"), value) for value in values}

        return measured

    return Case(
        name=f"scaling-{size}-{axis}",
        size=size,
        title=title,
        rounds=1,
        figure="curve",
        axis=axis,
        quantities={str(value): Quantity(f"{axis}: {value}") for value in values},
        sides={name: side(curve) for name, curve in curves.items()},
    )
