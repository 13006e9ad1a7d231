from django import template
from django.utils.safestring import mark_safe

register = template.Library()


@register.filter
def markdown(text):
    from markdown import markdown as render

    return mark_safe(render(text, extensions=["tables", "toc"]))
