/* The only script of a page until one of its labs comes near the window: it then loads the others. */

"use strict";

(() => {
  const base = document.currentScript.src.replace(/[^/]*$/, "");

  function load() {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = `${base}lab.css`;
    const script = document.createElement("script");
    script.src = `${base}lab.js`;
    script.onerror = failed;
    // What came may be something else: a host's start page, or half of the script.
    script.onload = () => globalThis.lab || failed();
    document.head.append(style, script);
  }

  function failed() {
    for (const place of document.querySelectorAll(".lab")) {
      const note = document.createElement("p");
      note.setAttribute("role", "status");
      note.textContent = "This lab could not start (lab.js did not come whole). The picture was prepared beforehand.";
      place.append(note);
      place.dataset.state = "failed";
    }
  }

  function watch() {
    const near = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      load();
    }, { rootMargin: "400px" });
    for (const place of document.querySelectorAll(".lab")) near.observe(place);
  }

  if (typeof DecompressionStream === "undefined" || typeof IntersectionObserver === "undefined") return;
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
