"""diffusers' example scripts, as they are: a launch for each task."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from task import WORD, Material, Method, Task

LAUNCHER = Path(__file__).parents[1] / "peer_script.py"
SCRIPTS: Mapping[str, Mapping[Method, str]] = {  # by family
    "sd": {
        "dreambooth": "examples/dreambooth/train_dreambooth.py",
        "lora": "examples/dreambooth/train_dreambooth_lora.py",
        "textual_inversion": "examples/textual_inversion/textual_inversion.py",
    },
    "sdxl": {
        "lora": "examples/dreambooth/train_dreambooth_lora_sdxl.py",
        "textual_inversion": "examples/textual_inversion/textual_inversion_sdxl.py",
    },
    "flux": {"lora": "examples/dreambooth/train_dreambooth_lora_flux.py"},
    "z_image": {"lora": "examples/dreambooth/train_dreambooth_lora_z_image.py"},
}
FLOWS = ("flux", "z_image")


def missing(checkout: Path) -> list[str]:
    """The scripts that a checkout lacks."""
    scripts = [script for by_method in SCRIPTS.values() for script in by_method.values()]
    return [script for script in scripts if not (checkout / script).is_file()]


def programs(checkout: Path, tasks: Sequence[Task], material: Material, outputs: Path) -> list[list[str]]:
    return [_program(checkout, task, material, outputs, number) for number, task in enumerate(tasks)]


def result(outputs: Path, number: int) -> Path:
    return outputs / f"{number:02}"


def _program(checkout: Path, task: Task, material: Material, outputs: Path, number: int) -> list[str]:
    taught = _word if task.method == "textual_inversion" else _prompted
    return [
        str(LAUNCHER),
        str(checkout / SCRIPTS[material.family][task.method]),
        f"--pretrained_model_name_or_path={material.model}",
        f"--output_dir={result(outputs, number)}",
        f"--resolution={material.resolution}",
        "--center_crop",
        f"--train_batch_size={task.batch_size}",
        f"--max_train_steps={task.steps}",
        f"--learning_rate={task.lr}",
        "--lr_scheduler=constant",
        "--lr_warmup_steps=0",
        f"--seed={task.seed}",
        *(["--mixed_precision=bf16"] if task.precision == "bf16" else []),
        *taught(task, material, outputs),
    ]


def _word(task: Task, material: Material, outputs: Path) -> list[str]:
    return [
        f"--train_data_dir={material.pictures}",
        "--learnable_property=object",
        f"--placeholder_token={WORD}",
        f"--initializer_token={material.noun}",
    ]


def _prompted(task: Task, material: Material, outputs: Path) -> list[str]:
    options = [f"--instance_data_dir={material.pictures}", f"--instance_prompt={material.prompt}"]
    if task.method == "lora":
        options.append(f"--rank={task.rank}")
    if material.family in FLOWS:
        options += [f"--lora_alpha={task.rank}", f"--max_sequence_length={material.tokens}", "--guidance_scale=1"]
        options += ["--cache_latents"] if task.peer_caches else []
    if task.prior != "none":
        folder = material.class_pictures if task.prior == "found" else outputs / "class"
        options += [
            "--with_prior_preservation",
            f"--class_data_dir={folder}",
            f"--class_prompt={material.class_prompt}",
            f"--num_class_images={task.class_count}",
            *([f"--prior_generation_precision={'bf16' if task.precision == 'bf16' else 'fp32'}"]),
        ]
    return options
