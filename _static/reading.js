/* How a chapter is read: for its text or with its code, in the light or the dark, on a screen or on paper. */

"use strict";

(() => {
  const KEY = "book-reading";
  const A4 = 660;

  /* What was chosen last time; a browser may refuse to remember. */
  function remembered() {
    try { return localStorage.getItem(KEY) === "run"; } catch { return false; }
  }

  function remember(run) {
    try { localStorage.setItem(KEY, run ? "run" : "read"); } catch { /* then it is chosen each time */ }
  }

  /* Open or fold the code of the whole chapter. */
  function show(run) {
    document.documentElement.dataset.reading = run ? "run" : "read";
    for (const fold of document.querySelectorAll("details.hide.above-input")) fold.open = run;
  }

  /* Two choices in the bar above a chapter that has folded code; on a phone, where it is full, below the title. */
  function switchFor(bar) {
    const group = document.createElement("fieldset");
    group.className = "reading";
    group.innerHTML = `<legend>How to read</legend>
      <label><input type="radio" name="reading" value="read"><span>Read</span></label>
      <label><input type="radio" name="reading" value="run"><span>Read and run</span></label>`;
    const run = remembered();
    group.querySelector(`[value=${run ? "run" : "read"}]`).checked = true;
    group.addEventListener("change", ({ target }) => {
      remember(target.value === "run");
      show(target.value === "run");
    });
    const [title, narrow] = [document.querySelector(".bd-article h1"), matchMedia("(max-width: 576px)")];
    const stand = () => (title && narrow.matches ? title.after(group) : bar.append(group));
    narrow.addEventListener("change", stand);
    stand();
    if (run) show(true);
  }

  /* In the dark a figure is shown on dark paper, where the book has made such a copy. */
  function paper() {
    const dark = document.documentElement.dataset.theme === "dark";
    for (const picture of document.querySelectorAll("img[data-dark]")) {
      picture.dataset.light ??= picture.getAttribute("src");
      const wanted = dark ? picture.dataset.dark : picture.dataset.light;
      if (picture.getAttribute("src") !== wanted) picture.src = wanted;
      if (picture.parentElement.matches("a.enlarge")) picture.parentElement.href = wanted;
    }
  }

  /* A table that is wider than the paper is printed smaller. All are measured before any is changed. */
  function fitPaper() {
    const tables = [...document.querySelectorAll(".bd-article table")];
    const widths = tables.map((table) => table.scrollWidth);
    tables.forEach((table, i) => {
      if (widths[i] > A4) table.style.zoom = A4 / widths[i];
    });
  }

  const bar = document.querySelector(".header-article-items__start");
  if (bar && document.querySelector("details.hide.above-input")) switchFor(bar);
  paper();
  new MutationObserver(paper).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  window.addEventListener("beforeprint", () => {
    fitPaper();
    for (const picture of document.querySelectorAll("img[data-light]")) picture.src = picture.dataset.light;
  });
  window.addEventListener("afterprint", () => {
    for (const table of document.querySelectorAll(".bd-article table")) table.style.zoom = "";
    paper();
  });
})();
