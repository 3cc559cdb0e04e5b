"""The documentation agrees with the code."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from inhouse.providers.anthropic import Options as AnthropicOptions
from inhouse.providers.bedrock import Options as BedrockOptions
from inhouse.providers.openai_compatible import AzureOptions
from inhouse.providers.openai_compatible import Options as ServerOptions
from inhouse.providers.repository.options import Options as RepositoryOptions
from inhouse.server.api import gitlab, openai
from inhouse.server.api.operations import OPERATIONS
from inhouse.server.api.tabby import endpoints as tabby

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def test_every_operation_of_the_admin_api_is_documented() -> None:
    said = set(re.findall(r"^\| `(\w+ /api/v1/[^`]*)` \| (.+) \|$", _page("api.md"), re.MULTILINE))
    assert said == {(f"{each.method} {each.path}", each.summary) for each in OPERATIONS}


def test_every_endpoint_for_editors_and_gitlab_is_documented() -> None:
    said = set(re.findall(r"`((?:GET|POST) /[^`]*)`", _page("api.md")))
    served = [*openai.ENDPOINTS, *gitlab.ENDPOINTS, *tabby.ENDPOINTS]
    # The page says once that all of Tabby's doors are under a prefix too.
    paths = {(each.method, each.path.removeprefix(tabby.PREFIX)) for each in served}
    assert {f"{method} {path.replace('...', '')}" for method, path in paths} <= said


@pytest.mark.parametrize(
    ("page", "identifier", "shape"),
    [
        ("configuration.md", "custom_openai/…", ServerOptions),
        ("configuration.md", "repository/index", RepositoryOptions),
        ("anthropic.md", "anthropic", AnthropicOptions),
        ("azure.md", "azure", AzureOptions),
        ("bedrock.md", "bedrock", BedrockOptions),
    ],
)
def test_every_option_of_a_provider_is_documented(
    page: str, identifier: str, shape: type[Struct]
) -> None:
    part = _page(page).partition(f"## Options of `{identifier}`\n")[2]
    table = part.partition("\n#")[0]
    said = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert said == [each.name for each in msgspec.structs.fields(shape)]


def test_every_decision_is_in_the_index() -> None:
    listed = set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", _page("decisions/index.md")))
    assert listed == {each.name for each in (DOCS / "decisions").glob("0*.md")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_examples_in_python_and_toml_are_well_formed(page: Path) -> None:
    for language, code in re.findall(
        r"^```(\w+)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL
    ):
        if language == "python":
            compile(code, page.name, "exec")
        elif language == "toml":
            tomllib.loads(code)


def test_links_between_pages_lead_somewhere() -> None:
    readme = DOCS.parent / "README.md"
    for page in [readme, *PAGES]:
        for link in re.findall(r"\]\(([^)#:]+\.md)[^)]*\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def _page(name: str) -> str:
    return (DOCS / name).read_text()
