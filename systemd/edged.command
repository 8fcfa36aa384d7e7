#!/bin/sh
# The installed edged, with the installed configuration. Root becomes the service's own user first: what it
# writes must stay readable to the service, and photographs given by path must be readable to that user.
umask 077
export EDGED_CONFIG="${EDGED_CONFIG:-/etc/edged/config.yaml}"
# What the running service was given by LoadCredential=; its own user and root may read it.
if [ -z "${CREDENTIALS_DIRECTORY:-}" ] && [ -d /run/credentials/edged.service ]; then
    export CREDENTIALS_DIRECTORY=/run/credentials/edged.service
fi
if [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid=edged --regid=edged --init-groups --no-new-privs /opt/edged/bin/edged "$@"
fi
exec /opt/edged/bin/edged "$@"
