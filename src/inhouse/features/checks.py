"""Does a deployment work? Ask it a little, and say in words what is wrong and how to mend it.

Every sentence is fit for administrators: providers blot out keys in what upstreams say.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Served
from inhouse.core.ports import Progress, Provider, Warming
from inhouse.core.settings import Settings
from inhouse.errors import InhouseError, UpstreamError, UpstreamFailure
from inhouse.families import CompletionMode, Families, Family
from inhouse.features import samples
from inhouse.features.check import Check, Status, failed, ok, skipped, warning
from inhouse.features.listing import check_model, check_window, listed
from inhouse.features.remedies import FATAL, remedy, setting
from inhouse.features.sentinels import fitting, unknown_sentinels


@runtime_checkable
class Remarking(Protocol):
    """A provider that notices what works but should be written otherwise."""

    def remarks(self, deployment: Deployment) -> list[str]:
        """Return its remarks, as far as requests have shown."""
        ...


@runtime_checkable
class Learning(Protocol):
    """A provider that learns from refusals what an upstream does not take."""

    def habits(self, deployment: Deployment) -> list[str]:
        """Return in sentences what it does otherwise for this deployment, having learned it."""
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
        yield ok("configuration", f"Family '{family.name}', model '{deployment.model}'.")
    except InhouseError as error:
        yield failed("configuration", str(error), "Correct the deployment.")
        return
    if isinstance(provider, Warming):
        try:
            await provider.warm(deployment, progress)
        except InhouseError as error:
            yield failed("index", str(error))
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
        if self.family.embeds:
            embedding = await self._guarded("embedding", self._embedding)
            if (model := self._model(embedding)) is not None:
                yield model
            yield embedding
            return
        if self.family.completion is not CompletionMode.NATIVE:
            yield check_window(self.deployment, self.family, self.settings, self.served)
        if self._asked().fim is not None and self._asked().completion is CompletionMode.FIM:
            yield await self._guarded("special tokens", self._tokens)
        completion = await self._guarded("completion", self._completion)
        if (model := self._model(completion)) is not None:
            yield model
        yield completion
        yield await self._chat()
        yield self._streaming()
        if habits := self._habits():
            yield ok("habits", " ".join(habits))
        for remark in self._remarks():
            yield warning(
                "address",
                f"{remark}; it was found all the same.",
                "Write it so in the deployment.",
            )

    async def _connection(self) -> Check:
        name = "connection"
        try:
            self.served = await self.provider.served(self.deployment)
        except UpstreamError as error:
            if error.failure in FATAL:
                return failed(name, str(error), remedy(error, self.deployment))
            return warning(
                name,
                f"It does not list its models: {error}",
                "That alone does no harm, if the checks below are well.",
            )
        except InhouseError as error:
            return failed(name, str(error))
        key = " and takes the key" if self.deployment.api_key else ""
        serves = f"It serves {listed(self.served)}" if self.served else "It lists nothing"
        return ok(name, f"The upstream answers{key}. {serves}.")

    def _model(self, answer: Check) -> Check | None:
        return check_model(self.deployment, self.family, self.served, answer)

    async def _embedding(self) -> Check:
        name = "embedding"
        heard = await samples.embed(self.provider, self.deployment)
        return ok(
            name,
            f"Answers in {heard.milliseconds:.0f} ms, with vectors of {heard.dimensions}"
            " dimensions.",
        )

    async def _tokens(self) -> Check:
        name = "special tokens"
        unknown = await unknown_sentinels(self.provider, self.deployment, self.family)
        if unknown is None:
            return skipped(
                name,
                "The upstream does not count tokens for us, so they cannot be checked.",
            )
        if not unknown:
            return ok(name, f"The model knows those of the family '{self.family.name}'.")
        known = await fitting(self.provider, self.deployment, self.families)
        return failed(
            name,
            f"The model's tokenizer does not know {' '.join(unknown)}, so the model is not of the"
            f" family '{self.family.name}', or it is served with another tokenizer.",
            f"It knows those of: {', '.join(known)}. Choose the one that the model is of:"
            f" {setting(self.deployment, 'family', known[0])}"
            if known
            else "Choose the model's family; 'general' suits any model that chats.",
        )

    async def _completion(self) -> Check:
        name = "completion"
        heard = self.heard = await self._complete()
        leaked = [each for each in self.family.tokens if each in heard.text]
        if leaked:
            return failed(
                name,
                f"The answer holds {' '.join(leaked)} as text: the model is not of the family"
                f" '{self.family.name}'.",
                "Set the right family; 'inhouse families list' shows them.",
            )
        took = f"{heard.milliseconds:.0f} ms"
        if heard.text.strip() and self._asked() is not self.family:
            return ok(
                name,
                f"Answers in {took}. The model takes messages only, so it is asked for the code by"
                " an instruction.",
            )
        if heard.text.strip():
            return ok(name, f"Answers in {took}.")
        if self.family.completion is CompletionMode.NATIVE:
            return ok(name, f"Answers in {took}; it has no suggestion for the sample, as it may.")
        return warning(
            name,
            f"Answers in {took}, but with nothing.",
            "If that is so in your editor too, the family may be the wrong one.",
        )

    async def _complete(self) -> samples.Heard:
        """Let it complete; a model that turns out to take messages only is asked with messages."""
        try:
            return await samples.complete(self.provider, self.deployment, self._asked())
        except UpstreamError as error:
            if error.failure is not UpstreamFailure.MESSAGES_ONLY:
                raise
        return await samples.complete(self.provider, self.deployment, self.family.conversing())

    def _asked(self) -> Family:
        """Return the family as the deployment is asked: with text, or only with messages."""
        takes_text = self.provider.takes_text(self.deployment)
        return self.family if takes_text else self.family.conversing()

    async def _chat(self) -> Check:
        if not self._asked().chat:
            return skipped(
                "chat",
                f"Models of the family '{self.family.name}' do not chat.",
            )
        return await self._guarded("chat", self._chatting)

    async def _chatting(self) -> Check:
        heard = await samples.chat(self.provider, self.deployment, self._asked())
        if self.heard is None or heard.deltas > self.heard.deltas:
            self.heard = heard
        if heard.text.strip():
            return ok("chat", f"Answers in {heard.milliseconds:.0f} ms.")
        return warning(
            "chat",
            f"Answers in {heard.milliseconds:.0f} ms, but with nothing.",
        )

    def _streaming(self) -> Check:
        name, heard = "streaming", self.heard
        if heard is None or heard.tokens < samples.ENOUGH_TOKENS:
            return skipped(name, "The answers were too short to tell.")
        if heard.buffered:
            return warning(
                name,
                "The answer comes in one lump at the end: something holds the stream.",
                "Turn response buffering off in the proxy before the upstream"
                " (nginx: proxy_buffering off).",
            )
        return ok(name, f"The answer comes piece by piece, in {heard.deltas} pieces.")

    def _remarks(self) -> list[str]:
        provider = self.provider
        return provider.remarks(self.deployment) if isinstance(provider, Remarking) else []

    def _habits(self) -> list[str]:
        provider = self.provider
        return provider.habits(self.deployment) if isinstance(provider, Learning) else []

    async def _guarded(self, name: str, check: Callable[[], Awaitable[Check]]) -> Check:
        """Make a check; an error of the upstream fails it."""
        try:
            return await check()
        except UpstreamError as error:
            return failed(name, str(error), remedy(error, self.deployment))
        except InhouseError as error:
            return failed(name, str(error))
