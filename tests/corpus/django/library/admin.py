from django.contrib import admin

from .models import Book


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ["title", "year"]
    list_filter = ["year"]
    search_fields = ["title", "notes"]
