// Rows that others moved and who else has the open order (15 s), counts of menu and list (30 s); nothing while the tab is hidden.
import { $, card, on } from "./dom.js";
import { rows } from "./select.js";

const presence = { every: 15000, url: presenceUrl };
const counts = { every: 30000, url: countsUrl };
const JOBS = [
  presence,
  { every: 15000, url: listUrl },
  counts,
  { every: 30000, url: totalsUrl },
  { every: 60000, run: live },
];
const ask = ({ sink }, url) => htmx.ajax("GET", url, { source: sink, target: sink, swap: "none" }).catch(() => {});

// A page of numbers reads itself again; when that fails it keeps the last ones and their time.
function live({ sink }) {
  if (!$("[data-live]")) return;
  htmx.ajax("GET", location.href, { source: sink, target: "[data-live]", select: "[data-live]", swap: "outerHTML" }).catch(() => {});
}

function countsUrl() {
  return $(".sidebar")?.dataset.countsUrl;
}

// Typing in the page or in a dialog over it counts as editing the order.
function presenceUrl() {
  const place = $("[data-presence]");
  if (!place) return null;
  const query = new URLSearchParams({ version: $("[data-version-shown]").dataset.versionShown });
  if ($("form.dirty, #dialog[open] form")) query.set("editing", "");
  return `${place.dataset.presence}?${query}`;
}

function listUrl() {
  const ids = rows().filter((row) => !row.classList.contains("moved")).map((row) => `${row.dataset.id}:${row.dataset.version}`);
  if (!ids.length || !$("#since")?.content) return null;
  const query = new URLSearchParams({ since: $("#since").content, ids: ids.join(",") });
  return `${card().dataset.url}poll/?${query}`;
}

// The numbers of tabs and total, counted as far as the list on the screen counts them.
function totalsUrl() {
  if (!card()) return null;
  const exact = new URLSearchParams(location.search).has("exact") ? "&exact=1" : "";
  return `${card().dataset.url}counts/?${card().dataset.query}${exact}`;
}

function tick() {
  if (document.hidden) return;
  for (const job of JOBS) {
    if (Date.now() - job.last < job.every) continue;
    job.last = Date.now();
    const url = job.url?.();
    if (url) ask(job, url);
    job.run?.(job);
  }
}

// A source of its own for each: htmx keeps one request of an element in flight and drops all but the last that wait.
for (const job of JOBS) {
  job.last = Date.now();
  job.sink = $("#poll-sink")?.appendChild(document.createElement("div"));
}
presence.last = 0;
if ($("#poll-sink")) {
  setInterval(tick, 1000);
  on("visibilitychange", tick);
  // An order that was just opened asks at once.
  on("htmx:afterSwap", ({ detail }) => detail.target.id === "detail" && !$("[data-presence]")?.textContent && (presence.last = 0));
  // The answer about an order that was closed meanwhile has no place any more.
  on("htmx:beforeSwap", ({ detail }) => {
    if (detail.elt === presence.sink && detail.pathInfo.requestPath.split("?")[0] !== $("[data-presence]")?.dataset.presence) detail.shouldSwap = false;
  });
  // What the list and its tabs say after an act, the menu says at once as well.
  on("oms:changed", () => countsUrl() && ask(counts, countsUrl()));
}

// The progress of a job is asked by htmx itself.
on("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.elt.matches("[data-poll]")) event.preventDefault();
});
