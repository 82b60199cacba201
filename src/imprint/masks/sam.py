"""masks=sam: what is at a point, by Segment Anything (Kirillov et al., ICCV 2023)."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Le
from PIL import Image
from torch import Tensor
from torch.nn import functional
from transformers import SamModel

from imprint.evaluation.encoders.pretrained import Pretrained, find
from imprint.evaluation.fingerprints import fingerprint
from imprint.kinds import hashed_class, of_kind
from imprint.masks.base import Estimator, as_mask

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # its authors', of all its sizes
Share = Annotated[float, Ge(0), Le(1)]


@of_kind("masks/sam")
class Sam(Estimator):
    """Of the masks that it offers for a point (a part, more of it, the whole) the one is taken that it holds for the
    best and that is no larger than `most`.

    source    a hub id, or the path of a folder
    revision  a branch, tag or commit of a hub id
    point     of the subject, as shares of width and height
    most      of a picture, as a share
    """

    name = "sam"

    def __init__(self, *, source: str, revision: str | None, point: tuple[Share, Share], most: Share) -> None:
        super().__init__()
        self.source = source
        self.revision = revision
        self.point = point
        self.most = most
        self._found: Pretrained | None = None

    @property
    def fingerprint(self) -> str:
        return fingerprint([hashed_class(type(self)), self._files().fingerprint, list(self.point), self.most])

    def check(self, key: str) -> None:
        self._files(key)

    def masks(self, pictures: Sequence[Image.Image], nouns: Sequence[str]) -> list[Image.Image | None]:
        return [self._mask(picture.convert("RGB")) for picture in pictures]

    @torch.inference_mode()
    def _mask(self, picture: Image.Image) -> Image.Image | None:
        side = int(self._model.config.vision_config.image_size)
        factor = side / max(picture.size)
        width, height = (max(1, round(length * factor)) for length in picture.size)
        point = torch.tensor([[[[self.point[0] * width, self.point[1] * height]]]])
        answer = self._model(
            pixel_values=_pixels(picture.resize((width, height), Image.Resampling.BILINEAR), side).to(self.device),
            input_points=point.to(self.device),
        )
        offered_KSS = functional.interpolate(answer.pred_masks[0], (side, side), mode="bilinear", align_corners=False)[
            0
        ].float()
        offered_KHW, sure_K = offered_KSS[:, :height, :width], answer.iou_scores[0, 0].float()
        fits_K = (offered_KHW > 0).float().mean(dim=(1, 2)) <= self.most
        if not fits_K.any():
            return None
        return as_mask(offered_KHW[sure_K.masked_fill(~fits_K, -torch.inf).argmax()], picture.size)

    def _files(self, key: str = "masks") -> Pretrained:
        if self._found is None:
            self._found = find(self.source, self.revision, key=f"{key}.source", extras=(), fault=_fault)
        return self._found

    @cached_property
    def _model(self) -> Any:
        return self._files().load(SamModel).to(self.device)


def _pixels(picture: Image.Image, side: int) -> Tensor:
    """(1, 3, side, side), with nothing at the right and below."""
    levels_3HW = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).movedim(2, 0)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    height, width = levels_3HW.shape[1:]
    return functional.pad((levels_3HW - mean) / std, (0, side - width, 0, side - height))[None]


def _fault(config: Mapping[str, Any]) -> str | None:
    kind = config.get("model_type")
    return None if kind == "sam" else f"its config.json says model_type={kind!r}, and a SAM is needed."
