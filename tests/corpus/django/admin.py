"""Steps of somebody who works in the admin: python3 admin.py STEP, on the host."""
import http.cookiejar
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

base = f"http://{os.environ['HOST']}:{os.environ['PORT']}"
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


def get(path, form=None, **headers):
    if form is not None:
        form = urllib.parse.urlencode(form).encode()
    try:
        answer = opener.open(urllib.request.Request(base + path, form, headers))
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.url.removeprefix(base), answer.read().decode()


def token(page):
    return re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page)[1]


def show(status, url, page, pattern):
    print(status, url, sorted(set(re.findall(pattern, page)))[:40])


page = get("/admin/login/")[2]
answer = get("/admin/login/?next=/admin/", {"csrfmiddlewaretoken": token(page), "username": "admin", "password": "s3cret-pass"})
step = sys.argv[1]
if step == "index":
    show(*answer, r"<h1>[^<]+</h1>|/admin/\w+/\w+/")
elif step == "german":
    show(*get("/admin/library/book/", **{"Accept-Language": "de"}), r"<h1>[^<]+</h1>|<a[^>]+>[^<\d]+</a>")
elif step == "add":
    page = get("/admin/library/book/add/")[2]
    form = {"csrfmiddlewaretoken": token(page), "title": "Middlemarch", "year": "1871", "notes": "", "_save": "Save"}
    show(*get("/admin/library/book/add/", form), r'class="(?:success|error|errornote)">.*|Middlemarch')
elif step == "search":
    show(*get("/admin/library/book/?q=cycle"), r"Nana|Emma|\d+ books?")
elif step == "history":
    show(*get("/admin/library/book/2/history/"), r"<h1>[^<]+</h1>|<p>[^<]+</p>")
elif step == "delete":
    page = get("/admin/library/book/2/delete/")[2]
    show(*get("/admin/library/book/2/delete/", {"csrfmiddlewaretoken": token(page), "post": "yes"}), r"<h1>[^<]+</h1>|deleted")
elif step == "user":
    page = get("/admin/auth/user/add/")[2]
    form = {"csrfmiddlewaretoken": token(page), "username": "eve", "password1": "password", "password2": "password"}
    show(*get("/admin/auth/user/add/", form), r"<li>[^<]+</li>|too [a-z]+")
elif step == "password":
    page = get("/admin/password_change/")[2]
    form = {"csrfmiddlewaretoken": token(page), "old_password": "s3cret-pass", "new_password1": "other-Pass-77", "new_password2": "other-Pass-77"}
    show(*get("/admin/password_change/", form), r"<h1>[^<]+</h1>|<li>[^<]+</li>")
elif step == "reset":
    page = get("/accounts/password_reset/")[2]
    form = {"csrfmiddlewaretoken": token(page), "email": "admin@example.org"}
    show(*get("/accounts/password_reset/", form), r"<h1>[^<]+</h1>|<p>[^<]+</p>")
