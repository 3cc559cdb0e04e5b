"""The variables that a container of GitLab's own gateway is started with, and what each means here.

Names: GitLab's documentation of the gateway and its settings. ``*`` at an end stands for a group.
"""

from __future__ import annotations

from msgspec import Struct

PREFIX = "AIGW_"


class Known(Struct, frozen=True):
    """Variables of one meaning, and what that is here."""

    names: tuple[str, ...]
    help: str

    def of(self, name: str) -> bool:
        """Tell whether the variable `name` is one of these."""
        return any(
            name.startswith(each[:-1]) if each.endswith("*") else name == each
            for each in self.names
        )


MAPPED = (
    Known(
        ("AIGW_GITLAB_URL",),
        "An entry of `[[gitlab.instances]]`; one of the same `url` in the file keeps its other"
        " keys.",
    ),
    Known(
        ("AIGW_GITLAB_API_URL",),
        "Tells GitLab's URL where `AIGW_GITLAB_URL` does not; GitLab's API is never asked.",
    ),
    Known(
        ("AIGW_CUSTOMER_PORTAL_URL",),
        "A further entry of `[[gitlab.instances]]`, unless it is GitLab's own URL. Unset, nobody"
        " outside of your network is asked.",
    ),
    Known(("AIGW_CLOUD_CONNECTOR_SERVICE_NAME",), "`audience` in `[gitlab]`."),
    Known(
        ("AIGW_SELF_SIGNED_JWT__SIGNING_KEY",),
        "`signing_key` in `[gitlab]`; its line ends may be written as `\\n`.",
    ),
    Known(("AIGW_SELF_SIGNED_JWT__VALIDATION_KEY",), "`validation_key` in `[gitlab]`, likewise."),
    Known(
        ("AIGW_CUSTOM_MODELS__ENABLED",),
        "`models` in `[gitlab]`: `true` is `request` where endpoints are allowed"
        " (`INHOUSE_GITLAB_ALLOWED_ENDPOINTS`), `false` is `registry`.",
    ),
    Known(("AIGW_FASTAPI__API_HOST",), "`host` in `[server]`."),
    Known(("AIGW_FASTAPI__API_PORT",), "`port` in `[server]`."),
    Known(("AIGW_FASTAPI__METRICS_HOST",), "`host` in `[metrics]`."),
    Known(("AIGW_FASTAPI__METRICS_PORT",), "`port` in `[metrics]`."),
    Known(("AIGW_LOGGING__LEVEL",), "`level` in `[log]`."),
    Known(
        ("AIGW_LOGGING__FORMAT_JSON",),
        "`format` in `[log]`: `true` is `json`, `false` is `console`.",
    ),
    Known(("AIGW_LOGGING__TO_FILE",), "`file` in `[log]`."),
    Known(
        ("AIGW_DUO_CHAT__MODEL_REQUEST_TIMEOUT",),
        "`chat_first_token_timeout` in `[settings]`, as if it were declared there.",
    ),
    Known(("AWS_REGION_NAME",), "As `AWS_REGION`, where that is not set."),
    Known(
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_BEARER_TOKEN_BEDROCK"),
        "Read for Bedrock, as they are.",
    ),
    Known(
        ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
        "Both are trusted, beside the system's authorities, whoever is asked.",
    ),
    Known(("HF_HUB_OFFLINE",), "Nothing is ever downloaded."),
)
"""Those that are understood."""

TOLD = (
    Known(
        (
            "AIGW_AUTH__BYPASS_EXTERNAL",
            "AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER",
            "AIGW_AUTH__BYPASS_JWT_SIGNATURE",
        ),
        "Authentication cannot be switched off. `inhouse doctor --gitlab` finds what is wrong while"
        " it is on.",
    ),
    Known(
        ("AIGW_CUSTOM_MODELS__DISABLE_STREAMING",),
        "Answers are streamed wherever the caller wants a stream; there is no switch.",
    ),
    Known(
        ("AIGW_CUSTOM_MODELS__EXTRA_HEADERS",),
        "Set `headers` in the options of a deployment.",
    ),
    Known(
        ("AIGW_FASTAPI__DOCS_URL", "AIGW_FASTAPI__OPENAPI_URL", "AIGW_FASTAPI__REDOC_URL"),
        "`/api/openapi.json` describes the admin API.",
    ),
    Known(
        ("AIGW_FASTAPI__TLS__*",),
        "inhouse speaks plain HTTP: put a TLS proxy in front of it.",
    ),
    Known(
        ("AIGW_MTLS__*",),
        "Set `client_cert_file`, `client_key_file` and `ca_file` in the options of a deployment.",
    ),
    Known(
        ("AIGW_LOGGING__ENABLE_REQUEST_LOGGING", "AIGW_LOGGING__ENABLE_LITELLM_LOGGING"),
        "The text of requests and answers is never logged; `inhouse traces list` shows the rest.",
    ),
    Known(
        ("AIGW_DUO_CHAT__MAX_TOKENS",),
        "There is no such limit; a team's or a key's limits count tokens a minute.",
    ),
    Known(
        ("AIGW_MODEL_SELECTION__*",),
        "`inhouse routes set` decides which deployments serve a feature.",
    ),
    Known(
        ("AIGW_MODEL_ENGINE_LIMITS",),
        "Set `max_concurrent` of a deployment: a limit that holds.",
    ),
    Known(
        ("AIGW_LITELLM__MODEL_METADATA_FILE",),
        "`inhouse deployments probe` measures what a model can do.",
    ),
    Known(
        ("AIGW_BEDROCK_GUARDRAIL_CONFIG", "AIGW_BEDROCK_GUARDRAIL_CONFIG_JSON"),
        "Set `guardrail_id` and `guardrail_version` in the options of a deployment.",
    ),
    Known(("AIGW_FEATURE_FLAGS__*",), "There are no feature flags."),
    Known(("AIGW_ENVIRONMENT",), "Nothing depends on it."),
    Known(
        ("AIGW_MOCK_MODEL_RESPONSES",),
        "Register a deployment with an identifier such as `scripted/toy`.",
    ),
    Known(
        (
            "AIGW_SNOWPLOW__*",
            "AIGW_INTERNAL_EVENT__*",
            "AIGW_BILLING_EVENT__*",
            "AIGW_AUDIT_EVENT__*",
        ),
        "No events are sent to anybody.",
    ),
    Known(("AIGW_PROXY_ENDPOINTS__*",), "`/v1/proxy/…` is not served."),
    Known(("AIGW_CUSTOMERSDOT__*",), "GitLab's cloud is not asked for quotas."),
    Known(
        ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "BEDROCK_MANTLE_API_KEY"),
        'Keys belong to deployments: write `api_key = "env:NAME"`, with the name of the variable.',
    ),
    Known(
        ("AWS_BEDROCK_RUNTIME_ENDPOINT",),
        "Set `endpoint` of the deployment at Bedrock.",
    ),
    Known(("VERTEXAI_LOCATION",), "Vertex AI's own API is not spoken."),
    Known(
        ("WEB_CONCURRENCY",),
        "One process serves many requests at once; for more, start more of them on one PostgreSQL.",
    ),
    Known(
        ("DISABLE_AI_GATEWAY", "ENABLE_DUO_WORKFLOW_SERVICE", "DUO_WORKFLOW_*"),
        "The agent platform (gRPC) is not part of inhouse; the gateway is all that there is.",
    ),
)
"""Those that are not; where one is set, the start says what to do instead."""
