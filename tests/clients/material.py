"""Runs of every method on thin models of every family, and the files that other programs are to open."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from composed import compose
from families import FAMILIES
from small_runs import configure, draw_pictures
from thin import CHOICES, PIXELS, THIN, thin_pipeline

from imprint.runs import Run
from imprint.verbs.adopt import adopt
from imprint.verbs.export import export
from imprint.verbs.train import train

SETTINGS = ["hparams.steps=1", f"model.resolution={PIXELS}"]
ALL = ["method.targets=[attention,feed_forward,convolutions]", "method.text_lr=3e-2"]
TEXTS = {"sd1": "text", "sd2": "text", "sdxl": "text,text_2"}
FAST = ["method.lr=3e-2"]


class Taught(NamedTuple):
    """`settings` may say {text} for the text encoders of the family. `exports` are what `imprint export` is given; an
    empty one is the result as it was saved."""

    settings: Sequence[str]
    exports: Sequence[Sequence[str]]


KOHYA, LORA, WHOLE, FOLDER, WORD = (
    [f"format={name}"] for name in ("kohya", "lora", "single_file", "pipeline", "embedding")
)
RESULT: list[str] = []
METHODS = {
    "LoRA": Taught(["method=lora", *FAST], [KOHYA, LORA]),
    "LoRA everywhere, alpha 2 of 4": Taught(
        ["method=lora", "method.roles=[denoiser,{text}]", "method.rank=4", "method.alpha=2", *ALL, *FAST],
        [KOHYA, LORA, WHOLE, FOLDER, RESULT],
    ),
    "rsLoRA": Taught(["method=lora", "method.use_rslora=true", "method.alpha=3", *FAST], [KOHYA, RESULT]),
    "DoRA": Taught(["method=lora", "method.use_dora=true", *FAST], [WHOLE]),
    "LoHa": Taught(["method=loha", "method.rank=4", "method.alpha=2", *ALL, *FAST], [KOHYA]),
    "LoKr": Taught(["method=lokr", "method.rank=2", "method.alpha=1", *ALL, *FAST], [KOHYA]),
    "LoKr of whole matrices": Taught(["method=lokr", "method.rank=512", "method.alpha=256", *FAST], [KOHYA]),
    "DyLoRA": Taught(["method=dylora", *FAST], [KOHYA]),
    "pivotal tuning": Taught(
        ["method=pivotal", "dataset.identifier=auto", "method.network.lr=3e-2", "hparams.steps=2"], [KOHYA, WORD]
    ),
    "Textual Inversion": Taught(
        ["method=textual_inversion", "dataset.identifier=auto", "method.vectors=3", *FAST], [WORD]
    ),
    "Custom Diffusion": Taught(["method=custom_diffusion", "dataset.identifier=auto", *FAST], [WORD]),
    "DreamBooth": Taught(["method=dreambooth", "method.lr=1e-3"], [[*KOHYA, "rank=8"], WHOLE, FOLDER, RESULT]),
}


class Case(NamedTuple):
    """A file or folder, and what it is to come to: the whole tuned model, as a file of the original layout and as a
    folder, and `base` without it; of a word its vectors, in a file that the library reads."""

    family: str
    method: str
    format: str
    file: str
    base_file: str
    base_folder: str
    tuned_file: str | None
    tuned_folder: str | None
    word_file: str | None


def make(folder: Path, families: Sequence[str] = THIN, methods: Sequence[str] = tuple(METHODS)) -> Path:
    """Writes all of it into `folder`, what is there already excepted; returned is the list of it."""
    cases = [case._asdict() for family in families for case in _cases(folder, family, methods)]
    listed = folder / "cases.json"
    listed.write_text(json.dumps(cases, indent=2), encoding="utf-8")
    return listed


def _cases(folder: Path, family: str, methods: Sequence[str]) -> Iterator[Case]:
    base = folder / family / "base"
    if not base.is_dir():
        thin_pipeline(family, base)
    base_file = folder / family / "base.safetensors"
    if not base_file.is_file():
        model = FAMILIES[CHOICES[family]].source(base, resolution=PIXELS).load()
        model.formats["single_file"].write(base_file, torch.float32)
    pictures = draw_pictures(folder / "pictures")
    for method in methods:
        settings, exports = METHODS[method]
        own = folder / family / method.replace(" ", "-").replace(",", "")
        words = [setting.replace("{text}", TEXTS[family]) for setting in settings]
        run = train(configure(base, pictures, own / "runs", f"model={CHOICES[family]}", *SETTINGS, *words))
        for form in exports:
            format = form[0].partition("=")[2] if form else "result"
            name = format if format == "pipeline" else f"{format}.safetensors"
            file = _exported(run, own / name, form) if form else _result(run)
            # adapters that are not all of what was trained are compared with themselves
            alone = format == "kohya" and method in ("DreamBooth", "pivotal tuning")
            whole = _adopted(Path(file), family, base, pictures, own / "adopted") if alone else run
            tuned = None if format == "embedding" else own / ("nearest" if whole is not run else "tuned")
            yield Case(
                family=family,
                method=method,
                format=format,
                file=file,
                base_file=str(base_file),
                base_folder=str(base),
                tuned_file=tuned and _exported(whole, tuned.with_suffix(".safetensors"), WHOLE),
                tuned_folder=tuned and _exported(whole, tuned, FOLDER),
                word_file=next((str(word) for word in run.result.glob("learned_embeds*")), None),
            )


def _result(run: Run) -> str:
    """What diffusers is given of a result: a LoRA's file, or the folder of a pipeline."""
    return str(next(run.result.glob("pytorch_lora_weights*"), run.result))


def _adopted(file: Path, family: str, base: Path, pictures: Path, outputs: Path) -> Run:
    known = [f"model={CHOICES[family]}", f"model.source={base}", f"model.resolution={PIXELS}"]
    subject = [f"dataset.path={pictures}", "dataset.class_noun=dog", "dataset.identifier=sks"]
    return adopt(compose("adopt", [f"files={file}", f"outputs={outputs}", *known, *subject]))


def _exported(run: Run, out: Path, settings: Sequence[str]) -> str:
    if not out.exists():
        export(compose("export", [f"run={run.folder}", "dtype=float32", f"out={out}", *settings]))
    return str(out)
