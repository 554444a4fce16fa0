// Answers to exercises. A form carries what the exercise's check says to every answer, as tools/answers.py found it.
(() => {
  // "(0.5, -1/3)", "0.5 2" or "True" as numbers; NaN for what is none
  const number = (word) => {
    if (/^(true|false)$/i.test(word)) return Number(/^t/i.test(word));
    const [top, bottom, ...more] = word.split("/");
    return more.length || bottom === "" || top === "" ? NaN : Number(top) / (bottom === undefined ? 1 : Number(bottom));
  };
  const verdict = ({ says, count, tree, words }, text) => {
    if (!count) {
      const letters = text.toUpperCase().replace(/[^A-Z0-9]/g, "");
      return says[words[letters] ?? words[[...new Set(letters)].sort().join("")] ?? 0];
    }
    const plain = text.replace(/[()[\]]/g, " ").replace(/\u2212/g, "-").trim();
    const given = (count === 1 ? [plain.replace(",", ".")] : plain.split(/[\s,;]+/).filter(Boolean)).map(number);
    if (given.length !== count || !given.every(Number.isFinite)) return says[0];
    let node = tree;
    while (Array.isArray(node)) {
      const [i, border, below, rest] = node;
      node = (border === null ? Number.isInteger(given[i]) : given[i] < border) ? below : rest;
    }
    return says[node];
  };
  for (const form of document.querySelectorAll("form.answer")) {
    const table = JSON.parse(form.querySelector("script").textContent);
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = form.querySelector("input").value;
      const hint = text.trim() ? verdict(table, text) : null;
      form.nextElementSibling.textContent = hint === null ? "… not answered yet" : hint ? `✗ not yet: ${hint}` : "✓ correct";
    });
  }
})();
