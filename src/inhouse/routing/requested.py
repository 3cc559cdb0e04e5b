"""Models that requests themselves name: registered ones among them, or deployments of their own."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping

import msgspec

from inhouse.core.allowing import Allowed
from inhouse.core.catalog import Catalog, Deployment
from inhouse.core.endpoints import Endpoint, read_endpoint
from inhouse.core.naming import did_you_mean, identifier_fault
from inhouse.core.requests import RequestedModel
from inhouse.errors import ConfigError, InvalidValueError
from inhouse.families import Families
from inhouse.routing.single import Singles

MOST = 256
"""Models that are remembered; the one that was not asked for longest is forgotten first."""
SERVER = "custom_openai"
ALIASES = frozenset(
    {
        "hosted_vllm",
        "litellm_proxy",
        "llamafile",
        "lm_studio",
        "mistral",
        "openai",
        "openai_like",
        "text-completion-openai",
        "vllm",
    }
)
"""Other programs' prefixes for servers that speak OpenAI's dialect at a URL of their own."""
PROVIDERS = ("anthropic", "azure", "bedrock", SERVER, "openai")
"""Providers of models; the others answer from files of this machine."""
URLLESS = "bedrock/"
"""Identifiers of models that have no URL of their own."""
GENERAL = "general"
_FIELDS = frozenset({"api_key", "endpoint"})
"""Fields of a deployment that a request has too; all else follows from its identifier."""


def identified(model: RequestedModel) -> str:
    """Return the identifier as a deployment has it; without one, that of the model's family."""
    prefix, slash, name = model.identifier.partition("/")
    if not slash:
        return f"{SERVER}/{prefix or model.family}"
    return f"{SERVER}/{name}" if prefix in ALIASES and model.endpoint else model.identifier


def registered(catalog: Catalog, model: RequestedModel) -> Deployment | None:
    """Return the deployment that a request means, None where no such one is registered.

    It has the same endpoint and identifier; without an identifier it is the only one there. Of
    several the one of the same family goes first. One that is listed has its name.
    """
    if model.listed:
        return catalog.deployments.get(model.identifier)
    wanted, root = identified(model), _root(model.endpoint)
    models = [each for each in catalog.deployments.values() if each.provider in PROVIDERS]
    if not model.identifier:
        there = [each for each in models if root is not None and _root(each.endpoint) == root]
        return there[0] if len(there) == 1 else None
    # GitLab's form wants a URL of every model, also of those that have none.
    urls = not wanted.startswith(URLLESS)
    same = [
        each
        for each in models
        if _identified(each) == wanted and (not urls or _root(each.endpoint) == root)
    ]
    akin = [each for each in same if each.family == model.family]
    return min(akin or same, key=lambda each: each.name, default=None)


def told(model: RequestedModel) -> str:
    """Return in words which model a request names, without secrets."""
    at = f" at {read_endpoint(model.endpoint).shown}" if model.endpoint else ""
    return f"'{(model.identifier or model.family)[:100]}'{at}"


