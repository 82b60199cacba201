"""A run's scores under a profile: draws what is missing, measures, and writes the sheet."""

import gc
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from imprint.build.assemble import COMPUTE_TYPES
from imprint.build.galleries import Drawn, galleries
from imprint.build.judged import Judged, open_judged
from imprint.build.measuring import Exhibits, Measured, keep, measure
from imprint.build.trained import trained_family
from imprint.evaluation.drawing import Draw, complete
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.fingerprints import facts_of, fingerprint
from imprint.evaluation.gallery import Gallery
from imprint.evaluation.profile import SUBJECT, Profile
from imprint.evaluation.records import Photo
from imprint.evaluation.sheet import MetricFacts, Row, ScoreSheet
from imprint.families.base import Family
from imprint.methods.base import scale_key
from imprint.runs import Run
from imprint.training.trainer import process_device, process_rank

log = logging.getLogger(__name__)

Galleries = Mapping[Drawn, Mapping[str, Gallery]]


def score_run(
    run: Run,
    profile: Profile,
    *,
    accelerator: str = "auto",
    encoders: Mapping[str, Encoder] | None = None,
    class_photos: Sequence[Photo] = (),
    scale: Mapping[str, float] | None = None,
) -> Path | None:
    """The sheet's file, `run.folder/scores/<profile>-<fingerprint>.json`. What is there already is not drawn again.

    `encoders` take the place of the model's and the profile's, by role; `scale` is the strength of what was trained,
    by part of the model. Of several processes that do this together, only the first measures; the others return None.
    Raises UserError, before anything is drawn, with everything that stands in the way.
    """
    device = process_device(accelerator)
    judged = open_judged(
        run, profile, encoders=encoders or {}, class_photos=class_photos, scale=scale or {}, device=device
    )
    found = galleries(judged, profile)
    began = time.monotonic()
    _draw(judged, profile, found, device)
    if process_rank() != 0:
        return None
    drawn = time.monotonic()
    measured = measure(exhibits(judged, profile, found), profile, judged.features)
    seconds = {"drawing": drawn - began, "measuring": time.monotonic() - drawn}
    sheet = _sheet(judged, profile, measured, seconds)
    file = keep(sheet, run.folder / "scores")
    _note(run, sheet, file)
    return file


def scored(
    run: Run, profile: Profile, *, accelerator: str = "auto", encoders: Mapping[str, Encoder] | None = None
) -> Path | None:
    """The sheet that `score_run` would write for a finished run, if it is there and nothing is left to be drawn."""
    device = process_device(accelerator)
    judged = open_judged(run, profile, encoders=encoders or {}, class_photos=(), scale={}, device=device)
    sampling, metrics = _meaning(judged, profile)
    fingerprints = {name: facts.fingerprint for name, facts in metrics.items()}
    for file in sorted((run.folder / "scores").glob(f"{profile.name}-*.json")):
        sheet = ScoreSheet.read(file)
        alike = sheet.sampling == sampling and set(sheet.pictures) == {"tuned", *profile.rows}
        whole = not any(count.failed for count in sheet.pictures.values())
        if alike and whole and {name: facts.fingerprint for name, facts in sheet.metrics.items()} == fingerprints:
            return file
    return None


def _draw(judged: Judged, profile: Profile, found: Galleries, device: torch.device) -> None:
    """A model is only loaded where a picture of its is missing, and one at a time."""
    for tuned in (True, False):
        lacking = [
            (row, name, gallery)
            for row, sets in found.items()
            for name, gallery in sets.items()
            if (row == "tuned") == tuned and gallery.missing()
        ]
        if not lacking:
            continue
        with _loaded(judged, tuned=tuned, device=device) as family:
            draw = drawer(family, judged, profile, device)
            for row, name, gallery in lacking:
                complete(gallery, draw, batch_size=profile.batch_size, told=f"{judged.run.folder.name}, {row} {name}")


