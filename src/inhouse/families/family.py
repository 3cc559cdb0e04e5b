"""What is known of a model family, as its TOML file says it; facts, no behaviour."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from inhouse.core.feature import Feature

Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9._-]*$", max_length=64)]
Source = Annotated[str, Meta(min_length=1)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
Share = Annotated[float, Meta(gt=0, le=1)]


class CompletionMode(StrEnum):
    """How a hole in a file is asked for.

    ``fim``: raw text with the family's own sentinels. ``instruction``: a chat message that explains
    the hole. ``text``: the code before the cursor as it stands, for models that know neither.
    ``native``: prefix and suffix are handed to the provider, which renders the hole itself.
    ``none``: not at all.
    """

    FIM = "fim"
    INSTRUCTION = "instruction"
    TEXT = "text"
    NATIVE = "native"
    NONE = "none"


class GenerationMode(StrEnum):
    """How code is asked for in words: a chat message, a comment in raw text, or not at all."""

    CHAT = "chat"
    TEXT = "text"
    NONE = "none"


class SystemRole(StrEnum):
    """Whether the chat template takes a system message, or it must go into the user's first one."""

    MESSAGE = "message"
    FOLDED = "folded"


class Order(StrEnum):
    """What comes first in a FIM prompt: prefix, suffix, middle; or suffix, prefix, middle."""

    PSM = "psm"
    SPM = "spm"


class Support(StrEnum):
    """How well a model serves a feature; ``unrated`` where nobody has published a rating."""

    FULL = "full"
    PARTIAL = "partial"
    LIMITED = "limited"
    UNSUPPORTED = "unsupported"
    UNRATED = "unrated"


class BlueOak(StrEnum):
    """The Blue Oak Council's rating of a licence; ``unrated`` where its list lacks the licence."""

    MODEL = "model"
    GOLD = "gold"
    SILVER = "silver"
    BRONZE = "bronze"
    LEAD = "lead"
    UNRATED = "unrated"


class Sentinels(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The FIM sentinels, with the blanks that belong to them.

    PSM reads ``prefix P suffix S middle``, SPM ``suffix S prefix P middle``.
    """

    order: Order
    prefix: Annotated[str, Meta(min_length=1)]
    suffix: Annotated[str, Meta(min_length=1)]
    middle: str = ""
    source: Source

    @property
    def tokens(self) -> tuple[str, ...]:
        """The sentinels without their blanks, as the tokenizer knows them."""
        stripped = (each.strip() for each in (self.prefix, self.suffix, self.middle))
        return tuple(each for each in stripped if each)


class Repository(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The form of a prompt with several files; ``{name}`` and ``{path}`` stand for what they say.

    `start` opens the prompt, `file` is each file's header, `end` stands behind the last line of
    each other file. The header of the current file stands above the hole, or heads the prefix where
    it goes `inside`, without its special token; `current` wants it even where the file is alone.
    """

    start: str = ""
    file: Annotated[str, Meta(min_length=1)]
    end: str = "\n"
    current: bool = False
    inside: bool = False
    source: Source


class Sampling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sampling settings for one feature where the caller says nothing; None leaves it upstream."""

    temperature: Temperature | None = None
    top_p: Share | None = None


class Samplings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sampling settings a feature."""

    completion: Sampling = field(default_factory=Sampling)
    generation: Sampling = field(default_factory=Sampling)
    chat: Sampling = field(default_factory=Sampling)
    source: Source = "inhouse"


class Licence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model's licence by its SPDX id, or ``LicenseRef-`` and a name where SPDX has none."""

    spdx: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]*$")]
    blue_oak: BlueOak
    source: Source


class Hardware(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The smallest hardware that serves the model well, in words."""

    minimum: Annotated[str, Meta(min_length=1)]
    source: Source


class Ratings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How well a model serves each feature, and who says so."""

    completion: Support
    generation: Support
    chat: Support
    source: Source


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that belongs to the family."""

    title: Annotated[str, Meta(min_length=1)]
    licence: Licence
    hardware: Hardware
    ratings: Ratings


class Family(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Models that share a prompt format.

    `window` is the default in tokens; the upstream's own word wins. `stop` ends raw text (FIM and
    text prompts), never a chat. `special` are the tokenizer's special tokens beside the sentinels:
    user code must not carry them. The first character of a special token stands nowhere else in
    one, so that a blank behind it disarms the token, and only that token.
    """

    name: Name
    title: Annotated[str, Meta(min_length=1)]
    aliases: tuple[Name, ...] = ()
    window: Annotated[int, Meta(ge=256)]
    window_source: Source
    completion: CompletionMode
    generation: GenerationMode
    chat: bool
    system: SystemRole = SystemRole.MESSAGE
    fim: Sentinels | None = None
    repository: Repository | None = None
    stop: tuple[str, ...] = ()
    special: tuple[str, ...] = ()
    sampling: Samplings = field(default_factory=Samplings)
    models: tuple[Model, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what contradicts itself; raises `ValueError`."""
        if self.completion is CompletionMode.FIM and self.fim is None:
            raise ValueError("completion = 'fim' needs a table [fim]")
        if (self.generation is GenerationMode.CHAT) and not self.chat:
            raise ValueError("generation = 'chat' needs chat = true")
        _check_tokens(self.tokens)

    def serves(self, feature: Feature) -> bool:
        """Tell whether models of the family are made for a feature."""
        match feature.top:
            case Feature.COMPLETION:
                return self.completion is not CompletionMode.NONE
            case Feature.GENERATION:
                return self.generation is not GenerationMode.NONE
            case Feature.EMBEDDING:
                return self.embeds
            case _:
                return self.chat

    @property
    def embeds(self) -> bool:
        """Whether its models turn text into vectors, and write none."""
        return self.completion is CompletionMode.NONE

    def conversing(self) -> Family:
        """Return the family as it is asked where only messages are taken, no rendered text."""
        texts = (CompletionMode.FIM, CompletionMode.TEXT)
        if self.completion not in texts and self.generation is not GenerationMode.TEXT:
            return self
        return msgspec.structs.replace(
            self,
            completion=(
                CompletionMode.INSTRUCTION if self.completion in texts else self.completion
            ),
            generation=(
                GenerationMode.CHAT if self.generation is GenerationMode.TEXT else self.generation
            ),
            chat=True,
        )

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Every special token of the family: its sentinels and the others, each once."""
        sentinels = () if self.fim is None else self.fim.tokens
        return tuple(dict.fromkeys((*sentinels, *self.special)))


def _check_tokens(tokens: tuple[str, ...]) -> None:
    """Refuse tokens that could hide in each other; see `Family`."""
    heads = {token[:1] for token in tokens}
    for token in tokens:
        if len(token) < 2 or any(each.isspace() for each in token):
            raise ValueError(f"the special token {token!r} is too short or holds a blank")
        if any(head in token[1:] for head in heads):
            raise ValueError(f"the special token {token!r} may hide the start of another one")
        if any(other.startswith(token) for other in tokens if other != token):
            raise ValueError(f"the special token {token!r} is the head of another one")
