// Frozen columns past the number, placed by measuring the head; fetched for lists that have some.
import { $, $$, on } from "./dom.js";

// Cells of a later line belong to the columns whose first cell does not span the whole group.
function freeze() {
  const table = $(".scroller .table[data-freeze]");
  const wanted = Number(table?.dataset.freeze);
  if (!(wanted > 1)) return;
  const heads = $$("thead th", table).slice(2, wanted + 1);
  const base = table.getBoundingClientRect().left;
  heads.forEach((head, i) => {
    table.style.setProperty(`--f${i + 2}`, `${Math.round(head.getBoundingClientRect().left - base)}px`);
    head.classList.add("frozen", `f${i + 2}`);
  });
  for (const body of table.tBodies) {
    const first = [...body.rows[0].cells];
    const own = first.map((cell, i) => (cell.rowSpan === 1 ? i : -1)).filter((i) => i >= 0);
    [...body.rows].forEach((row, at) =>
      [...row.cells].forEach((cell, i) => {
        const column = at && body.rows.length > 1 ? own[i] : i;
        if (column > 1 && column <= wanted) cell.classList.add("frozen", `f${column}`);
      }),
    );
  }
}

on("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id === "list") freeze();
});
freeze();
