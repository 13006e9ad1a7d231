import csv
import json
import os
import sys
import urllib.parse

query = dict(urllib.parse.parse_qsl(os.environ.get("QUERY_STRING", "")))
rows = [["tea", "12.5"], ["Größe", "3"]]
if os.environ["REQUEST_METHOD"] == "POST":
    rows = list(csv.reader(sys.stdin.read(int(os.environ.get("CONTENT_LENGTH") or 0)).splitlines()))
match query.get("as", "json"):
    case "json":
        print("Content-Type: application/json\n")
        print(json.dumps(rows))
    case "html":
        import html

        print("Content-Type: text/html; charset=utf-8\n")
        print("<table>" + "".join("<tr>" + "".join(f"<td>{html.escape(c).encode('ascii', 'xmlcharrefreplace').decode()}" for c in row) for row in rows) + "</table>")
    case "sqlite":
        import sqlite3

        db = sqlite3.connect(":memory:")
        db.execute("create table t (name, price real)")
        db.executemany("insert into t values (?, ?)", rows)
        print("Content-Type: text/plain\n")
        print(db.execute("select sum(price), count(*) from t").fetchone())
    case "where":
        print("Status: 303\nLocation: /docs/\n")
    case other:
        sys.exit(f"no form {other}")
