// Selection of the list: ids kept in memory over pages, or the whole result as a filter. Rows are painted by one class
// on the table (.all with .off rows) or one class per row (.on), never by a style per row.
import { $, $$, card, notify, number, on, onClick, refresh, typing } from "./dom.js";

const LIMIT = 2000;
const NOT_CONDITIONS = ["after", "before", "page", "sort", "size", "open", "exact", "view"];
const picked = new Map();
// Orders of which only some lines are ticked: order id -> line id -> version. An order is here or in `picked`, not both.
const parts = new Map();
// When the list was read on which a row was chosen: its cells are known as they were then.
const readAt = new Map();
let filter = null;
let known = { page: "", conditions: "" };
let anchor = null;
let cursorId = null;

export const rows = () => $$(".scroller tbody[data-id]");
export const linkOf = (row) => $("a[href]", row);
export const cursorRow = () => (cursorId ? document.getElementById(`row-${cursorId}`) : null);
const table = () => $(".scroller .table");
const box = (row) => $("td.check input", row);
const lineBoxes = (row) => $$("[data-line-id]", row);
const lineCount = () => [...parts.values()].reduce((sum, lines) => sum + lines.size, 0);
// The box of the page, where something can be done with what is chosen.
export const picks = () => $(".bar .acts [data-action]") && $("#check-page");
const isChosen = (row) => picked.has(row.dataset.id) || parts.has(row.dataset.id);

export function putCursor(row) {
  if (row.dataset.id !== cursorId) cursorRow()?.classList.remove("cursor");
  cursorId = row.dataset.id;
  row.classList.add("cursor");
}

export function selection() {
  if (filter) return { mode: "filter", rows: "", ...filter };
  const pairs = (map) => [...map].map(([id, version]) => `${id}:${version}`).join(",");
  const lines = [...parts.values()].map(pairs).join(",");
  const oldest = [...picked.keys()].map((id) => readAt.get(id)).filter(Boolean).sort()[0];
  return { mode: "ids", rows: pairs(picked), lines, query: card()?.dataset.query, as_of: oldest ?? card()?.dataset.asOf, expected: size() };
}
export const size = () => (filter ? Number(filter.expected) : picked.size + lineCount());

// How a row looks follows from what is chosen of it.
function show(row) {
  const { id } = row.dataset;
  const input = box(row);
  const some = parts.get(id);
  const whole = !input.disabled && (Boolean(filter) || picked.has(id));
  input.checked = whole;
  input.indeterminate = Boolean(some);
  for (const line of lineBoxes(row)) line.checked = whole || Boolean(some?.has(line.dataset.lineId));
  const all = table().classList.contains("all");
  row.classList.toggle("on", !all && (whole || Boolean(some)));
  row.classList.toggle("off", all && !whole && !input.disabled);
}

function choose(row, selected) {
  parts.delete(row.dataset.id);
  if (!selected) return picked.delete(row.dataset.id);
  picked.set(row.dataset.id, row.dataset.version);
  readAt.set(row.dataset.id, card().dataset.asOf);
}

// One line ticked or unticked: all lines are the whole order, none is nothing of it.
function chooseLine(row, line) {
  if (filter) leaveFilter();
  const ticked = lineBoxes(row).filter((one) => (one === line ? line.checked : one.checked));
  choose(row, ticked.length === lineBoxes(row).length);
  if (ticked.length && !picked.has(row.dataset.id))
    parts.set(row.dataset.id, new Map(ticked.map((one) => [one.dataset.lineId, one.dataset.lineVersion])));
  show(row);
  paint();
}

function conditions() {
  const query = new URLSearchParams(card().dataset.query);
  for (const key of NOT_CONDITIONS) query.delete(key);
  query.sort();
  return query.toString();
}

function mark(row, selected) {
  if (!box(row) || box(row).disabled) return;
  choose(row, selected);
  show(row);
}

function unpaint() {
  for (const row of $$("tbody.on, tbody.off", table())) row.classList.remove("on", "off");
}

export function set(row, selected) {
  if (filter && !selected) leaveFilter();
  if (selected && size() >= LIMIT) return notify(`한 번에 ${number(LIMIT)}건까지 고를 수 있습니다. 더 많으면 조회 결과 전체를 선택하세요.`, { error: true });
  mark(row, selected);
  paint();
}
export const toggle = (row) => set(row, !box(row).checked);

function leaveFilter() {
  filter = null;
  picked.clear();
  for (const row of rows()) if (box(row).checked) choose(row, true);
}

export function pickPage(selected) {
  if (filter && !selected) return clear();
  unpaint();
  table().classList.toggle("all", selected);
  for (const row of rows()) if (!box(row).disabled) {
    choose(row, selected);
    show(row);
  }
  paint();
}

export function pickAll() {
  const { query, asOf, total } = card().dataset;
  if ("capped" in card().dataset) return $(".bar .idle a")?.click();
  pickPage(true);
  filter = { query, as_of: asOf, expected: total };
  forget();
  paint();
}

function forget() {
  picked.clear();
  parts.clear();
}

export function clear() {
  filter = null;
  forget();
  anchor = null;
  if (!table()) return;
  unpaint();
  table().classList.remove("all");
  for (const row of rows()) show(row);
  paint();
}

// Keeps only the rows that a bulk act could not change.
export function keepOnly(ids) {
  const versions = new Map(picked);
  const lines = new Map(parts);
  clear();
  for (const id of ids) lines.has(id) ? parts.set(id, lines.get(id)) : picked.set(id, versions.get(id) ?? "");
  restore();
}

