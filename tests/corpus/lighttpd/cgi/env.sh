#!/bin/sh
printf 'Content-Type: text/plain\r\nX-Kind: shell\r\n\r\n'
echo "$REQUEST_METHOD $QUERY_STRING $GATEWAY_INTERFACE ${HTTP_X_TEA:-none}"
cat
