"""What an administrator may tune while the gateway runs."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from inhouse.core.deadlines import Deadlines, Seconds
from inhouse.core.feature import Feature

Tokens = Annotated[int, Meta(ge=1, le=1_000_000)]
PathPattern = Annotated[str, Meta(pattern="^[^!]", max_length=256)]
"""One as in .gitignore, where a leading ``!`` would take files back in."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an administrator may tune while the gateway runs; each field carries its help."""

    completion_prefix_tokens: Annotated[
        Tokens, Meta(description="Code before the cursor that a completion prompt may hold.")
    ] = 2048
    completion_suffix_tokens: Annotated[
        Tokens, Meta(description="Code behind the cursor that a completion prompt may hold.")
    ] = 512
    completion_context_tokens: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)],
        Meta(
            description="Code from other files that a prompt may hold beside the cursor's; 0: none."
        ),
    ] = 1024
    completion_max_tokens: Annotated[
        Tokens, Meta(description="Longest completion where the caller names no limit.")
    ] = 128
    generation_max_tokens: Annotated[
        Tokens, Meta(description="Longest generation where the caller names no limit.")
    ] = 2048
    completion_connect_timeout: Annotated[
        Seconds,
        Meta(description="Seconds to connect to an upstream for a completion, TLS included."),
    ] = 5.0
    completion_first_token_timeout: Annotated[
        Seconds, Meta(description="Seconds until the first token of a completion, queue included.")
    ] = 10.0
    completion_between_tokens_timeout: Annotated[
        Seconds, Meta(description="Longest silence in seconds in the middle of a completion.")
    ] = 5.0
    completion_total_timeout: Annotated[
        Seconds, Meta(description="Seconds that a completion may take in all.")
    ] = 15.0
    generation_connect_timeout: Annotated[
        Seconds,
        Meta(description="Seconds to connect to an upstream for a generation, TLS included."),
    ] = 5.0
    generation_first_token_timeout: Annotated[
        Seconds, Meta(description="Seconds until the first token of a generation, queue included.")
    ] = 30.0
    generation_between_tokens_timeout: Annotated[
        Seconds, Meta(description="Longest silence in seconds in the middle of a generation.")
    ] = 20.0
    generation_total_timeout: Annotated[
        Seconds, Meta(description="Seconds that a generation may take in all.")
    ] = 120.0
    chat_connect_timeout: Annotated[
        Seconds,
        Meta(description="Seconds to connect to an upstream for a chat answer, TLS included."),
    ] = 5.0
    chat_first_token_timeout: Annotated[
        Seconds, Meta(description="Seconds until the first token of a chat answer, queue included.")
    ] = 60.0
    chat_between_tokens_timeout: Annotated[
        Seconds, Meta(description="Longest silence in seconds in the middle of a chat answer.")
    ] = 30.0
    chat_total_timeout: Annotated[
        Seconds, Meta(description="Seconds that a chat answer may take in all.")
    ] = 600.0
    completion_superseding: Annotated[
        bool,
        Meta(description="Whether a completion ends the caller's earlier one for the same file."),
    ] = True
    completion_min_prefix: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="Characters but blanks before the cursor below which no model is asked.",
        ),
    ] = 0
    completion_in_word: Annotated[
        bool,
        Meta(description="Whether a model is asked where the cursor stands inside a word."),
    ] = True
    completion_generated: Annotated[
        bool,
        Meta(description="Whether a model is asked in generated files, by their name or head."),
    ] = False
    completion_exclude: Annotated[
        tuple[PathPattern, ...],
        Meta(
            max_length=500,
            description="Patterns of paths, as in .gitignore, in which no model is asked.",
        ),
    ] = ()
    completion_memory: Annotated[
        bool,
        Meta(description="Whether typing along a suggestion, or back to one, asks no model."),
    ] = True
    completion_grace: Annotated[
        float,
        Meta(
            ge=0,
            le=5,
            description=(
                "Seconds that a completion of a named file is written on when its caller has hung"
                " up, for whoever types along; 0: none."
            ),
        ),
    ] = 0.5
    max_queued: Annotated[
        int,
        Meta(ge=0, le=100_000, description="Requests that may wait for one busy deployment."),
    ] = 200
    trace_days: Annotated[
        int, Meta(ge=1, le=3650, description="Days that trace rows are kept.")
    ] = 90

    def deadlines(self, feature: Feature) -> Deadlines:
        """Return the deadlines of a feature."""
        match timed_as(feature):
            case Feature.COMPLETION:
                return Deadlines(
                    connect=self.completion_connect_timeout,
                    first_token=self.completion_first_token_timeout,
                    between_tokens=self.completion_between_tokens_timeout,
                    total=self.completion_total_timeout,
                )
            case Feature.GENERATION:
                return Deadlines(
                    connect=self.generation_connect_timeout,
                    first_token=self.generation_first_token_timeout,
                    between_tokens=self.generation_between_tokens_timeout,
                    total=self.generation_total_timeout,
                )
            case _:
                return Deadlines(
                    connect=self.chat_connect_timeout,
                    first_token=self.chat_first_token_timeout,
                    between_tokens=self.chat_between_tokens_timeout,
                    total=self.chat_total_timeout,
                )


def timed_as(feature: Feature) -> Feature:
    """Return the feature whose timeouts hold; those of an embedding are a chat's."""
    return Feature.CHAT if feature.top is Feature.EMBEDDING else feature.top


def setting_help() -> dict[str, tuple[Any, str]]:
    """Return each setting's default and help text, by name."""
    fields: dict[str, dict[str, Any]] = msgspec.json.schema(Settings)["$defs"]["Settings"][
        "properties"
    ]
    return {name: (each["default"], each["description"]) for name, each in fields.items()}
