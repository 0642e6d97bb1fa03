# The worker of docker-compose.yml. The sandbox needs user namespaces: see the README, "Production".
FROM python:3.11.14-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends git bubblewrap make ca-certificates openssh-client \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/autonomy
COPY requirements.lock Makefile ./
RUN make setup

COPY . .
RUN useradd --create-home --uid 10001 autonomy \
    && mkdir -p /var/lib/autonomy \
    && chown autonomy /var/lib/autonomy
USER autonomy

ENV AUTONOMY_HOME=/var/lib/autonomy \
    AUTONOMY_POLICIES=/etc/autonomy/policies \
    PATH=/opt/autonomy/.venv/bin:$PATH

CMD ["python", "-m", "worker"]
