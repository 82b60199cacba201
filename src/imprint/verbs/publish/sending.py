"""Sends files to the hub in one commit."""

import re
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

from imprint.errors import ConfigError, Problem, UserError
from imprint.reporting.model_card import CARD
from imprint.verbs.publish.contents import Contents

LOGIN = "Log in with `hf auth login`, with a token that may write, or set HF_TOKEN."
REFUSED = (401, 403)
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def is_repository_name(name: str) -> bool:
    """Of the form OWNER/NAME; what else the hub asks of names, it says itself."""
    return NAME.fullmatch(name) is not None


def send(contents: Contents, *, repo: str, private: bool, update: bool, message: str) -> str:
    """The address of what was published. Raises UserError; then no file is there that was not there before."""
    token = get_token()
    if token is None:
        raise UserError(f"repo={repo}: there is no login for the hub on this machine. {LOGIN}")
    if constants.HF_HUB_OFFLINE:
        raise UserError(f"repo={repo}: HF_HUB_OFFLINE is set, so nothing is sent. Unset it.")
    api = HfApi(endpoint=constants.ENDPOINT, token=token)
    created = False
    try:
        is_private = _visibility(api, repo)
        if problems := _against(repo, is_private, private=private, update=update):
            raise ConfigError(problems)
        if is_private is None:
            api.create_repo(repo, private=private, exist_ok=False)
            created = True
        parts: dict[str, bytes | Path] = {CARD: contents.card.encode(), **contents.files}
        operations = [CommitOperationAdd(name, part) for name, part in parts.items()]
        commit = api.create_commit(repo, operations, commit_message=message)
    except UserError:
        raise
    except Exception as error:  # the HTTP library raises errors of any type
        raise UserError(f"repo={repo}: {_reason(error)} {_left(repo, created)}") from error
    return commit.commit_url


def _visibility(api: HfApi, repo: str) -> bool | None:
    """Whether a repository is private; None where there is none, or none that this login sees."""
    try:
        return bool(api.repo_info(repo).private)
    except RepositoryNotFoundError:
        return None


def _against(repo: str, is_private: bool | None, *, private: bool, update: bool) -> list[Problem]:
    problems = []
    if is_private is not None and not update:
        remedy = "it is there already. Give another name, or update=true for a commit more."
        problems.append(Problem("repo", repo, remedy))
    if is_private is False and private:
        problems.append(Problem("private", True, "this repository is public. Give another name, or private=false."))
    return problems


def _reason(error: Exception) -> str:
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        said = error.server_message or f"status {status}"
        return f"the hub refuses this login ({said}). {LOGIN}" if status in REFUSED else f"the hub refuses ({said})."
    if isinstance(error, OfflineModeIsEnabled | OSError) or type(error).__module__.startswith("httpx"):
        return f"the hub at {constants.ENDPOINT} cannot be reached ({error})."
    return f"it could not be sent ({error})."


def _left(repo: str, created: bool) -> str:
    if created:
        return f"No file was published; {repo} was made and is empty. The same command with update=true goes on."
    return "Nothing was published."
