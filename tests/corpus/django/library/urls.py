from django.urls import path

from . import views

urlpatterns = [
    path("", views.index, name="index"),
    path("book/<int:pk>/", views.book, name="book"),
    path("books.xlsx", views.spreadsheet),
    path("books.<str:form>", views.serialized),
    path("new/", views.new),
    path("suggest/", views.suggest),
    path("report/", views.report),
]
