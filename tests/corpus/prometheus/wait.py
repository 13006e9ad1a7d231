# Waits until Prometheus has scraped itself and found the other targets.
import json
import os
import time
import urllib.request

QUERY = f"http://{os.environ['HOST']}:{os.environ['PORT']}/api/v1/query?query=up"
deadline = time.time() + 120
found = []
while time.time() < deadline and (len(found) < 3 or found[0][2] != "1"):
    time.sleep(0.5)
    result = json.load(urllib.request.urlopen(QUERY))["data"]["result"]
    found = sorted((r["metric"]["job"], r["metric"].get("pot"), r["value"][1]) for r in result)
print(found)
