"""Whether CUDA graphs or compiling repeated blocks pay: forward and backward of the bare denoiser with LoRA, batch 1.

A step that is bound by its program asks for operations more slowly than the device computes them: there a graph, which
is asked for at once, gains most. Nothing of imprint is in it, so it says what could be gained at all.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from layouts import LAYOUTS
from peft import LoraConfig
from torch import Tensor, nn

from gpu.device import DEVICE, ON_GPU, forget_peak, peak_gb, seconds_each, synchronize
from gpu.materials import REHEARSED
from gpu.part import Part, Skipped

SIZES = ("full", "sdxl_full")
TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]
WARM = 3  # passes before one is recorded

Pass = Callable[[], Any]


def run(part: Part) -> None:
    passes = {}
    for size in SIZES:
        network, inputs = _denoiser(REHEARSED[size] if part.rehearse else size)
        passes[size] = network, partial(_pass, network, inputs)
    for size, (network, work) in passes.items():
        part.item(f"{size}, as it is", partial(timed, work))
        part.item(f"{size}, CUDA graph", partial(recorded, work, network))
    for size, (network, work) in passes.items():
        part.item(f"{size}, repeated blocks compiled", partial(compiled, part, work, network))


def _denoiser(size: str) -> tuple[nn.Module, dict[str, Any]]:
    torch.manual_seed(0)
    kind = torch.bfloat16 if ON_GPU else torch.float32
    with torch.device(DEVICE):
        unet: Any = LAYOUTS[size].pipeline().unet
        unet = unet.to(dtype=kind).requires_grad_(False).train()
        unet.add_adapter(LoraConfig(r=4, lora_alpha=4, init_lora_weights="gaussian", target_modules=TARGETS))
        return unet, _as(kind, LAYOUTS[size].inputs(1))


def _as(kind: torch.dtype, inputs: Any) -> Any:
    if isinstance(inputs, dict):
        return {name: _as(kind, value) for name, value in inputs.items()}
    return inputs.to(kind) if inputs.is_floating_point() else inputs


def _pass(network: nn.Module, inputs: dict[str, Any]) -> Tensor:
    loss: Tensor = network(**inputs).sample.float().square().mean()
    loss.backward()
    return loss


def timed(work: Pass) -> dict[str, Any]:
    forget_peak()
    each = seconds_each(work)
    return {"ms": round(1000 * each, 2), "peak GB": peak_gb()}


def recorded(work: Pass, network: nn.Module) -> dict[str, Any]:
    if not ON_GPU:
        raise Skipped("CUDA graphs need a GPU")
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(WARM):
            network.zero_grad(set_to_none=True)
            work()
    torch.cuda.current_stream().wait_stream(beside)
    network.zero_grad(set_to_none=True)
    graph, began = torch.cuda.CUDAGraph(), time.perf_counter()
    with torch.cuda.graph(graph):
        work()
    took = time.perf_counter() - began
    found = timed(graph.replay)
    del graph
    network.zero_grad(set_to_none=True)
    return {**found, "s to record": round(took, 2)}


def compiled(part: Part, work: Pass, network: nn.Module) -> dict[str, Any]:
    """Changes the network, so it comes last."""
    if not hasattr(network, "compile_repeated_blocks"):
        raise Skipped("this diffusers compiles no repeated blocks")
    torch._dynamo.reset()
    began = time.perf_counter()
    network.compile_repeated_blocks(**({"backend": "eager"} if part.rehearse else {}))
    work()
    work()
    synchronize()
    return {"s until it is compiled": round(time.perf_counter() - began, 1), **timed(work)}
