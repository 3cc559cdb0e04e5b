"""A fake Microsoft Entra ID, and the places where machines of Azure get tokens.

It issues ``token-1``, ``token-2`` … and knows which of them are good. Shapes follow Microsoft's
documentation of the client-credentials flow, of the metadata service, of App Service and of Arc.
"""

import json
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.http import Exchange, Handler, Server

TENANT, CLIENT, SECRET = "our-directory.example", "inhouse-app", "hush-client-secret"
SCOPE = "https://cognitiveservices.azure.com/.default"
IDENTITY_HEADER = "shown-by-app-service"


class FakeEntra(Server):
    """Issues tokens that live `lifetime` seconds, as it says; `good` holds those that hold.

    The next requests go to `faults` while there are any. `identities` are the client ids of managed
    identities, of which "" is the machine's own. With `arc` a machine must show that key.
    """

    def __init__(self, lifetime: float = 3600, arc: Path | None = None) -> None:
        super().__init__(self.route)
        self.lifetime = lifetime
        self.arc = arc
        self.issued = 0
        self.good: set[str] = set()
        self.assertions = {"pod-token"}
        self.identities = {""}
        self.faults: deque[Handler] = deque()

    def revoke(self) -> None:
        """Let no token hold that was issued so far."""
        self.good.clear()

    @property
    def workload(self) -> dict[str, str]:
        """The environment of a pod, less the token's file."""
        return {
            "AZURE_AUTHORITY_HOST": self.url + "/",
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
        }

    @property
    def app_service(self) -> dict[str, str]:
        return {
            "IDENTITY_ENDPOINT": f"{self.url}/msi/token",
            "IDENTITY_HEADER": IDENTITY_HEADER,
        }

    async def route(self, exchange: Exchange) -> None:
        """Answer one request."""
        path = urlsplit(exchange.request.target).path
        if self.faults:
            await self.faults.popleft()(exchange)
        elif path.endswith("/oauth2/v2.0/token"):
            await self._login(exchange, path.split("/")[1])
        elif path == "/metadata/identity/oauth2/token":
            await self._machine(exchange, exchange.request.headers.get("metadata") == "true")
        elif path == "/msi/token":
            shown = exchange.request.headers.get("x-identity-header")
            await self._machine(exchange, shown == IDENTITY_HEADER)
        else:
            await exchange.answer(404, b"<html>Not here</html>", "text/html")

    async def _login(self, exchange: Exchange, tenant: str) -> None:
        form = {name: found[0] for name, found in parse_qs(exchange.request.body.decode()).items()}
        kind = exchange.request.headers.get("content-type")
        assert (exchange.request.method, kind) == ("POST", "application/x-www-form-urlencoded")
        assert form["grant_type"] == "client_credentials"
        if tenant != TENANT:
            await _refuse(exchange, 400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        elif form["client_id"] != CLIENT:
            await _refuse(exchange, 400, "unauthorized_client", 700016, "Application not found.")
        elif form["scope"] != SCOPE:
            await _refuse(exchange, 400, "invalid_resource", 500011, "The resource was not found.")
        elif "client_assertion" in form:
            jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            assert form["client_assertion_type"] == jwt
            if form["client_assertion"] in self.assertions:
                await self._issue(exchange)
            else:
                said = "No matching federated identity record found."
                await _refuse(exchange, 401, "invalid_client", 700213, said)
        elif form["client_secret"] == "expired":
            said = "The provided client secret keys are expired."
            await _refuse(exchange, 401, "invalid_client", 7000222, said)
        elif form["client_secret"] != SECRET:
            said = f"Invalid client secret provided: {form['client_secret']}."
            await _refuse(exchange, 401, "invalid_client", 7000215, said)
        else:
            await self._issue(exchange)

    async def _machine(self, exchange: Exchange, shown: bool) -> None:
        query = parse_qs(urlsplit(exchange.request.target).query)
        assert exchange.request.method == "GET"
        assert query["resource"] == ["https://cognitiveservices.azure.com"]
        version = query["api-version"][0]
        if not shown:
            await _answer(exchange, 400, {"error": "invalid_request"})
        elif self.arc is not None and "authorization" not in exchange.request.headers:
            realm = f"www-authenticate: Basic realm={self.arc}\r\n"
            await exchange.send(f"HTTP/1.1 401 X\r\n{realm}content-length: 0\r\n\r\n".encode())
        elif self.arc is not None and exchange.request.headers["authorization"] != (
            f"Basic {self.arc.read_text()}"
        ):
            await _answer(exchange, 403, {"error": "forbidden"})
        elif query.get("client_id", [""])[0] not in self.identities:
            said = {"error": "invalid_request", "error_description": "Identity not found"}
            await _answer(exchange, 400, said)
        else:
            await self._issue(exchange, ends=version == "2019-08-01")

    async def _issue(self, exchange: Exchange, *, ends: bool = False) -> None:
        self.issued += 1
        token = f"token-{self.issued}"
        self.good.add(token)
        # The metadata service writes numbers as strings, and App Service only when a token ends.
        when: dict[str, Any] = {"expires_in": str(self.lifetime)}
        if ends:
            when = {"expires_on": str(int(time.time() + self.lifetime))}
        await _answer(exchange, 200, {"token_type": "Bearer", "access_token": token} | when)


async def _refuse(exchange: Exchange, status: int, error: str, code: int, said: str) -> None:
    description = f"AADSTS{code}: {said} Trace ID: 0-1 Correlation ID: 2-3"
    body = {"error": error, "error_description": description, "error_codes": [code]}
    await _answer(exchange, status, body)


async def _answer(exchange: Exchange, status: int, body: dict[str, Any]) -> None:
    await exchange.answer(status, json.dumps(body).encode())
