// Forms with data-guard: leaving with input that was not saved asks first.
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
