// Forms with data-guard: leaving with input that was not saved asks first. File fields say in Korean what was chosen.
import { $, $$, on } from "./dom.js";

const dirty = () => $$("form[data-guard].dirty").some((form) => form.isConnected);

on("input", ({ target }) => {
  const form = target.closest?.("form[data-guard]");
  if (!form || form.classList.contains("dirty")) return;
  form.classList.add("dirty");
  const note = $(".dirty-note", form);
  if (note) note.hidden = false;
});
on("submit", ({ target }) => target.classList.remove("dirty"));
addEventListener("beforeunload", (event) => {
  if (dirty()) event.preventDefault();
});

on("change", ({ target }) => {
  const name = target.type === "file" && $("[data-file-name]", target.parentElement);
  if (name) name.textContent = [...target.files].map((file) => file.name).join(", ") || "선택한 파일이 없습니다.";
});
