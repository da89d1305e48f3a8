"""`slipway-runtime fetch`: the model and its samples, onto disk, by digest."""

from slipway_runtime.artifact.fetch import Fetcher, read_secrets
from slipway_runtime.report import Report, report_done
from slipway_runtime.settings import StepSettings


def fetch(settings: StepSettings) -> Report:
    """Fetch into `work/fetched`.

    Raises:
        BuildError, OSError: as `Fetcher.fetch`.
    """
    secrets = read_secrets(settings.secrets_dir)
    fetcher = Fetcher(settings.build, secrets=secrets, allowed=settings.allowed)
    return report_done("fetch", ("Fetched",), fetcher.fetch(settings.work))
