"""A command of another trainer's script as one of imprint's."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

import yaml

from imprint.config import choices, conf_folder
from imprint.errors import UserError
from imprint.migration.prompts import SubjectWords, words_of
from imprint.migration.table import flags
from imprint.overrides import as_override, in_quotes

# What a script trains, by its name; the first that fits. The model is that of the part in brackets. Third, how it is
# shown.
SCRIPTS: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "diffusers": (
        (r"textual_inversion(_sdxl)?", "textual_inversion", "textual_inversion.py"),
        (r"train_custom_diffusion", "custom_diffusion", "train_custom_diffusion.py"),
        (r"train_dreambooth_lora_(sdxl|sd15)_advanced", "pivotal", "train_dreambooth_lora_sdxl_advanced.py"),
        (r"train_dreambooth_lora(?:_(\w+))?", "lora", "train_dreambooth_lora_MODEL.py"),
        (r"train_dreambooth(?:_(\w+))?", "dreambooth", "train_dreambooth_MODEL.py"),
        (r"train_text_to_image_lora(?:_(\w+))?", "lora", "train_text_to_image_lora_MODEL.py"),
        (r"train_text_to_image(?:_(\w+))?", "dreambooth", "train_text_to_image_MODEL.py"),
    ),
    "kohya": (
        (r"(sdxl_)?train_textual_inversion", "textual_inversion", "train_textual_inversion.py"),
        (r"([a-z0-9]+_)*?train_network", "lora", "sdxl_train_network.py, flux_train_network.py, ..."),
        (r"([a-z0-9]+_)*?(?:train_db|train|fine_tune)", "dreambooth", "train_db.py, sdxl_train.py, ..."),
    ),
}
MODELS = {"": "sd", "sd15": "sd15", "sd3": "sd3"}  # of a script's name; others are called as here
PRECISIONS = {"no": '"32"', "fp16": "16-mixed", "bf16": "bf16-mixed"}
OPTIMISERS = {
    "adamw": "adamw",
    "adamw8bit": "adamw8bit",
    "pagedadamw8bit": "paged_adamw8bit",
    "sgdnesterov": "sgd",
    "adafactor": "adafactor",
}
TRACKERS = {"wandb": "report=online", "tensorboard": "report/loggers=tensorboard"}
TIMES = {"logit_normal": "logit_normal", "mode": "mode", "sigmoid": "logit_normal", "uniform": "uniform"}
NETWORKS = {"networks.lora": "lora", "networks.lora_flux": "lora", "networks.dylora": "dylora", "networks.loha": "loha"}


class Translation(NamedTuple):
    overrides: list[str]
    notes: list[str]

    def command(self) -> str:
        """As it is typed, a line for each override."""
        return " \\\n  ".join(["imprint train", *map(_for_shell, self.overrides)])


def translate(program: str, line: str) -> Translation:
    """Raises UserError where `line` is no command of one of the program's scripts."""
    script, given = _read(line)
    method, model = _trained(program, script)
    table = flags()[program]
    overrides = [*_model(given, model), f"method={method}"]
    notes: list[str] = []
    for name, value in given.items():
        flag = table.get(name)
        if flag is None:
            notes.append(f"--{name}: this is not known here, and left out.")
        elif flag.override:
            overrides.append(flag.override.replace("{}", _in_list(value) if "[{}]" in flag.override else value))
        elif flag.note:
            notes.append(f"--{name}: {flag.note}.")
    overrides += _together(program, given, notes)
    return Translation([_quoted(override) for override in _last_of_each(overrides)], notes)


