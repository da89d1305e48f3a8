"""Download one object from S3, or from what speaks its protocol."""

from typing import TYPE_CHECKING

from obstore.store import S3Store

from slipway_runtime.artifact.errand import Errand
from slipway_runtime.artifact.object_store import (
    client_options,
    download_object,
    read_endpoint,
    retry_config,
)
from slipway_runtime.artifact.sink import FileSink

if TYPE_CHECKING:
    from obstore.store import S3Config

KEYS = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"
_DEFAULT_REGION = "us-east-1"


def download_s3(errand: Errand, sink: FileSink) -> None:
    """Stream the object `s3://BUCKET/KEY` into the sink.

    Endpoint and region of the spec win over the Secret's `AWS_ENDPOINT_URL` and `AWS_REGION`;
    without `AWS_ACCESS_KEY_ID` the bucket is read without credentials.

    Raises:
        BuildError: as `download_object`.
    """
    endpoint = read_endpoint(errand, "AWS_ENDPOINT_URL")
    config: S3Config = {
        "bucket": errand.uri.host,
        "region": errand.access.region or errand.key("AWS_REGION") or _DEFAULT_REGION,
    }
    if endpoint is not None:
        config["endpoint"] = endpoint
    if key_id := errand.key("AWS_ACCESS_KEY_ID"):
        config["access_key_id"] = key_id
        secret = errand.key("AWS_SECRET_ACCESS_KEY")
        if secret is None:
            raise errand.unusable("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY is not beside it")
        config["secret_access_key"] = secret
        if token := errand.key("AWS_SESSION_TOKEN"):
            config["session_token"] = token
    else:
        config["skip_signature"] = True  # a public bucket; never ask the machine for credentials

    def _store() -> S3Store:
        return S3Store(
            config=config,
            client_options=client_options(errand, endpoint),
            retry_config=retry_config(),
        )

    download_object(errand, sink, _store, keys=KEYS)
