from django.core.management.base import BaseCommand

from library.models import Book


class Command(BaseCommand):
    help = "Prints the number of books."

    def handle(self, *args, **options):
        self.stdout.write(str(Book.objects.count()))
