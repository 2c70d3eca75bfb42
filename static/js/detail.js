// The slide-over: opens over the list, keeps its order in the address, J and K step through the rows behind it.
import { $, on, onClick, plain } from "./dom.js";
import { cursorRow, linkOf, putCursor } from "./select.js";

const panel = () => $("#detail");
export const isOpen = () => Boolean(panel() && !panel().hidden);
export const within = () => isOpen() && panel().contains(document.activeElement);

function address(number) {
  const url = new URL(location);
  if (number) url.searchParams.set("open", number);
  else url.searchParams.delete("open");
  history.replaceState(history.state, "", url);
}

let top = 0;
// Its heading takes the focus: it was opened by a key, or read anew under the focus.
let enters = false;

// The link that names the row is the address of what it opens.
const urlOf = (row) => $("a[data-open]", row)?.getAttribute("href");

export function show(row, byKey) {
  if (!urlOf(row)) return;
  putCursor(row);
  address(row.dataset.order);
  panel().dataset.url = urlOf(row);
  top = 0;
  enters = byKey;
  return htmx.ajax("GET", urlOf(row), { target: "#detail", swap: "innerHTML" });
}

export function hide() {
  panel().hidden = true;
  panel().replaceChildren();
  address(null);
  const row = cursorRow();
  if (row) linkOf(row)?.focus({ preventScroll: true });
}

onClick("[data-close-detail]", hide);

// Under 1024 px the order opens as a full page.
onClick(".scroller tbody[data-id] a[data-open]", (link, event) => {
  if (!panel() || innerWidth < 1024 || !plain(event)) return;
  event.preventDefault();
  // A click of no button of the mouse is a key.
  show(link.closest("tbody"), !event.detail);
});

on("htmx:beforeSwap", ({ detail }) => {
  if (detail.target.id === "detail") enters ||= within();
});

on("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id !== "detail") return;
  panel().hidden = false;
  const body = $(".detail-body", panel());
  if (body) body.scrollTop = top;
  top = 0;
  if (enters && !within()) $("h2", panel())?.focus({ preventScroll: true });
  enters = false;
});

onClick("[data-reopen]", (link, event) => {
  if (!isOpen()) return;
  event.preventDefault();
  reread();
});

// After a change the open order is read again with the list, also when it left the list, and stays where it was scrolled.
on("oms:changed", () => isOpen() && panel().dataset.url && reread());

function reread() {
  top = $(".detail-body", panel())?.scrollTop ?? 0;
  htmx.ajax("GET", panel().dataset.url, { target: "#detail", swap: "innerHTML" });
}

const wanted = new URLSearchParams(location.search).get("open");
if (wanted && panel()) {
  const row = $(`.scroller tbody[data-order="${CSS.escape(wanted)}"]`);
  if (row) show(row);
}
