"""What no trainer can go below here: the bare denoiser, and the imports. README.md compares targets with it.

python benchmarks/floors.py                        all sizes for a CPU
python benchmarks/floors.py mini sdxl flux
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from layouts import LAYOUTS
from models import model_of
from torch import nn

SIZES = ("mini", "mid", "sdxl", "flux", "z_image")
CONVOLVES = ("sd", "sdxl")  # families whose denoisers the layout of convolutions matters to
BATCHES = (1, 12)
LEARNING = {"sample", "encoder_hidden_states", "hidden_states", "x", "cap_feats"}  # inputs with a gradient
IMPORTS = """
import time, torch, torch._dynamo
from transformers import CLIPTextModel
from diffusers import UNet2DConditionModel
print(time.process_time())
"""


def main(sizes: list[str], rounds: int) -> None:
    torch.set_num_threads(1)
    print("| size | samples | layout | denormals | forward | backward |\n|---|---|---|---|---|---|")
    for size in sizes:
        network = denoiser(size)
        is_convolutional = LAYOUTS[size].family in CONVOLVES
        for layout in (
            (torch.contiguous_format, torch.channels_last) if is_convolutional else (torch.contiguous_format,)
        ):
            network.to(memory_format=layout)
            for samples in BATCHES:
                for denormals in (True, False):
                    torch.set_flush_denormal(not denormals)
                    there, back = passes(network, LAYOUTS[size].inputs(samples), samples, rounds)
                    told = "channels last" if layout is torch.channels_last else "usual"
                    kept = "kept" if denormals else "zero"
                    print(f"| {size} | {samples} | {told} | {kept} | {there:.1f} ms | {back:.1f} ms |", flush=True)
    seconds = [float(_output([sys.executable, "-c", IMPORTS])) for _ in range(3)]
    print(f"\nImporting the libraries: {statistics.median(seconds):.2f} s")


def denoiser(size: str) -> nn.Module:
    """Frozen, as where adapters learn."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, _ = model_of(size, Path(scratch))
        pipeline: Any = DiffusionPipeline.from_pretrained(folder)
    network: nn.Module = getattr(pipeline, "unet", None) or pipeline.transformer
    return network.requires_grad_(False).train()


def passes(network: nn.Module, inputs: dict[str, Any], samples: int, rounds: int) -> tuple[float, float]:
    """Milliseconds a sample, forward and backward to the inputs: medians."""
    for name in LEARNING.intersection(inputs):
        for tensor in inputs[name] if isinstance(inputs[name], list) else [inputs[name]]:
            tensor.requires_grad_()
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        predicted = network(**inputs, return_dict=False)[0]
        turned = time.process_time()
        sum(each.square().mean() for each in predicted).backward()
        taken.append((turned - began, time.process_time() - turned))
    there, back = (1000 * statistics.median(each) / samples for each in zip(*taken, strict=True))
    return there, back


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=9, help="(%(default)s)")
    given = parser.parse_args()
    main(given.sizes, given.rounds)
