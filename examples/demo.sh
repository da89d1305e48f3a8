#!/usr/bin/env bash
# `make demo`: train, serve behind a real Envoy, ask with real rows. In a folder of its own, so that
# it never touches the engine you may have. On a terminal it stays until Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")/.."

SLIPWAY_DATA=$(mktemp -d "${TMPDIR:-/tmp}/slipway-demo.XXXXXX")
export SLIPWAY_DATA
clean_up() {
  slipway down --purge >/dev/null 2>&1 || true
  rm -rf "$SLIPWAY_DATA"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }
[ -t 1 ] || say() { printf '\n$ %s\n' "$*"; "$@"; }

say python examples/train_all.py penguins
say slipway up -f manifests/samples/penguins.yaml --detach
say slipway predict penguins examples/penguins/rows.csv
say slipway get
url=$(slipway get penguins -o json | python -c 'import json, sys; print(json.load(sys.stdin)["status"]["url"])')
row='[{"island":"Dream","sex":"male","bill_length_mm":52.0,"bill_depth_mm":18.1,"flipper_length_mm":201,"body_mass_g":4050}]'
say curl -sS --fail "$url/predict" -H 'content-type: application/json' -d "$row"
echo

if [ -t 0 ] && [ -t 1 ]; then
  trap 'echo; echo "Stopping."; exit 0' INT
  printf '\nThe model answers at %s. In another terminal:\n' "$url"
  printf '  export SLIPWAY_DATA=%s PATH="%s:$PATH"\n' "$SLIPWAY_DATA" "$(dirname "$(command -v slipway)")"
  printf '  slipway describe penguins\nPress Ctrl-C to stop everything.\n'
  while :; do sleep 1; done
fi