def _read(line: str) -> tuple[str, dict[str, str]]:
    """The script's name, and its flags with their values: several of one, separated by commas; true without any."""
    try:
        words = shlex.split(line.replace("\\\n", " "))
    except ValueError as error:
        raise UserError(f"this is no command line ({error}). Give it in quotes, as it is typed.") from error
    place = next((index for index, word in enumerate(words) if word.endswith(".py")), None)
    if place is None:
        raise UserError("there is no script in it (train_dreambooth_lora.py ...). Give the whole command, in quotes.")
    given: dict[str, list[str]] = {}
    name = ""
    for word in words[place + 1 :]:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            name = name.replace("-", "_")
            given[name] = [value] if equals else []
        elif name:
            given[name].append(word)
    return PurePath(words[place]).stem, {name: ",".join(values) or "true" for name, values in given.items()}


def _trained(program: str, script: str) -> tuple[str, str]:
    """Method and model."""
    for pattern, method, _ in SCRIPTS[program]:
        if found := re.fullmatch(pattern, script):
            kind = (found.groups()[0] or "").strip("_") if found.groups() else ""
            model = MODELS.get(kind, kind)
            if model not in choices("model"):
                raise UserError(
                    f"{script}.py: models of the kind {kind} are not supported. imprint help model lists all."
                )
            return method, model
    known = ", ".join(shown for _, _, shown in SCRIPTS[program])
    raise UserError(f"{script}.py: this script is not known. There are {known}.")


def _model(given: Mapping[str, str], model: str) -> Iterator[str]:
    """A choice that names this very source, or the script's kind of model with the source."""
    source = given.get("pretrained_model_name_or_path")
    if source is None:
        yield f"model={model}"
        return
    for name in choices("model"):
        content = yaml.safe_load((conf_folder() / "model" / f"{name}.yaml").read_text(encoding="utf-8")) or {}
        if content.get("source") == source:
            yield f"model={name}"
            return
    yield f"model={'sd_file' if model == 'sd' and source.endswith('.safetensors') else model}"
    yield f"model.source={source}"


def _together(program: str, given: Mapping[str, str], notes: list[str]) -> Iterator[str]:
    """What flags mean with one another."""
    yield from _batches(given)
    yield from _subject(given, notes)
    yield from _prior(program, given)
    yield from _rates(given, notes)
    yield from _times(given, notes)
    if "output_dir" in given and program == "diffusers":
        folder = PurePath(given["output_dir"])
        yield f"outputs={folder.parent}"
        yield f"name={folder.name}"
    if precision := PRECISIONS.get(given.get("mixed_precision", "")):
        yield f"hparams.precision={precision}"
    for tracker, override in TRACKERS.items():
        if given.get("report_to", given.get("log_with", "")) in (tracker, "all"):
            yield override
    if "num_validation_images" in given:
        yield f"samples.seeds=[{','.join(map(str, range(int(given['num_validation_images']))))}]"
    if program == "kohya" and "resolution" in given:
        sides = given["resolution"].split(",")
        yield f"model.resolution={sides[0]}"
        if len(set(sides)) > 1:
            notes.append(f"--resolution: {given['resolution']} is no square; dataset.crop=buckets keeps shapes.")


def _batches(given: Mapping[str, str]) -> Iterator[str]:
    """A batch here is what an update sees; accumulation divides it."""
    batch, parts = int(given.get("train_batch_size", 1)), int(given.get("gradient_accumulation_steps", 1))
    if batch * parts > 1 or "train_batch_size" in given:
        yield f"hparams.batch_size={batch * parts}"
    if parts > 1:
        yield f"trainer.accumulation={parts}"


def _subject(given: Mapping[str, str], notes: list[str]) -> Iterator[str]:
    prompt = given.get("instance_prompt")
    if prompt is None:
        return
    found: SubjectWords = words_of(prompt, given.get("class_prompt"))
    if found.identifier:
        yield f"dataset.identifier={found.identifier}"
    yield f"dataset.class_noun={found.noun or 'auto'}"
    yield f"method.templates=[{in_quotes(found.template)}]"
    if not found.identifier:
        notes.append(f"--instance_prompt: which word of {prompt!r} names the subject? dataset.identifier=...")
    if not found.noun:
        notes.append(f"--instance_prompt: {prompt!r} does not say what it is: dataset.class_noun=dog, or CLIP looks.")


