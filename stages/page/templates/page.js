// Events of a report: what is near the view comes alive, what is pointed at is told, what is chosen opens.
// Nothing is drawn here: charts are Vega specifications, and everything else is filled into templates as text.
"use strict";
(() => {
const read = (id) => { const block = document.getElementById(id); return block ? JSON.parse(block.textContent) : null; };
const page = read("page");
const videos = [...document.querySelectorAll(".video")].map((article, number) => made(article, number));
const NONE = { truth: null, detected: null, run: null, length: null, strength: null, cut: null };
const filter = { kinds: new Set(), emotions: new Set(), subject: "", ...NONE };
const live = new Map();
let opened = null;

function made(article, number) {
  const told = read(`video-${number}`);
  const length = Math.max(told.frames, 1) * told.pace;
  const video = { ...told, article, number, length, domain: [0, length], chosen: null, curves: null, cases: [] };
  told.runs.forEach((run, at) => (run ? run.cases : []).forEach((row, index) => {
    const seconds = row.span.map((frame) => frame * told.pace);
    video.cases.push({ ...row, run: at, index, from: seconds[0], to: seconds[1], faint: false, key: `${number}-${at}-${index}` });
  }));
  video.cases.sort((one, other) => one.from - other.from);
  return video;
}

// Scores of one run by emotion: bytes, a bin each.
function curvesOf(video) {
  video.curves ??= video.runs.map((run) => (run ? run.curves : []).map((text) => bytes(text)));
  return video.curves;
}

function bytes(text) { return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)); }

// Points of every curve, without those that differ from the last one by less than a pixel shows.
const LEAST = 3;

function curveRows(video) {
  const rows = [];
  curvesOf(video).forEach((lines, run) => lines.forEach((levels, column) => {
    const place = video.runs[run].columns[column], bin = video.runs[run].bin;
    const look = { run, line: place, colour: page.colours[place], dash: page.dashes[place] };
    const push = (index) => rows.push({ ...look, at: (index + 0.5) * bin * video.pace, score: levels[index] / 255 });
    let kept = -1;
    levels.forEach((level, index) => {
      if (kept >= 0 && index < levels.length - 1 && Math.abs(level - levels[kept]) <= LEAST) return;
      if (kept >= 0 && kept < index - 1) push(index - 1);
      push(index);
      kept = index;
    });
  }));
  return rows;
}

function caseRows(video) {
  return video.cases.map((row) => ({
    run: row.run, kind: row.kind, from: row.from, to: row.to, confidence: row.confidence, faint: row.faint,
    sign: page.kinds[row.kind].sign, colour: colour(row.emotion ?? row.truth),
  }));
}

function colour(number) { return page.colours[number] ?? "var(--quiet)"; }

// Charts in view are live; those far away give back what they hold.
async function start(box) {
  const name = box.dataset.chart, plot = box.querySelector(".plot");
  if (live.has(box) || !page.charts[name] || !plot) return;
  const held = { view: null };
  live.set(box, held);
  const video = name === "timeline" ? videos[box.closest(".video").dataset.video] : null;
  const full = video ? timelineOf(video) : name === "attention" ? attentionOf(box.told) : page.charts[name];
  // Vega names and labels what it is given, so that it is given a box of its own inside the one that has the focus.
  const inner = plot.appendChild(document.createElement("div"));
  if (video) inner.ariaHidden = "true";
  const description = box.querySelector("figcaption")?.textContent.trim();
  const made = await vegaEmbed(inner, { ...full, description, width: widthOf(box) }, {
    mode: "vega", renderer: "svg", actions: false, hover: false, defaultStyle: false, ast: true,
    tooltip: (_, event, item, value) => (video ? undefined : tell(value, event)),
  });
  if (live.get(box) !== held) return made.finalize();
  Object.assign(held, made);
  if (video) refresh(video);
}

function stop(box) {
  live.get(box)?.finalize?.();
  live.delete(box);
  box.querySelector(".plot")?.replaceChildren();
}

function widthOf(box) {
  const wide = box.querySelector(".plot").clientWidth;
  return Math.max(box.dataset.chart === "timeline" ? wide - page.gutter - page.margin : wide, 60);
}

function filledWith(name, data, signals = {}) {
  const empty = page.charts[name];
  return {
    ...empty,
    data: empty.data.map((set) => (data[set.name] ? { ...set, values: data[set.name] } : set)),
    signals: (empty.signals ?? []).map((signal) => (signal.name in signals ? { ...signal, value: signals[signal.name] } : signal)),
  };
}

