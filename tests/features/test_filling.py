"""What chat models answer for a hole in a file becomes what belongs into it, or nothing."""

# ruff: noqa: RUF001 - models answer in their own punctuation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.requests import CompletionRequest, Params
from inhouse.features.filling import filling
from inhouse.features.shaping import Chain
from inhouse.features.trim import Trimmer


def filled(
    prefix: str,
    *pieces: str,
    suffix: str = "",
    path: str = "a.py",
    language: str = "",
    stop: tuple[str, ...] = (),
) -> str:
    request = CompletionRequest(
        prefix=prefix, suffix=suffix, path=path, language=language, params=Params(stop=stop)
    )
    shaper = Chain(filling(request), Trimmer(prefix, suffix))
    shown = ""
    for piece in pieces:
        shown += shaper.feed(piece)
        if shaper.done:
            return shown
    return shown + shaper.finish()


ADD = "def add(a, b):\n    return "
BODY = "def area(r):\n    "
BRACE = "int add(int a, int b) {\n    "


# Descriptions of the code, which are dropped whole; ten languages and more.

DESCRIPTIONS = [
    ("a.py", ADD, "The function should return the sum of a and b."),
    ("a.py", ADD, "The function should return the sum of `a` and `b`"),
    ("a.py", ADD, "This code is missing a return value.\n\nYou can return the sum instead."),
    ("a.py", ADD, "It looks like you want to add two numbers. You can use the + operator."),
    ("a.py", ADD, "I'm sorry, but I cannot complete this code without more context."),
    ("a.py", ADD, "you should return the sum of both parameters here."),
    ("a.py", ADD, "the missing part is the sum of the two parameters"),
    ("a.py", BODY, "Nothing is missing at the cursor."),
    ("a.py", BODY, "No additional code is needed."),
    ("a.py", BODY, "(nothing to complete)"),
    ("a.py", BODY, "*No completion needed*"),
    ("a.py", BODY, "No code"),
    ("a.py", BODY, "Sure!"),
    ("a.py", BODY, "Certainly! I can help you with that."),
    (
        "a.py",
        BODY,
        "To complete this function:\n\n1. Square the radius\n2. Multiply it with pi\n\nDone.",
    ),
    (
        "a.py",
        BODY,
        "The function takes one parameter:\n- r: the radius of the circle\n- nothing else at all\n",
    ),
    ("a.py", BODY, "**Explanation:** The function computes the area of a circle."),
    ("a.py", BODY, "## Explanation\n\nThe function computes the area of a circle."),
    ("a.py", ADD, "Die Funktion soll die Summe von a und b zurückgeben."),
    ("a.py", ADD, "An dieser Stelle fehlt der Rückgabewert der Funktion."),
    ("a.py", ADD, "hier fehlt die Summe der beiden Parameter a und b."),
    ("a.py", ADD, "Natürlich! Hier muss die Summe von a und b stehen."),
    ("a.py", ADD, "这个函数应该返回 a 和 b 的和。"),
    ("a.py", ADD, "您可以使用 `sum((a, b))` 来计算结果。"),
    ("a.py", ADD, "光标处不需要补全任何代码。"),
    ("a.py", ADD, "この関数は二つの数の合計を返します。"),
    ("a.py", ADD, "La fonction doit renvoyer la somme de a et b."),
    ("a.py", ADD, "La función debe devolver la suma de los dos números."),
    ("a.js", "function add(a, b) {\n  return ", "The function returns the sum of both arguments."),
    ("a.ts", "const x: number = ", "You need to assign a number to this constant."),
    ("A.java", "class A {\n    ", "This class is empty, so you can add fields and methods."),
    ("a.go", "func main() {\n\t", "The main function should print a greeting."),
    ("a.rs", "fn main() {\n    ", "The cursor is inside the main function."),
    ("a.c", BRACE, "Die Funktion addiert zwei ganze Zahlen und gibt das Ergebnis zurück."),
    ("a.cpp", BRACE, "此函数将两个整数相加并返回结果。"),
    ("a.rb", "def add(a, b)\n  ", "The method should return the sum of its arguments."),
    ("a.php", "<?php\nfunction add($a, $b) {\n    ", "This function should return the sum."),
    ("a.sql", "SELECT ", "The query should select all the columns of the table."),
    ("a.sh", "for f in *; do\n  ", "You probably want to process each file here."),
    ("a.hs", "add a b = ", "The function should return the sum of its arguments."),
    ("a.erl", "add(A, B) -> ", "The function should return the sum of its arguments."),
    ("a.kt", "fun add(a: Int, b: Int) = ", "It should return the sum of both values."),
    ("", "import os\nfrom os import path\n\n", "You can now use the functions of the module."),
    ("", ADD, "The function should return the sum of both."),
    ("", "", "This is an empty file, so there is nothing to complete."),
    ("a.swift", "func add() {\n    ", "Please provide more context about this function."),
]

