from django.contrib import admin
from django.contrib.sitemaps.views import sitemap
from django.urls import include, path
from django.views.i18n import JavaScriptCatalog

from library.feeds import BookFeed, BookSitemap

urlpatterns = [
    path("", include("library.urls")),
    path("admin/", admin.site.urls),
    path("accounts/", include("django.contrib.auth.urls")),
    path("feed/", BookFeed()),
    path("sitemap.xml", sitemap, {"sitemaps": {"books": BookSitemap}}),
    path("jsi18n/", JavaScriptCatalog.as_view(), name="javascript-catalog"),
]
