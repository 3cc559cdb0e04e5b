"""The variables of GitLab's own gateway: understood, or named once with what to do instead."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from inhouse import config
from inhouse.config.aigw_variables import MAPPED, TOLD, Known
from inhouse.config.environment import Remark
from inhouse.core.secret import Secret
from inhouse.errors import ConfigError

GITLAB = "https://gitlab.example/gitlab"
PEM = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"
EXAMPLES = {
    # One value for each variable of the tables; a group has one of its members.
    "AIGW_GITLAB_URL": GITLAB,
    "AIGW_GITLAB_API_URL": f"{GITLAB}/api/v4/",
    "AIGW_CUSTOMER_PORTAL_URL": "https://portal.example",
    "AIGW_CLOUD_CONNECTOR_SERVICE_NAME": "our-gateway",
    "AIGW_SELF_SIGNED_JWT__SIGNING_KEY": PEM,
    "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY": PEM,
    "AIGW_CUSTOM_MODELS__ENABLED": "true",
    "AIGW_FASTAPI__API_HOST": "0.0.0.0",  # noqa: S104 -- what containers listen on
    "AIGW_FASTAPI__API_PORT": "5052",
    "AIGW_FASTAPI__METRICS_HOST": "127.0.0.2",
    "AIGW_FASTAPI__METRICS_PORT": "9090",
    "AIGW_LOGGING__LEVEL": "DEBUG",
    "AIGW_LOGGING__FORMAT_JSON": "true",
    "AIGW_LOGGING__TO_FILE": "gateway.log",
    "AIGW_DUO_CHAT__MODEL_REQUEST_TIMEOUT": "90",
    "AWS_REGION_NAME": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_BEARER_TOKEN_BEDROCK": "x",
    "SSL_CERT_FILE": "",
    "REQUESTS_CA_BUNDLE": "",
    "HF_HUB_OFFLINE": "1",
    "AIGW_FASTAPI__TLS__*": "AIGW_FASTAPI__TLS__CERT_FILE",
    "AIGW_MTLS__*": "AIGW_MTLS__ENABLED",
    "AIGW_MODEL_SELECTION__*": "AIGW_MODEL_SELECTION__PROMPT_PARAMS",
    "AIGW_FEATURE_FLAGS__*": "AIGW_FEATURE_FLAGS__EXCL_POST_PROCESS",
    "AIGW_SNOWPLOW__*": "AIGW_SNOWPLOW__ENDPOINT",
    "AIGW_INTERNAL_EVENT__*": "AIGW_INTERNAL_EVENT__ENABLED",
    "AIGW_BILLING_EVENT__*": "AIGW_BILLING_EVENT__ENABLED",
    "AIGW_AUDIT_EVENT__*": "AIGW_AUDIT_EVENT__ENABLED",
    "AIGW_PROXY_ENDPOINTS__*": "AIGW_PROXY_ENDPOINTS__ENABLED",
    "AIGW_CUSTOMERSDOT__*": "AIGW_CUSTOMERSDOT__API_TOKEN",
    "DUO_WORKFLOW_*": "DUO_WORKFLOW_AUTH__ENABLED",
}
SOMETHING = {"AIGW_LOGGING__LEVEL": "info"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(environ: Mapping[str, str], file: str = "") -> config.Config:
    if file:
        Path("inhouse.toml").write_text(file)
    return config.load(None, {"HOME": str(Path.cwd()), **environ})


def urls(loaded: config.Config) -> list[str]:
    return [each.url for each in loaded.gitlab.instances]


def told(environ: Mapping[str, str], file: str = "") -> dict[str, str]:
    """Return what is said about each variable that is named at the start."""
    return {name: each.text for each in load(environ, file).remarks for name in each.variables}


def test_the_line_of_a_self_hosted_administrator(folder: Path) -> None:
    loaded = load(
        {
            # docker run -p 5052:5052 -e ...
            "AIGW_GITLAB_URL": GITLAB,
            "AIGW_GITLAB_API_URL": f"{GITLAB}/api/v4/",
            "AIGW_CUSTOMER_PORTAL_URL": GITLAB,
            "AIGW_SELF_SIGNED_JWT__SIGNING_KEY": PEM.replace("\n", "\\n"),
            "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY": PEM,
            "AIGW_FASTAPI__API_PORT": "5052",
            "AIGW_FASTAPI__METRICS_PORT": "8082",
            "AIGW_LOGGING__LEVEL": "INFO",
            "AIGW_LOGGING__TO_FILE": "gateway.log",
            "AIGW_CUSTOM_MODELS__ENABLED": "true",
            "INHOUSE_GITLAB_ALLOWED_ENDPOINTS": "http://vllm.internal:8000/*, bedrock/*",
        }
    )
    assert urls(loaded) == [GITLAB]
    assert loaded.gitlab.signing_key == Secret(PEM)
    assert loaded.gitlab.validation_key == Secret(PEM)
    assert loaded.gitlab.models == "request"
    assert loaded.gitlab.allowed_endpoints == ("http://vllm.internal:8000/*", "bedrock/*")
    assert (loaded.server.port, loaded.metrics.port) == (5052, 8082)
    assert loaded.log == config.LogConfig(level="info", file=str(folder / "gateway.log"))
    assert loaded.remarks == ()


@pytest.mark.parametrize("known", MAPPED, ids=lambda each: each.names[0])
def test_what_is_understood_is_not_told(folder: Path, known: Known) -> None:
    del folder
    file = '[gitlab]\nallowed_endpoints = ["http://models/*"]\n'
    for name in known.names:
        assert told({**SOMETHING, name: EXAMPLES[name]}, file) == {}


@pytest.mark.parametrize("known", TOLD, ids=lambda each: each.names[0])
def test_what_is_not_is_told_once_with_what_to_do(folder: Path, known: Known) -> None:
    del folder
    names = [EXAMPLES.get(name, name) for name in known.names]
    for value, expected in (("something", [Remark(tuple(sorted(names)), known.help)]), ("0", [])):
        found = load({**SOMETHING, **dict.fromkeys(names, value)})
        assert list(found.remarks) == expected


@pytest.mark.parametrize(
    ("name", "value", "section", "key", "expected"),
    [
        ("AIGW_FASTAPI__API_HOST", "10.0.0.1", "server", "host", "10.0.0.1"),
        ("AIGW_FASTAPI__API_PORT", "5000", "server", "port", 5000),
        ("AIGW_FASTAPI__METRICS_HOST", "10.0.0.1", "metrics", "host", "10.0.0.1"),
        ("AIGW_FASTAPI__METRICS_PORT", "9090", "metrics", "port", 9090),
        ("AIGW_LOGGING__LEVEL", "CRITICAL", "log", "level", "error"),
        ("AIGW_LOGGING__LEVEL", "Warn", "log", "level", "warning"),
        ("AIGW_LOGGING__FORMAT_JSON", "True", "log", "format", "json"),
        ("AIGW_LOGGING__FORMAT_JSON", "0", "log", "format", "console"),
        ("AIGW_LOGGING__TO_FILE", "/var/log/gateway.log", "log", "file", "/var/log/gateway.log"),
        ("AIGW_CLOUD_CONNECTOR_SERVICE_NAME", "ours", "gitlab", "audience", "ours"),
        ("AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "a\\nb", "gitlab", "signing_key", Secret("a\nb")),
        ("AIGW_SELF_SIGNED_JWT__VALIDATION_KEY", PEM, "gitlab", "validation_key", Secret(PEM)),
        ("AIGW_CUSTOM_MODELS__ENABLED", "true", "gitlab", "models", "request"),
        ("AIGW_CUSTOM_MODELS__ENABLED", "false", "gitlab", "models", "registry"),
    ],
)
def test_goes_before_the_file(
    folder: Path, name: str, value: str, section: str, key: str, expected: object
) -> None:
    del folder
    file = """
    [server]
    host = "127.0.0.3"
    port = 1
    [metrics]
    host = "127.0.0.3"
    port = 2
    [log]
    level = "info"
    [gitlab]
    audience = "the-files"
    signing_key = "the-files"
    allowed_endpoints = ["http://models/*"]
    """
    assert getattr(getattr(load({name: value}, file), section), key) == expected


def test_goes_behind_our_own_variables(folder: Path) -> None:
    del folder
    loaded = load(
        {
            "AIGW_FASTAPI__API_HOST": "10.0.0.1",
            "INHOUSE_HOST": "10.0.0.2",
            "AIGW_FASTAPI__API_PORT": "1",
            "INHOUSE_PORT": "2",
            "AIGW_LOGGING__LEVEL": "debug",
            "INHOUSE_LOG_LEVEL": "error",
            "AIGW_CUSTOM_MODELS__ENABLED": "false",
            "INHOUSE_GITLAB_ALLOWED_ENDPOINTS": "http://models/*",
        }
    )
    assert (loaded.server.host, loaded.server.port) == ("10.0.0.2", 2)
    assert (loaded.log.level, loaded.gitlab.models) == ("error", "request")


def test_a_service_of_our_name_in_kubernetes_is_not_the_port(folder: Path) -> None:
    del folder
    service = {
        "INHOUSE_PORT": "tcp://10.0.0.7:5052",
        "INHOUSE_PORT_5052_TCP": "tcp://10.0.0.7:5052",
        "INHOUSE_PORT_5052_TCP_ADDR": "10.0.0.7",
        "INHOUSE_SERVICE_HOST": "10.0.0.7",
        "INHOUSE_SERVICE_PORT": "5052",
        "INHOUSE_SERVICE_PORT_HTTP": "5052",
    }
    loaded = load({**service, "AIGW_FASTAPI__API_PORT": "5000"})
    assert loaded.server.port == 5000
    assert loaded.remarks == ()


def test_the_command_line_finds_the_gateway_where_it_listens(folder: Path) -> None:
    del folder
    assert config.load_client(None, {"AIGW_FASTAPI__API_PORT": "5000"}).url == (
        "http://127.0.0.1:5000"
    )


def test_the_timeout_of_chat_is_a_declared_setting(folder: Path) -> None:
    del folder
    loaded = load({"AIGW_DUO_CHAT__MODEL_REQUEST_TIMEOUT": "90"}, "[settings]\ntrace_days = 7\n")
    assert loaded.declared.settings == {"chat_first_token_timeout": 90.0, "trace_days": 7}


def test_gitlab_of_the_file_keeps_its_keys(folder: Path) -> None:
    del folder
    file = f'[[gitlab.instances]]\nurl = "{GITLAB}/"\nteam = "payments"\n'
    loaded = load({"AIGW_GITLAB_URL": GITLAB}, file)
    assert [(each.url, each.team) for each in loaded.gitlab.instances] == [(GITLAB, "payments")]
    both = load({"AIGW_GITLAB_URL": "https://other.example"})
    assert urls(both) == [GITLAB, "https://other.example"]


def test_nobody_outside_is_asked_unless_named(folder: Path) -> None:
    del folder
    assert urls(load({"AIGW_LOGGING__LEVEL": "info"})) == []
    assert urls(load({"AIGW_GITLAB_URL": GITLAB})) == [GITLAB]
    portal = {"AIGW_GITLAB_URL": GITLAB, "AIGW_CUSTOMER_PORTAL_URL": "https://portal.example/"}
    assert urls(load(portal)) == [GITLAB, "https://portal.example"]
    same = {"AIGW_GITLAB_URL": GITLAB, "AIGW_CUSTOMER_PORTAL_URL": f"{GITLAB}/"}
    assert urls(load(same)) == [GITLAB]


def test_gitlabs_url_follows_from_its_api(folder: Path) -> None:
    del folder
    assert urls(load({"AIGW_GITLAB_API_URL": f"{GITLAB}/api/v4/"})) == [GITLAB]
    assert (
        "does not tell GitLab's URL" in told({"AIGW_GITLAB_API_URL": GITLAB})["AIGW_GITLAB_API_URL"]
    )
    two = {"AIGW_GITLAB_URL": GITLAB, "AIGW_GITLAB_API_URL": "https://other.example/api/v4"}
    assert "another place than AIGW_GITLAB_URL" in told(two)["AIGW_GITLAB_API_URL"]
    assert urls(load(two)) == [GITLAB]


def test_models_of_the_admin_page_need_leave(folder: Path) -> None:
    del folder
    found = told({"AIGW_CUSTOM_MODELS__ENABLED": "true"})
    assert "INHOUSE_GITLAB_ALLOWED_ENDPOINTS" in found["AIGW_CUSTOM_MODELS__ENABLED"]
    assert load({"AIGW_CUSTOM_MODELS__ENABLED": "true"}).gitlab.models == "registry"


def test_unknown_variables_are_told(folder: Path) -> None:
    del folder
    found = told({"AIGW_GITLB_URL": GITLAB, "AIGW_ZZZ": "1"})
    assert found["AIGW_GITLB_URL"] == ("There is no such variable; did you mean 'AIGW_GITLAB_URL'?")
    assert found["AIGW_ZZZ"] == "There is no such variable."


def test_others_variables_are_told_to_gitlabs_administrators_alone(folder: Path) -> None:
    del folder
    assert told({"OPENAI_API_KEY": "x", "WEB_CONCURRENCY": "4"}) == {}
    assert list(told({**SOMETHING, "OPENAI_API_KEY": "x"})) == ["OPENAI_API_KEY"]
    file = (
        '[[deployments]]\nname = "gpt"\nfamily = "gpt"\nidentifier = "openai/gpt"\n'
        'api_key = "env:OPENAI_API_KEY"\n'
    )
    assert told({**SOMETHING, "OPENAI_API_KEY": "x"}, file) == {}


def test_slips_in_our_own_variables_are_told(folder: Path) -> None:
    del folder
    found = told({"INHOUSE_LOGLEVEL": "debug", "INHOUSE_CI_KEY": "x", "INHOUSE_PORT": "1"})
    assert found == {
        "INHOUSE_LOGLEVEL": "There is no such variable; did you mean 'INHOUSE_LOG_LEVEL'?"
    }
    file = '[[keys]]\nname = "a"\nrole = "admin"\nkey = "env:INHOUSE_API_KEYS"\n'
    assert told({"INHOUSE_API_KEYS": "a key of some length"}, file) == {}


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("AIGW_FASTAPI__API_PORT", "99999", "expected a port"),
        ("AIGW_FASTAPI__METRICS_PORT", "http", "expected a port"),
        ("AIGW_LOGGING__LEVEL", "loud", "expected one of debug, info, warning, error"),
        ("AIGW_LOGGING__FORMAT_JSON", "maybe", "expected true or false"),
        ("AIGW_CUSTOM_MODELS__ENABLED", "maybe", "expected true or false"),
        ("AIGW_DUO_CHAT__MODEL_REQUEST_TIMEOUT", "0", "expected seconds"),
        ("AIGW_DUO_CHAT__MODEL_REQUEST_TIMEOUT", "long", "expected seconds"),
        ("AIGW_GITLAB_URL", "gitlab.example", "expected a URL such as https://gitlab.example"),
        ("AIGW_CUSTOMER_PORTAL_URL", "portal", "expected a URL"),
        ("SSL_CERT_FILE", "absent.pem", "'absent.pem' is no usable PEM file (No such file"),
        ("REQUESTS_CA_BUNDLE", "inhouse.toml", "is no usable PEM file (no certificate in it)"),
    ],
)
def test_wrong_values_name_their_variable(folder: Path, name: str, value: str, what: str) -> None:
    (folder / "inhouse.toml").write_text("")
    with pytest.raises(ConfigError) as caught:
        load({name: value})
    assert str(caught.value).startswith(f"{name}: ")
    assert what in str(caught.value)


def test_mistakes_of_the_file_are_still_told(folder: Path) -> None:
    del folder
    environ = {"AIGW_GITLAB_URL": GITLAB, "AIGW_FASTAPI__API_PORT": "1"}
    for file in ("server = 1", "gitlab = 1", "[gitlab]\ninstances = 1"):
        with pytest.raises(ConfigError, match=r"inhouse\.toml"):
            load(environ, file)


def test_the_region_of_gitlabs_gateway_is_ours(folder: Path) -> None:
    del folder
    assert load({"AWS_REGION_NAME": "eu-west-1"}).platform == {"AWS_REGION": "eu-west-1"}
    both = {"AWS_REGION_NAME": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}
    assert load(both).platform == {"AWS_DEFAULT_REGION": "eu-west-2"}