# Code, which is shown as it is, however much it may look like prose.

CODE = [
    ("a.py", ADD, "a + b"),
    ("a.py", BODY, "return 3.14 * r ** 2"),
    ("a.py", BODY, "# Compute the area of the circle.\n    return pi * r * r"),
    ("a.py", BODY, '"""Return the area of a circle."""\n    return pi * r * r'),
    ("a.py", BODY, "if not r and r is not None or r in seen:\n        raise ValueError"),
    ("a.py", BODY, "for item in the_list or this_list:\n        print(item)"),
    ("a.py", "x = ", "None"),
    ("a.py", "x = ", "nothing_here()"),
    ("a.py", "raise ", 'ValueError("The radius of a circle must not be negative.")'),
    ("a.py", BODY, "print('Hello there, you are here.')"),
    ("a.py", BODY, "print('你好，世界。')"),
    ("a.py", BODY, "# 计算圆的面积。\n    return pi * r * r"),
    ("a.py", "class Colour(Enum):\n    ", "Red = 1\n    Green = 2"),
    ("a.rs", "enum Colour {\n    ", "Red,\n    Green,\n    Blue,"),
    ("a.rs", "match x {\n    ", "Some(value) => value,\n    None => 0,"),
    ("a.java", "class A {\n    ", "Widget build(BuildContext context) {\n        return null;"),
    ("a.java", "Object o = ", "Optional.empty();"),
    ("a.js", "const f = ", "this is not a function || null;"),
    ("a.go", "func main() {\n\t", 'fmt.Println("The answer is here.")'),
    ("a.sql", "", "SELECT name FROM people WHERE age > 3;"),
    ("a.sql", "", "select name from people where active"),
    ("a.vb", "Sub Main()\n    ", "Dim total As Integer\n    Dim name As String"),
    ("a.erl", "add(A, B) -> ", "Result."),
    ("a.pl", "sum(A, B, X) :- ", "X is A + B."),
    ("a.hs", "f x = ", "Just x"),
    ("a.hs", "f x = case x of\n  ", "Nothing -> Nothing\n  Just y -> y"),
    ("a.jl", "x = ", "nothing"),
    ("a.rb", "def f\n  ", "puts 'No code is needed here.'"),
    ("a.c", BRACE, "return a + b;\n}"),
    ("a.css", "a {\n  ", "color: red;"),
    ("a.lisp", "(list ", "(empty)"),
    ("a.kt", "val x = ", "Here(1)"),
    ("a.sh", "", "sure --now"),
    ("a.ex", "def f do\n  ", ":ok"),
]

# Text for people, where sentences are what was asked for.

TEXT = [
    ("README.md", "# inhouse\n\n", "This is the gateway that a software team hosts itself."),
    ("notes.txt", "", "The meeting is at noon. You should come."),
    ("README", "", "Nothing is missing here."),
    ("a.rst", "Usage\n=====\n\n", "You can install it with pip."),
    ("a.tex", "\\section{A}\n", "In this section we show that it holds."),
    ("a.feature", "Scenario: a\n  ", "Given the user is on the page."),
    ("a.cob", "       ", "Move the total to the result."),
    ("a.py", "# ", "The function returns the sum of both arguments."),
    ("a.py", 'def f():\n    """', "Return the sum of all the numbers."),
    ("a.py", 'raise ValueError("', 'The radius of a circle must not be negative.")'),
    ("a.js", "// ", "The function returns the sum of both arguments."),
    ("a.js", "/**\n * ", "The function returns the sum of both arguments."),
    ("a.c", "/* ", "Die Funktion addiert zwei ganze Zahlen. */"),
    ("a.cpp", "// ", "此函数将两个整数相加并返回结果。"),
    ("a.html", "<p>", "This is the first paragraph of the page.</p>"),
    ("a.tsx", "return <p>", "This is the first paragraph of the page.</p>"),
    ("a.yaml", "description: ", "The service that answers all of the requests."),
    ("a.sql", "-- ", "The table of all the people that we know."),
    ("", "# ", "The function returns the sum of both arguments."),
    ("", "Dear all,\n\nthank you for the cake. ", "It was good, and we ate all of it."),
    ("", "We met in the garden\nand ", "Then we went home to have some tea."),
    ("a.hs", "-- | ", "The sum of all the numbers in the list."),
]


@pytest.mark.parametrize(("path", "prefix", "answer"), DESCRIPTIONS)
def test_a_description_is_dropped(path: str, prefix: str, answer: str) -> None:
    assert filled(prefix, answer, path=path) == ""
    assert filled(prefix, *answer, path=path) == ""


