"""What all bodies of GitLab's requests have in common."""

from collections.abc import Iterator

import msgspec
import pytest
from msgspec import inspect

from inhouse.wire.gitlab import (
    agent,
    code,
    conversations,
    editor,
    embeddings,
    prompts,
    search,
    suggestions,
)

BODIES = (
    agent.Body,
    code.CodeBody,
    conversations.ConversationBody,
    editor.GraphQl,
    editor.Intent,
    embeddings.EmbeddingsBody,
    prompts.PromptBody,
    search.SearchBody,
    suggestions.Body,
)


def structs(kind: inspect.Type) -> Iterator[inspect.StructType]:
    """Yield every struct in a type, each as often as it stands there."""
    match kind:
        case inspect.StructType():
            yield kind
            for field in kind.fields:
                yield from structs(field.type)
        case inspect.UnionType():
            for each in kind.types:
                yield from structs(each)
        case inspect.ListType():
            yield from structs(kind.item_type)
        case _:
            pass


def takes_null(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.NoneType) or (
        isinstance(kind, inspect.UnionType) and any(map(takes_null, kind.types))
    )


@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{body.__module__}.{body.__name__}")
def test_whatever_may_be_left_out_may_be_null(body: type[msgspec.Struct]) -> None:
    strict = {
        f"{each.cls.__name__}.{field.name}"
        for each in structs(inspect.type_info(body))
        for field in each.fields
        if not field.required and not takes_null(field.type)
    }
    assert strict == set()
