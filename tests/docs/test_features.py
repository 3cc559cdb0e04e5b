"""The table of features says all that there are, with GitLab's names for them."""

import re
from pathlib import Path

from inhouse.core.feature import Feature
from inhouse.wire.gitlab.features import settings_of

DOCS = Path(__file__).parents[2] / "docs"


def test_every_feature_is_in_the_table() -> None:
    part = (DOCS / "api.md").read_text().partition("\n## Features\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w.-]+)` \| ([^|]+) \| ?([^|]*) ?\|$", part, re.MULTILINE)

    assert [name for name, _, _ in rows] == [each.value for each in Feature]
    assert [names.strip() for _, _, names in rows] == [
        ", ".join(f"`{name}`" for name in settings_of(feature)) for feature in Feature
    ]