@pytest.mark.parametrize(("path", "prefix", "answer"), CODE)
def test_code_is_kept(path: str, prefix: str, answer: str) -> None:
    whole = Trimmer(prefix, "")
    trimmed = whole.feed(answer)
    trimmed += "" if whole.done else whole.finish()
    assert filled(prefix, answer, path=path) == trimmed
    assert filled(prefix, *answer, path=path) == trimmed


@pytest.mark.parametrize(("path", "prefix", "answer"), TEXT)
def test_text_is_kept_where_text_belongs(path: str, prefix: str, answer: str) -> None:
    assert filled(prefix, answer, path=path) == answer
    assert filled(prefix, *answer, path=path) == answer


def test_the_table_is_long_enough() -> None:
    languages = {path.rpartition(".")[2] for path, _, _ in (*DESCRIPTIONS, *CODE, *TEXT)}
    assert len(DESCRIPTIONS) + len(CODE) + len(TEXT) >= 90
    assert len(languages) >= 20


@pytest.mark.parametrize(
    ("prefix", "answer", "kept"),
    [
        # fences and prose around them
        (ADD, "```python\na + b\n```", "a + b"),
        (ADD, "```\na + b\n```\nThis adds both numbers.", "a + b"),
        (ADD, "Sure! Here is the missing part:\n\n```python\na + b\n```\n", "a + b"),
        (ADD, "Here's the code:\na + b", "a + b"),
        (ADD, "Hier ist der vervollständigte Code:\n\na + b", "a + b"),
        (ADD, "以下是补全的代码：\n\n```python\na + b\n```", "a + b"),
        (ADD, "a + b\n\nThis returns the sum of both numbers.", "a + b"),
        (ADD, "a + b\n\n**Explanation:** This returns the sum of both numbers.", "a + b"),
        (ADD, "a + b\n\n这里返回两个数的和。", "a + b"),
        (ADD, "a + b\n```\nDone.", "a + b"),
        # reasoning
        (ADD, "<think>\nThe sum, surely.\n</think>\n\na + b", "a + b"),
        (ADD, "<thinking>a - b?</thinking>```py\na + b\n```", "a + b"),
        (ADD, "[THINK]hm[/THINK]a + b", "a + b"),
        (ADD, "<think>\nIt never ends: a + b", ""),
        (ADD, "The user wants a sum of the numbers.\nSo be it.\n</think>\na + b", "a + b"),
        (ADD, "<think></think>\n\n<think>again</think>a + b", "a + b"),
        (BODY, "<think>x</think>\n\n    return r", "return r"),
        # the code before the cursor once more
        (ADD, "return a + b", "a + b"),
        (ADD, "    return a + b", "a + b"),
        (ADD, "def add(a, b):\n    return a + b", "a + b"),
        (ADD, "```python\ndef add(a, b):\n    return a + b\n```", "a + b"),
        ("import os\n\n\n" + ADD, "import os\n\n\ndef add(a, b):\n    return a + b", "a + b"),
        ("import os\n\n\n" + ADD, "import os\n\ndef add(a, b):\n    return a + b", "a + b"),
        (BODY, "def area(r):\n    return r", "return r"),
        ("def f():\n    x = ", "    x = 1\nprint(f())", "1"),
        (BODY, "def area(r):\n    ", ""),
        ("x = ", "x = 5", "5"),
        ("x = fo", "foo(1)", "o(1)"),
        ("ret", "return x", "urn x"),
        ("self.", "self.x = 1", "x = 1"),
        ("x = self.", "self.y", "y"),
        ("print(", "print(x)", "x)"),
        ("max(", "max(a, b), c)", "max(a, b), c)"),
        ("f(", "f(x))", "f(x))"),
        ("a = 1\n", "b = 2", "b = 2"),
        ("}\n", "}\n", "}"),
        ("[None, ", "None]", "None]"),
        # the mark of the cursor
        (ADD, "{CURSOR}a + b", "a + b"),
        (ADD, "    return {CURSOR}a + b", "a + b"),
        (BODY, "    {CURSOR}return r", "return r"),
        (ADD, "a + b{CURSOR}\n\nprint(1)", "a + b"),
        (ADD, "{CURSOR}", ""),
        # indentation
        (BODY, "    return r", "return r"),
        (BODY, "    x = r\n    return x", "x = r\n    return x"),
        (BODY, "x = r\nreturn x", "x = r\n    return x"),
        (BODY, "```\nx = r\nreturn x\n```", "x = r\n    return x"),
        (BODY, "if r:\n    return 1\nreturn 2", "if r:\n        return 1\n    return 2"),
        (BODY, "if r:\n        return 1\n    return 2", "if r:\n        return 1\n    return 2"),
        (BODY, "        x = r\n        return x", "x = r\n    return x"),
        (BODY, "  x = r\n  return x", "x = r\n    return x"),
        (BODY, "x = r\n\nreturn x", "x = r\n\n    return x"),
        (BODY, "x = r\n  \n\nreturn x", "x = r\n  \n\n    return x"),
        (BODY, "x = r\n\n", "x = r"),
        (BODY, "x = r\n  ", "x = r\n  "),
        ("def area(r):\n", "    return r", "    return r"),
        ("def area(r):", "\n    return r", "\n    return r"),
        ("def area(r):", "```python\n    return r\n```", "\n    return r"),
        ("def f():\n    if x:\n    ", "    return 1", "    return 1"),
        ("def f():\n    if x:\n    ", "        return 1", "    return 1"),
        (ADD, "\na + b", "a + b"),
        (ADD, "  a + b", "a + b"),
        ("return", " a + b", " a + b"),
        ("f(){\n\t", "a();\nb();", "a();\n\tb();"),
        ("f(){\n\t", "if (x) {\n\ta();\n}\nb();", "if (x) {\n\t\ta();\n\t}\n\tb();"),
        ("", "\n\nx = 1\ny = 2", "x = 1\ny = 2"),
    ],
)
def test_makes_an_answer_fit(prefix: str, answer: str, kept: str) -> None:
    assert filled(prefix, answer).rstrip("\n") == kept
    assert filled(prefix, *answer) == filled(prefix, answer)


