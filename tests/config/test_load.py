"""Where the configuration comes from, and what it becomes."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from inhouse import config
from inhouse.core.catalog import ApiKey, Declared, Deployment, Limits, Role, Route, Team, digest
from inhouse.core.deadlines import DeadlineOverrides
from inhouse.core.feature import Feature
from inhouse.core.secret import Secret
from inhouse.errors import ConfigError

EXAMPLE = """
[server]
host = "127.0.0.1"
port = 5052
[store]
url = "sqlite:///var/inhouse.db"
[[deployments]]
name = "codestral on vLLM"
family = "codestral"
endpoint = "http://127.0.0.1:8000/v1"
identifier = "custom_openai/codestral"
api_key = "env:VLLM_API_KEY"
options = { ca = "ca.pem" }
max_concurrent = 16
[deployments.deadlines]
first_token = 2
total = 12.5
[[teams]]
name = "payments"
tokens_per_minute = 100_000
[[routes]]
feature = "completion"
deployments = ["codestral on vLLM"]
[[routes]]
feature = "completion"
team = "payments"
deployments = ["codestral on vLLM"]
weights = [2]
[[keys]]
name = "ci"
role = "admin"
key = "env:INHOUSE_CI_KEY"
models = ["completion"]
team = "payments"
requests_per_minute = 60
"""
CI_KEY = "a key of a caller"

Write = Callable[..., Path]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "HOME": str(tmp_path / "home"),
        "VLLM_API_KEY": "upstream-secret",
        "INHOUSE_CI_KEY": CI_KEY,
    }


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file under the test's folder, which is also the current one."""
    monkeypatch.chdir(tmp_path)

    def write_it(text: str, name: str = "inhouse.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write_it


def test_defaults_need_no_file(write: Write, environ: dict[str, str], tmp_path: Path) -> None:
    del write
    loaded = config.load(None, environ)

    state = tmp_path / "home/.local/state/inhouse"
    assert loaded.path is None
    assert loaded.server == config.ServerConfig()
    assert (loaded.server.host, loaded.server.port) == ("127.0.0.1", 5052)
    assert loaded.server.max_body_bytes == 10_000_000
    assert loaded.metrics == config.MetricsConfig(enabled=True, host="127.0.0.1", port=8082)
    assert loaded.log == config.LogConfig(level="info", format="auto")
    assert loaded.store.url == f"sqlite:///{state}/inhouse.db"
    assert loaded.key_file == state / "inhouse.key"
    assert loaded.state_folder == state
    assert loaded.cache_folder == tmp_path / "home/.cache/inhouse"
    assert loaded.config_folder == tmp_path / "home/.config/inhouse"
    assert loaded.declared == Declared()
    assert (loaded.families, loaded.secret_key, loaded.proxies) == (None, None, {})
    assert loaded.client == config.Client(url="http://127.0.0.1:5052", api_key=Secret())


def test_example(write: Write, environ: dict[str, str], tmp_path: Path) -> None:
    loaded = config.load(write(EXAMPLE), environ)

    assert loaded.path == tmp_path / "inhouse.toml"
    assert loaded.store.url == f"sqlite:///{tmp_path}/var/inhouse.db"
    assert loaded.key_file == tmp_path / "var/inhouse.key"
    assert loaded.declared == Declared(
        deployments=(
            Deployment(
                name="codestral on vLLM",
                family="codestral",
                identifier="custom_openai/codestral",
                endpoint="http://127.0.0.1:8000/v1",
                api_key=Secret("upstream-secret"),
                options={"ca": "ca.pem"},
                deadlines=DeadlineOverrides(first_token=2.0, total=12.5),
                max_concurrent=16,
                declared=True,
            ),
        ),
        teams=(Team(name="payments", limits=Limits(tokens_per_minute=100_000), declared=True),),
        routes=(
            Route(feature=Feature.COMPLETION, deployments=("codestral on vLLM",), declared=True),
            Route(
                feature=Feature.COMPLETION,
                team="payments",
                deployments=("codestral on vLLM",),
                weights=(2,),
                declared=True,
            ),
        ),
        keys=(
            ApiKey(
                name="ci",
                role=Role.ADMIN,
                digest=digest(CI_KEY),
                models=("completion",),
                team="payments",
                limits=Limits(requests_per_minute=60),
                declared=True,
            ),
        ),
    )


def test_first_file_found_is_read(write: Write, environ: dict[str, str], tmp_path: Path) -> None:
    explicit = write("[server]\nport = 1", "explicit.toml")
    named = write("[server]\nport = 2", "named.toml")
    here = write("[server]\nport = 3")
    user = write("[server]\nport = 4", "home/.config/inhouse/inhouse.toml")
    moved = write("[server]\nport = 5", "xdg/inhouse/inhouse.toml")
    pointing = {**environ, "INHOUSE_CONFIG": str(named)}

    assert config.load(explicit, pointing).server.port == 1
    assert config.load(None, pointing).server.port == 2
    assert config.load(None, environ).server.port == 3
    here.unlink()
    assert config.load(None, environ).server.port == 4
    xdg = {**environ, "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert config.load(None, xdg).path == moved
    assert config.load(None, {**environ, "XDG_CONFIG_HOME": "xdg"}).path == user


def test_named_file_must_exist(write: Write, environ: dict[str, str]) -> None:
    write(EXAMPLE)
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read: No such file"):
        config.load(Path("absent.toml"), environ)
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read: No such file"):
        config.load(None, {**environ, "INHOUSE_CONFIG": "absent.toml"})


def test_relative_paths_start_at_the_file(
    write: Write, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "etc/families").mkdir(parents=True)
    write("upstream-secret\n", "etc/secrets/vllm")
    path = write(
        EXAMPLE.replace("env:VLLM_API_KEY", "file:secrets/vllm").replace(
            "[store]", '[families]\nfolder = "families"\n[store]\nkey_file = "keys/seal"'
        ),
        "etc/inhouse.toml",
    )

    loaded = config.load(path, environ)

    assert loaded.store.url == f"sqlite:///{tmp_path}/etc/var/inhouse.db"
    assert loaded.key_file == tmp_path / "etc/keys/seal"
    assert loaded.families == tmp_path / "etc/families"
    assert loaded.declared.deployments[0].api_key == Secret("upstream-secret")


def test_home_folder_has_its_short_name(
    write: Write, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "home/families").mkdir(parents=True)
    text = '[families]\nfolder = "~/families"\n[store]\nkey_file = "~/key"'
    loaded = config.load(write(text), environ)

    assert loaded.families == tmp_path / "home/families"
    assert loaded.key_file == tmp_path / "home/key"


def test_absolute_paths_stay(write: Write, environ: dict[str, str]) -> None:
    loaded = config.load(write('[store]\nurl = "sqlite:////srv/a/inhouse.db"'), environ)

    assert loaded.store.url == "sqlite:////srv/a/inhouse.db"
    assert loaded.key_file == Path("/srv/a/inhouse.key")


def test_store_on_a_server(write: Write, environ: dict[str, str], tmp_path: Path) -> None:
    write("postgresql://inhouse:database-secret@db/inhouse\n", "url")
    loaded = config.load(write('[store]\nurl = "file:url"'), environ)

    assert loaded.store.url == "postgresql://inhouse:database-secret@db/inhouse"
    assert loaded.store.shown == "postgresql://inhouse:***@db/inhouse"
    assert loaded.key_file == tmp_path / "home/.local/state/inhouse/inhouse.key"


def test_environment_goes_before_the_file(
    write: Write, environ: dict[str, str], tmp_path: Path
) -> None:
    path = write(EXAMPLE, "etc/inhouse.toml")
    loaded = config.load(
        path,
        {
            **environ,
            "INHOUSE_HOST": "0.0.0.0",  # noqa: S104 - nothing listens
            "INHOUSE_PORT": "6000",
            "INHOUSE_STORE_URL": "sqlite:///other.db",
            "INHOUSE_LOG_LEVEL": "DEBUG",
            "INHOUSE_SECRET_KEY": " " + "k" * 32 + "\n",
        },
    )

    assert (loaded.server.host, loaded.server.port) == ("0.0.0.0", 6000)  # noqa: S104
    assert loaded.store.url == f"sqlite:///{tmp_path}/other.db"
    assert loaded.log.level == "debug"
    assert loaded.secret_key == Secret("k" * 32)
    assert loaded.client.url == "http://127.0.0.1:6000"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("INHOUSE_PORT", "http", "INHOUSE_PORT: expected a port from 0 to 65535, got 'http'"),
        ("INHOUSE_PORT", "65536", "INHOUSE_PORT: expected a port"),
        ("INHOUSE_LOG_LEVEL", "loud", "INHOUSE_LOG_LEVEL: expected one of debug, info"),
        ("INHOUSE_SECRET_KEY", "too-short", "INHOUSE_SECRET_KEY: shorter than 32 characters"),
    ],
)
def test_wrong_variables(
    write: Write, environ: dict[str, str], variable: str, value: str, message: str
) -> None:
    del write
    with pytest.raises(ConfigError, match=message) as caught:
        config.load(None, {**environ, variable: value})
    assert "too-short" not in str(caught.value)


