# One image for every role; docker-compose.yml or the chart says which role a container runs. Bun
# comes from npm, with the lock file, as everywhere else. Both base images are pinned by digest, for
# all their platforms; deploy/README.md says how to renew them.
FROM node:22.21.1-bookworm-slim@sha256:25b3eb23a00590b7499f2a2ce939322727fcce1b15fdd69754fcd09536a3ae2c AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# Runs Bun once: a Bun that does not fit this machine fails the build and not the first start. Its
# second name, bunx, would be a second copy of 100 MB in the next stage.
# TypeScript is an optional peer of a package: 30 MB that nothing here runs.
RUN npm ci --omit=dev --no-audit --no-fund \
  && rm -rf node_modules/typescript node_modules/@typescript \
  && rm -f node_modules/.bin/bunx node_modules/bun/bin/bunx* \
  && node_modules/.bin/bun --version

FROM debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171
# As process 1, tini passes signals on, also before a role listens to them, and collects what health
# checks leave behind.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --uid 10001 --no-create-home sluice
WORKDIR /app
# Nothing is written into the image: Bun keeps no cache of what it has read.
ENV PATH=/app/node_modules/.bin:$PATH BUN_RUNTIME_TRANSPILER_CACHE_PATH=0
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY deploy/health.ts deploy/
COPY bench bench
COPY broker broker
COPY cli cli
COPY consumers consumers
COPY core core
COPY docs/operations.md docs/
COPY gateway gateway
COPY ledger ledger
COPY proof proof
COPY sdk/typescript/src sdk/typescript/src
COPY services services
COPY stubs stubs
# By number, so that a cluster can tell that it is not root.
USER 10001
# On this signal a role finishes its work in flight: up to 10 s of quiet, then its connections.
# Whoever stops it should wait 30 s, and the time of SLUICE_DRAIN_NOTICE more.
STOPSIGNAL SIGTERM
# Not the launcher ./sluice, which would look for npm and services. The image has everything.
ENTRYPOINT ["tini", "--", "bun", "cli/cli.ts"]
CMD ["--help"]
