// 열 설정: order by buttons, saved for the person.
import { notify, on, onClick, post, refresh, sentence } from "./dom.js";

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
