# One file for both services: docker build --target api .   docker build --target consumer .
#
# Node 26 is the Active LTS line since October 2026; 24 only gets maintenance. `slim` is Debian: Node's own
# builds for glibc, which Node supports fully, while it calls builds for musl (Alpine) experimental.
FROM node:26-slim AS base
WORKDIR /app
# Only what decides which packages are installed, so that a change of the source keeps the layers of `npm ci`.
# A new workspace needs its line here and in .dockerignore.
COPY package.json package-lock.json ./
COPY shared/package.json shared/
COPY consumer/package.json consumer/
COPY api/package.json api/
COPY tracker/package.json tracker/
COPY dashboard/package.json dashboard/
COPY e2e/react-18/package.json e2e/react-18/

FROM base AS build
RUN --mount=type=cache,target=/root/.npm npm ci --omit=optional --ignore-scripts
COPY tsconfig.*.json ./
COPY shared shared
COPY consumer consumer
COPY api api
RUN npx tsc -b tsconfig.api.json && rm -f */dist/.tsbuildinfo

# The optional packages of the bundler hold its program for this machine; those of the project stay out, as they are
# no part of this workspace.
FROM base AS dashboard
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --workspace dashboard --workspace tracker && \
  test ! -e node_modules/@0q
COPY tsconfig.*.json ./
COPY tracker tracker
COPY dashboard dashboard
RUN npm run build --workspace dashboard

# What a service needs to run. The optional packages hold the embedded MongoDB engine, which is for development
# and whose license (SSPL) does not belong in an image; the second command proves that it stayed out.
FROM base AS api-packages
RUN --mount=type=cache,target=/root/.npm \
  npm ci --omit=dev --omit=optional --ignore-scripts --workspace api && \
  test ! -e node_modules/@0q && test ! -e node_modules/typescript

FROM base AS consumer-packages
RUN --mount=type=cache,target=/root/.npm \
  npm ci --omit=dev --omit=optional --ignore-scripts --workspace consumer && \
  test ! -e node_modules/@0q && test ! -e node_modules/typescript

# The files belong to root and the process does not: it cannot change its own code.
FROM node:26-slim AS runtime
WORKDIR /app
ENV NODE_ENV=production
# By itself Node 26 lets each half of V8's young generation grow past the 16 MB that it has in 20 and 22: some 25 MB more
# of each process, for no more events (docs/where-the-time-goes.md). It is read at start alone.
ENV NODE_OPTIONS=--max-semi-space-size=16
STOPSIGNAL SIGTERM
USER node

FROM runtime AS consumer
COPY --from=consumer-packages /app ./
COPY --from=build /app/shared/dist shared/dist
COPY --from=build /app/consumer/dist consumer/dist
EXPOSE 3001
# Whether the process lives; whether it can work is /health/ready, and a restart would not bring a broker back.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["node", "-e", \
  "fetch('http://127.0.0.1:' + (process.env.CONSUMER_PORT || 3001) + '/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "consumer/dist/worker.js"]

FROM runtime AS api
# With 8 MB, and at most two arenas of glibc, an API under single events has 142 MB in place of 162 and 167, for the same
# CPU time. A worker takes longer with 8: it has more in hand (docs/where-the-time-goes.md).
ENV NODE_OPTIONS=--max-semi-space-size=8 MALLOC_ARENA_MAX=2
COPY --from=api-packages /app ./
COPY --from=build /app/shared/dist shared/dist
COPY --from=build /app/consumer/dist consumer/dist
COPY --from=build /app/api/dist api/dist
COPY --from=dashboard /app/dashboard/dist dashboard/dist
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["node", "-e", \
  "fetch('http://127.0.0.1:' + (process.env.API_PORT || 3000) + '/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "api/dist/server.js"]
