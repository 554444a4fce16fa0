/* The search of the book: sections, ranked by what their titles, synonyms and texts say; names of the package last. */

"use strict";

(() => {
  const SHOWN = 25;
  const AROUND = 90;
  const WEIGHTS = { text: 1, term: 0.8, aside: 0.35, name: 1 };

  /* Lower case, no accents, and hyphenated words as one. */
  const plain = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase()
    .replace(/(\p{L})[-\u2010\u2011](?=\p{L})/gu, "$1");
  const words = (text) => plain(text).match(/[\p{L}\p{N}_]+/gu) ?? [];
  /* A word without its plural. */
  const stem = (word) => (word.length > 3 && /[^s]s$/.test(word) ? word.slice(0, -1) : word);

  const sections = globalThis.bookSections.map(([page, anchor, title, trail, text, kind, synonyms]) => ({
    page, anchor, title, trail, text, kind,
    heading: words(title), body: words(text), above: words(trail), also: synonyms.map((word) => words(word).map(stem).join(" ")),
  }));
  const long = sections.reduce((sum, { body }) => sum + body.length, 0) / sections.length;

  /* How often a word begins with the stem that is asked for; a whole word counts twice. */
  const hits = (list, asked) => list.reduce((n, word) => n + (word.startsWith(asked) ? (stem(word) === asked ? 1 : 0.5) : 0), 0);

  function rank(query) {
    const asked = [...new Set(words(query).map(stem))];
    if (!asked.length) return [];
    const phrase = words(query).map(stem).join(" ");
    const rare = asked.map((word) => {
      const having = sections.filter(({ body, heading }) => hits(body, word) + hits(heading, word) > 0).length;
      return Math.log(1 + sections.length / (1 + having));
    });
    const scored = sections.map((section) => {
      const { heading, body, above, also, kind } = section;
      let [score, found] = [0, 0];
      asked.forEach((word, i) => {
        const [inTitle, inText] = [Math.min(1, hits(heading, word)), hits(body, word)];
        const synonym = also.some((entry) => entry.split(" ").some((other) => other.startsWith(word)));
        if (inTitle || inText || synonym || hits(above, word)) found++;
        score += rare[i] * (3 * inTitle + (2.2 * inText) / (inText + 1.2 * (0.25 + (0.75 * body.length) / long)));
      });
      if (heading.map(stem).join(" ").includes(phrase)) score += 6;
      if (asked.length > 1 && body.map(stem).join(" ").includes(phrase)) score += 4;
      if (also.includes(phrase)) score += 20;
      return { section, found, score: score * WEIGHTS[kind] };
    }).filter(({ score }) => score > 0);
    const most = Math.max(0, ...scored.map(({ found }) => found));
    return scored.filter(({ found }) => found === most)
      .sort((a, b) => (a.section.kind === "name") - (b.section.kind === "name") || b.score - a.score)
      .slice(0, SHOWN).map(({ section }) => section);
  }

  /* The words about the first that was asked for, with each of them marked. */
  function excerpt(text, asked) {
    const pattern = new RegExp(asked.map((word) => word.replace(/./gu, (letter) => `${letter}[-\u2010\u2011]?`)).join("|"), "giu");
    const first = text.search(pattern);
    const start = first > AROUND ? text.indexOf(" ", first - AROUND) + 1 : 0;
    const cut = text.slice(start, start + 3 * AROUND).replace(/\s+\S*$/, "");
    const line = document.createElement("p");
    line.className = "context";
    if (start) line.append("… ");
    let at = 0;
    for (const found of cut.matchAll(pattern)) {
      if (!found[0] || (found.index && /[\p{L}\p{N}]/u.test(cut[found.index - 1]))) continue;
      const mark = document.createElement("mark");
      mark.textContent = found[0];
      line.append(cut.slice(at, found.index), mark);
      at = found.index + found[0].length;
    }
    line.append(cut.slice(at), start + cut.length < text.length ? " …" : "");
    return line;
  }

  function show(query) {
    const place = document.getElementById("search-results");
    const found = rank(query);
    const told = document.createElement("p");
    told.setAttribute("role", "status");
    told.textContent = !query.trim() ? "" : found.length ? `${found.length === SHOWN ? "The first " : ""}${found.length} `
      + `${found.length === 1 ? "section" : "sections"} for “${query}”.` : `Nothing in the book says “${query}”.`;
    const list = document.createElement("ul");
    list.className = "search";
    const asked = words(query).map(stem);
    for (const { page, anchor, title, trail, text } of found) {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `${page}.html#${anchor}`;
      link.textContent = title;
      item.append(link);
      if (trail && trail !== title) {
        const where = document.createElement("span");
        where.className = "trail";
        where.textContent = trail;
        item.append(" ", where);
      }
      item.append(excerpt(text, asked));
      list.append(item);
    }
    place.replaceChildren(told, list);
  }

  const query = new URLSearchParams(location.search).get("q") ?? "";
  for (const input of document.querySelectorAll('form.bd-search input[type="search"]')) input.value = query;
  show(query);
  globalThis.bookSearch = rank;
})();
