// Forms with data-guard: leaving with input that was not saved asks first, and so does saving after the session ended.
// File fields say in Korean what was chosen.
import { $, $$, csrf, on } from "./dom.js";
import { askLogin } from "./session.js";

const dirty = () => $$("form[data-guard].dirty").some((form) => form.isConnected);

on("input", ({ target }) => {
  const form = target.closest?.("form[data-guard]");
  if (!form || form.classList.contains("dirty")) return;
  form.classList.add("dirty");
  const note = $(".dirty-note", form);
  if (note) note.hidden = false;
});

// A plain post would trade the page for the log-in and lose what was typed: whether we are still logged in is asked first.
let asking, sure;
on("submit", async (event) => {
  const { target: form, submitter } = event;
  const url = $(".sidebar")?.dataset.countsUrl;
  if (sure || !url || !form.matches("[data-guard][method=post]:not([hx-post])")) return form.classList.remove("dirty");
  event.preventDefault();
  if (asking) return;
  asking = true;
  const answer = await fetch(url, { headers: { "HX-Request": "true" } }).catch(() => null);
  asking = false;
  if (answer?.status === 401) return askLogin();
  // A log-in in another tab has made a new token.
  form.elements.csrfmiddlewaretoken.value = csrf();
  sure = true;
  form.requestSubmit(submitter);
  sure = false;
});
addEventListener("beforeunload", (event) => {
  if (dirty()) event.preventDefault();
});

on("change", ({ target }) => {
  const name = target.type === "file" && $("[data-file-name]", target.parentElement);
  if (name) name.textContent = [...target.files].map((file) => file.name).join(", ") || "선택한 파일이 없습니다.";
});
