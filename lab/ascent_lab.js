/* The image a class asks for, live: gradient ascent on S_c(I) - λ |I|², section 2 of the paper. */

import { bars } from "./bars.js";
import { cotangent, PIXELS, SIDE } from "./creature_network.js";
import { button, element, row, slider } from "./elements.js";
import { best } from "./maps.js";
import { drawImage, picture } from "./pictures.js";
import { Question } from "./question.js";

const STEPS = 100;

export async function ascentLab(place) {
  const ask = await Question.ask(3);
  const image = picture(SIDE, "", "The image so far");
  const curve = element("canvas", { width: 256, height: 256, role: "img", "aria-label": "The score so far" });
  const figure = element("figure", { class: "lab-picture smooth" }, curve,
    element("figcaption", {}, "its score, step by step"));
  const chart = bars("What the network sees");
  let [decay, rate, climbed, playing] = [0.02, 2.5, null, false];

  const play = button("Climb", () => {
    if (playing) return pause();
    if (climbed.scores.length > STEPS) start();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      for (let i = 0; i < 20; i++) step();
      return draw();
    }
    playing = true;
    play.textContent = "Pause";
    tickOn();
  });

  function pause() {
    playing = false;
    play.textContent = "Climb";
  }

  function tickOn() {
    if (!playing) return;
    step();
    draw();
    if (climbed.scores.length > STEPS || !place.isConnected) return pause();
    requestAnimationFrame(tickOn);
  }

  /* I ← I + rate · (w − 2 λ I), where I is the image less the mean. */
  function step() {
    const { I, scores } = climbed;
    const mean = (i) => ask.mean[Math.floor(i / PIXELS)];
    const seen = I.map((value, i) => value + mean(i));
    const ran = ask.network.run(seen);
    scores.push(ran.scores[ask.target]);
    climbed.all = ran.scores;
    const w = ask.network.gradient(ran, cotangent(ask.names.length, ask.target));
    climbed.I = I.map((value, i) => value + rate * (w[i] - 2 * decay * value));
  }

  function draw() {
    drawImage(image, climbed.I.map((value, i) => value + ask.mean[Math.floor(i / PIXELS)]));
    const { scores, all } = climbed;
    image.legend.textContent = `“${ask.name}”, after ${scores.length} steps`;
    image.describe(`The image that ${ask.name} asks for, after ${scores.length} steps`);
    if (all) chart.show(best(all, 3).map((i) => ({ name: ask.names[i], value: all[i], text: all[i].toFixed(1) })));
    plot(curve, scores);
  }

  function start() {
    pause();
    climbed = { I: new Float32Array(3 * PIXELS), scores: [], all: null };
    draw();
    chart.body.replaceChildren();
  }

  place.append(
    row(ask.classMenu(start, "Class"), play, button("One step", () => {
      pause();
      step();
      draw();
    }), button("Start again", start)),
    row(slider("λ", { min: 0, max: 0.1, step: 0.005, value: decay, format: (v) => v.toFixed(3) }, (value) => {
      decay = value;
    }), slider("Step size", { min: 0.1, max: 5, step: 0.1, value: rate, format: (v) => v.toFixed(1) }, (value) => {
      rate = value;
    })),
    element("div", { class: "lab-pictures" }, image.figure, figure),
    chart.body,
  );
  start();
}

function plot(canvas, scores) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  context.strokeStyle = style.color;
  context.fillStyle = style.color;
  context.font = "16px system-ui, sans-serif";
  const most = Math.max(1, ...scores);
  context.globalAlpha = 0.35;
  context.strokeRect(0.5, 0.5, width - 1, height - 1);
  context.globalAlpha = 1;
  context.fillText(most.toFixed(0), 8, 22);
  context.lineWidth = 2.5;
  context.beginPath();
  scores.forEach((score, i) => context.lineTo((width * i) / STEPS, height - 6 - ((height - 34) * Math.max(0, score)) / most));
  context.stroke();
  canvas.setAttribute("aria-label", scores.length
    ? `The score rose from ${scores[0].toFixed(1)} to ${scores[scores.length - 1].toFixed(1)} in ${scores.length} steps`
    : "No step was made yet");
}
