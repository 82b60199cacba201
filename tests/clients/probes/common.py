"""What every client's probe does: it reads the list of cases, and says what became of each.

A probe runs in the client's own Python, with its own libraries. Of imprint it knows nothing.
"""

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

Case = dict[str, Any]
Weights = Mapping[str, torch.Tensor]
Found = dict[str, Any]  # keys, used, error (largest relative), note


def run(examine: Callable[[Case], Found | None]) -> None:
    """`python probe.py cases.json found.json`; `examine` returns None for cases that are not for this client."""
    torch.set_num_threads(1)
    cases, out = Path(sys.argv[1]), Path(sys.argv[2])
    found = []
    for case in json.loads(cases.read_text(encoding="utf-8")):
        try:
            result = examine(case)
        except Exception as error:  # a client may fail in any way, which is a finding
            traceback.print_exc()
            reason = (str(error).splitlines() or [""])[0][:200]
            result = {"note": f"{type(error).__name__}: {reason}"}
        if result is not None:
            found.append({**{name: case[name] for name in ("family", "method", "format")}, **result})
        out.write_text(json.dumps(found), encoding="utf-8")


def relative_error(ours: Weights, theirs: Weights, base: Weights) -> float:
    """The largest difference of a layer's change from what it is to be, relative to that layer's largest change; of a
    layer that is to stay as it is, relative to its largest weight."""
    worst = 0.0
    for name, tuned in ours.items():
        before, after = base[name].float(), theirs[name].float()
        change = (tuned.float() - before).abs().max()
        size = change if change > 0 else before.abs().max().clamp(min=1e-12)
        worst = max(worst, float((after - tuned.float()).abs().max() / size))
    return worst


def networks_only(file: str) -> dict[str, torch.Tensor]:
    """A whole model's weights without the autoencoder's, which no method changes."""
    return {name: weight for name, weight in load_file(file).items() if not name.startswith("first_stage_model.")}


def word(case: Case) -> torch.Tensor:
    """The vectors that a case teaches a model with one vocabulary."""
    return next(iter(load_file(case["word_file"]).values()))
