"""The reader refuses what it does not know, and says where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inhouse.errors import ConfigError
from inhouse.families import CompletionMode, load, read

if TYPE_CHECKING:
    from pathlib import Path

FAMILY = """
name = "ours"
title = "Ours"
aliases = ["our-own"]
window = 4096
window_source = "the team"
completion = "fim"
generation = "text"
chat = false
special = ["<|stop|>"]

[fim]
order = "psm"
prefix = "<|before|>"
suffix = "<|after|>"
middle = "<|fill|>"
source = "the team"

[[models]]
title = "Ours 1"
licence = { spdx = "Apache-2.0", blue_oak = "silver", source = "the team" }
hardware = { minimum = "1 GPU", source = "the team" }
ratings = { completion = "full", generation = "limited", chat = "unsupported", source = "us" }
"""


def test_a_family_of_the_customer_joins_the_packaged_ones(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(FAMILY)
    (tmp_path / "README.md").write_text("no family")
    families = load(tmp_path)
    assert families.get("our-own").fim is not None
    assert "codestral" in families
    assert len(families) == len(load()) + 1


def test_a_variant_says_only_where_it_differs() -> None:
    ours, chatty = read(
        "ours.toml",
        FAMILY
        + """
[variants.ours-chat]
title = "Ours, chatting"
completion = "instruction"
chat = true
generation = "chat"
""",
    )
    assert ours.name == "ours"
    assert chatty.name == "ours-chat"
    assert chatty.completion is CompletionMode.INSTRUCTION
    assert (chatty.window, chatty.tokens) == (ours.window, ours.tokens)
    assert (chatty.aliases, chatty.models) == ((), ())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("chat = false", "chat = false\ncaht = true", "unknown key `caht` at caht"),
        ('middle = "', 'typo = "', "unknown key `typo` at fim.typo"),
        ('title = "Ours 1"', 'name = "Ours 1"', "unknown key `name` at models[0].name"),
        ("window = 4096", 'window = "4k"', "expected `int`, got `str` at window"),
        ("window = 4096", "", "object missing required field `window`"),
        ('"psm"', '"pms"', "invalid enum value 'pms' at fim.order"),
        ('blue_oak = "silver"', 'blue_oak = "ok"', "invalid enum value 'ok' at models[0].licence"),
        (
            'source = "us"',
            'source = ""',
            "expected `str` of length >= 1 at models[0].ratings.source",
        ),
        ('name = "ours"', 'name = "Our Own"', "expected `str` matching regex"),
        ('generation = "text"', 'generation = "chat"', "generation = 'chat' needs chat = true"),
        ('"<|stop|>"', '"<|st<op"', "the special token '<|st<op' may hide"),
        ('"<|stop|>"', '"|>stop"', "may hide the start of another one"),
        ('"<|stop|>"', '"<"', "the special token '<' is too short"),
        ('"<|stop|>"', '"<|stop |>"', "holds a blank"),
        ('"<|stop|>"', '"<|fill|>>"', "the special token '<|fill|>' is the head of another one"),
        ("[fim]", "[fim", "no valid TOML"),
    ],
)
def test_a_mistake_is_named_with_file_and_path(old: str, new: str, message: str) -> None:
    assert old in FAMILY
    with pytest.raises(ConfigError) as refused:
        read("families/ours.toml", FAMILY.replace(old, new, 1))
    assert str(refused.value).startswith("families/ours.toml: ")
    assert message in str(refused.value)


def test_a_mistake_in_a_variant_is_named_with_its_path() -> None:
    with pytest.raises(ConfigError) as refused:
        read(
            "ours.toml", FAMILY + '\n[variants.chatty]\ntitle = "Chatty"\nfim = { oder = "psm" }\n'
        )
    assert str(refused.value) == "ours.toml: unknown key `oder` at variants.chatty.fim.oder"
    with pytest.raises(ConfigError, match=r"got `int` at variants\.chatty"):
        read("ours.toml", "variants = { chatty = 1 }\n" + FAMILY)


def test_fim_needs_sentinels() -> None:
    head, _, rest = FAMILY.partition("[fim]")
    without = head + rest[rest.index("[[models]]") :]
    with pytest.raises(ConfigError, match=r"completion = 'fim' needs a table \[fim\]"):
        read("ours.toml", without)


@pytest.mark.parametrize("taken", ["codestral", "claude_3"])
def test_a_name_or_alias_is_taken_once(tmp_path: Path, taken: str) -> None:
    (tmp_path / "mine.toml").write_text(FAMILY.replace("our-own", taken))
    with pytest.raises(ConfigError) as refused:
        load(tmp_path)
    assert str(refused.value).startswith(
        f"{tmp_path / 'mine.toml'}: the name '{taken}' is taken by"
    )
    assert "families/" in str(refused.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder of families"):
        load(tmp_path / "absent")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"odd\.toml: unreadable"):
        load(tmp_path)
