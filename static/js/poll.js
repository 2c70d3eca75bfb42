// Rows that others moved (15 s) and the counts of the menu (30 s); nothing at all while the tab is hidden.
import { $, card, on } from "./dom.js";
import { rows } from "./select.js";

const JOBS = [
  { every: 15000, url: listUrl },
  { every: 30000, url: countsUrl },
  { every: 60000, url: () => ($("[data-live]") && live(), null) },
];
const ask = (url) => htmx.ajax("GET", url, { source: "#poll-sink", target: "#poll-sink", swap: "none" });

// A page of numbers reads itself again; when that fails it keeps the last ones and their time.
function live() {
  htmx.ajax("GET", location.href, { source: "#poll-sink", target: "[data-live]", select: "[data-live]", swap: "outerHTML" }).catch(() => {});
}

function countsUrl() {
  return $(".sidebar")?.dataset.countsUrl;
}

function listUrl() {
  const ids = rows().filter((row) => !row.classList.contains("moved")).map((row) => row.dataset.id);
  if (!ids.length || !$("#since")?.content) return null;
  const query = new URLSearchParams({ since: $("#since").content, ids: ids.join(",") });
  return `${card().dataset.url}poll/?${query}`;
}

function tick() {
  if (document.hidden) return;
  for (const job of JOBS) {
    if (Date.now() - job.last < job.every) continue;
    job.last = Date.now();
    const url = job.url();
    if (url) ask(url).catch(() => {});
  }
}

for (const job of JOBS) job.last = Date.now();
if ($("#poll-sink")) {
  setInterval(tick, 1000);
  on("visibilitychange", tick);
  // What the list and its tabs say after an act, the menu says at once as well.
  on("oms:changed", () => countsUrl() && ask(countsUrl()).catch(() => {}));
}

// The progress of a job is asked by htmx itself.
on("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.elt.matches("[data-poll]")) event.preventDefault();
});
