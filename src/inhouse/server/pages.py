"""``GET /``: one plain page that says what runs here and how to connect; no assets, no scripts."""

from __future__ import annotations

import re
from html import escape
from string import Template

import inhouse
from inhouse.core.catalog import Catalog
from inhouse.core.feature import Feature
from inhouse.server.exchange import Exchange
from inhouse.server.operation import ADMIN
from inhouse.server.router import Endpoint

_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")

HEADERS = (
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)

_PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>inhouse $version</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto;
  padding: 0 1.25rem; }
h1 { font-size: 1.9rem; margin-bottom: 0; }
h1 small { font-size: 1rem; font-weight: normal; opacity: .65; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.3rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0;
  border-bottom: 1px solid #8884; }
th { font-weight: 600; }
pre { background: #8881; border: 1px solid #8883; border-radius: 6px; padding: .8rem 1rem;
  overflow-x: auto; }
code, pre { font-family: ui-monospace, monospace; font-size: .9rem; }
.off { opacity: .6; }
</style>
</head>
<body>
<h1>inhouse <small>$version</small></h1>
<p>This is your team's own AI gateway. It answers code completion, generation and chat from models
that your team hosts.</p>

<h2>What it serves</h2>
<table>
<tr><th>Ask for the model</th><th>and you get an answer from</th></tr>
$rows
</table>
<p>Each deployment can also be asked by its own name. <code>GET /v1/models</code> lists what your
key may use.</p>

<h2>Connect</h2>
<p>The base URL is <code>$base/v1</code>. Put your key where it says <code>KEY</code>; an
administrator makes keys with <code>inhouse keys create</code>.</p>
<h3>curl</h3>
<pre>$curl</pre>
<h3>VS Code, chat: <code>chatLanguageModels.json</code></h3>
<pre>$vscode</pre>
<h3>Neovim with minuet-ai.nvim, completion</h3>
<pre>$neovim</pre>

<h2>For programs and operators</h2>
<p><a href="/api/openapi.json">OpenAPI description</a> of the admin API ·
<a href="/health">health</a> · <a href="/ready">ready</a></p>
</body>
</html>
""")

_CURL = """\
curl $base/v1/completions \\
  -H "Authorization: Bearer KEY" -H "Content-Type: application/json" \\
  -d '{"model": "completion",
       "prompt": "def add(a, b):\\n    return ", "suffix": "\\n"}'"""

_VSCODE = """\
[{"name": "inhouse", "vendor": "customendpoint", "apiKey": "KEY",
  "apiType": "chat-completions",
  "models": [{"id": "chat", "name": "Team chat",
    "url": "$base/v1/chat/completions",
    "toolCalling": true, "vision": false,
    "maxInputTokens": 32000, "maxOutputTokens": 4000}]}]"""

_NEOVIM = """\
-- export INHOUSE_API_KEY=KEY
require('minuet').setup {
  provider = 'openai_fim_compatible',
  n_completions = 1,
  provider_options = { openai_fim_compatible = {
    name = 'inhouse', api_key = 'INHOUSE_API_KEY', model = 'completion',
    end_point = '$base/v1/completions', stream = true,
  } },
}"""


async def index(exchange: Exchange) -> None:
    """Show the page; it names deployments and families, and neither endpoints nor keys."""
    page = render(exchange.gateway.catalog, base_url(exchange))
    await exchange.answer(page.encode(), kind=b"text/html; charset=utf-8", headers=HEADERS)


def render(catalog: Catalog, base: str) -> str:
    """Return the page as HTML."""
    return _PAGE.substitute(
        version=escape(inhouse.__version__),
        base=escape(base),
        rows="\n".join(_row(catalog, feature) for feature in Feature),
        curl=_snippet(_CURL, base),
        vscode=_snippet(_VSCODE, base),
        neovim=_snippet(_NEOVIM, base),
    )


def base_url(exchange: Exchange) -> str:
    """Return the URL under which the caller reaches us, as far as its headers are to be believed.

    A proxy in front that ends TLS says so in ``X-Forwarded-Proto``.
    """
    server = exchange.gateway.config.server
    host = exchange.headers.get(b"host", b"").decode("latin-1")
    if _HOST.fullmatch(host) is None:
        host = f"{server.host}:{server.port}"
    secure = exchange.headers.get(b"x-forwarded-proto", b"") == b"https"
    return f"{'https' if secure else 'http'}://{host}"


def _row(catalog: Catalog, feature: Feature) -> str:
    return f"<tr><td><code>{feature}</code></td><td>{_serving(catalog, feature)}</td></tr>"


def _serving(catalog: Catalog, feature: Feature) -> str:
    route = catalog.route(feature)
    if route is None or (not route.disabled and not route.deployments):
        return '<span class="off">nothing yet</span>'
    if route.disabled:
        return '<span class="off">switched off</span>'
    if route.feature is not feature:
        return f"the same as <code>{route.feature}</code>"
    weights = route.weights or (1,) * len(route.deployments)
    shares: list[str] = []
    backups: list[str] = []
    for name, weight in zip(route.deployments, weights, strict=True):
        family = escape(catalog.deployments[name].family)
        shown = f"{escape(name)} <small>({family})</small>"
        (shares if weight else backups).append(shown)
    if not route.weights:
        return ", then ".join(shares)
    return ", then ".join([" or ".join(shares), *backups])


def _snippet(text: str, base: str) -> str:
    return escape(text.replace("$base", base), quote=False)


ENDPOINTS = (Endpoint(method="GET", path="/", handle=index, dialect=ADMIN, recorded=False),)
