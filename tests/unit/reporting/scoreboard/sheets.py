"""Sheets of scores as evaluation writes them, made up: every number follows from names, by a named generator."""

import zlib
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Literal

import numpy as np

from imprint.evaluation.records import Value
from imprint.evaluation.score_sheet import MetricFacts, PictureCount, Row, Scored, ScoreSheet

CATEGORIES = ("recontextualisation", "recontextualisation", "property")
# Title, direction, role and where the untuned model stands.
METRICS: Mapping[str, tuple[str, Literal["higher", "lower", "neither"], str, float]] = {
    "dino": ("DINO", "higher", "dino", 0.4),
    "clip_t": ("CLIP-T", "higher", "clip", 0.3),
    "pres": ("PRES", "lower", "dino", 0.5),
}


def sheet(
    subject: str = "dog",
    method: str = "lora",
    *,
    better_by: float = 0.0,
    seed: int = 0,
    kind: str = "object",
    settings: Mapping[str, Any] | None = None,
    measured: Mapping[str, Any] | None = None,
    shown: Mapping[str, str] | None = None,
    metrics: Sequence[str] = ("dino", "clip_t"),
    rows: Sequence[Row] = ("tuned", "untuned", "real"),
    prompts: int = 3,
    images: int = 2,
    fingerprint: str = "0123456789ab",
    profile: str = "quick",
    encoders: Mapping[str, str] | None = None,
    averaging: str = "macro",
    blank: int = 0,
    notes: Sequence[str] = (),
) -> ScoreSheet:
    """One run's. `better_by` is added to each number of the tuned model; `blank` pictures have no number.

    `measured` are settings of the metrics, `shown` what their encoders tell of themselves.
    """
    names = {"dino": "DINO ViT-S/16", "clip": "CLIP ViT-B/32", **(encoders or {})}
    told = {} if settings is None else dict(settings)
    identity = f"{method}{sorted(told.items())}"
    return ScoreSheet(
        run=f"{subject}-{method}-{zlib.crc32(f'{identity}{seed}'.encode()):08x}",
        method=method,
        settings={
            "model": "SD",
            "model.source": "mini",
            "method": method,
            "dataset": "PictureFolder",
            "dataset.path": f"photos/{subject}",
            "dataset.class_noun": subject,
            "hparams.steps": 400,
            "seed": seed,
            **told,
        },
        subject=subject,
        kind=kind,
        noun=subject,
        seed=seed,
        step=400,
        profile=profile,
        averaging=averaging,
        sampling="50 steps",
        metrics={
            name: MetricFacts(
                title=METRICS[name][0],
                better=METRICS[name][1],
                fingerprint=f"{name[:2]}{fingerprint}",
                settings={"encoder": METRICS[name][2], "self_pairs": "exclude", **(measured or {})},
                encoders={
                    METRICS[name][2]: {"name": names[METRICS[name][2]], "fingerprint": "ab" * 20, **(shown or {})}
                },
            )
            for name in metrics
        },
        pictures={
            row: PictureCount(asked=prompts * images, drawn=prompts * images - blank, failed=0, blank=blank)
            for row in rows
        },
        prompts={"subject": [(f"prompt {number}", CATEGORIES[number % 3]) for number in range(prompts)]},
        rows={
            row: {
                name: _scored(subject, name, row, f"{identity}{seed}", better_by, prompts, images, blank)
                for name in metrics
                if (row, name) != ("real", "clip_t")
            }
            for row in rows
        },
        seconds={"drawing": 1.0},
        notes=notes,
    )


def _scored(
    subject: str, metric: str, row: Row, run: str, better_by: float, prompts: int, images: int, blank: int
) -> Scored:
    common = np.random.default_rng(zlib.crc32(f"{subject}{metric}".encode()))
    own = np.random.default_rng(zlib.crc32(f"{subject}{metric}{row}{run if row == 'tuned' else ''}".encode()))
    start = METRICS[metric][3] + common.normal(0, 0.05) + {"tuned": 0.2 + better_by, "real": 0.3}.get(row, 0.0)
    values = [
        Value("subject", number, k, start + float(own.normal(0, 0.01)))
        for number in range(prompts)
        for k in range(images)
    ][blank:]
    by_category = {
        category: fmean(value.value for value in values if CATEGORIES[(value.number or 0) % 3] == category)
        for category in dict.fromkeys(CATEGORIES[(value.number or 0) % 3] for value in values)
    }
    return Scored(mean=fmean(value.value for value in values), by_category=by_category, values=values)
