"""Every mistake is told with file and path, none with a secret."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse import config
from inhouse.errors import ConfigError

SECRET = "a-literal-upstream-secret"
TEXT = f"""
[server]
port = 5052
[log]
level = "info"
[egress]
networks = ["10.0.0.0/8"]
peers = ["gpu.example:8000"]
[settings]
trace_days = 7
[[deployments]]
name = "one"
family = "codestral"
identifier = "custom_openai/codestral"
api_key = "{SECRET}"
max_concurrent = 4
deadlines = {{ total = 20 }}
[[teams]]
name = "payments"
tokens_per_minute = 1000
[[routes]]
feature = "completion"
deployments = ["one"]
weights = [1]
[[routes]]
feature = "chat"
team = "payments"
disabled = true
[[keys]]
name = "ci"
role = "admin"
key = "env:KEY"
requests_per_minute = 60
"""
ENVIRON = {"HOME": "/nowhere", "KEY": "the-key-of-a-caller"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(folder: Path, text: str) -> str:
    """Return what is said about a wrong file."""
    (folder / "inhouse.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(None, ENVIRON)
    return str(caught.value)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("port =", "prot =", "unknown key 'prot' in [server]; did you mean 'port'?"),
        ("[log]", "[lgo]", "unknown section 'lgo'; did you mean 'log'?"),
        ("trace_days", "trace_day", "unknown key 'trace_day' in [settings]; did you mean"),
        ("family", "familiy", "unknown key 'familiy' in [[deployments]] 'one'; did you mean"),
        ("feature", "featrue", "unknown key 'featrue' in [[routes]] number 1; did you mean"),
        ("5052", '"5052"', "[server]: port: expected int, got str"),
        ("5052", "70000", "[server]: port: expected int <= 65535"),
        ("10.0.0.0/8", "10.0.0.1/8", "[egress]: networks: '10.0.0.1/8' is not a network, as in"),
        ("e:8000", "e", "[egress]: peers: 'gpu.example' is not HOST:PORT, as in gpu.example:8000"),
        ("port = 5052", 'host = ""', "[server]: host: expected str of length >= 1"),
        ("trace_days = 7", "trace_days = 0", "[settings]: trace_days: expected int >= 1"),
        ('"info"', '"loud"', "[log]: level: expected one of debug, error, info, warning"),
        ("total = 20", "totl = 20", "'totl' in [[deployments]] 'one': deadlines; did you mean"),
        ("total = 20", "total = 0", "[[deployments]] 'one': deadlines: total: expected float > 0"),
        ("max_concurrent = 4", "max_concurrent = 0", "'one': max_concurrent: expected int >= 1"),
        ("[1]", "[0]", "[[routes]] 'completion': weights: all are 0, so that nothing would be"),
        ("[1]", "[1, 2]", "[[routes]] 'completion': weights: 2 for 1 deployments; write one"),
        ("[1]", "[2000]", "[[routes]] 'completion': weights[0]: expected int <= 1000"),
        ('team = "payments"', 'team = "payment"', "[[routes]] 'chat@payment': team: the file"),
        ('"ci"', '"ci"\nteam = "pay"', "[[keys]] 'ci': team: the file declares no team 'pay'"),
        ('"payments"', '"pay/ments"', "[[teams]] 'pay/ments': the name holds a slash"),
        ("= 1000", "= 0", "[[teams]] 'payments': tokens_per_minute: expected int >= 1"),
        ("= 60", "= 0.5", "[[keys]] 'ci': requests_per_minute: expected int"),
        ('["one"]', '"one"', "[[routes]] 'completion': deployments: expected array, got str"),
        ('["one"]', "[1]", "[[routes]] 'completion': deployments[0]: expected str, got int"),
        ('["one"]', '["on"]', "deployments: the file declares no deployment 'on'; did you mean"),
        ('["one"]', '["one", "one"]', "[[routes]] 'completion': deployments: one is listed twice"),
        ('["one"]', "[]", "[[routes]] 'completion': deployments: list at least one, or write"),
        ('"completion"', '"complete"', "no feature of this name; did you mean 'completion'?"),
        ('"admin"', '"amdin"', "[[keys]] 'ci': role: expected one of admin, developer, auditor"),
        ('name = "ci"\n', "", "[[keys]] number 1: the key 'name' is missing"),
        ('family = "codestral"\n', "", "[[deployments]] 'one': the key 'family' is missing"),
        ("custom_openai/codestral", "codestral", "[[deployments]] 'one': the identifier"),
        ('name = "one"', 'name = "chat"', "the name 'chat' is a feature's"),
        ('name = "one"', 'name = "o/e"', "[[deployments]] 'o/e': the name holds a slash"),
        ('name = "ci"', 'name = ""', "[[keys]] number 1: the name is empty"),
        ("env:KEY", "env:ABSENT", "key: the environment variable ABSENT is not set; set it"),
        ("env:KEY", "file:absent", "/absent cannot be read: No such file or directory"),
        ("env:KEY", "short", "[[keys]] 'ci': key: shorter than 16 characters"),
        ("env:KEY", "ключ" * 5, "[[keys]] 'ci': key: not plain ASCII text"),
        ("env:KEY", " " * 20 + "blank", "[[keys]] 'ci': key: not plain ASCII text"),
        (f'"{SECRET}"', "[1]", "[[deployments]] 'one': api_key: expected str, got array"),
        ("[[keys]]", "[keys]", "[keys]: write [[keys]], with two brackets: it is a list"),
        ("[server]", "[[server]]", "[server]: expected a table, got array"),
        ("[[routes]]", "[[routes]", "not valid TOML: Expected ']]' at the end of an array"),
        ("[server]", "server = 3\n[servers]", "unknown section 'servers'; did you mean 'server'?"),
    ],
)
def test_mistakes(folder: Path, right: str, wrong: str, message: str) -> None:
    said = told(folder, TEXT.replace(right, wrong, 1))

    assert said.startswith("inhouse.toml: ")
    assert message in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("deployments", "[[deployments]] 'one': there are two with this name"),
        ("routes", "[[routes]] 'completion': there are two with this feature"),
        ("keys", "[[keys]] 'ci': there are two with this name"),
        ("teams", "[[teams]] 'payments': there are two with this name"),
    ],
)
def test_duplicates(folder: Path, section: str, message: str) -> None:
    block = re.search(rf"\[\[{section}\]\]\n(?:.+ = .+\n)+", TEXT)
    assert block
    assert told(folder, TEXT + block[0]) == f"inhouse.toml: {message}"


def test_two_routes_of_one_team(folder: Path) -> None:
    twin = '[[routes]]\nfeature = "chat"\nteam = "payments"\ndisabled = true\n'

    said = told(folder, TEXT + twin)
    assert said == (
        "inhouse.toml: [[routes]] 'chat@payments': there are two with this feature and team"
    )


def test_one_key_under_two_names(folder: Path) -> None:
    twin = '[[keys]]\nname = "twin"\nrole = "admin"\nkey = "the-key-of-a-caller"\n'

    assert (
        told(folder, TEXT + twin) == "inhouse.toml: [[keys]] 'twin': key: the same as that of 'ci'"
    )


@pytest.mark.parametrize("name", ["url", "key_file"])
def test_paths_hold_no_nul(folder: Path, name: str) -> None:
    said = told(folder, f'[store]\n{name} = "sqlite:///a\\u0000b"')

    assert said == f"inhouse.toml: [store]: {name}: it holds a NUL character"


@pytest.mark.parametrize(
    "url", ["", "gitlab.example", "ftp://gitlab.example", "https://x.example:99999", "http://[::1"]
)
def test_what_is_no_url_of_a_gitlab(folder: Path, url: str) -> None:
    said = told(folder, f'[[gitlab.instances]]\nurl = "{url}"')

    where = "inhouse.toml: [[gitlab.instances]]: url: "
    assert said == f"{where}expected a URL such as https://gitlab.example, got '{url}'"


def test_credentials_in_the_url_of_a_gitlab_are_not_shown(folder: Path) -> None:
    said = told(folder, f'[[gitlab.instances]]\nurl = "https://me:{SECRET}@gitlab.example"')

    assert said == "inhouse.toml: [[gitlab.instances]]: url: a URL holds no credentials"


def test_a_file_nested_too_deeply(folder: Path) -> None:
    assert told(folder, f"x = {'[' * 100_000}").startswith("inhouse.toml: not valid TOML: ")


def test_a_byte_order_mark_is_no_mistake(folder: Path) -> None:
    (folder / "inhouse.toml").write_text(TEXT, encoding="utf-8-sig")

    assert config.load(None, ENVIRON).server.port == 5052


def test_line_of_a_toml_mistake(folder: Path) -> None:
    assert "(at line 3, column 8)" in told(folder, "\n[server]\nport = \n")


def test_missing_secrets_are_told_by_deployment_and_variable(folder: Path) -> None:
    said = told(folder, TEXT.replace(SECRET, "env:VLLM_API_KEY"))

    assert said == (
        "inhouse.toml: [[deployments]] 'one': api_key: the environment variable VLLM_API_KEY"
        " is not set; set it, or change env:VLLM_API_KEY"
    )


def test_secret_files_that_cannot_be_used(folder: Path) -> None:
    (folder / "empty").write_text("\n")
    (folder / "binary").write_bytes(b"\xff\xfe")

    assert "empty is empty" in told(folder, TEXT.replace(SECRET, "file:empty"))
    assert "binary is not UTF-8 text" in told(folder, TEXT.replace(SECRET, "file:binary"))


def test_files_that_cannot_be_read(folder: Path) -> None:
    (folder / "binary.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError, match=r"^binary\.toml: not UTF-8 text, at byte 0$"):
        config.load(folder / "binary.toml", ENVIRON)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        config.load(folder, ENVIRON)


def test_folder_of_families_must_exist(folder: Path) -> None:
    said = told(folder, '[families]\nfolder = "absent"')

    assert said == f"inhouse.toml: [families]: folder: there is no folder {folder / 'absent'}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_file_loads_or_is_refused_without_its_secrets(
    folder: Path, data: st.DataObject
) -> None:
    lines: list[str] = [*TEXT.splitlines()]
    values = [
        "1",
        "-1",
        '""',
        '"x"',
        "[]",
        "{}",
        "true",
        "1979-05-27",
        "inf",
        '"\\u0000"',
        '"file:\\u0000"',
    ]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(lines) - 1))
        key, equals, _ = lines[place].partition(" = ")
        replaced = f"{key} = {data.draw(st.sampled_from(values))}" if equals else ""
        lines[place] = data.draw(st.sampled_from([replaced, "", lines[place - 1], "\\x"]))
    (folder / "inhouse.toml").write_text("\n".join(lines))

    try:
        config.load(None, ENVIRON)
    except ConfigError as error:
        said = str(error)
    else:
        said = ""
    assert SECRET not in said
