from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Book",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=200, verbose_name="title")),
                ("year", models.IntegerField(verbose_name="year")),
                ("notes", models.TextField(blank=True, verbose_name="notes")),
                ("cover", models.ImageField(blank=True, upload_to="covers", verbose_name="cover")),
            ],
            options={"ordering": ["year"], "verbose_name": "book", "verbose_name_plural": "books"},
        )
    ]
