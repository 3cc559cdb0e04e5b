"""A driver that behaves towards an AI gateway as GitLab's Rails and Workhorse do.

It is a GitLab of its own: it signs tokens, serves the part of the REST API that editors ask, and
hands their requests on with the model that its admin has set.
"""

import json
from http import HTTPStatus
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from tests.fakes.gitlab import VERSION, FakeGitLab
from tests.fakes.http import Exchange
from tests.gitlab.drivers.clock import Clock

PERSONAL_TOKEN = "glpat-0123456789abcdefghij"
MOST = 100_000
HEALTH_PATIENCE, TOOL_PATIENCE = 3.0, 30.0
SUGGESTIONS = "/api/v4/code_suggestions"
PASSED_ON = ("content-type", "x-streaming-format")
INTENTS: dict[str, tuple[str, dict[str, str]]] = {
    "generation": ("/v2/code/generations", {"prompt_id": "code_suggestions/generations"}),
    "completion": ("/v2/code/completions", {}),
}


class Told(NamedTuple):
    """What GitLab shows to its admin."""

    passed: bool
    message: str = ""


class Rails(FakeGitLab):
    """A GitLab whose features ask the gateway at `gateway`, with `model` for each of them.

    `model` is as its admin page has it: `name`, `endpoint`, and where set `identifier` and
    `api_key`; None where the feature is not self-hosted.
    """

    def __init__(self, clock: Clock, model: dict[str, str] | None = None) -> None:
        super().__init__()
        self.gateway = ""
        self.clock = clock
        self.model = model

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession()
        return await super().__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.session.close()
        await super().__aexit__(kind, error, trace)

    @property
    def model_metadata(self) -> dict[str, str]:
        return {} if self.model is None else {"provider": "openai", **self.model}

    async def health_check(self) -> Told:
        """Return what the admin's health check says of completions."""
        file = {
            "file_name": "test.rb",
            "content_above_cursor": "def hello_world",
            "content_below_cursor": "",
        }
        body = {"prompt_version": 2, "prompt": None, "current_file": file, **self._flat()}
        try:
            status, said = await self.clock.within(
                HEALTH_PATIENCE, self._ask("/v2/code/completions", body)
            )
        except TimeoutError:
            return Told(False, f"the gateway did not answer in {HEALTH_PATIENCE} s")
        if status != HTTPStatus.OK:
            return Told(False, self._message(status, said))
        choices = json.loads(said)["choices"]
        if not choices or not choices[0]["text"]:
            return Told(False, "the completion is empty")
        return Told(True)

    async def model_check(self) -> Told:
        """Return what the button "Test connection" says."""
        path = f"/v1/prompts/{quote('model_configuration/check', safe='')}"
        body = {"inputs": {}, "model_metadata": self.model_metadata}
        status, said = await self._ask(path, body)
        if status == HTTPStatus.MISDIRECTED_REQUEST:
            detail = json.loads(said)["detail"]
            return Told(False, f"the model server returned code {detail}")
        if status != HTTPStatus.OK:
            return Told(False, self._message(status, said))
        return Told(isinstance(json.loads(said), str))

    async def tool(self, prompt: str, inputs: dict[str, Any]) -> str:
        """Return the answer of a tool of the chat, read as raw text."""
        body = {"stream": True, "inputs": inputs, "model_metadata": self.model_metadata}
        body |= {"prompt_version": "^1.0.0"}
        async with self.ask(f"/v1/prompts/{prompt}", body) as answer:
            if answer.status != HTTPStatus.OK:
                raise RuntimeError(self._message(answer.status, await answer.text()))
            return (await answer.read()).decode()

    def ask(self, path: str, body: Any) -> Any:
        """Ask the gateway for a user; returns the context of an answer that is read bit by bit."""
        return self.session.post(
            URL(self.gateway + path, encoded=True),
            data=json.dumps(body),
            headers=self.headers() | {"content-type": "application/json"},
        )

    async def route(self, exchange: Exchange) -> None:
        """Answer an editor, or whoever looks for the keys."""
        request = exchange.request
        if not request.target.startswith("/api/"):
            await super().route(exchange)
            return
        if request.headers.get("authorization") != f"Bearer {PERSONAL_TOKEN}":
            await _answer(exchange, {"message": "401 Unauthorized"}, 401)
            return
        match request.target:
            case "/api/v4/personal_access_tokens/self":
                await _answer(exchange, {"name": "x", "active": True, "scopes": ["api"]})
            case "/api/v4/version":
                await _answer(exchange, {"version": VERSION, "enterprise": True})
            case "/api/graphql":
                await _answer(exchange, {"data": {}})
            case path if path == f"{SUGGESTIONS}/direct_access":
                await self._direct_access(exchange)
            case path if path == f"{SUGGESTIONS}/completions":
                await self._hand_on(exchange)
            case _:
                await _answer(exchange, {"error": "404 Not Found"}, 404)

    async def _direct_access(self, exchange: Exchange) -> None:
        """Get a token for the editor's user; what the gateway refuses is 503 for the editor."""
        async with self.ask("/v1/code/user_access_token", None) as answer:
            told: dict[str, Any] = await answer.json() if answer.status == HTTPStatus.OK else {}
        if "token" not in told:
            await _answer(exchange, {"message": "503 Service Unavailable"}, 503)
            return
        names = ("x-gitlab-global-user-id", "x-gitlab-instance-id", "x-gitlab-realm")
        headers = {name.title(): value for name, value in self.headers().items() if name in names}
        access = {"base_url": self.gateway, "headers": headers, **told}
        await _answer(exchange, access, 201)

    async def _hand_on(self, exchange: Exchange) -> None:
        """Send the gateway's answer on as it comes, as Workhorse does with ``send_url``."""
        params = exchange.request.json
        path, more = INTENTS[params.get("intent", "completion")]
        file = params["current_file"]
        file |= {
            "content_above_cursor": file["content_above_cursor"][-MOST:],
            "content_below_cursor": file["content_below_cursor"][:MOST],
        }
        generates = "prompt_id" in more
        prompt = (params.get("user_instruction") or "") if generates else None
        body = {**params, "prompt_version": 2, "prompt": prompt, **more, **self._flat()}
        async with self.ask(path, body) as answer:
            head = [f"HTTP/1.1 {answer.status} X\r\n"]
            told = ((each, answer.headers.get(each)) for each in PASSED_ON)
            head += [f"{name}: {value}\r\n" for name, value in told if value is not None]
            await exchange.send("".join([*head, "transfer-encoding: chunked\r\n\r\n"]).encode())
            try:
                async for piece in answer.content.iter_any():
                    await exchange.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            except aiohttp.ClientPayloadError:
                exchange.close()
            else:
                await exchange.send(b"0\r\n\r\n")

    async def _ask(self, path: str, body: Any) -> tuple[int, str]:
        async with self.ask(path, body) as answer:
            return answer.status, await answer.text()

    def _flat(self) -> dict[str, str]:
        """Return the model's fields as version 2 of the code API has them."""
        if self.model is None:
            return {}
        flat = {f"model_{name}": value for name, value in self.model.items() if value}
        return {"model_provider": "litellm", **flat}

    def _message(self, status: int, said: str) -> str:
        """Return what GitLab makes of an error: the first ``msg`` of its details, or a guess."""
        if status == HTTPStatus.FORBIDDEN:
            return "no subscription (M3006)"
        try:
            return str(json.loads(said)["detail"][0]["msg"])
        except (ValueError, KeyError, TypeError):
            return f"the gateway answered with {status}"


async def _answer(exchange: Exchange, body: Any, status: int = 200) -> None:
    await exchange.answer(status, json.dumps(body).encode())
