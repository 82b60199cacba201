"""The estimate of memory beside what training takes, on models of middle size: into docs/memory.md, between its marks.

python benchmarks/memory_plan.py                     goes on where it was; build/memory_plan.json has what is known
python benchmarks/memory_plan.py --again flux sd15   forgets that of these models, and measures them alone

README.md says how to read it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from memory import measured

ROOT = Path(__file__).parents[1]
PAGE, KNOWN = ROOT / "docs/memory.md", ROOT / "build/memory_plan.json"
BEGIN, END = "<!-- measured: made by `python benchmarks/memory_plan.py` -->", "<!-- end of what was measured -->"
SIDE, TINY_SIDE, STEPS = 256, 64, 2  # a tiny model of some families goes no further
WORD = "dataset.identifier=auto"  # which the method makes
METHODS: Mapping[str, Sequence[str]] = {
    "lora": ["method=lora"],
    "loha": ["method=loha"],
    "lokr": ["method=lokr"],
    "dylora": ["method=dylora"],
    "textual_inversion": ["method=textual_inversion", WORD],
    "pivotal": ["method=pivotal", WORD],
    "custom_diffusion": ["method=custom_diffusion", WORD],
    "dreambooth": ["method=dreambooth"],
}
PLAIN, CHEAP = "plain", "kept cheap"
SETTINGS: Mapping[str, Sequence[str]] = {
    PLAIN: [],
    CHEAP: ["hparams.precision=bf16-mixed", "trainer.keep_parts=needed", "trainer.gradient_checkpointing=true"],
}
# Every family with every method would take a day: each family with each of the settings, and each method in families of
# several kinds.
CASES: Mapping[str, Sequence[tuple[str, str]]] = {
    "sd15": [("lora", PLAIN), ("lora", CHEAP), ("dreambooth", PLAIN), ("custom_diffusion", PLAIN)],
    "sdxl": [("lora", PLAIN), ("lokr", CHEAP), ("textual_inversion", CHEAP), ("dreambooth", PLAIN)],
    "sd3": [("lora", PLAIN), ("loha", CHEAP), ("dreambooth", CHEAP)],
    "flux": [("lora", PLAIN), ("lora", CHEAP), ("pivotal", PLAIN), ("dreambooth", CHEAP)],
    "chroma": [("lora", PLAIN), ("dylora", CHEAP), ("textual_inversion", PLAIN)],
    "flux2_klein": [("lokr", PLAIN), ("lora", CHEAP), ("dreambooth", PLAIN)],
    "flux2": [("lora", PLAIN), ("textual_inversion", CHEAP)],
    "z_image": [("loha", PLAIN), ("lora", CHEAP), ("dreambooth", PLAIN)],
    "qwen_image": [("lora", PLAIN), ("pivotal", CHEAP)],
    "krea2": [("dylora", PLAIN), ("lora", CHEAP), ("textual_inversion", PLAIN)],
    "sana": [("lora", PLAIN), ("lora", CHEAP), ("dreambooth", PLAIN)],
}

# What is freed goes back to the system at once. Otherwise what the C library keeps would be measured, a third of all.
# And kernels that oneDNN compiles for each size of a product, in bfloat16 on a CPU, are not kept: they belong to the
# program.
RETURNED = {
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "MALLOC_ARENA_MAX": "1",
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "0",
    "LRU_CACHE_CAPACITY": "1",  # of what torch keeps of them
}


def main(models: Sequence[str], *, again: bool) -> None:
    known = json.loads(KNOWN.read_text(encoding="utf-8")) if KNOWN.is_file() else {}
    if again:
        known = {name: found for name, found in known.items() if name.split()[0] not in models}
    with tempfile.TemporaryDirectory() as scratch:
        for model in models:
            missing = [case for case in CASES[model] if _name(model, *case) not in known]
            if missing:
                folder = Path(scratch) / model
                _alone("write", model, str(folder))
                found = _alone("compare", model, str(folder), *(text for case in missing for text in case))
                for case, own in zip(missing, found, strict=True):
                    known[_name(model, *case)] = own
                    print(_row(model, *case, own), flush=True)
                KNOWN.parent.mkdir(exist_ok=True)
                KNOWN.write_text(json.dumps(known, indent=1), encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{_table(known)}{END}{rest.split(END)[1]}", encoding="utf-8")


def _name(model: str, method: str, settings: str) -> str:
    return f"{model} {method} {settings}"


def _table(known: Mapping[str, Mapping[str, float | str]]) -> str:
    titles = ("model", "method", "settings", "estimate", "largest phase", "measured", "estimate / measured")
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    cases = [(model, *case) for model, cases in CASES.items() for case in cases]
    lines += [_row(*case, known[_name(*case)]) for case in cases if _name(*case) in known]
    return "\n".join(lines) + "\n"


def _row(model: str, method: str, settings: str, found: Mapping[str, float | str]) -> str:
    estimate, peak = float(found["estimate"]), float(found["anonymous"])
    columns = [
        model,
        method,
        settings,
        f"{estimate:.0f} MiB",
        found["phase"],
        f"{peak:.0f} MiB",
        f"{estimate / peak:.2f}",
    ]
    return f"| {' | '.join(map(str, columns))} |"


def write(model: str, folder: str) -> None:
    from material import noise
    from published import of_middle_size

    of_middle_size(model, Path(folder) / "model")
    noise(Path(folder) / "pictures", SIDE, 3)


def compare(model: str, folder: str, *given: str) -> None:
    """For each method and settings a line: the estimate, and what a process of its own had at most beyond what a run of
    a tiny model left in it, without pages of mapped files."""
    import peft  # noqa: F401 - libraries are no part of the model
    import pytorch_lightning  # noqa: F401
    from published import tiny_model

    import imprint.fitting
    import imprint.verbs.train  # noqa: F401

    own = Path(folder)
    tiny_model(model, own / "tiny")
    for method, settings in zip(given[::2], given[1::2], strict=True):
        if (child := os.fork()) == 0:  # with all that is imported, and nothing else in memory
            status = 1
            try:
                print(json.dumps(_compared(model, own, method, settings)), flush=True)
                status = 0
            except BaseException:
                traceback.print_exc()
            os._exit(status)
        if os.waitpid(child, 0)[1]:
            raise SystemExit(f"{model} {method} {settings}: failed")


def _compared(model: str, own: Path, method: str, settings: str) -> Mapping[str, float | str]:
    from imprint.planning.memory.estimate import Unknown, estimate
    from imprint.planning.prepare import prepare
    from imprint.verbs.train import train

    # so that all that is imported is there
    train(_configuration(model, own / "tiny", own, (method, settings), side=TINY_SIDE))
    cfg = _configuration(model, own / "model", own, (method, settings), side=SIDE)
    plan = prepare(cfg)
    found = estimate(plan, plan.parts.trainer.device)
    if isinstance(found, Unknown):
        raise SystemExit(found.reason)
    with measured() as peak:
        train(cfg)
    return {"estimate": found.peak / 2**20, "phase": found.largest.name, **peak}


def _configuration(model: str, source: Path, own: Path, case: tuple[str, str], *, side: int) -> Any:
    from published import settings_of

    from imprint.config import compose

    method, settings = case
    return compose(
        "train",
        [
            f"model={model}",
            f"model.source={source}",
            f"model.resolution={side}",
            "dataset=folder",
            f"dataset.path={own / 'pictures'}",
            "dataset.class_noun=dog",
            "dataset.identifier=x",
            f"outputs={own / 'runs' / source.name / method / settings}",
            f"hparams.steps={STEPS}",
            "hparams.batch_size=1",
            "samples=none",
            "report=local",
            "report.progress=off",
            "trainer.accelerator=cpu",
            "trainer.memory=null",
            *settings_of(model),
            *METHODS[method],
            *SETTINGS[settings],
        ],
    )


def _alone(*arguments: str) -> Sequence[Mapping[str, float | str]]:
    """In a process of its own, whose memory nothing has used before."""
    command = [sys.executable, __file__, "--child", *arguments]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | RETURNED).stdout
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        what, *given = sys.argv[2:]
        {"write": write, "compare": compare}[what](*given)
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("models", nargs="*", metavar="MODEL", default=[], help=", ".join(CASES))
        parser.add_argument("--again", action="store_true", help="measure anew what is known")
        given = parser.parse_args()
        main(given.models or list(CASES), again=given.again)
