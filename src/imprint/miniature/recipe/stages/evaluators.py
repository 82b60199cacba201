"""What judges pictures: trained apart from the generator, on other individuals' pictures."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from transformers import CLIPModel, CLIPTokenizer

from imprint.miniature.recipe import clip, instance, oracle, tokenizer
from imprint.miniature.recipe.bundle import write_clip, write_instance, write_oracle
from imprint.miniature.recipe.pictures import drawn, rendered
from imprint.miniature.recipe.stages.job import Job
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import Scene


def train_clip(job: Job) -> None:
    s, known = job.settings, job.continue_evaluators_from
    words = CLIPTokenizer.from_pretrained(known / "clip") if known else tokenizer.build(job.work / "tokenizer")
    start = CLIPModel.from_pretrained(known / "clip", dtype=torch.float32) if known else None
    pictures, scenes = _evaluators_pictures(job)
    course = job.course("clip", s.clip)
    model = clip.train(s.clip, pictures, scenes, words, course=course, validation=s.validation_pictures, start=start)
    write_clip(model, words, job.evaluators / "clip")


def train_instance(job: Job) -> None:
    s = job.settings
    views = s.instance.views
    scene_at = partial(instance.view_number, s.seed, views)
    pictures = drawn(job.work, f"individuals-{s.seed}-{views}", s.instance.individuals * views, scene_at)
    model = instance.train(s.instance, pictures, course=job.course("instance", s.instance))
    write_instance(model, job.evaluators / "instance")


def train_oracle(job: Job) -> None:
    s = job.settings
    pictures, scenes = _evaluators_pictures(job)
    course = job.course("oracle", s.oracle)
    model = oracle.train(s.oracle, pictures, scenes, course=course, validation=s.validation_pictures)
    write_oracle(model, s.oracle.channels, job.evaluators / "oracle")


def _evaluators_pictures(job: Job) -> tuple[np.ndarray, list[Scene]]:
    """Other pictures than the generator's: no evaluator has seen what the generator learnt from."""
    seed, count = job.settings.seed + 1, job.settings.pictures
    return rendered(job.work, seed=seed, count=count), [pretraining_scene(seed, i) for i in range(count)]