class Requested:
    """Deployments made of what requests name, as far as that is allowed; the latest are remembered.

    Each has a name of its own, and with it a circuit and a queue: who shows a wrong key must not
    close the door for whoever has the right one.
    """

    def __init__(
        self,
        allowed: Allowed,
        families: Families,
        *,
        singles: Singles,
        check: Callable[[Deployment], None],
        changed: Callable[[], None],
        most: int = MOST,
    ) -> None:
        """`check` raises `ConfigError` for one that cannot work; `changed` hears of a new one."""
        self._allowed = allowed
        self._families = families
        self._singles = singles
        self._check = check
        self._changed = changed
        self._most = most
        self._known: OrderedDict[str, Deployment] = OrderedDict()
        # The names tell keys apart, and must not tell them to who guesses.
        self._salt = secrets.token_bytes(16)

    @property
    def known(self) -> Mapping[str, Deployment]:
        """Those that are remembered, by name."""
        return self._known

    async def find(self, model: RequestedModel) -> Deployment:
        """Return the deployment that a request names; without an identifier, of the only model.

        Where there are several, or nobody tells, the model has its family's name. Raises as
        `deployment`.
        """
        deployment = self.deployment(model)
        if model.identifier:
            return deployment
        single = await self._singles.name(deployment)
        if not single:
            return deployment
        return self.deployment(msgspec.structs.replace(model, identifier=f"{SERVER}/{single}"))

    def deployment(self, model: RequestedModel) -> Deployment:
        """Return the deployment that a request names, and remember it.

        Raises:
            InvalidValueError: nobody can ask it, or nobody may; `param` is the request's field.

        """
        made = self._made(model)
        known = self._known.get(made.name)
        if known is not None:
            self._known.move_to_end(made.name)
            return known
        try:
            self._check(made)
        except ConfigError as error:
            field = error.param or ""
            param = model.named(field if field in _FIELDS else "identifier")
            raise InvalidValueError(f"'{param}' is wrong: {error.message}", param=param) from None
        self._known[made.name] = made
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        self._changed()
        return made

    def _made(self, model: RequestedModel) -> Deployment:
        identifier = identified(model)
        provider = identifier.partition("/")[0]
        if provider not in PROVIDERS:
            raise _unknown(model, provider)
        if (what := identifier_fault(identifier)) is not None:
            param = model.named("identifier")
            raise InvalidValueError(f"'{param}' is wrong: {what}.", param=param)
        endpoint = None
        if model.endpoint and not identifier.startswith(URLLESS):
            endpoint = read_endpoint(model.endpoint)
        self._permit(model, identifier, endpoint)
        family = model.family if model.family in self._families else GENERAL
        deployment = Deployment(
            name=identifier,
            family=self._families.get(family).name,
            identifier=identifier,
            endpoint="" if endpoint is None else endpoint.url,
            api_key=model.api_key,
        )
        return msgspec.structs.replace(deployment, name=self._name(deployment, endpoint))

    def _permit(self, model: RequestedModel, identifier: str, endpoint: Endpoint | None) -> None:
        allowed = self._allowed
        if endpoint is not None and not allowed.endpoint(endpoint):
            raise InvalidValueError(
                f"'{model.named('endpoint')}' names {endpoint.shown}, which matches nothing in"
                " allowed_endpoints of [gitlab] in inhouse.toml. An administrator can list it"
                " there.",
                param=model.named("endpoint"),
            )
        # Such a one is asked with the credentials of this machine, or at the provider's own URL.
        ours = endpoint is None or (identifier.startswith("azure/") and not model.api_key)
        if ours and not allowed.identifier(identifier):
            missing = "" if model.endpoint else f"'{model.named('endpoint')}' is missing, and "
            raise InvalidValueError(
                f"{missing}'{model.named('identifier')}' names {identifier[:100]}, which matches"
                " nothing in allowed_endpoints of [gitlab] in inhouse.toml. An administrator can"
                " list identifiers there too, as in bedrock/*.",
                param=model.named("endpoint" if missing else "identifier"),
            )

    def _name(self, deployment: Deployment, endpoint: Endpoint | None) -> str:
        """Return a name that no registered deployment can have: it holds a slash."""
        key = deployment.api_key.reveal()
        parts = (deployment.identifier, deployment.endpoint, deployment.family, key)
        mark = hashlib.blake2b(msgspec.json.encode(parts), key=self._salt, digest_size=6)
        place = "" if endpoint is None else f"@{endpoint.place}"
        return f"{deployment.identifier[:100]}{place}#{mark.hexdigest()}"


def _identified(deployment: Deployment) -> str:
    written = RequestedModel(identifier=deployment.identifier, endpoint=deployment.endpoint)
    return identified(written)


def _unknown(model: RequestedModel, provider: str) -> InvalidValueError:
    param = model.named("identifier")
    known = (*PROVIDERS, *ALIASES)
    return InvalidValueError(
        f"'{param}' begins with '{provider[:50]}/', which is no provider of models that a request"
        f" may name{did_you_mean(provider, known)}. The model '{model.identifier[:100]}' of an"
        f" OpenAI-compatible server is written {SERVER}/{model.identifier[:100]}; other"
        f" providers are: {', '.join(PROVIDERS)}.",
        param=param,
    )


def _root(endpoint: str) -> Endpoint | None:
    """Return what two spellings of an endpoint have in common, None where there is none."""
    if not endpoint:
        return None
    try:
        return read_endpoint(endpoint).root
    except ValueError:
        return None
