# What the images stand on where no registry can be reached; base.ts lays out the folders.
FROM scratch AS runtime
COPY runtime/ /
ENV PATH=/usr/local/bin:/usr/bin:/bin

FROM runtime AS build
COPY build/ /
ARG REGISTRY
# The certification authorities that this machine trusts, e.g. that of its network's proxy.
ENV npm_config_registry=${REGISTRY} NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
