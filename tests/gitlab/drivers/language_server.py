"""A driver that behaves towards its GitLab as GitLab's language server does.

After the contract: it checks its token, asks directly where it may, never hangs up but after its
timeout, and hides what fails behind its breakers.
"""

import json
import re
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Self, TypeVar

import aiohttp

from tests.gitlab.drivers.breaker import Breaker
from tests.gitlab.drivers.clock import Clock
from tests.gitlab.drivers.document import Document, Suggestions
from tests.gitlab.drivers.streams import BrokenStreamError, sse_pieces, text_pieces

VERSION = "7.9.0"
DEBOUNCE = 0.25
DIRECT_PATIENCE, PATIENCE = 5.0, 15.0
LONGEST_PERSONAL = 42
SOON = 40.0
OLDEST = (17, 2, 0)
STATE = """query state($flag: String!, $path: ID!) {
  currentUser { id username name duoCodeSuggestionsAvailable duoChatAvailable }
  featureFlagEnabled(name: $flag)
  project(fullPath: $path) { duoFeaturesEnabled }
}"""

Result = TypeVar("Result")


class RefusedError(Exception):
    """The language server will not work with this GitLab or token."""


class FailedError(Exception):
    """A request did not lead to suggestions; `status` is 0 where there was no answer."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status


class LanguageServer:
    """Connects an editor to the GitLab at `url`; time is what `clock` says, also for timeouts.

    `asked` tells the way of each request for suggestions: "direct" or "gitlab".
    """

    def __init__(self, url: str, token: str, clock: Clock, *, choices: int = 1) -> None:
        self.url = url
        self.clock = clock
        self.state: dict[str, Any] = {}
        self.asked: list[str] = []
        self.failures: list[FailedError] = []
        self.breaker = Breaker(clock, errors=4, seconds=10, most=10)
        self.direct_breaker = Breaker(clock, seconds=1, factor=5, most=600)
        self.access_breaker = Breaker(clock, seconds=1, factor=3, most=3600)
        self._token = token
        self._choices = choices
        self._suggestions = Suggestions(clock)
        self._access: dict[str, Any] | None = None
        self._latest = 0
        self._headers = {
            "Authorization": f"Bearer {token}",
            "User-Agent": f"gitlab-language-server:{VERSION} (VSCode:1.90.0)",
            "X-Gitlab-Language-Server-Version": VERSION,
        }

    async def __aenter__(self) -> Self:
        # Cookies and redirects play no part; connections are kept.
        self._session = aiohttp.ClientSession(auto_decompress=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def start(self) -> None:
        """Check token and version, and look what is available; raises RefusedError."""
        if len(self._token) < LONGEST_PERSONAL:
            told = await self._json("GET", "/api/v4/personal_access_tokens/self")
            allowed = told["active"] is True and "api" in told["scopes"]
        else:
            allowed = "api" in (await self._json("GET", "/oauth/token/info"))["scope"]
        if not allowed:
            raise RefusedError("The token has no scope 'api'.")
        version = (await self._json("GET", "/api/v4/version"))["version"]
        found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", version)
        if found is None or tuple(map(int, found.groups())) < OLDEST:
            raise RefusedError(f"GitLab {version} is too old.")
        variables = {"flag": "code_suggestions_context", "path": "group/project"}
        told = await self._json("POST", "/api/graphql", {"query": STATE, "variables": variables})
        self.state = told["data"]

    async def complete(self, document: Document) -> list[str]:
        """Return what to show at the cursor, once nobody has typed on for a while."""
        self._latest += 1
        mine = self._latest
        if known := self._suggestions.find(document):
            return known
        await self.clock.sleep(DEBOUNCE)
        if mine != self._latest or not document.wants() or self.breaker.open:
            return []
        try:
            texts = await self._suggested(document)
        except FailedError as error:
            self.failures.append(error)
            self.breaker.failed()
            return []
        self.breaker.succeeded()
        if texts:
            self._suggestions.keep(document, texts)
        return texts

    async def generate(
        self, document: Document, instruction: str, kind: str = "comment"
    ) -> AsyncIterator[str]:
        """Yield code as it is written; raises FailedError or BrokenStreamError."""
        body = {
            **self._body(document, [("other.py", "OTHER = 1")]),
            "intent": "generation",
            "stream": True,
            "user_instruction": instruction,
            "generation_type": kind,
        }
        headers = {
            **self._headers,
            "Content-Type": "application/json",
            "X-Supports-Sse-Streaming": "true",
        }
        url = f"{self.url}/api/v4/code_suggestions/completions"
        async with self._session.post(url, data=json.dumps(body), headers=headers) as answer:
            if answer.status != 200:
                raise FailedError(answer.status, await answer.text())
            sse = answer.headers.get("X-Streaming-Format") == "sse"
            pieces = answer.content.iter_any()
            try:
                async for text in (sse_pieces if sse else text_pieces)(pieces):
                    yield text
            except aiohttp.ClientPayloadError as error:
                raise BrokenStreamError("The connection broke off.") from error

    async def _suggested(self, document: Document) -> list[str]:
        access = await self._direct()
        if access is not None and not self.direct_breaker.open:
            self.asked.append("direct")
            try:
                texts = await self._ask_directly(access, document)
            except FailedError as error:
                self.failures.append(error)
                self.direct_breaker.failed()
            else:
                self.direct_breaker.succeeded()
                return texts
        self.asked.append("gitlab")
        url = f"{self.url}/api/v4/code_suggestions/completions"
        headers = {**self._headers, "Content-Type": "application/json"}
        return await self._within(PATIENCE, self._post(url, headers, self._body(document)))

    async def _ask_directly(self, access: dict[str, Any], document: Document) -> list[str]:
        headers = {
            **access["headers"],
            "User-Agent": self._headers["User-Agent"],
            "Authorization": f"Bearer {access['token']}",
            "X-Gitlab-Authentication-Type": "oidc",
            "X-Gitlab-Language-Server-Version": VERSION,
            "Content-Type": " application/json",
        }
        body = {**self._body(document), **access.get("model_details", {})}
        url = f"{access['base_url']}/v2/completions"
        return await self._within(DIRECT_PATIENCE, self._post(url, headers, body))

    async def _direct(self) -> dict[str, Any] | None:
        """Return how to ask directly; what has to be fetched first serves the next request."""
        access = self._access
        if access is not None and access["expires_at"] - self.clock.unix >= SOON:
            return access
        self._access = None
        if self.access_breaker.open:
            return None
        try:
            found = await self._json("POST", "/api/v4/code_suggestions/direct_access", {}, 201)
        except FailedError as error:
            self.access_breaker.failed(times=3 if error.status == 401 else 1)
            return None
        if not (found["base_url"] and found["token"] and isinstance(found["expires_at"], int)):
            raise RefusedError(f"Not how direct access is told: {found}")
        self.access_breaker.succeeded()
        self._access = found
        return None

    def _body(self, document: Document, context: list[tuple[str, str]] | None = None) -> Any:
        snippets = [
            {"type": "file", "name": name, "content": text, "resolution_strategy": "open_tabs"}
            for name, text in context or []
        ]
        return {
            "prompt_version": 1,
            "project_path": "",
            "project_id": -1,
            "current_file": {
                "content_above_cursor": document.prefix,
                "content_below_cursor": document.suffix,
                "file_name": document.name,
            },
            "choices_count": self._choices,
            **({"context": snippets} if snippets else {}),
        }

    async def _post(self, url: str, headers: dict[str, str], body: Any) -> list[str]:
        try:
            async with self._session.post(url, data=json.dumps(body), headers=headers) as answer:
                if answer.status != 200:
                    raise FailedError(answer.status, await answer.text())
                told = await answer.json()
        except aiohttp.ClientError as error:
            raise FailedError(0, repr(error)) from error
        if told.get("error"):
            raise FailedError(200, told["error"])
        model = told["model"]
        if not all(isinstance(model[name], str) for name in ("engine", "name", "lang")):
            raise FailedError(200, f"The model is told as {model}")
        return [each["text"] for each in told["choices"]]

    async def _within(self, seconds: float, asking: Coroutine[Any, Any, Result]) -> Result:
        """Return what comes in time by the clock; else hang up."""
        try:
            return await self.clock.within(seconds, asking)
        except TimeoutError as error:
            raise FailedError(0, str(error)) from error

    async def _json(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """Ask GitLab itself; raises FailedError for another status."""
        data = None if body is None else json.dumps(body)
        headers = {**self._headers, "Content-Type": "application/json"}
        async with self._session.request(
            method, self.url + path, data=data, headers=headers
        ) as answer:
            if answer.status != status:
                raise FailedError(answer.status, await answer.text())
            return await answer.json()
