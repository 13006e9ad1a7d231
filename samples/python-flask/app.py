"""A small flask application: templates, JSON, static files, time zones, and modules imported on first use."""

import json
from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Flask, Response, abort, jsonify, render_template, request

DATA = Path(__file__).parent / "data"

app = Flask(__name__)
ITEMS = json.loads((DATA / "items.json").read_text())


@app.get("/")
def index():
    return render_template("index.html", items=ITEMS)


@app.get("/items.json")
def items():
    return jsonify(ITEMS)


@app.get("/zones/<path:name>")
def zone(name):
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        abort(404)
    summer = datetime(2024, 7, 1, tzinfo=timezone.utc).astimezone(zone)
    return jsonify(zone=name, summer=summer.isoformat(), abbreviation=summer.tzname())


# The next three import what they need when they are first asked: starting the server touches none of it.


@app.get("/export.csv")
def export():
    import csv
    import io

    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=["id", "name", "stock"])
    writer.writeheader()
    writer.writerows(ITEMS)
    return Response(out.getvalue(), mimetype="text/csv")


@app.get("/search")
def search():
    import sqlite3

    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE TABLE item (id TEXT, name TEXT, stock INTEGER)")
        db.executemany("INSERT INTO item VALUES (:id, :name, :stock)", ITEMS)
        like = f"%{request.args.get('q', '')}%"
        rows = db.execute("SELECT id FROM item WHERE name LIKE ? ORDER BY id", (like,)).fetchall()
    return jsonify([row[0] for row in rows])


@app.get("/whoami")
def whoami():
    import os
    import pwd

    return jsonify(user=pwd.getpwuid(os.getuid()).pw_name)


@app.errorhandler(404)
def not_found(error):
    return render_template("404.html", path=request.path), 404
