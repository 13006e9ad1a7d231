import { create } from 'xmlbuilder2';

export const type = 'application/gpx+xml';

export async function write(walk) {
  const root = create({ version: '1.0', encoding: 'UTF-8' })
    .ele('gpx', { version: '1.1', creator: 'trail', xmlns: 'http://www.topografix.com/GPX/1/1' });
  const segment = root.ele('trk').ele('name').txt(walk.title).up().ele('trkseg');
  for (const point of walk.points) {
    const node = segment.ele('trkpt', { lat: point.lat, lon: point.lon });
    node.ele('ele').txt(String(point.height));
    if (point.name) node.ele('name').txt(point.name);
  }
  return root.end({ prettyPrint: true });
}