def test_proxy_variables_of_both_cases(write: Write, environ: dict[str, str]) -> None:
    del write
    loaded = config.load(
        None,
        {
            **environ,
            "HTTP_PROXY": "http://upper",
            "http_proxy": "http://lower",
            "HTTPS_PROXY": "http://user:proxy-secret@secure",
            "ALL_PROXY": "http://any",
            "no_proxy": "localhost",
            "NO_PROXY": "",
        },
    )

    assert loaded.proxies == {
        "http_proxy": "http://lower",
        "https_proxy": "http://user:proxy-secret@secure",
        "all_proxy": "http://any",
        "no_proxy": "localhost",
    }
    assert "proxy-secret" not in repr(loaded)


def test_families_need_no_secrets_of_the_file(
    write: Write, tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / "own").mkdir()
    path = write(EXAMPLE + '[families]\nfolder = "own"\n')

    assert config.load_families_folder(path, {"HOME": environ["HOME"]}) == tmp_path / "own"
    assert config.load_families_folder(write(EXAMPLE), {"HOME": environ["HOME"]}) is None


def test_client_needs_no_secrets_of_the_file(write: Write, environ: dict[str, str]) -> None:
    path = write(EXAMPLE.replace("port = 5052", "port = 7000"))
    bare = {"HOME": environ["HOME"]}

    assert config.load_client(path, bare).url == "http://127.0.0.1:7000"
    named = {**bare, "INHOUSE_URL": "https://ai.example/", "INHOUSE_API_KEY": "ihk_secret\n"}
    assert config.load_client(path, named) == config.Client(
        url="https://ai.example", api_key=Secret("ihk_secret")
    )
    wide = write('[server]\nhost = "::"', "wide.toml")
    assert config.load_client(wide, bare).url == "http://[::1]:5052"


