# SPDX-License-Identifier: Apache-2.0
# The connector and what it runs on, and nothing else; docs/image.md says how it is built, run and verified.
# Any Debian-like image with Python 3.11 or newer, pip and venv will do as a base: --build-arg BASE_IMAGE=...
ARG BASE_IMAGE=docker.io/library/python:3.13.15-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285

# --- What it depends on, by hash; as long as the locks stay, this comes from the cache. ---
FROM ${BASE_IMAGE} AS dependencies
ENV COMPILE="python -m compileall -q --invalidation-mode unchecked-hash" \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PIP_ONLY_BINARY=:all: \
    PIP_REQUIRE_HASHES=1
WORKDIR /src
COPY requirements/image.txt requirements/
# The secret is optional: where pip gets packages from, and whom it trusts, without a trace in the image.
# Bytecode is made here, because a read-only file system could not keep it: without it every start compiles anew.
# Unchecked, because sources in an image do not change; and so it is the same whenever it is made.
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python -m venv --without-pip /opt/button-connector \
    && python -m pip --python /opt/button-connector/bin/python install --quiet --no-compile -r requirements/image.txt \
    && $COMPILE /opt/button-connector/lib

# --- The bill of materials: made by a tool that stays here, of what is really installed. ---
FROM dependencies AS sbom
COPY requirements/sbom.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python -m pip install --quiet -r requirements/sbom.txt
COPY pyproject.toml ./
RUN cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible --spec-version 1.6 \
    --output-file /sbom.cdx.json /opt/button-connector/bin/python

# --- The connector itself: a wheel, as everybody else would install it. ---
FROM dependencies AS build
COPY requirements/build.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python -m pip install --quiet -r requirements/build.txt
COPY LICENSE README.md pyproject.toml ./
COPY schemas schemas
COPY connector connector
RUN PIP_REQUIRE_HASHES=0 python -m pip wheel --quiet --no-build-isolation --no-deps --no-index --wheel-dir /dist . \
    && PIP_REQUIRE_HASHES=0 python -m pip --python /opt/button-connector/bin/python install --quiet --no-compile \
        --no-deps --no-index /dist/*.whl \
    && $COMPILE /opt/button-connector/lib/python3.*/site-packages/connector

# --- What runs. ---
FROM ${BASE_IMAGE} AS runtime
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="button-connector" \
      org.opencontainers.image.description="Streams commerce orders from Kafka to Button's Order API" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/button-connector/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Nothing is installed at run time, so nothing that installs is kept.
RUN find /usr/local/bin -name 'pip*' -delete \
    && find /usr/local/lib -type d \( -path '*/site-packages/pip*' -o -name ensurepip \) -prune -exec rm -rf {} + \
    && groupadd --gid 10001 button-connector \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \
        button-connector \
    && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/button-connector
COPY --from=sbom /sbom.cdx.json /usr/share/button-connector/sbom.cdx.json
COPY LICENSE /usr/share/button-connector/LICENSE
COPY --from=build /opt/button-connector /opt/button-connector
# Images of Python come without the bytecode of its library; this keeps that of the part which the connector uses.
RUN PYTHONDONTWRITEBYTECODE='' python -c 'import connector.app, connector.cli.check, connector.cli.explain, http.client'
# The one place, beside /tmp, that is written to.
VOLUME ["/var/lib/button-connector"]
WORKDIR /var/lib/button-connector
EXPOSE 8080
USER 10001:10001
# Kubernetes has probes of its own and passes this by. Where ops.port is another, say so by the variable.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-I", "-c", "\
import http.client, os, sys;\
port = int(os.environ.get('BUTTON_CONNECTOR__OPS__PORT') or 8080);\
probe = http.client.HTTPConnection('127.0.0.1', port, timeout=4);\
probe.request('GET', '/livez');\
sys.exit(probe.getresponse().status != 200)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["button-connector"]
CMD ["run"]
