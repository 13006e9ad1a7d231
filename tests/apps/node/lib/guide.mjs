import { readFile } from 'node:fs/promises';
import { shout } from './text.mjs';

export async function render() {
  return shout(await readFile(new URL('./guide.txt', import.meta.url), 'utf8'));
}
