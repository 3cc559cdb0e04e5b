"""Does a deployment work? Ask it a little, and say in words what is wrong and how to mend it.

Every sentence is fit for administrators: providers blot out keys in what upstreams say.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct

from inhouse.core.catalog import Deployment, Settings
from inhouse.core.delta import Served
from inhouse.core.naming import did_you_mean
from inhouse.core.ports import Progress, Provider, Warming
from inhouse.errors import InhouseError, UpstreamError, UpstreamFailure
from inhouse.families import CompletionMode, Families, Family
from inhouse.features import samples
from inhouse.features.sentinels import fitting, unknown_sentinels

MOST_NAMES = 5
"""Served names that a sentence lists."""


class Status(StrEnum):
    """How a check went; a warning is something to look at, a skipped one could not be made."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Check(Struct, frozen=True, kw_only=True):
    """One thing looked at: what was found, and what to do about it where that is known."""

    name: str
    status: Status
    sentence: str
    remedy: str = ""


@runtime_checkable
class Remarking(Protocol):
    """A provider that notices what works but should be written otherwise."""

    def remarks(self, deployment: Deployment) -> list[str]:
        """Return its remarks, as far as requests have shown."""
        ...


async def check_deployment(
    deployment: Deployment,
    provider: Provider,
    families: Families,
    settings: Settings,
    progress: Progress = lambda _share, _doing: None,
) -> AsyncGenerator[Check]:
    """Yield the checks of a deployment as they are made; those behind a fatal one are left out.

    `progress` hears of an index that must be built first.
    """
    try:
        family = families.get(deployment.family)
        provider.check(deployment)
        yield _ok("configuration", f"Family '{family.name}', model '{deployment.model}'.")
    except InhouseError as error:
        yield _failed("configuration", str(error), "Correct the deployment.")
        return
    if isinstance(provider, Warming):
        try:
            await provider.warm(deployment, progress)
        except InhouseError as error:
            yield _failed("index", str(error))
            return
    examination = _Examination(deployment, provider, family, families, settings)
    async for check in examination.run():
        yield check


