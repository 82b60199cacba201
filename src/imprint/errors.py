"""Errors that the user can correct: each message has the key, the value and the remedy."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from imprint import messages


class UserError(ValueError):
    """An error that the user can correct. Its text is shown without a stack trace. It may quote files, names and values
    of any origin: as text it is always printable and of limited length."""

    def __str__(self) -> str:
        return messages.message(super().__str__())


class Problem(NamedTuple):
    """One thing that is wrong with a configuration."""

    key: str
    value: object
    remedy: str

    def __str__(self) -> str:
        return f"{self.key}={messages.value(self.value)}: {self.remedy}"


class ConfigError(UserError):
    """Every problem found in a configuration, reported together."""

    def __init__(self, problems: Iterable[Problem | str]) -> None:
        self.problems = list(problems)
        count = len(self.problems)
        title = "The configuration has a problem:" if count == 1 else f"The configuration has {count} problems:"
        super().__init__("\n".join([title, *(f"  - {problem}" for problem in self.problems)]))

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[list[Problem | str]]]:
        return type(self), (self.problems,)  # by default, exceptions are unpickled from their text


class Faults:
    """What several checks find, to be told together, each thing once."""

    def __init__(self) -> None:
        self._errors: list[UserError] = []

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Keeps what the body raises, so that the next check comes."""
        try:
            yield
        except UserError as error:
            self._errors.append(error)

    def tell(self) -> None:
        """Raises UserError with all that was found, if anything was."""
        problems: dict[str, Problem | str] = {}
        for error in self._errors:
            found = error.problems if isinstance(error, ConfigError) else [str(error)]
            problems |= {str(problem): problem for problem in found}
        if len(problems) == 1:
            raise self._errors[0]
        if problems:
            raise ConfigError(problems.values())


def no_value(key: str) -> str:
    """The problem of a setting that has none."""
    return f"{key} has no value; give {key}=..."


class ModelNotFound(UserError):
    """A model that is neither on this machine nor reachable."""


class PictureError(UserError):
    """Pictures that cannot be used, all named in one message."""


class NonFiniteLoss(UserError):
    """Training diverged. The weights before the offending step are the last good ones."""


class NonFiniteWeights(UserError):
    """Weights that a training has made are no numbers, or infinite, and are not kept."""


class RunBusy(UserError):
    """Another process has locked this run."""
