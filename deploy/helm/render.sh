#!/bin/sh
# Renders the chart for each file in examples into rendered/, which test/chart.test.ts checks where
# Helm is not installed. Run it after every change of the chart.
#
#   deploy/helm/render.sh                renders all
#   deploy/helm/render.sh --sum NAME     prints the sum of what rendered/NAME.yaml is made from
set -eu
export LC_ALL=C
cd "$(dirname "$0")"

sum() { cat $(find -L sluice -type f | sort) "examples/$1.yaml" | sha256sum | cut -d ' ' -f 1; }

if [ "${1-}" = --sum ]; then
  sum "$2"
  exit
fi
mkdir -p rendered
for file in examples/*.yaml; do
  name=$(basename "$file" .yaml)
  helm lint --strict sluice --values "$file" >&2
  {
    echo "# Made by deploy/helm/render.sh from $(sum "$name")"
    helm template sluice sluice --namespace shop --kube-version 1.30.0 --values "$file"
  } > "rendered/$name.yaml"
done
