# A request, and the same with the tag of its answer.
import os
import urllib.error
import urllib.request

url = f"http://{os.environ['HOST']}:{os.environ['PORT']}/books/2?cached=1"
tag = urllib.request.urlopen(url).headers["etag"]
try:
    print(urllib.request.urlopen(urllib.request.Request(url, headers={"If-None-Match": tag})).status)
except urllib.error.HTTPError as error:
    print(error.code, error.read())
