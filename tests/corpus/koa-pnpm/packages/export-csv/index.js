import { stringify } from 'csv-stringify/sync';

export const type = 'text/csv; charset=utf-8';

export async function write(walk, speaker) {
  const rows = walk.points.map((point) => [point.name, speaker.number(point.lat), speaker.number(point.lon), point.height]);
  return stringify(rows, { bom: true, columns: [speaker.t('notes'), 'lat', 'lon', 'm'], delimiter: ';', header: true });
}
