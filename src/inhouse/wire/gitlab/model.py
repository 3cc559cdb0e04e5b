"""The model that a request of GitLab's names."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from inhouse.core.requests import RequestedModel
from inhouse.core.secret import Secret
from inhouse.errors import InvalidValueError

Short = Annotated[str, Meta(max_length=255)]


class ModelMetadata(Struct, frozen=True, kw_only=True):
    """The object ``model_metadata``; ``{}`` is the same as none.

    `name` is a model family, `identifier` as in `Deployment`. `feature_setting` comes with the
    provider ``gitlab``, and then no model is named.
    """

    provider: Short | None = None
    name: Short | None = None
    endpoint: Short | None = None
    api_key: Annotated[str, Meta(max_length=2000)] | None = None
    identifier: Annotated[str, Meta(max_length=1000)] | None = None
    feature_setting: Short | None = None


def requested(metadata: ModelMetadata | None) -> RequestedModel | None:
    """Return the model that the metadata names, None where it names none.

    Raises:
        InvalidValueError: it names one by half; `param` is the field that is missing.

    """
    if metadata is None or metadata == _NOTHING:
        return None
    if not metadata.provider:
        raise _missing("provider", "such as 'openai'")
    if metadata.provider == "gitlab":
        return None
    if not metadata.name:
        raise _missing("name", "the model's family, such as 'codestral'")
    return RequestedModel(
        family=metadata.name,
        identifier=metadata.identifier or "",
        endpoint=metadata.endpoint or "",
        api_key=Secret(metadata.api_key or ""),
    )


def _missing(field: str, what: str) -> InvalidValueError:
    return InvalidValueError(
        f"'model_metadata.{field}' is missing: {what}.", param=f"model_metadata.{field}"
    )


_NOTHING = ModelMetadata()
