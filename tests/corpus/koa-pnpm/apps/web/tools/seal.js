// Digests, ciphers and keys of the system's OpenSSL.
import { createCipheriv, createHash, createSign, createVerify, diffieHellman, generateKeyPairSync, hkdfSync, scryptSync } from 'node:crypto';

export default async function seal({ hash = 'sha3-256', cipher = 'chacha20-poly1305', curve = 'brainpoolP256r1', text = 'trail' }) {
  const digest = createHash(hash).update(text).digest('hex');
  const key = scryptSync(text, 'salt', 32);
  const sealed = createCipheriv(cipher, key, Buffer.alloc(12), { authTagLength: 16 });
  const hidden = sealed.update(text, 'utf8', 'hex') + sealed.final('hex') + sealed.getAuthTag().toString('hex');
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve });
  const signature = createSign('sha384').update(text).sign(privateKey);
  const [one, two] = [generateKeyPairSync('x25519'), generateKeyPairSync('x25519')];
  const shared = diffieHellman({ privateKey: one.privateKey, publicKey: two.publicKey });
  return {
    digest,
    hidden,
    hkdf: Buffer.from(hkdfSync('sha512', key, 'salt', 'info', 16)).toString('hex'),
    shared: shared.length,
    verified: createVerify('sha384').update(text).verify(publicKey, signature),
  };
}
