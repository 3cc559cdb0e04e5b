"""What Tabby's clients send for a completion, decoded to our request.

``null`` means the same as a member that is left out, and what we do not know is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from inhouse.core.requests import CompletionRequest, Params, Snippet
from inhouse.errors import InvalidValueError, UnknownModelError
from inhouse.wire.decoding import UNREADABLE, decode_json

MOST_CONTEXT = 100
"""Pieces of code from elsewhere that are looked at; a prompt has room for a few."""
UNKNOWN = "unknown"
"""What clients call the language of a file whose language they do not know."""

Temperature = Annotated[float, Meta(ge=0, le=2)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Declaration(Struct, frozen=True, kw_only=True):
    """Where a name before the cursor is declared, as the editor's language server knows it."""

    filepath: str
    body: str


class Relevant(Struct, frozen=True, kw_only=True):
    """Code from a file that was changed or opened lately."""

    filepath: str
    body: str
    score: float = 0.0


class EditHistory(Struct, frozen=True, kw_only=True):
    """What the mode of next edits goes by."""

    original_code: str
    edits_diff: str
    current_version: str


class Segments(Struct, frozen=True, kw_only=True):
    """Where the cursor stands, and what the editor knows besides.

    `filepath` is relative to the repository or the workspace. The clipboard is checked and left
    out: people copy passwords.
    """

    prefix: str
    suffix: str | None = None
    filepath: str | None = None
    git_url: str | None = None
    declarations: list[Declaration] | None = None
    relevant_snippets_from_changed_files: list[Relevant] | None = None
    relevant_snippets_from_recently_opened_files: list[Relevant] | None = None
    clipboard: str | None = None
    edit_history: EditHistory | None = None


class DebugOptions(Struct, frozen=True, kw_only=True):
    """What developers of Tabby look into a server with."""

    raw_prompt: str | None = None
    return_snippets: bool | None = None
    return_prompt: bool | None = None
    disable_retrieval_augmented_code_completion: bool | None = None


class CompletionBody(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/completions``."""

    segments: Segments
    language: str | None = None
    user: str | None = None
    temperature: Temperature | None = None
    seed: Seed | None = None
    debug_options: DebugOptions | None = None
    mode: Literal["standard", "next_edit_suggestion"] | None = None

    @property
    def wants_debug_data(self) -> bool:
        """Whether the answer is to tell its prompt, which ours never does."""
        options = self.debug_options
        return options is not None and bool(options.return_prompt or options.return_snippets)


class _Marked(Struct):
    segments: Raw | UnsetType = UNSET


_body = msgspec.json.Decoder(CompletionBody)
_marked = msgspec.json.Decoder(_Marked)


def speaks(raw: bytes) -> bool:
    """Tell whether a body is in this dialect: an object with a member ``segments``."""
    try:
        return _marked.decode(raw).segments is not UNSET
    except UNREADABLE:
        return False


def decode_completion(raw: bytes) -> CompletionBody:
    """Return what a completion is asked for.

    Raises:
        InvalidValueError: a member is missing, or has a wrong type or value.
        RequestError: the body is not JSON.
        UnknownModelError: it asks for what nothing here does.

    """
    body: CompletionBody = decode_json(raw, _body)
    if body.mode == "next_edit_suggestion":
        raise UnknownModelError(
            "Nothing here suggests next edits. Leave 'mode' out for a completion at the cursor.",
            param="mode",
        )
    if body.debug_options is not None and body.debug_options.raw_prompt:
        raise InvalidValueError(
            "'debug_options.raw_prompt' is not supported here: send 'segments', or ask in OpenAI's"
            " dialect with 'model' and 'prompt'.",
            param="debug_options.raw_prompt",
        )
    if not body.segments.prefix and not body.segments.suffix:
        raise InvalidValueError(
            "'segments.prefix' is empty, and there is no 'segments.suffix': nothing tells what to"
            " complete.",
            param="segments.prefix",
        )
    return body


def completion_request(
    body: CompletionBody, request_id: str, *, fresh: bool = False
) -> CompletionRequest:
    """Return the hole to fill."""
    segments = body.segments
    return CompletionRequest(
        prefix=segments.prefix,
        suffix=segments.suffix or "",
        path=segments.filepath or "",
        project=segments.git_url or "",
        language="" if body.language in (None, UNKNOWN) else body.language,
        user=body.user or "",
        fresh=fresh,
        context=tuple(_context(segments)),
        params=Params(
            temperature=body.temperature, seed=body.seed, request_id=request_id, whole=True
        ),
    )


def _context(segments: Segments) -> Iterator[Snippet]:
    """Yield code from elsewhere, the best first: what is named at the cursor, then what is near."""
    entries: list[Declaration | Relevant] = [
        *(segments.declarations or ()),
        *_ranked(segments.relevant_snippets_from_changed_files),
        *_ranked(segments.relevant_snippets_from_recently_opened_files),
    ]
    for each in entries[:MOST_CONTEXT]:
        if each.body.strip():
            yield Snippet(name=each.filepath, content=each.body)


def _ranked(snippets: Iterable[Relevant] | None) -> list[Relevant]:
    return sorted(snippets or (), key=lambda each: each.score, reverse=True)
