"""`slipway-runtime fetch`: the model and its samples, onto disk, by digest; its environment."""

import msgspec

from slipway_runtime.artifact.fetch import Fetcher, read_secrets
from slipway_runtime.environment.prepare import prepare_environment
from slipway_runtime.report import Report, report_done
from slipway_runtime.settings import StepSettings


def fetch(settings: StepSettings) -> Report:
    """Fetch into `work/fetched`.

    Raises:
        BuildError, OSError: as `Fetcher.fetch` and `prepare_environment`.
    """
    secrets = read_secrets(settings.secrets_dir)
    fetcher = Fetcher(settings.build, secrets=secrets, allowed=settings.allowed)
    facts = fetcher.fetch(settings.work)
    environment = prepare_environment(settings.build, settings.work, folder=settings.environments)
    facts["environment"] = msgspec.to_builtins(environment)
    return report_done("fetch", ("Fetched",), facts)
