// A workbook of a walk, and back.
import ExcelJS from 'exceljs';

export const type = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet';

export async function write(walk, speaker) {
  const book = new ExcelJS.Workbook();
  book.created = book.modified = new Date(Date.UTC(2024, 0, 1));
  const sheet = book.addWorksheet(walk.slug, { views: [{ state: 'frozen', ySplit: 1 }] });
  sheet.columns = [
    { header: speaker.t('notes'), key: 'name', width: 30 },
    { header: 'lat', key: 'lat', style: { numFmt: '0.0000' } },
    { header: 'lon', key: 'lon', style: { numFmt: '0.0000' } },
    { header: 'm', key: 'height' },
  ];
  walk.points.forEach((point) => sheet.addRow(point));
  sheet.addRow({ name: '∑', height: { formula: `MAX(D2:D${walk.points.length + 1})` } });
  sheet.getRow(1).font = { bold: true };
  sheet.addConditionalFormatting({
    ref: 'D2:D99',
    rules: [{ type: 'colorScale', cfvo: [{ type: 'min' }, { type: 'max' }], color: [{ argb: 'FFFFFFFF' }, { argb: 'FF336699' }] }],
  });
  return Buffer.from(await book.xlsx.writeBuffer());
}

export async function read(bytes) {
  const book = new ExcelJS.Workbook();
  await book.xlsx.load(bytes);
  return book.worksheets.map((sheet) => ({
    name: sheet.name,
    rows: sheet.getSheetValues().slice(1).map((row) => row.slice(1)),
  }));
}
