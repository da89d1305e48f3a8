"""`slipway version`."""

import importlib.metadata
import platform


def version() -> None:
    """Print the versions of Slipway, of the runtime beside it and of Python."""
    print(f"slipway {importlib.metadata.version('slipway-operator')}")
    try:
        print(f"runtime {importlib.metadata.version('slipway-runtime')}")
    except importlib.metadata.PackageNotFoundError:
        print("runtime not installed: `pip install 'slipway-runtime[sklearn]'` to build and serve")
    print(f"python {platform.python_version()} on {platform.system()} {platform.machine()}")
