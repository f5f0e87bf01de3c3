# acp-ingest and its worker: one image, two commands.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS base
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Both services share this layer: the text is the same in both files.
# No versions are pinned: Debian stable drops the old one at each security update.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        python3 python3-fastapi python3-httpx python3-prometheus-client python3-redis python3-uvicorn python3-uvloop \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*

FROM base AS runtime
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        python3-psycopg python3-psycopg-c python3-psycopg-pool python3-python-multipart \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*

FROM base AS build
WORKDIR /opt/acp
COPY acp_reference acp_reference
# Fixed times and hash-checked bytecode: the same sources give the same layer, whenever and wherever it is built.
RUN python3 -m compileall -q --invalidation-mode unchecked-hash acp_reference \
    && find . -exec touch --no-dereference --date=@0 {} +

FROM runtime
COPY --from=build /opt/acp /opt/acp
WORKDIR /opt/acp
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-I", "-S", "/opt/acp/acp_reference/healthcheck.py", "http://127.0.0.1:8000/health/ready"]
CMD ["python3", "-m", "acp_reference.ingest"]

# What differs between two builds of the same sources comes last and makes no layer.
ARG FAULT=none
ENV ACP_FAULT=${FAULT}
ARG VERSION=v0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="acp-ingest" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
