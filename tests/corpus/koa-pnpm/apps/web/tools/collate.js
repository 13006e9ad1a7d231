export default async function collate({ lang = 'sv' }, { store }) {
  const names = [...store.walks().map((walk) => walk.title), 'Österlen', 'Zebra', 'Åre', 'Ängsö', 'öga'];
  return {
    list: new Intl.ListFormat(lang, { type: 'conjunction' }).format(names.slice(0, 3)),
    names: names.sort(new Intl.Collator(lang).compare),
    region: new Intl.DisplayNames([lang], { type: 'region' }).of('JP'),
    relative: new Intl.RelativeTimeFormat(lang, { numeric: 'auto' }).format(-1, 'day'),
    words: [...new Intl.Segmenter(lang, { granularity: 'word' }).segment('熊野古道を歩く')].map((part) => part.segment),
  };
}
