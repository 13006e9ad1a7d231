#!/bin/sh
# An external ACL: OK for users of the list.
while read -r user _; do
  case "$user" in
  ann) echo "OK tag=staff" ;;
  *) echo ERR ;;
  esac
done
