# The operator: docker build -t REGISTRY/leadergroup:0.1.0 .   (docs/install.md)
# Compiled, though Node 24 could run the sources: the image then holds no TypeScript, and the compiler has seen every file of it.
ARG NODE_IMAGE=docker.io/library/node:24.21.0-bookworm-slim
# The build needs npm, a shell and find; the operator needs node alone, so that NODE_IMAGE may be as bare as there are. A release is built with
# NODE_IMAGE=bare: Node and its libraries, without a shell.
ARG BUILD_IMAGE=docker.io/library/node:24.21.0-bookworm-slim

FROM ${BUILD_IMAGE} AS laid-out
COPY dev/images/bare.sh /tmp/bare.sh
RUN sh /tmp/bare.sh /bare

FROM scratch AS bare
COPY --from=laid-out /bare /
ENV PATH=/usr/local/bin

FROM ${BUILD_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Optional are other packages' Node binaries. Types and source maps are half of what the rest weighs.
RUN --mount=type=cache,target=/var/cache/npm \
    npm ci --cache /var/cache/npm --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund && \
    find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete

FROM ${BUILD_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/var/cache/npm npm ci --cache /var/cache/npm --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
# As npm run build, whose installing of what is missing has no place here.
RUN node_modules/.bin/tsc -p tsconfig.build.json

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="LeaderGroup operator" \
      org.opencontainers.image.description="Leader election for Kubernetes pods: one object, one leader label, a Consul lock behind it" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
# By number, so that the kubelet can tell that it is not root. It writes no file.
USER 65532:65532
EXPOSE 8080
# Without a shell, so that SIGTERM reaches the operator, which handles it as process 1 too.
ENTRYPOINT ["node", "--enable-source-maps", "dist/main.js"]
