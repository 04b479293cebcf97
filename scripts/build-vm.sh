#!/bin/sh
# Makes the image that symphony's microVMs start from: Node, git and the agents, packed by smolvm.
#
#   scripts/build-vm.sh [--force]
#
# The result is .vm/symphony.smolmachine.smolmachine below the current folder, which WORKFLOW.md names as
# `smolvm.from`. What is there already and was made from the same recipe is kept; --force makes it anew.
set -eu

BASE=node:24-bookworm-slim
AGENTS="@agentclientprotocol/claude-agent-acp@0.101.0 @agentclientprotocol/codex-acp@2.6.0 opencode-ai@1.18.33"
COMMANDS="git rg claude-agent-acp codex-acp opencode"
OUT=.vm/symphony.smolmachine.smolmachine
RECIPE=.vm/symphony.recipe
# Its own for each build: what has another name belongs to somebody else.
BUILDER=symphony-image-builder-$$
BUILD=.vm/symphony-build-$$

say() { printf '%s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}

force=no
case "${1:-}" in
  "") ;;
  --force) force=yes ;;
  *)
    printf 'usage: scripts/build-vm.sh [--force]\n' >&2
    exit 2
    ;;
esac

command -v smolvm >/dev/null 2>&1 || fail "there is no smolvm on PATH" "install it first, then run this again"
version=$(smolvm --version | sed -n 's/[^0-9]*\([0-9][0-9]*\.[0-9][0-9]*\.[0-9][0-9]*\).*/\1/p' | head -n 1)
[ -n "$version" ] || fail "smolvm does not say its version"

recipe="$BASE $AGENTS $(uname -m)"
if [ "$force" = no ] && [ -s "$OUT" ] && [ -f "$RECIPE" ] && [ "$(cat "$RECIPE")" = "$recipe" ]; then
  say "$OUT is up to date"
  exit 0
fi

# Names became a flag in 1.0.2.
later() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)" = "$2" ]; }
if later "$version" 1.0.2; then name="--name $BUILDER"; else name="$BUILDER"; fi

# Deleting alone has been seen to leave the machine's process behind.
remove_builder() {
  smolvm machine stop --name "$BUILDER" >/dev/null 2>&1 || true
  # shellcheck disable=SC2086
  smolvm machine delete $name -f >/dev/null 2>&1 || true
}
machines=$(smolvm machine ls --json) || fail "smolvm does not say which machines there are" "smolvm machine ls --json must work first"
if printf '%s' "$machines" | grep -q "\"name\": *\"$BUILDER\""; then
  fail "there is a machine called $BUILDER" "it is none of this build: delete it, or run this again"
fi

guest() { smolvm machine exec --name "$BUILDER" -- sh -c "$1"; }

say "smolvm $version, from $BASE"
# shellcheck disable=SC2086
smolvm machine create $name --image "$BASE" --cpus 2 --mem 4096 --net >/dev/null ||
  fail "the builder cannot be made"
trap 'status=$?; remove_builder; rm -f "$BUILD" "$BUILD.smolmachine"; exit $status' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
smolvm machine start --name "$BUILDER" >/dev/null ||
  fail "the builder does not start" "can this machine reach the registry that $BASE comes from?"

say "installing git and ripgrep"
guest "export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && apt-get install -y -qq --no-install-recommends git ripgrep ca-certificates curl >/dev/null && apt-get clean" ||
  fail "apt-get failed in the builder"
say "installing the agents"
guest "npm install --global --no-fund --no-audit --loglevel=error $AGENTS && npm cache clean --force >/dev/null 2>&1" ||
  fail "npm failed in the builder"
for command in $COMMANDS; do
  guest "command -v $command >/dev/null" || fail "$command is not there after the installation"
done
node=$(guest "node --version")
[ "$(printf '%s' "$node" | sed 's/^v\([0-9]*\).*/\1/')" -ge 22 ] || fail "the image has Node $node, and the agents need 22 or later"

say "packing"
smolvm machine stop --name "$BUILDER" >/dev/null || fail "the builder does not stop"
mkdir -p .vm
smolvm pack create --from-vm "$BUILDER" -o "$BUILD" >/dev/null || fail "smolvm cannot pack the builder"
[ -s "$BUILD.smolmachine" ] || fail "smolvm has packed nothing"
mv -f "$BUILD.smolmachine" "$OUT"
printf '%s\n' "$recipe" >"$RECIPE"

say ""
say "made $OUT, $(du -h "$OUT" | cut -f1)"
say "  node       $node"
for agent in $AGENTS; do say "  ${agent%@*} ${agent##*@}"; done
say ""
say "WORKFLOW.md names it as smolvm.from; symphony doctor checks that it boots."
