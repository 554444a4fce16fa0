// The widget embedder looks for its fonts on a CDN and speaks MathJax 2; the fonts lie beside it, and MathJax is 3.
window.__jupyter_widgets_assets_path__ = new URL("html-manager/", document.currentScript.src).href;
document.addEventListener("DOMContentLoaded", () => {
  if (!window.MathJax || window.MathJax.Hub) return;
  const typeset = ([, , element]) => window.MathJax.startup.promise.then(() => window.MathJax.typesetPromise([element]));
  window.MathJax.Hub = { Queue: (...calls) => calls.forEach(typeset) };
});