function timelineOf(video) {
  const lasting = ([from, to]) => ({ from: from * video.pace, to: to * video.pace });
  const truths = video.truths.map((row) => ({ ...lasting(row), colour: colour(row[2]), name: page.classes[row[2]] ?? "" }));
  const data = { truths, faceless: video.faceless.map(lasting), cases: caseRows(video), curves: curveRows(video) };
  return filledWith("timeline", data, { thresholds: video.runs.map((run) => (run ? run.threshold : null)), domain: video.domain });
}

// What may have changed while a timeline was being made, or since.
function refresh(video) {
  viewOf(video)?.signal("domain", video.domain).signal("chosen", video.chosen && [video.chosen.from, video.chosen.to])
    .data("cases", caseRows(video)).runAsync();
}

function attentionOf(told) {
  const levels = bytes(told.levels), step = (told.to - told.from) / Math.max(levels.length, 1);
  const weights = [...levels].map((level, index) => ({
    from: (told.from + index * step) * told.pace, to: (told.from + (index + 1) * step) * told.pace, times: (level / 255) * told.top,
  }));
  return filledWith("attention", { weights, spans: [{ from: told.case.from, to: told.case.to }] });
}

// One after the other, so that scrolling stays smooth; what was scrolled past meanwhile is not begun.
const waiting = new Set();
let busy = false;

const near = new IntersectionObserver((entries) => {
  entries.forEach((entry) => (entry.isIntersecting ? waiting.add(entry.target) : waiting.delete(entry.target)));
  if (!busy) startNext();
}, { rootMargin: "500px 0px" });

function startNext() {
  busy = waiting.size > 0;
  if (!busy) return;
  const box = [...waiting].find(inSight) ?? waiting.values().next().value;
  waiting.delete(box);
  start(box).finally(() => requestAnimationFrame(() => setTimeout(startNext, 0)));
}

function inSight(box) {
  const { top, bottom } = box.getBoundingClientRect();
  return bottom > 0 && top < document.documentElement.clientHeight;
}

const far = new IntersectionObserver((entries) => entries.forEach((entry) => {
  if (!entry.isIntersecting) stop(entry.target);
}), { rootMargin: "2000px 0px" });

function watch(box) { near.observe(box); far.observe(box); }

let width = document.documentElement.clientWidth;
new ResizeObserver(() => {
  if (width === document.documentElement.clientWidth) return;
  width = document.documentElement.clientWidth;
  live.forEach(({ view }, box) => view?.width(widthOf(box)).runAsync());
}).observe(document.documentElement);
window.addEventListener("beforeprint", () => document.querySelectorAll("figure.chart").forEach(start));

function viewOf(video) { return live.get(video.article.querySelector(":scope > .chart"))?.view; }

function signal(video, name, value) { viewOf(video)?.signal(name, value).runAsync(); }

// What is under the pointer.
function moment(video, event) {
  const box = video.article.querySelector(".plot").getBoundingClientRect();
  const wide = box.width - page.gutter - page.margin, [from, to] = video.domain;
  const across = (event.clientX - box.left - page.gutter) / wide, down = event.clientY - box.top;
  const lane = page.lanes.find((row) => down >= row.top - 3 && down <= row.bottom + 3) ?? null;
  return { seconds: from + across * (to - from), inside: across >= 0 && across <= 1, lane, reach: (6 / wide) * (to - from) };
}

function hit(video, at) {
  if (at.lane?.what === "truths") {
    const truth = video.truths.findIndex((row) => distance(at.seconds, row[0] * video.pace, row[1] * video.pace) <= at.reach);
    return truth < 0 ? null : [...video.cases].sort(byFit).find((row) => row.of === truth) ?? null;
  }
  if (at.lane?.what !== "cases") return null;
  const around = video.cases.filter((row) => row.run === at.lane.run && distance(at.seconds, row.from, row.to) <= at.reach);
  return around.sort((one, other) => one.faint - other.faint
    || distance(at.seconds, one.from, one.to) - distance(at.seconds, other.from, other.to) || (one.to - one.from) - (other.to - other.from))[0] ?? null;
}

const order = Object.keys(page.kinds);
function byFit(one, other) { return order.indexOf(one.kind) - order.indexOf(other.kind); }

