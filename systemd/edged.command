#!/bin/sh
# The installed edged, with the installed configuration. Root becomes the service's own user first: what it
# writes must stay readable to the service, and photographs given by path must be readable to that user.
umask 077
# What the running service was given by LoadCredential=, for its own configuration and whoever may read it.
given=/run/credentials/edged.service
if [ -z "${EDGED_CONFIG:-}${CREDENTIALS_DIRECTORY:-}" ] && [ -r "$given" ] && [ -x "$given" ]; then
    export CREDENTIALS_DIRECTORY="$given"
fi
export EDGED_CONFIG="${EDGED_CONFIG:-/etc/edged/config.yaml}"
if [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid=edged --regid=edged --init-groups --no-new-privs /opt/edged/bin/edged "$@"
fi
exec /opt/edged/bin/edged "$@"
