// Waybill inputs behave like a sheet: arrows and Enter move, a paste fills by key, leaving a cell saves a draft.
import { $, $$, on, onClick, post, saving } from "./dom.js";
import { selection, size } from "./select.js";
import { askLogin } from "./session.js";
import { complain, draft, inputs, rowOf, shownIn } from "./waybill-cell.js";

const clean = (text) => text.normalize("NFKC").replace(/[\s-]/g, "");
const EXPONENT = "송장번호가 지수 형식입니다. 엑셀에서 셀 서식을 텍스트로 바꿔 주세요.";

function ownFault(input) {
  if (/^\d(\.\d+)?e\+?\d+$/i.test(input.value.trim())) return EXPONENT;
  const twin = input.value && inputs().find((one) => one !== input && clean(one.value) === clean(input.value));
  return twin ? `다른 주문 ${rowOf(twin).dataset.order}에서 쓰고 있는 송장번호입니다.` : "";
}

const courierOf = (row) => $("select[data-courier]", row);
const shownCourier = (select) => select?.dataset.saved ?? $$("option", select ?? undefined).find((one) => one.defaultSelected)?.value ?? "";

// One after the other for each cell: a number typed while the one before is on its way must come second.
const turns = new WeakMap();
function save(input, isForced) {
  const turn = (turns.get(input) ?? Promise.resolve()).then(() => keep(input, isForced)).finally(() => saving.delete(turn));
  turns.set(input, turn);
  saving.add(turn);
}

async function keep(input, isForced) {
  const url = input.closest("[data-draft-url]")?.dataset.draftUrl;
  const row = rowOf(input);
  if (!url || !(isForced || input.value !== shownIn(input))) return;
  const fault = ownFault(input);
  complain(input, fault);
  if (!fault) input.value = clean(input.value);
  const sent = input.value;
  const select = courierOf(row);
  const courier = select?.value ?? "";
  // What the cell held before: a colleague may have filled it since, and only the server knows. A wrong number is not
  // sent, but it leaves no older one behind that would be registered in its place.
  const body = new URLSearchParams({ id: row.dataset.id, waybill: fault ? "" : sent, courier, shown: shownIn(input), shown_courier: shownCourier(select) });
  const answer = await post(url, body).catch(() => null);
  if (answer?.status === 401 || (answer?.redirected && answer.url.includes("/login/"))) return askLogin();
  const said = await answer?.json().catch(() => null);
  const isSame = input.value === sent;
  if (said?.now) {
    // A colleague was first: the cell shows their number, the line below who and when. What is being typed stays, and
    // is judged when the cell is left.
    if (!isSame) return;
    input.dataset.saved = input.value = said.now.waybill;
    if (select && said.now.courier) select.dataset.saved = select.value = said.now.courier;
    complain(input, said.error);
    return draft(input, said.now.draft);
  }
  if (said?.waybill !== undefined) {
    input.dataset.saved = said.waybill;
    draft(input, Boolean(said.draft));
  }
  if (answer?.ok && select) select.dataset.saved = courier;
  if (!isSame || fault) return;
  if (!answer?.ok) return complain(input, said?.error || "송장번호를 저장하지 못했습니다. 잠시 뒤 다시 시도하세요.");
  input.value = shownIn(input);
  complain(input, said?.error, true);
}

on("focusout", ({ target }) => {
  if (target.matches?.("input[data-waybill]")) save(target);
});

// A courier chosen after the number belongs to the same draft.
on("change", ({ target }) => {
  if (!target.matches?.("select[data-courier]")) return;
  const input = $("input[data-waybill]:not(:disabled)", target.closest("tbody[data-order]"));
  if (input?.value) save(input, true);
});

on("keydown", (event) => {
  if (!event.target.matches?.("input[data-waybill]") || event.isComposing || event.keyCode === 229) return;
  const way = { ArrowDown: 1, Enter: 1, ArrowUp: -1 }[event.key];
  if (!way || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const list = inputs();
  const next = list[list.indexOf(event.target) + way];
  // The last cell has nowhere to go: what was typed in it counts all the same.
  if (!next) return save(event.target);
  next.focus();
  next.select();
});

// A refresh of the list must not lose a number that is still being typed.
let unsaved = [];
on("htmx:beforeSwap", ({ detail }) => {
  if (detail.target.id !== "list") return;
  unsaved = inputs().filter((one) => one.id && one.value !== shownIn(one)).map((one) => ({ id: one.id, value: one.value, shown: shownIn(one), said: one.parentElement.querySelector(".cell-error")?.textContent }));
});
on("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id !== "list") return;
  for (const { id, value, shown, said } of unsaved) {
    const input = document.getElementById(id);
    if (!input || input.disabled) continue;
    input.value = value;
    // The number that the refresh brought is hidden below what is being typed: it was not seen.
    input.dataset.saved = shown;
    complain(input, ownFault(input) || said);
  }
  unsaved = [];
});

on("paste", (event) => {
  const { target } = event;
  if (!target.matches?.("input[data-waybill]")) return;
  const lines = event.clipboardData.getData("text").split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
  const url = target.closest("[data-paste-url]")?.dataset.pasteUrl;
  if (!url || (lines.length < 2 && !lines[0]?.includes("\t"))) return;
  event.preventDefault();
  import("./waybill-paste.js").then(({ paste }) => paste(url, lines, target));
});

onClick('[data-tool="file"]', (link, event) => {
  const chosen = selection();
  if (!size() || chosen.mode !== "ids") return;
  event.preventDefault();
  import("./waybill-file.js").then(({ download }) => download(link, chosen.rows));
});
