"""`docs/configuration.md` says all that there is, and nothing that is not."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import NODEFAULT

from inhouse import config
from inhouse.config.shape import LISTS, SECTIONS

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = (DOCS / "configuration.md").read_text()


def heading(section: str) -> str:
    return f"## `[[{section}]]`" if section in LISTS else f"## `[{section}]`"


def row(name: str, default: object, text: str) -> str:
    if default is NODEFAULT:
        shown = "*required*"
    else:
        shown = "none" if default is None else f"`{msgspec.json.encode(default).decode()}`"
    return f"| `{name}` | {shown} | {text} |"


def rows(section: str) -> list[str]:
    """Return the lines that the table of a section must have."""
    shape = SECTIONS[section]
    schema: Any = msgspec.json.schema(shape)
    described = schema["$defs"][schema["$ref"].rpartition("/")[2]]["properties"]
    found: list[str] = []
    for each in msgspec.structs.fields(shape):
        factory = each.default_factory
        default = each.default if factory is NODEFAULT else factory()
        found.append(row(each.name, default, described[each.name]["description"]))
    return found


def part(title: str) -> str:
    """Return the text under a heading of the second level."""
    _, found, rest = DOCUMENT.partition(f"\n{title}\n")
    assert found, f"docs/configuration.md lacks the heading {title}"
    return rest.partition("\n## ")[0]


def table(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("section", SECTIONS)
def test_section_is_documented_as_it_is(section: str) -> None:
    assert table(part(heading(section))) == rows(section)


def test_no_other_section_is_documented() -> None:
    found = re.findall(r"^## `\[+(\w+)\]+`$", DOCUMENT, re.MULTILINE)

    assert sorted(found) == sorted(SECTIONS)


def test_environment_is_documented_as_it_is() -> None:
    expected = [f"| `{each.name}` | {each.help} |" for each in config.VARIABLES]

    assert table(part("## Environment variables")) == expected


@pytest.mark.parametrize(
    "page",
    # Those show files of other kinds, and have tests of their own.
    sorted(
        page for page in DOCS.glob("*.md") if page.stem not in {"editors", "extend", "families"}
    ),
    ids=lambda page: page.stem,
)
def test_examples_load(page: Path, tmp_path: Path) -> None:
    document = page.read_text()
    examples = re.findall(r"^```toml\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    environ = dict.fromkeys(re.findall(r"env:(\w+)", document), "a value of sixteen or more")

    assert examples or page != DOCS / "configuration.md"
    for text in examples:
        for name in re.findall(r'"file:([^"]+)"', text):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("a secret in a file")
        for name in re.findall(r'^folder = "([^"]+)"', text, re.MULTILINE):
            (tmp_path / name).mkdir()
        (tmp_path / "inhouse.toml").write_text(text)
        loaded = config.load(tmp_path / "inhouse.toml", {"HOME": str(tmp_path), **environ})
        assert loaded.path is not None
