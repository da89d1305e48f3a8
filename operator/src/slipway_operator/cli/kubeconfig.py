"""`slipway kubeconfig`: the file with which kubectl reaches the laptop engine."""

from slipway_operator.cli.options import Data


def kubeconfig(*, data: Data = None) -> None:
    """Print where kubectl finds this engine: `export KUBECONFIG=$(slipway kubeconfig)`."""
    from slipway_operator.cli.errors import CliError
    from slipway_operator.local.datafolder import DataFolder, resolve_data_folder
    from slipway_operator.local.launch import find_engine

    folder = DataFolder(root=resolve_data_folder(data))
    if find_engine(folder.root) is None:
        raise CliError(
            f'No engine is running on data folder "{folder.root}".',
            todo="Start it with `slipway up`.",
        )
    print(folder.kubeconfig)
