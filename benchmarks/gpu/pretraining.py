"""More steps of the miniature of flows, for the minutes that are left.

Its weights are brought back as OUT/flow_unet.safetensors and OUT/flow_text_encoder.safetensors. Where they lie there,
the next start goes on from them, on any machine; on this one from its own checkpoint.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpu.device import ON_GPU
from gpu.part import Part, Skipped

KEPT = ("unet", "text_encoder")
WRITING = 30.0  # seconds kept for pictures, loading, and writing what was learned
PICTURES = 12000  # of those it learns from: to draw one takes some milliseconds of a CPU
REHEARSED = (
    "pictures=24", "validation_pictures=8", "flow.batch=4", "flow.steps=2", "checkpoint_every_s=1", "flow.warmup=1",
)  # fmt: skip


def run(part: Part) -> None:
    from imprint.locations import locate

    miniature = locate("pkg://imprint.miniature/weights")
    if not (miniature / "model_index.json").is_file():
        raise Skipped("the miniature's weights are not here")
    part.item("flow", lambda: taught(part, miniature))


def taught(part: Part, miniature: Path) -> dict[str, Any]:
    if not part.rehearse and not ON_GPU:
        raise Skipped("it is for a GPU")
    minutes = (part.left - WRITING) / 60
    if minutes < 0.3:
        raise Skipped(f"{part.left:.0f} s are left")
    start = _start(part, miniature)
    work, flow = part.scratch / "work", part.scratch / "flow"
    folders = ["--work", str(work), "--out", str(start), "--flow-out", str(flow)]
    said = _pretrain(part, ["flow", "export_flow"], folders, minutes)
    for name in KEPT:
        [weights] = (flow / name).glob("*.safetensors")
        shutil.copy(weights, part.out / f"flow_{name}.safetensors")
    return {"said": said}


def _start(part: Part, miniature: Path) -> Path:
    """What it begins at: the other miniature, or what an earlier start has brought back."""
    start = part.scratch / "start"
    if not start.is_dir():
        shutil.copytree(miniature, start)
        for name in KEPT:
            if (brought := part.out / f"flow_{name}.safetensors").is_file():
                [weights] = (start / name).glob("*.safetensors")
                shutil.copy(brought, weights)
    return start


def _pretrain(part: Part, stages: Sequence[str], folders: Sequence[str], minutes: float) -> list[str]:
    sized = [f"pictures={PICTURES}", "flow.steps=100000", "checkpoint_every_s=15"]
    command = [
        *(sys.executable, "-m", "imprint.miniature", "pretrain", "--stages", *stages, "--minutes", f"{minutes:.2f}"),
        *(*folders, "--set", *(REHEARSED if part.rehearse else sized)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr, flush=True)
    if done.returncode != 0:
        raise RuntimeError(f"pre-training ended with {done.returncode}: {done.stderr[-800:]}")
    return done.stdout.splitlines()[-6:]
