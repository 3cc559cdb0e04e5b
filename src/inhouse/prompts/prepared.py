"""A conversation that another program has written, made to fit."""

from __future__ import annotations

import msgspec

from inhouse.core.prompt import Messages
from inhouse.core.requests import ChatRequest
from inhouse.families import Family
from inhouse.prompts.budget import Budget
from inhouse.prompts.chat import check_chats
from inhouse.prompts.conversation import fold
from inhouse.prompts.fitting import Keep, Piece, fit
from inhouse.prompts.rendered import Rendered, around, rendered


def render_prepared(request: ChatRequest, family: Family, budget: Budget) -> Rendered:
    """Render a conversation whose longest messages may lose their middle to fit the window.

    Programs put their instructions at both ends of what they send along.

    Raises:
        InvalidValueError: the family does not chat.

    """
    check_chats(family)
    conversation = fold(request.messages, family)
    pieces = {
        str(at): Piece(text=each.content, keep=Keep.ENDS)
        for at, each in enumerate(conversation)
        if isinstance(each.content, str)
    }
    room = budget.room(request.params.max_tokens) - around(len(conversation), budget)
    fitted = fit(pieces, room, family.tokens)
    return rendered(
        Messages(
            tuple(
                msgspec.structs.replace(each, content=fitted.texts.get(str(at), each.content))
                for at, each in enumerate(conversation)
            )
        ),
        request.params,
        budget,
        family.sampling.chat,
        disarmed=fitted.disarmed,
    )
