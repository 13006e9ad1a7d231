// Markdown: languages of the highlighter and the mathematics are loaded when a text first names them.
import hljs from 'highlight.js/lib/core';
import MarkdownIt from 'markdown-it';
import deflist from 'markdown-it-deflist';
import footnote from 'markdown-it-footnote';

const fence = /^(?:```|~~~)\s*([\w+#-]+)/gm;
const math = /\$([^$\n]+)\$/g;

async function known(language) {
  if (hljs.getLanguage(language)) return true;
  try {
    const { default: grammar } = await import(`highlight.js/lib/languages/${language}`);
    hljs.registerLanguage(language, grammar);
    return true;
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return false;
  }
}

export async function render(text, { clean = false } = {}) {
  const unknown = [];
  for (const [, language] of text.matchAll(fence)) {
    if (!(await known(language))) unknown.push(language);
  }
  const md = new MarkdownIt({
    html: clean,
    linkify: true,
    typographer: true,
    highlight: (code, language) =>
      hljs.getLanguage(language) ? hljs.highlight(code, { language, ignoreIllegals: true }).value : '',
  });
  md.use(footnote).use(deflist);
  let source = text;
  const formulas = [];
  if (math.test(text)) {
    math.lastIndex = 0;
    const { default: katex } = await import('katex');
    if (text.includes('\\ce{')) await import('katex/contrib/mhchem');
    source = text.replace(math, (_, formula) => {
      formulas.push(katex.renderToString(formula, { output: 'mathml', throwOnError: false }));
      return `FORMULA${formulas.length - 1}END`;
    });
  }
  let html = md.render(source).replace(/FORMULA(\d+)END/g, (_, number) => formulas[number]);
  if (clean) {
    const { default: sanitize } = await import('sanitize-html');
    html = sanitize(html, { allowedTags: sanitize.defaults.allowedTags.concat('img'), allowedSchemes: ['https'] });
  }
  return { html, unknown };
}
