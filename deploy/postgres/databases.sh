#!/bin/sh
# A database and a role for Dagster and for MLflow, neither of which reaches the other's.
# PostgreSQL's image runs this once, when it makes a new data folder.
set -eu
for name in dagster mlflow; do
  psql --set=ON_ERROR_STOP=1 --set=name="$name" --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<SQL
\set password \`sed -n s/^password=//p ${SECRETS_DIR:-/run/secrets}/${name}_database\`
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
