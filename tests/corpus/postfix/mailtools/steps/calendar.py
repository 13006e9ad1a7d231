"""Turns the times of an invitation into those of our office."""
import datetime
import re
import zoneinfo

from mailtools import config


def run(message, context):
    for part in message.walk():
        if part.get_content_type() != "text/calendar":
            continue
        text = part.get_content()
        found = re.search(r"^DTSTART(?:;TZID=([^:\r\n]+))?:(\d{8}T\d{6})", text, re.M)
        if found:
            there = zoneinfo.ZoneInfo(found[1] or "UTC")
            ours = zoneinfo.ZoneInfo(config()["policy"]["zone"])
            start = datetime.datetime.strptime(found[2], "%Y%m%dT%H%M%S").replace(tzinfo=there)
            message["X-Meeting"] = start.astimezone(ours).strftime("%Y-%m-%d %H:%M %Z")