function distance(at, from, to) { return Math.max(from - at, at - to, 0); }

// Words for a case, a moment, a point of a chart.
const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;
const named = (number) => page.classes[number] ?? "unknown";
const shownNumber = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));

function titleOf(row) {
  const what = row.kind === "missed" ? `missed ${named(row.truth)}` : `${page.kinds[row.kind].name}: ${named(row.emotion)}`;
  return page.runs.length > 1 ? `${page.runs[row.run]}: ${what}` : what;
}

function factsOf(video, row) {
  const facts = [["frames", `${row.labels[0]} – ${row.labels[1]}`], ["seconds", `${row.seconds[0].toFixed(2)} – ${row.seconds[1].toFixed(2)}`]];
  if (row.confidence !== null) facts.push(["confidence", `${shownNumber(row.confidence)} (threshold ${shownNumber(video.runs[row.run].threshold)})`]);
  if (row.cut !== null) facts.push(["window", row.cut ? "none holds it whole" : "one holds it whole"]);
  if (row.kind !== "missed") facts.push(["expression", row.truth === null ? "none" : named(row.truth)]);
  if (row.iou !== null) facts.push(["IoU", shownNumber(row.iou)]);
  return facts;
}

function scoresOf(video, row) {
  return row.scores.map((score, column) => [video.runs[row.run].columns[column], score]).filter(([, score]) => score !== null);
}

function scoresAt(video, run, seconds) {
  const told = video.runs[run], index = Math.floor(seconds / video.pace / (told?.bin ?? 1));
  return curvesOf(video)[run].map((levels, column) => [told.columns[column], (levels[index] ?? 0) / 255]);
}

function cloned(name) { return document.getElementById(name).content.firstElementChild.cloneNode(true); }

function filled(node, values) {
  Object.entries(values).forEach(([name, value]) => { node.querySelector(`[data-fill="${name}"]`).textContent = value; });
  return node;
}

function scoreList(scores) {
  return [...scores].sort((one, other) => other[1] - one[1]).map(([number, score]) => {
    const row = filled(cloned("score"), { name: named(number), value: score.toFixed(2) });
    row.querySelector("i").style.cssText = `width:${100 * score}%;background:${colour(number)};opacity:1`;
    return row;
  });
}

const hint = document.getElementById("hint");

function show(x, y, title, lines, scores = []) {
  hint.replaceChildren();
  const add = (tag, text) => { const node = document.createElement(tag); node.textContent = text; hint.append(node); return node; };
  add("b", title);
  lines.forEach((text) => add("p", text));
  if (scores.length) { const list = add("ul", ""); list.className = "scores"; list.append(...scoreList(scores)); }
  hint.hidden = false;
  const box = hint.getBoundingClientRect(), wide = document.documentElement.clientWidth, tall = document.documentElement.clientHeight;
  hint.style.left = `${Math.max(8, Math.min(x + 14, wide - box.width - 8))}px`;
  hint.style.top = `${y + 18 + box.height > tall ? Math.max(8, y - box.height - 12) : y + 18}px`;
}

function hide() { hint.hidden = true; }

function tell(value, event) {
  if (value === null || value === undefined || value === "") return hide();
  const rows = typeof value === "object" ? Object.entries(value).filter(([name]) => !name.startsWith("_") && value[name] !== "") : [["", value]];
  const text = ([name, shown]) => `${name} ${typeof shown === "number" ? +shown.toFixed(4) : shown}`;
  return show(event.clientX, event.clientY, text(rows[0]), rows.slice(1).map(text));
}

function tellCase(video, row, x, y) {
  show(x, y, `${page.kinds[row.kind].sign} ${titleOf(row)}`, factsOf(video, row).map((pair) => pair.join(" ")), scoresOf(video, row));
}

function tellMoment(video, at, event) {
  const frame = Math.min(Math.max(Math.floor(at.seconds / video.pace), 0), video.frames - 1);
  const title = `frame ${Math.round(video.first + frame * video.step)}, ${clock(at.seconds)}`;
  const faceless = video.faceless.some(([from, to]) => frame >= from && frame < to) ? ["no face in this frame"] : [];
  const run = at.lane?.what === "curve" ? at.lane.run : 0;
  if (at.lane?.what === "truths") {
    const truth = video.truths.find(([from, to]) => frame >= from && frame < to);
    if (truth) return show(event.clientX, event.clientY, named(truth[2]), [title, `lasts ${((truth[1] - truth[0]) * video.pace).toFixed(2)} s`]);
  }
  return show(event.clientX, event.clientY, title, faceless, video.runs[run] ? scoresAt(video, run, at.seconds) : []);
}

