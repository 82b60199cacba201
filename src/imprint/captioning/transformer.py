"""Vision-language models in transformers' format."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from pydantic import PositiveInt

from imprint.captioning.base import Captioner
from imprint.errors import UserError
from imprint.evaluation.encoders.pretrained import Pretrained, find
from imprint.libraries.process import quiet_model_libraries

# Everything that a processor is made of; no code of a repository.
OF_THE_PROCESSOR = ("*.json", "*.txt", "*.jinja", "*.model")


class TransformersCaptioner(Captioner):
    """`source` is a hub id or a folder. The likeliest words are taken, so a caption does not change from day to day."""

    def __init__(self, *, source: str, revision: str | None, max_tokens: PositiveInt, beams: PositiveInt) -> None:
        self.source = source
        self.revision = revision
        self.max_tokens = max_tokens
        self.beams = beams
        self._found: Pretrained | None = None
        self._processor: Any = None
        self._model: Any = None

    def check(self, key: str) -> None:
        found = find(self.source, self.revision, key=f"{key}.source", extras=OF_THE_PROCESSOR, fault=self._fault)
        self._found, self._processor = found, _processor(found)
        if fault := self._fault_of_processor():
            raise found.refusal(fault)

    def to(self, device: torch.device) -> None:
        from transformers import AutoModelForImageTextToText

        if self._found is None:
            self.check("captioner")
        assert self._found is not None
        self._model = self._found.load(AutoModelForImageTextToText, trust_remote_code=False).to(device)

    @torch.inference_mode()
    def captions(self, pictures: Sequence[Image.Image]) -> list[str]:
        inputs = self._inputs(pictures).to(self._model.device)
        tokens_BL = self._model.generate(
            **inputs, max_new_tokens=self.max_tokens, num_beams=self.beams, do_sample=False
        )
        if not self._model.config.is_encoder_decoder and self._repeats_its_input:
            tokens_BL = tokens_BL[:, inputs["input_ids"].shape[1] :]
        return [str(text) for text in self._processor.batch_decode(tokens_BL, skip_special_tokens=True)]

    _repeats_its_input = True

    @abstractmethod
    def _inputs(self, pictures: Sequence[Image.Image]) -> Any:
        """What the network is given, as tensors by name."""

    def _fault_of_processor(self) -> str | None:
        """Why it is none that this captioner can use, with the remedy."""
        return None

    def _fault(self, config: Mapping[str, Any]) -> str | None:
        from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

        kind = config.get("model_type")
        if kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
            return f"its config.json says model_type={kind!r}, which is no model that writes texts about pictures."
        return None


def _processor(found: Pretrained) -> Any:
    from transformers import AutoProcessor

    try:
        with quiet_model_libraries():
            return AutoProcessor.from_pretrained(found.folder, local_files_only=True, trust_remote_code=False)
    except ImportError as error:
        needed = ", ".join(name for name in ("torchvision", "sentencepiece") if name in str(error).lower())
        remedy = f"pip install {needed}" if needed else str(error)
        raise UserError(f"{found.key}={found.source!r}: what prepares its pictures needs more. {remedy}") from error
    except Exception as error:  # the library lets through whatever its readers raise
        raise found.refusal(f"its processor cannot be read ({error}). Get the files again.") from error
