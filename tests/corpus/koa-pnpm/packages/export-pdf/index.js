// A walk on paper. The archive form needs fonts and a colour profile inside.
import PDFDocument from 'pdfkit';

const sans = '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf';
const latin = /^[\x20-\xff–—…’]*$/;

export const type = 'application/pdf';

export async function write(walk, speaker, { archive, font } = {}) {
  const made = new Date(Date.UTC(2024, 0, 1));
  const options = { compress: false, info: { Title: walk.title, CreationDate: made, ModDate: made }, size: 'A5' };
  if (archive) Object.assign(options, { subset: 'PDF/A-2b', pdfVersion: '1.7', font: sans, tagged: true });
  const document = new PDFDocument(options);
  const chunks = [];
  const done = new Promise((resolve) => {
    document.on('data', (chunk) => chunks.push(chunk));
    document.on('end', () => resolve(Buffer.concat(chunks)));
  });
  const face = archive || !latin.test(walk.title) || speaker.language === 'ja' ? sans : font ?? 'Times-Roman';
  document.font(face).fontSize(20).text(walk.title);
  document.fontSize(11).text(speaker.t('length', { km: speaker.number(walk.km), climb: walk.climb }));
  document.text(`${speaker.t('starts')}: ${speaker.date(new Date(walk.starts))}`);
  const top = Math.max(...walk.points.map((point) => point.height));
  walk.points.forEach((point, place) => {
    const [x, y] = [60 + place * 80, 400 - (point.height / top) * 200];
    if (place) document.lineTo(x, y);
    else document.moveTo(x, y);
  });
  document.stroke('#336699');
  document.end();
  return done;
}
