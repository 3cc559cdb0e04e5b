"""Ask for code in words."""

from __future__ import annotations

from functools import partial
from typing import assert_never

from inhouse.core.prompt import Messages, Text
from inhouse.core.requests import GenerationRequest
from inhouse.errors import InvalidValueError
from inhouse.families import Family, GenerationMode
from inhouse.prompts import raw, snippets
from inhouse.prompts.budget import Budget, head, size
from inhouse.prompts.conversation import asked
from inhouse.prompts.file import comment, is_comment
from inhouse.prompts.hole import hole
from inhouse.prompts.rendered import Rendered, rendered
from inhouse.prompts.special import disarm, found

TEMPLATE = "generation-1"
TEMPLATE_WITHOUT_WORDS = "generation-above-1"


def render_generation(request: GenerationRequest, family: Family, budget: Budget) -> Rendered:
    """Render an instruction with the code around the cursor.

    Without one, the comment or the signature before the cursor says what is wanted.

    Raises:
        InvalidValueError: the family writes no code from words.

    """
    match family.generation:
        case GenerationMode.CHAT:
            return _chat(request, family, budget)
        case GenerationMode.TEXT:
            return _text(request, family, budget)
        case GenerationMode.NONE:
            raise InvalidValueError(
                f"Models of the family '{family.name}' cannot write code from an instruction."
                " Ask for 'completion', or have an administrator route 'generation' elsewhere.",
                param="model",
            )
        case _:
            assert_never(family.generation)


def _chat(request: GenerationRequest, family: Family, budget: Budget) -> Rendered:
    template = TEMPLATE if request.instruction.strip() else TEMPLATE_WITHOUT_WORDS
    question = asked(template, request, request.instruction, family, budget)
    return rendered(
        Messages(question.messages),
        request.params,
        budget,
        family.sampling.generation,
        disarmed=question.disarmed,
    )


def _text(request: GenerationRequest, family: Family, budget: Budget) -> Rendered:
    """Put the instruction as a comment at the cursor: what a base model understands best.

    On a blank line the comment takes over its indentation, and so does the line below it. Without
    an instruction a comment that ends at the cursor is one, and the code begins below it.
    """
    wanted = request.params.max_tokens
    line = request.prefix.rpartition("\n")[2]
    indent = line if not line.strip() else ""
    words = request.instruction if request.instruction.strip() else ""
    remark = comment(words, request.path, request.language, indent)
    hidden = found(remark, family.tokens)
    above = raw.header(family, request.path)
    empty = size(raw.with_header(family, above, "\n" + indent, ""))
    remark = head(disarm(remark, family.tokens), max(0, budget.room(wanted) - empty))
    overhead = empty + size(remark)
    code = hole(
        request.prefix.removesuffix(indent),
        request.suffix,
        family,
        budget,
        wanted,
        overhead,
    )
    form = partial(snippets.in_text, family, request.path, request.language)
    files = snippets.beside(request, code, family, budget, overhead, form)
    begins_below = remark or is_comment(line, request.path, request.language)
    joint = "\n" if begins_below and code.prefix and not code.prefix.endswith("\n") else ""
    prefix = code.prefix + joint + remark + indent
    return rendered(
        Text(raw.with_header(family, files.text or above, prefix, code.suffix)),
        request.params,
        budget,
        family.sampling.generation,
        stop=(*family.stop, *files.stop),
        disarmed=(*hidden, *files.disarmed, *code.disarmed),
    )
