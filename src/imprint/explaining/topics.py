"""What `imprint help WORD` is about: a verb, a group, one of its choices, or a setting."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from imprint.config import choices, conf_folder
from imprint.errors import UserError
from imprint.explaining import pages
from imprint.explaining.comments import CommentedFile, read
from imprint.explaining.settings import Explained, Section, keys_of, sections, text_of
from imprint.suggestions import nearest

SENTENCE = re.compile(r".*?\.(?=\s|$)")
FEW = 6  # choices with the same setting that are listed


class Help:
    """Answers by imprint's configuration and the user's `own`. `verbs` are the commands that have one, and their
    summaries."""

    def __init__(self, verbs: Mapping[str, str], own: Path | None = None) -> None:
        self._verbs = verbs
        self._own = own
        self._options = ["--config-dir", str(own)] if own else []
        self._usual: dict[str, list[Section]] = {}

    def page(self, words: Sequence[str]) -> str:
        """Raises UserError, with the nearest names, for what there is nothing to say about."""
        return "\n\n".join(
            self._page(word.strip("+~").replace("=", ".").replace("/", ".").strip(".")) for word in words
        )

    @property
    def topics(self) -> list[str]:
        """Verbs, groups and choices, as they are written."""
        return sorted({*self._verbs, *self._groups, *self._choices})

    def verb(self, verb: str, arguments: Sequence[str]) -> str:
        """As composed with what was typed. Raises Hydra's errors for what cannot be."""
        return pages.of_verb(verb, self._verbs[verb], self._file(verb), sections(verb, arguments))

    def _page(self, topic: str) -> str:
        if topic in self._verbs:
            return self.verb(topic, self._options)
        if topic in self._groups:
            return self._group(self._groups[topic])
        if topic in self._choices:
            return self._choice(*self._choices[topic])
        if named := sorted({choice for dotted, choice in self._choices.items() if dotted.endswith(f".{topic}")}):
            return "\n\n".join(self._choice(*choice) for choice in named)
        if found := list(self._settings(topic)):
            return pages.of_settings(found)
        known = {*self.topics, *(setting.key for _, setting in self._composed)}
        raise UserError(f"nothing is called {topic}; {nearest(topic, known)}")

    @cached_property
    def _groups(self) -> dict[str, str]:
        """The folders of choices, by their names with dots."""
        folders = {
            file.parent.relative_to(conf).as_posix() for conf in self._confs for file in conf.glob("*/**/*.yaml")
        }
        return {folder.replace("/", "."): folder for folder in sorted(folders) if choices(folder, self._own)}

    @cached_property
    def _choices(self) -> dict[str, tuple[str, str]]:
        return {
            f"{dotted}.{name.replace('/', '.')}": (group, name)
            for dotted, group in self._groups.items()
            for name in [
                *choices(group, self._own),
                *(file.stem for conf in self._confs for file in (conf / group).glob("*.yaml")),
            ]
        }

    @property
    def _confs(self) -> list[Path]:
        return [conf_folder(), *([self._own] if self._own else [])]

    def _sections(self, verb: str) -> list[Section]:
        """Without overrides, composed once."""
        if verb not in self._usual:
            self._usual[verb] = sections(verb, self._options)
        return self._usual[verb]

    @cached_property
    def _composed(self) -> list[tuple[str, Explained]]:
        """The settings of all verbs as they are without overrides; of one that several have, the first."""
        found: dict[str, tuple[str, Explained]] = {}
        for verb in self._verbs:
            for section in self._sections(verb):
                chosen = f" ({section.group}={section.chosen})" if section.group else ""
                for setting in section.settings:
                    found.setdefault(setting.key, (f"imprint {verb}{chosen}", setting))
        return list(found.values())

    def _settings(self, topic: str) -> Iterator[tuple[str, Explained]]:
        """Settings of this name, or below it; as verbs have them, and as other choices do."""
        usual = [(where, setting) for where, setting in self._composed if _is_about(setting.key, topic)]
        yield from usual
        said = {(setting.key, setting.value) for _, setting in usual}
        others: dict[str, list[tuple[str, Explained]]] = {}
        for group, name in sorted(set(self._choices.values())):
            for setting in keys_of(self._text(f"{group}/{name}"), self._package(group, name)):
                if _is_about(setting.key, topic) and (setting.key, setting.value) not in said:
                    others.setdefault(setting.key, []).append((f"conf/{group}/{name}.yaml", setting))
        for key in others:
            yield from others[key][:FEW]

    def _group(self, group: str) -> str:
        summaries = {name: _summary(self._file(f"{group}/{name}").about) for name in choices(group, self._own)}
        return pages.of_group(group, self._chosen(group), summaries)

    def _chosen(self, group: str) -> str:
        for verb in self._verbs:
            for section in self._sections(verb):
                if section.group == group and section.chosen:
                    return section.chosen
        return ""

    def _choice(self, group: str, name: str) -> str:
        """With the settings of the files that it begins with, where a verb takes it."""
        head = self._file(f"{group}/{name}")
        own = list(keys_of(self._text(f"{group}/{name}"), self._package(group, name)))
        verb = self._verb_with(group)
        settings = [part for part in self._with(verb, group, name) if part.group == group] if verb else []
        command = [f"imprint {verb} {group}={name}"] if verb and not head.examples else head.examples
        return pages.of_choice(head.about, command, settings[0].settings if settings and settings[0].settings else own)

    def _verb_with(self, group: str) -> str | None:
        """The first that has the group."""
        return next((verb for verb in self._verbs if any(part.group == group for part in self._sections(verb))), None)

    def _with(self, verb: str, group: str, name: str) -> list[Section]:
        from hydra.errors import HydraException
        from yaml import YAMLError

        recipe = ["~recipe"] if any(part.group == "recipe" for part in self._sections(verb)) else []  # of one model
        try:
            return sections(verb, [*self._options, f"{group}={name}", *recipe])
        except (HydraException, YAMLError):  # one that others begin with, or that is told when it is used
            return []

    def _package(self, group: str, name: str) -> str:
        """Where the settings of a choice stand."""
        return "" if "# @package _global_" in self._text(f"{group}/{name}") else group.partition("/")[0]

    def _file(self, name: str) -> CommentedFile:
        return read(self._text(name))

    def _text(self, name: str) -> str:
        return text_of(name, self._own) or ""


def _is_about(key: str, topic: str) -> bool:
    return key == topic or key.startswith(f"{topic}.") or ("." not in topic and key.endswith(f".{topic}"))


def _summary(about: str) -> str:
    """The first sentence."""
    found = SENTENCE.match(about)
    return found[0] if found else about
