"""``python -m slipway_operator.local --data DIR``: the laptop engine as a process."""

import argparse
import asyncio
import logging
import logging.handlers
import sys

from slipway_operator.local.datafolder import DataFolder, resolve_data_folder
from slipway_operator.local.engine import Engine
from slipway_operator.local.errors import EngineRefused


def main() -> int:
    """Run the engine; 0 when it was stopped, 3 when it could not start (said in one sentence)."""
    parser = argparse.ArgumentParser(prog="python -m slipway_operator.local")
    parser.add_argument("--data", help="data folder (default: SLIPWAY_DATA, else the user's)")
    data = DataFolder(root=resolve_data_folder(parser.parse_args().data))
    try:
        asyncio.run(_serve(data))
    except EngineRefused as refused:
        print(refused, file=sys.stderr)  # noqa: T201  the one sentence that whoever started us reads
        return 3
    return 0


async def _serve(data: DataFolder) -> None:
    engine = Engine(data)
    handler = logging.handlers.RotatingFileHandler(data.log, maxBytes=5 * 2**20, backupCount=2)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)
    await engine.run()


if __name__ == "__main__":
    sys.exit(main())
