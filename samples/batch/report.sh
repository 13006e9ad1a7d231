#!/bin/sh
set -eu
cd "$(dirname "$0")"

kind=${1:-daily}
case "$kind" in
daily) ;;
monthly) cat data/header.txt ;;
*)
    echo "report: unknown kind: $kind (daily or monthly)" >&2
    exit 2
    ;;
esac

cat data/orders-*.csv | awk -F , -f "lib/$kind.awk" | sort > /var/lib/report/latest.txt
cat /var/lib/report/latest.txt
echo "report: $(wc -l < /var/lib/report/latest.txt) lines" >&2
