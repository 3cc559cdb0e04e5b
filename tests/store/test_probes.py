"""Reports of probes: the last one of each deployment."""

from typing import Any

import msgspec
import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.secret import Secret
from inhouse.errors import NotFoundError
from inhouse.store import Probe, Registry

QWEN = Deployment(name="qwen", family="qwen-coder", identifier="x/qwen", endpoint="http://a/v1")
REPORT = {"completion": {"support": "full", "reasons": ["ü"]}, "tokens_per_second": 41.5}


def changed(**fields: Any) -> Deployment:
    return msgspec.structs.replace(QWEN, **fields)


def test_the_last_report_is_found(registry: Registry) -> None:
    registry.put_deployment(QWEN, author="ada")
    registry.put_deployment(changed(name="other"), author="ada")
    assert registry.probes.find("qwen") is None

    registry.probes.save("qwen", 1.5, {"old": True})
    registry.probes.save("qwen", 2.5, REPORT)

    expected = Probe(deployment="qwen", at=2.5, report=REPORT)
    assert registry.probes.find("qwen") == expected
    assert registry.revision() == 2


def test_a_report_survives_what_does_not_matter_to_it(registry: Registry) -> None:
    registry.put_deployment(QWEN, author="ada")
    registry.probes.save("qwen", 1.5, REPORT)

    registry.put_deployment(changed(api_key=Secret("other"), max_concurrent=3), author="ada")

    assert registry.probes.find("qwen") == Probe(deployment="qwen", at=1.5, report=REPORT)


def test_a_report_goes_with_its_deployment(registry: Registry) -> None:
    registry.put_deployment(QWEN, author="ada")
    registry.probes.save("qwen", 1.5, REPORT)

    registry.remove_deployment("qwen", author="ada")
    assert registry.probes.find("qwen") is None
    with pytest.raises(NotFoundError, match="no deployment 'qwen'"):
        registry.probes.save("qwen", 2.5, REPORT)
    registry.put_deployment(QWEN, author="ada")
    assert registry.probes.find("qwen") is None
