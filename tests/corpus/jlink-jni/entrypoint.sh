#!/bin/sh
# parcel TASK [...]: the service (`serve`) or one of its tasks.
set -eu

keys=${PARCEL_DATA:-/var/lib/parcel}/keys.p12
if test "${1:-serve}" = serve && ! test -e "$keys"; then
    keytool -genkeypair -alias desk -keyalg EC -groupname secp256r1 -sigalg SHA256withECDSA -validity 3650 \
        -dname "CN=parcel.example.org, O=Parcel desk" -ext san=dns:localhost \
        -keystore "$keys" -storetype PKCS12 -storepass "${PARCEL_SECRET:-change-it}" 2>/dev/null
fi
# shellcheck disable=SC2086
exec java $JAVA_OPTS \
    --module-path /opt/parcel/modules \
    -Djava.awt.headless=true \
    -Djava.library.path=/usr/lib/x86_64-linux-gnu/jni:/usr/lib/jni \
    -Djava.util.logging.config.file=/etc/parcel/logging.properties \
    -Dparcel.carriers=/opt/parcel/carriers \
    -Dparcel.plugins=/opt/parcel/plugins \
    --module org.example.parcel/org.example.parcel.Main "$@"