def test_file_that_is_applied_once(write: Write, environ: dict[str, str]) -> None:
    text = EXAMPLE[EXAMPLE.index("[[deployments]]") :] + "[settings]\ntrace_days = 7"
    listed = config.load_entries(write(text.replace('["codestral on', '["other on')), environ)

    assert listed.settings == {"trace_days": 7}
    assert not any(each.declared for each in (*listed.deployments, *listed.routes, *listed.keys))
    assert listed.routes[0].deployments == ("other on vLLM",)
    with pytest.raises(ConfigError, match="unknown section 'server'"):
        config.load_entries(write(EXAMPLE), environ)


def test_no_secret_shows(write: Write, environ: dict[str, str]) -> None:
    text = EXAMPLE.replace("sqlite:///var/inhouse.db", "postgresql://u:database-secret@db/x")
    loaded = config.load(
        write(text),
        {**environ, "INHOUSE_SECRET_KEY": "seal-secret" * 5, "INHOUSE_API_KEY": "ihk_secret"},
    )
    parts = [getattr(loaded, name) for name in loaded.__struct_fields__]

    shown = repr(loaded) + repr(parts) + repr(msgspec.structs.asdict(loaded))
    shown += repr([*loaded.__rich_repr__(), *loaded.store.__rich_repr__()])
    assert "secret@" not in shown
    for secret in ("upstream-secret", CI_KEY, "seal-secret", "ihk_secret", "database-secret"):
        assert secret not in shown
