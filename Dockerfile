# One image for every role; docker-compose.yml says which role a container runs. Bun comes from npm,
# with the lock file, as everywhere else.
FROM node:22-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# Runs Bun once: a Bun that does not fit this machine fails the build and not the first start.
RUN npm ci --omit=dev --no-audit --no-fund && node_modules/.bin/bun --version

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --no-create-home sluice
WORKDIR /app
ENV PATH=/app/node_modules/.bin:$PATH
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
# Not the launcher ./sluice, which would look for npm and services. The image has everything.
ENTRYPOINT ["bun", "cli/cli.ts"]
CMD ["--help"]
