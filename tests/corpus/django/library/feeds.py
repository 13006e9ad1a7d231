from django.contrib.sitemaps import Sitemap
from django.contrib.syndication.views import Feed

from .models import Book


class BookFeed(Feed):
    title = "Books"
    link = "/"
    description = "New books"

    def items(self):
        return Book.objects.all()

    def item_description(self, item):
        return item.notes


class BookSitemap(Sitemap):
    def items(self):
        return Book.objects.all()
