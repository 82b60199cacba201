"""masks=clipseg: what a text says, by CLIPSeg (Lueddecke, Ecker, CVPR 2022)."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any

import torch
from annotated_types import Gt, Lt
from PIL import Image
from transformers import CLIPSegForImageSegmentation, CLIPTokenizer

from imprint.evaluation.encoders.pretrained import Pretrained, find
from imprint.evaluation.encoders.transform import Transform
from imprint.evaluation.fingerprints import fingerprint
from imprint.kinds import hashed_class, of_kind
from imprint.masks.base import Estimator, as_mask
from imprint.templates import template_fault

VOCABULARY = ("vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


@of_kind("masks/clipseg")
class ClipSeg(Estimator):
    """
    source     a hub id, or the path of a folder
    revision   a branch, tag or commit of a hub id
    prompt     what is looked for; {noun} is the subject's class
    threshold  how sure it must be of a pixel
    """

    name = "clipseg"
    reads_nouns = True

    def __init__(
        self,
        *,
        source: str,
        revision: str | None,
        transform: Transform,
        prompt: str,
        threshold: Annotated[float, Gt(0), Lt(1)],
    ) -> None:
        if fault := template_fault(prompt, ("noun",)):
            raise ValueError(f"prompt: {fault}")
        super().__init__()
        self.source = source
        self.revision = revision
        self.transform = transform
        self.prompt = prompt
        self.threshold = threshold
        self._found: Pretrained | None = None

    @property
    def fingerprint(self) -> str:
        facts = [self._files().fingerprint, self.transform.settings(), self.prompt, self.threshold]
        return fingerprint([hashed_class(type(self)), *facts])

    def check(self, key: str) -> None:
        self._files(key)
        _ = self._tokenizer

    @torch.inference_mode()
    def masks(self, pictures: Sequence[Image.Image], nouns: Sequence[str]) -> list[Image.Image | None]:
        found = []
        for picture, noun in zip(pictures, nouns, strict=True):
            told = self._tokenizer(
                [self.prompt.format(noun=noun)],
                truncation=True,
                max_length=self._model.config.text_config.max_position_embeddings,
                return_tensors="pt",
            ).to(self.device)
            pixels_13HW = self.transform([picture]).to(self.device)
            logits_HW = self._model(
                input_ids=told.input_ids, attention_mask=told.attention_mask, pixel_values=pixels_13HW
            ).logits.squeeze()
            found.append(as_mask(logits_HW.sigmoid() - self.threshold, picture.size))
        return found

    def _files(self, key: str = "masks") -> Pretrained:
        if self._found is None:
            self._found = find(self.source, self.revision, key=f"{key}.source", extras=VOCABULARY, fault=_fault)
        return self._found

    @cached_property
    def _model(self) -> Any:
        return self._files().load(CLIPSegForImageSegmentation).to(self.device)

    @cached_property
    def _tokenizer(self) -> Any:
        files = self._files()
        try:
            return CLIPTokenizer.from_pretrained(files.folder, local_files_only=True)
        except Exception as error:  # the library lets through whatever its readers raise
            raise files.refusal(f"its vocabulary cannot be read ({error}). Get the files again.") from error


def _fault(config: Mapping[str, Any]) -> str | None:
    kind = config.get("model_type")
    return None if kind == "clipseg" else f"its config.json says model_type={kind!r}, and a CLIPSeg is needed."
