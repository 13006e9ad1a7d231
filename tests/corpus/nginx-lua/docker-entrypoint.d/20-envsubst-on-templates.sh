#!/bin/sh
set -e
: "${SERVER_TITLE:=Shop}"
export SERVER_TITLE
for template in /etc/nginx/templates/*.template; do
    envsubst '${SERVER_TITLE}' < "$template" > "/etc/nginx/conf.d/$(basename "$template" .template)"
done
