"""Download one object from Google Cloud Storage."""

import json
from typing import TYPE_CHECKING

from obstore.store import GCSStore

from slipway_runtime.artifact.errand import Errand
from slipway_runtime.artifact.object_store import (
    client_options,
    download_object,
    read_endpoint,
    retry_config,
)
from slipway_runtime.artifact.sink import FileSink

if TYPE_CHECKING:
    from obstore.store import GCSConfig

KEY = "GOOGLE_APPLICATION_CREDENTIALS_JSON"
# Nothing else of the file is handed on: it may also name hosts.
_TAKEN = ("client_email", "private_key", "private_key_id")


def download_gs(errand: Errand, sink: FileSink) -> None:
    """Stream the object `gs://BUCKET/KEY` into the sink.

    The Secret's `GOOGLE_APPLICATION_CREDENTIALS_JSON` is a service account's key file, which signs
    its own tokens (RFC 7523, https://google.aip.dev/auth/4111); without it the bucket is read
    without credentials.

    Raises:
        BuildError: as `download_object`.
    """
    endpoint = read_endpoint(errand)
    config: GCSConfig = {"bucket": errand.uri.host}
    if endpoint is not None:
        config["base_url"] = endpoint
    account = _read_account(errand)
    if account is None:
        config["skip_signature"] = True  # a public bucket; never ask the machine for credentials
    else:
        config["service_account_key"] = account

    def _store() -> GCSStore:
        return GCSStore(
            config=config,
            client_options=client_options(errand, endpoint),
            retry_config=retry_config(),
        )

    download_object(errand, sink, _store, keys=KEY)


def _read_account(errand: Errand) -> str | None:
    text = errand.secrets.get(KEY, "").strip()
    if not text:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise errand.unusable(KEY, "it is not JSON") from error
    kind = found.get("type") if isinstance(found, dict) else None
    if kind != "service_account":
        raise errand.unusable(
            KEY, 'its "type" is not "service_account"; make a key of a service account'
        )
    lacking = [name for name in _TAKEN if not isinstance(found.get(name), str)]
    if lacking:
        raise errand.unusable(KEY, f"it lacks {', '.join(lacking)}")
    return json.dumps({name: found[name] for name in _TAKEN})
