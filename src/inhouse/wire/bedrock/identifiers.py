"""Names of models at Bedrock: model ids, inference profiles, ARNs.

``[GEOGRAPHY.]VENDOR.MODEL[:VERSION]``, or
``arn:aws:bedrock:REGION:ACCOUNT:KIND/NAME``, where foundation models belong to no account.
"""

from __future__ import annotations

import re

from msgspec import Struct

_GEOGRAPHIES = ("us-gov", "us", "eu", "apac", "jp", "au", "ca", "global")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*\Z")
_ARN = re.compile(
    r"arn:(aws[a-z-]*):(bedrock|sagemaker):([a-z0-9-]{1,20}):([0-9]{12})?:([a-z-]+)/(\S+)\Z"
)
REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]+\Z")
"""What a region looks like."""


class Model(Struct, frozen=True, kw_only=True):
    """A model as an identifier names it; `region` and `account` are empty but for ARNs.

    `base` is the foundation model's own id, empty where the name does not tell it.
    """

    name: str
    base: str = ""
    region: str = ""
    account: str = ""

    @property
    def vendor(self) -> str:
        """Who made the model: ``anthropic``, ``mistral``, ``meta`` …; empty where untold."""
        return self.base.partition(".")[0]


def read_model(name: str) -> Model:
    """Return what a model's name tells.

    Raises:
        ValueError: it cannot be one; the message says how one looks.

    """
    if not name:
        raise ValueError("it names no model; write it as bedrock/MODEL-ID")
    if not name.startswith("arn:"):
        if not _ID.match(name):
            raise ValueError("a model id has letters, digits and . - : only")
        return Model(name=name, base=_base(name))
    found = _ARN.match(name)
    if found is None:
        raise ValueError(
            "the ARN is not of a model; such a one reads"
            " arn:aws:bedrock:REGION:ACCOUNT:inference-profile/ID, with 12 digits as account"
        )
    _, _, region, account, kind, resource = found.groups()
    told = kind in {"foundation-model", "inference-profile"}
    return Model(
        name=name,
        base=_base(resource) if told else "",
        region=region,
        account=account or "",
    )


def profile(model: Model, region: str) -> str:
    """Return the id of the inference profile through which a region likely offers a model."""
    geography = region.partition("-")[0]
    if region.startswith("us-gov-"):
        geography = "us-gov"
    elif geography == "ap":
        geography = "apac"
    elif geography not in _GEOGRAPHIES:
        geography = "global"
    return f"{geography}.{model.base or model.name}"


def _base(name: str) -> str:
    for geography in _GEOGRAPHIES:
        if name.startswith(f"{geography}."):
            return name.removeprefix(f"{geography}.")
    return name