// Pointing, dragging, zooming on a timeline.
function listen(video) {
  const plot = video.article.querySelector(".plot");
  let held = null;
  plot.addEventListener("pointermove", (event) => {
    if (held && Math.abs(event.clientX - held.x) > 4) held.moved = true;
    if (held?.moved) { pan(video, held.domain, held.x - event.clientX); return hide(); }
    const at = moment(video, event), row = hit(video, at);
    plot.classList.toggle("on-case", row !== null);
    signal(video, "hover", at.inside ? at.seconds : null);
    if (row) return tellCase(video, row, event.clientX, event.clientY);
    return at.inside ? tellMoment(video, at, event) : hide();
  });
  plot.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    held = { x: event.clientX, domain: [...video.domain], moved: false };
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointerup", (event) => {
    const row = held && !held.moved ? hit(video, moment(video, event)) : null;
    held = null;
    if (row) open(video, row);
  });
  plot.addEventListener("pointercancel", () => { held = null; });
  plot.addEventListener("pointerleave", () => { signal(video, "hover", null); hide(); });
  plot.addEventListener("dblclick", (event) => zoom(video, 0.5, moment(video, event).seconds));
  plot.addEventListener("wheel", (event) => {
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (!event.ctrlKey && !event.metaKey && !(sideways && whole(video) === false)) return;
    event.preventDefault();
    if (sideways && !event.ctrlKey) pan(video, video.domain, event.deltaX);
    else zoom(video, Math.exp(Math.sign(event.deltaY) * 0.2), moment(video, event).seconds);
  }, { passive: false });
  plot.addEventListener("keydown", (event) => keyed(video, event));
  plot.addEventListener("blur", () => { hide(); });
  video.article.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => {
    if (button.dataset.zoom === "all") return look(video, [0, video.length]);
    return zoom(video, button.dataset.zoom === "in" ? 0.5 : 2, (video.domain[0] + video.domain[1]) / 2);
  }));
}

function whole(video) { return video.domain[1] - video.domain[0] >= video.length * 0.999; }

function look(video, [from, to]) {
  const wide = Math.min(Math.max(to - from, Math.min(12 * video.pace, video.length)), video.length);
  const first = Math.min(Math.max(from, 0), video.length - wide);
  video.domain = [first, first + wide];
  signal(video, "domain", video.domain);
}

function zoom(video, factor, about) {
  const [from, to] = video.domain;
  look(video, [about - (about - from) * factor, about + (to - about) * factor]);
}

function pan(video, [from, to], pixels) {
  const wide = video.article.querySelector(".plot").clientWidth - page.gutter - page.margin;
  const by = (pixels / wide) * (to - from);
  look(video, [from + by, to + by]);
}

function keyed(video, event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const acts = {
    Enter: () => video.chosen && open(video, video.chosen), " ": () => video.chosen && open(video, video.chosen),
    "+": () => zoom(video, 0.5, middle(video)), "=": () => zoom(video, 0.5, middle(video)),
    "-": () => zoom(video, 2, middle(video)), 0: () => look(video, [0, video.length]),
    Home: () => choose(video, shownCases(video)[0]), End: () => choose(video, shownCases(video).at(-1)),
  };
  if (step && event.shiftKey) pan(video, video.domain, step * 120);
  else if (step) choose(video, beside(shownCases(video), video.chosen, step));
  else if (acts[event.key]) { hide(); acts[event.key](); }
  else return;
  event.preventDefault();
}

function middle(video) { return video.chosen ? (video.chosen.from + video.chosen.to) / 2 : (video.domain[0] + video.domain[1]) / 2; }

function shownCases(video) { return video.cases.filter((row) => !row.faint); }

function beside(rows, row, step) {
  const at = rows.indexOf(row);
  return at < 0 ? rows.at(step > 0 ? 0 : -1) : rows[at + step] ?? row;
}

function choose(video, row) {
  if (!row) return;
  mark(video, row);
  const plot = video.article.querySelector(".plot").getBoundingClientRect();
  const [from, to] = video.domain, wide = plot.width - page.gutter - page.margin;
  const lane = page.lanes.find((told) => told.what === "cases" && told.run === row.run);
  tellCase(video, row, plot.left + page.gutter + ((row.to - from) / (to - from)) * wide, plot.top + lane.bottom);
}

