"""Download one blob from Azure Blob Storage."""

from dataclasses import replace
from typing import TYPE_CHECKING

from obstore.store import AzureStore

from slipway_runtime.artifact.errand import Errand
from slipway_runtime.artifact.object_store import (
    client_options,
    download_object,
    read_endpoint,
    retry_config,
)
from slipway_runtime.artifact.sink import FileSink
from slipway_runtime.errors import BuildError

if TYPE_CHECKING:
    from obstore.store import AzureConfig

KEYS = "AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN"
_CONNECTION = "AZURE_STORAGE_CONNECTION_STRING"
# The parts of a connection string, as the keys that say the same.
_PARTS = {
    "accountname": "AZURE_STORAGE_ACCOUNT",
    "accountkey": "AZURE_STORAGE_KEY",
    "sharedaccesssignature": "AZURE_STORAGE_SAS_TOKEN",
    "blobendpoint": "AZURE_STORAGE_ENDPOINT",
}


def download_az(errand: Errand, sink: FileSink) -> None:
    """Stream the blob `az://CONTAINER/PATH` into the sink.

    The storage account is the Secret's `AZURE_STORAGE_ACCOUNT` (or `…_ACCOUNT_NAME`), the
    credential its `AZURE_STORAGE_KEY` (or `…_ACCOUNT_KEY`) or `AZURE_STORAGE_SAS_TOKEN`;
    `AZURE_STORAGE_CONNECTION_STRING` says all of it at once. A container that is public needs the
    endpoint of the spec alone, `https://ACCOUNT.blob.core.windows.net`.

    Raises:
        BuildError: as `download_object`.
    """
    errand = _with_connection(errand)
    endpoint = read_endpoint(errand, "AZURE_STORAGE_ENDPOINT")
    account = errand.key("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME")
    if account is None and endpoint is None:
        raise BuildError(
            "ModelAccessDenied",
            f"Cannot fetch {errand.what}: nothing names the storage account; put "
            f"AZURE_STORAGE_ACCOUNT into {errand.secret_name}, or give spec.model.access.endpoint "
            "as https://ACCOUNT.blob.core.windows.net.",
            retryable=True,
        )
    config: AzureConfig = {
        "container_name": errand.uri.host,
        "account_name": account or "anonymous",  # not sent: the endpoint names the account
    }
    if endpoint is not None:
        config["endpoint"] = endpoint
    if key := errand.key("AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY"):
        config["account_key"] = key
    elif token := errand.key("AZURE_STORAGE_SAS_TOKEN"):
        config["sas_key"] = token
    else:
        config["skip_signature"] = True  # public; never ask the machine for credentials

    def _store() -> AzureStore:
        return AzureStore(
            config=config,
            client_options=client_options(errand, endpoint),
            retry_config=retry_config(),
        )

    download_object(errand, sink, _store, keys=KEYS)


def _with_connection(errand: Errand) -> Errand:
    """The errand with its connection string taken apart; a key of its own wins over a part."""
    text = errand.key(_CONNECTION)
    if text is None:
        return errand
    found = {}
    for part in filter(None, text.split(";")):
        name, sign, value = part.partition("=")
        if not sign:
            raise errand.unusable(_CONNECTION, "it is not NAME=VALUE;NAME=VALUE")
        if key := _PARTS.get(name.strip().lower()):
            found[key] = value
    return replace(errand, secrets={**found, **errand.secrets})
