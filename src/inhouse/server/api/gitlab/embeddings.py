"""``/v1/embeddings/code_embeddings``: vectors of code."""

from __future__ import annotations

from inhouse.core.catalog import Deployment
from inhouse.core.feature import Feature
from inhouse.core.requests import RequestedModel
from inhouse.errors import InvalidValueError, UnknownModelError
from inhouse.routing.target import Target
from inhouse.server.api.gitlab import choosing
from inhouse.server.api.gitlab.door import Visitor, admit
from inhouse.server.api.gitlab.refusals import GITLAB_EMBEDDINGS
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint
from inhouse.wire.gitlab.embeddings import FAMILY, answer, decode_embeddings, embedding_request
from inhouse.wire.gitlab.model import SELF_HOSTED, requested

PATHS = ("", "/index", "/search")
"""GitLab asks at several paths, depending on what the vectors are for."""


async def embed(exchange: Exchange) -> None:
    """Embed each content, by the model that the request names or the route of ``embedding``."""
    visitor = await admit(exchange)
    visitor.require("generate_embeddings_codebase", why="Unauthorized to generate embeddings")
    body = decode_embeddings(await exchange.body())
    target = await _target(exchange, visitor, requested(body.model_metadata))
    recording = exchange.recording
    request = embedding_request(body, recording.request_id)
    found = await exchange.gateway.embedding.embed(request, target, recording)
    provider = body.model_metadata.provider if body.model_metadata is not None else None
    answered = _answered(target, recording.deployment)
    await exchange.answer(
        answer(
            found.vectors,
            engine=provider or SELF_HOSTED,
            name=FAMILY,
            identifier=answered.identifier,
        )
    )


async def _target(exchange: Exchange, visitor: Visitor, model: RequestedModel | None) -> Target:
    try:
        return await choosing.target(exchange, visitor, model, Feature.EMBEDDING)
    except UnknownModelError as error:
        if model is None or model.listed or model.endpoint:
            raise
        raise InvalidValueError(
            f"'model_metadata.endpoint' is missing, and our own routes do not help:"
            f" {error.message}",
            param="model_metadata.endpoint",
        ) from None


def _answered(target: Target, name: str) -> Deployment:
    """Return the deployment that answered; the first one where none was asked."""
    named = {each.name: each for each in target.deployments}
    return named.get(name, target.deployments[0])


ENDPOINTS = tuple(
    Endpoint(
        method="POST",
        path=f"/v1/embeddings/code_embeddings{path}",
        handle=embed,
        dialect=GITLAB_EMBEDDINGS,
    )
    for path in PATHS
)