def _prior(program: str, given: Mapping[str, str]) -> Iterator[str]:
    if program == "kohya" or "with_prior_preservation" not in given:
        return
    if "num_class_images" in given or "class_data_dir" not in given:
        yield "prior=generated"
        yield f"prior.count={given.get('num_class_images', '100')}"
    else:
        yield "prior=folder"
        yield f"prior.path={given['class_data_dir']}"
    if "class_prompt" in given and "instance_prompt" in given:
        noun = words_of(given["instance_prompt"], given["class_prompt"]).noun
        yield f"prior.prompt={given['class_prompt'].replace(noun, '{noun}') if noun else given['class_prompt']}"


def _rates(given: Mapping[str, str], notes: list[str]) -> Iterator[str]:
    warmup = int(given.get("lr_warmup_steps", 0)) if given.get("lr_warmup_steps", "0").isdigit() else 0
    if warmup:
        yield f"hparams.rate.warmup={warmup}"
        if given.get("lr_scheduler", "constant") == "constant":
            yield "hparams.rate.name=constant_with_warmup"
    if "train_text_encoder" in given or ("text_encoder_lr" in given and "network_train_unet_only" not in given):
        yield "method.roles=[denoiser,text]"
    if "network_dim" in given and "text_encoder_lr" in given:
        yield f"method.text_lr={given['text_encoder_lr']}"
    optimiser = given.get("optimizer", given.get("optimizer_type", ""))
    if optimiser:
        known = OPTIMISERS.get(optimiser.lower().replace("_", ""))
        if known and known in choices("optimizer"):
            yield f"optimizer={known}"
        else:
            notes.append(f"--optimizer: {optimiser} is none of {', '.join(choices('optimizer'))}.")
    if "adam_beta1" in given or "adam_beta2" in given:
        yield f"optimizer.betas=[{given.get('adam_beta1', '0.9')},{given.get('adam_beta2', '0.999')}]"


def _times(given: Mapping[str, str], notes: list[str]) -> Iterator[str]:
    scheme = given.get("timestep_sampling", given.get("weighting_scheme", ""))
    if scheme in TIMES:
        yield f"+times@objective.times={TIMES[scheme]}"
    elif scheme in ("cosmap", "sigma_sqrt"):
        yield f"objective={scheme}"
    elif scheme and scheme != "none":
        notes.append(f"--weighting_scheme: {scheme} is none of {', '.join(choices('times'))}.")
    if "min_timestep" in given or "max_timestep" in given:
        yield f"objective.timesteps=[{given.get('min_timestep', '0')},{given.get('max_timestep', '1000')}]"
    network = given.get("network_module")
    if network:
        if network in NETWORKS:
            yield f"method={NETWORKS[network]}"
        else:
            notes.append(f"--network_module: {network}; methods here are {', '.join(choices('method'))}.")


def _in_list(value: str) -> str:
    return value if re.fullmatch(r"[\w.-]+", value) else in_quotes(value)


def _for_shell(override: str) -> str:
    """In double quotes where it has single ones, which are easier to read."""
    return f'"{override}"' if "'" in override and not re.search(r'["$`\\!]', override) else shlex.quote(override)


def _last_of_each(overrides: Sequence[str]) -> list[str]:
    """Groups first, as readers expect; of a key that is set twice, the last value."""
    single = [part for override in overrides for part in _apart(override)]
    by_key = {part.partition("=")[0]: part for part in single}
    return sorted(by_key.values(), key=lambda part: "." in part.partition("=")[0])


def _apart(override: str) -> list[str]:
    """`dataset=folder dataset.path=a b` sets two keys: the second is the last, whose value may have spaces."""
    found = re.fullmatch(r"(\S+=\S+) ([\w.]+=.*)", override)
    return [found[1], found[2]] if found else [override]


def _quoted(override: str) -> str:
    return as_override(override, texts=("prior.prompt", "dataset.rights"), sweeps=False)
