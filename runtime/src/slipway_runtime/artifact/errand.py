"""One file to fetch: from where, with whose keys, within which limits; and how failure is told."""

from collections.abc import Mapping
from dataclasses import dataclass

from slipway_runtime.artifact.addresses import AllowList
from slipway_runtime.artifact.egress import EgressProxy
from slipway_runtime.artifact.sink import FetchDeadline
from slipway_runtime.artifact.uri import SourceUri
from slipway_runtime.build_request import Access
from slipway_runtime.errors import BuildError


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What every way of fetching is told.

    Attributes:
        what: the field and the address, for messages; without credentials.
        role: `model` or `samples`: which of the two files this is.
        not_found: the reason for a file that is not there (`ModelNotFound`, `SamplesInvalid`).
        access: endpoint and region of the spec, and the Secret's name.
        secrets: the Secret's keys.
        proxy: the only way out.
        allowed: the administrator's exceptions.
        doing: what is tried, for messages.
    """

    uri: SourceUri
    what: str
    role: str
    not_found: str
    access: Access
    secrets: Mapping[str, str]
    proxy: EgressProxy
    allowed: AllowList
    deadline: FetchDeadline
    doing: str = "fetch"

    @property
    def secret_name(self) -> str:
        """How the Secret is called in messages."""
        name = self.access.secret
        return f'Secret "{name}"' if name else "spec.model.access.secretRef"

    def key(self, *names: str) -> str | None:
        """The first of these keys that the Secret has, as one line; None when it has none.

        Raises:
            BuildError: `ModelAccessDenied`, naming the key, when the value cannot be a credential.
        """
        for name in names:
            value = self.secrets.get(name, "")
            if value and not value.isprintable():
                raise self.unusable(name, "it holds line ends or control characters")
            if value:
                return value
        return None

    def missing(self, why: str) -> BuildError:
        """The source says that there is no such file; it may be uploaded later."""
        return BuildError(self.not_found, f"Cannot find {self.what}: {why}.", retryable=True)

    def too_late(self) -> BuildError:
        """The source was silent for too long, or the time is over."""
        return self.deadline.error(self.what, doing=self.doing)

    def raise_refusal(self) -> None:
        """Raise why the proxy refused a destination, if it did.

        Raises:
            BuildError: `URIForbidden` or `SourceUnavailable`.
        """
        refusal, self.proxy.refusal = self.proxy.refusal, None
        if refusal is not None:
            raise BuildError(
                refusal.reason,
                f"Cannot {self.doing} {self.what}: {refusal.message}",
                retryable=refusal.retryable,
            )

    def denied(self, keys: str, *, code: str = "") -> BuildError:
        """The source refused: the keys are wrong, too weak, or were not given."""
        said = f" ({code})" if code else ""
        if self.access.secret:
            why = f"the store refused{said} the credentials in {self.secret_name} ({keys}); "
            return self._no_access(f"{why}check them and their rights.")
        why = f"the store wants credentials{said}; "
        return self._no_access(f"{why}name a Secret with {keys} in spec.model.access.secretRef.")

    def unusable(self, key: str, why: str) -> BuildError:
        """A key of the Secret cannot be used at all; its value is not shown."""
        return self._no_access(f"key {key} of {self.secret_name} cannot be used: {why}.")

    def unavailable(self, why: str, *, retryable: bool = True) -> BuildError:
        """The source could not be reached, or failed."""
        return BuildError(
            "SourceUnavailable", f"Cannot {self.doing} {self.what}: {why}.", retryable=retryable
        )

    def forbidden(self, why: str) -> BuildError:
        """The address, or one that it leads to, must not be used."""
        return BuildError("URIForbidden", f"Cannot {self.doing} {self.what}: {why}.")

    def unreadable(self, why: str) -> BuildError:
        """What is there is not one file."""
        return BuildError("ModelUnreadable", f"Cannot use {self.what}: {why}.")

    def _no_access(self, why: str) -> BuildError:
        # Tried again: a Secret that is put right heals without an edit of the model.
        return BuildError(
            "ModelAccessDenied", f"Cannot {self.doing} {self.what}: {why}", retryable=True
        )