function mark(video, row) {
  video.chosen = row;
  signal(video, "chosen", row && [row.from, row.to]);
  if (row && (row.to < video.domain[0] || row.from > video.domain[1])) {
    const half = (video.domain[1] - video.domain[0]) / 2, at = (row.from + row.to) / 2;
    look(video, [at - half, at + half]);
  }
}

// One case is open at a time, below its timeline.
function open(video, row, focus = true) {
  hide();
  if (opened) shut(false);
  mark(video, row);
  const node = filled(cloned("case"), {
    sign: page.kinds[row.kind].sign, title: titleOf(row), meaning: sentence(row),
    scored: row.scores.length ? "scores at its strongest frame" : "", unpictured: "",
  });
  const into = (name, nodes) => node.querySelector(`[data-list="${name}"]`).append(...nodes);
  into("facts", factsOf(video, row).map(([term, value]) => filled(cloned("fact"), { term, value })));
  into("scores", scoreList(scoresOf(video, row)));
  pictured(node, row, into);
  const attentions = (read(`attention-${video.number}`) ?? {})[`${row.run}-${row.index}`] ?? [];
  into("attentions", attentions.map((told) => looked(video, row, told)));
  node.querySelectorAll("[data-move]").forEach((button) => button.addEventListener("click", () => move(Number(button.dataset.move))));
  node.querySelector("[data-close]").addEventListener("click", () => shut(true));
  const place = video.article.querySelector(".opened");
  place.replaceChildren(node);
  place.hidden = false;
  place.querySelectorAll(".chart").forEach(watch);
  opened = { video, row };
  history.replaceState(null, "", `#case-${row.key}`);
  if (focus) node.querySelector("h4").focus({ preventScroll: true });
  node.scrollIntoView({ block: "nearest" });
}

function sentence(row) {
  const meaning = page.kinds[row.kind].meaning;
  return `${meaning[0].toUpperCase()}${meaning.slice(1)}.`;
}

function pictured(node, row, into) {
  const pictures = read(`pictures-${row.key}`) ?? [];
  into("pictures", pictures.map(([role, frame, seconds, source]) => {
    const face = filled(cloned("picture"), { role, frame: `frame ${frame}`, time: `${seconds.toFixed(2)} s` });
    const box = face.querySelector(".frame");
    if (source) { const image = new Image(); image.src = source; image.alt = `face at the ${role}, frame ${frame}`; box.append(image); }
    else box.classList.add("blank");
    return face;
  }));
  if (!pictures.length && document.getElementById("left-out")) filled(node, { unpictured: "No pictures of this case: those of the last cases were left out." });
}

function looked(video, row, told) {
  const box = filled(cloned("looked"), { name: told.name });
  box.told = { ...told, case: row, pace: video.pace };
  return box;
}

function shut(focus) {
  if (!opened) return;
  const { video } = opened, place = video.article.querySelector(".opened");
  place.querySelectorAll(".chart").forEach((box) => { near.unobserve(box); far.unobserve(box); waiting.delete(box); stop(box); });
  place.replaceChildren();
  place.hidden = true;
  mark(video, focus ? video.chosen : null);
  opened = null;
  history.replaceState(null, "", "#timelines");
  if (focus) video.article.querySelector(".plot").focus({ preventScroll: true });
}

function move(step) {
  const all = videos.flatMap((video) => (video.article.hidden ? [] : shownCases(video).map((row) => ({ video, row }))));
  const at = opened ? all.findIndex((told) => told.row === opened.row) : step > 0 ? -1 : all.length;
  const next = all[at + step];
  if (next) open(next.video, next.row);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "Escape") { if (!hint.hidden) hide(); shut(true); }
  if (event.key === "j") move(1);
  if (event.key === "k") move(-1);
});

// The filter: what is not asked for turns faint, and a video without anything asked for goes.
function asked(video, row) {
  const emotions = [row.emotion, row.truth].filter((number) => number !== null);
  return (!filter.kinds.size || filter.kinds.has(row.kind)) && (!filter.subject || filter.subject === video.subject)
    && (!filter.emotions.size || emotions.some((number) => filter.emotions.has(number)))
    && (filter.truth === null || filter.truth === row.truth) && (filter.detected === null || filter.detected === row.emotion)
    && (filter.run === null || filter.run === row.run) && (filter.strength === null || filter.strength === row.strength)
    && (filter.cut === null || filter.cut === row.cut)
    && (filter.length === null || (row.length >= filter.length[0] && row.length < (filter.length[1] ?? Infinity)));
}

