#!/bin/sh
# Once, in an empty database: the role that the product runs as. It owns nothing; migrations, which
# run as the owner, give it what it needs.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v password="$APP_PASSWORD" <<'SQL'
CREATE ROLE greenroom_app LOGIN PASSWORD :'password';
SQL