@contextmanager
def _loaded(judged: Judged, *, tuned: bool, device: torch.device) -> Iterator[Family]:
    family = trained_family(judged.run, scale=judged.scale).family if tuned else judged.source.model.load()
    yield family.to(device)
    del family
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def drawer(family: Family, judged: Judged, profile: Profile, device: torch.device) -> Draw:
    dtype = COMPUTE_TYPES[profile.precision]
    height, width = judged.size

    def draw(prompts: Sequence[str], seeds: Sequence[int]) -> list[Any]:
        with torch.no_grad(), torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
            return family.generate(prompts, seeds, sampler=judged.source.model.sampler, height=height, width=width)

    return draw


def exhibits(judged: Judged, profile: Profile, found: Galleries) -> Exhibits:
    drawn: dict[Row, Mapping[str, Any]] = {
        row: {name: gallery.shots() for name, gallery in sets.items()} for row, sets in found.items()
    }
    asked: dict[Row, int] = {row: sum(len(gallery.orders) for gallery in sets.values()) for row, sets in found.items()}
    of_subject = found["tuned"].get(SUBJECT)
    return Exhibits(
        subject=judged.subject,
        concept=judged.concept,
        drawn=drawn,
        asked=asked,
        to_copy=[(order.asked, order.prompt) for order in of_subject.orders] if of_subject else [],
        photos=judged.photos,
        class_photos=judged.class_photos,
        prompts=profile.templates(judged.kind),
    )


def _sheet(judged: Judged, profile: Profile, measured: Measured, seconds: Mapping[str, float]) -> ScoreSheet:
    config = judged.run.read()["config"]
    sampling, metrics = _meaning(judged, profile)
    return ScoreSheet(
        run=judged.run.folder.name,
        method=str(config["method"]["_target_"]).split(".")[-2],
        settings={**dict(_flat(config)), **{scale_key(role): value for role, value in judged.scale.items()}},
        subject=judged.subject,
        kind=judged.kind,
        noun=judged.concept.noun,
        seed=config["seed"],
        step=config["hparams"]["steps"],
        profile=profile.name,
        averaging=profile.averaging,
        sampling=sampling,
        metrics=metrics,
        pictures=measured.pictures,
        prompts=profile.templates(judged.kind),
        rows=measured.rows,
        seconds=seconds,
        notes=[*judged.notes, *measured.notes],
    )


def _meaning(judged: Judged, profile: Profile) -> tuple[str, Mapping[str, MetricFacts]]:
    """The fingerprint of how the pictures are made, and what each number is."""
    sampling = {
        "sampler": judged.source.model.sampler._asdict(),
        "size": list(judged.size),
        "precision": profile.precision,
    }
    sets = profile.sets()
    strength = {"scale": dict(judged.scale)} if judged.scale else {}
    metrics = facts_of(profile, judged.features.encoders, sampling=sampling, sets=sets)
    return fingerprint({**sampling, "sets": sets, **strength}), metrics


JUDGED_PARTS = ("model", "method", "dataset", "prior", "objective", "hparams", "optimizer")


def _flat(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What was set of the parts that make a result: dotted key -> plain value."""
    for part in JUDGED_PARTS:
        for key, value in _leaves(config.get(part, {}), part):
            if key.startswith("model.encoders") or key.endswith("._partial_"):
                continue
            if key.endswith("._target_"):
                yield key.removesuffix("._target_"), str(value).rpartition(".")[2]
            else:
                yield key, value
    yield "seed", config["seed"]


def _leaves(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for name, part in node.items():
            yield from _leaves(part, f"{key}.{name}")
    else:
        yield key, node


def _note(run: Run, sheet: ScoreSheet, file: Path) -> None:
    """In the manifest, beside what other evaluations have noted, even at the same moment."""
    means = {row: {name: scored.mean for name, scored in scores.items()} for row, scores in sheet.rows.items()}
    told = {"profile": sheet.profile, "file": file.relative_to(run.folder).as_posix(), "means": means["tuned"]}
    with FileLock(run.folder / "scores" / ".lock"):
        run.note({"scores": {**run.read().get("scores", {}), file.stem: told}})
