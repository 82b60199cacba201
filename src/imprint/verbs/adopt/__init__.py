"""imprint adopt: files that were trained elsewhere as a finished run, to draw, score, export and compare."""

from dataclasses import dataclass

from omegaconf import DictConfig

from imprint.config import resolved
from imprint.construct import Constructor
from imprint.data.dataset import Dataset
from imprint.data.joint import JointDataset
from imprint.errors import ConfigError, Problem
from imprint.locations import locate
from imprint.models.base import ModelSource
from imprint.planning.naming import find_nouns
from imprint.planning.subjects import find_concepts, find_subjects
from imprint.runs import Run
from imprint.verbs.adopt.reading import named, read
from imprint.verbs.adopt.writing import written


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `adopt.yaml` asks for, but for the model and the pictures."""

    files: str | list[str]
    partial: bool
    name: str | None
    outputs: str


def main(cfg: DictConfig) -> None:
    adopt(cfg)


def adopt(cfg: DictConfig) -> Run:
    """The finished run. Raises UserError for files that do not fit the model, naming what does not."""
    tree = resolved(cfg)
    constructor = Constructor()
    asked = {key: tree[key] for key in ("files", "partial", "name", "outputs")}
    request: Request | None = constructor.build({**asked, "_target_": f"{__name__}.Request"}, "")
    model: ModelSource | None = constructor.build(tree["model"], "model")
    dataset: Dataset | JointDataset | None = constructor.build(tree["dataset"], "dataset")
    if constructor.problems:
        raise ConfigError(constructor.problems)
    assert request and model and dataset
    if isinstance(dataset, JointDataset):
        raise ConfigError([Problem("dataset", "joint", "files are adopted for one subject. Give dataset=folder.")])
    facts, outline = model.facts(), model.meta_model()
    files = [locate(file) for file in ([request.files] if isinstance(request.files, str) else request.files)]
    found = read(files, outline, partial=request.partial)
    dataset.identifier, word = named(found, dataset.identifier, dataset.class_noun, files, facts)
    problems: list[Problem | str] = []
    nouns = find_nouns(dataset, model, problems)
    subjects = find_subjects(dataset, find_concepts(dataset, nouns, facts, None, problems), problems)
    if problems:
        raise ConfigError(problems)
    assert subjects
    found = found._replace(word=word)
    return written(
        cfg,
        found,
        partial=request.partial,
        facts=facts,
        outline=outline,
        subject=subjects[0],
        name=request.name or files[0].stem,
        outputs=locate(request.outputs),
    )
