"""What a deployment at Bedrock may set."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from inhouse.providers.connecting import HttpOptions

_Profile = Annotated[str, Meta(max_length=256)]


class Options(HttpOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``[deployments.options]`` may hold for ``bedrock``.

    `region` is where requests go, unless the identifier's ARN or the endpoint tells. `profile` is
    one of AWS's own configuration files; `role_arn` a role to assume, with `role_session_name` and
    `external_id`. `fips` asks the region's FIPS endpoint. A guardrail needs `guardrail_id` and
    `guardrail_version`. `model_fields` go to the model as they are
    (``additionalModelRequestFields``). `raw_prompts` says how a model whose name does not tell it
    takes raw prompts, or that it takes ``none``.
    """

    region: str | None = None
    profile: _Profile = ""
    role_arn: Annotated[str, Meta(max_length=2048)] = ""
    role_session_name: Annotated[str, Meta(pattern=r"^[\w+=,.@-]{2,64}$")] = "inhouse"
    external_id: Annotated[str, Meta(max_length=1224)] = ""
    fips: bool = False
    guardrail_id: Annotated[str, Meta(max_length=2048)] = ""
    guardrail_version: Annotated[str, Meta(pattern=r"^(|[1-9][0-9]{0,7}|DRAFT)$")] = ""
    model_fields: dict[str, Any] = field(default_factory=dict[str, Any])
    raw_prompts: Literal["mistral", "llama", "openai", "none"] | None = None