function filtering() {
  return filter.kinds.size || filter.emotions.size || Object.keys(NONE).some((name) => filter[name] !== null);
}

function apply() {
  let count = 0, all = 0, kept = 0;
  videos.forEach((video) => {
    video.cases.forEach((row) => { row.faint = !asked(video, row); });
    const left = shownCases(video).length, there = (!filter.subject || filter.subject === video.subject) && (left > 0 || !filtering());
    video.article.hidden = !there;
    count += left; all += video.cases.length; kept += there;
    refresh(video);
  });
  const some = Boolean(filtering() || filter.subject);
  document.querySelectorAll("[data-kind]").forEach((button) => button.setAttribute("aria-pressed", filter.kinds.has(button.dataset.kind)));
  document.querySelectorAll("[data-emotion]").forEach((button) => button.setAttribute("aria-pressed", filter.emotions.has(Number(button.dataset.emotion))));
  document.getElementById("subject").value = filter.subject;
  document.getElementById("clear").hidden = !some;
  document.getElementById("nothing").hidden = !(some && kept === 0);
  document.getElementById("count").textContent = told(count, all, kept, some);
}

function told(count, all, kept, some) {
  const pair = [];
  if (filter.truth !== null) pair.push(`true ${named(filter.truth)}`);
  if (filter.detected !== null) pair.push(`detected ${named(filter.detected)}`);
  if (filter.length !== null) pair.push(`of ${filter.length[0]} frames and more${filter.length[1] ? `, less than ${filter.length[1]}` : ""}`);
  if (filter.strength !== null) pair.push(filter.strength);
  if (filter.cut !== null) pair.push(filter.cut ? "cut by every window" : "whole in a window");
  if (filter.run !== null && page.runs.length > 1) pair.push(`of ${page.runs[filter.run]}`);
  const shown = some ? `${count} of ${all} cases in ${kept} of ${videos.length} videos` : `${all} cases in ${videos.length} videos`;
  return pair.length ? `${pair.join(", ")}: ${shown}` : shown;
}

function reset() {
  Object.assign(filter, { kinds: new Set(), emotions: new Set(), subject: "", ...NONE });
}

function toggle(set, value) { if (!set.delete(value)) set.add(value); }

function jump(to) {
  reset();
  Object.assign(filter, { ...to, kinds: new Set(to.kinds ?? []) });
  if (opened) shut(false);
  apply();
  const title = document.getElementById("timelines-title");
  title.focus({ preventScroll: true });
  title.scrollIntoView({ block: "start" });
}

document.querySelectorAll("[data-kind]").forEach((button) => button.addEventListener("click", () => { toggle(filter.kinds, button.dataset.kind); apply(); }));
document.querySelectorAll("[data-emotion]").forEach((button) => button.addEventListener("click", () => { toggle(filter.emotions, Number(button.dataset.emotion)); apply(); }));
document.querySelectorAll("[data-jump]").forEach((button) => button.addEventListener("click", () => jump(JSON.parse(button.dataset.jump))));
document.getElementById("subject").addEventListener("change", (event) => { filter.subject = event.target.value; apply(); });
document.getElementById("clear").addEventListener("click", () => { reset(); apply(); });
document.querySelector(".filter").addEventListener("submit", (event) => event.preventDefault());

// Light, dark, or as the system has it; charts follow by their variables.
const themes = ["system", "light", "dark"];
const theme = document.getElementById("theme");
theme.addEventListener("click", () => {
  const next = themes[(themes.indexOf(document.documentElement.dataset.theme ?? "system") + 1) % themes.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  theme.querySelector("span").textContent = next;
});

videos.forEach(listen);
apply();
document.querySelectorAll(".chart[data-chart]").forEach(watch);
window.addEventListener("DOMContentLoaded", () => {
  const [, number, key] = location.hash.match(/^#case-(\d+)-(\d+-\d+)$/) ?? [];
  const video = videos[number], row = video?.cases.find((one) => one.key === `${number}-${key}`);
  if (row) { open(video, row); video.article.scrollIntoView({ block: "start" }); }
});
})();
