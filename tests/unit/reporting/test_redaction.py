import json
from itertools import count

import pytest
from omegaconf import OmegaConf

from imprint.reporting.redaction import redacted, without_secrets


def test_what_comes_from_the_environment_stays_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hunter2-from-env")
    monkeypatch.setenv("HOST", "internal.example")
    cfg = OmegaConf.create(
        {
            "direct": "${oc.env:MY_TOKEN}",
            "through": "${nested.inner}",
            "nested": {"inner": "${direct}", "list": ["${direct}", 2]},
            "part": "at ${oc.env:HOST} with ${seed}",
            "whole": "${nested}",
            "unset": "${oc.env:IMPRINT_NOT_SET}",
            "seed": 3,
            "copy": "${seed}",
        }
    )
    plain = redacted(cfg)
    assert plain["direct"] == "${oc.env:MY_TOKEN}"
    assert plain["through"] == "${nested.inner}"
    assert plain["nested"] == {"inner": "${direct}", "list": ["${direct}", 2]} == plain["whole"]
    assert plain["part"] == "at ${oc.env:HOST} with ${seed}"
    assert plain["unset"] == "${oc.env:IMPRINT_NOT_SET}"
    assert (plain["seed"], plain["copy"]) == (3, 3)
    assert "hunter2" not in json.dumps(plain)
    assert OmegaConf.create(plain).through == "hunter2-from-env", "the written configuration can be used again"


def test_what_a_resolver_remembers_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hunter2-from-env")
    numbers = count()
    OmegaConf.register_new_resolver("imprint_test_next", lambda *_: next(numbers), use_cache=True, replace=True)
    cfg = OmegaConf.create({"number": "${imprint_test_next:}", "shown": "${imprint_test_next:${oc.env:MY_TOKEN}}"})
    assert (cfg.number, cfg.shown) == (0, 1)
    assert redacted(cfg)["shown"] == "${imprint_test_next:${oc.env:MY_TOKEN}}"
    assert (cfg.number, cfg.shown) == (0, 1)


def test_the_environment_is_readable_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "somewhere")
    redacted(OmegaConf.create({"host": "${oc.env:HOST}"}))
    assert OmegaConf.create({"host": "${oc.env:HOST}"}).host == "somewhere"
    with pytest.raises(Exception, match="IMPRINT_NOT_SET"):
        _ = OmegaConf.create({"host": "${oc.env:IMPRINT_NOT_SET}"}).host


@pytest.mark.parametrize(
    "key",
    [
        "token",
        "hf_token",
        "password",
        "api_key",
        "apiKey",
        "WANDB_API_KEY",
        "secret",
        "client_secret",
        "credentials",
    ],
)
def test_a_key_that_names_a_secret_hides_its_value(key: str) -> None:
    cfg = OmegaConf.create({"group": {key: "abcdef123"}, "elsewhere": f"${{group.{key}}}", "url": "x/abcdef123/y"})
    assert redacted(cfg) == {"group": {key: "***"}, "elsewhere": "***", "url": "x/***/y"}


def test_containers_and_numbers_under_a_secret_key_are_hidden_too() -> None:
    cfg = OmegaConf.create({"secrets": {"a": {"b": "topsecret"}, "c": ["other-secret"]}, "password": 1234})
    assert redacted(cfg) == {"secrets": "***", "password": "***"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("initializer_token", "dog"),
        ("placeholder_token", "<x>"),
        ("tokens", 4),
        ("tokenizer", "path"),
        ("keys", ["a"]),
        ("use_auth_token", True),
        ("password", None),
        ("token", ""),
    ],
)
def test_what_is_no_secret_stays(key: str, value: object) -> None:
    assert redacted(OmegaConf.create({key: value})) == {key: value}


def test_a_reference_to_the_environment_under_a_secret_key_stays_unless_it_holds_a_default() -> None:
    cfg = OmegaConf.create({"token": "${oc.env:MY_TOKEN,null}", "password": "${oc.env:PW,hunter2}"})
    assert "hunter2" not in json.dumps(redacted(cfg))
    pure = OmegaConf.create({"token": "${oc.env:IMPRINT_NOT_SET}"})
    assert redacted(pure) == {"token": "${oc.env:IMPRINT_NOT_SET}"}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://me:pw@host.org/x", "https://***@host.org/x"),
        ("https://host.org/x?token=abc&size=3", "https://host.org/x?token=***&size=3"),
        ("https://host.org/repo@main", "https://host.org/repo@main"),
        ("pkg://imprint.miniature/weights", "pkg://imprint.miniature/weights"),
        ("a@b.org", "a@b.org"),
    ],
)
def test_urls_lose_their_credentials(written: str, kept: str) -> None:
    assert redacted(OmegaConf.create({"url": written})) == {"url": kept}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("+hydra.job.env_set={WANDB_PASSWORD: pw123, A: b}", "+hydra.job.env_set={WANDB_PASSWORD: ***, A: b}"),
        (
            "hydra.launcher.setup=[export HF_TOKEN=pw123,export X=1]",
            "hydra.launcher.setup=[export HF_TOKEN=***,export X=1]",
        ),
        ("+my.token=pw123,pw456", "+my.token=***"),
        ("model.source=https://me:pw123@host.org/x?token=pw456", "model.source=https://***@host.org/x?token=***"),
        ("what hf_abcdefghijklmnopqrstuv says", "what *** says"),
        ("from the environment: pw-of-the-environment", "from the environment: ***"),
        ("model.token=${oc.env:MY_TOKEN}", "model.token=${oc.env:MY_TOKEN}"),
        ("dataset.initializer_token=dog seed=1", "dataset.initializer_token=dog seed=1"),
        ("a photo of a {noun}, secret: unknown", "a photo of a {noun}, secret: unknown"),
    ],
)
def test_commands_and_other_texts_lose_their_secrets(written: str, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "pw-of-the-environment")
    monkeypatch.setenv("PWD", "seed")  # a folder
    assert without_secrets([written]) == [kept]
    assert redacted(OmegaConf.create({"text": written.replace("${", "$ {")}))["text"] == kept.replace("${", "$ {")


def test_the_result_is_plain() -> None:
    cfg = OmegaConf.create({"a": "???", "b": [1, {"c": None}], "d": 1.5, "e": "${missing.key}"})
    plain = redacted(cfg)
    assert json.loads(json.dumps(plain)) == {
        "a": "???",
        "b": [1, {"c": None}],
        "d": 1.5,
        "e": "${missing.key}",
    }
