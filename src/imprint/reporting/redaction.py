"""Configurations, commands and other texts without their secrets, for files and trackers."""

import os
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import pairwise
from typing import Any

from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from imprint.libraries.omegaconf import environment_reads, written_value

HIDDEN = "***"

_SECRET_WORDS = {"password", "passwd", "passphrase", "pwd", "secret", "credential", "apikey"}
_SECRET_PAIRS = {("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key")}
# A token with one of these words is a word of the vocabulary. Any other is regarded as a secret.
_WORD_OWNERS = {"init", "initializer", "placeholder", "identifier", "class", "rare"}
_TOKENIZER_OWNERS = {"pad", "eos", "bos", "unk", "special"}
_VOCABULARY = _WORD_OWNERS | _TOKENIZER_OWNERS
_PURE_ENV = re.compile(r"\$\{\s*oc\.env\s*:\s*\w+\s*\}")
_URL_USER = re.compile(r"(\b[a-z][a-z0-9+.\-]*://)[^/\s]+@", re.IGNORECASE)
_URL_PARAMETER = re.compile(r"([?&]([\w\-]+)=)[^&#\s]+")
_VALUE = r"""('[^']*'|"[^"]*"|[^\s,;&'"\[\]{}]+)"""
_OVERRIDE = re.compile(r"\A([+~]*([\w.@/\-]+)=)(.+)", re.DOTALL)  # a whole text
_ASSIGNMENT = re.compile(rf"(\b([\w.\-]+)=){_VALUE}")  # within a text, as in a shell
_MAPPING = re.compile(r"\{[^{}]*\}")
_ENTRY = re.compile(rf"""(['"]?\b([\w.\-]+)['"]?\s*:\s*){_VALUE}""")  # of a mapping
_KNOWN_TOKEN = re.compile(r"\b(?:hf_|gh[opsu]_|github_pat_|glpat-|wandb_v1_|sk-)[\w\-]{16,}")
_SHORTEST = 6  # letters of a secret that is hidden within longer texts: a shorter one may be part of any word


def redacted(cfg: DictConfig) -> dict[str, Any]:
    """The resolved configuration (a root) as plain values, without its secrets.

    - A value that comes from the environment, also indirectly, stays as it was written.
    - A value whose key names a secret is hidden, unless it is only a reference to the environment. Where the
      same secret appears elsewhere it is hidden too.
    - User names, passwords and tokens in URLs are hidden.
    - What cannot be resolved stays as it was written.
    """
    reader = _Reader()
    with environment_reads(cfg, reader.on_environment_read):
        plain = reader.read(cfg)
    cleaned = without_secrets(plain, also=reader.secrets)
    assert isinstance(cleaned, dict)
    return cleaned


def without_secrets(value: Any, *, also: Iterable[str] = ()) -> Any:
    """Plain values, of which every text is free of

    - what the environment holds under the name of a secret, and the secrets `also`,
    - what stands behind the name of a secret: `+my.token=...`, `export HF_TOKEN=...`, `{WANDB_PASSWORD: ...}`,
    - user names, passwords and tokens in URLs,
    - tokens of well-known services, by how they begin.
    """
    held = (text for name, text in os.environ.items() if name != "PWD" and _names_secret(name))
    return _without(value, {*also, *(text for text in held if len(text) >= _SHORTEST)})


class _Reader:
    """Reads a configuration into plain values, and remembers the secrets that it hid."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self._from_environment = False  # the value that is being read

    def on_environment_read(self) -> None:
        """Called for each variable of the environment that is read."""
        self._from_environment = True

    def read(self, node: Container) -> dict[str, Any] | list[Any]:
        if isinstance(node, DictConfig):
            return {str(key): self._value(node, key, str(key)) for key in node}
        return [self._value(node, index, "") for index in range(len(node))]  # type: ignore[arg-type]

    def _value(self, parent: Container, key: Any, name: str) -> Any:
        if OmegaConf.is_missing(parent, key):
            return "???"
        raw = written_value(parent, key)
        self._from_environment = False
        try:
            value = parent[key]
        except OmegaConfBaseException:
            self._from_environment, value = True, raw
        secret = _names_secret(name) and value not in (None, "") and not isinstance(value, bool)
        if secret:
            self.secrets.update(_strings(value))
        if self._from_environment:
            return HIDDEN if secret and not _PURE_ENV.fullmatch(str(raw)) else str(raw)
        if secret:
            return HIDDEN
        if OmegaConf.is_config(value):
            return self.read(value)
        if isinstance(value, Enum):
            return value.name
        return value if value is None or isinstance(value, bool | int | float) else str(value)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, Container):
        for inner in OmegaConf.to_container(value, resolve=True, throw_on_missing=False) or ():
            yield from _strings(value.get(inner) if isinstance(value, DictConfig) else inner)
    else:
        yield str(value)


def _without(value: Any, secrets: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(inner, secrets) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, secrets) for inner in value]
    if not isinstance(value, str):
        return value
    if value in secrets:
        return HIDDEN
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            value = value.replace(secret, HIDDEN)
    value = _URL_PARAMETER.sub(_hidden_parameter, _URL_USER.sub(rf"\1{HIDDEN}@", value))
    value = _ASSIGNMENT.sub(_hidden_assignment, _OVERRIDE.sub(_hidden_assignment, value))
    value = _MAPPING.sub(lambda found: _ENTRY.sub(_hidden_assignment, found[0]), value)
    return _KNOWN_TOKEN.sub(HIDDEN, value)


def _names_secret(key: str) -> bool:
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", key)]
    if any(word in _SECRET_WORDS or word.removesuffix("s") in _SECRET_WORDS for word in words):
        return True
    if not _SECRET_PAIRS.isdisjoint(pairwise(words)):
        return True
    return words[-1:] == ["token"] and _VOCABULARY.isdisjoint(words)


def _hidden_assignment(match: re.Match[str]) -> str:
    name, value = match[2].rpartition(".")[2], match[3]
    is_secret = _names_secret(name) and value.lower() not in ("null", "true", "false") and not value.startswith("$")
    return match[1] + HIDDEN if is_secret else match[0]


def _hidden_parameter(match: re.Match[str]) -> str:
    name = match[2].lower()
    return match[1] + HIDDEN if _names_secret(name) or name in ("key", "sig", "signature") else match[0]
