#!/bin/sh
# Builds the documents as a site in .sluice/site/dist. VitePress is no package of the product: it
# has a lock file of its own here, and is fetched once. The build itself needs no network.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$here/../..
tools=$root/.sluice/site
mkdir -p "$tools"
if ! cmp -s "$here/package-lock.json" "$tools/.installed-lock"; then
  cp "$here/package.json" "$here/package-lock.json" "$tools/"
  (cd "$tools" && npm ci --no-audit --no-fund --loglevel=error >&2)
  cp "$here/package-lock.json" "$tools/.installed-lock"
fi
"$tools/node_modules/.bin/vitepress" build "$here"
printf 'the site is in .sluice/site/dist; its start is index.html\n'