export function range(from, to, selected = true) {
  const list = rows();
  const [a, b] = [list.indexOf(from), list.indexOf(to)].sort((x, y) => x - y);
  if (a < 0) return;
  if (filter && !selected) leaveFilter();
  for (const row of list.slice(a, b + 1)) mark(row, selected);
  paint();
}

function note(text, label, run) {
  const line = $('[data-note="all"]');
  line.hidden = !text;
  if (!text) return line.replaceChildren();
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
  button.addEventListener("click", run);
  line.replaceChildren(text, " ", button);
}

function chosenText() {
  const lines = lineCount();
  if (!lines) return `${number(picked.size)}건 선택됨`;
  return `${picked.size ? `${number(picked.size)}건 · ` : ""}품목 ${number(lines)}건 선택됨`;
}

function paint() {
  const list = rows().filter((row) => !box(row).disabled);
  const checked = list.filter((row) => box(row).checked).length;
  const some = list.some(isChosen);
  const head = $("#check-page");
  if (head) {
    head.checked = checked > 0 && checked === list.length;
    head.indeterminate = (checked > 0 || some) && checked < list.length;
  }
  card().classList.toggle("selecting", size() > 0);
  $('[data-count="selected"]').textContent = filter ? `${number(filter.expected)}건 전체 선택됨` : chosenText();
  const total = Number(card().dataset.total);
  if (filter) note(`조회 결과 ${number(filter.expected)}건을 모두 선택했습니다.`, "선택 해제", clear);
  else if (head?.checked && (total > list.length || "capped" in card().dataset))
    note(`이 화면의 ${number(checked)}건을 선택했습니다.`, "capped" in card().dataset ? "조회 결과 건수 세기" : `조회 결과 ${number(total)}건 모두 선택`, pickAll);
  else note("");
}

// The versions of a fresh page; a line that left the row leaves the selection.
function renew(row) {
  const { id, version } = row.dataset;
  if (picked.has(id)) picked.set(id, version);
  readAt.set(id, card().dataset.asOf);
  const lines = parts.get(id);
  if (!lines) return;
  const here = lineBoxes(row).filter((line) => lines.has(line.dataset.lineId));
  if (here.length) parts.set(id, new Map(here.map((line) => [line.dataset.lineId, line.dataset.lineVersion])));
  else parts.delete(id);
}

// After a swap: the same conditions keep the selection, others clear it and say so.
function restore() {
  if (!card()) return;
  const now = { page: card().dataset.page, conditions: conditions() };
  if (now.page !== known.page || now.conditions !== known.conditions) {
    if (size()) notify("조건이 바뀌어 선택을 해제했습니다.");
    filter = null;
    forget();
  }
  known = now;
  if (table()) {
    table().classList.toggle("all", Boolean(filter));
    for (const row of rows()) {
      if (box(row).disabled) choose(row, false);
      else renew(row);
      show(row);
    }
    cursorRow()?.classList.add("cursor");
  }
  anchor = null;
  paint();
}

on("click", (event) => {
  const input = event.target;
  if (input.id === "check-page") return pickPage(input.checked);
  if (input.dataset?.lineId) return chooseLine(input.closest("tbody[data-id]"), input);
  const row = input.matches?.("td.check input") && input.closest("tbody[data-id]");
  if (!row) return;
  if (event.shiftKey && anchor?.isConnected) range(anchor, row, input.checked);
  else set(row, input.checked);
  anchor = row;
  putCursor(row);
});
onClick("[data-clear]", clear);

on("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id === "list") restore();
});

// What the list does not show yet, above it, with the way to see it.
function tell(text) {
  const line = $('[data-note="moved"]');
  if (!line) return;
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "목록 새로고침" });
  button.addEventListener("click", () => refresh());
  line.replaceChildren(text, " ", button);
  line.hidden = false;
}

// The total is counted anew while the list stands still: when it has grown, something came in. A list without rows has
// nothing that could jump and is read again, unless somebody is typing its conditions.
function tellNew(text) {
  const now = Number((text.match(/[\d,]+/) ?? ["0"])[0].replaceAll(",", ""));
  if (now <= Number(card().dataset.total) || !$('[data-note="moved"]')?.hidden) return;
  if (!rows().length && !typing(document.activeElement)) return refresh();
  tell("목록을 연 뒤 새로 들어온 것이 있습니다.");
}

// A row that somebody else moved leaves the selection; what is being typed in it stays.
let typed = null;
on("htmx:oobBeforeSwap", ({ detail }) => {
  const active = document.activeElement;
  const shown = active?.dataset.saved ?? active?.defaultValue;
  typed = active?.id && detail.target.contains(active) && active.matches("input, a") ? { id: active.id, value: active.value, shown } : null;
});
on("htmx:oobAfterSwap", ({ detail }) => {
  if (detail.target.dataset?.count === "total") return tellNew(detail.target.textContent);
  if (!detail.target.matches?.("tbody[data-id]")) return;
  const moved = $$(".scroller tbody.moved");
  for (const row of moved) choose(row, false);
  const field = typed && document.getElementById(typed.id);
  if (field && "value" in field && typed.value !== typed.shown) {
    field.value = typed.value;
    field.dataset.saved = typed.shown;
  }
  field?.focus({ preventScroll: true });
  typed = null;
  cursorRow()?.classList.add("cursor");
  if (moved.length) tell(`그사이 바뀐 ${card().dataset.unit} ${number(moved.length)}건이 있습니다.`);
  paint();
});

if (card()) restore();
