// A range pasted into waybill inputs; fetched when somebody pastes one.
import { $, card, notify, on } from "./dom.js";
import { complain, draft, inputs, rowOf, shownIn } from "./waybill-cell.js";

// One column fills downwards over the rows that have no number yet, each with the courier that its row shows; more columns
// are matched by their key on the server.
function keyed(lines, start) {
  if (lines.some((line) => line.includes("\t"))) return lines;
  const list = inputs();
  const free = list.slice(list.indexOf(start)).filter((one) => one === start || !one.value);
  return lines.slice(0, free.length).map((line, i) => {
    // What was typed there gives way; the answer brings what the cell holds.
    free[i].value = shownIn(free[i]);
    complain(free[i]);
    const row = rowOf(free[i]);
    return [free[i].dataset.waybill || row.dataset.order, $("select[data-courier]", row)?.value ?? "", line].join("\t");
  });
}

export function paste(url, lines, target) {
  const text = keyed(lines, target);
  if (text.length < lines.length) notify(`비어 있는 칸이 모자라 ${lines.length - text.length}줄은 붙여 넣지 않았습니다.`, { error: true });
  const { page, query, asOf } = card().dataset;
  htmx.ajax("POST", url, { source: target, target: "#strip", swap: "innerHTML", values: { text: text.join("\n"), page, query, as_of: asOf } });
}

const cellOf = (id) => document.getElementById(`waybill-${id}`);
const told = (strip, name) => JSON.parse($(`[data-${name}]`, strip)?.dataset[name] || "null");

on("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id !== "strip") return;
  // What stood in a cell that was filled gives way, a wrong number too; the list that is read next brings what it holds.
  for (const input of (told(detail.target, "filled") ?? []).map(cellOf).filter(Boolean)) {
    input.value = shownIn(input);
    complain(input);
  }
  // What was pasted and could not be kept stands in its cell with the reason below, where it can be put right.
  for (const [id, { text, error, waybill }] of Object.entries(told(detail.target, "unkept") ?? {})) {
    const input = cellOf(id);
    if (!input) continue;
    input.value = text;
    input.dataset.saved = waybill;
    draft(input, false);
    complain(input, error);
  }
});
