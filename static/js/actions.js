// Buttons with data-action: one post with the selection, or with the one order that the button names.
import { $, card, notify, on, onClick, refresh, saving } from "./dom.js";
import { clear, cursorRow, keepOnly, selection, size } from "./select.js";

let ofSelection = false;

function target(button) {
  const { rows, page } = button.dataset;
  if (rows) return { page, mode: "ids", rows, query: "", as_of: "", expected: rows.split(",").length };
  ofSelection = size() > 0;
  if (ofSelection) return { page: card().dataset.page, ...selection() };
  const row = cursorRow();
  if (!row || row.classList.contains("moved")) return null;
  return { page: card().dataset.page, mode: "ids", rows: `${row.dataset.id}:${row.dataset.version}`, query: card().dataset.query, as_of: card().dataset.asOf, expected: 1 };
}

// A submit button or a link may bear the name of an act as well: its form or its address does the work.
onClick("button[type=button][data-action]", async (button) => {
  ofSelection = false;
  const values = target(button);
  if (!values) return notify("처리할 주문을 먼저 선택하세요.", { error: true });
  // The number of the cell that was left for this button counts.
  if (saving.size) await Promise.allSettled(saving);
  htmx.ajax("POST", `/acts/${button.dataset.action}/`, { source: button, target: "#dialog", swap: "innerHTML", values });
});

// What failed stays selected, what succeeded leaves the selection.
on("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id !== "strip" || !ofSelection) return;
  const result = $("[data-result][data-failed]", detail.target);
  if (!result) return;
  ofSelection = false;
  if ("failedIds" in result.dataset) keepOnly(result.dataset.failedIds.split(",").filter(Boolean));
  else if (result.dataset.failed === "0") clear();
});

let waiting = false;
on("oms:changed", () => {
  if (waiting) return;
  waiting = true;
  queueMicrotask(() => {
    waiting = false;
    refresh();
  });
});
