"""The model that a request of GitLab's names."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from inhouse.core.endpoints import read_endpoint
from inhouse.core.feature import Feature
from inhouse.core.requests import RequestedModel
from inhouse.core.secret import Secret
from inhouse.errors import InvalidValueError

Short = Annotated[str, Meta(max_length=255)]
ApiKey = Annotated[str, Meta(max_length=2000)]
Identifier = Annotated[str, Meta(max_length=1000)]
NESTED = "model_metadata."
FLAT = "model_"
"""What stands before the names of the fields: in an object of their own, and in bodies of v2."""
SELF_HOSTED = "litellm"
"""What bodies with flat fields call the provider of a model that an administrator hosts."""
LISTED = "gitlab"
"""The provider of models that are chosen from a list, and not configured in GitLab."""


class ModelMetadata(Struct, frozen=True, kw_only=True):
    """The object ``model_metadata``; ``{}`` is the same as none.

    `name` is a model family, `identifier` as in `Deployment`. With the provider ``gitlab`` it is
    one of those that ``/v1/models/definitions`` lists, or none; `feature_setting` says for what,
    which each endpoint knows better: there are prompts of one feature under another's setting.
    """

    provider: Short | None = None
    name: Short | None = None
    endpoint: Short | None = None
    api_key: ApiKey | None = None
    identifier: Identifier | None = None
    feature_setting: Short | None = None

    def __repr__(self) -> str:
        # A key shows in no log, whoever prints this.
        return f"ModelMetadata(provider={self.provider!r}, name={self.name!r})"


def requested(metadata: ModelMetadata | None, *, prefix: str = NESTED) -> RequestedModel | None:
    """Return the model that the metadata names, None where it names none.

    `prefix` is what the request writes before each field's name, for errors.

    Raises:
        InvalidValueError: it names one by half, or with an endpoint that is no URL; `param` is the
            field.

    """
    if metadata is None or metadata == _NOTHING:
        return None
    if not metadata.provider:
        raise _missing(f"{prefix}provider", "such as 'openai'")
    if metadata.provider == LISTED:
        chosen = metadata.identifier or metadata.name or ""
        # A feature's name is the first entry of each list, and means its route.
        return RequestedModel(identifier=chosen, listed=True) if chosen not in _ROUTED else None
    if not metadata.name:
        raise _missing(f"{prefix}name", "the model's family, such as 'codestral'")
    endpoint = (metadata.endpoint or "").strip()
    if endpoint:
        _check_endpoint(endpoint, f"{prefix}endpoint")
    return RequestedModel(
        family=metadata.name,
        identifier=(metadata.identifier or "").strip(),
        endpoint=endpoint,
        api_key=Secret(metadata.api_key or ""),
        prefix=prefix,
    )


def _check_endpoint(endpoint: str, param: str) -> None:
    try:
        read_endpoint(endpoint)
    except ValueError as error:
        raise InvalidValueError(f"'{param}' is wrong: {error}.", param=param) from None


def _missing(param: str, what: str) -> InvalidValueError:
    return InvalidValueError(f"'{param}' is missing: {what}.", param=param)


_NOTHING = ModelMetadata()
_ROUTED = frozenset({"", *Feature})
