"""imprint evaluate: the scores of trained runs, or of pictures that another program generated."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from omegaconf import DictConfig

from imprint.data.pictures import PictureSet
from imprint.data.reading import open_folder
from imprint.errors import ConfigError, Problem, UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.profile import Profile
from imprint.evaluation.records import Photo
from imprint.evaluation.score_sheet import ScoreSheet, table_of_means
from imprint.locations import locate
from imprint.partial_files import files_named
from imprint.planning.evaluable import photos_of
from imprint.reporting.reporter import Reporter
from imprint.reporting.tracking.scores import log_scores
from imprint.requests import Scale, as_list, prompts_in, read_request
from imprint.runs import Run
from imprint.scoring.external import Missing, Pictures, score_pictures
from imprint.scoring.score import score_run
from imprint.scoring.subject import open_subjects
from imprint.tables.terminal import as_text
from imprint.training.trainer import process_device
from imprint.types import Concept

log = logging.getLogger(__name__)

OF_PICTURES = ("prompts", "references", "noun", "identifier", "class_images", "untuned_class_images", "outputs")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `evaluate.yaml` asks for."""

    evaluation: Profile | None
    encoders: Mapping[str, Encoder]
    run: str | list[str] | None
    trust: list[str]
    scale: Scale
    base: str | None
    images: str | None
    class_images: str | None
    untuned_class_images: str | None
    prompts: str | None
    references: str | None
    noun: str | None
    identifier: str | None
    kind: Literal["object", "live"]
    missing: Missing
    outputs: str | None
    class_photos: str | None
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    report: Reporter | None


def main(cfg: DictConfig) -> None:
    for file in evaluate(cfg):
        sheet = ScoreSheet.read(file)
        print(as_text(table_of_means(sheet)))
        log.info("Scores: %s\n", file)


def evaluate(cfg: DictConfig) -> list[Path]:
    """The files of the score sheets: one of each subject of each run, or one of the pictures. Other processes than the
    first return none."""
    request = read_request(Request, cfg)
    if problems := list(_problems(request)):
        raise ConfigError(problems)
    profile = request.evaluation
    assert profile is not None
    class_photos = _class_photos(request)
    if request.images is not None:
        return [_score_pictures(request, profile, class_photos)]
    runs = _runs(request.run, request.trust)
    scale = request.scale.by_role()
    shared: dict[str, Any] = {
        "encoders": request.encoders,
        "class_photos": class_photos,
        "scale": scale,
        "base": request.base,
    }
    _check(runs, profile, process_device(request.accelerator), shared)
    files = []
    for run in runs:
        own = score_run(run, profile, accelerator=request.accelerator, **shared)
        log_scores(run, own, request.report.wandb if request.report else None)
        files += own
    return files


def _problems(request: Request) -> Iterator[Problem | str]:
    if request.evaluation is None:
        yield "evaluation=none scores nothing. Choose a profile, for instance evaluation=dreambooth_paper."
    if (request.run is None) == (request.images is None):
        yield "Give either run=FOLDER, to score trained runs, or images=FOLDER, to score pictures."
    elif request.images is None:
        for name in OF_PICTURES:
            if (value := getattr(request, name)) is not None:
                yield Problem(name, value, "this is for images=FOLDER; a run knows it by itself. Leave it out.")
    else:
        if request.base is not None:
            yield Problem("base", request.base, "this is for run=FOLDER; pictures are drawn already. Leave it out.")
        if request.report is not None:
            yield "report= is for run=FOLDER; pictures belong to no run at W&B. Leave it out."
        for name in ("references", "noun"):
            if not getattr(request, name):
                yield f"{name} is missing; give {name}=..., since pictures alone do not say what they should show."


def _runs(given: str | Sequence[str] | None, trust: Sequence[str]) -> list[Run]:
    """Finished runs: those named, and those that lie in named folders."""
    assert given is not None
    found: dict[Path, Run] = {}
    for name in as_list(given):
        folder = locate(name)
        if (folder / "manifest.json").is_file():
            inside = [Run.finished(folder, trust=trust)]
        else:
            runs = [Run.open(file.parent, trust=trust) for file in sorted(files_named("manifest.json", folder))]
            states = {run: _state(run) for run in runs}
            inside = [run for run in runs if states[run] == "finished"]
            if not inside:
                raise UserError(f"run={name}: there is no finished run here. Give the folder of one, or of several.")
            for run in runs:
                if run not in inside:
                    log.warning("%s is %s, and passed over.", run.folder.name, states[run])
        found.update({run.folder.resolve(): run for run in inside})
    return list(found.values())


def _state(run: Run) -> str:
    try:
        return run.status
    except UserError:
        return "unreadable"


def _check(runs: Sequence[Run], profile: Profile, device: torch.device, shared: Mapping[str, Any]) -> None:
    """Raises UserError with the problems of all runs before the first picture is generated."""
    problems = []
    for run in runs:
        try:
            open_subjects(run, profile, device=device, **shared)
        except UserError as error:
            problems.append(f"{run.folder.name}: {error}")
    if problems:
        raise UserError("\n".join(problems))


def _score_pictures(request: Request, profile: Profile, class_photos: Sequence[Photo]) -> Path:
    assert request.images and request.references and request.noun
    folders = {
        name: locate(path) if (path := getattr(request, name)) else None
        for name in ("images", "class_images", "untuned_class_images")
    }
    if missing := [name for name, folder in folders.items() if folder and not folder.is_dir()]:
        said = ", ".join(f"{name}={getattr(request, name)}" for name in missing)
        raise UserError(f"{said}: there is no such folder. Give the folder that holds the pictures.")
    folder = folders["images"]
    assert folder is not None
    pictures = Pictures(
        folder=folder,
        class_folder=folders["class_images"],
        untuned_class_folder=folders["untuned_class_images"],
        prompts=prompts_in(request.prompts, key="prompts") if request.prompts else None,
        references=_opened(request.references, "references"),
        class_photos=class_photos,
        subject=locate(request.references).name,
        concept=Concept(request.identifier or "", request.noun),
        kind=request.kind,
        missing=request.missing,
    )
    outputs = locate(request.outputs) if request.outputs else folder / "scores"
    return score_pictures(
        pictures, profile, encoders=request.encoders, accelerator=request.accelerator, outputs=outputs
    )


def _class_photos(request: Request) -> list[Photo]:
    if request.class_photos is None:
        return []
    return photos_of(_opened(request.class_photos, "class_photos"), trained_on=False)


def _opened(path: str, key: str) -> PictureSet:
    return open_folder(path, key=key, bad_pictures="strict", background="white")
