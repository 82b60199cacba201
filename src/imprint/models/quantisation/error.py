"""How far a quantised model is from the one that it stands for."""

import gc
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imprint import rng
from imprint.models.base import Model, ModelSource
from imprint.models.loading import whole_on
from imprint.models.low_res import any_low_res, conditioning_of_low_res
from imprint.models.quantisation.network import quantisable
from imprint.models.sampler import generator_of
from imprint.models.source import PipelineSource
from imprint.types import Geometry

PROMPT = "a photo of a dog"
STEPS = 8  # of the picture: both draw it alike, so it need not be a good one
SHARES = (0.25, 0.5, 0.75)  # of the way to pure noise, at which predictions are compared


class WeightError(NamedTuple):
    """|difference| / |weights|, over all quantised layers and of the worst one."""

    overall: float
    worst: float


class OutputError(NamedTuple):
    """|difference| / |prediction| and the difference / loss, over several levels of noise; and the mean difference of a
    picture's pixels, of 255 levels."""

    prediction: float
    loss: float
    picture: float


class _Output(NamedTuple):
    picture: Image.Image
    prediction_BCHW: Tensor
    loss: float


@torch.no_grad()
def weight_error(source: PipelineSource, device: torch.device) -> WeightError:
    """One layer's weight is in memory at a time, beside the files."""
    squares = list(_squares(source, device))
    missed, whole = (sum(pair[side] for pair in squares) for side in (0, 1))
    worst = max((own / size for own, size in squares if size), default=0.0)
    return WeightError((missed / whole) ** 0.5 if whole else 0.0, worst**0.5)


def output_error(source: ModelSource, device: torch.device) -> OutputError:
    """The two models are in memory one after the other, in float32."""
    plain = _output(source.unquantised(), device, None)
    own = _output(source, device, plain.picture)
    difference = (own.prediction_BCHW - plain.prediction_BCHW).norm() / plain.prediction_BCHW.norm()
    levels = np.abs(np.asarray(own.picture, dtype=float) - np.asarray(plain.picture, dtype=float))
    return OutputError(float(difference), (own.loss - plain.loss) / plain.loss, float(levels.mean()))


def _squares(source: PipelineSource, device: torch.device) -> Iterator[tuple[float, float]]:
    """Of the differences and of the weights, layer by layer."""
    for role, quantisation in source.quantised.items():
        for _, linear in quantisable(source.stored_part(role)):
            weight_OI = linear.weight.to(device).float()
            rows, columns = weight_OI.shape
            there_OI = quantisation.unpack(quantisation.pack(weight_OI), rows, columns, torch.float32)
            yield _square(there_OI - weight_OI), _square(weight_OI)


def _square(values: Tensor) -> float:
    return float(values.double().square().sum())


@torch.no_grad()
def _output(source: ModelSource, device: torch.device, seen: Image.Image | None) -> _Output:
    """What the model draws, and predicts of `seen` under noise (None: of what it draws)."""
    resolution = source.facts().resolution
    model = source.load_as(whole_on(device)).to(device)
    sampler = source.sampler._replace(steps=min(STEPS, source.sampler.steps))
    low_res = any_low_res(model, 1, resolution, resolution)
    [picture] = model.generate([PROMPT], [0], sampler=sampler, height=resolution, width=resolution, low_res=low_res)
    prediction_BCHW, loss = _prediction(model, seen or picture, device)
    del model
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return _Output(picture, prediction_BCHW, loss)


def _prediction(model: Model, picture: Image.Image, device: torch.device) -> tuple[Tensor, float]:
    pixels_HWC = torch.from_numpy(np.asarray(picture.convert("RGB"), dtype=np.float32)) / 127.5 - 1
    count, process = len(SHARES), model.process
    latents_BCHW = model.encode(pixels_HWC.permute(2, 0, 1)[None].to(device)).mean_BCHW.repeat(count, 1, 1, 1)
    noise_BCHW = rng.normal([("quantisation", share) for share in range(count)], latents_BCHW.shape[1:]).to(device)
    t_B = process.times_at(torch.tensor(SHARES), 0, process.length).to(device)
    conditioning = {
        **model.encode_text([PROMPT] * count, empty_is_unconditional=True),
        **model.encode_geometry([Geometry.whole(picture.height, picture.width)] * count),
        **conditioning_of_low_res(
            model,
            any_low_res(model, count, picture.height, picture.width),
            [generator_of(number) for number in range(count)],
            device,
        ),
    }
    prediction_BCHW = model.denoise(process.add_noise(latents_BCHW, noise_BCHW, t_B), t_B, conditioning)
    target_BCHW = process.target(latents_BCHW, noise_BCHW, t_B)
    return prediction_BCHW.cpu(), float((prediction_BCHW - target_BCHW).square().mean())
