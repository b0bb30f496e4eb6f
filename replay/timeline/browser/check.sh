#!/usr/bin/env bash
# Looks at the page in a real browser: makes histories, draws them, moves,
# searches and links, and leaves screenshots to look at. The gate does not run
# it, for it needs chromium, node and npm:
#
#	apt-get install chromium nodejs npm
#	replay/timeline/browser/check.sh [DIRECTORY]
#
# It exits 1 when the page reports an error, asks the network for anything, or
# does not do what it is told.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$(mktemp -d)}
out=$(mkdir -p "$out" && cd "$out" && pwd)
cd "$here/../../.."

go build -o "$out/clusterkit-replay" ./replay/cmd/clusterkit-replay
[ -d "$out/kvstore" ] || go run ./examples/kvstore -dir "$out/kvstore" >"$out/kvstore.txt"
go test ./replay/timeline -run '^TestBrowserHistories$' -count 1 -histories "$out" >/dev/null

cd "$out"
./clusterkit-replay timeline -q -o kvstore.html kvstore/n1 kvstore/n2 kvstore/n3
./clusterkit-replay timeline -q -o incident.html incident/n1 incident/n2 incident/n3
./clusterkit-replay timeline -q -o evil.html evil/n1
./clusterkit-replay timeline -q -o large.html large/n1
[ -d node_modules/puppeteer-core ] || npm install --no-save --silent puppeteer-core@24 >/dev/null
cp "$here/check.mjs" .
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)} node check.mjs
echo "screenshots are in $out"
