// 열 설정: order by buttons, saved for the person; frozen columns past the number are placed by measuring the head.
import { $, $$, notify, on, onClick, post, refresh, sentence } from "./dom.js";

onClick("[data-move]", (button) => {
  const item = button.closest("li");
  if (button.dataset.move === "-1") item.previousElementSibling?.before(item);
  else item.nextElementSibling?.after(item);
  button.focus();
});

on("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-columns]")) return;
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form));
  if (!fields.has("columns")) return notify("열을 하나 이상 남겨 두세요.", { error: true });
  const answer = await post(form.getAttribute("action"), fields).catch(() => null);
  if (!answer?.ok) return notify(await sentence(answer, "열 설정을 저장하지 못했습니다. 잠시 뒤 다시 시도하세요."), { error: true });
  form.closest("dialog").close();
  refresh();
});

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
