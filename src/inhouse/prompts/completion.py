"""Ask to fill in at the cursor, in the form that the family was trained on."""

from __future__ import annotations

from functools import partial
from typing import assert_never

import msgspec

from inhouse.core.prompt import Fim, Messages, Text
from inhouse.core.requests import CompletionRequest
from inhouse.errors import InvalidValueError
from inhouse.families import CompletionMode, Family
from inhouse.prompts import raw, snippets
from inhouse.prompts.budget import Budget, cut, size
from inhouse.prompts.conversation import asked
from inhouse.prompts.hole import hole
from inhouse.prompts.rendered import Rendered, rendered

TEMPLATE = "completion-1"


def render_completion(request: CompletionRequest, family: Family, budget: Budget) -> Rendered:
    """Render a hole in a file as the family's `completion` mode says.

    Raises:
        InvalidValueError: the family completes nothing.

    """
    match family.completion:
        case CompletionMode.FIM:
            return _fim(request, family, budget)
        case CompletionMode.TEXT:
            return _text(request, family, budget)
        case CompletionMode.NATIVE:
            return _native(request, family, budget)
        case CompletionMode.INSTRUCTION:
            return _instruction(request, family, budget)
        case CompletionMode.NONE:
            raise InvalidValueError(
                f"Models of the family '{family.name}' cannot complete code: have an administrator"
                " route 'completion' elsewhere.",
                param="model",
            )
        case _:
            assert_never(family.completion)


def _fim(request: CompletionRequest, family: Family, budget: Budget) -> Rendered:
    above = raw.header(family, request.path)
    fixed = size(raw.with_header(family, above, "", ""))
    code = hole(request.prefix, request.suffix, family, budget, request.params.max_tokens, fixed)
    form = partial(snippets.in_text, family, request.path, request.language)
    files = snippets.beside(request, code, family, budget, fixed, form)
    return rendered(
        Text(raw.with_header(family, files.text or above, code.prefix, code.suffix)),
        request.params,
        budget,
        family.sampling.completion,
        stop=(*family.stop, *files.stop),
        disarmed=(*files.disarmed, *code.disarmed),
    )


def _text(request: CompletionRequest, family: Family, budget: Budget) -> Rendered:
    code = hole(request.prefix, "", family, budget, request.params.max_tokens, 0)
    form = partial(snippets.in_text, family, request.path, request.language)
    files = snippets.beside(request, code, family, budget, 0, form)
    return rendered(
        Text(files.text + code.prefix),
        request.params,
        budget,
        family.sampling.completion,
        stop=(*family.stop, *files.stop),
        disarmed=(*files.disarmed, *code.disarmed),
    )


def _native(request: CompletionRequest, family: Family, budget: Budget) -> Rendered:
    """Hand over all that the window takes: the provider knows best what helps it."""
    room = budget.room(request.params.max_tokens)
    prefix, suffix = cut(request.prefix, request.suffix, room, (room, room))
    prompt = Fim(prefix=prefix, suffix=suffix, path=request.path)
    return rendered(prompt, request.params, budget, family.sampling.completion, stop=family.stop)


def _instruction(request: CompletionRequest, family: Family, budget: Budget) -> Rendered:
    """Ask without the caller's stops: they are about the code, not about what surrounds it."""
    question = asked(TEMPLATE, request, "", family, budget)
    return rendered(
        Messages(question.messages),
        msgspec.structs.replace(request.params, stop=()),
        budget,
        family.sampling.completion,
        disarmed=question.disarmed,
    )
