"""What training takes of a GPU, by the estimate that `dry_run=true` gives: into docs/memory.md, between its marks.

python benchmarks/memory_table.py              goes on where it was; build/memory_table.json has what is known already
python benchmarks/memory_table.py --again      forgets that
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from published import PUBLISHED, without_weights  # noqa: E402
from small_runs import draw_pictures  # noqa: E402

from imprint.config import compose  # noqa: E402
from imprint.files import write_text  # noqa: E402
from imprint.planning.memory.estimate import Unknown, estimate  # noqa: E402
from imprint.planning.prepare import prepare  # noqa: E402

PAGE, KNOWN = ROOT / "docs/memory.md", ROOT / "build/memory_table.json"
BEGIN, END = "<!-- memory table: made by `make memory-table` -->", "<!-- end of the memory table -->"
METHODS: Mapping[str, Sequence[str]] = {
    "LoRA": ["method=lora", "method.rank=16"],
    "Textual Inversion": ["method=textual_inversion", "dataset.identifier=auto"],
    "DreamBooth": ["method=dreambooth"],
}
CHEAP = ["hparams.precision=bf16-mixed", "trainer.keep_parts=needed", "trainer.gradient_checkpointing=true"]
SETTINGS: Mapping[str, Sequence[str]] = {"kept cheap": CHEAP, "plain": []}
COLUMNS = [
    ("LoRA", "kept cheap"),
    ("Textual Inversion", "kept cheap"),
    ("DreamBooth", "kept cheap"),
    ("LoRA", "plain"),
]
GIB = 2**30


def main(*, again: bool) -> None:
    known = {} if again or not KNOWN.is_file() else json.loads(KNOWN.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pictures = draw_pictures(folder / "pictures", size=(64, 64))
        for (method, settings), model in product(COLUMNS, PUBLISHED):
            name = f"{model} {method} {settings}"
            if name not in known:
                known[name] = _estimated(model, method, settings, folder, pictures)
                write_text(KNOWN, json.dumps(known, indent=1))
                print(name, known[name], flush=True)
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{_table(known)}{END}{rest.split(END)[1]}", encoding="utf-8")


def _estimated(model: str, method: str, settings: str, folder: Path, pictures: Path) -> Mapping[str, float | str]:
    """GiB by phase, and billions of parameters by part."""
    place = folder / model
    if not place.exists():
        without_weights(model, place)
    plan = prepare(
        compose(
            "train",
            [
                f"model={model}",
                f"model.source={place}",
                "dataset=folder",
                f"dataset.path={pictures}",
                "dataset.class_noun=dog",
                f"outputs={folder / 'runs'}",
                "hparams.batch_size=1",
                "samples=none",
                "report=local",
                "trainer.memory=24GB",
                *METHODS[method],
                *SETTINGS[settings],
            ],
        )
    )
    found = estimate(plan, torch.device("cuda"))
    if isinstance(found, Unknown):
        return {"reason": found.reason}
    roles = plan.parts.model.meta_model().roles
    counts = {role: sum(weight.numel() for weight in part.parameters()) / 1e9 for role, part in roles.items()}
    return {
        "peak": found.peak / GIB,
        "phase": found.largest.name,
        "denoiser": counts["denoiser"],
        "texts": sum(counts.values()) - counts["denoiser"],
    }


def _table(known: Mapping[str, Mapping[str, float | str]]) -> str:
    titles = [
        "model",
        "parameters of denoiser, text encoders",
        *(f"{method}, {settings}" for method, settings in COLUMNS),
    ]
    lines = [f"| {' | '.join(titles)} |", "|---|---|" + "---|" * len(COLUMNS)]
    for model in PUBLISHED:
        first = known[f"{model} LoRA kept cheap"]
        counts = f"{first['denoiser']:.2f}, {first['texts']:.2f} billion"
        cells = [_cell(known[f"{model} {method} {settings}"]) for method, settings in COLUMNS]
        lines.append(f"| `{model}` | {counts} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(found: Mapping[str, float | str]) -> str:
    return f"{found['peak']:.1f}" if "peak" in found else "not known"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true")
    main(again=parser.parse_args().again)
