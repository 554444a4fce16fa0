/* What the pages do beyond reading; without JavaScript they are whole, only less convenient. */

"use strict";

/* A figure opens over the page, as large as the screen lets it be whole; its link leads to the picture where this does not
   run. A press on the picture shows it twice as large, or as it is; two fingers enlarge it as everything. */
function enlarge(link) {
  const picture = link.querySelector("img");
  const dialog = document.createElement("dialog");
  const large = new Image();
  const close = document.createElement("button");
  large.src = picture.currentSrc || picture.src;
  large.alt = picture.alt;
  close.textContent = "Close";
  dialog.className = "enlarged";
  dialog.setAttribute("aria-label", "Figure, large");
  dialog.append(close, large);
  dialog.addEventListener("click", ({ target, offsetX, offsetY }) => {
    if (target !== large) return dialog.close();
    const [x, y] = [offsetX / large.clientWidth, offsetY / large.clientHeight];
    dialog.classList.toggle("closer");
    // What was pressed stays in the middle.
    dialog.scrollTo(x * large.clientWidth - dialog.clientWidth / 2, y * large.clientHeight - dialog.clientHeight / 2);
  });
  dialog.addEventListener("close", () => { dialog.remove(); link.focus(); });
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.enlarge");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  enlarge(link);
});

/* The hidden frames of a player come when a hand or the focus is near it. */
for (const kind of ["pointerover", "focusin", "touchstart"]) {
  document.addEventListener(kind, (event) => {
    const player = event.target.closest && event.target.closest(".frame-player:not(.loaded)");
    if (!player) return;
    player.classList.add("loaded");
    for (const picture of player.querySelectorAll("img")) picture.loading = "eager";
  }, { passive: true });
}

/* A formula wider than the page is drawn smaller, down to three quarters; what then still scrolls can be reached by key.
   All are measured before any is changed: the browser lays the page out once. */
function fitAll() {
  const formulas = [...document.querySelectorAll("div.math")];
  for (const block of formulas) block.style.fontSize = "";
  const shares = formulas.map((block) => block.clientWidth / block.scrollWidth);
  formulas.forEach((block, i) => {
    if (shares[i] < 1) block.style.fontSize = `${Math.max(75, Math.floor(98 * shares[i]))}%`;
  });
  const scrolling = [...document.querySelectorAll("div.math, .highlight pre, .pst-scrollable-table-container")];
  const wide = scrolling.map((block) => block.scrollWidth > block.clientWidth);
  scrolling.forEach((block, i) => {
    if (wide[i]) block.tabIndex = 0;
    else if (block.matches("div.math")) block.removeAttribute("tabindex");
  });
}

window.addEventListener("load", () => {
  const ready = window.MathJax && MathJax.startup ? MathJax.startup.promise : Promise.resolve();
  ready.then(fitAll);
  let last = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === last) return;
    last = window.innerWidth;
    fitAll();
  });
});

/* Paper waits for no scrolling. */
window.addEventListener("beforeprint", () => {
  for (const picture of document.images) picture.loading = "eager";
});
