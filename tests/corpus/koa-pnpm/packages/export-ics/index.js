// A walk as a calendar's event.
import { DateTime, Duration } from 'luxon';

export const type = 'text/calendar; charset=utf-8';

const escaped = (text) => text.replace(/[\\;,]/g, '\\$&').replace(/\n/g, '\\n');

export async function write(walk, speaker, { origin = 'trail' } = {}) {
  const start = DateTime.fromISO(walk.starts, { zone: walk.zone });
  const end = start.plus(Duration.fromObject({ minutes: walk.minutes }));
  const basic = "yyyyMMdd'T'HHmmss'Z'";
  return [
    'BEGIN:VCALENDAR', 'VERSION:2.0', `PRODID:-//trail//${origin}//${speaker.language.toUpperCase()}`,
    'BEGIN:VEVENT', `UID:${walk.slug}@trail`, `DTSTAMP:${start.toUTC().toFormat(basic)}`,
    `DTSTART:${start.toUTC().toFormat(basic)}`, `DTEND:${end.toUTC().toFormat(basic)}`,
    `SUMMARY:${escaped(walk.title)}`,
    `DESCRIPTION:${escaped(start.setLocale(speaker.language).toLocaleString(DateTime.DATETIME_HUGE))}`,
    'END:VEVENT', 'END:VCALENDAR', '',
  ].join('\r\n');
}
