// Words of the user's language: i18next with a folder of YAML, of which only English is read at the start.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import i18next from 'i18next';
import Backend from 'i18next-fs-backend';
import { format, formatDistance, formatDuration, intervalToDuration } from 'date-fns';

const here = dirname(fileURLToPath(import.meta.url));

export const languages = ['en', 'de', 'fr', 'ja'];
const dates = { en: 'en-GB', de: 'de', fr: 'fr', ja: 'ja' };

export const words = i18next.createInstance();
await words.use(Backend).init({
  backend: { loadPath: join(here, 'locales/{{lng}}/{{ns}}.yaml') },
  defaultNS: 'common',
  fallbackLng: 'en',
  interpolation: { escapeValue: false },
  lng: 'en',
  ns: ['common'],
  preload: ['en'],
});

/** Returns what speaks one language, with the namespaces asked for. */
export async function speaker(language, namespaces = []) {
  await words.loadLanguages(language);
  if (namespaces.length) await words.loadNamespaces(namespaces);
  const t = words.getFixedT(language);
  const { default: locale } = await import(`date-fns/locale/${dates[language] ?? language}`);
  return {
    language,
    t,
    date: (value, pattern = 'PPPP') => format(value, pattern, { locale }),
    distance: (from, to) => formatDistance(from, to, { addSuffix: true, locale }),
    span: (minutes) =>
      formatDuration(intervalToDuration({ start: 0, end: minutes * 60_000 }), { locale, format: ['days', 'hours', 'minutes'] }),
    number: (value, options) => new Intl.NumberFormat(language, options).format(value),
  };
}

export async function reload() {
  await words.reloadResources();
}
