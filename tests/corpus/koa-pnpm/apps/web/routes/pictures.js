// Pictures: a profile drawn as SVG and written in any form, uploads made small, codes to scan.
import { readFile } from 'node:fs/promises';

export default function pictures(router, shared) {
  router.get('/walks/:slug/profile.:form', async (ctx) => {
    const walk = shared.store.walk(ctx.params.slug);
    if (!walk) return ctx.throw(404);
    const top = Math.max(...walk.points.map((point) => point.height));
    const points = walk.points.map((point, place) => [20 + (place * 260) / (walk.points.length - 1), 120 - (point.height / top) * 90]);
    const svg = ctx.render('profile.svg.njk', { points, walk });
    if (ctx.params.form === 'svg') {
      ctx.type = 'svg';
      ctx.body = svg;
      return;
    }
    const { default: sharp } = await import('sharp');
    if (!sharp.format[ctx.params.form === 'avif' ? 'heif' : ctx.params.form]?.output.buffer) return ctx.throw(415);
    let picture = sharp(Buffer.from(svg));
    if (ctx.query.grey) picture = picture.greyscale();
    if (ctx.query.blur) picture = picture.blur(Number(ctx.query.blur));
    if (ctx.query.space) picture = picture.flatten({ background: '#fff' }).toColourspace(ctx.query.space);
    if (ctx.query.profile) picture = picture.withIccProfile(ctx.query.profile);
    ctx.body = await picture.toFormat(ctx.params.form).toBuffer();
    ctx.type = `image/${ctx.params.form}`;
  });

  router.post('/photos', async (ctx) => {
    const file = ctx.request.files?.photo;
    if (!file) return ctx.throw(415);
    const { default: sharp } = await import('sharp');
    const bytes = await readFile(file.filepath);
    try {
      const { channels, density, format, hasAlpha, height, space, width } = await sharp(bytes).metadata();
      const { dominant, entropy, isOpaque } = await sharp(bytes).stats();
      const small = await sharp(bytes).rotate().resize(32, 32, { fit: 'cover', position: 'attention' }).webp({ lossless: true }).toBuffer();
      ctx.body = { channels, density, dominant, entropy: entropy.toFixed(4), format, hasAlpha, height, isOpaque, small: small.toString('base64'), space, width };
    } catch (error) {
      ctx.throw(415, 'photo', { details: [error.message] });
    }
  });

  router.get('/walks/:slug/code', async (ctx) => {
    const { default: qr } = await import('qrcode');
    const text = `geo:${shared.store.walk(ctx.params.slug)?.points[0].lat ?? 0}`;
    const form = ctx.query.form ?? 'svg';
    if (form === 'png') {
      ctx.type = 'png';
      ctx.body = await qr.toBuffer(text, { errorCorrectionLevel: 'H' });
    } else {
      ctx.type = form === 'svg' ? 'svg' : 'text/plain';
      ctx.body = await qr.toString(text, { type: form });
    }
  });
}
