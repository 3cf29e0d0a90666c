#!/bin/sh
# The root file system is read-only, and Numba uses a cache of compiled kernels only where it may write.
set -eu
if [ -d /app/kernels ] && [ -n "${NUMBA_CACHE_DIR:-}" ] && [ ! -e "$NUMBA_CACHE_DIR" ]; then
  cp -R /app/kernels "$NUMBA_CACHE_DIR"
fi
exec "$@"
