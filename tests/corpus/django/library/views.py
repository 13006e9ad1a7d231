import io

from django.core import serializers
from django.forms import modelform_factory
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt

from .models import Book


def index(request):
    return render(request, "library/index.html", {"books": Book.objects.all()})


def book(request, pk):
    return render(request, "library/book.html", {"book": get_object_or_404(Book, pk=pk)})


def spreadsheet(request):
    from openpyxl import Workbook, load_workbook

    workbook = Workbook()
    for item in Book.objects.all():
        workbook.active.append([item.title, item.year])
    file = io.BytesIO()
    workbook.save(file)
    if "check" in request.GET:
        rows = load_workbook(io.BytesIO(file.getvalue())).active.iter_rows(values_only=True)
        return HttpResponse(repr(list(rows)), content_type="text/plain")
    return HttpResponse(file.getvalue(), content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")


def serialized(request, form):
    if form not in serializers.get_serializer_formats():
        raise Http404(form)
    return HttpResponse(serializers.serialize(form, Book.objects.all()), content_type="text/plain")


@csrf_exempt
def new(request):
    form = modelform_factory(Book, fields=["title", "year", "notes", "cover"])(request.POST, request.FILES)
    if form.is_valid():
        return redirect(form.save())
    return HttpResponse(form.errors.as_json(), status=422, content_type="application/json")


@csrf_exempt
def suggest(request):
    from django.core.mail import EmailMultiAlternatives

    message = EmailMultiAlternatives("Suggestion", request.POST["title"], "web@example.org", ["books@example.org"])
    message.attach_alternative(f"<p>{request.POST['title']}</p>", "text/html")
    return HttpResponse(f"sent {message.send()}", content_type="text/plain")


def report(request):
    from django.utils import timezone

    day = timezone.datetime(2024, 7, 1, 12, tzinfo=timezone.zoneinfo.ZoneInfo(request.GET.get("zone", "UTC")))
    timezone.activate(request.GET.get("to", "Asia/Tokyo"))
    return render(request, "library/report.html", {"day": day, "total": 1234567})