def test_the_suffix_is_left_to_the_trimmer() -> None:
    answer = "```python\ndef add(a, b):\n    return a + b\n\nprint(add(1, 2))\n```"
    assert filled(ADD, answer, suffix="\n\nprint(add(1, 2))\n").rstrip() == "a + b"


def test_the_caller_s_stops_end_the_code_and_nothing_before_it() -> None:
    answer = "Here you go:\n\n```python\nx = r\nreturn x\n```"
    assert filled(BODY, answer, stop=("\n",)) == "x = r"
    assert filled(BODY, "x = compute(r)", stop=("", "ute(")) == "x = comp"


def test_another_mark_stands_where_the_file_has_ours() -> None:
    assert filled('word = "{CURSOR}" + ', '{CURSOR-2}"{CURSOR}"') == '"{CURSOR}"'


def test_a_closing_tag_in_code_that_is_shown_stays() -> None:
    assert filled("x = ", 'cut(\n    "</think>",\n)') == 'cut(\n    "</think>",\n)'


def test_fences_belong_to_a_file_of_text() -> None:
    answer = "```python\nx = 1\n```\n"
    assert filled("Do this:\n\n", answer, path="a.md").rstrip() == answer.rstrip()
    wrapped = "```markdown\nDo that.\n```"
    assert filled("# Title\n\n", wrapped, path="a.md") == "Do that."


def test_shows_code_as_it_comes_once_it_is_sure() -> None:
    shaper = filling(CompletionRequest(prefix=BODY, path="a.py"))
    assert shaper.feed("```python\n") == ""
    assert shaper.feed("x = ") == "x = "
    assert shaper.feed("r") == "r"


def test_a_description_without_end_is_left() -> None:
    shaper = filling(CompletionRequest(prefix=BODY, path="a.py"))
    assert shaper.feed("The function returns the area of it.\n" * 60) == ""
    assert shaper.done


FENCES = ["```", "`", "```python\n", "<think>", "</think>", "{CURSOR}"]
CODES = ["x = 1", "def f(x):", "return ", "- ", "}", "if x:", "f(", "# ", "a"]
BLANKS = ["\n", " ", "    ", "\t"]
PROSE = ["Here it is.", "The sum of the two numbers.", "以下是代码：", "Done."]
PIECES = st.lists(st.sampled_from([*FENCES, *CODES, *BLANKS, *BLANKS, *PROSE]), max_size=14)
PREFIXES = st.sampled_from(
    ["", "def f(x):\n    ", "def f(x):\n    return ", "x = 1\n\n\t", "# ", "f(", "    if x:", "re"]
)


@given(PREFIXES, st.sampled_from(["a.py", "a.md", "a.erl", ""]), PIECES, st.data())
def test_is_the_same_for_every_cut(
    prefix: str, path: str, pieces: list[str], data: st.DataObject
) -> None:
    written = "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=6)))
    parts = [written[a:b] for a, b in zip([0, *cuts], [*cuts, len(written)], strict=True)]
    whole = filled(prefix, written, path=path)
    assert filled(prefix, *parts, path=path) == whole
    assert filled(prefix, *written, path=path) == whole


@given(st.text(max_size=120), st.text(max_size=200))
def test_takes_any_text(prefix: str, written: str) -> None:
    assert filled(prefix, written) == filled(prefix, *written)
