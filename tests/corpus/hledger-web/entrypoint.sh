#!/bin/sh
# Starts the books: `serve` (both servers), `hledger ...`, or a script of this image.
set -eu

books=$(dirname "$LEDGER_FILE")
if ! test -e "$LEDGER_FILE"; then
    cp -R /usr/share/books/. "$books"
fi

case "${1:-serve}" in
serve) ;;
balance | bal | register | print | incomestatement | balancesheet | cashflow | accounts | stats | check)
    exec hledger "$@"
    ;;
*)
    exec "$@"
    ;;
esac

# Strangers may look, the office may add and manage.
hledger-web --serve-api --host=0.0.0.0 --port=5001 --capabilities=view --cors='*' &
api=$!
hledger-web --serve --host=0.0.0.0 --port=5000 ${BASE_URL:+--base-url="$BASE_URL"} \
    --capabilities="${CAPABILITIES:-view,add,manage}" &
web=$!

stopping=
trap 'stopping=1; kill "$api" "$web" 2>/dev/null || true' TERM INT
# The office asks for the quarter's VAT entry by a signal.
trap 'vat-return 2024Q2 > "$books/auto/vat-2024q2.journal.new" && mv "$books/auto/vat-2024q2.journal.new" "$books/auto/vat.journal"' HUP

while kill -0 "$web" 2>/dev/null; do
    wait "$web" || true
    test -z "$stopping" || break
done
wait || true
