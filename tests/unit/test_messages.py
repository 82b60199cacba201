"""Messages quote what others wrote: they are printable, and end."""

import pytest

from imprint import messages
from imprint.errors import ConfigError, Problem, UserError


def test_what_steers_a_terminal_is_escaped_and_lines_stay() -> None:
    error = UserError("photos/\x1b[2J.png: empty\n  - \u202edesrever \udcff")
    assert str(error) == "photos/\\x1b[2J.png: empty\n  - \\u202edesrever \\xff"


def test_letters_of_all_languages_stay() -> None:
    assert str(UserError("größe 狗 é \\n")) == "größe 狗 é \\n"


def test_of_a_long_line_both_ends_stay_and_of_many_lines_the_first() -> None:
    line = str(UserError("start " + "x" * 10**6 + " remedy"))
    assert line.startswith("start ")
    assert line.endswith(" remedy")
    assert len(line) < 2 * messages.MAX_LINE
    lines = str(UserError("\n".join(map(str, range(10**5))))).splitlines()
    assert lines[: messages.MAX_LINES] == [str(number) for number in range(messages.MAX_LINES)]
    assert lines[messages.MAX_LINES :] == [f"... and {10**5 - messages.MAX_LINES} more lines"]


@pytest.mark.parametrize(
    "content", [None, True, 1.5, "text", [], (), {}, (1,), [1, "two", None], {"a": [(), {"b": 2}], 3: {"c"}}, b"bytes"]
)
def test_a_value_is_written_as_python_writes_it(content: object) -> None:
    assert messages.value(content) == repr(content)


def test_a_value_that_refers_to_itself_or_is_enormous_is_cut() -> None:
    itself: list[object] = []
    itself.append(itself)
    doubled: list[object] = [1]
    for _ in range(60):
        doubled = [doubled, doubled]
    for content in (itself, doubled, "x" * 10**8, 10**5000):
        assert len(messages.value(content)) <= messages.MAX_VALUE + len("...")


def test_a_problem_of_a_value_of_any_size_is_one_short_line() -> None:
    value = {"a": ["\x1b[2J" * 1000] * 1000}
    assert len(str(ConfigError([Problem("key", value, "give another")]))) < 500


@pytest.mark.parametrize("name", ["a\\b", "a\\x1b", "a\x1b"])
def test_names_stay_different(name: str) -> None:
    others = {"a\\b", "a\\x1b", "a\x1b"} - {name}
    assert messages.printable(name, escaping="\\") not in {messages.printable(other, escaping="\\") for other in others}
