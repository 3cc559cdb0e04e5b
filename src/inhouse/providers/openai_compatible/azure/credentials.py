"""Which way to authenticate a deployment means, and whether it says all that this takes."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.providers.connecting import Connecting, fault
from inhouse.providers.openai_compatible.azure.bearer import Bearer
from inhouse.providers.openai_compatible.azure.issuer import Issuer
from inhouse.providers.openai_compatible.azure.login import Login, federated, secret
from inhouse.providers.openai_compatible.azure.managed import Managed, source
from inhouse.providers.openai_compatible.azure.options import Auth, AzureOptions
from inhouse.providers.openai_compatible.site import Authorization, Key
from inhouse.transport import Transport

_CLOUDS = {
    ".us": ("https://login.microsoftonline.us", "https://cognitiveservices.azure.us"),
    ".cn": ("https://login.chinacloudapi.cn", "https://cognitiveservices.azure.cn"),
}
_PUBLIC = ("https://login.microsoftonline.com", "https://cognitiveservices.azure.com")
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class Applicant(Struct, frozen=True, kw_only=True):
    """A deployment that wants to be let in; `host` is its endpoint's, which tells the cloud."""

    deployment: Deployment
    options: AzureOptions
    context: ProviderContext
    transport: Transport
    host: str

    def authorization(self, connecting: Connecting) -> Authorization:
        """Return how the deployment authenticates; raises `ConfigError`, which names the field."""
        match self._way():
            case Auth.KEY:
                key = self._needed("api_key", self.deployment.api_key.reveal())
                return Key(connecting.secret_header(self.options.key_header, key))
            case Auth.CLIENT_SECRET:
                self._needed("api_key", self.deployment.api_key.reveal())
                return Bearer(self._application())
            case Auth.WORKLOAD_IDENTITY:
                return Bearer(self._pod())
            case Auth.MANAGED_IDENTITY:
                return Bearer(self._machine())

    def _way(self) -> Auth:
        """Return the way that is asked for, else the one that fits what is given."""
        key, found = bool(self.deployment.api_key), self.options.auth
        if key and found in {Auth.MANAGED_IDENTITY, Auth.WORKLOAD_IDENTITY}:
            what = f"it is of no use with auth={found}; leave one of them out"
            raise fault(self.deployment, "api_key", what)
        if found is not None:
            return found
        if key:
            applies = self.options.tenant_id or self.options.client_id
            return Auth.CLIENT_SECRET if applies else Auth.KEY
        if self._told("AZURE_FEDERATED_TOKEN_FILE", self.options.federated_token_file):
            return Auth.WORKLOAD_IDENTITY
        if self._told("IDENTITY_ENDPOINT"):
            return Auth.MANAGED_IDENTITY
        raise fault(
            self.deployment,
            "api_key",
            "it is missing; set a key of the resource, or the option auth=managed_identity or"
            " auth=workload_identity",
        )

    def _application(self) -> Login:
        tenant, client = self.options.tenant_id, self.options.client_id
        url, issuer, scope = self._login(tenant)
        client = self._needed("options.client_id", client)
        proof = secret(self.deployment.api_key)
        return Login(issuer, url=url, client_id=client, scope=scope, proof=proof)

    def _pod(self) -> Login:
        options = self.options
        url, issuer, scope = self._login(self._told("AZURE_TENANT_ID", options.tenant_id))
        client = self._needed("options.client_id", self._told("AZURE_CLIENT_ID", options.client_id))
        file = self._told("AZURE_FEDERATED_TOKEN_FILE", options.federated_token_file)
        proof = federated(self.deployment, self._needed("options.federated_token_file", file))
        return Login(issuer, url=url, client_id=client, scope=scope, proof=proof)

    def _machine(self) -> Managed:
        found = source(self.context.environment)
        issuer = self._issuer("IDENTITY_ENDPOINT", found.url, found.headers, direct=True)
        resource = self._scope().removesuffix("/.default")
        return Managed(issuer, found, resource, self.options.client_id)

    def _login(self, tenant: str) -> tuple[str, Issuer, str]:
        """Return where applications of a directory get tokens, who issues them, and for what."""
        told = self._told("AZURE_AUTHORITY_HOST", self.options.authority_host) or self._cloud()[0]
        base = (told if "://" in told else f"https://{told}").rstrip("/")
        issuer = self._issuer("options.authority_host", base, _FORM)
        tenant = self._needed("options.tenant_id", tenant)
        return f"{base}/{tenant}/oauth2/v2.0/token", issuer, self._scope()

    def _issuer(
        self, name: str, base: str, headers: dict[str, str], *, direct: bool = False
    ) -> Issuer:
        if urlsplit(base).scheme not in {"http", "https"} or not urlsplit(base).hostname:
            raise fault(self.deployment, name, "it is no URL with https:// and a host")
        return Issuer(
            self.deployment,
            self.options,
            self.context,
            self.transport,
            base,
            headers,
            direct=direct,
        )

    def _scope(self) -> str:
        return self.options.scope or f"{self._cloud()[1]}/.default"

    def _cloud(self) -> tuple[str, str]:
        """Return who issues tokens in the endpoint's cloud, and for what."""
        return _CLOUDS.get(self.host[-3:], _PUBLIC)

    def _told(self, variable: str, option: str = "") -> str:
        return option or self.context.environment.get(variable, "")

    def _needed(self, name: str, value: str) -> str:
        if not value:
            raise fault(self.deployment, name, "it is missing for this way to authenticate")
        return value
