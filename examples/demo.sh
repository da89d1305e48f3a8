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
trap 'exit 130' INT TERM HUP

bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
show() { printf '\n%s$ %s%s\n' "$bold" "$1" "$plain"; }
run() { show "$*"; "$@" 2>&1; }

run python examples/train_all.py penguins
run slipway up -f manifests/samples/penguins.yaml --detach
run slipway predict penguins examples/penguins/rows.csv

url=$(slipway get penguins -o json | python -c 'import json, sys; print(json.load(sys.stdin)["status"]["url"])')
row='[{"island":"Dream","sex":"male","bill_length_mm":52.0,"bill_depth_mm":18.1,"flipper_length_mm":201,"body_mass_g":4050}]'
if command -v curl >/dev/null; then
  show "curl -i $url/predict -H 'content-type: application/json' -d '$row'"
  curl -sS -i --fail --noproxy '*' "$url/predict" -H 'content-type: application/json' -d "$row"
  echo
fi

if [ -t 0 ] && [ -t 1 ]; then
  trap 'echo; exit 0' INT
  printf '\nThe model answers at %s%s%s until you press Ctrl-C. In another terminal:\n' "$bold" "$url" "$plain"
  printf '  export SLIPWAY_DATA=%s PATH=%s:$PATH\n' "$SLIPWAY_DATA" "$PWD/.venv/bin"
  printf '  slipway get -w\n  slipway describe penguins\n'
  while :; do sleep 1; done
fi
