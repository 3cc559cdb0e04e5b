"""How pages are cut: nothing is lost, nothing is cut at what only looks like a heading."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inhouse.context.documentation.pages import parse_page
from inhouse.context.documentation.passages import MOST, passages
from inhouse.context.documentation.readable import readable

LINES = st.sampled_from(
    [
        "# Top",
        "## Section",
        "### Deeper {#given}",
        "## `code` and [a link](there.md)",
        "####### seven",
        "#no heading",
        "text of a paragraph",
        "",
        " ",
        "```shell",
        "```",
        "````",
        "~~~",
        "  - ```yaml",
        "> ```",
        "<!-- a comment",
        "-->",
        "<!-- closed -->",
        "| a | b |",
        "    # indented",
        "x" * 700,
        "y" * 4500,
        '{{< tab title="Linux" >}}',
        "a\u2028# b",
        "c\x0b## d",
    ]
)
BODIES = st.one_of(
    st.lists(LINES, max_size=30).map("\n".join),
    st.lists(LINES, max_size=30).map("\r\n".join),
    st.text(max_size=400),
)


@given(BODIES)
def test_every_character_is_in_exactly_one_passage_and_none_is_too_long(body: str) -> None:
    found = list(passages(body))
    assert "".join(each.text for each in found) == body
    assert all(0 < len(each.text) <= MOST for each in found)


@given(BODIES)
def test_no_two_passages_of_a_page_have_the_same_place(body: str) -> None:
    places = [(each.anchor, each.part) for each in passages(body) if each.anchor]
    assert len(places) == len(set(places))


@given(
    st.lists(
        st.sampled_from(["# not", "## a", "### heading", "", "text", "~~~", "``"]), max_size=9
    ),
    st.sampled_from(["", "  ", "   ", "1. ", "- ", "> "]),
    st.integers(3, 6),
)
def test_a_fence_that_is_short_enough_stays_whole(
    inside: list[str], before: str, ticks: int
) -> None:
    fence = "\n".join([f"{before}{'`' * ticks}shell", *inside, "`" * ticks])
    body = f"## Before\n\ntext\n\n{fence}\n\n## Behind\n\ntext\n"
    found = list(passages(body))
    assert [each.headings for each in found] == [("Before",), ("Behind",)]
    assert fence in found[0].text


@given(st.lists(st.sampled_from(["# not", "## a", "", "```", "text", "<!-- x"]), max_size=9))
def test_a_comment_stays_whole(inside: list[str]) -> None:
    comment = "\n".join(["<!-- for writers", *inside, "-->"])
    found = list(passages(f"## Before\n\n{comment}\n\n## Behind\n\ntext\n"))
    assert [each.headings for each in found] == [("Before",), ("Behind",)]
    assert readable(found[0].text) == "## Before"


def test_headings_lead_to_a_passage_and_its_anchor_is_that_of_the_site() -> None:
    body = """intro
## Set up the *agent*
a
### `config.toml` {#settings}
b
#### Q: what's new, in 18.6?
c
## Set up the agent
d
# Another top
e
"""
    assert [(each.headings, each.anchor) for each in passages(body)] == [
        ((), ""),
        (("Set up the agent",), "set-up-the-agent"),
        (("Set up the agent", "config.toml"), "settings"),
        (("Set up the agent", "config.toml", "Q: what's new, in 18.6?"), "q-whats-new-in-186"),
        (("Set up the agent",), "set-up-the-agent-1"),
        ((), ""),
    ]


def test_a_section_that_is_too_long_is_cut_between_paragraphs() -> None:
    paragraphs = [f"{number} {'word ' * 150}\n\n" for number in range(8)]
    found = list(passages("## Long\n\n" + "".join(paragraphs)))
    assert len(found) > 1
    assert all(each.text.endswith("\n\n") for each in found)
    assert [each.part for each in found] == list(range(len(found)))


def test_front_matter_is_no_text() -> None:
    page = parse_page("a/b.md", '---\nstage: Plan\ntitle: "What: it is"\n---\n\nHello\n')
    assert (page.title, page.body, page.moved) == ("What: it is", "\nHello\n", False)


def test_a_page_without_front_matter_is_titled_by_its_heading_or_its_name() -> None:
    assert parse_page("a.md", "```\n# no\n```\n# Yes #\n").title == "Yes"
    assert parse_page("ci/first_steps.md", "text").title == "First steps"
    assert parse_page("ci/_index.md", "text").title == "Ci"
    assert parse_page("README.md", "text").title == "README.md"


def test_a_rule_is_no_front_matter() -> None:
    assert parse_page("a.md", "text\n---\ntitle: no\n---\n").body.startswith("text")
    assert parse_page("a.md", "---\nno end\n").body == "---\nno end\n"


@given(st.text(alphabet="-\n\r ab:", max_size=80))
def test_no_text_is_too_strange_for_front_matter(text: str) -> None:
    assert text.endswith(parse_page("a.md", text).body)


def test_what_only_the_site_acts_on_is_not_read() -> None:
    text = (
        '{{< tabs >}}\n\n{{< tab title="Linux" >}}\n\nSelect {{< icon name="pencil" >}}.\n\n'
        "{{< /tab >}}\n\n{{< /tabs >}}\n<!-- vale off -->\n"
    )
    assert readable(text) == "Linux\n\nSelect pencil."


@given(BODIES)
def test_reading_never_fails(body: str) -> None:
    readable(body)
