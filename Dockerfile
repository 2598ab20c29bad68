# buildkit-gateway, for linux/amd64 and linux/arm64 (docs/operations.md, "Image").
#
# There is no `# syntax=` line: every BuildKit since 0.8 builds this with the frontend that it has inside, and with the
# line each build would first pull another one from docker.io.

# The current LTS until October 2027, supported until April 2029 (nodejs/Release, schedule.json). It is said only here.
ARG NODE_VERSION=26
ARG DEBIAN=trixie-slim

# Builds on the builder's own platform, whatever it builds for: the bundle is the same on all.
FROM --platform=$BUILDPLATFORM docker.io/library/node:${NODE_VERSION}-${DEBIAN} AS build
WORKDIR /src
COPY package.json package-lock.json ./
# `--secret id=npmrc,src=$HOME/.npmrc` is for those who have a registry of their own; it stays in no layer.
RUN --mount=type=cache,target=/root/.npm \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY proto proto
COPY src src
COPY deploy/bundle.ts deploy/
# Readable for every user, whatever the umask was of the checkout.
RUN --network=none npm run bundle && chmod -R a=rX dist/bundle

FROM docker.io/library/node:${NODE_VERSION}-${DEBIAN} AS node

# Debian with Node's own build for glibc, the platform that Node's project tests and our figures come from: its images on
# Alpine carry an unofficial build for musl, or one compiled by whoever made the image. Not the node image itself: npm,
# headers and a compiler's tools have no business here. No RUN below this line, so another architecture needs no emulation.
FROM docker.io/library/debian:${DEBIAN}
COPY --from=node /usr/local/bin/node /usr/local/bin/
# Node's build needs it, and Debian's smallest image lacks it.
COPY --from=node /usr/lib/*-linux-gnu/libatomic.so.1 /usr/lib/
COPY --from=build /src/dist/bundle /app
# `npm run image` says them; SOURCE is the address of the repository it was built from.
ARG VERSION=""
ARG REVISION=""
ARG CREATED=""
ARG SOURCE=""
LABEL org.opencontainers.image.title="buildkit-gateway" \
      org.opencontainers.image.description="One gRPC address in front of many BuildKit replicas" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
ENV NODE_ENV=production
# A number, so that Kubernetes can tell that it is not root (runAsNonRoot).
USER 65532:65532
EXPOSE 1234 6060
STOPSIGNAL SIGTERM
# Asks whether it serves, not whether it takes builds: what drains or is full must not be restarted.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["node", "/app/main.js", "health", "--live"]
ENTRYPOINT ["node", "/app/main.js"]
CMD ["serve"]
