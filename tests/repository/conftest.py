from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path

import pytest

from inhouse.context import files
from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.providers.repository import Repository

LOOP = """\
def total_{name}(orders):
    total = 0
    for order in orders:
        total += order.{name}
    return total


def largest_{name}(orders):
    return max(order.{name} for order in orders)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small repository of files that resemble each other, as code does."""
    root = tmp_path / "project"
    root.mkdir()
    for name in ("price", "weight", "volume", "tax"):
        (root / f"{name}.py").write_text(LOOP.format(name=name))
    return root


@pytest.fixture
def deployment(project: Path) -> Deployment:
    return Deployment(
        name="own code",
        family="general",
        identifier="repository/index",
        endpoint=str(project),
        options={"threshold": 0.0},
    )


@pytest.fixture
def context(tmp_path: Path) -> ProviderContext:
    return ProviderContext(
        cache=tmp_path / "cache",
        proxies={},
        documents=lambda root, exclude: files.read(Path(root), exclude),
    )


@pytest.fixture
async def repository(context: ProviderContext) -> AsyncGenerator[Repository]:
    provider = Repository(context)
    yield provider
    await provider.aclose()


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[Mapping[str, str | bytes]], Path]:
    """Write files into a folder and return it."""

    def write(content: Mapping[str, str | bytes]) -> Path:
        root = tmp_path / "tree"
        root.mkdir(exist_ok=True)
        for path, data in content.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data.encode() if isinstance(data, str) else data)
        return root

    return write


@pytest.fixture
def paths() -> Callable[..., list[str]]:
    def of(root: Path, exclude: Sequence[str] = ()) -> list[str]:
        return [document.path for document in files.read(root, exclude)]

    return of
