"""The command `slipway-operator`."""

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from slipway_operator.edges.config import ConfigInvalid, OperatorConfig, read_config
from slipway_operator.handlers.process import OperatorProcess

PORT, METRICS_PORT = 8081, 9090


def main() -> int:
    """Parse the command line and run; 2 where the configuration is wrong."""
    parser = argparse.ArgumentParser(
        prog="slipway-operator", description="Keeps every ModelDeployment of a cluster."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="watch, build, serve, until told to stop")
    run.add_argument("--config", type=Path, default=Path("/etc/slipway/config.yaml"))
    run.add_argument("--kubeconfig", type=Path, help="outside a cluster: how to reach one")
    run.add_argument("--port", type=int, default=PORT, help="of /livez and /readyz")
    run.add_argument("--metrics-port", type=int, default=METRICS_PORT, help="of /metrics")
    words = parser.parse_args()
    try:
        config = read_config(words.config)
    except ConfigInvalid as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    logging.basicConfig(
        level=config.log_level,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for name in ("kopf", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if words.kubeconfig is not None:
        os.environ["KUBECONFIG"] = str(words.kubeconfig)  # where Kopf looks for it
    return asyncio.run(
        _run(config=config, kubeconfig=words.kubeconfig, ports=(words.port, words.metrics_port))
    )


async def _run(*, config: OperatorConfig, kubeconfig: Path | None, ports: tuple[int, int]) -> int:
    process = OperatorProcess(
        config=config,
        kubeconfig=kubeconfig,
        port=ports[0],
        metrics_port=ports[1],
    )
    return await process.run()