class _Examination:
    """The checks that ask the upstream, in order."""

    def __init__(
        self,
        deployment: Deployment,
        provider: Provider,
        family: Family,
        families: Families,
        settings: Settings,
    ) -> None:
        self.deployment = deployment
        self.provider = provider
        self.family = family
        self.families = families
        self.settings = settings
        self.served: Sequence[Served] | None = None
        self.heard: samples.Heard | None = None

    async def run(self) -> AsyncGenerator[Check]:
        connection = await self._connection()
        yield connection
        if connection.status is Status.FAILED:
            return
        yield self._window()
        if self.family.fim is not None and self.family.completion is CompletionMode.FIM:
            yield await self._guarded("special tokens", self._tokens)
        completion = await self._guarded("completion", self._completion)
        model = self._model(completion)
        if model is not None:
            yield model
        yield completion
        yield await self._chat()
        yield self._streaming()
        for remark in self._remarks():
            yield Check(
                name="address",
                status=Status.WARNING,
                sentence=f"{remark}; it was found all the same.",
                remedy="Write it so in the deployment.",
            )

    async def _connection(self) -> Check:
        name = "connection"
        try:
            self.served = await self.provider.served(self.deployment)
        except UpstreamError as error:
            if error.failure in _FATAL:
                return _failed(name, str(error), _REMEDIES.get(error.failure, ""))
            return Check(
                name=name,
                status=Status.WARNING,
                sentence=f"It does not list its models: {error}",
                remedy="That alone does no harm, if the checks below are well.",
            )
        except InhouseError as error:
            return _failed(name, str(error))
        key = " and takes the key" if self.deployment.api_key else ""
        return _ok(name, f"The upstream answers{key}. It serves {_listed(self.served)}.")

    def _window(self) -> Check:
        name, wanted = "window", self._wanted()
        told = self._told()
        declared = self.deployment.options.get("window")
        if told is None:
            assumed = declared or self.family.window
            return Check(
                name=name,
                status=Status.SKIPPED,
                sentence=f"The upstream does not tell its window; {assumed} tokens are assumed.",
                remedy="If it is smaller, set the option window=TOKENS.",
            )
        bigger = self.family.window if declared is None else declared
        if isinstance(bigger, int) and told < bigger:
            whose = "the family's is" if declared is None else "declared are"
            return Check(
                name=name,
                status=Status.WARNING,
                sentence=f"The upstream's window is {told} tokens, {whose} {bigger}."
                " Prompts are cut to what it really takes.",
                remedy="Serve the model with a longer context (vLLM: --max-model-len), if it"
                " fits into the GPU's memory.",
            )
        if told < wanted:
            return Check(
                name=name,
                status=Status.WARNING,
                sentence=f"The upstream's window is {told} tokens; the settings would use {wanted}"
                " for a completion. Prompts are cut.",
            )
        return _ok(name, f"{told} tokens.")

    async def _tokens(self) -> Check:
        name = "special tokens"
        unknown = await unknown_sentinels(self.provider, self.deployment, self.family)
        if unknown is None:
            return Check(
                name=name,
                status=Status.SKIPPED,
                sentence="The upstream does not count tokens for us, so they cannot be checked.",
            )
        if not unknown:
            return _ok(name, f"The model knows those of the family '{self.family.name}'.")
        known = await fitting(self.provider, self.deployment, self.families)
        return _failed(
            name,
            f"The model's tokenizer does not know {' '.join(unknown)}, so the model is not of the"
            f" family '{self.family.name}', or it is served with another tokenizer.",
            f"It knows those of: {', '.join(known)}. Set the one that the model is of."
            if known
            else "Choose the model's family; 'general' suits any model that chats.",
        )

    async def _completion(self) -> Check:
        name = "completion"
        heard = self.heard = await samples.complete(self.provider, self.deployment, self.family)
        leaked = [each for each in self.family.tokens if each in heard.text]
        if leaked:
            return _failed(
                name,
                f"The answer holds {' '.join(leaked)} as text: the model is not of the family"
                f" '{self.family.name}'.",
                "Set the right family; 'inhouse families list' shows them.",
            )
        took = f"{heard.milliseconds:.0f} ms"
        if heard.text.strip():
            return _ok(name, f"Answers in {took}.")
        if self.family.completion is CompletionMode.NATIVE:
            return _ok(name, f"Answers in {took}; it has no suggestion for the sample, as it may.")
        return Check(
            name=name,
            status=Status.WARNING,
            sentence=f"Answers in {took}, but with nothing.",
            remedy="If that is so in your editor too, the family may be the wrong one.",
        )

    def _model(self, completion: Check) -> Check | None:
        """Judge the model's name, once it is known whether the upstream answers to it."""
        if self.served is None:
            return None
        names = [each.name for each in self.served]
        model = self.deployment.model
        if model in names or self.family.completion is CompletionMode.NATIVE:
            return _ok("model", f"'{model}' is served.")
        what = f"The upstream serves no '{model}'{did_you_mean(model, names) or '.'}"
        served = f" It serves {_listed(self.served)}."
        prefix = self.deployment.provider
        remedy = f"Set the identifier to {prefix}/{names[0]}." if len(names) == 1 else ""
        if completion.status is Status.FAILED:
            return _failed(
                "model",
                what + served,
                remedy or f"Set the identifier to {prefix}/NAME with one of these names.",
            )
        return Check(
            name="model",
            status=Status.WARNING,
            sentence=f"{what} It answers all the same.",
            remedy=remedy,
        )

    async def _chat(self) -> Check:
        if not self.family.chat:
            return Check(
                name="chat",
                status=Status.SKIPPED,
                sentence=f"Models of the family '{self.family.name}' do not chat.",
            )
        return await self._guarded("chat", self._chatting)

    async def _chatting(self) -> Check:
        heard = await samples.chat(self.provider, self.deployment, self.family)
        if self.heard is None or heard.deltas > self.heard.deltas:
            self.heard = heard
        if heard.text.strip():
            return _ok("chat", f"Answers in {heard.milliseconds:.0f} ms.")
        return Check(
            name="chat",
            status=Status.WARNING,
            sentence=f"Answers in {heard.milliseconds:.0f} ms, but with nothing.",
        )

    def _streaming(self) -> Check:
        name, heard = "streaming", self.heard
        if heard is None or heard.tokens < samples.ENOUGH_TOKENS:
            return Check(
                name=name, status=Status.SKIPPED, sentence="The answers were too short to tell."
            )
        if heard.buffered:
            return Check(
                name=name,
                status=Status.WARNING,
                sentence="The answer comes in one lump at the end: something holds the stream.",
                remedy="Turn response buffering off in the proxy before the upstream"
                " (nginx: proxy_buffering off).",
            )
        return _ok(name, f"The answer comes piece by piece, in {heard.deltas} pieces.")

    def _remarks(self) -> list[str]:
        provider = self.provider
        return provider.remarks(self.deployment) if isinstance(provider, Remarking) else []

    async def _guarded(self, name: str, check: Callable[[], Awaitable[Check]]) -> Check:
        """Make a check; an error of the upstream fails it."""
        try:
            return await check()
        except UpstreamError as error:
            return _failed(name, str(error), _remedy(error))
        except InhouseError as error:
            return _failed(name, str(error))

    def _told(self) -> int | None:
        """Return the window that the upstream tells for this model."""
        served = self.served or ()
        told = {each.name: each.window for each in served}
        return told.get(self.deployment.model, served[0].window if len(served) == 1 else None)

    def _wanted(self) -> int:
        settings = self.settings
        return (
            settings.completion_prefix_tokens
            + settings.completion_suffix_tokens
            + settings.completion_max_tokens
        )


