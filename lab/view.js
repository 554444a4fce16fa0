/* The only script of a page until one of its labs comes near the window: it then loads the others. A lab that is marked
   `data-start="touch"` waits for a hand or the focus; what is drawn on it meanwhile is kept for it. */

"use strict";

(() => {
  const base = document.currentScript.src.replace(/[^/]*$/, "");
  let loading = false;

  function load() {
    if (loading) return;
    loading = true;
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
    for (const place of document.querySelectorAll(".lab")) {
      if (place.dataset.start === "touch") waitFor(place);
      else near.observe(place);
    }
    // A link to a lab that is set up says so after the lab's name, where a browser looks for no place of that name.
    const [name, setup] = location.hash.slice(1).split(/&(.*)/s);
    const place = setup && name.startsWith("lab-") && document.getElementById(name);
    if (place) hold(place);
  }

  // What stands above a lab grows while it starts: the lab stays in view until somebody moves.
  function hold(place) {
    const grown = new ResizeObserver(() => place.scrollIntoView());
    grown.observe(document.body);
    for (const type of ["wheel", "pointerdown", "touchstart", "keydown"]) {
      addEventListener(type, () => grown.disconnect(), { once: true, passive: true });
    }
  }

  function waitFor(place) {
    place.strokes = [];
    const touched = ({ type }) => {
      if (type === "pointerenter" && navigator.connection?.saveData) return;
      place.dataset.touched = "";
      place.dispatchEvent(new Event("lab-start"));
      load();
    };
    for (const type of ["pointerenter", "pointerdown", "focusin", "click"]) place.addEventListener(type, touched);
    const draw = (event) => {
      const sheet = event.target.closest(".lab-prepared figure:first-child img");
      if (!sheet || !(event.buttons & 1)) return;
      if (event.type === "pointerdown" || !place.strokes.length) place.strokes.push([]);
      const box = sheet.getBoundingClientRect();
      place.strokes.at(-1).push([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
    };
    place.addEventListener("pointerdown", draw);
    place.addEventListener("pointermove", draw);
    place.addEventListener("dragstart", (event) => event.preventDefault());
  }

  if (typeof DecompressionStream === "undefined" || typeof IntersectionObserver === "undefined") return;
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
