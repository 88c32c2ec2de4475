# Two stages: what builds stays behind. Everything that is installed is pinned by its hash.
FROM python:3.11-slim-bookworm AS build
ENV PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/greenroom
RUN python -m venv /opt/greenroom
COPY requirements.txt ./
RUN /opt/greenroom/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --no-compile --require-hashes -r requirements.txt
COPY pyproject.toml gunicorn_conf.py ./
COPY app app
COPY alembic alembic
COPY templates templates
COPY static static
COPY locale locale
COPY docs docs
# With the time of the sources left out, the same sources make the same files.
RUN /opt/greenroom/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/greenroom/lib app alembic

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/greenroom --create-home --shell /usr/sbin/nologin greenroom
COPY --from=build /opt/greenroom /opt/greenroom
COPY --from=build /srv/greenroom /srv/greenroom
WORKDIR /srv/greenroom
ENV PATH=/opt/greenroom/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 ENVIRONMENT=production HOST=0.0.0.0 PORT=8000 DATA_DIR=/var/lib/greenroom
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health/ready', timeout=4)"]
CMD ["gunicorn", "-c", "gunicorn_conf.py"]
