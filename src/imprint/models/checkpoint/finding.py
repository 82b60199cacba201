"""Where a checkpoint lies: in the hub, in a folder, in a single file, or partly in one and partly in the other."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imprint.errors import ModelNotFound, Problem, UserError
from imprint.foreign_files import Unreadable, read_json
from imprint.locations import local_path
from imprint.models.checkpoint.base import Checkpoint
from imprint.models.checkpoint.folder import PipelineFolder
from imprint.models.checkpoint.hub import fetch
from imprint.models.checkpoint.layout import PIPELINE_CONFIG, Layout, NetworkFormat, Part
from imprint.models.checkpoint.network_file import QUANTISED, NetworkFile, lacking, read_network, usual_base
from imprint.models.checkpoint.single_file import PICKLED, SAFE, SingleFile, read_tensors, usual_configs

log = logging.getLogger(__name__)

SHARD_INDICES = "*.index*.json"


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a configuration says of it: see `PipelineSource`."""

    layout: Layout
    source: str
    revision: str | None
    variant: str | None
    config: str | None
    allow_pickle: bool

    def find(self) -> Checkpoint:
        """Raises ModelNotFound or UserError, with the remedy."""
        path = local_path(self.source, suffixes=(SAFE, QUANTISED, *PICKLED))
        if path is None:
            return self._from_hub()
        self._warn_of_unused(single_file=path.is_file())
        if path.is_dir():
            return self._folder(path)
        if path.is_file():
            return self._single_file(path)
        raise ModelNotFound(
            str(Problem("model.source", self.source, f"there is no file or folder {path}. Give an existing one."))
        )

    def _folder(self, path: Path) -> PipelineFolder:
        layout = self.layout.without({*self.layout.dispensable} & {*left_out(path)})
        return PipelineFolder(layout, self.source, path, variant=self.variant, allow_pickle=self.allow_pickle)

    def _from_hub(self) -> PipelineFolder:
        return self._folder(self._fetched(self.source, self.revision, self.layout.parts, key="model.source"))

    def _fetched(self, repository: str, revision: str | None, parts: Sequence[Part], *, key: str) -> Path:
        """The folder of a hub id, with the configurations of all parts and the weights of these."""

        def weights(names: Sequence[str]) -> list[str]:
            there = [
                part
                for part in parts
                if part.name not in self.layout.dispensable or any(name.startswith(f"{part.name}/") for name in names)
            ]
            chosen = self._folder(Path(repository)).choose(names, there) if there else {}
            return [name for files in chosen.values() for name in files]

        patterns = (*self.layout.config_patterns, *([SHARD_INDICES] if parts else []))
        return fetch(repository, revision, patterns=patterns, choose=weights, key=key, variant=self.variant)

    def _single_file(self, path: Path) -> Checkpoint:
        if self.layout.network is not None:
            return self._network_file(path, self.layout.network)
        if self.layout.original is None:
            remedy = (
                f"single files of {self.layout.title} are not read. Give a hub id or a folder in diffusers' layout."
            )
            raise UserError(str(Problem("model.source", self.source, remedy)))
        tensors = read_tensors(self.layout, path, self.source, allow_pickle=self.allow_pickle)
        config = self.config or usual_configs(self.layout, tensors)
        configs = local_path(config) or self._fetched(config, None, (), key="model.config")
        return SingleFile(self.layout, self.source, path, configs, tensors)

    def _network_file(self, path: Path, format: NetworkFormat) -> NetworkFile:
        tensors = read_network(self.layout, path, self.source)
        base, absent = self.config or usual_base(format, tensors), lacking(self.layout, tensors)
        try:
            folder = local_path(base) or self._fetched(base, None, absent, key="model.config")
        except ModelNotFound as error:
            names = ", ".join(part.name for part in absent) or "configurations"
            raise ModelNotFound(f"model.source={self.source!r}: the file holds no {names}. {error}") from error
        whole = self._folder(folder)
        return NetworkFile(whole.layout, self.source, path, tensors, whole)

    def _warn_of_unused(self, *, single_file: bool) -> None:
        if self.revision is not None:
            log.warning("model.revision=%s has no effect: %s is on this machine.", self.revision, self.source)
        if single_file and self.variant is not None and self.layout.network is None:
            log.warning("model.variant=%s has no effect: %s is a single file.", self.variant, self.source)
        if not single_file and self.config is not None:
            log.warning("model.config=%s has no effect: %s is a folder.", self.config, self.source)


def left_out(folder: Path) -> list[str]:
    """The components that the pipeline in a folder was saved without, as people do to spare memory, by its index."""
    try:
        index = read_json(folder / PIPELINE_CONFIG)
    except Unreadable:
        return []  # as is said when the folder is checked
    return [name for name, entry in index.items() if entry == [None, None]] if isinstance(index, dict) else []


def find_file(source: str, *, key: str) -> Path:
    """The one safetensors file at a path, or of a hub id. Raises ModelNotFound, naming `key`."""
    path = local_path(source, suffixes=(SAFE,))
    if path is None:
        folder = fetch(source, None, patterns=(f"*{SAFE}",), choose=lambda names: [], key=key, variant=None)
        files = sorted(folder.glob(f"*{SAFE}"))
    else:
        files = [path] if path.is_file() else []
    if len(files) != 1:
        there = ", ".join(file.name for file in files) or "no file"
        remedy = f"one {SAFE} file is needed, there is {there}. Give the path of one."
        raise ModelNotFound(str(Problem(key, source, remedy)))
    return files[0]
