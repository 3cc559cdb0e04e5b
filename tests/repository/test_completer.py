import pytest

from inhouse.core.documents import Document
from inhouse.providers.repository.completer import LINE_TOKENS, Cancelled, Suggestion
from inhouse.providers.repository.index import Index, build

OPEN = Document(
    "config.py",
    "with open(path) as file:\n    data = json.load(file)\n    return data\n",
)
READ = Document("reader.py", "with open(path) as file:\n    data = json.load(file)\n")
TEXT = Document("text.py", "with open(path) as file:\n    data = file.read()\n")


def suggestion(index: Index, prefix: str, suffix: str = "") -> Suggestion | None:
    found = index.query(prefix, suffix).suggestions()
    return found[0] if found else None


def text(index: Index, prefix: str, suffix: str = "") -> str:
    found = suggestion(index, prefix, suffix)
    return found.text if found else ""


def test_the_rest_of_a_line_that_the_repository_knows() -> None:
    assert text(build([OPEN], 0), "with open(path) as file:\n    data = ") == "json.load(file)"


def test_the_rest_of_a_line_that_only_the_file_knows() -> None:
    prefix = "gross = net * RATE\nprint(gross)\ngross = net"
    assert text(build([OPEN], 0), prefix) == " * RATE"


def test_the_lines_behind_the_cursor_count() -> None:
    assert text(build([], 0), "limit = ", "\nfloor = 3\nlimit = ceiling(7)\n") == "ceiling(7)"


def test_the_majority_wins_and_is_not_certain() -> None:
    index = build([OPEN, READ, TEXT], 0)
    found = suggestion(index, "with open(path) as file:\n    data = ")
    assert found is not None
    assert found.text == "json.load(file)"
    assert found.whole
    assert 0.3 < found.confidence < 0.7


def test_agreement_raises_confidence() -> None:
    prefix = "with open(path) as file:\n    data = "
    alone = suggestion(build([READ], 0), prefix)
    agreed = suggestion(build([OPEN, READ, READ], 0), prefix)
    assert alone is not None
    assert agreed is not None
    assert alone.confidence < agreed.confidence


def test_an_unfinished_word_is_finished() -> None:
    prefix = "with open(path) as file:\n    data = js"
    assert text(build([OPEN, TEXT], 0), prefix) == "on.load(file)"


def test_an_unfinished_word_of_the_file_itself_is_found_without_any_context() -> None:
    found = suggestion(build([OPEN], 0), "remaining_weight = 1\nassert rema")
    assert found is not None
    assert found.text.startswith("ining_weight")
    assert found.confidence < 0.3


def test_a_word_that_nobody_knows_is_not_finished() -> None:
    assert suggestion(build([OPEN], 0), "data = zzz") is None


def test_a_suggestion_leads_up_to_the_rest_of_the_line() -> None:
    index = build([OPEN], 0)
    assert text(index, "    data = json.load(", ")\n") == "file"
    assert text(index, "    data = json.load(", " or None)\n") == ""


def test_further_suggestions_are_distinct_and_less_sure() -> None:
    index = build([OPEN, READ, TEXT], 0)
    query = index.query("with open(path) as file:\n    data = ")
    found = query.suggestions(3)
    assert [each.text for each in found[:2]] == ["json.load(file)", "file.read()"]
    assert len({each.text for each in found}) == len(found)
    assert [each.confidence for each in found] == sorted(
        (each.confidence for each in found), reverse=True
    )


def test_a_limit_leaves_the_line_unfinished() -> None:
    query = build([OPEN], 0).query("with open(path) as file:\n    data = ")
    (found,) = query.suggestions(limit=2)
    assert (found.text, found.whole) == ("json.", False)
    assert query.suggestions(limit=0) == []


def test_an_endless_line_ends() -> None:
    index = build([Document("long.txt", "a, " * 1000)], 0)
    (found,) = index.query("a, ").suggestions()
    assert not found.whole
    assert found.text.count("a") <= LINE_TOKENS


def test_carriage_returns_end_a_line() -> None:
    index = build([Document("dos.py", "if ready:\r\n    start(engine)\r\n")], 0)
    assert text(index, "if ready:\r\n    start") == "(engine)"


def test_any_script_is_completed() -> None:
    index = build([Document("größe.py", "größe = длина(長さ)  # naïve ☃\n")], 0)
    assert text(index, "größe = дли") == "на(長さ)  # naïve ☃"


def test_lone_surrogates_and_separators_do_no_harm() -> None:
    index = build([Document("odd.py", "x = '\u2028'\n")], 0)
    assert text(index, "\ud800\0 x = ") == "'\u2028'"


def test_an_empty_repository_and_an_empty_file_have_no_suggestion() -> None:
    assert suggestion(build([], 0), "") is None
    assert suggestion(build([Document("a.py", "a")], 0), "q", "") is None


def test_a_file_begins_as_others_do() -> None:
    index = build([Document(f"{name}.py", "import json\n") for name in "abc"], 0)
    assert text(index, "") == "import json"


def test_a_query_stops_between_tokens_when_it_is_given_up() -> None:
    asked: list[None] = []

    def given_up() -> bool:
        asked.append(None)
        return len(asked) > 2

    query = build([OPEN], 0).query("    data = ", "", given_up)
    with pytest.raises(Cancelled):
        query.suggestions()
    assert len(asked) == 3
