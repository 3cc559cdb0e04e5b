"""Languages by the editor's id and by the file's name."""

import pytest

from inhouse.wire.gitlab.languages import NAMES, language


@pytest.mark.parametrize(
    ("identifier", "path", "name"),
    [
        ("", "src/app.py", "python"),
        ("", "APP.PY", "python"),
        ("", "test.rb", "ruby"),
        ("", "lib/Rakefile", "ruby"),
        ("", "Dockerfile", "dockerfile"),
        ("", "docker/web.Dockerfile", "dockerfile"),
        ("", "Makefile", "makefile"),
        ("", "a/b.tsx", "typescript"),
        ("", "x.spec.ts", "typescript"),
        ("", "no-extension", ""),
        ("", "odd.qqq", ""),
        ("", "", ""),
        ("Python", "x.txt", "python"),
        ("typescriptreact", "x", "typescript"),
        ("javascriptreact", "x", "javascript"),
        ("vue-html", "x", "vue"),
        ("DockerCompose", "x", "yaml"),
        ("C++", "x", "cpp"),
        (" go ", "x", "go"),
        (" ", "x.go", "go"),
        ("klingon", "x.go", "go"),
        ("klingon", "x", ""),
    ],
)
def test_language(identifier: str, path: str, name: str) -> None:
    assert language(identifier, path) == name


def test_there_are_many() -> None:
    assert len(NAMES) >= 100


def test_names_are_their_own_ids() -> None:
    assert all(language(name, "") == name == name.lower() for name in NAMES)
