# Fettle as an image: docker build --tag fettle:0.1.0 .
#
# Nothing is compiled: the first stage fetches the wheels that requirements.lock names, each checked
# against its hash, and installs from them alone. The second holds what runs, and no installer.

FROM python:3.11.15-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

COPY requirements.lock ./
RUN pip download --only-binary :all: --require-hashes --requirement requirements.lock --dest /wheels

COPY pyproject.toml README.md LICENSE ./
COPY monitor monitor
COPY tickets tickets
# What fettle_build_info tells: docker build --build-arg REVISION="$(git rev-parse HEAD)"
ARG REVISION=""
RUN printf '%s' "$REVISION" > monitor/revision.txt \
    && python -m venv /opt/fettle \
    && PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels /opt/fettle/bin/pip install . \
    && /opt/fettle/bin/pip uninstall --yes pip setuptools


FROM python:3.11.15-slim-bookworm

ARG REVISION=""
LABEL org.opencontainers.image.title="Fettle" \
      org.opencontainers.image.revision=$REVISION \
      org.opencontainers.image.description="Uptime monitor and ticket desk for a web agency" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"

RUN pip uninstall --yes --root-user-action ignore pip setuptools wheel \
    && groupadd --gid 10001 fettle \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin fettle \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data

COPY --from=build /opt/fettle /opt/fettle
COPY config/fettle.yml /etc/fettle/fettle.yml

ENV PATH=/opt/fettle/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FETTLE_CONFIG=/etc/fettle/fettle.yml

# sqlite:///data/fettle.db of the shipped configuration counts from here.
WORKDIR /
VOLUME ["/data"]
EXPOSE 8080
USER 10001:10001
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["fettle", "healthcheck"]

ENTRYPOINT ["fettle"]
CMD ["run"]
