// Names from the machine's own files, and the user that runs this.
import { lookup } from 'node:dns/promises';
import { userInfo } from 'node:os';

export default async function host({ name = 'localhost' }) {
  const { family } = await lookup(name).catch((error) => ({ family: error.code }));
  const { username, homedir } = userInfo();
  return { family, homedir, username };
}
