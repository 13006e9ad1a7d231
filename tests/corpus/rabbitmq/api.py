"""Asks the management interface: python3 api.py METHOD PATH [BODY] [FIELD,…]."""
import base64
import json
import os
import sys
import urllib.error
import urllib.request

method, path, body, fields = (sys.argv[1:] + ["", ""])[:4]
user = os.environ.get("LOGIN", "alice:wonder")
request = urllib.request.Request(f"http://{os.environ['HOST']}:15672/api/{path}", body.encode() or None, method=method)
request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
request.add_header("Content-Type", "application/json")
try:
    answer = urllib.request.urlopen(request, timeout=20)
except urllib.error.HTTPError as error:
    answer = error
text = answer.read().decode()
try:
    value = json.loads(text)
except ValueError:
    value = text[:200]
if fields:
    pick = lambda item: [item.get(field) for field in fields.split(",")]
    value = [pick(item) for item in value] if isinstance(value, list) else pick(value)
print(answer.status, value)