_FATAL = frozenset(
    {
        UpstreamFailure.UNREACHABLE,
        UpstreamFailure.TLS,
        UpstreamFailure.TIMEOUT,
        UpstreamFailure.AUTHENTICATION,
        UpstreamFailure.CLOSED,
        UpstreamFailure.NOT_READY,
    }
)
"""Failures behind which nothing else can be checked."""

_REMEDIES = {
    UpstreamFailure.UNREACHABLE: "Check the endpoint's host and port, and that a firewall or proxy"
    " lets them through. In a container, localhost is the container itself.",
    UpstreamFailure.TLS: "For a self-signed certificate or your own authority, set the option"
    " ca_file=PATH to its PEM file; for a client certificate, client_cert_file and"
    " client_key_file.",
    UpstreamFailure.AUTHENTICATION: "Set the right key: --api-key env:NAME or file:PATH.",
    UpstreamFailure.NOT_READY: "Wait until the model is loaded, then test again.",
    UpstreamFailure.TIMEOUT: "See whether the upstream is overloaded, or raise its timeouts in the"
    " settings.",
}


def _remedy(error: UpstreamError) -> str:
    if "chat template" in str(error).lower():
        return (
            "The model has no chat template: serve it with one (vLLM: --chat-template FILE), or"
            " take the family of the base model, which does not chat."
        )
    return _REMEDIES.get(error.failure, "")


def _listed(served: Sequence[Served]) -> str:
    names = [f"'{each.name}'" for each in served[:MOST_NAMES]]
    more = len(served) - len(names)
    return (", ".join(names) or "no model") + (f" and {more} more" if more else "")


def _ok(name: str, sentence: str) -> Check:
    return Check(name=name, status=Status.OK, sentence=sentence)


def _failed(name: str, sentence: str, remedy: str = "") -> Check:
    return Check(name=name, status=Status.FAILED, sentence=sentence, remedy=remedy)
