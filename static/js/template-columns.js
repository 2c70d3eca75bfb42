// 엑셀 양식: rows of columns are dragged by their number; ▲ and ▼ do the same by keyboard, and without this module.
// The server puts the columns in order and shows the preview again, so a drop presses its hidden button.
import { $, $$, on } from "./dom.js";

const table = () => $("#template-columns");
let drag; // { row, from }: the row under the pointer and where it came from

const rows = () => $$("tbody tr", table());

on("pointerdown", (event) => {
  const grip = event.button === 0 && event.target.closest?.("[data-grip]");
  if (!grip) return;
  const row = grip.parentElement;
  drag = { row, from: rows().indexOf(row) };
  grip.setPointerCapture(event.pointerId);
  row.classList.add("dragged");
  event.preventDefault();
});

on("pointermove", ({ clientY }) => {
  if (!drag) return;
  const over = rows().find((row) => {
    const box = row.getBoundingClientRect();
    return row !== drag.row && clientY > box.top && clientY < box.bottom;
  });
  if (!over) return;
  const box = over.getBoundingClientRect();
  const below = over.compareDocumentPosition(drag.row) & Node.DOCUMENT_POSITION_PRECEDING;
  // Half a row of way keeps neighbours from swapping to and fro under a pointer that rests.
  if (below && clientY > box.top + box.height / 2) over.after(drag.row);
  if (!below && clientY < box.bottom - box.height / 2) over.before(drag.row);
});

// Rows are sent in their old order: the server is the one that moves them.
function restore({ row, from }) {
  const others = rows().filter((one) => one !== row);
  if (from < others.length) others[from].before(row);
  else others.at(-1)?.after(row);
}

function drop(event) {
  if (!drag) return;
  const { row, from } = drag;
  const to = rows().indexOf(row);
  row.classList.remove("dragged");
  restore(drag);
  drag = null;
  if (to === from || event.type === "pointercancel") return;
  const mover = $("[data-mover]", table());
  mover.value = `${from}-${to}`;
  mover.click();
}
on("pointerup", drop);
on("pointercancel", drop);
on("keydown", (event) => {
  if (drag && event.code === "Escape") drop(new Event("pointercancel"));
});

// A press of these buttons is input like any other: leaving the page asks.
on("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id === "template-columns") $("form[data-guard]").dispatchEvent(new Event("input", { bubbles: true }));
});
