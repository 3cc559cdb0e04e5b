from hypothesis import given
from hypothesis import strategies as st

from inhouse.providers.repository.lexer import ends_line, is_word, lex


@given(st.text())
def test_tokens_join_to_the_text(text: str) -> None:
    assert "".join(lex(text)) == text


@given(st.text(alphabet=" \t\r\n\"'ab1é字._\ud800\u0301\u2028"))
def test_tokens_join_to_the_text_where_it_is_awkward(text: str) -> None:
    assert "".join(lex(text)) == text


def test_a_newline_takes_the_indentation_along() -> None:
    assert lex("if a:\r\n\tb = 1.5\n\n    c") == [
        "if", " ", "a", ":", "\r\n\t", "b", " ", "=", " ", "1.5", "\n", "\n    ", "c",
    ]  # fmt: skip


def test_words_of_any_script_are_words() -> None:
    assert lex("größe = длина('''長さ''')") == [
        "größe", " ", "=", " ", "длина", "(", "'''", "長さ", "'''", ")",
    ]  # fmt: skip


def test_kinds_of_tokens() -> None:
    assert is_word("größe")
    assert not is_word("1a")
    assert not is_word("")
    assert ends_line("\r\n    ")
    assert not ends_line("")
