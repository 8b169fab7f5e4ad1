"use strict";
// Events only: nothing is drawn here. Serves the page of a video and the list of videos alike.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

function move(items, event) {
  const at = items.indexOf(document.activeElement);
  const row = (item) => Math.round(item.getBoundingClientRect().top);
  const column = (item) => Math.round(item.getBoundingClientRect().left);
  let to;
  if (at < 0) to = items[0];
  else if (event.key === "ArrowRight") to = items[at + 1];
  else if (event.key === "ArrowLeft") to = items[at - 1];
  else {
    const here = items[at];
    const ordered = event.key === "ArrowDown" ? items.slice(at + 1) : items.slice(0, at).reverse();
    to = ordered.find((item) => row(item) !== row(here) && Math.abs(column(item) - column(here)) < 40);
  }
  if (to) { to.focus(); event.preventDefault(); }
}

function watchSheet(large) {
  const faces = all(".face");
  let shown = -1;
  const show = (index) => {
    if (!faces[index]) return;
    shown = index;
    const enlarged = document.getElementById("enlarged");
    enlarged.replaceChildren(faces[index].querySelector(".picture").cloneNode(true));
    large.querySelector("figcaption").textContent = faces[index].querySelector(".hidden").textContent;
    if (!large.open) large.showModal();
  };
  faces.forEach((face, index) => face.addEventListener("click", () => show(index)));
  document.getElementById("before").addEventListener("click", () => show(shown - 1));
  document.getElementById("after").addEventListener("click", () => show(shown + 1));
  large.addEventListener("click", (event) => { if (event.target === large) large.close(); });
  large.addEventListener("close", () => faces[shown].focus());
  const eyes = document.getElementById("eyes");
  const mark = () => document.body.classList.toggle("eyes", eyes.checked);
  eyes.addEventListener("change", mark);
  mark();
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "e") { eyes.checked = !eyes.checked; mark(); }
    else if (large.open) {
      if (event.key === "ArrowRight") show(shown + 1);
      if (event.key === "ArrowLeft") show(shown - 1);
    }
    else if (event.key === "Escape") location.href = document.getElementById("back").href;
    else if (event.key.startsWith("Arrow") && document.activeElement !== eyes) move(faces, event);
  });
}

function watchList(table, find) {
  const body = table.tBodies[0];
  const sort = (heading) => {
    const column = heading.cellIndex;
    const sorted = heading.getAttribute("aria-sort");
    const rising = sorted ? sorted === "descending" : heading.classList.contains("rising");
    all("th", table).forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const value = (row) => row.classList.contains("absent") && column > 2 ? null : row.cells[column].dataset.value;
    const compare = (one, other) => heading.classList.contains("number") ? one - other : one.localeCompare(other);
    // What has no value stays above all others, whichever way they are sorted.
    const order = (one, other) => value(one) === null || value(other) === null
      ? (value(other) === null) - (value(one) === null)
      : (rising ? 1 : -1) * compare(value(one), value(other));
    body.append(...[...body.rows].sort(order));
  };
  all("th button", table).forEach((button) => button.addEventListener("click", () => sort(button.parentElement)));
  const filter = () => {
    const asked = find.value.toLowerCase();
    for (const row of body.rows) {
      row.hidden = !`${row.cells[1].dataset.value} ${row.cells[2].dataset.value}`.toLowerCase().includes(asked);
    }
    document.getElementById("none").hidden = [...body.rows].some((row) => !row.hidden);
  };
  find.addEventListener("input", filter);
  filter();
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && document.activeElement !== find) { find.focus(); event.preventDefault(); }
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      move(all("tr:not([hidden]) a", body), event);
    }
  });
}

const large = document.getElementById("large");
if (large) watchSheet(large);
else watchList(document.getElementById("videos"), document.getElementById("find"));
