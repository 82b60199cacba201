"""What no trainer can go below here: the bare UNet, and the imports. README.md compares targets with it.

python benchmarks/floors.py            both sizes for a CPU
python benchmarks/floors.py mini
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from layouts import LAYOUTS
from models import model_of

BATCHES = (1, 12)
ROUNDS = 9
IMPORTS = """
import time, torch, torch._dynamo
from transformers import CLIPTextModel
from diffusers import UNet2DConditionModel
print(time.process_time())
"""


def main(sizes: list[str]) -> None:
    torch.set_num_threads(1)
    print("| size | samples | layout | denormals | forward | backward |\n|---|---|---|---|---|---|")
    for size in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            folder, _ = model_of(size, Path(scratch))
            unet = UNet2DConditionModel.from_pretrained(folder / "unet").requires_grad_(False)
        for layout in (torch.contiguous_format, torch.channels_last):
            unet.to(memory_format=layout)
            for samples in BATCHES:
                for denormals in (True, False):
                    torch.set_flush_denormal(not denormals)
                    there, back = passes(unet, samples, LAYOUTS[size].tokens)
                    told = "channels last" if layout is torch.channels_last else "usual"
                    kept = "kept" if denormals else "zero"
                    print(f"| {size} | {samples} | {told} | {kept} | {there:.1f} ms | {back:.1f} ms |", flush=True)
    seconds = [float(_output([sys.executable, "-c", IMPORTS])) for _ in range(3)]
    print(f"\nImporting the libraries: {statistics.median(seconds):.2f} s")


def passes(unet: UNet2DConditionModel, samples: int, length: int) -> tuple[float, float]:
    """Milliseconds a sample, forward and backward: medians."""
    config = unet.config
    noisy = torch.randn(samples, config.in_channels, config.sample_size, config.sample_size).requires_grad_()
    timesteps = torch.randint(0, 1000, (samples,))
    tokens = torch.randn(samples, length, config.cross_attention_dim).requires_grad_()
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        output = unet(noisy, timesteps, tokens).sample
        turned = time.process_time()
        output.square().mean().backward()
        taken.append((turned - began, time.process_time() - turned))
    there, back = (1000 * statistics.median(each) / samples for each in zip(*taken, strict=True))
    return there, back


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", default=["mini", "mid"])
    main(parser.parse_args().sizes)
