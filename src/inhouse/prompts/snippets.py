"""Code from elsewhere that stands beside the hole, as far as there is room for it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator

import msgspec
from msgspec import Struct

from inhouse.core.requests import CompletionRequest, GenerationRequest, Snippet
from inhouse.families import Family
from inhouse.prompts.budget import Budget, head, size
from inhouse.prompts.file import comment, fenced, line, line_comment
from inhouse.prompts.hole import Hole
from inhouse.prompts.special import disarm, found
from inhouse.prompts.templates import sections

PROJECT = "project"
"""What a project is called in a prompt whose form wants a name: no request says it."""
TEMPLATE = "snippets-1"
STEP = 512
"""Bytes by which the room for snippets shrinks, so that not every keystroke cuts them anew."""
TELLING = 3
"""Characters that make the start of a header a stop sequence by itself (``#`` is none)."""


class Form(Struct, frozen=True, kw_only=True):
    """How snippets stand in a prompt: between `opening` and `closing`, each under its `header`.

    ``{path}`` in the header stands for a snippet's name; `body` renders its lines.
    """

    opening: str = ""
    header: str
    body: Callable[[str], str]
    closing: str

    def shown(self, snippet: Snippet) -> str:
        """Return one snippet as it stands in the prompt."""
        return self.header.replace("{path}", snippet.name) + self.body(snippet.content)


class Beside(Struct, frozen=True, kw_only=True):
    """What stands in a prompt beside the hole; no `text` where that is nothing.

    `stop` ends an answer that goes on with another file, `disarmed` are the special tokens that
    stood in the snippets.
    """

    text: str = ""
    stop: tuple[str, ...] = ()
    disarmed: tuple[str, ...] = ()


NOTHING = Beside()


def beside(
    request: CompletionRequest | GenerationRequest,
    code: Hole,
    family: Family,
    budget: Budget,
    overhead: int,
    make_form: Callable[[], Form],
) -> Beside:
    """Choose from the request's context what the hole leaves room for.

    The caller's order decides what goes in; it stands in the order of names, which stays while the
    caller's changes with each keystroke. `overhead` is what else the prompt holds, in bytes.
    """
    if not request.context:
        return NOTHING
    form = make_form()
    left = budget.room(request.params.max_tokens) - overhead - size(code.prefix) - size(code.suffix)
    share = budget.bytes(budget.context_tokens)
    room = (share if share <= left else left - left % STEP) - size(form.opening + form.closing)
    chosen = sorted(
        _chosen(request, family, room, form), key=lambda each: (each.name, each.content)
    )
    if not chosen:
        return NOTHING
    text = form.opening + "".join(map(form.shown, chosen)) + form.closing
    mark = form.header.partition("{path}")[0]
    headers = (form.header.replace("{path}", each.name) for each in chosen)
    return Beside(
        text=text,
        stop=(mark,) if len(mark.strip()) >= TELLING else tuple(dict.fromkeys(headers)),
        disarmed=tuple(dict.fromkeys(token for each in chosen for token in _found(each, family))),
    )


def in_text(family: Family, path: str, language: str) -> Form:
    """Return the form of several files that the family was trained on.

    A family that knows one file only gets the others as comments above its code.
    """
    form = family.repository
    if form is None:
        return Form(
            header=f"{line_comment(path, language)} File: {{path}}\n",
            body=lambda content: comment(content, path, language),
            closing="\n",
        )
    return Form(
        opening=form.start.replace("{name}", PROJECT),
        header=form.file,
        body=lambda content: content + form.end,
        closing=form.file.replace("{path}", disarm(line(path), family.tokens)),
    )


def in_words() -> Form:
    """Return the form for a chat message: fenced blocks, then the code with the cursor."""
    ((_, text),) = sections(TEMPLATE)
    opening, closing = text.split("{{files}}")
    return Form(opening=opening, header="{path}\n", body=fenced, closing=closing.lstrip() + "\n\n")


def _chosen(
    request: CompletionRequest | GenerationRequest, family: Family, room: int, form: Form
) -> Iterator[Snippet]:
    """Yield the best that fit as they are, then as much as fits of the best that is too long."""
    too_long: Snippet | None = None
    seen: set[str] = set()
    for each in request.context:
        # Looking for long texts in each other takes a while: one of them is all that can be cut.
        if too_long is not None and len(each.content) > room:
            continue
        snippet = _tidy(each)
        if snippet.content in seen or _is_known(snippet, request):
            continue
        seen.add(snippet.content)
        if len(snippet.content) <= room:
            shown = _disarmed(snippet, family)
            cost = size(form.shown(shown))
            if cost <= room:
                room -= cost
                yield shown
                continue
        too_long = too_long or snippet
    if too_long is not None and (cut := _cut(too_long, family, room, form)) is not None:
        yield cut


def _tidy(snippet: Snippet) -> Snippet:
    """Return a snippet with its name on one line, without blank lines around it."""
    return Snippet(name=line(snippet.name), content=snippet.content.strip("\r\n").rstrip())


def _is_known(snippet: Snippet, request: CompletionRequest | GenerationRequest) -> bool:
    """Tell whether a snippet says nothing that the current file does not."""
    text, path = snippet.content.strip(), line(request.path)
    if not text or (path and snippet.name == path):
        return True
    return text in request.prefix or text in request.suffix


def _cut(snippet: Snippet, family: Family, room: int, form: Form) -> Snippet | None:
    """Return the first lines of a snippet that fit, None where not even one does."""
    beginning = head(snippet.content, max(0, room))
    whole = msgspec.structs.replace(snippet, content=beginning[: beginning.rfind("\n") + 1])
    lines = _disarmed(whole, family).content.split("\n")

    def first(count: int) -> Snippet:
        name = disarm(snippet.name, family.tokens)
        return Snippet(name=name, content="\n".join(lines[:count]).rstrip())

    counts = range(len(lines) + 1)
    fitting = bisect_right(counts, room, key=lambda count: size(form.shown(first(count)))) - 1
    cut = first(max(0, fitting))
    return cut if cut.content else None


def _disarmed(snippet: Snippet, family: Family) -> Snippet:
    return Snippet(
        name=disarm(snippet.name, family.tokens), content=disarm(snippet.content, family.tokens)
    )


def _found(snippet: Snippet, family: Family) -> tuple[str, ...]:
    return found(f"{snippet.name}\n{snippet.content}", family.tokens)
