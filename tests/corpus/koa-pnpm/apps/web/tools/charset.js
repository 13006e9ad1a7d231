import iconv from 'iconv-lite';

export default async function charset({ name = 'utf16', text = 'Blüemlisalp 熊野' }) {
  if (!iconv.encodingExists(name)) return { error: `no ${name}` };
  const bytes = iconv.encode(text, name);
  return { back: iconv.decode(bytes, name), hex: bytes.toString('hex'), icu: new TextDecoder('shift_jis').decode(Buffer.from('8c468ecc', 'hex')) };
}
