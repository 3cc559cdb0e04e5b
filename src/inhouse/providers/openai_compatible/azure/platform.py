"""The platform ``azure``: a deployment's place on it, from address, credentials and words."""

from __future__ import annotations

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.providers.connecting import Connecting, fault, read_options
from inhouse.providers.openai_compatible.azure import address
from inhouse.providers.openai_compatible.azure.credentials import Applicant
from inhouse.providers.openai_compatible.azure.options import AzureOptions
from inhouse.providers.openai_compatible.azure.words import advising
from inhouse.providers.openai_compatible.servers import UNKNOWN_TO_THE_CLOUDS
from inhouse.providers.openai_compatible.site import Key, Site
from inhouse.transport import Transport


def azure(deployment: Deployment, context: ProviderContext, transport: Transport) -> Site:
    """Settle a deployment on Azure; raises `ConfigError`, which names the field.

    Few models there complete text, so none is asked to unless its options say so.
    """
    options = read_options(deployment, AzureOptions)
    if not deployment.endpoint.strip():
        raise fault(
            deployment, "endpoint", "it is missing; write it as https://RESOURCE.openai.azure.com"
        )
    try:
        found = address.read(deployment.endpoint)
    except ValueError as error:
        raise fault(deployment, "endpoint", str(error)) from None
    connecting = Connecting(deployment, options, context, found.prefix)
    applicant = Applicant(
        deployment=deployment,
        options=options,
        context=context,
        transport=transport,
        host=found.host,
    )
    shown = applicant.authorization(connecting)
    return Site(
        connecting=connecting,
        options=options,
        routes=address.routes(found, deployment.model, options.api_version, deployment.endpoint),
        authorization=shown,
        habits=UNKNOWN_TO_THE_CLOUDS,
        takes_text=False,
        counts_tokens=False,
        whole_answers=options.whole_answers,
        names=address.deployments(found),
        advise=advising(keyed=isinstance(shown, Key)),
    )
