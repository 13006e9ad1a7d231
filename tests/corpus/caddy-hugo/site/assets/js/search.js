// Looks for words in the list of all pages.
(function () {
  "use strict";
  async function find(words) {
    const answer = await fetch("/index.json");
    const pages = await answer.json();
    const wanted = words.toLowerCase().split(/\s+/);
    return pages.filter(function (page) {
      const text = (page.title + " " + page.text).toLowerCase();
      return wanted.every(function (word) { return text.includes(word); });
    });
  }
  window.birch = { find: find };
})();
