"""GET of /admin/ with digest authentication."""
import os
import sys
import urllib.error
import urllib.request

base = f"http://{os.environ['HOST']}:{os.environ['PORT']}"
handler = urllib.request.HTTPDigestAuthHandler()
handler.add_password("admin", base, "alice", sys.argv[1])
try:
    answer = urllib.request.build_opener(handler).open(base + "/admin/")
except (urllib.error.HTTPError, ValueError) as error:
    print(error)
else:
    print(answer.status, answer.read().decode())
