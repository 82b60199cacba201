"""What a user is told when something of theirs is wrong: the key, the value, the remedy."""

from collections.abc import Iterable
from typing import NamedTuple

LONGEST = 200  # letters of a value that are told


class UserError(ValueError):
    """Something the user can mend. Its text is shown as it is, without a stack trace."""


class Problem(NamedTuple):
    """One thing that is wrong with a configuration."""

    key: str
    value: object
    remedy: str

    def __str__(self) -> str:
        value = repr(self.value)
        return f"{self.key}={value if len(value) <= LONGEST else value[:LONGEST] + '...'}: {self.remedy}"


class ConfigError(UserError):
    """Every problem found in a configuration, reported together."""

    def __init__(self, problems: Iterable[Problem | str]) -> None:
        self.problems = list(problems)
        count = len(self.problems)
        title = "The configuration has a problem:" if count == 1 else f"The configuration has {count} problems:"
        super().__init__("\n".join([title, *(f"  - {problem}" for problem in self.problems)]))

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[list[Problem | str]]]:
        return type(self), (self.problems,)  # an exception is unpacked from its text, which is not what makes this one


class ModelNotFound(UserError):
    """A model was named that is neither on this machine nor reachable."""


class PictureError(UserError):
    """Pictures that cannot be used, all named in one message."""


class NonFiniteLoss(UserError):
    """Training diverged. The weights before the offending step are the last good ones."""


class RunBusy(UserError):
    """Another process is at this very run."""
