"""The memory that loading and training take at most, by what is asked of the loading. README.md says how to read it.

python benchmarks/memory.py                         prints the tables; takes minutes
python benchmarks/memory.py --stored float32        files of this type; published ones are mostly bfloat16
"""

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SIDE, STEPS, TOKENS = 128, 3, 64
CASES: Mapping[str, list[str]] = {
    "float32, as before": [],
    "float32": [],
    "bf16, as before": ["hparams.precision=bf16-mixed"],
    "bf16": ["hparams.precision=bf16-mixed"],
    "bf16, parts let go": ["hparams.precision=bf16-mixed", "trainer.keep_parts=needed"],
}
LARGE_PARTS = ("transformer", "text_encoder_2")
KINDS = ("resident", "anonymous")  # of memory
BEFORE = "as before"  # all of the model is read in float32, then moved, then cast
STATUS, MARKS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def main(stored: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sizes = json.loads(_alone("write", str(folder), stored))
        print("| part | parameters | float32 | bfloat16 |\n|---|---|---|---|")
        for name, count in sizes.items():
            print(f"| {name} | {count / 1e6:.0f} M | {4 * count / 2**20:.0f} MiB | {2 * count / 2**20:.0f} MiB |")
        print("\n| part | read in | peak | by its weights | without pages of files | by its weights |\n|" + "---|" * 6)
        for part in LARGE_PARTS:
            for dtype in ("float32", "bfloat16"):
                found = json.loads(_alone("reading", str(folder), part, dtype))
                sizes = [f"{found[kind]:.0f} MiB | {found[kind] / found['weights']:.2f}" for kind in KINDS]
                print(f"| {part} | {dtype} | {' | '.join(sizes)} |", flush=True)
        print("\n| | what | peak | ratio | without pages of files | ratio |\n|---|---|---|---|---|---|")
        for what in ("loading", "training"):
            first: Mapping[str, float] = {}
            for case in CASES:
                found = json.loads(_alone(what, str(folder), case))
                first = first or found
                columns = [f"{found[kind]:.0f} MiB | {found[kind] / first[kind]:.2f}" for kind in KINDS]
                print(f"| {what} | {case} | {' | '.join(columns)} |", flush=True)


def write(folder: str, stored: str) -> Mapping[str, int]:
    """A model in FLUX.1's topology with random weights, and pictures; numbers of parameters by part."""
    import torch
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from material import noise
    from models import byte_tokenizer
    from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel, T5TokenizerFast

    torch.manual_seed(0)
    clip = byte_tokenizer(TOKENS)
    letters = [chr(code) for code in range(33, 127)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -4.0) for letter in letters)]
    t5 = T5TokenizerFast(vocab=pieces, extra_ids=4, model_max_length=TOKENS)
    summary = CLIPTextConfig(
        vocab_size=len(clip),
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        bos_token_id=clip.bos_token_id,
        eos_token_id=clip.eos_token_id,
        pad_token_id=clip.pad_token_id,
    )
    tokens = T5Config(
        vocab_size=len(t5) + 20,
        d_model=1024,
        d_kv=64,
        d_ff=2816,
        num_layers=16,
        num_heads=16,
        feed_forward_proj="gated-gelu",
        is_encoder_decoder=False,
        use_cache=False,
    )
    pipeline = FluxPipeline(
        transformer=FluxTransformer2DModel(
            in_channels=64,
            num_layers=4,
            num_single_layers=6,
            attention_head_dim=64,
            num_attention_heads=16,
            joint_attention_dim=1024,
            pooled_projection_dim=256,
            guidance_embeds=True,
            axes_dims_rope=(16, 24, 24),
        ),
        vae=AutoencoderKL(
            block_out_channels=(64, 128, 256, 256),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            latent_channels=16,
            sample_size=SIDE,
            scaling_factor=0.3611,
            shift_factor=0.1159,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        text_encoder=CLIPTextModel(summary),
        text_encoder_2=T5EncoderModel(tokens),
        tokenizer=clip,
        tokenizer_2=t5,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    )
    parts = {name: part for name, part in pipeline.components.items() if isinstance(part, torch.nn.Module)}
    sizes = {name: sum(weight.numel() for weight in part.parameters()) for name, part in parts.items()}
    pipeline.to(dtype=getattr(torch, stored)).save_pretrained(Path(folder) / "model")
    noise(Path(folder) / "pictures", SIDE, 3)
    return sizes


def reading(folder: str, part: str, dtype: str) -> Mapping[str, float]:
    """One part of the model, onto a device that is the CPU; and MiB of its weights."""
    import accelerate  # noqa: F401 - libraries are no part of the model
    import peft  # noqa: F401
    import torch
    from diffusers import FluxTransformer2DModel  # noqa: F401
    from transformers import T5EncoderModel  # noqa: F401

    from imprint.models.loading import Loading

    source = _source(folder)
    parts = source.layout.parts
    others = frozenset(own.role for own in parts if own.name != part)
    how = Loading(dtype=getattr(torch, dtype), exact=frozenset(), absent=others, device=torch.device("cpu"))
    source.load_without_weights()
    with measured() as found:
        model = source.load_as(how)
    weights = sum(weight.nbytes for weight in model.parts[part].parameters())
    return {**found, "weights": weights / 2**20}


def loading(folder: str, case: str) -> Mapping[str, float]:
    from imprint.planning.assemble import assemble
    from imprint.planning.prepare import prepare

    plan = prepare(_configuration(folder, case))
    _as_asked(case)
    import peft  # noqa: F401 - libraries are no part of the model

    with measured() as found:
        module = assemble(plan)
        del module
    return found


def training(folder: str, case: str) -> Mapping[str, float]:
    from imprint.verbs.train import train

    cfg = _configuration(folder, case)
    _as_asked(case)
    import peft  # noqa: F401
    import pytorch_lightning  # noqa: F401

    with measured() as found:
        train(cfg)
    return found


def _configuration(folder: str, case: str) -> Any:
    from imprint.config import compose

    own = Path(folder)
    settings = [
        "model=flux",
        f"model.source={own / 'model'}",
        f"model.resolution={SIDE}",
        f"model.text_tokens={TOKENS}",
        "dataset=folder",
        f"dataset.path={own / 'pictures'}",
        "dataset.class_noun=dog",
        "dataset.identifier=x",
        f"outputs={own / case.replace(' ', '-').replace(',', '')}",
        "method=lora",
        "method.rank=4",
        f"hparams.steps={STEPS}",
        "hparams.batch_size=1",
        "samples=none",
        "report=local",
        "report.progress=off",
        "trainer.accelerator=cpu",
    ]
    return compose("train", [*settings, *CASES[case]])


def _source(folder: str) -> Any:
    from imprint.planning.prepare import prepare

    return prepare(_configuration(folder, "float32")).parts.model


def _as_asked(case: str) -> None:
    from imprint.models import loading
    from imprint.models.base import ModelSource
    from imprint.models.source import PipelineSource

    if case.endswith(BEFORE):
        PipelineSource.load_as = ModelSource.load_as  # type: ignore[method-assign,assignment]
        loading.return_freed_memory = lambda: None


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """MiB above what the process had before: at most, in all and without the pages of mapped files, which a system
    takes back when others need the memory."""
    gc.collect()
    before, over = _status(), threading.Event()
    anonymous = [before["RssAnon"]]
    MARKS.write_text("5")  # the peak begins anew

    def watch() -> None:
        while not over.wait(0.002):
            anonymous.append(_status()["RssAnon"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    found: dict[str, float] = {}
    try:
        yield found
    finally:
        over.set()
        watcher.join()
    found["resident"] = (_status()["VmHWM"] - before["VmRSS"]) / 1024
    found["anonymous"] = (max(anonymous) - before["RssAnon"]) / 1024


def _status() -> dict[str, int]:
    rows = (line.split(":", 1) for line in STATUS.read_text().splitlines())
    return {name: int(value.split()[0]) for name, value in rows if value.strip().endswith("kB")}


def _alone(*arguments: str) -> str:
    command = [sys.executable, __file__, "--child", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        what, *given = sys.argv[2:]
        print(json.dumps({"write": write, "reading": reading, "loading": loading, "training": training}[what](*given)))
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--stored", choices=("bfloat16", "float32"), default="bfloat16")
        main(parser.parse_args().stored)
