from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class Book(models.Model):
    title = models.CharField(_("title"), max_length=200)
    year = models.IntegerField(_("year"))
    notes = models.TextField(_("notes"), blank=True)
    cover = models.ImageField(_("cover"), upload_to="covers", blank=True)

    class Meta:
        ordering = ["year"]
        verbose_name = _("book")
        verbose_name_plural = _("books")

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return reverse("book", args=[self.pk])
