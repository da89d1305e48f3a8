"""The command `slipway-operator`."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from slipway_operator.edges.config import ConfigInvalid, OperatorConfig, read_config
from slipway_operator.edges.kubernetes.tokens import KeyInvalid, Signer
from slipway_operator.handlers.check import find_faults, find_leftovers
from slipway_operator.handlers.process import OperatorProcess

PORT, METRICS_PORT = 8081, 9090
TERMINATION_LOG = Path("/dev/termination-log")


def main() -> int:
    """Parse the command line and run; 2 where the configuration is wrong."""
    words = _build_parser().parse_args()
    try:
        config = read_config(words.config)
        key = config.registry.signing_key_file if words.verb == "run" else None
        signer = None if key is None else Signer.read(Path(key))
    except (ConfigInvalid, KeyInvalid) as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    logging.basicConfig(
        level=config.log_level,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for chatty in ("kopf", "uvicorn", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # It warns of what is meant: in its thread Kopf has no signals.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    if words.verb == "run":
        return asyncio.run(_run(words, config=config, signer=signer))
    look = find_faults if words.verb == "check" else find_leftovers
    return _tell(asyncio.run(look(config, words.kubeconfig)))


def _tell(faults: list[str]) -> int:
    """A sentence a line, also where Kubernetes shows it: in the pod's status."""
    text = "".join(f"{fault}\n" for fault in faults)
    sys.stderr.write(text or "All is well.\n")
    if TERMINATION_LOG.exists():
        TERMINATION_LOG.write_text(text)
    return 1 if faults else 0


async def _run(words: argparse.Namespace, *, config: OperatorConfig, signer: Signer | None) -> int:
    process = OperatorProcess(
        config=config,
        kubeconfig=words.kubeconfig,
        ports=(words.port, words.metrics_port),
        is_standalone=words.standalone,
        signer=signer,
    )
    return await process.run()


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="slipway-operator", description="Keeps every ModelDeployment of a cluster."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="watch, build, serve, until told to stop")
    run.add_argument(
        "--standalone", action="store_true", help="lead at once, without a Lease: one replica only"
    )
    check = verbs.add_parser("check", help="tell what is wrong with this installation")
    leftovers = verbs.add_parser("leftovers", help="fail while there are models that it keeps")
    for verb in (run, check, leftovers):
        verb.add_argument("--config", type=Path, default=Path("/etc/slipway/config.yaml"))
        verb.add_argument("--kubeconfig", type=Path, help="outside a cluster: how to reach one")
    run.add_argument("--port", type=int, default=PORT, help="of /livez and /readyz")
    run.add_argument("--metrics-port", type=int, default=METRICS_PORT, help="of /metrics")
    return parser
